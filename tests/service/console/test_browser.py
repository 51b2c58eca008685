"""A real browser: two of them open on one escalation, without a script at all, on a phone and on a wall screen.

It is Debian's Chromium, driven by Playwright; where one of them is not installed, these tests say so and are skipped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.service.conftest import BRIEF, Service

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt install chromium, or set CHROMIUM")


@pytest.fixture
async def chromium() -> AsyncIterator[Any]:
    """A browser; each context of it is a person's own."""
    async with playwright.async_playwright() as driver:
        started = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        await started.close()


@asynccontextmanager
async def signed_in(service: Service, chromium: Any, who: str, **how: Any) -> AsyncIterator[Any]:
    """A page of somebody who is signed in. Nothing may go wrong in it, and nothing be asked of another host."""
    context = await chromium.new_context(**how)
    page = await context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    # That an answer was a refusal, which Chromium tells there too, is what some tests are about.
    refused = "the server responded with a status of 4"
    page.on(
        "console", lambda told: wrong.append(told.text) if told.type == "error" and refused not in told.text else None
    )
    page.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(service.base) else None)
    await page.goto(f"{service.base}/sign-in")
    await page.get_by_label("API key").fill(service.keys[who])
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Board").wait_for()
    yield page
    assert wrong == []
    await context.close()


async def fits(page: Any) -> bool:
    """Nothing has to be scrolled sideways."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


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


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1920, 1080)])
async def test_without_scripts_an_escalation_is_opened_and_taken(
    service: Service, chromium: Any, width: int, height: int
) -> None:
    await service.ticket("T-3")
    how = {"java_script_enabled": False, "viewport": {"width": width, "height": height}}
    async with signed_in(service, chromium, "ann", **how) as page:
        await page.get_by_role("link", name="New escalation").click()
        await page.get_by_label("Ticket").fill("T-3")
        await page.get_by_label("Situation").select_option("workaround_unacceptable")
        await page.locator("#new-reason").fill("No way round")
        for name, text in BRIEF.items():
            await page.locator(f"#new-brief-{name}").fill(text)
        await page.get_by_role("button", name="Escalate").click()
        await page.get_by_role("heading", name="Where it stands").wait_for()
        at = page.url
    async with signed_in(service, chromium, "lee", **how) as page:
        await page.goto(at)
        await page.locator("#do-accept > summary").click()
        await page.locator("#do-accept button").click()
        await page.get_by_text("Done: accept").wait_for()
