"""A review as Markdown, to be mailed or pasted. What people wrote is text there too: nothing of it is markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from service.reviews import words
from service.reviews.figures import FEW
from service.reviews.review import Action, Lesson, Review

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&$@])")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
LONGEST = 500
"""Characters of a text that are told; the page has all of it."""


def plain(text: str) -> str:
    """Text on one line, with whatever would be markup escaped."""
    line = _BLANKS.sub(" ", text).strip()
    cut = line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
    return _MARKUP.sub(r"\\\1", cut)


def markdown(review: Review) -> str:
    """The whole review."""
    return "\n".join(_lines(review)) + "\n"


def _lines(r: Review) -> Iterator[str]:
    e = r.escalations
    yield f"# Escalation review {r.week}"
    yield ""
    over = "" if r.over else ", not over yet"
    yield f"{r.since:%Y-%m-%d} to {r.until:%Y-%m-%d} (UTC), told {r.told_at:%Y-%m-%d %H:%M}{over}."
    yield f"{e.opened} opened, {e.closed} closed, {e.left_open} left open; {e.reviewed} of {e.total} reviewed."
    if r.signed:
        yield f"Signed off by {plain(r.signed.by)} on {r.signed.at:%Y-%m-%d %H:%M}."
    yield ""
    yield "## Measures, beside the four weeks before"
    yield ""
    yield from _table(
        ("", "this week", "before", "change", "cases"),
        (
            (
                words.name(f),
                words.value(f.unit, f.now),
                words.value(f.unit, f.was),
                words.change(f.unit, f.change),
                f"{f.cases} / {f.cases_before}{_few(f.few)}",
            )
            for f in r.changes
        ),
    )
    yield ""
    yield f"Few: fewer than {FEW} cases now or before; such a change may be chance. Counts before are a week's mean."
    yield from _reasons(r)
    yield from _found(r)
    yield from _written(r)


def _reasons(r: Review) -> Iterator[str]:
    yield ""
    yield "## Reasons"
    yield ""
    before = {(row.kind, row.reason): row.count for row in r.before.reasons}
    yield from _table(
        ("", "reason", "this week", "share", "a week before"),
        (
            (
                row.kind,
                plain(row.reason.replace("_", " ")),
                str(row.count),
                words.value("share", row.share),
                words.value("count", before.get((row.kind, row.reason), 0) / 4),
            )
            for row in r.measures.reasons
        ),
    )


def _found(r: Review) -> Iterator[str]:
    yield ""
    yield "## Patterns"
    yield ""
    rows = [
        f"- {words.KINDS[p.kind]} {plain(p.name.replace('_', ' ') if p.kind == 'reason' else p.name)}: "
        f"{p.count} this week, {p.before} in the four before{_few(p.few)}"
        for p in r.patterns
    ]
    yield from rows or ["Nothing stands out against its own baseline."]
    yield ""
    yield "## Training needs"
    yield ""
    needs = [
        f"- {plain(words.need(n.kind, n.of))}: {n.count}, {words.value('count', n.was)} a week before{_few(n.few)}"
        for n in r.training.needs
    ]
    yield from (*needs, *_lessons(r.training.lessons)) if needs or r.training.lessons else ("None was found.",)
    yield ""
    yield "## Documentation gaps"
    yield ""
    gaps = [
        f"- Issue {plain(i.issue_key)}: {i.count} this week, {i.before} in the four before "
        f"({', '.join(map(plain, i.tickets))})"
        for i in r.documentation.repeated
    ]
    yield from (*_lessons(r.documentation.lessons), *gaps) if gaps or r.documentation.lessons else ("None was found.",)


def _few(few: bool) -> str:
    return " (few)" if few else ""


def _lessons(lessons: Iterable[Lesson]) -> list[str]:
    return [f"- Lesson of {plain(each.ticket_id)}: {plain(each.text or 'erased')}" for each in lessons]


def _written(r: Review) -> Iterator[str]:
    for title, lines in (
        ("Notes", [f"- {plain(n.text)} ({plain(n.by)})" for n in r.notes]),
        ("Actions", [_action(a) for a in r.actions]),
        ("Open actions of earlier reviews", [_action(a) for a in r.carried]),
    ):
        if lines:
            yield ""
            yield f"## {title}"
            yield ""
            yield from lines


def _action(a: Action) -> str:
    due = f", by {a.due}" if a.due else ""
    return f"- [{'x' if a.done_at else ' '}] {plain(a.text)} ({plain(a.owner)}{due}; {a.week})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(' --- ' for _ in head)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
