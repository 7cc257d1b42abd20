"""What happened, with names and units: tables, measures with intervals, a folder.

A result holds one tidy table for each kind of thing, a row for each replication and
thing; `summary` holds every measure with its interval over replications, or by batch
means of the only one. A saved result is a folder: `manifest.json`, `model.json` and one
Parquet file a table, with the units of the columns in the files' metadata.
"""

from __future__ import annotations

import html
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from linewright import ledger
from linewright import tables as t
from linewright.errors import ResultError
from linewright.experiment import Experiment
from linewright.lower import Lowered
from linewright.model.line import Line
from linewright.model.load import dumps, loads, model_hash
from linewright.model.meaning import leaves_line
from linewright.own_rules import given_names
from linewright.replicate import VEHICLE_TIMES, Replication, Snapshot
from linewright.stats import sketch
from linewright.stats.intervals import (
    MOST_BATCHES,
    Interval,
    LongRun,
    long_run,
    mean_interval,
)
from linewright.stats.oee import oee
from linewright.version import __version__

__all__ = [
    "COLUMNS",
    "RESULT_SCHEMA_VERSION",
    "Result",
    "build_result",
    "write_folder",
]

RESULT_SCHEMA_VERSION = 1

COLUMNS: dict[str, dict[str, str]] = {
    "summary": {
        "measure": "name of the measure",
        "entity": "product, station, pool or buffer; empty for the whole line",
        "unit": "unit of the values",
        "mean": "mean over replications",
        "half_width": "half-width of the Student-t interval; nan if there is none",
        "low": "lower end of the interval",
        "high": "upper end of the interval",
        "n": "replications with a value",
        "batches": "batches of one run that the interval stands on; 0 if it does not",
        "no_interval": "why there is no interval; empty if there is one",
    },
    "products": {
        "replication": "number from 0",
        "product": "name",
        "released": "units made available, waiting outside included",
        "finished": "good units at the end of their routing",
        "scrapped": "units scrapped",
        "reworked": "times that a unit was sent back",
        "lost": "arrivals lost at a full first buffer",
        "escaped": "bad units that passed as good, counted in finished",
        "used": "units built into others",
        "bought": "bought components consumed",
        "wip_start": "parts in the line at the end of the warm-up",
        "wip_end": "parts in the line at the end",
        "wip_mean": "time average of the parts in the line, stores included",
        "flow_mean_s": "mean time from entry to the end of the routing, seconds",
        "first_pass_yield": "share of finished and scrapped units good the first time",
        "due": "finished units that had a due date",
        "on_time": "those of them that were finished by it",
        "tardiness_mean_s": "mean lateness above zero of those, seconds",
    },
    "stations": {
        "replication": "number from 0",
        "station": "name",
        **dict.fromkeys(t.MODE_NAMES, "server-time in this state, microseconds"),
        "started": "parts started",
        "completed": "parts completed, whatever the verdict",
        "rejected": "parts whose verdict here was rework or scrap",
        "planned_us": "mean processing time of the parts completed, as learned by "
        "then, microseconds",
        "failures": "failures and planned maintenance begun",
        "setups": "setups begun",
        "wait_mean_s": "mean wait in its queue of all parts started, seconds",
        "batches": "batches begun, where parts are worked on together",
        "late": "parts that came later than a time limit allows",
    },
    "people": {
        "replication": "number from 0",
        "pool": "name",
        "count": "how many there are",
        "busy_mean": "time average of those at work, or on their way to it",
        "walking_mean": "time average of those of them who are on their way",
        "asked": "times that somebody was asked for; where several pools have the "
        "skill: that people of this one came at once, or, of the first, did not",
        "waited": "times that nobody was free at once",
        "wait_mean_s": "mean wait for them, of all times asked, seconds",
    },
    "stocks": {
        "replication": "number from 0",
        "stock": "name of a tool, loop or material; of a station's failure: its spares",
        "kind": "tool (or card of a loop), spare or material",
        "count": "how many there were at the start",
        "free_mean": "time average of those that are free",
        "none_share": "share of time in which none was",
        "taken": "how many were taken",
        "waited": "repairs that waited for a spare; setups, repairs and maintenance "
        "that waited for the tool",
        "wait_mean_s": "mean wait of those that had to, seconds",
    },
    "vehicles": {
        "replication": "number from 0",
        "fleet": "name",
        "count": "how many vehicles there are",
        "idle_share": "share of their time in which they stood and waited",
        "coming_share": "share in which they drove empty to a part, and loaded it",
        "carrying_share": "share in which they carried a part, and unloaded it",
        "charging_share": "share in which they charged",
        "trips": "parts put down",
        "charges": "times that one began to charge",
        "calls": "parts that called a vehicle",
        "waited": "parts for which none was free at once",
        "wait_mean_s": "mean time until one set out to them, of all calls, seconds",
    },
    "energy": {
        "replication": "number from 0",
        "station": "name",
        "use": "state of its servers; or `per_part`, `per_batch`, `per_setup`",
        "kwh": "energy taken, kWh",
        "kwh_per_unit": "the same per good unit that left the line; nan if none",
    },
    "cost": {
        "replication": "number from 0",
        "kind": "`station`, `pool` or `product`",
        "entity": "its name",
        "item": "`energy`, or the key of the model that says what it costs",
        "amount": "money, in the currency of the line",
        "amount_per_unit": "the same per good unit that left the line; nan if none",
    },
    "buffers": {
        "replication": "number from 0",
        "buffer": "name; a station's own input buffer has the station's name",
        "slots": "places, -1 for unlimited",
        "level_mean": "time average of the parts in it",
        "level_max": "most parts in it since time 0",
        "wait_mean_s": "mean stay, seconds",
        "entered": "parts that entered",
        "left": "parts that left",
    },
    "orders": {
        "replication": "number from 0",
        "order": "id",
        "product": "name",
        "quantity": "units asked for",
        "release_us": "release, microseconds from the start",
        "due_us": "due date, microseconds from the start, -1 for none",
        "finished_us": "last unit finished, microseconds from the start, -1 if not",
        "tardiness_s": "lateness above zero, seconds; up to the end if unfinished",
    },
    "periods": {
        "replication": "number from 0",
        "period": "number from 0",
        "start_us": "begin, microseconds from the start",
        "end_us": "end, microseconds from the start",
        "measure": "finished (units), wip (time average) or level (time average)",
        "entity": "product or buffer; empty for the whole line",
        "value": "the value",
    },
    "flow": {
        "product": "name",
        "low_s": "lower bound of the bucket, seconds",
        "high_s": "upper bound of the bucket, seconds",
        "count": "parts of all replications, after the warm-up",
    },
    "gantt": {
        "station": "name",
        "server": "number from 0",
        "state": "what the server did",
        "product": "product of the part on it, empty for none",
        "part": "number of the part, -1 for none",
        "start_us": "begin, microseconds from the start",
        "end_us": "end, microseconds from the start",
    },
    "checks": {
        "replication": "number from 0",
        "law": "the law",
        "entity": "what it was held against",
        "expected": "one side, in parts or part-microseconds",
        "found": "the other side",
        "ok": "whether they are equal",
    },
}
"""Columns of every table and what they mean; part of the documentation."""

