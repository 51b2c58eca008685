"""The SQL of this service: schema, migrations, queries by noun and reports, as text by name.

A query file holds blocks that each begin with a line naming the query and its parameters::

    -- name: by_ticket(ticket_ids, now)
    SELECT … WHERE ticket_id = ANY($1) AND at <= $2

``query("escalation.by_ticket")`` is then the text below that line, as asyncpg takes it. The list is
what ``$1``, ``$2`` … mean, and is held against what the text uses. Files are read once a process.

A report is a file of one such block, named as the file: ``report("rate")``.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOM = Path(__file__).parent

_HEADING = re.compile(r"^-- name: *(.*)$", re.MULTILINE)
_NAME = re.compile(r"(?P<name>[a-z]\w*) *\((?P<parameters>[\w ,]*)\) *")
_NOT_CODE = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_MIGRATION = re.compile(r"(?P<number>\d{4})_(?P<name>\w+)\.sql")


class Migration(NamedTuple):
    """One step of the schema, applied once, in the order of the numbers."""

    number: int
    name: str
    text: str


class Report(NamedTuple):
    """A measure: one SELECT, and what its parameters mean, in their order."""

    parameters: tuple[str, ...]
    text: str


def query(name: str) -> str:
    """The text of the query ``noun.name``; KeyError says which names there are."""
    noun, _, wanted = name.partition(".")
    queries = _queries(ROOM / "queries" / f"{noun}.sql")
    if wanted not in queries:
        raise KeyError(f"no query {wanted!r} in queries/{noun}.sql, which has {sorted(queries)}")
    return queries[wanted]


def queries() -> dict[str, str]:
    """Every query by its full name, for tests that prepare each on the schema."""
    files = sorted((ROOM / "queries").glob("*.sql"))
    return {f"{file.stem}.{name}": text for file in files for name, text in _queries(file).items()}


def schema() -> str:
    """The schema as it stands, told in one file; migrations lead to the same."""
    return (ROOM / "schema.sql").read_text("utf-8")


def migrations(folder: Path = ROOM / "migrations") -> list[Migration]:
    """The steps from an empty database to the schema; ValueError where a number is doubled.

    Where there are none yet, the schema itself is the first.
    """
    found: dict[int, Migration] = {}
    for file in sorted(folder.glob("*.sql")):
        match = _MIGRATION.fullmatch(file.name)
        if match is None:
            raise ValueError(f"{file.name}: a migration is named NNNN_what_it_does.sql")
        number = int(match["number"])
        if number in found:
            raise ValueError(f"{file.name}: number {match['number']} is taken by {found[number].name}")
        found[number] = Migration(number, match["name"], file.read_text("utf-8"))
    return list(found.values()) or [Migration(1, "schema", schema())]


def reports() -> dict[str, Report]:
    """Every report, one SELECT each, by the name of its file."""
    return {file.stem: report(file.stem) for file in sorted((ROOM / "reports").glob("*.sql"))}


def report(name: str) -> Report:
    """The report of that name; KeyError where there is none, ValueError where its file holds anything else."""
    file = ROOM / "reports" / f"{name}.sql"
    found = _queries(file)
    if set(found) != {name}:
        raise ValueError(f"reports/{file.name} holds {sorted(found)}: a report is one block, named as its file")
    return Report(_parameters(file)[name], found[name])


@cache
def _parameters(file: Path) -> dict[str, tuple[str, ...]]:
    headings = (_NAME.fullmatch(heading) for heading in _HEADING.findall(file.read_text("utf-8")))
    return {match["name"]: _listed(match["parameters"]) for match in headings if match}


def _listed(parameters: str) -> tuple[str, ...]:
    return tuple(name for name in re.split(r"[ ,]+", parameters) if name)


@cache
def _queries(file: Path) -> dict[str, str]:
    if not file.is_file():
        raise KeyError(f"there is no {file.parent.name}/{file.name}")
    preamble, *blocks = _HEADING.split(file.read_text("utf-8"))
    where = f"{file.parent.name}/{file.name}"
    if _NOT_CODE.sub("", preamble).strip():
        raise ValueError(f"{where}: SQL before the first '-- name: …' line")
    found: dict[str, str] = {}
    for heading, text in zip(blocks[::2], blocks[1::2], strict=True):
        match = _NAME.fullmatch(heading)
        if match is None:
            raise ValueError(f"{where}: '-- name: {heading}' is not name(parameter, …)")
        name = match["name"]
        if name in found:
            raise ValueError(f"{where}: two queries are named {name}")
        _check_parameters(f"{where}: {name}", match["parameters"], text)
        found[name] = text.strip().removesuffix(";")
    return found


def _check_parameters(where: str, parameters: str, text: str) -> None:
    code = _NOT_CODE.sub("", text)
    if not code.strip():
        raise ValueError(f"{where} has no SQL")
    names = _listed(parameters)
    used = {int(number) for number in re.findall(r"\$(\d+)", code)}
    if used != set(range(1, len(names) + 1)):
        raise ValueError(f"{where} declares {len(names)} parameters, but uses {sorted(used)}")
