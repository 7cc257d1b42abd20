"""Times and verdicts that a played machine draws for a job it was given.

A machine knows what its job order says and what it did before, not the state of the
line. So the numbers come from streams of their own, named by the device and the job: a
job takes the same time in every run with one seed, whenever it comes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any, Protocol

import numpy as np

from linewright import tables as t
from linewright.control.experience import Experience, ramp_share
from linewright.control.jobs import Devices, device_of
from linewright.control.measuring import Measuring
from linewright.control.named_streams import generator
from linewright.lower import Lowered
from linewright.model.distribution import KINDS
from linewright.model.line import Line

__all__ = ["Drawn", "cannot_play", "sample_us"]

_KINDS = tuple(KINDS)


def sample_us(  # noqa: C901, PLR0912 - one case for each kind of distribution
    tables: t.LineTables, dist: int, rng: np.random.Generator
) -> int:
    """Return a draw of a row of the distributions in whole microseconds."""
    row = tables.dists[dist]
    kind, a, b = _KINDS[int(row["kind"])], float(row["a"]), float(row["b"])
    c, d = float(row["c"]), float(row["d"])
    match kind:
        case "constant":
            x = a
        case "uniform":
            x = rng.uniform(a, b)
        case "triangular":
            x = rng.triangular(a, b, c) if c > a else a
        case "exponential":
            x = rng.exponential(a)
        case "erlang":
            x = rng.gamma(b, a / b)
        case "gamma":
            x = rng.gamma(1 / b**2, a * b**2) if b > 0 else a
        case "lognormal":
            s2 = math.log(1 + b * b)
            x = a * math.exp(math.sqrt(s2) * rng.standard_normal() - s2 / 2)
        case "normal":  # of a normal, what lies above zero
            while (x := rng.normal(a, b)) < 0:
                pass
        case "weibull":
            x = a * rng.weibull(b)
        case "beta" | "pert":  # a pert is laid out as the beta that it stands for
            x = a + (b - a) * rng.beta(c, d)
        case "hyperexponential":
            share = 0.5 * (1 + math.sqrt((b * b - 1) / (b * b + 1)))
            share = share if rng.random() < share else 1 - share
            x = rng.exponential(a / (2 * share))
        case _:
            first, n = int(row["first"]), int(row["n"])
            values = tables.data[first : first + n]
            if kind == "empirical":
                x = float(values[rng.integers(n)])
            else:
                upto = tables.data[first + n : first + 2 * n]
                place = int(np.searchsorted(upto, rng.random()))
                x = float(values[min(place, n - 1)])
    return round(x)


class Past(Protocol):
    """Work that was done; see `linewright.control.plant.Done`."""

    @property
    def job(self) -> str:
        """Its identity."""

    @property
    def command(self) -> dict[str, Any]:
        """What was commanded."""

    @property
    def outcomes(self) -> tuple[int, ...]:
        """Verdicts on its units."""


Measured = list[dict[str, float]] | None
"""What was measured at each unit of a job; None where nothing was."""


class Drawn:
    """What the jobs of a line take, and what becomes of units.

    Args:
        line: The line.
        lowered: The same, laid out.
        seed: Seed of all streams.
    """

    def __init__(self, line: Line, lowered: Lowered, seed: int) -> None:
        self._line, self._lowered, self._seed = line, lowered, seed
        self._stations = {name: k for k, name in enumerate(lowered.names.stations)}
        self._steps: dict[tuple[str, str], list[int]] = {}
        products = lowered.names.products
        for row, operation in enumerate(lowered.names.operations):
            product = products[int(lowered.tables.steps["product"][row])]
            self._steps.setdefault((product, operation), []).append(row)
        devices = Devices(lowered)
        self._modes = {
            devices.failure(row): int(lowered.tables.server_modes["mode"][row])
            for row in range(len(lowered.tables.server_modes))
        }
        self._stocks = {name: k for k, name in enumerate(lowered.names.stocks)}
        self._experience = Experience(lowered.tables)
        self._set_up: dict[str, str] = {}
        self._last: dict[tuple[str, int], tuple[str, int]] = {}
        self._bad: set[tuple[str, int]] = set()
        self._products = {name: i for i, name in enumerate(products)}
        self._measures = {of.row for of in lowered.quality if of.read}
        self._measuring = Measuring(lowered, seed) if lowered.quality else None
        self._loops: dict[tuple[str, int], int] = {}

    def stream(self, what: str, device: str, number: int) -> np.random.Generator:
        """Return the stream of a job, or of a failure by its count."""
        return generator(self._seed, what, device, number)

    def sample(self, dist: int, rng: np.random.Generator) -> int:
        """Return a draw of a row of the distributions, microseconds."""
        return sample_us(self._lowered.tables, dist, rng) if dist >= 0 else 0

    def remember(self, done: Iterable[Past]) -> None:
        """Take up what was set up, learned and made, from before a start."""
        for one in done:
            device, _ = device_of(one.job)
            station = device.partition("/")[0]
            if one.command["action"] in {"setup", "process", "unload"}:
                self._work_on(device, station, one.command)
            if one.command["action"] in {"process", "unload"}:
                self._remember_work(one, station)

    def _remember_work(self, one: Past, station: str) -> None:
        is_later = not self.is_finished_by(one.command["action"], station)
        units = zip(one.command["units"], one.outcomes, strict=True)
        for (product, serial), outcome in units:
            row = self._step(one.command, station, product)
            self._last[product, serial] = (station, row)
            if not is_later:
                self._judged((product, serial), row, outcome)
        if not is_later:
            self._learn(one.command, station, 0)

    def is_finished_by(self, action: str, station: str) -> bool:
        """Say whether work on units is finished by a job, or by the unloading later."""
        if action not in {"process", "unload"}:
            return False
        unload = self._lowered.tables.stations["unload"][self._stations[station]]
        return action == "unload" or bool(unload < 0)

    def check(self, device: str, command: dict[str, Any]) -> None:
        """Refuse what is no work of a device.

        Raises:
            ValueError: It is none, and why.
        """
        action = command["action"]
        try:
            if action == "repair":
                self._modes[device.removeprefix("repair of ")]
            elif action == "return":
                self._stocks[device.removeprefix("stock of ")]
            elif action == "move":
                [_, *_] = command["units"]
                known = {"way out", *(f"way to {name}" for name in self._stations)}
                _check_known(device, known)
            elif action in {"process", "setup", "load", "unload"}:
                station = device.partition("/")[0]
                _check_known(station, self._stations)
                self._step(command, station)
            else:
                msg = f'there is no work "{action}"'
                raise ValueError(msg)
        except (KeyError, ValueError) as error:
            job = command["job"]
            msg = f"{job} is no work of {device}: {str(error) or 'it has no units'}"
            raise ValueError(msg) from error

    def duration_us(
        self, device: str, number: int, command: dict[str, Any], now_us: int
    ) -> int:
        """Return how long a job takes its device, microseconds."""
        rng, tables = self.stream("time", device, number), self._lowered.tables
        action = command["action"]
        if action == "repair":
            mode = self._modes[device.removeprefix("repair of ")]
            return self.sample(int(tables.modes["repair"][mode]), rng)
        if action == "move":
            return self._move_us(device, command, rng)
        if action == "return":
            return self._return_us(device, rng)
        station = device.partition("/")[0]
        if action == "setup":
            return self._setup_us(station, device, command, rng)
        row = tables.stations[self._stations[station]]
        if action in {"load", "unload"}:
            return self.sample(int(row[action]), rng)
        return self._process_us(station, command, rng, now_us)

    def _return_us(self, device: str, rng: np.random.Generator) -> int:
        """Return how long something takes to be back in a stock, or to be delivered."""
        stock = self._lowered.tables.stocks[
            self._stocks[device.removeprefix("stock of ")]
        ]
        total = self.sample(int(stock["dist"]), rng)
        if rng.random() < float(stock["late_share"]):
            total += self.sample(int(stock["late"]), rng)
        return total

    def _step(
        self, command: dict[str, Any], station: str, product: str | None = None
    ) -> int:
        """Return the step that a job is about, at its station where there are more.

        In a mixed batch it is that of the first unit, where a product has none of its
        own with that name.
        """
        first = command["units"][0][0]
        rows = self._steps.get((product or first, command["operation"]))
        rows = rows or self._steps[first, command["operation"]]
        return next((row for row in rows if self._place(row, station) >= 0), rows[0])

    def _place(self, row: int, station: str) -> int:
        """Return the place of a station among the targets of a step, or -1."""
        tables = self._lowered.tables
        dest = tables.dests[int(tables.steps["dest"][row])]
        first = int(dest["first_target"])
        targets = tables.targets["station"][first : first + int(dest["n_targets"])]
        found = np.flatnonzero(targets == self._stations[station])
        return int(found[0]) if len(found) else -1

    def _work_dist(self, row: int, station: str) -> int:
        """Return the distribution of a step's work at a station."""
        tables = self._lowered.tables
        step = tables.steps[row]
        if int(step["only_station"]) >= 0:
            return int(step["only_dist"])
        place = int(step["first_work"]) + max(self._place(row, station), 0)
        return int(tables.work["dist"][place])

    def _process_us(
        self,
        station: str,
        command: dict[str, Any],
        rng: np.random.Generator,
        now_us: int,
    ) -> int:
        row = self._step(command, station)
        step = self._lowered.tables.steps[row]
        if int(step["times_stream"]) >= 0:
            scale = self._lowered.stream_scales[int(step["times_stream"])]
            return round(rng.exponential(float(scale)))
        if int(step["only_us"]) >= 0:
            return int(step["only_us"])
        n = int(step["per_unit"])
        if int(step["scaled"]):
            return self._scaled_us(station, command, rng, now_us)
        dist = self._work_dist(row, station)
        if n == 1:
            return self.sample(dist, rng)
        n_parts = len(command["units"]) if n < 0 else 1
        return sum(self.sample(dist, rng) for _ in range(abs(n) * n_parts))

    def _scaled_us(
        self,
        station: str,
        command: dict[str, Any],
        rng: np.random.Generator,
        now_us: int,
    ) -> int:
        """Return the time of work that is learned, or at a station that ramps up."""
        tables, total = self._lowered.tables, 0.0
        row = self._step(command, station)
        step = tables.steps[row]
        dist, curve = self._work_dist(row, station), int(step["curve"])
        lot = int(step["per_unit"])
        is_whole = int(step["batch_group"]) >= 0 and lot > 0
        n_parts = 1 if is_whole else len(command["units"])
        for ahead in range(abs(lot) * n_parts):
            share = self._experience.share(curve, ahead, now_us) if curve >= 0 else 1.0
            total += self.sample(dist, rng) * share
        speed = int(tables.stations["speed"][self._stations[station]])
        return round(total / max(ramp_share(tables, speed, now_us), 1e-9))

    def _learn(self, command: dict[str, Any], station: str, now_us: int) -> None:
        """Count what was done as experience, where the operation is learned."""
        step = self._lowered.tables.steps[self._step(command, station)]
        if int(step["curve"]) >= 0:
            n = max(abs(int(step["per_unit"])), 1) * len(command["units"])
            self._experience.learn(int(step["curve"]), n, now_us)

    def _move_us(
        self, device: str, command: dict[str, Any], rng: np.random.Generator
    ) -> int:
        tables, total = self._lowered.tables, 0
        [product, serial], *_ = command["units"]
        came, left = self._last.get((product, serial), ("", -1))
        if left >= 0:
            total += self.sample(int(tables.steps["rest"][left]), rng)
        station = device.removeprefix("way to ")
        if station not in self._stations:
            return total
        step = tables.steps[self._step(command, station)]
        dist = int(step["transport"])
        if dist < 0 and came:
            origin = tables.stations[self._stations[came]]
            first = int(origin["first_transport"])
            for way in tables.transports[first : first + int(origin["n_transports"])]:
                if int(way["to"]) == self._stations[station]:
                    dist = int(way["dist"])
        return total + self.sample(dist, rng)

    def _setup_us(
        self,
        station: str,
        device: str,
        command: dict[str, Any],
        rng: np.random.Generator,
    ) -> int:
        """Return the time of the change; the tables have it by what was set up last."""
        tables, names = self._lowered.tables, self._lowered.names
        n = int(tables.settings[t.S_N_FAMILIES] + tables.settings[t.S_N_PRODUCTS])
        [product, _], *_ = command["units"]
        wanted = self._kind(station, product)
        kinds = (*names.families, *names.products)
        before = self._set_up.get(device)
        row = n if before is None else kinds.index(before)
        self._set_up[device] = wanted
        first = int(tables.stations["setup_first"][self._stations[station]])
        dist = int(tables.setups[first + row * n + kinds.index(wanted)])
        return self.sample(dist, rng)

    def _kind(self, station: str, product: str) -> str:
        """Return what a setup is for: the product or its family."""
        setup = self._line.stations[station].setup
        if setup is not None and setup.by == "family":
            family: str | None = self._line.products[product].family
            return family or product
        return product

    def ended(
        self, device: str, number: int, command: dict[str, Any], now_us: int
    ) -> tuple[tuple[int, ...], Measured]:
        """Return the verdict on each unit of a job that ends now, and remember it.

        With it comes what was measured at each of them, if the operation measures.
        """
        action, station = command["action"], device.partition("/")[0]
        if action not in {"process", "unload"}:
            return (), None
        self._work_on(device, station, command)
        found: list[int] = []
        measured: list[dict[str, float]] = []
        is_later = not self.is_finished_by(action, station)
        rng = self.stream("verdict", device, number)
        for product, serial in command["units"]:
            unit = (product, serial)
            row = self._step(command, station, product)
            self._last[unit] = (station, row)
            share = self._good_share(station, now_us)
            if is_later:
                found.append(t.PASS)
                continue
            outcome = self._verdict(row, unit, rng, share)
            found.append(outcome)
            measured.append(self._read(row, unit, outcome))
            self._judged(unit, row, outcome)
        if not is_later:
            self._learn(command, station, now_us)
        return tuple(found), measured if any(measured) else None

    def _read(self, row: int, unit: tuple[str, int], outcome: int) -> dict[str, float]:
        """Return what is measured at a unit; see `measuring`."""
        if self._measuring is None or row not in self._measures:
            return {}
        whose, loops = (self._products[unit[0]], unit[1]), self._loops.get(unit, 0)
        return self._measuring.read(whose, row, loops, outcome)

    def _work_on(self, device: str, station: str, command: dict[str, Any]) -> None:
        """Know what a device is set up for, whether or not that took a setup."""
        [product, _], *_ = command["units"]
        self._set_up[device] = self._kind(station, product)

    def _good_share(self, station: str, now_us: int) -> float:
        """Return the share of its yield that a station has reached."""
        tables = self._lowered.tables
        curve = int(tables.stations["good"][self._stations[station]])
        return ramp_share(tables, curve, now_us)

    def _verdict(
        self, row: int, unit: tuple[str, int], rng: np.random.Generator, share: float
    ) -> int:
        """Draw a verdict; see `linewright.kernel.run.verdict`, which has the rules."""
        step = self._lowered.tables.steps[row]
        is_bad, out = unit in self._bad, t.PASS
        defect, good = float(step["defect"]), float(step["good"])
        if int(step["scaled_good"]):
            good *= share
        else:
            defect = 1 - (1 - defect) * share
        is_bad |= rng.random() < defect
        if int(step["inspected"]) == _REJECTS:
            is_bad |= rng.random() > good
            wrong = step["false_accept"] if is_bad else step["false_reject"]
            if is_bad != (rng.random() < float(wrong)):
                is_rework = rng.random() < float(step["rework_share"])
                out = t.REWORK if is_rework else t.SCRAP
        return out | (t.BAD if is_bad else 0)

    def _judged(self, unit: tuple[str, int], row: int, outcome: int) -> None:
        """Remember a unit that is bad and was not found to be, and its values."""
        if self._measuring is not None:
            loops = self._loops.get(unit, 0)
            product, serial = self._products[unit[0]], unit[1]
            self._measuring.follow(
                (t.T_VERDICT, -1, product, serial, row, outcome, loops)
            )
            if outcome & 3 == t.REWORK:
                self._loops[unit] = loops + 1
        self._bad.discard(unit)
        if outcome & t.BAD and outcome & 3 == t.PASS:
            self._bad.add(unit)