_SHOWN_PERIODS = 100
_TERMINATING = "one replication of a terminating study"
_NO_SERIES = "one replication, and batch means are of throughput, WIP and levels only"
_LATER_TABLES = ("people", "stocks", "vehicles", "energy", "cost")
_ONE_VALUE = "one replication has a value"


@dataclass(frozen=True)
class Result:
    """What a simulation found.

    Attributes:
        manifest: Model name and hash, version, seed, horizon, warm-up and the like.
        line: The line that was simulated.
        tables: The tables of `COLUMNS` by name.
    """

    manifest: dict[str, Any]
    line: Line
    tables: dict[str, pa.Table]

    # ------------------------------------------------------------ measures

    def measure(self, name: str) -> dict[str, Interval]:
        """Return a measure's intervals by entity, such as ``flow_mean_s``.

        Raises:
            KeyError: There is no measure of this name.
        """
        rows = self.tables["summary"].to_pylist()
        found = {
            row["entity"]: Interval(
                row["mean"],
                row["half_width"],
                row["low"],
                row["high"],
                row.get("batches") or row["n"],
                self.manifest["confidence"],
            )
            for row in rows
            if row["measure"] == name
        }
        if not found:
            known = sorted({row["measure"] for row in rows})
            msg = f'no measure "{name}"; there are {", ".join(known)}'
            raise KeyError(msg)
        return found

    @property
    def throughput(self) -> dict[str, Interval]:
        """Good units an hour that left the line, by product."""
        return self.measure("throughput_per_h")

    @property
    def flow_time(self) -> dict[str, Interval]:
        """Mean flow time in seconds, by product."""
        return self.measure("flow_mean_s")

    @property
    def wip(self) -> dict[str, Interval]:
        """Time average of the parts in the line, by product and in all (empty name)."""
        return self.measure("wip_mean")

    @property
    def utilization(self) -> dict[str, Interval]:
        """Share of the time on shift that is processing, by station."""
        return self.measure("utilization")

    @property
    def failed_checks(self) -> list[dict[str, Any]]:
        """Rows of `checks` in which a law is broken; empty in a sound run."""
        return [row for row in self.tables["checks"].to_pylist() if not row["ok"]]

    def table(self, name: str) -> pa.Table:
        """Return a table; its columns are described in `COLUMNS`."""
        if name not in self.tables:
            msg = f'no table "{name}"; there are {", ".join(self.tables)}'
            raise KeyError(msg)
        return self.tables[name]

    def to_pandas(self, name: str) -> Any:
        """Return a table as a pandas data frame; needs the extra ``pandas``."""
        return self.table(name).to_pandas()

    def to_polars(self, name: str) -> Any:
        """Return a table as a Polars data frame; needs the extra ``polars``."""
        import polars  # noqa: PLC0415 - an extra

        return polars.from_arrow(self.table(name))

    # ------------------------------------------------------------ folder

    def save(self, folder: str | Path) -> Path:
        """Write the result as a folder; an older result there is replaced as a whole.

        Raises:
            ResultError: The folder holds something that is not a result.
        """
        return write_folder(folder, self.manifest, self.line, self.tables)

    @classmethod
    def load(cls, folder: str | Path) -> Result:
        """Read a result folder.

        Raises:
            ResultError: It is no result, or one of a version this release cannot read.
        """
        folder = Path(folder)
        try:
            manifest = json.loads(
                (folder / "manifest.json").read_text(encoding="utf-8")
            )
            if manifest.get("kind", "result") != "result":
                msg = f"{folder} is a {manifest['kind']}, and not a simulation's result"
                raise ResultError(msg)
            version = manifest["result_schema_version"]
            if version != RESULT_SCHEMA_VERSION:
                msg = (
                    f"{folder} has result_schema_version {version}; this release reads "
                    f"{RESULT_SCHEMA_VERSION}"
                )
                raise ResultError(msg)
            line = loads(
                (folder / "model.json").read_text(encoding="utf-8"),
                file=str(folder / "model.json"),
                folder=folder,
            )
            read = {name: _read_table(folder, name) for name in COLUMNS}
        except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
            msg = f"{folder} is not a result folder: {error}"
            raise ResultError(msg) from error
        return cls(manifest, line, read)

    # ------------------------------------------------------------ display

    def _repr_html_(self) -> str:
        """Return a small table for a notebook."""
        m = self.manifest
        n = m["replications"]
        head = (
            f"<b>{html.escape(m['model_name'])}</b>: {n} replication{'s' * (n != 1)}, "
            f"seed {m['seed']}, model {m['model_hash'][:12]}"
        )
        if m.get("interval_method") == "batch_means":
            head += "; intervals by batch means of this run"
        rows = []
        for name in ("throughput_per_h", "flow_mean_s", "wip_mean"):
            for entity, interval in self.measure(name).items():
                rows.append(
                    f"<tr><td>{name}</td><td>{html.escape(entity or 'line')}</td>"
                    f"<td>{interval}</td></tr>"
                )
        warn = "<p><b>A self-check failed.</b></p>" if self.failed_checks else ""
        return f"<div>{head}{warn}<table>{''.join(rows)}</table></div>"

    def __repr__(self) -> str:
        """Return a line of what it is."""
        parts = [f"{k or 'line'} {v}/h" for k, v in self.throughput.items()]
        return f"<Result of {self.manifest['model_name']}: {', '.join(parts)}>"


