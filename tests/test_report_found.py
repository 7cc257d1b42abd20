"""The brief with what `bottleneck`, `improve` and the ledger found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from linewright.cli import main
from linewright.errors import ResultError
from linewright.improve.files import (
    BOTTLENECK,
    PROPOSAL,
    BottleneckFile,
    ImprovementFile,
    read_bottleneck,
    read_improvement,
)
from linewright.report import brief_html
from linewright.report.facts import Found
from tests import browser
from tests.parts import PROJECT
from tests.report_found import (
    HASH,
    bottleneck_said,
    decision,
    found_for,
    improvement_said,
    interval,
)
from tests.test_report_brief import HOSTILE, LOADS, Page, words
from tests.test_report_plant import hand_made

SECTIONS = ("limits", "worth", "money", "asked", "decided")
FIGURES = ("methods", "strip", "worth", "gains", "money")


def page_of(**changes: Any) -> str:
    made = hand_made(replications=3)
    return brief_html(made, found_for(made, **changes))


def section_of(html: str, key: str) -> str:
    found = re.search(rf'<section id="{key}".*?</section>', html, re.DOTALL)
    return found[0] if found else ""


def bottleneck_of(**changes: Any) -> BottleneckFile:
    stations = tuple(hand_made().line.stations)
    return BottleneckFile.model_validate(bottleneck_said(stations, **changes))


def improvement_of(**changes: Any) -> ImprovementFile:
    return ImprovementFile.model_validate(improvement_said(**changes))


@pytest.fixture(scope="module")
def full() -> str:
    return page_of(decisions=(decision(changed_hash="other"),))


# ---------------------------------------------------------------- what it says


def test_without_files_the_page_is_as_before() -> None:
    html = brief_html(hand_made())
    assert html == brief_html(hand_made(), Found())
    for key in SECTIONS[1:]:
        assert not section_of(html, key)
    assert "linewright bottleneck tests that" in words(html)


def test_each_section_says_its_message_with_numbers(full: str) -> None:
    first = next(iter(hand_made().line.stations))
    for key, text in (
        ("limits", f"{first} holds the line back: 1% less time there gives 0.60 ±"),
        ("limits", "All 5 methods name"),
        ("worth", f"{first}: 10% less processing brings 4.1 ± 0.3% more units"),
        ("worth", "One brings less than the share promised"),
        ("worth", "the shares are exact for small changes"),
        ("worth", "less processing also brings fewer failures"),
        ("money", "2 changes for 12,000 would bring 10.0 ± 1.0% more good units"),
        ("money", "with a probability of at least 95%, none of the sets that the"),
        ("money", "67% of that gain costs 3,000: second saw"),
        ("asked", "To ratify: 12,000 for 10.0 ± 1.0% more good units, all of it"),
        ("asked", "there 1 week after the decision"),
        ("asked", "second saw (a note)"),
        ("decided", "1 decision is on record; it brought less than promised"),
        ("decided", "+3.0 ± 0.3 +2.00 (2027-06-01) less than promised"),
    ):  # fmt: skip
        assert text in words(section_of(full, key)), key
    assert "A decision is asked for: 12,000 for 10.0 ± 1.0%" in words(full)
    assert "chain of causes (critical path)" in words(full)


def test_the_command_to_ratify_can_be_typed(full: str) -> None:
    (command,) = re.findall(r'<pre class="command"><code>(.*?)</code>', full)
    assert command == (
        "linewright ratify plant.yaml &#39;results/plant improve&#39; "
        "--by &#34;NAME&#34; --reason &#34;WHY&#34;"
    )


def test_every_new_picture_has_words_and_a_table(full: str) -> None:
    figures = re.findall(r"<figure>.*?</figure>", full, re.DOTALL)
    keys = [re.search(r'aria-labelledby="([\w-]+)-w-t', f) for f in figures]
    by_key = {k[1]: f for k, f in zip(keys, figures, strict=True) if k}
    for key in FIGURES:
        figure = by_key[key]
        for svg in re.findall(r"<svg.*?</svg>", figure, re.DOTALL):
            assert not re.search(r"#[0-9a-fA-F]{6}\b", svg)
            said = re.search(rf'<desc id="{key}-[wn]-d">(.+?)</', svg)
            assert said
            assert len(said[1]) > 40
        assert re.search(r"<details>.*<table>.*<td", figure, re.DOTALL)
        assert f"From model {HASH}, seed 1, linewright 0.1.0" in figure
    assert "4 spans lasts 24.0 h" in words(by_key["strip"])


def test_the_page_still_loads_nothing_and_nests(full: str) -> None:
    page = Page(full)
    assert page.open == []
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img"}
        assert not LOADS & set(attributes)


def test_a_tie_is_said_and_the_reasons_of_other_methods_stand_below() -> None:
    stations = ("Saw", "Drill", "Wash")
    said = bottleneck_said(stations, remarks=["shifting names <b>, because"])
    first, second = stations[:2]
    said["methods"]["critical_path"] = {
        **said["methods"]["critical_path"], "tied": [second],
    }  # fmt: skip
    said["methods"]["shifting"] = {
        **said["methods"]["shifting"], "first": stations[-1],
    }  # fmt: skip
    html = page_of(bottleneck=BottleneckFile.model_validate(said), improvement=None)
    text = words(section_of(html, "limits"))
    assert f"{first} and {second} hold the line back alike" in text
    assert f"Of 5 methods 4 name one of them; 1 names {stations[-1]}" in text
    assert "Shifting names <b>, because." in text
    assert not section_of(html, "money")


def test_estimates_say_that_they_are_estimates() -> None:
    found = bottleneck_of(doubts=["people are shared"], confirmed=[], wears=False)
    text = words(section_of(page_of(bottleneck=found), "worth"))
    assert "1% less processing at" in text
    assert "gives about 0.45" in text
    assert "may change who goes first: people are shared" in text
    assert "None of them was confirmed" in text


def test_what_is_released_may_set_the_output_more_than_any_station() -> None:
    worth = [
        {"kind": "arrival", "place": "P", "name": "", "elasticity": interval(0.9)},
        {"kind": "processing", "place": "Saw", "name": "", "elasticity": interval(0.1)},
    ]
    text = words(section_of(page_of(bottleneck=bottleneck_of(worth=worth)), "limits"))
    assert "sets the output more than any station does" in text


def test_where_shifts_and_orders_set_all_no_station_is_named() -> None:
    worth = [
        {"kind": "calendar", "place": "", "name": "", "elasticity": interval(0.99)},
        {"kind": "processing", "place": "Saw", "name": "",
         "elasticity": interval(0.01)},
    ]  # fmt: skip
    said = bottleneck_said(("Saw", "Drill"), worth=worth, confirmed=[])
    for method, change in (
        ("critical_path", {"tied": ["Drill"]}),
        ("utilisation", {"first": "Drill"}),
    ):
        said["methods"][method] = {**said["methods"][method], **change}
    html = page_of(bottleneck=BottleneckFile.model_validate(said))
    text = words(section_of(html, "limits"))
    assert "no station stands out" in text
    assert "3 of them Saw and 1 of them Drill" in text
    assert "99% of the chain of causes" in words(section_of(html, "worth"))
    assert "1% less time at" not in words(html)


def test_one_replication_gives_no_interval() -> None:
    said = json.loads(json.dumps(bottleneck_said(tuple(hand_made().line.stations))))
    for place in (*said["methods"].values(), *said["worth"], *said["confirmed"]):
        for it in (*place.get("scores", {}).values(), place.get("elasticity"),
                   place.get("gain"), place.get("promised")):  # fmt: skip
            if it:
                it |= {"half_width": None, "low": None, "high": None}
    said["about"]["replications"] = 1
    said["strip"] = {}
    html = page_of(bottleneck=BottleneckFile.model_validate(said), improvement=None)
    said_words = words(section_of(html, "limits") + section_of(html, "worth"))
    assert "nothing is certain" in said_words
    assert not re.search(r"\b(nan|inf|None)\b", said_words)
    assert "strip-w-t" not in html


def test_nothing_worth_its_money_asks_for_no_decision() -> None:
    nothing = improvement_of(
        chosen=[], items=[], cost=0.0, gain=interval(0.0, 0.0),
        relative_gain=interval(0.0, 0.0),
    )  # fmt: skip
    html = page_of(improvement=nothing)
    assert "Nothing on offer is better" in words(section_of(html, "money"))
    assert not section_of(html, "asked")
    assert "A decision is asked for" not in words(html)


def test_a_gain_that_may_be_nothing_is_not_put_up_for_decision() -> None:
    html = page_of(improvement=improvement_of(relative_gain=interval(0.01, 0.02)))
    assert "their gain is not certain" in words(section_of(html, "money"))
    assert "Not yet to be decided" in words(section_of(html, "asked"))
    assert '<pre class="command">' not in html


def test_a_selection_that_did_not_end_says_so() -> None:
    cut = improvement_of(is_complete=False, is_exhaustive=False, items=[])
    text = words(section_of(page_of(improvement=cut), "money"))
    assert "the comparison did not come to its end" in text
    assert "There are too many sets to try all" in text


def test_a_ratified_proposal_is_not_asked_for_again() -> None:
    html = page_of(decisions=(decision(realised=()),))
    text = words(section_of(html, "asked"))
    assert "Ratified as decision 1 on 2027-01-12" in text
    assert '<pre class="command">' not in html
    assert "none of them measured yet" in words(section_of(html, "decided"))


def test_less_time_in_the_line_is_a_gain_too() -> None:
    said = improvement_said(base=interval(-4.0, 0.1), gain=interval(0.4, 0.05))
    said["study"] |= {"objective": "flow_time"}
    text = words(
        section_of(page_of(improvement=ImprovementFile.model_validate(said)), "money")
    )
    assert "10.0 ± 1.0% less time in the line" in text
    assert "4.00 ± 0.10 h in the line" in text


def test_hostile_names_are_shown_and_never_run() -> None:
    bad = HOSTILE["station"]
    made = hand_made(HOSTILE, replications=2)
    found = found_for(
        made,
        improvement=improvement_of(options=(bad, HOSTILE["product"])),
        decisions=(decision(by=bad, reason=f"{bad}\x00", options=(bad,)),),
        model=f"{bad}.yaml",
    )
    html = brief_html(made, found)
    page = Page(html)
    assert page.open == []
    assert not {tag for tag, _ in page.tags} & {"script", "img", "b"}
    assert bad in words(section_of(html, "decided"))
    assert "\x00" not in html


def test_the_new_sections_fit_every_screen(
    browser_command: None, tmp_path: Path, full: str
) -> None:
    path = tmp_path / "brief.html"
    path.write_text(full, encoding="utf-8")
    for width in (360, 768, 1280):
        assert browser.page_size(path, width)[0] == width


@pytest.fixture
def browser_command(browser: str) -> None:
    """Skip where there is no browser; the fixture and the module share a name."""
    assert browser


# ---------------------------------------------------------------- the files


def saved(folder: Path, name: str, said: Any) -> Path:
    path = folder / name
    path.write_text(said if isinstance(said, str) else json.dumps(said), "utf-8")
    return path


def test_files_are_read_by_themselves_or_from_their_folder(tmp_path: Path) -> None:
    one = saved(tmp_path, BOTTLENECK, bottleneck_said(("a", "b")))
    two = saved(tmp_path, PROPOSAL, improvement_said())
    assert read_bottleneck(tmp_path, HASH) == read_bottleneck(one)
    assert read_improvement(tmp_path, HASH) == read_improvement(two)


def test_a_file_of_another_model_is_refused_with_both_hashes(tmp_path: Path) -> None:
    saved(tmp_path, BOTTLENECK, bottleneck_said(("a", "b"), "1" * 64))
    saved(tmp_path, PROPOSAL, improvement_said("2" * 64))
    with pytest.raises(ResultError, match=r"bottleneck\.json .*1{12}, .*3{12};"):
        read_bottleneck(tmp_path, "3" * 64)
    with pytest.raises(ResultError, match=r"improvement\.json .*2{12}, .*3{12};"):
        read_improvement(tmp_path, "3" * 64)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "EOF"),
        ('{"methods": {', "EOF"),
        ("[]", "bottleneck.json is not what"),
        ({}, "methods: Field required; worth: Field required; about"),
        (bottleneck_said(("a", "b"), methods={}), "methods has no critical_path"),
        (bottleneck_said(("a", "b"), worth=3), "worth"),
        (
            bottleneck_said(
                ("a", "b"), strip={"stations": ["a"], "edges_us": [0, 1], "shares": []}
            ),
            "spans of time, stations and shares do not fit together",
        ),
        (
            bottleneck_said(
                ("a",), strip={"stations": ["z"], "edges_us": [0, 1], "shares": [[0]]}
            ),
            "the strip has other stations",
        ),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, said: Any, told: str) -> None:
    path = saved(tmp_path, BOTTLENECK, said)
    with pytest.raises(ResultError) as caught:
        read_bottleneck(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_a_station_without_a_score_is_found(tmp_path: Path) -> None:
    said = json.loads(json.dumps(bottleneck_said(("a", "b"))))
    said["methods"]["shifting"]["first"] = "z"
    said["methods"]["utilisation"]["scores"].pop("b")
    with pytest.raises(ResultError, match="not those that have a score"):
        read_bottleneck(saved(tmp_path, BOTTLENECK, said))


# ---------------------------------------------------------------- by the command

LINE = """
schema_version: 1
name: Three in a row
currency: EUR
stations:
  a: {process: exponential(10 s)}
  b: {process: exponential(12 s), buffer: 1}
  c: {process: exponential(10 s), buffer: 1}
