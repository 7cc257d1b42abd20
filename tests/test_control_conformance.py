"""The checks for machines: ours meet them by every profile, broken ones do not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from linewright.control.conformance import CHECKS, Checked, Conformance
from linewright.control.fronts import BitsFront, Front, PackFront
from linewright.control.jobs import device_of
from linewright.control.links import Message
from linewright.control.plant import Plant, RestartedError
from linewright.control.profiles import Bits, PackTags, Profile
from linewright.lower import lower
from linewright.model.load import loads
from tests.test_drivers_running import HOUR, LINE

WORK = {"action": "process", "operation": "weld", "units": [["frame", 3]]}
STEP_US = 500_000


class Bench:
    """A played machine on the bench, in virtual time, behind its profile."""

    def __init__(
        self,
        profile: str,
        broken: str = "",
        *,
        model: str = LINE.replace("every: 12 s", "every: 12 h"),
        device: str = "weld",
        work: dict[str, Any] = WORK,
    ) -> None:
        line = loads(model)
        self.plant = Plant(line, lower(line, HOUR), 7, wall_us=lambda: self.now_us)
        self.now_us, self.broken, self.profile = 0, broken, profile
        self.device, self.work = device, work
        self.measures = self.plant.measures.get(device, ())
        self.machine = self.plant.machines[device]
        self.tags: Profile | None = None
        kind: dict[str, type[Front]] = {"packml": PackFront, "bits": BitsFront}
        if profile in kind:
            self.front = kind[profile](
                device,
                self.behind,
                lambda: self.plant.shown(device),
                lambda: self.machine.jobs.highest.get(device, 0),
                measures=self.measures,
            )
            if profile == "packml":
                self.tags = PackTags(device, self.measures)
            else:
                self.tags = Bits(device, 1, measures=self.measures)

    def behind(self, message: Message) -> Any:
        """Answer as the machine itself does, or as a broken one."""
        if message.kind == "put":
            message = self.misheard(message)
        if message.kind == "clear" and self.broken == "clears what runs":
            self.machine.jobs.jobs.pop(message.body, None)
        try:
            return self.plant.answer(self.device, message, self.now_us)
        except RestartedError:
            return None

    def misheard(self, message: Message) -> Message:
        """Take a command as a machine does that is broken, if this one is."""
        jobs, job = self.machine.jobs, message.body["job"]
        entry, before = jobs.jobs.get(job), device_of(job)[1] - 1
        match self.broken:
            case "does cleared jobs again":
                jobs.highest["weld"] = min(jobs.highest.get("weld", 0), before)
            case "does jobs again that have ended":
                if entry is not None and entry.status == "ended":
                    del jobs.jobs[job]
                    jobs.highest["weld"] = before
            case "knows no starts":
                return message._replace(boot=jobs.boot)
            case "knows no controllers":
                return message._replace(epoch=99)
            case "takes any version":
                if entry is not None:
                    entry.version = message.body["version"] - 1
        return message

    async def send(self, message: Message) -> Any:
        self.plant.advance(self.now_us)
        if self.broken == "forgets results by itself":
            for job in list(self.machine.jobs.jobs):
                self.machine.jobs.clear(job)
        if self.tags is None:
            return self.behind(message)
        if message.kind == "list":
            return self.tags.listing(self.front.values())
        try:
            for written in self.tags.writes(message, self.front.values()):
                for name, value in written.items():  # one after another, at the worst
                    self.front.write({name: value})
            return self.tags.answer(message, self.front.values())
        except ValueError:
            return None

    async def wait(self) -> None:
        self.now_us += STEP_US

    def checked(self) -> list[Checked]:
        kit = Conformance(
            self.device,
            self.send,
            self.wait,
            self.work,
            self.profile,
            has_guard=self.tags is None,
            wall_us=lambda: self.now_us,
            measures=self.measures,
        )
        return asyncio.run(kit.run())


@pytest.mark.parametrize("profile", ["job_control", "packml", "bits"])
def test_our_machines_keep_the_contract_by_every_profile(profile: str) -> None:
    checked = Bench(profile).checked()
    assert [one for one in checked if one.found] == []
    n = sum(profile in profiles for profiles, _ in CHECKS.values())
    n_left_out = 1 + (profile != "job_control")  # nothing is measured
    assert len(checked) == n - n_left_out


@pytest.mark.parametrize("profile", ["job_control", "packml"])
@pytest.mark.parametrize(
    "broken",
    [
        "does cleared jobs again",
        "does jobs again that have ended",
        "knows no starts",
        "knows no controllers",
        "takes any version",
        "clears what runs",
        "forgets results by itself",
    ],
)
def test_a_machine_that_breaks_the_contract_is_found(profile: str, broken: str) -> None:
    assert any(one.found for one in Bench(profile, broken).checked())
