"""Slack: #escalations and the person who is called, through the Web API with a bot's token, or #escalations alone
through an incoming webhook.

Each recipient has one thread for an escalation; what calls a level is shown in the channel too. An offer has two
buttons, which name the escalation and the version at which it was offered, so that a late click on an old message can
be told from one that is meant. What people wrote mentions nobody and is no markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import aiohttp
import msgspec
import yarl
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from service.channels.guarded import session
from service.channels.letter import WITHIN, Address, Channel, Later, Letter, Refused
from service.channels.webhook import post, retry_after
from service.config import Settings
from service.inbound.slack import offer

LONGEST = 2900
"""Characters of a section's text, of Slack's 3000."""
ANSWERABLE = ("handoff_offered", "briefed", "paged_again")
BROADCAST = ("escalation", "nobody_on_duty")
"""Templates whose message is shown in the channel, not in the thread alone."""
TEMPORARY = frozenset(
    (
        *("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"),
        # What an operator mends: the messages wait for it.
        *("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope"),
        *("team_access_not_granted", "not_in_channel", "org_login_required", "ekm_access_denied"),
    )
)
NO_THREAD = frozenset(("thread_not_found", "cannot_reply_to_message", "message_not_found"))
_MARKUP = re.compile(r"([*_~`])")


def channels(settings: Settings) -> Iterable[Channel]:
    """The bot where there is a token, else the incoming webhook where there is one."""
    if settings.slack_token:
        yield SlackChannel(settings.slack_token, settings.slack_channel, settings.slack_api_url)
    elif settings.slack_webhook_url:
        host = yarl.URL(settings.slack_webhook_url).host or ""
        yield IncomingWebhook(settings.slack_webhook_url, private=host in settings.private_hosts)


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
    if letter.audience == "person" and letter.template in ANSWERABLE and letter.offer is not None:
        blocks += offer(letter.escalation_id, letter.offer)
    return {"text": cut(wording.subject), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


class SlackChannel:
    """A workspace, through a bot that may write to its people and in its channel."""

    kind = "slack"
    name = "slack"
    slots = 4

    def __init__(self, token: str, channel: str, api_url: str) -> None:
        self._token, self._channel, self._api_url = token, channel, api_url
        self._session: aiohttp.ClientSession | None = None

    def reaches(self, address: Address) -> bool:
        """The channel, and people with a Slack id."""
        return address.audience == "escalations" or (
            address.audience in ("person", "account_manager") and bool(address.slack)
        )

    async def send(self, letter: Letter) -> str:
        """Post it; the receipt is the message's timestamp, under which a thread begins."""
        where = self._channel if letter.audience == "escalations" else letter.address.slack
        if not where:
            raise Refused("the recipient has no Slack id")
        told = said(letter) | {
            "channel": where,
            "metadata": {"event_type": "escalation_message", "event_payload": {"delivery": letter.key}},
        }
        if letter.thread is not None:
            told |= {"thread_ts": letter.thread, "reply_broadcast": letter.template in BROADCAST}
        try:
            return await self._post(told)
        except SlackApiError as error:
            if letter.thread is None or _code(error) not in NO_THREAD:
                raise _judged(error) from None
        try:  # somebody deleted the thread's beginning: another one begins
            return await self._post({k: v for k, v in told.items() if k not in ("thread_ts", "reply_broadcast")})
        except SlackApiError as error:
            raise _judged(error) from None

    async def _post(self, told: dict[str, Any]) -> str:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WITHIN))
        client = AsyncWebClient(
            self._token, self._api_url, timeout=int(WITHIN), session=self._session, retry_handlers=[]
        )
        try:
            answer = await client.chat_postMessage(**told)
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise Later("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__) from None
        except SlackApiError:
            raise
        except (SlackClientError, ValueError, AttributeError):  # the SDK's own, over a page that is no JSON
            raise Later("answered what is none of Slack's") from None
        return str(answer["ts"])

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()


def _code(error: SlackApiError) -> str:
    data = getattr(error.response, "data", error.response)
    return str(data.get("error") or "") if isinstance(data, dict) else ""


def _judged(error: SlackApiError) -> Refused | Later:
    answer, code = error.response, _code(error)
    status, headers = getattr(answer, "status_code", 200), getattr(answer, "headers", {})
    if status == 429 or code in ("ratelimited", "rate_limited"):
        return Later("asked for time", retry_after(headers.get("Retry-After"), 0.0) or 1.0)
    if status >= 500 or code in TEMPORARY or not code:
        return Later(f"answered {code or status}")
    return Refused(f"answered {code}")


class IncomingWebhook:
    """One channel of a workspace, without threads or people."""

    kind = "slack"
    name = "slack-webhook"
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
