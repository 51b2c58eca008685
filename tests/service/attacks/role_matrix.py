"""Who may what: 8 roles × 7 states × every trigger × how one stands to the escalation. Written by hand from
`domain.md` ("States and triggers", "Authority", "Handoff", "De-escalation"), without a look at any guard.

A column is a state; `ending` and `lowered` are both `de_escalating`, from level 2, for `issue_resolved` and for
`priority_lowered`. A cell says who may, as the column "who may" of the document has it:

    .     the trigger does not exist from there: 409 for everybody
    -     nobody who stands so: 403
    2     people of level 2 or above; others 403
    0s    people of any level, and services
    2!    as 2, but whoever may is refused with 422, by the guard that `BUT` names

An auditor and an admin are no people and no services: to them every cell but `.` is 403.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ROLES = ("agent", "lead", "manager", "director", "executive", "service", "auditor", "admin")
LEVEL = {"agent": 0, "lead": 1, "manager": 2, "director": 3, "executive": 4}
STATES = ("open", "l1", "l2", "l3", "l4", "ending", "lowered", "closed")
NEVER = ("open", "add_situation", "repage", "remind", "rate", "move_policy", "to_closed", "to_l4", "reopen")
"""What only the service itself fires, and what there is not: 409 for everybody, everywhere."""

BUT = {"step_down": "priority_was_lowered", "join": "not_engaged"}

OWN = """
                                 open  l1  l2  l3  l4  ending  lowered  closed
engage                           0     .   .   .   .   .       .        .
withdraw                         0     .   .   .   .   .       .        .
escalate                         .     0   0   0   .   .       .        .
de_escalate                      .     0   0   0   0   .       .        .
resume                           .     .   .   .   .   0s      0s       .
step_down                        .     .   .   .   .   0!      0        .
close                            .     .   .   .   .   0       0        .
brief                            .     0   0   0   0   .       .        .
accept                           .     -   -   -   -   .       .        .
decline                          .     -   -   -   -   .       .        .
reassign                         .     0   0   0   0   .       .        .
join                             .     0   0   0   0   0       0        .
disengage                        .     0   0   0   0   0       0        .
act:reprioritize_ticket          .     1   1   1   1   1       1        .
act:assign_resources             .     1   1   1   1   1       1        .
act:approve_standard_workaround  .     1   1   1   1   1       1        .
act:pull_engineers               .     -   2   2   2   2       2        .
act:approve_emergency_deployment .     -   2   2   2   2       2        .
act:coordinate_teams             .     -   2   2   2   2       2        .
act:approve_service_credit       .     -   -   3   3   -       -        .
act:communicate_with_customer    .     -   -   3   3   -       -        .
act:engage_vendor                .     -   -   3   3   -       -        .
act:communicate_externally       .     -   -   -   4   -       -        .
act:modify_contract              .     -   -   -   4   -       -        .
complete_step                    .     .   .   .   .   0       0        .
update_customer                  0     0   0   0   0   0       0        .
dismiss_situation                0s    0s  0s  0s  0s  0s      0s       .
note                             0s    0s  0s  0s  0s  0s      0s       .
"""
"""Of whoever owns it: people opened it, or accepted it where it is `lowered`. `join` and `disengage` name another. A
service owns nothing by what it is: it reported the situation, and the ticket names it as its assignee."""

ENGAGED = """
                                 l1  l2  l3  l4  ending  lowered
engage                           .   .   .   .   .       .
withdraw                         .   .   .   .   .       .
escalate                         0   0   0   .   .       .
de_escalate                      1   2   3   4   .       .
resume                           .   .   .   .   0       0
step_down                        .   .   .   .   2!      2
close                            .   .   .   .   2       2
brief                            0   0   0   0   .       .
accept                           -   -   -   -   .       .
decline                          -   -   -   -   .       .
reassign                         1   2   3   4   .       .
join                             1!  1!  1!  1!  1!      1!
disengage                        0   0   0   0   0       0
act:reprioritize_ticket          1   1   1   1   1       1
act:pull_engineers               -   2   2   2   2       2
act:approve_service_credit       -   -   3   3   -       -
act:modify_contract              -   -   -   4   -       -
complete_step                    .   .   .   .   0       0
update_customer                  0   0   0   0   0       0
dismiss_situation                1   1   1   1   1       1
note                             0   0   0   0   0       0
"""
"""Of whoever joined it. `join` and `disengage` are for themselves."""

OFFERED = """
                                 l1  l2  l3  l4
