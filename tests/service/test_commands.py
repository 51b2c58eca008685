"""The command line: what it does, and what it says to a mistake."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

# Seconds, on a machine that is busy with other tests.
WITHIN = 60.0


async def start(*words: str, **environment: str) -> Process:
    """A command, started."""
    argv = [sys.executable, "-P", "-m", "service", *words]
    return await asyncio.create_subprocess_exec(*argv, stdout=PIPE, stderr=PIPE, env=os.environ | environment)


async def run(*words: str, **environment: str) -> tuple[int | None, str, str]:
    """A command that ends: its exit code and words."""
    process = await start(*words, **environment)
    async with asyncio.timeout(WITHIN):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("words", "environment", "complaint"),
    [
        (["serve", "--port", "99999"], {}, "--port=99999: Expected `int` <= 65535"),
        (["migrate"], {"ESCALATION_CLOCK": "sundial"}, "ESCALATION_CLOCK=sundial"),
        (
            ["keys", "create", "--name", "a", "--role", "admin"],
            {"ESCALATION_DATABASE_URL": "postgres://a:secret@127.0.0.1:1/x"},
            "the database cannot be reached",
        ),
        (["policy", "check", "/nowhere.toml"], {}, "No such file"),
    ],
)
async def test_a_mistake_is_told_in_words(words: list[str], environment: dict[str, str], complaint: str) -> None:
    code, _, err = await run(*words, **environment)
    assert code == 1
    assert complaint in err
    assert "Traceback" not in err
    assert "secret" not in err


async def test_a_matrix_is_checked_and_everything_wrong_with_it_told(tmp_path: Path) -> None:
    code, text, _ = await run("policy", "show")
    assert code == 0
    (tmp_path / "policy.toml").write_text(text)
    assert (await run("policy", "check", str(tmp_path / "policy.toml")))[0] == 0
    (tmp_path / "policy.toml").write_text(text + "\n[nonsense]\n")
    assert (await run("policy", "check", str(tmp_path / "policy.toml")))[0] == 1


async def test_migrating_and_making_a_key_on_a_new_database(empty_database_url: str) -> None:
    given = {"ESCALATION_DATABASE_URL": empty_database_url}
    code, _, err = await run("keys", "create", "--name", "root", "--role", "admin", **given)
    assert (code, "escalation-matrix migrate" in err) == (1, True)
    assert (await run("migrate", **given))[0] == 0
    code, out, _ = await run("keys", "create", "--name", "root", "--role", "admin", **given)
    assert code == 0
    assert out.splitlines()[-1].startswith("esk_")
    code, _, err = await run("keys", "create", "--name", "root", "--role", "king", **given)
    assert (code, "--role king" in err) == (1, True)
    code, out, _ = await run("verify", **given)
    assert code == 0


@pytest.fixture
async def two_workers(database_url: str) -> AsyncIterator[tuple[Process, str]]:
    """A service of two processes, and where it listens."""
    service = await start("serve", "--workers", "2", "--port", "0", ESCALATION_DATABASE_URL=database_url)
    assert service.stdout is not None
    async with asyncio.timeout(WITHIN):
        line = (await service.stdout.readline()).decode()
    assert line.startswith("listening on http://127.0.0.1:")
    yield service, line.split()[-1]
    if service.returncode is None:
        service.kill()
        await service.wait()


def children(pid: int) -> list[int]:
    """The processes that this one started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def until(true: Callable[[], bool]) -> None:
    """Wait for something."""
    async with asyncio.timeout(WITHIN):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers through /proc")
async def test_a_worker_that_dies_is_replaced_and_all_end_together(two_workers: tuple[Process, str]) -> None:
    service, url = two_workers
    first = children(service.pid)
    assert len(first) == 2
    os.kill(first[0], signal.SIGKILL)
    await until(lambda: first[0] not in children(service.pid))
    async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as answer:
        assert answer.status == 200
    await until(lambda: len(children(service.pid)) == 2)
    service.terminate()
    async with asyncio.timeout(WITHIN):
        assert await service.wait() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in first)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers through /proc")
async def test_workers_do_not_outlive_a_killed_parent(two_workers: tuple[Process, str]) -> None:
    service, _ = two_workers
    workers = children(service.pid)
    service.kill()
    await service.wait()
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


async def test_a_matrix_is_published_once_and_only_if_it_is_sound(tmp_path: Path, database_url: str) -> None:
    _, text, _ = await run("policy", "show")
    file = tmp_path / "policy.toml"
    file.write_text(text.replace('p2 = { first_response = "PT4H"', 'p2 = { first_response = "PT1H"', 1))
    words = ("policy", "publish", str(file))
    assert (await run(*words, ESCALATION_DATABASE_URL=database_url))[1] == "published as version 2\n"
    again = await run(*words, ESCALATION_DATABASE_URL=database_url)
    assert again[1] == "nothing to publish: version 2 says the same\n"
    file.write_text(text.replace('respond_within = "PT2H"', 'respond_within = "soon"', 1))
    code, _, err = await run(*words, ESCALATION_DATABASE_URL=database_url)
    assert code == 1
    assert "levels.2.respond_within" in err
