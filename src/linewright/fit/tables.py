"""From a table with a mapping to a log: pairing, cleaning and sorting, by columns.

Rows of one kind of trouble are counted together and left out. In a table with a row
for each transition (``scheduled``, ``start``, ``complete``) those of one piece of work
are found by its `instance`, or in their order within case and operation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linewright.errors import Finding, ModelError
from linewright.fit.log import (
    ABSENT,
    FAILURE,
    SETUP,
    UNKNOWN,
    WORK,
    EventLog,
    Floats,
    Ints,
    Join,
    Mask,
    Problem,
)
from linewright.fit.mapping import Columns, meaning_of
from linewright.fit.times import read_times, resolution_of
from linewright.units import UNITS_US

__all__ = ["Coded", "Raw", "Source", "log_of_raw", "log_of_table"]

_KINDS = {"work": WORK, "setup": SETUP, "failure": FAILURE}
_STRAY_SHARE = 0.001
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Source:
    """A table as it lies in a file.

    Attributes:
        path: The file.
        table: Its columns.
        columns: What they mean.
        problems: What was wrong with the file itself.
        joins: What is built into what, where it says that.
    """

    path: Path
    table: pa.Table
    columns: Columns
    problems: tuple[Problem, ...] = ()
    joins: tuple[Join, ...] = ()


class Coded(NamedTuple):
    """A column of names: a number for each row, `ABSENT` where there is none."""

    codes: Ints
    names: list[str]


@dataclass(slots=True)
class Raw:
    """Columns as they were read, before anything is left out.

    Attributes:
        path: The file.
        case: Case of each row; likewise the next.
        activity: Operation.
        station: Station; none: it has the operation's name.
        product: Product; none: there is one.
        server: Server; none: not said.
        kind: `WORK`, `SETUP` or `FAILURE`.
        queued_us: Times, `UNKNOWN` where there are none; likewise the next.
        start_us: Start.
        end_us: End.
        row: Row in the file.
        quantity: Pieces.
        zone: Zone of the times.
        problems: What was found so far.
        said: As of `EventLog`.
    """

    path: str
    case: Coded
    activity: Coded
    station: Coded | None
    product: Coded | None
    server: Coded | None
    kind: Ints
    queued_us: Ints
    start_us: Ints
    end_us: Ints
    row: Ints
    quantity: Floats
    zone: str = "UTC"
    problems: list[Problem] = field(default_factory=list)
    said: set[str] = field(default_factory=set)


def coded(column: pa.ChunkedArray) -> Coded:
    """Return a column of names as numbers; empty cells are `ABSENT`."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], column.type)
    indices = pc.fill_null(whole.indices.cast(pa.int64()), ABSENT)
    codes = np.asarray(indices.to_numpy(zero_copy_only=False), np.int64)
    names = [str(name).strip() for name in whole.dictionary.to_pylist()]
    return _merged(codes, names)


def _merged(codes: Ints, names: list[str]) -> Coded:
    """Make names that differ by blanks one, and empty ones none."""
    known: dict[str, int] = {}
    moved = [known.setdefault(n, len(known)) if n else ABSENT for n in names]
    table = np.array([*moved, ABSENT], np.int64)  # the last for ABSENT itself
    return Coded(table[codes], list(known))


def log_of_table(source: Source) -> EventLog:
    """Return the log of a table.

    Raises:
        ModelError: A column holds something else than its mapping says.
    """
    return replace(log_of_raw(_raw(source)), joins=source.joins)


