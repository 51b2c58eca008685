"""At a level: who takes it, what they decide, how it goes further up, and what they try without being allowed to."""

from __future__ import annotations

from service.demo import words
from service.demo.cast import AUDITOR, DESK, PEOPLE, at_level, level_of
from service.demo.scene import Scene

_FURTHER = {1: 0.35, 2: 0.3, 3: 0.25}
"""How often an owner takes it one level up."""


async def take(scene: Scene) -> None:
    """Somebody accepts; then the level does its work, which may lead to the next level."""
    await _answer(scene)
    await _work(scene)
    if scene.level < 4 and scene.chance(_FURTHER[scene.level]):
        await _further(scene)


# Who takes it -----------------------------------------------------------------------------------------------------


async def _answer(scene: Scene) -> None:
    """The handoff is accepted in the end, by whoever it is offered to by then."""
    if scene.chance(0.14):  # once, so that the level above is not used up by people who have no time
        await scene.do(scene.to, "decline", reason=scene.rng.choice(words.DECLINES))
    to = scene.to
    match scene.rng.choices(("accept", "brief", "own", "other", "early"), (65, 9, 7, 10, 9))[0]:
        case "brief" if scene.owner != to:
            await _brief(scene, to, scene.owner)
        case "own" if to not in scene.live["engaged"]:
            await _own_brief(scene, to)
        case "other":
            other = scene.rng.choice([person for person in at_level(scene.level) if person != to] or at_level(1))
            await scene.refused(other, 403, None, "accept")
        case "early" if scene.level < 4:  # what is due at once is overdue at once: L4 alone needs no waiting
            fields = {"reason": "Why wait", "brief": words.brief(scene.rng, scene.subject, "Why wait")}
            await scene.refused(scene.owner, 422, "handoff_settled", "escalate", **fields)
    await scene.do(to, "accept")


async def _brief(scene: Scene, to: str, writer: str) -> None:
    await scene.do(writer, "brief", to=to, **words.brief(scene.rng, scene.subject, "As said on the phone"))


async def _own_brief(scene: Scene, to: str) -> None:
    """Nobody both briefs and accepts the same handoff: somebody else has to write the brief again."""
    await scene.do(to, "join", reason="Looking in before I take it")
    await _brief(scene, to, to)
    await scene.refused(to, 403, "briefed_by_another", "accept")
    await _brief(scene, to, scene.owner)


# What they do -----------------------------------------------------------------------------------------------------


async def _work(scene: Scene) -> None:
    rng = scene.rng
    if scene.chance(0.5):
        workaround = {"workaround": words.WORKAROUND} if scene.chance(0.3) else {}
        await scene.do(scene.owner, "update_customer", text=rng.choice(words.UPDATES), **workaround)
    if scene.chance(0.3):
        await scene.do(rng.choice((scene.assignee, DESK)), "note", text=rng.choice(words.NOTES))
    if scene.chance(0.3):
        await _overreach(scene)
    if scene.chance(0.7):
        await decide(scene, rng.choice(tuple(words.DECISIONS[scene.level])), scene.level)
    if scene.chance(0.2):
        await _company(scene)
    if scene.chance(0.15):
        await _reassign(scene)
    if scene.chance(0.08):
        await scene.stale(scene.owner, "note", text="Written on a page that was opened before lunch")


async def decide(scene: Scene, authority: str, level: int = 1) -> None:
    """The owner uses an authority that this level holds, and with it all above."""
    detail = scene.rng.choice(words.DECISIONS[level][authority])
    await scene.do(scene.owner, "act", authority=authority, detail=detail)


async def _overreach(scene: Scene) -> None:
    """Things that somebody tries, and may not."""
    owner, level = scene.owner, scene.level
    match scene.rng.randrange(6):
        case 0:  # a lead approves a credit, also where the escalation stands high enough for it
            lead = await _engaged(scene, 1)
            credit = {"authority": "approve_service_credit", "detail": "Ten days of service credited"}
            await scene.refused(lead, 403, "actor_holds_authority", "act", **credit)
        case 1:  # a director changes a contract
            director = await _engaged(scene, 3)
            clause = {"authority": "modify_contract", "detail": "One month free, in writing"}
            await scene.refused(director, 403, "actor_holds_authority", "act", **clause)
        case 2:  # two levels at once
            if level_of(owner) == level and level < 3:
                fields = {"reason": "Straight to the top", "brief": words.brief(scene.rng, scene.subject, "Now")}
                if not any(s["level"] == 4 for s in scene.live["situations"]):
                    await scene.refused(owner, 403, "within_reach", "escalate", level=4, **fields)
        case 3:  # a name of the machine's inside
            await scene.refused(owner, 409, "move_exists", "to_closed")
        case 4:
            await scene.refused(owner, 422, "not_owner", "disengage")
        case _:
            await scene.refused(AUDITOR, 403, None, "dismiss_situation", situation="sla_breach", reason="Noise")


async def _engaged(scene: Scene, level: int) -> str:
    """Somebody of this level who is engaged, joining if need be."""
    for person in scene.live["engaged"]:
        if level_of(person) == level:
            return str(person)
    person = scene.rng.choice(at_level(level))
    await scene.do(person, "join", reason="Following this for my team")
    return person


async def _company(scene: Scene) -> None:
    """Somebody joins, and leaves again or stays."""
    guest = scene.rng.choice([p.id for p in PEOPLE if p.level and p.id not in scene.live["engaged"]])
    if scene.chance(0.5):
        await scene.do(scene.owner, "join", person=guest, reason="Knows this product best")
    else:
        await scene.do(guest, "join", reason="We had the same last month")
    if scene.chance(0.5):
        await scene.do(guest, "disengage")


async def _reassign(scene: Scene) -> None:
    """The owner passes it on within the level; unless that is accepted, the owner stays."""
    owner = scene.owner
    to = scene.rng.choice([person for person in at_level(scene.level) if person != owner])
    await scene.do(owner, "reassign", to=to, reason="My shift ends")
    if scene.chance(0.3):
        await scene.do(to, "decline", reason=scene.rng.choice(words.DECLINES))
        scene.expect(scene.owner == owner, "the owner stays where a reassign is declined")
    else:
        await scene.do(to, "accept")


# Further up -------------------------------------------------------------------------------------------------------


async def _further(scene: Scene) -> None:
    """The owner takes it to the next level, with a reason code of that level."""
    reason = scene.rng.choice(words.WHY_FURTHER)
    code = scene.rng.choice(words.FURTHER[scene.level + 1])
    fields = {"reason": reason, "code": code, "brief": words.brief(scene.rng, scene.subject, reason)}
    if scene.chance(0.1) and all(s["level"] <= scene.level for s in scene.live["situations"]):
        await scene.refused(DESK, 403, None, "escalate", **fields)
    await scene.do(scene.owner, "escalate", **fields)
    await take(scene)
