"""A PostgreSQL server that lives as long as the tests: in a folder, on loopback."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

import psycopg

from linewright.control.places import PgPlace, place_of
from tests.parts import find_postgres

PASSWORD = "correct horse"
_OTHER_USERS = ("postgres", "nobody")  # the server refuses to run as root
_CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
shared_buffers = 16MB
max_connections = 40
log_min_messages = fatal
"""
_HBA = """
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""


class PgServer:
    """The server; see the module's head.

    Its socket lets everybody in who may see the folder, its port those with a password.

    Args:
        root: Where to make its folder; in memory by default, if there is such a place.

    Attributes:
        folder: Where its data and its socket are.
        port: Its port.
    """

    def __init__(self, root: Path | None = None) -> None:
        shm = Path("/dev/shm")
        root = root or (shm if shm.is_dir() else None)
        self.folder = Path(tempfile.mkdtemp(prefix="linewright-pg-", dir=root))
        self._numbers = itertools.count()
        self._bin = find_postgres()
        self._as: list[str] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        if os.getuid() == 0:
            user = next(name for name in _OTHER_USERS if _exists(name))
            self._as = ["runuser", "-u", user, "--"]
            shutil.chown(self.folder, user)

    def __enter__(self) -> Self:
        data = self._data
        self._run(
            "initdb", "-D", data, "-U", "owner", "-A", "trust", "-E", "UTF8",
            "--locale=C", "--no-sync",
        )  # fmt: skip
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(_CONF.format(port=self.port, folder=self.folder))
        (self._data / "pg_hba.conf").write_text(_HBA)
        self.start()
        self.sql(f"CREATE ROLE controller LOGIN PASSWORD '{PASSWORD}'")
        self.sql("GRANT CREATE ON DATABASE postgres TO controller")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *args: str | Path) -> None:
        assert self._bin
        command = [*self._as, str(self._bin / program), *map(str, args)]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self.folder / "log"
        self._run("pg_ctl", "start", "-w", "-s", "-D", self._data, "-l", log)

    def stop(self, mode: str = "fast") -> None:
        """Stop it; ``immediate`` lets it finish nothing."""
        self._run("pg_ctl", "stop", "-w", "-s", "-m", mode, "-D", self._data)

    def crash(self) -> None:
        """Kill one of its processes: all others are ended, and it recovers."""
        [[pid]] = self.sql(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
        )
        os.kill(pid, signal.SIGKILL)

    def set(self, setting: str, value: str) -> None:
        """Change a setting of the server; empty: as it was."""
        how = f"SET {setting} = '{value}'" if value else f"RESET {setting}"
        self.sql(f"ALTER SYSTEM {how}")
        self.sql("SELECT pg_reload_conf()")
        want = value or "on"
        while self.sql(f"SHOW {setting}") != [(want,)]:
            pass

    def place(self, name: str = "", user: str = "owner") -> PgPlace:
        """Return a journal on it, over its socket, with a new name if none is given."""
        name = name or f"j{next(self._numbers)}"
        address = f"postgresql://{user}@/postgres?host={self.folder}&port={self.port}"
        found = place_of(f"{address}#{name}")
        assert isinstance(found, PgPlace)
        return found

    def url(self, name: str, login: str = "controller") -> str:
        """Return the address of a journal by its port."""
        return f"postgresql://{login}@127.0.0.1:{self.port}/postgres#{name}"

    def sql(self, statement: str, schema: str = "public") -> list[Any]:
        """Run a statement as the owner; return its rows."""
        with psycopg.connect(self.place().address, autocommit=True) as db:
            db.execute(f'SET search_path = "{schema}"'.encode())
            done = db.execute(statement.encode())
            return done.fetchall() if done.description else []


def _exists(user: str) -> bool:
    return (
        subprocess.run(["id", user], capture_output=True, check=False).returncode == 0
    )
