"""The review in a real browser, without scripts: on a phone and on a wall screen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from service.reviews import weeks
from tests.service.conftest import Service
from tests.service.console import browsers
from tests.service.console.browsers import fits, signed_in

chromium = browsers.chromium
pytestmark = browsers.needed


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1920, 1080)])
async def test_a_lead_writes_into_it_without_scripts_and_nothing_is_scrolled_sideways(
    service: Service, chromium: Any, width: int, height: int
) -> None:
    await service.opened("T-1")
    week = weeks.of(datetime.now(UTC))
    how = {"java_script_enabled": False, "viewport": {"width": width, "height": height}}
    async with signed_in(service, chromium, "lee", **how) as page:
        await page.get_by_role("link", name="Reviews").click()
        assert await fits(page)
        await page.get_by_role("link", name=str(week), exact=True).click()
        assert await fits(page)
        await page.get_by_label("Reviewed: T-1").check()
        await page.get_by_role("button", name="Mark the ticked as reviewed").click()
        await page.get_by_text("Marked as reviewed.").wait_for()
        await page.locator("#notes-text").fill("Seen")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.get_by_text("The note is in the review.").wait_for()
