"""A replay: the file's events and the cast's turns in the order of their instants, one call after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from service.replay.caller import Answer, Caller
from service.replay.cast.playing import Cast
from service.replay.lines import Event
from service.replay.pace import Pace


class Player:
    """Plays. `who` are the principals that report tickets and that keep customers and people."""

    def __init__(self, caller: Caller, pace: Pace, *, desk: str, admin: str, cast: Cast | None = None) -> None:
        self._caller = caller
        self.pace = pace
        self._desk, self._admin = desk, admin
        self._cast = cast
        self.sent = 0
        self.line = 0
        self.now: datetime | None = None

    async def play(self, events: Iterable[Event], advance: Callable[[Event], None] = lambda event: None) -> None:
        """Every event, and before each what the cast does until then. `line` is the last one that is done."""
        for event in events:
            if self._cast is not None:
                await self._act_before(event.at)
            await self._until(event.at)
            answer = await self._send(event)
            if self._cast is not None and await self._cast.hear(event, answer.body, self._stands(event.at)):
                await self._until(event.at, again=True)  # it was due before it was reported
            self.line = event.line
            self.sent += 1
            advance(event)

    async def play_on(self, until: datetime) -> None:
        """What the cast still has to do after the last event, and the clock."""
        if self._cast is not None:
            await self._act_before(until)
        await self._until(until)

    async def _act_before(self, at: datetime) -> None:
        """Turns strictly before an instant: what is reported in that same minute comes first."""
        assert self._cast is not None
        while (due := self._cast.next_at) < at:
            await self._until(due)
            if self._cast.next_at == due:  # unless the clock did something meanwhile that changes their mind
                await self._cast.act(self._stands(due))

    def _stands(self, at: datetime) -> datetime:
        return at if self.now is None else max(at, self.now)

    async def _until(self, at: datetime, *, again: bool = False) -> None:
        if self.now is not None and at <= self.now and not again:
            return
        acted = await self.pace.until(at)
        self.now = self._stands(at)
        if acted and self._cast is not None:
            await self._cast.clock_acted(self.now)

    async def _send(self, event: Event) -> Answer:
        body, name = self.pace.told(event.body), f"line-{event.line}"
        match event.kind:
            case "ticket":
                return await self._caller.call(self._desk, "PUT", f"/v1/tickets/{event.id}", body, name=name)
            case "contact":
                path = f"/v1/tickets/{event.id}/contacts"
                return await self._caller.call(self._desk, "POST", path, body, name=name)
            case "customer":
                return await self._caller.call(self._admin, "PUT", f"/v1/customers/{event.id}", body, name=name)
            case "person":
                return await self._caller.call(self._admin, "PUT", f"/v1/people/{event.id}", body, name=name)
