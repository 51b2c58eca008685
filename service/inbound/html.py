"""What a mail's sender wrote: without the quoted history, without the signature, and HTML as text.

Line by line and once through, because libraries that do this by patterns over the whole text take seconds for a mail
that was made for it. Whatever it takes for the sender's own is shown as such, so it rather leaves a line too much.
"""

from __future__ import annotations

import re
from html import unescape

MOST_LINES = 2000
"""Lines of a text that are looked at."""

_ORIGINAL = re.compile(
    r"\s*[-_*=]{2,} ?(?:original(?: message|nachricht)?|forwarded message|urspr[üu]ngliche (?:nachricht|e-?mail)"
    r"|weitergeleitete nachricht|message (?:d'origine|original|transf[ée]r[ée])|mensaje original|mensagem original"
    r"|messaggio (?:originale|inoltrato)|oorspronkelijk bericht|doorgestuurd bericht|oprindelig meddelelse"
    r"|opprinnelig melding|ursprungligt meddelande|wiadomo[śs][ćc] oryginalna) ?[-_*=]{2,}",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"[\s>*]{0,8}(?:from|sent|date|to|cc|subject|reply-to|von|gesendet|datum|an|betreff|de|envoy[ée](?: le)?|[àa]|objet"
    r"|enviado(?: el| em)?|fecha|para|asunto|assunto|da|inviato|data|a|oggetto|van|verzonden|aan|onderwerp|fra|sendt"
    r"|til|emne|fr[åa]n|skickat|till|[äa]mne|od|wys[łl]ano|do|temat|от|отправлено|дата|кому|тема)\*? ?:",
    re.IGNORECASE,
)
_SENDER = re.compile(r"[\s>*]{0,8}(?:from|von|de|da|van|fra|fr[åa]n|od|от)\*? ?:", re.IGNORECASE)
_WROTE = re.compile(
    r"(?:wrote|writes|said|schrieb|geschrieben|a [ée]crit|escribi[óo]|escreveu|ha scritto|schreef|geschreven"
    r"|napisa[łl]\(?a?\)?|skrev|kirjoitti|написала?|пишет|のメッセージ|写道)[^\w]{0,3}$",
    re.IGNORECASE,
)
_SIGNED = re.compile(r"\s*(?:--|__|—|_{20,})\s*")
_RULE = re.compile(r"[-_=*~#\s]*")
_DATED = re.compile(
    r"\W{0,3}(?:\d{1,4}[./年-]|(?:on|am|le|el|il|op|em|den|p[åa]|w dniu|в)\b.{0,20}\d|\w{2,4}\.?, ?\d"
    r"|[^<>]{0,80}<[^<>\s]*@)",
    re.IGNORECASE,
)
_DEVICE = re.compile(
    r"\s*(?:sent from my|sent from a|sent via|get outlook for|von meinem|gesendet von|envoy[ée] de mon|envoy[ée] depuis"
    r"|enviado desde mi|enviado do meu|inviato da|inviato dal mio|verzonden vanaf mijn|verstuurd vanaf mijn"
    r"|skickat fr[åa]n min)\b[^.,;!?]{0,60}",
    re.IGNORECASE,
)


