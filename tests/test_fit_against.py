"""A model held against logs: of its own line, and of lines that changed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from linewright.cli import main
from linewright.fit.against import AGREES, DIFFERS, validate
from linewright.fit.carrying import open_in
from linewright.fit.drifting import DRIFTS, WITHIN, changes_of, effect_of, find_drift
from linewright.fit.log import EventLog
from linewright.fit.writing import read_evidence
from linewright.model.load import load, loads
from linewright.traces import write_table
from tests.fit_lines import KNOWN, as_csv, known, log_of

WEEK_US = 7 * 86_400_000_000
SLOWER = "gamma(8 min, cv=0.4) -> gamma(9.6 min, cv=0.4)"


@pytest.fixture(scope="module")
def log() -> EventLog:
    return log_of(known(), seed=7, weeks=14)


def joined(before: EventLog, after: EventLog, at_us: int) -> EventLog:
    """Return a log that is one until an instant and another from then on."""
    rows = [before.start_us < at_us, after.start_us >= at_us]
    n = len(before.cases)
    changed: dict[str, Any] = {}
    for name in ("activity", "station", "server", "kind", "queued_us", "start_us",
                 "end_us", "work_us", "row", "quantity"):  # fmt: skip
        parts = [
            getattr(x, name)[r] for x, r in zip((before, after), rows, strict=True)
        ]
        changed[name] = np.concatenate(parts)
    changed["case"] = np.concatenate([before.case[rows[0]], after.case[rows[1]] + n])
    for name in ("case_product", "case_fate", "case_arrival_us"):
        pair = getattr(before, name), getattr(after, name)
        changed[name] = np.concatenate(pair)
    cases = [*before.cases, *(f"later {c}" for c in after.cases)]
    return dataclasses.replace(before, cases=cases, **changed)


def test_a_line_agrees_with_itself_and_a_slower_station_is_found(log: EventLog) -> None:
    begin = log.begin_us + 6 * WEEK_US
    found = validate(known(), log, from_us=begin, replications=6)
    for one in found.compared:
        assert one.verdict == AGREES, one
        assert one.n > 300
        assert one.high - one.low < 0.2
        if one.unit == "s":  # as near as simulations are to each other, or thereabouts
            assert one.distance < 3 * one.usual
    assert {s.verdict for s in found.stations} == {"agrees"}
    slower = log_of(known(a=SLOWER), seed=7, weeks=14)
    found = validate(known(), slower, from_us=begin, replications=6)
    said = {s.station: s for s in found.stations}
    assert said["cut"].verdict == "drifts"
    assert said["cut"].since_us < slower.begin_us + WEEK_US
    assert {n for n, s in said.items() if s.verdict == "agrees"} == {
        "mill",
        "test",
        "pack",
    }
    (cycle,) = [
        c for c in found.compared if (c.station, c.measure) == ("cut", "cycle time")
    ]
    assert cycle.verdict == DIFFERS
    assert cycle.log / cycle.model == pytest.approx(1.2, abs=0.03)
    # a margin wider than the change: the same log agrees
    wide = validate(known(), slower, from_us=begin, replications=6, margin=0.3)
    assert {s.verdict for s in wide.stations} == {"agrees"}


def test_drift_has_its_date_and_its_effect_and_no_false_alarm(log: EventLog) -> None:
    found = find_drift(known(), log)
    assert len(found) == 7
    assert {d.verdict for d in found} == {WITHIN}
    change_us = log.begin_us + 8 * WEEK_US
    slower = log_of(known(a=SLOWER), seed=8, weeks=14)
    mixed = joined(log, slower, change_us)
    found = find_drift(known(), mixed)
    (drift,) = [d for d in found if d.verdict == DRIFTS]
    assert (drift.of.station, drift.of.measure) == ("cut", "process")
    assert abs(drift.since_us - change_us) < WEEK_US / 2
    assert drift.proposed is not None
    mean_us = drift.proposed.distribution().mean_us
    assert mean_us == pytest.approx(9.6 * 60e6, rel=0.03)
    changes = changes_of(known(), found)
    assert list(changes) == ["stations"]
    assert list(changes["stations"]) == ["cut"]
    line = loads(KNOWN.replace("16 weeks", "4 weeks"))
    effect = effect_of(line, changes, replications=4)
    flow = next(c for c in effect.compared if c.measure == "flow time of shaft, h")
    assert flow.difference.low > 0
    assert effect.changed.stations["cut"].process == drift.proposed.distribution()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


COLUMNS = (
    "case=order,activity=step,station=machine,product=item,start=begin,end=finish,"
    "kind=what,work=D,setup=S,failure=B"
)


def test_from_a_plants_log_to_a_model_that_is_held_against_the_rest(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way of a user, with a log such as plants have: no servers, no waits."""
    plant = log_of(known(a="Europe/Vienna -> UTC"), seed=3, weeks=9)
    as_csv(
        plant, folder / "log.csv", [["x", "cut", "cut", "gear", "soon", "later", "D"]]
    )
    fit = ["fit", "log.csv", "--columns", COLUMNS, "--out", "plant.yaml", "-q"]
    assert main(fit) == 1  # a row cannot be used
    assert not Path("plant.yaml").exists()
    assert main([*fit, "--use-rest", "--hold-back", "30%"]) == 0
    assert main([*fit, "--use-rest"]) == 2  # it is there already
    assert main(["check", "plant.yaml", "-q"]) == 0
    evidence = json.loads(Path("plant-evidence.json").read_text("utf-8"))
    assert evidence["log"]["problems"][0]["kind"] == "unreadable_time"
    assert evidence["stations"]["mill"]["servers"] == 2
    assert any("which server did what" in one for one in evidence["unknown"])
    capsys.readouterr()
    against = ["validate", "plant.yaml", "log.csv", "--columns", COLUMNS]
    against += ["--use-rest", "--replications", "4", "--json"]
    assert main(against) in {0, 1}
    found = json.loads(capsys.readouterr().out)
    assert found["begin_us"] == evidence["held_back_from_us"]
    verdicts = {s["station"]: s["verdict"] for s in found["stations"]}
    assert set(verdicts) == {"cut", "mill", "test", "pack"}
    assert list(verdicts.values()).count("agrees") >= 2, found["stations"]
    # what the records leave open of the inputs is carried into results
    simulate = ["simulate", "plant.yaml", "--horizon", "6 d", "--replications", "4"]
    assert main([*simulate, "--carry", "10", "--json", "-q", "--out", "res"]) == 0
    carried = json.loads(capsys.readouterr().out)["carried"]
    for one in carried.values():
        assert one["wide_low"] <= one["low"] <= one["mean"]
        assert one["mean"] <= one["high"] <= one["wide_high"]
    assert {"throughput, 1/h", "flow time of gear, h"} <= set(carried)
    assert json.loads(Path("res/carried.json").read_text("utf-8"))["carried"] == carried
    # a person goes on with the model: what was held back stays so, and that is said
    text = Path("plant.yaml").read_text("utf-8")
    Path("plant.yaml").write_text(text.replace("servers: 2", "servers: 3"), "utf-8")
    assert main([*against]) in {0, 1}
    out = capsys.readouterr()
    assert "before it was changed" in out.err
    # an input that was changed by hand is taken as known, and told of
    fitted = next(i for i in evidence["inputs"] if i["distribution"] in text)
    Path("plant.yaml").write_text(text.replace(fitted["distribution"], "7 min"))
    line = load("plant.yaml")
    beside = read_evidence("plant.yaml", line)
    assert beside is not None
    left = open_in(line, beside)
    assert left.changed == (fitted["name"],)
    n_places = sum(bool(one["places"]) for one in evidence["inputs"])
    assert len(left.fits) == n_places - 1


