"""Names and passwords for machines, which expire, kept as hashes beside certificates.

A certificate says which computer speaks, a name on whose behalf. The file is
``users.json`` in the folder of the machines; while it is there, nobody comes in without
a name. Passwords are made here, long and at random, and shown once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from linewright.drivers.pki import write_private
from linewright.errors import PkiError

__all__ = ["Users", "add_user", "read_secret"]

_FILE = "users.json"


class Users:
    """Who may come in with which password, until when.

    Args:
        folder: Folder of certificates.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "machines" / _FILE

    @property
    def are_asked_for(self) -> bool:
        """Say whether a name is asked for at all."""
        return self.path.exists()

    def refusal(self, name: str | None, password: str | None) -> str:
        """Return why a name is refused, or nothing where it is right.

        Raises:
            PkiError: The file cannot be understood.
        """
        found = self.read().get(name or "")
        made = _hash(password or "", found["salt"] if found else "00")
        if found is None or not hmac.compare_digest(made, found["hash"]):
            return f"{name or 'nobody'} is no name here, or the password is wrong"
        until = datetime.fromisoformat(found["until"])
        if until < _now():
            return f"the password of {name} has expired on {until:%Y-%m-%d}"
        return ""

    def read(self) -> dict[str, dict[str, Any]]:
        """Return what is known of each name.

        Raises:
            PkiError: The file cannot be understood.
        """
        if not self.path.exists():
            return {}
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            for one in found.values():
                bytes.fromhex(one["salt"])
                datetime.fromisoformat(one["until"])
                len(one["hash"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            msg = f"{self.path} is no file of names: {error}"
            raise PkiError(msg) from error
        return dict(found)


def add_user(folder: Path, name: str, days: int) -> str:
    """Let a name come in; return its new password, which is written nowhere.

    Args:
        folder: Folder of certificates.
        name: The name; one that is there gets another password.
        days: How long it is good.

    Raises:
        PkiError: There is no such folder, or nothing to make.
    """
    users = Users(folder)
    place = users.path.parent
    if not place.is_dir():
        msg = f"{place} is not there; `linewright pki init --pki {folder}` makes it"
        raise PkiError(msg)
    if not name or days < 1:
        msg = f'a name and a day at least are needed, found "{name}" and {days}'
        raise PkiError(msg)
    password, salt = secrets.token_urlsafe(24), secrets.token_hex(16)
    known = users.read()
    known[name] = {
        "salt": salt,
        "hash": _hash(password, salt),
        "until": (_now() + timedelta(days=days)).isoformat(timespec="seconds"),
    }
    write_private(users.path, json.dumps(known, indent=1).encode())
    return password


def read_secret(path: Path) -> str:
    """Return a password from a file that its owner alone can read.

    Raises:
        PkiError: It is not there, is empty, or others can read it.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            msg = f"others can read {path}; chmod 600 {path}"
            raise PkiError(msg)
        found = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        msg = f"{path} cannot be read: {error}"
        raise PkiError(msg) from error
    if not found:
        msg = f"{path} is empty; a password is needed"
        raise PkiError(msg)
    return found


def _hash(password: str, salt: str) -> str:
    return hashlib.scrypt(
        password.encode(), salt=bytes.fromhex(salt), n=1 << 12, r=8, p=1
    ).hex()


def _now() -> datetime:
    return datetime.now(tz=UTC)
