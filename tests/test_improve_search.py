"""Options read, the best set found, decisions kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import linewright
from linewright.cli import main
from linewright.errors import ModelError
from linewright.improve.decisions import (
    LEDGER,
    DecisionError,
    Realised,
    ratify,
    read_ledger,
    realise,
)
from linewright.improve.options import Options, read_options
from linewright.improve.search import Improvement, Store, Study, improve
from linewright.improve.trials import Span
from linewright.model.load import model_hash

HOUR_US = 3_600_000_000

LINE = """
schema_version: 1
name: Three in a row
stations:
  a: {process: exponential(10 s)}
  b: {process: exponential(12 s), buffer: 1}
  c: {process: exponential(10 s), buffer: 1}
products: {part: {route: [a, b, c]}}
"""
OPTIONS = """
options_version: 1
options:
  faster b:
    cost: 50
    lead_time: 8 weeks
    changes: {stations: {b: {process: exponential(9 s)}}}
  second b:
    cost: 70
    changes: {stations: {b: {servers: 2}}}
    requires: [mains]
    excludes: [faster b]
  mains: {cost: 5, lead_time: 2 weeks}
generate:
  buffer_place: {cost: 10, most: 2, stations: [c]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "line.yaml").write_text(LINE)
    (tmp_path / "options.yaml").write_text(OPTIONS)
    return tmp_path


def options_in(folder: Path, text: str | None = None) -> Options:
    if text is not None:
        (folder / "options.yaml").write_text(text)
    line = linewright.load(folder / "line.yaml")
    return read_options(folder / "options.yaml", line)


def study(seed: int = 1) -> Study:
    return Study(Span(HOUR_US, 25 * HOUR_US), seed, replications=10)


def found_for(folder: Path, budget: float, **store: Any) -> Improvement:
    return improve(options_in(folder), budget, study(), Store(**store))


# ------------------------------------------------------------------ options


def test_options_are_read_and_generated(folder: Path) -> None:
    options = options_in(folder)
    names = ["faster b", "second b", "mains", "c: 1 place more in its buffer",
             "c: 2 places more in its buffer"]  # fmt: skip
    assert list(options.by_name) == names
    assert [o.cost for o in options.by_name.values()] == [50, 70, 5, 10, 20]
    assert options.by_name["faster b"].lead_time_us == 8 * 7 * 24 * HOUR_US
    assert options.fits(frozenset({"second b", "mains"}))
    assert not options.fits(frozenset({"second b"}))  # without what it needs
    assert not options.fits(frozenset({"faster b", "second b", "mains"}))
    assert not options.fits(frozenset(names[3:]))  # one and two places are not three
    both = options.applied(["second b", "mains", names[4]])
    assert both.stations["b"].servers == 2
    assert both.stations["c"].buffer == 3


