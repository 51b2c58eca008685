"""The README stays true: what it shows of the machine is the machine, and what it points at is there."""

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from machines.__main__ import markdown_table, render
from machines.messages import TEMPLATES, TOGETHER
from service.config import FIELDS
from service.inbound.slack import read
from tests.machines import told

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def _between(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", README, re.DOTALL)
    assert found, f"README.md lacks the part between <!-- {name} --> and <!-- /{name} -->"
    return found[1].strip()


def test_the_readmes_table_is_the_running_machines_table():
    assert _between("machine:table") == markdown_table().strip(), "run: ./run machine --format table"


def test_the_readmes_drawing_is_the_running_machines_drawing():
    drawing = f"```mermaid\n{render('mermaid').strip()}\n```"
    assert _between("machine:mermaid") == drawing, "run: ./run machine --format mermaid"


def test_the_readmes_messages_are_those_that_the_running_machine_plans():
    assert _between("machine:messages") == told.table(), "run: python -m tests.machines.told"


def test_and_they_are_all_that_there_are():
    entries = [*told.whole_life().entries, *(entry for _, entries in told.otherwise() for entry in entries)]
    assert {message.template for entry in entries for message in entry.messages} == TEMPLATES.keys() - {TOGETHER}


def test_in_a_whole_life_nobody_hears_the_same_transition_twice():
    for entry in told.whole_life().entries:
        heard = [(message.audience, message.to) for message in entry.messages]
        assert len(heard) == len(set(heard))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_what_the_readme_links_to_is_there(target: str):
    assert (ROOT / target).exists()


def test_every_setting_that_the_readme_names_is_one():
    named = set(re.findall(r"ESCALATION_([A-Z_]+)\b", README))
    assert len(named) > 10
    assert {name.lower() for name in named} <= set(FIELDS)


def test_what_the_readme_says_in_slack_is_understood():
    said = re.findall(r"^/escalate (.+)$", README, re.MULTILINE)
    assert len(said) == 4
    for text in said:
        told = read(urlencode({"user_id": "U1", "text": text}).encode())
        assert told is not None
        assert told.wish is not None, text


def test_the_readme_names_the_two_commands():
    assert "./run demo" in README
    assert "./run test" in README
