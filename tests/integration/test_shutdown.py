"""The machine is switched off by root, and only for a request of the gateway's own that still stands."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from gateway import shutdown_request
from gateway.app import EXIT_RESTART
from gateway.chores import Chores
from gateway.core.words import AskShutdown, CoreEvent, Flag, Keep, Kept, Measured, ShutdownAsked
from gateway.state_dir import keep_flag, read_flag
from service.loop import Loop
from tests.support.procs import eventually

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "systemd/ptt-shutdown"
NOBODY = 65534


class Root:
    """The script with a systemctl that only writes down what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.run = folder / "run"
        self.run.mkdir()
        self.request = self.run / shutdown_request.NAME
        self.asked = folder / "asked"
        tools = folder / "bin"
        tools.mkdir()
        systemctl = tools / "systemctl"
        systemctl.write_text(f'#!/bin/sh\necho "$*" >>{self.asked}\n')
        systemctl.chmod(0o755)
        self._environ = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}

    def start(self, seconds: float = 0.1) -> subprocess.Popen[str]:
        argv = [str(SCRIPT), str(self.request), str(seconds)]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, env=self._environ, stdout=pipe, stderr=pipe, text=True)

    def done(self, process: subprocess.Popen[str]) -> tuple[int, str, list[str]]:
        """Exit status, what was said, what systemctl was asked."""
        out, err = process.communicate(timeout=20)
        return process.returncode, out + err, self.asked.read_text().splitlines() if self.asked.exists() else []


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def waits(process: subprocess.Popen[str]) -> bool:
    """Whether the script has looked at the request and gives the driver time."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    with contextlib.suppress(FileNotFoundError):  # it looks at one thing after the other
        return any(Path(f"/proc/{child}/comm").read_text() == "sleep\n" for child in children)
    return False


def test_a_request_that_stands_switches_the_machine_off_once(root: Root) -> None:
    shutdown_request.ask(root.request)

    status, said, asked = root.done(root.start())

    assert (status, asked) == (0, ["--no-block poweroff"])
    assert "switching the machine off" in said
    assert not root.request.exists()


def test_a_request_that_is_taken_back_in_time_switches_nothing_off(root: Root) -> None:
    shutdown_request.ask(root.request)
    process = root.start(seconds=2)
    began_s = time.monotonic()
    eventually(lambda: waits(process), 5, "it waits")
    shutdown_request.withdraw(root.request)

    status, said, asked = root.done(process)

    assert (status, asked) == (0, [])
    assert "taken back" in said
    assert time.monotonic() - began_s >= 1


def test_a_request_that_was_taken_back_and_left_anew_is_looked_at_anew(root: Root) -> None:
    shutdown_request.ask(root.request)
    process = root.start(seconds=2)
    eventually(lambda: waits(process), 5, "it waits")
    keep = root.request.with_name("kept")
    root.request.rename(keep)  # its inode stays taken, so that the new one has another
    shutdown_request.ask(root.request)

    status, _, asked = root.done(process)

    assert (status, asked) == (0, [])
    assert root.request.exists()


def test_no_request_switches_nothing_off(root: Root) -> None:
    assert root.done(root.start())[::2] == (0, [])


@pytest.mark.parametrize("kind", ["text", "empty", "long", "link", "folder", "owner"])
def test_what_is_no_request_of_the_gateways_is_refused_and_removed(root: Root, kind: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutdown_request.ask(other)
    make = {
        "text": lambda: root.request.write_text("reboot\n"),
        "empty": lambda: root.request.write_text(""),
        "long": lambda: root.request.write_text("poweroff: the ignition is off" + "!" * 99),
        "link": lambda: root.request.symlink_to(other),
        "folder": lambda: root.request.mkdir(),
        "owner": lambda: (shutdown_request.ask(root.request), os.chown(root.request, NOBODY, NOBODY)),
    }
    make[kind]()

    status, said, asked = root.done(root.start())

    assert (status, asked) == (1, [])
    assert "refused" in said
    assert not root.request.is_file() and not root.request.is_symlink()
    assert other.exists()


# --- the units -------------------------------------------------------------------------------------------------------


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The three units with the script that is really there."""
    folder = tmp_path / "units"
    folder.mkdir()
    for name in ("ptt-shutdown.path", "ptt-shutdown.service", "ptt-gateway.service"):
        text = (ROOT / "systemd" / name).read_text("utf-8")
        text = text.replace("/opt/ptt/libexec/ptt-shutdown", str(SCRIPT))
        (folder / name).write_text(re.sub(r"(?m)^(Exec\w+=-?)/opt/ptt/bin/\S+", r"\1/bin/true", text), "utf-8")
    return folder


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    argv = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_has_nothing_to_say_against_the_units(units: Path) -> None:
    done = analyze("verify", "--man=no", *sorted(units.iterdir()))

    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_a_misspelt_setting_of_them_is_noticed(units: Path) -> None:
    path = units / "ptt-shutdown.path"
    path.write_text(path.read_text().replace("PathExists=", "PathExist="))

    assert "PathExist" in analyze("verify", "--man=no", *sorted(units.iterdir())).stderr


