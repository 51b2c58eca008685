"""Which words of the policy's lists a customer wrote: whole, in any case, and where.

Only what a customer wrote is read: a ticket's own subject and description, and contacts whose author is the customer;
in those not what they quote. Sources: `domain.md`, "Channels" ("Who wrote a text matters").
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import ahocorasick

from machines.asked import Found, Heard, Report
from machines.document import WordList
from machines.folding import Folded, fold
from machines.matrix import Policy
from service.hearing.quoted import answers, own_words

MOST = 20
"""Words of one text that are kept, of each situation."""


class _Hit(NamedTuple):
    """A form of a word in a folded text; `word` numbers the list's words, -1: a phrase in which nothing counts."""

    begin: int
    end: int
    word: int


class Finder:
    """All lists of a policy as one automaton: a text is read once, however many words there are."""

    def __init__(self, lists: tuple[WordList, ...]) -> None:
        self._lists = lists
        forms: dict[str, list[tuple[int, int]]] = {}
        for number, each in enumerate(lists):
            for word, spoken in enumerate((each.unless, *each.words), -1):
                for form in spoken:
                    forms.setdefault(fold(form).text.strip(), []).append((number, word))
        self._automaton = ahocorasick.Automaton()
        for form, meant in forms.items():
            self._automaton.add_word(form, (len(form), meant))
        if forms:
            self._automaton.make_automaton()

    def find(self, texts: Iterable[tuple[str, str]]) -> tuple[Found, ...]:
        """The words in these texts, each a field's name and what stands there: of each list and field a word once."""
        found: list[Found] = []
        for field, text in texts:
            folded = fold(own_words(text))
            for number, hits in sorted(self._hits(folded).items()):
                found += self._told(self._lists[number], hits, folded, field, text)
        kept: list[Found] = []
        for each in found:
            if sum(other.situation == each.situation for other in kept) < MOST:
                kept.append(each)
        return tuple(kept)

    def _hits(self, folded: Folded) -> dict[int, list[_Hit]]:
        hits: dict[int, list[_Hit]] = {}
        if folded.text and len(self._automaton):
            for last, (size, meant) in self._automaton.iter(folded.text):
                begin, end = last + 1 - size, last + 1
                if _is_whole(folded.text, begin, end):
                    for number, word in meant:
                        hits.setdefault(number, []).append(_Hit(begin, end, word))
        return hits

    def _told(self, told: WordList, hits: list[_Hit], folded: Folded, field: str, text: str) -> Iterator[Found]:
        if told.read == "subject" and field != "subject":
            return
        passed = [hit for hit in hits if hit.word < 0]
        counted = [
            hit for hit in hits if hit.word >= 0 and not any(p.begin <= hit.begin and hit.end <= p.end for p in passed)
        ]
        counted.sort(key=lambda hit: (hit.begin, -hit.end))
        if told.needs > 1:
            counted = _close(counted, told.needs, told.near)
        seen = set[int]()
        for hit in counted:
            if hit.word in seen:
                continue
            seen.add(hit.word)
            begin, end = folded.at[hit.begin], folded.at[hit.end]
            word = told.words[hit.word][0]
            key = f"{told.situation}:{told.name}" + (f":{word}" if told.needs == 1 else "")
            yield Found(told.situation, told.name, word, field, begin, text[begin:end].rstrip(), key)


def _is_whole(text: str, begin: int, end: int) -> bool:
    return not (begin and _goes_on(text[begin - 1])) and not (end < len(text) and _goes_on(text[end]))


def _goes_on(character: str) -> bool:
    """Letters, digits and marks make a word longer."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _close(hits: list[_Hit], needs: int, near: int | None) -> list[_Hit]:
    """The first of these, in their order, that are so many different words no further apart than that."""
    begin = 0
    there: Counter[int] = Counter()
    for end, hit in enumerate(hits, 1):
        there[hit.word] += 1
        while near is not None and hit.end - hits[begin].begin > near:
            there[hits[begin].word] -= 1
            begin += 1
        if len(+there) >= needs:
            return hits[begin:end]
    return []


@lru_cache(maxsize=8)
def finder(policy: Policy) -> Finder:
    """The finder of a policy; a version never changes, so it is made once."""
    return Finder(policy.document.words)


def find(policy: Policy, ask: Report | Heard) -> tuple[Found, ...]:
    """The flagged words that the customer wrote, in a ticket's texts or a contact's.

    A subject that only repeats the one that it answers is not read.
    """
    texts: tuple[tuple[str, str | None], ...] = ()
    if isinstance(ask, Report):
        texts = (("subject", ask.ticket.subject), ("description", ask.ticket.description))
    elif ask.author_role == "customer":
        texts = (("subject", None if answers(ask.subject or "") else ask.subject), ("body", ask.body))
    return finder(policy).find([(field, text) for field, text in texts if text])
