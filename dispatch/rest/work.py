"""Blocking work of the REST service, kept off its event loop: few threads, and a bound on what waits for them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dispatch.rest.problems import Refused

T = TypeVar("T")


class Work:
    """`threads` at once, `waiting_max` in all; one more is refused with 503. Belongs to one event loop."""

    def __init__(self, name: str, threads: int, waiting_max: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._max = waiting_max
        self._now = 0

    async def do(self, fn: Callable[[], T]) -> T:
        """Run `fn` in a thread and give its result, or raise what it raises. Raises Refused (busy)."""
        if self._now >= self._max:
            raise Refused("busy", f"{self._max} requests are being answered already", retry_s=1)
        self._now += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, fn)
        finally:
            self._now -= 1

    def close(self) -> None:
        """Wait for what runs; what has not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)
