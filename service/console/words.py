"""How the console says names, instants and spans. Everything is UTC, as in history."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_CAPITALS = {
    "p0": "P0",
    "p1": "P1",
    "p2": "P2",
    "p3": "P3",
    "sla": "SLA",
    "pr": "PR",
    "l1": "L1",
    "l2": "L2",
    "l3": "L3",
    "l4": "L4",
}
_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
_TYPED = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,6})?)?)?")
_ISO = re.compile(r"P(?=.)(?:(\d+)D)?(?:T([\d.]+)S)?")
_SPAN = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?")


def spoken(name: str) -> str:
    """`blocking_business_process` as people say it; also `de_escalate` and `l2`."""
    first, *rest = name.replace("de_escalat", "de-escalat").split("_")
    said = [_CAPITALS.get(first, first[:1].upper() + first[1:]), *(_CAPITALS.get(word, word) for word in rest)]
    return " ".join(said)


def worded(text: object) -> str:
    """A code as people say it, and what people wrote as it is."""
    told = str(text)
    return spoken(told) if _CODE.fullmatch(told) else told


def instant(at: datetime, now: datetime | None = None) -> str:
    """`14:05` on the day of `now`, else with its date."""
    at = at.astimezone(UTC)
    if now is not None and at.date() == now.astimezone(UTC).date():
        return f"{at:%H:%M}"
    return f"{at:%-d %b %H:%M}" if now is not None and at.year == now.astimezone(UTC).year else f"{at:%-d %b %Y %H:%M}"


def iso(at: datetime) -> str:
    """For `<time datetime>`."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def with_offset(text: str) -> str:
    """An instant as a browser's field sends it, or a day alone, made one in UTC; anything else stays as it is."""
    match = _TYPED.fullmatch(text.strip())
    return f"{match[1]}T{match[2] or '00:00'}{match[3] or ':00'}Z" if match else text


def for_field(text: str) -> str | None:
    """An instant as a browser's field for instants holds it; None where it is none, and must be shown as it is."""
    try:
        at = datetime.fromisoformat(with_offset(text))
    except ValueError:
        return None
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}" if at.tzinfo is not None and at.year >= 1000 else None


def span(length: timedelta) -> str:
    """The two largest units of a span: `2 d 4 h`, `3 h 5 min`, `40 s`."""
    seconds = int(abs(length).total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n][:2]
    return " ".join(parts) or f"{seconds} s"


def iso_span(text: str) -> str:
    """Working time as the API tells it, `PT7H30M`: a day of it is not a day, so hours stay hours."""
    match = _SPAN.fullmatch(text)
    hours, minutes, seconds = match.groups() if match else (None, None, None)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min")) if n]
    return " ".join(parts) or f"{float(seconds or 0):.0f} s"


def policy_value(value: object) -> str:
    """A value of a policy as it is answered: spans and yes or no are said, the rest is as it is written."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and (match := _ISO.fullmatch(value)):
        return span(timedelta(days=int(match[1] or 0), seconds=float(match[2] or 0)))
    return str(value)


def until(at: datetime, now: datetime) -> str:
    """`in 20 min`, or `20 min late`. The live module counts on in the same words."""
    return f"{span(now - at)} late" if at < now else f"in {span(at - now)}"
