"""The loader: SQL by name, and words for what is wrong with a file."""

from pathlib import Path

import pytest

import sql

BY_TICKET = """-- Escalations.

-- name: by_ticket(ticket_ids, now)
-- Those of these tickets.
SELECT '$9' FROM escalation WHERE ticket_id = ANY ($1) AND opened_at <= $2; -- not $3

-- name: all()
SELECT 1
"""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty room in place of the real one."""
    (tmp_path / "queries").mkdir()
    (tmp_path / "reports").mkdir()
    monkeypatch.setattr(sql, "ROOM", tmp_path)
    return tmp_path


def test_a_query_is_the_text_below_its_name(room: Path) -> None:
    (room / "queries/escalation.sql").write_text(BY_TICKET)
    assert sql.query("escalation.all") == "SELECT 1"
    assert "ANY ($1)" in sql.query("escalation.by_ticket")
    assert set(sql.queries()) == {"escalation.by_ticket", "escalation.all"}


def test_a_missing_query_is_answered_with_those_that_there_are(room: Path) -> None:
    (room / "queries/escalation.sql").write_text(BY_TICKET)
    with pytest.raises(KeyError, match=r"no query 'by_tickets' .* \['all', 'by_ticket'\]"):
        sql.query("escalation.by_tickets")
    with pytest.raises(KeyError, match=r"there is no queries/tickets\.sql"):
        sql.query("tickets.all")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- name: a()\nSELECT 1\n-- name: a()\nSELECT 2", "two queries are named a"),
        ("-- name: a\nSELECT 1", "is not name"),
        ("SELECT 1\n-- name: a()\nSELECT 1", "SQL before the first"),
        ("-- name: a()\n-- nothing", "has no SQL"),
        ("-- name: a(x)\nSELECT 1", r"declares 1 parameters, but uses \[\]"),
        ("-- name: a(x)\nSELECT $1, $2", r"declares 1 parameters, but uses \[1, 2\]"),
        ("-- name: a(x, y)\nSELECT $2", r"declares 2 parameters, but uses \[2\]"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_words(room: Path, text: str, complaint: str) -> None:
    (room / "queries/noun.sql").write_text(text)
    with pytest.raises(ValueError, match=rf"queries/noun\.sql.*{complaint}"):
        sql.query("noun.a")


def test_a_report_is_one_block_named_as_its_file(room: Path) -> None:
    (room / "reports/rate.sql").write_text("-- name: rate(since, until)\n-- What it is.\nSELECT $1, $2")
    assert sql.report("rate").parameters == ("since", "until")
    assert sql.report("rate").text.endswith("SELECT $1, $2")
    assert set(sql.reports()) == {"rate"}
    with pytest.raises(KeyError, match=r"there is no reports/rates\.sql"):
        sql.report("rates")
    (room / "reports/two.sql").write_text("-- name: two()\nSELECT 2\n-- name: three()\nSELECT 3")
    with pytest.raises(ValueError, match=r"reports/two\.sql holds \['three', 'two'\]"):
        sql.report("two")


def test_migrations_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "0002_more.sql").write_text("SELECT 2")
    (tmp_path / "0001_begin.sql").write_text("SELECT 1")
    assert sql.migrations(tmp_path) == [(1, "begin", "SELECT 1"), (2, "more", "SELECT 2")]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("0001_again.sql", "number 0001 is taken by again"), ("1_x.sql", "is named NNNN_what")],
)
def test_a_migration_has_a_number_of_its_own(tmp_path: Path, name: str, complaint: str) -> None:
    for each in ("0001_begin.sql", name):
        (tmp_path / each).write_text("SELECT 1")
    with pytest.raises(ValueError, match=complaint):
        sql.migrations(tmp_path)


def test_every_query_file_of_this_program_can_be_read() -> None:
    assert "migrate.try_lock" in sql.queries()
