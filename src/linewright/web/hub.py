"""Which item changed when: whoever has seen one record gets all that changed since.

Nothing waits in a queue. A viewer is a number, the version that it has seen last; what
it is sent is made from the newest items and that number. So a slow viewer skips what is
out of date, a hundred viewers cost little more than one, and a stream that was cut for
an hour goes on as one that was cut for a second.
"""

from __future__ import annotations

import json

from linewright.web.viewing import Items

__all__ = ["Hub"]

_KEPT = 64


class Hub:
    """The newest items, each with the version and the record that changed it last.

    Attributes:
        seq: Number of the last record that is shown.
        version: How often something was shown; several may be of one record.
    """

    def __init__(self) -> None:
        self.seq = -1
        self.version = 0
        self._items: Items = {}
        self._changed: dict[str, tuple[int, int]] = {}
        self._made: dict[int, str] = {}

    def show(self, seq: int, items: Items) -> None:
        """Take the items as they are after a record; those that are gone become null.

        Args:
            seq: The record's number; never less than before.
            items: All items of some kinds, the first words of the keys: those of other
                kinds stay as they were. A kind of which there is none now has one of
                null, such as ``held/``.
        """
        kinds = {_kind(key) for key in items}
        gone = [key for key in self._items if key not in items and _kind(key) in kinds]
        version = self.version + 1
        for key, value in [*items.items(), *((key, None) for key in gone)]:
            if self._items.get(key) != value:  # one that never was is gone already
                self._items[key] = value
                self._changed[key] = version, seq
        self.seq, self.version, self._made = seq, version, {}

    def since(self, version: int) -> str:
        """Return what changed after a version, as JSON; all of it after version 0."""
        made = self._made
        text = made.get(version)
        if text is None:
            changed = self._changed
            items = {k: v for k, v in self._items.items() if changed[k][0] > version}
            text = self._text(items, is_whole=version <= 0)
            if len(made) < _KEPT:
                made[version] = text
        return text

    def resumed(self, seq: int) -> str:
        """Return what changed since a record was seen, as JSON.

        The record's own changes are among it: some are shown a little later. A number
        that no record of this journal has, such as -1, gets everything.
        """
        if not 0 <= seq <= self.seq:
            return self.since(0)
        changed = self._changed
        items = {k: v for k, v in self._items.items() if changed[k][1] >= seq}
        return self._text(items, is_whole=False)

    def _text(self, items: Items, *, is_whole: bool) -> str:
        if is_whole:
            items = {key: value for key, value in items.items() if value is not None}
        about = {"seq": self.seq, "whole": is_whole, "items": items}
        return json.dumps(about, separators=(",", ":"), ensure_ascii=False)


def _kind(key: str) -> str:
    return key.partition("/")[0]
