"""Write the end of `from-a-log-to-a-model.md` from runs on two real logs.

Use: ``python docs/generate_log_page.py FOLDER`` with the folder in which the two logs
lie. They are the property of others and no part of this project, so this is no part of
`make docs`; the page has only figures of them.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from linewright.drivers.logged import read_any_log
from linewright.fit.against import Compared, Validation, validate
from linewright.fit.fitting import Fitted, fit_log
from linewright.fit.log import EventLog
from linewright.fit.mapping import read_columns
from linewright.fit.writing import line_of
from linewright.units import format_duration

PAGE = Path(__file__).parent / "from-a-log-to-a-model.md"
HELD_BACK = 0.3
REPLICATIONS = 20


@dataclass(frozen=True, slots=True)
class Study:
    """A real log: where it lies, what its columns mean, and what it is."""

    path: str
    mapping: str
    title: str
    text: str
    right_and_wrong: str


STUDIES = (
    Study(
        "event-log-smart-factory/open/block-C.csv.gz",
        "case=case:concept:name,activity=concept:name,station=org:resource,"
        "product=process_model_id,time=time:timestamp,"
        "transition=lifecycle:transition,instance=event_id",
        "An automated model factory",
        "A factory of fifteen resources on two floors, an hour and a half of it: every "
        "operation was queued, started and completed by machine, to the millisecond "
        "(Malburg, Grüger and Bergmann 2022, doi 10.6084/m9.figshare.20130794, CC BY "
        "4.0; block C of the slices in RaikoPipe/genai4simpy).",
        "**Right:** times of work. Where there are enough visits, they agree. "
        "**Wrong, or not known:** the ways of cases. Nine workflows with six cases or "
        "fewer each went in as one product, so shares of operations are shares of the "
        "mix, and what follows what is mostly forgotten; transports that hold a part "
        "while another machine waits for it are no such thing in the log; the "
        "warehouse serves out of turn, by no rule that could be told. An hour is "
        "too short for the rest: most figures stay open at a margin of a tenth, and "
        "the verdict says so and not that they agree.",
    ),
    Study(
        "event-log-production/open/production_quantities.csv.gz",
        "case=Case ID,activity=Activity,station=Resource.1,product=Part_Desc_,"
        "duration=activity_duration,end=Complete Timestamp,"
        "time-format=%d.%m.%Y %H:%M,kind=Report_Type,work=D,setup=S,failure=B,"
        "quantity=Qty_Completed",
        "A machine shop",
        "A real shop with 20 machines, 220 work orders and what workers wrote down of "
        "them from January to March 2012, to the minute: production, setups and "
        "breakdowns (Levy 2014, 4TU.ResearchData, doi 10.4121/uuid:68726926-5ac5-4fab-"
        "b873-ee76ea412399; the copy with quantities in fau-is/patway-net, of which "
        "each order ends at its label).",
        "**Right:** throughput, as near as so few orders can show; that setups belong "
        "to orders and not to changes of product. **Wrong, or not known:** "
        "an order is one case here and moves as one, while in the shop its pieces were "
        "at several machines at once; times are of whole orders, so they vary by a "
        "factor of a hundred with quantities that the model does not have. Most of the "
        "flow time is waiting with machines free, which is copied, not explained: the "
        "model would not get faster with another machine. Held-back orders are few, "
        "and those of thirty products were put together.",
    ),
)

MARK = "<!-- What follows is written by docs/generate_log_page.py from the logs. -->"


def main() -> int:
    """Write the page."""
    shared = Path(sys.argv[1])
    head = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    parts = [f"{head}{MARK}\n"]
    for study in STUDIES:
        print(study.title, file=sys.stderr)
        parts.append(section(shared, study))
    PAGE.write_text("\n".join(parts), encoding="utf-8", newline="\n")
    return 0


def section(shared: Path, study: Study) -> str:
    """Return what is said of one log."""
    log = read_any_log(shared / study.path, read_columns(study.mapping))
    begin = log.close_us - round((log.close_us - log.begin_us) * HELD_BACK)
    found = fit_log(log.window(log.begin_us, begin), name=study.title)
    found = replace(found, held_back_from_us=begin)
    held = validate(line_of(found), log, from_us=begin, replications=REPLICATIONS)
    return "\n".join(
        [
            f"### {study.title}",
            "",
            study.text,
            "",
            *problems(log),
            "",
            *inputs(found),
            "",
            *queues(found),
            "",
            *compared(held),
            "",
            *verdicts(held),
            "",
            study.right_and_wrong,
            "",
        ]
    )


def problems(log: EventLog) -> list[str]:
    """Return what was wrong with a log."""
    told = [f"{one.kind} {one.count:,}" for one in log.problems]
    text = f"Read: {len(log):,} rows, {len(log.cases):,} cases"
    return [f"{text}; {', '.join(told)}." if told else f"{text}; nothing wrong."]


def inputs(found: Fitted) -> list[str]:
    """Return how the inputs were fitted, the largest of them as a table."""
    fits = list(found.fits.values())
    own = sum(fit.kind == "empirical" for fit in fits)
    few = sum(fit.n < 30 for fit in fits)
    lines = [
        f"{len(fits)} inputs: {own} stand for themselves, {few} rest on fewer than 30 "
        "times. The six with the most times:",
        "",
        "| input | times | distribution | p | mean | its interval, 95 % |",
        "| --- | --: | --- | --: | --: | --- |",
    ]
    for fit in sorted(fits, key=lambda one: -one.n)[:6]:
        chosen = fit.chosen
        p = f"{chosen.ad_p:.2f}" if chosen and math.isfinite(chosen.ad_p) else ""
        ends = [format_duration(v * 1e6) for v in (fit.mean_low_s, fit.mean_high_s)]
        said = "the times" if fit.kind == "empirical" else f"`{fit.distribution()}`"
        name = fit.name.replace("stations.", "").replace("products.", "")
        lines.append(
            f"| {name} | {fit.n:,} | {said} | {p} | "
            f"{format_duration(fit.mean_s * 1e6)} | {ends[0]} to {ends[1]} |"
        )
    ways = [
        f"{name}: {route.n_cases} cases, {route.n_ways} ways, chance {route.likely:.0%}"
        for name, route in found.routes.items()
    ]
    return [*lines, "", f"Routes: {'; '.join(ways)}."]


def queues(found: Fitted) -> list[str]:
    """Return how cases come, and the longest queues with who was served next."""
    by: dict[str, list[str]] = {}
    for name, product in found.data["products"].items():
        how = product["release"].get("calendar", "")
        by.setdefault(how, []).append(name)
    came = [
        f"{', '.join(names)} "
        + (f"by the calendar `{how}`" if how else "around the clock")
        for how, names in by.items()
    ]
    longest = sorted(found.queues.items(), key=lambda pair: -pair[1].most)[:3]
    told = [f"{name}: {queue}" for name, queue in longest]
    return [f"Arrivals: {'; '.join(came)}.", "", f"Queues: {'. '.join(told)}."]


def compared(held: Validation) -> list[str]:
    """Return the line's figures, and of stations those with the most visits."""
    line = [one for one in held.compared if not one.station]
    rest = [one for one in held.compared if one.station and one.measure == "cycle time"]
    rest.sort(key=lambda one: -one.n)
    lines = [
        "| where | what | n | log | model | difference, 90 % | distance (chance) | |",
        "| --- | --- | --: | --: | --: | --- | --- | --- |",
    ]
    return lines + [row(one) for one in (*line, *rest[:6])]


def row(one: Compared) -> str:
    """Return a figure as a row of a table."""

    def value(x: float) -> str:
        if math.isnan(x):
            return ""
        return format_duration(x * 1e6) if one.unit == "s" else f"{x:.3g} {one.unit}"

    interval = distance = ""
    if math.isfinite(one.low):
        interval = f"{one.low:+.0%} to {one.high:+.0%}"
    if math.isfinite(one.distance):
        distance = f"{one.distance:.0%} ({one.usual:.0%})"
    return (
        f"| {one.station or 'line'} | {one.measure} | {one.n} | {value(one.log)} | "
        f"{value(one.model)} | {interval} | {distance} | {one.verdict} |"
    )


def verdicts(held: Validation) -> list[str]:
    """Return how many stations agree, drift, or cannot be told."""
    by: dict[str, list[str]] = {}
    for one in held.stations:
        by.setdefault(one.verdict, []).append(one.station)
    told = [
        f"{verdict} {len(names)}" + (f" ({', '.join(names)})" if len(names) < 4 else "")
        for verdict, names in by.items()
    ]
    return [f"Of {len(held.stations)} stations: {'; '.join(told)}."]


if __name__ == "__main__":
    sys.exit(main())