WRONG = {
    "no option of that name": (
        "options_version: 1\noptions:\n"
        "  one: {cost: 1, requires: [tow]}\n  two: {cost: 1}",
        ["LW274", '"tow", which is no option', "two"],
    ),
    "in a circle": (
        "options_version: 1\noptions:\n"
        "  a: {cost: 1, requires: [b]}\n  b: {cost: 1, requires: [a]}\n",
        ["LW275", "requires itself: a → b → a", ":3:"],
    ),
    "never": (
        "options_version: 1\noptions:\n"
        "  a: {cost: 1, requires: [b], excludes: [b]}\n  b: {cost: 1}\n",
        ["LW276", 'option "a" can never be chosen'],
    ),
    "unknown key": (
        "options_version: 1\noptions: {a: {cots: 1}}",
        ["LW106", 'unknown key "cots"', "cost", "LW107"],
    ),
    "unknown generator": (
        "options_version: 1\ngenerate: {buffer_places: {cost: 1}}",
        ["LW106", '"buffer_places"', "buffer_place"],
    ),
    "unknown station": (
        "options_version: 1\ngenerate: {server: {cost: 1, stations: [d]}}",
        ["LW274", 'station "d", which is not there'],
    ),
    "a change of what is not there": (
        "options_version: 1\noptions:\n  a: {cost: 1, changes: {stations: {x: {}}}}",
        ["LW1", '"x"', ":3:"],
    ),
    "negative cost": (
        "options_version: 1\noptions: {a: {cost: -1}}",
        ["LW109", "-1"],
    ),
    "no version": ("options: {a: {cost: 1}}", ["LW271"]),
    "another version": ("options_version: 9\noptions: {a: {cost: 1}}", ["LW271", "9"]),
    "a list": ("- a", ["LW270"]),
    "nothing": ("options_version: 1", ["LW273"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_options_are_told(folder: Path, case: str) -> None:
    text, words = WRONG[case]
    with pytest.raises(ModelError) as error:
        options_in(folder, text)
    for word in words:
        assert word in str(error.value), str(error.value)
    assert "options.yaml:" in str(error.value)


def test_all_findings_come_at_once(folder: Path) -> None:
    with pytest.raises(ModelError) as error:
        options_in(
            folder,
            "options_version: 1\noptions:\n  a: {cost: x}\n  b: {cost: 1, needs: [a]}\n"
            "  c: {cost: 1, requires: [d]}\n",
        )
    assert len(error.value.findings) == 3


# ------------------------------------------------------------------ the best set


def test_the_best_set_is_found(folder: Path) -> None:
    """A second server where the line is slow, and the place that is left for money."""
    found = found_for(folder, 100)
    assert set(found.chosen) == {"second b", "mains", "c: 2 places more in its buffer"}
    assert found.cost == 95
    assert found.lead_time_us == 2 * 7 * 24 * HOUR_US
    assert found.is_exhaustive
    assert found.is_complete
    assert found.relative_gain.low > 0.15
    costs = [one.cost for one in found.frontier]
    gains = [one.gain.mean for one in found.frontier]
    assert costs == sorted(costs)
    assert gains == sorted(gains)
    assert found.frontier[0].options == ()


def test_what_the_budget_does_not_allow_is_left_out(folder: Path) -> None:
    found = found_for(folder, 60)
    assert set(found.chosen) == {"faster b", "c: 1 place more in its buffer"}
    assert all(one.cost <= 60 for one in found.candidates)


def test_a_budget_below_every_option_is_told(folder: Path) -> None:
    with pytest.raises(ValueError, match='below every option; the cheapest is "mains"'):
        found_for(folder, 4)


def test_a_search_meets_the_best_of_many(folder: Path) -> None:
    """Too many sets to list; the greedy way and swaps lead to the same as a list."""
    text = (
        "options_version: 1\noptions:\n"
        "  faster b:\n    cost: 50\n"
        "    changes: {stations: {b: {process: exponential(9 s)}}}\n"
        + "".join(f"  paint {i}: {{cost: 30}}\n" for i in range(12))
        + "generate: {buffer_place: {cost: 10, most: 2}}\n"
    )
    options = options_in(folder, text)
    found = improve(options, 90, study(), Store())
    assert not found.is_exhaustive
    assert "the sets that the search met" in found.guarantee
    assert set(found.chosen) == {
        "faster b",
        "b: 2 places more in its buffer",
        "c: 2 places more in its buffer",
    }


def test_evaluations_are_kept_and_reused(folder: Path) -> None:
    path = folder / "kept" / "evaluations.jsonl"
    first = found_for(folder, 100, path=path)
    whole = path.read_text()
    again = found_for(folder, 100, path=path)
    assert path.read_text() == whole
    assert (again.chosen, again.gain) == (first.chosen, first.gain)
    assert again.n_reused > first.n_reused
    lines = whole.splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) // 2]) + lines[-1][:20])  # as if killed
    resumed = found_for(folder, 100, path=path)
    assert (resumed.chosen, resumed.gain) == (first.chosen, first.gain)
    rows = [line for line in path.read_text().splitlines() if line.endswith("]")]
    assert len({tuple(json.loads(row)[:2]) for row in rows}) == len(lines)


def test_the_number_of_cores_changes_nothing(folder: Path) -> None:
    def on(workers: int) -> Improvement:
        one = Study(Span(HOUR_US, 5 * HOUR_US), 3, replications=4, workers=workers)
        return improve(options_in(folder), 30, one, Store())

    one, two = on(1), on(2)
    assert one.chosen == two.chosen
    assert one.candidates == two.candidates
    assert one.gain == two.gain


def test_flow_time_is_an_objective(folder: Path) -> None:
    text = LINE.replace(
        "part: {route:",
        "part: {release: {kind: arrivals, every: exponential(15 s)}, route:",
    )
    (folder / "line.yaml").write_text(text)
    one = Study(Span(HOUR_US, 50 * HOUR_US), 1, "flow_time", replications=10)
    found = improve(options_in(folder), 50, one, Store())
    assert "faster b" in found.chosen
    assert found.gain.low > 0  # less time
    assert found.base.mean < 0


# ------------------------------------------------------------------ decisions


def proposal_in(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    arguments = ["improve", str(folder / "line.yaml"), "--options"]
    arguments += [str(folder / "options.yaml"), "--budget", "60", "--horizon", "1 d"]
    arguments += ["--warmup", "1 h", "--replications", "5", "--indifference", "1%"]
    assert main([*arguments, "--out", str(folder / "out"), "--json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    saved = json.loads((folder / "out" / "improvement.json").read_text())
    assert saved == {k: v for k, v in said.items() if k != "out"}
    return said


def test_a_decision_becomes_an_overlay_and_a_line_of_the_ledger(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = proposal_in(folder, capsys)
    model = str(folder / "line.yaml")
    sign = ["ratify", model, str(folder / "out"), "--by", "The plant's board"]
    assert main([*sign, "--reason", "the autumn", "--on", "2027-03-01"]) == 0
    overlay = Path(capsys.readouterr().out.strip())
    assert overlay.name == "decision-001-2027-03-01.yaml"
    text = overlay.read_text()
    assert "# Decision 1, ratified on 2027-03-01 by The plant's board." in text
    assert "# Why: the autumn" in text
    changed = linewright.load(overlay)
    improvement = said["improvement"]
    assert model_hash(changed) == improvement["changed_hash"]
    assert main(["ledger", model]) == 0
    assert "not measured yet" in capsys.readouterr().out
    base, gain = improvement["base"]["mean"], improvement["gain"]
    now = f"1={base + gain['mean']}"
    assert main(["ledger", model, "--realised", now, "--by", "Control", "--json"]) == 0
    book = json.loads(capsys.readouterr().out)["decisions"]
    assert book[0]["verdict"] == "as promised"
    realise(folder, 1, Realised("2027-09-01", "Control", base, "meter"))
    (decision,) = read_ledger(folder)
    assert decision.verdict == "less than promised"
    assert len(decision.realised) == 2


def test_what_cannot_be_ratified_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = proposal_in(folder, capsys)
    path = folder / "line.yaml"
    with pytest.raises(DecisionError) as error:
        ratify(path, said, by=" ", reason="", on="1 March")
    for words in ("who ratifies", "reason is missing", '"1 March" is no date'):
        assert words in str(error.value)
    with pytest.raises(DecisionError, match="not a proposal"):
        ratify(path, {}, by="a", reason="b", on="2027-03-01")
    path.write_text(LINE.replace("12 s", "13 s"))
    with pytest.raises(DecisionError, match="has changed since"):
        ratify(path, said, by="a", reason="b", on="2027-03-01")
    assert not (folder / LEDGER).exists()
    assert not list(folder.glob("decision-*"))
    with pytest.raises(DecisionError, match="no decision 1"):
        realise(folder, 1, Realised("2027-09-01", "a", 1.0, ""))
    (folder / LEDGER).write_text('{"kind": "ratified"}\n')
    with pytest.raises(DecisionError, match=f"{LEDGER}:1: this line"):
        read_ledger(folder)
