"""The demo itself: it plays, prints and ends; what it leaves behind is sound; and it notices what must not be."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from rich.console import Console

from service import demo, verify
from service.config import Settings
from service.demo import stage
from service.demo.incidents import Incident, load
from service.demo.stage import StageError
from service.replay.caller import Unexpected
from service.replay.tally import Tally

ROOT = Path(__file__).parents[3]


def some() -> Sequence[Incident]:
    """Every P0 and P1, and each twentieth of the others: what has most to tell, in little time."""
    urgent = [incident for incident in load() if incident.highest <= "p1"]
    return urgent + [incident for incident in load() if incident.highest > "p1"][::20]


async def play(url: str, incidents: Sequence[Incident], **other_keys: str) -> tuple[Tally, str]:
    """The demo on this database, and what it prints."""
    keys = await stage.keys_for_the_cast(url)
    keys |= {who.replace("_", "-"): keys[whose] for who, whose in other_keys.items()}
    printed = io.StringIO()
    async with stage.service_on(replace(Settings(), port=0), url) as base:
        told = await demo.show(Console(file=printed, width=120), base, keys, incidents)
    return told, printed.getvalue()


async def test_it_plays_prints_and_leaves_nothing_for_the_verifier_to_find(database_url: str):
    told, printed = await play(database_url, some())
    assert told.denials
    assert {tier for tier, _ in told.highest} == {"enterprise", "professional", "starter"}
    assert {level for _, level in told.highest} >= {1, 2, 3}
    assert {trigger for trigger, _ in told.triggers} >= {"open", "engage", "accept", "act", "remind"}
    handed = {how for _, how in told.handoffs}
    assert handed >= {"accept", "decline", "left", "reassign", "lapsed", "gap", "shift_ended"}, "shifts begin and end"
    assert told.story[-1]["to"] == "closed"
    for title in (
        *("Escalations by the highest level called", "Situations", "How they ended", "Answers by level"),
        *("Handoffs by level", "Transitions", "Messages planned", "Refusals", "One of them", "/docs"),
    ):
        assert title in printed
    assert "Ticket events: " in printed  # no terminal: lines, not a bar
    assert "\x1b" not in printed
    assert await verify.run(database_url) == []


async def test_it_fails_where_somebody_may_do_what_the_story_says_they_may_not(database_url: str):
    # The directors come with a VP's key: changing a contract is no longer refused as theirs.
    with pytest.raises(Unexpected):
        await play(database_url, some(), director_greta="vp-irina", director_hugo="vp-jamal")


async def test_the_same_seed_tells_the_same_stories_to_the_last_hash(database_url: str, postgres_url: str):
    incidents = some()[:12]
    first, _ = await play(database_url, incidents)
    again, _ = await play(await stage.fresh_database(postgres_url, "escalation_demo_again"), incidents)
    assert first.history
    assert first.digest == again.digest


def test_once_ends_with_the_table_and_a_second_run_begins_afresh(postgres_url: str, tmp_path: Path):
    few = tmp_path / "few.py"
    few.write_text(
        "from service import demo, __main__\nload = demo.load\ndemo.load = lambda: load()[:20]\n__main__.main()\n"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, few, "demo", "--once", "--port", "0"],
            env={**os.environ, "ESCALATION_DATABASE_URL": postgres_url, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "How they ended" in done.stdout
        assert done.stderr == ""


async def test_it_takes_no_database_from_under_a_demo_that_still_runs(postgres_url: str):
    url = await stage.fresh_database(postgres_url, "escalation_demo_held")
    conn = await asyncpg.connect(url)
    with pytest.raises(StageError, match="stop that one first"):
        await stage.fresh_database(postgres_url, "escalation_demo_held")
    assert await conn.fetchval("SELECT count(*) FROM allowed_move") > 0
    await conn.close()


def test_a_taken_port_is_said_in_words(postgres_url: str, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "service", "demo", "--once", "--port", str(taken.getsockname()[1])],
            env={**os.environ, "ESCALATION_DATABASE_URL": postgres_url, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert "is taken" in done.stdout
    assert "Traceback" not in done.stderr
