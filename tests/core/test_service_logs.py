"""service.logs: what a line looks like, what the journal gets, and how often a message may repeat."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from systemd.journal import JournalHandler

from service.log_bound import RateBound, Suppressed
from service.logs import (
    REPEAT_WINDOW_S,
    REPEATS_MAX,
    BoundedHandler,
    JournalFormatter,
    Log,
    configure,
    journal_fields,
    text_handler,
)

ROOT = Path(__file__).resolve().parents[2]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the logger `gateway.loop` writes, as text."""
    stream = io.StringIO()
    logger, handler = logging.getLogger("gateway.loop"), text_handler(stream)
    logger.addHandler(handler)
    logger.setLevel("DEBUG")
    yield stream
    logger.removeHandler(handler)


def test_a_line_is_time_level_logger_message_and_fields(written: io.StringIO) -> None:
    Log("gateway.loop").info("floor granted", burst=7, user="car-1", waited_s=0.25)

    line = written.getvalue()
    assert re.fullmatch(
        r"[\d-]{10}T[\d:]{8}\.\d{3}Z INFO  gateway\.loop: floor granted burst=7 user=car-1 waited_s=0\.25\n",
        line,
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("two words", '"two words"'),
        ("", '""'),
        ("한국어", "한국어"),
        ('say "hi"', r'"say \"hi\""'),
        ("a\n2026-01-01T00:00:00.000Z INFO  forged", r'"a\n2026-01-01T00:00:00.000Z INFO  forged"'),
        ("\x1b[2J", r'"\x1b[2J"'),
        ("x" * 1000, "x" * 299 + "…"),
        (None, "None"),
    ],
)
def test_a_value_cannot_forge_a_line_or_flood_it(written: io.StringIO, value: object, text: str) -> None:
    Log("gateway.loop").info("heard", value=value)

    assert written.getvalue().partition(": ")[2] == f"heard value={text}\n"


def test_a_percent_sign_in_a_message_is_only_a_percent_sign(written: io.StringIO) -> None:
    Log("gateway.loop").info("100 %s sure")

    assert written.getvalue().endswith("gateway.loop: 100 %s sure\n")


def test_an_exception_brings_its_traceback_after_the_line(written: io.StringIO) -> None:
    try:
        raise RuntimeError("no card")
    except RuntimeError:
        Log("gateway.loop").exception("playback stopped", card="usb")

    first, *rest = written.getvalue().splitlines()
    assert first.endswith("ERROR gateway.loop: playback stopped card=usb")
    assert rest[-1] == "RuntimeError: no card"


def test_a_level_below_the_configured_one_writes_nothing(written: io.StringIO) -> None:
    logging.getLogger("gateway.loop").setLevel("WARNING")

    Log("gateway.loop").info("floor granted")
    Log("gateway.loop").warning("floor lost")

    assert [line.split(": ")[1] for line in written.getvalue().splitlines()] == ["floor lost"]


def test_the_journal_gets_a_static_message_and_upper_case_fields() -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    handler = JournalHandler(
        SYSLOG_IDENTIFIER="ptt-gateway", sender_function=lambda MESSAGE, **fields: sent.append((MESSAGE, fields))
    )
    handler.addFilter(journal_fields)
    logger = logging.getLogger("gateway.journal")
    logger.addHandler(handler)

    Log("gateway.journal").warning("floor lost", burst=7, user="car-1")

    [(message, fields)] = sent
    assert message == "floor lost"
    assert fields["PTT_BURST"] == "7"
    assert fields["PTT_USER"] == "car-1"
    assert fields["SYSLOG_IDENTIFIER"] == "ptt-gateway"
    assert fields["PRIORITY"] == "4"
    assert fields["CODE_FUNC"] == "test_the_journal_gets_a_static_message_and_upper_case_fields"


