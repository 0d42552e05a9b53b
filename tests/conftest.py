"""For all tests: processes under test can be interrupted, whoever started us; some tests measure time."""

from __future__ import annotations

import signal

import hypothesis
import pytest

hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")
"""An example that takes long shows a busy machine, no fault."""

TIMED = {
    "test_broker_load.py",
    "test_cab.py",
    "test_cab_server.py",
    "test_console_engine.py",
    "test_dispatch_faults.py",
    "test_first_syllable.py",
    "test_gateway_floor.py",
    "test_gateway_limit.py",
    "test_gateway_link.py",
    "test_gateway_order.py",
    "test_gateway_queue.py",
    "test_sound_devices.py",
    "test_voice_agora.py",
    "test_voice_sayings.py",
    "test_voice_transport.py",
    "test_voice_workers.py",
}
"""Files all of whose tests measure sound, or times of a second and less, on real processes. Single tests elsewhere are
marked where they are."""

ALONE = {"test_console_browser.py"}
"""Files that measure sound through a browser, which takes all processors itself: nothing runs beside them."""

LONG = (
    "test_voice_agora.py",
    "test_cab.py",
    "test_cab_server.py",
    "test_console_browser.py",
    "test_first_syllable.py",
    "test_bench_short.py",
    "test_agora_bridge.py",
    "test_sim.py",
    "test_replay.py",
    "test_demo.py",
    "test_agora_stub.py",
    "test_agora_stub_tokens.py",
    "test_rest_bursts.py",
    "test_dispatch_admission.py",
    "test_rest_schemathesis.py",
    "test_secrets.py",
    "test_web.py",
    "test_web_doors.py",
    "test_console_login.py",
    "test_practice_office.py",
    "test_sound_devices.py",
)
"""Files that take long: they begin first, so that none of them is left over when all others are done."""


def pytest_configure() -> None:
    """Undo an ignored SIGINT: what starts jobs in the background (nohup, a shell's `&`) hands it down."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of those files, which `-m timed` and `-m "not timed"` choose by; put the long ones first."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))
    for item in items:
        if item.path.name in TIMED:
            item.add_marker("timed")
        if item.path.name in ALONE:
            item.add_marker("alone")
