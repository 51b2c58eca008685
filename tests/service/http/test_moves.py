"""Moving running escalations to another version: a preview of every deadline, then a transition for each."""

from __future__ import annotations

from typing import Any

import pytest

from machines import matrix
from service.mover import MoverError, main
from tests.service.conftest import Service

FASTER = matrix.default_text().replace('respond_within = "PT2H"', 'respond_within = "PT30M"', 1)


async def publish(service: Service, text: str = FASTER) -> None:
    sent = await service.call("root", "POST", "/v1/policies", raw=text.encode(), Content_Type="application/toml")
    sent.ok(201)


async def test_what_a_move_would_change_is_told_before_it_happens_and_nothing_is_written(service: Service) -> None:
    await service.now_is("2026-01-05T09:00:00Z")
    e = await service.opened("MV-1")
    await publish(service)
    told = (await service.call("root", "GET", "/v1/policies/2/moves")).ok()
    moved = {each["name"]: (each["before"], each["after"]) for each in told["items"][0]["moved"]}
    due = ("2026-01-05T11:00:00Z", "2026-01-05T09:30:00Z")
    assert moved == {"respond_by": due, "page_by": due}
    assert (told["items"][0]["escalation_id"], told["next_cursor"]) == (e, None)
    body = {"escalations": [{"id": e}]}
    tried = (await service.call("root", "POST", "/v1/policies/2/moves?dry_run=true", body)).ok()["items"][0]
    assert tried == {"status": 200, **told["items"][0]}
    assert (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["policy_version"] == 1
    assert await service.db.fetchval("SELECT count(*) FROM denial") == 0


async def test_a_move_is_a_row_of_history_that_lists_each_deadline_and_the_timers_follow(service: Service) -> None:
    await service.now_is("2026-01-05T09:00:00Z")
    e = await service.opened("MV-2")
    await publish(service)
    moved = (
        await service.call("root", "POST", "/v1/policies/2/moves", {"escalations": [{"id": e, "version": 2}]})
    ).ok()
    assert (moved["items"][0]["policy_version"], moved["items"][0]["version"]) == (2, 3)
    row = (await service.call("aud", "GET", f"/v1/history?escalation_id={e}&trigger=move_policy")).ok()["items"][0]
    assert (row["actor"], row["policy_version"], row["detail"]["from_version"]) == ("root", 2, 1)
    assert row["detail"]["moved"] == moved["items"][0]["moved"]
    due = await service.db.fetchval("SELECT due_at FROM timer WHERE kind = 'respond'")
    assert f"{due:%H:%M}" == "09:30"
    assert (await service.call("root", "GET", "/v1/policies/2/moves")).ok()["items"] == []
    again = (await service.call("root", "POST", "/v1/policies/2/moves", {"escalations": [{"id": e}]})).ok()
    assert (again["items"][0]["version"], again["items"][0]["moved"]) == (3, [])


async def test_what_is_late_by_the_new_version_is_acted_on_at_once(service: Service) -> None:
    await service.now_is("2026-01-05T09:00:00Z")
    e = await service.opened("MV-3")
    await publish(service)
    await service.now_is("2026-01-05T09:45:00Z")
    moved = (await service.call("root", "POST", "/v1/policies/2/moves", {"escalations": [{"id": e}]})).ok()["items"][0]
    assert moved["state"] == "l3"
    history = (await service.call("aud", "GET", f"/v1/history?escalation_id={e}")).ok()["items"]
    assert [row["trigger"] for row in history][-2:] == ["move_policy", "escalate"]
    assert history[-1]["reason"] == "response_overdue"


async def test_what_changed_since_the_preview_is_not_moved_and_each_answer_is_its_own(service: Service) -> None:
    e, other = await service.opened("MV-4"), await service.opened("MV-5")
    await publish(service)
    (await service.act("ann", e, "note", text="Meanwhile")).ok(201)
    gone = "019b8ca1-6c40-7000-a000-000000000000"
    body = {"escalations": [{"id": e, "version": 2}, {"id": gone}, {"id": other.upper(), "version": 2}]}
    items = (await service.call("root", "POST", "/v1/policies/2/moves", body)).ok()["items"]
    assert [item["status"] for item in items] == [412, 404, 200]


async def test_only_an_admin_moves_and_a_refused_attempt_is_a_denial(service: Service) -> None:
    e = await service.opened("MV-6")
    await publish(service)
    (await service.call("vic", "GET", "/v1/policies/2/moves")).problem(403, "not_permitted")
    body = {"escalations": [{"id": e}]}
    (await service.call("vic", "POST", "/v1/policies/2/moves?dry_run=true", body)).problem(403, "not_permitted")
    item = (await service.call("vic", "POST", "/v1/policies/2/moves", body)).ok()["items"][0]
    assert (item["status"], item["failed"][0]["who_could"]) == (403, ["admin"])
    denial = (await service.call("aud", "GET", "/v1/denials")).ok()["items"][0]
    assert (denial["actor"], denial["trigger"], denial["escalation_id"]) == ("vic", "move_policy", e)


async def test_bad_moves_are_told(service: Service) -> None:
    many: Any = [{"id": "019b8ca1-6c40-7000-a000-000000000000"}] * 251
    bad: tuple[Any, ...] = ({}, {"escalations": []}, {"escalations": [{"id": "x"}]}, {"escalations": many})
    for wrong in bad:
        (await service.call("root", "POST", "/v1/policies/1/moves", wrong)).problem(422, "invalid_fields")
    (await service.call("root", "POST", "/v1/policies/9/moves", {"escalations": many[:1]})).problem(404, "not_found")
    (await service.call("root", "GET", "/v1/policies/9/moves")).problem(404, "not_found")


async def test_the_preview_comes_in_pages(service: Service) -> None:
    opened = [await service.opened(f"MP-{n}") for n in range(3)]
    await publish(service)
    first = (await service.call("root", "GET", "/v1/policies/2/moves?limit=2")).ok()
    rest = (await service.call("root", "GET", f"/v1/policies/2/moves?limit=2&cursor={first['next_cursor']}")).ok()
    found = [item["escalation_id"] for page in (first, rest) for item in page["items"]]
    assert found == opened
    assert rest["next_cursor"] is None


async def test_a_move_sent_again_under_its_key_is_answered_as_before(service: Service) -> None:
    e = await service.opened("MI-1")
    await publish(service)
    body = {"escalations": [{"id": e}]}
    told = [await service.call("root", "POST", "/v1/policies/2/moves", body, Idempotency_Key="k") for _ in range(2)]
    assert told[0].raw == told[1].raw
    assert await service.db.fetchval("SELECT count(*) FROM history WHERE policy_version = 2") == 1


async def test_the_command_shows_what_changes_and_moves_only_when_told_to(service: Service) -> None:
    await service.now_is("2026-01-05T09:00:00Z")
    e = await service.opened("MC-1")
    await publish(service)
    told: list[str] = []
    await main(service.base, service.keys["root"], 2, told.append, yes=False)
    assert "respond_by: 2026-01-05T11:00:00Z -> 2026-01-05T09:30:00Z" in told[0]
    assert told[1] == "1 to move to version 2; nothing was done: --yes moves them"
    await main(service.base, service.keys["root"], 2, told.append, yes=True)
    assert told[-1] == "1 moved to version 2"
    assert (await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["policy_version"] == 2
    with pytest.raises(MoverError, match="403: Only admins"):
        await main(service.base, service.keys["vic"], 2, told.append, yes=False)
