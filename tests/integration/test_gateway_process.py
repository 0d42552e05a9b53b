"""The daemon as a process: what systemd sees, how it starts, fails and ends, and what its commands print."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway_rig import Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import ROOT, eventually, session_members


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(folder=tmp_path_factory.mktemp("broker")) as made:
        yield made


class Systemd:
    """A notification socket as systemd has it, and what came in on it: (at_s, message)."""

    def __init__(self, stack: ExitStack, path: Path, watchdog_s: float) -> None:
        self.heard: list[tuple[float, str]] = []
        self._socket = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self._socket.bind(str(path))
        self.env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}
        threading.Thread(target=self._listen, name="systemd", daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._socket.recv(4096):
                self.heard.append((time.monotonic(), data.decode()))

    def all(self, text: str) -> list[float]:
        """Times of the messages that begin with `text`."""
        return [at_s for at_s, message in list(self.heard) if message.startswith(text)]

    @property
    def status(self) -> str:
        return [message for _, message in self.heard if message.startswith("STATUS=")][-1]


def test_systemd_hears_ready_within_a_second_a_true_status_and_a_watchdog_that_a_stopped_loop_does_not_feed(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    systemd = Systemd(stack, tmp_path / "notify", watchdog_s=0.4)
    began_s = time.monotonic()
    car = Vehicle(stack, tmp_path, broker.port, "car-notify").start(systemd.env, ready=False)

    eventually(lambda: systemd.all("READY=1"), 5)
    eventually(lambda: "link up; voice ok; U: has no permission; no session" in systemd.status, 5)
    eventually(lambda: len(systemd.all("WATCHDOG=1")) >= 4)
    car.daemon.signal(signal.SIGSTOP)
    stopped_s = time.monotonic()
    time.sleep(0.8)  # three times what it has to feed in
    fed_while_stopped = [at_s for at_s in systemd.all("WATCHDOG=1") if at_s > stopped_s + 0.05]
    car.daemon.signal(signal.SIGCONT)
    car.daemon.stop()

    assert systemd.all("READY=1")[0] - began_s < 1.0
    assert fed_while_stopped == []
    assert systemd.all("STOPPING=1")


def test_the_status_says_the_truth_about_a_link_that_is_down(stack: ExitStack, tmp_path: Path) -> None:
    systemd = Systemd(stack, tmp_path / "notify", watchdog_s=10)

    Vehicle(stack, tmp_path, 1, "car-status").start(systemd.env)

    eventually(lambda: systemd.status.startswith("STATUS=NO LINK (connection refused by 127.0.0.1:1"), 3)


def test_a_button_held_at_the_start_never_transmits_until_it_was_seen_released(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    tap = Tap(stack, broker.port)
    car = Vehicle(stack, tmp_path, broker.port, "car-held", pins='held = ["ptt"]').start(ready=False).online()

    alert = tap.wait("device/car-held/alert/stuck-button")
    held = car.status()
    car.release()
    eventually(lambda: not car.status()["device"]["keyed"])
    quiet = tap.on("floor/car-held")
    eventually(lambda: [p for _, t, p, _ in tap.heard if t.endswith("car-held/alert/stuck-button")][-1] == b"")
    car.press()
    tap.wait("floor/car-held", type="floor_request")
    car.release()

    assert alert["severity"] == "critical"
    assert held["device"]["keyed"] and held["presses"] == []
    assert quiet == []
    assert tap.voice("car-held") == []


def test_a_missing_microphone_is_told_at_the_press_and_to_monitors_and_found_when_it_comes(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    tap = Tap(stack, broker.port)
    wav = tmp_path / "microphone.wav"
    audio = f'backend = "wav"\n[audio.wav]\ncapture_wav = "{wav}"'
    car = Vehicle(stack, tmp_path, broker.port, "car-deaf", audio=audio).start()
    alert = tap.wait("device/car-deaf/alert/microphone")
    eventually(lambda: car.status()["link"]["up"])

    edge_s = car.press()
    refused = car.answered("no microphone")
    car.release()
    write_silence(wav)
    car.online()
    car.press()
    tap.wait("floor/car-deaf", type="floor_request")
    car.release()

    assert refused["told_at"] - edge_s < 0.1
    assert "capture_device" in alert["mend"]
    assert "voice: no capture" in car.daemon.log or "sound device missing" in car.daemon.log


def write_silence(path: Path) -> None:
    import wave

    with wave.open(str(path.with_suffix(".new")), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(bytes(2 * 48000))
    path.with_suffix(".new").rename(path)


def test_a_worker_that_does_not_obey_is_killed_and_started_again(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    car = Vehicle(stack, tmp_path, broker.port, "car-stuck").start(ready=False).online()
    first = car.worker_pid()

    os.kill(first, signal.SIGSTOP)
    eventually(lambda: car.worker_pid() != first and car.can_talk(), 10, "a new worker runs")

    assert "it answers no ping" in car.daemon.log
    assert car.counters["worker_starts"] == 2


def test_a_second_daemon_with_the_same_state_is_refused(stack: ExitStack, broker: Broker, tmp_path: Path) -> None:
    car = Vehicle(stack, tmp_path, broker.port, "car-twin").start()
    first = car.daemon

    car.start(ready=False)

    assert car.daemon.wait() == 1
    assert "another ptt-gateway runs" in car.daemon.log
    assert first.running


def test_each_start_has_a_newer_connection_id_and_the_older_one_loses(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    tap = Tap(stack, broker.port)
    car = Vehicle(stack, tmp_path, broker.port, "car-again").start(ready=False).online()
    car.daemon.kill()
    tap.wait("presence/car-again", state="lost")
    car.start(ready=False).online()

    online = [m["connection_id"] for m in tap.on("presence/car-again") if m["state"] == "online"]
    assert online[-1] > online[0]
    assert tap.on("presence/car-again")[-1]["state"] == "online"


BUGGY = """
import sys
from pathlib import Path
from gateway import app, settings
from gateway.core.vehicle import Vehicle
from service import logs

