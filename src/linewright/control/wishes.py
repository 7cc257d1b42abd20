"""The form of what people ask: which wishes there are, and their fields."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)

from linewright.model.explain import did_you_mean, listed

__all__ = ["MOST_TEXT", "WISHES", "Wish", "plain_text", "read_wish", "shown"]

MOST_TEXT = 500
_MOST_NAME = 120
_MOST_UNITS = 1_000_000


def plain_text(text: Any, most: int = MOST_TEXT) -> str:
    """Return a text that can be shown anywhere, as it is.

    Raises:
        ValueError: It is no text, empty, too long, or has characters that cannot be
            printed, such as the end of a line.
    """
    if not isinstance(text, str) or not text.strip():
        msg = "it is empty"
        raise ValueError(msg)
    if len(text) > most:
        msg = f"it has {len(text):,} characters; {most} are allowed"
        raise ValueError(msg)
    if not text.isprintable():
        msg = f"{text[:40]!r} has characters that cannot be printed"
        raise ValueError(msg)
    return text.strip()


def shown(text: Any, most: int) -> str:
    """Return any text as it can be shown and written, cut and with question marks."""
    cut = str(text)[:most]
    return "".join(one if one.isprintable() else "?" for one in cut)


def _name(text: Any) -> str:
    return plain_text(text, _MOST_NAME)


Name = Annotated[
    str, BeforeValidator(_name), Field(min_length=1, max_length=_MOST_NAME)
]
Time = Annotated[int, Field(strict=True, ge=0, lt=1 << 58)]
Number = Annotated[int, Field(strict=True, ge=-_MOST_UNITS, le=_MOST_UNITS)]


class Wish(BaseModel):
    """Something that can be asked; its fields are those of a request's data."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _NewOrder(Wish):
    product: Name
    quantity: Annotated[int, Field(strict=True, ge=1, le=_MOST_UNITS)]
    name: Name | None = None
    release_us: Time | None = None
    due_us: Time | None = None
    priority: Number | None = None
    is_held: StrictBool = False


class _OfOrder(Wish):
    order: Name


class _ReleaseOrder(_OfOrder):
    is_now: StrictBool = False


class _OrderPriority(_OfOrder):
    priority: Number


class _Stations(Wish):
    stations: tuple[Name, ...] = ()


class _HoldStations(_Stations):
    is_now: StrictBool = False


class _OfUnit(Wish):
    unit: Name


class _UnitHere(_OfUnit):
    station: Name


class _OfGate(Wish):
    gate: Name


class _OfJob(Wish):
    job: Name


class _OfAlarm(Wish):
    alarm: Annotated[int, Field(strict=True, ge=1, lt=1 << 53)]


class _JobDone(_OfJob):
    verdict: Literal["pass", "rework", "scrap"] = "pass"


_Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Row = Annotated[int, Field(strict=True, ge=0, le=_MOST_UNITS)]
_Text = Annotated[str, Field(strict=True, max_length=_MOST_NAME)]
_Job = tuple[_Text, Name, Time | None, Number, _Text]
_Planned = tuple[_Row, Name, Name, _Row, Time, Time, _Text]


class _Schedule(Wish):
    """What a line that follows a schedule needs of it; see `schedule.following`."""

    hash: _Hash
    jobs: tuple[_Job, ...] = ()
    operations: tuple[_Planned, ...] = ()

    @model_validator(mode="after")
    def _knows_its_parts(self) -> _Schedule:
        n = len(self.jobs)
        if not all(0 <= one[0] < n for one in self.operations):
            msg = "an operation is of a part that is not among the jobs"
            raise ValueError(msg)
        if len({one[0] for one in self.operations}) < n:
            msg = "a part has no operations"
            raise ValueError(msg)
        if len({one[:2] for one in self.jobs}) < n:
            msg = "a part stands twice among the jobs"
            raise ValueError(msg)
        return self


WISHES: dict[str, type[Wish]] = {
    "order": _NewOrder,
    "schedule": _Schedule,
    "order hold": _OfOrder,
    "order release": _ReleaseOrder,
    "order cancel": _OfOrder,
    "order priority": _OrderPriority,
    "hold": _HoldStations,
    "resume": _Stations,
    "unit scrapped": _OfUnit,
    "unit good": _OfUnit,
    "unit here": _UnitHere,
    "gate release": _OfGate,
    "job done": _JobDone,
    "job not done": _OfJob,
    "alarm settled": _OfAlarm,
}
"""What can be asked, and the fields that belong to it."""


_NEED_WHY = frozenset({"gate release"})
"""What is done only with a reason: it is a decision, and stands in the journal."""


def read_wish(what: str, by: str, why: str, data: dict[str, Any]) -> Wish | str:
    """Return what is asked, or all that is wrong with how it is said."""
    wish = WISHES.get(what)
    if wish is None:
        hint = did_you_mean(str(what), WISHES) or f"there are {listed(WISHES)}"
        return f'nobody can ask for "{shown(what, 40)}"; {hint}'
    wrong = []
    for name, text in (("by", by), ("why", why)):
        try:
            if name == "by" or text:
                plain_text(text)
        except ValueError as error:
            wrong.append(f"{name}: {error}")
    if what in _NEED_WHY and not why:
        wrong.append("why: it is empty; say what it was, it stands in the journal")
    try:
        found = wish.model_validate(data)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            where = ".".join(str(key) for key in one["loc"]) or "data"
            text = one["msg"].removeprefix("Value error, ")
            hint = ""
            if one["type"] == "extra_forbidden":
                text = f"is no field; there are {listed(wish.model_fields)}"
            elif one["type"] != "missing":
                hint = f", found {str(one['input'])[:40]!r}"
            wrong.append(f"{shown(where, 40)}: {text}{hint}")
    return "; ".join(wrong) if wrong else found
