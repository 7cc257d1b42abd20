"""Lines that are known, and their logs: what fits are held against."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from linewright.fit.log import FAILURE, SETUP, WORK, EventLog
from linewright.fit.traced import log_of_trace
from linewright.lower import lower
from linewright.model.line import Line
from linewright.model.load import loads
from linewright.traces import event_log, trace_rows

KNOWN = """
schema_version: 1
name: known
start: 2027-01-04 00:00
time_zone: Europe/Vienna
calendar: day
calendars:
  day:
    shifts:
      - days: mon-thu
        from: "06:00"
        to: "22:00"
        breaks: [{from: "12:00", to: "12:30"}]
      - {days: fri, from: "06:00", to: "14:00"}
    holidays: [2027-02-10]
stations:
  cut: {process: "gamma(8 min, cv=0.4)", setup: {time: "lognormal(15 min, cv=0.3)"}}
  mill:
    servers: 2
    process: "lognormal(14 min, cv=0.5)"
    failures:
      spindle: {every: exponential(9 h), repair: "gamma(50 min, cv=0.7)"}
  test: {process: "weibull(5 min, shape=2)"}
  pack: {process: "uniform(2 min, 8 min)"}
products:
  shaft:
    route:
      - cut
      - mill
      - operation: test
        station: test
        inspection: {pass: 0.85, rework: 0.1, rework_to: mill, scrap: 0.05}
      - {operation: pack, station: pack, sample: 0.7}
    release: {every: exponential(80 min)}
  gear:
    route: [cut, mill, test, pack]
    release: {every: exponential(110 min)}
study: {horizon: 16 weeks}
"""


def log_of(line: Line, seed: int = 1, weeks: float = 0) -> EventLog:
    """Return the log of a simulated line."""
    until_us = round(weeks * 7 * 86.4e9) or line.study.horizon
    lowered = lower(line, until_us)
    rows = trace_rows(lowered, seed, 0, until_us)
    table = pa.concat_tables([event_log(lowered, batch) for batch in rows])
    return log_of_trace(table, "known", line.start, line.time_zone)


def known(**changed: str) -> Line:
    """Return the known line, with texts in it replaced."""
    text = KNOWN
    for before, after in (said.split(" -> ") for said in changed.values()):
        assert before in text
        text = text.replace(before, after)
    return loads(text)


def as_csv(log: EventLog, path: Path, extra: Iterable[list[str]] = ()) -> None:
    """Write a log as a plant would have it: no servers, no work, setups and repairs."""
    kinds = {SETUP: "S", FAILURE: "B"}
    place = (log.case * len(log.stations) + log.station).tolist()
    keys = list(zip(place, log.start_us.tolist(), strict=True))
    ready = {keys[i]: log.end_us[i] for i in np.flatnonzero(log.kind == SETUP)}
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["order", "step", "machine", "item", "begin", "finish", "what"])
        for i in range(len(log)):
            case = int(log.case[i])
            start_us = log.start_us[i]
            if log.kind[i] == WORK:  # a plant's work begins after the setup
                start_us = ready.get(keys[i], start_us)
            out.writerow(
                [
                    log.cases[case],
                    log.activities[log.activity[i]] if log.activity[i] >= 0 else "",
                    log.stations[log.station[i]],
                    log.products[log.case_product[case]],
                    str(np.datetime64(int(start_us), "us")),
                    str(np.datetime64(int(log.end_us[i]), "us")),
                    kinds.get(int(log.kind[i]), "D"),
                ]
            )
        out.writerows(extra)
