"""Who is asking: API keys `esk_<id>_<secret>`, of which only the SHA-256 of the secret is kept.

What a key's principal may do is never remembered: the engine reads role, level and revocation with its facts, and
`known` reads them anew for every other request.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

import asyncpg
from msgspec import Struct

import sql
from machines.values import LEVEL_ROLE, ROLE_LEVEL, Role
from service.problems import Refused

KEY_ID = re.compile("[0-9a-f]{16}")
ROLES = (*ROLE_LEVEL, "service", "auditor", "admin")


class Token(Struct, frozen=True):
    """A presented key: its public id, and the SHA-256 of its secret; `until` when it is good, None for a key's sake."""

    key: str
    digest: str
    until: datetime | None = None


class Known(Struct, frozen=True):
    """A principal as it stands now. `level` is the lower of key and roster."""

    id: str
    role: Role
    level: int

    @property
    def person(self) -> bool:
        """A human being."""
        return self.role in ROLE_LEVEL


@lru_cache(maxsize=1024)
def present(authorization: str | None) -> Token:
    """The key of an `Authorization: Bearer …` header; raises 401 where there is none or it isn't one.

    What a header says is remembered, for most callers send theirs again and again; whether it is true never is.
    """
    scheme, _, key = (authorization or "").partition(" ")
    parts = key.strip().split("_", 2)
    if scheme.lower() != "bearer" or len(parts) != 3 or parts[0] != "esk" or not KEY_ID.fullmatch(parts[1]):
        raise Refused(401, "no_key", "Send `Authorization: Bearer esk_…`: `escalation-matrix keys create` makes a key.")
    return Token(parts[1], hashlib.sha256(parts[2].encode(errors="replace")).hexdigest())


def person(which: str, until: datetime | None = None) -> Token:
    """Whom a signed request or an identity provider names: their own call, without a key. No header presents this."""
    return Token(f"person:{which}", "", until)


async def known(conn: asyncpg.Connection | asyncpg.Pool, token: Token) -> Known:
    """The principal of a key; raises 401 where it is unknown, revoked or retired."""
    row = await conn.fetchrow(sql.query("principal.of_key"), token.key, token.until)
    if row is None or not secrets.compare_digest(row["digest"], token.digest):
        raise Refused(401, "unknown_key", "The API key is unknown, revoked, or its principal is retired.")
    role: Role = LEVEL_ROLE[row["level"]] if row["role"] in ROLE_LEVEL else row["role"]
    return Known(row["id"], role, row["level"])


async def create_key(
    conn: asyncpg.Connection, name: str, role: str, level: int | None = None, may: Iterable[str] = ()
) -> str:
    """Make a principal (or give an existing one another key) and return the key: the only time it is seen.

    Raises ValueError, with what to do about it, where name, role, level or `may` don't fit together.
    """
    if role not in ROLES:
        raise ValueError(f"--role {role}: there are {', '.join(ROLES)}")
    if not 0 < len(name) <= 200 or "\x00" in name:
        raise ValueError("--name must have 1 to 200 characters")
    if level is not None and role not in ROLE_LEVEL and level != 0:
        raise ValueError(f"--level {level}: only people have a level; a {role} has none")
    if level is not None and not 0 <= level <= 4:
        raise ValueError(f"--level {level}: levels are 0 (agent) to 4 (executive)")
    granted = sorted(set(may))
    if granted and role != "service":
        raise ValueError("--may is for services, which act for people; people act for themselves")
    from machines.authority import NEVER_FOR_PEOPLE
    from machines.escalation import RULES

    callable_ = sorted(t for t, rule in RULES.items() if (rule.fields or t == "open") and t not in NEVER_FOR_PEOPLE)
    if unknown := [t for t in granted if t not in callable_]:
        raise ValueError(f"--may {' '.join(unknown)}: a service may be given {', '.join(callable_)}")
    n = level if level is not None else ROLE_LEVEL.get(role, 0)
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    await conn.execute(sql.query("principal.create"), name, role, n, granted, key_id, digest)
    return f"esk_{key_id}_{secret}"
