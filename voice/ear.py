"""From voice frames to the speaker: the listen gate with its decoder, cues mixed in, one device frame per call.

`render` runs on the playback device's own thread, so that nothing lies between a packet and the frame it is heard in.
The loop's thread only posts to it and takes its events; there is no lock to wait for.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections import deque
from collections.abc import Callable
from functools import partial

from protocol.voice_frame import FrameFlags, VoiceFrame
from protocol.worker import Heard, Play, PlayedOut, Stop
from protocol.worker_settings import AudioSettings
from voice.core.jitter import Conceal, JitterBuffer, Packet
from voice.core.listen import ListenGate
from voice.opus import BadPacket, Decoder, duration_s
from voice.stretch import PERIOD_S_MAX, is_quiet, shorten

INBOX_MAX = 2048
"""Posts that may wait for a device that does not play; beyond, they are dropped and counted."""
CUES_MAX = 8
HURRY_AHEAD_S = 2 * PERIOD_S_MAX + 0.005
"""Sound decoded ahead while hurrying, for `shorten` to choose from. Only what waits anyway is decoded ahead."""
WORTH_S = 0.0002
"""Less is not worth a splice."""
QUIET_KEPT = 3
"""One pause packet in so many is kept while hurrying, so that words stay apart."""


class Ear:
    """What is heard. `tell` (any thread) gets Heard and PlayedOut; the methods up to `render` are the loop thread's."""

    def __init__(self, settings: AudioSettings, own_user: str, tell: Callable[[Heard | PlayedOut], None]) -> None:
        rate, jitter = settings.device_rate_hz, settings.jitter
        self._rate_hz = rate
        self._tell = tell
        self._frame_s = settings.frame_ms / 1000
        self._frame_bytes = 2 * rate * settings.frame_ms // 1000
        self._silence = bytes(self._frame_bytes)
        self._duck = settings.duck_percent
        self._gate: ListenGate[bytes] = ListenGate(
            own_user=own_user,
            make_buffer=lambda: JitterBuffer(
                min_s=jitter.min_ms / 1000, max_s=jitter.max_ms / 1000, step_s=self._frame_s
            ),
        )
        self._decoder = Decoder(rate)
        self._baton = threading.Lock()
        self._inbox: deque[Callable[[], None]] = deque()
        self._pcm = bytearray()
        self._pcm_burst = 0
        self._quiet_run = 0
        self._cues: deque[array[int]] = deque()
        self._cue_at = 0
        self._totals = [0, 0, 0]
        self.refused = 0
        """Posts dropped because no device played them."""
        self.bad_packets = 0
        self.busy = False
        """Something is heard or may be: a null speaker must pull where no real one does."""

    # --- the loop's thread ----------------------------------------------------------------------------------------

    def play(self, word: Play, now: float) -> None:
        """Take the daemon's Play."""
        self._post(partial(self._gate.play, word.burst, word.user, now))

    def stop(self, word: Stop, now: float) -> None:
        """Take the daemon's Stop."""
        self._post(partial(self._stop, word, now))

    def frame(self, user: str, frame: VoiceFrame, now: float) -> bool:
        """Take a voice frame as it arrived; False where its packet is no Opus."""
        packet: bytes | None = frame.payload or None
        last = bool(frame.flags & FrameFlags.LAST)
        try:
            length_s = 0.0 if packet is None else duration_s(packet)
        except BadPacket:
            return False
        if packet is not None or last:
            self._post(
                partial(
                    self._gate.frame,
                    user,
                    frame.burst,
                    frame.seq,
                    frame.capture_ms,
                    length_s,
                    packet,
                    last=last,
                    now=now,
                )
            )
        return True

    def cue(self, sound: array[int]) -> None:
        """Play a sound of the devices' rate behind those that wait; over CUES_MAX it is dropped."""
        self._post(partial(self._add_cue, sound))

    def cut_cues(self) -> None:
        """Be silent but for voice, at once."""
        self._post(self._clear_cues)

    @property
    def health(self) -> tuple[int, int, int, int]:
        """Frames played, concealed and late since start, and the delay of the burst being heard in ms."""
        buffer = self._gate.buffer
        played, concealed, late = self._totals
        if buffer is None:
            return played, concealed, late, 0
        return (
            played + buffer.played,
            concealed + buffer.concealed,
            late + buffer.late,
            round(buffer.delay_s * 1000),
        )

    @property
    def discarded(self) -> dict[str, int]:
        """Frames that were not to be heard, by reason."""
        return self._gate.discarded

    def _post(self, call: Callable[[], None]) -> None:
        if len(self._inbox) >= INBOX_MAX:
            self.refused += 1
            return
        self._inbox.append(call)
        self.busy = True

    # --- the speaker's thread -------------------------------------------------------------------------------------

    def render(self, at_s: float) -> bytes:
        """Give the device frame whose first sample is at the speaker at `at_s`. One caller at a time plays, a second
        one (a device being exchanged) is given silence."""
        if not self.busy or not self._baton.acquire(blocking=False):
            return self._silence
        try:
            return self._render(at_s)
        finally:
            self._baton.release()

    def _render(self, at_s: float) -> bytes:
        inbox = self._inbox
        while inbox:
            inbox.popleft()()
        self._note_ended()
        now = time.monotonic()
        voice = self._voice(now, at_s)
        cue = self._next_cue()
        if voice is None and cue is None:
            self._gate.tick(now)
            self._note_ended()
            self.busy = False  # before looking: what is posted meanwhile sets it again
            if inbox or not self._gate.at_rest:
                self.busy = True
            return self._silence
        if cue is None:
            return voice or self._silence
        if voice is None:
            return cue.tobytes()
        heard = array("h", voice)
        duck = self._duck
        return array(
            "h", [max(-32768, min(32767, v + c * duck // 100)) for v, c in zip(heard, cue, strict=True)]
        ).tobytes()

    def _voice(self, now: float, at_s: float) -> bytes | None:
        pcm, need = self._pcm, self._frame_bytes
        wanted, spare_s = need, 0.0
        while len(pcm) < wanted:
            if len(pcm) >= need and (self._gate.buffer is None or self._gate.buffer.empty):
                break
            out = self._gate.pull(now, len(pcm) / 2 / self._rate_hz)
            self._note_ended()
            if isinstance(out, Packet):
                self._append(out, at_s)
                if out.spare_s > WORTH_S:
                    wanted, spare_s = max(need, 2 * round(HURRY_AHEAD_S * self._rate_hz)), out.spare_s
            elif isinstance(out, Conceal):
                pcm += self._decoder.conceal(out.duration_s)
            else:
                break
        if spare_s:
            pcm[:] = shorten(array("h", bytes(pcm)), self._rate_hz, spare_s).tobytes()
        if not pcm:
            return None
        frame = bytes(pcm[:need])
        del pcm[:need]
        return frame if len(frame) == need else frame + bytes(need - len(frame))

    def _append(self, out: Packet[bytes], at_s: float) -> None:
        hearing = self._gate.hearing
        if out.first and hearing is not None:
            self._decoder.reset()
            self._pcm_burst, user = hearing
            ahead_s = len(self._pcm) / 2 / self._rate_hz
            self._tell(Heard(burst=self._pcm_burst, user=user, seq=out.seq, at=at_s + ahead_s))
        try:
            sound = self._decoder.decode(out.packet)
        except BadPacket:
            self.bad_packets += 1
            sound = self._decoder.conceal(out.duration_s)
        if out.spare_s >= out.duration_s and is_quiet(array("h", sound)):
            self._quiet_run += 1
            if self._quiet_run % QUIET_KEPT:
                return
        self._pcm += sound

    def _stop(self, word: Stop, now: float) -> None:
        self._gate.stop(word.burst, now, drain=word.drain, last_seq=word.last_seq)
        if not word.drain and word.burst == self._pcm_burst:
            self._pcm.clear()

    def _note_ended(self) -> None:
        for ended in self._gate.take_ended():
            if ended.cut:
                self._pcm.clear()
            word = ended.word
            for index, count in enumerate((word.frames, word.concealed, word.late)):
                self._totals[index] += count
            self._tell(word)

    def _add_cue(self, sound: array[int]) -> None:
        if len(self._cues) < CUES_MAX:
            self._cues.append(sound)

    def _clear_cues(self) -> None:
        self._cues.clear()
        self._cue_at = 0

    def _next_cue(self) -> array[int] | None:
        if not self._cues:
            return None
        count = self._frame_bytes // 2
        sound = self._cues[0]
        part = sound[self._cue_at : self._cue_at + count]
        self._cue_at += count
        if self._cue_at >= len(sound):
            self._cues.popleft()
            self._cue_at = 0
            part.extend([0] * (count - len(part)))
        return part
