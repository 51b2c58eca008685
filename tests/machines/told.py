"""Who hears what: lives played with the production table, as the table that the README shows.

`python -m tests.machines.told` prints it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from machines.decided import Entry
from tests.machines.play import EVERYBODY, Play, at_level, offered

HOUR = timedelta(hours=1)
HEAD = "| transition | who hears what |\n|---|---|"


def whole_life() -> Play:
    """Opened by an agent, unanswered, declined, paged again at L4, taken, reopened while it ends, and closed."""
    play = Play(people=(*EVERYBODY, "-val4"))
    play.report()
    play.request("workaround_unacceptable", "ann0")
    play.call("ann0", "brief")
    play.call("lee1", "accept")
    play.call("lee1", "update_customer", text="We are on it")
    play.until(HOUR)
    play.call("lee1", "escalate", code="technical_complexity")
    play.until(2 * HOUR)
    play.call("dan3", "decline")
    play.until(timedelta(minutes=5))
    play.call("vic4", "accept")
    play.call("vic4", "join", person="dan3")
    play.call("dan3", "note", text="Seen")
    play.call("vic4", "act", authority="modify_contract", detail="A year free")
    play.call("dan3", "disengage")
    play.call("vic4", "reassign", to="val4")
    play.call("val4", "decline")
    play.duty("vic4", on=False)
    play.duty("vic4", on=True)
    play.report(status="solved")
    play.call("vic4", "de_escalate", criterion="issue_resolved")
    play.report(status="open")
    play.report(status="solved")
    play.call("vic4", "de_escalate", criterion="issue_resolved")
    play.call("vic4", "complete_step", step="confirm_with_customer", detail="Their mail")
    play.call("vic4", "complete_step", step="update_ticket")
    play.call("vic4", "complete_step", step="document_lessons", detail="Watch it", tags=("pattern",))
    play.call("vic4", "close")
    return play


def otherwise() -> Iterator[tuple[str, list[Entry]]]:
    """What that life had no occasion for: what happened, and what came of it."""
    play = offered(n=4)
    yield "nobody is on duty up to L4", play.entries[-1:]
    seen = len(play.entries)
    play.until(timedelta(minutes=5))
    yield "and still nobody", play.entries[seen:]
    play = at_level(1)
    play.report(status="closed", merged_into="T-2")
    yield "the ticket is merged", play.entries[-1:]
    play = offered("lee1", n=1)
    play.report(status="solved")
    play.report(status="open")
    yield "the ticket is reopened before anybody answered", play.entries[-1:]
    play = Play("professional")
    play.report(priority="p0", outage=True)
    play.report(priority="p0", outage=True, status="solved")
    yield "solved before a level was called", play.entries[-1:]


def row(what: str, entry: Entry) -> str:
    """A transition, and its messages in the order in which they are planned."""
    told = "; ".join(f"{_to(m.audience, m.to)}: `{m.template}`" for m in entry.messages)
    return f"| {what} | {told or '–'} |"


def _to(audience: str, to: str) -> str:
    who = {"customer": "the customer", "escalations": "#escalations", "help_desk": "the help desk"}
    return who.get(audience) or ("account manager " if audience == "account_manager" else "") + to


def table() -> str:
    """The README's."""
    rows = []
    for entry in whole_life().entries:
        by = entry.on_behalf_of or entry.actor
        step = f" `{entry.reason}`" if entry.trigger in ("complete_step", "remind") or by == "clock" else ""
        rows.append(row(f"`{entry.trigger}`{step} by {by}, {entry.state}", entry))
    rows += [
        row(f"`{entry.trigger}` `{entry.reason}`, {entry.state}: {what}", entry)
        for what, entries in otherwise()
        for entry in entries
    ]
    return "\n".join((HEAD, *rows))


if __name__ == "__main__":
    print(table())
