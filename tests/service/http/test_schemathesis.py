"""schemathesis over the whole document, in short: the same calls each time. A longer run, with a seed:
`.venv/bin/python -m tests.chaos.api --seed 1 --cases 2000`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from schemathesis import GenerationMode

from tests.service.http.conforming import CASES, Conforming
from tests.service.threaded import served

EXAMPLES = 6
CHAINS, STEPS = 6, 8


@pytest.fixture(scope="module")
def conforming(postgres_url: str, template: str) -> Iterator[Conforming]:
    with served(postgres_url, template) as town:
        yield Conforming(town)


@pytest.mark.parametrize(
    ("label", "mode"), [pytest.param(label, mode, id=f"{label} {mode.value}") for label, mode in CASES]
)
def test_the_document_tells_every_answer(conforming: Conforming, label: str, mode: GenerationMode) -> None:
    conforming.one_by_one(label, mode, EXAMPLES)


def test_so_it_does_where_one_answer_goes_into_the_next_call(conforming: Conforming) -> None:
    before = conforming.answers.total()
    conforming.chained(CHAINS, STEPS)
    assert conforming.findings == []
    assert conforming.answers.total() - before >= CHAINS * STEPS // 2
