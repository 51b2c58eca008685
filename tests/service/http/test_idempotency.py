"""Idempotency-Key: the same key and body is one change and one answer, byte for byte."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.service.conftest import BRIEF, FACTS, Service

NOTE = {"trigger": "note", "text": "seen"}


async def _rows(service: Service, table: str) -> int:
    return int(await service.db.fetchval(f"SELECT count(*) FROM {table}"))


async def test_the_same_key_and_body_is_answered_byte_for_byte(service: Service) -> None:
    e = await service.opened("T-1")
    first = await service.act("ann", e, "note", text="seen", Idempotency_Key="k")
    again = await service.act("ann", e, "note", text="seen", Idempotency_Key="k")
    assert (first.status, again.status) == (201, 201)
    assert again.raw == first.raw
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["ETag"] == first.headers["ETag"]
    assert len((await service.call("ann", "GET", "/v1/history?trigger=note")).ok()["items"]) == 1


@pytest.mark.parametrize(
    ("trigger", "fields", "status"),
    [
        ("act", {"authority": "modify_contract", "detail": "x"}, 403),
        ("close", {}, 409),
        ("note", {"text": " "}, 422),
        ("note", {"state": "closed"}, 422),
    ],
)
async def test_a_refusal_is_answered_again_and_denied_once(
    service: Service, trigger: str, fields: dict[str, Any], status: int
) -> None:
    e = await service.opened("T-1")
    first = await service.act("lee", e, trigger, **fields, Idempotency_Key="k")
    denials = await _rows(service, "denial")
    again = await service.act("lee", e, trigger, **fields, Idempotency_Key="k")
    assert (first.status, again.status) == (status, status)
    assert again.raw == first.raw
    assert again.headers["Content-Type"].startswith("application/problem+json")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await _rows(service, "denial") == denials == (0 if "state" in fields else 1)


async def test_the_order_of_keys_in_a_body_is_no_other_body(service: Service) -> None:
    e = await service.opened("T-1")
    path = f"/v1/escalations/{e}/transitions"
    first = await service.call("ann", "POST", path, raw=b'{"trigger": "note", "text": "x"}', Idempotency_Key="k")
    again = await service.call("ann", "POST", path, raw=b'{"text":"x","trigger":"note"}', Idempotency_Key="k")
    assert again.raw == first.raw


async def test_the_same_key_for_another_request_is_422(service: Service) -> None:
    e, other = await service.opened("T-1"), await service.opened("T-2")
    (await service.act("ann", e, "note", text="seen", Idempotency_Key="k")).ok(201)
    (await service.act("ann", e, "note", text="other", Idempotency_Key="k")).problem(422, "key_reused")
    (await service.act("ann", other, "note", text="seen", Idempotency_Key="k")).problem(422, "key_reused")
    answer = await service.act("ann", e, "note", text="seen", Idempotency_Key="k", X_On_Behalf_Of="lee")
    answer.problem(422, "key_reused")
    (await service.act("ann", e, "note", text="seen", Idempotency_Key="k")).ok(201)


async def test_a_key_belongs_to_its_principal(service: Service) -> None:
    e = await service.opened("T-1")
    for who in ("ann", "lee"):
        answer = await service.act(who, e, "note", text="seen", Idempotency_Key="k")
        assert answer.ok(201)["transition"]["actor"] == who
        assert "Idempotency-Replayed" not in answer.headers


async def test_a_stored_answer_comes_before_if_match_and_guards(service: Service) -> None:
    e = await service.opened("T-1")
    seen = (await service.call("ann", "GET", f"/v1/escalations/{e}")).headers["ETag"]
    first = await service.act("ann", e, "note", text="seen", Idempotency_Key="k", If_Match=seen)
    (await service.act("ann", e, "note", text="more")).ok(201)
    again = await service.act("ann", e, "note", text="seen", Idempotency_Key="k", If_Match=seen)
    assert (first.status, again.raw) == (201, first.raw)


async def test_a_stale_version_is_stored_like_every_decision(service: Service) -> None:
    e = await service.opened("T-1")
    first = await service.act("ann", e, "note", text="seen", Idempotency_Key="k", If_Match='"1"')
    first.problem(412, "stale_version")
    again = await service.act("ann", e, "note", text="seen", Idempotency_Key="k", If_Match='"1"')
    assert again.raw == first.raw


async def test_what_the_engine_did_not_decide_is_not_stored(service: Service) -> None:
    e = await service.opened("T-1")
    path = f"/v1/escalations/{e}/transitions"
    (await service.call("ann", "POST", path, raw=b"{", Idempotency_Key="k")).problem(400, "unreadable")
    (await service.call(None, "POST", path, NOTE, Idempotency_Key="k")).problem(401, "no_key")
    answer = await service.call(
        None, "POST", path, NOTE, Idempotency_Key="k", Authorization="Bearer esk_0123456789abcdef_secret"
    )
    answer.problem(401, "unknown_key")
    (await service.call("ann", "POST", path, raw=b" " * 2_000_000, Idempotency_Key="k")).problem(413, "too_large")
    assert await _rows(service, "answered") == 0
    (await service.call("ann", "POST", path, NOTE, Idempotency_Key="k")).ok(201)


async def test_every_post_takes_a_key(service: Service) -> None:
    contact = {"channel": "call", "sender": "boss@acme.example", "author_role": "customer"}
    request = {"ticket_id": "T-1", "situation": "executive_visibility", "reason": "x", "brief": BRIEF}
    await service.ticket("T-1")
    for n, (who, path, body) in enumerate(
        [("desk", "/v1/tickets/T-1/contacts", contact), ("ann", "/v1/escalations", request)]
    ):
        first = await service.call(who, "POST", path, body, Idempotency_Key=f"k{n}")
        again = await service.call(who, "POST", path, body, Idempotency_Key=f"k{n}")
        assert (first.status, again.raw) == (201, first.raw), first.raw
        assert again.headers["Idempotency-Replayed"] == "true"
    assert await _rows(service, "contact") == 1
    assert await _rows(service, "escalation") == 1


async def test_each_item_of_a_bulk_has_a_key_of_its_own(service: Service) -> None:
    e = await service.opened("T-1")
    items = [{"escalation_id": e, "trigger": "note", "text": f"{n}"} for n in range(3)]
    first = await service.call("ann", "POST", "/v1/transitions", items, Idempotency_Key="k")
    again = await service.call("ann", "POST", "/v1/transitions", items, Idempotency_Key="k")
    assert again.raw == first.raw
    keys = {row[0] for row in await service.db.fetch("SELECT key FROM answered")}
    assert keys == {"k/0", "k/1", "k/2"}
    swapped = await service.call("ann", "POST", "/v1/transitions", items[::-1], Idempotency_Key="k")
    assert [item["status"] for item in swapped.ok()["items"]] == [422, 201, 422]


async def test_64_callers_with_one_key_are_one_change(service: Service) -> None:
    e = await service.opened("T-1")
    told = await asyncio.gather(*(service.act("ann", e, "note", text="seen", Idempotency_Key="k") for _ in range(64)))
    assert {answer.status for answer in told} == {201}
    assert len({answer.raw for answer in told}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in told) == 1


async def test_a_key_is_kept_for_48_hours(service: Service) -> None:
    await service.now_is("2026-01-05T09:00:00Z")
    e = await service.opened("T-1")
    first = await service.act("ann", e, "note", text="seen", Idempotency_Key="k")
    await service.now_is("2026-01-07T08:59:59Z")
    assert (await service.act("ann", e, "note", text="seen", Idempotency_Key="k")).raw == first.raw
    await service.now_is("2026-01-07T09:00:01Z")
    later = await service.act("ann", e, "note", text="seen", Idempotency_Key="k")
    assert later.ok(201)["transition"]["seq"] > first.body["transition"]["seq"]


async def test_a_dry_run_is_stored_nowhere(service: Service) -> None:
    e = await service.opened("T-1")
    (await service.act("ann", e, "note", text="seen", dry_run=True, Idempotency_Key="k")).ok(201)
    assert await _rows(service, "answered") == 0
    answer = await service.act("ann", e, "note", text="seen", Idempotency_Key="k")
    assert "Idempotency-Replayed" not in answer.headers


async def test_a_put_may_be_repeated_without_a_key(service: Service) -> None:
    facts = FACTS | {"updated_at": "2026-01-05T08:30:00Z"}
    first = (await service.call("desk", "PUT", "/v1/tickets/T-1", facts)).ok()
    assert (await service.call("desk", "PUT", "/v1/tickets/T-1", facts)).ok() == first
