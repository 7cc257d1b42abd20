"""How a line is that follows a schedule, for one who schedules what is left of it.

What is going on and how long it still takes is what a forecast would say on average:
`forecast.simulated_state` gives each piece of work a time that is longer than what has
passed, and the mean of some is taken. Where times are certain, that is the time.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import numpy as np

from linewright import tables as t
from linewright.control.begun import Begun
from linewright.control.by_schedule import BySchedule, run_by_schedule
from linewright.control.core import Core
from linewright.control.forecast import expected_left_us, simulated_state
from linewright.control.jobs import BY_NAME
from linewright.control.openings import laid_out
from linewright.control.ordering import fitted
from linewright.control.places import Place
from linewright.control.reading import open_reader
from linewright.control.records import Record
from linewright.lower import Lowered, new_draws
from linewright.model.line import Line
from linewright.schedule.continuing import InLine, Key, Now, Times, Work
from linewright.schedule.following import PlannedJob, line_that_follows
from linewright.schedule.scheduled import without_spread

__all__ = ["begun_of", "going_on", "present"]

_N_DRAWS = 25
_N_ROWS = 1 << 14
_AT_WORK = (t.ON_SERVER, t.BLOCKED_ON_SERVER)


def begun_of(place: str | os.PathLike[str] | Place) -> Begun:
    """Return what was begun in all of a journal.

    Raises:
        JournalError: There is no such journal, or it was changed.
    """
    reader = open_reader(place)
    try:
        line = Line.model_validate(reader.opening.model)
        lowered = laid_out(line, 0, follows=reader.opening.follows)
        begun = Begun(Core(lowered, reader.opening.seed))
        for stored in reader.read():
            begun.take(stored.record)
    finally:
        reader.close()
    return begun


def present(core: Core, begun: Begun, seed: int) -> Now:
    """Return how a line is.

    Args:
        core: The line, which follows a schedule; it is not changed.
        begun: What was begun of it, since its start.
        seed: Seed of the streams by which what goes on is prolonged.
    """
    assert core.by_schedule is not None
    return _Looker(core, core.by_schedule, begun, seed).now()


def going_on(core: Core, line: Line, until_us: int, seed: int) -> dict[Key, Times]:
    """Simulate a line as it goes on by its schedule, without chance.

    Args:
        core: The line, which follows a schedule; it is not changed.
        line: Its model.
        until_us: When to stop at the latest.
        seed: Seed of the streams by which what goes on is prolonged, as for `present`.

    Returns:
        Where and when each operation is done that is begun from now on.
    """
    assert core.by_schedule is not None
    by = core.by_schedule.copy()
    lowered = _without_chance(core, line, until_us)
    draws = new_draws(lowered, seed, 1)
    left_us = expected_left_us(core, seed, _N_DRAWS)
    state = simulated_state(core, lowered, draws, left_us)
    n_rows = _N_ROWS + 16 * int(lowered.tables.settings[t.S_MARGIN])
    state = state._replace(trace=np.zeros((n_rows, len(t.TRACE_COLUMNS)), np.int64))
    state.clock["tracing"] = 1
    begun = Begun(core)

    def take(rows: t.Ints) -> None:
        for at_us, *row in rows.tolist():
            begun.take(Record("", at_us, {}, [row]))

    run_by_schedule(by, lowered, state, draws, until_us, take)
    names, found = lowered.names, {}
    first = lowered.tables.stations["first_server"]
    for real in begun.bars:
        job = by.job_of(real.order)
        if job is None or real.end_us < 0:
            continue
        k = int(core.state.servers["station"][real.server])
        key = job.order or job.part, job.part, names.operations[real.step]
        server = real.server - int(first[k])
        found[key] = names.stations[k], server, real.begin_us, real.end_us
    return found


def _without_chance(core: Core, line: Line, until_us: int) -> Lowered:
    """Return the tables of a line in which times are means and nothing goes wrong.

    All rows of a state stay what they are.
    """
    means = line_that_follows(without_spread(line), until_us)
    asked = core.asked
    lowered = fitted(means, core.state, asked.came, asked.largest)
    modes, steps = lowered.tables.modes.copy(), lowered.tables.steps.copy()
    modes["first"] = modes["every"] = -1
    steps["good"] = 1.0
    return lowered._replace(tables=lowered.tables._replace(modes=modes, steps=steps))


class _Looker:
    """Looks at a line, part by part."""

    def __init__(self, core: Core, by: BySchedule, begun: Begun, seed: int) -> None:
        self._core, self._by = core, by
        state, names = core.state, core.lowered.names
        self._stations = names.stations
        self._server_at = [
            (
                names.stations[k],
                s - int(core.lowered.tables.stations["first_server"][k]),
            )
            for s, k in enumerate(state.servers["station"].tolist())
        ]
        self._left_us: Counter[int] = Counter()
        self._phase: dict[int, str] = {}
        self._on_the_way: dict[int, int] = {}
        self._returning: list[tuple[str, int]] = []
        self._look_at_jobs(expected_left_us(core, seed, _N_DRAWS))
        self._servers: dict[int, dict[str, int]] = {}
        for real in begun.bars:
            done = self._servers.setdefault(real.order, {})
            done[names.operations[real.step]] = real.server
        self._last = begun.last
        self._places = _places(core)
        self._notes: Counter[str] = Counter()

    def _look_at_jobs(self, left_us: dict[str, int]) -> None:
        """Note how long servers still work or are repaired, and parts are moved."""
        for job in self._core.jobs.values():
            if BY_NAME[job.action].phase >= 0:
                self._left_us[job.row] += left_us[job.id]
                self._phase[job.row] = job.action
            elif job.action == "repair":
                modes = self._core.lowered.tables.server_modes
                self._left_us[int(modes["server"][job.row])] += left_us[job.id]
            elif job.action == "move":
                self._on_the_way[job.row] = left_us[job.id]
            elif job.action == "return":
                name = self._core.lowered.names.stocks[job.row]
                self._returning.append((name, left_us[job.id]))

    def now(self) -> Now:
        """Return how it is."""
        core, by, state = self._core, self._by, self._core.state
        parts = state.parts
        rows = np.flatnonzero((parts["product"] >= 0) & (parts["order"] >= 0))
        at: dict[int, int] = {int(parts["order"][p]): p for p in rows.tolist()}
        put_off = core.asked.put_off
        in_line, to_come = [], []
        for name, row in sorted(by.rows.items(), key=lambda one: self._turn(one[1])):
            job = by.job_of(row)
            assert job is not None, name
            if put_off.get(row) == "cancelled":
                continue
            if row in at:
                in_line.append(self._part(job, at[row]))
            elif not self._has_come(row):
                to_come.append(job)
            elif int(state.orders["scrapped"][row]) and not job.into:
                to_come.append(self._anew(job))
        stock = Counter(
            core.lowered.names.products[int(parts["product"][p])]
            for p in np.flatnonzero(parts["product"] >= 0).tolist()
            if parts["where"][p] == t.IN_STORE and parts["order"][p] < 0
        )
        return Now(
            core.now_us,
            tuple(in_line),
            tuple(to_come),
            dict(stock),
            dict(self._setups()),
            dict(self._down()),
            tuple(self._returning),
            tuple(
                text if n == 1 else f"{text} ({n} times)"
                for text, n in self._notes.items()
            ),
        )

    def _turn(self, row: int) -> tuple[int, int]:
        real = self._last.get(row)
        return (t.NEVER if real is None else real.begin_us), row

    def _has_come(self, row: int) -> bool:
        """Say whether a part that is not in the line has been there."""
        order = self._core.state.orders[row]
        over = int(order["finished"]) >= 0 or int(order["scrapped"]) > 0
        return over or row in self._last

    def _anew(self, job: PlannedJob) -> PlannedJob:
        """Return a part that is made in the place of one that was scrapped."""
        number = max(
            int(name.rpartition(":")[2])
            for name in self._by.rows
            if name.rpartition("/")[2].startswith(f"{job.product}:")
        )
        self._notes[f"a {job.product} was scrapped, and is made again"] += 1
        n = self._notes[f"a {job.product} was scrapped, and is made again"]
        return job._replace(part=f"{job.product}:{number + n}")

    def _part(self, job: PlannedJob, p: int) -> InLine:
        core = self._core
        part, tables = core.state.parts[p], core.lowered.tables
        where, step = int(part["where"]), int(part["step"])
        if part["visits"] > 0:
            self._notes["parts that are reworked: as if they went on from there"] += 1
        done = self._places.get(step, 0)
        if step == t.COMPLETE:
            done = sum(
                1
                for k in self._places
                if int(tables.steps["product"][k]) == part["product"]
            )
        work = None
        if where in _AT_WORK:
            s = int(part["place"])
            real = self._last.get(int(part["order"]))
            begun_us = core.now_us if real is None else real.begin_us
            phase = self._phase.get(s, "")
            if where == t.BLOCKED_ON_SERVER:
                work = Work(self._server_at[s], begun_us, 0, "over")
            else:
                work = Work(self._server_at[s], begun_us, self._left_us[s], phase)
                if not phase:
                    self._notes["work that waits for people: they come now"] += 1
        ready_us = core.now_us + self._on_the_way.get(p, 0)
        done_at = self._servers.get(int(part["order"]), {})
        servers = {name: self._server_at[s] for name, s in done_at.items()}
        return InLine(job, done, ready_us, int(part["queued"]), work, servers)

    def _setups(self) -> Iterator[tuple[tuple[str, int], int]]:
        servers = self._core.state.servers
        for s, family in enumerate(servers["family"].tolist()):
            if family >= 0:
                yield self._server_at[s], family

    def _down(self) -> Iterator[tuple[tuple[str, int], int]]:
        servers = self._core.state.servers
        for s in np.flatnonzero(
            (servers["down"] >= 0) & (servers["part"] < 0)
        ).tolist():
            if left_us := self._left_us[s]:
                yield self._server_at[s], left_us


def _places(core: Core) -> dict[int, int]:
    """Return for each step its place among those that parts of its product go."""
    tables = core.lowered.tables
    found = {}
    for first in tables.products["first_step"].tolist():
        step, n = first, 0
        while step >= 0:
            found[step] = n
            step, n = int(tables.steps["next"][step]), n + 1
    return found