_REJECTS = 2


def cannot_play(line: Line, lowered: Lowered) -> list[str]:
    """Return what of a line played machines cannot do yet, all of it."""
    tables, names = lowered.tables, lowered.names
    modes = tables.modes
    dated = modes["planned"] >= t.AWAY
    wearing = (modes["steps"] > 1) | (modes["worn"] >= 0)
    return [
        *_each("vehicles", names.fleets),
        *_each("people who walk", _where(names.pools, tables.pools["walk"] >= 0)),
        *_each(
            "arrivals",
            _where(names.products, tables.products["kind"] == t.ARRIVALS),
        ),
        *_each("conveyors", [k for k, s in line.stations.items() if s.conveyor]),
        *_each(
            "setups by operation",
            [
                name
                for name, station in line.stations.items()
                if station.setup is not None and station.setup.by == "operation"
            ],
        ),
        *_each(
            "work that goes on inside",
            _where(names.operations, tables.steps["cascade"] >= 0),
        ),
        *_each("dated changes", _where(names.modes, dated)),
        *_each("wear", _where(names.modes, wearing)),
    ]


def _check_known(name: str, known: Collection[str]) -> None:
    """Refuse a name that is not known.

    Raises:
        ValueError: It is not.
    """
    if name not in known:
        msg = f'there is no "{name}"'
        raise ValueError(msg)


def _where(names: Iterable[str], holds: Any) -> list[str]:
    return sorted({name for name, one in zip(names, holds, strict=False) if one})


def _each(what: str, names: Iterable[str]) -> list[str]:
    found = list(names)
    return [f"{what}: {', '.join(found)}"] if found else []
