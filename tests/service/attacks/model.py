"""A small model of one ticket and its escalation, written from `domain.md` alone: it knows none of the machine's code.

It answers what must be answered to a call, 201, 403, 409 or 422, and how the escalation stands after it. Time does not
pass in it. Where several people of a level could be offered a handoff it says who may be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LEVEL = {"ann": 0, "lee": 1, "mia": 2, "mo": 2, "dan": 3, "vic": 4}
"""The roster. Beside them `desk`, a service, `aud`, an auditor, and `root`, an admin."""
OFF_DUTY = ("mo",)
"""So that each level has one person to be offered a handoff, and the same calls lead to the same ways."""
ROW = {
    "customer_request": 2,
    "workaround_unacceptable": 1,
    "blocking_business_process": 2,
    "executive_visibility": 3,
    "regulatory_compliance": 4,
}
"""An enterprise's rows of the matrix; the first one waits, the others are called at once."""
HOLDS = {
    "reprioritize_ticket": 1,
    "approve_standard_workaround": 1,
    "pull_engineers": 2,
    "approve_service_credit": 3,
    "modify_contract": 4,
}
"""The lowest level that holds an authority."""
STEPS = ("confirm_with_customer", "update_ticket", "notify_chain", "document_lessons")
FROM = {
    "engage": ("open",),
    "withdraw": ("open",),
    "escalate": ("l1", "l2", "l3"),
    "de_escalate": ("l1", "l2", "l3", "l4"),
    "resume": ("de_escalating",),
    "step_down": ("de_escalating",),
    "close": ("de_escalating",),
    "brief": ("l1", "l2", "l3", "l4"),
    "accept": ("l1", "l2", "l3", "l4"),
    "decline": ("l1", "l2", "l3", "l4"),
    "reassign": ("l1", "l2", "l3", "l4"),
    "join": ("l1", "l2", "l3", "l4", "de_escalating"),
    "disengage": ("l1", "l2", "l3", "l4", "de_escalating"),
    "act": ("l1", "l2", "l3", "l4", "de_escalating"),
    "complete_step": ("de_escalating",),
    "update_customer": ("open", "l1", "l2", "l3", "l4", "de_escalating"),
    "dismiss_situation": ("open", "l1", "l2", "l3", "l4", "de_escalating"),
    "note": ("open", "l1", "l2", "l3", "l4", "de_escalating"),
}


