"""A fitted model written down: the model file, what it rests on, and its samples.

Three files that belong together: ``plant.yaml`` with a comment for each input,
``plant-evidence.json`` with all that was found, and ``plant-times.csv`` with the times
that no distribution fits, if there are some. The evidence names the model's hash, so
that it is not taken for the evidence of another.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linewright.errors import Finding, ModelError
from linewright.fit.distributions import FEW, Candidate, Fit, ParameterInterval
from linewright.fit.fitting import Fitted
from linewright.fit.log import UNKNOWN
from linewright.model.line import Line
from linewright.model.load import dumps_plain, load, loads, model_hash, write_whole
from linewright.units import format_duration
from linewright.version import __version__

__all__ = [
    "Evidence",
    "comment_of",
    "evidence_path",
    "line_of",
    "read_evidence",
    "save_fitted",
    "with_fits",
]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the inputs of a fitted model rest on, as it was read from its file.

    Attributes:
        path: The file.
        fits: Every distribution, by what it is for.
        held_back_from_us: From when on the log was not used, or `UNKNOWN`.
        is_changed: Whether the model was changed since.
        said: All of it.
    """

    path: Path
    fits: dict[str, Fit]
    held_back_from_us: int
    is_changed: bool
    said: dict[str, Any]


def line_of(found: Fitted) -> Line:
    """Return the fitted line, its samples inside.

    Raises:
        ModelError: The model that was found cannot be one.
    """
    data = with_fits(found.data, _plain_values)
    return loads(dumps_plain(data))


def _plain_values(fit: Fit) -> Any:
    d = fit.distribution()
    if fit.kind == "empirical":
        return {"empirical": {"values": [f"{v} us" for v in d.values_us]}}
    return str(d)


def with_fits(value: Any, written: Callable[[Fit], Any]) -> Any:
    """Return data with each `Fit` in it written out."""
    if isinstance(value, Fit):
        return written(value)
    if isinstance(value, dict):
        return {key: with_fits(below, written) for key, below in value.items()}
    if isinstance(value, list):
        return [with_fits(below, written) for below in value]
    return value


