"""Random numbers: known answers, right distributions, and nobody disturbs another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from linewright import tables as t
from linewright.kernel._jit import array_entry
from linewright.kernel._views import open_draws, pack
from linewright.kernel.leaving import bucket_of as kernel_bucket_of
from linewright.kernel.streams import philox, standard, time_ahead
from linewright.lower import Lowered, lower, new_draws, new_state
from linewright.model.distribution import Distribution
from linewright.model.line import Line
from linewright.replicate import run_until
from linewright.stats import sketch
from tests.oracle import Source

HOUR_US = 3_600_000_000
N = 60_000
SEED = 20_270_104

Words = npt.NDArray[np.uint64]


def _philox_of(words, out):  # type: ignore[no-untyped-def]
    out[0], out[1] = philox(*words)  # type: ignore[no-untyped-call]


def _buckets_of(values, out):  # type: ignore[no-untyped-def]
    for i in range(len(values)):
        out[i] = kernel_bucket_of(values[i])  # type: ignore[no-untyped-call]


def _times_of(directory, asked, ahead, plain):  # type: ignore[no-untyped-def]
    draws = open_draws(directory)
    for i in range(len(asked)):
        row, stream, n, visit = asked[i]
        ahead[i] = time_ahead(draws, row, stream, n, visit)
        plain[i] = int(standard(draws, stream, n, visit))


compiled_times: Callable[..., None] = array_entry(_times_of)
compiled_philox: Callable[..., None] = array_entry(_philox_of)
compiled_buckets: Callable[..., None] = array_entry(_buckets_of)


# ------------------------------------------------------------------ the generator


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ("0" * 32, "0" * 16, "6627e8d5e169c58dbc57ac4c9b00dbd8"),
        ("f" * 32, "f" * 16, "408f276d41c83b0ea20bc7c66d5451fd"),
        (
            "243f6a8885a308d313198a2e03707344",
            "a4093822299f31d0",
            "d16cfe0994fdcceb5001e42024126ea1",
        ),
    ],
)
def test_philox_gives_the_published_answers(
    counter: str, key: str, answer: str
) -> None:
    """Salmon et al. (2011), SC11; known answers of Random123 for philox4x32, 10."""
    text = counter + key
    words = tuple(np.uint64(int(text[i : i + 8], 16)) for i in range(0, 48, 8))
    out = np.zeros(2, np.uint64)
    compiled_philox(words, out)
    assert "".join(f"{int(word):016x}" for word in out) == answer


def source_of(*times: Any) -> tuple[Source, list[tuple[int, int]]]:
    """Return a source of numbers, and (distribution, stream) of each time."""
    stations = {f"S{i}": {"process": time} for i, time in enumerate(times)}
    model = {"stations": stations, "products": {"p": {"route": list(stations)}}}
    line = Line.model_validate({"schema_version": 1, "name": "streams", **model})
    lowered = lower(line, HOUR_US)
    streams = lowered.tables.steps["process_stream"].tolist()
    rows = list(zip(lowered.tables.work["dist"].tolist(), streams, strict=True))
    return Source(lowered, SEED), rows


def test_uniforms_are_uniform_and_independent() -> None:
    source, rows = source_of("uniform(0 s, 1 s)", "uniform(0 s, 2 s)")
    numbers = np.arange(N)
    first, other = (source.uniforms(stream, numbers) for _, stream in rows)
    further = source.uniforms(rows[0][1], numbers, 0, 1)
    again = source.uniforms(rows[0][1], numbers, 1)
    replication = Source(source.lowered, SEED, 1).uniforms(rows[0][1], numbers)
    sequences = (first, other, further, again, replication)
    for u in sequences:
        assert 0 < u.min() < u.max() <= 1
        assert stats.kstest(u, "uniform").pvalue > 1e-5
        assert stats.chisquare(np.histogram(u, 256)[0]).pvalue > 1e-5
    of = np.corrcoef([*sequences, np.roll(first, 1), np.roll(first, 8)])
    off_diagonal = of[~np.eye(len(of), dtype=bool)]
    assert np.abs(off_diagonal).max() < 5 / np.sqrt(N)


def test_a_draw_depends_on_its_name_alone() -> None:
    source, ((dist, stream),) = source_of("exponential(1 min)")
    numbers = np.arange(200)
    in_order = source.times_us(dist, stream, numbers, 0)
    shuffled = np.random.default_rng(1).permutation(numbers)
    np.testing.assert_array_equal(
        source.times_us(dist, stream, shuffled, 0), in_order[shuffled]
    )
    one_by_one = [source.time_us(dist, stream, n) for n in numbers[::17]]
    np.testing.assert_array_equal(one_by_one, in_order[::17])


@pytest.mark.nojit
def test_a_time_made_ready_is_the_time_drawn_in_any_order() -> None:
    source, rows = source_of("exponential(1 min)", "exponential(2 min)")
    n_servers = len(source.lowered.tables.stations)
    in_turn = [(0, rows[0][1], n, 0) for n in range(3 * t.BLOCK)]
    rng = np.random.default_rng(1)
    mixed = [
        (int(row), rows[int(which)][1], int(n), int(visit))
        for row, which, n, visit in rng.integers(
            0, [n_servers + 1, 2, 2 * t.BLOCK, 2], (2000, 4)
        )
    ]
    repeated = [(1, rows[1][1], n, 0) for n in (5, 5, 6, 6, 5, 7)]
    asked = np.array(in_turn + mixed + repeated)
    ahead, plain = np.zeros((2, len(asked)), np.int64)
    compiled_times(pack(source.draws), asked, ahead, plain)
    np.testing.assert_array_equal(ahead, plain)
    assert len(set(plain.tolist())) > len(in_turn)


@pytest.mark.parametrize(
    ("station", "route", "in_turn"),
    [
        ({}, ["A"], [1]),
        ({"servers": 2}, ["A"], [0]),
        ({"dispatch": "priority"}, ["A"], [0]),
        ({}, ["A", "B", "A"], [0, 1, 0]),
    ],
)
def test_times_are_made_ready_where_one_server_has_one_step(
    station: dict[str, Any], route: list[str], in_turn: list[int]
) -> None:
    stations = {k: {"process": "exponential(1 min)"} for k in dict.fromkeys(route)}
    stations["A"] |= station
    model = {"stations": stations, "products": {"p": {"route": route}}}
    line = Line.model_validate({"schema_version": 1, "name": "turns", **model})
    assert lower(line, HOUR_US).tables.steps["in_turn"].tolist() == in_turn


def test_an_exponential_stream_holds_minus_the_logarithm_of_the_uniform() -> None:
    source, ((dist, stream),) = source_of("exponential(1 h)")
    assert source.draws.streams["kind"][stream] == t.TIMES
    x = source.times_us(dist, stream, np.arange(1000), 0)
    source.draws.streams["kind"][stream] = t.UNIFORM
    source.draws.streams["held"][stream] = -1
    u = source.uniforms(stream, np.arange(1000))
    np.testing.assert_allclose(x, -np.log(u) * HOUR_US, rtol=1e-12, atol=1)


# ------------------------------------------------------------------ distributions

KINDS: list[Any] = [
    "90 min",
    "uniform(20 min, 2 h)",
    "triangular(10 min, 30 min, 2 h)",
    "triangular(10 min, 10 min, 2 h)",
    "exponential(1 h)",
    "erlang(mean=1 h, stages=1)",
    "erlang(mean=1 h, stages=5)",
    "gamma(mean=1 h, cv=0.3)",
    "gamma(mean=1 h, cv=1.6)",
    "lognormal(mean=1 h, cv=0)",
    "lognormal(mean=1 h, cv=0.8)",
    "normal(mean=1 h, sd=10 min)",
    "normal(mean=1 h, sd=2 h)",
    "normal(mean=1 h, sd=0 s)",
    "weibull(scale=1 h, shape=0.8)",
    "weibull(scale=1 h, shape=3)",
    "beta(low=10 min, high=2 h, a=2, b=3)",
    "beta(low=10 min, high=2 h, a=0.4, b=0.6)",
    "pert(10 min, 40 min, 2 h)",
    "pert(1 h, 1 h, 1 h)",
    "hyperexponential(mean=1 h, cv=1)",
    "hyperexponential(mean=1 h, cv=2)",
    {"discrete": {"values": ["1 h", "10 min", "3 h"], "weights": [0.2, 0.7, 0.1]}},
    {"empirical": {"values": ["1 h", "10 min", "3 h", "3 h", "5 min"]}},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_sample_mean_and_variance_are_those_of_the_distribution(kind: Any) -> None:
    source, ((dist, stream),) = source_of(kind)
    times = Distribution.model_validate(kind)
    x = source.times_us(dist, stream, np.arange(N), 0).astype(float)
    assert (x >= 0).all()
    mean, variance = times.mean_us, times.variance_us2
    assert abs(x.mean() - mean) <= 4.5 * np.sqrt(variance / N) + 0.5
    if variance == 0:
        assert x.var() == 0
        return
    fourth = ((x - mean) ** 4).mean()
    error = np.sqrt((fourth - variance**2) / N)
    assert abs(x.var() - variance) <= 5 * error + 1e-6 * variance
    assert error < 0.15 * variance  # the interval is narrow enough to mean something


def _frozen(d: Distribution) -> Any:
    """Return the distribution as scipy knows it, in microseconds."""
    p = d.parameters
    if d.kind == "pert":
        low, mode, high = p
        a = 1 + 4 * (mode - low) / (high - low)
        return stats.beta(a, 6 - a, loc=low, scale=high - low)
    if d.kind == "triangular":
        low, mode, high = p
        return stats.triang((mode - low) / (high - low), loc=low, scale=high - low)
    if d.kind == "lognormal":
        s2 = np.log(1 + p[1] ** 2)
        return stats.lognorm(np.sqrt(s2), scale=p[0] * np.exp(-s2 / 2))
    known: dict[str, Callable[[], Any]] = {
        "uniform": lambda: stats.uniform(p[0], p[1] - p[0]),
        "exponential": lambda: stats.expon(scale=p[0]),
        "erlang": lambda: stats.gamma(p[1], scale=p[0] / p[1]),
        "gamma": lambda: stats.gamma(p[1] ** -2, scale=p[0] * p[1] ** 2),
        "normal": lambda: stats.truncnorm(-p[0] / p[1], np.inf, p[0], p[1]),
        "weibull": lambda: stats.weibull_min(p[1], scale=p[0]),
        "beta": lambda: stats.beta(p[2], p[3], loc=p[0], scale=p[1] - p[0]),
    }
    return known[d.kind]()


CONTINUOUS = [
    kind
    for kind in KINDS
    if isinstance(kind, str)
    and not kind.startswith(("9", "hyper"))
    and Distribution.model_validate(kind).variance_us2 > 0
]


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_samples_follow_the_distribution_function(kind: str) -> None:
    source, ((dist, stream),) = source_of(kind)
    x = source.times_us(dist, stream, np.arange(N), 0)
    frozen = _frozen(Distribution.model_validate(kind))
    assert stats.kstest(x, frozen.cdf).pvalue > 1e-4


def test_a_hyperexponential_is_the_mixture_with_balanced_means() -> None:
    source, ((dist, stream),) = source_of("hyperexponential(mean=1 h, cv=2)")
    x = source.times_us(dist, stream, np.arange(N), 0)
    p = 0.5 * (1 + np.sqrt((4 - 1) / (4 + 1)))
    means = HOUR_US / (2 * p), HOUR_US / (2 * (1 - p))

    def cdf(value: Any) -> Any:
        first, second = (-np.expm1(-value / mean) for mean in means)
        return p * first + (1 - p) * second

    assert stats.kstest(x, cdf).pvalue > 1e-4


def test_a_time_beyond_all_runs_stays_a_time() -> None:
    """Without a bound it would not fit into the key of a timer and lie in the past."""
    for kind in ("weibull(scale=1 h, shape=0.1)", "exponential(2000000 d)"):
        source, ((dist, stream),) = source_of(kind)
        x = source.times_us(dist, stream, np.arange(N), 0)
        assert x.min() >= 0
        assert x.max() <= 2**58


def test_the_kernel_sorts_times_into_the_buckets_of_the_sketch() -> None:
    edges = np.array([2**e + d for e in range(1, 62) for d in (-1, 0, 1)])
    rng = np.random.default_rng(3)
    values = np.unique([*range(300), *edges, *rng.integers(0, 2**62, 5_000)])
    out = np.zeros_like(values)
    compiled_buckets(values, out)
    np.testing.assert_array_equal(out, sketch.bucket_of(values))


# ------------------------------------------------------------------ nobody's numbers


def model(**more: Any) -> dict[str, Any]:
    """Return a small line with failures, setups, transport and an inspection."""
    return {
        "schema_version": 1,
        "name": "streams",
        "stations": {
            "saw": {"process": "gamma(mean=50 s, cv=0.6)", "buffer": 4},
            "mill": {
                "process": "exponential(40 s)",
                "setup": {"time": "exponential(9 s)", "first": "5 s"},
                "failures": {
                    "jam": {
                        "every": "exponential(20 min)",
                        "repair": "exponential(2 min)",
                        "clock": "calendar",
                    }
                },
            },
            "test": {"process": "uniform(10 s, 40 s)", "servers": 2, "buffer": 3},
        },
        "products": {
            "gear": {
                "route": [
                    "saw",
                    {"station": "mill", "transport": "exponential(20 s)"},
                    {
                        "station": "test",
                        "inspection": {"pass": 0.8, "rework_to": "mill"},
                    },
                ],
                "release": {"every": "exponential(2 min)"},
            }
        },
        **more,
    }


class Observed:
    """What was drawn for the named things of a line, as a trace shows it.

    `process`, `verdicts` and `moves` are by operation, part number and visit.
    """

    def __init__(self, of: dict[str, Any], until_us: int = 20 * HOUR_US) -> None:
        self.lowered = lower(Line.model_validate(of), until_us)
        state = new_state(self.lowered, n_trace=200_000)
        draws = new_draws(self.lowered, SEED, 0)
        code, self.state = run_until(self.lowered, state, draws, until_us)
        assert code == t.REACHED
        self.process: dict[tuple[str, int, int], int] = {}
        self.verdicts: dict[tuple[str, int, int], int] = {}
        self.moves: dict[tuple[str, int, int], int] = {}
        self.repairs: list[int] = []
        self.arrivals: list[int] = []
        self._working: dict[int, tuple[tuple[str, int, int], int]] = {}
        self._moving: dict[int, int] = {}
        self._visits: dict[int, int] = {}
        self._failed_at = 0
        gear = self.lowered.names.products.index("gear")
        for row in self.state.trace[: int(self.state.clock["n_trace"][0])].tolist():
            if row[1] == t.T_EVENT:
                self._event(row[0], row[2], row[6])
            elif row[1] == t.T_MODE:
                self._mode(row[0], row[2], row[6])
            elif row[3] == gear:
                self._gear(row)

    def _event(self, time_us: int, row: int, kind: int) -> None:
        if kind == t.FINISH and row in self._working:
            key, begun = self._working.pop(row)
            self.process[key] = time_us - begun
        elif kind == t.FAILURE:
            self._failed_at = time_us
            server = int(self.lowered.tables.server_modes["server"][row])
            self._working.pop(server, None)  # its work is interrupted
        elif kind == t.REPAIRED:
            self.repairs.append(time_us - self._failed_at)

    def _mode(self, time_us: int, row: int, mode: int) -> None:
        if mode == t.PROCESSING and row in self._working:  # its setup is done
            self._working[row] = self._working[row][0], time_us

    def _gear(self, trace_row: list[int]) -> None:
        time_us, kind, row, _, serial, step, value, other = trace_row
        key = self.lowered.names.operations[step], serial, self._visits.get(serial, 0)
        if kind == t.T_OUTSIDE:
            self.arrivals.append(time_us)
        elif kind == t.T_VERDICT:
            self.verdicts[key[0], serial, other] = value
        elif kind == t.T_REWORK:
            self._visits[serial] = value
        elif kind == t.T_MOVE:
            self._moving[serial] = time_us
        elif kind in {t.T_START, t.T_QUEUE} and serial in self._moving:
            self.moves[key] = time_us - self._moving.pop(serial)
        if kind == t.T_START:
            self._working[row] = key, time_us


def same(a: dict[Any, int], b: dict[Any, int], at_least: int) -> None:
    common = a.keys() & b.keys()
    assert len(common) >= at_least
    assert {key: a[key] for key in common} == {key: b[key] for key in common}


def hold_same_numbers(base: Observed, changed: Observed) -> None:
    same(base.process, changed.process, 500)
    same(base.verdicts, changed.verdicts, 300)
    same(base.moves, changed.moves, 300)
    n = min(len(base.repairs), len(changed.repairs))
    assert n > 20
    assert base.repairs[:n] == changed.repairs[:n]
    n = min(len(base.arrivals), len(changed.arrivals))
    assert n > 300
    assert base.arrivals[:n] == changed.arrivals[:n]


def test_a_station_in_front_changes_nobodys_numbers() -> None:
    base = model()
    changed = model()
    changed["stations"] = {"wash": {"process": "45 s"}, **base["stations"]}
    changed["products"]["gear"]["route"].insert(0, "wash")
    hold_same_numbers(Observed(base), Observed(changed))


def test_another_product_changes_nobodys_numbers() -> None:
    changed = model()
    rod = {"route": ["mill", "test"], "release": {"every": "exponential(6 min)"}}
    changed["products"] = {"rod": rod, **changed["products"]}
    hold_same_numbers(Observed(model()), Observed(changed))


def test_buffers_and_servers_change_nobodys_numbers() -> None:
    changed = model()
    changed["stations"]["test"] |= {"servers": 1, "buffer": 1}
    hold_same_numbers(Observed(model()), Observed(changed))


def test_a_trace_changes_nothing() -> None:
    traced = Observed(model())
    state = new_state(traced.lowered)
    draws = new_draws(traced.lowered, SEED, 0)
    _, plain = run_until(traced.lowered, state, draws, 20 * HOUR_US)
    for name, table in plain._asdict().items():
        if name in {"trace", "clock"}:
            continue
        np.testing.assert_array_equal(table, getattr(traced.state, name), name)
    assert plain.clock["events"] == traced.state.clock["events"]


def test_replications_and_seeds_have_numbers_of_their_own() -> None:
    lowered: Lowered = lower(Line.model_validate(model()), HOUR_US)
    row = int(lowered.tables.steps["process_stream"][0])
    numbers = np.arange(16)
    found = {
        tuple(Source(lowered, seed, replication).uniforms(row, numbers))
        for seed in (0, 1, 2)
        for replication in range(4)
    }
    assert len(found) == 12
    keys = new_draws(lowered, 0, 0).streams["key"]
    assert len(set(keys.tolist())) == len(keys) == len(lowered.names.streams)