def own_words(text: str) -> str:
    """What is left of a text without quoted history and signature; may be nothing."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MOST_LINES]]
    own: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place][:1000]
        if line.lstrip().startswith(">"):
            place += 1
        elif _history_begins(lines, place) or _SIGNED.fullmatch(line) or _DEVICE.fullmatch(line):
            place = _reply_below(lines, place)
        elif (after := _attribution(lines, place)) is not None:
            place = after if _quoted_at(lines, after) else len(lines)
        else:
            own.append(lines[place])
            place += 1
    while own and _RULE.fullmatch(own[-1][:1000]):
        own.pop()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(own)).strip()


def _history_begins(lines: list[str], place: int) -> bool:
    """A line that announces the original, or the block of its headers."""
    if _ORIGINAL.match(lines[place]):
        return True
    if not _SENDER.match(lines[place]):
        return False
    return sum(1 for line in lines[place : place + 6] if _HEADER.match(line)) >= 3


def _reply_below(lines: list[str], place: int) -> int:
    """Where it goes on after a signature or the original, which is nowhere but before a quotation with an answer."""
    for later in range(place + 1, min(place + 12, len(lines))):
        if (after := _attribution(lines, later)) is not None and _quoted_at(lines, after):
            return later
    return len(lines)


def _attribution(lines: list[str], place: int) -> int | None:
    """The line after `On …, somebody wrote:`, which may be broken into four; None where none begins here."""
    told = ""
    for after in range(place, min(place + 4, len(lines))):
        line = lines[after].strip()
        if not line or line.startswith(">") or len(told) + len(line) > 500 or (told and _DATED.match(line[:200])):
            return None
        told = f"{told} {line}"
        if not ("@" in told or any(char.isdigit() for char in told)):
            continue  # a sentence that ends with "he wrote:" mostly has neither a date nor an address in it
        addressed = told.endswith(":") and "@" in told and _DATED.match(told.lstrip()[:200]) is not None
        if _WROTE.search(told[-60:]) or (addressed and _quoted_at(lines, after + 1, or_end=True)):
            return after + 1
    return None


def _quoted_at(lines: list[str], place: int, *, or_end: bool = False) -> bool:
    """Whether the next line that is not blank is quoted; `or_end`: or there is none."""
    for line in lines[place : place + 4]:
        if line.strip():
            return line.lstrip().startswith(">")
    return or_end


# HTML -------------------------------------------------------------------------------------------------------------

_SILENT = frozenset(("script", "style", "head", "title", "template", "blockquote"))
_BREAKS = frozenset(("br", "p", "div", "tr", "li", "ul", "ol", "table", "hr", "h1", "h2", "h3", "h4", "pre"))
_VOID = frozenset(("br", "hr", "img", "input", "meta", "link", "col", "area", "base", "wbr", "source"))
_QUOTED = frozenset(
    ("gmail_quote", "gmail_extra", "yahoo_quoted", "moz-cite-prefix", "moz-signature", "gmail_signature")
)
_THE_REST = frozenset(("divrplyfwdmsg", "appendonsend", "olk_src_body_section", "stopspelling", "zwchr"))
_TAG = re.compile(r"(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
_MARKS = re.compile(r"\b(class|id)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))", re.IGNORECASE)


def seen(html: str) -> str:
    """HTML as text, without what mail programs mark as quoted or as a signature.

    Each tag is looked at once, where the standard library's parser takes minutes for a mail that was made for it.
    """
    before, *pieces = html.split("<")
    parts, open_, silent, comment = [_spaced(before)], list[str](), 0, False
    for piece in pieces:
        if comment or piece.startswith("!--"):
            _, ended, text = piece.partition("-->")
            comment = not ended
            if ended and not silent:
                parts.append(_spaced(text))
            continue
        tag, ended, text = piece.partition(">")
        if (named := _TAG.match(tag)) is None or not ended:
            if not silent and not tag.startswith(("!", "?")):
                parts.append(_spaced(text if ended else ""))
            continue
        closes, name = bool(named[1]), named[2].lower()
        marks = {found[0].lower(): "".join(found[1:]).lower() for found in _MARKS.findall(tag[:1000])}
        if marks.get("id") in _THE_REST:
            break
        if name in _BREAKS:
            parts.append("\n")
        if closes and name in open_[-20:]:
            while open_.pop() != name:
                pass
            silent = silent if len(open_) >= silent else 0
        elif not closes and name not in _VOID and not tag.endswith("/"):
            open_.append(name)
            if not silent and (name in _SILENT or not _QUOTED.isdisjoint(marks.get("class", "").split())):
                silent = len(open_)
        if not silent:
            parts.append(_spaced(text))
    lines = "".join(parts).split("\n")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in lines)).strip()


def _spaced(text: str) -> str:
    return re.sub(r"\s+", " ", unescape(text))
