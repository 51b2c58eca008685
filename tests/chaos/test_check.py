"""The check itself: it finds what was lost, what was done though refused, and what was done twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from msgspec import structs

from tests.chaos.check import check
from tests.chaos.ledger import Change, Fate
from tests.service.engine.town import Town, alone


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Town]:
    """A town with one escalation, and a note on it that was asked for as request r1."""
    db = await asyncpg.connect(database_url)
    town = Town(database_url, db)
    await town.settle_down()
    await town.standing(town.engine(), "T-1")
    await note(town, "r1")
    yield town
    await town.engines[0].stop()
    await db.close()


async def note(town: Town, request: str) -> None:
    """A note under this request id."""
    job = town.call("dan", await town.db.fetchval("SELECT id::text FROM escalation"), "note", text="a")
    job.command = structs.replace(job.command, request_id=request)
    await alone(town.engines[0], job)


async def change(town: Town, *tries: Fate, key: str = "r1", status: int = 201, **answer: Any) -> Change:
    """What a client knows of the note; unless told otherwise, what was answered to it."""
    row = await town.db.fetchrow("SELECT escalation_id::text, version, hash FROM history ORDER BY seq DESC LIMIT 1")
    path = f"/v1/escalations/{row['escalation_id']}/transitions"
    told = answer or {"transition": {**dict(row), "request_id": key}}
    return Change("dan", "POST", path, {"trigger": "note"}, key, list(tries), status, told, settled=True)


async def found(town: Town, change: Change) -> tuple[int, list[str]]:
    """How much was lost, and the claims that are broken."""
    checked = await check(town.url, [change])
    return checked.lost, [finding.split()[0] for finding in checked.findings]


async def test_what_was_acknowledged_and_is_there_is_sound(town: Town):
    assert await found(town, await change(town, "unknown", "acknowledged")) == (0, [])


async def test_what_was_acknowledged_and_is_not_there_is_lost(town: Town):
    assert await found(town, await change(town, "acknowledged", key="r2")) == (1, ["V1"])


async def test_so_is_what_stands_there_otherwise(town: Town):
    acknowledged = await change(town, "acknowledged")
    acknowledged.answer["transition"]["hash"] = "0" * 64
    assert await found(town, acknowledged) == (1, ["V1"])


@pytest.mark.parametrize(("fate", "status"), [("refused", 403), ("turned_away", 503)])
async def test_what_was_refused_and_is_there_is_found(town: Town, fate: Fate, status: int):
    assert await found(town, await change(town, fate, status=status, code="no")) == (0, ["V2"])


async def test_a_refusal_without_its_denial_is_found(town: Town):
    refused = await change(town, "refused", key="r2", status=403, failed=[{"guard": "owner"}])
    assert await found(town, refused) == (0, ["V2"])


async def test_what_was_done_twice_under_one_key_is_found(town: Town):
    once = await change(town, "unknown", "acknowledged")
    await note(town, "r1")
    assert await found(town, once) == (0, ["V2"])


async def test_what_is_unknown_may_be_there_or_not(town: Town):
    assert await found(town, await change(town, "unknown")) == (0, [])
    assert await found(town, await change(town, "unknown", key="r2")) == (0, [])


async def test_what_the_verifier_finds_is_found(town: Town):
    acknowledged = await change(town, "acknowledged")
    await town.db.execute("SET session_replication_role = replica")
    await town.db.execute("DELETE FROM timer WHERE kind NOT IN ('first_response', 'resolution')")
    assert await found(town, acknowledged) == (0, ["V6"])
