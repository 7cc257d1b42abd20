from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linewright import tables as t
from linewright.errors import ResultError
from linewright.lower import Lowered, lower, new_draws, new_state
from linewright.model.load import loads, model_hash
from linewright.replicate import run_until
from linewright.states import fork, load_state, save_state

HOUR = 3_600_000_000

MODEL = """\
schema_version: 1
name: Frames
calendar: day
calendars: {day: {shifts: [{days: mon-fri, from: 00:00, to: 16:00}]}}
stations:
  weld:
    process: lognormal(9 min, cv=0.8)
    servers: 2
    setup: {time: 4 min}
    failures: {gun: {every: exponential(3 h), repair: exponential(30 min)}}
  paint: {process: "gamma(5 min, cv=0.5)", buffer: 3}
products:
  frame:
    release: {rate: 8/h}
    route:
      - weld
      - station: paint
        transport: 1 min
        inspection: {pass: 0.9, rework_to: weld, rework_limit: 2}
  bracket: {release: {every: 20 min}, route: [weld, paint]}
"""
LINE = loads(MODEL)
HASH = model_hash(LINE)


def advanced(lowered: Lowered, state: t.State, until_us: int) -> t.State:
    _, state = run_until(lowered, state, new_draws(lowered, 5, 1), until_us)
    return state


def assert_same(one: t.State, two: t.State) -> None:
    for name, first, second in zip(t.State._fields, one, two, strict=True):
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second, name)


@pytest.mark.parametrize("at_us", [0, 1, 3 * HOUR + 17, 20 * HOUR])
def test_a_restored_run_is_the_uninterrupted_one_bit_for_bit(
    tmp_path: Path, at_us: int
) -> None:
    lowered = lower(LINE, 48 * HOUR)
    state = advanced(lowered, new_state(lowered), at_us)
    file = save_state(tmp_path / "a.npz", lowered, state, 5, 1, HASH)
    saved = load_state(file, lowered, HASH)
    assert_same(saved.state, state)
    assert (saved.seed, saved.replication) == (5, 1)
    _, on = run_until(lowered, saved.state, saved.draws, 40 * HOUR)
    # stopping at `at_us` must not show either
    whole = advanced(lowered, new_state(lowered), 40 * HOUR)
    assert_same(on, whole)


def test_a_fork_goes_its_own_way() -> None:
    lowered = lower(LINE, 48 * HOUR)
    state = advanced(lowered, new_state(lowered), 5 * HOUR)
    kept = fork(state)
    one = advanced(lowered, state, 30 * HOUR)
    assert kept.clock["now"][0] == 5 * HOUR
    assert_same(advanced(lowered, kept, 30 * HOUR), one)


def test_a_state_of_another_model_is_refused(tmp_path: Path) -> None:
    lowered = lower(LINE, 48 * HOUR)
    file = save_state(tmp_path / "a", lowered, new_state(lowered), 5, 1, HASH)
    with pytest.raises(ResultError, match="another model"):
        load_state(file, lowered, "f" * 64)


def test_a_state_of_another_form_is_refused(tmp_path: Path) -> None:
    lowered = lower(LINE, 48 * HOUR)
    state = new_state(lowered)
    wrong = state._replace(servers=state.servers[:1])
    file = save_state(tmp_path / "a", lowered, wrong, 5, 1, HASH)
    with pytest.raises(ResultError, match="table of servers"):
        load_state(file, lowered, HASH)


def test_a_calendar_that_ran_out_is_not_silently_gone_on_with(tmp_path: Path) -> None:
    short, long = lower(LINE, 40 * HOUR), lower(LINE, 400 * HOUR)
    early = advanced(short, new_state(short), 20 * HOUR)
    file = save_state(tmp_path / "early", short, early, 5, 1, HASH)
    saved = load_state(file, long, HASH)
    _, on = run_until(long, saved.state, saved.draws, 300 * HOUR)
    assert_same(on, advanced(long, new_state(long), 300 * HOUR))

    very_short = lower(LINE, 20 * HOUR)
    late = advanced(very_short, new_state(very_short), 20 * HOUR)
    file = save_state(tmp_path / "late", very_short, late, 5, 1, HASH)
    if very_short.tables.calendars["n"][0] <= late.stations["next_tick"][0]:
        with pytest.raises(ResultError, match="horizon"):
            load_state(file, long, HASH)


@pytest.mark.parametrize("content", [b"", b"no state", b"PK\x03\x04 cut short"])
def test_what_is_no_state_is_refused(tmp_path: Path, content: bytes) -> None:
    lowered = lower(LINE, 48 * HOUR)
    file = tmp_path / "a.npz"
    file.write_bytes(content)
    with pytest.raises(ResultError, match=r"not a state .*not a whole \.npz file"):
        load_state(file, lowered, HASH)


def test_other_numpy_files_and_cut_ones_are_refused(tmp_path: Path) -> None:
    lowered = lower(LINE, 48 * HOUR)
    np.save(tmp_path / "a.npy", np.zeros(3))
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    whole = save_state(tmp_path / "c", lowered, new_state(lowered), 5, 1, HASH)
    (tmp_path / "d").write_bytes(whole.read_bytes()[:-40])
    for name in ("a.npy", "b.npz", "d", "missing"):
        with pytest.raises(ResultError, match="not a state"):
            load_state(tmp_path / name, lowered, HASH)


def test_nothing_is_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> object:
        msg = "disk full"
        raise OSError(28, msg)

    lowered = lower(LINE, 48 * HOUR)
    monkeypatch.setattr(np, "savez_compressed", stop)
    with pytest.raises(ResultError, match="disk full"):
        save_state(tmp_path / "a", lowered, new_state(lowered), 5, 1, HASH)
    assert not list(tmp_path.iterdir())
