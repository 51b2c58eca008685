"""A raw mail as what a contact needs: who wrote what about which ticket, and whether a person wrote it at all.

Nothing that a mail holds makes this fail. Headers are read as they came, not through the standard library's parser of
structured headers, which raises for some of the real ones; what can't be decoded is replaced, what is too long is cut.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses
from typing import Literal

from msgspec import Struct

from service.hearing.quoted import own_text
from service.inbound.html import seen

MOST_LINES = 150_000
"""Lines that are read: 11 MB of an attachment. They bound what a mail made for it costs in memory."""
MOST_BOUNDARIES, MOST_PARTS, DEEPEST = 60, 2000, 20
MOST_TEXT = 100_000
"""Characters of a text, as of a contact's."""
LONGEST_SUBJECT = 1000
LONGEST_HEADER, MOST_FOLDS = 8000, 500
MOST_NAMED = 8

Automatic = Literal["bounce", "auto_reply"]
_ID = re.compile(r"<([^<>\s]{1,250})>")
_ADDRESS = re.compile(r"[^\s@<>\x00-\x1f]{1,64}@[^\s@<>\x00-\x1f]{1,190}")
_NAMED = re.compile(r"\[ ?([^\[\]\x00-\x1f]{1,200}?) ?\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]+")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_AUTO_SUBJECT = re.compile(
    r"\s*(?:auto(?:matic|mated)?[ -]?(?:reply|response)|out of (?:the )?office|automatische antwort|abwesenheits?notiz"
    r"|r[ée]ponse automatique|absence du bureau|respuesta autom[áa]tica|resposta autom[áa]tica|risposta automatica"
    r"|automatisch antwoord|automatiskt svar|odpowied[źz] automatyczna)\b",
    re.IGNORECASE,
)
_NO_CHARSETS = frozenset(("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"))
"""Codecs that are no charsets of mail: they raise, warn, or take their time."""


class Mail(Struct, frozen=True):
    """A mail. `names` are what its subject has in brackets, which may be tickets; `answers` the ids of the messages
    that it answers, the nearest first; `sender` is None where it has none; `automatic`: no person wrote it."""

    message_id: str | None
    sender: str | None
    subject: str
    text: str
    names: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    automatic: Automatic | None = None


class _Bounded(policy.Compat32):
    """Headers as they came, but cut: for some of a million parameters the standard library takes hours."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """The name and its value."""
        name, value = super().header_source_parse([line[:LONGEST_HEADER] for line in sourcelines[:MOST_FOLDS]])
        return name, value[:LONGEST_HEADER]


_POLICY = _Bounded()


def read(raw: bytes, *, envelope_sender: str | None = None) -> Mail:
    """The mail in these bytes; `envelope_sender` is what SMTP said, "" for a bounce."""
    message = _parsed(raw)
    headers = _headers(message)
    first = {name: values[0] for name, values in headers.items()}
    subject = _line(first.get("subject", ""))[:LONGEST_SUBJECT]
    sender = _sender(headers)
    return Mail(
        message_id=next(iter(_ids(first.get("message-id", ""))), None),
        sender=sender,
        subject=subject,
        text=_text(message),
        names=tuple(_named(subject)),
        answers=tuple(_answered(first)),
        automatic=_automatic(message, headers, sender, subject, envelope_sender),
    )


def _parsed(raw: bytes) -> Message:
    """Whole where it is within bounds, else its head alone, with the rest as text."""
    if raw.count(b"\n") > MOST_LINES:
        raw = b"\n".join(raw.split(b"\n", MOST_LINES)[:-1])
    nested = sum(1 for _ in re.finditer(rb"boundary|message/rfc822", raw, re.IGNORECASE))
    if nested <= MOST_BOUNDARIES and raw.count(b"\n--") <= MOST_PARTS:
        try:
            return message_from_bytes(raw, policy=_POLICY)
        except (RecursionError, ValueError, LookupError, AttributeError, TypeError, IndexError):
            pass
    head, _, rest = re.sub(rb"\r\n?", b"\n", raw).partition(b"\n\n")
    plain = re.sub(rb"(?im)^content-[^\n]*\n(?:[ \t][^\n]*\n)*", b"", head + b"\n")
    return message_from_bytes(plain + b"\n" + rest[: 4 * MOST_TEXT], policy=_POLICY)


# Headers ----------------------------------------------------------------------------------------------------------


def _headers(message: Message) -> dict[str, list[str]]:
    """Every header's values in their order, unfolded, by its name in small letters."""
    found: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        text = _utf8(str(value)[:LONGEST_HEADER])
        found.setdefault(name.lower(), []).append(re.sub(r"\s*[\r\n]+\s*", " ", text).strip())
    return found


def _utf8(text: str) -> str:
    """Bytes that stood there as they were are mostly UTF-8, which today's headers may be."""
    if text.isascii():
        return text
    raw = text.encode("ascii", "surrogateescape") if _escaped(text) else text.encode("utf-8", "replace")
    return _decoded(raw, None)


def _escaped(text: str) -> bool:
    return all(char < "\x80" or "\udc80" <= char <= "\udcff" for char in text)


