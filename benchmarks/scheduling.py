"""Schedule published instances beside PyJobShop and plain CP-SAT: the gap to the best.

Use: ``python -m benchmarks.scheduling --data FOLDER [--only FAMILY ...] [--cpu]
[--limit SECONDS] [--solvers NAMES] [--repeats N] [--all] [--peer PYTHON]
[--results FILE] [--table]``

FOLDER holds an archive and a table of best known values for each family. For each
instance of the fixed list (``--all``: of the archives) the solvers take turns, each in
a process of its own. What came out is added to the results, a line of JSON for each;
what is there already, with the same limit, is not run again: the command goes on where
it was stopped. ``--repeats`` counts for the ten instances of which medians are told.
With ``--cpu`` the limit is of processor time, two seconds for each second of
``--limit``, as two cores would give it: for a busy machine. ``--peer`` is a Python that
has PyJobShop. At the end stands a table in Markdown; with ``--table`` nothing is run
before it.

Solvers: ``linewright``; ``pyjobshop``, as it comes; ``pyjobshop-8`` with as many
workers as ours; ``cpsat``, the plain model of `scheduling_peers` with 8 workers. All
schedules are looked through by the checker of the tests.

The exit code is 1 if one breaks a rule, or lies below a proven bound.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import PROJECT
from linewright.schedule.problem import NEVER, Problem, Solution
from linewright.schedule.reading import READERS
from linewright.schedule.solving import Progress, solve
from linewright.version import __version__
from tests.schedule_checker import objective_values, violations

RESULTS = Path("build/scheduling.jsonl")
SOLVERS = ("linewright", "pyjobshop", "pyjobshop-8", "cpsat")
WORKERS = {"linewright": 8, "pyjobshop": 0, "pyjobshop-8": 8, "cpsat": 8}

LIST: dict[str, tuple[str, ...]] = {
    "jobshop": ("ft10", "la29", "ta22js", "swv12", "ta71js"),
    "jobshop-reentrant": ("bel01", "bel04", "bel11", "bel19"),
    "flexible-jobshop": ("mk02", "mk04", "12a", "la24_rdata"),
    "flexible-assembly-jobshop": ("DAFJS04", "DAFJS15", "DAFJS30", "YFJS18"),
    "permutation-flowshop": ("0012", "0043", "0055", "0083"),
    "flowshop-setups": ("0004", "0139", "0261", "0389"),
    "flowshop-tardiness": ("0001", "0085", "0211", "0435"),
    "hybrid-flowshop": (
        "0033", "0289", "0417", "0641", "0817", "0961", "1201", "1313",
    ),
    "parallel-machines-unrelated": ("0001", "0081", "0281", "1201"),
    "distributed-flowshop": ("0001", "0121", "0241", "0321"),
    "rcpsp": ("J30_13", "J60_131", "J120_76", "J120_426"),
    "multimode-rcpsp": ("J5013_1", "J5053_1", "J5073_1", "J50105_1"),
}  # fmt: skip
"""The fixed list: instances by family, of the hybrid flow shops one of every size."""

MEDIANS = (
    "ft10", "ta22js", "mk02", "DAFJS30", "permutation-flowshop/0055",
    "flowshop-setups/0261", "hybrid-flowshop/0289", "hybrid-flowshop/1313",
    "distributed-flowshop/0241", "J120_76",
)  # fmt: skip
"""The ten of which medians are told."""


@dataclass(frozen=True)
class Instance:
    """A published instance with what is known of it."""

    family: str
    name: str
    text: str
    best: int
    bound: int

    @property
    def objective(self) -> str:
        return "tardiness" if self.family == "flowshop-tardiness" else "makespan"

    @property
    def counts_thrice(self) -> bool:
        return self.name in MEDIANS or f"{self.family}/{self.name}" in MEDIANS


def instances(data: Path, family: str, *, every: bool) -> Iterator[Instance]:
    with (data / f"{family}-bounds.csv").open(encoding="utf-8") as table:
        rows = {row["file"]: row for row in csv.DictReader(table)}
    with zipfile.ZipFile(data / f"{family}.zip") as archive:
        names = sorted(rows)
        if not every:
            stems = {Path(name).stem: name for name in names}
            names = [stems[stem] for stem in LIST[family]]
        for name in names:
            row = rows[name]
            best = int(row.get("upper_bound") or row["best_known_makespan"])
            bound = int(row.get("lower_bound") or 0)
            if family == "rcpsp" and "J30" in name:
                bound = best  # proven optima
            text = archive.read(name).decode()
            yield Instance(family, Path(name).stem, text, best, bound)


# ---------------------------------------------------------------- one run


def run_ours(instance: Instance, limit: float, *, cpu: bool) -> dict[str, Any]:
    """Run Linewright in this process."""
    problem = READERS[instance.family](instance.text)
    _warm(instance)
    clock: Callable[[], float] = time.process_time if cpu else time.perf_counter
    wall, cpu_s = time.perf_counter(), time.process_time()
    best_at = 0.0

    def progress(_: Progress) -> None:
        nonlocal best_at
        best_at = time.perf_counter() - wall

    found = solve(
        problem, objectives=(instance.objective,), limit_s=limit, clock=clock,
        on_progress=progress,
    )  # fmt: skip
    answer: dict[str, Any] = {
        "status": found.status,
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu_s,
        "best_at": best_at,
        "method": found.method,
        "version": f"linewright {__version__}",
    }
    if found.solution is not None:
        answer["bound"] = found.levels[0].bound
        answer["begin"] = found.solution.begin_us.tolist()
        answer["mode"] = found.solution.mode.tolist()
        answer["server"] = found.solution.server.tolist()
    return answer


def _warm(instance: Instance) -> None:
    """Compile what has to be compiled once; it lies on disk afterwards."""
    small = READERS[instance.family](instance.text)
    solve(small, objectives=(instance.objective,), limit_s=1e-3)


def run_peer(
    instance: Instance, solver: str, limit: float, *, cpu: bool, python: str
) -> dict[str, Any]:
    """Run another solver in a process of its own."""
    problem = READERS[instance.family](instance.text)
    job = told(problem, instance.objective)
    job |= {
        "solver": "cpsat" if solver == "cpsat" else "pyjobshop",
        "limit": limit,
        "clock": "cpu" if cpu else "wall",
        "workers": WORKERS[solver],
    }
    done = subprocess.run(
        [python, str(PROJECT / "benchmarks" / "scheduling_peers.py")],
        input=json.dumps(job), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        return {"status": f"failed: {last} ({done.returncode})", "bound": 0}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def told(problem: Problem, objective: str) -> dict[str, Any]:
    """Return a problem as plain data, for solvers that know nothing of ours."""
    return {
        "objective": objective,
        "tasks": [
            {
                "release": operation.release_us,
                "modes": [
                    {
                        "station": mode.station,
                        "time": mode.work_us,
                        "family": mode.family,
                        "needs": [[n.resources[0], n.quantity] for n in mode.needs],
                    }
                    for mode in operation.modes
                ],
            }
            for operation in problem.operations
        ],
        "stations": [
            {"servers": station.n_servers, "setups": station.setups_us}
            for station in problem.stations
        ],
        "resources": [
            {"capacity": r.capacity, "used_up": r.used_up} for r in problem.resources
        ],
        "links": [
            [link.before, link.after, link.min_us + rest * link.moves]
            for link in problem.links
            for rest in (problem.operations[link.before].rest_us,)
        ],
        "rests": [operation.rest_us for operation in problem.operations],
        "same_order": problem.same_order,
        "same_mode": problem.same_mode,
        "demands": [
            {
                "last": demand.last,
                "weight": demand.weight,
                "due": None if demand.due_us >= NEVER else demand.due_us,
            }
            for demand in problem.demands
        ],
    }


def schedule_of(problem: Problem, answer: dict[str, Any]) -> Solution:
    """Return an answer as a schedule; equal servers are shared out by the begins."""
    begin = np.array(answer["begin"], np.int64)
    mode = np.array(answer["mode"], np.int64)
    server = np.array(answer["server"], np.int64)
    time = np.array(
        [o.modes[m].work_us for o, m in zip(problem.operations, mode, strict=True)]
    )
    free = [[0] * station.n_servers for station in problem.stations]
    for o in np.argsort(begin, kind="stable").tolist():
        k = problem.operations[o].modes[int(mode[o])].station
        if server[o] < 0:
            server[o] = int(np.argmin(free[k])) if k >= 0 else 0
        if k >= 0:
            free[k][int(server[o])] = int(begin[o] + time[o])
    end = begin + time
    none = np.full(len(begin), -1, np.int64)
    return Solution(mode, server, begin, np.zeros_like(begin), end, end.copy(), none)


def row_of(
    instance: Instance, solver: str, answer: dict[str, Any], limit: float, *, cpu: bool
) -> dict[str, Any]:
    """Return what is kept of a run, and whether it can be true."""
    row: dict[str, Any] = {
        "family": instance.family, "instance": instance.name, "solver": solver,
        "objective": instance.objective, "limit": limit, "cpu": cpu,
        "best_known": instance.best, "value": None, "gap": None,
        "bound": answer.get("bound"), "status": answer["status"],
        "seconds": answer.get("seconds"), "cpu_seconds": answer.get("cpu_seconds"),
        "proof_s": answer.get("seconds") if answer["status"] == "optimal" else None,
        "best_at": answer.get("best_at"), "method": answer.get("method"),
        "version": answer.get("version"), "wrong": [],
    }  # fmt: skip
    if "begin" not in answer:
        return row
    problem = READERS[instance.family](instance.text)
    schedule = schedule_of(problem, answer)
    value = objective_values(problem, schedule)[instance.objective]
    row["value"] = value
    row["gap"] = (value - instance.best) / max(instance.best, 1)
    row["wrong"] = violations(problem, schedule)[:5]
    if value < instance.bound:
        row["wrong"].append(f"{value} lies below the proven bound {instance.bound}")
    if answer["bound"] > instance.best + 1e-6:
        row["wrong"].append(f"a bound of {answer['bound']} above a known schedule")
    return row


def run_in_process(
    instance: Instance, solver: str, limit: float, args: argparse.Namespace
) -> dict[str, Any]:
    """Run a solver, each in a fresh process; return its row."""
    if solver != "linewright":
        answer = run_peer(instance, solver, limit, cpu=args.cpu, python=args.peer)
        return row_of(instance, solver, answer, limit, cpu=args.cpu)
    command = [
        sys.executable, "-m", "benchmarks.scheduling", "--data", str(args.data),
        "--one", f"{instance.family}/{instance.name}", "--limit", str(args.limit),
    ]  # fmt: skip
    done = subprocess.run(
        command + (["--cpu"] if args.cpu else []),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        answer = {"status": f"failed: {last} ({done.returncode})", "bound": 0}
    else:
        answer = json.loads(done.stdout)
    return row_of(instance, solver, answer, limit, cpu=args.cpu)


# ---------------------------------------------------------------- all of them


def known(path: Path) -> list[dict[str, Any]]:
    """Return what was found before."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(args: argparse.Namespace) -> None:
    args.results.parent.mkdir(parents=True, exist_ok=True)
    limit = args.limit * (2 if args.cpu else 1)
    n_done: dict[tuple[str, ...], int] = defaultdict(int)
    for row in known(args.results):
        if (row["limit"], row["cpu"]) == (limit, args.cpu):
            n_done[row["family"], row["instance"], row["solver"]] += 1
    for turn in range(args.repeats):
        for instance in in_turn(args):
            if turn and not instance.counts_thrice:
                continue
            for solver in args.solvers:
                if n_done[instance.family, instance.name, solver] > turn:
                    continue
                row = run_in_process(instance, solver, limit, args)
                with args.results.open("a") as results:
                    results.write(json.dumps(row) + "\n")
                print(short(row), file=sys.stderr, flush=True)


