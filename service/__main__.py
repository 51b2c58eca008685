"""The command line. Each command opens the rooms that it needs and no other."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from cyclopts import App, Parameter, validators

from service import __version__
from service.config import Settings, SettingsError, load

app = App(
    name="escalation-matrix",
    help="An escalation policy carried out as state machines.",
    help_epilogue="Settings: flags, then ESCALATION_… in the environment, then escalation.toml.",
    version=__version__,
)
_T = TypeVar("_T")

keys = App(name="keys", help="API keys and the principals that they stand for.")
policy = App(name="policy", help="The matrix as data.")
app.command(keys)
app.command(policy)


@app.command
def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    no_migrate: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Run the service; migrates first.

    Parameters
    ----------
    host
        Address to listen on [default: 127.0.0.1].
    port
        Port to listen on, 0 for any [default: 8080].
    workers
        Processes on that port [default: 1].
    no_migrate
        Leave the schema as it is.
    """
    settings = load({"host": host, "port": port, "workers": workers})
    _run(_serve(settings, migrates=not no_migrate))


async def _serve(settings: Settings, *, migrates: bool) -> None:
    from service import database, log, workers

    log.configure(settings.log_format, settings.log_level)
    one_of_several = workers.MARK in os.environ
    async with _database(settings) as url:
        await database.wait_until_it_answers(url)
        if migrates:
            await database.prepare(settings.migrate_url or url)
        if settings.workers > 1 and not one_of_several:
            await workers.serve(settings, url, announce=_say)
            return
        if one_of_several:
            await workers.end_with_parent()
        from service.app import serve as serve_here

        await serve_here(settings, url, announce=_say)


@app.command
def migrate() -> None:
    """Bring the database to the newest schema; safe from many nodes at once."""
    settings = load()

    async def run() -> None:
        from service import database

        async with _database(settings) as url:
            await database.wait_until_it_answers(settings.migrate_url or url)
            applied = await database.prepare(settings.migrate_url or url)
        for step in applied:
            print(f"applied {step.number:04}_{step.name}")
        print("the schema is up to date")

    _run_once(run())


@keys.command(name="create")
def create_key(
    *, name: str, role: str, level: int | None = None, may: Annotated[list[str] | None, Parameter(negative=())] = None
) -> None:
    """Make a principal and print its API key, once, alone on the last line.

    Parameters
    ----------
    name
        The principal's id; that of a person on the roster makes it theirs.
    role
        agent, lead, manager, director, executive, service, auditor or admin.
    level
        0 to 4; goes with the role unless said otherwise.
    may
        A trigger that a service may fire for people; may be given again.
    """
    settings = load()

    async def run() -> str:
        from service import auth, database

        async with _database(settings) as url:
            if settings.database_url is None:
                await database.prepare(url)
            conn = await database.open_connection(url)
            try:
                return await auth.create_key(conn, name, role, level, may or [])
            except ValueError as error:
                raise SystemExit(f"escalation-matrix: {error}") from None
            finally:
                await conn.close()

    print(_run_once(run()))


@keys.command
def signing(*, name: str) -> None:
    """Make the key that signs history's checkpoints: its public half, and the key itself alone on the last line.

    Keep the public half where checkpoints are checked; ESCALATION_SIGNING_KEY takes the other.

    Parameters
    ----------
    name
        Whose history it is, like escalations.example: 1 to 200 characters without spaces and +.
    """
    from service.proof.notes import NoteError, Signer

    try:
        text, signer = Signer.made(name)
    except NoteError as error:
        raise SystemExit(f"escalation-matrix: {error}") from None
    print(f"public: {signer.public}\n{text}")


@policy.command
def show() -> None:
    """Print the matrix that a new database begins with, as TOML."""
    from machines import matrix

    print(matrix.default_text(), end="")


@policy.command
def check(file: Path) -> None:
    """Say whether a matrix is total and sound, or everything that is wrong with it."""
    from machines import matrix

    try:
        matrix.parse(file.read_text("utf-8"))
    except ValueError as error:
        raise SystemExit(f"{file}:\n{error}") from None
    print(f"{file}: sound and total")


