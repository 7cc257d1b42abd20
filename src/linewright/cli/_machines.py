"""The verbs of machines elsewhere: emulate, and pki."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewright.cli._say import (
    OK,
    Args,
    load_line,
    print_json,
    say,
    say_stalled,
    write,
)
from linewright.errors import MachineError

if TYPE_CHECKING:
    from linewright.control.controller import Controller
    from linewright.control.faults import Fault
    from linewright.control.plant import Plant
    from linewright.drivers.emulated import Progress
    from linewright.drivers.inbox import Inbox
    from linewright.drivers.opcua_server import MachineServer
    from linewright.drivers.pki import Certificate, Side
    from linewright.drivers.running import Way
    from linewright.lower import Lowered
    from linewright.model.line import Line

_SLACK_S = 2.0  # of messages, before work takes too long
_NEEDED = "machines over OPC UA need asyncua; pip install 'linewright[opcua]'"


def run_emulate(args: Args) -> int:
    """Serve the machines of a line over OPC UA until stopped."""
    from linewright.control.plant import Plant  # noqa: PLC0415 - slow
    from linewright.drivers.machine_memory import MachineMemory  # noqa: PLC0415
    from linewright.lower import lower  # noqa: PLC0415

    need_opcua()
    _check_speed(args.speed)
    line = load_line(args, args.model, args.overlay)
    seed = line.study.seed if args.seed is None else args.seed
    lowered = lower(line, line.study.horizon)
    _check_playable(args.model, line, lowered)
    memory = MachineMemory(Path(args.memory)) if args.memory else None
    boot = int(time.time() * 1000)  # noqa: TID251 - another number after each start
    plant = Plant(
        line,
        lowered,
        seed,
        boot=boot,
        memory=memory.machines if memory else None,
        done=memory.done if memory else (),
        keep=memory.keep if memory else None,
        wall_us=lambda: int(time.time() * 1e6),  # noqa: TID251 - a machine's clock
    )
    plant.inject([_fault(text, plant) for text in args.fault])
    profiles = dict(_profile(text, plant) for text in args.profile)
    try:
        asyncio.run(_serve(args, plant, side_of(args, "machines"), profiles))
    finally:
        if memory:
            memory.close()
    return OK


async def _serve(
    args: Args, plant: Plant, side: Side | None, profiles: dict[str, str]
) -> None:
    from linewright.drivers.opcua_server import MachineServer  # noqa: PLC0415 - slow
    from linewright.drivers.users import Users  # noqa: PLC0415

    begun_s = time.monotonic()

    def now_us() -> int:
        passed_s = time.monotonic() - begun_s
        return plant.begun_us + int(passed_s * args.speed * 1e6)

    say(args, "starting; this takes some seconds")
    server = MachineServer(
        plant,
        now_us,
        args.speed,
        host=args.host,
        port=args.port,
        side=side,
        has_memory=bool(args.memory),
        profiles=profiles,
        users=Users(Path(args.pki)),
    )
    await server.open()
    begun_s = time.monotonic()
    security = "Basic256Sha256, SignAndEncrypt" if side else "NO SECURITY"
    _quiet()
    say(args, f"{len(plant.machines)} machines at {server.url}, {security}")
    if not args.memory:
        say(args, "without --memory they forget everything when this ends")
    await _until_stopped(server)


async def _until_stopped(server: MachineServer) -> None:
    serving = asyncio.create_task(server.serve())
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, serving.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await serving
    finally:
        await server.close()


def _fault(text: str, plant: Plant) -> Fault:
    """Return a fault from ``stuck:weld@10 min+5 min``.

    Raises:
        ValueError: It is none.
    """
    from linewright.control.faults import (  # noqa: PLC0415 - slow
        FAULTS,
        LASTING,
        WITHOUT_DEVICE,
        Fault,
    )
    from linewright.units import parse_duration_us  # noqa: PLC0415

    what, _, when = text.partition("@")
    kind, _, device = what.partition(":")
    if kind not in FAULTS:
        kinds = ", ".join(FAULTS)
        msg = f'"{text}": there is no fault "{kind}"; there are {kinds}'
        raise ValueError(msg)
    if not when:
        msg = f'"{text}" does not say when; write it like stuck:weld@10 min+5 min'
        raise ValueError(msg)
    if kind in WITHOUT_DEVICE and device:
        msg = f'"{text}": {kind} is of no machine; write {kind}@10 min'
        raise ValueError(msg)
    if kind not in WITHOUT_DEVICE and device not in plant.machines:
        raise ValueError(f'"{text}": ' + _no_machine(device, plant))
    at, plus, long = when.partition("+")
    if plus and kind not in LASTING:
        lasting = ", ".join(sorted(LASTING))
        msg = f'"{text}": {kind} does not last; those that last are {lasting}'
        raise ValueError(msg)
    for_us = parse_duration_us(long) if long else 0
    return Fault(kind, device, parse_duration_us(at), for_us)


def _profile(text: str, plant: Plant) -> tuple[str, str]:
    """Return a device and its profile from ``weld=packml``.

    Raises:
        ValueError: It is none.
    """
    from linewright.drivers.opcua_fronts import FRONTS  # noqa: PLC0415 - slow

    device, _, profile = text.rpartition("=")
    if profile not in FRONTS:
        msg = f'"{text}": there is no profile "{profile}" of tags; there are '
        raise ValueError(msg + ", ".join(FRONTS))
    if device not in plant.machines:
        raise ValueError(f'"{text}": ' + _no_machine(device, plant))
    if not (device in plant.servers or device.startswith("repair of ")):
        msg = f'"{text}": at "{device}" several jobs go on at once, which needs a job '
        raise ValueError(msg + "list")
    return device, profile


def _no_machine(device: str, plant: Plant) -> str:
    import difflib  # noqa: PLC0415 - rarely

    near = difflib.get_close_matches(device, plant.machines, 1)
    help_ = f'; did you mean "{near[0]}"?' if near else ""
    return f'there is no machine "{device}"{help_}'


def _check_speed(speed: float | None) -> None:
    if speed is not None and not speed > 0:
        msg = f"speed is {speed:g}; it is above zero"
        raise ValueError(msg)


def need_opcua() -> None:
    """Say what to install, if it is not there.

    Raises:
        MachineError: asyncua is not installed.
    """
    try:
        import asyncua  # noqa: F401, PLC0415 - slow, and an extra
    except ImportError as error:
        raise MachineError(_NEEDED) from error
    _quiet()


def _quiet() -> None:
    """Keep what asyncua says to itself off the screen: our own messages say it."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)


