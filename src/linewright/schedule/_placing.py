"""Schedules by lists, compiled: what `listing.placed` does, many thousand times.

`place` begins operations as early as an order of them allows, `better` looks for an
order that is better: it moves operations of late orders, or runs of one family, ahead
on their servers, brings together what needs no setup, and takes other servers. A move
is tried by placing all again from the first place that it touches; the state before
every so many places is kept for that. All random numbers come from the caller.

All that these functions know lies in one array of whole numbers (`arrays.Memory`): to
pass many arrays costs more than what is done with them. ``m[PART]`` is where a part
begins and ``m[N_PART]`` how many rows it has; rows are those of `arrays.Shop`, times
microseconds. Everything compiled is in this file, because Numba's cache looks at the
file of the called function alone.
"""

from __future__ import annotations

from numba import njit

from linewright.schedule.arrays import (
    AHEAD,
    BEGUN,
    BEHIND,
    BEST_ORDER,
    CALENDARS,
    CHAIN,
    CHOSEN,
    COST_BEST,
    COST_NOW,
    COST_TRIAL,
    D_BEGUN,
    D_BEGUN_END,
    D_COLUMNS,
    D_DUE,
    D_LAST,
    D_LAST_END,
    D_RELEASE,
    D_WEIGHT,
    DEMANDS,
    FAMILY,
    FINISH,
    FIT,
    FLOW_TIME,
    FORMER,
    FREE,
    G_COLUMNS,
    GOALS,
    GROUPS,
    H_AT_BEGIN,
    H_BACK,
    H_COLUMNS,
    H_FIRST,
    H_LAST,
    H_QUANTITY,
    H_RESOURCE,
    HANDED,
    HELD,
    HOLDS,
    KEPT_FAMILY,
    KEPT_FREE,
    KEPT_OPEN,
    KEPT_ORDER,
    KEPT_PROFILE_AT,
    KEPT_PROFILE_LEVEL,
    KEPT_PROFILE_N,
    KEPT_STEP,
    LAST,
    LATE_ORDERS,
    LATEST,
    M_CALENDAR,
    M_COLUMNS,
    M_FAMILY,
    M_LOAD,
    M_NEED,
    M_NEED_END,
    M_PROCESS,
    M_STATION,
    M_STOPS,
    M_UNLOAD,
    MAKESPAN,
    MEMBERS,
    MODES,
    MOVED,
    N_CHAIN,
    N_COLUMNS,
    N_DEMANDS,
    N_FORMER,
    N_FREE,
    N_GOALS,
    N_GROUPS,
    N_OPEN,
    N_OPERATIONS,
    N_ORDER,
    N_PHASES,
    N_PROFILE_AT,
    N_QUANTITY,
    N_RESOURCE,
    N_RESOURCE_END,
    NEEDS,
    O_COLUMNS,
    O_FIXED_AT,
    O_FIXED_MODE,
    O_GROUP,
    O_HANDED,
    O_HANDED_END,
    O_HELD,
    O_HELD_END,
    O_MODE,
    O_MODE_END,
    O_PRED,
    O_PRED_END,
    O_RELEASE,
    O_REST,
    O_SUCC,
    O_SUCC_END,
    OPEN,
    OPERATIONS,
    ORDER,
    P_BEFORE,
    P_COLUMNS,
    P_MIN,
    P_WAY,
    P_WAY_END,
    PAIN,
    PLACE,
    PLACED_BEGIN,
    PLACED_END,
    PLACED_MODE,
    PLACED_SERVER,
    PLACED_SETUP,
    PREDS,
    PROFILE_AT,
    PROFILE_LEVEL,
    PROFILE_N,
    R_CALENDAR,
    R_CAPACITY,
    R_COLUMNS,
    R_PROFILE,
    RESOURCES,
    S_AHEAD,
    S_COLUMNS,
    S_FAMILIES,
    S_SERVER,
    S_SERVERS,
    S_SETUP,
    SERVING,
    SETUP_US,
    SETUPS,
    SPANS,
    STABILITY,
    STATIONS,
    SUCCS,
    TARDINESS,
    TOUCHED,
    WAYS,
    WIP,
)

NEVER = 2**62
_SETUP, _LOAD, _PROCESS, _UNLOAD = 1, 2, 4, 8
_TRIES = 10000


# ---------------------------------------------------------------- calendars


@njit(cache=True, nogil=True)
def _span_at(m, first, last, at):
    """Return the first span of a calendar that ends after an instant, or `last`."""
    while first < last:
        middle = (first + last) // 2
        if m[m[SPANS] + middle * 3 + 1] > at:
            last = middle
        else:
            first = middle + 1
    return first


@njit(cache=True, nogil=True)
def _next_on(m, calendar, at):
    first, last = (
        m[m[CALENDARS] + calendar * 2 + 0],
        m[m[CALENDARS] + calendar * 2 + 1],
    )
    i = _span_at(m, first, last, at)
    return NEVER if i == last else max(at, m[m[SPANS] + i * 3 + 0])


@njit(cache=True, nogil=True)
def _after_work(m, calendar, at, amount):
    if amount <= 0:
        return at
    last = m[m[CALENDARS] + calendar * 2 + 1]
    left = amount
    i = _span_at(m, m[m[CALENDARS] + calendar * 2 + 0], last, at)
    while i < last:
        begin = max(at, m[m[SPANS] + i * 3 + 0])
        room = m[m[SPANS] + i * 3 + 1] - begin
        if left <= room:
            return begin + left
        left -= room
        i += 1
    return NEVER


@njit(cache=True, nogil=True)
def _may_begin(m, mode, at):
    """Return the first instant from which on a mode may begin."""
    calendar = m[m[MODES] + mode * M_COLUMNS + M_CALENDAR]
    if calendar < 0:
        return at
    last = m[m[CALENDARS] + calendar * 2 + 1]
    while True:
        i = _span_at(m, m[m[CALENDARS] + calendar * 2 + 0], last, at)
        if i == last:
            return NEVER
        at = max(at, m[m[SPANS] + i * 3 + 0])
        if m[m[MODES] + mode * M_COLUMNS + M_STOPS] != FIT:
            return at
        end, total, j = (m[m[SPANS] + i * 3 + 2], 0, i)
        while j < last and m[m[SPANS] + j * 3 + 1] <= end:
            total += m[m[SPANS] + j * 3 + 1] - max(at, m[m[SPANS] + j * 3 + 0])
            j += 1
        if total >= m[m[MODES] + mode * M_COLUMNS + M_PROCESS]:
            return at
        at = end


