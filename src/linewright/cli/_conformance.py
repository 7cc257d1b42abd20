"""The verb that says whether a machine keeps the contract of its profile."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from linewright.cli._machines import need_opcua, side_of
from linewright.cli._say import FOUND, OK, Args, load_line, print_json, say, write
from linewright.errors import MachineError

if TYPE_CHECKING:
    from linewright.control.conformance import Checked
    from linewright.control.links import Message
    from linewright.drivers.running import Way
    from linewright.lower import Lowered
    from linewright.model.line import Line

_WAIT_S = 0.1


def run_conformance(args: Args) -> int:
    """Give a machine jobs, and say whether it keeps the contract."""
    from linewright.control.plant import devices_of, measured_by  # noqa: PLC0415
    from linewright.control.profiles import GUARANTEES  # noqa: PLC0415
    from linewright.drivers.machines_file import read_machines  # noqa: PLC0415
    from linewright.drivers.routing import ways_of  # noqa: PLC0415
    from linewright.lower import lower  # noqa: PLC0415
    from linewright.model.explain import did_you_mean  # noqa: PLC0415

    need_opcua()
    line = load_line(args, args.model, args.overlay)
    lowered = lower(line, line.study.horizon)
    devices = devices_of(lowered)
    if args.machine not in devices:
        hint = did_you_mean(args.machine, devices)
        msg = f'the line has no machine "{args.machine}"' + (
            f"; {hint}" if hint else ""
        )
        raise MachineError(msg)
    work = _work(line, args.machine)
    measures = measured_by(lowered)
    file = read_machines(args.machines, devices, [], measures)
    at = file.at.get(args.machine)
    if at is None and not file.others:
        msg = f"{args.machines} does not say where {args.machine} is"
        raise MachineError(msg)
    profile = at.profile if at else "job_control"
    if not args.works:
        msg = (
            f"this has {args.machine} do real work, several times, and then it has to "
            "forget its jobs before it joins a line; say --works if it may"
        )
        raise MachineError(msg)
    boot = int(time.time() * 1000)  # noqa: TID251 - another number at each start
    side = side_of(args, "controller")
    checked = asyncio.run(
        _checked(
            args,
            ways_of(file, side, boot, None),
            work,
            profile,
            measured_in_work(lowered, work),
        )
    )
    if args.json:
        found = [one._asdict() | {"met": one.is_met} for one in checked]
        print_json({"machine": args.machine, "profile": profile, "checks": found})
    else:
        for one in checked:
            write(f"{'yes' if one.is_met else 'NO ':<5}{one.name}\n")
            if one.found:
                write(f"     {one.found}\n")
        say(args, f"{profile}: {GUARANTEES[profile]}")
    return OK if all(one.is_met for one in checked) else FOUND


def _work(line: Line, device: str) -> dict[str, Any]:
    """Return work that a server does by the line's routings.

    Raises:
        MachineError: No routing has work for it.
    """
    station = device.partition("/")[0]
    for name, product in line.products.items():
        for step in product.route:
            if station in step.stations:
                units = [[name, 0]]
                operation = step.operation or station
                return {"action": "process", "operation": operation, "units": units}
    msg = f"no routing has work for {device}; machines that process can be checked"
    raise MachineError(msg)


def measured_in_work(lowered: Lowered, work: dict[str, Any]) -> list[str]:
    """Return the characteristics that are measured by some work."""
    product = work["units"][0][0]
    return [
        made.name
        for of in lowered.quality
        if (of.product, of.operation) == (product, work["operation"])
        for made in of.read
    ]


async def _checked(
    args: Args, way: Way, work: dict[str, Any], profile: str, measures: list[str]
) -> list[Checked]:
    from linewright.control.conformance import Conformance  # noqa: PLC0415 - slow
    from linewright.drivers.running import NoAnswerError  # noqa: PLC0415

    device = args.machine

    async def send(message: Message) -> Any:
        try:
            return await way.send(device, message)
        except NoAnswerError:
            return None

    async def wait() -> None:
        await asyncio.sleep(_WAIT_S)

    await way.open(lambda _: None)
    try:
        kit = Conformance(
            device,
            send,
            wait,
            work,
            profile,
            has_guard=way.has_guard(device),
            first=args.first,
            wall_us=lambda: int(time.time() * 1e6),  # noqa: TID251 - its clock
            measures=measures,
        )
        return await kit.run()
    finally:
        await way.close()
