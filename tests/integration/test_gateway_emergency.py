"""Emergencies at real vehicles: real broker, floor control server, daemons, voice workers and virtual pins."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from protocol.ids import OfficeId
from tests.integration.dispatch_rig import Service
from tests.integration.gateway_rig import Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import eventually

OFFICES = 4
SHORT = "[emergency]\nopen_s = 5\ncancel_s = 2"


class World:
    """One broker and one service for the module; each test has an office of its own."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.broker = stack.enter_context(Broker(folder=folder / "broker"))
        self.service = Service(stack, folder, self.broker, OFFICES, "hang_s = 1")
        self.service.start()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, tmp_path_factory.mktemp("world"))


class Scene:
    """An office with two vehicles and somebody who hears all of it."""

    def __init__(self, stack: ExitStack, folder: Path, world: World, office: OfficeId) -> None:
        self.tap = Tap(stack, world.broker.port, office)
        self.one, self.two = (
            Vehicle(stack, folder, world.broker.port, user, office=office, broker=SHORT).start(ready=False)
            for user in ("car-1", "car-2")
        )
        self.one.online()
        self.two.online()

    def alert(self, user: str) -> bool | None:
        """Whether the broker has an emergency of this user; None: nothing was ever said of it."""
        topic = f"{self.tap.root}/device/{user}/alert/emergency"
        said = [payload for _, name, payload, _ in list(self.tap.heard) if name == topic]
        return None if not said else said[-1] != b""

    def logged(self, user: str) -> list[tuple[str, object]]:
        """The office's log of this user's emergencies."""
        events = [e for e in self.tap.on("events") if e["user"] == user and "EMERGENCY" in e["event"]]
        return [(e["event"], e["metadata"].get("by")) for e in events]

    def speaker(self) -> tuple[str | None, str]:
        session = self.tap.on("session")[-1]
        return session["current_speaker"], session["priority"]


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(stack, tmp_path, world, world.service.offices.pop())


def hold(car: Vehicle, seconds: float) -> None:
    """Hold the emergency button; a person's time, not a wait for something."""
    car.pins().press("emergency")
    time.sleep(seconds)
    car.pins().release("emergency")


def test_an_emergency_cuts_in_is_heard_hands_free_ends_and_stays_an_alert_until_the_office_clears_it(
    scene: Scene,
) -> None:
    tap, one, two = scene.tap, scene.one, scene.two
    # given one car that talks
    one.press()
    one.answered("granted")
    tap.wait("session", current_speaker="car-1")
    # when the other one's emergency button is held for a second and let go
    hold(two, 1.2)
    # then it has the floor, the first one is told so, and its voice goes out without a hand on a button
    tap.wait("session", current_speaker="car-2", priority="emergency")
    one.daemon.says("driver told what=preempted", 3)
    one.daemon.says('driver told what="emergency heard"', 3)
    assert two.answered("granted")["last"] == "granted"
    let_go = time.monotonic()
    eventually(lambda: [at for at, _ in tap.voice("car-2") if at > let_go + 2.0], 5, "it speaks on by itself")
    assert two.pins().levels()["emergency"] == two.pins().levels()["ptt"] == 0
    # and it ends by itself after the time that is set, while the alert stays
    two.daemon.says('driver told what="emergency ended"', 6)
    spoke = [at for at, _ in tap.voice("car-2")]
    assert 4.5 < spoke[-1] - spoke[0] < 6.5
    assert scene.alert("car-2") is True
    # and the office clears it
    command = {"type": "command", "op": "clear_emergency", "id": "clear-1", "by": "boss"}
    tap.send("device/car-2/cmd", command)
    two.daemon.says('driver told what="emergency cleared"', 3)
    eventually(lambda: scene.alert("car-2") is False, 3, "the alert is cleared")
    eventually(
        lambda: scene.logged("car-2") == [("EMERGENCY", "request"), ("EMERGENCY_CLEARED", None)],
        3,
        lambda: f"the log tells it once: {scene.logged('car-2')}",
    )
    one.release()


def test_a_button_let_go_too_early_raises_nothing_and_one_pressed_again_takes_it_back(scene: Scene) -> None:
    two = scene.two
    hold(two, 0.7)
    two.daemon.says('driver told what="emergency not held"', 3)
    assert scene.alert("car-2") is False  # cleared on connecting, and never raised

    hold(two, 1.1)
    scene.tap.wait("session", current_speaker="car-2", priority="emergency")
    eventually(lambda: scene.alert("car-2") is True, 3, "the alert is raised")
    hold(two, 0.1)
    two.daemon.says('driver told what="emergency cancelled"', 3)

    eventually(lambda: scene.alert("car-2") is False, 3, "the alert is taken back")
    eventually(lambda: scene.speaker()[0] is None, 3, "the floor is given back")


def test_an_emergency_outlives_a_kill_and_no_restart_speaks_for_it(scene: Scene) -> None:
    two = scene.two
    hold(two, 1.1)
    scene.tap.wait("session", current_speaker="car-2", priority="emergency")
    kept = two.folder / "state" / "emergency"
    eventually(lambda: kept.exists() and kept.read_text().strip() != "0", 3, "it is on the disk")
    since = kept.read_text().strip()

    two.daemon.kill()
    two.start().online()

    assert scene.alert("car-2") is True
    assert scene.tap.on("device/car-2/alert/emergency")[-1]["since"] == int(since)
    eventually(lambda: scene.speaker()[0] is None, 6, "nobody speaks")
    assert not two.transmitting
