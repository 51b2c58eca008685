"""What somebody wrote themselves: not the mails that they answer or forward, nor signatures and legal notices.

What is left out becomes blanks of the same length, so that places in the text stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINES = re.compile(r"[^\n]*\n|[^\n]+$")
_QUOTE = (">", "|")
_WROTE = re.compile(
    r"""\s*(?:
        on\b.{4,200}\bwrote | am\b.{4,200}\bschrieb\b.{0,120} | le\b.{4,200}\ba\sécrit | el\b.{4,200}\bescribió
        | il\b.{4,200}\bha\sscritto | em\b.{4,200}\bescreveu | op\b.{4,200}\bschreef\b.{0,120}
        | den\b.{4,200}\bskrev\b.{0,120}
        | \d{4}[-/.]\d.{4,200}[<(].{3,100}@.{3,100}[>)] | .{0,120}\bwrote\son\b.{4,100}
        | .{4,200}@\S{3,100}\s(?:wrote|writes)
    )\s*[:：]\s*$""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_DIVIDER = re.compile(
    r"""\s*(?:
        [-_*=]{2,}\s*(?:original\smessage|original\sappointment|forwarded\s(?:message|by)\b.{0,100}|reply\smessage
            |ursprüngliche\s(?:nachricht|mail)|originalnachricht|weitergeleitete\snachricht|message\sd'origine
            |message\stransféré|message\soriginal|mensaje\soriginal|mensaje\sreenviado|messaggio\soriginale
            |oorspronkelijk\sbericht|الرسالة\sالأصلية)\s*[-_*=]*
        | begin\sforwarded\smessage\s*: | anfang\sder\sweitergeleiteten\s(?:nachricht|e-mail)\s*:
        | début\sdu\smessage\s(?:réexpédié|transféré)\s*: | inicio\sdel\smensaje\sreenviado\s*:
        | [-=_]*\s*(?:please\s)?(?:reply|write)\s(?:your\s(?:reply|answer)\s)?above\sthis\sline\b.{0,60}
    )\s*$""",
    re.IGNORECASE | re.VERBOSE,
)
_HEADER = re.compile(
    r"\s*[*_]{0,2}(?:from|sent|date|to|cc|subject|von|gesendet|datum|an|betreff|de|envoyé|à|objet|enviado|para|asunto"
    r"|fecha|da|inviato|oggetto|van|verzonden|aan|onderwerp|من|إلى|التاريخ|الموضوع)[*_]{0,2}\s?:[*_]{0,2}\s+\S",
    re.IGNORECASE,
)
_SENDER = re.compile(r"\s*[*_]{0,2}(?:from|von|de|da|van|من)[*_]{0,2}\s?:", re.IGNORECASE)
_SENT_FROM = re.compile(
    r"\s*(?:sent|gesendet|von meinem|envoyé|enviado|inviato|verstuurd|get outlook)\b.{0,80}"
    r"\b(?:iphone|ipad|android|blackberry|mobile|handy|galaxy|phone|samsung|outlook|device)\b.{0,60}$",
    re.IGNORECASE,
)
_NOTICE = re.compile(
    r"\b(?:intended (?:solely|only|recipient)|intended for the (?:sole )?use|if you (?:are not|have received this)"
    r"|this (?:e-?mail|message|communication)\b.{0,80}\b(?:confidential|privileged|virus|scanned)"
    r"|confidentiality notice|diese (?:e-?mail|nachricht)\b.{0,80}\bvertraulich"
    r"|ce (?:message|courriel|mail)\b.{0,80}\bconfidentiel|este (?:mensaje|correo)\b.{0,80}\bconfidencial)",
    re.IGNORECASE | re.DOTALL,
)
_ANSWERS = re.compile(r"(?:re|aw|sv|antw|fwd?|wg|tr|rv|res|r|رد)\s*(?:\[\d+\]\s*)?[:：]", re.IGNORECASE)
_LONGEST_WROTE = 3
"""Mail programs break the line that names whom they quote, into so many."""
_LONGEST_LINE = 300
"""Characters of a line that are looked at: what says that others wrote it is short."""
_LONGEST_SIGNATURE = 15
"""Lines: what comes after a lone dash dash and is longer is no signature."""


def answers(subject: str) -> bool:
    """A subject that repeats the one that it answers or forwards."""
    return _ANSWERS.match(subject.lstrip()[:20]) is not None


def own_words(text: str) -> str:
    """The text with blanks for what its author did not write now."""
    lines = [match[0] for match in _LINES.finditer(text)]
    heads = [line.strip()[:_LONGEST_LINE] for line in lines]
    own = [not (head.startswith(_QUOTE) or _SENT_FROM.match(head)) for head in heads]
    i = 0
    while i < len(heads):
        if taken := _wrote(heads, i):
            own[i : i + taken] = [False] * taken
            if not _quotes_follow(heads, i + taken):
                break
            i += taken
        elif own[i] and (_DIVIDER.match(heads[i]) or _headers(heads, i) or _signs(heads, i)):
            break
        else:
            i += 1
    own[i:] = [False] * (len(own) - i)
    for begin, end in _paragraphs(heads):
        if any(own[begin:end]) and _NOTICE.search(" ".join(heads[begin:end])):
            own[begin:end] = [False] * (end - begin)
    return "".join(line if mine else _blank(line) for line, mine in zip(lines, own, strict=True))


def _wrote(heads: list[str], i: int) -> int:
    """How many lines name whom the rest quotes; 0: none does."""
    for count in range(1, _LONGEST_WROTE + 1):
        told = heads[i : i + count]
        if all(told) and told[-1].endswith((":", "\uff1a")):
            return count if _WROTE.match(" ".join(told)) else 0
    return 0


def _quotes_follow(heads: list[str], i: int) -> bool:
    """Whether what is quoted is marked line by line, so that an answer may stand between."""
    return next((head.startswith(_QUOTE) for head in heads[i:] if head), False)


def _headers(heads: list[str], i: int) -> bool:
    """The head of a mail: who it is from, and at least one more line of its kind."""
    return _SENDER.match(heads[i]) is not None and i + 1 < len(heads) and _HEADER.match(heads[i + 1]) is not None


def _signs(heads: list[str], i: int) -> bool:
    """A lone dash dash, or the rule above a mailing list's footer."""
    ruled = heads[i] in ("--", "__", "\u2014") or (len(heads[i]) >= 20 and set(heads[i]) == {"_"})
    return ruled and len(heads) - i <= _LONGEST_SIGNATURE


def _paragraphs(heads: list[str]) -> Iterator[tuple[int, int]]:
    begin = 0
    for i, head in enumerate([*heads, ""]):
        if not head:
            if begin < i:
                yield begin, i
            begin = i + 1


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)