def places_of(data: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """Return where in a model each of its fits stands, by the name of the fit.

    Args:
        data: As of `Fitted`. A step of a route goes by its operation.
    """
    found: dict[str, list[tuple[str, ...]]] = {}

    def look(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, Fit):
            found.setdefault(value.name, []).append(path)
        elif isinstance(value, dict):
            for key, below in value.items():
                look(below, (*path, key))
        elif isinstance(value, list):
            for below in value:
                if isinstance(below, dict):
                    look(below, (*path, below["operation"]))

    look({key: data[key] for key in ("stations", "products")}, ())
    return found


def evidence_path(model: str | Path) -> Path:
    """Return where the evidence of a model lies."""
    path = Path(model)
    return path.with_name(f"{path.stem}-evidence.json")


def save_fitted(found: Fitted, path: str | Path) -> tuple[Path, ...]:
    """Write a fitted model with its evidence; return the files, the model first.

    Raises:
        ModelError: A file cannot be written, or the model that was found cannot be one.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    line_of(found)  # what is wrong with it is said before anything is written
    samples = [fit for fit in found.fits.values() if fit.kind == "empirical"]
    beside = target.with_name(f"{target.stem}-times.csv")
    columns = {fit.name: f"{i + 1} {fit.name}" for i, fit in enumerate(samples)}
    written = [target]
    if samples:
        write_whole(beside, _csv(samples, columns))
        written.append(beside)

    def text_of(fit: Fit) -> Any:
        if fit.kind != "empirical":
            return str(fit.distribution())
        where = {"file": beside.name, "column": columns[fit.name], "unit": "s"}
        return {"empirical": where}

    data = with_fits(found.data, text_of)
    write_whole(target, _commented(dumps_plain(data), found))
    said = evidence_of(found) | {"model_hash": model_hash(load(target))}
    text = json.dumps(_finite(said), indent=1, ensure_ascii=False) + "\n"
    write_whole(evidence_path(target), text)
    return (*written, evidence_path(target))


def _csv(samples: list[Fit], columns: dict[str, str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([columns[fit.name] for fit in samples])
    rows = zip(*(fit.quantiles_s for fit in samples), strict=True)
    writer.writerows([f"{value:.6f}" for value in row] for row in rows)
    return out.getvalue()


# ---------------------------------------------------------------- comments


def comment_of(fit: Fit) -> str:
    """Return what a distribution rests on, in one line."""
    low, high = (format_duration(v * 1e6) for v in _mean_interval(fit))
    mean = format_duration(fit.mean_s * 1e6)
    text = f"{fit.n:,} times, mean {mean} ({low} to {high})"
    chosen = fit.chosen
    if fit.kind == "empirical":
        text += "; stands for itself"
    elif fit.kind == "constant":
        text += "; constant"
    elif chosen is not None:
        text += f"; {fit.kind}"
        if math.isfinite(chosen.ad_p):
            text += f", Anderson-Darling p = {chosen.ad_p:.2g}"
    if fit.n < FEW:
        text += f"; fewer than {FEW}, do not rely on it"
    return text


def _mean_interval(fit: Fit) -> tuple[float, float]:
    high = fit.mean_high_s if math.isfinite(fit.mean_high_s) else fit.mean_s
    return max(fit.mean_low_s, 0.0), high


def _commented(text: str, found: Fitted) -> str:
    """Return the text of a model with what each part rests on above it."""
    lines = [f"# {one}" for one in _head(found)]
    places: Iterator[list[str]] = iter(())
    comments: dict[str, Iterator[list[str]]] = {
        "stations": iter([_of_station(found, name) for name in found.stations]),
        "products": iter([_of_product(found, name) for name in found.routes]),
        "calendars": iter([[one.note] for one in found.calendars.values()]),
    }
    for row in text.splitlines():
        if not row.startswith(" "):
            places = comments.get(row.partition(":")[0], iter(()))
        elif row.startswith("  ") and row[2] not in " #-":
            said: list[str] = next(places, [])
            lines += [f"  # {one}" for one in said]
        lines.append(row)
    return "\n".join(lines) + "\n"


def _head(found: Fitted) -> Iterator[str]:
    log = found.log
    begin, close = (_date(us) for us in (log.begin_us, log.close_us))
    yield f"Fitted by Linewright {__version__} to {Path(log.source).name}: "
    yield f"  {len(log):,} rows, {len(log.cases):,} cases, {begin} to {close} (UTC)."
    if found.held_back_from_us != UNKNOWN:
        yield f"  What came from {_date(found.held_back_from_us)} on was held back."
    yield "What each input rests on stands above it; more is in the file of evidence."
    if found.unknown:
        yield "Cannot be known from this log:"
        yield from (f"- {one}" for one in found.unknown)
    if found.notes:
        yield "What was assumed, or left out:"
        yield from (f"- {one}" for one in found.notes)


def _date(us: int) -> str:
    return str(np.datetime64(int(us), "us"))[:16].replace("T", " ")


def _of_station(found: Fitted, name: str) -> list[str]:
    prefix = f"stations.{name}."
    lines = []
    seen = found.stations[name]
    if not seen.is_said:
        lines.append(
            f"at most {seen.at_once} at work at once in {seen.n_visits:,} visits"
        )
    if name in found.queues:
        lines.append(str(found.queues[name]))
    for path, fit in found.fits.items():
        if path.startswith(prefix):
            lines.append(f"{path.removeprefix(prefix)}: {comment_of(fit)}")
    return lines


def _of_product(found: Fitted, name: str) -> list[str]:
    route = found.routes[name]
    lines = [
        f"{route.n_cases:,} cases, {route.n_ways:,} ways; what comes next is right "
        f"with chance {route.likely:.0%}"
    ]
    prefix = f"products.{name}."
    for path, fit in found.fits.items():
        if path.startswith(prefix):
            lines.append(f"{path.removeprefix(prefix)}: {comment_of(fit)}")
    return lines


# ---------------------------------------------------------------- evidence


def evidence_of(found: Fitted) -> dict[str, Any]:
    """Return all that was found, as plain values."""
    log = found.log
    held = None if found.held_back_from_us == UNKNOWN else found.held_back_from_us
    places = places_of(found.data)
    return {
        "linewright_version": __version__,
        "seed": found.seed,
        "log": {
            "source": Path(log.source).name,
            "rows": len(log),
            "cases": len(log.cases),
            "begin_us": log.begin_us,
            "close_us": log.close_us,
            "zone": log.zone,
            "problems": [asdict(one) for one in (*log.problems, *found.problems)],
        },
        "held_back_from_us": held,
        "inputs": [
            _input(fit) | {"places": places.get(fit.name, [])}
            for fit in found.fits.values()
        ],
        "shares": [asdict(one) for one in found.shares],
        "stations": {name: asdict(seen) for name, seen in found.stations.items()},
        "queues": {name: asdict(seen) for name, seen in found.queues.items()},
        "waits_s": {n: {"mean": w, "n": k} for n, (w, k) in found.waits_s.items()},
        "setups": {
            name: {
                "n": s.n,
                "n_visits": s.n_visits,
                "after_change": s.after_change,
                "after_same": s.after_same,
                "is_each": s.is_each,
            }
            for name, s in found.setups.items()
        },
        "calendars": {
            name: {"n": one.n, "outside": one.outside, "note": one.note}
            for name, one in found.calendars.items()
        },
        "routes": {
            name: {
                "cases": route.n_cases,
                "ways": route.n_ways,
                "likely": route.likely,
                "missed": route.missed,
                "steps": [_step(log.activities, step) for step in route.steps],
            }
            for name, route in found.routes.items()
        },
        "unknown": found.unknown,
        "notes": found.notes,
    }


def _input(fit: Fit) -> dict[str, Any]:
    about = asdict(fit)
    text = str(fit.distribution())
    return {"name": about.pop("name"), "distribution": text, **about}


def _step(activities: tuple[str, ...], step: Any) -> dict[str, Any]:
    about = asdict(step)
    about["activity"] = activities[step.activity]
    for key, n in (("sample", step.n_passed), ("rework", step.n_visits)):
        about[f"{key}_interval"] = list(_wilson(about[key], n))
    return about


def _wilson(share: float, n: int) -> tuple[float, float]:
    from linewright.stats.intervals import wilson_interval  # noqa: PLC0415 - only here

    if n < 1:
        return 0.0, 1.0
    found = wilson_interval(round(share * n), n)
    return found.low, found.high


def _finite(value: Any) -> Any:
    """Return a value that JSON can hold: numbers that are none become null."""
    if isinstance(value, dict):
        return {key: _finite(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(below) for below in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_evidence(model: str | Path, line: Line) -> Evidence | None:
    """Return the evidence beside a model; none if there is none.

    Args:
        model: The model file.
        line: The line in it.

    Raises:
        ModelError: The evidence cannot be read.
    """
    path = evidence_path(model)
    if not path.is_file():
        return None
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        fits = {one["name"]: _fit(one) for one in said["inputs"]}
        held = said["held_back_from_us"]
        own_hash = said["model_hash"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"is no evidence of a model: {error}"
        raise ModelError([Finding("LW607", msg, file=str(path))]) from error
    is_changed = own_hash != model_hash(line)
    return Evidence(
        path, fits, UNKNOWN if held is None else int(held), is_changed, said
    )


def _fit(said: dict[str, Any]) -> Fit:
    def number(value: Any) -> float:
        return math.nan if value is None else float(value)

    return Fit(
        name=said["name"],
        n=said["n"],
        kind=said["kind"],
        parameters=tuple(said["parameters"]),
        quantiles_s=tuple(said["quantiles_s"]),
        mean_s=said["mean_s"],
        sd_s=said["sd_s"],
        mean_low_s=number(said["mean_low_s"]),
        mean_high_s=number(said["mean_high_s"]),
        intervals=tuple(ParameterInterval(**one) for one in said["intervals"]),
        covariance=tuple(tuple(row) for row in said["covariance"]),
        candidates=tuple(
            Candidate(
                kind=one["kind"],
                parameters=tuple(one["parameters"]),
                **{k: number(one[k]) for k in ("aicc", "ks", "ks_p", "ad", "ad_p")},
            )
            for one in said["candidates"]
        ),
        plot=tuple(tuple(row) for row in said["plot"]),
        notes=tuple(said["notes"]),
    )
