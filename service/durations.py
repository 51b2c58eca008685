"""Spans of time as ISO 8601 durations, and back."""

from __future__ import annotations

import re
from datetime import timedelta

_ISO = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,6})?)S)?", re.ASCII)


def iso(span: timedelta) -> str:
    """As hours, minutes and seconds: a day of working time is not a day."""
    minutes, seconds = divmod(span, timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    exactly = f"{seconds.total_seconds():.6f}".rstrip("0").rstrip(".")
    parts = ((f"{hours}H", hours), (f"{minutes}M", minutes), (f"{exactly}S", seconds))
    return "PT" + ("".join(part for part, there in parts if there) or "0S")


def span(text: str) -> timedelta:
    """What `iso` wrote; raises ValueError for anything else."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration of hours, minutes and seconds")
    hours, minutes, seconds = match.groups()
    whole, _, part = (seconds or "0").partition(".")
    return timedelta(
        hours=int(hours or 0), minutes=int(minutes or 0), seconds=int(whole), microseconds=int(f"{part:0<6}" or 0)
    )
