"""Slack: a slash command and the buttons of our messages. Signed, and each a person's own call."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable

import asyncpg
import msgspec
import structlog
from aiohttp import web

import sql
from machines.asked import Ask, Command, Request, Transition
from machines.fields import Nothing, WithReason
from machines.values import Escalation, Handoff
from service import auth
from service.asks import UUID
from service.batch import Job, Reply, Settled
from service.body import raw_body
from service.door import Route, nowhere
from service.engine import Unavailable
from service.inbound import signed
from service.inbound.slack import HELP, MOST, Form, Said, Wish, read
from service.inbound.slack_later import LATER
from service.inbound.slack_says import Message, escaped, message, one_of_many, outcome, status
from service.problems import Refused
from service.reads import answered, connection
from service.routes.examples import SLACK
from service.submit import HOUSE, NAMED, REQUEST_ID, encode, fresh_id, respond, unavailable

log = structlog.get_logger(__name__)

FRESH = 300
"""Seconds by which a request may have been signed before now, or after."""
_STAMP = re.compile(r"[0-9]{1,12}")
WITHIN = 2.5
"""Seconds in which everything is done: Slack waits for 3."""
_escalation = msgspec.json.Decoder(Escalation).decode
_handoff = msgspec.json.Decoder(Handoff | None).decode
_message = msgspec.json.Decoder(Message).decode
_LATE = "This takes longer than Slack waits, and may still happen. `/escalate status TICKET` tells."


async def slack(request: web.Request) -> web.StreamResponse:
    """Takes what Slack sends: a slash command (`/escalate TICKET REASON …`, `/escalate accept|decline|status TICKET`),
    or a click on `accept`, `decline` or `accept all` in a message of ours. Signed by Slack not more than five minutes
    ago, else 401. It is the call of whoever on the roster has that Slack id, and answered to them alone, refusals too.
    The same request again is done once."""
    house = request.app[HOUSE]
    secret = house.settings.slack_signing_secret
    if secret is None:
        raise nowhere("Nothing comes in from Slack: set ESCALATION_SLACK_SIGNING_SECRET to the app's signing secret.")
    raw = await raw_body(request, min(MOST, house.settings.max_body))
    stamp = request.headers.get("X-Slack-Request-Timestamp", "")
    if not _STAMP.fullmatch(stamp) or not signed.slack(
        secret, stamp, raw, request.headers.get("X-Slack-Signature", "")
    ):
        raise Refused(401, "bad_signature", "This is not signed with the secret that is set here for Slack.")
    if (said := read(raw)) is None:
        return answered(message("Yes, somebody is here."))
    once = hashlib.sha256(b"v0:" + stamp.encode() + b":" + raw).hexdigest()
    request[REQUEST_ID], request[NAMED] = f"slack-{once[:32]}", True
    try:
        async with asyncio.timeout(WITHIN):
            told = await _done(request, said, stamp, once)
    except TimeoutError:
        log.warning("slack_late", request_id=request[REQUEST_ID])
        told = message(_LATE)
    except Unavailable as error:
        log.warning("slack_unavailable", error=str(error), request_id=request[REQUEST_ID])
        told = message(f"*Not done now*: {escaped(unavailable(error).detail)}")
    reply = told if isinstance(told, Reply) else Reply(200, encode(told))
    if said.later is not None and not reply.replayed:
        request.app[LATER].tell(said.later, reply.body)
    return respond(reply)


async def _done(request: web.Request, said: Said, stamp: str, once: str) -> Message | Reply:
    pages = list[asyncpg.Record]()
    async with connection(request.app[HOUSE].reads) as conn:
        row = await conn.fetchrow(sql.query("slack.caller"), said.user)
        if abs(row["now"].timestamp() - int(stamp)) > FRESH:
            raise Refused(401, "bad_signature", "This was signed more than five minutes ago, or will be.")
        if len(row["people"]) != 1:
            return message(_nobody(said.user) if not row["people"] else _several(said.user))
        (person,), wish = row["people"], said.wish
        if wish is None:
            return message(said.why)
        if wish.pages:
            pages = await conn.fetch(sql.query("slack.pages"), list(wish.pages), person)
        elif wish.verb == "escalate":
            ask: Ask = Request(wish.on, wish.situation or "", wish.reason)
        else:
            which = wish.on.lower() if UUID.fullmatch(wish.on.lower()) else None
            found = await conn.fetchval(sql.query("slack.meant"), wish.on, which)
            if found is None:
                return message(f"There is no escalation {escaped(wish.on)}, nor one on a ticket of that id.", HELP)
            e = _escalation(found)
            if wish.verb == "status":
                return status(e, person)
            version = wish.version
            if version is not None and version != e.version:
                offered = await conn.fetchval(sql.query("slack.offered"), e.id, version)
                version = e.version if _same(_handoff(offered or "null"), e.handoff) else version
            fields = Nothing() if wish.verb == "accept" else WithReason(wish.reason)
            ask = Transition(e.id, wish.verb, fields, version)
    if wish.pages:
        return await _accept_all(request, pages, person, once)
    token = auth.person(person)
    command = Command(fresh_id(), ask, request[REQUEST_ID])
    job = Job(command, _render(wish), token.key, token.digest, idempotency_key=f"slack-{once}", fingerprint=once)
    return await request.app[HOUSE].engine.submit(job)


async def _accept_all(request: web.Request, rows: list[asyncpg.Record], person: str, once: str) -> Message | Reply:
    """Accept every offer that a message told of, each by itself: one refusal keeps nobody from the others. What is
    this person's already is left alone."""
    engine, token = request.app[HOUSE].engine, auth.person(person)
    jobs, told = list[Job](), list[str]()
    for row in rows:
        e, shown = _escalation(row["row"]), _handoff(row["offered"] or "null")
        if e.owner == person and e.handoff is not None and not e.handoff.pending:
            told.append(f"• *{escaped(e.ticket_id)}*: is yours.")
            continue
        version = e.version if _same(shown, e.handoff) else row["version"]
        command = Command(fresh_id(), Transition(e.id, "accept", Nothing(), version), request[REQUEST_ID])
        key = f"slack-{once}/{e.id}"
        job = Job(command, _one_of_many, token.key, token.digest, idempotency_key=key, fingerprint=once, lane="bulk")
        jobs.append(job)
    replies = await asyncio.gather(*(engine.submit(job) for job in jobs))
    told += [_message(reply.body).text for reply in replies]
    answer = message(*told) if told else message("*Not done*: nothing of it was offered to you.")
    if jobs and all(reply.replayed for reply in replies):
        return Reply(200, encode(answer), replayed=True)
    return answer


