"""A lane: one target, with a few slots of its own, so that whatever it does to its letters holds up no other's.

A letter is leased by a commit, not by a lock: nothing is held in the database while a receiver takes its time. The
lease is short, and renewed while the letter is on its way; when a node dies, its letters are free when it has passed.
What came of a try is kept until it could be marked. Who dies between handing over and marking leaves a letter that is
handed over again, under the same id.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import asyncpg
import msgspec
import structlog
from msgspec.structs import replace

import sql
from service.channels import choose
from service.channels.letter import WITHIN, Channel, Later, Letter, Refused
from service.metrics import Metrics
from service.outbox.together import MOST, Bundle, bundled
from service.outbox.tries import Outcome, failed
from service.outbox.words import Words

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=4)
RENEWS_EVERY = 1.0
LOOKS_EVERY = 0.25
"""Seconds."""
AT_MOST = WITHIN + 1.0
"""Seconds after which a channel is cut off that did not keep to its own limit."""
PAUSES_AT_MOST = 60.0
"""Seconds for which a whole target is left alone because it asked for time; a letter may wait for longer."""
CLAIM, LETTERS, RENEW, MARK = (sql.query(f"outbox.{name}") for name in ("claim", "letters", "renew", "mark"))
PARK = sql.query("outbox.park")
_decode = msgspec.json.Decoder(Letter).decode
Tried = tuple[Letter, Outcome, int | None]
"""A letter, what came of it, and the row in whose message it was told."""


class Lane:
    """The loop of one node for one target. `channels` are all, to know who else could take a page."""

    def __init__(
        self,
        channel: Channel,
        pool: asyncpg.Pool,
        metrics: Metrics,
        channels: Sequence[Channel],
        words: Words,
        *,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.channel = channel
        self._pool, self._metrics, self._channels, self._words = pool, metrics, channels, words
        self._rng = rng or random.Random()  # noqa: S311  # jitter
        self._clock = clock
        self._flying: dict[asyncio.Task[list[Tried]], Bundle] = {}
        self._tried: list[Tried] = []
        self._not_before = 0.0
        self.wake = asyncio.Event()
        self._renewed = clock()

    async def run(self, unreachable: tuple[type[Exception], ...]) -> None:
        """Send what is due, until cancelled; then what is on its way is left to its lease."""
        try:
            while True:
                try:
                    found = await self.step()
                except unreachable as error:
                    log.warning("outbox_not_read", target=self.channel.name, error=type(error).__name__)
                    found = 0
                    await asyncio.sleep(1.0)
                except Exception:  # a lane that ends would end all others
                    log.exception("lane_failed", target=self.channel.name)
                    found = 0
                    await asyncio.sleep(1.0)
                if self._flying:
                    await asyncio.wait(self._flying, timeout=LOOKS_EVERY, return_when=asyncio.FIRST_COMPLETED)
                elif not found:
                    await self._rest()
        finally:
            for task in self._flying:
                task.cancel()

    async def _rest(self) -> None:
        """Until the router has something for this target; another node's router tells nobody, so not for long."""
        self.wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOKS_EVERY):
                await self.wake.wait()

    async def drain(self) -> int:
        """Send until nothing is due any more; how many tries that took. For tests, and for whoever waits for it."""
        tries = 0
        while found := await self.step():
            tries += found
            while self._flying:
                await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
                tries += await self.step()
        return tries

    async def step(self) -> int:
        """Mark what has ended, and begin what is due; how many letters that was."""
        ended = [task for task in self._flying if task.done()]
        for task in ended:
            del self._flying[task]
            self._tried += task.result()
        await self._mark()
        await self._renew()
        room = self.channel.slots - len(self._flying)
        if room <= 0 or self._clock() < self._not_before:
            return 0
        claimed = [row["id"] for row in await self._pool.fetch(CLAIM, self.channel.name, room, LEASE, MOST)]
        if not claimed:
            return 0
        for bundle in await bundled(self._pool, await self._letters(claimed), self.channel.together):
            letter = bundle.leader
            if len(bundle.letters) + len(bundle.before) > 1:
                told = (*await self._letters(bundle.before), *bundle.letters)
                letter = replace(self._words.together(letter, told), amends=bundle.amends)
            self._flying[asyncio.create_task(self._send(letter, bundle), name=f"send {letter.key}")] = bundle
        return len(claimed)

    async def _letters(self, rows: Sequence[int]) -> list[Letter]:
        """These rows, with what they say."""
        letters = []
        for row in await self._pool.fetch(LETTERS, rows) if rows else ():
            try:
                letters.append(_decode(row["letter"]))
            except msgspec.DecodeError as error:  # it must not come back, and hold up others, for ever
                log.error("letter_unreadable", row=row["id"], error=str(error))
                await self._pool.execute(PARK, row["id"], "its row can't be read")
        return await self._words.put(self._pool, letters)

    async def _send(self, message: Letter, bundle: Bundle) -> list[Tried]:
        """One try. Whatever a channel does, every letter that the message tells of gets an outcome."""
        began = self._clock()
        wrong: Exception | None = None
        try:
            async with asyncio.timeout(AT_MOST):
                receipt = await self.channel.send(message)
        except Exception as error:
            wrong, receipt = error, None
        took = self._clock() - began
        outcomes = [
            Outcome("delivered", receipt=receipt) if wrong is None else self._failed(letter, wrong)
            for letter in bundle.letters
        ]
        for letter, outcome in zip(bundle.letters, outcomes, strict=True):
            self._tell(letter, outcome, took)
        told_in = bundle.told_in
        return [(letter, outcome, told_in) for letter, outcome in zip(bundle.letters, outcomes, strict=True)]

    def _tell(self, letter: Letter, outcome: Outcome, took: float) -> None:
        self._metrics.sent(self.channel.kind, outcome.status, took)
        told = log.info if outcome.status == "delivered" else log.warning
        told(
            f"message_{'put_off' if outcome.status == 'planned' else outcome.status}",
            delivery=letter.key,
            escalation_id=letter.escalation_id,
            template=letter.template,
            target=letter.target,
            attempts=letter.attempts,
            error=outcome.error,
        )

    def _failed(self, letter: Letter, error: Exception) -> Outcome:
        if isinstance(error, TimeoutError):
            error = Later("no answer in time")
        elif not isinstance(error, Refused | Later):
            log.exception("channel_failed", target=letter.target, delivery=letter.key)
            error = Later(f"the channel failed: {type(error).__name__}")
        if isinstance(error, Later) and error.after:
            self._not_before = max(self._not_before, self._clock() + min(error.after, PAUSES_AT_MOST))
        passed = (*letter.passed, letter.target)
        another = letter.urgent and choose(self._channels, letter.address, passed) is not None
        return failed(letter, error, another, self._rng)

    async def _mark(self) -> None:
        if not self._tried:
            return
        told = self._tried
        rows = await self._pool.fetch(
            MARK,
            [letter.id for letter, *_ in told],
            [letter.attempts for letter, *_ in told],
            [outcome.status for _, outcome, _ in told],
            [letter.target for letter, *_ in told],
            [timedelta(seconds=outcome.wait) for _, outcome, _ in told],
            [outcome.error for _, outcome, _ in told],
            [outcome.receipt for _, outcome, _ in told],
            [told_in for *_, told_in in told],
        )
        self._tried = []  # only now: what could not be marked is marked at the next step
        for row in rows:
            self._metrics.delivered(self.channel.kind, row["took"])

    async def _renew(self) -> None:
        if not self._flying or self._clock() - self._renewed < RENEWS_EVERY:
            return
        letters = [letter for bundle in self._flying.values() for letter in bundle.letters]
        await self._pool.execute(RENEW, [each.id for each in letters], [each.attempts for each in letters], LEASE)
        self._renewed = self._clock()
