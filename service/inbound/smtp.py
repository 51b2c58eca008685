"""A listener for mail over SMTP or LMTP, off unless `mail_listen` is set; what comes goes to the same post.

It takes whatever it is handed, so it belongs behind a mail server that checks where mail comes from. A mail is answered
250 only after it is committed, and 451 while the service can't: then the mail server keeps it and tries again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog
from aiohttp import web
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from service import auth
from service.config import Settings
from service.engine import Unavailable
from service.inbound.post import Kept, Post
from service.problems import Refused
from service.submit import render

log = structlog.get_logger(__name__)

MOST_CONNECTIONS = 32
"""At once, each with a mail in memory at worst; above it 421, and the mail server comes again."""
MOST_RECIPIENTS = 100
LONGEST_LINE = 2**16
"""Bytes. Longer than the standard's 998, for what is real; it does not bound a mail, `max_mail` does."""

LISTENER: web.AppKey[asyncio.Server | None] = web.AppKey("listener", asyncio.Server)
_heard = render(lambda _: None)


class Handler:
    """Hands each mail to the post, as the service whose key is set."""

    def __init__(self, post: Post, presented: auth.Token, *, each: bool) -> None:
        self._post, self._presented, self._each = post, presented, each

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Any address will do: the mail server in front has sent here what belongs here."""
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """One answer; with LMTP one for each recipient (RFC 2033)."""
        told = await self._deliver(envelope)
        return "\r\n".join([told] * (len(envelope.rcpt_tos) if self._each else 1))

    async def _deliver(self, envelope: Envelope) -> str:
        raw = envelope.content
        assert isinstance(raw, bytes)
        request_id = f"mail-{hashlib.sha256(raw).hexdigest()[:32]}"
        try:
            told = await self._post.deliver(
                raw,
                self._presented,
                _heard,
                request_id=request_id,
                envelope_sender=(envelope.mail_from or "").strip("<>"),
            )
        except (Refused, Unavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("mail_deferred", error=type(error).__name__, request_id=request_id)
            return "451 4.3.0 Not now, try again"
        except Exception:
            log.exception("mail_failed", request_id=request_id)
            return "451 4.3.0 Not now, try again"
        if isinstance(told, Kept):
            return "250 2.0.0 Kept"
        if told.status >= 400:
            log.warning("mail_deferred", status=told.status, request_id=request_id)
            return "451 4.3.0 Not now, try again"
        return "250 2.0.0 OK"


@asynccontextmanager
async def listening(settings: Settings, post: Post) -> AsyncIterator[asyncio.Server | None]:
    """Listens as long as it is entered, where it is set to."""
    if settings.mail_listen is None:
        yield None
        return
    host, _, port = settings.mail_listen.rpartition(":")
    lmtp = settings.mail_protocol == "lmtp"
    handler = Handler(post, auth.present(f"Bearer {settings.mail_key}"), each=lmtp)
    open_: set[asyncio.BaseTransport] = set()
    loop = asyncio.get_running_loop()

    class Connection(LMTP if lmtp else SMTP):  # type: ignore[misc]  # either is one
        line_length_limit = LONGEST_LINE

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            if len(open_) >= MOST_CONNECTIONS:
                assert isinstance(transport, asyncio.WriteTransport)
                transport.write(b"421 4.3.2 Too many connections\r\n")
                transport.close()
                return
            open_.add(transport)
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            if self.transport in open_:
                open_.discard(self.transport)
                super().connection_lost(error)

    def connection() -> Any:
        return Connection(
            handler,
            data_size_limit=settings.max_mail,
            enable_SMTPUTF8=True,
            hostname="escalation-matrix",
            ident="escalation-matrix",
            timeout=60,
            loop=loop,
        )

    server = await loop.create_server(connection, host.strip("[]"), int(port), reuse_port=settings.workers > 1)
    log.info("mail_listening", address=settings.mail_listen, protocol=settings.mail_protocol)
    try:
        yield server
    finally:
        server.close()
        for transport in list(open_):
            transport.close()
        await server.wait_closed()
