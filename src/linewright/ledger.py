"""What a line uses and what it costs: energy by state, money by item.

Both follow from what a run counts anyway (server-time in each state, parts, setups,
time of people, units), times what the model says of each. An `Entry` is one such
product, with a value for each replication, of the time after the warm-up. Nothing is
shared out: a total is the sum of its entries, and a product is told of no time of
stations, people or energy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from linewright import tables as t
from linewright.lower import Lowered
from linewright.model.changes import absent_us
from linewright.model.line import Line, Power
from linewright.model.meaning import leaves_line, power_of
from linewright.replicate import Snapshot
from linewright.units import J_PER_KWH

__all__ = [
    "Counted",
    "Entry",
    "cost_columns",
    "costs",
    "energy_columns",
    "energy_used",
    "entity_measures",
    "line_measures",
]

Floats = npt.NDArray[np.float64]
Measure = tuple[str, str, str, Floats]  # name, entity, unit, a value for each run

HOUR_US = 3.6e9
DAY_US = 86.4e9


class Entry(NamedTuple):
    """What was used or spent for one purpose at one place.

    Attributes:
        kind: ``station``, ``pool`` or ``product``.
        entity: Its name.
        item: The state, or the key of the model, that says what for.
        amounts: kWh or money, for each replication.
    """

    kind: str
    entity: str
    item: str
    amounts: Floats


@dataclass(frozen=True, slots=True)
class Counted:
    """What replications counted between two instants of each."""

    line: Line
    lowered: Lowered
    first: Sequence[Snapshot]
    last: Sequence[Snapshot]

    def gained(self, kind: str, field: str) -> Floats:
        """Return what a running sum gained: (replication, row)."""
        pairs = zip(self.first, self.last, strict=True)
        steps = [getattr(b, kind)[field] - getattr(a, kind)[field] for a, b in pairs]
        return np.array(steps, np.float64)

    def server_us(self) -> Floats:
        """Return server-time in each state: (replication, station, state).

        That of servers which are not there, as changes of the line have it, is taken
        out of what is off shift.
        """
        pairs = list(zip(self.first, self.last, strict=True))
        found = np.array([b.accounts - a.accounts for a, b in pairs], np.float64)
        for k, name in enumerate(self.line.stations if self.line.changes else ()):
            away = [absent_us(self.line, name, a.at_us, b.at_us) for a, b in pairs]
            off_us = found[:, k, t.OFF_SHIFT] - away
            found[:, k, t.OFF_SHIFT] = np.maximum(off_us, 0.0)
        return found

    def shift_us(self, calendar: int) -> Floats:
        """Return the time on shift by a calendar; all the time if it is none (-1)."""
        pairs = zip(self.first, self.last, strict=True)
        return np.array(
            [_on_us(self.lowered, calendar, a.at_us, b.at_us) for a, b in pairs]
        )


def _on_us(lowered: Lowered, calendar: int, begin_us: int, end_us: int) -> float:
    if calendar < 0:
        return float(end_us - begin_us)
    rows = lowered.tables.calendars[calendar]
    ticks = lowered.tables.ticks[int(rows["first"]) :][: int(rows["n"])]
    edges = np.append(ticks["at"], end_us).clip(begin_us, end_us)
    return float(np.diff(edges)[ticks["mode"] == t.CALENDAR_ON].sum())


# ---------------------------------------------------------------- entries


def energy_used(counted: Counted) -> list[Entry]:
    """Return the kWh of each station: by state, and for parts, batches and setups."""
    found: list[Entry] = []
    server_us = counted.server_us()
    counts = {
        "per_part": counted.gained("stations", "completed"),
        "per_batch": counted.gained("stations", "batches"),
        "per_setup": counted.gained("stations", "setups"),
    }
    for k, (name, station) in enumerate(counted.line.stations.items()):
        if station.power:
            found += _by_state(name, station.power, server_us[:, k])
        kwh_of = {key: n[:, k] / J_PER_KWH for key, n in counts.items()}
        found += _priced("station", name, station.energy, kwh_of)
    return found


def _by_state(name: str, power: Power, server_us: Floats) -> Iterator[Entry]:
    """Yield the kWh of each state in which a station takes power."""
    for mode, state in enumerate(t.MODE_NAMES):
        if power_w := power_of(power, state):
            kwh = power_w * server_us[:, mode] / 1e6 / J_PER_KWH
            yield Entry("station", name, state, kwh)


def costs(counted: Counted, energy: Sequence[Entry]) -> list[Entry]:
    """Return the money that stations, with their energy, people and products cost."""
    return [
        *_station_costs(counted),
        *_energy_costs(counted.line, energy),
        *_pool_costs(counted),
        *_product_costs(counted),
    ]


def _priced(
    kind: str, entity: str, prices: BaseModel | None, amounts: Mapping[str, Floats]
) -> list[Entry]:
    """Return amounts times the prices that the model gives to them."""
    return [
        Entry(kind, entity, key, price * amount + 0.0)  # no minus zero
        for key, amount in amounts.items()
        if prices and (price := getattr(prices, key)) is not None
    ]


def _station_costs(counted: Counted) -> list[Entry]:
    found = []
    hours = counted.server_us() / HOUR_US
    whole = hours.sum(axis=2)
    amounts = {
        "per_calendar_hour": whole,
        "per_shift_hour": whole - hours[:, :, [t.BREAK, t.OFF_SHIFT]].sum(axis=2),
        "per_working_hour": hours[:, :, t.PROCESSING],
        "per_part": counted.gained("stations", "completed"),
        "per_batch": counted.gained("stations", "batches"),
        "per_setup": counted.gained("stations", "setups"),
        "per_repair": counted.gained("stations", "failures"),
    }
    for k, (name, station) in enumerate(counted.line.stations.items()):
        here = {key: amount[:, k] for key, amount in amounts.items()}
        found += _priced("station", name, station.cost, here)
    return found


def _energy_costs(line: Line, energy: Sequence[Entry]) -> list[Entry]:
    price = line.energy.price if line.energy else None
    if price is None:
        return []
    kwh: dict[str, Floats] = {}
    for entry in energy:
        kwh[entry.entity] = kwh.get(entry.entity, np.zeros(1)) + entry.amounts
    return [
        Entry("station", name, "energy", price * amounts)
        for name, amounts in kwh.items()
    ]


def _pool_costs(counted: Counted) -> list[Entry]:
    found = []
    busy = counted.gained("pools", "area_us") / HOUR_US
    for i, (name, pool) in enumerate(counted.line.people.items()):
        calendar = int(counted.lowered.tables.pools["calendar"][i])
        amounts = {
            "per_shift_hour": pool.count * counted.shift_us(calendar) / HOUR_US,
            "per_working_hour": busy[:, i],
        }
        found += _priced("pool", name, pool.cost, amounts)
    return found


def _product_costs(counted: Counted) -> list[Entry]:
    found = []
    entered = counted.gained("products", "entered")
    scrapped = counted.gained("products", "scrapped")
    part_days = counted.gained("products", "area_us") / DAY_US
    for i, (name, product) in enumerate(counted.line.products.items()):
        units = {
            "material": product.lot_size * entered[:, i],
            "scrap": product.lot_size * scrapped[:, i],
            "holding_per_day": product.lot_size * part_days[:, i],
        }
        found += _priced("product", name, product.cost, units)
    return found


# ---------------------------------------------------------------- tables


def energy_columns(entries: Sequence[Entry], good_units: Floats) -> dict[str, Any]:
    """Return the columns of the table `energy`, without the number of the run."""
    n = len(good_units)
    kwh = _flat(entries, n)
    return {
        "station": [entry.entity for entry in entries] * n,
        "use": [entry.item for entry in entries] * n,
        "kwh": kwh,
        "kwh_per_unit": _per(kwh, good_units.repeat(len(entries))),
    }


def cost_columns(entries: Sequence[Entry], good_units: Floats) -> dict[str, Any]:
    """Return the columns of the table `cost`, without the number of the run."""
    n = len(good_units)
    amount = _flat(entries, n)
    return {
        "kind": [entry.kind for entry in entries] * n,
        "entity": [entry.entity for entry in entries] * n,
        "item": [entry.item for entry in entries] * n,
        "amount": amount,
        "amount_per_unit": _per(amount, good_units.repeat(len(entries))),
    }


def _flat(entries: Sequence[Entry], n: int) -> Floats:
    """Return amounts as rows of a table, all entries of each replication together."""
    rows = [entry.amounts for entry in entries] or [np.zeros((n, 0)).T]
    return np.vstack(rows).T.ravel()


def _per(amounts: Floats, units: Floats) -> Floats:
    """Return amounts by the unit, nan where there is none."""
    out = np.full(amounts.shape, np.nan)
    np.divide(amounts, units, out=out, where=units > 0)
    return out


# ---------------------------------------------------------------- measures


def line_measures(
    line: Line, tables: Mapping[str, Any], hours: Floats
) -> list[Measure]:
    """Return energy, emissions, cost and margin of the whole line.

    Args:
        line: The line.
        tables: Tables of its result: `products`, `energy` and `cost`.
        hours: Time that each replication counted.

    Returns:
        Measures for which the model says enough; their entity is empty.
    """
    n = len(hours)
    finished = _by_run(tables["products"], "finished", n)
    leaves = np.array([leaves_line(line, name) for name in line.products])
    units = finished[:, leaves].sum(axis=1)
    found: dict[str, tuple[str, Floats]] = {}
    if len(tables["energy"]):
        kwh = _by_run(tables["energy"], "kwh", n).sum(axis=1)
        found["energy_kwh_per_unit"] = ("kWh/unit", _per(kwh, units))
        found["power_mean_kw"] = ("kW", _per(kwh, hours))
        if line.energy and line.energy.emissions is not None:
            co2_kg = line.energy.emissions * kwh
            found["emissions_kg_per_unit"] = ("kg/unit", _per(co2_kg, units))
    if len(tables["cost"]):
        money = line.currency or "money"
        spent = _by_run(tables["cost"], "amount", n).sum(axis=1)
        found["cost_per_unit"] = (f"{money}/unit", _per(spent, units))
        found["cost_per_h"] = (f"{money}/h", _per(spent, hours))
        prices = [product.price for product in line.products.values()]
        if any(price is not None for price in np.array(prices)[leaves]):
            sold = np.array([price or 0.0 for price in prices])[leaves]
            margin = finished[:, leaves] @ sold - spent
            found["margin_per_unit"] = (f"{money}/unit", _per(margin, units))
            found["margin_per_h"] = (f"{money}/h", _per(margin, hours))
    return [(measure, "", unit, values) for measure, (unit, values) in found.items()]


def entity_measures(
    line: Line, tables: Mapping[str, Any], hours: Floats
) -> list[Measure]:
    """Return energy and cost of each station, pool and product; as `line_measures`.

    Those of stations and pools are per good unit of the line, those of a product per
    good unit of its own.
    """
    n, money = len(hours), line.currency or "money"
    found: list[Measure] = []
    per_unit = _sums(tables["energy"], "station", "kwh_per_unit", n)
    for name, kwh in _sums(tables["energy"], "station", "kwh", n).items():
        found.append(("energy_kwh_per_unit", name, "kWh/unit", per_unit[name]))
        found.append(("power_mean_kw", name, "kW", _per(kwh, hours)))
    for kind in ("station", "pool"):
        each = _sums(tables["cost"], "entity", "amount_per_unit", n, kind)
        for name, cost in each.items():
            found.append((f"{kind}_cost_per_unit", name, f"{money}/unit", cost))
    finished = _by_run(tables["products"], "finished", n)
    own_units = dict(zip(line.products, finished.T, strict=True))
    for name, cost in _sums(tables["cost"], "entity", "amount", n, "product").items():
        own = _per(cost, own_units[name])
        found.append(("product_cost_per_unit", name, f"{money}/unit", own))
    return found


def _by_run(table: Any, column: str, n: int) -> Floats:
    """Return a column as (replication, row)."""
    values: Floats = table[column].to_numpy(zero_copy_only=False).astype(float)
    return values.reshape(n, -1)


def _sums(
    table: Any, key: str, column: str, n: int, kind: str = ""
) -> dict[str, Floats]:
    """Return the sums of a column for each replication, by name."""
    if not len(table):
        return {}
    values = _by_run(table, column, n)
    n_rows = values.shape[1]
    names = table[key].to_pylist()[:n_rows]
    kinds = table["kind"].to_pylist()[:n_rows] if kind else [kind] * n_rows
    found: dict[str, Floats] = {}
    for i, name in enumerate(names):
        if kinds[i] == kind:
            found[name] = found.get(name, np.zeros(n)) + values[:, i]
    return found
