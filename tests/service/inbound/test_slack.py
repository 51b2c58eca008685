"""`POST /v1/inbound/slack`: signed, fresh, once; a person's own call, answered in words. A sentence, a test."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import web

from machines.document import CUSTOMER, MANUAL
from machines.matrix import default_text, parse
from service import verify
from service.inbound import signed, slack_later
from service.inbound.slack import HELP, MOST, Wish, offer, offers, read
from service.routes import slack as door
from tests.service.conftest import Answer, Service, running

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
WHO = {"ann": "U0ANN", "lee": "U0LEE", "mia": "U0MIA", "mo": "U0MO", "dan": "U0DAN", "vic": "U0VIC"}


@pytest.fixture
async def slack(database_url: str) -> AsyncIterator[Service]:
    """A service with a Slack app, whose people are known there."""
    async with running(database_url, slack_signing_secret=SECRET) as service:
        await service.db.executemany("UPDATE person SET slack = $2 WHERE id = $1", list(WHO.items()))
        yield service
        assert await verify.run(database_url) == []


def signature(stamp: str, raw: bytes, secret: str = SECRET) -> str:
    """Slack's."""
    return "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:".encode() + raw, hashlib.sha256).hexdigest()


async def send(service: Service, raw: bytes, *, stamp: str | None = None, presented: str | None = None) -> Answer:
    """What Slack sends, signed now unless told otherwise."""
    stamp = str(int(time.time())) if stamp is None else stamp
    headers = {
        "X_Slack_Request_Timestamp": stamp,
        "X_Slack_Signature": signature(stamp, raw) if presented is None else presented,
        "Content_Type": "application/x-www-form-urlencoded",
    }
    return await service.call(None, "POST", "/v1/inbound/slack", raw=raw, **headers)


def command(who: str, text: str) -> bytes:
    """A slash command as Slack sends it; no two are the same."""
    form = {"command": "/escalate", "text": text, "user_id": WHO.get(who, who), "trigger_id": str(time.time_ns())}
    return urlencode(form).encode()


