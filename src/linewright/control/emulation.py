"""The line in virtual time: a controller, its journal, and a plant that is played.

The plant does at once what is commanded and says at once what has happened, so that a
run is the simulation, event for event, through the controller and its journal. It lives
with the journal: after a kill both go on from what is on disk, and come to the same.
"""

from __future__ import annotations

from typing import Any

from linewright import tables as t
from linewright.control.asking import Outcome, Request
from linewright.control.controller import Controller
from linewright.control.jobs import BY_EVENT, Job
from linewright.control.journal import Journal
from linewright.control.judging import measuring_steps
from linewright.control.nature import Nature
from linewright.control.records import Signal
from linewright.errors import DeadlockError, KernelError
from linewright.lower import Lowered
from linewright.why import describe_deadlock

__all__ = ["Emulation"]

_AT_ONCE = 200


class Emulation:
    """A line that is run and played in one process; see the module's head.

    Args:
        lowered: The line.
        journal: Its journal, new or begun by an emulation with the same seed.
        seed: Seed of all streams.
        about: What the record of this start says.

    Attributes:
        at_once: Most records in one commit.
        asks: Whether `run` ends where a gate is closed, for somebody to decide; else it
            is released at once, which the journal says.
    """

    def __init__(
        self,
        lowered: Lowered,
        journal: Journal,
        seed: int,
        about: dict[str, Any] | None = None,
    ) -> None:
        self._lowered = lowered
        self.at_once = _AT_ONCE
        self.asks = False
        self.controller = Controller(
            lowered,
            journal,
            seed,
            about=about,
            make_companion=lambda: Nature(lowered, seed),
        )

    @property
    def nature(self) -> Nature:
        """Return who plays the plant."""
        assert isinstance(self.controller.companion, Nature)
        return self.controller.companion

    def next_us(self) -> int | None:
        """Return when something happens next, if anything does."""
        found, wake_us = self.nature.next(), self.controller.core.next_wake_us()
        times = [] if found is None else [found.at_us]
        return min([*times, *([] if wake_us is None else [wake_us])], default=None)

    def ask(self, request: Request, at_us: int) -> Outcome:
        """Judge and do what somebody asks, after all that has happened by a time.

        It counts when `run` has returned, or `Controller.flush`.
        """
        return self.controller.ask(request, at_us)

    def run(self, until_us: int) -> int:
        """Go on until a time; return how many records were written.

        Raises:
            DeadlockError: The line stands still for good; what led to it is written.
            JournalError: The disk does not take a record.
            KernelError: Controller and plant do not agree, which is a defect.
        """
        controller, n = self.controller, 0
        while not self._is_dead() and (at_us := self.next_us()) is not None:
            if controller.core.gates.closed:
                if self.asks:
                    break
                self._decide()
            if at_us > until_us:
                break
            self._happen()
            if controller.n_pending >= self.at_once:
                n += len(controller.flush().records)
        n += len(controller.flush().records)
        if self._is_dead():
            raise DeadlockError(describe_deadlock(self._lowered, controller.core.state))
        return n

    def _is_dead(self) -> bool:
        status = self.controller.core.state.clock["status"][0]
        return bool(status == t.DEADLOCK)

    def _happen(self) -> None:
        """Let the next thing happen."""
        controller, nature = self.controller, self.nature
        core, event = controller.core, nature.next()
        wake_us = core.next_wake_us()
        if wake_us is not None and (event is None or wake_us < event.at_us):
            controller.do(core.wake())
            return
        assert event
        if core.next_timer() == nature.timer():
            controller.do(core.due())
            return
        if event.kind in _ENDS and event.row in core.rest:
            controller.do(core.unit(event.row))
            return
        answer = controller.hear(self._signal(event.kind, event.row), event.at_us)
        if not answer.is_accepted:
            msg = f"the controller refuses what the plant has done: {answer.why}"
            raise KernelError(msg)

    def _signal(self, kind: int, row: int) -> Signal:
        """Return what the plant says of an event."""
        core, names = self.controller.core, self._lowered.names
        if kind == t.FAILURE:
            return Signal("failure", core.devices.failure(row))
        if kind == t.ARRIVAL:
            return Signal("arrival", names.products[row])
        action = BY_EVENT.get(kind)
        if action is not None:
            device = core.devices.of(action, row, core.state)
            for job in core.of_device.get(device, {}).values():
                if job.row == row and job.action == action.name:
                    outcomes = self.nature.outcomes(row) if kind in _ENDS else ()
                    data = self._data(job, outcomes)
                    return Signal("done", job.id, outcomes, data=data)
        msg = f"the plant has done what nobody commanded: event {kind} of {row}"
        raise KernelError(msg)

    def _data(self, job: Job, outcomes: tuple[int, ...]) -> dict[str, Any]:
        """Return what a machine says beside its verdicts."""
        core = self.controller.core
        if not outcomes or not any(of and of.read for of in measuring_steps(core, job)):
            return {}
        return {"measured": self.nature.measured(job.row, outcomes)}

    def _decide(self) -> None:
        """Release the gates that are closed: nobody is there to be asked."""
        core = self.controller.core
        for name in list(core.gates.closed):
            released = Signal("release", name, data=_PLAYED)
            answer = self.controller.hear(released, core.now_us)
            assert answer.is_accepted, answer.why


_PLAYED = {"who": "played", "why": "nobody is asked in a line that is played"}
_ENDS = (t.FINISH, t.UNLOADED)
