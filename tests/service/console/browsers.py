"""A real browser: Debian's Chromium, driven by Playwright, and watched: nothing may go wrong in a page unnoticed."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.service.conftest import Service

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
HAS_PLAYWRIGHT = importlib.util.find_spec("playwright") is not None
needed = [
    pytest.mark.skipif(not HAS_PLAYWRIGHT, reason="playwright is not installed"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt install chromium, or set CHROMIUM"),
]
"""Marks of whatever needs a browser: where there is none, it says so and is skipped."""
PHONE, WALL = {"width": 360, "height": 740}, {"width": 1920, "height": 1080}


@asynccontextmanager
async def started() -> AsyncIterator[Any]:
    """A browser; each context of it is a person's own."""
    async with importlib.import_module("playwright.async_api").async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def chromium() -> AsyncIterator[Any]:
    """The browser of one test."""
    async with started() as browser:
        yield browser


@asynccontextmanager
async def watched(service: Service, chromium: Any, **how: Any) -> AsyncIterator[Any]:
    """A page in which no script fails, nothing is told as an error, no dialog opens, and no other host is asked."""
    context = await chromium.new_context(**how)
    context.set_default_timeout(10_000)
    page = await context.new_page()
    wrong: list[str] = []
    # That an answer was a refusal, which Chromium tells there too, is what some tests are about.
    refused = "the server responded with a status of 4"

    def told(message: Any) -> None:
        if message.type == "error" and refused not in message.text:
            wrong.append(message.text)

    async def dialog(opened: Any) -> None:
        wrong.append(f"a dialog: {opened.message}")
        await opened.dismiss()

    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", told)
    page.on("dialog", dialog)
    page.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(service.base) else None)
    yield page
    assert wrong == []
    await context.close()


@asynccontextmanager
async def signed_in(service: Service, chromium: Any, who: str, **how: Any) -> AsyncIterator[Any]:
    """Such a page of somebody who is signed in, with the board before them."""
    async with watched(service, chromium, **how) as page:
        await page.goto(f"{service.base}/sign-in")
        await page.get_by_label("API key").fill(service.keys[who])
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Board").wait_for()
        yield page


async def fits(page: Any) -> bool:
    """Nothing has to be scrolled sideways."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
