"""What all verbs share: exit codes, data on stdout, messages on stderr, models read.

Only data goes to stdout, so that it can be piped; with ``--quiet`` nothing but errors
goes to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linewright.engines import Engine
    from linewright.model.line import Line

OK, FOUND, WRONG, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141

Args = argparse.Namespace


class NoPandas(MetaPathFinder):
    """Keeps Arrow from importing pandas: half a second for what hardly a verb needs."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """Refuse pandas; leave everything else to the others."""
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def allow_pandas() -> None:
    """Let pandas be imported again, for a library that needs it."""
    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, NoPandas)]


@contextmanager
def engine_of(args: Args) -> Iterator[Engine | None]:
    """Provide the engine that was asked for; None for threads."""
    if args.engine != "ray":
        yield None
        return
    from linewright.engines.on_ray import ray_engine  # noqa: PLC0415 - optional

    allow_pandas()  # Ray looks for it
    with ray_engine(args.workers) as engine:
        yield engine


def say(args: Args, text: str) -> None:
    """Write a message, unless the user asked for quiet."""
    if not args.quiet:
        print(text, file=sys.stderr)


def say_stalled(args: Args, why: str) -> None:
    """Say that the journal takes nothing for now."""
    say(args, f"{why}; nothing is commanded, and it is tried again")


def write(text: str) -> None:
    """Write data to stdout; what its encoding lacks becomes a question mark."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def print_json(value: Any) -> None:
    """Write a value to stdout as JSON."""
    write(json_text(value))


def json_text(value: Any) -> str:
    """Return a value as JSON."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: numbers that are none become null."""
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(below) for below in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def show(view: Any) -> None:
    """Write a table to stdout, as wide and as colorful as it may be."""
    from linewright.console import as_text  # noqa: PLC0415 - slow

    write(as_text(view, sys.stdout))


def _load_numba() -> None:
    """Load what Numba loads before it compiles, without SciPy's linear algebra.

    Numba takes that in where it is there: a third of a second for what no verb needs.
    """
    name = "scipy.linalg.cython_blas"
    if name in sys.modules:
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        del sys.modules[name]


def tell_compiling(args: Args) -> None:
    """Say so where the first run will take a minute, and make ready for it."""
    from linewright.kernel._jit import is_compiled  # noqa: PLC0415 - slow

    if not is_compiled():
        say(args, "compiling the kernel once; about a minute")
        _load_numba()


def load_line(args: Args, path: str, overlays: Sequence[str] = ()) -> Line:
    """Return a checked line, and tell of the warnings about it."""
    from linewright.model.check import load_checked  # noqa: PLC0415 - slow

    line, warnings = load_checked(path, overlays, dict(args.parameters))
    for finding in warnings:
        say(args, f"{finding}")
    return line


def is_result(path: str) -> bool:
    """Say whether a path is a saved result; else it is a model."""
    return Path(path).is_dir()


def title(args: Args) -> str:
    """Return what results of a model are called: model, overlays and parameters."""
    settings = (f"{name}={value}" for name, value in args.parameters)
    return _as_name("+".join([slug(args.model, *args.overlay), *settings]))


def slug(*paths: str) -> str:
    """Return the name of a model file, with its overlays, as a name for results."""
    return _as_name("+".join(Path(path).stem for path in paths))


def _as_name(text: str) -> str:
    return re.sub(r"[^\w+.-]+", "-", text).strip("-.") or "model"
