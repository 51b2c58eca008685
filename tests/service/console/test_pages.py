"""The pages: who gets them, what they offer, and that what people write stays text."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.service.conftest import BRIEF, CAST, Service
from tests.service.console.conftest import FORM, Browser, as_

pytestmark = pytest.mark.asyncio(loop_scope="module")
WRITTEN = {f"brief__{name}": text for name, text in BRIEF.items()}
NASTY = "<script>alert(1)</script>\"'{{ 7 * 7 }}<img src=x onerror=alert(2)>&lt;"


async def _possible(service: Service, who: str, e: str) -> dict[str, Any]:
    told = (await service.call(who, "GET", f"/v1/escalations/{e}/transitions")).ok()
    return {each["trigger"]: each for each in told}


# Signing in -------------------------------------------------------------------------------------------------------


async def test_who_is_not_signed_in_signs_in_first_and_is_led_back(shared_service: Service) -> None:
    e = await shared_service.opened("S-1")
    browser = Browser(shared_service)
    await browser.get(f"/escalations/{e}")
    assert browser.path == "/sign-in"
    await browser.send("/sign-in", key=shared_service.keys["lee"])
    assert browser.path == f"/escalations/{e}"
    assert "lee , lead" in browser.page.words


@pytest.mark.parametrize(
    ("key", "taught"),
    [
        ("", "Enter your API key."),
        ("hunter2", "A key begins with esk_"),
        ("esk_0123456789abcdef_wrong", "unknown or revoked"),
    ],
)
async def test_a_wrong_key_is_told_what_a_key_is(shared_service: Service, key: str, taught: str) -> None:
    browser = Browser(shared_service)
    await browser.get("/sign-in")
    await browser.send("/sign-in", 401, key=key)
    assert taught in browser.page.words
    assert not browser.cookie


async def test_the_cookie_is_for_this_site_alone_and_kept_nowhere(shared_service: Service) -> None:
    raw = urlencode({"key": shared_service.keys["lee"]}).encode()
    sent = await shared_service.call(None, "POST", "/sign-in", raw=raw, Content_Type=FORM)
    given = sent.headers["Set-Cookie"]
    assert "HttpOnly" in given
    assert "SameSite=Lax" in given
    assert "Path=/" in given
    secret = given.partition("=")[2].partition(";")[0]
    found = "SELECT count(*) FROM session s WHERE s::text LIKE '%' || $1 || '%'"
    assert await shared_service.db.fetchval(found, secret) == 0


async def test_signing_out_ends_the_session_whoever_has_the_cookie(shared_service: Service) -> None:
    browser = await as_(shared_service, "ann")
    cookie = browser.cookie
    await browser.send("/sign-out")
    assert "You are signed out" in browser.page.words
    browser.cookie = cookie
    await browser.get("/")
    assert browser.path == "/sign-in"


@pytest.mark.parametrize("how", ["key revoked", "time over"])
async def test_a_session_ends_with_its_key_and_with_its_time(shared_service: Service, how: str) -> None:
    await shared_service.person("eve", "agent")
    browser = await as_(shared_service, "eve")
    await browser.get("/")
    assert browser.path == "/"
    key = shared_service.keys["eve"].split("_")[1]
    change = {
        "key revoked": "UPDATE api_key SET revoked_at = now() WHERE id = $1",
        "time over": "UPDATE session SET began_at = now() - interval '13 hours', until = now() - interval '1 hour'"
        " WHERE key_id = $1",
    }[how]
    await shared_service.db.execute(change, key)
    await browser.get("/")
    assert browser.path == "/sign-in"


async def test_a_role_is_asked_anew_for_each_page(shared_service: Service) -> None:
    await shared_service.person("rob", "auditor")
    browser = await as_(shared_service, "rob")
    assert "rob , auditor" in (await browser.get("/")).words
    await shared_service.db.execute("UPDATE principal SET role = 'admin' WHERE id = 'rob'")
    assert "rob , admin" in (await browser.get("/")).words


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example/", "/\\evil.example", "/sign-in?to=/", "x", "/a\nb"]
)
async def test_signing_in_leads_to_no_other_host(shared_service: Service, to: str) -> None:
    browser = Browser(shared_service)
    await browser.get("/sign-in")
    await browser.send("/sign-in", key=shared_service.keys["ann"], to=to)
    assert browser.where == "/"


# Forms from elsewhere ---------------------------------------------------------------------------------------------


async def test_a_form_of_another_site_or_session_changes_nothing(shared_service: Service) -> None:
    e, owner = await shared_service.held("F-1")
    browser, other = await as_(shared_service, owner), await as_(shared_service, "lee")
    action = f"/escalations/{e}/note"
    theirs = dict((await other.get(f"/escalations/{e}")).forms[action].fields)["csrf"]
    ours = dict((await browser.get(f"/escalations/{e}")).forms[action].fields)["csrf"]
    for csrf, headers in [
        ("", {}),
        (theirs, {}),
        (ours, {"Origin": "https://evil.example"}),
        (ours, {"Origin": "null"}),
    ]:
        page = await browser.post(action, [("csrf", csrf), ("text", "From elsewhere")], 403, **headers)
        assert "Load the page again" in page.words
    assert "From elsewhere" not in (await browser.get(f"/escalations/{e}")).words
    await browser.post(action, [("csrf", ours), ("text", "From here")], Origin=shared_service.base)
    assert "From here" in browser.page.words


async def test_a_bearer_key_serves_too(shared_service: Service) -> None:
    e, owner = await shared_service.held("F-2")
    bearer = f"Bearer {shared_service.keys[owner]}"
    page = await shared_service.call(None, "GET", f"/escalations/{e}", Authorization=bearer)
    assert page.status == 200
    sent = await shared_service.call(
        None, "POST", f"/escalations/{e}/note", raw=b"text=By+script", Content_Type=FORM, Authorization=bearer
    )
    assert sent.status == 303


# What a page offers -----------------------------------------------------------------------------------------------


async def test_everybody_sees_exactly_the_buttons_that_the_api_would_let_them_press(shared_service: Service) -> None:
    offered = await shared_service.opened("B-1")
    held, _ = await shared_service.held("B-2")
    for who in CAST:
        browser = await as_(shared_service, who)
        for e in (offered, held):
            page = await browser.get(f"/escalations/{e}")
            shown = {action.rpartition("/")[2] for action in page.forms if action.startswith("/escalations/")}
            possible = await _possible(shared_service, who, e)
            assert shown == {trigger for trigger, told in possible.items() if told["allowed"]}, who
            for told in possible.values():
                for failed in told["failed"]:
                    assert failed["message"] in page.words
                    assert all(name.replace("clock", "the clock") in page.words for name in failed["who_could"])


async def test_an_auditor_reads_everything_and_is_offered_nothing(shared_service: Service) -> None:
    e = await shared_service.opened("B-3")
    page = await (await as_(shared_service, "aud")).get(f"/escalations/{e}")
    assert list(page.forms) == ["/sign-out"]
    assert "Nothing, as auditor." in page.words


async def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(shared_service: Service) -> None:
    e, owner = await shared_service.held("B-4")
    browser = await as_(shared_service, owner)
    typed = {"reason": "Beyond us, and urgent", "brief__issue": "Payments fail"}
    page = await browser.call(e, "escalate", 422, **typed)
    assert "Brief, needed: is missing" in page.words
    assert 'id="escalate-brief-needed-problem"' in page.text
    kept = dict(page.forms[f"/escalations/{e}/escalate"].fields)
    assert (kept["reason"], kept["brief.issue"]) == ("Beyond us, and urgent", "Payments fail")
    page = await browser.call(e, "act", 403, authority="modify_contract", detail="One year free")
    assert "Who could: executive" in page.words
    assert dict(page.forms[f"/escalations/{e}/act"].fields)["detail"] == "One year free"


async def test_a_stale_button_explains_itself_and_keeps_what_was_typed(shared_service: Service) -> None:
    e, owner = await shared_service.held("B-5")
    browser = await as_(shared_service, owner)
    await browser.get(f"/escalations/{e}")
    (await shared_service.act("lee", e, "join", reason="Knows the pool")).ok(201)
    page = await browser.send(f"/escalations/{e}/update_customer", 412, text="We are on it")
    assert "It has changed since you looked: nothing was done" in page.words
    assert "lee: join: Knows the pool" in page.words
    assert dict(page.forms[f"/escalations/{e}/update_customer"].fields)["text"] == "We are on it"
    await browser.send(f"/escalations/{e}/update_customer")
    assert "Done: update customer" in browser.page.words


async def test_what_was_typed_for_a_move_that_is_gone_can_still_be_copied(shared_service: Service) -> None:
    e = await shared_service.opened("B-6")
    to = str((await shared_service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["handoff"]["to"])
    browser = await as_(shared_service, to)
    await browser.get(f"/escalations/{e}")
    (await shared_service.act(to, e, "accept")).ok(201)
    page = await browser.send(f"/escalations/{e}/decline", 412, reason="I am on a plane")
    assert "you can't do this any more" in page.words
    assert "What you wrote Reason I am on a plane" in page.words


async def test_who_was_signed_out_while_writing_can_copy_it(shared_service: Service) -> None:
    e, owner = await shared_service.held("B-10")
    browser = await as_(shared_service, owner)
    form = (await browser.get(f"/escalations/{e}")).forms[f"/escalations/{e}/note"]
    browser.cookie = ""
    fields = [*((name, value) for name, value in form.fields if name != "text"), ("text", "A long thought")]
    page = await browser.post(form.action, fields, 401)
    assert "What you wrote Text A long thought" in page.words
    assert dict(form.fields)["csrf"] not in page.text
    told = (await shared_service.call("aud", "GET", f"/v1/history?escalation_id={e}&trigger=note")).ok()
    assert told["items"] == []


async def test_the_same_form_sent_twice_is_done_once(shared_service: Service) -> None:
    e, owner = await shared_service.held("B-7")
    browser = await as_(shared_service, owner)
    form = (await browser.get(f"/escalations/{e}")).forms[f"/escalations/{e}/note"]
    fields = [*((name, value) for name, value in form.fields if name != "text"), ("text", "Once")]
    await browser.post(form.action, fields)
    await browser.post(form.action, fields)
    told = (await shared_service.call("aud", "GET", f"/v1/history?escalation_id={e}&trigger=note")).ok()["items"]
    assert len(told) == 1
    page = await browser.post(form.action, [*fields[:-1], ("text", "Other words")], 422)
    assert "sent before with other words" in page.words


async def test_what_is_not_there_is_a_page_that_says_so(shared_service: Service) -> None:
    browser = await as_(shared_service, "ann")
    for path in ("/escalations/nothing", "/escalations/01a20c09-0301-76f9-8658-b3ebd38e7940"):
        assert "Not found" in (await browser.get(path, 404)).words
    e = await shared_service.opened("B-8")
    assert "Not found" in (await browser.get(f"/escalations/{e}/to_closed", 404)).words


async def test_a_link_can_open_one_form(shared_service: Service) -> None:
    e = await shared_service.opened("B-9")
    page = await (await as_(shared_service, "ann")).get(f"/escalations/{e}/note")
    assert re.search(r'<details class="action" name="action" id="do-note" open>', page.text)


# The board --------------------------------------------------------------------------------------------------------


async def test_filters_stand_in_the_address_and_one_that_cannot_be_is_named(shared_service: Service) -> None:
    await shared_service.ticket("P-1", priority="p1", customer_id="beta", subject="Beta alone")
    await shared_service.opened_on("P-1")
    browser = await as_(shared_service, "ann")
    page = await browser.get("/?tier=professional&priority=p1&customer_id=beta&situation=&person=")
    assert "P-1 Beta alone beta Professional" in page.words
    assert '<option value="professional" selected>' in page.text
    assert "P-1" not in (await browser.get("/?tier=starter")).words
    assert "Not filtered" in (await browser.get("/?tier=gold")).words


# Text stays text --------------------------------------------------------------------------------------------------


async def test_html_in_every_free_text_field_shows_as_text_on_every_page(shared_service: Service) -> None:
    customer = {"name": f"Nasty {NASTY}", "tier": "enterprise", "contacts": ["boss@nasty.example"]}
    (await shared_service.call("root", "PUT", "/v1/customers/nasty", customer)).ok()
    person = {"name": f"Zed {NASTY}", "level": 2, "on_duty": True}
    (await shared_service.call("root", "PUT", "/v1/people/mo", person)).ok()
    await shared_service.ticket("N-1", customer_id="nasty", subject=NASTY, description=NASTY, product=NASTY)
    brief = dict.fromkeys(BRIEF, NASTY)
    body = {"ticket_id": "N-1", "situation": "blocking_business_process", "reason": NASTY, "brief": brief}
    e = (await shared_service.call("ann", "POST", "/v1/escalations", body)).ok(201)["escalation"]["id"]
    contact = {
        "channel": "reply",
        "sender": "boss@nasty.example",
        "author_role": "customer",
        "subject": NASTY,
        "body": NASTY,
    }
    (await shared_service.call("desk", "POST", "/v1/tickets/N-1/contacts", contact)).ok(201)
    browser = await as_(shared_service, "ann")
    await browser.call(e, "note", text=NASTY)
    pages = [browser.page, await browser.get("/"), await browser.get("/escalations/new?ticket=" + "%3Cscript%3E")]
    pages.append(await browser.call(e, "dismiss_situation", 422, reason=NASTY))
    pages.append(await browser.get("/?person=%3Cscript%3E&tier=%3Cscript%3E"))
    for page in pages:
        assert page.tags.count("script") == 1
        assert "img" not in page.tags
        assert not [name for name in page.attributes if name.startswith("on") or name == "style"]
        assert "style" not in page.tags
    assert NASTY in pages[0].words
    assert NASTY in pages[1].words


async def test_every_page_allows_nothing_but_its_own_style_and_script(shared_service: Service) -> None:
    browser = await as_(shared_service, "ann")
    for path, status in (("/", 200), ("/escalations/new", 200), ("/escalations/nothing", 404)):
        await browser.get(path, status)
        policy = browser.answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert browser.answer.headers["Cache-Control"] == "no-store"
        for address in re.findall(r'(?:src|href)="([^"]+)"', browser.page.text):
            assert address.startswith(("/", "#")), address
    for name in re.findall(r'"(/console/[^"]+)"', browser.page.text):
        assert (await shared_service.call(None, "GET", name)).status == 200
    assert (await shared_service.call(None, "GET", "/console/pages.py")).status == 404


# What happens now -------------------------------------------------------------------------------------------------


async def test_who_is_signed_in_hears_what_happens_and_nobody_else(shared_service: Service) -> None:
    (await shared_service.call(None, "GET", "/live")).problem(401, "no_key")
    browser = await as_(shared_service, "aud")
    e = await shared_service.opened("E-1")
    async with shared_service.session.get(f"{shared_service.base}/live", headers={"Cookie": browser.cookie}) as heard:
        assert heard.content_type == "text/event-stream"
        assert await heard.content.readline() == b"retry: 2000\n"
        (await shared_service.act("ann", e, "note", text="Now")).ok(201)
        async for line in heard.content:
            if line.startswith(b"data:"):
                assert e.encode() in line
                break