@dataclass
class Model:
    """How the ticket and its escalation stand. `offered_to` may be several: one of them was offered it."""

    state: str = "none"
    level: int = 0
    owner: str | None = None
    engaged: set[str] = field(default_factory=set)
    pending: bool = False
    offered_to: set[str] = field(default_factory=set)
    brief_by: str | None = None
    brief_to: str | None = None
    accepted_here: bool = False
    declined: set[str] = field(default_factory=set)
    situations: dict[str, str] = field(default_factory=dict)
    criterion: str | None = None
    steps: list[str] = field(default_factory=list)
    acts: set[str] = field(default_factory=set)
    solved: bool = False
    lowered: bool = False
    said: bool = False
    reported: bool = False
    denials: int = 0

    # What is called -----------------------------------------------------------------------------------------------

    def call(self, who: str, trigger: str, fields: dict[str, Any]) -> int:
        """What must be answered; the model moves where it is 201."""
        status = self._judged(who, trigger, fields)
        if status == 201:
            getattr(self, f"_{trigger}")(who, fields)
        else:
            self.denials += 1
        return status

    def _judged(self, who: str, trigger: str, fields: dict[str, Any]) -> int:
        if self.state not in FROM.get(trigger, ()):
            return 409
        if not self._may(who, trigger, fields):
            return 403
        return 201 if self._in_order(who, trigger, fields) else 422

    def _may(self, who: str, trigger: str, fields: dict[str, Any]) -> bool:
        level = LEVEL.get(who, -1)
        person, owner, engaged, here = level >= 0, who == self.owner, who in self.engaged, level >= self.level
        match trigger:
            case "engage":
                return person and self._reach(level, self._target, fields.get("level") or self._target)
            case "withdraw":
                return person
            case "escalate":
                asked = fields.get("level") or self.level + 1
                rows = asked in {ROW[s] for s in self.situations}
                near = asked == self.level + 1 or rows or level >= asked - 1
                return person and (owner or engaged or level >= asked) and near
            case "de_escalate" | "step_down" | "close" | "reassign":
                return person and (owner or here)
            case "resume":
                return who == "desk" or (person and (owner or engaged or here))
            case "complete_step":
                return person and (owner or engaged or here)
            case "brief" | "update_customer":
                return owner or engaged
            case "accept":
                return who in self.offered_to and self.brief_by != who
            case "decline":
                return who in self.offered_to
            case "join":
                return owner or (fields.get("person", who) == who and level >= 1)
            case "disengage":
                return person and (owner or fields.get("person", who) == who)
            case "act":
                needs = HOLDS[fields["authority"]]
                return (owner or engaged) and level >= needs and self.level >= needs
            case "dismiss_situation":
                return owner or level >= 1 or self.situations.get(fields["situation"]) == who
            case _:
                return person or who == "desk"

    @property
    def _target(self) -> int:
        return max((ROW[s] for s in self.situations), default=1)

    def _reach(self, level: int, row: int, asked: int) -> bool:
        return asked == row or (asked > row and (asked == row + 1 or level >= asked - 1))

    def _in_order(self, who: str, trigger: str, fields: dict[str, Any]) -> bool:
        person = fields.get("person", who)
        match trigger:
            case "escalate":
                return (fields.get("level") or self.level + 1) > self.level and not self.pending
            case "de_escalate":
                answered = not self.pending or fields["criterion"] == "issue_resolved"
                return answered and self._evidenced(fields["criterion"])
            case "withdraw":
                return self._evidenced(fields["criterion"])
            case "step_down":
                return self.criterion == "priority_lowered" and fields["level"] < self.level
            case "close":
                return len(self.steps) == len(STEPS) and self._evidenced(self.criterion)
            case "brief":
                return self.pending and fields["to"] in self.offered_to
            case "accept":
                return self.pending and self.brief_to == who
            case "decline":
                return self.pending
            case "reassign":
                return LEVEL.get(fields["to"], -1) >= self.level and fields["to"] != self.owner
            case "join":
                return person not in self.engaged and person in LEVEL
            case "disengage":
                return person in self.engaged and person != self.owner
            case "complete_step":
                return self._step_in_order(fields["step"])
            case "dismiss_situation":
                return fields["situation"] in self.situations
            case _:
                return True

    def _evidenced(self, criterion: str | None) -> bool:
        match criterion:
            case "issue_resolved":
                return self.solved
            case "workaround_accepted":
                return "approve_standard_workaround" in self.acts and self.said
            case "priority_lowered":
                return "reprioritize_ticket" in self.acts and self.lowered
            case _:
                return self.said or not self.situations

    def _step_in_order(self, step: str) -> bool:
        before = STEPS[: STEPS.index(step)]
        if before and before[-1] not in self.steps:
            return False
        if step != "update_ticket":
            return True
        return {"issue_resolved": self.solved, "priority_lowered": self.lowered}.get(str(self.criterion), self.reported)

    # What comes of it ---------------------------------------------------------------------------------------------

    def opened(self, who: str, situation: str) -> None:
        """Somebody asks for an escalation where there is none."""
        self.__init__(solved=self.solved, denials=self.denials)  # type: ignore[misc]
        self.state, self.owner, self.engaged, self.situations = "open", who, {who}, {situation: who}
        if situation != "customer_request":
            self._enter(ROW[situation], who)

    def _enter(self, level: int, writer: str | None) -> None:
        self.level, self.to, self.clock_briefs = self._placed(level, writer)
        self.state, self.pending, self.offered_to = f"l{self.level}", True, self.to
        self.accepted_here = False
        self.brief_by = None if self.clock_briefs else writer

    def _placed(self, level: int, writer: str | None) -> tuple[int, set[str], bool]:
        """Where it stands, who may be offered it, and whether the clock writes the brief."""
        on_duty = {p: n for p, n in LEVEL.items() if p not in OFF_DUTY and n >= level}
        there = {p: n for p, n in on_duty.items() if not (n == level and p in self.declined)}
        passed_over = {self.owner, writer}
        for some in ({p for p in there if p not in passed_over}, {p for p in there if p in passed_over}):
            if some:
                lowest = min(there[p] for p in some)
                return lowest, {p for p in some if there[p] == lowest}, some <= passed_over
        return level, set(), False

    def offered(self, to: str | None) -> None:
        """Whom the offer reached, of those whom it may have."""
        self.offered_to = {to} if to else set()
        if self.pending:
            self.brief_to = to

    def _engage(self, who: str, fields: dict[str, Any]) -> None:
        self._enter(fields.get("level") or self._target, who)

    def _escalate(self, who: str, fields: dict[str, Any]) -> None:
        self.declined = set()
        self._enter(fields.get("level") or self.level + 1, who)

    def _withdraw(self, who: str, fields: dict[str, Any]) -> None:
        self.state, self.criterion = "closed", fields["criterion"]

    def _de_escalate(self, who: str, fields: dict[str, Any]) -> None:
        self.state, self.criterion, self.steps, self.pending = "de_escalating", fields["criterion"], [], False
        self.reported = False

    def _resume(self, who: str, fields: dict[str, Any]) -> None:
        self.state, self.criterion, self.steps = f"l{self.level}", None, []
        if not self.accepted_here:
            self.declined = set()
            self._enter(self.level, self.brief_by)

    def _step_down(self, who: str, fields: dict[str, Any]) -> None:
        self.criterion, self.steps, self.declined = None, [], set()
        self._enter(fields["level"], who)

    def _close(self, who: str, fields: dict[str, Any]) -> None:
        self.state = "closed"

    def _brief(self, who: str, fields: dict[str, Any]) -> None:
        self.brief_by, self.brief_to = who, fields["to"]

    def _accept(self, who: str, fields: dict[str, Any]) -> None:
        self.owner, self.pending, self.accepted_here = who, False, True
        self.engaged.add(who)

    def _decline(self, who: str, fields: dict[str, Any]) -> None:
        self.pending = False
        if not self.accepted_here:
            self.declined.add(who)
            self._enter(self.level, self.brief_by)

    def _reassign(self, who: str, fields: dict[str, Any]) -> None:
        self.pending, self.offered_to = True, {fields["to"]}
        if self.brief_by == fields["to"]:
            self.brief_by = None

    def _join(self, who: str, fields: dict[str, Any]) -> None:
        self.engaged.add(fields.get("person", who))

    def _disengage(self, who: str, fields: dict[str, Any]) -> None:
        self.engaged.discard(fields.get("person", who))

    def _act(self, who: str, fields: dict[str, Any]) -> None:
        self.acts.add(fields["authority"])

    def _complete_step(self, who: str, fields: dict[str, Any]) -> None:
        done = {fields["step"], *(("notify_chain",) if fields["step"] == "update_ticket" else ())}
        self.steps = [step for step in STEPS if step in self.steps or step in done]

    def _dismiss_situation(self, who: str, fields: dict[str, Any]) -> None:
        del self.situations[fields["situation"]]

    def _note(self, who: str, fields: dict[str, Any]) -> None:
        """Nothing that stands changes."""

    _update_customer = _note

    # What the help desk reports -----------------------------------------------------------------------------------

    def ticket(self, *, solved: bool, lowered: bool) -> None:
        """Facts of the ticket: solved or open again, and whether its priority is a lower one."""
        reopened = self.solved and not solved
        if solved and not self.solved and self.state == "open":
            self.state, self.criterion = "closed", "issue_resolved"
        self.solved, self.lowered, self.reported = solved, lowered, True
        if reopened and self.state == "de_escalating":
            self._resume("clock", {})
