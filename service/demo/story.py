"""The story of one incident: it is reported change by change, and after each the cast does what stands to be done.

The story follows the state that was last answered, not a script, so that it goes on whatever the clock did meanwhile.
How a level is taken is in `levels.py`, how it ends in `endings.py`.
"""

from __future__ import annotations

from service.demo import endings, levels, words
from service.demo.cast import AUDITOR, DESK, at_level
from service.demo.incidents import Change
from service.demo.plan import Plan, draw
from service.demo.scene import Scene


async def play(scene: Scene) -> None:
    """From the first report to the last."""
    plan = draw(scene.incident, scene.rng)
    trail = scene.incident.trail
    asked = False
    for place, change in enumerate(trail):
        following = trail[place + 1] if place + 1 < len(trail) else None
        await scene.report(change)
        if not asked and not change.solved and plan.asks != "nobody" and _time_to_ask(scene, change, following):
            asked = True
            await _ask(scene, plan)
        if scene.state == "none":
            continue
        left = await (_solved(scene, plan, following) if change.solved else _unsolved(scene, plan, following))
        if left:
            return


def _time_to_ask(scene: Scene, change: Change, following: Change | None) -> bool:
    """A P1 is escalated once it is one; anything else at its first report, at the latest while still unsolved."""
    is_one = scene.incident.highest != "p1" or change.priority == "p1"
    return scene.state == "none" and (is_one or following is None or following.solved)


# Asking -----------------------------------------------------------------------------------------------------------


async def _ask(scene: Scene, plan: Plan) -> None:
    match plan.asks:
        case "call" | "account_manager":
            await scene.contact(plan.asks, "This can't wait: who else can look at it?")
        case "wrong_channel":
            await scene.contact("call", "I want your manager to look at this", refused=True)
            await scene.ask(scene.assignee, "customer_request", "They called: no line for their tier, the wish stands")
        case "desk":
            await scene.ask(DESK, "customer_request", "Ticked `escalate` in the customer's portal")
        case _:
            reason = scene.rng.choice(words.MANUAL[plan.reason])
            brief = words.brief(scene.rng, scene.subject, reason) if scene.chance(0.7) else None
            await scene.ask(scene.assignee, plan.reason, reason, brief)


# After a report ---------------------------------------------------------------------------------------------------


async def _unsolved(scene: Scene, plan: Plan, following: Change | None) -> bool:
    """The ticket goes on. True where the demo leaves it here."""
    if scene.state == "open":
        if plan.stays == "open":
            return True
        if plan.ends == "withdrawn_open" and (following is None or following.solved):
            await endings.withdraw(scene)
            return False
        if scene.incident.highest == "p0" and scene.chance(0.2):
            return False  # nobody engages it: the clock would, at `engage_by`, unless it is solved before
        await _engage(scene)
    if scene.offered_to and scene.state != "de_escalating":
        if plan.stays == "offered":
            return True
        await levels.take(scene)
    if plan.stays == "owned":
        return True
    await _go_on(scene, plan, following)
    return plan.stays == "de_escalating" and scene.state == "de_escalating"


async def _go_on(scene: Scene, plan: Plan, following: Change | None) -> None:
    """At a level with an owner, or on the way out."""
    if scene.state == "de_escalating":
        await endings.go_through(scene)
    elif await endings.priority_lowered(scene, following):
        return
    elif following is None or following.solved:
        match plan.ends:
            case "workaround_accepted":
                await endings.workaround_accepted(scene)
            case "request_withdrawn" | "dismissed" if plan.asks != "nobody":
                await endings.request_withdrawn(scene, by_dismissal=plan.ends == "dismissed")


async def _engage(scene: Scene) -> None:
    """An agent doesn't wait for the deadline."""
    agent, target = scene.owner, int(scene.live["target_level"])
    brief = words.brief(scene.rng, scene.subject, "The customer should not wait for our deadline")
    if target > 1 and scene.chance(0.3):
        await scene.refused(agent, 403, "opening_within_reach", "engage", level=target - 1, brief=brief)
    if scene.chance(0.15):
        blank = {**brief, "needed": " "}
        await scene.refused(agent, 422, "brief_complete", "engage", brief=blank)
    if scene.chance(0.1):
        await scene.refused(AUDITOR, 403, None, "note", text="I only wanted to say")
    await scene.do(agent, "engage", brief=brief)


async def _solved(scene: Scene, plan: Plan, following: Change | None) -> bool:
    """Whoever owns it sees to it that it ends; a customer may object. True where the demo leaves it here."""
    if scene.state == "open":
        # Solved before its newest situation began, so the clock did not withdraw it: it runs its course.
        await scene.do(scene.owner, "withdraw", criterion="issue_resolved")
        return False
    if scene.state != "de_escalating":
        await endings.issue_resolved(scene)
    if plan.stays == "de_escalating":
        return True
    if following is None:
        await endings.go_through(scene)
        if scene.chance(0.04):
            await _object(scene)
    return False


async def _object(scene: Scene) -> None:
    """The customer objects after closing: a new escalation, which names the one that it follows."""
    before = scene.live["id"]
    agent = scene.rng.choice(at_level(0))
    brief = words.brief(scene.rng, scene.subject, words.OBJECTION)
    await scene.ask(agent, "workaround_unacceptable", words.OBJECTION, brief)
    scene.expect(scene.live["follows"] == before, f"the new escalation follows {before}")
    await levels.take(scene)
    await endings.issue_resolved(scene)
    await endings.go_through(scene)
