"""Answers kept under an Idempotency-Key by doors that decide beside the engine, in their own transactions.

Such a door locks what it changes first: whoever sends the same again waits, and then finds what was answered.
"""

from __future__ import annotations

import asyncpg
from aiohttp import web

import sql
from service.auth import Known
from service.problems import Refused


async def before(conn: asyncpg.Connection, known: Known, key: str, told: str) -> web.Response | None:
    """What was answered under this key, byte for byte; raises 422 where it was for another request than `told`, its
    fingerprint."""
    row = await conn.fetchrow(sql.query("answered.before"), known.id, key)
    if row is None:
        return None
    if row["fingerprint"] != told:
        raise Refused(422, "key_reused", "This Idempotency-Key was used for another request: take a new one.")
    headers = {"Idempotency-Replayed": "true"}
    body = row["body"].encode()
    return web.Response(status=row["status"], body=body, content_type="application/json", headers=headers)


async def keep(
    conn: asyncpg.Connection, known: Known, key: str, told: str, body: bytes, customer_id: str | None = None
) -> None:
    """Keep what is answered with 200; it goes with its customer, where it is somebody's."""
    await conn.execute(sql.query("answered.keep"), known.id, key, told, body.decode(), customer_id)
