"""What somebody does in Slack, as what they ask for: a slash command's text, or a button of a message of ours.

A button names the escalation, the trigger, and the version of the offer that its message told of, so that a late click
can't count for a newer offer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import parse_qsl

from msgspec import Struct

from machines.document import CUSTOMER, MANUAL
from service.asks import UUID
from service.body import parse, sound, unreadable

MOST = 256 * 1024
"""Bytes of a request: an interaction brings the message along whose button it was."""
MOST_FIELDS = 100
LONGEST_ID, LONGEST_TEXT = 200, 10_000
Verb = Literal["escalate", "accept", "decline", "status"]
_VERBS: tuple[Verb, ...] = ("escalate", "accept", "decline", "status")
_ACTION = re.compile(r"(accept|decline)(?:[.:].*)?")
_VALUE = re.compile(rf"({UUID.pattern}):(\d{{1,9}})")
_ALL, _ROWS = "accept_all", re.compile(r"\d{1,18}(?:,\d{1,18}){0,99}")
_REASON_BLOCK = "reason"
_BEGINS = {
    situation: re.compile(r"[\s_-]+".join(situation.split("_")) + r"(?![\w-])[\s:;,.–—-]*", re.IGNORECASE)
    for situation in (*MANUAL, CUSTOMER)
}
"""How a text begins that names this reason, in words or as it is written in the policy."""

HELP = "\n".join(
    (
        "`/escalate TICKET REASON …`: REASON is one of "
        + ", ".join(f"`{reason}`" for reason in (*MANUAL, CUSTOMER))
        + ", then say it in your words.",
        "`/escalate accept TICKET`, `/escalate decline TICKET …why`, `/escalate status TICKET`: "
        "the id of an escalation does as well.",
    )
)


class Form(Struct, frozen=True):
    """What Slack sends, form-encoded: the fields of a slash command, or `payload`, an interaction as JSON."""

    payload: str | None = None
    command: str | None = None
    text: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    trigger_id: str | None = None
    response_url: str | None = None
    ssl_check: str | None = None


class Wish(Struct, frozen=True):
    """What is asked for. `on` is a ticket's id or an escalation's; `situation` is None but for `escalate`.

    `version` is that at which the offer was shown whose button this was, None for a command. `pages` are the rows of
    the outbox that a message told of together whose button this was; `on` is then blank.
    """

    verb: Verb
    on: str
    reason: str = ""
    situation: str | None = None
    version: int | None = None
    pages: tuple[int, ...] = ()


class Said(Struct, frozen=True):
    """Who did what in Slack. `wish` is None where it can't be understood; `why` is then what to teach them.

    `later` is where Slack takes an answer to a click: what answers its request is not shown.
    """

    user: str
    wish: Wish | None = None
    why: str = HELP
    later: str | None = None


def read(raw: bytes) -> Said | None:
    """What a request's body says; None: Slack only looks whether somebody is there.

    Raises 400 for what is no form, or none that Slack sends.
    """
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        unreadable("The body is not a form in UTF-8 with at most 100 fields, as Slack sends one.")
    form = dict(pairs)
    if len(form) != len(pairs):
        unreadable("A field stands twice in the form.")
    if not all(sound(part) for pair in pairs for part in pair):
        unreadable("The form holds NUL or half a surrogate pair, which is no text.")
    if "payload" in form:
        return _interaction(parse(form["payload"].encode()))
    if form.get("ssl_check") == "1":
        return None
    if not form.get("user_id"):
        unreadable("The form has neither payload nor user_id: it is not what Slack sends.")
    return _command(form["user_id"], _plain(form.get("text", "")))


def _plain(text: str) -> str:
    """Slack escapes three characters in what people typed."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _command(user: str, text: str) -> Said:
    first, _, rest = text.partition(" ")
    named = first.casefold()
    verb = next((verb for verb in _VERBS if verb == named), None)
    if verb is None:
        verb, rest = "escalate", text
    on, _, said = rest.strip().partition(" ")
    if not on or len(on) > LONGEST_ID or not on.isprintable():
        return Said(user)
    if len(said) > LONGEST_TEXT:
        return Said(user, why=f"That is too long: at most {LONGEST_TEXT} characters.")
    if verb != "escalate":
        return Said(user, Wish(verb, on, said.strip()))
    for situation, begins in _BEGINS.items():
        if begun := begins.match(said.strip()):
            if reason := said.strip()[begun.end() :]:
                return Said(user, Wish(verb, on, reason, situation))
            return Said(user, why=f"Say in your words why: `/escalate {on} {situation} …`")
    return Said(user)


def _interaction(payload: Any) -> Said:
    user = payload.get("user") if isinstance(payload, dict) else None
    if not isinstance(user, dict) or not isinstance(user.get("id"), str) or not user["id"]:
        unreadable("The payload names no user: it is not what Slack sends.")
    actions, later = payload.get("actions"), payload.get("response_url")
    action = actions[0] if isinstance(actions, list) and actions and isinstance(actions[0], dict) else {}
    said = Said(user["id"], why="This does nothing here.", later=later if isinstance(later, str) else None)
    rows = _ROWS.fullmatch(str(action.get("value", ""))) if action.get("action_id") == _ALL else None
    if payload.get("type") == "block_actions" and rows is not None:
        pages = tuple(map(int, rows[0].split(",")))
        return Said(said.user, Wish("accept", "", pages=pages), later=said.later)
    trigger = _ACTION.fullmatch(str(action.get("action_id", "")))
    value = _VALUE.fullmatch(str(action.get("value", "")))
    if payload.get("type") != "block_actions" or trigger is None or value is None:
        return said
    verb: Verb = "accept" if trigger[1] == "accept" else "decline"
    wish = Wish(verb, value[1], _written(payload), version=int(value[2]))
    return Said(said.user, wish, later=said.later)


def _written(payload: dict[str, Any]) -> str:
    """What was written into the message's field for a reason."""
    found: Any = payload
    for name in ("state", "values", _REASON_BLOCK, _REASON_BLOCK, "value"):
        found = found.get(name) if isinstance(found, dict) else None
    return found.strip()[:LONGEST_TEXT] if isinstance(found, str) else ""


# What a message of ours holds -------------------------------------------------------------------------------------


def offer(escalation_id: str, version: int) -> list[dict[str, Any]]:
    """The blocks with which an offer is answered: a field for a reason, and a button for each answer.

    `version` is the escalation's at which the offer is told of.
    """

    def button(trigger: str, label: str, **more: str) -> dict[str, Any]:
        text = {"type": "plain_text", "text": label}
        return {"type": "button", "action_id": trigger, "text": text, "value": f"{escalation_id}:{version}", **more}

    return [
        {
            "type": "input",
            "optional": True,
            "block_id": _REASON_BLOCK,
            "label": {"type": "plain_text", "text": "Why not, if you decline"},
            "element": {"type": "plain_text_input", "action_id": _REASON_BLOCK, "max_length": 3000},
        },
        {"type": "actions", "elements": [button("accept", "Accept", style="primary"), button("decline", "Decline")]},
    ]


def offers(pages: Sequence[int]) -> list[dict[str, Any]]:
    """The block with which all offers that a message tells of are accepted: one button, which names their rows in the
    outbox, so that it counts for those and no others, whatever is written into the message later."""
    text = {"type": "plain_text", "text": f"Accept all {len(pages)}"}
    value = ",".join(map(str, pages))
    return [
        {
            "type": "actions",
            "elements": [
                {"type": "button", "action_id": _ALL, "text": text, "value": value, "style": "primary"},
            ],
        }
    ]
