"""What people may do.

A viewer looks on, an operator acts on stations and units, an engineer on orders too.
Whoever may act has a name, under which he acts.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

__all__ = [
    "ENGINEER",
    "LONGEST_NAME",
    "OPERATOR",
    "ROLES",
    "VIEWER",
    "Who",
    "hash_of",
    "may",
]

VIEWER, OPERATOR, ENGINEER = ROLES = ("viewer", "operator", "engineer")
"""Roles; each may do what those before it may."""

LONGEST_NAME = 80


class Who(NamedTuple):
    """Somebody who is known.

    Attributes:
        role: One of `ROLES`.
        name: The person or system, as it was said at the start; may be empty of a
            viewer.
    """

    role: str
    name: str


def may(who: Who | None, role: str) -> bool:
    """Say whether somebody may do what a role may."""
    return who is not None and ROLES.index(who.role) >= ROLES.index(role)


def hash_of(secret: str) -> bytes:
    """Return what is kept of a token, session or key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
