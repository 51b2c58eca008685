"""Flags: words that a customer wrote, found at the door, begin `security_flag` and `revenue_impact`.

A word is a fact of its ticket: said again, in an answer or after a false alarm was dismissed, it adds nothing; another
word does. The words stand in the situation's detail, where they are and as they were written: they are the policy's own
words, so history may keep them. Source: the document's "Automatic Triggers"; `domain.md`, "Channels".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec.structs import asdict, replace

from machines.asked import Actor, Found
from machines.decided import Refusal
from machines.document import WORDED
from machines.situations import Asked, begin
from machines.story import Story
from machines.values import Channel


def flag(story: Story, actor: Actor, found: Iterable[Found], at: datetime, detail: dict[str, Any]) -> None:
    """Each situation of which a word is new on this ticket begins, where its row leads somewhere."""
    assert story.facts.customer is not None
    for situation in WORDED:
        told = _new(story, situation, found)
        if told and story.policy.cell(situation, story.facts.customer.tier).level:
            refused = _begin(story, actor, situation, told, at, detail)
            assert refused is None, f"a fact's own situation was refused: {refused}"


def flag_emergency(
    story: Story, actor: Actor, found: Iterable[Found], at: datetime, detail: dict[str, Any]
) -> Refusal | None:
    """Told through the emergency contact: a security flag, with the words that this text has, or without."""
    told = tuple(each for each in found if each.situation == "security_flag")
    return _begin(story, actor, "security_flag", told, at, detail, channel="emergency")


def _new(story: Story, situation: str, found: Iterable[Found]) -> tuple[Found, ...]:
    ticket = story.facts.ticket
    begun = ticket.begun if ticket else ()
    return tuple(each for each in found if each.situation == situation and each.key not in begun)


def _begin(
    story: Story,
    actor: Actor,
    situation: str,
    told: tuple[Found, ...],
    at: datetime,
    detail: dict[str, Any],
    channel: Channel | None = None,
) -> Refusal | None:
    words = [{k: v for k, v in asdict(each).items() if k not in ("situation", "key")} for each in told]
    more = {"words": words} if words else {}
    if refused := begin(story, actor, Asked(situation, at, channel=channel, detail={**detail, **more})):
        return refused
    ticket = story.facts.ticket
    assert ticket is not None
    keys = dict.fromkeys(each.key for each in told if each.key not in ticket.begun)
    story.facts.ticket = replace(ticket, begun=(*ticket.begun, *keys)[-200:])
    return None
