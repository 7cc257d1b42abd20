"""What earlier releases wrote is still read: their models, states and results."""

from __future__ import annotations

from pathlib import Path

import pytest

import linewright
from linewright import tables as t
from linewright.lower import lower
from linewright.model.load import model_hash
from linewright.replicate import check_laws, run_until
from linewright.states import load_state
from tests.make_release import HORIZON_US, RELEASES, SAVED_US, SEED

FOLDERS = sorted(path for path in RELEASES.iterdir() if path.is_dir())


def test_this_release_has_its_fixtures() -> None:
    assert linewright.__version__ in {folder.name for folder in FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_model_of_a_release_is_read_without_findings(folder: Path) -> None:
    line = linewright.load(folder / "model.yaml")
    assert linewright.check(line) == []
    result = linewright.Result.load(folder / "result")
    assert model_hash(line) == result.manifest["model_hash"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_state_of_a_release_goes_on(folder: Path) -> None:
    line = linewright.load(folder / "model.yaml")
    lowered = lower(line, HORIZON_US)
    saved = load_state(folder / "state.npz", lowered, model_hash(line))
    assert (saved.seed, saved.linewright_version) == (SEED, folder.name)
    assert saved.state.clock["now"][0] == SAVED_US
    before = int(saved.state.clock["finished"][0])
    code, state = run_until(lowered, saved.state, saved.draws, HORIZON_US)
    assert code == t.REACHED
    assert int(state.clock["finished"][0]) > before
    assert all(law.ok for law in check_laws(lowered, state))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_result_of_a_release_is_read(folder: Path) -> None:
    result = linewright.Result.load(folder / "result")
    assert result.manifest["linewright_version"] == folder.name
    assert result.throughput["gate"].mean > 0
    assert not result.failed_checks
    assert len(result.table("orders")) == 2 * 3
