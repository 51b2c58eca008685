"""A whole life in words: every message that it sends, to whom, in its order, held against a golden file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from service.channels.letter import Letter
from service.outbox.sender import Sender
from tests.service.outbox.conftest import Fake, Post

GOLDEN = Path(__file__).parent / "golden"


def told(letters: list[Letter]) -> str:
    """What was sent, in the order of its planning."""
    found = []
    for letter in sorted(letters, key=lambda each: each.id):
        wording = letter.wording()
        head = f"{letter.stand.trigger} → {letter.audience} {letter.recipient} ({letter.template})"
        found.append(f"=== {head}\nSubject: {wording.subject}\n\n{wording.text}\n")
    return "\n".join(found)


def golden(name: str, text: str) -> None:
    """Held against the file; UPDATE_GOLDEN=1 writes it."""
    file = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")


async def life(post: Post, node: Sender) -> None:
    """Opened, offered, escalated, declined, accepted, updated, reassigned, ended and closed; sent at each step."""
    service = post.service

    async def act(who: str, trigger: str, **fields: Any) -> None:
        (await service.act(who, e, trigger, **fields)).ok(201)
        await node.settle()

    customer = {"name": "Acme Ltd", "tier": "enterprise", "account_manager": "amy", "contacts": ["ops@acme.example"]}
    (await service.call("root", "PUT", "/v1/customers/acme", customer)).ok()
    await service.call("root", "PUT", "/v1/people/mia", {"name": "Mia Manager", "level": 2, "on_duty": True})
    e = await service.opened("T-1")
    await node.settle()
    await act("mia", "accept")
    await act("mia", "update_customer", text="We restarted the pool.", workaround="Pay by invoice")
    brief = {
        "issue": "Payments fail",
        "reason": "The pool is gone",
        "current_status": "Restarted",
        "needed": "A credit",
    }
    await act("mia", "escalate", reason="A credit is needed", brief=brief)
    await act("mia", "brief", to="dan", **brief | {"needed": "A credit of 10 %"})
    await act("dan", "accept")
    await act("dan", "join", person="lee", reason="Knows the pool")
    await act("dan", "reassign", to="vic", reason="Travelling")
    await act("vic", "decline", reason="On leave")
    await service.ticket("T-1", status="solved", resolved_at="2026-01-05T09:00:00Z", updated_at="2026-01-05T09:00:00Z")
    await act("dan", "de_escalate", criterion="issue_resolved")
    await act("dan", "complete_step", step="confirm_with_customer", detail="Mail of today")
    await act("dan", "complete_step", step="update_ticket")
    learned = {"step": "document_lessons", "detail": "Watch the pool", "tags": ["pattern"]}
    await act("dan", "complete_step", **learned)
    await act("dan", "close")


async def test_a_whole_life_says_this(post: Post) -> None:
    everything = Fake(slots=50)
    await life(post, post.sender(everything))
    assert await post.statuses() == {"delivered"}
    golden("life.txt", told(everything.got))


async def test_a_customer_is_written_to_in_their_language_and_people_in_the_policys(post: Post) -> None:
    customer = {"name": "Acme", "tier": "enterprise", "language": "de", "contacts": ["ops@acme.example"]}
    answer = (await post.service.call("root", "PUT", "/v1/customers/acme", customer)).ok()
    assert answer["language"] == "de"
    await post.service.opened("T-1")
    everything = Fake(slots=50)
    await post.sender(everything).settle()
    told = {letter.template: letter.wording().text for letter in everything.got}
    assert "wurde eskaliert: Engineering Manager (Level 2)." in told["escalated"]
    assert told["escalation"].startswith("ESCALATION: Level 2\nTicket: T-1\n")


async def test_what_was_erased_is_not_told(post: Post) -> None:
    await post.service.opened("T-1")
    await post.service.db.execute("DELETE FROM said")
    everything = Fake(slots=50)
    await post.sender(everything).settle()
    [notice] = [letter.wording().text for letter in everything.got if letter.template == "escalation"]
    assert notice.endswith("Reason: blocking business process\nCurrent Status:\nNeeded:")


async def test_links_lead_to_where_the_service_is_said_to_be(post: Post) -> None:
    e = await post.service.opened("T-1")
    everything = Fake(slots=50)
    await post.sender(everything, public_url="https://esc.example/").settle()
    [offer] = [letter.wording().text for letter in everything.got if letter.template == "handoff_offered"]
    assert f"https://esc.example/escalations/{e}" in offer


async def test_what_people_wrote_is_no_template(post: Post) -> None:
    await post.service.ticket("T-1", subject="{customer} {{7*7}} ${x}")
    await post.service.opened_on("T-1")
    everything = Fake(slots=50)
    await post.sender(everything).settle()
    [notice] = [letter.wording().text for letter in everything.got if letter.template == "escalated"]
    assert 'Your issue "{customer} {{7*7}} ${x}" has been' in notice
