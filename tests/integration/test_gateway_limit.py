"""A real vehicle that talks until its time is up: warned, cut off, and given a new talk only after a real pause."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from protocol.timers import RELEASE_MIN_S, TALK_WARNING_S
from tests.integration.dispatch_rig import Service
from tests.integration.gateway_rig import Outputs, Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import eventually

LONG_S = 10.0
"""Deadline of each wait: a busy machine only makes the test longer."""
LIMIT_S = 6.0
WARNED_MS = 250.0
"""A push of the motor that lasts longer is the warning; no other of a talk does."""


def warned_at(outputs: Outputs, since_s: float) -> float:
    """Wait for the warning at the motor, and give when it began."""

    def found() -> float | None:
        began = None
        for level, at_s in outputs.of("motor"):
            if level == 0 and began is not None and (at_s - began) * 1000 > WARNED_MS:
                return began
            began = (began or max(at_s, since_s)) if level > 0 else None
        return None

    at_s = eventually(found, LONG_S, lambda: f"the motor warns: {outputs.changes}")
    assert at_s is not None
    return at_s


def went_out(outputs: Outputs, led: str, since_s: float) -> list[float]:
    """Give when a light went out."""
    return [at_s for level, at_s in outputs.of(led) if level == 0.0 and at_s >= since_s]


def test_a_talk_is_warned_and_ended_at_its_limit_and_only_a_real_pause_gives_another(tmp_path: Path) -> None:
    with ExitStack() as stack:
        # given an office with a short talk-time limit
        broker = stack.enter_context(Broker(folder=tmp_path / "broker"))
        Service(stack, tmp_path, broker, rules=f"talk_limit_s = {LIMIT_S}").start()
        tap = Tap(stack, broker.port)
        car = Vehicle(stack, tmp_path, broker.port).start(ready=False).online()
        outputs = car.watch(60.0)
        # when the driver talks on and on
        edge_s = car.press()
        granted_s = car.answered("granted", timeout_s=LONG_S)["granted_at"]
        # then he is warned, felt and seen: the red light blinks until his time is up
        warning_s = warned_at(outputs, edge_s)
        assert warning_s - granted_s == pytest.approx(LIMIT_S - TALK_WARNING_S, abs=0.5)
        car.daemon.says('driver told what="limit near"', LONG_S)
        eventually(lambda: len(went_out(outputs, "led_red", warning_s)) >= 2, LONG_S, "the red light blinks")
        assert went_out(outputs, "led_red", edge_s)[0] > warning_s
        assert car.transmitting
        # and then it is, while he still holds
        car.daemon.says('driver told what="limit reached"', LONG_S)
        eventually(lambda: not car.transmitting, LONG_S)
        over = tap.wait("session", LONG_S, current_speaker=None, ended="released")
        assert tap.voice("car-1")[-1][0] - granted_s == pytest.approx(LIMIT_S, abs=1.0)
        # when the contact opens for a moment, then that is no new press
        opened_s, closed_s = car.pins().bounce([(0, 0), (12, 1)])
        assert closed_s - opened_s < RELEASE_MIN_S, "the machine was too slow for this test"
        car.answered("let go", 2, LONG_S)
        assert car.floor == "U: has no permission"
        # and after a real pause the next one has the whole limit
        car.release()
        time.sleep(2 * RELEASE_MIN_S)  # a person's pause, not a wait for something
        edge_s = car.press()
        granted_s = car.answered("granted", 3, LONG_S)["granted_at"]
        grants = [m for m in tap.on("floor/car-1/reply") if m["type"] == "floor_granted"]
        assert [grant["duration_s"] for grant in grants] == [LIMIT_S, LIMIT_S]
        assert warned_at(outputs, edge_s) - granted_s == pytest.approx(LIMIT_S - TALK_WARNING_S, abs=0.5)
        assert grants[-1]["burst"] > over["burst"]
        assert {frame.burst for _, frame in tap.voice("car-1")} == {grant["burst"] for grant in grants}
        car.release()
