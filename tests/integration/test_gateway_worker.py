"""The worker's process from the daemon's side, with children that misbehave in every way."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.worker_process import WorkerProcess
from protocol.ids import OfficeId
from protocol.worker import Hello, Mute, Ping, Pong, Quit, WorkerEvent
from protocol.worker_settings import VoiceMqttSettings, WorkerSettings
from service.loop import Loop
from tests.support.procs import ROOT

SETTINGS = WorkerSettings(user="car-1", office=OfficeId("seoul", "hq"), mqtt=VoiceMqttSettings(client_id="c"))

BEGIN = """
import os, socket, sys, time
sys.path.insert(0, {root!r})
from protocol.worker import *
from protocol.worker_settings import decode_settings
pipe = socket.socket(fileno=int(sys.argv[1]))
settings = decode_settings(pipe.recv(4096))
def say(event): pipe.send(encode(event))
"""
OBEDIENT = """
say(Hello(pid=os.getpid(), transport="mqtt"))
while data := pipe.recv(4096):
    match decode_command(data):
        case Ping(no=no): say(Pong(no=no, link=True, capture=True, playback=True))
        case Quit(): break
"""


class Ward:
    """A WorkerProcess on a loop of the test's own, with a child that runs `script`."""

    def __init__(self, script: str) -> None:
        self.loop = Loop()
        self.said: list[WorkerEvent] = []
        self.gone: list[str] = []
        code = BEGIN.format(root=str(ROOT)) + script
        self.worker = WorkerProcess(
            self.loop, SETTINGS, self.said.append, self.gone.append, lambda fd: [sys.executable, "-c", code, str(fd)]
        )

    def until(self, wanted: Callable[[], object], timeout_s: float = 5.0) -> None:
        """Turn the loop until `wanted` is true."""
        deadline = time.monotonic() + timeout_s

        def step(now: float) -> float:
            if wanted():
                self.loop.stop()
            assert now < deadline, f"not within {timeout_s} s; said {self.said}, gone {self.gone}"
            return now + 0.01

        self.loop.run(step)

    def close(self) -> None:
        self.worker.mute()
        self.worker.close(0.2)
        self.loop.close()


@pytest.fixture
def ward() -> Iterator[Callable[[str], Ward]]:
    made: list[Ward] = []

    def make(script: str) -> Ward:
        made.append(Ward(script))
        return made[-1]

    yield make
    for each in made:
        each.close()


Make = Callable[[str], Ward]


def test_it_is_told_its_settings_answers_pings_and_quits(ward: Make) -> None:
    it = ward("assert settings.user == 'car-1' and settings.office.office == 'hq'\n" + OBEDIENT)
    it.worker.start()
    it.until(lambda: it.said)
    it.worker.send(Ping(no=7))
    it.until(lambda: len(it.said) > 1)
    it.worker.send(Quit())
    it.until(lambda: it.gone)

    assert isinstance(it.said[0], Hello)
    assert it.said[1] == Pong(no=7, link=True, capture=True, playback=True)
    assert it.gone == ["it exited with 0"]
    assert it.worker.pid is None


def test_an_early_start_is_taken_over_by_the_one_that_is_asked_for(ward: Make) -> None:
    it = ward(OBEDIENT)
    it.worker.start_early()
    first = it.worker.pid
    it.worker.start()
    it.worker.start()
    it.until(lambda: it.said)

    assert (it.worker.pid, it.worker.starts) == (first, 1)


def test_the_reason_of_its_end_holds_exit_status_and_last_words_and_comes_after_all_it_said(ward: Make) -> None:
    it = ward('say(Hello(pid=1, transport="mqtt"))\nraise RuntimeError("no such card")')
    it.worker.start()
    it.until(lambda: it.gone)

    assert len(it.said) == 1
    assert it.gone == ["it exited with 1; its last words: RuntimeError: no such card"]


def test_a_kill_from_outside_is_named_by_its_signal(ward: Make) -> None:
    it = ward(OBEDIENT)
    it.worker.start()
    it.until(lambda: it.said)
    os.kill(it.worker.pid or 0, signal.SIGSEGV)
    it.until(lambda: it.gone)

    assert it.gone[0].startswith("it was ended by SIGSEGV")


