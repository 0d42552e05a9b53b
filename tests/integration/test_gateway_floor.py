"""Real vehicles at a real broker under the real floor control server: who talks, who is refused, what is felt."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from protocol.ids import OfficeId
from tests.integration.dispatch_rig import Service
from tests.integration.gateway_rig import Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import Daemon, eventually

OFFICES = 12


class World:
    """One broker and one service for the module; each test has an office of its own."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.broker = stack.enter_context(Broker(folder=folder / "broker"))
        self.service = Service(stack, folder, self.broker, OFFICES, "hang_s = 1")
        self.dispatch: Daemon = self.service.start()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, tmp_path_factory.mktemp("world"))


class Scene:
    """An office with two vehicles and somebody who hears all of it."""

    def __init__(self, stack: ExitStack, folder: Path, world: World, office: OfficeId) -> None:
        self.tap = Tap(stack, world.broker.port, office)
        self.one, self.two = (
            Vehicle(stack, folder, world.broker.port, user, office=office).start(ready=False)
            for user in ("car-1", "car-2")
        )
        self.one.online()
        self.two.online()

    def idle(self, timeout_s: float = 5.0) -> None:
        eventually(
            lambda: (found := self.tap.on("session")) and found[-1]["current_speaker"] is None,
            timeout_s,
            "nobody holds the floor",
        )


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(stack, tmp_path, world, world.service.offices.pop())


def test_a_press_takes_the_floor_is_felt_and_seen_renewed_and_given_back_with_the_last_frames_number(
    scene: Scene,
) -> None:
    outputs = scene.one.watch()

    edge_s = scene.one.press()
    granted = scene.one.answered("granted")
    session = scene.tap.wait("session", current_speaker="car-1")
    eventually(lambda: len([m for m in scene.tap.on("floor/car-1") if m["type"] == "floor_renew"]) >= 2)
    eventually(lambda: len(scene.tap.voice("car-1")) >= 20)
    scene.one.release()
    release = scene.tap.wait("floor/car-1", type="floor_release")
    over = scene.tap.wait("session", current_speaker=None, burst=session["burst"])

    assert granted["edge_at"] == pytest.approx(edge_s, abs=0.02)
    assert granted["told_at"] - granted["granted_at"] < 0.3
    assert {frame.burst for _, frame in scene.tap.voice("car-1")} == {session["burst"]}
    assert release["last_seq"] == max(frame.seq for _, frame in scene.tap.voice("car-1"))
    assert (over["ended"], over["last_seq"]) == ("released", release["last_seq"])
    assert outputs.lasted_ms("motor", edge_s)[0] == pytest.approx(100, abs=40)
    assert outputs.of("led_red")[0][0] == 1.0
    eventually(lambda: outputs.of("led_red")[-1][0] == 0.0 and outputs.of("led_green")[-1][0] == 1.0)
    eventually(lambda: outputs.of("mute")[-1][0] == 0.0)


def test_the_other_vehicle_joins_by_itself_plays_the_burst_and_mutes_its_radio_meanwhile(scene: Scene) -> None:
    outputs = scene.two.watch()

    scene.one.press()
    scene.one.answered("granted")
    joined = eventually(lambda: [p for p in scene.tap.on("presence/car-2") if p["in_channel"]], 4, "car-2 joins")
    scene.two.daemon.says("burst heard")
    scene.one.release()
    scene.two.daemon.says("burst played")

    assert joined[-1]["in_channel"] == scene.tap.on("session")[-1]["event_id"]
    assert outputs.of("led_blue")[0][0] == 1.0
    eventually(lambda: [level for level, _ in outputs.of("mute")][-2:] == [1.0, 0.0])
    eventually(lambda: scene.tap.on("presence/car-2")[-1]["in_channel"] is None, 4, "car-2 leaves")


