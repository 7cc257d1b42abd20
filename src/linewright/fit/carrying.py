"""What the inputs of a model may be, carried into its results.

Intervals of a simulation say how sure it is of its own line. The line itself was
estimated. Here every input is drawn anew, as its evidence allows, a model is simulated
for each draw, and the spread over draws is what both together leave open.

Source: Cheng and Holland (1997), Sensitivity of computer simulation experiments to
errors in input data, Journal of Statistical Computation and Simulation 57, 219-241.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from linewright.fit.distributions import Fit, random_of
from linewright.fit.fitting import Fitted, Share
from linewright.fit.log import Floats
from linewright.fit.writing import Evidence, places_of
from linewright.model.distribution import Distribution
from linewright.model.line import Line
from linewright.model.load import Variants, plain
from linewright.model.meaning import leaves_line
from linewright.results import Result
from linewright.simulate import simulate
from linewright.stats.intervals import mean_interval

__all__ = ["Carried", "Open", "carry", "check_draws", "open_in", "open_of"]

_EACH = 4  # replications of each draw, on the same random numbers
_SAME = 1e-3
_OWN = ("workers", "precision", "replications")  # of a run; draws have their own


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


@dataclass(frozen=True, slots=True)
class Open:
    """What the records leave open of the inputs of a model.

    Attributes:
        fits: Distributions, and where each stands in the model.
        shares: Shares of routes.
        changed: Inputs with evidence that the model has otherwise now; not drawn.
    """

    fits: tuple[tuple[Fit, tuple[tuple[str, ...], ...]], ...]
    shares: tuple[Share, ...]
    changed: tuple[str, ...] = ()


def open_of(found: Fitted) -> Open:
    """Return what a fit leaves open."""
    places = places_of(found.data)
    fits = (
        (fit, tuple(places[name])) for name, fit in found.fits.items() if name in places
    )
    return Open(tuple(fits), tuple(found.shares))


def open_in(line: Line, evidence: Evidence) -> Open:
    """Return what the evidence of a model leaves open of it.

    Inputs that were changed since by hand are left as they are.

    Args:
        line: The model.
        evidence: What lies beside it.
    """
    data = plain(line)
    fits, changed = [], []
    for said in evidence.said["inputs"]:
        fit = evidence.fits[said["name"]]
        places = [tuple(path) for path in said.get("places", ())]
        kept = tuple(path for path in places if _is_kept(_at(data, path), fit))
        if kept:
            fits.append((fit, kept))
        if len(kept) < len(places):
            changed.append(fit.name)
    shares = [Share(tuple(s["path"]), s["counts"]) for s in evidence.said["shares"]]
    same = [s for s in shares if _is_same_share(_at(data, s.path), s)]
    changed += [".".join(s.path) for s in shares if s not in same]
    return Open(tuple(fits), tuple(same), tuple(changed))


def _at(data: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a place of a model, or none."""
    for key in path:
        if isinstance(data, list):
            data = next((d for d in data if d.get("operation") == key), None)
        elif isinstance(data, Mapping):
            data = data.get(key)
        else:
            return None
    return data


def _is_kept(value: Any, fit: Fit) -> bool:
    if value is None:
        return False
    now, then = Distribution.model_validate(value), fit.distribution()
    is_near = abs(now.mean_us - then.mean_us) <= _SAME * max(then.mean_us, 1)
    return now.kind == then.kind and is_near


def _is_same_share(value: Any, share: Share) -> bool:
    total = sum(share.counts.values())
    if total <= 0 or value is None:
        return False
    first = next(iter(share.counts))
    now = value if share.path[-1] == "sample" else value.get(first)
    return now is not None and abs(now - share.counts[first] / total) <= _SAME