def side_of(args: Args, name: str) -> Side | None:
    """Return the certificates of a side, or None where security was switched off."""
    from linewright.drivers import pki  # noqa: PLC0415 - slow

    if args.no_security:
        say(args, "WITHOUT SECURITY: everybody on this computer can command the line")
        return None
    found = pki.side(Path(args.pki), name)
    for one in (found.own, *found.trusted):
        if pki.expires_soon(one):
            say(args, f"{one.path} expires on {one.until:%Y-%m-%d}")
    return found


def run_over_opcua(
    args: Args,
    line: Line,
    controller: Controller,
    until_us: int,
    tell: Any,
    inbox: Inbox,
) -> Progress:
    """Run a line on machines over OPC UA."""
    from linewright.control.watching import Expected, Overdue  # noqa: PLC0415 - slow
    from linewright.drivers.running import Runner, stop_on_signals  # noqa: PLC0415
    from linewright.model.meaning import leaves_line  # noqa: PLC0415

    speed = args.speed or 1.0
    make_way = _way_of(args, line, controller, speed)

    async def run() -> Progress:
        way = make_way()
        expected = Expected(line, controller.core.lowered)
        runner = Runner(
            controller,
            way,
            speed,
            overdue=Overdue(expected.longest_us, int(_SLACK_S * 1e6 * speed)),
            inbox=inbox,
            stays=args.stay,
            on_stalled=functools.partial(say_stalled, args),
        )
        stop_on_signals(runner)
        told: set[str] = set()

        def on_progress(progress: Progress) -> None:
            if tell:
                tell(progress)
            _tell_wrong(args, runner.wrong, runner.doubtful(), told)

        sold = [name for name in line.products if leaves_line(line, name)]
        return await runner.run(until_us, on_progress, sold=sold)

    return asyncio.run(run())


def _way_of(
    args: Args, line: Line, controller: Controller, speed: float
) -> Callable[[], Way]:
    """Return what makes the way to the machines, where the loop runs.

    Raises:
        ModelError: The file of machines is wrong.
        MachineError: An address is open to others, or played machines cannot do it.
    """
    from linewright.control.plant import devices_of, measured_by  # noqa: PLC0415
    from linewright.drivers.machines_file import read_machines  # noqa: PLC0415
    from linewright.drivers.opcua_client import Login, OpcUaWay  # noqa: PLC0415
    from linewright.drivers.routing import ways_of  # noqa: PLC0415
    from linewright.drivers.users import read_secret  # noqa: PLC0415

    side = side_of(args, "controller")
    if args.opcua is not None:
        login = None
        if args.user is not None:
            secret = Path(args.password_file) if args.password_file else None
            login = Login(args.user, read_secret(secret) if secret else "")
        way = OpcUaWay(args.opcua, side, login=login)
        return lambda: way
    lowered = controller.core.lowered
    devices = devices_of(lowered)
    failures, measures = list(controller.core.failures), measured_by(lowered)
    file = read_machines(args.machines, devices, failures, measures)
    is_played = not file.others and bool(set(devices) - set(file.at))
    if is_played:
        _check_playable(args.model, line, lowered)
    seed = line.study.seed if args.seed is None else args.seed
    boot = int(time.time() * 1000)  # noqa: TID251 - another number at each start

    def make() -> Way:
        played = _played(line, lowered, seed, boot, speed) if is_played else None
        return ways_of(file, side, boot, played)

    return make


