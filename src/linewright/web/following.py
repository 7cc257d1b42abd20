"""A line as its journal has it: records are read as they come, and done again."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import NamedTuple

import numpy as np

from linewright import tables as t
from linewright.control.begun import Begun
from linewright.control.controller import redo
from linewright.control.core import Core
from linewright.control.journal import Stored
from linewright.control.openings import laid_out
from linewright.control.places import Place, place_of
from linewright.control.reading import open_reader
from linewright.model.line import Line
from linewright.web.quality import QualityLog
from linewright.web.spans import Spans, sums_at, week_start_us

__all__ = ["Follower", "Happening"]

_YEAR_US = 366 * 86_400_000_000
_MOST_AT_ONCE = 2_000
_N_HAPPENINGS = 60
_MOST_BEGUN = 4_000
_TOLD = {
    t.T_EXIT: "finished",
    t.T_SCRAP: "scrapped",
    t.T_REWORK: "sent to rework",
    t.T_LOST: "lost",
}


class Happening(NamedTuple):
    """Something worth telling: a unit's end, a failure, a refusal.

    Attributes:
        seq: Record of the journal.
        part: Which one of the record.
        at_us: When.
        what: What happened.
        product: Product of the unit, or empty.
        serial: Its number, or -1.
        place: Where, or what it is about.
    """

    seq: int
    part: int
    at_us: int
    what: str
    product: str
    serial: int
    place: str


class Follower:
    """The state of a line that another process runs; see the module's head.

    It begins at a snapshot from before the current week where there is one, else at the
    first record: what is shown of a week needs the sums at its start.

    Args:
        place: The journal, a file or an address.

    Attributes:
        place: The journal.
        name: What to call it.
        stem: The same in short.
        line: The line, as the journal has it.
        core: Its state.
        next_seq: Number of the record that is read next.
        lowered: The line, laid out, with the orders of its model.
        horizon_us: How far the line is laid out, microseconds from its start.
        since_us: Since when each server is in its mode; -1 if since before that.
        happenings: What was worth telling lately.
        spans: Sums at the start of shift, day and week.
        quality: What was measured and judged lately.
        begun: What was begun lately, of a line that follows a schedule.

    Raises:
        JournalError: It is no journal, was changed, or leads elsewhere with this
            version.
    """

    def __init__(self, place: str | os.PathLike[str] | Place) -> None:
        self.place = place_of(place)
        self._reader = open_reader(self.place)
        if isinstance(self.place, Path):
            self.name, self.stem = self.place.name, self.place.stem
        else:
            self.name, self.stem = self._reader.name, self.place.schema
        self._written_s = 0.0
        self.opening = self._reader.opening
        self.line = Line.model_validate(self.opening.model)
        self._begin()
        while self.poll():
            pass

    def _begin(self) -> None:
        last_us = self._reader.last_us()
        self.horizon_us = max(self.line.study.horizon, last_us) + _YEAR_US
        self.lowered = laid_out(
            self.line, self.horizon_us, follows=self.opening.follows
        )
        self.core = Core(self.lowered, self.opening.seed)
        self.next_seq, begun_us = 0, -1
        snapshot = self._reader.snapshot_before(week_start_us(self.line, last_us))
        if snapshot is not None:
            mine = {name: snapshot.arrays[name] for name in t.State._fields}
            self.core.restore(snapshot.notes, mine)
            self.next_seq, begun_us = snapshot.seq, self.core.now_us
        n_servers = len(self.core.devices.servers)
        self.since_us = np.full(n_servers, 0 if snapshot is None else -1)
        self.happenings: deque[Happening] = deque(maxlen=_N_HAPPENINGS)
        self.spans = Spans(self.line, begun_us)
        self.quality = QualityLog(self.line, self.core)
        self.begun = (
            None if self.core.by_schedule is None else Begun(self.core, _MOST_BEGUN)
        )
        if snapshot is None:
            self.spans.begin(sums_at(self.core.state, 0))

    def poll(self) -> int:
        """Read what is new; return how many records that was.

        Raises:
            JournalError: The journal was changed, or leads elsewhere with this version.
        """
        n = 0
        for stored in self._reader.read(self.next_seq):
            if stored.record.at_us > self.horizon_us:
                self._begin()  # calendars have to be laid out further
                return 1
            self._take(stored)
            n += 1
            if n >= _MOST_AT_ONCE:
                break
        if n or not self._written_s:
            self._written_s = self._reader.written_s()
        return n

    def _take(self, stored: Stored) -> None:
        record = stored.record
        if record.at_us >= self.spans.next_us:
            self.spans.pass_to(record.at_us, self.core.state)
        redo(self.core, record, stored.seq)
        if self.begun is not None:
            self.begun.take(record)
        self.next_seq = stored.seq + 1
        self.quality.take(record, self.core)
        names = self.core.lowered.names
        for i, (kind, row, product, serial, *_) in enumerate(record.rows):
            if kind == t.T_MODE:
                self.since_us[row] = record.at_us
            elif kind in _TOLD and product >= 0:
                place = names.stations[row] if 0 <= row < len(names.stations) else ""
                self._tell(
                    stored, i, _TOLD[kind], names.products[product], serial, place
                )
        if record.kind == "failure":
            self._tell(stored, -1, "failed", "", -1, str(record.body["subject"]))
        elif record.kind == "refused":
            self._tell(stored, -1, "refused", "", -1, str(record.body["subject"]))
        elif record.kind in {"request", "declined"}:
            what = "asked" if record.kind == "request" else "asked and refused"
            text = f"{record.body['by']}: {record.body['text']}"
            self._tell(stored, -1, what, "", -1, text)

    def _tell(
        self, stored: Stored, i: int, what: str, product: str, serial: int, place: str
    ) -> None:
        self.happenings.append(
            Happening(stored.seq, i, stored.record.at_us, what, product, serial, place)
        )

    def written_s(self) -> float:
        """Return when the journal's last record was written, seconds since 1970."""
        return self._written_s

    def close(self) -> None:
        """Close the journal."""
        self._reader.close()
