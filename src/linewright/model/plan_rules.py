"""Rules on what is planned: targets, scenarios of demand, and changes on a date.

``LW260`` is about targets, ``LW261`` about changes, ``LW262`` about demand, ``LW263``
about planning, and ``LW350`` warns of targets that others make needless. Names are
taken to exist where a rule follows them; `check_plan_names` sees to that.
"""

from __future__ import annotations

import math
from datetime import date, datetime

from linewright.model.calendars import on_share, zone_of
from linewright.model.changes import (
    pool_schedule,
    servers_over_time,
    station_schedule,
)
from linewright.model.line import Change, Line, Overtime, Planning, Target
from linewright.model.meaning import leaves_line
from linewright.model.moments import end_of, tick_of
from linewright.model.notes import Notes, Path
from linewright.model.targets import (
    MAX_GOALS,
    first_day,
    goals_of,
    last_day,
    n_periods,
    period_of,
)

__all__ = ["check_plan", "check_plan_names", "lint_plan"]

_LAST_YEAR = 9990
_YEAR_US = 365 * 86_400_000_000


def check_plan_names(line: Line, notes: Notes) -> None:
    """Note names in targets, demand and changes that are not in the model."""
    for name, target in line.targets.items():
        if target.product not in line.products:
            path: Path = ("targets", name, "product")
            notes.unknown(path, target.product, "product", line.products)
    for name, demand in line.demand.items():
        for product in demand.factor if isinstance(demand.factor, dict) else ():
            if product not in line.products:
                path = ("demand", name, "factor", product)
                notes.unknown(path, product, "product", line.products)
    for i, change in enumerate(line.changes):
        _change_names(line, ("changes", i), change, notes)
    if line.planning is not None:
        _planning_names(line, line.planning, notes)


def _planning_names(line: Line, planning: Planning, notes: Notes) -> None:
    shortage = planning.shortage if isinstance(planning.shortage, dict) else {}
    overtime = planning.overtime
    for at, names, kind, there in (
        (("shortage",), shortage, "product", line.products),
        (("lead_times",), planning.lead_times, "product", line.products),
        (("overtime", "calendars"), overtime.calendars, "calendar", line.calendars),
        (("overtime", "stations"), overtime.stations, "station", line.stations),
    ):
        for name in names:
            if name not in there:
                notes.unknown(("planning", *at, name), name, kind, there)


def _change_names(line: Line, at: Path, change: Change, notes: Notes) -> None:
    calendars = line.calendars
    for before, after in change.calendars.items():
        for name, path in (
            (before, (*at, "calendars", before)),
            (after, (*at, "calendars", before)),
        ):
            if name not in calendars:
                notes.unknown(path, name, "calendar", calendars)
    for name, station in change.stations.items():
        if name not in line.stations:
            notes.unknown((*at, "stations", name), name, "station", line.stations)
        if station.calendar is not None and station.calendar not in calendars:
            path = (*at, "stations", name, "calendar")
            notes.unknown(path, station.calendar, "calendar", calendars)
    for name, pool in change.people.items():
        if name not in line.people:
            notes.unknown((*at, "people", name), name, "pool of people", line.people)
        if pool.calendar not in calendars:
            path = (*at, "people", name, "calendar")
            notes.unknown(path, pool.calendar, "calendar", calendars)


def check_plan(line: Line, notes: Notes) -> None:
    """Note what cannot be meant in targets, demand and changes."""
    if not _has_clock(line):
        return
    for name, target in line.targets.items():
        _target(line, ("targets", name), target, notes)
    if not any(finding.code == "LW260" for finding in notes.findings):
        _contradictions(line, notes)
    _demand(line, notes)
    for i, change in enumerate(line.changes):
        _change(line, ("changes", i), change, notes)
    _holds_parts(line, notes)
    if line.planning is not None:
        _planning(line, line.planning, notes)


def _has_clock(line: Line) -> bool:
    """Say whether dates can be read; what is wrong with the clock is said elsewhere."""
    try:
        zone_of(line.time_zone)
    except ValueError:
        return False
    return 1900 <= line.start.year < _LAST_YEAR


# ---------------------------------------------------------------- targets


def _target(line: Line, at: Path, target: Target, notes: Notes) -> None:
    if not leaves_line(line, target.product):
        msg = f'"{target.product}" does not leave the line: it goes into other products'
        hint = "set targets for what is sold; their bill of material asks for the rest"
        notes.error("LW260", (*at, "product"), msg, hint)
    if (target.by is None) == (target.per is None):
        msg = "a target says by when it is to be met, or per which period: one of both"
        notes.error("LW260", at, msg, "add by: 2027-12-31, or per: quarter")
    elif target.per is None:
        _once(line, at, target, notes)
    else:
        _repeated(line, at, target, notes)


