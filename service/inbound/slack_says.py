"""What somebody in Slack is told: shown to them alone, in sentences, and with what to do instead where it is refused.

Whatever others wrote is escaped, so that nothing in a ticket can mention a channel or pretend to be a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from machines.decided import Refusal
from machines.values import Escalation, State
from service.batch import Settled
from service.inbound.slack import Wish, offer

LONGEST = 2900
"""Characters: Slack shows no longer text in one block."""
_DONE = {
    "escalate": "Escalated.",
    "accept": "You have accepted: it is yours now.",
    "decline": "Declined. It is offered to the next.",
}


class Message(Struct, frozen=True):
    """A message to one person; a click leaves the message that it was made in as it is."""

    text: str
    response_type: Literal["ephemeral"] = "ephemeral"
    replace_original: bool = False
    blocks: tuple[dict[str, Any], ...] | UnsetType = UNSET


def escaped(text: str) -> str:
    """Text as Slack shows it, with nothing in it that Slack would act on."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def message(*lines: str) -> Message:
    """These lines, escaped already where others wrote them."""
    text = "\n".join(line for line in lines if line)
    return Message(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def outcome(wish: Wish, settled: Settled) -> Message:
    """What became of it."""
    if isinstance(settled.result, Refusal):
        return refused(wish, settled.result)
    e = settled.escalation
    return message(_DONE[wish.verb], *(standing(e) if e else ()))


def one_of_many(settled: Settled) -> Message:
    """What became of one of several offers."""
    e, result = settled.escalation, settled.result
    name = f"*{escaped(e.ticket_id)}*" if e else "An escalation that is there no more"
    if not isinstance(result, Refusal):
        return Message(f"• {name}: you have accepted.")
    why = " ".join(f.message for f in result.failed) or "that was another offer, and it has changed since."
    return Message(f"• {name}: *not done*: {escaped(why)}")


def refused(wish: Wish, refusal: Refusal) -> Message:
    """Every guard that failed with its sentence, and who could."""
    if refusal.status == 412:
        now = standing(refusal.escalation) if refusal.escalation else ()
        return message("*Not done*: that was another offer, and it has changed since. It stands now:", *now)
    if refusal.status == 401:
        return message("*Not done*: you are not on the roster any more.")
    told = [f"• {escaped(f.message)}{_could(f.who_could)}" for f in refusal.failed]
    told += [f"• {escaped(f'{p.field}: {p.message}')}" for p in refusal.problems]
    if wish.verb == "decline" and not wish.reason:
        told.append(f"Say why: `/escalate decline {escaped(wish.on)} …why`")
    return message("*Not done*:" if told else f"*Not done*: {escaped(refusal.detail)}", *told)


def _could(who: Sequence[str]) -> str:
    return f" Who could: {escaped(', '.join(who))}." if who else ""


def standing(e: Escalation) -> tuple[str, ...]:
    """How it stands: where, whose it is, who is asked, and by when."""
    where = "open, nobody is called yet" if e.state == State.OPEN else e.state.replace("_", "-")
    if e.state in (State.L1, State.L2, State.L3, State.L4):
        where = f"level {e.level}"
    asked = ""
    if e.handoff is not None and e.handoff.pending:
        asked = f"Offered to {escaped(e.handoff.to or 'nobody: nobody is on duty')}, answer {_by(e.respond_by)}."
    return (
        f"*{escaped(e.ticket_id)}* ({escaped(e.customer_id)}, {e.tier}): {where}. `{e.id}`",
        f"Because of {escaped(', '.join(dict.fromkeys(s.situation for s in e.situations)) or 'nothing any more')}.",
        f"Owner: {escaped(e.owner or 'nobody yet')}.",
        asked,
        f"A level is called {_by(e.engage_by)}." if e.engage_by else "",
        f"The customer hears {_by(e.next_update_by)}." if e.next_update_by else "",
    )


def _by(instant: datetime | None) -> str:
    return f"by {instant:%Y-%m-%d %H:%M} UTC" if instant else "whenever"


def status(e: Escalation, person: str) -> Message:
    """How it stands; with the buttons where it is offered to this person."""
    told = message(*standing(e))
    if e.handoff is None or not e.handoff.pending or e.handoff.to != person:
        return told
    section = {"type": "section", "text": {"type": "mrkdwn", "text": told.text}}
    return Message(told.text, blocks=(section, *offer(e.id, e.version)))
