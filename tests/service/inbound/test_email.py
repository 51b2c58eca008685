"""`POST /v1/inbound/email`, as the contract and `domain.md` read it. A sentence, a test."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from service import housekeeping
from service.config import Settings
from service.housekeeping import tidy
from service.inbound.threads import Planned, message_id, ours
from service.submit import HOUSE
from tests.service.conftest import Service
from tests.service.inbound.post import BOSS, encoded, send, waiting, written


async def contacts(service: Service, ticket: str = "T-1") -> list[dict[str, Any]]:
    """What was said on a ticket."""
    return list((await service.call("ann", "GET", f"/v1/tickets/{ticket}/contacts")).ok()["items"])


@pytest.mark.parametrize("subject", ["Re: [T-1] Down", "[#T-1] Down", "Re: [list] [ #T-1 ] Down", "[T-9] [T-1]"])
async def test_a_mail_names_its_ticket_in_its_subject_and_is_a_reply_there(service: Service, subject: str) -> None:
    await service.ticket("T-1")
    raw = written(subject, "It is down again.\r\n\r\nOn 5 Jan 2026 desk@help.example wrote:\r\n> ESCALATE")
    told = (await send(service, raw)).ok(201)
    assert (told["ticket"]["id"], told["situations"], told["escalation"], told["refused"]) == ("T-1", [], None, [])
    (said,) = await contacts(service)
    assert said["id"] == told["contact"]["id"]
    assert (said["channel"], said["sender"], said["author_role"], said["verified"]) == ("reply", BOSS, "customer", True)
    assert (said["subject"], said["body"], said["by"]) == (subject, "It is down again.", "desk")


@pytest.mark.parametrize("how", ["plain", "base64", "quoted-printable"])
async def test_escalate_in_the_subject_escalates_however_it_is_encoded(service: Service, how: str) -> None:
    await service.ticket("T-1")
    told = (await send(service, written(f"Re: [T-1] {encoded('ＥＳＣＡＬＡＴＥ', how)}"))).ok(201)
    assert [s["situation"] for s in told["situations"]] == ["customer_request"]
    assert told["escalation"]["target_level"] == 2


async def test_a_mail_names_its_ticket_by_answering_a_message_of_ours(service: Service) -> None:
    e = await service.opened("T-1")
    row = await service.db.fetchrow("SELECT version, ordinal FROM outbox WHERE escalation_id = $1 LIMIT 1", e)
    ours_ = message_id(Planned(e, row["version"], row["ordinal"]), "help.example")
    assert ours([ours_, "else@where"]) == [Planned(e, row["version"], row["ordinal"])]
    for number, headers in enumerate(({"In_Reply_To": f"<{ours_}>"}, {"References": f"<a@b> <{ours_}> <c@d>"})):
        told = (await send(service, written("Re: down", f"{number}", **headers))).ok(201)
        assert told["ticket"]["id"] == "T-1"
    unsent = message_id(Planned(e, 99, 0), "help.example")
    assert (await send(service, written("Re: down", In_Reply_To=f"<{unsent}>"))).ok(202)["why"] == "no_ticket"


async def test_the_subject_comes_before_what_is_answered(service: Service) -> None:
    e = await service.opened("T-1")
    await service.ticket("T-2")
    row = await service.db.fetchrow("SELECT version, ordinal FROM outbox WHERE escalation_id = $1 LIMIT 1", e)
    answers = message_id(Planned(e, row["version"], row["ordinal"]), "help.example")
    told = (await send(service, written("Re: [T-2]", In_Reply_To=f"<{answers}>"))).ok(201)
    assert told["ticket"]["id"] == "T-2"


async def test_without_a_ticket_it_is_kept_and_escalates_nothing(service: Service) -> None:
    told = (await send(service, written("[T-404] ESCALATE", Message_ID="<1@acme.example>"))).ok(202)
    (kept,) = await waiting(service)
    assert (kept["id"], kept["why"], kept["ticket_id"], kept["contact_id"]) == (told["id"], "no_ticket", None, None)
    assert (kept["message_id"], kept["sender"]) == ("1@acme.example", BOSS)
    assert (kept["subject"], kept["body"], kept["by"]) == ("[T-404] ESCALATE", "It is down.", "desk")


async def test_a_strangers_is_kept_with_the_ticket_that_it_names(service: Service) -> None:
    await service.ticket("T-1")
    told = (await send(service, written("[T-1] ESCALATE", sender="eve@elsewhere.example"))).ok(202)
    assert (told["why"], told["ticket_id"]) == ("stranger", "T-1")
    assert await contacts(service) == []
    assert [kept["id"] for kept in await waiting(service, "?ticket_id=T-1&why=stranger")] == [told["id"]]
    assert await waiting(service, "?ticket_id=T-2") == []
    (await send(service, written("[T-1]", sender="boss@beta.example"))).ok(202)  # another customer's contact


async def test_the_same_mail_delivered_again_is_one_contact_and_kept_once(service: Service) -> None:
    await service.ticket("T-1")
    raw = written("[T-1] ESCALATE", Message_ID="<1@acme.example>")
    first = (await send(service, raw)).ok(201)
    again = (await send(service, raw.replace(b"Subject", b"X-Hop: 2\r\nSubject"))).ok(201)
    assert (again["contact"], again["situations"]) == (first["contact"], [])
    assert again["escalation"]["version"] == first["escalation"]["version"]
    assert len(await contacts(service)) == 1
    for _ in range(2):
        (await send(service, written("Hello"))).ok(202)
    assert len(await waiting(service)) == 1
    (await send(service, written("[T-1] More", Message_ID="<2@acme.example>"))).ok(201)
    assert len(await contacts(service)) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated (vacation)"},
        {"X_Autoreply": "yes"},
        {"Precedence": "bulk"},
        {"Return_Path": "<>"},
        {"Content_Type": "multipart/report; report-type=delivery-status; boundary=b"},
    ],
    ids=lambda headers: next(iter(headers)),
)
async def test_bounces_and_auto_replies_are_the_systems_words(service: Service, headers: dict[str, str]) -> None:
    await service.ticket("T-1")
    told = (await send(service, written("Re: [T-1] ESCALATE", **headers))).ok(201)
    assert (told["situations"], told["escalation"]) == ([], None)
    (said,) = await contacts(service)
    assert (said["author_role"], said["request"]) == ("system", False)


@pytest.mark.parametrize("subject", ["Automatic reply: [T-1] ESCALATE", "Out of Office: [T-1] ESCALATE"])
async def test_an_auto_reply_that_only_its_subject_tells_is_one(service: Service, subject: str) -> None:
    await service.ticket("T-1")
    assert (await send(service, written(subject))).ok(201)["escalation"] is None


async def test_not_auto_submitted_is_a_persons(service: Service) -> None:
    await service.ticket("T-1")
    told = (await send(service, written("[T-1] ESCALATE", Auto_Submitted="no", Precedence="list"))).ok(201)
    assert told["escalation"]


async def test_a_look_alike_goes_to_a_person(service: Service) -> None:
    await service.ticket("T-1")
    told = (await send(service, written("[T-1] ЕSСАLАТЕ now"))).ok(201)
    assert (told["situations"], told["escalation"]) == ([], None)
    (said,) = await contacts(service)
    assert said["word"] == {"word": "escalate", "place": 6, "look_alike": True}
    (seen,) = await waiting(service, "?why=look_alike")
    assert (seen["contact_id"], seen["ticket_id"]) == (told["contact"]["id"], "T-1")
    assert (seen["subject"], seen["body"]) == ("[T-1] ЕSСАLАТЕ now", "It is down.")


async def test_what_waits_comes_newest_first_in_pages(service: Service) -> None:
    await service.ticket("T-1")
    for number in range(3):
        (await send(service, written(f"Mail {number}"))).ok(202)
        (await send(service, written(f"[T-1] {number} ЕSCALATE"))).ok(201)
    seen: list[str] = []
    query = "?limit=2"
    while query:
        told = (await service.call("aud", "GET", f"/v1/inbound/email{query}")).ok()
        seen += [kept["subject"] for kept in told["items"]]
        query = f"?limit=2&cursor={told['next_cursor']}" if told["next_cursor"] else ""
    assert seen == [f"{what}" for n in (2, 1, 0) for what in (f"[T-1] {n} ЕSCALATE", f"Mail {n}")]


@pytest.mark.parametrize("who", ["ann", "vic", "aud", "root"])
async def test_only_a_service_brings_mail(service: Service, who: str) -> None:
    (await send(service, written("Hello"), who)).problem(403, "not_permitted")


async def test_machines_may_not_read_what_was_kept(service: Service) -> None:
    for who in ("desk", "root"):
        (await service.call(who, "GET", "/v1/inbound/email")).problem(403, "not_permitted")
    (await service.call(None, "GET", "/v1/inbound/email")).problem(401, "no_key")


BROKEN = [
    b"",
    b"\x00\xff\xfe",
    b"\r\n\r\n",
    b"Subject: =?utf-8?B?####?=\r\n\r\nx",
    b"Subject: =?hex?Q?41?= =?punycode?Q?a-b?= =?no-such?Q?=FF?=\r\n\r\nx",
    b"From: <>@<>\r\nFrom: a@b@c\r\nMessage-ID: <<>>\r\nReferences: <" + b"a" * 9000 + b"\r\n\r\nx",
    b"From: boss@acme.example\r\nSubject: [T-1] \x00\xed\xa0\x80=?utf-16?Q?=00=D8?=\r\n\r\n\x00\xed\xa0\x80",
    b'Content-Type: text/plain; charset="\xff"\r\nContent-Transfer-Encoding: base64\r\n\r\n=====',
    b"Content-Type: multipart/mixed\r\n\r\n--\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 20_000,
    b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000)),
    b"Content-Type: message/rfc822\r\n\r\n" * 2000,
    b"Subject: [T-1]" + b"[" * 100_000 + b"\r\n\r\nx",
    b"X: y\r\n" * 50_000 + b"\r\nx",
    b"Content-Type: text/html\r\n\r\n" + b"<!--<a href='" * 20_000,
    b"Content-Type: text/plain; " + b"a*0=b; " * 100_000 + b"\r\n\r\nx",
    b"Content-Type: multipart/mixed;\r\n " + b"a*0=b;\r\n " * 100_000 + b"\r\n\r\nx",
]


@pytest.mark.parametrize("raw", BROKEN, ids=range(len(BROKEN)))
async def test_a_broken_mail_is_taken_or_refused_and_never_an_error_of_ours(service: Service, raw: bytes) -> None:
    await service.ticket("T-1")
    told = await send(service, raw)
    assert told.status in (201, 202), told.raw[:300]


async def test_a_mail_may_be_larger_than_other_bodies_but_not_of_any_size(service: Service) -> None:
    await service.ticket("T-1")
    attached = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee the log.\r\n--b\r\n"
    attached += b"Content-Disposition: attachment; filename=log\r\n\r\n" + b"x" * 75 + (b"\r\n" + b"x" * 75) * 30_000
    raw = written("[T-1]").split(b"\r\n\r\n")[0] + b"\r\n" + attached
    assert len(raw) > 2 * 1024 * 1024
    (await send(service, raw)).ok(201)
    assert [said["body"] for said in await contacts(service)] == ["See the log."]
    (await send(service, b"x" * (10 * 1024 * 1024 + 1))).problem(413, "too_large")
    (await send(service, zlib.compress(b"x" * 11_000_000), Content_Encoding="deflate")).problem(413, "too_large")


async def test_an_idempotency_key_holds_for_mail_as_for_every_post(service: Service) -> None:
    await service.ticket("T-1")
    first = await send(service, written("[T-1] one"), Idempotency_Key="k")
    again = await send(service, written("[T-1] one"), Idempotency_Key="k")
    assert (again.raw, again.headers["Idempotency-Replayed"]) == (first.raw, "true")
    (await send(service, written("[T-1] two"), Idempotency_Key="k")).problem(422, "key_reused")


# Kept for a while -------------------------------------------------------------------------------------------------


async def _tidied(service: Service, days: int, most: int) -> list[str]:
    """What is left of the kept mail after a round of housekeeping, newest first."""
    pool = service.app[HOUSE].reads
    await tidy(pool, Settings(keep_mail_days=days, keep_mail_most=most))
    return [kept["subject"] for kept in await waiting(service)]


async def test_kept_mail_goes_when_it_is_older_than_the_days_that_are_set(service: Service) -> None:
    for day in (1, 2, 3):
        await service.now_is(f"2026-01-0{day}T09:00:00Z")
        (await send(service, written(f"of day {day}"))).ok(202)
    assert await _tidied(service, 1, 10) == ["of day 3", "of day 2"]
    await service.now_is("2026-01-03T09:00:01Z")
    assert await _tidied(service, 1, 10) == ["of day 3"]


async def test_no_more_kept_mail_stays_than_is_set_and_the_oldest_goes_first(service: Service) -> None:
    for hour in range(5):
        await service.now_is(f"2026-01-05T0{hour}:00:00Z")
        (await send(service, written(f"of {hour}"))).ok(202)
    assert await _tidied(service, 30, 5) == ["of 4", "of 3", "of 2", "of 1", "of 0"]
    assert await _tidied(service, 30, 2) == ["of 4", "of 3"]


async def test_many_rounds_forget_what_one_statement_does_not(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "AT_ONCE", 2)
    for n in range(6):
        (await send(service, written(f"{n}"))).ok(202)
    assert len(await _tidied(service, 30, 1)) == 1


async def test_kept_mail_is_its_customers_as_far_as_can_be_told_so_that_it_is_erased_with_them(
    service: Service,
) -> None:
    await service.ticket("T-1")
    await service.db.execute("UPDATE customer SET contacts = '{boss@beta.example,both@x.example}' WHERE id = 'beta'")
    await service.db.execute("UPDATE customer SET contacts = '{both@x.example}' WHERE id = 'solo'")
    for subject, sender in (
        ("[T-1] a stranger's", "eve@elsewhere.example"),
        ("a contact's", "Boss@Beta.example"),
        ("[T-1] on another's ticket", "boss@beta.example"),
        ("two customers' contact's", "both@x.example"),
        ("nobody's", "eve@elsewhere.example"),
    ):
        (await send(service, written(subject, sender=sender))).ok(202)
    found = await service.db.fetch("SELECT subject, customer_id FROM kept_mail")
    assert {row["subject"]: row["customer_id"] for row in found} == {
        "[T-1] a stranger's": "acme",
        "a contact's": "beta",
        "[T-1] on another's ticket": "acme",
        "two customers' contact's": None,
        "nobody's": None,
    }
