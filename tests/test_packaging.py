"""What is shipped, and what a fresh machine is told to install."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def shipped(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run(
        [*command, str(project)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_the_wheel_holds_the_package_and_nothing_else(shipped: Path) -> None:
    (wheel,) = shipped.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.split("/")[0] for name in names}
    assert {"linewright/cli/__init__.py", "linewright/py.typed"} <= set(names)
    assert "linewright/report/animation/scripts/film.js" in names
    assert {folder.split("-")[0] for folder in folders} == {"linewright"}
    assert not [name for name in names if "__pycache__" in name]


def test_the_sdist_holds_all_that_the_tests_need(shipped: Path) -> None:
    (sdist,) = shipped.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    expected = {"LICENSE", "Makefile", "README.md"}
    expected |= {"requirements/dev.txt", "requirements/ray.txt"}
    assert expected <= names
    assert {"examples", "tests", "docs"} <= {name.split("/")[0] for name in names}
    assert not [name for name in names if name.startswith((".venv/", "build/"))]


@pytest.mark.parametrize("lock", ["dev.txt", "ray.txt"])
def test_the_lock_names_versions_and_hashes_but_no_place(
    project: Path, lock: str
) -> None:
    text = (project / "requirements" / lock).read_text(encoding="utf-8")
    lines = re.sub(r" *\\\n *", " ", text).splitlines()
    pinned = [line for line in lines if line and not line.lstrip().startswith("#")]
    form = re.compile(r"[\w.-]+==[\w.+!-]+( ;.*)?( --hash=sha256:[0-9a-f]{64})+")
    assert pinned
    assert [line for line in pinned if not form.fullmatch(line)] == []
    comments = [line for line in lines if line.lstrip().startswith("#")]
    assert [c for c in comments if "://" in c or re.search(r"[\s=]/\w", c)] == []


def test_the_lock_covers_what_the_package_asks_for(project: Path) -> None:
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    asked = list(metadata["project"]["dependencies"])
    for extra in metadata["project"]["optional-dependencies"].values():
        asked += extra
    tools = (project / "requirements" / "dev.in").read_text(encoding="utf-8")
    asked += [line for line in tools.splitlines() if not line.startswith("#")]
    locks = [project / "requirements" / name for name in ("dev.txt", "ray.txt")]
    lock = "\n".join(path.read_text(encoding="utf-8") for path in locks)
    locked = {_bare(line) for line in lock.splitlines() if "==" in line}
    assert {_bare(line) for line in asked} <= locked


def _bare(requirement: str) -> str:
    name = re.split(r"[^\w.-]", requirement)[0]
    return re.sub(r"[-_.]+", "-", name).lower()
