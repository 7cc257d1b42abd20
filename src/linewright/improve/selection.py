"""Ranking and selection: the best of some systems that can only be observed with noise.

A system is a row number; what it is, and what is observed of it, the caller knows.
Observations come from a function of systems and a range of replications; replication r
of all systems should use the same random streams (common random numbers), which makes
their differences less noisy and is allowed for by everything here except `two_stage`.

* `subset` drops systems that are plainly worse, from a few replications of each.
* `kn` goes on, drops one after the other, and ends with one: with the confidence asked
  for it is the best, if the best is better than all others by the indifference zone.
* `two_stage` needs two rounds only, for when rounds are dear; independent streams.
* `ocba` makes the most of a fixed budget; its probability of being right is estimated.

Every observation is kept in `Evaluations`, plain data that goes into a JSON file and
back. The procedures ask for what is not there yet, and decide by the observations
alone: to resume one is to start it again with what was kept. They take observations as
normal; means of long replications are.

Source:
    Kim and Nelson (2001), ACM Transactions on Modeling and Computer Simulation 11(3),
    251-273 (`kn`); Nelson, Swann, Goldsman and Song (2001), Operations Research 49(6),
    950-963 (`subset`); Rinott (1978), Communications in Statistics A7(8), 799-811
    (`two_stage`); Chen, Lin, Yucesan and Chick (2000), Discrete Event Dynamic Systems
    10, 251-270 (`ocba`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Aim",
    "Elimination",
    "Evaluations",
    "Observe",
    "Selection",
    "kn",
    "kn_eta",
    "ocba",
    "rinott_h",
    "subset",
    "two_stage",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Observe = Callable[[Ints, int, int], Floats]
"""Observations of systems in replications first to last - 1: (system, replication)."""

_N_RIVALS = 64  # systems that all others are held against at first, for large sets


class Evaluations:
    """Every observation that was made: for each system, replications 0, 1, 2, ….

    Give the same object to one procedure after the other to reuse them. Saving it in
    the observing function keeps all but the call that was interrupted.
    """

    def __init__(self, kept: Mapping[str, Sequence[float]] | None = None) -> None:
        """Begin with what `plain` returned, or with nothing."""
        self._values = {int(k): list(map(float, v)) for k, v in (kept or {}).items()}

    def plain(self) -> dict[str, list[float]]:
        """Return the observations of each system as data for a JSON file."""
        return {str(system): list(v) for system, v in sorted(self._values.items())}

    def count(self, system: int) -> int:
        """Return how many replications of a system there are."""
        return len(self._values.get(system, ()))

    def values(self, system: int) -> Floats:
        """Return all observations of a system, in the order of replications."""
        return np.array(self._values.get(system, ()), np.float64)

    @property
    def n_total(self) -> int:
        """Observations of all systems together."""
        return sum(map(len, self._values.values()))

    def get(self, observe: Observe, systems: Ints, first: int, last: int) -> Floats:
        """Return observations (system, replication), making those that are missing.

        Systems that lack the same replications are observed in one call.

        Raises:
            ValueError: `observe` returned another shape, or a value is not finite.
        """
        counts = np.array([self.count(int(s)) for s in systems])
        for have in np.unique(counts[counts < last]):
            lacking = systems[counts == have]
            made = np.asarray(observe(lacking, int(have), last), np.float64)
            expected = (len(lacking), last - have)
            if made.shape != expected or not np.isfinite(made).all():
                msg = f"need finite observations of shape {expected}, got {made.shape}"
                raise ValueError(msg)
            for system, values in zip(lacking, made.tolist(), strict=True):
                self._values.setdefault(int(system), []).extend(values)
        found = [self._values[int(s)][first:last] for s in systems]
        return np.array(found, np.float64).reshape(len(systems), last - first)


@dataclass(frozen=True, slots=True)
class Aim:
    """What a selection is to reach, and how it proceeds.

    Attributes:
        indifference: Difference in the mean that is worth detecting, positive.
        confidence: Probability of being right, between 1 / systems and 1.
        n_first: Replications of each system before the first decision, 2 or more.
        growth: Replications added between two looks, as a share of those made, at least
            one. More makes fewer rounds and somewhat more replications.
        n_most: Replications of one system at most; None: no limit.
    """

    indifference: float
    confidence: float = 0.95
    n_first: int = 20
    growth: float = 0.05
    n_most: int | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        good = self.indifference > 0 and 0 < self.confidence < 1 and self.n_first >= 2
        if not (good and self.growth >= 0):
            msg = f"an aim cannot have these values: {self}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Elimination:
    """A system that was found to be worse than another one.

    Attributes:
        system: The system that was dropped.
        rival: The system that did most against it.
        after: Replications of each of the two when it was dropped.
    """

    system: int
    rival: int
    after: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen, and what that is worth.

    Attributes:
        chosen: The system with the highest mean, as far as can be told.
        guarantee: In words: what is promised, and on which conditions.
        confidence: The probability that is promised, or estimated where the guarantee
            says so.
        is_complete: Whether the procedure came to its end; if not, a limit of
            replications did, and nothing is promised.
        n_replications: Observations it stands on, of all systems together.
        means: Mean of each system over its own replications.
        counts: Replications of each system.
        eliminated: Systems that were dropped, in that order.
    """

    chosen: int
    guarantee: str
    confidence: float
    is_complete: bool
    n_replications: int
    means: tuple[float, ...] = field(repr=False)
    counts: tuple[int, ...] = field(repr=False)
    eliminated: tuple[Elimination, ...] = field(repr=False)


