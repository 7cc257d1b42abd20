"""Options that are generated, uncertain, or there on a date; and what is foreseen."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import linewright
from linewright.errors import ModelError
from linewright.improve._sets import Steps, search
from linewright.improve.objectives import objective_of
from linewright.improve.options import Options, options_of, read_options
from linewright.improve.proposals import Foreseen, effects_of
from linewright.improve.search import Improvement, Store, Study, improve
from linewright.improve.study import Trials
from linewright.improve.trials import Span, lowered_of
from linewright.improve.uncertain import quantile, read_uncertain
from linewright.improve.worth import paths
from linewright.model.line import Line
from linewright.model.load import model_hash
from linewright.model.meaning import process_time
from linewright.model.source import parse
from linewright.theory.chains import exact
from linewright.theory.flow_line import FlowLine

HOUR_US = 3_600_000_000

MIXED = """
schema_version: 1
name: Two products
start: 2027-01-04 00:00
calendar: days
calendars:
  days: {shifts: [{days: mon-fri, from: "06:00", to: "14:00"}]}
  long: {shifts: [{days: mon-sat, from: "06:00", to: "22:00"}]}
people: {fitters: {count: 1, calendar: days}}
stations:
  a:
    process: 60 s
    failures: {pump: {every: exponential(9 h), repair: exponential(1 h), spares: 1}}
  b: {process: {x: 40 s, y: "exponential(80 s)"}, buffer: 2}
  c: {process: 50 s, dispatch: priority}
products:
  x: {route: [a, b, c]}
  y: {route: [a, b, c], release: {every: 10 min}}
  z: {route: [{station: [a, c]}], release: orders}
