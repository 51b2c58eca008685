"""What stood open at an instant, by the page and by the list that it asks."""

from __future__ import annotations

from tests.service.conftest import BRIEF, Service
from tests.service.console.conftest import as_


async def test_what_stood_open_at_an_instant_is_told_with_its_level_and_holder(service: Service) -> None:
    await service.now_is("2026-01-05T09:00:00Z")
    e, owner = await service.held("AO-1")
    await service.now_is("2026-01-05T10:00:00Z")
    await service.opened("AO-2")
    (await service.act(owner, e, "escalate", reason="Beyond us", brief=BRIEF)).ok(201)
    browser = await as_(service, "aud")
    page = await browser.get("/history?as_of=2026-01-05T09%3A30")
    assert f"AO-1 L2 {owner} –" in page.words
    assert "AO-2" not in page.words
    page = await browser.get("/history?as_of=2026-01-05T10%3A00%3A00Z")
    assert f"AO-1 L3 {owner} dan" in page.words
    assert "AO-2" in page.words
    assert "AO-1" not in (await browser.get("/history?as_of=2026-01-05T10%3A00&level=2")).words
    assert "Nothing was open then" in (await browser.get("/history?as_of=2026-01-04")).words


async def test_what_was_closed_by_then_is_not_among_what_stood_open(service: Service) -> None:
    await service.now_is("2026-01-05T09:00:00Z")
    e, _ = await service.held("CL-1")
    listed = await service.call("aud", "GET", "/v1/escalations?live=true&as_of=2026-01-05T09:00:00Z")
    assert [each["id"] for each in listed.ok()["items"]] == [e]
    for live, found in (("true", [e]), ("false", [])):
        listed = await service.call("aud", "GET", f"/v1/escalations?live={live}")
        assert [each["id"] for each in listed.ok()["items"]] == found
    await service.now_is("2026-01-05T10:00:00Z")
    facts = {"customer_id": "beta", "priority": "p0", "outage": True, "opened_at": "2026-01-05T10:00:00Z"}
    told = await service.ticket("CL-2", **facts)
    await service.now_is("2026-01-05T10:10:00Z")
    await service.ticket("CL-2", **facts, status="solved", updated_at="2026-01-05T10:10:00Z")
    gone = told["escalation"]["id"]
    at = {"10:05": [gone, e], "10:15": [e]}
    for minute, found in at.items():
        listed = await service.call("aud", "GET", f"/v1/escalations?live=true&as_of=2026-01-05T{minute}:00Z")
        assert [each["id"] for each in listed.ok()["items"]] == found
