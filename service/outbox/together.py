"""No storms: pages to one person within two minutes for one issue are one message that lists them.

A page that has an issue key waits a moment for others. What comes after it within two minutes is written into its
message where the channel can do that, else it is told when they are over, in one message again. Each page stays a row
of its own, with its own outcome: a message that tells of several is handed over under the id of the first of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import asyncpg
from msgspec import Struct

import sql
from service.channels.letter import Letter, Together

GATHERS = timedelta(seconds=1)
"""For how long a page waits for others, by the real clock."""
WITHIN = timedelta(minutes=2)
"""For how long after a message others are not told by another one."""
MOST = 100
"""Pages in one message."""
OPEN = sql.query("outbox.open_message")


class Bundle(Struct, frozen=True):
    """Letters that go as one message. `before` are the rows of those that are in it already; it is there as `amends`,
    and `told_in` is the first of it."""

    letters: tuple[Letter, ...]
    before: tuple[int, ...] = ()
    amends: str | None = None
    told_in: int | None = None

    @property
    def leader(self) -> Letter:
        """The letter under whose id it goes."""
        return self.letters[0]


async def bundled(pool: asyncpg.Pool, letters: Iterable[Letter], how: Together) -> list[Bundle]:
    """The messages that these letters are, in their order."""
    found: dict[object, list[Letter]] = {}
    for letter in letters:
        found.setdefault(letter.id if letter.together is None else (letter.recipient, letter.together), []).append(
            letter
        )
    bundles = list[Bundle]()
    for several in found.values():
        bundle = Bundle(tuple(several))
        if several[0].together is not None:
            bundle = await _opened(pool, bundle, how)
        bundles += _cut(bundle)
    return bundles


async def _opened(pool: asyncpg.Pool, bundle: Bundle, how: Together) -> Bundle:
    """Into the message that is there, if there is one that may still be written into."""
    first = bundle.leader
    new = Bundle(bundle.letters, told_in=first.id)
    if how != "amended":
        return new
    rows = await pool.fetch(OPEN, first.target, first.recipient, first.together, WITHIN)
    mine = {letter.id for letter in bundle.letters}
    before = tuple(row["id"] for row in rows if row["id"] not in mine)
    if not before or len(before) + len(mine) > MOST:
        return new
    return Bundle(bundle.letters, before, rows[0]["receipt"], rows[0]["told_in"])


def _cut(bundle: Bundle) -> Iterable[Bundle]:
    """No message tells of more than so many."""
    if len(bundle.letters) <= MOST:
        return (bundle,)
    parts = (bundle.letters[start : start + MOST] for start in range(0, len(bundle.letters), MOST))
    return (Bundle(part, told_in=part[0].id) for part in parts)
