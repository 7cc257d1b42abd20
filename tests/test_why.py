from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linewright import tables as t
from linewright.errors import DeadlockError
from linewright.lower import Lowered, lower, new_draws, new_state
from linewright.model.line import Line
from linewright.model.load import load, loads
from linewright.replicate import run_until
from linewright.simulate import simulate
from linewright.why import describe_deadlock, why

MINUTE = 60_000_000
DAY = 1440 * MINUTE

DEADLOCK = """\
schema_version: 1
name: Rework without room
stations:
  cut: {process: 4 min, buffer: 0}
  weld: {process: 5 min, buffer: 1}
products:
  frame:
    route:
      - cut
      - station: weld
        inspection: {pass: 0.5, rework_to: cut}
"""


def at(line: Line, us: int, seed: int = 1) -> tuple[Lowered, t.State, int]:
    lowered = lower(line, max(us, 14 * DAY))
    draws = new_draws(lowered, seed, 0)
    code, state = run_until(lowered, new_state(lowered), draws, us)
    return lowered, state, code


def asked(text: str, us: int, entity: str) -> str:
    line = loads("schema_version: 1\nname: Line\n" + text)
    lowered, state, _ = at(line, us)
    return why(lowered, state, entity, line)


# ---------------------------------------------------------------- deadlock


def test_a_deadlock_is_named_with_its_circle() -> None:
    line = loads(DEADLOCK)
    lowered, state, code = at(line, DAY)
    assert code == t.DEADLOCK
    text = describe_deadlock(lowered, state, line)
    assert "cut holds frame 2, which waits for room at weld (1 of 1" in text
    assert "weld holds frame 0, which waits for room at cut (no buffer)" in text
    assert text.startswith("deadlock at Mon 2027-01-04 00:12: ")
    assert "0 d 00:12 after the start" in describe_deadlock(lowered, state)


def test_simulate_raises_the_circle() -> None:
    with pytest.raises(DeadlockError, match=r"cut holds .*; weld holds .*"):
        simulate(loads(DEADLOCK), horizon="1 d", replications=2)


def test_only_the_circle_is_named_and_not_who_waits_behind_it() -> None:
    text = DEADLOCK.replace("stations:\n", "stations:\n  bend: {process: 1 min}\n")
    text = text.replace("      - cut\n", "      - bend\n      - cut\n")
    lowered, state, code = at(loads(text), DAY)
    assert code == t.DEADLOCK
    found = describe_deadlock(lowered, state)
    assert "cut holds" in found
    assert "bend holds" not in found
    assert why(lowered, state, "bend").endswith("this closes a circle.")


def test_servers_and_output_buffers_are_named_in_the_circle() -> None:
    text = DEADLOCK.replace("buffer: 0}", "buffer: 0, servers: 2, output_buffer: 1}")
    lowered, state, code = at(loads(text), 2 * DAY)
    assert code == t.DEADLOCK
    found = describe_deadlock(lowered, state)
    assert "weld holds" in found
    assert "cut 1 holds" in found or "cut output holds" in found


def test_a_deadlock_that_closes_while_a_server_is_down_is_found() -> None:
    jam = "failures: {jam: {every: 3 cycles, repair: 1 min}}"
    text = DEADLOCK.replace("buffer: 0}", f"buffer: 0, {jam}}}")
    assert at(loads(text), DAY)[2] == t.DEADLOCK


# ---------------------------------------------------------------- causes


TWO = """\
stations:
  cut: {process: 4 min}
  weld:
    process: 5 min
    buffer: 1
    failures: {gun: {every: 12 min, repair: 1 h}}
products: {frame: {route: [cut, weld]}}
"""


def test_blocked_by_a_failed_station() -> None:
    # weld works from 4 to 16 min, then its gun fails until 1:16
    assert asked(TWO, 30 * MINUTE, "cut") == (
        "At Mon 2027-01-04 00:30 cut is blocked: it holds frame 4, which waits for "
        "room at weld (1 of 1 places taken), because weld is failed (gun) until "
        "Mon 2027-01-04 01:16 with frame 2 on it."
    )


