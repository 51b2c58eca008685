"""Turns: many small pieces of work are done a few at a time, and in between the loop hears who else has something.

An event loop looks at its sockets only after it has run all that is ready. When a batch is answered, dozens of callers
are told and dozens of new requests read, for milliseconds in which a database that has answered the next batch waits
to be heard. What takes turns here is put off instead.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

AT_ONCE = 8
"""Pieces of work between two looks at the sockets."""


class Turns:
    """Pieces of work, done in the order in which they came; made where the loop runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Callable[[Any], object], Any]] = deque()
        self._left = AT_ONCE  # of this round of the loop

    def give(self, do: Callable[[Any], object], what: Any) -> None:
        """Call `do(what)` when its turn has come, which may be now. It must not raise."""
        if self._left and not self._waiting:
            self._took()
            do(what)
        else:
            self._waiting.append((do, what))

    async def mine(self) -> None:
        """Return when the caller's turn has come."""
        if self._left and not self._waiting:
            self._took()
            return
        turn = self._loop.create_future()
        self._waiting.append((_come, turn))
        await turn

    def _took(self) -> None:
        if self._left == AT_ONCE:
            self._loop.call_soon(self._round)
        self._left -= 1

    def _round(self) -> None:
        self._left = AT_ONCE
        while self._left and self._waiting:
            do, what = self._waiting.popleft()
            self._took()
            do(what)


def _come(turn: asyncio.Future[None]) -> None:
    if not turn.done():  # its caller may have gone
        turn.set_result(None)
