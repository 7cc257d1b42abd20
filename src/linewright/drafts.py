"""Write a file whole or not at all: under another name first, then renamed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from linewright.errors import ResultError

__all__ = ["write_whole"]

_Written = TypeVar("_Written")


def write_whole(
    path: str | os.PathLike[str], write: Callable[[Path], _Written]
) -> _Written:
    """Let `write` write a file under another name, then rename it.

    Args:
        path: The file; what stands there is replaced in the end.
        write: Writes the file whose path it is given.

    Returns:
        What `write` returns.

    Raises:
        ResultError: The file cannot be written; nothing of it is left then.
    """
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        written = write(draft)
        draft.replace(target)
    except OSError as error:
        msg = f"{target} cannot be written: {error.strerror or error}"
        raise ResultError(msg) from error
    finally:
        draft.unlink(missing_ok=True)
    return written
