"""The adaptive jitter buffer of one burst: packets in as they arrive, one decision per packet out as they are played.

Pure: packets are opaque, times are CLOCK_MONOTONIC seconds passed in. The player calls `pull` whenever it has less
decoded sound than its device wants next.

How the delay is judged. A packet's transit is its arrival less its capture time; the least transit of the last
`BASE_WINDOW_S` to `2 × BASE_WINDOW_S` is the base, "as fast as the link can be". A packet's excess is its transit above
the base *known when it arrived*. So speech kept before the grant, which arrives in one go with transits that only
fall, has no excess and is never taken for jitter, while a stall shows at once. The delay wanted is `min_s + SAFETY_S`
and the excess that all but `LATE_SHARE` of the packets of the last `WINDOW_S` kept to, at most `max_s`: a single late
packet in a second is better concealed than waited for by all others.

What is too late. The sender drops speech older than SEND_AGE_S instead of sending it late; of a stall that it does not
see, beyond its own line or on a listener's machine that has too much to do, what can still be played is: a packet whose
excess is over LATE_S is dropped and counted late. Where this goes on for `RESET_S` the link has become slower for good,
and its base is learnt anew.

How the delay moves. Playing begins with the first packet, at once. It grows only by need: where nothing is there to
play, the player conceals, and what comes late is still played, later. It shrinks by the player's hurrying: `pull` says
how much of what is decoded may be left out, and the player leaves out long pauses and single periods of the voice
(`voice.hurry`: up to 1.25 times as fast), never whole words. A device takes whole frames of `step_s`, so a packet waits
for the next of them in any case, and what the player has decoded beyond a whole frame is delay that protects from
nothing: spare are the whole frames a packet waited longer than wanted, and all that is decoded ahead. The most that
waits behind a grant is PRE_ROLL_S, and it is gone after four times its length of speech without a pause.
"""

from collections import deque
from heapq import nlargest
from typing import Generic, TypeVar

from msgspec import Struct

from protocol.timers import DRAIN_S, PRE_ROLL_S

P = TypeVar("P")

BASE_WINDOW_S = 5.0
WINDOW_S = 3.0
LATE_SHARE = 0.02
REMEMBER_AGAIN_S = 0.1
"""How often the window is gone through where nothing worse comes."""
SAFETY_S = 0.001
"""Wanted beyond the least transit: covers the scheduling of threads, not the link."""
LATE_S = 1.0
"""Speech that comes so much later than usual is an answer to what was said before: it would only hold up the rest."""
RESET_S = 1.0
UNTOUCHED_S = 0.25
"""The first syllable of a burst is played as it was spoken; hurrying begins behind it."""
CONCEAL_MAX_S = 0.1
"""The longest stretch invented for missing speech; behind it there is silence until speech comes."""
NEXT_WAITS_S = 2.0
"""The next burst waits behind a released one's tail for at most this long."""
BACKLOG_MAX_S = PRE_ROLL_S + NEXT_WAITS_S + DRAIN_S
"""More waiting speech than this is no speech of ours: the oldest is dropped."""
PACKETS_MAX = 512
FILL_BASE_STEP_S = 0.0002
"""The other way's least transit is followed upwards by so much a packet: its own jitter buffer moves it."""
FILLED_MAX = 4096
"""Frames remembered to have come the slower way: more than a burst has."""


class Packet(Struct, Generic[P], frozen=True):
    """Decode and play this, leaving out up to `spare_s` of it and of what is decoded already.

    `first`: nothing of this burst was played before.
    """

    packet: P
    seq: int
    duration_s: float
    spare_s: float
    first: bool
    captured_s: float = 0.0


class Conceal(Struct, frozen=True):
    """Invent this much in place of what was lost or is not there yet."""

    duration_s: float


class Nothing(Struct, frozen=True):
    """Play silence: nothing is there, and it is too long ago to be concealed. `over`: the last frame was played."""

    over: bool


class _Waiting(Struct, Generic[P]):
    seq: int
    captured_s: float
    duration_s: float
    packet: P | None
    last: bool


