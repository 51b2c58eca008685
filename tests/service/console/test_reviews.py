"""The page of a week's review: what it shows, what may be written there, and that it says why where it may not."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from service.console import charts
from service.reviews import weeks
from tests.service.conftest import Service
from tests.service.console.conftest import as_

pytestmark = pytest.mark.asyncio(loop_scope="module")
THIS = str(weeks.of(datetime.now(UTC)))
LAST = str(weeks.of(datetime.now(UTC)).after(-1))


async def test_the_navigation_leads_to_the_weeks_and_from_there_to_each(shared_service: Service) -> None:
    await shared_service.opened("R-1")
    browser = await as_(shared_service, "aud")
    assert "/reviews" in browser.page.links
    page = await browser.get("/reviews")
    assert f"/reviews/{THIS}" in page.links
    assert f"/reviews/{LAST}" in page.links
    page = await browser.get(f"/reviews/{THIS}")
    for said in ("Escalation rate by tier", "Levels that answered in time", "Patterns", "Training needs", "Sign-off"):
        assert said in page.words
    assert "R-1" in page.words
    await browser.get("/reviews/2026-W54", 404)


async def test_its_charts_are_drawn_without_a_style_or_a_script(shared_service: Service) -> None:
    page = await (await as_(shared_service, "aud")).get(f"/reviews/{THIS}")
    assert page.tags.count("svg") > 10
    assert "style" not in page.attributes
    assert not any(name.startswith("on") for name in page.attributes)
    assert page.tags.count("script") == 1


async def test_a_lead_marks_and_writes_and_a_manager_signs(shared_service: Service) -> None:
    e = await shared_service.opened("R-2")
    lead = await as_(shared_service, "lee")
    await lead.get(f"/reviews/{THIS}")
    page = await lead.send(f"/reviews/{THIS}/escalations", escalation_ids=[e])
    assert "Marked as reviewed." in page.words
    assert "reviewed lee" in page.words
    page = await lead.send(f"/reviews/{THIS}/notes", text="Two in one night")
    assert "Two in one night" in page.words
    page = await lead.send(f"/reviews/{THIS}/actions", text="Mend the pool", owner="mia", due="2026-02-28")
    assert "Mend the pool" in page.words
    page = await lead.send(f"/reviews/{THIS}/done")
    assert "The action is done." in page.words
    assert f"/reviews/{THIS}/sign-off" not in page.forms
    manager = await as_(shared_service, "mia")
    await manager.get("/reviews/2020-W10")
    page = await manager.send("/reviews/2020-W10/sign-off")
    assert "mia signed it off" in page.words
    assert list(page.forms) == ["/sign-out"]
    await manager.get(f"/reviews/{THIS}")
    page = await manager.send(f"/reviews/{THIS}/sign-off", 422)
    assert "The week is not over yet" in page.words


async def test_what_was_typed_stays_where_it_is_refused(shared_service: Service) -> None:
    browser = await as_(shared_service, "lee")
    await browser.get("/reviews/2020-W11")
    page = await browser.send("/reviews/2020-W11/actions", 422, text="Half a thought", owner="mia", due="soon")
    assert "must be a day like 2026-01-30" in page.words
    assert ("text", "Half a thought") in page.forms["/reviews/2020-W11/actions"].fields
    page = await browser.send("/reviews/2020-W11/notes", 422, text=" ")
    assert "is missing" in page.words


async def test_an_auditor_and_an_agent_are_shown_no_form_and_their_posts_are_refused(shared_service: Service) -> None:
    for who in ("aud", "ann"):
        browser = await as_(shared_service, who)
        page = await browser.get("/reviews/2020-W12")
        assert list(page.forms) == ["/sign-out"]
        csrf = dict(page.forms["/sign-out"].fields)["csrf"]
        page = await browser.post("/reviews/2020-W12/notes", [("csrf", csrf), ("text", "x")], 403)
        assert "Only leads and above may write into a review." in page.words
    browser = await as_(shared_service, "lee")
    await browser.get("/reviews/2020-W12")
    page = await browser.post("/reviews/2020-W12/notes", [("csrf", "another's"), ("text", "x")], 403)
    assert await shared_service.db.fetchval("SELECT count(*) FROM review_note WHERE week = '2020-W12'") == 0


async def test_a_form_that_is_sent_twice_is_done_once(shared_service: Service) -> None:
    browser = await as_(shared_service, "lee")
    page = await browser.get("/reviews/2020-W13")
    fields = [*page.forms["/reviews/2020-W13/notes"].fields[:2], ("text", "Once")]
    await browser.post("/reviews/2020-W13/notes", fields)
    await browser.post("/reviews/2020-W13/notes", fields)
    assert await shared_service.db.fetchval("SELECT count(*) FROM review_note WHERE week = '2020-W13'") == 1


async def test_it_can_be_taken_away_as_markdown(shared_service: Service) -> None:
    browser = await as_(shared_service, "aud")
    await browser.get("/reviews/2020-W14?as=markdown")
    assert browser.answer.headers["Content-Type"].startswith("text/markdown")
    assert re.match(r"# Escalation review 2020-W14\n", browser.answer.raw.decode())


async def test_bars_are_shares_of_their_scale() -> None:
    assert charts.single(5, 10, 20) == charts.Bar((charts.Part("now", 0, 50.0),), 100.0)
    assert charts.single(None, 10) == charts.Bar(())
    assert [p.width for p in charts.stacked([("good", 3), ("soon", 0), ("bad", 1)]).parts] == [75.0, 25.0]
    assert [p.kind for p in charts.nested([("rest", 8), ("now", 2)], 8).parts] == ["rest", "now"]
    assert charts.longest([None, 0.0]) == 1.0
