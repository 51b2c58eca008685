"""The review of a week: what it finds, who may write into it, and that a signed one is closed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.reviews import weeks
from service.reviews.markdown import plain
from service.routes.reviews import preferred
from tests.service.clock.conftest import Town
from tests.service.conftest import NOTHING, Answer

pytestmark = pytest.mark.asyncio(loop_scope="session")
LAST = "2026-W07"
NASTY = "<script>alert(1)</script> | **bold** [link](http://x) `code`"


async def call(town: Town, who: str, method: str, path: str, body: Any = NOTHING, **headers: Any) -> Answer:
    """Something of `/v1/reviews`."""
    return await town.service.call(who, method, f"/v1/reviews/{path}", body, raw=None, **headers)


async def review(town: Town, week: str = LAST) -> Any:
    """The whole review."""
    return (await call(town, "aud", "GET", week)).ok()


async def listed(town: Town, week: str, query: str = "") -> list[Any]:
    """Its escalations."""
    return list((await call(town, "aud", "GET", f"{week}/escalations?limit=500{query}")).ok()["items"])


# What it tells ----------------------------------------------------------------------------------------------------


async def test_every_escalation_opened_closed_or_not_closed_in_the_week_is_listed_and_no_other(lived: Town):
    week = weeks.parse(LAST)
    assert week
    rows = await lived.service.db.fetch(
        "SELECT id::text, opened_at, closed_at FROM escalation WHERE opened_at < $1"
        " AND (closed_at IS NULL OR closed_at >= $2) ORDER BY id DESC",
        week.until,
        week.since,
    )
    told = await listed(lived, LAST)
    assert [e["id"] for e in told] == [row["id"] for row in rows]
    assert [e["opened"] for e in told] == [row["opened_at"] >= week.since for row in rows]
    assert [e["closed"] for e in told] == [bool(row["closed_at"]) and row["closed_at"] < week.until for row in rows]
    counts = (await review(lived))["escalations"]
    assert counts["total"] == len(rows)
    assert counts["opened"] == sum(e["opened"] for e in told)
    assert counts["closed"] == sum(e["closed"] for e in told)
    assert {e["opened"] for e in told} == {e["closed"] for e in told} == {True, False}


async def test_the_list_comes_in_pages_each_escalation_once(lived: Town):
    everything = [e["id"] for e in await listed(lived, LAST)]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await call(lived, "aud", "GET", f"{LAST}/escalations?limit=4{cursor}")).ok()
        found += [e["id"] for e in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert found == everything


async def test_figures_stand_beside_those_of_the_four_weeks_before(lived: Town):
    told = await review(lived)
    figures = {(f["measure"], f["of"]): f for f in told["changes"]}
    opened = figures["escalations", None]
    rate, before = told["measures"]["rate"][0], told["before"]["rate"][0]
    assert (opened["now"], opened["was"]) == (rate["escalations"], before["escalations"] / 4)
    assert opened["change"] == opened["now"] - opened["was"]
    share = figures["escalation_rate", None]
    assert (share["now"], share["was"]) == (rate["rate"], before["rate"])
    assert share["change"] == pytest.approx(rate["rate"] - before["rate"], abs=1e-4)
    assert (share["cases"], share["cases_before"]) == (rate["tickets"], before["tickets"])
    median = figures["resolution_median", None]
    assert median["now"] == told["measures"]["resolution"][0]["median"]
    assert median["change"].startswith("PT")


async def test_a_figure_on_fewer_than_ten_cases_is_called_small(lived: Town):
    for figure in (await review(lived))["changes"]:
        assert figure["few"] == (min(figure["cases"], figure["cases_before"]) < 10), figure["measure"]
    assert {figure["few"] for figure in (await review(lived))["changes"]} == {True, False}


async def test_what_stands_out_against_its_own_baseline_is_a_pattern(lived: Town):
    found = {(p["kind"], p["name"]): p for p in (await review(lived))["patterns"]}
    # Five P0s of one product where there was none before; what came every week and comes again does not stand out.
    assert found["product", "search"] == {"kind": "product", "name": "search", "count": 5, "before": 0, "few": True}
    assert found["reason", "p0_outage"]["count"] == 5
    assert found["customer", "beta"]["count"] == 6
    assert found["customer", "beta"]["before"] == 4
    assert ("product", "checkout") not in found
    for p in found.values():
        assert p["count"] >= 3
        assert (4 * p["count"] - p["before"]) ** 2 > 16 * p["before"]


async def test_training_needs_and_documentation_gaps_are_named_with_their_counts(lived: Town):
    told = await review(lived)
    needs = {(n["kind"], n["of"]): n for n in told["training"]["needs"]}
    assert needs["declined", "l2"]["count"] == 2
    assert needs["late", "l1"]["count"] >= 2
    assert any(kind == "denied" for kind, _ in needs)
    assert any(kind == "unbriefed" for kind, _ in needs)
    assert [(x["ticket_id"], x["text"]) for x in told["training"]["lessons"]] == [("L-4", "Learned from L-4")]
    assert [x["ticket_id"] for x in told["documentation"]["lessons"]] == ["L-4"]
    [issue] = told["documentation"]["repeated"]
    assert (issue["issue_key"], issue["before"]) == ("POOL-1", 4)


@pytest.mark.parametrize(
    ("text", "name"), [("2026-W01", "2025-12-29"), ("2020-W53", "2020-12-28"), ("2026-W53", "2026-12-28")]
)
async def test_weeks_are_those_of_iso_8601_in_utc(lived: Town, text: str, name: str):
    assert (await review(lived, text))["since"] == f"{name}T00:00:00Z"


@pytest.mark.parametrize(
    "week", ["2025-W53", "2026-W00", "2026-W54", "2026-W7", "26-W07", "2026-07", "0000-W01", "W", "2200-W01"]
)
async def test_what_is_no_week_is_404(lived: Town, week: str):
    (await call(lived, "aud", "GET", week)).problem(404, "not_found")
    (await call(lived, "lee", "POST", f"{week}/notes", {"text": "x"})).problem(404, "not_found")


async def test_a_week_without_anything_is_a_review_without_anything(lived: Town):
    told = await review(lived, "2020-W10")
    assert told["escalations"] == {"total": 0, "opened": 0, "closed": 0, "left_open": 0, "reviewed": 0}
    assert told["patterns"] == told["training"]["needs"] == []
    assert all(figure["now"] in (0, None) for figure in told["changes"])


# As what ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
        ("image/png", "application/json"),
        ("text/markdown", "text/markdown"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("text/*;q=0.3, application/json;q=0.9", "application/json"),
        ("text/html;q=0.2, text/markdown;q=0.7", "text/markdown"),
        ("text/html;q=0, */*", "application/json"),
        ("TEXT/HTML", "text/html"),
        ("text/html;q=nonsense", "application/json"),
    ],
)
async def test_accept_decides_as_what_it_is_told(accept: str, kind: str):
    assert preferred(accept) == kind


async def test_the_same_review_is_json_markdown_and_a_page(lived: Town):
    for kind in ("application/json", "text/markdown", "text/html"):
        answer = await call(lived, "aud", "GET", LAST, Accept=kind)
        assert answer.status == 200
        assert answer.headers["Content-Type"].partition(";")[0] == kind
        assert answer.headers["Vary"] == "Accept"
        assert LAST in answer.raw.decode()
    (await lived.service.call(None, "GET", f"/v1/reviews/{LAST}", Accept="text/html")).problem(401, "no_key")


async def test_the_markdown_tells_every_figure(lived: Town):
    text = (await call(lived, "aud", "GET", LAST, Accept="text/markdown")).raw.decode()
    for said in ("# Escalation review 2026-W07", "| Escalation rate |", "Product search: 5 this week", "POOL\\-1"):
        assert said in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count(" | ") for line in rows if "---" not in line} == {4}


async def test_what_people_write_is_text_in_markdown():
    assert plain("a | b\n# c <i>") == "a \\| b \\# c \\<i\\>"
    assert plain("x" * 600) == "x" * 500 + "…"


# What is written --------------------------------------------------------------------------------------------------


async def test_leads_and_above_write_and_nobody_else(lived: Town):
    week = "2020-W11"
    for who in ("lee", "mia", "dan", "vic"):
        (await call(lived, who, "POST", f"{week}/notes", {"text": f"Seen by {who}"})).ok()
    for who in ("ann", "aud", "desk", "root"):
        told = (await call(lived, who, "POST", f"{week}/notes", {"text": "x"})).problem(403, "not_permitted")
        assert "lead" in told["failed"][0]["who_could"]
        for path, body in (("actions", {"text": "x", "owner": "mia"}), ("sign-off", {})):
            (await call(lived, who, "POST", f"{week}/{path}", body)).problem(403, "not_permitted")
    notes = (await review(lived, week))["notes"]
    assert [(n["by"], n["text"]) for n in notes] == [(who, f"Seen by {who}") for who in ("lee", "mia", "dan", "vic")]


async def test_an_action_has_an_owner_of_the_roster_and_is_carried_until_it_is_done(lived: Town):
    week = "2020-W12"
    wrong = await call(lived, "lee", "POST", f"{week}/actions", {"text": "x", "owner": "nobody", "due": "2026-02-30"})
    assert wrong.fields() == {"due"}
    wrong = await call(lived, "lee", "POST", f"{week}/actions", {"text": "x", "owner": "nobody"})
    assert wrong.fields() == {"owner"}
    body = {"text": "Write the runbook", "owner": "ann", "due": "2026-02-28"}
    action = (await call(lived, "lee", "POST", f"{week}/actions", body)).ok()
    assert {name: action[name] for name in body} == body
    assert action["id"] in [a["id"] for a in (await review(lived))["carried"]]
    path = f"{week}/actions/{action['id']}/done"
    (await call(lived, "aud", "POST", path, {})).problem(403, "not_permitted")
    done = (await call(lived, "ann", "POST", path, {})).ok()  # its owner may
    assert done["done_by"] == "ann"
    assert (await call(lived, "mia", "POST", path, {})).ok() == done
    assert action["id"] not in [a["id"] for a in (await review(lived))["carried"]]
    (await call(lived, "lee", "POST", f"2020-W13/actions/{action['id']}/done", {})).problem(404, "not_found")
    (await call(lived, "lee", "POST", f"{week}/actions/x/done", {})).problem(404, "not_found")


async def test_only_escalations_of_the_week_are_marked_and_marking_again_changes_nothing(lived: Town):
    week = "2026-W02"
    of_week = [e["id"] for e in await listed(lived, week)]
    foreign = next(e["id"] for e in await listed(lived, LAST) if e["id"] not in of_week)
    answer = await call(lived, "lee", "POST", f"{week}/escalations", {"escalation_ids": [of_week[0], foreign]})
    assert answer.fields() == {"escalation_ids[1]"}
    for _ in range(2):
        counts = (await call(lived, "lee", "POST", f"{week}/escalations", {"escalation_ids": of_week[:1]})).ok()
        assert counts["reviewed"] == 1
    (await call(lived, "mia", "POST", f"{week}/escalations", {"escalation_ids": of_week[:1]})).ok()
    assert [e["reviewed_by"] for e in await listed(lived, week, "&reviewed=true")] == ["lee"]
    assert len(await listed(lived, week, "&reviewed=false")) == len(of_week) - 1


async def test_a_review_is_signed_when_the_week_is_over_and_all_was_reviewed_and_then_it_is_closed(lived: Town):
    week = "2026-W03"
    (await call(lived, "lee", "POST", f"{week}/sign-off", {})).problem(403, "not_permitted")
    told = (await call(lived, "mia", "POST", f"{week}/sign-off", {})).problem(422, "guard_failed")
    assert [f["guard"] for f in told["failed"]] == ["all_reviewed"]
    told = (await call(lived, "mia", "POST", "2026-W08/sign-off", {})).problem(422, "guard_failed")
    assert [f["guard"] for f in told["failed"]] == ["week_over", "all_reviewed"]
    ids = [e["id"] for e in await listed(lived, week)]
    (await call(lived, "lee", "POST", f"{week}/escalations", {"escalation_ids": ids})).ok()
    action = (await call(lived, "lee", "POST", f"{week}/actions", {"text": "Mend it", "owner": "mia"})).ok()
    signed = (await call(lived, "mia", "POST", f"{week}/sign-off", {})).ok()
    assert signed["by"] == "mia"
    assert (await review(lived, week))["signed"] == signed
    for path, body in (
        ("notes", {"text": "late"}),
        ("actions", {"text": "late", "owner": "mia"}),
        ("escalations", {"escalation_ids": ids}),
        ("sign-off", {}),
    ):
        (await call(lived, "vic", "POST", f"{week}/{path}", body)).problem(409, "review_signed")
    assert (await call(lived, "mia", "POST", f"{week}/actions/{action['id']}/done", {})).ok()["done_by"] == "mia"
    assert (await review(lived, week))["signed"] == signed


async def test_a_key_makes_one_note_of_the_same_request_sent_twice(lived: Town):
    week, body = "2020-W14", {"text": "Once"}
    one = await call(lived, "lee", "POST", f"{week}/notes", body, Idempotency_Key="n-1")
    two = await call(lived, "lee", "POST", f"{week}/notes", body, Idempotency_Key="n-1")
    assert one.raw == two.raw
    assert two.headers["Idempotency-Replayed"] == "true"
    other = await call(lived, "lee", "POST", f"{week}/notes", {"text": "Twice"}, Idempotency_Key="n-1")
    other.problem(422, "key_reused")
    assert len((await review(lived, week))["notes"]) == 1


async def test_bad_fields_are_told_and_nothing_is_written(lived: Town):
    week = "2020-W15"
    for path, body, fields in (
        ("notes", {"text": " \n"}, {"text"}),
        ("notes", {"text": "x" * 10_001}, {"text"}),
        ("notes", {"words": "x"}, {"words", "text"}),
        ("actions", {"text": "x", "owner": "mia", "due": "tomorrow"}, {"due"}),
        ("escalations", {"escalation_ids": []}, {"escalation_ids"}),
        ("escalations", {"escalation_ids": ["x"]}, {"escalation_ids[0]"}),
        ("sign-off", {"by": "mia"}, {"by"}),
    ):
        assert (await call(lived, "mia", "POST", f"{week}/{path}", body)).fields() == fields, (path, body)
    told = await review(lived, week)
    assert (told["notes"], told["actions"], told["signed"]) == ([], [], None)


async def test_what_is_written_stays_text_everywhere(lived: Town):
    week = "2020-W16"
    (await call(lived, "lee", "POST", f"{week}/notes", {"text": NASTY})).ok()
    (await call(lived, "lee", "POST", f"{week}/actions", {"text": NASTY, "owner": "mia"})).ok()
    page = (await call(lived, "aud", "GET", week, Accept="text/html")).raw.decode()
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2
    text = (await call(lived, "aud", "GET", week, Accept="text/markdown")).raw.decode()
    assert "<script" not in text.replace("\\<", "")
    assert json.dumps(NASTY) in json.dumps((await review(lived, week))["notes"])
