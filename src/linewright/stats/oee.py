"""OEE and its relatives from state times, by the time model of ISO 22400-2.

The terms and formulas follow ISO 22400-2:2014, "Automation systems and integration -
Key performance indicators (KPIs) for manufacturing operations management - Part 2",
as secondary sources give them; we claim no conformance. How our states map to its
times is our reading:

* processing is actual production time (APT), setup and loading are actual unit setup
  time (AUST); together they are the actual unit processing time (AUPT);
* failed, blocked and waiting (for people, a tool or material) are actual unit delay
  time (ADET), for they draw out the work;
  with AUPT they are the actual unit busy time (AUBT);
* starved is actual unit down time (ADOT): able to work, without work;
* all of these are the planned busy time (PBT); maintenance, breaks and time off shift
  are planned not to be busy.

The standard does not know TEEP; it is OEE over all the time there is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["STATES", "Oee", "oee"]

_UNIT = ("processing", "setup", "loading")
_BUSY = (*_UNIT, "blocked", "failed", "waiting")
_PLANNED = (*_BUSY, "starved")
STATES = (*_PLANNED, "maintenance", "break", "off_shift")
"""States of a server; each instant of server-time is in one of them."""


@dataclass(frozen=True, slots=True)
class Oee:
    """Times and ratios of one station over one span of time.

    Times are microseconds of server-time. Ratios are shares, nan where nothing
    is divided by nothing, and lie between 0 and 1 unless `flags` says otherwise.

    Attributes:
        planned_busy_us: PBT, time in which work was planned.
        busy_us: AUBT, time in which a server was used for work.
        unit_processing_us: AUPT, processing, setup and loading.
        production_us: APT, processing.
        oee_availability: APT over PBT.
        effectiveness: Ideal processing time of all units over APT; also called
            performance.
        quality_ratio: Good units over all units.
        oee: Overall equipment effectiveness, the product of the three.
        nee: Net equipment effectiveness, AUPT over PBT times effectiveness times
            quality ratio: setup is not held against it.
        teep: OEE times PBT over all the time, off shift too; not in ISO 22400-2.
        allocation_efficiency: AUBT over PBT.
        utilization_efficiency: APT over AUBT.
        flags: What is out of bounds, in words; empty if nothing is.
    """

    planned_busy_us: int
    busy_us: int
    unit_processing_us: int
    production_us: int
    oee_availability: float
    effectiveness: float
    quality_ratio: float
    oee: float
    nee: float
    teep: float
    allocation_efficiency: float
    utilization_efficiency: float
    flags: tuple[str, ...]


def oee(times_us: Mapping[str, int], ideal_us: float, n_good: int, n_total: int) -> Oee:
    """Return the OEE terms of one station.

    Args:
        times_us: Server-time in each of `STATES`, microseconds; missing states are 0.
        ideal_us: Sum over all units, good or not, of the least processing time that
            the model or the nameplate states: planned runtime per item times quantity.
        n_good: Good units, at most `n_total`.
        n_total: Units processed.

    Raises:
        ValueError: A state is unknown, or a time or count is negative or impossible.

    Source:
        ISO 22400-2:2014, as the module says.
    """
    _check(times_us, ideal_us, n_good, n_total)

    def total_us(*states: str) -> int:
        return sum(times_us.get(state, 0) for state in states)

    planned, busy = total_us(*_PLANNED), total_us(*_BUSY)
    unit_processing, production = (
        total_us(*_UNIT),
        total_us("processing"),
    )
    effectiveness = _ratio(ideal_us, production)
    quality_ratio = _ratio(n_good, n_total)
    good_share = quality_ratio if n_total else 0.0  # nothing made: nothing good
    # Not the product of the three, which is 0 times nan where nothing was made.
    whole = _ratio(ideal_us * good_share, planned)
    net = whole * _ratio(unit_processing, production) if production else whole
    return Oee(
        planned_busy_us=planned,
        busy_us=busy,
        unit_processing_us=unit_processing,
        production_us=production,
        oee_availability=_ratio(production, planned),
        effectiveness=effectiveness,
        quality_ratio=quality_ratio,
        oee=whole,
        nee=net,
        teep=_ratio(ideal_us * good_share, total_us(*STATES)),
        allocation_efficiency=_ratio(busy, planned),
        utilization_efficiency=_ratio(production, busy),
        flags=_flags(effectiveness, whole, net),
    )


def _check(
    times_us: Mapping[str, int], ideal_us: float, n_good: int, n_total: int
) -> None:
    unknown = [state for state in times_us if state not in STATES]
    if unknown:
        msg = f"unknown states {', '.join(unknown)}; allowed are {', '.join(STATES)}"
        raise ValueError(msg)
    if min(times_us.values(), default=0) < 0 or not 0 <= ideal_us < math.inf:
        msg = f"times are finite and not negative, got {dict(times_us)} and {ideal_us}"
        raise ValueError(msg)
    if not 0 <= n_good <= n_total:
        msg = f"need 0 <= good <= total units, got {n_good} of {n_total}"
        raise ValueError(msg)


def _ratio(part: float, whole: float) -> float:
    if not whole:
        return math.inf if part else math.nan
    return part / whole


def _flags(effectiveness: float, whole: float, net: float) -> tuple[str, ...]:
    flags = []
    if effectiveness > 1:
        flags.append("effectiveness above 1: the ideal time is longer than the actual")
    if whole > 1:
        flags.append("OEE above 1, because of the effectiveness")
    if net > 1:
        flags.append("NEE above 1, because of the effectiveness")
    return tuple(flags)
