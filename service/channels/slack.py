"""Slack: #escalations and the person who is called, through the Web API with a bot's token (`slack_bot`), or
#escalations alone through an incoming webhook.

An offer has two buttons, which name the escalation and the version at which it was offered, so that a late click on an
old message can be told from one that is meant; a message that tells of several has one, which accepts all of them. What
people wrote mentions nobody and is no markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import aiohttp
import msgspec

from service.channels.guarded import named, session
from service.channels.letter import Address, Channel, Letter, Together
from service.channels.webhook import post
from service.config import Settings
from service.inbound.slack import offer, offers

LONGEST = 2900
"""Characters of a section's text, of Slack's 3000."""
ANSWERABLE = ("handoff_offered", "briefed", "paged_again")
_MARKUP = re.compile(r"([*_~`])")


def channels(settings: Settings) -> Iterable[Channel]:
    """The bot where there is a token, else the incoming webhook where there is one."""
    if settings.slack_token:
        from service.channels.slack_bot import SlackChannel  # its SDK takes a tenth of a second: only where it is used

        yield SlackChannel(settings.slack_token, settings.slack_channel, settings.slack_api_url)
    elif settings.slack_webhook_url:
        url = settings.slack_webhook_url
        yield IncomingWebhook(url, private=named(url, settings.private_hosts))


def escape(text: str) -> str:
    """Text as it is: no mention, link or entity (Slack's three characters), and no bold, strike or code."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub("\u2060\\1", text)


def cut(text: str, most: int = LONGEST) -> str:
    """No longer than Slack takes, and not through the middle of an entity."""
    return text if len(text) <= most else re.sub(r"&[a-z]{0,4}$", "", text[: most - 1]) + "…"


def said(letter: Letter) -> dict[str, Any]:
    """The message, for the Web API and for incoming webhooks alike."""
    wording = letter.wording(escape)
    text: dict[str, Any] = {"type": "mrkdwn", "text": cut(wording.text), "verbatim": True}
    blocks: list[dict[str, Any]] = [{"type": "section", "text": text}]
    if len(letter.pages) > 1:
        blocks += offers(letter.pages)
    elif letter.audience == "person" and letter.template in ANSWERABLE and letter.offer is not None:
        blocks += offer(letter.escalation_id, letter.offer)
    return {"text": cut(wording.subject), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


class IncomingWebhook:
    """One channel of a workspace, without threads or people."""

    kind = "slack"
    name = "slack-webhook"
    together: Together = "never"
    slots = 1

    def __init__(self, url: str, *, private: bool = False) -> None:
        self._url, self._private = url, private
        self._session: aiohttp.ClientSession | None = None

    def reaches(self, address: Address) -> bool:
        """#escalations."""
        return address.audience == "escalations"

    async def send(self, letter: Letter) -> None:
        """Post it."""
        if self._session is None:
            self._session = session(private=self._private)
        body = msgspec.json.encode({name: value for name, value in said(letter).items() if name in ("text", "blocks")})
        await post(self._session, self._url, body, {"Content-Type": "application/json"})

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()
