"""The command and the brief say what an interval stands on, and why there is none."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from linewright.console import as_text, result_view
from linewright.model.line import Line
from linewright.report.basis import interval_words, of_one_run
from linewright.report.brief import brief_html
from linewright.results import Result
from linewright.simulate import simulate


def result_of(**options: Any) -> Result:
    line = Line.model_validate(
        {
            "schema_version": 1,
            "name": "queue",
            "stations": {"S": {"process": "exponential(1 min)"}},
            "products": {"part": {"route": ["S"], "release": {"rate": "48/h"}}},
        }
    )
    return simulate(line, **{"replications": 1, "warmup": "1 d", **options})


def said_of(result: Result) -> tuple[str, str]:
    """Return what the command and the brief say."""
    page = re.sub(r"<(style|svg)[\s\S]*?</\1>|<[^>]+>", " ", brief_html(result))
    shown = as_text(result_view(result), io.StringIO())
    return shown, re.sub(r"\s+", " ", page)


def test_one_long_run_is_explained() -> None:
    shown, page = said_of(result_of(horizon="200 d"))
    assert "1 replication of 200 d" in shown
    assert "± is the 95% interval by batch means of this one run" in shown
    assert re.search(r"parts in the line.*\n.*\n *part +4\d\.\d ± 0\.\d", shown)
    assert "± is the 95% confidence interval by batch means of this one run" in page
    for text in (shown, page):
        assert re.search(r"batch means of one run: \d\d batches of \S+ d after", text)
        assert "other figures have none" in text
        assert "No interval for" not in text
    assert re.search(r"wip_mean part parts .* \d\d batches", page)
    assert "no uncertainty" not in page


def test_a_measure_without_interval_is_named() -> None:
    for text in said_of(result_of(horizon="10 d")):
        assert "No interval for the WIP of part: the run is too short: its 3" in text
        assert "2 more estimates of this kind without." in text
        assert "by batch means of this one run" in text  # the throughput has one


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"horizon": "30 min", "warmup": 0}, "units after the warm-up, 40"),
        ({"horizon": "9 d", "warmup": 0, "study": "terminating"}, "terminating study"),
    ],
)
def test_a_run_without_any_interval_says_why(options: dict[str, Any], why: str) -> None:
    shown, page = said_of(result_of(**options))
    assert "±" not in shown
    assert why in shown
    assert why in page
    assert "1 replication, so no uncertainty can be given" in page


def test_replications_need_no_explanation() -> None:
    result = result_of(horizon="10 d", replications=3)
    shown, page = said_of(result)
    assert "± is the 95% interval\n" in shown
    assert "± is the 95% confidence interval." in page
    assert of_one_run(result.manifest, result.table("summary").to_pylist()) == []


def test_results_from_before_batch_means_are_read() -> None:
    rows = [{"measure": "wip_mean", "entity": "", "mean": 3.0}]
    old = {"replications": 1, "study": "steady_state", "confidence": 0.95}
    assert interval_words(old) == ""
    assert of_one_run(old, rows) == []
    assert interval_words(old | {"replications": 5}) == "the 95% confidence interval"
