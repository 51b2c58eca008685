"""What a letter says: its policy's text in its reader's language, and what fills the gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
from msgspec.structs import replace

import sql
from machines.matrix import Policy, default_text, load, parse
from machines.messages import TOGETHER, MessageText
from service.channels.letter import Letter
from service.survey import token

OF_VERSIONS, SECRETS = sql.query("policy.of_versions"), sql.query("survey.secrets")
BRIEF = ("issue", "reason", "current_status", "needed")
LISTED = 25
"""Pages that a message lists one by one."""


class Words:
    """Policies by version, which are immutable; `public_url` is where people find the console, if it is told."""

    def __init__(self, public_url: str | None = None) -> None:
        self._public_url = public_url and public_url.rstrip("/")
        self._policies: dict[int, Policy] = {}
        self._shipped = parse(default_text())
        self._secret: str | None = None

    async def put(self, pool: asyncpg.Pool, letters: list[Letter]) -> list[Letter]:
        """The letters with their texts, and with what fills the gaps."""
        if wanted := {letter.policy_version for letter in letters} - self._policies.keys():
            for row in await pool.fetch(OF_VERSIONS, list(wanted)):
                self._policies[row["version"]] = load(row["document"], row["version"])
        if self._secret is None and any(letter.template == "survey" for letter in letters):
            self._secret = await pool.fetchval(SECRETS)
        return [self._put(letter, self._policies.get(letter.policy_version, self._shipped)) for letter in letters]

    def _put(self, letter: Letter, policy: Policy) -> Letter:
        return replace(letter, message=self._text(letter, policy), values=self._values(letter, policy))

    def together(self, letter: Letter, told: Sequence[Letter]) -> Letter:
        """The letter that tells of all these, put before; it is the message of their first."""
        pages = [each.wording().subject for each in told[:LISTED]]
        if len(told) > LISTED:
            pages.append(f"… +{len(told) - LISTED}")
        policy = self._policies.get(letter.policy_version, self._shipped)
        values = {"issue_key": letter.together or "", "count": str(len(told)), "pages": "\n".join(pages)}
        text = self._text(replace(letter, template=TOGETHER), policy)
        return replace(letter, message=text, values=letter.values | values, pages=tuple(each.id for each in told))

    def _text(self, letter: Letter, policy: Policy) -> MessageText:
        """The customer's language, then the policy's; what was published before there were messages has ours."""
        for document in (policy.document, self._shipped.document):
            wanted = (letter.language, document.language) if letter.audience == "customer" else (document.language,)
            for language in wanted:
                if language and (found := document.messages.get(language, {}).get(letter.template)):
                    return found
        return MessageText("{ticket}", letter.template)

    def _values(self, letter: Letter, policy: Policy) -> dict[str, str]:
        stand, payload, level = letter.stand, letter.payload, letter.level
        own = next(iter(letter.texts.values()), {}) if len(letter.texts) == 1 else {}
        update = letter.texts.get(str(payload.get("said")), {})
        criterion = str(payload.get("criterion") or stand.reason)
        survey = ""
        if letter.template == "survey" and self._secret and self._public_url:
            survey = f"{self._public_url}/survey/{token(letter.escalation_id, self._secret)}"
        link = self._public_url and f"{self._public_url}/escalations/{letter.escalation_id}"
        told = {
            "ticket": letter.ticket_id,
            "ticket_subject": letter.subject,
            "customer": letter.customer,
            "tier": letter.tier.capitalize(),
            "priority": letter.priority.upper(),
            "level": f"Level {level}" if level else "no level yet",
            "level_name": policy.level(level).name if level else "",
            "state": stand.state,
            "owner": _name(letter, payload.get("owner") or stand.owner),
            "by": _name(letter, payload.get("by") or stand.actor),
            "why": _words(stand.reason),
            "criterion": _words(criterion),
            "next_update": _instant(letter.next_update_by),
            "respond_by": _instant(letter.respond_by),
            "workaround": str(update.get("workaround") or letter.workaround or ""),
            "text": str(update.get("text") or ""),
            "merged_into": str(payload.get("merged_into") or ""),
            "tag": str(payload.get("tag") or ""),
            "link": link or "",
            "survey": survey,
        }
        brief = _brief(letter.texts.get(str(payload.get("brief"))) or own)
        told |= {name: str(brief.get(name) or "") for name in BRIEF}
        told["issue"] = told["issue"] or letter.subject
        told["reason"] = told["reason"] or told["why"]
        return told


def _brief(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """The brief in what was said: by itself, inside another trigger, or the clock's."""
    for name in ("brief", "clock_brief"):
        if isinstance(said.get(name), dict):
            return said[name]  # type: ignore[no-any-return]  # just told
    return said if all(name in said for name in BRIEF) else {}


def _name(letter: Letter, who: str | None) -> str:
    if who is None:
        return ""
    return letter.people[who].name if who in letter.people else who


def _words(code: str) -> str:
    """A code of the policy or the machine, for people."""
    return code.replace("_", " ")


def _instant(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""
