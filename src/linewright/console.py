"""What the commands show on a terminal: tables of a result, a comparison, a bar.

Everything is built as a whole and returned as text, so that nothing half-written comes
out, and colors are used only where the stream is a terminal. Numbers are rounded by
their uncertainty, as in the brief.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from linewright import tables as t
from linewright.model.moments import date_text
from linewright.report.basis import is_one_run, of_one_run
from linewright.report.words import (
    DASH,
    NBSP,
    Scale,
    count,
    name,
    number,
    percent,
    rate_scale,
    time_scale,
)
from linewright.units import format_duration

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from linewright.improve.bottleneck import Bottleneck
    from linewright.improve.buffers import Placed
    from linewright.improve.changes import Change
    from linewright.improve.decisions import Decision
    from linewright.improve.losses import GoalLosses, Losses, TargetLosses
    from linewright.improve.search import Improvement, Study
    from linewright.improve.worth import Worth
    from linewright.plan.outcome import Plan
    from linewright.plan.quantities import QuantityPlan
    from linewright.results import Result
    from linewright.simulate import Progress
    from linewright.stats.compare import Comparison
    from linewright.stats.intervals import Interval

__all__ = [
    "ProgressBar",
    "allocation_view",
    "as_text",
    "bottleneck_view",
    "comparison_view",
    "improvement_view",
    "ledger_view",
    "losses_view",
    "plan_view",
    "quantities_view",
    "result_view",
    "table_view",
    "target_losses_view",
]

PIPE_WIDTH = 1000  # nothing is wrapped or cut where no terminal sets the width
TOP_STATIONS = 8
MOST_ROWS = 60
_OFF = ("break", "off_shift")
_DOWN = ("failed", "maintenance")


def as_text(view: RenderableType, stream: TextIO) -> str:
    """Return a view as text for a stream; a terminal gives its width and colors."""
    terminal = stream.isatty()
    width = None if terminal else PIPE_WIDTH
    target = io.StringIO()
    console = Console(
        file=target, force_terminal=terminal, width=width, highlight=False, markup=False
    )
    console.print(view)
    lines = target.getvalue().replace(NBSP, " ").splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _grid(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str) -> Table:
    """Return a table whose first column is text and the others numbers."""
    table = Table(
        title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD
    )
    for i, column in enumerate(columns):
        justify = "right" if i else "left"
        table.add_column(Text(column), justify=justify, no_wrap=i > 0)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def table_view(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a plain table of texts."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


# ---------------------------------------------------------------- a result


def result_view(result: Result) -> RenderableType:
    """Return what a simulation found, small enough for a screen."""
    views: list[RenderableType] = [_head(result), *_alarms(result)]
    views += [_products(result), _stations(result)]
    views += [Text(line) for line in _notes(result)]
    return Group(*views)


def _head(result: Result) -> Text:
    m = result.manifest
    n = m["replications"]
    span = format_duration(m["horizon_us"])
    kind = str(m["study"]).replace("_", " ")
    text = Text(name(m["model_name"]), style="bold")
    text.append(f": {n} replication{'s' * (n != 1)} of {span}, {kind} study")
    if m["units"]:
        text.append(f", each until {m['units']:,} units have left")
    by = " by batch means of this one run" if is_one_run(m) else ""
    if n > 1 or by:
        text.append(f"; ± is the {m['confidence']:.0%} interval{by}")
    return text


def _alarms(result: Result) -> list[RenderableType]:
    """Return what must not be missed."""
    m, found = result.manifest, []
    if result.failed_checks:
        found.append(
            f"SELF-CHECK FAILED: {_failures(result)}. "
            "Do not use these figures; please report this model."
        )
    if m["standstill"]:
        numbers = ", ".join(map(str, m["standstill"][:5]))
        found.append(
            f"THE LINE STOOD STILL with parts in it in replication {numbers}: nothing "
            "could ever happen again. Ask `linewright why`."
        )
        found.append(m.get("standstill_reason") or "")
    if m["stopped_early"]:
        found.append(
            f"INTERRUPTED after {m['replications']} of {m['replications_asked']} "
            "replications."
        )
    return [Text(line, style="bold red") for line in found if line]


def _failures(result: Result) -> str:
    failed = result.failed_checks
    texts = [
        f"{row['law']} of {row['entity']} (replication {row['replication']}: expected "
        f"{row['expected']:,}, found {row['found']:,})"
        for row in failed[:3]
    ]
    more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
    return "; ".join(texts) + more


def _intervals(result: Result, measure: str) -> dict[str, Interval]:
    try:
        return result.measure(measure)
    except KeyError:
        return {}


def _shown(found: Interval | None, scale: Scale | None = None) -> str:
    if found is None:
        return DASH
    return (scale or number)(found.mean, found.half_width)


def _share(found: Interval | None) -> str:
    return DASH if found is None else percent(found.mean, found.half_width)


def _products(result: Result) -> Table:
    rates, flows = result.throughput, _intervals(result, "flow_mean_s")
    wips, passes = (_intervals(result, m) for m in ("wip_mean", "first_pass_yield"))
    scraps = _intervals(result, "scrap_share")
    demands = {p: d.demand for p, d in result.line.products.items()}
    asked = {p: rate * 3600 for p, rate in demands.items() if rate is not None}
    rate = rate_scale([*(r.mean for r in rates.values()), *asked.values()])
    time = time_scale(f.mean for f in flows.values())
    rows = [
        (
            name(product, 28),
            _shown(rates.get(product), rate),
            rate(asked[product]) if product in asked else DASH,
            _shown(flows.get(product), time),
            _shown(wips.get(product)),
            _share(passes.get(product)),
            _share(scraps.get(product)),
        )
        for product in result.line.products
    ]
    if len(rows) > 1:
        total = (_shown(wips.get("")), "", "")
        rows.append(("all", "", "", "", *total))
    columns = (
        "product", f"good units/{rate.unit}", "demand", f"flow time, {time.unit}",
        "parts in the line", "good first time", "scrap",
    )  # fmt: skip
    return _grid(columns, rows, "Products")


def _stations(result: Result) -> Table:
    use = _intervals(result, "utilization")
    top = sorted(use, key=lambda k: -use[k].mean)[:TOP_STATIONS]
    sums = _state_sums(result)
    more = [
        mode
        for mode in ("loading", "waiting")
        if any(sums[station][mode] for station in top)
    ]
    rows = []
    for station in top:
        times = sums[station]
        whole = sum(times.values()) or 1
        groups = ["processing", "setup", *more, "blocked", "starved"]
        parts = [[times[mode] / whole] for mode in groups]
        parts += [[times[mode] / whole for mode in modes] for modes in (_DOWN, _OFF)]
        split = [percent(sum(shares)) for shares in parts]
        rows.append((name(station, 28), _share(use[station]), *split))
    columns = (
        "station", "busy on shift", "processing", "setup",
        *more, "blocked", "starved", "down", "off shift",
    )  # fmt: skip
    title = "Stations"
    if len(use) > len(top):
        title = f"The {len(top)} busiest of {len(use)} stations"
    return _grid(columns, rows, title)


def _state_sums(result: Result) -> dict[str, dict[str, int]]:
    """Return server-time in each state by station, over all replications."""
    table = result.table("stations")
    stations = table["station"].to_pylist()
    times = {mode: table[mode].to_pylist() for mode in t.MODE_NAMES}
    sums = {station: dict.fromkeys(t.MODE_NAMES, 0) for station in stations}
    for i, station in enumerate(stations):
        for mode in t.MODE_NAMES:
            sums[station][mode] += times[mode][i]
    return sums


def _notes(result: Result) -> list[str]:
    m = result.manifest
    notes = []
    if on_time := _intervals(result, "on_time_share").get(""):
        late = _intervals(result, "tardiness_mean_s")[""]
        scale = time_scale([late.mean])
        text = f"Orders on time: {percent(on_time.mean, on_time.half_width)}"
        tardy = scale.with_unit(late.mean, late.half_width)
        notes.append(f"{text}; mean tardiness {tardy}.")
    notes += _energy_and_cost(result)
    cut = format_duration(m["warmup_us"]) if m["warmup_us"] else "nothing"
    notes.append(f"Warm-up: {cut} cut ({m['warmup_reason']}).")
    notes += of_one_run(m, result.table("summary").to_pylist())
    n_checks = result.table("checks").num_rows
    if not result.failed_checks:
        notes.append(f"Self-checks: all {n_checks:,} hold.")
    notes.append(
        f"Seed {m['seed']}, model {m['model_hash'][:12]}, {count(m['events'])} events, "
        f"Linewright {m['linewright_version']}."
    )
    return notes


def _energy_and_cost(result: Result) -> list[str]:
    """Return what a good unit takes, emits, costs and brings in, in one line."""
    money = result.line.currency or ""
    said = {
        "energy_kwh_per_unit": ("energy", "kWh"),
        "emissions_kg_per_unit": ("emissions", "kg CO2"),
        "cost_per_unit": ("cost", money),
        "margin_per_unit": ("margin", money),
    }
    parts = [
        f"{word} {_shown(found[''])}{NBSP}{unit}".rstrip()
        for measure, (word, unit) in said.items()
        if "" in (found := _intervals(result, measure))
    ]
    return [f"Per good unit: {', '.join(parts)}."] if parts else []


# ---------------------------------------------------------------- a comparison


def comparison_view(
    found: Sequence[Comparison], units: dict[str, str], seed: int, n: int
) -> RenderableType:
    """Return scenarios against the first of them, measure by measure.

    Args:
        found: What `stats.compare` returned.
        units: Unit of each measure.
        seed: Seed of all scenarios.
        n: Number of pairs of replications.
    """
    baseline = found[0].baseline if found else ""
    views: list[RenderableType] = []
    for scenario in dict.fromkeys(c.scenario for c in found):
        rows = [_compared(c, units) for c in found if c.scenario == scenario]
        columns = ("measure", "unit", name(baseline, 24), name(scenario, 24),
                   "difference", "", "")  # fmt: skip
        views.append(_grid(columns, rows, f"{name(scenario)} against {name(baseline)}"))
    if found:
        views.append(
            Text(f"* The interval of the difference leaves out 0: {found[0].method}.")
        )
    views.append(Text(f"Common random numbers: seed {seed}, {n} pairs."))
    return Group(*views)


def _compared(c: Comparison, units: dict[str, str]) -> tuple[str, ...]:
    relative = c.relative_difference
    share = f"{100 * relative:+.1f}%" if math.isfinite(relative) else DASH
    difference = number(c.difference.mean, c.difference.half_width)
    sign = "+" if c.difference.mean > 0 and difference != DASH else ""
    return (
        c.measure,
        units.get(c.measure, ""),
        number(c.base.mean, c.base.half_width),
        number(c.other.mean, c.other.half_width),
        sign + difference,
        share,
        "*" if c.significant else "",
    )


# ---------------------------------------------------------------- improvements

_METHOD_COLUMNS = {
    "critical_path": "critical path",
    "utilisation": "busy",
    "active_period": "active period",
    "shifting": "longest of all",
    "turning_point": "turning point",
}


def bottleneck_view(
    title: str,
    found: Bottleneck,
    value: Worth,
    gains: Sequence[tuple[Change, Interval, Interval]],
    about: dict[str, Any],
) -> RenderableType:
    """Return what holds a line back, by all methods, and the worth of its times.

    Args:
        title: Name of the line.
        found: What the methods say.
        value: Shares of the critical path.
        gains: Changes that were tried, the gain promised, and the one found.
        about: Seed, model hash and size of the study.
    """
    head = Text(f"{title}: {about['replications']} replications of ")
    head.append(format_duration(about["horizon_us"] - about["warmup_us"]))
    head.append(f"; ± is the {about['confidence']:.0%} interval")
    views: list[RenderableType] = [head]
    tied = " and ".join(name(s) for s in found.tied[:3])
    verdict = f"What holds the line back: {name(found.first)}"
    if tied:
        verdict += f", or {tied}"
        verdict += " and more" if found.tied[3:] else ""
        verdict += " (they cannot be told apart)"
    views.append(Text(verdict, style="bold"))
    views += [
        _methods(found),
        *(Text(f"{r[0].upper()}{r[1:]}.") for r in found.remarks),
    ]
    views += [_worth(value), *_doubts(value)]
    if gains:
        views.append(_gains(gains, about))
    views.append(
        Text(
            f"Seed {about['seed']}, model {about['model_hash'][:12]}, "
            f"Linewright {about['version']}."
        )
    )
    return Group(*views)


def _methods(found: Bottleneck) -> Table:
    path = found.findings["critical_path"]
    order = sorted(path.scores, key=lambda s: -path.scores[s].mean)
    rows = []
    for station in order[:TOP_STATIONS]:
        row = [name(station, 24)]
        for method in _METHOD_COLUMNS:
            finding = found.findings[method]
            score, chance = finding.scores[station], finding.probability[station]
            scale = 1.0 if method == "active_period" else 100.0
            unit = " s" if method == "active_period" else "%"
            if method == "turning_point":
                shown = "here" if station == finding.first else DASH
            else:
                shown = number(score.mean * scale, score.half_width * scale) + unit
            mark = f" [{percent(chance)}]" if chance >= 0.005 else ""
            row.append(shown + mark)
        rows.append(row)
    columns = ("station", *_METHOD_COLUMNS.values())
    title = "Bottleneck by five methods [chance that the method names the station]"
    return _grid(columns, rows, title)


def _worth(value: Worth) -> Table:
    rows = []
    for lever in value.levers[: 2 * TOP_STATIONS]:
        share = lever.elasticity
        what = lever.kind.replace("_", " ")
        what += f" ({lever.name})" if lever.name else ""
        where = name(lever.place, 24) if lever.place else "shifts, orders, deliveries"
        gain = lever.kind != "calendar"
        rows.append(
            (
                where,
                what,
                number(100 * share.mean, 100 * share.half_width) + "%",
                f"+{share.mean:.2f}%" if gain else DASH,
            )
        )
    columns = ("place", "time", "share of the critical path", "1% less gives")
    return _grid(columns, rows, "What each time is worth")


def _doubts(value: Worth) -> list[Text]:
    fewer = (
        "Less processing also brings fewer failures that count it, beyond its share."
    )
    more = [Text(fewer)] if value.wears else []
    if not value.doubts:
        exact = Text("The shares are derivatives of the throughput in this line.")
        return [exact, *more]
    reasons = "; ".join(value.doubts)
    return [
        Text(
            f"The shares are estimates here, because {reasons}. "
            "What counts is what was confirmed."
        ),
        *more,
    ]


def _gains(
    gains: Sequence[tuple[Change, Interval, Interval]], about: dict[str, Any]
) -> Table:
    rows = [
        (
            change.name,
            f"{100 * promised.mean:+.1f}%",
            number(100 * gain.mean, 100 * gain.half_width) + "%",
        )
        for change, promised, gain in gains
    ]
    columns = ("change", "gain by its share", "gain confirmed")
    seed = about["seed_of_confirmation"]
    return _grid(columns, rows, f"Confirmed by paired runs on another seed ({seed})")


def losses_view(title: str, found: Losses, about: dict[str, Any]) -> RenderableType:
    """Return the gap to a line without losses, cause by cause.

    Args:
        title: Name of the line.
        found: What `losses` returned.
        about: Seed, model hash and size of the study.
    """
    span_h = (about["horizon_us"] - about["warmup_us"]) / 3.6e9
    gap = found.ideal.mean - found.actual.mean
    rows = [("without any loss", *_lost(found.ideal, span_h, ""), "", "")]
    for loss in found.losses:
        share = f"{loss.units_per_h.mean / gap:.0%}" if gap > 0 else DASH
        alone = number(loss.alone.mean, loss.alone.half_width)
        lost = _lost(loss.units_per_h, span_h, "-")
        rows.append((loss.cause, *lost, share, f"+{alone}"))
    rows.append(("as it is", *_lost(found.actual, span_h, ""), "", ""))
    columns = ("", "units/h", "units in all", "of the gap", "gain if it alone goes")
    how = "all variants" if found.is_exact else "orders of causes drawn by chance"
    return Group(
        _grid(columns, rows, f"{title}: where units are lost"),
        Text(
            f"Shapley values over {how}; they sum to the gap. "
            f"{about['replications']} replications, ± is the "
            f"{about['confidence']:.0%} interval, {found.n_runs:,} runs in all."
        ),
        Text(
            f"Seed {about['seed']}, model {about['model_hash'][:12]}, "
            f"Linewright {about['version']}."
        ),
    )


def target_losses_view(
    title: str, found: TargetLosses, about: dict[str, Any]
) -> RenderableType:
    """Return what is lost to what on the way to targets: of each its hardest period."""
    views: list[RenderableType] = []
    for target in dict.fromkeys(one.target for one in found.goals):
        mine = [one for one in found.goals if one.target == target]
        single = [one for one in mine if one.goal != "all"]
        hard = min(single, key=lambda one: one.actual.mean / max(one.asked, 1))
        views.append(_goal_losses(hard, is_one=len(single) == 1))
    how = "all variants" if found.is_exact else "orders of causes drawn by chance"
    return Group(
        Text(f"{title}: what is lost to what on the way to targets\n"),
        *views,
        Text(
            f"Good units from the start of the span to its end. Shapley values over "
            f"{how}; they sum to what the line without any loss makes more. "
            f"{about['replications']} replications, ± is the "
            f"{about['confidence']:.0%} interval, {found.n_runs:,} runs in all."
        ),
        Text(
            f"Seed {about['seed']}, model {about['model_hash'][:12]}, "
            f"Linewright {about['version']}."
        ),
    )


def _goal_losses(it: GoalLosses, *, is_one: bool) -> RenderableType:
    gap = it.ideal.mean - it.actual.mean
    rows = [("without any loss", number(it.ideal.mean, it.ideal.half_width), "", "")]
    for loss in it.losses:
        lost, alone = loss.units, loss.alone
        rows.append(
            (
                loss.cause,
                number(-lost.mean, lost.half_width),
                f"{lost.mean / gap:.0%}" if gap > 0 else DASH,
                number(alone.mean, alone.half_width),
            )
        )
    rows.append(("as it is", number(it.actual.mean, it.actual.half_width), "", ""))
    rows.append(("asked for", f"{it.asked:,}", "", ""))
    word = "short on average" if it.short > 0 else "above it on average"
    rows.append((word, number(abs(it.short), it.actual.half_width), "", ""))
    columns = ("", f"{it.product}, units", "of the gap", "gain if it alone goes")
    which = "" if is_one else ", the period with the least of what is asked"
    return _grid(columns, rows, f"{it.target}: {it.goal}{which}")


def _lost(rate: Interval, span_h: float, sign: str) -> tuple[str, str]:
    return (
        sign + number(rate.mean, rate.half_width),
        sign + number(rate.mean * span_h, rate.half_width * span_h),
    )


def _amount(found: Improvement) -> float:
    """Return the objective as it is; a time is kept as its negative."""
    mean = found.base.mean
    return abs(mean) if found.study.objective == "flow_time" else mean


def improvement_view(title: str, found: Improvement, currency: str) -> RenderableType:
    """Return the best set of options, what it gains, and the frontier."""
    study = found.study
    unit = f" {currency}" if currency else ""
    objective = study.objective.replace("_", " ")
    head = Text(f"{title}: the best for {found.budget:,.10g}{unit} by {objective}")
    head.stylize("bold")
    views: list[RenderableType] = [head]
    if not found.chosen:
        views.append(Text("Nothing on offer is better than the line as it is."))
    else:
        views.append(_grid(("chosen",), [(one,) for one in found.chosen], ""))
        late = ""
        if found.lead_time_us:
            late = f"; all of it is there after {format_duration(found.lead_time_us)}"
        views.append(Text(f"Cost {found.cost:,.10g}{unit}{late}."))
    relative = found.relative_gain
    is_chance = found.unit == "chance"
    points = " points on a chance" if is_chance else "%"
    now = (
        f"{number(100 * found.base.mean, 100 * found.base.half_width)}%"
        if is_chance
        else f"{number(_amount(found), found.base.half_width)} {found.unit}"
    )
    views.append(
        Text(
            f"Gain confirmed on seed {study.seed + 1}: "
            f"{number(100 * relative.mean, 100 * relative.half_width)}{points} of "
            f"{now} ({study.confidence:.0%} interval, {relative.n} pairs)."
        )
    )
    views.append(Text(found.guarantee))
    views += [Text(remark) for remark in found.remarks]
    scale = 1.0 if is_chance else abs(found.base.mean) or math.nan
    rows = [
        (
            ", ".join(one.options) or "as it is",
            f"{one.cost:,.10g}",
            number(100 * one.gain.mean / scale, 100 * one.gain.half_width / scale) + "%"
            if one.options
            else DASH,
        )
        for one in found.frontier
    ]
    views.append(_grid(("set", f"cost{unit}", "gain"), rows, "Gain for money"))
    views.append(
        Text(
            f"{found.n_evaluations:,} replications, {found.n_reused:,} of them kept "
            f"from before. Seed {study.seed}, model {found.model_hash[:12]}."
        )
    )
    return Group(*views)


def allocation_view(
    title: str, found: Placed, study: Study, asked_per_h: float | None
) -> RenderableType:
    """Return where buffer places belong, and what that gains."""
    rate = rate_scale([found.throughput.mean, asked_per_h or 0.0])
    head = Text(f"{title}: {count(found.places)} buffer places", style="bold")
    if asked_per_h is not None:
        head.append(f", the fewest that surely reach {rate(asked_per_h)}/{rate.unit}")
    rows = [
        (
            name(station, 28),
            count(best),
            "unlimited" if now is None else count(now),
            count(level),
        )
        for station, best, now, level in zip(
            found.buffers, found.slots, found.now, found.even, strict=True
        )
    ]
    made, formula = found.throughput, found.formula
    known = "exact" if formula.is_exact else "an estimate"
    if formula.error is not None:
        known += f", {percent(formula.error.most_of_95)} off at most in 95% of lines"
    gains = (found.gain_on_now, found.gain_on_even)
    on_now, on_even = (number(100 * g.mean, 100 * g.half_width) + "%" for g in gains)
    views: list[RenderableType] = [
        head,
        _grid(("input buffer of", "best", "as it is", "even"), rows, "Places"),
        Text(
            f"Good units/{rate.unit}: {rate(made.mean, made.half_width)} simulated "
            f"({study.confidence:.0%} interval), "
            f"{rate(3600 * formula.throughput_per_s)} by formula ({known})."
        ),
        Text(
            f"Gain, on seed {study.seed + 1}: {on_now} against the line as it is, "
            f"{on_even} against the even allocation ({made.n} pairs)."
        ),
        Text(found.guarantee),
        *(Text(f"The formula knows {note}.") for note in found.notes),
        Text(
            f"{found.n_replications:,} replications, {found.n_candidates} candidates, "
            f"{formula.n_evaluated:,} of {formula.n_ways:,} allocations by formula."
        ),
    ]
    return Group(*views)


def ledger_view(decisions: Sequence[Decision]) -> RenderableType:
    """Return decisions, with what was promised and what came of them."""
    rows = []
    for one in decisions:
        mean, low, high = one.promised
        last = one.realised[-1] if one.realised else None
        rows.append(
            (
                f"{one.number}: {', '.join(one.options)}",
                one.on,
                one.by,
                f"{one.cost:,.10g}",
                f"{mean:+.4g} ({low:+.4g} to {high:+.4g})",
                DASH if last is None else f"{last.value - one.base:+.4g}",
                one.verdict,
            )
        )
    columns = (
        "decision", "ratified", "by", "cost", "gain promised", "realised", "verdict"
    )  # fmt: skip
    return _grid(columns, rows, "Decisions")


# ---------------------------------------------------------------- a plan


def plan_view(plan: Plan) -> RenderableType:
    """Return what a plan found, small enough for a screen."""
    m = plan.manifest
    n = m["replications"]
    end = date_text(plan.line, m["horizon_us"])[:10]
    head = Text(name(m["model_name"]), style="bold")
    head.append(f": {n:,} replication{'s' * (n != 1)} to {end}")
    views: list[RenderableType] = [head]
    if m["failed_checks"]:
        text = f"SELF-CHECK FAILED: {len(m['failed_checks'])} laws are broken"
        views.append(Text(text, style="bold red"))
    views += [_tightest(plan), _goals(plan)]
    notes = [*_plan_notes(plan), *_readiness(plan), *_promises(plan)]
    return Group(*views, *map(Text, notes))


def _tightest(plan: Plan) -> Table:
    """Return the most loaded station or people of each period."""
    rows = plan.rows("capacity")
    shown = []
    for period in dict.fromkeys(row["period"] for row in rows):
        here = [row for row in rows if row["period"] == period]
        most = max(here, key=lambda row: row["load"])
        so_far = max(here, key=lambda row: row["load_to_date"])
        shown.append(
            (
                period,
                name(most["entity"]),
                f"{most['load']:.0%}",
                f"{most['work_h']:,.0f}",
                f"{most['hours']:,.0f}",
                f"{name(so_far['entity'])} {so_far['load_to_date']:.0%}",
            )
        )
    columns = ("period", "most loaded", "load", "work, h", "hours", "all to date")
    return _grid(columns, shown[:MOST_ROWS], "Work against hours, by averages")


def _goals(plan: Plan) -> Table:
    rows = plan.rows("goals")
    each = [row for row in rows if row["quantity"] is not None]
    left_out = len(each) - MOST_ROWS
    if left_out > 0:
        each = sorted(each, key=lambda row: row["probability"])[:MOST_ROWS]
    title = "Targets" if left_out <= 0 else f"Targets, without the {left_out} surest"
    shown = [
        (
            f"{name(row['target'])}: {row['goal']}",
            f"{row['quantity']:,} {row['product']}",
            _chance(row),
            f"{row['made_mean']:,.1f}",
            f"{row['shortfall_mean']:,.2f}",
            *(_day(plan, row[f"reached_p{share}_us"]) for share in (50, 80, 95)),
        )
        for row in each
    ]
    for row in rows:
        if row["quantity"] is None:
            who = f"{name(row['target'])}: all" if row["target"] else "all targets"
            shown.append((who, "", _chance(row), "", "", "", "", ""))
    columns = ("target", "asked", "met with", "made", "short")
    return _grid((*columns, "half by", "80% by", "95% by"), shown, title)


def _chance(row: dict[str, Any]) -> str:
    share = f"{row['probability']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
    return share.replace(" ", NBSP)


def _day(plan: Plan, at_us: int | None) -> str:
    if at_us is None or at_us < 0:
        return "later"
    step_us = int(plan.manifest["resolution_us"])
    text = date_text(plan.line, at_us)
    return text[:10] if step_us >= 6 * 3_600_000_000 else text


def _plan_notes(plan: Plan) -> list[str]:
    m, notes = plan.manifest, []
    rows = plan.rows("readiness")
    first = rows[0]
    if first["impossible_entity"]:
        notes.append(
            f"By averages the targets cannot be met: {first['impossible_entity']} has "
            f"more work than hours up to the end of {first['impossible_period']}."
        )
    elif first["first_entity"]:
        notes.append(
            f"{first['first_entity']} first has more work than hours in "
            f"{first['first_period']} ({first['first_load']:.0%}); some of it has to "
            "be done before."
        )
    released = first["released_factor"]  # not a number where orders release nothing
    if released < 1:
        notes.append(
            f"The orders release {released:.0%} of what the targets ask for: whatever "
            "the line could do, no more can be made."
        )
    if m["goals_left_out"]:
        n = m["goals_left_out"]
        notes.append(f"{n} target{'s' * (n != 1)} lie outside the time simulated.")
    if m["actual_to_us"] is not None:
        day = date_text(plan.line, m["actual_to_us"])
        text = f"What was made up to {day} is counted"
        if not m["from_us"]:
            text += (
                "; the line then stands as it would after a start from the model, for "
                "no state was given"
            )
        notes.append(f"{text}.")
    if m["standstill"]:
        n = len(m["standstill"])
        notes.append(f"The line stood still with parts in it in {n} replications.")
    return notes


def _readiness(plan: Plan) -> list[str]:
    notes = []
    for row in plan.rows("readiness")[1:]:
        if row["is_highest"]:
            high = row["high"]
            upper = f"{high:.3g}" if math.isfinite(high) else "?"
            text = (
                f"All targets times {row['factor']:.3g} ({row['low']:.3g} to {upper})"
            )
            text += f" are met with {row['probability']:.0%}"
        else:
            text = f"All targets times {row['factor']:g} are met with {_chance(row)}"
        if row["first_entity"]:
            text += f"; {row['first_entity']} first has more work than hours, in "
            text += f"{row['first_period']} ({row['first_load']:.0%})"
        else:
            text += "; by averages there are hours enough everywhere"
        released = row["released_factor"]  # not a number where orders release nothing
        if row["factor"] > released:
            text += (
                f"; the orders release no more than {released:.3g} times the targets"
            )
        elif released > 0 and row["is_highest"]:
            text += f"; the orders release {released:.3g} times the targets"
        notes.append(f"{text}.".replace(NBSP, " "))
    return notes


def _promises(plan: Plan) -> list[str]:
    notes = []
    for row in plan.rows("promises"):
        who = f"{row['quantity']:,} {row['product']} more"
        share = f"{row['probability']:.0%}"
        if row["date_us"] < 0:
            notes.append(f"{who}, with {share}: not within the horizon.")
            continue
        low, high = (_day(plan, row[key]) for key in ("low_us", "high_us"))
        day = _day(plan, row["date_us"])
        notes.append(f"{who}, with {share}: by {day} ({low} to {high}).")
    return notes


# ---------------------------------------------------------------- quantities


def quantities_view(plan: QuantityPlan) -> RenderableType:
    """Return quantities by period, and why there are none, small enough to read."""
    m = plan.manifest
    end = date_text(plan.line, m["horizon_us"])[:10]
    head = Text(name(m["model_name"]), style="bold")
    head.append(f": quantities to {end}, {_how_good(plan)}")
    views: list[RenderableType] = [head, *_conflict(plan)]
    if plan.rows("quantities"):
        views += [_left(plan), _loads(plan), *_invested(plan)]
    views += [Text(note) for note in _quantity_notes(plan)]
    return Group(*views)


def _how_good(plan: QuantityPlan) -> str:
    m = plan.manifest
    if plan.status == "unknown":
        return "none found in the time, and none refuted"
    money = f" {m['currency']}" if m["currency"] else ""
    parts = [f"{key} {value:,.0f}" for key, value in m["costs"].items() if value > 0]
    cost = f"cost {plan.cost:,.0f}{money}" + (f" ({', '.join(parts)})" * bool(parts))
    if plan.status == "infeasible":
        return f"the least short; {cost}"
    gap = "" if plan.gap <= 1e-4 else f", at most {plan.gap:.2%} above the least"
    return f"{plan.status}; {cost}{gap}"


def _conflict(plan: QuantityPlan) -> list[RenderableType]:
    if plan.status != "infeasible":
        return []
    found = [Text("NO PLAN MEETS ALL TARGETS.", style="bold red")]
    rows = plan.rows("conflict")
    if rows:
        least = ", and none of them can be left out"
        least = least if plan.manifest["conflict_is_least"] else ""
        found.append(Text(f"These cannot hold together{least}:"))
        found += [Text(f"  - {row['text']}") for row in rows]
        if all(row["kind"] == "target" for row in rows):
            found.append(Text("  Lead times alone forbid it, whatever the hours."))
    ways = plan.rows("relaxations")
    if ways:
        found.append(Text("What would do, each by itself:"))
    return [*found, *(Text(f"  - {text}") for text in _ways(ways))]


def _ways(rows: list[dict[str, Any]]) -> Iterable[str]:
    """Yield what would make a plan possible: fewer units, more hours, or later."""
    fewer = [row for row in rows if row["way"] == "units"]
    if fewer:
        each = [f"{r['amount']:,.1f} of {r['name']} ({r['period']})" for r in fewer[:6]]
        more = f" and {len(fewer) - 6} more" if len(fewer) > 6 else ""
        yield f"fewer units: {', '.join(each)}{more}"
    hours: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["way"] == "hours":
            hours.setdefault(row["name"], []).append(row)
    if hours:
        each = [
            f"{sum(r['amount'] for r in mine):,.1f} h of {who} "
            f"({mine[0]['period']} to {mine[-1]['period']})"
            for who, mine in hours.items()
        ]
        yield f"more hours: {', '.join(each)}"
    for row in rows:
        if row["way"] == "later":
            n = round(row["amount"])
            yield f"all targets {n} period{'s' * (n != 1)} later"


def _left(plan: QuantityPlan) -> Table:
    """Return what leaves, and is in stock, of what is sold."""
    sold = list(dict.fromkeys(row["product"] for row in plan.rows("goals")))
    rows = plan.rows("quantities")
    shown = []
    for period in dict.fromkeys(row["period"] for row in rows):
        here = {r["product"]: r for r in rows if r["period"] == period}
        shown.append(
            (
                period,
                *(
                    f"{here[one][key]:,.1f}"
                    for one in sold
                    for key in ("started", "left", "stock")
                ),
            )
        )
    keys = [f"{one} {key}" for one in sold for key in ("started", "left", "stock")]
    return _grid(("period", *keys), shown[:MOST_ROWS], "Units by period")


def _loads(plan: QuantityPlan) -> Table:
    rows, over = plan.rows("capacity"), plan.rows("overtime")
    shown = []
    for period in dict.fromkeys(row["period"] for row in rows):
        here = [row for row in rows if row["period"] == period]
        most = max(here, key=lambda row: row["load"])
        hours = sum(row["hours"] for row in over if row["period"] == period)
        shown.append(
            (
                period,
                name(most["entity"]),
                f"{most['load']:.0%}",
                f"{most['work_h']:,.0f}",
                f"{most['setup_h']:,.0f}",
                f"{most['hours'] + most['overtime_h']:,.0f}",
                f"{hours:,.0f}",
            )
        )
    columns = ("period", "most loaded", "load", "work, h", "setups, h", "hours")
    return _grid((*columns, "overtime, h"), shown[:MOST_ROWS], "Hours")


def _invested(plan: QuantityPlan) -> list[RenderableType]:
    rows = plan.rows("investments")
    if not rows:
        return []
    shown = [
        (
            row["option"],
            "yes" if row["chosen"] else "left out" if row["left_out"] else "no",
            date_text(plan.line, row["order_us"])[:10] if row["chosen"] else "",
            date_text(plan.line, row["from_us"])[:10] if row["chosen"] else "",
            f"{row['cost']:,.0f}",
        )
        for row in rows
    ]
    columns = ("option", "taken", "decide by", "there from", "cost")
    return [_grid(columns, shown, "Investments")]


def _quantity_notes(plan: QuantityPlan) -> Iterable[str]:
    short = [row for row in plan.rows("goals") if row["short"] > 0]
    if short:
        each = [f"{r['target']} ({r['goal']}) {r['short']:,.1f}" for r in short[:8]]
        more = f" and {len(short) - 8} more" if len(short) > 8 else ""
        yield f"Short of targets, in units: {', '.join(each)}{more}."
    if free := plan.manifest["lead_times_left_out"]:
        yield f"Lead times of {', '.join(free)} follow from what waits at stations."
    for row in plan.rows("investments"):
        if row["left_out"]:
            yield f"{row['option']} is left out: {row['left_out']}."
    change = plan.manifest["learning_change"]
    if change is not None and change > 1e-3:
        yield (
            f"What is learned still changed by {change:.1%} in the last round: hours "
            "are known to as much."
        )


# ---------------------------------------------------------------- progress


class ProgressBar:
    """Replications done, time left and half-width so far; silent without a terminal."""

    def __init__(self, stream: TextIO, label: str, precision: float | None) -> None:
        self._precision = precision
        self._bar = _new_bar(stream) if stream.isatty() else None
        self._label = label
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressBar:
        """Show the bar."""
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=None, width="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show how far a simulation is."""
        width = half_width(progress.throughput, self._precision)
        self.show(progress.done, progress.asked, width)

    def show(self, done: int, asked: int, width: str) -> None:
        """Show how many of the replications are done, and how wide an interval is."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=done, total=asked, width=width)


def _new_bar(stream: TextIO) -> Bar:
    from rich import progress  # noqa: PLC0415 - slow

    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[width]}", markup=False),
        console=Console(file=stream),
        transient=True,
    )


def half_width(found: Interval | None, precision: float | None) -> str:
    """Return the relative half-width so far, and the one that is wanted."""
    if found is None or not math.isfinite(found.relative_half_width):
        return ""
    goal = f" → {100 * precision:.2g}%" if precision else ""
    return f"±{100 * found.relative_half_width:.2g}%{goal}"
