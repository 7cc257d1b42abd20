"""What a log shows of queues: how long they were, and who was served next.

The largest queue seen is a bound: there were places for so many. Who was served next is
a choice wherever more than one waited. A rule is believed where nine in ten choices and
more are surely as it would have them; first in, first out is asked first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewright.fit.log import UNKNOWN, Floats, Ints
from linewright.fit.visits import Visits
from linewright.stats.intervals import wilson_interval

__all__ = ["CANNOT_TELL", "NO_RULE", "QueueSeen", "came_before", "queue_at"]

FIFO, SHORTEST, SAME = "fifo", "shortest_processing_time", "least_setup"
NO_RULE, CANNOT_TELL = "no rule that is known", "cannot tell"

_MOST = 1_000  # choices that are looked at, spread evenly over the log
_FEW = 30
_SURE = 0.9


@dataclass(frozen=True, slots=True)
class QueueSeen:
    """The queue of a station.

    Attributes:
        most: Most parts that waited at once.
        mean: Mean number of them, over time.
        at_most: Share of the time with `most` of them.
        is_said: Whether the log says when parts came; else they are counted from the
            end of the work before, and ways are part of the wait.
        rule: ``fifo``, ``shortest_processing_time``, ``least_setup``, `NO_RULE` or
            `CANNOT_TELL`.
        n_choices: Choices among several that waited.
        share: Share of them that are as by the rule; of ``fifo`` where there is none.
        share_low: Interval of that share, 95 %.
        share_high: Its upper end.
    """

    most: int
    mean: float
    at_most: float
    is_said: bool
    rule: str
    n_choices: int
    share: float
    share_low: float
    share_high: float

    def __str__(self) -> str:
        """Return it for a comment."""
        since = "" if self.is_said else ", on their way to it among them"
        text = f"at most {self.most} waited for it{since}"
        if not self.n_choices:
            return text
        shown = f"{self.share:.0%} of {self.n_choices:,} choices"
        if self.rule in {NO_RULE, CANNOT_TELL}:
            return f"{text}; first in, first out in {shown}: {self.rule}"
        return f"{text}; {self.rule} in {shown}"


def came_before(v: Visits) -> Ints:
    """Return when each visit may have begun to wait: as said, else the work before."""
    follows = np.append(False, v.case[1:] == v.case[:-1])
    before = np.append(0, v.end_us[:-1])
    ready = np.where(follows, np.minimum(before, v.start_us), v.start_us)
    return np.where(v.queued_us == UNKNOWN, ready, v.queued_us)


def queue_at(v: Visits, visits: Ints, came_us: Ints, group: Ints) -> QueueSeen:
    """Return what was seen of the queue of a station.

    Args:
        v: Visits.
        visits: Those at the station, one or more.
        came_us: When each visit of the log may have begun to wait (`came_before`).
        group: For each visit of the log, a number for its operation and product.
    """
    most, mean, at_most = _levels(came_us[visits], v.start_us[visits])
    said = visits[v.queued_us[visits] != UNKNOWN]
    is_said = len(said) == len(visits)
    rule, n, share, low, high = CANNOT_TELL, 0, np.nan, np.nan, np.nan
    if len(said):
        counts = _counted(
            v.queued_us[said], v.start_us[said], group[said], v.work_s[said]
        )
        rule, n, share, low, high = _judged(counts)
    return QueueSeen(most, mean, at_most, is_said, rule, n, share, low, high)


def _levels(came_us: Ints, start_us: Ints) -> tuple[int, float, float]:
    """Return the largest queue, the mean one, and the time share of the largest."""
    waits = start_us > came_us
    at = np.concatenate(
        [start_us[waits], came_us[waits]]
    )  # of an instant, starts first
    if not len(at):
        return 0, 0.0, 1.0
    step = np.repeat([-1, 1], int(waits.sum()))
    order = np.argsort(at, kind="stable")
    level = np.cumsum(step[order])[:-1]
    length = np.diff(at[order]).astype(float)
    level, length = level[length > 0], length[length > 0]
    span = float(max(start_us.max() - came_us.min(), 1))
    most = int(level.max(initial=0))
    return most, float(level @ length) / span, float(length[level == most].sum()) / span


def _counted(
    queued_us: Ints, start_us: Ints, group: Ints, work_s: Floats
) -> dict[str, tuple[int, int]]:
    """Return for each rule how many choices are as by it, and how many it decides."""
    order = np.lexsort((queued_us, start_us))
    queued_us, start_us, group = queued_us[order], start_us[order], group[order]
    known, kind = np.unique(group, return_inverse=True)
    mean_s = np.bincount(kind, work_s[order]) / np.bincount(kind, minlength=len(known))
    by_queue = np.argsort(queued_us, kind="stable")
    came = queued_us[by_queue]
    others = np.searchsorted(came, start_us, "right")
    others -= np.searchsorted(start_us, start_us, "right")
    chosen = np.flatnonzero(others > 0)
    if len(chosen) > _MOST:
        chosen = chosen[np.linspace(0, len(chosen) - 1, _MOST).astype(int)]
    longest = int((start_us - queued_us).max())
    counts = {FIFO: [0, 0], SHORTEST: [0, 0], SAME: [0, 0]}

    def count(rule: str, *, is_right: bool) -> None:
        counts[rule][0] += is_right
        counts[rule][1] += 1

    for i in chosen.tolist():
        now = start_us[i]
        first = int(np.searchsorted(came, now - longest, "left"))
        last = int(np.searchsorted(came, now, "right"))
        waiting = by_queue[first:last]
        waiting = waiting[start_us[waiting] > now]  # beside the one that was chosen
        count(FIFO, is_right=bool(queued_us[i] <= queued_us[waiting].min()))
        means = mean_s[kind[waiting]]
        own = mean_s[kind[i]]
        if np.append(means, own).max() > 1.02 * np.append(means, own).min():
            count(SHORTEST, is_right=bool(own <= means.min()))
        if i:
            same, is_own = kind[waiting] == kind[i - 1], kind[i] == kind[i - 1]
            if (same.any() or is_own) and not (same.all() and is_own):
                count(SAME, is_right=bool(is_own))
    return {rule: (right, n) for rule, (right, n) in counts.items()}


def _judged(
    counts: dict[str, tuple[int, int]],
) -> tuple[str, int, float, float, float]:
    found = {
        rule: (n, wilson_interval(right, n)) for rule, (right, n) in counts.items() if n
    }
    if FIFO not in found:
        return CANNOT_TELL, 0, np.nan, np.nan, np.nan
    for rule, (n, share) in found.items():
        if n >= _FEW and share.low >= _SURE:
            return rule, n, share.mean, share.low, share.high
    n, share = found[FIFO]
    said = NO_RULE if n >= _FEW and share.high < _SURE else CANNOT_TELL
    return said, n, share.mean, share.low, share.high
