"""A real vehicle whose speech engine is missing or hangs: the office sees it, and no press waits for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.dispatch_rig import Service
from tests.integration.gateway_rig import OFFICE, Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import eventually


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(("script", "says"), [(None, "espeak-ng is missing"), ("exec sleep 600", "hung for 5 s")])
def test_the_office_sees_that_sentences_are_not_spoken_and_presses_are_answered_at_once(
    stack: ExitStack, tmp_path: Path, script: str | None, says: str
) -> None:
    # given a vehicle without an engine, or with one that hangs
    engines = tmp_path / "bin"
    engines.mkdir()
    for name in ("sh", "sleep"):
        (engines / name).symlink_to(f"/bin/{name}")
    if script is not None:
        (engines / "espeak-ng").write_text(f"#!/bin/sh\n{script}\n")
        (engines / "espeak-ng").chmod(0o755)
    broker = stack.enter_context(Broker(folder=tmp_path / "broker"))
    Service(stack, tmp_path, broker).start()
    tap = Tap(stack, broker.port, OFFICE)
    car = Vehicle(stack, tmp_path, broker.port).start(env={**os.environ, "PATH": str(engines)}).online()
    # when the driver presses before it is even known
    edge_s = car.press()
    granted = car.answered("granted")
    car.release()
    eventually(lambda: car.floor == "U: has no permission")
    # then he is answered as ever, and the alert says what is wrong and how to mend it
    alert = eventually(lambda: tap.on("device/car-1/alert/speech"), 15, "the alert speech")[-1]
    assert granted["told_at"] - edge_s < 0.3
    assert says in alert["what"]
    assert "espeak-ng" in alert["mend"]
    # and is answered still
    edge_s = car.press()
    assert car.answered("granted", 2)["told_at"] - edge_s < 0.3
    car.release()
