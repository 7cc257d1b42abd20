"""What will be: futures of the line as it stands, simulated beside the page.

A forecast is begun when the line has gone on since the last one, and at most a quarter
of one core's time goes into it: a large line has fewer futures and older ones, and the
page says how many and from when.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from linewright import tables as t
from linewright.control.core import Core
from linewright.control.forecast import Forecast, forecast, order_rows
from linewright.control.openings import finished_by
from linewright.lower import Lowered
from linewright.model.targets import Goal, goals_of
from linewright.stats.intervals import Interval, wilson_interval
from linewright.web.following import Follower
from linewright.web.spans import next_day_us

__all__ = ["Ahead", "Foreteller"]

_MOST, _LEAST = 200, 20  # futures
_LONGEST_S = 4.0  # of one forecast, once there are the fewest
_PAUSE = 3.0  # times as long as the forecast took
_LEAST_PAUSE_S = 2.0
_WEEK_US = 7 * 86_400_000_000
_FAR_US = 100 * 86_400_000_000  # targets that end later are a matter of the plan
_N_ORDERS = 30  # those that are due next decide how far is looked
_CONFIDENCE = 0.95


class _Standing(NamedTuple):
    """The line at the instant from which is foretold."""

    lowered: Lowered
    notes: dict[str, Any]
    arrays: dict[str, Any]
    now_us: int
    horizon_us: int


class Ahead(NamedTuple):
    """What is foretold.

    Attributes:
        future: The futures.
        orders: Rows of `order_rows`, of orders that are not done.
        today: By product, how many units will have left since the line's start when the
            day ends, at least, with 80 %.
        goals: Targets whose span of time goes on: the goal, units so far, and the
            chance with its interval.
    """

    future: Forecast
    orders: list[dict[str, Any]]
    today: dict[str, int]
    goals: list[tuple[Goal, int, Interval]]


class Foreteller:
    """Forecasts of a follower's line, one after the other.

    Args:
        follower: The line, as its journal has it.
        clock_s: A clock that only goes forward, seconds.

    Attributes:
        problem: Why there is no forecast any more, or empty.
    """

    def __init__(self, follower: Follower, clock_s: Callable[[], float]) -> None:
        self._follower, self._clock_s = follower, clock_s
        self._goals = goals_of(follower.line)
        self._before: dict[int, t.Ints] = {}
        self._standing: _Standing | None = None
        self._core: Core | None = None
        self._base: Lowered | None = None
        self._seq, self._again_s = -1, -math.inf
        self.problem = ""

    def take(self) -> bool:
        """Take the line as it stands, if it is time; nothing may change it meanwhile.

        Returns:
            Whether `look_ahead` has something to do.
        """
        follower = self._follower
        is_new = follower.next_seq != self._seq and self._clock_s() >= self._again_s
        if not is_new or self.problem:
            return False
        self._seq = follower.next_seq
        notes, arrays = follower.core.saved()
        self._standing = _Standing(
            follower.lowered,
            json.loads(json.dumps(notes)),  # a copy
            {name: np.array(array) for name, array in arrays.items()},
            follower.core.now_us,
            follower.horizon_us,
        )
        return True

    def look_ahead(self) -> Ahead | None:
        """Simulate from what was taken; nothing else of the page is touched."""
        standing = self._standing
        if standing is None:
            return None
        line = self._follower.line
        begun_s = self._clock_s()
        if self._core is None or self._base is not standing.lowered:
            self._base = standing.lowered
            self._core = Core(self._base, self._follower.opening.seed)
        self._core.restore(standing.notes, standing.arrays)
        now_us = standing.now_us
        goals = [
            goal
            for goal in self._goals
            if goal.since_us <= now_us < goal.by_us <= now_us + _FAR_US
        ]
        day_us = next_day_us(line, now_us)
        looks = sorted({day_us, *(goal.by_us for goal in goals)})
        until_us = min(self._until(standing, looks), standing.horizon_us)
        looks = [at_us for at_us in looks if at_us < until_us]

        def is_enough(n_done: int) -> bool:
            return n_done >= _LEAST and self._clock_s() - begun_s >= _LONGEST_S

        future = forecast(
            self._core,
            self._core.lowered,
            until_us,
            _MOST,
            self._follower.opening.seed,
            looks_us=looks,
            is_enough=is_enough,
        )
        found = Ahead(
            future,
            order_rows(self._core, future),
            _today(future, day_us),
            [self._chance(future, goal, standing) for goal in goals],
        )
        took_s = self._clock_s() - begun_s
        self._again_s = self._clock_s() + max(_LEAST_PAUSE_S, _PAUSE * took_s)
        return found

    def _until(self, standing: _Standing, looks: list[int]) -> int:
        """Return to where it is simulated: past what is due, and somewhat further."""
        orders = standing.arrays["orders"]
        is_open = (orders["finished"] < 0) & (orders["due"] < t.NEVER)
        due = np.sort(orders["due"][is_open])[:_N_ORDERS]
        last_us = max([*looks, *due.tolist()])
        return int(last_us + max((last_us - standing.now_us) // 4, _WEEK_US))

    def _chance(
        self, future: Forecast, goal: Goal, standing: _Standing
    ) -> tuple[Goal, int, Interval]:
        """Return a goal with what is made of it, and the chance that it is met."""
        k = future.products.index(goal.product)
        before = 0
        if goal.since_us > 0:
            if goal.since_us not in self._before:
                place = self._follower.place
                self._before[goal.since_us] = finished_by(place, goal.since_us)
            before = int(self._before[goal.since_us][k])
        met = _made_by(future, goal.by_us)[:, k] - before >= goal.quantity
        interval = wilson_interval(int(met.sum()), len(met), _CONFIDENCE)
        made = int(standing.arrays["products"]["finished"][k]) - before
        return goal, made, interval


def _made_by(future: Forecast, at_us: int) -> t.Ints:
    """Return the units that have left by an instant (replication, product)."""
    if at_us not in future.looks_us:
        return future.made
    return future.made_by[:, future.looks_us.index(at_us)]


def _today(future: Forecast, day_us: int) -> dict[str, int]:
    """Return how many units will have left by an instant at least, with 80 %."""
    least = np.quantile(_made_by(future, day_us), 0.2, axis=0, method="lower")
    return dict(zip(future.products, least.astype(int).tolist(), strict=True))