def test_a_part_tells_where_it_waits() -> None:
    text = asked(TWO, 30 * MINUTE, "frame:3")
    assert "frame 3 waits for weld, because weld is failed (gun)" in text
    assert "frame 4 is finished in cut and" in asked(TWO, 30 * MINUTE, "frame:4")
    assert "weld is failed" in asked(TWO, 30 * MINUTE, "frame:2")


def test_a_part_that_left_and_one_that_has_not_come() -> None:
    assert "frame 0 is in the line no more" in asked(TWO, 30 * MINUTE, "frame:0")
    text = asked(TWO, 30 * MINUTE, "frame:9")
    assert "frame 9 has not come yet, because the next frame comes when cut" in text
    assert "weld is failed" in text


def test_starved_by_a_station_that_works() -> None:
    text = asked(TWO, 3 * MINUTE, "weld")
    assert "weld is starved: no part waits for it, because cut works on frame 0" in text
    assert text.endswith("(cut), 1 min left.")


def test_off_shift_until_local_time() -> None:
    text = asked(
        "start: 2027-03-27 22:00\ntime_zone: Europe/Vienna\n"
        "calendars: {day: {shifts: [{from: 06:00, to: 14:00}]}}\ncalendar: day\n" + TWO,
        3 * 60 * MINUTE,
        "cut",
    )
    # the clocks go forward in that night
    assert text == (
        "At Sun 2027-03-28 01:00 cut is off shift until Sun 2027-03-28 06:00."
    )


KIT = """\
stations:
  turn: {process: 30 min, failures: {chuck: {every: 40 min, repair: 5 h}}}
  assembly: {process: 2 min}
products:
  leg: {route: [turn], release: {kind: with_parent}}
  desk:
    bom: {leg: 4}
    route: [assembly]
    release: {every: 10 min}
"""


def test_a_missing_component_is_followed_to_who_makes_it() -> None:
    text = asked(KIT, 100 * MINUTE, "assembly")
    assert (
        "assembly is starved: desk 0 waits for it, but desk needs 4 leg and 1" in text
    )
    assert "the next to come is leg 1, because turn is failed (chuck) until" in text


def test_a_cap_is_named_with_where_the_parts_are() -> None:
    text = asked(
        "conwip: 2\n"
        "stations: {cut: {process: 1 min}, weld: {process: 9 h}}\n"
        "products: {frame: {route: [cut, weld], release: {every: 1 min}}}\n",
        30 * MINUTE,
        "cut",
    )
    assert "28 frame wait outside: no more than 2 parts may be in the line" in text
    assert "2 of them are at weld or wait for it, because weld works on frame 0" in text


def test_the_next_order_and_the_next_arrival() -> None:
    text = (
        "stations: {cut: {process: 1 min}}\n"
        "products:\n"
        "  frame: {route: [cut], release: orders}\n"
        "  panel: {route: [cut], release: {every: 2 d}}\n"
        "orders: [{id: A7, product: frame, release: 1 d}]\n"
    )
    frame, panel = (asked(text, MINUTE, product) for product in ("frame", "panel"))
    assert "the next order of frame, A7, is released Tue 2027-01-05 00:00" in frame
    assert "no panel is in the line, because the next panel arrives Wed" in panel
    late = asked(text, 30 * 60 * MINUTE, "frame")
    assert "every order of frame has been released" in late


def test_a_part_on_its_way() -> None:
    text = (
        "stations: {cut: {process: 4 min}, weld: {process: 1 min}}\n"
        "products: {frame: {route: [cut, {station: weld, transport: 10 min}]}}\n"
    )
    weld = asked(text, 5 * MINUTE, "weld")
    assert (
        "weld is starved: frame 0 is on its way and arrives Mon 2027-01-04 00:14"
        in (weld)
    )


