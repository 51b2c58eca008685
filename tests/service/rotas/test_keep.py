"""Rotas that decide who is on duty: written out as windows, kept while a calendar is down, and told to those whom it
concerns. The issue "Notices", 5."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from service.rotas.feed import MOST_BYTES, FeedError
from service.rotas.keep import Fetcher, expand, fetch_due
from service.submit import HOUSE
from service.timers import shifts
from tests.service.channels.test_webhook import Rebinding
from tests.service.conftest import Service
from tests.service.rotas.calendars import calendar, event

MONDAY = "2026-01-05T08:30:00Z"
OFFICE = {"person": "mia", "days": ["mon", "tue"], "from": "09:00", "until": "17:00"}
ROTA = {"name": "Managers", "time_zone": "Europe/Berlin", "shifts": [OFFICE]}
ON_CALL = calendar(event(":20260105T080000Z", ":20260105T160000Z", "On call: Mia M."))


@pytest.fixture
async def town(service: Service) -> Service:
    """At half past nine in Berlin; nobody of level 2 is on duty by themselves."""
    await service.now_is(MONDAY)
    await service.db.execute("UPDATE person SET on_duty = false WHERE level = 2")
    return service


async def put(town: Service, which: str = "managers", **fields: Any) -> Any:
    return (await town.call("root", "PUT", f"/v1/rotas/{which}", ROTA | fields)).ok()


async def told(town: Service) -> int:
    """What a node does now and then."""
    house = town.app[HOUSE]
    return await expand(house.reads, house.engine) + await shifts(house.reads, house.engine)


async def offered(town: Service, e: str) -> Any:
    return (await town.call("ann", "GET", f"/v1/escalations/{e}")).ok()["handoff"]["to"]


@asynccontextmanager
async def published(*answers: web.Response | bytes) -> AsyncIterator[str]:
    """A calendar's address, which answers these in turn, the last one for ever."""
    left = list(answers)

    async def get(request: web.Request) -> web.Response:
        answer = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(body=answer) if isinstance(answer, bytes) else answer

    app = web.Application()
    app.router.add_get("/{name}", get)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/rota.ics"
    finally:
        await runner.cleanup()


async def fetched(town: Service) -> Any:
    """The rota after its calendar was fetched."""
    await town.db.execute("UPDATE rota SET fetch_at = '-infinity'")
    assert await fetch_due(town.app[HOUSE].reads, Fetcher(["127.0.0.1"])) == 1
    await told(town)
    return (await town.call("root", "GET", "/v1/rotas/managers")).ok()


def feed(url: str, **people: str) -> dict[str, Any]:
    return {"shifts": [], "feed": {"url": url, "people": people or {"Mia": "mia"}}}


# Windows ----------------------------------------------------------------------------------------------------------


async def test_whoever_is_on_duty_by_a_rota_is_offered_what_is_called(town: Service) -> None:
    await put(town)
    assert await offered(town, await town.opened("T-1")) == "mia"


async def test_outside_of_their_shift_nobody_is(town: Service) -> None:
    await town.now_is("2026-01-05T07:59:59Z")
    await put(town)
    assert await offered(town, await town.opened("T-1")) == "dan", "the next level that has somebody"


async def test_at_the_end_of_a_shift_offers_pass_on_and_owners_are_reminded(town: Service) -> None:
    await put(town)
    owned, e = await town.opened("T-1"), await town.opened("T-2")
    (await town.act("mia", owned, "accept")).ok(201)
    await town.now_is("2026-01-05T16:00:00Z")
    await told(town)
    assert await offered(town, e) == "dan"
    reminded = (await town.call("ann", "GET", f"/v1/history?escalation_id={owned}&trigger=remind")).ok()["items"]
    assert [row["reason"] for row in reminded] == ["shift_ended"]


async def test_whom_a_changed_rota_takes_off_duty_passes_on_and_whom_it_brings_finds_what_waits(town: Service) -> None:
    await town.db.execute("UPDATE person SET on_duty = false")
    await put(town)
    e = await town.opened("T-1")
    assert await offered(town, e) == "mia"
    await put(town, shifts=[])
    assert await offered(town, e) is None
    await put(town, shifts=[OFFICE | {"person": "mo"}])
    assert await offered(town, e) == "mo"


async def test_people_and_rotas_add_up_and_putting_a_person_leaves_their_rota_as_it_is(town: Service) -> None:
    await put(town)
    await put(town, "more", shifts=[OFFICE | {"until": "12:00"}])
    e = await town.opened("T-1")
    (await town.call("root", "PUT", "/v1/people/mia", {"name": "Mia", "level": 2, "on_duty": False})).ok()
    assert await offered(town, e) == "mia"
    await put(town, shifts=[])
    assert await offered(town, e) == "mia", "the other one has her still"
    await put(town, "more", shifts=[])
    assert await offered(town, e) != "mia"


