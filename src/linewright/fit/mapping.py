"""Which column of a log means what: read from a text or a file, checked with names.

``case=order_id,activity=step,start=begin,end=finish`` says it on the command line; a
YAML file with the same keys says it for good. A column that the log does not have is
an error that names the nearest one that it has.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from linewright.errors import Finding, ModelError
from linewright.model.explain import did_you_mean, listed
from linewright.model.load import parse_file
from linewright.model.source import Node
from linewright.units import UNITS_US

__all__ = [
    "COLUMN_KEYS",
    "Columns",
    "check_columns",
    "guessed_columns",
    "meaning_of",
    "read_columns",
]


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of a log, and how to read what stands in them.

    Attributes:
        case: The order, lot or unit.
        activity: The operation.
        station: Where; the operation's name where there is no such column.
        product: What is made.
        start: When it began.
        end: When it ended.
        time: When a row with a `transition` happened.
        transition: What happened: a row for the start and one for the end.
        instance: Number that rows of one piece of work share.
        queued: When the case came to the station.
        duration: How long it took, in `duration_unit`, where there is no `start`.
        quantity: Pieces.
        kind: Whether it was work, setup or a repair.
        server: Which server of the station.
        words: Words of `kind` and `transition` and what they mean, as ``D: work``.
        time_format: As of `strptime`; ISO 8601 by default.
        zone: Time zone of times without one.
        duration_unit: Unit of `duration`.
        delimiter: Character between cells; found out by default.
        encoding: Of the file's text.
    """

    case: str = ""
    activity: str = ""
    station: str = ""
    product: str = ""
    start: str = ""
    end: str = ""
    time: str = ""
    transition: str = ""
    instance: str = ""
    queued: str = ""
    duration: str = ""
    quantity: str = ""
    kind: str = ""
    server: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    time_format: str = ""
    zone: str = "UTC"
    duration_unit: str = "min"
    delimiter: str = ""
    encoding: str = "utf8"

    def named(self) -> dict[str, str]:
        """Return the columns that are asked for, by what they mean."""
        return {key: getattr(self, key) for key in COLUMN_KEYS if getattr(self, key)}


COLUMN_KEYS = (
    "case", "activity", "station", "product", "start", "end", "time", "transition",
    "instance", "queued", "duration", "quantity", "kind", "server",
)  # fmt: skip
_MEANINGS = ("work", "setup", "failure", "queued", "start", "end", "ignore")
_USUAL_WORDS = {
    "work": "work", "setup": "setup", "failure": "failure", "repair": "failure",
    "schedule": "queued", "scheduled": "queued", "enabled": "queued",
    "start": "start", "started": "start", "complete": "end", "completed": "end",
    "end": "end",
}  # fmt: skip
_USUAL_COLUMNS = {
    "case": ("case", "case_id", "case id", "case:concept:name", "order", "order_id"),
    "activity": ("activity", "operation", "concept:name", "step"),
    "station": ("station", "machine", "resource", "org:resource", "workcenter"),
    "product": ("product", "part", "item", "material"),
    "start": ("start", "start_timestamp", "start_time", "begin", "started"),
    "end": ("end", "end_timestamp", "end_time", "finish", "finished", "completed"),
    "queued": ("queued", "enabled_timestamp", "arrived"),
    "time": ("time:timestamp", "timestamp", "time"),
    "transition": ("lifecycle:transition",),
    "instance": ("concept:instance", "event_id"),
    "quantity": ("quantity", "qty", "pieces"),
}


def read_columns(text: str) -> Columns:
    """Return a mapping from ``key=column,key=column``, or from a YAML file.

    Raises:
        ModelError: A key is unknown, given twice, or has a value that cannot be.
        OSError: The file cannot be read.
    """
    if "=" in text:
        return _checked(_pairs(text), "--columns")
    if not Path(text).is_file():
        msg = f'"{text}" is neither a mapping nor a file of one'
        hint = "write it like case=order_id,activity=step,start=begin,end=finish"
        raise ModelError([Finding("LW600", msg, file="--columns", help=hint)])
    node, findings = parse_file(Path(text))
    if findings:
        raise ModelError(findings)
    said = _plain(node)
    if not isinstance(said, dict):
        msg = "a mapping of columns is a list of keys such as `case: order_id`"
        raise ModelError([Finding("LW600", msg, file=text)])
    words = said.pop("words", {})
    if not isinstance(words, dict):
        msg = "words is a mapping such as {D: work, S: setup}"
        raise ModelError([Finding("LW600", msg, file=text)])
    flat = {str(key): str(value) for key, value in said.items()}
    return _checked({**flat, **{f"word.{a}": str(b) for a, b in words.items()}}, text)


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(below) for key, below in node.value.items()}
    return node.value


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    findings = []
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not value:
            msg = f'"{part}" maps nothing; write it like case=order_id'
            findings.append(Finding("LW600", msg, file="--columns"))
        elif key in found:
            msg = f"{key} is given twice"
            findings.append(Finding("LW600", msg, file="--columns"))
        else:
            found[key] = value
    if findings:
        raise ModelError(findings)
    return found


