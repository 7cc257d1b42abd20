"""What a page needs to draw a schedule: columns of numbers, and the names they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["Asked", "Bar", "Lane", "Pool", "Schedule", "scene"]


class Bar(NamedTuple):
    """One operation on one server. Times are microseconds from the line's start.

    Attributes:
        order: Name of the order it is done for.
        part: Name of the part.
        operation: Name of the operation.
        station: Name of the station.
        server: Number of the server, from 0.
        begin_us: The server takes it; its setup begins.
        setup_us: How long the setup is.
        end_us: The work is over.
        leave_us: The server is rid of it.
    """

    order: str
    part: str
    operation: str
    station: str
    server: int
    begin_us: int
    setup_us: int
    end_us: int
    leave_us: int


class Lane(NamedTuple):
    """A station: its name, its servers, and the spans in which it is off."""

    name: str
    n_servers: int
    off_us: Sequence[tuple[int, int]] = ()


class Pool(NamedTuple):
    """People or tools: how many are busy, from each instant on."""

    name: str
    capacity: int
    busy: Sequence[tuple[int, int]]


class Asked(NamedTuple):
    """An order.

    Attributes:
        name: The order.
        product: What is asked for.
        quantity: Units.
        release_us: Not begun before.
        due_us: Asked for by then; None: no date.
        done_us: When it is done by the schedule; None: not within it.
        chance: Chance to be on time when the schedule is executed, with its interval,
            if that was simulated.
        why: Why it is late, in sentences.
    """

    name: str
    product: str
    quantity: int
    release_us: int
    due_us: int | None
    done_us: int | None
    chance: tuple[float, float, float] | None = None
    why: Sequence[str] = ()


class Schedule(NamedTuple):
    """A schedule, ready to be shown.

    Attributes:
        title: Name of the line.
        start: When the line starts, local time of the plant.
        time_zone: The plant's zone.
        lanes: Stations, in the order in which they are shown.
        bars: What is done when.
        orders: The orders.
        pools: People and tools.
        summary: Facts to stand at the top: label and text.
        notes: Sentences: what the schedule does not hold.
        stamp: Model, seed and version.
        choice: A sentence: how it was chosen among several; empty: it was not.
        happened: What was done really, beside what was planned.
        now_us: The present, if there is one.
    """

    title: str
    start: datetime
    time_zone: str
    lanes: Sequence[Lane]
    bars: Sequence[Bar]
    orders: Sequence[Asked]
    pools: Sequence[Pool] = ()
    summary: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    stamp: str = ""
    choice: str = ""
    happened: Sequence[Bar] = ()
    now_us: int | None = None


def scene(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as the page's scripts read it; times in milliseconds.

    Raises:
        ValueError: A bar lies at a station, server or order that there is not.
    """
    stations = {lane.name: row for row, lane in enumerate(schedule.lanes)}
    orders = {order.name: row for row, order in enumerate(schedule.orders)}
    _refuse(schedule, stations, orders)
    products = list(dict.fromkeys(order.product for order in schedule.orders))
    ends = [0, *(bar.leave_us for bar in (*schedule.bars, *schedule.happened))]
    ends += [o.due_us for o in schedule.orders if o.due_us is not None]
    begins = [bar.begin_us for bar in schedule.bars] or [0]
    names: dict[str, int] = {}
    return {
        "from": _ms(min(begins)),
        "until": _ms(max(ends)),
        "start": int(_utc(schedule).timestamp() * 1000),
        "offsets": list(_offsets(schedule, max(ends))),
        "zone": schedule.time_zone,
        "now": None if schedule.now_us is None else _ms(schedule.now_us),
        "lanes": [
            {
                "name": lane.name,
                "servers": lane.n_servers,
                "off": [[_ms(a), _ms(b)] for a, b in lane.off_us],
            }
            for lane in schedule.lanes
        ],
        "pools": [
            {
                "name": pool.name,
                "capacity": pool.capacity,
                "busy": [[_ms(at), n] for at, n in pool.busy],
            }
            for pool in schedule.pools
        ],
        "products": products,
        "orders": [
            {
                "name": order.name,
                "product": products.index(order.product),
                "quantity": order.quantity,
                "release": _ms(order.release_us),
                "due": None if order.due_us is None else _ms(order.due_us),
                "done": None if order.done_us is None else _ms(order.done_us),
                "chance": order.chance,
                "why": list(order.why),
            }
            for order in schedule.orders
        ],
        "planned": _columns(schedule.bars, stations, orders, names),
        "happened": _columns(schedule.happened, stations, orders, names),
        "names": list(names),
    }


def _columns(
    bars: Sequence[Bar],
    stations: dict[str, int],
    orders: dict[str, int],
    names: dict[str, int],
) -> dict[str, list[int]]:
    """Return the bars as columns; parts and operations are rows of `names`."""

    def row(name: str) -> int:
        return names.setdefault(name, len(names))

    return {
        "order": [orders[bar.order] for bar in bars],
        "part": [row(bar.part) for bar in bars],
        "operation": [row(bar.operation) for bar in bars],
        "station": [stations[bar.station] for bar in bars],
        "server": [bar.server for bar in bars],
        "begin": [_ms(bar.begin_us) for bar in bars],
        "setup": [_ms(bar.setup_us) for bar in bars],
        "end": [_ms(bar.end_us) for bar in bars],
        "leave": [_ms(bar.leave_us) for bar in bars],
    }


def _refuse(
    schedule: Schedule, stations: dict[str, int], orders: dict[str, int]
) -> None:
    wrong = []
    for bar in (*schedule.bars, *schedule.happened):
        row = stations.get(bar.station)
        if row is None or not 0 <= bar.server < schedule.lanes[row].n_servers:
            wrong.append(f"there is no server {bar.server + 1} of {bar.station}")
        if bar.order not in orders:
            wrong.append(f"there is no order {bar.order}")
        if not bar.begin_us <= bar.end_us <= bar.leave_us:
            wrong.append(f"{bar.operation} of {bar.part} ends before it begins")
    if wrong:
        raise ValueError("; ".join(dict.fromkeys(wrong[:20])))


def _ms(at_us: int) -> int:
    return round(at_us / 1000)


def _utc(schedule: Schedule) -> datetime:
    start = schedule.start
    if start.tzinfo is None:
        start = start.replace(tzinfo=ZoneInfo(schedule.time_zone))
    return start.astimezone(UTC)


def _offsets(schedule: Schedule, until_us: int) -> Iterator[tuple[int, int]]:
    """Yield from when on the plant's clocks are how far from UTC, in milliseconds."""
    zone, begun = ZoneInfo(schedule.time_zone), _utc(schedule)
    step = timedelta(hours=1)
    last = None
    for hour in range(-48, until_us // 3_600_000_000 + 24 * 32):
        offset = (begun + hour * step).astimezone(zone).utcoffset()
        assert offset is not None
        now = int(offset.total_seconds() * 1000)
        if now != last:
            yield hour * 3_600_000, now
            last = now
