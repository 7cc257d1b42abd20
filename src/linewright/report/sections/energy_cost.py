"""Energy and cost: what a good unit takes and costs, where, and what for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from linewright.model.meaning import leaves_line
from linewright.report.bars import Row, draw_bars
from linewright.report.canvas import draw_both
from linewright.report.facts import Estimate, Facts, Floats, estimate
from linewright.report.palette import AT_ONCE, STATES
from linewright.report.parts import Bar, Cell, Column, Figure, Section, Table
from linewright.report.words import NBSP, counted, join, name, number, percent

__all__ = ["section"]

SHOWN = 40
_IDLE = ("starved", "blocked", "waiting", "break", "off_shift")
_NAMES = {
    ("station", "per_calendar_hour"): "station hours, around the clock",
    ("station", "per_shift_hour"): "station hours, on shift",
    ("station", "per_working_hour"): "station hours, at work",
    ("station", "per_part"): "parts worked on",
    ("station", "per_batch"): "batches",
    ("station", "per_setup"): "setups",
    ("station", "per_repair"): "repairs and maintenance",
    ("station", "energy"): "energy",
    ("pool", "per_shift_hour"): "people, on shift",
    ("pool", "per_working_hour"): "people, at work",
    ("product", "material"): "material",
    ("product", "scrap"): "scrap",
    ("product", "holding_per_day"): "holding of units in the line",
}
"""What money goes for, by kind and item of the table `cost`."""

_NOTE = (
    "Nothing is shared out among products: all energy and money of the time after the "
    "warm-up stands against all good units of that time, of any product that leaves "
    "the line."
)
_MIX = "So a good unit is a mix of {}, in the shares in which they were made."


def _money(facts: Facts, value: Estimate) -> str:
    """Return an amount of money with the name of the currency, if it has one."""
    return _with_unit(value, _currency(facts))


def _currency(facts: Facts) -> str:
    return name(facts.line.currency or "")


def _with_unit(value: Estimate, unit: str) -> str:
    return f"{number(value.mean, value.half)}{NBSP}{unit}".rstrip()


def section(facts: Facts) -> Section | None:
    """Return what a good unit takes and costs, or nothing if the model does not say."""
    if not facts.columns("energy") and not facts.columns("cost"):
        return None
    found = (_energy_figure(facts), _cost_figure(facts))
    figures = tuple(figure for figure in found if figure)
    text = [*_energy_words(facts), *_cost_words(facts), *_margin_words(facts)]
    headline = _headline(facts)
    key, label = "energy-cost", "Energy and cost"
    return Section(key, label, headline, tuple(text), figures, notes=(_note(facts),))


def _note(facts: Facts) -> str:
    good = [
        name(product)
        for product in facts.line.products
        if leaves_line(facts.line, product)
        and facts.estimate("throughput_per_h", product).mean > 0
    ]
    mix = _MIX.format(join(good)) if len(good) > 1 else ""
    return f"{_NOTE} {mix}".strip()


def _headline(facts: Facts) -> str:
    """Return what each good unit takes; without one, what an hour does."""
    per_unit = {
        "takes": ("energy_kwh_per_unit", "kWh"),
        "emits": ("emissions_kg_per_unit", "kg CO\u2082"),
        "costs": ("cost_per_unit", _currency(facts)),
    }
    parts = _said(facts, per_unit)
    if parts:
        return f"A good unit {join(parts)}"
    parts = _said(
        facts,
        {
            "takes": ("power_mean_kw", "kW"),
            "costs": ("cost_per_h", f"{_currency(facts)} an hour".strip()),
        },
    )
    return f"No good unit left the line, which {join(parts)}"


def _said(facts: Facts, measures: Mapping[str, tuple[str, str]]) -> list[str]:
    return [
        f"{verb} {_with_unit(found, unit)}"
        for verb, (measure, unit) in measures.items()
        if (found := facts.estimate(measure)).known
    ]


def _energy_words(facts: Facts) -> list[str]:
    """Return where most energy goes, and how much of it while nothing is worked on."""
    by_use = facts.sums("energy", ("use",), "kwh")
    total = float(sum(values.sum() for values in by_use.values()))
    if not total > 0:
        return []
    by_station = facts.sums("energy", ("station",), "kwh")
    most = max(by_station, key=lambda key: by_station[key].sum())
    share = by_station[most].sum() / total
    idle = sum(by_use[(use,)].sum() for use in _IDLE if (use,) in by_use) / total
    mean = _with_unit(facts.estimate("power_mean_kw"), "kW")
    return [
        f"The line takes {mean} on average, {percent(share)} of it at "
        f"{name(most[0])}; {percent(idle)} is taken while a station waits, is on a "
        "break or off shift."
    ]


def _cost_words(facts: Facts) -> list[str]:
    """Return what most money goes for, and which station costs most."""
    by_item = facts.sums("cost", ("kind", "item"), "amount")
    total = float(sum(values.sum() for values in by_item.values()))
    if not total > 0:
        return []
    most = max(by_item, key=lambda key: by_item[key].sum())
    share = percent(by_item[most].sum() / total)
    text = f"{share} of the cost is for {_NAMES[most[0], most[1]]}"
    by_place = facts.sums("cost", ("kind", "entity"), "amount")
    stations = {k[1]: float(v.sum()) for k, v in by_place.items() if k[0] == "station"}
    if len(stations) > 1:
        dearest = max(stations, key=lambda station: stations[station])
        share = percent(stations[dearest] / total)
        text += f"; {share} is for {name(dearest)}, the most of all stations"
    return [f"{text}."]


def _margin_words(facts: Facts) -> list[str]:
    margin = facts.estimate("margin_per_unit")
    if not margin.known:
        return []
    per_hour = _money(facts, facts.estimate("margin_per_h"))
    return [
        f"At the prices in the model, a good unit leaves {_money(facts, margin)}: "
        f"{per_hour} an hour."
    ]


# ---------------------------------------------------------------- energy


def _energy_figure(facts: Facts) -> Figure | None:
    by_use = facts.sums("energy", ("station", "use"), "kwh_per_unit")
    totals = facts.sums("energy", ("station",), "kwh_per_unit")
    means = {key[0]: _mean(values) for key, values in totals.items()}
    ranked = sorted((k for k in means if means[k] > 0), key=lambda k: -means[k])
    if not ranked:
        return None
    rows = [
        Row(name(k), _by_state(by_use, k), number(means[k])) for k in ranked[:SHOWN]
    ]
    title = "Energy for each good unit, by station and state, kWh"
    alt = f"One stacked bar for each station. Most: {_most(rows)}."
    wide, narrow = draw_both(partial(draw_bars, rows, "kWh"), "energy", title, alt)
    caption = "kWh of each station for each good unit, by what its servers do."
    if len(ranked) > SHOWN:
        caption += f" The {SHOWN} stations with most of {len(ranked):,}."
    table = _energy_table(facts, ranked, totals, by_use)
    return Figure("energy", title, alt, wide, narrow, caption, table, legend="energy")


def _mean(values: Floats) -> float:
    """Return the mean of the replications that have a good unit."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0


