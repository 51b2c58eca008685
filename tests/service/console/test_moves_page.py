"""Moving what runs to another version: seen before it happens, by admins alone."""

from __future__ import annotations

from machines import matrix
from tests.service.conftest import Service
from tests.service.console.conftest import as_

FASTER = matrix.default_text().replace('respond_within = "PT2H"', 'respond_within = "PT30M"', 1)


async def test_an_admin_sees_each_deadline_that_changes_and_moves_what_was_seen(service: Service) -> None:
    await service.now_is("2026-01-05T09:00:00Z")
    e, other = await service.opened("MP-1"), await service.opened("MP-2")
    sent = await service.call("root", "POST", "/v1/policies", raw=FASTER.encode(), Content_Type="application/toml")
    sent.ok(201)
    browser = await as_(service, "root")
    page = await browser.get("/matrix/moves")
    assert "2 under another version" in page.words
    assert "Answered by 11:00 → becomes 09:30" in page.words
    (await service.act("ann", other, "note", text="Meanwhile")).ok(201)
    page = await browser.send("/matrix/moves", 409, seen=[f"{e} 2", f"{other} 2"])
    assert "1 not moved MP-2: it has changed since you looked" in page.words
    assert "1 moved." in page.words
    assert (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["policy_version"] == 2
    page = await browser.send("/matrix/moves", seen=f"{other} 3")
    assert "1 moved. 0 under another version Everything that runs goes by version 2." in page.words
    assert "Running under it What it changed 2 09:00 root 2 Against 1" in (await browser.get("/matrix")).words


async def test_nobody_but_an_admin_gets_there_and_no_other_page_sends_it(service: Service) -> None:
    e = await service.opened("MP-3")
    browser = await as_(service, "vic")
    assert "Move what runs" not in (await browser.get("/matrix")).words
    await browser.get("/matrix/moves", 403)
    await browser.post("/matrix/moves", [("to", "1"), ("seen", f"{e} 2")], 403)
    admin = await as_(service, "root")
    await admin.post("/matrix/moves", [("to", "1"), ("seen", f"{e} 2"), ("csrf", "x")], 403)
    ours = dict((await admin.get("/matrix/moves")).forms["/sign-out"].fields)["csrf"]
    await admin.post("/matrix/moves", [("to", "9"), ("csrf", ours)], 404)
