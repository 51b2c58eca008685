"""What the program and the schema both say, they say alike: rows and structs, words and CHECKs, moves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import asyncpg
import pytest
from msgspec import Struct

from machines import decided, escalation, values
from machines.history import Record
from machines.world import Principal
from service.rows import Answered


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the owner."""
    conn = await asyncpg.connect(database_url)
    yield conn
    await conn.close()


async def columns(db: asyncpg.Connection, table: str) -> dict[str, tuple[str, bool]]:
    """Name → (type, whether it may be null)."""
    rows = await db.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS type, NOT attnotnull AS nullable FROM pg_attribute"
        " WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped",
        table,
    )
    return {row["attname"]: (row["type"], row["nullable"]) for row in rows}


ROWS: list[tuple[type[Struct], str, set[str], set[str]]] = [
    (values.Customer, "customer", {"language"}, set()),
    (values.Person, "person", {"email", "slack", "windows", "left_at"}, {"held"}),
    (values.Ticket, "ticket", set(), set()),
    (values.Contact, "contact", {"by"}, set()),
    (values.Reported, "reported", set(), set()),
    (values.Escalation, "escalation", {"offered_to"}, set()),
    (decided.Said, "said", set(), set()),
    (Record, "history", {"move", "xid", "hash"}, {"trigger", "source"}),
    (Answered, "answered", set(), set()),
    (Principal, "principal", {"active", "created_at"}, {"key", "digest"}),
]
"""Struct, table, columns that only the table has, fields that only the struct has."""


@pytest.mark.parametrize(("struct", "table", "only_column", "only_field"), ROWS, ids=[row[1] for row in ROWS])
async def test_a_struct_has_the_names_of_its_table(
    db: asyncpg.Connection, struct: type[Struct], table: str, only_column: set[str], only_field: set[str]
):
    names = set(await columns(db, table))
    assert names - only_column == set(struct.__struct_fields__) - only_field
    assert only_column <= names
    assert only_field <= set(struct.__struct_fields__)


@pytest.mark.parametrize(("struct", "table", "only_column", "only_field"), ROWS, ids=[row[1] for row in ROWS])
async def test_and_their_types(
    db: asyncpg.Connection, struct: type[Struct], table: str, only_column: set[str], only_field: set[str]
):
    stored = await columns(db, table)
    wrong = []
    for name, hint in get_type_hints(struct).items():
        if name in only_field or not isinstance(stored.get(name), tuple):
            continue
        kind, nullable = stored[name]
        optional, wanted = _unwrapped(hint)
        if kind not in _columns_of(wanted):
            wrong.append(f"{name}: {hint} is stored as {kind}")
        if nullable and not optional:
            wrong.append(f"{name}: may be null, and {hint} may not be None")
    assert wrong == []


def _unwrapped(hint: Any) -> tuple[bool, Any]:
    if get_origin(hint) in (Union, UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        return len(kinds) < len(get_args(hint)), kinds[0]
    return False, hint


def _columns_of(kind: Any) -> tuple[str, ...]:
    origin = get_origin(kind)
    if origin is Literal or (isinstance(kind, type) and issubclass(kind, str)):
        return ("text", "uuid")
    if origin is tuple and get_args(kind)[0] is str:
        return ("text[]", "json")
    if origin is tuple and get_args(kind)[0] is int:
        return ("integer[]",)
    if kind is bool:
        return ("boolean",)
    if kind is int:
        return ("smallint", "integer", "bigint")
    if kind is datetime:
        return ("timestamp with time zone",)
    return ("json", "jsonb")


WORDS: list[tuple[str, str, set[str]]] = [
    ("escalation", "state_is_known", set(values.State)),
    ("timer", "kind_is_known", set(get_args(values.TimerKind))),
    ("contact", "channel_is_known", set(get_args(values.Channel))),
    ("contact", "author_is_known", set(get_args(values.Author))),
    ("ticket", "priority_is_known", set(get_args(values.Priority))),
    ("ticket", "status_is_known", set(get_args(values.Status))),
    ("customer", "tier_is_known", set(get_args(values.Tier))),
    ("principal", "role_is_known", set(get_args(values.Role)) - {values.CLOCK}),
    ("outbox", "audience_is_known", set(get_args(get_type_hints(decided.Message)["audience"]))),
]
"""Table, constraint, and the words that the program has for it."""


@pytest.mark.parametrize(("table", "constraint", "words"), WORDS, ids=[f"{row[0]}.{row[1]}" for row in WORDS])
async def test_the_words_of_a_check_are_the_programs(
    db: asyncpg.Connection, table: str, constraint: str, words: set[str]
):
    text = await db.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1::regclass AND conname = $2",
        table,
        constraint,
    )
    assert set(re.findall(r"'(\w+)'::text", text)) == words


async def test_the_levels_of_the_states_are_the_programs(db: asyncpg.Connection):
    text = await db.fetchval("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'level_fits_state'")
    told = {state: int(level) for state, level in re.findall(r"WHEN '(\w+)'::text THEN \(level = (\d)\)", text)}
    assert told == {str(state): n for n, state in enumerate((values.State.OPEN, *values.LEVELS))}


async def test_the_allowed_moves_are_the_machines(db: asyncpg.Connection):
    rows = await db.fetch("SELECT trigger, source, dest FROM allowed_move ORDER BY id")
    assert [tuple(row) for row in rows] == list(escalation.moves())
