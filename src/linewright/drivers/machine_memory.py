"""What played machines remember when their process is gone: a file of JSON lines.

Each line is the state of one machine, or one piece of work that was done, written
before anybody can know of it. A line outlives the process, not a power cut. The last
line of each machine counts; half a line at the end is that of a kill, and is passed
over.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TextIO

from linewright.control.plant import Done
from linewright.errors import MachineError

__all__ = ["MachineMemory", "read_done"]


class MachineMemory:
    """The memory of the machines of a plant.

    Args:
        path: The file; it is made if it is not there.

    Attributes:
        machines: State of each machine by device.
        done: What was done so far, in order.

    Raises:
        MachineError: It is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.machines, self.done = _read(path) if path.exists() else ({}, [])
        draft = path.with_name(path.name + ".new")
        with draft.open("w", encoding="utf-8") as file:  # without what has been revised
            for one in self.done:
                _write(file, "", one._asdict())
            for device, state in self.machines.items():
                _write(file, device, state)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        self._file = path.open("a", encoding="utf-8")

    def keep(self, device: str, state: dict[str, Any]) -> None:
        """Write what a machine knows, or with no device what was done."""
        _write(self._file, device, state)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _write(file: TextIO, device: str, state: dict[str, Any]) -> None:
    file.write(json.dumps([device, state], separators=(",", ":")) + "\n")


def _read(path: Path) -> tuple[dict[str, dict[str, Any]], list[Done]]:
    machines: dict[str, dict[str, Any]] = {}
    done: list[Done] = []
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines[:-1], 1):  # the last one is empty, or half
        try:
            device, state = json.loads(line)
            if device:
                machines[device] = state
            else:
                done.append(Done(**state | {"outcomes": tuple(state["outcomes"])}))
        except (ValueError, TypeError, KeyError) as error:
            msg = f"{path}:{number}: this is no memory of machines: {error}"
            raise MachineError(msg) from error
    return machines, done


def read_done(path: Path) -> list[Done]:
    """Return the machines' own record of what they did, in order."""
    return _read(path)[1]
