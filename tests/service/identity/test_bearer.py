"""Tokens of the identity provider in place of API keys."""

from __future__ import annotations

from typing import Any

import pytest

from service import auth
from service.problems import Refused
from tests.service.conftest import Answer
from tests.service.identity.conftest import There
from tests.service.identity.forgeries import OF_SIGNING_IN, WRONG
from tests.service.identity.provider import CLIENT

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _both(there: There, e: str, header: str) -> list[Answer]:
    """A read, and a transition."""
    call, path = there.service.call, f"/v1/escalations/{e}/transitions"
    return [
        await call(None, "GET", "/v1/history", Authorization=header),
        await call(None, "GET", path, Authorization=header),
        await call(None, "POST", path, {"trigger": "note", "text": "By token"}, Authorization=header),
    ]


async def test_a_token_for_our_api_is_as_good_as_the_key_of_whom_it_names(there: There) -> None:
    e = await there.service.opened("B-1")
    told = await _both(there, e, there.bearer())
    assert [answer.status for answer in told] == [200, 200, 201]
    assert told[2].body["transition"]["actor"] == "lee"
    as_lee = (await there.service.call("lee", "GET", f"/v1/escalations/{e}/transitions")).ok()
    as_token = (
        await there.service.call(None, "GET", f"/v1/escalations/{e}/transitions", Authorization=there.bearer())
    ).ok()
    assert as_token == as_lee


async def test_the_same_call_twice_is_once_by_token_too(there: There) -> None:
    e = await there.service.opened("B-2")
    path, body = f"/v1/escalations/{e}/transitions", {"trigger": "note", "text": "Once"}
    sent = [
        await there.service.call(None, "POST", path, body, Authorization=there.bearer(), Idempotency_Key="b-2")
        for _ in range(2)
    ]
    assert sent[0].raw == sent[1].raw
    assert sent[1].headers["Idempotency-Replayed"] == "true"


async def test_an_id_token_is_no_key(there: There) -> None:
    e = await there.service.opened("B-3")
    for answer in await _both(there, e, there.bearer(CLIENT)):
        answer.problem(401, "bad_token")


@pytest.mark.parametrize("why", [why for why in WRONG if why not in OF_SIGNING_IN and why != "half a token"])
async def test_no_token_that_is_wrong_is_taken(there: There, why: str) -> None:
    for name, value in WRONG[why].items():
        setattr(there.provider, name, value)
    header = there.bearer()
    for answer in await _both(there, "01a20c09-0301-76f9-8658-b3ebd38e7940", header):
        answer.problem(401, "bad_token")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_that_names_nobody_here_is_401_and_what_cannot_be_read_is_told_first(there: There) -> None:
    e = await there.service.opened("B-4")
    there.provider.person = {"email": "eve@ours.example", "email_verified": True}
    for answer in await _both(there, e, there.bearer()):
        answer.problem(401, "bad_token")
    path = f"/v1/escalations/{e}/transitions"
    broken = await there.service.call(None, "POST", path, raw=b"{", Authorization=there.bearer())
    broken.problem(400, "unreadable")


async def test_whoever_is_demoted_is_refused_with_the_token_that_they_have(there: There) -> None:
    e = await there.service.opened("B-5", situation="workaround_unacceptable")
    header = there.bearer()
    path = f"/v1/escalations/{e}/transitions"

    async def call(trigger: str, **fields: Any) -> Answer:
        return await there.service.call(None, "POST", path, {"trigger": trigger, **fields}, Authorization=header)

    (await call("accept")).ok(201)
    act = {"authority": "assign_resources", "detail": "two"}
    (await call("act", **act)).ok(201)
    await there.service.db.execute("UPDATE principal SET role = 'agent', level = 0 WHERE id = 'lee'")
    (await call("act", **act)).problem(403, "not_permitted")
    await there.service.db.execute("UPDATE principal SET role = 'lead', level = 1 WHERE id = 'lee'")


async def test_a_token_opens_pages_and_the_feed_too(there: There) -> None:
    answer = await there.service.call(None, "GET", "/", Authorization=there.bearer())
    assert b"<strong>lee</strong>, lead" in answer.raw
    (await there.service.call(None, "GET", "/v1/events", Authorization=there.bearer())).ok()


async def test_what_the_feed_tells_ends_with_the_token(there: There) -> None:
    token, until = await there.issuer.bearer(there.provider.token("escalation-api"))
    assert token == "lee@ours.example"
    over = auth.person("lee", until.replace(year=2020))
    with pytest.raises(Refused):
        await auth.known(there.service.db, over)
    assert (await auth.known(there.service.db, auth.person("lee", until))).id == "lee"
