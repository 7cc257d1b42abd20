"""Model texts that the tests of `linewright.model` start from."""

from __future__ import annotations

__all__ = ["RICH", "SMALL", "TEMPLATED", "marked"]

SMALL = """\
schema_version: 1
name: Small
stations:
  weld:
    process: 5 min
    buffer: 4
  paint:
    process: 4 min
    buffer: 4
products:
  frame:
    route: [weld, paint]
"""

RICH = """\
schema_version: 1
name: Rich
start: 2027-03-01 06:00
time_zone: Europe/Vienna
calendar: day
currency: EUR
energy: {price: 0.21/kWh, emissions: 350 g/kWh}
stages: [make, test]
calendars:
  day:
    shifts:
      - {days: mon-fri, from: 06:00, to: 14:00, breaks: [{from: 10:00, to: 10:15}]}
    holidays: [2027-05-06, {from: 2027-12-24, to: 2027-12-31}]
    exceptions: [{from: 2027-06-05, shifts: [{from: 06:00, to: 12:00}]}]
  always: {}
buffers:
  rack: {slots: 20, stage: make}
stations:
  saw:
    stage: make
    process: {desk: "triangular(4 min, 5 min, 8 min)", shelf: 3.25 min}
    buffer: rack
    setup: {by: product, time: 10 min, matrix: {desk: {shelf: 5 min}}}
    failures:
      blade: {every: exponential(6 h), repair: "lognormal(20 min, cv=0.5)"}
      jam: {every: 500 cycles, repair: 3 min, part: scrap}
    maintenance: {oil: {every: 7 d, duration: 1 h}}
    power: {processing: 12 kW, idle: 1.5 kW, break: 200 W}
    energy: {per_part: 0.4 kWh, per_setup: 2 MJ}
    cost: {per_shift_hour: 62, per_setup: 15, per_repair: 240.5}
  press:
    stage: make
    process: gamma(mean=6 min, cv=0.3)
    power: 9 kW
    buffer: rack
    dispatch: priority
  test:
    stage: test
    servers: 2
    process: {discrete: {values: [4 min, 6 min], weights: [0.7, 0.3]}}
    calendar: always
    shift_end: finish
products:
  desk:
    family: wood
    bom: {leg: 4, top: {quantity: 1, bought: true}}
    route:
      - operation: cut
        station: [saw, press]
        choose: first_free
        uses: {leg: 4, top: 1}
      - operation: inspect
        station: test
        transport: 2 min
        defect: 0.01
        inspection:
          {pass: 0.9, rework: 0.08, scrap: 0.02, rework_to: cut, rework_limit: 2}
    release: {kind: orders, conwip: 8}
  leg:
    route: [{operation: turn, station: {press: 2 min}}]
    release: with_parent
    store: 40
  shelf:
    cost: {material: 8.2, scrap: -0.5, holding_per_day: 0.1}
    price: 79
    route: [saw, {station: test, process: "empirical(times.csv, t, s)"}]
    release: {rate: 0.5/h, quantity: 2, when_full: lose}
    demand: 12/week
transport: [{from: any, to: test, time: 1 min}]
orders:
  - {id: A, product: desk, quantity: 2, due: 2027-03-05}
  - {product: desk, release: 1 d, due: 4 d 6 h, priority: 3}
targets:
  first: {product: desk, quantity: 3, by: 2027-03-12, since: 2 h, note: for the fair}
  weekly:
    {product: shelf, quantity: 9, per: week, to: 2027-04-04, ramp: {from: 4, over: 3}}
demand:
  as planned: {probability: 0.75}
  strong: {probability: 0.25, factor: {desk: 1.2}}
changes:
  - {on: 2027-03-09, stations: {press: {servers: 2, calendar: always}}, note: new}
  - {on: 10 d, calendars: {day: always}}
planning:
  period: week
  shortage: {desk: 40, shelf: 3.5}
  lead_times: {desk: 2 d}
  overtime: {calendars: {day: {hours_per_week: 4, cost_per_hour: 90}}}
  interest: 0.05
study: {horizon: 2 weeks, kind: terminating, replications: 4}
"""

TEMPLATED = """\
schema_version: 1
name: Templated
parameters:
  cycle: {default: 12 min, note: mean time of a mill}
  repair: exponential($down)
  down: 30 min
  spares: 2
templates:
  arm:
    parameters: {time: 1 min}
    stations: {grip: {process: $time}}
    route: [grip]
  cell:
    parameters:
      mean: $cycle
      operator: {note: who loads it}
      slots: 4
    buffers: {rack: {slots: $slots}}
    people: {setter: {count: 1}}
    stations:
      mill:
        process: gamma(mean=$mean, cv=0.3)
        buffer: rack
        load: 1 min
        people: {load: $operator, repair: setter}
        failures: {tool: {every: exponential(8 h), repair: $repair, spares: $spares}}
      wash: {process: 5 min, buffer: rack}
    copies: {left: arm}
    route:
      - mill
      - {through: left}
      - {operation: clean, station: wash}
      - oven
copies:
  cell-1: {of: cell, with: {operator: crew}}
  cell-2: {of: cell, with: {operator: crew, mean: 10 min, slots: 6}}
people: {crew: 2}
stations:
  saw: {process: 2 min}
  oven: {process: 3 min, buffer: 20}
products:
  shaft:
    release: {every: exponential(30 min)}
    route: [saw, {through: cell-1}]
  gear:
    release: {every: exponential(30 min)}
    route: [saw, {through: cell-2}]
"""


def marked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return a text without its marks ``¦``, and the line and column of each."""
    places = []
    while (at := text.find("¦")) >= 0:
        before = text[:at]
        places.append((before.count("\n") + 1, at - before.rfind("\n")))
        text = before + text[at + 1 :]
    return text, places
