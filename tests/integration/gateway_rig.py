"""Real vehicles for tests: `ptt-gateway run` with its real voice worker on virtual pins and WAV sound devices."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.status_client import ask
from hw.virtual_client import OutputChange, VirtualPins
from protocol.ids import OfficeId
from protocol.voice_frame import VoiceFrame, unpack
from tests.support.procs import Daemon, Daemons, eventually

OFFICE = OfficeId("seoul", "office-0")
QUIET_AUDIO = 'backend = "wav"'


class Vehicle:
    """One vehicle: its daemon, its pins, its status."""

    def __init__(
        self,
        stack: ExitStack,
        folder: Path,
        port: int,
        user: str = "car-1",
        *,
        audio: str = QUIET_AUDIO,
        pins: str = "",
        broker: str = "",
        office: OfficeId = OFFICE,
    ) -> None:
        self.user = user
        self.office = office
        self.folder = folder / user
        self.folder.mkdir(exist_ok=True)
        self.config = self.folder / "gateway.toml"
        self.socket = self.folder / "pins.sock"
        self.status_socket = self.folder / "state" / "status.sock"
        self.config.write_text(
            f'[vehicle]\nuser = "{user}"\nname = "{user} driver"\nregion = "{office.region}"\n'
            f'office = "{office.office}"\nlang = "en"\n'
            f'[pins]\nfactory = "virtual"\npins_socket = "{self.socket}"\n{pins}\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {port}\nkeepalive_s = 2\n{broker}\n'
            f"[audio]\n{audio}\n"
            f'[state]\ndir = "{self.folder / "state"}"\n[log]\nlevel = "debug"\n'
        )
        self._stack = stack
        self._daemons = stack.enter_context(Daemons(self.folder))
        self._pins: VirtualPins | None = None
        self.daemon: Daemon

    def start(self, env: dict[str, str] | None = None, *, ready: bool = True) -> Vehicle:
        """Start the daemon; with `ready`, wait until it says so."""
        self.daemon = self._daemons.python("gateway", "-m", "gateway", "run", "--config", self.config, env=env)
        if ready:
            self.daemon.says("gateway: ready", 10)
        return self

    def online(self) -> Vehicle:
        """Wait until a press can be answered: control link, voice link and microphone are there."""
        eventually(lambda: self.can_talk(), 10, lambda: f"{self.user} can talk; its log:\n{self.daemon.log}")
        return self

    def can_talk(self) -> bool:
        with contextlib.suppress(Exception):
            return str(self.status()["says"]).startswith("link up; voice ok;")
        return False

    def status(self, presses: int = 10) -> dict[str, Any]:
        return ask([self.status_socket], presses).status

    @property
    def floor(self) -> str:
        return str(self.status()["device"]["floor"])

    @property
    def transmitting(self) -> bool:
        return bool(self.status()["transmitting"])

    @property
    def counters(self) -> dict[str, int]:
        found: dict[str, int] = self.status()["counters"]
        return found

    def last_press(self) -> dict[str, Any]:
        presses = self.status()["presses"]
        found: dict[str, Any] = presses[-1] if presses else {"press_no": 0, "answer": None, "last": None}
        return found

    def answered(self, answer: str, press_no: int | None = None, timeout_s: float = 4.0) -> dict[str, Any]:
        """Wait until the last press (or this one) was answered so, and give its record."""

        def found() -> dict[str, Any] | None:
            for press in self.status()["presses"]:
                if press["answer"] == answer and press_no in (None, press["press_no"]):
                    return dict(press)
            return None

        press = eventually(found, timeout_s, lambda: f"{answer!r}; presses: {self.status()['presses']}")
        assert press is not None
        return press

    def pins(self) -> VirtualPins:
        if self._pins is None:
            self._pins = eventually(self._connect, 5, "the pin server answers")
            self._stack.callback(self._pins.close)
        return self._pins

    def _connect(self) -> VirtualPins | None:
        with contextlib.suppress(Exception):
            return VirtualPins(self.socket)
        return None

    def press(self) -> float:
        return self.pins().press()

    def release(self) -> float:
        return self.pins().release()

    def watch(self, for_s: float = 30.0) -> Outputs:
        """Collect the changes of its outputs from now on."""
        return Outputs(self.socket, for_s)

    def worker_pid(self) -> int:
        pid = eventually(lambda: self.status()["worker_pid"], 5, "there is a voice worker")
        return int(pid)


class Outputs:
    """What a panel's outputs did, collected in a thread."""

    def __init__(self, socket: Path, for_s: float) -> None:
        self.changes: list[OutputChange] = []
        began = threading.Event()

        def collect() -> None:
            with contextlib.suppress(Exception), VirtualPins(socket) as pins:
                for change in pins.watch(for_s, began.set):
                    self.changes.append(change)

        threading.Thread(target=collect, name="watch-outputs", daemon=True).start()
        assert began.wait(5)

    def of(self, signal: str) -> list[tuple[float, float]]:
        """(level, at_s) of each change of one output."""
        return [(change.level, change.at_s) for change in list(self.changes) if change.signal == signal]

    def lasted_ms(self, signal: str, since_s: float = 0.0) -> list[float]:
        """Lengths of the pulses of one output that began after `since_s`."""
        lengths, began = [], None
        for level, at_s in self.of(signal):
            if level > 0 and began is None and at_s >= since_s:
                began = at_s
            elif level == 0 and began is not None:
                lengths.append((at_s - began) * 1000)
                began = None
        return lengths


