"""`/v1/deliveries`: what became of each planned message, and an admin who has one sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from service.channels.letter import Later, Letter, Refused
from tests.service.outbox.conftest import Fake, Post


def refuses(letter: Letter) -> None:
    raise Refused("answered 410")


def is_down(letter: Letter) -> None:
    raise Later("answered 500")


async def told(post: Post, query: str = "") -> list[dict[str, object]]:
    return list((await post.service.call("root", "GET", f"/v1/deliveries{query}")).ok()["items"])


async def test_a_delivery_tells_its_target_its_tries_and_why_the_last_one_failed(post: Post) -> None:
    await post.service.opened("T-1")
    [offered] = await told(post, "?template=handoff_offered")
    begin = ("status", "attempts", "target", "error", "next_try_at", "delivered_at")
    assert [offered[name] for name in begin] == ["planned", 0, None, None, None, None]
    node = post.sender(Fake("down", answer=is_down, only="mia"), Fake("gone", answer=refuses, only="acme"))
    await node.settle()
    [offered] = await told(post, "?template=handoff_offered")
    assert [offered[name] for name in begin[:4]] == ["planned", 1, "down", "answered 500"]
    waits = datetime.fromisoformat(str(offered["next_try_at"])) - datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert timedelta(seconds=0.5) <= waits <= timedelta(seconds=1)
    [customer] = await told(post, "?status=parked")
    assert [customer[name] for name in begin] == ["parked", 1, "gone", "answered 410", None, None]
    assert {row["delivered_at"] for row in await told(post, "?status=delivered")} == {"2026-01-05T09:00:00Z"}


async def test_an_admin_has_a_parked_one_sent_again_under_the_same_id(post: Post) -> None:
    await post.service.opened("T-1")
    channel = Fake(answer=refuses, only="mia")
    node = post.sender(channel)
    await node.settle()
    [parked] = await told(post, "?status=parked")
    again = f"/v1/deliveries/{parked['id']}/send"
    answer = (await post.service.call("root", "POST", again)).ok()
    assert (answer["status"], answer["target"], answer["error"], answer["attempts"]) == ("planned", None, None, 1)
    channel.answer = lambda letter: None
    await node.settle()
    assert len(channel.keys) == 2
    assert len(set(channel.keys)) == 1
    assert await post.statuses() == {"delivered"}


async def test_the_same_key_sends_again_once(post: Post) -> None:
    await post.service.opened("T-1")
    channel = Fake(only="mia")
    node = post.sender(channel)
    await node.settle()
    [row] = await told(post, "?recipient=mia")
    first = await post.service.call("root", "POST", f"/v1/deliveries/{row['id']}/send", Idempotency_Key="k")
    await node.settle()
    again = await post.service.call("root", "POST", f"/v1/deliveries/{row['id']}/send", Idempotency_Key="k")
    await node.settle()
    assert (first.status, first.raw) == (again.status, again.raw)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(channel.got) == 2
    other = await post.service.call("root", "POST", f"/v1/deliveries/{row['id'] - 1}/send", Idempotency_Key="k")  # type: ignore[operator]
    other.problem(422, "key_reused")


async def test_only_admins_may_and_only_what_there_is(post: Post) -> None:
    await post.service.opened("T-1")
    for who in ("ann", "vic", "desk", "aud"):
        (await post.service.call(who, "POST", "/v1/deliveries/1/send")).problem(403, "not_permitted")
    for number in ("0", "99", "x", "-1", "9" * 30, "%C2%B2"):
        (await post.service.call("root", "POST", f"/v1/deliveries/{number}/send")).problem(404, "not_found")
    (await post.service.call(None, "POST", "/v1/deliveries/1/send")).problem(401, "no_key")
