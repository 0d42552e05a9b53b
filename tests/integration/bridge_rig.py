"""An office with MQTT voice and its Agora bridge: real broker with the product's doors, real dispatch, REST, vehicle
and bridge; the phone is a plain MQTT client beside the unmodified SDK package on the stand-in's library.

What is shown is how our side behaves. Nothing here says anything about Agora's real library or cloud.
"""

from __future__ import annotations

import base64
import threading
import time
import wave
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np
import paho.mqtt.client as paho
from numpy.typing import NDArray

from dispatch.broker.admin import BrokerAdmin
from dispatch.registry.words import User
from gateway.enrolment import EnrolmentStore
from gateway.hardware_id import hardware_id
from lab.agora_stub.hub import Hub
from lab.agora_stub.stream import Network
from protocol.codec import encode
from protocol.login import SERVER_LOGIN
from protocol.messages import AppType, Presence, PresenceState, Priority, VoicePath
from protocol.rest import Enrolment, Role
from protocol.topics import Kind, topic
from protocol.worker import Token
from service.settings import Secret
from tests.integration.dispatch_rig import Car, Client
from tests.integration.gateway_rig import Tap, Vehicle
from tests.integration.rest_rig import APP_ID, CERTIFICATE, ONE, RestOffice
from tests.support.agora import SdkProcess
from tests.support.procs import Daemon, Daemons, eventually

RATE_HZ = 16000
CAR_HZ, PHONE_HZ = 700.0, 1100.0
FRAME_BYTES = RATE_HZ // 100 * 2
NETWORK_S = 0.1
"""How long sound takes from one to another in the stand-in's channel."""

Samples = NDArray[np.int16]


def tone(hz: float, seconds: float, rate_hz: int = RATE_HZ) -> bytes:
    """A tone that is heard as nothing else."""
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    return (9000 * np.sin(2 * np.pi * hz * at)).astype("<i2").tobytes()


