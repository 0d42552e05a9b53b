"""Telephone and navigation at the pins of real vehicles, the mute line's hang, and a button nobody speaks into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.dispatch_rig import Service
from tests.integration.gateway_rig import Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import eventually

SETTINGS = "[focus]\nmute_hang_ms = 400\n[button]\nstuck_silence_s = 2"


class Scene:
    """One vehicle under a real floor control server."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        broker = stack.enter_context(Broker(folder=folder / "broker"))
        service = Service(stack, folder, broker, 1, "hang_s = 1")
        service.start()
        office = service.offices.pop()
        self.tap = Tap(stack, broker.port, office)
        self.car = Vehicle(stack, folder, broker.port, office=office, broker=SETTINGS).start(ready=False).online()

    def talks(self) -> int:
        self.car.press()
        self.car.answered("granted")
        eventually(lambda: len(self.tap.voice("car-1")) >= 5)
        burst: int = self.tap.wait("session", current_speaker="car-1")["burst"]
        return burst


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(stack, tmp_path)


def test_a_telephone_call_ends_a_talk_frees_the_mute_line_at_once_and_refuses_presses_until_it_is_over(
    scene: Scene,
) -> None:
    car, outputs = scene.car, scene.car.watch()
    burst = scene.talks()

    rang_s = car.pins().press("phone_busy")
    over = scene.tap.wait("session", current_speaker=None, burst=burst)
    car.release()
    car.press()
    refused = car.answered("phone busy", press_no=2)
    focus = car.status()["device"]["focus"]
    car.release()
    car.pins().release("phone_busy")
    eventually(lambda: car.status()["device"]["focus"] == "radio")
    car.press()
    car.answered("granted", press_no=3)
    car.release()

    freed_s = next(at_s for level, at_s in outputs.of("mute") if level == 0 and at_s > rang_s)
    assert over["ended"] == "released"
    assert (refused["press_no"], focus) == (2, "phone")
    assert freed_s - rang_s < 0.35  # 50 ms to settle, and no hang


def test_navigation_holds_a_talk_which_goes_on_in_the_same_burst(scene: Scene) -> None:
    burst = scene.talks()

    spoke_s = scene.car.pins().press("nav_busy")
    eventually(lambda: scene.car.status()["presses"][-1]["last"] == "navigation speaks")
    eventually(lambda: len([m for m in scene.tap.on("floor/car-1", spoke_s) if m["type"] == "floor_renew"]) >= 3)
    held = [at_s for at_s, _ in scene.tap.voice("car-1") if at_s > spoke_s + 0.5]
    ended_s = scene.car.pins().release("nav_busy")
    eventually(lambda: any(at_s > ended_s for at_s, _ in scene.tap.voice("car-1")))
    bursts = {frame.burst for _, frame in scene.tap.voice("car-1")}
    scene.car.release()

    assert held == []
    assert bursts == {burst}


def test_navigation_that_speaks_on_gives_the_floor_back_after_five_seconds(scene: Scene) -> None:
    burst = scene.talks()

    spoke_s = scene.car.pins().press("nav_busy")
    scene.tap.wait("session", 8, current_speaker=None, burst=burst)
    kept_s = next(
        at_s
        for at_s, name, payload, _ in scene.tap.heard
        if name.endswith("floor/car-1") and at_s > spoke_s and b"floor_release" in payload
    )
    scene.car.release()

    assert 4.9 < kept_s - spoke_s < 6.0


def test_a_button_nobody_speaks_into_gives_the_floor_back_and_raises_an_alert_until_it_was_seen_up(
    scene: Scene,
) -> None:
    burst = scene.talks()

    alert = scene.tap.wait("device/car-1/alert/stuck-button", 6)
    scene.tap.wait("session", current_speaker=None, burst=burst)
    scene.car.release()
    eventually(lambda: [p for _, t, p, _ in scene.tap.heard if t.endswith("alert/stuck-button")][-1] == b"")

    assert alert["severity"] == "critical"


def test_the_mute_line_is_held_for_its_hang_time_behind_a_talk(scene: Scene) -> None:
    outputs = scene.car.watch()
    scene.talks()

    up_s = scene.car.release()
    eventually(lambda: outputs.of("mute") and outputs.of("mute")[-1][0] == 0)

    [on, off] = outputs.of("mute")
    assert on[0] == 1
    assert 0.4 <= off[1] - up_s < 1.2
