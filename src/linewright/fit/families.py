"""The distributions of the model, fitted by maximum likelihood.

Each `Family` knows its likelihood, its distribution function, and how to fit many
samples of one size at once, which is what makes a parametric bootstrap quick.
Parameters are those that a model file has, times in seconds.

Source: the equations of maximum likelihood are those of Law (2015), Simulation Modeling
and Analysis, 5th ed., section 6.2.2; the start for gamma is Minka (2002), Estimating a
Gamma distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from linewright.fit.log import Floats

__all__ = ["FAMILIES", "Family"]

_TINY = 1e-300
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of distribution that can be fitted.

    Attributes:
        kind: As in the model.
        n_free: Parameters that are estimated.
        fit: From samples, one in each row, to parameters, one set in each row.
        log_pdf: From a sample and parameters to the logarithm of its density.
        cdf: From a sample and parameters to its distribution function.
        draw: From parameters, a generator and a size to samples.
        scales: Which parameters are above zero and are varied as their logarithm.
        is_regular: Whether Fisher's information says how far off parameters are.
    """

    kind: str
    n_free: int
    fit: Callable[[Floats], Floats]
    log_pdf: Callable[[Floats, Floats], Floats]
    cdf: Callable[[Floats, Floats], Floats]
    draw: Callable[[Floats, np.random.Generator, tuple[int, ...]], Floats]
    is_regular: bool = True


def _columns(*values: Floats) -> Floats:
    return np.stack(values, axis=-1)


def _logs(x: Floats) -> Floats:
    return np.log(np.maximum(x, _TINY))


# ---------------------------------------------------------------- exponential


def _fit_exponential(x: Floats) -> Floats:
    return _columns(x.mean(axis=-1))


def _exponential_log(x: Floats, p: Floats) -> Floats:
    found: Floats = -x / p[0] - np.log(p[0])
    return found


# ---------------------------------------------------------------- gamma, Erlang


def _shape_of_gamma(x: Floats) -> Floats:
    """Solve log k - digamma k = log mean - mean log, by Newton in 1/k (Minka)."""
    s = np.maximum(np.log(x.mean(axis=-1)) - _logs(x).mean(axis=-1), 1e-12)
    k = (3 - s + np.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s)
    for _ in range(_STEPS):
        slope = 1 / k - special.polygamma(1, k)
        inverse = 1 / k + (np.log(k) - special.digamma(k) - s) / (k**2 * slope)
        k_next = 1 / np.maximum(inverse, 1e-8)
        done = np.max(np.abs(k_next / k - 1)) < 1e-10
        k = k_next
        if done:
            break
    found: Floats = k
    return found


def _fit_gamma(x: Floats) -> Floats:
    k = _shape_of_gamma(x)
    return _columns(x.mean(axis=-1), np.minimum(1 / np.sqrt(k), 30.0))


def _gamma_log(x: Floats, p: Floats) -> Floats:
    k = 1 / p[1] ** 2
    scale = p[0] / k
    found: Floats = (
        (k - 1) * _logs(x) - x / scale - special.gammaln(k) - k * np.log(scale)
    )
    return found


def _gamma_cdf(x: Floats, p: Floats) -> Floats:
    k = 1 / p[1] ** 2
    found: Floats = special.gammainc(k, x * k / p[0])
    return found


def _fit_erlang(x: Floats) -> Floats:
    mean, k = x.mean(axis=-1), _shape_of_gamma(x)
    s = np.log(mean) - _logs(x).mean(axis=-1)
    low = np.clip(np.floor(k), 1, 1000)
    high = np.minimum(low + 1, 1000)

    def profile(stages: Floats) -> Floats:  # log likelihood of one value, but constants
        found: Floats = stages * (np.log(stages) - s - 1) - special.gammaln(stages)
        return found

    return _columns(mean, np.where(profile(high) > profile(low), high, low))


