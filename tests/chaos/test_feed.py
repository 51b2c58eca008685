"""A few rounds of the feed under writers that hold their commits; a hundred are started by hand."""

from pathlib import Path

from tests.chaos.feed import Round, feed


async def test_writers_hold_their_commits_and_a_reader_that_is_killed_hears_each_row_once(tmp_path: Path) -> None:
    told = await feed(Round(rounds=2, writers=16, kills=1, seed=1, longest=0.2), tmp_path)
    assert told.sound, told
    assert told.killed == 2
    assert told.overtaken, "no row was committed after one with a larger number: nothing was tried"