def _raw(source: Source) -> Raw:
    columns, table = source.columns, source.table
    n = len(table)
    words = meaning_of(columns.words)
    named = {key: table[name] for key, name in columns.named().items()}
    names = {key: coded(named[key]) for key in _NAMED if key in named}
    raw = Raw(
        path=str(source.path),
        case=names["case"],
        activity=names["activity"],
        station=names.get("station"),
        product=names.get("product"),
        server=names.get("server"),
        kind=np.full(n, WORK),
        queued_us=np.full(n, UNKNOWN),
        start_us=np.full(n, UNKNOWN),
        end_us=np.full(n, UNKNOWN),
        row=np.arange(1, n + 1),
        quantity=np.full(n, np.nan),
        zone=columns.zone,
        problems=list(source.problems),
        said={key for key in ("server", "product", "queued") if key in named},
    )
    kept = np.ones(n, bool)
    if "kind" in names:
        kept = _kinds(raw, names["kind"], words, columns.kind)
    if "quantity" in named:
        raw.quantity = _numbers(raw, named["quantity"], "quantity")
    if columns.transition:
        instance = coded(named["instance"]) if "instance" in named else None
        times = _times(raw, named["time"], columns, "time")
        moves = np.where(kept, _moves(names["transition"], words, raw), _OTHER)
        return _paired(raw, times, moves, instance)
    for key in ("queued", "start", "end"):
        if key in named:
            setattr(raw, f"{key}_us", _times(raw, named[key], columns, key))
    if "duration" in named and "start" not in named:
        minutes = _numbers(raw, named["duration"], "duration")
        known = np.isfinite(minutes) & (raw.end_us != UNKNOWN)
        long_us = np.where(known, minutes, 0.0) * UNITS_US[columns.duration_unit]
        start_us = raw.end_us - np.round(long_us).astype(np.int64)
        raw.start_us = np.where(known, start_us, UNKNOWN)
    _keep(raw, kept)
    return raw


_NAMED = (
    "case", "activity", "station", "product", "server", "kind", "transition",
)  # fmt: skip


def _examples(raw: Raw, chosen: Mask, what: str = "") -> tuple[tuple[int, str], ...]:
    at = np.flatnonzero(chosen)[:_SHOWN]
    return tuple((int(raw.row[i]), what or _row_text(raw, int(i))) for i in at)


def _row_text(raw: Raw, i: int) -> str:
    def name(of: Coded | None) -> str:
        return "?" if of is None or of.codes[i] < 0 else of.names[of.codes[i]]

    def clock(us: int) -> str:
        if us == UNKNOWN:
            return "?"
        return str(np.datetime64(int(us), "us"))[:19].replace("T", " ")

    place = f" at {name(raw.station)}" if raw.station else ""
    times = f"{clock(raw.start_us[i])} to {clock(raw.end_us[i])}"
    return f"case {name(raw.case)}, {name(raw.activity)}{place}, {times}"


def _note(raw: Raw, kind: str, chosen: Mask, text: str, *, dropped: bool) -> None:
    if n := int(chosen.sum()):
        examples = _examples(raw, chosen)
        raw.problems.append(Problem(kind, n, text, examples, n if dropped else 0))


def _numbers(raw: Raw, column: pa.ChunkedArray, key: str) -> Floats:
    if pa.types.is_string(column.type):
        looks = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
        fits = pc.fill_null(pc.match_substring_regex(column, looks), False)
        wrong = ~np.asarray(fits.to_numpy(zero_copy_only=False), bool)
        text = f"rows whose {key} is no number; it is taken as not said"
        _note(raw, "not_a_number", wrong, text, dropped=False)
        column = pc.utf8_trim_whitespace(pc.if_else(fits, column, None))
    found = pc.cast(column, pa.float64())
    return np.asarray(pc.fill_null(found, np.nan).to_numpy(), np.float64)


