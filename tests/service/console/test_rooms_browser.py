"""The matrix and history in a real browser: on a phone and on a wall screen, without a script, by keyboard."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import Service
from tests.service.console import browsers
from tests.service.console.browsers import fits, signed_in

chromium = browsers.chromium
pytestmark = browsers.needed
PAGES = ("/matrix", "/matrix/diff", "/matrix/moves", "/history", "/history?as_of=2199-01-01&level=9")


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1920, 1080)])
async def test_a_ticket_is_tried_and_history_searched_without_scripts(
    service: Service, chromium: Any, width: int, height: int
) -> None:
    await service.held("RB-1")
    how = {"java_script_enabled": False, "viewport": {"width": width, "height": height}}
    async with signed_in(service, chromium, "root", **how) as page:
        for path in PAGES:
            await page.goto(service.base + path)
            assert await fits(page), path
        await page.get_by_role("link", name="Matrix", exact=True).click()
        await page.get_by_role("link", name="Try it").click()
        await page.get_by_label("Priority").select_option("p0")
        await page.get_by_label("Opened at").fill("2026-01-05T09:00:00")
        await page.get_by_label("Opened at").press("Enter")
        await page.get_by_text("L3 answers within 4 h").wait_for()
        assert await fits(page)
        await page.get_by_role("link", name="History", exact=True).click()
        await page.locator("#search-trigger").select_option("accept")
        await page.get_by_role("button", name="Search").click()
        await page.get_by_role("link", name="RB-1").click()
        await page.get_by_role("heading", name="Where it stands").wait_for()
