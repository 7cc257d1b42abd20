"""What the line is: one frozen object, the same from a file and from Python.

Start reading here. Every class is one noun of the model file and every attribute one
key of it, with the same name. Quantities are held in microseconds (`Duration`) or as a
`Distribution`. Names refer to other parts of the model; whether they exist, and whether
the whole makes sense, is the business of `check`. Dates are local wall-clock times of
the line's time zone; they become ticks in `calendars` and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationInfo,
    model_validator,
)

from linewright.model.distribution import Distribution
from linewright.model.outside import counts_outside, values_outside
from linewright.model.values import (
    ByProduct,
    ClockTime,
    Count,
    Deadline,
    Duration,
    Emissions,
    EnergyPrice,
    Flag,
    Interval,
    Joules,
    Length,
    LocalDate,
    LocalTime,
    Moment,
    Money,
    MoneyOrGain,
    Name,
    Places,
    Priority,
    Probability,
    Rate,
    Slots,
    Speed,
    Title,
    Watts,
    pick,
)
from linewright.units import parse_duration_us

__all__ = [
    "SCHEMA_VERSION",
    "Attendance",
    "Batch",
    "BomItem",
    "Buffer",
    "Calendar",
    "CalendarException",
    "Change",
    "Characteristic",
    "Charge",
    "CommonFailure",
    "Conveyor",
    "Demand",
    "Energy",
    "EnergyUse",
    "EveryNth",
    "Failure",
    "Fleet",
    "Gate",
    "InProcess",
    "InProcessFile",
    "Inspection",
    "Late",
    "Layout",
    "Learning",
    "Line",
    "Loop",
    "Maintenance",
    "Material",
    "MaterialLot",
    "Order",
    "OrderFile",
    "Overtime",
    "Pause",
    "Place",
    "PlannedOvertime",
    "Planning",
    "Pool",
    "PoolChange",
    "PoolCost",
    "Power",
    "Product",
    "ProductCost",
    "PythonRule",
    "RampPoint",
    "RampUp",
    "Release",
    "Room",
    "Setup",
    "Shift",
    "Station",
    "StationChange",
    "StationCost",
    "Step",
    "Study",
    "Target",
    "TargetRamp",
    "TimeLimit",
    "Tool",
    "Transport",
]

SCHEMA_VERSION = 1

DISPATCH_RULES = Literal[
    "fifo",
    "priority",
    "earliest_due_date",
    "shortest_processing_time",
    "critical_ratio",
    "least_setup",
]
DispatchRule = Annotated[
    DISPATCH_RULES, Field(description="A rule by which waiting parts are put in order.")
]
SHIFT_END_RULES = Literal["interrupt", "finish", "fit"]
CLOCKS = Literal["processing", "operating", "calendar", "cycles", "units"]


class Noun(BaseModel):
    """Base of every part of the model: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _added(default: Any, description: str) -> Any:
    """Return a key of a later release, which is not written while it is the default.

    So the hash of a model that does not use it is what it was.
    """
    return Field(
        default, description=description, exclude_if=lambda value: value == default
    )


# ---------------------------------------------------------------- calendars


class Pause(Noun):
    """A break inside a shift."""

    start: ClockTime = Field(alias="from", description="Local time of day.")
    end: ClockTime = Field(alias="to", description="Local time of day.")


class Shift(Noun):
    """A span of work on some days of the week; it may pass midnight.

    A shift whose `to` is not after its `from` ends on the next day and belongs to the
    day on which it began.
    """

    days: str = Field(
        "mon-sun",
        description="Days on which it begins: `mon-fri`, `sat` or `mon, wed, fri`.",
    )
    start: ClockTime = Field(alias="from", description="Local time of day.")
    end: ClockTime = Field(
        alias="to", description="Local time of day; not after `from`: on the next day."
    )
    breaks: tuple[Pause, ...] = Field((), description="Breaks, each inside the shift.")


class CalendarException(Noun):
    """What holds on one date or a span of dates instead of the weekly pattern."""

    start: LocalDate = Field(alias="from", description="First date.")
    end: LocalDate | None = Field(
        None, alias="to", description="Last date, inclusive; the first by default."
    )
    shifts: tuple[Shift, ...] = Field((), description="Empty: nobody works.")


Holiday = Annotated[
    Annotated[LocalDate, Tag("<date>")] | Annotated[CalendarException, Tag("<span>")],
    pick(((Mapping, CalendarException), "<span>"), other="<date>"),
]


class Calendar(Noun):
    """When stations are on shift. No shifts at all means always on."""

    shifts: tuple[Shift, ...] = Field((), description="The weekly pattern.")
    holidays: tuple[Holiday, ...] = Field(
        (), description="Dates, or `{from, to}` spans, on which no shift begins."
    )
    exceptions: tuple[CalendarException, ...] = Field(
        (), description="Dates with shifts of their own, holidays or not."
    )


# ---------------------------------------------------------------- energy and cost


class Energy(Noun):
    """What energy costs and emits; stations say how much they take."""

    price: EnergyPrice | None = Field(None, description="Price of energy.")
    emissions: Emissions | None = Field(None, description="CO2 for each kWh.")