def _times(raw: Raw, column: pa.ChunkedArray, columns: Columns, key: str) -> Ints:
    try:
        times = read_times(column, columns.time_format, columns.zone)
    except ValueError as error:
        name = columns.named()[key]
        msg = f'{key}: the column "{name}" {error}'
        raise ModelError([Finding("LW604", msg, file=raw.path)]) from error
    wrong = (times.us == UNKNOWN) & ~times.empty
    if wrong.any():
        samples = [str(column[int(i)]) for i in np.flatnonzero(wrong)[:_SHOWN]]
        rows = [int(i) + 1 for i in np.flatnonzero(wrong)[:_SHOWN]]
        if wrong.sum() > 0.5 * (~times.empty).sum():
            form = columns.time_format or "ISO 8601, such as 2027-01-31 06:00:00"
            msg = f'{key}: "{samples[0]}" is not a time of the form {form}'
            hint = "say time-format=... in --columns, as of strptime: %d.%m.%Y %H:%M"
            raise ModelError(
                [Finding("LW604", msg, "error", raw.path, 2, 1, help=hint)]
            )
        text = f"rows whose {key} cannot be read as a time; they are left out"
        shown = tuple(zip(rows, samples, strict=True))
        raw.problems.append(Problem("unreadable_time", int(wrong.sum()), text, shown))
    read = times.us != UNKNOWN
    if (times.has_offset & read).any() and (~times.has_offset & read).any():
        bare = read & ~times.has_offset
        text = f"rows say their {key} without its zone, others with; it is read as "
        at = np.flatnonzero(bare)[:_SHOWN].tolist()
        shown = tuple((int(raw.row[i]), str(column[i])) for i in at)
        text += columns.zone
        raw.problems.append(Problem("mixed_zones", int(bare.sum()), text, shown))
    return times.us


def _kinds(raw: Raw, words: Coded, meanings: dict[str, str], column: str) -> Mask:
    """Read which rows are work, setups and repairs; say which are to be used.

    Raises:
        ModelError: A word has no meaning.
    """
    kinds, unknown, ignored = [], [], []
    for i, word in enumerate(words.names):
        meaning = meanings.get(word.lower(), "")
        kinds.append(_KINDS.get(meaning, WORK))
        if meaning == "ignore":
            ignored.append(i)
        elif meaning not in _KINDS:
            unknown.append(word)
    if unknown:
        shown = ", ".join(f'"{word}"' for word in unknown[:8])
        msg = f'kind: the column "{column}" has {shown}, of which is not said what '
        msg += "they mean: work, setup, failure or ignore"
        hint = f"say it with --columns ...,work={unknown[0]}"
        raise ModelError([Finding("LW605", msg, file=raw.path, help=hint)])
    raw.kind = np.array([*kinds, WORK])[words.codes]
    present = set(np.unique(raw.kind).tolist())
    raw.said |= {"setup"} if SETUP in present else set()
    raw.said |= {"failure"} if FAILURE in present else set()
    return ~np.isin(words.codes, ignored)


def _keep(raw: Raw, kept: Mask) -> None:
    """Leave rows out of all columns."""
    for key in ("case", "activity", "station", "product", "server"):
        column = getattr(raw, key)
        if column is not None:
            setattr(raw, key, Coded(column.codes[kept], column.names))
    for key in ("kind", "queued_us", "start_us", "end_us", "row", "quantity"):
        setattr(raw, key, getattr(raw, key)[kept])


# ---------------------------------------------------------------- transitions

_QUEUED, _START, _END, _OTHER = range(4)


def _moves(words: Coded, meanings: dict[str, str], raw: Raw) -> Ints:
    of = {"queued": _QUEUED, "start": _START, "end": _END}
    found = [of.get(meanings.get(w.lower(), ""), _OTHER) for w in words.names]
    moves = np.array([*found, _OTHER])[words.codes]
    text = "rows with a transition that is neither queued, start nor end; left out"
    _note(raw, "other_transition", moves == _OTHER, text, dropped=False)
    return moves


