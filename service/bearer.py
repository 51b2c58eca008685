"""Tokens of the identity provider that are presented like keys, where the settings name the audience of ours."""

from __future__ import annotations

import re

import structlog
from aiohttp import web

from service.door import PRESENTED
from service.engine import Unavailable
from service.issuer import Issuer, ProviderError, TokenError, token_of
from service.problems import CODES, Refused
from service.reads import connection
from service.submit import HOUSE

log = structlog.get_logger(__name__)
TOKEN = re.compile(r"bearer +([\w-]+\.[\w-]+\.[\w-]*) *", re.ASCII | re.IGNORECASE)


async def present(request: web.Request, issuer: Issuer) -> None:
    """Finds out whom the request's token names. One that is not taken is refused in its turn: what can't be read is
    told before who is not known. Raises Unavailable where neither can be known."""
    match = TOKEN.fullmatch(request.headers.get("Authorization", ""))
    if match is None or not issuer.settings.api_audience:
        return
    try:
        named, until = await issuer.bearer(match[1])
        async with connection(request.app[HOUSE].reads) as conn:
            request[PRESENTED] = await token_of(conn, issuer.settings, named, until)
    except TokenError as error:
        log.info("token_refused", why=str(error))
        request[PRESENTED] = Refused(401, "bad_token", CODES["bad_token"].removeprefix("401. "))
    except ProviderError as error:
        log.warning("provider_unreachable", error=str(error))
        raise Unavailable("the identity provider can't be reached") from error
