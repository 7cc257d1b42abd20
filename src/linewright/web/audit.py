"""Who logged in, was refused, or asked for something: a line of JSON for each.

What is done to the line stands in its journal, with who did it. This file has the rest:
logins, tries that failed and requests that were refused, with the time of the system's
clock and the address from which they came. Lines are only ever added.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["Audit"]

_MOST_TEXT = 200


class Audit:
    """The audit trail of a server.

    Args:
        path: The file; None keeps nothing.
        system_clock_s: The system's clock, seconds since 1970.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, path: Path | None, system_clock_s: Callable[[], float]) -> None:
        self._clock_s = system_clock_s
        self._file = None
        if path is not None:
            opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._file = os.fdopen(opened, "w", encoding="utf-8")

    def note(self, what: str, outcome: str, **about: str) -> None:
        """Write down what somebody did or tried.

        Args:
            what: Such as ``log in`` or ``hold``.
            outcome: Such as ``done`` or ``refused: …``.
            about: Who, from where, and about what.
        """
        if self._file is None:
            return
        at = datetime.fromtimestamp(self._clock_s(), UTC)
        row = {"at": at.isoformat(timespec="milliseconds"), "what": what}
        row |= {key: text[:_MOST_TEXT] for key, text in about.items() if text}
        row["outcome"] = outcome[:_MOST_TEXT]
        self._file.write(json.dumps(row, ensure_ascii=True) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
