"""Every page: it fits a phone and a wall screen, nothing goes wrong in it, and it keeps nobody out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.config import Oidc
from tests.service.conftest import Service, running
from tests.service.console import axe, browsers
from tests.service.console.browsers import PHONE, WALL, fits, signed_in, watched
from tests.service.console.places import PLACES, Place

chromium = browsers.chromium
pytestmark = browsers.needed
PROVIDER = Oidc(issuer="https://id.example", client_id="matrix", name="the company's account")
"""Nobody goes there: it is what the pages say of it."""


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Service]:
    """A service with two ways to sign in."""
    async with running(database_url, oidc=PROVIDER) as service:
        yield service


async def _looked_at(service: Service, chromium: Any, look: Any) -> dict[str, Any]:
    """What `look` finds on each page, by its address."""
    (await service.call("root", "PUT", "/v1/people/mo", {"name": "mo", "level": 2, "on_duty": False})).ok()
    e, owner = await service.held("T-1")
    assert owner == "mia"  # who is at the places where a form is open
    seen: dict[str, Any] = {}
    for who in dict.fromkeys(place.who for place in PLACES):
        mine = [place for place in PLACES if place.who == who]
        how = {"viewport": PHONE}
        async with signed_in(service, chromium, who, **how) if who else watched(service, chromium, **how) as page:
            for place in mine:
                await page.goto(service.base + place.path.format(e=e, t="T-1"))
                await _known(page, place)
                seen[place.path] = await look(page)
    return seen


async def _known(page: Any, place: Place) -> None:
    await page.get_by_role("heading", name=place.heading).first.wait_for()


async def test_no_page_has_to_be_scrolled_sideways_on_a_phone_or_on_a_wall_screen(
    service: Service, chromium: Any
) -> None:
    async def look(page: Any) -> dict[int, bool]:
        seen = {}
        for size in (PHONE, WALL):
            await page.set_viewport_size(size)
            seen[size["width"]] = await fits(page)
        await page.set_viewport_size(PHONE)
        return seen

    seen = await _looked_at(service, chromium, look)
    assert seen == {place.path: {360: True, 1920: True} for place in PLACES}


@axe.needed
async def test_no_page_keeps_anybody_out_in_the_light_or_in_the_dark(service: Service, chromium: Any) -> None:
    seen = await _looked_at(service, chromium, axe.found_in_either_light)
    assert seen == {place.path: [] for place in PLACES}


@axe.needed
async def test_what_keeps_people_out_would_be_found(service: Service, chromium: Any) -> None:
    async with watched(service, chromium) as page:
        await page.goto(f"{service.base}/sign-in")
        await page.evaluate("document.querySelector('main').append(document.createElement('input'))")
        assert [each.partition(":")[0] for each in await axe.found(page)] == ["label"]
