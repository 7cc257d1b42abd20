"""What other verbs found about the made-up plants of the brief, small and by hand."""

from __future__ import annotations

from typing import Any

from linewright.improve.decisions import Decision, Realised
from linewright.improve.files import BottleneckFile, ImprovementFile
from linewright.report.facts import Found
from tests.test_report_plant import HOUR, Made

HASH = "5e1f0c9a77d2"
METHODS = (
    "critical_path", "utilisation", "active_period", "shifting", "turning_point",
)  # fmt: skip


def interval(mean: float, half: float | None = 0.01, n: int = 10) -> dict[str, Any]:
    """Return an interval as a file says it; a half-width of None is unknown."""
    ends = (None, None) if half is None else (mean - half, mean + half)
    return {
        "mean": mean, "half_width": half, "low": ends[0], "high": ends[1], "n": n,
        "confidence": 0.95,
    }  # fmt: skip


def bottleneck_said(
    stations: tuple[str, ...], model_hash: str = HASH, **changes: Any
) -> dict[str, Any]:
    """Return what `linewright bottleneck --out` would leave; the first holds back."""
    first = stations[0]
    shares = dict.fromkeys(stations, 0.2 / max(1, len(stations) - 1))
    shares[first] = 0.6
    method = {
        "first": first,
        "tied": [],
        "probability": {s: float(s == first) for s in stations},
        "scores": {s: interval(share) for s, share in shares.items()},
    }
    turning = method | {
        "scores": {
            s: interval(-0.2)
            if s == first
            else dict.fromkeys(interval(0.0)) | {"n": 10}
            for s in stations
        }
    }
    for s in stations[1:]:
        turning["scores"][s]["confidence"] = 0.95  # type: ignore[index]
    worth = [
        ("processing", first, "", 0.45),
        ("repair", first, "jam", 0.15),
        *(("processing", s, "", shares[s]) for s in stations[1:]),
        ("calendar", "", "", 0.2),
    ]
    said: dict[str, Any] = {
        "bottleneck": {"first": first, "tied": []},
        "methods": {m: turning if m == "turning_point" else method for m in METHODS},
        "strip": {
            "stations": list(stations),
            "edges_us": [24 * HOUR * day for day in range(5)],
            "shares": [[shares[s] for s in stations]] * 4,
        },
        "remarks": [],
        "worth": [
            {"kind": k, "place": p, "name": n, "elasticity": interval(x)}
            for k, p, n, x in worth
        ],
        "doubts": [],
        "wears": True,
        "confirmed": [
            {
                "change": f"{first}: 10% less processing",
                "promised": interval(0.047, 0.002),
                "gain": interval(0.041, 0.003),
            }
        ],
        "about": {
            "model_hash": model_hash,
            "seed": 1,
            "seed_of_confirmation": 2,
            "replications": 10,
            "warmup_us": 0,
            "horizon_us": 96 * HOUR,
            "confidence": 0.95,
            "version": "0.1.0",
        },
    }
    return said | changes


def improvement_said(
    model_hash: str = HASH,
    options: tuple[str, ...] = ("second saw", "faster drill"),
    **changes: Any,
) -> dict[str, Any]:
    """Return what `linewright improve` would leave, with two options chosen."""
    one, two = options
    sets = [
        {"options": list(chosen), "cost": cost, "gain": interval(gain, 0.5),
         "replications": 10}
        for chosen, cost, gain in (
            ((), 0.0, 0.0), ((one,), 3000.0, 2.0), ((two,), 9000.0, 1.0),
            ((one, two), 12000.0, 3.0),
        )
    ]  # fmt: skip
    found: dict[str, Any] = {
        "chosen": [one, two],
        "items": [
            {"name": one, "cost": 3000.0, "lead_time_us": 168 * HOUR, "note": "a note"},
            {"name": two, "cost": 9000.0, "lead_time_us": 0, "note": ""},
        ],
        "cost": 12000.0,
        "budget": 15000.0,
        "lead_time_us": 168 * HOUR,
        "changes": {"stations": {"Saw": {"servers": 2}}},
        "base": interval(30.0, 0.4),
        "gain": interval(3.0, 0.3),
        "relative_gain": interval(0.1, 0.01),
        "guarantee": "With probability 0.95 at least it is the best of all sets (4).",
        "is_complete": True,
        "is_exhaustive": True,
        "candidates": sets[::-1],
        "frontier": [sets[0], sets[1], sets[3]],
        "n_evaluations": 1234,
        "n_reused": 0,
        "model_hash": model_hash,
        "changed_hash": "c" * 64,
        "objective": "throughput, good units/h",
        "seed": 1,
        "version": "0.1.0",
    }
    study = {
        "objective": "throughput", "indifference": 0.005, "confidence": 0.95,
        "replications": 10, "warmup_us": 0, "horizon_us": 96 * HOUR,
    }  # fmt: skip
    return {"improvement": found | changes, "study": study}


def decision(number: int = 1, **changes: Any) -> Decision:
    """Return a decision of the ledger."""
    said: dict[str, Any] = {
        "number": number, "on": "2027-01-12", "by": "Works council", "reason": "spring",
        "overlay": "decision-001-2027-01-12.yaml", "options": ("second saw",),
        "cost": 3000.0, "objective": "throughput, good units/h", "base": 30.0,
        "promised": (3.0, 2.7, 3.3), "confidence": 0.95, "guarantee": "",
        "model_hash": HASH, "changed_hash": "c" * 64, "seed": 1, "version": "0.1.0",
        "realised": (Realised("2027-06-01", "Production control", 32.0, "counted"),),
    }  # fmt: skip
    return Decision(**said | changes)


def found_for(made: Made, **changes: Any) -> Found:
    """Return all of it for a made-up result."""
    stations = tuple(made.line.stations)
    said: dict[str, Any] = {
        "bottleneck": BottleneckFile.model_validate(bottleneck_said(stations)),
        "improvement": ImprovementFile.model_validate(improvement_said()),
        "model": "plant.yaml",
        "proposal": "results/plant improve",
    }
    return Found(**said | changes)
