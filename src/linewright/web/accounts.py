"""Accounts: people who log in with a name and a password, with the role that is theirs.

A file has a line of JSON for each account: name, role and what is kept of the password,
a hash by scrypt with its salt and costs. The file is read again when it has changed: an
account that was taken out, or has another role or password, ends its sessions.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import hmac
import json
import os
import secrets
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

from linewright.drafts import write_whole
from linewright.errors import LinewrightError
from linewright.web.roles import LONGEST_NAME, ROLES

__all__ = [
    "LONGEST_PASSWORD",
    "SHORTEST_PASSWORD",
    "Account",
    "Accounts",
    "Cost",
    "change_account",
    "name_key",
    "new_account",
    "read_accounts",
    "without_account",
]

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 128
_FEWEST_LETTERS = 5  # different ones
_N_SALT, _N_HASH = 16, 32
_MOST_N, _MOST_R, _MOST_P = 1 << 20, 32, 16


class Cost(NamedTuple):
    """What a hash by scrypt costs: 128 n r bytes, and time in proportion to n r p.

    Source:
        OWASP Password Storage Cheat Sheet: n 2^17, r 8, p 1 (128 MiB).
    """

    n: int = 1 << 17
    r: int = 8
    p: int = 1


COST = Cost()


class Account(NamedTuple):
    """What is kept of an account.

    Attributes:
        name: Of the person, under which he acts.
        role: One of `roles.ROLES`.
        hash: Of the password: ``scrypt``, costs, salt and hash, apart by ``$``.
    """

    name: str
    role: str
    hash: str


def hash_password(password: str, cost: Cost) -> str:
    """Return what is kept of a password."""
    salt = secrets.token_bytes(_N_SALT)
    made = _scrypt(password, salt, cost)
    return "$".join(("scrypt", *map(str, cost), _text(salt), _text(made)))


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    n, r, p = cost
    room = 128 * r * (n + p + 2) + (1 << 20)  # of OpenSSL, bytes
    # NFKC: the same password, whatever keyboard wrote its letters
    text = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=room, dklen=_N_HASH)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _parts(text: str) -> tuple[Cost, bytes, bytes]:
    """Return costs, salt and hash of what is kept.

    Raises:
        ValueError: It is nothing that was made here.
    """
    kind, n, r, p, salt, made = text.split("$")
    cost = Cost(int(n), int(r), int(p))
    is_good = kind == "scrypt" and 2 <= cost.n <= _MOST_N and cost.n & cost.n - 1 == 0
    if not is_good or not (1 <= cost.r <= _MOST_R and 1 <= cost.p <= _MOST_P):
        msg = "its hash is not by scrypt, or costs too much"
        raise ValueError(msg)
    found = base64.b64decode(salt, validate=True), base64.b64decode(made, validate=True)
    if len(found[0]) < _N_SALT or len(found[1]) != _N_HASH:
        msg = "its hash or salt has another length"
        raise ValueError(msg)
    return cost, *found


class Accounts:
    """The accounts of a file.

    Args:
        path: The file; None: there are no accounts.

    Raises:
        LinewrightError: The file cannot be read, is none of accounts, or is open to
            others.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._changed: tuple[int, int, int] | None = None
        self._found: dict[str, Account] = {}
        self._nobody = Account("", "", "")
        if path is not None:
            self._nobody = Account("", "", hash_password(secrets.token_hex(16), COST))
            self._look()

    @property
    def are_asked_for(self) -> bool:
        """Say whether one can log in with a name and a password at all."""
        return self._path is not None

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._found)

    def find(self, name: str) -> Account | None:
        """Return the account of a name, as the file has it now.

        Raises:
            LinewrightError: The file cannot be read any more.
        """
        self._look()
        return self._found.get(name_key(name))

    def is_current(self, account: Account) -> bool:
        """Say whether an account is still as it was, role and password too.

        Raises:
            LinewrightError: The file cannot be read any more.
        """
        return self.find(account.name) == account

    def verified(self, name: str, password: str) -> Account | None:
        """Return the account that a name and a password open, or None.

        It takes as long for a name that is not there as for a wrong password: some
        tenths of a second, by design.

        Raises:
            LinewrightError: The file cannot be read any more.
        """
        found = self.find(name)
        cost, salt, kept = _parts((found or self._nobody).hash)
        is_same = hmac.compare_digest(_scrypt(password, salt, cost), kept)
        return found if is_same else None

    def _look(self) -> None:
        if self._path is None:
            return
        try:
            about = self._path.stat()
        except OSError as error:
            self._found, self._changed = {}, None
            msg = f"{self._path} cannot be read: {error.strerror}"
            raise LinewrightError(msg) from error
        changed = about.st_mtime_ns, about.st_ino, about.st_size
        if changed != self._changed:
            self._changed, self._found = None, {}
            self._found = {name_key(one.name): one for one in read_accounts(self._path)}
            self._changed = changed


