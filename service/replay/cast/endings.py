"""How it ends: the document's four criteria, each with its evidence, and its five steps in their order."""

from __future__ import annotations

from random import Random

from service.replay.cast import words
from service.replay.cast.asking import contact
from service.replay.cast.members import DESK
from service.replay.cast.watched import EVIDENCE, Step, Turn, Watched, after, do, refused

# By which criterion -----------------------------------------------------------------------------------------------


def decide(w: Watched, rng: Random, authority: str, level: int = 1) -> Step:
    """The owner uses an authority that this level holds, and with it all above."""
    return do(w.owner, "act", authority=authority, detail=rng.choice(words.DECISIONS[level][authority]))


def issue_resolved(w: Watched) -> tuple[Step, ...]:
    """The ticket is solved: whoever owns it sees to it that the escalation ends."""
    return (do(w.owner, "de_escalate", criterion="issue_resolved"),)


def priority_lowered(w: Watched, rng: Random) -> tuple[Step, ...]:
    """The ticket became less urgent: the owner stands for that, and de-escalates by it."""
    ends = do(w.owner, "de_escalate", criterion="priority_lowered")
    if any(row["reason"] == "reprioritize_ticket" for row in w.log):
        return (ends,)
    tries = (_without_evidence(w, "priority_lowered"),) if rng.random() < 0.3 else ()
    return *tries, decide(w, rng, "reprioritize_ticket"), ends


def workaround_accepted(w: Watched, rng: Random) -> tuple[Step, ...]:
    """An approved workaround, and the customer who confirms it."""
    tries = (_without_evidence(w, "workaround_accepted"),) if rng.random() < 0.4 else ()
    return (
        *tries,
        decide(w, rng, "approve_standard_workaround"),
        do(w.owner, "update_customer", text="There is a way around it until the repair", workaround=words.WORKAROUND),
        contact(w, "portal", "Yes, that will do for now"),
        do(w.owner, "de_escalate", criterion="workaround_accepted", evidence=EVIDENCE),
    )


def request_withdrawn(w: Watched, rng: Random) -> tuple[Step, ...]:
    """The customer takes it back."""
    tries = (_without_evidence(w, "request_withdrawn"),) if rng.random() < 0.4 else ()
    ends = do(w.owner, "de_escalate", criterion="request_withdrawn", evidence=EVIDENCE)
    return *tries, contact(w, "reply", "Never mind, it was our own proxy"), ends


def all_dismissed(w: Watched) -> tuple[Step, ...]:
    """No situation is left: each was a false alarm, or is settled."""
    kinds = dict.fromkeys(s["situation"] for s in w.live["situations"])
    gone = (do(w.owner, "dismiss_situation", situation=kind, reason="Settled with the customer") for kind in kinds)
    return *gone, do(w.owner, "de_escalate", criterion="request_withdrawn")


def _without_evidence(w: Watched, criterion: str) -> Step:
    return refused(w.owner, 422, "criterion_evidenced", "de_escalate", criterion=criterion)


# The five steps ---------------------------------------------------------------------------------------------------


def wind_down(w: Watched) -> Turn | None:
    """The next of the steps; or back to the level, where the evidence is gone or the customer objects."""
    rng, steps, criterion = w.rng_now(), w.live["steps"], w.live["criterion"]
    at = max(w.since, w.event_at) if criterion == "priority_lowered" else w.since
    if criterion == "priority_lowered" and not w.lowered:
        return Turn(at + after(rng, 10, 60), (do(w.owner, "resume", reason="It is as urgent as it was"),))
    if "confirm_with_customer" not in steps:
        return Turn(w.since + after(rng, 30, 240), _confirms(w, rng))
    if "update_ticket" not in steps:
        if criterion in ("workaround_accepted", "request_withdrawn") and not w.heard:
            return None  # the help desk's next event is the proof
        step = do(w.owner, "complete_step", step="update_ticket", detail="Says what was done")
        return Turn(w.since + after(rng, 10, 60), (step,))
    if "document_lessons" not in steps:
        early = (refused(w.owner, 422, "steps_done", "close"),) if rng.random() < 0.2 else ()
        tag = rng.choice(tuple(words.LESSONS))
        lesson = do(w.owner, "complete_step", step="document_lessons", detail=words.LESSONS[tag], tags=[tag])
        return Turn(w.since + after(rng, 30, 600), (*early, lesson))
    machine = (refused(DESK, 403, None, "close"),) if rng.random() < 0.1 else ()
    return Turn(w.since + after(rng, 10, 60), (*machine, do(w.owner, "close")))


def _confirms(w: Watched, rng: Random) -> tuple[Step, ...]:
    criterion = w.live["criterion"]
    if criterion == "priority_lowered" and w.level > 1 and rng.random() < 0.6:
        brief = words.brief(rng, w.subject, "Less urgent than it was, and not over")
        same = refused(w.owner, 422, "level_falls", "step_down", level=w.level, brief=brief) if w.level < 4 else None
        down = do(w.owner, "step_down", level=rng.randrange(1, w.level), brief=brief)
        return (same, down) if same else (down,)
    if criterion == "issue_resolved" and rng.random() < 0.06:
        return (do(w.owner, "resume", reason=words.OBJECTION),)
    skipped = {"step": "document_lessons", "detail": "Nothing to learn"}
    early = (refused(w.owner, 422, "step_before_done", "complete_step", **skipped),) if rng.random() < 0.2 else ()
    reference = f"{w.sender or 'By phone'}: {rng.choice(words.CONFIRMED)}"
    return *early, do(w.owner, "complete_step", step="confirm_with_customer", detail=reference)
