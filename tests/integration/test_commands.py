"""Real gateways asked by `ptt cmd` over a real broker; their day by the ignition's pin; what monitors see of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway import shutdown_request
from gateway.app import EXIT_RESTART
from hw.virtual_client import VirtualPins
from lab.office import OFFICE
from tests.integration.dispatch_rig import Service
from tests.integration.gateway_rig import QUIET_AUDIO, Office, Tap, Vehicle
from tests.integration.test_gateway_office import World, says
from tests.support.broker import Broker
from tests.support.procs import ROOT, eventually

IGNITION = "[ignition]\noff_s = 2.0\nshutdown_after_s = {}\n[telemetry]\nevery_s = 10.0\n"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(folder=tmp_path_factory.mktemp("broker")) as made:
        yield made


class Desk:
    """`ptt cmd` of this office."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, user: str, *argv: str) -> subprocess.CompletedProcess[str]:
        where = ["--broker", f"127.0.0.1:{self._port}", "seoul/office-0", user]
        command = [sys.executable, "-m", "monitor", "cmd", *where, *argv]
        environ = {**os.environ, "LANG": "C.UTF-8", "LC_ALL": ""}
        return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30, check=False)

    def told(self, user: str, *argv: str) -> dict[str, Any]:
        done = self.ask(user, *argv, "--json")
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def vehicle(stack: ExitStack, tmp_path: Path, port: int, user: str, shutdown_after_s: float = 600.0) -> Vehicle:
    return Vehicle(stack, tmp_path, port, user, audio=f"{QUIET_AUDIO}\n{IGNITION.format(shutdown_after_s)}")