async def test_a_rota_is_written_out_anew_before_its_windows_run_out(town: Service) -> None:
    await put(town)
    await town.now_is("2026-02-09T08:30:00Z")
    await told(town)
    last = await town.db.fetchval("SELECT max(until) FROM rota_window")
    assert f"{last:%Y-%m}" == "2026-05"
    assert await offered(town, await town.opened("T-1")) == "mia"


# Calendars --------------------------------------------------------------------------------------------------------


async def test_a_calendar_kept_elsewhere_says_who_is_on_duty(town: Service) -> None:
    nights = event(":20260105T200000Z", ":20260105T230000Z", "Nights", "ATTENDEE:mailto:nobody@x.example")
    body = ON_CALL.replace(b"END:VCALENDAR", b"BEGIN:VEVENT\r\n" + nights.encode() + b"\r\nEND:VEVENT\r\nEND:VCALENDAR")
    async with published(body) as url:
        await put(town, **feed(url))
        rota = await fetched(town)
    assert (rota["fetched_at"], rota["error"], rota["unknown"]) == (MONDAY, None, ["Nights"])
    assert await offered(town, await town.opened("T-1")) == "mia"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (web.Response(status=503), "answered 503"),
        (b"<html>Sign in</html>", "no iCalendar"),
        (b"\xff\xfe", "not UTF-8"),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:9/x"}), "redirected"),
        (b"x" * (MOST_BYTES + 1), "longer than"),
    ],
)
async def test_one_that_is_down_or_broken_keeps_the_last_good_one(town: Service, answer: Any, why: str) -> None:
    async with published(ON_CALL, answer) as url:
        await put(town, **feed(url))
        await fetched(town)
        await town.now_is("2026-01-05T09:00:00Z")
        rota = await fetched(town)
    assert why in rota["error"]
    assert rota["fetched_at"] == MONDAY
    assert await offered(town, await town.opened("T-1")) == "mia"
    assert rota["error"] == (await fetched_nothing(town))["error"]


async def fetched_nothing(town: Service) -> Any:
    """It is not asked again at once."""
    assert await fetch_due(town.app[HOUSE].reads, Fetcher(["127.0.0.1"])) == 0
    return (await town.call("root", "GET", "/v1/rotas/managers")).ok()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_a_calendar_is_never_fetched_from_a_private_address(host: str) -> None:
    asked = list[str]()

    async with published(ON_CALL) as url:
        port = url.split(":")[2]
        with pytest.raises(FeedError) as told:
            asked.append(await Fetcher([]).fetch(f"http://{host}:{port}"))  # type: ignore[arg-type]
    assert not asked
    assert "127" not in str(told.value)


async def test_nor_is_one_whose_name_leads_there_only_sometimes() -> None:
    async with published(ON_CALL) as url:
        port = url.split(":")[2]
        with pytest.raises(FeedError, match="not public"):
            await Fetcher([], Rebinding("127.0.0.1")).fetch(f"http://rebinds.example:{port}")


async def test_only_admins_see_and_change_rotas_and_what_is_wrong_is_said(town: Service) -> None:
    await put(town)
    for who in ("ann", "vic", "desk", "aud"):
        (await town.call(who, "PUT", "/v1/rotas/managers", ROTA)).problem(403, "not_permitted")
        (await town.call(who, "GET", "/v1/rotas/managers")).problem(403, "not_permitted")
        (await town.call(who, "GET", "/v1/rotas")).problem(403, "not_permitted")
    assert [rota["id"] for rota in (await town.call("root", "GET", "/v1/rotas")).ok()["items"]] == ["managers"]
    (await town.call("root", "GET", "/v1/rotas/none")).problem(404, "not_found")
    wrong = ROTA | {"time_zone": "Mars/Olympus", "feed": {"url": "file:///etc/passwd"}}
    assert (await town.call("root", "PUT", "/v1/rotas/x", wrong)).fields() == {"time_zone", "feed.url"}
    shift: dict[str, Any]
    for shift in ({"days": []}, {"days": ["monday"]}, {"from": "24:00"}, {"until": "9:00"}, {"more": 1}):
        (await town.call("root", "PUT", "/v1/rotas/x", ROTA | {"shifts": [OFFICE | shift]})).problem(
            422, "invalid_fields"
        )
