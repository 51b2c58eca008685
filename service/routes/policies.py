"""Policies: the matrix as data, version by version."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.matrix import Document, load
from service.door import Route, query
from service.reads import Page, Paged, after, answered, page, reading

Version = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class PolicyAnswer(Struct, frozen=True):
    """A published version. `defaults` lists the cells that the escalation document leaves open and we filled."""

    version: int
    published_at: datetime
    published_by: str
    defaults: list[str]
    document: Document


async def policies(request: web.Request) -> web.StreamResponse:
    """Newest first. A version is immutable: an escalation keeps the one under which it was opened."""
    async with reading(request) as (conn, _):
        asked = query(request, Paged)
        begin = after(asked.cursor, tuple[Version])
        rows = await conn.fetch(sql.query("policy.page"), begin and begin[0], asked.limit + 1)
    found = [
        PolicyAnswer(row["version"], row["published_at"], row["published_by"], policy.defaults(), policy.document)
        for row in rows
        for policy in (load(row["document"], row["version"]),)
    ]
    return answered(page(found, asked.limit, lambda p: p, lambda p: (p.version,)))


ROUTES = (
    Route("GET", "/v1/policies", policies, "The matrix, version by version", {200: Page[PolicyAnswer]}, query=Paged),
)
