"""E-mail against a real SMTP server on loopback: TLS, threads, refusals, and headers that nobody else can write."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from msgspec.structs import replace

from machines.messages import MessageText
from service.channels.email import EmailChannel, mailbox
from service.channels.letter import Later, Letter, Reached, Refused
from service.config import Settings, SettingsError, load
from service.inbound.threads import Planned, ours
from tests.service.outbox.conftest import letter

ID = "01a20c09-0301-76f9-8658-b3ebd38e7940"


class Server:
    """Keeps what it is given; `refuses` are codes by address."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.refuses: dict[str, str] = {}
        self.answer = "250 taken"
        self.logged_in: list[bytes] = []
        self.tls: list[bool] = []

    async def handle_RCPT(  # noqa: N802  # the protocol's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.to.append(list(envelope.rcpt_tos))
        self.tls.append(session.ssl is not None)
        return self.answer

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, how: str, data: Any) -> AuthResult:
        self.logged_in.append(data.login)
        return AuthResult(success=data.password == b"p@ss")


@asynccontextmanager
async def serving(server: Server, **how: Any) -> AsyncIterator[int]:
    """The server's port."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(server, hostname="localhost", **how), "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


def to_dan(**changes: Any) -> Letter:
    told = {
        "escalation_id": ID,
        "people": {"dan": Reached("Dan", "dan@us.example"), "amy": Reached("Amy", "amy@us.example")},
        "message": MessageText("[{ticket}] {issue}", "Issue: {issue}"),
        "values": {"ticket": "T-1", "issue": "Zahlungen gehen nicht: 5 €"},
    }
    return letter(**told | changes)


def channel(port: int, scheme: str = "smtp+plain", **how: Any) -> EmailChannel:
    user = "me:p%40ss@" if how.pop("login", False) else ""
    return EmailChannel(f"{scheme}://{user}localhost:{port}", "escalations@us.example", **how)


async def test_a_mail_bears_its_ticket_and_belongs_to_the_thread_of_its_escalation() -> None:
    server = Server()
    async with serving(server) as port:
        await channel(port).send(to_dan())
        await channel(port).send(to_dan(version=3))
    first, second = server.mails
    assert (first["From"], first["To"]) == ("escalations@us.example", "dan@us.example")
    assert first["Subject"] == "[T-1] Zahlungen gehen nicht: 5 €"
    assert first.get_content().strip() == "Issue: Zahlungen gehen nicht: 5 €"
    assert first["Message-ID"] == f"<escalation.{ID}.2.0@us.example>"
    assert second["Message-ID"] == f"<escalation.{ID}.3.0@us.example>"
    assert first["References"] == second["References"] == second["In-Reply-To"]
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Date"] == "Mon, 05 Jan 2026 09:00:00 +0000"
    assert ours(mail["Message-ID"].strip("<>") for mail in (first, second)) == [Planned(ID, 2, 0), Planned(ID, 3, 0)]


async def test_a_customer_is_written_to_at_every_contact_with_the_account_manager_in_copy() -> None:
    server = Server()
    about = {"audience": "customer", "recipient": "acme", "contacts": ("ops@acme.example", "cto@acme.example")}
    async with serving(server) as port:
        await channel(port).send(to_dan(**about, payload={"copy": "amy"}))
        await channel(port).send(to_dan(**about, payload={"copy": "outside@am.example"}))
        await channel(port).send(to_dan(**about, payload={"copy": "nobody known"}))
    assert [mail["Cc"] for mail in server.mails] == ["amy@us.example", "outside@am.example", None]
    assert server.mails[0]["To"] == "ops@acme.example, cto@acme.example"
    assert server.to[0] == ["ops@acme.example", "cto@acme.example", "amy@us.example"]


# TLS and who logs in --------------------------------------------------------------------------------------------------


def vouched() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's TLS, and a client's that trusts it."""
    ca = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("localhost").configure_cert(server)
    ca.configure_trust(client)
    return server, client


async def test_starttls_comes_before_the_password_and_the_mail() -> None:
    theirs, ours = vouched()
    server = Server()
    how = {"tls_context": theirs, "require_starttls": True, "auth_required": True, "authenticator": server.authenticate}
    async with serving(server, **how) as port:
        await channel(port, "smtp", login=True, tls=ours).send(to_dan())
    assert (server.tls, server.logged_in, len(server.mails)) == ([True], [b"me"], 1)