def write_folder(
    folder: str | Path,
    manifest: Mapping[str, Any],
    line: Line,
    tables: Mapping[str, pa.Table],
) -> Path:
    """Write a manifest, a model and tables as a folder, whole or not at all.

    An older folder with a manifest is replaced as a whole.

    Raises:
        ResultError: The folder holds something that is not a result.
    """
    folder = Path(folder)
    if _is_something_else(folder):
        msg = f"{folder} exists and is not a result; choose another name"
        raise ResultError(msg)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, table in tables.items():
            pq.write_table(table, fresh / f"{name}.parquet")
        (fresh / "model.json").write_text(dumps(line), encoding="utf-8")
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        (fresh / "manifest.json").write_text(text + "\n", encoding="utf-8")
        fresh.chmod(0o777 & ~_umask())
        _swap(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _read_table(folder: Path, name: str) -> pa.Table:
    """Return a table of a result; some came with a later release than the others."""
    path = folder / f"{name}.parquet"
    if name in _LATER_TABLES and not path.exists():
        return _table(name, {column: [] for column in COLUMNS[name]})
    return _brought_up_to_date(name, pq.read_table(path))


def _brought_up_to_date(name: str, table: pa.Table) -> pa.Table:
    """Give a table of an earlier release the columns that it had not: none, or 0.

    They count what that release could not say, so there was none of it.
    """
    for column in COLUMNS[name]:
        grown = {"products", "stations", "people"}
        if column not in table.column_names and name in grown:
            is_whole = not column.endswith(("_s", "_mean"))
            kind = pa.int64() if is_whole else pa.float64()
            value = np.full(len(table), np.nan if column.endswith("_s") else 0)
            table = table.append_column(column, pa.array(value, kind))
    return table


def _is_something_else(folder: Path) -> bool:
    """Say whether a path is taken by anything but a result or an empty folder."""
    if not folder.exists() or (folder / "manifest.json").is_file():
        return False
    return not folder.is_dir() or any(folder.iterdir())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _swap(fresh: Path, folder: Path) -> None:
    """Put a fresh folder in the place of an old one."""
    if not folder.exists():
        fresh.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(old / "old")
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


# ---------------------------------------------------------------- building


def build_result(
    line: Line,
    lowered: Lowered,
    experiment: Experiment,
    done: list[Replication],
    warmup: tuple[int, str],
    stopped_early: bool,
) -> Result:
    """Return the result of replications, cut at the warm-up."""
    row, reason = warmup
    first = [r.snapshots[row] for r in done]
    last = [r.snapshots[-1] for r in done]
    build = _Tables(line, lowered, done, first, last)
    tables = {
        "products": build.products(),
        "stations": build.stations(),
        "people": build.people(),
        "stocks": build.stocks(),
        "vehicles": build.vehicles(),
        **build.energy_and_cost(),
        "buffers": build.buffers(),
        "orders": build.orders(),
        "periods": build.periods(),
        "flow": build.flow(),
        "gantt": _empty("gantt"),
        "checks": build.checks(),
    }
    tables["summary"] = build.summary(tables, experiment)
    method, batch_us = build.method(tables["summary"])
    standing = sorted(
        (r for r in done if r.status == t.STANDSTILL), key=lambda r: r.number
    )
    reason_of_standstill = ""
    if standing:
        from linewright.why import describe_standstill  # noqa: PLC0415 - rarely needed

        reason_of_standstill = describe_standstill(lowered, standing[0].state, line)
    manifest = {
        "result_schema_version": RESULT_SCHEMA_VERSION,
        "linewright_version": __version__,
        "model_name": line.name,
        "description": line.description,
        "model_hash": model_hash(line),
        "seed": experiment.seed,
        "replications": len(done),
        "replications_asked": experiment.replications,
        "horizon_us": experiment.horizon_us,
        "from_us": int(done[0].state.clock["origin"][0]),
        "warmup_us": int(first[0].at_us - done[0].state.clock["origin"][0]),
        "warmup_reason": reason,
        "study": experiment.study,
        "precision": experiment.precision,
        "confidence": experiment.confidence,
        "interval_method": method,
        "batch_us": batch_us,
        "units": experiment.units,
        "start": line.start.isoformat(),
        "time_zone": line.time_zone,
        "stages": list(line.stages),
        "rules_given": given_names(lowered),
        "events": sum(r.events for r in done),
        "stopped_early": stopped_early,
        "standstill": [r.number for r in standing],
        "standstill_reason": reason_of_standstill,
    }
    ordered = {name: tables[name] for name in COLUMNS}
    return Result(manifest, line, ordered)


def _empty(name: str) -> pa.Table:
    kinds = {"station": pa.string(), "state": pa.string(), "product": pa.string()}
    columns = {c: pa.array([], kinds.get(c, pa.int64())) for c in COLUMNS[name]}
    return _table(name, columns)


def _table(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """Return a table whose columns carry their meaning."""
    arrays = {c: pa.array(columns[c]) for c in COLUMNS[name]}
    fields = [
        pa.field(c, array.type, metadata={"description": COLUMNS[name][c]})
        for c, array in arrays.items()
    ]
    schema = pa.schema(fields, metadata={"table": name})
    return pa.Table.from_arrays(list(arrays.values()), schema=schema)


@dataclass
class _Tables:
    """The tables of a result, built from the sums at two instants."""

    line: Line
    lowered: Lowered
    done: list[Replication]
    first: list[Snapshot]
    last: list[Snapshot]

    def _pairs(self) -> Iterable[tuple[int, Snapshot, Snapshot]]:
        return zip((r.number for r in self.done), self.first, self.last, strict=True)

    def _spread(self, names: tuple[str, ...]) -> dict[str, Any]:
        n = len(self.done)
        return {
            "replication": np.repeat([r.number for r in self.done], len(names)),
            "name": list(names) * n,
        }

    def _delta(self, kind: str, field: str) -> t.Ints:
        """Return what a running sum gained between the instants, flat."""
        return np.concatenate(
            [
                getattr(b, kind)[field] - getattr(a, kind)[field]
                for _, a, b in self._pairs()
            ]
        )

    def _end(self, kind: str, field: str, which: list[Snapshot]) -> t.Ints:
        return np.concatenate([getattr(snap, kind)[field] for snap in which])

    def _span_us(self, n: int) -> t.Ints:
        return np.repeat([b.at_us - a.at_us for _, a, b in self._pairs()], n)

    def products(self) -> pa.Table:
        names = self.lowered.names.products
        lots = np.tile(self.lowered.tables.products["lot"], len(self.done))
        spread = self._spread(names)
        finished = self._delta("products", "finished")
        scrapped = self._delta("products", "scrapped") * lots
        return _table(
            "products",
            {
                "replication": spread["replication"],
                "product": spread["name"],
                "released": self._delta("products", "made"),
                "finished": finished,
                "scrapped": scrapped,
                "reworked": self._delta("products", "reworked"),
                "lost": self._delta("products", "lost"),
                "escaped": self._delta("products", "escaped"),
                "used": self._delta("products", "used"),
                "bought": self._bought(),
                "wip_start": self._end("products", "wip", self.first),
                "wip_end": self._end("products", "wip", self.last),
                "wip_mean": _ratio(
                    self._delta("products", "area_us"), self._span_us(len(names))
                ),
                "flow_mean_s": _ratio(
                    self._delta("products", "flow_us"),
                    self._delta("products", "flow_count"),
                )
                / 1e6,
                "first_pass_yield": _ratio(
                    self._delta("products", "first_pass"), finished + scrapped
                ),
                "due": self._delta("products", "due"),
                "on_time": self._delta("products", "on_time"),
                "tardiness_mean_s": _ratio(
                    self._delta("products", "tardy_us"), self._delta("products", "due")
                )
                / 1e6,
            },
        )

    def _bought(self) -> t.Ints:
        """Return bought components consumed, counted by the product they go into."""
        per_unit = [
            sum(item.quantity for item in product.bom.values() if item.bought)
            for product in self.line.products.values()
        ]
        lots = self.lowered.tables.products["lot"]
        entered = self._delta("products", "entered")
        return np.asarray(entered * np.tile(lots * per_unit, len(self.done)))

    def stations(self) -> pa.Table:
        names = self.lowered.names.stations
        spread = self._spread(names)
        times = np.concatenate([b.accounts - a.accounts for _, a, b in self._pairs()])
        columns = {
            "replication": spread["replication"],
            "station": spread["name"],
            **{mode: times[:, i] for i, mode in enumerate(t.MODE_NAMES)},
            **{
                field: self._delta("stations", field)
                for field in (
                    "started",
                    "completed",
                    "rejected",
                    "planned_us",
                    "failures",
                    "setups",
                    "batches",
                    "late",
                )
            },
            "wait_mean_s": _ratio(
                self._delta("stations", "wait_us"), self._delta("stations", "started")
            )
            / 1e6,
        }
        return _table("stations", columns)

    def people(self) -> pa.Table:
        names = self.lowered.names.pools
        spread = self._spread(names)
        asked = self._delta("pools", "asked")
        return _table(
            "people",
            {
                "replication": spread["replication"],
                "pool": pa.array(spread["name"], pa.string()),
                "count": np.tile(self.lowered.tables.pools["count"], len(self.done)),
                "busy_mean": _ratio(
                    self._delta("pools", "area_us"), self._span_us(len(names))
                ),
                "walking_mean": _ratio(
                    self._delta("pools", "walk_us"), self._span_us(len(names))
                ),
                "asked": asked,
                "waited": self._delta("pools", "waited"),
                "wait_mean_s": _ratio(self._delta("pools", "wait_us"), asked) / 1e6,
            },
        )

    def stocks(self) -> pa.Table:
        names = self.lowered.names.stocks
        spread = self._spread(names)
        rows = self.lowered.tables.stocks
        kinds = ("tool", "spare", "material")
        n = len(self.done)
        waited = self._delta("stocks", "waited")
        return _table(
            "stocks",
            {
                "replication": spread["replication"],
                "stock": pa.array(spread["name"], pa.string()),
                "kind": pa.array([kinds[k] for k in rows["kind"]] * n, pa.string()),
                "count": np.tile(rows["initial"], n),
                "free_mean": _ratio(
                    self._delta("stocks", "area_us"), self._span_us(len(names))
                ),
                "none_share": _ratio(
                    self._delta("stocks", "none_us"), self._span_us(len(names))
                ),
                "taken": self._delta("stocks", "taken"),
                "waited": waited,
                "wait_mean_s": _ratio(self._delta("stocks", "wait_us"), waited) / 1e6,
            },
        )

    def vehicles(self) -> pa.Table:
        names = self.lowered.names.fleets
        spread = self._spread(names)
        count = np.tile(self.lowered.tables.fleets["n_vehicles"], len(self.done))
        time_us = self._span_us(len(names)) * count
        calls = self._delta("fleets", "calls")
        shares = {
            column.replace("_us", "_share"): _ratio(
                self._delta("fleets", column), time_us
            )
            for column in VEHICLE_TIMES
        }
        return _table(
            "vehicles",
            {
                "replication": spread["replication"],
                "fleet": pa.array(spread["name"], pa.string()),
                "count": count,
                **shares,
                "trips": self._delta("fleets", "trips"),
                "charges": self._delta("fleets", "charges"),
                "calls": calls,
                "waited": self._delta("fleets", "waited"),
                "wait_mean_s": _ratio(self._delta("fleets", "wait_us"), calls) / 1e6,
            },
        )

    def energy_and_cost(self) -> dict[str, pa.Table]:
        """Return the tables of energy and of cost."""
        counted = ledger.Counted(self.line, self.lowered, self.first, self.last)
        good_units = counted.gained("products", "finished")[:, self._final()].sum(
            axis=1
        )
        energy = ledger.energy_used(counted)
        costs = ledger.costs(counted, energy)
        columns = {
            "energy": (energy, ledger.energy_columns(energy, good_units)),
            "cost": (costs, ledger.cost_columns(costs, good_units)),
        }
        return {
            name: _table(name, self._numbered(len(entries)) | found)
            for name, (entries, found) in columns.items()
        }

    def _numbered(self, n_rows: int) -> dict[str, Any]:
        """Return the number of each replication, as often as it has rows."""
        return {"replication": np.repeat([r.number for r in self.done], n_rows)}

    def buffers(self) -> pa.Table:
        names = self.lowered.names.buffers
        spread = self._spread(names)
        slots = np.tile(self.lowered.tables.buffers["slots"], len(self.done))
        left = self._delta("buffers", "left")
        return _table(
            "buffers",
            {
                "replication": spread["replication"],
                "buffer": spread["name"],
                "slots": np.where(slots >= t.UNLIMITED, -1, slots),
                "level_mean": _ratio(
                    self._delta("buffers", "area_us"), self._span_us(len(names))
                ),
                "level_max": self._end("buffers", "highest", self.last),
                "wait_mean_s": _ratio(self._delta("buffers", "wait_us"), left) / 1e6,
                "entered": self._delta("buffers", "entered"),
                "left": left,
            },
        )

    def orders(self) -> pa.Table:
        rows = self.lowered.tables.orders
        n = len(self.done)
        finished = np.concatenate(
            [r.order_finished_us for r in self.done] or [np.zeros(0, np.int64)]
        )
        due = np.tile(rows["due"], n)
        end = np.repeat([snap.at_us for snap in self.last], len(rows))
        late = np.where(finished >= 0, finished, end) - due
        has_due = due < t.NEVER
        products = self.lowered.names.products
        return _table(
            "orders",
            {
                "replication": np.repeat([r.number for r in self.done], len(rows)),
                "order": pa.array(list(self.lowered.names.orders) * n, pa.string()),
                "product": pa.array(
                    [products[i] for i in rows["product"]] * n, pa.string()
                ),
                "quantity": np.tile(rows["quantity"], n),
                "release_us": np.tile(rows["release"], n),
                "due_us": np.where(has_due, due, -1),
                "finished_us": finished,
                "tardiness_s": np.where(has_due, np.maximum(late, 0), 0) / 1e6,
            },
        )

    def periods(self) -> pa.Table:
        """Return the time series over the whole run, in about a hundred periods."""
        names = self.lowered.names
        parts: list[pa.Table] = []
        for replication in self.done:
            parts += self._series_of(replication, names)
        return pa.concat_tables(parts) if parts else _table("periods", _no_periods())

    def _series_of(self, replication: Replication, names: t.Names) -> list[pa.Table]:
        series = replication.series
        n = len(series) - 1
        if n < 1:
            return []
        period_us = int(replication.state.clock["period_us"][0])
        stride = max(n // _SHOWN_PERIODS, 1)
        ends = np.arange(0, n + 1, stride)
        steps = np.diff(series[ends], axis=0)
        n_products = len(names.products)
        wip = steps[:, n_products : 2 * n_products] / (period_us * stride)
        columns = [("finished", p, steps[:, i]) for i, p in enumerate(names.products)]
        columns += [("wip", p, wip[:, i]) for i, p in enumerate(names.products)]
        columns.append(("wip", "", wip.sum(axis=1)))
        levels = steps[:, 2 * n_products :] / (period_us * stride)
        columns += [("level", b, levels[:, i]) for i, b in enumerate(names.buffers)]
        starts = int(replication.state.clock["origin"][0]) + ends[:-1] * period_us
        n_rows = len(starts)
        return [
            _table(
                "periods",
                {
                    "replication": np.full(n_rows, replication.number),
                    "period": np.arange(n_rows),
                    "start_us": starts,
                    "end_us": starts + stride * period_us,
                    "measure": [measure] * n_rows,
                    "entity": [entity] * n_rows,
                    "value": values.astype(float),
                },
            )
            for measure, entity, values in columns
        ]

    def flow_counts(self, which: slice = slice(None)) -> t.Ints:
        """Return the flow-time sketch of some replications, (product, bucket)."""
        counts = np.zeros(
            (len(self.lowered.names.products), t.N_FLOW_BUCKETS), np.int64
        )
        flat = counts.ravel()
        for a, b in zip(self.first[which], self.last[which], strict=True):
            flat[b.flow_cells] += b.flow_counts
            flat[a.flow_cells] -= a.flow_counts
        return counts

    def flow(self) -> pa.Table:
        counts = self.flow_counts()
        rows, buckets = np.nonzero(counts)
        names = np.array(self.lowered.names.products, dtype=object)
        return _table(
            "flow",
            {
                "product": pa.array(names[rows].tolist(), pa.string()),
                "low_s": sketch.bucket_low(buckets) / 1e6,
                "high_s": (sketch.bucket_high(buckets) + 1) / 1e6,
                "count": counts[rows, buckets],
            },
        )

    def checks(self) -> pa.Table:
        rows = [(r.number, c) for r in self.done for c in r.checks]
        return _table(
            "checks",
            {
                "replication": [number for number, _ in rows],
                "law": [c.law for _, c in rows],
                "entity": [c.entity for _, c in rows],
                "expected": np.array([c.expected for _, c in rows], np.int64),
                "found": np.array([c.found for _, c in rows], np.int64),
                "ok": [c.ok for _, c in rows],
            },
        )

    # ------------------------------------------------------------ summary

    def summary(
        self, tables: Mapping[str, pa.Table], experiment: Experiment
    ) -> pa.Table:
        rows: list[tuple[str, str, str, np.ndarray]] = []
        rows += self._product_measures(tables["products"])
        rows += self._flow_percentiles()
        rows += self._order_measures(tables["orders"])
        rows += self._station_measures(tables["stations"])
        rows += self._buffer_measures(tables["buffers"])
        hours = self._span_us(1) / 3.6e9
        rows += ledger.line_measures(self.line, tables, hours)
        rows += ledger.entity_measures(self.line, tables, hours)
        runs = self._long_runs(experiment)
        out: dict[str, list[Any]] = {column: [] for column in COLUMNS["summary"]}
        for measure, entity, unit, values in rows:
            known = values[np.isfinite(values)]
            if not len(known):
                continue
            run = runs.get((measure, entity), LongRun(None, self._reason(experiment)))
            found = _estimate(known, run, experiment.confidence)
            for column, value in zip(out, (measure, entity, unit, *found), strict=True):
                out[column].append(value)
        kinds = {"n": pa.int64(), "batches": pa.int64()}
        kinds |= dict.fromkeys(
            ("measure", "entity", "unit", "no_interval"), pa.string()
        )
        return _table(
            "summary",
            {c: pa.array(v, kinds.get(c, pa.float64())) for c, v in out.items()},
        )

    def _reason(self, experiment: Experiment) -> str:
        """Return why a measure without batch means has no interval, if it has none."""
        if len(self.done) > 1:
            return _ONE_VALUE
        return _TERMINATING if experiment.study == "terminating" else _NO_SERIES

    def _long_runs(self, experiment: Experiment) -> dict[tuple[str, str], LongRun]:
        """Return batch means by measure and entity; nothing where they are no use."""
        if len(self.done) > 1 or experiment.study == "terminating":
            return {}
        steps, period_us = self._steps()
        found = {}
        for key, series in self._by_period(steps, period_us).items():
            run = long_run(series, experiment.confidence)
            n_units = round(series.sum() * period_us / 3.6e9)
            few = key[0].startswith("throughput") and n_units < MOST_BATCHES
            if run.found and few:
                reason = f"{n_units} units after the warm-up, {MOST_BATCHES} the least"
                run = LongRun(None, f"the run is too short: {reason}")
            found[key] = run
        return found

    def _steps(self) -> tuple[t.Ints, int]:
        """Return what the only run gained in each period after the warm-up."""
        (run,) = self.done
        period_us = int(run.state.clock["period_us"][0])
        first = -(-self.first[0].at_us // period_us)
        return np.diff(run.series[first:], axis=0), period_us

    def _by_period(
        self, steps: t.Ints, period_us: int
    ) -> dict[tuple[str, str], np.ndarray]:
        """Return the series of all measures that have one, in their units."""
        names = self.lowered.names
        n = len(names.products)
        rates = steps[:, :n] / (period_us / 3.6e9)
        wip, levels = steps[:, n : 2 * n] / period_us, steps[:, 2 * n :] / period_us
        found = {
            ("throughput_total_per_h", ""): rates[:, self._final()].sum(axis=1),
            ("wip_mean", ""): wip.sum(axis=1),
        }
        for i, name in enumerate(names.products):
            found["throughput_per_h", name] = rates[:, i]
            found["wip_mean", name] = wip[:, i]
        for i, name in enumerate(names.buffers):
            found["level_mean", name] = levels[:, i]
        return found

    def method(self, summary: pa.Table) -> tuple[str, int | None]:
        """Return what the intervals stand on, and the length of a batch."""
        if len(self.done) > 1:
            return "replications", None
        n_batches = max(summary["batches"].to_pylist(), default=0)
        if not n_batches:
            return "none", None
        steps, period_us = self._steps()
        return "batch_means", len(steps) // n_batches * period_us

    def _by(self, table: pa.Table, column: str, n: int) -> np.ndarray:
        """Return a column as (replication, thing) floats."""
        values = table[column].to_numpy(zero_copy_only=False).astype(float)
        out: np.ndarray = values.reshape(len(self.done), n)
        return out

    def _product_measures(
        self, table: pa.Table
    ) -> list[tuple[str, str, str, np.ndarray]]:
        names = self.lowered.names.products
        n = len(names)
        hours = self._span_us(1)[:, None] / 3.6e9
        finished = self._by(table, "finished", n)
        ended = finished + self._by(table, "scrapped", n)
        rate = finished / hours
        wip = self._by(table, "wip_mean", n)
        with np.errstate(invalid="ignore", divide="ignore"):
            per_product = {
                "throughput_per_h": ("units/h", rate),
                "flow_mean_s": ("s", self._by(table, "flow_mean_s", n)),
                "wip_mean": ("parts", wip),
                "first_pass_yield": ("share", self._by(table, "first_pass_yield", n)),
                "scrap_share": ("share", self._by(table, "scrapped", n) / ended),
                "rework_per_unit": ("loops", self._by(table, "reworked", n) / ended),
            }
        rows = [
            (measure, name, unit, values[:, i])
            for measure, (unit, values) in per_product.items()
            for i, name in enumerate(names)
        ]
        rows.append(
            (
                "throughput_total_per_h",
                "",
                "units/h",
                rate[:, self._final()].sum(axis=1),
            )
        )
        rows.append(("wip_mean", "", "parts", wip.sum(axis=1)))
        return rows

    def _final(self) -> np.ndarray:
        """Say which products leave the line, neither built into others nor split."""
        return np.array([leaves_line(self.line, p) for p in self.line.products])

    def _flow_percentiles(self) -> list[tuple[str, str, str, np.ndarray]]:
        names = self.lowered.names.products
        counts = [self.flow_counts(slice(r, r + 1)) for r in range(len(self.done))]
        rows = []
        for share in (50, 90, 95):
            for i, name in enumerate(names):
                values = [
                    sketch.quantile(c[i], share / 100) / 1e6 if c[i].any() else np.nan
                    for c in counts
                ]
                rows.append((f"flow_p{share}_s", name, "s", np.array(values)))
        return rows

    def _order_measures(
        self, table: pa.Table
    ) -> list[tuple[str, str, str, np.ndarray]]:
        n = len(self.lowered.tables.orders)
        due = self.lowered.tables.orders["due"]
        counted = (due < t.NEVER) & (due <= self.last[0].at_us)
        if not n or not counted.any():
            return []
        tardy = self._by(table, "tardiness_s", n)[:, counted]
        finished = self._by(table, "finished_us", n)[:, counted]
        on_time = (tardy == 0) & (finished >= 0)
        return [
            ("on_time_share", "", "share", on_time.mean(axis=1)),
            ("tardiness_mean_s", "", "s", tardy.mean(axis=1)),
        ]

    def _station_measures(
        self, table: pa.Table
    ) -> list[tuple[str, str, str, np.ndarray]]:
        rows: list[dict[str, Any]] = table.to_pylist()
        names = self.lowered.names.stations
        found: dict[tuple[str, str], list[float]] = {}
        for row in rows:
            times = {mode: row[mode] for mode in t.MODE_NAMES}
            good = max(row["completed"] - row["rejected"], 0)
            kpi = oee(times, row["planned_us"], good, row["completed"])
            on_shift = sum(times.values()) - times["off_shift"] - times["break"]
            shares = {
                "utilization": times["processing"] / on_shift if on_shift else np.nan,
                "oee": kpi.oee,
                "oee_availability": kpi.oee_availability,
                "oee_performance": kpi.effectiveness,
                "oee_quality": kpi.quality_ratio,
                "queue_wait_mean_s": row["wait_mean_s"],
            }
            for measure, value in shares.items():
                found.setdefault((measure, row["station"]), []).append(value)
        measures = dict.fromkeys(measure for measure, _ in found)
        return [
            (
                m,
                name,
                "s" if m.endswith("_s") else "share",
                np.array(found[m, name], float),
            )
            for m in measures
            for name in names
        ]

    def _buffer_measures(
        self, table: pa.Table
    ) -> list[tuple[str, str, str, np.ndarray]]:
        names = self.lowered.names.buffers
        level = self._by(table, "level_mean", len(names))
        wait = self._by(table, "wait_mean_s", len(names))
        rows = [
            ("level_mean", name, "parts", level[:, i]) for i, name in enumerate(names)
        ]
        return rows + [
            ("wait_mean_s", name, "s", wait[:, i]) for i, name in enumerate(names)
        ]


def _estimate(
    values: np.ndarray, run: LongRun, confidence: float
) -> tuple[float, float, float, float, int, int, str]:
    """Return a row of `summary` from the mean on, nan where there is no interval.

    The mean is that of all the time measured; batch means give its half-width only.
    """
    found = mean_interval(values, confidence)
    mean, half, n_batches, reason = found.mean, found.half_width, 0, ""
    if not np.isfinite(half):
        half, reason = np.nan, run.reason
        if run.found:
            half, n_batches = run.found.interval.half_width, run.found.interval.n
    return mean, half, mean - half, mean + half, len(values), n_batches, reason


def _no_periods() -> dict[str, Any]:
    kinds: dict[str, type] = {"measure": str, "entity": str, "value": float}
    return {c: np.zeros(0, kinds.get(c, np.int64)) for c in COLUMNS["periods"]}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return a quotient, nan where nothing is divided by nothing."""
    out = np.full(len(part), np.nan)
    np.divide(part, whole, out=out, where=whole != 0)
    return out
