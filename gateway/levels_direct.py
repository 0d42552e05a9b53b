"""The sound devices opened without the daemon, for `ptt-gateway levels`: its own voice worker, which joins nobody."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import msgspec

from gateway import levels_file
from gateway.core.levels import METER_LEASE_S
from gateway.levels_file import SavedLevels
from gateway.settings import NOWHERE, GatewaySettings
from gateway.state_dir import StateDir
from gateway.worker_process import WorkerProcess
from protocol.ids import OfficeId
from protocol.worker import Cleaning, Device, Fault, Hello, Levels, Meter, Metered, SoundDevice, WorkerEvent
from protocol.worker_settings import VoiceMqttSettings, WorkerSettings
from service.loop import Loop

TURN_S = 0.1
OPEN_S = 5.0
WORKER_END_S = 1.0
_USER = "levels"


class Direct:
    """The same answers as a daemon's `levels` gives; holds the state directory, so that no daemon can start meanwhile.

    Raises StateError where a daemon runs or the directory is another user's.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._opened = ExitStack()
        self._state = StateDir(settings.state_dir())
        self._opened.callback(self._state.close)
        self._levels, self._problem = levels_file.read(self._state.path)
        self._settings = settings
        self._loop = Loop()
        self._opened.callback(self._loop.close)
        self._worker: WorkerProcess | None = None
        self._ready: set[Device] = set()
        self._up = False
        self._meter: Metered | None = None

    def close(self) -> None:
        """End the worker and let go of the devices and the directory."""
        self._opened.close()

    def ask(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is wished, as `levels_desk` does; takes up to TURN_S, and OPEN_S where the devices open first."""
        chosen = {name: float(wish[name]) for name in ("mic_db", "speaker_db") if wish.get(name) is not None}
        if chosen:
            self._save(msgspec.structs.replace(self._levels, **chosen))
        if wish.get("meter") or wish.get("tone"):
            self._measure(tone=bool(wish.get("tone")))
        return {
            "mic_db": self._levels.mic_db,
            "speaker_db": self._levels.speaker_db,
            "saved": not self._problem,
            "problem": self._problem,
            "worker": self._worker is None or self._up,
            "meter": None if self._meter is None else msgspec.to_builtins(self._meter),
        }

    def _save(self, levels: SavedLevels) -> None:
        self._levels, self._problem = levels, ""
        try:
            levels_file.write(self._state.path, levels)
        except OSError as error:
            self._problem = f"{self._state.path / levels_file.NAME}: {error.strerror or error}"
        self._tell_levels()

    def _measure(self, *, tone: bool) -> None:
        if self._worker is None:
            self._worker = self._start()
            self._turn(OPEN_S, until_ready=True)
        self._worker.send(Meter(until=time.monotonic() + METER_LEASE_S, tone=tone))
        self._turn(TURN_S)

    def _start(self) -> WorkerProcess:
        mqtt = VoiceMqttSettings(client_id=_USER, host=NOWHERE[0], port=NOWHERE[1], keepalive_s=600)
        settings = WorkerSettings(
            user=_USER, office=OfficeId(_USER, _USER), mqtt=mqtt, audio=self._settings.audio, log_level="ERROR"
        )
        worker = WorkerProcess(self._loop, settings, self._said, self._gone)
        self._opened.callback(worker.close, WORKER_END_S)
        worker.start()
        return worker

    def _turn(self, for_s: float, *, until_ready: bool = False) -> None:
        until = time.monotonic() + for_s

        def step(now: float) -> float:
            if now >= until or (until_ready and len(self._ready) == len(Device)):
                self._loop.stop()
            return until

        self._loop.run(step)

    def _said(self, event: WorkerEvent) -> None:
        match event:
            case Hello():
                self._up = True
                self._tell_levels()
            case SoundDevice(device=device, ok=ok, detail=detail):
                self._ready.add(device)
                self._problem = self._problem if ok else detail
            case Metered():
                self._meter = event
            case Cleaning(ok=False, detail=detail) | Fault(what=detail):
                self._problem = detail
            case _:
                pass

    def _gone(self, reason: str) -> None:
        self._up, self._meter = False, None
        self._ready = set(Device)
        self._problem = reason

    def _tell_levels(self) -> None:
        if self._worker is not None and (self._levels.mic_db or self._levels.speaker_db or self._up):
            self._worker.send(Levels(mic_db=self._levels.mic_db, speaker_db=self._levels.speaker_db))
