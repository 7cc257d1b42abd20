"""Whether what somebody says can be true, and what is to be written about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from linewright import tables as t
from linewright.control.gates import release_problem
from linewright.control.jobs import BY_NAME, REPORTED, Job, device_of
from linewright.control.lots import delivery_problem
from linewright.control.measured import read_measured
from linewright.control.records import Decision, Record, Signal
from linewright.model.explain import did_you_mean

if TYPE_CHECKING:
    from linewright.control.core import Core
    from linewright.lower import StepQuality

__all__ = ["contradiction", "judge", "measuring_steps"]

_INSPECTS = 2  # `inspected` of a step that can reject
_COUNTED = (t.CLOCK_CYCLES, t.CLOCK_UNITS)
_KNOWN = Decision(None, known=True)
_WAITS: dict[str, Any] = {"waits": True}
_MEASURED = ("measured", "shown")


def judge(core: Core, signal: Signal, now_us: int) -> Decision:
    """Say what is to be written about a signal; nothing changes.

    A signal that was accepted before is known, and nothing is written. One that cannot
    be true is refused, which is written.
    """
    at_us = max(now_us, core.now_us)
    kind = "reported" if signal.kind in REPORTED else signal.kind
    found = _JUDGES.get(kind, _nothing)(core, signal)
    if isinstance(found, str):
        body = {
            "signal": signal.kind,
            "subject": signal.subject,
            "outcomes": list(signal.outcomes),
            "number": signal.number,
            "why": found,
        }
        return Decision(Record("refused", at_us, body | _said(signal)))
    if found is None:
        return _KNOWN
    if found == _WAITS:
        return Decision(None, waits=True)
    kind = "failure" if signal.kind == "failed" else signal.kind
    return Decision(Record(kind, at_us, found))


def _nothing(_: Core, signal: Signal) -> str:
    return f'there is no signal "{signal.kind}"'


def _done(core: Core, signal: Signal) -> dict[str, Any] | str | None:
    job = core.jobs.get(signal.subject)
    if job is None:
        return _past(core, signal)
    if 0 <= signal.stamp_us < job.at_us:
        return "it ended before it was commanded; set the sender's clock"
    read = read_measured(job, measuring_steps(core, job), signal.outcomes, signal.data)
    outcomes, action = read.outcomes, BY_NAME[job.action]
    if action.phase >= 0 and job.row in core.early:
        is_same = core.early[job.row][0] == outcomes
        return None if is_same else "it has ended with another result"
    if read.lacks and signal.may_wait:
        return _WAITS
    why = read.why or contradiction(core, job, outcomes)
    if not why and action.name == "return":
        lot = int(core.lowered.tables.stocks["lot"][job.row])
        why = delivery_problem(signal.data, lot)
    if why:
        return why
    said = _said(signal)
    if read.measured or "shown" in signal.data:
        data = {key: of for key, of in signal.data.items() if key not in _MEASURED}
        if read.measured:
            data["measured"] = read.measured
        said.pop("data", None)
        if data:
            said["data"] = data
    return {"job": job.id, "outcomes": outcomes} | said


def measuring_steps(core: Core, job: Job) -> list[StepQuality | None]:
    """Return what is to be measured at each unit of a job when it ends."""
    if not core.quality or not _has_verdict(core, job):
        return [None] * max(len(job.units), 1)
    found, part = [], job.part
    for _ in job.units:
        found.append(core.quality.get(core.at.step[part]))
        part = core.at.mate[part]
    return found


def _has_verdict(core: Core, job: Job) -> bool:
    """Say whether a job's end is that of an operation, and not only of its work."""
    if job.action != "process":
        return job.action == "unload"
    tables, at = core.lowered.tables, core.at
    station = int(core.state.servers["station"][job.row])
    is_inside = int(tables.steps["cascade"][at.step[job.part]]) >= 0
    return is_inside or int(tables.stations["unload"][station]) < 0


def _release(core: Core, signal: Signal) -> dict[str, Any] | str:
    gates, name = core.gates, signal.subject
    if name not in gates.names:
        near = did_you_mean(name, gates.names)
        return f"there is no such gate{f'; {near}' if near else ''}"
    if name not in gates.closed:
        return "it is open"
    why = release_problem(signal.data)
    return why or {
        "gate": name, "who": signal.data["who"], "why": signal.data["why"],
    }  # fmt: skip