def test_a_press_while_another_speaks_is_denied_with_a_pattern_of_its_own_and_sends_no_voice(scene: Scene) -> None:
    scene.one.press()
    scene.one.answered("granted")
    eventually(lambda: scene.two.status()["session"]["current_speaker"] == "car-1")
    eventually(lambda: scene.two.pins().levels()["motor"] == 0.0)
    outputs = scene.two.watch()

    edge_s = scene.two.press()
    denied = scene.two.answered("denied")
    eventually(lambda: len(outputs.lasted_ms("motor", edge_s)) >= 3)
    scene.two.release()

    assert denied["told_at"] - edge_s < 0.3
    assert outputs.lasted_ms("motor", edge_s)[:3] == pytest.approx([300, 80, 80], abs=40)
    assert scene.two.floor == "U: has no permission"
    assert scene.tap.voice("car-2") == []
    assert scene.one.transmitting
    scene.one.release()
    scene.idle()


def test_who_speaks_learns_how_many_loudspeakers_played_it_and_so_do_status_log_and_session(scene: Scene) -> None:
    scene.one.press()
    scene.one.answered("granted")
    scene.two.daemon.says("burst heard")
    eventually(lambda: len(scene.tap.voice("car-1")) >= 50)
    scene.one.release()
    over = scene.tap.wait("session", current_speaker=None, ended="released")
    report = scene.tap.wait("heartbeat/car-2", type="burst_played")
    told = scene.tap.wait("floor/car-1/reply", type="floor_heard")
    logged = scene.tap.wait("events", event="BURST_HEARD")
    scene.tap.wait("session", active=False, burst=over["burst"], heard_by=1, heard_of=1)

    assert report["frames"] * 2 >= over["last_seq"] + 1
    assert (told["burst"], told["heard_by"], told["heard_of"]) == (over["burst"], 1, 1)
    assert (logged["user"], logged["metadata"]["missing"]) == ("car-1", [])
    assert (scene.one.status()["device"]["heard_by"], scene.one.status()["device"]["heard_of"]) == (1, 1)
    eventually(lambda: scene.tap.on("device/car-1/state")[-1]["heard_by"] == 1)


def test_a_driver_whom_nobody_could_hear_is_told_unasked(scene: Scene) -> None:
    scene.one.press()
    scene.one.answered("granted")
    scene.tap.wait("presence/car-2", in_channel=scene.tap.wait("session", current_speaker="car-1")["event_id"])
    os.kill(scene.two.worker_pid(), signal.SIGSTOP)
    spoken = len(scene.tap.voice("car-1"))
    eventually(lambda: len(scene.tap.voice("car-1")) >= 2 * spoken + 50)
    outputs = scene.one.watch()
    scene.one.release()
    told = scene.tap.wait("floor/car-1/reply", timeout_s=8.0, type="floor_heard")

    assert (told["heard_by"], told["heard_of"]) == (0, 1)
    eventually(lambda: outputs.lasted_ms("motor")[-2:] == pytest.approx([80, 80], abs=40))
    assert scene.tap.wait("events", event="BURST_HEARD")["metadata"]["missing"] == ["car-2"]


def test_of_two_presses_at_the_same_moment_in_two_cars_exactly_one_speaks(scene: Scene) -> None:
    cars = (scene.one, scene.two)
    for car in cars:
        car.pins()
    for press_no in range(1, 5):
        press_together(cars)
        answers = [answer_of(car, press_no) for car in cars]
        speaking = [car.transmitting for car in cars]
        for car in cars:
            car.release()
            eventually(partial(has_no_permission, car))

        assert sorted(answers) == ["denied", "granted"]
        assert speaking == [answer == "granted" for answer in answers]


def press_together(cars: Sequence[Vehicle]) -> None:
    start = threading.Barrier(len(cars))

    def press(car: Vehicle) -> None:
        start.wait()
        car.press()

    threads = [threading.Thread(target=press, args=(car,)) for car in cars]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def answer_of(car: Vehicle, press_no: int) -> str:
    """What the driver was told first about a press, once he was."""

    def answer() -> str:
        press = car.last_press()
        return str(press["answer"] or "") if press["press_no"] == press_no else ""

    return eventually(answer)


def has_no_permission(car: Vehicle) -> bool:
    return car.floor == "U: has no permission"


