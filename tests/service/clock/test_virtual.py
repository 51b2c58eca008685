"""The virtual clock: one stored instant, set forward a step at a time; what is due comes before any answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import count
from typing import Any

import asyncpg
import pytest

from service import clock, database
from tests.service.clock.conftest import DAY, HOUR, MINUTE, START, Town, text
from tests.service.conftest import NOTHING, Answer, Service, running


async def test_a_new_database_begins_in_2000(database_url: str):
    async with running(database_url, clock="virtual") as service:
        told = (await service.call("ann", "GET", "/v1/clock")).ok()
        assert told == {"now": "2000-01-01T00:00:00Z"}


async def test_with_the_systems_clock_there_is_none_to_set(service: Service):
    (await service.call("root", "GET", "/v1/clock")).problem(404, "not_found")
    (await service.call("root", "PUT", "/v1/clock", {"now": text(START)})).problem(404, "not_found")
    (await service.call(None, "PUT", "/v1/clock", {"now": text(START)})).problem(401, "no_key")


async def test_only_an_admin_sets_it_and_everybody_may_look(town: Town):
    for who in ("desk", "ann", "vic", "aud"):
        answer = await town.service.call(who, "PUT", "/v1/clock", {"now": text(START + HOUR)})
        answer.problem(403, "not_permitted")
        assert (await town.service.call(who, "GET", "/v1/clock")).ok() == {"now": text(START)}


async def test_backwards_is_refused_and_the_same_instant_again_is_nothing(town: Town):
    assert (await town.set(START - timedelta(microseconds=1))).fields() == {"now"}
    assert await town.at(START) == 0


async def test_its_offset_is_taken_and_its_microseconds_are_kept(town: Town):
    answer = await town.service.call("root", "PUT", "/v1/clock", {"now": "2026-01-05T12:00:00.000001+02:00"})
    assert answer.ok() == {"now": "2026-01-05T10:00:00.000001Z", "fired": 0}
    assert (await town.report("T-1"))["ticket"]["updated_at"] == "2026-01-05T10:00:00.000001Z"


@pytest.mark.parametrize("body", [{}, {"now": None}, {"now": 5}, {"now": "tomorrow"}, {"now": "2026-01-05", "x": 1}])
async def test_what_is_no_instant_is_refused(town: Town, body: dict[str, object]):
    assert "now" in (await town.service.call("root", "PUT", "/v1/clock", body)).fields()


async def test_timers_fire_in_the_order_of_their_instants_each_at_its_own(town: Town):
    """Ties go by escalation, then kind; L1 unanswered climbs through L2 and L3 to L4, all in one call."""
    one = (await town.report("T-1", "starter", priority="p0"))["escalation"]["id"]
    two = (await town.report("T-2", "starter", priority="p0"))["escalation"]["id"]
    other = (await town.report("T-3", "professional", priority="p0"))["escalation"]["id"]
    fired = await town.at(START + 9 * HOUR + 4 * MINUTE)
    rows = await town.service.db.fetch(
        "SELECT escalation_id::text AS id, at, detail ->> 'due_at' AS due_at FROM history WHERE actor = 'clock'"
        " AND version > 1 ORDER BY seq"
    )
    assert fired == len(rows)
    assert [row["due_at"] for row in rows] == [text(row["at"]) for row in rows]
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    ties = [row["id"] for row in rows if row["at"] == START + 2 * HOUR]
    assert ties == sorted((one, two))
    assert (await town.stands(one))["state"] == "l4"
    assert (await town.stands(other))["state"] == "l4"


async def test_what_is_due_at_once_fires_before_the_request_is_answered(town: Town):
    """A professional's P0 of two hours ago stood at L2 an hour ago, if anybody had told us."""
    told = await town.report("T-1", "professional", priority="p0", opened_at=text(START - 2 * HOUR))
    e = told["escalation"]
    assert (e["state"], e["engage_by"], e["respond_by"]) == ("l2", None, text(START + 2 * HOUR))
    rows = await town.rows(e["id"])
    assert [row["trigger"] for row in rows] == ["open", "engage"]
    assert rows[1]["detail"]["due_at"] == text(START - HOUR)
    assert rows[1]["at"] == text(START)
    assert len({row["request_id"] for row in rows}) == 1
    assert await town.ticket("T-1") == e


