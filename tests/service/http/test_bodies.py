"""Bodies that can't be read, or hold what must not be taken: refused with a sentence, never with a 500."""

from __future__ import annotations

import gzip
import json
import resource
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.service.conftest import FACTS, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

TAKERS = {
    "a ticket": ("desk", "PUT", "/v1/tickets/T-1"),
    "a contact": ("desk", "POST", "/v1/tickets/T-1/contacts"),
    "a request": ("ann", "POST", "/v1/escalations"),
    "a transition": ("ann", "POST", "/v1/escalations/019b76da-a800-7000-8000-000000000000/transitions"),
    "a bulk": ("ann", "POST", "/v1/transitions"),
    "a customer": ("root", "PUT", "/v1/customers/acme"),
    "a person": ("root", "PUT", "/v1/people/ann"),
    "a rota": ("root", "PUT", "/v1/rotas/leads"),
}
UNREADABLE = {
    "nothing": b"",
    "blanks": b"  \n ",
    "no JSON": b"trigger=close",
    "half of JSON": b'{"name": "Acme"',
    "two documents": b"{} {}",
    "a comma too many": b'{"name": "Acme",}',
    "single quotes": b"{'name': 'Acme'}",
    "a comment": b'{"name": "Acme"} // the customer',
    "a byte order mark": b'\xef\xbb\xbf{"name": "Acme"}',
    "UTF-16": '{"name": "Acme"}'.encode("utf-16"),
    "Latin-1": '{"name": "Äcme"}'.encode("latin-1"),
    "an overlong encoding": b'{"name": "\xc0\x80"}',
    "a raw NUL": b'{"name": "A\x00cme"}',
    "a raw control character": b'{"name": "A\x01cme"}',
    "an escaped NUL": b'{"name": "A\\u0000cme"}',
    "an escaped NUL in a key": b'{"na\\u0000me": "Acme"}',
    "NUL deep inside": b'[{"a": ["\\u0000"]}]',
    "a lone high surrogate": b'{"name": "\\ud83d"}',
    "a lone low surrogate": b'{"name": "\\ude00"}',
    "surrogates the wrong way round": b'{"name": "\\ude00\\ud83d"}',
    "an encoded surrogate": b'{"name": "\xed\xa0\xbd"}',
    "2⁶³": b'{"level": 9223372036854775808}',
    "less than -2⁶³": b'{"level": -9223372036854775809}',
    "an integer of 5,000 digits": b'{"level": ' + b"9" * 5000 + b"}",
    "a number beyond a double": b'{"level": 1e999}',
    "NaN": b'{"level": NaN}',
    "Infinity": b'{"level": Infinity}',
    "-Infinity": b'{"level": -Infinity}',
    "a doubled key": b'{"name": "Acme", "name": "Evil"}',
    "a key doubled by an escape": b'{"name": "Acme", "n\\u0061me": "Evil"}',
    "a doubled key deep inside": b'{"brief": {"issue": "a", "issue": "b"}}',
    "33 lists in each other": b"[" * 33 + b"]" * 33,
    "33 objects in each other": b'{"a":' * 33 + b"1" + b"}" * 33,
    "100,000 opened lists": b"[" * 100_000,
    "100,000 opened objects": b'{"a":' * 100_000,
    "brackets in strings that hide the depth": b'["]",' * 40 + b"1" + b"]" * 40,
}


@pytest.mark.parametrize("what", UNREADABLE)
async def test_an_unreadable_body_is_400(shared_service: Service, what: str) -> None:
    for who, method, path in TAKERS.values():
        told = (await shared_service.call(who, method, path, raw=UNREADABLE[what])).problem(400, "unreadable")
        assert told["detail"].endswith(".")


@pytest.mark.parametrize("taker", TAKERS)
async def test_an_unreadable_body_is_told_before_an_unknown_key(shared_service: Service, taker: str) -> None:
    _, method, path = TAKERS[taker]
    (await shared_service.call(None, method, path, raw=b"{")).problem(400, "unreadable")
    (await shared_service.call(None, method, path, {})).problem(401, "no_key")


@pytest.mark.parametrize("taker", [name for name in TAKERS if name != "a transition"])
@pytest.mark.parametrize("value", [None, True, 7, 1.5, "text", [], [[]], [1]], ids=json.dumps)
async def test_a_body_that_is_no_object_is_wrong(shared_service: Service, taker: str, value: Any) -> None:
    who, method, path = TAKERS[taker]
    answer = await shared_service.call(who, method, path, value)
    if taker == "a bulk" and value == []:
        assert answer.ok() == {"items": []}
    elif taker == "a contact":
        answer.problem(404, "not_found")
    else:
        answer.problem(422, "invalid_fields")


async def test_a_body_of_32_levels_is_read(shared_service: Service) -> None:
    (await shared_service.call("ann", "POST", "/v1/transitions", raw=b"[" * 32 + b"]" * 32)).problem(
        422, "invalid_fields"
    )


async def test_the_largest_integers_are_read_and_then_out_of_bounds(shared_service: Service) -> None:
    for digits in (2**63 - 1, -(2**63)):
        body = {"name": "Zoe", "on_duty": True, "level": digits}
        assert (await shared_service.call("root", "PUT", "/v1/people/zoe", body)).fields() == {"level"}


