"""A schedule as a page: what it draws is what was scheduled, at the plant's hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from linewright.report.gantt import Asked, Bar, Lane, Pool, Schedule, write_gantt
from linewright.report.gantt.scene import scene
from tests.test_animation_page import asked

HOUR_US = 3_600_000_000
EVIL = "</script><img src=x onerror=boom()>"
START = datetime.fromisoformat(
    "2027-03-26T06:00"
)  # clocks in Vienna go forward on the 28th

SAWN = (0, HOUR_US // 2, 2 * HOUR_US, 3 * HOUR_US)
GLUED = (50 * HOUR_US, 0, 52 * HOUR_US, 52 * HOUR_US)
BARS = [
    Bar("first", "desk:1", "saw_it", "saw", 0, *SAWN),
    Bar("first", "desk:1", "glue_it", "press", 0, *GLUED),
    Bar(EVIL, "desk:2", "glue_it", "press", 0, *GLUED),
]
WHY = f"press is taken {EVIL}"
ORDERS = [
    Asked("first", "desk", 1, 0, 60 * HOUR_US, 52 * HOUR_US, (0.9, 0.8, 0.95)),
    Asked(EVIL, EVIL, 1, 0, 20 * HOUR_US, 52 * HOUR_US, None, [WHY]),
]
SCHEDULE = Schedule(
    EVIL,
    START,
    "Europe/Vienna",
    [Lane("saw", 2, [(16 * HOUR_US, 24 * HOUR_US)]), Lane("press", 1)],
    BARS,
    ORDERS,
    [Pool("joiners", 2, [(0, 1), (2 * HOUR_US, 0)])],
    [("orders", "2")],
    ["failures of saw"],
    "model abc, seed 1",
)

_LOOK = """
const box = chart.box;
chart.width || chart.resize();
const press = (ms, row) => {
  const at = { x: chart.x(ms), y: AXIS + row.top + row.height / 2 - box.scrollTop };
  pick(chart.at(at));
  return by("details").hidden ? null : by("details").innerText.replace(/\\s+/g, " ");
};
const rows = chart.lanes.rows;
const told = { rows: rows.map((row) => [row.label, row.note, row.bars.length]) };
told.saw = press(1.5 * HOUR, rows[0]);
told.batch = press(51 * HOUR, rows[2]);
told.gap = press(10 * HOUR, rows[0]);
told.ticks = times.ticks(0, 80 * HOUR, 60 / DAY).map(({ t, text }) => [t / HOUR, text]);
const there = (h) => times.instant(times.local(h * HOUR)) / HOUR;
told.back = [0, 30, 43, 44, 45, 70].map(there);
const before = chart.scale;
chart.zoom(4);
told.zoomed = chart.scale / before;
chart.fitAll();
told.fitted = chart.scale === before;
document.querySelector("[data-view=order]").click();
told.orders = chart.lanes.rows.map((row) => [row.label, row.bars.length]);
by("late").checked = true;
search();
told.late = chart.lanes.rows.map((row) => row.label);
by("orders").querySelector("button").click();
told.why = by("details").innerText;
by("find").value = "nothing like it";
search();
const listed = by("orders").children.length;
told.none = [chart.lanes.rows.length, by("nothing").hidden, listed];
document.querySelector("[data-view=pool]").click();
told.pools = chart.lanes.rows.map((row) => row.label);
const ink = chart.ink.getImageData(0, 0, chart.canvas.width, chart.canvas.height).data;
told.colors = new Set(new Uint32Array(ink.buffer)).size;
return told;
"""


def test_times_are_those_of_the_plant_whatever_its_clocks_do() -> None:
    found = scene(SCHEDULE)
    zone = ZoneInfo("Europe/Vienna")
    begun = START.replace(tzinfo=zone).timestamp()
    for hour in range(60):
        at = hour * 3_600_000
        offset = [ms for since, ms in found["offsets"] if since <= at][-1]
        local = datetime.fromtimestamp(begun + hour * 3600, zone).utcoffset()
        assert local == timedelta(milliseconds=offset)
    assert found["start"] == begun * 1000
    assert found["planned"]["setup"] == [1_800_000, 0, 0]
    assert found["planned"]["leave"] == [10_800_000, 187_200_000, 187_200_000]


def test_a_page_shows_what_is_scheduled_and_why_it_is_late(
    tmp_path: Path, browser: str
) -> None:
    page = write_gantt(SCHEDULE, tmp_path / "gantt.html")
    assert "<img" not in page.read_text()
    told = asked(page, _LOOK)
    assert told["rows"] == [["saw", "1", 1], ["", "2", 0], ["press", "", 1]]
    assert "saw it of desk:1" in told["saw"]
    assert "begins Fri 26 Mar 06:00" in told["saw"]
    assert "leaves Fri 26 Mar 09:00: no room ahead" in told["saw"]
    assert "90% (80% to 95%)" in told["saw"]
    assert "a batch of 2" in told["batch"]
    assert "begins Sun 28 Mar 09:00" in told["batch"]  # 50 hours later, and one skipped
    assert told["gap"] is None
    midnights = [
        (hour, text) for hour, text in told["ticks"] if text.startswith("Sun 28")
    ]
    assert midnights == [(42, "Sun 28")]
    assert [h for h, text in told["ticks"] if text == "Mon 29"] == [65]
    assert told["back"] == [0, 30, 43, 44, 45, 70]
    assert told["zoomed"] == pytest.approx(4)
    assert told["fitted"] is True
    assert told["orders"] == [[EVIL, 1], ["first", 2]]
    assert told["late"] == [EVIL]
    assert WHY in told["why"]
    assert "32 h late" in told["why"]
    assert told["none"] == [0, False, 0]
    assert told["pools"] == ["joiners"]
    assert told["colors"] > 3


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(
        ValueError, match="no server 2 of press; there is no order ghost"
    ):
        scene(
            SCHEDULE._replace(
                bars=[BARS[1]._replace(server=1), BARS[0]._replace(order="ghost")]
            )
        )
    with pytest.raises(ValueError, match="ends before it begins"):
        scene(SCHEDULE._replace(bars=[BARS[0]._replace(end_us=-1)]))
