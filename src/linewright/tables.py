"""The line and its state as arrays: what the kernel reads and what it writes.

`LineTables` is the line, made once by `lower` and never written again. `State` is
everything that moves; copying its arrays saves a run exactly, and a copy is a fork.
`Draws` is the simulator's cache of random numbers and no part of the state. Fields of
records are integers, but for shares: rows of other tables (-1 for none), counts, codes,
or times in microseconds since the model's start.

Lists of parts (queues, parts waiting for room, kits, parts outside) are linked through
the parts themselves; `lists` holds their ends. Rows of `lists`: one for each queue,
then one for each destination (parts that wait for room there), then one for each
product's store, then one for each product's parts outside the line, then one for each
fleet's calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "BLOCK",
    "MODE_NAMES",
    "Draws",
    "Ints",
    "LineTables",
    "Names",
    "State",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Records = npt.NDArray[np.void]

CACHE_LINE = 64  # bytes
BLOCK_BITS = 5
BLOCK = 1 << BLOCK_BITS  # neighbouring draws of a stream that are made at once
NEVER = 2**62  # key of a timer that is not set
UNLIMITED = 2**40  # places of a buffer without a limit
COMPLETE = -1  # step of a part at the end of its routing
UNKNOWN = -1  # a duration that only the machine knows

# what a stream holds
UNIFORM, EXPONENTIAL, TIMES = range(3)

# what a server does with its time; exclusive and exhaustive
STARVED, PROCESSING, SETUP, BLOCKED, FAILED, MAINTENANCE, BREAK, OFF_SHIFT = range(8)
LOADING, WAITING = 8, 9  # loading and unloading; waiting for people or a stock
N_MODES = 10
MODE_NAMES = (
    "starved",
    "processing",
    "setup",
    "blocked",
    "failed",
    "maintenance",
    "break",
    "off_shift",
    "loading",
    "waiting",
)

# how far the server's part is
NONE, SETTING_UP, WORKING, DONE, LOADS, UNLOADS = range(6)
# what a server does when the people come that it waits for
NOBODY, TO_BEGIN, TO_GO_ON = range(3)

# modes of a calendar
CALENDAR_OFF, CALENDAR_BREAK, CALENDAR_ON = 0, 1, 2
# how a station is held by hand: what is begun is finished, or stops where it is
NOT_HELD, HELD_AT_END, HELD_NOW = range(3)
# what becomes of the units of an order that have not come in
ASIDE, AGAIN, GONE = range(3)

# where a part is
ON_SERVER, BLOCKED_ON_SERVER, IN_OUTPUT, IN_QUEUE, MOVING, IN_STORE, OUTSIDE, NEW = (
    range(8)
)

# kinds of events, in the order in which simultaneous ones happen
FINISH, SETUP_DONE, MOVED, REPAIRED, FAILURE, TICK, ORDER, ARRIVAL = range(8)
BEGIN = 8  # comes once, before all others
LOADED, UNLOADED, WAITED = 9, 10, 11  # of a server, a server, a station with batches
RETURNED = 12  # of a stock: a tool, a repaired component, a delivery
ADVANCED = 13  # of a server: its part has closed up to the end of its conveyor
FETCHED = 14  # of a vehicle: it has picked a part up, or is charged
PEOPLE_CAME = 15  # of a claimant: those who walked to it are there
N_EVENTS = 16
# what people do while the line runs: no event of a timer, but applied like one
(
    PLAN_ORDER,  # of an order: its release is at the outcome, or put off if negative
    KEEP_OUT,  # of an order: its units outside stand aside, come again or are gone
    HURRY,  # of an order: the outcome is its priority, and that of its units
    HOLD,  # of a station: the outcome says how it is held, or that it goes on
    TAKE_OUT,  # of a part: it is scrapped where it stands
    BELIEVE,  # of a part: it is good, whatever was found
) = range(N_EVENTS, N_EVENTS + 6)

# what the kernel asks of whoever drives it
ASK_PROCESS, ASK_SETUP, ASK_REPAIR, ASK_CLOCK, ASK_MOVE, ASK_ARRIVAL = range(6)
ASK_LOAD, ASK_UNLOAD, ASK_RETURN = 6, 7, 8
ASK_WALK, ASK_FETCH = 9, 10

# verdicts of an operation, in the two low bits of an outcome; bit 2 says truly bad, and
# the bits above how many of the operations behind it the part is not sampled for
PASS, REWORK, SCRAP = 0, 1, 2
BAD = 4
SKIP_BITS = 3

# clocks of failures
CLOCK_PROCESSING, CLOCK_OPERATING, CLOCK_CALENDAR, CLOCK_CYCLES, CLOCK_UNITS = range(5)
# what takes a server down: a failure, planned work, or that it is not there
UNPLANNED, PLANNED, AWAY, AWAY_AT_START = range(4)
PART_RESUME, PART_RESTART, PART_SCRAP = range(3)
END_INTERRUPT, END_FINISH, END_FIT = range(3)
CHOOSE_PREFERENCE, CHOOSE_SHORTEST, CHOOSE_FIRST_FREE = range(3)
FIFO, PRIORITY, DUE, SHORTEST, CRITICAL, LEAST_SETUP = range(6)
ALWAYS, ALWAYS_CAPPED, ARRIVALS, ORDERS, WITH_PARENT, NEVER_RELEASED = range(6)
BY_PRODUCT, BY_FAMILY, BY_OPERATION = range(3)
FULL_WAIT, FULL_BLOCK, FULL_LOSE = range(3)
MISSED_COUNT, MISSED_SCRAP, MISSED_REWORK = range(3)
LOOKS, LOOKS_FOR_LATE = 1, 2  # bits: parts only start from the queue; late ones go
TOOL, SPARE, MATERIAL = range(3)  # kinds of stocks
WRIGHT, CRAWFORD, RAMP = range(3)  # kinds of curves
HOLDS_PARTS, IS_BELT = 1, 2  # bits: of a server that stops; parts leave in order
IDLE, COMING, CARRYING, CHARGING = range(4)  # what a vehicle does
PREEMPT_NEVER, PREEMPT_RESUME, PREEMPT_RESTART = range(3)

# why `advance` came back
REACHED, NEED_PARTS, NEED_TRACE, DEADLOCK, STANDSTILL, OVERFLOW, ENOUGH = range(7)
NO_ROOM = 7  # for units that are in process at the start
RULE_FAILED = 8  # a rule of one's own gave no answer that can be taken
NEED_CHAIN = 9  # for events and their causes

# bits of `clock.ties`: what every timer that is set has to be looked at for
TIES_OF_LEAVES, CHAINS = 1, 2

# kinds of time on the critical path: a name, and of what there is one each
PATH_KINDS = (
    ("processing", "servers"),
    ("setup", "servers"),
    ("loading", "servers"),
    ("conveyor", "servers"),
    ("pause", "servers"),
    ("repair", "modes"),
    ("walk_to_work", "servers"),
    ("walk_to_repair", "modes"),
    ("transport", "stations"),
    ("batch_wait", "stations"),
    ("vehicle", "fleets"),
    ("arrival", "products"),
    ("outside", ""),
)

# kinds of trace rows
(
    T_EVENT,
    T_MODE,
    T_RELEASE,
    T_QUEUE,
    T_START,
    T_BLOCK,
    T_OUTPUT,
    T_MOVE,
    T_STORE,
    T_USE,
    T_SPLIT,
    T_REWORK,
    T_SCRAP,
    T_EXIT,
    T_LOST,
    T_OUTSIDE,
    T_VERDICT,
    T_SKIP,
    T_LATE,
    T_TAKE,
    T_GIVE,
    T_ASIDE,
) = range(22)
TRACE_NAMES = (
    "event", "mode", "release", "queue", "start", "block", "output", "move", "store",
    "use", "split", "rework", "scrap", "exit", "lost", "outside", "verdict",
    "skip", "late", "take", "give", "aside",
)  # fmt: skip
TRACE_COLUMNS = (
    "time_us",
    "kind",
    "row",
    "product",
    "serial",
    "step",
    "value",
    "other",
)


def _record(*groups: str) -> np.dtype[np.void]:
    """Return the type of a record that lies on as few lines of the cache as it can.

    Each group is the type of its columns and their names. Rows of tables and codes take
    four bytes or two, times and counts eight: nothing that grows with a run is short.
    """
    columns = []
    for group in groups:
        kind, *names = group.split()
        columns += [(name, kind) for name in names]
    plain = np.dtype(columns, align=True)
    assert plain.names
    assert plain.fields
    size = 1 << (plain.itemsize - 1).bit_length()
    if size > CACHE_LINE:
        size = -(-plain.itemsize // CACHE_LINE) * CACHE_LINE
    places = [plain.fields[name] for name in plain.names]
    return np.dtype(
        {
            "names": plain.names,
            "formats": [place[0] for place in places],
            "offsets": [place[1] for place in places],
            "itemsize": size,
        }
    )


# In records, what the event loop touches at every part comes first: fewer cache lines.

# ------------------------------------------------------------------ the line, read only

STATION = _record(
    "i4 first_server n_servers plain prelude calendar only_buffer n_always",
    "i4 first_always has_cycle_modes out_buffer in_loop holds setup_first dispatch",
    "i4 before_service looks",
    "i4 setup_stream setup_by n_modes first_queue n_queues first_dest n_dests",
    "i4 first_transport n_transports",
    "i4 dispatch_2 dispatch_3 batches load unload first_run leaf",
    "i4 first_need first_group n_groups tools speed good preempts own_rule",
    "i4 conveyor first_tool n_tools",
    "i8 gap_us",
)
MODE = _record(
    "i4 clock planned part first_member n_members every repair first crew n_crew",
    "i8 cycles defer",
    "i4 stock steps worn at_step window urgency first_tool n_tools",
)
SERVER_MODE = _record("i4 mode server leaf every_stream repair_stream")
BUFFER = _record(
    "i8 slots",
    "i4 first_dest n_dests first_feeder n_feeders first_early n_early only_dest",
)
STEP = _record(
    "i4 next inspected straight next_target next_station next_buffer",
    "i4 times_stream first_work dest first_target only_station only_buffer only_dist",
    "i2 in_turn foretold",
    "i8 only_us",
    "i8 per_unit",
    "i4 n_uses n_makes first_use first_make together product rework_to",
    "i4 process_stream quality_stream transport_stream transport",
    "i8 rework_limit rework_priority left_us",
    "f8 good rework_share false_accept false_reject defect sample",
    "i8 batch_min batch_max batch_wait limit_us",
    "i4 batch_group family cascade cascade_stream rest rest_stream same_slot",
    "i4 limit_slot missed late_to every_nth server_slot time_slot sample_stream",
    "i4 sampled load_stream unload_stream",
    "i4 first_take n_takes first_give n_gives first_hand n_hands",
    "i4 scaled scaled_good curve aside_slot fetch_stream drop_stream",
)
DEST = _record("i4 first_target n_targets rule queue first_source n_sources")
TARGET = _record("i4 station buffer")
WORK = _record("i8 mean_us", "i4 dist shift_end")  # of a step at each of its stations
QUANTITY = _record("i8 quantity", "i4 product")
PRODUCT = _record(
    "i8 first_step store family lot priority cap kind source_stream source_dist",
    "i8 quantity first_us when_full first_station n_stations first_child n_children",
    "i8 leaf straight due_after first_held n_held initial own_rule source_calendar",
    "f8 share",
)
DISTRIBUTION = _record("i8 kind first n", "f8 a b c d")
CALENDAR = _record(
    "i8 first n leaf first_station n_stations first_pool n_pools first_window n_windows"
)
TICK_ROW = _record("i8 at mode on_left")
ORDER_ROW = _record("i8 product quantity release due priority")
TRANSPORT_ROW = _record("i8 to dist fleet")
POOL = _record("i4 count calendar first_skill n_skills walk walk_stream")
SKILL = _record("i4 first_pool n_pools")  # first the skills that are a pool's own name
# of a station for setup, loading, processing, unloading
NEED = _record("i4 skill n urgency")
STOCK = _record(  # what is counted, taken and comes back: tools, spares, materials
    "i4 kind dist stream late late_stream first_station n_stations",
    "i8 initial lot reorder_point",
    "f8 late_share",
)
# from a stock: what a part takes at a step; of setups and repairs, the first two
TAKE = _record("i4 stock quantity slot step until")
CURVE = _record(  # how times shrink with experience, or a share grows with time
    "i4 kind first n", "f8 exponent plateau half_life before"
)
FLEET = _record(  # vehicles that are alike, and the places between which they drive
    "i4 first_vehicle n_vehicles home load unload charge charge_stream by_priority",
    "i4 first_place n_places first_way",
    "i8 charge_after",
)
IN_PROCESS_ROW = _record("i8 product step parts due priority")


class LineTables(NamedTuple):
    """The line as arrays; see the module's head."""

    stations: Records
    modes: Records
    server_modes: Records
    buffers: Records
    steps: Records
    dests: Records
    targets: Records
    uses: Records
    products: Records
    dists: Records
    calendars: Records
    ticks: Records
    orders: Records
    transports: Records
    work: Records
    in_process: Records
    pools: Records
    skills: Records
    needs: Records
    stocks: Records
    takes: Records
    curves: Records
    fleets: Records
    links: Ints
    ways_us: Ints
    setups: Ints
    setup_us: Ints
    runs: Ints
    leaf_row: Ints
    data: Floats
    settings: Ints


