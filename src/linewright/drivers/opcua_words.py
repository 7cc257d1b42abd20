"""What is said to machines over OPC UA, in the words of the standards.

Jobs travel as job orders of ISA-95 (OPC 10031-4, version 2): the identity of a job is
its `JobOrderID`, its units are its material, and what goes beyond the standard
(version, epoch, start of the machine) stands in the `JobOrderParameters` and in the
bits of `ReturnStatus` that are left to the implementation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

from asyncua import ua

from linewright.control.machines import (
    Listing,
    Reply,
    UnitRecord,
    by_name,
    plain,
)

__all__ = [
    "JOB_CONTROL",
    "NAMESPACE",
    "NODESETS",
    "PACKML",
    "clock_us_of",
    "command_of",
    "job_order",
    "listing_of",
    "measured_parameters",
    "reply_of",
    "state",
    "status_of",
    "time_of_day",
    "unit_record",
]

JOB_CONTROL = "http://opcfoundation.org/UA/ISA95-JOBCONTROL_V2/"
PACKML = "http://opcfoundation.org/UA/PackML/"
NAMESPACE = "urn:linewright:machines"
NODESETS = ("isa95-jobcontrol-2.0.0.xml", "packml-1.01.xml")

_OUTCOMES = "outcomes"
"""The parameter of a job response that has the verdicts; others are measured."""

GOOD, REFUSED = 1 << 0, 1 << 4
UNKNOWN_JOB = 1 << 1
KNOWN, OLD, RESTARTED = 1 << 33, 1 << 34, 1 << 35
_STATUS = {
    "accepted": GOOD,
    "known": REFUSED | KNOWN,
    "old": REFUSED | OLD,
    "restarted": REFUSED | RESTARTED,
}
STATES = {
    "held": (4, "Interrupted"),
    "running": (3, "Running"),
    "ended": (5, "Ended"),
    "cancelled": (6, "Aborted"),
}
_STATUS_OF_STATE = {
    1: "held",
    2: "running",
    3: "running",
    4: "held",
    5: "ended",
    6: "cancelled",
}


def nodeset(name: str) -> str:
    """Return the text of a nodeset that comes with the package."""
    place = files("linewright.drivers") / "nodesets" / name
    return place.read_text(encoding="utf-8")


def _parameter(name: str, value: Any, kind: ua.VariantType) -> Any:
    return ua.ISA95ParameterDataType(ID=name, Value=ua.Variant(value, kind))


def _values(parameters: Any) -> dict[str, Any]:
    """Return parameters by name; their values come as variants, or bare."""
    found = {}
    for one in parameters or ():
        value = one.Value
        found[one.ID] = value.Value if isinstance(value, ua.Variant) else value
    return found


def job_order(command: dict[str, Any], epoch: int, boot: int) -> Any:
    """Return a command as a job order."""
    text, number = ua.VariantType.String, ua.VariantType.UInt64
    action = command.get("action", "")
    operation = command.get("operation", "")
    return ua.ISA95JobOrderDataType(
        JobOrderID=command["job"],
        WorkMasterID=[ua.ISA95WorkMasterDataType(ID=operation or action)],
        JobOrderParameters=[
            _parameter("version", command["version"], number),
            _parameter("want", command["want"], text),
            _parameter("epoch", epoch, number),
            _parameter("boot", boot, number),
            _parameter("commanded in", command.get("epoch", 0), number),
            _parameter("action", action, text),
            _parameter("operation", operation, text),
        ],
        MaterialRequirements=[
            ua.ISA95MaterialDataType(
                MaterialDefinitionID=product, MaterialSublotID=str(serial), Quantity="1"
            )
            for product, serial in command.get("units", ())
        ],
    )


def command_of(order: Any) -> tuple[dict[str, Any], int, int]:
    """Return a job order as a command, with the epoch and the start it is meant for.

    Raises:
        ValueError: It lacks what the contract asks for beyond the standard.
    """
    said = _values(order.JobOrderParameters)
    try:
        command = {
            "job": order.JobOrderID,
            "want": said["want"],
            "version": int(said["version"]),
        }
        if command["want"] not in {"run", "hold", "cancel"}:
            msg = f'want is "{command["want"]}"; it is run, hold or cancel'
            raise ValueError(msg)
        if said.get("action"):
            command |= {
                "epoch": int(said["commanded in"]),
                "action": said["action"],
                "operation": said["operation"] or "",
                "units": [
                    [one.MaterialDefinitionID, int(one.MaterialSublotID)]
                    for one in order.MaterialRequirements or ()
                ],
            }
        return command, int(said["epoch"]), int(said["boot"])
    except (KeyError, TypeError) as error:
        msg = f"a job order lacks {error} among its parameters"
        raise ValueError(msg) from error


def status_of(reply: Reply) -> int:
    """Return what a machine says to a command as a `ReturnStatus`."""
    return _STATUS[reply.code]


def reply_of(status: int, boot: int) -> Reply:
    """Return a `ReturnStatus` as what a machine says to a command.

    Raises:
        ValueError: It is none that the contract knows.
    """
    for code, bits in _STATUS.items():
        if status == bits:
            return Reply(code, boot)
    msg = f"it returned status {status}, which the contract does not know"
    raise ValueError(msg)


def state(status: str) -> Any:
    """Return the state of a job order."""
    number, text = STATES[status]
    path = ua.RelativePath()
    return ua.ISA95StateDataType(
        BrowsePath=path, StateText=ua.LocalizedText(text), StateNumber=number
    )


def order_and_state(entry: Any) -> Any:
    """Return an entry of a machine's list as a job order with its state."""
    order = job_order(entry.command | {"version": entry.version}, 0, 0)
    return ua.ISA95JobOrderAndStateDataType(JobOrder=order, State=[state(entry.status)])