products: {part: {route: [a, b, c]}}
study: {horizon: 10 h, warmup: 1 h, replications: 3}
"""
OPTIONS = "options_version: 1\noptions: {more b: {cost: 50, changes: {stations: {b: {servers: 2}}}}}"  # noqa: E501


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.yaml").write_text(LINE)
    (tmp_path / "options.yaml").write_text(OPTIONS)
    return tmp_path


def run(text: str) -> int:
    return main([*text.split(), "-q"])


def test_the_brief_takes_what_the_other_verbs_left(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("simulate line.yaml --out today") == 0
    assert run("bottleneck line.yaml --out today --confirm 1") == 0
    saved_here = json.loads((folder / "today" / BOTTLENECK).read_text("utf-8"))
    strip = saved_here["strip"]
    assert strip["edges_us"][0] == 3_600_000_000
    assert strip["edges_us"][-1] == 36_000_000_000
    assert len(strip["edges_us"]) == len(strip["shares"]) + 1 == 61
    assert run("improve line.yaml --options options.yaml --budget 60 --out today") == 0
    assert run("brief today") == 0
    of_result = (folder / "today" / "brief.html").read_text("utf-8")
    for key in SECTIONS[:4]:
        assert section_of(of_result, key), key
    ratify = "ratify line.yaml today --by me --reason enough --on 2027-03-01"
    assert run(ratify) == 0
    asked = "brief line.yaml --bottleneck today --improvement today --out page.html"
    assert run(asked) == 0
    of_model = (folder / "page.html").read_text("utf-8")
    for key in SECTIONS:
        assert section_of(of_model, key), key
    # another model, a broken file, none: each is said, nothing is written
    capsys.readouterr()
    (folder / "other.yaml").write_text(LINE.replace("12 s", "13 s"))
    assert run("brief other.yaml --bottleneck today --out no.html") == 2
    assert "is about another model" in capsys.readouterr().err
    (folder / "today" / PROPOSAL).write_text("{")
    assert run("brief line.yaml --improvement today --out no.html") == 2
    error = capsys.readouterr().err
    assert "improvement.json" in error
    assert "Traceback" not in error
    assert run("brief line.yaml --bottleneck nowhere --out no.html") == 2
    assert "nowhere cannot be read" in capsys.readouterr().err
    assert not (folder / "no.html").exists()


def test_the_options_of_the_transfer_line_can_be_searched(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = PROJECT / "examples" / "transfer-line"
    text = (example / "README.md").read_text("utf-8")
    lines = re.findall(r"^linewright .*$", text, re.MULTILINE)
    assert [line.split()[1] for line in lines] == ["bottleneck", "improve", "brief"]
    for page in ("README.md", "docs/start.md"):
        assert "\n".join(lines) in (PROJECT / page).read_text("utf-8")
    for name in ("line.yaml", "options.yaml"):
        (folder / name).write_text((example / name).read_text("utf-8"), "utf-8")
    small = " --horizon 30h --warmup 10h --replications 2"
    for line in lines:
        assert run(line.removeprefix("linewright ") + small) == 0, line
    capsys.readouterr()
    (written,) = folder.glob("*.html")
    html = written.read_text("utf-8")
    for key in SECTIONS[:4]:
        assert section_of(html, key), key
