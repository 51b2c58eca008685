"""The product's rows by plain statements: how somebody would write them who commits one transaction at a time.

The engine's statements are made for sets of 64; for a lone command they are heavy, and pgbench repeating them
(`rows.py`) loses by that. So here the same recorded rows are written by what is light for one: each table's own
INSERT, UPDATE or DELETE, of rows that lie ready by step in tables of the very types of their columns, planned once a
client. Read before it are the ticket (for its lock), the key's principal and the escalation, and no other fact that
the product decides on. The same rows come of it, with the same constraints checked; ids alone are fresh, and what lies
within JSON and stored answers keeps the recorded ones.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

import sql

from .record import FIRST_SEQ, Form, Step, form
from .script import LIFE, Script, new_life

_TABLES = {
    "tickets": "ticket",
    "events": "ticket_event",
    "contacts": "contact",
    "said": "said",
    "history": "history",
    "escalations": "escalation",
    "timers": "timer",
    "timers_cleared": "timer",
    "outbox": "outbox",
    "denials": "denial",
    "answers": "answered",
}
"""Which table a document of `engine.write` is for, by its parameter's name."""
_ANSWERS = {
    "answerers": "principal_id",
    "answer_keys": "key",
    "fingerprints": "fingerprint",
    "statuses": "status",
    "bodies": "body",
    "etags": "etag",
    "answer_customers": "customer_id",
    "answered_at": "at",
}
"""Stored answers travel as an array for each column: by the parameter's name, the column."""
_KEPT = ("tickets", "escalations")
"""What is inserted once in a life, and updated from then on."""
_HEADING = re.compile(r"^-- name: write\(([\w, ]*)\)", re.MULTILINE)
_MOVES = "SELECT trigger, source, dest, id FROM allowed_move"
_COLUMNS = """
SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relname = ANY ($1::text[]) AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attgenerated = ''
"""
_LOCK = "SELECT id, revision, status, priority FROM ticket WHERE id = :ticket FOR UPDATE;"
_PRINCIPAL = """SELECT p.id, p.role, p.level, k.digest FROM api_key k JOIN principal p ON p.id = k.principal_id
WHERE k.id = (SELECT key FROM life_key WHERE step = :step) AND k.revoked_at IS NULL AND p.active;"""

Row = dict[str, Any]


async def plain(steps: Sequence[Step], url: str) -> Script:
    """The script of the life's rows, for the product's schema at this url."""
    connection = await asyncpg.connect(url)
    try:
        columns = await connection.fetch(_COLUMNS, sorted(set(_TABLES.values())))
        moves = {(row["trigger"], row["source"], row["dest"]): row["id"] for row in await connection.fetch(_MOVES)}
    finally:
        await connection.close()
    types: dict[str, dict[str, str]] = {}
    for row in columns:
        types.setdefault(row["table"], {})[row["column"]] = row["type"]

    found: dict[str, dict[int, list[Row]]] = {name: {} for name in _TABLES}
    for n, step in enumerate(steps):
        for name, rows in _documents(step).items():
            found[name][n] = [_moved(row, moves) for row in rows] if name == "history" else rows
    written = [_Written(name, by_step, types[_TABLES[name]]) for name, by_step in found.items() if by_step]
    kept = {each.name: each for each in written}
    (opened, *_), e = sorted(kept["escalations"].rows), kept["escalations"]
    read = f"SELECT * FROM escalation WHERE id = {e.expression('id')};"

    keys = ", ".join(f"({n}, {_literal(_key(step))})" for n, step in enumerate(steps))
    tables = ["CREATE TABLE life_key (step int PRIMARY KEY, key text)", f"INSERT INTO life_key VALUES {keys}"]
    body = [_LOCK, _PRINCIPAL, *_at(range(opened + 1, len(steps)), len(steps), read)]
    for each in written:
        tables += each.tables()
        body += [line for at, text in each.statements() for line in _at(at, len(steps), text)]
    text = ["\\set step (:step + 1) % " + str(len(steps)), "\\if :step = 0", new_life([], {}), "\\endif"]
    return Script(
        tables=";\n".join([*tables, f"VACUUM (ANALYZE) life_key, {', '.join(each.table for each in written)}"]),
        text="\n".join([*text, "BEGIN;", *body, "COMMIT;", ""]),
        defines={"step": str(len(steps) - 1)},
    )


