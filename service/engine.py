"""The engine: takes the commands that wait together, decides them, commits them. Its protocol, in seven sentences:

1. *Lock.* One lock, one order: the ticket's row. Missing tickets are made (sorted), all are locked ORDER BY id,
   skipping those locked elsewhere until a command's third try.
2. *Facts*, in a further statement after the locks, set-wise; role, level and revocation are among them, `now` too.
3. *Decide*, purely, a ticket's commands in arrival order, each on the state that the one before leaves.
4. *Write* set-wise, all rows of the batch in one statement.
5. *Commit* in a task of its own, so no cancelled caller cuts it short; each caller gets its own answer, and one
   refusal never fails a neighbour.
6. *Poison and unknown.* A batch that the database refuses is halved until the culprit stands alone; deadlocks and
   lost races retry it whole. If the connection dies in COMMIT, a new one locks the same tickets and looks for the
   commands: absent means not committed. If that fails too, the outcome is unknown, and said so.
7. *Fair.* At most 64 commands a batch, round robin over requests, bulk items and timers; two batches in flight, each
   on a connection of its own, the second once three eighths of a batch wait or the first takes long; a bounded queue;
   time limits that free the rows of a node that stopped.

It knows commands, facts, decisions and named queries, and nothing of escalations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import structlog

import sql
from machines.case import Mint
from service.asks import Wants, split, wants
from service.batch import Batch, Job, Policies, Reply, fail, read_batch, tell
from service.database import LOST
from service.lanes import BATCH, Lanes
from service.turns import Turns

log = structlog.get_logger(__name__)

ENOUGH, LONG = BATCH * 3 // 8, 0.05
"""Waiting commands, and seconds, with which a second batch begins beside the first. Two small ones cost both the
database and this process more than one, and finish later."""
BEGIN, COMMIT, ROLLBACK = (sql.query(f"engine.{name}") for name in ("begin", "commit", "rollback"))
COMMIT_AND_BEGIN, WRITE, COMMITTED = (sql.query(f"engine.{n}") for n in ("commit_and_begin", "write", "committed"))
LOCK, LOCK_WAITING = (sql.query(f"engine.{n}") for n in ("lock", "lock_waiting"))
RACES = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
BUSY = (asyncpg.QueryCanceledError, asyncpg.InsufficientResourcesError)


class Unavailable(Exception):  # noqa: N818  # what it says to callers
    """The command can't be decided now. `unknown`: its COMMIT could not be told, it may or may not have happened."""

    def __init__(self, why: str, *, unknown: bool = False) -> None:
        super().__init__(why)
        self.unknown = unknown


class KeyTaken(Exception):  # noqa: N818  # a lost race, not an error
    """Another batch was first with an idempotency key: decide again, on its stored answer."""


