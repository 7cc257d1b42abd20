"""Where the places of a line belong: a total shared out among its buffers.

By formula, for a line of `theory`: `best_slots` returns the allocation with the highest
throughput, and `fewest_slots` the fewest places that reach one. Short exponential lines
are solved exactly, all allocations of them where there are few; that is a proof. Else
the decomposition ranks: all allocations where there are few, and those that a search
meets where there are many. The search moves places from one buffer to another, many at
first and single ones in the end, from several starts, until no move helps.

For a serial line of the model, `allocate` lets the best by formula compete in paired
simulations, with the guarantee of `selection`, and confirms the gain on another seed.
`reach` looks for the fewest places at which the simulated throughput is surely reached.

Source:
    Gershwin and Schor (2000), Annals of Operations Research 93, 117-144, for the two
    problems and their relation. That the throughput grows with every place: Glasserman
    and Yao (1994), Monotone Structure in Discrete-Event Systems, Wiley.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright.improve.flow_lines import Serial, serial_of
from linewright.improve.search import Study
from linewright.improve.selection import Aim, Evaluations, kn, subset
from linewright.improve.trials import throughputs
from linewright.model.line import Line
from linewright.model.load import Variants
from linewright.stats.intervals import Interval, mean_interval, paired_interval
from linewright.theory.bounds import slowest_station
from linewright.theory.chains import exact
from linewright.theory.decomposition import KnownError, estimate
from linewright.theory.decomposition import throughputs as estimated
from linewright.theory.designs import compositions
from linewright.theory.flow_line import FlowLine

__all__ = [
    "Allocation",
    "Placed",
    "allocate",
    "best_slots",
    "even",
    "fewest_slots",
    "reach",
]

MOST_LISTED = 3_000
"""Allocations that are all evaluated; where there are more, a search is made."""
MOST_PLACES = 10_000
"""Places of a line that is asked to reach a throughput, at most."""

_MOST_CELLS = 3_000  # of a chain that is solved many times
_MOST_WORK = 300_000  # cells of all chains together: about three seconds
_RANKED = 12
_N_STARTS = 6
_TIE = 1e-9  # as a share of the throughput: exact values are that exact
_GAIN = 1e-9  # a move that gains less is rounding
_FIRST = 10  # replications of every candidate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Slots = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Allocation:
    """The best allocation by formula.

    Attributes:
        slots: Places of each buffer.
        throughput_per_s: Throughput with them.
        ties: Other allocations that are as good, to rounding.
        ranked: The best that were evaluated, the best first.
        is_exact: Whether the throughput is exact; else it is an estimate.
        is_proved: Whether all allocations were solved exactly.
        error: What is known of the error of the estimate; None if it is exact.
        n_ways: Allocations that there are.
        n_evaluated: Those that were evaluated.
    """

    slots: Slots
    throughput_per_s: float
    ties: tuple[Slots, ...]
    ranked: tuple[Slots, ...]
    is_exact: bool
    is_proved: bool
    error: KnownError | None
    n_ways: int
    n_evaluated: int


def even(places: int, n_buffers: int) -> Slots:
    """Return places shared out evenly, what is left over to those in the middle."""
    each, left = divmod(places, n_buffers)
    out = [each] * n_buffers
    first = (n_buffers - left) // 2
    for k in range(first, first + left):
        out[k] += 1
    return tuple(out)


# ------------------------------------------------------------------ by formula


@dataclass(slots=True)
class _Formula:
    """Throughputs of a line by its buffers, each found once."""

    line: FlowLine
    places: int
    is_exact: bool
    known: dict[Slots, float] = field(default_factory=dict)

    def of(self, ways: Sequence[Slots]) -> Floats:
        """Return the throughput of each allocation; minus infinity for unknown."""
        missing = [way for way in dict.fromkeys(ways) if way not in self.known]
        if missing:
            self.known |= zip(missing, self._found(missing), strict=True)
        return np.array([self.known[way] for way in ways])

    def _found(self, ways: list[Slots]) -> list[float]:
        if self.is_exact:
            lines = (replace(self.line, slots=way) for way in ways)
            return [exact(line).throughput_per_s for line in lines]
        process = np.tile(np.array(self.line.process_s), (len(ways), 1))
        slots = np.array(ways, np.int64)
        found = estimated(process, slots, self.line, n_moments=3)
        return list(map(float, np.nan_to_num(found, nan=-np.inf)))

    def ranked(self) -> list[Slots]:
        """Return the known allocations of just the places asked for, the best first."""
        whole = [way for way in self.known if sum(way) == self.places]
        return sorted(whole, key=lambda way: (-self.known[way], way))


def best_slots(
    line: FlowLine, places: int, *, most_listed: int = MOST_LISTED, seed: int = 1
) -> Allocation:
    """Return the allocation of a number of places with the highest throughput.

    Args:
        line: A serial line of two stations or more; its own places do not matter.
        places: Places of all buffers together, zero or more.
        most_listed: Allocations that are all evaluated, at most.
        seed: Seed of the starts of a search.

    Raises:
        ValueError: The line is not serial, has no buffer, or places are negative; or
            the decomposition settles for no allocation.
    """
    n_buffers = line.n_stations - 1
    if not line.is_serial or n_buffers < 1 or places < 0:
        msg = "needs a serial line of two stations or more, and places of zero or more"
        raise ValueError(f"{msg}, got {line.n_stations} stations and {places} places")
    n_ways = math.comb(places + n_buffers - 1, n_buffers - 1)
    every = _every(places, n_buffers) if n_ways <= most_listed else None
    n_cells = _cells(line, even(places, n_buffers))
    solvable = set(line.scv) == {1.0} and n_cells <= _MOST_CELLS
    if solvable and every and n_ways * n_cells <= _MOST_WORK:
        formula = _Formula(line, places, is_exact=True)
        formula.of(every)
        return _allocation(formula, n_ways, is_proved=True)
    rough = _Formula(line, places, is_exact=False)
    if every:
        rough.of(every)
    else:
        for start in _starts(line, places, seed):
            _climb(rough, start, places)
    if not solvable:
        return _allocation(rough, n_ways, is_proved=False)
    formula = _Formula(line, places, is_exact=True)
    promising = rough.ranked()[:_RANKED]
    _climb(formula, promising[int(formula.of(promising).argmax())], 1)
    return _allocation(formula, n_ways, is_proved=False)


def _every(places: int, n_buffers: int) -> list[Slots]:
    ways = compositions(places + n_buffers, n_buffers) - 1
    return [tuple(map(int, way)) for way in ways]


def _cells(line: FlowLine, slots: Slots) -> int:
    """Return at most how many states the exact chain has; most if slots are even."""
    fails = sum(mttf < math.inf for mttf in line.mttf_s)
    cells: int = math.prod(b + 3 for b in slots)
    status = 2 if line.clock == "processing" else 3
    return cells * int(math.pow(status, fails))


def _starts(line: FlowLine, places: int, seed: int) -> list[Slots]:
    """Return allocations to begin with: even, by how slow the stations are, any."""
    n_buffers = line.n_stations - 1
    found = [even(places, n_buffers)]
    means, scvs = np.transpose([line.completion(k) for k in range(line.n_stations)])
    for power in (2, 6):
        slow = (means / means.max()) ** power * (0.1 + scvs)
        found.append(_shared(places, slow[:-1] + slow[1:]))
    rng = np.random.Generator(np.random.Philox(key=seed))
    while len(found) < _N_STARTS:
        found.append(_shared(places, rng.dirichlet(np.full(n_buffers, 2.0))))
    return list(dict.fromkeys(found))


def _shared(places: int, weights: Floats) -> Slots:
    """Return places shared out in proportion, the largest remainders first."""
    parts = places * weights / weights.sum()
    out = np.floor(parts).astype(int)
    order = np.argsort(out - parts, kind="stable")
    out[order[: places - int(out.sum())]] += 1
    return tuple(map(int, out))


def _climb(formula: _Formula, start: Slots, most: int) -> None:
    """Move places from buffer to buffer as long as that helps, many of them first.

    Args:
        formula: Knows in the end what was met.
        start: Where to begin.
        most: Places that are moved at once, at most.
    """
    at, value = start, float(formula.of([start])[0])
    step = 1 << max(most // 4, 1).bit_length() - 1  # a power of two
    while step:
        found = _better(formula, at, value, step)
        if found is None:
            step //= 2
        else:
            at, value = found


def _better(
    formula: _Formula, at: Slots, value: float, step: int
) -> tuple[Slots, float] | None:
    """Return an allocation one move away that is better, or None if none is.

    What a buffer gains and what another one loses by some places says which moves are
    worth a look first; in the end all single ones are looked at.
    """
    n = len(at)
    plus = formula.of([_moved(at, None, k, step) for k in range(n)])
    givers = [k for k in range(n) if at[k] >= step]
    minus = dict(
        zip(
            givers,
            formula.of([_moved(at, k, None, step) for k in givers]),
            strict=True,
        )
    )
    pairs = [(i, j) for i in givers for j in range(n) if i != j]
    pairs.sort(key=lambda pair: -(minus[pair[0]] + plus[pair[1]]))
    for some in (pairs[:n], pairs[n:] if step == 1 else []):
        ways = [_moved(at, i, j, step) for i, j in some]
        found = formula.of(ways)
        if len(found) and found.max() > value * (1 + _GAIN):
            return ways[int(found.argmax())], float(found.max())
    return None


def _moved(at: Slots, giver: int | None, taker: int | None, step: int) -> Slots:
    out = list(at)
    if giver is not None:
        out[giver] -= step
    if taker is not None:
        out[taker] += step
    return tuple(out)


def _allocation(formula: _Formula, n_ways: int, *, is_proved: bool) -> Allocation:
    """Return the best that a formula knows, with what stands behind it."""
    ranked = formula.ranked()
    best = ranked[0]
    throughput, error = formula.known[best], None
    if throughput == -math.inf:
        msg = "the decomposition does not settle on this line; simulate it"
        raise ValueError(msg)
    ties = [w for w in ranked[1:] if formula.known[w] >= throughput * (1 - _TIE)]
    if not formula.is_exact:
        found = estimate(replace(formula.line, slots=best))
        throughput, error = found.throughput_per_s, found.error
    return Allocation(
        best,
        throughput,
        tuple(ties) if formula.is_exact else (),
        tuple(ranked[:_RANKED]),
        formula.is_exact,
        is_proved,
        error,
        n_ways,
        len(ranked),
    )


def fewest_slots(
    line: FlowLine, throughput_per_s: float, *, seed: int = 1
) -> Allocation:
    """Return the best allocation of the fewest places that reach a throughput.

    More places never make a line slower, so their number is found by halving. An
    estimate is too low nearly always, and then asks for more places than it takes.

    Args:
        line: A serial line of two stations or more; its own places do not matter.
        throughput_per_s: What is to be reached.
        seed: Seed of the starts of a search.

    Raises:
        ValueError: No number of places reaches it, or as for `best_slots`.
    """
    most, row = slowest_station(line)
    if throughput_per_s >= most:
        msg = (
            f"no buffers make {throughput_per_s * 3600:.6g}/h: station {row + 1} alone "
            f"makes {most * 3600:.6g}/h"
        )
        raise ValueError(msg)
    found: dict[int, Allocation] = {}

    def reaches(places: int) -> bool:
        found[places] = best_slots(line, places, seed=seed)
        return found[places].throughput_per_s >= throughput_per_s

    places = _least(reaches, line.n_stations - 1)
    return found[places]


def _least(reaches: Callable[[int], bool], guess: int) -> int:
    """Return the least number for which something holds that holds for all above.

    Raises:
        ValueError: It does not hold for `MOST_PLACES`.
    """
    low, high, step = -1, None, 1  # fails at low, holds at high
    at = guess
    while high is None or high - low > 1:
        if reaches(at):
            high = at
            at = max(at - step, low + 1) if low < 0 else (low + high) // 2
        else:
            low = at
            if at >= MOST_PLACES:
                msg = f"{MOST_PLACES:,} places do not reach it"
                raise ValueError(msg)
            at = min(at + step, MOST_PLACES) if high is None else (low + high) // 2
        step *= 2
    return high


# ------------------------------------------------------------------ simulated


@dataclass(frozen=True, slots=True)
class Placed:
    """An allocation for a line of the model, with what simulation says of it.

    Attributes:
        buffers: Stations whose input buffers are allocated, in the order of the route.
        slots: Places of each.
        now: Places as they are; None for an unlimited buffer.
        even: Places shared out evenly, for comparison.
        throughput: Good units an hour with the allocation, on a seed of its own.
        gain_on_now: Relative gain against the line as it is, paired.
        gain_on_even: Relative gain against the even allocation, paired.
        guarantee: In words: what is promised of the choice.
        is_complete: Whether the choice came to its end.
        formula: What the formula said.
        notes: What the formula takes as simpler than it is.
        n_candidates: Allocations that were simulated to choose.
        n_replications: Replications made for it, those of the confirmation included.
        changes: What makes the line so, as in an overlay.
    """

    buffers: tuple[str, ...]
    slots: Slots
    now: tuple[int | None, ...]
    even: Slots
    throughput: Interval
    gain_on_now: Interval
    gain_on_even: Interval
    guarantee: str
    is_complete: bool
    formula: Allocation
    notes: tuple[str, ...]
    n_candidates: int
    n_replications: int
    changes: dict[str, Any]

    @property
    def places(self) -> int:
        """Places in all."""
        return sum(self.slots)


@dataclass(slots=True)
class _Runs:
    """Simulated throughputs of a line by its buffers, each replication made once."""

    line: Line
    serial: Serial
    study: Study
    seed: int
    kept: dict[Slots | None, list[float]] = field(default_factory=dict)

    @property
    def n_made(self) -> int:
        return sum(map(len, self.kept.values()))

    def of(self, slots: Slots | None, n: int) -> Floats:
        """Return good units an hour of replications 0 to n - 1; None: as it is."""
        have = self.kept.setdefault(slots, [])
        if len(have) < n:
            line = self.line
            if slots is not None:
                line = Variants(line).changed(_changes(self.serial, slots))
            numbers = range(len(have), n)
            study = self.study
            made = throughputs(line, study.span, self.seed, numbers, study.workers)
            have.extend(made.tolist())
        return np.array(have[:n])


def _changes(serial: Serial, slots: Slots) -> dict[str, Any]:
    pairs = zip(serial.buffers, slots, strict=True)
    return {"stations": {station: {"buffer": n} for station, n in pairs}}


def allocate(line: Line, places: int, study: Study) -> Placed:
    """Return the best allocation of a number of places in a line of the model.

    Args:
        line: A serial line that `flow_lines.serial_of` knows.
        places: Places of all input buffers but the first station's together.
        study: How allocations are compared; the objective is the throughput.

    Raises:
        ValueError: The line is another one, or as for `best_slots`.
        ModelError: The line has errors.
    """
    serial = serial_of(line)
    found = best_slots(serial.like, places, seed=study.seed)
    return _placed(line, serial, found, study)


def _placed(line: Line, serial: Serial, found: Allocation, study: Study) -> Placed:
    """Let candidates compete, and confirm the one that is left."""
    runs = _Runs(line, serial, study, study.seed)
    level = even(sum(found.slots), len(found.slots))
    chosen, words, is_complete, n_candidates = _chosen(runs, found, level)
    fresh = _Runs(line, serial, study, study.seed + 1)
    n, confidence = study.replications, study.confidence
    after = fresh.of(chosen, n)
    return Placed(
        buffers=serial.buffers,
        slots=chosen,
        now=serial.slots,
        even=level,
        throughput=mean_interval(after, confidence),
        gain_on_now=_gain(fresh.of(None, n), after, confidence),
        gain_on_even=_gain(fresh.of(level, n), after, confidence),
        guarantee=words,
        is_complete=is_complete,
        formula=found,
        notes=serial.notes,
        n_candidates=n_candidates,
        n_replications=runs.n_made + fresh.n_made,
        changes=_changes(serial, chosen),
    )


def _chosen(
    runs: _Runs, found: Allocation, level: Slots
) -> tuple[Slots, str, bool, int]:
    """Return the allocation to take, what is promised of it, and from how many."""
    if found.is_proved and not runs.serial.notes:
        words = f"It is the best of all {found.n_ways:,} allocations (exact chain)."
        return found.slots, words, True, 1
    candidates = [*found.ranked, level]
    now = runs.serial.slots
    if None not in now and sum(n or 0 for n in now) == sum(level):
        candidates.append(tuple(n or 0 for n in now))
    candidates = list(dict.fromkeys(candidates))
    if len(candidates) == 1:
        return candidates[0], "There is one allocation only.", True, 1
    study = runs.study
    first = np.array([runs.of(way, _FIRST) for way in candidates])
    zone = study.indifference * float(first.max(axis=0).mean())
    half = (1 + study.confidence) / 2  # the two steps share the error
    left = subset(first, zone, half)

    def observe(systems: Ints, begin: int, end: int) -> Floats:
        ways = [candidates[int(left[s])] for s in systems]
        return np.array([runs.of(way, end)[begin:] for way in ways])

    aim = Aim(zone, half, n_first=2 * _FIRST, n_most=study.n_most)
    selection = kn(observe, len(left), aim, Evaluations())
    which = f"the {len(candidates)} that the formula ranks first of {found.n_ways:,}"
    words = (
        f"With probability {study.confidence:g} at least it is the best of {which}, "
        f"or within {study.indifference:.2%} of it "
        "(subset selection, then Kim and Nelson)."
        if selection.is_complete
        else f"The best of {which} as far as can be told: {selection.guarantee}"
    )
    chosen = candidates[int(left[selection.chosen])]
    return chosen, words, selection.is_complete, len(candidates)


def _gain(before: Floats, after: Floats, confidence: float) -> Interval:
    """Return the relative gain of the mean, paired."""
    gain, scale = paired_interval(before, after, confidence), float(before.mean())
    return Interval(
        gain.mean / scale,
        gain.half_width / scale,
        gain.low / scale,
        gain.high / scale,
        gain.n,
        confidence,
    )


def reach(line: Line, throughput_per_h: float, study: Study) -> Placed:
    """Return the fewest places with which a throughput is surely reached.

    A number of places reaches it if the interval of the simulated throughput with the
    formula's best allocation lies wholly at or above it. The number that the formula
    says is where the search begins.

    Args:
        line: A serial line that `flow_lines.serial_of` knows.
        throughput_per_h: Good units an hour that are to be reached.
        study: Replications and confidence of that interval.

    Raises:
        ValueError: The line is another one, or no number of places reaches it.
        ModelError: The line has errors.
    """
    serial = serial_of(line)
    runs = _Runs(line, serial, study, study.seed)
    found: dict[int, Allocation] = {}

    def reaches(places: int) -> bool:
        found[places] = best_slots(serial.like, places, seed=study.seed)
        made = runs.of(found[places].slots, study.replications)
        return mean_interval(made, study.confidence).low >= throughput_per_h

    guess = fewest_slots(serial.like, throughput_per_h / 3600, seed=study.seed)
    places = _least(reaches, sum(guess.slots))
    return _placed(line, serial, found[places], study)
