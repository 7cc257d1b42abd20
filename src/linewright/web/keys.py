"""Keys of other systems: an ERP that brings orders has no browser to log in with.

A file has a line of JSON for each key: name, role, the hash of the key and the last day
on which it opens. The key itself is told once, when it is made. The file is read again
when it has changed, so that a key that was taken out of it opens nothing any more.
"""

from __future__ import annotations

import difflib
import json
import os
import secrets
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from linewright.drafts import write_whole
from linewright.errors import LinewrightError
from linewright.web.roles import LONGEST_NAME, ROLES, Who, hash_of

__all__ = ["Key", "Keys", "new_key", "read_keys", "without_key"]


class Key(NamedTuple):
    """What is kept of a key.

    Attributes:
        name: Of the system that has it.
        role: One of `roles.ROLES`.
        hash: SHA-256 of the key, hexadecimal.
        last_day: Last day on which it opens.
    """

    name: str
    role: str
    hash: str
    last_day: date


class Keys:
    """The keys of a file.

    Args:
        path: The file; None: there are no keys.

    Raises:
        LinewrightError: The file cannot be read, is none of keys, or is open to others.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._changed: tuple[int, int] | None = None
        self._found: dict[str, Key] = {}
        if path is not None:
            self._look()

    def who(self, key: str, today: date) -> Who | None:
        """Return whose a key is; None if it is none, or not any more."""
        if self._path is not None:
            self._look()
        found = self._found.get(hash_of(key).hex())
        if found is None or today > found.last_day:
            return None
        return Who(found.role, found.name)

    def _look(self) -> None:
        assert self._path is not None
        try:
            about = self._path.stat()
        except OSError as error:
            self._found, self._changed = {}, None
            msg = f"{self._path} cannot be read: {error.strerror}"
            raise LinewrightError(msg) from error
        changed = about.st_mtime_ns, about.st_ino
        if changed != self._changed:
            self._found = {key.hash: key for key in read_keys(self._path)}
            self._changed = changed


def read_keys(path: Path) -> list[Key]:
    """Return the keys of a file.

    Raises:
        LinewrightError: It cannot be read, is open to others, or has something else in
            it; all lines that are wrong are named.
    """
    try:
        if path.stat().st_mode & 0o077:
            msg = f"{path} can be read by others; set its mode to 0600"
            raise LinewrightError(msg)
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read: {error}"
        raise LinewrightError(msg) from error
    keys, wrong = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            keys.append(_key_of(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            wrong.append(f"{path}:{number}: this is no key: {error}")
    if wrong:
        raise LinewrightError("\n".join(wrong))
    return keys


def _key_of(row: dict[str, Any]) -> Key:
    key = Key(
        str(row["name"]),
        row["role"],
        str(row["hash"]),
        date.fromisoformat(row["last_day"]),
    )
    if key.role not in ROLES:
        msg = f'there is no role "{key.role}"; there are {", ".join(ROLES)}'
        raise ValueError(msg)
    return key


def new_key(path: Path, name: str, role: str, last_day: date) -> str:
    """Add a key to a file, which is made if there is none, and return the key.

    Raises:
        LinewrightError: The name is taken or none, there is no such role, or the file
            cannot be read or written.
    """
    keys = read_keys(path) if path.exists() else []
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        msg = f"the name of a key has 1 to {LONGEST_NAME} letters that can be printed"
        raise LinewrightError(msg)
    if role not in ROLES:
        msg = f'there is no role "{role}"; there are {", ".join(ROLES)}'
        raise LinewrightError(msg)
    if any(key.name == name for key in keys):
        msg = f'{path} has a key "{name}" already; take it out first'
        raise LinewrightError(msg)
    secret = secrets.token_urlsafe(32)
    _write(path, [*keys, Key(name, role, hash_of(secret).hex(), last_day)])
    return secret


def without_key(path: Path, name: str) -> None:
    """Take a key out of a file: from then on it opens nothing.

    Raises:
        LinewrightError: There is no such key, or the file cannot be read or written.
    """
    keys = read_keys(path)
    if all(key.name != name for key in keys):
        near = difflib.get_close_matches(name, [key.name for key in keys], 1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        msg = f'{path} has no key "{name}"{hint}'
        raise LinewrightError(msg)
    _write(path, [key for key in keys if key.name != name])


def _write(path: Path, keys: list[Key]) -> None:
    rows = [key._asdict() | {"last_day": key.last_day.isoformat()} for key in keys]
    text = "".join(json.dumps(row) + "\n" for row in rows)

    def write(draft: Path) -> None:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(text)

    write_whole(path, write)