def name_key(name: str) -> str:
    """Return a name as accounts are told apart: however it was typed."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


def read_accounts(path: Path) -> list[Account]:
    """Return the accounts of a file.

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
    accounts: dict[str, Account] = {}
    wrong = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = _account(json.loads(line))
            if name_key(one.name) in accounts:
                msg = f'"{one.name}" is there before'
                raise ValueError(msg)
            accounts[name_key(one.name)] = one
        except (ValueError, KeyError, TypeError) as error:
            wrong.append(f"{path}:{number}: this is no account: {error}")
    if wrong:
        raise LinewrightError("\n".join(wrong))
    return list(accounts.values())


def _account(row: dict[str, Any]) -> Account:
    account = Account(str(row["name"]), row["role"], str(row["hash"]))
    _check_name(account.name)
    _check_role(account.role)
    _parts(account.hash)
    return account


def _check_name(name: str) -> None:
    is_plain = name == name.strip() and name.isprintable()
    if not name or not is_plain or len(name) > LONGEST_NAME:
        msg = f"a name has 1 to {LONGEST_NAME} letters that can be printed"
        raise ValueError(msg)


def _check_role(role: str) -> None:
    if role not in ROLES:
        msg = f'there is no role "{role}"; there are {", ".join(ROLES)}'
        raise ValueError(msg)


def _check_password(password: str, name: str) -> None:
    n = len(password)
    if not SHORTEST_PASSWORD <= n <= LONGEST_PASSWORD:
        msg = (
            f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} letters, and "
            f"this one has {n}; several words are easy to keep in mind"
        )
        raise ValueError(msg)
    rest = name_key(password).replace(name_key(name), "")
    if len(set(rest)) < _FEWEST_LETTERS:
        msg = (
            "this password is guessed at once: beside the name it has fewer than "
            f"{_FEWEST_LETTERS} different letters"
        )
        raise ValueError(msg)


def new_account(path: Path, name: str, role: str, password: str) -> None:
    """Add an account to a file, which is made if there is none.

    Raises:
        LinewrightError: Name, role or password are none, the name is taken, or the
            file cannot be read or written.
    """
    accounts = read_accounts(path) if path.exists() else []
    try:
        _check_name(name)
        _check_role(role)
        _check_password(password, name)
    except ValueError as error:
        raise LinewrightError(str(error)) from error
    if any(name_key(one.name) == name_key(name) for one in accounts):
        msg = f'{path} has an account "{name}" already; change it, or take it out'
        raise LinewrightError(msg)
    _write(path, [*accounts, Account(name, role, hash_password(password, COST))])


def change_account(
    path: Path, name: str, *, role: str | None = None, password: str | None = None
) -> None:
    """Give an account another role or password; it ends its sessions.

    Raises:
        LinewrightError: There is no such account, role or password, or the file cannot
            be read or written.
    """
    accounts = read_accounts(path)
    before = _named(path, accounts, name)
    after = before
    try:
        if role is not None:
            _check_role(role)
            after = after._replace(role=role)
        if password is not None:
            _check_password(password, before.name)
            after = after._replace(hash=hash_password(password, COST))
    except ValueError as error:
        raise LinewrightError(str(error)) from error
    _write(path, [after if one == before else one for one in accounts])


def without_account(path: Path, name: str) -> None:
    """Take an account out of a file, which ends its sessions.

    Raises:
        LinewrightError: There is no such account, or the file cannot be read or
            written.
    """
    accounts = read_accounts(path)
    gone = _named(path, accounts, name)
    _write(path, [one for one in accounts if one != gone])


def _named(path: Path, accounts: list[Account], name: str) -> Account:
    for one in accounts:
        if name_key(one.name) == name_key(name):
            return one
    near = difflib.get_close_matches(name, [one.name for one in accounts], 1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    msg = f'{path} has no account "{name}"{hint}'
    raise LinewrightError(msg)


def _write(path: Path, accounts: list[Account]) -> None:
    text = "".join(json.dumps(one._asdict()) + "\n" for one in accounts)

    def write(draft: Path) -> None:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(text)

    write_whole(path, write)