# ---------------------------------------------------------------- sequential


def kn_eta(n_systems: int, n_first: int, confidence: float) -> float:
    """Return the constant of Kim and Nelson's procedure, for c = 1 and any correlation.

    It solves (1 / 2) (1 + 2 eta)^(-(n - 1) / 2) = alpha / (k - 1).
    """
    each = (1 - confidence) / (n_systems - 1)
    return 0.5 * (math.pow(2 * each, -2 / (n_first - 1)) - 1)


def kn(
    observe: Observe,
    n_systems: int,
    aim: Aim,
    evaluations: Evaluations | None = None,
) -> Selection:
    """Drop systems one after the other until one is left.

    A system is dropped when its sum lies below that of another one by more than a band
    that narrows with the replications and depends on the variance of their difference
    in the first stage. Looking less often than after every replication only makes a
    wrong decision rarer: it leaves out chances to cross the band.

    With more systems than `_N_RIVALS` all are first held against the best of the first
    stage alone, which drops most of them without a table of all pairs. Leaving out
    comparisons never drops a system that would have stayed.

    Args:
        observe: Makes observations.
        n_systems: Systems are 0 to `n_systems` - 1.
        aim: What to reach.
        evaluations: What was observed before; added to.

    Raises:
        ValueError: There is no system, or the confidence is reached by guessing.

    Source:
        Kim and Nelson (2001); Jennison, Johnstone and Turnbull (1982), in Statistical
        Decision Theory and Related Topics III, 55-86, for looking at some times only.
    """
    kept = _begin(n_systems, aim, evaluations)
    alive = np.arange(n_systems)
    first = kept.get(observe, alive, 0, aim.n_first)
    if n_systems == 1:
        return _selection(0, kept, 1, 1.0, "There is one system only.")
    h2 = 2 * kn_eta(n_systems, aim.n_first, aim.confidence) * (aim.n_first - 1)
    n, sums = aim.n_first, first.sum(1)
    eliminated: list[Elimination] = []
    if n_systems > _N_RIVALS:
        rivals = np.argsort(-sums, kind="stable")[:_N_RIVALS]
        square = _square_of_differences(first, first[rivals])
        keep = _drop(eliminated, alive, (sums, square), rivals, (h2, n, aim))
        alive, sums, first = alive[keep], sums[keep], first[keep]
    square = _square_of_differences(first, first)
    while len(alive) > 1:
        everyone = np.arange(len(alive))
        keep = _drop(eliminated, alive, (sums, square), everyone, (h2, n, aim))
        alive, sums, square = alive[keep], sums[keep], square[np.ix_(keep, keep)]
        last = math.floor(h2 * float(square.max()) / aim.indifference**2) + 1
        if len(alive) == 1 or n >= last or (aim.n_most and n >= aim.n_most):
            break
        more = min(n + max(1, math.floor(aim.growth * n)), last)
        more = min(more, aim.n_most or more)
        sums = sums + kept.get(observe, alive, n, more).sum(1)
        n = more
    chosen = int(alive[sums.argmax()])
    is_complete = len(alive) == 1 or n >= last
    words = (
        f"With probability {aim.confidence:g} at least it is the best, if the best is "
        f"better than every other by {aim.indifference:g} or more (Kim and Nelson)."
        if is_complete
        else f"{len(alive)} systems were left when the replications ended."
    )
    confidence = aim.confidence if is_complete else math.nan
    return _selection(chosen, kept, n_systems, confidence, words, eliminated)


