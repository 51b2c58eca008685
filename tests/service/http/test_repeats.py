"""Repeated contact over HTTP: what was reported before is found, also of other tickets, and is told by its id."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.service.conftest import Service

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
TEXT = "The nightly export of invoices stops with an error on page {n} and nothing arrives in the archive"


async def said(service: Service, ticket: str, body: str, minutes: int, **more: Any) -> Any:
    """A contact of acme's at so many minutes; its answer."""
    told = {"channel": "reply", "sender": "Boss@acme.example", "author_role": "customer", "body": body}
    told |= {"at": (START + timedelta(minutes=minutes)).isoformat(), **more}
    return (await service.call("desk", "POST", f"/v1/tickets/{ticket}/contacts", told)).ok(201)


def begun(answer: Any) -> list[str]:
    return [s["situation"] for s in answer["situations"]]


async def test_the_third_contact_on_a_ticket_calls_a_level_and_names_the_three(service: Service):
    await service.now_is("2026-01-05T12:00:00Z")
    await service.ticket("T-1", opened_at=START.isoformat())
    answers = [await said(service, "T-1", f"Report {'abc'[n]}", 10 * n) for n in range(3)]
    assert [begun(answer) for answer in answers] == [[], [], ["repeated_contact"]]
    (situation,) = answers[2]["situations"]
    assert [r["id"] for r in situation["detail"]["reports"]] == [a["contact"]["id"] for a in answers]
    assert (answers[2]["escalation"]["state"], situation["at"]) == ("l2", "2026-01-05T09:20:00Z")
    assert begun(await said(service, "T-1", "Report d", 40)) == []
    assert begun(await said(service, "T-1", "Report e", 50)) == []
    assert begun(await said(service, "T-1", "Report f", 60)) == ["repeated_contact"]


async def test_the_same_issue_key_of_one_customer_is_one_issue(service: Service):
    told = [await service.ticket(f"T-{n}", issue_key="DISK") for n in (1, 2)]
    told.append(await service.ticket("T-3", issue_key="DISK", customer_id="beta"))
    told.append(await service.ticket("T-4", issue_key="DISK"))
    assert [begun(answer) for answer in told] == [[], [], [], ["repeated_contact"]]
    reports = told[3]["situations"][0]["detail"]["reports"]
    assert {r["ticket"]: r["because"] for r in reports} == {
        "T-1": "same_issue_key",
        "T-2": "same_issue_key",
        "T-4": "itself",
    }


async def test_similar_texts_of_one_customer_are_one_issue(service: Service):
    told = [await service.ticket(f"T-{n}", subject="Export", description=TEXT.format(n=n)) for n in (1, 2)]
    told.append(
        await service.ticket("T-3", subject="Printer", description="The printer on the third floor has no paper")
    )
    told.append(await service.ticket("T-4", subject="Again", description=TEXT.format(n=9).replace("nightly ", "")))
    assert [begun(answer) for answer in told] == [[], [], [], ["repeated_contact"]]
    reports = told[3]["situations"][0]["detail"]["reports"]
    same = "similar_text"
    assert {r["ticket"]: r["because"] for r in reports} == {"T-1": same, "T-2": same, "T-4": "itself"}


async def test_the_same_words_on_tickets_about_other_things_are_no_one_issue(service: Service):
    """Any news: that is said on every ticket, and of none in particular."""
    for n, about in enumerate(("Printer on the third floor", "Invoices of last March", "Password of my colleague")):
        await service.ticket(f"T-{n}", subject=about, opened_at=START.isoformat())
    told = [await said(service, f"T-{n}", "Is there any news about this, it is really urgent now", n) for n in range(3)]
    assert [begun(answer) for answer in told] == [[], [], []]


async def test_what_came_thirty_days_before_does_not_count(service: Service):
    await service.now_is("2026-03-01T12:00:00Z")
    await service.ticket("T-1", issue_key="DISK", opened_at="2026-01-05T09:00:00Z")
    await service.ticket("T-2", issue_key="DISK", opened_at="2026-02-20T09:00:00Z")
    assert begun(await service.ticket("T-3", issue_key="DISK", opened_at="2026-02-21T09:00:00Z")) == []
    assert begun(await service.ticket("T-4", issue_key="DISK", opened_at="2026-02-22T09:00:00Z")) == [
        "repeated_contact"
    ]


async def test_duplicates_strangers_and_the_desk_do_not_make_three(service: Service):
    await service.ticket("T-1", opened_at=START.isoformat())
    for _ in range(4):
        assert begun(await said(service, "T-1", "Alarm 17: disk", 0)) == []
    for n in range(4):
        assert begun(await said(service, "T-1", f"Alarm {n}: disk", n)) == []
        assert begun(await said(service, "T-1", f"it {'abcd'[n]}", n, sender="someone@else.example")) == []
        assert begun(await said(service, "T-1", f"it {'abcd'[n]}", n, author_role="agent")) == []


async def test_reports_that_come_at_once_are_counted_once(service: Service):
    facts = {"issue_key": "DISK", "opened_at": START.isoformat()}
    told = await asyncio.gather(*(service.ticket(f"T-{n}", **facts) for n in range(12)))
    assert sorted(begun(answer) for answer in told) == [[]] * 8 + [["repeated_contact"]] * 4
    ids = [r["id"] for answer in told for s in answer["situations"] for r in s["detail"]["reports"]]
    assert len(ids) == len(set(ids)) == 12
    assert await service.db.fetchval("SELECT count(*) FROM reported WHERE NOT counted") == 0
