"""Checkpoints reach a witness outside: signed, tried again, never to where they must not go; the sealer never waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Standard

from service import database
from service.config import Settings, SettingsError, load
from service.config import Witness as Receiver
from service.proof.notes import Signer, Verifier, split
from service.proof.sealer import Sealer
from service.proof.witness import LONGEST_WAIT, Witness, from_settings
from tests.service.channels.test_webhook import NEW, OLD, receiver
from tests.service.conftest import Service

TEXT, SIGNER = Signer.made("escalations.example")
VERIFIER = Verifier(SIGNER.public)


class Kept:
    """Somebody who keeps what they are handed; `answers` are the first ones, 204 after them."""

    def __init__(self, *answers: int) -> None:
        self.notes: list[str] = []
        self.ids: list[str] = []
        self.answers = list(answers)
        self.waited: list[float] = []
        self.asked = asyncio.Event()
        self._heard = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        """A checkpoint comes in."""
        self.asked.set()
        body = await request.read()
        if self.answers:
            return web.Response(status=self.answers.pop(0))
        for secret in (OLD, NEW):
            told = Standard(secret).verify(body, {name.lower(): value for name, value in request.headers.items()})
        self.notes.append(told["note"])
        self.ids.append(request.headers["webhook-id"])
        self._heard.set()
        return web.Response(status=204)

    async def heard(self, count: int) -> list[str]:
        """The notes, once there are so many."""
        async with asyncio.timeout(10):
            while len(self.notes) < count:
                self._heard.clear()
                await self._heard.wait()
        return self.notes

    async def sleep(self, seconds: float) -> None:
        """What the witness would wait."""
        self.waited.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def kept_by(kept: Kept) -> AsyncIterator[Witness]:
    """A witness on its way to them."""
    async with receiver(kept.take) as port:
        witness = Witness(Receiver(f"http://127.0.0.1:{port}/", (OLD, NEW)), private=True, sleep=kept.sleep)
        task = asyncio.create_task(witness.run())
        yield witness
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_every_checkpoint_is_handed_over_and_together_they_are_what_verify_history_reads(service: Service):
    kept = Kept()
    pool = await database.connect(service.database_url)
    async with kept_by(kept) as witness:
        sealer = Sealer(pool, SIGNER, None, witness)
        for n in range(3):
            await service.held(f"T-{n}")
            assert await sealer.seal(patience=10.0) > 0
            await kept.heard(n + 1)
    await pool.close()
    told = [VERIFIER.read(note) for note in split("".join(kept.notes))]
    assert [each.size for each in told] == sorted({each.size for each in told})
    assert kept.ids == [f"checkpoint-{each.size}" for each in told]


async def test_a_witness_that_was_away_gets_the_newest_and_waits_grow_meanwhile():
    kept = Kept(500, 503, 429)
    async with kept_by(kept) as witness:
        witness.offer(10, "ten")
        await kept.asked.wait()
        witness.offer(20, "twenty")
        assert await kept.heard(1) == ["twenty"]
    assert kept.waited == [1.0, 2.0, 4.0]
    assert all(wait <= LONGEST_WAIT for wait in kept.waited)


async def test_one_that_refuses_is_asked_again_with_the_next_checkpoint_only():
    kept = Kept(403)
    async with kept_by(kept) as witness:
        witness.offer(10, "ten")
        await kept.asked.wait()
        witness.offer(20, "twenty")
        assert await kept.heard(1) == ["twenty"]
    assert kept.waited == []


async def test_an_older_checkpoint_never_follows_a_newer_one():
    kept = Kept()
    async with kept_by(kept) as witness:
        witness.offer(20, "twenty")
        await kept.heard(1)
        witness.offer(10, "ten")
        witness.offer(30, "thirty")
        assert await kept.heard(2) == ["twenty", "thirty"]


async def test_sealing_does_not_wait_for_a_witness_that_hangs(service: Service):
    hangs = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await hangs.wait()
        return web.Response()

    pool = await database.connect(service.database_url)
    async with receiver(hang) as port:
        witness = Witness(Receiver(f"http://127.0.0.1:{port}/", (OLD,)), private=True)
        task = asyncio.create_task(witness.run())
        sealer = Sealer(pool, SIGNER, None, witness)
        for n in range(2):
            await service.held(f"T-{n}")
            assert await sealer.seal(patience=10.0) > 0
        hangs.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await pool.close()


async def test_what_was_sealed_by_a_node_that_died_is_handed_over_by_the_next(service: Service):
    pool = await database.connect(service.database_url)
    await service.held("T-1")
    assert await Sealer(pool, SIGNER).seal(patience=10.0) > 0
    kept = Kept()
    async with kept_by(kept) as witness:
        assert await Sealer(pool, SIGNER, None, witness).seal(patience=10.0) == 0
        (note,) = await kept.heard(1)
    await pool.close()
    assert VERIFIER.read(note).size == await service.db.fetchval("SELECT count(*) FROM history")


async def test_a_private_address_is_refused_unless_its_host_is_allowed():
    kept = Kept()
    async with receiver(kept.take) as port:
        url = f"http://127.0.0.1:{port}/"
        for hosts, heard in (((), 0), (("127.0.0.1",), 1)):
            witness = from_settings(Settings(witness=Receiver(url, (OLD, NEW)), private_hosts=hosts))
            assert witness is not None
            task = asyncio.create_task(witness.run())
            witness.offer(1, "one")
            if heard:
                await kept.heard(1)
            else:
                await asyncio.wait_for(witness.settled(), 10)
                assert kept.notes == []
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def test_a_witness_without_a_key_that_signs_is_refused_and_its_secrets_stay_unsaid():
    told = msgspec.json.encode({"url": "https://witness.example/", "secrets": [OLD]}).decode()
    with pytest.raises(SettingsError, match="needs signing_key"):
        load(environ={"ESCALATION_WITNESS": told})
    settings = load(environ={"ESCALATION_WITNESS": told, "ESCALATION_SIGNING_KEY": TEXT})
    assert settings.witness == Receiver("https://witness.example/", (OLD,))
    with pytest.raises(SettingsError) as refused:
        load(environ={"ESCALATION_WITNESS": told.replace("whsec_", "whsec!"), "ESCALATION_SIGNING_KEY": TEXT})
    assert OLD.removeprefix("whsec_") not in str(refused.value)
