"""A replay against a running service: what it sends, that it is the same every time, and that it survives what dies."""

from __future__ import annotations

import asyncio
import io
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from rich.console import Console

from machines.values import Priority
from service import replay, verify
from service.config import Settings
from service.database import prepare
from service.demo import stage
from service.demo.incidents import events, load
from service.replay import Ask, Stopped, keys_for, lines
from service.replay.caller import Answer, Caller, Unanswered
from service.replay.cast.members import CAST, Member
from service.replay.tally import Tally
from tests.service.conftest import running
from tests.service.replay.counts import found

SEED = 7
LONE = (Member(replay.LONE, replay.LONE, "admin"),)


def day(path: Path, highest: Priority = "p1", days: float = 1.5) -> Path:
    """A quarter of a real day's urgent incidents as a file, for so many days."""
    some = [incident for incident in load() if incident.highest <= highest][::4]
    until = min(incident.opened_at for incident in some) + timedelta(days=days)
    path.write_bytes(b"".join(lines.write(e.at, e.kind, e.id, e.body) for e in events(some, until)))
    return path


async def play(ask: Ask, keys: dict[str, str]) -> tuple[Tally, str]:
    """The replay, and what it prints."""
    printed = io.StringIO()
    told = await replay.run(ask, keys, Console(file=printed, width=120))
    return told, printed.getvalue()


def virtual(url: str) -> AbstractAsyncContextManager[str]:
    """A service on this database, on a virtual clock, with nobody in it; answers its address."""
    return stage.service_on(Settings(port=0), url)


@asynccontextmanager
async def another_database(server: str, name: str) -> AsyncIterator[str]:
    """One more, migrated."""
    owner = await asyncpg.connect(server)
    await owner.execute(f"CREATE DATABASE {name}")
    url = f"{server.rpartition('/')[0]}/{name}"
    await prepare(url, months=2)
    yield url
    await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await owner.close()


# What it does -----------------------------------------------------------------------------------------------------


async def test_the_clock_is_where_the_events_are_and_deadlines_pass_on_the_way(database_url: str, tmp_path: Path):
    file = day(tmp_path / "day.ndjson")
    async with virtual(database_url) as base:
        told, printed = await play(Ask(file, base), await keys_for(database_url, LONE))
    assert {row["actor"] for row in told.history} == {"clock"}  # an admin reports, and has no part in it
    assert "p1_unresolved" in {situation for situation, _ in told.begun}
    assert "Escalations by the highest level called" in printed
    assert "Events: " in printed  # no terminal: lines, not a bar
    assert "\x1b" not in printed
    assert await verify.run(database_url) == []


async def test_two_replays_with_a_cast_are_the_same_to_the_last_hash(
    database_url: str, postgres_url: str, tmp_path: Path
):
    file = day(tmp_path / "day.ndjson")
    told = []
    async with another_database(postgres_url, "replayed_again") as again:
        for url in (database_url, again):
            async with virtual(url) as base:
                told.append((await play(Ask(file, base, seed=SEED), await keys_for(url, CAST)))[0])
            assert await verify.run(url) == []
    first, second = told
    assert len(first.history) > 50
    assert first.digest == second.digest
    assert [d["failed"] for d in first.denials] == [d["failed"] for d in second.denials]
    assert first.deliveries == second.deliveries
    triggers = {trigger for trigger, _ in first.triggers}
    assert triggers >= {"accept", "act", "update_customer", "de_escalate", "complete_step", "remind"}


async def test_another_seed_is_another_story(database_url: str, postgres_url: str, tmp_path: Path):
    file = day(tmp_path / "day.ndjson", "p0", 1)
    outcomes = set()
    async with another_database(postgres_url, "replayed_otherwise") as again:
        for seed, url in enumerate((database_url, again)):
            async with virtual(url) as base:
                told, _ = await play(Ask(file, base, seed=seed), await keys_for(url, CAST))
                outcomes.add(told.outcome)
    assert len(outcomes) == 2


async def test_on_the_systems_clock_the_gaps_pass_faster(database_url: str, tmp_path: Path):
    file = day(tmp_path / "day.ndjson", "p0", 1)
    async with running(database_url) as service:
        told, printed = await play(Ask(file, service.base, speed=86_400), await keys_for(database_url, LONE))
        with pytest.raises(Stopped, match="ESCALATION_CLOCK=virtual"):
            await play(Ask(file, service.base, seed=SEED), await keys_for(database_url, CAST))
    assert "divided by 86400" in printed
    assert {situation for situation, _ in told.begun} == {"p0_outage"}


async def test_a_bad_line_stops_it_before_anything_is_sent(database_url: str, tmp_path: Path):
    file = day(tmp_path / "day.ndjson")
    with file.open("a") as more:
        more.write('{"at": "2016-03-09T00:00:00Z", "ticket": "INC1", "facts": {"priority": "p7"}}\n')
    count = len(file.read_bytes().splitlines())
    async with virtual(database_url) as base:
        with pytest.raises(Stopped, match=rf"nothing of it was sent:\nline {count}: .*facts\.priority"):
            await play(Ask(file, base), await keys_for(database_url, LONE))
    conn = await asyncpg.connect(database_url)
    assert await conn.fetchval("SELECT count(*) FROM ticket") == 0
    await conn.close()


