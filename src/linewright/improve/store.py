"""Evaluations that are kept: in a file that only grows, so that none is made twice."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Store"]


@dataclass(slots=True)
class Store:
    """Evaluations by model and replication, in a file that only grows.

    Attributes:
        path: JSON lines; None keeps them in memory only.
    """

    path: Path | None = None
    _known: dict[tuple[str, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what is there; a line that was cut off by a kill is left out."""
        if self.path is None or not self.path.exists():
            return
        for line in self.path.read_text("utf-8").splitlines():
            try:
                key, number, value = json.loads(line)
            except ValueError:
                continue  # half a line: that replication is made again
            self._known[key, number] = value

    def get(self, key: str, number: int) -> float | None:
        """Return an evaluation, if there is one."""
        return self._known.get((key, number))

    def put(self, key: str, values: dict[int, float]) -> None:
        """Keep evaluations of one model."""
        self._known |= {(key, number): value for number, value in values.items()}
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = [json.dumps([key, n, value]) for n, value in sorted(values.items())]
        with self.path.open("a", encoding="utf-8") as file:
            if file.tell() and not _ends_whole(self.path):
                file.write("\n")
            file.write("\n".join(rows) + "\n")


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
