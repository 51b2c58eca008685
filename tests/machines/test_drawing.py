"""The table and the diagrams are made of the rules that run, and show all of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from machines.__main__ import FORMATS, markdown_table, render
from machines.escalation import RULES, moves
from machines.values import LEVELS

PROGRAM = Path(sys.executable).parent / "graphviz-pure"


def test_the_table_has_a_row_for_each_rule_with_its_guards_fields_and_who_may():
    head, rule, *rows = markdown_table().splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")] == [
        "trigger",
        "from → to",
        "who may",
        "guards",
        "fields",
    ]
    assert set(rule) == {"|", "-"}
    assert len({len(row) for row in (head, rule, *rows)}) == 1, "aligned"
    assert [row.split("`")[1] for row in rows] == list(RULES)
    for row, r in zip(rows, RULES.values(), strict=True):
        for guard in r.guards:
            if guard.relations:
                assert all(relation.phrase in row for relation in guard.relations)
            else:
                assert f"`{guard.name}`" in row
        for name in r.fields.__struct_fields__ if r.fields else ():
            assert f"`{name}`" in row or f"`{name}?`" in row


@pytest.mark.parametrize(
    ("trigger", "where"),
    [
        ("open", "→ open"),
        ("engage", "open → l1–l4"),
        ("escalate", "l1 → l2–l4; l2 → l3–l4; l3 → l4"),
        ("de_escalate", "l1–l4 → de_escalating"),
        ("step_down", "de_escalating → l1–l3"),
        ("repage", "stays in l4"),
        ("join", "stays in l1–l4, de_escalating"),
        ("note", "stays in open, l1–l4, de_escalating"),
    ],
)
def test_from_and_to_are_spelled_as_a_reader_would(trigger, where):
    row = next(row for row in markdown_table().splitlines() if f"`{trigger}`" in row[:24])
    assert row.split("|")[2].strip() == where


@pytest.mark.parametrize("format_", ["mermaid", "dot"])
def test_a_diagram_names_every_trigger_once_for_each_move_and_draws_no_loops(format_):
    drawn = render(format_)
    for trigger in RULES:
        assert re.search(rf"\b{trigger}\b", drawn), trigger
    arrow = "-->" if format_ == "mermaid" else "->"
    edges = [line.split(arrow) for line in drawn.splitlines() if arrow in line]
    ends = [(a.strip(), b.split()[0].strip(" :;")) for a, b in edges]
    assert all(a != b for a, b in ends)
    changing = {(s, d) for _, s, d in moves() if s != d}
    within = {(s, d) for s, d in changing if s in LEVELS and d in LEVELS}
    assert {(a, b) for a, b in ends if a in LEVELS and b in LEVELS} == within
    assert len(ends) < len(within) + 10


def test_mermaid_has_the_levels_in_one_state_and_loops_in_notes():
    drawn = render("mermaid")
    assert drawn.startswith("stateDiagram-v2\n")
    assert "state levels {" in drawn
    assert "open --> levels : engage" in drawn
    assert "de_escalating --> levels : resume, step_down" in drawn
    assert drawn.count("note right of") == drawn.count("end note") == 4


@pytest.mark.skipif(not PROGRAM.exists() and not shutil.which("graphviz-pure"), reason="graphviz-pure is not installed")
def test_the_svg_is_drawn_from_the_dot():
    drawn = render("svg")
    assert ElementTree.fromstring(drawn.partition("<svg")[1] + drawn.partition("<svg")[2]).tag
    assert "de_escalating" in drawn


def test_without_graphviz_pure_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr("machines.__main__.sys.executable", "/nowhere/python")
    monkeypatch.setattr("machines.__main__.shutil.which", lambda name: None)
    with pytest.raises(RuntimeError, match="pip install graphviz-pure"):
        render("svg")


def test_the_command_prints_what_render_says():
    run = subprocess.run(
        [sys.executable, "-m", "machines", "--format", "mermaid"], capture_output=True, text=True, check=True
    )
    assert run.stdout == render("mermaid")
    assert list(FORMATS) == ["table", "mermaid", "dot", "svg"]
