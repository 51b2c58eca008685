"""The story of an escalation: all of it, as of one moment, for whoever may read history, as JSON and as a record."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.routes import stories
from tests.service.conftest import BRIEF, Answer, Service


async def story(service: Service, e: str, who: str = "aud") -> Any:
    """As JSON."""
    return (await service.call(who, "GET", f"/v1/escalations/{e}/story")).ok()


async def record(service: Service, e: str, who: str = "aud") -> str:
    """As text."""
    told: Answer = await service.call(who, "GET", f"/v1/escalations/{e}/story", Accept="text/plain")
    assert (told.status, told.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    return told.raw.decode()


async def lived(service: Service) -> tuple[str, str]:
    """An escalation that was refused something, accepted, decided on, handed on and ended; who owned it first."""
    await service.now_is("2026-01-05T09:00:00Z")
    await service.ticket("T-1", sla=None)
    e = await service.opened_on("T-1")
    await service.now_is("2026-01-05T09:05:00Z")
    (await service.act("lee", e, "accept")).problem(403, "not_permitted")
    to = str((await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["handoff"]["to"])
    other = {"mia": "mo", "mo": "mia"}[to]
    (await service.act(to, e, "accept")).ok(201)
    (await service.act(to, e, "act", authority="pull_engineers", detail="Two of them\nfor a day")).ok(201)
    await service.now_is("2026-01-05T09:30:00Z")
    (await service.act(to, e, "reassign", to=other, reason="My shift ends")).ok(201)
    (await service.act(other, e, "decline", reason="I am on a plane")).ok(201)
    await service.now_is("2026-01-05T10:00:00Z")
    await service.ticket("T-1", status="pending", sla=None)
    await service.now_is("2026-01-05T11:00:00Z")
    await service.ticket("T-1", status="solved", sla=None, resolved_at="2026-01-05T11:00:00Z")
    (await service.act(to, e, "de_escalate", criterion="issue_resolved")).ok(201)
    (await service.act(to, e, "complete_step", step="confirm_with_customer", detail="They say so")).ok(201)
    (await service.act(to, e, "complete_step", step="update_ticket")).ok(201)
    (await service.act(to, e, "complete_step", step="document_lessons", detail="Size the pool")).ok(201)
    (await service.act(to, e, "close")).ok(201)
    return e, to


async def test_a_story_has_every_part_as_its_own_list_tells_it(service: Service) -> None:
    e, _ = await lived(service)
    told = await story(service, e)
    history = (await service.call("aud", "GET", f"/v1/history?escalation_id={e}&limit=500")).ok()["items"]
    assert [{k: t[k] for k in history[0]} for t in told["transitions"]] == history
    assert told["escalation"] == (await service.call("aud", "GET", f"/v1/escalations/{e}")).ok()
    for part, path in (("messages", "deliveries"), ("denials", "denials")):
        assert told[part]
        assert told[part] == (await service.call("aud", "GET", f"/v1/{path}?escalation_id={e}&limit=500")).ok()["items"]
    assert told["clocks"] == (await service.call("aud", "GET", "/v1/tickets/T-1/clocks")).ok()["clocks"]
    assert any(span["paused"] for clock in told["clocks"] for span in clock["spans"])
    assert (told["withheld"], told["left_off"]) == ([], [])


async def test_a_transition_says_as_whom_its_actor_did_it_and_what_came_of_it(service: Service) -> None:
    e, to = await lived(service)
    told = {t["trigger"]: t for t in reversed((await story(service, e))["transitions"])}
    assert (told["open"]["actor"], told["open"]["standing"]) == ("ann", [])
    assert told["engage"]["standing"] == ["clock"]
    assert (told["accept"]["actor_level"], told["accept"]["standing"]) == (2, ["offered"])
    assert {"field": "owner", "was": "ann", "now": to} in told["accept"]["changes"]
    assert told["act"]["standing"] == ["owner"]
    assert told["decline"]["standing"] == ["offered"]
    assert {"field": "state", "was": "de_escalating", "now": "closed"} in told["close"]["changes"]


async def test_handoffs_are_told_from_offer_to_end_with_their_briefs(service: Service) -> None:
    e, to = await lived(service)
    first, second = (await story(service, e))["handoffs"]
    assert (first["to"], first["status"], first["kind"]) == (to, "accepted", "level")
    assert (first["offered_at"], first["ended_at"]) == ("2026-01-05T09:00:00Z", "2026-01-05T09:05:00Z")
    assert first["brief"] == {"by": "ann", **BRIEF}
    assert (second["status"], second["kind"], second["ended_at"]) == ("declined", "reassign", "2026-01-05T09:30:00Z")


async def test_an_offer_that_another_one_replaces_is_superseded(service: Service) -> None:
    e = await service.opened("T-1")
    to = (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["handoff"]["to"]
    (await service.act("dan", e, "reassign", to="dan", reason="Mine")).ok(201)
    one, two = (await story(service, e))["handoffs"]
    assert (one["to"], one["status"], one["ended"]) == (to, "superseded", two["offered"])
    assert (two["to"], two["ended"], two["ended_at"]) == ("dan", None, None)


async def test_a_decision_says_which_level_holds_its_authority_and_who_took_it(service: Service) -> None:
    e, to = await lived(service)
    [act] = (await story(service, e))["acts"]
    assert (act["authority"], act["held_from"], act["actor"], act["actor_level"]) == ("pull_engineers", 2, to, 2)
    assert (act["level"], act["detail"]) == (2, "Two of them\nfor a day")


async def test_the_record_reads_from_the_first_instant_to_the_last(service: Service) -> None:
    e, to = await lived(service)
    text = await record(service, e)
    wanted = [
        f"ESCALATION {e}",
        "of ticket T-1: Payments fail at checkout",
        "    stands     closed, level 2, owned by",
        "2026-01-05 09:00:00Z  1. open: nothing → open",
        "    who        ann, level 0",
        "2026-01-05 09:00:00Z  2. engage: open → l2",
        "    who        the clock, by policy version 1",
        "2026-01-05 09:05:00Z  3. accept: stays l2",
        f"    who        {to}, level 2, to whom it was offered",
        f"    so         owner: ann → {to};",
        "    sent       handoff accepted to ann (person): planned",
        "    authority  pull_engineers, held from level 2 up",
        "2026-01-05 09:05:00Z  --  refused: accept (403)",
        "    because    offered: Only the person it is offered to may do this.",
        ". close: de_escalating → closed",
        "HOW OWNERSHIP MOVED",
        "accepted 2026-01-05 09:05:00Z, 0:05:00 h after the offer (transition 3)",
        "    brief      by ann: issue: Payments fail;",
        "WHAT WAS DECIDED",
        "4. pull_engineers, held from level 2 up",
        "THE TICKET'S SLA CLOCKS",
        "paused (pending, p2, enterprise)",
        "The hash of transition ",
    ]
    at = 0
    for each in wanted:
        assert each in text[at:], f"{each!r} is not in the rest:\n{text[at:]}"
        at = text.index(each, at)
    assert all(len(line) <= 130 for line in text.splitlines())


async def test_what_people_wrote_can_not_pass_for_a_line_of_the_record(service: Service) -> None:
    e = await service.opened("T-1")
    forged = "Fine\r\n2026-01-05 09:00:00Z  9. close: l2 → closed\n    who        vic\x1b[2J, level 4\u2028x"
    (await service.act("ann", e, "note", text=forged)).ok(201)
    lines = (await record(service, e)).splitlines()
    assert not any(line.startswith("2026-01-05 09:00:00Z  9. close") for line in lines)
    assert not any(line.startswith("    who        vic") for line in lines)
    assert not any("\x1b" in line or "\u2028" in line for line in lines)


async def test_what_a_role_may_not_read_elsewhere_it_does_not_read_here(service: Service) -> None:
    e, _ = await lived(service)
    for who, withheld in (("desk", ["denials", "messages"]), ("root", ["denials"]), ("ann", []), ("aud", [])):
        told = await story(service, e, who)
        assert told["withheld"] == withheld
        assert [name for name in ("denials", "messages") if told[name] is None] == withheld
        text = await record(service, e, who)
        assert all(f"The {name} are withheld" in text for name in withheld)
        assert ("refused: accept" in text) == ("denials" not in withheld)
    (await service.call(None, "GET", f"/v1/escalations/{e}/story")).problem(401, "no_key")


async def test_a_story_says_what_it_leaves_off(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    e, _ = await lived(service)
    (await service.act("lee", e, "accept")).problem(409, "no_such_move")
    monkeypatch.setattr(stories, "MOST", 1)
    told = await story(service, e)
    assert told["left_off"] == ["transitions", "denials", "messages"]
    assert [t["trigger"] for t in told["transitions"]] == ["open"]
    assert [d["status"] for d in told["denials"]] == [409], "the newest"
    assert "There are more denials than are told here" in await record(service, e)


async def test_a_story_is_of_one_moment_whatever_happens_meanwhile(service: Service) -> None:
    e = await service.opened("T-1")

    async def writes() -> None:
        for n in range(30):
            (await service.act("ann", e, "note", text=f"Seen {n}")).ok(201)

    writing = asyncio.create_task(writes())
    while not writing.done():
        told = await story(service, e)
        assert told["escalation"]["version"] == len(told["transitions"])
    await writing


async def test_texts_that_were_erased_are_missing_and_nothing_else_is(service: Service) -> None:
    e, _ = await lived(service)
    before = await story(service, e)
    await service.db.execute("DELETE FROM said")
    after = await story(service, e)
    assert [t["hash"] for t in after["transitions"]] == [t["hash"] for t in before["transitions"]]
    assert (after["acts"][0]["authority"], after["acts"][0]["detail"]) == ("pull_engineers", None)
    assert after["handoffs"][0]["brief"] == {"by": "ann", **dict.fromkeys(BRIEF)}
    text = await record(service, e)
    assert "what       (erased)" in text
    assert BRIEF["reason"] not in text


async def test_of_no_escalation_there_is_no_story(service: Service) -> None:
    for which in ("0197c0de-0000-7000-a000-000000000000", "none"):
        (await service.call("aud", "GET", f"/v1/escalations/{which}/story")).problem(404, "not_found")