class JitterBuffer(Generic[P]):
    """Orders, delays and releases the packets of one burst. `step_s` is the length of the device's frame."""

    def __init__(self, *, min_s: float, max_s: float, step_s: float = 0.01) -> None:
        self._min_s = min_s
        self._max_s = max_s
        self._step_s = step_s
        self._waiting: dict[int, _Waiting[P]] = {}
        self._next: int | None = None
        self._next_captured_s = 0.0
        self._concealed_s = 0.0
        self._first_at: float | None = None
        self._started = False
        self._played_s = 0.0
        self._over = False
        self._base = (float("inf"), float("inf"))
        self._base_since = 0.0
        self._excesses: deque[tuple[float, float]] = deque(maxlen=PACKETS_MAX)
        self._remembered = (float("-inf"), 0.0)
        self._late_since: float | None = None
        self._delay_s = 0.0
        self._filled: set[int] = set()
        self._fill_base_s = float("inf")
        self.hold_s = 0.0
        """A delay worth keeping for what did not fill in: what will takes so much longer. Set by whoever knows."""
        self.played = 0
        """Packets given out to be played."""
        self.concealed = 0
        """Stretches invented, each a packet lost or a device frame's time of waiting."""
        self.late = 0
        """Packets that came after their place was given up, too late, or twice."""
        self.dropped = 0
        """Packets dropped because too much was waiting."""

    # --- inputs ---------------------------------------------------------------------------------------------------

    def put(self, seq: int, capture_ms: int, duration_s: float, packet: P | None, *, last: bool, now: float) -> bool:
        """Take a packet as it arrives; None is a bare last frame. False: late, doubled, or behind the end."""
        captured_s = capture_ms / 1000
        if self._filled and self._next is not None and seq < self._next:
            self._number_again(seq, captured_s + duration_s / 2)
        if self._over or seq in self._waiting or (self._next is not None and seq < self._next):
            self.late += seq not in self._filled
            return False
        if self._judge(now - captured_s - duration_s, now) and packet is not None and not last:
            self.late += 1
            return False
        if self._first_at is None:
            self._first_at = now
        self._add(_Waiting(seq, captured_s, duration_s, packet, last))
        return True

    def fill(self, seq: int, capture_ms: int, duration_s: float, packet: P, *, now: float) -> bool:
        """Take a packet that came another, slower way; False: it is there already, or its place is past.

        It is never too late, whatever the way takes: nothing else will bring it.
        """
        if self._over or seq in self._waiting or (self._next is not None and seq < self._next):
            return False
        captured_s = capture_ms / 1000
        transit_s = now - captured_s - duration_s
        base_s = min(self._fill_base_s, transit_s)
        self._fill_base_s = base_s + min(transit_s - base_s, FILL_BASE_STEP_S)
        self._note_excess(transit_s - base_s, now)
        if self._first_at is None:
            self._first_at = now
        if len(self._filled) >= FILLED_MAX:
            self._filled.clear()
        self._filled.add(seq)
        self._add(_Waiting(seq, captured_s, duration_s, packet, False))
        return True

    def _add(self, found: _Waiting[P]) -> None:
        self._waiting[found.seq] = found
        while len(self._waiting) > PACKETS_MAX or (len(self._waiting) > 1 and self.backlog_s > BACKLOG_MAX_S):
            del self._waiting[min(self._waiting)]
            self.dropped += 1

    def pull(self, now: float, ahead_s: float = 0.0, *, awaited: bool = False) -> Packet[P] | Conceal | Nothing:
        """Say what to play next; `ahead_s` is what the player still has decoded.

        `awaited`: what is missing before the frames that wait is still to be filled; they wait for it.
        """
        if self._over:
            return Nothing(True)
        if not self._waiting or not self._may_start(now):
            return self._starved()
        seq = min(self._waiting)
        found = self._waiting[seq]
        filled = seq in self._filled
        if awaited and self._next is not None and seq > self._next and not filled:
            return self._starved()
        waited_s = now - (found.captured_s + found.duration_s) - (self._fill_base_s if filled else min(self._base))
        wanted_s = self.wanted_s(now) if filled else max(self.hold_s, self.wanted_s(now))
        frames_over = max(0, int((waited_s - wanted_s) / self._step_s))
        if self._played_s < UNTOUCHED_S:
            frames_over = 0
        spare_s = ahead_s + frames_over * self._step_s
        if self._is_lost_before(found) and not frames_over:
            return self._conceal()
        del self._waiting[seq]
        self._next = seq + 1
        self._next_captured_s = found.captured_s + found.duration_s
        self._concealed_s = 0.0
        self._over = found.last
        if found.packet is None:
            return Nothing(True)
        first, self._started = not self._started, True
        self.played += 1
        self._played_s += found.duration_s
        self._delay_s = waited_s + ahead_s
        return Packet(found.packet, seq, found.duration_s, spare_s, first, found.captured_s)

    # --- what others may ask --------------------------------------------------------------------------------------

    def wanted_s(self, now: float) -> float:
        """The delay wanted over the link's least, as of now."""
        return min(self._max_s, self._min_s + SAFETY_S + self._remembered_s(now))

    def reached(self, seq: int) -> bool:
        """Everything up to `seq` was played or given up, or the last frame was."""
        return self._over or (self._next is not None and self._next > seq)

    @property
    def over(self) -> bool:
        """The last frame was played."""
        return self._over

    @property
    def empty(self) -> bool:
        """Nothing waits."""
        return not self._waiting

    @property
    def backlog_s(self) -> float:
        """Time from the first waiting sample to the last."""
        if not self._waiting:
            return 0.0
        newest = self._waiting[max(self._waiting)]
        return newest.captured_s + newest.duration_s - self._waiting[min(self._waiting)].captured_s

    @property
    def delay_s(self) -> float:
        """How long the packet played last waited longer than the link's least transit."""
        return max(0.0, self._delay_s)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _number_again(self, seq: int, middle_s: float) -> None:
        """Numbers given to what filled in ran ahead, over a pause nobody knew of: newer speech bears lower ones."""
        if middle_s >= self._next_captured_s and not self._waiting:
            self._next = seq

    def _may_start(self, now: float) -> bool:
        if self._started or self._first_at is None:
            return True
        return now - self._first_at >= self._min_s or self.backlog_s > self._min_s

    def _starved(self) -> Conceal | Nothing:
        if not self._started or self._concealed_s + self._step_s > CONCEAL_MAX_S + 1e-9:
            return Nothing(False)
        return self._conceal()

    def _conceal(self) -> Conceal:
        self._concealed_s += self._step_s
        self.concealed += 1
        return Conceal(self._step_s)

    def _is_lost_before(self, found: _Waiting[P]) -> bool:
        """Something is missing before `found` that is short enough to be invented and was not yet."""
        if self._next is None or found.seq == self._next:
            return False
        gap_s = found.captured_s - self._next_captured_s
        return self._concealed_s + self._step_s / 2 < gap_s <= CONCEAL_MAX_S

    def _judge(self, transit_s: float, now: float) -> bool:
        """Learn from a packet's transit; True where it is too late to be played."""
        if now - self._base_since > BASE_WINDOW_S:
            self._base = (self._base[1], float("inf"))
            self._base_since = now
        base_s = min(self._base)
        too_late = transit_s - base_s > LATE_S
        if not too_late:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = now
        elif now - self._late_since > RESET_S:
            too_late, self._base, base_s = False, (float("inf"), float("inf")), transit_s
        self._note_excess(transit_s - base_s if base_s < float("inf") else 0.0, now)
        self._base = (self._base[0], min(self._base[1], transit_s))
        return too_late

    def _note_excess(self, excess_s: float, now: float) -> None:
        excess_s = max(0.0, min(excess_s, self._max_s))
        if excess_s > self._remembered[1]:
            self._remembered = (float("-inf"), 0.0)
        self._excesses.append((now, excess_s))

    def _remembered_s(self, now: float) -> float:
        if now - self._remembered[0] < REMEMBER_AGAIN_S:
            return self._remembered[1]
        excesses = self._excesses
        while excesses and now - excesses[0][0] > WINDOW_S:
            excesses.popleft()
        late = 1 + int(LATE_SHARE * len(excesses))
        excess_s = nlargest(late, (excess for _, excess in excesses))[-1] if excesses else 0.0
        self._remembered = (now, excess_s)
        return excess_s