def _erlang_log(x: Floats, p: Floats) -> Floats:
    return _gamma_log(x, np.array([p[0], 1 / np.sqrt(p[1])]))


def _erlang_cdf(x: Floats, p: Floats) -> Floats:
    return _gamma_cdf(x, np.array([p[0], 1 / np.sqrt(p[1])]))


# ---------------------------------------------------------------- lognormal, normal


def _fit_lognormal(x: Floats) -> Floats:
    logs = _logs(x)
    variance = logs.var(axis=-1)
    mean = np.exp(np.minimum(logs.mean(axis=-1) + variance / 2, 600.0))
    cv = np.sqrt(np.expm1(np.minimum(variance, 9.2)))
    return _columns(mean, np.maximum(cv, 1e-9))


def _lognormal_parts(p: Floats) -> tuple[float, float]:
    variance = np.log1p(p[1] ** 2)
    return float(np.log(p[0]) - variance / 2), float(np.sqrt(variance))


def _lognormal_log(x: Floats, p: Floats) -> Floats:
    mu, sigma = _lognormal_parts(p)
    logs = _logs(x)
    z = (logs - mu) / sigma
    found: Floats = -(z**2) / 2 - logs - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    return found


def _lognormal_cdf(x: Floats, p: Floats) -> Floats:
    mu, sigma = _lognormal_parts(p)
    found: Floats = special.ndtr((_logs(x) - mu) / sigma)
    return found


def _fit_normal(x: Floats) -> Floats:
    """Fit the normal that is cut at zero, by its moments."""
    mean, sd = x.mean(axis=-1), x.std(axis=-1)
    sd = np.maximum(sd, 1e-9 * np.maximum(mean, 1e-9))
    m, s = mean.copy(), sd.copy()
    for _ in range(_STEPS):  # the likelihood's equations are those of the moments
        a = np.clip(m / s, -5, 40)
        hazard = np.exp(-(a**2) / 2) / np.sqrt(2 * np.pi) / special.ndtr(a)
        m = np.maximum(mean - s * hazard, 1e-6 * mean)
        spread = np.maximum(1 - a * hazard - hazard**2, 0.05)
        s = sd / np.sqrt(spread)
    return _columns(m, s)


def _normal_log(x: Floats, p: Floats) -> Floats:
    z = (x - p[0]) / p[1]
    kept = np.log(special.ndtr(p[0] / p[1]))
    found: Floats = -(z**2) / 2 - np.log(p[1]) - 0.5 * np.log(2 * np.pi) - kept
    return found


def _normal_cdf(x: Floats, p: Floats) -> Floats:
    below = special.ndtr(-p[0] / p[1])
    found: Floats = (special.ndtr((x - p[0]) / p[1]) - below) / (1 - below)
    return np.clip(found, 0, 1)


# ---------------------------------------------------------------- Weibull


def _fit_weibull(x: Floats) -> Floats:
    logs = _logs(x)
    mean_log = logs.mean(axis=-1)
    centred = logs - logs.max(axis=-1, keepdims=True)  # so that no power overflows
    k = np.maximum(1.2 / np.maximum(logs.std(axis=-1), 1e-9), 0.05)
    top = logs.max(axis=-1)
    for _ in range(_STEPS):
        w = np.exp(k[..., None] * centred)
        s0, s1 = w.sum(axis=-1), (w * centred).sum(axis=-1)
        s2 = (w * centred**2).sum(axis=-1)
        value = s1 / s0 + top - mean_log - 1 / k
        slope = s2 / s0 - (s1 / s0) ** 2 + 1 / k**2
        k_next = np.clip(k - value / slope, k / 3, k * 3)
        done = np.max(np.abs(k_next / k - 1)) < 1e-10
        k = k_next
        if done:
            break
    k = np.clip(k, 0.05, 1000)
    w = np.exp(k[..., None] * centred).mean(axis=-1)
    return _columns(np.exp(np.log(w) / k + top), k)