def broken(self, at, now, wall_ms):
    raise RuntimeError("a bug")

Vehicle._pressed = broken
logs.configure("ptt-gateway")
sys.exit(app.run(settings.read(Path(sys.argv[1]))))
"""


def test_a_bug_in_the_loop_makes_everything_safe_lets_the_will_speak_and_ends_with_70(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    tap = Tap(stack, broker.port)
    car = Vehicle(stack, tmp_path, broker.port, "car-bug")
    script = tmp_path / "buggy.py"
    script.write_text(BUGGY)
    car.daemon = car._daemons.python("buggy", script, car.config)
    car.online()
    worker = car.worker_pid()
    outputs = car.watch()
    assert car.pins().levels()["led_green"] == 1.0

    with contextlib.suppress(Exception):
        car.press()
    status = car.daemon.wait()

    assert status == 70
    assert "RuntimeError: a bug" in car.daemon.log
    assert outputs.of("led_green")[-1][0] == 0.0
    assert not Path(f"/proc/{worker}").exists()
    tap.wait("presence/car-bug", state="lost")


THREAD_BUG = """
import sys, threading
from pathlib import Path
from gateway import app, settings
from service import logs

def die():
    raise RuntimeError("a bug in a thread")

app._ready = lambda began_at: threading.Thread(target=die).start()
logs.configure("ptt-gateway")
sys.exit(app.run(settings.read(Path(sys.argv[1]))))
"""


def test_a_bug_in_any_thread_ends_the_process_as_one_in_the_loop_does(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    car = Vehicle(stack, tmp_path, broker.port, "car-thread")
    script = tmp_path / "buggy.py"
    script.write_text(THREAD_BUG)
    car.daemon = car._daemons.python("buggy", script, car.config)

    assert car.daemon.wait() == 70
    assert "RuntimeError: a bug in a thread" in car.daemon.log


def test_hardware_that_is_not_there_ends_the_start_and_says_what_to_do_and_leaves_no_worker(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    car = Vehicle(stack, tmp_path, broker.port, "car-bare")
    text = car.config.read_text().replace('"virtual"', '"lgpio"')
    car.config.write_text("".join(line for line in text.splitlines(True) if "pins_socket" not in line))
    car.start(ready=False)

    status = car.daemon.wait()

    assert status == 1
    assert "cannot start" in car.daemon.log and "->" in car.daemon.log
    eventually(lambda: session_members(car.daemon.pid) == [], 2, "no process is left")


def test_a_stop_is_done_in_three_seconds_even_if_neither_broker_nor_worker_answers(
    stack: ExitStack, tmp_path: Path
) -> None:
    broker = stack.enter_context(Broker(folder=tmp_path / "hung"))
    car = Vehicle(stack, tmp_path, broker.port, "car-hung").start(ready=False).online()
    worker = car.worker_pid()
    car.press()
    os.kill(worker, signal.SIGSTOP)
    broker.pause()

    began_s = time.monotonic()
    status = car.daemon.stop(3.5)

    assert status == 0
    assert time.monotonic() - began_s < 3.0
    assert not Path(f"/proc/{worker}").exists()
    assert "stopped without a good-bye" in car.daemon.log
    broker.resume()


EXAMPLE = re.sub(
    r"^#(user|name|region|office) = ",
    r"\1 = ",
    (ROOT / "systemd/gateway.toml.example").read_text("utf-8"),
    flags=re.M,
)
"""The example configuration with its identity filled in."""


# --- commands --------------------------------------------------------------------------------------------------------


def gateway(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "gateway", *map(str, arguments)]
    return subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False, env={**os.environ, **(env or {})}
    )


def test_a_wrong_configuration_lists_every_mistake_at_once_with_the_nearest_key(tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text(
        '[vehicle]\nuser = "Car 1"\nnmae = "one"\nregion = "seoul"\noffice = "hq"\n[pins]\nfactory = "lgpoi"\n'
        "[broker]\nport = 99999\n[audio.codec]\nbitrate = 24000\n[pins.board.pins]\nptt = 2\nmotor = 5\n"
    )

    checked = gateway("check-config", "--config", config)
    started = gateway("run", "--config", config)
    as_json = json.loads(gateway("check-config", "--config", config, "--json").stdout)

    for said in ("vehicle.user", "nmae", "pins.factory", "broker.port", "did you mean", "bitrate_bps"):
        assert said in checked.stderr
    assert checked.returncode == started.returncode == 2
    assert checked.stderr == started.stderr
    assert len(as_json["problems"]) >= 6


def test_a_good_configuration_is_told_so_in_the_readers_language(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(EXAMPLE, "utf-8")

    english = gateway("check-config", "--config", config, "--lang", "en")
    korean = gateway("check-config", "--config", config, env={"LC_ALL": "ko_KR.UTF-8"})

    assert (english.returncode, english.stdout.splitlines()[0]) == (0, f"{config}: the configuration is good")
    assert (korean.returncode, korean.stdout.splitlines()[0]) == (0, f"{config}: 설정에 문제가 없습니다")
    assert all("dimming_hz" in line for line in (english.stdout + korean.stdout).splitlines() if "[lights]" in line)


def test_the_configuration_is_shown_without_its_secrets(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(EXAMPLE.replace("[audio]", 'username = "car-1"\npassword = "hush"\n[audio]', 1), "utf-8")

    shown = gateway("show-config", "--config", config, "--redact")
    as_json = json.loads(gateway("show-config", "--config", config, "--json").stdout)
    revealed = gateway("show-config", "--config", config, "--no-redact")

    assert "hush" not in shown.stdout and 'password = "***"' in shown.stdout
    assert as_json["broker"]["password"] == "***"
    assert 'password = "hush"' in revealed.stdout


def test_devices_lists_what_there_is_and_says_what_each_pin_factory_lacks() -> None:
    listed = gateway("devices", "--config", ROOT / "systemd/gateway.toml.example", "--lang", "en")
    as_json = json.loads(gateway("devices", "--config", "/nowhere", "--json").stdout)

    assert "virtual  works here" in listed.stdout
    assert set(as_json["sound"]) == {"capture", "playback"}
    assert {f["name"]: f["works"] for f in as_json["pin_factories"]}["virtual"]


def test_status_shows_a_running_daemon_and_its_presses_and_the_socket_is_its_owners_alone(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    car = Vehicle(stack, tmp_path, broker.port, "car-seen").start(ready=False).online()
    car.press()
    car.answered("no answer")
    car.release()

    shown = gateway("status", "--config", car.config, "--lang", "en")
    korean = gateway("status", "--config", car.config, "--lang", "ko")
    as_json: dict[str, Any] = json.loads(gateway("status", "--config", car.config, "--json").stdout)
    car.daemon.stop()
    stopped = gateway("status", "--config", car.config, "--lang", "en")

    assert shown.returncode == 0
    assert "Link     up" in shown.stdout and "#1 no answer: sent " in shown.stdout
    assert "연결됨" in korean.stdout
    assert as_json["presses"][0]["sent_at"] > as_json["presses"][0]["edge_at"]
    assert (stopped.returncode, "is ptt-gateway running?" in stopped.stderr) == (1, True)


def test_the_status_socket_answers_its_owner_alone_and_survives_nonsense(
    stack: ExitStack, broker: Broker, tmp_path: Path
) -> None:
    car = Vehicle(stack, tmp_path, broker.port, "car-asked").start()

    answers = []
    for nonsense in (b"\n", b"{}\n", b"[1]\n", b'{"op": "press", "signal": "ptt"}\n', b"x" * 10_000):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(3)
            connection.connect(str(car.status_socket))
            connection.sendall(nonsense)
            answers.append(json.loads(connection.makefile().readline())["ok"])

    assert stat.S_IMODE(car.status_socket.stat().st_mode) == 0o600
    assert answers == [False] * 5
    assert car.status()["presses"] == []
