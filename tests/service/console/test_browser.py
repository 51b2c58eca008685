"""A real browser: what changes in one of them is shown in the others, and nothing typed is lost."""

from __future__ import annotations

from typing import Any

from tests.service.conftest import Service
from tests.service.console import browsers
from tests.service.console.browsers import fits, signed_in

chromium = browsers.chromium
pytestmark = browsers.needed


async def test_a_change_in_one_browser_is_in_the_other_and_takes_nothing_typed_away(
    service: Service, chromium: Any
) -> None:
    e, owner = await service.held("T-1")
    at = f"{service.base}/escalations/{e}"
    async with signed_in(service, chromium, owner) as ours, signed_in(service, chromium, "lee") as theirs:
        await ours.goto(at)
        await theirs.goto(at)
        await ours.locator("#do-note > summary").click()
        await ours.locator("#do-note textarea").fill("Half a sentence")
        await theirs.locator("#do-join > summary").click()
        await theirs.locator("#do-join").get_by_label("Reason").fill("Knows the pool")
        await theirs.locator("#do-join button").click()
        await theirs.get_by_text("Done: join").wait_for()
        await ours.locator("#timeline").get_by_text("Knows the pool").wait_for()  # without a reload
        assert await ours.locator("#do-note textarea").input_value() == "Half a sentence"
        await ours.locator("#moved").wait_for()
        await ours.locator("#do-note button").click()
        await ours.locator("#timeline").get_by_text("Half a sentence").wait_for()


async def test_what_was_typed_and_refused_stays_while_the_page_goes_on(service: Service, chromium: Any) -> None:
    e, owner = await service.held("T-4")
    async with signed_in(service, chromium, owner) as page:
        await page.goto(f"{service.base}/escalations/{e}/escalate")
        await page.locator("#escalate-reason").fill("Beyond us")
        await page.locator("#do-escalate button").click()
        await page.get_by_role("alert").get_by_text("Brief, needed: is missing").wait_for()
        (await service.act("ann", e, "note", text="Meanwhile")).ok(201)
        await page.locator("#timeline").get_by_text("Meanwhile").wait_for()
        assert await page.locator("#escalate-reason").input_value() == "Beyond us"


async def test_the_board_moves_without_a_reload(service: Service, chromium: Any) -> None:
    async with signed_in(service, chromium, "ann", viewport={"width": 1920, "height": 1080}) as page:
        await page.evaluate("window.same = true")
        await service.opened("T-2")
        await page.get_by_role("link", name="T-2").wait_for()
        assert await page.evaluate("window.same")
        assert await fits(page)
