"""Which frame of a burst a piece of Agora's sound is, so that both ways feed one jitter buffer (ADR 0008). Pure.

Agora's sound is a stream without numbers. It is cut into steps of 10 ms and counted by the time it came in; how far it
lags behind the MQTT frames of the same burst is learnt while both carry it (`voice.core.align`). From then on each step
has a capture time, and from that the number of the frame it belongs to. MQTT frames win where both are there.

    paths.play(uid, now), paths.end(now)                     the interval of one announced burst
    paths.frame(seq, capture_ms, duration_s, at)             each MQTT frame of it as it arrives
    paths.decoded(capture_ms, levels)                        its loudness, as it is played
    for found in paths.sound(pcm, level, at, now): ...       Agora's sound, one step at a time: frames to be played
"""

from __future__ import annotations

from msgspec import Struct

from protocol.timers import DRAIN_S
from voice.core.align import LAG_MAX, STEP_S, Aligner

STEP_MS = 10
LAG_ASSUMED_S = 0.25
"""Where a burst was never heard over both ways and none before it was: what Agora takes longer than MQTT."""
FIRST_S = 0.1
"""A burst of which no MQTT frame came this long after its announcement is Agora's alone, until one comes."""
DRY_S = 0.1
"""MQTT that brings nothing for this long has stopped; where the lag is known, nobody waits for that."""
FLOWING_S = 0.08
"""Agora carries the burst while it brought a frame so recently; what MQTT's frames leave out then still comes."""
LOOK_EVERY = 10
"""Steps between two looks for the lag."""
LOOK_BEHIND_S = 1.0
"""What came over MQTT last comes over Agora within this time."""
AGREE = 2
"""Two looks that differ by no more steps are believed."""
SURE_AT_ONCE = 0.96
"""Likeness that needs no second look."""
GAP_STEPS = 12
"""Sound that comes this much later than it would without a pause had one, or stood still on its way..."""
STALL_STEPS = 3
"""...which the first so many steps behind it tell: spoken after a pause they come one by one, else all at once."""
SAME_UID_S = 1.0
"""A burst of a uid that was heard so recently: the old one's end may still be under way."""
FENCE_QUIET_STEPS = 6
"""Quiet, or nothing, for so many steps is the end of the burst before: its speaker had to unpublish."""
QUIET_PEAK = 2
PENDING_MAX = 40
HOLES_MAX = 8


class Found(Struct, frozen=True):
    """A frame made of Agora's sound. `capture_ms` counts as in MQTT's frames."""

    seq: int
    capture_ms: int
    duration_s: float
    pcm: bytes


class _Span(Struct, frozen=True):
    """Frame numbers from `seq` on, captured from `from_ms` on; `to_ms` None: without end."""

    seq: int
    from_ms: int
    to_ms: int | None


class _Step(Struct, frozen=True):
    pcm: bytes
    level_db: float
    peak: int
    at_s: float


