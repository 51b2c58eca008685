"""From a form to the engine: the very commands of the API, decided and answered as there."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from machines.asked import Ask, FieldProblem
from service.batch import Reply
from service.console.sessions import Visitor
from service.rows import fingerprint
from service.submit import HOUSE, job_of, transitioned


async def decided(
    request: web.Request,
    visitor: Visitor,
    ask: Ask,
    body: dict[str, Any],
    problems: tuple[FieldProblem, ...],
    once: str | None,
) -> Reply:
    """What the engine answers. `once` names the form as it was shown: the same one sent twice is done once."""
    job = job_of(request, visitor.token, ask, transitioned, body, problems=problems)
    if once and len(once) <= 100 and once.isascii() and once.isprintable():
        job.idempotency_key = f"console/{once}"
        job.fingerprint = fingerprint(request.path, body)
    return await request.app[HOUSE].engine.submit(job)
