"""A private mosquitto on a free loopback port, for tests, the demo and benchmarks."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

START_S = 30.0
STOP_S = 5.0
PORT_MIN = 10_000
PORT_MAX = 65_535
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LINUX_PORT_RANGE = (32_768, 60_999)
"""The kernel's own default, for where it does not say."""


class BrokerFailed(RuntimeError):
    """mosquitto is missing or did not come up; the text ends with its log."""


def free_port(port_range: Path = PORT_RANGE) -> int:
    """Give a TCP port of the loopback that nobody uses at this moment, and that the kernel gives to nobody.

    It lies outside of `port_range`, out of which the kernel takes the source ports of connections. Inside, a client
    that dials before its server listens can be given the very port it dials and be connected to itself, or anybody's
    connection can take the port first. Raises BrokerFailed where there is none.
    """
    ports = _ports(port_range)
    first = random.randrange(len(ports))  # two at once seldom look at the same ones
    for step in range(len(ports)):
        port = ports[(first + step) % len(ports)]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BrokerFailed(f"no port of the loopback is free between {ports[0]} and {ports[-1]}")


def _ports(port_range: Path) -> range:
    """The larger of the two stretches below and above the kernel's range, without the ports of well-known services."""
    try:
        low, high = (int(word) for word in port_range.read_text().split())
    except (OSError, ValueError):
        low, high = LINUX_PORT_RANGE
    below, above = range(PORT_MIN, min(low, PORT_MAX + 1)), range(max(high + 1, PORT_MIN), PORT_MAX + 1)
    ports = max(below, above, key=len)
    return ports or range(PORT_MIN, PORT_MAX + 1)  # all belongs to the kernel: then there is no better one


class Broker:
    """A mosquitto of one's own: started on entering, gone on leaving. The port stays the same over restarts.

    `persistence`: keep retained messages in `folder` over restarts. `lines`: further lines of mosquitto.conf; a line
    that begins with a key set here by default replaces it. `folder`: where configuration, log and store lie (kept);
    without one a temporary folder is made and removed.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        folder: Path | None = None,
        persistence: bool = False,
        lines: Sequence[str] = (),
    ) -> None:
        self.port = free_port() if port is None else port
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False
        self._temporary = tempfile.TemporaryDirectory(prefix="ptt-broker-") if folder is None else None
        self.folder = Path(self._temporary.name) if self._temporary else Path(folder or ".")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._configure(persistence, lines)

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id; raises BrokerFailed when it does not run."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it has written so far."""
        path = self.folder / "mosquitto.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it and wait until it accepts connections; raises BrokerFailed. Nothing if it runs already."""
        if self.running:
            return
        program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if program is None:
            raise BrokerFailed("mosquitto is not installed: apt install mosquitto")
        command = [program, "-c", str(self.folder / "mosquitto.conf")]
        setpriv = shutil.which("setpriv")
        if setpriv is not None:  # it shall not outlive us, however we die
            command = [setpriv, "--pdeathsig", "KILL", *command]
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._await_accepting(self._process)

    def stop(self) -> None:
        """End it in an orderly way (SIGTERM): it saves its store, and publishes no wills. Nothing if it is down."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL. Nothing if it is down."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop it in its tracks (SIGSTOP): connections stay open, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)
        self._paused = False

    def close(self) -> None:
        """Stop it and remove its temporary folder."""
        self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _configure(self, persistence: bool, lines: Sequence[str]) -> None:
        settings = {
            "listener": f"{self.port} 127.0.0.1",
            "allow_anonymous": "true",
            "set_tcp_nodelay": "true",
            "max_inflight_messages": "1000",
            "max_queued_messages": "20000",
            "log_dest": "stderr",
            "log_timestamp": "true",
            "persistence": str(persistence).lower(),
            "persistence_location": f"{self.folder}/",
        }
        if os.geteuid() == 0:
            settings["user"] = "root"  # otherwise it becomes another user, who cannot write into our folder
        for line in lines:
            settings.pop(line.split()[0], None)
        text = "".join(f"{key} {value}\n" for key, value in settings.items()) + "".join(f"{line}\n" for line in lines)
        (self.folder / "mosquitto.conf").write_text(text)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise BrokerFailed("mosquitto does not run")
        return self._process

    def _await_accepting(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_S
        while not self._accepts():
            if process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise BrokerFailed(f"mosquitto did not come up on port {self.port}:\n{self.log[-2000:]}")
            time.sleep(0.01)

    def _accepts(self) -> bool:
        try:
            # From another address than it dials: whatever port the caller chose, it cannot meet itself.
            socket.create_connection(("127.0.0.1", self.port), 0.5, source_address=("127.0.0.2", 0)).close()
        except OSError:
            return False
        return True

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            if self._paused:
                process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._paused = False
