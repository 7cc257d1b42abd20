"""Machine and client on node-opcua; they are there after `npm ci` in this folder."""

from __future__ import annotations

import gc
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["FOREIGN", "HAS_NODE", "NODE", "sockets_left"]


@contextmanager
def sockets_left() -> Iterator[None]:
    """Pass over sockets that asyncua leaves open to a server that was frozen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


FOREIGN = Path(__file__).parent
NODE = shutil.which("node")
HAS_NODE = NODE is not None and (FOREIGN / "node_modules" / "node-opcua").is_dir()
if "node" in os.environ.get("LINEWRIGHT_REQUIRE", "").split(","):
    assert HAS_NODE, "node-opcua was asked for and is not there; npm ci"
