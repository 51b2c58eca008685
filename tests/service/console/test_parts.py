"""What pages are made of: forms from the fields that the door checks, the drawing from the table, words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec import Struct

from machines import fields
from machines.escalation import RULES, moves
from service.console import drawing, forms, words
from service.door import fit

CALLABLE = {trigger: rule.fields for trigger, rule in RULES.items() if rule.fields is not None}
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def leaves(shown: tuple[forms.Field, ...]) -> list[str]:
    return [name for field in shown for name in (leaves(field.fields) if field.kind == "group" else [field.name])]


@pytest.mark.parametrize("trigger", CALLABLE)
def test_a_form_has_every_field_of_its_trigger(trigger: str) -> None:
    kind = CALLABLE[trigger]
    shown = forms.form(kind, {})
    assert {field.name for field in shown.fields} == set(kind.__struct_fields__)
    assert len(leaves(shown.fields)) == len(set(leaves(shown.fields)))


@pytest.mark.parametrize("trigger", CALLABLE)
def test_what_is_typed_into_it_is_what_the_door_takes(trigger: str) -> None:
    kind = CALLABLE[trigger]
    right = {
        "level": "2",
        "criterion": "issue_resolved",
        "step": "document_lessons",
        "tags": "pattern",
        "authority": "pull_engineers",
        "situation": "security_flag",
        "code": "technical_complexity",
    }
    names = leaves(forms.form(kind, {}).fields)
    typed = [(name, right.get(name, "Two\r\nlines")) for name in names]
    fitted, problems = fit(forms.value(kind, typed), kind)
    assert problems == ()
    assert isinstance(fitted, Struct)
    again = msgspec.to_builtins(fitted)
    assert "\r" not in str(again)


def test_a_blank_optional_brief_is_none_and_a_begun_one_is_wanted_whole() -> None:
    assert forms.value(fields.Engage, [("level", ""), ("brief.issue", " ")]) == {}
    begun = forms.value(fields.Engage, [("brief.issue", "Down")])
    assert {p.field for p in fit(begun, fields.Engage)[1]} == {"brief.reason", "brief.current_status", "brief.needed"}


def test_guards_that_are_shown_beside_a_field_are_guards_of_triggers_that_have_it() -> None:
    guards = {guard.name for rule in RULES.values() for guard in rule.guards}
    assert forms.BESIDE.keys() <= guards
    known = {name for kind in CALLABLE.values() for name in kind.__struct_fields__} | {"ticket_id"}
    assert set(forms.BESIDE.values()) <= known


def test_every_move_of_the_table_is_an_arc_and_no_other_is() -> None:
    for picture in drawing.draw("open", []):
        drawn = {(arc.source, arc.dest): set(arc.triggers) for arc in picture.arcs}
        changes = [(trigger, source, dest) for trigger, source, dest in moves() if source and source != dest]
        assert {(source, dest) for _, source, dest in changes} == drawn.keys()
        assert all(trigger in drawn[str(source), dest] for trigger, source, dest in changes)
        for node in picture.nodes:
            assert 0 < node.x < picture.width
            assert 0 < node.y < picture.height


def test_spans_and_names_are_said_as_people_say_them() -> None:
    assert words.spoken("de_escalating") == "De-escalating"
    assert words.spoken("p1_unresolved") == "P1 unresolved"
    assert words.spoken("sla_breach") == "SLA breach"
    assert words.span(timedelta(days=1, hours=2, minutes=3)) == "1 d 2 h"
    assert words.until(NOW - timedelta(minutes=5), NOW) == "5 min late"
    assert words.until(NOW + timedelta(seconds=40), NOW) == "in 40 s"
    assert words.iso_span("PT50H30M") == "50 h 30 min"
    assert words.instant(NOW, NOW) == "09:00"
    assert words.worded("technical_complexity") == "Technical complexity"
    assert words.worded("As it is_written") == "As it is_written"
