"""From a log to a model: what was found, fitted, and cannot be known.

`fit_log` is the whole way: calendars, work, visits, cases, routes, servers, times. What
comes out is a `Fitted`: the model as data, its distributions with their evidence, and
what the log could not say. Writing it down is `linewright.fit.writing`.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import stats

from linewright.errors import Finding, ModelError
from linewright.fit.arrivals import calendar_of, first_station
from linewright.fit.calendars import FoundCalendar, WorkTime, find_calendar, local_us
from linewright.fit.cases import Cases, cases_of
from linewright.fit.delays import delays_of
from linewright.fit.distributions import FEW, Fit, fit_times
from linewright.fit.joining import join_into
from linewright.fit.log import (
    FAILURE,
    UNKNOWN,
    WORK,
    EventLog,
    Floats,
    Ints,
    Mask,
    Problem,
    spans_between,
)
from linewright.fit.nested import take_off_stops
from linewright.fit.queues import NO_RULE, QueueSeen, came_before, queue_at
from linewright.fit.routes import Route, RouteStep, find_route
from linewright.fit.stations import (
    Failures,
    Setups,
    StationSeen,
    batches_at,
    failures_at,
    seen_at,
    setups_at,
)
from linewright.fit.visits import Visits, came_us, pick, visits_of
from linewright.model.calendars import days_of
from linewright.model.line import Line

__all__ = ["Fitted", "Measured", "Share", "fit_log", "measure"]

_OWN_CALENDAR = 500  # instants that a station needs for a calendar of its own
_DIFFERENT = 0.15  # difference in weekly hours that makes one
_RARE_STATION = 0.01
_FEW_FAILURES = 3
_ALWAYS = 0.97
_FEW_DELAYS = 10
_SHORT_DELAY = 0.02  # of the mean work of a visit
_MATTERS = 0.02
_WIDER = 1.33
_SURE = 1e-3
_RULES = ("shortest_processing_time", "least_setup")  # beside first in, first out
_COMPARED = 20_000  # times of each product that are compared


@dataclass(frozen=True, slots=True)
class Measured:
    """A log with what follows from it directly, before anything is fitted.

    Attributes:
        log: The log.
        calendar: When the line works.
        own: Calendars of stations that have their own, by station.
        clocks: Working time by each calendar; that of the line at -1.
        work_us: Time of work in each row.
        visits: Visits.
        cases: Cases.
        at_station: Positions of the visits at each station.
        rows_at: Positions of the rows at each station.
        n_nested: Setups and repairs that lay inside of work, and were taken off it.
    """

    log: EventLog
    calendar: FoundCalendar
    own: dict[int, FoundCalendar]
    clocks: dict[int, WorkTime]
    work_us: Ints
    visits: Visits
    cases: Cases
    at_station: list[Ints]
    rows_at: list[Ints]
    n_nested: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the model, or shares that add up to one, with what was counted.

    Attributes:
        path: Keys in the model; a step of a route by its operation.
        counts: How often each outcome was seen: ``sample`` and ``skip``, or ``pass``,
            ``rework`` and ``scrap``.
    """

    path: tuple[str, ...]
    counts: dict[str, float]