class Power(Noun):
    """Power that each server of a station takes, by what it does.

    The states are those of the results. A power alone, such as `12 kW`, is that of
    `processing`. A state without a power of its own takes that of `idle` if it is one
    in which the server stands ready, else none.
    """

    processing: Watts | None = Field(None, description="While it works on a part.")
    idle: Watts | None = Field(
        None,
        description="In each of `starved`, `blocked`, `waiting`, `setup`, `loading` "
        "and `break` that is not named.",
    )
    starved: Watts | None = Field(None, description="Without a part to work on.")
    blocked: Watts | None = Field(None, description="With nowhere to put its part.")
    waiting: Watts | None = Field(
        None, description="Without the people, tool or material it needs."
    )
    setup: Watts | None = Field(None, description="While it is set up.")
    loading: Watts | None = Field(None, description="While loaded or unloaded.")
    failed: Watts | None = Field(
        None, description="While broken down; none by default."
    )
    maintenance: Watts | None = Field(
        None, description="While it is maintained; none by default."
    )
    break_: Watts | None = Field(None, alias="break", description="On a break.")
    off_shift: Watts | None = Field(
        None, description="While no shift is planned; none by default."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        is_long = isinstance(value, Mapping | Power)
        return value if is_long else {"processing": value}


class EnergyUse(Noun):
    """Energy that a station takes at once, beside what its power adds up to."""

    per_part: Joules | None = Field(None, description="For each part completed.")
    per_batch: Joules | None = Field(None, description="For each batch begun.")
    per_setup: Joules | None = Field(None, description="For each setup begun.")


class StationCost(Noun):
    """What a station costs. Hours are those of each of its servers."""

    per_calendar_hour: Money | None = Field(
        None, description="Around the clock, as for space and depreciation."
    )
    per_shift_hour: Money | None = Field(
        None, description="On shift: in all states but `break` and `off_shift`."
    )
    per_working_hour: Money | None = Field(
        None, description="At work: in the state `processing`, as for tools and gas."
    )
    per_part: Money | None = Field(
        None, description="For each part completed, whatever the verdict."
    )
    per_batch: Money | None = Field(None, description="For each batch begun.")
    per_setup: Money | None = Field(None, description="For each setup begun.")
    per_repair: Money | None = Field(
        None, description="For each failure, and planned maintenance, that begins."
    )


class PoolCost(Noun):
    """What people cost, each of them."""

    per_shift_hour: Money | None = Field(
        None, description="On shift by their calendar, at work or not; breaks are not."
    )
    per_working_hour: Money | None = Field(
        None, description="At work, as for people who are called in."
    )


class ProductCost(Noun):
    """What a unit costs beside the time of stations and people."""

    material: Money | None = Field(
        None, description="For each unit that comes into the line."
    )
    scrap: MoneyOrGain | None = Field(
        None, description="For each unit scrapped; below zero: what is got for it."
    )
    holding_per_day: Money | None = Field(
        None, description="For each unit in the line, in a store or not, by the day."
    )


# ---------------------------------------------------------------- stations


_COUNTED = {"cycle": "cycles", "cycles": "cycles", "unit": "units", "units": "units"}


def _read_counts(value: Any) -> Any:
    """Read `500 cycles` and `1000 units`, and take the clock from `every`."""
    if not isinstance(value, Mapping):
        return value
    value = dict(value)
    for key in ("first", "every"):
        if isinstance(text := value.get(key), str):
            number, _, unit = text.strip().partition(" ")
            if unit in _COUNTED and number.isdecimal() and len(number) < 20:
                value[key] = int(number)
                if key == "every":
                    value.setdefault("clock", _COUNTED[unit])
    return value


People = Annotated[
    Annotated[Name, Tag("<name>")]
    | Annotated[dict[Name, Count], Field(min_length=1, max_length=1), Tag("<number>")],
    pick((Mapping, "<number>"), other="<name>"),
    Field(
        description="One of a pool of people, or who has a skill; `{name: number}`: "
        "so many, all of one pool."
    ),
]


def _read_tools(value: Any) -> Any:
    """Read tools that are one name, or a list of names."""
    if not isinstance(value, Mapping):
        return value
    tools = value.get("tools")
    if isinstance(tools, str):
        return {**value, "tools": {tools: 1}}
    if isinstance(tools, list | tuple):
        return {**value, "tools": _counted("tools", tools)}
    return value


def _counted(key: str, names: list[Any] | tuple[Any, ...]) -> dict[str, int]:
    if not all(isinstance(name, str) for name in names):
        msg = f"{key} is a list of names, or {{name: quantity}}"
        raise ValueError(msg)
    return dict(Counter(names))


def _tools(what: str) -> Any:
    """Return the key of the tools that something needs, which it did not have once."""
    text = f"Tools {what}: a name, a list, or `{{name: number}}`."
    return _added({}, text)


class Failure(Noun):
    """One way in which a server fails.

    `every` is the time to failure, measured on `clock`: `processing` time (the default:
    it stands while the server is starved, blocked or down), `operating` time (on shift
    and up), `calendar` time (always, except while this failure is being repaired), a
    number of `cycles` (parts finished, a batch counts once), or a number of `units`.
    """

    every: Interval = Field(
        description="Time to failure on `clock`, or a count such as `500 cycles`."
    )
    first: Interval | None = _added(
        None, description="Time to the first one, if it is another than `every`."
    )
    repair: Distribution = Field(description="Time to repair.")
    clock: CLOCKS = Field("processing", description="What the time to failure counts.")
    part: Literal["resume", "restart", "scrap"] = Field(
        "resume", description="What becomes of the part that was being processed."
    )
    together: Flag = Field(
        False, description="All servers of the station fail and are repaired as one."
    )
    crew: People | None = _added(
        None, description="People for whom the repair waits; `people: {repair}` else."
    )
    steps: Count = _added(
        1,
        description="Steps of wear until it fails; `every` is then the time of one.",
    )
    spares: Annotated[int, Field(ge=0, le=100_000, strict=True)] | None = _added(
        None,
        description="Spare components of the station. What fails is swapped for one, "
        "or waits for one, and is repaired beside the line, each by itself.",
    )
    swap: Distribution | None = _added(
        None, description="Time to swap a failed component; none by default."
    )
    tools: dict[Name, Count] = _tools("for which the repair waits, and has to its end")

    _counts = model_validator(mode="before")(_read_counts)
    _names = model_validator(mode="before")(_read_tools)


class CommonFailure(Noun):
    """A failure that stops several stations at once, such as that of a compressor.

    Its clock is the calendar. A server that is down for another reason stays down until
    both are repaired.
    """

    stations: tuple[Name, ...] = Field(
        min_length=1, description="Stations that it stops, with all their servers."
    )
    every: Distribution = Field(description="Time to failure, from the last repair.")
    first: Distribution | None = Field(
        None, description="Time to the first one, if it is another than `every`."
    )
    repair: Distribution = Field(description="Time to repair.")
    part: Literal["resume", "restart", "scrap"] = Field(
        "resume", description="What becomes of the parts that were being processed."
    )
    crew: People | None = Field(None, description="People for whom the repair waits.")
    tools: dict[Name, Count] = _tools("for which the repair waits, and has to its end")

    _names = model_validator(mode="before")(_read_tools)


class Maintenance(Noun):
    """Planned work on a server; it waits until the part in process is finished.

    It is due `every` so often, or when what wears by steps has come to one of them.
    """

    every: Interval | None = Field(
        None, description="Time between on `clock`, or a count such as `500 cycles`."
    )
    when_worn: Annotated[dict[Name, Count], Field(max_length=1)] | None = _added(
        None,
        description="`{failure: step}`: due when the wear of a failure comes to this "
        "step, and makes it as new.",
    )
    defer: Duration = _added(
        0, description="So long it is put off at most while parts wait for the server."
    )
    window: Name | None = _added(
        None, description="Calendar in whose shifts alone it begins."
    )
    first: Interval | None = _added(
        None, description="Time to the first one, if it is another than `every`."
    )
    duration: Distribution = Field(description="How long it takes.")
    clock: CLOCKS = Field("calendar", description="What the time between counts.")
    crew: People | None = _added(
        None, description="People for whom the work waits; `people: {repair}` else."
    )
    tools: dict[Name, Count] = _tools("for which the work waits, and has to its end")

    _counts = model_validator(mode="before")(_read_counts)
    _names = model_validator(mode="before")(_read_tools)


RunLengths = Annotated[
    Annotated[Count, Tag("<count>")] | Annotated[dict[Name, Count], Tag("<by kind>")],
    pick((Mapping, "<by kind>"), other="<count>"),
]


class Setup(Noun):
    """Time to change a server over from one product, or family, to the next.

    With `by: operation` it is the `family` of the operation that counts; an operation
    without one needs no setup and leaves the server set up as it is.
    """

    by: Literal["product", "family", "operation"] = Field(
        "product",
        description="Whether the matrix names products, families of products, or "
        "families of operations.",
    )
    time: Distribution | None = Field(None, description="Any change not in the matrix.")
    matrix: dict[Name, dict[Name, Distribution]] = Field(
        default_factory=dict,
        description="`{from: {to: time}}`; from `any` stands for all that have no "
        "time of their own, a server never set up among them.",
    )
    minimum_run: RunLengths | None = _added(
        None,
        description="Parts that follow each other after a change before the next one, "
        "as long as parts of the kind wait: a number, or `{kind: number}`.",
    )
    first: Distribution | None = Field(
        None, description="Setup of a server never set up."
    )
    tools: dict[Name, Count] = _tools("needed for every setup, from start to end")

    _names = model_validator(mode="before")(_read_tools)


class Attendance(Noun):
    """The people that a station needs, each for a part of what is done there.

    They are asked for when that begins, and go when it ends, unless what follows needs
    as many of the same pool. Without them the server waits.
    """

    setup: People | None = Field(None, description="While it is set up.")
    load: People | None = Field(None, description="While a part is loaded.")
    process: People | None = Field(None, description="All the time it works.")
    unload: People | None = Field(None, description="While a part is unloaded.")
    repair: People | None = Field(
        None, description="While it is repaired or maintained, if no `crew` is named."
    )


class Pool(Noun):
    """People who can do the same, and are sent to whoever asked for them first.

    Of several pools with a skill the first with people free serves: name specialists
    before those who can do everything.
    """

    count: Annotated[int, Field(ge=1, le=100_000, strict=True)] = Field(
        1, description="How many there are."
    )
    calendar: Name | None = Field(
        None,
        description="When they are there; always by default. What they have begun at "
        "the end of a shift they finish.",
    )
    skills: tuple[Name, ...] = _added(
        (), description="What else stations may ask for them by, beside their name."
    )
    walk: Distribution | None = _added(
        None,
        description="Time that they take from one station to another; none by default.",
    )
    cost: PoolCost | None = _added(None, description="What they cost.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"count": value} if isinstance(value, int) else value


class Learning(Noun):
    """How an operation takes less time the more units were done.

    The processing time is that of the first unit. All operations of one name learn
    together. What is counted is what the time is for: lots, or units.
    """

    rate: Probability = Field(
        description="Share of its time that is left each time the number doubles."
    )
    curve: Literal["crawford", "wright"] = Field(
        "crawford",
        description="Whether that is the time of a unit (Crawford), or the average of "
        "all so far (Wright).",
    )
    plateau: Probability = Field(
        0.0, description="Share of the first time below which it does not fall."
    )
    done: Annotated[int, Field(ge=0, le=2**40, strict=True)] = Field(
        0, description="Units done before the line starts."
    )
    half_life: Duration | None = Field(
        None,
        description="Time in which half of the experience is forgotten while nothing "
        "is done; never by default.",
    )


class RampPoint(Noun):
    """A share that is reached at a time."""

    at: Moment = Field(description="Date, or time from the start.")
    share: Annotated[Probability, Field(gt=0)] = Field(
        description="Share of the full speed, or yield."
    )


class RampUp(Noun):
    """How a station comes to its full speed and yield, in straight lines."""

    speed: tuple[RampPoint, ...] = Field((), description="Of the speed, by time.")
    good: tuple[RampPoint, ...] = Field(
        (), description="Of the share of good parts, by time."
    )


class Tool(Noun):
    """Equal things that are needed beside the server: fixtures, moulds, gauges, cranes.

    An operation, a setup, a repair or planned maintenance that names it in `tools` has
    it from its start to its end.
    """

    count: Count = Field(1, description="How many there are.")
    back: Distribution | None = Field(
        None,
        description="Time until one that was handed back is there again: to clean or "
        "to carry it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"count": value} if isinstance(value, int) else value


class Loop(Noun):
    """Cards, or carriers, that parts take with them over several operations.

    Without one free no part starts the operation `from`. So a loop is a kanban loop, a
    cap on the work between two points, the rope from the drum to the release, or the
    pallets on which parts travel.
    """

    cards: Count = Field(description="How many cards or carriers there are.")
    start: Name = Field(alias="from", description="Operation at whose start it begins.")
    end: Name = Field(alias="to", description="Last operation.")
    products: tuple[Name, ...] | None = Field(
        None, description="Products in it; all that have both operations by default."
    )
    takes: dict[Name, Count] = Field(
        default_factory=dict,
        description="`{product: cards}` for a part that takes more than one.",
    )
    hand_back: Literal["end", "next"] = Field(
        "end",
        description="At the `end` of the last operation, or when the `next` begins.",
    )
    back: Distribution | None = Field(
        None, description="Time until one that was handed back is there again."
    )


class Late(Noun):
    """The risk that a delivery comes late."""

    share: Probability = Field(description="Share of the deliveries.")
    by: Distribution = Field(description="How much later they come.")


class MaterialLot(Noun):
    """A lot of a bought component that is there at the start."""

    number: Annotated[str, Field(max_length=100)] = Field(
        "", description="Its number, as the supplier has it."
    )
    supplier: Annotated[str, Field(max_length=100)] = Field(
        "", description="Who made it."
    )
    quantity: Count = Field(description="Units in it.")


class Material(Noun):
    """A bought component that is kept in stock and ordered again.

    What is there at the start is one lot, or the `lots` named; each delivery is one
    more. Which lots a unit holds is on record.
    """

    stock: Annotated[int, Field(ge=0, le=2**40, strict=True)] = Field(
        description="Units there at the start."
    )
    reorder_point: Annotated[int, Field(ge=0, le=2**40, strict=True)] = Field(
        description="Ordered when so many or fewer are there or on their way."
    )
    lot: Count = Field(description="Units in a delivery.")
    lead_time: Distribution = Field(description="Time from the order to the delivery.")
    late: Late | None = Field(None, description="The risk that a delivery comes late.")
    lots: tuple[MaterialLot, ...] = _added(
        (),
        description="The lots there at the start, oldest first; they sum to `stock`.",
    )
    takes: Literal["oldest", "newest"] = _added(
        "oldest", description="Which lot is taken from, of those that are there."
    )


class Conveyor(Noun):
    """A belt on which parts stand one behind the other and leave in their order."""

    length: Length = Field(description="From its entry to its end.")
    speed: Speed = Field(description="Of the belt.")
    places: Count = Field(description="Parts that have room on it, evenly.")
    accumulating: Flag = Field(
        True,
        description="Parts close up behind one that cannot leave; else the belt stops.",
    )

    @property
    def time_us(self) -> int:
        """Time from the entry to the end, microseconds."""
        return round(self.length / self.speed * 1e6)


class Batch(Noun):
    """Parts on which a server works together, as an oven does.

    The processing time is that of the whole batch, or of each of its units where the
    operation says `process_per: unit`. What has started is not joined by others.
    """

    min: Count = Field(1, description="Units that have to be there before one starts.")
    max: Count = Field(description="Units that go into one at most.")
    longest_wait: Duration | None = Field(
        None,
        description="A part that has waited so long starts with what is there, though "
        "it be less than `min`.",
    )
    mix: Literal["step", "operation", "family", "any"] = Field(
        "step",
        description="What may share a batch: parts at one step of one route, at "
        "operations of one name, of one family, or any.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"max": value} if isinstance(value, int) else value


class PythonRule(Noun):
    """A rule of one's own: a function in Python that decides.

    It runs only where that is allowed (`linewright simulate --allow-python`), is given
    copies, and answers; what it may answer stands under "Rules of one's own" below.
    """

    python: str = Field(
        description="The function: `FILE.py:NAME`, with a file in the model's folder; "
        "`NAME` alone is given from Python.",
    )
    source: str = _added(
        "",
        "Text of the file; it is read when the model is, so that the model's hash "
        "covers it.",
    )
    limit: Duration = _added(
        parse_duration_us("5 s"),
        "How long one call may take, by the clock on the wall; then the run ends.",
    )
    _place: str = PrivateAttr("")
    _path: str = PrivateAttr("")

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        """Read the text of the file; only a model from a file has a folder."""
        name = value.get("python") if isinstance(value, Mapping) else None
        if not isinstance(name, str):
            return value
        file, _, function = name.rpartition(":")
        if not function.isidentifier() or (file and not file.endswith(".py")):
            msg = f'"{name}" names no function; write it like rules.py:slack'
            raise ValueError(msg)
        if file and info.context is not None and "source" not in value:
            return {**value, "source": info.context.text(file)}
        return value

    @property
    def file(self) -> str:
        """Name of the file in the model, or empty for a function given from Python."""
        return self.python.rpartition(":")[0]

    @property
    def function(self) -> str:
        """Name of the function."""
        return self.python.rpartition(":")[2]

    @property
    def place(self) -> str:
        """Where the model names the rule, as ``plant.yaml:12:17``, if that is known."""
        return self._place

    @property
    def path(self) -> str:
        """Path of the file as messages show it."""
        return self._path or self.file or "<model>"

    def stands_at(self, place: str, path: str) -> None:
        """Note where the model names the rule, and the path of the rule's file."""
        self._place, self._path = place, path

    def __eq__(self, other: object) -> bool:
        """Say whether two rules are one, wherever they stand."""
        return isinstance(other, PythonRule) and self._what() == other._what()

    def __hash__(self) -> int:
        return hash(self._what())

    def _what(self) -> tuple[str, str, int]:
        return self.python, self.source, self.limit


class Station(Noun):
    """A place where work is done by one or more equal servers.

    A part for this station waits in its input buffer (`buffer`), and after its work in
    its `output_buffer` if there is one, else on the server.
    """

    stage: Name | None = Field(None, description="Stage to which it belongs.")
    servers: Annotated[int, Field(ge=1, le=100_000, strict=True)] = Field(
        1, description="Equal servers that work side by side."
    )
    process: ByProduct | None = Field(
        None, description="Processing time, for all products or `{product: time}`."
    )
    batch: Batch | None = _added(
        None,
        description="Parts that are worked on together: `{min, max}`, or the most.",
    )
    conveyor: Conveyor | None = _added(
        None,
        description="It carries parts instead of working on them; `process` and "
        "`servers` are then the time on it and its places.",
    )
    load: Distribution | None = _added(
        None, description="Time to load a part, or a batch, before its work."
    )
    unload: Distribution | None = _added(
        None, description="Time to unload a part, or a batch, after its work."
    )
    buffer: Slots = Field(
        "unlimited",
        description="Input buffer: places, `unlimited`, or the name of a shared one.",
    )
    output_buffer: Slots | None = Field(
        None, description="Where finished parts wait; none: on the server."
    )
    blocking: Literal["after_service", "before_service"] = Field(
        "after_service",
        description="Without room ahead: work, then wait, or wait before the work.",
    )
    people: Attendance | None = _added(
        None, description="People that it needs, and what for."
    )
    people_priority: Priority = _added(
        0,
        description="Where people are short, stations with a higher one get them "
        "first, and those of the same in the order in which they asked.",
    )
    setup: Setup | None = Field(None, description="Changeover from product to product.")
    failures: dict[Name, Failure] = Field(
        default_factory=dict, description="Ways to fail, by name."
    )
    holds_when_stopped: Flag = _added(
        False,
        description="Whether a finished part that waits for room stays on a server "
        "that is down, on a break or off shift; else it leaves when there is room.",
    )
    maintenance: dict[Name, Maintenance] = Field(
        default_factory=dict, description="Planned work, by name."
    )
    calendar: Name | None = Field(
        None, description="Calendar; that of the line by default."
    )
    shift_end: SHIFT_END_RULES = Field(
        "interrupt",
        description="At the end of a shift: `interrupt` and resume, `finish` the part, "
        "or do not start what does not `fit` (by its mean processing time).",
    )
    ramp_up: RampUp | None = _added(
        None, description="How it comes to its full speed and yield."
    )
    preempt: Literal["never", "resume", "restart"] = _added(
        "never",
        description="Whether a part of higher priority interrupts one in process that "
        "has less, which then resumes or restarts.",
    )
    dispatch: Annotated[
        Annotated[DispatchRule, Tag("<rule>")]
        | Annotated[
            tuple[DispatchRule, ...], Field(min_length=1, max_length=3), Tag("<rules>")
        ]
        | Annotated[PythonRule, Tag("<python>")],
        pick(
            ((list, tuple), "<rules>"),
            ((Mapping, PythonRule), "<python>"),
            other="<rule>",
        ),
    ] = Field(
        "fifo",
        description="Which of the waiting parts is served next: a rule, a list of up "
        "to three of which each settles the ties of the one before, or a rule of "
        "one's own.",
    )
    power: Power | None = _added(
        None, description="Power that each server takes: at work, or `{state: power}`."
    )
    energy: EnergyUse | None = _added(
        None, description="Energy for each part, batch or setup, beside the power."
    )
    cost: StationCost | None = _added(None, description="What it costs.")

    @model_validator(mode="after")
    def _carries(self) -> Station:
        """Give a conveyor its places as servers, and the time on it."""
        if self.conveyor is None:
            return self
        time = Distribution(kind="constant", parameters=(float(self.conveyor.time_us),))
        for key, value, said in (
            ("servers", self.conveyor.places, self.servers != 1),
            ("process", time, self.process is not None),
        ):
            if said and getattr(self, key) != value:
                msg = (
                    f"a conveyor has no {key} but what its places, length and speed say"
                )
                raise ValueError(msg)
            object.__setattr__(self, key, value)
        return self


class Buffer(Noun):
    """A named buffer that stations and products share."""

    slots: Annotated[
        Annotated[Places, Tag("<places>")]
        | Annotated[Literal["unlimited"], Tag("<unlimited>")],
        pick((str, "<unlimited>"), other="<places>"),
    ] = Field("unlimited", description="Places, or `unlimited`.")
    stage: Name | None = Field(None, description="Stage to which it belongs.")


# ---------------------------------------------------------------- products


Measure = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Characteristic(Noun):
    """Something that an operation makes and that can be measured at a unit.

    Values are normal with `mean` and `sd`, or counts (`counted`) as a Poisson number. A
    unit with a value outside the limits is bad: the chance of that adds to `defect`.
    """

    unit: Annotated[str, Field(max_length=20)] = Field(
        "", description="In which it is measured, such as `mm`."
    )
    nominal: Measure | None = Field(None, description="What it should be.")
    lower: Measure | None = Field(None, description="Least that is good.")
    upper: Measure | None = Field(None, description="Most that is good.")
    mean: Measure | None = Field(None, description="Its mean; `nominal` by default.")
    sd: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] | None = Field(
        None, description="Its standard deviation."
    )
    counted: Flag = Field(False, description="A count, such as of flaws.")

    @property
    def center(self) -> float:
        """Mean of its values."""
        mean = self.nominal if self.mean is None else self.mean
        return 0.0 if mean is None else mean

    @property
    def outside(self) -> float:
        """Chance that a value is outside the limits."""
        if self.counted:
            return counts_outside(self.center, self.lower, self.upper)
        return values_outside(self.center, self.sd or 0.0, self.lower, self.upper)


class Gate(Noun):
    """When work at an inspection is held until somebody has decided.

    It closes when `rejects` of the last units are rejected, or when the values of a
    characteristic break a rule of a control chart around its mean. It holds a line that
    runs; in a simulation nobody waits for a decision.
    """

    rejects: Annotated[int, Field(ge=1, le=1_000, strict=True)] | None = Field(
        None, description="Rejected units that close it."
    )
    of: Annotated[int, Field(ge=1, le=1_000, strict=True)] | None = Field(
        None, description="Of how many inspected; `rejects` in a row by default."
    )
    signal: Literal["western_electric", "nelson"] | None = Field(
        None, description="Rules of a control chart that close it."
    )


class Inspection(Noun):
    """The verdict at the end of an operation: pass, rework or scrap.

    `pass` is the share of units that are truly good here; without it, the units that an
    earlier operation made `defect`ive are the bad ones. A bad unit is passed by mistake
    with `false_accept`, a good one rejected with `false_reject`. Of the rejected, a
    share `rework : scrap` is sent back, the rest scrapped.
    """

    pass_: Probability | None = Field(
        None, alias="pass", description="Share of units that are truly good here."
    )
    rework: Probability | None = Field(None, description="Share that is sent back.")
    scrap: Probability | None = Field(None, description="Share that is taken out.")
    rework_to: Name | None = Field(None, description="Operation to which rework goes.")
    rework_limit: Places | None = Field(
        None,
        description="Rework loops of a unit before it is scrapped; none: no limit.",
    )
    rework_priority: Priority | None = Field(
        None, description="Priority that a reworked unit takes from here on."
    )
    false_accept: Probability = Field(
        0.0, description="Chance that a bad unit is passed by mistake."
    )
    false_reject: Probability = Field(
        0.0, description="Chance that a good unit is rejected by mistake."
    )
    measures: tuple[Name, ...] | None = _added(
        None,
        description="Characteristics that are measured here, made by this operation or "
        "an earlier one; those of this operation by default.",
    )
    gate: Gate | None = _added(
        None, description="When work here is held until somebody has decided."
    )


class TimeLimit(Noun):
    """The longest time between the end of an operation and the start of this one."""

    after: Name = Field(description="The operation at whose end the time begins.")
    within: Duration = Field(description="The longest time.")
    missed: Literal["count", "scrap", "rework"] = Field(
        "count",
        description="What becomes of a part that comes too late, when its turn comes: "
        "it is counted, scrapped or sent back.",
    )
    rework_to: Name | None = Field(
        None, description="Operation to which it is sent back; `after` by default."
    )


class EveryNth(Noun):
    """A sample of units in a fixed rhythm."""

    every: Count = Field(description="Each part of this number visits: 5 is one in 5.")


class Step(Noun):
    """One operation of a routing.

    `station` is a name, a list of alternatives, or `{name: processing time}`. With
    alternatives, `choose` says which: `preference` (the first with room) and
    `shortest_queue` decide when the part departs for it; `first_free` leaves it waiting
    for whichever station has a server free first.
    """

    operation: Title = Field("", description="Name; the station's name by default.")
    station: Annotated[
        Annotated[Name, Tag("<name>")]
        | Annotated[tuple[Name, ...], Field(min_length=1), Tag("<list>")]
        | Annotated[dict[Name, Distribution], Field(min_length=1), Tag("<times>")],
        pick(((list, tuple), "<list>"), (Mapping, "<times>"), other="<name>"),
    ] = Field(description="Station, list of alternatives, or `{station: time}`.")
    choose: Literal["preference", "shortest_queue", "first_free"] = Field(
        "preference", description="How an alternative is chosen."
    )
    process: Distribution | None = Field(
        None, description="Processing time; that of the station by default."
    )
    process_per: Literal["lot", "unit"] = Field(
        "lot",
        description="Whether the processing time is for the lot or for each unit.",
    )
    buffer: Name | None = Field(
        None,
        description="Named buffer where the part waits instead of the station's own.",
    )
    transport: Distribution | None = Field(
        None, description="Time to get to this station."
    )
    uses: dict[Name, Count] | None = Field(
        None, description="Components taken here; those of the `bom` by default."
    )
    tools: dict[Name, Count] = _tools("needed here from start to end")
    makes: dict[Name, Count] = Field(
        default_factory=dict, description="Units into which the part is split here."
    )
    makes_together: Flag = Field(
        False, description="They leave all at once or not at all."
    )
    defect: Probability = Field(0.0, description="Share of parts made defective here.")
    inspection: Inspection | None = Field(
        None, description="The verdict at the end of this operation."
    )
    characteristics: dict[Name, Characteristic] = _added(
        {}, description="What it makes that can be measured."
    )
    rework_only: Flag = Field(
        False, description="Visited only by parts sent to rework."
    )
    shift_end: SHIFT_END_RULES | None = Field(
        None, description="At the end of a shift; as the station does by default."
    )
    family: Name | None = _added(
        None, description="What a station with `setup: {by: operation}` is set up for."
    )
    batch: Batch | None = _added(
        None, description="Batches of this operation; those of the station by default."
    )
    cascade: Distribution | None = _added(
        None,
        description="Time after which the server takes the next part, while this one "
        "goes on inside the machine until its processing time is over. Loading and "
        "unloading then go on beside the work.",
    )
    rest: Distribution | None = _added(
        None,
        description="Time that a part waits after this operation at least, to cool or "
        "cure, without the server.",
    )
    sample: Annotated[
        Annotated[Probability, Tag("<share>")] | Annotated[EveryNth, Tag("<every>")],
        pick(((Mapping, EveryNth), "<every>"), other="<share>"),
    ] = _added(
        1.0,
        description="Share of the parts that visit this operation, or `{every: n}`; "
        "the others go on to the next.",
    )
    same_server_as: Name | None = _added(
        None,
        description="Earlier operation whose very server has to do this one, too.",
    )
    learning: Learning | None = _added(
        None, description="How it takes less time with experience."
    )
    time_limit: TimeLimit | None = _added(
        None, description="Longest time since the end of an earlier operation."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"operation": value, "station": value}
        if isinstance(value, Mapping):
            value = dict(value)
            if isinstance(uses := value.get("uses"), list | tuple):
                value["uses"] = _counted("uses", uses)
            value = _read_tools(value)
            if not value.get("operation") and isinstance(value.get("station"), str):
                value["operation"] = value["station"]
        return value

    @property
    def stations(self) -> tuple[str, ...]:
        """Names of the alternatives, in order of preference."""
        return (self.station,) if isinstance(self.station, str) else tuple(self.station)

    @property
    def made_bad(self) -> float:
        """Chance that it makes a part bad: a defect, or a value outside its limits."""
        good = 1 - self.defect
        for characteristic in self.characteristics.values():
            good *= 1 - characteristic.outside
        return 1 - good if self.characteristics else self.defect


class BomItem(Noun):
    """A component of a product: how many, and whether it is bought."""

    quantity: Count = Field(1, description="Units for each unit of the product.")
    bought: Flag = Field(
        False, description="Bought and always at hand, not made on the line."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"quantity": value} if isinstance(value, int) else value


class Release(Noun):
    """How units of a product come into the line.

    `kind` is read from the keys: `every` or `rate` make it arrivals. `always` means
    that a unit is there whenever the first station can take one, `orders` that the
    dated orders release it, `with_parent` that the components of a unit are released
    with it, and `never` that it only comes out of a split.
    """

    kind: Literal["always", "arrivals", "orders", "with_parent", "never"] = Field(
        "always", description="What brings a unit in."
    )
    every: Distribution | None = Field(None, description="Time between arrivals.")
    rate: Rate | None = Field(None, description="Poisson arrivals, as in `6/h`.")
    quantity: Count = Field(1, description="Parts, that is lots, in each arrival.")
    first: Duration | None = Field(
        None, description="First arrival; else one interval."
    )
    when_full: Literal["wait", "block", "lose"] = Field(
        "wait",
        description="An arrival at a full first buffer waits outside, blocks its "
        "source (the next arrival is counted from its entry), or is lost.",
    )
    conwip: Count | None = Field(
        None, description="Cap on units of this product in the line."
    )
    rule: PythonRule | None = _added(
        None,
        description="Rule of one's own that says whether the next unit may come in, "
        "where caps and first station have room.",
    )
    due: Duration | None = _added(
        None, description="Each unit is due so long after it is released."
    )
    share: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)] = Field(
        1.0, description="Share among the always available products of a first station."
    )
    calendar: Name | None = _added(
        None,
        description="Calendar in whose time on shift `every` or `rate` count, and in "
        "which alone arrivals come; around the clock by default.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"kind": value}
        arrivals = isinstance(value, Mapping) and ("every" in value or "rate" in value)
        if arrivals and "kind" not in value:
            return {**value, "kind": "arrivals"}
        return value


class Product(Noun):
    """A kind of unit: what it is made of, how it is made, and how it comes in."""

    family: Name | None = Field(
        None, description="Family for setups; its own name by default."
    )
    priority: Priority = Field(
        0, description="Higher goes first where a station looks at it."
    )
    lot_size: Count = Field(
        1, description="Units that move through the line as one part."
    )
    bom: dict[Name, BomItem] = Field(
        default_factory=dict, description="Components of a unit: `{name: quantity}`."
    )
    route: tuple[Step, ...] = Field((), description="Operations, in order.")
    route_of: Name | None = _added(
        None,
        description="Product whose route this one goes, step for step: parts of both "
        "may share a batch.",
    )
    release: Release = Field(
        default_factory=lambda: Release(kind="always"),
        description="How units come in: a kind, or arrivals by `every` or `rate`.",
    )
    store: Slots = Field(
        "unlimited",
        description="Where finished units wait to be used by another product.",
    )
    stock: Annotated[int, Field(ge=0, le=1_000_000, strict=True)] = _added(
        0, description="Finished units in the store when the line starts."
    )
    demand: Rate | None = Field(None, description="Units asked for, as in `12/week`.")
    cost: ProductCost | None = _added(None, description="What a unit costs.")
    price: Money | None = _added(
        None, description="What a good unit that leaves the line is sold for."
    )


class Order(Noun):
    """A demand for a number of one product by a due date.

    Dates are local times of the line, or durations from its start.
    """

    id: str = Field("", description="Name of the order; its number by default.")
    product: Name = Field(description="Product asked for.")
    quantity: Count = Field(1, description="Units asked for.")
    release: Moment | None = Field(None, description="Not released before this time.")
    due: Moment | None = Field(None, description="Asked for by this time.")
    priority: Priority | None = Field(
        None, description="Higher goes first; that of the product by default."
    )


class InProcess(Noun):
    """Units that are in the line when it starts, before one operation."""

    product: Name = Field(description="Product.")
    operation: Name = Field(description="Operation for which they wait.")
    quantity: Count = Field(1, description="Units; lots that are not full count whole.")
    due: Moment | None = Field(None, description="Asked for by this time.")
    priority: Priority | None = Field(
        None, description="Higher goes first; that of the product by default."
    )


class InProcessFile(Noun):
    """Units in process from a CSV file: product, operation, quantity, due, priority."""

    file: str = Field(
        description="File in the model's folder; first row: column names."
    )


class OrderFile(Noun):
    """Orders from a CSV file: id, product, quantity, release, due, priority."""

    file: str = Field(
        description="File in the model's folder; first row: column names."
    )


class Charge(Noun):
    """When vehicles charge, each where it has put its last part down."""

    after: Duration = Field(
        description="Time under way after which it is due: empty or not, loading and "
        "unloading included."
    )
    time: Distribution = Field(description="How long it takes.")


class Fleet(Noun):
    """Vehicles that are alike, or a crane: they carry one part at a time.

    A vehicle drives empty to the part that called it, loads it, carries and unloads it,
    and stays there until it is called again.
    """

    count: Annotated[int, Field(ge=1, le=10_000, strict=True)] = Field(
        1, description="How many there are."
    )
    home: Name = Field(description="Station at which they stand at the start.")
    speed: Speed | None = Field(
        None, description="With it, a distance says how long a way takes."
    )
    load: Distribution | None = Field(
        None, description="Time to pick a part up, when the vehicle has come."
    )
    unload: Distribution | None = Field(
        None, description="Time to put a part down, at the end of the way."
    )
    calls: Literal["fifo", "priority"] = Field(
        "fifo",
        description="Which part is fetched next: the one that has waited longest, or "
        "of the highest priority.",
    )
    charge: Charge | None = Field(
        None, description="When they charge; never by default."
    )


class Transport(Noun):
    """How a part moves from one station to another: in a time, or by a vehicle."""

    start: Name = Field(alias="from", description="Station, or `any`.")
    end: Name = Field(alias="to", description="Station, or `any`.")
    time: Distribution | None = _added(
        None, description="How long it takes; by a vehicle, with a part on it."
    )
    by: Name | None = _added(None, description="Fleet whose vehicles carry it.")
    distance: Length | None = _added(
        None, description="How far a vehicle drives; by the layout if not said."
    )


# ---------------------------------------------------------------- what is planned

PERIODS = Literal["week", "month", "quarter", "year"]


class TargetRamp(Noun):
    """How a quantity asked for in every period rises to its full size."""

    start: Places = Field(alias="from", description="Quantity of the first period.")
    over: Count = Field(
        description="Periods after which it is the full quantity, in equal steps: a "
        "number, or such as `4 quarters`."
    )


class Target(Noun):
    """Good units of a product that are to have left the line by a date.

    With `by`, the units that left since the start of the line, or since `since`. With
    `per`, so many in each calendar week (Monday to Sunday), month, quarter or year, of
    which each counts for itself.
    """

    product: Name = Field(description="Product; one that leaves the line.")
    quantity: Count = Field(description="Good units.")
    by: Deadline | None = Field(
        None,
        description="When they are to have left: a date, to the end of which it "
        "counts, a local time, or a time from the start.",
    )
    since: Moment | None = Field(
        None, description="Units that left before do not count; the start by default."
    )
    per: PERIODS | None = Field(None, description="Asked for in every such period.")
    start: LocalDate | None = Field(
        None,
        alias="from",
        description="First day of the first period; by default that of the period in "
        "which the line starts, of which then only the rest is left.",
    )
    end: LocalDate | None = Field(
        None, alias="to", description="Last day of the last period."
    )
    ramp: TargetRamp | None = Field(
        None, description="How the quantity rises over the first periods."
    )
    note: str = Field("", description="Anything worth knowing about it.")

    @model_validator(mode="before")
    @classmethod
    def _in_periods(cls, value: Any) -> Any:
        """Read `over: 4 quarters`, where the target is per quarter."""
        ramp = value.get("ramp") if isinstance(value, Mapping) else None
        over = ramp.get("over") if isinstance(ramp, Mapping) else None
        if not isinstance(over, str) or not isinstance(value, Mapping):
            return value
        number, _, unit = over.strip().partition(" ")
        per = value.get("per")
        if number.isdecimal() and len(number) < 10 and unit.strip() in {per, f"{per}s"}:
            return {**value, "ramp": {**dict(ramp or {}), "over": int(number)}}
        msg = f'over: found "{over}"; allowed is a number of periods, such as 4 or '
        raise ValueError(msg + f"4 {per or 'quarter'}s")


class StationChange(Noun):
    """What is different at a station from a date on."""

    servers: Annotated[int, Field(ge=0, le=100_000, strict=True)] | None = Field(
        None,
        description="How many it has from then on. One that goes finishes its part "
        "first; the last of them go, and come back, first.",
    )
    calendar: Name | None = Field(None, description="By which it works from then on.")


class PoolChange(Noun):
    """What is different with a pool of people from a date on."""

    calendar: Name = Field(description="By which they work from then on.")


class Change(Noun):
    """Capacity that comes or goes on a date, and calendars that follow each other."""

    on: Moment = Field(description="Date, or time from the start, from which it holds.")
    calendars: dict[Name, Name] = Field(
        default_factory=dict,
        description="`{before: after}`: all who work by the one calendar, or begin "
        "their maintenance by it, take the other from then on.",
    )
    stations: dict[Name, StationChange] = Field(
        default_factory=dict, description="What changes at stations, by name."
    )
    people: dict[Name, PoolChange] = Field(
        default_factory=dict, description="What changes with pools, by name."
    )
    note: str = Field("", description="Anything worth knowing about it.")


Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Demand(Noun):
    """One way in which demand may turn out: it makes targets larger or smaller.

    A replication draws one of them, and its targets are multiplied by the factor and
    rounded to whole units. What comes into the line is not changed.
    """

    probability: Probability = Field(
        description="Chance that it turns out so; all of them sum to 1."
    )
    factor: Annotated[
        Annotated[Factor, Tag("<factor>")]
        | Annotated[dict[Name, Factor], Tag("<by product>")],
        pick((Mapping, "<by product>"), other="<factor>"),
    ] = Field(
        1.0,
        description="What targets are multiplied by: a number, or `{product: number}`, "
        "the others then stay.",
    )
    note: str = Field("", description="Anything worth knowing about it.")


class Overtime(Noun):
    """Hours beyond the calendar that a plan may take, and what they cost."""

    hours_per_week: Annotated[float, Field(gt=0, le=168, allow_inf_nan=False)] = Field(
        description="The most of them in a week; in a period as many weeks as it has."
    )
    cost_per_hour: Money = Field(
        0.0,
        description="Cost of one hour: of a calendar for all who work by it, of a "
        "station for all its servers.",
    )


class PlannedOvertime(Noun):
    """Where a plan may take overtime: all who go by a calendar, or one station."""

    calendars: dict[Name, Overtime] = Field(
        default_factory=dict, description="By calendar, stations and people together."
    )
    stations: dict[Name, Overtime] = Field(
        default_factory=dict, description="By station, alone."
    )


class Planning(Noun):
    """What a plan of quantities may do, and what that costs.

    It changes nothing in the line; `linewright plan --quantities` asks about it. What
    units cost that wait is `holding_per_day` of their product, what setups cost is
    `per_setup` of their station.
    """

    period: PERIODS | None = Field(
        None,
        description="Length of the periods; as the targets have it by default, or as "
        "suits the horizon.",
    )
    shortage: Annotated[
        Annotated[Money, Tag("<cost>")]
        | Annotated[dict[Name, Money], Tag("<by product>")],
        pick((Mapping, "<by product>"), other="<cost>"),
    ] = Field(
        default_factory=dict,
        description="Cost of each unit that is short of a target: a number, or "
        "`{product: cost}`. What has none may not be short.",
    )
    lead_times: dict[Name, Duration] = Field(
        default_factory=dict,
        description="`{product: time}` from the start of a unit until it is finished, "
        "by the clock; by default the time of its work, by the calendars.",
    )
    overtime: PlannedOvertime = Field(
        default_factory=PlannedOvertime, description="Hours beyond the calendars."
    )
    interest: Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)] = (
        Field(
            0.0,
            description="Share of what is paid later that is saved in a year: 0.08.",
        )
    )