def _is_far(line: Line, when: object) -> bool:
    """Say whether a moment lies beyond the years in which calendars are laid out."""
    if isinstance(when, int):
        return line.start.year + when / _YEAR_US >= _LAST_YEAR
    return isinstance(when, date) and not 1900 <= when.year < _LAST_YEAR


def _once(line: Line, at: Path, target: Target, notes: Notes) -> None:
    for key, alias in (("start", "from"), ("end", "to"), ("ramp", "ramp")):
        if getattr(target, key) is not None:
            msg = f"{alias} is of targets per period, and this one is due once"
            notes.error("LW260", (*at, alias), msg, "use since: and by:")
    for key in ("by", "since"):
        if _is_far(line, getattr(target, key)):
            msg = f"{key} lies outside the years 1900 to {_LAST_YEAR}"
            notes.error("LW260", (*at, key), msg)
            return
    assert target.by is not None
    by_us = end_of(line, target.by)
    if by_us <= 0:
        msg = f"this target is due before the line starts, on {_day(line.start)}"
        notes.error("LW260", (*at, "by"), msg)
        return
    if target.since is None:
        return
    since_us = tick_of(line, target.since)
    if since_us < 0:
        msg = f"since is before the line starts, on {_day(line.start)}"
        hint = "leave it out: then all units since the start count"
        notes.error("LW260", (*at, "since"), msg, hint)
    elif since_us >= by_us:
        notes.error("LW260", (*at, "since"), "this target begins after it is due")


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d}"


def _repeated(line: Line, at: Path, target: Target, notes: Notes) -> None:
    per = target.per
    assert per is not None
    if target.since is not None:
        msg = "since is of targets that are due once, and this one is per period"
        notes.error("LW260", (*at, "since"), msg, "use from: and to:")
    if target.end is None:
        msg = f"a target per {per} says to when it goes on"
        notes.error("LW260", at, msg, f"add to: {_sample(line, per)}")
        return
    for key, day in (("to", target.end), ("from", target.start)):
        if _is_far(line, day):
            msg = f"{key} lies outside the years 1900 to {_LAST_YEAR}"
            notes.error("LW260", (*at, key), msg)
            return
    _spans(line, at, target, notes)
    if target.ramp is not None and target.ramp.start > target.quantity:
        msg = f"it rises from {target.ramp.start} to the quantity, {target.quantity}"
        notes.error("LW260", (*at, "ramp", "from"), msg, "begin with fewer")


def _spans(line: Line, at: Path, target: Target, notes: Notes) -> None:
    """Note what is wrong with the first and the last day of a repeated target."""
    per, end = target.per, target.end
    assert per is not None
    assert end is not None
    own = period_of(line.start.date(), per)
    if target.start is not None:
        period = period_of(target.start, per)
        if period < own:
            msg = f"this begins before the line starts, on {_day(line.start)}"
            notes.error("LW260", (*at, "from"), msg)
            return
        if first_day(period, per) != target.start:
            msg = f"{target.start} is not the first day of a {per}"
            hint = f"that is {first_day(period, per)}, or {first_day(period + 1, per)}"
            notes.error("LW260", (*at, "from"), msg, hint)
    last = period_of(end, per)
    if last_day(last, per) != end:
        msg = f"{end} is not the last day of a {per}"
        notes.error("LW260", (*at, "to"), msg, f"that is {last_day(last, per)}")
    first = own if target.start is None else period_of(target.start, per)
    if last < first:
        msg = "this ends before it begins"
        if target.start is None:
            msg = f"this ends before the line starts, on {_day(line.start)}"
        notes.error("LW260", (*at, "to"), msg)
    elif n_periods(line, target) > MAX_GOALS:
        msg = (
            f"these are {n_periods(line, target):,} periods; the most are {MAX_GOALS:,}"
        )
        notes.error("LW260", (*at, "to"), msg)


def _sample(line: Line, per: str) -> date:
    return last_day(period_of(line.start.date(), per), per)


def _contradictions(line: Line, notes: Notes) -> None:
    """Note targets that ask for different quantities in the same span of time."""
    seen: dict[tuple[str, int, int], tuple[str, int]] = {}
    noted: set[tuple[str, str]] = set()
    for goal in goals_of(line):
        key = goal.product, goal.since_us, goal.by_us
        name, quantity = seen.setdefault(key, (goal.target, goal.quantity))
        pair = name, goal.target
        if quantity != goal.quantity and pair not in noted:
            noted.add(pair)
            msg = f'"{name}" asks for {quantity} {goal.product}, "{goal.target}" for '
            msg += f"{goal.quantity} in the same time ({goal.label})"
            path = ("targets", goal.target, "quantity")
            notes.error("LW260", path, msg, "take one of them out")