class Engine:
    """Decides and commits. `connect` opens a connection as the service's role; `policies` maps versions to policies;
    `first` says when a batch's transaction begins what must be decided in it, in which order, and from which number on
    history's rows are counted; `last` is told before it commits where they go on. Without them numbers are drawn.
    `inbox_only` is a fact that every command is decided by: no channel is set up. `arrives_at_once`: the inbox has each
    message as soon as it is planned, and no sender is asked."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        policies: Policies,
        mint: Mint,
        *,
        queue_limit: int,
        in_flight: int = 2,
        first: Callable[[asyncpg.Connection, list[Job]], Awaitable[tuple[list[Job], int]]] | None = None,
        last: Callable[[asyncpg.Connection, int], Awaitable[None]] | None = None,
        turns: Turns | None = None,
        inbox_only: bool = True,
        arrives_at_once: bool = False,
    ) -> None:
        self._connect = connect
        self.policies = policies
        self.mint = mint
        self.inbox_only, self.arrives_at_once = inbox_only, arrives_at_once
        self.first, self.last = first, last
        self._limit = queue_limit
        self._lanes = Lanes()
        self._young = set[Hand]()
        self.hand: type[Hand] = Hand
        self._wake = asyncio.Event()
        self._stopping = False
        self.turns = turns or Turns()
        self._workers = [asyncio.create_task(self._work(), name=f"engine-{n}") for n in range(in_flight)]

    async def submit(self, job: Job) -> Reply:
        """Have a command decided; raises Unavailable when the queue is full or the database can't be had."""
        if self._stopping or self._lanes.waiting >= self._limit:
            raise Unavailable("the service is stopping" if self._stopping else "too many commands wait already")
        self.put(job)
        return await job.reply

    async def stop(self) -> None:
        """Decide what waits, then end."""
        self._stopping = True
        self._wake.set()
        await asyncio.gather(*self._workers)

    def put(self, job: Job, *, first: bool = False) -> None:
        """Let a job wait; `first`: it waited before."""
        self._lanes.put(job, first=first)
        self._wake.set()

    @property
    def waiting(self) -> int:
        """How many commands wait for a batch."""
        return self._lanes.waiting

    def _may_begin(self) -> bool:
        return not self._young or self._lanes.waiting >= ENOUGH

    def _grown(self, hand: Hand) -> None:
        """A batch that takes long, or is done, holds up no other."""
        self._young.discard(hand)
        self._wake.set()

    async def _work(self) -> None:
        """One of the batches in flight, again and again, on a connection of its own."""
        hand = self.hand(self._connect, self)
        while True:
            jobs = self._lanes.take() if self._may_begin() else []
            if not jobs:
                if self._stopping and not self.waiting:
                    break
                if self._lanes.busy or not await hand.rest():
                    self._wake.clear()
                    await self._wake.wait()
                continue
            subjects = {job.subject for job in jobs}
            self._lanes.busy |= subjects
            self._young.add(hand)
            long = asyncio.get_running_loop().call_later(LONG, self._grown, hand)
            await hand.settle(jobs)
            long.cancel()
            self._lanes.busy -= subjects  # somebody may have stayed for these
            self._grown(hand)
        await hand.close()


