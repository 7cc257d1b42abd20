"""The search over loads as a whole: stage by stage, forwards or backwards, in time.

`search` asks whether tasks can stand on so many stations within a cycle time. It says
yes with the stations, no as a proof where it has left nothing out, or does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from linewright.improve._bounds import Weightings, Windows
from linewright.improve._search import (
    CUT,
    FOUND,
    KEPT,
    STEPS,
    Bits,
    Heap,
    Lines,
    expand,
    shrink,
)
from linewright.improve._work import Flags, Floats, Ints, Work

_STEPS_AT_ONCE = 2_000_000
_MAX_BYTES = 400_000_000


@dataclass(frozen=True, slots=True)
class Effort:
    """How much a search may keep and look at.

    Attributes:
        width: States kept of each number of stations.
        loads: Loads looked at of one state.
        work_weight: Part of a task's value that is its time with that of all tasks
            after it (positional weight), relative to its own time.
        follower_weight: Part that is the number of tasks after it, in shares of the
            cycle time.
        task_cost: What a task's value is less for being a task, in shares of the cycle
            time: short tasks are kept for later.
        steps: Where more than none, the search is only for a proof: it ends when it has
            left something out, or after so many steps.
    """

    width: int
    loads: int
    work_weight: float = 0.0
    follower_weight: float = 0.0
    task_cost: float = 0.0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found: the station of each task from 0; or none, and a proof."""

    stations: Ints | None
    proven: bool


def better_tasks(work: Work) -> Flags:
    """Return for tasks i and j whether j can stand for i wherever j can be done."""
    longer = (work.times[:, None, :] >= work.times[:, :, None]).all(axis=0)
    # [i, j]: all that follow i follow j
    missing = work.follows.astype(np.int64) @ (~work.follows).T.astype(np.int64)
    covers = missing == 0
    related = work.follows | work.follows.T
    found = longer & covers & ~related
    equal = found & found.T
    better: Flags = found & (~equal | np.tri(work.n, k=-1, dtype=bool))
    return better


def lines_of(
    work: Work, cycle: int, rows: Weightings, at: Windows, effort: Effort
) -> Lines:
    """Return the arrays that the compiled search needs."""
    starts = np.cumsum([0, *(len(a) for a in work.after)])
    time = work.times.mean(axis=0) / cycle
    value = time + effort.work_weight * (time + work.follows @ time)
    value += effort.follower_weight * work.follows.sum(axis=1) - effort.task_cost
    return Lines(
        work.times,
        cycle,
        np.ascontiguousarray(rows.weights),
        np.ascontiguousarray(rows.full),
        starts.astype(np.int64),
        np.array([j for a in work.after for j in a], dtype=np.int64),
        np.array([len(f) for f in work.first], dtype=np.int64),
        np.ascontiguousarray(at.latest),
        better_tasks(work),
        value,
    )


def search(
    lines: Lines, stations: int, effort: Effort, time_left: Callable[[], float]
) -> Answer:
    """Look for an assignment to so many stations.

    Args:
        lines: The work.
        stations: Number of stations.
        effort: What may be kept and looked at; `stations` times `width` states are.
        time_left: Returns the seconds left; the search ends where there are none.
    """
    n = lines.times.shape[1]
    words = (n + 63) // 64
    width = max(1, min(effort.width, _MAX_BYTES // (8 * (words + 1) * stations)))
    start = (np.zeros((1, words), np.uint64), np.zeros(1, np.int64))
    stages: list[tuple[Bits, Ints]] = [start]
    cut, steps = False, 0
    heap = _new_heap(2 * width + 1, words)
    for k in range(stations):
        _clear(heap)
        parents = stages[-1][0]
        goes_on = _goes_on(effort, heap, steps, time_left)
        _stage(lines, parents, (k, stations), (width, effort.loads), heap, goes_on)
        cut = cut or bool(heap.counts[CUT])
        steps += int(heap.counts[STEPS])
        if heap.counts[FOUND]:
            stages.append((heap.bits[:1].copy(), heap.parent[:1].copy()))
            return Answer(_stations_of(stages, n), proven=True)
        if not goes_on():
            return Answer(None, proven=False)
        kept = int(heap.counts[KEPT])
        if not kept:
            return Answer(None, proven=not cut)
        order = np.argsort(-heap.value[:kept], kind="stable")
        stages.append((heap.bits[order], heap.parent[order]))
    return Answer(None, proven=not cut)


def _new_heap(size: int, words: int) -> Heap:
    slots = 1 << (2 * size).bit_length()
    values: Floats = np.empty(size)
    return Heap(
        np.empty((size, words), np.uint64),
        np.empty(size, np.int64),
        values,
        np.empty(slots, np.int64),
        np.zeros(4, np.int64),
        np.zeros(1),
    )


def _clear(heap: Heap) -> None:
    heap.table[:] = -1
    heap.counts[:] = 0
    heap.least[0] = -np.inf


def _goes_on(
    effort: Effort, heap: Heap, before: int, time_left: Callable[[], float]
) -> Callable[[], bool]:
    """Return what says whether a search may go on, in one stage."""

    def goes_on() -> bool:
        steps = before + int(heap.counts[STEPS])
        spent = effort.steps and (heap.counts[CUT] or steps > effort.steps)
        return not spent and time_left() > 0

    return goes_on


def _stage(
    lines: Lines,
    parents: Bits,
    stage: tuple[int, int],
    limits: tuple[int, int],
    heap: Heap,
    goes_on: Callable[[], bool],
) -> None:
    """Expand all parents, or as many as there is time for."""
    at, chunk = 0, 1
    while at < len(parents) and not heap.counts[FOUND] and goes_on():
        before = int(heap.counts[STEPS])
        end = min(at + chunk, len(parents))
        expand(lines, parents, (at, end), stage, limits, heap)
        steps = int(heap.counts[STEPS]) - before
        chunk = max(1, min(2 * chunk, chunk * _STEPS_AT_ONCE // max(1, steps)))
        at = end
    shrink(heap, limits[0])


def _stations_of(stages: list[tuple[Bits, Ints]], n: int) -> Ints:
    """Return the station of every task, walking back from the finished state."""
    station = np.zeros(n, np.int64)
    row = 0
    columns = np.arange(n)
    for k in range(len(stages) - 1, 0, -1):
        bits, parent = stages[k]
        words = bits[row][columns >> 6]
        done = (words >> (columns & 63).astype(np.uint64)) & np.uint64(1)
        station[done == 1] = k - 1
        row = int(parent[row])
    return station
