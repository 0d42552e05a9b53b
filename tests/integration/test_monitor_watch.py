"""`ptt watch` as a real process against a real mosquitto: snapshot, JSON lines, and live in a pseudo-terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from monitor import follow
from monitor.follow import QUIET_S
from protocol import codec
from protocol.ids import OfficeId
from protocol.messages import Alert, Presence, PresenceState, Session, Severity
from protocol.topics import Kind, topic
from service.loop import Loop
from service.mqtt import BrokerSettings, MqttLink
from tests.support.broker import Broker, free_port
from tests.support.procs import ROOT, Daemons, eventually
from tests.support.proxy import Proxy

OFFICE = OfficeId("seoul", "north")
OTHER = OfficeId("busan", "south")
ENVIRON = {"LANG": "C.UTF-8", "LC_ALL": "", "TZ": "UTC", "TERM": "xterm", "PYTHONUNBUFFERED": "1"}


def publish(port: int, *messages) -> None:
    """Publish (office, kind, ids, message, retain) and wait until the broker has them all."""
    loop = Loop()
    link = MqttLink(loop, BrokerSettings(host="127.0.0.1", port=port), lambda _event: loop.stop())
    link.dial("publisher", None)
    loop.run(lambda _now: None)
    for office, kind, ids, message, retain in messages:
        payload = message if isinstance(message, bytes) else codec.encode(message)
        assert link.publish(topic(office, kind, *ids), payload, 1, retain=retain)
    assert link.close()
    loop.close()


def session(rev: int, burst: int = 0, speaker: str | None = None, name: str | None = None) -> Session:
    fields = {"store": "s", "active": True, "channel_name": "c", "event_id": "e"}
    return Session(rev=rev, burst=burst, current_speaker=speaker, speaker_name=name, **fields)


def presence(name: str, state: PresenceState = PresenceState.ONLINE, no: int = 1) -> Presence:
    return Presence(state=state, connection_id=(1, 1, 1), presence_no=no, name=name, in_channel="e")


ALERT = Alert(alert="mic-lost", severity=Severity.CRITICAL, what="no microphone", mend="plug it in", since=0)
RETAINED = [
    (OFFICE, Kind.SESSION, (), session(1, 7, "car-1", "김민수"), True),
    (OFFICE, Kind.PRESENCE, ("car-1",), presence("김민수"), True),
    (OFFICE, Kind.ALERT, ("car-1", "mic-lost"), ALERT, True),
    (OTHER, Kind.SESSION, (), session(1), True),
]


@pytest.fixture
def broker():
    with Broker() as broker:
        yield broker


def watch(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", "watch", *argv]
    environ = {**os.environ, **ENVIRON}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=20, check=False)


# --- one snapshot ---


def test_a_snapshot_shows_what_is_retained_and_exits_with_0(broker):
    # given
    publish(broker.port, *RETAINED, (OFFICE, Kind.PRESENCE, ("car-2",), b"{not json", True))
    # when
    one = watch("--broker", f"127.0.0.1:{broker.port}", "--office", str(OFFICE), "--once")
    every = watch("--broker", f"127.0.0.1:{broker.port}", "--all", "--once", "--lang", "ko")
    # then
    assert (one.returncode, one.stderr) == (0, "")
    assert re.search(r"seoul/north  SPEAKING  김민수 \(car-1\)", one.stdout)
    assert "car-1 mic-lost: no microphone" in one.stdout
    assert "bad 1" in one.stdout
    assert "busan" not in one.stdout
    assert "발언 중  김민수 (car-1)" in every.stdout
    assert "busan/south" in every.stdout


def test_a_snapshot_of_an_empty_broker_says_that_nothing_is_known(broker):
    done = watch("--broker", f"127.0.0.1:{broker.port}", "--all", "--once")
    assert (done.returncode, "nothing is known of any office yet" in done.stdout) == (0, True)


def test_a_snapshot_over_a_slow_line_is_whole_though_the_line_is_quiet_in_between(broker):
    # given more members than the broker sends unacknowledged, and a line on which an acknowledgement takes long
    members = [f"car-{number}" for number in range(1, 1501)]
    lines = [(OFFICE, Kind.PRESENCE, (user,), presence(user), True) for user in members]
    for first in range(0, len(lines), 500):
        publish(broker.port, *lines[first : first + 500])
    with Proxy(broker.port) as proxy:
        proxy.delay_s = 2 * QUIET_S
        # when
        done = watch("--broker", f"127.0.0.1:{proxy.port}", "--office", str(OFFICE), "--once")
    # then
    assert (done.returncode, done.stderr) == (0, "")
    assert "online 1500/1500" in done.stdout


def test_a_broker_that_never_says_what_it_retains_is_given_up(broker, monkeypatch):
    # given a line that goes dead once the connection is greeted, and a monitor of little patience
    monkeypatch.setattr(follow, "SILENT_S_MAX", 0.3)
    loop = Loop()
    with Proxy(broker.port) as proxy:
        settings = BrokerSettings(host="127.0.0.1", port=proxy.port)
        reasons = []

        def on_link() -> None:
            if follower.model.link.up:
                proxy.stall()
            if follower.failures:
                reasons.append(follower.model.link.reason)
                loop.stop()

        follower = follow.Follower(loop, settings, [OFFICE], lambda _change: None, on_link)
        # when
        follower.start()
        loop.call_at(time.monotonic() + 5.0, loop.stop)
        loop.run(lambda _now: None)
    # then
    assert reasons == ["the broker does not tell what it retains"]
    assert not follower.complete
    loop.close()


def test_a_snapshot_without_a_broker_exits_with_1_and_says_why():
    port = free_port()
    done = watch("--broker", f"127.0.0.1:{port}", "--all", "--once")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"ptt watch: connection refused by 127.0.0.1:{port}: is the broker running?\n"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "one of the arguments --office --all is required"),
        (["--office", "seoul"], "'seoul' is no office"),
        (["--office", "seoul/+"], "'seoul/+' is no office"),
        (["--all", "--broker", "host:0"], "port 1 to 65535"),
        (["--all", "--broker", "two words"], "is no broker"),
        (["--all", "--once", "--json"], "not allowed with argument"),
        (["--all", "--tls-ca", "/nowhere/ca.pem", "--once"], "/nowhere/ca.pem"),
        (["--all", "--password-file", "/nowhere/password"], "/nowhere/password"),
        (["--all"], "use --once or --json"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what_is_wrong(argv, told):
    done = watch(*argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


# --- JSON lines ---


def test_json_lines_tell_every_change_and_the_loss_and_return_of_the_broker(broker, tmp_path):
    with Daemons(tmp_path) as daemons:
        # given
        publish(broker.port, *RETAINED)
        argv = ["-m", "monitor", "watch", "--broker", f"127.0.0.1:{broker.port}", "--office", str(OFFICE), "--json"]
        stream = daemons.python("watch", *argv, env=ENVIRON)
        stream.says('"complete":true')
        # when
        publish(
            broker.port,
            (OFFICE, Kind.SESSION, (), session(2, 7), True),
            (OFFICE, Kind.SESSION, (), session(1, 6), False),
            (OFFICE, Kind.SESSION, (), b"{}", False),
            (OFFICE, Kind.ALERT, ("car-1", "mic-lost"), b"", True),
        )
        stream.says('"kind":"alert","office":"seoul/north","user":"car-1","item":"mic-lost","message":null')
        broker.kill()
        stream.says("is the broker running?")
        broker.start()  # without its retained messages
        eventually(lambda: stream.log.count('"complete":true') == 2, 10.0)
        # then
        assert stream.stop() == 0
        records = [json.loads(line) for line in stream.log.splitlines()]
        sessions = [r["message"] and r["message"]["rev"] for r in records if r["kind"] == "session"]
        assert sessions == [1, 2, None]
        assert [r["kind"] for r in records].count("bad") == 1
        gone = {(r["kind"], r.get("user")) for r in records[-3:] if "message" in r}
        assert gone == {("presence", "car-1"), ("session", None)}


def test_json_lines_end_quietly_when_nobody_reads_them_any_more(broker):
    # given a reader that takes one line and goes
    command = [sys.executable, "-m", "monitor", "watch", "--broker", f"127.0.0.1:{broker.port}", "--all", "--json"]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **ENVIRON}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as stream:
        assert stream.stdout is not None
        assert stream.stderr is not None
        stream.stdout.readline()
        stream.stdout.close()
        # when something is to be told
        publish(broker.port, *RETAINED)
        # then
        assert stream.wait(5) == 0
        assert stream.stderr.read() == b""


# --- live ---


class Terminal:
    """A pseudo-terminal with `ptt watch` in it, and what a person would see there."""

    def __init__(self, columns: int, rows: int, *argv: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execve(sys.executable, [sys.executable, "-m", "monitor", "watch", *argv], {**os.environ, **ENVIRON})
        self.raw = b""
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self) -> None:
        while select.select([self.fd], [], [], 0)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # its other end is closed
                return
            self.raw += data

    def screen(self) -> list[str]:
        """The rows as they stand, from the sequences this program uses: place cursor, clear, colours."""
        self.read()
        rows: dict[int, str] = {}
        row = 1
        for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z])", self.raw.decode("utf-8", "replace")):
            match re.fullmatch(r"\x1b\[([0-9;?]*)([A-Za-z])", part):
                case None:
                    rows[row] = rows.get(row, "") + part
                case found if found[2] == "H":
                    row = int(found[1].split(";")[0])
                    rows[row] = ""
                case found if found[2] == "J" and found[1] == "2":
                    rows.clear()
                case found if found[2] == "J":
                    rows = {number: text for number, text in rows.items() if number < row}
        return [rows.get(number, "").rstrip() for number in range(1, max(rows, default=0) + 1)]

    def shows(self, text: str, timeout_s: float = 5.0) -> None:
        eventually(
            lambda: text in "\n".join(self.screen()), timeout_s, lambda: text + " in\n" + "\n".join(self.screen())
        )

    def type(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def end(self, timeout_s: float = 5.0) -> int:
        """Wait for its end and give its exit status."""
        deadline = time.monotonic() + timeout_s
        while self.alive() and time.monotonic() < deadline:
            self.read()
            time.sleep(0.01)
        self.read()
        return self.status

    status = -1

    def alive(self) -> bool:
        if self.status < 0:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else -1
        return self.status < 0

    def close(self) -> None:
        if self.alive():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def terminal(request, broker):
    opened = []

    def open_(columns: int = 100, rows: int = 24, *argv: str) -> Terminal:
        opened.append(Terminal(columns, rows, "--broker", f"127.0.0.1:{broker.port}", "--all", *argv))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def test_the_live_view_fills_at_once_follows_and_says_when_it_is_stale(broker, terminal):
    # given
    publish(broker.port, *RETAINED)
    view = terminal()
    view.shows("SPEAKING  김민수 (car-1)")
    view.shows("mic-lost: no microphone")
    # when a member is lost, the alert cured and the floor given to another
    publish(
        broker.port,
        (OFFICE, Kind.PRESENCE, ("car-1",), presence("김민수", PresenceState.LOST, 2), True),
        (OFFICE, Kind.ALERT, ("car-1", "mic-lost"), b"", True),
        (OFFICE, Kind.SESSION, (), session(2, 8, "car-2", "Lee"), True),
    )
    # then
    view.shows("SPEAKING  Lee (car-2)")
    eventually(lambda: "mic-lost" not in "\n".join(view.screen()))
    view.shows("lost")
    # and when the broker dies and comes back
    broker.kill()
    view.shows("NOT CONNECTED")
    view.shows("what is shown is stale: ")
    broker.start()
    view.shows("seoul/north  no session known", 10.0)
    assert "busan" not in "\n".join(view.screen())


def test_the_live_view_follows_the_terminals_size_and_scrolls(broker, terminal):
    # given more members than rows
    publish(broker.port, *[(OFFICE, Kind.PRESENCE, (f"car-{n:02}",), presence(f"Driver {n}"), True) for n in range(40)])
    view = terminal(80, 12)
    view.shows("more lines: j and k scroll")
    assert len(view.screen()) == 12
    # when
    view.type(b"j" * 60)
    view.shows("car-39")
    view.resize(60, 48)
    # then
    eventually(lambda: len(view.screen()) > 40)
    view.shows("car-00")
    assert all(len(row) <= 60 for row in view.screen())


@pytest.mark.parametrize("how", [b"q", b"\x03", signal.SIGTERM])
def test_the_live_view_leaves_the_terminal_as_it_was(terminal, how):
    # given
    view = terminal()
    before = termios.tcgetattr(view.fd)
    view.shows("connected")
    assert termios.tcgetattr(view.fd) != before
    # when
    _ = view.type(how) if isinstance(how, bytes) else os.kill(view.pid, how)
    # then
    assert view.end() == 0
    assert view.raw.endswith(b"\x1b[?25h\x1b[?1049l")
    assert view.raw.count(b"\x1b[?1049h") == 1
    # the settings can still be asked of our end
    assert termios.tcgetattr(view.fd) == before


def test_a_flood_of_changes_is_drawn_no_more_often_than_eyes_can_follow(broker, terminal):
    # given
    view = terminal()
    view.shows("connected")
    frames_before = view.raw.count(b"\x1b[?2026h")
    begin = time.monotonic()
    # when
    publish(broker.port, *[(OFFICE, Kind.SESSION, (), session(n, n, "car-1"), False) for n in range(1, 901)])
    view.shows("burst 0.900")
    # then
    view.read()
    assert view.raw.count(b"\x1b[?2026h") - frames_before <= 3 + (time.monotonic() - begin) / 0.1
