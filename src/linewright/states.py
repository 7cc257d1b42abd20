"""A state of the line on disk: saved whole, restored exactly, forked at any instant.

One ``.npz`` file holds every array of `State` and says which model, seed and
replication it belongs to. Random numbers need no saving: a draw is a function of its
name, so new streams of the same seed go on where the old ones stood.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from linewright import tables as t
from linewright.drafts import write_whole
from linewright.errors import ResultError
from linewright.lower import Lowered, new_draws, new_state, zeros
from linewright.version import __version__

__all__ = ["STATE_VERSION", "Saved", "fork", "load_state", "save_state", "time_of"]

STATE_VERSION = 1

_ABOUT = "about"
_VARIABLE = ("parts", "memory", "heap", "todo", "requests", "asked", "trace", "series")
"""Tables whose number of rows depends on the run and not on the model."""


class Saved(NamedTuple):
    """A restored state and what is needed to go on from it.

    Attributes:
        state: The state; nobody else holds it.
        draws: The streams of its seed and replication.
        seed: Seed of all streams.
        replication: Number of the replication.
        model_hash: Hash of the model that it belongs to.
        linewright_version: Version that wrote it.
    """

    state: t.State
    draws: t.Draws
    seed: int
    replication: int
    model_hash: str
    linewright_version: str


def fork(state: t.State) -> t.State:
    """Return a copy that goes its own way."""
    return t.State._make(array.copy() for array in state)


def save_state(
    path: str | os.PathLike[str],
    lowered: Lowered,
    state: t.State,
    seed: int,
    replication: int,
    model_hash: str,
) -> Path:
    """Write a state as one file, whole or not at all; return where it is.

    Raises:
        ResultError: The file cannot be written.
    """
    target = Path(path)
    about = {
        "state_version": STATE_VERSION,
        "linewright_version": __version__,
        "model_hash": model_hash,
        "seed": seed,
        "replication": replication,
        "calendar_ticks": lowered.tables.calendars["n"].tolist(),
        "rows": _rows_hash(lowered),
    }
    arrays: dict[str, Any] = dict(zip(state._fields, state, strict=True))
    arrays[_ABOUT] = np.frombuffer(json.dumps(about).encode(), np.uint8)

    def write(draft: Path) -> None:
        with draft.open("wb") as stream:
            np.savez_compressed(stream, **arrays)

    write_whole(target, write)
    return target


def _rows_hash(lowered: Lowered) -> str:
    """Return a hash of what the rows of a state's tables stand for."""
    names = lowered.names
    rows: tuple[object, ...] = (
        names.stations, names.servers, names.buffers, names.pools, names.products,
        names.operations, names.modes, names.orders,
        *names.skills[len(names.pools) :],
    )  # fmt: skip
    if names.fleets:
        rows = (*rows, names.fleets)
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def time_of(path: str | os.PathLike[str]) -> int:
    """Return the instant at which a state was saved, microseconds from the start.

    Raises:
        ResultError: The file is no state.
    """
    _, arrays = _read(Path(path))
    return int(arrays["clock"]["now"][0])


