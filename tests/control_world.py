"""A whole plant with everything that goes wrong, in one process and in virtual time.

Controller, network and machines run from one seed: messages are lost, repeated and
delayed, machines are cut off and start again with or without a memory, the controller
dies at writes and at any time, and its clock jumps by a minute, an hour or ten years.
What really happened is written down by the machines alone (`World.done`), and `judge`
holds it against the journal and against the routing, which is written out here by hand
and not taken from the model.

A broken protocol is a world with one of `MUTANTS`; the judge has to find it.
"""

from __future__ import annotations

import heapq
import random  # noqa: TID251 - the weather of a test, all of it from one seed
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from linewright.control.asking import Outcome, Request
from linewright.control.controller import Controller
from linewright.control.fronts import PackFront
from linewright.control.jobs import device_of
from linewright.control.links import EVENTS_OF_BOOT, Link, Message
from linewright.control.machines import JobList, Reply, UnitRecord
from linewright.control.played import Shown
from linewright.control.profiles import PackTags
from linewright.control.records import Record, Signal
from linewright.lower import Lowered, lower
from linewright.model.load import loads
from tests.memory_journal import Killed, MemoryJournal

N_UNITS = 6
MS, SECOND, HOUR = 1_000, 1_000_000, 3_600_000_000
TEN_YEARS = 10 * 365 * 24 * HOUR
TIMEOUT_US = 400 * MS
END_OF_FAULTS_US = 50 * SECOND
END_US = 40 * 60 * SECOND

LINE = f"""
schema_version: 1
name: world
stations:
  cut: {{servers: 2, process: 4 s}}
  weld:
    process: 3 s
    buffer: 8
    failures: {{torch: {{every: 1 h, repair: 5 s}}}}
  test: {{process: 2 s, buffer: 2}}
  pack: {{process: 1 s, buffer: 4}}
products:
  frame:
    release: {{kind: orders}}
    route:
      - cut
      - weld
      - station: test
        transport: 1 s
        inspection: {{pass: 0.8, rework: 1, rework_to: weld, rework_limit: 2}}
      - pack
orders:
  - {{product: frame, quantity: {N_UNITS}}}
"""

# what has to happen to a unit, in order; a unit that fails its test goes back to weld
STEPS = ("cut", "weld", "test", "pack")
PLACES = {
    "cut": {"cut/1", "cut/2"},
    "weld": {"weld"},
    "test": {"test"},
    "pack": {"pack"},
}

SERVERS = set().union(*PLACES.values())

MUTANTS = (
    "commands leave before the journal",
    "the journal forgets the last write when killed",
    "results are cleared before they are written",
    "machines take old numbers",
    "machines take a job that they know again",
    "machines take what was meant for them before they started again",
    "nobody asks the unit",
    "machines forget what was done to a unit",
    "a lost answer means that it was done",
    "lists are asked for only when a machine calls",
    "a machine's call is believed",
    "outcomes are lost",
    "the last record is forgotten at a start",
    "numbers begin anew at every start",
    "a start skips the record after the snapshot",
    "a request that comes again is done again",
    "requests are answered before they are written",
)


def lowered_world() -> Lowered:
    return lower(loads(LINE), 24 * HOUR)


