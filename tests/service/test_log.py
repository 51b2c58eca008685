"""What a line of the log holds, and what it never holds."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from service import log


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Loggers are a process's own: other tests find them as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:], root.level = handlers, level


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """What was written to stderr, each line parsed."""
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_every_line_carries_the_request_id_those_of_other_libraries_too(
    capfd: pytest.CaptureFixture[str],
) -> None:
    log.configure("json", "info")
    structlog.contextvars.bind_contextvars(request_id="r1")
    structlog.get_logger().info("escalation_opened", ticket_id="7")
    logging.getLogger("aiohttp.server").warning("slow %s", "client")
    structlog.get_logger().debug("not_said")
    ours, theirs = lines(capfd)
    assert (ours["event"], ours["ticket_id"], ours["level"]) == ("escalation_opened", "7", "info")
    assert (theirs["event"], theirs["logger"]) == ("slow client", "aiohttp.server")
    assert ours["request_id"] == theirs["request_id"] == "r1"


def test_a_text_from_outside_cannot_begin_a_line_of_its_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    log.configure("json", "info")
    structlog.get_logger().info("seen", text='\n{"event": "forged"}\r\n\x1b[31m')
    [line] = lines(capfd)
    assert line["event"] == "seen"


def test_what_json_cannot_hold_is_logged_all_the_same(
    capfd: pytest.CaptureFixture[str],
) -> None:
    log.configure("json", "info")
    structlog.get_logger().info("seen", surrogate="\ud800", odd=object(), big=2**70)
    assert [line["event"] for line in lines(capfd)] == ["seen"]


def test_a_traceback_is_part_of_its_line_and_holds_no_local_variables(
    capfd: pytest.CaptureFixture[str],
) -> None:
    log.configure("json", "info")
    password = "hunter" + "2"
    try:
        _ = 1 / (len(password) - 7)
    except ZeroDivisionError:
        structlog.get_logger().exception("failed")
        logging.getLogger("asyncpg").exception("failed too")
    text = capfd.readouterr().err
    assert len(text.splitlines()) == 2
    assert "ZeroDivisionError" in text
    assert password not in text
