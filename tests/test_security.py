"""SECURITY.md stays true: each test that it names is there, and it says something about each item of the standard."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECURITY = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", SECURITY)))
COMMANDS = sorted(set(re.findall(r"python -m (tests\.[\w.]+)", SECURITY)))
SECTIONS = {
    "V1": (2, 9, 11, 3, 2),
    "V2": (3, 3, 4, 1),
    "V3": (0, 2, 4, 6, 5, 0, 2),
    "V4": (3, 1, 2, 4),
    "V5": (1, 3, 2, 3),
    "V6": (3, 12, 4, 4, 5, 3, 0, 4),
    "V7": (3, 4, 2, 5, 2, 2),
    "V8": (2, 3, 1, 1),
    "V9": (3, 4),
    "V10": (2, 2, 4, 11, 5, 2, 3),
    "V11": (2, 3, 3, 4, 1, 1),
    "V12": (3, 2, 4),
    "V13": (1, 5, 2, 5),
    "V14": (2, 4, 3),
    "V15": (3, 3, 7),
    "V16": (1, 5, 4, 3, 3),
}
"""How many items of levels 1 and 2 each section of ASVS 5.0.0 has; they come first in it. V17 is about WebRTC."""


@cache
def _text(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


@pytest.mark.parametrize(("path", "test"), NAMED, ids=lambda part: part or "file")
def test_what_security_names_is_there(path: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test or 'test_'}", _text(path), re.MULTILINE)
    assert not test or re.search(rf"^(async )?def {test}\(", _text(path), re.MULTILINE)


@pytest.mark.parametrize("module", COMMANDS)
def test_each_command_that_security_names_is_one(module: str) -> None:
    assert "@app.default" in _text(f"{module.replace('.', '/')}.py")


def test_security_says_something_about_each_item_of_the_standard_once() -> None:
    told: list[tuple[int, int, int]] = []
    for row in re.findall(r"^\| (V\d[^|]*) \|", SECURITY, re.MULTILINE):
        for first, last in re.findall(r"(V[\d.]+)(?:–(V[\d.]+))?", row):
            told += _between(_parts(first), _parts(last or first))
    assert sorted(told) == sorted(set(told)), "an item stands twice"
    items = {(c, s, n) for c, sections in _sections() for s, many in sections for n in range(1, many + 1)}
    assert {item for item in told if item[0] != 17} == items


def _parts(item: str) -> tuple[int, int, int]:
    chapter, section, number = item[1:].split(".")
    return int(chapter), int(section), int(number)


def _sections() -> list[tuple[int, list[tuple[int, int]]]]:
    return [(int(chapter[1:]), list(enumerate(many, 1))) for chapter, many in SECTIONS.items()]


def _between(first: tuple[int, int, int], last: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    every = [(c, s, n) for c, sections in _sections() for s, many in sections for n in range(1, many + 1)]
    return [item for item in every if first <= item <= last] if first[0] != 17 else [first]
