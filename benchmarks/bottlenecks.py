"""Who names the bottleneck: five methods on a hundred random lines that fail.

``python -m benchmarks.bottlenecks [--lines N] [--workers N] [--keep PATH]``

Lines have 5 to 10 stations, constant processing times of 0.8 to 1.1 minutes, 0.5 to 3 %
failures a part, exponential repairs of 3 to 15 minutes in the mean, and buffers of 1 to
10 places. A failure comes by processing time, exponential with a mean of the processing
time over the failures a part: the nearest that a model says to a chance with each part.

The true bottleneck is the station at which a tenth less processing time gains most, in
8 runs of 40,000 parts on common random numbers. It is asked in two ways: at so many
failures a part as before (the time to failure shrinks with the processing time), and at
the same time to failure, which brings fewer failures as well. Each method watches three
runs of each length, and names one station from each.

Results of each line are kept as one line of JSON, so a run that was stopped goes on
where it was. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import linewright
from linewright.improve.bottleneck import METHODS, observe
from linewright.improve.trials import Span, lowered_of
from linewright.lower import new_draws, new_state
from linewright.model.line import Line
from linewright.replicate import run_until

SEED = 20_270_411
LENGTHS = (500, 2_000, 20_000)
N_OBSERVED = 3
N_TRUE, PARTS_TRUE = 8, 40_000
LESS = 0.1
AT_FAILURES_A_PART, AT_TIME_TO_FAILURE = "failures a part", "time to failure"
OUR_OWN = "processing_share"
"""The share of the critical path that is processing alone, without repairs."""

_FOREVER = Span(0, 10**15)

Drawn = dict[str, list[float]]
Kept = dict[str, Any]


def drawn(number: int) -> Drawn:
    """Return the figures of a random line."""
    rng = np.random.default_rng([SEED, number])
    n = int(rng.integers(5, 11))
    return {
        "cycle": rng.uniform(0.8, 1.1, n).tolist(),
        "failures": rng.uniform(0.005, 0.03, n).tolist(),
        "repair": rng.uniform(3, 15, n).tolist(),
        "slots": rng.integers(1, 11, n - 1).tolist(),
    }


def line_of(
    figures: Drawn, faster: int | None = None, *, fewer_failures: bool = False
) -> Line:
    """Return a line, with one station a tenth faster if asked for."""
    stations: dict[str, Any] = {}
    for k, cycle in enumerate(figures["cycle"]):
        factor = 1 - LESS if k == faster else 1.0
        every = cycle / figures["failures"][k] * (1.0 if fewer_failures else factor)
        jam = {
            "every": f"exponential({60 * every:.6f} s)",
            "repair": f"exponential({60 * figures['repair'][k]:.6f} s)",
        }
        station = {"process": f"{60 * cycle * factor:.6f} s", "failures": {"jam": jam}}
        if k:
            station["buffer"] = figures["slots"][k - 1]
        stations[f"s{k}"] = station
    model = {
        "schema_version": 1,
        "name": "line",
        "stations": stations,
        "products": {"part": {"route": list(stations)}},
    }
    return linewright.loads(json.dumps(model))


def made_per_min(line: Line, seed: int, parts: int) -> np.ndarray:
    """Return parts a minute in each of the runs that tell the truth."""
    lowered = lowered_of(line, _FOREVER)
    found = []
    for number in range(N_TRUE):
        draws = new_draws(lowered, seed, number)
        _, state = run_until(
            lowered, new_state(lowered), draws, _FOREVER.horizon_us, parts
        )
        found.append(parts / int(state.clock["now"][0]) * 60e6)
    return np.array(found)


def measured(number: int) -> Kept:
    """Return the truth about a line and what each method says of it."""
    figures = drawn(number)
    stations = range(len(figures["cycle"]))
    base = made_per_min(line_of(figures), number, PARTS_TRUE)
    gains = {}
    for question in (AT_FAILURES_A_PART, AT_TIME_TO_FAILURE):
        fewer = question == AT_TIME_TO_FAILURE
        lines = [line_of(figures, k, fewer_failures=fewer) for k in stations]
        made = np.array([made_per_min(line, number, PARTS_TRUE) for line in lines])
        gains[question] = (made / base - 1).tolist()
    said = {}
    for length in LENGTHS:
        # seeds apart from those of the truth, and of the other lengths
        seed = 1_000_000 + 10 * number + LENGTHS.index(length)
        said[str(length)] = _said(line_of(figures), seed, length)
    return {"line": number, "gains": gains, "said": said}


def _said(line: Line, seed: int, parts: int) -> dict[str, Any]:
    """Return the scores of each method, (run, station)."""
    seen = observe(
        line, _FOREVER, seed=seed, numbers=range(N_OBSERVED), workers=1, units=parts
    )
    scores = {method: seen.scores[method] for method in METHODS}
    scores[OUR_OWN] = np.stack(
        [
            seen.shares[:, seen.levers.index(("processing", s, ""))]
            for s in seen.stations
        ],
        axis=1,
    )
    return {
        method: np.maximum(values, -1e300).tolist()  # JSON has no infinity
        for method, values in scores.items()
    }


# ---------------------------------------------------------------- judging


def cell(rows: Sequence[Kept], question: str, method: str, length: int) -> np.ndarray:
    """Return mean and standard error of hits, and of shares of the best gain, in %.

    Runs of one line are not independent, so the error is that of the lines' means.
    """
    hits, shares = [], []
    for row in rows:
        gains = np.array(row["gains"][question]).mean(axis=1)
        named = np.array(row["said"][str(length)][method]).argmax(axis=1)
        hits.append((named == gains.argmax()).mean())
        shares.append((gains[named] / gains.max()).mean())
    both = 100 * np.array([hits, shares])
    error = both.std(axis=1, ddof=1) / np.sqrt(len(rows))
    return np.stack([both.mean(axis=1), error], axis=1)


def table(rows: Sequence[Kept], question: str) -> str:
    """Return hits and shares of the best gain of all methods."""
    lines = [
        ["method", *(f"{length:,} parts" for length in LENGTHS)],
        ["---", *["---"] * len(LENGTHS)],
    ]
    for method in (OUR_OWN, *METHODS):
        cells = []
        for length in LENGTHS:
            (hit, hit_error), (gain, gain_error) = cell(rows, question, method, length)
            cells.append(f"{hit:.0f} ± {hit_error:.0f} / {gain:.1f} ± {gain_error:.1f}")
        lines.append([method.replace("_", " "), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bottlenecks")
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", default="build/bottlenecks.jsonl")
    return parser.parse_args()


def _kept(path: Path) -> dict[int, Kept]:
    rows: dict[int, Kept] = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # cut off; that line is measured again
        rows[row["line"]] = row
    return rows


def main() -> int:
    """Measure what is missing, and print the tables."""
    args = _arguments()
    path = Path(args.keep)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = _kept(path)
    missing = [n for n in range(args.lines) if n not in rows]
    if missing:
        context = multiprocessing.get_context("spawn")
        with (
            context.Pool(args.workers) as pool,
            path.open("a", encoding="utf-8") as out,
        ):
            for row in pool.imap_unordered(measured, missing):
                rows[row["line"]] = row
                out.write(f"\n{json.dumps(row)}")  # ends a line that was cut off
                out.flush()
                print(f"{len(rows)} lines", file=sys.stderr, flush=True)
    found = [rows[n] for n in range(args.lines)]
    for question in (AT_FAILURES_A_PART, AT_TIME_TO_FAILURE):
        print(f"A tenth less processing time at the same {question}:\n")
        print(f"{table(found, question)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
