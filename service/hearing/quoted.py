"""What somebody wrote themselves: not the mails that they answer or forward, nor signatures and legal notices.

Line by line and once through, because patterns over the whole text take seconds for a text that was made for it. It
rather leaves a line too much: what it takes for somebody's own is shown as such, and read for flagged words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MOST_LINES = 2000
"""Lines of a mail that are looked at."""
_LINES = re.compile(r"[^\n]*\n|[^\n]+$")
_QUOTE = (">", "|")
_DIVIDER = re.compile(
    r"""(?:
        [-_*=]{2,}\s*(?:original(?:\s(?:message|appointment)|nachricht)?|forwarded\s(?:message|by)\b.{0,100}
            |reply\smessage|urspr[üu]ngliche\s(?:nachricht|e-?mail)|weitergeleitete\snachricht
            |message\s(?:d'origine|original|transf[ée]r[ée])|mensaje\s(?:original|reenviado)|mensagem\soriginal
            |messaggio\s(?:originale|inoltrato)|oorspronkelijk\sbericht|doorgestuurd\sbericht|oprindelig\smeddelelse
            |opprinnelig\smelding|ursprungligt\smeddelande|wiadomo[śs][ćc]\soryginalna|الرسالة\sالأصلية)\s*[-_*=]{2,}
        | begin\sforwarded\smessage\s*: | anfang\sder\sweitergeleiteten\s(?:nachricht|e-mail)\s*:
        | début\sdu\smessage\s(?:réexpédié|transféré)\s*: | inicio\sdel\smensaje\sreenviado\s*:
        | [-=_]*\s*(?:please\s)?(?:reply|write)\s(?:your\s(?:reply|answer)\s)?above\sthis\sline\b.{0,60}
    )\s*$""",
    re.IGNORECASE | re.VERBOSE,
)
_SENDER = re.compile(r"[\s*_]{0,4}(?:from|von|de|da|van|fra|fr[åa]n|od|от|من)[*_]{0,2}\s?:", re.IGNORECASE)
_HEADER = re.compile(
    r"[\s*_]{0,4}(?:from|sent|date|to|cc|subject|reply-to|von|gesendet|datum|an|betreff|de|envoy[ée](?: le)?|[àa]|objet"
    r"|enviado(?: el| em)?|fecha|para|asunto|assunto|da|inviato|data|oggetto|van|verzonden|aan|onderwerp|fra|sendt"
    r"|til|emne|fr[åa]n|skickat|till|[äa]mne|od|wys[łl]ano|do|temat|от|отправлено|дата|кому|тема|من|إلى|التاريخ|الموضوع)"
    r"[*_]{0,2}\s?:[*_]{0,2}(\s+\S)?",
    re.IGNORECASE,
)
_WROTE = re.compile(
    r"(?:wrote|writes|said|schrieb|geschrieben|a [ée]crit|escribi[óo]|escreveu|ha scritto|schreef|geschreven"
    r"|napisa[łl]\(?a?\)?|skrev|kirjoitti|написала?|пишет|のメッセージ|写道)[^\w]{0,3}$",
    re.IGNORECASE,
)
_WROTE_WHO = re.compile(
    r"\s*(?:am|op|den|dne|w dniu)\b.{4,200}\b(?:schrieb|schreef|skrev|napsala?|napisa[łl]a?)\b.{0,120}\s?[:：]$",
    re.IGNORECASE,
)
_DATED = re.compile(
    r"\W{0,3}(?:\d{1,4}[./年-]|(?:on|am|le|el|il|op|em|den|p[åa]|w dniu|в)\b.{0,20}\d|\w{2,4}\.?, ?\d"
    r"|[^<>]{0,80}<[^<>\s]*@)",
    re.IGNORECASE,
)
_DEVICE = re.compile(
    r"(?:sent from my|sent from a|sent via|get outlook for|von meinem|gesendet von|envoy[ée] de mon|envoy[ée] depuis"
    r"|enviado desde mi|enviado do meu|inviato da|inviato dal mio|verzonden vanaf mijn|verstuurd vanaf mijn"
    r"|skickat fr[åa]n min)\b[^.,;!?]{0,60}",
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
_RULE = re.compile(r"[-_=*~#\s]*")
_LONGEST_WROTE = 4
"""Mail programs break the line that names whom they quote, into so many."""
_LONGEST_LINE = 300
"""Characters of a line that are looked at: what says that others wrote it is short."""
_LONGEST_SIGNATURE = 15
"""Lines: what comes after a lone dash dash and is longer is no signature."""


def answers(subject: str) -> bool:
    """A subject that repeats the one that it answers or forwards."""
    return _ANSWERS.match(subject.lstrip()[:20]) is not None


def own_words(text: str) -> str:
    """The text with blanks for what its author did not write now, so that places in it stay what they are."""
    lines = [match[0] for match in _LINES.finditer(text)]
    own = _own([line.strip()[:_LONGEST_LINE] for line in lines])
    return "".join(line if mine else _blank(line) for line, mine in zip(lines, own, strict=True))


def own_text(text: str) -> str:
    """A mail's text without what its author did not write now; may be nothing."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MOST_LINES]]
    own = _own([line.strip()[:_LONGEST_LINE] for line in lines])
    kept = [line for line, mine in zip(lines, own, strict=True) if mine]
    while kept and _RULE.fullmatch(kept[-1][:1000]):
        kept.pop()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _own(heads: list[str]) -> list[bool]:
    """Which of these lines their author wrote now."""
    own = [False] * len(heads)
    left = _lines_left(heads)
    i = 0
    while i < len(heads):
        if heads[i].startswith(_QUOTE) or _DEVICE.fullmatch(heads[i]):
            i += 1
        elif _history_begins(heads, i) or (_signs(heads[i]) and left[i] <= _LONGEST_SIGNATURE):
            i = _answer_below(heads, i)
        elif (after := _attribution(heads, i)) is not None:
            i = after if _quoted_at(heads, after) else len(heads)
        else:
            own[i] = True
            i += 1
    for begin, end in _paragraphs(heads):
        if any(own[begin:end]) and _NOTICE.search(" ".join(heads[begin:end])):
            own[begin:end] = [False] * (end - begin)
    return own


def _lines_left(heads: list[str]) -> list[int]:
    """For each line, how many come after it that are not blank."""
    left, count = [0] * len(heads), 0
    for i in range(len(heads) - 1, -1, -1):
        left[i] = count
        count += bool(heads[i])
    return left


def _history_begins(heads: list[str], i: int) -> bool:
    """A line that announces the original, or the head of a mail: who it is from, and more lines of its kind."""
    if _DIVIDER.match(heads[i]):
        return True
    if not _SENDER.match(heads[i]):
        return False
    following = [_HEADER.match(head) for head in heads[i + 1 : i + 6]]
    beside = following[0] if following else None
    return (beside is not None and beside[1] is not None) or sum(map(bool, following)) >= 2


def _signs(head: str) -> bool:
    """A lone dash dash, or the rule above a mailing list's footer."""
    return head in ("--", "__", "\u2014") or (len(head) >= 20 and set(head) == {"_"})


def _answer_below(heads: list[str], i: int) -> int:
    """Where it goes on after a signature or the original, which is nowhere but before a quotation with an answer."""
    for later in range(i + 1, min(i + 12, len(heads))):
        if (after := _attribution(heads, later)) is not None and _quoted_at(heads, after):
            return later
    return len(heads)


def _attribution(heads: list[str], i: int) -> int | None:
    """The line after `On …, somebody wrote:`, which may be broken into several; None where none begins here."""
    told = ""
    for after, head in enumerate(heads[i : i + _LONGEST_WROTE], i + 1):
        goes_on = head.startswith("<") or not _DATED.match(head[:200])
        if not head or head.startswith(_QUOTE) or len(told) + len(head) > 500 or (told and not goes_on):
            return None
        told = f"{told} {head}"
        if not ("@" in told or any(char.isdigit() for char in told)):
            continue  # a sentence that ends with "he wrote:" mostly has neither a date nor an address in it
        addressed = told.endswith((":", "：")) and "@" in told and _DATED.match(told.lstrip()[:200]) is not None
        wrote = _WROTE.search(told[-60:]) or _WROTE_WHO.match(told)
        if wrote or (addressed and _quoted_at(heads, after, or_end=True)):
            return after
    return None


def _quoted_at(heads: list[str], i: int, *, or_end: bool = False) -> bool:
    """Whether the next line that is not blank is quoted; `or_end`: or there is none."""
    return next((head.startswith(_QUOTE) for head in heads[i : i + 4] if head), or_end)


def _paragraphs(heads: list[str]) -> Iterator[tuple[int, int]]:
    begin = 0
    for i, head in enumerate([*heads, ""]):
        if not head:
            if begin < i:
                yield begin, i
            begin = i + 1


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)