def _checked(said: Mapping[str, str], file: str) -> Columns:
    settings = [f.name.replace("_", "-") for f in fields(Columns) if f.name != "words"]
    findings, values, words = [], {}, {}
    for raw, value in said.items():
        key = raw.replace("_", "-")
        if raw.startswith("word."):
            words[raw.removeprefix("word.")] = value
        elif key in settings:
            values[key.replace("-", "_")] = value
        elif key in _MEANINGS:  # `setup=S|Ruesten` on the command line
            words |= dict.fromkeys(value.split("|"), key)
        else:
            allowed = [*settings, *_MEANINGS]
            msg = f'"{raw}" is no key of a mapping; allowed are {listed(allowed)}'
            hint = did_you_mean(key, allowed)
            findings.append(Finding("LW600", msg, file=file, help=hint))
    findings += _bad_values(values, words, file)
    if findings:
        raise ModelError(findings)
    return Columns(**values, words=words)


def _bad_values(
    values: Mapping[str, str], words: Mapping[str, str], file: str
) -> list[Finding]:
    found = []
    unit = values.get("duration_unit", "min")
    if unit not in UNITS_US:
        msg = f'duration-unit: found "{unit}"; allowed are {listed(list(UNITS_US))}'
        found.append(Finding("LW600", msg, file=file))
    zone = values.get("zone", "UTC")
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        hint = did_you_mean(zone, zoneinfo.available_timezones())
        msg = f'zone: "{zone}" is not a time zone such as Europe/Vienna'
        found.append(Finding("LW600", msg, file=file, help=hint))
    for word, meaning in words.items():
        if meaning not in _MEANINGS:
            msg = f'words: "{word}" means "{meaning}"; allowed are {listed(_MEANINGS)}'
            hint = did_you_mean(meaning, _MEANINGS)
            found.append(Finding("LW600", msg, file=file, help=hint))
    return found


def guessed_columns(there: Collection[str]) -> Columns:
    """Return a mapping by the usual names of columns; what has none stays empty."""
    by_lower = {name.lower(): name for name in there}
    found: dict[str, str] = {}
    for key, names in _USUAL_COLUMNS.items():
        column = next((by_lower[n] for n in names if n in by_lower), "")
        if column and column not in found.values():
            found[key] = column
    if "transition" not in found:
        found.pop("time", None)
        found.pop("instance", None)
    else:
        for key in ("start", "end", "queued"):
            found.pop(key, None)
    return Columns(**found)  # type: ignore[arg-type]


def meaning_of(words: Mapping[str, str]) -> dict[str, str]:
    """Return what each word means, in small letters, with the usual ones."""
    return _USUAL_WORDS | {word.lower(): meaning for word, meaning in words.items()}


def check_columns(columns: Columns, there: Collection[str], file: str) -> None:
    """Raise with all that a log lacks of a mapping.

    Raises:
        ModelError: A column is not there, or one that is needed is not mapped.
    """
    findings: list[Finding] = []
    shown = listed(list(there))
    for key, name in columns.named().items():
        if name not in there:
            msg = f'{key}: there is no column "{name}"; there are {shown}'
            hint = did_you_mean(name, there)
            findings.append(Finding("LW601", msg, file=file, help=hint))
    need: dict[str, Any] = {"case": columns.case, "activity": columns.activity}
    if columns.transition:
        need["time"] = columns.time
    else:
        need["end"] = columns.end
        need["start (or duration)"] = columns.start or columns.duration
    for key, name in need.items():
        if not name:
            word = key.split()[0]
            msg = f"no column is said to be the {key}; there are {shown}"
            hint = f"say it with --columns {word}=COLUMN"
            if word == "start":
                hint += "; without it work cannot be told from waiting"
            findings.append(Finding("LW602", msg, file=file, help=hint))
    if findings:
        raise ModelError(findings)
