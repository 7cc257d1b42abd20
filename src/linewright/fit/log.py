"""An event log as columns: which case was worked on where, as what, from when to when.

One `EventLog` whatever the file was: CSV, Parquet, XES, OCEL, a trace of a simulation
or the journal of a running line. A row is one piece of work, a setup or a repair, with
its start and its end. Names are numbers into lists; times are whole microseconds since
1970 in UTC; what a log does not say is `UNKNOWN`. There is no loop over events here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "ABSENT",
    "FAILURE",
    "FINISHED",
    "OPEN",
    "SCRAPPED",
    "SETUP",
    "UNKNOWN",
    "WORK",
    "EventLog",
    "Floats",
    "Ints",
    "Join",
    "Mask",
    "Problem",
    "spans_between",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

UNKNOWN = np.iinfo(np.int64).min
"""A time that the log does not say."""

ABSENT = -1
"""The number of a name that the log does not say."""

WORK, SETUP, FAILURE = 0, 1, 2
OPEN, FINISHED, SCRAPPED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of thing that is wrong with a log.

    Attributes:
        kind: A word for it: ``missing``, ``duplicate``, ``time_travel``, ``overlap``…
        count: How many rows, or cases, have it.
        text: What it is and what is done about it, in one sentence.
        examples: Some of them: row of the file, from 1 after the header, and what
            stands there.
        rows_dropped: Rows that are left out because of it.
    """

    kind: str
    count: int
    text: str
    examples: tuple[tuple[int, str], ...] = ()
    rows_dropped: int = 0

    def __str__(self) -> str:
        """Return the problem with its examples, for a person."""
        shown = [f"row {row}: {what}" for row, what in self.examples]
        return "\n    ".join([f"{self.kind} ({self.count:,}): {self.text}", *shown])


@dataclass(frozen=True, slots=True)
class Join:
    """An operation at which some units are built into another.

    Attributes:
        whole: Product that goes on.
        operation: Where.
        component: Product that is built in.
        quantity: How many, most often.
        n: How often it was seen.
        share: Share of these with that quantity.
    """

    whole: str
    operation: str
    component: str
    quantity: int
    n: int
    share: float


@dataclass(frozen=True, slots=True)
class EventLog:
    """An event log; all row arrays have the same length, sorted by case and start.

    Attributes:
        source: File it was read from.
        cases: Name of each case.
        activities: Names of operations.
        stations: Names of stations.
        products: Names of products; one that is empty where the log says none.
        case: Case of each row.
        activity: Operation of each row, or `ABSENT` for a repair.
        station: Station of each row.
        server: Server of the station, from 0, or `ABSENT`.
        kind: `WORK`, `SETUP` or `FAILURE`.
        queued_us: When the case came to the station, or `UNKNOWN`.
        start_us: When it began.
        end_us: When it ended.
        work_us: Time that was work in between, or `UNKNOWN`: what lies between start
            and end, less what the calendar has off.
        row: Row of the file, from 1 after the header.
        quantity: Pieces, or nan.
        case_product: Product of each case.
        case_fate: `OPEN`, `FINISHED` or `SCRAPPED`, or `ABSENT` where it is not said.
        case_arrival_us: When each case came to the line, or `UNKNOWN`.
        zone: Time zone in which people read these times.
        begin_us: From when on the log tells of the line.
        close_us: Until when.
        resolution_us: What times are rounded to.
        problems: What was wrong with it.
        joins: What is built into what.
        said: Things that a reader of the file knows: ``server``, ``setup``,
            ``failure``, ``queued``, ``product``, ``fate``, ``arrival``, ``work``.
    """

    source: str
    cases: Sequence[str]
    activities: tuple[str, ...]
    stations: tuple[str, ...]
    products: tuple[str, ...]
    case: Ints
    activity: Ints
    station: Ints
    server: Ints
    kind: Ints
    queued_us: Ints
    start_us: Ints
    end_us: Ints
    work_us: Ints
    row: Ints
    quantity: Floats
    case_product: Ints
    case_fate: Ints
    case_arrival_us: Ints
    zone: str = "UTC"
    begin_us: int = 0
    close_us: int = 0
    resolution_us: int = 1
    problems: tuple[Problem, ...] = ()
    joins: tuple[Join, ...] = ()
    said: frozenset[str] = field(default_factory=frozenset)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.case)

    def of_kind(self, kind: int) -> EventLog:
        """Return the rows of one kind; cases stay as they are numbered."""
        return self.rows(self.kind == kind)

    def rows(self, chosen: Mask | Ints) -> EventLog:
        """Return some of the rows, with all names."""
        columns: dict[str, Any] = {
            name: getattr(self, name)[chosen] for name in _ROW_COLUMNS
        }
        return replace(self, **columns)

    def window(self, begin_us: int, close_us: int) -> EventLog:
        """Return the rows that start in a span of time."""
        inside = (self.start_us >= begin_us) & (self.start_us < close_us)
        return replace(self.rows(inside), begin_us=begin_us, close_us=close_us)


_ROW_COLUMNS = (
    "case", "activity", "station", "server", "kind", "queued_us", "start_us", "end_us",
    "work_us", "row", "quantity",
)  # fmt: skip
assert set(_ROW_COLUMNS) < {f.name for f in fields(EventLog)}


def spans_between(codes: Ints, n_groups: int) -> list[Ints]:
    """Return the positions of each group of equal codes, in their order.

    Args:
        codes: A number from 0 for each position; others are left out.
        n_groups: How many groups there are.
    """
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(n_groups + 1))
    return [order[edges[i] : edges[i + 1]] for i in range(n_groups)]