def _weibull_log(x: Floats, p: Floats) -> Floats:
    scale, k = p
    z = _logs(x) - np.log(scale)
    found: Floats = (
        np.log(k) - np.log(scale) + (k - 1) * z - np.exp(np.minimum(k * z, 700))
    )
    return found


def _weibull_cdf(x: Floats, p: Floats) -> Floats:
    found: Floats = -np.expm1(-((x / p[0]) ** p[1]))
    return found


# ---------------------------------------------------------------- bounded


def _ends(x: Floats) -> tuple[Floats, Floats]:
    """Return the ends of what may come, a mean gap beyond what came."""
    low, high = x.min(axis=-1), x.max(axis=-1)
    gap = np.maximum(high - low, 1e-9) / max(x.shape[-1] - 1, 1)
    return np.maximum(low - gap, 0.0), high + gap


def _fit_uniform(x: Floats) -> Floats:
    return _columns(*_ends(x))


def _uniform_log(x: Floats, p: Floats) -> Floats:
    inside = (x >= p[0]) & (x <= p[1])
    return np.where(inside, -np.log(p[1] - p[0]), -np.inf)


def _uniform_cdf(x: Floats, p: Floats) -> Floats:
    found: Floats = np.clip((x - p[0]) / (p[1] - p[0]), 0, 1)
    return found


def _fit_triangular(x: Floats) -> Floats:
    """Fit the mode; ends are those of the sample, moved to where moments agree."""
    low, high = _ends(x)
    found = []
    for row, a, b in zip(np.atleast_2d(x), np.atleast_1d(low), np.atleast_1d(high),
                         strict=True):  # fmt: skip
        found.append(_triangle(np.sort(row), float(a), float(b)))
    shaped: Floats = np.array(found).reshape(*x.shape[:-1], 3)
    return shaped


def _triangle(x: Floats, low: float, high: float) -> tuple[float, float, float]:
    """Return the likeliest triangle: ends by simplex, mode by the sample's points."""
    spread = high - low

    def ends(q: Floats) -> tuple[float, float]:
        first = max(0.0, x[0] - abs(q[0]) * spread)
        return min(first, x[0]), x[-1] + abs(q[1]) * spread

    def cost(q: Floats) -> float:
        a, b = ends(q)
        mode = min(max(a + q[2] * (b - a), a), b)
        density = _triangular_log(x, np.array([a, mode, b]))
        return -float(density.sum()) if np.isfinite(density).all() else 1e300

    centre = float(np.clip((3 * x.mean() - low - high - low) / spread, 0.02, 0.98))
    start = np.array([0.05, 0.05, centre])
    best = optimize.minimize(
        cost, start, method="Nelder-Mead", options={"maxiter": 120, "xatol": 1e-3}
    )
    a, b = ends(best.x)
    return a, min(max(a + float(best.x[2]) * (b - a), a), b), b


def _triangular_log(x: Floats, p: Floats) -> Floats:
    a, m, b = p
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.log(2 * np.maximum(x - a, 0) / ((b - a) * (m - a)))
        right = np.log(2 * np.maximum(b - x, 0) / ((b - a) * (b - m)))
    found = np.where((x < m) | (m >= b), left, right)
    return np.where((x < a) | (x > b), -np.inf, found)


def _triangular_cdf(x: Floats, p: Floats) -> Floats:
    a, m, b = p
    wide = b - a
    left = np.maximum(x - a, 0) ** 2 / (wide * max(m - a, 1e-12))
    right = 1 - np.maximum(b - x, 0) ** 2 / (wide * max(b - m, 1e-12))
    found: Floats = np.clip(np.where(x < m, left, right), 0, 1)
    return found


