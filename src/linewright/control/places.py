"""Where a journal is: a file, or a name on a PostgreSQL server.

``plant.journal`` is a file; ``postgresql://host/database#plant`` is the journal
``plant`` in a database, a schema of its own there. All that libpq understands may
stand in the address (several hosts, ``?service=``, ``?sslmode=``). A password may, and
is shown nowhere; in ``~/.pgpass`` the list of processes does not show it either.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from linewright.errors import JournalError

__all__ = ["PgPlace", "Place", "beside", "place_of"]

_SCHEMES = ("postgresql", "postgres")
_DEFAULT_NAME = "linewright"
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_SECRETS = {"password", "sslpassword"}


@dataclass(frozen=True, slots=True)
class PgPlace:
    """A journal on a PostgreSQL server.

    Attributes:
        schema: Name of the journal there.
        shown: The address as it may be shown.
        has_password: Whether a password stands in the address.
        address: The address for libpq, secrets included; never shown.
    """

    schema: str
    shown: str
    has_password: bool
    address: str = field(repr=False)


Place = Path | PgPlace


def beside(place: Place, kind: str) -> Path:
    """Return the file for what belongs to a journal and is no part of it.

    It lies beside a journal in a file. Of one on a server it is in the user's cache on
    this machine, the same for all who reach that server by the same name.

    Args:
        place: The journal.
        kind: What the file holds, the end of its name.
    """
    if isinstance(place, Path):
        return place.with_name(f"{place.name}.{kind}")
    from linewright.kernel._jit import cache_folder  # noqa: PLC0415 - slow

    folder = cache_folder().parent / "journals"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256(place.shown.rpartition("@")[2].encode()).hexdigest()
    return folder / f"{place.schema}-{digest[:16]}.{kind}"


def place_of(text: str | os.PathLike[str] | PgPlace) -> Place:
    """Return where a journal is.

    Args:
        text: Path of a file, or an address.

    Raises:
        JournalError: It looks like an address and is none.
    """
    if isinstance(text, PgPlace):
        return text
    if not isinstance(text, str):
        return Path(text)
    scheme, mark, rest = text.partition("://")
    if not mark or "/" in scheme:
        return Path(text)
    if scheme not in _SCHEMES:
        msg = (
            f'a journal is a file or begins with "postgresql://"; '
            f'"{scheme}://" is neither'
        )
        raise JournalError(msg)
    return _pg_place(rest)


def _pg_place(rest: str) -> PgPlace:
    address, _, name = rest.partition("#")
    name = unquote(name) or _DEFAULT_NAME
    parts = urlsplit(f"//{address}")
    if "@" in parts.path + parts.query + name:
        msg = (
            "an address of PostgreSQL has an @ after its host; in a user's name or "
            "password write @ as %40, / as %2F, # as %23 and ? as %3F, or leave the "
            "password to ~/.pgpass"
        )
        raise JournalError(msg)
    if not _NAME.fullmatch(name) or name.startswith("pg_"):
        msg = (
            f'"#{name}" is no name of a journal: it has at most 63 small letters, '
            "digits, _ and -, and does not begin with a digit, with - or with pg_"
        )
        raise JournalError(msg)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    kept = [
        one
        for one in parts.query.split("&")
        if unquote(one.partition("=")[0]).lower() not in _SECRETS
    ]
    shown = f"{user}@{hosts}" if user else hosts
    query = "&".join(filter(None, kept))
    has_secret = bool(password) or len(kept) < len(parts.query.split("&"))
    return PgPlace(
        schema=name,
        shown=f"postgresql://{shown}{parts.path}{f'?{query}' if query else ''}#{name}",
        has_password=has_secret,
        address=f"postgresql://{address}",
    )
