"""The listener for mail: 250 only after it is committed, 451 while the service can't. A sentence, a test."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from service import auth
from service.config import SettingsError, load
from service.inbound.smtp import LISTENER
from tests.service.conftest import Service, running
from tests.service.inbound.post import BOSS, waiting, written


@asynccontextmanager
async def listening(database_url: str, **settings: Any) -> AsyncIterator[Service]:
    """A service that takes mail for its own key, on a port that the system chose."""
    conn = await asyncpg.connect(database_url)
    key = await auth.create_key(conn, "post", "service")
    await conn.close()
    async with running(database_url, mail_listen="127.0.0.1:0", mail_key=key, **settings) as service:
        yield service


async def speak(service: Service, say: Callable[[smtplib.SMTP], Any], kind: type[smtplib.SMTP] = smtplib.SMTP) -> Any:
    """What a mail server says to the listener, from a thread of its own."""
    server = service.app[LISTENER]
    assert server is not None
    port = server.sockets[0].getsockname()[1]

    def talk() -> Any:
        with kind("127.0.0.1", port) as client:
            return say(client)

    return await asyncio.to_thread(talk)


def mail(raw: bytes, to: int = 1, sender: str = BOSS) -> Callable[[smtplib.SMTP], tuple[int, bytes]]:
    """A mail to so many; the answer to its data."""

    def say(client: smtplib.SMTP) -> tuple[int, bytes]:
        client.ehlo_or_helo_if_needed()
        client.mail(sender)
        for number in range(to):
            client.rcpt(f"support{number}@help.example")
        return client.data(raw)

    return say


async def test_it_is_off_by_default(service: Service) -> None:
    assert service.app[LISTENER] is None


async def test_a_mail_over_smtp_is_a_contact_when_it_is_answered(database_url: str) -> None:
    async with listening(database_url) as service:
        await service.ticket("T-1")
        assert (await speak(service, mail(written("[T-1] ESCALATE"))))[0] == 250
        (e,) = (await service.call("ann", "GET", "/v1/escalations")).ok()["items"]
        assert [s["situation"] for s in e["situations"]] == ["customer_request"]
        (said,) = (await service.call("ann", "GET", "/v1/tickets/T-1/contacts")).ok()["items"]
        assert (said["by"], said["body"]) == ("post", "It is down.")
        assert (await speak(service, mail(written("[T-404]"))))[0] == 250
        assert [kept["why"] for kept in await waiting(service)] == ["no_ticket"]


async def test_lmtp_answers_for_each_recipient(database_url: str) -> None:
    async with listening(database_url, mail_protocol="lmtp") as service:
        await service.ticket("T-1")

        def say(client: smtplib.SMTP) -> tuple[bytes, bytes]:
            mail(written("[T-1]"), to=2)(client)
            assert client.file is not None
            return client.getreply()[1], client.noop()[1]

        assert await speak(service, say, smtplib.LMTP) == (b"2.0.0 OK", b"OK")


async def test_a_null_sender_is_a_bounce(database_url: str) -> None:
    async with listening(database_url) as service:
        await service.ticket("T-1")
        assert (await speak(service, mail(written("[T-1] ESCALATE"), sender="")))[0] == 250
        assert (await service.call("ann", "GET", "/v1/escalations")).ok()["items"] == []


async def test_451_while_the_service_cannot_and_the_next_try_is_one_contact(database_url: str) -> None:
    async with listening(database_url) as service:
        await service.ticket("T-1")
        await service.db.execute("UPDATE api_key SET revoked_at = now() WHERE principal_id = 'post'")
        assert (await speak(service, mail(written("[T-1]"))))[0] == 451
        await service.db.execute("UPDATE api_key SET revoked_at = NULL WHERE principal_id = 'post'")
        await service.db.execute("ALTER TABLE contact RENAME TO contact_away")
        assert (await speak(service, mail(written("[T-1]"))))[0] == 451
        await service.db.execute("ALTER TABLE contact_away RENAME TO contact")
        for _ in range(2):
            assert (await speak(service, mail(written("[T-1]"))))[0] == 250
        assert await service.db.fetchval("SELECT count(*) FROM contact") == 1


async def test_a_mail_has_a_size_that_it_may_have(database_url: str) -> None:
    async with listening(database_url, max_mail=2000) as service:
        assert (await speak(service, mail(b"x\r\n" * 1000)))[0] == 552
        assert await speak(
            service, lambda client: client.docmd("EHLO", "me") and client.docmd("MAIL FROM:<a@b> SIZE=2001")
        )
        assert await waiting(service) == []


def test_to_listen_needs_a_key_which_is_never_repeated() -> None:
    with pytest.raises(SettingsError, match="ESCALATION_MAIL_LISTEN: needs mail_key"):
        load(environ={"ESCALATION_MAIL_LISTEN": "127.0.0.1:2525"})
    with pytest.raises(SettingsError, match="ESCALATION_MAIL_KEY: ") as refusal:
        load(environ={"ESCALATION_MAIL_LISTEN": "127.0.0.1:2525", "ESCALATION_MAIL_KEY": "hush"})
    assert "hush" not in str(refusal.value)
