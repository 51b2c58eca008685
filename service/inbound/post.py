"""The post: where every mail goes, whichever way it came. It becomes a contact on its ticket, or is kept.

A mail that names no ticket of ours, or whose sender its customer has not named, is kept for a person to look at and
escalates nothing. The same mail delivered again is the same contact: its id follows from what identifies the mail.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Literal

import asyncpg
from aiohttp import web
from msgspec import Struct

import sql
from machines.asked import Command, Heard
from service import auth
from service.batch import Job, Render, Reply
from service.inbound.mail import Mail, read
from service.inbound.threads import ours
from service.reads import admit, connection
from service.submit import House, fresh_id

AT_ONCE = 1
"""Mails that are read at the same time: one of 10 MB takes ten times as much memory, and a second at worst."""

Why = Literal["no_ticket", "stranger"]


class Kept(Struct, frozen=True):
    """A mail that was kept and escalates nothing: it names no ticket of ours, or a stranger sent it."""

    id: str
    why: Why
    ticket_id: str | None = None


class Post:
    """Takes mails in. One for the whole service."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._reading = asyncio.Semaphore(AT_ONCE)

    async def deliver(
        self,
        raw: bytes,
        presented: auth.Token,
        render: Render,
        *,
        request_id: str,
        envelope_sender: str | None = None,
        idempotency_key: str | None = None,
    ) -> Kept | Reply:
        """Have it heard or kept; when this returns, it is committed. `presented` must be a service's key.

        Raises Refused (401, 403), Unavailable.
        """
        async with self._reading:
            mail = await asyncio.to_thread(read, raw, envelope_sender=envelope_sender)
        own = hashlib.sha256(raw).hexdigest()
        async with connection(self._house.reads) as conn:
            known = await auth.known(conn, presented)
            admit(known, ("service",), "Only services bring mail.")
            mine = ours(mail.answers)
            planned = ([m.escalation_id for m in mine], [m.version for m in mine], [m.ordinal for m in mine])
            sender = (mail.sender or "").casefold()
            found = await conn.fetchrow(sql.query("mail.addressed"), list(mail.names), *planned, sender)
            if found is None or not found["verified"]:
                return await _keep(conn, mail, own, found and found["id"], known.id)
        contact_id = _id("contact", found["id"], sender, mail.message_id or own)
        ask = Heard(
            id=contact_id,
            ticket_id=found["id"],
            at=None,
            channel="reply",
            sender=mail.sender or "",
            author_role="system" if mail.automatic else "customer",
            subject=mail.subject or None,
            body=mail.text or None,
            once=True,
        )
        job = Job(
            Command(fresh_id(), ask, request_id),
            render,
            presented.key,
            presented.digest,
            idempotency_key=idempotency_key,
            fingerprint=own if idempotency_key else "",
        )
        return await self._house.engine.submit(job)


async def _keep(conn: asyncpg.Connection, mail: Mail, own: str, ticket_id: str | None, by: str) -> Kept:
    kept = Kept(
        _id("kept", ticket_id or "", mail.sender or "", mail.message_id or own),
        "stranger" if ticket_id else "no_ticket",
        ticket_id,
    )
    told = (mail.message_id, mail.sender, mail.subject, mail.text, mail.automatic, by, (mail.sender or "").casefold())
    await conn.execute(sql.query("mail.keep"), kept.id, kept.why, kept.ticket_id, *told)
    return kept


def _id(*parts: str) -> str:
    """A UUID (version 8) that follows from these parts."""
    told = hashlib.sha256("\x00".join(parts).encode("utf-8", "replace")).hexdigest()
    return f"{told[:8]}-{told[8:12]}-8{told[13:16]}-a{told[17:20]}-{told[20:32]}"


POST = web.AppKey("post", Post)
