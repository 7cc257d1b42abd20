"""Schedules of a line: orders in, table out, from a former one, and by command."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linewright.cli import main
from linewright.errors import LinewrightError, ModelError
from linewright.model.load import loads
from linewright.schedule import (
    SCHEDULE_COLUMNS,
    DatedOrder,
    orders_of,
    read_former,
    read_orders,
    read_table,
    schedule_line,
    write_table,
)

WORKSHOP = """
schema_version: 1
name: Workshop
start: 2027-01-04 00:00
time_zone: Europe/Vienna
calendar: day
calendars:
  day:
    shifts:
      - days: mon-fri
        from: "06:00"
        to: "14:00"
        breaks: [{from: "10:00", to: "10:30"}]
  never:
    shifts: [{days: mon-fri, from: "06:00", to: "14:00"}]
    exceptions: [{from: 2027-01-01, to: 2099-12-31}]
people: {crew: {count: 2, calendar: day}}
stations:
  saw: {process: 20 min, servers: 2}
  mill:
    setup: {by: family, time: 15 min, first: 5 min}
    people: {setup: crew, process: crew}
    failures: {jam: {every: exponential(30 h), repair: 30 min}}
  fit: {process: "lognormal(30 min, 0.3)"}
products:
  a: {family: A, route: [saw, {station: mill, process: 40 min}], release: with_parent}
  b: {family: B, route: [saw, {station: mill, process: 25 min}], release: with_parent}
  c: {bom: {a: 1, b: 2}, route: [fit], release: orders}
orders:
  - {id: first, product: c, quantity: 2, due: 2027-01-05 09:00}
  - {id: second, product: c, due: 2027-01-04 08:00, priority: 2}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("workshop") / "workshop.yaml"
    path.write_text(WORKSHOP, encoding="utf-8")
    return path


def test_a_table_comes_back_from_csv_and_parquet_as_it_was(tmp_path: Path) -> None:
    line = loads(WORKSHOP)
    schedule = schedule_line(line, limit_s=0.5, why=False)
    assert schedule.different == ()
    table = schedule.table()
    assert table.column_names == list(SCHEDULE_COLUMNS)
    assert len(table) == 3 * (1 + 2 * 3)
    starts = table.column("start").to_pylist()
    assert starts == sorted(starts)
    assert f"{starts[0]:%H:%M%z}" == "06:00+0100"
    for name in ("schedule.csv", "schedule.parquet"):
        write_table(tmp_path / name, table)
        again = read_table(tmp_path / name, line)
        assert again.to_pylist() == table.to_pylist()
    with pytest.raises(ValueError, match=r"neither \.csv nor \.parquet"):
        write_table(tmp_path / "schedule.txt", table)


def test_a_table_with_mistakes_is_refused_with_all_of_them(tmp_path: Path) -> None:
    file = tmp_path / "former.csv"
    file.write_text(
        "part,operation,station,server,start,end\n"
        "a:0,saw,saww,1,2027-01-04 06:00,2027-01-04 05:00\n"
        "a:0,mill,mill,one,soon,2027-01-04 08:00\n",
        encoding="utf-8",
    )
    with pytest.raises(ModelError) as error:
        read_table(file, loads(WORKSHOP))
    found = [(f.line, f.message, f.help) for f in error.value.findings]
    assert found == [
        (2, "end: it is before the start", ""),
        (2, 'station: "saww" is not a station', 'did you mean "saw"?'),
        (3, 'server: "one" is not a whole number, from 1', ""),
        (3, 'start: "soon" is not a time; write it like 2027-01-31 06:00+01:00', ""),
    ]


def test_what_is_frozen_stays_and_what_is_stable_moves_little(tmp_path: Path) -> None:
    line = loads(WORKSHOP)
    before = schedule_line(line, limit_s=0.5, why=False)
    before.save(tmp_path / "before")
    former = read_former(tmp_path / "before", line)
    hot = DatedOrder("hot", "c", 1, 0, 10 * 3_600_000_000, 5)
    orders = (*orders_of(line), hot)
    frozen_us = 8 * 3_600_000_000
    again = schedule_line(
        line,
        orders,
        objectives=("late_orders", "stability"),
        former=former,
        frozen_us=frozen_us,
        limit_s=2,
        why=False,
    )
    assert again.different == ()

    def starts(table: pa.Table) -> dict[tuple[str, ...], datetime]:
        names = ("order", "part", "operation")
        return {
            tuple(row[name] for name in names): row["start"]
            for row in table.to_pylist()
        }

    old, new = starts(before.table()), starts(again.table())
    fixed = [row for row in again.table().to_pylist() if row["frozen"]]
    assert fixed
    limit = min(old.values()).replace(hour=8)
    assert {key for key, at in old.items() if at < limit} == {
        (row["order"], row["part"], row["operation"]) for row in fixed
    }
    assert all(at == new[key] for key, at in old.items() if at < limit)
    for key, at in new.items():
        if key[0] == "hot":
            assert at >= limit


