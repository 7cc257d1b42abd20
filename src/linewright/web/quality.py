"""The quality of a line that runs, as a page shows it: yields, charts and gates.

`QualityLog` follows the records and keeps the newest values of each characteristic and
the newest verdicts of each inspection: so many and no more, however long the journal
is. `QualityView` turns them into items. The charts are those of `linewright spc`, of
what is kept: their limits come from it, and move with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from linewright import tables as t
from linewright.control.core import Core
from linewright.control.gates import gate_subject
from linewright.control.genealogy import Value, measured_in
from linewright.control.records import Record
from linewright.lower import Lowered
from linewright.model.line import Line
from linewright.stats.capability import Index
from linewright.stats.control_charts import BY_CHANCE, Chart, RuleSet, Signaled
from linewright.stats.spc import (
    LEAST,
    Limits,
    Study,
    study_counts,
    study_shares,
    study_values,
)
from linewright.web.spans import Sums

__all__ = [
    "MOST_VALUES",
    "MOST_VERDICTS",
    "SAMPLE",
    "SUBGROUP",
    "Charted",
    "Kept",
    "QualityLog",
    "QualityView",
]

SUBGROUP = 5  # values whose mean and range are points of X-bar and R
SAMPLE = 50  # verdicts whose share of rejected units is a point of p
MOST_VALUES = 40 * SUBGROUP
MOST_VERDICTS = 40 * SAMPLE
_MOST_SIGNALS = 8
_BY_GATE = (
    "Look at the units and find the cause; whoever releases the gate says what it was."
)
_INDICES = ("cp", "cpk", "pp", "ppk")

Items = dict[str, Any]


class Charted(NamedTuple):
    """What is charted: a characteristic, or the verdicts of an inspection.

    Attributes:
        product: Its product.
        name: The characteristic, or the operation of the inspection.
        kind: ``values``, ``counts`` of a unit, or ``shares`` of rejected units.
        limits: What the model says of it.
    """

    product: str
    name: str
    kind: Literal["values", "counts", "shares"]
    limits: Limits

    @property
    def most(self) -> int:
        """Return how many values or verdicts are kept."""
        return MOST_VERDICTS if self.kind == "shares" else MOST_VALUES

    @property
    def n_point(self) -> int:
        """Return by how many values or verdicts the oldest are forgotten."""
        return SAMPLE if self.kind == "shares" else SUBGROUP

    @property
    def least(self) -> int:
        """Return from how many on there is a chart."""
        return LEAST * SAMPLE if self.kind == "shares" else LEAST


class Kept(NamedTuple):
    """A value, or a verdict as 0 or 1: when and of which unit."""

    at_us: int
    unit: str
    value: float


def charted_in(line: Line, lowered: Lowered) -> tuple[Charted, ...]:
    """Return what is charted of a line: what is measured, then what is inspected."""
    found: dict[tuple[str, str], Charted] = {}
    for of in lowered.quality:
        for made in of.read:
            says, key = made.of, (of.product, made.name)
            limits = Limits(
                says.unit, says.lower, says.nominal, says.upper, says.counted
            )
            kind: Literal["counts", "values"] = "counts" if says.counted else "values"
            found.setdefault(key, Charted(*key, kind, limits))
    shares = {
        (name, step.operation): Charted(name, step.operation, "shares", Limits())
        for name, product in line.products.items()
        for step in product.route
        if step.inspection is not None
    }
    return (*found.values(), *shares.values())


class QualityLog:
    """The newest values and verdicts of a line, and since when its gates are closed.

    Args:
        line: The line.
        core: Its state, from which the records go on.

    Attributes:
        charted: What is charted.
        kept: What is kept of each, the oldest first.
        n_taken: How many came in all, since the first record that was read.
        closed_us: Since when each gate that is closed is.
    """

    def __init__(self, line: Line, core: Core) -> None:
        self.charted = charted_in(line, core.lowered)
        self.kept: list[list[Kept]] = [[] for _ in self.charted]
        self.n_taken = [0] * len(self.charted)
        self._operations = core.lowered.names.operations
        self._products = core.lowered.names.products
        rows = {(one.product, one.name): i for i, one in enumerate(self.charted)}
        is_share = [one.kind == "shares" for one in self.charted]
        self._measured = {key: i for key, i in rows.items() if not is_share[i]}
        self._inspected = {
            (one.product, one.name): i
            for i, one in enumerate(self.charted)
            if one.kind == "shares"
        }
        alarms = {alarm.subject: alarm.at_us for alarm in core.alarms.values()}
        self.closed_us = {
            name: alarms.get(gate_subject(name), core.now_us)
            for name in core.gates.closed
        }

    def take(self, record: Record, core: Core) -> None:
        """Take a record that the core has followed."""
        for found in measured_in(record) if self._measured else ():
            unit = f"{found.product}:{found.serial}"
            for name, value in found.values.items():
                i = self._measured.get((found.product, name))
                if i is not None:
                    self._keep(i, Kept(record.at_us, unit, float(value)))
        if self._inspected:
            for kind, _, product, serial, step, value, _ in record.rows:
                if kind == t.T_VERDICT:
                    self._judged(record.at_us, product, serial, step, value)
        closed = core.gates.closed
        if self.closed_us.keys() != closed.keys():
            self.closed_us = {
                name: self.closed_us.get(name, record.at_us) for name in closed
            }

    def _judged(
        self, at_us: int, product: int, serial: int, step: int, value: int
    ) -> None:
        name = self._products[product]
        i = self._inspected.get((name, self._operations[step]))
        if i is not None:
            rejected = float(value & 3 != t.PASS)
            self._keep(i, Kept(at_us, f"{name}:{serial}", rejected))

    def _keep(self, i: int, one: Kept) -> None:
        """Keep the newest; forget whole points, so that the others stay the same."""
        of, kept = self.charted[i], self.kept[i]
        kept.append(one)
        self.n_taken[i] += 1
        if len(kept) > of.most:
            del kept[: of.n_point]


class QualityView:
    """What a page shows of the quality of a line; see the module's head.

    Args:
        core: The line's state, at any time: it may be made anew.
        log: What is kept of the line, likewise.
        stamp: Returns a time as it stands in a list.
        rules: Rules that signal.
    """

    def __init__(
        self,
        core: Callable[[], Core],
        log: Callable[[], QualityLog],
        stamp: Callable[[int], str],
        rules: RuleSet = "nelson",
    ) -> None:
        self._core, self._log, self._stamp = core, log, stamp
        self._rules = rules
        self._made: dict[int, tuple[tuple[Any, ...], Items]] = {}

    def about(self) -> dict[str, Any]:
        """Return what stays: what is charted, and the gates with their stations."""
        gates = self._core().gates.names.items()
        return {
            "charts": [
                {
                    "product": one.product,
                    "name": one.name,
                    "kind": one.kind,
                    "needs": one.least,
                    **one.limits._asdict(),
                }
                for one in self._log().charted
            ],
            "rules": self._rules.replace("_", " ").title(),
            "by_chance": BY_CHANCE[self._rules],
            "subgroup": SUBGROUP,
            "sample": SAMPLE,
            "gates": [
                {"name": name, "stations": list(of.stations)} for name, of in gates
            ],
        }

    def gates(self) -> Items:
        """Return the gates that are closed, with why and since when."""
        core, log = self._core(), self._log()
        names = list(core.gates.names)
        return {
            f"gate/{names.index(name)}": {
                "why": why,
                "since": self._stamp(log.closed_us[name]),
            }
            for name, why in core.gates.closed.items()
        } or {"gate/": None}

    def help_of(self, subject: str) -> str:
        """Return what is to be done about an alarm of a gate, nothing for others."""
        names = map(gate_subject, self._core().gates.names)
        return _BY_GATE if subject in names else ""

    def yields(self, now: Sums, since: Mapping[str, Sums]) -> Items:
        """Return for each span and product what became good, and how.

        Args:
            now: Sums until now.
            since: Sums at the start of each span.
        """
        found: Items = {}
        for span, then in since.items():
            for i in range(len(now.finished)):
                finished, scrapped, first, reworked = (
                    int((after - before)[i])
                    for after, before in (
                        (now.finished, then.finished),
                        (now.scrapped, then.scrapped),
                        (now.first_pass, then.first_pass),
                        (now.reworked, then.reworked),
                    )
                )
                n = finished + scrapped
                found[f"yield/{span}/{i}"] = {
                    "finished": finished,
                    "scrapped": scrapped,
                    "reworked": reworked,
                    "first_pass": round(first / n, 4) if n else None,
                }
        return found

    def charts(self) -> Items:
        """Return the charts; only those are made again that have something new."""
        log = self._log()
        for i, kept in enumerate(log.kept):
            seen = (log.n_taken[i], kept[-1] if kept else None)
            if self._made.get(i, (None,))[0] != seen:
                self._made[i] = seen, self._chart(log.charted[i], kept)
        return {f"spc/{i}": made for i, (_, made) in self._made.items()}

    def _chart(self, of: Charted, kept: Sequence[Kept]) -> Items:
        found: Items = {"n": len(kept)}
        if kept:
            last = kept[-1]
            found |= {
                "last": _short(last.value),
                "unit": last.unit,
                "at": self._stamp(last.at_us),
                "from": self._stamp(kept[0].at_us),
            }
        if len(kept) < of.least:
            return found
        studies = self._studies(of, kept)
        pairs = [
            (chart, told)
            for i, one in enumerate(studies)
            for chart, told in zip(one.charts, one.signals, strict=True)
            if i == 0 or chart.name != "EWMA"  # that of single values is enough
        ]
        found["charts"] = [_drawn(chart, told) for chart, told in pairs]
        found["signals"] = self._signals(pairs, kept)
        found["is_new"] = any(
            one.point == len(chart.points) - 1 for chart, told in pairs for one in told
        )
        if (capable := studies[0].capability) is not None:
            found["outside"] = round(capable.outside, 5)
            for name in _INDICES:
                found[name] = _index(getattr(capable, name))
        return found

    def _studies(self, of: Charted, kept: Sequence[Kept]) -> list[Study]:
        whose, values = (of.product, of.name), [one.value for one in kept]
        if of.kind == "counts":
            return [study_counts(whose, values, of.limits, self._rules)]
        if of.kind == "shares":
            is_rejected = [value > 0 for value in values]
            return [study_shares(whose, is_rejected, SAMPLE, self._rules)]
        return [
            study_values(whose, values, of.limits, n, self._rules)
            for n in (1, SUBGROUP)
        ]

    def _signals(
        self, pairs: Sequence[tuple[Chart, list[Signaled]]], kept: Sequence[Kept]
    ) -> list[dict[str, str]]:
        """Return the newest signals, each with the unit at which it showed."""
        rows = sorted(
            (
                (_last_of(chart.name, one.point), -place, chart.name, one.text)
                for place, (chart, told) in enumerate(pairs)
                for one in told
            ),
            reverse=True,
        )
        return [
            {
                "chart": name,
                "text": text,
                "unit": kept[row].unit,
                "at": self._stamp(kept[row].at_us),
            }
            for row, _, name, text in rows[:_MOST_SIGNALS]
        ]

    def measured(self, values: Sequence[Value], product: str) -> list[dict[str, Any]]:
        """Return what was measured at a unit, with the limits of the model.

        Args:
            values: What was measured.
            product: Product of the unit.
        """
        limits = {
            one.name: one.limits
            for one in self._log().charted
            if one.product == product and one.kind != "shares"
        }
        found = []
        for one in values:
            of = limits.get(one.characteristic, Limits())
            is_below = of.lower is not None and one.value < of.lower
            is_above = of.upper is not None and one.value > of.upper
            found.append(
                {
                    "at": self._stamp(one.at_us),
                    "operation": one.operation,
                    "place": one.place,
                    "name": one.characteristic,
                    "value": _short(one.value),
                    "unit": of.unit,
                    "lower": of.lower,
                    "upper": of.upper,
                    "is_outside": is_below or is_above,
                    "verdict": one.verdict,
                }
            )
        return found


_POINTS = {"MR": (1, 1), "X-bar": (SUBGROUP, SUBGROUP - 1), "p": (SAMPLE, SAMPLE - 1)}
_POINTS["R"] = _POINTS["X-bar"]


def _last_of(chart: str, point: int) -> int:
    """Return the row of the last value that went into a point of a chart."""
    n, last = _POINTS.get(chart, (1, 0))
    return n * point + last


def _drawn(chart: Chart, told: Sequence[Signaled]) -> dict[str, Any]:
    return {
        "name": chart.name,
        "points": [_short(value) for value in chart.points.tolist()],
        "center": _short(chart.center),
        "lower": _limits(chart.lower.tolist()),
        "upper": _limits(chart.upper.tolist()),
        "signals": sorted({one.point for one in told}),
    }


def _limits(values: Sequence[float]) -> list[float]:
    """Return limits without those at the end that are as the one before."""
    found = [_short(value) for value in values]
    while len(found) > 1 and found[-1] == found[-2]:
        found.pop()
    return found


def _index(index: Index | None) -> list[float] | None:
    return None if index is None else [round(value, 3) for value in index]


def _short(value: float) -> float:
    """Return a number with six digits: so many can be seen."""
    return float(f"{value:.6g}")