# What dies ----------------------------------------------------------------------------------------------------------


async def test_it_says_how_to_go_on_and_going_on_ends_as_if_nothing_had_been(
    database_url: str, postgres_url: str, tmp_path: Path
):
    file = day(tmp_path / "day.ndjson")
    half = file.read_bytes().splitlines(keepends=True)
    stop = len(half) * 2 // 3
    (tmp_path / "half.ndjson").write_bytes(b"".join(half[:stop]))
    async with another_database(postgres_url, "replayed_in_parts") as parts:
        for url, asks in (
            (database_url, [Ask(file, "")]),
            (parts, [Ask(tmp_path / "half.ndjson", ""), Ask(file, "", begin=stop + 1)]),
        ):
            for ask in asks:  # the service is another one each time, too
                async with virtual(url) as base:
                    at = msgspec.structs.replace(ask, url=base)
                    await play(at, await keys_for(url, LONE))
            assert await verify.run(url) == []
        assert await _ends(database_url) == await _ends(parts)
        assert await found(database_url) == await found(parts)


async def test_a_play_that_was_stopped_goes_on_from_the_line_it_told_as_if_nothing_had_been(
    database_url: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Stopped twice, each time with everything in the air: offers, steps, wishes, objections."""
    file = day(tmp_path / "day.ndjson")
    lines_of_it = len(file.read_bytes().splitlines())
    outcomes, call = [], Caller.call
    async with another_database(postgres_url, "played_in_parts") as parts:
        async with virtual(database_url) as base:
            told, _ = await play(Ask(file, base, seed=SEED), await keys_for(database_url, CAST))
            outcomes.append((told.outcome, await _ends(database_url)))
        begin = 1
        for stop in (lines_of_it // 2, lines_of_it * 4 // 5, None):

            async def until(caller: Caller, *args: Any, name: str, stop: int | None = stop, **more: Any) -> Answer:
                if name == f"line-{stop}":
                    raise Unanswered("gone")
                return await call(caller, *args, name=name, **more)

            monkeypatch.setattr(Caller, "call", until)
            async with virtual(parts) as base:
                ask = Ask(file, base, seed=SEED, begin=begin)
                if stop is None:
                    outcomes.append(((await play(ask, await keys_for(parts, CAST)))[0].outcome, await _ends(parts)))
                    continue
                with pytest.raises(Stopped, match=f"gone\n.*`--from {stop}`"):
                    await play(ask, await keys_for(parts, CAST))
                begin = stop
        assert await verify.run(parts) == []
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("calls", [500])
async def test_a_play_that_was_stopped_in_the_middle_of_a_turn_goes_on_too(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
):
    file = day(tmp_path / "day.ndjson", "p0")
    keys, call, done = await keys_for(database_url, CAST), Caller.call, count(1)

    async def until(caller: Caller, *args: Any, **more: Any) -> Answer:
        if next(done) == calls:
            raise Unanswered("gone")
        return await call(caller, *args, **more)

    monkeypatch.setattr(Caller, "call", until)
    async with virtual(database_url) as base:
        with pytest.raises(Stopped) as stopped:
            await play(Ask(file, base, seed=SEED), keys)
        begin = int(str(stopped.value).rpartition("--from ")[2].rstrip("`."))
        told, _ = await play(Ask(file, base, seed=SEED, begin=begin), keys)
    assert {trigger for trigger, _ in told.triggers} >= {"accept", "de_escalate", "close"}
    assert await verify.run(database_url) == []


async def test_a_service_that_is_not_there_is_told_with_the_line_to_go_on_from(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("service.replay.caller.SILENT", 0.1)
    file = day(tmp_path / "day.ndjson", "p0", 1)
    keys, printed = await keys_for(database_url, LONE), io.StringIO()
    ask = Ask(file, "http://127.0.0.1:9", begin=5, patience=0.2)
    with pytest.raises(Stopped, match=r"no answer from http://127\.0\.0\.1:9/.*\n.*`--from 5`"):
        await replay.run(ask, keys, Console(file=printed, width=120))
    assert "Is a service running there? `./run serve` starts one" in printed.getvalue()
    assert printed.getvalue().count("No answer") == 1


async def _ends(url: str) -> list[tuple[Any, ...]]:
    conn = await asyncpg.connect(url)
    try:
        rows = await conn.fetch(
            "SELECT ticket_id, tier, state, level, version, criterion, opened_at, closed_at"
            " FROM escalation ORDER BY ticket_id, opened_at"
        )
        return [tuple(row) for row in rows]
    finally:
        await conn.close()


# The command --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("bad.ndjson", "--key", "esk_0_0"), "line 1: "),
        (("nowhere.ndjson", "--key", "esk_0_0"), "No such file"),
        (("bad.ndjson", "--key", "esk_0_0", "--cast", "1"), "leave out --key"),
        (("bad.ndjson", "--speed", "0"), "must be above 0"),
    ],
)
async def test_the_command_says_in_words_what_is_wrong(tmp_path: Path, words: tuple[str, ...], told: str):
    (tmp_path / "bad.ndjson").write_text('{"at": "yesterday"}\n')
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "service", "replay", *words),
        cwd=tmp_path,
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 1
    assert told in out.decode()
    assert "Traceback" not in out.decode()
