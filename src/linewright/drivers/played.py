"""Machines that are played in the same process, in real time: a way without a wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from linewright.control.links import Message
from linewright.control.plant import Plant, RestartedError
from linewright.drivers.running import NoAnswerError

__all__ = ["Played", "play"]

_LONGEST_WAIT_S = 0.5


async def play(
    plant: Plant,
    now_us: Callable[[], int],
    speed: float,
    on_change: Callable[[set[str]], None],
    came: asyncio.Event,
) -> None:
    """Let a plant go on with the time, until this is cancelled.

    Args:
        plant: The plant.
        now_us: The plant's time.
        speed: Its seconds in a second.
        on_change: Told the devices with something new.
        came: Set by whoever asked the plant something, which may change what is next.
    """
    while True:
        came.clear()
        plant.advance(now_us())
        changed, plant.changed = plant.changed, set()
        if changed:
            on_change(changed)
        next_us = plant.next_us()
        wait_s = _LONGEST_WAIT_S
        if next_us is not None:
            wait_s = min(max(next_us - now_us(), 0) / 1e6 / speed, wait_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await came.wait()


class Played:
    """A way to a plant in this process.

    Args:
        plant: The plant.
        now_us: Its time.
        speed: Its seconds in a second.
    """

    def __init__(self, plant: Plant, now_us: Callable[[], int], speed: float) -> None:
        self._plant, self._now_us, self._speed = plant, now_us, speed
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self, call: Callable[[str], None]) -> None:
        """Let the plant go on."""

        def changed(devices: set[str]) -> None:
            for device in sorted(devices):
                call(device)

        playing = play(self._plant, self._now_us, self._speed, changed, self._came)
        self._task = asyncio.create_task(playing)

    def has_guard(self, device: str) -> bool:
        """Say that units carry what was done to them."""
        return device in self._plant.machines

    async def send(self, device: str, message: Message) -> Any:
        """Return what a machine answers."""
        try:
            return self._plant.answer(device, message, self._now_us())
        except RestartedError as error:
            msg = "it has started again"
            raise NoAnswerError(msg) from error
        except ValueError as error:
            raise NoAnswerError(str(error)) from error
        finally:
            self._came.set()

    async def close(self) -> None:
        """Stop the plant."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
