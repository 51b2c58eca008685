"""Lines of JSON: every row with all that its hash is over, so that `verify-history` can tell that none was changed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from service.export.source import Source


async def lines(source: Source) -> AsyncIterator[bytes]:
    """A page of lines at a time, as the database writes them."""
    async for text, _ in source.lines():
        yield text.encode()
