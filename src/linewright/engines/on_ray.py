"""Replications on a Ray cluster: the optional extra `ray`.

The task, with the line as the kernel reads it, is put into the cluster once; chunks of
numbers are tasks. A chunk whose worker dies is run again by Ray, and gives the same
answers, because they depend on the numbers alone. What the task raises is no loss of a
worker: it is raised here and not tried again.

Without an address in ``RAY_ADDRESS`` a cluster of this machine is started and stopped.
Ray's usage statistics are switched off.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from linewright.engines.seam import EngineError, Executor

__all__ = ["OnRay", "ray_engine"]

_PER_WORKER = 4  # chunks of a worker: the last ones end at about the same time
_MOST = 64  # numbers of a chunk: what is lost with a worker, and waits to be handed on
_RETRIES = 3
_Numbers = Sequence[int]


@contextmanager
def ray_engine(workers: int | None = None) -> Iterator[OnRay]:
    """Connect to a cluster, or start one on this machine, and leave it afterwards.

    Args:
        workers: Workers of a cluster that is started; all cores by default. A cluster
            that is there has its own number.

    Raises:
        EngineError: Ray is not installed, there is no cluster at ``RAY_ADDRESS``, or
            none that could be started in time.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray  # noqa: PLC0415 - optional, and slow to import
    except ImportError as error:
        msg = "the engine ray needs the package ray: pip install 'linewright[ray]'"
        raise EngineError(msg) from error
    there = os.environ.get("RAY_ADDRESS")
    own = {"num_cpus": workers or os.cpu_count() or 1, "include_dashboard": False}
    try:
        ray.init(log_to_driver=False, logging_level="error", **({} if there else own))
    except Exception as error:  # what does not start in time is told with a bare one
        ray.shutdown()
        where = f"at {there}" if there else "on this machine"
        msg = f"no Ray cluster {where}: {error}"
        raise EngineError(msg) from error
    try:
        yield OnRay(ray)
    finally:
        ray.shutdown()


class OnRay:
    """A Ray cluster as an engine.

    Args:
        ray: The package, connected to a cluster.
    """

    def __init__(self, ray: ModuleType) -> None:
        self._ray = ray
        self._n_workers = max(1, int(ray.cluster_resources().get("CPU", 1)))

    def open(self, task: Callable[[int], Any], n: int) -> Executor:
        """Return an executor on the cluster."""
        del n
        return _Executor(self._ray, task, 2 * self._n_workers)

    def chunk(self, n: int) -> int:
        """Return a size with which every worker gets some chunks."""
        return min(_MOST, -(-n // (_PER_WORKER * self._n_workers)))


class _Executor:
    def __init__(
        self, ray: ModuleType, task: Callable[[int], Any], n_at_once: int
    ) -> None:
        self.n_at_once = n_at_once
        self._ray = ray
        self._run = ray.remote(max_retries=_RETRIES, num_cpus=1)(_run)
        self._task = ray.put(task)
        self._begun: dict[Any, _Numbers] = {}

    def submit(self, numbers: _Numbers) -> None:
        self._begun[self._run.remote(self._task, list(numbers))] = numbers

    def collect(self) -> tuple[_Numbers, list[Any]]:
        errors = self._ray.exceptions
        (ready,), _ = self._ray.wait(list(self._begun), num_returns=1)
        numbers = self._begun.pop(ready)
        try:
            return numbers, self._ray.get(ready)
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.RayError as error:
            msg = (
                f"the cluster lost replications {numbers[0]} to {numbers[-1]} in "
                f"{_RETRIES + 1} attempts: {error}"
            )
            raise EngineError(msg) from error

    def cancel(self) -> None:
        for reference in self._begun:
            self._ray.cancel(reference, force=False)
        self._begun.clear()


def _run(task: Callable[[int], Any], numbers: list[int]) -> list[Any]:
    return [task(number) for number in numbers]
