"""Random callers call whatever they like over HTTP, and a small pure model says what must be answered (`model.py`).

One sequence is one ticket of a customer of its own. After each call the service's escalation must stand as the model's,
and at the end history and denials must count as many rows as the model has seen.
"""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import uuid4

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.service.attacks.model import FROM, HOLDS, LEVEL, OFF_DUTY, ROW, STEPS, Model
from tests.service.conftest import BRIEF, FACTS
from tests.service.threaded import Town

PEOPLE = tuple(LEVEL)
CALLERS = (*PEOPLE, "desk", "aud", "root")
NOT_CALLED = ("to_closed", "remind", "repage", "open")
CRITERIA = ("issue_resolved", "workaround_accepted", "priority_lowered", "request_withdrawn")
BECAUSE = {"reason": "Because"}
people, levels = st.sampled_from(PEOPLE), st.sampled_from((None, None, 1, 2, 3, 4))
FIELDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "engage": st.builds(lambda level: {"level": level, "brief": BRIEF}, levels),
    "withdraw": st.builds(lambda criterion: {"criterion": criterion}, st.sampled_from(CRITERIA)),
    "escalate": st.builds(lambda level: {"level": level, "brief": BRIEF, **BECAUSE}, levels),
    "de_escalate": st.builds(lambda criterion: {"criterion": criterion}, st.sampled_from(CRITERIA)),
    "resume": st.just(BECAUSE),
    "step_down": st.builds(lambda level: {"level": level, "brief": BRIEF}, st.sampled_from((1, 2, 3))),
    "brief": st.builds(lambda to: {"to": to, **BRIEF}, people),
    "decline": st.just(BECAUSE),
    "reassign": st.builds(lambda to: {"to": to, **BECAUSE}, people),
    "join": st.builds(lambda person: BECAUSE | ({"person": person} if person else {}), st.none() | people),
    "disengage": st.builds(lambda person: {"person": person} if person else {}, st.none() | people),
    "act": st.builds(lambda authority: {"authority": authority, "detail": "Yes"}, st.sampled_from(tuple(HOLDS))),
    "complete_step": st.builds(lambda step: {"step": step, "detail": "Mail 7"}, st.sampled_from(STEPS)),
    "update_customer": st.just({"text": "We are on it"}),
    "dismiss_situation": st.builds(lambda s: {"situation": s, **BECAUSE}, st.sampled_from(tuple(ROW))),
    "note": st.just({"text": "Seen"}),
}


