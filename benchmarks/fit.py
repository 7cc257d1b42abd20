"""Read and fit a large event log: ``python -m benchmarks.fit [--events N]``.

A log of a line of ten stations is made (cases that come by chance, times of four kinds,
three products), written as CSV, read with a mapping and
fitted; time and peak memory are those of the reading and the fit in a process of their
own. The exit code is 1 if a mean that went in lies outside of its interval of 99.9 %.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

N_STATIONS = 10
MAPPING = "case=order,activity=step,station=machine,product=item,start=begin,end=finish"
MEANS_S = np.array([60.0, 45, 80, 50, 30, 70, 65, 40, 55, 75])


def write_log(path: Path, n_events: int) -> None:
    """Write a log of about so many events."""
    random = np.random.default_rng(1)
    n = n_events // N_STATIONS
    gaps = random.exponential(100.0, n)
    arrival = np.cumsum(gaps)
    shapes = [
        random.gamma(4, 0.25, n),
        random.lognormal(-0.08, 0.4, n),
        random.exponential(1.0, n),
        random.weibull(2.0, n) / math.gamma(1.5),
    ]
    work = np.stack(
        [MEANS_S[k] * shapes[k % 4][random.permutation(n)] for k in range(N_STATIONS)]
    )
    start = np.empty_like(work)
    ready = arrival
    for k in range(N_STATIONS):  # Lindley's recursion: one server at each station
        before = np.cumsum(work[k]) - work[k]
        start[k] = np.maximum.accumulate(ready - before) + before
        ready = start[k] + work[k]
    origin = np.datetime64("2027-01-04", "us")
    order = np.arange(n)
    columns = {
        "order": np.tile(order, N_STATIONS),
        "step": np.repeat([f"op {k}" for k in range(N_STATIONS)], n),
        "machine": np.repeat([f"station {k}" for k in range(N_STATIONS)], n),
        "item": np.tile(np.array(["a", "b", "c"])[order % 3], N_STATIONS),
        "begin": origin + (start.ravel() * 1e6).astype("timedelta64[us]"),
        "finish": origin + ((start + work).ravel() * 1e6).astype("timedelta64[us]"),
    }
    pa_csv.write_csv(pa.table(columns), path)


def fit(path: str) -> None:
    """Read and fit a log; print what it took as JSON."""
    from linewright.fit.fitting import fit_log  # noqa: PLC0415 - timed apart
    from linewright.fit.mapping import read_columns  # noqa: PLC0415
    from linewright.fit.reading import read_log  # noqa: PLC0415

    begin = time.perf_counter()
    log = read_log(path, read_columns(MAPPING))
    read = time.perf_counter()
    found = fit_log(log)
    end = time.perf_counter()
    away = []
    for k, mean in enumerate(MEANS_S):
        one = found.fits[f"stations.station {k}.process"]
        half = (one.mean_high_s - one.mean_low_s) / 2 * 3.29 / 1.96
        if abs(one.mean_s - mean) > half:
            away.append(f"station {k}: {one.mean_s:.3f} s, not {mean:g} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    told = {"events": len(log), "read_s": read - begin, "fit_s": end - read}
    print(json.dumps(told | {"peak_gib": peak, "away": away}))


def main() -> int:
    """Make a log, fit it in a process of its own, and print a row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--log", help="a log made before, to be fitted here")
    args = parser.parse_args()
    if args.log:
        fit(args.log)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        write_log(path, args.events)
        size = path.stat().st_size / 2**20
        command = [sys.executable, "-m", "benchmarks.fit", "--log", str(path)]
        out = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(out.stdout)
    print("| events | file | reading | fitting | peak memory |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    print(
        f"| {told['events']:,} | {size:,.0f} MiB | {told['read_s']:.1f} s | "
        f"{told['fit_s']:.1f} s | {told['peak_gib']:.2f} GiB |"
    )
    for line in told["away"]:
        print(line, file=sys.stderr)
    return 1 if told["away"] else 0


if __name__ == "__main__":
    sys.exit(main())
