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

from msgspec.structs import replace

from protocol.voice_frame import FrameFlags, VoiceFrame
from protocol.worker import Heard, Play, Playback, PlayedOut, Replay, Replayed, Stop
from protocol.worker_settings import AudioSettings, ReplaySettings
from voice.core.align import STEP_S, levels_db
from voice.core.jitter import Conceal, JitterBuffer, Packet
from voice.core.kept import Kept
from voice.core.listen import ListenGate
from voice.core.paths import Paths
from voice.cue_lanes import CueLanes
from voice.hurry import Hurry
from voice.mixing import mixed
from voice.opus import BadPacket, Decoder, duration_s
from voice.replay_lane import Pcm, Piece, ReplayLane
from voice.stretch import faded, is_quiet, joined, lengthen

INBOX_MAX = 2048
"""Posts that may wait for a device that does not play; beyond, they are dropped and counted."""
PACKETS_AT_ONCE_MAX = 16
"""Packets decoded for one device frame, while a long pause is left out; then some of it is played."""
STRETCH_EVERY = 2
"""One packet in so many is lengthened while the delay of the slower way is being made up."""
STRETCH_S_MIN = 0.02
"""Shorter packets hold no two periods of a voice: of those only pauses are lengthened."""
LAST_SEQ_SLACK = 50
"""Numbers counted over Agora may differ from the speaker's by its pauses and its jitter buffer: the end is heard by its
silence, or by time, not by its number alone."""
FADE_PER_STEP = 0.7
NO_REPLAY = ReplaySettings(keep=0)
"""For an ear behind which nobody listens again."""


