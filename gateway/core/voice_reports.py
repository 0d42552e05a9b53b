"""What the voice worker says, handed to the parts of the core it concerns."""

from typing import assert_never

from gateway.core import burst_log
from gateway.core.agora_care import AgoraCare
from gateway.core.context import Context
from gateway.core.face import prepared
from gateway.core.floor_machine import FloorMachine
from gateway.core.hearing_again import HearingAgain
from gateway.core.levels import SoundLevels
from gateway.core.listener import Listener
from gateway.core.participant_words import Word
from gateway.core.played import PlayedReports
from gateway.core.tokens import Tokens
from gateway.core.told import Told
from gateway.core.worker_care import WorkerCare
from protocol.worker import (
    Agora,
    Cleaning,
    Device,
    Drained,
    Fault,
    Flood,
    Handover,
    Heard,
    Hello,
    Joined,
    Left,
    Metered,
    Missed,
    PlayedOut,
    Pong,
    Replayed,
    SoundDevice,
    SpeechEngine,
    Through,
    TokenWanted,
    VoiceLink,
    WorkerEvent,
)


class VoiceReports:
    """One worker's words; its end is the last of them."""

    def __init__(
        self,
        ctx: Context,
        worker: WorkerCare,
        floor: FloorMachine,
        listener: Listener,
        tokens: Tokens,
        agora: AgoraCare,
        levels: SoundLevels,
        again: HearingAgain,
        reports: PlayedReports,
        *,
        lang: str,
    ) -> None:
        """`lang`: what a new worker makes ready to say, `ko` or `en`."""
        self._ctx = ctx
        self._worker = worker
        self._floor = floor
        self._listener = listener
        self._tokens = tokens
        self._agora = agora
        self._levels = levels
        self._again = again
        self._reports = reports
        self._lang = lang

    def said(self, said: WorkerEvent, now: float) -> None:
        """Take one; nothing but its Hello counts of a worker that is not known to run."""
        if self._worker.state != "ok" and not isinstance(said, Hello):
            return  # the last words of a worker that is dead already
        match said:
            case Hello():
                self._worker.hello(said, now)
                self._levels.worker_ready()
                self._again.worker_ready()
                self._ctx.out += prepared(self._lang)
                self._tokens.worker_ready(now)
                self._listener.worker_ready()
            case SoundDevice():
                self._worker.device(said)
                if said.device is Device.CAPTURE and not said.ok:
                    self._floor.take(Word.VOICE_LOST, now, Told.NO_MICROPHONE)
            case VoiceLink():
                self._worker.voice_link(said)
            case Joined(event_id=event_id, voice=over):
                self._listener.joined_channel(event_id, now, over)
                self._reports.joined(event_id, now)
            case Left():
                self._listener.left_channel(now)
            case Through():
                self._floor.take(Word.THROUGH, now, said)
            case Drained():
                self._floor.take(Word.DRAINED, now, said)
            case Heard():
                burst_log.heard(self._ctx, said)
                self._reports.heard(said)
            case PlayedOut():
                burst_log.played(self._ctx, said)
                self._reports.played(said, now)
                self._again.said(said, now)
            case Agora():
                self._agora.said(said)
            case Handover():
                self._agora.handover(said)
            case Flood():
                self._agora.flood(said)
            case TokenWanted():
                self._tokens.wished(said, now)
            case Pong():
                self._worker.pong(said, now)
            case Missed() | Replayed():
                self._again.said(said, now)
            case Cleaning():
                self._levels.cleaning(said)
            case Metered():
                self._levels.metered(said)
            case SpeechEngine():
                self._worker.speech(said)
            case Fault(what=what):
                self._ctx.note("voice worker fault", warning=True, what=what)
            case _:
                assert_never(said)

    def gone(self, reason: str, now: float) -> None:
        """It ended: what it carried is lost."""
        self._worker.gone(reason, now)
        self._floor.take(Word.VOICE_LOST, now, Told.NO_VOICE)
        self._listener.worker_gone(now)
        self._tokens.worker_gone()
        self._agora.worker_gone()
        self._levels.worker_gone()
        self._again.worker_gone()
