"""Who guesses passwords has to wait, and longer each time.

Three rules, so that a guesser gets nowhere and shuts out nobody else: who tries one
name from one address waits twice as long after each failure; an address with many
failures waits, whatever names it tries; and a name that many have tried in vain waits,
wherever they are. Times are arguments, seconds of a clock that only goes forward.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

__all__ = ["Slowing"]

_FREE = 3  # failures of a name from an address that cost nothing
_LONGEST_S = 900.0
_FORGET_S = 24 * 3600.0
_OF_ADDRESS, _OF_ADDRESS_S = 30, 600.0
_OF_NAME, _OF_NAME_S = 100, 3600.0  # OWASP ASVS: at most 100 an hour
_MOST = 10_000  # of each kind that are remembered, the latest


class _Often:
    """Failures of one kind by key: too many in a span of time have to wait."""

    def __init__(self, most: int, span_s: float) -> None:
        self._most, self._span_s = most, span_s
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, key: str, now_s: float) -> float:
        """Return how long to wait, seconds; 0 for not at all."""
        times = self._failures.get(key)
        if times is None or len(times) < self._most:
            return 0.0
        return max(times[0] + self._span_s - now_s, 0.0)

    def failed(self, key: str, now_s: float) -> None:
        """Note a failure."""
        times = self._failures.setdefault(key, deque(maxlen=self._most))
        times.append(now_s)
        _keep(self._failures, key)


class Slowing:
    """How long somebody who logs in has to wait; see the module's head."""

    def __init__(self) -> None:
        self._in_turn: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self._of_address = _Often(_OF_ADDRESS, _OF_ADDRESS_S)
        self._of_name = _Often(_OF_NAME, _OF_NAME_S)

    def wait_s(self, name: str, address: str, now_s: float) -> float:
        """Return how long to wait before a password is looked at, seconds.

        Args:
            name: The name that is tried, whether or not it is there.
            address: From where.
            now_s: The time.
        """
        n, last_s = self._in_turn.get((name, address), (0, 0.0))
        in_turn_s = 0.0
        if n > _FREE and now_s - last_s < _FORGET_S:
            pause_s = min(2.0 ** (n - _FREE - 1), _LONGEST_S)
            in_turn_s = max(last_s + pause_s - now_s, 0.0)
        return max(
            in_turn_s,
            self._of_address.wait_s(address, now_s),
            self._of_name.wait_s(name, now_s),
        )

    def failed(self, name: str, address: str, now_s: float) -> None:
        """Note a wrong password, or a name that is not there."""
        key = name, address
        n, last_s = self._in_turn.get(key, (0, now_s))
        n = 0 if now_s - last_s >= _FORGET_S else min(n, 1_000)
        self._in_turn[key] = n + 1, now_s
        _keep(self._in_turn, key)
        self._of_address.failed(address, now_s)
        self._of_name.failed(name, now_s)

    def succeeded(self, name: str, address: str) -> None:
        """Note a right password: who was slowed there goes on at once."""
        self._in_turn.pop((name, address), None)


def _keep(found: OrderedDict[Any, Any], key: Any) -> None:
    """Let a key be the latest one, and forget the oldest beyond a number."""
    found.move_to_end(key)
    if len(found) > _MOST:
        found.popitem(last=False)
