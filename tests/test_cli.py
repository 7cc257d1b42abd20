from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from linewright.cli import _look, main
from linewright.cli._arguments import EXAMPLES, new_parser
from linewright.console import ProgressBar, half_width
from linewright.model.load import load, loads
from linewright.results import COLUMNS, Result
from linewright.stats.intervals import mean_interval
from tests.model_texts import TEMPLATED

SMALL = """\
schema_version: 1
name: Small [line]
stations:
  cut: {process: exponential(4 min)}
  weld: {process: exponential(5 min), buffer: 3}
products:
  frame: {route: [cut, weld], demand: 9/h}
study: {horizon: 2 d, replications: 3}
"""
SHIFTED = "stations:\n  weld: {process: exponential(4 min)}\n"
DEADLOCK = """\
schema_version: 1
name: Stuck
stations:
  cut: {process: 4 min, buffer: 0}
  weld: {process: 5 min, buffer: 1}
products:
  frame: {route: [cut, {station: weld, inspection: {pass: 0.5, rework_to: cut}}]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty current folder with a model, an overlay and a line that stops."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "faster.yaml").write_text(f"base: small.yaml\nchanges:\n{_in(SHIFTED)}")
    (tmp_path / "stuck.yaml").write_text(DEADLOCK)
    return tmp_path


def _in(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


Said = pytest.CaptureFixture[str]


def json_of(said: Said) -> Any:
    return json.loads(said.readouterr().out)


def run(arguments: str) -> int:
    return main(shlex.split(arguments))


def process(
    *arguments: str, cwd: Path, **more: Any
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "linewright", *arguments]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, **more
    )


# ---------------------------------------------------------------- models


def test_init_then_check_finds_nothing(folder: Path, capsys: Said) -> None:
    assert main(["init", "mine"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{Path('mine') / 'model.yaml'}\n"
    assert main(["check", "mine/model.yaml"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no findings" in said.err
    assert main(["init", "mine"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["init", "line.yaml"]) == 2
    assert "name a folder" in capsys.readouterr().err


def test_check_says_where_and_what(folder: Path, capsys: Said) -> None:
    (folder / "bad.yaml").write_text(SMALL.replace("buffer: 3", "bufer: 3"))
    assert main(["check", "bad.yaml"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("bad.yaml:5:")
    assert 'did you mean "buffer"?' in said.out
    assert main(["check", "bad.yaml", "--json"]) == 1
    found = json_of(capsys)
    assert found["findings"][0]["line"] == 5
    assert main(["check", "stuck.yaml"]) == 1
    assert "LW304 warning: " in capsys.readouterr().out
    assert main(["check", "missing.yaml"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        "linewright check: missing.yaml: No such file or directory\n",
    )


def test_schema_migrate_diff_version(folder: Path, capsys: Said) -> None:
    assert main(["schema"]) == 0
    assert json_of(capsys)["title"] == "Linewright model"
    assert main(["migrate", "small.yaml"]) == 0
    said = capsys.readouterr()
    assert said.out == SMALL
    assert "already version 1" in said.err
    assert main(["migrate", "small.yaml", "--out", "new.yaml", "--quiet"]) == 0
    assert (folder / "new.yaml").read_text() == SMALL
    assert capsys.readouterr() == ("", "")
    assert main(["diff", "small.yaml", "faster.yaml"]) == 0
    assert "weld" in capsys.readouterr().out
    assert main(["diff", "small.yaml", "small.yaml", "--json"]) == 0
    assert json_of(capsys)["changes"] == []
    assert main(["version", "--json"]) == 0
    assert json_of(capsys)["linewright"]


def test_expand_prints_the_plain_model(folder: Path, capsys: Said) -> None:
    (folder / "cells.yaml").write_text(TEMPLATED)
    (folder / "more.yaml").write_text("changes: {parameters: {spares: 7}}\n")
    assert run("expand cells.yaml --overlay more.yaml --set cycle='8 min'") == 0
    plain = loads(capsys.readouterr().out)
    mill = plain.stations["cell-1.mill"]
    assert (str(mill.process), mill.failures["tool"].spares) == (
        "gamma(8 min, cv=0.3)",
        7,
    )
    assert run("expand cells.yaml --json --out plain.yaml") == 0
    line = load("cells.yaml")
    assert loads(json.dumps(json_of(capsys))) == line == load("plain.yaml")
    assert run("expand cells.yaml --set cycel=3") == 2
    assert 'did you mean "cycle"?' in capsys.readouterr().err


def test_set_gives_parameters_to_every_verb(folder: Path, capsys: Said) -> None:
    (folder / "cells.yaml").write_text(TEMPLATED)
    assert run("check cells.yaml --set spares=0") == 0
    assert run("check cells.yaml --set spares=few") == 1
    assert '$spares is "few", as given' in capsys.readouterr().out
    short = "--horizon '2 d' --replications 1 --quiet"
    assert run(f"simulate cells.yaml --set cycle='8 min' {short}") == 0
    result = Result.load("results/cells+cycle-8-min")
    mill = result.line.stations["cell-1.mill"]
    assert str(mill.process) == "gamma(8 min, cv=0.3)"
    assert run("check cells.yaml --set cycle") == 2
    assert 'write it like cycle="12 min"' in capsys.readouterr().err


# ---------------------------------------------------------------- simulate


def test_simulate_shows_and_saves(folder: Path, capsys: Said) -> None:
    assert main(["simulate", "small.yaml"]) == 0
    said = capsys.readouterr()
    assert "Small [line]: 3 replications of 2 d" in said.out
    for words in ("frame", "weld", "Warm-up: ", "Self-checks: all", "Seed 1, model "):
        assert words in said.out
    assert "\x1b" not in said.out + said.err  # no colors where there is no terminal
    assert "saved in results/small\n" in said.err
    result = Result.load("results/small")
    assert result.manifest["replications"] == 3
    gantt = result.table("gantt")
    assert gantt.column_names == list(COLUMNS["gantt"])
    assert 0 < gantt.num_rows < 20_000
    assert sorted(p.name for p in Path("results").iterdir()) == ["small"]


def test_simulate_in_json_is_nothing_but_json(folder: Path, capsys: Said) -> None:
    arguments = ["simulate", "small.yaml", "--replications", "1", "--horizon", "5 h"]
    assert main([*arguments, "--json", "--out", "a", "--seed", "7"]) == 0
    found = json_of(capsys)
    assert found["checks"]["ok"] is True
    assert (found["manifest"]["seed"], found["out"]) == (7, "a")
    assert {row["measure"] for row in found["summary"]} >= {"wip_mean", "utilization"}
    assert any(row["half_width"] is None for row in found["summary"])  # one replication


def test_options_reach_the_simulation(folder: Path, capsys: Said) -> None:
    code = run(
        "simulate small.yaml --overlay faster.yaml --warmup 1h --units 90 --workers 1 "
        "--study steady_state --confidence 99% --precision 0.5 --replications 12 "
        "--json -q"
    )
    assert code == 0
    manifest = json_of(capsys)["manifest"]
    assert manifest["confidence"] == 0.99
    assert manifest["units"] == 90
    assert manifest["precision"] == 0.5
    assert manifest["warmup_us"] == 3_600_000_000
    assert Path("results/small+faster/manifest.json").is_file()


def test_quiet_says_nothing(folder: Path, capsys: Said) -> None:
    assert run("simulate small.yaml --quiet --horizon 3h --out x") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--horizon 5parsecs", "not a unit"),
        ("--horizon 0", "above zero"),
        ("--replications 0", "one or more"),
        ("--workers 0", "one or more"),
        ("--precision 200%", "between 0 and 1"),
        ("--precision much", "invalid share value"),
        ("--study odd", "invalid choice"),
        ("--seed x", "invalid int value"),
        ("--out .", "choose another name"),
        ("--overlay missing.yaml", "missing.yaml"),
        ("--warmup 4d", "as long as the run"),
    ],
)
def test_a_wrong_option_is_one_clear_line(
    folder: Path, capsys: Said, arguments: str, words: str
) -> None:
    assert main(["simulate", "small.yaml", *arguments.split()]) == 2
    said = capsys.readouterr()
    assert words in said.err.strip().splitlines()[-1]
    assert "Traceback" not in said.err
    assert said.out == ""
    assert not Path("results").exists()


def test_an_error_in_json_is_json(folder: Path, capsys: Said) -> None:
    assert run("simulate small.yaml --horizon 0 --json") == 2
    assert json_of(capsys)["error"]["kind"] == "ValueError"
    (folder / "bad.yaml").write_text("name: x\n")
    assert run("simulate bad.yaml --json") == 2
    assert json_of(capsys)["error"]["findings"][0]["code"].startswith("LW")


def test_a_deadlock_is_named_and_is_a_finding(folder: Path, capsys: Said) -> None:
    assert run("simulate stuck.yaml") == 1
    said = capsys.readouterr()
    assert "deadlock at" in said.err
    assert "cut holds frame 2" in said.err
    assert run("why stuck.yaml --at 1d cut") == 1
    said = capsys.readouterr()
    assert "this closes a circle" in said.out
    assert "none of them can ever move" in said.out


def test_a_broken_law_is_loud(
    folder: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"law": "Little", "entity": "weld", "replication": 0}
    rows = [{**broken, "expected": 5, "found": 4, "ok": False}]
    monkeypatch.setattr(Result, "failed_checks", property(lambda _: rows))
    assert run("simulate small.yaml --horizon 3h") == 1
    said = capsys.readouterr()
    assert "SELF-CHECK FAILED: Little of weld (replication 0: expected 5" in said.out
    assert "SELF-CHECK FAILED" in said.err


def test_what_is_known_at_ctrl_c_is_kept(
    folder: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: ProgressBar, progress: Any) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(ProgressBar, "__call__", stop)
    assert run("simulate small.yaml --horizon 3h --workers 1") == 130
    said = capsys.readouterr()
    assert "interrupted after 2 of 3 replications" in said.err
    assert "INTERRUPTED" in said.out
    assert Result.load("results/small").manifest["replications"] == 2


def test_progress_tells_the_half_width() -> None:
    interval = mean_interval([9.0, 10.0, 11.0])
    assert half_width(interval, None) == "±25%"
    assert half_width(interval, 0.01) == "±25% → 1%"
    assert half_width(None, 0.01) == ""


# ---------------------------------------------------------------- compare, brief


def test_compare_pairs_the_scenarios(folder: Path, capsys: Said) -> None:
    assert run("compare small.yaml faster.yaml --json") == 0
    found = json_of(capsys)
    assert list(found["scenarios"]) == ["small", "faster"]
    throughput = found["comparisons"][0]
    assert throughput["measure"] == "throughput"
    assert throughput["difference"]["mean"] > 0
    assert throughput["variance_reduction"] > 1
    assert run("compare small.yaml --overlay faster.yaml --horizon 9h") == 0
    said = capsys.readouterr()
    assert "faster against small" in said.out
    assert "Common random numbers: seed 1, 3 pairs" in said.out


def test_compare_reads_results_as_it_reads_models(folder: Path, capsys: Said) -> None:
    for name in ("small", "faster"):
        assert main(["simulate", f"{name}.yaml", "-q"]) == 0
    capsys.readouterr()
    assert run("compare results/small results/faster --json") == 0
    from_results = json_of(capsys)["comparisons"]
    assert run("compare small.yaml faster.yaml --json") == 0
    assert json_of(capsys)["comparisons"] == from_results
    assert run("simulate faster.yaml --seed 2 -q --out other") == 0
    capsys.readouterr()
    assert run("compare results/small other") == 2
    assert "their seed differs (1 and 2)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    ["compare small.yaml", "compare small.yaml faster.yaml --overlay faster.yaml"],
)
def test_compare_needs_two(folder: Path, capsys: Said, arguments: str) -> None:
    assert main(arguments.split()) == 2
    assert "model" in capsys.readouterr().err


def test_brief_of_a_model_and_of_its_result_are_one(folder: Path, capsys: Said) -> None:
    pytest.importorskip("matplotlib")
    assert run("brief small.yaml --horizon 9h") == 0
    assert capsys.readouterr().out == "small.html\n"
    assert run("simulate small.yaml --horizon 9h -q") == 0
    capsys.readouterr()
    assert run("brief results/small --json") == 0
    assert json_of(capsys)["brief"] == "results/small/brief.html"
    page = Path("small.html").read_text(encoding="utf-8")
    assert page == Path("results/small/brief.html").read_text(encoding="utf-8")
    assert 'id="gantt"' in page


# ---------------------------------------------------------------- why, trace


def test_why_takes_times_in_three_forms(folder: Path, capsys: Said) -> None:
    said = []
    for at in ("1d10:30", "1 d 10 h 30 min", "2027-01-05 10:30"):
        assert main(["why", "small.yaml", "--at", at, "weld"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0].startswith("At Tue 2027-01-05 10:30 weld ")
    assert said.count(said[0]) == 3
    assert main(["why", "small.yaml", "--at", "1d", "frame:3", "--json"]) == 0
    found = json_of(capsys)
    assert found["at_us"] == 86_400_000_000
    assert found["deadlock"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--at noon weld", '"noon" is no time'),
        ("--at 1d wled", 'did you mean "weld"?'),
        ("--at 2020-01-01 weld", "before the line's start"),
    ],
)
def test_why_refuses_before_it_simulates(
    folder: Path,
    capsys: Said,
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    words: str,
) -> None:
    monkeypatch.setattr(_look, "tell_compiling", None)
    assert main(["why", "small.yaml", *arguments.split()]) == 2
    assert words in capsys.readouterr().err


def test_trace_to_a_file_of_a_unit_and_of_a_station(folder: Path, capsys: Said) -> None:
    assert run("trace small.yaml --out log.parquet --until 10h") == 0
    assert capsys.readouterr().out == "log.parquet\n"
    log = pq.read_table("log.parquet").to_pylist()
    assert run("trace small.yaml --unit frame:4 --until 10h --json") == 0
    life = json_of(capsys)["rows"]
    assert life == [r for r in log if (r["product"], r["part"]) == ("frame", 4)]
    assert run("trace small.yaml --station weld --until 10h") == 0
    said = capsys.readouterr().out
    assert "starved" in said
    assert "Mon 2027-01-04 00:00" in said
    assert run("trace small.yaml --station weld --out w.parquet -q") == 0
    assert pq.read_table("w.parquet").column_names == list(COLUMNS["gantt"])
    assert run("trace small.yaml") == 2
    assert run("trace small.yaml --unit frame") == 2
    assert run("trace small.yaml --unit frame:1 --station weld") == 2
    assert run("trace small.yaml --out no/log.parquet") == 2
    assert "Traceback" not in capsys.readouterr().err


# ---------------------------------------------------------------- the process


def test_help_has_examples(capsys: Said) -> None:
    assert main([]) == 2
    assert main(["--help"]) == 0
    capsys.readouterr()
    for verb in EXAMPLES:
        assert main([verb, "--help"]) == 0
        said = capsys.readouterr().out
        assert "examples:" in said
        assert "--json" in said
        for line in EXAMPLES[verb].splitlines():
            assert line in said


def test_examples_in_the_help_can_be_parsed() -> None:
    for text in EXAMPLES.values():
        for line in text.splitlines():
            words = shlex.split(line.partition(">")[0])[1:]
            assert new_parser().parse_args(words).run


def test_a_cold_process_without_colors(folder: Path) -> None:
    done = process("simulate", "small.yaml", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["checks"]["ok"]
    assert "saved in" in done.stderr


def test_a_reader_that_stops_early_is_no_error(folder: Path) -> None:
    command = [sys.executable, "-m", "linewright", "schema"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
    ) as started:
        assert started.stdout
        assert started.stderr
        started.stdout.close()
        said = started.stderr.read()
    assert said == b""
    assert started.returncode == 141


def test_check_starts_without_the_kernel(folder: Path) -> None:
    code = (
        "import sys; sys.modules['linewright.console'] = None;"
        "from linewright.cli import main; sys.exit(main(['check', 'small.yaml']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def heeded_ctrl_c() -> Iterator[None]:
    """Let processes be interrupted, which background jobs of a shell may ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_ctrl_c")
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_the_process_and_keeps_the_result(folder: Path) -> None:
    assert process("simulate", "small.yaml", "-q", cwd=folder).returncode == 0
    command = "simulate small.yaml --horizon 400d --replications 9999 --out kept"
    for wait_s in (5, 15, 45):  # how long a start takes, the machine knows alone
        with subprocess.Popen(
            [sys.executable, "-m", "linewright", *command.split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
        ) as started:
            time.sleep(wait_s)
            started.send_signal(signal.SIGINT)
            try:
                _, said = started.communicate(timeout=60)
            finally:
                started.kill()  # does nothing where it has ended
        if b"nothing was known yet" not in said:
            break
    assert started.returncode == 130, said
    assert b"Traceback" not in said
    assert Result.load(folder / "kept").manifest["stopped_early"] is True
    assert b"interrupted after" in said
