"""A study begins from the line as it stands: parts, half-done work, machines down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.recfunctions import merge_arrays

import linewright
from linewright.cli import main
from linewright.errors import ResultError
from linewright.model.line import Line
from linewright.model.load import save
from tests.random_lines import random_line

MODEL = """\
schema_version: 1
name: shop
people: {fitters: 1}
stations:
  mill:
    process: exponential(9 min)
    failures: {jam: {every: exponential(4 h), repair: exponential(30 min)}}
    people: {repair: fitters}
  oven: {process: 20 min, batch: {min: 2, max: 4, longest_wait: 2 h}, buffer: 12}
products:
  part: {route: [mill, oven], release: {every: exponential(10 min), when_full: wait}}
study: {horizon: 10 d, warmup: 0 s, replications: 3, seed: 5}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(MODEL, encoding="utf-8")
    return path


def saved(model: Path, at: str, *more: str) -> Path:
    out = model.with_suffix(".npz")
    assert main(["state", str(model), "--at", at, "--out", str(out), *more]) == 0
    return out


def rows(result: linewright.Result, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result.table(table).to_pylist()
    return found


def test_it_goes_on_exactly_as_the_run_did_from_which_it_was_saved(model: Path) -> None:
    line = linewright.load(model)
    state = saved(model, "4 d")
    whole = linewright.simulate(line, horizon="10 d", warmup="4 d", replications=1)
    rest = linewright.simulate(line, horizon="6 d", replications=1, start_from=state)
    assert not rest.failed_checks
    same = ("finished", "scrapped", "wip_start", "wip_end", "wip_mean", "flow_mean_s")
    for one, two in zip(rows(whole, "products"), rows(rest, "products"), strict=True):
        assert {key: one[key] for key in same} == {key: two[key] for key in same}
    assert repr(rows(whole, "stations")) == repr(rows(rest, "stations"))
    assert rest.manifest["from_us"] == 4 * 86_400_000_000
    assert rest.manifest["study"] == "terminating"
    assert rest.manifest["warmup_us"] == 0
    starts = rest.table("periods")["start_us"].to_pylist()
    assert min(starts) == rest.manifest["from_us"]


def test_futures_differ_but_begin_alike(model: Path) -> None:
    line, state = linewright.load(model), saved(model, "3 d")
    result = linewright.simulate(line, horizon="2 d", replications=8, start_from=state)
    table = rows(result, "products")
    assert len({row["wip_start"] for row in table}) == 1
    assert len({row["finished"] for row in table}) > 4
    one = linewright.simulate(
        line, horizon="2 d", replications=8, start_from=state, workers=1
    )
    assert repr(rows(one, "products")) == repr(table)  # nan is nan here


def test_a_state_goes_on_with_other_times_and_rules(model: Path) -> None:
    state = saved(model, "3 d")
    faster = linewright.loads(MODEL.replace("exponential(9 min)", "exponential(5 min)"))
    before, after = (
        linewright.simulate(line, horizon="1 d", replications=10, start_from=state)
        for line in (linewright.load(model), faster)
    )
    starts = [rows(result, "products")[0]["wip_start"] for result in (before, after)]
    assert starts[0] == starts[1]
    assert after.wip[""].mean < before.wip[""].mean


CREWS = """\
schema_version: 1
name: crews
people:
  fitters: {count: 1, walk: 6 min}
  helpers: {count: 1, skills: [lift]}
stations:
  one: &mill
    process: exponential(9 min)
    failures: {jam: {every: exponential(1 h), repair: exponential(30 min)}}
    people: {repair: fitters, process: lift}
  two: *mill
  three: *mill
products:
  a: {route: [one]}
  b: {route: [two]}
  c: {route: [three]}
study: {horizon: 10 d, warmup: 0 s, replications: 2, seed: 5}
"""


def test_a_state_goes_on_with_more_or_fewer_people_wherever_they_are(
    tmp_path: Path,
) -> None:
    model = tmp_path / "crews.yaml"
    model.write_text(CREWS.replace("count: 1, walk", "count: 2, walk"))
    state = saved(model, "2 d")
    failed = []
    for change in ("count: 1, walk: 6 min", "count: 2, walk: 6 min", "count: 2"):
        line = linewright.loads(CREWS.replace("count: 1, walk: 6 min", change))
        result = linewright.simulate(line, horizon="5 d", start_from=state)
        assert not result.failed_checks
        failed.append(sum(row["failed"] for row in rows(result, "stations")))
    assert failed[0] > failed[1] > failed[2]


def test_who_waited_for_people_in_an_earlier_release_waits_on(tmp_path: Path) -> None:
    """Before there were skills, the lines of those who wait stood with the pools."""
    model = tmp_path / "crews.yaml"
    text = CREWS.replace(", walk: 6 min", "").replace(", skills: [lift]", "")
    model.write_text(text.replace("lift", "helpers"))
    state = saved(model, "2 d")
    line = linewright.load(model)
    now = linewright.simulate(line, horizon="5 d", start_from=state)
    with np.load(state) as file:
        arrays = dict(file)
    skills, pools, claims = (arrays.pop(x) for x in ("skills", "pools", "claims"))
    assert skills["n_waiting"].sum() > 0
    del arrays["places"]
    arrays["claims"] = without(claims, "urgency", "walking", "number")
    pools = without(pools, "walking", "walk_us", "walks")
    arrays["pools"] = merge_arrays((pools, skills), flatten=True)
    arrays["clock"] = without(arrays["clock"], "claims")
    np.savez(state, **arrays)
    then = linewright.simulate(line, horizon="5 d", start_from=state)
    assert not then.failed_checks
    for table in ("stations", "people", "products"):
        assert repr(rows(then, table)) == repr(rows(now, table))


def without(table: Any, *columns: str) -> Any:
    """Return a table without some of its columns."""
    return table[[c for c in table.dtype.names if c not in columns]]


def test_a_state_of_a_line_with_other_names_is_refused(model: Path) -> None:
    state = saved(model, "1 d")
    other = linewright.loads(MODEL.replace("mill", "lathe"))
    with pytest.raises(ResultError, match="another model"):
        linewright.simulate(other, horizon="1 d", start_from=state)


def test_nothing_is_cut_from_a_study_that_begins_from_a_state(model: Path) -> None:
    line, state = linewright.load(model), saved(model, "1 d")
    with pytest.raises(ValueError, match="terminating"):
        linewright.simulate(line, study="steady_state", start_from=state)
    with pytest.raises(ValueError, match="cuts no warm-up"):
        linewright.simulate(line, warmup="1 h", start_from=state)


def test_the_verbs(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = saved(model, "2027-01-06 12:00")
    out = tmp_path / "result"
    capsys.readouterr()
    args = ["simulate", str(model), "--from", str(state), "--horizon", "2 d", "--json"]
    assert main([*args, "--out", str(out)]) == 0
    manifest = json.loads(capsys.readouterr().out)["manifest"]
    assert manifest["from_us"] == 60 * 3_600_000_000
    assert main(["brief", str(out)]) == 0
    (tmp_path / "broken.npz").write_bytes(state.read_bytes()[:2000])
    args[3] = str(tmp_path / "broken.npz")
    assert main([*args, "--out", str(out)]) == 2
    assert "not a state" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_random_lines_go_on_exactly(seed: int, tmp_path: Path) -> None:
    line: Line = random_line(seed)
    model = tmp_path / "line.yaml"
    save(line, model)
    line = linewright.load(model)
    try:
        state = saved(model, "9 h", "--seed", "3")
        whole = linewright.simulate(
            line, horizon="20 h", warmup="9 h", replications=1, seed=3
        )
    except linewright.LinewrightError:
        pytest.skip("this line comes to a deadlock")
    rest = linewright.simulate(
        line, horizon="11 h", replications=1, seed=3, start_from=state
    )
    assert repr(rows(whole, "stations")) == repr(rows(rest, "stations"))
    assert repr(rows(whole, "buffers")) == repr(rows(rest, "buffers"))