class Ear:
    """What is heard, over both ways. `tell` (any thread) gets Heard, PlayedOut and Replayed.

    The methods up to `render` are the loop thread's.
    """

    def __init__(
        self,
        settings: AudioSettings,
        own_user: str,
        tell: Callable[[Heard | PlayedOut | Replayed], None],
        clock: Callable[[], float] = time.monotonic,
        replay: ReplaySettings = NO_REPLAY,
    ) -> None:
        rate, jitter = settings.device_rate_hz, settings.jitter
        self._rate_hz = rate
        self._tell = tell
        self._clock = clock
        self._frame_s = settings.frame_ms / 1000
        self._frame_bytes = 2 * rate * settings.frame_ms // 1000
        self._silence = bytes(self._frame_bytes)
        self._duck = settings.duck_percent
        self._office = Playback.FULL
        self._gate: ListenGate[bytes | Pcm] = ListenGate(
            own_user=own_user,
            make_buffer=lambda: JitterBuffer(
                min_s=jitter.min_ms / 1000, max_s=jitter.max_ms / 1000, step_s=self._frame_s
            ),
        )
        self._decoder = Decoder(rate)
        self._paths = Paths()
        self._two_ways = False
        self._step_bytes = 2 * round(STEP_S * rate)
        self._agora_left = bytearray()
        self._tail: array[int] | None = None
        self._packets = 0
        self._baton = threading.Lock()
        self._inbox: deque[Callable[[], None]] = deque()
        self._queue = Hurry(rate)
        self._pcm_burst = 0
        self._playing = (0, "")
        self._last_seq: int | None = None
        self._lanes = CueLanes()
        self._kept: Kept[Piece] = Kept(replay.keep, replay.keep_s)
        self._replay = ReplayLane(rate, tell)
        self._totals = [0, 0, 0]
        self._aloud = True
        self._silent = 0
        self.refused = 0
        """Posts dropped because no device played them."""
        self.bad_packets = 0
        self.busy = False
        """Something is heard or may be: a null speaker must pull where no real one does."""

    # --- the loop's thread ----------------------------------------------------------------------------------------

    def play(self, word: Play, now: float) -> None:
        """Take the daemon's Play."""
        self._post(partial(self._play, word, now))

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
            self._post(partial(self._frame, user, frame, packet, length_s, now))
        return True

    def sound(self, burst: int, pcm: bytes, at_s: float) -> None:
        """Take sound of the announced burst that came over Agora, any number of samples."""
        self._post(partial(self._sound, burst, pcm, at_s))

    def cue(self, sound: array[int], deadline: float) -> None:
        """Play a sound of the devices' rate behind those that wait; a sentence pauses for it. See CueLanes."""
        self._post(partial(self._lanes.cue, sound, deadline))

    def sentence(self, sound: array[int], deadline: float) -> None:
        """Play a sentence, a sound of the devices' rate, behind those that wait."""
        self._post(partial(self._lanes.sentence, sound, deadline))

    def focus(self, office: Playback) -> None:
        """Play what the office says so loud from now on."""
        self._post(partial(setattr, self, "_office", office))

    def cut_sentences(self) -> None:
        """Be silent but for voice and cues, at once."""
        self._post(self._lanes.cut_sentences)

    def cut_cues(self) -> None:
        """Be silent but for voice, at once."""
        self._post(self._lanes.cut)
        self._post(self._replay.cut)

    def replay(self, word: Replay, pieces: tuple[Piece, ...]) -> None:
        """Play a burst once more where nothing else sounds: these pieces, or without any what was kept of it."""
        self._post(lambda: self._replay.start(word.no, word.burst, pieces or self._kept.pieces(word.burst)))

    def cut_replay(self) -> None:
        """Replay nothing any more, at once."""
        self._post(self._replay.cut)

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
    def agora_at(self) -> float:
        """When Agora's sound came last that may be heard."""
        return self._paths.taken_at

    @property
    def strays(self) -> dict[str, int]:
        """Steps of Agora's sound that were not used, by reason."""
        return self._paths.strays

    @property
    def discarded(self) -> dict[str, int]:
        """Frames that were not to be heard, by reason."""
        return self._gate.discarded

    @property
    def unsounded(self) -> int:
        """Cues and sentences whose turn did not come in time."""
        return self._lanes.dropped

    def _post(self, call: Callable[[], None]) -> None:
        if len(self._inbox) >= INBOX_MAX:
            self.refused += 1
            return
        self._inbox.append(call)
        self.busy = True

    # --- the speaker's thread -------------------------------------------------------------------------------------

    def render(self, at_s: float, *, aloud: bool = True) -> bytes:
        """Give the device frame whose first sample is at the speaker at `at_s`. One caller at a time plays, a second
        one (a device being exchanged) is given silence. `aloud`: it will sound; else PlayedOut counts it as silent."""
        if not self.busy or not self._baton.acquire(blocking=False):
            return self._silence
        try:
            self._aloud = aloud
            return self._render(at_s)
        finally:
            self._baton.release()

    def _render(self, at_s: float) -> bytes:
        inbox = self._inbox
        while inbox:
            inbox.popleft()()
        self._note_ended()
        now = self._clock()
        voice = self._voice(now, at_s)
        cue = self._lanes.next(self._frame_bytes // 2, now)
        if voice is None and cue is None:
            cue = self._replay.next(self._frame_bytes // 2)
        if voice is None and cue is None:
            self._gate.tick(now)
            self._note_ended()
            self.busy = False  # before looking: what is posted meanwhile sets it again
            if inbox or not self._gate.at_rest:
                self.busy = True
            return self._silence
        return mixed(voice, cue, self._duck, self._office) or self._silence

    def _play(self, word: Play, now: float) -> None:
        if word.burst <= self._playing[0]:
            return
        if self._last_seq is not None:  # its tail over Agora is cut off: another speaker is subscribed to
            self._gate.finish(self._playing[0])
            self._last_seq = None
        self._two_ways = word.uid != 0
        self._playing = (word.burst, word.user)
        self._replay.cut()
        self._agora_left.clear()
        if self._two_ways:
            self._paths.play(word.uid, now)
        else:
            self._paths.end(now)
        self._gate.play(word.burst, word.user, now)

    def _frame(self, user: str, frame: VoiceFrame, packet: bytes | None, length_s: float, now: float) -> None:
        if self._two_ways and self._playing == (frame.burst, user):
            handover = bool(frame.flags & FrameFlags.HANDOVER)
            self._paths.frame(frame.seq, frame.capture_ms, length_s, now, handover=handover)
        last = bool(frame.flags & FrameFlags.LAST)
        self._gate.frame(user, frame.burst, frame.seq, frame.capture_ms, length_s, packet, last=last, now=now)

    def _sound(self, burst: int, pcm: bytes, at_s: float) -> None:
        if burst != self._playing[0]:
            return
        left, size = self._agora_left, self._step_bytes
        left += pcm
        while len(left) >= size:
            step = bytes(left[:size])
            del left[:size]
            samples = array("h", step)
            peak = max(max(samples), -min(samples))
            for found in self._paths.sound(step, levels_db(step, self._rate_hz)[0], peak, at_s, at_s):
                self._gate.fill(burst, found.seq, found.capture_ms, found.duration_s, Pcm(found.pcm), at_s)
        if self._last_seq is not None and self._paths.silent_behind(self._last_seq):
            self._last_seq = None
            self._gate.finish(burst)

    def _voice(self, now: float, at_s: float) -> bytes | None:
        queue, need = self._queue, self._frame_bytes // 2
        hold_s, awaited = 0.0, False
        if self._two_ways:
            hold_s, awaited = self._paths.lag_s(now), self._paths.flowing(now)
            if self._gate.buffer is not None:
                self._gate.buffer.hold_s = hold_s
        for count in range(PACKETS_AT_ONCE_MAX * 4):
            if queue.ready >= queue.wanted(need):
                break
            if self._gate.buffer is None or self._gate.buffer.empty or count >= PACKETS_AT_ONCE_MAX:
                if queue.ready >= need:
                    break
                if queue.release():
                    continue
            elif queue.ready >= need and queue.keeps:
                break
            out = self._gate.pull(now, queue.ahead_s, awaited=awaited)
            self._note_ended()
            if isinstance(out, Packet):
                stretch = bool(hold_s) and isinstance(out.packet, bytes) and self._gate.delay_s < hold_s - STEP_S
                self._append(out, at_s, stretch=stretch)
            elif isinstance(out, Conceal):
                queue.add_plain(self._invent(out.duration_s))
            else:
                break
        frame = queue.take(need).tobytes()
        if not frame:
            return None
        return frame if len(frame) == 2 * need else frame + bytes(2 * need - len(frame))

    def _append(self, out: Packet[bytes | Pcm], at_s: float, *, stretch: bool) -> None:
        hearing = self._gate.hearing
        if out.first and hearing is not None:
            self._decoder.reset()
            self._tail = None
            self._queue.begin()
            self._pcm_burst, user = hearing
            self._silent = 0
            at_s += self._queue.ahead_s
            self._tell(Heard(burst=self._pcm_burst, user=user, seq=out.seq, at=at_s, aloud=self._sounds))
        packet = out.packet
        self._silent += not self._sounds
        self._kept.add(self._pcm_burst, packet, out.duration_s)
        sound = self._from_agora(packet.sound) if isinstance(packet, Pcm) else self._from_mqtt(packet, out)
        samples = array("h", sound)
        self._packets += 1
        if not stretch:
            self._queue.add(samples, out.spare_s)
            return
        if self._packets % STRETCH_EVERY == 0 and (out.duration_s >= STRETCH_S_MIN or is_quiet(samples)):
            samples = lengthen(samples, self._rate_hz)
        self._queue.add_plain(samples)

    @property
    def _sounds(self) -> bool:
        return self._aloud and self._office is not Playback.SILENT

    def _from_mqtt(self, packet: bytes, out: Packet[bytes | Pcm]) -> bytes:
        after_agora, self._tail = self._tail, None
        if after_agora:
            self._decoder.reset()
        try:
            sound = self._decoder.decode(packet)
        except BadPacket:
            self.bad_packets += 1
            sound = self._decoder.conceal(out.duration_s)
        if self._two_ways:
            self._paths.decoded(round(out.captured_s * 1000), levels_db(sound, self._rate_hz))
        return joined(after_agora[-1], array("h", sound), self._rate_hz).tobytes() if after_agora else sound

    def _from_agora(self, sound: bytes) -> bytes:
        samples = array("h", sound)
        if self._tail is None:
            before = array("h", self._decoder.conceal(0.0025))
            samples = joined(before[0] if before else 0, samples, self._rate_hz)
        self._tail = samples[-self._step_bytes // 2 :]
        return samples.tobytes()

    def _invent(self, for_s: float) -> array[int]:
        """Sound for what is missing: Opus knows how behind its own frames; behind Agora's the last step fades out."""
        if self._tail is None:
            return array("h", self._decoder.conceal(for_s))
        count = round(for_s * self._rate_hz)
        self._tail = faded(self._tail, FADE_PER_STEP)
        return (self._tail * (count // max(1, len(self._tail)) + 1))[:count]

    def _stop(self, word: Stop, now: float) -> None:
        last_seq = word.last_seq
        if word.burst == self._playing[0] and self._two_ways:
            if not word.drain:
                self._paths.end(now)
            elif last_seq is not None and self._paths.carrying:
                self._last_seq = last_seq
                last_seq += LAST_SEQ_SLACK
        self._gate.stop(word.burst, now, drain=word.drain, last_seq=last_seq)
        if not word.drain and word.burst == self._pcm_burst:
            self._queue.clear()

    def _note_ended(self) -> None:
        for ended in self._gate.take_ended():
            if ended.cut:
                self._queue.clear()
            word = ended.word
            if word.burst == self._playing[0]:
                self._paths.end(self._clock())
                self._last_seq = None
            for index, count in enumerate((word.frames, word.concealed, word.late)):
                self._totals[index] += count
            self._tell(replace(word, silent=self._silent) if word.burst == self._pcm_burst else word)
