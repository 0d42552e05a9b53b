"""What a process tells systemd about itself, over sd_notify(3).

One object, `Notifier`, made once at start-up. Outside systemd every call does nothing, so that callers need no
condition. Feeding the watchdog is the caller's decision: it must come from the loop that the watchdog guards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from service.logs import Log

__all__ = ["STATUS_CHARS_MAX", "Notifier"]

STATUS_CHARS_MAX = 200
"""A status text is cut here: `systemctl status` shows it on one line."""

_log = Log(__name__)


class Notifier:
    """Speaks sd_notify(3) where `environ` has NOTIFY_SOCKET, and is silent elsewhere. Not for child processes.

    No call raises for an operating error: one that systemd does not receive is logged once, and the unit's own
    time-outs (start, watchdog) judge the process. Not thread-safe; it belongs to the loop.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._send = _sender(environ)
        self._status = ""
        self._failed = False
        self.watchdog_interval_s = _watchdog_interval_s(environ, os.getpid()) if self._send else None
        """Call `watchdog` this often, in seconds: half of WATCHDOG_USEC; None where there is no watchdog for us."""

    @property
    def active(self) -> bool:
        """Whether anybody listens: True under a unit with Type=notify or WatchdogSec."""
        return self._send is not None

    def ready(self) -> None:
        """Start-up is complete (READY=1): systemd starts what waits for this unit."""
        self._notify("READY=1")

    def status(self, text: str) -> None:
        """Show `text` in `systemctl status` as one line of at most STATUS_CHARS_MAX characters; not when unchanged."""
        line = " ".join(text.split())[:STATUS_CHARS_MAX]
        if line != self._status:
            self._status = line
            self._notify(f"STATUS={line}")

    def watchdog(self) -> None:
        """The guarded loop turned (WATCHDOG=1): postpones the kill by WatchdogSec. Nothing without a watchdog."""
        if self.watchdog_interval_s is not None:
            self._notify("WATCHDOG=1")

    def stopping(self) -> None:
        """An orderly shutdown began (STOPPING=1)."""
        self._notify("STOPPING=1")

    def _notify(self, message: str) -> None:
        if self._send is None:
            return
        try:
            delivered = self._send(message)
        except OSError as error:
            delivered, reason = False, error.strerror
        else:
            reason = "no notification socket"
        if not delivered and not self._failed:
            _log.warning("systemd cannot be notified", reason=reason)
        self._failed = not delivered


def _sender(environ: Mapping[str, str]) -> Callable[[str], bool] | None:
    if not environ.get("NOTIFY_SOCKET"):
        _log.debug("not started by systemd, nothing will be notified")
        return None
    try:
        from systemd.daemon import notify
    except ImportError:
        # With Type=notify the unit will now time out at start, which nobody understands without this line.
        _log.warning("systemd-python is missing, systemd will not be notified")
        return None

    def send(message: str) -> bool:
        return bool(notify(message))

    return send


def _watchdog_interval_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Half the watchdog's time, as sd_watchdog_enabled(3) advises; the variables are ours only if WATCHDOG_PID is."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    usec = environ.get("WATCHDOG_USEC", "")
    if not usec.isdecimal() or int(usec) == 0:
        return None
    return int(usec) / 2e6