def test_blocked_before_its_work() -> None:
    text = asked(
        "stations:\n"
        "  cut: {process: 1 min, blocking: before_service}\n"
        "  weld: {process: 9 h, buffer: 1}\n"
        "products: {frame: {route: [cut, weld]}}\n",
        30 * MINUTE,
        "cut",
    )
    assert "cut is blocked before its work: it waits for room at weld (1 of 1" in text
    assert "because weld works on frame 0" in text


PEOPLE = """\
people:
  smith: {count: 2, skills: [weld], walk: 3 min}
  fitter: {skills: [weld]}
stations:
  one: {process: 10 min, people: {process: {smith: 2}}}
  two: {process: 10 min, people: {process: weld}}
  three:
    process: 10 min
    people: {process: weld}
    failures: {jam: {every: 15 min, repair: 1 h, clock: calendar, crew: smith}}
products: {a: {route: [one]}, b: {route: [two]}, c: {route: [three]}}
"""


def test_people_on_their_way_and_those_with_a_skill() -> None:
    text = asked(PEOPLE, MINUTE, "one")
    assert "one waits for 2 of smith, who are on their way with a 0 on it" in text
    text = asked(PEOPLE, MINUTE, "three")
    assert "three waits for 1 of weld, who are at one, two" in text
    text = asked(PEOPLE, 15 * MINUTE, "three")
    assert "three is failed (jam) and waits for 1 of smith, who are" in text


def test_what_does_not_fit_into_the_shift() -> None:
    text = asked(
        "calendars: {day: {shifts: [{from: 06:00, to: 14:00}]}}\ncalendar: day\n"
        "stations: {cut: {process: 3 h, shift_end: fit}}\n"
        "products: {frame: {route: [cut]}}\n",
        13 * 60 * MINUTE,
        "cut",
    )
    assert "cut is starved: its 3 h do not fit into the 1 h left of the shift" in text


def test_buffers_and_setups() -> None:
    assert "the buffer weld has 1 of 1 places taken, the first frame 3" in (
        asked(TWO, 30 * MINUTE, "buffer:weld")
    )
    text = asked(
        "stations: {cut: {process: 4 min, setup: {first: 20 min}}}\n"
        "products: {frame: {route: [cut]}}\n",
        5 * MINUTE,
        "cut",
    )
    assert text.endswith("cut is being set up for frame 0, 15 min left.")


# ---------------------------------------------------------------- stocks


JIG = """\
tools: {jig: %s}
stations: {mill: {process: 50 min}, drill: {process: 6 min}}
products:
  cover: {route: [{station: mill, tools: jig}]}
  plate: {route: [{station: drill, tools: jig}], release: {every: 6 min}}
"""


def test_a_tool_is_followed_to_the_part_that_has_it() -> None:
    text = asked(JIG % 1, 30 * MINUTE, "drill")
    assert text.endswith(
        "drill waits: plate 0 waits for it, but plate lacks 1 jig, because none of "
        "1 jig is free: cover 0 has it, because mill works on cover 0 (mill), 20 min "
        "left."
    )
    plate = asked(JIG % 1, 30 * MINUTE, "plate:0")
    assert "plate 0 waits for drill, but plate lacks 1 jig, because none of" in plate


def test_a_tool_on_its_way_back_is_told_with_its_time() -> None:
    text = asked(JIG % "{count: 1, back: 2 h}", 55 * MINUTE, "mill")
    assert text.endswith(
        "mill waits: cover lacks 1 jig, because none of 1 jig is free: 1 is on the way "
        "back, the next comes Mon 2027-01-04 02:50."
    )


def test_a_part_on_its_way_is_not_taken_for_a_tool() -> None:
    text = asked(
        "tools: {jig: {count: 1, back: 9 h}}\n"
        "stations: {cut: {process: 4 min}, weld: {process: 1 min}}\n"
        "products:\n"
        "  frame: {route: [{station: cut, tools: jig}, "
        "{station: weld, transport: 10 min}]}\n",
        5 * MINUTE,
        "weld",
    )
    assert "frame 0 is on its way and arrives Mon 2027-01-04 00:14" in text


