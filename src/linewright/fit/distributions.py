"""Times to a distribution of the model, with the evidence for it.

Candidates are fitted by maximum likelihood and put in the order of Akaike's criterion,
corrected for small samples. The best one that a parametric bootstrap of
Anderson-Darling's distance does not refuse is taken; where all are refused, the sample
itself. Times that were rounded are spread evenly over what they may have been, or every
distance would find the rounding and nothing else. Random numbers come from a stream
with the input's name.

Sources: Burnham and Anderson (2002), Model Selection and Multimodel Inference, eq. 2.25
(the correction); Stute, Gonzalez-Manteiga and Presedo-Quindimil (1993), Metrika 40,
243-256 (the bootstrap of distances with estimated parameters).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from linewright.fit.families import FAMILIES, Family, distances, normal_scores
from linewright.fit.log import Floats
from linewright.lower import stream_keys
from linewright.model.distribution import KINDS, Distribution
from linewright.units import UNITS_US

__all__ = [
    "FEW",
    "N_QUANTILES",
    "Candidate",
    "Fit",
    "ParameterInterval",
    "fit_times",
    "random_of",
    "scores",
]

FEW = 30
"""Fewer times than this are warned of."""

N_QUANTILES = 200
"""Values of a sample that stands for itself."""

_MOST = 200_000  # times to which distributions are fitted
_TESTED = 1_000  # times on which goodness is tested: more would find the smallest flaw
_BOOTSTRAPS = 199
_SLOW_BOOTSTRAPS = 119
_SLOW = ("triangular", "hyperexponential")
_SLOW_FITTED = 4_000
_SLOW_TESTED = 400
_REFUSED = 0.01
_EQUAL = 2.0
_NEAR = 10.0  # difference of the criterion beyond which a candidate has no support
_PLOT = 41
_ZEROS = 0.05
_OFF = 0.1  # a mean may lie so far from that of the times,
_FAR_OFF = 0.25  # or three standard errors, but no farther than this
_WILD = 4.0  # variance of a logarithm beyond which the approximation is none


@dataclass(frozen=True, slots=True)
class ParameterInterval:
    """A parameter with its interval; seconds, or a plain number."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A distribution that was tried.

    Attributes:
        kind: As in the model.
        parameters: As in the model, times in seconds.
        aicc: Akaike's criterion, corrected; smaller is better.
        ks: Kolmogorov-Smirnov's distance, nan if not asked.
        ks_p: Share of samples from the distribution that lie farther off.
        ad: Anderson-Darling's distance, and its share.
        ad_p: The same for it.
    """

    kind: str
    parameters: tuple[float, ...]
    aicc: float
    ks: float = math.nan
    ks_p: float = math.nan
    ad: float = math.nan
    ad_p: float = math.nan


@dataclass(frozen=True, slots=True)
class Fit:
    """A distribution with its evidence.

    Attributes:
        name: What it is for, such as ``stations.mill.process``.
        n: Times in the log.
        kind: Kind chosen.
        parameters: As in the model, times in seconds; empty for a sample.
        quantiles_s: The sample's quantiles, where it stands for itself.
        mean_s: Mean of the times.
        sd_s: Their standard deviation.
        mean_low_s: Interval of the mean, 95 %.
        mean_high_s: Its upper end.
        intervals: Of each parameter, 95 %.
        covariance: Of the parameters' logarithms, for drawing them anew.
        candidates: All that was tried, the best first.
        plot: Quantiles: probability, of the sample, of the distribution; seconds.
        notes: What to know before one relies on it.
    """

    name: str
    n: int
    kind: str
    parameters: tuple[float, ...]
    quantiles_s: tuple[float, ...]
    mean_s: float
    sd_s: float
    mean_low_s: float
    mean_high_s: float
    intervals: tuple[ParameterInterval, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()
    candidates: tuple[Candidate, ...] = ()
    plot: tuple[tuple[float, float, float], ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that was taken; none for a constant or a sample."""
        return next((c for c in self.candidates if c.kind == self.kind), None)

    def distribution(self) -> Distribution:
        """Return it as the model has it."""
        return as_distribution(self.kind, self.parameters, self.quantiles_s)

    def redrawn(self, random: np.random.Generator) -> Distribution:
        """Return it as it might be, given what the log can say.

        Parameters are drawn from their large-sample distribution; a sample is drawn
        again from itself, as often as it had values.
        """
        if self.kind == "empirical":
            counts = random.multinomial(
                self.n, np.full(len(self.quantiles_s), 1 / len(self.quantiles_s))
            )
            kept = counts > 0
            values = [_us(v) for v in np.array(self.quantiles_s)[kept]]
            weights = counts[kept] / counts.sum()
            weights[-1] += 1 - weights.sum()
            return Distribution(
                kind="discrete", values_us=tuple(values), weights=tuple(weights)
            )
        if not self.covariance:
            scale = 1.0
            if self.mean_s > 0 and self.mean_high_s > self.mean_low_s:
                sd = (self.mean_high_s - self.mean_low_s) / 3.92 / self.mean_s
                scale = math.exp(random.normal(0.0, sd))
            return as_distribution(self.kind, _scaled(self, scale), ())
        logs = random.multivariate_normal(np.log(self.parameters), self.covariance)
        return as_distribution(self.kind, _legal(self.kind, np.exp(logs)), ())