def _drop(
    eliminated: list[Elimination],
    alive: Ints,
    seen: tuple[Floats, Floats],
    rivals: Ints,
    look: tuple[float, int, Aim],
) -> NDArray[np.bool_]:
    """Return who stays when everyone is held against some rivals; note who goes.

    Args:
        eliminated: Added to.
        alive: Systems in play.
        seen: Their sums, and variances of differences (system, rival).
        rivals: Positions of the rivals in `alive`.
        look: The constant h², replications so far, and the aim.
    """
    (sums, square), (h2, n, aim) = seen, look
    keep = np.ones(len(alive), np.bool_)
    delta = aim.indifference
    for start in range(0, len(alive), 1024):
        some = slice(start, start + 1024)
        band = np.maximum(h2 * square[some] / (2 * delta) - delta * n / 2, 0)
        beyond = sums[rivals][None, :] - sums[some][:, None] - band
        keep[some] = ~(beyond > 0).any(1)
        worst = beyond.argmax(1)
        eliminated.extend(
            Elimination(int(alive[start + i]), int(alive[rivals[worst[i]]]), n)
            for i in np.flatnonzero(~keep[some])
        )
    return keep


def _square_of_differences(some: Floats, others: Floats) -> Floats:
    """Return the sample variance of every difference, (some, other)."""
    n = some.shape[1]
    a = some - some.mean(1, keepdims=True)
    b = others - others.mean(1, keepdims=True)
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :]
    # einsum: the threads of a matrix product cost more than they save here
    square -= 2 * np.einsum("in,jn->ij", a, b)
    return np.asarray(np.maximum(square, 0) / (n - 1))


# ---------------------------------------------------------------- screening


def subset(values: Floats, indifference: float = 0.0, confidence: float = 0.95) -> Ints:
    """Return systems among which the best is, from some replications of all.

    A system goes if its mean lies below that of one of the `_N_RIVALS` best by more
    than what chance could do, less the indifference zone.

    Args:
        values: Observations, (system, replication), two replications or more.
        indifference: If the best is better than all others by this much, it stays with
            the probability `confidence`; 0: always.
        confidence: Probability that the best stays, at least.

    Raises:
        ValueError: There are fewer than two replications.

    Source:
        Nelson, Swann, Goldsman and Song (2001), section 3, with paired differences and
        Bonferroni's inequality in place of independence.
    """
    n_systems, n = values.shape
    if n < 2 or not 0 < confidence < 1 or indifference < 0:
        msg = f"need two replications, got {n}, and 0 < confidence < 1, {confidence}"
        raise ValueError(msg)
    if n_systems == 1:
        return np.arange(1)
    from scipy.special import stdtrit  # noqa: PLC0415 - keeps the start of the CLI short

    quantile = float(stdtrit(n - 1, 1 - (1 - confidence) / (n_systems - 1)))
    means = values.mean(1)
    rivals = np.argsort(-means, kind="stable")[:_N_RIVALS]
    spread = np.sqrt(_square_of_differences(values, values[rivals]) / n)
    allowed = np.maximum(quantile * spread - indifference, 0)
    beaten = means[:, None] < means[rivals][None, :] - allowed
    return np.flatnonzero(~beaten.any(1))


# ---------------------------------------------------------------- two rounds


