"""The matrix: the policy as tables, what differs between versions, and trying it."""

from __future__ import annotations

import pytest

from machines import matrix
from machines.document import SITUATIONS
from service.console.words import policy_value, spoken
from tests.service.conftest import Service
from tests.service.console.conftest import as_

pytestmark = pytest.mark.asyncio(loop_scope="module")
OTHER = matrix.default_text().replace(
    'professional = { level = 2, within = "PT1H", origin = "document" }',
    'professional = { level = 3, within = "PT30M", origin = "document" }',
    1,
)
ASKED = "tier=professional&priority=p1&opened_at=2026-01-05T09%3A00"


async def _publish(service: Service) -> int:
    sent = await service.call("root", "POST", "/v1/policies", raw=OTHER.encode(), Content_Type="application/toml")
    assert sent.status in (200, 201), sent.raw
    return int(sent.body["version"])


async def test_the_policy_stands_as_the_documents_tables_with_our_cells_marked(shared_service: Service) -> None:
    page = await (await as_(shared_service, "aud")).get("/matrix?version=1")
    assert (
        "P0 outage L3 at once L2 within 1 h L1 within 2 h P1 unresolved after 4 h: L2 at once after 8 h: L2"
        in page.words
    )
    assert "Customer request L2 within 1 h L1 within 4 h L1 no promise of time ours" in page.words
    assert "Security flag of a P0, through the emergency contact L3 at once ours" in page.words
    assert "L2 Engineering Manager 2 h Pull engineers, approve emergency deployment".lower() in page.words.lower()
    assert "Enterprise 15 min / 4 h ours 1 h / 8 h ours" in page.words
    assert all(spoken(name) in page.words for name in SITUATIONS)


async def test_versions_are_listed_with_what_runs_under_them_and_the_newest_is_shown(shared_service: Service) -> None:
    version = await _publish(shared_service)
    browser = await as_(shared_service, "ann")
    page = await browser.get("/matrix")
    assert f"version {version}, published" in page.words
    assert "L3 at once L3 within 30 min L1 within 2 h" in page.words
    assert f"/matrix/diff?from={version - 1}&to={version}" in page.links
    page = await browser.get("/matrix?version=1")
    assert f"It is not the newest: version {version}" in page.words
    await browser.get("/matrix?version=99", 404)
    await browser.get("/matrix?version=x", 404)


async def test_two_versions_are_told_apart_in_words(shared_service: Service) -> None:
    version = await _publish(shared_service)
    browser = await as_(shared_service, "ann")
    page = await browser.get(f"/matrix/diff?from=1&to={version}")
    assert "P0 outage, Professional, Level matrix.p0_outage.professional.level 2 3" in page.words
    assert "Within matrix.p0_outage.professional.within 1 h 30 min" in page.words
    assert "No difference" in (await browser.get("/matrix/diff?from=1&to=1")).words
    await browser.get("/matrix/diff?from=1&to=99", 404)


async def test_what_is_tried_is_told_with_the_reason_of_each_deadline_and_writes_nothing(
    shared_service: Service,
) -> None:
    count = "SELECT (SELECT count(*) FROM ticket) + (SELECT count(*) FROM history) + (SELECT count(*) FROM denial)"
    before = await shared_service.db.fetchval(count)
    browser = await as_(shared_service, "ann")
    page = await browser.get("/matrix/try")
    assert "What would happen" not in page.words
    page = await browser.get(
        f"/matrix/try?version=1&{ASKED}&paused_at=2026-01-05T10%3A00&resumed_at=2026-01-05T12%3A00"
    )
    assert "13:00 Open Open L1 is to be called SLA breach" in page.words
    assert "Answers by 14:00 L1 answers within 1 h" in page.words
    assert "17:00 Add situation L3 P1 unresolved" in page.words  # after its 8 h, paused or not
    assert (
        "Target 24 h ( sla.professional.p1.resolution ) ours , less 1 h counted before, leaves 23 h from 12:00"
        in page.words
    )
    assert "P1, pending (paused) 0 s 1 h" in page.words
    assert 'name="paused_at" value="2026-01-05T10:00:00"' in page.text
    assert await shared_service.db.fetchval(count) == before


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("tier=gold&priority=p1&opened_at=2026-01-05", "tier"),
        ("tier=starter&priority=p1&opened_at=soon", "opened_at"),
        (f"{ASKED}&solved_at=2026-01-04", "solved_at"),
        (f"{ASKED}&channel=call", "channel"),
        ("priority=p1&opened_at=2026-01-05", "tier"),
    ],
)
async def test_what_can_not_be_tried_is_told_beside_its_field(shared_service: Service, asked: str, field: str) -> None:
    page = await (await as_(shared_service, "ann")).get(f"/matrix/try?{asked}", 422)
    assert f'id="try-{field}-problem"' in page.text
    assert "Not tried" in page.words


async def test_a_situation_that_can_not_begin_is_told_in_the_guards_words(shared_service: Service) -> None:
    asked = "tier=starter&priority=p2&opened_at=2026-01-05&situation=customer_request&channel=call"
    page = await (await as_(shared_service, "ann")).get(f"/matrix/try?{asked}")
    assert "The customer's tier has no escalation over this channel" in page.words


async def test_what_is_typed_to_be_tried_shows_as_text(shared_service: Service) -> None:
    page = await (await as_(shared_service, "ann")).get(f"/matrix/try?{ASKED}&subject=%3Cscript%3Ex%3C/script%3E")
    assert page.tags.count("script") == 1


async def test_values_of_a_policy_are_said() -> None:
    assert policy_value("PT1800S") == "30 min"
    assert policy_value("P1D") == "1 d"
    assert policy_value("P1DT3600S") == "1 d 1 h"
    assert policy_value("PT0S") == "0 s"
    assert policy_value("Plain text") == "Plain text"
    assert policy_value(True) == "yes"
