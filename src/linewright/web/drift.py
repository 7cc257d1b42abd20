"""Whether the line is still that of its model, looked at beside the page.

``python -m linewright.web.drift`` is a process of its own, so that nothing that it does
holds up the page. It reads from standard input which journal to look at, then a line
for each look that is wanted, and answers in lines of JSON; when its input ends, so does
it. What it keeps is the last rows of the journal, however long that is, and the last
proposal. It writes nothing.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from linewright import tables as t
from linewright.control.openings import laid_out
from linewright.control.reading import open_reader
from linewright.errors import LinewrightError, ModelError
from linewright.fit.drifting import (
    DRIFTS,
    GOAL_RUNS,
    Drift,
    Effect,
    changes_of,
    effect_of,
    find_drift,
    proposal_of,
)
from linewright.fit.log import FAILURE, UNKNOWN, EventLog
from linewright.fit.traced import log_of_trace
from linewright.improve.changes import as_overlay
from linewright.model.line import Line
from linewright.stats.intervals import wilson_interval
from linewright.traces import event_log

__all__ = ["Look", "Window", "main"]

MOST_ROWS = 200_000
"""Rows of a journal that are looked at: some 20 MB."""

_MOST_RECORDS = 100_000  # from so far back a journal is read at the start
_AT_ONCE = 20_000
_ALARM, _MARGIN = 0.01, 0.05
_REPLICATIONS = 10
_MOVED = 0.02  # a proposal whose mean has moved by more is made anew
_GROWN = 1.5  # or that rests on so many times as many times


class Window:
    """The last rows of a journal.

    Args:
        place: The journal, a file or an address.

    Attributes:
        line: The line, as the journal has it.
        since_us: Time before which rows are not known any more, microseconds from the
            line's start; 0 if they are all there.

    Raises:
        JournalError: There is no such journal.
    """

    def __init__(self, place: str) -> None:
        self._reader = open_reader(place)
        self.line = Line.model_validate(self._reader.opening.model)
        self._lowered = laid_out(
            self.line, self.line.study.horizon, follows=self._reader.opening.follows
        )
        self._seq = max(self._reader.next_seq - _MOST_RECORDS, 0)
        self._is_cut = self._seq > 0
        self._rows = np.zeros((0, len(t.TRACE_COLUMNS)), np.int64)
        self.since_us = 0

    def close(self) -> None:
        """Close the journal."""
        self._reader.close()

    def read(self) -> None:
        """Take what was written since, and forget what is too long ago.

        Raises:
            JournalError: The journal was changed, or does not answer.
        """
        new: list[tuple[int, ...]] = []
        for stored in self._reader.read(self._seq):
            new += [(stored.record.at_us, *row) for row in stored.record.rows]
            self._seq = stored.seq + 1
            if len(new) >= _AT_ONCE:
                self._keep(new)
                new = []
        self._keep(new)

    def _keep(self, new: list[tuple[int, ...]]) -> None:
        if not new:
            return
        rows = np.concatenate([self._rows, np.array(new, np.int64)])
        if len(rows) > MOST_ROWS:
            self._is_cut = True
        self._rows = rows[-MOST_ROWS:]
        if self._is_cut:
            self.since_us = int(self._rows[0, 0])

    def log(self) -> EventLog | None:
        """Return what the rows tell; none if no part was worked on yet."""
        if not len(self._rows):
            return None
        table = event_log(self._lowered, self._rows)
        try:
            log = log_of_trace(
                table, self._reader.name, self.line.start, self.line.time_zone
            )
        except ModelError:  # the only thing that can be wrong with a trace
            return None
        return _without_first_failures(log) if self._is_cut else log


def _without_first_failures(log: EventLog) -> EventLog:
    """Leave out the first failure of each server: since when it ran is not known."""
    rows = np.flatnonzero(log.kind == FAILURE)
    rows = rows[np.argsort(log.start_us[rows], kind="stable")]
    places = np.stack([log.station[rows], log.server[rows]], axis=1)
    _, first = np.unique(places, axis=0, return_index=True)
    kept = np.ones(len(log), bool)
    kept[rows[first]] = False
    return log.rows(kept)


class Look:
    """Looks at a window, one after the other.

    Args:
        window: The rows.
        n_fitted: How many times the inputs of a station rest on, by its name.
    """

    def __init__(self, window: Window, n_fitted: dict[str, int]) -> None:
        self._window, self._n_fitted = window, n_fitted
        self._made_of: dict[str, tuple[float, int]] = {}
        self._proposal: dict[str, Any] | None = None

    def answers(self) -> Iterator[dict[str, Any]]:
        """Yield what is found: at once, and again when its effect was simulated.

        Each has ``inputs`` (one for each input that the journal has times of),
        ``proposal`` (or none), ``since`` (before which nothing is known), ``more``
        (whether another answer follows) and ``problem``.
        """
        self._window.read()
        line, log = self._window.line, self._window.log()
        found: list[Drift] = []
        if log is not None:
            found = find_drift(
                line,
                log,
                alarm=_ALARM,
                margin=_MARGIN,
                n_fitted=lambda station: self._n_fitted.get(station, 0),
                is_watched=True,
            )
        drifting = [one for one in found if one.verdict == DRIFTS]
        is_old = self._is_old(drifting)
        if not drifting:
            self._proposal, self._made_of = None, {}
        elif is_old:
            self._proposal = None
        told = {
            "inputs": [self._input(one) for one in found],
            "since": self._since(),
            "problem": "",
        }
        more = bool(drifting) and is_old
        yield told | {"proposal": self._proposal, "more": more}
        if more:
            self._proposal = self._proposed(found)
            self._made_of = _sizes(drifting)
            yield told | {"proposal": self._proposal, "more": False}

    def _is_old(self, drifting: list[Drift]) -> bool:
        """Say whether what drifts is no longer what was proposed."""
        now = _sizes(drifting)
        if now.keys() != self._made_of.keys():
            return True
        pairs = [(now[key], self._made_of[key]) for key in now]
        return any(
            abs(mean - old_mean) > _MOVED * old_mean or n > _GROWN * old_n
            for (mean, n), (old_mean, old_n) in pairs
        )

    def _since(self) -> str:
        if not self._window.since_us:
            return ""
        start = self._window.line.start
        zone = ZoneInfo(self._window.line.time_zone)
        begin_us = round(start.replace(tzinfo=zone).timestamp() * 1e6)
        return self._stamp(begin_us + self._window.since_us)

    def _stamp(self, us: int) -> str:
        zone = ZoneInfo(self._window.line.time_zone)
        at = datetime.fromtimestamp(us / 1e6, UTC).astimezone(zone)
        return f"{at:%a} {at.day} {at:%b %H:%M}"

    def _input(self, one: Drift) -> dict[str, Any]:
        return {
            "station": one.of.station,
            "measure": one.of.name,
            "verdict": one.verdict,
            "since": "" if one.since_us == UNKNOWN else self._stamp(one.since_us),
            "n": one.n,
            "n_since": one.n_since,
            "model_s": one.model_s,
            "log_s": one.log_s,
            "p": None if np.isnan(one.p) else one.p,
            "proposed": ""
            if one.proposed is None
            else str(one.proposed.distribution()),
        }

    def _proposed(self, found: list[Drift]) -> dict[str, Any]:
        line = self._window.line
        changes = changes_of(line, found)
        effect = effect_of(line, changes, replications=_REPLICATIONS, workers=1)
        said = [
            f"{one.of.station}, {one.of.name}: {one.verdict} "
            f"{self._stamp(one.since_us)} ({line.time_zone})"
            for one in found
            if one.verdict == DRIFTS
        ]
        return {
            "overlay": as_overlay(changes, None, said),
            "ratify": proposal_of(line, found, changes, effect),
            "effect": [_compared(one) for one in effect.compared],
            "targets": _targets(effect),
            "replications": _REPLICATIONS,
        }


def _sizes(drifting: list[Drift]) -> dict[str, tuple[float, int]]:
    return {f"{d.of.station} {d.of.name}": (d.log_s, d.n_since) for d in drifting}


def _compared(one: Any) -> dict[str, Any]:
    about = {"measure": one.measure, "significant": one.significant}
    for key, interval in (
        ("model", one.base), ("now", one.other), ("difference", one.difference)
    ):  # fmt: skip
        mean, low, high = interval.mean, interval.low, interval.high
        about[key] = [value if np.isfinite(value) else None
                      for value in (mean, low, high)]  # fmt: skip
    return about


def _targets(effect: Effect) -> list[dict[str, Any]]:
    return [
        {"name": name, "model": _chance(before), "now": _chance(after)}
        for name, before, after in effect.goals
    ]


def _chance(share: float) -> list[float]:
    """Return a chance to meet a target with its interval of 95 %."""
    found = wilson_interval(round(share * GOAL_RUNS), GOAL_RUNS)
    return [share, found.low, found.high]


def main() -> int:
    """Look whenever a line comes in; end when none can come any more."""
    if hasattr(os, "nice"):  # the page, and a controller on this machine, come first
        os.nice(10)
    asked = json.loads(sys.stdin.readline())
    window: Window | None = None
    for _ in sys.stdin:
        try:
            if window is None:
                window = Window(asked["place"])
                look = Look(window, asked["n_fitted"])
            for answer in look.answers():
                _tell(answer)
        except (LinewrightError, ValueError) as error:
            _tell({"problem": str(error), "more": False})
            if window is not None:
                window.close()
                window = None  # the next look begins anew
    return 0


def _tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