# rows of `settings`
(
    S_LINE_CAP,
    S_N_QUEUES,
    S_N_DESTS,
    S_N_PRODUCTS,
    S_ORDER_LEAF,
    S_MOVE_LEAF,
    S_FIRST_CAPPED,
    S_N_CAPPED,
    S_N_FAMILIES,
    S_N_LEAVES,
    S_MARGIN,
    S_N_SLOTS,
    S_RELEASE_RULES,
) = range(13)


# ------------------------------------------------------------------ what moves

CLOCK = _record(
    "i8 now n_todo n_requests wip sequence n_moving free_part n_free status who",
    "i8 n_trace tracing finished events next_order begun n_heap n_pending_sources",
    "i8 period period_us n_periods watch enough margin limit ties origin claims",
    "i8 node n_chain chain_first exit exits outside noted_until path_since path_width",
    "i8 chain_end n_folds",
)
SERVER = _record(
    "i4 station part down step fails",
    "i2 phase running mode ready pending waits",
    "i8 remaining resumed due total worked next_failure setups",
    "i4 number family first_mode n_modes n_parts runs_left",
)
BELT_STATE = _record(  # of a station that is a conveyor
    "i4 head tail moves closed", "i8 way since way_in way_out"
)
STATION_STATE = _record(
    "i4 n_ready shift next_tick",
    "i2 by_calendar held",  # `shift` is by the calendar, but for what is held
    "i8 started completed wait_us waited planned_us failures setups rejected",
    "i8 batches late oldest",
)
MODE_STATE = _record(
    "i8 left due n", "i4 pending clock", "i8 came_due since", "i4 wear active next"
)
BUFFER_STATE = _record("i8 level slots area_us wait_us entered left waiters highest")
LIST = _record("i4 head tail", "i8 count")
PART = _record(
    "i4 step visits list prev next place target station split",
    "i2 where bad",
    "i8 serial entered queued sequence released created due priority",
    "i4 product reserved woken order mate came",
)
assert PART.itemsize == 2 * CACHE_LINE
PRODUCT_STATE = _record(
    "i8 serial released entered finished scrapped reworked lost escaped used removed",
    "i8 wip area_us residence_us flow_count flow_us first_pass outside arrivals made",
    "i8 blocked bought due on_time tardy_us initial",
    "f8 credit",
)
STEP_STATE = _record("i8 seen skipped late")
POOL_STATE = _record(
    "i4 on busy next_tick walking", "i8 area_us asked waited wait_us walk_us walks"
)
SKILL_STATE = _record("i4 head tail n_waiting")  # those who wait for it
PLACE = _record("i8 since", "i4 idle")  # of the people of a pool at a station
CURVE_STATE = _record("i8 last", "f8 experience")
WINDOW_STATE = _record("i4 on next_tick")  # of a calendar in which maintenance begins
STOCK_STATE = _record(
    "i8 free out area_us none_us taken waited wait_us n_asked",
    "i4 head tail n_waiting", "i8 kept",
)  # fmt: skip
FLEET_STATE = _record(
    "i8 idle_us coming_us carrying_us charging_us trips calls waited wait_us charges"
)
VEHICLE = _record("i4 fleet number doing part at charges", "i8 since under_way")
# what each server, then each server's failure, wants of people and has of them; and of
# tools: the stock in whose line it stands, counted from 1, and whether it has them
CLAIM = _record(
    "i4 wanted n_wanted held n_held prev next", "i8 since", "i4 urgency walking",
    "i8 number", "i4 lacks has_tools",
)  # fmt: skip
# an event, what caused it, and what kind of time went by between them; then what the
# fold that came to it last notes there
CAUSE = _record("i4 parent what", "i8 at", "i4 n_after after moved_to fold")
# the orders: first those of the line's table, then what came while it ran; `next` is
# the order that is released after this one
ORDER_STATE = _record(
    "i8 done scrapped finished quantity release due priority", "i4 product next"
)
STREAM = _record("u8 key", "i8 held kind", "f8 scale")
AHEAD = _record("i8 number amount", "i4 stream visit")  # of a server or a source


