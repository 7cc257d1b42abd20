"""The one way to compile: every kernel function comes through here.

`jit` compiles a function that others call, `hot` one that is inlined into its caller
because the event loop runs through it, `entry` one that Python calls. Only entries are
kept on disk. Numba keys its disk cache by the file of the cached function alone, so an
edit in a helper would leave the old machine code in use, and it ignores a change of the
flags; our cache therefore lies in a folder named by a hash of all kernel sources, the
versions, the processor and the flags.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import llvmlite
import numba
from numba import njit, types
from numba.core.compiler import Compiler

__all__ = ["cache_folder", "entry", "hot", "is_compiled", "jit"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False}


class _HelperCompiler(Compiler):
    """Compile a function that only other compiled functions call.

    Three things differ from Numba's own compiler. The function has no wrapper for
    Python and becomes no machine code of its own: its module is linked into those of
    its callers, and the entry's module, which holds everything, is compiled once. Nor
    is its own module optimized, for the same reason. And LLVM is told to inline our
    `hot` functions and no others: left to itself it inlines what is called from one
    place, however rarely, and the event loop becomes one function of 300 KB that keeps
    nothing in registers.
    """

    def __init__(
        self, typingctx: Any, targetctx: Any, library: Any, *rest: Any
    ) -> None:
        if library is None:
            library = targetctx.codegen().create_library("linewright helper")
            add_ir_module = library.add_ir_module

            def add_marked(module: Any) -> None:
                for function in module.functions:
                    inline = "alwaysinline" in function.attributes
                    if not function.is_declaration and not inline:
                        function.attributes.add("noinline")
                add_ir_module(module)

            library.add_ir_module = add_marked
            _only_to_link(targetctx, library)
        super().__init__(typingctx, targetctx, library, *rest)
        self.state.flags.no_cpython_wrapper = True
        self.state.flags.no_cfunc_wrapper = True


def _only_to_link(targetctx: Any, library: Any) -> None:
    """Keep a library from being optimized and made machine code on its own."""

    def finish() -> None:
        library._finalize_dynamic_globals()  # noqa: SLF001
        library._finalized = True  # noqa: SLF001

    library._optimize_final_module = lambda: None  # noqa: SLF001
    library._finalize_final_module = finish  # noqa: SLF001
    library.is_only_to_link = True
    if "get_executable" in vars(targetctx):
        return
    get_executable = targetctx.get_executable

    def executable(library: Any, *rest: Any) -> Any:
        if not hasattr(library, "is_only_to_link"):
            return get_executable(library, *rest)
        library._ensure_finalized()  # noqa: SLF001
        # Numba tells functions apart by this object, which has to be one of C; called
        # from Python it raises.
        return {}.__getitem__

    targetctx.get_executable = executable


class _EntryCompiler(Compiler):
    """Compile a function that Python calls, with a copy of every helper of its own.

    The copies are made internal to the module. Otherwise the loader would bind calls to
    the helpers' first copies, which were never optimized.
    """

    def __init__(
        self, typingctx: Any, targetctx: Any, library: Any, *rest: Any
    ) -> None:
        if library is None:
            library = targetctx.codegen().create_library("linewright entry")
            library.enable_object_caching()
            optimize = library._optimize_final_module  # noqa: SLF001

            def optimize_with_own_copies() -> None:
                for function in library._final_module.functions:  # noqa: SLF001
                    shared = function.linkage.name == "linkonce_odr"
                    if shared and not function.is_declaration:
                        function.linkage = "internal"
                optimize()

            library._optimize_final_module = optimize_with_own_copies  # noqa: SLF001
        super().__init__(typingctx, targetctx, library, *rest)


def _helper(function: Any, **flags: Any) -> Any:
    """Compile a helper for plain types: constants do not make new variants of it."""
    compiled = njit(pipeline_class=_HelperCompiler, **_FLAGS, **flags)(function)
    if numba.config.DISABLE_JIT:
        return compiled
    template = compiled.get_call_template
    compiled.get_call_template = lambda args, kws: template(
        tuple(map(types.unliteral, args)), kws
    )
    return compiled


def _key() -> str:
    """Return a hash of everything that the machine code depends on."""
    parts = [numba.__version__, llvmlite.__version__, sys.version, platform.machine()]
    parts.append(llvmlite.binding.get_host_cpu_name())
    parts.append(llvmlite.binding.get_host_cpu_features().flatten())
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
    """Say whether a compiled kernel lies ready on disk."""
    return any(_FOLDER.rglob("run._drive*.nbi"))


def jit(function: _Function) -> _Function:
    """Compile a function that other kernel functions call."""
    # said, because a helper inherits its first caller's flags where it says nothing
    compiled: _Function = _helper(function, forceinline=False)
    return compiled


def hot(function: _Function) -> _Function:
    """Compile a function and inline it where it is called."""
    compiled: _Function = _helper(function, forceinline=True)
    return compiled


def entry(function: _Function) -> _Function:
    """Compile a function that Python calls, and keep its machine code on disk."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_FOLDER)
    try:
        compiled: _Function = njit(cache=True, pipeline_class=_EntryCompiler, **_FLAGS)(
            function
        )
    finally:
        numba.config.CACHE_DIR = before
    return compiled