engage                           .   .   .   .
withdraw                         .   .   .   .
escalate                         2   3   4   .
de_escalate                      1   2   3   4
resume                           .   .   .   .
step_down                        .   .   .   .
close                            .   .   .   .
brief                            -   -   -   -
accept                           1   2   3   4
decline                          1   2   3   4
reassign                         1   2   3   4
join                             1   1   1   1
disengage                        -   -   -   -
act:reprioritize_ticket          -   -   -   -
act:modify_contract              -   -   -   -
complete_step                    .   .   .   .
update_customer                  -   -   -   -
dismiss_situation                1   1   1   1
note                             0   0   0   0
"""
"""Of whoever it is offered to, briefed by another; `join` is for themselves, `disengage` names another."""

OTHER = """
                                 open  l1  l2  l3  l4  ending  lowered  closed
engage                           0     .   .   .   .   .       .        .
withdraw                         0     .   .   .   .   .       .        .
escalate                         .     2   3   4   .   .       .        .
de_escalate                      .     1   2   3   4   .       .        .
resume                           .     .   .   .   .   2s      2s       .
step_down                        .     .   .   .   .   2!      2        .
close                            .     .   .   .   .   2       2        .
brief                            .     -   -   -   -   .       .        .
accept                           .     -   -   -   -   .       .        .
decline                          .     -   -   -   -   .       .        .
reassign                         .     1   2   3   4   .       .        .
join                             .     1   1   1   1   1       1        .
disengage                        .     -   -   -   -   -       -        .
act:reprioritize_ticket          .     -   -   -   -   -       -        .
act:assign_resources             .     -   -   -   -   -       -        .
act:approve_standard_workaround  .     -   -   -   -   -       -        .
act:pull_engineers               .     -   -   -   -   -       -        .
act:approve_emergency_deployment .     -   -   -   -   -       -        .
act:coordinate_teams             .     -   -   -   -   -       -        .
act:approve_service_credit       .     -   -   -   -   -       -        .
act:communicate_with_customer    .     -   -   -   -   -       -        .
act:engage_vendor                .     -   -   -   -   -       -        .
act:communicate_externally       .     -   -   -   -   -       -        .
act:modify_contract              .     -   -   -   -   -       -        .
complete_step                    .     .   .   .   .   2       2        .
update_customer                  -     -   -   -   -   -       -        .
dismiss_situation                1     1   1   1   1   1       1        .
note                             0s    0s  0s  0s  0s  0s      0s       .
"""
"""Of whoever has nothing to do with it; `join` is for themselves, `disengage` names another."""

GRIDS = {"own": OWN, "engaged": ENGAGED, "offered": OFFERED, "other": OTHER}


@dataclass(frozen=True)
class Stand:
    """Somebody of this role, who stands so to an escalation in this state."""

    relation: str
    role: str
    state: str

    @property
    def level(self) -> int:
        """The level where the escalation stands: 2 where it is de-escalating, 0 while it is open."""
        return int(self.state[1]) if self.state in ("l1", "l2", "l3", "l4") else 0 if self.state == "open" else 2


@dataclass(frozen=True)
class Cell:
    """A trigger (`act:` with its authority) that is called there, what must be answered, and the guard of a 422."""

    stand: Stand
    trigger: str
    status: int
    guard: str | None = None

    @property
    def name(self) -> str:
        """The trigger alone."""
        return self.trigger.partition(":")[0]


def stands() -> Iterator[Stand]:
    """Every way to stand to an escalation that there is."""
    for role in ROLES:
        for state in STATES:
            yield Stand("other", role, state)
            # A level is accepted by people of it or above alone, and only then can a priority be lowered.
            if state != "lowered" or LEVEL.get(role, -1) >= 2:
                yield Stand("own", role, state)
            if role in LEVEL and state not in ("open", "closed"):
                yield Stand("engaged", role, state)
            if role in LEVEL and state in STATES[1:5] and LEVEL[role] >= int(state[1]):
                yield Stand("offered", role, state)


def cells(stand: Stand) -> Iterator[Cell]:
    """Every trigger, as somebody who stands so may call it."""
    head, *rows = GRIDS[stand.relation].strip().splitlines()
    column = head.split().index(stand.state)
    for row in rows:
        trigger, *words = row.split()
        assert len(words) == len(head.split()), row
        status = _expected(words[column], stand.role)
        yield Cell(stand, trigger, status, BUT[trigger] if status == 422 else None)
    for trigger in NEVER:
        yield Cell(stand, trigger, 409)


def _expected(word: str, role: str) -> int:
    if word == ".":
        return 409
    least = word.rstrip("s!")
    may = role in LEVEL and least != "-" and LEVEL[role] >= int(least)
    if not may and not (role == "service" and "s" in word):
        return 403
    return 422 if "!" in word else 201