"""
STEADY = """
schema_version: 1
name: One station
stations: {a: {process: 60 s}}
products: {part: {route: [a]}}
"""


def options_from(text: str, line: Line) -> Options:
    root, findings = parse(f"options_version: 1\n{text}", "options.yaml")
    return options_of(root, list(findings), line)


def found_for(
    model: str, options: str, study: Study, budget: float = 1e9
) -> Improvement:
    return improve(
        options_from(options, linewright.loads(model)), budget, study, Store()
    )


# ------------------------------------------------------------------ generated


def test_what_can_be_generated() -> None:
    line = linewright.loads(MIXED)
    options = options_from(
        "generate:\n"
        "  moved_work: {cost: 5, share: 0.25, stations: [a]}\n"
        "  shift: {cost: 90, calendar: long, instead_of: days}\n"
        "  rule: {cost: 1, rules: [fifo, priority]}\n"
        "  conwip: {cost: 2, levels: [4, 8], products: [x]}\n"
        "  lot_size: {cost: 3, sizes: [1, 5], products: [x]}\n"
        "  spare: {cost: 4, most: 2}\n",
        line,
    )
    assert list(options.by_name) == [
        "a: 25% of its work moved to b",
        "shifts by long instead of days",
        "a: served by priority",
        "b: served by priority",
        "c: served by fifo",
        "x: at most 4 in the line",
        "x: at most 8 in the line",
        "x: lots of 5 units",
        "a: 1 spare more (pump)",
        "a: 2 spares more (pump)",
    ]
    moved = options.applied(["a: 25% of its work moved to b"])
    for product, kinds in (("x", ["constant"] * 2), ("y", ["constant", "exponential"])):
        steps = moved.products[product].route
        times = [process_time(moved, product, step, step.stations[0]) for step in steps]
        means = [time.mean_us / 1e6 for time in times if time]
        other = 40 if product == "x" else 80
        assert means == pytest.approx([45, other + 15, 50])
        assert [time.kind for time in times if time][:2] == kinds
    longer = options.applied(["shifts by long instead of days"])
    assert {it.calendar for it in longer.stations.values()} == {"long"}
    assert longer.people["fitters"].calendar == "long"
    capped = options.applied(["x: at most 4 in the line", "x: lots of 5 units"])
    assert capped.products["x"].release.conwip == 4
    assert capped.products["x"].lot_size == 5
    spares = options.applied(["a: 2 spares more (pump)"]).stations["a"].failures
    assert spares["pump"].spares == 3
    both = frozenset({"x: at most 4 in the line", "x: at most 8 in the line"})
    assert not options.fits(both)


WRONG = {
    "a share of one": (
        "generate: {less_processing: {cost: 1, share: 1}}",
        ["LW274", "less_processing.share", "between 0 and 1"],
    ),
    "a share that may be more than one": (
        'generate: {less_processing: {cost: 1, share: "uniform(0.5, 1.5)"}}',
        ["LW274", "between 0 and 1"],
    ),
    "no calendar": (
        "generate: {shift: {cost: 1, calendar: lang}}",
        ["LW274", '"lang" is no calendar', 'did you mean "long"'],
    ),
    "no rule": ("generate: {rule: {cost: 1, rules: [fofo]}}", ["LW109", "fofo"]),
    "no product": (
        "generate: {conwip: {cost: 1, levels: [3], products: [w]}}",
        ["LW274", 'product "w"'],
    ),
    "no distribution": (
        "options: {o: {cost: 1, uncertain: {t: unifrom(1 s)}, "
        "changes: {stations: {a: {process: $t}}}}}",
        ["LW277", "unifrom", 'did you mean "uniform"'],
    ),
    "without an upper end": (
        "options: {o: {cost: 1, uncertain: {t: exponential(1 s)}, "
        "changes: {stations: {a: {process: $t}}}}}",
        ["LW277", "allowed are uniform"],
    ),
    "the wrong way round": (
        'options: {o: {cost: 1, uncertain: {t: "uniform(9 s, 1 s)"}, '
        "changes: {stations: {a: {process: $t}}}}}",
        ["LW277", "low <= high"],
    ),
    "used nowhere": (
        'options: {o: {cost: 1, uncertain: {t: "uniform(1 s, 9 s)"}, '
        "changes: {stations: {a: {process: 4 s}}}}}",
        ["LW278", "$t"],
    ),
    "another name": (
        'options: {o: {cost: 1, uncertain: {time: "uniform(1 s, 9 s)"}, '
        "changes: {stations: {a: {process: $tme}}}}}",
        ["LW250", 'no parameter "tme" in option "o"', 'did you mean "time"', ":2:"],
    ),
    "a number in the place of a time": (
        'options: {o: {cost: 1, uncertain: {t: "uniform(1, 9)"}, '
        "changes: {stations: {a: {process: $t}}}}}",
        ["LW1", "unit", ":2:"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_told(case: str) -> None:
    text, words = WRONG[case]
    with pytest.raises(ModelError) as error:
        options_from(text, linewright.loads(MIXED))
    for word in words:
        assert word in str(error.value), str(error.value)


# ------------------------------------------------------------------ uncertain


@pytest.mark.parametrize(
    ("said", "law"),
    [
        ("uniform(2 s, 5 s)", stats.uniform(2, 3)),
        ("triangular(2 s, 3 s, 6 s)", stats.triang(0.25, 2, 4)),
        ("pert(2 s, 3 s, 6 s)", stats.beta(2, 4, 2, 4)),
        ("beta(1 s, 3 s, a=2, b=5)", stats.beta(2, 5, 1, 2)),
        ("normal(1 s, 2 s)", stats.truncnorm(-0.5, math.inf, 1, 2)),
        ("lognormal(4 s, cv=0.5)",
         stats.lognorm(math.sqrt(math.log(1.25)), scale=4 / math.sqrt(1.25))),
    ],
)  # fmt: skip
def test_quantiles_are_those_of_scipy(said: str, law: Any) -> None:
    one = read_uncertain("t", "t", said)
    for u in (0.001, 0.1, 0.5, 0.9, 0.999):
        want = float(law.ppf(u))
        assert quantile(one.distribution, u) / 1e6 == pytest.approx(want, rel=1e-6)


def test_numbers_and_whole_numbers_are_drawn_as_such() -> None:
    share = read_uncertain("s", "s", "uniform(0.8, 1)")
    drawn = [share.draw(1, n) for n in range(200)]
    assert all(0.8 <= value <= 1 for value in drawn)
    assert len(set(drawn)) > 190
    assert stats.kstest(drawn, stats.uniform(0.8, 0.2).cdf).pvalue > 1e-3
    assert drawn == [share.draw(1, n) for n in range(200)]
    said = {"discrete": {"values": [1, 2], "weights": [0.25, 0.75]}}
    whole = read_uncertain("n", "n", said)
    assert {type(whole.draw(1, n)) for n in range(20)} == {int}
    assert whole.typical == 2


def test_what_an_option_brings_is_the_mean_over_how_it_turns_out() -> None:
    """No chance in the line: all of it is in the option, and its mean is known."""
    options = (
        "options:\n  faster:\n    cost: 1\n"
        '    uncertain: {cycle: "uniform(40 s, 60 s)"}\n'
        "    changes: {stations: {a: {process: $cycle}}}\n"
        "  paint: {cost: 1}\n"
    )
    study = Study(Span(0, 100 * HOUR_US), 4, replications=60)
    found = found_for(STEADY, options, study)
    assert "faster" in found.chosen
    mean = 3600 * math.log(60 / 40) / 20 - 60  # of 3600 / cycle, less what is
    assert abs(found.gain.mean - mean) < 1.8 * found.gain.half_width
    # of 60 draws: t times the standard deviation of 3600 / cycle, over root 60
    spread = math.sqrt(3600**2 / (40 * 60) - (mean + 60) ** 2)
    assert found.gain.half_width == pytest.approx(2 * spread / 60**0.5, rel=0.3)
    assert any("uncertain" in remark for remark in found.remarks)
    assert found.changes == {"stations": {"a": {"process": "50 s"}}}


def test_two_sets_see_an_option_turn_out_the_same_way() -> None:
    line = linewright.loads(MIXED)
    text = (
        'generate: {less_processing: {cost: 1, share: "uniform(0.1, 0.5)", most: 2, '
        "stations: [a]}, buffer_place: {cost: 1, stations: [b]}}"
    )
    options = options_from(text, line)
    one, two, place = options.by_name
    for number in range(5):
        alone = options.realised([one], (3, number))
        beside = options.realised([one, place], (3, number))
        twice = options.realised([two], (3, number))
        assert alone.stations["a"].process == beside.stations["a"].process
        share = 1 - _cycle_s(alone) / 60
        assert 0.1 <= share <= 0.5
        assert _cycle_s(twice) == pytest.approx(60 * (1 - share) ** 2, abs=1e-3)
    assert len({_cycle_s(options.realised([one], (3, n))) for n in range(5)}) == 5


def _cycle_s(line: Line) -> float:
    time = line.stations["a"].process
    assert time is not None
    assert not isinstance(time, dict)
    return time.mean_us / 1e6


# ------------------------------------------------------------------ on a date


def test_an_option_is_there_when_its_lead_time_is_over() -> None:
    """One part a minute for four hours, then two for six."""
    options = (
        "options:\n  jig: {cost: 1, lead_time: 4 h, "
        "changes: {stations: {a: {process: 50 s}}}}\n"
        "generate: {server: {cost: 1, lead_time: 4 h}}"
    )
    span = Span(0, 10 * HOUR_US)
    found = found_for(STEADY, options, Study(span, 1, on_dates=True), 1)
    assert found.chosen == ("a: 1 server more",)
    assert found.gain.mean * 10 == pytest.approx(6 * 60, abs=1)
    at_once = found_for(STEADY, options, Study(span, 1), 1)
    assert at_once.gain.mean * 10 == pytest.approx(10 * 60, abs=1)
    both = found_for(STEADY, options, Study(span, 1, on_dates=True), 2)
    assert len(both.chosen) == 2
    said = [remark for remark in both.remarks if remark.startswith("jig")]
    assert len(said) == 1
    assert "as if it were there from the begin" in said[0]
    assert both.changes["stations"] == {"a": {"process": "50 s"}}
    # what is signed is what was simulated
    line = linewright.loads(STEADY)
    laid_over = options_from(options, line).variants.changed(both.changes)
    assert model_hash(laid_over) == both.changed_hash


def test_servers_are_added_to_those_that_come_and_go() -> None:
    """The model has two from the second hour and one from the eighth."""
    line = linewright.loads(
        STEADY + "changes: [{on: 2 h, stations: {a: {servers: 2}}}, "
        "{on: 8 h, stations: {a: {servers: 1}}}]"
    )
    options = options_from(
        "options: {leased: {cost: 1, lead_time: 9 h, changes: {stations: {a: "
        "{servers: 4}}}}}\n"
        "generate: {server: {cost: 1, lead_time: 4 h, most: 2}}",
        line,
    )

    def servers(chosen: list[str], *, on_dates: bool) -> list[tuple[int, int]]:
        changed = options.applied(chosen, on_dates=on_dates)
        dated = [(0, changed.stations["a"].servers)]
        for change in changed.changes:
            assert isinstance(change.on, int)
            n = change.stations["a"].servers
            assert n is not None
            dated.append((change.on // HOUR_US, n))
        return dated

    more = ["a: 2 servers more"]
    assert servers(more, on_dates=False) == [(0, 3), (2, 4), (8, 3)]
    assert servers(more, on_dates=True) == [(0, 1), (2, 2), (4, 4), (8, 3)]
    both = servers([*more, "leased"], on_dates=True)
    assert both == [(0, 1), (2, 2), (4, 4), (8, 3), (9, 6)]


# ------------------------------------------------------------------ foreseen


def test_places_are_foreseen_in_the_order_of_their_exact_gains() -> None:
    """Five exponential stations; the gain of each place by the exact chain."""
    means, slots = (50.0, 60.0, 55.0, 62.0, 52.0), (1, 2, 1, 1)
    stations = [
        f"  s{k}: {{process: exponential({mean} s), buffer: {(0, *slots)[k]}}}"
        for k, mean in enumerate(means)
    ]
    line = linewright.loads(
        "schema_version: 1\nname: Five\nstations:\n" + "\n".join(stations)
        + "\nproducts: {part: {route: [s0, s1, s2, s3, s4]}}\n"
    )  # fmt: skip
    base = exact(FlowLine(means, slots)).throughput_per_s
    gains = []
    for k in range(len(slots)):
        more = tuple(n + (i == k) for i, n in enumerate(slots))
        gains.append(exact(FlowLine(means, more)).throughput_per_s - base)
    options = options_from("generate: {buffer_place: {cost: 1}}", line)
    lowered = lowered_of(line, Span(HOUR_US, 300 * HOUR_US))
    seen = paths(lowered, Span(HOUR_US, 300 * HOUR_US), 1, range(4))
    foreseen = Foreseen(line, seen, lowered.names.stations)
    effects = effects_of(options)
    scores = [
        foreseen.scores(effects[f"s{k + 1}: 1 place more in its buffer"])[2]
        for k in range(len(slots))
    ]
    assert stats.spearmanr(scores, gains).statistic > 0.79
    assert np.argmax(scores) == np.argmax(gains)


def test_the_search_that_foresees_runs_less_and_finds_as_much() -> None:
    line = linewright.load("examples/transfer-line/line.yaml")
    options = read_options("examples/transfer-line/options.yaml", line)
    study = Study(Span(10 * HOUR_US, 60 * HOUR_US), 1)
    objective = objective_of(line, "throughput", study.span)
    made, best = [], []
    for steps in (None, Steps(options)):
        trials = Trials(options, study, objective, Store())
        trials.number(frozenset())
        search(trials, 40_000, steps, by_money=True)
        made.append(trials.n_made)
        rows = [r for r in range(len(trials.sets)) if trials.kept.count(r) >= 10]
        best.append(max(trials.seen(row)[:10].mean() for row in rows))
    assert made[1] < 0.75 * made[0]
    assert best[1] > 0.995 * best[0]


def test_the_options_of_the_light_aircraft_can_be_read() -> None:
    folder = Path("examples/light-aircraft")
    line = linewright.load(folder / "five-years.yaml")
    options = read_options(folder / "options.yaml", line)
    some = ["third oven earlier", "ndt: 1 server more", "skin_layup: 1 server more"]
    changed = options.applied(some, on_dates=True)
    assert changed.changes[0].stations["skin_layup"].servers == 5
    assert changed.changes[2].stations["cure_oven"].servers == 3
    assert changed.changes[4].stations["ndt"].servers == 4
    lowered_of(changed, Span(0, HOUR_US))
