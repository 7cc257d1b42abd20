"""Compiled parts of the formulas: elimination in a band, and two-station blocks.

All compiled code of this package lies in this one file: Numba notices an edit of the
file of an entry, and of no other (see `kernel._jit`). Functions write into arrays that
their caller made, and know rows only. Times are in any one unit.

A distribution of time is phase-type with up to four phases that are passed through
upwards, held in one record (`PHASES`): the probability to start in each phase, and the
rates from each to the next and to the end.
"""

from __future__ import annotations

import numpy as np

from linewright.kernel._jit import array_entry, array_jit

__all__ = ["MOST_PHASES", "PHASES", "band_throughputs", "decompose"]

MOST_PHASES = 4

PHASES = np.dtype(
    [
        ("n", np.int64),
        ("start", np.float64, MOST_PHASES),
        ("on", np.float64, MOST_PHASES),
        ("end", np.float64, MOST_PHASES),
    ]
)


# ---------------------------------------------------------------- elimination in a band


@array_entry
def band_throughputs(source, target, which, last_works, rates, band, found):
    """Write the throughput of lines that share their states, by state reduction.

    States are taken out from the last to the first, and what flowed through them goes
    directly (Grassmann, Taksar and Heyman 1985, Operations Research 33(5), 1107-1116);
    nothing is ever subtracted. States further apart than `band` never touch.

    Args:
        source: State that each transition leaves.
        target: State that it leads to, at most `band` rows away.
        which: Column of `rates` that holds its rate.
        last_works: Whether the last station processes, in each state.
        rates: Rates of processing, (line, station).
        band: Widest step of a transition.
        found: Throughput of each line, written.
    """
    n = last_works.shape[0]
    flow = np.zeros((n, 2 * band + 1))
    law = np.zeros(n)
    for line in range(rates.shape[0]):
        flow[:] = 0.0
        for e in range(source.shape[0]):
            offset = target[e] - source[e] + band
            flow[source[e], offset] += rates[line, which[e]]
        _reduce(flow, law, band)
        total = 0.0
        working = 0.0
        for s in range(n):
            total += law[s]
            if last_works[s]:
                working += law[s]
        found[line] = rates[line, rates.shape[1] - 1] * working / total


@array_jit
def _reduce(flow, law, band):
    """Write a law that is stationary, up to a factor; `flow` is used up."""
    n = law.shape[0]
    for s in range(n - 1, 0, -1):
        low = max(0, s - band)
        out = 0.0
        for j in range(low, s):
            out += flow[s, j - s + band]
        for i in range(low, s):
            into = flow[i, s - i + band]
            if into == 0.0:
                continue
            share = into / out
            flow[i, s - i + band] = share
            for j in range(low, s):
                flow[i, j - i + band] += share * flow[s, j - s + band]
    law[0] = 1.0
    for s in range(1, n):
        x = 0.0
        for i in range(max(0, s - band), s):
            x += law[i] * flow[i, s - i + band]
        law[s] = x


# ---------------------------------------------------------------- distributions


@array_jit
def _fit(r, n_moments, to):
    """Write phases with the reduced moments r_k = E[T^k] / k!, as many as can be had.

    With two phases, r_k = u r_(k-1) - v r_(k-2), where u is the sum and v the product
    of the two mean times; so three moments give them. Where no two phases have these
    three, the third is moved to the nearest that can be. A squared coefficient of
    variation below one half takes more phases, and two moments: a mixture of Erlang
    distributions (Tijms 1994, Stochastic Models, appendix B); none is below a quarter.
    """
    to["start"][:] = 0.0
    to["on"][:] = 0.0
    to["end"][:] = 0.0
    r1, r2 = r[0], r[1]
    scv = 2 * r2 / (r1 * r1) - 1
    if n_moments == 1 or abs(scv - 1) < 1e-6:
        to["n"] = 1
        to["start"][0] = 1.0
        to["end"][0] = 1 / r1
        return
    if scv < 0.5:
        _fit_erlang(r1, max(scv, 1.0 / MOST_PHASES), to)
        return
    u = (r[2] - r1 * r2) / (r2 - r1 * r1)
    if scv > 1:
        u = max(u, (1 + 1e-6) * r2 / r1)
    else:
        u = min(max(u, r1), 2 * (r1 - np.sqrt(r1 * r1 - r2)))
    v = u * r1 - r2
    second = 0.5 * (u + np.sqrt(max(0.0, u * u - 4 * v)))
    first = v / second
    share = min(1.0, max(0.0, (r1 - first) / second))
    to["n"] = 2
    to["start"][0] = 1.0
    to["on"][0] = share / first
    to["end"][0] = (1 - share) / first
    to["end"][1] = 1 / second


