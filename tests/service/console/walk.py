"""A whole life through the pages alone, by six people before six browsers, from a customer's request to the close.

Each presses only what the page shows them. All that they type holds HTML, which must be text wherever it is shown.
What happens elsewhere (the help desk's ticket, what the customer says) comes in by the API, as it does in life.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.service.conftest import Service
from tests.service.console.browsers import fits, signed_in

PEOPLE = ("ann", "lee", "mia", "dan", "vic", "aud")
"""An agent, a lead, a manager, a director, an executive, and an auditor."""
BRIEF = ("issue", "reason", "current_status", "needed")
PLANTED = '<b id="planted">bold</b><img src="/nowhere" onerror="alert(1)">'


def said(text: str) -> str:
    """What somebody types, with HTML in it."""
    return f"{text} {PLANTED}"


@dataclass
class Walk:
    """Where everybody stands. `look` is asked of each page that somebody was led to."""

    service: Service
    pages: dict[str, Any]
    look: Callable[[str, Any], Awaitable[None]]
    at: str = ""
    last: str = ""
    seen: list[str] = field(default_factory=list)

    async def opens(self, who: str, situation: str, ticket: str) -> None:
        """From the board, by its link."""
        page = self.pages[who]
        await page.get_by_role("link", name="New escalation").click()
        await self._shown(f"{who}: the form of a new escalation", page)
        await page.get_by_label("Ticket").fill(ticket)
        await page.get_by_label("Situation").select_option(situation)
        await page.locator("#new-reason").fill(said("They called"))
        await page.get_by_role("button", name="Escalate", exact=True).click()
        await page.get_by_role("heading", name="Where it stands").wait_for()
        self.at = page.url
        await self._shown(f"{who}: opened", page)

    async def press(self, who: str, trigger: str, /, refused: str = "", **typed: str) -> Any:
        """Look at the escalation, fill in one of its forms and send it; `refused` is a word of the refusal."""
        page = self.pages[who]
        if who != self.last:  # else they were just led to it
            await page.goto(self.at)
            self.last = who
        form = page.locator(f"#do-{trigger}")
        if not await form.evaluate("form => form.open"):
            await form.locator("summary").click()
        for name, text in typed.items():
            part = form.locator(f"#{trigger}-{name.replace('__', '-').replace('_in_', '-')}")
            tag = await part.evaluate("part => part.tagName")
            await (part.select_option(text) if tag == "SELECT" else part.fill(text))
        if trigger == "complete_step" and typed.get("step") == "document_lessons":
            await form.get_by_label("Training").check()
        await form.locator("button.go").click()
        told = refused or f"Done: {trigger.replace('de_esc', 'de-esc').replace('_', ' ')}."
        await page.get_by_role("alert" if refused else "status").get_by_text(told).first.wait_for()
        await self._shown(f"{who}: {trigger}{', refused' if refused else ''}", page)
        return page

    async def hands_on(self, owner: str, to: str, level: str, code: str) -> None:
        """The owner escalates with a brief, and the person of that level takes it."""
        await self.press(owner, "escalate", reason=said("Beyond us"), code=code, **written(level))
        await self.press(to, "accept")
        await self.pages[to].locator("#ownership").get_by_text(f"{to} you", exact=True).wait_for()

    async def stands(self, who: str, state: str) -> None:
        """As their page says it."""
        await self.pages[who].locator("#heading .tag.state").get_by_text(state, exact=True).wait_for()

    async def changes_nothing(self, who: str, *, closed: bool = False) -> None:
        """They read all of it, and no page of it has anything for them to press."""
        page = self.pages[who]
        for path in ("", "/note", "/close"):
            await page.goto(self.at + path)
            assert await page.locator("main form").count() == 0
            words = "It is closed." if closed else "Nothing, as auditor."
            await page.get_by_text(words).wait_for()
        await self._shown(f"{who}: reads", page)

    async def _shown(self, what: str, page: Any) -> None:
        self.seen.append(what)
        assert await fits(page), what
        assert await page.locator("#planted").count() == 0, what
        await self.look(what, page)


def written(level: str) -> dict[str, str]:
    """A brief inside a trigger, and the level that it calls."""
    return {"level": level} | {f"brief_in_{name}": said(name) for name in BRIEF}


async def _nothing_more(_: str, __: Any) -> None:
    return


@asynccontextmanager
async def everybody(
    service: Service, chromium: Any, look: Callable[[str, Any], Awaitable[None]] = _nothing_more, **how: Any
) -> AsyncIterator[Walk]:
    """All of them signed in, each with a browser of their own. One manager is on duty: it is known who is asked."""
    (await service.call("root", "PUT", "/v1/people/mo", {"name": "mo", "level": 2, "on_duty": False})).ok()
    async with AsyncExitStack() as stack:
        pages = {who: await stack.enter_async_context(signed_in(service, chromium, who, **how)) for who in PEOPLE}
        yield Walk(service, pages, look)


async def live(walk: Walk) -> None:
    """The whole life."""
    service, press = walk.service, walk.press
    await service.ticket("T-1", customer_id="beta", subject=said("Payments fail"))
    # A customer's request waits for an agent; the matrix says level 1.
    await walk.opens("ann", "customer_request", "T-1")
    await walk.stands("ann", "Open")
    await press("ann", "engage", **written("1"))
    await press("ann", "brief", **{name: said(f"{name}, anew") for name in BRIEF})
    await walk.changes_nothing("aud")
    await press("lee", "accept")
    await walk.stands("lee", "L1")
    await press("lee", "act", "Who could: director", authority="approve_service_credit", detail=said("10 %"))
    await press("lee", "act", authority="approve_standard_workaround", detail=said("Pay by invoice"))
    await press("lee", "update_customer", text=said("We look at it"), workaround=said("Pay by invoice"))
    await walk.hands_on("lee", "mia", "2", "technical_complexity")
    await press("mia", "act", authority="pull_engineers", detail=said("Two of them"))
    await press("ann", "note", text=said("They called again"))
    await walk.hands_on("mia", "dan", "3", "")
    await press("dan", "act", authority="approve_service_credit", detail=said("10 % of March"))
    await walk.hands_on("dan", "vic", "4", "")
    await press("vic", "act", authority="modify_contract", detail=said("One year"))
    await press("mia", "disengage")
    reply = {
        "channel": "reply",
        "sender": "boss@beta.example",
        "author_role": "customer",
        "body": said("That will do"),
    }
    heard = await service.call("desk", "POST", "/v1/tickets/T-1/contacts", reply)
    confirmed = str(heard.ok(201)["contact"]["id"])
    await press("vic", "de_escalate", "lacks its evidence", criterion="workaround_accepted")
    await press("vic", "de_escalate", criterion="workaround_accepted", evidence=confirmed)
    await walk.stands("vic", "De-escalating")
    await service.ticket("T-1", customer_id="beta", subject=said("Payments fail"), status="pending")
    await press("vic", "complete_step", step="confirm_with_customer", detail=said("Their reply"))
    await press("lee", "complete_step", step="update_ticket")
    await press("vic", "complete_step", step="document_lessons", detail=said("Watch the pool"))
    await press("vic", "close")
    await walk.stands("vic", "Closed")
    await walk.changes_nothing("aud", closed=True)
    rows = (await service.call("aud", "GET", "/v1/history?ticket_id=T-1&order=asc&limit=200")).ok()["items"]
    for row in rows:  # every row is on the page, with its proof
        assert await walk.pages["aud"].locator("#timeline code").get_by_text(row["hash"]).count() == 1
    assert {"ann", "lee", "mia", "dan", "vic"} <= {row["actor"] for row in rows}
    assert [row["to"] for row in rows if row["from"] != row["to"]] == [
        *("open", "l1", "l2", "l3", "l4", "de_escalating", "closed"),
    ]