def _paired(raw: Raw, times: Ints, moves: Ints, instance: Coded | None) -> Raw:
    """Make one row of those that tell of one piece of work."""
    known = (moves != _OTHER) & (times != UNKNOWN)
    if instance is not None:
        known &= instance.codes >= 0
        key = instance.codes
    else:
        key = _nth(raw, times, moves)
    rows = np.flatnonzero(known)
    first_of, of_group = np.unique(key[rows], return_inverse=True)
    n = len(first_of)
    found = {move: np.full(n, UNKNOWN) for move in (_QUEUED, _START, _END)}
    at = np.zeros(n, np.int64)
    for move in (_END, _QUEUED, _START):  # the row of the start is the one shown
        chosen = moves[rows] == move
        found[move][of_group[chosen]] = times[rows[chosen]]
        at[of_group[chosen]] = rows[chosen]
    text = "rows start a piece of work whose end is missing, or end one that never "
    text += "started; they are left out"
    half = (found[_START] == UNKNOWN) != (found[_END] == UNKNOWN)
    picked = _picked(raw, at)
    picked.queued_us, picked.start_us = found[_QUEUED], found[_START]
    picked.end_us = found[_END]
    _note(picked, "half", half, text, dropped=True)
    queued_only = (found[_START] == UNKNOWN) & (found[_END] == UNKNOWN)
    _keep(picked, ~(half | queued_only))
    if (picked.queued_us != UNKNOWN).any():
        picked.said.add("queued")
    return picked


def _picked(raw: Raw, at: Ints) -> Raw:
    _keep(raw, at)  # type: ignore[arg-type]  # positions choose as a mask does
    return raw


def _nth(raw: Raw, times: Ints, moves: Ints) -> Ints:
    """Number the pieces of work of a case at an operation by the order of each move."""
    n_activities = len(raw.activity.names) + 1
    group = (raw.case.codes + 1) * n_activities + raw.activity.codes + 1
    order = np.lexsort((times, moves, group))
    sorted_key = group[order] * 4 + moves[order]
    new = np.append(True, sorted_key[1:] != sorted_key[:-1])
    begin = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    nth = np.empty(len(order), np.int64)
    nth[order] = np.arange(len(order)) - begin
    return group * (int(nth.max(initial=0)) + 1) + nth


# ---------------------------------------------------------------- cleaning


def log_of_raw(raw: Raw) -> EventLog:
    """Return the log of columns: what cannot be is left out, the rest is sorted.

    Raises:
        ModelError: Nothing is left.
    """
    station = raw.station or raw.activity
    product = raw.product or Coded(np.zeros(len(raw.row), np.int64), [""])
    raw.station, raw.product = station, product
    missing = (raw.case.codes < 0) & (raw.kind != FAILURE)
    missing |= (raw.activity.codes < 0) & (raw.kind != FAILURE)
    missing |= (raw.start_us == UNKNOWN) | (raw.end_us == UNKNOWN)
    text = "rows lack their case, operation, start or end; they are left out"
    _drop(raw, "missing", missing, text)
    text = "rows have no station; they are left out"
    _drop(raw, "no_station", raw.station.codes < 0, text)
    text = "rows end before they start; they are left out"
    _drop(raw, "time_travel", raw.end_us < raw.start_us, text)
    late = (raw.queued_us != UNKNOWN) & (raw.queued_us > raw.start_us)
    text = "rows come to their station after they start there; when is not used"
    _note(raw, "queued_late", late, text, dropped=False)
    raw.queued_us = np.where(late, UNKNOWN, raw.queued_us)
    text = "rows lie far from all others in time; they are left out"
    _drop(raw, "stray_time", _strays(raw), text)
    text = "rows are there already, the same in every column used; they are left out"
    _drop(raw, "duplicate", _repeats(raw), text)
    if not len(raw.row):
        shown = "\n  ".join(map(str, raw.problems))
        msg = f"no row can be used:\n  {shown}"
        raise ModelError([Finding("LW606", msg, file=raw.path)])
    return _sorted(raw)


def _drop(raw: Raw, kind: str, wrong: Mask, text: str) -> None:
    _note(raw, kind, wrong, text, dropped=True)
    if wrong.any():
        _keep(raw, ~wrong)


