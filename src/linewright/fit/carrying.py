"""What the inputs of a model may be, carried into its results.

Intervals of a simulation say how sure it is of its own line. The line itself was
estimated. Here every input is drawn anew, as its evidence allows, a model is simulated
for each draw, and the spread over draws is what both together leave open.

Source: Cheng and Holland (1997), Sensitivity of computer simulation experiments to
errors in input data, Journal of Statistical Computation and Simulation 57, 219-241.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from linewright.fit.distributions import Fit, random_of
from linewright.fit.fitting import Fitted
from linewright.fit.log import Floats
from linewright.fit.writing import with_fits
from linewright.model.line import Line
from linewright.model.load import dumps_plain, loads
from linewright.model.meaning import leaves_line
from linewright.simulate import simulate
from linewright.stats.intervals import mean_interval

__all__ = ["Carried", "carry"]

_EACH = 4  # replications of each draw, on the same random numbers


@dataclass(frozen=True, slots=True)
class Carried:
    """A measure with and without what the inputs leave open.

    Attributes:
        measure: Its name and unit.
        mean: Mean of the model as it was fitted.
        low: Interval of 95 % by its replications alone.
        high: Its upper end.
        wide_low: Interval of 95 % with what the inputs leave open.
        wide_high: Its upper end.
    """

    measure: str
    mean: float
    low: float
    high: float
    wide_low: float
    wide_high: float


def carry(
    found: Fitted, line: Line, *, draws: int = 20, seed: int = 1
) -> list[Carried]:
    """Return throughput and flow times with what the inputs leave open.

    Args:
        found: The fit.
        line: Its line.
        draws: Models drawn, ten or more.
        seed: Of draws and simulations.

    Raises:
        ValueError: There are fewer than ten draws.
    """
    if draws < 10:
        msg = f"carry is {draws}; ten draws or more say something"
        raise ValueError(msg)
    own = _values(line, max(draws, 10), seed)
    drawn: dict[str, list[Floats]] = {name: [] for name in own}
    for number in range(draws):
        model = loads(dumps_plain(_redrawn(found, number, seed)))
        for name, values in _values(model, _EACH, seed).items():
            drawn[name].append(values)
    return [
        _carried(name, values, np.array(drawn[name]))
        for name, values in own.items()
        if np.isfinite(values).all() and np.isfinite(drawn[name]).all()
    ]


def _carried(name: str, own: Floats, drawn: Floats) -> Carried:
    """Return a measure whose variance is that of its mean and that of the inputs.

    Means of draws differ by their inputs and by chance; what chance does within a draw
    is taken off (one-way analysis of variance).
    """
    alone = mean_interval(own)
    within = float(drawn.var(axis=1, ddof=1).mean()) / drawn.shape[1]
    between = max(float(drawn.mean(axis=1).var(ddof=1)) - within, 0.0)
    error = math.sqrt(between + float(own.var(ddof=1)) / len(own))
    half = float(stats.t.ppf(0.975, len(drawn) - 1)) * error
    mean = alone.mean
    return Carried(name, mean, alone.low, alone.high, mean - half, mean + half)


def _redrawn(found: Fitted, number: int, seed: int) -> dict[str, Any]:
    def text(fit: Fit) -> Any:
        d = fit.redrawn(random_of(f"carry.{fit.name}.{number}", seed))
        return d.model_dump(mode="json")

    data: dict[str, Any] = with_fits(found.data, text)
    return data


def _values(line: Line, replications: int, seed: int) -> dict[str, Floats]:
    result = simulate(line, replications=replications, seed=seed)
    return dict(_measures(result, line))


def _measures(result: Any, line: Line) -> Iterator[tuple[str, Floats]]:
    n = result.manifest["replications"]
    table = result.table("products")

    def column(field: str) -> Floats:
        values = table[field].to_numpy(zero_copy_only=False).astype(float)
        shaped: Floats = values.reshape(n, -1)
        return shaped

    final = [i for i, name in enumerate(line.products) if leaves_line(line, name)]
    hours = (result.manifest["horizon_us"] - result.manifest["warmup_us"]) / 3.6e9
    yield "throughput, 1/h", column("finished")[:, final].sum(axis=1) / hours
    flows = column("flow_mean_s") / 3600
    for i in final:
        yield f"flow time of {list(line.products)[i]}, h", flows[:, i]
