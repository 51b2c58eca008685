"""Parsers are fed whatever they are not meant for: a few cases each; a hundred thousand:
`.venv/bin/python -m tests.chaos.parsers --seed 1 --cases 100000`.
"""

from __future__ import annotations

import pytest

from tests.service.attacks.parsing import PARSERS, feed


@pytest.mark.parametrize("name", PARSERS)
def test_whatever_comes_is_read_or_refused_and_soon(name: str) -> None:
    feed(name, 40)
