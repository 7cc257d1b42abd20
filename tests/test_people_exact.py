"""Skills, priorities and walking held against exact Markov chains of our own.

All are machine repair models: a machine that is up fails at some rate and needs one
person with a skill, whose work on it takes an exponential time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import linewright
from linewright.model.line import Line
from linewright.stats.intervals import mean_interval


class Kind(NamedTuple):
    """Equal machines: how many, mean minutes between failures and of a repair."""

    machines: int
    up_min: float
    repair_min: float
    skill: str
    urgency: int = 0


State = Any
Moves = Callable[[State], Iterator[tuple[State, float]]]


def steady_state(start: Hashable, moves: Moves) -> dict[State, float]:
    """Return the long-run share of the time in each state that a chain can reach."""
    rows: dict[State, int] = {start: 0}
    found: list[tuple[int, int, float]] = []
    for state in (reached := [start]):
        for end, rate in moves(state):
            if end not in rows:
                rows[end] = len(rows)
                reached.append(end)
            found.append((rows[state], rows[end], rate))
    rates = np.zeros((len(rows), len(rows)))
    for one, other, rate in found:
        rates[one, other] += rate
    np.fill_diagonal(rates, rates.diagonal() - rates.sum(axis=1))
    system = np.vstack([rates.T, np.ones(len(rows))])
    share, *_ = np.linalg.lstsq(system, np.append(np.zeros(len(rows)), 1), rcond=None)
    return dict(zip(rows, share.tolist(), strict=True))


# ------------------------------------------------------------------ skills, priorities


class Shop(NamedTuple):
    """Machines under repair by pools: how many people each has, and their skills.

    A state is, for each pool, the kinds of the machines that it repairs, sorted; and
    the kinds of those that wait, in their turn.
    """

    kinds: list[Kind]
    pools: list[tuple[int, set[str]]]

    def moves(self, state: State) -> Iterator[tuple[State, float]]:
        at, queue = state
        for k, kind in enumerate(self.kinds):
            down = queue.count(k) + sum(there.count(k) for there in at)
            if down < kind.machines:
                yield self.fail(at, queue, k), (kind.machines - down) / kind.up_min
        for i, there in enumerate(at):
            for k in set(there):
                rate = there.count(k) / self.kinds[k].repair_min
                yield self.end(at, queue, i, k), rate

    def fail(self, at: State, queue: State, k: int) -> State:
        for i, (count, skills) in enumerate(self.pools):
            if self.kinds[k].skill in skills and len(at[i]) < count:
                return put(at, i, (*at[i], k)), queue
        return at, tuple(sorted((*queue, k), key=lambda j: -self.kinds[j].urgency))

    def end(self, at: State, queue: State, i: int, k: int) -> State:
        there = list(at[i])
        there.remove(k)
        for place, other in enumerate(queue):
            if self.kinds[other].skill in self.pools[i][1]:
                queue = queue[:place] + queue[place + 1 :]
                return put(at, i, (*there, other)), queue
        return put(at, i, tuple(there)), queue


def put(at: State, i: int, there: tuple[int, ...]) -> State:
    """Return what all pools repair when one of them repairs something else."""
    return (*at[:i], tuple(sorted(there)), *at[i + 1 :])


def machines_up(
    kinds: list[Kind], pools: list[tuple[int, set[str]]]
) -> tuple[list[float], list[float]]:
    """Return the mean number of machines up of each kind, and of each pool at work."""
    share = steady_state((((),) * len(pools), ()), Shop(kinds, pools).moves)
    up = [
        kind.machines
        - sum(
            p * (queue.count(k) + sum(there.count(k) for there in at))
            for (at, queue), p in share.items()
        )
        for k, kind in enumerate(kinds)
    ]
    busy = [
        sum(p * len(at[i]) for (at, _), p in share.items()) for i in range(len(pools))
    ]
    return up, busy


def simulated(people: dict[str, Any], kinds: list[Kind]) -> linewright.Result:
    """Return a long study of machines, each a station with a product of its own."""
    stations = {
        f"{k} {i}": {
            "process": "7 min",
            "failures": {
                "breaks": {
                    "every": f"exponential({kind.up_min} min)",
                    "repair": f"exponential({kind.repair_min} min)",
                }
            },
            "people": {"repair": kind.skill},
            "people_priority": kind.urgency,
        }
        for k, kind in enumerate(kinds)
        for i in range(kind.machines)
    }
    line = Line.model_validate(
        {
            "schema_version": 1,
            "name": "machine repair",
            "people": people,
            "stations": stations,
            "products": {f"part {name}": {"route": [name]} for name in stations},
        }
    )
    result = linewright.simulate(
        line,
        horizon="2000 d",
        warmup="10 d",
        replications=20,
        seed=9_500,
        confidence=0.9999,
    )
    assert not result.failed_checks
    return result


def hold_machines(result: linewright.Result, up: list[float], narrow: float) -> None:
    """Hold the mean number of machines at work, by kind, against exact values."""
    table = result.table("stations").to_pandas()
    span_us = result.manifest["horizon_us"] - result.manifest["warmup_us"]
    kind = table["station"].str.split().str[0].astype(int)
    for k, expected in enumerate(up):
        here = table[kind == k].groupby("replication")["processing"].sum()
        found = mean_interval(here.to_numpy() / span_us, 0.9999)
        assert found.low < expected < found.high
        assert found.half_width < narrow * expected


def hold_people(result: linewright.Result, column: str, exact: list[float]) -> None:
    table = result.table("people").to_pandas()
    for (_, rows), expected in zip(
        table.groupby("pool", sort=False), exact, strict=True
    ):
        found = mean_interval(rows[column].to_numpy(), 0.9999)
        assert found.low < expected < found.high
        assert found.half_width < 0.03 * expected


def test_the_chain_knows_the_machine_repair_model() -> None:
    """With one kind and one pool it is M/M/c with a finite source."""
    up, busy = machines_up([Kind(5, 60, 25, "fit")], [(2, {"fit"})])
    weights = [1.0]
    for n in range(5):
        weights.append(weights[-1] * (5 - n) / 60 * 25 / min(n + 1, 2))
    share = np.array(weights) / sum(weights)
    assert up[0] == pytest.approx(float(share @ (5 - np.arange(6))), rel=1e-9)
    assert busy[0] == pytest.approx(up[0] / 60 * 25, rel=1e-9)


def test_two_kinds_of_machines_under_priority_are_those_of_the_chain() -> None:
    """Non-preemptive priority of one kind over the other, one crew and two."""
    for crews in (1, 2):
        kinds = [Kind(3, 60, 30, "fit"), Kind(2, 50, 20, "fit", urgency=1)]
        up, busy = machines_up(kinds, [(crews, {"fit"})])
        alike = [kind._replace(urgency=0) for kind in kinds]
        without, _ = machines_up(alike, [(crews, {"fit"})])
        assert up[1] > 1.02 * without[1]  # so that it would be seen
        people = {"fitters": {"count": crews, "skills": ["fit"]}}
        result = simulated(people, kinds)
        hold_machines(result, up, 0.01)
        hold_people(result, "busy_mean", busy)


@pytest.mark.parametrize("urgency", [0, 2])
def test_specialists_and_all_rounders_are_those_of_the_chain(urgency: int) -> None:
    """Welders weld, the all-rounder welds and fits; those who wait come in turn."""
    kinds = [Kind(3, 60, 30, "weld"), Kind(2, 45, 15, "fit", urgency)]
    pools = [(1, {"weld"}), (1, {"weld", "fit"})]
    up, busy = machines_up(kinds, pools)
    people = {
        "welder": {"skills": ["weld"]},
        "all-rounder": {"skills": ["weld", "fit"]},
    }
    result = simulated(people, kinds)
    hold_machines(result, up, 0.01)
    hold_people(result, "busy_mean", busy)
    turned, _ = machines_up(kinds, pools[::-1])
    assert abs(turned[1] / up[1] - 1) > 0.02  # so that the order would be seen


# ------------------------------------------------------------------ walking


def walking_moves(kind: Kind, walk_min: float) -> Moves:
    """Return the moves of one person who walks between machines that fail.

    A state is the machine at which the person is, or was last; to which the person is
    sent, or -1; whether on the way; and the machines that wait, in turn. A person on
    the way is at none of them.
    """

    def moves(state: State) -> Iterator[tuple[State, float]]:
        at, sent_to, on_the_way, queue = state
        for i in range(kind.machines):
            if i != sent_to and i not in queue:
                end = send(at, i, ()) if sent_to < 0 else (*state[:3], (*queue, i))
                yield end, 1 / kind.up_min
        if on_the_way:
            yield (sent_to, sent_to, False, queue), 1 / walk_min
        elif sent_to >= 0:
            end = send(at, queue[0], queue[1:]) if queue else (at, -1, False, ())
            yield end, 1 / kind.repair_min

    def send(at: int, to: int, queue: tuple[int, ...]) -> State:
        return (at, to, False, queue) if at == to else (-1, to, True, queue)

    return moves


def test_machines_to_which_a_fitter_walks_are_those_of_the_chain() -> None:
    kind = Kind(3, 60, 10, "fitter")
    share = steady_state((0, -1, False, ()), walking_moves(kind, 12))
    up = sum(
        p * (kind.machines - len(queue) - (sent_to >= 0))
        for (_, sent_to, _, queue), p in share.items()
    )
    walking = sum(p for (_, _, on_the_way, _), p in share.items() if on_the_way)
    result = simulated({"fitter": {"walk": "exponential(12 min)"}}, [kind])
    hold_machines(result, [up], 0.005)
    hold_people(result, "walking_mean", [walking])
