"""A line on machines that are somewhere else: signals in, commit, commands out.

One task turns: it takes all that has come since the last turn, lets the controller
decide and write it with one commit, and sends each machine its next message. What comes
back is a signal of the next turn; the more comes at once, the fewer commits it takes.
A machine that does not answer is asked again after a while, longer each time, and never
believed to have done, or not done, anything.

The line's time is that of the journal at the start, and goes on with a clock that never
jumps. How machines are reached is the business of a `Way`.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Collection
from typing import Any, Protocol

from linewright.control.asking import Request
from linewright.control.controller import Controller, Step
from linewright.control.links import Link, Message
from linewright.control.machines import Listing
from linewright.control.records import Answer, Signal
from linewright.control.watching import Overdue, Watch
from linewright.drivers.emulated import Progress, is_held, progress_of
from linewright.drivers.inbox import Inbox
from linewright.errors import JournalStalledError

__all__ = ["NoAnswerError", "Runner", "Way", "Wrong"]

_TIMEOUT_US = 4_000_000
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_LONGEST_WAIT_S = 0.25
_JOURNAL_PAUSE_S = 0.5
_TELL_EVERY_S = 0.25
_ASK_EVERY_S = 0.1
_UNREACHED_AFTER_S = 3.0
_LOOK_EVERY_S = 1.0

Wrong = dict[str, str]
"""What is wrong with a device, by its name."""


class NoAnswerError(Exception):
    """No answer came: what was sent may have arrived or not."""


class Way(Protocol):
    """How messages come to machines: an adapter for a kind of machine."""

    async def open(self, call: Callable[[str], None]) -> None:
        """Make ready; `call` is to be called with a device that has something new."""

    def has_guard(self, device: str) -> bool:
        """Say whether it can tell of a unit what was done to it; see `Link`."""

    async def send(self, device: str, message: Message) -> Any:
        """Return what a machine answers to a message.

        Raises:
            NoAnswerError: None came, or it cannot be understood.
        """

    async def close(self) -> None:
        """Let go of all machines."""


class Runner:
    """A controller and its machines; see the module's head.

    Args:
        controller: The controller, at the time of its journal.
        way: How its machines are reached.
        speed: Seconds of the line in a second.
        overdue: Says which jobs take too long; nobody looks if None.
        inbox: Where people ask for something.
        stays: Wait for what people ask when nothing is left to do. A line of which
            something is held does so anyway.
        on_stalled: Called with why, when the journal takes nothing for now.

    Attributes:
        wrong: Devices that do not answer, and what they said last.
        stalled: Why the journal takes nothing for now, or empty.
    """

    def __init__(  # noqa: PLR0913
        self,
        controller: Controller,
        way: Way,
        speed: float = 1.0,
        *,
        overdue: Overdue | None = None,
        inbox: Inbox | None = None,
        stays: bool = False,
        on_stalled: Callable[[str], None] | None = None,
    ) -> None:
        self.controller, self._way, self._speed = controller, way, speed
        self._inbox, self._stays, self._asked_s = inbox, stays, 0.0
        self._on_stalled, self.stalled = on_stalled, ""
        self._overdue, self._looked_s = overdue, 0.0
        self._watches: dict[str, Watch] = {}
        self._links: dict[str, Link] = {}
        self._pauses: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self.wrong: Wrong = {}
        self._to_poll: set[str] = set()
        self._came = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_stopped = False
        self._begun_us, self._begun_s = controller.core.now_us, time.monotonic()

    # ------------------------------------------------------------ time

    def now_us(self) -> int:
        """Return the line's time, microseconds from its start."""
        passed_s = time.monotonic() - self._begun_s
        return self._begun_us + int(passed_s * self._speed * 1e6)

    def stop(self) -> None:
        """Stop after what is being written; nothing is lost."""
        self._is_stopped = True
        self._came.set()

    # ------------------------------------------------------------ turning

    async def run(
        self,
        until_us: int,
        on_progress: Callable[[Progress], None] | None = None,
        *,
        sold: Collection[str] | None = None,
    ) -> Progress:
        """Run the line until a time, until nothing is left to do, or until `stop`.

        Args:
            until_us: The time, microseconds from the line's start.
            on_progress: Called a few times a second.
            sold: Products whose finished units are told; all by default.

        Raises:
            JournalError: The journal cannot be gone on with. While it takes nothing
                for now, nothing is commanded, and it is tried again.
        """
        await self._way.open(self._called)
        self._begun_us, self._begun_s = self.controller.core.now_us, time.monotonic()
        told_s = 0.0
        self._know_all()
        try:
            while not self._is_stopped and self.now_us() < until_us:
                self._came.clear()
                try:
                    self._turn()
                    self.stalled = ""
                    if self._is_over():
                        break
                    if on_progress and time.monotonic() - told_s > _TELL_EVERY_S:
                        told_s = time.monotonic()
                        on_progress(progress_of(self.controller, self.now_us(), sold))
                    await self._wait(until_us)
                except JournalStalledError as error:
                    await self._wait_for_journal(str(error))
        finally:
            await self._let_go()
        return progress_of(self.controller, min(self.now_us(), until_us), sold)

    def _turn(self) -> None:
        """Write what has come, and send what there is to send."""
        controller = self.controller
        due = controller.next_due_us()
        now_us = self.now_us()
        requests = self._requests()
        self._look_at_jobs(now_us)
        if controller.has_signals or requests or (due is not None and due <= now_us):
            step = controller.step(now_us, requests)
            self._settle(step)
            if self._inbox is not None:
                self._inbox.answer(step.outcomes)
            if controller.has_signals:
                self._came.set()  # more than one commit takes
        to_poll, self._to_poll = self._to_poll, set()
        for device in sorted(to_poll):
            self._poll(device)

    def _requests(self) -> list[Request]:
        """Return what people have asked for, a few times a second."""
        if self._inbox is None or time.monotonic() - self._asked_s < _ASK_EVERY_S:
            return []
        self._asked_s = time.monotonic()
        return self._inbox.waiting()

    async def _wait_for_journal(self, why: str) -> None:
        """Command nothing, and try again soon.

        The machines keep what they have said, and are asked for it again.
        """
        if why != self.stalled and self._on_stalled:
            self._on_stalled(why)
        self.stalled = why
        await asyncio.sleep(_JOURNAL_PAUSE_S)
        for device, link in self._links.items():
            link.wake()
            self._to_poll.add(device)

    def _look_at_jobs(self, now_us: int) -> None:
        """Tell now and then of jobs that take too long."""
        if self._overdue is None or time.monotonic() - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = time.monotonic()
        core = self.controller.core
        self._overdue.forget(set(core.jobs))
        for job in core.jobs.values():
            text = self._overdue.look(job, core.worked_us(job, now_us))
            if text:
                self._alarm(job.device, text)

    def _alarm(self, device: str, text: str) -> None:
        self.controller.tell(Signal("alarm", device, data={"text": text}))
        self._came.set()

    def _settle(self, step: Step) -> None:
        self._to_poll |= step.devices
        for answer in step.answers:
            device = _device_of(answer)
            self._link(device).settled(answer)
            self._to_poll.add(device)

    def _link(self, device: str) -> Link:
        link = self._links.get(device)
        if link is None:
            core = self.controller.core
            link = Link(
                device,
                core.epoch,
                _TIMEOUT_US,
                has_guard=self._way.has_guard(device),
                counted=core.counts.get(device, -1),
            )
            self._links[device] = link
            self._heard[device] = time.monotonic()
        return link

    def _know_all(self) -> None:
        """Ask every machine that may have something for its list."""
        core = self.controller.core
        for device in {*core.devices.servers, *core.of_device}:
            self._link(device)
            self._to_poll.add(device)

    def _called(self, device: str) -> None:
        """Note that something seems to have happened at a device."""
        self._link(device).wake()
        self._not_before.pop(device, None)
        self._to_poll.add(device)
        self._came.set()

    def _poll(self, device: str) -> None:
        """Send a machine its next message, if there is one and it is time."""
        if time.monotonic() < self._not_before.get(device, 0.0):
            return
        link, core = self._link(device), self.controller.core
        jobs = core.of_device.get(device, {})
        if link.is_waiting:
            return
        boot, now_us = core.boots.get(device, 0), _real_us()
        message = link.next_message(jobs.values(), boot, now_us)
        if message is not None:
            task = asyncio.create_task(self._exchange(link, message))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _exchange(self, link: Link, message: Message) -> None:
        device = link.device
        try:
            async with asyncio.timeout(_TIMEOUT_US / 1e6):
                answer = await self._way.send(device, message)
        except (NoAnswerError, TimeoutError) as error:
            link.lost()
            self._leave_alone(device, str(error) or "no answer in time")
            return
        finally:
            self._to_poll.add(device)
            self._came.set()
        if message.kind == "list" and not self._is_believed(device, answer):
            link.lost()
            self._leave_alone(device, "what is read of it stands still")
            return
        self._pauses.pop(device, None)
        self._not_before.pop(device, None)
        self._heard[device] = time.monotonic()
        self.wrong.pop(device, None)
        try:
            jobs = self.controller.core.of_device.get(device, {})
        except JournalStalledError:
            link.lost()  # what is wanted of it is not known now
            return
        for told in link.answered(message, answer, jobs, _real_us()):
            self.controller.tell(told)

    def _is_believed(self, device: str, listing: Listing) -> bool:
        """Look at the machine's clock, and tell what is wrong with it."""
        watch = self._watches.setdefault(device, Watch())
        look = watch.look(listing.clock_us, _wall_us(), _real_us())
        if look.trouble:
            self._alarm(device, look.trouble)
        return look.is_believed

    def _leave_alone(self, device: str, why: str) -> None:
        """Ask a machine again after a while, longer each time."""
        pause = self._pauses.get(device, _FIRST_PAUSE_S)
        self._pauses[device] = min(2 * pause, _LONGEST_PAUSE_S)
        self._not_before[device] = time.monotonic() + pause
        if time.monotonic() - self._heard[device] > _UNREACHED_AFTER_S:
            self.wrong[device] = why

    def doubtful(self) -> list[str]:
        """Return the jobs of which nobody knows whether they were done."""
        jobs = self.controller.core.jobs.values()
        return [
            job.id
            for job in jobs
            if job.in_doubt and not self._way.has_guard(job.device)
        ]

    async def _wait(self, until_us: int) -> None:
        """Wait for something to come, and no longer than to what is due."""
        wait_s = _LONGEST_WAIT_S
        for at_us in (self.controller.next_due_us(), until_us):
            if at_us is not None:
                wait_s = min(wait_s, (at_us - self.now_us()) / 1e6 / self._speed)
        real_us, now_s = _real_us(), time.monotonic()
        for device, link in self._links.items():
            if link.is_waiting:
                continue
            at_s = max((link.next_at_us() - real_us) / 1e6, 0.0)
            at_s = max(at_s, self._not_before.get(device, 0.0) - now_s)
            if at_s <= wait_s:
                wait_s = at_s
                self._to_poll.add(device)
        await asyncio.sleep(0)  # others come to their turn, however much there is to do
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(wait_s, 0.0)):
                await self._came.wait()

    def _is_over(self) -> bool:
        """Say whether nothing is left that could happen."""
        controller, core = self.controller, self.controller.core
        if self._inbox is not None and (self._stays or is_held(controller)):
            return False
        if controller.has_signals or core.jobs or self._under_way:
            return False
        if any(link.in_doubt for link in self._links.values()):
            return False
        due = controller.next_due_us()
        return (due is None or due >= _NEVER_US) and core.state.clock["wip"][0] == 0

    async def _let_go(self) -> None:
        """End what is under way; what it leads to is asked for at the next start."""
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._way.close()


_NEVER_US = 1 << 58


def stop_on_signals(runner: Runner) -> None:
    """Let Ctrl-C, and a polite end from outside, stop a runner."""
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, runner.stop)


def _wall_us() -> int:
    return int(time.time() * 1e6)  # compared with machines' clocks, and no more


def _real_us() -> int:
    return int(time.monotonic() * 1e6)


def _device_of(answer: Answer) -> str:
    told = answer.signal
    if told.source:
        return told.source
    if told.kind in {"machine", "alarm"}:
        return told.subject
    return told.subject.rpartition("#")[0]
