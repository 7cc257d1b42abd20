"""From a problem to a schedule, with a bound.

Shops that `structures` knows are searched locally first, for a share of the time that
grows with their size. CP-SAT gets all of a problem that is not too large, and a
schedule to begin from. Its objectives are looked at in their order, each with those
before it held at what was reached. Larger problems are improved window by window: some
operations are free, the others stand, and what comes out is put to the left again; the
bound is then that of a relaxation, and said to be so. At any time there is the best
schedule so far.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from linewright.errors import LinewrightError
from linewright.schedule._model import OBJECTIVES, CpModel, Former
from linewright.schedule.assigning import assigned, is_assignment
from linewright.schedule.bounds import simple_bounds
from linewright.schedule.listing import tightened
from linewright.schedule.local_search import LocalSearch, improve, searches_of
from linewright.schedule.measures import measure, measures
from linewright.schedule.problem import Problem, Solution
from linewright.schedule.windows import improved
from linewright.units import format_duration

__all__ = [
    "DEFAULT_OBJECTIVES",
    "Level",
    "Progress",
    "Solved",
    "require_ortools",
    "require_sense",
    "solve",
]

DEFAULT_OBJECTIVES = ("tardiness", "flow_time")

LEAST_WORKERS = 8
"""CP-SAT proves little with fewer, even on one core (or-tools issue 3662)."""

MOST_WHOLE = 2_500
"""Operations up to which CP-SAT gets all of a problem."""

_A_LITTLE, _FIRST_S = 0.05, 0.5
"""Share of the time, and seconds, that every shop is searched before CP-SAT begins."""

_MOST_ORDERED = 20_000
"""Operations of pairs of jobs in one order up to which CP-SAT gets a flow shop."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the search is.

    Attributes:
        seconds: Since its begin.
        objective: The objective that is looked at now.
        value: Its value in the best schedule so far.
        bound: No schedule has less.
        what: What is being done, in a word or two.
    """

    seconds: float
    objective: str
    value: int | None
    bound: int
    what: str

    def line(self) -> str:
        """Return it in one line."""
        if self.value is None:
            return f"{self.seconds:6.1f} s  {self.what}: no schedule yet"
        amounts = [str(self.value), str(self.bound)]
        if self.objective != "late_orders":
            amounts = [format_duration(self.value), format_duration(self.bound)]
        gap = (self.value - self.bound) / self.value if self.value > self.bound else 0.0
        name = self.objective.replace("_", " ")
        return (
            f"{self.seconds:6.1f} s  {self.what}: {name} {amounts[0]}, bound "
            f"{amounts[1]}, gap {gap:.1%}"
        )


@dataclass(frozen=True, slots=True)
class Level:
    """One objective of a schedule.

    Attributes:
        objective: Its name.
        value: What the schedule has of it: microseconds, weighted or summed, or a
            number of orders.
        bound: No schedule that is as good by the objectives before has less.
        proven: Whether value and bound are the same.
    """

    objective: str
    value: int
    bound: int

    @property
    def proven(self) -> bool:
        """Say whether no schedule is better."""
        return self.value <= self.bound

    @property
    def gap(self) -> float:
        """Return how far the bound is below the value, as a share of the value."""
        return (
            (self.value - self.bound) / self.value if self.value > self.bound else 0.0
        )


@dataclass(frozen=True, eq=False, slots=True)
class Solved:
    """A schedule and what is known of it.

    Attributes:
        status: ``optimal`` (proven for every objective), ``feasible``, ``infeasible``
            (there is none) or ``unknown`` (none was found, none refuted).
        solution: The schedule, if there is one.
        levels: The objectives, in their order.
        seconds: Time that it took.
        interrupted: Whether it was stopped before its time.
        method: How the schedule came about.
    """

    status: str
    solution: Solution | None
    levels: tuple[Level, ...]
    seconds: float
    interrupted: bool = False
    method: str = ""


def require_ortools() -> None:
    """Raise where OR-Tools is not installed.

    Raises:
        LinewrightError: It is not; with what to do.
    """
    try:
        from ortools.sat.python import cp_model  # noqa: F401, PLC0415 - optional
    except ImportError as error:
        msg = (
            "schedules need OR-Tools; install it with: pip install linewright[schedule]"
        )
        raise LinewrightError(msg) from error


def require_sense(objectives: Sequence[str], limit_s: float) -> None:
    """Raise where objectives or time limit are out of range.

    Raises:
        ValueError: They are.
    """
    if unknown := [name for name in objectives if name not in OBJECTIVES]:
        msg = f'"{unknown[0]}" is no objective; there are {", ".join(OBJECTIVES)}'
        raise ValueError(msg)
    if not objectives or limit_s <= 0:
        msg = "a schedule needs an objective, and a time limit above zero"
        raise ValueError(msg)


def solve(  # noqa: PLR0913
    problem: Problem,
    *,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    hint: Solution | None = None,
    former: Former | None = None,
    limit_s: float = 60.0,
    workers: int | None = None,
    until_us: int | None = None,
    seed: int = 0,
    on_time: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Solved:
    """Return the best schedule that is found in a time.

    Args:
        problem: The problem.
        objectives: What counts, the most important first; each settles the ties that
            those before it leave.
        hint: A schedule to begin from; the answer is none worse.
        former: Mode, server and begin of operations before, for ``stability``.
        limit_s: Seconds.
        workers: Threads of CP-SAT, 8 at least; as many as there are cores by default.
        until_us: All is over by then; twice the hint's end by default. The bound holds
            for schedules that are.
        seed: Seed of the search.
        on_time: Whether every order has to be done when it is due.
        on_progress: Called whenever something gets better.
        clock: What the seconds of the limit are counted by; `time.process_time` makes
            them seconds of the processor, for comparisons on a busy machine.

    Raises:
        LinewrightError: OR-Tools is not installed.
        ValueError: An argument is out of its range, or operations wait for each other.
    """
    require_ortools()
    require_sense(objectives, limit_s)
    problem.in_order()
    search = _Search(problem, tuple(objectives), hint, former, on_progress, clock)
    search.limit_s, search.seed, search.on_time = limit_s, seed, on_time
    search.workers = max(workers or os.cpu_count() or 1, LEAST_WORKERS)
    search.until_us = until_us or _horizon(problem, hint)
    search.has_limit = until_us is not None
    return search.run()


def _horizon(problem: Problem, hint: Solution | None) -> int:
    """Return by when all is over: twice the hint's end, or all work in a row."""
    if hint is not None:
        least = max((o.release_us for o in problem.operations), default=0)
        return max(2 * int(hint.end_us.max(initial=0)), least)
    setups = [max(map(max, s.setups_us)) for s in problem.stations if s.setups_us]
    total = max((o.release_us for o in problem.operations), default=0)
    for operation in problem.operations:
        total += max(mode.work_us for mode in operation.modes) + operation.rest_us
        total += max(setups, default=0)
    for link in problem.links:
        total += link.min_us + max((us for _, _, us in link.ways_us), default=0)
    for calendar in problem.calendars:
        if len(calendar.end_us):
            total = max(total, int(calendar.end_us[-1]))
    return total


