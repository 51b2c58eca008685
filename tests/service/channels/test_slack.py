"""Slack against a fake that speaks its Web API: threads, buttons, limits, and text that is only text."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import web

from machines.messages import MessageText
from service import channels
from service.channels.letter import Later, Letter, Reached, Refused
from service.channels.slack import LONGEST, IncomingWebhook, cut, escape
from service.channels.slack_bot import SlackChannel
from service.config import Settings, SettingsError, load
from service.inbound.slack import Wish, read
from tests.service.outbox.conftest import letter

TOKEN = "xoxb-1-a"


class Workspace:
    """Keeps what is posted; answers are scripted, else it is taken."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.answers: list[web.Response] = []

    async def post_message(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        form = request.content_type == "application/x-www-form-urlencoded"
        told = dict(await request.post()) if form else await request.json()
        self.posted.append({k: json.loads(v) if k in ("blocks", "metadata") and form else v for k, v in told.items()})  # type: ignore[arg-type]
        if self.answers:
            return self.answers.pop(0)
        channel = {"#escalations": "C1"}.get(str(told["channel"]), "D1")  # Slack answers with the channel's own id
        ts = told.get("ts") or f"1700000000.00000{len(self.posted)}"
        return web.json_response({"ok": True, "channel": channel, "ts": ts})

    async def hook(self, request: web.Request) -> web.Response:
        self.posted.append(await request.json())
        return self.answers.pop(0) if self.answers else web.Response(text="ok")


def error(code: str, status: int = 200, **headers: str) -> web.Response:
    return web.json_response({"ok": False, "error": code}, status=status, headers=headers)


@asynccontextmanager
async def running(workspace: Workspace) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/api/chat.postMessage", workspace.post_message)
    app.router.add_post("/api/chat.update", workspace.post_message)
    app.router.add_post("/hook", workspace.hook)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


ID = "019b8d62-7a80-7972-a6c9-dd647ea35839"


async def send(workspace: Workspace, *letters: Letter) -> list[str]:
    async with running(workspace) as base:
        slack = SlackChannel(TOKEN, "#escalations", f"{base}/api/")
        try:
            return [await slack.send(each) for each in letters]
        finally:
            await slack.close()


def to_dan(**changes: Any) -> Letter:
    told = {
        "people": {"dan": Reached("Dan", slack="U1")},
        "message": MessageText("[{ticket}] {issue}", "Ticket: {ticket}\nIssue: {issue}"),
        "values": {"ticket": "T-1", "issue": "Payments fail"},
        "offer": 2,
    }
    return letter(**told | changes)


def to_channel(**changes: Any) -> Letter:
    return to_dan(audience="escalations", recipient="#escalations", template="escalation", **changes)


async def test_a_page_goes_to_the_person_with_a_button_for_each_answer() -> None:
    workspace = Workspace()
    [receipt] = await send(workspace, to_dan(escalation_id=ID))
    assert receipt == "D1/1700000000.000001"
    [posted] = workspace.posted
    assert posted["channel"] == "U1"
    assert posted["text"] == "[T-1] Payments fail"
    section, reason, actions = posted["blocks"]
    assert reason["block_id"] == "reason"
    assert section["text"] == {"type": "mrkdwn", "text": "Ticket: T-1\nIssue: Payments fail", "verbatim": True}
    assert [button["action_id"] for button in actions["elements"]] == ["accept", "decline"]
    for button in actions["elements"]:
        clicked = {"type": "block_actions", "user": {"id": "U1"}, "actions": [button]}
        said = read(urlencode({"payload": json.dumps(clicked)}).encode())
        assert said is not None
        assert said.wish == Wish(button["action_id"], ID, version=2), "our own door reads it"
    assert posted["metadata"]["event_payload"] == {"delivery": to_dan(escalation_id=ID).key}


async def test_only_an_offer_to_a_person_has_buttons() -> None:
    workspace = Workspace()
    await send(workspace, to_channel(), to_dan(template="handoff_accepted"), to_dan(template="paged_again"))
    assert [len(posted["blocks"]) for posted in workspace.posted] == [1, 1, 3]
    assert workspace.posted[0]["channel"] == "#escalations"


async def test_one_escalation_is_one_thread_and_what_calls_a_level_is_shown_in_the_channel() -> None:
    workspace = Workspace()
    await send(workspace, to_channel(), to_channel(thread="1.2"), to_dan(thread="3.4", template="handoff_accepted"))
    told = [(posted.get("thread_ts"), str(posted.get("reply_broadcast")).lower()) for posted in workspace.posted]
    assert told == [(None, "none"), ("1.2", "true"), ("3.4", "false")] or told[1:] == [("1.2", "1"), ("3.4", "0")]


async def test_a_thread_whose_beginning_was_deleted_begins_anew() -> None:
    workspace = Workspace()
    workspace.answers = [error("thread_not_found")]
    assert await send(workspace, to_channel(thread="1.2")) == ["C1/1700000000.000002"]
    assert "thread_ts" not in workspace.posted[1]


async def test_a_thread_is_found_by_the_receipt_of_its_beginning() -> None:
    workspace = Workspace()
    await send(workspace, to_dan(thread="D1/3.4", template="handoff_accepted"))
    assert workspace.posted[0]["thread_ts"] == "3.4"


async def test_pages_told_together_have_one_button_for_all_of_them() -> None:
    workspace = Workspace()
    await send(workspace, to_dan(pages=(7, 9), thread="D1/3.4"))
    [posted] = workspace.posted
    _, actions = posted["blocks"]
    [button] = actions["elements"]
    assert (button["action_id"], button["text"]["text"]) == ("accept_all", "Accept all 2")
    clicked = {"type": "block_actions", "user": {"id": "U1"}, "actions": [button]}
    said = read(urlencode({"payload": json.dumps(clicked)}).encode())
    assert said is not None
    assert said.wish == Wish("accept", "", pages=(7, 9)), "our own door reads it"
    assert "thread_ts" not in posted, "they belong to several threads"


async def test_later_pages_are_written_into_the_message_that_is_there() -> None:
    workspace = Workspace()
    assert await send(workspace, to_dan(pages=(7, 9), amends="D1/3.4")) == ["D1/3.4"]
    [posted] = workspace.posted
    assert (posted["channel"], posted["ts"]) == ("D1", "3.4")


@pytest.mark.parametrize("code", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_where_that_message_is_gone_another_one_begins(code: str) -> None:
    workspace = Workspace()
    workspace.answers = [error(code)]
    assert await send(workspace, to_dan(pages=(7, 9), amends="D1/3.4")) == ["D1/1700000000.000002"]
    assert (workspace.posted[1]["channel"], "ts" in workspace.posted[1]) == ("U1", False)


async def test_while_slack_is_down_no_second_message_is_sent_for_one_that_is_there() -> None:
    workspace = Workspace()
    workspace.answers = [error("internal_error")]
    with pytest.raises(Later):
        await send(workspace, to_dan(pages=(7, 9), amends="D1/3.4"))
    assert len(workspace.posted) == 1


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (error("ratelimited", 429, **{"Retry-After": "30"}), 30.0),
        (error("ratelimited", 429), 1.0),
        (error("ratelimited"), 1.0),
        (error("internal_error"), None),
        (error("invalid_auth"), None),  # what an operator mends
        (web.Response(status=503, text="<html>later</html>"), None),
        (web.Response(status=200, text="<html>a proxy</html>"), None),
    ],
)
async def test_what_may_pass_is_tried_again_when_slack_says(answer: web.Response, after: float | None) -> None:
    workspace = Workspace()
    workspace.answers = [answer]
    with pytest.raises(Later) as told:
        await send(workspace, to_dan())
    assert told.value.after == after
    assert len(workspace.posted) == 1, "the outbox tries again, nobody else"


