"""Small steps that everything else is made of: lists, accounts, the worklist, a trace.

Accounts are kept without times of last change: entering a state subtracts the time,
leaving it adds the time, so the sum at any instant is the time spent once the present
state is closed with the present time. Sums are exact integers.
"""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel._views import choose_blindly, unlikely
from linewright.tables import NEVER, OVERFLOW, T_MODE, State

__all__ = [
    "append",
    "ask",
    "book_stay",
    "enter_buffer",
    "free_part",
    "insert",
    "leave_buffer",
    "new_part",
    "push",
    "set_mode",
    "take_first",
    "trace",
    "unlink",
]

# kinds of work on the worklist
OFFER, PULL, ROOM, ROOM_OUTPUT, ENTRY, KIT, CAPS, NEXT_ARRIVAL = range(8)
CALL = 9  # of a part that waits for a vehicle
LEND = 10  # tools to those who wait in line for them


@jit
def write_trace(state: State, kind, row, p, value, other):
    """Write one row of trace; `p` is a part or -1."""
    clock = state.clock[0]
    n = clock.n_trace
    if n >= len(state.trace):
        clock.status = OVERFLOW
        clock.limit = -1
        return
    rows = state.trace
    rows[n, 0] = clock.now
    rows[n, 1] = kind
    rows[n, 2] = row
    rows[n, 3] = -1
    rows[n, 4] = -1
    rows[n, 5] = -1
    if p >= 0:
        part = state.parts[p]
        rows[n, 3] = part.product
        rows[n, 4] = part.serial
        rows[n, 5] = part.step
    rows[n, 6] = value
    rows[n, 7] = other
    clock.n_trace = n + 1


@hot
def trace(state: State, kind, row, p, value, other):
    """Write one row of trace if a trace was asked for."""
    if unlikely(state.clock[0].tracing != 0):
        write_trace(state, kind, row, p, value, other)


@hot
def push(state: State, kind, row):
    """Put work on the worklist; the last in is the first out."""
    clock = state.clock[0]
    n = clock.n_todo
    if unlikely(n >= len(state.todo)):
        clock.status = OVERFLOW
        clock.limit = -1
        return
    state.todo[n] = (row << 4) | kind
    clock.n_todo = n + 1


@hot
def ask(state: State, kind, row):
    """Ask the driver for something; the answer comes before the next event."""
    clock = state.clock[0]
    n = clock.n_requests
    if unlikely(n >= len(state.requests)):
        clock.status = OVERFLOW
        clock.limit = -1
        return
    state.requests[n] = (row << 4) | kind
    clock.n_requests = n + 1


@hot
def set_mode(state: State, s, mode):
    """Put a server into a mode and book the time."""
    server = state.servers[s]
    old = server.mode
    if old != mode:
        now = state.clock[0].now
        state.accounts[server.station, old] += now
        state.accounts[server.station, mode] -= now
        server.mode = mode
        trace(state, T_MODE, s, server.part, mode, old)


@hot
def append(state: State, row, p):
    """Put a part at the end of a list.

    Whether the list was empty is often guessed wrongly, so there is no branch: the part
    stands in for the one before it where there is none.
    """
    ends = state.lists[row]
    part = state.parts[p]
    last = ends.tail
    has_last = last >= 0
    state.parts[choose_blindly(has_last, last, p)].next = p
    part.list = row
    part.next = -1
    part.prev = last
    ends.head = choose_blindly(has_last, ends.head, p)
    ends.tail = p
    ends.count += 1


@jit
def insert(state: State, row, p):
    """Put a part into a list that is in the order of the parts' sequence numbers."""
    part = state.parts[p]
    ends = state.lists[row]
    before = ends.tail
    while before >= 0 and state.parts[before].sequence > part.sequence:
        before = state.parts[before].prev
    if before == ends.tail:
        append(state, row, p)
        return
    part.list = row
    part.prev = before
    if before >= 0:
        part.next = state.parts[before].next
        state.parts[before].next = p
    else:
        part.next = ends.head
        ends.head = p
    state.parts[part.next].prev = p
    ends.count += 1


@hot
def unlink(state: State, p):
    """Take a part out of the list it is in."""
    part = state.parts[p]
    ends = state.lists[part.list]
    if part.prev >= 0:
        state.parts[part.prev].next = part.next
    else:
        ends.head = part.next
    if part.next >= 0:
        state.parts[part.next].prev = part.prev
    else:
        ends.tail = part.prev
    ends.count -= 1
    part.list = -1


@hot
def take_first(state: State, row, p):
    """Take the first part, `p`, out of a list; without a branch, as `append`."""
    part = state.parts[p]
    ends = state.lists[row]
    behind = part.next
    has_behind = behind >= 0
    ends.head = behind
    state.parts[choose_blindly(has_behind, behind, p)].prev = -1
    ends.tail = choose_blindly(has_behind, ends.tail, -1)
    ends.count -= 1
    part.list = -1


@hot
def enter_buffer(state: State, b, p):
    """Give a part a place in a buffer."""
    clock = state.clock[0]
    buffer = state.buffers[b]
    buffer.level += 1
    buffer.entered += 1
    buffer.area_us -= clock.now
    if unlikely(buffer.level > buffer.highest):
        buffer.highest = buffer.level
    state.parts[p].entered = clock.now


@hot
def leave_buffer(state: State, b, p):
    """Free a part's place in a buffer and wake whoever waits for room."""
    now = state.clock[0].now
    buffer = state.buffers[b]
    buffer.level -= 1
    buffer.left += 1
    buffer.area_us += now
    buffer.wait_us += now - state.parts[p].entered
    if buffer.waiters > 0:
        push(state, ROOM, b)


@jit
def book_stay(state: State, b, p):
    """Book a part's stay in a buffer so far: from now on it has a second place.

    `enter_buffer` of the other one then begins the stay in both anew.
    """
    state.buffers[b].wait_us += state.clock[0].now - state.parts[p].entered


@hot
def new_part(state: State, product):
    """Take a part from the pool and number it; `advance` has made sure of room."""
    clock = state.clock[0]
    p = clock.free_part
    part = state.parts[p]
    clock.free_part = part.next
    clock.n_free -= 1
    if unlikely(clock.n_free < clock.margin):
        clock.limit = -1  # the driver must make room before the next event
    made = state.products[product]
    part.product = product
    part.serial = made.serial
    made.serial += 1
    part.visits = 0
    part.list = -1
    part.station = -1
    part.woken = -1
    part.reserved = -1
    part.target = -1
    part.split = 0
    part.bad = 0
    part.order = -1
    part.due = NEVER
    part.released = clock.now
    part.created = clock.now
    clock.sequence += 1
    part.sequence = clock.sequence
    return p


@hot
def free_part(state: State, p):
    """Give a part back to the pool."""
    clock = state.clock[0]
    state.parts[p].next = clock.free_part
    state.parts[p].product = -1
    clock.free_part = p
    clock.n_free += 1
