"""The style, the one script and the icon, under addresses that change with them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from aiohttp import web

from service.door import Route, nowhere

ROOM = Path(__file__).parent / "static"
KINDS = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}


@cache
def _content(name: str) -> bytes:
    return (ROOM / name).read_bytes()


@cache
def address(name: str) -> str:
    """Where a browser finds it, and may keep it for good."""
    return f"/console/{name}?v={hashlib.sha256(_content(name)).hexdigest()[:12]}"


async def asset(request: web.Request) -> web.StreamResponse:
    """One of them."""
    name = request.match_info["name"]
    if name not in KINDS:
        raise nowhere("The console has no such part.")
    kept = "max-age=31536000, immutable" if request.query_string else "no-cache"
    headers = {"Cache-Control": kept}
    return web.Response(body=_content(name), content_type=KINDS[name], charset="utf-8", headers=headers)


ROUTES = (Route("GET", "/console/{name}", asset, "A part of every page", {200: bytes}, public=True),)
