"""Who heard me, where a listener's radio runs and its loudspeaker says nothing: real vehicles, a real office."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.dispatch_rig import Service
from tests.integration.gateway_rig import QUIET_AUDIO, Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import eventually


class Scene:
    """A speaker, and a listener with sound devices of its own."""

    def __init__(self, stack: ExitStack, folder: Path, listeners_audio: str = QUIET_AUDIO) -> None:
        broker = stack.enter_context(Broker(folder=folder / "broker"))
        service = Service(stack, folder, broker, 1, "hang_s = 1")
        service.start()
        office = service.offices.pop()
        self.tap = Tap(stack, broker.port, office)
        self.one = Vehicle(stack, folder, broker.port, "car-1", office=office).start(ready=False)
        self.two = Vehicle(stack, folder, broker.port, "car-2", office=office, audio=listeners_audio).start(ready=False)
        self.one.online()
        self.two.daemon.says("voice link up", 10)
        self.tap.wait("presence/car-2", 10, state="online")

    def says_something(self) -> tuple[int, int]:
        """Car-1 talks for a second or so; gives by how many of how many it was heard."""
        since_s, before = self.one.press(), len(self.tap.voice("car-1"))
        self.tap.wait("session", since_s=since_s, current_speaker="car-1")
        eventually(lambda: len(self.tap.voice("car-1")) >= before + 60)
        self.one.release()
        told = self.tap.wait("floor/car-1/reply", timeout_s=8.0, since_s=since_s, type="floor_heard")
        return told["heard_by"], told["heard_of"]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_vehicle_without_a_loudspeaker_has_not_heard_what_its_radio_received(
    stack: ExitStack, tmp_path: Path
) -> None:
    # given a listener whose speaker cannot be opened
    scene = Scene(stack, tmp_path, f'{QUIET_AUDIO}\n[audio.wav]\nplayback_wav = "/dev/null/out.wav"')
    scene.two.daemon.says("the speaker is missing")
    # then it is not counted among those who heard, and was there
    assert scene.says_something() == (0, 1)
    assert scene.tap.wait("events", event="BURST_HEARD")["metadata"]["missing"] == ["car-2"]


def test_a_driver_on_the_telephone_has_not_heard_what_was_kept_silent_for_it(stack: ExitStack, tmp_path: Path) -> None:
    scene = Scene(stack, tmp_path)
    scene.two.pins().press("phone_busy")
    eventually(lambda: scene.two.status()["device"]["focus"] == "phone")
    during = scene.says_something()
    # and has when it is over
    scene.two.pins().release("phone_busy")
    eventually(lambda: scene.two.status()["device"]["focus"] == "radio")
    assert (during, scene.says_something()) == ((0, 1), (1, 1))