async def test_a_p1_that_was_known_too_late_begins_at_its_own_instant(town: Town):
    e = (await town.report("T-1", priority="p1", opened_at=text(START - 5 * HOUR)))["escalation"]
    assert (e["state"], e["situations"][0]["situation"]) == ("l2", "p1_unresolved")
    assert e["situations"][0]["at"] == text(START - HOUR)


async def test_whoever_was_killed_on_the_way_is_completed_by_the_same_call(town: Town):
    """As after a kill between setting a step's instant and firing what is due there."""
    await town.report("T-1", "starter", priority="p0")
    await town.service.db.execute("UPDATE virtual_clock SET now = $1", START + 2 * HOUR)
    assert await town.at(START + 3 * HOUR) == 2
    e = await town.ticket("T-1")
    assert [at for _, _, at in await town.told(e["id"])] == [text(START + n * HOUR) for n in (0, 2, 3)]


async def test_a_request_never_comes_before_what_is_due(town: Town):
    """Where the clock was left at an instant whose timers have not fired, the next request fires them first."""
    e = (await town.report("T-1", "starter", priority="p0"))["escalation"]["id"]
    await town.service.db.execute("UPDATE virtual_clock SET now = $1", START + 2 * HOUR)
    answer = await town.service.act("ann", e, "note", text="Who comes?")
    assert answer.ok(201)["escalation"]["state"] == "l1"
    assert [trigger for trigger, _, _ in await town.told(e)] == ["open", "engage", "note"]


async def test_calls_at_once_are_done_one_after_the_other(town: Town):
    await town.report("T-1", "starter", priority="p0")
    hours = [3, 1, 4, 2]
    answers = await asyncio.gather(*(town.set(START + n * HOUR) for n in hours))
    done = [(n, answer) for n, answer in zip(hours, answers, strict=True) if answer.status == 200]
    assert {answer.status for answer in answers} <= {200, 422}
    assert max(n for n, _ in done) == 4
    assert sum(answer.body["fired"] for _, answer in done) == 2
    assert (await town.service.call("ann", "GET", "/v1/clock")).ok() == {"now": text(START + 4 * HOUR)}


async def _only_look(town: Town) -> None:
    """Who only looks, changes nothing, not even a number."""
    (await town.service.call("ann", "GET", "/v1/escalations")).ok()


async def _undo(town: Town) -> None:
    """Every other batch that writes is undone by Postgres when all is written, and tried again."""
    await town.service.db.execute(
        "CREATE SEQUENCE tries; CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        " IF nextval('tries') % 2 = 1 THEN RAISE EXCEPTION 'made up' USING ERRCODE = '40001'; END IF; RETURN NULL;"
        " END $$;"
        "CREATE TRIGGER undo AFTER UPDATE OF next_seq ON virtual_clock FOR EACH STATEMENT EXECUTE FUNCTION undo()"
    )


async def _repeat(town: Town) -> None:
    """Every call is made twice under one key, as by somebody who got no answer."""
    once, numbers = town.service.call, count()

    async def twice(who: str | None, method: str, path: str, body: Any = NOTHING, **how: Any) -> Answer:
        key = how if method == "GET" else {"Idempotency_Key": f"k{next(numbers)}", **how}
        await once(who, method, path, body, **key)
        return await once(who, method, path, body, **key)

    town.service.call = twice  # type: ignore[method-assign]  # whoever calls here calls twice


