"""Sentence 3: a ticket's commands in arrival order, each on the state that the one before leaves."""

from __future__ import annotations

from tests.service.engine.proxy import Proxy
from tests.service.engine.town import Town, alone, together

STEPS = ("confirm_with_customer", "update_ticket", "document_lessons")


async def test_each_command_of_a_batch_is_decided_on_the_state_that_the_one_before_leaves(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url)
    (escalation,) = await town.standing(engine, "T-1", accepted=False)
    proxy.said.clear()
    told = await together(
        engine,
        [
            town.call("dan", escalation, "act", authority="engage_vendor", detail="a"),
            town.call("dan", escalation, "accept"),
            town.call("dan", escalation, "act", authority="engage_vendor", detail="b"),
            town.call("dan", escalation, "accept"),
            town.call("dan", escalation, "note", text="c"),
        ],
    )
    assert [(answer.status, answer.version) for answer in told] == [(403, 2), (201, 3), (201, 4), (422, 4), (201, 5)]
    assert proxy.said.count("COMMIT") == 1
    assert await town.versions(escalation) == ["open", "engage", "accept", "act", "note"]


async def test_arrival_decides_between_commands_that_exclude_each_other(town: Town):
    engine = town.engine()
    one, two = await town.standing(engine, "T-1", "T-2", accepted=False)
    told = await together(
        engine,
        [
            town.call("dan", one, "decline", reason="on leave"),
            town.call("dan", two, "accept"),
            town.call("dan", one, "accept"),
            town.call("dan", two, "decline", reason="on leave"),
        ],
    )
    assert [answer.status for answer in told] == [201, 201, 403, 422]


async def test_a_batch_leaves_one_final_row_and_every_row_of_history(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    await town.db.execute("CREATE TABLE written (version integer)")
    await town.db.execute(
        "CREATE FUNCTION count_writes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        " 'BEGIN INSERT INTO written VALUES (new.version); RETURN new; END'"
    )
    await town.db.execute(
        "CREATE TRIGGER count_writes AFTER INSERT OR UPDATE ON escalation FOR EACH ROW EXECUTE FUNCTION count_writes()"
    )
    await together(engine, [town.call("dan", escalation, "note", text=str(n)) for n in range(10)])
    assert [row["version"] for row in await town.db.fetch("SELECT version FROM written")] == [13]
    assert await town.db.fetchval("SELECT count(*) FROM history WHERE escalation_id = $1", escalation) == 13
    assert await town.db.fetchval("SELECT count(DISTINCT xid) FROM history WHERE version > 3") == 1


async def test_what_opens_after_a_close_waits_for_the_next_batch(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, in_flight=1)
    (escalation,) = await town.standing(engine, "T-1")
    await alone(engine, town.report("T-1", status="solved"))
    proxy.said.clear()
    calls = [town.call("dan", escalation, "de_escalate", criterion="issue_resolved")]
    calls += [town.call("dan", escalation, "complete_step", step=step, detail="done") for step in STEPS]
    calls += [town.call("dan", escalation, "close"), town.request("T-1"), town.report("T-1", status="open")]
    *closing, requested, reported = await together(engine, calls)
    assert [answer.status for answer in closing] == [201] * 5
    assert closing[-1].state == "closed"
    assert requested.status == 201
    assert requested.id != escalation
    assert reported.id == requested.id
    assert proxy.said.count("COMMIT") == 2
    follows = await town.db.fetchval("SELECT follows::text FROM escalation WHERE id = $1", requested.id)
    assert follows == escalation


async def test_a_call_on_the_closed_one_does_not_wait_for_what_opens_after_it(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    await alone(engine, town.report("T-1", status="solved"))
    calls = [town.call("dan", escalation, "de_escalate", criterion="issue_resolved")]
    calls += [town.call("dan", escalation, "complete_step", step=step, detail="done") for step in STEPS]
    calls += [
        town.call("dan", escalation, "close"),
        town.request("T-1"),
        town.call("dan", escalation, "note", text="a"),
    ]
    told = await together(engine, calls)
    assert (told[-1].status, told[-1].state) == (409, "closed")


async def test_offers_of_one_batch_are_spread_over_those_on_duty(town: Town):
    engine = town.engine()
    await town.db.execute("INSERT INTO person (id, name, level, on_duty) VALUES ('dot', 'Dot', 3, true)")
    await town.standing(engine, *(f"T-{n}" for n in range(6)), accepted=False)
    rows = await town.db.fetch("SELECT offered_to, count(*) AS n FROM escalation GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [("dan", 3), ("dot", 3)]
