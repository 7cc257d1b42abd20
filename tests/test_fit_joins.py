"""What is built into what: from an object-centric log, and from a trace."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from linewright.drivers.logged import read_any_log
from linewright.errors import ModelError
from linewright.fit.fitting import Fitted, fit_log
from linewright.fit.mapping import read_columns
from linewright.fit.writing import line_of
from linewright.model.load import loads
from linewright.simulate import simulate
from tests.fit_lines import log_of

BIKES = """
schema_version: 1
name: bikes
start: 2027-01-04
stations:
  spoke: {process: "gamma(6 min, cv=0.3)"}
  weld: {process: "gamma(12 min, cv=0.3)"}
  join: {process: "gamma(10 min, cv=0.3)"}
  paint: {process: 8 min}
products:
  wheel: {route: [spoke], release: {every: 10 min}}
  frame:
    bom: {wheel: 2}
    route: [weld, {station: join, uses: {wheel: 2}}, paint]
    release: {every: 20 min}
study: {horizon: 2 weeks, replications: 2}
"""
COLUMNS = "case=frame|wheel,activity=type,station=place,start=start,end=time"


def test_components_of_a_trace_are_those_of_its_model() -> None:
    log = log_of(loads(BIKES))
    (join,) = log.joins
    assert (join.whole, join.operation, join.component) == ("frame", "join", "wheel")
    assert (join.quantity, join.share) == (2, 1.0)
    assert 900 < join.n <= 1008  # three an hour for two weeks
    made_again(fit_log(log))


def made_again(found: Fitted) -> None:
    """Check that a fitted model builds two wheels into each frame, as often."""
    line = line_of(found)
    assert {name: one.quantity for name, one in line.products["frame"].bom.items()} == {
        "wheel": 2
    }
    uses = {step.operation: step.uses or {} for step in line.products["frame"].route}
    assert uses == {"weld": {}, "join": {"wheel": 2}, "paint": {}}
    result = simulate(line, horizon="2 weeks", warmup=0, study="terminating")
    made = [r for r in result.table("products").to_pylist() if r["product"] == "frame"]
    for row in made:
        assert row["finished"] == pytest.approx(3 * 24 * 14, rel=0.03)


def object_centric(path: Path) -> Path:
    """Write the same shop as OCEL 2.0: a join is an event about three objects."""
    log = log_of(loads(BIKES), weeks=2)
    random, events = np.random.default_rng(1), []
    first = np.argsort(log.case_arrival_us).tolist()
    kind = log.products.index("wheel")
    wheels = [log.cases[c] for c in first if log.case_product[c] == kind]
    taken = 0
    for i in np.argsort(log.start_us, kind="stable").tolist():
        about = [log.cases[log.case[i]]]
        if log.activities[log.activity[i]] == "join":
            about += wheels[taken : taken + 2]
            taken += 2
        random.shuffle(about)
        times = (int(log.start_us[i]), int(log.end_us[i]))
        start, end = (f"{np.datetime64(us, 'us')}Z" for us in times)
        place = log.stations[log.station[i]]
        events.append(
            {
                "id": f"e{i}",
                "type": log.activities[log.activity[i]],
                "time": end,
                "attributes": [
                    {"name": "start", "value": start},
                    {"name": "place", "value": place},
                ],
                "relationships": [{"objectId": o, "qualifier": ""} for o in about],
            }
        )
    objects = [
        {"id": name, "type": log.products[p]}
        for name, p in zip(log.cases, log.case_product.tolist(), strict=True)
    ]
    path.write_text(json.dumps({"objects": objects, "events": events}), "utf-8")
    return path


def test_an_event_about_several_objects_is_a_join(tmp_path: Path) -> None:
    path = object_centric(tmp_path / "shop.jsonocel")
    log = read_any_log(path, read_columns(COLUMNS))
    (join,) = log.joins
    assert (join.whole, join.operation, join.component) == ("frame", "join", "wheel")
    assert join.quantity == 2
    assert join.share > 0.99
    assert set(log.products) == {"frame", "wheel"}
    assert not log.problems
    made_again(fit_log(log))
    # one type alone: frames that are joined to nothing
    alone = read_any_log(path, read_columns(COLUMNS.replace("|wheel", "")))
    assert alone.joins == ()
    assert any("built into" in one for one in fit_log(alone).unknown)
    with pytest.raises(ModelError, match='did you mean "wheel"'):
        read_any_log(path, read_columns(COLUMNS.replace("|wheel", "|whel")))
