"""How a line is simulated: horizon, replications, warm-up, seed, precision."""

from __future__ import annotations

from dataclasses import dataclass

from linewright.model.line import Line
from linewright.units import MAX_US, parse_duration_us

__all__ = ["Experiment", "experiment_of"]


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
    if kind not in ("terminating", "steady_state"):
        msg = f'"{kind}" is not a kind of study; allowed are terminating, steady_state'
        raise ValueError(msg)
    cut = line.study.warmup if warmup is None else warmup
    warmup_us = None if cut == "auto" else _duration(cut)
    if units is not None:
        if units < 1:
            msg = f"units is {units}; it is one or more"
            raise ValueError(msg)
        # the end is not known beforehand, and so no half of the run either
        warmup_us = 0 if warmup_us is None else warmup_us
    if kind == "terminating":
        if warmup not in (None, 0, "0", "auto"):
            msg = (
                "a terminating study cuts no warm-up; leave it out or use steady_state"
            )
            raise ValueError(msg)
        warmup_us = 0
    n = line.study.replications if replications is None else replications
    if n < 1:
        msg = f"replications is {n}; it is one or more"
        raise ValueError(msg)
    if precision is not None:
        if not 0 < precision < 1:
            msg = (
                f"precision is {precision}; it is a share between 0 and 1, such as 0.01"
            )
            raise ValueError(msg)
        n = max(n, 1000) if replications is None else n
    if not 0 < horizon_us < MAX_US:
        msg = f"the horizon is {horizon_us} microseconds; it is above zero and finite"
        raise ValueError(msg)
    if warmup_us is not None and warmup_us >= horizon_us:
        msg = "the warm-up is as long as the run; make the horizon longer"
        raise ValueError(msg)
    if not 0 < confidence < 1:
        msg = f"confidence is {confidence}; it lies between 0 and 1"
        raise ValueError(msg)
    seed = line.study.seed if seed is None else seed
    return Experiment(
        horizon_us, n, seed, kind, warmup_us, precision, confidence, units
    )


def _duration(value: str | int) -> int:
    return value if isinstance(value, int) else parse_duration_us(value)
