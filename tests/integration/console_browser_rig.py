"""The console in a headless Chromium with a fake microphone and a loudspeaker that is recorded; two real vehicles."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gateway.enrolment import EnrolmentStore
from gateway.hardware_id import hardware_id
from hw.virtual_client import VirtualPins
from lab.demo.speech import Voice, speak
from lab.demo.tape import Microphone, recordings
from lab.demo.world import Car
from lab.measure.sound import RATE_HZ, Recording, Sound, from_int16, write
from lab.proxy import Proxy
from lab.pulse import PulseRig
from lab.secure_broker import HOST
from protocol.messages import VoicePath
from protocol.rest import BrokerAccess, Enrolment, Role
from tests.support.console_office import CARS, OFFICE, ConsoleOffice
from tests.support.procs import eventually

CAR_TAPE_S = 60.0
LEAD_S = 2.0
"""Silence on the page's tape before its first sentence."""
SENTENCES = {
    "desk": ("Car two, come to the gate.", Voice("en", 150, 40)),
    "refused": ("Hello, can you hear me now?", Voice("en", 160, 40)),
    "car-1": ("I am at the station.", Voice("en", 150, 70)),
}

MARKS = """
globalThis.marks = {};
const mark = (name, at) => (globalThis.marks[name] ??= []).push(performance.timeOrigin + at);
globalThis.contexts = [];
globalThis.AudioContext = class extends AudioContext {
  constructor(options) {
    super(options);
    globalThis.contexts.push(this);
  }
};
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await ask(wanted);
  mark("tape", performance.now());
  return stream;
};
for (const name of ["keydown", "keyup"]) {
  addEventListener(name, (event) => event.repeat || mark(name, event.timeStamp), true);
}
"""
"""When, by the browser's own clock, its microphone's tape began and keys went down and up: Unix ms. And its sound."""


