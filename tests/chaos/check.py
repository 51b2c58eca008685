"""V1 and V2: the clients' log held against the database; and what the product's own verifier finds."""

from __future__ import annotations

from collections import defaultdict

import asyncpg
from msgspec import Struct

from service import verify
from tests.chaos.ledger import Change


class Checked(Struct):
    """What a check found. `lost`: acknowledged changes that are not there."""

    changes: int = 0
    lost: int = 0
    applied_unknown: int = 0
    findings: list[str] = []


class Written(Struct):
    """What the database has of one request id."""

    history: dict[tuple[str, int], str] = {}
    commands: set[str] = set()
    denials: int = 0


async def check(url: str, changes: list[Change]) -> Checked:
    """Hold these settled changes against the database, then verify it."""
    conn = await asyncpg.connect(url)
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            written = await _written(conn, [change.key for change in changes])
            events = {row[0] for row in await conn.fetch("SELECT DISTINCT facts ->> 'subject' FROM ticket_event")}
    finally:
        await conn.close()
    checked = Checked(changes=len(changes))
    for change in changes:
        _judge(change, written[change.key], events, checked)
    found = await verify.run(url)
    checked.findings += [f"{finding.claim} {finding.where}: {finding.what}" for finding in found]
    return checked


async def _written(conn: asyncpg.Connection, keys: list[str]) -> dict[str, Written]:
    written: dict[str, Written] = defaultdict(Written)
    query = (
        "SELECT request_id, escalation_id::text, version, hash, command::text FROM history WHERE request_id = ANY ($1)"
    )
    for request_id, escalation, version, hash_, command in await conn.fetch(query, keys):
        written[request_id].history[escalation, version] = hash_
        written[request_id].commands.add(command)
    query = "SELECT request_id, count(*) FROM denial WHERE request_id = ANY ($1) GROUP BY 1"
    for request_id, denials in await conn.fetch(query, keys):
        written[request_id].denials = denials
    return written


def _judge(change: Change, written: Written, events: set[str], checked: Checked) -> None:
    """V1 where it was acknowledged, else V2."""
    what = f"{change.method} {change.path} {change.body.get('trigger', '')} ({change.key})"
    say = checked.findings.append
    # A PUT has no key: each try that may have arrived may have been a report of its own.
    most = 1 if change.keyed else len(change.tries) - change.tries.count("turned_away")
    if len(written.commands) > most:
        say(f"V2 {what}: applied {len(written.commands)} times")
    match change.fate:
        case "acknowledged":
            if not _there(change, written, events):
                checked.lost += 1
                say(f"V1 {what}: acknowledged, and not there")
        case "refused":
            if written.history:
                say(f"V2 {what}: refused with {change.status}, and there")
            if change.answer.get("failed") and written.denials != 1:
                say(f"V2 {what}: refused with {change.status}, and {written.denials} denials")
        case "turned_away":
            if written.history or written.denials:
                say(f"V2 {what}: told that it did not happen, and there")
        case "unknown":
            checked.applied_unknown += bool(written.history)


def _there(change: Change, written: Written, events: set[str]) -> bool:
    """Whether what was answered is what is stored."""
    if transition := change.answer.get("transition"):
        place = (transition["escalation_id"], transition["version"])
        return (written.history.get(place), change.key) == (transition["hash"], transition["request_id"])
    if change.method == "PUT":
        return change.body["subject"] in events
    return True  # a contact: its situation, if it began one, is in history under this request's id
