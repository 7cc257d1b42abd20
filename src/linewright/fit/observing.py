"""The same figures from a log and from a simulation: what both are held against.

`observe` looks at a log within a window of time. A simulation is looked at through its
trace, which becomes a log and goes the same way; so nothing is measured in two ways.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from linewright.fit.cases import Cases
from linewright.fit.fitting import Measured, measure
from linewright.fit.log import ABSENT, UNKNOWN, EventLog, Floats, Ints
from linewright.fit.traced import log_of_trace
from linewright.fit.visits import Visits
from linewright.lower import Lowered, lower
from linewright.model.line import Line, Order, Product, Release
from linewright.traces import event_log, trace_rows

__all__ = ["Observed", "driven", "observe", "observed_runs", "simulated_log"]


@dataclass(frozen=True, slots=True)
class Observed:
    """Figures of a window of time.

    Attributes:
        begin_us: From when.
        close_us: Until when.
        left_us: When each case that ended within left, in order.
        flow_s: Time from coming to leaving of those of them that were seen to come.
        ended_us: For each station, when visits that ended within did, in order.
        cycle_s: For each station, their work, in the same order.
        wait_s: For each station, their waits; empty where the log does not say.
    """

    begin_us: int
    close_us: int
    left_us: Ints
    flow_s: Floats
    ended_us: dict[str, Ints]
    cycle_s: dict[str, Floats]
    wait_s: dict[str, Floats]

    @property
    def hours(self) -> float:
        """Length of the window, by the clock."""
        return (self.close_us - self.begin_us) / 3.6e9


def observe(m: Measured, begin_us: int, close_us: int) -> Observed:
    """Return the figures of a log in a window.

    Args:
        m: The log, measured.
        begin_us: From when, microseconds since 1970.
        close_us: Until when.
    """
    left_us, flow_s = _flows(m.cases, begin_us, close_us)
    v = m.visits
    ended, cycle, wait = {}, {}, {}
    for k, name in enumerate(m.log.stations):
        own = m.at_station[k]
        own = own[(v.end_us[own] >= begin_us) & (v.end_us[own] < close_us)]
        own = own[np.argsort(v.end_us[own], kind="stable")]
        ended[name], cycle[name] = v.end_us[own], v.work_s[own]
        wait[name] = _waits(v, own)
    return Observed(begin_us, close_us, left_us, flow_s, ended, cycle, wait)


def _waits(v: Visits, own: Ints) -> Floats:
    said = own[v.queued_us[own] != UNKNOWN]
    waits: Floats = (v.start_us[said] - v.queued_us[said]) / 1e6
    return waits


def _flows(cases: Cases, begin_us: int, close_us: int) -> tuple[Ints, Floats]:
    left = cases.leave_us
    inside = (left >= begin_us) & (left < close_us)
    inside &= cases.is_ended & ~cases.is_scrapped
    at = np.flatnonzero(inside)
    at = at[np.argsort(left[at], kind="stable")]
    whole = at[cases.is_begun[at]]
    return left[at], (left[whole] - cases.arrival_us[whole]) / 1e6


# ---------------------------------------------------------------- simulations


def driven(line: Line, m: Measured, origin_us: int) -> Line:
    """Return a line into which cases come when they came in the log.

    Its products that are in the log are released by dated orders; the others come as
    the model has it.

    Args:
        line: The line.
        m: The log, measured.
        origin_us: Start of the line, microseconds since 1970.
    """
    orders: list[Order] = []
    products: dict[str, Product] = dict(line.products)
    rank = {name: i for i, name in enumerate(m.cases.names)}
    if set(rank) - set(products):
        missing = sorted(set(rank) - set(products))
        msg = f"the model has no product {', '.join(missing)}, which the log has"
        raise ValueError(msg)
    for name, p in rank.items():
        own = (m.cases.product == p) & (m.cases.arrival_us != UNKNOWN)
        for at_us in np.sort(m.cases.arrival_us[own]).tolist():
            release = max(int(at_us) - origin_us, 0)
            orders.append(
                Order.model_validate({"product": name, "release": f"{release} us"})
            )
        products[name] = products[name].model_copy(
            update={"release": Release(kind="orders")}
        )
    orders.sort(key=_release_us)
    return line.model_copy(update={"products": products, "orders": tuple(orders)})


def _release_us(order: Order) -> int:
    value = order.release
    assert isinstance(value, int)
    return value


def simulated_log(
    line: Line, lowered: Lowered, until_us: int, replication: int, seed: int
) -> EventLog:
    """Return the log of one simulated replication.

    Args:
        line: The line.
        lowered: The same, laid out until then.
        until_us: How long, microseconds from its start.
        replication: Its number.
        seed: Of all streams.
    """
    batches = trace_rows(lowered, seed, replication, until_us)
    table = pa.concat_tables([event_log(lowered, rows) for rows in batches])
    log = log_of_trace(table, "simulation", line.start, line.time_zone)
    close_us = log.begin_us + until_us
    return replace(log, close_us=close_us)


def observed_runs(  # noqa: PLR0913
    line: Line,
    begin_us: int,
    close_us: int,
    *,
    origin_us: int,
    replications: int,
    seed: int,
    said: frozenset[str],
) -> list[Observed]:
    """Return the figures of simulated replications in the same window.

    Args:
        line: The line.
        begin_us: From when, microseconds since 1970.
        close_us: Until when.
        origin_us: When the line starts.
        replications: How many.
        seed: Of all streams.
        said: What the log says; what it does not, simulations do not say either, so
            that both are looked at alike.
    """
    until_us = close_us - origin_us
    lowered = lower(line, until_us)
    found = []
    for number in range(replications):
        log = simulated_log(line, lowered, until_us, number, seed)
        m = measure(_said_as(log, said), 1)
        found.append(observe(m, begin_us, close_us))
    return found


def _said_as(log: EventLog, said: frozenset[str]) -> EventLog:
    """Return a log that says no more of its cases than another does."""
    n = len(log.cases)
    hidden = {"fate", "arrival", "queued"} - said
    changed: dict[str, Any] = {"said": log.said - hidden}
    if "fate" in hidden:
        changed["case_fate"] = np.full(n, ABSENT)
    if "arrival" in hidden:
        changed["case_arrival_us"] = np.full(n, UNKNOWN)
    if "queued" in hidden:
        changed["queued_us"] = np.full(len(log), UNKNOWN)
    return replace(log, **changed)
