"""Everything else, through Apprise: an extra that is asked for only where it is set up."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from aiohttp import web

from machines.messages import MessageText
from service import channels
from service.channels.apprise import AppriseChannel
from service.channels.letter import Address, Channel, Later
from service.config import AppriseTarget, Settings, SettingsError, load
from tests.service.outbox.conftest import letter


def made(url: str, *audiences: Any) -> Channel:
    target = AppriseTarget("ops", url, audiences or ("escalations",))
    [channel] = channels.from_settings(Settings(apprise=(target,)))
    return channel


async def receiver(status: int = 200) -> tuple[web.AppRunner, list[Any], str]:
    got = list[Any]()

    async def take(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, got, f"json://127.0.0.1:{runner.addresses[0][1]}/"


async def test_a_message_goes_out_as_text_that_mentions_nobody() -> None:
    runner, got, url = await receiver()
    try:
        channel = made(url)
        message = MessageText("{ticket}", "Issue: {issue}")
        await channel.send(letter(message=message, values={"ticket": "T-1", "issue": "@everyone <!channel> <b>"}))
    finally:
        await runner.cleanup()
    assert (got[0]["title"], got[0]["message"]) == ("T-1", "Issue: @\u2060everyone <\u2060!channel> <\u2060b>")


async def test_what_was_not_taken_is_tried_again() -> None:
    runner, got, url = await receiver(500)
    try:
        with pytest.raises(Later):
            await made(url).send(letter(message=MessageText("s", "t")))
    finally:
        await runner.cleanup()
    assert len(got) == 1


def test_it_takes_the_audiences_that_it_lists_after_every_other_channel() -> None:
    channel = made("json://127.0.0.1:9/", "person", "escalations")
    assert isinstance(channel, AppriseChannel)
    assert channel.reaches(Address("person", "dan"))
    assert not channel.reaches(Address("customer", "acme"))
    assert all(kinds[-1] == "apprise" for kinds in channels.ORDER.values())


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError, match=r"escalation-matrix\[apprise\]"):
        made("json://127.0.0.1:9/")
    assert channels.from_settings(Settings()) == ()


def test_a_url_that_apprise_does_not_know_is_named_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="'ops'") as told:
        made("nothing://secret")
    assert "secret" not in str(told.value)
    with pytest.raises(SettingsError) as told:
        load(environ={"ESCALATION_APPRISE": json.dumps([{"name": "ops", "url": "secret"}])})
    assert "secret" not in str(told.value)


def test_it_is_imported_only_where_it_is_set_up() -> None:
    code = "import sys, service.app; print('apprise' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
