"""Logs from files: every kind of trouble counted, whatever the file is."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from linewright.drivers.logged import read_any_log
from linewright.errors import ModelError
from linewright.fit.log import FAILURE, SETUP, UNKNOWN, WORK, EventLog
from linewright.fit.mapping import Columns, read_columns
from linewright.fit.reading import read_log

SHARED = Path(__file__).parents[2] / "shared" / "reference"
HEAD = "order,step,machine,begin,finish\n"
MAPPING = "case=order,activity=step,station=machine,start=begin,end=finish"
ROWS = [
    f"o{i},saw,m1,2027-01-04 0{6 + i // 10}:{i % 10 * 5:02}:00,"
    f"2027-01-04 0{6 + i // 10}:{i % 10 * 5 + 4:02}:00"
    for i in range(30)
]
BAD = {
    "missing": "o3,,m1,2027-01-04 09:00:00,2027-01-04 09:01:00",
    "no_station": "o4,saw,,2027-01-04 09:05:00,2027-01-04 09:06:00",
    "time_travel": "o5,saw,m1,2027-01-04 09:05:00,2027-01-04 09:01:00",
    "duplicate": ROWS[2],
    "overlap": "o6,drill,m2,2027-01-04 06:30:30,2027-01-04 06:40:00",
    "stray_time": "o7,saw,m1,1970-01-01 00:00:00,1970-01-01 00:01:00",
    "mixed_zones": "o8,drill,m2,2027-01-04 09:00:00+02:00,2027-01-04 09:05:00+02:00",
    "unreadable_time": "o9,drill,m2,soon,2027-01-04 09:05:00",
    "cells": "o9,drill,m2",
}


def _write(path: Path, rows: list[str]) -> Path:
    path.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def _of(log: EventLog) -> dict[str, int]:
    return {one.kind: one.count for one in log.problems}


def test_each_trouble_is_counted_with_its_row_and_the_rest_is_used(
    tmp_path: Path,
) -> None:
    path = _write(tmp_path / "log.csv", [*ROWS, *BAD.values()])
    log = read_log(path, read_columns(MAPPING))
    found = {one.kind: one for one in log.problems}
    # two cells of one row say their zone, so 38 - 2 starts and ends do not
    for kind in set(BAD) - {"mixed_zones", "missing"}:
        assert found[kind].count == 1, kind
    assert found["missing"].count == 2  # one of them has a start that is no time
    assert found["mixed_zones"].count > 30
    left_out = sum(one.rows_dropped for one in log.problems)
    assert len(log) == 30 + len(BAD) - left_out == 32
    shown = dict(found["time_travel"].examples)
    assert shown == {
        33: "case o5, saw at m1, 2027-01-04 09:05:00 to 2027-01-04 09:01:00"
    }
    at = int(np.flatnonzero(log.row == 37)[0])  # that with an offset, in UTC
    assert log.start_us[at] == 1_799_046_000_000_000
    clean = read_log(_write(tmp_path / "clean.csv", ROWS), read_columns(MAPPING))
    assert not clean.problems
    assert len(clean) == 30
    assert clean.resolution_us == 60_000_000


def test_a_wrong_mapping_names_the_nearest_column(tmp_path: Path) -> None:
    path = _write(tmp_path / "log.csv", ROWS)
    with pytest.raises(ModelError) as error:
        read_log(path, read_columns("case=ordr,activity=step,start=beginn,end=finish"))
    codes = [f.code for f in error.value.findings]
    assert codes == ["LW601", "LW601"]
    assert 'did you mean "order"?' in str(error.value)
    assert 'did you mean "begin"?' in str(error.value)
    with pytest.raises(ModelError, match="work cannot be told from waiting"):
        read_log(path, read_columns("case=order,activity=step,end=finish"))
    with pytest.raises(ModelError, match='"o0" is not a time'):
        read_log(
            path, read_columns("case=step,activity=machine,start=order,end=finish")
        )
    for wrong, said in (
        ("cse=order", 'did you mean "case"?'),
        ("case", "write it like case=order_id"),
        ("case=a,b", "write it like case=order_id"),
        ("case=a,case=b", "given twice"),
        ("zone=Europe/Viena", 'did you mean "Europe/Vienna"?'),
        ("duration-unit=fortnight", "allowed are"),
    ):
        with pytest.raises(ModelError) as error:
            read_columns(wrong)
        assert said in str(error.value)


def test_a_mapping_can_be_a_file_and_says_what_words_mean(tmp_path: Path) -> None:
    rows = [f"{row},{word}" for row, word in zip(ROWS, "DSBX" * 7 + "DD", strict=True)]
    path = tmp_path / "log.csv"
    path.write_text(HEAD.replace("\n", ",what\n") + "\n".join(rows) + "\n", "utf-8")
    mapping = tmp_path / "mapping.yaml"
    said = "\n".join(pair.replace("=", ": ") for pair in MAPPING.split(","))
    words = "{D: work, S: setup, B: failure, X: ignore}"
    mapping.write_text(f"{said}\nkind: what\nwords: {words}\n", "utf-8")
    log = read_log(path, read_columns(str(mapping)))
    counts = [int((log.kind == kind).sum()) for kind in (WORK, SETUP, FAILURE)]
    assert counts == [9, 7, 7]
    assert {"setup", "failure"} <= log.said
    mapping.write_text(f"{said}\nkind: what\nwords: {{D: wrk}}\n", "utf-8")
    with pytest.raises(ModelError, match='did you mean "work"'):
        read_columns(str(mapping))
    mapping.write_text(f"{said}\nkind: what\n", "utf-8")
    with pytest.raises(ModelError, match='has "D", "S", "B", "X"'):
        read_log(path, read_columns(str(mapping)))


def test_files_that_were_cut_off_say_so(tmp_path: Path) -> None:
    whole = (HEAD + "\n".join(ROWS * 40) + "\n").encode()
    packed = gzip.compress(whole)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(packed[: len(packed) - 40])
    log = read_log(cut, read_columns(MAPPING))
    assert _of(log)["truncated"] == 1
    assert 0 < len(log) <= 30
    plain = tmp_path / "cut.csv"
    plain.write_bytes(whole[:-50])
    assert _of(read_log(plain, read_columns(MAPPING)))["truncated"] == 1
    parquet = tmp_path / "cut.parquet"
    pq.write_table(pa_csv.read_csv(_write(tmp_path / "a.csv", ROWS)), parquet)
    assert len(read_log(parquet, read_columns(MAPPING))) == 30
    parquet.write_bytes(parquet.read_bytes()[:-20])
    with pytest.raises(ModelError, match="not a whole Parquet file"):
        read_log(parquet, read_columns(MAPPING))
    with pytest.raises(ModelError, match="No such file"):
        read_log(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ModelError, match="is empty"):
        read_log(tmp_path / "empty.csv")


def _steps() -> list[tuple[str, str, str, int, int, int]]:
    """Return case, operation, station, and minutes of coming, start and end."""
    return [
        (
            f"o{i}",
            step,
            f"m{k}",
            60 * i + 20 * k,
            60 * i + 20 * k + 5,
            60 * i + 20 * k + 15,
        )
        for i in range(5)
        for k, step in enumerate(("saw", "drill"))
    ]


def _at(minute: int) -> str:
    return f"2027-01-04T{6 + minute // 60:02}:{minute % 60:02}:00+01:00"


MOVES = ("schedule", "start", "complete")


def write_xes(path: Path) -> Path:
    text = ['<?xml version="1.0"?><log xmlns="http://www.xes-standard.org/">']
    for i in range(5):
        text.append(f'<trace><string key="concept:name" value="o{i}"/>')
        for case, step, station, *times in _steps():
            if case != f"o{i}":
                continue
            for move, minute in zip(MOVES, times, strict=True):
                text.append(
                    f'<event><string key="concept:name" value="{step}"/>'
                    f'<string key="org:resource" value="{station}"/>'
                    f'<string key="lifecycle:transition" value="{move}"/>'
                    f'<date key="time:timestamp" value="{_at(minute)}"/></event>'
                )
        text.append("</trace>")
    path.write_bytes(gzip.compress("\n".join([*text, "</log>"]).encode()))
    return path


def write_ocel(path: Path) -> Path:
    objects = [{"id": f"o{i}", "type": "order"} for i in range(5)]
    objects += [{"id": f"m{k}", "type": "machine"} for k in range(2)]
    events = [
        {
            "id": f"e{i}",
            "type": step,
            "time": _at(end),
            "attributes": [
                {"name": "start", "value": _at(start)},
                {"name": "queued", "value": _at(queued)},
            ],
            "relationships": [
                {"objectId": case, "qualifier": "for"},
                {"objectId": station, "qualifier": "at"},
            ],
        }
        for i, (case, step, station, queued, start, end) in enumerate(_steps())
    ]
    times = [{"name": name, "type": "time"} for name in ("start", "queued")]
    said = {
        "objectTypes": [{"name": n, "attributes": []} for n in ("order", "machine")],
        "eventTypes": [{"name": n, "attributes": times} for n in ("saw", "drill")],
        "objects": objects,
        "events": events,
    }
    path.write_text(json.dumps(said))
    return path


def _long_csv(path: Path) -> Path:
    with path.open("w", newline="") as file:
        out = csv.writer(file, delimiter=";")
        out.writerow(["case_id", "activity", "machine", "timestamp", "what"])
        for case, step, station, *times in _steps():
            for move, minute in zip(MOVES, times, strict=True):
                out.writerow([case, step, station, _at(minute), move])
    return path


def test_one_log_in_four_formats_is_one_log(tmp_path: Path) -> None:
    long_form = read_columns(
        "case=case_id,activity=activity,station=machine,time=timestamp,transition=what"
    )
    ocel = Columns(case="order", activity="type", station="machine", start="start",
                   end="time", queued="queued")  # fmt: skip
    logs = [
        read_any_log(write_xes(tmp_path / "log.xes.gz")),
        read_any_log(write_ocel(tmp_path / "log.json"), ocel),
        read_any_log(_long_csv(tmp_path / "long.csv"), long_form),
    ]
    want = [
        (case, step, station, *(1_799_038_800 + 60 * t for t in times))
        for case, step, station, *times in _steps()
    ]
    for log in logs:
        got = sorted(
            (
                log.cases[log.case[i]],
                log.activities[log.activity[i]],
                log.stations[log.station[i]],
                *(
                    int(a[i]) // 10**6
                    for a in (log.queued_us, log.start_us, log.end_us)
                ),
            )
            for i in range(len(log))
        )
        assert got == sorted(want)
        assert not log.problems
    guessed = read_any_log(tmp_path / "log.json")  # case and station by themselves
    assert [guessed.cases[i] for i in guessed.case[:3]] == ["o0", "o0", "o1"]


def test_documents_that_are_not_what_they_say_are_refused(tmp_path: Path) -> None:
    evil = tmp_path / "evil.xes"
    evil.write_text('<!DOCTYPE log [<!ENTITY a "b">]><log/>')
    with pytest.raises(ModelError, match="DOCTYPE"):
        read_any_log(evil)
    ends = tmp_path / "ends.xes"
    ends.write_text(
        gzip.decompress(write_xes(tmp_path / "a.xes").read_bytes())
        .decode()
        .replace('"start"', '"complete"')
        .replace('"schedule"', '"complete"')
    )
    with pytest.raises(ModelError, match="tells of no starts"):
        read_any_log(ends)
    cut = tmp_path / "cut.xes"
    cut.write_bytes(gzip.decompress((tmp_path / "a.xes").read_bytes())[:-300])
    assert _of(read_any_log(cut)).get("truncated") == 1
    for text, said in (("{}", "is not OCEL 2.0"), ("{", "is not JSON")):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(ModelError, match=said):
            read_any_log(tmp_path / "a.json")


PRODUCTION = SHARED / "event-log-production" / "open"
FACTORY = SHARED / "event-log-smart-factory" / "open" / "block-C.csv.gz"


@pytest.mark.skipif(not SHARED.is_dir(), reason="third-party data is not there")
def test_minutes_of_machines_are_a_log_of_their_states() -> None:
    """Minutes by state, items and products that were published of three machines."""
    path = SHARED / "machine-monitoring" / "open" / "company_A_labelled_subset.csv.gz"
    mapping = "case=product,activity=product,station=asset,duration=status_time,"
    mapping += "duration-unit=s,end=ts,quantity=items,product=product,kind=status,"
    mapping += "work=2.0,setup=1.0,failure=3.0,ignore=0.0"
    log = read_log(path, read_columns(mapping))
    assert not log.problems
    minutes = [int((log.kind == kind).sum()) for kind in (WORK, SETUP, FAILURE)]
    assert minutes == [8_390, 5_900, 202]
    assert log.quantity.sum() == 40_067
    assert (len(log.stations), len(log.products)) == (3, 14)


@pytest.mark.skipif(not SHARED.is_dir(), reason="third-party data is not there")
def test_published_facts_of_the_real_logs_come_out() -> None:
    """Counts and hours stated with the copies of the two logs."""
    full = read_log(
        PRODUCTION / "production_full_times.csv.gz",
        read_columns(
            "case=case_id,activity=activity,server=resource,start=start_timestamp,"
            "end=timestamp"
        ),
    )
    assert (len(full) + _of(full)["duplicate"], _of(full)["duplicate"]) == (4503, 51)
    assert len(full.cases) == 225
    turning = full.activities.index("Turning & Milling")
    repeated = 4503 - len(full)
    assert 0 <= 1269 - (full.activity == turning).sum() <= repeated
    quantities = read_log(
        PRODUCTION / "production_quantities.csv.gz",
        read_columns(
            "case=Case ID,activity=Activity,station=Resource.1,product=Part_Desc_,"
            "server=Resource,duration=activity_duration,end=Complete Timestamp,"
            "time-format=%d.%m.%Y %H:%M,kind=Report_Type,work=D,setup=S,failure=B,"
            "quantity=Qty_Completed"
        ),
    )
    dropped = sum(one.rows_dropped for one in quantities.problems)
    assert len(quantities) + dropped == 2489
    hours = {
        kind: (quantities.end_us - quantities.start_us)[quantities.kind == kind].sum()
        / 3.6e9
        for kind in (WORK, SETUP, FAILURE)
    }
    assert hours[SETUP] == pytest.approx(1922.85, rel=0.01)
    assert hours[FAILURE] == pytest.approx(115.533, abs=0.01)
    assert hours[WORK] == pytest.approx(6043.083, rel=0.01)
    log = read_log(
        FACTORY,
        read_columns(
            "case=case:concept:name,activity=concept:name,station=org:resource,"
            "product=process_model_id,time=time:timestamp,"
            "transition=lifecycle:transition,instance=event_id"
        ),
    )
    assert (len(log), len(log.cases)) == (379, 37)
    work_s = (log.end_us - log.start_us) / 1e6
    for name, mean_s, n in (
        ("/vgr/pick_up_and_transport", 36.37, 104),
        ("/hbw/store", 37.20, 13),
        ("/ov/burn", 30.45, 32),
    ):
        own = work_s[log.activity == log.activities.index(name)]
        assert len(own) == n
        # the published means are a second or two shorter than complete less start
        assert own.mean() == pytest.approx(mean_s, rel=0.1)
    wait_s = ((log.start_us - log.queued_us) / 1e6)[log.queued_us != UNKNOWN]
    assert np.median(wait_s) == pytest.approx(4.3, abs=0.1)
