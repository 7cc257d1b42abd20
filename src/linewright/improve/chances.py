"""The best of some systems of which a replication says only met or missed.

Procedures for means take observations as normal. Outcomes are not: ten runs that all
meet their goals have no variance, and say little. `highest_chance` needs no such
assumption and no first stage. For each pair of systems it bets on the differences of
their outcomes (1, 0 or -1, replication by replication, on common random numbers), at
odds that are fair or worse if the one is better than the other by the indifference
zone. A bettor who grows rich all the same has shown that it is not, whenever the runs
are looked at: the chance to become 1 / a times as rich in a game that is not in one's
favor is a at most (Ville). Several stakes are tried at once, with a part of the money
each, because how often outcomes differ is not known before.

A system is dropped when it is shown not to be better by the zone than one that is still
there. So if the best is better than every other by the zone, it is dropped with the
probability 1 - confidence at most, for any number of runs and any dependence between
systems. Of systems that are equal the one with the smaller number stays: give the
cheapest first.

Source:
    Waudby-Smith and Ramdas (2024), Journal of the Royal Statistical Society B 86, 1-27;
    Ville (1939), Étude critique de la notion de collectif. Kim and Nelson (2001) for
    the frame: elimination, with an indifference zone.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from linewright.improve.selection import (
    Aim,
    Elimination,
    Evaluations,
    Observe,
    Selection,
)

__all__ = ["highest_chance", "log_wealth"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_N_STAKES = 10
_MOST = 0.95  # of the largest stake that cannot lose everything
_GROWTH = 0.05  # replications between two looks, as a share of those made


def log_wealth(better: Floats, worse: Floats, n: int, zone: float) -> Floats:
    """Return the logarithm of what betting against "better by the zone" has made of 1.

    Args:
        better: Replications in which the first met its goals and the second did not.
        worse: Those in which it was the other way round.
        n: All replications.
        zone: Difference of the two chances that is bet against, zero or more, below 1.
    """
    same = n - better - worse
    out = np.full(np.shape(better), -np.inf)
    for i in range(_N_STAKES):
        stake = _MOST / (1 - zone) / 2**i
        grown = (
            better * math.log1p(-stake * (1 - zone))
            + worse * math.log1p(stake * (1 + zone))
            + same * math.log1p(stake * zone)
        )
        out = np.logaddexp(out, grown)
    return np.asarray(out - math.log(_N_STAKES))


def highest_chance(
    observe: Observe,
    n_systems: int,
    aim: Aim,
    evaluations: Evaluations | None = None,
) -> Selection:
    """Drop systems one after the other until one is left.

    Args:
        observe: Makes observations, each 0 or 1.
        n_systems: Systems are 0 to `n_systems` - 1.
        aim: What to reach; the indifference zone is a difference of two chances.
        evaluations: What was observed before; added to.

    Raises:
        ValueError: There is no system, the zone is not below 1, or an observation is
            neither 0 nor 1.
    """
    if n_systems < 1 or aim.indifference >= 1:
        msg = f"need a system and a zone below 1, got {n_systems} and {aim}"
        raise ValueError(msg)
    kept = evaluations or Evaluations()
    alive = np.arange(n_systems)
    enough = math.log(max(n_systems - 1, 1) / (1 - aim.confidence))
    n, eliminated = 0, list[Elimination]()
    both, met = np.zeros((n_systems, n_systems)), np.zeros(n_systems)
    while len(alive) > 1 and (aim.n_most is None or n < aim.n_most):
        more = n + max(1, math.floor(max(aim.growth, _GROWTH) * n))
        more = max(aim.n_first, min(more, aim.n_most or more))
        new = kept.get(observe, alive, n, more)
        if not np.isin(new, (0, 1)).all():
            msg = "outcomes are 0 or 1"
            raise ValueError(msg)
        both, met, n = both + new @ new.T, met + new.sum(1), more
        better = met[:, None] - both
        wealth = log_wealth(better, better.T, n, aim.indifference)
        keep = _stays(wealth, met, enough, eliminated, (alive, n))
        alive, met, both = alive[keep], met[keep], both[np.ix_(keep, keep)]
    is_complete = len(alive) == 1
    chosen = int(alive[met.argmax()]) if n else 0
    words = (
        f"With probability {aim.confidence:g} at least it is the best, if the best is "
        f"better than every other by {aim.indifference:g} or more (bets on paired "
        "outcomes)."
        if is_complete
        else f"{len(alive)} systems were left when the replications ended."
    )
    counts = tuple(kept.count(k) for k in range(n_systems))
    return Selection(
        chosen,
        words,
        aim.confidence if is_complete else math.nan,
        is_complete,
        kept.n_total,
        tuple(float(kept.values(k).mean()) if counts[k] else math.nan
              for k in range(n_systems)),
        counts,
        tuple(eliminated),
    )  # fmt: skip


def _stays(
    wealth: Floats,
    met: Floats,
    enough: float,
    eliminated: list[Elimination],
    look: tuple[Ints, int],
) -> NDArray[np.bool_]:
    """Return who stays; note who goes, and because of whom.

    Those with the lowest share go first, and of equal ones those with the higher
    number: who is gone cannot drive out another.
    """
    alive, n = look
    keep = np.ones(len(alive), np.bool_)
    for i in np.lexsort((-np.arange(len(alive)), met)):
        against = np.where(keep, wealth[i], -np.inf)
        against[i] = -np.inf
        rival = int(against.argmax())
        if against[rival] > enough:
            keep[i] = False
            eliminated.append(Elimination(int(alive[i]), int(alive[rival]), n))
    return keep
