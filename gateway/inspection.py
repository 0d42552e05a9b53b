"""What `check-config`, `show-config` and `devices` look at beyond the text of the configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.settings import DEFAULT_RUNTIME_DIR, GatewaySettings
from hw.board import Board
from hw.errors import HardwareError
from hw.factory import FactoryName, open_factory
from service.settings import Problem, Secret, SettingsError

LIST_S = 20.0
"""Opening PortAudio on a machine with many cards takes seconds."""


class Factory(Struct, frozen=True, kw_only=True):
    """A pin factory, and whether it works on this machine; `why` not, and how to mend it."""

    name: str
    works: bool
    why: str = ""


def dims(settings: GatewaySettings) -> bool:
    """Say whether the lights are as bright as [lights] wants them: a board that only switches them cannot dim them."""
    lights = settings.lights
    return settings.pins.wiring().leds.dimming_hz > 0 or lights.day_percent == lights.night_percent == 100


def problems(settings: GatewaySettings, path: Path) -> tuple[Problem, ...]:
    """Find what is wrong around a configuration that is right in itself: files that it names and that are not there."""
    named: list[tuple[str, Path | str | None, str]] = [
        ("broker.tls_ca", settings.broker.tls_ca, "name a readable PEM file"),
        ("broker.tls_cert", settings.broker.tls_cert, "name a readable PEM file"),
        ("broker.tls_key", settings.broker.tls_key, "name a readable PEM file"),
    ]
    if settings.audio.backend == "wav":
        named.append(("audio.wav.capture_wav", settings.audio.wav.capture_wav or None, "name a readable WAV file"))
    found = [
        Problem(source=str(path), key=key, what=f"{name} cannot be read", mend=mend)
        for key, name, mend in named
        if name is not None and not os.access(name, os.R_OK)
    ]
    parent = settings.pins.pins_socket.parent if settings.pins.pins_socket is not None else None
    # The service's own runtime directory is made by systemd at each start, and is gone between.
    if parent is not None and parent != DEFAULT_RUNTIME_DIR and not parent.is_dir():
        found.append(
            Problem(source=str(path), key="pins.pins_socket", what=f"{parent} is no directory", mend=f"mkdir {parent}")
        )
    if not found:
        try:
            from service.loop import Loop
            from service.mqtt import MqttLink

            MqttLink(Loop(), settings.broker, lambda event: None)  # reads the TLS files
            settings.worker()
        except SettingsError as error:
            found += error.problems
        except ValueError as error:
            found.append(Problem(source=str(path), what=str(error)))
    return tuple(found)


def sound_devices(as_json: bool = False) -> tuple[Any, str]:
    """List sound devices as the voice worker sees them: (list, "") or (empty, why not)."""
    command = [sys.executable, "-m", "voice", "--list-devices", *(["--json"] if as_json else [])]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIST_S, text=True, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    if done.returncode != 0:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        return "", said[-1] if said else f"the voice worker ended with {done.returncode}"
    if not as_json:
        return done.stdout.rstrip(), ""
    try:
        return msgspec.json.decode(done.stdout), ""
    except msgspec.DecodeError as error:
        return "", f"the voice worker's list is not readable ({error})"


def factories(board: Board) -> list[Factory]:
    """Try every pin factory on this machine."""
    names: tuple[FactoryName, ...] = ("lgpio", "rpigpio", "virtual")
    found = []
    for name in names:
        try:
            open_factory(name, board).close()
        except HardwareError as error:
            found.append(Factory(name=name, works=False, why=str(error)))
        else:
            found.append(Factory(name=name, works=True))
    return found


def revealed(settings: GatewaySettings) -> Any:
    """Give the settings as builtins with their secrets."""

    def hook(value: Any) -> Any:
        return value.reveal() if isinstance(value, Secret) else str(value)

    return msgspec.to_builtins(settings, enc_hook=hook)


def print_json(value: object) -> None:
    """Print one JSON document."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def indented(text: str) -> str:
    """Give `text` with each line two columns in."""
    return "\n".join(f"  {line}" for line in text.splitlines())
