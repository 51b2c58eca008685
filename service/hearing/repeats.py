"""The gist of what was written, by which a second text about the same is known: hashes, which tell nobody a word.

Numbers are left out, so that an alarm that counts is one alarm; short words are, so that no text is like every other.
"""

from __future__ import annotations

import hashlib
import re
from zlib import crc32

from machines.asked import Gist, Heard, Report
from machines.folding import fold
from service.hearing.quoted import answers, own_words

_WORD = re.compile(r"[^\W\d_]+")
SHORTEST, MOST = 3, 200
"""Letters of a word that counts, and how many different words of a text are kept."""


def gist(ask: Report | Heard) -> Gist:
    """Of a ticket's subject and description, or a contact's subject and body; without what they quote."""
    if isinstance(ask, Report):
        texts = [ask.ticket.subject, ask.ticket.description]
    else:
        texts = [None if answers(ask.subject or "") else ask.subject, ask.body]
    words = _WORD.findall(fold(own_words("\n".join(text for text in texts if text))).text)
    if not words:
        return Gist()
    kept = sorted({crc32(word.encode()) - 2**31 for word in words if len(word) >= SHORTEST})
    return Gist(hashlib.sha256(" ".join(words).encode()).hexdigest()[:32], tuple(kept[:MOST]))
