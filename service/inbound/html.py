"""HTML as text, as somebody reads it: without what mail programs mark as quoted or as a signature."""

from __future__ import annotations

import re
from html import unescape

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
