"""The sound card is lost in the middle of a sentence: it is told, nothing hangs, and both are back with the card."""

from __future__ import annotations

import time
from pathlib import Path

from lab.pulse import PulseRig
from protocol.timers import TAIL_S
from protocol.worker import (
    Arm,
    Device,
    Drained,
    KeyUp,
    Meter,
    Metered,
    Ping,
    Pong,
    Say,
    SoundDevice,
    VoiceLink,
)
from protocol.worker_settings import AudioSettings
from tests.support.broker import Broker
from tests.support.procs import eventually
from tests.support.voice import WorkerProcess

REQUEST = (0, 1, 1, 1)
LONG = (
    "Base, this is car three. I am stuck on the ring road, and will be ten minutes late for the next appointment. "
    "There is no way around it, and I will call again."
)
AUDIBLE_DB = -40.0


def hears_itself(one: WorkerProcess, since: float) -> None:
    """Say a long sentence until the microphone, which is the speaker's own monitor, hears it."""
    one.tell(Say(text=LONG, lang="en", urgent=True))
    one.tell(Meter(until=time.monotonic() + 20.0))
    one.wait(Metered, lambda event: event.at > since and event.rms_db > AUDIBLE_DB, timeout_s=15.0)


def test_a_card_lost_amid_a_sentence_is_told_and_presses_are_answered_and_it_speaks_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    card = AudioSettings(capture_device="spk_cap", playback_device="spk", rest_after_s=0)
    with (
        PulseRig(("spk",)) as rig,
        Broker() as broker,
        WorkerProcess("car-1", broker.port, card, tmp_path / "car-1.log", env=rig.env) as car,
    ):
        car.wait(VoiceLink, lambda event: event.up)
        for device in Device:
            car.wait(SoundDevice, lambda event, device=device: event.device == device and event.ok)  # type: ignore[misc]
        # given a sentence that sounds
        hears_itself(car, 0.0)
        # when the sound system dies
        rig.stop()
        # then both devices are told as lost, with what a technician may do
        for device in Device:
            _, lost = car.wait(
                SoundDevice,
                lambda event, device=device: event.device == device and not event.ok,  # type: ignore[misc]
            )
            assert lost.detail
        # and a press has its answer at once, and the worker is alive
        asked = time.monotonic()
        car.tell(Arm(request_id=REQUEST, edge_at=asked))
        car.tell(KeyUp(request_id=REQUEST, at=asked + 0.01))
        car.tell(Ping(no=77))
        answered, pong = car.wait(Pong, lambda event: event.no == 77)
        drained, _ = car.wait(Drained)
        assert answered - asked < 1.0
        assert drained - asked < TAIL_S + 0.5
        assert (pong.capture, pong.playback) == (False, False)
        # and when the sound system is back, it speaks again by itself
        back = time.monotonic()
        rig.start()
        for device in Device:
            _wait_after(car, device, back)
        hears_itself(car, time.monotonic())


def test_a_sound_system_that_hangs_is_told_for_both_devices_though_no_call_of_it_returns(tmp_path: Path) -> None:
    card = AudioSettings(capture_device="spk_cap", playback_device="spk", rest_after_s=0)
    with (
        PulseRig(("spk",)) as rig,
        Broker() as broker,
        WorkerProcess("car-1", broker.port, card, tmp_path / "car-1.log", env=rig.env) as car,
    ):
        for device in Device:
            car.wait(SoundDevice, lambda event, device=device: event.device == device and event.ok)  # type: ignore[misc]
        # when it hangs, and nothing wakes the loop: it is the devices' own thread that notices, and closes them
        rig.stall(True)
        try:
            hung = time.monotonic()
            eventually(lambda: any(not event.ok for event in car.all(SoundDevice)), 5)
            car.tell(Ping(no=1))
            for device in Device:
                at, _ = car.wait(
                    SoundDevice,
                    lambda event, device=device: event.device == device and not event.ok,  # type: ignore[misc]
                    timeout_s=3.0,
                )
                assert at - hung < 5.0
        finally:
            rig.stall(False)
        # and both are back when it goes on
        for device in Device:
            _wait_after(car, device, hung)


def _wait_after(one: WorkerProcess, device: Device, since: float) -> None:
    deadline = since + 60.0
    while time.monotonic() < deadline:
        if any(
            at > since and isinstance(event, SoundDevice) and event.device == device and event.ok
            for at, event in tuple(one.events)
        ):
            return
        time.sleep(0.05)
    raise AssertionError(f"{device} is not back: {one.all(SoundDevice)}")
