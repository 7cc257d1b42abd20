"""What a page shows of a line: what stays, and items that change one by one.

`about` is told once: names, where things stand, what is ordered. `items` is everything
that moves, by key; whoever has seen an older version needs only the items that changed.
Times are in the plant's zone, and words are those of the glossary.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import numpy as np

from linewright import tables as t
from linewright.control.genealogy import Genealogy, Tree, flat
from linewright.control.jobs import Unit
from linewright.control.wanted import Wanted, grouped, wanted
from linewright.model.calendars import to_local
from linewright.report.animation.scene import MARKS, buffers_of
from linewright.report.facts import stamp_of
from linewright.report.linemap.placing import stages_of
from linewright.report.palette import PLACE, STATES
from linewright.report.routes import finals, station_order
from linewright.version import __version__
from linewright.web.following import Follower, Happening
from linewright.web.foretelling import Ahead
from linewright.web.planned import Planned
from linewright.web.quality import QualityView
from linewright.web.spans import SPANS, StationSpan, sums_at

__all__ = ["Items", "Viewing"]

Items = dict[str, Any]
"""What a page shows, by key; values are of JSON."""

_MOST_STEPS = 1_000
_MOST_WAITING = 5
_BY_ALARM = (
    "The signal was not taken and nothing was done with it. Look at the machine and "
    "the unit, and find out what is true."
)
_BY_JOB = (
    "The result was not taken, and the job stays open. A right one that comes later "
    "counts; else look at the unit, and say what became of it."
)


class Viewing:
    """The line of a follower, as a page shows it; see the module's head."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._sold = set(finals(follower.line))
        self._orders = np.zeros((5, 0), np.int64)
        self._order_items: Items = {}
        self._alarms: set[int] = set()
        self._quality = QualityView(
            lambda: follower.core, lambda: follower.quality, self._stamp
        )
        self._planned: Planned | None = None

    # ------------------------------------------------------------ what stays

    def about(self) -> dict[str, Any]:
        """Return what does not change while the journal is followed."""
        follower, opening = self._follower, self._follower.opening
        line, names = follower.line, follower.core.lowered.names
        tables = follower.core.lowered.tables
        rows = {name: k for k, name in enumerate(names.stations)}
        first, count = tables.stations["first_server"], tables.stations["n_servers"]
        stamp = stamp_of(opening.model_hash, opening.seed, opening.linewright_version)
        buffers = buffers_of(line, follower.core.lowered)
        orders = wanted(follower.core)
        return {
            "title": line.name or follower.stem,
            "description": line.description,
            "time_zone": line.time_zone,
            "journal": follower.name,
            "stamp": f"{stamp}, shown by {__version__}",
            "stages": [
                {
                    "label": stage.label,
                    "lanes": [
                        {
                            "label": lane.label,
                            "stations": [rows[s] for s in lane.stations],
                        }
                        for lane in stage.lanes
                    ],
                }
                for stage in stages_of(line, station_order(line))
            ],
            "stations": [
                {"name": name, "servers": list(range(int(f), int(f) + int(n)))}
                for name, f, n in zip(names.stations, first, count, strict=True)
            ],
            "servers": follower.core.devices.servers,
            "buffers": [
                {
                    key: buffer[key]
                    for key in ("name", "slots", "role", "own", "product")
                }
                for buffer in buffers
            ],
            "products": [
                {"name": name, "sold": name in self._sold} for name in names.products
            ],
            "states": [
                {
                    "key": state.key,
                    "label": state.label,
                    "role": state.role,
                    "meaning": state.meaning,
                    "mark": MARKS.get(state.key, ""),
                }
                for state in STATES
            ],
            "spans": list(SPANS),
            "follows": opening.follows,
            "orders": [self._order_about(orders, i) for i in range(len(orders.names))],
            "quality": self._quality.about(),
        }

    def _order_about(self, orders: Wanted, i: int) -> dict[str, Any]:
        names = self._follower.core.lowered.names
        due = int(orders.due[i])
        return {
            "name": orders.names[i],
            "product": names.products[int(orders.product[i])],
            "quantity": int(orders.quantity[i]),
            "due": "" if due >= t.NEVER else self._day(due),
            "due_us": -1 if due >= t.NEVER else due,
        }

    # ------------------------------------------------------------ what moves

    def items(self) -> Items:
        """Return all that moves, but for what `spans` returns."""
        core = self._follower.core
        items: Items = {"clock": self._clock(core.now_us), "line": self._whole()}
        for s in range(len(core.devices.servers)):
            items[f"server/{s}"] = self._server(s)
        for b, level in enumerate(core.state.buffers["level"].tolist()):
            items[f"buffer/{b}"] = level
        items |= self._products() | self._due_orders() | self._waiting()
        items |= self._held() | self._doubtful() | self._quality.gates()
        for alarm in core.alarms.values():
            items[f"alarm/{alarm.number}"] = {
                "at": self._stamp(alarm.at_us),
                "subject": alarm.subject,
                "text": alarm.text,
                "help": self._help(alarm.subject),
                "job": alarm.subject if alarm.subject in core.jobs else "",
            }
        for number in self._alarms - core.alarms.keys():
            items[f"alarm/{number}"] = None  # somebody has settled it
        self._alarms |= core.alarms.keys()
        for one in self._follower.happenings:
            items[f"event/{one.seq}.{one.part}"] = self._happening(one)
        return items

    def _help(self, subject: str) -> str:
        """Return what is to be done about an alarm."""
        if subject in self._follower.core.jobs:
            return _BY_JOB
        return self._quality.help_of(subject) or _BY_ALARM

    def spans(self) -> Items:
        """Return what is shown of spans of time: states and OEE, quality and charts.

        With them goes the schedule, of a line that follows one.
        """
        follower = self._follower
        now = sums_at(follower.core.state, follower.core.now_us)
        items: Items = {}
        for name, since in follower.spans.since.items():
            items[f"span/{name}"] = {"since": self._stamp(since.at_us)}
            for k in range(len(now.times_us)):
                found = follower.spans.station(name, k, now)
                if found is not None:
                    items[f"kpi/{name}/{k}"] = _kpi(found)
        items |= self._quality.yields(now, follower.spans.since)
        return items | self._quality.charts() | self._schedule()

    def _schedule(self) -> Items:
        """Return the schedule against what happened, where one is followed."""
        core, begun = self._follower.core, self._follower.begun
        if begun is None:
            return {}
        if self._planned is None or not self._planned.is_of(core, begun):
            self._planned = Planned(core, begun, self._stamp, self._short)
        return self._planned.items()

    def _short(self, at_us: int, width_us: int) -> str:
        """Return a time as it stands on an axis of some length."""
        local = self._local(at_us)
        if width_us <= 8 * 3_600_000_000:
            return f"{local:%H:%M}"
        day = f"{local.day} {local:%b}"
        return f"{day} {local:%H:%M}" if width_us <= 8 * 86_400_000_000 else day

    def ahead(self, found: Ahead | None, problem: str) -> Items:
        """Return what is foretold: of the orders, of the day, and of the targets.

        Args:
            found: What is foretold; nothing where that failed.
            problem: Why it failed.
        """
        kinds = ("ahead_order/", "ahead_product/", "goal/")  # of which may be none
        items: Items = dict.fromkeys(kinds) | {"ahead": {"problem": problem}}
        if found is None:
            return items
        future, names = found.future, self._follower.core.lowered.names
        rows = {name: i for i, name in enumerate(grouped(self._follower.core)[0])}
        items["ahead"] |= {"at": self._stamp(future.from_us), "n": len(future.made)}
        for row in found.orders:
            p80_us = row["p80_us"]
            items[f"ahead_order/{rows[row['order']]}"] = {
                "p80": "" if p80_us is None else self._day(p80_us),
                "until": self._day(future.until_us),
                "on_time": row["on_time"],
                "low": row.get("low"),
                "high": row.get("high"),
            }
        for name, least in found.today.items():
            items[f"ahead_product/{names.products.index(name)}"] = least
        for goal, made, chance in found.goals:
            items[f"goal/{goal.target}"] = {
                "label": goal.label,
                "product": goal.product,
                "quantity": goal.quantity,
                "made": made,
                "by": self._day(goal.by_us),
                "chance": chance.mean,
                "low": chance.low,
                "high": chance.high,
            }
        return items

    def _whole(self) -> dict[str, Any]:
        state = self._follower.core.state
        modes = state.servers["mode"].tolist()
        counts = [modes.count(t.MODE_NAMES.index(one.key)) for one in STATES]
        return {"wip": int(state.clock["wip"][0]), "servers": counts}

    def _server(self, s: int) -> dict[str, Any]:
        core = self._follower.core
        row, names = core.state.servers[s], core.lowered.names
        since = int(self._follower.since_us[s])
        found: dict[str, Any] = {
            "state": PLACE[t.MODE_NAMES[int(row["mode"])]],
            "since": "" if since < 0 else self._stamp(since),
            "since_us": since,
        }
        part = int(row["part"])
        if part >= 0:
            found["unit"] = self._unit(part)
            found["n"] = max(int(row["n_parts"]), 1)
            step = int(core.state.parts["step"][part])
            if step >= 0:
                found["operation"] = names.operations[step]
        down = int(row["down"])
        if down >= 0 and int(row["mode"]) in {t.FAILED, t.MAINTENANCE}:
            found["down"] = names.modes[
                int(core.lowered.tables.server_modes["mode"][down])
            ]
        return found

    def _unit(self, part: int) -> str:
        core = self._follower.core
        row = core.state.parts[part]
        product = core.lowered.names.products[int(row["product"])]
        return _name(Unit(product, int(row["serial"])))

    def _waiting(self) -> Items:
        """Return for each buffer who waits in it, the longest waiting first."""
        core = self._follower.core
        parts = core.state.parts
        rows = np.flatnonzero((parts["where"] == t.IN_QUEUE) & (parts["product"] >= 0))
        found: dict[int, list[str]] = {}
        for row in rows[np.argsort(parts["queued"][rows], kind="stable")].tolist():
            names = found.setdefault(int(parts["place"][row]), [])
            if len(names) < _MOST_WAITING:
                names.append(self._unit(row))
        buffers = range(len(core.state.buffers))
        return {f"waiting/{b}": found.get(b, []) for b in buffers}

    def _held(self) -> Items:
        """Return the stations that are held by hand, with who holds them and why."""
        return {
            f"held/{k}": {
                "by": about["by"],
                "why": about["why"],
                "since": self._stamp(about["at_us"]),
            }
            for k, about in self._follower.core.asked.holds.items()
        } or {"held/": None}

    def _doubtful(self) -> Items:
        """Return the jobs of which nobody knows whether they were done."""
        return {
            f"doubt/{job.id}": {
                "action": job.action,
                "units": [_name(unit) for unit in job.units],
                "device": job.id.rpartition("#")[0],
                "since": self._stamp(job.at_us),
            }
            for job in self._follower.core.jobs.values()
            if job.in_doubt
        } or {"doubt/": None}

    def _products(self) -> Items:
        state, since = self._follower.core.state, self._follower.spans.since
        rows, day = state.products, since.get("day")
        found: Items = {}
        for i, row in enumerate(rows):
            finished, scrapped = int(row["finished"]), int(row["scrapped"])
            found[f"product/{i}"] = {
                "wip": int(row["wip"]),
                "finished": finished,
                "scrapped": scrapped,
                "today": None if day is None else finished - int(day.finished[i]),
                "scrapped_today": None
                if day is None
                else scrapped - int(day.scrapped[i]),
            }
        return found

    def _due_orders(self) -> Items:
        """Return the orders; only those are made again that changed or came due."""
        core = self._follower.core
        orders, now_us = wanted(core), core.now_us
        late = (orders.due < now_us) & (orders.finished < 0)
        put_off = np.array(
            [any(row in core.asked.put_off for row in of) for of in orders.rows],
            np.int64,
        )
        columns = [orders.done, orders.scrapped, orders.finished * 2 + late]
        now = np.stack([*columns, put_off, orders.quantity])
        before = np.full(now.shape, -2, np.int64)
        before[:, : self._orders.shape[1]] = self._orders
        for i in np.flatnonzero((now != before).any(axis=0)).tolist():
            self._order_items[f"order/{i}"] = self._order(orders, i, bool(late[i]))
        self._orders = now
        for i in np.flatnonzero((orders.release > 0) & (orders.finished < 0)).tolist():
            item = self._order_items[f"order/{i}"]
            if item["state"] == "to come" and int(orders.release[i]) <= now_us:
                self._order_items[f"order/{i}"] = self._order(orders, i, bool(late[i]))
        return self._order_items

    def _order(self, orders: Wanted, i: int, is_late: bool) -> dict[str, Any]:
        core = self._follower.core
        finished = int(orders.finished[i])
        state = "open"
        put_off = {core.asked.put_off_as(row) for row in orders.rows[i]}
        if "held" in put_off:
            state = "held"
        elif put_off == {"cancelled"}:
            state = "cancelled"
        elif finished >= 0:
            state = "done late" if finished > int(orders.due[i]) else "done"
        elif is_late:
            state = "late"
        elif int(orders.release[i]) > core.now_us:
            state = "to come"
        return self._order_about(orders, i) | {
            "done": int(orders.done[i]),
            "scrapped": int(orders.scrapped[i]),
            "state": state,
            "finished": "" if finished < 0 else self._day(finished),
            "finished_us": finished,
        }

    def _happening(self, one: Happening) -> dict[str, Any]:
        unit = _name(Unit(one.product, one.serial)) if one.product else ""
        return {
            "at": self._stamp(one.at_us),
            "what": one.what,
            "unit": unit,
            "place": one.place,
        }

    def life(self, book: Genealogy, text: str) -> dict[str, Any]:
        """Return what became of a unit, what it is made of, and what it went into.

        Raises:
            JournalError: There is no such unit.
        """
        unit = book.unit(text)
        life = book.life(unit)
        made_of, went_into = book.made_of(unit), book.went_into(unit)
        return {
            "unit": _name(unit),
            "fate": made_of.fate,
            "life": [
                [self._stamp(s.at_us), s.what, s.operation, s.place, s.detail]
                for s in life[:_MOST_STEPS]
            ],
            "left_out": max(len(life) - _MOST_STEPS, 0),
            "measured": self._quality.measured(
                book.values(unit)[:_MOST_STEPS], unit.product
            ),
            "made_of": _below(made_of),
            "went_into": _below(went_into),
        }

    # ------------------------------------------------------------ times

    def _local(self, at_us: int) -> datetime:
        line = self._follower.line
        return to_local(at_us, line.start, line.time_zone)

    def _clock(self, at_us: int) -> dict[str, Any]:
        local = self._local(at_us)
        return {
            "at_us": at_us,
            "date": f"{local:%A} {local.day} {local:%B %Y}",
            "time": f"{local:%H:%M:%S}",
            "zone": local.tzname() or "",
        }

    def _day(self, at_us: int) -> str:
        local = self._local(at_us)
        return f"{local.day} {local:%b %H:%M}"

    def _stamp(self, at_us: int) -> str:
        """Return a time as it stands in a list, such as ``Mon 3 May 14:02``."""
        local = self._local(at_us)
        return f"{local:%a} {local.day} {local:%b %H:%M}"


def _name(unit: Unit) -> str:
    """Return a unit as one asks for it."""
    return f"{unit.product}:{unit.serial}"


def _below(tree: Tree) -> list[list[Any]]:
    """Return the units below a unit: how far, which, and what became of it."""
    rows = [[depth, _name(unit), fate] for depth, unit, fate in flat(tree) if depth]
    return rows[:_MOST_STEPS]


def _kpi(found: StationSpan) -> dict[str, Any]:
    """Return a station's figures; a share that cannot be is none, with the reason."""
    kpi = found.kpi
    why = ""
    if kpi.flags:
        why = "more work was begun in this span than was done in it"
    elif not found.completed:
        why = "no unit was completed in this span"
    shares = [found.shares[t.MODE_NAMES.index(state.key)] for state in STATES]
    return {
        "shares": [round(share, 3) for share in shares],
        "availability": _share(kpi.oee_availability),
        "effectiveness": None if why else _share(kpi.effectiveness),
        "quality": _share(kpi.quality_ratio),
        "oee": None if why else _share(kpi.oee),
        "completed": found.completed,
        "rejected": found.rejected,
        "why": why,
    }


def _share(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
