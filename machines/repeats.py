"""Repeated contact: the third report of one issue within the window. Reports counted once do not count again.

One issue: the same ticket, the same issue key, or a ticket opened with a similar text, always of one customer: "any
news?" on three tickets says nothing of one issue. A report is a ticket as it is opened, or a contact of one of the
customer's verified senders. The message that opens a ticket often comes as a contact
as well: an opening and the first contact on it are one report. Sources: the document's "Automatic Triggers" and its
"Starter" row "On 3rd report"; `domain.md`, "Situations, target and time".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from machines.asked import Actor, Gist
from machines.matrix import Policy
from machines.situations import Asked, begin
from machines.story import Story
from machines.values import Reported

FEWEST_WORDS = 4
"""Different words without which a text is too short to be like another."""
_MOMENT = timedelta(minutes=1)
"""Calls of which nothing was written down are one when they are closer together."""
_MACHINES = ("noreply", "no-reply", "donotreply", "do-not-reply", "mailer-daemon", "postmaster", "bounce", "bounces")


def reported(story: Story, id_: str, at: datetime, gist: Gist, sender: str | None = None) -> Reported | None:
    """What a ticket's opening or a verified contact reports; None where a machine sent it."""
    ticket = story.facts.ticket
    assert ticket is not None
    assert ticket.customer_id is not None
    if sender is not None:
        sender = sender.strip().casefold()
        if sender.partition("@")[0] in _MACHINES:
            return None
    return Reported(id_, ticket.id, ticket.customer_id, at, sender, ticket.issue_key, gist.print, gist.words)


def repeat(story: Story, actor: Actor, new: Reported) -> tuple[str, ...]:
    """If this is the third: the situation begins, and says which reports it counted. Answers their ids."""
    policy, customer = story.policy, story.facts.customer
    rule = policy.document.repeats
    assert customer is not None
    if not policy.cell("repeated_contact", customer.tier).level:
        return ()
    earlier = [
        r
        for r in story.facts.reports
        if not r.counted and r.id != new.id and abs(new.at - r.at) < rule.within and why(r, new, policy)
    ]
    distinct = _distinct((*earlier, new), policy)
    if new not in distinct or len(distinct) < rule.reports:
        return ()
    told = [
        {"id": r.id, "ticket": r.ticket_id, "at": _told(r.at), "because": "itself" if r is new else why(r, new, policy)}
        for r in distinct
    ]
    asked = Asked("repeated_contact", new.at, f"repeated_contact@{new.id}", detail={"reports": told})
    refused = begin(story, actor, asked)
    assert refused is None, f"a fact's own situation was refused: {refused}"
    return tuple(r.id for r in (*earlier, new))


def _told(at: datetime) -> str:
    """As JSON has it: what stands in a detail is hashed as it is read back."""
    return at.isoformat().replace("+00:00", "Z")


def why(one: Reported, other: Reported, policy: Policy) -> str | None:
    """What makes two reports of a customer one issue's; None: nothing does."""
    if one.customer_id != other.customer_id:
        return None
    if one.ticket_id == other.ticket_id:
        return "same_ticket"
    if one.issue_key is not None and one.issue_key == other.issue_key:
        return "same_issue_key"
    opened = one.sender is None and other.sender is None
    return "similar_text" if opened and _similar(one, other, policy.document.repeats.similar) else None


def _similar(one: Reported, other: Reported, share: float) -> bool:
    """The same words, mostly; too few words are like anything."""
    if min(len(one.words), len(other.words)) < FEWEST_WORDS:
        return False
    mine, theirs = set(one.words), set(other.words)
    return len(mine & theirs) >= share * len(mine | theirs)


def _distinct(reports: Iterable[Reported], policy: Policy) -> list[Reported]:
    """Each report once: not what was delivered twice, nor a ticket's opening beside its first contact."""
    apart = policy.document.repeats.apart
    kept: list[Reported] = []
    # Openings first: whichever of the two is later by its clock, they are one.
    for r in sorted(reports, key=lambda r: (r.sender is not None, r.at, r.id)):
        again = any(
            r.sender == k.sender and _same_words(r, k) and r.at - k.at < (apart if r.print else _MOMENT) for k in kept
        )
        if again:
            continue
        opening = next((i for i, k in enumerate(kept) if k.ticket_id == r.ticket_id and k.sender is None), None)
        if opening is not None:
            kept[opening] = r
        else:
            kept.append(r)
    return sorted(kept, key=lambda r: (r.at, r.id))


def _same_words(one: Reported, other: Reported) -> bool:
    """The same text; where there is none, or a ticket was opened by it, on the same ticket."""
    alone = one.print is None or one.sender is None
    return one.print == other.print and (not alone or one.ticket_id == other.ticket_id)


def after(reports: Iterable[Reported], new: Reported, counted: tuple[str, ...]) -> tuple[Reported, ...]:
    """The reports that are known once this one was decided."""
    return tuple(replace(r, counted=True) if r.id in counted else r for r in (*reports, new))
