"""A private PulseAudio with null sinks: sound devices for tests and benchmarks on a machine that has none.

Each sink `x` is two PCMs of ALSA: programs play into `x`, and capture what is played there from `x_cap`. Nothing of the
user's own sound system is touched: socket, cookie, home and configuration are in a folder of their own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lab.process import outlived_by_none

RATE_HZ = 48000
START_S = 10.0


class RigFailed(RuntimeError):
    """PulseAudio is missing or did not come up; the text ends with its log."""


class PulseRig:
    """Entering starts it with null sinks of these names (48 kHz, stereo); `env` is what its clients need."""

    def __init__(self, sinks: Sequence[str]) -> None:
        self._sinks = tuple(sinks)
        self._folder = tempfile.TemporaryDirectory(prefix="ptt-rig-")
        self.folder = Path(self._folder.name)
        self._process: subprocess.Popen[bytes] | None = None
        socket = f"unix:{self.folder}/pulse.sock"
        self.env = {
            "PULSE_SERVER": socket,
            "PULSE_COOKIE": str(self.folder / "cookie"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "HOME": str(self.folder / "home"),
            "ALSA_CONFIG_PATH": str(self.folder / "asound.conf"),
        }

    def __enter__(self) -> PulseRig:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it and wait until it answers; raises RigFailed."""
        program = shutil.which("pulseaudio")
        if program is None or shutil.which("pactl") is None or shutil.which("parec") is None:
            raise RigFailed("apt install pulseaudio pulseaudio-utils libasound2-plugins")
        self._write_files()
        with (self.folder / "log").open("ab") as log:
            command = [program, "-n", "-F", str(self.folder / "default.pa"), "--daemonize=no", "--exit-idle-time=-1"]
            self._process = subprocess.Popen(
                outlived_by_none([*command, "--use-pid-file=no", "--log-level=notice"]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.whole_env,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while self.pactl("info").returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RigFailed((self.folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """End it. Nothing if it is down."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(3.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        (self.folder / "pulse.sock").unlink(missing_ok=True)

    def stall(self, stalled: bool) -> None:
        """Have it hang, sockets open, or go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if stalled else signal.SIGCONT)

    def pactl(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run pactl on it."""
        return subprocess.run(
            ["pactl", *args], env=self.whole_env, capture_output=True, text=True, timeout=10, check=False
        )

    @property
    def whole_env(self) -> dict[str, str]:
        """This process's environment with `env` over it."""
        env = {**os.environ, **self.env}
        env.pop("DBUS_SESSION_BUS_ADDRESS", None)
        return env

    def _write_files(self) -> None:
        for name in ("run", "home/.config/pulse"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        daemon = "\n".join(
            (
                "flat-volumes = no",
                f"default-sample-rate = {RATE_HZ}",
                f"alternate-sample-rate = {RATE_HZ}",
                "avoid-resampling = yes",
                "enable-memfd = no",
            )
        )
        (self.folder / "home/.config/pulse/daemon.conf").write_text(daemon + "\n")
        # norewinds: without it the sink renders far ahead, and delays of up to a second appear that no card has.
        modules = [
            f"load-module module-null-sink sink_name={s} rate={RATE_HZ} channels=2 format=s16le norewinds=1"
            for s in self._sinks
        ]
        native = f"load-module module-native-protocol-unix auth-anonymous=1 socket={self.folder}/pulse.sock"
        (self.folder / "default.pa").write_text("\n".join((native, *modules)) + "\n")
        pcms = ["</usr/share/alsa/alsa.conf>"]
        for sink in self._sinks:
            for name, device in ((sink, sink), (f"{sink}_cap", f"{sink}.monitor")):
                pcms.append(f'pcm.{name} {{ type pulse device {device} hint {{ show on description "{name}" }} }}')
        (self.folder / "asound.conf").write_text("\n".join(pcms) + "\n")