async def test_brackets_in_text_nest_nothing(shared_service: Service) -> None:
    facts = FACTS | {"description": "[" * 500 + '"{"' * 50}
    ticket = (await shared_service.call("desk", "PUT", "/v1/tickets/T-brackets", facts)).ok()["ticket"]
    assert ticket["description"] == facts["description"]


async def test_text_of_every_plane_comes_back_as_it_was(shared_service: Service) -> None:
    text = "Ελληνικά 日本語 \U0001f600 a\u0301 \u202e<b>&amp;</b> {{7*7}} %s ${x} \x7f \ufffe"
    for raw in (
        json.dumps(FACTS | {"subject": text}).encode(),
        json.dumps(FACTS | {"subject": text}, ensure_ascii=False).encode(),
    ):
        ticket = (await shared_service.call("desk", "PUT", "/v1/tickets/T-text", raw=raw)).ok()["ticket"]
        assert ticket["subject"] == text


async def test_10_000_unknown_fields_are_answered_with_the_first_fifty(shared_service: Service) -> None:
    body = {f"field_{n}": n for n in range(10_000)}
    told = (await shared_service.call("desk", "PUT", "/v1/tickets/T-1", body)).problem(422, "invalid_fields")
    assert len(told["problems"]) == 50
    assert len(told["detail"]) <= 2000


async def test_10_000_items_are_one_refusal(shared_service: Service) -> None:
    assert (await shared_service.call("ann", "POST", "/v1/transitions", [{}] * 10_000)).fields() == {"items"}


async def test_10_000_tags_are_one_refusal(shared_service: Service) -> None:
    answer = await shared_service.call("desk", "PUT", "/v1/tickets/T-1", FACTS | {"tags": ["x"] * 10_000})
    assert answer.fields() == {"tags"}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", ""]
)
async def test_json_is_taken_whatever_its_content_type_says(shared_service: Service, kind: str) -> None:
    answer = await shared_service.call("desk", "PUT", "/v1/tickets/T-kind", FACTS, Content_Type=kind)
    answer.ok()


# Packed bodies ----------------------------------------------------------------------------------------------------

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "GZIP": gzip.compress,
    "identity": bytes,
}


def _bare(raw: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(raw) + packer.flush()


@pytest.mark.parametrize("encoding", PACKED)
async def test_a_packed_body_is_unpacked(shared_service: Service, encoding: str) -> None:
    raw = PACKED[encoding](json.dumps(FACTS).encode())
    (await shared_service.call("desk", "PUT", "/v1/tickets/T-packed", raw=raw, Content_Encoding=encoding)).ok()


async def test_deflate_without_its_header_is_unpacked(shared_service: Service) -> None:
    raw = _bare(json.dumps(FACTS).encode())
    (await shared_service.call("desk", "PUT", "/v1/tickets/T-packed", raw=raw, Content_Encoding="deflate")).ok()


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip\u00e9", "none"])
async def test_an_unknown_packing_is_415(shared_service: Service, encoding: str) -> None:
    answer = await shared_service.call("desk", "PUT", "/v1/tickets/T-1", raw=b"{}", Content_Encoding=encoding)
    answer.problem(415, "unknown_encoding")


@pytest.mark.parametrize(
    "raw",
    [b"{}", b"", gzip.compress(b"{}")[:-6], gzip.compress(b"{}") + b"more", gzip.compress(b"{}") * 2, b"\x1f\x8b"],
    ids=["not packed", "nothing", "cut off", "followed by something", "twice", "only its magic"],
)
async def test_a_body_that_is_not_packed_as_it_says_is_unreadable(shared_service: Service, raw: bytes) -> None:
    answer = await shared_service.call("desk", "PUT", "/v1/tickets/T-1", raw=raw, Content_Encoding="gzip")
    answer.problem(400, "unreadable")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_is_too_large_and_stays_small(shared_service: Service, encoding: str) -> None:
    packer = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    parts = [packer.compress(b'{"name": "'), *(packer.compress(b"a" * 1_000_000) for _ in range(100))]
    bomb = b"".join([*parts, packer.compress(b'"}'), packer.flush()])
    assert len(bomb) < 200_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = await shared_service.call("root", "PUT", "/v1/customers/acme", raw=bomb, Content_Encoding=encoding)
    answer.problem(413, "too_large")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16_000  # kB, of 100,000


async def test_a_bomb_in_a_bomb_is_not_json(shared_service: Service) -> None:
    bomb = gzip.compress(gzip.compress(b"0" * 10_000_000))
    answer = await shared_service.call("root", "PUT", "/v1/customers/acme", raw=bomb, Content_Encoding="gzip")
    answer.problem(400, "unreadable")


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 8 * 1024 * 1024])
async def test_more_than_a_megabyte_is_too_large(shared_service: Service, size: int) -> None:
    answer = await shared_service.call("ann", "POST", "/v1/transitions", raw=b" " * size)
    answer.problem(413, "too_large")


async def test_a_megabyte_is_read(shared_service: Service) -> None:
    raw = b'"' + b"a" * (1024 * 1024 - 2) + b'"'
    (await shared_service.call("ann", "POST", "/v1/transitions", raw=raw)).problem(422, "invalid_fields")
