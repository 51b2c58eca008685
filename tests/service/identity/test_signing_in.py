"""Signing in by an identity provider: who gets in, and every way in which nobody does."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jwk

from service import housekeeping
from tests.service.identity.conftest import There
from tests.service.identity.forgeries import WRONG, by_hand
from tests.service.identity.provider import query_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


def words(answer: Any) -> str:
    """What a page says, its tags apart."""
    return str(answer.raw.decode())


# Who gets in ------------------------------------------------------------------------------------------------------


async def test_whoever_the_provider_names_is_signed_in_and_goes_on_where_they_were(there: There) -> None:
    e = await there.service.opened("S-1")
    answer = await there.sign_in(f"/escalations/{e}")
    assert (answer.status, answer.headers["Location"]) == (303, f"/escalations/{e}")
    assert there.cookies.keys() == {"session"}  # the attempt's is gone
    page = (await there.get(f"/escalations/{e}")).raw.decode()
    assert "<strong>lee</strong>, lead" in page
    assert f"/escalations/{e}/note" in page


async def test_the_page_where_one_signs_in_says_with_what(there: There) -> None:
    page = words(await there.get("/sign-in?to=/escalations/new"))
    assert 'href="/sign-in/oidc?to=%2Fescalations%2Fnew"' in page.replace("to=/", "to=%2F").replace("/new", "%2Fnew")
    assert "Sign in with your company" in page


async def test_neither_state_nor_nonce_nor_verifier_is_told_twice(there: There) -> None:
    first, second = [(await there.other_browser().get("/sign-in/oidc")).headers["Location"] for _ in range(2)]
    pairs = zip(sorted(first.split("?")[1].split("&")), sorted(second.split("?")[1].split("&")), strict=True)
    differ = {a.partition("=")[0] for a, b in pairs if a != b}
    assert differ == {"state", "nonce", "code_challenge"}


async def test_a_session_may_what_its_person_may_and_ends_for_good_when_they_are_retired(there: There) -> None:
    db = there.service.db
    await there.sign_in()
    assert await there.signed_in()
    await db.execute("UPDATE principal SET role = 'agent', level = 0 WHERE id = 'lee'")
    assert "<strong>lee</strong>, agent" in words(await there.get("/"))
    await db.execute("UPDATE principal SET role = 'lead', level = 1 WHERE id = 'lee'")
    lee = {"name": "lee", "level": 1, "on_duty": True, "email": "lee@ours.example"}
    (await there.service.call("root", "PUT", "/v1/people/lee", lee | {"active": False})).ok()
    assert not await there.signed_in()
    answer = await there.other_browser().sign_in()
    assert answer.status == 403
    assert "of somebody who is retired" in words(answer)
    (await there.service.call("root", "PUT", "/v1/people/lee", lee)).ok()
    assert not await there.signed_in()
    await there.service.person("lee", "lead")
    await there.sign_in()
    assert await there.signed_in()


async def test_who_is_nobody_here_is_told_so_and_what_to_do(there: There) -> None:
    there.provider.person = {"email": "<b>eve@ours.example", "email_verified": True}
    answer = await there.sign_in()
    assert answer.status == 403
    assert "signed in there as &lt;b&gt;eve@ours.example" in words(answer)
    assert "An admin can put you on the roster" in words(answer)
    assert there.cookies == {}


async def test_an_address_that_two_people_have_signs_neither_in(there: There) -> None:
    await there.service.db.execute("UPDATE person SET email = 'two@ours.example' WHERE id IN ('mia', 'mo')")
    there.provider.person = {"email": "two@ours.example", "email_verified": True}
    assert (await there.sign_in()).status == 403
    assert not await there.signed_in()


async def test_a_new_key_of_the_providers_is_fetched_when_it_signs_with_it(there: There) -> None:
    issuer = there.issuer
    await there.sign_in()
    there.provider.signs = jwk.ECKey.generate_key("P-256", {"kid": "two"})
    there.provider.published.append(there.provider.signs)
    issuer._asked = float("-inf")  # as if the last time were long ago
    assert (await there.other_browser().sign_in()).status == 303
    before = there.provider.asked.count("keys")
    there.provider.signs = jwk.ECKey.generate_key("P-256", {"kid": "three"})
    for _ in range(3):
        assert (await there.other_browser().sign_in()).status == 403
    assert there.provider.asked.count("keys") == before  # not for each unknown one


# ID tokens that nobody gets in with -------------------------------------------------------------------------------


@pytest.mark.parametrize("why", WRONG)
async def test_no_id_token_that_is_wrong_signs_anybody_in(there: There, why: str) -> None:
    for name, value in WRONG[why].items():
        setattr(there.provider, name, value)
    answer = await there.sign_in()
    assert answer.status == 403, why
    assert "Not signed in" in words(answer)
    assert there.cookies == {}
    assert not await there.signed_in()


async def test_a_token_that_is_made_by_hand_as_those_are_and_right_signs_in(there: There) -> None:
    there.provider.make = by_hand(harmless=True)
    assert (await there.sign_in()).status == 303


# The way there and back -------------------------------------------------------------------------------------------


async def test_an_attempt_signs_in_once_though_the_provider_would_take_its_code_again(there: There) -> None:
    there.provider.reusable = True
    back = await there.away()
    attempt = dict(there.cookies)
    assert (await there.get(back)).status == 303
    for browser in (there, there.other_browser()):
        browser.cookies = dict(attempt)
        answer = await browser.get(back)
        assert answer.status == 403
        assert "This attempt has been used" in words(answer)
        assert not await browser.signed_in()


async def test_an_attempt_that_was_signed_out_of_begins_no_other(there: There) -> None:
    there.provider.reusable = True
    back = await there.away()
    attempt = dict(there.cookies)
    await there.get(back)
    await there.service.db.execute("UPDATE session SET ended_at = now() WHERE who IS NOT NULL AND ended_at IS NULL")
    await housekeeping.tidy(there.house.reads, there.house.settings)
    there.cookies = attempt
    assert (await there.get(back)).status == 403


@pytest.mark.parametrize("how", ["another browser", "no state", "another state", "half a character"])
async def test_who_was_led_here_by_somebody_else_is_not_signed_in(there: There, how: str) -> None:
    back = await there.away()
    browser = there.other_browser() if how == "another browser" else there
    if how == "no state":
        back = back.replace("state=", "other=")
    if how == "another state":
        back = await there.other_browser().away()
    if how == "half a character":
        back = back.replace("state=", "state=%ED%A0%80")
    answer = await browser.get(back)
    assert answer.status in (400, 403)
    assert not await browser.signed_in()
    assert there.provider.asked.count("token") == 0  # its code was not even handed in


async def test_a_code_of_another_attempt_is_refused_by_the_provider(there: There) -> None:
    theirs = await there.other_browser().away()
    ours = await there.away()
    code = query_of(theirs)["code"]
    answer = await there.get(ours.replace(query_of(ours)["code"], code))
    assert answer.status == 403
    assert not await there.signed_in()


async def test_another_provider_that_leads_here_is_not_believed(there: There) -> None:
    back = await there.away()
    answer = await there.get(back.partition("&iss=")[0] + "&iss=https%3A%2F%2Fevil.example")
    assert answer.status == 403
    assert there.provider.asked.count("token") == 0


async def test_what_the_provider_says_against_it_is_shown_as_text(there: There) -> None:
    there.provider.refuses = "<script>alert(1)</script> not in the group"
    answer = await there.sign_in()
    assert answer.status == 403
    assert "&lt;script&gt;alert(1)&lt;/script&gt; not in the group" in words(answer)


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example/", "/%5Cevil.example", "/sign-in", "x", "/a%0Ab"]
)
async def test_signing_in_leads_to_no_other_host(there: There, to: str) -> None:
    assert (await there.sign_in(to)).headers["Location"] == "/"


async def test_an_attempt_whose_cookie_was_changed_leads_to_no_other_host(there: There) -> None:
    back = await there.away()
    secret = there.cookies["attempt"].partition(".")[0]
    there.cookies["attempt"] = f"{secret}.Ly9ldmlsLmV4YW1wbGU"  # //evil.example
    assert (await there.get(back)).headers["Location"] == "/"


async def test_the_cookie_of_an_attempt_is_for_this_site_alone_and_short(there: There) -> None:
    given = (await there.get("/sign-in/oidc")).headers["Set-Cookie"]
    assert all(part in given for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"))
