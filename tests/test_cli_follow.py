"""By command: a line follows a schedule, is scheduled anew on the way, and goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linewright.cli import main
from linewright.control.openings import standing
from linewright.control.wanted import wanted
from linewright.drivers.inbox import outcomes_of
from linewright.schedule import SCHEDULE_COLUMNS
from tests.test_schedule_line import WORKSHOP

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model, its schedule, and a journal that is on its way."""
    where = tmp_path_factory.mktemp("follow")
    (where / "w.yaml").write_text(WORKSHOP, encoding="utf-8")
    model, out = str(where / "w.yaml"), str(where / "plan")
    assert main(["schedule", model, "--limit", "1s", "--out", out, "--quiet"]) == 1
    assert run(where, "2027-01-04 07:30", "--schedule", out) == 0
    return where


def run(where: Path, until: str, *more: str) -> int:
    journal = str(where / "w.journal")
    return main(
        [
            "run",
            str(where / "w.yaml"),
            "--emulate",
            "--quiet",
            *("--journal", journal, "--until", until),
            *more,
        ]
    )


def test_a_line_is_scheduled_anew_on_its_way(folder: Path, capsys: Said) -> None:
    journal, model = str(folder / "w.journal"), str(folder / "w.yaml")
    before = standing(journal).core
    assert before.by_schedule is not None
    assert main(["order", journal, "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["orders"]
    assert {row["order"]: row["quantity"] for row in rows} == {"first": 2, "second": 1}
    better = str(folder / "better")
    command = ["schedule", model, "--from", journal, "--limit", "1s", "--json"]
    assert main([*command, "--out", better]) in {0, 1}
    made = json.loads(capsys.readouterr().out)
    begun = [row for row in made["schedule"] if row["frozen"]]
    assert begun
    assert all(row["start"] <= "2027-01-04T07:30" for row in begun)
    free = [row for row in made["schedule"] if not row["frozen"]]
    assert all(row["start"] >= "2027-01-04T07:00" for row in free)
    ask = ["reschedule", journal, better, "--reason", "a try", "--by", "Planner"]
    assert main([*ask, "--key", "anew", "--wait", "0", "--json"]) == 0
    capsys.readouterr()
    assert run(folder, "2027-01-06 12:00") == 0
    [outcome] = outcomes_of(journal, ["anew"])
    assert outcome is not None
    assert outcome.is_accepted, outcome.text
    after = standing(journal).core
    assert after.by_schedule is not None
    assert after.by_schedule.hash != before.by_schedule.hash
    assert (wanted(after).finished >= 0).all()
    assert wanted(after).done.sum() == 3
    capsys.readouterr()
    assert main(["verify", journal, "--redo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["redone"]
    assert main([*command]) == 2
    assert "all orders are done" in capsys.readouterr().err


def test_another_schedule_is_not_taken_by_a_mere_start(
    folder: Path, tmp_path: Path, capsys: Said
) -> None:
    text = (folder / "plan" / "schedule.csv").read_text(encoding="utf-8")
    other = tmp_path / "other.csv"
    other.write_text(text.replace("saw,saw,2,", "saw,saw,1,"), encoding="utf-8")
    assert run(folder, "2027-01-06 13:00", "--schedule", str(other)) == 2
    assert "hand the new one in with linewright reschedule" in capsys.readouterr().err
    plain = ["--journal", str(tmp_path / "plain.journal"), "--until", "1 h", "--quiet"]
    model = str(folder / "w.yaml")
    assert main(["run", model, "--emulate", *plain]) == 0
    again = ["run", model, "--emulate", *plain, "--schedule", str(folder / "plan")]
    assert main(again) == 2
    assert "was begun without a schedule" in capsys.readouterr().err
    assert main(["schedule", model, "--from", str(tmp_path / "plain.journal")]) == 2
    assert "begun without a schedule" in capsys.readouterr().err
    assert main(["reschedule", plain[1], str(other), "--reason", "a try"]) == 2
    assert "begun without a schedule" in capsys.readouterr().err


def test_what_cannot_be_followed_is_told_with_its_lines_and_no_journal_begins(
    folder: Path, tmp_path: Path, capsys: Said
) -> None:
    rows = (folder / "plan" / "schedule.csv").read_text(encoding="utf-8").split("\n")
    cells = [row.split(",") for row in rows[1:] if row]
    at = {name: i for i, name in enumerate(SCHEDULE_COLUMNS)}
    cells[0][at["operation"]] = "sav"
    cells[1][at["server"]] = "7"
    cells[2][at["part"]] = "zz:1"
    bad = tmp_path / "bad.csv"
    bad.write_text("\n".join([rows[0], *(",".join(row) for row in cells)]))
    model, journal = str(folder / "w.yaml"), tmp_path / "bad.journal"
    command = ["run", model, "--emulate", "--journal", str(journal), "--quiet"]
    assert main([*command, "--schedule", str(bad), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)["error"]["findings"]
    assert [(one["line"], one["code"]) for one in found[:3]] == [
        (2, "LW530"),
        (3, "LW530"),
        (4, "LW530"),
    ]
    assert found[0]["help"] == 'did you mean "saw"?'
    assert "found 7" in found[1]["message"]
    assert '"zz:1" is no part of this line' in found[2]["message"]
    assert not journal.exists()
    changed = tmp_path / "changed.yaml"
    changed.write_text(WORKSHOP.replace("count: 2", "count: 3"), encoding="utf-8")
    command[1] = str(changed)
    assert main([*command, "--schedule", str(folder / "plan")]) == 2
    said = capsys.readouterr().err
    assert "is a schedule of another model" in said
    assert "count 2 -> 3" in said or "count 3 -> 2" in said
    assert main([*command, "--schedule", str(tmp_path)]) == 2
    assert "is not the folder of a schedule" in capsys.readouterr().err
    assert not journal.exists()