def test_a_drift_is_proposed_and_changes_nothing_before_it_is_ratified(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = KNOWN.replace("16 weeks", "4 weeks")
    Path("line.yaml").write_text(text, "utf-8")
    Path("now.yaml").write_text(text.replace("gamma(8 min", "gamma(11 min"), "utf-8")
    assert main(["trace", "now.yaml", "--out", "now.parquet", "-q"]) == 0
    capsys.readouterr()
    drift = ["drift", "line.yaml", "now.parquet", "--zone", "Europe/Vienna"]
    assert main([*drift, "--replications", "3", "--out", "found", "--json"]) == 1
    out = capsys.readouterr()
    said = json.loads(out.out)
    drifting = [one for one in said["inputs"] if one["verdict"] == "drifting since"]
    assert [(d["station"], d["of"]) for d in drifting] == [("cut", "process")]
    assert "nothing is changed until" in out.err
    assert Path("line.yaml").read_text("utf-8") == text
    assert main(["check", "line.yaml", "--overlay", "found/drift.yaml", "-q"]) == 0
    sign = ["ratify", "line.yaml", "found/drift.json", "--by", "Planning"]
    assert main([*sign, "--reason", "as measured", "--on", "2027-03-01", "-q"]) == 0
    assert Path("decision-001-2027-03-01.yaml").exists()


def test_what_cannot_be_compared_says_why(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = log_of(known(), weeks=2)
    as_csv(log, Path("log.csv"))
    text = KNOWN.replace("gear:", "lever:")
    Path("line.yaml").write_text(text, "utf-8")
    columns = ["--columns", COLUMNS, "-q"]
    assert main(["validate", "line.yaml", "log.csv", *columns]) == 2
    assert 'has a product "gear"' in capsys.readouterr().err
    Path("line.yaml").write_text(KNOWN, "utf-8")
    for more, said in (
        (["--margin", "2"], "margin is 2"),
        (["--from", "2031-01-01"], "lies outside of the log"),
        (["--replications", "1"], "two or more"),
    ):
        assert main(["validate", "line.yaml", "log.csv", *columns, *more]) == 2
        assert said in capsys.readouterr().err
    assert main(["drift", "line.yaml", "log.csv", *columns, "--alarm", "0"]) == 2
    capsys.readouterr()
    as_csv(log, Path("more.csv"), [["gear:1", "glue", "gluer", "gear",
           "2027-01-05 09:00:00", "2027-01-05 09:05:00", "D"]])  # fmt: skip
    loud = ["--columns", COLUMNS]
    assert main(["drift", "line.yaml", "more.csv", *loud]) in {0, 1}
    err = capsys.readouterr().err
    assert "unknown_station (1): rows" in err
    assert "gluer" in err
    assert main(["fit", "log.csv", *columns, "--hold-back", "half"]) == 2
    assert "nor a date such as" in capsys.readouterr().err
    assert main(["fit", "nothing.csv", "-q"]) == 2
    assert "No such file" in capsys.readouterr().err
    write_table("empty.parquet", pa.table({"a": [1]}))
    assert main(["fit", "empty.parquet", "-q"]) == 2
    assert "no column is said to be the case" in capsys.readouterr().err