def test_what_runs_as_root_is_sandboxed(units: Path) -> None:
    done = analyze("security", "--offline=true", "--threshold=30", "--no-pager", units / "ptt-shutdown.service")

    assert done.returncode == 0, done.stdout


def test_daemon_path_unit_script_and_installation_name_the_same_places() -> None:
    read = {
        name: (ROOT / "systemd" / name).read_text("utf-8") for name in ("ptt-shutdown.path", "ptt-shutdown.service")
    }
    gateway = (ROOT / "systemd/ptt-gateway.service").read_text("utf-8")
    request = f"/run/ptt-gateway/{shutdown_request.NAME}"

    assert f"\nPathExists={request}\n" in read["ptt-shutdown.path"]
    assert f"\nExecStart=/opt/ptt/libexec/ptt-shutdown {request} 3\n" in read["ptt-shutdown.service"]
    assert "\nWants=ptt-shutdown.path\n" in gateway and "\nRuntimeDirectory=ptt-gateway\n" in gateway
    assert f"\nSuccessExitStatus={EXIT_RESTART}\n" in gateway and "\nRestart=always\n" in gateway
    assert f'"{shutdown_request.CONTENT.decode().strip()}"' in SCRIPT.read_text("utf-8")
    install = (ROOT / "setup/install").read_text("utf-8")
    assert 'install -D -m 755 systemd/ptt-shutdown "$target/libexec/ptt-shutdown"' in install


# --- the daemon's side -----------------------------------------------------------------------------------------------


def asked(chores: Chores, loop: Loop, events: list[CoreEvent], count: int) -> list[CoreEvent]:
    """Turn the loop until so many events have come."""
    until_s = time.monotonic() + 10

    def step(now: float) -> float:
        if len(events) >= count or now > until_s:
            loop.stop()
        return now + 0.01

    loop.run(step)
    return events


def test_what_is_asked_of_the_thread_is_done_in_order_and_told(tmp_path: Path) -> None:
    loop, events = Loop(), list[CoreEvent]()
    request = tmp_path / "request"
    chores = Chores(tmp_path, request, loop.call_soon_threadsafe, events.append)
    chores.keep(Keep(flag=Flag.TRANSMITTER_MUTED, on=True))
    chores.ask_shutdown(AskShutdown(wanted=True))
    chores.measure(7)

    asked(chores, loop, events, 3)
    stands, muted = request.read_bytes(), read_flag(tmp_path, Flag.TRANSMITTER_MUTED.value, unreadable=False)
    chores.ask_shutdown(AskShutdown(wanted=False))
    chores.keep(Keep(flag=Flag.TRANSMITTER_MUTED, on=False))
    chores.close()
    loop.close()

    assert events[:2] == [Kept(flag=Flag.TRANSMITTER_MUTED, on=True), ShutdownAsked(wanted=True)]
    assert isinstance(events[2], Measured) and events[2].machine.queue_bytes == 7
    assert (stands, muted) == (shutdown_request.CONTENT, True)
    assert not request.exists()  # what was asked before the end is done
    assert not read_flag(tmp_path, Flag.TRANSMITTER_MUTED.value, unreadable=True)


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    loop, events = Loop(), list[CoreEvent]()
    gone = tmp_path / "gone"
    chores = Chores(gone, gone / "request", loop.call_soon_threadsafe, events.append)
    chores.keep(Keep(flag=Flag.IGNITION_WIRED, on=True))
    chores.ask_shutdown(AskShutdown(wanted=True))

    asked(chores, loop, events, 2)
    chores.close()
    loop.close()

    assert [str(tmp_path / "gone") in event.problem for event in events] == [True, True]  # type: ignore[union-attr]


def test_a_flag_is_what_was_kept_last_and_an_unreadable_one_is_what_is_safe(tmp_path: Path) -> None:
    absent = read_flag(tmp_path, "f", unreadable=True)
    keep_flag(tmp_path, "f", True)
    kept = read_flag(tmp_path, "f", unreadable=False)
    keep_flag(tmp_path, "f", False)
    off = read_flag(tmp_path, "f", unreadable=True)
    (tmp_path / "f").write_bytes(b"")
    torn = [read_flag(tmp_path, "f", unreadable=safe) for safe in (True, False)]
    (tmp_path / "folder").mkdir()
    folder = [read_flag(tmp_path, "folder", unreadable=safe) for safe in (True, False)]

    assert (absent, kept, off, torn, folder) == (False, True, False, [True, False], [True, False])
