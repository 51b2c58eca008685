"""Many transitions in one call: each its own success or problem, in its place, and in its turn."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import BRIEF, Service

NOWHERE = "019b76da-a800-7000-8000-000000000000"


async def test_250_at_once_are_each_their_own(service: Service) -> None:
    e = await service.opened("T-1")
    items = [{"escalation_id": e, "trigger": "note", "text": f"{n}"} for n in range(250)]
    for n in range(0, 250, 50):
        items[n] = {"escalation_id": e, "trigger": "close"}
    told = (await service.call("ann", "POST", "/v1/transitions", items)).ok()["items"]
    assert [item["status"] for item in told] == [409 if n % 50 == 0 else 201 for n in range(250)]
    for n, item in enumerate(told):
        if n % 50:
            assert item["transition"]["detail"]["text"] == f"{n}"
            assert item["escalation"]["id"] == e
        else:
            assert item["code"] == "no_such_move"
    versions = [item["transition"]["version"] for item in told if item["status"] == 201]
    assert versions == sorted(versions)
    assert len(set(versions)) == 245


async def test_251_at_once_are_too_many(service: Service) -> None:
    e = await service.opened("T-1")
    items = [{"escalation_id": e, "trigger": "note", "text": "x"}] * 251
    for body in (items, {"items": items}):
        answer = await service.call("ann", "POST", "/v1/transitions", body)
        assert answer.fields() == {"items"}
    assert "251" in (await service.call("ann", "POST", "/v1/transitions", items)).body["detail"]


async def test_items_may_come_as_a_list_or_under_their_name(service: Service) -> None:
    e = await service.opened("T-1")
    items = [{"escalation_id": e, "trigger": "note", "text": "x"}]
    for body in (items, {"items": items}):
        assert [
            item["status"] for item in (await service.call("ann", "POST", "/v1/transitions", body)).ok()["items"]
        ] == [201]


@pytest.mark.parametrize(
    ("item", "status", "code"),
    [
        ({}, 422, "invalid_fields"),
        ({"escalation_id": None, "trigger": "close"}, 422, "invalid_fields"),
        ({"escalation_id": 7, "trigger": "close"}, 422, "invalid_fields"),
        ({"escalation_id": "", "trigger": "close"}, 404, "not_found"),
        ({"escalation_id": NOWHERE, "trigger": "close"}, 404, "not_found"),
        ({"escalation_id": "{e}"}, 422, "invalid_fields"),
        ({"escalation_id": "{e}", "trigger": 7}, 422, "invalid_fields"),
        ({"escalation_id": "{e}", "trigger": "note"}, 422, "invalid_fields"),
        ({"escalation_id": "{e}", "trigger": "note", "text": "x", "version": 3}, 422, "invalid_fields"),
        ({"escalation_id": "{e}", "trigger": "note", "text": " "}, 422, "guard_failed"),
        ({"escalation_id": "{e}", "trigger": "to_closed"}, 409, "no_such_move"),
        (
            {"escalation_id": "{e}", "trigger": "act", "authority": "modify_contract", "detail": "x"},
            403,
            "not_permitted",
        ),
    ],
)
async def test_a_bad_item_is_a_problem_and_fails_no_neighbour(
    service: Service, item: dict[str, Any], status: int, code: str
) -> None:
    e = await service.opened("T-1")
    good = {"escalation_id": e, "trigger": "note", "text": "x"}
    bad = {name: e if value == "{e}" else value for name, value in item.items()}
    told = (await service.call("lee", "POST", "/v1/transitions", [good, bad, good])).ok()["items"]
    assert [one["status"] for one in told] == [201, status, 201]
    assert told[1]["code"] == code


async def test_items_of_one_escalation_are_decided_in_their_order(service: Service) -> None:
    e = await service.opened("T-1")
    steps: list[dict[str, Any]] = [
        {"trigger": "accept"},
        {"trigger": "escalate", "reason": "Needs a director", "brief": BRIEF},
        {"trigger": "note", "text": "at level 3"},
    ]
    items = [{"escalation_id": e, **step} for step in steps]
    told = (await service.call("mia", "POST", "/v1/transitions", items)).ok()["items"]
    assert [(item["status"], item["transition"]["to"]) for item in told] == [(201, "l2"), (201, "l3"), (201, "l3")]


async def test_a_bulk_of_nothing_is_nothing(service: Service) -> None:
    assert (await service.call("ann", "POST", "/v1/transitions", [])).ok() == {"items": []}
    answer = await service.call("ann", "POST", "/v1/transitions", [], Idempotency_Key="a\tb")
    assert answer.fields() == {"Idempotency-Key"}
