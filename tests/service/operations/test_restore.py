"""A backup that was restored is whole, goes on, and can't pass for what was lost with it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from service import database, verify
from service.binaries import usable
from service.proof.notes import Signer, Verifier
from service.proof.offline import Report, checkpoints
from service.proof.offline import verify as verify_history
from service.proof.sealer import Sealer
from service.replica import CAUGHT_UP, FLUSHED
from tests.service.conftest import Service, running, serving
from tests.service.engine.proxy import proxied
from tests.service.standby import standby_of

_, SIGNER = Signer.made("escalations.example")
VERIFIER = Verifier(SIGNER.public)


@asynccontextmanager
async def another(url: str) -> AsyncIterator[str]:
    """An empty database on the same server."""
    name = f"test_{uuid4().hex}"
    owner = await asyncpg.connect(url)
    try:
        await owner.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield f"{url.rpartition('/')[0]}/{name}"
        await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await owner.close()


async def sealed(url: str, notes: Path) -> int:
    """Seal what there is, as the service does each second; how many rows that were."""
    pool = await database.connect(url)
    rows = await Sealer(pool, SIGNER, notes).seal(patience=10.0)
    await pool.close()
    return rows


async def exported(service: Service) -> list[bytes]:
    """The whole history, as whoever checks it gets it."""
    return (await service.call("aud", "GET", "/v1/history/export")).raw.splitlines()


def found(rows: list[bytes], notes: str) -> Report:
    """What `verify-history` finds."""
    report = Report()
    return verify_history(rows, checkpoints(notes, VERIFIER, report), report)


async def test_a_dump_is_restored_whole_goes_on_and_what_came_after_it_is_missed(database_url: str, tmp_path: Path):
    binaries = (await asyncio.to_thread(usable, tmp_path, None)).folder
    kept, dump = tmp_path / "checkpoints", tmp_path / "dump"
    async with running(database_url) as service:
        await service.held("T-1")
        await sealed(database_url, kept)
        witnessed_then = kept.read_text()
        await asyncio.to_thread(_run, binaries / "pg_dump", "-Fc", "-f", str(dump), database_url)
        e, _ = await service.held("T-2")
        assert await sealed(database_url, kept) > 0
    async with another(database_url) as url:
        await asyncio.to_thread(_run, binaries / "pg_restore", "--exit-on-error", "-d", url, str(dump))
        assert await verify.run(url) == []
        assert await database.prepare(url) == [], "it has every migration that the backup had"
        async with serving(url) as restored:
            await restored.person("aud", "auditor")
            await restored.person("ann", "agent")
            rows = await exported(restored)
            assert found(rows, witnessed_then).findings == []
            lost = found(rows, kept.read_text()).findings
            assert len(lost) == 1, "the newest checkpoint is over rows that the backup has not"
            assert "rows" in lost[0].what or "rows" in lost[0].where
            (await restored.call("ann", "GET", f"/v1/escalations/{e}")).problem(404, "not_found")
            (await restored.act("ann", await restored.opened_on("T-1"), "note", text="it goes on")).ok(201)
        assert await verify.run(url) == []


async def test_a_standby_that_took_over_has_all_that_its_primary_had(database_url: str, tmp_path: Path):
    """Base backup, streaming, promotion: what a fail-over is made of."""
    kept = tmp_path / "checkpoints"
    async with running(database_url) as service, standby_of(database_url) as standby:
        await service.held("T-1")
        await sealed(database_url, kept)
        wanted = await service.db.fetchval(FLUSHED)
        async with asyncio.timeout(60):
            while not await standby.db.fetchval(CAUGHT_UP, wanted):  # noqa: ASYNC110  # another process writes it
                await asyncio.sleep(0.01)
        assert await standby.db.fetchval("SELECT pg_promote()")
        async with serving(standby.url) as now:
            now.keys = service.keys
            rows = await exported(now)
            assert rows == await exported(service)
            assert (found(rows, kept.read_text()).findings, len(rows)) == ([], 3)
            e, to = await now.held("T-2")
            (await now.act(to, e, "note", text="it goes on")).ok(201)
        assert await verify.run(standby.url) == []


async def test_nodes_that_know_both_servers_go_on_at_the_standby_that_took_over(database_url: str):
    async with standby_of(database_url) as standby, proxied(database_url) as primary:
        there, parts = urlsplit(primary.url).netloc, urlsplit(standby.url)
        both = f"{there},127.0.0.1:{parts.port}{parts.path}?sslmode=disable&target_session_attrs=primary"
        async with running(f"postgres://{both}") as service:
            e, to = await service.held("T-1")
            wanted = await service.db.fetchval(FLUSHED)
            async with asyncio.timeout(60):
                while not await standby.db.fetchval(CAUGHT_UP, wanted):  # noqa: ASYNC110  # another process writes it
                    await asyncio.sleep(0.01)
            await primary.close()
            assert await standby.db.fetchval("SELECT pg_promote()")
            async with asyncio.timeout(30):
                while (told := await service.act(to, e, "note", text="here", Idempotency_Key="k")).status == 503:
                    assert told.headers["Retry-After"]
            told.ok(201)
            assert await standby.db.fetchval("SELECT count(*) FROM history WHERE escalation_id = $1", e) == 4
            assert (await service.call(None, "GET", "/readyz")).ok()["status"] == "ready"
        assert await verify.run(standby.url) == []
        assert await verify.run(database_url) == []


def _run(*words: object) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
