"""Flags over HTTP: what a customer writes raises one, says by which word and where, and an agent can dismiss it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks import words
from tests.service.conftest import Service

CONTACT = {"channel": "reply", "sender": "boss@acme.example", "author_role": "customer"}


async def said(service: Service, ticket: str, body: str, **more: Any) -> Any:
    """A contact; its answer."""
    told = {**CONTACT, "body": body, **more}
    return (await service.call("desk", "POST", f"/v1/tickets/{ticket}/contacts", told)).ok(201)


async def test_a_flagged_word_opens_an_escalation_within_15_minutes_and_stands_in_its_detail(service: Service):
    await service.now_is("2026-01-05T09:00:00Z")
    await service.ticket("T-1")
    told = await said(service, "T-1", "Hello,\nour shop was\n Hacked last night.\n\n> we are losing money\n")
    (flag,) = told["situations"]
    assert (flag["situation"], flag["at"]) == ("security_flag", "2026-01-05T09:00:00Z")
    assert flag["detail"] == {
        "contact": told["contact"]["id"],
        "words": [{"list": "security-en", "word": "hacked", "field": "body", "at": 21, "text": "Hacked"}],
    }
    e = told["escalation"]
    assert (e["state"], e["target_level"], e["engage_by"]) == ("open", 2, "2026-01-05T09:15:00Z")
    assert e["situations"][0]["detail"] == flag["detail"]
    assert (await service.call("desk", "GET", "/v1/tickets/T-1")).ok()["situations"] == [flag]


async def test_a_tickets_own_words_are_the_customers_first(service: Service):
    told = await service.ticket("T-1", subject="Checkout fails", description="We cannot take payments since 9")
    (flag,) = told["situations"]
    word = {"list": "revenue-en", "word": "can't take payments", "field": "description", "at": 3}
    assert flag["situation"] == "revenue_impact"
    assert flag["detail"]["words"] == [{**word, "text": "cannot take payments"}]
    assert told["escalation"]["target_level"] == 3
    assert (await service.ticket("T-1", description="We cannot take payments since 9"))["situations"] == []


@pytest.mark.parametrize("role", ["agent", "system"])
async def test_what_the_desk_writes_flags_nothing(service: Service, role: str):
    await service.ticket("T-1")
    told = await said(service, "T-1", "We were hacked and are losing money", author_role=role, subject="Data breach")
    assert (told["situations"], told["escalation"]) == ([], None)


async def test_an_agent_who_owns_it_dismisses_a_false_alarm_and_history_counts_it_with_its_words(service: Service):
    await service.ticket("T-1", assignee="ann")
    e = (await said(service, "T-1", "our account was compromised? no, it works"))["escalation"]["id"]
    (await service.act("ann", e, "dismiss_situation", situation="security_flag", reason="Mistyped")).ok(201)
    (dismissed,) = (await service.call("aud", "GET", "/v1/history?trigger=dismiss_situation")).ok()["items"]
    assert [w["word"] for w in dismissed["detail"]["words"]] == ["been breached"]
    told = await said(service, "T-1", "again: the account was compromised?")
    assert (told["situations"], told["escalation"]["situations"], told["escalation"]["engage_by"]) == ([], [], None)


async def test_an_emergency_of_a_p0_is_judged_by_its_own_words(service: Service):
    await service.ticket("T-1", customer_id="solo", priority="p0", outage=False)
    plain = await said(service, "T-1", "Come quickly", channel="emergency", sender="boss@solo.example")
    assert [f["guard"] for f in plain["refused"]] == ["channel_allowed"]
    told = await said(service, "T-1", "We found malware", channel="emergency", sender="boss@solo.example")
    assert (told["refused"], told["escalation"]["state"]) == ([], "l3")


@pytest.mark.skipif(bool(words.missing()), reason=f"no {words.DATA}: the real conversations are not here")
async def test_the_desks_automatic_comment_that_says_escalate_triggers_nothing(service: Service):
    conversations = words.conversations()
    assert sum(any("escalat" in (each.body or "") for each in spoken) for _, spoken in conversations) == 55
    for first, spoken in conversations:
        await service.ticket(first.id, priority="p3", subject="(none)", description=first.body)
        for each in spoken:
            if each.author_role == "customer" or "escalat" in (each.body or ""):
                told = {"author_role": each.author_role, "sender": "customer@bank.example"}
                answer = await said(service, first.id, each.body or "", **told)
                assert (answer["situations"], answer["escalation"]) == ([], None), each.body
    assert await service.db.fetchval("SELECT count(*) FROM escalation") == 0
    assert await service.db.fetchval("SELECT count(*) FROM contact") > 200