def _fit_beta(x: Floats) -> Floats:
    low, high = _ends(x)
    u = (x - low[..., None]) / (high - low)[..., None]
    u = np.clip(u, 1e-6, 1 - 1e-6)
    mean, variance = u.mean(axis=-1), np.maximum(u.var(axis=-1), 1e-9)
    size = np.maximum(mean * (1 - mean) / variance - 1, 0.1)
    a, b = mean * size, (1 - mean) * size
    la, lb = np.log(u).mean(axis=-1), np.log1p(-u).mean(axis=-1)
    for _ in range(_STEPS):  # Newton on the two equations of the likelihood
        both = special.digamma(a + b)
        f, g = special.digamma(a) - both - la, special.digamma(b) - both - lb
        c = -special.polygamma(1, a + b)
        fa, gb = special.polygamma(1, a) + c, special.polygamma(1, b) + c
        det = fa * gb - c * c
        a_next = np.clip(a - (gb * f - c * g) / det, a / 3, a * 3)
        b_next = np.clip(b - (fa * g - c * f) / det, b / 3, b * 3)
        done = np.max(np.abs(a_next / a - 1) + np.abs(b_next / b - 1)) < 1e-9
        a, b = a_next, b_next
        if done:
            break
    return _columns(low, high, np.clip(a, 0.05, 1e4), np.clip(b, 0.05, 1e4))


def _beta_log(x: Floats, p: Floats) -> Floats:
    low, high, a, b = p
    u = (x - low) / (high - low)
    inside = (u > 0) & (u < 1)
    v = np.where(inside, u, 0.5)
    found = (a - 1) * np.log(v) + (b - 1) * np.log1p(-v) - special.betaln(a, b)
    return np.where(inside, found - np.log(high - low), -np.inf)


def _beta_cdf(x: Floats, p: Floats) -> Floats:
    u = np.clip((x - p[0]) / (p[1] - p[0]), 0, 1)
    found: Floats = special.betainc(p[2], p[3], u)
    return found


def _fit_pert(x: Floats) -> Floats:
    low, high = _ends(x)
    mode = (6 * x.mean(axis=-1) - low - high) / 4  # its mean is (low + 4 mode + high)/6
    return _columns(low, np.clip(mode, low, high), high)


def _pert_parts(p: Floats) -> Floats:
    low, mode, high = p
    wide = high - low
    a, b = 1 + 4 * (mode - low) / wide, 1 + 4 * (high - mode) / wide
    return np.array([low, high, a, b])


# ---------------------------------------------------------------- hyperexponential


def _fit_hyper(x: Floats) -> Floats:
    """Fit the two phases of balanced means; the mean is that of the sample."""
    mean = x.mean(axis=-1)
    found = []
    for row, m in zip(np.atleast_2d(x), np.atleast_1d(mean), strict=True):
        best = optimize.minimize_scalar(
            lambda t, row=row, m=m: (
                -float(_hyper_log(row, np.array([m, np.exp(t)])).sum())
            ),
            bounds=(np.log(1.0001), np.log(60.0)),
            method="bounded",
        )
        found.append((float(m), float(np.exp(best.x))))
    shaped: Floats = np.array(found).reshape(*x.shape[:-1], 2)
    return shaped


def _phases(p: Floats) -> tuple[float, float, float, float]:
    share = 0.5 * (1 + np.sqrt((p[1] ** 2 - 1) / (p[1] ** 2 + 1)))
    first, second = 2 * share / p[0], 2 * (1 - share) / p[0]
    return float(share), float(1 - share), float(first), float(second)


def _hyper_log(x: Floats, p: Floats) -> Floats:
    p1, p2, r1, r2 = _phases(p)
    found: Floats = np.logaddexp(np.log(p1 * r1) - r1 * x, np.log(p2 * r2) - r2 * x)
    return found


def _hyper_cdf(x: Floats, p: Floats) -> Floats:
    p1, p2, r1, r2 = _phases(p)
    return 1 - p1 * np.exp(-r1 * x) - p2 * np.exp(-r2 * x)