@array_jit
def _fit_erlang(mean, scv, to):
    k = int(np.ceil(1 / scv - 1e-9))
    root = max(0.0, k * (1 + scv) - k * k * scv)
    q = (k * scv - np.sqrt(root)) / (1 + scv)
    rate = (k - q) / mean
    to["n"] = k
    to["start"][0] = 1 - q
    to["start"][1] = q
    for phase in range(k - 1):
        to["on"][phase] = rate
    to["end"][k - 1] = rate


@array_jit
def _remaining(phases, at, w, e):
    """Write the reduced moments of the time that remains from the phases `at`.

    Args:
        phases: A distribution.
        at: Probabilities of its phases.
        w: Scratch, one number for each phase.
        e: The moments 1 to 3, written.
    """
    n = phases["n"]
    w[:] = 1.0
    for k in range(3):  # w becomes (-T)^-1 w; phases only lead upwards
        x = 0.0
        for i in range(n - 1, -1, -1):
            if i + 1 < n:
                w[i] += phases["on"][i] * w[i + 1]
            w[i] /= phases["on"][i] + phases["end"][i]
            x += at[i] * w[i]
        e[k] = x


@array_jit
def _add(r, e, probability):
    """Add to a time an independent one that comes with a probability, in moments."""
    r[2] += probability * (r[1] * e[0] + r[0] * e[1] + e[2])
    r[1] += probability * (r[0] * e[0] + e[1])
    r[0] += probability * e[0]


@array_jit
def _add_stop(r, wait, probability, stops, scratch):
    """Add the repair that may be left when a wait ends, if stops go on in waits.

    A station that was up when the wait began is down at its end with probability
    p / (p + r) (1 - E[exp(-(p + r) wait)]); the wait is taken as exponential.
    """
    fail, repair = stops[0], stops[1]
    if fail > 0.0:
        for k in range(3):
            scratch[k] = (1.0 if k == 0 else scratch[k - 1]) / repair
        down = fail * wait / (1 + (fail + repair) * wait)
        _add(r, scratch, probability * down)


# ---------------------------------------------------------------- two-station blocks


@array_jit
def _block(up, down, n, y, law, starving, blocking, out):
    """Solve two stations with phase-type times and n - 2 places between them.

    Level 0: the second station has nothing; level n: the first one is blocked; between
    them both work. From any level the chain goes down by the second station only, after
    which this starts afresh; so of the inverse at each level only as many rows are
    needed as the first station has phases.

    Args:
        up: Phases of the first station.
        down: Phases of the second.
        n: Levels less one, at least 2.
        y: Scratch, (level, phase of the first, state).
        law: Scratch, (state).
        starving: Phases of the first station when the second finds nothing, written.
        blocking: Phases of the second when the first finds no room, written.
        out: Throughput, probability of finding nothing, of finding no room, mean level,
            probability of level 0, of level n; written.
    """
    m, k = up["n"], down["n"]
    s = m * k
    z = np.empty((m, k))
    for a in range(m):
        for b in range(k):
            z[a, b] = down["start"][b]
    matrix = np.empty((s, s))
    leaving = np.empty(s)
    for level in range(1, n):
        matrix[:] = 0.0
        for a in range(m):
            for b in range(k):
                i = a * k + b
                leaving[i] = up["end"][a]
                if a + 1 < m:
                    matrix[i, i + k] += up["on"][a]
                if b + 1 < k:
                    matrix[i, i + 1] += down["on"][b]
                for a2 in range(m):
                    x = down["end"][b] * up["start"][a2]
                    if x > 0.0:
                        for b2 in range(k):
                            matrix[i, a2 * k + b2] += x * z[a, b2]
        _rows_of_inverse(matrix, leaving, down["start"], m, k, y[level])
        for a in range(m):
            for b in range(k):
                x = 0.0
                for c in range(m):
                    x += y[level, a, c * k + b] * up["end"][c]
                z[a, b] = x
    _back(up, down, n, y, z, law, starving, blocking, out)