class Machine:
    """A machine: a list of jobs, and hands that take time.

    It works on one job at a time and writes down what it has done: on the unit's own
    tag, and for the judge.
    """

    def __init__(self, world: World, device: str) -> None:
        self.world, self.device = world, device
        self.jobs = JobList()
        self.is_down = False
        self.unreachable_until = 0
        self.progress: dict[str, int] = {}
        self.n_failures = 0
        self._since: dict[str, int] = {}
        self.front = PackFront(
            device,
            self.answer_itself,
            lambda: Shown(self.jobs.boot, self.jobs.jobs, self.jobs.events, -1),
            lambda: self.jobs.highest.get(device, 0),
        )

    def time_of(self, command: dict[str, Any]) -> int:
        times = {"cut": 4, "weld": 3, "test": 2, "pack": 1}
        seconds = times.get(command.get("operation", ""), 1)
        return seconds * SECOND * (3 if command["action"] == "repair" else 1)

    def put(self, command: dict[str, Any], epoch: int, boot: int) -> Reply:
        mutant, jobs = self.world.mutant, self.jobs
        if mutant == "machines take what was meant for them before they started again":
            boot = jobs.boot
        device, number = device_of(command["job"])
        if mutant == "machines take old numbers":
            jobs.highest.pop(device, 0)
        if mutant == "machines take a job that they know again":
            jobs.jobs.pop(command["job"], None)
            jobs.highest[device] = min(jobs.highest.get(device, 0), number - 1)
        reply = jobs.put(command, epoch, boot)
        self.look()
        return reply

    def look(self) -> None:
        """Begin, stop and go on, as the list says."""
        now = self.world.now
        for job_id, entry in self.jobs.jobs.items():
            runs = entry.status == "running" and not self.is_down
            if runs and job_id not in self._since:
                self._since[job_id] = now
                left = self.time_of(entry.command) - self.progress.get(job_id, 0)
                end = partial(self.end, job_id, self.jobs.boot, now)
                self.world.at(now + left, end)
            elif not runs and job_id in self._since:
                since = self._since.pop(job_id)
                self.progress[job_id] = self.progress.get(job_id, 0) + now - since

    def end(self, job_id: str, boot: int, begun: int) -> None:
        """The work is done: nobody can undo it."""
        if boot != self.jobs.boot or self._since.get(job_id) != begun:
            return  # it was stopped since
        del self._since[job_id]
        self.progress.pop(job_id, None)
        command = self.jobs.jobs[job_id].command
        outcomes = tuple(
            self.world.work(self.device, command) for _ in command["units"]
        ) or (0,)
        self.world.tags[job_id] = outcomes
        self.world.done.append((self.world.now, job_id, command, outcomes))
        self.jobs.end(job_id, outcomes)
        if command["action"] == "repair":
            self.world.machines[
                command["job"].partition(" at ")[2].partition("#")[0]
            ].mend()
            outcomes = ()
        self.call()

    def call(self) -> None:
        """Tell the controller that there is something new; it may not hear."""
        self.world.send(self.device, partial(self.world.called, self.device))

    def fail(self) -> None:
        if self.is_down or "weld" not in self.device or "repair" in self.device:
            return
        self.is_down = True
        self.report()
        self.look()

    def report(self, kind: str = "failure") -> None:
        self.n_failures += 1
        number = self.jobs.boot * EVENTS_OF_BOOT + self.n_failures
        self.jobs.events.append((number, kind, "torch at weld"))
        self.call()

    def mend(self) -> None:
        self.is_down = False
        self.look()

    def restart(self, *, remembers: bool) -> None:
        """Start again: what was under way is as if it had not been begun."""
        for job_id in list(self._since):
            del self._since[job_id]
        self.progress.clear()
        self.jobs.restart(remembers=remembers)
        self.n_failures = 0
        if self.is_down:
            self.report("failed")
        self.look()

    def answer(self, message: Message) -> Any:
        if self.world.has_tags and self.device in SERVERS:
            return self.answer_by_tags(message)
        return self.answer_itself(message)

    def answer_by_tags(self, message: Message) -> Any:
        """Answer as one with tags: whatever came before, values are written now."""
        profile = PackTags(self.device)
        if message.kind != "list":
            free = {"Status.Sequence": 0, "Status.JobState": 0}
            for written in profile.writes(message, free):
                for name, value in written.items():  # one after another, at the worst
                    self.front.write({name: value})
            try:
                return profile.answer(message, self.front.values())
            except ValueError:
                return None
        return profile.listing(self.front.values())

    def answer_itself(self, message: Message) -> Any:
        jobs = self.jobs
        if message.kind == "list":
            return jobs.list()
        if message.kind == "put":
            return self.put(message.body, message.epoch, message.boot)
        if message.boot != jobs.boot:
            return None
        if message.kind == "clear":
            jobs.clear(message.body)
        elif message.kind == "clear_events":
            jobs.clear_events(message.body)
        elif message.kind == "check":
            if self.world.mutant == "machines forget what was done to a unit":
                return None
            outcomes = self.world.tags.get(message.body)
            return None if outcomes is None else UnitRecord(outcomes)
        return True