def test_without_chance_every_order_in_time_is_surely_so() -> None:
    text = WORKSHOP.replace('"lognormal(30 min, 0.3)"', "30 min").replace(
        "    failures: {jam: {every: exponential(30 h), repair: 30 min}}\n", ""
    )
    schedule = schedule_line(loads(text), limit_s=0.5, replications=5, why=False)
    rows = schedule.orders().to_pylist()
    assert {row["on_time"] for row in rows if row["late_s"] == 0} <= {1.0}
    assert {row["on_time"] for row in rows if row["late_s"] > 0} <= {0.0}
    chancy = schedule_line(loads(WORKSHOP), limit_s=0.5, replications=40, why=False)
    assert chancy.chances is not None
    assert chancy.chances.stuck == 0
    for interval in chancy.chances.on_time:
        assert 0 <= interval.low <= interval.mean <= interval.high <= 1


def test_a_late_order_is_traced_back_to_its_cause() -> None:
    schedule = schedule_line(loads(WORKSHOP), limit_s=2)
    late = {schedule.compiled.orders[row].id: causes for row, causes in schedule.late}
    assert set(late) == {"second"}  # 08:00 is too early for three parts
    causes = late["second"]
    assert causes[0].kind == "works"
    assert causes[0].text.startswith("c:2 fit at fit of order second")
    assert {cause.kind for cause in causes} <= {
        "works", "waits for", "occupied by", "off shift", "release", "idle",
    }  # fmt: skip
    for one, two in pairwise(causes):
        assert two.end_us <= one.end_us
    assert causes[-1].kind == "release"
    assert causes[-1].begin_us == 0
    now = schedule.levels[0].value
    assert all(relaxed.tardiness_us < now for relaxed in schedule.relaxations)


BAD = """id,product,quantity,release,due,priority
one,c,1,,2027-01-05 09:00,
two,d,1,,2027-01-05 09:00,
three,c,0,,2027-01-05 09:00,
four,c,9999999,,2027-01-05 09:00,
five,c,1,2027-01-06 06:00,2027-01-05 09:00,
six,c,1,,2027-01-05 09:00+01:00,
one,c,1,,soon,high
"""


def test_bad_orders_are_told_all_at_once_with_their_rows(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(BAD, encoding="utf-8")
    good, findings = read_orders(loads(WORKSHOP), file)
    assert [order.id for order in good] == ["one"]
    assert [(f.line, f.code) for f in findings] == [
        (3, "LW511"),  # no such product
        (4, "LW512"),  # none
        (5, "LW512"),  # absurdly many
        (6, "LW513"),  # due before its release
        (7, "LW513"),  # with an offset, and others without
        (8, "LW512"),  # no priority
        (8, "LW513"),  # no time
        (8, "LW510"),  # an order of that name is there
    ]
    assert findings[0].help == 'did you mean "c"?' or "c" in findings[0].message


def test_the_command_refuses_bad_orders_or_schedules_the_rest(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(BAD, encoding="utf-8")
    command = ["schedule", str(model), "--orders", str(file), "--limit", "1s", "--json"]
    assert main(command) == 2
    out = json.loads(capsys.readouterr().out)
    assert len(out["error"]["findings"]) == 8
    folder = tmp_path / "out"
    assert main([*command, "--skip-bad", "--out", str(folder)]) == 1
    out = json.loads(capsys.readouterr().out)
    assert [row["order"] for row in out["orders"]] == ["one"]
    assert len(out["manifest"]["dropped"]) == 8
    assert out["manifest"]["differences"] == 0
    saved = pq.read_table(folder / "schedule.parquet")
    assert saved.schema.field("start").metadata[b"description"]
    assert (folder / "schedule.csv").read_text().startswith("order,part,product,")
    assert main(["schedule", str(model), "--limit", "1s"]) == 1  # one order is late
    shown = capsys.readouterr().out
    assert "Workshop: 2 orders, 21 operations" in shown
    assert "bound" in shown
    assert 'Why "second" is late' in shown


def test_a_calendar_without_work_is_told_with_who_needs_it() -> None:
    text = WORKSHOP.replace("  fit: {process:", "  fit: {calendar: never, process:")
    with pytest.raises(ModelError) as error:
        schedule_line(loads(text), limit_s=1)
    (finding,) = error.value.findings
    assert finding.code == "LW514"
    assert '"fit" has no working time' in finding.message
    assert "first, second" in finding.message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"objectives": ("speed",)}, '"speed" is no objective'),
        ({"objectives": ("stability",)}, "former"),
        ({"limit_s": 0}, "time limit above zero"),
        ({"orders": ()}, "no orders to schedule"),
        ({"frozen_us": -1}, "below zero"),
    ],
)
def test_arguments_out_of_range_are_refused(
    arguments: dict[str, object], said: str
) -> None:
    with pytest.raises((ValueError, LinewrightError), match=said):
        schedule_line(loads(WORKSHOP), **arguments)  # type: ignore[arg-type]
