"""The whole command: read the arguments, run a verb, turn what goes wrong into a line.

Nothing that a user does ends in a traceback: every error that can be expected becomes
one message on stderr and an exit code, and with ``--json`` an object on stdout as well.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from linewright.cli._arguments import new_parser
from linewright.cli._say import (
    FOUND,
    INTERRUPTED,
    PIPE_CLOSED,
    WRONG,
    Args,
    NoPandas,
    print_json,
)
from linewright.errors import (
    DeadlockError,
    KernelError,
    LinewrightError,
    ModelError,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Args:
        argv: Arguments without the command's name; those of the process by default.
    """
    if argv is None:
        sys.meta_path.insert(0, NoPandas())
    try:
        args = new_parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else WRONG
    try:
        code = _run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read us has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    if argv is None:
        sys.stderr.flush()
        # threads in the middle of a replication are not waited for, and taking the
        # process apart piece by piece is a tenth of a second
        os._exit(code)
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
        print_json({"error": about})
    return code