class Paths:
    """One listener's two ways, for one announced burst at a time."""

    def __init__(self) -> None:
        self._open = False
        self._uid = 0
        self._ended_at = float("-inf")
        self._lag_steps = round(LAG_ASSUMED_S / STEP_S)
        self.taken_at = float("-inf")
        """When sound came last that may be heard: of the announced burst, and not behind the fence."""
        self.lags = 0
        """How often a lag was found."""
        self.strays: dict[str, int] = {}
        """Steps of Agora's sound not used, by reason: fenced, covered, waiting, closed, quiet, odd."""
        self._begin(0.0)

    def _begin(self, now: float) -> None:
        self._play_at = now
        self._fence_until = float("-inf")
        self._aligner = Aligner()
        self._offset: int | None = None
        self._guess: int | None = None
        self._since_look = 0
        self._zero_s = float("inf")
        self._newest: _Span | None = None
        self._packet_ms = 20
        self._mqtt_at = float("-inf")
        self._handover = False
        self._came_back = False
        self._holes: list[_Span] = []
        self._next_step: int | None = None
        self._behind_gap: list[_Step] = []
        self._quiet_run = 0
        self._sounded = False
        self._pending: list[tuple[int, bytes, int]] = []
        self._chunk: tuple[int, int, bytearray] | None = None
        self._found_at = float("-inf")
        self._found_seq = -1
        self._by_itself = False

    # --- the interval -------------------------------------------------------------------------------------------------

    def play(self, uid: int, now: float) -> None:
        """A burst is announced whose speaker is `uid` on Agora."""
        again = uid == self._uid and (self._open or now - self._ended_at < SAME_UID_S)
        self._begin(now)
        self._open, self._uid = True, uid
        if again:
            self._fence_until = now + DRAIN_S

    def end(self, now: float) -> None:
        """It is over: no sound is taken any more."""
        if self._open:
            self._open, self._ended_at = False, now

    # --- MQTT ---------------------------------------------------------------------------------------------------------

    def frame(self, seq: int, capture_ms: int, duration_s: float, at_s: float, *, handover: bool = False) -> None:
        """Take a frame of the announced burst as it came over MQTT."""
        if not self._open or duration_s <= 0:
            return
        self._mqtt_at = max(self._mqtt_at, at_s)
        self._came_back = self._came_back or (self._handover and not handover)
        self._handover = handover
        self._packet_ms = round(duration_s * 1000)
        self._zero_s = min(self._zero_s, at_s - capture_ms / 1000 - duration_s)
        if self._by_itself:
            self._met(capture_ms)
        newest, end_ms = self._newest, capture_ms + self._packet_ms
        if newest is not None and seq < newest.seq:
            return
        if newest is not None and seq > newest.seq and capture_ms - newest.from_ms >= self._packet_ms // 2:
            self._holes = [*self._holes[1 - HOLES_MAX :], _Span(newest.seq, newest.from_ms, capture_ms)]
        self._newest = _Span(seq + 1, end_ms, None)

    def decoded(self, capture_ms: int, levels: list[float]) -> None:
        """Take the loudness of a frame's sound, step by step."""
        if self._open:
            self._aligner.mqtt(round(capture_ms / STEP_MS), levels)

    # --- Agora --------------------------------------------------------------------------------------------------------

    def sound(self, pcm: bytes, level_db: float, peak: int, at_s: float, now: float) -> list[Found]:
        """Take one step of the announced uid's sound, handed over at `at_s`; gives the frames it completes."""
        if not self._open:
            return self._drop("closed")
        one = _Step(pcm, level_db, peak, at_s)
        behind = self._behind_gap
        if not behind and not self._gap_before(at_s):
            return self._step(self._count(at_s), one, now)
        behind.append(one)
        if len(behind) < STALL_STEPS:
            return []
        self._behind_gap = []
        if behind[-1].at_s - behind[0].at_s >= STALL_STEPS * STEP_S / 2:
            self._pause(behind[0].at_s)
        return [found for one in behind for found in self._step(self._count(one.at_s), one, now)]

    def _step(self, step: int, one: _Step, now: float) -> list[Found]:
        pcm, level_db, peak, at_s = one.pcm, one.level_db, one.peak, one.at_s
        quiet = peak <= QUIET_PEAK
        self._quiet_run = self._quiet_run + 1 if quiet else 0
        if now < self._fence_until:
            if self._quiet_run < FENCE_QUIET_STEPS:
                return self._drop("fenced")
            self._fence_until = float("-inf")
        self.taken_at = at_s
        self._sounded = self._sounded or not quiet
        if self._sounded:  # the silence before a publisher's first sound has no like over MQTT
            self._aligner.agora(step, [level_db])
        if now - self._mqtt_at < (LOOK_BEHIND_S if self._offset is None else DRY_S):
            self._look()
        if self._newest is None:
            return self._alone(step, pcm, peak, now)
        if self._pending:
            self._pending.clear()
        return self._number(step, pcm, peak, now)

    # --- what others may ask ------------------------------------------------------------------------------------------

    def flowing(self, now: float) -> bool:
        """Agora carries the burst now."""
        return self._open and now - self._found_at < FLOWING_S

    @property
    def carrying(self) -> bool:
        """Agora brought the newest frame of the burst, or MQTT said it would."""
        newest = self._newest
        return self._open and (
            self._handover or (self._found_seq >= 0 and (not newest or self._found_seq >= newest.seq))
        )

    def silent_behind(self, seq: int) -> bool:
        """Frame `seq` was reached, and Agora brings silence."""
        return self._found_seq >= seq and self._quiet_run >= FENCE_QUIET_STEPS

    def lag_s(self, now: float) -> float:
        """How much later Agora brings what MQTT brings now, to be made up before MQTT stops.

        0 where that is unknown, or nothing is to be made up: MQTT brings nothing, or came back, to stay.
        """
        next_step = self._next_step
        if (
            not self._open
            or self._came_back
            or self._offset is None
            or next_step is None
            or now - next_step * STEP_S > 2 * DRY_S
        ):
            return 0.0
        if now - self._mqtt_at > (LOOK_BEHIND_S if self._handover else DRY_S):
            return 0.0
        return max(0.0, self._lag_steps * STEP_S)

    # --- pieces -------------------------------------------------------------------------------------------------------

    def _gap_before(self, at_s: float) -> bool:
        return self._next_step is not None and round(at_s / STEP_S) - self._next_step > GAP_STEPS

    def _pause(self, at_s: float) -> None:
        """Nothing was said until `at_s`."""
        step = round(at_s / STEP_S)
        self._quiet_run += step - (self._next_step or step)
        self._next_step = step
        self._chunk = None

    def _count(self, at_s: float) -> int:
        step = self._next_step
        if step is None:
            step, self._chunk = round(at_s / STEP_S), None
        self._next_step = step + 1
        return step

    def _look(self) -> None:
        self._since_look += 1
        if self._since_look < LOOK_EVERY:
            return
        self._since_look = 0
        base = round(self._zero_s / STEP_S)
        lag = self._aligner.lag(base)
        if lag is None:
            self._guess = None
            return
        offset, guess = base + lag.steps, self._guess
        self._guess = offset
        agreed = guess is not None and abs(guess - offset) <= AGREE
        if agreed or (self._offset is None and lag.likeness >= SURE_AT_ONCE):
            if self._offset is None or abs(self._offset - offset) > 1:
                self._offset = offset
                self._chunk = None
            self._lag_steps = lag.steps
            self.lags += 1

    def _alone(self, step: int, pcm: bytes, peak: int, now: float) -> list[Found]:
        """No MQTT frame of this burst came yet."""
        self._pending.append((step, pcm, peak))
        if now - self._play_at < FIRST_S:
            return self._drop("waiting") if len(self._pending) > PENDING_MAX else []
        pending, self._pending = self._pending[-PENDING_MAX:], []
        self._newest = _Span(0, 0, None)
        self._offset = pending[0][0]
        self._by_itself = True
        return [found for entry in pending for found in self._number(*entry, now)]

    def _met(self, capture_ms: int) -> None:
        """The first MQTT frame of a burst that Agora carried alone: was it counted from the burst's beginning?"""
        self._by_itself = False
        if self._offset is None or self._next_step is None:
            return
        ahead_ms = capture_ms - (self._next_step - self._offset) * STEP_MS
        if not 0 <= ahead_ms <= LAG_MAX * STEP_MS:  # it was not: one joined late, and its numbers mean nothing
            self._newest, self._offset, self._chunk, self._found_seq = None, None, None, -1

    def _number(self, step: int, pcm: bytes, peak: int, now: float) -> list[Found]:
        offset = self._offset
        if offset is None:
            if not self._handover and now - self._mqtt_at < DRY_S:
                return self._drop("covered")
            offset = round(self._zero_s / STEP_S) + self._lag_steps
        at_ms = (step - offset) * STEP_MS
        slot = self._slot(at_ms)
        if slot is None:
            self._chunk = None
            return self._drop("covered")
        seq, from_ms = slot
        if self._chunk is None or self._chunk[0] != seq:
            if at_ms - from_ms > STEP_MS // 2:
                return self._drop("odd")  # the middle of a frame whose beginning is not there
            self._chunk = (seq, from_ms, bytearray())
        sound = self._chunk[2]
        sound += pcm
        if len(sound) < len(pcm) * self._packet_ms // STEP_MS:
            return []
        self._chunk = None
        self._found_at, self._found_seq = now, max(self._found_seq, seq)
        if self._quiet_run * STEP_MS >= self._packet_ms:
            return self._drop("quiet")
        return [Found(seq, from_ms, self._packet_ms / 1000, bytes(sound))]

    def _slot(self, at_ms: int) -> tuple[int, int] | None:
        """The frame that what was captured at `at_ms` belongs to; None where MQTT brought it."""
        assert self._newest is not None
        for span in (self._newest, *self._holes):
            if at_ms >= span.from_ms - STEP_MS // 2 and (span.to_ms is None or at_ms < span.to_ms - STEP_MS // 2):
                count = (at_ms - span.from_ms + STEP_MS // 2) // self._packet_ms
                return span.seq + count, span.from_ms + count * self._packet_ms
        return None

    def _drop(self, why: str) -> list[Found]:
        self.strays[why] = self.strays.get(why, 0) + 1
        return []
