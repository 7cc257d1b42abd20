"""A line as the formulas see it: stations, one after another, that join by assembly.

Every station has one server and hands each part on to one other station, or out of the
line. Stations that nothing is handed on to never lack parts, and the last one never
lacks room. A station that is handed parts by several assembles: it starts when it has
what one assembly takes of each. A finished part that finds no room stays on its station
and blocks it (blocking after service).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Clock", "FlowLine"]

Clock = Literal["processing", "operating"]


@dataclass(frozen=True, slots=True)
class FlowLine:
    """Stations and the buffers behind them.

    Attributes:
        process_s: Mean processing time of each station, seconds, positive.
        slots: Buffer places between each station and the one that it hands on to,
            parts; the place on a station is extra. One fewer than there are stations.
        scv: Squared coefficient of variation of the processing times; empty: 1, which
            is that of exponential times.
        mttf_s: Mean time to failure of each station, exponential; infinite where it
            never fails. Empty: none fails.
        mttr_s: Mean time to repair, exponential, positive where the station fails.
        successor: Row of the station that each station but the last hands on to, a
            later row always. Empty: the next one (a serial line).
        quantity: Parts of each station but the last that go into one part of its
            successor. Empty: one.
        clock: What the time to failure counts: time spent ``processing``, or the whole
            time in which the station is not failed, busy or not (``operating``).

    Raises:
        ValueError: A number is out of its range, or the lengths do not agree.
    """

    process_s: tuple[float, ...]
    slots: tuple[int, ...]
    scv: tuple[float, ...] = ()
    mttf_s: tuple[float, ...] = ()
    mttr_s: tuple[float, ...] = ()
    successor: tuple[int, ...] = ()
    quantity: tuple[int, ...] = ()
    clock: Clock = field(default="processing", kw_only=True)

    def __post_init__(self) -> None:
        n = self.n_stations
        fill = {
            "process_s": self.process_s,
            "scv": self.scv or (1.0,) * n,
            "mttf_s": self.mttf_s or (math.inf,) * n,
            "mttr_s": self.mttr_s or (0.0,) * n,
            "slots": self.slots,
            "successor": self.successor or tuple(range(1, n)),
            "quantity": self.quantity or (1,) * (n - 1),
        }
        for name, values in fill.items():
            object.__setattr__(self, name, tuple(values))
        self._check()

    def _check(self) -> None:
        n = self.n_stations
        lengths = dict.fromkeys(("process_s", "scv", "mttf_s", "mttr_s"), n)
        lengths |= dict.fromkeys(("slots", "successor", "quantity"), n - 1)
        for name, length in lengths.items():
            if len(getattr(self, name)) != length or n == 0:
                msg = f"{n} stations need {length} values of {name}"
                raise ValueError(f"{msg}, got {len(getattr(self, name))}")
        wrong = [
            *(x for x in self.process_s if not 0 < x < math.inf),
            *(x for x in self.scv if not 0 <= x < math.inf),
            *(x for x in self.mttf_s if not x > 0),
            *(r for f, r in self.failures if f < math.inf and not 0 < r < math.inf),
            *(x for x in self.slots if x < 0),
            *(x for x in self.quantity if x < 1),
            *(s for k, s in enumerate(self.successor) if not k < s < n),
        ]
        if wrong:
            msg = f"a line cannot have these values: {', '.join(map(str, wrong))}"
            raise ValueError(msg)

    @property
    def n_stations(self) -> int:
        """Number of stations."""
        return len(self.process_s)

    @property
    def failures(self) -> tuple[tuple[float, float], ...]:
        """Mean time to failure and to repair of each station."""
        return tuple(zip(self.mttf_s, self.mttr_s, strict=True))

    @property
    def is_serial(self) -> bool:
        """Whether each station hands on to the next, one for one."""
        straight = self.successor == tuple(range(1, self.n_stations))
        return straight and set(self.quantity) <= {1}

    def suppliers(self, station: int) -> list[int]:
        """Return the rows of the stations that hand on to a station."""
        return [k for k, s in enumerate(self.successor) if s == station]

    def parts_per_product(self) -> tuple[int, ...]:
        """Return how many parts of each station go into one finished product."""
        counts = [1] * self.n_stations
        for k in range(self.n_stations - 2, -1, -1):
            counts[k] = counts[self.successor[k]] * self.quantity[k]
        return tuple(counts)

    def completion(self, station: int) -> tuple[float, float]:
        """Return mean and scv of the time a part takes on a station, stops included.

        Stops come while processing: with a time to failure and a time to repair that
        are exponential, a time S of processing has Poisson many.

        Source:
            Hopp and Spearman (2011), Factory Physics, 3rd ed., section 8.4.2, with an
            exponential time to repair.
        """
        mean, scv = self.process_s[station], self.scv[station]
        mttf, mttr = self.failures[station]
        if mttf == math.inf:
            return mean, scv
        share = mttf / (mttf + mttr)
        return mean / share, scv + 2 * (1 - share) * share * mttr / mean


def serial(process_s: Sequence[float], slots: Sequence[int]) -> FlowLine:
    """Return a serial line of exponential stations that never fail."""
    return FlowLine(tuple(process_s), tuple(slots))
