"""A private PulseAudio with null sinks: sound devices for benchmarks on a machine that has none.

Each sink `x` is two PCMs of ALSA: programs play into `x`, and capture what is played there from `x_cap`. Nothing of the
user's own sound system is touched: socket, cookie, home and configuration are in a folder of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from lab.bench.parts import BenchFailed

RATE_HZ = 48000
START_S = 10.0
END_S = 3.0


class PulseRig:
    """Entering starts it with null sinks of these names (48 kHz, stereo); `env` is what its clients need."""

    def __init__(self, sinks: Sequence[str]) -> None:
        self._sinks = tuple(sinks)
        self._folder = tempfile.TemporaryDirectory(prefix="ptt-rig-")
        self.folder = Path(self._folder.name)
        self._process: subprocess.Popen[bytes] | None = None
        self.env = {
            "PULSE_SERVER": f"unix:{self.folder}/pulse.sock",
            "PULSE_COOKIE": str(self.folder / "cookie"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "HOME": str(self.folder / "home"),
            "ALSA_CONFIG_PATH": str(self.folder / "asound.conf"),
        }

    def __enter__(self) -> PulseRig:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def whole_env(self) -> dict[str, str]:
        """This process's environment with `env` over it."""
        env = {**os.environ, **self.env}
        env.pop("DBUS_SESSION_BUS_ADDRESS", None)
        return env

    def _start(self) -> None:
        program = shutil.which("pulseaudio")
        if program is None or shutil.which("pactl") is None or shutil.which("parec") is None:
            raise BenchFailed("apt install pulseaudio pulseaudio-utils libasound2-plugins")
        self._write_files()
        options = ("-n", "-F", str(self.folder / "default.pa"), "--daemonize=no", "--exit-idle-time=-1")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, *options, "--use-pid-file=no", "--log-level=notice"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.whole_env,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchFailed("PulseAudio: " + (self.folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()

    def _answers(self) -> bool:
        done = subprocess.run(["pactl", "info"], env=self.whole_env, capture_output=True, timeout=10, check=False)
        return done.returncode == 0

    def _write_files(self) -> None:
        for name in ("run", "home/.config/pulse"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        rates = f"default-sample-rate = {RATE_HZ}\nalternate-sample-rate = {RATE_HZ}\navoid-resampling = yes\n"
        daemon = f"flat-volumes = no\nenable-memfd = no\n{rates}"
        (self.folder / "home/.config/pulse/daemon.conf").write_text(daemon)
        # norewinds: without it the sink renders far ahead, and delays of up to a second appear that no card has.
        sink = f"load-module module-null-sink rate={RATE_HZ} channels=2 format=s16le norewinds=1 sink_name="
        native = f"load-module module-native-protocol-unix auth-anonymous=1 socket={self.folder}/pulse.sock"
        (self.folder / "default.pa").write_text("\n".join((native, *(sink + name for name in self._sinks))) + "\n")
        pcms = ["</usr/share/alsa/alsa.conf>"]
        for sink_name in self._sinks:
            for name, device in ((sink_name, sink_name), (f"{sink_name}_cap", f"{sink_name}.monitor")):
                pcms.append(f'pcm.{name} {{ type pulse device {device} hint {{ show on description "{name}" }} }}')
        (self.folder / "asound.conf").write_text("\n".join(pcms) + "\n")
