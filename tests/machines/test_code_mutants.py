"""Changes of the code can be made, and leave no trace. What notices them is told by `./run mutants`."""

from __future__ import annotations

from tests.machines.code_mutants import code_mutants, code_of, found, mutated, tree_of

EVERY = list(code_mutants())


def test_every_change_makes_other_code_and_is_undone():
    for mutant in EVERY[::10]:
        function = found(mutant.module, mutant.function)
        before, same = function.__code__, code_of(tree_of(function), function)
        with mutated(mutant):
            changed = function.__code__
        assert function.__code__ is before
        assert (changed.co_code, changed.co_consts, changed.co_names) != (
            same.co_code,
            same.co_consts,
            same.co_names,
        ), mutant


def test_each_kind_of_change_is_among_them():
    told = {str(mutant) for mutant in EVERY}
    assert {
        "clock.fire: True for `ask.due_at > story.now`",
        "clock.fire: at the boundary of `ask.due_at > story.now`",
        "clock.fire: without `armed(e)[ask.kind] != ask.due_at`",
        "clock.fire: without `_keep_due(story, ask)`",
        "clock.fire: without 'next_update_by'",
        "world.World.absorb: without `self._ended.add(after.ticket_id)`",
        "offers._enter: without 'page_by'",
    } <= told
