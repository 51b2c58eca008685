"""A life walked through the pages alone: every button is one that the page showed to that person."""

from __future__ import annotations

from tests.service.conftest import BRIEF, Service
from tests.service.console.conftest import as_

WRITTEN = {f"brief__{name}": text for name, text in BRIEF.items()}


async def test_agent_lead_manager_and_director_walk_a_whole_life_through_the_pages(service: Service) -> None:
    ann, lee = await as_(service, "ann"), await as_(service, "lee")
    mia, dan = await as_(service, "mia"), await as_(service, "dan")
    # One manager, so that it is known whom it is offered to.
    (await service.call("root", "PUT", "/v1/people/mo", {"name": "mo", "level": 2, "on_duty": False})).ok()
    await service.ticket("T-1")
    await ann.get("/escalations/new?ticket=T-1")
    page = await ann.send("/escalations/new", situation="workaround_unacceptable", reason="No way round", **WRITTEN)
    e = ann.path.rpartition("/")[2]
    assert "Workaround unacceptable" in page.words
    assert f"/escalations/{e}/accept" not in page.forms  # not hers
    await ann.get("/")
    assert "T-1" in ann.page.words

    await lee.call(e, "accept")
    assert "Owner lee you" in lee.page.words
    await lee.call(e, "update_customer", text="We look at it")
    await lee.call(e, "escalate", reason="Beyond us", **WRITTEN)
    await mia.call(e, "accept")
    await mia.call(e, "act", authority="pull_engineers", detail="Two of them")
    await mia.call(e, "escalate", level="3", reason="A credit is needed", **WRITTEN)
    await dan.call(e, "decline", reason="I wrote half of it")
    assert "Declined" in dan.page.words or "L4" in dan.page.words
    vic = await as_(service, "vic")
    await vic.call(e, "accept")
    await vic.call(e, "reassign", 422, to="lee", reason="Too low")
    await service.ticket("T-1", status="solved", resolved_at="2026-01-06T09:00:00Z")
    await vic.call(e, "de_escalate", criterion="issue_resolved")
    await vic.call(e, "complete_step", detail="Mail of today")
    await vic.call(e, "complete_step")
    page = await vic.call(e, "complete_step", step="document_lessons", detail="Watch the pool", tags=["pattern"])
    assert "Watch the pool" in page.words
    page = await vic.call(e, "close")
    assert "It is closed" in page.words
    await ann.get("/")
    assert "Closed today 1" in ann.page.words
    told = (await service.call("aud", "GET", f"/v1/history?escalation_id={e}&limit=100")).ok()["items"]
    assert {"ann", "lee", "mia", "dan", "vic"} <= {row["actor"] for row in told}