def lint_plan(line: Line, notes: Notes) -> None:
    """Note targets that an earlier one makes needless."""
    once = [goal for goal in goals_of(line) if line.targets[goal.target].per is None]
    once.sort(key=lambda goal: goal.by_us)
    most: dict[tuple[str, int], tuple[int, str]] = {}
    for goal in once:
        key = goal.product, goal.since_us
        quantity, name = most.get(key, (0, ""))
        if goal.quantity < quantity:
            msg = f"{goal.quantity} {goal.product} are fewer than the {quantity} that "
            msg += f'"{name}" asks for before; what has left stays counted'
            path = ("targets", goal.target, "quantity")
            hint = "quantities count from the start; say since: to count anew"
            notes.warning("LW350", path, msg, hint)
        else:
            most[key] = goal.quantity, goal.target


# ---------------------------------------------------------------- demand, changes


def _demand(line: Line, notes: Notes) -> None:
    if not line.demand:
        return
    total = math.fsum(demand.probability for demand in line.demand.values())
    if abs(total - 1) > 1e-9:
        msg = f"the probabilities of demand sum to {total:g}; they sum to 1"
        notes.error("LW262", ("demand",), msg)
    if not line.targets:
        msg = "demand makes targets larger or smaller, and there are no targets"
        notes.error("LW262", ("demand",), msg, "add targets")
    asked = {target.product for target in line.targets.values()}
    for name, demand in line.demand.items():
        for product in demand.factor if isinstance(demand.factor, dict) else ():
            if product in line.products and line.targets and product not in asked:
                msg = f'no target asks for "{product}", so this factor says nothing'
                notes.error("LW262", ("demand", name, "factor", product), msg)


def _change(line: Line, at: Path, change: Change, notes: Notes) -> None:
    if _is_far(line, change.on):
        msg = f"on lies outside the years 1900 to {_LAST_YEAR}"
        notes.error("LW261", (*at, "on"), msg)
        return
    if tick_of(line, change.on) < 0:
        msg = f"this is before the line starts, on {_day(line.start)}"
        hint = "say at the stations how they are at the start"
        notes.error("LW261", (*at, "on"), msg, hint)
    if not (change.calendars or change.stations or change.people):
        hint = "name calendars, stations or people"
        notes.error("LW261", at, "nothing changes here", hint)
    for name, station in change.stations.items():
        path = (*at, "stations", name)
        if station.servers is None and station.calendar is None:
            msg = f'nothing changes at "{name}"'
            notes.error("LW261", path, msg, "say servers, calendar or both")
        elif station.servers is not None and line.stations[name].conveyor:
            msg = f'"{name}" is a conveyor, whose places do not change'
            notes.error("LW261", (*path, "servers"), msg)


# ---------------------------------------------------------------- planning


def _planning(line: Line, planning: Planning, notes: Notes) -> None:
    asked = {target.product for target in line.targets.values()}
    if isinstance(planning.shortage, dict):
        for name in planning.shortage:
            if name not in asked:
                msg = f'no target asks for "{name}", so it is never short'
                notes.error("LW263", ("planning", "shortage", name), msg)
    for name, overtime in planning.overtime.calendars.items():
        path: Path = ("planning", "overtime", "calendars", name)
        if name not in _in_use(line):
            msg = f'no station and nobody works by "{name}", so it has no overtime'
            notes.error("LW263", path, msg)
            continue
        _overtime(line, path, name, overtime, notes)
    for name, overtime in planning.overtime.stations.items():
        path = ("planning", "overtime", "stations", name)
        calendar = line.stations[name].calendar or line.calendar
        _overtime(line, path, calendar, overtime, notes)


def _in_use(line: Line) -> set[str]:
    """Return the calendars by which stations and people ever work."""
    schedules = [station_schedule(line, name) for name in line.stations]
    schedules += [pool_schedule(line, name) for name in line.people]
    return {name for schedule in schedules for _, name in schedule if name}


def _overtime(
    line: Line, at: Path, calendar: str | None, overtime: Overtime, notes: Notes
) -> None:
    """Note overtime for which a week has no time."""
    kept = None if calendar is None else line.calendars[calendar]
    free_h = 168 * (1 - on_share(kept))
    if overtime.hours_per_week > free_h + 1e-6:
        who = "it works always" if calendar is None else f'by "{calendar}"'
        msg = f"there is no time for {overtime.hours_per_week:g} h more in a week: "
        msg += f"{who}, {free_h:g} of 168 h are off shift"
        notes.error("LW263", (*at, "hours_per_week"), msg)


def _holds_parts(line: Line, notes: Notes) -> None:
    """Note servers that would go with a finished part that they do not let go."""
    for i, change in enumerate(line.changes):
        for name, station in change.stations.items():
            if station.servers is None or not line.stations[name].holds_when_stopped:
                continue
            if _is_far(line, change.on):
                continue
            steps = [n for _, n in servers_over_time(line, name)]
            if steps != sorted(steps):
                msg = f'a server that goes from "{name}" would keep its finished part'
                hint = "leave out holds_when_stopped, or let no server go"
                notes.error("LW261", ("changes", i, "stations", name), msg, hint)
