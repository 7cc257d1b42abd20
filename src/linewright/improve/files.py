"""What `bottleneck`, `losses` and `improve` leave in a folder, read for the brief.

A file may be cut off, edited by hand, or be about another model. All of that is found
here, and said with the name of the file, so that whoever shows the figures can trust
them. Numbers that JSON cannot hold stand there as null and are read as nan.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from linewright.errors import ResultError
from linewright.stats.intervals import Interval

__all__ = [
    "BOTTLENECK",
    "LOSSES",
    "PROPOSAL",
    "BottleneckFile",
    "Confirmed",
    "FrontierSet",
    "GoalTree",
    "ImprovementFile",
    "LossesFile",
    "Lost",
    "Method",
    "Share",
    "Strip",
    "read_bottleneck",
    "read_improvement",
    "read_losses",
]

BOTTLENECK = "bottleneck.json"
LOSSES = "losses.json"
PROPOSAL = "improvement.json"
_MOST_TOLD = 3
_MAIN = "critical_path"


def _filled(value: Any) -> Any:
    """Return an interval in which what is missing is not a number."""
    if not isinstance(value, Mapping):
        return value
    return {k: math.nan if v is None else v for k, v in value.items()}


_Interval = Annotated[Interval, BeforeValidator(_filled)]
_Share = Annotated[float, Field(ge=-1e-9, le=1 + 1e-9)]
_Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Time = Annotated[int, Field(ge=0)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


# ------------------------------------------------------------------ bottleneck


class Method(_Form):
    """What one method says: which station, how surely, and the score of each."""

    first: str
    tied: tuple[str, ...] = ()
    probability: dict[str, _Share]
    scores: dict[str, _Interval]

    @model_validator(mode="after")
    def _knows_its_stations(self) -> Self:
        known = set(self.scores)
        if set(self.probability) != known or not {self.first, *self.tied} <= known:
            msg = "its stations are not those that have a score"
            raise ValueError(msg)
        return self


class Strip(_Form):
    """Whose moment it was: share of each span of time, by span and station."""

    stations: tuple[str, ...] = ()
    edges_us: tuple[_Time, ...] = ()
    shares: tuple[tuple[_Share, ...], ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        n = max(0, len(self.edges_us) - 1)
        wide = {len(row) for row in self.shares}
        rising = all(a < b for a, b in zip(self.edges_us, self.edges_us[1:]))  # noqa: B905
        if len(self.shares) != n or not wide <= {len(self.stations)} or not rising:
            msg = "spans of time, stations and shares do not fit together"
            raise ValueError(msg)
        return self


class Share(_Form):
    """One kind of time at one place, and its share of the critical path."""

    kind: str
    place: str
    name: str
    elasticity: _Interval


class Confirmed(_Form):
    """A change that was tried: the gain that its share promised, and the one found."""

    change: str
    promised: _Interval
    gain: _Interval


class _About(_Form):
    model_hash: str
    seed: int
    seed_of_confirmation: int
    replications: Annotated[int, Field(ge=1)]
    warmup_us: _Time
    horizon_us: _Time
    confidence: Annotated[float, Field(gt=0, lt=1)]
    version: str


class BottleneckFile(_Form):
    """What holds a line back, and the worth of its times, as they were saved."""

    methods: dict[str, Method]
    strip: Strip = Strip()
    remarks: tuple[str, ...] = ()
    worth: tuple[Share, ...]
    doubts: tuple[str, ...] = ()
    wears: bool = False
    confirmed: tuple[Confirmed, ...] = ()
    about: _About

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if _MAIN not in self.methods:
            msg = f"methods has no {_MAIN}"
            raise ValueError(msg)
        known = set(self.methods[_MAIN].scores)
        others = [*(set(m.scores) for m in self.methods.values())]
        if not known or any(other != known for other in others):
            msg = "the methods do not have the same stations"
            raise ValueError(msg)
        if not set(self.strip.stations) <= known:
            msg = "the strip has other stations than the methods"
            raise ValueError(msg)
        return self

    @property
    def path(self) -> Method:
        """Return what the critical path says, which is what counts."""
        return self.methods[_MAIN]


# ------------------------------------------------------------------ losses


class Lost(_Form):
    """What a cause takes away: its share of the gap, and its effect alone."""

    cause: str
    lost: _Interval = Field(validation_alias=AliasChoices("units_per_h", "units"))
    alone: _Interval


class _Tree(_Form):
    ideal: _Interval
    actual: _Interval
    losses: tuple[Lost, ...]

    @model_validator(mode="after")
    def _sums_to_the_gap(self) -> Self:
        gap = self.ideal.mean - self.actual.mean
        total = sum(one.lost.mean for one in self.losses)
        size = max(abs(self.ideal.mean), abs(self.actual.mean), 1e-9)
        if abs(total - gap) > 1e-6 * size:
            msg = "its losses do not sum to the gap"
            raise ValueError(msg)
        return self


class GoalTree(_Tree):
    """From the ideal line to what is made in the span of a goal, in units."""

    target: str
    goal: str
    product: str
    asked: _Time
    since_us: _Time
    by_us: _Time


class _LossesAbout(_Form):
    model_hash: str
    seed: int
    replications: Annotated[int, Field(ge=1)]
    warmup_us: _Time
    horizon_us: _Time
    confidence: Annotated[float, Field(gt=0, lt=1)]
    version: str


class LossesFile(_Form):
    """Where units are lost, as it was saved: of a run by the hour, or of targets.

    Attributes:
        whole: Of a run, in good units an hour; None if it is of targets.
        targets: Of each goal, in units.
        is_exact: Whether all sets of causes were run, or orders were drawn.
        n_runs: Runs in all.
        about: What was run.
    """

    whole: _Tree | None = None
    targets: tuple[GoalTree, ...] = ()
    is_exact: bool
    n_runs: int
    about: _LossesAbout

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "ideal" in value:
            tree = {key: value.get(key) for key in ("ideal", "actual", "losses")}
            return {**value, "whole": tree}
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.whole is None and not self.targets:
            msg = "it has losses neither of a run nor of targets"
            raise ValueError(msg)
        return self


# ------------------------------------------------------------------ improvement


class FrontierSet(_Form):
    """A set of options that was looked at."""

    options: tuple[str, ...]
    cost: _Cost
    gain: _Interval
    replications: int


class _Item(_Form):
    name: str
    cost: _Cost
    lead_time_us: _Time = 0
    note: str = ""


class _Found(_Form):
    chosen: tuple[str, ...]
    items: tuple[_Item, ...] = ()
    cost: _Cost
    budget: _Cost
    lead_time_us: _Time
    changes: dict[str, Any]
    base: _Interval
    gain: _Interval
    relative_gain: _Interval
    guarantee: str
    remarks: tuple[str, ...] = ()
    is_complete: bool
    is_exhaustive: bool
    candidates: tuple[FrontierSet, ...]
    frontier: tuple[FrontierSet, ...]
    n_evaluations: int
    model_hash: str
    changed_hash: str
    objective: str
    seed: int
    version: str


class _Study(_Form):
    objective: str
    indifference: float
    confidence: Annotated[float, Field(gt=0, lt=1)]
    replications: Annotated[int, Field(ge=1)]
    warmup_us: _Time
    horizon_us: _Time

    @property
    def is_chance(self) -> bool:
        """Whether a chance to meet targets was sought: gains are in points then."""
        return self.objective.partition(":")[0] == "target"


class ImprovementFile(_Form):
    """The best set of options for a budget, as it was saved."""

    improvement: _Found
    study: _Study


# ------------------------------------------------------------------ reading

_File = TypeVar("_File", BottleneckFile, LossesFile, ImprovementFile)


def read_bottleneck(
    path: str | os.PathLike[str], model_hash: str = ""
) -> BottleneckFile:
    """Return what `linewright bottleneck --out` left.

    Args:
        path: The file, or the folder that it lies in.
        model_hash: Of the model that it must be about; empty for any.

    Raises:
        ResultError: It is not there, cannot be read, or is about another model.
    """
    file = _in(path, BOTTLENECK)
    found = _read(BottleneckFile, file, "bottleneck MODEL --out DIR")
    _is_about(file, found.about.model_hash, model_hash, "bottleneck")
    return found


def read_improvement(
    path: str | os.PathLike[str], model_hash: str = ""
) -> ImprovementFile:
    """Return what `linewright improve` left; else as `read_bottleneck`."""
    file = _in(path, PROPOSAL)
    found = _read(ImprovementFile, file, "improve MODEL ... --out DIR")
    _is_about(file, found.improvement.model_hash, model_hash, "improve")
    return found


def read_losses(path: str | os.PathLike[str], model_hash: str = "") -> LossesFile:
    """Return what `linewright losses --out` left; else as `read_bottleneck`."""
    file = _in(path, LOSSES)
    found = _read(LossesFile, file, "losses MODEL --out DIR")
    _is_about(file, found.about.model_hash, model_hash, "losses")
    return found


def _in(path: str | os.PathLike[str], name: str) -> Path:
    found = Path(path)
    return found / name if found.is_dir() else found


def _read(form: type[_File], file: Path, verb: str) -> _File:
    try:
        text = file.read_bytes()
    except OSError as error:
        msg = (
            f"{file} cannot be read: {error.strerror or error}; "
            f"`linewright {verb}` writes it"
        )
        raise ResultError(msg) from error
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        told = [_told(one) for one in error.errors(include_url=False)]
        more = len(told) - _MOST_TOLD
        rest = f"; and {more} more" if more > 0 else ""
        msg = (
            f"{file} is not what `linewright {verb}` writes, or was cut off: "
            f"{'; '.join(told[:_MOST_TOLD])}{rest}"
        )
        raise ResultError(msg) from error


def _told(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    return f"{where}: {error['msg']}" if where else str(error["msg"])


def _is_about(file: Path, found: str, wanted: str, verb: str) -> None:
    if wanted and found != wanted:
        msg = (
            f"{file} is about another model: it is about {found[:12]}, the brief about "
            f"{wanted[:12]}; run `linewright {verb}` again"
        )
        raise ResultError(msg)
