"""The one way to compile: every kernel function comes through here.

`jit` compiles a function that others call, `hot` one that is inlined into its caller
because the event loop runs through it, `entry` one that Python calls with whole
numbers, and `builtin` stands for a few instructions that Numba has no word for. These
work on tables. `array_entry` and `array_jit` are for formulas on arrays, of any kinds,
and Numba's own way; who calls such an entry waits for Numba to load.

Numba compiles, and is imported for that alone (`_compile`): loading it, and what it
keeps of its own on disk, would be most of a later start. What lies on disk instead is
the object code of each entry, with all that it calls, and LLVM's loader needs
milliseconds for it. It lies in a folder named by a hash of all kernel sources, the
versions, the processor and the flags.

With ``NUMBA_DISABLE_JIT=1`` nothing is compiled: all of these return the function.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import inspect
import os
import platform
import sys
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
from llvmlite import binding

from linewright.drafts import write_whole
from linewright.errors import ResultError

__all__ = [
    "PLAIN",
    "array_entry",
    "array_jit",
    "builtin",
    "cache_folder",
    "entry",
    "hot",
    "is_compiled",
    "jit",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

PLAIN = os.environ.get("NUMBA_DISABLE_JIT", "") not in {"", "0"}
"""Whether the kernel runs as plain Python."""


class _Later:
    """A function of the kernel that Numba compiles when it meets a call of it."""

    def __init__(self, function: Any, kind: str) -> None:
        self._function, self._kind = function, kind
        self._made: Any = None

    @property
    def _numba_type_(self) -> Any:
        """Return the type of what was compiled; Numba asks for it by this name."""
        from linewright.kernel import _compile  # noqa: PLC0415 - slow

        if self._made is None:
            self._made = _compile.made(self._function, self._kind)
        return _compile.type_of(self._made)


class _ArrayEntry:
    """A function that Python calls with arrays; Numba's, from the first call on."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._made: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Run the machine code."""
        if self._made is None:
            from linewright.kernel import _compile  # noqa: PLC0415 - slow

            self._made = _compile.dispatcher(self._function)
        return self._made(*arguments)


class _Entry:
    """A function that Python calls with whole numbers and that returns one."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._code: _Code | None = None

    def __call__(self, *numbers: int) -> int:
        """Run the machine code; other threads go on meanwhile.

        Raises:
            IndexError: A table has no such row; said with ``NUMBA_BOUNDSCHECK=1`` only.
        """
        if self._code is None:
            with self._lock:  # the first replications come at once
                self._code = self._code or self._load()
        return self._code.run(*numbers)

    def _load(self) -> _Code:
        """Return the machine code from disk, or make it and leave it there."""
        n = len(inspect.signature(self._function).parameters)
        path = _FOLDER / f"{self._function.__name__}.o"
        with contextlib.suppress(OSError):
            return _Code(path.read_bytes(), n)
        from linewright.kernel import _compile  # noqa: PLC0415 - slow

        found = _compile.compile_entry(self._function, n)
        with contextlib.suppress(OSError, ResultError):  # it is made again next time
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda draft: draft.write_bytes(found))
        return _Code(found, n)


class _Code:
    """Machine code in memory.

    It is the function's name in the object code, a newline and the object code. By
    Numba's convention it writes what it returns to its first argument and what it
    raises to its second, and returns whether it raised.
    """

    def __init__(self, found: bytes, n_numbers: int) -> None:
        name, _, code = found.partition(b"\n")
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        target = binding.Target.from_triple(binding.get_process_triple())
        self._engine = binding.create_mcjit_compiler(
            binding.parse_assembly(""), target.create_target_machine()
        )
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        # integers of eight bytes, which this type takes quicker than that of integers
        kinds = [ctypes.c_void_p] * (2 + n_numbers)
        address = self._engine.get_function_address(name.decode())
        self._call = ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(address)

    def run(self, *numbers: int) -> int:
        """Call it."""
        results = _results
        if self._call(results.value_at, results.error_at, *numbers):
            msg = "a table has no such row"
            raise IndexError(msg)
        value: int = results.value.value  # written last, whatever it called meanwhile
        return value


class _Results(threading.local):
    """Where the code that a thread calls writes to; made once, for it takes as long."""

    def __init__(self) -> None:
        self.value, self.error = ctypes.c_int64(), ctypes.c_void_p()
        self.value_at = ctypes.addressof(self.value)
        self.error_at = ctypes.addressof(self.error)


_results = _Results()


def _key() -> str:
    """Return a hash of everything that the machine code depends on."""
    parts = [version("numba"), llvmlite.__version__, sys.version, platform.machine()]
    parts.append(binding.get_host_cpu_name())
    parts.append(binding.get_host_cpu_features().flatten())
    parts += [
        f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith("NUMBA_")
    ]
    digest = hashlib.sha256("\n".join(parts).encode())
    package = Path(__file__).parent
    for source in sorted([*package.glob("*.py"), package.parent / "tables.py"]):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:20]


def _user_cache() -> Path:
    if chosen := os.environ.get("LINEWRIGHT_CACHE_DIR"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base or Path.home() / ".cache") / "linewright"


_FOLDER = _user_cache() / f"kernel-{_key()}"


def cache_folder() -> Path:
    """Return the folder in which this kernel's machine code is kept."""
    return _FOLDER


def is_compiled() -> bool:
    """Say whether nothing has to be compiled: the kernel lies on disk, or is plain."""
    return PLAIN or any(_FOLDER.glob("*.o"))


def jit(function: _Function) -> _Function:
    """Compile a function that other kernel functions call."""
    return _later(function, "jit")


def hot(function: _Function) -> _Function:
    """Compile a function and inline it where it is called."""
    return _later(function, "hot")


def builtin(function: _Function) -> _Function:
    """Stand for the instructions of this name in `_numba_types`.

    The function is what they are in plain Python.
    """
    return _later(function, "builtin")


def entry(function: _Function) -> _Function:
    """Compile a function that Python calls, and keep its machine code on disk."""
    return function if PLAIN else cast("_Function", _Entry(function))


def array_jit(function: _Function) -> _Function:
    """Compile a function of arrays that other compiled functions call."""
    return _later(function, "array_jit")


def array_entry(function: _Function) -> _Function:
    """Compile a function of arrays that Python calls, and keep what Numba keeps.

    Numba sees an edit of this function's file, and of no other but the kernel's.
    """
    return function if PLAIN else cast("_Function", _ArrayEntry(function))


def _later(function: _Function, kind: str) -> _Function:
    return function if PLAIN else cast("_Function", _Later(function, kind))
