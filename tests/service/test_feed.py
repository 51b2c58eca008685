"""The feed skips nothing, repeats nothing and never goes back, however its writers and readers behave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import aiohttp
import asyncpg
import pytest

from service import feed as feeding
from service.proof.horizon import Horizon
from service.routes import events as streaming
from tests.service.conftest import Service


class Stream:
    """A stream that somebody listens to."""

    def __init__(self, told: aiohttp.ClientResponse) -> None:
        self._told = told

    async def blocks(self) -> AsyncIterator[dict[str, str]]:
        """One event after the other; a comment is one named ''."""
        block: dict[str, str] = {}
        async for raw in self._told.content:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                block[name] = value
            elif block:
                yield block
                block = {}

    async def take(self, count: int) -> list[int]:
        """The numbers of the next so many events."""
        found: list[int] = []
        async with asyncio.timeout(20):
            async for block in self.blocks():
                if "data" in block:
                    assert json.loads(block["data"])["seq"] == int(block["id"])
                    found.append(int(block["id"]))
                if len(found) == count:
                    break
        return found


async def listen(service: Service, query: str = "", **headers: str) -> Stream:
    """A stream for the auditor."""
    sent = {"Authorization": f"Bearer {service.keys['aud']}", "Accept": "text/event-stream"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    told = await service.session.get(f"{service.base}/v1/events{query}", headers=sent)
    assert (told.status, told.content_type) == (200, "text/event-stream")
    return Stream(told)


async def seqs(service: Service) -> list[int]:
    """Every number of history."""
    return [row["seq"] for row in await service.db.fetch("SELECT seq FROM history ORDER BY seq")]


async def test_a_stream_tells_what_comes_from_now_on(service: Service):
    await service.held("T-1")
    before = await seqs(service)
    stream = await listen(service)
    await service.held("T-2")
    wanted = [seq for seq in await seqs(service) if seq not in before]
    assert await stream.take(len(wanted)) == wanted


async def test_a_stream_goes_on_after_the_last_event_that_was_heard(service: Service):
    await service.held("T-1")
    wanted = await seqs(service)
    assert await (await listen(service, "?after=0")).take(len(wanted)) == wanted
    assert await (await listen(service, "?after=0", Last_Event_ID=str(wanted[0]))).take(2) == wanted[1:3]


async def test_who_is_further_behind_than_what_is_kept_in_mind_misses_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feeding, "KEPT", 3)
    monkeypatch.setattr(feeding, "PAGE", 2)
    first = await listen(service, "?after=0")
    for n in range(4):
        await service.held(f"T-{n}")
    wanted = await seqs(service)
    assert await first.take(len(wanted)) == wanted
    assert await (await listen(service, "?after=0")).take(len(wanted)) == wanted


async def test_pages_are_the_same_feed(service: Service):
    for n in range(3):
        await service.held(f"T-{n}")
    found, after = list[int](), "0"
    while True:
        told = (await service.call("aud", "GET", f"/v1/events?after={after}&limit=2")).ok()
        after = told["next_cursor"]
        if not told["items"]:
            break
        found += [item["seq"] for item in told["items"]]
    assert found == await seqs(service)
    assert after == str(found[-1]), "ask again with it, and what is new comes"


async def test_an_id_that_no_event_had_is_refused(service: Service):
    told = await service.call("aud", "GET", "/v1/events", Last_Event_ID="yesterday")
    assert told.fields() == {"Last-Event-ID"}
    (await service.call(None, "GET", "/v1/events")).problem(401, "no_key")


async def test_whose_key_is_revoked_hears_no_more(service: Service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "BEAT", 0.01)
    stream = await listen(service)
    async for block in stream.blocks():
        if "" in block:
            break
    await service.db.execute("UPDATE api_key SET revoked_at = now() WHERE principal_id = 'aud'")
    assert [block async for block in stream.blocks() if "data" in block] == [], "and it ends"


async def test_more_than_a_node_can_serve_are_told_to_come_back(service: Service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feeding, "MOST", 1)
    await listen(service)
    told = await service.call("aud", "GET", "/v1/events", Accept="text/event-stream")
    told.problem(503, "unavailable")


@pytest.mark.parametrize("seed", range(5))
async def test_sixteen_writers_that_hold_their_commits_lose_no_row(service: Service, seed: int):
    """Each draws its number early and commits when it likes: the horizon never tells a row too few, or goes back."""
    rng = Random(seed)
    await service.db.execute("CREATE TABLE written (seq bigint)")
    writers = [await asyncpg.connect(service.database_url) for _ in range(16)]
    horizon, told, last = Horizon(), list[int](), 0

    async def write(conn: asyncpg.Connection, rng: Random) -> None:
        for _ in range(20):
            async with conn.transaction():
                await conn.execute("SELECT pg_current_xact_id()")  # as tickets are locked
                await conn.execute("INSERT INTO written SELECT nextval('history_seq') FROM generate_series(1, $1)", 3)
                for _ in range(rng.randrange(6)):
                    await conn.execute("SELECT 1")

    async def read() -> None:
        nonlocal last
        now = await horizon.look(service.db)
        assert now >= last
        query = "SELECT seq FROM written WHERE seq > $1 AND seq <= $2 ORDER BY seq"
        told.extend(row["seq"] for row in await service.db.fetch(query, last, now))
        last = now

    writing = asyncio.gather(*(write(conn, Random(rng.random())) for conn in writers))
    while not writing.done():
        await read()
    await writing
    await horizon.complete(service.db, 30)  # a server serves more than one database: others' transactions count too
    await read()
    rows: list[Any] = await service.db.fetch("SELECT seq FROM written ORDER BY seq")
    assert told == [row["seq"] for row in rows]
    assert len(told) == 16 * 20 * 3
    for conn in writers:
        await conn.close()
