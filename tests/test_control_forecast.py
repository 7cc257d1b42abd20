"""A forecast goes on as the line would: exactly where nothing is uncertain."""

from __future__ import annotations

import numpy as np
import pytest

import linewright
from linewright.control.emulation import Emulation
from linewright.control.forecast import Forecast, forecast, product_rows
from linewright.lower import lower
from tests.memory_journal import MemoryJournal
from tests.random_lines import HOUR_US

MINUTE_US = 60_000_000

CERTAIN = """
schema_version: 1
name: certain
calendars:
  days:
    shifts:
      - days: mon-fri
        from: "06:00"
        to: "14:00"
        breaks: [{from: "10:00", to: "10:30"}]
stations:
  cut: {servers: 2, process: 7 min, calendar: days, setup: {by: product, time: 4 min}}
  oven: {process: 40 min, batch: {min: 2, max: 4, longest_wait: 30 min}, buffer: 9}
  pack:
    process: 6 min
    load: 1 min
    unload: 2 min
    buffer: 3
    maintenance: {clean: {every: 3 h, duration: 20 min, clock: processing}}
products:
  a: {release: {kind: orders}, route: [cut, {station: oven, transport: 3 min}, pack]}
  b: {release: {kind: orders}, route: [cut, {station: oven, transport: 5 min}, pack]}
orders:
  - {product: a, quantity: 9, id: first}
  - {product: b, quantity: 7, id: second, release: "2026-01-05 09:00"}
  - {product: a, quantity: 12, id: third, release: "2026-01-05 11:00"}
"""


def after(text: str, at_us: int, until_us: int, n: int) -> tuple[Emulation, Forecast]:
    line = linewright.loads(text)
    lowered = lower(line, until_us)
    emulation = Emulation(lowered, MemoryJournal(), 1)
    emulation.run(at_us)
    return emulation, forecast(emulation.controller.core, lowered, until_us, n, seed=5)


@pytest.mark.parametrize("minutes", [1, 95, 245, 251, 333, 480])
def test_where_nothing_is_uncertain_the_forecast_is_what_happens(minutes: int) -> None:
    until_us = 100 * HOUR_US
    text = CERTAIN.replace(
        "name: certain", 'name: certain\nstart: "2026-01-05T06:00:00"'
    )
    emulation, found = after(text, minutes * MINUTE_US, until_us, 2)
    core = emulation.controller.core
    digest = core.digest()
    emulation.run(until_us)
    state = emulation.controller.core.state
    assert state.orders["finished"].max() > minutes * MINUTE_US
    for number in range(2):
        np.testing.assert_array_equal(
            found.finished_us[number], state.orders["finished"]
        )
        np.testing.assert_array_equal(found.made[number], state.products["finished"])
    assert found.done_by_us("third", 0.8) == state.orders["finished"][2]
    line = linewright.loads(text)
    made = [row["p95"] for row in product_rows(line, core, found)]
    assert made == state.products["finished"].tolist()
    assert digest != emulation.controller.core.digest()


def left(time: str, passed_min: int, n: int) -> np.ndarray:
    """Return the minutes that work still takes that has gone on for some minutes."""
    text = (
        f"schema_version: 1\nname: x\nstations: {{s: {{process: '{time}'}}}}\n"
        "products: {p: {release: {kind: orders}, route: [s]}}\n"
        "orders: [{product: p, quantity: 1, id: o}]\n"
    )
    line = linewright.loads(text)
    lowered = lower(line, 100 * HOUR_US)
    emulation = Emulation(lowered, MemoryJournal(), 3)
    emulation.run(0)
    core = emulation.controller.core
    core.state.clock["now"] = passed_min * MINUTE_US
    found = forecast(core, lowered, 100 * HOUR_US, n, seed=7)
    minutes: np.ndarray = found.finished_us[:, 0] / MINUTE_US - passed_min
    return minutes


def test_work_that_has_gone_on_takes_what_is_left_of_it() -> None:
    n = 4000
    uniform = left("uniform(10 min, 20 min)", 15, n)
    assert uniform.min() >= 0
    assert uniform.max() <= 5
    assert abs(uniform.mean() - 2.5) < 4 * 5 / np.sqrt(12 * n)
    exponential = left("exponential(10 min)", 7, n)
    assert abs(exponential.mean() - 10) < 4 * 10 / np.sqrt(n)
    constant = left("12 min", 7, 3)
    np.testing.assert_allclose(constant, 5)


def test_what_takes_longer_than_ever_is_done_at_once() -> None:
    np.testing.assert_allclose(left("12 min", 30, 3), 0)
