"""Messages as the policy writes them: text with named gaps, and nothing that runs.

A template is lines with gaps like `{ticket}`; `{{` and `}}` are braces. A line that begins with `? ` is left out where
a gap of it has nothing to say. There are no expressions, attributes, formats or conditions. What fills a gap is data:
it is put in once and never read as a template, can't begin a line of its own, and bears no control characters.
Which gaps there are is checked when a policy is published; what customers read has gaps of its own, so that no policy
can show them a brief.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from msgspec import Struct

LONGEST_VALUE, LONGEST_SUBJECT, LONGEST_TEMPLATE = 3000, 200, 5000
"""Characters."""
FOR_CUSTOMERS = (
    *("ticket", "ticket_subject", "customer", "level", "level_name", "owner", "next_update", "workaround", "text"),
    "survey",
)
"""Gaps of what customers read."""
INTERNAL = (
    *FOR_CUSTOMERS[:-2],
    *("tier", "priority", "issue", "reason", "current_status", "needed", "by", "criterion", "respond_by", "why"),
    *("merged_into", "tag", "link", "state"),
)
"""Gaps of what our own people and systems read."""
CUSTOMER_TEMPLATES = ("escalated", "update", "survey")
INTERNAL_TEMPLATES = (
    *("opened", "escalation", "handoff_offered", "nobody_on_duty", "briefed", "handoff_accepted", "handoff_declined"),
    *(
        "handoff_overdue",
        "paged_again",
        "joined",
        "level_changed",
        "update_missed",
        "ticket_solved",
        "ticket_reopened",
        "ticket_merged",
    ),
    *("shift_ended", "de_escalating", "chain_notified", "withdrawn"),
)
TOGETHER = "offered_together"
"""What stands for several pages to one person for one issue: no transition plans it."""
TEMPLATES = {
    **dict.fromkeys(CUSTOMER_TEMPLATES, FOR_CUSTOMERS),
    **dict.fromkeys(INTERNAL_TEMPLATES, INTERNAL),
    TOGETHER: (*INTERNAL, "issue_key", "count", "pages"),
}
"""Every message, and the gaps that its text may have."""
_PIECE = re.compile(r"\{\{|\}\}|\{([a-z_]+)\}|[{}]")
_DIRECTING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


class MessageText(Struct, frozen=True, forbid_unknown_fields=True):
    """A message as it is written: one line, which is its subject where there is one, and its text."""

    subject: str
    text: str


Texts = Mapping[str, Mapping[str, MessageText]]
"""By language and template."""


class Wording(Struct, frozen=True):
    """A message with its gaps filled."""

    subject: str
    text: str


class _Line(Struct, frozen=True):
    pieces: tuple[str, ...]
    gaps: tuple[str | None, ...]
    optional: bool


@cache
def _lines(template: str) -> tuple[_Line, ...]:
    """The template's lines, each as what is written and the gaps after it. Raises ValueError for what is neither."""
    return tuple(_line(line) for line in template.strip("\n").split("\n"))


def _line(line: str) -> _Line:
    optional, line = line.startswith("? "), line.removeprefix("? ")
    pieces, gaps, written, at = list[str](), list[str | None](), "", 0
    for match in _PIECE.finditer(line):
        written += line[at : match.start()]
        at = match.end()
        if match[0] in ("{{", "}}"):
            written += match[0][0]
        elif match[1] is None:
            raise ValueError(f"has a {match[0]} that begins or ends no gap: write {match[0] * 2} for the brace itself")
        else:
            pieces.append(written)
            gaps.append(match[1])
            written = ""
    return _Line((*pieces, written + line[at:]), (*gaps, None), optional)


def findings(texts: Texts, language: str) -> Iterator[str]:
    """Everything that is wrong with a policy's messages; its own language must have them all."""
    if texts and language not in texts:
        yield f"messages.{language} is missing: it is the policy's language"
    for code, by_name in texts.items():
        if not re.fullmatch("[a-z]{2,3}", code):
            yield f"messages.{code}: a language is two or three small letters"
        for name in by_name.keys() - TEMPLATES.keys():
            yield f"messages.{code}.{name} is unknown; there are {', '.join(TEMPLATES)}"
        if code == language:
            yield from (f"messages.{code}.{name} is missing" for name in TEMPLATES if name not in by_name)
        for name in TEMPLATES.keys() & by_name.keys():
            for part in ("subject", "text"):
                yield from _wrong(getattr(by_name[name], part), f"messages.{code}.{name}.{part}", TEMPLATES[name])
            if "\n" in by_name[name].subject.strip():
                yield f"messages.{code}.{name}.subject must be one line"


def _wrong(template: str, where: str, known: tuple[str, ...]) -> Iterator[str]:
    if not template.strip() or len(template) > LONGEST_TEMPLATE:
        yield f"{where} must be 1 to {LONGEST_TEMPLATE} characters"
        return
    try:
        lines = _lines(template)
    except ValueError as error:
        yield f"{where} {error}"
        return
    for gap in dict.fromkeys(gap for line in lines for gap in line.gaps):
        if gap is not None and gap not in known:
            yield f"{where}: {{{gap}}} is no gap of this message; there are {', '.join(known)}"


def plain(value: str, longest: int = LONGEST_VALUE) -> str:
    """What fills a gap, as data: no control characters, nothing that turns the direction of text, not without end."""
    kept = "".join(
        c if c == "\n" or not unicodedata.category(c).startswith("C") or c == "\u200d" else " "
        for c in _DIRECTING.sub(" ", value[: 2 * longest].replace("\r\n", "\n").replace("\r", "\n"))
    ).strip()
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def fill(message: MessageText, values: Mapping[str, str], escape: Callable[[str], str] = str) -> Wording:
    """The message with its gaps filled; `escape` makes a value harmless where markup would be read in it."""
    safe = {name: escape(plain(value)).replace("\n", "\n  ") for name, value in values.items()}
    subject = " ".join(_filled(message.subject, safe).split())
    return Wording(
        subject if len(subject) <= LONGEST_SUBJECT else subject[: LONGEST_SUBJECT - 1] + "…",
        _filled(message.text, safe),
    )


def _filled(template: str, values: Mapping[str, str]) -> str:
    shown = []
    for line in _lines(template):
        named = [gap for gap in line.gaps if gap is not None]
        if line.optional and not all(values.get(gap) for gap in named):
            continue
        written = (
            piece + (values.get(gap, "") if gap else "") for piece, gap in zip(line.pieces, line.gaps, strict=True)
        )
        shown.append("".join(written).rstrip())
    return "\n".join(shown).strip("\n")
