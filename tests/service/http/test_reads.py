"""What is read: tickets, escalations now and then, what was said and what is left of it, customers, the roster."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from tests.service.conftest import BRIEF, FACTS, Service


async def _erase(service: Service, customer: str) -> None:
    await service.db.execute("DELETE FROM said WHERE customer_id = $1", customer)


# Tickets ----------------------------------------------------------------------------------------------------------


async def test_a_ticket_is_read_in_the_shape_in_which_it_is_reported(service: Service) -> None:
    told = (await service.call("desk", "PUT", "/v1/tickets/T-1", FACTS | {"priority": "p0"})).ok()
    read = (await service.call("ann", "GET", "/v1/tickets/T-1")).ok()
    assert read == told
    assert [s["situation"] for s in read["situations"]] == ["p0_outage"]
    assert set(read["situations"][0]) == {"situation", "at", "detail"}
    assert read["escalation"]["ticket_id"] == "T-1"


async def test_a_ticket_without_an_escalation_says_null(service: Service) -> None:
    await service.ticket("T-1", priority="p3")
    read = (await service.call("ann", "GET", "/v1/tickets/T-1")).ok()
    assert (read["situations"], read["escalation"]) == ([], None)


async def test_a_ticket_that_nobody_reported_is_nowhere(service: Service) -> None:
    for path in ("/v1/tickets/T-1", "/v1/tickets/T-1/contacts"):
        (await service.call("ann", "GET", path)).problem(404, "not_found")
    body = {"ticket_id": "T-1", "situation": "executive_visibility", "reason": "x"}
    (await service.call("ann", "POST", "/v1/escalations", body)).problem(422, "guard_failed")
    (await service.call("ann", "GET", "/v1/tickets/T-1")).problem(404, "not_found")


async def test_older_facts_are_kept_and_change_nothing(service: Service) -> None:
    newest = await service.ticket("T-1", subject="newest", updated_at="2026-01-05T10:00:00Z")
    told = await service.ticket("T-1", subject="older", priority="p0", updated_at="2026-01-05T09:00:00Z")
    assert told["ticket"] == newest["ticket"]
    assert told["situations"] == []
    assert await service.db.fetchval("SELECT count(*) FROM ticket_event WHERE stale") == 1


async def test_an_unknown_customer_is_told_by_its_field(service: Service) -> None:
    answer = await service.call("desk", "PUT", "/v1/tickets/T-1", FACTS | {"customer_id": "nobody"})
    assert answer.fields() == {"customer_id"}
    assert "PUT /v1/customers/nobody" in answer.body["detail"]


async def test_an_id_of_any_letters_is_an_id(service: Service) -> None:
    for name in ("T%201", "%C3%84%2F7", "a%3Fb", "%23", "T-1%26x%3D1"):
        (await service.call("desk", "PUT", f"/v1/tickets/{name}", FACTS)).ok()
        read = (await service.call("ann", "GET", f"/v1/tickets/{name}")).ok()
        assert read["ticket"]["subject"] == FACTS["subject"]


# Escalations, now and then ----------------------------------------------------------------------------------------


async def test_an_escalation_carries_its_version_as_etag(service: Service) -> None:
    e = await service.opened("T-1")
    answer = await service.call("aud", "GET", f"/v1/escalations/{e}")
    assert answer.headers["ETag"] == f'"{answer.ok()["version"]}"'


async def test_an_escalation_is_read_as_it_stood_at_every_instant(service: Service) -> None:
    path = ""
    stood: dict[str, Any] = {}
    e, holder = "", ""
    steps = ("open", "accept", "note", "escalate", "solve", "de_escalate", "confirm", "update", "lessons", "close")
    for n, step in enumerate(steps):
        now = f"2026-01-05T{8 + n:02}:00:00Z"
        await service.now_is(now)
        if step == "open":
            e = await service.opened("T-1")
            path = f"/v1/escalations/{e}"
            holder = (await service.call("ann", "GET", path)).ok()["handoff"]["to"]
        elif step == "solve":
            await service.ticket("T-1", status="solved")
        else:
            fields: dict[str, dict[str, Any]] = {
                "note": {"text": "seen"},
                "escalate": {"reason": "x", "brief": BRIEF},
                "de_escalate": {"criterion": "issue_resolved"},
                "confirm": {"step": "confirm_with_customer", "detail": "mail 7"},
                "update": {"step": "update_ticket"},
                "lessons": {"step": "document_lessons", "detail": "pool too small", "tags": ["pattern"]},
            }
            trigger = {"confirm": "complete_step", "update": "complete_step", "lessons": "complete_step"}.get(
                step, step
            )
            who = "vic" if step in ("de_escalate", "confirm", "update", "lessons", "close") else holder
            (await service.act(who, e, trigger, **fields.get(step, {}))).ok(201)
        stood[now] = (await service.call("ann", "GET", path)).ok()
    for now, then in stood.items():
        assert (await service.call("ann", "GET", f"{path}?as_of={now}")).ok() == then
        between = now.replace(":00:00Z", ":59:59.999999Z")
        assert (await service.call("ann", "GET", f"{path}?as_of={between}")).ok() == then
    assert stood["2026-01-05T17:00:00Z"]["steps"]["document_lessons"]["detail"] == "pool too small"
    (await service.call("ann", "GET", f"{path}?as_of=2026-01-05T07:59:59.999999Z")).problem(404, "not_found")


async def test_as_of_reads_any_offset(service: Service) -> None:
    await service.now_is("2026-01-05T10:00:00Z")
    e = await service.opened("T-1")
    (await service.call("ann", "GET", f"/v1/escalations/{e}?as_of=2026-01-05T12:00:00%2B02:00")).ok()
    (await service.call("ann", "GET", f"/v1/escalations/{e}?as_of=2026-01-05T11:59:59%2B02:00")).problem(
        404, "not_found"
    )


# What was said ----------------------------------------------------------------------------------------------------


async def test_what_a_customer_wrote_is_read_and_gone_after_an_erasure(service: Service) -> None:
    await service.ticket("T-1")
    contact = {
        "channel": "reply",
        "sender": "BOSS@acme.example ",
        "author_role": "customer",
        "subject": "s",
        "body": "b",
    }
    (await service.call("desk", "POST", "/v1/tickets/T-1/contacts", contact)).ok(201)
    [read] = (await service.call("aud", "GET", "/v1/tickets/T-1/contacts")).ok()["items"]
    assert (read["subject"], read["body"], read["verified"], read["by"]) == ("s", "b", True, "desk")
    await _erase(service, "acme")
    [left] = (await service.call("aud", "GET", "/v1/tickets/T-1/contacts")).ok()["items"]
    assert left == {name: value for name, value in read.items() if name not in ("subject", "body")}


async def test_history_without_its_texts_keeps_every_hash(service: Service) -> None:
    e = await service.opened("T-1")
    (await service.act("ann", e, "note", text="our secret")).ok(201)
    before = (await service.call("ann", "GET", f"/v1/history?escalation_id={e}")).ok()["items"]
    assert before[-1]["detail"]["text"] == "our secret"
    assert before[1]["detail"]["brief"]["issue"] == BRIEF["issue"]
    await _erase(service, "acme")
    after = (await service.call("ann", "GET", f"/v1/history?escalation_id={e}")).ok()["items"]
    assert [t["hash"] for t in after] == [t["hash"] for t in before]
    assert "text" not in after[-1]["detail"]
    assert "brief" not in after[1]["detail"]
    assert all(t["reason"] for t in after)
    stood = (await service.call("ann", "GET", f"/v1/escalations/{e}?as_of={after[-1]['at']}")).ok()
    assert stood == (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()


async def test_a_refused_channel_is_told_and_the_report_counts(service: Service) -> None:
    await service.ticket("T-1", customer_id="solo")
    contact = {"channel": "call", "sender": "boss@solo.example", "author_role": "customer", "body": "b"}
    told = (await service.call("desk", "POST", "/v1/tickets/T-1/contacts", contact)).ok(201)
    assert [refused["guard"] for refused in told["refused"]] == ["channel_allowed"]
    assert told["escalation"] is None
    [kept] = (await service.call("ann", "GET", "/v1/tickets/T-1/contacts")).ok()["items"]
    assert kept["id"] == told["contact"]["id"]
    assert len((await service.call("ann", "GET", "/v1/denials")).ok()["items"]) == 1


# Customers and people ---------------------------------------------------------------------------------------------


async def test_a_customers_contacts_are_casefolded_and_each_once(service: Service) -> None:
    contacts = ["Boss@Acme.example", "boss@acme.example ", "STRASSE@ẞ.example", "strasse@ss.example"]
    body = {"name": "Acme", "tier": "enterprise", "contacts": contacts}
    told = (await service.call("desk", "PUT", "/v1/customers/acme", body)).ok()
    assert told["contacts"] == ["boss@acme.example", "strasse@ss.example"]
    assert (await service.call("aud", "GET", "/v1/customers/acme")).ok() == told


async def test_putting_a_customer_replaces_all_of_them(service: Service) -> None:
    full = {"name": "New", "tier": "enterprise", "account_manager": "amy", "contacts": ["a@b.c"], "language": "de"}
    (await service.call("ann", "PUT", "/v1/customers/new", full)).ok()
    told = (await service.call("ann", "PUT", "/v1/customers/new", {"name": "New", "tier": "starter"})).ok()
    nobody: dict[str, object] = {"account_manager": None, "contacts": [], "language": None}
    assert told == {"id": "new", "name": "New", "tier": "starter"} | nobody


async def test_an_escalation_keeps_the_tier_under_which_it_was_opened(service: Service) -> None:
    e = await service.opened("T-1")
    (await service.call("desk", "PUT", "/v1/customers/acme", {"name": "Acme", "tier": "starter"})).ok()
    assert (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["tier"] == "enterprise"


@pytest.mark.parametrize(
    "on_duty",
    [True, False, [{"from": "2026-01-05T08:00:00Z", "until": "2026-01-05T16:00:00Z"}]],
    ids=["on", "off", "in windows"],
)
async def test_somebody_is_on_duty_as_they_were_put(service: Service, on_duty: Any) -> None:
    body = {"name": "Zoe", "level": 2, "on_duty": on_duty, "email": " zoe@support.example ", "slack": "U1"}
    told = (await service.call("root", "PUT", "/v1/people/zoe", body)).ok()
    assert told == {**body, "id": "zoe", "email": "zoe@support.example", "active": True}
    assert (await service.call("ann", "GET", "/v1/people/zoe")).ok() == told


async def test_who_is_on_duty_in_windows_is_offered_only_in_them(service: Service) -> None:
    for who in ("mia", "mo"):
        (await service.call("root", "PUT", f"/v1/people/{who}", {"name": who, "level": 2, "on_duty": False})).ok()
    spans = [{"from": "2026-01-05T10:00:00+02:00", "until": "2026-01-05T16:00:00Z"}]
    (await service.call("root", "PUT", "/v1/people/zoe", {"name": "Zoe", "level": 2, "on_duty": spans})).ok()
    for n, (now, to) in enumerate(
        [
            ("2026-01-05T07:59:59Z", "dan"),
            ("2026-01-05T08:00:00Z", "zoe"),
            ("2026-01-05T15:59:59Z", "zoe"),
            ("2026-01-05T16:00:00Z", "dan"),
        ]
    ):
        await service.now_is(now)
        e = await service.opened(f"T-{n}")
        assert (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["handoff"]["to"] == to


async def test_whoever_is_retired_is_offered_nothing(service: Service) -> None:
    (
        await service.call("root", "PUT", "/v1/people/mia", {"name": "M", "level": 2, "on_duty": True, "active": False})
    ).ok()
    e = await service.opened("T-1")
    assert (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["handoff"]["to"] == "mo"
    assert (await service.call("ann", "GET", "/v1/people/mia")).ok()["active"] is False


async def test_an_offer_passes_on_when_whoever_has_it_goes_off_duty(service: Service) -> None:
    e = await service.opened("T-1")
    path = f"/v1/escalations/{e}"
    assert (await service.call("ann", "GET", path)).ok()["handoff"]["to"] == "mia"
    off = {"name": "Mia", "level": 2, "on_duty": False}
    (await service.call("root", "PUT", "/v1/people/mia", off, X_Request_Id="r-off")).ok()
    assert (await service.call("ann", "GET", path)).ok()["handoff"]["to"] == "mo"
    [row] = (await service.call("ann", "GET", "/v1/history?trigger=decline")).ok()["items"]
    assert (row["actor"], row["reason"], row["request_id"]) == ("clock", "went_off_duty", "r-off")


async def test_an_owner_is_reminded_once_at_the_end_of_their_shift(service: Service) -> None:
    e, holder = await service.held("T-1")
    off = {"name": "M", "level": 2, "on_duty": False}
    for _ in range(2):
        (await service.call("root", "PUT", f"/v1/people/{holder}", off)).ok()
    [row] = (await service.call("ann", "GET", "/v1/history?trigger=remind")).ok()["items"]
    assert (row["escalation_id"], row["reason"]) == (e, "shift_ended")
    assert (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["owner"] == holder


async def test_whoever_comes_on_duty_is_offered_what_was_offered_to_nobody(service: Service) -> None:
    levels = {"mia": 2, "mo": 2, "dan": 3, "vic": 4}
    for who, level in levels.items():
        (await service.call("root", "PUT", f"/v1/people/{who}", {"name": who, "level": level, "on_duty": False})).ok()
    e = await service.opened("T-1")
    path = f"/v1/escalations/{e}"
    assert (await service.call("ann", "GET", path)).ok()["handoff"]["to"] is None
    (await service.call("root", "PUT", "/v1/people/dan", {"name": "Dan", "level": 3, "on_duty": True})).ok()
    assert (await service.call("ann", "GET", path)).ok()["handoff"]["to"] == "dan"


async def test_a_change_that_is_none_of_duty_changes_no_escalation(service: Service) -> None:
    e = await service.opened("T-1")
    before = (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()
    (await service.call("root", "PUT", "/v1/people/mia", {"name": "Mia M", "level": 2, "on_duty": True})).ok()
    assert (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok() == before


@pytest.mark.parametrize("path", ["/v1/customers/nobody", "/v1/people/nobody"])
async def test_who_is_not_there_is_nowhere(service: Service, path: str) -> None:
    (await service.call("ann", "GET", path)).problem(404, "not_found")


# Without a database -----------------------------------------------------------------------------------------------


async def test_without_a_database_a_read_is_503_and_says_when_to_come_back(service: Service) -> None:
    name = service.database_url.rpartition("/")[2]
    (await service.call("ann", "GET", "/v1/history")).ok()
    owner = await asyncpg.connect(service.database_url.rpartition("/")[0] + "/postgres")
    try:
        await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        for path in ("/v1/history", "/v1/escalations", "/v1/people"):
            (await service.call("ann", "GET", path)).problem(503, "unavailable")
        answer = await service.call(None, "GET", "/readyz")
        assert (answer.status, answer.body["status"]) == (503, "not_ready")
        assert answer.headers["Retry-After"]
        assert not answer.body["checks"]["database"]["ok"]
        assert (await service.call(None, "GET", "/healthz")).ok() == {"status": "ok"}
        await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        (await service.call("ann", "GET", "/v1/history")).ok()
    finally:
        await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await owner.close()