@njit(cache=True, nogil=True)
def _last_phase(m, mode):
    if m[m[MODES] + mode * M_COLUMNS + M_UNLOAD]:
        return _UNLOAD
    if m[m[MODES] + mode * M_COLUMNS + M_LOAD] and (
        not m[m[MODES] + mode * M_COLUMNS + M_PROCESS]
    ):
        return _LOAD
    return _PROCESS


@njit(cache=True, nogil=True)
def _end_of(m, mode, begin, amount, phase):
    """Return when work is over that begins at an instant and ends with a phase."""
    calendar = m[m[MODES] + mode * M_COLUMNS + M_CALENDAR]
    stops = m[m[MODES] + mode * M_COLUMNS + M_STOPS]
    if calendar < 0 or stops == FINISH or stops == FIT:
        return begin + amount
    at = _after_work(m, calendar, begin, amount)
    if phase == _LOAD or phase == _UNLOAD:
        return _next_on(m, calendar, at)
    return at


# ---------------------------------------------------------------- resources


@njit(cache=True, nogil=True)
def _interval_at(m, first, n, at):
    """Return the last place of a profile that begins at an instant or before."""
    low, high = (first, first + n)
    while low < high:
        middle = (low + high) // 2
        if m[m[PROFILE_AT] + middle] > at:
            high = middle
        else:
            low = middle + 1
    return low - 1


@njit(cache=True, nogil=True)
def _earliest(m, r, at, length, quantity):
    """Return the first instant from which so much of a resource is free for so long."""
    most = m[m[RESOURCES] + r * R_COLUMNS + R_CAPACITY] - quantity
    if most < 0:
        return NEVER
    first = m[m[RESOURCES] + r * R_COLUMNS + R_PROFILE]
    last = first + m[m[PROFILE_N] + r]
    i = _interval_at(m, first, m[m[PROFILE_N] + r], at)
    begin = at
    while True:
        while m[m[PROFILE_LEVEL] + i] > most:
            i += 1
            if i == last:
                return NEVER
            begin = m[m[PROFILE_AT] + i]
        j = i + 1
        while j < last and m[m[PROFILE_AT] + j] < begin + length:
            if m[m[PROFILE_LEVEL] + j] > most:
                break
            j += 1
        else:
            return begin
        i = j


@njit(cache=True, nogil=True)
def _cut(m, r, at):
    """Return the place of an instant at which a level of a resource begins."""
    first = m[m[RESOURCES] + r * R_COLUMNS + R_PROFILE]
    n = m[m[PROFILE_N] + r]
    i = _interval_at(m, first, n, at)
    if m[m[PROFILE_AT] + i] == at:
        return i
    for j in range(first + n, i + 1, -1):
        m[m[PROFILE_AT] + j] = m[m[PROFILE_AT] + (j - 1)]
        m[m[PROFILE_LEVEL] + j] = m[m[PROFILE_LEVEL] + (j - 1)]
    m[m[PROFILE_AT] + (i + 1)] = at
    m[m[PROFILE_LEVEL] + (i + 1)] = m[m[PROFILE_LEVEL] + i]
    m[m[PROFILE_N] + r] = n + 1
    return i + 1


@njit(cache=True, nogil=True)
def _take(m, r, begin, end, quantity):
    if end > begin:
        first = _cut(m, r, begin)
        last = _cut(m, r, end)
        for i in range(first, last):
            m[m[PROFILE_LEVEL] + i] += quantity


@njit(cache=True, nogil=True)
def _free_from(m, r, at, length, quantity):
    """Return from when on a resource is free for so long, and on at the begin."""
    calendar = m[m[RESOURCES] + r * R_COLUMNS + R_CALENDAR]
    for _ in range(_TRIES):
        if calendar >= 0:
            at = _next_on(m, calendar, at)
            if at >= NEVER:
                return NEVER
        free = _earliest(m, r, at, length, quantity)
        if free == at:
            return at
        at = free
        if at >= NEVER:
            return NEVER
    return NEVER


@njit(cache=True, nogil=True)
def _phase(m, mode, need, begin, setup, end):
    """Return when the phases begin and end in which an operation needs something."""
    phases = m[m[NEEDS] + need * N_COLUMNS + N_PHASES]
    lowest = phases & -phases
    before, inside, behind = 0, 0, 0
    before_phase, last_phase = _SETUP, _SETUP
    for k in range(4):
        bit = 1 << k
        length = setup if k == 0 else m[m[MODES] + mode * M_COLUMNS + M_LOAD + k - 1]
        if phases & bit:
            inside += length
            if length:
                last_phase = bit
        elif bit < lowest:
            before += length
            if length:
                before_phase = bit
        else:
            behind += length
    first = begin
    if before:
        first = _end_of(m, mode, begin, before, before_phase)
    last = end
    if behind:
        last = _end_of(m, mode, begin, before + inside, last_phase)
    return (first, last)


