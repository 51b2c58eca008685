"""Back to the help desk, against fakes that check the requests which its documentation asks for."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from machines.messages import MessageText
from service import channels
from service.channels.help_desk import HelpDeskChannel
from service.channels.letter import Address, Later, Letter, Refused
from service.config import HelpDesk, Settings, SettingsError, load
from tests.service.outbox.conftest import letter

TEXT = "Escalated to Level 2.\nReason: It [~root] spreads {code}"


class Desk:
    """Keeps what it is asked; `statuses` are its answers, else 200."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, Any]] = []
        self.statuses: list[int] = []

    async def answer(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        body = await request.json()
        self.asked.append((request.method, request.path, request.headers["Authorization"], body))
        return web.json_response({}, status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def desk_of(kind: Any, desk: Desk, **more: Any) -> AsyncIterator[HelpDeskChannel]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", desk.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    channel = HelpDeskChannel(HelpDesk(kind, url, "s3cret", **more), private=True)
    try:
        yield channel
    finally:
        await channel.close()
        await runner.cleanup()


def changed(ticket: str) -> Letter:
    return letter(
        audience="help_desk",
        recipient=ticket,
        ticket_id=ticket,
        template="level_changed",
        payload={"tag": "escalation-l2"},
        message=MessageText("Level 2", "Escalated to Level 2.\nReason: {reason}"),
        values={"reason": "It [~root] spreads {code}"},
    )


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


async def test_zendesk_gets_a_tag_and_a_comment_that_is_not_public() -> None:
    desk = Desk()
    async with desk_of("zendesk", desk, user="bot@us.example") as channel:
        await channel.send(changed("35436"))
    who = basic("bot@us.example/token:s3cret")
    assert desk.asked == [
        ("PUT", "/api/v2/tickets/35436/tags.json", who, {"tags": ["escalation-l2"]}),
        ("PUT", "/api/v2/tickets/35436.json", who, {"ticket": {"comment": {"body": TEXT, "public": False}}}),
    ]


async def test_zammad_gets_a_tag_and_an_internal_note() -> None:
    desk = Desk()
    async with desk_of("zammad", desk) as channel:
        await channel.send(changed("17"))
    note = {"ticket_id": 17, "subject": "Level 2", "body": TEXT, "content_type": "text/plain", "type": "note"}
    assert desk.asked == [
        ("POST", "/api/v1/tags/add", "Token token=s3cret", {"object": "Ticket", "o_id": 17, "item": "escalation-l2"}),
        ("POST", "/api/v1/ticket_articles", "Token token=s3cret", note | {"internal": True}),
    ]


async def test_jira_gets_a_label_and_a_comment_that_is_not_public_and_mentions_nobody() -> None:
    desk = Desk()
    async with desk_of("jira", desk, user="bot@us.example") as channel:
        await channel.send(changed("SD-12"))
    who = basic("bot@us.example:s3cret")
    label, (method, path, _, body) = desk.asked
    assert label == ("PUT", "/rest/api/3/issue/SD-12", who, {"update": {"labels": [{"add": "escalation-l2"}]}})
    assert (method, path) == ("POST", "/rest/servicedeskapi/request/SD-12/comment")
    assert body == {"body": "Escalated to Level 2.\nReason: It \\[\\~root\\] spreads \\{code\\}", "public": False}


async def test_what_failed_half_way_is_asked_again_as_a_whole() -> None:
    desk = Desk()
    desk.statuses = [200, 503]
    async with desk_of("zendesk", desk) as channel:
        with pytest.raises(Later):
            await channel.send(changed("1"))
        await channel.send(changed("1"))
        desk.statuses = [404]
        with pytest.raises(Refused):
            await channel.send(changed("1"))
    assert [path for _, path, _, _ in desk.asked] == [
        *("/api/v2/tickets/1/tags.json", "/api/v2/tickets/1.json") * 2,
        "/api/v2/tickets/1/tags.json",
    ]


@pytest.mark.parametrize(
    ("kind", "prefix", "ticket", "reaches"),
    [
        ("zendesk", "", "12", True),
        ("zendesk", "", "T-12", False),
        ("zendesk", "T-", "T-12", True),
        ("zendesk", "T-", "12", False),
        ("zendesk", "", "12/../../users/1", False),
        ("zendesk", "", "١٢", False),
        ("zammad", "", "1 2", False),
        ("jira", "", "SD-12", True),
        ("jira", "", "SD-12?x", False),
        ("jira", "", "sd-12", False),
    ],
)
def test_only_tickets_that_can_be_its_own_go_to_a_desk(kind: Any, prefix: str, ticket: str, reaches: bool) -> None:
    channel = HelpDeskChannel(HelpDesk(kind, "https://desk.example", "t", prefix=prefix))
    assert channel.reaches(Address("help_desk", ticket)) is reaches
    assert not channel.reaches(Address("customer", ticket))


async def test_a_desk_in_a_private_network_must_be_named() -> None:
    [channel] = channels.from_settings(Settings(help_desk=HelpDesk("zammad", "http://127.0.0.1:9/", "t")))
    with pytest.raises(Refused, match="not public"):
        await channel.send(changed("1"))
    await channel.close()


def test_settings_of_the_desk_are_checked_and_its_token_is_never_repeated() -> None:
    good = {"kind": "zammad", "url": "https://desk.example", "token": "hush"}
    told = load(environ={"ESCALATION_HELP_DESK": json.dumps(good)})
    assert told.help_desk == HelpDesk("zammad", "https://desk.example", "hush")
    for wrong in ({"kind": "other"}, {"url": "https://me:hush@x"}, {"token": "hush\r\nX: y"}, {"more": 1}):
        with pytest.raises(SettingsError, match="ESCALATION_HELP_DESK") as refusal:
            load(environ={"ESCALATION_HELP_DESK": json.dumps(good | wrong)})
        assert "hush" not in str(refusal.value)