@array_jit
def _rows_of_inverse(flow, leaving, start, m, k, y):
    """Write the mean time in each state before leaving, begun in e_a times `start`.

    Elimination of a chain that leaves: diagonals are sums of what goes elsewhere, so
    nothing is subtracted, and nothing lost where leaving is rare.

    Args:
        flow: Rates between the states; the diagonal is not read; used up.
        leaving: Rate of leaving from each state; used up.
        start: Phases in which the second station starts.
        m: Phases of the first station.
        k: Phases of the second.
        y: Times, (phase of the first, state), written.
    """
    s = m * k
    for j in range(s):
        total = leaving[j]
        for c in range(j + 1, s):
            total += flow[j, c]
        flow[j, j] = total
        for i in range(j + 1, s):
            if flow[i, j] > 0.0:
                share = flow[i, j] / total
                flow[i, j] = share
                leaving[i] += share * leaving[j]
                for c in range(j + 1, s):
                    flow[i, c] += share * flow[j, c]
    for a in range(m):
        row = y[a]
        for i in range(s):
            row[i] = 0.0
        for b in range(k):
            row[a * k + b] = start[b]
        for j in range(s):
            for i in range(j):
                row[j] += row[i] * flow[i, j]
            row[j] /= flow[j, j]
        for j in range(s - 1, -1, -1):
            for i in range(j + 1, s):
                row[j] += row[i] * flow[i, j]


@array_jit
def _back(up, down, n, y, z, law, starving, blocking, out):
    """Go from the highest level to the lowest and add up what is asked for."""
    m, k = up["n"], down["n"]
    w = np.empty(k)  # time in each phase at level n, for one visit of it
    flow = np.empty(m)
    for b in range(k):
        x = 0.0
        for a in range(m):
            x += up["start"][a] * z[a, b]
        w[b] = x
        blocking[b] = x
    mass, mean, through = 0.0, 0.0, 1.0  # one visit of level n ends with one departure
    for b in range(k):
        if b > 0:
            w[b] += w[b - 1] * down["on"][b - 1]
        w[b] /= down["on"][b] + down["end"][b]
        mass += w[b]
    full = mass
    mean = n * mass
    for a in range(m):
        flow[a] = up["start"][a]
    for level in range(n - 1, 0, -1):
        for i in range(m * k):
            law[i] = 0.0
            for a in range(m):
                law[i] += flow[a] * y[level, a, i]
            mass += law[i]
            mean += level * law[i]
        for a in range(m):
            flow[a] = 0.0
            for b in range(k):
                flow[a] += law[a * k + b] * down["end"][b]
            through += flow[a]
    nothing = 0.0
    for a in range(m):
        nothing += flow[a]
    empty, x = 0.0, 0.0
    for a in range(m):
        starving[a] = flow[a] / max(nothing, 1e-300)
        time = (x + flow[a]) / (up["on"][a] + up["end"][a])
        empty += time
        x = time * up["on"][a]
    mass += empty
    out[0] = through / mass
    out[1] = nothing / through
    out[2] = 1.0 / through
    out[3] = mean / mass
    out[4] = empty / mass
    out[5] = full / mass


@array_jit
def _single(up, down, n, starving, blocking, out):
    """Solve a block of exponential times: a birth-death chain.

    From the likelier end on, level j has a weight that falls with its power.
    """
    first, second = up["end"][0], down["end"][0]
    ratio = min(first, second) / max(first, second)
    if ratio < 0.999:
        last = ratio**n
        total = (1 - last * ratio) / (1 - ratio)
        mean = ratio / (1 - ratio) - (n + 1) * last * ratio / (1 - last * ratio)
    else:
        last, total, mean = 1.0, 1.0, 0.0
        for level in range(1, n + 1):
            last *= ratio
            total += last
            mean += level * last
        mean /= total
    empty, full = 1 / total, last / total
    if first > second:
        empty, full, mean = full, empty, n - mean
    starving[0] = 1.0
    blocking[0] = 1.0
    throughput = first * (1 - full) if first < second else second * (1 - empty)
    out[0] = throughput
    out[1] = empty * first / throughput
    out[2] = full * second / throughput
    out[3] = mean
    out[4] = empty
    out[5] = full


# ---------------------------------------------------------------- decomposition


