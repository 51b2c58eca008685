"""Every real message in the folder of real data: none crashes or escalates as it is; each escalates exactly when
ESCALATE is spliced into its subject, unless it is a bounce, an auto-reply, or from an unknown sender."""

from __future__ import annotations

import email
import email.utils
from pathlib import Path

import pytest

from tests.service.conftest import FACTS, Service
from tests.service.inbound.post import REAL, send, spliced, waiting

MESSAGES = sorted(p for p in REAL.rglob("*") if p.suffix == ".eml" or p.name == "sample_output_multipart")
pytestmark = pytest.mark.skipif(not MESSAGES, reason="the real mails are not here: ../shared/data/mail")
AUTOMATIC = {
    "bad_date_header.eml": "Precedence: junk",
    "raw_email_with_mimepart_without_content_type.eml": "a bounce",
    "multi_address_bounce1.eml": "a bounce",
    "multi_address_bounce2.eml": "a bounce",
    "multipart_report_multiple_status.eml": "a bounce",
    "report_422.eml": "a bounce",
    "report_530.eml": "a bounce",
}
"""Found by reading them, not by the program under test."""
NOBODY = {
    "sample_output_multipart": "no head at all",
    "bad_encoded_subject.eml": "no From",
    "raw_email_incorrect_header.eml": "the head ends before From and Subject",
    "example13.eml": "obsolete syntax: `From  :`",
}


def senders(path: Path) -> list[str]:
    """Whoever the message says that it is from, as text that the standard library reads."""
    message = email.message_from_bytes(path.read_bytes())
    values = [str(value) for name, value in message.raw_items() if name.lower() == "from"]
    raw = [value.encode("ascii", "surrogateescape").decode("utf-8", "replace") for value in values]
    found = [address for _, address in email.utils.getaddresses(raw[:1]) if address.count("@") == 1]
    words = (found or raw or [""])[0].split()
    return [word for word in words if "@" in word][:1]


async def everybody_is_known(service: Service) -> None:
    """Each sender is a verified contact of acme's, whose ticket T-1 is."""
    contacts = sorted({address.casefold() for path in MESSAGES for address in senders(path)})
    body = {"name": "Acme", "tier": "enterprise", "contacts": contacts}
    (await service.call("root", "PUT", "/v1/customers/acme", body)).ok()


async def test_none_crashes_and_none_escalates_as_it_is(service: Service) -> None:
    await everybody_is_known(service)
    await service.ticket("T-1")
    for path in MESSAGES:
        raw = path.read_bytes()
        told = (await send(service, raw)).ok(202)
        assert told["why"] == "no_ticket", path.name
    assert (await service.call("ann", "GET", "/v1/escalations")).ok()["items"] == []
    for path in MESSAGES:
        raw = spliced(path.read_bytes(), "[T-1]", "plain")
        told = (await send(service, raw)).ok(202 if path.name in NOBODY else 201)
        assert "customer_request" not in {s["situation"] for s in told.get("situations", [])}, path.name
    assert len(await waiting(service, "?limit=500&why=no_ticket")) > 80, "some are one message in several forms"


@pytest.mark.parametrize("how", ["plain", "base64", "quoted-printable"])
async def test_each_escalates_when_it_says_so_in_its_subject(service: Service, how: str) -> None:
    await everybody_is_known(service)
    wrong = []
    for number, path in enumerate(MESSAGES):
        ticket = f"T-{number}"
        (await service.call("desk", "PUT", f"/v1/tickets/{ticket}", FACTS)).ok()
        raw = spliced(path.read_bytes(), f"ESCALATE [#{ticket}]", how)
        told = await send(service, raw)
        quiet = path.name in AUTOMATIC or path.name in NOBODY
        assert told.status == (202 if path.name in NOBODY else 201), path.name
        begun = [s["situation"] for s in told.body.get("situations", [])]
        if begun.count("customer_request") != (0 if quiet else 1):
            wrong.append((path.name, begun))
    assert wrong == []
    assert len(MESSAGES) > 100


async def test_none_escalates_from_a_sender_whom_the_customer_has_not_named(service: Service) -> None:
    await service.ticket("T-1")
    for path in MESSAGES:
        (await send(service, spliced(path.read_bytes(), "ESCALATE [T-1]", "plain"))).ok(202)
    kept = await waiting(service, "?limit=500")
    assert [each["subject"] for each in kept if each["why"] != "stranger"] == [""], "whose head ends before its subject"
    assert (await service.call("ann", "GET", "/v1/escalations")).ok()["items"] == []