class World:
    """Everything, from one seed."""

    def __init__(
        self, lowered: Lowered, seed: int, mutant: str = "", *, has_tags: bool = False
    ) -> None:
        self.lowered, self.mutant, self.has_tags = lowered, mutant, has_tags
        self.random = random.Random(seed)
        self.now = 0
        self.done: list[tuple[int, str, dict[str, Any], tuple[int, ...]]] = []
        self.tags: dict[str, tuple[int, ...]] = {}
        self.tests: dict[str, int] = {}
        self.machines: dict[str, Machine] = {}
        self.journal = MemoryJournal()
        self.controller: Controller | None = None
        self.links: dict[str, Link] = {}
        self.n_kills = self.n_restarts = self.n_decided = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._n = 0
        self._polls: dict[str, int] = {}
        self.people = random.Random(f"people {seed}")
        self.asked: dict[str, Request] = {}
        self.outcomes: dict[str, Outcome] = {}
        self._expected: tuple[int, set[int]] = (-1, set())
        self.skew, self.n_jumps = 0, 0
        self.boot()
        self.faults()
        self.wishes()
        self.jumps(random.Random(f"clock of {seed}"))
        if has_tags:
            self.at(SECOND, self.person)

    def at(self, when: int, what: Callable[[], None]) -> None:
        self._n += 1
        heapq.heappush(self._queue, (when, self._n, what))

    def run(self) -> None:
        queue, pop = self._queue, heapq.heappop
        while queue and self.now < END_OF_FAULTS_US:
            self.now, _, what = pop(queue)
            what()
        while queue and self.now < END_US and not self.is_finished():
            self.now, _, what = pop(queue)
            what()

    def is_finished(self) -> bool:
        controller = self.controller
        if controller is None or len(self.outcomes) < len(self.asked):
            return False
        products = controller.core.state.products
        left = int(products["finished"][0]) + int(products["scrapped"][0])
        return left == len(self.expected()) and not controller.has_signals

    # ------------------------------------------------------------ faults

    def faults(self) -> None:
        rnd = self.random
        for _ in range(4):
            self.at(rnd.randrange(END_OF_FAULTS_US), self.kill)
        for _ in range(3):
            self.at(rnd.randrange(END_OF_FAULTS_US), self.restart_some)
        for _ in range(2):
            self.at(rnd.randrange(END_OF_FAULTS_US), self.cut_off_some)
        self.at(
            rnd.randrange(END_OF_FAULTS_US // 2), lambda: self.machine("weld").fail()
        )

    # ------------------------------------------------------------ people

    def wishes(self) -> None:
        """People ask for more, hold stations and let them go on, scrap a unit."""
        rnd = self.people

        def later(at: int, what: str, data: dict[str, Any]) -> None:
            one = Request(f"{len(self.asked)}", what, "Anna", "that is why", data)
            self.asked[one.key] = one
            self.at(at, lambda: self.ask(one))

        for n in range(rnd.randint(0, 2)):
            at = rnd.randrange(END_OF_FAULTS_US)
            name = f"more {n}"
            held = rnd.random() < 0.3
            data: dict[str, Any] = {"product": "frame", "quantity": rnd.randint(1, 2)}
            later(at, "order", data | {"name": name, "is_held": held})
            if held:
                later(END_OF_FAULTS_US, "order release", {"order": name})
        for station in rnd.sample(sorted(PLACES), rnd.randint(0, 2)):
            at, for_us = rnd.randrange(END_OF_FAULTS_US), rnd.randrange(9 * SECOND)
            hold = {"stations": [station], "is_now": rnd.random() < 0.5}
            later(at, "hold", hold)
            later(END_OF_FAULTS_US + for_us, "resume", {"stations": [station]})
        if rnd.random() < 0.3:
            unit = f"frame:{rnd.randrange(N_UNITS)}"
            later(rnd.randrange(END_OF_FAULTS_US), "unit scrapped", {"unit": unit})

    def ask(self, request: Request) -> None:
        """Somebody asks, and asks again until an answer came."""
        if request.key in self.outcomes:
            return
        self.at(self.now + 300 * MS, partial(self.ask, request))
        self.guarded(partial(self.step, [request]))

    def hear(self, outcomes: Sequence[Outcome]) -> None:
        for one in outcomes:
            if not self.is_faulty or self.people.random() < 0.6:
                self.outcomes[one.key] = one

    def expected(self) -> set[int]:
        """Return the serial numbers of all units that were ordered."""
        if self._expected[0] < len(self.outcomes):  # an outcome stays what it is
            more = 0
            for key, outcome in self.outcomes.items():
                one = self.asked[key]
                if one.what == "order" and outcome.is_accepted:
                    more += int(one.data["quantity"])
            self._expected = len(self.outcomes), set(range(N_UNITS + more))
        return self._expected[1]

    def scrapped(self) -> set[int]:
        """Return the serial numbers of the units that somebody scrapped."""
        return {
            int(one.data["unit"].partition(":")[2])
            for key, one in self.asked.items()
            if one.what == "unit scrapped" and self.outcomes[key].is_accepted
        }

    def jumps(self, rnd: random.Random) -> None:
        """Let the controller's clock jump; everybody else's goes on as it was."""

        def jump(skew: int) -> None:
            self.skew, self.n_jumps = skew, self.n_jumps + 1

        for _ in range(2):
            skew = rnd.choice((-HOUR, -90 * SECOND, 90 * SECOND, HOUR, TEN_YEARS))
            self.at(rnd.randrange(END_OF_FAULTS_US), partial(jump, skew))

    def clock(self) -> int:
        """Return the time that the controller believes."""
        return max(self.now + self.skew, 0)

    @property
    def is_faulty(self) -> bool:
        return self.now < END_OF_FAULTS_US

    def kill(self) -> None:
        """The controller dies now, or at one of its next writes."""
        if self.controller is None:
            return
        if self.random.random() < 0.3:
            self.die()
        else:
            self.journal.kill_at = self.journal.n_writes + self.random.randint(1, 3)
            self.journal.is_after = self.random.random() < 0.5

    def die(self) -> None:
        self.n_kills += 1
        self.controller, self.links = None, {}
        self.journal.kill_at = -1
        if self.mutant == "the journal forgets the last write when killed":
            del self.journal.records[-self.journal.n_last :]
        self.at(self.now + self.random.randrange(50 * MS, 2 * SECOND), self.boot)

    def restart_some(self) -> None:
        machine = self.random.choice(list(self.machines.values()))
        self.n_restarts += 1
        machine.restart(remembers=self.random.random() < 0.4)

    def cut_off_some(self) -> None:
        machine = self.random.choice(list(self.machines.values()))
        machine.unreachable_until = self.now + self.random.randrange(1, 10) * SECOND

    def person(self) -> None:
        """Look at the units of jobs in doubt, and say what was done to them."""
        self.at(self.now + 2 * SECOND, self.person)
        if self.controller is None:
            return
        for job in list(self.controller.core.jobs.values()):
            has_it = job.id in self.machine(job.device).jobs.jobs
            if not job.in_doubt or job.device not in SERVERS or has_it:
                continue
            self.n_decided += 1
            outcomes = self.tags.get(job.id)
            kind = "redo" if outcomes is None else "done"
            self.controller.tell(Signal(kind, job.id, outcomes=outcomes or ()))
            self.guarded(self.step)
            if self.controller is None:
                return

    # ------------------------------------------------------------ network

    def send(self, device: str, deliver: Callable[[], None]) -> None:
        """Bring a message there once, twice or never, and some time."""
        draw, now = self.random.random, self.now
        copies, is_faulty = 1, now < END_OF_FAULTS_US
        if is_faulty:
            if now < self.machine(device).unreachable_until:
                return
            one = draw()
            copies = 0 if one < 0.12 else 2 if one < 0.24 else 1
        for copy in range(copies):
            is_late = copy or (is_faulty and draw() < 0.05)
            longest = 2_500 * MS if is_late else 30 * MS
            self.at(now + MS + int(draw() * (longest - MS)), deliver)

    def machine(self, device: str) -> Machine:
        found = self.machines.get(device)
        if found is None:
            found = self.machines[device] = Machine(self, device)
        return found

    def work(self, device: str, command: dict[str, Any]) -> int:
        """Return the verdict of some work: a test finds every third unit bad, once."""
        del device
        if command.get("operation") != "test" or command["action"] != "process":
            return 0
        [[_, serial]] = command["units"]
        n = self.tests[str(serial)] = self.tests.get(str(serial), 0) + 1
        return 1 if serial % 3 == 1 and n == 1 else 0

    # ------------------------------------------------------------ controller

    def boot(self) -> None:
        """Start the controller with what is on disk."""
        journal, is_again = self.journal, self.n_kills > 0
        if self.mutant == "the last record is forgotten at a start" and is_again:
            del journal.records[max(len(journal.records) - 1, 3) :]
        saved = journal.snapshot
        if self.mutant == "a start skips the record after the snapshot" and saved:
            n = min(saved.seq + 1, len(journal.records))
            journal.snapshot = saved._replace(seq=n)
        try:
            self.controller = Controller(self.lowered, journal, now_us=self.clock())
            if self.random.random() < 0.3:
                self.controller.save_snapshot()
        except Killed:
            self.die()
            return
        core = self.controller.core
        if self.mutant == "numbers begin anew at every start":
            core.numbers.clear()
        if self.mutant == "a request that comes again is done again":
            core.asked.restore(core.asked.notes() | {"outcomes": []})
        if self.mutant == "commands leave before the journal":
            self.leak(core.epoch)
        self.links, self._polls = {}, {}
        for device in sorted({*core.devices.servers, *core.of_device}):
            self.link(device)
        self.guarded(self.poll_all)

    def guarded(self, what: Callable[[], None]) -> None:
        if self.controller is None:
            return
        try:
            what()
        except Killed:
            self.die()

    def link(self, device: str) -> Link:
        if device not in self.links:
            assert self.controller
            self.links[device] = Link(
                device,
                self.controller.core.epoch,
                TIMEOUT_US,
                has_guard=not (self.has_tags and device in SERVERS),
                counted=self.controller.core.counts.get(device, -1),
            )
            if self.mutant == "lists are asked for only when a machine calls":
                self.links[device].ask_every_us = 10**15
        return self.links[device]

    def poll_all(self) -> None:
        for device in list(self.links):
            self.poll(device)
        self.wait_for_line()

    def wait_for_line(self) -> None:
        """Be there when the line itself goes on."""
        controller = self.controller
        assert controller
        due = controller.next_due_us()
        if due is not None and due < 2**58 and self._polls.get("", -1) != due:
            self._polls[""] = due
            at = max(due - self.skew, self.now)
            self.at(at, partial(self.guarded, self.step))

    def poll(self, device: str) -> None:
        controller, now = self.controller, self.now
        assert controller
        link = self.links.get(device) or self.link(device)
        if now < link.next_at_us() and link.is_waiting:
            return  # it is looked at again when the answer comes, or then
        core = controller.core
        jobs = core.of_device.get(device, {})
        is_late = link.is_waiting  # what is not late has returned
        if is_late and jobs and self.mutant == "a lost answer means that it was done":
            controller.tell(Signal("done", next(iter(jobs))))
            link.lost()
            self.step()
            return
        message = link.next_message(jobs.values(), core.boots.get(device, 0), now)
        if message is not None:
            machine = self.machine(device)
            self.send(device, partial(self.arrive, machine, controller, link, message))
        at = link.next_at_us()
        if at > now and self._polls.get(device) != at:
            self._polls[device] = at
            self.at(at, partial(self.again, controller, device))

    def again(self, controller: Controller, device: str) -> None:
        if self.controller is controller:  # and not one that came after it
            link = self.links[device]
            if self.now >= link.next_at_us() or not link.is_waiting:
                self.guarded(partial(self.poll, device))

    def arrive(
        self, machine: Machine, controller: Controller, link: Link, message: Message
    ) -> None:
        answer = machine.answer(message)
        if answer is None and message.kind != "check":
            return
        self.send(
            machine.device, partial(self.answered, controller, link, message, answer)
        )

    def answered(
        self, controller: Controller, link: Link, message: Message, answer: Any
    ) -> None:
        if self.controller is controller:
            self.guarded(partial(self.take, controller, link, message, answer))

    def take(
        self, controller: Controller, link: Link, message: Message, answer: Any
    ) -> None:
        jobs = controller.core.of_device.get(link.device, {})
        told = link.answered(message, answer, jobs, self.now)
        for signal in told:
            controller.tell(self.mutated(signal, link.device))
        if self.mutant == "nobody asks the unit":
            for job in jobs:
                controller.tell(Signal("redo", job))
        if controller.has_signals:
            self.step()
        else:
            self.poll(link.device)

    def mutated(self, signal: Signal, device: str) -> Signal:
        if signal.kind == "done":
            if self.mutant == "outcomes are lost":
                return Signal("done", signal.subject)
            if self.mutant == "results are cleared before they are written":
                self.machine(device).jobs.clear(signal.subject)
        return signal

    def called(self, device: str) -> None:
        if self.controller is None:
            return
        if self.mutant == "a machine's call is believed":
            for job in self.controller.core.of_device.get(device, {}):
                self.controller.tell(Signal("done", job))
                self.guarded(self.step)
                return
        self.link(device).wake()
        self.guarded(partial(self.poll, device))

    def step(self, requests: Sequence[Request] = ()) -> None:
        controller = self.controller
        assert controller
        if self.mutant == "requests are answered before they are written":
            self.hear([Outcome(one.key, True, "") for one in requests])
        step = controller.step(self.clock(), requests)
        self.hear(step.outcomes)
        devices = set(step.devices)
        for answer in step.answers:
            device = answer.signal.source or device_of_signal(answer.signal)
            self.link(device).settled(answer)
            devices.add(device)
        for device in sorted(devices):
            self.poll(device)
        self.wait_for_line()

    def leak(self, epoch: int) -> None:
        """Send commands before they are written."""
        append = MemoryJournal.append

        def too_early(expected_seq: int, records: Sequence[Record]) -> None:
            for record in records:
                for command in record.commands:
                    machine = self.machine(command["job"].rpartition("#")[0])
                    if "action" in command:
                        machine.put(command, epoch, machine.jobs.boot)
            append(self.journal, expected_seq, records)

        self.journal.append = too_early  # type: ignore[method-assign]


def device_of_signal(signal: Signal) -> str:
    return (
        signal.subject
        if signal.kind in {"machine", "alarm"}
        else signal.subject.rpartition("#")[0]
    )


# ---------------------------------------------------------------- the judge


def judge(world: World) -> list[str]:
    """Return what is wrong with what happened; nothing, if all is well."""
    wrong = []
    lives: dict[int, list[tuple[str, str, int]]] = {}
    seen: dict[str, int] = {}
    for _, job_id, command, outcomes in world.done:
        seen[job_id] = seen.get(job_id, 0) + 1
        if command["action"] == "process":
            device = job_id.rpartition("#")[0]
            for (_, serial), outcome in zip(command["units"], outcomes, strict=True):
                lives.setdefault(serial, []).append(
                    (command["operation"], device, outcome)
                )
    wrong += [f"{job} was done {n} times" for job, n in seen.items() if n > 1]
    if world.outcomes.keys() != world.asked.keys():
        return [*wrong, "somebody got no answer"]
    expected, scrapped = world.expected(), world.scrapped()
    for serial in expected:
        life = lives.get(serial, [])
        wrong += judge_life(serial, life, is_scrapped=serial in scrapped)
    extra = set(lives) - expected
    wrong += [f"nobody ordered unit {serial}" for serial in extra]
    wrong += [
        f"request {key} was refused: {world.outcomes[key].text}"
        for key, one in world.asked.items()
        if not world.outcomes[key].is_accepted and one.what != "unit scrapped"
    ]
    return wrong + judge_journal(world, scrapped)


def judge_life(
    serial: int, life: list[tuple[str, str, int]], *, is_scrapped: bool
) -> list[str]:
    """Hold what happened to a unit against the routing."""
    at = 0
    for operation, device, outcome in life:
        if (
            at == len(STEPS)
            or operation != STEPS[at]
            or device not in PLACES[operation]
        ):
            return [f"unit {serial}: {operation} at {device} out of turn: {life}"]
        at = 1 if outcome == 1 else at + 1
    if is_scrapped or at == len(STEPS):
        return []
    return [f"unit {serial} was not finished: {life}"]


def judge_journal(world: World, scrapped: set[int]) -> list[str]:
    """Hold what the journal says was done against what was.

    What a machine did to a unit after somebody has scrapped it is nobody's business.
    """
    wrong = []
    truth, called_off = {}, set()
    for _, job, command, outcomes in world.done:
        truth[job] = outcomes
        if {serial for _, serial in command["units"]} & scrapped:
            called_off.add(job)
    written: dict[str, tuple[int, ...]] = {}
    for record in world.journal.records:
        if record.kind == "done":
            job = record.body["job"]
            if job in written:
                wrong.append(f"{job} ended twice in the journal")
            written[job] = tuple(record.body["outcomes"])
    return wrong + [
        f"{job}: written {written.get(job)}, true {truth.get(job)}"
        for job in sorted(truth.keys() | written.keys())
        if written.get(job) != truth.get(job)
        and not (job in called_off and job not in written)
    ]
