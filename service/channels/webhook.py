"""Webhooks: each message as a CloudEvent (structured JSON), signed as Standard Webhooks says, with every secret set.

`webhooks` in the settings lists them: a name, a URL, secrets of which the receiver may hold any one (so that they can
be rotated), and which audiences it takes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import msgspec

from service.channels.guarded import READS_AT_MOST, NotPublicError, named, session
from service.channels.letter import WITHIN, Address, Channel, Later, Letter, Refused, Together
from service.config import Settings, Webhook

TEMPORARY = frozenset((408, 421, 425, 429))
"""What else than 5xx may go better later."""
LONGEST_WAIT = 3600.0
"""Seconds of a Retry-After that are heeded."""
DRAINS_WITHIN = 0.5
"""Seconds for an answer's body: the status has told all."""
_encode = msgspec.json.Encoder(order="deterministic").encode


def channels(settings: Settings) -> Iterable[Channel]:
    """One for each webhook that is set up."""
    for each in settings.webhooks:
        yield WebhookChannel(each, private=named(each.url, settings.private_hosts))


def event(letter: Letter) -> dict[str, Any]:
    """The letter as a CloudEvent 1.0. `id` is the delivery's, `source` the escalation."""
    stand = letter.stand
    return {
        "specversion": "1.0",
        "id": letter.key,
        "source": f"/v1/escalations/{letter.escalation_id}",
        "type": f"escalation.{letter.template}",
        "subject": letter.ticket_id,
        "time": letter.planned_at,
        "datacontenttype": "application/json",
        "data": {
            "escalation_id": letter.escalation_id,
            "version": letter.version,
            "ticket_id": letter.ticket_id,
            "customer_id": letter.customer_id,
            "tier": letter.tier,
            "audience": letter.audience,
            "recipient": letter.recipient,
            "template": letter.template,
            "trigger": stand.trigger,
            "state": stand.state,
            "level": stand.level,
            "owner": stand.owner,
            "actor": stand.actor,
            "reason": stand.reason,
            "next_update_by": letter.next_update_by,
            "payload": letter.payload,
            "texts": letter.texts,
        },
    }


def signatures(secrets: Iterable[str], key: str, at: int, body: bytes) -> str:
    """The header `webhook-signature`: one v1 signature for each secret."""
    signed = f"{key}.{at}.".encode() + body
    found = []
    for secret in secrets:
        raw = base64.b64decode(secret.removeprefix("whsec_"))
        found.append("v1," + base64.b64encode(hmac.digest(raw, signed, hashlib.sha256)).decode())
    return " ".join(found)


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds that a Retry-After asks for, as a number or as a date; None where nothing can be read."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return min(float(header), LONGEST_WAIT)
    with suppress(ValueError):
        return min(max(0.0, parsedate_to_datetime(header).timestamp() - now), LONGEST_WAIT)
    return None


async def post(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: dict[str, str],
    *,
    method: str = "POST",
    wall: Callable[[], float] = time.time,
) -> int:
    """Hand a body over; its 2xx. Raises Refused for what will not change by itself, else Later."""
    try:
        async with session.request(
            method, url, data=body, headers=headers, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=WITHIN)
        ) as told:
            status, after = told.status, told.headers.get("Retry-After")
            with suppress(TimeoutError, aiohttp.ClientError):
                async with asyncio.timeout(DRAINS_WITHIN):
                    await told.content.read(READS_AT_MOST)
            if not told.content.at_eof():
                told.close()
    except NotPublicError as error:
        raise Refused(str(error)) from None
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, NotPublicError):
            raise Refused(str(error.os_error)) from None
        raise Later(type(error).__name__) from None
    except aiohttp.InvalidURL:
        raise Refused("its URL is none") from None
    except (TimeoutError, OSError, aiohttp.ClientError, ValueError) as error:
        raise Later("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__) from None
    if 200 <= status < 300:
        return status
    if 300 <= status < 400:
        raise Refused(f"answered {status}: redirects are not followed")
    if status >= 500 or status in TEMPORARY:
        raise Later(f"answered {status}", retry_after(after, wall()))
    raise Refused(f"answered {status}")


class WebhookChannel:
    """One receiver."""

    kind = "webhook"
    together: Together = "never"
    slots = 16

    def __init__(
        self,
        webhook: Webhook,
        *,
        private: bool = False,
        wall: Callable[[], float] = time.time,
        resolver: aiohttp.abc.AbstractResolver | None = None,
    ) -> None:
        self._webhook, self._private, self._wall, self._resolver = webhook, private, wall, resolver
        self._session: aiohttp.ClientSession | None = None
        self.name = f"webhook:{webhook.name}"

    def reaches(self, address: Address) -> bool:
        """Whoever belongs to an audience of its."""
        return address.audience in self._webhook.audiences

    async def send(self, letter: Letter) -> None:
        """Sign and post. The timestamp is the real one: receivers refuse what is older than minutes."""
        if self._session is None:
            self._session = session(private=self._private, resolver=self._resolver)
        body, at = _encode(event(letter)), int(self._wall())
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "User-Agent": "escalation-matrix",
            "webhook-id": letter.key,
            "webhook-timestamp": str(at),
            "webhook-signature": signatures(self._webhook.secrets, letter.key, at, body),
        }
        await post(self._session, self._webhook.url, body, headers, wall=self._wall)

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()