@njit(cache=True, nogil=True)
def _when_needs_are_there(m, o, mode, begin, setup, end):
    """Return `begin` if all that is needed is there, else when to try again.

    Which resource serves each need is left in ``CHOSEN``.
    """
    later = begin
    first_need = m[m[MODES] + mode * M_COLUMNS + M_NEED]
    for need in range(first_need, m[m[MODES] + mode * M_COLUMNS + M_NEED_END]):
        first, last = _phase(m, mode, need, begin, setup, end)
        m[m[CHOSEN] + (need - first_need)] = -1
        if last <= first:
            continue
        best, at = -1, NEVER
        quantity = m[m[NEEDS] + need * N_COLUMNS + N_QUANTITY]
        for i in range(
            m[m[NEEDS] + need * N_COLUMNS + N_RESOURCE],
            m[m[NEEDS] + need * N_COLUMNS + N_RESOURCE_END],
        ):
            r = m[m[SERVING] + i]
            free = _free_from(m, r, first, last - first, quantity)
            if free < at:
                best, at = r, free
        m[m[CHOSEN] + (need - first_need)] = best
        if at >= NEVER:
            return NEVER
        later = max(later, begin + at - first)
    for i in range(
        m[m[OPERATIONS] + o * O_COLUMNS + O_HELD],
        m[m[OPERATIONS] + o * O_COLUMNS + O_HELD_END],
    ):
        h = m[m[HELD] + i]
        r = m[m[HOLDS] + h * H_COLUMNS + H_RESOURCE]
        length = 1
        if m[m[HOLDS] + h * H_COLUMNS + H_LAST] == o and (
            not m[m[HOLDS] + h * H_COLUMNS + H_AT_BEGIN]
        ):
            length = end - begin + m[m[HOLDS] + h * H_COLUMNS + H_BACK]
        taken = m[m[HOLDS] + h * H_COLUMNS + H_QUANTITY] + m[m[OPEN] + r]
        later = max(later, _earliest(m, r, begin, length, taken))
    return later


# ---------------------------------------------------------------- placing


@njit(cache=True, nogil=True)
def _ready(m, o, mode, placed):
    """Return when the parts of an operation are there, if it is done in a mode."""
    at = m[m[OPERATIONS] + o * O_COLUMNS + O_RELEASE]
    station = m[m[MODES] + mode * M_COLUMNS + M_STATION]
    for i in range(
        m[m[OPERATIONS] + o * O_COLUMNS + O_PRED],
        m[m[OPERATIONS] + o * O_COLUMNS + O_PRED_END],
    ):
        before = m[m[PREDS] + i * P_COLUMNS + P_BEFORE]
        done = m[placed + m[PLACED_END] + before] + m[m[PREDS] + i * P_COLUMNS + P_MIN]
        if (
            m[m[PREDS] + i * P_COLUMNS + P_WAY]
            < m[m[PREDS] + i * P_COLUMNS + P_WAY_END]
        ):
            first = (
                m[m[OPERATIONS] + before * O_COLUMNS + O_MODE]
                + m[placed + m[PLACED_MODE] + before]
            )
            start = m[m[MODES] + first * M_COLUMNS + M_STATION]
            for w in range(
                m[m[PREDS] + i * P_COLUMNS + P_WAY],
                m[m[PREDS] + i * P_COLUMNS + P_WAY_END],
            ):
                if (
                    m[m[WAYS] + w * 3 + 0] == start
                    and m[m[WAYS] + w * 3 + 1] == station
                ):
                    done += m[m[WAYS] + w * 3 + 2]
        at = max(at, done)
    return at


@njit(cache=True, nogil=True)
def _setup_us(m, k, before, family):
    first = m[m[STATIONS] + k * S_COLUMNS + S_SETUP]
    if first < 0 or family < 0:
        return 0
    n = m[m[STATIONS] + k * S_COLUMNS + S_FAMILIES]
    row = n if before < 0 else before
    return m[m[SETUP_US] + (first + row * n + family)]


@njit(cache=True, nogil=True)
def _put(m, placed, g):
    """Put the operations of a group as early as they fit; say whether they do."""
    o = m[m[MEMBERS] + m[m[GROUPS] + g * G_COLUMNS]]
    mode = m[m[OPERATIONS] + o * O_COLUMNS + O_MODE] + m[placed + m[PLACED_MODE] + o]
    k = m[m[MODES] + mode * M_COLUMNS + M_STATION]
    at = 0
    for i in range(m[m[GROUPS] + g * G_COLUMNS], m[m[GROUPS] + g * G_COLUMNS + 1]):
        at = max(at, _ready(m, m[m[MEMBERS] + i], mode, placed))
    is_fixed = m[m[OPERATIONS] + o * O_COLUMNS + O_FIXED_MODE] >= 0
    if is_fixed:
        at = max(at, m[m[OPERATIONS] + o * O_COLUMNS + O_FIXED_AT])
    setup, s = 0, -1
    if k >= 0:
        s = m[m[STATIONS] + k * S_COLUMNS + S_SERVER] + m[placed + m[PLACED_SERVER] + o]
        at = max(at, m[m[FREE] + s])
        setup = _setup_us(
            m, k, m[m[FAMILY] + s], m[m[MODES] + mode * M_COLUMNS + M_FAMILY]
        )
        if m[m[STATIONS] + k * S_COLUMNS + S_AHEAD]:
            at = max(at, m[m[FREE] + s] + setup)
            setup = 0
    length = (
        setup
        + m[m[MODES] + mode * M_COLUMNS + M_LOAD]
        + m[m[MODES] + mode * M_COLUMNS + M_PROCESS]
        + m[m[MODES] + mode * M_COLUMNS + M_UNLOAD]
    )
    phase = _last_phase(m, mode)
    begin, end = NEVER, NEVER
    for _ in range(_TRIES):
        begin = _may_begin(m, mode, at)
        if begin >= NEVER:
            return False
        end = _end_of(m, mode, begin, length, phase)
        if end >= NEVER:
            return False
        later = _when_needs_are_there(m, o, mode, begin, setup, end)
        if later == begin:
            break
        at = later
        if at >= NEVER:
            return False
    else:
        return False
    if is_fixed and begin != m[m[OPERATIONS] + o * O_COLUMNS + O_FIXED_AT]:
        return False
    first_need = m[m[MODES] + mode * M_COLUMNS + M_NEED]
    for need in range(first_need, m[m[MODES] + mode * M_COLUMNS + M_NEED_END]):
        r = m[m[CHOSEN] + (need - first_need)]
        if r >= 0:
            first, last = _phase(m, mode, need, begin, setup, end)
            _take(m, r, first, last, m[m[NEEDS] + need * N_COLUMNS + N_QUANTITY])
    if s >= 0:
        m[m[FREE] + s] = end
        if m[m[MODES] + mode * M_COLUMNS + M_FAMILY] >= 0:
            m[m[FAMILY] + s] = m[m[MODES] + mode * M_COLUMNS + M_FAMILY]
    for i in range(m[m[GROUPS] + g * G_COLUMNS], m[m[GROUPS] + g * G_COLUMNS + 1]):
        o = m[m[MEMBERS] + i]
        m[placed + m[PLACED_BEGIN] + o] = begin
        m[placed + m[PLACED_SETUP] + o] = setup
        m[placed + m[PLACED_END] + o] = end
        _hold(m, placed, o, begin, end)
    return True


