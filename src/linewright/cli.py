"""The command ``linewright``: arguments in, data on stdout, messages on stderr.

Every verb is a function that takes the arguments and returns the exit code: 0 all well,
1 a finding (of `check`, a failed self-check, a line that stands still), 2 a wrong
argument or a bad model, 130 interrupted. What goes wrong is one clear line and no
traceback. Modules that are slow to import are imported by the verbs that need them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewright.errors import (
    DeadlockError,
    Finding,
    KernelError,
    LinewrightError,
    ModelError,
    ResultError,
)
from linewright.units import UNITS_US, parse_duration_us
from linewright.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa

    from linewright.model.line import Line
    from linewright.results import Result

__all__ = ["main"]

OK, FOUND, WRONG, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141

GANTT_SPAN_US = 7 * UNITS_US["d"]
GANTT_ROWS = 5_000

Args = argparse.Namespace


class _NoPandas(MetaPathFinder):
    """Keeps Arrow from importing pandas: half a second for what no verb needs."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """Refuse pandas; leave everything else to the others."""
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Args:
        argv: Arguments without the command's name; those of the process by default.
    """
    if argv is None:
        sys.meta_path.insert(0, _NoPandas())
    try:
        args = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else WRONG
    try:
        code = _run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read us has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    if code == INTERRUPTED and argv is None:
        sys.stderr.flush()
        os._exit(code)  # threads in the middle of a replication are not waited for
    return code


