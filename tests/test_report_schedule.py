"""The brief with a schedule: what is late, and the chart, which opens offline."""

from __future__ import annotations

import base64
import hashlib
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from linewright.cli._schedule_saved import saved_schedule
from linewright.errors import ResultError
from linewright.model.load import loads, model_hash
from linewright.report import brief
from linewright.report.facts import Found
from linewright.report.sections.schedule import section
from linewright.schedule import schedule_line
from linewright.simulate import simulate
from tests.test_schedule_line import WORKSHOP
from tests.web_lines import EVIL

playwright = pytest.importorskip("playwright.sync_api")
LINE = WORKSHOP.replace("id: second", f'id: "{EVIL}"')


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any, Path]:
    """Return the brief with a schedule, the schedule, and its folder."""
    line = loads(LINE)
    schedule = schedule_line(line, limit_s=0.5, why=False)
    folder = tmp_path_factory.mktemp("brief") / "plan"
    schedule.save(folder)
    result = simulate(line, replications=2)
    shown = saved_schedule(folder, model_hash(line))
    with pytest.MonkeyPatch.context() as patch:  # drawing the others takes seconds
        patch.setattr(brief, "_sections", lambda facts: [section(facts)])
        page = brief.brief_html(result, Found(schedule=shown))
    return page, schedule, folder


def test_the_section_says_what_the_schedule_says(
    made: tuple[str, Any, Path], tmp_path: Path
) -> None:
    page, schedule, folder = made
    rows = schedule.orders().to_pylist()
    late = sum(row["late_s"] > 0 for row in rows)
    told = page[page.index('<section id="schedule"') :].replace("\xa0", " ")
    assert f"By the schedule {late} of {len(rows)} orders is late" in told
    (frame,) = re.findall(r'srcdoc="([^"]*)"', page)
    chart = unescape(frame)
    (script,) = re.findall(r"<script>(.*?)</script>", chart, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Policy" content="([^"]*)"', page)
    assert unescape(policy).endswith(f"; script-src 'sha256-{digest}'")
    for mark in ("http:", "https:", "//cdn"):
        assert mark not in re.sub(r"http://www\.w3\.org\S*", "", chart)
    with pytest.raises(ResultError, match="is about another model"):
        saved_schedule(folder, "0" * 64)
    with pytest.raises(ResultError, match="no folder of a schedule"):
        saved_schedule(tmp_path, "0" * 64)


def test_the_chart_is_drawn_in_the_brief_and_names_are_text(
    browser: str, made: tuple[str, Any, Path], tmp_path: Path
) -> None:
    page, schedule, _ = made
    file = tmp_path / "brief.html"
    file.write_text(page, encoding="utf-8")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=browser, args=["--no-sandbox"]
        )
        shown = chromium.new_page(viewport={"width": 390, "height": 844})
        said: list[str] = []
        shown.on("console", lambda one: said.append(one.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.goto(file.as_uri())
        chart = shown.frames[1]
        chart.wait_for_selector("#orders tr")
        names = chart.locator("#orders tr").all_text_contents()
        assert len(names) == len(schedule.orders())
        assert any(EVIL in name for name in names)
        assert chart.locator("img").count() == 0
        assert shown.evaluate("document.documentElement.scrollWidth") == 390
        assert said == []
        chromium.close()
