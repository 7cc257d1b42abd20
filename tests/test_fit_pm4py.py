"""pm4py as a second opinion on XES and OCEL 2.0: it reads ours, and we read its own.

It is under the AGPL and no part of our requirements; `make pm4py-checks` runs this in
an environment of its own, and elsewhere it skips. It runs as a program of its own here,
too: nothing of ours imports it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from linewright.drivers.logged import read_any_log
from linewright.fit.exchange import read_xes
from linewright.fit.log import EventLog
from linewright.fit.mapping import Columns
from linewright.fit.ocel import read_ocel
from tests.parts import require
from tests.test_fit_reading import write_ocel, write_xes

PROGRAM = """
import json, sys, warnings
warnings.simplefilter("ignore")
import pm4py
xes = pm4py.read_xes("ours.xes.gz", variant="iterparse")
rows = [[str(v) for v in row] for row in xes[
    ["case:concept:name", "concept:name", "org:resource", "lifecycle:transition"]
].to_numpy().tolist()]
times = [t.timestamp() for t in xes["time:timestamp"]]
pm4py.write_xes(xes, "theirs.xes", case_id_key="case:concept:name")
told = {"xes": [[*row, time] for row, time in zip(rows, times)]}
ocel = pm4py.read_ocel2_json("ours.json")
told["objects"] = len(ocel.objects)
told["ocel"] = sorted(
    [str(e), str(a), t.timestamp(), str(o)] for e, a, t, o in ocel.relations[
        ["ocel:eid", "ocel:activity", "ocel:timestamp", "ocel:oid"]
    ].to_numpy().tolist()
)
pm4py.write_ocel2_json(ocel, "theirs.jsonocel")
pm4py.write_ocel2_xml(ocel, "theirs.xmlocel")
pm4py.write_ocel2_sqlite(ocel, "theirs.sqlite")
print("\\n" + json.dumps(told))
"""
COLUMNS = Columns(case="order", activity="type", station="machine", start="start",
                  end="time", queued="queued")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    require("pm4py")
    made = tmp_path_factory.mktemp("pm4py")
    write_xes(made / "ours.xes.gz")
    write_ocel(made / "ours.json")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=made, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    return made, json.loads(done.stdout.splitlines()[-1])


def test_both_read_the_same_of_xes(folder: tuple[Path, dict[str, Any]]) -> None:
    made, told = folder
    keys = ("case:concept:name", "concept:name", "org:resource", "lifecycle:transition")
    table = read_xes(made / "ours.xes.gz").table
    columns = (table[key].to_pylist() for key in keys)
    ours = [list(row) for row in zip(*columns, strict=True)]
    assert sorted(ours) == sorted(row[:4] for row in told["xes"])
    assert len(ours) > 20
    assert same(read_any_log(made / "ours.xes.gz"), read_any_log(made / "theirs.xes"))


def test_both_read_the_same_of_ocel(folder: tuple[Path, dict[str, Any]]) -> None:
    made, told = folder
    ours = read_any_log(made / "ours.json", COLUMNS)
    for name in ("theirs.jsonocel", "theirs.xmlocel", "theirs.sqlite"):
        assert same(ours, read_any_log(made / name, COLUMNS)), name
    table = read_ocel(made / "ours.json", COLUMNS).table
    pairs = {
        (number, kind, thing)
        for column in ("order", "machine")
        for number, kind, thing in zip(
            *(table[key].to_pylist() for key in ("id", "type", column)), strict=True
        )
    }
    assert pairs == {(event, kind, thing) for event, kind, _, thing in told["ocel"]}
    assert told["objects"] == 7


def same(one: EventLog, other: EventLog) -> bool:
    """Say whether two logs tell of the same work."""
    return rows(one) == rows(other)


def rows(log: EventLog) -> list[tuple[Any, ...]]:
    times = (log.queued_us, log.start_us, log.end_us)
    return sorted(
        (
            log.cases[log.case[i]],
            log.activities[log.activity[i]],
            log.stations[log.station[i]],
            *(int(column[i]) for column in times),
        )
        for i in range(len(log))
    )
