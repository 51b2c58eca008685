"""Folding: texts as they are compared, in any case and spelling of Unicode, and where each character came from."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_LIKE = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u2010": "-", "\u2011": "-"})
"""Typographic apostrophes and hyphens are what a keyboard has."""
_CLUSTER = re.compile(r"[\x00-\x7f]+(?=[\x00-\x7f]|$)|(?s:.)")
"""What is plain for long, and single characters: each that is not plain, and one before it, which it may change."""
_BLANKS = re.compile(r"\s\s+|[^\S ]")


class Folded(NamedTuple):
    """A folded text. Its character `i` stands for the original from `at[i]` to `at[i + 1]`."""

    text: str
    at: list[int]


def fold(text: str) -> Folded:
    """NFKC-casefolded, what can't be seen left out (Unicode's NFKC_Casefold), apostrophes and hyphens as typed, and one
    space for each run of blanks."""
    plain = text.translate(_LIKE)
    folded = plain.casefold()
    if len(folded) == len(text) and _is_folded(folded):
        return _apart(Folded(folded, list(range(len(text) + 1))))
    told: list[str] = []
    at: list[int] = []
    for begin, cluster in _clusters(plain):
        normal = _folded(cluster)
        told.append(normal)
        if cluster.isascii():
            at += range(begin, begin + len(normal))
        else:
            at += [begin] * len(normal)
    return _apart(Folded("".join(told), [*at, len(text)]))


def _apart(folded: Folded) -> Folded:
    text, at, since = [], [], 0
    for blank in _BLANKS.finditer(folded.text):
        text += [folded.text[since : blank.start()], " "]
        at += [*folded.at[since : blank.start()], folded.at[blank.start()]]
        since = blank.end()
    return Folded("".join((*text, folded.text[since:])), [*at, *folded.at[since:]])


def _is_folded(text: str) -> bool:
    return text.isascii() or (unicodedata.is_normalized("NFKC", text) and not any(map(_unseen, set(text))))


def _unseen(character: str) -> bool:
    """Soft hyphens, joiners, marks of direction: they change how a word looks, or nothing."""
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


def _folded(cluster: str) -> str:
    if cluster.isascii():
        return cluster.lower()
    normal = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", cluster).casefold())
    return "".join(c for c in normal if not _unseen(c))


def _clusters(text: str) -> list[tuple[int, str]]:
    """The text in pieces that are normalised each by itself: a character and all that combines with it."""
    found: list[tuple[int, str]] = []
    for piece in _CLUSTER.finditer(text):
        begin, cluster = piece.start(), piece[0]
        if found and not cluster.isascii() and _combines(cluster):
            before, base = found[-1]
            found[-1] = (before, base + cluster)
        else:
            found.append((begin, cluster))
    return found


def _combines(character: str) -> bool:
    """Marks, and the vowels and ends of Hangul syllables."""
    return unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff"
