"""The command ``linewright``: arguments in, data on stdout, messages on stderr.

Every verb is a function that takes the arguments and returns the exit code: 0 all well,
1 a finding (of `check`, a failed self-check, a line that stands still), 2 a wrong
argument or a bad model, 130 interrupted. What goes wrong is one clear line and no
traceback. Modules that are slow to import are imported by the verbs that need them.

`_main` is the module to read first, then `_arguments`, which names all verbs. The verbs
are in `_model`, `_study`, `_balance`, `_compare` and `_look`; `_say` is what they
share.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code, see the package's head.

    Args:
        argv: Its arguments; those of the process by default.
    """
    try:
        from linewright.cli._main import main as run  # noqa: PLC0415 - slow
    except KeyboardInterrupt:  # Ctrl-C before anything has begun
        print("interrupted; nothing was known yet", file=sys.stderr)
        return 130
    return run(argv)
