"""Where a running line will be: its state as it stands, handed to the simulation.

The controller knows what is going on and not how long it will take. What has begun is
given a time that is longer than what has passed, drawn from what the model says; what
has failed, a repair that is longer than it has taken; what may fail, a new time to
failure. From then on the line is simulated as ever, once for each replication, so that
orders have dates with probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright import tables as t
from linewright.control.by_schedule import run_by_schedule
from linewright.control.core import Core
from linewright.control.jobs import BY_NAME, Job
from linewright.control.wanted import grouped, wanted
from linewright.kernel.run import Outside
from linewright.lower import Lowered, new_draws, resumed_state
from linewright.model.line import Line
from linewright.model.meaning import leaves_line
from linewright.replicate import run_until
from linewright.stats.intervals import wilson_interval

__all__ = [
    "Forecast",
    "expected_left_us",
    "forecast",
    "order_rows",
    "product_rows",
    "simulated_state",
]

Ints = NDArray[np.int64]

_CONFIDENCE = 0.95
_TRIES = 64
_SALT = 1_000_000  # between the names of draws that are tried one after the other


@dataclass(frozen=True, slots=True)
class Forecast:
    """What replications from a line's live state came to.

    Attributes:
        from_us: Instant of the state, microseconds from the line's start.
        until_us: End of the replications.
        orders: Names of the dated orders.
        finished_us: When each was finished (replication, order); -1: not by the end.
        products: Names of the products.
        made: Units of each that had left by the end (replication, product).
        looks_us: Instants on the way at which was counted too.
        made_by: Units that had left by each of them (replication, instant, product).
    """

    from_us: int
    until_us: int
    orders: tuple[str, ...]
    finished_us: Ints
    products: tuple[str, ...]
    made: Ints
    looks_us: tuple[int, ...]
    made_by: Ints

    def done_by_us(self, order: str, probability: float) -> int | None:
        """Return by when an order is done with a probability; None: not by the end.

        Raises:
            ValueError: There is no such order.
        """
        if order not in self.orders:
            msg = f'there is no order "{order}"'
            raise ValueError(msg)
        times = self.finished_us[:, self.orders.index(order)]
        late = np.where(times < 0, np.iinfo(np.int64).max, times)
        found = int(np.quantile(late, probability, method="higher"))
        return None if found == np.iinfo(np.int64).max else found


def order_rows(core: Core, future: Forecast) -> list[dict[str, Any]]:
    """Return a row for each order that is not done: dates, and the chance to keep it.

    A row has ``order``, ``product``, ``done`` and ``quantity`` (units), ``p50_us``,
    ``p80_us`` and ``p95_us`` (by when it is done with that probability, None: not by
    the end), and ``on_time`` with its Wilson interval ``low`` to ``high`` (None without
    a due date).
    """
    rows, names = [], core.lowered.names.products
    orders = wanted(core)
    states = orders.states(core)
    for i, name in enumerate(future.orders):
        if states[i] in {"done", "cancelled"}:
            continue
        row: dict[str, Any] = {
            "order": name,
            "product": names[int(orders.product[i])],
            "done": int(orders.done[i]),
            "quantity": int(orders.quantity[i]),
            "p50_us": future.done_by_us(name, 0.5),
            "p80_us": future.done_by_us(name, 0.8),
            "p95_us": future.done_by_us(name, 0.95),
            "on_time": None,
        }
        if orders.due[i] < t.NEVER:
            times = future.finished_us[:, i]
            is_kept = (times >= 0) & (times <= int(orders.due[i]))
            kept = wilson_interval(int(is_kept.sum()), len(times), _CONFIDENCE)
            row |= {"on_time": kept.mean, "low": kept.low, "high": kept.high}
        rows.append(row)
    return rows


def product_rows(line: Line, core: Core, future: Forecast) -> list[dict[str, Any]]:
    """Return a row for each product that leaves the line: units now, and by the end.

    A row has ``product``, ``made`` (units so far), and ``p50``, ``p80`` and ``p95``: at
    least so many have left by the end with that probability.
    """
    rows = []
    for i, name in enumerate(future.products):
        if leaves_line(line, name):
            made = future.made[:, i]
            row: dict[str, Any] = {"product": name}
            row["made"] = int(core.state.products["finished"][i])
            for share in (50, 80, 95):
                least = np.quantile(made, 1 - share / 100, method="lower")
                row[f"p{share}"] = int(least)
            rows.append(row)
    return rows


def _last(ends_us: Ints) -> int:
    """Return when all had ended, -1: not by the end."""
    return -1 if ends_us.min() < 0 else int(ends_us.max())


def simulated_state(
    core: Core,
    lowered: Lowered,
    draws: t.Draws,
    left_us: Mapping[str, int] | None = None,
) -> t.State:
    """Return the line as it stands, ready to be simulated.

    Args:
        core: The running line; it is not changed.
        lowered: The line, laid out to the end of the simulation.
        draws: Streams of the replication.
        left_us: How long each open job still takes; drawn by default.
    """
    state = resumed_state(core.state, 0, 0)
    state = state._replace(trace=np.zeros((0, len(t.TRACE_COLUMNS)), np.int64))
    state.clock["tracing"] = 0
    now_us = int(state.clock["now"][0])
    ends = Outside(lowered.tables, state, draws)
    for job in core.jobs.values():
        _go_on(ends, core, job, now_us, left_us)
    for m in range(len(state.modes)):
        server = int(lowered.tables.server_modes["server"][m])
        is_down = int(state.servers["down"][server]) == m or state.modes["active"][m]
        waits = state.modes["pending"][m] or int(state.modes["left"][m]) != t.UNKNOWN
        if not is_down and not waits:
            ends.answer(t.ASK_CLOCK, m, ends.draw(t.ASK_CLOCK, m))
    for p in np.flatnonzero(lowered.tables.products["kind"] == t.ARRIVALS).tolist():
        ends.answer(t.ASK_ARRIVAL, p, ends.draw(t.ASK_ARRIVAL, p))
    return state


def _go_on(
    ends: Outside,
    core: Core,
    job: Job,
    now_us: int,
    given_us: Mapping[str, int] | None,
) -> None:
    """Give a job that has begun the time that it still takes."""
    action, state, s = BY_NAME[job.action], ends.state, job.row
    if given_us is None:
        total_us, left_us = _time_of(ends, core, job, now_us)
    else:
        left_us = given_us[job.id]
        total_us = core.worked_us(job, now_us) + left_us
    if action.phase < 0:
        ends.answer(action.question, s, left_us)
        return
    if state.servers["running"][s]:
        ends.answer(action.question, s, left_us)
    state.servers["remaining"][s] = left_us
    state.servers["total"][s] = total_us


def _time_of(ends: Outside, core: Core, job: Job, now_us: int) -> tuple[int, int]:
    """Draw how long a job takes in all, and from now on."""
    action = BY_NAME[job.action]
    if action.phase >= 0 and job.row in core.early:
        return 0, 0
    passed_us = now_us - job.at_us
    if action.phase >= 0:
        passed_us = core.worked_us(job, now_us)
    total_us = _longer(ends, action.question, job, passed_us)
    return total_us, max(total_us - passed_us, 0)


def expected_left_us(core: Core, seed: int, n_draws: int) -> dict[str, int]:
    """Return how long each open job still takes, on average.

    Args:
        core: The running line; it is not changed.
        seed: Seed of all streams.
        n_draws: Of how many times the mean is taken; where they are certain, all are
            the same.
    """
    sums = dict.fromkeys(core.jobs, 0)
    for number in range(1, n_draws + 1):
        draws = new_draws(core.lowered, seed, number)
        ends = Outside(core.lowered.tables, resumed_state(core.state, 0, 0), draws)
        for job in core.jobs.values():
            sums[job.id] += _time_of(ends, core, job, core.now_us)[1]
    return {name: round(total / n_draws) for name, total in sums.items()}


def _longer(ends: Outside, question: int, job: Job, passed_us: int) -> int:
    """Draw how long a job takes that has gone on for some time already."""
    visits = ends.state.parts["visits"]
    kept = int(visits[job.part]) if job.part >= 0 else 0
    total_us = 0
    for attempt in range(_TRIES if job.part >= 0 else 1):
        if job.part >= 0:
            visits[job.part] = kept + attempt * _SALT
        total_us = ends.draw(question, job.row)
        if total_us > passed_us:
            break
    if job.part >= 0:
        visits[job.part] = kept
    return max(total_us, passed_us)


def forecast(  # noqa: PLR0913
    core: Core,
    lowered: Lowered,
    until_us: int,
    replications: int,
    seed: int,
    *,
    looks_us: Sequence[int] = (),
    is_enough: Callable[[int], bool] = lambda n_done: False,
) -> Forecast:
    """Simulate a running line from where it stands.

    Args:
        core: The running line; it is not changed.
        lowered: The line, laid out to the end of the forecast.
        until_us: Its end, microseconds from the line's start.
        replications: How many futures.
        seed: Seed of all streams.
        looks_us: Instants on the way at which to count too, increasing.
        is_enough: Asked after each future, with their number, whether to stop there.
    """
    finished, made = [], []
    names, of_orders = grouped(core)
    for number in range(1, replications + 1):  # 0 is that of a plant that is played
        draws = new_draws(lowered, seed, number)
        state = simulated_state(core, lowered, draws)
        counts = []
        by = None if core.by_schedule is None else core.by_schedule.copy()
        for at_us in (*looks_us, until_us):
            if by is None:
                _, state = run_until(lowered, state, draws, at_us)
            else:
                _, state = run_by_schedule(by, lowered, state, draws, at_us)
            counts.append(state.products["finished"].copy())
        ends = state.orders["finished"]
        finished.append([_last(ends[list(rows)]) for rows in of_orders])
        made.append(counts)
        if is_enough(number):
            break
    by_look = np.array(made)
    return Forecast(
        core.now_us,
        until_us,
        names,
        np.array(finished, np.int64).reshape(len(finished), len(names)),
        lowered.names.products,
        by_look[:, -1],
        tuple(looks_us),
        by_look[:, :-1],
    )