class Tap:
    """Everything an office says on its broker, as a plain paho client hears it: (at_s, topic, payload, retained)."""

    def __init__(
        self,
        stack: ExitStack,
        port: int,
        office: OfficeId = OFFICE,
        prepare: Callable[[paho.Client], object] = lambda client: None,
    ) -> None:
        self.heard: list[tuple[float, str, bytes, bool]] = []
        self.root = f"ptt/v1/{office.region}/{office.office}"
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, f"tap-{id(self)}", protocol=paho.MQTTv5)
        self._client.on_message = self._on_message
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        prepare(self._client)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        stack.callback(self._leave)
        eventually(self._client.is_connected)
        self._client.subscribe([(f"{self.root}/#", SubscribeOptions(qos=1, retainAsPublished=True))])
        assert subscribed.wait(5)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.heard.append((time.monotonic(), message.topic, bytes(message.payload), message.retain))

    def _leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, tail: str, message: dict[str, Any] | bytes, *, retain: bool = False, qos: int = 1) -> None:
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self._client.publish(f"{self.root}/{tail}", payload, qos, retain).wait_for_publish(5)

    def on(self, tail: str, since_s: float = 0.0) -> list[dict[str, Any]]:
        """Control messages on one topic, as JSON; what is no JSON is left out."""
        found = []
        for at_s, topic, payload, _ in list(self.heard):
            if topic == f"{self.root}/{tail}" and at_s >= since_s:
                with contextlib.suppress(ValueError):
                    found.append(json.loads(payload))
        return found

    def voice(self, user: str) -> list[tuple[float, VoiceFrame]]:
        """Voice frames of one member with their times."""
        topic = f"{self.root}/voice/{user}"
        return [(at_s, unpack(payload)) for at_s, name, payload, _ in list(self.heard) if name == topic]

    def wait(self, tail: str, timeout_s: float = 4.0, since_s: float = 0.0, **fields: Any) -> dict[str, Any]:
        """Wait for a message on a topic with these fields."""

        def found() -> dict[str, Any] | None:
            for message in self.on(tail, since_s):
                if all(message.get(name) == value for name, value in fields.items()):
                    return message
            return None

        message = eventually(found, timeout_s, lambda: f"{fields} on {tail}; heard: {self.on(tail, since_s)[-5:]}")
        assert message is not None
        return message


class Office:
    """A floor control server that does what the test says, in plain paho: for what the real one never does."""

    def __init__(self, tap: Tap) -> None:
        self.tap = tap
        self.rev = 0
        self.burst = 100

    def request(self, user: str, number: int = 1) -> dict[str, Any]:
        """Wait for the `number`-th distinct request of a member."""

        def found() -> dict[str, Any] | None:
            seen: dict[tuple[int, ...], dict[str, Any]] = {}
            for message in self.tap.on(f"floor/{user}"):
                if message["type"] == "floor_request":
                    seen.setdefault(tuple(message["request_id"]), message)
            return list(seen.values())[number - 1] if len(seen) >= number else None

        message = eventually(found, 4, f"request {number} of {user}")
        assert message is not None
        return message

    def reply(self, user: str, kind: str, **fields: Any) -> None:
        self.rev += 1
        self.tap.send(f"floor/{user}/reply", {"type": kind, "rev": self.rev, **fields})

    def grant(self, user: str, request: dict[str, Any], duration_s: float = 30.0, lease_s: float = 3.0) -> int:
        self.burst += 1
        request_id = request["request_id"]
        self.reply(
            user, "floor_granted", request_id=request_id, burst=self.burst, duration_s=duration_s, lease_s=lease_s
        )
        return self.burst
