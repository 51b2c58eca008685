"""A primary and a synchronous standby: what is acknowledged is on both."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from machines.case import Mint
from service import database, verify
from service.batch import Policies
from service.engine import Engine, Unavailable
from tests.chaos.pair import Pair, pair_of_servers
from tests.service.engine.town import Town, alone


async def test_what_the_standby_has_not_got_is_never_acknowledged_nor_when_it_is_asked_again():
    """A COMMIT whose wait for the standby is cut short is on the primary alone: to find it there is not enough."""
    async with pair_of_servers() as pair:
        await database.prepare(pair.url)
        db = await asyncpg.connect(pair.url)
        town = Town(pair.url, db)
        await town.settle_down()
        engine = _impatient(pair)
        (escalation,) = await town.standing(engine, "T-1")
        pair.standby.kill()
        for _ in range(2):
            asked = asyncio.ensure_future(engine.submit(town.call("dan", escalation, "note", key="k", text="a")))
            await _cut_short(db)
            with pytest.raises(Unavailable):
                await asked
            assert (await town.versions(escalation))[-1] == "note"
            await _cut_short(db)
        await pair.standby.start()
        answer = await alone(engine, town.call("dan", escalation, "note", key="k", text="a"))
        assert (answer.status, answer.version) == (201, 4)
        await engine.stop()
        db.terminate()
        pair.primary.kill()
        await pair.promote(alone=True)
        promoted = Town(pair.url, await asyncpg.connect(pair.url))
        assert await promoted.versions(escalation) == ["open", "engage", "accept", "note"]
        await promoted.db.close()
        assert await verify.run(pair.url) == []


async def _cut_short(db: asyncpg.Connection) -> None:
    """End the connections that wait for the standby in their COMMIT, as soon as there is one."""
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    while not await db.fetchval(ended):  # noqa: ASYNC110  # another process waits
        await asyncio.sleep(0.01)


def _impatient(pair: Pair) -> Engine:
    """A node whose connections give up after a second, where others take ten."""

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(pair.url, command_timeout=1, server_settings={"role": database.ROLE})

    return Engine(connect, Policies(), Mint(), queue_limit=64)
