"""The verbs by which people ask a running line: order, decide, hold, resume."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewright.cli._look import instant
from linewright.cli._say import (
    FOUND,
    OK,
    Args,
    print_json,
    say,
    show,
    tell_compiling,
    write,
)

if TYPE_CHECKING:
    from linewright.control.asking import Outcome, Request
    from linewright.control.openings import Standing
    from linewright.model.line import Line

_LOOK_EVERY_S = 0.05
_MOST_TOLD = 20
Wish = tuple[str, dict[str, Any]]


def run_order(args: Args) -> int:
    """Add orders to a running line, or hold, release, hurry or cancel them."""
    if args.do == "list":
        return _list(args)
    if args.do == "add":
        return ask_for(args, _added(args))
    data: dict[str, Any] = {}
    if args.do == "priority":
        data["priority"] = args.priority
    if args.do == "release":
        data["is_now"] = args.now
    names = [args.order] if args.do == "priority" else args.orders
    return ask_for(args, [(f"order {args.do}", {"order": one} | data) for one in names])


def run_decide(args: Args) -> int:
    """Say what is true of a unit, or of a job that is in doubt."""
    if args.what == "settled":
        kind, _, number = args.subject.rpartition(":")
        if kind != "alarm" or not number.isascii() or not number.isdecimal():
            msg = f'"{args.subject}" is no alarm; write it like alarm:3'
            raise ValueError(msg)
        return ask_for(args, [("alarm settled", {"alarm": int(number[:15])})])
    if args.what == "released":
        kind, _, gate = args.subject.partition(":")
        if kind != "gate" or not gate:
            msg = f'"{args.subject}" is no gate; write it like "gate:test of wing"'
            raise ValueError(msg)
        return ask_for(args, [("gate release", {"gate": gate})])
    is_job = args.what in {"done", "not-done"}
    for flag, value, what in (
        ("--at", args.at, "here"),
        ("--verdict", args.verdict, "done"),
    ):
        if value is not None and args.what != what:
            msg = f"{flag} goes with {what}, and not with {args.what}"
            raise ValueError(msg)
    data = {"job" if is_job else "unit": args.subject}
    if args.what == "here":
        if args.at is None:
            msg = "say at which station it is: --at STATION"
            raise ValueError(msg)
        data["station"] = args.at
    if args.verdict is not None:
        data["verdict"] = args.verdict
    what = "job" if is_job else "unit"
    return ask_for(args, [(f"{what} {args.what.replace('-', ' ')}", data)])


def run_hold(args: Args) -> int:
    """Hold stations, or the whole line."""
    data = {"stations": args.stations, "is_now": args.now}
    return ask_for(args, [("hold", data)])


def run_resume(args: Args) -> int:
    """Let stations, or the whole line, go on."""
    return ask_for(args, [("resume", {"stations": args.stations})])


def run_reschedule(args: Args) -> int:
    """Hand a running line another schedule to follow."""
    from linewright.cli._follow import read_plan  # noqa: PLC0415 - slow
    from linewright.control.openings import (  # noqa: PLC0415
        follows_at,
        laid_out,
        line_of,
    )

    line = line_of(args.journal)
    if not follows_at(args.journal):
        msg = (
            f"{args.journal} was begun without a schedule, and decides by the rules of "
            "its model; begin a journal with run --schedule"
        )
        raise ValueError(msg)
    plan = read_plan(args.schedule, line, laid_out(line, 0, follows=True))
    return ask_for(args, [("schedule", plan.data())])


# ---------------------------------------------------------------- asking


def ask_for(args: Args, wishes: list[Wish]) -> int:
    """Hand requests in, and say what became of them."""
    from linewright.control.asking import Request  # noqa: PLC0415 - slow
    from linewright.control.wishes import read_wish  # noqa: PLC0415
    from linewright.drivers.inbox import hand_in  # noqa: PLC0415

    by = args.by or getpass.getuser()
    key = args.key or uuid.uuid4().hex
    keys = [key if len(wishes) == 1 else f"{key}/{n + 1}" for n in range(len(wishes))]
    requests = []
    for one, (what, data) in zip(keys, wishes, strict=True):
        read = read_wish(what, by, args.reason, data)
        if isinstance(read, str):
            raise ValueError(read)
        requests.append(Request(one, what, by, args.reason, data))
    hand_in(args.journal, requests)
    return _tell(args, requests, _waited(args, keys))


def _waited(args: Args, keys: list[str]) -> list[Outcome | None]:
    """Return the outcomes that come in time."""
    from linewright.drivers.inbox import outcomes_of  # noqa: PLC0415 - slow

    until_s = time.monotonic() + args.wait
    while True:
        outcomes = outcomes_of(args.journal, keys)
        if None not in outcomes or time.monotonic() >= until_s:
            return outcomes
        time.sleep(_LOOK_EVERY_S)


def _tell(args: Args, requests: list[Request], outcomes: list[Outcome | None]) -> int:
    is_refused = any(one is not None and not one.is_accepted for one in outcomes)
    if args.json:
        rows = [
            {
                "key": request.key,
                "is_accepted": outcome and outcome.is_accepted,
                "text": outcome.text if outcome else "",
            }
            for request, outcome in zip(requests, outcomes, strict=True)
        ]
        print_json({"journal": args.journal, "requests": rows})
        return FOUND if is_refused else OK
    n_done = sum(one is not None and one.is_accepted for one in outcomes)
    if n_done > _MOST_TOLD:
        write(f"{n_done:,} orders are in\n")
    for outcome in outcomes:
        if outcome is not None and not (outcome.is_accepted and n_done > _MOST_TOLD):
            write(f"{'' if outcome.is_accepted else 'refused: '}{outcome.text}\n")
    if n_open := outcomes.count(None):
        what = "it lies" if n_open == 1 else f"{n_open} of them lie"
        say(
            args,
            f"no answer in {args.wait:g} s: {what} in the inbox, and will be looked at "
            f"when the line runs; the key is {requests[0].key.partition('/')[0]}",
        )
    return FOUND if is_refused else OK


# ---------------------------------------------------------------- orders


def _added(args: Args) -> list[Wish]:
    """Return the orders that the arguments, or a file, say."""
    from linewright.control.openings import line_of  # noqa: PLC0415 - slow
    from linewright.importers.orders import read_orders  # noqa: PLC0415

    line = line_of(args.journal)
    given = [
        f"--{key}"
        for key in ("product", "quantity", "id", "release", "due", "priority")
        if getattr(args, key) is not None
    ]
    if args.file is not None:
        if given:
            msg = f"orders are in {args.file}; {given[0]} goes with a single one"
            raise ValueError(msg)
        found = read_orders(Path(args.file), line)
        return [("order", one.data | {"is_held": args.hold}) for one in found]
    if args.product is None:
        msg = "say what is ordered: --product NAME, or --file FILE"
        raise ValueError(msg)
    return [("order", _one(args, line))]


def _one(args: Args, line: Line) -> dict[str, Any]:
    data: dict[str, Any] = {"product": args.product, "is_held": args.hold}
    data["quantity"] = 1 if args.quantity is None else args.quantity
    if args.id is not None:
        data["name"] = args.id
    if args.priority is not None:
        data["priority"] = args.priority
    for key in ("release", "due"):
        if (text := getattr(args, key)) is not None:
            data[f"{key}_us"] = instant(text, line)
    return data


def _list(args: Args) -> int:
    """Show the orders of a line as its journal has them."""
    from linewright.console import table_view  # noqa: PLC0415 - slow
    from linewright.control.openings import standing  # noqa: PLC0415

    tell_compiling(args)
    found = standing(args.journal)
    rows = order_rows(found)
    if args.json:
        print_json({"now_us": found.core.now_us, "orders": rows})
        return OK
    texts = [
        (
            row["order"],
            row["state"],
            f"{row['done']} of {row['quantity']} {row['product']}",
            _when(found.line, row["release_us"]),
            _when(found.line, row["due_us"]),
            str(row["priority"]),
        )
        for row in rows
    ]
    heads = ["order", "state", "done", "release", "due", "priority"]
    show(table_view(heads, texts))
    _tell_holds(found)
    return OK


def _tell_holds(found: Standing) -> None:
    for k, about in found.core.asked.holds.items():
        name = found.core.lowered.names.stations[k]
        since = _when(found.line, about["at_us"])
        why = f": {about['why']}" if about["why"] else ""
        write(f"{name} is held since {since} by {about['by']}{why}\n")


def run_alarms(args: Args) -> int:
    """Show what waits for a person."""
    from linewright.console import table_view  # noqa: PLC0415 - slow
    from linewright.control.openings import standing  # noqa: PLC0415

    tell_compiling(args)
    found = standing(args.journal)
    core, line = found.core, found.line
    doubtful = [job for job in core.jobs.values() if job.in_doubt]
    if args.json:
        names = core.lowered.names.stations
        print_json(
            {
                "now_us": core.now_us,
                "alarms": [dataclasses.asdict(one) for one in core.alarms.values()],
                "in_doubt": [job.note() for job in doubtful],
                "holds": [
                    about | {"station": names[k]}
                    for k, about in core.asked.holds.items()
                ],
            }
        )
        return FOUND if core.alarms or doubtful else OK
    rows = [
        (f"alarm:{one.number}", _when(line, one.at_us), one.subject, one.text)
        for one in core.alarms.values()
    ]
    for job in doubtful:
        units = ", ".join(f"{unit.product}:{unit.serial}" for unit in job.units)
        text = "its machine has forgotten it; look at the unit: was it done?"
        rows.append((job.id, _when(line, job.at_us), units, text))
    if rows:
        show(table_view(["what", "since", "about", ""], rows))
    _tell_holds(found)
    return FOUND if rows else OK


def order_rows(found: Standing) -> list[dict[str, Any]]:
    """Return a row for each order of a line, in the values of JSON."""
    from linewright.control.wanted import wanted  # noqa: PLC0415 - slow
    from linewright.tables import NEVER  # noqa: PLC0415

    core = found.core
    orders = wanted(core)
    states = orders.states(core)
    return [
        {
            "order": name,
            "product": core.lowered.names.products[int(orders.product[i])],
            "quantity": int(orders.quantity[i]),
            "done": int(orders.done[i]),
            "scrapped": int(orders.scrapped[i]),
            "state": states[i],
            "release_us": int(orders.release[i]),
            "due_us": None if orders.due[i] >= NEVER else int(orders.due[i]),
            "priority": int(orders.priority[i]),
        }
        for i, name in enumerate(orders.names)
    ]


def _when(line: Line, at_us: int | None) -> str:
    from linewright.model.calendars import to_local  # noqa: PLC0415 - slow

    if at_us is None:
        return ""
    return f"{to_local(at_us, line.start, line.time_zone):%Y-%m-%d %H:%M}"


# ---------------------------------------------------------------- arguments


def add_ask_verbs(verbs: Any, verb: Any) -> None:
    """Add the verbs; `verb` makes one with what all have."""
    _add_order_verb(verbs, verb)
    text = "say what is true of a unit, or of a job in doubt, with a name and a reason"
    decide = verb(verbs, "decide", run_decide, text)
    add = decide.add_argument
    add("journal", metavar="JOURNAL")
    text = "as trainer:17, weld#212, alarm:3, or 'gate:test of wing'"
    add("subject", metavar="UNIT|JOB|ALARM|GATE", help=text)
    truths = ("here", "scrapped", "good", "done", "not-done", "settled", "released")
    add("what", choices=truths)
    add("--at", metavar="STATION", help="where the unit is")
    add("--verdict", choices=("pass", "rework", "scrap"), help="of a job that was done")
    _share(decide, has_reason=True)
    text = "show what waits for a person: alarms, jobs in doubt, what is held"
    alarms = verb(verbs, "alarms", run_alarms, text)
    alarms.add_argument("journal", metavar="JOURNAL")
    text = "stop stations, or the whole line, at the end of what they do"
    hold = verb(verbs, "hold", run_hold, text)
    hold.add_argument("journal", metavar="JOURNAL")
    hold.add_argument("stations", metavar="STATION", nargs="*", help="all by default")
    hold.add_argument("--now", action="store_true", help="at once, in the middle of it")
    _share(hold, has_reason=True)
    text = "hand a running line another schedule to follow"
    again = verb(verbs, "reschedule", run_reschedule, text)
    again.add_argument("journal", metavar="JOURNAL")
    text = "a folder of `linewright schedule --out`, or its table"
    again.add_argument("schedule", metavar="SCHEDULE", help=text)
    _share(again, has_reason=True)
    resume = verb(verbs, "resume", run_resume, "let held stations go on")
    resume.add_argument("journal", metavar="JOURNAL")
    resume.add_argument("stations", metavar="STATION", nargs="*", help="all by default")
    _share(resume, has_reason=False)


def _share(one: argparse.ArgumentParser, *, has_reason: bool) -> None:
    """Add what all have that ask for something."""
    add = one.add_argument
    add("--by", metavar="NAME", help="who asks; who is logged in by default")
    text = "why" if has_reason else "why; may be left out"
    add("--reason", metavar="TEXT", required=has_reason, default="", help=text)
    text = "name of the request: handed in twice, it is done once"
    add("--key", metavar="KEY", help=text)
    text = "how long to wait for the answer; 10 by default"
    add("--wait", metavar="SECONDS", type=float, default=10.0, help=text)


def _add_order_verb(verbs: Any, verb: Any) -> None:
    text = "add orders to a running line, hold, release, hurry or cancel them"
    order = verb(verbs, "order", run_order, text)
    order.add_argument("journal", metavar="JOURNAL")
    kinds = "add|hold|release|priority|cancel|list"
    does = order.add_subparsers(dest="do", metavar=kinds, required=True)
    for name in kinds.split("|"):
        one = does.add_parser(name, allow_abbrev=False)
        for flag in ("--json", "--quiet"):
            one.add_argument(flag, action="store_true", default=argparse.SUPPRESS)
        if name == "list":
            continue
        _share(one, has_reason=name == "cancel")
        if name == "add":
            _add_order(one.add_argument)
        elif name == "priority":
            one.add_argument("order", metavar="ORDER")
            text = "higher goes first"
            one.add_argument("priority", metavar="N", type=int, help=text)
        else:
            one.add_argument("orders", metavar="ORDER", nargs="+")
        if name == "release":
            text = "whatever its date"
            one.add_argument("--now", action="store_true", help=text)


def _add_order(add: Any) -> None:
    add("--file", metavar="FILE", help="orders in CSV, or a B2MML OperationsSchedule")
    add("--product", metavar="NAME")
    add("--quantity", metavar="N", type=int, help="1 by default")
    add("--id", metavar="NAME", help="what the order is called; its number by default")
    add("--release", metavar="TIME", help="not before then; at once by default")
    add("--due", metavar="TIME", help="wanted by then")
    add("--priority", metavar="N", type=int, help="that of the product by default")
    add("--hold", action="store_true", help="take it in, and release it later")