def test_a_program_that_is_not_there_is_told_as_gone(ward: Make) -> None:
    it = ward("")
    it.worker = WorkerProcess(it.loop, SETTINGS, it.said.append, it.gone.append, lambda fd: ["/no/such/program"])
    it.worker.start()
    it.until(lambda: it.gone)

    assert "cannot be started" in it.gone[0] and "No such file" in it.gone[0]
    assert it.worker.send(Ping(no=1)) is False


def test_one_that_does_not_read_is_killed_for_a_command_that_matters_and_not_for_a_ping(ward: Make) -> None:
    it = ward('say(Hello(pid=1, transport="mqtt"))\ntime.sleep(60)')
    it.worker.start()
    it.until(lambda: it.said)
    while it.worker.send(Ping(no=1)):
        pass
    alive = it.gone == [] and it.worker.pid is not None

    it.worker.send(Mute())
    it.until(lambda: it.gone, 2)

    assert alive
    assert it.worker.undelivered == 2
    assert it.gone == ["it does not read its commands"]


@pytest.mark.parametrize("nonsense", ["b'nonsense'", "b'x' * 4000", "encode(Ping(no=1))"])
def test_one_that_talks_nonsense_is_killed(ward: Make, nonsense: str) -> None:
    it = ward(f"pipe.send({nonsense})\ntime.sleep(60)")
    it.worker.start()
    it.until(lambda: it.gone, 2)

    assert it.gone[0].startswith("it talks nonsense")


def test_one_that_closes_its_pipe_and_lives_on_is_killed(ward: Make) -> None:
    it = ward("pipe.close()\ntime.sleep(60)")
    it.worker.start()
    it.until(lambda: it.gone, 2)

    assert it.gone == ["it closed its pipe"]


def test_one_that_does_not_quit_in_time_is_killed(ward: Make) -> None:
    it = ward('say(Hello(pid=1, transport="mqtt"))\npipe.recv(4096)\ntime.sleep(60)')
    it.worker.start()
    it.until(lambda: it.said)
    pid = it.worker.pid
    it.worker.send(Quit())

    began_s = time.monotonic()
    it.worker.close(0.3)

    assert 0.25 < time.monotonic() - began_s < 1.0
    assert not Path(f"/proc/{pid}").exists()


def test_what_it_prints_is_logged_at_its_own_level_and_without_bound_it_blocks_nobody(
    ward: Make, caplog: pytest.LogCaptureFixture
) -> None:
    it = ward(
        'print("plain words", flush=True)\n'
        'print("2026-01-31T08:15:00.123Z ERROR voice.worker: no card name=x", file=sys.stderr, flush=True)\n'
        'print("2026-01-31T08:15:00.123Z INFO  voice.worker: all is well", file=sys.stderr, flush=True)\n'
        'sys.stdout.write("y" * 100_000); sys.stdout.flush()\n' + OBEDIENT
    )
    with caplog.at_level(logging.DEBUG, "gateway.voice"):
        it.worker.start()
        it.until(lambda: it.said)
        it.worker.send(Quit())
        it.until(lambda: it.gone)

    lines = [(record.levelname, record.fields["line"]) for record in caplog.records]  # type: ignore[attr-defined]
    assert ("WARNING", "plain words") in lines
    assert ("ERROR", "voice.worker: no card name=x") in lines
    assert ("INFO", "voice.worker: all is well") in lines
    assert max(len(line) for _, line in lines) <= 2000


def test_after_its_end_it_can_be_started_again(ward: Make) -> None:
    it = ward(OBEDIENT)
    for number in range(1, 4):
        it.worker.start()
        it.until(lambda number=number: len(it.said) == number)
        it.worker.kill("a test")
        it.until(lambda number=number: len(it.gone) == number)

    assert it.gone == ["a test"] * 3
    assert len({event.pid for event in it.said if isinstance(event, Hello)}) == 3


def test_it_is_not_told_what_systemd_tells_the_daemon(ward: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    it = ward('assert "NOTIFY_SOCKET" not in os.environ\n' + OBEDIENT)
    it.worker.start()
    it.until(lambda: it.said or it.gone)

    assert it.gone == []


def test_no_descriptor_is_left_behind(ward: Make) -> None:
    it = ward(OBEDIENT)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(1, 4):
        it.worker.start()
        it.until(lambda number=number: len(it.said) == number)
        it.worker.kill("a test")
        it.until(lambda number=number: len(it.gone) == number)

    assert len(os.listdir("/proc/self/fd")) == before
