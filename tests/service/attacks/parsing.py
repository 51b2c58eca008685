"""What comes from outside as text or bytes, and is taken apart: whatever it is, it is read or refused, and soon.

Each parser is fed by a strategy of its own, half of it like what really comes, and judged by what must hold of its
answer. Anything that it raises beside a refusal of ours is a finding; so is one that takes longer than a second.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import hypothesis
from aiohttp.test_utils import make_mocked_request
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from machines.asking import word_in
from machines.matrix import default_text, parse
from service import body, survey
from service.door import fit_query, if_match
from service.hearing.quoted import own_words
from service.inbound import mail, signed, slack
from service.problems import Refused
from service.reads import Number, Uuid, after
from service.routes import all_routes

POLICY = parse(default_text(), 1)
SECRET = "a secret of somebody's"
TAKES_AT_MOST = 1.0
"""Seconds of processor time."""

anything = st.binary(max_size=2_000)
text = st.text(max_size=300)
line = st.one_of(
    text, st.sampled_from(("", "ESCALATE", "Re: [T-1] EſCALATE", "[#T-1]", "de-escalate", "\ud800", "=?utf-8?q?"))
)
headers = st.sampled_from(
    (
        *("From", "Subject", "To", "In-Reply-To", "References", "Message-ID", "Auto-Submitted", "Content-Type"),
        *("Content-Transfer-Encoding", "Precedence", "Return-Path", "X-Odd", "Content-Disposition", "MIME-Version"),
    )
)
values = st.one_of(
    line,
    st.sampled_from(
        (
            *("multipart/mixed; boundary=b", "multipart/alternative; boundary=b", "text/html; charset=utf-7"),
            *("text/plain; charset=\x00", "message/rfc822", "base64", "quoted-printable", "8bit", "auto-replied"),
            *("=?utf-8?b?RVNDQUxBVEU=?=", "=?x?q?=00?=", "boss@acme.example", "<a@b> <c@d>", "<" * 50, "(" * 50),
        )
    ),
)


@st.composite
def mails(draw: st.DrawFn) -> bytes:
    """Bytes that look like a mail: headers, and parts within parts."""
    head = [f"{draw(headers)}: {draw(values)}" for _ in range(draw(st.integers(0, 8)))]
    parts = [draw(st.one_of(line, st.just("--b\n"), st.just("--b--\n"), st.just("> "))) for _ in range(6)]
    return "\n".join([*head, "", *parts]).encode("utf-8", "surrogatepass")


def read_subject(subject: str) -> None:
    """The word is found where it stands, or it is not."""
    word = word_in(subject, POLICY)
    assert word is None or 0 <= word.place < len(subject)


def read_mail(raw: bytes) -> None:
    """A mail has a subject on one line, and texts that a database takes."""
    told = mail.read(raw)
    assert not set(told.subject) & set("\r\n\x00")
    for part in (told.subject, told.text, *told.names, *told.answers, told.sender or "", told.message_id or ""):
        assert body.sound(part)


def read_words(said: str) -> None:
    """What somebody wrote themselves is not longer than what they sent."""
    assert len(own_words(said)) <= len(said)


def check_signature(given: tuple[str, bytes, dict[str, str]]) -> None:
    """Nothing is signed but what was signed."""
    stamp, raw, sent = given
    right = "v0=" + hmac.digest(SECRET.encode(), f"v0:{stamp}:".encode(errors="replace") + raw, hashlib.sha256).hex()
    assert signed.slack(SECRET, stamp, raw, right)
    for presented in (sent.get("x", ""), right[:-1], right.upper(), right + "0"):
        assert not signed.slack(SECRET, stamp, raw, presented)
    for name, signature in signed.SIGNATURES.items():
        assert signature.holds(SECRET, {signature.header: sent.get("x", "")}, raw) is False, name


def read_cursor(cursor: str) -> None:
    """A cursor is a place in a list, or 422."""
    kinds: tuple[Any, ...] = (tuple[Number, Uuid], tuple[Number], tuple[str, int])
    for kind in kinds:
        told = refused(422, partial(after, cursor, kind))
        assert told is None or isinstance(told, tuple)


def read_filters(given: list[tuple[str, str]]) -> None:
    """A query is filters, or everything that is wrong with it."""
    address = "/?" + "&".join(f"{quote(name)}={quote(value, errors='surrogatepass')}" for name, value in given)
    request = make_mocked_request("GET", address)
    for route in all_routes():
        if route.query is not None:
            told, problems = fit_query(request, route.query)
            assert isinstance(told, route.query)
            assert all(problem.message for problem in problems)


def read_slack(raw: bytes) -> None:
    """A request of Slack's is somebody's wish, or 400."""
    told = refused(400, lambda: slack.read(raw))
    assert told is None or told.user or told.why


def read_json(raw: bytes) -> None:
    """JSON is read as it is, or 400."""
    refused(400, lambda: body.parse(raw))


def read_token(token: str) -> None:
    """A survey's token that nobody signed is none."""
    assert survey.answered_for(token, (SECRET,)) is None


def read_version(header: str) -> None:
    """A version is a number, or something is wrong with it."""
    version, problems = if_match(make_mocked_request("GET", "/", headers={"If-Match": header}))
    assert version is None or (version >= -1 and not problems)


def refused(status: int, ask: Callable[[], Any]) -> Any:
    """What is answered; None where it is refused with this status."""
    refusal = None
    try:
        return ask()
    except Refused as error:
        refusal = error.refusal
    assert (refusal.status, bool(refusal.detail)) == (status, True)
    return None


names = st.sampled_from(("limit", "cursor", "since", "state", "level", "owner", "as_of", "order", "from", "x", ""))
told_as = st.one_of(line, st.sampled_from(("1", "-1", "9" * 400, "2026-01-05T09:00:00Z", "0001-01-01T00:00:00+14:00")))
forms = st.dictionaries(st.sampled_from(("payload", "user_id", "text", "ssl_check", "x")), text).map(
    lambda form: urlencode(form, errors="replace").encode()
)
json_like = st.recursive(
    st.sampled_from(('"a"', "1", "1e999", "-0", "NaN", '"\\ud800"', '"\\u0000"', "null", "9" * 400)),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda some: f"[{','.join(some)}]")
        | st.lists(inner, max_size=4).map(lambda some: "{" + ",".join(f'"k":{each}' for each in some) + "}")
    ),
).map(str.encode)
signatures = st.tuples(line, anything, st.dictionaries(st.just("x"), line))
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)

PARSERS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]] = {
    "subject": (line, read_subject),
    "mail": (st.one_of(anything, mails()), read_mail),
    "words": (st.lists(line, max_size=12).map("\n".join), read_words),
    "signature": (signatures, check_signature),
    "cursor": (st.one_of(line, printable), read_cursor),
    "filters": (st.lists(st.tuples(names, told_as), max_size=4), read_filters),
    "slack": (st.one_of(anything, forms), read_slack),
    "json": (st.one_of(anything, json_like), read_json),
    "token": (st.one_of(line, st.text("abcAB01-_", min_size=43, max_size=43)), read_token),
    "version": (printable, read_version),
}


def feed(name: str, cases: int, seed: int | None = None) -> None:
    """Feed a parser so many cases; raises for the first that it can't take, made as small as it gets."""
    strategy, check = PARSERS[name]

    @hypothesis.settings(
        max_examples=cases,
        derandomize=seed is None,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def fed(case: Any) -> None:
        began = time.process_time()
        check(case)
        assert time.process_time() - began < TAKES_AT_MOST

    if seed is not None:
        fed = hypothesis.seed(seed)(fed)
    fed()
