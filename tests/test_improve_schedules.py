"""Which schedule to go by, and which slack protects what: against sums by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from linewright.cli import main
from linewright.improve.schedules import choose_schedule
from linewright.model.load import loads
from linewright.schedule.compiling import compile_line
from linewright.schedule.executing import chances_of
from linewright.schedule.kernel_runs import Execution
from linewright.schedule.orders import orders_of
from linewright.schedule.problem import NEVER, Solution
from linewright.schedule.scheduling import Task
from linewright.schedule.slack import gaps_of, slack_of

HOUR_US = 3_600_000_000

LINE = """
schema_version: 1
name: Two orders, one press
stations:
  press: {process: {discrete: {values: [1 h, 3 h], weights: [0.5, 0.5]}}}
  pack: {process: 1 h}
products:
  x: {route: [press, pack], release: orders}
orders:
  - {id: tight, product: x, due: 3 h}
  - {id: loose, product: x, due: 9 h}
"""
"""The mean at the press is 2 h: the first of the orders is done after 3 h."""


def _planned() -> tuple[Task, Solution]:
    """Return a schedule by hand: tight, then loose, which begins an hour later."""
    task = Task(loads(LINE), limit_s=1)
    first = task.first.valid
    assert first is not None
    begin = np.array([0, 2, 3, 5]) * HOUR_US
    end = np.array([2, 3, 5, 6]) * HOUR_US
    nothing = np.zeros(4, np.int64)
    solution = Solution(nothing, nothing, begin, nothing, end, end, nothing - 1)
    return task, solution


def test_slack_is_what_it_takes_up_by_hand() -> None:
    task, solution = _planned()
    problem = task.compiled.problem
    chances = chances_of(task.compiled, solution, 100 * HOUR_US, 64, seed=3)
    execution = Execution(task.compiled, solution, 100 * HOUR_US, chance=True)
    late = []
    for r in range(64):
        run = execution.run(3, r).solution
        # the press takes one or three hours: the second order's begin is an hour late
        # at most by the first's, and its gap of an hour takes that up
        late.append(int(run.end_us[0]) > 2 * HOUR_US)
        assert run.begin_us[2] == 3 * HOUR_US
    share = sum(late) / 64
    assert 0.2 < share < 0.8
    gaps = chances.gaps
    assert gaps.us.tolist() == [0, 0, HOUR_US, 0]
    assert gaps.last.tolist() == [-1, 0, 0, 2]
    assert gaps.used[2] == share
    assert gaps.taken_up_us[2] == share * HOUR_US
    tight, loose, gap = slack_of(problem, solution, gaps, chances.finished_us)
    assert (tight.demand, tight.operation, tight.us) == (0, -1, 0)
    assert tight.needed_us == HOUR_US  # three hours at the press, and packed after 4 h
    assert (loose.demand, loose.us, loose.needed_us) == (1, 3 * HOUR_US, HOUR_US)
    assert (gap.demand, gap.operation, gap.us) == (1, 2, HOUR_US)
    assert chances.on_time[0].mean == 1 - share
    assert chances.on_time[1].mean == 1.0


def test_the_longer_slack_is_chosen_where_it_pays() -> None:
    """Of two schedules one is in time more often; the procedure has to find it."""
    task = Task(loads(LINE), limit_s=1, seed=5)
    choice = choose_schedule(
        task, 3, limit_s=1, indifference=0.05, most=60, replications=20
    )
    means = [one.mean.mean for one in choice.candidates]
    assert choice.selection.chosen == int(np.argmax(means))
    execution = Execution(
        task.compiled,
        choice.candidates[choice.chosen].schedule.solution,
        200 * HOUR_US,
        chance=True,
    )
    due = np.array([3, 9]) * HOUR_US
    n = choice.candidates[choice.chosen].replications
    truly = [float((execution.run(5, r).finished_us <= due).mean()) for r in range(n)]
    assert means[choice.chosen] == pytest.approx(float(np.mean(truly)))
    assert choice.schedule.chances is not None
    assert choice.schedule.chances.n == 20
    by_delay = choose_schedule(
        task, 2, by="tardiness", limit_s=1, indifference=60e6, most=30, replications=5
    )
    chosen = by_delay.candidates[by_delay.chosen]
    late = [
        float(np.maximum(execution.run(5, r).finished_us - due, 0).sum())
        for r in range(chosen.replications)
    ]
    if len(by_delay.candidates) == 1:
        assert chosen.mean.mean == pytest.approx(float(np.mean(late)))
    assert "Nothing is promised" in by_delay.words() or by_delay.selection.is_complete


def test_the_command_shows_the_choice_and_the_slack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "press.yaml"
    model.write_text(LINE, encoding="utf-8")
    command = [
        "schedule", str(model), "--limit", "1s", "--candidates", "2", "--most", "40",
        "--indifference", "5%", "--replications", "10",
    ]  # fmt: skip
    assert main([*command, "--json"]) in {0, 1}
    found = json.loads(capsys.readouterr().out)
    choice = found["manifest"]["choice"]
    assert choice["chosen"] in {one["name"] for one in choice["candidates"]}
    assert choice["by"] == "on_time"
    assert {row["order"] for row in found["slack"]} == {"tight", "loose"}
    folder = tmp_path / "out"
    assert main([*command, "--out", str(folder)]) in {0, 1}
    page = (folder / "gantt.html").read_text(encoding="utf-8")
    assert "Chosen among several" in page
    assert (folder / "slack.parquet").exists()
    shown = " ".join(capsys.readouterr().out.split())
    assert choice["words"][:20] in shown
    assert "Which slack protects what" in shown


def test_what_cannot_be_chosen_is_refused() -> None:
    task = Task(loads(LINE), limit_s=1)
    for arguments, said in (
        ({"by": "luck"}, "nothing to choose by"),
        ({"candidates": 1}, "2 candidates or more"),
        ({"indifference": -1.0}, "an aim cannot have these values"),
    ):
        with pytest.raises(ValueError, match=said):
            choose_schedule(task, **arguments)
    dateless = LINE.replace(", due: 3 h", "").replace(", due: 9 h", "")
    with pytest.raises(ValueError, match="no order has a due date"):
        choose_schedule(Task(loads(dateless), limit_s=1))


def test_an_order_that_is_never_done_needs_slack_without_end() -> None:
    line = loads(LINE)
    compiled = compile_line(line, orders_of(line), 100 * HOUR_US)
    _, solution = _planned()
    gaps = gaps_of(compiled.problem, solution, [])
    finished = np.full((20, 2), NEVER, np.int64)
    finished[1:] = solution.end_us[[1, 3]]
    exact = slack_of(compiled.problem, solution, gaps, finished)
    assert exact[0].needed_us == 0  # one of twenty is 5 %
    finished[1] = NEVER
    some = slack_of(compiled.problem, solution, gaps, finished)
    assert some[0].needed_us == NEVER