@njit(cache=True, nogil=True)
def _hold(m, placed, o, begin, end):
    """Note what an operation takes for itself and others, and what it hands back."""
    for i in range(
        m[m[OPERATIONS] + o * O_COLUMNS + O_HELD],
        m[m[OPERATIONS] + o * O_COLUMNS + O_HELD_END],
    ):
        h = m[m[HELD] + i]
        if m[m[HOLDS] + h * H_COLUMNS + H_LAST] != o:
            m[m[OPEN] + m[m[HOLDS] + h * H_COLUMNS + H_RESOURCE]] += m[
                m[HOLDS] + h * H_COLUMNS + H_QUANTITY
            ]
    for i in range(
        m[m[OPERATIONS] + o * O_COLUMNS + O_HANDED],
        m[m[OPERATIONS] + o * O_COLUMNS + O_HANDED_END],
    ):
        h = m[m[HANDED] + i]
        r = m[m[HOLDS] + h * H_COLUMNS + H_RESOURCE]
        until = begin if m[m[HOLDS] + h * H_COLUMNS + H_AT_BEGIN] else end
        if m[m[HOLDS] + h * H_COLUMNS + H_FIRST] != o:
            m[m[OPEN] + r] -= m[m[HOLDS] + h * H_COLUMNS + H_QUANTITY]
        start = m[placed + m[PLACED_BEGIN] + m[m[HOLDS] + h * H_COLUMNS + H_FIRST]]
        back = until + m[m[HOLDS] + h * H_COLUMNS + H_BACK]
        _take(m, r, start, back, m[m[HOLDS] + h * H_COLUMNS + H_QUANTITY])


@njit(cache=True, nogil=True)
def _clear(m):
    for s in range(m[N_FREE]):
        m[m[FREE] + s] = 0
        m[m[FAMILY] + s] = -1
    for r in range(m[N_OPEN]):
        m[m[OPEN] + r] = 0
    for r in range(m[N_OPEN]):
        first = m[m[RESOURCES] + r * R_COLUMNS + R_PROFILE]
        m[m[PROFILE_N] + r] = 1
        m[m[PROFILE_AT] + first] = -NEVER
        m[m[PROFILE_LEVEL] + first] = 0


@njit(cache=True, nogil=True)
def place(m, placed):
    """Place all groups in their order; return whether each of them fits.

    Args:
        m: A problem with its order; see `arrays.Memory`.
        placed: Where a schedule lies: modes and servers are read, times written.
    """
    _clear(m)
    for i in range(m[N_ORDER]):
        if not _put(m, placed, m[m[ORDER] + i]):
            return False
    return True


# ---------------------------------------------------------------- objectives


@njit(cache=True, nogil=True)
def cost(m, placed, found):
    """Write what a schedule has of the objectives, as `measures.measure` says."""
    for i in range(m[N_GOALS]):
        name = m[m[GOALS] + i]
        total = 0
        if name == SETUPS:
            for g in range(m[N_GROUPS]):
                total += m[
                    placed
                    + m[PLACED_SETUP]
                    + m[m[MEMBERS] + m[m[GROUPS] + g * G_COLUMNS]]
                ]
        elif name == STABILITY:
            for o in range(m[N_FORMER]):
                if m[m[FORMER] + o * 4 + 0] >= 0:
                    total += abs(
                        m[placed + m[PLACED_BEGIN] + o] - m[m[FORMER] + o * 4 + 2]
                    )
                    is_other = (
                        m[placed + m[PLACED_MODE] + o] != m[m[FORMER] + o * 4 + 0]
                    )
                    if (
                        is_other
                        or m[placed + m[PLACED_SERVER] + o] != m[m[FORMER] + o * 4 + 1]
                    ):
                        total += m[m[FORMER] + o * 4 + 3]
        else:
            for d in range(m[N_DEMANDS]):
                done = _done(m, placed, d)
                if name == MAKESPAN:
                    total = max(total, done)
                elif name == FLOW_TIME:
                    total += done - m[m[DEMANDS] + d * D_COLUMNS + D_RELEASE]
                elif name == LATE_ORDERS:
                    total += done > m[m[DEMANDS] + d * D_COLUMNS + D_DUE]
                elif name == TARDINESS:
                    late = max(0, done - m[m[DEMANDS] + d * D_COLUMNS + D_DUE])
                    total += m[m[DEMANDS] + d * D_COLUMNS + D_WEIGHT] * late
                elif name == WIP:
                    first, last = (
                        m[m[DEMANDS] + d * D_COLUMNS + D_BEGUN],
                        m[m[DEMANDS] + d * D_COLUMNS + D_BEGUN_END],
                    )
                    for j in range(first, last):
                        total += done - m[placed + m[PLACED_BEGIN] + m[m[BEGUN] + j]]
        m[found + i] = total


@njit(cache=True, nogil=True)
def _done(m, placed, d):
    done = 0
    for j in range(
        m[m[DEMANDS] + d * D_COLUMNS + D_LAST],
        m[m[DEMANDS] + d * D_COLUMNS + D_LAST_END],
    ):
        o = m[m[LAST] + j]
        done = max(
            done,
            m[placed + m[PLACED_END] + o] + m[m[OPERATIONS] + o * O_COLUMNS + O_REST],
        )
    return done


@njit(cache=True, nogil=True)
def _is_less(m, one, two):
    for i in range(m[N_GOALS]):
        if m[one + i] != m[two + i]:
            return m[one + i] < m[two + i]
    return False


# ---------------------------------------------------------------- places kept


