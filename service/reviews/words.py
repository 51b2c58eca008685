"""How a review says its figures: the same words on the page and in Markdown."""

from __future__ import annotations

from datetime import timedelta

from service.durations import span
from service.reviews.figures import Figure, Unit

MEASURES = {
    "escalation_rate": "Escalation rate",
    "escalations": "Escalations opened",
    "tickets": "Tickets opened",
    "resolution_median": "Time to resolution, median",
    "resolution_p90": "Time to resolution, nine of ten",
    "withdrawn": "Withdrawn before a level was called",
    "satisfaction": "Customer satisfaction, 1 to 5",
    "response_rate": "Customers who answered",
    "response_attainment": "Levels that answered in time",
    "engaged_late": "Engaged after their deadline",
    "denials": "Refused attempts",
    "coverage_gaps": "Levels skipped: nobody on duty",
    "offered_to_nobody": "Offers that nobody could take",
    "re_escalated": "Opened after a close on the same ticket",
    "resumed": "Went back while de-escalating",
    "dismissed": "Flags dismissed as false alarms",
    "declined": "Handoffs declined",
    "unbriefed": "Handoffs accepted without anybody's brief",
}
"""By `Figure.measure`."""
BETTER: dict[str, int] = {
    "satisfaction": 1,
    "response_rate": 1,
    "response_attainment": 1,
    **dict.fromkeys(("escalation_rate", "resolution_median", "resolution_p90", "engaged_late", "re_escalated"), -1),
    **dict.fromkeys(("coverage_gaps", "offered_to_nobody", "dismissed", "declined", "unbriefed", "resumed"), -1),
}
"""Which way is better, where one is."""
NEEDS = {
    "denied": "refused: {}",
    "declined": "handoffs declined at {}",
    "unbriefed": "handoffs accepted at {} without anybody's brief",
    "late": "late or missing answers at {}",
}
KINDS = {"reason": "Reason", "customer": "Customer", "product": "Product"}
NOTHING = "–"


def name(figure: Figure) -> str:
    """What a figure is of."""
    if figure.of is None:
        return MEASURES[figure.measure]
    return f"{MEASURES[figure.measure]}, {figure.of.upper() if figure.of.startswith('l') else figure.of}"


def need(kind: str, of: str) -> str:
    """A training need."""
    said = NEEDS[kind].format(of.upper() if len(of) == 2 else of.replace("_", " "))
    return said[0].upper() + said[1:]


def value(unit: Unit, told: float | str | None) -> str:
    """A figure: `43.3 %`, `2 d 4 h`, `4.25`, `12`."""
    if told is None:
        return NOTHING
    if isinstance(told, str):
        return length(span(told))
    if unit == "share":
        return f"{told * 100:.1f} %"
    return f"{told:.2f}" if unit == "score" else f"{told:,.2f}".rstrip("0").rstrip(".")


def change(unit: Unit, told: float | str | None) -> str:
    """By how much it changed, with its sign; shares in points."""
    if told is None:
        return NOTHING
    if isinstance(told, str):
        less, text = told.startswith("-"), length(span(told.removeprefix("-")))
        return "=" if text == "0 s" else f"{'−' if less else '+'}{text}"
    if round(told, 4) == 0:
        return "="
    shown = f"{abs(told) * 100:.1f} pt" if unit == "share" else value(unit, abs(told))
    return f"{'−' if told < 0 else '+'}{shown}"


def tone(figure: Figure) -> str:
    """`better`, `worse`, or nothing: where no way is better, nothing changed, or the figure is small."""
    if figure.few or figure.change is None or figure.measure not in BETTER:
        return ""
    less = figure.change.startswith("-") if isinstance(figure.change, str) else figure.change < 0
    if figure.change in (0, "PT0S"):
        return ""
    return "worse" if less == (BETTER[figure.measure] > 0) else "better"


def length(of: timedelta) -> str:
    """The two largest units of a span."""
    seconds = int(of.total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n][:2]
    return " ".join(parts) or f"{seconds} s"