def in_turn(args: argparse.Namespace) -> Iterator[Instance]:
    """Yield the instances so that each family is as far as the others at any time."""
    found = []
    for row, family in enumerate(args.families):
        mine = list(instances(args.data, family, every=args.all))
        found += [((i + 0.5) / len(mine), row, one) for i, one in enumerate(mine)]
    for _, _, instance in sorted(found, key=lambda place: place[:2]):
        yield instance


def short(row: dict[str, Any]) -> str:
    """Return a row in a line."""
    gap = "no schedule" if row["gap"] is None else f"{row['gap']:7.2%}"
    wrong = f"  WRONG: {row['wrong']}" if row["wrong"] else ""
    cpu = "" if row["cpu_seconds"] is None else f"{row['cpu_seconds']:.0f} CPU s"
    return (
        f"{row['family']:28} {row['instance']:12} {row['solver']:12} {row['value']} "
        f"{gap} bound {row['bound']} {row['status']} {cpu}{wrong}"
    )


def table(args: argparse.Namespace) -> Iterator[str]:
    """Yield the mean gap of each family, solvers beside each other, in Markdown.

    A mean is over the instances of which every solver in the table has been run; what
    has no schedule is counted apart.
    """
    limit = args.limit * (2 if args.cpu else 1)
    found: dict[str, dict[str, dict[str, list[dict[str, Any]]]]] = defaultdict(dict)
    for row in known(args.results):
        if (row["limit"], row["cpu"]) == (limit, args.cpu):
            rows = found[row["family"]].setdefault(row["instance"], {})
            rows.setdefault(row["solver"], []).append(row)
    yield (
        "| family | instances | "
        + " | ".join(f"{solver} | proven" for solver in args.solvers)
        + " |"
    )
    yield "| --- | --: |" + " --: | --: |" * len(args.solvers)
    for family in (f for f in LIST if f in found):
        whole = [
            rows for rows in found[family].values() if set(args.solvers) <= set(rows)
        ]
        cells = [family, str(len(whole))]
        for solver in args.solvers:
            gaps, n_none, n_proven = [], 0, 0
            for rows in whole:
                mine = [row["gap"] for row in rows[solver] if row["gap"] is not None]
                n_none += not mine
                n_proven += any(row["status"] == "optimal" for row in rows[solver])
                gaps += [statistics.median(mine)] if mine else []
            cell = f"{statistics.fmean(gaps):.2%}" if gaps else "none"
            cells += [cell + (f" ({n_none} without)" if n_none and gaps else "")]
            cells += [str(n_proven)]
        yield "| " + " | ".join(cells) + " |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scheduling")
    parser.add_argument("--data", type=Path, required=True, help="archives and tables")
    parser.add_argument(
        "--only", choices=LIST, action="append", help="a family; may be said again"
    )
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of a run")
    parser.add_argument("--cpu", action="store_true", help="count processor time")
    parser.add_argument("--solvers", default="linewright,pyjobshop,cpsat")
    parser.add_argument("--repeats", type=int, default=1, help="runs of the ten")
    parser.add_argument("--all", action="store_true", help="all instances")
    parser.add_argument("--peer", default=sys.executable, help="Python with PyJobShop")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.solvers = args.solvers.split(",")
    if unknown := set(args.solvers) - set(SOLVERS):
        parser.error(f"no solver {min(unknown)}; there are {', '.join(SOLVERS)}")
    if args.limit <= 0 or args.repeats < 1:
        parser.error("--limit is above zero, and --repeats is one or more")
    args.families = args.only or list(LIST)
    if not (args.data / f"{args.families[0]}.zip").exists():
        parser.error(f"{args.data} has no {args.families[0]}.zip")
    return args


def main() -> int:
    args = _arguments()
    if args.one:
        family, name = args.one.split("/")
        (instance,) = (
            one for one in instances(args.data, family, every=True) if one.name == name
        )
        limit = args.limit * (2 if args.cpu else 1)
        json.dump(run_ours(instance, limit, cpu=args.cpu), sys.stdout)
        return 0
    if not args.table:
        run(args)
    print("\n".join(table(args)))
    return int(any(row["wrong"] for row in known(args.results)))


if __name__ == "__main__":
    sys.exit(main())
