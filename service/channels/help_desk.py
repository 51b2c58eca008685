"""Back to the help desk: the reason as an internal note, and the tag `escalation-l{n}`, over its own public API.

The document's "For Support Agents", 1 and 2. Each desk is what its requests are; the tag goes first, since adding one
twice changes nothing, and a try that failed half-way is made again as a whole.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from service.channels.guarded import named, session
from service.channels.letter import Address, Channel, Letter, Together
from service.channels.webhook import post
from service.config import HelpDesk, Settings

Request = tuple[str, str, dict[str, Any]]
"""Method, path below the desk's URL, and body."""


def channels(settings: Settings) -> Iterable[Channel]:
    """One, where a help desk is set."""
    if settings.help_desk:
        yield HelpDeskChannel(settings.help_desk, private=named(settings.help_desk.url, settings.private_hosts))


class Desk(Struct, frozen=True):
    """A kind of help desk: what its tickets are called, who it wants us to be, and what it is asked."""

    ticket: re.Pattern[str]
    authorization: Callable[[HelpDesk], str]
    requests: Callable[[str, str, str, str], tuple[Request, ...]]
    escape: Callable[[str], str] = str


def _basic(user: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


def _zendesk(ticket: str, tag: str, subject: str, text: str) -> tuple[Request, ...]:
    """Ticketing API: "Add Tags" and "Update Ticket" with a comment that is not public."""
    note = {"ticket": {"comment": {"body": text, "public": False}}}
    return ("PUT", f"/api/v2/tickets/{ticket}/tags.json", {"tags": [tag]}), (
        "PUT",
        f"/api/v2/tickets/{ticket}.json",
        note,
    )


def _zammad(ticket: str, tag: str, subject: str, text: str) -> tuple[Request, ...]:
    """REST API: "Tags" and "Articles" of type note, internal."""
    note = {"ticket_id": int(ticket), "subject": subject, "body": text, "content_type": "text/plain"}
    return (
        ("POST", "/api/v1/tags/add", {"object": "Ticket", "o_id": int(ticket), "item": tag}),
        ("POST", "/api/v1/ticket_articles", note | {"type": "note", "internal": True}),
    )


def _jira(ticket: str, tag: str, subject: str, text: str) -> tuple[Request, ...]:
    """Jira REST API v3 "Edit issue" for the label; Service Management's "Create request comment", not public."""
    return (
        ("PUT", f"/rest/api/3/issue/{ticket}", {"update": {"labels": [{"add": tag}]}}),
        ("POST", f"/rest/servicedeskapi/request/{ticket}/comment", {"body": text, "public": False}),
    )


def _no_wiki(text: str) -> str:
    """What people wrote is no wiki markup: no mention, macro or link."""
    return re.sub(r"([\\\[\]{}!*_~^+|])", r"\\\1", text)


DESKS = {
    "zendesk": Desk(re.compile(r"\d{1,18}"), lambda desk: _basic(f"{desk.user}/token", desk.token), _zendesk),
    "zammad": Desk(re.compile(r"\d{1,18}"), lambda desk: f"Token token={desk.token}", _zammad),
    "jira": Desk(
        re.compile(r"[A-Z][A-Z0-9_]{0,60}-\d{1,18}"), lambda desk: _basic(desk.user, desk.token), _jira, _no_wiki
    ),
}


class HelpDeskChannel:
    """One installation of a help desk; tickets bear its own numbers, after a prefix where one is set."""

    kind = "help_desk"
    together: Together = "never"
    slots = 2

    def __init__(self, settings: HelpDesk, *, private: bool = False) -> None:
        self._settings, self._desk, self._private = settings, DESKS[settings.kind], private
        self._session: aiohttp.ClientSession | None = None
        self.name = settings.kind

    def _number(self, ticket: str) -> str | None:
        prefix = self._settings.prefix
        number = ticket.removeprefix(prefix) if ticket.startswith(prefix) else ""
        return number if self._desk.ticket.fullmatch(number) and number.isascii() else None

    def reaches(self, address: Address) -> bool:
        """Tickets that can be its own."""
        return address.audience == "help_desk" and self._number(address.recipient) is not None

    async def send(self, letter: Letter) -> None:
        """The tag, then the note."""
        number = self._number(letter.recipient)
        assert number is not None, "the letter was routed here"
        if self._session is None:
            self._session = session(private=self._private)
        wording = letter.wording(self._desk.escape)
        headers = {
            "Authorization": self._desk.authorization(self._settings),
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        tag = str(letter.payload.get("tag") or f"escalation-l{letter.level}")
        for method, path, body in self._desk.requests(number, tag, wording.subject, wording.text):
            url = self._settings.url.rstrip("/") + path
            await post(self._session, url, msgspec.json.encode(body), headers, method=method)

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()