@pytest.mark.parametrize("code", ["channel_not_found", "user_not_found", "is_archived", "msg_too_long"])
async def test_what_will_not_change_is_refused(code: str) -> None:
    workspace = Workspace()
    workspace.answers = [error(code)]
    with pytest.raises(Refused, match=code):
        await send(workspace, to_dan())


async def test_who_has_no_slack_id_is_not_reached() -> None:
    slack = SlackChannel(TOKEN, "#escalations", "http://127.0.0.1:1/")
    assert slack.reaches(to_dan().address)
    assert slack.reaches(to_channel().address)
    assert not slack.reaches(to_dan(people={"dan": Reached("Dan", "dan@us.example")}).address)
    assert not slack.reaches(to_dan(audience="customer", recipient="acme").address)
    assert not slack.reaches(to_dan(audience="help_desk", recipient="T-1").address)
    with pytest.raises(Refused):
        await slack.send(to_dan(people={}))
    with pytest.raises(Later):
        await slack.send(to_dan())
    await slack.close()


# Text is text ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["<!channel>", "<!here|here>", "<@U1>", "<#C1>", "<https://evil.example|your bank>", "&lt;!channel&gt;", "a & b"],
)
async def test_nothing_that_people_wrote_mentions_or_links(text: str) -> None:
    workspace = Workspace()
    await send(workspace, to_channel(values={"ticket": text, "issue": text}))
    [posted] = workspace.posted
    for shown in (posted["text"], posted["blocks"][0]["text"]["text"]):
        assert "<" not in shown
        assert ">" not in shown
        assert text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in shown