def _run(args: Args) -> int:
    run: Callable[[Args], int] = args.run
    try:
        return run(args)
    except KeyboardInterrupt:
        print("interrupted; nothing was known yet", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except (DeadlockError, KernelError) as error:
        return _fail(args, error, FOUND)
    except (LinewrightError, OSError, ValueError) as error:
        return _fail(args, error, WRONG)


def _fail(args: Args, error: Exception, code: int) -> int:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else text
    if not isinstance(error, ModelError):
        text = f"linewright {args.verb}: {text}"
    print(text, file=sys.stderr)
    if args.json:
        findings = error.findings if isinstance(error, ModelError) else ()
        about: dict[str, Any] = {"kind": type(error).__name__, "message": str(error)}
        about["findings"] = [dataclasses.asdict(finding) for finding in findings]
        _print_json({"error": about})
    return code


# ---------------------------------------------------------------- saying things


def _say(args: Args, text: str) -> None:
    """Write a message, unless the user asked for quiet."""
    if not args.quiet:
        print(text, file=sys.stderr)


def _write(text: str) -> None:
    """Write data to stdout; what its encoding lacks becomes a question mark."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def _print_json(value: Any) -> None:
    _write(json.dumps(_plain(value), indent=2, ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: numbers that are none become null."""
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(below) for below in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _show(view: Any) -> None:
    from linewright.console import as_text  # noqa: PLC0415 - slow

    _write(as_text(view, sys.stdout))


def _tell_compiling(args: Args) -> None:
    """Say so where the first run will take a minute."""
    from linewright.kernel._jit import is_compiled  # noqa: PLC0415 - slow

    if os.environ.get("NUMBA_DISABLE_JIT") in {None, "", "0"} and not is_compiled():
        _say(args, "compiling the kernel once; about a minute")


# ---------------------------------------------------------------- models


def _load(args: Args, path: str, overlays: Sequence[str] = ()) -> Line:
    """Return a checked line, and tell of the warnings about it."""
    from linewright.model.check import load_checked  # noqa: PLC0415 - slow

    line, warnings = load_checked(path, overlays)
    for finding in warnings:
        _say(args, f"{finding}")
    return line


def _is_result(path: str) -> bool:
    return Path(path).is_dir()


def _slug(*paths: str) -> str:
    """Return the name of a model file, with its overlays, as a name for results."""
    stems = "+".join(Path(path).stem for path in paths)
    return re.sub(r"[^\w+.-]+", "-", stems).strip("-.") or "model"


def _init(args: Args) -> int:
    from linewright.model.init import init  # noqa: PLC0415 - slow

    if Path(args.folder).suffix in {".yaml", ".yml", ".json"}:
        msg = f"{args.folder} looks like a file; name a folder for the model"
        raise ValueError(msg)
    model, schema = init(args.folder)
    if args.json:
        _print_json({"model": str(model), "schema": str(schema)})
        return OK
    _write(f"{model}\n")
    _say(args, f"next: linewright check {model}")
    return OK


def _check(args: Args) -> int:
    from linewright.model.check import check  # noqa: PLC0415 - slow
    from linewright.model.load import read  # noqa: PLC0415

    for path in (args.model, *args.overlay):
        with Path(path).open("rb"):  # a file that is not there is no finding
            pass
    try:
        loaded = read(args.model, args.overlay)
        findings = check(loaded.line, loaded.positions)
    except ModelError as error:
        findings = list(error.findings)
    if args.json:
        rows = [dataclasses.asdict(finding) for finding in findings]
        _print_json({"model": args.model, "ok": not rows, "findings": rows})
    else:
        _write("".join(f"{_with_severity(finding)}\n" for finding in findings))
    if not findings:
        _say(args, f"{args.model}: no findings")
    return FOUND if findings else OK


def _with_severity(finding: Finding) -> str:
    text = str(finding)
    if finding.severity == "error":
        return text
    return text.replace(f" {finding.code} ", f" {finding.code} {finding.severity}: ", 1)


def _schema(args: Args) -> int:
    from linewright.model.schema import json_schema  # noqa: PLC0415 - slow

    _print_json(json_schema())
    return OK


def _migrate(args: Args) -> int:
    from linewright.model.load import write_whole  # noqa: PLC0415 - slow
    from linewright.model.migrate import migrate  # noqa: PLC0415
    from linewright.model.source import read_text  # noqa: PLC0415

    text, done = migrate(read_text(Path(args.model), args.model), args.model)
    if args.out:
        write_whole(Path(args.out), text)
    if args.json:
        _print_json({"model": args.model, "done": done, "text": text})
    elif not args.out:
        _write(text)
    _say(args, f"{args.model}: {done}")
    return OK


def _diff(args: Args) -> int:
    from linewright.model.diff import diff  # noqa: PLC0415 - slow
    from linewright.model.load import load  # noqa: PLC0415

    changes = diff(load(args.before), load(args.after))
    if args.json:
        _print_json({"before": args.before, "after": args.after, "changes": changes})
    else:
        _write("".join(f"{change}\n" for change in changes))
    if not changes:
        _say(args, "both say the same")
    return OK


# ---------------------------------------------------------------- simulate


_STUDY_OPTIONS = (
    "horizon", "replications", "warmup", "seed", "study", "precision", "confidence",
    "units", "workers",
)  # fmt: skip


def _options(args: Args) -> dict[str, Any]:
    return {name: getattr(args, name) for name in _STUDY_OPTIONS}


def _simulated(args: Args, line: Line, options: dict[str, Any]) -> Result:
    """Simulate with a progress bar; the chart of the first hours is filled in."""
    from linewright.console import ProgressBar  # noqa: PLC0415 - slow
    from linewright.simulate import simulate  # noqa: PLC0415

    if args.workers is not None and args.workers < 1:
        msg = f"workers is {args.workers}; it is one or more"
        raise ValueError(msg)
    _tell_compiling(args)
    stream = Path(os.devnull).open("w") if args.quiet else sys.stderr  # noqa: SIM115
    try:
        with ProgressBar(stream, line.name, options["precision"]) as bar:
            result = simulate(line, on_progress=bar, **options)
    finally:
        if args.quiet:
            stream.close()
    return _with_gantt(line, result)


def _with_gantt(line: Line, result: Result) -> Result:
    from linewright.lower import lower  # noqa: PLC0415 - slow
    from linewright.traces import gantt  # noqa: PLC0415

    m = result.manifest
    lowered = lower(line, m["horizon_us"])
    span_us = min(m["horizon_us"], GANTT_SPAN_US)
    chart = gantt(lowered, m["seed"], span_us, GANTT_ROWS + len(lowered.names.servers))
    return dataclasses.replace(result, tables={**result.tables, "gantt": chart})


def _simulate(args: Args) -> int:
    from linewright.console import result_view  # noqa: PLC0415 - slow

    line = _load(args, args.model, args.overlay)
    out = Path(args.out or Path("results") / _slug(args.model, *args.overlay))
    _refuse_to_replace(out)
    result = _simulated(args, line, _options(args))
    if args.json:
        _print_json(_result_json(result) | {"out": str(out)})
    else:
        _show(result_view(result))
    result.save(out)
    _say(args, f"saved in {out}")
    return _verdict(args, result)


def _refuse_to_replace(out: Path) -> None:
    """Raise before the work where the result could not be saved after it."""
    if not out.exists() or (out / "manifest.json").is_file():
        return
    if not out.is_dir() or any(out.iterdir()):
        msg = f"{out} exists and is not a result; choose another name with --out"
        raise ResultError(msg)


def _result_json(result: Result) -> dict[str, Any]:
    return {
        "manifest": result.manifest,
        "summary": result.table("summary").to_pylist(),
        "checks": {
            "ok": not result.failed_checks,
            "count": result.table("checks").num_rows,
            "failed": result.failed_checks,
        },
    }


def _verdict(args: Args, *results: Result) -> int:
    """Return the exit code that results call for, and say why it is not 0."""
    code = OK
    for result in results:
        m = result.manifest
        if result.failed_checks:
            n = len(result.failed_checks)
            print(f"SELF-CHECK FAILED: {n} laws are broken", file=sys.stderr)
            code = FOUND
        if m["standstill"]:
            print("the line stood still with parts in it", file=sys.stderr)
            code = FOUND
    for result in results:
        m = result.manifest
        if m["stopped_early"]:
            done, asked = m["replications"], m["replications_asked"]
            print(f"interrupted after {done} of {asked} replications", file=sys.stderr)
            return INTERRUPTED
    return code


def _brief(args: Args) -> int:
    from linewright.report import write_brief  # noqa: PLC0415 - slow
    from linewright.results import Result  # noqa: PLC0415

    if _is_result(args.model):
        result = Result.load(args.model)
        out = Path(args.out or Path(args.model) / "brief.html")
    else:
        line = _load(args, args.model, args.overlay)
        out = Path(args.out or f"{_slug(args.model, *args.overlay)}.html")
        out.parent.mkdir(parents=True, exist_ok=True)
        result = _simulated(args, line, _options(args))
    path = write_brief(result, out)
    if args.json:
        _print_json({"brief": str(path), "manifest": result.manifest})
    else:
        _write(f"{path}\n")
    return _verdict(args, result)


# ---------------------------------------------------------------- compare


def _compare(args: Args) -> int:
    from linewright.console import comparison_view  # noqa: PLC0415 - slow
    from linewright.stats.compare import compare  # noqa: PLC0415

    results = _scenarios(args)
    confidence = args.confidence
    n = min(result.manifest["replications"] for result in results.values())
    values: dict[str, dict[str, Any]] = {}
    units: dict[str, str] = {}
    for scenario, result in results.items():
        found = _values(result)
        units |= {measure: unit for measure, (unit, _) in found.items()}
        values[scenario] = {measure: v[:n] for measure, (_, v) in found.items()}
    compared = compare(values, confidence)
    seed = next(iter(results.values())).manifest["seed"]
    if args.json:
        rows = [
            dataclasses.asdict(c)
            | {
                "unit": units[c.measure],
                "significant": c.significant,
                "relative_difference": c.relative_difference,
                "method": c.method,
            }
            for c in compared
        ]
        manifests = {name: result.manifest for name, result in results.items()}
        _print_json({"comparisons": rows, "scenarios": manifests})
    else:
        _show(comparison_view(compared, units, seed, n))
    return _verdict(args, *results.values())


def _scenarios(args: Args) -> dict[str, Result]:
    """Return the results to compare by name, the baseline first."""
    sources: list[tuple[str, tuple[str, ...]]] = [(path, ()) for path in args.models]
    if args.overlay:
        if len(sources) > 1:
            msg = "overlays go with one base model; name either models or overlays"
            raise ValueError(msg)
        sources += [(args.models[0], (overlay,)) for overlay in args.overlay]
    if len(sources) < 2:
        msg = "a comparison needs two models or results, or a model and an --overlay"
        raise ValueError(msg)
    names = _distinct([_slug(*(overlays or (path,))) for path, overlays in sources])
    results: dict[str, Result] = {}
    options = _options(args)
    for name, (path, overlays) in zip(names, sources, strict=True):
        results[name] = _one_scenario(args, path, overlays, options)
        if len(results) == 1:
            options = _same_study(args, results[name])
        if results[name].manifest["stopped_early"]:
            break
    if len(results) < 2:
        raise KeyboardInterrupt
    _refuse_unpaired(results)
    return results


def _distinct(names: list[str]) -> list[str]:
    """Return names with a number behind those that come twice."""
    return [
        name if names.count(name) == 1 else f"{name} {names[: i + 1].count(name)}"
        for i, name in enumerate(names)
    ]


def _one_scenario(
    args: Args, path: str, overlays: Sequence[str], options: dict[str, Any]
) -> Result:
    from linewright.results import Result  # noqa: PLC0415 - slow

    if _is_result(path):
        return Result.load(path)
    try:
        return _simulated(args, _load(args, path, overlays), options)
    except DeadlockError as error:
        msg = f"{' + '.join((path, *overlays))}: {error}"
        raise DeadlockError(msg) from error


def _same_study(args: Args, base: Result) -> dict[str, Any]:
    """Return the options that give another scenario the study of the first."""
    m = base.manifest
    steady = m["study"] == "steady_state"
    return _options(args) | {
        "horizon": m["horizon_us"],
        "replications": m["replications"],
        "seed": m["seed"],
        "study": m["study"],
        "units": m["units"],
        "warmup": args.warmup or ("auto" if steady else None),
        "precision": None,
    }


def _refuse_unpaired(results: dict[str, Result]) -> None:
    """Raise where replications of two results do not belong together."""
    (first, base), *others = results.items()
    for name, result in others:
        for key, what in (("seed", "seed"), ("horizon_us", "horizon in microseconds")):
            one, two = base.manifest[key], result.manifest[key]
            if one != two:
                msg = (
                    f"{first} and {name} cannot be paired: their {what} differs "
                    f"({one} and {two})"
                )
                raise ValueError(msg)


def _values(result: Result) -> dict[str, tuple[str, Any]]:
    """Return unit and values, one for each replication, of the measures compared."""
    import numpy as np  # noqa: PLC0415 - slow

    n, names = result.manifest["replications"], list(result.line.products)

    def column(table: str, field: str) -> Any:
        values = result.table(table)[field].to_numpy(zero_copy_only=False)
        return values.astype(float).reshape(n, -1)

    hours = _hours(result)[:, None]
    rates = column("products", "finished") / hours
    final = [i for i, name in enumerate(names) if _leaves(result.line, name)]
    found = {"throughput": ("units/h", rates[:, final].sum(axis=1))}
    if len(final) > 1:
        found |= {f"throughput of {names[i]}": ("units/h", rates[:, i]) for i in final}
    flows = column("products", "flow_mean_s") / 3600
    found |= {f"flow time of {names[i]}": ("h", flows[:, i]) for i in final}
    wip = column("products", "wip_mean").sum(axis=1)
    found["parts in the line"] = ("parts", wip)
    due = column("orders", "due_us")
    if due.size and (due >= 0).any():
        late = column("orders", "tardiness_s")
        done = (column("orders", "finished_us") >= 0) & (late == 0)
        on_time = np.where(due >= 0, done, np.nan)
        found["orders on time"] = ("%", 100 * np.nanmean(on_time, axis=1))
        tardy = np.nanmean(np.where(due >= 0, late, np.nan), axis=1) / 3600
        found["mean tardiness"] = ("h", tardy)
    return found


def _hours(result: Result) -> Any:
    """Return the hours that each replication counted."""
    from linewright.tables import MODE_NAMES  # noqa: PLC0415 - slow

    n = result.manifest["replications"]
    columns = [result.table("stations")[mode].to_numpy() for mode in MODE_NAMES]
    whole = sum(columns).reshape(n, -1)[:, 0]
    servers = next(iter(result.line.stations.values())).servers
    return whole / servers / 3.6e9


def _leaves(line: Line, product: str) -> bool:
    """Say whether units of a product leave the line, and not into other units."""
    used = any(
        product in other.bom and not other.bom[product].bought
        for other in line.products.values()
    )
    return not used and not any(step.makes for step in line.products[product].route)


# ---------------------------------------------------------------- why, trace


_CLOCK = re.compile(r"(?:(\d+)\s*d\s*)?(\d{1,2}):(\d\d)(?::(\d\d))?")


def _instant(text: str, line: Line) -> int:
    """Return the tick of ``3d10:42``, ``3 d 10 h`` or a local date and time.

    Raises:
        ValueError: The text is none of these, or lies before the start.
    """
    from linewright.model.calendars import to_tick  # noqa: PLC0415 - slow

    if found := _CLOCK.fullmatch(text.strip()):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * UNITS_US["s"]
    try:
        at_us = to_tick(
            datetime.fromisoformat(text.strip()), line.start, line.time_zone
        )
    except ValueError:
        try:
            return parse_duration_us(text)
        except ValueError as error:
            msg = (
                f'"{text}" is no time; write it like 3d10:42, "3 d 10 h" or '
                f'"{line.start:%Y-%m-%d} 10:42"'
            )
            raise ValueError(msg) from error
    if at_us < 0:
        msg = f"{text} is before the line's start, {line.start:%Y-%m-%d %H:%M}"
        raise ValueError(msg)
    return at_us


def _why(args: Args) -> int:
    from linewright import tables as t  # noqa: PLC0415 - slow
    from linewright.lower import lower, new_draws, new_state  # noqa: PLC0415
    from linewright.replicate import run_until  # noqa: PLC0415
    from linewright.why import describe_deadlock, find_entity, why  # noqa: PLC0415

    line = _load(args, args.model, args.overlay)
    at_us = _instant(args.at, line)
    lowered = lower(line, max(line.study.horizon, at_us))
    find_entity(lowered, args.entity)  # a slip of the pen costs no simulation
    seed = line.study.seed if args.seed is None else args.seed
    _tell_compiling(args)
    draws = new_draws(lowered, seed, args.replication)
    code, state = run_until(lowered, new_state(lowered), draws, at_us)
    text = why(lowered, state, args.entity, line)
    dead = describe_deadlock(lowered, state, line) if code == t.DEADLOCK else ""
    if args.json:
        now_us = int(state.clock["now"][0])
        about = {"entity": args.entity, "at_us": now_us, "why": text}
        _print_json(about | {"deadlock": dead or None, "seed": seed})
    else:
        _write(text + "\n")
        if dead:
            _write(dead + "\n")
    return FOUND if dead else OK


def _trace(args: Args) -> int:
    from linewright.lower import lower  # noqa: PLC0415 - slow
    from linewright.model.load import model_hash  # noqa: PLC0415
    from linewright.traces import write_trace  # noqa: PLC0415

    line = _load(args, args.model, args.overlay)
    until_us = line.study.horizon if args.until is None else _instant(args.until, line)
    lowered = lower(line, max(line.study.horizon, until_us))
    seed = line.study.seed if args.seed is None else args.seed
    if args.unit or args.station:
        return _trace_some(args, line, lowered, seed, until_us)
    if not args.out:
        msg = "the whole event log goes to a file: --out log.parquet"
        raise ValueError(msg)
    _tell_compiling(args)
    n_rows = write_trace(
        args.out, lowered, seed, args.replication, until_us, model_hash(line)
    )
    if args.json:
        _print_json({"trace": args.out, "rows": n_rows, "seed": seed})
    else:
        _write(f"{args.out}\n")
    _say(args, f"{n_rows:,} rows")
    return OK


def _trace_some(args: Args, line: Line, lowered: Any, seed: int, until_us: int) -> int:
    """Trace one unit, or one station."""
    from linewright.traces import gantt, unit_life, write_table  # noqa: PLC0415

    if args.unit and args.station:
        msg = "give either --unit or --station"
        raise ValueError(msg)
    product, _, serial = (args.unit or "").rpartition(":")
    if args.unit and not (product and serial.isdecimal()):
        msg = f'"{args.unit}" is no unit; write it like frame:17'
        raise ValueError(msg)
    _tell_compiling(args)
    if args.unit:
        found = unit_life(
            lowered, seed, args.replication, until_us, product, int(serial)
        )
    else:
        rows = 1 << 40
        found = gantt(lowered, seed, until_us, rows, args.station, args.replication)
    if args.out:
        write_table(args.out, found)
    if args.json:
        _print_json({"rows": found.to_pylist(), "seed": seed})
    elif args.out:
        _write(f"{args.out}\n")
    else:
        _show_rows(line, found)
    if not found.num_rows:
        _say(args, "nothing of it happened until then")
    return OK


def _show_rows(line: Line, found: pa.Table) -> None:
    """Show a table with local times, without the columns in which nothing stands."""
    from linewright.console import table_view  # noqa: PLC0415 - slow
    from linewright.why import local_time  # noqa: PLC0415

    heads = {"time_us": "time", "start_us": "from", "end_us": "until"}
    columns: dict[str, list[Any]] = {}
    for name in found.column_names:
        values = found[name].to_pylist()
        if name in heads:
            values = [local_time(line, value) for value in values]
        if any(value is not None for value in values):
            columns[heads.get(name, name)] = values
    texts = [
        ["" if v is None else str(v).replace("_", " ") for v in values]
        for values in columns.values()
    ]
    _show(table_view(list(columns), zip(*texts, strict=True)))


def _version(args: Args) -> int:
    if args.json:
        import numba  # noqa: PLC0415 - slow
        import numpy as np  # noqa: PLC0415

        about = {"linewright": __version__, "python": sys.version.split()[0]}
        _print_json(about | {"numpy": np.__version__, "numba": numba.__version__})
    else:
        _write(f"linewright {__version__}\n")
    return OK


# ---------------------------------------------------------------- arguments


def _share_of_one(text: str) -> float:
    """Read ``1%`` or ``0.01``."""
    if text.strip().endswith("%"):
        return float(text.strip()[:-1]) / 100
    return float(text)


_share_of_one.__name__ = "share"  # argparse names it: invalid share value

_EXAMPLES = {
    "init": "linewright init my-line",
    "check": "linewright check plant.yaml\n"
    "linewright check plant.yaml --overlay saturday-shift.yaml --json",
    "schema": "linewright schema > linewright.schema.json",
    "migrate": "linewright migrate old.yaml --out new.yaml",
    "diff": "linewright diff plant.yaml plant-with-second-oven.yaml",
    "simulate": "linewright simulate plant.yaml\n"
    'linewright simulate plant.yaml --horizon "52 weeks" --replications 50\n'
    "linewright simulate plant.yaml --precision 1% --out results/today\n"
    "linewright simulate plant.yaml --overlay saturday-shift.yaml --json",
    "compare": "linewright compare plant.yaml second-oven.yaml\n"
    "linewright compare plant.yaml --overlay oven.yaml --overlay shift.yaml\n"
    "linewright compare results/monday results/tuesday",
    "brief": "linewright brief plant.yaml --out plant.html\n"
    "linewright brief results/plant",
    "why": "linewright why plant.yaml --at 3d10:42 weld\n"
    'linewright why plant.yaml --at "2027-01-07 10:42" frame:17',
    "trace": "linewright trace plant.yaml --out log.parquet\n"
    "linewright trace plant.yaml --unit frame:17\n"
    'linewright trace plant.yaml --station weld --until "2 d"',
    "version": "linewright version --json",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="linewright",
        description="One model of a production line: check it, simulate it, compare "
        "designs, and show the result.",
        epilog="Exit codes: 0 all well; 1 findings, a failed self-check, or a line "
        "that stands still; 2 wrong arguments or a bad model; 130 interrupted. "
        "`linewright VERB --help` has examples.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"linewright {__version__}"
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for add in (_add_model_verbs, _add_study_verbs, _add_look_verbs):
        add(verbs)
    return parser


def _verb(
    verbs: Any, name: str, run: Callable[[Args], int], text: str
) -> argparse.ArgumentParser:
    examples = "\n".join(f"  {line}" for line in _EXAMPLES[name].splitlines())
    added: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    added.set_defaults(run=run)
    added.add_argument("--json", action="store_true", help="JSON on stdout")
    added.add_argument("--quiet", "-q", action="store_true", help="errors only")
    return added


def _add_overlay(verb: argparse.ArgumentParser, text: str) -> None:
    verb.add_argument(
        "--overlay", metavar="FILE", action="append", default=[], help=text
    )


_OVERLAY = "overlay to lay over the model; may be given again"


def _add_model_verbs(verbs: Any) -> None:
    init = _verb(verbs, "init", _init, "write a first model, with comments")
    init.add_argument("folder", nargs="?", default=".", metavar="FOLDER")
    check = _verb(verbs, "check", _check, "find what is wrong with a model")
    check.add_argument("model", metavar="MODEL")
    _add_overlay(check, _OVERLAY)
    _verb(verbs, "schema", _schema, "print the JSON Schema of the model file")
    migrate = _verb(verbs, "migrate", _migrate, "bring an older model up to date")
    migrate.add_argument("model", metavar="MODEL")
    migrate.add_argument("--out", metavar="FILE", help="file to write; else stdout")
    diff = _verb(verbs, "diff", _diff, "say in words what changed between two models")
    diff.add_argument("before", metavar="A")
    diff.add_argument("after", metavar="B")
    _verb(verbs, "version", _version, "print the version")


def _add_study_verbs(verbs: Any) -> None:
    simulate = _verb(verbs, "simulate", _simulate, "simulate a line")
    simulate.add_argument("model", metavar="MODEL")
    _add_overlay(simulate, _OVERLAY)
    _add_study(simulate)
    simulate.add_argument(
        "--out", metavar="DIR", help="result folder; results/NAME by default"
    )
    compare = _verb(
        verbs, "compare", _compare, "compare scenarios on common random numbers"
    )
    compare.add_argument("models", metavar="MODEL_OR_RESULT", nargs="+")
    _add_overlay(
        compare, "a scenario of its own over the one model; may be given again"
    )
    _add_study(compare)
    brief = _verb(verbs, "brief", _brief, "write the brief, one HTML file")
    brief.add_argument("model", metavar="MODEL_OR_RESULT")
    _add_overlay(brief, _OVERLAY)
    _add_study(brief)
    brief.add_argument(
        "--out", metavar="FILE", help="NAME.html or RESULT/brief.html by default"
    )


def _add_study(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument_group("study (as in the model by default)").add_argument
    add("--horizon", metavar="TIME", help='length of a replication, "52 weeks"')
    add("--replications", metavar="N", type=int, help="independent runs, or the most")
    add("--warmup", metavar="TIME", help='time cut from the start, or "auto"')
    add("--seed", metavar="N", type=int, help="same seed, same numbers")
    add("--study", choices=("terminating", "steady_state"))
    _add_share(add, "--precision", None, "stop at this share of the throughput: 1%%")
    _add_share(add, "--confidence", 0.95, "confidence of intervals: 95%%")
    add("--units", metavar="N", type=int, help="stop when so many units have left")
    add("--workers", metavar="N", type=int, help="threads; all cores by default")


def _add_share(add: Any, name: str, default: float | None, text: str) -> None:
    add(name, metavar="SHARE", type=_share_of_one, default=default, help=text)


def _add_look_verbs(verbs: Any) -> None:
    why = _verb(verbs, "why", _why, "say why something waits at an instant")
    why.add_argument("model", metavar="MODEL")
    why.add_argument(
        "entity",
        metavar="ENTITY",
        help="station, server, buffer, product, or a part such as frame:17",
    )
    why.add_argument(
        "--at", metavar="TIME", required=True, help="3d10:42, 3 d 10 h, or local time"
    )
    trace = _verb(verbs, "trace", _trace, "write what happened, event by event")
    trace.add_argument("model", metavar="MODEL")
    trace.add_argument("--out", metavar="FILE", help="Parquet file to write")
    trace.add_argument("--until", metavar="TIME", help="the horizon by default")
    trace.add_argument("--unit", metavar="PRODUCT:NUMBER", help="one unit's life")
    trace.add_argument("--station", metavar="NAME", help="one station's Gantt chart")
    for verb in (why, trace):
        _add_overlay(verb, _OVERLAY)
        verb.add_argument("--seed", metavar="N", type=int, help="as in the model")
        text = "which replication; the first, 0, by default"
        verb.add_argument("--replication", metavar="N", type=int, default=0, help=text)