class _Search:
    """One search: the best schedule so far, the bounds, and the time that is left."""

    limit_s: float
    seed: int
    on_time: bool
    workers: int
    until_us: int
    has_limit: bool

    def __init__(
        self,
        problem: Problem,
        objectives: tuple[str, ...],
        hint: Solution | None,
        former: Former | None,
        on_progress: Callable[[Progress], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self.problem, self.objectives, self.clock = problem, objectives, clock
        self.best, self.former = hint, former or {}
        self.on_progress = on_progress
        self.bounds: dict[str, int] = {}
        self.start = clock()
        self.interrupted = False
        self.refuted = False
        self.optimal: set[str] = set()
        self.method = "the schedule that it began from"

    def left_s(self) -> float:
        """Return the seconds that are left."""
        return self.limit_s - (self.clock() - self.start)

    def value(self, name: str, solution: Solution) -> int:
        """Return an objective of a schedule."""
        return measure(self.problem, solution, name, self.former)

    def tell(self, name: str, bound: int, what: str) -> None:
        """Tell of progress."""
        if self.on_progress is not None:
            value = None if self.best is None else self.value(name, self.best)
            seconds = self.clock() - self.start
            self.on_progress(Progress(seconds, name, value, bound, what))

    def run(self) -> Solved:
        """Search to the end of the time, or to a proof."""
        self.bounds = simple_bounds(self.problem, self.objectives)
        try:
            if self._is_assignment():
                self._assign()
            elif self._searched_locally():
                pass  # it had all the time
            elif len(self.problem.operations) > MOST_WHOLE and self.best is not None:
                self._by_windows()
            else:
                self._whole()
        except KeyboardInterrupt:
            self.interrupted = True
        return self._solved()

    def _solved(self) -> Solved:
        seconds = self.clock() - self.start
        if self.best is None:
            status = "infeasible" if self.refuted else "unknown"
            return Solved(status, None, (), seconds, self.interrupted, "CP-SAT")
        levels = []
        for name in self.objectives:
            value = self.value(name, self.best)
            levels.append(Level(name, value, min(self.bounds[name], value)))
        status = "optimal" if all(level.proven for level in levels) else "feasible"
        return Solved(
            status, self.best, tuple(levels), seconds, self.interrupted, self.method
        )

    # ------------------------------------------------------------ who does what

    def _is_assignment(self) -> bool:
        return (
            self.objectives == ("makespan",)
            and not self.on_time
            and is_assignment(self.problem)
        )

    def _assign(self) -> None:
        """Solve a problem without any order as one of who does what."""
        model, on_solution = assigned(self.problem, on_better=self._better_assigned)
        answer = run_cp_sat(
            model,
            seconds=self.left_s(),
            clock=self.clock,
            workers=self.workers,
            seed=self.seed,
            on_solution=on_solution,
        )
        bound = _whole_units(answer.raw_bound, 1)
        self.bounds["makespan"] = max(self.bounds["makespan"], bound)
        self.interrupted = answer.interrupted

    def _better_assigned(self, solution: Solution, bound: float) -> None:
        if self.best is None or self._is_no_worse(solution):
            self.best, self.method = solution, "CP-SAT, who does what"
            least = max(self.bounds["makespan"], _whole_units(bound, 1))
            self.tell("makespan", least, "CP-SAT")

    # ------------------------------------------------------------ local search

    def _searched_locally(self) -> bool:
        """Search locally, if the problem is a shop of which searches know all rules.

        Returns:
            Whether there is nothing left for CP-SAT to do: all is proven, or the
            problem is too large.
        """
        name = self.objectives[0]
        if self.on_time or self._is_met(name):
            return False
        n = max(min(os.cpu_count() or 1, self.workers), 1)
        searches = searches_of(self.problem, name, self.best, seed=self.seed, n=n)
        if not searches:
            return False
        is_large = self._is_too_large()
        share = self._share(is_large)
        first = min(_A_LITTLE, _FIRST_S / self.limit_s)
        if share <= _A_LITTLE:
            self._improve(searches, first)
            return False
        if not is_large:
            self._improve(searches, first)
            if self._proves_soon():
                return True
        self._improve(searches, share)
        return is_large and not self._is_met(name)

    def _improve(self, searches: Sequence[LocalSearch], share: float) -> None:
        """Let searches go on until a share of all the time is over."""
        name = self.objectives[0]
        first_s = self.left_s()
        until_s = self.limit_s * (1.0 - share)
        improve(
            searches,
            bound=self.bounds[name],
            left=lambda: (self.left_s() - until_s) / max(first_s - until_s, 1e-9),
            on_better=self._better_by_search,
        )
        assert self.best is not None
        if not self.has_limit:
            self.until_us = min(self.until_us, _horizon(self.problem, self.best))

    def _proves_soon(self) -> bool:
        """Let CP-SAT try for a while; what it can prove need not wait for searches."""
        whole_s = self.limit_s
        self.limit_s = whole_s - self.left_s() + 0.1 * whole_s
        try:
            self._whole()
        finally:
            self.limit_s = whole_s
        return all(self._is_met(name) for name in self.objectives)

    def _is_met(self, name: str) -> bool:
        """Say whether an objective is as good as its bound."""
        return self.best is not None and (
            self.value(name, self.best) <= self.bounds[name]
        )

    def _is_too_large(self) -> bool:
        """Say whether CP-SAT would spend its time on building what it has to solve."""
        pairs = sum(
            len(group) * (len(group) - 1) // 2 * len(group[0])
            for group in self.problem.same_order
        )
        return len(self.problem.operations) > MOST_WHOLE or pairs > _MOST_ORDERED

    def _share(self, is_large: bool) -> float:
        """Return the share of the time for local search: small shops are proven."""
        if is_large:
            return 1.0
        n = len(self.problem.operations)
        if self.problem.resources:
            return 0.4  # lists of activities gain for long, whatever their number
        return min(max(_A_LITTLE, (n - 100) / 1_000), 0.8)

    def _better_by_search(self, solution: Solution) -> None:
        if self.best is None or self._is_no_worse(solution):
            self.best = solution
            self.method = "local search"
            name = self.objectives[0]
            self.tell(name, self.bounds[name], "local search")

    # ------------------------------------------------------------ all of it

    def _whole(self) -> None:
        """Give CP-SAT the whole problem, one objective after the other."""
        held: list[tuple[str, int]] = []
        for i, name in enumerate(self.objectives):
            is_last = i + 1 == len(self.objectives)
            if self.best is not None and self._is_met(name):
                held.append((name, self.value(name, self.best)))
                continue
            share = 1.0 if is_last else 0.7
            if self.left_s() * share < 0.05:
                break
            self._level(name, held, share)
            if self.best is None:
                return
            held.append((name, self.value(name, self.best)))
        if self.best is not None and self.method != "local search":
            self._tighten()  # what local search finds is to the left already

    def _level(self, name: str, held: list[tuple[str, int]], share: float) -> None:
        until = self.until_us
        if name == "makespan" and self.best is not None:
            until = min(until, self.value("makespan", self.best))
        model = CpModel(
            self.problem,
            until,
            hint=self.best,
            former=self.former,
            on_time=self.on_time,
        )
        model.model.add_bool_and(list(model.rules.values()))
        for other, value in held:
            expression, unit = model.objective(other)
            model.model.add(expression <= value // unit)
        expression, unit = model.objective(name)
        model.model.minimize(expression)
        model.give_hints()
        found = self._search(model, name, unit, self.left_s() * share)
        bound = found.bound
        if found.status == "infeasible" and self.best is None:
            self.refuted = True
        if found.status == "optimal":
            self.optimal.add(name)
        self.bounds[name] = max(self.bounds[name], bound)

    def _search(self, model: CpModel, name: str, unit: int, seconds: float) -> _Answer:
        """Run CP-SAT, keep what it finds, and return what it knows in the end."""
        answer = run_cp_sat(
            model,
            seconds=seconds,
            clock=self.clock,
            workers=self.workers,
            seed=self.seed,
            on_solution=lambda value, bound: self._found(
                model, name, value, max(self.bounds[name], _whole_units(bound, unit))
            ),
        )
        answer.bound = _whole_units(answer.raw_bound, unit)
        if answer.interrupted:
            self.interrupted = True
            self.bounds[name] = max(self.bounds[name], answer.bound)
            raise KeyboardInterrupt
        return answer

    def _found(self, model: CpModel, name: str, value: Any, bound: int) -> None:
        solution = model.solution(value)
        if self.best is None or self.value(name, solution) <= self.value(
            name, self.best
        ):
            self.best = solution
            self.method = "CP-SAT"
            self.tell(name, bound, "CP-SAT")

    def _tighten(self) -> None:
        """Put everything to the left that may go there without a loss."""
        assert self.best is not None
        if "stability" in self.objectives or "wip" in self.objectives:
            return
        tight = tightened(self.problem, self.best)
        if tight is not None and self._is_no_worse(tight):
            self.best = tight
            return
        seconds = min(max(self.left_s(), 1.0), 5.0)
        model = CpModel(self.problem, self.until_us, hint=self.best, former=self.former)
        model.model.add_bool_and(list(model.rules.values()))
        for other in self.objectives:
            expression, unit = model.objective(other)
            model.model.add(expression <= self.value(other, self.best) // unit)
        model.model.minimize(model.sum_of_begins())
        model.give_hints()
        run_cp_sat(
            model,
            seconds=seconds,
            clock=self.clock,
            workers=self.workers,
            seed=self.seed,
            on_solution=lambda value, _: self._kept(model.solution(value)),
        )

    def _kept(self, solution: Solution) -> None:
        if self._is_no_worse(solution):
            self.best = solution

    def _is_no_worse(self, solution: Solution) -> bool:
        """Say whether a schedule is as good as the best, objective by objective."""
        assert self.best is not None
        mine = measures(self.problem, solution, self.objectives, self.former)
        return mine <= measures(self.problem, self.best, self.objectives, self.former)

    # ------------------------------------------------------------ windows

    def _by_windows(self) -> None:
        assert self.best is not None

        def better(solution: Solution) -> None:
            self.best = solution
            self.method = "windows of CP-SAT"
            self.tell(self.objectives[0], self.bounds[self.objectives[0]], "windows")

        improved(
            self.problem,
            self.best,
            self.objectives,
            left_s=self.left_s,
            workers=self.workers,
            seed=self.seed,
            former=self.former,
            on_better=better,
            run=run_cp_sat,
        )


def _whole_units(bound: float, unit: int) -> int:
    """Return a bound of CP-SAT, in the units of the objective, rounded safely."""
    if bound <= 0:
        return 0
    return int(-(-(bound - 1e-6) // 1)) * unit


@dataclass(slots=True)
class _Answer:
    """What a run of CP-SAT ended with."""

    status: str
    raw_bound: float
    interrupted: bool
    bound: int = 0


def run_cp_sat(
    model: CpModel,
    *,
    seconds: float,
    workers: int,
    seed: int = 0,
    on_solution: Callable[[Any, float], None],
    clock: Callable[[], float] = time.perf_counter,
) -> _Answer:
    """Run CP-SAT on a model; Ctrl-C stops it, and what was found stays.

    Args:
        model: The model, with its objective.
        seconds: At most.
        workers: Threads.
        seed: Seed of its search.
        on_solution: Called for each better schedule with what gives the values of its
            variables, and the bound then.
        clock: What the seconds are counted by.
    """
    from ortools.sat.python import cp_model  # noqa: PLC0415 - optional

    class Watch(cp_model.CpSolverSolutionCallback):
        def __init__(self) -> None:
            super().__init__()
            self.failure: BaseException | None = None

        def on_solution_callback(self) -> None:
            try:
                on_solution(self.value, self.best_objective_bound)
            except BaseException as error:  # it is raised again below
                self.failure = error
                self.stop_search()

    solver = cp_model.CpSolver()
    if clock is time.perf_counter:
        solver.parameters.max_time_in_seconds = max(seconds, 0.05)
    until = clock() + max(seconds, 0.05)
    solver.parameters.num_workers = workers
    solver.parameters.random_seed = seed
    solver.parameters.catch_sigint_signal = False
    watch = Watch()
    # CP-SAT runs on a thread of its own, so that Ctrl-C comes to this one
    outcome: list[Any] = []
    thread = threading.Thread(
        target=lambda: outcome.append(solver.solve(model.model, watch)), daemon=True
    )
    thread.start()
    interrupted = False
    while thread.is_alive():
        try:
            thread.join(0.2)
            if clock() >= until:  # again and again: a call too early is forgotten
                solver.stop_search()
        except KeyboardInterrupt:
            interrupted = True
            solver.stop_search()
    if watch.failure is not None:
        raise watch.failure
    names: dict[Any, str] = {
        cp_model.OPTIMAL: "optimal",
        cp_model.FEASIBLE: "feasible",
        cp_model.INFEASIBLE: "infeasible",
        cp_model.UNKNOWN: "unknown",
    }
    if not outcome or outcome[0] not in names:
        msg = f"CP-SAT refused a model of ours: {model.model.validate()}"
        raise LinewrightError(msg)
    status = names[outcome[0]]
    bound = solver.best_objective_bound if status != "infeasible" else 0.0
    return _Answer(status, bound, interrupted)