def _most(rows: list[Row]) -> str:
    return join([f"{row.label}, {row.value}" for row in rows[:2]])


def _by_state(
    by_use: Mapping[tuple[str, ...], Floats], station: str
) -> tuple[tuple[str, float], ...]:
    """Return the pieces of a station's bar: states, then what is taken at once."""
    of_states = [
        (state.role, _mean(by_use[station, state.key]))
        for state in STATES
        if (station, state.key) in by_use
    ]
    states = {state.key for state in STATES}
    at_once = sum(
        _mean(values)
        for (where, use), values in by_use.items()
        if where == station and use not in states
    )
    return (*of_states, (AT_ONCE.role, at_once))


def _energy_table(
    facts: Facts,
    ranked: list[str],
    totals: Mapping[tuple[str, ...], Floats],
    by_use: Mapping[tuple[str, ...], Floats],
) -> Table:
    line = facts.estimate("energy_kwh_per_unit").mean
    used = {
        state.role: state.label
        for state in (*STATES, AT_ONCE)
        if any(dict(_by_state(by_use, k)).get(state.role) for k in ranked)
    }
    columns = (
        Column("Station", numeric=False),
        Column("kWh per good unit"),
        Column("Of the line"),
        *(Column(label.capitalize()) for label in used.values()),
    )
    rows: list[tuple[Cell, ...]] = []
    for station in ranked:
        whole = estimate(totals[(station,)], facts.confidence)
        pieces = dict(_by_state(by_use, station))
        share = whole.mean / line
        rows.append(
            (
                name(station, 200),
                number(whole.mean, whole.half),
                Bar(percent(share), share),
                *(number(pieces[role]) if pieces.get(role) else "0" for role in used),
            )
        )
    return Table("Energy per good unit, kWh", columns, tuple(rows))


# ---------------------------------------------------------------- cost


def _cost_figure(facts: Facts) -> Figure | None:
    by_item = facts.sums("cost", ("kind", "item"), "amount_per_unit")
    means = {key: _mean(values) for key, values in by_item.items()}
    ranked = sorted((k for k in means if means[k]), key=lambda k: -means[k])
    if not ranked:
        return None
    rows = [
        Row(
            _NAMES[key[0], key[1]],
            (("accent" if means[key] > 0 else "good", means[key]),),
            number(means[key]),
        )
        for key in ranked
    ]
    unit = _currency(facts)
    in_unit = f", {unit}" if unit else ""
    title = f"Cost of each good unit, by what it is for{in_unit}"
    alt = f"One bar for each kind of cost. Most: {_most(rows)}."
    wide, narrow = draw_both(partial(draw_bars, rows, unit), "cost", title, alt)
    caption = f"Cost of each good unit{in_unit}; below zero is what is got back."
    table = _cost_table(facts, in_unit)
    return Figure("cost", title, alt, wide, narrow, caption, table)


def _cost_table(facts: Facts, in_unit: str) -> Table:
    """Return every entry, the largest first."""
    entries = facts.sums("cost", ("kind", "entity", "item"), "amount_per_unit")
    line = facts.estimate("cost_per_unit").mean
    columns = (
        Column("Of", numeric=False),
        Column("For", numeric=False),
        Column(f"Per good unit{in_unit}"),
        Column("Of the line"),
    )
    ranked = sorted(entries, key=lambda key: -_mean(entries[key]))
    rows: list[tuple[Cell, ...]] = []
    for kind, entity, item in ranked:
        cost = estimate(entries[kind, entity, item], facts.confidence)
        share = cost.mean / line if line else 0.0
        rows.append(
            (
                name(entity, 200),
                _NAMES[kind, item],
                number(cost.mean, cost.half),
                Bar(percent(share), share),
            )
        )
    n = counted(len(rows), "entry", "entries")
    return Table(f"Cost per good unit, {n}", columns, tuple(rows))
