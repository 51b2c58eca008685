"""Help desks' own payloads, as they document or send them, become the facts of a ticket. A sentence, a test."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from service.config import SettingsError, load
from service.inbound.adapters import ADAPTERS
from service.inbound.adapters.told import Told, instant, priority
from service.inbound.signed import SIGNATURES
from service.routes.examples import ZENDESK
from tests.service.conftest import Answer, Service, running

WEBHOOKS = Path(__file__).parents[4] / "shared" / "data" / "webhooks"
real = pytest.mark.skipif(not WEBHOOKS.is_dir(), reason="the real payloads are not here: ../shared/data/webhooks")
JIRA = {
    "webhookEvent": "jira:issue_updated",
    "issue": {
        "key": "HELP-7",
        "fields": {
            "summary": "Checkout is down",
            "priority": {"name": "Highest"},
            "status": {"name": "Waiting for customer", "statusCategory": {"key": "indeterminate"}},
            "created": "2026-01-05T19:58:12.797+1100",
            "updated": "2026-01-05T20:58:12.797+1100",
            "assignee": None,
            "reporter": {"emailAddress": "boss@acme.example"},
            "project": {"key": "HELP", "name": "Help"},
        },
    },
}
OPSGENIE = {
    "action": "Create",
    "alert": {
        "alertId": "7ba97e3a",
        "message": "Checkout latency",
        "priority": "P2",
        "createdAt": 1767603600000,
        "details": {"customer": "acme"},
    },
}


def payload(name: str) -> Any:
    """A real one."""
    return json.loads((WEBHOOKS / name).read_text("utf-8"))


async def tell(service: Service, adapter: str, body: Any, who: str = "desk") -> Answer:
    """Hand a payload in."""
    return await service.call(who, "POST", f"/v1/inbound/{adapter}", body)


async def customer(service: Service, which: str, *contacts: str) -> None:
    """There is one of that id."""
    body = {"name": which, "tier": "enterprise", "contacts": contacts}
    (await service.call("root", "PUT", f"/v1/customers/{which}", body)).ok()


@real
async def test_zammad(service: Service) -> None:
    await customer(service, "3")
    told = (await tell(service, "zammad", payload("zammad/payload_0.json"))).ok()["ticket"]
    assert (told["id"], told["customer_id"], told["priority"], told["status"]) == ("10081", "3", "p2", "open")
    assert (told["subject"], told["assignee"]) == ("Webhook-Test", "emma@chrispresso.com")
    assert (told["opened_at"], told["updated_at"]) == ("2020-11-13T14:34:35.282000Z", "2020-11-13T14:34:35.333000Z")


async def test_zendesk_and_its_urgent_is_a_p0(service: Service) -> None:
    told = (await tell(service, "zendesk", ZENDESK)).ok()["ticket"]
    assert (told["id"], told["customer_id"], told["priority"], told["status"]) == ("35436", "acme", "p1", "open")
    urgent = ZENDESK | {"detail": {**ZENDESK["detail"], "priority": "URGENT", "updated_at": "2026-01-05T09:06:00Z"}}  # type: ignore[dict-item]
    told = (await tell(service, "zendesk", urgent)).ok()
    assert [s["situation"] for s in told["situations"]] == ["p0_outage"]
    assert told["escalation"]["level"] == 3


async def test_what_is_about_no_ticket_changes_nothing(service: Service) -> None:
    assert (await tell(service, "zendesk", ZENDESK | {"type": "zen:event-type:user.created"})).ok(202)["ignored"]


@real
async def test_freshdesk_whose_trigger_is_not_json_and_which_tells_no_instants(service: Service) -> None:
    await customer(service, "bobs", "requester-bob@example.com")
    told = (await tell(service, "freshdesk", payload("freshdesk_ticket_created.json"))).ok()["ticket"]
    assert (told["id"], told["customer_id"], told["priority"], told["status"]) == ("11", "bobs", "p1", "pending")
    assert told["description"] == "Test ticket description ☃."
    later = (await tell(service, "freshdesk", payload("freshdesk_priority_changed.json"))).ok()["ticket"]
    assert (later["priority"], later["status"], later["opened_at"]) == ("p3", "solved", told["opened_at"])


@real
async def test_pagerduty(service: Service) -> None:
    await customer(service, "PLVTM9H")
    told = (await tell(service, "pagerduty", payload("pagerduty_escalate_v3.json"))).ok()
    assert (told["ticket"]["id"], told["ticket"]["priority"], told["ticket"]["status"]) == (
        "Q3B15VLMF3ASBD",
        "p0",
        "new",
    )
    assert told["ticket"]["assignee"] == "PXRUEF2"
    assert told["escalation"]["level"] == 3


@real
async def test_no_real_payload_of_pagerduty_is_an_error_of_ours(service: Service) -> None:
    for file in sorted((WEBHOOKS / "pagerduty").iterdir()):
        assert (await tell(service, "pagerduty", payload(f"pagerduty/{file.name}"))).status in (200, 202, 400, 422)


async def test_jira_service_management(service: Service) -> None:
    told = (await tell(service, "jira", JIRA)).ok()["ticket"]
    assert (told["id"], told["customer_id"], told["priority"], told["status"]) == ("HELP-7", "acme", "p0", "pending")
    assert told["opened_at"] == "2026-01-05T08:58:12.797000Z"


async def test_opsgenie_tells_of_actions_and_what_it_leaves_out_stays(service: Service) -> None:
    told = (await tell(service, "opsgenie", OPSGENIE)).ok()["ticket"]
    assert (told["id"], told["customer_id"], told["priority"], told["status"]) == ("7ba97e3a", "acme", "p1", "new")
    assert told["opened_at"] == "2026-01-05T09:00:00Z"
    closed = {"action": "Close", "alert": {"alertId": "7ba97e3a"}}
    later = (await tell(service, "opsgenie", closed)).ok()["ticket"]
    assert (later["status"], later["priority"], later["subject"]) == ("solved", "p1", "Checkout latency")


async def test_a_customer_whom_we_do_not_know_is_named_in_the_refusal(service: Service) -> None:
    unknown = ZENDESK | {"detail": {**ZENDESK["detail"], "organization_id": "77"}}  # type: ignore[dict-item]
    answer = await tell(service, "zendesk", unknown)
    assert answer.fields() == {"customer_id"}
    assert "PUT /v1/customers/77" in answer.body["detail"]


NONSENSE: list[Any] = [
    {},
    {"ticket": 1},
    {"ticket": []},
    {"type": 1, "detail": None},
    {"event": {"data": 3}},
    {"alert": []},
    [],
    1,
    None,
]


async def test_what_it_does_not_send_is_refused(service: Service) -> None:
    for adapter in ADAPTERS:
        for body in NONSENSE:
            assert (await tell(service, adapter, body)).status in (202, 422), (adapter, body)


async def test_only_services_report_and_only_through_adapters_that_there_are(service: Service) -> None:
    (await tell(service, "zendesk", ZENDESK, "ann")).problem(403, "not_permitted")
    (await tell(service, "remedy", {})).problem(404, "not_found")


async def test_an_adapter_is_a_function_in_the_list_and_nothing_else_has_to_know_of_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def yours(payload: dict[str, Any]) -> Told | None:
        return Told(payload["case"], {"subject": payload["about"]}, ("acme",)) if "case" in payload else None

    monkeypatch.setitem(ADAPTERS, "yours", yours)
    told = (await tell(service, "yours", {"case": "C-1", "about": "Down"})).ok()["ticket"]
    assert (told["id"], told["subject"], told["customer_id"]) == ("C-1", "Down", "acme")
    assert (await tell(service, "yours", {})).ok(202)
    assert (await tell(service, "yours", {"case": "C-1"})).fields() == {""}


def test_a_help_desks_highest_priority_is_p0() -> None:
    words = ("Urgent", "1 low", "2 normal", "3 high", "P1", "P5", "Blocker", None, "strange")
    assert [priority(word) for word in words] == ["p0", "p3", "p2", "p1", "p0", "p3", "p0", None, None]
    assert instant("2026-01-05T19:58:12.797+1100") == "2026-01-05T19:58:12.797+11:00"


# Signatures -------------------------------------------------------------------------------------------------------


def test_signatures_are_those_of_the_senders_own_examples() -> None:
    stamped = {
        "X-Zendesk-Webhook-Signature": "tRDSF7URY8BLCDlaBcQ7FHu051Zk+aAB0NKMP53teMw=",
        "X-Zendesk-Webhook-Signature-Timestamp": "2021-07-25T10:00:00Z",
    }
    secret = "HRkRd4BeOAoUkfZr-mhauJT64rvBASlJRoIyPsd3zeA="
    # That example is older, and signs the body before the instant; all that they say since is the other way round.
    assert not SIGNATURES["zendesk"].holds(secret, stamped, b'{"say": "hello"}')
    stamped["X-Zendesk-Webhook-Signature"] = "Rry/4TtIdFyawtXXp8QdI6tlAUUQ/5kL1OTp5qo/ZIk="
    assert SIGNATURES["zendesk"].holds(secret, stamped, b'{"say": "hello"}')
    told = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    assert SIGNATURES["jira"].holds("It's a Secret to Everybody", {"X-Hub-Signature": told}, b"Hello World!")


STAMP = "2026-01-05T09:05:00Z"
KNOWN = "a secret between us"


def _signed(desk: str, raw: bytes, secret: str = KNOWN) -> dict[str, str]:
    """The headers with which a help desk signs, written anew from its documentation."""

    def mac(signed: bytes, how: str = "sha256") -> Any:
        return hmac.new(secret.encode(), signed, how)

    match desk:
        case "zendesk":
            told = base64.b64encode(mac(STAMP.encode() + raw).digest()).decode()
            return {"X_Zendesk_Webhook_Signature": told, "X_Zendesk_Webhook_Signature_Timestamp": STAMP}
        case "pagerduty":
            return {"X_PagerDuty_Signature": f"v1={'0' * 64}, v1={mac(raw).hexdigest()}"}
        case "zammad":
            return {"X_Hub_Signature": f"sha1={mac(raw, 'sha1').hexdigest()}"}
    return {"X_Hub_Signature": f"sha256={mac(raw).hexdigest()}"}


@pytest.mark.parametrize("desk", SIGNATURES)
async def test_where_a_secret_is_set_what_is_not_signed_with_it_is_401_key_or_no_key(
    database_url: str, desk: str
) -> None:
    async with running(database_url, **{f"{desk}_signing_secret": KNOWN}) as service:

        async def tell(who: str | None, raw: bytes, headers: dict[str, str]) -> Answer:
            return await service.call(who, "POST", f"/v1/inbound/{desk}", raw=raw, **headers)

        raw = b'{"strange": true}'  # 422 once it is signed: what is in it is another test's
        right = _signed(desk, raw)
        assert (await tell("desk", raw, right)).status == 422
        (name, value), *rest = right.items()
        wrong = ("", value.replace("=", ""), value[:-2], value.upper(), "ü", "v1=" * 100)
        for headers in ({}, _signed(desk, raw, "another secret"), *({**right, name: each} for each in wrong)):
            (await tell("desk", raw, headers)).problem(401, "bad_signature")
        (await tell("desk", raw.replace(b"true", b"null"), right)).problem(401, "bad_signature")
        for other, _ in rest:
            (await tell("desk", raw, {**right, other: STAMP.replace("05", "06")})).problem(401, "bad_signature")
        (await tell(None, raw, right)).problem(401, "no_key")
        (await tell("ann", raw, right)).problem(422, "invalid_fields")
        (await service.call("desk", "POST", "/v1/inbound/opsgenie", OPSGENIE)).ok()


async def test_a_signed_payload_is_taken_byte_for_byte_and_is_the_tickets_facts(database_url: str) -> None:
    async with running(database_url, jira_signing_secret=KNOWN) as service:
        raw = json.dumps(JIRA, indent=3).encode()
        told = (await service.call("desk", "POST", "/v1/inbound/jira", raw=raw, **_signed("jira", raw))).ok()
        assert told["ticket"]["id"] == "HELP-7"


def test_every_sender_that_signs_has_its_setting_and_no_bad_secret_is_repeated() -> None:
    for desk in SIGNATURES:
        assert getattr(load(environ={f"ESCALATION_{desk.upper()}_SIGNING_SECRET": KNOWN}), f"{desk}_signing_secret")
        with pytest.raises(SettingsError) as refusal:
            load(environ={f"ESCALATION_{desk.upper()}_SIGNING_SECRET": "hush"})
        assert "hush" not in str(refusal.value)
