"""For all tests: processes under test can be interrupted, whoever started us."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Undo an ignored SIGINT: what starts jobs in the background (nohup, a shell's `&`) hands it down."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
