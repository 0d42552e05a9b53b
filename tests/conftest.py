"""For all tests: processes under test can be interrupted, whoever started us; some tests want the machine alone."""

from __future__ import annotations

import signal

import pytest

ALONE = {
    "test_broker_load.py",
    "test_cab.py",
    "test_dispatch_faults.py",
    "test_first_syllable.py",
    "test_gateway_floor.py",
    "test_gateway_link.py",
    "test_gateway_order.py",
    "test_sound_devices.py",
    "test_voice_agora.py",
    "test_voice_sayings.py",
    "test_voice_transport.py",
    "test_voice_workers.py",
}
"""Files all of whose tests measure sound, or times of a second and less, on real processes. Single tests elsewhere are
marked where they are."""


def pytest_configure() -> None:
    """Undo an ignored SIGINT: what starts jobs in the background (nohup, a shell's `&`) hands it down."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of those files: `-m alone` and `-m "not alone"` choose by it."""
    for item in items:
        if item.path.name in ALONE:
            item.add_marker("alone")