class _Written:
    """What is written of one kind, by step."""

    def __init__(self, name: str, rows: Mapping[int, list[Row]], types: Mapping[str, str]) -> None:
        self.name, self.rows, self.table = name, rows, f"life_{name}"
        self.target = _TABLES[name]
        given = [row for found in rows.values() for row in found]
        self.types = {column: kind for column, kind in types.items() if column in given[0]}
        self.forms = {column: [self._form(column, row[column]) for row in given] for column in self.types}
        self.holed = {column for column, forms in self.forms.items() if any(_holed(each) for each in forms)}
        # Of what is updated: the columns that are not the same throughout.
        self.changing = [column for column in self.types if len({repr(row[column]) for row in given}) > 1]

    def _form(self, column: str, value: Any) -> Form | None:
        """What is inside JSON and stored answers keeps the recorded ids; a number of history is drawn."""
        if value is None:
            return None
        if column == "seq":
            return (FIRST_SEQ,)
        if self.types[column] in ("json", "jsonb"):
            return (msgspec.json.encode(value).decode(),)
        if isinstance(value, list):
            return ("{" + ",".join(map(str, value)) + "}",)
        return (str(value),) if column == "body" else form(str(value), [])

    def expression(self, column: str) -> str:
        """The value of a column, in the life that is being lived: from the row that lies ready, `l`."""
        if column not in self.holed:
            return f"l.{column}"
        forms = set(self.forms[column])
        only = next(iter(forms))
        if len(forms) > 1 or only is None:
            return f"format(l.{column}, {', '.join(f':{name}::text' for name in LIFE)})::{self.types[column]}"
        if only == (FIRST_SEQ,):
            return "nextval('history_seq')"
        parts = (_literal(part) if isinstance(part, str) else f":{LIFE[part]}::text" for part in only)
        return f"({' || '.join(parts)})::{self.types[column]}"

    def tables(self) -> list[str]:
        """The rows that lie ready. They stay uncompressed and in a page where they can."""
        columns = ", ".join(f"{name} {'text' if name in self.holed else kind}" for name, kind in self.types.items())
        made = [
            f"CREATE TABLE {self.table} (step int, n int, {columns}, PRIMARY KEY (step, n))"
            " WITH (toast_tuple_target = 8160)",
        ]
        values, at = [], 0
        for step, rows in self.rows.items():
            for n, _ in enumerate(rows):
                told = ", ".join(_stored(forms[at], column in self.holed) for column, forms in self.forms.items())
                values.append(f"({step}, {n}, {told})")
                at += 1
        # One at a time: a list of rows would have to agree on types that only the table knows.
        return made + [f"INSERT INTO {self.table} VALUES {each}" for each in values]

    def statements(self) -> list[tuple[Sequence[int], str]]:
        """What is sent, and at which steps."""
        steps = sorted(self.rows)
        if self.name == "timers_cleared":
            gone = f"t.ticket_id = {self.expression('ticket_id')} AND t.kind = {self.expression('kind')}"
            return [(steps, f"DELETE FROM timer t USING {self.table} l WHERE l.step = :step AND {gone};")]
        picked = ", ".join(self.expression(column) for column in self.types)
        source = f"FROM {self.table} l WHERE l.step = :step"
        insert = f"INSERT INTO {self.target} ({', '.join(self.types)})\nSELECT {picked}\n{source}"
        if self.name == "timers":
            return [(steps, f"{insert} ON CONFLICT (ticket_id, kind) DO UPDATE SET due_at = excluded.due_at;")]
        if self.name == "answers":
            return [(steps, f"{insert} ON CONFLICT DO NOTHING;")]
        if self.name not in _KEPT:
            return [(steps, f"{insert};")]
        sets = ", ".join(f"{column} = {self.expression(column)}" for column in self.changing)
        update = f"UPDATE {self.target} AS kept SET {sets}\n{source}"
        return [(steps[:1], f"{insert};"), (steps[1:], f"{update} AND kept.id = {self.expression('id')};")]


def _at(steps: Sequence[int], of: int, text: str) -> list[str]:
    """A statement that is sent at some steps."""
    if len(steps) == of:
        return [text]
    return ["\\if " + " or ".join(f":step = {n}" for n in steps), text, "\\endif"] if steps else []


def _holed(form: Form | None) -> bool:
    return form is not None and not all(isinstance(part, str) for part in form)


def _stored(form: Form | None, holed: bool) -> str:
    """A form as it lies ready: as format() takes it where ids go into it."""
    if form is None:
        return "NULL"
    parts = (part.replace("%", "%%") if holed else part for part in form if isinstance(part, str))
    if not holed:
        return _literal("".join(parts))
    return _literal("".join(next(parts) if isinstance(part, str) else f"%{part + 1}$s" for part in form))


def _moved(row: Row, moves: Mapping[tuple[str, str | None, str], int]) -> Row:
    trigger, source = row["trigger"], row["source"]
    return {**row, "move": moves[trigger, source, row["state"]]}


def _documents(step: Step) -> dict[str, list[Row]]:
    """The rows of a step by the parameter of `engine.write` in which they travelled."""
    heading = _HEADING.search((sql.ROOM / "queries" / "engine.sql").read_text("utf-8"))
    call = next(call for call in step.calls if call.text == sql.query("engine.write"))
    assert heading is not None
    told = dict(zip(heading[1].split(", "), call.arguments, strict=True))
    found = {name: msgspec.json.decode(rows) for name, rows in told.items() if name in _TABLES and rows != "[]"}
    columns = [column for name in _ANSWERS if isinstance(column := told[name], list)]
    answers = [dict(zip(_ANSWERS.values(), row, strict=True)) for row in zip(*columns, strict=True)]
    return {**found, "answers": answers} if answers else found


def _key(step: Step) -> str:
    call = next(call for call in step.calls if call.text == sql.query("engine.facts"))
    # facts(tickets, escalations, openings, keys, …)
    keys = call.arguments[3]
    assert isinstance(keys, list)
    return str(keys[0])


def _literal(text: str) -> str:
    """A constant, its colons hidden: pgbench would take what follows one for a variable."""
    hidden = text.replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3a")
    return f"E'{hidden}'"