class Ear:
    """What Chromium's loudspeaker plays, recorded on our clock."""

    def __init__(self, pulse: PulseRig, stack: ExitStack, path: Path) -> None:
        self._path = path
        file = stack.enter_context(path.open("wb"))
        command = ["parec", "-d", "out.monitor", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1", "--raw",
                   "--latency-msec=10"]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=file, env=pulse.whole_env)
        stack.callback(self._end)
        eventually(lambda: path.stat().st_size > 0, 5, "the recorder records")
        self._epoch_s = time.monotonic() - path.stat().st_size / 2 / RATE_HZ

    def recording(self) -> Recording:
        """Everything up to now."""
        data = self._path.read_bytes()
        return Recording(from_int16(data[: len(data) // 2 * 2]), self._epoch_s)

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait(5)


class Scene:
    """The office, the cars and the browser."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.stack = stack
        self.folder = folder
        self.said = {name: speak(*how) for name, how in SENTENCES.items()}
        self.office = ConsoleOffice(folder, stack)
        self.line = stack.enter_context(Proxy(self.office.websocket_port))
        """Between the page and the broker."""
        config = self.office.config.read_text()
        was, now = (f"websocket_port = {port}" for port in (self.office.websocket_port, self.line.port))
        assert was in config
        self.office.config.write_text(config.replace(was, now))
        self.pulse = stack.enter_context(PulseRig(["out"]))
        self.ear = Ear(self.pulse, stack, folder / "browser.raw")
        self.cars = {user: self._car(user) for user in CARS}
        self.office.start()
        for car in self.cars.values():
            car.start({})
            assert car.process is not None
            stack.callback(car.process.end)
        self.browser = stack.enter_context(self._chromium())
        eventually(lambda: all(car.ready() for car in self.cars.values()), 20, "the cars can talk")

    def pins(self, user: str) -> VirtualPins:
        """Give a car's button."""
        return self.stack.enter_context(VirtualPins(self.cars[user].pins))

    def context(self, *, microphone: bool = True) -> BrowserContext:
        """Give a browser in which the call manager is signed in."""
        made = self.browser.new_context(ignore_https_errors=True, locale="en-US")
        made.set_default_timeout(15_000)
        if microphone:
            made.grant_permissions(["microphone"], origin=self.office.origin)
        page = made.new_page()
        page.goto(self.office.origin + "/")
        page.fill('input[name="login"]', self.office.desk.user.login)
        page.fill('input[name="secret"]', self.office.desk.secret.reveal())
        page.keyboard.press("Enter")
        page.wait_for_selector("nav")
        page.close()
        return made

    def session(self) -> dict[str, Any]:
        """Give the office's floor as car-2 knows it."""
        found: dict[str, Any] = self.cars["car-2"].status()["session"]
        return found

    def idle(self, within_s: float) -> None:
        """Wait until nobody holds the floor."""
        eventually(lambda: self.session()["current_speaker"] is None, within_s, lambda: f"idle: {self.session()}")

    def recordings(self, user: str) -> tuple[Recording, Recording]:
        """What was at a car's mouth and at its ear."""
        car = self.cars[user]
        return recordings(car.tape, car.played)

    def _car(self, user: str) -> Car:
        person = self.office.people[user]
        car = Car(self.folder, self.folder / f"{user}.log", user, person.user.name)
        car.configure(loop=False, cues_percent=0, lang="en", sdk_dir=None)
        with car.config.open("a") as config:
            config.write("\n[emergency]\nopen_s = 5\ncancel_s = 2\n")
        store = EnrolmentStore(car.folder / "state")
        store.try_out()
        store.write(
            Enrolment(
                region=OFFICE.region,
                office=OFFICE.office,
                user=user,
                role=Role.VEHICLE_GATEWAY,
                name=person.user.name,
                generation=1,
                hardware=hardware_id(car.folder / "hardware-id"),
                secret=person.secret.reveal(),
                broker=BrokerAccess(host=HOST, port=self.office.broker.port),
                rest_url=f"https://{HOST}:9",
                voice=VoicePath.MQTT,
                ca_pem=self.office.ca.read_text(),
            )
        )
        car.microphone = Microphone(car.tape, CAR_TAPE_S)
        return car

    @contextmanager
    def _chromium(self) -> Iterator[Browser]:
        program = shutil.which("chromium")
        assert program is not None, "chromium is missing: make setup installs it"
        tape = self.folder / "desk.wav"
        write(tape, self.tape())
        args = [
            "--no-sandbox",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={tape}%noloop",
        ]
        with sync_playwright() as playwright:
            env: dict[str, Any] = self.pulse.whole_env
            browser = playwright.chromium.launch(
                executable_path=program, args=args, env=env, ignore_default_args=["--mute-audio"]
            )
            yield browser
            browser.close()

    def tape(self) -> Sound:
        """What the page's microphone hears from the moment it is opened; see `refused_at_s`."""
        before = np.zeros(round(LEAD_S * RATE_HZ), np.float32)
        between = np.zeros(round((self.refused_at_s - LEAD_S) * RATE_HZ) - len(self.said["desk"]), np.float32)
        return np.concatenate([before, self.said["desk"], between, self.said["refused"], np.tile(before, 8)])

    @property
    def desk_s(self) -> float:
        """Length of the page's sentence."""
        return len(self.said["desk"]) / RATE_HZ

    @property
    def refused_at_s(self) -> float:
        """Where the page's second sentence begins on its tape."""
        return LEAD_S + self.desk_s + 1.6


LINE_CUT = (
    "net::ERR",
    "WebSocket is already in CLOSING or CLOSED state",
    "WebSocket is closed before the connection is established",
    "Connection closed before receiving a handshake response",
)
"""What Chromium says of a line that is cut, also in the middle of a word or of a greeting. The page knows too late."""


class Desk:
    """The console's page, switched on."""

    def __init__(self, scene: Scene, context: BrowserContext, *, microphone: str = "ready") -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._console)
        self.page.add_init_script(MARKS)
        self.page.goto(scene.office.origin + "/console")
        self.page.wait_for_selector("body[data-console=ready]")
        self.page.click("#begin")
        self.page.wait_for_selector(f'#level[data-microphone="{microphone}"]', state="attached")
        self.tape_at_s = self.marks("tape")[0] if microphone == "ready" else 0.0
        """When the microphone's tape began."""
        self.floor("idle")

    def _console(self, said: Any) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    def marks(self, name: str) -> list[float]:
        """When something happened in the browser, by our monotonic clock."""
        ahead_s = time.time() - time.monotonic()
        return [at / 1000 - ahead_s for at in self.page.evaluate(f"globalThis.marks.{name} ?? []")]

    def stand_still(self, length_s: float) -> None:
        """Keep the page so busy that it hears of nothing, from now on; returns at once."""
        busy = f"const end = performance.now() + {1000 * length_s}; while (performance.now() < end);"
        self.page.evaluate(f"setTimeout(() => {{ {busy} }}, 0)")

    def sound(self, what: str) -> None:
        """`suspend` or `resume` the page's sound, as the system does."""
        self.page.evaluate(f"Promise.all(globalThis.contexts.map((context) => context.{what}()))")

    def until(self, tape_s: float) -> float:
        """Wait for a place on the microphone's tape; gives the time."""
        time.sleep(max(0.0, self.tape_at_s + tape_s - time.monotonic()))
        return time.monotonic()

    def floor(self, state: str, timeout_ms: int = 8000) -> None:
        """Wait until the button shows this."""
        self.page.wait_for_selector(f'#ptt[data-floor="{state}"]', timeout=timeout_ms)

    def text(self, name: str) -> str:
        """What stands in one place of the page."""
        return self.page.inner_text(f"#{name}")

    @property
    def level(self) -> float:
        """What the page's meter shows, 0 to 1."""
        return float(self.page.evaluate("document.getElementById('level').value"))

    def told(self, what: str) -> None:
        """Wait until the page says what happened, by the engine's word."""
        self.page.wait_for_selector(f'#told[data-told="{what}"]')

    def close(self) -> None:
        """Leave the page as people do; whatever the browser complained of is an error."""
        self.page.close(run_before_unload=False)
        complaints = [said for said in self.complaints if not any(words in said for words in LINE_CUT)]
        assert complaints == [], f"the browser complained: {complaints}"