def _decoded(raw: bytes, charset: str | None) -> str:
    """Text in its charset if it is one, else UTF-8 if it is that, else Latin."""
    for name in (charset, "utf-8"):
        try:
            if name and codecs.lookup(name).name not in _NO_CHARSETS:
                return raw.decode(name, "strict" if name != charset else "replace")
        except (LookupError, ValueError):
            continue
    return raw.decode("cp1252", "replace")


def _line(header: str) -> str:
    """A header's text, its encoded words decoded, on one line."""
    try:
        parts = decode_header(header)
    except (HeaderParseError, ValueError, LookupError):
        parts = [(header, None)]
    told = "".join(part if isinstance(part, str) else _decoded(part, charset) for part, charset in _own(parts))
    return _CONTROL.sub(" ", told).strip()


def _own(parts: list[tuple[bytes | str, str | None]]) -> Iterator[tuple[bytes | str, str | None]]:
    """What stands beside encoded words comes as bytes of a str, in a notation of Python's own."""
    for part, charset in parts:
        plain = isinstance(part, bytes) and charset is None
        yield (part.decode("raw-unicode-escape", "replace") if plain else part), charset  # type: ignore[union-attr]


def _sender(headers: dict[str, list[str]]) -> str | None:
    """The first address of From, else Sender's; what a display name holds is not looked at."""
    for name in ("from", "sender"):
        for _, address in getaddresses(headers.get(name, [])[:1]):
            if _ADDRESS.fullmatch(address):
                return address
        if found := _ADDRESS.search(headers.get(name, [""])[0]):
            return found[0]
    return None


def _ids(header: str) -> list[str]:
    return [found for found in _ID.findall(header) if found.isprintable()]


def _answered(first: dict[str, str]) -> list[str]:
    """In-Reply-To, then the references from the newest back."""
    ids = [*_ids(first.get("in-reply-to", "")), *reversed(_ids(first.get("references", "")))]
    return list(dict.fromkeys(ids))[: 4 * MOST_NAMED]


def _named(subject: str) -> list[str]:
    """`[ID]` and `[#ID]`; where an id itself begins with #, both are tried."""
    found = []
    for name in _NAMED.findall(subject)[:MOST_NAMED]:
        found += [name.removeprefix("#").strip(), name] if name.startswith("#") else [name]
    return list(dict.fromkeys(name for name in found if name))


def _automatic(
    message: Message, headers: dict[str, list[str]], sender: str | None, subject: str, envelope_sender: str | None
) -> Automatic | None:
    """Whether it is a bounce or an auto-reply, by what RFC 3834 and 3464 say and by what older programs do."""

    def said(name: str) -> str:
        return " ".join(headers.get(name, ())).lower()

    local = (sender or "").partition("@")[0].lower()
    null = envelope_sender == "" or any(path.replace(" ", "") == "<>" for path in headers.get("return-path", ()))
    report = message.get_content_type() in ("multipart/report", "message/delivery-status")
    receipt = "disposition-notification" in said("content-type")
    if not receipt and (report or null or local in ("mailer-daemon", "postmaster") or "x-failed-recipients" in headers):
        return "bounce"
    submitted = said("auto-submitted")
    by_header = (submitted and not submitted.startswith("no")) or any(
        name in headers for name in ("x-autoreply", "x-autorespond", "x-autoreply-from", "x-mail-autoreply")
    )
    by_precedence = said("precedence").split(" ")[0] in ("bulk", "junk", "auto_reply")
    return "auto_reply" if receipt or by_header or by_precedence or _AUTO_SUBJECT.match(subject) else None


# Text -------------------------------------------------------------------------------------------------------------


def _text(message: Message) -> str:
    """What the sender wrote: the plain parts, else those in HTML."""
    plain: list[str] = []
    html: list[str] = []
    left = MOST_TEXT * 2
    for part in _inline(message):
        kind = part.get_content_type()
        into = plain if kind == "text/plain" else html if kind == "text/html" else None
        if into is not None and left > 0:
            told = _content(part)[:left]
            into.append(told)
            left -= len(told)
    text = own_text("\n".join(plain))
    if not "".join(plain).strip() and html:
        text = own_text("\n".join(seen(each) for each in html))
    return _NO_TEXT.sub("", text)[:MOST_TEXT]


def _inline(message: Message) -> Iterator[Message]:
    """The parts that are shown as the mail itself: not attachments, and not mails within the mail."""
    waiting = [(message, 0)]
    while waiting:
        part, depth = waiting.pop(0)
        if part.get_content_maintype() == "message":
            continue
        below = part.get_payload()
        if isinstance(below, list):
            if depth < DEEPEST:
                waiting[:0] = [(each, depth + 1) for each in below if isinstance(each, Message)]
        elif not _attached(part):
            yield part


def _attached(part: Message) -> bool:
    how = str(part.get("Content-Disposition", "")).strip().lower()
    return how.startswith("attachment") or "filename" in how


def _content(part: Message) -> str:
    try:
        raw = part.get_payload(decode=True)
        charset = part.get_content_charset()
    except (ValueError, LookupError, TypeError, AttributeError):
        raw, charset = part.get_payload(), None
    return _decoded(raw, charset) if isinstance(raw, bytes) else str(raw or "")
