"""service.systemd against a real notification socket, as systemd would read it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.systemd import STATUS_CHARS_MAX, Notifier


class Manager:
    """The systemd end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(5)

    def next_message(self) -> str:
        return self._socket.recv(4096).decode()

    def nothing_more(self) -> bool:
        self._socket.setblocking(False)
        try:
            self._socket.recv(4096)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(manager.path))
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    yield manager
    manager.close()


def test_ready_status_and_stopping_reach_systemd_in_order(manager: Manager) -> None:
    notifier = Notifier()

    notifier.ready()
    notifier.status("floor idle")
    notifier.stopping()

    assert [manager.next_message() for _ in range(3)] == ["READY=1", "STATUS=floor idle", "STOPPING=1"]


def test_the_watchdog_is_fed_twice_within_its_time(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier = Notifier()

    notifier.watchdog()

    assert notifier.watchdog_interval_s == 5.0
    assert manager.next_message() == "WATCHDOG=1"


@pytest.mark.parametrize(
    ("usec", "pid"),
    [("10000000", "1"), ("0", ""), ("soon", ""), ("-5", "")],
    ids=["another process's", "zero", "not a number", "negative"],
)
def test_a_watchdog_that_is_not_ours_is_not_fed(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, usec: str, pid: str
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid or str(os.getpid()))
    notifier = Notifier()

    notifier.watchdog()

    assert notifier.watchdog_interval_s is None
    assert manager.nothing_more()


def test_a_status_is_one_bounded_line_so_that_text_cannot_forge_a_notification(manager: Manager) -> None:
    notifier = Notifier()

    notifier.status("floor\nMAINPID=1 " + "x" * 500)

    message = manager.next_message()
    assert message.startswith("STATUS=floor MAINPID=1 xxx")
    assert "\n" not in message
    assert len(message) == len("STATUS=") + STATUS_CHARS_MAX


def test_an_unchanged_status_is_not_sent_again(manager: Manager) -> None:
    notifier = Notifier()

    notifier.status("floor idle")
    notifier.status("floor idle")
    notifier.status("floor taken")

    assert [manager.next_message(), manager.next_message()] == ["STATUS=floor idle", "STATUS=floor taken"]


def test_without_a_socket_every_call_does_nothing_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        notifier = Notifier({})
        notifier.ready()
        notifier.status("floor idle")
        notifier.watchdog()
        notifier.stopping()

    assert not notifier.active
    assert notifier.watchdog_interval_s is None
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


def test_a_missing_systemd_module_is_a_warning_because_the_unit_would_time_out(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "systemd.daemon", None)

    notifier = Notifier()
    notifier.ready()

    assert manager.nothing_more()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_vanished_manager_is_told_once_and_raises_nothing(manager: Manager, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier()
    manager.close()
    manager.path.unlink()

    notifier.ready()
    notifier.stopping()

    assert [record.getMessage() for record in caplog.records] == ["systemd cannot be notified"]