@lru_cache(maxsize=64)
def rinott_h(n_systems: int, n_first: int, confidence: float) -> float:
    """Return Rinott's constant for independent systems with unknown variances.

    It solves E[(E[Phi(h / sqrt((n - 1) (1/X + 1/Y))) | Y])^(k - 1)] = confidence, where
    X and Y are independent and chi-square with n - 1 degrees of freedom.

    Source:
        Rinott (1978); the form is that of Bechhofer, Santner and Goldsman (1995),
        Design and Analysis of Experiments, section 2.8.
    """
    from scipy.optimize import brentq  # noqa: PLC0415 - slow to import
    from scipy.special import chdtri, gammaln, ndtr  # noqa: PLC0415 - slow to import

    # Gauss and Legendre's rule between quantiles beyond which next to nothing lies.
    nodes, weights = np.polynomial.legendre.leggauss(120)
    degrees = n_first - 1
    low, high = chdtri(degrees, 1 - 1e-14), chdtri(degrees, 1e-14)
    chi = low + (high - low) * (nodes + 1) / 2
    log_density = (degrees / 2 - 1) * np.log(chi / 2) - chi / 2 - gammaln(degrees / 2)
    weights = weights * np.exp(log_density)
    weights /= weights.sum()
    scale = np.sqrt(degrees * (1 / chi[:, None] + 1 / chi[None, :]))

    def short(h: float) -> float:
        inner = weights @ ndtr(h / scale)
        return float(weights @ inner ** (n_systems - 1)) - confidence

    return float(brentq(short, 0.0, 100.0, xtol=1e-10))


def two_stage(
    observe: Observe,
    n_systems: int,
    aim: Aim,
    evaluations: Evaluations | None = None,
) -> Selection:
    """Choose after two rounds: the first says how many replications each has to have.

    It takes more replications than `kn`, since it drops nobody, and needs systems whose
    observations are independent of each other.

    Raises:
        ValueError: As for `kn`.

    Source:
        Rinott (1978).
    """
    kept = _begin(n_systems, aim, evaluations)
    everyone = np.arange(n_systems)
    first = kept.get(observe, everyone, 0, aim.n_first)
    if n_systems == 1:
        return _selection(0, kept, 1, 1.0, "There is one system only.")
    h = rinott_h(n_systems, aim.n_first, aim.confidence)
    asked = np.ceil((h / aim.indifference) ** 2 * first.var(1, ddof=1)).astype(int)
    asked = np.maximum(asked, aim.n_first)
    given = np.minimum(asked, aim.n_most or asked.max())
    means = np.empty(n_systems)
    for n in np.unique(given):
        of = np.flatnonzero(given == n)
        means[of] = kept.get(observe, of, 0, int(n)).mean(1)
    is_complete = bool((given == asked).all())
    words = (
        f"With probability {aim.confidence:g} at least it is the best, if the best is "
        f"better than every other by {aim.indifference:g} or more and systems were "
        "observed independently (Rinott)."
        if is_complete
        else "Not every system had the replications that it needs."
    )
    chosen = int(means.argmax())
    confidence = aim.confidence if is_complete else math.nan
    return _selection(chosen, kept, n_systems, confidence, words)


# ---------------------------------------------------------------- a fixed budget


