"""The clock: what is now, and setting it forward where it is virtual."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web
from msgspec import Struct

from machines.asked import FieldProblem
from service.body import body
from service.clock import Backwards, Forward, VirtualClock
from service.door import Instant, Route, checked, nowhere, wrong
from service.reads import admit, answered, reading
from service.submit import HOUSE

CLOCK = web.AppKey("clock", VirtualClock)
EXAMPLE = {"now": "2190-01-05T09:00:00Z"}


class ClockFields(Struct, frozen=True, forbid_unknown_fields=True):
    """The instant that is to be now; not before the one that is."""

    now: Instant


class ClockAnswer(Struct, frozen=True):
    """The one instant that is now."""

    now: datetime


def _clock(request: web.Request) -> VirtualClock:
    if request.app[HOUSE].settings.clock != "virtual":
        raise nowhere("This service lives by the system's clock, which nobody sets: ESCALATION_CLOCK=virtual.")
    return request.app[CLOCK]


async def show(request: web.Request) -> web.StreamResponse:
    """404 with the system's clock."""
    async with reading(request):
        clock = _clock(request)
    return answered(ClockAnswer(await clock.now()))


async def put(request: web.Request) -> web.StreamResponse:
    """Sets the clock forward and fires every timer due by then, each at its own due instant, in their order; answers
    when none is left, and how many fired. 404 with the system's clock."""
    value = await body(request)
    async with reading(request) as (_, known):
        clock = _clock(request)
        fields = checked(value, ClockFields)
        admit(known, ("admin",), "Only admins may set the clock.")
    try:
        return answered(await clock.forward(fields.now))
    except Backwards as error:
        raise wrong(FieldProblem("now", f"must not lie before where the clock stands: {_text(error.now)}")) from None


def _text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


ROUTES = (
    Route(
        "GET",
        "/v1/clock",
        show,
        "The instant that is now, where the clock is virtual",
        {200: ClockAnswer},
        refuses=(404,),
    ),
    Route(
        "PUT",
        "/v1/clock",
        put,
        "Set the virtual clock forward",
        {200: Forward},
        body=ClockFields,
        refuses=(403, 404),
        example=EXAMPLE,
    ),
)
