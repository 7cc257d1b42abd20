"""Work that runs on a server, and stops: how much is left, and what ends it.

The kernel owns elapsed and remaining work. It sets a timer when it knows how long the
work lasts; a controller whose machines decide answers `UNKNOWN`, and then the end comes
as an event.
"""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel._views import unlikely
from linewright.kernel.calendar import confirm_timer, set_timer, timer_key
from linewright.kernel.causes import note_pause
from linewright.tables import (
    CHAINS,
    CLOCK_PROCESSING,
    DONE,
    FAILURE,
    FINISH,
    LOADED,
    LOADS,
    NEVER,
    NONE,
    SETUP_DONE,
    UNKNOWN,
    UNLOADED,
    UNLOADS,
    WORKING,
    LineTables,
    State,
)

__all__ = [
    "find_next_failure",
    "is_held",
    "run",
    "run_known",
    "set_repair_timer",
    "stop",
    "stop_finished",
    "stop_unloading",
]


@jit
def find_next_failure(state: State, s):
    """Note which failure on the clock of processing time comes first, and when.

    That clock is the server's `worked`, which goes while a failure waits for it; `left`
    of these modes is its reading at which they fail, so that nothing is to be done for
    them while work goes on.
    """
    server = state.servers[s]
    server.fails = -1
    server.next_failure = NEVER
    for m in range(server.first_mode, server.first_mode + server.n_modes):
        at = state.modes[m].left
        if state.modes[m].clock == CLOCK_PROCESSING and 0 <= at < server.next_failure:
            server.next_failure = at
            server.fails = m


@jit
def run(state: State, s):
    """Let the work or setup of a server go on from what remains of it."""
    server = state.servers[s]
    if server.phase == WORKING and server.remaining != UNKNOWN:
        run_known(state, s)
        return
    clock = state.clock[0]
    server.running = 1
    server.resumed = clock.now
    server.due = NEVER
    if server.phase == WORKING:
        if server.next_failure != NEVER:
            fails_in = server.next_failure - server.worked
            server.due = timer_key(clock.now + fails_in, FAILURE)
    elif server.remaining != UNKNOWN:
        kind = SETUP_DONE
        if server.phase == LOADS:
            kind = LOADED
        elif server.phase == UNLOADS:
            kind = UNLOADED
        server.due = timer_key(clock.now + server.remaining, kind)
    set_timer(state, s, server.due)


@hot
def is_held(state: State, s):
    """Say whether something is being done to the part of a server."""
    phase = state.servers[s].phase
    return phase != NONE and phase != DONE


@hot
def run_known(state: State, s):
    """Let work go on of which is known how much remains; see `run`."""
    clock = state.clock[0]
    server = state.servers[s]
    server.running = 1
    server.resumed = clock.now
    until = server.remaining
    kind = FINISH
    if server.fails >= 0:
        fails_in = server.next_failure - server.worked
        if fails_in < until:
            until = fails_in
            kind = FAILURE
    server.due = timer_key(clock.now + until, kind)
    confirm_timer(state, s, server.due)


@jit
def set_repair_timer(line: LineTables, state: State, m, key):
    """Set the timer of a repair: the failure's own, or that of its server."""
    fixed = line.server_modes[m]
    if fixed.leaf >= 0:
        set_timer(state, fixed.leaf, key)
    else:
        state.servers[fixed.server].due = key
        set_timer(state, fixed.server, key)


@hot
def stop(state: State, s):
    """Stop the work of a server and book what was done of it."""
    clock = state.clock[0]
    server = state.servers[s]
    if unlikely(clock.ties & CHAINS != 0):
        note_pause(state, s, server.phase)
    elapsed = clock.now - server.resumed
    server.running = 0
    if server.remaining != UNKNOWN:
        server.remaining -= elapsed
    if server.phase == WORKING and server.fails >= 0:
        server.worked += elapsed
    server.due = NEVER


@hot
def stop_finished(state: State, s):
    """Stop the work of a server that has come to its end."""
    server = state.servers[s]
    server.running = 0
    server.remaining = 0
    if server.fails >= 0:
        server.worked += state.clock[0].now - server.resumed
    server.due = NEVER


@jit
def stop_unloading(state: State, s):
    """Stop the unloading of a server, which is over and counts as no processing."""
    server = state.servers[s]
    server.running = 0
    server.remaining = 0
    server.due = NEVER
