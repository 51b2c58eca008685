"""Programs that the benchmarks start: services to be measured, and programs that print a result.

Each is started in a session of its own, is told on which port to listen, and is ended by its id,
with whatever it started itself; nothing is ever ended by name. What it says goes to a file, whose
end is shown when it fails.
"""

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, TypeAlias

ROOT = Path(__file__).resolve().parents[2]

# Seconds.
_STARTS_WITHIN = 60.0
_STOPS_WITHIN = 10.0
_POLL_EVERY = 0.05
# Characters of a failed program's words that are shown.
_LAST_WORDS = 2_000


Argument: TypeAlias = str | Path


class ProgramError(Exception):
    """A program that was to be measured did not start, failed, or took too long."""


class MissingError(ProgramError):
    """A part that a contender needs is not on this machine; the message says how to get it."""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def output_of(
    argv: Sequence[Argument],
    *,
    within: float,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> bytes:
    """What a program prints, once it has ended well. Raises ProgramError."""
    with tempfile.TemporaryFile() as words:
        child = await _start(argv, env, cwd, words, stdin=asyncio.subprocess.PIPE, piped=True)
        try:
            async with asyncio.timeout(within):
                output, _ = await child.communicate(stdin)
        except TimeoutError:
            raise ProgramError(f"{_named(argv)} took more than {within:.0f} s") from None
        finally:
            await _end(child)
        if child.returncode:
            raise ProgramError(f"{_named(argv)} failed:\n{_last(words)}")
        return output


@asynccontextmanager
async def serving(
    argv: Sequence[Argument], *, port: int, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> AsyncIterator[int]:
    """A service that answers HTTP on the port while the context lasts; yields its pid.

    Raises ProgramError if it ends or stays deaf.
    """
    with tempfile.TemporaryFile() as words:
        child = await _start(argv, env, cwd, words)
        try:
            try:
                async with asyncio.timeout(_STARTS_WITHIN):
                    while not await _answers(port):
                        if child.returncode is not None:
                            raise ProgramError(f"{_named(argv)} ended:\n{_last(words)}")
                        await asyncio.sleep(_POLL_EVERY)
            except TimeoutError:
                raise ProgramError(
                    f"{_named(argv)} did not listen within {_STARTS_WITHIN:.0f} s:\n{_last(words)}"
                ) from None
            yield child.pid
            if child.returncode is not None:
                raise ProgramError(f"{_named(argv)} ended while measured:\n{_last(words)}")
        finally:
            await _end(child)


async def _start(
    argv: Sequence[Argument],
    env: Mapping[str, str] | None,
    cwd: Path,
    words: IO[bytes],
    *,
    stdin: int = asyncio.subprocess.DEVNULL,
    piped: bool = False,
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE if piped else words,
            stderr=words,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            # Its own group, so that workers of workers end with it, and Ctrl-C is ours to pass on.
            start_new_session=True,
        )
    except OSError as error:
        raise ProgramError(f"{_named(argv)} cannot be started: {error}") from None


async def _end(child: asyncio.subprocess.Process) -> None:
    """Ask it to stop, wait, and leave nothing of its group behind."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if child.returncode is None:
            try:
                child.send_signal(sign)
                async with asyncio.timeout(_STOPS_WITHIN):
                    await child.wait()
            except (ProcessLookupError, TimeoutError):
                continue
    with suppress(ProcessLookupError, PermissionError):  # nobody is left; the latter on macOS
        os.killpg(child.pid, signal.SIGKILL)


async def _answers(port: int) -> bool:
    """Whether anything is said to a request: a port may be open long before somebody serves it."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await reader.read(5)) == b"HTTP/"
    except OSError:
        return False
    finally:
        writer.close()


def _named(argv: Sequence[Argument]) -> str:
    """The program and its file or module, without further arguments: those may hold secrets."""
    return " ".join([Path(argv[0]).name, *(Path(each).name for each in map(str, argv[1:3]))])


def _last(words: IO[bytes]) -> str:
    words.seek(0)
    return words.read().decode("utf-8", "replace")[-_LAST_WORDS:].strip()
