"""How it ends: the document's four criteria, each with its evidence, and its five steps in their order."""

from __future__ import annotations

from service.demo import levels, words
from service.demo.cast import DESK, at_level
from service.demo.incidents import Change
from service.demo.scene import Scene

# By which criterion -----------------------------------------------------------------------------------------------


async def issue_resolved(scene: Scene) -> None:
    """The ticket is solved; the two steps that need no more than that are done at once."""
    await scene.do(scene.owner, "de_escalate", criterion="issue_resolved")
    await _first_steps(scene)


async def _objected(scene: Scene) -> None:
    """Before it is closed the customer says that it is not over: back to the level, then once more."""
    await scene.do(scene.owner, "resume", reason=words.OBJECTION)
    if scene.offered_to:
        await levels.take(scene)
    await issue_resolved(scene)


async def workaround_accepted(scene: Scene) -> None:
    """An approved workaround, and the customer who confirms it."""
    if scene.chance(0.4):
        await _without_evidence(scene, "workaround_accepted")
    await levels.decide(scene, "approve_standard_workaround")
    told = {"text": "There is a way around it until the repair", "workaround": words.WORKAROUND}
    await scene.do(scene.owner, "update_customer", **told)
    evidence = await scene.contact("portal", "Yes, that will do for now")
    await scene.do(scene.owner, "de_escalate", criterion="workaround_accepted", evidence=evidence)
    await _confirm(scene, f"Contact {evidence}")


async def request_withdrawn(scene: Scene, *, by_dismissal: bool) -> None:
    """The customer takes it back, or no situation is left."""
    if by_dismissal:
        for situation in dict.fromkeys(s["situation"] for s in scene.live["situations"]):
            await scene.do(scene.owner, "dismiss_situation", situation=situation, reason="Settled with the customer")
        await scene.do(scene.owner, "de_escalate", criterion="request_withdrawn")
        await _confirm(scene, "By phone, with their service desk")
        return
    if scene.chance(0.4):
        await _without_evidence(scene, "request_withdrawn")
    evidence = await scene.contact("reply", "Never mind, it was our own proxy")
    await scene.do(scene.owner, "de_escalate", criterion="request_withdrawn", evidence=evidence)
    await _confirm(scene, f"Contact {evidence}")


async def priority_lowered(scene: Scene, following: Change | None) -> bool:
    """The log says that the priority falls: whoever owns it decides so before, and it ends or steps down after.

    Answers whether this is how it goes on. The decision comes first; the lower priority arrives as a ticket event.
    """
    if scene.reprioritized is not None and scene.reprioritized < scene.priority:
        await _lowered(scene)
        return True
    if following is None or following.solved or following.priority <= scene.priority:
        return False
    await levels.decide(scene, "reprioritize_ticket")
    scene.reprioritized = scene.priority
    return True


async def _lowered(scene: Scene) -> None:
    """It is less urgent than it was: some step down, to a level that fits, the others end."""
    scene.reprioritized = None
    level = scene.level
    await scene.do(scene.owner, "de_escalate", criterion="priority_lowered")
    if level == 1 or scene.chance(0.3):
        await go_through(scene)
        return
    brief = words.brief(scene.rng, scene.subject, "Less urgent than it was, and not over")
    await scene.refused(scene.owner, 422, "level_falls", "step_down", level=level, brief=brief)
    await scene.do(scene.owner, "step_down", level=scene.rng.randrange(1, level), brief=brief)
    await levels.take(scene)


async def withdraw(scene: Scene) -> None:
    """It ends while open: no level was called."""
    agent = scene.owner
    lead = scene.rng.choice(at_level(1))
    evidence = await scene.contact("portal", "Found another way meanwhile")
    if scene.chance(0.5):
        fields = {"criterion": "workaround_accepted", "evidence": evidence}
        await scene.refused(agent, 403, "withdrawing_level", "withdraw", **fields)
        await scene.do(lead, "withdraw", **fields)
    else:
        await scene.do(agent, "withdraw", criterion="request_withdrawn", evidence=evidence)


async def _without_evidence(scene: Scene, criterion: str) -> None:
    await scene.refused(scene.owner, 422, "criterion_evidenced", "de_escalate", criterion=criterion)


# The five steps ---------------------------------------------------------------------------------------------------


async def _step(scene: Scene, step: str, detail: str, **more: object) -> None:
    if step not in scene.live["steps"]:
        await scene.do(scene.owner, "complete_step", step=step, detail=detail, **more)


async def _confirm(scene: Scene, reference: str) -> None:
    if "confirm_with_customer" in scene.live["steps"]:
        return
    if scene.chance(0.25):  # the lessons before the confirmation: a step skipped
        fields = {"step": "document_lessons", "detail": "Nothing to learn"}
        await scene.refused(scene.owner, 422, "step_before_done", "complete_step", **fields)
    await _step(scene, "confirm_with_customer", reference)


async def _first_steps(scene: Scene) -> None:
    await _confirm(scene, f"{scene.customer.contact}: {words.CONFIRMED[0]}")
    await _step(scene, "update_ticket", "Says what was done")


async def go_through(scene: Scene) -> None:
    """What is left of the steps, and the close. The chain is notified by itself, once the ticket is updated."""
    if scene.live["criterion"] == "issue_resolved" and scene.chance(0.12):
        await _objected(scene)
    if scene.chance(0.2):
        await scene.refused(scene.owner, 422, "steps_done", "close")
    await _first_steps(scene)
    scene.expect("notify_chain" in scene.live["steps"], "the chain is notified by itself once the ticket is updated")
    tag = scene.rng.choice(tuple(words.LESSONS))
    await _step(scene, "document_lessons", words.LESSONS[tag], tags=[tag])
    if scene.chance(0.1):
        await scene.refused(DESK, 403, None, "close")
    await scene.do(scene.owner, "close")
