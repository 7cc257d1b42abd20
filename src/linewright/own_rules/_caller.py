"""Between the kernel and the rules of one's own: questions down, answers up.

A `Caller` serves one replication. It gives the kernel the address of a function and
keeps the state that the kernel works on, to copy from. Whatever a rule does, the
function returns a number: a place among the parts offered, from 1, `NONE_OF_THEM`, or
`FAILED`, and then `failure` says why.
"""

from __future__ import annotations

import ctypes
import operator
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import numpy as np

from linewright import tables as t
from linewright.errors import KernelError, RuleError
from linewright.kernel.rules import CALL, FAILED, NONE_OF_THEM
from linewright.lower import Lowered, OwnRule
from linewright.own_rules._functions import Function, Functions, refuse, where
from linewright.own_rules._views import Candidate, Unit, Viewer
from linewright.own_rules._watchdog import Watchdog
from linewright.units import format_duration

__all__ = ["Caller"]

_TEXT = 120  # letters that are shown of what a rule returned


class _Raised(Exception):  # noqa: N818 - neither leaves this module
    """A rule raised the exception in this."""


class _WrongAnswer(Exception):  # noqa: N818
    """What a rule returned is no answer."""


class Caller:
    """Answers for the rules of one replication; a context, which ends the watch.

    Attributes:
        failure: What ended the run, if something did.
    """

    def __init__(self, lowered: Lowered) -> None:
        functions = lowered.functions
        if lowered.own_rules and functions is None:
            refuse(lowered, {}, allow_python=False)
        assert isinstance(functions, Functions)
        self.failure: BaseException | None = None
        self._own = lowered.own_rules
        self._viewer = Viewer(lowered)
        self._functions = functions
        self._state: t.State | None = None
        self._asked: OwnRule | None = None
        self._watchdog = Watchdog(self._stuck)
        self._call = CALL(self._answer)
        self._rules = self._load()

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look no more after calls."""
        self._watchdog.close()

    def address(self, state: t.State) -> int:
        """Return the address that the kernel calls while it works on a state."""
        self._state = state
        return ctypes.cast(self._call, ctypes.c_void_p).value or 0

    def fail(self) -> NoReturn:
        """Raise what ended the run."""
        if self.failure is None:
            msg = "a rule of one's own was interrupted, and what it answered is lost"
            raise KernelError(msg)
        raise self.failure

    # ------------------------------------------------------------ one question

    def _answer(self, rule: int, row: int, s: int, n: int) -> int:
        """Answer a question of the kernel; nothing is raised into compiled code."""
        try:
            assert self._state is not None
            self._asked = self._own[rule]
            if s >= 0:
                return self._dispatch(self._rules[rule], row, s, n)
            return self._release(self._rules[rule])
        except _Raised as raised:
            self.failure = self._described(raised.args[0])
        except _WrongAnswer as wrong:
            self.failure = self._wrong(wrong.args[0])
        except BaseException as error:  # it goes up from `fail`
            self.failure = error
        return FAILED

    def _ask(self, function: Function, *arguments: object) -> object:
        """Call a function of others, as long as it may take."""
        assert self._asked is not None
        self._watchdog.limit_s = self._asked.rule.limit / 1e6
        try:
            with self._watchdog:
                return function(*arguments)
        except BaseException as error:
            raise _Raised(error) from error

    def _dispatch(self, function: Function, station: int, s: int, n: int) -> int:
        state = self._state
        assert state is not None
        now_us = self._now_us()
        places, candidates = self._viewer.candidates(state, now_us, station, s, n)
        server = self._viewer.server(state, station, s)
        answer = self._ask(function, candidates, server, now_us / 1e6)
        server.line.close()
        place = _place(answer, candidates)
        return NONE_OF_THEM if place is None else places[place] + 1

    def _release(self, function: Function) -> int:
        state = self._state
        assert state is not None
        now_us = self._now_us()
        unit: Unit = self._viewer.unit(state, now_us)
        line = self._viewer.line_now(state)
        answer = self._ask(function, unit, line, now_us / 1e6)
        line.close()
        if not isinstance(answer, bool | np.bool_):
            raise _WrongAnswer(answer)
        return 1 if answer else NONE_OF_THEM

    def _now_us(self) -> int:
        return 0 if self._state is None else int(self._state.clock["now"][0])

    # ------------------------------------------------------------ the functions

    def _load(self) -> tuple[Function, ...]:
        """Run the texts of the rules, each once, and return the functions."""
        modules: dict[tuple[str, str], dict[str, Any]] = {}
        return tuple(self._function(own, modules) for own in self._own)

    def _function(
        self, own: OwnRule, modules: dict[tuple[str, str], dict[str, Any]]
    ) -> Function:
        if own.rule.python in self._functions.given:
            return self._functions.given[own.rule.python]
        self._asked = own
        text = own.rule.path, own.rule.source
        if text not in modules:
            modules[text] = {"__name__": own.rule.file, "__file__": own.rule.path}
            try:
                self._ask(exec, self._functions.code[text], modules[text])
            except _Raised as raised:
                self._watchdog.close()
                failure = self._described(raised.args[0])
                raise failure from failure.__cause__
        function = modules[text].get(own.rule.function)
        if not callable(function):
            self._watchdog.close()
            msg = (
                f'{own.rule.path}: "{own.rule.function}" is no function when it has run'
            )
            raise self._rule_error(own, msg)
        return function  # type: ignore[no-any-return]

    # ------------------------------------------------------------ what went wrong

    def _described(self, error: BaseException) -> BaseException:
        """Return the error that the user sees for what happened in a rule."""
        own = self._asked
        assert own is not None
        is_late = self._watchdog.has_fired
        if isinstance(error, KeyboardInterrupt) and not is_late:
            return error
        text = f"it took longer than {format_duration(own.rule.limit)}"
        if not is_late:
            text = self._guarded(lambda: _said(error), type(error).__name__)
        found = self._rule_error(own, f"{_line_of(own, error)}: {text}")
        found.__cause__ = None if is_late else error
        return found

    def _wrong(self, answer: object) -> RuleError:
        """Return the error for an answer that is none."""
        own = self._asked
        assert own is not None
        shown = self._guarded(lambda: repr(answer), f"a {type(answer).__name__}")
        shown = shown if len(shown) <= _TEXT else f"{shown[: _TEXT - 3]}..."
        allowed = "one of the candidates, its place from 0, or None to wait"
        if own.kind == "release":
            allowed = "True or False"
        text = f"{own.rule.path}: it returned {shown}; allowed is {allowed}"
        return self._rule_error(own, text)

    def _guarded(self, text: Callable[[], str], otherwise: str) -> str:
        """Return a text that code of others makes, or another one if it does not."""
        try:
            return str(self._ask(text))
        except _Raised:
            return otherwise

    def _rule_error(self, own: OwnRule, text: str) -> RuleError:
        owner = "station" if own.kind == "dispatch" else "product"
        when = "before the start"
        if self._state is not None:
            at_us = self._now_us()
            when = f"at {format_duration(at_us)} ({at_us / 1e6:g} s)"
        who = f'the rule "{own.rule.python}" of {owner} "{own.owner}"'
        return RuleError(f"{where(own)}: {who} failed {when}: {text}")

    def _stuck(self) -> None:
        """Tell the thread that waits for this one that it waits in vain."""
        own, stuck = self._asked, self._functions.stuck
        if own is not None and not stuck.done():
            text = f"{own.rule.path}: it hangs outside of Python, longer than "
            text += f"{format_duration(own.rule.limit)}"
            stuck.set_exception(self._rule_error(own, text))


def _place(answer: object, candidates: tuple[Candidate, ...]) -> int | None:
    """Return the place of the candidate that was chosen, or none."""
    if answer is None:
        return None
    for i, candidate in enumerate(candidates):
        if candidate is answer:
            return i
    if isinstance(answer, int | np.integer) and not isinstance(answer, bool):
        place = operator.index(answer)
        if 0 <= place < len(candidates):
            return place
    raise _WrongAnswer(answer)


def _said(error: BaseException) -> str:
    """Return what an exception is and says, in one line."""
    lines = traceback.format_exception_only(type(error), error)
    return " ".join(lines[-1].split())


def _line_of(own: OwnRule, error: BaseException) -> str:
    """Return the last line of the rule's file that an exception went through.

    Of a function given from Python it is the last line that is not of this package.
    What ended a call may have come while another exception went up.
    """
    here = str(Path(__file__).parent)
    chain: BaseException | None = error
    while chain is not None:
        frames = traceback.extract_tb(chain.__traceback__)
        named = [frame for frame in frames if frame.filename == own.rule.path]
        others = [frame for frame in frames if not frame.filename.startswith(here)]
        if found := named or ([] if own.rule.file else others):
            return f"{found[-1].filename}:{found[-1].lineno}"
        chain = chain.__context__
    return own.rule.path