@policy.command(name="publish")
def publish_policy(file: Path) -> None:
    """Check a matrix, and publish it as the next version; what opens from now on goes by it.

    Running escalations keep the version that they were opened under; `policy move` moves them.

    Parameters
    ----------
    file
        The whole document, as TOML.
    """
    from machines import matrix

    try:
        told = matrix.parse(file.read_text("utf-8"))
    except ValueError as error:
        raise SystemExit(f"{file}:\n{error}") from None
    settings = load()

    async def run() -> tuple[int, bool]:
        from service import database, publishing

        async with _database(settings) as url:
            if settings.database_url is None:
                await database.prepare(url)
            conn = await database.open_connection(url)
            try:
                row, made = await publishing.publish(conn, told, app.name[0])
            finally:
                await conn.close()
            return row["version"], made

    version, made = _run_once(run())
    print(f"published as version {version}" if made else f"nothing to publish: version {version} says the same")


@policy.command(name="move")
def move_policy(
    version: int,
    *,
    yes: Annotated[bool, Parameter(negative=())] = False,
    url: str | None = None,
    key: str | None = None,
) -> None:
    """Show each deadline that changes if running escalations go by this version; with --yes, move them.

    Parameters
    ----------
    version
        The version of the policy to move to.
    yes
        Move them, each only if it stands where it was shown.
    url
        Where the service is [default: http://127.0.0.1 and the port that is set].
    key
        An admin's API key.
    """
    from service.mover import main

    if key is None:
        raise SystemExit("escalation-matrix: --key: an admin's API key is needed; `keys create --role admin` makes one")
    settings = load()
    _run_once(main(url or f"http://{settings.host}:{settings.port}", key, version, _say, yes=yes))


@app.command
def machine(*, format: Literal["table", "mermaid", "dot", "svg"] = "table") -> None:  # noqa: A002  # the command's own word
    """Print the state machine, from the code that runs."""
    from machines.__main__ import render

    print(render(format))


@app.command
def verify() -> None:
    """Check every invariant of the database; exit 1 with the offending rows."""
    settings = load()

    async def run() -> list[Any]:
        from service import database
        from service.verify import run as find

        async with _database(settings) as url:
            if settings.database_url is None:
                await database.prepare(url)
            return list(await find(url))

    findings = _run_once(run())
    for finding in findings:
        print(f"{finding.claim}  {finding.where}: {finding.what}")
    if findings:
        raise SystemExit(f"{len(findings)} findings")
    print("nothing found: every invariant holds")


@app.command
def verify_history(*files: Path, checkpoints: Path, key: str, proof: Path | None = None) -> None:
    """Tell from an export alone whether it is the history whose checkpoints were published; exit 1 with what is not.

    It needs no database. Get the export from GET /v1/history/export, whole and without filters. What was archived is no
    more in it: name the archives beside it, or one archive alone with its proof.

    Parameters
    ----------
    files
        The export, lines of JSON (.gz is unpacked), and archives.
    checkpoints
        Signed checkpoints that were kept elsewhere, one after the other.
    key
        The public key, as `keys signing` printed it: name+id+base64.
    proof
        What `archive` wrote beside the one archive that is looked at.
    """
    from service.proof import reader
    from service.proof.notes import NoteError

    if not files:
        raise SystemExit("escalation-matrix: name the export, as GET /v1/history/export gave it")
    try:
        report = reader.run(files, checkpoints, key, proof)
    except (OSError, UnicodeDecodeError, NoteError, ValueError) as error:
        raise SystemExit(f"escalation-matrix: {error}") from None
    for found in report.findings:
        print(f"{found.where}: {found.what}")
    if report.findings:
        raise SystemExit(f"{len(report.findings) + report.more} findings")
    until = f"{report.sealed} of them sealed by {report.last.at:%Y-%m-%d %H:%M:%S}Z" if report.last else "none sealed"
    print(f"nothing found: {report.rows} rows of {report.escalations} escalations, {until}")


