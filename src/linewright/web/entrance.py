"""Logging in with a name and a password: slowed, one at a time, and told to the trail.

A hash takes some tenths of a second and 128 MiB by design, so that one is made at a
time, and only a few may wait for it. Whether a name is there cannot be told from the
answer, nor from the time that it takes.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import NamedTuple

from linewright.errors import LinewrightError
from linewright.web.accounts import LONGEST_PASSWORD, Account, name_key
from linewright.web.roles import LONGEST_NAME
from linewright.web.sessions import Sessions
from linewright.web.slowing import Slowing

__all__ = ["Entered", "Entrance"]

_MOST_WAITING = 8
_WRONG = "the name or the password is wrong"


class Entered(NamedTuple):
    """What came of it.

    Attributes:
        session: The new session, or empty.
        status: Status of HTTP, where there is none.
        error: What to answer then.
        wait_s: After how many seconds one may try again, 0 for at once.
        note: What the audit trail says.
        account: Whose account it is, where there is one of that name.
    """

    session: str = ""
    status: int = 303
    error: str = ""
    wait_s: int = 0
    note: str = "done"
    account: Account | None = None


class Entrance:
    """Where people log in with a password; see the module's head.

    Args:
        sessions: Who is known, with the accounts.
        clock_s: A clock that only goes forward, seconds.
    """

    def __init__(self, sessions: Sessions, clock_s: Callable[[], float]) -> None:
        self._sessions, self._clock_s = sessions, clock_s
        self._slowing = Slowing()
        self._turn = asyncio.Lock()
        self._n_waiting = 0

    async def enter(self, name: str, password: str, address: str) -> Entered:
        """Log somebody in, or say why not.

        Args:
            name: The name, as it was typed.
            password: The password, likewise.
            address: From where.
        """
        accounts = self._sessions.accounts
        if not accounts.are_asked_for:
            error = "there are no accounts here; log in with a token"
            return Entered(status=422, error=error, note="refused: no accounts")
        name = name.strip()
        if len(name) > LONGEST_NAME or len(password) > LONGEST_PASSWORD:
            return Entered(status=403, error=_WRONG, note="refused: too long")
        if self._n_waiting >= _MOST_WAITING:
            error = "too many log in just now; try again in a moment"
            return Entered(status=503, error=error, wait_s=5, note="refused: too many")
        self._n_waiting += 1
        try:
            async with self._turn:
                return await self._checked(name, password, address)
        except LinewrightError as error:
            text = "the accounts cannot be read; tell who runs this server"
            return Entered(status=503, error=text, note=f"refused: {error}")
        finally:
            self._n_waiting -= 1

    async def _checked(self, name: str, password: str, address: str) -> Entered:
        accounts, key = self._sessions.accounts, name_key(name)
        wait_s = math.ceil(self._slowing.wait_s(key, address, self._clock_s()))
        known = accounts.find(name)
        if wait_s > 0:
            text = f"too many tries; wait {_span(wait_s)}"
            note = "refused: too many tries"
            return Entered("", 429, text, wait_s, note, known)
        found = await asyncio.to_thread(accounts.verified, name, password)
        now_s = self._clock_s()
        if found is None:
            self._slowing.failed(key, address, now_s)
            note = "refused: wrong password" if known else "refused: no such name"
            return Entered(status=403, error=_WRONG, note=note, account=known)
        self._slowing.succeeded(key, address)
        return Entered(self._sessions.log_in_as(found, now_s), account=found)


def _span(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{math.ceil(seconds / 60)} min"