def test_a_tool_may_be_asked_about_by_its_name() -> None:
    text = asked(JIG % 3, 29 * MINUTE, "jig")
    assert "1 of 3 jig is free: cover 0 and plate 3 have the rest" in text
    assert asked(JIG % 3, 29 * MINUTE, "stock:jig") == text


CRANE = """\
tools: {crane: %s}
stations:
  mill: {process: 50 min, failures: {belt: {repair: 2 h, %s}}}
  drill: {process: 6 min, failures: {bit: {repair: 1 h, %s}}}
products: {cover: {route: [mill]}, plate: {route: [drill]}}
"""
FAILS = "every: 9 d, first: %s min, clock: calendar, tools: %s"


def test_a_repair_says_which_tool_it_waits_for_and_who_has_it() -> None:
    model = CRANE % (1, FAILS % (10, "crane"), FAILS % (20, "crane"))
    assert asked(model, 30 * MINUTE, "drill").endswith(
        "drill is failed (bit) and waits for 1 crane with plate 3 on it, because none "
        "of 1 crane is free: the repair at mill (belt) has it, because mill is failed "
        "(belt) until Mon 2027-01-04 02:10 with cover 0 on it."
    )
    model = CRANE % (2, FAILS % (10, "crane"), FAILS % (20, "{crane: 2}"))
    text = asked(model, 30 * MINUTE, "crane")
    assert (
        "1 of 2 crane is free: the repair at mill (belt) has the rest; kept for the "
        "repair at drill (bit), because mill is failed"
    ) in text


def test_a_setup_says_which_tool_it_waits_for() -> None:
    setup = "{process: 50 min, setup: {first: 20 min, tools: gauge}}"
    text = asked(
        f"tools: {{gauge: 1}}\nstations: {{mill: {setup}, drill: {setup}}}\n"
        "products: {cover: {route: [mill]}, plate: {route: [drill]}}\n",
        5 * MINUTE,
        "drill",
    )
    assert text.endswith(
        "drill waits for 1 gauge to be set up with plate 0 on it, because none of 1 "
        "gauge is free: the setup of mill has it, because mill is being set up for "
        "cover 0, 15 min left."
    )


def test_an_operation_says_for_whom_its_tool_is_kept() -> None:
    model = JIG % 1 + "  cap: {route: [cut]}\n"
    fails = FAILS % (10, "jig")
    cut = f"cut: {{process: 1 h, failures: {{f: {{repair: 1 h, {fails}}}}}}}"
    model = model.replace("stations: {", f"stations: {{{cut}, ")
    text = asked(model, 55 * MINUTE, "drill")
    assert text.endswith(
        "plate lacks 1 jig, because none of 1 jig is free: the repair at cut (f) has "
        "it, because cut is failed (f) until Mon 2027-01-04 01:50 with cap 0 on it."
    )


def test_a_card_of_a_loop_is_followed_to_where_its_part_waits() -> None:
    text = asked(
        "loops: {card: {cards: 2, from: cut, to: weld}}\n"
        "stations: {cut: {process: 1 min}, weld: {process: 9 h}}\n"
        "products: {frame: {route: [cut, weld], release: {every: 1 min}}}\n",
        30 * MINUTE,
        "cut",
    )
    assert "cut waits: frame 2 waits for it, but frame lacks 1 card" in text
    assert "none of 2 card is free: frame 0 and frame 1 have them" in text
    assert "because weld works on frame 0 (weld)" in text


SHEETS = """\
materials: {sheet: {stock: 2, reorder_point: 0, lot: 2, lead_time: 30 min}}
stations: {press: {process: 5 min}}
products:
  pan:
    route: [press]
    release: {every: 5 min}
    bom: {sheet: {quantity: 1, bought: true}}
"""