class Player(RuleBasedStateMachine):
    """One sequence. `town` is set before; `answers` and `moves` count what was answered, over all sequences."""

    town: ClassVar[Town]
    answers: ClassVar[Counter[int]] = Counter()
    moves: ClassVar[set[tuple[str, str, str]]] = set()
    sequences: ClassVar[int] = 0
    told: ClassVar[Callable[[int], None]] = staticmethod(lambda sequences: None)

    def __init__(self) -> None:
        super().__init__()
        Player.sequences += 1
        self.model, self.id, self.rows = Model(), "", 0
        self.ticket = f"P-{uuid4().hex}"
        self.contact: str | None = None
        self.line = http.client.HTTPConnection(urlsplit(self.town.base).netloc, timeout=60)
        customer = {"name": "Acme", "tier": "enterprise", "contacts": ["boss@acme.example"]}
        assert self.ask("root", "PUT", f"/v1/customers/{self.ticket}", customer)[0] == 200
        self.report()

    def ask(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """A request; its status and JSON."""
        headers = {"Authorization": f"Bearer {self.town.keys[who]}"}
        self.line.request(method, path, None if body is None else json.dumps(body), headers)
        told = self.line.getresponse()
        raw = told.read()
        Player.answers[told.status] += 1
        return told.status, json.loads(raw)

    # Rules ----------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.state in ("none", "closed"))
    @rule(who=people, situation=st.sampled_from(tuple(ROW)))
    def ask_for_one(self, who: str, situation: str) -> None:
        """Somebody asks for an escalation."""
        body = {"ticket_id": self.ticket, "situation": situation, "reason": "It can't wait", "brief": BRIEF}
        status, told = self.ask(who, "POST", "/v1/escalations", body)
        assert status == 201, told
        self.finish()
        self.id = told["escalation"]["id"]
        self.contact = None
        self.model.opened(who, situation)
        self.compare(told["escalation"])

    @rule(who=st.sampled_from(CALLERS), data=st.data())
    def call_what_there_is(self, who: str, data: st.DataObject) -> None:
        """Somebody calls a trigger that exists from here."""
        if self.id:
            there = [trigger for trigger, states in FROM.items() if self.model.state in states]
            self.call(who, data.draw(st.sampled_from(there or list(FROM))), data)

    @rule(who=st.sampled_from(CALLERS), trigger=st.sampled_from((*FROM, *NOT_CALLED)), data=st.data())
    def call_anything(self, who: str, trigger: str, data: st.DataObject) -> None:
        """Somebody calls any trigger at all."""
        if self.id:
            self.call(who, trigger, data)

    @precondition(lambda self: self.model.pending and self.model.offered_to)
    @rule(accepts=st.booleans(), data=st.data())
    def answer(self, accepts: bool, data: st.DataObject) -> None:
        """Whoever is offered it answers."""
        self.call(min(self.model.offered_to), "accept" if accepts else "decline", data)

    @precondition(lambda self: self.model.state == "de_escalating" and self.model.owner)
    @rule(data=st.data())
    def go_on_ending(self, data: st.DataObject) -> None:
        """The owner does the next step, or closes."""
        owner = str(self.model.owner)
        left = [step for step in STEPS if step not in self.model.steps]
        if left:
            self.transition(owner, "complete_step", {"step": left[0], "detail": "Mail 7"})
        else:
            self.transition(owner, "close", {})

    @rule(solved=st.booleans(), lowered=st.booleans())
    def report(self, solved: bool = False, lowered: bool = False) -> None:
        """The help desk reports the ticket."""
        facts = {"customer_id": self.ticket, "subject": self.ticket, "priority": "p3" if lowered else "p2"}
        facts |= {"status": "solved" if solved else "open"}
        status, told = self.ask("desk", "PUT", f"/v1/tickets/{self.ticket}", FACTS | facts)
        assert status == 200, told
        self.model.ticket(solved=solved, lowered=lowered)
        if self.id:
            self.compare(self.stands())

    @precondition(lambda self: self.id and self.contact is None and self.model.state != "closed")
    @rule()
    def customer_says_something(self) -> None:
        """A verified contact writes something that asks for nothing, once an escalation."""
        said = {"channel": "portal", "sender": "boss@acme.example", "author_role": "customer", "body": uuid4().hex}
        status, told = self.ask("desk", "POST", f"/v1/tickets/{self.ticket}/contacts", said)
        assert status == 201, told
        self.contact, self.model.said = told["contact"]["id"], True
        self.compare(self.stands())

    # What is compared -----------------------------------------------------------------------------------------------

    def call(self, who: str, trigger: str, data: st.DataObject) -> None:
        """A trigger with fields that are drawn."""
        fields = data.draw(FIELDS[trigger]) if trigger in FIELDS else {}
        self.transition(who, trigger, {name: value for name, value in fields.items() if value is not None})

    def transition(self, who: str, trigger: str, fields: dict[str, Any]) -> None:
        """A trigger is called, and everything after it is as the model says."""
        evidence = {"evidence": self.contact} if self.contact and "criterion" in fields else {}
        before = self.model.state
        wanted = self.model.call(who, trigger, fields)
        path = f"/v1/escalations/{self.id}/transitions"
        status, told = self.ask(who, "POST", path, {"trigger": trigger, **fields, **evidence})
        assert status == wanted, f"{who} calls {trigger} {fields}: {status}, not {wanted}: {told}"
        self.compare(told["escalation"] if status == 201 else self.stands())
        if status == 201:
            Player.moves.add((trigger, before, self.model.state))

    def stands(self) -> Any:
        """How it stands now."""
        return self.ask("aud", "GET", f"/v1/escalations/{self.id}")[1]

    def compare(self, e: Any) -> None:
        """It stands as the model's."""
        model, handoff = self.model, e["handoff"] or {"to": None, "status": None}
        if model.pending:
            assert handoff["to"] in model.offered_to or not (handoff["to"] or model.offered_to), (handoff, model)
        model.offered(handoff["to"])
        told = {
            "state": e["state"],
            "level": e["level"],
            "owner": e["owner"],
            "engaged": set(e["engaged"]),
            "situations": {s["situation"] for s in e["situations"]},
            "steps": set(e["steps"]),
            "criterion": e["criterion"],
            "pending": handoff["status"] in ("offered", "briefed"),
        }
        wanted = {
            "state": model.state,
            "level": model.level,
            "owner": model.owner,
            "engaged": model.engaged,
            "situations": set(model.situations),
            "steps": set(model.steps),
            "criterion": model.criterion,
            "pending": model.pending,
        }
        assert told == wanted
        self.rows = e["version"]

    def finish(self) -> None:
        """Each row is there once, and each refusal is one denial."""
        if self.id:
            rows = self.ask("aud", "GET", f"/v1/history?escalation_id={self.id}&limit=500")[1]["items"]
            assert [row["version"] for row in rows] == list(range(1, self.rows + 1))
            denials = self.ask("aud", "GET", f"/v1/denials?escalation_id={self.id}&limit=500")[1]["items"]
            assert len(denials) == self.model.denials
            self.model.denials = 0

    def teardown(self) -> None:
        self.finish()
        self.line.close()
        Player.told(Player.sequences)


def _settle(town: Town) -> None:
    line = http.client.HTTPConnection(urlsplit(town.base).netloc, timeout=60)
    for who in OFF_DUTY:
        person = {"name": who, "level": LEVEL[who], "on_duty": False}
        line.request("PUT", f"/v1/people/{who}", json.dumps(person), {"Authorization": f"Bearer {town.keys['root']}"})
        assert line.getresponse().status == 200
    line.close()


def play(
    town: Town,
    sequences: int,
    steps: int,
    seed: int | None = None,
    told: Callable[[int], None] = lambda sequences: None,
) -> None:
    """Play so many sequences of at most so many steps; raises for the first difference, made as small as it gets.

    `told` hears how many were played after each.
    """
    Player.town, Player.told = town, staticmethod(told)
    _settle(town)
    settings = hypothesis.settings(
        max_examples=sequences,
        stateful_step_count=steps,
        derandomize=seed is None,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    machine = type("Player", (Player,), {})
    if seed is not None:
        hypothesis.seed(seed)(machine)
    run_state_machine_as_test(machine, settings=settings)
