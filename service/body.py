"""Request bodies: read within limits of size and time, unpacked, and as JSON without surprises.

Whatever the database or a struct would choke on is refused here, with 400 and a sentence that says what it was.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import zlib
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from aiohttp import web

from service.problems import Refused

DEEPEST = 32
"""How deep JSON may nest."""
LARGEST = 2**63 - 1
REQUEST_WITHIN = web.AppKey("request_within", float)
"""Seconds that a caller may take to send a whole request, and until a connection is closed whose caller takes more."""
LINGERS = 1 / 15
"""The share of them for which the rest of a refused body is read and dropped, so that the refusal arrives."""


async def body(request: web.Request) -> Any:
    """The request's JSON, whatever its Content-Type says.

    Raises 400; 408 where it comes too slowly, 413 where it is larger than the service takes, packed or unpacked,
    415 where it is packed in a way that the service doesn't unpack.
    """
    return parse(await raw_body(request))


async def raw_body(request: web.Request, limit: int | None = None) -> bytes:
    """The request's body, unpacked. Raises like `body`, whose limit another may replace, in bytes."""
    if limit is not None:
        request = request.clone(client_max_size=limit)
    raw = await _read(request)
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    return raw if encoding == "identity" else _unpacked(raw, encoding, request.client_max_size)


async def _read(request: web.Request) -> bytes:
    limit = request.client_max_size
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    try:
        if request.content.is_eof() and not request.content.at_eof():
            # All there, and not read yet: as nearly always. `request.read()` asks again, and copies it twice.
            request._read_bytes = request.content.read_nowait()
            if len(request._read_bytes) > limit:
                raise _too_large(limit)
        elif not request.content.is_eof():
            async with asyncio.timeout_at(_latest(request)):
                await request.read()
        return await request.read()
    except TimeoutError:
        seconds = request.app[REQUEST_WITHIN]
        raise _closing(Refused(408, "too_slow", f"The request did not come within {seconds:g} seconds.")) from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(limit) from None
    except (web.RequestPayloadError, ConnectionError):
        broken = Refused(400, "unreadable", "The body breaks off, or is not chunked as its headers say.")
        raise _closing(broken) from None


def _latest(request: web.Request) -> float:
    """When the body must be there, on the loop's clock: the connection knows when the request's first byte came."""
    began = getattr(request.protocol, "began", None) or asyncio.get_running_loop().time()
    return float(began + request.app[REQUEST_WITHIN] * (1 - LINGERS))


def _too_large(limit: int) -> Refused:
    return _closing(Refused(413, "too_large", f"The body is larger than {limit} bytes, which is all that is taken."))


def _closing(refused: Refused) -> Refused:
    """What is left of the body is not waited for."""
    refused.headers["Connection"] = "close"
    return refused


def _unpacked(raw: bytes, encoding: str, limit: int) -> bytes:
    """Unpacks at most a byte more than the limit, so a bomb stays as small as it came."""
    if encoding in ("gzip", "x-gzip"):
        window = 16 + zlib.MAX_WBITS
    elif encoding == "deflate":
        window = zlib.MAX_WBITS if raw[:1] and raw[0] & 0x0F == 8 else -zlib.MAX_WBITS
    else:
        raise Refused(415, "unknown_encoding", "Content-Encoding may be gzip or deflate; better send JSON as it is.")
    unpacker = zlib.decompressobj(window)
    try:
        told = unpacker.decompress(raw, limit + 1)
    except zlib.error:
        unreadable(f"The body is not {encoding}, as its Content-Encoding says.")
    if len(told) > limit:
        raise _too_large(limit)
    if not unpacker.eof or unpacker.unused_data:
        unreadable(f"The body is not whole {encoding}: it breaks off, or something follows it.")
    return told


# Forms -------------------------------------------------------------------------------------------------------------

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 100


async def form(request: web.Request) -> list[tuple[str, str]]:
    """The request's form, each field as often as it was sent. Raises like `body`, and 415 for what is no form."""
    if request.content_type != FORM:
        raise Refused(415, "unknown_encoding", f"Send a form, as {FORM}.")
    try:
        pairs = parse_qsl((await raw_body(request)).decode(), True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Refused(400, "unreadable", f"The form is not UTF-8, or has more than {MOST_FIELDS} fields.") from None
    if not all(sound(part) for pair in pairs for part in pair):
        raise Refused(400, "unreadable", "The form holds NUL or half a surrogate pair, which is no text.")
    return pairs


# JSON -------------------------------------------------------------------------------------------------------------


def unreadable(why: str) -> NoReturn:
    """400: the body can't be read at all."""
    raise Refused(400, "unreadable", why)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        unreadable("A key stands twice in one object: say each field once.")
    return found


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -LARGEST - 1 <= (n := int(digits)) <= LARGEST:
        unreadable("A number is out of bounds: integers fit in 64 bits.")
    return n


def _number(digits: str) -> float:
    if not math.isfinite(n := float(digits)):
        unreadable("A number is out of bounds: it is larger than a double can be.")
    return n


def _constant(name: str) -> NoReturn:
    unreadable(f"{name} is not JSON.")


_decoder = json.JSONDecoder(object_pairs_hook=_once, parse_int=_integer, parse_float=_number, parse_constant=_constant)


def parse(raw: bytes) -> Any:
    """JSON as the contract takes it: UTF-8, no doubled keys, no NUL or lone surrogate, bounded depth and numbers.

    Raises 400 that says what is wrong.
    """
    if not raw:
        unreadable("The body is empty: send JSON.")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        unreadable("The body is not UTF-8.")
    if _deeper_than(DEEPEST, raw):
        unreadable(f"The body nests deeper than {DEEPEST}.")
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError as error:
        unreadable(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.")
    except RecursionError:
        unreadable(f"The body nests deeper than {DEEPEST}.")
    if "\\u" in text:
        _check_text(value)
    return value


_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))


def _deeper_than(depth: int, raw: bytes) -> bool:
    """Takes the innermost brackets away, layer by layer; without a loop over characters, for a megabyte of them."""
    if raw.count(b"[") + raw.count(b"{") <= depth:
        return False
    left = _STRING.sub(b"", raw).translate(_ONE_KIND, _NO_BRACKET)
    for _ in range(depth):
        left = left.replace(b"[]", b"")
    return b"[]" in left


def _check_text(value: Any) -> None:
    """Only escapes can smuggle in what the database refuses."""
    match value:
        case str():
            if not sound(value):
                unreadable("A string holds NUL or half a surrogate pair, which is no text.")
        case list():
            for item in value:
                _check_text(item)
        case dict():
            for key, item in value.items():
                _check_text(key)
                _check_text(item)


def sound(text: str) -> bool:
    """Text that a database takes: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
