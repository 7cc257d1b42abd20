"""Random numbers from streams that are named by what they are for."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["generator"]


def generator(*name: object) -> np.random.Generator:
    """Return the generator of a named stream, counter-based."""
    digest = hashlib.sha256("|".join(map(str, name)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16])))
