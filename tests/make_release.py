"""Write the fixtures of a release: ``python -m tests.make_release``.

Makes ``tests/releases/VERSION/`` with a model that uses much of the form, a state of it
and a result. They are written once, when the version is released, and then stay.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import linewright
from linewright.lower import lower, new_draws, new_state
from linewright.model.load import model_hash
from linewright.replicate import run_until
from linewright.states import save_state

RELEASES = Path(__file__).parent / "releases"
HOUR_US = 3_600_000_000
SEED, SAVED_US, HORIZON_US = 7, 30 * HOUR_US, 96 * HOUR_US


def main() -> None:
    """Write the fixtures of this version."""
    folder = RELEASES / linewright.__version__
    line = linewright.load(folder / "model.yaml")
    lowered = lower(line, HORIZON_US)
    draws = new_draws(lowered, SEED, 0)
    _, state = run_until(lowered, new_state(lowered), draws, SAVED_US)
    save_state(folder / "state.npz", lowered, state, SEED, 0, model_hash(line))
    shutil.rmtree(folder / "result", ignore_errors=True)
    result = linewright.simulate(line, horizon="96 h", replications=3, seed=SEED)
    result.save(folder / "result")
    sys.stdout.write(f"{folder}\n")


if __name__ == "__main__":
    main()
