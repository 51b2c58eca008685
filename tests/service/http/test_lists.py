"""Lists: pages that lose and double nothing, filters that hold together, and what each of them is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.service.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(shared_service: Service) -> Service:
    """Escalations of three customers in several states, opened an hour apart on one day; some denials; nine contacts.

    T-0 … T-5: acme (even) and beta (odd), at level 2, offered; T-0, T-1 accepted; T-0 at level 3; T-5 closed.
    """
    s = shared_service
    for n in range(6):
        await s.now_is(f"2026-01-05T{8 + n:02}:00:00Z")
        await s.ticket(f"T-{n}", customer_id=("acme", "beta")[n % 2])
        await s.opened_on(f"T-{n}")
    escalations = {e["ticket_id"]: e for e in await _all(s, "/v1/escalations")}
    for n in (0, 1):
        e = escalations[f"T-{n}"]
        (await s.act(e["handoff"]["to"], e["id"], "accept")).ok(201)
    holder = escalations["T-0"]["handoff"]["to"]
    brief = {"issue": "i", "reason": "r", "current_status": "c", "needed": "n"}
    (await s.act(holder, escalations["T-0"]["id"], "escalate", reason="Needs a director", brief=brief)).ok(201)
    await s.ticket("T-5", customer_id="beta", status="solved")
    e = escalations["T-5"]
    (await s.act("mo", e["id"], "de_escalate", criterion="issue_resolved")).ok(201)
    for step in ("confirm_with_customer", "update_ticket", "document_lessons"):
        (await s.act("mo", e["id"], "complete_step", step=step, detail=f"did {step}", tags=["pattern"])).ok(201)
    (await s.act("mo", e["id"], "close")).ok(201)
    for n in range(7):
        await s.now_is(f"2026-01-05T14:{n:02}:00Z")
        (await s.act("ann", escalations["T-2"]["id"], "close")).problem(409, "no_such_move")
        (await s.act("lee", escalations["T-3"]["id"], "accept")).problem(403, "not_permitted")
    for n in range(9):
        contact = {"channel": "reply", "sender": "boss@acme.example", "author_role": "customer", "body": f"word {n}"}
        (await s.call("desk", "POST", "/v1/tickets/T-4/contacts", contact)).ok(201)
    return s


async def _all(service: Service, path: str, limit: int = 500, who: str = "ann") -> list[Any]:
    """Every item, page by page; each page but the last is full."""
    found: list[Any] = []
    cursor, pages = "", 0
    while True:
        told = (await service.call(who, "GET", f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}")).ok()
        assert set(told) == {"items", "next_cursor"}
        found += told["items"]
        pages += 1
        if told["next_cursor"] is None:
            assert len(told["items"]) <= limit
            return found
        assert len(told["items"]) == limit
        cursor = f"&cursor={told['next_cursor']}"
        assert pages < 500


LISTS: dict[str, Callable[[Any], Any]] = {
    "/v1/escalations": lambda e: e["id"],
    "/v1/escalations?state=l2": lambda e: e["id"],
    "/v1/history": lambda t: t["seq"],
    "/v1/history?order=desc": lambda t: t["seq"],
    "/v1/history?trigger=engage": lambda t: t["seq"],
    "/v1/history?trigger=engage&order=desc": lambda t: t["seq"],
    "/v1/history?customer_id=acme": lambda t: t["seq"],
    "/v1/denials": lambda d: d["id"],
    "/v1/denials?actor=lee": lambda d: d["id"],
    "/v1/deliveries": lambda d: d["id"],
    "/v1/deliveries?audience=person": lambda d: d["id"],
    "/v1/customers": lambda c: c["id"],
    "/v1/people": lambda p: p["id"],
    "/v1/policies": lambda p: p["version"],
    "/v1/tickets/T-4/contacts": lambda c: c["body"],
}


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", [1, 2, 3, 500])
async def test_pages_lose_and_double_nothing(town: Service, path: str, limit: int) -> None:
    key = LISTS[path]
    whole = [key(item) for item in await _all(town, path)]
    assert whole
    assert len(set(whole)) == len(whole)
    assert [key(item) for item in await _all(town, path, limit)] == whole


@pytest.mark.parametrize("path", LISTS)
async def test_a_page_that_holds_exactly_the_rest_is_the_last(town: Service, path: str) -> None:
    count = len(await _all(town, path))
    told = (await town.call("ann", "GET", f"{path}{'&' if '?' in path else '?'}limit={count}")).ok()
    assert len(told["items"]) == count
    assert told["next_cursor"] is None


async def test_a_page_has_fifty_unless_it_is_told_otherwise(town: Service) -> None:
    rows = [(f"many-{n:03}", "starter") for n in range(60)]
    await town.db.executemany("INSERT INTO customer (id, name, tier) VALUES ($1, $1, $2)", rows)
    told = (await town.call("ann", "GET", "/v1/customers?tier=starter")).ok()
    assert len(told["items"]) == 50
    rest = (await town.call("ann", "GET", f"/v1/customers?tier=starter&cursor={told['next_cursor']}")).ok()
    assert len(rest["items"]) == 11
    await town.db.execute("DELETE FROM customer WHERE id LIKE 'many-%'")


async def test_what_comes_meanwhile_shifts_no_page(town: Service) -> None:
    first = (await town.call("ann", "GET", "/v1/denials?limit=3")).ok()
    before = [item["id"] for item in await _all(town, "/v1/denials")]
    (await town.act("ann", (await _all(town, "/v1/escalations?ticket_id=T-2"))[0]["id"], "resume", reason="x")).problem(
        409, "no_such_move"
    )
    second = (await town.call("ann", "GET", f"/v1/denials?limit=3&cursor={first['next_cursor']}")).ok()
    assert [item["id"] for item in second["items"]] == before[3:6]


# Escalations ------------------------------------------------------------------------------------------------------

ESCALATIONS: dict[str, set[str]] = {
    "": {"T-0", "T-1", "T-2", "T-3", "T-4", "T-5"},
    "state=l2": {"T-1", "T-2", "T-3", "T-4"},
    "state=l3": {"T-0"},
    "state=closed": {"T-5"},
    "state=de_escalating": set(),
    "level=2": {"T-1", "T-2", "T-3", "T-4", "T-5"},
    "level=3": {"T-0"},
    "level=0": set(),
    "tier=enterprise": {"T-0", "T-2", "T-4"},
    "tier=professional": {"T-1", "T-3", "T-5"},
    "tier=starter": set(),
    "owner=ann": {"T-2", "T-3", "T-4", "T-5"},
    "owner=nobody": set(),
    "customer_id=acme": {"T-0", "T-2", "T-4"},
    "customer_id=acme&state=l2": {"T-2", "T-4"},
    "ticket_id=T-3": {"T-3"},
    "ticket_id=T-3&customer_id=acme": set(),
    "since=2026-01-05T10:00:00Z": {"T-2", "T-3", "T-4", "T-5"},
    "until=2026-01-05T10:00:00Z": {"T-0", "T-1"},
    "since=2026-01-05T10:00:00Z&until=2026-01-05T12:00:00Z": {"T-2", "T-3"},
    "since=2026-01-05T12:00:00%2B02:00&until=2026-01-05T12:00:00Z": {"T-2", "T-3"},
    "since=2026-01-06T00:00:00Z": set(),
}


@pytest.mark.parametrize("query", ESCALATIONS)
async def test_escalations_by(town: Service, query: str) -> None:
    found = await _all(town, f"/v1/escalations?{query}" if query else "/v1/escalations", 2)
    assert {e["ticket_id"] for e in found} == ESCALATIONS[query]
    assert [e["opened_at"] for e in found] == sorted((e["opened_at"] for e in found), reverse=True)


async def test_overdue_means_that_one_of_the_three_instants_has_passed(town: Service) -> None:
    everything = await _all(town, "/v1/escalations")
    overdue = {e["id"] for e in await _all(town, "/v1/escalations?overdue=true")}
    rest = {e["id"] for e in await _all(town, "/v1/escalations?overdue=false")}
    now = "2026-01-05T14:06:00Z"
    passed = {
        e["id"]
        for e in everything
        if any(e[name] is not None and e[name] < now for name in ("engage_by", "respond_by", "next_update_by"))
    }
    assert overdue == passed
    assert overdue
    assert rest == {e["id"] for e in everything} - passed
    assert rest


# History ----------------------------------------------------------------------------------------------------------

HISTORY: dict[str, Callable[[Any], bool]] = {
    "": lambda t: True,
    "ticket_id=T-0": lambda t: t["ticket_id"] == "T-0",
    "customer_id=beta": lambda t: t["customer_id"] == "beta",
    "actor=ann": lambda t: t["actor"] == "ann",
    "actor=clock": lambda t: t["actor"] == "clock",
    "trigger=engage": lambda t: t["trigger"] == "engage",
    "trigger=open": lambda t: t["trigger"] == "open",
    "trigger=nonsense": lambda t: False,
    "from=l2": lambda t: t["from"] == "l2",
    "to=l2": lambda t: t["to"] == "l2",
    "from=l2&to=l3": lambda t: (t["from"], t["to"]) == ("l2", "l3"),
    "trigger=escalate&from=l2&to=l3&actor=mia": lambda t: (t["trigger"], t["actor"]) == ("escalate", "mia"),
    "from=open&trigger=close": lambda t: False,
    "to=closed&customer_id=beta": lambda t: t["to"] == "closed",
    "since=2026-01-05T10:00:00Z": lambda t: t["at"] >= "2026-01-05T10:00:00Z",
    "until=2026-01-05T10:00:00Z": lambda t: t["at"] < "2026-01-05T10:00:00Z",
    "since=2026-01-05T10:00:00Z&until=2026-01-05T11:00:00Z&trigger=open": lambda t: (
        t["trigger"] == "open" and t["at"] == "2026-01-05T10:00:00Z"
    ),
}


@pytest.mark.parametrize("query", HISTORY)
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_history_by(town: Service, query: str, order: str) -> None:
    everything = await _all(town, "/v1/history")
    wanted = [t for t in everything if HISTORY[query](t)]
    found = await _all(town, f"/v1/history?order={order}&{query}".rstrip("&"), 3)
    assert found == (wanted if order == "asc" else wanted[::-1])
    assert wanted or "nonsense" in query or "from=open" in query


async def test_history_of_one_escalation_is_its_versions_in_order(town: Service) -> None:
    for e in await _all(town, "/v1/escalations"):
        found = await _all(town, f"/v1/history?escalation_id={e['id']}", 2)
        assert [t["version"] for t in found] == list(range(1, e["version"] + 1))
        assert [t["seq"] for t in found] == sorted(t["seq"] for t in found)
        assert found[-1]["to"] == e["state"]


async def test_a_row_of_history_holds_what_the_contract_names(town: Service) -> None:
    named = [
        "seq",
        "escalation_id",
        "version",
        "at",
        "trigger",
        "from",
        "to",
        "actor",
        "on_behalf_of",
        "reason",
        "detail",
        "guards",
        "policy_version",
        "request_id",
        "hash",
    ]
    for t in await _all(town, "/v1/history"):
        assert set(named) <= set(t)
        assert t["reason"]


# Denials ----------------------------------------------------------------------------------------------------------

DENIALS: dict[str, Callable[[Any], bool]] = {
    "": lambda d: True,
    "actor=lee": lambda d: d["actor"] == "lee",
    "trigger=close": lambda d: d["trigger"] == "close",
    "trigger=close&actor=lee": lambda d: False,
    "since=2026-01-05T14:03:00Z": lambda d: d["at"] >= "2026-01-05T14:03:00Z",
    "until=2026-01-05T14:03:00Z": lambda d: d["at"] < "2026-01-05T14:03:00Z",
}


@pytest.mark.parametrize("query", DENIALS)
async def test_denials_by(town: Service, query: str) -> None:
    everything = await _all(town, "/v1/denials")
    assert [d["at"] for d in everything] == sorted((d["at"] for d in everything), reverse=True)
    found = await _all(town, f"/v1/denials?{query}" if query else "/v1/denials", 2)
    assert found == [d for d in everything if DENIALS[query](d)]


DELIVERIES: dict[str, Callable[[Any], bool]] = {
    "": lambda d: True,
    "audience=customer": lambda d: d["audience"] == "customer",
    "recipient=acme": lambda d: d["recipient"] == "acme",
    "template=handoff_offered": lambda d: d["template"] == "handoff_offered",
    "ticket_id=T-3&audience=person": lambda d: d["ticket_id"] == "T-3" and d["audience"] == "person",
    "status=planned": lambda d: d["status"] == "planned",
    "status=parked": lambda d: False,
}


@pytest.mark.parametrize("query", DELIVERIES)
async def test_deliveries_by(town: Service, query: str) -> None:
    everything = await _all(town, "/v1/deliveries")
    found = await _all(town, f"/v1/deliveries?{query}" if query else "/v1/deliveries", 2)
    assert found == [d for d in everything if DELIVERIES[query](d)]


async def test_deliveries_of_one_escalation_are_those_that_its_transitions_planned(town: Service) -> None:
    e = (await _all(town, "/v1/escalations?ticket_id=T-3"))[0]["id"]
    found = await _all(town, f"/v1/deliveries?escalation_id={e.upper()}")
    assert found
    assert {d["ticket_id"] for d in found} == {"T-3"}
    assert found == [d for d in await _all(town, "/v1/deliveries") if d["escalation_id"] == e]


async def test_denials_of_one_escalation(town: Service) -> None:
    e = (await _all(town, "/v1/escalations?ticket_id=T-3"))[0]["id"]
    found = await _all(town, f"/v1/denials?escalation_id={e.upper()}")
    assert len(found) == 7
    for denial in found:
        assert (denial["escalation_id"], denial["actor"], denial["status"]) == (e, "lee", 403)
        assert all(failed["who_could"] for failed in denial["failed"] if failed["guard"] == "offered")


# The rest ---------------------------------------------------------------------------------------------------------


async def test_people_by_level_and_whether_they_are_there(town: Service) -> None:
    assert {p["id"] for p in await _all(town, "/v1/people?level=2")} == {"mia", "mo"}
    assert {p["id"] for p in await _all(town, "/v1/people?level=0&active=true")} == {"ann"}
    assert await _all(town, "/v1/people?active=false") == []


async def test_customers_by_tier(town: Service) -> None:
    assert {c["id"] for c in await _all(town, "/v1/customers?tier=professional")} == {"beta"}


async def test_policies_say_which_cells_are_ours(town: Service) -> None:
    [policy] = await _all(town, "/v1/policies")
    assert policy["version"] == 1
    row = policy["document"]["matrix"]["repeated_contact"]
    assert row["enterprise"]["origin"] == "default"
    assert row["starter"]["origin"] == "document"
    assert any(line.startswith("matrix.repeated_contact.enterprise:") for line in policy["defaults"])
    assert not any(line.startswith("matrix.repeated_contact.starter:") for line in policy["defaults"])


async def test_newer_policies_come_first(town: Service) -> None:
    await town.db.execute("INSERT INTO policy SELECT 2, document, now(), 'root' FROM policy WHERE version = 1")
    assert [p["version"] for p in await _all(town, "/v1/policies", 1)] == [2, 1]
    await town.db.execute("DELETE FROM policy WHERE version = 2")


async def test_contacts_come_in_the_order_in_which_they_were_reported(town: Service) -> None:
    found = await _all(town, "/v1/tickets/T-4/contacts", 4)
    assert [c["body"] for c in found] == [f"word {n}" for n in range(9)]
    assert all(c["verified"] and "subject" not in c for c in found)