def test_the_journal_holds_nothing_of_a_record_that_its_line_of_text_does_not_show() -> None:
    """So that whoever looks for something in the lines of a run has looked through the journal's fields as well."""
    sent: list[dict[str, Any]] = []
    handler = JournalHandler(sender_function=lambda MESSAGE, **fields: sent.append({"MESSAGE": MESSAGE, **fields}))
    handler.addFilter(journal_fields)
    handler.setFormatter(JournalFormatter())
    text = io.StringIO()
    logger = logging.getLogger("gateway.both")
    for each in (handler, text_handler(text)):
        logger.addHandler(each)
    log = Log("gateway.both")

    log.warning("floor lost", why="said-why", user="said-user", other="said-other")
    try:
        raise RuntimeError("said-cause")
    except RuntimeError:
        log.exception("failed", detail="said-detail")

    said = set(re.findall(r"said-\w+", repr(sent)))
    assert said == {"said-why", "said-user", "said-other", "said-cause", "said-detail"}
    assert said <= set(re.findall(r"said-\w+", text.getvalue()))
    ours = {name for fields in sent for name in fields if name.startswith("PTT_")}
    assert ours == {"PTT_WHY", "PTT_USER", "PTT_OTHER", "PTT_DETAIL", "PTT_SENTENCE"}


def test_what_journalctl_shows_says_why_and_never_who() -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    handler = JournalHandler(sender_function=lambda MESSAGE, **fields: sent.append((MESSAGE, fields)))
    handler.addFilter(journal_fields)
    handler.setFormatter(JournalFormatter())
    logging.getLogger("gateway.shown").addHandler(handler)

    Log("gateway.shown").error("cannot start", why="no pin 99\nforged", user="car-1")

    [(message, fields)] = sent
    assert message == "cannot start: no pin 99\\nforged"
    assert fields["PTT_SENTENCE"] == "cannot start"
    assert fields["PTT_USER"] == "car-1"


def test_a_repeated_message_is_held_back_and_its_count_told_after_the_window() -> None:
    stream, clock = io.StringIO(), Clock()
    logger, handler = logging.getLogger("gateway.repeats"), BoundedHandler(text_handler(stream), clock)
    logger.addHandler(handler)
    log = Log("gateway.repeats")

    for number in range(REPEATS_MAX + 5):
        log.warning("payload malformed", number=number)
    log.warning("broker gone")
    clock.now += REPEAT_WINDOW_S
    log.warning("broker back")

    lines = [line.partition(": ")[2] for line in stream.getvalue().splitlines()]
    assert lines[:REPEATS_MAX] == [f"payload malformed number={number}" for number in range(REPEATS_MAX)]
    assert lines[REPEATS_MAX:] == [
        "broker gone",
        'repeated messages held back suppressed=5 message="WARNING gateway.repeats: payload malformed"',
        "broker back",
    ]


def test_what_is_still_held_back_is_told_when_the_process_ends() -> None:
    stream, clock = io.StringIO(), Clock()
    handler = BoundedHandler(text_handler(stream), clock)
    logger = logging.getLogger("gateway.end")
    logger.addHandler(handler)

    for _ in range(REPEATS_MAX + 3):
        Log("gateway.end").warning("payload malformed")
    handler.close()

    assert "suppressed=3" in stream.getvalue().splitlines()[-1]


def test_ever_changing_messages_share_one_bound() -> None:
    bound = RateBound(per_window=2, window_s=10.0, keys_max=3)

    admitted = [bound.admit(f"message {number}", 0.0) for number in range(10)]

    assert admitted == [True] * 3 + [True] * 2 + [False] * 5
    assert bound.expire(9.9) == ()
    assert bound.expire(10.0) == (Suppressed(RateBound.OTHER, 5),)
    assert bound.admit("message 9", 10.0)


def test_configure_refuses_an_unknown_level() -> None:
    with pytest.raises(ValueError, match="'loud' is not one of debug, info, warning, error"):
        configure("ptt-gateway", "loud")


def test_configure_writes_to_stderr_when_the_journal_is_somebody_elses() -> None:
    program = "from service.logs import *; configure('ptt', 'INFO'); configure('ptt', 'info'); Log('a').info('up', n=1)"
    environ = {**os.environ, "JOURNAL_STREAM": "1:2", "PYTHONPATH": str(ROOT)}

    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=30)

    assert done.returncode == 0
    assert re.fullmatch(r"\S+Z INFO  a: up n=1\n", done.stderr)


def test_configure_uses_the_journal_when_stderr_is_connected_to_it(tmp_path: Path) -> None:
    program = (
        "import os; s = os.fstat(2); os.environ['JOURNAL_STREAM'] = f'{s.st_dev}:{s.st_ino}'\n"
        "from service.logs import *; configure('ptt', 'info'); import logging\n"
        "Log('a').info('up', n=1)\n"
        "print(type(logging.getLogger().handlers[0]._inner).__name__)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert (done.stdout, done.stderr) == ("JournalHandler\n", "")
