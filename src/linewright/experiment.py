"""How a line is simulated: horizon, replications, warm-up, seed, precision."""

from __future__ import annotations

from dataclasses import dataclass

from linewright.model.line import Line
from linewright.units import MAX_US, parse_duration_us

__all__ = ["Experiment", "experiment_of"]

_MOST_REPLICATIONS = 1000  # with a precision to reach and no number given


@dataclass(frozen=True, slots=True)
class Experiment:
    """How a line is simulated.

    Attributes:
        horizon_us: Length of each replication, microseconds.
        replications: Number of replications; the most, with `precision`.
        seed: Seed of all random streams.
        study: ``terminating`` or ``steady_state``.
        warmup_us: Warm-up that is cut, or None for automatic.
        precision: Relative half-width of the throughput at which to stop, or None.
        confidence: Confidence of all intervals.
        units: Stop each replication after so many units have left, or None.
    """

    horizon_us: int
    replications: int
    seed: int
    study: str
    warmup_us: int | None
    precision: float | None = None
    confidence: float = 0.95
    units: int | None = None


def experiment_of(  # noqa: PLR0913
    line: Line,
    *,
    horizon: str | int | None = None,
    replications: int | None = None,
    warmup: str | int | None = None,
    seed: int | None = None,
    study: str | None = None,
    precision: float | None = None,
    confidence: float = 0.95,
    units: int | None = None,
) -> Experiment:
    """Return the experiment that a line's `study` section and the arguments describe.

    Raises:
        ValueError: An argument is out of its range.
    """
    horizon_us = line.study.horizon if horizon is None else _duration(horizon)
    kind = study or line.study.kind
    warmup_us = _warmup(line, kind, warmup, units)
    n = line.study.replications if replications is None else replications
    seed = line.study.seed if seed is None else seed
    _require(
        (
            kind in ("terminating", "steady_state"),
            f'"{kind}" is not a kind of study; allowed are terminating, steady_state',
        ),
        (units is None or units >= 1, f"units is {units}; it is one or more"),
        (n >= 1, f"replications is {n}; it is one or more"),
        (
            precision is None or 0 < precision < 1,
            f"precision is {precision}; it is a share between 0 and 1, such as 0.01",
        ),
        (
            0 < horizon_us < MAX_US,
            f"the horizon is {horizon_us} microseconds; it is above zero and finite",
        ),
        (
            warmup_us is None or 0 <= warmup_us < horizon_us,
            "the warm-up is as long as the run; make the horizon longer",
        ),
        (
            0 < confidence < 1,
            f"confidence is {confidence}; it lies between 0 and 1",
        ),
        (0 <= seed < 2**63, f"seed is {seed}; it is zero or more and below 2**63"),
    )
    if precision is not None and replications is None:
        n = max(n, _MOST_REPLICATIONS)
    return Experiment(
        horizon_us, n, seed, kind, warmup_us, precision, confidence, units
    )


def _require(*rules: tuple[bool, str]) -> None:
    """Raise with everything that is wrong, not the first of it."""
    broken = [message for holds, message in rules if not holds]
    if broken:
        raise ValueError("; ".join(broken))


def _warmup(
    line: Line, kind: str, warmup: str | int | None, units: int | None
) -> int | None:
    """Return what is cut, microseconds, or None where the run itself shall say."""
    if kind == "terminating":
        if warmup not in (None, 0, "0", "auto"):
            msg = "a terminating study cuts no warm-up; use steady_state for one"
            raise ValueError(msg)
        return 0
    cut = line.study.warmup if warmup is None else warmup
    if cut != "auto":
        return _duration(cut)
    # with a number of units the end is not known beforehand, nor any half of the run
    return None if units is None else 0


def _duration(value: str | int) -> int:
    return value if isinstance(value, int) else parse_duration_us(value)
