"""How a customer asks for an escalation: by a channel that is a request in itself, or by a word in a reply's subject.

The document's "How to Escalate, For Customers"; `domain.md`, "Channels". There is no other place for this rule.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from machines.folding import Folded, fold
from machines.matrix import Policy
from machines.values import Channel, Word

IN_ITSELF: tuple[Channel, ...] = ("call", "account_manager", "emergency")
"""A customer who takes one of these asks for an escalation, unless it is said that they do not."""

_LOOKS_LIKE = {
    letter: latin
    for latin, letters in {
        "a": "аαɑᴀᎪ",
        "c": "сϲσςᴄᏟ",
        "d": "ԁᴅᎠ",
        "e": "еεєҽᴇꬲ℮Ꭼ3",
        "i": "іιɪᎥ",
        "l": "ӏʟ|1Ꮮǀ",
        "n": "ոɴ",
        "o": "оοᴏօ",
        "p": "рρᴘᏢ",
        "r": "гʀᏒ",
        "s": "ѕꜱᏚ5$",
        "t": "тτᴛᎢ7+",
        "x": "хχ",
        "y": "уγʏ",
    }.items()
    for letter in letters
}
"""Letters of other scripts, and digits, that pass for a Latin one in print, folded as they are compared."""
_DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")


def word_in(subject: str | None, policy: Policy) -> Word | None:
    """The word that asks for an escalation, whole in this subject; else what only looks like it.

    Folded by NFKC and case, as Unicode does it: `ＥＳＣＡＬＡＴＥ` and `EſCALATE` are the word, and an invisible
    character in it hides nothing. `de-escalate` is the opposite, in whatever letters it is written.
    """
    plain = _without_marks(fold(subject or ""))
    found = [word for asked in policy.document.asking.words for word in _occurrences(plain, asked, policy)]
    exact = [word for word in found if not word.look_alike]
    return next(iter(exact or found), None)


def _occurrences(plain: list[tuple[str, int, bool]], asked: str, policy: Policy) -> Iterator[Word]:
    size = len(asked)
    for begin in range(len(plain) - size + 1):
        part = plain[begin : begin + size]
        end = begin + size
        if not all(_reads(char, wanted) for (char, _, _), wanted in zip(part, asked, strict=True)):
            continue
        if (begin and _of_a_word(plain[begin - 1][0])) or (end < len(plain) and _of_a_word(plain[end][0])):
            continue
        if _undone(plain, begin, policy):
            continue
        look_alike = any(marked or char != wanted for (char, _, marked), wanted in zip(part, asked, strict=True))
        yield Word(asked, part[0][1], look_alike)


def _without_marks(folded: Folded) -> list[tuple[str, int, bool]]:
    """Letters without their accents, where each comes from, and whether it had some: what is accented only looks like
    the word."""
    found: list[tuple[str, int, bool]] = []
    for char, place in zip(folded.text, folded.at, strict=False):  # `at` also says where it ends
        apart = unicodedata.normalize("NFD", char)
        if unicodedata.category(char).startswith("M"):
            if found:
                found[-1] = (*found[-1][:2], True)
        else:
            found.append((apart[0], place, len(apart) > 1))
    return found


def _reads(char: str, wanted: str) -> bool:
    """Whether it is that letter, or passes for it; `ι` passes for an i and, as a capital, for an l."""
    return char == wanted or _LOOKS_LIKE.get(char) == wanted or (wanted == "l" and _LOOKS_LIKE.get(char) == "i")


def _of_a_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _undone(plain: list[tuple[str, int, bool]], begin: int, policy: Policy) -> bool:
    """`de-` before it, with whatever dash, as a word of its own."""
    if not begin or plain[begin - 1][0] not in _DASHES:
        return False
    for before in policy.document.asking.undone_by:
        start = begin - 1 - len(before)
        part = plain[max(start, 0) : begin - 1]
        whole = start == 0 or (start > 0 and not _of_a_word(plain[start - 1][0]))
        if whole and all(_reads(char, wanted) for (char, _, _), wanted in zip(part, before, strict=True)):
            return True
    return False
