"""Times of a log: columns of text to microseconds, whole columns at once.

Times with an offset are what they say; times without one are read in the zone of the
mapping. A log that has both is told of. What cannot be read becomes `UNKNOWN`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linewright.fit.log import UNKNOWN, Ints, Mask

__all__ = ["Times", "read_times", "resolution_of"]

_OFFSET = r"(?:[zZ]|[+-]\d{2}:?\d{2})$"
_ISO = (
    r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}"
    r"(?:[ T]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)?(?: ?(?:[zZ]|[+-]\d{2}:?\d{2}))?$"
)
_STEPS_US = (60_000_000, 1_000_000, 1_000)


class Times(NamedTuple):
    """A column of times.

    Attributes:
        us: Microseconds since 1970 in UTC, `UNKNOWN` where there is none.
        empty: Where the cell is empty.
        has_offset: Where it said its offset.
    """

    us: Ints
    empty: Mask
    has_offset: Mask


def read_times(column: pa.ChunkedArray, time_format: str, zone: str) -> Times:
    """Return a column of times, texts or timestamps, in microseconds.

    Args:
        column: Texts, or timestamps of a Parquet file.
        time_format: As of `strptime`; empty for ISO 8601.
        zone: Zone of times without an offset.
    """
    n = len(column)
    if pa.types.is_timestamp(column.type):
        has_zone = column.type.tz is not None
        moved = column if has_zone else _in_zone(column, zone)
        us = _as_us(moved)
        return Times(us, us == UNKNOWN, np.full(n, has_zone))
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        msg = f"holds numbers of the type {column.type}, not times"
        raise ValueError(msg)
    if not time_format and (plain := _plain(column, zone)) is not None:
        return plain
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    empty = _mask(pc.fill_null(pc.equal(text, ""), True))
    if time_format:
        us = _by_format(text, time_format, zone)
        offset = np.full(n, "%z" in time_format)
        return Times(us, empty, offset)
    return _iso(text, empty, zone)


def _plain(column: pa.ChunkedArray, zone: str) -> Times | None:
    """Read a column of which every time is whole and has no offset, as most are."""
    try:
        found = column.cast(pa.string()).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    us = _as_us(_in_zone(found, zone))
    return Times(us, us == UNKNOWN, np.zeros(len(us), bool))


def _iso(text: pa.ChunkedArray, empty: Mask, zone: str) -> Times:
    fits = _mask(pc.fill_null(pc.match_substring_regex(text, _ISO), False))
    # an offset comes after a time of day: the month of a bare date is none
    offset = fits & _mask(
        pc.fill_null(pc.match_substring_regex(text, r":\d{2}.*" + _OFFSET), False)
    )
    us = np.full(len(text), UNKNOWN)
    for aware in (True, False):
        chosen = fits & (offset == aware)
        if chosen.any():
            part = text if chosen.all() else text.filter(pa.array(chosen))
            us[chosen] = _parsed(_tidy(part, aware=aware), zone, aware=aware)
    return Times(us, empty, offset)


def _tidy(text: pa.ChunkedArray, *, aware: bool) -> pa.ChunkedArray:
    """Return ISO texts in the one way that Arrow reads."""
    text = pc.replace_substring(pc.replace_substring(text, "/", "-"), ",", ".")
    text = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
    if aware:
        text = pc.replace_substring_regex(text, r" ?[zZ]$", "+00:00")
        text = pc.replace_substring_regex(text, r" ?([+-]\d{2}):?(\d{2})$", r"\1:\2")
    return text


def _parsed(text: pa.ChunkedArray, zone: str, *, aware: bool) -> Ints:
    kind = pa.timestamp("us", tz="UTC") if aware else pa.timestamp("us")
    try:
        found = text.cast(kind)
    except pa.ArrowInvalid:  # a date such as 31 February is among them
        return _one_kind(text, zone, aware=aware)
    return _as_us(found if aware else _in_zone(found, zone))


def _one_kind(text: pa.ChunkedArray, zone: str, *, aware: bool) -> Ints:
    """Read times of which some are no dates: with seconds, then the rest."""
    head = pc.utf8_slice_codeunits(text, 0, 19)
    found = None
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M",
                 "%Y-%m-%dT%H:%M", "%Y-%m-%d"):  # fmt: skip
        tried = pc.strptime(head, format=form, unit="us", error_is_null=True)
        found = tried if found is None else pc.coalesce(found, tried)
    us = _as_us(found if aware else _in_zone(found, zone))
    parts = pc.extract_regex(text, r"(?P<f>\.\d+)?(?P<o>[+-]\d{2}:\d{2})?$")
    shift = np.zeros(len(text), np.int64)
    fraction = pc.struct_field(parts, "f").to_numpy(zero_copy_only=False)
    offset = pc.struct_field(parts, "o").to_numpy(zero_copy_only=False)
    shift += np.array([round(float(f or 0) * 1e6) for f in fraction], np.int64)
    shift -= np.array([_offset_us(o) for o in offset], np.int64)
    return np.where(us == UNKNOWN, UNKNOWN, us + shift)


def _offset_us(text: str | None) -> int:
    if not text:
        return 0
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return (-1 if text[0] == "-" else 1) * minutes * 60_000_000


def _by_format(text: pa.ChunkedArray, time_format: str, zone: str) -> Ints:
    found = pc.strptime(text, format=time_format, unit="us", error_is_null=True)
    if "%z" not in time_format:
        found = _in_zone(found, zone)
    return _as_us(found)


def _in_zone(stamps: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    naive = stamps.cast(pa.timestamp("us"))
    return pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="earliest")


def _as_us(stamps: pa.ChunkedArray) -> Ints:
    numbers = pc.fill_null(
        stamps.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()), int(UNKNOWN)
    )
    return np.asarray(numbers.to_numpy(), np.int64).copy()


def _mask(values: pa.ChunkedArray) -> Mask:
    return np.asarray(values.to_numpy(zero_copy_only=False), bool)


def resolution_of(*columns: Ints) -> int:
    """Return what times are rounded to: a minute, a second, a millisecond, or 1 us."""
    for step in _STEPS_US:
        if all((c[c != UNKNOWN] % step == 0).all() for c in columns):
            return step
    return 1
