"""A controller and played machines in virtual time, over links that lose nothing.

What takes no time on the way is the simulation, if the machines' times are those that
the simulation would take. Where all times of a line are constant, both are to be the
same event for event, whoever draws.
"""

from __future__ import annotations

import re

from linewright.control.controller import Controller
from linewright.control.links import Link
from linewright.control.plant import Plant
from linewright.lower import Lowered
from tests.control_world import device_of_signal
from tests.memory_journal import MemoryJournal

__all__ = ["VirtualPlant", "with_constant_times"]


class VirtualPlant:
    """See the module's head."""

    def __init__(self, lowered: Lowered, plant: Plant) -> None:
        self.journal, self.plant = MemoryJournal(), plant
        self.controller = Controller(lowered, self.journal)
        self._links: dict[str, Link] = {}
        self._to_poll = set(plant.machines)
        self.now_us = 0

    def run(self, until_us: int) -> None:
        """Go on until a time."""
        while True:
            self._settle()
            due = self.controller.next_due_us()
            times = [t for t in (due, self.plant.next_us()) if t is not None]
            at_us = min(times, default=until_us)
            if at_us >= until_us:
                break
            self.now_us = max(at_us, self.now_us)
            self.plant.advance(self.now_us)
            self._step(self.now_us)
        self.now_us = until_us

    def _step(self, now_us: int) -> None:
        step = self.controller.step(now_us)
        self._to_poll |= step.devices
        for answer in step.answers:
            told = answer.signal
            device = told.source or device_of_signal(told)
            self._link(device).settled(answer)
            self._to_poll.add(device)

    def _link(self, device: str) -> Link:
        if device not in self._links:
            epoch = self.controller.core.epoch
            self._links[device] = Link(device, epoch, 1, has_guard=True)
        return self._links[device]

    def _settle(self) -> None:
        """Let everybody say all there is to say now."""
        while True:
            changed, self.plant.changed = self.plant.changed, set()
            for device in changed:
                self._link(device).wake()
            self._to_poll |= changed
            if not self._to_poll:
                return
            to_poll, self._to_poll = self._to_poll, set()
            for device in sorted(to_poll):
                self._poll(device)

    def _poll(self, device: str) -> None:
        core, link = self.controller.core, self._link(device)
        jobs = core.of_device.get(device, {})
        boot = core.boots.get(device, 0)
        message = link.next_message(jobs.values(), boot, self.now_us)
        if message is None:
            return
        self._to_poll.add(device)
        answer = self.plant.answer(device, message, self.now_us)
        self.plant.changed.discard(device)
        for told in link.answered(message, answer, jobs, self.now_us):
            self.controller.tell(told)
        while self.controller.has_signals:
            self._step(self.now_us)


_TIME = re.compile(
    r"\b(process|duration|repair|time|swap|load|unload|every|back|lead_time|first): "
    r'"?(?:[a-z]+\()?([\d.]+) (h|min|s|d)\b(?:[^)"\n]*\))?"?'
)


def with_constant_times(text: str) -> str:
    """Return a model with constant times of which no two are the same or in step."""
    n = 0

    def constant(found: re.Match[str]) -> str:
        nonlocal n
        n += 1
        return f"{found[1]}: {float(found[2]) * (1 + n * 7.1e-5):.9f} {found[3]}"

    return _TIME.sub(constant, text)
