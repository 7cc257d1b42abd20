"""The brief as a file: what is in it, what it must never hold, and odd results."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import pytest

from linewright.errors import LinewrightError
from linewright.model.line import Line
from linewright.report import brief, brief_html, write_brief
from tests import browser
from tests.test_report_plant import Made, aircraft_result, hand_made, make, table

HOSTILE = {
    "line": "Line",
    "station": "<img src=x onerror=alert(1)> $x^2$ & 'quoted'",
    "product": "منتج & <b>طويل</b> " + "x" * 150,
}
TITLE = '<script>alert("line")</script> & "Söhne"\x00\x1b\ud800\u202e end'
LOADS = {"src", "srcset", "poster", "data", "action", "formaction", "background"}
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """The tags of a page with their attributes, and whether they nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.tags if name == tag)


def without_orders(made: Made) -> Made:
    made.tables["orders"] = table([])
    return made


@pytest.fixture(scope="module")
def plant_html() -> str:
    return brief_html(aircraft_result())


@cache
def html_of(result: Callable[[], Made]) -> str:
    """Return the page of a result that several tests look at."""
    return brief_html(result())


def words(html: str) -> str:
    return " ".join(" ".join(Page(html).text).split()).replace("\u00a0", " ")


# ---------------------------------------------------------------- the file


