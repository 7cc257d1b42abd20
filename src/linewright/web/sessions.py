"""Who may look: tokens that work once, and the sessions that they are exchanged for.

Times are arguments, seconds of a clock that only goes forward. Of tokens and sessions
only hashes are kept.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import deque

__all__ = ["IDLE_S", "LONGEST_S", "Sessions"]

IDLE_S = 12 * 3600.0
LONGEST_S = 7 * 24 * 3600.0
_N_FAILURES, _FAILURES_S = 10, 60.0


class Sessions:
    """Viewers, from their first token to the end of their session.

    Args:
        n_tokens: How many viewers can log in.

    Attributes:
        tokens: The tokens, until they have been told; see `told`.
    """

    def __init__(self, n_tokens: int) -> None:
        self.tokens = [secrets.token_urlsafe(24) for _ in range(n_tokens)]
        self._unused = {_hash(token) for token in self.tokens}
        self._sessions: dict[bytes, tuple[float, float]] = {}
        self._failures: deque[float] = deque(maxlen=_N_FAILURES)

    def told(self) -> list[str]:
        """Return the tokens, and forget them."""
        tokens, self.tokens = self.tokens, []
        return tokens

    def has_to_wait(self, now_s: float) -> bool:
        """Say whether too many have tried lately with what is no token."""
        is_full = len(self._failures) == _N_FAILURES
        return is_full and now_s - self._failures[0] < _FAILURES_S

    def log_in(self, token: str, now_s: float) -> str | None:
        """Return a new session for a token that nobody has used, else None."""
        found = _hash(token)
        if found not in self._unused:
            self._failures.append(now_s)
            return None
        self._unused.remove(found)
        session = secrets.token_urlsafe(32)
        self._sessions[_hash(session)] = (now_s, now_s)
        return session

    def knows(self, session: str, now_s: float) -> bool:
        """Say whether a session is one, and let it live on."""
        found = _hash(session)
        begun_s, seen_s = self._sessions.get(found, (-LONGEST_S, -IDLE_S))
        if now_s - begun_s >= LONGEST_S or now_s - seen_s >= IDLE_S:
            self._sessions.pop(found, None)
            return False
        self._sessions[found] = (begun_s, now_s)
        return True

    def log_out(self, session: str) -> None:
        """End a session."""
        self._sessions.pop(_hash(session), None)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