def _strays(raw: Raw) -> Mask:
    """Find times such as 1970 or 2099: few, and farther off than the log is long."""
    n = len(raw.row)
    if n < 20:
        return np.zeros(n, bool)
    share = max(_STRAY_SHARE, 1.5 / n)
    inner = np.quantile(raw.start_us, [share, 1 - share])
    reach = max(float(inner[1] - inner[0]), 86.4e9)
    middle = inner.mean()
    times = (raw.start_us, raw.end_us)
    far: Mask = np.any([np.abs(t - middle) > 1.5 * reach for t in times], axis=0)
    return far


def _repeats(raw: Raw) -> Mask:
    assert raw.station is not None
    columns = [
        raw.case.codes, raw.activity.codes, raw.station.codes, raw.kind, raw.start_us,
        raw.end_us,
    ]  # fmt: skip
    columns += [raw.server.codes] if raw.server else []
    order = np.lexsort(columns)
    same = np.ones(max(len(order) - 1, 0), bool)
    for column in columns:
        same &= column[order][1:] == column[order][:-1]
    found = np.zeros(len(order), bool)
    found[order[1:]] = same
    return found


def _sorted(raw: Raw) -> EventLog:
    assert raw.station is not None
    assert raw.product is not None
    order = np.lexsort((raw.end_us, raw.start_us, raw.case.codes))
    _keep(raw, order)  # type: ignore[arg-type]
    _overlaps(raw)
    used, case = np.unique(raw.case.codes, return_inverse=True)
    names = ["" if i < 0 else raw.case.names[i] for i in used.tolist()]
    first = np.searchsorted(case, np.arange(len(used)))
    case_product = np.maximum(raw.product.codes[first], 0)
    mixed = (raw.product.codes != case_product[case]) & (raw.kind != FAILURE)
    text = "rows name another product than the first row of their case; that one counts"
    _note(raw, "two_products", mixed, text, dropped=False)
    server = np.full(len(case), ABSENT)
    if raw.server is not None:
        server = _servers(raw.station.codes, raw.server.codes)
    times = (raw.start_us, raw.end_us)
    return EventLog(
        source=raw.path,
        cases=names,
        activities=tuple(raw.activity.names),
        stations=tuple(raw.station.names),
        products=tuple(raw.product.names) or ("",),
        case=case.astype(np.int64),
        activity=raw.activity.codes,
        station=raw.station.codes,
        server=server,
        kind=raw.kind,
        queued_us=raw.queued_us,
        start_us=raw.start_us,
        end_us=raw.end_us,
        work_us=np.full(len(case), UNKNOWN),
        row=raw.row,
        quantity=raw.quantity,
        case_product=case_product,
        case_fate=np.full(len(used), ABSENT),
        case_arrival_us=np.full(len(used), UNKNOWN),
        zone=raw.zone,
        begin_us=int(min(raw.start_us.min(), _first(raw.queued_us))),
        close_us=int(raw.end_us.max()),
        resolution_us=resolution_of(*times),
        problems=tuple(raw.problems),
        said=frozenset(raw.said),
    )


def _first(times: Ints) -> int:
    known = times[times != UNKNOWN]
    return int(known.min()) if len(known) else int(np.iinfo(np.int64).max)


def _servers(station: Ints, server: Ints) -> Ints:
    """Number servers within their station."""
    pairs = np.stack([station, server], axis=1)
    known, at = np.unique(pairs, axis=0, return_inverse=True)
    first = np.searchsorted(known[:, 0], known[:, 0])
    numbers = np.arange(len(known)) - first
    return np.where(server < 0, ABSENT, numbers[at.ravel()])


def _overlaps(raw: Raw) -> None:
    """Tell of cases that were worked on in two places at once; nothing is changed."""
    if len(raw.row) < 2:
        return
    real = raw.kind != FAILURE
    same = (raw.case.codes[1:] == raw.case.codes[:-1]) & real[1:] & real[:-1]
    minute = 60_000_000
    early = np.append(False, same & (raw.start_us[1:] < raw.end_us[:-1] - minute))
    text = "rows start while the row before of the same case goes on, by more than a "
    text += "minute; both are used"
    _note(raw, "overlap", early, text, dropped=False)
