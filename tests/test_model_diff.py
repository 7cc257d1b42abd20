"""Differences in words, and none where there is none."""

from __future__ import annotations

import pytest

from linewright.model.diff import diff
from linewright.model.init import FIRST_MODEL
from linewright.model.load import loads, model_hash
from tests.model_texts import RICH, SMALL

RICH_ALONE = RICH.replace('"empirical(times.csv, t, s)"', "5 min")


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        (SMALL, "process: 5 min", "process: 300 s", []),
        (SMALL, "name: Small", "name: Big", ["name Small -> Big"]),
        (SMALL, "process: 5 min", "servers: 2\n    process: 5 min",
         ["station weld: servers 1 -> 2"]),
        (SMALL, "[weld, ", "[weld, {operation: rinse, station: paint}, ",
         ["product frame: operation rinse added after weld"]),
        (SMALL, "[weld, paint]", "[paint, weld]",
         ["product frame: operations in another order: paint, weld"]),
        (SMALL, "  paint:\n", "  drill: {}\n  paint:\n", ["station drill added"]),
        (RICH_ALONE, "  always: {}", "  always: {}\n  late: {}",
         ["calendar late added"]),
        (RICH_ALONE, "{days: mon-fri, from: 06:00", "{days: mon-sat, from: 06:00",
         ["calendar day: shift mon-fri 06:00-14:00 removed",
          "calendar day: shift mon-sat 06:00-14:00 added"]),
        (RICH_ALONE, "to: 10:15", "to: 10:30",
         ["calendar day: shift mon-fri 06:00-14:00: break 10:00-10:15 removed",
          "calendar day: shift mon-fri 06:00-14:00: break 10:00-10:30 added"]),
        (RICH_ALONE, "2027-05-06, ", "", ["calendar day: holiday 2027-05-06 removed"]),
        (RICH_ALONE, "every: exponential(6 h)", "every: exponential(5 h)",
         ["station saw: failure blade: every exponential(6 h) -> exponential(5 h)"]),
        (RICH_ALONE, "pass: 0.9", "pass: 0.91",
         ["product desk: operation inspect: inspection pass 0.9 -> 0.91"]),
        (RICH_ALONE, "{leg: 4, top: {q", "{leg: 5, top: {q",
         ["product desk: component leg: quantity 4 -> 5"]),
        (RICH_ALONE, "desk: {shelf: 5 min}", "desk: {shelf: 6 min}",
         ["station saw: setup matrix desk shelf 5 min -> 6 min"]),
        (RICH_ALONE, "shelf: 3.25 min", "shelf: 3 min",
         ["station saw: process shelf 3.25 min -> 3 min"]),
        (RICH_ALONE, "    store: 40\n", "", ["product leg: store 40 -> unlimited"]),
        (RICH_ALONE, "quantity: 2, due", "quantity: 3, due",
         ["order A: quantity 2 -> 3"]),
        (RICH_ALONE, "to: test, time: 1 min", "to: test, time: 2 min",
         ["transport from any to test: time 1 min -> 2 min"]),
        (RICH_ALONE, "stages: [make, test]", "stages: [test, make]",
         ["stages make, test -> test, make"]),
        (RICH_ALONE, "station: [saw, press]", "station: [press, saw]",
         ["product desk: operation cut: station saw, press -> press, saw"]),
        (RICH_ALONE, ", maintenance: {oil", ", maintenance: {oil", []),
    ],
)  # fmt: skip
def test_changes_are_told_in_words(
    text: str, old: str, new: str, expected: list[str]
) -> None:
    before, after = loads(text), loads(text.replace(old, new, 1))
    assert diff(before, after) == expected
    assert (model_hash(before) == model_hash(after)) == (not expected)


def test_what_is_added_one_way_is_removed_the_other() -> None:
    before = loads(FIRST_MODEL)
    after = loads(FIRST_MODEL.replace("      rework_limit: 2", ""))
    forth, back = diff(before, after), diff(after, before)
    assert len(forth) == len(back)
