"""A ticket-event file: what is one, and what is said of what isn't, by the number of its line."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from service.replay import lines
from service.replay.lines import FileError

AT = "2026-01-05T09:00:00Z"
FACTS = {"customer_id": "acme", "priority": "p2", "status": "open", "subject": "x", "opened_at": AT}
CUSTOMER = {"name": "Acme", "tier": "enterprise"}


def written(path: Path, *events: object) -> Path:
    """A file of these lines; text stands as it is."""
    path.write_bytes(b"".join((e.encode() if isinstance(e, str) else msgspec.json.encode(e)) + b"\n" for e in events))
    return path


def test_all_kinds_are_read_with_the_number_of_their_line(tmp_path: Path):
    said = {"channel": "portal", "sender": "a@acme.example", "author_role": "customer"}
    person = {"name": "Mia", "level": 2, "on_duty": True}
    file = written(
        tmp_path / "events.ndjson",
        {"at": AT, "customer": "acme", "facts": CUSTOMER},
        "",
        {"at": AT, "person": "mia", "facts": person},
        {"at": "2026-01-05T10:00:00+01:00", "ticket": "T-1", "facts": FACTS},
        {"at": "2026-01-05T09:00:01Z", "ticket": "T-1", "contact": said},
    )
    first, last = datetime(2026, 1, 5, 9, tzinfo=UTC), datetime(2026, 1, 5, 9, 0, 1, tzinfo=UTC)
    assert lines.check(file) == (4, first, last)
    read = list(lines.read(file))
    assert [(e.line, e.kind, e.id) for e in read] == [
        (1, "customer", "acme"),
        (3, "person", "mia"),
        (4, "ticket", "T-1"),
        (5, "contact", "T-1"),
    ]
    assert read[2].at == first
    assert read[3].body == said
    assert [e.line for e in lines.read(file, 4)] == [4, 5]


def test_what_is_written_is_what_is_read_packed_too(tmp_path: Path):
    file = tmp_path / "events.ndjson.gz"
    at = datetime(2026, 1, 5, 9, tzinfo=UTC)
    file.write_bytes(gzip.compress(lines.write(at, "ticket", "T-1", {**FACTS, "opened_at": at})))
    (event,) = lines.read(file)
    assert (event.at, event.kind, event.id, event.body) == (at, "ticket", "T-1", FACTS)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2:"),
        ('{"at": "2026-01-05T09:00:00", "ticket": "T-1", "facts": {}}', "line 2:"),
        ({"at": "yesterday", "ticket": "T-1", "facts": FACTS}, "line 2:"),
        ({"ticket": "T-1", "facts": FACTS}, "`at`"),
        ({"at": AT, "facts": FACTS}, "about one thing"),
        ({"at": AT, "ticket": "T-1", "person": "mia", "facts": FACTS}, "about one thing"),
        ({"at": AT, "ticket": "T-1"}, "must have `facts`"),
        ({"at": AT, "customer": "acme", "contact": {}}, "must have `facts`"),
        ({"at": AT, "ticket": "T-1", "facts": FACTS, "contact": {}}, "not both"),
        ({"at": AT, "ticket": "T-1", "facts": FACTS, "more": 1}, "more"),
        ({"at": AT, "ticket": "T-1", "facts": {**FACTS, "priority": "p9"}}, "facts.priority"),
        ({"at": AT, "ticket": "T-1", "facts": {**FACTS, "state": "l4"}}, "facts.state"),
        ({"at": AT, "ticket": "T-1", "contact": {"channel": "fax"}}, "contact.channel"),
        ({"at": "2026-01-05T08:59:59Z", "ticket": "T-1", "facts": FACTS}, "before the event of the line before"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_what_is_wrong(tmp_path: Path, line: object, told: str):
    file = written(tmp_path / "events.ndjson", {"at": AT, "customer": "acme", "facts": CUSTOMER}, line)
    with pytest.raises(FileError) as error:
        lines.check(file)
    assert "line 2: " in str(error.value)
    assert told in str(error.value)


def test_every_bad_line_is_told_but_no_more_than_one_can_read(tmp_path: Path):
    file = written(tmp_path / "events.ndjson", *["{}"] * 50)
    with pytest.raises(FileError) as error:
        lines.check(file)
    assert "line 1: " in str(error.value)
    assert "line 20: " in str(error.value)
    assert "and 30 more" in str(error.value)


def test_a_file_of_nothing_is_told_so(tmp_path: Path):
    with pytest.raises(FileError, match="no event"):
        lines.check(written(tmp_path / "events.ndjson", "", ""))
