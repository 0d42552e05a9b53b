"""A whole vehicle over a line that takes half a second and more each way: granted, heard, never muted (ADR 0020)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.dispatch_rig import Service
from tests.integration.gateway_rig import Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import eventually
from tests.support.proxy import Proxy

EACH_WAY_S = 0.6
HELD_S = 5.0
"""Long enough for the first renewals: a permission that lapses does so within the first 3 s."""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_over_a_line_with_more_than_a_second_of_round_trip_a_press_is_granted_and_every_frame_of_it_sent(
    stack: ExitStack, tmp_path: Path
) -> None:
    broker = stack.enter_context(Broker(folder=tmp_path / "broker"))
    line = stack.enter_context(Proxy(broker.port))
    Service(stack, tmp_path, broker).start()
    car = Vehicle(stack, tmp_path, line.port)
    car.config.write_text(car.config.read_text().replace("keepalive_s = 2", "keepalive_s = 10"))  # the default
    car.start(ready=False).online()
    tap = Tap(stack, broker.port)
    line.delay_s = EACH_WAY_S

    pressed_s = car.press()
    granted = car.answered("granted")
    time.sleep(HELD_S)
    holding = car.last_press()
    car.release()
    ended = eventually(lambda: [s for s in tap.on("session", pressed_s) if s.get("ended")], 8)

    assert granted["told_at"] - pressed_s > 2 * EACH_WAY_S
    assert holding["last"] == "granted", "told nothing else meanwhile"
    assert (ended[0]["ended"], ended[0]["last_seq"] is not None) == ("released", True)
    numbers = [frame.seq for _, frame in tap.voice("car-1")]
    assert numbers == list(range(ended[0]["last_seq"] + 1))