# places in `asked`: whom to call, whether a batch is being filled, the parts offered
ASKED_CALL, ASKED_FILLING, ASKED_PARTS = range(3)


class State(NamedTuple):
    """Everything that moves; see the module's head.

    `tree` and `winners` are the timers: the key of each node of the tournament, and the
    leaf whose key it is (`kernel.calendar`).
    `asked` is no part of it but a sheet of paper: what a rule of one's own is asked
    about while it is asked, and the address of whom to ask while the kernel runs.
    `chain`, `causes` and `path` are empty but in runs that follow causes
    (`kernel.causes`): events; the cause of each leaf's timer, of each server's pause,
    and of each part's and vehicle's way; sums of common parts of chains.
    """

    clock: Records
    servers: Records
    stations: Records
    modes: Records
    buffers: Records
    lists: Records
    parts: Records
    products: Records
    orders: Records
    accounts: Ints
    flow: Ints
    tree: Ints
    winners: Ints
    leaf_station: Ints
    memory: Ints
    steps: Records
    pools: Records
    skills: Records
    places: Records
    claims: Records
    windows: Records
    stocks: Records
    curves: Records
    belts: Records
    fleets: Records
    vehicles: Records
    heap: Ints
    todo: Ints
    requests: Ints
    asked: Ints
    trace: Ints
    series: Ints
    chain: Records
    causes: Ints
    path: Ints


