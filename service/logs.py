"""Structured logs: a static message plus fields, to the journal under systemd and to stderr elsewhere.

    log = Log(__name__)
    log.info("floor granted", burst=7, user="car-1")

is one line on stderr, `2026-01-31T08:15:00.123Z INFO  gateway.loop: floor granted burst=7 user=car-1`, and in the
journal the message `floor granted` with PTT_BURST and PTT_USER beside it (`journalctl PTT_USER=car-1`). Fields that say
what happened and why (SHOWN) follow the journal's message, since journalctl shows nothing else: `cannot start: no such
pin`. The same message passes at most REPEATS_MAX times in REPEAT_WINDOW_S; what was held back is told afterwards.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from service.log_bound import RateBound, Suppressed

__all__ = ["LEVELS", "REPEATS_MAX", "REPEAT_WINDOW_S", "Log", "configure"]

LEVELS = ("debug", "info", "warning", "error")
"""The levels a configuration may name, in either case."""

REPEATS_MAX = 20
"""One message (of one logger, at one level) passes this often in REPEAT_WINDOW_S seconds."""

REPEAT_WINDOW_S = 10.0
"""Seconds from a message's first record until its count starts anew."""

MESSAGES_MAX = 500
"""Different messages counted at once; what exceeds this shares one count."""

VALUE_CHARS_MAX = 300
"""A field's text is cut here."""

SHOWN = ("what", "alert", "device", "line", "message", "why", "reason", "error", "detail")
"""Fields written behind the journal's message, in this order; never an identity. PTT_SENTENCE is the message alone."""


class Log:
    """The log of one module: `Log(__name__)` may be made at import, it does nothing but find the stdlib's logger.

    Field names are Python identifiers in lower case, ASCII; values are written by `str`, cut at 300 characters. Give
    no speech and no secrets; identities belong in fields, never in the message.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, /, **fields: object) -> None:
        """Detail for a developer; off by default."""
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        """A change of state."""
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, /, **fields: object) -> None:
        """Something went wrong and was dealt with."""
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        """Something went wrong and a user feels it."""
        self._write(logging.ERROR, message, fields)

    def exception(self, message: str, /, **fields: object) -> None:
        """`error` with the traceback of the exception being handled."""
        self._write(logging.ERROR, message, fields, trace=True)

    def _write(self, level: int, message: str, fields: Mapping[str, object], *, trace: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            # stacklevel: the caller of debug/info/... is the place in the code that the journal shows.
            self._logger.log(level, message, exc_info=trace, extra={"fields": fields}, stacklevel=3)


def configure(identifier: str, level: str = "info") -> None:
    """Send every log of this process to its one destination; `identifier` is SYSLOG_IDENTIFIER in the journal.

    `level` is one of LEVELS (ValueError otherwise). Call it once, first of all; a second call replaces the first.
    The journal is used when stderr is connected to it and systemd-python is there, else stderr.
    """
    if level.lower() not in LEVELS:
        raise ValueError(f"log level {level!r} is not one of {', '.join(LEVELS)}")
    inner = _journal_handler(identifier) if _stderr_is_journal(os.environ) else None
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, BoundedHandler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(BoundedHandler(inner or text_handler(sys.stderr), clock=time.monotonic))
    root.setLevel(level.upper())


class BoundedHandler(logging.Handler):
    """Passes records on to `inner`, as often as RateBound allows; `clock` gives monotonic seconds."""

    def __init__(self, inner: logging.Handler, clock: Callable[[], float]) -> None:
        super().__init__()
        self._inner = inner
        self._clock = clock
        self._bound = RateBound(per_window=REPEATS_MAX, window_s=REPEAT_WINDOW_S, keys_max=MESSAGES_MAX)

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record` or count it; first tell what windows that are over have held back."""
        now = self._clock()
        self._tell(self._bound.expire(now))
        # record.msg, not the formatted message: arguments must not make one message look like many.
        key = f"{record.levelname} {record.name}: {record.msg}"[:VALUE_CHARS_MAX]
        if self._bound.admit(key, now):
            self._inner.handle(record)

    def flush(self) -> None:
        """Flush what `inner` has buffered."""
        self._inner.flush()

    def close(self) -> None:
        """Tell what is still held back, then close `inner`."""
        self.acquire()
        try:
            self._tell(self._bound.drain())
        finally:
            self.release()
        self._inner.close()
        super().close()

    def _tell(self, held_back: tuple[Suppressed, ...]) -> None:
        for key, times in held_back:
            fields = {"suppressed": times, "message": key}
            values = {"name": __name__, "msg": "repeated messages held back", "fields": fields}
            level = {"levelno": logging.WARNING, "levelname": "WARNING"}
            self._inner.handle(logging.makeLogRecord(values | level))


def text_handler(stream: TextIO) -> logging.Handler:
    """A handler that writes one line of text per record to `stream`, after it a traceback if there is one."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_TextFormatter())
    return handler


def journal_fields(record: logging.LogRecord) -> bool:
    """A logging filter: puts the record's fields where JournalHandler looks, as PTT_<NAME> attributes."""
    for name, value in _fields_of(record).items():
        setattr(record, f"PTT_{name.upper()}", _text(value))
    record.PTT_SENTENCE = record.getMessage()
    return True


class JournalFormatter(logging.Formatter):
    """`cannot start: no such pin`: the message, and behind it those of the record's fields that are in SHOWN."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = _fields_of(record)
        shown = ", ".join(_one_line(_text(fields[name])) for name in SHOWN if name in fields)
        return f"{record.message}: {shown}" if shown else record.message


class _TextFormatter(logging.Formatter):
    """`2026-01-31T08:15:00.123Z INFO  gateway.loop: floor granted burst=7`; times are UTC."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-5s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatMessage(self, record: logging.LogRecord) -> str:
        pairs = (f" {name}={_quoted(_text(value))}" for name, value in _fields_of(record).items())
        return super().formatMessage(record) + "".join(pairs)


def _fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, Mapping) else {}


def _text(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 1] + "…"


def _quoted(text: str) -> str:
    """`text` as it is where it is one printable word, else quoted and escaped: a value cannot forge a line."""
    plain = text.isprintable() and text and not any(char in ' ="' for char in text)
    return text if plain else _in_quotes(text)


def _one_line(text: str) -> str:
    """`text` with everything unprintable escaped: a value cannot forge a line of the journal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _in_quotes(text: str) -> str:
    """`text` in double quotes, with quotes, backslashes and everything unprintable escaped; Hangul stays readable."""
    escaped = "".join(
        char if char.isprintable() and char not in '"\\' else char.encode("unicode_escape").decode().replace('"', '\\"')
        for char in text
    )
    return f'"{escaped}"'


def _stderr_is_journal(environ: Mapping[str, str]) -> bool:
    """JOURNAL_STREAM names the journal's device and inode; a child with another stderr inherits the variable too."""
    try:
        stat = os.fstat(2)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def _journal_handler(identifier: str) -> logging.Handler | None:
    try:
        from systemd.journal import JournalHandler
    except ImportError:
        return None
    handler: logging.Handler = JournalHandler(SYSLOG_IDENTIFIER=identifier)
    handler.addFilter(journal_fields)
    handler.setFormatter(JournalFormatter())
    return handler