class Study(Noun):
    """How the line is simulated unless a command says otherwise.

    A `terminating` study asks about this span of time, ramp-up included, and cuts no
    warm-up; a `steady_state` study cuts one.
    """

    horizon: Duration = Field(
        parse_duration_us("4 weeks"),
        description="Time that is simulated.",
        json_schema_extra={"default": "4 weeks"},
    )
    kind: Literal["terminating", "steady_state"] = Field(
        "steady_state", description="This span of time, or the long run."
    )
    warmup: Annotated[
        Annotated[Duration, Tag("<duration>")]
        | Annotated[Literal["auto"], Tag("<auto>")],
        Discriminator(lambda value: "<auto>" if value == "auto" else "<duration>"),
    ] = Field("auto", description="Time cut from the start, or `auto`.")
    replications: Annotated[int, Field(ge=1, le=100_000, strict=True)] = Field(
        10, description="Independent runs."
    )
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = Field(
        1, description="Same seed, same numbers."
    )


class Place(Noun):
    """Where the middle of a station or buffer stands on the plan of the floor."""

    x: Length = Field(description="From the left edge of the plan.")
    y: Length = Field(description="From the upper edge of the plan.")


class Room(Noun):
    """A rectangle with a name on the plan: a hall, a room, an aisle."""

    x: Length = Field(description="Its left edge, from that of the plan.")
    y: Length = Field(description="Its upper edge, from that of the plan.")
    width: Length = Field(description="From left to right.")
    depth: Length = Field(description="From top to bottom.")


