"""Recorded statements are repeated with other ids; what else they hold must stay as it was."""

from typing import Any

import pytest

from tests.benchmarks.record import Call, Step, as_text, filled, form
from tests.benchmarks.script import script

V7, V4 = "01a20c34-00cd-709c-a123-14749cd4a345", "3997003d-0165-4655-a9e7-cf754f3ed609"
LIFE = ["01b00000-0001", "aaaaaaaa-bbbb", "cccccccccccc", "B-0009-0123456789abcdef", "customer-042"]
WRITE = "WITH a AS (INSERT INTO history SELECT $1::json)\nSELECT count(*) FROM a"


def test_every_id_of_a_life_is_a_hole() -> None:
    seqs: list[int] = []
    text = (
        f'[{{"id":"{V7}","command":"{V4}","ticket_id":"B-0000-414c343c1027c4d1","customer_id":"customer-015",'
        '"seq":27919,"body":"{\\"seq\\":27919}","hash":"' + "5" * 64 + '"}]'
    )
    holed = form(text, seqs)
    assert seqs == [27919]
    assert filled(holed, [*LIFE, "77"]) == (
        '[{"id":"01b00000-0001-709c-a123-cccccccccccc","command":"aaaaaaaa-bbbb-4655-a9e7-cf754f3ed609",'
        '"ticket_id":"B-0009-0123456789abcdef","customer_id":"customer-042",'
        '"seq":77,"body":"{\\"seq\\":77}","hash":"' + "5" * 64 + '"}]'
    )


def test_the_same_number_is_the_same_hole_in_every_document_of_a_step() -> None:
    seqs: list[int] = []
    form('"seq":10 "seq":11', seqs)
    assert filled(form('"seq":11', seqs), [*LIFE, "a", "b"]) == '"seq":b'
    assert seqs == [10, 11]


@pytest.mark.parametrize(
    ("argument", "text"),
    [(True, "true"), (5, "5"), ([], "{}"), (["a", 'b"\\'], '{"a","b\\"\\\\"}'), ('[{"a":1}]', '[{"a":1}]')],
)
def test_arguments_are_told_as_postgres_reads_them(argument: Any, text: str) -> None:
    assert as_text(argument) == text


def step(ticket: str, document: str, *, made: bool = False) -> Step:
    """One of a life, with or without the statement that only some steps send."""
    first = [Call("MAKE $1::text[]", [[ticket]])] if made else []
    calls = [Call("BEGIN", []), *first, Call("LOCK $1::text[] $2", [[ticket], 2]), Call(WRITE, [document])]
    return Step(True, [*calls, Call("COMMIT", [])])


def test_a_script_says_what_was_said_with_the_arguments_as_variables() -> None:
    said = script([step("B-0000-414c343c1027c4d1", '[{"a":"50%"}]', made=True), step("B-0000-414c343c1027c4d1", "[]")])
    lines = said.text.splitlines()
    assert lines[0] == "\\set step (:step + 1) % 2"
    assert lines[-1] == "COMMIT;"
    made = lines.index("MAKE :own_1::text[];")
    assert (lines[made - 1], lines[made + 1]) == ("\\if :step = 0", "\\endif")
    assert "a AS (INSERT INTO history SELECT (SELECT own_1 FROM doc)::json)" in said.text
    assert "50%%" in said.tables
    assert said.defines == {"step": "1"}


def test_steps_in_different_orders_are_not_guessed_at() -> None:
    turned = Step(True, list(reversed(step("t", "[1]").calls)))
    with pytest.raises(ValueError, match="different orders"):
        script([step("t", "[1]"), turned])
