"""A pgbench script that lives the recorded life: the engine's own statements, each transaction one lone command.

Every client goes round the steps of the life (`\\set step`), at whose beginning it draws the ids of a new one. Small
arguments (ids, names, numbers) are the client's variables. The documents of `engine.write` are too large to be made
by a client that can't put texts together: `format()` makes them from the recorded ones, in a CTE of the very statement
that takes them, which also answers the next step's small arguments, so that no round trip is added.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sql

from .lives import CUSTOMERS, TIERS
from .record import FIRST_SEQ, Call, Form, Step, as_text, form

NAMES = {text: name.partition(".")[2] for name, text in sql.queries().items()}
"""What the product's statements are called."""
_COMMENT = re.compile(r"^--[^\n]*\n", re.MULTILINE)
_PARAMETER = re.compile(r"\$(\d+)")
REPORTS = ("lock_customers", "reports")
"""What only a report sends: documents of a line, which the statement before answers as it does small arguments."""
LIFE = ("time", "front", "back", "ticket", "customer")
"""What is drawn for each life: see `record.TIME` and those after it."""
_DRAWN = f"""(SELECT substr(ms, 1, 8) || '-' || substr(ms, 9, 4) AS time, substr(id, 1, 13) AS front,
    substr(r, 1, 12) AS back, 'B-0000-' || substr(r, 1, 12) || right(r, 4) AS ticket,
    'customer-' || lpad((floor(c * {len(CUSTOMERS[:: len(TIERS)])})::int * {len(TIERS)})::text, 3, '0') AS customer
    FROM (SELECT id, replace(id, '-', '') AS r, c, ms FROM (SELECT gen_random_uuid()::text AS id, random() AS c,
        lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') AS ms OFFSET 0) AS random
    OFFSET 0) AS texts OFFSET 0) AS drawn"""


@dataclass(frozen=True, slots=True)
class Script:
    """What to run: tables to make first, and the script; what the client must be told (`-D`)."""

    tables: str
    text: str
    defines: dict[str, str]
    # One statement each time, which makes a step's documents and arguments, and one that makes nothing.
    documents: str = ""
    nothing: str = ""


@dataclass(frozen=True, slots=True)
class _Slot:
    """An argument of a statement: its form at each step (None where the statement isn't sent)."""

    name: str
    position: int
    document: bool
    forms: tuple[Form | None, ...]

    @property
    def constant(self) -> str | None:
        """What it is at every step of every life, if it is the same at all."""
        found = {each for each in self.forms if each is not None}
        only = next(iter(found))
        whole = all(isinstance(part, str) for part in only)
        return "".join(map(str, only)) if len(found) == 1 and whole else None


def script(steps: Sequence[Step]) -> Script:
    """Put the script together from the recorded steps."""
    sent = _merged(steps)
    seqs: list[list[int]] = [[] for _ in steps]
    slots = {text: _slots(text, steps, seqs) for text in sent}
    every = [slot for found in slots.values() for slot in found]
    small = [slot for slot in every if not slot.document and slot.constant is None]
    large = [slot for slot in every if slot.document and slot.constant is None]
    fixed = {slot.name: slot.constant for slot in every if slot.constant is not None}
    draws = max(len(each) for each in seqs)
    carrier = [text for text in sent if any(slot in large for slot in slots[text])]
    if len(carrier) != 1 or any(carrier[0] not in {call.text for call in step.calls} for step in steps):
        raise ValueError("one statement must take all documents, at every step: teach this script otherwise")

    begins = ["\\set step (:step + 1) % " + str(len(steps)), "\\if :step = 0", new_life(small, fixed), "\\endif"]
    body: list[str] = []
    for text in sent:
        at = [n for n, step in enumerate(steps) if text in {call.text for call in step.calls}]
        statement = _statement(text, slots[text], large, small, draws)
        some = " or ".join(f":step = {n}" for n in at)
        body += [statement] if len(at) == len(steps) else [f"\\if {some}", statement, "\\endif"]
    made = _documents(large, small, draws)
    lengths = " + ".join(f"length({slot.name})" for slot in [*large, *small])
    only_made = f"WITH {made} SELECT {lengths} AS made FROM doc \\gset"
    return Script(
        tables=_tables(steps, small, large),
        text="\n".join([*begins, *body, ""]),
        nothing="\n".join([*begins, "SELECT 1 AS made \\gset", ""]),
        documents="\n".join([*begins, only_made, ""]),
        defines={"step": str(len(steps) - 1)},
    )


def _merged(steps: Sequence[Step]) -> list[str]:
    """Every statement, in the order in which the fullest step sends them."""
    fullest = [call.text for call in max(steps, key=lambda step: len(step.calls)).calls]
    for step in steps:
        rest = iter(fullest)
        if not all(call.text in rest for call in step.calls):
            raise ValueError("the steps send their statements in different orders: teach this script otherwise")
    return fullest