class Hand:
    """One connection and what it is doing: sentences 1 and 4 to 6."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], engine: Engine) -> None:
        self._open = connect
        self._engine = engine
        self._conn: asyncpg.Connection | None = None
        self._begun = False

    async def rest(self) -> bool:
        """Leave the transaction that the last batch has begun for a next one that is not to be had; whether it had."""
        begun = self._begun
        if begun:
            await self._rollback()
        return begun

    async def settle(self, jobs: list[Job]) -> None:
        """Every job of the batch gets its answer, whatever happens."""
        try:
            await self._batch(jobs)
        except (*RACES, KeyTaken) as error:
            await self._again(jobs, error)
        except LOST as error:
            self._forget()
            await self._again(jobs, error)
        except asyncpg.LockNotAvailableError as error:
            fail([job for job in jobs if job.waits], Unavailable("the database is busy with these rows"))
            await self._again([job for job in jobs if not job.waits], error)
        except BUSY as error:
            await self._rollback()
            log.warning("batch_refused_for_now", error=str(error), commands=len(jobs))
            fail(jobs, Unavailable("the database is busy with these rows"))
        except Unavailable as error:
            self._forget()
            fail(jobs, error)
        except Exception as error:
            await self._rollback()
            if len(jobs) > 1:
                half = len(jobs) // 2
                await self.settle(jobs[:half])
                await self.settle(jobs[half:])
            elif jobs:
                log.exception("command_poisoned", command=jobs[0].command.id, request_id=jobs[0].command.request_id)
                fail(jobs, error)

    async def _again(self, jobs: list[Job], error: Exception) -> None:
        await self._rollback()
        log.info("batch_retried", error=type(error).__name__, commands=len(jobs))
        for job in jobs:
            job.tries += 1
        given_up = [job for job in jobs if job.tries > 5]
        fail(given_up, Unavailable(f"given up after five tries: {type(error).__name__}"))
        for job in reversed([job for job in jobs if job.tries <= 5]):
            self._engine.put(job, first=True)
        if isinstance(error, LOST):
            await asyncio.sleep(0.05 * max((job.tries for job in jobs), default=1))

    async def _batch(self, jobs: list[Job]) -> None:
        """Decide and commit. Who is skipped waits again and is taken out of `jobs`: its end is not this batch's."""
        conn = await self._connection()
        if not self._begun:
            await conn.execute(BEGIN)
            self._begun = True
        counted_from = None
        if self._engine.first is not None:
            jobs[:], counted_from = await self._engine.first(conn, jobs)
        want = wants(jobs, at_once=self._engine.first is not None)
        lock = LOCK_WAITING if any(job.waits for job in jobs) else LOCK
        found = await conn.fetch(lock, want.tickets, want.escalations, want.made)
        located = {row["escalation_id"]: row["ticket_id"] for row in found if row["escalation_id"]}
        ours = {row["ticket_id"] for row in found if row["locked"]}
        skipped = {row["ticket_id"] for row in found}.union(want.made) - ours
        if skipped:
            jobs[:], passed = split(jobs, located, skipped)
            want = wants(jobs, at_once=self._engine.first is not None)
            for job in reversed(passed):
                job.tries += 1
                self._engine.put(job, first=True)
            if not jobs:
                await self._rollback()
                return
        engine, only = self._engine, self._engine.inbox_only
        batch = await read_batch(conn, jobs, want, located, engine.policies, engine.mint, counted_from, inbox_only=only)
        if not batch.rows.empty or want.made:
            taken = await conn.fetchval(WRITE, *batch.rows.arguments(want.made), engine.arrives_at_once)
            if taken != len(batch.rows.answers):
                raise KeyTaken
            if self._engine.last is not None:
                await self._engine.last(conn, batch.rows.next)
        await self._commit(conn, batch, want)
        for job in reversed(batch.later):
            self._engine.put(job, first=True)
        for answered in batch.replies:
            self._engine.turns.give(tell, answered)

    async def _commit(self, conn: asyncpg.Connection, batch: Batch, want: Wants) -> None:
        more = self._engine.waiting > 0
        try:
            await conn.execute(COMMIT_AND_BEGIN if more else COMMIT)
            self._begun = more
        except LOST as error:
            self._forget()
            log.warning("commit_unknown", error=str(error), commands=len(batch.replies))
            if not await self._happened(batch, want):
                raise

    async def _happened(self, batch: Batch, want: Wants) -> bool:
        """Sentence 6: whether a batch whose COMMIT was not answered is there. Under its locks, absent means no; so one
        that wrote nothing is decided again, for what it tells of may be waiting for a standby."""
        if batch.rows.empty:
            return False
        ids = [name for job, _ in batch.replies for name in job.command.names]
        versions: tuple[list[str], list[int]] = ([m[0] for m in batch.rows.marks], [m[1] for m in batch.rows.marks])
        try:
            conn = await self._connection()
            await conn.execute(BEGIN)
            await conn.fetch(LOCK_WAITING, want.tickets, want.escalations, want.made)  # waits for it, if it goes on
            found = await conn.fetch(COMMITTED, *versions, ids)
            # No rollback: where commits wait for a standby, what was found is safe once this one has waited.
            await conn.execute(COMMIT)
        except Exception as error:
            raise Unavailable(f"the commit could not be told: {type(error).__name__}", unknown=True) from error
        return bool(found)

    async def _connection(self) -> asyncpg.Connection:
        if self._conn is None or self._conn.is_closed():
            self._begun = False
            try:
                self._conn = await self._open()
            except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                raise Unavailable(f"no connection to the database: {type(error).__name__}") from error
        return self._conn

    async def _rollback(self) -> None:
        self._begun = False
        if self._conn is not None:
            try:
                await self._conn.execute(ROLLBACK)
            except Exception as error:  # whatever it is: what can't even do this is thrown away
                log.info("connection_given_up", error=type(error).__name__)
                self._forget()

    def _forget(self) -> None:
        self._begun = False
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None

    async def close(self) -> None:
        """Give the connection back."""
        if self._conn is not None:
            await self._conn.close()
