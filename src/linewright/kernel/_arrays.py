"""Compiled functions that Python calls with arrays: formulas, beside the kernel.

The kernel's own entries take whole numbers and start without Numba (`_jit`). What is
here is called rarely, from modules that are imported on demand, and is compiled and
kept on disk by Numba in the usual way. Numba notices an edit of the file of an entry
and of no other: whoever uses this keeps an entry and all that it calls in one file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from linewright.kernel._jit import PLAIN, cache_folder

__all__ = ["entry", "jit"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False}


def jit(function: _Function) -> _Function:
    """Compile a function that others of its file call."""
    if PLAIN:
        return function
    from numba import njit  # noqa: PLC0415 - slow

    compiled: _Function = njit(**_FLAGS)(function)
    return compiled


def entry(function: _Function) -> _Function:
    """Compile a function that Python calls, and keep its machine code on disk."""
    if PLAIN:
        return function
    import numba  # noqa: PLC0415 - slow

    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder() / "arrays")
    try:
        compiled: _Function = numba.njit(cache=True, **_FLAGS)(function)
    finally:
        numba.config.CACHE_DIR = before
    return compiled
