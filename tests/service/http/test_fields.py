"""Every field of every body: what it must be, and that a refusal names it. The table is written by hand."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import fields as fields_of

from machines.escalation import RULES
from service.routes import customers, people, requests, tickets
from service.routes.examples import BULK, CONTACT, CUSTOMER, PERSON, REQUEST, TICKET, TRANSITIONS
from tests.service.conftest import BRIEF, FACTS, Answer, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

BAD_INSTANTS = [
    "2026-01-05T09:00:00",
    "2026-01-05",
    "09:00:00Z",
    "2026-13-05T09:00:00Z",
    "2026-02-29T09:00:00Z",
    "2026-01-05T24:00:00Z",
    "2026-01-05T23:59:60Z",
    "2026-01-05T09:00:00+25:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59Z",
    "tomorrow",
    "",
    1767603600,
    1767603600.5,
    True,
    [],
    {},
]
NO_TEXT: list[Any] = [7, 1.5, True, [], {}]
WRONG: dict[str, list[Any]] = {
    "text": NO_TEXT,
    "id": [*NO_TEXT, "", "x" * 201, "a\r\nBcc: x@y.z", "a\tb", "\x7f"],
    "whom or which": [*NO_TEXT, "", "x" * 201],
    "line": [*NO_TEXT, "x" * 1001],
    "long text": [*NO_TEXT, "x" * 10_001],
    "body": [*NO_TEXT, "x" * 100_001],
    "word": [*NO_TEXT, "", "Not A Word", "x" * 65, "a-b"],
    "choice": [*NO_TEXT, "", "nonsense", "P1"],
    "instant": BAD_INSTANTS,
    "switch": ["yes", "true", 1, 0, [], {}],
    "level": ["1", 1.5, True, [], {}, -1, 5, 2**63 - 1],
    "list of ids": ["x", 7, {}, [7], [""], ["x" * 201], [None], ["x"] * 101],
    "emails": ["a@b.c", 7, {}, [7], [""], ["no address"], ["a@b@c"], ["a b@c.d"], ["<a@b.c>"], ["a@b.c\r\nBcc: x@y.z"]],
    "email": [*NO_TEXT, "", "no address", "a@b@c", "a@b.c\r\nBcc: x@y.z", "a@" + "b" * 253],
    "tags": ["pattern", 7, {}, [7], ["nonsense"], ["pattern"] * 4],
    "brief": ["text", 7, True, []],
    "object": ["text", 7, True, []],
    "language": [*NO_TEXT, "", "d", "DE", "de-DE", "german"],
    "duty": ["yes", 7, {}, [7], [{}], [{"from": "2026-01-05T09:00:00Z"}]],
}
TICKET_FIELDS = {
    "customer_id": "id",
    "priority": "choice",
    "status": "choice",
    "subject": "line",
    "opened_at": "instant",
    "description": "body",
    "first_responded_at": "instant",
    "resolved_at": "instant",
    "updated_at": "instant",
    "assignee": "id",
    "issue_key": "id",
    "product": "id",
    "outage": "switch",
    "merged_into": "id",
    "tags": "list of ids",
    "sla": "object",
}
CONTACT_FIELDS = {
    "channel": "choice",
    "sender": "id",
    "author_role": "choice",
    "at": "instant",
    "subject": "line",
    "body": "body",
    "request": "switch",
}
REQUEST_FIELDS = {"ticket_id": "id", "situation": "id", "reason": "long text", "brief": "brief", "level": "level"}
CUSTOMER_FIELDS = {
    "name": "line",
    "tier": "choice",
    "account_manager": "id",
    "contacts": "emails",
    "language": "language",
}
PERSON_FIELDS = {
    "name": "line",
    "level": "level",
    "on_duty": "duty",
    "email": "email",
    "slack": "id",
    "active": "switch",
}
BRIEF_FIELDS = {"issue": "long text", "reason": "long text", "current_status": "long text", "needed": "long text"}
TRIGGER_FIELDS: dict[str, dict[str, str]] = {
    "engage": {"level": "level", "brief": "brief"},
    "withdraw": {"criterion": "choice", "evidence": "whom or which"},
    "escalate": {"reason": "long text", "brief": "brief", "level": "level", "code": "word"},
    "de_escalate": {"criterion": "choice", "evidence": "whom or which"},
    "resume": {"reason": "long text"},
    "step_down": {"level": "level", "brief": "brief"},
    "close": {},
    "brief": {"to": "whom or which", **BRIEF_FIELDS},
    "accept": {},
    "decline": {"reason": "long text"},
    "reassign": {"to": "whom or which", "reason": "long text"},
    "join": {"reason": "long text", "person": "whom or which"},
    "disengage": {"person": "whom or which"},
    "dismiss_situation": {"situation": "word", "reason": "long text"},
    "act": {"authority": "word", "detail": "long text"},
    "complete_step": {"step": "choice", "detail": "long text", "tags": "tags"},
    "update_customer": {"text": "long text", "workaround": "long text"},
    "note": {"text": "long text"},
}
BODIES: dict[str, tuple[str, str, str, dict[str, Any], dict[str, str], Any]] = {
    "ticket": ("desk", "PUT", "/v1/tickets/T-9", TICKET, TICKET_FIELDS, tickets.TicketFacts),
    "contact": ("desk", "POST", "/v1/tickets/T-1/contacts", CONTACT, CONTACT_FIELDS, tickets.ContactFacts),
    "request": ("ann", "POST", "/v1/escalations", REQUEST, REQUEST_FIELDS, requests.RequestFields),
    "customer": ("root", "PUT", "/v1/customers/new", CUSTOMER, CUSTOMER_FIELDS, customers.CustomerFields),
    "person": ("root", "PUT", "/v1/people/new", PERSON, PERSON_FIELDS, people.PersonFields),
}
REQUIRED = {
    "ticket": {"customer_id", "priority", "status", "subject", "opened_at"},
    "contact": {"channel", "sender", "author_role"},
    "request": {"ticket_id", "situation", "reason"},
    "customer": {"name", "tier"},
    "person": {"name", "level", "on_duty"},
}
CONTRACT_REQUIRED = {
    "escalate": {"reason", "brief"},
    "withdraw": {"criterion"},
    "de_escalate": {"criterion"},
    "resume": {"reason"},
    "step_down": {"level", "brief"},
    "brief": {"to", "issue", "reason", "current_status", "needed"},
    "decline": {"reason"},
    "reassign": {"to", "reason"},
    "join": {"reason"},
    "dismiss_situation": {"situation", "reason"},
    "act": {"authority", "detail"},
    "complete_step": {"step"},
    "update_customer": {"text"},
    "note": {"text"},
}
FORGED = ("state", "owner", "version", "policy_version", "id", "level_", "__proto__", "", "Trigger")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(shared_service: Service) -> tuple[Service, str]:
    """A ticket T-1, and its escalation."""
    await shared_service.now_is("2026-01-05T12:00:00Z")
    return shared_service, await shared_service.opened("T-1")


async def _send(stage: tuple[Service, str], name: str, /, **changes: Any) -> Answer:
    service, escalation = stage
    if name in TRIGGER_FIELDS:
        path = f"/v1/escalations/{escalation}/transitions"
        return await service.call("ann", "POST", path, TRANSITIONS[name] | changes)
    who, method, path, example, _, _ = BODIES[name]
    return await service.call(who, method, path, example | changes)


FIELDS = [(name, field) for name, (*_, table, _) in BODIES.items() for field in table]
TRIGGERS = [(trigger, field) for trigger, table in TRIGGER_FIELDS.items() for field in table]


@pytest.mark.parametrize(("name", "field"), FIELDS + TRIGGERS)
async def test_a_wrong_value_is_told_by_its_field(stage: tuple[Service, str], name: str, field: str) -> None:
    kind = (TRIGGER_FIELDS[name] if name in TRIGGER_FIELDS else BODIES[name][4])[field]
    for value in WRONG[kind]:
        named = (await _send(stage, name, **{field: value})).fields()
        assert named
        assert all(told == field or told.startswith((f"{field}.", f"{field}[")) for told in named), (value, named)


@pytest.mark.parametrize("name", [*BODIES, *TRIGGER_FIELDS])
async def test_every_missing_field_is_told_at_once(stage: tuple[Service, str], name: str) -> None:
    service, escalation = stage
    if name in TRIGGER_FIELDS:
        wanted = CONTRACT_REQUIRED.get(name, set())
        path = f"/v1/escalations/{escalation}/transitions"
        answer = await service.call("ann", "POST", path, {"trigger": name, "nonsense": 1})
    else:
        wanted = REQUIRED[name]
        who, method, path = BODIES[name][:3]
        answer = await service.call(who, method, path, {"nonsense": 1})
    assert answer.fields() == {*wanted, "nonsense"}


@pytest.mark.parametrize("forged", FORGED)
async def test_an_unknown_field_is_refused_everywhere(stage: tuple[Service, str], forged: str) -> None:
    for name in (*BODIES, *TRIGGER_FIELDS):
        assert (await _send(stage, name, **{forged: "closed"})).fields() == {forged}, name


@pytest.mark.parametrize("field", BRIEF_FIELDS)
async def test_a_brief_inside_another_trigger_is_checked_field_by_field(stage: tuple[Service, str], field: str) -> None:
    for name in ("request", "engage", "escalate", "step_down"):
        left = {key: text for key, text in BRIEF.items() if key != field}
        assert (await _send(stage, name, brief=left)).fields() == {f"brief.{field}"}
        assert (await _send(stage, name, brief=BRIEF | {field: 7})).fields() == {f"brief.{field}"}
        assert (await _send(stage, name, brief=BRIEF | {"to": "mia"})).fields() == {"brief.to"}


@pytest.mark.parametrize("field", BRIEF_FIELDS)
async def test_an_over_long_brief_is_refused(stage: tuple[Service, str], field: str) -> None:
    answer = await _send(stage, "escalate", brief=BRIEF | {field: "x" * 10_001})
    assert answer.fields() == {f"brief.{field}"}


@pytest.mark.parametrize("instant", BAD_INSTANTS)
async def test_a_bad_instant_inside_another_field_is_told_by_its_path(stage: tuple[Service, str], instant: Any) -> None:
    for field in ("first_response_by", "resolution_by"):
        assert (await _send(stage, "ticket", sla={field: instant})).fields() == {f"sla.{field}"}
    span = {"from": "2026-01-05T08:00:00Z", "until": "2026-01-05T16:00:00Z"}
    for end in ("from", "until"):
        told = (await _send(stage, "person", on_duty=[span, span | {end: instant}])).fields()
        assert told == {f"on_duty[1].{end}"}


async def test_a_span_of_duty_ends_after_it_begins(stage: tuple[Service, str]) -> None:
    at = "2026-01-05T08:00:00Z"
    assert (await _send(stage, "person", on_duty=[{"from": at, "until": at}])).fields() == {"on_duty[0].until"}


async def test_every_wrong_field_is_told_not_the_first(stage: tuple[Service, str]) -> None:
    answer = await _send(stage, "ticket", priority="p9", outage="yes", opened_at="soon", state="l4")
    assert answer.fields() == {"priority", "outage", "opened_at", "state"}
    answer = await _send(stage, "escalate", reason=7, level=9, owner="ann", brief={})
    assert answer.fields() == {"reason", "level", "owner", *(f"brief.{name}" for name in BRIEF)}


async def test_a_refusal_says_what_there_is(stage: tuple[Service, str]) -> None:
    told = (await _send(stage, "ticket", priority="p9", prio="p1")).problem(422, "invalid_fields")
    by_field = {problem["field"]: problem["message"] for problem in told["problems"]}
    assert by_field["priority"] == "must be one of p0, p1, p2, p3"
    assert "priority" in by_field["prio"]
    for field, value, message in (
        ("assignee", "a\nb", "must be text without control characters"),
        ("opened_at", "soon", "must be an instant with its offset, like 2026-01-05T09:00:00Z"),
        ("outage", "yes", "must be true or false, not text"),
        ("tags", ["x", 7], "must be text, not an integer"),
    ):
        assert (await _send(stage, "ticket", **{field: value})).body["problems"][0]["message"] == message
    told = (await _send(stage, "customer", contacts=["nobody"])).body["problems"]
    assert told == [{"field": "contacts[0]", "message": "must be an address like ann@support.example"}]


async def test_instants_come_back_in_utc(stage: tuple[Service, str]) -> None:
    service, _ = stage
    facts = FACTS | {"opened_at": "2026-01-05T10:30:00+02:30", "sla": {"resolution_by": "2026-01-05T23:00:00-01:00"}}
    ticket = (await service.call("desk", "PUT", "/v1/tickets/T-utc", facts)).ok()["ticket"]
    assert ticket["opened_at"] == "2026-01-05T08:00:00Z"
    assert ticket["sla"] == {"resolution_by": "2026-01-06T00:00:00Z"}


async def test_an_absent_optional_field_and_null_are_the_same(stage: tuple[Service, str]) -> None:
    service, _ = stage
    plain = (await service.call("desk", "PUT", "/v1/tickets/T-null", FACTS)).ok()["ticket"]
    nulls = dict.fromkeys(set(TICKET_FIELDS) - FACTS.keys())
    assert (await service.call("desk", "PUT", "/v1/tickets/T-null", FACTS | nulls)).ok()["ticket"] == plain


@pytest.mark.parametrize("name", BODIES)
async def test_the_table_names_the_fields_that_there_are(name: str) -> None:
    table, kind = BODIES[name][4], BODIES[name][5]
    assert set(table) == {f.encode_name for f in fields_of(kind)}


async def test_the_table_names_the_triggers_that_may_be_called_and_their_fields() -> None:
    callable_ = {trigger: rule.fields for trigger, rule in RULES.items() if rule.fields is not None}
    assert {t: set(f) for t, f in TRIGGER_FIELDS.items()} == {
        t: {f.encode_name for f in fields_of(kind)} for t, kind in callable_.items()
    }


async def test_the_examples_of_the_contract_are_taken(stage: tuple[Service, str]) -> None:
    service, escalation = stage
    for name in ("customer", "person", "ticket", "contact", "request"):
        answer = await _send(stage, name)
        assert answer.status in (200, 201), (name, answer.raw)
    path = f"/v1/escalations/{escalation}/transitions?dry_run=true"
    for trigger in TRIGGER_FIELDS:
        answer = await service.call("ann", "POST", path, TRANSITIONS[trigger])
        assert answer.status == 201 or answer.body["code"] in ("no_such_move", "not_permitted", "guard_failed")
    assert (await service.call("ann", "POST", "/v1/transitions", BULK)).ok()["items"][0]["status"] == 404
