"""A few instants of a replayed day; 500, and a month, are asked for by hand."""

from pathlib import Path

from tests.chaos.as_of import LISTS, Seen, as_of
from tests.service.replay.test_replay import day


async def test_as_of_a_random_instant_of_a_replay_is_what_was_answered_then(database_url: str, tmp_path: Path) -> None:
    seen = await as_of(day(tmp_path / "day.ndjson"), Seen(instants=20, seed=3), database_url)
    assert seen.sound, seen.different
    assert (seen.lists, len(seen.different)) == (20 * len(LISTS), 0)
    assert seen.singles
    assert len(seen.states) > 2, "they stood in several ways at those instants"