def _draw_hyper(
    p: Floats, random: np.random.Generator, size: tuple[int, ...]
) -> Floats:
    p1, _, r1, r2 = _phases(p)
    rate = np.where(random.random(size) < p1, r1, r2)
    return random.exponential(size=size) / rate


def _draw_normal(
    p: Floats, random: np.random.Generator, size: tuple[int, ...]
) -> Floats:
    below = special.ndtr(-p[0] / p[1])
    u = below + (1 - below) * random.random(size)
    found: Floats = np.maximum(p[0] + p[1] * special.ndtri(u), 0)
    return found


def _draw_lognormal(
    p: Floats, random: np.random.Generator, size: tuple[int, ...]
) -> Floats:
    return random.lognormal(*_lognormal_parts(p), size)


def _scaled_beta(
    p: Floats, random: np.random.Generator, size: tuple[int, ...]
) -> Floats:
    found: Floats = p[0] + (p[1] - p[0]) * random.beta(p[2], p[3], size)
    return found


FAMILIES: dict[str, Family] = {
    f.kind: f
    for f in (
        Family(
            "exponential", 1, _fit_exponential, _exponential_log,
            lambda x, p: -np.expm1(-x / p[0]),
            lambda p, r, size: r.exponential(p[0], size),
        ),
        Family(
            "erlang", 2, _fit_erlang, _erlang_log, _erlang_cdf,
            lambda p, r, size: r.gamma(p[1], p[0] / p[1], size),
        ),
        Family(
            "gamma", 2, _fit_gamma, _gamma_log, _gamma_cdf,
            lambda p, r, size: r.gamma(1 / p[1] ** 2, p[0] * p[1] ** 2, size),
        ),
        Family(
            "lognormal", 2, _fit_lognormal, _lognormal_log, _lognormal_cdf,
            _draw_lognormal,
        ),
        Family("normal", 2, _fit_normal, _normal_log, _normal_cdf, _draw_normal),
        Family(
            "weibull", 2, _fit_weibull, _weibull_log, _weibull_cdf,
            lambda p, r, size: p[0] * r.weibull(p[1], size),
        ),
        Family(
            "hyperexponential", 2, _fit_hyper, _hyper_log, _hyper_cdf, _draw_hyper
        ),
        Family(
            "uniform", 2, _fit_uniform, _uniform_log, _uniform_cdf,
            lambda p, r, size: r.uniform(p[0], p[1], size), is_regular=False,
        ),
        Family(
            "triangular", 3, _fit_triangular, _triangular_log, _triangular_cdf,
            lambda p, r, size: r.triangular(p[0], p[1], p[2], size), is_regular=False,
        ),
        Family(
            "pert", 3, _fit_pert, lambda x, p: _beta_log(x, _pert_parts(p)),
            lambda x, p: _beta_cdf(x, _pert_parts(p)),
            lambda p, r, size: _scaled_beta(_pert_parts(p), r, size), is_regular=False,
        ),
        Family(
            "beta", 4, _fit_beta, _beta_log, _beta_cdf, _scaled_beta, is_regular=False
        ),
    )
}  # fmt: skip
"""What can be fitted, by kind; constants and samples need no likelihood."""


def distances(u: Floats) -> tuple[Floats, Floats]:
    """Return Kolmogorov-Smirnov's and Anderson-Darling's distance of each row.

    Args:
        u: Distribution function at the sample, sorted along the last axis.
    """
    n = u.shape[-1]
    i = np.arange(1, n + 1)
    ks = np.maximum(i / n - u, u - (i - 1) / n).max(axis=-1)
    v = np.clip(u, 1e-12, 1 - 1e-12)
    weight = (2 * i - 1) / n
    ad = -n - (weight * (np.log(v) + np.log1p(-v[..., ::-1]))).sum(axis=-1)
    return ks, ad


def normal_scores(u: Floats) -> Floats:
    """Return the standard normal values that belong to probabilities."""
    found: Floats = stats.norm.ppf(np.clip(u, 1e-12, 1 - 1e-12))
    return found
