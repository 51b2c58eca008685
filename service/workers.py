"""Several service processes on one port: started, watched, started again, and stopped together."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable

import structlog

from service.config import Settings

# Set for a worker: its standard input ends with its parent, and then so does it.
MARK = "ESCALATION_WORKER"

# A worker that ends unasked is started again, but a broken one not in a busy loop.
_PAUSE = 1.0

log = structlog.get_logger(__name__)


class WorkerError(RuntimeError):
    """A worker could not start; its own words are above."""


async def serve(settings: Settings, url: str, *, announce: Callable[[str], None]) -> None:
    """Run `settings.workers` processes; announces one line once all of them answer.

    Raises OSError where the port is taken, WorkerError where a worker cannot even start.
    """
    # Holds the port while no worker does, and finds one where it was left to the system. It is
    # bound but never listens, so no connection comes here.
    holder = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind((settings.host, settings.port))
    port = holder.getsockname()[1]
    environment = os.environ | {
        "ESCALATION_DATABASE_URL": url,
        "ESCALATION_HOST": settings.host,
        "ESCALATION_PORT": str(port),
        "ESCALATION_WORKERS": str(settings.workers),
    }
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)

    first = await asyncio.gather(*(_start(environment, n) for n in range(settings.workers)))
    if not all(answers for _, answers in first):
        for worker, _ in first:
            await _end(worker, settings.shutdown_within + settings.leaves_after)
        raise WorkerError("a worker could not start; its own words are above")
    announce(f"listening on http://{settings.host}:{port}")

    keepers = [
        asyncio.create_task(_keep(worker, environment, n, settings.shutdown_within + settings.leaves_after))
        for n, (worker, _) in enumerate(first)
    ]
    await stop.wait()
    for keeper in keepers:
        keeper.cancel()
    await asyncio.gather(*keepers, return_exceptions=True)
    holder.close()


async def end_with_parent() -> None:
    """Ask this worker to stop when its standard input ends, which the parent holds open."""

    def read() -> None:
        if not os.read(0, 64):
            asyncio.get_running_loop().remove_reader(0)
            os.kill(os.getpid(), signal.SIGTERM)

    asyncio.get_running_loop().add_reader(0, read)


async def _start(environment: dict[str, str], number: int) -> tuple[Process, bool]:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "service", "serve", "--no-migrate",
        stdin=PIPE, stdout=PIPE, env=environment | {MARK: str(number)},
    )  # fmt: skip
    assert worker.stdout is not None
    line = await worker.stdout.readline()
    return worker, line.startswith(b"listening on ")


async def _keep(worker: Process, environment: dict[str, str], number: int, within: float) -> None:
    try:
        while True:
            code = await worker.wait()
            log.error("worker_ended_unasked", worker=number, code=code)
            await asyncio.sleep(_PAUSE)
            worker, _ = await _start(environment, number)
    finally:
        await _end(worker, within)


async def _end(worker: Process, within: float) -> None:
    if worker.returncode is not None:
        return
    worker.terminate()
    try:
        async with asyncio.timeout(within + 5):
            await worker.wait()
    except TimeoutError:
        worker.kill()
        await worker.wait()
