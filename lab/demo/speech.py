"""What the drivers say: sentences by espeak-ng, or a recording of the user's own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from msgspec import Struct

from lab.measure.sound import RATE_HZ, BadSound, Sound, dbfs, levelled, peak, read, trimmed

SPEAK_S = 20.0
QUIET_DBFS = -50.0


class NoSpeech(RuntimeError):
    """espeak-ng is missing or failed; the text says how to mend it."""


class Voice(Struct, frozen=True):
    """How one driver sounds: espeak-ng's voice, words a minute, pitch 0-99."""

    voice: str
    speed: int
    pitch: int


def speak(text: str, voice: Voice) -> Sound:
    """Let espeak-ng say `text`; silence at the ends is cut off. Raises NoSpeech."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise NoSpeech("espeak-ng is not installed: apt install espeak-ng")
    with tempfile.TemporaryDirectory(prefix="ptt-speech-") as folder:
        path = Path(folder) / "speech.wav"
        command = [program, "-v", voice.voice, "-s", str(voice.speed), "-p", str(voice.pitch), "-w", str(path), text]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SPEAK_S, text=True, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoSpeech(f"espeak-ng failed: {error}") from error
        if done.returncode or not path.exists():
            raise NoSpeech(f"espeak-ng failed with {done.returncode}: {done.stderr.strip()[:300]}")
        return levelled(trimmed(read(path)))


def recording(path: Path, most_s: float) -> Sound:
    """Read the user's recording, silence at its ends cut off. Raises BadSound for silence and for over `most_s`."""
    sound = read(path)
    if dbfs(peak(sound)) < QUIET_DBFS:
        raise BadSound(f"{path} is silent (peak {dbfs(peak(sound)):.0f} dBFS): record it louder")
    sound = levelled(trimmed(sound))
    length_s = len(sound) / RATE_HZ
    if length_s > most_s:
        raise BadSound(f"{path} lasts {length_s:.1f} s: at most {most_s:.0f} s fit into one talk; cut it")
    return sound