def click(who: str, action: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
    """A click on a button; `reason` is what stands in the message's field."""
    payload = {
        "type": "block_actions",
        "user": {"id": WHO.get(who, who)},
        "trigger_id": str(time.time_ns()),
        "actions": [action],
        "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}},
        **more,
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def button(escalation: str, version: int, trigger: str) -> dict[str, Any]:
    """The button as our messages have it."""
    return next(each for each in offer(escalation, version)[1]["elements"] if each["action_id"] == trigger)


async def say(service: Service, who: str, text: str) -> str:
    """What somebody is told for a command, always to them alone."""
    return shown(await send(service, command(who, text)))


def shown(answer: Answer) -> str:
    """The text, held to be shown to nobody else."""
    told = answer.ok()
    assert told["response_type"] == "ephemeral"
    return str(told["text"])


async def standing(service: Service, e: str) -> Any:
    """The escalation as it stands."""
    return (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()


async def rows(service: Service, table: str) -> int:
    """How many there are."""
    return int(await service.db.fetchval(f"SELECT count(*) FROM {table}"))


# Signed, fresh, once ----------------------------------------------------------------------------------------------


async def test_without_a_secret_there_is_no_slack_and_it_is_said_what_to_set(service: Service) -> None:
    told = (await send(service, command("ann", "status T-1"))).problem(404, "not_found")
    assert "ESCALATION_SLACK_SIGNING_SECRET" in told["detail"]


async def test_what_is_not_signed_by_slack_is_401_and_does_nothing(slack: Service) -> None:
    await slack.ticket("T-1")
    raw = command("ann", "T-1 executive_visibility The board asks")
    now = str(int(time.time()))
    right = signature(now, raw)
    wrong = [
        "",
        "v0=",
        right.upper(),
        right[:-1],
        right[3:],
        signature(now, raw, "another"),
        "ü" * 67,
        "v1" + right[2:],
    ]
    for presented in wrong:
        (await send(slack, raw, stamp=now, presented=presented)).problem(401, "bad_signature")
    (await send(slack, raw + b"&x=1", stamp=now, presented=right)).problem(401, "bad_signature")
    (await send(slack, raw, stamp=str(int(now) + 1), presented=right)).problem(401, "bad_signature")
    for stamp in ("", "now", "-1", "1" * 13, "\u0661"):
        (await send(slack, raw, stamp=stamp)).problem(401, "bad_signature")
    assert await rows(slack, "escalation") == 0


async def test_slacks_own_example_is_signed_as_slack_says() -> None:
    raw = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    secret, told = (
        "8f742231b10e8888abcd99yyyzzz85a5",
        "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    )
    assert signed.slack(secret, "1531420618", raw, f"v0={told}")


@pytest.mark.parametrize("age", [301, -301, 86_400])
async def test_what_was_signed_more_than_300_seconds_ago_is_401(slack: Service, age: int) -> None:
    await slack.ticket("T-1")
    await slack.now_is("2026-01-05T09:00:00Z")
    raw = command("ann", "T-1 executive_visibility The board asks")
    (await send(slack, raw, stamp=str(1767603600 - age))).problem(401, "bad_signature")
    assert await rows(slack, "escalation") == 0
    assert "Escalated" in shown(await send(slack, raw, stamp=str(1767603600 - age // abs(age) * 300)))


async def test_a_replayed_request_is_done_once_and_answered_the_same(slack: Service) -> None:
    await slack.ticket("T-1")
    raw, stamp = command("ann", "T-1 blocking_business_process They can't ship"), str(int(time.time()))
    answers = await asyncio.gather(*(send(slack, raw, stamp=stamp) for _ in range(8)))
    assert len({answer.raw for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 7
    later = await send(slack, raw, stamp=stamp)
    assert (later.raw, later.headers["Idempotency-Replayed"]) == (answers[0].raw, "true")
    assert await rows(slack, "escalation") == 1
    assert await slack.db.fetchval("SELECT json_array_length(situations) FROM escalation") == 1


async def test_a_replayed_refusal_is_one_denial(slack: Service) -> None:
    await slack.opened("T-1")
    raw, stamp = command("lee", "accept T-1"), str(int(time.time()))
    first, second = [await send(slack, raw, stamp=stamp) for _ in range(2)]
    assert "Not done" in shown(first)
    assert first.raw == second.raw
    assert await rows(slack, "denial") == 1


# A person's own call ----------------------------------------------------------------------------------------------


async def test_who_is_not_on_the_roster_is_told_how_to_get_there_and_does_nothing(slack: Service) -> None:
    await slack.ticket("T-1")
    told = await say(slack, "U0<!channel>", "T-1 executive_visibility The board asks")
    assert "nobody on the roster has the Slack id `U0&lt;!channel&gt;`" in told
    await slack.db.execute("UPDATE person SET active = false WHERE id = 'ann'")
    assert "nobody on the roster" in await say(slack, "ann", "T-1 executive_visibility The board asks")
    await slack.db.execute("UPDATE person SET slack = 'U0MO' WHERE id = 'mia'")
    assert "Several people" in await say(slack, "mo", "T-1 executive_visibility The board asks")
    assert await rows(slack, "escalation") + await rows(slack, "denial") == 0


async def test_a_command_opens_an_escalation_as_that_person_and_history_says_that_it_came_by_slack(
    slack: Service,
) -> None:
    await slack.ticket("T-1")
    told = await say(slack, "ann", "T-1 Blocking business-process: they can&amp;t ship &lt;at all&gt;")
    assert told.startswith("Escalated.\n*T-1* (acme, enterprise): level 2.")
    (e,) = (await slack.call("ann", "GET", "/v1/escalations?ticket_id=T-1")).ok()["items"]
    assert (e["owner"], e["handoff"]["to"], e["situations"][0]["by"]) == ("ann", "mia", "ann")
    rows_ = (await slack.call("ann", "GET", f"/v1/history?escalation_id={e['id']}&order=asc")).ok()["items"]
    assert rows_[0]["actor"] == "ann"
    assert rows_[0]["on_behalf_of"] is None
    assert rows_[0]["request_id"].startswith("slack-")
    assert rows_[0]["reason"]
    assert "they can&t ship <at all>" in json.dumps(rows_[0])


async def test_who_it_is_offered_to_accepts_by_ticket_or_by_escalation(slack: Service) -> None:
    one, two = await slack.opened("T-1"), await slack.opened("T-2")
    for e, named in ((one, "T-1"), (two, two.upper())):
        to = (await standing(slack, e))["handoff"]["to"]
        assert "yours now" in await say(slack, to, f"accept {named}")
        assert (await standing(slack, e))["owner"] == to


async def test_a_ticket_whose_id_looks_like_an_escalations_is_found_as_it_is_written(slack: Service) -> None:
    await slack.opened("0189ABCD-0000-7000-A000-000000000000")
    assert "level 2" in await say(slack, "ann", "status 0189ABCD-0000-7000-A000-000000000000")


async def test_a_decline_takes_its_reason_from_the_command(slack: Service) -> None:
    e = await slack.opened("T-1")
    told = await say(slack, "mia", "decline T-1 I am on a plane")
    assert "Declined" in told
    assert (await standing(slack, e))["handoff"]["to"] == "mo"
    refused = await say(slack, "mo", "decline T-1")
    assert "/escalate decline T-1 …why" in refused
    assert (await standing(slack, e))["handoff"]["to"] == "mo"


async def test_a_refusal_names_every_failed_guard_and_who_could(slack: Service) -> None:
    e = await slack.opened("T-1")
    told = await say(slack, "lee", "accept T-1")
    failed = (await slack.act("lee", e, "accept")).problem(403, "not_permitted")["failed"]
    assert failed
    for each in failed:
        assert each["message"] in told
        assert all(who in told for who in each["who_could"])
    assert await rows(slack, "denial") == 2


async def test_a_trigger_that_does_not_exist_from_there_is_told_and_denied(slack: Service) -> None:
    await slack.held("T-1")
    assert "Not done" in await say(slack, "mia", "accept T-1")
    assert await rows(slack, "denial") == 1


async def test_a_key_lower_than_the_roster_holds_in_slack_too(slack: Service) -> None:
    await slack.ticket("T-1")
    await slack.db.execute("UPDATE principal SET active = false WHERE id = 'mia'")
    assert "not on the roster any more" in await say(slack, "mia", "T-1 executive_visibility The board asks")
    await slack.db.execute("INSERT INTO person (id, name, level, slack) VALUES ('kay', 'Kay', 2, 'U0KAY')")
    assert "Escalated" in await say(slack, "U0KAY", "T-1 executive_visibility The board asks")
    assert await slack.db.fetchval("SELECT actor_level FROM history WHERE version = 1") == 2
    await slack.db.execute("INSERT INTO principal (id, role, level) VALUES ('kay', 'agent', 0)")
    await slack.ticket("T-2")
    await say(slack, "U0KAY", "T-2 executive_visibility The board asks")
    levels = "SELECT actor_level FROM history WHERE ticket_id = 'T-2' AND version = 1"
    assert await slack.db.fetchval(levels) == 0


async def test_no_key_can_pretend_to_be_somebody_in_slack(slack: Service) -> None:
    for key in ("esk_person:mia_", "person:mia", "esk_person:mia"):
        answer = await slack.call(None, "GET", "/v1/escalations", Authorization=f"Bearer {key}")
        answer.problem(401, "no_key")


async def test_status_tells_how_it_stands_and_whom_it_is_offered_to_may_answer_there(slack: Service) -> None:
    e = await slack.opened("T-1")
    told = (await send(slack, command("mia", "status T-1"))).ok()
    assert "level 2" in told["text"]
    assert "Offered to mia" in told["text"]
    assert told["blocks"][1:] == offer(e, 2)
    assert "blocks" not in (await send(slack, command("lee", f"status {e}"))).ok()
    assert "There is no escalation T-9" in await say(slack, "lee", "status T-9")
    assert await rows(slack, "history") == 2


async def test_nothing_that_others_wrote_can_mention_a_channel(slack: Service) -> None:
    await slack.ticket("<!channel>")
    assert "<!" not in await say(slack, "ann", "&lt;!channel&gt; executive_visibility The board asks")
    assert "*&lt;!channel&gt;*" in await say(slack, "ann", "status &lt;!channel&gt;")
    assert "<" not in await say(slack, "ann", "status &lt;!here&gt;")


@pytest.mark.parametrize("text", ["", "help", "T-1", "T-1 because", "accept", "T-1 executive_visibility", "x" * 30_000])
async def test_what_can_not_be_understood_teaches_and_does_nothing(slack: Service, text: str) -> None:
    await slack.ticket("T-1")
    told = await say(slack, "ann", text)
    assert "/escalate" in told or "too long" in told
    assert await rows(slack, "escalation") == 0


def test_every_reason_of_the_policy_is_understood_in_words_and_told_in_the_help() -> None:
    policy = parse(default_text(), 1)
    for situation in (*MANUAL, CUSTOMER):
        assert situation in HELP
        assert policy.kind(situation) != "automatic"
        for written in (situation, situation.replace("_", " ").upper(), situation.replace("_", "-")):
            said = read(command("ann", f"T-1 {written}: so it is"))
            assert said is not None
            assert said.wish == Wish("escalate", "T-1", "so it is", situation)


# Buttons ----------------------------------------------------------------------------------------------------------


async def test_a_click_accepts_the_offer_that_its_message_showed(slack: Service) -> None:
    e = await slack.opened("T-1")
    assert "yours now" in shown(await send(slack, click("mia", button(e, 2, "accept"))))
    assert (await standing(slack, e))["owner"] == "mia"
    assert "Not done" in shown(await send(slack, click("mia", button(e, 2, "accept"))))


async def test_a_click_still_counts_when_something_else_has_happened_since(slack: Service) -> None:
    e = await slack.opened("T-1")
    (await slack.act("ann", e, "note", text="The vendor is asked")).ok(201)
    assert "yours now" in shown(await send(slack, click("mia", button(e, 2, "accept"))))


async def offered(slack: Service, *tickets: str, to: str = "dan") -> list[int]:
    """The rows of the outbox by which the director is called for these tickets."""
    for ticket in tickets:
        await slack.opened(ticket, situation="executive_visibility")
    rows = "SELECT id FROM outbox WHERE template = 'handoff_offered' AND recipient = $1 ORDER BY id"
    return [row["id"] for row in await slack.db.fetch(rows, to)]


def all_of(rows: list[int]) -> dict[str, Any]:
    """The button that accepts all of these."""
    return dict(offers(rows)[0]["elements"][0])


async def owners(slack: Service) -> list[tuple[str, str]]:
    """Whose each ticket is."""
    rows = await slack.db.fetch("SELECT ticket_id, owner FROM escalation ORDER BY ticket_id")
    return [(row["ticket_id"], row["owner"]) for row in rows]


async def test_one_click_accepts_all_that_its_message_tells_of_each_by_its_own_transition(slack: Service) -> None:
    rows_ = await offered(slack, "T-1", "T-2", "T-3")
    told = shown(await send(slack, click("dan", all_of(rows_[:2]))))
    assert told.splitlines() == ["• *T-1*: you have accepted.", "• *T-2*: you have accepted."]
    assert await owners(slack) == [("T-1", "dan"), ("T-2", "dan"), ("T-3", "ann")], "and no other"
    accepted = (await slack.call("ann", "GET", "/v1/history?trigger=accept")).ok()["items"]
    assert [row["actor"] for row in accepted] == ["dan", "dan"]
    assert len({row["escalation_id"] for row in accepted}) == 2
    assert len({row["request_id"] for row in accepted}) == 1
    again = shown(await send(slack, click("dan", all_of(rows_))))
    assert again.splitlines() == ["• *T-1*: is yours.", "• *T-2*: is yours.", "• *T-3*: you have accepted."]
    assert await rows(slack, "denial") == 0


async def test_one_refusal_keeps_nobody_from_the_others_and_a_newer_offer_is_not_meant(slack: Service) -> None:
    rows_ = await offered(slack, "T-1", "T-2")
    first = await slack.db.fetchval("SELECT id::text FROM escalation WHERE ticket_id = 'T-1'")
    (await slack.act("dan", first, "decline", reason="On a plane")).ok(201)
    told = shown(await send(slack, click("dan", all_of(rows_)))).splitlines()
    assert told[0].startswith("• *T-1*: *not done*: that was another offer")
    assert told[1] == "• *T-2*: you have accepted."
    assert await owners(slack) == [("T-1", "ann"), ("T-2", "dan")]


async def test_pages_to_others_are_nobody_elses_to_accept(slack: Service) -> None:
    rows_ = await offered(slack, "T-1")
    assert "nothing of it was offered to you" in shown(await send(slack, click("vic", all_of(rows_))))
    assert "nothing of it was offered to you" in shown(await send(slack, click("dan", all_of([10**17]))))
    for value in ("", "1,", "1;2", "x", ",".join(["1"] * 101), "1" * 19):
        assert "This does nothing here" in shown(await send(slack, click("dan", all_of([1]) | {"value": value})))
    assert await rows(slack, "denial") == 0


async def test_the_same_click_on_all_again_is_answered_the_same_and_done_once(slack: Service) -> None:
    raw, stamp = click("dan", all_of(await offered(slack, "T-1", "T-2"))), str(int(time.time()))
    answers = await asyncio.gather(*(send(slack, raw, stamp=stamp) for _ in range(4)))
    assert {("T-1", "dan"), ("T-2", "dan")} == set(await owners(slack))
    assert await slack.db.fetchval("SELECT count(*) FROM history h JOIN allowed_move m ON m.id = h.move"
                                   " WHERE m.trigger = 'accept'") == 2  # fmt: skip
    assert all("T-1" in shown(answer) for answer in answers)
    assert await rows(slack, "denial") == 0


def test_the_button_for_all_fits_what_slack_takes() -> None:
    assert len(all_of(list(range(10**18 - 100, 10**18)))["value"]) <= 2000


async def test_a_late_click_does_not_count_for_a_newer_offer(slack: Service) -> None:
    e = await slack.opened("T-1")
    (await slack.act("mia", e, "decline", reason="On a plane")).ok(201)
    (await slack.act("mo", e, "decline", reason="Ill")).ok(201)
    to = (await standing(slack, e))["handoff"]["to"]
    told = shown(await send(slack, click(to, button(e, 2, "accept"))))
    assert "another offer" in told
    assert f"Offered to {to}" in told
    assert (await standing(slack, e))["handoff"]["status"] in ("offered", "briefed")
    now = (await standing(slack, e))["version"]
    assert "yours now" in shown(await send(slack, click(to, button(e, now, "accept"))))


async def test_a_click_on_decline_takes_its_reason_from_the_message_and_none_is_made_up(slack: Service) -> None:
    e = await slack.opened("T-1")
    told = shown(await send(slack, click("mia", button(e, 2, "decline"))))
    assert f"/escalate decline {e} …why" in told
    assert "Declined" in shown(await send(slack, click("mia", button(e, 2, "decline"), "I am on a plane")))
    assert (await standing(slack, e))["handoff"]["to"] == "mo"


async def test_a_button_that_is_none_of_ours_does_nothing(slack: Service) -> None:
    e = await slack.opened("T-1")
    for action in (
        {},
        {"action_id": "close", "value": f"{e}:2"},
        {"action_id": "accept", "value": "x"},
        {"action_id": ["accept"], "value": {"a": 1}},
    ):
        assert "nothing" in shown(await send(slack, click("mia", action)))
    assert "nothing" in shown(await send(slack, click("mia", button(e, 2, "accept"), type="view_submission")))
    unknown = button("01890000-0000-7000-a000-000000000000", 2, "accept")
    assert "There is no escalation" in shown(await send(slack, click("mia", unknown)))
    assert await rows(slack, "history") == 2


async def test_what_a_click_did_is_also_sent_to_where_slack_shows_it(
    slack: Service, aiohttp_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        await got.put((request.path, await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/{which}", take)
    hooks = str((await aiohttp_server(app)).make_url("/"))
    e = await slack.opened("T-1")
    elsewhere = click("lee", button(e, 2, "accept"), response_url=f"{hooks}elsewhere")
    shown(await send(slack, elsewhere))  # not Slack's address yet
    monkeypatch.setattr(slack_later, "ADDRESSES", (hooks,))
    raw, stamp = click("mia", button(e, 2, "accept"), response_url=f"{hooks}click"), str(int(time.time()))
    answers = [await send(slack, raw, stamp=stamp) for _ in range(2)]
    assert await asyncio.wait_for(got.get(), 10) == ("/click", answers[0].raw)
    await slack.app[slack_later.LATER].close()
    assert got.empty()
    assert answers[0].ok()["text"].startswith("You have accepted")


# Limits -----------------------------------------------------------------------------------------------------------


async def test_slack_is_answered_in_time_even_while_the_ticket_is_locked(
    slack: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    e = await slack.opened("T-1")
    assert door.WITHIN < 3
    monkeypatch.setattr(door, "WITHIN", 0.2)
    async with slack.db.transaction():
        await slack.db.execute("SELECT FROM ticket WHERE id = 'T-1' FOR UPDATE")
        assert "longer than Slack waits" in await say(slack, "mia", "accept T-1")
    (await slack.act("ann", e, "note", text="What is asked of one escalation is decided in turn")).ok(201)
    assert (await standing(slack, e))["owner"] == "mia"


async def test_a_larger_body_than_slack_sends_is_413(slack: Service) -> None:
    (await send(slack, b"text=" + b"x" * MOST)).problem(413, "too_large")


NO_FORM: list[bytes] = [
    b"",
    b"\xff",
    b"user_id=%ff",
    b"user_id=U&text=%00",
    b"user_id=U&text=%ED%A0%80",
    b"user_id=U&user_id=V",
    b"text=a",
    b"payload=",
    b"payload=[]",
    b"payload={",
    b"payload=%7B%22user%22:1%7D",
    b"payload=" + b"[" * 5000,
    b"user_id=U" + b"&a%d=1" * 200,
    b'payload={"user":{"id":"U","id":"V"}}',
]


@pytest.mark.parametrize("raw", NO_FORM, ids=range(len(NO_FORM)))
async def test_what_slack_does_not_send_is_400(slack: Service, raw: bytes) -> None:
    (await send(slack, raw)).problem(400, "unreadable")


async def test_slack_may_look_whether_somebody_is_there(slack: Service) -> None:
    assert shown(await send(slack, b"ssl_check=1&token=x"))