def load_state(
    path: str | os.PathLike[str],
    lowered: Lowered,
    model_hash: str,
    *,
    what_if: bool = False,
) -> Saved:
    """Read a state of a model.

    Args:
        path: File that `save_state` wrote.
        lowered: The model, laid out at least as far as when the state was saved.
        model_hash: The model's hash; a state of another model is refused.
        what_if: Take a state of another model, too, if both have the same stations,
            servers, buffers, people, skills, products, operations, failures, orders and
            fleets by name: the line as it stands goes on with other times and rules.

    Raises:
        ResultError: The file is no state, or one of another model or version.
    """
    about, arrays = _read(Path(path))
    if about["state_version"] != STATE_VERSION:
        msg = (
            f"{path} has state_version {about['state_version']}; this release reads "
            f"{STATE_VERSION}"
        )
        raise ResultError(msg)
    same_rows = what_if and about.get("rows") == _rows_hash(lowered)
    if about["model_hash"] != model_hash and not same_rows:
        msg = (
            f"{path} is a state of another model: its hash is "
            f"{str(about['model_hash'])[:12]}, that of this model is {model_hash[:12]}"
        )
        if what_if:
            msg += "; and the two differ in the names, or the order, of what they have"
        raise ResultError(msg)
    _bring_up_to_date(lowered, arrays)
    _check_form(path, lowered, arrays, str(about["linewright_version"]))
    state = t.State(**{name: arrays[name] for name in t.State._fields})
    _check_calendars(path, lowered, state, about["calendar_ticks"])
    seed, replication = int(about["seed"]), int(about["replication"])
    return Saved(
        state,
        new_draws(lowered, seed, replication),
        seed,
        replication,
        model_hash,
        str(about["linewright_version"]),
    )


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    keys = {"state_version", "model_hash", "seed", "replication", "calendar_ticks"}
    try:
        with path.open("rb") as stream:  # NumPy leaves one open that it cannot read
            if not zipfile.is_zipfile(stream):
                msg = "it is not a whole .npz file, as linewright state writes"
                raise ValueError(msg)
            stream.seek(0)
            file = np.load(stream, allow_pickle=False)
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays.pop(_ABOUT).tobytes())
        if missing := (keys | {"linewright_version"}) - about.keys():
            msg = f"it does not say {', '.join(sorted(missing))}"
            raise ValueError(msg)
    except (
        OSError, EOFError, KeyError, TypeError, ValueError, AttributeError,
        NotImplementedError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        reason = getattr(error, "strerror", None) or error
        msg = f"{path} is not a state that can be read: {reason}"
        raise ResultError(msg) from error
    return about, arrays


_GONE = {"together", "head", "tail", "n_waiting"}
"""Columns that an earlier release had and this one has not."""

_OF_PARTS = {"came": -1, "mate": -1}
"""Columns that an earlier release had not, and what stands there for "none"."""


def _bring_up_to_date(lowered: Lowered, arrays: dict[str, Any]) -> None:
    """Give what an earlier release wrote the columns and tables of this one.

    Such a state uses nothing that they are for: tables that were not there are as in a
    new state, new columns zero or "none", and in new modes no time was spent.
    """
    # a sheet of paper: who wrote the state may have had no rule that needs its room
    arrays["asked"] = np.zeros(t.ASKED_PARTS + len(arrays["parts"]), np.int64)
    like = new_state(lowered)
    arrays |= {name: getattr(like, name) for name in ("chain", "causes", "path")}
    _part_timers(arrays)
    _mark_common_failures(lowered, arrays)
    _move_lines(like, arrays)
    _put_orders_in_line(like, arrays)
    for name, fresh in zip(like._fields, like, strict=True):
        old = arrays.get(name)
        if old is None:
            n_slots = int(lowered.tables.settings[t.S_N_SLOTS])
            rows = len(arrays["parts"]) * n_slots
            arrays[name] = np.zeros(rows, np.int64) if name == "memory" else fresh
        elif fresh.dtype.names and old.dtype.names and old.dtype != fresh.dtype:
            if set(old.dtype.names) - _GONE <= set(fresh.dtype.names):
                new = zeros(fresh.dtype, len(old))
                for column in fresh.dtype.names:
                    if column in old.dtype.names:
                        new[column] = old[column]
                    elif name == "parts":
                        new[column] = _OF_PARTS.get(column, 0)
                arrays[name] = new
        elif name == "accounts" and old.ndim == 2 and old.shape[1] < fresh.shape[1]:
            new = zeros(fresh.dtype, *fresh.shape)
            if len(old) == len(new):
                new[:, : old.shape[1]] = old
                arrays[name] = new


def _part_timers(arrays: dict[str, Any]) -> None:
    """Part the keys of timers from the leaves; an earlier release had one table."""
    tree = arrays.get("tree")
    if tree is not None and set(tree.dtype.names or ()) == {"key", "leaf"}:
        arrays["tree"], arrays["winners"] = tree["key"].copy(), tree["leaf"].copy()


def _mark_common_failures(lowered: Lowered, arrays: dict[str, Any]) -> None:
    """Mark the failures of whole stations that an earlier release noted there.

    It had for each station the row of the failure that all of it has, counted from 1.
    """
    stations, modes = arrays.get("stations"), arrays.get("modes")
    if stations is None or modes is None or not modes.dtype.names:
        return
    if "together" not in (stations.dtype.names or ()):
        return
    new = zeros(t.MODE_STATE, len(modes))
    for column in modes.dtype.names:
        new[column] = modes[column]
    down = stations["together"][stations["together"] > 0] - 1
    new["active"][down] = 1
    arrays["modes"] = new


def _move_lines(like: t.State, arrays: dict[str, Any]) -> None:
    """Move those who wait for people from pools to the skills of the same names.

    An earlier release had no other skills, and the lines stood with the pools.
    """
    pools = arrays.get("pools")
    if pools is None or "n_waiting" not in (pools.dtype.names or ()):
        return
    skills = like.skills.copy()
    if len(pools) <= len(skills):
        for column in t.SKILL_STATE.names or ():
            skills[column][: len(pools)] = pools[column]
        arrays["skills"] = skills


def _put_orders_in_line(like: t.State, arrays: dict[str, Any]) -> None:
    """Give orders what the line says of them, and stations what their calendars say.

    An earlier release counted orders, and a station was on shift as its calendar is.
    """
    orders, clock, stations = map(arrays.get, ("orders", "clock", "stations"))
    if orders is not None and clock is not None and len(orders) == len(like.orders):
        is_counted = "next" not in (orders.dtype.names or ())
        new = like.orders.copy()  # another model may have other dates
        for column in ("done", "scrapped", "finished"):
            new[column] = orders[column]
        arrays["orders"] = new
        if is_counted and int(clock["next_order"][0]) >= len(orders):
            clock["next_order"] = -1
    if stations is None or "by_calendar" in (stations.dtype.names or ()):
        return
    if "shift" in (stations.dtype.names or ()) and len(stations) == len(like.stations):
        new = zeros(t.STATION_STATE, len(stations))
        for column in set(stations.dtype.names) & set(new.dtype.names or ()):
            new[column] = stations[column]
        new["by_calendar"] = stations["shift"]
        arrays["stations"] = new


def _check_form(
    path: str | os.PathLike[str],
    lowered: Lowered,
    arrays: dict[str, Any],
    version: str,
) -> None:
    """Raise where a table is not of the form that this release's kernel reads."""
    expected = new_state(lowered)
    for name, like in zip(expected._fields, expected, strict=True):
        array = arrays.get(name)
        fits = array is not None and array.dtype == like.dtype
        if fits and array is not None:
            n = 1 if name in _VARIABLE else 0
            fits = array.ndim == like.ndim and array.shape[n:] == like.shape[n:]
        if not fits:
            msg = (
                f"{path} was written by Linewright {version}, whose table of {name} "
                f"has another form than that of {__version__}"
            )
            raise ResultError(msg)


def _check_calendars(
    path: str | os.PathLike[str],
    lowered: Lowered,
    state: t.State,
    n_ticks: list[int],
) -> None:
    """Raise where a calendar had run out when saved and goes on, or ends earlier now.

    The timer of the next shift change is part of the state; past the last tick that
    was laid out there is none.
    """
    line = lowered.tables
    for c, calendar in enumerate(line.calendars):
        now, then = int(calendar["n"]), n_ticks[c]
        if calendar["n_stations"]:
            station = int(line.links[calendar["first_station"]])
            reached = int(state.stations["next_tick"][station])
        elif calendar["n_pools"]:
            pool = int(line.links[calendar["first_pool"]])
            reached = int(state.pools["next_tick"][pool])
        else:
            reached = int(state.windows["next_tick"][c])
        if now < min(reached + 1, then) or (now > then and reached >= then):
            msg = (
                f"{path} was saved with its calendars laid out to another time; lower "
                "the line with the horizon that it was saved with"
            )
            raise ResultError(msg)
