"""A watchdog over calls into code of others: one that takes too long is ended.

A thread of its own looks a few times a second whether the same call still goes on, and
raises `Overdue` in it. That reaches every loop in Python, and again at each look should
it be caught. A call that hangs inside a library of C is not reached: where it runs on
the main thread a signal wakes it, elsewhere `on_stuck` says that it will not come back.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable
from types import TracebackType

__all__ = ["Overdue", "Watchdog"]

_LOOK_S = 0.05
_GRACE_S = 1.0  # from being told to stop to being given up


class Overdue(BaseException):
    """Raised inside a call that takes too long; no `except Exception` catches it."""


class Watchdog:
    """Watches one call at a time, of the thread that makes it."""

    def __init__(self, on_stuck: Callable[[], None]) -> None:
        self.limit_s = 1.0
        self.has_fired = False
        self._on_stuck = on_stuck
        self._lock = threading.Lock()
        self._number = 0
        self._is_inside = self._has_woken = False
        self._caller = 0
        self._closed = threading.Event()
        threading.Thread(target=self._look, name="rules", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    def __enter__(self) -> None:
        """Begin a call, which may take `limit_s`."""
        self._caller = threading.get_ident()
        self.has_fired = self._has_woken = False
        self._number += 1
        self._is_inside = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """End a call; what was still to be raised in it is taken back."""
        self._is_inside = False  # first: from here on no more signals are sent
        try:
            self._take_back()
        except KeyboardInterrupt:
            if not self._has_woken:
                raise
            self._take_back()  # a signal that was sent just before
        if self.has_fired and kind is None:  # it was caught: late is late
            raise Overdue

    def _take_back(self) -> None:
        with self._lock:
            if self.has_fired:
                _raise_in(self._caller, None)

    def _look(self) -> None:
        number, waited_s = 0, 0.0
        while not self._closed.wait(_LOOK_S):
            with self._lock:
                if not self._is_inside or self._number != number:
                    number, waited_s = self._number, 0.0
                    continue
                waited_s += _LOOK_S
                if waited_s >= self.limit_s:
                    self.has_fired = True
                    _raise_in(self._caller, Overdue)
                is_stuck = waited_s >= self.limit_s + _GRACE_S
                is_main = self._caller == threading.main_thread().ident
                if is_stuck and is_main and hasattr(signal, "pthread_kill"):
                    # while the call cannot end, and once in a while: a signal too many
                    # would reach whatever comes after it
                    self._has_woken = True
                    signal.pthread_kill(self._caller, signal.SIGINT)
                    waited_s -= _GRACE_S
            if is_stuck and not is_main:
                self._on_stuck()


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise an exception in a thread at its next step, or take it back with none."""
    what = ctypes.py_object() if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)
