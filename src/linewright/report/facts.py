"""A result as the sections read it: arrays by station, estimates by name, local times.

The only module of the brief that knows how the result tables are laid out. It fills
gaps instead of failing: an estimate that is not there is not a number, a table that is
not there is empty, so that every section can decide what it is still able to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from linewright.model.line import Line
from linewright.report.palette import OFF, STATES
from linewright.stats.intervals import Interval, mean_interval

if TYPE_CHECKING:
    from linewright.fit.writing import Evidence
    from linewright.improve.decisions import Decision
    from linewright.improve.files import BottleneckFile, ImprovementFile, LossesFile
    from linewright.plan.outcome import Plan
    from linewright.report.gantt.scene import Schedule

__all__ = [
    "NOTHING_FOUND",
    "Estimate",
    "Facts",
    "Floats",
    "Found",
    "Series",
    "Source",
    "estimate",
    "stamp_of",
]

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]


class Source(Protocol):
    """What the brief needs of a result."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Return what was run: model, seed, versions, horizon, warm-up."""

    @property
    def line(self) -> Line:
        """Return the line that was run."""

    @property
    def tables(self) -> Mapping[str, Any]:
        """Return the result tables (Arrow) by name."""


@dataclass(frozen=True, slots=True)
class Found:
    """What other verbs found about the same line.

    Attributes:
        bottleneck: What holds it back, and the worth of its times.
        improvement: The best set of options for a budget.
        decisions: What was ratified, and what came of it.
        plan: Whether its targets will be met.
        losses: Where units are lost.
        model: The model file, as a reader would type it.
        proposal: Where the improvement lies, as a reader would type it.
        inputs: What its inputs rest on, if it was fitted to records.
        schedule: Which order is done where and when.
    """

    bottleneck: BottleneckFile | None = None
    improvement: ImprovementFile | None = None
    decisions: tuple[Decision, ...] = ()
    plan: Plan | None = None
    losses: LossesFile | None = None
    model: str = "MODEL"
    proposal: str = "PROPOSAL"
    inputs: Evidence | None = None
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over all runs with its confidence interval; NaN where unknown."""

    mean: float = math.nan
    half: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    unit: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return math.isfinite(self.mean)

    @property
    def sure(self) -> bool:
        """Whether there is an interval; one short run has none."""
        return math.isfinite(self.half)


@dataclass(frozen=True, slots=True)
class Series:
    """One measure over time: a row for each replication, a column for each period."""

    start_us: NDArray[np.int64]
    end_us: NDArray[np.int64]
    values: Floats


def stamp_of(model_hash: object, seed: object, version: object) -> str:
    """Return where figures come from, as it stands below every picture."""
    return f"model {str(model_hash)[:12]}, seed {seed}, linewright {version}"


def estimate(samples: Floats, confidence: float) -> Estimate:
    """Return the mean of a value for each replication, with its interval."""
    known = samples[np.isfinite(samples)]
    if not known.size:
        return Estimate()
    return _from_interval(mean_interval(known, confidence))


def _from_interval(found: Interval) -> Estimate:
    return Estimate(
        _number(found.mean),
        _number(found.half_width),
        _number(found.low),
        _number(found.high),
        found.n,
    )


def _number(value: Any) -> float:
    """Return a number; what is missing or unbounded is not one."""
    return math.nan if value is None or math.isinf(value) else float(value)


def _arrays(table: Any) -> Columns:
    """Return the columns of an Arrow table as arrays, text as objects."""
    if table.num_rows == 0:
        return {}
    found = {}
    for name in table.column_names:
        values = table.column(name).to_pylist()
        text = isinstance(values[0], str)
        found[name] = np.array(values, dtype=object if text else None)
    return found


NOTHING_FOUND = Found()


class Facts:
    """Everything the sections say, read from one result."""

    def __init__(self, source: Source, found: Found = NOTHING_FOUND) -> None:
        self.found = found
        self.manifest = source.manifest
        self.line = source.line
        self._tables = source.tables
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._columns: dict[str, Columns] = {}
        self.confidence = float(self.manifest.get("confidence") or 0.95)
        self.n_replications = int(self.manifest.get("replications") or 1)

    # ------------------------------------------------------------ tables

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return a small table as a list of rows."""
        if table not in self._rows:
            found = self._tables.get(table)
            self._rows[table] = [] if found is None else list(found.to_pylist())
        return self._rows[table]

    def columns(self, table: str) -> Columns:
        """Return a table as one array for each column; an empty table has none."""
        if table not in self._columns:
            found = self._tables.get(table)
            self._columns[table] = _arrays(found) if found is not None else {}
        return self._columns[table]

    @cached_property
    def _estimates(self) -> dict[tuple[str, str], Estimate]:
        found = {}
        for row in self.rows("summary"):
            found[row["measure"], row["entity"] or ""] = Estimate(
                _number(row["mean"]),
                _number(row["half_width"]),
                _number(row["low"]),
                _number(row["high"]),
                int(row["n"] or 0),
                row["unit"] or "",
            )
        return found

    def estimate(self, measure: str, entity: str = "") -> Estimate:
        """Return a measure of the summary; all NaN if it is not there."""
        return self._estimates.get((measure, entity), Estimate())

    def per_replication(self, table: str, key: str, column: str) -> dict[str, Floats]:
        """Return the values of a column, one for each replication, by entity."""
        columns = self.columns(table)
        if not columns:
            return {}
        found: dict[str, list[tuple[int, float]]] = {}
        for entity, replication, value in zip(
            columns[key], columns["replication"], columns[column], strict=True
        ):
            found.setdefault(str(entity), []).append((replication, _number(value)))
        return {
            entity: np.array([value for _, value in sorted(pairs)])
            for entity, pairs in found.items()
        }

    def mean(self, table: str, key: str, column: str) -> dict[str, float]:
        """Return the mean of a column over replications, by entity."""
        return {
            entity: float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
            for entity, values in self.per_replication(table, key, column).items()
        }

    def sums(
        self, table: str, keys: tuple[str, ...], column: str
    ) -> dict[tuple[str, ...], Floats]:
        """Return the sums of a column, one for each replication, by some keys."""
        columns = self.columns(table)
        if not columns:
            return {}
        numbers, rows = np.unique(columns["replication"], return_inverse=True)
        names = zip(*(columns[key] for key in keys), strict=True)
        found: dict[tuple[str, ...], Floats] = {}
        for key, row, value in zip(names, rows, columns[column], strict=True):
            found.setdefault(key, np.zeros(numbers.size))[row] += value
        return found

    # ------------------------------------------------------------ stations

    @cached_property
    def stations(self) -> tuple[str, ...]:
        """Return the stations that have results, in the order of the model file."""
        seen = set(map(str, self.columns("stations").get("station", np.array([]))))
        return tuple(name for name in self.line.stations if name in seen)

    @cached_property
    def times_us(self) -> Floats:
        """Return server-time in each state: replication, station, state (`STATES`)."""
        columns = self.columns("stations")
        if not columns:
            return np.zeros((0, 0, len(STATES)))
        place = {name: k for k, name in enumerate(self.stations)}
        replications = {r: i for i, r in enumerate(sorted(set(columns["replication"])))}
        out = np.zeros((len(replications), len(place), len(STATES)))
        rows = [replications[r] for r in columns["replication"]]
        cols = [place[str(name)] for name in columns["station"]]
        for s, state in enumerate(STATES):
            out[rows, cols, s] = columns[state.key]
        return out

    @cached_property
    def clock_shares(self) -> Floats:
        """Return the share of the whole clock in each state: station, state."""
        total = self.times_us.sum(axis=0)
        whole = total.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(total, whole, where=whole > 0, out=total * 0))

    @cached_property
    def shift_shares_by_replication(self) -> Floats:
        """Return shares of the time on shift: replication, station, state."""
        times = self.times_us.copy()
        for s, state in enumerate(STATES):
            if state.key in OFF:
                times[:, :, s] = 0
        whole = times.sum(axis=2, keepdims=True)
        return np.asarray(np.divide(times, whole, where=whole > 0, out=times * 0))

    @cached_property
    def shift_shares(self) -> Floats:
        """Return the share of the time on shift in each state: station, state."""
        shares = self.shift_shares_by_replication
        return np.asarray(shares.mean(axis=0) if shares.size else shares.sum(axis=0))

    def shift_share(self, station: str, states: Sequence[str]) -> Estimate:
        """Return the share of on-shift time that a station is in any of the states."""
        if station not in self.stations or not self.times_us.size:
            return Estimate()
        picked = [s for s, state in enumerate(STATES) if state.key in states]
        k = self.stations.index(station)
        samples = self.shift_shares_by_replication[:, k, picked].sum(axis=1)
        return estimate(samples, self.confidence)

    def utilization(self, station: str) -> Estimate:
        """Return processing time over time on shift."""
        found = self.estimate("utilization", station)
        return found if found.known else self.shift_share(station, ["processing"])

    # ------------------------------------------------------------ time

    @cached_property
    def _series(self) -> dict[tuple[str, str], Series]:
        columns = self.columns("periods")
        if not columns:
            return {}
        groups: dict[tuple[str, str], list[int]] = {}
        for i, key in enumerate(
            zip(columns["measure"], columns["entity"], strict=True)
        ):
            groups.setdefault((str(key[0]), str(key[1])), []).append(i)
        return {key: _series(columns, rows) for key, rows in groups.items()}

    def series(self, measure: str, entity: str = "") -> Series | None:
        """Return a measure over time, or nothing."""
        return self._series.get((measure, entity))

    @cached_property
    def start(self) -> datetime:
        """Return the local time of tick 0."""
        try:
            start = datetime.fromisoformat(str(self.manifest.get("start")))
        except ValueError:
            start = self.line.start
        try:
            zone = ZoneInfo(str(self.manifest.get("time_zone") or "UTC"))
        except (KeyError, ValueError, OSError):
            return start.replace(tzinfo=UTC)
        return start.replace(tzinfo=zone)

    def local(self, us: float) -> datetime:
        """Return the wall-clock time of the line at a tick."""
        ticks = timedelta(microseconds=int(us))
        return (self.start.astimezone(UTC) + ticks).astimezone(self.start.tzinfo)

    def tick_us(self, local: datetime) -> float:
        """Return the tick of a wall-clock time of the line."""
        return (local.astimezone(UTC) - self.start.astimezone(UTC)) / timedelta(
            microseconds=1
        )

    @property
    def horizon_us(self) -> int:
        """Return the simulated time."""
        return int(self.manifest.get("horizon_us") or 0)

    @property
    def warmup_us(self) -> int:
        """Return the time left out of the statistics."""
        return int(self.manifest.get("warmup_us") or 0)

    @property
    def stamp(self) -> str:
        """Return where a figure comes from: model hash, seed, version."""
        m = self.manifest
        keys = ("model_hash", "seed", "linewright_version")
        return stamp_of(*(m.get(key, "") for key in keys))


def _series(columns: Columns, rows: list[int]) -> Series:
    replications, row = np.unique(columns["replication"][rows], return_inverse=True)
    periods, col = np.unique(columns["period"][rows], return_inverse=True)
    values = np.full((replications.size, periods.size), np.nan)
    values[row, col] = columns["value"][rows].astype(float)
    start = np.zeros(periods.size, np.int64)
    end = np.zeros(periods.size, np.int64)
    start[col] = columns["start_us"][rows]
    end[col] = columns["end_us"][rows]
    return Series(start, end, values)
