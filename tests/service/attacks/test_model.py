"""A few sequences of whatever callers like, held against a small model that was written from the document alone; ten
thousand: `.venv/bin/python -m tests.chaos.model --seed 1 --sequences 10000`.
"""

from __future__ import annotations

from tests.service.attacks.playing import Player, play
from tests.service.threaded import served


def test_whatever_callers_like_is_answered_as_the_model_says(postgres_url: str, template: str) -> None:
    with served(postgres_url, template) as town:
        play(town, sequences=12, steps=30)
    assert Player.answers.keys() == {200, 201, 403, 409, 422}
    assert len({trigger for trigger, _, _ in Player.moves}) >= 5, "something was carried out, and not only refused"
