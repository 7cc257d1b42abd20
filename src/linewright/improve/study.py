"""How sets of options are compared, and what is observed of them, once each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from linewright.engines import Engine
from linewright.improve.objectives import Objective
from linewright.improve.options import Options
from linewright.improve.selection import Evaluations, Observe
from linewright.improve.store import Store
from linewright.improve.trials import Span, in_order, lowered_of
from linewright.lower import Lowered, lower
from linewright.model.line import Line
from linewright.model.load import model_hash
from linewright.version import __version__

__all__ = ["Chosen", "Study", "Trials"]

Chosen = frozenset[str]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Study:
    """How sets are compared.

    Attributes:
        span: What is counted in each run.
        seed: Seed of the search; the gain is confirmed on the next one.
        objective: One of `objectives.KINDS`, or ``target:NAME``.
        indifference: Difference that is worth detecting, as a share of the objective of
            the line as it is; of the highest profit; of a chance in points, 0.05.
        confidence: Probability of choosing right.
        replications: Of the confirmation.
        n_most: Replications of one set at most.
        workers: Threads; all cores by default.
        over_us: Time for which profit is counted; the span by default.
        on_dates: Whether an option takes effect when its lead time is over, and not at
            once.
    """

    span: Span
    seed: int
    objective: str = "throughput"
    indifference: float = 0.005
    confidence: float = 0.95
    replications: int = 20
    n_most: int = 500
    workers: int | None = None
    over_us: int | None = None
    on_dates: bool = False


@dataclass(slots=True)
class Trials:
    """Observes sets of options, once each.

    Attributes:
        options: What can be done.
        study: How sets are compared.
        objective: What a replication is worth.
        store: Where raw figures are kept.
        on_progress: Told of replications and sets.
        engine: Where replications are run; on threads by default.
        sets: The sets, by row.
        row: The row of each set.
        kept: Raw figures by row.
        n_made: Replications run.
        n_reused: Replications that were in the store.
    """

    options: Options
    study: Study
    objective: Objective
    store: Store
    on_progress: Callable[[int, int], None] | None = None
    engine: Engine | None = None
    sets: list[Chosen] = field(default_factory=list)
    row: dict[Chosen, int] = field(default_factory=dict)
    kept: Evaluations = field(default_factory=Evaluations)
    n_made: int = 0
    n_reused: int = 0
    _lines: dict[int, tuple[Line, Lowered, str]] = field(default_factory=dict)

    def number(self, chosen: Chosen) -> int:
        """Return the row of a set, which is added if it is new."""
        if chosen not in self.row:
            self.row[chosen] = len(self.sets)
            self.sets.append(chosen)
        return self.row[chosen]

    def line(self, row: int) -> tuple[Line, Lowered, str]:
        """Return the changed line, as it is and lowered, and its evaluations' key.

        What is uncertain has its typical value there.
        """
        if row not in self._lines:
            chosen, span = self.sets[row], self.study.span
            line = self.options.applied(chosen, on_dates=self.study.on_dates)
            key = (
                f"{model_hash(line)} {__version__} {self.objective.name} "
                f"{self.study.seed} {span.warmup_us} {span.horizon_us}"
            )
            if self.options.is_uncertain(chosen):
                key += f" {self.options.doubt(chosen)}"
            self._lines[row] = line, lowered_of(line, span), key
        return self._lines[row]

    def task(self, row: int) -> Callable[[int], float]:
        """Return what makes a replication of a set, and knows no more than it needs.

        What is uncertain is drawn anew for each of them.
        """
        chosen, study = self.sets[row], self.study
        objective, options = self.objective, self.options
        line, lowered, _ = self.line(row)
        if not options.is_uncertain(chosen):
            return partial(objective.run, line, lowered, study.seed)

        def one(number: int) -> float:
            draw = (study.seed, number)
            line = options.realised(chosen, draw, on_dates=study.on_dates)
            # its form is checked by making it, its meaning was with typical values
            lowered = lower(line, study.span.horizon_us)
            return objective.run(line, lowered, study.seed, number)

        return one

    def observe(self, systems: Ints, first: int, last: int) -> Floats:
        """Return raw figures of sets in replications first to last - 1."""
        out = np.empty((len(systems), last - first))
        for i, system in enumerate(systems):
            row = int(system)
            key = self.line(row)[2]
            known = {n: self.store.get(key, n) for n in range(first, last)}
            missing = [n for n, value in known.items() if value is None]
            workers = self.study.workers
            made = in_order(self.task(row), missing, workers, self.engine)
            if missing:
                self.store.put(key, dict(zip(missing, made, strict=True)))
            found = {**known, **dict(zip(missing, made, strict=True))}
            out[i] = [found[n] for n in range(first, last)]
            self.n_made += len(missing)
            self.n_reused += last - first - len(missing)
            if self.on_progress:
                self.on_progress(self.n_made + self.n_reused, len(self.sets))
        return out

    def costs(self, rows: Sequence[int] | Ints) -> Floats:
        """Return what the options of sets cost."""
        return np.array([self.options.cost(self.sets[int(r)]) for r in rows])

    def values(self, rows: Iterable[int], n: int) -> Floats:
        """Return what sets are worth in the first `n` replications, (set, run)."""
        systems = np.fromiter(rows, np.int64)
        raw = self.kept.get(self.observe, systems, 0, n)
        return self.objective.values(raw, self.costs(systems))

    def guides(self, rows: Iterable[int], n: int) -> Floats:
        """Return what leads the search in the first `n` replications; as `values`."""
        systems = np.fromiter(rows, np.int64)
        raw = self.kept.get(self.observe, systems, 0, n)
        return self.objective.guides(raw, self.costs(systems))

    def seen(self, row: int) -> Floats:
        """Return what a set is worth in all replications that were made of it."""
        raw = self.kept.values(row)[None]
        worth: Floats = self.objective.values(raw, self.costs([row]))[0]
        return worth

    def observer(self, rows: Ints) -> Observe:
        """Return a function that observes what rows are worth, for a selection."""

        def observe(systems: Ints, first: int, last: int) -> Floats:
            raw = self.kept.get(self.observe, rows[systems], first, last)
            return self.objective.values(raw, self.costs(rows[systems]))

        return observe