def sounding_s(pcm: bytes, hz: float, rate_hz: int = RATE_HZ) -> list[float]:
    """Give the times (s) of the pieces of 20 ms in which a tone of `hz` sounds, and no other louder."""
    size = rate_hz // 50
    samples = np.frombuffer(pcm[: len(pcm) // (2 * size) * 2 * size], "<i2").astype(float).reshape(-1, size)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(size), axis=1))
    peak = np.argmax(spectrum, axis=1) * rate_hz / size
    loud = np.max(spectrum, axis=1) > 100 * size
    return [n / 50 for n in np.flatnonzero(loud & (np.abs(peak - hz) <= rate_hz / size))]


class Phone(Car):
    """A member that hears and speaks over Agora alone: its floor by MQTT, its voice by the SDK."""

    def __init__(self, office: BridgedOffice, user: User, secret: Secret) -> None:
        self.office, self.user, self.connection = ONE, user.user, (0, int(time.time()), 1)
        self._renewer = None
        self._quiet = threading.Event()
        self.uid = user.uid
        will = Presence(state=PresenceState.LOST, connection_id=self.connection, presence_no=2**53 - 1)
        where = topic(ONE, Kind.PRESENCE, user.user)
        prepare = office.prepared(user.login, secret)
        Client.__init__(self, office.stack, office.rest.broker, user.login, (where, encode(will)), prepare)
        office.stack.callback(self.fall_silent)
        self.subscribe(topic(ONE, Kind.REPLY, self.user))
        self.tell(PresenceState.ONLINE, 1)
        self.sdk = office.stack.enter_context(SdkProcess(office.sdk_dir, office.folder / "phone", office.hub.path))
        self.sdk.do("connect", office.token(user))
        self.sdk.until("Connected")

    def tell(self, state: PresenceState, number: int, in_channel: str | None = None) -> None:
        presence = Presence(
            state=state,
            connection_id=self.connection,
            presence_no=number,
            in_channel=in_channel,
            voice=VoicePath.AGORA,
            app_type=AppType.PICKUP_DRIVER,
        )
        self.send(topic(self.office, Kind.PRESENCE, self.user), encode(presence), retain=True)

    def talk(self, seconds: float) -> None:
        """Push its tone in real time, as a microphone does."""
        pcm = tone(PHONE_HZ, seconds)
        due = time.monotonic()
        for at in range(0, len(pcm), FRAME_BYTES):
            self.sdk.do("push", pcm[at : at + FRAME_BYTES])
            due += 0.01
            time.sleep(max(0.0, due - time.monotonic()))

    def talking(self, seconds: float) -> threading.Thread:
        """Talk in the background."""
        thread = threading.Thread(target=self.talk, args=(seconds,), daemon=True)
        thread.start()
        return thread

    def heard(self, hz: float) -> list[float]:
        """CLOCK_MONOTONIC times at which a tone of `hz` came."""
        found = []
        for fields in self.sdk.told("Speech"):
            if sounding_s(base64.b64decode(fields["pcm"]) * 2, hz):  # a piece of 10 ms, twice
                found.append(float(fields["at_s"]))
        return found


class BridgedOffice:
    """Office seoul/1: one vehicle, one phone, one bridge, and somebody at the broker who hears all of it."""

    def __init__(self, folder: Path, stack: ExitStack, sdk_dir: Path) -> None:
        self.folder, self.stack, self.sdk_dir = folder, stack, sdk_dir
        self.rest = RestOffice(folder, stack)
        self.rest.registry.change_office(ONE, voice=VoicePath.MQTT)
        found = self.rest.registry.office(ONE)
        assert found is not None
        self.channel = found.channel
        network = Network(delay_s=NETWORK_S)
        self.hub = stack.enter_context(Hub(APP_ID, CERTIFICATE.reveal(), folder / "hub", network=network))
        self.secrets: list[Secret] = []
        self._daemons = stack.enter_context(Daemons(folder))
        self.rest.start()
        self.serve = self._daemons.python("serve", "-m", "dispatch", "serve", "--config", self.rest.config)
        self.serve.says("serving", 15.0)
        self.tap = Tap(stack, self.rest.broker.port, ONE, self.prepared(SERVER_LOGIN, self.rest.broker.server_secret))
        self.bridge_user, self._bridge_secret = self.user("bridge-1", Role.BRIDGE)
        self.bridge_config = self._write_bridge()

    def user(self, name: str, role: Role, priority: Priority = Priority.NORMAL) -> tuple[User, Secret]:
        """Add a user whom registry and broker know."""
        caller = self.rest.member(name, role)
        self.rest.registry.change_user(ONE, name, priority=priority)
        found = self.rest.registry.user(ONE, name)
        assert found is not None
        assert caller.secret is not None
        with BrokerAdmin(self.rest.broker.server_settings()) as broker:
            broker.put_user(found, caller.secret)
        self.secrets.append(caller.secret)
        self._until_admitted()
        return found, caller.secret

    def _until_admitted(self) -> None:
        """Wait until the floor control server has read the registry as it is."""
        self.serve.says(f"rev={self.rest.registry.rev()}")

    def prepared(self, login: str, secret: Secret) -> Callable[[paho.Client], None]:
        """What makes a plain client one with this login."""

        def prepare(client: paho.Client) -> None:
            client.username_pw_set(login, secret.reveal())
            client.tls_set(str(self.rest.broker.ca))

        return prepare

    def token(self, user: User) -> Token:
        """What the REST service gives a user."""
        answer = self.rest.caller(user.login, self.secrets[-1]).token()
        assert answer.ok, answer.text
        body = answer.json()
        return Token(
            **{name: body[name] for name in ("channel", "app_id", "uid", "token", "publisher", "expires_in_s")}
        )

    def phone(self, priority: Priority = Priority.NORMAL) -> Phone:
        """A phone in the channel."""
        phone = Phone(self, *self.user("phone-1", Role.PICKUP_DRIVER, priority))
        self.until_member("phone-1")
        return phone

    def vehicle(self) -> Vehicle:
        """An enrolled vehicle that can talk; its microphone hears a tone."""
        vehicle = Vehicle(self.stack, self.folder, self.rest.broker.port, "car-1", office=ONE)
        microphone, unit, state = self.folder / "tone.wav", self.folder / "unit", vehicle.folder / "state"
        with wave.open(str(microphone), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(48000)
            file.writeframes(tone(CAR_HZ, 1.0, 48000))
        unit.write_text("unit of car-1")
        self.rest.add("car-1")
        asked = {"code": self.rest.code("car-1"), "hardware": hardware_id(unit)}
        answer = self.rest.caller().post("/v1/enrol", asked)
        assert answer.ok, answer.text
        enrolment = msgspec.json.decode(answer.content, type=Enrolment)
        self.secrets.append(Secret(enrolment.secret))
        state.mkdir(mode=0o700)
        EnrolmentStore(state).write(enrolment)
        vehicle.config.write_text(
            f'[vehicle]\nlang = "en"\n[pins]\nfactory = "virtual"\npins_socket = "{vehicle.socket}"\n'
            f'[audio]\nbackend = "wav"\ncue_volume_percent = 0\n'
            f'[audio.wav]\ncapture_wav = "{microphone}"\ncapture_loop = true\nplayback_wav = "{self.speaker}"\n'
            f'[state]\ndir = "{state}"\nhardware_id_file = "{unit}"\n[log]\nlevel = "debug"\n'
        )
        self._until_admitted()
        vehicle.start()
        vehicle.online()
        self.until_member("car-1")
        return vehicle

    def until_member(self, user: str) -> None:
        """Wait until the floor control server has heard of a user, and takes it for one of the office's."""

        def known() -> bool:
            rosters = self.tap.on("roster")
            return bool(rosters) and any(m["user"] == user and m["state"] == "online" for m in rosters[-1]["members"])

        eventually(known, 8.0, lambda: f"{user} in the roster: {self.tap.on('roster')[-1:]}; {self.serve.log}")

    @property
    def speaker(self) -> Path:
        """What the vehicle's speaker played."""
        return self.folder / "speaker.wav"

    def played_s(self, hz: float) -> list[float]:
        """Times, from the file's beginning, at which the vehicle's speaker played a tone."""
        return sounding_s(self.speaker.read_bytes()[44:], hz, 48000)

    def start_bridge(self, name: str = "bridge", *, idle: bool = True) -> Daemon:
        """Start it; with `idle`, wait until it can relay."""
        env = {"AGORA_STUB_SOCKET": str(self.hub.path)}
        daemon = self._daemons.python(name, "-m", "dispatch", "agora-bridge", "--config", self.bridge_config, env=env)
        daemon.says("voice worker up", 15.0)
        if idle:
            daemon.says("link up", 15.0)
            self.until_member("bridge-1")
        return daemon

    def _write_bridge(self) -> Path:
        secret = self.folder / "bridge.secret"
        secret.touch(0o600)
        secret.write_text(self._bridge_secret.reveal())
        path = self.folder / "bridge.toml"
        path.write_text(
            f'region = "seoul"\noffice = "1"\nuser = "bridge-1"\nsecret_file = "{secret}"\n'
            f'rest_url = "{self.rest.url}"\nca = "{self.rest.broker.ca}"\nlog_level = "debug"\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {self.rest.broker.port}\n'
            f'[agora]\nsdk_dir = "{self.sdk_dir}"\nlog_dir = "{self.folder / "sdk-log"}"\n'
        )
        return path