def _one_of_many(settled: Settled) -> Reply:
    return Reply(200, encode(one_of_many(settled)))


def _same(shown: Handoff | None, now: Handoff | None) -> bool:
    """Whether it is still the offer that was shown, whatever else has happened on the escalation since."""
    return shown is not None and now is not None and (shown.to, shown.offered_at) == (now.to, now.offered_at)


def _render(wish: Wish) -> Callable[[Settled], Reply]:
    return lambda settled: Reply(200, encode(outcome(wish, settled)))


def _nobody(user: str) -> str:
    return (
        f"I don't know you yet: nobody on the roster has the Slack id `{escaped(user[:100])}`. "
        "An admin puts it into `slack` of your entry there (`PUT /v1/people/YOU`); then try again."
    )


def _several(user: str) -> str:
    return (
        f"Several people on the roster have the Slack id `{escaped(user[:100])}`, so I can't tell who you are. "
        "An admin can mend that (`GET /v1/people` lists them)."
    )


ROUTES = (
    Route(
        "POST",
        "/v1/inbound/slack",
        slack,
        "Take a command or a click from Slack",
        {200: Message},
        body=Form,
        public=True,
        refuses=(401, 404, 503),
        example=SLACK,
        accepts=("application/x-www-form-urlencoded",),
    ),
)