def _scaled(fit: Fit, scale: float) -> tuple[float, ...]:
    names = KINDS[fit.kind]
    return tuple(
        value if name.endswith("#") else value * scale
        for name, value in zip(names, fit.parameters, strict=True)
    )


def _legal(kind: str, p: Floats) -> tuple[float, ...]:
    if kind == "erlang":
        p[1] = min(max(round(p[1]), 1), 1000)
    if kind == "hyperexponential":
        p[1] = max(p[1], 1.0)
    return tuple(p.tolist())


def random_of(name: str, seed: int) -> np.random.Generator:
    """Return the random numbers of a stream with this name."""
    key = int(stream_keys([f"fit.{name}"], seed)[0])
    return np.random.Generator(np.random.Philox(key=key))


def as_distribution(
    kind: str, parameters: Sequence[float], quantiles_s: Sequence[float]
) -> Distribution:
    """Return a distribution of the model, its times rounded to what reads well."""
    if kind == "empirical":
        values = tuple(_us(v) for v in quantiles_s)
        return Distribution(kind="empirical", values_us=values)
    rounded = tuple(
        float(f"{value:.4g}") if name.endswith("#") else float(_us(value))
        for name, value in zip(KINDS[kind], parameters, strict=True)
    )
    return Distribution(kind=kind, parameters=rounded)


def _us(seconds: float) -> int:
    """Return microseconds with three decimals of the unit in which one would say it."""
    us = max(seconds, 0.0) * 1e6
    for unit in ("d", "h", "min", "s", "ms"):
        if us >= UNITS_US[unit]:
            step = UNITS_US[unit] // 1000
            return round(us / step) * step
    return round(us)


# ---------------------------------------------------------------- the fit


def fit_times(
    name: str,
    times_s: Floats,
    *,
    resolution_s: float = 0.0,
    seed: int = 1,
    plain: tuple[str, ...] = ("gamma", "lognormal"),
) -> Fit:
    """Return the distribution that times of a log come from, with its evidence.

    Args:
        name: What they are for; it names the stream of random numbers.
        times_s: Times in seconds, zero or more; one at least.
        resolution_s: What they were rounded to.
        seed: Seed of the stream.
        plain: Kinds that so few times as one to nine may be taken for.

    Raises:
        ValueError: There is no time, or one is negative or not finite.
    """
    if not len(times_s) or not np.isfinite(times_s).all() or times_s.min() < 0:
        msg = f"{name}: needs one or more times of zero or more"
        raise ValueError(msg)
    random = random_of(name, seed)
    n = len(times_s)
    notes: list[str] = []
    if n < FEW:
        notes.append(f"only {n} times; {FEW} or more are wanted")
    x = times_s
    if n > _MOST:
        x = random.choice(times_s, _MOST, replace=False)
        notes.append(f"fitted to {_MOST:,} of {n:,} times, chosen by chance")
    if n < 3 or np.ptp(x) <= max(1e-6, 1e-9 * float(x.max())):
        return _constant(name, times_s, notes)
    spread = _spread(x, resolution_s, random)
    zeros = float((x == 0).mean())
    if zeros > _ZEROS and n >= 10:
        notes.append(f"{zeros:.0%} are zero; the times stand for themselves")
        return _sample(name, times_s, spread, [], notes)
    tested = _sorted_sample(spread, random)
    tried = _tested(_candidates(spread, plain), tested, random)
    if not tried:
        notes.append("no distribution has their mean; the times stand for themselves")
        return _sample(name, times_s, spread, [], notes)
    fits = [c for c in tried if c.ad_p >= _REFUSED]
    is_refused = not fits and n >= 10
    if is_refused:
        best = tried[0]
        notes.append(
            f"no distribution fits: the nearest, {best.kind}, is refused "
            f"(Anderson-Darling, p = {best.ad_p:.3f}); the times stand for themselves"
        )
        return _sample(name, times_s, spread, tried, notes)
    chosen = _simplest(fits or tried)
    return _fit_of(name, times_s, spread, chosen, tried, notes)