def _played(line: Line, lowered: Lowered, seed: int, boot: int, speed: float) -> Way:
    """Return the way to machines that are played in this process."""
    from linewright.control.plant import Plant  # noqa: PLC0415 - slow
    from linewright.drivers.played import Played  # noqa: PLC0415

    begun_s = time.monotonic()

    def now_us() -> int:
        return int((time.monotonic() - begun_s) * speed * 1e6)

    return Played(Plant(line, lowered, seed, boot=boot), now_us, speed)


def _check_playable(model: str, line: Line, lowered: Lowered) -> None:
    """Refuse a line with what played machines cannot do.

    Raises:
        MachineError: It has such things; all are named.
    """
    from linewright.control.drawn import cannot_play  # noqa: PLC0415 - slow

    if found := cannot_play(line, lowered):
        text = "\n  ".join(found)
        msg = f"{model} has what emulated machines cannot do yet:\n  {text}"
        raise MachineError(msg)


def _tell_wrong(
    args: Args, wrong: dict[str, str], doubtful: list[str], told: set[str]
) -> None:
    """Say once what is wrong with a machine, until it is right again."""
    now = {f"{device} does not answer: {why}" for device, why in wrong.items()}
    now |= {
        f"{job}: its machine started again and forgot it, and nobody knows whether it "
        f"was done; the machine waits. Look at the unit, and say so: linewright decide "
        f"JOURNAL {job} done, or not-done"
        for job in doubtful
    }
    for text in sorted(now - told):
        say(args, text)
    told.clear()
    told.update(now)


# ---------------------------------------------------------------- pki


def run_pki(args: Args) -> int:
    """Make, trust or show certificates."""
    need_opcua()
    does = {"init": _init, "trust": _trust, "show": _show, "user": _user}
    return does[args.do](args)


def _init(args: Args) -> int:
    from linewright.drivers import pki  # noqa: PLC0415 - slow

    made = pki.init(Path(args.pki))
    for name, one in zip(pki.SIDES, made, strict=True):
        write(f"{name}  {one.thumbprint}  until {one.until:%Y-%m-%d}\n")
    write("each trusts the other, and nobody else\n")
    return OK


def _trust(args: Args) -> int:
    from linewright.drivers import pki  # noqa: PLC0415 - slow

    one = pki.trust(Path(args.pki), args.side, Path(args.certificate))
    write(f"{args.side} trusts {one.name}, {one.thumbprint}\n")
    return OK


def _user(args: Args) -> int:
    from linewright.drivers.users import add_user  # noqa: PLC0415 - slow

    write(add_user(Path(args.pki), args.name, args.days) + "\n")
    say(args, f"the password of {args.name} for {args.days} days; it is shown once")
    return OK


def _show(args: Args) -> int:
    from linewright.drivers import pki  # noqa: PLC0415 - slow

    sides = pki.load(Path(args.pki))
    if not sides:
        msg = f"{args.pki} has no certificates; `linewright pki init` makes them"
        raise MachineError(msg)
    if args.json:
        print_json(
            {
                name: {
                    "uri": side.uri,
                    "own": _as_json(side.own),
                    "trusted": [_as_json(one) for one in side.trusted],
                }
                for name, side in sides
            }
        )
        return OK
    for name, side in sides:
        write(f"{name}, {side.uri}\n")
        for what, one in [("own", side.own)] + [("trusts", t) for t in side.trusted]:
            soon = ", EXPIRES SOON" if pki.expires_soon(one) else ""
            write(f"  {what:<7}{one.name}  until {one.until:%Y-%m-%d}{soon}\n")
            write(f"         {one.thumbprint}\n")
    return OK


def _as_json(one: Certificate) -> dict[str, Any]:
    return {
        "name": one.name,
        "file": str(one.path),
        "thumbprint": one.thumbprint,
        "until": one.until.isoformat(),
    }
