"""Slack through its Web API, as a bot that may write to its people and in its channel.

Each recipient has one thread for an escalation; what calls a level is shown in the channel too. Pages for one issue are
one message, into which later ones are written.
"""

from __future__ import annotations

from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from service.channels.letter import WITHIN, Address, Later, Letter, Refused, Together
from service.channels.slack import said
from service.channels.webhook import retry_after

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
NOT_AMENDED = NO_THREAD | {"cant_update_message", "edit_window_closed", "channel_not_found", "is_inactive"}


class SlackChannel:
    """A workspace, through a bot that may write to its people and in its channel."""

    kind = "slack"
    name = "slack"
    together: Together = "amended"
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
        """Post it, or write it into a message that is there; the receipt is that message's channel and timestamp, under
        which a thread begins."""
        where = self._channel if letter.audience == "escalations" else letter.address.slack
        if not where:
            raise Refused("the recipient has no Slack id")
        told = said(letter) | {
            "channel": where,
            "metadata": {"event_type": "escalation_message", "event_payload": {"delivery": letter.key}},
        }
        ways = [("chat.postMessage", told)]
        if letter.amends is not None and (there := _message(letter.amends)):
            ways.insert(0, ("chat.update", told | there))
        elif letter.thread is not None and len(letter.pages) < 2:
            thread = letter.thread.rpartition("/")[2]
            under = {"thread_ts": thread, "reply_broadcast": letter.template in BROADCAST}
            ways.insert(0, ("chat.postMessage", told | under))
        for method, what in ways[:-1]:
            try:
                return await self._call(method, what)
            except SlackApiError as error:  # somebody deleted the message: another one begins
                if _code(error) not in (NO_THREAD if method == "chat.postMessage" else NOT_AMENDED):
                    raise _judged(error) from None
        try:
            return await self._call(*ways[-1])
        except SlackApiError as error:
            raise _judged(error) from None

    async def _call(self, method: str, told: dict[str, Any]) -> str:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WITHIN))
        client = AsyncWebClient(
            self._token, self._api_url, timeout=int(WITHIN), session=self._session, retry_handlers=[]
        )
        try:
            answer = await client.api_call(method, json=told)
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise Later("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__) from None
        except SlackApiError:
            raise
        except (SlackClientError, ValueError, AttributeError):  # the SDK's own, over a page that is no JSON
            raise Later("answered what is none of Slack's") from None
        return f"{answer.get('channel', '')}/{answer['ts']}"

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()


def _message(receipt: str) -> dict[str, str] | None:
    """Where a message is, from its receipt; None for those of older versions, which tell its timestamp alone."""
    channel, _, ts = receipt.rpartition("/")
    return {"channel": channel, "ts": ts} if channel else None


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
