"""The seam between what is run and where: submit a chunk, collect one, cancel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from linewright.errors import LinewrightError

__all__ = ["Engine", "EngineError", "Executor", "Threads", "in_order"]

Answer = TypeVar("Answer")
Task = Callable[[int], Any]
Numbers = Sequence[int]


class EngineError(LinewrightError):
    """An engine is not there, or lost what it cannot make again."""


class Executor(Protocol):
    """Runs one task for chunks of numbers.

    Attributes:
        n_at_once: Chunks that are worth having in flight.
    """

    n_at_once: int

    def submit(self, numbers: Numbers) -> None:
        """Begin with a chunk of numbers."""

    def collect(self) -> tuple[Numbers, list[Any]]:
        """Wait for a chunk that is done, any of them; return its numbers and answers.

        Raises what the task raised.
        """

    def cancel(self) -> None:
        """Give up all that is not collected."""


class Engine(Protocol):
    """Where tasks are run."""

    def open(self, task: Task, n: int) -> Executor:
        """Return an executor of a task that will be run for `n` numbers."""

    def chunk(self, n: int) -> int:
        """Return how many numbers go together, if there are `n`."""


def in_order(
    engine: Engine, task: Callable[[int], Answer], numbers: Numbers
) -> Iterator[Answer]:
    """Run a task for numbers and yield its answers in their order.

    Args:
        engine: Where.
        task: What to do for a number; on a cluster it is sent there with all it knows.
        numbers: The numbers, each once.
    """
    if not numbers:
        return
    size = engine.chunk(len(numbers))
    chunks = [numbers[i : i + size] for i in range(0, len(numbers), size)]
    executor = engine.open(task, len(numbers))
    done: dict[int, list[Answer]] = {}
    begun = 0
    try:
        for row, chunk in enumerate(chunks):
            # chunks that wait to be handed on count, too: memory stays bounded
            while begun < len(chunks) and begun - row < executor.n_at_once:
                executor.submit(chunks[begun])
                begun += 1
            while chunk[0] not in done:
                found, answers = executor.collect()
                done[found[0]] = answers
            yield from done.pop(chunk[0])
    finally:
        executor.cancel()


# ------------------------------------------------------------------ threads


class Threads:
    """Threads of this machine; the kernel holds no lock.

    Args:
        workers: How many; all cores by default.
        wait: Waits for an answer in a way of its own, such as one that tells of a rule
            that hangs.
    """

    def __init__(
        self,
        workers: int | None = None,
        wait: Callable[[Future[Any]], Any] | None = None,
    ) -> None:
        self._workers = workers or os.cpu_count() or 1
        self._wait = wait

    def open(self, task: Task, n: int) -> Executor:
        """Return an executor on threads."""
        return _OnThreads(task, max(1, min(self._workers, n)), self._wait)

    def chunk(self, n: int) -> int:
        """Return one: to hand a number to a thread costs next to nothing."""
        del n
        return 1


class _OnThreads:
    def __init__(
        self, task: Task, workers: int, wait: Callable[[Future[Any]], Any] | None
    ) -> None:
        self.n_at_once = 2 * workers
        self._task = task
        self._wait = wait
        self._pool = ThreadPoolExecutor(workers)
        self._begun: list[tuple[Numbers, Future[list[Any]]]] = []

    def submit(self, numbers: Numbers) -> None:
        self._begun.append((numbers, self._pool.submit(_run, self._task, numbers)))

    def collect(self) -> tuple[Numbers, list[Any]]:
        numbers, future = self._begun.pop(0)
        return numbers, self._wait(future) if self._wait else future.result()

    def cancel(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _run(task: Task, numbers: Numbers) -> list[Any]:
    return [task(number) for number in numbers]
