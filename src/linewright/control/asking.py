"""What people ask of a running line: orders, holds, and decisions about units and jobs.

A `Request` has a key, so that it is done once however often it is handed in, and says
who asks and why. `Asked.decide` judges it against what is known, and both what is
accepted and what is refused becomes a record. `Asked.apply` does what was accepted; it
is called again with the same records after a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from linewright import tables as t
from linewright.control.by_schedule import judged
from linewright.control.jobs import Job
from linewright.control.judging import contradiction
from linewright.control.ordering import MOST_PARTS, NewOrder, parts_of, waiting
from linewright.control.records import Record
from linewright.control.wishes import MOST_TEXT, WISHES, read_wish, shown
from linewright.model.explain import did_you_mean, listed

if TYPE_CHECKING:
    from linewright.control.core import Core

__all__ = ["Asked", "Outcome", "Request"]

_REMEMBERED = 2_000
_LATEST_US = 100 * 366 * 86_400_000_000  # a date beyond is a slip of the pen
_HELD = {t.HELD_AT_END: "at the end of what it does", t.HELD_NOW: "at once"}
_VERDICTS = {"pass": t.PASS, "rework": t.REWORK, "scrap": t.SCRAP}

Body = dict[str, Any]
Judge = Callable[["Core", Any, int], Body]


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks.

    Attributes:
        key: Its own name: a request is done once however often it comes.
        what: What is asked, a key of `wishes.WISHES`.
        by: Who asks.
        why: The reason.
        data: What belongs to it, by the fields of its wish, in the values of JSON.
    """

    key: str
    what: str
    by: str
    why: str
    data: Body = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    Attributes:
        key: Key of the request.
        is_accepted: Whether it was done.
        text: What was done, or why it was refused.
    """

    key: str
    is_accepted: bool
    text: str


class Refused(Exception):  # noqa: N818 - it is an answer and no error
    """Why a request is refused."""


class Asked:
    """What people have asked of a line; see the module's head.

    Attributes:
        came: Names of the orders that came while the line ran, in their order.
        largest: Parts of the largest of them, components included.
        put_off: Orders that are held or cancelled, by row: ``held`` (not released yet),
            ``aside`` (released, and its units outside stand aside) or ``cancelled``.
        holds: Stations held by hand, by row: who holds them, why, how and since when.
    """

    def __init__(self) -> None:
        self.came: tuple[str, ...] = ()
        self.largest = 0
        self.put_off: dict[int, str] = {}
        self.holds: dict[int, Body] = {}
        self._outcomes: dict[str, tuple[bool, str]] = {}
        self._judges: dict[str, Judge] = {
            "order": _order,
            "schedule": _schedule,
            "order hold": _of_each_part(self._order_hold),
            "order release": _of_each_part(self._order_release),
            "order cancel": _of_each_part(self._order_cancel),
            "order priority": _of_each_part(self._order_priority),
            "hold": self._hold,
            "resume": self._resume,
            "unit scrapped": _unit_scrapped,
            "unit good": _unit_good,
            "unit here": _unit_here,
            "gate release": _gate_release,
            "job done": _job_done,
            "job not done": _job_not_done,
            "alarm settled": _alarm_settled,
        }
        assert self._judges.keys() == WISHES.keys()

    # ------------------------------------------------------------ what is known

    def outcome(self, key: str) -> Outcome | None:
        """Return what became of a request, if it came and is not long ago."""
        found = self._outcomes.get(key)
        return None if found is None else Outcome(key, *found)

    def put_off_as(self, row: int) -> str:
        """Return whether an order is ``held`` or ``cancelled``, or nothing."""
        put_off = self.put_off.get(row, "")
        return "held" if put_off in {"held", "aside"} else put_off

    def states_of_orders(self, state: t.State) -> list[str]:
        """Return how it is with each order.

        That is ``cancelled``, ``held``, ``done``, ``to come`` or ``open``.
        """
        to_come, is_done = set(waiting(state)), state.orders["finished"] >= 0
        return [
            self.put_off_as(row)
            or ("done" if done else "to come" if row in to_come else "open")
            for row, done in enumerate(is_done.tolist())
        ]

    # ------------------------------------------------------------ deciding

    def decide(self, core: Core, request: Request, now_us: int) -> Record:
        """Return the record of a request: what is to be done, or why it is refused."""
        at_us = max(now_us, core.now_us)
        body: Body = {
            "what": shown(request.what, MOST_TEXT),
            "key": request.key,
            "by": shown(request.by, MOST_TEXT),
            "why": shown(request.why, MOST_TEXT),
        }
        wish = read_wish(request.what, request.by, request.why, request.data)
        if isinstance(wish, str):
            return Record("declined", at_us, body | {"text": wish})
        body["data"] = wish.model_dump(mode="json", exclude_defaults=True)
        try:
            found = self._judges[request.what](core, wish, at_us)
        except Refused as why:
            return Record("declined", at_us, body | {"text": str(why)})
        return Record("request", at_us, body | found)

    # ------------------------------------------------------------ applying

    def declined(self, body: Body) -> None:
        """Remember that a request was refused."""
        self._remember(body, is_accepted=False)

    def _remember(self, body: Body, *, is_accepted: bool) -> None:
        self._outcomes[body["key"]] = is_accepted, body["text"]
        if len(self._outcomes) > _REMEMBERED:
            del self._outcomes[next(iter(self._outcomes))]

    def apply(self, core: Core, body: Body, after: Any) -> None:
        """Do what was accepted; `Core` has its transitions."""
        self._remember(body, is_accepted=True)
        self._take_orders(core, body, after.at_us)
        put_off = [body["put_off"]] if "put_off" in body else body.get("put_offs", ())
        for row, what in put_off:
            self.put_off.pop(row, None)
            if what:
                self.put_off[row] = what
        for k, held in body.get("holds", ()):
            self.holds.pop(k, None)
            if held:
                about = {"by": body["by"], "why": body["why"], "how": held}
                self.holds[k] = about | {"at_us": after.at_us}
        if "alarm" in body:
            del core.alarms[body["alarm"]]
        if "job" in body:
            core.settle_by_hand(body, after)
        if "gate" in body:
            core.open_gate(body, after)
        for kind, row, outcome in body.get("acts", ()):
            core.act(kind, row, outcome, after)

    def _take_orders(self, core: Core, body: Body, at_us: int) -> None:
        """Take the orders that came; the parts of a schedule are some."""
        if body["what"] == "schedule":
            assert core.by_schedule is not None
            core.by_schedule.take(body, at_us, len(core.state.orders))
            self.came = (*self.came, *body["names"])
            core.take_orders([NewOrder(*order) for order in body["orders"]])
        elif "order" in body:
            self.came = (*self.came, body["name"])
            core.take_orders([NewOrder(**body["order"])])

    def notes(self) -> Body:
        """Return all of it, in the values of JSON."""
        return {
            "came": list(self.came),
            "largest": self.largest,
            "put_off": list(self.put_off.items()),
            "holds": list(self.holds.items()),
            "outcomes": [[key, *found] for key, found in self._outcomes.items()],
        }

    def restore(self, notes: Body) -> None:
        """Go on from what `notes` returned."""
        self.came, self.largest = tuple(notes["came"]), notes["largest"]
        self.put_off = dict(notes["put_off"])
        self.holds = dict(notes["holds"])
        self._outcomes = {key: (ok, text) for key, ok, text in notes["outcomes"]}

    # ------------------------------------------------------------ orders

    def _open_order(self, core: Core, name: str) -> int:
        """Return the row of an order that is not over."""
        names = core.lowered.names.orders
        if name not in names:
            by = core.by_schedule
            names = (*(by.orders if by else ()), *names)
            hint = did_you_mean(name, names) or _there_are("orders", names)
            raise Refused(_joined(f'there is no order "{name}"', hint))
        row = names.index(name)
        if self.put_off.get(row) == "cancelled":
            raise Refused(f"order {name} is cancelled")
        if int(core.state.orders["finished"][row]) >= 0:
            raise Refused(f"order {name} is done")
        return row

    def _order_hold(self, core: Core, wish: Any, _: int) -> Body:
        row = self._open_order(core, wish.order)
        if row in self.put_off:
            raise Refused(f"order {wish.order} is held already")
        if row in waiting(core.state):
            act = [t.PLAN_ORDER, row, -1]
            what, text = "held", "is held, and not released"
        else:
            act = [t.KEEP_OUT, row, t.ASIDE]
            what, text = "aside", "is held: what is not in the line yet stays out of it"
        return {
            "acts": [act],
            "put_off": [row, what],
            "text": f"order {wish.order} {text}",
        }

    def _order_release(self, core: Core, wish: Any, at_us: int) -> Body:
        row = self._open_order(core, wish.order)
        before = self.put_off.get(row)
        if before == "aside":
            acts = [[t.KEEP_OUT, row, t.AGAIN]]
            return {
                "acts": acts,
                "put_off": [row, ""],
                "text": f"order {wish.order} goes on",
            }
        if before is None and row not in waiting(core.state):
            raise Refused(f"order {wish.order} is released already")
        planned_us = int(core.state.orders["release"][row])
        if before is None and not wish.is_now:
            text = f"order {wish.order} is not held; ask for it now to hurry it"
            raise Refused(text)
        release_us = at_us if wish.is_now else max(planned_us, at_us)
        text = "is released" if release_us == at_us else "is released at its date"
        return {
            "acts": [[t.PLAN_ORDER, row, release_us]],
            "put_off": [row, ""],
            "text": f"order {wish.order} {text}",
        }

    def _order_cancel(self, core: Core, wish: Any, _: int) -> Body:
        row = self._open_order(core, wish.order)
        was_released = self.put_off.get(row) == "aside" or (
            row not in self.put_off and row not in waiting(core.state)
        )
        act = [t.PLAN_ORDER, row, -1]
        text = "is cancelled"
        if was_released:
            act = [t.KEEP_OUT, row, t.GONE]
            text = "is cancelled: nothing more of it comes in; units in the line go on"
        return {
            "acts": [act],
            "put_off": [row, "cancelled"],
            "text": f"order {wish.order} {text}",
        }

    def _order_priority(self, core: Core, wish: Any, _: int) -> Body:
        row = self._open_order(core, wish.order)
        return {
            "acts": [[t.HURRY, row, wish.priority]],
            "text": f"order {wish.order} has priority {wish.priority}",
        }

    # ------------------------------------------------------------ holds

    def _hold(self, core: Core, wish: Any, _: int) -> Body:
        held = t.HELD_NOW if wish.is_now else t.HELD_AT_END
        rows = _stations(core, wish.stations)
        changed = [k for k in rows if self.holds.get(k, {}).get("how") != held]
        if not changed:
            raise Refused(f"{_names(core, rows)} is held like that already")
        return {
            "acts": [[t.HOLD, k, held] for k in changed],
            "holds": [[k, held] for k in changed],
            "text": f"{_names(core, changed)} is held: stops {_HELD[held]}",
        }

    def _resume(self, core: Core, wish: Any, _: int) -> Body:
        rows = _stations(core, wish.stations)
        changed = [k for k in rows if k in self.holds]
        if not changed:
            raise Refused(f"{_names(core, rows)} is not held")
        return {
            "acts": [[t.HOLD, k, t.NOT_HELD] for k in changed],
            "holds": [[k, 0] for k in changed],
            "text": f"{_names(core, changed)} goes on",
        }


def _of_each_part(judge: Judge) -> Judge:
    """Let what is asked of an order of a schedule be asked of all of its parts."""

    def judged(core: Core, wish: Any, at_us: int) -> Body:
        by, names = core.by_schedule, core.lowered.names.orders
        if by is None or wish.order in names or wish.order not in by.orders:
            return judge(core, wish, at_us)
        found, refused = [], []
        for row in by.orders[wish.order]:
            try:
                of_part = wish.model_copy(update={"order": names[row]})
                found.append((row, judge(core, of_part, at_us)))
            except Refused as error:
                refused.append(error)
        if not found:
            raise refused[0]
        row, first = found[0]
        return {
            "acts": [act for _, one in found for act in one["acts"]],
            "put_offs": [one["put_off"] for _, one in found if "put_off" in one],
            "text": first["text"].replace(names[row], wish.order),
        }

    return judged


def _joined(text: str, hint: str) -> str:
    return f"{text}; {hint}" if hint else text


def _there_are(what: str, names: tuple[str, ...]) -> str:
    return f"there are {listed(names)}" if names else f"there are no {what}"


def _names(core: Core, rows: list[int]) -> str:
    names = core.lowered.names.stations
    if len(rows) == len(names) and len(rows) > 1:
        return "the whole line"
    return listed([names[k] for k in rows])


def _stations(core: Core, asked: tuple[str, ...]) -> list[int]:
    """Return the rows of stations, all of them if none is named."""
    names = core.lowered.names.stations
    wrong = [
        _joined(f'there is no station "{one}"', did_you_mean(one, names))
        for one in asked
        if one not in names
    ]
    if wrong:
        raise Refused("; ".join(wrong))
    return sorted({names.index(one) for one in asked} or range(len(names)))


# ---------------------------------------------------------------- orders that come


def _schedule(core: Core, wish: Any, at_us: int) -> Body:
    by = core.by_schedule
    if by is None:
        text = "this line was begun without a schedule, and decides by the rules of its"
        raise Refused(f"{text} model; begin a journal with run --schedule")
    data = wish.model_dump(mode="json")
    if by.hash == data["hash"]:
        raise Refused(f"schedule {by.hash[:12]} is followed already")
    found = judged(by, core.lowered, core.state, core.asked.put_off, data, at_us)
    if isinstance(found, str):
        raise Refused(found)
    return found


def _order(core: Core, wish: Any, at_us: int) -> Body:
    if core.by_schedule is not None:
        text = "this line follows a schedule, and nothing comes in that is not in it"
        raise Refused(f"{text}; schedule the order, and hand that in (reschedule)")
    row = _ordered_product(core, wish.product)
    names = core.lowered.names.orders
    name = wish.name or _free_name(names)
    if name in names:
        raise Refused(f'there is an order "{name}" already')
    n_parts = parts_of(core.lowered.tables, row, wish.quantity)
    if n_parts > MOST_PARTS:
        raise Refused(
            f"{wish.quantity:,} {wish.product} are {n_parts:,} parts with their "
            f"components; one order may have {MOST_PARTS:,}, so divide it"
        )
    release_us = at_us if wish.release_us is None else max(wish.release_us, at_us)
    due_us = t.NEVER if wish.due_us is None else wish.due_us
    if due_us < release_us:
        raise Refused(f"order {name} is due before its release, or before now")
    if wish.due_us is not None and wish.due_us - at_us > _LATEST_US:
        raise Refused(f"order {name} is due more than a hundred years from now")
    if release_us - at_us > _LATEST_US:
        raise Refused(f"order {name} is released more than a hundred years from now")
    priority = wish.priority
    if priority is None:
        priority = int(core.lowered.tables.products["priority"][row])
    order = NewOrder(row, wish.quantity, release_us, due_us, priority)
    o = len(names)
    said = "is in"
    if wish.is_held:
        said = "is in, and held"
    elif release_us > at_us:
        said = "is in, and released at its date"
    return {
        "name": name,
        "order": order._asdict(),
        "acts": [[t.PLAN_ORDER, o, -1 if wish.is_held else release_us]],
        "put_off": [o, "held" if wish.is_held else ""],
        "text": f"order {name} of {wish.quantity} {wish.product} {said}",
    }


def _ordered_product(core: Core, product: str) -> int:
    """Return the row of a product of which there can be orders."""
    kinds = core.lowered.tables.products["kind"]
    ordered = [name for name, i in core.products.items() if kinds[i] == t.ORDERS]
    row = core.products.get(product)
    if row is None:
        hint = did_you_mean(product, core.products) or _there_are(
            "products that can be ordered", tuple(ordered)
        )
        raise Refused(_joined(f'there is no product "{product}"', hint))
    if kinds[row] != t.ORDERS:
        raise Refused(
            _joined(
                f"{product} is not made to order; its model says release: orders for "
                "what is",
                _there_are("such products", tuple(ordered)),
            )
        )
    return row


def _free_name(names: tuple[str, ...]) -> str:
    """Return the number of the next order, or the next that is free."""
    n, taken = len(names) + 1, set(names)
    while str(n) in taken:
        n += 1
    return str(n)


# ---------------------------------------------------------------- units and jobs


def _part(core: Core, unit: str) -> int:
    """Return the row of the part that a unit in the line is."""
    product, _, serial = unit.rpartition(":")
    row = core.products.get(product)
    if row is None or not serial.isascii() or not serial.isdecimal():
        some = next(iter(core.products))
        hint = did_you_mean(product, core.products)
        raise Refused(_joined(f'"{unit}" is no unit; write it like {some}:17', hint))
    parts = core.state.parts
    here = (parts["product"] == row) & (parts["serial"] == int(serial[:18]))
    [found] = here.nonzero()
    if not found.size:
        made = int(core.state.products["serial"][row])
        is_new = int(serial[:18]) >= made
        text = "has not been made" if is_new else "is not in the line any more"
        raise Refused(f"{unit} {text}")
    part = int(found[0])
    if parts["where"][part] == t.OUTSIDE:
        raise Refused(f"{unit} has not come into the line; hold or cancel its order")
    return part


def _place(core: Core, part: int) -> str:
    """Return the name of the station at which a part is or waits, or empty."""
    state, names = core.state, core.lowered.names.stations
    row = state.parts[part]
    if row["where"] in {t.ON_SERVER, t.BLOCKED_ON_SERVER}:
        return names[int(state.servers["station"][row["place"]])]
    if row["where"] in {t.IN_QUEUE, t.MOVING} and row["step"] >= 0:
        target = int(row["target"])
        return names[int(core.lowered.tables.targets["station"][target])]
    return ""


def _unit_scrapped(core: Core, wish: Any, _: int) -> Body:
    part = _part(core, wish.unit)
    if why := _stuck(core, part):
        raise Refused(f"{wish.unit} {why}")
    return {"acts": [[t.TAKE_OUT, part, 0]], "text": f"{wish.unit} is scrapped"}


def _stuck(core: Core, part: int) -> str:
    """Return why a part cannot be taken out where it is, or nothing."""
    row = core.state.parts[part]
    where, why = int(row["where"]), ""
    if where == t.MOVING:
        why = "is on its way; say that it is here, or wait until it is"
    elif row["split"] > 0:
        why = "is being split up; wait until that is done"
    elif where in {t.BLOCKED_ON_SERVER, t.IN_OUTPUT} and row["reserved"] >= 0:
        why = "has its place ahead and is about to be fetched; wait until it is there"
    elif where in {t.ON_SERVER, t.BLOCKED_ON_SERVER}:
        why = _busy(core, int(row["place"]), is_worked_on=where == t.ON_SERVER)
    elif where not in {t.IN_QUEUE, t.IN_STORE, t.IN_OUTPUT}:
        why = "is between two places; ask again"
    return why


def _busy(core: Core, s: int, *, is_worked_on: bool) -> str:
    """Return why a part cannot be taken off its server, or nothing."""
    server = core.state.servers[s]
    if core.lowered.tables.stations["conveyor"][int(server["station"])]:
        return "is on a conveyor; wait until it has left it"
    if is_worked_on and server["n_parts"] > 1:
        return "is worked on in a batch; wait until that has ended"
    if is_worked_on and server["phase"] != t.WORKING:
        return "is being set up for, loaded or unloaded; wait until that is done"
    return ""


def _unit_good(core: Core, wish: Any, _: int) -> Body:
    part = _part(core, wish.unit)
    if not core.state.parts["bad"][part]:
        raise Refused(f"nothing says that {wish.unit} is bad, so nothing is to be done")
    return {"acts": [[t.BELIEVE, part, 0]], "text": f"{wish.unit} is good"}


def _unit_here(core: Core, wish: Any, _: int) -> Body:
    part = _part(core, wish.unit)
    [k] = _stations(core, (wish.station,))
    station = core.lowered.names.stations[k]
    found = _place(core, part)
    if found != station:
        where = f"is at {found}" if found else "is elsewhere"
        raise Refused(
            f"{wish.unit} {where} in the journal, and cannot be at {station} as well; "
            "look which unit it is, and if it is lost say that it is scrapped"
        )
    text = f"{wish.unit} is at {station}"
    if core.state.parts["where"][part] != t.MOVING:
        return {"text": f"{text}, as the journal has it"}
    moves = [
        job for job in core.jobs.values() if job.action == "move" and job.part == part
    ]
    if not moves:
        raise Refused(f"{wish.unit} waits for a vehicle; say so when it has been moved")
    return {"job": moves[0].id, "outcomes": [0], "text": text}


def _doubtful(core: Core, job_id: str, *, may_be_refused: bool = False) -> Job:
    """Return a job about which a person may decide.

    It is in doubt, or what its machine said of it was refused and is an alarm.
    """
    job = core.jobs.get(job_id)
    if job is None:
        doubtful = [one.id for one in core.jobs.values() if one.in_doubt]
        hint = did_you_mean(job_id, doubtful) or (
            f"in doubt are {listed(doubtful)}" if doubtful else "none is in doubt"
        )
        raise Refused(f'there is no open job "{job_id}"; {hint}')
    is_refused = any(alarm.subject == job_id for alarm in core.alarms.values())
    if not job.in_doubt and not (may_be_refused and is_refused):
        raise Refused(f"{job_id} is not in doubt: its machine knows of it, and says so")
    return job


def _job_done(core: Core, wish: Any, _: int) -> Body:
    job = _doubtful(core, wish.job, may_be_refused=True)
    verdict = _VERDICTS[wish.verdict]
    outcomes = [verdict] * max(len(job.units), 1)
    why = contradiction(core, job, outcomes)
    if why:
        raise Refused(f"{job.id} cannot have ended so: {why}")
    text = f"{job.id} was done" + (f": {wish.verdict}" if verdict else "")
    return {"job": job.id, "outcomes": outcomes, "text": text}


def _alarm_settled(core: Core, wish: Any, _: int) -> Body:
    if wish.alarm not in core.alarms:
        there = [str(n) for n in core.alarms]
        hint = f"open are {listed(there)}" if there else "none is open"
        raise Refused(f"there is no open alarm {wish.alarm}; {hint}")
    return {"alarm": wish.alarm, "text": f"alarm {wish.alarm} is settled"}


def _job_not_done(core: Core, wish: Any, _: int) -> Body:
    job = _doubtful(core, wish.job)
    return {"job": job.id, "text": f"{job.id} was not done, and is commanded again"}


def _gate_release(core: Core, wish: Any, _: int) -> Body:
    gates, name = core.gates, wish.gate
    if name not in gates.names:
        hint = did_you_mean(name, gates.names) or _there_are("gates", (*gates.names,))
        raise Refused(_joined(f'there is no gate "{name}"', hint))
    if name not in gates.closed:
        raise Refused(f"gate {name} is open")
    return {"gate": name, "text": f"gate {name} is open again"}