def test_a_material_is_followed_to_its_delivery() -> None:
    text = asked(SHEETS, 25 * MINUTE, "press")
    assert text.endswith(
        "press waits: pan 2 waits for it, but pan lacks 1 sheet, because no sheet is "
        "free: 2 are ordered, the next comes Mon 2027-01-04 00:40."
    )


def test_a_failure_waits_for_a_spare() -> None:
    pump = "{every: 10 min, repair: 35 min, spares: 1, swap: 2 min, clock: calendar}"
    text = asked(
        f"stations: {{press: {{process: 1 min, failures: {{pump: {pump}}}}}}}\n"
        "products: {pan: {route: [press]}}\n",
        30 * MINUTE,
        "press",
    )
    assert text.endswith(
        "press is failed (pump) and waits for a spare (2 are being repaired, the next "
        "comes Mon 2027-01-04 00:45) with pan 20 on it."
    )


CROSSED = """\
loops:
  red: {cards: 1, from: weld, to: pack}
  blue: {cards: 1, from: paint, to: pack}
stations: {W: {process: 5 min}, P: {process: 6 min}, C: {process: 1 min}}
products:
  hull:
    release: orders
    route: [{operation: weld, station: W}, {operation: paint, station: P},
      {operation: pack, station: C}]
  deck:
    release: orders
    route: [{operation: paint, station: P}, {operation: weld, station: W},
      {operation: pack, station: C}]
orders: [{product: hull}, {product: deck}]
"""


def test_two_parts_that_wait_for_the_cards_of_each_other_are_named() -> None:
    text = asked(CROSSED, DAY, "hull:0")
    assert text.endswith(
        "hull 0 waits for P, but hull lacks 1 blue, because none of 1 blue is free: "
        "deck 0 has it, because deck 0 waits for W, but deck lacks 1 red, because none "
        "of 1 red is free: hull 0 has it; this closes a circle."
    )


def test_a_standstill_says_what_is_waited_for() -> None:
    line = loads("schema_version: 1\nname: Line\n" + CROSSED)
    result = simulate(line, horizon="1 d", replications=2)
    assert result.manifest["standstill"] == [0, 1]
    reason = result.manifest["standstill_reason"]
    assert "hull lacks 1 blue" in reason
    assert "deck lacks 1 red" in reason


def test_a_line_that_goes_on_has_no_such_reason() -> None:
    line = loads("schema_version: 1\nname: Line\n" + TWO)
    result = simulate(line, horizon="1 d", replications=1)
    assert result.manifest["standstill_reason"] == ""


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("entity", ["wled", "frame:x", "", "buffer:nothing", ":3"])
def test_an_unknown_name_is_refused(entity: str) -> None:
    with pytest.raises(ValueError, match="there is no"):
        asked(TWO, MINUTE, entity)


def test_a_slip_of_the_pen_is_understood() -> None:
    with pytest.raises(ValueError, match='did you mean "weld"'):
        asked(TWO, MINUTE, "wled")


@pytest.mark.parametrize(
    "model", ["first-line/line.yaml", "mini-fab/line.yaml", "light-aircraft/plant.yaml"]
)
def test_everything_in_the_examples_has_an_answer(project: Path, model: str) -> None:
    line = load(project / "examples" / model)
    for hours in (0, 9, 104, 250):
        lowered, state, _ = at(line, hours * 60 * MINUTE)
        before = [array.copy() for array in state]
        names = lowered.names
        everything = {*names.stations, *names.servers, *names.products, *names.buffers}
        everything |= {f"stock:{name}" for name in names.stocks}
        for p in np.flatnonzero(state.parts["product"] >= 0)[:40]:
            product = names.products[state.parts["product"][p]]
            everything.add(f"{product}:{state.parts['serial'][p]}")
        for entity in sorted(everything):
            assert why(lowered, state, entity, line).endswith(".")
        for array, copy in zip(state, before, strict=True):
            np.testing.assert_array_equal(array, copy)  # asking changes nothing
