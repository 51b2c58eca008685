"""Turns: many small pieces of work never keep the loop from its sockets for long."""

from __future__ import annotations

import asyncio

from service.turns import AT_ONCE, Turns


async def test_a_round_of_the_loop_does_so_many_pieces_and_no_more_in_their_order():
    turns, done = Turns(), list[int]()
    for n in range(2 * AT_ONCE + 1):
        turns.give(done.append, n)
    assert len(done) == AT_ONCE
    await asyncio.sleep(0)
    assert len(done) == 2 * AT_ONCE
    await asyncio.sleep(0)
    assert done == list(range(2 * AT_ONCE + 1))


async def test_where_there_is_little_to_do_it_is_done_at_once():
    turns, done = Turns(), list[int]()
    for _ in range(3):
        turns.give(done.append, 1)
        assert done == [1]
        done.clear()
        await asyncio.sleep(0)


async def test_who_waits_for_a_turn_comes_after_those_before_and_may_go_away_meanwhile():
    turns, done = Turns(), list[str]()

    async def caller(name: str) -> None:
        await turns.mine()
        done.append(name)

    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(caller(str(n))) for n in range(2 * AT_ONCE)]
        await asyncio.sleep(0)
        assert done == [str(n) for n in range(AT_ONCE)]
        callers[-1].cancel()
    assert done == [str(n) for n in range(2 * AT_ONCE - 1)]
