"""Reads of what has happened go to a replica that has it all; else the primary answers, and it is said why."""

from __future__ import annotations

import asyncio

import pytest

from service import verify
from service.config import SettingsError, load
from service.replica import CAUGHT_UP, FLUSHED, LOOKS, LOOKS_EVERY, REACHED_WITHIN, SHUNNED_FOR
from service.submit import HOUSE
from tests.service.conftest import Service, running
from tests.service.standby import Standby, standby_of

READS = ("/v1/history?limit=500", "/v1/history?order=desc", "/v1/history/export", "/v1/escalations", "/v1/denials")


async def read(service: Service) -> list[bytes]:
    """What each of the reads is answered."""
    answers = [await service.call("aud", "GET", path) for path in READS]
    assert [answer.status for answer in answers] == [200] * len(READS)
    return [answer.raw for answer in answers]


async def counted(service: Service) -> dict[str, int]:
    """How many reads were counted, by what the replica was."""
    lines = (await service.call("aud", "GET", "/metrics")).raw.decode().splitlines()
    found = [line for line in lines if line.startswith("escalation_replica_reads_total{")]
    return {line.split('"')[1]: int(float(line.rpartition(" ")[2])) for line in found}


async def said(service: Service) -> str:
    """What /readyz says of the replica; the service is ready whatever it is."""
    told = (await service.call(None, "GET", "/readyz")).ok()
    return str(told["checks"]["replica"]["detail"])


def forgive(service: Service) -> None:
    """The time for which an unfit replica is not asked has passed."""
    replica = service.app[HOUSE].replica
    assert replica is not None
    replica._shunned_until = 0.0


async def caught_up(service: Service, standby: Standby) -> None:
    """Return once the standby has all that there is."""
    wanted = await service.db.fetchval(FLUSHED)
    async with asyncio.timeout(30):
        while not await standby.db.fetchval(CAUGHT_UP, wanted):  # noqa: ASYNC110  # another process writes it
            await asyncio.sleep(0.01)


async def test_a_replica_serves_what_it_has_and_the_primary_what_it_has_not(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("service.replica.REACHED_WITHIN", 60.0)  # whatever else this machine does
    monkeypatch.setattr("service.replica.LOOKS", 3000)
    async with standby_of(database_url) as standby, running(database_url, replica_url=standby.url) as service:
        e, to = await service.held("T-1")
        (await service.act("ann", e, "accept")).problem(403, "not_permitted")
        await caught_up(service, standby)
        forgive(service)
        first = await read(service)
        assert await counted(service) == {"serves": len(READS)}
        assert (await said(service)).startswith("serves")

        # It stands still: nobody reads less than was answered before.
        await standby.db.execute("SELECT pg_wal_replay_pause()")
        monkeypatch.setattr("service.replica.LOOKS", 2)
        (await service.act(to, e, "note", text="Written after the replica stood still")).ok(201)
        behind = await read(service)
        assert b"Written after the replica stood still" in behind[0]
        told = await counted(service)
        assert told["late"] == len(READS)
        assert "the primary answers" in await said(service)

        # A revoked key is revoked at once, whatever the replica knows.
        await service.db.execute("UPDATE api_key SET revoked_at = now() WHERE principal_id = 'mo'")
        (await service.call("mo", "GET", "/v1/history")).problem(401, "unknown_key")

        await standby.db.execute("SELECT pg_wal_replay_resume()")
        monkeypatch.setattr("service.replica.LOOKS", 3000)
        await caught_up(service, standby)
        forgive(service)
        assert await read(service) == behind != first
        assert (await said(service)).startswith("serves")

        # It dies, in the middle of a conversation.
        standby.stop()
        assert await read(service) == behind
        assert (await counted(service))["down"] >= 1
        assert (await said(service)).startswith("down")
    assert await verify.run(database_url) == []


async def test_a_replica_that_never_was_there_costs_half_a_second_once_in_five(database_url: str):
    async with running(database_url, replica_url="postgres://nobody@127.0.0.1:1/nowhere") as service:
        await service.held("T-1")
        await read(service)
        assert await counted(service) == {"down": len(READS)}
        assert (await said(service)).startswith("down")
    assert REACHED_WITHIN <= 0.5
    assert LOOKS * LOOKS_EVERY <= 0.1
    assert SHUNNED_FOR["down"] >= 5


async def test_a_server_that_is_no_standby_is_not_believed(database_url: str):
    """One that was promoted has a history of its own."""
    async with running(database_url, replica_url=database_url) as service:
        await service.held("T-1")
        await read(service)
        assert set(await counted(service)) == {"no_standby"}
        assert (await said(service)).startswith("no_standby")


@pytest.mark.parametrize("url", ["localhost", "mysql://x"])
def test_a_replica_that_is_no_postgres_is_refused_at_the_start(url: str):
    with pytest.raises(SettingsError, match="REPLICA_URL: not a URL like postgres"):
        load(environ={"ESCALATION_REPLICA_URL": url})
