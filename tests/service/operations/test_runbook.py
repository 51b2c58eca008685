"""The runbook can be believed: what it names is there, and every alert has its row."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from service.__main__ import app
from service.config import FIELDS
from service.routes import all_routes

ROOT = Path(__file__).parents[3]
ROOM = ROOT / "service" / "operations"
RUNBOOK = (ROOM / "runbook.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"(?<!\[)`([\w/]+\.py)(?:::(test_\w+))?`", RUNBOOK)))


@cache
def names_of(file: Path) -> set[str]:
    """The names of a file's tests."""
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_the_test_that_shows_a_claim_is_there(file: str, test: str):
    assert (ROOT / "tests" / file).is_file()
    assert not test or test in names_of(ROOT / "tests" / file)


def test_every_claim_has_one():
    claims = 0
    for table in re.findall(r"^\| (?:claim|of) \|[^\n]*shown by \|\n\|[-|]+\|\n((?:\|.*\n)+)", RUNBOOK, re.MULTILINE):
        for row in table.splitlines():
            assert re.search(r"\.py(::test_\w+)?`[^|]*\|$", row), row
            claims += 1
    assert claims >= 25
    assert len(NAMED) >= 30


def test_every_alert_says_what_to_do_and_there_is_no_other():
    alerts = [rule["alert"] for rule in yaml.safe_load((ROOM / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]]
    rows = re.findall(r"^\| `(Escalation\w+)` \| (.+?) \| (.+?) \|$", RUNBOOK, re.MULTILINE)
    assert [row[0] for row in rows] == alerts


def test_settings_commands_routes_and_files_that_it_names_are_there():
    settings = set(re.findall(r"`(?:ESCALATION_)?([A-Z]+(?:_[A-Z]+)*)[=`]", RUNBOOK)) | {
        name.removeprefix("ESCALATION_") for name in re.findall(r"ESCALATION_[A-Z_]+\b", RUNBOOK)
    }
    assert len(settings) > 15
    assert {name.lower() for name in settings} <= set(FIELDS)
    commands = set(re.findall(r"`(?:escalation-matrix )([a-z-]+)", RUNBOOK))
    assert commands >= {"migrate", "verify", "verify-history"}
    assert commands <= set(app.resolved_commands())
    paths = {route.path for route in all_routes()}
    named = {path.replace("ID", "{id}") for _, path in re.findall(r"`(GET|POST) (/[\w/-]+)", RUNBOOK)}
    assert named
    assert named <= paths
    assert [target for target in re.findall(r"\]\(([^)#:]+)\)", RUNBOOK) if not (ROOM / target).exists()] == []