@dataclass(slots=True)
class Fitted:
    """A model from a log, with its evidence.

    Attributes:
        name: Name of the model.
        log: The log it was fitted to.
        data: The model as the keys and values of a file; a distribution that stands for
            its sample is a `Fit`.
        fits: Every distribution, by what it is for.
        routes: Route of each product.
        stations: What was seen of each station.
        calendars: Calendars found, by their name in the model.
        setups: Setups, by station.
        queues: Queues, by station.
        shares: Shares of steps and of their outcomes.
        waits_s: Mean wait for each station, and how many waits; where the log says it.
        problems: What the fit found wrong with the log: cases that are not whole.
        unknown: What cannot be known from the log.
        notes: What was assumed or left out.
        seed: Of the random numbers used.
        held_back_from_us: Where the part of the log begins that was not used.
    """

    name: str
    log: EventLog
    data: dict[str, Any]
    fits: dict[str, Fit] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)
    stations: dict[str, StationSeen] = field(default_factory=dict)
    calendars: dict[str, FoundCalendar] = field(default_factory=dict)
    setups: dict[str, Setups] = field(default_factory=dict)
    queues: dict[str, QueueSeen] = field(default_factory=dict)
    shares: list[Share] = field(default_factory=list)
    waits_s: dict[str, tuple[float, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seed: int = 1
    held_back_from_us: int = UNKNOWN


def measure(log: EventLog, min_cases: int = 10, line: Line | None = None) -> Measured:
    """Return what follows from a log directly.

    Args:
        log: The log.
        min_cases: Products with fewer cases are put together.
        line: A model that says calendars and products; else they are found.

    Raises:
        ValueError: The log has a product that the model has not.
    """
    rows_at = spans_between(log.station, len(log.stations))
    calendar = find_calendar(log) if line is None else _said(line, line.calendar)
    own: dict[int, FoundCalendar] = {}
    if line is not None:
        for k, name in enumerate(log.stations):
            station = line.stations.get(name)
            if station is not None and station.calendar:
                own[k] = _said(line, station.calendar)
    elif calendar.n and (calendar.spec or "clock" in calendar.note):
        for k, rows in enumerate(rows_at):
            found = _own_calendar(log, rows, calendar)
            if found is not None:
                own[k] = found
    clocks = {-1: WorkTime(calendar, log)}
    clocks |= {k: WorkTime(found, log) for k, found in own.items()}
    work_us = log.work_us.copy()
    n_nested = 0
    for k, rows in enumerate(rows_at):
        bare = rows[work_us[rows] == UNKNOWN]
        clock = clocks.get(k, clocks[-1])
        work_us[bare] = clock.between(log.start_us[bare], log.end_us[bare])
        if len(bare):
            n_nested += take_off_stops(log, rows, work_us)
    v = visits_of(log, work_us)
    return Measured(
        log=log,
        calendar=calendar,
        own=own,
        clocks=clocks,
        work_us=work_us,
        visits=v,
        cases=cases_of(log, v, min_cases, () if line is None else line.products),
        at_station=spans_between(v.station, len(log.stations)),
        rows_at=rows_at,
        n_nested=n_nested,
    )


def _said(line: Line, name: str | None) -> FoundCalendar:
    """Return a calendar of a model as one that was found."""
    calendar = line.calendars[name] if name else None
    spec = calendar.model_dump(mode="json", by_alias=True) if calendar else {}
    return FoundCalendar(spec if spec.get("shifts") else {}, 0, 0.0, "as in the model")


def _own_calendar(
    log: EventLog, rows: Ints, line: FoundCalendar
) -> FoundCalendar | None:
    """Return the calendar of a station whose hours are others than the line's."""
    if 2 * len(rows) < _OWN_CALENDAR:
        return None
    chosen = np.zeros(len(log), bool)
    chosen[rows] = True
    found = find_calendar(log, chosen)
    if not found.spec and "clock" not in found.note:
        return None
    hours = [_weekly_hours(one) for one in (line, found)]
    if abs(hours[1] - hours[0]) <= _DIFFERENT * hours[0]:
        return None
    return found


def _weekly_hours(found: FoundCalendar) -> float:
    if not found.spec:
        return 168.0
    total = 0.0
    for shift in found.spec["shifts"]:
        days = _n_days(shift["days"])
        pauses = sum(_hours(one) for one in shift.get("breaks", ()))
        total += days * (_hours(shift) - pauses)
    return total


def _n_days(text: str) -> int:
    return len(days_of(text))


def _hours(span: dict[str, str]) -> float:
    ends = [int(span[key][:2]) + int(span[key][3:]) / 60 for key in ("from", "to")]
    return (ends[1] - ends[0]) % 24 or 24.0


# ---------------------------------------------------------------- the whole way


def fit_log(
    log: EventLog,
    *,
    name: str = "",
    min_cases: int = 10,
    seed: int = 1,
    tell: Callable[[str], None] | None = None,
) -> Fitted:
    """Return the model that a log tells of, with its evidence.

    Args:
        log: The log.
        name: Name of the model; that of the file by default.
        min_cases: Products with fewer cases are put together into one.
        seed: Of the random numbers of the bootstrap.
        tell: Told what is being done.

    Raises:
        ModelError: The log has no work in it.
    """
    if not (log.kind == WORK).any():
        msg = "the log has no work in it"
        raise ModelError([Finding("LW606", msg, file=log.source)])
    m = measure(log, min_cases)
    found = Fitted(name or Path(log.source).name, log, {}, seed=seed)
    fitter = _Fitter(m, found, tell or (lambda _: None))
    fitter.run()
    return found


class _Fitter:
    """The steps of a fit; each adds to the model and to what is said about it."""

    def __init__(
        self, measured: Measured, found: Fitted, tell: Callable[[str], None]
    ) -> None:
        self.m = measured
        self.found = found
        self.tell = tell
        self.fit_of_group: dict[tuple[int, int, int], str] = {}
        self.buffers: set[str] = set()
        self.delay_of: dict[int, Fit] = {}
        self.passes = False
        self.door = "entry"
        while self.door in measured.log.stations:
            self.door += "_"

    def run(self) -> None:
        """Fit the line."""
        m, found = self.m, self.found
        self._calendars()
        self.tell("finding routes")
        routes = self._routes()
        self.tell("fitting times")
        stations = self._stations()
        self._delays()
        products = self._products(routes, stations)
        self._drop_unvisited(stations, products)
        self._waits()
        self._few()
        self._unknown()
        days = (m.log.close_us - m.log.begin_us) / 86.4e9
        horizon = f"{math.ceil(days)} d" if days > 2 else f"{math.ceil(days * 24)} h"
        data: dict[str, Any] = {"schema_version": 1, "name": found.name}
        data["start"] = self._start()
        data["time_zone"] = m.log.zone
        if m.calendar.spec:
            data["calendar"] = "line"
        if found.calendars:
            data["calendars"] = {n: c.spec for n, c in found.calendars.items()}
        if self.buffers:
            data["buffers"] = {name: {} for name in sorted(self.buffers)}
        if self.passes:
            stations[self.door] = {"process": "0 s"}
            found.notes.append(
                f'"{self.door}" is no station of the log: there, without work, it is '
                "drawn which operation comes next"
            )
        data["stations"], data["products"] = stations, products
        data["study"] = {"horizon": horizon}
        found.data = data

    def _start(self) -> str:
        us = int(local_us(np.array([self.m.log.begin_us]), self.m.log.zone)[0])
        if self.m.calendar.spec:
            us -= us % 86_400_000_000
        epoch = datetime.datetime.combine(datetime.date(1970, 1, 1), datetime.time())
        at = epoch + datetime.timedelta(microseconds=us - us % 60_000_000)
        return f"{at:%Y-%m-%d %H:%M}"

    def _calendars(self) -> None:
        m, found = self.m, self.found
        if m.calendar.spec:
            found.calendars["line"] = m.calendar
        for k, own in m.own.items():
            spec = own.spec or {"shifts": [{"days": "mon-sun", "from": "00:00",
                                            "to": "00:00"}]}  # fmt: skip
            found.calendars[self._calendar_name(k)] = replace(own, spec=spec)
        if not m.calendar.spec and "clock" not in m.calendar.note:
            found.unknown.append(f"shifts and days off: {m.calendar.note}")
        share = m.calendar.outside
        if share > 0.02:
            found.notes.append(
                f"{share:.0%} of what began or ended did so outside of the hours "
                "found: overtime, or other hours than these"
            )

    # ------------------------------------------------------------ routes

    def _routes(self) -> list[tuple[Route, Ints]]:
        m, found = self.m, self.found
        v, cases = m.visits, m.cases
        if v.note:
            found.notes.append(v.note)
        if m.n_nested:
            found.notes.append(
                f"{m.n_nested:,} setups and repairs lay inside of a piece of work; "
                "they are taken off it"
            )
        may_rework = "rework cannot be seen" not in v.note
        routes = []
        known = cases.is_begun[v.case]
        for p, name in enumerate(cases.names):
            at = np.flatnonzero((cases.product[v.case] == p) & known)
            if not len(at):  # all were there already when the log began
                at = np.flatnonzero(cases.product[v.case] == p)
            own = pick(v, at)
            route = find_route(
                own,
                cases.is_ended[own.case],
                cases.is_scrapped[own.case],
                may_rework=may_rework,
            )
            found.routes[name] = route
            routes.append((route, at))
            self._route_notes(name, route)
        if cases.pooled:
            shown = ", ".join(f"{name} ({n})" for name, n in cases.pooled[:6])
            more = f" and {len(cases.pooled) - 6} more" if len(cases.pooled) > 6 else ""
            found.notes.append(
                f"products with few cases are one here, {cases.names[-1]}: "
                f"{shown}{more}"
            )
        text = "cases had not ended when the log did; what they show until then is used"
        self._unfinished("unfinished", ~cases.is_ended, text, side="right")
        text = "cases were there already when the log began; what they show is used"
        self._unfinished("already_there", ~cases.is_begun, text, side="left")
        return routes

    def _unfinished(
        self, kind: str, chosen: Mask, text: str, *, side: Literal["left", "right"]
    ) -> None:
        """Tell of cases of which the log does not have all, with a row of some."""
        log = self.m.log
        at = np.flatnonzero(chosen & (self.m.cases.product >= 0))
        if not len(at):
            return
        worked = np.flatnonzero(log.kind == WORK)
        ends = np.searchsorted(log.case[worked], at[:3], side)
        rows = worked[ends - (side == "right")]
        examples = tuple(
            (int(log.row[i]), f"case {log.cases[c]}, {log.activities[log.activity[i]]}")
            for i, c in zip(rows.tolist(), at[:3].tolist(), strict=True)
        )
        self.found.problems.append(Problem(kind, len(at), text, examples))

    def _route_notes(self, name: str, route: Route) -> None:
        if route.missed > 0.01:
            self.found.notes.append(
                f"{name}: {route.missed:.0%} of its moves go back to another operation "
                "than most do from there; the model sends them where most go"
            )
        if route.likely < 0.7:
            self.found.notes.append(
                f"{name}: its {route.n_cases:,} cases went {route.n_ways:,} different "
                f"ways; what comes next is right with chance {route.likely:.0%} only, "
                "and which operations are skipped together is not kept"
            )

    # ------------------------------------------------------------ stations

    def _stations(self) -> dict[str, Any]:
        m, found = self.m, self.found
        stations: dict[str, Any] = {}
        came = came_before(m.visits)
        group = m.visits.activity * (len(m.cases.names) + 1)
        group = group + m.cases.product[m.visits.case]
        for k, name in enumerate(m.log.stations):
            visits = m.at_station[k]
            if not len(visits):
                continue
            rows = m.rows_at[k]
            seen = seen_at(m.log, rows, m.visits, visits)
            found.stations[name] = seen
            station: dict[str, Any] = {}
            if seen.servers > 1:
                station["servers"] = seen.servers
            worked = self._batches(name, visits, station, seen)
            self._process(k, name, worked, station)
            if k in m.own:
                station["calendar"] = self._calendar_name(k)
            self._setup(k, name, rows, visits, station, seen.servers)
            self._failures(k, name, rows, visits, station)
            self._queue(name, queue_at(m.visits, visits, came, group), station)
            stations[name] = station
            if seen.above > 0 and not seen.is_said:
                found.notes.append(
                    f"{name}: {seen.above:.1%} of its busy time more than "
                    f"{seen.servers} were at work, at most {seen.at_once}"
                )
        return stations

    def _queue(self, name: str, queue: QueueSeen, station: dict[str, Any]) -> None:
        """Take over the order in which parts are served, where it can be told."""
        self.found.queues[name] = queue
        if queue.rule == NO_RULE:
            self.found.notes.append(
                f"{name}: of {queue.n_choices:,} times that several waited, the one "
                f"that had come first was served in {queue.share:.0%}, and no rule "
                "that is known explains the rest; the model serves them as they come"
            )
        elif "dispatch" not in station and queue.rule in _RULES:
            station["dispatch"] = queue.rule
            self.found.notes.append(
                f"{name}: which part is served next is as by {queue.rule} in "
                f"{queue.share:.0%} of {queue.n_choices:,} choices"
            )

    def _batches(
        self, name: str, visits: Ints, station: dict[str, Any], seen: StationSeen
    ) -> Ints:
        """Find parts that are worked on together; return one visit of each batch."""
        if not seen.is_said or seen.at_once <= seen.servers:
            return visits
        most, alone = batches_at(self.m.visits, visits)
        if most > 1:
            station["batch"] = {"max": most}
            self.found.notes.append(
                f"{name}: up to {most} parts are worked on together, in batches; how "
                "many have to be there, and how long they wait, is not known"
            )
            return alone
        self.found.notes.append(
            f"{name}: at most {seen.at_once} parts at once on {seen.servers} servers, "
            "which begin or end apart, as on a belt; the model has one at a time"
        )
        return visits

    def _fit(self, name: str, times_s: Floats, **plain: tuple[str, ...]) -> Fit:
        resolution_s = self.m.log.resolution_us / 1e6
        if "work" in self.m.log.said:
            resolution_s = 0.0
        fit = fit_times(
            name, times_s, resolution_s=resolution_s, seed=self.found.seed, **plain
        )
        self.found.fits[name] = fit
        return fit

    def _process(
        self, k: int, name: str, visits: Ints, station: dict[str, Any]
    ) -> None:
        """Fit the times of a station: of each operation and product that differ."""
        v, cases = self.m.visits, self.m.cases
        activity, product = v.activity[visits], cases.product[v.case[visits]]
        groups: list[tuple[int, int, Floats]] = []
        for a in np.unique(activity).tolist():
            here = activity == a
            times, kinds = v.work_s[visits][here], product[here]
            groups += [(a, p, t) for p, t in _differing(times, kinds)]
        if len(groups) == 1:
            path = f"stations.{name}.process"
            station["process"] = self._fit(path, groups[0][2])
            self.fit_of_group[(k, groups[0][0], -1)] = ""  # that of the station
            return
        for a, p, times in groups:
            said = self.m.log.activities[a]
            path = f"stations.{name}.{said}"
            if p >= 0:
                path += f".{cases.names[p]}"
            self._fit(path, times)
            self.fit_of_group[(k, a, p)] = path

    def _process_of(self, k: int, a: int, p: int) -> Fit | None:
        """Return the time of an operation at a station; none: that of the station."""
        path = self.fit_of_group.get((k, a, p), self.fit_of_group.get((k, a, -1), ""))
        return self.found.fits[path] if path else None

    def _setup(
        self,
        k: int,
        name: str,
        rows: Ints,
        visits: Ints,
        station: dict[str, Any],
        servers: int,
    ) -> None:
        m, found = self.m, self.found
        setups = setups_at(
            m.log,
            rows,
            m.visits,
            visits,
            m.cases.product,
            work_us=m.work_us,
            servers=servers,
        )
        if setups is None:
            return
        found.setups[name] = setups
        if setups.is_each:
            station["load"] = self._fit(f"stations.{name}.load", setups.times_s)
            share = float((setups.times_s > 0).mean())
            found.notes.append(
                f"{name}: {share:.0%} of its visits were set up, whatever product came "
                "before; the time stands as its `load`, with zero for the rest"
            )
            return
        setup: dict[str, Any] = {
            "time": self._fit(f"stations.{name}.setup", setups.times_s)
        }
        matrix: dict[str, dict[str, Fit]] = {}
        for (a, b), times in setups.pairs.items():
            before, after = m.cases.names[a], m.cases.names[b]
            path = f"stations.{name}.setup.{before}.{after}"
            matrix.setdefault(before, {})[after] = self._fit(path, times)
        if matrix:
            setup["matrix"] = matrix
        station["setup"] = setup

    def _failures(
        self, k: int, name: str, rows: Ints, visits: Ints, station: dict[str, Any]
    ) -> None:
        m, found = self.m, self.found
        failures = failures_at(m.log, rows, m.visits, visits, m.work_us)
        if failures is None:
            return
        n = len(failures.repair_s)
        if n < _FEW_FAILURES:
            found.notes.append(
                f"{name}: {n} repairs of {failures.repair_s.sum() / 3600:.3g} h in all "
                "are too few to fit; they are left out of the model"
            )
            return
        path = f"stations.{name}.failures.every"
        up = self._fit(path, failures.up_s, plain=("exponential",))
        up = self._with_open_end(up, failures)
        repair = self._fit(f"stations.{name}.failures.repair", failures.repair_s)
        station["failures"] = {"failure": {"every": up, "repair": repair}}

    def _with_open_end(self, up: Fit, failures: Failures) -> Fit:
        """Count what was worked since the last failure, too, where that is simple."""
        if up.kind != "exponential":
            return up
        mean = failures.worked_s / len(failures.up_s)
        ratio = mean / up.parameters[0]
        intervals = tuple(
            replace(one, value=mean, low=one.low * ratio, high=one.high * ratio)
            for one in up.intervals
        )
        moved = replace(up, parameters=(mean,), intervals=intervals)
        self.found.fits[up.name] = moved
        return moved

    def _delays(self) -> None:
        """Fit what cases wait beyond what stations explain, for each operation."""
        m, found = self.m, self.found
        if "work" in m.log.said:  # a trace: its own line explains it
            return
        servers = {
            k: found.stations[name].servers
            for k, name in enumerate(m.log.stations)
            if name in found.stations
        }
        delays_s, at = delays_of(m.log, m.visits, m.rows_at, servers)
        work_s = float(m.visits.work_s.mean()) if len(m.visits) else 0.0
        for a, name in enumerate(m.log.activities):
            own = delays_s[m.visits.activity[at] == a]
            if len(own) >= _FEW_DELAYS and own.mean() > _SHORT_DELAY * work_s:
                self.delay_of[a] = self._fit(f"delays.{name}", own)
        if self.delay_of:
            found.notes.append(
                "cases wait with a server free, or in the middle of their work, for "
                "reasons that the log does not tell; such waits stand as `transport` "
                "to the operation"
            )

    # ------------------------------------------------------------ products

    def _products(
        self, routes: list[tuple[Route, Ints]], stations: dict[str, Any]
    ) -> dict[str, Any]:
        products: dict[str, Any] = {}
        for p, (name, (route, at)) in enumerate(
            zip(self.m.cases.names, routes, strict=True)
        ):
            product: dict[str, Any] = {"route": self._steps(p, route, at, stations)}
            release = self._release(p, name)
            if release:
                product["release"] = release
            products[name] = product
        for join in self.m.log.joins:
            self.found.notes.append(join_into(join, products))
        return products

    def _steps(
        self, p: int, route: Route, at: Ints, stations: dict[str, Any]
    ) -> list[dict[str, Any]]:
        log, v = self.m.log, self.m.visits
        names = list(_step_names(log, route))
        steps: list[dict[str, Any]] = []
        targets = {step.rework_to for step in route.steps}
        for i, step in enumerate(route.steps):
            if step.is_rework_only and i not in targets:
                self.found.notes.append(
                    f"{self.m.cases.names[p]}: {names[i]} ({step.n_visits} visits) is "
                    "left out; cases come to it only going back, most of them elsewhere"
                )
                continue
            visits = at[route.step_of_visit == i]
            count = np.bincount(v.station[visits], minlength=len(log.stations))
            kept = np.flatnonzero(count >= _RARE_STATION * count.sum())
            kept = kept[np.argsort(-count[kept], kind="stable")]
            own: dict[str, Any] = {"operation": names[i]}
            times = {log.stations[k]: self._process_of(int(k), step.activity, p)
                     for k in kept.tolist()}  # fmt: skip
            if len(kept) == 1:
                k = int(kept[0])
                own["station"] = log.stations[k]
                if times[log.stations[k]] is not None:
                    own["process"] = times[log.stations[k]]
            else:
                own["station"] = list(times)
                if any(fit is not None for fit in times.values()):
                    own["station"] = {
                        n: fit or self.found.fits[f"stations.{n}.process"]
                        for n, fit in times.items()
                    }
                own["choose"], own["buffer"] = "first_free", f"before {names[i]}"
                self.buffers.add(own["buffer"])
            if steps and step.activity in self.delay_of:
                own["transport"] = self.delay_of[step.activity]
            if step.sample < 1:
                own["sample"] = round(step.sample, 4)
            if step.is_rework_only:
                own["rework_only"] = True
            # a model asks that all visit the first step, and the one after rework
            is_first = not steps
            is_after = not is_first and steps[-1].get("rework_only", False)
            if (step.sample < 1 and (is_first or is_after)) or (
                step.is_rework_only and is_first
            ):
                steps.append(self._passing(names[i], is_first=is_first))
            self._verdict(own, step, names)
            self._shares(own, step, ("products", self.m.cases.names[p], "route"))
            steps.append(own)
        return steps

    def _shares(
        self, own: dict[str, Any], step: RouteStep, place: tuple[str, ...]
    ) -> None:
        """Keep what the shares of a step were counted from."""
        place = (*place, own["operation"])
        if "sample" in own:
            taken = step.sample * step.n_passed
            counts = {"sample": taken, "skip": step.n_passed - taken}
            self.found.shares.append(Share((*place, "sample"), counts))
        if "inspection" in own:
            counts = {
                key: own["inspection"].get(key, 0.0) * step.n_visits
                for key in ("pass", "rework", "scrap")
            }
            self.found.shares.append(Share((*place, "inspection"), counts))

    def _passing(self, name: str, *, is_first: bool) -> dict[str, Any]:
        """Return a step without work, at which it is drawn whether the next is done."""
        self.passes = True
        return {
            "operation": "entry" if is_first else f"to {name}",
            "station": self.door,
        }

    def _verdict(self, own: dict[str, Any], step: Any, names: list[str]) -> None:
        rework, scrap = round(step.rework, 4), round(step.scrap, 4)
        if not rework and not scrap:
            return
        total = rework + scrap
        if total >= 1:  # what never passes would never leave
            rework = max(rework - (total - 0.999), 0)
        verdict: dict[str, Any] = {"pass": round(1 - rework - scrap, 4)}
        if rework:
            verdict |= {"rework": rework, "rework_to": names[step.rework_to]}
        if scrap:
            verdict["scrap"] = scrap
        own["inspection"] = verdict

    def _release(self, p: int, name: str) -> dict[str, Any]:
        log, cases = self.m.log, self.m.cases
        own = (cases.product == p) & cases.is_begun & (cases.arrival_us != UNKNOWN)
        arrival_us = np.sort(cases.arrival_us[own])
        if self._is_saturated(p):
            self.found.notes.append(
                f"{name}: its first station is at work nearly all of the time, so "
                "cases may come in when there is room for them; the model has them "
                "come by themselves"
            )
        if "pulled" in log.said:
            self.found.notes.append(
                f"{name}: a case comes in whenever the first station can take one, so "
                "it does in the model"
            )
            share = int((cases.product == p).sum())
            return {"share": share} if len(cases.names) > 1 else {}
        if len(arrival_us) < 2:
            days = max((log.close_us - log.begin_us) / 86.4e9, 1e-3)
            self.found.notes.append(
                f"{name}: fewer than two arrivals; one in the time of the log"
            )
            return {"every": f"{days:.4g} d"}
        path = f"products.{name}.release.every"
        k = first_station(self.m.visits, self.m.cases.product, p)
        named = {-1: "line", k: self._calendar_name(k) if k in self.m.own else "line"}
        clocks = {
            name: self.m.clocks.get(place, self.m.clocks[-1])
            for place, name in named.items()
            if name in self.found.calendars
        }
        calendar, inside = calendar_of(arrival_us, clocks)
        if not calendar:
            if inside < 1:
                self.found.notes.append(
                    f"{name}: {1 - inside:.0%} of its cases come outside of the hours "
                    "of work, so in the model they come around the clock, at the "
                    "distances of the log"
                )
            return {"every": self._fit(path, np.diff(arrival_us) / 1e6)}
        gaps_us = clocks[calendar].between(arrival_us[:-1], arrival_us[1:])
        return {"every": self._fit(path, gaps_us / 1e6), "calendar": calendar}

    def _calendar_name(self, k: int) -> str:
        """Return what the calendar of a station is called."""
        name = self.m.log.stations[k]
        return name if name != "line" else "line-station"

    def _is_saturated(self, p: int) -> bool:
        """Say whether the first station of a product never lacks work."""
        if "queued" in self.m.log.said:
            return False
        log = self.m.log
        k = first_station(self.m.visits, self.m.cases.product, p)
        if k < 0:
            return False
        rows = self.m.rows_at[k]
        clock = self.m.clocks.get(k, self.m.clocks[-1])
        there_us = clock.on_us(
            int(log.start_us[rows].min()), int(log.end_us[rows].max())
        )
        servers = seen_at(log, rows, self.m.visits, self.m.at_station[k]).servers
        busy_us = float(self.m.work_us[rows].sum())
        return len(rows) > FEW and busy_us > _ALWAYS * servers * there_us

    # ------------------------------------------------------------ what is left

    def _drop_unvisited(
        self, stations: dict[str, Any], products: dict[str, Any]
    ) -> None:
        """Leave out stations to which no route goes."""
        used = {
            name
            for product in products.values()
            for step in product["route"]
            for name in (
                step["station"] if not isinstance(step["station"], str)
                else [step["station"]]
            )
        }  # fmt: skip
        for name in [name for name in stations if name not in used]:
            n = self.found.stations.pop(name).n_visits
            del stations[name]
            self.found.calendars.pop(name, None)
            self.found.notes.append(
                f"{name} ({n} visits) is left out: no case whose route is known comes "
                "to it often enough"
            )

    def _waits(self) -> None:
        """Tell how long cases wait for each station, where the log says so."""
        m = self.m
        if "queued" not in m.log.said:
            return
        v = m.visits
        wait_us = v.start_us - came_us(v)
        said = v.queued_us != UNKNOWN
        for k, name in enumerate(m.log.stations):
            own = m.at_station[k][said[m.at_station[k]]]
            if len(own):
                waits = wait_us[own] / 1e6
                self.found.waits_s[name] = (float(waits.mean()), len(own))

    def _few(self) -> None:
        """Warn of inputs that rest on few times, and name some."""
        few = sorted(
            (fit for fit in self.found.fits.values() if fit.n < FEW), key=lambda f: f.n
        )
        if few:
            shown = ", ".join(f"{fit.name} ({fit.n})" for fit in few[:3])
            more = ", …" if len(few) > 3 else ""
            self.found.notes.append(
                f"{len(few)} of {len(self.found.fits)} inputs rest on fewer than {FEW} "
                f"times: {shown}{more}; do not rely on them"
            )

    def _unknown(self) -> None:
        log, found = self.m.log, self.found
        kinds = set(np.unique(log.kind).tolist())
        say = found.unknown.append
        if FAILURE not in kinds:
            say("failures and repairs: no row tells of one; if there were some, they "
                "are in the times of work")  # fmt: skip
        if "setup" not in log.said:
            say("setups: no row tells of one; if there were some, they are in the "
                "times of work, or between them")  # fmt: skip
        if "queued" not in log.said:
            say("when a case came to a station, and so its wait and its way there; a "
                "case is taken to come to the line when its work begins")  # fmt: skip
        if any(not seen.is_said for seen in found.stations.values()):
            say("which server did what: servers are counted by what was at work at "
                "once, and one that is never needed is not seen")  # fmt: skip
        say("places in buffers: they are unlimited here; there were at least as many "
            "as the largest queue, which stands above each station")  # fmt: skip
        if "queued" not in log.said:
            say("which part is served next: here they are served as they come")
        say("people, tools and material that work waits for")
        if not log.joins and "work" not in log.said:
            say("which units are built into which: no row tells of it")
        if len(np.unique(self.m.visits.station)) > len(
            np.unique(self.m.visits.activity)
        ):
            say("how one of several stations is chosen: here the first that is free")


def _differing(times_s: Floats, product: Ints) -> Iterator[tuple[int, Floats]]:
    """Yield the times of products that differ by themselves, the rest together.

    They differ where the test of Kruskal and Wallis is sure of it, and it matters: a
    fiftieth of the mean, or a third of the spread.
    """
    kinds, counts = np.unique(product, return_counts=True)
    large = [int(p) for p, n in zip(kinds, counts, strict=True) if n >= FEW]
    parts = [times_s[product == p] for p in large]
    if len(large) < 2 or not _is_apart(parts):
        yield -1, times_s
        return
    yield from zip(large, parts, strict=True)
    inside = np.isin(product, large)
    if not inside.all():
        yield -1, times_s[~inside]


def _is_apart(parts: list[Floats]) -> bool:
    means = np.array([part.mean() for part in parts])
    spreads = np.array([part.std() for part in parts])
    if np.ptp(np.concatenate(parts)) == 0:
        return False
    matters = np.ptp(means) > _MATTERS * means.mean()
    wide = spreads.max() > _WIDER * max(spreads.min(), 1e-9)
    if not (matters or wide):
        return False
    return wide or float(stats.kruskal(*(p[:_COMPARED] for p in parts)).pvalue) < _SURE


def _step_names(log: EventLog, route: Route) -> Iterator[str]:
    """Yield a name for each step, all different."""
    taken: set[str] = set()
    for step in route.steps:
        name = log.activities[step.activity]
        n = step.time + 1
        found = name if n == 1 else f"{name} {n}"
        while found in taken:
            n += 1
            found = f"{name} {n}"
        taken.add(found)
        yield found