def test_a_muted_transmitter_stays_muted_over_a_restart_and_hears_on(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    car = vehicle(stack, tmp_path, broker.port, "car-bad").start().online()
    tap, desk = Tap(stack, broker.port), Desk(broker.port)
    office = Office(tap)
    car.press()
    office.grant("car-bad", office.request("car-bad"))
    eventually(lambda: car.floor == "U: has permission", 4, "it talks")

    muted = desk.told("car-bad", "mute")
    tap.wait("floor/car-bad", type="floor_release")
    car.release()
    alert = tap.wait("device/car-bad/alert/transmitter-muted", severity="warning")
    assert car.daemon.stop() == 0
    car.start().online()
    pins = stack.enter_context(VirtualPins(car.socket))
    pins.press()
    car.answered("transmitter muted")
    pins.release()
    tap.wait("device/car-bad/state", transmitter_muted=True)
    eventually(lambda: car.status()["device"]["voice"]["playback"], 4, "its speaker is open")
    unmuted = desk.told("car-bad", "unmute")
    requests = len(tap.on("floor/car-bad"))
    pins.press()
    eventually(lambda: len(tap.on("floor/car-bad")) > requests, 4, "it asks for the floor again")

    assert (muted["what"], unmuted["what"]) == ("the transmitter is muted", "the transmitter is no longer muted")
    assert "ptt cmd" in alert["mend"]


def test_a_restart_is_answered_first_and_ends_the_process_with_the_status_systemd_knows(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    car = vehicle(stack, tmp_path, broker.port, "car-again").start().online()
    tap = Tap(stack, broker.port)

    done = Desk(broker.port).ask("car-again", "restart")
    tap.wait("presence/car-again", state="offline")

    assert (done.returncode, done.stdout) == (0, "car-again: restarting\n")
    assert car.daemon.wait(5) == EXIT_RESTART


def test_identify_levels_telemetry_and_self_check_over_the_wire(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    car = vehicle(stack, tmp_path, broker.port, "car-asked").start().online()
    desk, seen = Desk(broker.port), car.watch()

    identified = desk.told("car-asked", "identify")
    eventually(lambda: len(seen.of("buzzer")) >= 2 and len(seen.of("motor")) >= 2, 5, "it beeps and shakes")
    levels = desk.told("car-asked", "levels", "--mic", "6", "--speaker", "-3")
    telemetry = desk.told("car-asked", "telemetry")
    checked = desk.told("car-asked", "self-check")
    shown = desk.ask("car-asked", "telemetry").stdout

    assert re.search(r"^  link: since_s \d+\.\d, reconnects 0, rtt_ms \d+\.\d, ", shown, re.MULTILINE), shown
    assert not re.search(r"[{\"]|\d\.\d\d", shown), shown
    assert identified["ok"] and levels["data"] == {"mic_db": 6.0, "speaker_db": -3.0}
    assert telemetry["type"] == "telemetry" and telemetry["memory_free_mb"] > 0
    assert telemetry["link"]["rtt_ms"] > 0 and telemetry["voice"]["worker"] == "ok"
    assert (checked["what"], checked["data"]["voice_worker"]) == ("all is well", "ok")


def test_who_is_away_and_what_is_refused_is_said_with_a_status_of_its_own(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    car = vehicle(stack, tmp_path, broker.port, "car-here").start().online()
    desk = Desk(broker.port)

    away = desk.ask("car-nowhere", "identify", "--timeout", "0.5")
    korean = desk.ask("car-nowhere", "identify", "--timeout", "0.5", "--lang", "ko")
    emergency = desk.ask("car-nowhere", "clear-emergency", "--timeout", "0.5")
    car.daemon.signal(signal.SIGSTOP)
    silent = desk.ask("car-here", "identify", "--timeout", "0.5")
    car.daemon.signal(signal.SIGCONT)

    assert (away.returncode, away.stderr) == (4, "ptt cmd: car-nowhere is unknown here: nobody is there to answer\n")
    assert (emergency.returncode, "ptt-dispatch device clear-alerts car-nowhere" in emergency.stderr) == (4, True)
    assert (korean.returncode, "응답할 수 없습니다" in korean.stderr) == (4, True)
    assert (silent.returncode, silent.stderr) == (4, "ptt cmd: car-here is online, but does not answer\n")


def test_what_lies_retained_on_the_command_topic_is_refused_and_changes_nothing(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    tap = Tap(stack, broker.port)
    tap.send("device/car-old/cmd", {"type": "command", "id": "old", "op": "mute_transmitter"}, retain=True)

    car = vehicle(stack, tmp_path, broker.port, "car-old").start().online()
    reply = tap.wait("device/car-old/cmd/reply", id="old")
    tap.send("device/car-old/cmd", b"", retain=True)
    tap.send("device/car-old/cmd", b"{not json")
    tap.send("device/car-old/cmd", {"type": "command", "id": "new", "op": "talk"})
    unknown = tap.wait("device/car-old/cmd/reply", id="new")

    assert (reply["ok"], "retained" in reply["what"]) == (False, True)
    assert (unknown["ok"], "unknown op 'talk'" in unknown["what"]) == (False, True)
    assert not car.status()["device"]["transmitter_muted"]
    assert car.counters["malformed"] == 1


def test_the_ignition_parks_it_and_the_shutdown_is_asked_and_taken_back(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    Service(stack, tmp_path, broker).start()
    car = vehicle(stack, tmp_path, broker.port, "car-parked", shutdown_after_s=4.0).start().online()
    tap = Tap(stack, broker.port)
    request = car.folder / "state" / shutdown_request.NAME
    pins = car.pins()

    pins.press("ignition")
    pins.release("ignition")
    tap.wait("device/car-parked/state", lifecycle="parking")
    tap.wait("presence/car-parked", timeout_s=8, state="sleeping")
    asleep = eventually(lambda: members(tap, "sleeping"), 5, "the roster has it asleep")
    eventually(request.exists, 10, "the shutdown is asked for")
    content = request.read_bytes()
    tap.wait("presence/car-parked", state="offline")
    back_s = time.monotonic()
    pins.press("ignition")
    eventually(lambda: not request.exists(), 5, "the shutdown is taken back")
    back = eventually(lambda: members(tap, "online"), 5, "the roster has it again")
    tap.wait("device/car-parked/state", lifecycle="driving", timeout_s=5, since_s=back_s)
    car.press()
    car.answered("granted")
    car.release()

    assert content == shutdown_request.CONTENT
    assert asleep == back == {"car-parked"}


def members(tap: Tap, state: str) -> set[str]:
    """Who is in the newest roster in this state."""
    rosters = tap.on("roster")
    return {member["user"] for member in rosters[-1]["members"] if member["state"] == state} if rosters else set()


RECORDER = """
import importlib.util
import gpiozero.pins.local
gpiozero.pins.local.get_pi_revision = lambda: 0xC03111
_spec = importlib.util.spec_from_file_location("fake_lgpio", {fake!r})
_fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fake)

def _recorded(name, function):
    def call(*arguments, **named):
        with open({log!r}, "a") as file:
            file.write(" ".join([name, *map(str, arguments[1:2])]) + chr(10))
        return function(*arguments, **named)
    return call

for _name, _what in vars(_fake).items():
    if not _name.startswith("__"):
        recorded = _name.startswith(("gpio_", "tx_", "callback", "group_"))
        globals()[_name] = _recorded(_name, _what) if recorded else _what
"""
"""An lgpio that writes down which line each of its functions is called for."""
POWER_HOLD = 24


def test_no_start_stop_crash_or_restart_touches_the_pin_that_holds_the_power(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    fake, library, log = ROOT / "tests/contracts/fake_gpio/lgpio.py", tmp_path / "lib", tmp_path / "calls"
    library.mkdir()
    (library / "lgpio.py").write_text(RECORDER.format(fake=str(fake), log=str(log)))
    car = vehicle(stack, tmp_path, broker.port, "car-power")
    text = car.config.read_text().replace('factory = "virtual"', 'factory = "lgpio"')
    car.config.write_text(re.sub(r"(?m)^pins_socket.*$", f'work_dir = "{tmp_path}"', text))
    env = {"PYTHONPATH": f"{library}:{ROOT}", "LG_WD": str(tmp_path)}

    car.start(env).online()
    assert car.daemon.stop() == 0
    car.start(env).online()
    car.daemon.signal(signal.SIGKILL)
    car.daemon.wait(5)
    off = subprocess.run(
        [sys.executable, "-m", "gateway", "outputs-off", "--config", str(car.config)],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    car.start(env).online()
    assert Desk(broker.port).ask("car-power", "restart").returncode == 0
    car.daemon.wait(5)

    touched = [line.split() for line in log.read_text().splitlines()]
    pins = {int(words[1]) for words in touched if len(words) == 2 and words[1].isdigit()}
    assert off.returncode == 0, off.stderr
    assert {17, 12, 27} <= pins  # what is fitted was, so the record is one
    assert POWER_HOLD not in pins


def test_at_an_office_with_doors_a_technician_may_command_and_a_monitor_may_not(
    stack: ExitStack, tmp_path: Path
) -> None:
    world = World(stack, tmp_path)
    office, unit = world.office, world.unit("one")
    world.enrol(unit)
    daemon = world.start(unit)
    says(unit, "link up; voice ok;", daemon)
    answers = {}
    for role in ("technician", "monitor"):
        secret = tmp_path / f"{role}.secret"
        office.command("user", "add", role, "--role", role, "--name", role, "--secret-file", str(secret), office=True)
        door = ["--broker", f"127.0.0.1:{office.broker_port}", "--ca", str(office.folder / "ca.pem")]
        login = ["--username", f"{OFFICE.region}.{OFFICE.office}.{role}", "--password-file", str(secret)]
        argv = [sys.executable, "-m", "monitor", "cmd", *door, *login, str(OFFICE), "car-17", "self-check"]
        answers[role] = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)

    assert (answers["technician"].returncode, answers["technician"].stderr) == (0, "")
    assert answers["technician"].stdout.startswith("car-17: ")
    assert answers["monitor"].returncode == 1
    assert "does not let this login ask" in answers["monitor"].stderr
