"""What the page shows of drift, and the process that finds it out.

The process is asked for a look when the line has gone on, and not sooner than some time
after the last one, which is longer where looks take long: at most a sixth of one core
goes into it, at a low priority. Whatever becomes of that process, the page goes on.
"""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from linewright.control.places import PgPlace, Place
from linewright.web.viewing import Items

__all__ = ["DriftWatch"]

_PAUSE = 5.0  # times as long as the look took
_LEAST_PAUSE_S = 5.0
_AFTER_PROBLEM_S = 60.0


class DriftWatch:
    """The process that looks for drift, as the page asks it.

    Args:
        place: The journal.
        n_fitted: How many times the inputs of a station rest on, by its name; none: the
            model is taken as known.
        clock_s: A clock that only goes forward, seconds.

    Attributes:
        proposal: What is proposed, as `web.drift` says it, or none.
    """

    def __init__(
        self, place: Place, n_fitted: dict[str, int], clock_s: Callable[[], float]
    ) -> None:
        self._place, self._n_fitted, self._clock_s = place, n_fitted, clock_s
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        self._seq, self._again_s = -1, -math.inf
        self.proposal: dict[str, Any] | None = None

    def is_due(self, seq: int) -> bool:
        """Say whether it is time for a look.

        Args:
            seq: Number of the record that the page has read last.
        """
        return seq != self._seq and self._clock_s() >= self._again_s

    def look(self, seq: int, tell: Callable[[Items], None]) -> None:
        """Ask for a look, and tell of what is found, as it comes.

        Args:
            seq: As of `is_due`.
            tell: Told items of the page; several times where something drifts.
        """
        begun_s, self._seq = self._clock_s(), seq
        problem = ""
        try:
            for answer in self._answers():
                problem = answer["problem"]
                if problem:
                    break
                self.proposal = answer["proposal"]
                tell(_items(answer))
        except (OSError, ValueError) as error:  # it is gone, or was never there
            problem = str(error) or type(error).__name__
        if problem and not self._is_closed:
            self._seq = -1  # it is tried again, also where nothing new comes
            tell({"drift": {"problem": problem}})
        now_s = self._clock_s()
        pause_s = max(_LEAST_PAUSE_S, _PAUSE * (now_s - begun_s))
        self._again_s = now_s + (_AFTER_PROBLEM_S if problem else pause_s)

    def _answers(self) -> Any:
        """Yield the answers to one look.

        Raises:
            OSError: The process is gone.
            ValueError: It said what is no answer.
        """
        try:
            process = self._asked()
        except OSError:  # it ended since the last look
            self._end()
            process = self._asked()
        assert process.stdout is not None
        is_more = True
        while is_more:
            text = process.stdout.readline()
            if not text:
                self._end()
                msg = f"the process that looks for drift ended ({process.returncode})"
                raise OSError(msg)
            answer = json.loads(text)
            is_more = answer["more"]
            yield answer

    def _asked(self) -> subprocess.Popen[str]:
        """Return the process, asked for a look.

        Raises:
            OSError: It ended meanwhile.
        """
        process = self._running()
        assert process.stdin is not None
        process.stdin.write("look\n")
        process.stdin.flush()
        return process

    def _running(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._is_closed:
                msg = "the page is closed"
                raise OSError(msg)
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "linewright.web.drift"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                )
                assert self._process.stdin is not None
                about = {"place": _text_of(self._place), "n_fitted": self._n_fitted}
                # by its input: an address with a password is shown by no list
                self._process.stdin.write(json.dumps(about) + "\n")
            return self._process

    def _end(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # what it was not told any more
                if pipe is not None:
                    pipe.close()

    def close(self) -> None:
        """End the process; a look that goes on ends without an answer."""
        self._is_closed = True
        self._end()


def _text_of(place: Place) -> str:
    if isinstance(place, PgPlace):
        return f"{place.address}#{place.schema}"
    return str(place)


def _items(answer: dict[str, Any]) -> Items:
    """Return the items of the page, of the kinds ``drift`` and ``drift_input``."""
    inputs = answer["inputs"]
    counts: dict[str, int] = {}
    for one in inputs:
        counts[one["verdict"]] = counts.get(one["verdict"], 0) + 1
    proposal = answer["proposal"]
    shown = None
    if proposal is not None:
        kept = ("overlay", "effect", "targets", "replications")
        shown = {key: proposal[key] for key in kept}
    items: Items = {
        "drift": {
            "problem": "",
            "since": answer["since"],
            "counts": counts,
            "proposal": shown,
            "is_working": answer["more"],
        }
    }
    items |= {f"drift_input/{i}": one for i, one in enumerate(inputs)}
    return items if inputs else items | {"drift_input/": None}
