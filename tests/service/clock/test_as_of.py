"""`as_of` on the list equals what the list answered at that instant."""

from __future__ import annotations

from typing import Any

import pytest

from service import past
from tests.service.clock.conftest import HOUR, MINUTE, START, Town, text

FILTERS = (
    *("", "&state=l2", "&state=closed", "&level=3", "&tier=starter", "&overdue=true", "&overdue=false"),
    *("&owner=mia", "&customer_id=acme", "&ticket_id=T-1", "&state=l1&overdue=true", "&limit=1"),
    *("&state=closed&owner=mia", "&state=closed&level=2&tier=enterprise", "&owner=mia&customer_id=acme"),
)


async def listed(town: Town, query: str) -> Any:
    """The whole answer."""
    return (await town.service.call("aud", "GET", f"/v1/escalations?{query.removeprefix('&')}")).ok()


@pytest.mark.parametrize("at_once", [1, past.AT_ONCE])
async def test_the_list_as_of_an_instant_is_what_it_was_then(town: Town, at_once: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(past, "AT_ONCE", at_once)
    snapshots = []

    async def look() -> None:
        now = (await town.service.call("desk", "GET", "/v1/clock")).ok()["now"]
        snapshots.append((now, {query: await listed(town, query) for query in FILTERS}))

    await town.report("T-1")
    one = await town.asks("T-1", "blocking_business_process")
    await look()
    await town.at(START + 5 * MINUTE)
    await town.act("mia", one["id"], "accept")
    await town.report("T-2", "starter")
    await town.asks("T-2", "workaround_unacceptable")
    await look()
    await town.at(START + 2 * HOUR)
    await town.report("T-3", priority="p0")
    await look()
    await town.at(START + 9 * HOUR)
    await town.report("T-1", status="solved", opened_at=text(START), resolved_at=text(START + 9 * HOUR))
    await town.act("mia", one["id"], "de_escalate", criterion="issue_resolved")
    await look()
    await town.at(START + 12 * HOUR)
    await town.act("mia", one["id"], "complete_step", step="confirm_with_customer", detail="They say so")
    await look()
    await look()
    await town.at(START + 13 * HOUR)
    for step in ("update_ticket", "document_lessons"):
        await town.act("mia", one["id"], "complete_step", step=step, detail=f"Did {step}", tags=["pattern"])
    await town.act("mia", one["id"], "close")
    await look()
    await town.at(START + 30 * HOUR)
    for now, wanted in snapshots:
        for query, told in wanted.items():
            assert await listed(town, f"{query}&as_of={now}") == told, (now, query)


async def test_before_anything_was_opened_there_was_nothing(town: Town):
    await town.report("T-1")
    await town.asks("T-1", "blocking_business_process")
    assert (await listed(town, f"&as_of={text(START - MINUTE)}"))["items"] == []
