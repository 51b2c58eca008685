"""The board with more than it shows."""

from __future__ import annotations

from tests.service.conftest import Service
from tests.service.console.conftest import as_


async def test_what_is_overdue_comes_first_and_a_long_column_is_cut(service: Service) -> None:
    await service.now_is("2026-01-05T09:00:00Z")
    await service.opened("LATE")
    await service.now_is("2026-01-05T10:30:00Z")  # their next update was due at 10:00
    for n in range(42):
        await service.opened(f"MANY-{n}")
    browser = await as_(service, "ann")
    page = await browser.get("/")
    assert page.words.index("LATE") < page.words.index("MANY-")
    assert "L2 43 1 late" in page.words
    assert "30 min late" in page.words
    assert page.text.count('<li class="card') == 40
    assert "All 43" in page.words
    page = await browser.get("/?overdue=1")
    assert page.text.count('<li class="card') == 1
