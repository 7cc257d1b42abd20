"""Batches held against exact Markov chains of our own: bulk service, least and most."""

from __future__ import annotations

import numpy as np
import pytest

import linewright
from linewright.model.line import Line

N_WAITING = 400  # states of the chain; the rest has a probability below 1e-12


def bulk_queue(
    arrivals: float, service: float, least: int, most: int, n_servers: int
) -> tuple[float, float]:
    """Return the mean number waiting, and busy servers, of bulk service.

    Poisson arrivals; a free server starts as soon as `least` wait, takes `most` at the
    most, for an exponential time. The chain's states are (busy servers, waiting); while
    a server is free fewer than `least` wait. Solved as linear equations.
    """
    states = {
        (busy, n): i
        for i, (busy, n) in enumerate(
            (busy, n)
            for busy in range(n_servers + 1)
            for n in range(N_WAITING if busy == n_servers else least)
        )
    }
    rates = np.zeros((len(states), len(states)))

    def go(start: tuple[int, int], busy: int, n: int, rate: float) -> None:
        if busy < n_servers and n >= least:
            busy, n = busy + 1, n - min(n, most)
        end = states.get((busy, n))
        if end is not None:  # the last state lets nobody in
            rates[states[start], end] += rate

    for busy, n in states:
        go((busy, n), busy, n + 1, arrivals)
        if busy:
            go((busy, n), busy - 1, n, busy * service)
    np.fill_diagonal(rates, rates.diagonal() - rates.sum(axis=1))
    system = np.vstack([rates.T, np.ones(len(states))])
    share, *_ = np.linalg.lstsq(system, np.append(np.zeros(len(states)), 1), rcond=None)
    waiting = sum(share[i] * n for (_, n), i in states.items())
    working = sum(share[i] * busy for (busy, _), i in states.items())
    return float(waiting), float(working)


def test_the_chain_knows_the_queue_with_one_server() -> None:
    """With batches of one it is M/M/1: rho squared over one minus rho."""
    waiting, working = bulk_queue(0.8, 1.0, 1, 1, 1)
    assert waiting == pytest.approx(0.8**2 / 0.2, rel=1e-6)
    assert working == pytest.approx(0.8, rel=1e-6)


@pytest.mark.parametrize(
    ("least", "most", "n_servers", "per_min"),
    [(1, 3, 1, 0.9), (2, 4, 1, 1.1), (3, 3, 1, 0.9), (2, 5, 2, 3.0), (4, 6, 3, 5.0)],
)
def test_bulk_service_is_that_of_the_chain(
    least: int, most: int, n_servers: int, per_min: float
) -> None:
    line = Line.model_validate(
        {
            "schema_version": 1,
            "name": "bulk",
            "stations": {
                "oven": {
                    "process": "exponential(2.5 min)",
                    "servers": n_servers,
                    "batch": {"min": least, "max": most},
                }
            },
            "products": {
                "part": {"route": ["oven"], "release": {"rate": f"{per_min}/min"}}
            },
        }
    )
    result = linewright.simulate(
        line,
        horizon="600 d",
        warmup="1 d",
        replications=20,
        seed=7_000 + 100 * least + 10 * most + n_servers,
        confidence=0.9999,
    )
    waiting, working = bulk_queue(per_min, 0.4, least, most, n_servers)
    assert not result.failed_checks
    level = result.measure("level_mean")["oven"]
    assert level.low < waiting < level.high
    assert level.half_width < 0.02 * waiting
    busy = result.measure("utilization")["oven"]
    assert busy.low < working / n_servers < busy.high
    assert busy.half_width < 0.01 * busy.mean
