"""The line and a plant that is played, as fast as a person wants to see it.

What has happened is written into the journal as it happens, so that nothing is lost
when the process is killed; the next start goes on from there, at the time at which the
line stood.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from linewright import tables as t
from linewright.control.controller import Controller
from linewright.control.emulation import Emulation
from linewright.drivers.inbox import Inbox
from linewright.errors import JournalStalledError

__all__ = ["Progress", "is_held", "progress_of", "run_emulated"]

_TELL_EVERY_S = 0.25
_LONGEST_SLEEP_S = 0.25
_JOURNAL_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running line is.

    Attributes:
        now_us: Time of the line, microseconds from its start.
        finished: Units that have left, by product.
        in_line: Units in the line.
        servers: How many servers are in each state, by its name.
        n_records: Records in the journal.
        n_alarms: Alarms that nobody has settled.
    """

    now_us: int
    finished: dict[str, int]
    in_line: int
    servers: dict[str, int]
    n_records: int
    n_alarms: int


def progress_of(
    controller: Controller, now_us: int, sold: Collection[str] | None
) -> Progress:
    """Return where a line is."""
    core = controller.core
    state, names = core.state, core.lowered.names
    modes = state.servers["mode"].tolist()
    return Progress(
        now_us=now_us,
        finished={
            name: int(state.products["finished"][i])
            for i, name in enumerate(names.products)
            if sold is None or name in sold
        },
        in_line=int(state.clock["wip"][0]),
        servers={
            name: modes.count(mode)
            for mode, name in enumerate(t.MODE_NAMES)
            if mode in modes
        },
        n_records=controller.journal.next_seq,
        n_alarms=len(core.alarms),
    )


def run_emulated(  # noqa: PLR0913
    emulation: Emulation,
    until_us: int,
    speed: float | None,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    sold: Collection[str] | None = None,
    inbox: Inbox | None = None,
    stays: bool = False,
    on_stalled: Callable[[str], None] | None = None,
    on_gate: Callable[[str], None] | None = None,
) -> Progress:
    """Run a line until a time, or until Ctrl-C, which loses nothing.

    What people ask is done at the next stop: a quarter of a second away at most with a
    speed, ten minutes of the line without. A journal that takes nothing for now,
    without space or server, is tried again.

    Args:
        emulation: The line.
        until_us: When to stop, microseconds from the line's start.
        speed: Seconds of the line in a second; as fast as it goes if None.
        on_progress: Called a few times a second.
        sold: Products whose finished units are told; all by default.
        inbox: Where people ask for something.
        stays: Wait for what people ask when nothing is left to do. A line of which
            something is held does so anyway.
        on_stalled: Called with why, when the journal takes nothing for now.
        on_gate: Called with what is to be done, when a gate has closed and somebody is
            to be asked (`Emulation.asks`): the line's time stands still until then.

    Returns:
        Where the line is.

    Raises:
        DeadlockError: The line stands still for good.
        JournalError: The journal cannot be gone on with, or was stalled when somebody
            pressed Ctrl-C.
    """
    begun_us = now_us = emulation.controller.core.now_us
    begun_s = told_s = time.monotonic()
    stalled = ""
    with _interrupted() as stops:
        while now_us < until_us and not stops:
            if inbox is not None:
                _take_requests(emulation, inbox, now_us)
            passed_s = time.monotonic() - begun_s
            target_us = until_us
            if speed is not None:
                target_us = min(until_us, begun_us + int(passed_s * speed * 1e6))
            else:
                target_us = min(until_us, now_us + _STEP_US)
            try:
                emulation.run(target_us)
                now_us = target_us
                if time.monotonic() - told_s >= _TELL_EVERY_S and on_progress:
                    told_s = time.monotonic()
                    on_progress(progress_of(emulation.controller, now_us, sold))
                following_us = emulation.next_us()
            except JournalStalledError as error:
                stalled = _stalled(str(error), stalled, on_stalled)
                continue
            stalled = ""
            if emulation.asks and emulation.controller.core.gates.closed:
                now_us = emulation.controller.core.now_us
                begun_us, begun_s = now_us, _decided(emulation, inbox, stops, on_gate)
                continue
            if following_us is None:
                if inbox is None or not (stays or is_held(emulation.controller)):
                    break
                begun_us, begun_s = now_us, _waited(emulation, inbox, now_us, stops)
                continue
            if speed is not None and following_us > now_us:
                wait_s = (following_us - begun_us) / 1e6 / speed - passed_s
                time.sleep(min(max(wait_s, 0.0), _LONGEST_SLEEP_S))
    return progress_of(emulation.controller, now_us, sold)


def _decided(
    emulation: Emulation,
    inbox: Inbox | None,
    stops: list[int],
    tell: Callable[[str], None] | None,
) -> float:
    """Wait until nothing is held at a gate; return the clock's time in seconds.

    Raises:
        ValueError: There is no inbox, through which somebody could decide.
    """
    if inbox is None:
        msg = "a gate is closed, and without an inbox nobody can release it"
        raise ValueError(msg)
    core, told = emulation.controller.core, set[str]()
    while core.gates.closed and not stops:
        for name in core.gates.closed.keys() - told:
            told.add(name)
            if tell:
                tell(f'work is held at gate "{name}": {core.gates.closed[name]}')
        _waited(emulation, inbox, core.now_us, stops)
        core = emulation.controller.core
    return time.monotonic()


def _stalled(why: str, before: str, tell: Callable[[str], None] | None) -> str:
    """Wait a little for a journal that takes nothing; return why, told once."""
    if tell and why != before:
        tell(why)
    time.sleep(_JOURNAL_PAUSE_S)
    return why


def is_held(controller: Controller) -> bool:
    """Say whether stations or orders are held, so that somebody has to let them go."""
    asked = controller.core.asked
    return bool(asked.holds) or bool(set(asked.put_off.values()) - {"cancelled"})


def _take_requests(emulation: Emulation, inbox: Inbox, now_us: int) -> bool:
    """Do what people have asked for; say whether there was anything."""
    requests = inbox.waiting()
    if not requests:
        return False
    outcomes = [emulation.ask(request, now_us) for request in requests]
    emulation.controller.flush()
    inbox.answer(outcomes)
    return True


def _waited(emulation: Emulation, inbox: Inbox, now_us: int, stops: list[int]) -> float:
    """Wait until somebody asks for something; the line's time stands still meanwhile.

    Returns:
        The clock's time, in seconds, from which the line goes on.
    """
    while not stops and not _take_requests(emulation, inbox, now_us):
        time.sleep(_LONGEST_SLEEP_S)
    return time.monotonic()


@contextmanager
def _interrupted() -> Iterator[list[int]]:
    """Yield a list to which Ctrl-C adds something, instead of ending what goes on.

    A record that has been begun is so brought to its end. Elsewhere than on the main
    thread, signals are nobody's but the main thread's.
    """
    stops: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield stops
        return
    before = signal.signal(signal.SIGINT, lambda number, _: stops.append(number))
    try:
        yield stops
    finally:
        signal.signal(signal.SIGINT, before)


_STEP_US = 600_000_000  # of the line, between two looks at the clock
