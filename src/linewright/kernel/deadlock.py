"""Whether parts that wait for each other's places can ever move again."""

from __future__ import annotations

from linewright.kernel._jit import jit
from linewright.tables import (
    BLOCKED_ON_SERVER,
    DEADLOCK,
    IN_OUTPUT,
    S_N_QUEUES,
    LineTables,
    State,
)

__all__ = ["find_deadlock"]


@jit
def find_deadlock(line: LineTables, state: State, p, d):
    """Stop the line if a part that waits on its server waits for itself."""
    if state.parts[p].where != BLOCKED_ON_SERVER or state.parts[p].reserved >= 0:
        return  # with a place ahead it only waits for a vehicle
    station = state.servers[state.parts[p].place].station
    if line.stations[station].in_loop and is_deadlock(line, state, d):
        state.clock[0].status = DEADLOCK
        state.clock[0].limit = -1
        state.clock[0].who = p


@jit
def is_deadlock(line: LineTables, state: State, d):
    """Say whether nobody who could make room at a destination can ever move.

    Follows who waits for whom: from the destination to every station that draws on its
    buffers, from a station to what its blocked parts wait for. A station with a server
    that is not blocked, or whose part only waits for a vehicle, may still move. The
    stations seen are kept on the free end of the worklist.
    """
    n_seen = _watch(line, state, d, 0)
    n_done = 0
    top = len(state.todo)
    while n_seen >= 0 and n_done < n_seen:
        n_done += 1
        n_seen = _follow(line, state, state.todo[top - n_done], n_seen)
    return n_seen > 0


@jit
def _follow(line: LineTables, state: State, k, n_seen):
    """Watch what a station's parts wait for; return -1 if it may still move."""
    fixed = line.stations[k]
    for s in range(fixed.first_server, fixed.first_server + fixed.n_servers):
        p = state.servers[s].part
        if p < 0 or state.servers[s].down >= 0:
            return -1
        while p >= 0:
            if (
                state.parts[p].where != BLOCKED_ON_SERVER
                or state.parts[p].reserved >= 0
            ):
                return -1
            n_seen = _watch(
                line, state, state.parts[p].list - line.settings[S_N_QUEUES], n_seen
            )
            if n_seen < 0:
                return -1
            p = state.parts[p].mate if fixed.batches else -1
    if fixed.out_buffer >= 0:
        for p in range(len(state.parts)):
            part = state.parts[p]
            if (
                part.product >= 0
                and part.where == IN_OUTPUT
                and part.place == fixed.out_buffer
            ):
                if part.reserved >= 0:
                    return -1
                n_seen = _watch(
                    line, state, part.list - line.settings[S_N_QUEUES], n_seen
                )
                if n_seen < 0:
                    return -1
    return n_seen


@jit
def _watch(line: LineTables, state: State, d, n_seen):
    """Add the stations that draw on a destination's buffers; -1 if there is a way out.

    That is a place that is free, or a buffer from which something else draws.
    """
    dest = line.dests[d]
    top = len(state.todo)
    for j in range(dest.first_target, dest.first_target + dest.n_targets):
        b = line.buffers[line.targets[j].buffer]
        if state.buffers[line.targets[j].buffer].level < b.slots:
            return -1
        for i in range(b.first_dest, b.first_dest + b.n_dests):
            drawn = line.dests[line.links[i]]
            for h in range(drawn.first_target, drawn.first_target + drawn.n_targets):
                if line.targets[h].buffer != line.targets[j].buffer:
                    continue
                station = line.targets[h].station
                if station < 0 or top - n_seen - 2 <= state.clock[0].n_todo:
                    return -1
                seen = False
                for e in range(n_seen):
                    seen = seen or state.todo[top - 1 - e] == station
                if not seen:
                    state.todo[top - 1 - n_seen] = station
                    n_seen += 1
    return n_seen