class Draws(NamedTuple):
    """Random streams of one replication, with the block of draws last used of each.

    `streams` (n,): the key; `held`, which names the block held as
    ``block << 32 | visit``, or is -1; what it holds, and for exponential times their
    mean in microseconds. `values` (n * BLOCK,) are the draws held. `setting` is
    (replication, BLOCK // 2, rounds of Philox). `ahead` holds the time that each
    server, then each product's source, will most likely ask for next.
    """

    streams: Records
    values: Floats
    setting: Ints
    ahead: Records


@dataclass(frozen=True, slots=True)
class Names:
    """Row to name, for everything that results and messages speak of."""

    stations: tuple[str, ...]
    buffers: tuple[str, ...]
    pools: tuple[str, ...]
    skills: tuple[str, ...]
    stocks: tuple[str, ...]
    fleets: tuple[str, ...]
    products: tuple[str, ...]
    operations: tuple[str, ...]
    modes: tuple[str, ...]
    orders: tuple[str, ...]
    servers: tuple[str, ...]
    streams: tuple[str, ...]
    families: tuple[str, ...]


# ------------------------------------------------------------------ kinds of all tables

# columns of the state that are made with it and never written again
FIXED_COLUMNS = (
    "state.clock.tracing", "state.clock.n_periods", "state.clock.period_us",
    "state.clock.ties", "state.clock.origin", "state.clock.path_since",
    "state.clock.path_width",
    "state.servers.station", "state.servers.number", "state.servers.first_mode",
    "state.servers.n_modes", "state.modes.clock", "state.buffers.slots",
    "state.vehicles.fleet", "state.vehicles.number",
)  # fmt: skip

