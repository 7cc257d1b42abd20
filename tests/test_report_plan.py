"""The brief with a plan and with losses: what it says is what the tables say."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from linewright.cli import main
from linewright.cli._arguments import new_parser
from linewright.errors import ResultError
from linewright.improve.files import LOSSES, LossesFile, read_losses
from linewright.improve.options import read_options
from linewright.model.load import load, loads
from linewright.plan.outcome import Plan, plan_table
from linewright.plan.planning import Promise, plan_line
from linewright.report import brief_html
from linewright.report.facts import Found
from linewright.results import Result
from linewright.simulate import simulate
from tests.browser import page_size
from tests.parts import PROJECT
from tests.report_found import interval
from tests.test_report_brief import Page, words

SECTIONS = ("plan", "hours", "ready", "lost")
FIGURES = ("targets", "fan", "hours", "ready", "lost", "lostover")

MILL = """
schema_version: 1
name: Mill
stations: {mill: {process: exponential(1 h)}}
products: {shaft: {route: [mill]}}
targets:
  weekly: {product: shaft, quantity: 160, per: week, to: 2027-02-14}
  at last: {product: shaft, quantity: 1000, by: 2027-02-14}
study: {horizon: 42 d, replications: 3}
"""


def section_of(html: str, key: str) -> str:
    found = re.search(rf'<section id="{key}".*?</section>', html, re.DOTALL)
    return found[0] if found else ""


@pytest.fixture(scope="module")
def made() -> Result:
    return simulate(loads(MILL))


@pytest.fixture(scope="module")
def plan() -> Plan:
    asked = [Promise("shaft", 5, 0.9), Promise("shaft", 100_000, 0.9)]
    return plan_line(loads(MILL), replications=200, promises=asked, goal="auto")


def losses_said(model_hash: str) -> LossesFile:
    """Return losses of two causes that take 30 and 10 units of 200 in each week."""
    tree = {
        "ideal": interval(200.0, 2.0),
        "actual": interval(160.0, 3.0),
        "losses": [
            {"cause": "failures", "units": interval(30.0, 2.0),
             "alone": interval(25.0, 2.0)},
            {"cause": "setups", "units": interval(10.0, 2.0),
             "alone": interval(4.0, 1.0)},
        ],
    }  # fmt: skip
    goals = [
        tree
        | {"target": "weekly", "goal": f"2027 W{week}", "product": "shaft",
           "asked": 170, "since_us": 0, "by_us": 1}
        for week in range(1, 7)
    ]  # fmt: skip
    about = {
        "model_hash": model_hash, "seed": 1, "replications": 10, "warmup_us": 0,
        "horizon_us": 10**9, "confidence": 0.95, "version": "0.1.0",
    }  # fmt: skip
    said = {"targets": goals, "is_exact": True, "n_runs": 40, "about": about}
    return LossesFile.model_validate_json(json.dumps(said))


@pytest.fixture(scope="module")
def page(made: Result, plan: Plan) -> str:
    lost = losses_said(str(plan.manifest["model_hash"]))
    return brief_html(made, Found(plan=plan, losses=lost))


def test_the_plan_comes_first_and_says_what_its_tables_say(
    page: str, plan: Plan
) -> None:
    keys = re.findall(r'<section id="(\w+)"', page)
    assert tuple(keys[:4]) == SECTIONS
    text = words(section_of(page, "plan"))
    met = sum(row["met"] for row in plan.rows("replications"))
    assert f"all 7 targets are met with {100 * met / 200:.1f}".rstrip(".0") in text
    hard = min(
        (row for row in plan.rows("goals") if row["target"] and row["goal"]),
        key=lambda row: row["probability"],
    )
    assert f"The least likely is {hard['target']}, {hard['goal']}" in text
    assert f"{hard['quantity']:,} asked for" in text
    ready = words(section_of(page, "ready"))
    (most,) = (row for row in plan.rows("readiness") if row["is_highest"])
    assert f"{most['factor']:.3g}" in ready
    assert "5 shaft" in ready
    assert "not within the horizon" in ready
    # 1,000 units of an hour in six weeks of 168 hours
    assert "mill has the highest load, 99.2%" in words(section_of(page, "hours"))


def test_the_fan_holds_the_quantiles_of_what_was_made(page: str, plan: Plan) -> None:
    """Made in the second week: by hand from the counts, as the table behind it says."""
    counts = plan.rows("counts")
    ends = [row["at_us"] for row in plan.rows("fan")][:2]
    by = {at: [row["units"] for row in counts if row["at_us"] == at] for at in ends}
    week = sorted(b - a for a, b in zip(by[ends[0]], by[ends[1]], strict=True))
    low, half, high = (week[int(share * 199)] for share in (0.05, 0.5, 0.95))
    rows = re.findall(r"<tr>.*?</tr>", section_of(page, "plan"), re.DOTALL)
    (row,) = (row for row in rows if "2027 W2" in row and "in the period" in row)
    cells = [words(it) for it in re.findall(r"<t[dh].*?</t[dh]>", row, re.DOTALL)]
    assert cells[:4] == ["2027 W2", "shaft", "in the period", "160"]
    assert (cells[4], cells[8], cells[7]) == (str(low), str(half), str(high))
    enough = sum(made >= 160 for made in week) / 200
    assert float(cells[9].rstrip("%")) == pytest.approx(100 * enough, abs=0.51)


def test_the_waterfall_ends_at_what_is_made_and_says_what_is_short(page: str) -> None:
    text = words(section_of(page, "lost"))
    assert "Most is lost to failures: 75% of all that is lost" in text
    assert "170 are asked for, so on average 10 ± 3 are short" in text
    assert "Taking out failures alone would make up for it" in text
    assert "lost to setups 10 ± 2 25% +4.0 ± 1.0" in text


def test_every_picture_has_words_a_table_and_its_origin(page: str) -> None:
    figures = re.findall(r"<figure>.*?</figure>", page, re.DOTALL)
    keyed = {
        found[1]: figure
        for figure in figures
        if (found := re.search(r'aria-labelledby="(\w+)-w-t', figure))
    }
    for key in FIGURES:
        for svg in re.findall(r"<svg.*?</svg>", keyed[key], re.DOTALL):
            assert not re.search(r"#[0-9a-fA-F]{6}\b", svg)
            said = re.search(rf'<desc id="{key}-[wn]-d">(.+?)</', svg)
            assert said
            assert len(said[1]) > 60
        assert re.search(r"<details>.*<table>.*<td", keyed[key], re.DOTALL)
        assert "From model " in keyed[key]
    whole = Page(page)
    assert whole.open == []
    ids = [a["id"] for _, a in whole.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for key in SECTIONS:
        assert not re.search(r"\b(nan|inf|None)\b", words(section_of(page, key)))


def test_more_work_than_hours_is_said_and_stands_out(made: Result, plan: Plan) -> None:
    rows = plan.rows("capacity")
    rows[2] |= {"load": 1.3, "load_to_date": 1.1}
    rows[4] |= {"load": float("inf")}
    more = dataclasses.replace(
        plan, tables={**plan.tables, "capacity": plan_table("capacity", rows)}
    )
    text = words(section_of(brief_html(made, Found(plan=more)), "hours"))
    assert "mill first has more work than hours: 130% in 2027 W3" in text
    assert "cannot do the work however early it is begun: 110%" in text
    assert "no hours" in text


def test_a_plan_without_chance_or_of_one_target_can_be_shown(made: Result) -> None:
    line = loads(MILL.replace("exponential(1 h)", "1 h").replace(
        "  weekly: {product: shaft, quantity: 160, per: week, to: 2027-02-14}\n", ""
    ))  # fmt: skip
    html = brief_html(made, Found(plan=plan_line(line, replications=2)))
    text = words(section_of(html, "plan"))
    assert "the target is met with 100%" in text
    assert "Every target is met in every run" in text


def test_the_plan_fits_every_screen(browser: str, tmp_path: Path, page: str) -> None:
    path = tmp_path / "brief.html"
    path.write_text(page, encoding="utf-8")
    for width in (360, 1280):
        assert page_size(path, width)[0] == width


def test_losses_that_do_not_sum_or_are_of_another_model_are_refused(
    tmp_path: Path,
) -> None:
    said = json.loads(losses_said("1" * 64).model_dump_json())
    for goal in said["targets"]:
        for one in goal["losses"]:
            one["units"] = one.pop("lost")
    path = tmp_path / LOSSES
    path.write_text(json.dumps(said), "utf-8")
    assert read_losses(tmp_path, "1" * 64) == read_losses(path)
    with pytest.raises(ResultError, match="is about another model"):
        read_losses(path, "2" * 64)
    said["targets"][0]["losses"][0]["units"]["mean"] = 31.0
    path.write_text(json.dumps(said), "utf-8")
    with pytest.raises(ResultError, match="do not sum to the gap"):
        read_losses(path)


def test_the_brief_takes_the_folder_of_a_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mill.yaml").write_text(MILL)

    def run(text: str) -> int:
        return main([*text.split(), "-q"])

    assert run("simulate mill.yaml --out today") == 0
    assert run("plan mill.yaml --replications 20 --out today/plan") == 0
    assert run("losses mill.yaml --target all --replications 2 --out today") == 0
    assert run("brief today --plan today/plan") == 0
    html = (tmp_path / "today" / "brief.html").read_text("utf-8")
    for key in SECTIONS:
        assert section_of(html, key), key
    capsys.readouterr()
    (tmp_path / "other.yaml").write_text(MILL.replace("1 h", "2 h"))
    assert run("brief other.yaml --plan today/plan --out no.html") == 2
    assert "is about another model" in capsys.readouterr().err
    assert run("brief today --plan nowhere --out no.html") == 2
    assert "nowhere is not the folder of a plan" in capsys.readouterr().err
    assert not (tmp_path / "no.html").exists()


def test_the_demo_asks_for_what_there_is() -> None:
    """Every step of `make demo` can be read, and the last writes the brief."""
    text = (PROJECT / "Makefile").read_text("utf-8")
    recipe = re.search(r"^demo:.*?(?=^\S*:)", text, re.DOTALL | re.MULTILINE)
    assert recipe
    plain = recipe[0].replace("\\\n", " ").replace("$(DEMO)", "build/demo")
    plain = plain.replace("$(PLANT)", str(PROJECT / "examples/light-aircraft"))
    commands = re.findall(r"\$\(BIN\)/linewright ([^>\n]*)", plain)
    verbs = [command.split()[0] for command in commands]
    assert verbs == ["simulate", "plan", "losses", "bottleneck", "improve", "brief"]
    asked = [new_parser().parse_args(command.split()) for command in commands]
    assert asked[-1].model == "build/demo"
    models = {args.model for args in asked[:-1]}
    (model,) = models
    assert Path(model).is_file()
    (better,) = [args for args in asked if args.verb == "improve"]
    line = load(model)
    options = read_options(better.options, line)
    assert any(option.cost <= better.budget for option in options.by_name.values())
