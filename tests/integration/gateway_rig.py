"""Real vehicles for tests: `ptt-gateway run` with its real voice worker on virtual pins and WAV sound devices."""

from __future__ import annotations

import contextlib
import json
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gateway.status_client import ask
from hw.virtual_client import OutputChange, VirtualPins
from protocol.ids import OfficeId
from protocol.worker_settings import AudioSettings
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
            status = self.status()
            voice = status["device"]["voice"]
            return bool(status["link"]["up"] and voice["worker"] == "ok" and voice["link"] and voice["capture"])
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


def as_json(payload: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(payload)
    return found


def audio(**settings: object) -> AudioSettings:
    return AudioSettings(backend="wav", **settings)  # type: ignore[arg-type]
