"""What the controller knows and decides, as a pure function of the journal's records.

`Core.decide` looks at a signal and says what record it makes; `Core.apply` makes all
transitions of a record and says what is to be commanded. Running, both happen in turn;
after a restart only `apply` is called, with the records of the journal, and comes to
the same state, because nothing here reads a clock or does I/O.

What happens to the units is written into the record (`rows`), and compared when it is
replayed: a journal that another version would continue otherwise is refused, not
continued.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from linewright import tables as t
from linewright.control.asking import Asked
from linewright.control.gates import Gates
from linewright.control.jobs import (
    BY_NAME,
    BY_PHASE,
    BY_QUESTION,
    Action,
    Devices,
    Job,
    Unit,
)
from linewright.control.judging import judge
from linewright.control.ordering import NewOrder, fitted, parts_of, with_order
from linewright.control.records import Alarm, Decision, Record, Signal
from linewright.errors import JournalError
from linewright.kernel.run import Outside
from linewright.lower import Lowered, new_draws, new_state, part_capacity
from linewright.why import describe_deadlock

__all__ = ["Core"]

_N_TRACE = 1 << 14
_PAST_RESULTS = 1_000
_GOES_ON = (t.REACHED, t.STANDSTILL, t.DEADLOCK)
_ENDS = (t.FINISH, t.UNLOADED)
_OWN = -2  # kind of the event that stands at the root of the timers


Body = dict[str, Any]


@dataclass(slots=True)
class _After:
    """What follows from a record."""

    at_us: int
    rows: list[list[int]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)


class _Columns:
    """Columns of the state of which single values are read and written often.

    Through a memoryview that is several times quicker than through NumPy.
    """

    __slots__ = (
        "mate", "n_free", "n_parts", "n_trace", "now", "part", "phase", "product",
        "running", "serial", "status", "step", "tree", "winners",
    )  # fmt: skip

    def __init__(self, state: t.State) -> None:
        self.now, self.status = _columns(state.clock, "now", "status")
        self.n_free, self.n_trace = _columns(state.clock, "n_free", "n_trace")
        self.phase, self.running = _columns(state.servers, "phase", "running")
        self.part, self.n_parts = _columns(state.servers, "part", "n_parts")
        self.step, self.product = _columns(state.parts, "step", "product")
        self.serial, self.mate = _columns(state.parts, "serial", "mate")
        tree: Any = state.tree  # mypy does not know that arrays are buffers
        winners: Any = state.winners
        self.tree, self.winners = memoryview(tree), memoryview(winners)


def _watched(servers: Any) -> t.Ints:
    """Return part, phase and whether it runs of each server, as two integers.

    They are the columns of the table itself, seen as numbers of four bytes, since one
    comparison of all of them is several times quicker than one for each.
    """
    at = {name: servers.dtype.fields[name][1] for name in ("part", "phase", "running")}
    assert at["phase"] // 4 == at["running"] // 4, "they do not lie side by side"
    cells = servers.view(np.int32).reshape(len(servers), servers.dtype.itemsize // 4)
    first, last = sorted((at["part"] // 4, at["phase"] // 4))
    return cells[:, first : last + 1 : last - first]  # type: ignore[no-any-return]


def _columns(table: Any, *names: str) -> list[memoryview]:
    return [memoryview(table[name]) for name in names]


class Core:
    """The line's state behind the journal; see the module's head.

    Args:
        lowered: The line, laid out to the end of the time that it is to run.
        seed: Seed of the streams from which samples are drawn; nothing else is.
    """

    def __init__(self, lowered: Lowered, seed: int = 0) -> None:
        if lowered.own_rules:
            msg = "a line with rules of one's own in Python cannot be run yet"
            raise JournalError(msg)
        self._base = lowered
        self._fit(lowered)
        self.asked = Asked()
        self.devices = Devices(lowered)
        self.epoch = 0
        self.jobs: dict[str, Job] = {}
        self.of_device: dict[str, dict[str, Job]] = {}
        self.boots: dict[str, int] = {}
        self.alarms: dict[int, Alarm] = {}
        self.early: dict[int, tuple[list[int], str]] = {}
        """Servers that have ended their work while they were to hold: the outcomes that
        wait until they may go on, and the job."""
        self.rest: dict[int, list[int]] = {}
        """Outcomes of the units of a batch that have not left their server yet."""
        self._n_alarms = 0
        self.numbers: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.past: OrderedDict[str, list[int]] = OrderedDict()
        self._applies: dict[str, Callable[[Body, _After], None]] = {
            "done": self._done,
            "failure": self._failed,
            "arrival": self._arrived,
            "begin": self._begun,
            "due": self._due,
            "unit": self._unit,
            "boot": self._booted,
            "machine": self._machine_started,
            "kept": self._settled,
            "redo": self._settled,
            "refused": self._refused,
            "request": lambda body, after: self.asked.apply(self, body, after),
            "declined": lambda body, _: self.asked.declined(body),
            "release": self.open_gate,
            "alarm": self._alarmed,
        }
        self._of_server: list[Job | None] = [None] * len(self.devices.servers)
        failures = range(len(lowered.tables.server_modes))
        self.failures = {self.devices.failure(m): m for m in failures}
        self.products = {name: i for i, name in enumerate(lowered.names.products)}
        self.quality = {of.row: of for of in lowered.quality}
        self.gates = Gates(lowered)
        self._draws = new_draws(lowered, seed, 0)
        self.inspected: list[int] = lowered.tables.steps["inspected"].tolist()
        self._has_samples = bool(lowered.tables.steps["sampled"].any())
        self._take(new_state(lowered, n_trace=self._n_trace))

    def _fit(self, lowered: Lowered) -> None:
        """Go on with a line that may have more, or larger, orders."""
        self.lowered = lowered
        self._margin = int(lowered.tables.settings[t.S_MARGIN])
        self._n_trace = _N_TRACE + 16 * self._margin  # of one event, a large order too

    def _take(self, state: t.State) -> None:
        """Go on with a state; the columns that are looked at often are kept at hand."""
        self.state = state
        self._outside = Outside(self.lowered.tables, state, self._draws)
        self.at = _Columns(state)
        self._watched = _watched(state.servers)
        self._copied = self._watched.copy()
        self._looks = self._copied.view(np.int64)[:, 0]  # of both columns as one number
        self._seen = self._looks.copy()

    # ------------------------------------------------------------ what is known

    @property
    def now_us(self) -> int:
        """Return when the last record was, microseconds from the line's start."""
        return self.at.now[0]

    @property
    def has_begun(self) -> bool:
        """Say whether the line has been set going."""
        return bool(self.state.clock["begun"][0])

    def next_timer(self) -> tuple[int, int, int] | None:
        """Return when the line itself goes on, the kind of event, and its leaf."""
        key = self.at.tree[1]
        return None if key >= t.NEVER else (key >> 4, key & 15, self.at.winners[1])

    def digest(self) -> str:
        """Return a hash of all that the records have led to."""
        found = hashlib.sha256()
        for name, table in zip(self.state._fields, self.state, strict=True):
            if name not in {"trace", "requests", "asked", "todo"}:
                columns: Any = table  # mypy knows no records
                for column in table.dtype.names or (...,):  # not what lies between
                    values = columns[column]
                    found.update(f"{name} {column}".encode())
                    found.update(np.ascontiguousarray(values).tobytes())
        found.update(json.dumps(self._notes(), sort_keys=True).encode())
        return found.hexdigest()

    def worked_us(self, job: Job, now_us: int) -> int:
        """Return how long a job has gone on, as far as the controller knows."""
        return job.worked_us + (now_us - job.since_us if job.since_us >= 0 else 0)

    # ------------------------------------------------------------ what is to be written

    def decide(self, signal: Signal, now_us: int) -> Decision:
        """Say what is to be written about a signal; see `judge`."""
        return judge(self, signal, now_us)

    def begin(self) -> Record:
        """Return the record that sets the line going."""
        return Record("begin", 0, {})

    def due(self) -> Record:
        """Return the record of the line's own next event."""
        timer = self.next_timer()
        assert timer, "nothing is due"
        return Record("due", max(timer[0], self.now_us), {})

    def unit(self, server: int) -> Record:
        """Return the record of the next unit of a batch that leaves a server."""
        return Record("unit", self.now_us, {"server": server})

    def boot(self, now_us: int, about: dict[str, Any]) -> Record:
        """Return the record of a start of the controller, which raises the epoch."""
        return Record(
            "boot", max(now_us, self.now_us), {"epoch": self.epoch + 1} | about
        )

    # ------------------------------------------------------------ applying

    def apply(self, record: Record) -> Record:
        """Make all that follows from a record; return it with what followed.

        Raises:
            JournalError: The record is one of a later version, or the kernel stopped.
        """
        rows, commands = self.follow(record)
        return Record(record.kind, record.at_us, record.body, rows, commands)

    def follow(self, record: Record) -> tuple[list[list[int]], list[dict[str, Any]]]:
        """Make all that follows from a record; return its rows and commands.

        Raises:
            JournalError: The record is one of a later version, or the kernel stopped.
        """
        kind, at_us, body = record.kind, record.at_us, record.body
        if at_us < self.now_us:
            msg = f"a record at {at_us} comes after one at {self.now_us}"
            raise JournalError(msg)
        apply = self._applies.get(kind)
        if apply is None:
            msg = f'a record of kind "{kind}" is of a later version'
            raise JournalError(msg)
        after = _After(at_us)
        self.at.now[0] = at_us
        apply(body, after)
        n_seen = self._close_gates(body, after, 0)
        while self.early and self._end_early(after):
            n_seen = self._close_gates({}, after, n_seen)
        return after.rows, after.commands

    def _done(self, body: Body, after: _After) -> None:
        job = self.jobs[body["job"]]
        if BY_NAME[job.action].phase >= 0 and not self._may_go_on(job.row):
            self.early[job.row] = (body["outcomes"], job.id)
        else:
            self._end(job, body["outcomes"], after)

    def _failed(self, body: Body, after: _After) -> None:
        self._count(body)
        self._step(t.FAILURE, body["row"], 0, after)

    def _arrived(self, body: Body, after: _After) -> None:
        self._count(body)
        self._step(t.ARRIVAL, body["row"], 0, after)

    def _count(self, body: Body) -> None:
        if body["number"] >= 0:
            self.counts[body["source"]] = body["number"]

    def _begun(self, _: Body, after: _After) -> None:
        self._step(t.BEGIN, 0, 0, after)

    def _due(self, _: Body, after: _After) -> None:
        self._step(_OWN, 0, 0, after)

    def _unit(self, body: Body, after: _After) -> None:
        self._end_unit(body["server"], after)

    def _booted(self, body: Body, _: _After) -> None:
        self.epoch = body["epoch"]

    def _settled(self, body: Body, _: _After) -> None:
        self.jobs[body["job"]].in_doubt = False

    def _machine_started(self, body: Body, _: _After) -> None:
        """Note a start of a machine: what it had before is in doubt."""
        device = body["device"]
        if device in self.boots:
            for job in self.of_device.get(device, {}).values():
                job.in_doubt = True
        self.boots[device] = body["boot"]

    def _refused(self, body: Body, after: _After) -> None:
        text = f"{body['signal']} of {body['subject']} was refused: {body['why']}"
        self._raise_alarm(body["subject"], text, after)

    # ------------------------------------------------------------ what people ask

    def take_order(self, order: NewOrder) -> None:
        """Take an order that came in; an act says when it is released."""
        asked, tables = self.asked, self._base.tables
        n_parts = parts_of(tables, order.product, order.quantity)
        asked.largest = max(asked.largest, n_parts)
        lowered, state = with_order(
            self._base, self.state, order, asked.came, asked.largest
        )
        self._fit(lowered)
        if len(state.trace) < self._n_trace:
            state = state._replace(trace=self._new_trace())
        self._take(state)

    def _new_trace(self) -> t.Ints:
        return np.zeros((self._n_trace, len(t.TRACE_COLUMNS)), np.int64)

    def act(self, kind: int, row: int, outcome: int, after: _After) -> None:
        """Do an act of `tables`, as a person has decided."""
        self._step(kind, row, outcome, after)

    def settle_by_hand(self, body: Body, after: _After) -> None:
        """End a job of which a person says that it was done, or command it again."""
        if "outcomes" in body:
            self._done(body, after)
        else:
            self._settled(body, after)

    def _alarmed(self, body: Body, after: _After) -> None:
        self._raise_alarm(body["subject"], body["text"], after)

    def _raise_alarm(self, subject: str, text: str, after: _After) -> None:
        self._n_alarms += 1
        self.alarms[self._n_alarms] = Alarm(self._n_alarms, after.at_us, subject, text)

    def open_gate(self, body: Body, after: _After) -> None:
        """Open a gate by somebody's decision; what it held goes on."""
        for s in sorted(self.gates.release(body["gate"])):
            self._command_server(s, False, after)
        subject = _gate(body["gate"])
        self.alarms = {n: a for n, a in self.alarms.items() if a.subject != subject}

    def _close_gates(self, body: Body, after: _After, from_row: int) -> int:
        """Close the gates that what has happened closes, and hold what is theirs.

        Returns:
            How many rows have been looked at.
        """
        if not self.gates.names:
            return 0
        measured = body.get("data", {}).get("measured", ()) if "job" in body else ()
        before, rows = self.gates.held, after.rows[from_row:]
        for closed in self.gates.follow(rows, measured):
            text = f"work is held: {closed.why}; decide, and release the gate"
            self._raise_alarm(_gate(closed.name), text, after)
        for s in sorted(self.gates.held - before):
            self._command_server(s, False, after)
        return len(after.rows)

    def _may_go_on(self, s: int) -> bool:
        """Say whether a server is to work: it is on shift, and no gate holds it."""
        return bool(self.at.running[s]) and s not in self.gates.held

    def _end_early(self, after: _After) -> bool:
        """Let one go on that ended its work before it was to hold, if one may."""
        ready = [s for s in self.early if self._may_go_on(s)]
        if not ready:
            return False
        outcomes, job_id = self.early.pop(ready[0])
        self._end(self.jobs[job_id], outcomes, after)
        return True

    def _end(self, job: Job, outcomes: list[int], after: _After) -> None:
        """Take a job that has ended off the list, and make what follows.

        The result is remembered a while. Of a batch the first unit ends now, the others
        one after the other, each by a record of its own, at the same instant.
        """
        action = BY_NAME[job.action]
        self._drop(job)
        if action.phase >= 0:
            self._of_server[job.row] = None
        self.past[job.id] = outcomes
        if len(self.past) > _PAST_RESULTS:
            self.past.popitem(last=False)
        if len(outcomes) > 1:
            self.rest[job.row] = list(outcomes)
            self._end_unit(job.row, after)
        else:
            self._step(action.event, job.row, outcomes[0], after)

    def _end_unit(self, s: int, after: _After) -> None:
        """Let the next unit of a batch end that a server has done.

        Where the machine unloads, that is another job, and the outcomes come with it.
        """
        action = BY_PHASE[self.at.phase[s]]
        outcome = self.rest[s].pop(0)
        if not self.rest[s]:
            del self.rest[s]
        self._step(action.event, s, outcome, after)
        if s in self.rest and self.at.phase[s] != action.phase:
            del self.rest[s]
            self._command_server(s, True, after)

    def _step(self, kind: int, row: int, outcome: int, after: _After) -> None:
        """Apply one event of the kernel."""
        if self.at.n_free[0] < self._margin:
            n_parts = 2 * len(self.state.parts)
            self._take(part_capacity(self.lowered, self.state, n_parts))
        at = self.at
        was_dead = at.status[0] == t.DEADLOCK
        if self._has_samples and kind in _ENDS and outcome & 3 == t.PASS:
            outcome |= self._outside.passes_by(row)
        if kind == _OWN:
            asked = self._outside.apply_own()
        else:
            asked = self._outside.apply(kind, row, outcome)
        if at.status[0] not in _GOES_ON:
            msg = f"the line cannot go on: the kernel says {at.status[0]}"
            raise JournalError(msg)
        if at.status[0] == t.DEADLOCK and not was_dead:
            self._raise_alarm(
                "the line", describe_deadlock(self.lowered, self.state), after
            )
        after.rows += self.state.trace[: at.n_trace[0], 1:].tolist()
        at.n_trace[0] = 0
        self._command(asked.tolist(), after)

    def _command(self, asked: list[int], after: _After) -> None:
        """Turn what the kernel asked, and what changed at servers, into commands."""
        fresh = set()
        for question in asked:
            action, row = BY_QUESTION.get(question & 15), question >> 4
            if action is None:
                continue  # when it fails, and when something arrives, is reported
            if action.phase >= 0:
                fresh.add(row)  # it begins anew, even if it looks as before
            elif action.name != "walk" or self.state.claims["walking"][row]:
                job = self._open(action, row, after.at_us)
                after.commands.append(job.command())
        for s in sorted(fresh | self._changed()):
            self._command_server(s, s in fresh, after)

    def _changed(self) -> set[int]:
        """Return the servers that look other than when this was asked last."""
        self._copied[:] = self._watched
        rows: list[int] = (self._looks != self._seen).nonzero()[0].tolist()
        if rows:
            self._seen[:] = self._looks
        return set(rows)

    def _command_server(self, s: int, is_fresh: bool, after: _After) -> None:
        """Say what is wanted of a server now, where it is not what was wanted."""
        job = self._of_server[s]
        action = BY_PHASE.get(self.at.phase[s])
        want = "run" if self._may_go_on(s) else "hold"
        if job is not None:
            if not is_fresh and self._is_same(job, action):
                if job.want != want:
                    job.want, job.version = want, job.version + 1
                    job.worked_us = self.worked_us(job, after.at_us)
                    job.since_us = after.at_us if want == "run" else -1
                    after.commands.append(_short(job))
                return
            job.want, job.version = "cancel", job.version + 1
            after.commands.append(_short(job))
            self._drop(job)
            self.early.pop(s, None)
            self._of_server[s] = None
        if action is not None and s not in self.rest:
            made = self._open(action, s, after.at_us)
            made.want = want
            made.since_us = after.at_us if want == "run" else -1
            after.commands.append(made.command())

    def _is_same(self, job: Job, action: Action | None) -> bool:
        """Say whether a server still does what it was told to do."""
        part = self.at.part[job.row]
        if action is None or action.name != job.action or part != job.part:
            return False
        return self._units(part, job) == job.units

    def _open(self, action: Action, row: int, at_us: int) -> Job:
        device = self.devices.of(action, row, self.state)
        number = self.numbers[device] = self.numbers.get(device, 0) + 1
        part = self._part_of(action, row)
        job = Job(
            device, number, action.name, row, part, (), "", self.epoch, "run", 1, at_us
        )
        if part >= 0:
            job.units = self._units(part, job)
            step = self.at.step[part]
            if step >= 0:
                job.operation = self.lowered.names.operations[step]
        self._keep(job)
        return job

    def _keep(self, job: Job) -> None:
        self.jobs[job.id] = job
        self.of_device.setdefault(job.device, {})[job.id] = job
        if BY_NAME[job.action].phase >= 0:
            self._of_server[job.row] = job

    def _drop(self, job: Job) -> None:
        del self.jobs[job.id]
        del self.of_device[job.device][job.id]

    def _part_of(self, action: Action, row: int) -> int:
        if action.phase >= 0:
            return self.at.part[row]
        if action.name == "move":
            return row
        if action.name == "fetch" and self.state.vehicles["doing"][row] != t.CHARGING:
            return int(self.state.vehicles["part"][row])
        return -1

    def _units(self, part: int, job: Job) -> tuple[Unit, ...]:
        """Return the units of a part, and of those in one batch with it."""
        at, names = self.at, self.lowered.names.products
        n = 1
        if BY_NAME[job.action].phase >= 0:
            n = max(at.n_parts[job.row], 1)
        found: list[Unit] = []
        while part >= 0 and len(found) < n:
            found.append(Unit(names[at.product[part]], at.serial[part]))
            part = at.mate[part]
        return tuple(found)

    # ------------------------------------------------------------ saving

    def _notes(self) -> dict[str, Any]:
        """Return what is known beside the kernel's state, in the values of JSON."""
        return {
            "epoch": self.epoch,
            "boots": self.boots,
            "jobs": [job.note() for job in self.jobs.values()],
            "alarms": [asdict(alarm) for alarm in self.alarms.values()],
            "early": [[s, *rest] for s, rest in self.early.items()],
            "rest": list(self.rest.items()),
            "n_alarms": self._n_alarms,
            "numbers": self.numbers,
            "counts": self.counts,
            "past": self.past,
            "asked": self.asked.notes(),
            "gates": self.gates.notes(),
        }

    def saved(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return all that the records have led to: notes, and the kernel's tables.

        They are to be written before the next record is applied.
        """
        keep = dict(zip(self.state._fields, self.state, strict=True))
        keep["trace"] = keep["trace"][:0]
        return self._notes(), keep

    def restore(self, notes: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Go on from what `saved` returned."""
        notes = json.loads(json.dumps(notes))  # a copy; quicker than deepcopy
        arrays = {name: np.array(array) for name, array in arrays.items()}
        self.asked.restore(notes["asked"])
        arrays["trace"] = np.zeros((0, len(t.TRACE_COLUMNS)), np.int64)
        state = t.State(**{name: arrays[name] for name in t.State._fields})
        asked = self.asked
        self._fit(fitted(self._base, state, asked.came, asked.largest))
        self._take(state._replace(trace=self._new_trace()))
        self.epoch, self._n_alarms = notes["epoch"], notes["n_alarms"]
        self.numbers, self.counts = notes["numbers"], notes["counts"]
        self.past = OrderedDict(notes["past"])
        self.alarms = {one["number"]: Alarm(**one) for one in notes["alarms"]}
        self.early = {s: (outcomes, job) for s, outcomes, job in notes["early"]}
        self.rest = dict(notes["rest"])
        self.gates = Gates(self.lowered)
        if "gates" in notes:  # not in snapshots of versions without gates
            self.gates.restore(notes["gates"])
        self.jobs, self.of_device, self.boots = {}, {}, notes["boots"]
        self._of_server = [None] * len(self.devices.servers)
        for one in notes["jobs"]:
            one["units"] = tuple(Unit(*unit) for unit in one["units"])
            self._keep(Job(**one))


def _gate(name: str) -> str:
    """Return what an alarm about a gate is about."""
    return f"gate {name}"


def _short(job: Job) -> dict[str, Any]:
    """Return a command that says no more than what is wanted of a job now."""
    return {"job": job.id, "want": job.want, "version": job.version}
