"""What differs between two versions of a policy."""

from __future__ import annotations

from machines import matrix
from machines.difference import Difference, differences
from tests.machines.cast import POLICY

TEXT = matrix.default_text()


def against(*changes: tuple[str, str]) -> list[Difference]:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return list(differences(POLICY.document, matrix.parse(text).document))


def test_the_same_policy_differs_in_nothing() -> None:
    assert against() == []


def test_a_changed_cell_is_told_by_its_path_with_both_values() -> None:
    row, also = (
        'professional = { level = 2, within = "PT1H"',
        ', origin = "document" }\nstarter = { level = 1, within = "PT2H"',
    )
    other = 'professional = { level = 3, within = "PT30M"'
    assert against((row + also, other + also)) == [
        Difference("matrix.p0_outage.professional.level", 2, 3),
        Difference("matrix.p0_outage.professional.within", "PT3600S", "PT1800S"),
    ]


def test_of_a_list_only_what_is_gone_and_what_is_new_is_told() -> None:
    found = against(('codes = ["technical_complexity", "resource_needs"]', 'codes = ["technical_complexity", "tools"]'))
    assert found == [Difference("levels.2.codes", ["resource_needs"], ["tools"])]
    found = against(('["technical_complexity", "resource_needs"]', '["resource_needs", "technical_complexity"]'))
    assert [len(each.before) for each in found] == [2]


def test_a_word_list_is_known_by_its_name_wherever_it_stands() -> None:
    found = against(('    ["cve"],\n', ""))
    assert found == [Difference("words.security-en.words", [["cve"]], [])]
