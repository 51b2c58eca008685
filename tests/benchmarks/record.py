"""What the engine says to the database for lone commands, recorded: statements, with the arguments that it gave.

    python -m tests.benchmarks.record < PLAN      (a process of its own: it starts the application in itself)

One life is lived through the real application, one call after the other, so that every batch holds one command, and
the engine's connections write down what is asked of them. So whatever the product's statements become, those are what
pgbench repeats (`rows.py`) and what is put together into sets (`setwise.py`); nothing is written down twice.

Another life differs in its ids alone. `places` finds them: every UUID, the ticket, the customer and the numbers drawn
from history_seq become holes in a *form*, to be filled for each life anew, by Postgres or by Python.
"""

import asyncio
import random
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import asyncpg
import msgspec
from msgspec import Struct

from .lives import CALLS, lives
from .process import output_of

Argument: TypeAlias = str | bool | int | list[str | None]

_RECORDED_WITHIN = 60.0
_HEAD = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Call(Struct, frozen=True):
    """One statement that was sent, and its arguments."""

    text: str
    arguments: list[Argument]


class Step(Struct, frozen=True):
    """One request of a life, and the statements that followed from it."""

    counted: bool
    calls: list[Call]


class Plan(Struct, frozen=True):
    """Where to record: a copy of the stage that is thrown away afterwards."""

    url: str
    keys: dict[str, str]


async def recorded(plan: Plan) -> list[Step]:
    """The steps of one life, in their order. Raises ProgramError."""
    argv = [sys.executable, "-m", "tests.benchmarks.record"]
    answer = await output_of(argv, stdin=msgspec.json.encode(plan), within=_RECORDED_WITHIN)
    steps = msgspec.json.decode(answer, type=list[Step])
    assert len(steps) == CALLS
    return steps


class _Recording:
    """A connection that writes down what it is asked."""

    def __init__(self, connection: asyncpg.Connection, calls: list[Call]) -> None:
        self._connection = connection
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._connection, name)
        if name not in ("execute", "fetch", "fetchrow", "fetchval"):
            return asked

        async def note(text: str, *arguments: Any, **more: Any) -> Any:
            self._calls.append(Call(text, list(arguments)))
            return await asked(text, *arguments, **more)

        return note


async def _record(plan: Plan) -> list[Step]:
    from aiohttp import web

    from service import database, log
    from service.app import build
    from service.config import Settings
    from service.server import Runner

    log.configure("json", "error")
    calls: list[Call] = []
    opened: Callable[..., Any] = database.open_connection

    async def open_connection(*told: Any, **more: Any) -> Any:
        return _Recording(await opened(*told, **more), calls)

    database.open_connection = open_connection
    runner = Runner(build(Settings(), plan.url), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return await _live(runner.addresses[0][1], plan.keys, calls)
    finally:
        await runner.cleanup()


async def _live(port: int, keys: dict[str, str], calls: list[Call]) -> list[Step]:
    from .load import Aside, Reply

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    # The first life is for what is read once: policies, prepared statements.
    conversation = lives(0, 1, random.Random(1), keys=keys, most=2)
    steps: list[Step] = []
    said = next(conversation, None)
    while said is not None:
        calls.clear()
        writer.write(said)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _HEAD.search(head)
        assert length is not None
        reply = Reply(int(head.split(maxsplit=2)[1]), await reader.readexactly(int(length[1])))
        steps.append(Step(not isinstance(said, Aside), list(calls)))
        try:
            said = conversation.send(reply)
        except StopIteration:
            said = None
    writer.close()
    return steps[-CALLS:]


# Forms ------------------------------------------------------------------------------------------------------------

TIME, FRONT, BACK, TICKET, CUSTOMER, FIRST_SEQ = range(6)
"""What goes into a hole: the instant of UUIDv7s (13 characters), the random beginning (13) or end (12) of a UUID, the
ticket, the customer; from FIRST_SEQ on, the numbers drawn for a step's rows of history."""
Form: TypeAlias = tuple[str | int, ...]
"""A text with its holes."""

_PLACES = re.compile(
    r"(?P<v7>[0-9a-f]{8}-[0-9a-f]{4}(?=-7))(?P<v7_middle>-7[0-9a-f]{3}-[0-9a-f]{4}-)(?P<v7_back>[0-9a-f]{12})"
    r"|(?P<v4>[0-9a-f]{8}-[0-9a-f]{4}(?=-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}))"
    r"|(?P<ticket>B-[0-9]{4}-[0-9a-f]{16})"
    r"|(?P<customer>customer-[0-9]{3})"
    r'|(?P<before_seq>seq\\?":)(?P<seq>[0-9]+)'
)


def form(text: str, seqs: list[int]) -> Form:
    """The text with its holes; numbers drawn from history_seq are added to `seqs`, those of the same step."""
    parts: list[str | int] = []
    end = 0
    for found in _PLACES.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        match found.lastgroup:
            case "v7_back":
                parts += [TIME, found["v7_middle"], BACK]
            case "v4":
                parts.append(FRONT)
            case "ticket":
                parts.append(TICKET)
            case "customer":
                parts.append(CUSTOMER)
            case _:
                seq = int(found["seq"])
                if seq not in seqs:
                    seqs.append(seq)
                parts += [found["before_seq"], FIRST_SEQ + seqs.index(seq)]
    parts.append(text[end:])
    return tuple(part for part in parts if part != "")


def filled(form: Form, values: list[str]) -> str:
    """The text with its holes filled."""
    return "".join([part if isinstance(part, str) else values[part] for part in form])


def as_text(argument: Argument) -> str:
    """An argument as Postgres reads it from text."""
    if isinstance(argument, bool):
        return "true" if argument else "false"
    if isinstance(argument, list):
        return "{" + ",".join(_quoted(argument)) + "}"
    return str(argument)


def _quoted(items: Iterable[str | None]) -> Iterable[str]:
    for item in items:
        yield "NULL" if item is None else '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    found = asyncio.run(_record(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)))
    sys.stdout.buffer.write(msgspec.json.encode(found))
