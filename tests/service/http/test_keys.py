"""Keys: which are taken, and that what they may is looked up at every request, never remembered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import Answer, Service

READ, NOTE = ("GET", "/v1/history"), {"trigger": "note", "text": "seen"}
UNKNOWN = "esk_0123456789abcdef_secret"


async def _both(service: Service, escalation: str, **headers: str) -> list[Answer]:
    """A read, which is authenticated beside the engine, and a transition, which the engine authenticates."""
    path = f"/v1/escalations/{escalation}/transitions"
    return [
        await service.call(None, *READ, **headers),  # type: ignore[arg-type]  # headers by keyword
        await service.call(None, "POST", path, NOTE, **headers),  # type: ignore[arg-type]
        await service.call(None, "POST", f"{path}?dry_run=true", NOTE, **headers),  # type: ignore[arg-type]
        await service.call(None, "GET", path, **headers),  # type: ignore[arg-type]
        await service.call(None, "POST", "/v1/transitions", [{"escalation_id": escalation, **NOTE}], **headers),  # type: ignore[arg-type]
    ]


async def test_a_header_that_holds_no_key_is_401(service: Service) -> None:
    e = await service.opened("T-1")
    key = service.keys["ann"]
    plain = [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {key}",
        key,
        f"Bearer{key}",
        "Bearer esk_",
        "Bearer esk_a",
        "Bearer x_y_z",
    ]
    odd = [
        "Bearer esk_\udcff_x",
        "Bearer esk_' OR 1=1--_x",
        "Bearer esk__x",
        f"Bearer {key[3:]}",
        "Bearer " + "x" * 7000,
    ]
    for header in (*plain, *odd, "Bearer eyJhbGciOiJub25lIn0.e30."):
        for answer in await _both(service, e, Authorization=header):
            told = answer.problem(401, "no_key")
            assert "keys create" in told["detail"]
            assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_key_that_is_none_of_ours_is_401(service: Service) -> None:
    e = await service.opened("T-1")
    _, key_id, secret = service.keys["ann"].split("_", 2)
    _, other, _ = service.keys["vic"].split("_", 2)
    wrong = [f"esk_{key_id}_{secret[:-1]}", f"esk_{key_id}_{secret}x", f"esk_{other}_{secret}", f"esk_{key_id}_"]
    for key in (*wrong, f"esk_{key_id}_\udcff", f"esk_0123456789abcdef_{secret}"):
        for answer in await _both(service, e, Authorization=f"Bearer {key}"):
            answer.problem(401, "unknown_key")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_read_in_any_case(service: Service, scheme: str) -> None:
    e = await service.opened("T-1")
    for answer in await _both(service, e, Authorization=f"{scheme} {service.keys['ann']}"):
        assert answer.status in (200, 201)


async def test_a_revoked_key_is_refused_at_the_next_request(service: Service) -> None:
    e = await service.opened("T-1")
    headers = {"Authorization": f"Bearer {service.keys['ann']}"}
    assert all(answer.status < 300 for answer in await _both(service, e, **headers))
    await service.db.execute("UPDATE api_key SET revoked_at = now() WHERE principal_id = 'ann'")
    for answer in await _both(service, e, **headers):
        answer.problem(401, "unknown_key")


async def test_a_second_key_of_the_same_person_stays_good(service: Service) -> None:
    first = service.keys["ann"]
    await service.person("ann", "agent")
    await service.db.execute("UPDATE api_key SET revoked_at = now() WHERE id = $1", first.split("_")[1])
    (await service.call(None, *READ, Authorization=f"Bearer {first}")).problem(401, "unknown_key")
    (await service.call("ann", *READ)).ok()


async def test_a_retired_person_loses_their_keys_for_good(service: Service) -> None:
    e = await service.opened("T-1")
    headers = {"Authorization": f"Bearer {service.keys['lee']}"}
    lee = {"name": "Lee", "level": 1, "on_duty": True}
    (await service.call("root", "PUT", "/v1/people/lee", lee | {"active": False})).ok()
    for answer in await _both(service, e, **headers):
        answer.problem(401, "unknown_key")
    (await service.call("root", "PUT", "/v1/people/lee", lee)).ok()
    for answer in await _both(service, e, **headers):
        answer.problem(401, "unknown_key")
    await service.person("lee", "lead")
    (await service.call("lee", *READ)).ok()


async def test_a_retired_principal_is_refused(service: Service) -> None:
    e = await service.opened("T-1")
    await service.db.execute("UPDATE principal SET active = false WHERE id = 'desk'")
    for answer in await _both(service, e, Authorization=f"Bearer {service.keys['desk']}"):
        answer.problem(401, "unknown_key")


async def test_a_demoted_person_is_refused_at_the_next_request(service: Service) -> None:
    e, holder = await service.held("T-1")
    act: dict[str, Any] = {"authority": "pull_engineers", "detail": "two of them"}
    (await service.act(holder, e, "act", **act)).ok(201)
    (await service.call("root", "PUT", f"/v1/people/{holder}", {"name": "M", "level": 1, "on_duty": True})).ok()
    told = (await service.act(holder, e, "act", **act)).problem(403, "not_permitted")
    assert [failed["guard"] for failed in told["failed"]] == ["actor_holds_authority"]


async def test_a_demoted_admin_is_refused_at_the_next_request(service: Service) -> None:
    person = {"name": "Zoe", "level": 1, "on_duty": True}
    (await service.call("root", "PUT", "/v1/people/zoe", person)).ok()
    await service.db.execute("UPDATE principal SET role = 'auditor' WHERE id = 'root'")
    (await service.call("root", "PUT", "/v1/people/zoe", person)).problem(403, "not_permitted")


async def test_a_key_has_no_more_level_than_the_roster(service: Service) -> None:
    await service.person("lee", "executive")
    e, _ = await service.held("T-1")
    (await service.act("lee", e, "join", reason="to help")).ok(201)
    told = (await service.act("lee", e, "act", authority="pull_engineers", detail="x")).problem(403, "not_permitted")
    assert [failed["guard"] for failed in told["failed"]] == ["actor_holds_authority"]


async def test_a_bulk_of_an_unknown_caller_is_401_as_a_whole(service: Service) -> None:
    (await service.call(None, "POST", "/v1/transitions", [])).problem(401, "no_key")
    answer = await service.call(None, "POST", "/v1/transitions", [], Authorization=f"Bearer {UNKNOWN}")
    answer.problem(401, "unknown_key")


async def test_a_secret_is_kept_nowhere(service: Service) -> None:
    secret = service.keys["ann"].split("_", 2)[2]
    tables = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    for (table,) in await service.db.fetch(tables):
        found = f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || $1 || '%'"
        assert await service.db.fetchval(found, secret) == 0