@njit(cache=True, nogil=True)
def _copy(m, source, target, n):
    for i in range(n):
        m[target + i] = m[source + i]


@njit(cache=True, nogil=True)
def _keep(m, c):
    """Keep the state at a place, to go on from it later."""
    _copy(m, m[FREE], m[KEPT_FREE] + c * m[N_FREE], m[N_FREE])
    _copy(m, m[FAMILY], m[KEPT_FAMILY] + c * m[N_FREE], m[N_FREE])
    _copy(m, m[OPEN], m[KEPT_OPEN] + c * m[N_OPEN], m[N_OPEN])
    _copy(m, m[PROFILE_N], m[KEPT_PROFILE_N] + c * m[N_OPEN], m[N_OPEN])
    for r in range(m[N_OPEN]):
        first = m[m[RESOURCES] + r * R_COLUMNS + R_PROFILE]
        n = m[m[PROFILE_N] + r]
        there = c * m[N_PROFILE_AT] + first
        _copy(m, m[PROFILE_AT] + first, m[KEPT_PROFILE_AT] + there, n)
        _copy(m, m[PROFILE_LEVEL] + first, m[KEPT_PROFILE_LEVEL] + there, n)


@njit(cache=True, nogil=True)
def _restore(m, c):
    _copy(m, m[KEPT_FREE] + c * m[N_FREE], m[FREE], m[N_FREE])
    _copy(m, m[KEPT_FAMILY] + c * m[N_FREE], m[FAMILY], m[N_FREE])
    _copy(m, m[KEPT_OPEN] + c * m[N_OPEN], m[OPEN], m[N_OPEN])
    _copy(m, m[KEPT_PROFILE_N] + c * m[N_OPEN], m[PROFILE_N], m[N_OPEN])
    for r in range(m[N_OPEN]):
        first = m[m[RESOURCES] + r * R_COLUMNS + R_PROFILE]
        n = m[m[PROFILE_N] + r]
        there = c * m[N_PROFILE_AT] + first
        _copy(m, m[KEPT_PROFILE_AT] + there, m[PROFILE_AT] + first, n)
        _copy(m, m[KEPT_PROFILE_LEVEL] + there, m[PROFILE_LEVEL] + first, n)


@njit(cache=True, nogil=True)
def _is_as_kept(m, c):
    """Say whether all that comes will be placed as from a place that was kept.

    Of resources only what is taken from the first free server on can matter.
    """
    earliest = NEVER
    for s in range(m[N_FREE]):
        if (
            m[m[FREE] + s] != m[m[KEPT_FREE] + c * m[N_FREE] + s]
            or m[m[FAMILY] + s] != m[m[KEPT_FAMILY] + c * m[N_FREE] + s]
        ):
            return False
        earliest = min(earliest, m[m[FREE] + s])
    for r in range(m[N_OPEN]):
        if m[m[OPEN] + r] or m[m[KEPT_OPEN] + c * m[N_OPEN] + r]:
            return False
        first = m[m[RESOURCES] + r * R_COLUMNS + R_PROFILE]
        one, two = (
            first + m[m[PROFILE_N] + r] - 1,
            first + m[m[KEPT_PROFILE_N] + c * m[N_OPEN] + r] - 1,
        )
        while True:
            if (
                m[m[PROFILE_LEVEL] + one]
                != m[m[KEPT_PROFILE_LEVEL] + c * m[N_PROFILE_AT] + two]
            ):
                return False
            at, other = (
                m[m[PROFILE_AT] + one],
                m[m[KEPT_PROFILE_AT] + c * m[N_PROFILE_AT] + two],
            )
            if at <= earliest and other <= earliest:
                break
            if at != other:
                return False
            one -= 1
            two -= 1
    return True