def response(job: str, entry: Any) -> Any:
    """Return an entry of a machine's list as a job response."""
    outcomes = _parameter(_OUTCOMES, list(entry.outcomes), ua.VariantType.Int32)
    return ua.ISA95JobResponseDataType(
        JobResponseID=job,
        JobOrderID=job,
        JobState=[state(entry.status)],
        JobResponseData=[outcomes, *measured_parameters(by_name(entry.measured))],
    )


def measured_parameters(measured: Mapping[str, Any]) -> list[Any]:
    """Return what was measured as parameters: one value, or one for each unit.

    Where a unit has no value, it is none that is a number.
    """
    kind = ua.VariantType.Double
    return [
        ua.ISA95ParameterDataType(ID=name, Value=ua.Variant(_doubles(of), kind))
        for name, of in measured.items()
    ]


def _doubles(of: Any) -> Any:
    if isinstance(of, list):
        return [math.nan if one is None else float(one) for one in of]
    return float(of)


def unit_record(outcomes: Any, parameters: Any = None) -> UnitRecord:
    """Return what the units of a job say of it."""
    return UnitRecord(tuple(outcomes or ()), _measured(_values(parameters)))


def _measured(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a job response that are measured values."""
    return {name: plain(of) for name, of in values.items() if name != _OUTCOMES}


def time_of_day(clock_us: int) -> datetime:
    """Return the time of a machine's clock, microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=clock_us)


def clock_us_of(time: datetime | None) -> int:
    """Return a machine's time in microseconds since 1970, or -1 if it gives none."""
    if time is None:
        return -1
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (time - _EPOCH) // timedelta(microseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def listing_of(
    boot: int,
    orders: Any,
    responses: Any,
    events: Any,
    boot_after: int,
    clock: datetime | None = None,
) -> Listing:
    """Return what was read of a machine as its list.

    Raises:
        ValueError: It cannot be understood, or the machine started while it was read.
    """
    if boot != boot_after:
        msg = "it started again while its list was read"
        raise ValueError(msg)
    said = {one.JobOrderID: _values(one.JobResponseData) for one in responses or ()}
    jobs, measured = {}, {}
    try:
        for one in orders or ():
            job = one.JobOrder.JobOrderID
            status = _STATUS_OF_STATE[one.State[-1].StateNumber]
            version = int(_values(one.JobOrder.JobOrderParameters)["version"])
            result = said.get(job, {}) if status == "ended" else {}
            found = tuple(int(outcome) for outcome in result.get(_OUTCOMES) or ())
            jobs[job] = (version, status, found)
            if values := _measured(result):
                measured[job] = values
        numbered = []
        for text in events or ():
            number, kind, subject = text.split(" ", 2)
            numbered.append((int(number), kind, subject))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        msg = f"its list cannot be understood: {error!r}"
        raise ValueError(msg) from error
    return Listing(boot, jobs, tuple(numbered), clock_us_of(clock), measured)