@array_entry
def decompose(moments, stops, slots, successor, n_moments, until, found, levels):
    """Write what the decomposition says of lines of one shape.

    Args:
        moments: Reduced moments 1 to 3 of the time that a part takes on each station,
            (line, station, moment).
        stops: Rates of failure and repair of stations that fail while they wait too,
            else zero, (station, 2).
        slots: Places of each buffer, (line, buffer).
        successor: Station that each station but the last hands on to.
        n_moments: Moments that the blocks are given: 1 or 3.
        until: Passes over the buffers, there and back, at most, and the change of
            throughputs in a pass below which they end, as a share.
        found: Written, (line, 3 + stations): throughput, its largest change in the last
            pass as a share of it, passes, and the share of time that each station holds
            a part.
        levels: Mean number of parts in each buffer, written, (line, buffer).
    """
    n_lines, n_buffers = slots.shape
    deepest = 0
    for line in range(n_lines):
        for k in range(n_buffers):
            deepest = max(deepest, slots[line, k])
    y = np.empty((deepest + 2, MOST_PHASES, MOST_PHASES * MOST_PHASES))
    law = np.empty(MOST_PHASES * MOST_PHASES)
    up = np.zeros(n_buffers, PHASES)
    down = np.zeros(n_buffers, PHASES)
    starving = np.zeros((n_buffers, MOST_PHASES))
    blocking = np.zeros((n_buffers, MOST_PHASES))
    out = np.zeros((n_buffers, 6))
    starved = np.zeros((n_buffers, 3))  # moments of a wait, if there is one
    blocked = np.zeros((n_buffers, 3))
    r = np.zeros(3)
    scratch = np.zeros(MOST_PHASES)
    for line in range(n_lines):
        out[:] = 0.0  # at first nobody waits
        moved = np.inf
        sweep = 0
        while sweep < until[0] and moved > until[1]:
            sweep += 1
            moved = 0.0
            for step in range(max(1, 2 * n_buffers - 2)):
                k = step if step < n_buffers else 2 * n_buffers - 2 - step
                station = moments[line, k], stops[k]
                _time(k, True, k, station, successor, out, starved, blocked, r, scratch)
                _fit(r, n_moments, up[k])
                s = successor[k]
                station = moments[line, s], stops[s]
                _time(
                    s, False, k, station, successor, out, starved, blocked, r, scratch
                )
                _fit(r, n_moments, down[k])
                before = out[k, 0]
                n = slots[line, k] + 2
                if up[k]["n"] == 1 and down[k]["n"] == 1:
                    _single(up[k], down[k], n, starving[k], blocking[k], out[k])
                else:
                    _block(up[k], down[k], n, y, law, starving[k], blocking[k], out[k])
                _remaining(up[k], starving[k], scratch, starved[k])
                _remaining(down[k], blocking[k], scratch, blocked[k])
                moved = max(moved, abs(out[k, 0] - before) / out[k, 0])
        throughput = out[:, 0].mean()
        found[line, 0] = throughput
        found[line, 1] = moved
        found[line, 2] = sweep
        for k in range(n_buffers):
            wait = out[k, 2] * blocked[k, 0]
            found[line, 3 + k] = throughput * (moments[line, k, 0] + wait)
            levels[line, k] = out[k, 3] - (1 - out[k, 4]) - out[k, 5]
        found[line, 3 + n_buffers] = throughput * moments[line, n_buffers, 0]


@array_jit
def _time(k, is_first, block, station, successor, out, starved, blocked, r, scratch):
    """Write the moments of a part's time on a station, as seen from one block.

    To the time of its own the station adds, seen from the buffer behind it, the wait
    for each supplier; seen from a buffer before it, the wait for the other suppliers
    and for room behind it. What a block brings about itself is not added.

    Args:
        k: The station.
        is_first: Whether it is the first of the block, else the second.
        block: The block, which is the row of its buffer.
        station: Its moments and its stops.
        successor: Station that each station hands on to.
        out: What the blocks say.
        starved: Moments of each block's wait for a part.
        blocked: Moments of each block's wait for room.
        r: The moments, written.
        scratch: Three numbers or more.
    """
    moments, stops = station
    r[:] = moments
    for j in range(k):
        if successor[j] == k:
            _add_stop(r, starved[j, 0], out[j, 1], stops, scratch)
            if is_first or j != block:
                _add(r, starved[j], out[j, 1])
    if k < successor.shape[0]:
        _add_stop(r, blocked[k, 0], out[k, 2], stops, scratch)
        if not is_first:
            _add(r, blocked[k], out[k, 2])