def ocba(
    observe: Observe,
    n_systems: int,
    n_total: int,
    n_first: int = 10,
    evaluations: Evaluations | None = None,
) -> Selection:
    """Spend a budget of replications where they help most to tell the best.

    Rounds of a twentieth of the budget go to the systems that have least of what the
    rule gives them: replications as the square of noise over distance from the best.

    Args:
        observe: Makes observations.
        n_systems: Systems are 0 to `n_systems` - 1.
        n_total: Replications of all systems together.
        n_first: Replications of each system to begin with, 2 or more.
        evaluations: What was observed before; counts as part of the budget.

    Returns:
        The selection; its confidence is a lower bound (Bonferroni) of the probability
        of being right with the means and variances that were estimated taken for true.
        It is an estimate and can be wrong.

    Raises:
        ValueError: The budget does not suffice for the first replications.
    """
    if n_first < 2 or n_systems < 1 or n_total < n_first * n_systems:
        msg = f"{n_systems} systems with {n_first} replications each need more than"
        raise ValueError(f"{msg} a budget of {n_total}, and two each at least")
    kept = evaluations if evaluations is not None else Evaluations()
    everyone = np.arange(n_systems)
    kept.get(observe, everyone, 0, n_first)
    while (left := n_total - kept.n_total) > 0 and n_systems > 1:
        counts, means, variances = _moments(kept, n_systems)
        spend = min(left, max(1, n_total // 20))
        wanted = _ocba_shares(means, variances) * (counts.sum() + spend)
        for system, extra in _whole(np.maximum(wanted - counts, 0), spend):
            have = int(counts[system])
            kept.get(observe, np.array([system]), have, have + extra)
    counts, means, variances = _moments(kept, n_systems)
    chosen = int(means.argmax())
    confidence = _estimated_confidence(chosen, means, variances / counts)
    words = (
        f"The probability that it is the best is estimated at {confidence:.3f} at "
        "least, with estimated means and variances taken for true (OCBA)."
    )
    return _selection(chosen, kept, n_systems, confidence, words)


def _moments(kept: Evaluations, n_systems: int) -> tuple[Ints, Floats, Floats]:
    """Return counts, means and variances of all systems."""
    values = [kept.values(k) for k in range(n_systems)]
    counts = np.array([len(v) for v in values])
    means = np.array([v.mean() for v in values])
    return counts, means, np.array([v.var(ddof=1) for v in values])


def _ocba_shares(means: Floats, variances: Floats) -> Floats:
    """Return the share of the replications that each system should have.

    Source:
        Chen, Lin, Yucesan and Chick (2000), theorem 1.
    """
    best = int(means.argmax())
    tiny = np.finfo(np.float64).tiny
    distance = np.maximum(means[best] - means, 1e-9 * max(np.ptp(means), tiny))
    noise = np.maximum(variances, tiny)
    weights = noise / distance**2
    weights[best] = 0
    weights[best] = math.sqrt(noise[best] * float((weights**2 / noise).sum()))
    total = float(weights.sum())
    if not math.isfinite(total) or total <= 0:
        return np.full(len(means), 1 / len(means))
    return np.asarray(weights / total)


def _whole(parts: Floats, total: int) -> list[tuple[int, int]]:
    """Share out a whole number in proportion, largest remainders first."""
    scale = parts.sum()
    parts = parts / scale if scale > 0 else np.full(len(parts), 1 / len(parts))
    exact = parts * total
    given = np.floor(exact).astype(int)
    order = np.argsort(-(exact - given), kind="stable")
    given[order[: total - int(given.sum())]] += 1
    return [(int(k), int(given[k])) for k in np.flatnonzero(given)]


def _estimated_confidence(chosen: int, means: Floats, errors: Floats) -> float:
    """Return the Bonferroni bound of the probability that the chosen is the best."""
    others = np.delete(np.arange(len(means)), chosen)
    spread = np.sqrt(errors[chosen] + errors[others])
    ahead = means[chosen] - means[others]
    wrong = sum(
        0.5 * math.erfc(a / s / math.sqrt(2)) if s > 0 else 0.5 * (a == 0)
        for a, s in zip(ahead, spread, strict=True)
    )
    return max(0.0, 1 - wrong)


# ---------------------------------------------------------------- shared


def _begin(n_systems: int, aim: Aim, evaluations: Evaluations | None) -> Evaluations:
    if n_systems < 1 or (n_systems > 1 and aim.confidence <= 1 / n_systems):
        msg = f"{n_systems} systems and confidence {aim.confidence}: guessing would do"
        raise ValueError(msg)
    return evaluations if evaluations is not None else Evaluations()


def _selection(
    chosen: int,
    kept: Evaluations,
    n_systems: int,
    confidence: float,
    words: str,
    eliminated: Sequence[Elimination] = (),
) -> Selection:
    """Return a selection; a confidence of nan says that it did not come to its end."""
    values = [kept.values(k) for k in range(n_systems)]
    return Selection(
        chosen,
        words,
        confidence,
        not math.isnan(confidence),
        kept.n_total,
        tuple(float(v.mean()) for v in values),
        tuple(map(len, values)),
        tuple(eliminated),
    )