@pytest.mark.parametrize("disturb", [_only_look, _undo, _repeat])
async def test_the_same_calls_on_two_databases_have_the_same_history(
    postgres_url: str, template: str, disturb: Callable[[Town], Awaitable[None]]
):
    """To the last hash: ids, salts, request ids and numbers are those of the run before."""
    runs: list[tuple[list[str], list[asyncpg.Record]]] = []
    owner = await asyncpg.connect(postgres_url)
    for number in range(2):
        name = f"test_same_{number}_{id(runs):x}"
        await owner.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        async with running(f"{postgres_url.rpartition('/')[0]}/{name}", clock="virtual") as service:
            town = Town(service)
            await town.at(START)
            if number:
                await disturb(town)
            await _a_day(town)
            runs.append(
                (await town.hashes(), await service.db.fetch("SELECT id, facts::text FROM ticket_event ORDER BY id"))
            )
        await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await owner.close()
    assert len(runs[0][0]) > 30
    assert runs[0] == runs[1]


async def _a_day(town: Town) -> None:
    """Something of everything."""
    e = (await town.report("T-1", priority="p0"))["escalation"]["id"]
    await town.report("T-2", "starter", priority="p0")
    await town.report("T-3", priority="p1")
    await town.report("T-4", "professional")
    contact = {"channel": "call", "sender": "boss@acme.example", "author_role": "customer", "body": "Still down"}
    (await town.service.call("desk", "POST", "/v1/tickets/T-3/contacts", contact)).ok(201)
    await town.act("dan", e, "accept")
    await town.service.act("lee", e, "act", authority="modify_contract", detail="no")
    await town.service.act("lee", e, "act", authority="modify_contract", detail="no")
    (
        await town.service.call(
            "dan", "POST", "/v1/transitions", [{"escalation_id": e, "trigger": "note", "text": "a"}]
        )
    ).ok()
    await town.at(START + 2 * HOUR)
    await town.off("mia")
    await town.asks("T-4", "regulatory_compliance")
    await town.at(START + DAY)


async def test_another_seed_makes_other_ids(postgres_url: str, template: str):
    ids: list[str] = []
    owner = await asyncpg.connect(postgres_url)
    for seed in ("one", "two"):
        name = f"test_seed_{seed}_{id(ids):x}"
        await owner.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        async with running(f"{postgres_url.rpartition('/')[0]}/{name}", clock="virtual", seed=seed) as service:
            ids.append((await Town(service).report("T-1", priority="p0"))["escalation"]["id"])
        await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await owner.close()
    assert len(set(ids)) == 2


async def test_the_systems_clock_refuses_a_database_of_virtual_time_and_says_what_to_do(town: Town):
    with pytest.raises(clock.ClockError, match=r"ESCALATION_CLOCK=virtual"):
        async with running(town.service.database_url):
            pass


async def test_the_virtual_clock_refuses_a_database_with_a_history_of_real_time(service: Service):
    await service.opened("T-1")
    with pytest.raises(clock.ClockError, match="own"):
        async with running(service.database_url, clock="virtual"):
            pass


async def test_a_batch_holds_the_clock_and_the_clock_waits_for_it(town: Town):
    batch = await database.open_connection(town.service.database_url)
    await batch.execute("BEGIN")
    await clock.first(batch, [])
    setting = asyncio.create_task(town.set(START + HOUR))
    other = await asyncpg.connect(town.service.database_url)
    while not await other.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # no event tells of another connection's wait
    await batch.execute("COMMIT")
    assert (await setting).ok() == {"now": text(START + HOUR), "fired": 0}
    await batch.close()
    await other.close()


async def test_answers_are_kept_for_48_hours_of_this_clock(town: Town):
    e = (await town.report("T-1", priority="p0"))["escalation"]["id"]
    first = await town.service.act("dan", e, "note", text="a", Idempotency_Key="k")
    await town.at(START + 2 * DAY - MINUTE)
    again = await town.service.act("dan", e, "note", text="a", Idempotency_Key="k")
    assert (again.raw, again.headers.get("Idempotency-Replayed")) == (first.raw, "true")
    await town.at(START + 2 * DAY)
    assert (
        "Idempotency-Replayed" not in (await town.service.act("dan", e, "note", text="a", Idempotency_Key="k")).headers
    )
