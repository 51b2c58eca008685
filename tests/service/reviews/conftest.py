"""A town that six weeks were lived in, for all tests that look at them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest_asyncio

from service import verify
from tests.service.clock.conftest import START, Town
from tests.service.conftest import running
from tests.service.reviews.lived import live


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lived(postgres_url: str, template: str) -> AsyncIterator[Town]:
    """Nothing more happens in it but what tests write into reviews, each into one of its own."""
    name = f"test_{uuid4().hex}"
    owner = await asyncpg.connect(postgres_url)
    try:
        await owner.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        async with running(f"{postgres_url.rpartition('/')[0]}/{name}", clock="virtual") as service:
            town = Town(service)
            await town.at(START)
            await live(town)
            yield town
            assert await verify.run(service.database_url) == []
        await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await owner.close()
