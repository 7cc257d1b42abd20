"""The line in motion: what a page is told is what the kernel did, and all of it."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewright.cli import main
from linewright.errors import LinewrightError
from linewright.lower import lower
from linewright.model.load import load, loads
from linewright.report.animation import animate, write_animation
from linewright.report.animation.page import SCRIPTS
from linewright.report.animation.reading import GONE
from linewright.report.animation.recording import STATE_BITS, Recording, record
from linewright.report.animation.scene import scene
from linewright.report.animation.tokens import codes, tokens
from linewright.report.palette import STATES
from linewright.simulate import simulate
from linewright.tables import MODE_NAMES
from tests.animation_texts import HOUR, WORKSHOP, states, workshop
from tests.model_texts import SMALL
from tests.parts import PROJECT

EXAMPLES = [
    *(PROJECT / "examples").glob("*/line.yaml"),
    PROJECT / "examples" / "light-aircraft" / "plant.yaml",
]


def replayed(recording: Recording, data: dict[str, Any], at_us: int) -> dict[str, Any]:
    """Return the state that a recording has at an instant, found the slow way."""
    value = dict(enumerate(recording.opening))
    finished, scrapped = list(recording.finished), list(recording.scrapped)
    rows = zip(recording.at_us, recording.thing, recording.value, strict=True)
    for when_us, thing, new in rows:
        if when_us > at_us:
            break
        value[thing] = new
        if thing >= recording.first_part:
            product = recording.parts[thing - recording.first_part][0]
            kind = recording.spots[new].kind
            if kind in ("store", "finished"):
                finished[product] += data["products"][product]["lot"]
            scrapped[product] += kind == "scrapped"
    return _in_words(recording, data, value, (finished, scrapped))


def _in_words(
    recording: Recording,
    data: dict[str, Any],
    value: dict[int, int],
    counts: tuple[list[int], list[int]],
) -> dict[str, Any]:
    products = [p["name"] for p in data["products"]]
    spots = [
        (*recording.parts[i - recording.first_part], recording.spots[v])
        for i, v in value.items()
        if i >= recording.first_part and recording.spots[v].kind not in GONE
    ]
    inside = [spot for spot in spots if spot[2].kind != "outside"]
    stations = [s["name"] for s in data["stations"] for _ in range(s["servers"])]
    first_pool = recording.n_servers
    return {
        "wip": len(inside),
        "servers": [
            {
                "station": stations[s],
                "state": MODE_NAMES[value[s] & (1 << STATE_BITS) - 1],
                "cause": ["", *data["causes"]][value[s] >> STATE_BITS],
                "parts": sorted(
                    f"{products[p]}:{number}"
                    for p, number, spot in inside
                    if spot.kind in ("server", "blocked") and spot.row == s
                ),
            }
            for s in range(recording.n_servers)
        ],
        "buffers": {
            buffer["name"]: sum(spot.buffer == b for *_, spot in inside)
            for b, buffer in enumerate(data["buffers"])
        },
        "products": {
            name: {
                "finished": counts[0][i],
                "scrapped": counts[1][i],
                "inside": sum(p == i for p, *_ in inside),
                "outside": sum(
                    p == i and spot.kind == "outside" for p, _, spot in spots
                ),
            }
            for i, name in enumerate(products)
        },
        "pools": {
            pool["name"]: {
                "busy": value[first_pool + i],
                "present": bool(value[first_pool + recording.n_pools + i]),
            }
            for i, pool in enumerate(data["pools"])
        },
        "calendars": [
            value[first_pool + 2 * recording.n_pools + c]
            for c in range(recording.n_calendars)
        ],
    }


@pytest.mark.parametrize("from_h", [0, 31])
def test_a_recording_has_the_state_of_the_kernel_at_every_time(from_h: int) -> None:
    line, lowered = workshop()
    recording = record(lowered, 3, 0, (from_h * HOUR, 60 * HOUR))
    data = scene(line, lowered, recording)
    times = [from_h * HOUR + i * 1_234_567_890 for i in range(80)]
    times += recording.at_us[::97]  # and at instants at which something happens
    times = sorted(t for t in set(times) if t <= 60 * HOUR)
    for at_us, expected in zip(times, states(lowered, 3, 0, times), strict=True):
        assert replayed(recording, data, at_us) == expected, at_us


def test_it_ends_with_the_figures_of_simulate() -> None:
    line, lowered = workshop()
    result = simulate(line, replications=2)
    counted = {
        row["product"]: (row["finished"], row["scrapped"])
        for row in result.table("products").to_pylist()
        if row["replication"] == 1
    }
    recording = record(lowered, 3, 1, (HOUR, line.study.horizon))
    data = scene(line, lowered, recording)
    end = replayed(recording, data, line.study.horizon)["products"]
    assert {n: (p["finished"], p["scrapped"]) for n, p in end.items()} == counted


def test_the_opening_puts_parts_in_the_order_in_which_they_came() -> None:
    _, lowered = workshop()
    whole = record(lowered, 3, 0, (0, 40 * HOUR))
    late = record(lowered, 3, 0, (40 * HOUR, 41 * HOUR))
    last = {
        whole.parts[thing - whole.first_part]: i
        for i, thing in enumerate(whole.thing)
        if thing >= whole.first_part
    }
    n_there = len(late.opening) - late.first_part
    order = [last[part] for part in late.parts[:n_there]]
    assert n_there > 20
    assert order == sorted(order)


def test_a_long_recording_is_cut_between_two_instants_and_says_so() -> None:
    line, lowered = workshop()
    whole = record(lowered, 3, 0, (0, 72 * HOUR))
    cut = record(lowered, 3, 0, (0, 72 * HOUR), most=500)
    assert cut.is_cut
    assert not whole.is_cut
    n = len(cut.at_us)
    assert 400 < n < 600
    assert cut.at_us[-1] <= cut.until_us < whole.at_us[n]
    assert cut.value[:n] == whole.value[:n]
    page = animate(line, most=500)
    assert "Choose another span with --from-time and --for" in page.notice
    assert page.notice.split(":")[0] in page.html
    assert page.until_us < page.asked_us


def test_a_line_that_is_stuck_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = WORKSHOP.replace("rework_to: cure", "rework_to: saw")
    page = animate(loads(text), until_us=60 * HOUR)
    assert page.is_stuck
    assert "stands still for good since" in page.html
    model = tmp_path / "model.yaml"
    model.write_text(text)
    out = tmp_path / "page.html"
    assert main(["animate", str(model), "--out", str(out)]) == 1
    assert "stands still" in capsys.readouterr().err


def test_a_second_look_at_the_same_span_gives_the_same_page() -> None:
    line, _ = workshop()
    assert animate(line, until_us=HOUR).html == animate(line, until_us=HOUR).html
    other = animate(line, until_us=HOUR, replication=1)
    assert animate(line, until_us=HOUR).html != other.html


def test_the_page_loads_nothing_and_says_where_it_is_from() -> None:
    line, _ = workshop()
    page = animate(line, until_us=HOUR, seed=11, replication=2).html
    assert not re.search(r"(src|href)=|@import|url\(", page)
    found = set(re.findall(r"https?://[^\"'\s<]*", page))
    assert found == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "default-src 'none'" in page
    assert re.search(r"model [0-9a-f]{12}, seed 11, replication 2, linewright", page)
    assert all(state.label in page for state in STATES)


def test_no_name_can_break_out_of_the_page() -> None:
    text = WORKSHOP.replace("Workshop", "'</script><b>'")
    text = text.replace("  desk:", '  "</script><script>x=1//":')
    page = animate(loads(text), until_us=HOUR).html
    assert page.count("<script") == page.count("</script>") == 2
    film = re.search(r'id="film">(.*?)</script>', page, re.DOTALL)
    assert film
    names = [p["name"] for p in json.loads(film[1])["products"]]
    assert "</script><script>x=1//" in names


def test_local_time_knows_summer_time() -> None:
    line, lowered = workshop()  # clocks go forward six hours after the start
    recording = record(lowered, 3, 0, (2 * HOUR, 30 * HOUR))
    clock = scene(line, lowered, recording)["clock"]
    (at, shown), (changed_at, changed) = clock["local"]
    assert at == 2 * HOUR
    assert changed_at == 6 * HOUR
    assert changed - shown == 5 * 3_600_000


def test_every_state_has_a_color_and_a_label() -> None:
    line, lowered = workshop()
    data = scene(line, lowered, record(lowered, 3, 0, (0, HOUR)))
    assert [state["key"] for state in data["states"]] == list(MODE_NAMES)


def test_a_year_of_the_house_example_stays_under_five_megabytes(project: Path) -> None:
    line = load(project / "examples" / "light-aircraft" / "plant.yaml")
    page = animate(line)
    assert page.notice == ""
    assert page.changes > 200_000
    assert len(page.html) < 5_000_000


@pytest.mark.parametrize("example", sorted(path.parent.name for path in EXAMPLES))
def test_every_example_can_be_watched(example: str, tmp_path: Path) -> None:
    (model,) = (path for path in EXAMPLES if path.parent.name == example)
    out = tmp_path / "page.html"
    given = ["animate", str(model), "--for", "1 d", "--out", str(out), "--quiet"]
    assert main(given) == 0
    assert "line in motion" in out.read_text(encoding="utf-8")


def test_boxes_of_the_house_example_lie_on_the_plan_and_apart(project: Path) -> None:
    line = load(project / "examples" / "light-aircraft" / "plant.yaml")
    lowered = lower(line, HOUR)
    data = scene(line, lowered, record(lowered, 1, 0, (0, HOUR)))
    things = [*data["stations"], *data["buffers"]]
    boxes = [thing["box"] for thing in things if thing["box"]]
    width, height = data["floor"]["size"]
    for x, y, w, h in boxes:
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
    for (x, y, w, h), (x2, y2, w2, h2) in combinations(boxes, 2):
        assert x + w < x2 or x2 + w2 < x or y + h < y2 or y2 + h2 < y
    assert {room["label"] for room in data["floor"]["rooms"]} >= {"Paint shop"}


# ---------------------------------------------------------------- looks


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=60, unique=True))
def test_every_product_has_letters_of_its_own(names: list[str]) -> None:
    found = codes(names)
    assert len(set(found)) == len(names)
    assert all(1 <= len(code) <= 3 for code in found)


def test_letters_are_the_natural_ones_where_they_can_be() -> None:
    assert codes(["trainer", "tourer", "spare_wing"]) == ["T", "To", "SW"]


def test_what_is_sold_has_another_shape() -> None:
    line, _ = workshop()
    looks = dict(zip(line.products, tokens(line), strict=True))
    assert looks["desk"].shape != looks["leg"].shape


def test_all_scripts_are_in_the_page(project: Path) -> None:
    folder = project / "src/linewright/report/animation/scripts"
    assert sorted(SCRIPTS) == sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- the command


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.yaml"
    path.write_text(SMALL + "study: {horizon: 8 h}\n")
    return path


def test_the_command_writes_a_page(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = model.with_name("page.html")
    given = ["animate", str(model), "--from-time", "0d01:00", "--for", "2h"]
    assert main([*given, "--speed", "30", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["animation"] == str(out)
    assert (told["from_us"], told["until_us"]) == (HOUR, 3 * HOUR)
    assert told["notice"] == ""
    page = out.read_text(encoding="utf-8")
    assert '<option value="30" selected>' in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from-time", "soon"], '"soon" is no time'),
        (["--for", "8"], "8"),
        (["--for", "0"], "nothing to show"),
        (["--from-time", "9h"], "nothing to show"),
        (["--speed", "0"], "speed is 0"),
        (["--replication", "-1"], "replication is -1"),
        (["--seed", "-1"], "seed is -1"),
        (["--out", "missing/\0/page.html"], ""),
    ],
)
def test_a_bad_argument_is_refused_in_a_line(
    model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["animate", str(model), *arguments]) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err
    assert told.out == ""


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path, model: Path) -> None:
    page = animate(load(model), until_us=HOUR)
    with pytest.raises(LinewrightError, match="cannot be written"):
        write_animation(page, tmp_path / "no" / "page.html")