@pytest.mark.parametrize("text", ["*bold*", "_it_", "~gone~", "`code`", "```block```"])
def test_nor_is_it_markup(text: str) -> None:
    shown = escape(text)
    assert shown.replace("\u2060", "") == text
    assert all(shown[n - 1] == "\u2060" for n, c in enumerate(shown) if c in "*_~`")


def test_a_long_text_is_cut_where_no_entity_breaks() -> None:
    long = "x" * (LONGEST - 3) + "&amp;&amp;"
    assert cut(long) == "x" * (LONGEST - 3) + "…"
    assert len(cut("&lt;" * 2000)) <= LONGEST
    assert cut("short") == "short"


# Incoming webhook -----------------------------------------------------------------------------------------------------


async def test_an_incoming_webhook_has_the_channels_messages_alone() -> None:
    workspace = Workspace()
    async with running(workspace) as base:
        hook = IncomingWebhook(f"{base}/hook", private=True)
        assert hook.reaches(to_channel().address)
        assert not hook.reaches(to_dan().address)
        await hook.send(to_channel())
        workspace.answers = [web.Response(status=429, headers={"Retry-After": "9"}), web.Response(status=404)]
        with pytest.raises(Later) as told:
            await hook.send(to_channel())
        with pytest.raises(Refused):
            await hook.send(to_channel())
        await hook.close()
        public = IncomingWebhook(f"{base}/hook")
        with pytest.raises(Refused, match="not public"):
            await public.send(to_channel())
        await public.close()
    assert told.value.after == 9
    assert workspace.posted[0].keys() == {"text", "blocks"}


def test_settings_choose_the_bot_before_the_webhook_and_are_never_repeated() -> None:
    hook = "https://hooks.slack.example/services/T/B/x"
    both = Settings(slack_token=TOKEN, slack_webhook_url=hook)
    assert [channel.name for channel in channels.from_settings(both)] == ["slack"]
    assert [each.name for each in channels.from_settings(Settings(slack_webhook_url=hook))] == ["slack-webhook"]
    with pytest.raises(SettingsError, match="ESCALATION_SLACK_TOKEN") as refusal:
        load(environ={"ESCALATION_SLACK_TOKEN": "hush hush"})
    assert "hush" not in str(refusal.value)


def test_the_sdk_is_imported_only_where_slack_is_set_up() -> None:
    code = "import sys, service.app; print('slack_sdk' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
    [made] = channels.from_settings(Settings(slack_token=TOKEN))
    assert isinstance(made, SlackChannel)