def test_the_page_loads_nothing(plant_html: str) -> None:
    page = Page(plant_html)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "img"}
        assert not LOADS & set(attributes)
        assert not [a for a in attributes if a.startswith("on")]
        for name in ("href", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    style = re.findall(r"<style>(.*?)</style>", plant_html, re.DOTALL)
    assert len(style) == 1
    assert "@import" not in style[0]
    assert "url(" not in style[0]
    assert not re.search(r"https?:|//[a-z]", plant_html)
    urls = re.findall(r"url\(([^)]*)\)", plant_html)
    assert all(url.startswith("#") for url in urls)


def test_a_content_security_policy_forbids_loading(plant_html: str) -> None:
    policy = [m for m in Page(plant_html).all("meta") if "http-equiv" in m]
    content = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert [m["content"] for m in policy] == [content]


def test_the_page_nests_and_its_ids_are_unique(plant_html: str) -> None:
    page = Page(plant_html)
    assert page.open == []
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    named = [a[k] for _, a in page.tags for k in ("href", "aria-labelledby") if k in a]
    used = {key.lstrip("#") for value in named for key in value.split()}
    used |= set(re.findall(r"url\(#([^)]+)\)", plant_html))
    assert used <= set(ids)


def test_every_picture_has_words_and_a_table(plant_html: str) -> None:
    figures = re.findall(r"<figure>.*?</figure>", plant_html, re.DOTALL)
    assert len(figures) == 10
    for figure in figures:
        pictures = re.findall(r"<svg.*?</svg>", figure, re.DOTALL)
        assert len(pictures) == 2
        for picture in pictures:
            (svg,) = Page(picture).all("svg")
            assert svg["role"] == "img"
            for key in svg["aria-labelledby"].split():
                found = re.search(rf'<(title|desc) id="{key}">(.+?)</', picture)
                assert found
                assert len(found[2]) > 10
        assert re.search(r"<details>.*<table>.*<td", figure, re.DOTALL)
        assert "model 5e1f0c9a77d2, seed 20270104" in figure


def test_pictures_take_their_colors_from_the_page(plant_html: str) -> None:
    for picture in re.findall(r"<svg.*?</svg>", plant_html, re.DOTALL):
        assert "var(--" in picture or "linemap" in picture
        assert not re.search(r"#[0-9a-fA-F]{6}\b", picture)
        assert "font-family" not in picture


def test_the_same_result_gives_the_same_bytes(tmp_path: Path, plant_html: str) -> None:
    path = write_brief(aircraft_result(), tmp_path / "brief.html")
    assert path.read_bytes() == plant_html.encode()


def test_another_process_gives_the_same_bytes(tmp_path: Path, project: Path) -> None:
    code = (
        "import sys; from tests.test_report_plant import hand_made; "
        "from linewright.report import write_brief; write_brief(hand_made(), "
        "sys.argv[1])"
    )
    path = tmp_path / "other.html"
    command = [sys.executable, "-c", code, str(path)]
    paths = [str(project / "src"), str(project)]
    env = {"PYTHONPATH": ":".join(paths), "PYTHONHASHSEED": "7", "PATH": ""}
    subprocess.run(command, check=True, env=env, cwd=project)  # our own code
    assert path.read_text("utf-8") == brief_html(hand_made())


def test_a_failed_write_leaves_no_file(tmp_path: Path) -> None:
    made = hand_made()
    made.tables["stations"] = table([{"station": "Saw", "replication": 0}])
    with pytest.raises(KeyError):
        write_brief(made, tmp_path / "brief.html")
    assert list(tmp_path.iterdir()) == []


def test_settings_of_matplotlib_are_left_alone() -> None:
    before = dict(mpl.rcParams)
    brief_html(hand_made())
    assert dict(mpl.rcParams) == before


def test_without_the_extra_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(brief, "_NEEDED", ("no_such_library",))
    with pytest.raises(LinewrightError, match=r"pip install 'linewright\[brief\]'"):
        brief_html(hand_made())


def test_importing_the_report_does_not_import_the_extra(project: Path) -> None:
    code = (
        "import sys, linewright.report; "
        "sys.exit(bool({'matplotlib', 'jinja2'} & set(sys.modules)))"
    )
    env = {"PYTHONPATH": str(project / "src"), "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)  # our own code


# ---------------------------------------------------------------- what it says


def test_headlines_carry_numbers_and_their_uncertainty(plant_html: str) -> None:
    said = words(plant_html)
    for text in (
        "Each week the line makes 2.79 ± 0.07 Trainer (3.10 asked for)",
        "Trainer and Tourer fall short of demand; Spare wing is too close to call.",
        "57% of orders are finished on time (95% interval 55% to 60%)",
        "Wing cure oven most likely holds the line back",
        "linewright bottleneck tests that",
        "The line holds 57.3 ± 1.3 units on average",
        "All 1,800 self-checks hold",
        "5e1f0c9a77d24b6f8f3d0a91c2b4e6d8",
        "4 weeks; MSER-5 on units in the line",
    ):
        assert text in said


def test_a_failed_self_check_is_loud() -> None:
    made = hand_made()
    rows = made.tables["checks"].to_pylist()
    rows[3] |= {"ok": False, "found": 93.0}
    made.tables["checks"] = table(rows)
    html = brief_html(made)
    said = words(html)
    assert 'class="notice bad" role="alert"' in html
    assert "1 self-check has failed: do not use these figures" in said
    assert said.index("do not use these figures") < said.index("Line brief")
    assert "1 of 60 self-checks failed" in said
    assert "FAILED" in said


def test_without_a_failed_check_there_is_no_banner(plant_html: str) -> None:
    assert 'class="notice' not in plant_html
    assert "FAILED" not in plant_html


def test_a_run_that_was_stopped_says_so() -> None:
    assert "The run was stopped early" in words(
        brief_html(hand_made(stopped_early=True))
    )


def test_a_line_that_stands_still_says_so() -> None:
    why = "At 3 d hull 0 waits for P, but hull lacks 1 blue."
    made = hand_made(standstill=[0, 3], standstill_reason=why)
    said = words(brief_html(made))
    assert "The line came to a standstill in 2 of 20 replications" in said
    assert why in said


def test_names_are_shown_and_never_run() -> None:
    html = brief_html(hand_made(HOSTILE, model_name=TITLE, description=TITLE))
    page = Page(html)
    assert page.open == []
    assert not {tag for tag, _ in page.tags} & {"script", "img", "b"}
    assert "&lt;script&gt;alert(" in html
    assert '<script>alert("line")</script> & "Söhne"' in words(html)
    assert HOSTILE["station"] in words(html)
    assert "\u2068منتج" in html  # isolated from the text around it
    assert "x" * 150 in html  # whole in the tables
    html.encode("utf-8")
    assert not set(html) & set("\x00\x1b\ud800\u202e")


def test_a_name_of_mathematics_stays_text() -> None:
    html = brief_html(hand_made({"station": "$\\frac{1}{2}$ & co", "product": "a_b^c"}))
    assert "$\\frac{1}{2}$ &amp; co" in html


# ---------------------------------------------------------------- odd results


def one_replication() -> Made:
    return aircraft_result(replications=1)


def no_orders() -> Made:
    return without_orders(aircraft_result(replications=2))


def no_demand() -> Made:
    made = make(hand_made().line, replications=3)
    assert made.line.products["Board"].demand is None
    return made


def zero_output() -> Made:
    made = hand_made(replications=3)
    for key, zero in (
        ("products", ("released", "finished", "scrapped", "reworked", "wip_end", "used",
                      "escaped", "wip_start")),
        ("buffers", ("level_mean", "level_max", "wait_mean_s")),
        ("periods", ("value",)),
        ("summary", ("mean", "half_width", "low", "high")),
    ):  # fmt: skip
        rows = made.tables[key].to_pylist()
        made.tables[key] = table([row | dict.fromkeys(zero, 0) for row in rows])
    rows = made.tables["stations"].to_pylist()
    for row in rows:
        row["starved"] += row["processing"]
        row["processing"] = 0
    made.tables["stations"] = table(rows)
    made.tables["flow"] = table([])
    return made


def never_on_shift() -> Made:
    made = hand_made(replications=2)
    rows = made.tables["stations"].to_pylist()
    states = (
        "processing",
        "setup",
        "blocked",
        "starved",
        "failed",
        "maintenance",
        "break",
    )
    for row in rows:
        row["off_shift"] += sum(row[s] for s in states)
        row.update(dict.fromkeys(states, 0))
    made.tables["stations"] = table(rows)
    return made


def nothing_but_a_manifest() -> Made:
    made = hand_made()
    made.tables = {}
    return made


def no_number_known() -> Made:
    made = hand_made()
    rows = made.tables["summary"].to_pylist()
    unknown = dict.fromkeys(("mean", "half_width", "low", "high"), float("nan"))
    made.tables["summary"] = table([row | unknown for row in rows])
    return made


def unbounded_intervals() -> Made:
    made = hand_made(replications=1)
    rows = made.tables["summary"].to_pylist()
    wide = {"half_width": float("inf"), "low": -float("inf"), "high": float("inf")}
    made.tables["summary"] = table([row | wide for row in rows])
    return made


def an_hour() -> Made:
    return hand_made(horizon_us=3_600_000_000, warmup_us=0, study="terminating")


@pytest.mark.parametrize(
    "result",
    [
        hand_made, one_replication, no_orders, no_demand, zero_output, never_on_shift,
        nothing_but_a_manifest, no_number_known, unbounded_intervals, an_hour,
    ],
)  # fmt: skip
def test_odd_results_make_a_page(result: Callable[[], Made]) -> None:
    html = html_of(result)
    assert Page(html).open == []
    said = words(html)
    for bad in ("nan", "inf", "None", "NaN", "-0.0", "{", "}"):
        assert not re.search(rf"(?<![A-Za-z]){re.escape(bad)}(?![A-Za-z])", said), bad


def test_one_replication_says_that_nothing_is_certain() -> None:
    said = words(html_of(one_replication))
    assert "1 replication, so no uncertainty can be given" in said
    assert "fall short" not in said
    assert "±" not in said.partition("Appendix for engineers")[0].replace("± is", "")


def test_no_demand_is_said() -> None:
    assert "no demand is given" in words(html_of(no_demand))


def test_zero_output_is_said() -> None:
    said = words(html_of(zero_output))
    assert "No good unit left the line" in said
    assert "No unit was released" in said


def test_orders_are_left_out_where_there_are_none() -> None:
    html = html_of(no_orders)
    assert 'id="orders"' not in html
    assert 'href="#orders"' not in html


@pytest.mark.parametrize("n", [5, 60, 250])
def test_lines_of_any_length_are_drawn(n: int) -> None:
    steps = [{"station": f"Station {k}", "process": "1 min"} for k in range(n)]
    line = Line.model_validate(
        {
            "schema_version": 1,
            "name": "Long line",
            "stages": ["One", "Two"],
            "stations": {
                f"Station {k}": {"stage": ["One", "Two"][k * 2 // n]} for k in range(n)
            },
            "products": {"P": {"route": steps}},
        }
    )
    html = brief_html(make(line, replications=2))
    boxes = re.findall(r'<rect class="box', html)
    assert len(boxes) == 2 * min(n, 120)
    assert ("The 120 stations that wait least, of 250" in words(html)) == (n == 250)


# ---------------------------------------------------------------- in a browser


def test_the_page_fits_every_screen(
    browser_command: None, tmp_path: Path, plant_html: str
) -> None:
    path = tmp_path / "brief.html"
    path.write_text(plant_html, encoding="utf-8")
    for width in (360, 768, 1280):
        assert browser.page_size(path, width)[0] == width


@pytest.fixture
def browser_command(browser: str) -> None:
    """Skip where there is no browser; the fixture and the module share a name."""
    assert browser