@njit(cache=True, nogil=True)
def keep_places(m, placed, first, until):
    """Place all from a kept place to a position, and keep the state at every place."""
    step = m[m[KEPT_STEP] + 0]
    if first == 0:
        _clear(m)
    else:
        _restore(m, first)
    for i in range(first * step, until):
        if i % step == 0:
            _keep(m, i // step)
        if not _put(m, placed, m[m[ORDER] + i]):
            return False
    return True


@njit(cache=True, nogil=True)
def _try(m, placed, now, first, last):
    """Place a changed order from a kept place on; return where it is as before again.

    `now` is the schedule before the change, `first` the number of the kept place and
    `last` the last position that was changed. What comes back is the position from
    which on nothing is other than before; -1: it does not fit.
    """
    step = m[m[KEPT_STEP] + 0]
    n = m[N_ORDER]
    _restore(m, first)
    far = last
    for i in range(first * step, n):
        if i > far and i % step == 0 and _is_as_kept(m, i // step):
            return i
        g = m[m[ORDER] + i]
        if not _put(m, placed, g):
            return -1
        for j in range(m[m[GROUPS] + g * G_COLUMNS], m[m[GROUPS] + g * G_COLUMNS + 1]):
            o = m[m[MEMBERS] + j]
            if (
                m[placed + m[PLACED_END] + o] != m[now + m[PLACED_END] + o]
                or m[placed + m[PLACED_MODE] + o] != m[now + m[PLACED_MODE] + o]
            ):
                for x in range(
                    m[m[OPERATIONS] + o * O_COLUMNS + O_SUCC],
                    m[m[OPERATIONS] + o * O_COLUMNS + O_SUCC_END],
                ):
                    far = max(
                        far,
                        m[
                            m[PLACE]
                            + m[m[OPERATIONS] + m[m[SUCCS] + x] * O_COLUMNS + O_GROUP]
                        ],
                    )
    return n


# ---------------------------------------------------------------- moves


@njit(cache=True, nogil=True)
def _move(m, i, j):
    """Bring the group at one position to another one."""
    order, place = m[ORDER], m[PLACE]
    g = m[order + i]
    step = 1 if j > i else -1
    for x in range(i, j, step):
        m[order + x] = m[order + x + step]
        m[place + m[order + x]] = x
    m[order + j] = g
    m[place + g] = j
    m[m[TOUCHED]] = min(m[m[TOUCHED]], i, j)
    m[m[TOUCHED] + 1] = max(m[m[TOUCHED] + 1], i, j)


@njit(cache=True, nogil=True)
def _earliest_place(m, g):
    """Return the first position at which a group may stand."""
    first = 0
    for i in range(m[m[GROUPS] + g * G_COLUMNS], m[m[GROUPS] + g * G_COLUMNS + 1]):
        o = m[m[MEMBERS] + i]
        for x in range(
            m[m[OPERATIONS] + o * O_COLUMNS + O_PRED],
            m[m[OPERATIONS] + o * O_COLUMNS + O_PRED_END],
        ):
            before = m[
                m[OPERATIONS]
                + m[m[PREDS] + x * P_COLUMNS + P_BEFORE] * O_COLUMNS
                + O_GROUP
            ]
            first = max(first, m[m[PLACE] + before] + 1)
    return first


@njit(cache=True, nogil=True)
def _latest_place(m, g):
    """Return the last position at which a group may stand."""
    last = m[N_ORDER] - 1
    for i in range(m[m[GROUPS] + g * G_COLUMNS], m[m[GROUPS] + g * G_COLUMNS + 1]):
        o = m[m[MEMBERS] + i]
        for x in range(
            m[m[OPERATIONS] + o * O_COLUMNS + O_SUCC],
            m[m[OPERATIONS] + o * O_COLUMNS + O_SUCC_END],
        ):
            after = m[m[OPERATIONS] + m[m[SUCCS] + x] * O_COLUMNS + O_GROUP]
            last = min(last, m[m[PLACE] + after] - 1)
    return last


@njit(cache=True, nogil=True)
def _neighbours(m, placed):
    """Note for each group what is before it, and behind it, on its server."""
    for s in range(m[N_FREE]):
        m[m[LATEST] + s] = -1
    for i in range(m[N_ORDER]):
        g = m[m[ORDER] + i]
        m[m[AHEAD] + g], m[m[BEHIND] + g] = -1, -1
        s = _server(m, placed, g)
        if s >= 0:
            before = m[m[LATEST] + s]
            m[m[AHEAD] + g] = before
            if before >= 0:
                m[m[BEHIND] + before] = g
            m[m[LATEST] + s] = g


@njit(cache=True, nogil=True)
def _mode(m, placed, g):
    o = m[m[MEMBERS] + m[m[GROUPS] + g * G_COLUMNS]]
    return m[m[OPERATIONS] + o * O_COLUMNS + O_MODE] + m[placed + m[PLACED_MODE] + o]


@njit(cache=True, nogil=True)
def _server(m, placed, g):
    o = m[m[MEMBERS] + m[m[GROUPS] + g * G_COLUMNS]]
    k = m[m[MODES] + _mode(m, placed, g) * M_COLUMNS + M_STATION]
    return (
        -1
        if k < 0
        else m[m[STATIONS] + k * S_COLUMNS + S_SERVER]
        + m[placed + m[PLACED_SERVER] + o]
    )


@njit(cache=True, nogil=True)
def _pains(m, placed, objective):
    """Add up what each demand has of an objective, to choose among them by it."""
    total = 0
    latest = 0
    for d in range(m[N_DEMANDS]):
        latest = max(latest, _done(m, placed, d))
    for d in range(m[N_DEMANDS]):
        done = _done(m, placed, d)
        pain = 1
        if objective in (TARDINESS, LATE_ORDERS):
            late = max(0, done - m[m[DEMANDS] + d * D_COLUMNS + D_DUE])
            pain = 1 + late // 1000 * m[m[DEMANDS] + d * D_COLUMNS + D_WEIGHT]
            if objective == LATE_ORDERS and late:
                pain = 1000
        elif objective == MAKESPAN and done * 100 >= latest * 97:
            pain = 1000
        total += pain
        m[m[PAIN] + d] = total


@njit(cache=True, nogil=True)
def _drawn(m, x):
    """Return the demand that a number from 0 to 1 falls to, by shares of the pain."""
    wanted = int(x * m[m[PAIN] + m[N_DEMANDS] - 1])
    low, high = 0, m[N_DEMANDS] - 1
    while low < high:
        middle = (low + high) // 2
        if m[m[PAIN] + middle] > wanted:
            high = middle
        else:
            low = middle + 1
    return low


@njit(cache=True, nogil=True)
def _chain(m, placed, d, u):
    """Walk back from the end of a demand along what each operation waited for.

    Groups that waited for their server come to ``CHAIN``, the latest first;
    their number is returned.
    """
    o, end = -1, -1
    for j in range(
        m[m[DEMANDS] + d * D_COLUMNS + D_LAST],
        m[m[DEMANDS] + d * D_COLUMNS + D_LAST_END],
    ):
        if m[placed + m[PLACED_END] + m[m[LAST] + j]] > end:
            o, end = (m[m[LAST] + j], m[placed + m[PLACED_END] + m[m[LAST] + j]])
    n = 0
    for step in range(4 * m[N_CHAIN]):
        g = m[m[OPERATIONS] + o * O_COLUMNS + O_GROUP]
        mode = _mode(m, placed, g)
        ready = _ready(m, o, mode, placed)
        before = m[m[AHEAD] + g]
        waited = before >= 0 and m[placed + m[PLACED_BEGIN] + o] > ready
        if waited:
            m[m[CHAIN] + n] = g
            n += 1
            if n == m[N_CHAIN]:
                break
        nearest, at = -1, -1
        for x in range(
            m[m[OPERATIONS] + o * O_COLUMNS + O_PRED],
            m[m[OPERATIONS] + o * O_COLUMNS + O_PRED_END],
        ):
            one = m[m[PREDS] + x * P_COLUMNS + P_BEFORE]
            if m[placed + m[PLACED_END] + one] > at:
                nearest, at = (one, m[placed + m[PLACED_END] + one])
        on_server = waited and u[7 + step % (u.shape[0] - 7)] < 0.3
        if on_server or (nearest < 0 and waited):
            o = m[m[MEMBERS] + m[m[GROUPS] + before * G_COLUMNS]]
        elif nearest >= 0:
            o = nearest
        else:
            break
    return n


@njit(cache=True, nogil=True)
def _bring_ahead(m, g, n):
    """Bring a group so many places ahead on its server, as far as it may go."""
    if not m[m[GROUPS] + g * G_COLUMNS + 2]:
        return
    other = g
    for _ in range(n):
        if m[m[AHEAD] + other] < 0:
            break
        other = m[m[AHEAD] + other]
    i = m[m[PLACE] + g]
    j = max(m[m[PLACE] + other], _earliest_place(m, g))
    if j < i:
        _move(m, i, j)


@njit(cache=True, nogil=True)
def _bring_back(m, g, other):
    """Bring a group behind another one, as far as it may go."""
    if not m[m[GROUPS] + g * G_COLUMNS + 2]:
        return
    i = m[m[PLACE] + g]
    j = min(m[m[PLACE] + other], _latest_place(m, g))
    if j > i:
        _move(m, i, j)


@njit(cache=True, nogil=True)
def _run_ahead(m, placed, g, most):
    """Bring the run of one family that a group is in ahead of the run before it."""
    family = m[m[MODES] + _mode(m, placed, g) * M_COLUMNS + M_FAMILY]
    first = g
    n = 0
    while n < most and m[m[AHEAD] + first] >= 0:
        before = m[m[AHEAD] + first]
        if m[m[MODES] + _mode(m, placed, before) * M_COLUMNS + M_FAMILY] != family:
            break
        first = before
        n += 1
    target = m[m[AHEAD] + first]
    if target < 0:
        return
    other = m[m[MODES] + _mode(m, placed, target) * M_COLUMNS + M_FAMILY]
    n = 0
    while n < most and m[m[AHEAD] + target] >= 0:
        before = m[m[AHEAD] + target]
        if m[m[MODES] + _mode(m, placed, before) * M_COLUMNS + M_FAMILY] != other:
            break
        target = before
        n += 1
    n = 0
    while first >= 0 and n < most:
        if m[m[MODES] + _mode(m, placed, first) * M_COLUMNS + M_FAMILY] != family:
            break
        if m[m[GROUPS] + first * G_COLUMNS + 2]:
            i = m[m[PLACE] + first]
            j = max(m[m[PLACE] + target], _earliest_place(m, first))
            if j < i:
                _move(m, i, j)
        first = m[m[BEHIND] + first]
        n += 1


@njit(cache=True, nogil=True)
def _join(m, placed, g, ahead):
    """Bring together a group that needs a setup and one of its family, to spare it."""
    family = m[m[MODES] + _mode(m, placed, g) * M_COLUMNS + M_FAMILY]
    other = g
    for _ in range(60):
        other = m[m[AHEAD] + other] if ahead else m[m[BEHIND] + other]
        if other < 0:
            return
        if m[m[MODES] + _mode(m, placed, other) * M_COLUMNS + M_FAMILY] == family:
            break
    else:
        return
    if ahead:
        i = m[m[PLACE] + g]
        j = max(m[m[PLACE] + other] + 1, _earliest_place(m, g))
        if j < i and m[m[GROUPS] + g * G_COLUMNS + 2]:
            _move(m, i, j)
    else:
        _bring_back(m, g, other)


@njit(cache=True, nogil=True)
def _other_run(m, placed, g, next_to):
    """Return the nearest of a group's family in another run on its server, or -1.

    `next_to` is ``AHEAD`` or ``BEHIND``: on which side.
    """
    family = m[m[MODES] + _mode(m, placed, g) * M_COLUMNS + M_FAMILY]
    other = m[m[next_to] + g]
    is_own_run = True
    for _ in range(100):
        if other < 0:
            return -1
        same = m[m[MODES] + _mode(m, placed, other) * M_COLUMNS + M_FAMILY] == family
        if same and not is_own_run:
            return other
        is_own_run = is_own_run and same
        other = m[m[next_to] + other]
    return -1


@njit(cache=True, nogil=True)
def _to_run_before(m, placed, g):
    """Bring a group ahead into the last run of its family before its own."""
    other = _other_run(m, placed, g, AHEAD)
    if other >= 0 and m[m[GROUPS] + g * G_COLUMNS + 2]:
        i = m[m[PLACE] + g]
        j = max(m[m[PLACE] + other] + 1, _earliest_place(m, g))
        if j < i:
            _move(m, i, j)


@njit(cache=True, nogil=True)
def _to_run_behind(m, placed, g):
    """Bring a group back into the next run of its family behind its own."""
    other = _other_run(m, placed, g, BEHIND)
    if other >= 0:
        # it comes before that one, which has moved up by one place then
        _bring_back(m, g, other)


@njit(cache=True, nogil=True)
def _elsewhere(m, placed, g, x, y):
    """Give a group another mode, or another server; say whether there is one."""
    group = m[GROUPS] + g * G_COLUMNS
    if not m[group + 3]:
        return False
    first = m[m[MEMBERS] + m[group]]
    operation = m[OPERATIONS] + first * O_COLUMNS
    n_modes = m[operation + O_MODE_END] - m[operation + O_MODE]
    mode = min(int(x * n_modes), n_modes - 1)
    k = m[m[MODES] + (m[operation + O_MODE] + mode) * M_COLUMNS + M_STATION]
    n_servers = 1 if k < 0 else m[m[STATIONS] + k * S_COLUMNS + S_SERVERS]
    s = min(int(y * n_servers), n_servers - 1)
    modes, servers = placed + m[PLACED_MODE], placed + m[PLACED_SERVER]
    if mode == m[modes + first] and s == m[servers + first]:
        return False
    for i in range(m[group], m[group + 1]):
        m[modes + m[m[MEMBERS] + i]] = mode
        m[servers + m[m[MEMBERS] + i]] = s
    return True


@njit(cache=True, nogil=True)
def _change(m, placed, u):
    """Change the order, or where something is done; say whether anything is changed.

    Args:
        m: The problem.
        placed: The schedule, whose modes and servers may change.
        u: Numbers from 0 to 1, more than seven.
    """
    n_groups = m[N_ORDER]
    n = _chain(m, placed, _drawn(m, u[1]), u)
    g = m[m[ORDER] + min(int(u[2] * n_groups), n_groups - 1)]
    if n:
        g = m[m[CHAIN] + min(int(u[2] * n), n - 1)]
    if u[0] < 0.25:  # some of what waited comes sooner, without one more setup
        for i in range(n - 1, -1, -1):
            if n == 1 or u[7 + i % (u.shape[0] - 7)] < u[4]:
                _to_run_before(m, placed, m[m[CHAIN] + i])
    elif u[0] < 0.40:  # something before it goes to where its family comes next
        for _ in range(1 + int(u[3] * 12)):
            if m[m[AHEAD] + g] < 0:
                break
            g = m[m[AHEAD] + g]
        _to_run_behind(m, placed, g)
    elif u[0] < 0.50:  # some of what waited comes sooner, the first of it first
        far = 1 + int(u[3] * u[3] * 12)
        for i in range(n - 1, -1, -1):
            if n == 1 or u[7 + i % (u.shape[0] - 7)] < u[4]:
                _bring_ahead(m, m[m[CHAIN] + i], far)
    elif u[0] < 0.55:
        _bring_ahead(m, g, 1 + int(u[3] * u[3] * 30))
    elif u[0] < 0.70:
        _run_ahead(m, placed, g, 1 + int(u[3] * 40))
    elif u[0] < 0.85:
        one = g
        for _ in range(40):  # of those before it, one that needs a setup
            first = m[m[MEMBERS] + m[m[GROUPS] + one * G_COLUMNS]]
            if m[placed + m[PLACED_SETUP] + first] > 0:
                break
            if m[m[AHEAD] + one] < 0:
                break
            one = m[m[AHEAD] + one]
        _join(m, placed, one, u[3] < 0.5)
    else:
        if u[3] < 0.3:
            g = m[m[ORDER] + min(int(u[4] * n_groups), n_groups - 1)]
        if not _elsewhere(m, placed, g, u[5], u[6]):
            return False
        i = m[m[PLACE] + g]
        m[m[TOUCHED]] = min(m[m[TOUCHED]], i)
        m[m[TOUCHED] + 1] = max(m[m[TOUCHED] + 1], i)
        m[m[MOVED]] = g
    return m[m[TOUCHED] + 1] >= 0


@njit(cache=True, nogil=True)
def _copy_from(m, first, last, source, target):
    """Copy the times of the groups between two positions."""
    for i in range(first, last):
        g = m[m[ORDER] + i]
        for j in range(m[m[GROUPS] + g * G_COLUMNS], m[m[GROUPS] + g * G_COLUMNS + 1]):
            o = m[m[MEMBERS] + j]
            m[target + m[PLACED_BEGIN] + o] = m[source + m[PLACED_BEGIN] + o]
            m[target + m[PLACED_SETUP] + o] = m[source + m[PLACED_SETUP] + o]
            m[target + m[PLACED_END] + o] = m[source + m[PLACED_END] + o]


@njit(cache=True, nogil=True)
def _copy_places(m, source, target):
    g = m[m[MOVED]]
    if g >= 0:
        for j in range(m[m[GROUPS] + g * G_COLUMNS], m[m[GROUPS] + g * G_COLUMNS + 1]):
            o = m[m[MEMBERS] + j]
            m[target + m[PLACED_MODE] + o], m[target + m[PLACED_SERVER] + o] = (
                m[source + m[PLACED_MODE] + o],
                m[source + m[PLACED_SERVER] + o],
            )


@njit(cache=True, nogil=True)
def better(m, now, trial, best, first, last, random):
    """Try as many changes as there are rows of random numbers.

    Args:
        m: The problem and the order of `now`; see `arrays.Memory`.
        now: Where the schedule lies that is changed.
        trial: Where the same lies; scratch.
        best: Where the best schedule lies, its order in ``BEST_ORDER``; written.
        first: First position that may be touched.
        last: The one behind the last.
        random: Numbers from 0 to 1, (change, 7 and more).

    Returns:
        How often the best became better; -1: what fitted did not fit again.
    """
    n = m[N_ORDER]
    step = m[m[KEPT_STEP]]
    n_better = 0
    cost(m, now, m[COST_NOW])
    cost(m, best, m[COST_BEST])
    is_new = True
    for t in range(random.shape[0]):
        if is_new:
            level = 0
            while level < m[N_GOALS] - 1 and m[m[COST_NOW] + level] == 0:
                level += 1
            _neighbours(m, now)
            _pains(m, now, m[m[GOALS] + level])
            is_new = False
        m[m[TOUCHED]], m[m[TOUCHED] + 1], m[m[MOVED]] = n, -1, -1
        is_changed = _change(m, trial, random[t])
        low, high = m[m[TOUCHED]], m[m[TOUCHED] + 1]
        until = low
        accepted = False
        if is_changed and low >= first and high < last:
            until = _try(m, trial, now, low // step, high)
            if until >= 0:
                cost(m, trial, m[COST_TRIAL])
                accepted = not _is_less(m, m[COST_NOW], m[COST_TRIAL])
            else:
                until = n
        begin = low // step
        if accepted:
            is_new = True
            if not keep_places(m, trial, begin, until):
                return -1
            _copy_from(m, begin * step, until, trial, now)
            _copy_places(m, trial, now)
            _copy(m, m[ORDER] + low, m[KEPT_ORDER] + low, high + 1 - low)
            _copy(m, m[COST_TRIAL], m[COST_NOW], m[N_GOALS])
            if _is_less(m, m[COST_NOW], m[COST_BEST]):
                n_better += 1
                _copy(m, m[COST_NOW], m[COST_BEST], m[N_GOALS])
                _copy(m, m[ORDER], m[BEST_ORDER], n)
                _copy(m, now, best, 5 * m[N_OPERATIONS])
            continue
        for i in range(low, high + 1):
            g = m[m[KEPT_ORDER] + i]
            m[m[ORDER] + i] = g
            m[m[PLACE] + g] = i
        if is_changed:
            _copy_places(m, now, trial)
            _copy_from(m, begin * step, until, now, trial)
    return n_better
