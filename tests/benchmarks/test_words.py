"""The policy's words beat plain lists on texts that others labelled, and stay silent where nothing is the matter."""

from __future__ import annotations

import pytest
from rich.console import Console

from . import words

real = pytest.mark.skipif(bool(words.missing()), reason=f"no {words.DATA}: the labelled texts are not here")


@pytest.fixture(scope="module")
def counts() -> dict[tuple[str, str], words.Count]:
    return {(each.name, each.set): each for each in words.count()}


@real
def test_the_security_words_beat_the_plain_lists(counts):
    told, narrow, wide = (counts[name, "both"] for name in ("security_flag", "plain, narrow", "plain, wide"))
    assert told.precision > max(0.31, narrow.precision, wide.precision)
    assert told.recall > max(0.32, narrow.recall)


@real
def test_no_list_speaks_in_a_conversation_about_something_else(counts):
    assert {each.wrong for (_, of), each in counts.items() if of == "conversations"} == {0}


@real
def test_the_table_and_the_json_show_every_list_and_set(counts, tmp_path):
    console = Console(width=160, record=True)
    assert words.run(console, tmp_path / "words.json") == 0
    assert {of for _, of in counts} == {"ambari", "camel", "both", "conversations"}
    assert "security-subject-en" in console.export_text()
    assert (tmp_path / "words.json").read_bytes().count(b'"precision"') == len(counts)


def test_without_the_data_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(words, "DATA", tmp_path)
    console = Console(width=160, record=True)
    assert words.run(console, tmp_path / "words.json") == 0
    assert "skipped" in console.export_text()
    assert not (tmp_path / "words.json").exists()