_I, _F = np.dtype(np.int64), np.dtype(np.float64)
N_FLOW_BUCKETS = 57 << 6  # of `stats.sketch`, for times under 2**62

LINE_DTYPES: dict[str, np.dtype[np.generic]] = {
    "stations": STATION, "modes": MODE, "server_modes": SERVER_MODE, "buffers": BUFFER,
    "steps": STEP, "dests": DEST, "targets": TARGET, "uses": QUANTITY,
    "products": PRODUCT, "dists": DISTRIBUTION, "calendars": CALENDAR,
    "ticks": TICK_ROW,
    "orders": ORDER_ROW, "transports": TRANSPORT_ROW, "work": WORK,
    "in_process": IN_PROCESS_ROW, "pools": POOL, "skills": SKILL, "needs": NEED,
    "stocks": STOCK, "takes": TAKE, "curves": CURVE, "fleets": FLEET, "links": _I,
    "ways_us": _I,
    "setups": _I, "setup_us": _I, "runs": _I, "leaf_row": _I, "data": _F,
    "settings": _I,
}  # fmt: skip
STATE_DTYPES: dict[str, np.dtype[np.generic]] = {
    "clock": CLOCK, "servers": SERVER, "stations": STATION_STATE, "modes": MODE_STATE,
    "buffers": BUFFER_STATE, "lists": LIST, "parts": PART, "products": PRODUCT_STATE,
    "orders": ORDER_STATE, "accounts": _I, "flow": _I, "tree": _I,
    "winners": _I,
    "leaf_station": _I, "memory": _I, "steps": STEP_STATE, "pools": POOL_STATE,
    "skills": SKILL_STATE, "places": PLACE, "claims": CLAIM,
    "windows": WINDOW_STATE, "stocks": STOCK_STATE,
    "curves": CURVE_STATE, "belts": BELT_STATE,
    "fleets": FLEET_STATE, "vehicles": VEHICLE,
    "heap": _I, "todo": _I,
    "requests": _I, "asked": _I, "trace": _I, "series": _I,
    "chain": CAUSE, "causes": _I, "path": _I,
}  # fmt: skip
DRAWS_DTYPES: dict[str, np.dtype[np.generic]] = {
    "streams": STREAM, "values": _F, "setting": _I, "ahead": AHEAD,
}  # fmt: skip
