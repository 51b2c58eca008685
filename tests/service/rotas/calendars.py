"""Calendars as others publish them."""

from __future__ import annotations


def calendar(*events: str) -> bytes:
    """An iCalendar of these events, each the lines between BEGIN and END."""
    told = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//tests//EN\n{told}END:VCALENDAR\n".replace("\n", "\r\n").encode()


def event(begin: str, end: str, summary: str = "On call: Lee Smith", *more: str) -> str:
    """Instants as iCalendar writes them, with `;TZID=…:` or `:` before them."""
    return "\n".join((f"UID:{summary}", f"DTSTART{begin}", f"DTEND{end}", f"SUMMARY:{summary}", *more))