def _simplest(fits: list[Candidate]) -> Candidate:
    """Return the one with the fewest parameters of those that are as good as the best.

    A difference of two in the criterion is no evidence (Burnham and Anderson).
    """
    near = [c for c in fits if c.aicc - fits[0].aicc <= _EQUAL]
    return min(near, key=lambda c: (FAMILIES[c.kind].n_free, c.aicc))


def _basics(times_s: Floats) -> dict[str, Any]:
    n, mean = len(times_s), float(times_s.mean())
    sd = float(times_s.std(ddof=1)) if n > 1 else 0.0
    half = float(stats.t.ppf(0.975, n - 1)) * sd / math.sqrt(n) if n > 1 else math.nan
    ends = {"mean_low_s": max(mean - half, 0.0), "mean_high_s": mean + half}
    if n == 1:
        ends = {"mean_low_s": 0.0, "mean_high_s": math.inf}
    return {"n": n, "mean_s": mean, "sd_s": sd, **ends}


def _constant(name: str, times_s: Floats, notes: list[str]) -> Fit:
    basics = _basics(times_s)
    if np.ptp(times_s) > 0:
        notes.append("taken as constant: too few times for more than their mean")
    return Fit(
        name=name,
        kind="constant",
        parameters=(basics["mean_s"],),
        quantiles_s=(),
        notes=tuple(notes),
        **basics,
    )


def _spread(x: Floats, resolution_s: float, random: np.random.Generator) -> Floats:
    """Return times spread over what was rounded away, where that can be seen."""
    if resolution_s <= 0 or resolution_s < 1e-3 * float(np.median(x)):
        return np.maximum(x, 1e-9)
    low = np.maximum(x - resolution_s / 2, 0)
    return np.maximum(random.uniform(low, x + resolution_s / 2), 1e-9)


def _sorted_sample(x: Floats, random: np.random.Generator) -> Floats:
    if len(x) > _TESTED:
        x = random.choice(x, _TESTED, replace=False)
    return np.sort(x)


