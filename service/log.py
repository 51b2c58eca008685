"""Logging: one line an event on stderr, JSON for machines or coloured for people.

Whoever handles a request binds its id, ``structlog.contextvars.bind_contextvars(request_id=…)``, and
every line that follows in that task carries it, those of the standard library's loggers (aiohttp,
asyncpg) too. Events are named in the past tense and carry identifiers, never texts or addresses.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import structlog
from structlog.typing import EventDict, Processor

_encode = msgspec.json.Encoder(enc_hook=repr, order=None).encode


def configure(style: Literal["json", "console"] = "json", level: str = "info") -> None:
    """Send every logger of this process to stderr in one style, from `level` upwards."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [structlog.contextvars.merge_contextvars, _when_and_how_bad]
    render: Processor
    factory: Any
    if style == "json":
        # Without locals, which hold what people wrote.
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
        shared.append(structlog.processors.ExceptionRenderer(frames))
        render = structlog.processors.JSONRenderer(serializer=_line)
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
    else:
        render = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            timestamp_key="at",
            exception_formatter=structlog.dev.plain_traceback,
        )
        factory = structlog.PrintLoggerFactory(sys.stderr)
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                render,
                _as_text,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    # It tells of every state it enters and leaves; history does that better.
    logging.getLogger("transitions").setLevel(max(threshold, logging.WARNING))


def _when_and_how_bad(_: object, method: str, event: EventDict) -> EventDict:
    """Two processors in one, for every request logs a line: its instant is told as JSON tells instants."""
    event["level"] = "error" if method == "exception" else method
    event["at"] = datetime.now(UTC)
    return event


def _line(event: dict[str, Any], **_: object) -> bytes:
    try:
        return _encode(event)
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        # A lone surrogate, say, from a caller's text. A log line is never why something fails.
        return json.dumps(event, default=repr, skipkeys=True).encode()


def _as_text(_logger: object, _method: str, line: Any) -> str:
    return line.decode() if isinstance(line, bytes) else str(line)
