"""A town that six weeks were lived in, for all tests that look at them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from service import verify
from tests.conftest import database_from
from tests.service.clock.conftest import START, Town
from tests.service.conftest import running
from tests.service.reviews.lived import live


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lived(postgres_url: str, template: str) -> AsyncIterator[Town]:
    """Nothing more happens in it but what tests write into reviews, each into one of its own."""
    async with database_from(postgres_url, template) as url, running(url, clock="virtual") as service:
        town = Town(service)
        await town.at(START)
        await live(town)
        yield town
        assert await verify.run(url) == []