def _slots(text: str, steps: Sequence[Step], seqs: list[list[int]]) -> list[_Slot]:
    calls = [next((call for call in step.calls if call.text == text), None) for step in steps]
    name = NAMES.get(text, "own")
    first = next(call for call in calls if call is not None)
    return [
        _Slot(
            f"{name}_{n + 1}",
            n + 1,
            name == "write" or (isinstance(first.arguments[n], str) and name not in REPORTS),
            tuple(_form(call, n, seqs[at]) for at, call in enumerate(calls)),
        )
        for n in range(len(first.arguments))
    ]


def _form(call: Call | None, n: int, seqs: list[int]) -> Form | None:
    return None if call is None else form(as_text(call.arguments[n]), seqs)


# SQL --------------------------------------------------------------------------------------------------------------


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _formatted(form: Form | None) -> str:
    """A form as format() takes it, as a literal."""
    parts = (part.replace("%", "%%") if isinstance(part, str) else f"%{part + 1}$s" for part in form or ())
    return _literal("".join(parts))


def _filled(column: str, values: Iterable[str]) -> str:
    return f"format({column}, {', '.join(values)})"


def _tables(steps: Sequence[Step], small: Sequence[_Slot], large: Sequence[_Slot]) -> str:
    """Forms by step. Rows stay uncompressed and in one page where they can: looking them up is not what is measured."""
    nexts = [f"next_{slot.name}" for slot in small]
    columns = [slot.name for slot in large] + nexts
    lines = [
        f"CREATE TABLE life_begins (step int PRIMARY KEY, {', '.join(f'{slot.name} text' for slot in small)});",
        f"CREATE TABLE life (step int PRIMARY KEY, {', '.join(f'{name} text' for name in columns)})"
        " WITH (toast_tuple_target = 8160);",
        *(f"ALTER TABLE life ALTER {name} SET STORAGE MAIN;" for name in columns),
        f"INSERT INTO life_begins VALUES (0, {', '.join(_formatted(slot.forms[0]) for slot in small)});",
    ]
    for n in range(len(steps)):
        following = (n + 1) % len(steps)
        values = [_formatted(slot.forms[n]) for slot in large]
        values += [_formatted(slot.forms[following]) for slot in small]
        lines.append(f"INSERT INTO life VALUES ({n}, {', '.join(values)});")
    return "\n".join([*lines, "VACUUM (ANALYZE) life, life_begins;"])


def new_life(small: Sequence[_Slot], fixed: Mapping[str, str | None]) -> str:
    """Draw the ids of a life; `small` are the arguments of its first step, `fixed` those that are always the same."""
    drawn = [f"drawn.{name}" for name in LIFE]
    picked = [
        *drawn,
        *(f"{_filled(f'begins.{slot.name}', drawn)} AS {slot.name}" for slot in small),
        *(f"{_literal(value or '')} AS {name}" for name, value in fixed.items()),
    ]
    source = f"{_DRAWN}, life_begins AS begins" if small else _DRAWN
    return f"SELECT {', '.join(picked)} FROM {source} \\gset"


def _documents(large: Sequence[_Slot], small: Sequence[_Slot], draws: int) -> str:
    values = [*(f"born.{name}" for name in LIFE), *(f"drawn.seq{n}" for n in range(draws))]
    made = [f"{_filled(f'life.{slot.name}', values)} AS {slot.name}" for slot in large]
    made += [f"{_filled(f'life.next_{slot.name}', values[:FIRST_SEQ])} AS {slot.name}" for slot in small]
    born = ", ".join(f":{name}::text AS {name}" for name in LIFE)
    drawn = ", ".join(f"nextval('history_seq') AS seq{n}" for n in range(draws))
    source = f"life, (SELECT {born}) AS born, (SELECT {drawn}) AS drawn"
    return f"doc AS MATERIALIZED (SELECT {', '.join(made)} FROM {source} WHERE life.step = :step)"


def _statement(text: str, slots: Sequence[_Slot], large: Sequence[_Slot], small: Sequence[_Slot], draws: int) -> str:
    """The statement's own text, its parameters the client's variables or documents that are made in it."""
    by_position = {slot.position: slot for slot in slots}

    def argument(found: re.Match[str]) -> str:
        slot = by_position[int(found[1])]
        return f"(SELECT {slot.name} FROM doc)" if slot in large else f":{slot.name}"

    told = _PARAMETER.sub(argument, _COMMENT.sub("", text)).strip()
    if not any(slot in large for slot in slots):
        return f"{told};"
    head, found, tail = told.rpartition("\nSELECT ")
    if not told.startswith("WITH ") or not found or " FROM " not in tail:
        raise ValueError("the statement that takes documents is no WITH … SELECT: teach this script otherwise")
    picked, _, source = tail.partition(" FROM ")
    more = ", ".join(f"(SELECT {slot.name} FROM doc) AS {slot.name}" for slot in small)
    head = f"WITH {_documents(large, small, draws)}, {head.removeprefix('WITH ')}"
    return f"{head}\nSELECT {picked} AS taken, {more} FROM {source} \\gset"