def _candidates(x: Floats, plain: tuple[str, ...]) -> list[Candidate]:
    n = len(x)
    mean = float(x.mean())
    error = 3 * float(x.std()) / math.sqrt(n)
    reach = max(_OFF * mean, min(error, _FAR_OFF * mean))
    found = []
    for family in FAMILIES.values():
        if n < 10 * family.n_free and family.n_free > 2:
            continue
        if n < 10 and family.kind not in plain:
            continue
        stride = 1 if family.kind not in _SLOW else -(-n // _SLOW_FITTED)
        sample = x[::stride]
        p = family.fit(sample[None, :])[0]
        with np.errstate(all="ignore"):
            likelihood = float(family.log_pdf(x, p).sum())
        k = family.n_free
        if math.isfinite(likelihood) and np.isfinite(p).all() and _is_legal(family, p):
            correction = 2 * k * (k + 1) / max(n - k - 1, 1)
            aicc = 2 * k - 2 * likelihood + correction
            own = as_distribution(family.kind, tuple(p.tolist()), ()).mean_us / 1e6
            if math.isfinite(aicc) and abs(own - mean) <= reach:
                found.append(Candidate(family.kind, tuple(p.tolist()), aicc))
    return sorted(found, key=lambda c: c.aicc)


def _is_legal(family: Family, p: Floats) -> bool:
    """Say whether the model can write it: neither degenerate nor out of range."""
    try:
        as_distribution(family.kind, tuple(p.tolist()), ())
    except ValueError:
        return False
    if family.kind == "normal" and p[0] < 0.3 * p[1]:  # its mean can hardly be told
        return False
    return not (family.kind == "hyperexponential" and p[1] < 1.01)


def _tested(
    candidates: list[Candidate], x: Floats, random: np.random.Generator
) -> list[Candidate]:
    """Return candidates with their goodness, until one is good enough."""
    found: list[Candidate] = []
    is_done = False
    for c in candidates:
        is_near = c.aicc - candidates[0].aicc <= _NEAR or not found
        if is_done or not is_near:
            found.append(c)
            continue
        tested = _goodness(c, x, random)
        # one as good with fewer parameters is looked at, too
        rivals = [o for o in candidates if o.aicc - candidates[0].aicc <= _EQUAL]
        simpler = min(FAMILIES[o.kind].n_free for o in rivals)
        is_simplest = FAMILIES[c.kind].n_free == simpler
        is_done = tested.ad_p >= _REFUSED and (is_simplest or c.aicc > rivals[-1].aicc)
        found.append(tested)
    return found


def _goodness(c: Candidate, x: Floats, random: np.random.Generator) -> Candidate:
    family = FAMILIES[c.kind]
    n_boot = _SLOW_BOOTSTRAPS if c.kind in _SLOW else _BOOTSTRAPS
    if c.kind in _SLOW and len(x) > _SLOW_TESTED:
        x = np.sort(random.choice(x, _SLOW_TESTED, replace=False))
    n = len(x)
    p = np.array(c.parameters)
    # parameters are those of the tested times, as they are in each bootstrap
    with np.errstate(all="ignore"):
        own = family.fit(x[None, :])[0]
        ks, ad = distances(family.cdf(x, own)[None, :])
        drawn = np.sort(family.draw(p, random, (n_boot, n)), axis=1)
        fitted = family.fit(np.maximum(drawn, 1e-9))
        u = np.stack([family.cdf(row, q) for row, q in zip(drawn, fitted, strict=True)])
    ks_all, ad_all = distances(np.nan_to_num(u, nan=0.5))
    ks_p = (1 + int((ks_all >= ks[0]).sum())) / (n_boot + 1)
    ad_p = (1 + int((ad_all >= ad[0]).sum())) / (n_boot + 1)
    return Candidate(
        c.kind, c.parameters, c.aicc, float(ks[0]), ks_p, float(ad[0]), ad_p
    )


def _fit_of(
    name: str,
    times_s: Floats,
    x: Floats,
    chosen: Candidate,
    tried: list[Candidate],
    notes: list[str],
) -> Fit:
    family = FAMILIES[chosen.kind]
    p = np.array(chosen.parameters)
    covariance: tuple[tuple[float, ...], ...] = ()
    if family.is_regular and (found := _log_covariance(family, x, p)) is not None:
        covariance = tuple(tuple(row) for row in found.tolist())
        intervals = _by_information(family.kind, p, found)
    else:
        intervals = _by_bootstrap(family, p, len(x), name)
    return Fit(
        name=name,
        kind=chosen.kind,
        parameters=chosen.parameters,
        quantiles_s=(),
        intervals=intervals,
        covariance=covariance,
        candidates=tuple(tried),
        plot=_plot(times_s, family, p),
        notes=tuple(notes),
        **_basics(times_s),
    )


def _names(kind: str) -> list[str]:
    return [name.rstrip("#") for name in KINDS[kind]]


def _log_covariance(family: Family, x: Floats, p: Floats) -> Floats | None:
    """Return the covariance of the parameters' logarithms by observed information.

    None where the likelihood has no peak there, as at the edge of what is allowed.
    """
    k = len(p) - (family.kind == "erlang")  # its stages are whole numbers, and kept
    step = 1e-3
    logs = np.log(p)

    def value(shift: Floats) -> float:
        moved = logs.copy()
        moved[:k] += shift
        return float(family.log_pdf(x, np.exp(moved)).sum())

    hessian = np.zeros((k, k))
    unit = np.eye(k) * step
    with np.errstate(all="ignore"):
        for i in range(k):
            for j in range(i, k):
                corners = (
                    value(unit[i] + unit[j])
                    - value(unit[i] - unit[j])
                    - value(unit[j] - unit[i])
                    + value(-unit[i] - unit[j])
                )
                hessian[i, j] = hessian[j, i] = corners / (4 * step**2)
    if not np.isfinite(hessian).all():
        return None
    values = np.linalg.eigvalsh(-hessian)
    if values.min() <= 1e-9 * max(values.max(), 1.0):
        return None
    found = np.zeros((len(p), len(p)))
    found[:k, :k] = np.linalg.inv(-hessian)
    return found if np.diag(found).max() < _WILD else None


def _by_information(
    kind: str, p: Floats, covariance: Floats
) -> tuple[ParameterInterval, ...]:
    half = 1.96 * np.sqrt(np.diag(covariance))
    return tuple(
        ParameterInterval(n, float(v), float(v * np.exp(-h)), float(v * np.exp(h)))
        for n, v, h in zip(_names(kind), p, half, strict=True)
    )


def _by_bootstrap(
    family: Family, p: Floats, n: int, name: str
) -> tuple[ParameterInterval, ...]:
    """Return basic bootstrap intervals: ends of a sample lie inside of what may come.

    So the error of the bootstrap is turned round: what drawn samples fall short of the
    parameters, the parameters fall short of the truth.
    """
    random = random_of(f"{name}.interval", 1)
    size = min(n, _SLOW_TESTED if family.kind in _SLOW else 2_000)
    with np.errstate(all="ignore"):
        drawn = family.draw(p, random, (_SLOW_BOOTSTRAPS, size))
        fitted = family.fit(np.maximum(drawn, 1e-9))
    low, high = np.quantile(fitted - p, [0.025, 0.975], axis=0) * math.sqrt(size / n)
    return tuple(
        ParameterInterval(one, float(v), max(float(v - b), 0.0), float(v - a))
        for one, v, a, b in zip(
            _names(family.kind), p, np.minimum(low, 0), np.maximum(high, 0), strict=True
        )
    )


def _sample(
    name: str,
    times_s: Floats,
    x: Floats,
    tried: list[Candidate],
    notes: list[str],
) -> Fit:
    """Return the sample itself, as quantiles that keep its mean."""
    at = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
    values = np.quantile(x if tried else times_s, at)
    lacking = (float(times_s.mean()) - float(values.mean())) * N_QUANTILES
    top = max(values[-1] + lacking, values[-2])  # the tail beyond the last quantile
    values[-1] = min(top, float(x.max()) * 2)
    values = np.sort(np.maximum(values, 0))
    plot: tuple[tuple[float, float, float], ...] = ()
    if tried:
        nearest = FAMILIES[tried[0].kind]
        plot = _plot(times_s, nearest, np.array(tried[0].parameters))
    return Fit(
        name=name,
        kind="empirical",
        parameters=(),
        quantiles_s=tuple(float(v) for v in values),
        candidates=tuple(tried),
        plot=plot,
        notes=tuple(notes),
        **_basics(times_s),
    )


def _plot(
    times_s: Floats, family: Family, p: Floats
) -> tuple[tuple[float, float, float], ...]:
    """Return quantiles of times and of a distribution, to plot one on the other."""
    at = (np.arange(_PLOT) + 0.5) / _PLOT
    own = np.quantile(times_s, at)
    high = max(float(times_s.max()), 1e-9)
    grid = np.concatenate([[0.0], np.geomspace(high * 1e-5, high * 20, 4000)])
    with np.errstate(all="ignore"):
        below = np.maximum.accumulate(np.nan_to_num(family.cdf(grid, p)))
    theirs = np.interp(at, below, grid)
    return tuple(
        (float(a), float(b), float(c)) for a, b, c in zip(at, own, theirs, strict=True)
    )


# ---------------------------------------------------------------- back: scores


def scores(d: Distribution, times_s: Floats, random: np.random.Generator) -> Floats:
    """Return the normal scores of times under a distribution of the model.

    They are independent and standard normal if the times come from it. Where it has
    steps, a time is put by chance within its step.

    Args:
        d: The distribution.
        times_s: Times in seconds.
        random: For the steps.
    """
    low, high = _cdf_at(d, times_s)
    u = low + (high - low) * random.random(len(times_s))
    return normal_scores(u)


def _cdf_at(d: Distribution, times_s: Floats) -> tuple[Floats, Floats]:
    """Return the distribution function just before and at times."""
    if d.kind in {"discrete", "empirical"}:
        values = np.array(d.values_us) / 1e6
        order = np.argsort(values)
        weights = np.array(d.weights or [1 / len(values)] * len(values))[order]
        total = np.concatenate([[0.0], np.cumsum(weights)])
        values = values[order]
        if d.kind == "empirical":  # a smooth curve through its quantiles
            at = (total[1:] + total[:-1]) / 2
            u = np.interp(times_s, values, at, left=at[0] / 2, right=1 - at[0] / 2)
            return u, u
        low = total[np.searchsorted(values, times_s, "left")]
        return low, total[np.searchsorted(values, times_s, "right")]
    if d.kind == "constant":
        value = d.parameters[0] / 1e6
        return (times_s > value).astype(float), (times_s >= value).astype(float)
    names = KINDS[d.kind]
    p = np.array(
        [
            v if name.endswith("#") else v / 1e6
            for name, v in zip(names, d.parameters, strict=True)
        ]
    )
    with np.errstate(all="ignore"):
        u = np.nan_to_num(FAMILIES[d.kind].cdf(times_s, p))
    return u, u
