"""Certificates for machines and controller: made, trusted and shown.

A folder holds one place for each side, ``controller`` and ``machines``: its own
certificate (`own.pem`), its private key (`own-key.pem`, for its owner's eyes alone),
and the certificates that it trusts (`trusted/`). Nothing else is trusted, by nobody.
"""

from __future__ import annotations

import os
import socket
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from linewright.errors import PkiError

__all__ = [
    "SIDES",
    "Certificate",
    "Side",
    "init",
    "load",
    "read",
    "side",
    "trust",
    "write_private",
]

SIDES = ("controller", "machines")
_DAYS = 3 * 365
WARN_DAYS = 30


class Certificate(NamedTuple):
    """A certificate, as it is shown."""

    name: str
    path: Path
    thumbprint: str
    until: datetime
    der: bytes

    @property
    def days_left(self) -> int:
        """Days until it expires."""
        return (self.until - _now()).days


class Side(NamedTuple):
    """One side of the connection: what it is, and whom it trusts."""

    uri: str
    own: Certificate
    key: Path
    trusted: tuple[Certificate, ...]

    def trusts(self, der: bytes | None) -> bool:
        """Say whether a certificate is one of those trusted, and valid today."""
        return any(
            one.der == der and one.until > _now() and der for one in self.trusted
        )


def _now() -> datetime:
    return datetime.now(tz=UTC)


def uri_of(name: str) -> str:
    """Return the application URI of a side."""
    return f"urn:linewright:{name}"


def init(folder: Path) -> list[Certificate]:
    """Make certificates for both sides that trust each other.

    Raises:
        PkiError: There are some already.
    """
    for name in SIDES:
        if (folder / name).exists():
            msg = f"{folder / name} is there already; take another folder"
            raise PkiError(msg)
    made = [_make(folder / name, name) for name in SIDES]
    for name, other in zip(SIDES, reversed(made), strict=True):
        trust(folder, name, other.path)
    return made


def _make(place: Path, name: str) -> Certificate:
    from asyncua.crypto.cert_gen import (  # noqa: PLC0415 - slow
        dump_private_key_as_pem,
        generate_private_key,
        generate_self_signed_app_certificate,
    )

    (place / "trusted").mkdir(parents=True, mode=0o700)
    key = generate_private_key()
    names = [
        x509.UniformResourceIdentifier(uri_of(name)),
        x509.DNSName("localhost"),
        x509.DNSName(socket.gethostname()),
    ]
    made = generate_self_signed_app_certificate(
        key,
        f"Linewright {name}",
        {},
        names,
        [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH],
        days=_DAYS,
    )
    _write(place / "own-key.pem", dump_private_key_as_pem(key), 0o600)
    _write(place / "own.pem", made.public_bytes(Encoding.PEM), 0o644)
    return read(place / "own.pem")


def write_private(path: Path, content: bytes) -> None:
    """Write something for its owner's eyes alone."""
    _write(path, content, 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write under another name and rename; a key is never readable for others."""
    draft = path.with_name(path.name + ".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    draft.rename(path)


def trust(folder: Path, name: str, certificate: Path) -> Certificate:
    """Let a side trust a certificate.

    Raises:
        PkiError: It is no certificate, or there is no such side.
    """
    place = folder / name / "trusted"
    if not place.is_dir():
        msg = f"{folder / name} is not there; `linewright pki init {folder}` makes it"
        raise PkiError(msg)
    found = read(certificate)
    path = place / f"{found.thumbprint[:16]}.pem"
    if not path.exists():
        loaded = x509.load_der_x509_certificate(found.der)
        _write(path, loaded.public_bytes(Encoding.PEM), 0o644)
    return read(path)


def read(path: Path) -> Certificate:
    """Return a certificate from a file, PEM or DER.

    Raises:
        PkiError: It is none.
    """
    try:
        content = path.read_bytes()
        is_pem = content.lstrip().startswith(b"-----")
        made = (x509.load_pem_x509_certificate if is_pem else _der)(content)
    except (OSError, ValueError) as error:
        msg = f"{path} is not a certificate: {error}"
        raise PkiError(msg) from error
    name = ", ".join(str(part.value) for part in made.subject)
    return Certificate(
        name,
        path,
        made.fingerprint(hashes.SHA256()).hex(),
        made.not_valid_after_utc,
        made.public_bytes(Encoding.DER),
    )


def _der(content: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(content)


def side(folder: Path, name: str) -> Side:
    """Return a side with its certificate and those that it trusts.

    Raises:
        PkiError: It is not there, has expired, or others can read its key.
    """
    place = folder / name
    if not (place / "own.pem").is_file() or not (place / "own-key.pem").is_file():
        msg = f"{place} has no certificate; `linewright pki init {folder}` makes one"
        raise PkiError(msg)
    key = place / "own-key.pem"
    if stat.S_IMODE(key.stat().st_mode) & 0o077:
        msg = f"others can read {key}; chmod 600 {key}"
        raise PkiError(msg)
    own = read(place / "own.pem")
    if own.until < _now():
        msg = f"{own.path} has expired on {own.until:%Y-%m-%d}; make another one"
        raise PkiError(msg)
    trusted = tuple(read(path) for path in sorted((place / "trusted").glob("*.*")))
    return Side(uri_of(name), own, place / "own-key.pem", trusted)


def expires_soon(certificate: Certificate) -> bool:
    """Say whether a certificate is to be renewed."""
    return certificate.until - _now() < timedelta(days=WARN_DAYS)


def load(folder: Path) -> list[tuple[str, Side]]:
    """Return both sides by name."""
    return [(name, side(folder, name)) for name in SIDES if (folder / name).exists()]