@app.command
def archive(
    month: str | None = None,
    *,
    to: Path = Path(),
    older_than: Annotated[int, Parameter(validator=validators.Number(gte=62, lte=3650))] = 90,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    drop: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Put an old month of history into a file with its proof, and take it off the table.

    Without a month: say of each whether it could go, and why not. As the owner of the tables (ESCALATION_MIGRATE_URL).

    Parameters
    ----------
    month
        When its escalations were opened, like 2024_11.
    to
        The folder for NAME.ndjson and NAME.proof.json; back it up, and nothing of it changes any more [default: here].
    older_than
        Days for which none of its escalations may have been touched; two months at least, for the last ones are made
        anew where they lack.
    dry_run
        Write and check the files, change nothing.
    drop
        Drop the table of a month that is archived, if its file is still what was written.
    """
    settings = load()

    async def run() -> int:
        from service import archiving, database

        async with _database(settings) as url:
            if settings.database_url is None:
                await database.prepare(url)
            asked = archiving.Asked(month, to.absolute(), older_than, dry_run=dry_run, drop=drop)
            return await archiving.run(settings.migrate_url or url, asked)

    if failed := _run_once(run()):
        raise SystemExit(failed)


@app.command
def replay(
    file: Path,
    *,
    speed: float = 1.0,
    url: str | None = None,
    key: str | None = None,
    from_: Annotated[int, Parameter(name="--from")] = 1,
    cast: int | None = None,
    patience: float = 120.0,
) -> None:
    """Replay a ticket-event file through a running service: one JSON object a line, as `service/replay/lines.py` says.

    Parameters
    ----------
    file
        The file (.gz is unpacked). It is checked as a whole before anything is sent.
    speed
        On the system's clock: how many times as fast. A virtual clock is moved to each event's instant.
    url
        Where the service is [default: http://127.0.0.1 and the port that is set].
    key
        An admin's API key [default: one is made in the database that is set].
    from_
        The line to begin with, where an earlier replay stopped.
    cast
        Play people as well, with this seed: they answer, are late, decide, and end it. Needs a virtual clock.
    patience
        Seconds for which a service that can't be reached, or is too busy, is asked again before the replay stops.
    """
    from service.replay import Ask, main

    if speed <= 0:
        raise SystemExit(f"--speed {speed:g}: must be above 0")
    settings = load()
    ask = Ask(file, url or f"http://{settings.host}:{settings.port}", speed, max(from_, 1), cast, patience)
    _run_once(main(ask, key, lambda: _database(settings)))


@app.command
def bench(*names: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Run the benchmarks, or those named; prints a table and writes JSON."""
    root = Path(__file__).resolve().parent.parent
    if not (root / "tests" / "benchmarks").is_dir():
        raise SystemExit("the benchmarks come with the source, not with an installed package")
    os.chdir(root)
    os.execv(sys.executable, [sys.executable, "-m", "tests.benchmarks", *names])  # noqa: S606  # ourselves, without a shell


@app.command
def demo(*, once: Annotated[bool, Parameter(negative=())] = False, port: int | None = None) -> None:
    """Replay a day of real ticket events through the HTTP API, show what happened, and keep serving.

    Parameters
    ----------
    once
        Stop after the table.
    port
        Port to listen on [default: 8080].
    """
    from service.demo import main

    _run(main(load({"port": port}), once))


def _say(line: str) -> None:
    print(line, flush=True)


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[str]:
    """The URL of the database that is set, else of the embedded one, held for as long as needed."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    from service import postgres

    async with await postgres.ensure(settings.data_dir, binaries=settings.postgres_binaries) as server:
        yield server.url


def _run_once(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a command that ends: what it has to say it prints, and stderr is for what went wrong."""
    from service import log

    log.configure("console", "warning")
    return _run(work)


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)


def main() -> None:
    """Run the command that was given. What a user can mend is said in words, without a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        problem = _in_words(error)
        if problem is None:
            raise
        raise SystemExit(f"escalation-matrix: {problem}") from None


def _in_words(error: Exception) -> str | None:
    if isinstance(error, SettingsError):
        return f"these settings cannot be taken:\n{error}"
    if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith(("service.", "machines.")):
        return f"this version does not have that yet ({error.name})"
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return f"the database cannot be reached: {str(error) or 'no answer in time'}. Is ESCALATION_DATABASE_URL right?"
    if isinstance(error, OSError):
        return str(error)
    if type(error).__module__.startswith(("service.", "machines.")):
        return str(error)
    if not type(error).__module__.startswith("asyncpg."):
        return None
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate in ("42P01", "22023", "42704"):  # no table, or no role to act as
        return f"{error}. Is the database migrated? `escalation-matrix migrate` does it."
    return f"the database says: {error}"


if __name__ == "__main__":
    main()
