"""The verbs about a model file: init, check, expand, schema, migrate, diff; version.

None of them simulates or imports the kernel.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from linewright.cli._say import FOUND, OK, Args, print_json, say, write
from linewright.errors import Finding, ModelError
from linewright.version import __version__


def run_init(args: Args) -> int:
    """Write a first model."""
    from linewright.model.init import init  # noqa: PLC0415 - slow

    if Path(args.folder).suffix in {".yaml", ".yml", ".json"}:
        msg = f"{args.folder} looks like a file; name a folder for the model"
        raise ValueError(msg)
    model, schema = init(args.folder)
    if args.json:
        print_json({"model": str(model), "schema": str(schema)})
        return OK
    write(f"{model}\n")
    say(args, f"next: linewright check {model}")
    return OK


def run_check(args: Args) -> int:
    """Find what is wrong with a model; a finding is data, so it goes to stdout."""
    from linewright.model.check import check_loaded  # noqa: PLC0415 - slow
    from linewright.model.load import read  # noqa: PLC0415

    for path in (args.model, *args.overlay):
        with Path(path).open("rb"):  # a file that is not there is no finding
            pass
    try:
        loaded = read(args.model, args.overlay, dict(args.parameters))
        findings = check_loaded(loaded)
    except ModelError as error:
        findings = list(error.findings)
    if args.json:
        rows = [dataclasses.asdict(finding) for finding in findings]
        print_json({"model": args.model, "ok": not rows, "findings": rows})
    else:
        write("".join(f"{_with_severity(finding)}\n" for finding in findings))
    if not findings:
        say(args, f"{args.model}: no findings")
    return FOUND if findings else OK


def _with_severity(finding: Finding) -> str:
    text = str(finding)
    if finding.severity == "error":
        return text
    return text.replace(f" {finding.code} ", f" {finding.code} {finding.severity}: ", 1)


def run_expand(args: Args) -> int:
    """Print the plain model: overlays laid over it, all templates copied."""
    from linewright.model.load import dumps, load, plain, write_whole  # noqa: PLC0415

    line = load(args.model, args.overlay, dict(args.parameters))
    if args.out:
        write_whole(Path(args.out), dumps(line))
    if args.json:
        print_json(plain(line))
    elif not args.out:
        write(dumps(line))
    if args.out:
        say(args, f"{args.model}: expanded in {args.out}")
    return OK


def run_schema(args: Args) -> int:
    """Print the JSON Schema of the model file."""
    from linewright.model.schema import json_schema  # noqa: PLC0415 - slow

    print_json(json_schema())
    return OK


def run_migrate(args: Args) -> int:
    """Bring an older model up to date."""
    from linewright.model.load import write_whole  # noqa: PLC0415 - slow
    from linewright.model.migrate import migrate  # noqa: PLC0415
    from linewright.model.source import read_text  # noqa: PLC0415

    text, done = migrate(read_text(Path(args.model), args.model), args.model)
    if args.out:
        write_whole(Path(args.out), text)
    if args.json:
        print_json({"model": args.model, "done": done, "text": text})
    elif not args.out:
        write(text)
    say(args, f"{args.model}: {done}")
    return OK


def run_diff(args: Args) -> int:
    """Say what changed between two models."""
    from linewright.model.diff import diff  # noqa: PLC0415 - slow
    from linewright.model.load import load  # noqa: PLC0415

    changes = diff(load(args.before), load(args.after))
    if args.json:
        print_json({"before": args.before, "after": args.after, "changes": changes})
    else:
        write("".join(f"{change}\n" for change in changes))
    if not changes:
        say(args, "both say the same")
    return OK


def run_import(args: Args) -> int:
    """Read a model of another tool, and say what of it the model does not say."""
    from linewright.importers import import_model  # noqa: PLC0415 - slow
    from linewright.model.check import check  # noqa: PLC0415

    if not Path(args.source).exists():
        raise FileNotFoundError(2, "No such file or directory", args.source)
    found = import_model(args.source)
    out = Path(args.out or f"{Path(args.source).stem}.yaml")
    if out.exists() and not args.force:
        msg = f"{out} exists; name another file with --out, or say --force"
        raise ValueError(msg)
    written = [str(path) for path in found.save(out)]
    findings = check(found.whole)
    notes = [{"place": place, "text": text} for place, text in found.notes]
    if args.json:
        rows = [dataclasses.asdict(finding) for finding in findings]
        about = {"format": found.format, "files": written}
        print_json(about | {"notes": notes, "findings": rows})
    else:
        write("".join(f"{path}\n" for path in written))
        for place, text in found.notes:
            say(args, f"{place}: {text}")
        for finding in findings:
            say(args, _with_severity(finding))
        n = len(notes)
        say(args, f"{found.format}: {n} note{'s' * (n != 1)} of what was not read")
    return FOUND if any(f.severity == "error" for f in findings) else OK


def run_version(args: Args) -> int:
    """Print the version."""
    if args.json:
        import numba  # noqa: PLC0415 - slow
        import numpy as np  # noqa: PLC0415

        about = {"linewright": __version__, "python": sys.version.split()[0]}
        print_json(about | {"numpy": np.__version__, "numba": numba.__version__})
    else:
        write(f"linewright {__version__}\n")
    return OK
