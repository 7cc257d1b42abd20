"""Who is known: tokens that work once, accounts, and sessions for either of them.

Times are arguments, seconds of a clock that only goes forward. Of tokens and sessions
only hashes are kept.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from linewright.web.accounts import Account, Accounts
from linewright.web.keys import Keys
from linewright.web.roles import LONGEST_NAME, VIEWER, Who, hash_of

__all__ = ["IDLE_S", "LONGEST_S", "Sessions"]

IDLE_S = 12 * 3600.0
LONGEST_S = 7 * 24 * 3600.0
_N_FAILURES, _FAILURES_S = 10, 60.0
_MOST_OF_ACCOUNT = 20  # sessions


class _Session(NamedTuple):
    who: Who
    begun_s: float
    seen_s: float
    account: Account | None = None


class Sessions:
    """People, from their first token to the end of their session.

    Args:
        n_tokens: How many can log in: viewers, or so many of each role.
        keys: Keys of other systems; none by default.
        accounts: Accounts of people; none by default.

    Attributes:
        keys: The same.
        accounts: The same.
        tokens: The tokens with their roles, until they have been told; see `told`.
    """

    def __init__(
        self,
        n_tokens: int | Mapping[str, int],
        keys: Keys | None = None,
        accounts: Accounts | None = None,
    ) -> None:
        self.keys = keys or Keys()
        self.accounts = Accounts() if accounts is None else accounts
        if isinstance(n_tokens, int):
            n_tokens = {VIEWER: n_tokens}
        self.tokens = [
            (role, secrets.token_urlsafe(24))
            for role, n in n_tokens.items()
            for _ in range(n)
        ]
        self._unused = {hash_of(token): role for role, token in self.tokens}
        self._sessions: dict[bytes, _Session] = {}
        self._failures: deque[float] = deque(maxlen=_N_FAILURES)

    def told(self) -> list[tuple[str, str]]:
        """Return role and token of each, and forget them."""
        tokens, self.tokens = self.tokens, []
        return tokens

    def has_to_wait(self, now_s: float) -> bool:
        """Say whether too many have tried lately with what is no token."""
        is_full = len(self._failures) == _N_FAILURES
        return is_full and now_s - self._failures[0] < _FAILURES_S

    def failed(self, now_s: float) -> None:
        """Note that somebody has tried with what is no token or key."""
        self._failures.append(now_s)

    def role_of(self, token: str) -> str | None:
        """Return the role of a token that nobody has used, else None."""
        return self._unused.get(hash_of(token))

    def log_in(self, token: str, now_s: float, name: str = "") -> str | None:
        """Return a new session for a token that nobody has used, else None.

        Raises:
            ValueError: Who may act has to say who he is; the token can still be used.
        """
        role = self.role_of(token)
        if role is None:
            self.failed(now_s)
            return None
        name = " ".join(name.split())
        if not name.isprintable() or len(name) > LONGEST_NAME:
            msg = f"a name has at most {LONGEST_NAME} letters that can be printed"
            raise ValueError(msg)
        if not name and role != VIEWER:
            msg = f"with the token of an {role}, say your name too: what you do has it"
            raise ValueError(msg)
        del self._unused[hash_of(token)]
        return self._begin(_Session(Who(role, name), now_s, now_s))

    def log_in_as(self, account: Account, now_s: float) -> str:
        """Return a new session of an account; beyond many, its oldest one ends."""
        mine = [
            key
            for key, one in self._sessions.items()
            if one.account is not None and one.account.name == account.name
        ]
        for key in mine[: max(len(mine) - _MOST_OF_ACCOUNT + 1, 0)]:
            del self._sessions[key]
        who = Who(account.role, account.name)
        return self._begin(_Session(who, now_s, now_s, account))

    def _begin(self, one: _Session) -> str:
        session = secrets.token_urlsafe(32)
        self._sessions[hash_of(session)] = one
        return session

    def who(self, session: str, now_s: float) -> Who | None:
        """Return whose a session is, and let it live on; None if it is none.

        Raises:
            LinewrightError: It is that of an account, and those cannot be read.
        """
        found = hash_of(session)
        one = self._sessions.get(found)
        if one is None:
            return None
        is_over = now_s - one.begun_s >= LONGEST_S or now_s - one.seen_s >= IDLE_S
        if one.account is not None and not is_over:
            is_over = not self.accounts.is_current(one.account)
        if is_over:
            del self._sessions[found]
            return None
        self._sessions[found] = one._replace(seen_s=now_s)
        return one.who

    def log_out(self, session: str) -> None:
        """End a session."""
        self._sessions.pop(hash_of(session), None)
