"""The key figures at the head of the page, and the banners above them."""

from __future__ import annotations

from typing import Literal

from linewright.improve.files import BottleneckFile
from linewright.report.facts import Facts
from linewright.report.parts import Notice, Tile
from linewright.report.routes import finals
from linewright.report.sections import lost, money, plan
from linewright.report.sections.holds import is_outside
from linewright.report.sections.limits import SLACK, candidates, demand_is_met, headline
from linewright.report.sections.orders import punctuality
from linewright.report.sections.throughput import Output, outputs, verdict
from linewright.report.words import (
    counted,
    join,
    name,
    number,
    percent,
    rate_scale,
    time_scale,
)

__all__ = ["answer", "notices", "tiles"]

_MOODS: dict[str, Literal["", "good", "warn", "bad"]] = {
    "meets": "good",
    "short": "bad",
    "open": "warn",
    "": "",
}


def notices(facts: Facts) -> list[Notice]:
    """Return what a reader must know before any figure."""
    found = []
    broken = [row for row in facts.rows("checks") if not row["ok"]]
    if broken:
        laws = dict.fromkeys(name(str(row["law"])) for row in broken)
        has = "has" if len(broken) == 1 else "have"
        n = f"{counted(len(broken), 'self-check')} {has}"
        found.append(
            Notice(
                "bad",
                f"{n} failed: do not use these figures",
                f"A law that every run must obey is broken: {join(laws, 4)}. This is "
                "an error in the program, not in the plant. Details are in the "
                "appendix; please report them together with the model.",
            )
        )
    standing = facts.manifest.get("standstill") or ()
    if standing:
        n = counted(facts.n_replications, "replication")
        found.append(
            Notice(
                "warn",
                f"The line came to a standstill in {len(standing)} of {n}",
                "Units are in the line, but nothing in it will ever move again: they "
                "wait for something that never comes. The time after that is counted. "
                + str(facts.manifest.get("standstill_reason") or ""),
            )
        )
    if facts.manifest.get("stopped_early"):
        found.append(
            Notice(
                "warn",
                "The run was stopped early",
                "These figures rest on the "
                f"{counted(facts.n_replications, 'replication')} that were complete.",
            )
        )
    return found


def answer(facts: Facts) -> str:
    """Return the one thing to know: is demand met, and what most likely limits it."""
    limit = lost.lead(facts) or headline(facts)
    said = "" if limit and demand_is_met(facts) else verdict(outputs(facts))
    said = f"{said} {limit}.".strip() if limit else said
    return f"{plan.lead(facts)} {said} {money.question(facts)}".strip()


def _output_tile(facts: Facts, output: Output, rates: list[float]) -> Tile:
    scale = rate_scale(rates)
    targets = facts.line.targets.values()
    is_targeted = any(it.product == output.product for it in targets)
    note = "held against targets" if is_targeted else "no demand given"
    mood = _MOODS[output.verdict] if output.made.sure else ""
    if output.asked:
        share = percent(output.made.mean / output.asked)
        note = f"{scale(output.asked)} asked for: {share}"
    return Tile(
        f"{name(output.product, 32)}, units {scale.per}",
        scale(output.made.mean, output.made.half),
        "",
        note,
        mood,
    )


def tiles(facts: Facts) -> list[Tile]:
    """Return up to eight key figures."""
    found = outputs(facts)
    rates = [o.made.mean for o in found] + [o.asked or 0.0 for o in found]
    first = sorted(found, key=lambda o: o.asked is None)
    out = [*plan.tile(facts), *(_output_tile(facts, o, rates) for o in first[:3])]
    orders = punctuality(facts)
    if orders.n:
        mood: Literal["good", "bad", "warn"]
        mood = "good" if orders.low >= 0.95 else "bad" if orders.high < 0.9 else "warn"
        interval = f"{percent(orders.low)} to {percent(orders.high)}"
        out.append(Tile("Orders on time", percent(orders.share), "", interval, mood))
    out.extend(_line_tiles(facts))
    return out[:8]


def _worth_tile(found: BottleneckFile) -> Tile:
    path = found.path
    share = path.scores[path.first]
    note = "more units" if not path.tied else "more units; others tie with it"
    label = f"1% less time at {name(path.first, 32)} gives"
    return Tile(label, f"{number(share.mean, share.half_width, 2)}%", "", note)


def _line_tiles(facts: Facts) -> list[Tile]:
    out = []
    tied = [] if facts.found.bottleneck else candidates(facts)
    if facts.found.bottleneck and not is_outside(facts.found.bottleneck):
        out.append(_worth_tile(facts.found.bottleneck))
    if tied:
        wait = facts.shift_share(tied[0], ["blocked", "starved"])
        what = "most likely the limit" if len(tied) == 1 else "among the likely limits"
        if wait.mean > SLACK or demand_is_met(facts):
            what = "the least of all"
        note = f"of its time on shift; {what}"
        label = f"{name(tied[0], 32)}, waiting"
        out.append(Tile(label, percent(wait.mean, wait.half), "", note))
    wip = facts.estimate("wip_mean")
    if wip.known:
        out.append(
            Tile(
                "In the line, units",
                number(wip.mean, wip.half),
                "",
                "mean work in process",
            )
        )
    products = finals(facts.line)
    flow = {p: facts.estimate("flow_p50_s", p) for p in products}
    known = [p for p in products if flow[p].known]
    if known:
        p50, p90 = flow[known[0]], facts.estimate("flow_p90_s", known[0])
        scale = time_scale([p50.mean])
        note = f"9 of 10 in under {scale(p90.mean)} {scale.unit}" if p90.known else ""
        label = f"Flow time, {name(known[0], 30)}"
        out.append(Tile(label, scale(p50.mean, p50.half), scale.unit, note))
    good = facts.estimate("first_pass_yield", products[0])
    if good.known:
        label = f"Good first time, {name(products[0], 30)}"
        out.append(Tile(label, percent(good.mean, good.half), "", "first-pass yield"))
    return out
