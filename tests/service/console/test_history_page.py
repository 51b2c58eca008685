"""The history page: search, what stood open at an instant, and files, by the same filters as the API."""

from __future__ import annotations

import json

import pytest

from tests.service.conftest import Service
from tests.service.console.conftest import as_

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_each_filter_of_the_api_narrows_what_is_shown(shared_service: Service) -> None:
    e, owner = await shared_service.held("HF-1")
    await shared_service.opened("HF-2")
    browser = await as_(shared_service, "aud")
    for filters in (
        f"escalation_id={e}",
        "ticket_id=HF-1",
        f"actor={owner}&trigger=accept&ticket_id=HF-1",
        "trigger=engage&from=open&to=l2&ticket_id=HF-1",
        "since=2000-01-01T00%3A00&until=2199-01-01&order=asc&ticket_id=HF-1&customer_id=acme",
    ):
        page = await browser.get(f"/history?{filters}")
        assert "HF-1" in page.words
        assert "HF-2" not in page.words, filters
        assert f"/escalations/{e}" in page.links
    page = await browser.get(f"/history?escalation_id={e}&trigger=accept")
    assert f"Accept stays L2 By: {owner}".replace("By: ", "") in page.words
    assert "No transition fits" in (await browser.get("/history?ticket_id=HF-1&until=2000-01-01")).words


async def test_filters_stand_in_the_address_and_in_the_form(shared_service: Service) -> None:
    page = await (await as_(shared_service, "ann")).get("/history?actor=ann&trigger=open&since=2026-01-05T09%3A00")
    assert '<option value="open" selected>' in page.text
    assert 'name="actor" value="ann"' in page.text
    assert 'value="2026-01-05T09:00:00"' in page.text


async def test_pages_go_on_where_the_one_before_ended_and_keep_the_filters(shared_service: Service) -> None:
    e, owner = await shared_service.held("HP-1")
    for n in range(51):
        (await shared_service.act(owner, e, "note", text=f"Note {n}")).ok(201)
    browser = await as_(shared_service, "ann")
    page = await browser.get("/history?ticket_id=HP-1&order=asc")
    assert page.text.count("<tr role") == 51  # with the head
    following = next(link for link in page.links if "cursor=" in link)
    assert "ticket_id=HP-1" in following
    page = await browser.get(following)
    assert page.text.count("<tr role") == 5
    assert "/history?ticket_id=HP-1&order=asc" in page.links
    assert not [link for link in page.links if "cursor=" in link]


@pytest.mark.parametrize(
    ("filters", "field", "told"),
    [
        ("since=yesterday", "search-since", "Since: must be an instant"),
        ("escalation_id=T-1", "search-escalation_id", "Escalation"),
        ("from=gone", "search-from", "From: Invalid enum"),
        ("as_of=soon", "stood-as_of", "As of: must be an instant"),
        ("as_of=2026-01-01&level=9", "stood-level", "Level"),
    ],
)
async def test_bad_input_is_told_beside_its_field_and_stays_there(
    shared_service: Service, filters: str, field: str, told: str
) -> None:
    page = await (await as_(shared_service, "ann")).get(f"/history?{filters}", 422)
    assert "Not searched" in page.words
    assert f'id="{field}-problem"' in page.text
    assert f'href="#{field}"' in page.text
    assert filters.rpartition("=")[2] in page.text
    assert told.partition(":")[0] in page.words


@pytest.mark.parametrize("filters", ["who=ann", "cursor=x", "ticket_id=T-1&cursor=WzEs"])
async def test_a_filter_or_place_that_there_is_none_of_is_named(shared_service: Service, filters: str) -> None:
    page = await (await as_(shared_service, "ann")).get(f"/history?{filters}", 422)
    assert "no such filter" in page.words or "leave it out to begin anew" in page.words


async def test_a_file_has_the_rows_of_the_search_and_every_format_is_offered(shared_service: Service) -> None:
    e, owner = await shared_service.held("HX-1")
    browser = await as_(shared_service, "ann")
    page = await browser.get("/history?ticket_id=HX-1&since=2000-01-01T00%3A00&order=asc")
    files = [link for link in page.links if link.startswith("/history/export?")]
    offered = [link.partition("format=")[2].partition("&")[0] for link in files]
    for name in ("ndjson", "csv", "xes", "ocel", "parquet"):
        assert name in offered or f"{name}: its package is not installed" in page.words
    lines = next(link for link in files if "format=ndjson" in link)
    sent = await shared_service.call(None, "GET", lines, Cookie=browser.cookie)
    rows = [json.loads(line) for line in sent.raw.decode().splitlines()]
    assert {row["escalation_id"] for row in rows} == {e}
    assert rows[-1]["actor"] == owner
    assert "attachment" in sent.headers["Content-Disposition"]
    assert (await shared_service.call(None, "GET", "/history/export?format=csv")).status == 303


async def test_html_in_filters_and_history_shows_as_text(shared_service: Service) -> None:
    page = await (await as_(shared_service, "ann")).get(
        "/history?actor=%3Cscript%3Ealert(1)%3C/script%3E&x=%3Cimg%3E", 422
    )
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
