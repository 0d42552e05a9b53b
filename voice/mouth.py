"""From the microphone's frames to numbered voice frames: the talk gate with its packer and encoder."""

from collections.abc import Callable

from msgspec import Struct

from protocol.ids import RequestId
from protocol.voice_frame import FrameFlags, VoiceFrame
from protocol.worker import Arm, Drained, Hold, KeyUp, Mute, Through, Transmit
from protocol.worker_settings import AudioSettings
from voice.core.talk import Cut, TalkGate
from voice.opus import LOOKAHEAD_S, Encoder
from voice.packer import Packer

Sound = tuple[bytes, float]
"""A device frame and the time of its first sample."""
Spoken = tuple[bytes, bytes]
"""One packet's speech: as Opus for MQTT, and as 16-bit PCM for Agora. The gate gives both or neither."""


class Utterance(Struct, frozen=True):
    """One frame the gate gives out. `pcm` is empty where its speech was dropped (a bare last frame)."""

    frame: VoiceFrame
    pcm: bytes
    captured_at_s: float


class Mouth:
    """Belongs to the loop's thread. Speech is encoded as it is captured, so that a grant has nothing to wait for.

    `tell` gets Drained and Through, `given` each frame as it goes out, over whatever way.
    """

    def __init__(
        self,
        settings: AudioSettings,
        tell: Callable[[Drained | Through], None],
        given: Callable[[VoiceFrame], None] = lambda frame: None,
    ) -> None:
        rate = settings.device_rate_hz
        self._rate_hz = rate
        self._tell = tell
        self._given = given
        self._gate: TalkGate[Sound, Spoken] = TalkGate()
        self._encoder = Encoder(rate, settings.codec)
        self._packer = Packer(rate, self._encoder.packet_samples, round(LOOKAHEAD_S * rate))
        self._speaking: RequestId | None = None

    def handle(self, command: Arm | Transmit | KeyUp | Hold | Mute, now: float) -> None:
        """Take one of the daemon's commands."""
        self._take(self._gate.handle(command, now))

    def captured(self, frame: bytes, start_s: float, now: float) -> None:
        """Take a device frame."""
        end_s = start_s + len(frame) / 2 / self._rate_hz
        self._take(self._gate.captured((frame, start_s), start_s, end_s, now))

    def tick(self, now: float) -> None:
        """Let time pass."""
        self._take(self._gate.tick(now))

    def pull(self, now: float, *, paced: bool = False, free_until: float = float("-inf")) -> Utterance | None:
        """Give the next frame to write now, or None; what is given counts as sent. For the rest see TalkGate."""
        send = self._gate.pull(now, paced=paced, free_until=free_until)
        if send is None:
            return None
        opus, pcm = send.packet or (b"", b"")
        flags = FrameFlags.LAST if send.last else FrameFlags.NONE
        frame = VoiceFrame(send.burst, send.seq, send.capture_ms, opus, flags)
        self._given(frame)
        return Utterance(frame, pcm, send.captured_at_s)

    def acked(self, burst: int, seq: int, now: float) -> None:
        """Take the network's word that a frame arrived."""
        for word in self._gate.acked(burst, seq, now):
            self._tell(word)

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        return self._gate.next_deadline()

    def sending(self, now: float) -> int | None:
        """The burst whose speech may leave now; None: no permission, held, or all of it was given."""
        return self._gate.sending(now)

    @property
    def open(self) -> bool:
        """Speech is being kept or sent: no cue may sound."""
        return self._gate.microphone_open

    @property
    def idle(self) -> bool:
        """Captured frames go nowhere, and nothing waits to be sent."""
        return self._gate.idle

    @property
    def dropped(self) -> dict[str, int]:
        """What was dropped, by reason."""
        return self._gate.dropped

    def _take(self, outs: tuple[Cut[Sound] | Drained, ...]) -> None:
        for out in outs:
            if isinstance(out, Drained):
                self._tell(out)
            else:
                self._encode(out)

    def _encode(self, cut: Cut[Sound]) -> None:
        if cut.request_id != self._speaking:
            self._speaking = cut.request_id
            self._packer.clear()
            self._encoder.reset()
        filled = []
        if cut.frame is not None:
            frame, frame_start_s = cut.frame
            filled = self._packer.add(frame, frame_start_s, cut.start_s, cut.end_s)
        if cut.final:
            filled += self._packer.finish(cut.end_s)
        for number, packet in enumerate(filled, 1):
            final = cut.final and number == len(filled)
            spoken = (self._encoder.encode(packet.pcm), packet.pcm)
            self._gate.keep(cut.request_id, spoken, packet.start_s, final=final)
