"""Trace, recall, spc and the export, as a user calls them."""

from __future__ import annotations

import csv
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from linewright.cli import main
from tests.parts import require

MODEL = """\
schema_version: 1
name: Shafts <b>
start: 2027-03-01 06:00
time_zone: Europe/Berlin
study: {horizon: 2 d, seed: 5}
materials:
  bar:
    stock: 40
    lots:
      - {number: B-7, supplier: Nordstahl, quantity: 30}
      - {number: B-8, quantity: 10}
    reorder_point: 80
    lot: 100
    lead_time: 2 h
stations:
  turn: {process: exponential(4 min), servers: 2}
  measure: {process: 2 min}
  pair: {process: 3 min}
products:
  shaft:
    release: {kind: always}
    bom: {bar: {quantity: 2, bought: true}}
    store: 20
    route:
      - station: turn
        characteristics:
          diameter: {unit: mm, nominal: 12, lower: 11.97, upper: 12.03, sd: 0.012}
          scratches: {counted: true, mean: 0.6, upper: 3}
      - {station: measure, inspection: {measures: [diameter, scratches], scrap: 1}}
  set:
    release: {every: 12 min}
    bom: {shaft: 2}
    route: [pair]
"""
Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with a model and the journal of its run."""
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "shop.yaml").write_text(MODEL)
        assert main(["run", "shop.yaml", "--emulate", "--quiet"]) == 0
        yield folder


def run(arguments: str) -> int:
    return main(shlex.split(arguments))


def told(said: Said, arguments: str) -> Any:
    said.readouterr()
    assert run(f"{arguments} --json --quiet") == 0
    return json.loads(said.readouterr().out)


def refused(said: Said, arguments: str, why: str) -> None:
    said.readouterr()
    assert run(arguments) == 2
    text = said.readouterr().err
    assert text.count("\n") == 1
    assert why in text


def test_journal_model_and_kept_run_give_one_answer(shop: Path, capsys: Said) -> None:
    assert run("trace shop.yaml --out run.units") == 0
    for question in ("trace {} set:7", "recall {} bar:2", "recall {} shaft:9"):
        found = [
            told(capsys, question.format(source))
            for source in ("shop.journal", "shop.yaml", "run.units")
        ]
        for other in found:
            other.pop("replication", None), other.pop("until_us", None)
        assert found[0] == found[1] == found[2]
    unit = told(capsys, "trace shop.journal set:7")
    assert [part["unit"].split()[0] for part in unit["made_of"]["units"]] == [
        "shaft"
    ] * 2
    shaft = unit["made_of"]["units"][0]
    assert sum(lot["quantity"] for lot in shaft["lots"]) == 2
    assert unit["as_built"] == [
        {"name": "shaft", "designed": 2, "built": 2, "differs": False}
    ]
    serial = shaft["unit"].split()[1]
    up = told(capsys, f"life shop.journal shaft:{serial} --up")
    assert up["went_into"]["units"][0]["unit"] == "set 7"
    assert {one["characteristic"] for one in up["measured"]} == {
        "diameter",
        "scratches",
    }


def test_a_recall_lists_lots_and_writes_who_holds_one(shop: Path, capsys: Said) -> None:
    lots = told(capsys, "recall shop.journal")["lots"]
    assert [lot["lot"] for lot in lots[:3]] == ["bar:0", "bar:1", "bar:2"]
    assert lots[0]["supplier"] == "Nordstahl"
    held = told(capsys, "recall shop.journal B-7")["units"]
    shafts = {one["unit"] for one in held if one["unit"].startswith("shaft")}
    assert len(shafts) == 15
    assert run("recall shop.journal B-7 --out held.csv") == 0
    assert "lot bar:0 (B-7, Nordstahl)" in capsys.readouterr().out
    rows = list(csv.DictReader((shop / "held.csv").read_text().splitlines()))
    assert [row["unit"] for row in rows] == [one["unit"] for one in held]
    assert rows[0]["released"] == "2027-03-01 06:00:00"


def test_bad_questions_get_one_line_each(shop: Path, capsys: Said) -> None:
    assert shop.is_dir()
    for arguments, why in (
        ("recall shop.journal bar:999", 'there is no lot "bar:999"'),
        ("recall shop.journal B-9", "the last ones are bar:"),
        ("recall shop.journal --out held.csv", "name the lot"),
        ("recall shop.journal bar:0 --seed 3", "--seed is for a model"),
        ("recall held.nothing bar:0", "held.nothing"),
        ("trace shop.journal", "name a unit of the journal"),
        ("trace shop.journal shaft:99999", "shaft 99999 is not in the journal"),
        ("trace shop.journal shafts:1", "is no unit"),
        ("trace shop.journal shaft:1 --up --down", "give either"),
        ("trace shop.journal shaft:1 --station turn", "are for the event log"),
        ("spc shop.journal --characteristic diametre", "shaft:diameter"),
        ("spc shop.journal --subgroup 0", "one or more"),
        ("run shop.yaml --ask-at-gates --opcua opc.tcp://[::1]:9", "with --emulate"),
    ):
        refused(capsys, arguments, why)


def test_spc_prints_a_table_and_writes_a_page_that_loads_nothing(
    shop: Path, capsys: Said
) -> None:
    found = told(capsys, "spc shop.journal --subgroup 5 --rules western_electric")
    diameter, scratches, rejected = found["studies"]
    assert [chart["name"] for chart in diameter["charts"]] == ["X-bar", "R", "EWMA"]
    assert [one["charts"][0]["name"] for one in (scratches, rejected)] == ["c", "p"]
    cp = diameter["capability"]["cp"]
    assert cp["low"] < 0.03 / (3 * 0.012) < cp["high"]
    share = rejected["charts"][0]["center"]
    assert share == pytest.approx(0.0157, abs=0.015)  # 1.2 % and 0.3 %
    assert not list(shop.glob("*.html"))

    assert run("spc shop.journal") == 0
    assert "shop-spc.html" in capsys.readouterr().out
    page = (shop / "shop-spc.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<figure>") == 3
    assert "<script" not in page


# ------------------------------------------------------------------ OCEL


TYPES = {"integer": int, "float": (int, float), "string": str}


def twice(names: list[str]) -> list[str]:
    return [f"{name} is there twice" for name in set(names) if names.count(name) > 1]


def wrong_in(log: dict[str, Any]) -> list[str]:
    """Return what of the rules of OCEL 2.0 a log breaks."""
    wrong, known = [], {one["id"] for one in log["objects"]}
    for part, of in (("objects", "objectTypes"), ("events", "eventTypes")):
        kinds = {
            one["name"]: {a["name"]: a["type"] for a in one["attributes"]}
            for one in log[of]
        }
        wrong += twice([one["name"] for one in log[of]])
        if len({one["id"] for one in log[part]}) < len(log[part]):
            wrong.append(f"{part}: an id is there twice")
        for one in log[part]:
            wrong += [f"{one['id']}: {why}" for why in wrong_with(one, kinds, known)]
    times = [datetime.fromisoformat(one["time"]) for one in log["events"]]
    if times != sorted(times) or any(at.utcoffset() is None for at in times):
        wrong.append("times are without a zone, or not in order")
    return wrong


def wrong_with(
    one: dict[str, Any], kinds: dict[str, dict[str, str]], known: set[str]
) -> Iterator[str]:
    """Yield what is wrong with an object or an event."""
    declared = kinds.get(one["type"])
    if declared is None:
        yield f"no type {one['type']}"
        return
    for attribute in one["attributes"]:
        kind = declared.get(attribute["name"])
        if kind is None or not isinstance(attribute["value"], TYPES[kind]):  # type: ignore[arg-type]
            yield f"{attribute} is not as declared"
        if "time" in attribute:
            datetime.fromisoformat(attribute["time"])
    for related in one["relationships"]:
        if related["objectId"] not in known or not related["qualifier"]:
            yield f"related to {related}"


def test_the_export_keeps_the_rules_of_ocel(shop: Path, capsys: Said) -> None:
    assert run("trace shop.journal --out shop.jsonocel") == 0
    log = json.loads((shop / "shop.jsonocel").read_text(encoding="utf-8"))
    assert wrong_in(log) == []
    assert run("trace shop.yaml --out again.jsonocel") == 0
    assert (shop / "again.jsonocel").read_bytes() == (
        shop / "shop.jsonocel"
    ).read_bytes()
    assert log["events"][0]["time"] == "2027-03-01T05:00:00+00:00"
    objects = {one["id"]: one for one in log["objects"]}
    taking = [
        related["objectId"]
        for one in log["events"]
        for related in one["relationships"]
        if related["qualifier"] == "takes from"
    ]
    assert {objects[key]["type"] for key in taking} == {"lot bar"}
    parts = [
        one["id"]
        for one in log["objects"]
        if any(of["qualifier"] == "part of" for of in one["relationships"])
    ]
    held = told(capsys, "recall shop.journal B-7")["units"]
    built_in = {f"unit/{one['unit']}" for one in held if one["fate"] == "built in"}
    assert built_in
    assert built_in <= set(parts)


def test_pm4py_opens_the_export(shop: Path) -> None:
    require("pm4py")
    assert run("trace shop.journal --out mined.jsonocel") == 0
    log = json.loads((shop / "mined.jsonocel").read_text(encoding="utf-8"))
    code = (
        "import pm4py; log = pm4py.read_ocel2_json('mined.jsonocel');"
        "print(); print(len(log.events), len(log.objects), len(log.o2o))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=shop, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    n_related = sum(len(one["relationships"]) for one in log["objects"])
    met = {one["objectId"] for of in log["events"] for one in of["relationships"]}
    wanted = f"{len(log['events'])} {len(met)} {n_related}"
    assert done.stdout.split("\n")[-2] == wanted
