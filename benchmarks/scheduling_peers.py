"""Solve a scheduling problem by PyJobShop, or by a plain model of CP-SAT.

Use: ``python scheduling_peers.py < JOB > ANSWER``, both JSON; run by
`benchmarks.scheduling`. It imports nothing of Linewright, so that it runs in whatever
environment has PyJobShop.

The plain model is the one of the textbooks: an interval for each mode, no overlap on a
machine, a cumulative constraint for equal machines and for resources, a circuit for
setups, a literal for each pair of jobs that keep one order. It has no hint, and no
constraint that another one implies. PyJobShop gets machines as its documentation models
them: equal machines of a stage are a mode each.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from itertools import combinations, pairwise
from typing import Any

from ortools.sat.python import cp_model

Job = dict[str, Any]
Answer = dict[str, Any]

STATUS = {
    cp_model.OPTIMAL: "optimal",
    cp_model.FEASIBLE: "feasible",
    cp_model.INFEASIBLE: "infeasible",
    cp_model.UNKNOWN: "unknown",
    cp_model.MODEL_INVALID: "invalid",
}


class Watched(cp_model.CpSolver):
    """A solver that is stopped when the clock says so, be it processor time."""

    clock: Callable[[], float] = time.perf_counter
    until = 0.0

    def solve(self, model: Any, solution_callback: Any = None) -> Any:
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.05):
                if Watched.clock() >= Watched.until:
                    self.stop_search()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            return super().solve(model, solution_callback)
        finally:
            done.set()
            watcher.join()


def horizon(job: Job) -> int:
    longest = [max(m["time"] for m in task["modes"]) for task in job["tasks"]]
    setups = [max(map(max, s["setups"])) for s in job["stations"] if s["setups"]]
    releases = [task["release"] for task in job["tasks"]]
    between = len(longest) * max(setups, default=0) + sum(job["rests"])
    return int(sum(longest) + between + max(releases))


class Plain:
    """The plain model of a job."""

    def __init__(self, job: Job) -> None:
        self.job, self.model = job, cp_model.CpModel()
        self.begin: list[Any] = []
        self.end: list[Any] = []
        self.on: dict[tuple[int, int], Any] = {}
        self.at: dict[int, list[tuple[Any, int, int]]] = defaultdict(list)
        self.until = horizon(job)
        used: dict[int, list[tuple[Any, Any, int]]] = defaultdict(list)
        for t, task in enumerate(job["tasks"]):
            self._task(t, task, used)
        self._machines()
        for r, terms in used.items():
            resource = job["resources"][r]
            if resource["used_up"]:
                self.model.add(
                    sum(on * n for _, on, n in terms) <= resource["capacity"]
                )
            else:
                self.model.add_cumulative(
                    [span for span, _, _ in terms],
                    [n for _, _, n in terms],
                    resource["capacity"],
                )
        for a, b, least in job["links"]:
            self.model.add(self.begin[b] >= self.end[a] + least)
        self._same()
        self._objective()

    def _task(self, t: int, task: Job, used: Any) -> None:
        model = self.model
        begin = model.new_int_var(task["release"], self.until, f"b{t}")
        end = model.new_int_var(0, self.until, f"e{t}")
        self.begin.append(begin)
        self.end.append(end)
        for m, mode in enumerate(task["modes"]):
            on = model.new_bool_var(f"m{t},{m}")
            span = model.new_optional_interval_var(begin, mode["time"], end, on, "")
            self.on[t, m] = on
            if mode["station"] >= 0:
                self.at[mode["station"]].append((span, t, m))
            for r, n in mode["needs"]:
                used[r].append((span, on, n))
        model.add_exactly_one(self.on[t, m] for m in range(len(task["modes"])))

    def _machines(self) -> None:
        for k, spans in self.at.items():
            station = self.job["stations"][k]
            intervals = [span for span, _, _ in spans]
            if station["servers"] == 1:
                self.model.add_no_overlap(intervals)
            else:
                self.model.add_cumulative(
                    intervals, [1] * len(intervals), station["servers"]
                )
            if station["setups"]:
                self._sequence(station["setups"], [(t, m) for _, t, m in spans])

    def _sequence(self, setups: Any, rows: list[tuple[int, int]]) -> None:
        model, arcs = self.model, []
        family = {(t, m): self.job["tasks"][t]["modes"][m]["family"] for t, m in rows}
        for i, (t, m) in enumerate(rows, 1):
            first = model.new_bool_var("")
            arcs += [(0, i, first), (i, 0, model.new_bool_var(""))]
            arcs.append((i, i, self.on[t, m].negated()))
            least = setups[-1][family[t, m]]
            model.add(self.begin[t] >= least).only_enforce_if(first)
            for j, (u, n) in enumerate(rows, 1):
                if i != j:
                    then = model.new_bool_var("")
                    arcs.append((i, j, then))
                    setup = setups[family[t, m]][family[u, n]]
                    model.add(self.begin[u] >= self.end[t] + setup).only_enforce_if(
                        then
                    )
        model.add_circuit(arcs)

    def _same(self) -> None:
        model, tasks = self.model, self.job["tasks"]
        for group in self.job["same_order"]:
            for one, two in combinations(group, 2):
                first = model.new_bool_var("")
                for m in range(len(tasks[one[0]]["modes"])):
                    here = [self.on[one[0], m], self.on[two[0], m]]
                    for a, b in zip(one, two, strict=True):
                        model.add(self.end[a] <= self.begin[b]).only_enforce_if(
                            [first, *here]
                        )
                        model.add(self.end[b] <= self.begin[a]).only_enforce_if(
                            [first.negated(), *here]
                        )
        for rows in self.job["same_mode"]:
            for a, b in pairwise(rows):
                for m in range(len(tasks[a]["modes"])):
                    model.add(self.on[a, m] == self.on[b, m])

    def _objective(self) -> None:
        model = self.model
        terms = []
        last = model.new_int_var(0, self.until, "makespan")
        for demand in self.job["demands"]:
            late = model.new_int_var(0, self.until, "late")
            for t in demand["last"]:
                done = self.end[t] + self.job["rests"][t]
                model.add(last >= done)
                if demand["due"] is not None:
                    model.add(late >= done - demand["due"])
            terms.append(demand["weight"] * late)
        model.minimize(last if self.job["objective"] == "makespan" else sum(terms))


def plain(job: Job) -> Answer:
    found = Plain(job)
    solver = Watched()
    solver.parameters.num_workers = job["workers"]
    if job["clock"] == "wall":
        left = max(Watched.until - time.perf_counter(), 0.1)
        solver.parameters.max_time_in_seconds = left
    status = STATUS[solver.solve(found.model)]
    answer = {"status": status, "bound": solver.best_objective_bound}
    if status in {"optimal", "feasible"}:
        tasks = job["tasks"]
        answer["begin"] = [solver.value(v) for v in found.begin]
        answer["mode"] = [
            next(m for m in range(len(task["modes"])) if solver.value(found.on[t, m]))
            for t, task in enumerate(tasks)
        ]
        answer["server"] = [-1] * len(tasks)
    return answer


class Peer:
    """The model of PyJobShop."""

    def __init__(self, job: Job) -> None:
        from pyjobshop import Model  # noqa: PLC0415 - one of two solvers

        self.job, self.model = job, Model()
        self.machines = [
            [self.model.add_machine() for _ in range(station["servers"])]
            for station in job["stations"]
        ]
        self.resources = [
            self.model.add_consumable(r["capacity"])
            if r["used_up"]
            else self.model.add_renewable(r["capacity"])
            for r in job["resources"]
        ]
        self.modes: list[list[Any]] = []
        self.way: list[tuple[int, int]] = []
        self._tasks()
        self._links()
        self._setups()
        self._same()
        if job["objective"] == "makespan":
            self.model.set_objective(weight_makespan=1)
        else:
            self.model.set_objective(weight_total_tardiness=1)

    def _tasks(self) -> None:
        job_of = {}
        for demand in self.job["demands"]:
            made = self.model.add_job(weight=demand["weight"], due_date=demand["due"])
            for t in demand["last"]:
                job_of[t] = made
        self.tasks = [
            self.model.add_task(job_of.get(t), earliest_start=task["release"])
            for t, task in enumerate(self.job["tasks"])
        ]
        for t, task in enumerate(self.job["tasks"]):
            rows = []
            for m, mode in enumerate(task["modes"]):
                needs = [self.resources[r] for r, _ in mode["needs"]]
                demands = [n for _, n in mode["needs"]]
                places: list[list[Any]] = [[]]
                if mode["station"] >= 0:
                    places = [[machine] for machine in self.machines[mode["station"]]]
                for s, place in enumerate(places):
                    made = self.model.add_mode(
                        self.tasks[t], place + needs, mode["time"],
                        [0] * len(place) + demands,
                    )  # fmt: skip
                    rows.append(made)
                    self.way.append((m, s))
            self.modes.append(rows)

    def _links(self) -> None:
        for a, b, least in self.job["links"]:
            self.model.add_end_before_start(self.tasks[a], self.tasks[b], least)

    def _setups(self) -> None:
        for k, station in enumerate(self.job["stations"]):
            if not station["setups"]:
                continue
            rows = [
                (t, mode["family"])
                for t, task in enumerate(self.job["tasks"])
                for mode in task["modes"]
                if mode["station"] == k
            ]
            for machine in self.machines[k]:
                for t, one in rows:
                    for u, two in rows:
                        setup = station["setups"][one][two]
                        if t != u and setup:
                            self.model.add_setup_time(
                                machine, self.tasks[t], self.tasks[u], setup
                            )

    def _same(self) -> None:
        for group in self.job["same_order"]:
            for m in range(len(self.job["tasks"][group[0][0]]["modes"])):
                stations = [
                    self.job["tasks"][t]["modes"][m]["station"] for t in group[0]
                ]
                for a, b in pairwise(stations):
                    self.model.add_same_sequence(
                        self.machines[a][0], self.machines[b][0]
                    )
        for rows in self.job["same_mode"]:
            for a, b in pairwise(rows):
                for one, two in zip(self.modes[a], self.modes[b], strict=True):
                    self.model.add_mode_dependency(one, [two])


def pyjobshop(job: Job) -> Answer:
    import pyjobshop.solvers.ortools  # noqa: F401, PLC0415 - one of two solvers

    vars(sys.modules["pyjobshop.solvers.ortools.CPModel"])["CpSolver"] = Watched
    found = Peer(job)
    left = float("inf")
    if job["clock"] == "wall":
        left = max(Watched.until - time.perf_counter(), 0.1)
    result = found.model.solve(
        time_limit=left, display=False, num_workers=job["workers"] or None
    )
    status = {"Optimal": "optimal", "Feasible": "feasible"}.get(
        result.status.value, "unknown"
    )
    answer: Answer = {"status": status, "bound": result.lower_bound}
    if status != "unknown":
        ways = [found.way[task.mode] for task in result.best.tasks]
        answer["begin"] = [task.start for task in result.best.tasks]
        answer["mode"] = [m for m, _ in ways]
        answer["server"] = [s for _, s in ways]
    return answer


def main() -> None:
    job = json.load(sys.stdin)
    solve = plain if job["solver"] == "cpsat" else pyjobshop
    name = "ortools" if job["solver"] == "cpsat" else "pyjobshop"
    clock = time.process_time if job["clock"] == "cpu" else time.perf_counter
    Watched.clock = staticmethod(clock)
    wall, cpu = time.perf_counter(), time.process_time()
    Watched.until = clock() + job["limit"]
    answer = solve(job)
    answer["seconds"] = time.perf_counter() - wall
    answer["cpu_seconds"] = time.process_time() - cpu
    answer["version"] = f"{name} {version(name)}"
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
