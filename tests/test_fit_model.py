"""A model from a log: what went in comes out, within intervals that are narrow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linewright.fit.calendars import WorkTime, find_calendar
from linewright.fit.carrying import carry, open_of
from linewright.fit.fitting import Fitted, fit_log
from linewright.fit.log import EventLog
from linewright.fit.mapping import read_columns
from linewright.fit.reading import read_log
from linewright.fit.routes import find_route
from linewright.fit.visits import Visits
from linewright.fit.writing import line_of, read_evidence, save_fitted
from linewright.model.check import load_checked
from linewright.model.load import loads, model_hash
from tests.fit_lines import KNOWN, as_csv, known, log_of
from tests.parts import PROJECT

# true values in the units of evidence: seconds, or plain numbers
TRUE: dict[str, tuple[str, dict[str, float]]] = {
    "stations.cut.process": ("gamma", {"mean": 480, "cv": 0.4}),
    "stations.cut.setup": ("lognormal", {"mean": 900, "cv": 0.3}),
    "stations.mill.process": ("lognormal", {"mean": 840, "cv": 0.5}),
    "stations.mill.failures.every": ("exponential", {"mean": 32_400}),
    "stations.mill.failures.repair": ("gamma", {"mean": 3_000, "cv": 0.7}),
    "stations.test.process": ("weibull", {"scale": 300, "shape": 2}),
    "stations.pack.process": ("uniform", {"low": 120, "high": 480}),
    "products.shaft.release.every": ("exponential", {"mean": 4_800}),
    "products.gear.release.every": ("exponential", {"mean": 6_600}),
}
WIDEST = {"stations.mill.failures.every": 0.5, "stations.mill.failures.repair": 0.6}


@pytest.fixture(scope="module")
def log() -> EventLog:
    return log_of(known())


@pytest.fixture(scope="module")
def found(log: EventLog) -> Fitted:
    return fit_log(log, name="known")


def test_parameters_come_back_within_narrow_intervals(found: Fitted) -> None:
    assert set(found.fits) == set(TRUE)
    n_inside, n_all = 0, 0
    for name, (kind, parameters) in TRUE.items():
        fit = found.fits[name]
        own = {"weibull": "gamma"} if name.endswith("repair") else {}
        assert own.get(fit.kind, fit.kind) == kind, name
        for one in fit.intervals if fit.kind == kind else ():
            true = parameters[one.name]
            assert one.high - one.low < WIDEST.get(name, 0.15) * true, (name, one)
            n_inside += one.low <= true <= one.high
            # 99.9 %: five of fifteen intervals of 95 % may miss a little, none by much
            half = max(one.high - one.value, one.value - one.low, 1e-9) * 3.29 / 1.96
            assert abs(one.value - true) <= half, (name, one)
            n_all += 1
    assert n_inside >= n_all - 3


def test_structure_comes_back(found: Fitted) -> None:
    assert found.data["calendars"]["line"] == {
        "shifts": [
            {
                "days": "mon-thu",
                "from": "06:00",
                "to": "22:00",
                "breaks": [{"from": "12:00", "to": "12:30"}],
            },
            {"days": "fri", "from": "06:00", "to": "14:00"},
        ],
        "holidays": ["2027-02-10"],
    }
    assert {n: s.servers for n, s in found.stations.items()} == {
        "cut": 1,
        "mill": 2,
        "test": 1,
        "pack": 1,
    }
    line = line_of(found)
    for name, product in known().products.items():
        route = line.products[name].route
        assert [s.operation for s in route] == [s.operation for s in product.route]
    steps = found.routes["shaft"].steps
    assert steps[2].rework_to == 1
    for share, true, n in (
        (steps[2].rework, 0.1, steps[2].n_visits),
        (steps[2].scrap, 0.05, steps[2].n_visits),
        (steps[3].sample, 0.7, steps[3].n_passed),
    ):
        assert abs(share - true) < 3.29 * (true * (1 - true) / n) ** 0.5 < 0.05
    assert "failures" not in " ".join(found.unknown)


def test_a_saved_fit_is_a_model_with_its_evidence(
    found: Fitted, tmp_path: Path
) -> None:
    files = save_fitted(found, tmp_path / "known.yaml")
    line, warnings = load_checked(files[0])
    assert not [w for w in warnings if w.severity == "error"]
    assert model_hash(line) == model_hash(line_of(found))
    evidence = read_evidence(files[0], line)
    assert evidence is not None
    assert evidence.fits.keys() == found.fits.keys()
    text = files[0].read_text("utf-8")
    assert "Cannot be known from this log" in text
    assert "places in buffers" in text
    again = fit_log(found.log, name="known")
    assert save_fitted(again, tmp_path / "again.yaml")[0].read_text("utf-8") == text


def _visits(cases: list[list[int]]) -> Visits:
    case = np.repeat(np.arange(len(cases)), [len(c) for c in cases])
    flat = np.concatenate([np.array(c) for c in cases])
    at = np.arange(len(flat)) * 10
    none = np.full(len(flat), -1)
    return Visits(
        case, flat, flat, none, at, at, at + 5, np.full(len(flat), 5.0), at * 0 + 1
    )


def test_repeats_are_rework_or_steps_whichever_is_likelier() -> None:
    random = np.random.default_rng(1)
    loops = []
    for _ in range(400):
        way = [0, 1]
        while random.random() < 0.3:  # 1 is inspected, 2 mends, and 1 again
            way += [2, 1]
        loops.append([*way, 3])
    v = _visits(loops)
    whole, none = np.ones(len(v), bool), np.zeros(len(v), bool)
    route = find_route(v, whole, none)
    order = [(s.activity, s.is_rework_only) for s in route.steps]
    assert order == [(0, False), (2, True), (1, False), (3, False)]
    assert route.steps[2].rework == pytest.approx(0.3, abs=0.06)
    assert route.steps[2].rework_to == 1
    # the same operation five times in a fixed order is five steps, and no rework
    v = _visits([[0, 9, 1, 9, 2, 9, 3] for _ in range(50)])
    route = find_route(v, np.ones(len(v), bool), np.zeros(len(v), bool))
    assert [s.activity for s in route.steps] == [0, 9, 1, 9, 2, 9, 3]
    assert all(s.sample == 1 and s.rework == 0 for s in route.steps)
    assert route.likely == 1
    assert route.n_ways == 1


def test_working_time_leaves_out_whole_nights_alone(log: EventLog) -> None:
    clock = WorkTime(find_calendar(log), log)
    hour = 3_600_000_000
    monday = log.begin_us + 7 * 24 * hour  # of the second week
    for start, end, worked in (
        (8, 10, 2),  # within a shift
        (11, 13, 1.5),  # over the break
        (20, 30, 2),  # 20:00 to 6:00: two hours, then the night, to its last instant
        (20, 31, 3),
        (23, 24, 1),  # overtime at night is work
        (21, 22.5, 1.5),  # overtime after a shift, too
        (22.1, 31, 1),  # begun as the shift ended, done the next morning
        (21, 29, 1),  # or ended at five, which is no overtime
    ):
        ends = [np.array([monday + round(h * hour)]) for h in (start, end)]
        assert clock.between(*ends)[0] == worked * hour, (start, end)


def test_waits_that_no_station_explains_are_found_and_put_on_the_way(
    tmp_path: Path,
) -> None:
    """A way of 25 minutes to the mill comes back; waiting for a busy one is none."""
    line = known(
        a="    route: [cut, mill, test, pack] ->     route: [cut, {station: mill, "
        "transport: 25 min}, test, pack]",
        b="Europe/Vienna -> UTC",
        c="exponential(110 min) -> exponential(90 min)",
        d="exponential(80 min) -> exponential(2000 h)",
        e="calendar: day -> description: around the clock",
        f="every: exponential(9 h) -> every: exponential(9000 h)",
    )
    path = tmp_path / "log.csv"
    as_csv(log_of(line, weeks=6), path)
    mapping = "case=order,activity=step,station=machine,product=item,start=begin,"
    mapping += "end=finish,kind=what,work=D,setup=S,failure=B"
    found = fit_log(read_log(path, read_columns(mapping)))
    # what of the way falls into the time of a busy station is not seen
    assert 0.9 * 25 * 60 < found.fits["delays.mill"].mean_s < 25 * 60
    assert set(found.fits) & {"delays.test", "delays.pack"} == set()
    (product,) = found.data["products"].values()
    mill = next(s for s in product["route"] if s["operation"] == "mill")
    assert mill["transport"] is found.fits["delays.mill"]
    assert found.stations["mill"].servers == 2


def test_what_inputs_may_be_widens_what_results_say() -> None:
    """After a week of records the wide interval holds the true throughput."""
    text = KNOWN.replace("16 weeks", "3 weeks")
    found = fit_log(log_of(loads(text), weeks=1))
    out = carry(line_of(found), open_of(found), draws=10)
    throughput = out[0]
    assert throughput.wide_low < throughput.low < throughput.high < throughput.wide_high
    # 1/80 and 1/110 a minute come; a twentieth of the shafts is scrapped
    true = 60 / 80 * 0.95 + 60 / 110
    assert throughput.wide_low < true < throughput.wide_high
    with pytest.raises(ValueError, match="ten draws"):
        carry(line_of(found), open_of(found), draws=3)


def test_the_mini_fab_comes_back_from_its_trace() -> None:
    """Times and batches that Intel's Mini-Fab was published with (five machines)."""
    line, _ = load_checked(PROJECT / "examples" / "mini-fab" / "line.yaml")
    found = fit_log(log_of(line, weeks=3))
    route = found.data["products"]["Pa"]["route"]
    assert [step["operation"] for step in route] == ["S1", "S2", "S3", "S4", "S5", "S6"]
    stations = [step["station"] for step in route]
    assert [sorted(s) if isinstance(s, dict) else s for s in stations] == [
        ["Ma", "Mb"],
        ["Mc", "Md"],
        "Me",
        ["Mc", "Md"],
        ["Ma", "Mb"],
        "Me",
    ]
    minutes = [225, 30, 55, 50, 255, 10]
    for step, station, minute in zip(route, stations, minutes, strict=True):
        fits = [step["process"]] if isinstance(station, str) else list(station.values())
        for fit in fits:  # emergency stops make some a little shorter
            assert fit.mean_s == pytest.approx(60 * minute, rel=0.03)
    assert found.data["stations"]["Ma"]["batch"] == {"max": 3}
    assert found.data["stations"]["Mb"]["batch"] == {"max": 3}
    assert "batch" not in found.data["stations"]["Me"]
