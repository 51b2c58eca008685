"""A life from the customer's request to the close, through the pages alone; `every_way.py` walks it in all ways."""

from __future__ import annotations

from typing import Any

from tests.service.conftest import Service
from tests.service.console import browsers
from tests.service.console.browsers import PHONE
from tests.service.console.walk import everybody, live

chromium = browsers.chromium
pytestmark = browsers.needed


async def test_five_people_walk_a_whole_life_and_an_auditor_changes_nothing_without_scripts_on_phones(
    service: Service, chromium: Any
) -> None:
    async with everybody(service, chromium, viewport=PHONE, java_script_enabled=False) as walk:
        await live(walk)
