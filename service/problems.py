"""Errors as RFC 9457 problem details: what is wrong, and what to do about it."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from machines.asked import FieldProblem
from machines.decided import Failure, Refusal
from service.answers import EscalationAnswer

TITLES = {
    400: "The request can't be read",
    401: "Who is asking is not known",
    403: "Not permitted",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "No such move from here",
    410: "Not here any more",
    412: "The version is stale",
    413: "Too large",
    415: "Packed in an unknown way",
    417: "That can't be expected",
    422: "Something is missing or wrong",
    429: "Too many requests",
    500: "The service failed",
    503: "Can't be done now",
}

CODES = {
    "unreadable": "400. The body is empty, not JSON, not UTF-8, says a key twice, nests deeper than 32, or holds a "
    "number or a character out of bounds; or the request is not well-formed HTTP. Mend it and send it again.",
    "no_key": "401. Send `Authorization: Bearer esk_…`. `escalation-matrix keys create` makes a key.",
    "unknown_key": "401. The key is wrong or revoked, or whoever it belongs to is retired. Ask an admin for another.",
    "bad_token": "401. The token is not one that the identity provider made for this API, or it is over. Get another.",
    "bad_signature": "401. The request is not signed with the secret that is set here, or was signed more than five "
    "minutes ago. Compare the secret with the sender's, and the clocks.",
    "not_permitted": "403. Somebody else could: `failed` lists each guard that says who, and `who_could` names them.",
    "not_found": "404. There is no such thing, or none that this key may see.",
    "method_not_allowed": "405. The header `Allow` lists what this path takes.",
    "too_slow": "408. The body did not come in time. Send it again.",
    "no_such_move": "409. The trigger does not exist from the state where the escalation stands. "
    "`GET …/transitions` lists what there is.",
    "still_live": "409. The customer has escalations that are not closed: `detail` names them. Close or withdraw them "
    "first.",
    "review_signed": "409. The review of that week was signed off: nothing is written into it any more. "
    "Write into the next one.",
    "archived": "410. What is asked for is in an archive, a file beside this database: `detail` names it. Ask whoever "
    "keeps it, or ask about another time.",
    "stale_version": "412. It has changed since you looked. `escalation` is how it stands now: look, decide again.",
    "too_large": "413. Send less at once: fewer items, shorter texts.",
    "unknown_encoding": "415. Send the body unpacked, or as gzip or deflate.",
    "unmet_expectation": "417. The only expectation that is met is `100-continue`.",
    "invalid_fields": "422. `problems` lists every field that is missing, unknown or wrong, and what it should be.",
    "guard_failed": "422. Something must be there first: `failed` lists every guard and its sentence.",
    "key_reused": "422. The Idempotency-Key was used for another request. Take a new one.",
    "in_flight": "409. A request with this Idempotency-Key is still being decided. Repeat it after a moment.",
    "too_many_requests": "429. Wait as long as `Retry-After` says.",
    "internal_error": "500. Our mistake, not yours. The log has it under `request_id`.",
    "unavailable": "503. Nothing was changed. Repeat it after `Retry-After` seconds.",
    "unknown_outcome": "503 with `outcome: unknown`. The connection was lost while committing: it may or may not have "
    "happened. Look, or repeat it with the same Idempotency-Key.",
}
"""Every `code` that a problem may have, and what to do about it: the section that a problem's `type` points to."""
MOST = 50
"""How many wrong fields are told at most."""

_encode = msgspec.json.Encoder().encode


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An RFC 9457 problem, as answered. `code` is stable; `failed` and `problems` list everything, not the first."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    failed: tuple[Failure, ...] = ()
    problems: tuple[FieldProblem, ...] = ()
    escalation: EscalationAnswer | None = None
    outcome: str | None = None
    request_id: str | None = None


class Refused(Exception):  # noqa: N818  # a refusal is an answer, not an error
    """A door refuses a request before or beside the engine. Carries the refusal that the caller is told."""

    def __init__(self, status: int, code: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.refusal = Refusal(status, code, detail, **more)
        self.headers: dict[str, str] = {}


def problem(
    refusal: Refusal,
    escalation: EscalationAnswer | None = None,
    *,
    outcome: str | None = None,
    request_id: str | None = None,
) -> bytes:
    """The body of a refusal."""
    return _encode(
        Problem(
            type=f"/docs#problem-{refusal.code.replace('_', '-')}",
            title=TITLES.get(refusal.status, "Refused"),
            status=refusal.status,
            detail=refusal.detail[:2000],
            code=refusal.code,
            failed=refusal.failed,
            problems=refusal.problems[:MOST],
            escalation=escalation,
            outcome=outcome,
            request_id=request_id,
        )
    )


def response(
    refusal: Refusal,
    *,
    headers: dict[str, str] | None = None,
    outcome: str | None = None,
    request_id: str | None = None,
) -> web.Response:
    """A refusal as a response; 503 and 429 say when to try again."""
    more = {"Retry-After": "1"} if refusal.status in (429, 503) else {}
    if refusal.status == 401:
        more["WWW-Authenticate"] = "Bearer"
    told = web.Response(
        status=refusal.status,
        body=problem(refusal, outcome=outcome, request_id=request_id),
        content_type="application/problem+json",
        headers={**more, **(headers or {})},
    )
    if told.headers.get("Connection") == "close":
        told.force_close()
    return told