async def test_a_server_without_starttls_gets_neither_password_nor_mail() -> None:
    server = Server()
    async with serving(server, authenticator=server.authenticate, auth_require_tls=False) as port:
        with pytest.raises(Later):
            await channel(port, "smtp", login=True).send(to_dan())
    assert (server.logged_in, server.mails) == ([], [])


async def test_a_certificate_that_nobody_vouches_for_gets_neither() -> None:
    theirs, _ = vouched()
    server = Server()
    async with serving(server, tls_context=theirs, authenticator=server.authenticate) as port:
        with pytest.raises(Later):
            await channel(port, "smtp", login=True).send(to_dan())
    assert (server.logged_in, server.mails) == ([], [])


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error"),
    [("550 no such user", Refused), ("450 busy", Later), ("421 closing", Later), ("552 full", Refused)],
)
async def test_5xx_is_for_good_and_4xx_for_now(code: str, error: type[Exception]) -> None:
    server = Server()
    server.refuses = {"dan@us.example": code}
    async with serving(server) as port:
        with pytest.raises(error):
            await channel(port).send(to_dan())
    server = Server()
    server.answer = code
    async with serving(server) as port:
        with pytest.raises(error):
            await channel(port).send(to_dan())


async def test_where_some_of_the_contacts_are_refused_the_others_have_it_once() -> None:
    server = Server()
    server.refuses = {"gone@acme.example": "550 gone"}
    about = {"audience": "customer", "recipient": "acme", "contacts": ("ops@acme.example", "gone@acme.example")}
    async with serving(server) as port:
        await channel(port).send(to_dan(**about))
    assert server.to == [["ops@acme.example"]]


async def test_nobody_there_is_tried_again() -> None:
    async with serving(Server()) as port:
        pass
    with pytest.raises(Later):
        await channel(port).send(to_dan())


# Headers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["x\r\nBcc: all@evil.example", "x\nSubject: y", "x\r\n\r\nbody", "x\x00", "x\u2028Bcc: a@b", "x\x0bBcc: a@b"],
)
async def test_nothing_that_people_wrote_becomes_a_header(text: str) -> None:
    server = Server()
    what = to_dan(values={"ticket": text, "issue": text}, recipient="dan")
    async with serving(server) as port:
        await channel(port).send(what)
    [mail] = server.mails
    ours = {"From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"}
    mime = {"X-Escalation-Id", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}
    assert set(mail.keys()) == ours | mime
    assert server.to == [["dan@us.example"]]


@pytest.mark.parametrize(
    "text",
    [
        *("a@b\r\nBcc: c@d", "a@b,c@d", "a@b>", "<a@b>", "A <a@b>", "a b@c", "a@b c", "@b", "a@", "a", "a@b@c", ""),
        *("a;b@c", "a@b\x00", 'a"b@c', "ü@b.example", "a@" + "x" * 300),
    ],
)
def test_what_is_no_plain_address_is_not_written_to(text: str) -> None:
    assert mailbox(text) is None


def test_addresses_may_have_international_domains() -> None:
    found = mailbox(" Ann.Lee+x@bücher.example ")
    assert found is not None
    assert found.addr_spec == "Ann.Lee+x@xn--bcher-kva.example"


async def test_who_has_no_address_is_not_reached() -> None:
    one = channel(1)
    assert one.reaches(to_dan().address)
    assert not one.reaches(to_dan(people={"dan": Reached("Dan")}).address)
    with pytest.raises(Refused, match="no address"):
        await one.send(to_dan(people={}))
    manager = to_dan(audience="account_manager", recipient="am@x.example", people={})
    assert one.reaches(manager.address)
    assert not one.reaches(replace(manager, recipient="amy").address)


def test_settings_of_mail_are_checked_and_the_password_is_never_repeated() -> None:
    url = "smtps://me:hush@mail.example:465"
    told = load(environ={"ESCALATION_SMTP_URL": url, "ESCALATION_MAIL_FROM": "esc@us.example"})
    assert (told.smtp_url, told.mail_from) == (url, "esc@us.example")
    for wrong in ("http://me:hush@mail.example", "me:hush@mail.example", "smtp://me:hush@mail.example/path"):
        with pytest.raises(SettingsError, match="ESCALATION_SMTP_URL") as refusal:
            load(environ={"ESCALATION_SMTP_URL": wrong})
        assert "hush" not in str(refusal.value)
    assert Settings().smtp_url is None
