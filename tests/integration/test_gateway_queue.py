"""Three real vehicles in an office with a queue: one talks, one waits and gets its turn, one finds the queue full."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.dispatch_rig import Service
from tests.integration.gateway_rig import Outputs, Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import eventually

LONG_S = 10.0
"""Deadline of each wait: a busy machine only makes the test longer."""
QUEUE_OF_ONE = "queue = true\nqueue_max = 1\nhang_s = 1"


def feels_nothing(car: Vehicle) -> None:
    """Wait until the motor is still."""
    eventually(lambda: car.pins().levels()["motor"] == 0.0, LONG_S, f"the motor of {car.user} is still")


def amber_blinks(outputs: Outputs) -> bool:
    """Whether red and green were lit together and went out again, twice, without blue: waiting, not talking."""
    reds, greens = ([level > 0 for level, _ in outputs.of(led)] for led in ("led_red", "led_green"))
    return reds.count(True) >= 2 and greens.count(True) >= 2 and not any(lit for lit, _ in outputs.of("led_blue"))


def test_who_presses_while_another_talks_waits_and_gets_his_turn_and_a_third_finds_the_queue_full(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        # given an office whose queue holds one, and three cars of which the first talks
        broker = stack.enter_context(Broker(folder=tmp_path / "broker"))
        service = Service(stack, tmp_path, broker, rules=QUEUE_OF_ONE)
        service.start()
        tap = Tap(stack, broker.port)
        users = ("car-1", "car-2", "car-3")
        one, two, three = (Vehicle(stack, tmp_path, broker.port, user).start(ready=False) for user in users)
        for car in (one, two, three):
            car.online()
        one.press()
        one.answered("granted", timeout_s=LONG_S)
        for car in (two, three):
            car.daemon.says("burst heard", LONG_S)
            feels_nothing(car)
        # when the second presses, then it is told its place, its light says so, and it sends no voice
        waits = two.watch()
        two.press()
        assert two.answered("queued", timeout_s=LONG_S)["press_no"] == 1
        place = tap.wait("floor/car-2/reply", LONG_S, type="floor_queued")
        assert place["position"] == 1
        two.daemon.says("driver told what=queued", LONG_S)
        eventually(lambda: amber_blinks(waits), LONG_S, lambda: f"amber blinks: {waits.changes}")
        assert (two.floor, two.transmitting, tap.voice("car-2")) == ("U: queued", False, [])
        # and the third is refused, and felt so
        refused = three.watch()
        edge_s = three.press()
        three.answered("queue full", timeout_s=LONG_S)
        assert tap.wait("floor/car-3/reply", LONG_S, type="floor_deny")["cause"] == "queue_full"
        eventually(lambda: len(refused.lasted_ms("motor", edge_s)) >= 3, LONG_S)
        assert refused.lasted_ms("motor", edge_s)[:3] == pytest.approx([300, 80, 80], abs=60)
        three.release()
        # when the first lets go, then it is the second's turn: felt, granted, heard
        turn = two.watch()
        let_go_s = one.release()
        two.daemon.says('driver told what="turn came"', LONG_S)
        burst = tap.wait("session", LONG_S, current_speaker="car-2")["burst"]
        eventually(lambda: len(tap.voice("car-2")) >= 20, LONG_S, "its voice is on the broker")
        eventually(lambda: len(turn.lasted_ms("motor", let_go_s)) >= 2, LONG_S)
        assert turn.lasted_ms("motor", let_go_s)[:2] == pytest.approx([100, 300], abs=60)
        assert {frame.burst for _, frame in tap.voice("car-2")} == {burst}
        assert tap.voice("car-2")[0][0] > let_go_s
        assert (tap.voice("car-3"), two.last_press()["press_no"]) == ([], 1)
        two.release()
        tap.wait("session", LONG_S, current_speaker=None, burst=burst, ended="released")
