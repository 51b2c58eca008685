"""`policy move`: what changes if running escalations go by another version, page by page; and the move itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp

WITHIN = 60.0
"""Seconds that one call may take."""
AT_ONCE = 100
"""Escalations of a page, and of a call that moves."""


class MoverError(Exception):
    """The service refused, or is not what answers there."""


async def main(url: str, key: str, version: int, say: Callable[[str], None], *, yes: bool) -> None:
    """Say what changes; with `yes`, move what was said. Raises `MoverError`, and SystemExit(1) where some stay."""
    where, seen, stay = f"{url}/v1/policies/{version}/moves", 0, 0
    headers, timeout = {"Authorization": f"Bearer {key}"}, aiohttp.ClientTimeout(total=WITHIN)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        more: dict[str, str] | None = {}
        while more is not None:
            asked = {"limit": str(AT_ONCE), **more}
            page = await _told(session.get(where, params=asked))
            for item in page["items"]:
                say(_shown(item))
            seen += len(page["items"])
            if yes and page["items"]:
                refused = await _move(session, where, page["items"])
                for line in refused:
                    say(line)
                stay += len(refused)
            more = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
    if not yes:
        say(f"{seen} to move to version {version}; nothing was done: --yes moves them")
        return
    say(f"{seen - stay} moved to version {version}")
    if stay:
        raise SystemExit(f"{stay} not moved: look again")


async def _move(session: aiohttp.ClientSession, where: str, items: list[dict[str, Any]]) -> list[str]:
    """Move these as they were shown; a line for each that stays as it is."""
    which = [{"id": item["escalation_id"], "version": item["before"]} for item in items]
    told = await _told(session.post(where, json={"escalations": which}))
    answers = zip(items, told["items"], strict=True)
    return [
        f"{item['ticket_id']}  not moved: {answer['detail']}" for item, answer in answers if answer["status"] >= 400
    ]


async def _told(asked: Any) -> Any:
    async with asked as answer:
        told = await answer.json(content_type=None)
        if answer.status >= 400:
            raise MoverError(f"the service says {answer.status}: {(told or {}).get('detail', 'nothing more')}")
        return told


def _shown(item: dict[str, Any]) -> str:
    moved = [f"    {each['name']}: {each['before'] or 'none'} -> {each['after'] or 'none'}" for each in item["moved"]]
    return "\n".join([f"{item['ticket_id']}  {item['state']}  {item['escalation_id']}", *moved])
