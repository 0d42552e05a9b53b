"""What this vehicle does when a monitor asks: identify itself, set levels, restart, be muted, say how it is.

None of it keys: no deed touches the microphone but to close it. A muted transmitter stays so over restarts and in an
emergency: it is muted because what it sends cannot be borne.
"""

from collections import deque
from collections.abc import Callable
from typing import assert_never

from gateway.core.alerts import Alerts
from gateway.core.commands import Asked, Done
from gateway.core.context import Context, Timers
from gateway.core.floor_machine import FloorMachine
from gateway.core.levels import SoundLevels
from gateway.core.participant_words import Word
from gateway.core.telemetry import TelemetryKeeper
from gateway.core.told import Told
from gateway.core.words import Flag, Keep, Kept, Restart, SetLevels
from gateway.core.worker_care import WorkerCare
from protocol.commands import CommandOp, LevelsParams

IDENTIFY_S = 5.0
"""The unit shows itself for so long."""
AGAIN_S = 2.5
"""It is told once more after this time."""
_BUSY = Done(ok=False, what="the driver talks or asks to: try again in a moment")


class Deeds:
    """One procedure for each CommandOp. Owns `ctx.transmitter_muted` and `ctx.identifying`."""

    def __init__(
        self,
        ctx: Context,
        floor: FloorMachine,
        worker: WorkerCare,
        levels: SoundLevels,
        alerts: Alerts,
        telemetry: TelemetryKeeper,
        clear_emergency: Callable[[str, float], bool],
        *,
        muted: bool,
    ) -> None:
        """`muted`: the transmitter was muted before the last restart. `clear_emergency(by, now)`: False if none is."""
        self._clear_emergency = clear_emergency
        self._ctx = ctx
        self._floor = floor
        self._worker = worker
        self._levels = levels
        self._alerts = alerts
        self._telemetry = telemetry
        self._timers = Timers()
        self._keeping: deque[Asked] = deque()
        ctx.transmitter_muted = muted

    def do(self, asked: Asked, now: float) -> None:
        """Do it, and answer; muting is answered when it is on the disk."""
        match asked.op:
            case CommandOp.IDENTIFY:
                asked.answer(self._identify(now))
            case CommandOp.LEVELS:
                asked.answer(self._set_levels(asked))
            case CommandOp.RESTART:
                self._restart(asked)
            case CommandOp.MUTE_TRANSMITTER:
                self._mute(asked, True, now)
            case CommandOp.UNMUTE_TRANSMITTER:
                self._mute(asked, False, now)
            case CommandOp.CLEAR_EMERGENCY:
                cleared = self._clear_emergency(asked.by, now)
                asked.answer(Done(what="the emergency is cleared" if cleared else "there was no emergency"))
            case CommandOp.TELEMETRY:
                self._telemetry.ask()
                asked.answer(Done(what=f"measuring: see device/{self._ctx.user}/telemetry"))
            case CommandOp.SELF_CHECK:
                asked.answer(self._self_check())
            case _:
                assert_never(asked.op)

    def kept(self, kept: Kept) -> None:
        """What was to be kept is on the disk, or cannot be."""
        if kept.flag is not Flag.TRANSMITTER_MUTED or not self._keeping:
            return
        what = "the transmitter is muted" if kept.on else "the transmitter is no longer muted"
        if kept.problem:
            what = f"{what}, but a restart will undo that: {kept.problem}"
        self._keeping.popleft().answer(Done(ok=not kept.problem, what=what))

    def look(self, wall_ms: int) -> None:
        """After every event: what holds is told; who talks is no longer looked for."""
        self._alerts.set("transmitter-muted", self._ctx.transmitter_muted, wall_ms)
        if self._ctx.identifying and self._floor.participant.talk is not None:
            self._stop_identifying()

    def tick(self, now: float) -> None:
        """Do what is due."""
        while (name := self._timers.expire(now)) is not None:
            if name == "again":
                self._ctx.tell(Told.IDENTIFY)
            else:
                self._stop_identifying()

    def stop(self) -> None:
        """Nothing more is due."""
        self._timers.stop()

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    def _identify(self, now: float) -> Done:
        if self._floor.participant.talk is not None:
            return _BUSY
        self._ctx.identifying = True
        self._timers.set("again", now + AGAIN_S)
        self._timers.set("over", now + IDENTIFY_S)
        self._ctx.tell(Told.IDENTIFY)
        return Done(what=f"showing itself for {IDENTIFY_S:.0f} s")

    def _restart(self, asked: Asked) -> None:
        """Whoever talks is not cut off, least of all in an emergency: a talk is bounded, so that this can wait."""
        busy = self._floor.participant.talk is not None or self._ctx.counting
        asked.answer(_BUSY if busy else Done(what="restarting"))
        if not busy:
            self._ctx.emit(Restart(reason=f"{asked.by} asked for it"))

    def _stop_identifying(self) -> None:
        self._ctx.identifying = False
        self._timers.stop("again", "over")

    def _set_levels(self, asked: Asked) -> Done:
        params = asked.params
        assert isinstance(params, LevelsParams)
        wish = SetLevels(mic_db=params.mic_db, speaker_db=params.speaker_db, by=asked.by)
        if not self._levels.set(wish):
            return Done(ok=False, what="these levels are out of bounds")
        mic_db, speaker_db = self._levels.mic_db, self._levels.speaker_db
        what = f"microphone {mic_db:+.1f} dB, speaker {speaker_db:+.1f} dB"
        return Done(what=what, data={"mic_db": mic_db, "speaker_db": speaker_db})

    def _mute(self, asked: Asked, muted: bool, now: float) -> None:
        self._ctx.transmitter_muted = muted
        if muted:
            self._floor.take(Word.VOICE_LOST, now, Told.TRANSMITTER_MUTED)
        self._keeping.append(asked)
        self._ctx.emit(Keep(flag=Flag.TRANSMITTER_MUTED, on=muted))

    def _self_check(self) -> Done:
        worker, alerts = self._worker, self._alerts.standing
        data = {
            "voice_worker": worker.state,
            "voice_link": worker.link,
            "devices": {device.value: found.ok for device, found in worker.devices.items()},
            "lifecycle": self._ctx.lifecycle.value,
            "transmitter_muted": self._ctx.transmitter_muted,
            "alerts": list(alerts),
        }
        well = worker.state == "ok" and worker.link and all(found.ok for found in worker.devices.values())
        what = f"alerts: {', '.join(alerts)}" if alerts else "all is well" if well else "voice is not ready"
        return Done(what=what, data=data)