def carry(
    line: Line,
    inputs: Open,
    *,
    draws: int = 20,
    seed: int = 1,
    own: Result | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[Carried]:
    """Return throughput and flow times with what the inputs leave open.

    Args:
        line: The line.
        inputs: What is open of its inputs.
        draws: Models drawn, ten or more.
        seed: Of draws and simulations.
        own: The line's own simulation; as many replications as draws by default.
        options: As of `simulate`, for each draw.

    Raises:
        ValueError: There are fewer than ten draws, or `own` has one replication.
    """
    check_draws(draws)
    if own is not None and own.manifest["replications"] < 2:
        msg = "carry needs two replications or more: one has no interval to widen"
        raise ValueError(msg)
    if own is None:
        own = simulate(line, replications=draws, seed=seed, **(options or {}))
    chosen = {k: v for k, v in (options or {}).items() if k not in _OWN}
    chosen |= {"replications": _EACH, "seed": seed}
    alone = dict(_measures(own, line))
    drawn: dict[str, list[Floats]] = {name: [] for name in alone}
    variants = Variants(line)
    for number in range(draws):
        model = variants.changed(_redrawn(inputs, number, seed))
        for name, values in _measures(simulate(model, **chosen), line):
            drawn[name].append(values)
    return [
        _carried(name, values, np.array(drawn[name]))
        for name, values in alone.items()
        if len(values) > 1
        and np.isfinite(values).all()
        and np.isfinite(drawn[name]).all()
    ]


def check_draws(draws: int) -> None:
    """Refuse so few draws that they say nothing.

    Raises:
        ValueError: There are fewer than ten.
    """
    if draws < 10:
        msg = f"carry is {draws}; ten draws or more say something"
        raise ValueError(msg)


def _carried(name: str, own: Floats, drawn: Floats) -> Carried:
    """Return a measure whose variance is that of its mean and that of the inputs.

    Means of draws differ by their inputs and by chance; what chance does within a draw
    is taken off (one-way analysis of variance). Degrees of freedom are those of Welch
    and Satterthwaite; an interval is never narrower than that of the runs alone.
    """
    alone = mean_interval(own)
    within = float(drawn.var(axis=1, ddof=1).mean()) / drawn.shape[1]
    between = max(float(drawn.mean(axis=1).var(ddof=1)) - within, 0.0)
    chance = float(own.var(ddof=1)) / len(own)
    total = between + chance
    half = alone.half_width
    if total > 0:  # degrees of freedom of a sum of variances
        below = between**2 / (len(drawn) - 1) + chance**2 / (len(own) - 1)
        t = float(stats.t.ppf(0.975, total**2 / below))
        half = max(t * math.sqrt(total), half)
    mean = alone.mean
    return Carried(name, mean, alone.low, alone.high, mean - half, mean + half)


def _redrawn(inputs: Open, number: int, seed: int) -> dict[str, Any]:
    """Return a model as it may be, as changes to it."""
    found: dict[str, Any] = {}
    for fit, places in inputs.fits:
        d = fit.redrawn(random_of(f"carry.{fit.name}.{number}", seed))
        for path in places:
            _put(found, path, d.model_dump(mode="json"))
    for share in inputs.shares:
        random = random_of(f"carry.{'.'.join(share.path)}.{number}", seed)
        _put(found, share.path, _redrawn_share(share, random))
    return found


def _redrawn_share(share: Share, random: np.random.Generator) -> Any:
    """Return shares as they may be after what was counted (Jeffreys' prior)."""
    seen = {key: n for key, n in share.counts.items() if n > 0}
    drawn = random.dirichlet([n + 0.5 for n in seen.values()])
    parts = dict(zip(seen, drawn.tolist(), strict=True))
    if share.path[-1] == "sample":
        return min(max(parts.get("sample", 0.0), 1e-6), 1.0)
    parts["pass"] = max(1.0 - sum(v for k, v in parts.items() if k != "pass"), 1e-3)
    total = sum(parts.values())
    rest = {key: value / total for key, value in parts.items() if key != "pass"}
    return rest | {"pass": 1.0 - sum(rest.values())}


def _put(found: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        found = found.setdefault(key, {})
    found[path[-1]] = value


def _measures(result: Result, line: Line) -> Iterator[tuple[str, Floats]]:
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