class Layout(Noun):
    """The floor as seen from above: where things stand, for drawings and distances.

    What has no place is drawn where there is room. A layout changes no figure
    but the ways of vehicles whose `transport` says no distance.
    """

    width: Length | None = Field(
        None, description="Plan from left to right; as its contents need by default."
    )
    depth: Length | None = Field(
        None, description="Plan from top to bottom; as its contents need by default."
    )
    rooms: dict[Name, Room] = Field(
        default_factory=dict,
        description="Rectangles to draw below the stations, by name.",
    )
    places: dict[Name, Place] = Field(
        default_factory=dict,
        description="Stations, and named buffers, with their places.",
    )


class Line(Noun):
    """A production line."""

    @model_validator(mode="before")
    @classmethod
    def _shared_routes(cls, value: Any) -> Any:
        """Give a product the route of the one that its `route_of` names."""
        products = value.get("products") if isinstance(value, Mapping) else None
        if not isinstance(products, Mapping):
            return value
        shared = {}
        for name, keys in products.items():
            other = keys.get("route_of") if isinstance(keys, Mapping) else None
            owner = products.get(other) if isinstance(other, str) else None
            if isinstance(owner, Mapping) and "route" in owner and "route" not in keys:
                shared[name] = {**keys, "route": owner["route"]}
        return {**value, "products": {**products, **shared}} if shared else value

    schema_version: Literal[1] = Field(description="Version of this format: 1.")
    name: Name = Field(description="What the line is called.")
    description: str = Field("", description="Anything worth knowing about it.")
    start: LocalTime = Field(
        datetime(2027, 1, 4),  # noqa: DTZ001 - local by definition
        description="Local date and time of tick 0.",
    )
    time_zone: str = Field("UTC", description="Zone, such as `Europe/Vienna`.")
    calendar: Name | None = Field(
        None, description="Calendar of stations that name none."
    )
    stages: tuple[Name, ...] = Field(
        (), description="Groups of stations, in order, for reports."
    )
    calendars: dict[Name, Calendar] = Field(
        default_factory=dict, description="When people work, by name."
    )
    buffers: dict[Name, Buffer] = Field(
        default_factory=dict, description="Buffers that stations share, by name."
    )
    people: dict[Name, Pool] = _added(
        {}, description="Pools of people, by name: how many, and their calendar."
    )
    tools: dict[Name, Tool] = _added(
        {}, description="Fixtures, moulds and the like, by name: how many."
    )
    loops: dict[Name, Loop] = _added(
        {}, description="Cards or carriers over several operations, by name."
    )
    materials: dict[Name, Material] = _added(
        {}, description="Bought components that are kept in stock, by name."
    )
    vehicles: dict[Name, Fleet] = _added(
        {}, description="Fleets of vehicles, and cranes, by name."
    )
    failures: dict[Name, CommonFailure] = _added(
        {}, description="Failures that stop several stations at once, by name."
    )
    stations: dict[Name, Station] = Field(
        min_length=1, description="Places where work is done, by name."
    )
    products: dict[Name, Product] = Field(
        min_length=1, description="What is made, by name."
    )
    transport: tuple[Transport, ...] = Field(
        (), description="How parts move from station to station."
    )
    conwip: Count | None = Field(None, description="Cap on units in the whole line.")
    orders: Annotated[
        Annotated[tuple[Order, ...], Tag("<orders>")]
        | Annotated[OrderFile, Tag("<file>")],
        pick(((Mapping, OrderFile), "<file>"), other="<orders>"),
    ] = Field((), description="Dated orders, or `{file: orders.csv}`.")
    in_process: Annotated[
        Annotated[tuple[InProcess, ...], Tag("<units>")]
        | Annotated[InProcessFile, Tag("<file>")],
        pick(((Mapping, InProcessFile), "<file>"), other="<units>"),
    ] = _added((), description="Units in the line at its start, or `{file: wip.csv}`.")
    currency: Annotated[Name, Field(max_length=12)] | None = _added(
        None, description="Name of the money in which all costs and prices are."
    )
    energy: Energy | None = _added(None, description="What energy costs and emits.")
    layout: Layout | None = _added(
        None, description="Where stations stand on the floor."
    )
    targets: dict[Name, Target] = _added(
        {}, description="What is to be made by when, by name."
    )
    demand: dict[Name, Demand] = _added(
        {}, description="How demand may turn out, by name: scenarios of the targets."
    )
    changes: tuple[Change, ...] = _added(
        (), description="Capacity that comes or goes, and calendars that change."
    )
    planning: Planning | None = _added(
        None, description="What a plan of quantities may do, and what that costs."
    )
    study: Study = Field(
        default_factory=Study, description="How the line is simulated by default."
    )
