"""Jobs a second over encrypted OPC UA: 20 stations, their machines in another process.

`python -m benchmarks.opcua [SECONDS]`. Work takes a millisecond, so that what is
measured is the way: job order, notification, list, commit on disk, clear. The time from
the commit of a result to that of the next one is not told apart from the work.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from linewright.control.controller import Controller
from linewright.control.openings import journal_of
from linewright.drivers import pki
from linewright.drivers.opcua_client import OpcUaWay
from linewright.drivers.running import Runner
from linewright.lower import lower
from linewright.model.load import load

N_STATIONS = 20
PORT = 48_840
WARM_UP_S = 5.0


def model() -> str:
    stations = "\n".join(
        f"  s{k}: {{process: 1 ms, buffer: 10}}" for k in range(N_STATIONS)
    )
    route = ", ".join(f"s{k}" for k in range(N_STATIONS))
    return (
        f"schema_version: 1\nname: bench\nstations:\n{stations}\n"
        f"products:\n  part:\n    release: {{kind: orders}}\n    route: [{route}]\n"
        "orders:\n  - {product: part, quantity: 1000}\n"
    )


async def measured(folder: Path, url: str, seconds: float) -> tuple[float, int]:
    line = load(folder / "bench.yaml")
    lowered = lower(line, 3_600_000_000)
    journal = journal_of(folder / "bench.journal", line, lowered, 0)
    way = OpcUaWay(url, pki.side(folder / "pki", "controller"))
    runner = Runner(Controller(lowered, journal), way)
    loop, seen = asyncio.get_running_loop(), []
    core = runner.controller.core

    def look() -> None:
        seen.append((time.perf_counter(), sum(core.numbers.values()) - len(core.jobs)))

    def begun(_: object) -> None:  # connected
        if not starts:
            starts.append(True)
            loop.call_later(WARM_UP_S, look)
            loop.call_later(WARM_UP_S + seconds, look)
            loop.call_later(WARM_UP_S + seconds + 0.1, runner.stop)

    starts: list[bool] = []
    await runner.run(3_600_000_000, begun)
    n_records = journal.next_seq
    journal.close()
    (begun_s, n_begun), (ended_s, n_ended) = seen
    return (n_ended - n_begun) / (ended_s - begun_s), n_records


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench.yaml").write_text(model())
        pki.init(folder / "pki")
        said = folder / "said.txt"
        arguments = [sys.executable, "-m", "linewright", "emulate", "bench.yaml"]
        with said.open("w") as file:
            machines = subprocess.Popen(
                [*arguments, "--port", str(PORT)],
                cwd=folder, stderr=file, env=os.environ,
            )  # fmt: skip
        while "machines at" not in said.read_text():
            assert machines.poll() is None, said.read_text()
            time.sleep(0.1)
        try:
            url = f"opc.tcp://127.0.0.1:{PORT}"
            rate, n_records = asyncio.run(measured(folder, url, seconds))
        finally:
            machines.terminate()
            machines.wait()
    load_1 = os.getloadavg()[0]
    print(
        f"{rate:.0f} jobs/s over {seconds:g} s, {n_records} records, load {load_1:.1f}"
    )


if __name__ == "__main__":
    main()