def test_a_release_before_the_grant_arrives_leaves_no_floor_taken_and_sends_no_voice(
    scene: Scene, world: World
) -> None:
    os.kill(world.dispatch.pid, signal.SIGSTOP)
    try:
        scene.one.press()
        scene.tap.wait("floor/car-1", type="floor_request")
        scene.one.release()
        scene.one.answered("cancelled")
        scene.tap.wait("floor/car-1", type="floor_release")
    finally:
        os.kill(world.dispatch.pid, signal.SIGCONT)
    scene.idle()
    eventually(lambda: scene.one.floor == "U: has no permission")

    scene.two.press()
    scene.two.answered("granted")
    scene.two.release()
    assert scene.tap.voice("car-1") == []


def test_a_worker_killed_in_the_middle_of_a_burst_frees_the_floor_and_the_next_one_talks(scene: Scene) -> None:
    scene.one.press()
    scene.one.answered("granted")
    first = scene.one.worker_pid()
    killed_s = time.monotonic()
    os.kill(first, signal.SIGKILL)

    release = scene.tap.wait("floor/car-1", type="floor_release")
    told = eventually(lambda: scene.one.last_press()["last"] == "no voice")
    scene.idle(2.0)
    idle_s = time.monotonic()
    scene.one.release()
    eventually(lambda: scene.one.can_talk() and scene.one.worker_pid() != first, 5, "a new worker runs")
    scene.one.press()
    scene.one.answered("granted", 2)
    eventually(lambda: scene.one.transmitting)
    scene.one.release()

    assert told and release["burst"]
    assert idle_s - killed_s < 1.0
    assert "SIGKILL" in scene.one.daemon.log
    assert scene.one.daemon.running


def test_a_vehicle_killed_in_the_middle_of_a_burst_is_lost_to_all_and_its_floor_is_free(scene: Scene) -> None:
    worker = scene.one.worker_pid()
    scene.one.press()
    scene.one.answered("granted")
    eventually(lambda: len(scene.tap.voice("car-1")) > 10)

    killed_s = time.monotonic()
    scene.one.daemon.kill()
    lost = scene.tap.wait("presence/car-1", state="lost")
    scene.idle(5.0)

    assert time.monotonic() - killed_s < 5.0
    assert lost["reason"]
    eventually(lambda: not Path(f"/proc/{worker}").exists(), 2, "the worker dies with its daemon")
    last_frame_s = max(at_s for at_s, _ in scene.tap.voice("car-1"))
    assert last_frame_s < killed_s + 0.5


def test_a_stopped_loop_falls_silent_within_half_a_second(scene: Scene) -> None:
    scene.one.press()
    scene.one.answered("granted")
    eventually(lambda: len(scene.tap.voice("car-1")) > 10)

    os.kill(scene.one.daemon.pid, signal.SIGSTOP)
    stopped_s = time.monotonic()
    scene.tap.wait("session", 6, since_s=stopped_s, current_speaker=None)
    last_frame_s = max(at_s for at_s, _ in scene.tap.voice("car-1"))
    os.kill(scene.one.daemon.pid, signal.SIGCONT)

    assert last_frame_s - stopped_s < 0.6
    eventually(lambda: scene.one.floor == "U: has no permission", 6)
    frames = len([at_s for at_s, _ in scene.tap.voice("car-1") if at_s > stopped_s + 0.6])
    assert frames == 0
    scene.one.release()
    eventually(scene.one.can_talk, 10)


def test_a_stop_in_the_middle_of_a_burst_releases_says_offline_and_ends_with_0(scene: Scene) -> None:
    worker = scene.one.worker_pid()
    outputs = scene.one.watch()
    scene.one.press()
    scene.one.answered("granted")

    began_s = time.monotonic()
    status = scene.one.daemon.stop(3.0)

    assert (status, time.monotonic() - began_s < 3.0) == (0, True)
    assert scene.tap.wait("floor/car-1", type="floor_release")["burst"]
    eventually(lambda: scene.tap.on("presence/car-1")[-1]["state"] == "offline")
    scene.idle(1.0)
    assert not Path(f"/proc/{worker}").exists()
    assert outputs.of("motor")[-1][0] == 0.0
    assert outputs.of("led_red")[-1][0] == 0.0
    assert outputs.of("mute")[-1][0] == 0.0
    assert not scene.one.socket.exists()
    assert not scene.one.status_socket.exists()
