"""Answers to clicks: Slack shows nobody what its request was answered, but what is sent to the click's own address.

They are a courtesy, sent once and kept nowhere: what was done stands in history, whether or not its answer arrives.
"""

from __future__ import annotations

import asyncio

import aiohttp
import structlog
from aiohttp import web

log = structlog.get_logger(__name__)

ADDRESSES = ("https://hooks.slack.com/", "https://hooks.slack-gov.com/")
"""Where answers may go: the address comes with the request, which is signed, and is Slack's own all the same."""
MOST = 100
"""Answers on their way at once; more are dropped."""
WITHIN = aiohttp.ClientTimeout(total=5.0)


class Later:
    """Sends them. One for the whole service."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._sending = set[asyncio.Task[None]]()

    def tell(self, address: str, body: bytes) -> None:
        """Have this JSON sent soon; an address that is not Slack's gets nothing."""
        if not address.startswith(ADDRESSES) or len(self._sending) >= MOST:
            log.warning("slack_answer_dropped", many=len(self._sending))
            return
        task = asyncio.create_task(self._send(address, body), name="slack-answer")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, address: str, body: bytes) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=WITHIN)
        try:
            headers = {"Content-Type": "application/json"}
            async with self._session.post(address, data=body, headers=headers, allow_redirects=False) as told:
                if told.status != 200:
                    log.warning("slack_answer_refused", status=told.status)
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            log.warning("slack_answer_failed", error=type(error).__name__)
        except Exception:
            log.exception("slack_answer_failed")

    async def close(self) -> None:
        """Send what is on its way, then end."""
        await asyncio.gather(*self._sending)
        if self._session is not None:
            await self._session.close()


LATER = web.AppKey("later", Later)
