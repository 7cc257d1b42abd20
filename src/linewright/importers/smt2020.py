"""The SMT2020 wafer-fab testbed, in the tables of AutoSched AP.

Format: Kopp, Hassoun, Kalir, Moench, "SMT2020 - a semiconductor manufacturing
testbed", IEEE Trans. Semicond. Manuf. 33(4), 2020, as its tables stand. A lot becomes a
part of `lot_size` wafers, a tool family a station, a lot type of `order.txt` a product.

What tables say and what is made of it: `docs/wafer-fab.md`. A value that no one here
knows how to read is noted, never dropped in silence; a broken cell is an error.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from linewright.errors import Finding, ModelError
from linewright.importers.source import (
    Files,
    Imported,
    Notebook,
    Row,
    Table,
    number,
    whole,
)
from linewright.model.line import InProcess, Line

__all__ = ["is_it", "read"]

_UNITS = {
    "sec": 1e6, "s": 1e6, "second": 1e6, "seconds": 1e6,
    "min": 60e6, "minute": 60e6, "minutes": 60e6,
    "hr": 3600e6, "hour": 3600e6, "hours": 3600e6, "h": 3600e6,
    "day": 86400e6, "days": 86400e6, "d": 86400e6,
    "week": 7 * 86400e6, "wk": 7 * 86400e6,
}  # fmt: skip
_RANKS = {
    "rank_HP": "priority",
    "rank_RSETUP": "least_setup",
    "rank_FIFO": "fifo",
    "rank_EDD": "earliest_due_date",
    "rank_ODD": "earliest_due_date",
    "rank_CR": "critical_ratio",
    "rank_SPT": "shortest_processing_time",
}
_SAID = {
    "RULE": {"rule_HotLotFIRST", "rule_LSSU", "rule_FIRST"},
    "WAKERESRANK": {"wake_LeastSetupTime"},
    "BATCHCRITF": {"crit_sameroutestep"},
    "BATCHPER": {"piece"},
    "PRERULERWL": {"no"},
    "STNCAP": set(),
    "STNFAMSTEP_ACTLIST": {
        "Custom_actlist_ASISemiOpersDuringSetupAndAdditionalLoadUnload"
    },
}
"""Values whose meaning the model has anyway; others are noted."""

_KNOWN_COLUMNS = {
    "tool": "STNFAM STN RULE FWLRANK WAKERESRANK BATCHCRITF BATCHPER LTIME LTUNITS "
    "ULTIME ULTUNITS STNCAP STNQTY STNGRP STNFAMSTEP_ACTLIST STNFAMLOC PRERULERWL "
    "SETUPGRP IGNORE",
    "route": "ROUTE STEP DESC STNFAM PDIST PTIME PTIME2 PTUNITS PTPER BATCHMN BATCHMX "
    "SETUP WHEN STIME STUNITS SVESTN FORSTEP BatchInterval BatchIntUnits PartInterval "
    "PartIntUnits RWKSTEP REWORK RWKTYPE StepPercent STEP_CQT CQT CQTUNITS IGNORE",
    "order": "LOT PART PRIOR PIECES START RDIST REPEAT RUNITS RPT# LOTSPERRPT DUE "
    "ORDER HOTLOT IGNORE",
    "part": "PARTGRP PARTFAM PART ROUTEFILE ROUTE IGNORE",
    "setup": "CURSETUP NEWSETUP STIME STUNITS IGNORE",
    "setupgrp": "SETUPGRP SETUP MINRUN IGNORE",
    "downcal": "DOWNCALNAME DOWNCALTYPE MTTFDIST MTTF MTTF2 MTTFUNITS MTTRDIST MTTR "
    "MTTR2 MTTRUNITS IGNORE",
    "pmcal": "PMCALNAME PMCALTYPE MTBPM MTBPMUNITS MTTRDIST MTTR MTTR2 MTTRUNITS "
    "IGNORE",
    "attach": "CALNAME CALTYPE RESTYPE RESNAME FOADIST FOA FOA2 FOAUNITS IGNORE",
    "fromto": "FROMLOC TOLOC DDIST DTIME DTIME2 DUNITS IGNORE",
    "WIP": "LOT PART PRIOR PIECES START CURSTEP DUE ORDER HOTLOT TRACE IGNORE",
}
_NEEDED = ("tool", "order", "part")
_MOST_TOOLS = 100_000
_HORIZON_US = 730 * 86400e6


def is_it(files: Files) -> bool:
    """Say whether files are of this format."""
    return all(_find(files, kind) for kind in _NEEDED)


def _find(files: Files, kind: str) -> str | None:
    """Return the file of a kind of table, such as ``tool.txt`` or ``tool.txt.1l``."""
    for name in files.names:
        if name == f"{kind}.txt" or name.startswith(f"{kind}.txt."):
            return name
    return None


@dataclass
class _Fab:
    """The tables, and the parts of the model as they are made."""

    files: Files
    book: Notebook
    tables: dict[str, Table] = field(default_factory=dict)
    stations: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    setup_times: dict[str, dict[str, dict[str, str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )
    families: dict[str, dict[str, None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    moves: dict[tuple[str, str], Any] = field(default_factory=dict)
    routes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    steps: dict[str, dict[str, str]] = field(default_factory=dict)
    products: dict[str, dict[str, Any]] = field(default_factory=dict)
    part_of: dict[str, str] = field(default_factory=dict)

    def rows(self, kind: str) -> tuple[Row, ...]:
        """Return the rows of a kind of table; none if there is no such file."""
        if kind not in self.tables:
            name = _find(self.files, kind)
            if name is None:
                self.tables[kind] = Table("", (), ())
            else:
                self.tables[kind] = self._read(name, kind)
        return self.tables[kind].rows

    def _read(self, name: str, kind: str) -> Table:
        table = self.files.table(name, self.book)
        known = _KNOWN_COLUMNS[kind].split()
        for column in table.columns:
            if column and column not in known:
                row = Row(table.file, 1, {})
                self.book.note(row, f'the column "{column}" is not read')
        return table


def read(files: Files) -> Imported:
    """Return the model that the tables say.

    Raises:
        ModelError: A row is broken or refers to what is not there; all findings.
    """
    fab = _Fab(files, Notebook())
    _read_tools(fab)
    _read_moves(fab)
    pieces = _pieces(fab)
    for row in fab.rows("part"):
        _read_route(fab, row, pieces)
    _read_setups(fab)
    _read_stops(fab)
    start = _start(fab)
    _read_orders(fab, start)
    in_process = _read_wip(fab, start)
    for name in _files_not_read(fab):
        fab.book.note(Row(files.place(name), 1, {}), "this file is not read")
    fab.book.raise_if_wrong()
    line = _line(fab, start)
    return Imported(line, in_process, tuple(fab.book.notes), "SMT2020")


def _files_not_read(fab: _Fab) -> list[str]:
    read = {table.file for table in fab.tables.values()}
    return [name for name in fab.files.names if fab.files.place(name) not in read]


def _line(fab: _Fab, start: datetime) -> Line:
    used = {step["station"] for route in fab.routes.values() for step in route}
    for name in [name for name in fab.stations if name not in used]:
        place = fab.tables["tool"].file
        fab.book.note(Row(place, 1, {}), f'no route visits the tool family "{name}"')
        del fab.stations[name]
    data = {
        "schema_version": 1,
        "name": fab.files.source.stem,
        "description": "A wafer fab of the SMT2020 testbed (Kopp, Hassoun, Kalir and "
        "Moench 2020). Parts are lots, units are wafers.",
        "start": start.isoformat(" ", "minutes"),
        "stages": [g for g, names in fab.groups.items() if used & set(names)],
        "stations": fab.stations,
        "products": fab.products,
        "study": {"horizon": "730 d", "kind": "terminating", "replications": 2},
    }
    try:
        return Line.model_validate(data)
    except ValidationError as error:
        place = str(fab.files.source)
        found = [
            Finding(
                "LW402",
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}; found {e['input']!r:.80}",
                file=place,
            )
            for e in error.errors(include_url=False)
        ]
        raise ModelError(found) from error


# ---------------------------------------------------------------- cells


def _time(us: float) -> str:
    """Return a time as text, to the microsecond."""
    if us % 60e6 == 0:
        return f"{int(us // 60e6)} min"
    text = f"{us / 60e6:.12g}"
    if round(float(text) * 60e6) == round(us) and "e" not in text:
        return f"{text} min"
    return f"{round(us)} us"


def _unit(row: Row, column: str, book: Notebook, default: str = "min") -> float:
    unit = row.text(column) or default
    if unit.lower() not in _UNITS:
        book.error(row, column, f'"{unit}" is not a unit of time')
        return 60e6
    return _UNITS[unit.lower()]


def _distribution(
    row: Row, columns: tuple[str, str, str, str], book: Notebook, times: float = 1
) -> str:
    """Return a distribution as text.

    Args:
        row: The row.
        columns: Names of the columns of kind, mean, second parameter and unit.
        book: Where to note what is wrong.
        times: What the time is multiplied by.
    """
    kind_column, mean_column, second_column, unit_column = columns
    kind = (row.text(kind_column) or "constant").lower()
    unit = _unit(row, unit_column, book) * times
    mean = number(row, mean_column, book) * unit
    second = number(row, second_column, book, 0) * unit
    if kind == "constant" or (kind in {"uniform", "normal"} and second == 0):
        return _time(mean)
    if kind == "exponential":
        return f"exponential({_time(mean)})"
    if kind == "uniform":
        if second > mean:
            book.error(row, second_column, "the half-width is larger than the mean")
            return _time(mean)
        return f"uniform({_time(mean - second)}, {_time(mean + second)})"
    if kind == "normal":
        return f"normal(mean={_time(mean)}, sd={_time(second)})"
    allowed = "constant, exponential, uniform and normal"
    book.error(row, kind_column, f'"{kind}" is not read; {allowed} are')
    return _time(mean)


# ---------------------------------------------------------------- tools


def _read_tools(fab: _Fab) -> None:
    for row in fab.rows("tool"):
        name = row.text("STNFAM")
        if not name or name in fab.stations:
            text = "is missing" if not name else f'"{name}" is here twice'
            fab.book.error(row, "STNFAM", text)
            continue
        group = row.text("STNGRP") or "fab"
        station: dict[str, Any] = {"stage": group}
        _number_of_tools(fab, row, station)
        for key, column, unit in (
            ("load", "LTIME", "LTUNITS"),
            ("unload", "ULTIME", "ULTUNITS"),
        ):
            us = number(row, column, fab.book, 0) * _unit(row, unit, fab.book)
            if us:
                station[key] = _time(us)
        ranks = _ranks(fab, row)
        if ranks != ["fifo"]:
            station["dispatch"] = ranks
        fab.stations[name] = station
        fab.places[name] = row.text("STNFAMLOC")
        fab.groups[group].append(name)
        for column, known in _SAID.items():
            value = row.text(column)
            if value and value not in known:
                fab.book.note(row, f"{column} {value} is not read")


def _number_of_tools(fab: _Fab, row: Row, station: dict[str, Any]) -> None:
    servers = whole(row, "STNQTY", fab.book, 1)
    if not 1 <= servers <= _MOST_TOOLS:
        fab.book.error(row, "STNQTY", f"{servers} is not a number of tools")
    elif servers > 1:
        station["servers"] = servers


def _ranks(fab: _Fab, row: Row) -> list[str]:
    ranks = []
    for rank in filter(None, row.text("FWLRANK").split(";")):
        if rank in _RANKS:
            ranks.append(_RANKS[rank])
        else:
            fab.book.note(row, f"the rank {rank} is not read, and left out")
    if len(ranks) > 3:
        fab.book.note(row, f"of {len(ranks)} ranks the first three are kept")
    while len(ranks) > 1 and ranks[-1] == "fifo":
        ranks.pop()  # first come, first served settles all ties anyway
    return ranks[:3] or ["fifo"]


def _read_moves(fab: _Fab) -> None:
    for row in fab.rows("fromto"):
        columns = ("DDIST", "DTIME", "DTIME2", "DUNITS")
        pair = row.text("FROMLOC"), row.text("TOLOC")
        fab.moves[pair] = _distribution(row, columns, fab.book)


# ---------------------------------------------------------------- routes


def _pieces(fab: _Fab) -> dict[str, int]:
    """Return the wafers in a lot of each part, from its orders."""
    pieces: dict[str, int] = {}
    for row in fab.rows("order"):
        n = whole(row, "PIECES", fab.book, 1)
        if n < 1:
            fab.book.error(row, "PIECES", "a lot has one wafer or more")
            n = 1
        if pieces.setdefault(row.text("PART"), n) != n:
            text = f"lots of {n} wafers, and of {pieces[row.text('PART')]} elsewhere; "
            fab.book.error(row, "PIECES", text + "times for a lot are of one size")
    return pieces


def _read_route(fab: _Fab, part: Row, pieces: dict[str, int]) -> None:
    name, file = part.text("PART"), part.text("ROUTEFILE")
    if file not in fab.files.names:
        there = dict.fromkeys(fab.files.names)
        fab.book.unknown(part, "ROUTEFILE", file, "file", there)
        return
    if file not in fab.tables:
        known = set(_KNOWN_COLUMNS["route"].split())
        table = fab.tables[file] = fab.files.table(file, fab.book)
        for column in table.columns:
            if column and column not in known:
                text = f'the column "{column}" is not read'
                fab.book.note(Row(table.file, 1, {}), text)
    wanted = part.text("ROUTE")
    rows = [r for r in fab.tables[file].rows if r.text("ROUTE") in {wanted, ""}]
    if not rows:
        fab.book.error(part, "ROUTE", f'"{wanted}" is not in {file}')
        return
    names = _operation_names(fab, rows)
    fab.steps[name] = names
    steps: list[dict[str, Any]] = []
    before = ""
    for row in rows:
        step = _step(fab, row, names, pieces.get(name, 1), before)
        if step:
            before = fab.places.get(step["station"], "")
            steps.append(step)
    _backward_links(fab, rows, names, steps)
    fab.routes[name] = steps


def _operation_names(fab: _Fab, rows: list[Row]) -> dict[str, str]:
    """Return a name for each step number."""
    names: dict[str, str] = {}
    seen = set()
    for row in rows:
        number_ = row.text("STEP")
        name = row.text("DESC") or number_
        if name in seen:
            name = f"{name} ({number_})"
        if number_ in names or not number_:
            text = "is missing" if not number_ else f"{number_} is here twice"
            fab.book.error(row, "STEP", text)
        names[number_] = name
        seen.add(name)
    return names


def _step(
    fab: _Fab, row: Row, names: dict[str, str], pieces: int, before: str
) -> dict[str, Any] | None:
    station = row.text("STNFAM")
    if station not in fab.stations:
        fab.book.unknown(row, "STNFAM", station, "tool family", fab.stations)
        return None
    step: dict[str, Any] = {"operation": names[row.text("STEP")], "station": station}
    per = row.text("PTPER") or "per_lot"
    if per not in {"per_lot", "per_piece", "per_batch"}:
        fab.book.error(row, "PTPER", f'"{per}" is not per_lot, per_piece or per_batch')
    times = pieces if per == "per_piece" else 1
    columns = ("PDIST", "PTIME", "PTIME2", "PTUNITS")
    step["process"] = _distribution(row, columns, fab.book, times)
    _cascade(fab, row, step, pieces)
    _batch(fab, row, step, pieces)
    _setup(fab, row, step)
    way = fab.moves.get((before, fab.places[station]))
    if way:
        step["transport"] = way
    if row.text("StepPercent"):
        share = number(row, "StepPercent", fab.book)
        if share > 100:
            fab.book.error(row, "StepPercent", f"{share:g} is not a percentage")
        elif share < 100:
            step["sample"] = share / 100
    _rework(fab, row, step, names)
    return step


def _cascade(fab: _Fab, row: Row, step: dict[str, Any], pieces: int) -> None:
    for column, unit, times in (
        ("PartInterval", "PartIntUnits", pieces),
        ("BatchInterval", "BatchIntUnits", 1),
    ):
        if row.text(column):
            us = number(row, column, fab.book) * _unit(row, unit, fab.book) * times
            step["cascade"] = _time(us)


def _batch(fab: _Fab, row: Row, step: dict[str, Any], pieces: int) -> None:
    if not row.text("BATCHMX") and not row.text("BATCHMN"):
        if row.text("PTPER") == "per_batch":
            fab.book.error(row, "BATCHMX", "a batch says how many wafers it takes")
        return
    most = whole(row, "BATCHMX", fab.book, 1)
    least = whole(row, "BATCHMN", fab.book, 1)
    if most < max(least, pieces):
        text = f"{most} wafers at most, {least} at least, and {pieces} in a lot: "
        fab.book.error(row, "BATCHMX", text + "a batch that can never fill")
        return
    step["batch"] = {"min": max(least, 1), "max": most}


def _setup(fab: _Fab, row: Row, step: dict[str, Any]) -> None:
    family = row.text("SETUP")
    if not family:
        return
    if row.text("WHEN") not in {"need", ""}:
        text = f"a setup WHEN {row.text('WHEN')} is made when it is needed"
        fab.book.note(row, text)
    step["family"] = family
    fab.families[step["station"]][family] = None
    if row.text("STIME"):
        us = number(row, "STIME", fab.book) * _unit(row, "STUNITS", fab.book)
        times = fab.setup_times[step["station"]]["any"]
        if times.setdefault(family, _time(us)) != _time(us):
            text = f"the setup {family} takes {times[family]} elsewhere, which is kept"
            fab.book.note(row, text)


def _rework(fab: _Fab, row: Row, step: dict[str, Any], names: dict[str, str]) -> None:
    if not row.text("REWORK") and not row.text("RWKSTEP"):
        return
    target = row.text("RWKSTEP")
    if target not in names:
        fab.book.unknown(row, "RWKSTEP", target, "step of this route", names)
        return
    share = number(row, "REWORK", fab.book)
    if share > 100:
        fab.book.error(row, "REWORK", f"{share:g} is not a percentage")
        return
    if row.text("RWKTYPE") not in {"lot", ""}:
        text = f"rework by {row.text('RWKTYPE')} is rework of the whole lot"
        fab.book.note(row, text)
    step["inspection"] = {
        "pass": round(1 - share / 100, 12),
        "rework_to": names[target],
    }


def _backward_links(
    fab: _Fab, rows: list[Row], names: dict[str, str], steps: list[dict[str, Any]]
) -> None:
    """Add what one step says of a later one: the same tool, the longest time."""
    by_name = {step["operation"]: step for step in steps}
    for row in rows:
        here = by_name.get(names[row.text("STEP")])
        if here is None:
            continue
        if row.text("SVESTN").lower() == "yes":
            later = _later(fab, row, "FORSTEP", names, by_name)
            if later is None:
                pass
            elif later["station"] != here["station"]:
                text = f"step {row.text('FORSTEP')} is done by other tools, and not "
                fab.book.note(row, text + "bound to the tool of this one")
            else:
                later["same_server_as"] = here["operation"]
        if row.text("CQT"):
            later = _later(fab, row, "STEP_CQT", names, by_name)
            us = number(row, "CQT", fab.book) * _unit(row, "CQTUNITS", fab.book)
            if later is not None and "time_limit" in later:
                text = f"step {row.text('STEP_CQT')} has a time limit already"
                fab.book.note(row, text + ", which is kept")
            elif later is not None:
                limit = {"after": here["operation"], "within": _time(us)}
                later["time_limit"] = limit


def _later(
    fab: _Fab,
    row: Row,
    column: str,
    names: dict[str, str],
    by_name: dict[str, dict[str, Any]],
) -> dict[str, Any] | None:
    target = row.text(column)
    if target not in names:
        fab.book.unknown(row, column, target, "step of this route", names)
        return None
    return by_name.get(names[target])


# ---------------------------------------------------------------- setups, stops


def _read_setups(fab: _Fab) -> None:
    stations_of: dict[str, list[str]] = defaultdict(list)
    for station, families in fab.families.items():
        for family in families:
            stations_of[family].append(station)
    for row in fab.rows("setup"):
        start, end = row.text("CURSETUP") or "any", row.text("NEWSETUP")
        us = number(row, "STIME", fab.book) * _unit(row, "STUNITS", fab.book)
        if end not in stations_of:
            fab.book.note(row, f'no step needs the setup "{end}"')
        for station in stations_of.get(end, ()):
            if start == "any" or start in fab.families[station]:
                fab.setup_times[station][start][end] = _time(us)
            else:
                text = f'no step at "{station}" needs the setup "{start}"'
                fab.book.note(row, text)
    runs = _read_runs(fab, stations_of)
    for station in fab.families:
        matrix = _matrix(fab, station)
        setup: dict[str, Any] = {"by": "operation"}
        setup |= {"matrix": matrix} if matrix else {"time": "0 min"}
        if station in runs:
            setup["minimum_run"] = runs[station]
        fab.stations[station]["setup"] = setup


def _matrix(fab: _Fab, station: str) -> dict[str, dict[str, str]]:
    """Return the setup times of a station; what the tables do not name takes none."""
    matrix = {a: dict(ends) for a, ends in fab.setup_times[station].items()}
    any_to = matrix.get("any", {})
    families = fab.families[station]
    for start in families:
        for end in families:
            if end != start and end not in any_to:
                matrix.setdefault(start, {}).setdefault(end, "0 min")
    return matrix


def _read_runs(
    fab: _Fab, stations_of: dict[str, list[str]]
) -> dict[str, dict[str, int]]:
    runs: dict[str, dict[str, int]] = defaultdict(dict)
    for row in fab.rows("setupgrp"):
        family = row.text("SETUP")
        least = whole(row, "MINRUN", fab.book, 0)
        if family not in stations_of:
            fab.book.note(row, f'no step needs the setup "{family}"')
        for station in stations_of.get(family, ()):
            if least > 1:
                runs[station][family] = least
    return runs


def _read_stops(fab: _Fab) -> None:
    downs = {row.text("DOWNCALNAME"): row for row in fab.rows("downcal")}
    plans = {row.text("PMCALNAME"): row for row in fab.rows("pmcal")}
    for row in fab.rows("attach"):
        kind, name = row.text("CALTYPE"), row.text("CALNAME")
        if kind not in {"down", "pm"}:
            fab.book.note(row, f"a calendar of the type {kind} is not read")
            continue
        there = downs if kind == "down" else plans
        if name not in there:
            fab.book.unknown(row, "CALNAME", name, "calendar", there)
            continue
        stations = _resources(fab, row)
        if kind == "down":
            _failure(fab, row, there[name], name, stations)
        else:
            _maintenance(fab, row, there[name], name, stations)


def _resources(fab: _Fab, row: Row) -> list[str]:
    kind, name = row.text("RESTYPE"), row.text("RESNAME")
    if kind == "stngrp":
        if name not in fab.groups:
            fab.book.unknown(row, "RESNAME", name, "tool group", fab.groups)
        return fab.groups.get(name, [])
    if kind in {"stnfam", "stn"}:
        if name not in fab.stations:
            fab.book.unknown(row, "RESNAME", name, "tool family", fab.stations)
            return []
        return [name]
    fab.book.note(row, f"a calendar of {kind} {name} is not read")
    return []


_CLOCKS = {
    "mttf_by_cal": "calendar",
    "mttf_by_run": "processing",
    "mttf_by_cycles": "cycles",
}


def _failure(fab: _Fab, attach: Row, row: Row, name: str, stations: list[str]) -> None:
    kind = row.text("DOWNCALTYPE")
    if kind not in _CLOCKS or kind == "mttf_by_cycles":
        fab.book.note(row, f"a breakdown of the type {kind} is not read")
        return
    every = _distribution(row, ("MTTFDIST", "MTTF", "MTTF2", "MTTFUNITS"), fab.book)
    repair = _distribution(row, ("MTTRDIST", "MTTR", "MTTR2", "MTTRUNITS"), fab.book)
    failure: dict[str, Any] = {
        "every": every,
        "repair": repair,
        "clock": _CLOCKS[kind],
    }
    if attach.text("FOA"):
        columns = ("FOADIST", "FOA", "FOA2", "FOAUNITS")
        first = _distribution(attach, columns, fab.book)
        if first != every:
            failure["first"] = first
    for station in stations:
        fab.stations[station].setdefault("failures", {})[name] = failure


def _maintenance(
    fab: _Fab, attach: Row, row: Row, name: str, stations: list[str]
) -> None:
    kind = row.text("PMCALTYPE")
    work: dict[str, Any] = {
        "duration": _distribution(
            row, ("MTTRDIST", "MTTR", "MTTR2", "MTTRUNITS"), fab.book
        )
    }
    if kind == "mtbpm_by_pieces":
        work["every"] = f"{max(whole(row, 'MTBPM', fab.book), 1)} units"
        if attach.text("FOA"):
            work["first"] = f"{max(round(number(attach, 'FOA', fab.book)), 1)} units"
    elif kind == "mtbpm_by_cal":
        us = number(row, "MTBPM", fab.book) * _unit(row, "MTBPMUNITS", fab.book)
        work["every"] = _time(us)
        if attach.text("FOA"):
            columns = ("FOADIST", "FOA", "FOA2", "FOAUNITS")
            work["first"] = _distribution(attach, columns, fab.book)
    else:
        fab.book.note(row, f"maintenance of the type {kind} is not read")
        return
    for station in stations:
        fab.stations[station].setdefault("maintenance", {})[name] = work


# ---------------------------------------------------------------- releases


def _moment(row: Row, column: str, book: Notebook) -> datetime | None:
    text = row.text(column)
    if not text:
        return None
    for form in ("%m/%d/%y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%y", "%m/%d/%Y"):
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - local by definition
        except ValueError:
            continue
    book.error(row, column, f'"{text}" is not a date like 01/31/18 06:00:00')
    return None


def _start(fab: _Fab) -> datetime:
    """Return the earliest start of any release or lot."""
    moments = [
        moment
        for kind in ("order", "WIP")
        for row in fab.rows(kind)
        if (moment := _moment(row, "START", fab.book))
    ]
    return min(moments, default=datetime(2018, 1, 1))  # noqa: DTZ001


def _read_orders(fab: _Fab, start: datetime) -> None:
    owners: dict[str, str] = {}
    for row in fab.rows("order"):
        name, part = row.text("LOT"), row.text("PART")
        if name in fab.products or not name:
            fab.book.error(row, "LOT", f'"{name}" is missing or here twice')
            continue
        if part not in fab.steps:
            fab.book.unknown(row, "PART", part, "part", fab.steps)
            continue
        product: dict[str, Any] = {
            "lot_size": max(whole(row, "PIECES", fab.book, 1), 1)
        }
        priority = whole(row, "PRIOR", fab.book, 0)
        if priority:
            product["priority"] = priority
        product["release"] = _release(fab, row, start)
        if part in owners:
            product["route_of"] = owners[part]
            product["route"] = fab.routes.get(part, [])
        else:
            owners[part] = name
            product["route"] = fab.routes.get(part, [])
        fab.products[name] = product
        fab.part_of[name] = part
    for part_row in fab.rows("part"):
        if part_row.text("PART") not in owners:
            fab.book.note(part_row, f'no order releases "{part_row.text("PART")}"')


def _release(fab: _Fab, row: Row, start: datetime) -> dict[str, Any]:
    release: dict[str, Any] = {
        "every": _distribution(row, ("RDIST", "REPEAT", "REPEAT2", "RUNITS"), fab.book)
    }
    begins = _moment(row, "START", fab.book) or start
    release["first"] = _time((begins - start).total_seconds() * 1e6)
    lots = whole(row, "LOTSPERRPT", fab.book, 1)
    if lots > 1:
        release["quantity"] = lots
    due = _moment(row, "DUE", fab.book)
    if due is not None:
        if due < begins:
            fab.book.error(row, "DUE", "lots are due before they are released")
        else:
            release["due"] = _time((due - begins).total_seconds() * 1e6)
    times = whole(row, "RPT#", fab.book, 0)
    each_us = number(row, "REPEAT", fab.book) * _unit(row, "RUNITS", fab.book)
    if times and times * each_us < _HORIZON_US:
        text = f"releases go on after {times} times, as far as the study goes"
        fab.book.note(row, text)
    return release


def _read_wip(fab: _Fab, start: datetime) -> tuple[InProcess, ...]:
    rows = []
    for row in fab.rows("WIP"):
        part, step = row.text("PART"), row.text("CURSTEP")
        if part not in fab.steps:
            fab.book.unknown(row, "PART", part, "part", fab.steps)
            continue
        if step not in fab.steps[part]:
            names = fab.steps[part]
            fab.book.unknown(row, "CURSTEP", step, "step of this route", names)
            continue
        priority = whole(row, "PRIOR", fab.book, 0)
        product = _product_of(fab, part, priority)
        if product is None:
            fab.book.note(row, f'no order releases "{part}"; the lot is left out')
            continue
        due = _moment(row, "DUE", fab.book)
        late = None
        if due is not None:
            late = max(round((due - start).total_seconds() * 1e6), 0)
        size = fab.products[product]["lot_size"]
        pieces = whole(row, "PIECES", fab.book, size)
        if pieces != size:
            fab.book.note(row, f"{pieces} wafers in process count as a lot of {size}")
        rows.append(
            InProcess(
                product=product,
                operation=fab.steps[part][step],
                quantity=size,
                due=None if late is None else _time(late),
                priority=priority,
            )
        )
    return tuple(rows)


def _product_of(fab: _Fab, part: str, priority: int) -> str | None:
    """Return the product of a lot in process: its part's, of its priority if any."""
    names = [name for name, of in fab.part_of.items() if of == part]
    same = [n for n in names if fab.products[n].get("priority", 0) == priority]
    return next(iter(same or names), None)