def _past(core: Core, signal: Signal) -> str | None:
    """Return why a job that is not open cannot have ended, or None if it has."""
    try:
        device, number = device_of(signal.subject)
    except ValueError as error:
        return str(error)
    if not 1 <= number <= core.numbers.get(device, 0):
        return "it was never commanded"
    past = core.past.get(signal.subject)
    if past is None or not signal.outcomes or past == list(signal.outcomes):
        return None
    return (
        "it has ended before, with another result; find out which is true, and decide "
        "about its units"
    )


def contradiction(core: Core, job: Job, outcomes: list[int]) -> str:
    """Return why a job cannot have ended so, or nothing."""
    action = BY_NAME[job.action]
    state, tables = core.state, core.lowered.tables
    if action.name in {"process", "unload"}:
        return _no_outcomes(core, job, outcomes)
    if any(outcomes):
        return "only the work of an operation has an outcome"
    if action.name == "repair":
        server = int(tables.server_modes["server"][job.row])
        is_active = state.modes["active"][job.row]
        if state.servers["down"][server] != job.row and not is_active:
            return "what it repairs is not down"
    if action.name == "move" and state.parts["where"][job.part] != t.MOVING:
        return "its unit is not on its way"
    return ""


def _no_outcomes(core: Core, job: Job, outcomes: list[int]) -> str:
    """Return why an operation cannot have ended with these outcomes, or nothing."""
    at, part = core.at, job.part
    if len(outcomes) != len(job.units):
        return f"it has {len(job.units)} units, and {len(outcomes)} outcomes came"
    for outcome in outcomes:
        if not 0 <= outcome <= t.BAD + t.SCRAP or outcome & 3 > t.SCRAP:
            return f"{outcome} is no outcome of an operation"
        if outcome & 3 != t.PASS and core.inspected[at.step[part]] != _INSPECTS:
            return "the operation inspects nothing, and so it rejects nothing"
        part = at.mate[part]
    return ""


def _reported(core: Core, signal: Signal) -> dict[str, Any] | str | None:
    if 0 <= signal.number <= core.counts.get(signal.source, -1):
        return None
    if signal.kind == "arrival":
        row = core.products.get(signal.subject, -1)
        if row < 0 or core.lowered.tables.products["kind"][row] != t.ARRIVALS:
            return "no such product arrives"
    else:
        row = core.failures.get(signal.subject, -1)
        if row < 0:
            return "there is no such failure"
        server = int(core.lowered.tables.server_modes["server"][row])
        is_down = int(core.state.servers["down"][server]) == row
        if is_down or core.state.modes["active"][row]:
            # It fails again just when it was repaired, which is not written yet. One
            # that the line counts itself is known, and so is what was down before.
            mode = int(core.lowered.tables.server_modes["mode"][row])
            is_counted = core.lowered.tables.modes["clock"][mode] in _COUNTED
            is_old = signal.kind == "failed" or signal.number < 0
            return None if is_counted or is_old else _WAITS
    return {
        "row": row,
        "subject": signal.subject,
        "number": signal.number,
        "source": signal.source,
    } | _said(signal)


def _machine(core: Core, signal: Signal) -> dict[str, Any] | None:
    if core.boots.get(signal.subject) == signal.number:
        return None
    return {"device": signal.subject, "boot": signal.number}


def _doubtful(core: Core, signal: Signal) -> dict[str, Any] | None:
    job = core.jobs.get(signal.subject)
    return {"job": job.id} if job is not None and job.in_doubt else None


def _alarm(core: Core, signal: Signal) -> dict[str, Any] | None:
    """Return an alarm, if the same does not wait for somebody already."""
    text = str(signal.data.get("text", ""))
    for alarm in core.alarms.values():
        if (alarm.subject, alarm.text) == (signal.subject, text):
            return None
    return {"subject": signal.subject, "text": text}


_JUDGES = {
    "done": _done,
    "reported": _reported,
    "machine": _machine,
    "kept": _doubtful,
    "redo": _doubtful,
    "release": _release,
    "alarm": _alarm,
}


def _said(signal: Signal) -> dict[str, Any]:
    """Return what a signal says beside its outcome, where it says something."""
    out: dict[str, Any] = {}
    if signal.data:
        out["data"] = signal.data
    if signal.stamp_us >= 0:
        out["stamp_us"] = signal.stamp_us
    return out
