"""Deciding without doing: dry runs, and what a caller may do now. The same facts and rules, no lock, no write."""

from __future__ import annotations

import sql
from machines.case import Mint
from machines.decide import Possible, not_found, possible
from machines.decided import Refusal
from machines.situations import invalid
from service.asks import wants
from service.batch import Batch, Job, Reply, Settled, read_batch
from service.submit import House

LOCATE = sql.query("engine.locate")


async def _read(house: House, job: Job, *, decide: bool) -> Batch:
    want = wants([job])
    want.draws = 0
    async with house.reads.acquire() as conn:
        rows = await conn.fetch(LOCATE, want.escalations)
        located = {row["escalation_id"]: row["ticket_id"] for row in rows}
        return await read_batch(conn, [job] if decide else [], want, located, house.policies, Mint())


async def consider(house: House, job: Job) -> Reply:
    """What would be answered if the job were submitted now. Nothing is written, no denial recorded."""
    job.idempotency_key = None
    batch = await _read(house, job, decide=True)
    return batch.replies[0][1]


async def consider_all(house: House, jobs: list[Job]) -> list[Reply]:
    """The same of many, each as if it alone were submitted; they name their tickets, each another."""
    want = wants(jobs)
    want.draws = 0
    for job in jobs:
        job.idempotency_key = None
    async with house.reads.acquire() as conn:
        batch = await read_batch(conn, jobs, want, {}, house.policies, Mint())
    replies = {id(job): reply for job, reply in batch.replies}
    return [replies[id(job)] for job in jobs]


async def may_call(house: House, job: Job) -> list[Possible] | Reply:
    """Every trigger that exists from where the job's escalation stands, and whether the caller may; or a refusal."""
    world = (await _read(house, job, decide=False)).world
    actor = world.actor(job.key, job.digest, job.on_behalf_of)
    e = world.escalation_of(job.command)
    if actor is None:
        message = "The API key is unknown, revoked, or its principal is retired."
        return job.render(Settled(Refusal(401, "unknown_key", message), None, [], {}))
    if e is None:
        return job.render(Settled(not_found("escalation", job.command.ask.escalation_id), None, [], {}))  # type: ignore[union-attr]  # the door asks with a transition
    if job.command.problems:
        return job.render(Settled(invalid(*job.command.problems), None, [], {}))
    return possible(world.facts(job.command, actor), world.policy_of(e), world.now)
