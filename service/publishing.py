"""Publishing a policy: it is checked as a whole, and is the next version, or already the newest."""

from __future__ import annotations

from typing import Any

import asyncpg

import sql
from machines.matrix import Policy, dump, load
from service.engine import Unavailable

TRIES = 5
"""How often the next number is taken where others publish at the same instant."""


async def publish(conn: asyncpg.Connection, policy: Policy, by: str) -> tuple[Any, bool]:
    """The row of this policy, and whether it is a new version. What waits is armed by it afterwards: see `rearming`."""
    newest = await conn.fetchrow(sql.query("policy.newest"))
    if newest is not None and load(newest["document"], 0).document == policy.document:
        return newest, False
    for _ in range(TRIES):
        try:
            version = await conn.fetchval(sql.query("policy.publish"), dump(policy), by)
        except asyncpg.UniqueViolationError:
            continue
        return await conn.fetchrow(sql.query("policy.one"), version), True
    raise Unavailable("others publish policies at the same time")
