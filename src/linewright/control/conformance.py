"""Whether a machine behind its adapter keeps the contract: checks that anybody can run.

The checks give the machine real jobs, one after another, and look at what it shows.
They are for a machine that runs no line yet: the numbers of their jobs count as seen
after them, so it has to forget its jobs before it joins one. What a profile cannot
promise is not asked of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from linewright.control.links import Message
from linewright.control.machines import Listing, Reply, UnitRecord
from linewright.control.watching import MOST_OFF_US

__all__ = ["CHECKS", "Checked", "Conformance"]

_TRIES = 400


class Checked(NamedTuple):
    """What a check has found.

    Attributes:
        name: What was to be.
        found: What was found instead, or empty where it was so.
    """

    name: str
    found: str

    @property
    def is_met(self) -> bool:
        """Say whether it was so."""
        return not self.found


class _NotSoError(Exception):
    """Something is not as the contract has it."""


@dataclass(slots=True)
class Conformance:
    """The checks of one machine; see the module's head.

    Args:
        device: Name of the machine.
        send: Sends a message; what it returns is the answer, None where none came.
        wait: Waits a little, in the time of the machine.
        work: What the jobs are about: action, operation and units of a command.
        profile: ``job_control``, ``packml`` or ``bits``.
        has_guard: Whether it tells of units what was done to them.
        first: Number of the first job.
        wall_us: The time of day, microseconds since 1970, or -1 where the machine's
            clock is not looked at.
        boot: Start of the machine, as it was read last.
        epoch: Start of the controller that the checks pretend to be.
        measures: Characteristics that the work measures.
    """

    device: str
    send: Callable[[Message], Awaitable[Any]]
    wait: Callable[[], Awaitable[None]]
    work: dict[str, Any]
    profile: str
    has_guard: bool = False
    first: int = 1
    wall_us: Callable[[], int] = field(default=lambda: -1)
    boot: int = 0
    epoch: int = 2
    measures: Sequence[str] = ()

    async def run(self) -> list[Checked]:
        """Return what all checks have found, each once, in their order."""
        checked = []
        for name, (profiles, check) in CHECKS.items():
            if self.profile not in profiles:
                continue
            if check is _unit_record and not self.has_guard:
                continue
            if check is _measures and not self.measures:
                continue
            try:
                self.boot = (await self.listing()).boot
                await check(self)
                checked.append(Checked(name, ""))
            except _NotSoError as error:
                checked.append(Checked(name, str(error)))
                if not await self._is_free():
                    checked.append(Checked("it comes to rest", "it has work still"))
                    break
        return checked

    # ------------------------------------------------------------ what checks need

    async def listing(self) -> Listing:
        """Return its list."""
        for _ in range(_TRIES):
            found = await self.send(Message("list", None, self.epoch, 0))
            if isinstance(found, Listing):
                return found
            await self.wait()
        msg = "its list cannot be read"
        raise _NotSoError(msg)

    def command(self, version: int = 1, want: str = "run") -> dict[str, Any]:
        """Return what is said of the job."""
        said = {"job": self.job, "want": want, "version": version}
        return self.work | said | {"epoch": self.epoch}

    @property
    def job(self) -> str:
        """Return the job that is given next, or was last."""
        return f"{self.device}#{self.first}"

    async def put(
        self,
        command: dict[str, Any],
        epoch: int | None = None,
        boot: int | None = None,
    ) -> str:
        """Say what is wanted of a job; return the code of the answer, or nothing."""
        epoch = self.epoch if epoch is None else epoch
        boot = self.boot if boot is None else boot
        answer = await self.send(Message("put", command, epoch, boot))
        return answer.code if isinstance(answer, Reply) else ""

    async def take(self, version: int = 1, want: str = "run") -> None:
        """Let it take a job, or a wish about it."""
        code = await self.put(self.command(version, want))
        if code not in {"accepted", "known"}:
            msg = f"it answers {code or 'nothing'} to version {version} of {self.job}"
            raise _NotSoError(msg)

    async def status(self) -> tuple[int, str, tuple[int, ...]]:
        """Return version, state and results of the job, which may be gone."""
        return (await self.listing()).jobs.get(self.job, (0, "gone", ()))

    async def until(self, *wanted: str) -> tuple[int, str, tuple[int, ...]]:
        """Wait until the job is in one of some states."""
        status = ""
        for _ in range(_TRIES):
            found = await self.status()
            status = found[1]
            if status in wanted:
                return found
            await self.wait()
        msg = f"{self.job} is {status}, not {' or '.join(wanted)}"
        raise _NotSoError(msg)

    async def clear(self) -> None:
        """Say that the result is known."""
        await self.send(Message("clear", self.job, self.epoch, self.boot))

    async def finish(self) -> None:
        """Let the job end, and be forgotten; the next one has another number."""
        await self.until("ended", "cancelled")
        await self.clear()
        await self.until("gone")
        self.first += 1

    async def _is_free(self) -> bool:
        """Bring the machine to rest after a check that has failed."""
        try:
            version, status, _ = await self.status()
            if status in {"running", "held"}:
                await self.put(self.command(version + 1, "cancel"))
            if status != "gone":
                await self.finish()
            else:
                self.first += 1
        except _NotSoError:
            return False
        return True


async def _ends(kit: Conformance) -> None:
    await kit.take()
    found = await kit.until("ended")
    n = max(len(kit.work["units"]), 1)
    if len(found[2]) not in {0, n}:
        msg = f"{n} units have the results {found[2]}"
        raise _NotSoError(msg)
    for _ in range(3):
        await kit.wait()
        if await kit.status() != found:
            msg = f"its result changes, or is gone: {await kit.status()}"
            raise _NotSoError(msg)
    await kit.finish()


async def _measures(kit: Conformance) -> None:
    await kit.take()
    await kit.until("ended")
    found: Mapping[str, Any] = {}
    for _ in range(_TRIES):
        listing = await kit.listing()
        found = listing.measured.get(kit.job, {})
        if not _lacks(kit, found):
            break
        await kit.wait()
    wrong = _lacks(kit, found)
    await kit.finish()
    if wrong:
        msg = f"its result has no number for {wrong}: it says {dict(found)}"
        raise _NotSoError(msg)


def _lacks(kit: Conformance, found: Mapping[str, Any]) -> str:
    """Return the characteristics of which a unit has no number."""
    n = max(len(kit.work["units"]), 1)
    missing = []
    for name in kit.measures:
        of = found.get(name)
        values = of if isinstance(of, list) else [of]
        are_numbers = (isinstance(x, int | float) and x is not True for x in values)
        if len(values) != n or not all(are_numbers):
            missing.append(name)
    return ", ".join(missing)


async def _once(kit: Conformance) -> None:
    await kit.take()
    await kit.until("running", "ended")
    await kit.put(kit.command())
    found = await kit.until("ended")
    await kit.put(kit.command())
    for _ in range(2):
        now = await kit.status()
        if now != found:
            msg = f"said again when it had ended, it is {now[1]}"
            raise _NotSoError(msg)
        await kit.wait()
    await kit.finish()


async def _never_again(kit: Conformance) -> None:
    await kit.take()
    await kit.finish()
    kit.first -= 1
    await kit.put(kit.command())
    await kit.wait()
    status = (await kit.status())[1]
    if status != "gone":
        msg = f"said again when it was cleared, it is {status}"
        raise _NotSoError(msg)
    kit.first += 1


async def _other_start(kit: Conformance) -> None:
    await kit.put(kit.command(), boot=kit.boot + 1)
    await kit.wait()
    status = (await kit.status())[1]
    if status != "gone":
        msg = f"it takes what is meant for another start: it is {status}"
        raise _NotSoError(msg)


async def _older_controller(kit: Conformance) -> None:
    await kit.take()
    await kit.finish()
    await kit.put(kit.command(), epoch=kit.epoch - 1)
    await kit.wait()
    status = (await kit.status())[1]
    if status != "gone":
        msg = f"it takes what an earlier start of the controller says: it is {status}"
        raise _NotSoError(msg)


async def _holds(kit: Conformance) -> None:
    await kit.take(1, "hold")
    await kit.until("held")
    await kit.take(3, "run")
    await kit.until("running", "ended")
    await kit.put(kit.command(2, "hold"))
    await kit.wait()
    status = (await kit.status())[1]
    if status == "held":
        msg = "an earlier wish that comes late counts"
        raise _NotSoError(msg)
    await kit.finish()


async def _keeps_running(kit: Conformance) -> None:
    await kit.take(1, "hold")
    await kit.until("held")
    await kit.clear()
    await kit.wait()
    if (await kit.status())[1] == "gone":
        msg = "a job that has not ended can be cleared"
        raise _NotSoError(msg)
    await kit.take(2, "run")
    await kit.finish()


async def _cancels(kit: Conformance) -> None:
    await kit.take(1, "hold" if kit.profile != "bits" else "run")
    await kit.until("held", "running")
    await kit.put(kit.command(2, "cancel"))
    await kit.until("cancelled")
    await kit.finish()


async def _unit_record(kit: Conformance) -> None:
    await kit.take()
    found = await kit.until("ended")
    await kit.finish()
    job = f"{kit.device}#{kit.first - 1}"
    answer = await kit.send(Message("check", job, kit.epoch, kit.boot))
    outcomes = answer.outcomes if isinstance(answer, UnitRecord) else None
    if outcomes != found[2]:
        msg = f"the record of {job} is {outcomes}, its result was {found[2]}"
        raise _NotSoError(msg)


async def _clock(kit: Conformance) -> None:
    before, ours_us = await kit.listing(), kit.wall_us()
    if before.clock_us < 0 or ours_us < 0:
        return
    off_us = before.clock_us - ours_us
    if abs(off_us) > MOST_OFF_US:
        msg = f"its clock is {off_us / 1e6:.0f} s ahead of ours"
        raise _NotSoError(msg)
    await kit.wait()
    if (await kit.listing()).clock_us <= before.clock_us:
        msg = "its clock stands"
        raise _NotSoError(msg)


_ALL = ("job_control", "packml", "bits")
_NUMBERED = ("job_control", "packml")
_Check = Callable[[Conformance], Awaitable[None]]

CHECKS: dict[str, tuple[tuple[str, ...], _Check]] = {
    "a job ends, and its result stays until it is cleared": (_ALL, _ends),
    "its result has a number for all that is measured": (_ALL, _measures),
    "a job that is said twice is done once": (_ALL, _once),
    "a job that was cleared is not done again": (_NUMBERED, _never_again),
    "what is meant for another start is refused": (_ALL, _other_start),
    "what an earlier controller says is refused": (_NUMBERED, _older_controller),
    "a job holds and goes on, and a wish that comes late is none": (_NUMBERED, _holds),
    "a job that has not ended stays on the list": (_NUMBERED, _keeps_running),
    "a job is called off": (_ALL, _cancels),
    "units know what was done to them": (_ALL, _unit_record),
    "its clock goes, and right": (_ALL, _clock),
}
