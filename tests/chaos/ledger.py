"""What the clients know: each change that they asked for, every try at it, and what they were told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

Fate = Literal["acknowledged", "refused", "turned_away", "unknown"]
"""What a try came to. `turned_away`: nobody listened, or a 503 that says it did not happen; `unknown`: no answer, or a
503 that says so."""


@dataclass(eq=False)
class Change:
    """One change that a client wants. Its tries share the key and the request id."""

    who: str
    method: str
    path: str
    body: dict[str, Any]
    key: str = field(default_factory=lambda: uuid4().hex)
    tries: list[Fate] = field(default_factory=list)
    status: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    raw: bytes = b""
    settled: bool = False

    @property
    def keyed(self) -> bool:
        """Whether it carries an Idempotency-Key; a PUT is the same again without one."""
        return self.method == "POST"

    @property
    def fate(self) -> Fate:
        """What it came to in the end."""
        for fate in ("acknowledged", "refused", "unknown"):
            if fate in self.tries:
                return fate
        return "turned_away"


class Ledger:
    """All changes of all clients. `since(instant)` waits for the first acknowledged one that was sent after it."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.tries: Counter[Fate] = Counter()
        self.wrong: list[str] = []
        self._waiting: list[tuple[float, asyncio.Future[float]]] = []

    def open(self, change: Change) -> Change:
        """A client begins to ask for it."""
        self.changes.append(change)
        return change

    def tried(self, change: Change, fate: Fate, sent_at: float) -> None:
        """A try ended."""
        change.tries.append(fate)
        self.tries[fate] += 1
        if fate == "acknowledged":
            now = time.monotonic()
            for instant, heard in self._waiting:
                if sent_at >= instant and not heard.done():
                    heard.set_result(now)
            self._waiting = [(instant, heard) for instant, heard in self._waiting if not heard.done()]

    def complain(self, what: str) -> None:
        """A client was told something that can't be."""
        self.wrong.append(what)

    async def since(self, instant: float) -> float:
        """When the first change was acknowledged that was sent after this instant (monotonic seconds)."""
        heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append((instant, heard))
        return await heard

    def settled(self) -> list[Change]:
        """The changes that nobody tries any more."""
        return [change for change in self.changes if change.settled]
