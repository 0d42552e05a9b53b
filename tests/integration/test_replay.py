"""Catching up, with real processes: two enrolled vehicles, broker, floor control server and REST service.

What the second one did not hear while its line was cut is told to it, and one press plays it as it was said.
"""

from __future__ import annotations

import json
import time
import wave
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from gateway.enrolment import EnrolmentStore
from gateway.hardware_id import hardware_id
from lab.measure.align import Alignment, align
from lab.measure.sound import RATE_HZ, Sound, read
from lab.proxy import Proxy
from protocol.messages import VoicePath
from protocol.rest import Enrolment
from tests.integration.gateway_rig import Vehicle
from tests.integration.rest_rig import ONE, RestOffice
from tests.support.procs import Daemon, Daemons, eventually
from tests.support.two_ways import RATE, voice_like

TAPE_S = 150.0


class Cars:
    """An office that keeps what is said; car-1 speaks, car-2 hears through a line that can be cut."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.rest = RestOffice(folder, stack)
        self.rest.registry.change_office(ONE, voice=VoicePath.MQTT)
        self.rest.registry.keep_bursts(ONE, 3600, 50)
        self.rest.start()
        self.line = stack.enter_context(Proxy(self.rest.broker.port))
        for user in ("car-1", "car-2"):
            self.rest.add(user)
        self.units = {
            "car-1": self._enrol("car-1", self.rest.broker.port),
            "car-2": self._enrol("car-2", self.line.port),
        }
        daemons = stack.enter_context(Daemons(folder))
        self.serve: Daemon = daemons.python("serve", "-m", "dispatch", "serve", "--config", self.rest.config)
        self.serve.says("serving", 20.0)
        for vehicle in self.units.values():
            vehicle.start()
        for vehicle in self.units.values():
            vehicle.online()
            vehicle.daemon.says("whether the office keeps what is said", 20.0)

    def _enrol(self, user: str, port: int) -> Vehicle:
        vehicle = Vehicle(self.stack, self.folder, self.rest.broker.port, user, office=ONE)
        unit, state, tape = vehicle.folder / "unit", vehicle.folder / "state", vehicle.folder / "tape.wav"
        with wave.open(str(tape), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            speech = voice_like(len(user), TAPE_S if user == "car-1" else 1.0)
            file.writeframes(np.clip(speech, -32768, 32767).astype("<i2").tobytes())
        unit.write_text(f"unit of {user}")
        answer = self.rest.caller().post("/v1/enrol", {"code": self.rest.code(user), "hardware": hardware_id(unit)})
        assert answer.ok, answer.text
        enrolment = msgspec.json.decode(answer.content, type=Enrolment)
        state.mkdir(mode=0o700)
        EnrolmentStore(state).write(replace(enrolment, broker=replace(enrolment.broker, port=port)))
        vehicle.config.write_text(
            f'[vehicle]\nlang = "en"\n[pins]\nfactory = "virtual"\npins_socket = "{vehicle.socket}"\n'
            f"[broker]\nkeepalive_s = 2\n"
            f'[audio]\nbackend = "wav"\ndevice_rate_hz = 16000\ncue_volume_percent = 0\n'
            f'[audio.wav]\ncapture_wav = "{tape}"\nplayback_wav = "{vehicle.folder / "played.wav"}"\n'
            f'[state]\ndir = "{state}"\nhardware_id_file = "{unit}"\n[log]\nlevel = "debug"\n'
        )
        return vehicle

    def talk(self, seconds: float) -> tuple[float, float]:
        """Car-1 speaks; gives edge and release."""
        speaker = self.units["car-1"]
        edge = speaker.press()
        speaker.answered("granted")
        time.sleep(max(0.0, edge + seconds - time.monotonic()))
        return edge, speaker.release()

    def said(self, edge: float, release: float) -> Sound:
        """What was at car-1's microphone meanwhile."""
        return self._part("car-1", "tape.wav", "capture_epoch_s", edge, release)

    def played(self, since: float, until: float) -> Sound:
        """What car-2's loudspeaker played meanwhile."""
        return self._part("car-2", "played.wav", "epoch_s", since, until)

    def hear_again(self, edge: float, release: float, tries: int = 3) -> Alignment:
        """Press replay at car-2, and follow through what is heard what was said.

        A machine that stands still for a moment leaves a hole in what a device on the wall clock plays, live or not: a
        burst that is whole once is kept whole.
        """
        for _ in range(tries):
            since = time.monotonic()
            self.units["car-2"].pins().press("replay")
            self.units["car-2"].pins().release("replay")
            time.sleep(release - edge + 1.5)
            until = time.monotonic()
            self._await_written(until)
            found = align(self.said(edge, release), self.played(since, until))
            if found.whole:
                break
        return found

    def _await_written(self, until: float) -> None:
        """Wait until car-2's loudspeaker's file reaches that far."""
        folder = self.units["car-2"].folder
        epoch_s: float = json.loads((folder / "played.wav.json").read_text())["epoch_s"]
        size = 44 + 2 * RATE * (until - epoch_s)
        eventually(lambda: (folder / "played.wav").stat().st_size >= size, 5, "what was played is in the file")

    def _part(self, user: str, name: str, epoch: str, since: float, until: float) -> Sound:
        folder = self.units[user].folder
        epoch_s = json.loads((folder / "played.wav.json").read_text())[epoch]
        whole = read(folder / name)
        return whole[max(0, round((since - epoch_s) * RATE_HZ)) : round((until - epoch_s) * RATE_HZ)]


@pytest.fixture
def cars(tmp_path: Path) -> Iterator[Cars]:
    with ExitStack() as stack:
        yield Cars(tmp_path, stack)


def test_what_was_said_while_the_line_was_cut_is_told_and_one_press_plays_it(cars: Cars) -> None:
    speaker, listener = cars.units["car-1"], cars.units["car-2"]
    cars.talk(1.0)
    listener.daemon.says("burst played", 10)

    # given a line that is cut while car-1 speaks
    cars.line.refuse()
    eventually(lambda: not listener.status()["link"]["up"], 10, "car-2 knows that its link is gone")
    edge, release = cars.talk(4.0)
    eventually(lambda: speaker.daemon.log.count("burst uploaded") >= 2, 20, lambda: speaker.daemon.log)

    # when it is back
    cars.line.accept()
    listener.online()
    listener.daemon.says("what=missed", 20)
    eventually(lambda: listener.status()["device"]["floor"] == "U: has no permission", 5, "nobody speaks")
    found = cars.hear_again(edge, release)

    # then what is heard is what was said, once
    assert found.problems == (), found
    listener.daemon.says("what=replay", 5)
    assert listener.daemon.log.count("what=missed") == 1
    assert "secret" not in speaker.daemon.log.replace("secret=***", "")


def test_the_last_one_heard_is_played_again_as_it_was_said_and_the_talk_button_ends_it(cars: Cars) -> None:
    listener = cars.units["car-2"]
    edge, release = cars.talk(3.0)
    listener.daemon.says("burst played", 10)

    found = cars.hear_again(edge, release)
    time.sleep(2.0)
    listener.pins().press("replay")
    listener.pins().release("replay")
    time.sleep(1.0)
    pressed = listener.press()
    listener.answered("granted")
    time.sleep(1.0)
    listener.release()
    quiet_until = time.monotonic()
    listener.daemon.stop()

    assert found.problems == (), found
    silence = cars.played(pressed + 0.15, quiet_until)
    assert len(silence) > RATE_HZ // 2
    assert float(np.abs(silence).max()) == 0.0
