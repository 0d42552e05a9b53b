"""Which voice frames may be heard: the announced burst of the announced user, and never two at once (DESIGN section 5).

`ListenGate` is pure; packets are opaque. Drive it like this, all times being CLOCK_MONOTONIC seconds:

    gate.play(...), gate.stop(...)    the daemon's Play and Stop
    gate.frame(...)                   each frame as it arrives, whatever it is
    gate.pull(now, ahead_s)           whenever the speaker wants more decoded sound: what to play next
    gate.tick(now)                    at `next_deadline()` at the latest, also where no speaker pulls
    gate.take_ended()                 bursts that ended meanwhile
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct

from protocol.timers import DRAIN_S, EARLY_FRAMES_S, TAIL_HEARD_S
from protocol.worker import PlayedOut
from voice.core.jitter import NEXT_WAITS_S, Conceal, JitterBuffer, Nothing, Packet

P = TypeVar("P")

EARLY_FRAMES_MAX = 512
EARLY_BURSTS_MAX = 4
EARLY_BURSTS_OF_ONE_MAX = 2
"""A quick press may follow another before either is announced."""


class Ended(Struct, frozen=True):
    """A burst's playing ended; `cut`: also what is decoded already must not sound."""

    word: PlayedOut
    cut: bool


class _Early(Struct, Generic[P], frozen=True):
    user: str
    seq: int
    capture_ms: int
    duration_s: float
    packet: P | None
    last: bool
    arrived_at: float


class _Heard(Generic[P]):
    """One announced burst and its buffer."""

    __slots__ = ("buffer", "burst", "deadline", "last_seq", "stopped", "until", "user")

    def __init__(self, burst: int, user: str, buffer: JitterBuffer[P]) -> None:
        self.burst = burst
        self.user = user
        self.buffer = buffer
        self.stopped = False
        self.last_seq: int | None = None
        self.deadline = float("inf")
        self.until = float("inf")

    def drain_from(self, now: float) -> None:
        """It was stopped, and is what is heard: what is missing may come until `deadline`; all ends at `until`."""
        self.deadline = min(self.deadline, now + DRAIN_S)
        self.until = min(self.until, now + TAIL_HEARD_S)

    def due(self) -> float:
        """When it ends at the latest."""
        return self.deadline if self.buffer.empty else max(self.deadline, self.until)

    @property
    def drained(self) -> bool:
        """Nothing of it will be played any more, apart from time."""
        if self.buffer.over:
            return True
        return self.stopped and (self.buffer.empty if self.last_seq is None else self.buffer.reached(self.last_seq))


class ListenGate(Generic[P]):
    """The only way from network to speaker.

    - Frames of the burst and user announced by Play go into that burst's own jitter buffer. Frames of a burst newer
      than any announced wait for their Play: at most EARLY_FRAMES_S, EARLY_FRAMES_MAX of them, EARLY_BURSTS_MAX
      bursts; over the bounds the newcomer is dropped. Everything else is dropped and counted in `discarded`.
    - Stop with drain plays up to `last_seq` (to what is there, where that is unknown). What is missing is waited for
      DRAIN_S; what is there by then is heard whole, because it waited for the grant and not for the network, but never
      longer than TAIL_HEARD_S. Stop without drain cuts, also in the middle of a drain.
    - A newer Play while the old burst drains waits for the end of that drain, NEXT_WAITS_S at most; a newer Play or
      Stop of a burst that was never stopped cuts the older one: its Stop got lost or comes late, and no older voice
      may be heard over newer.
    - Every announced burst ends in exactly one PlayedOut. The frame marked LAST ends it as a Stop does.
    """

    def __init__(self, *, own_user: str, make_buffer: Callable[[], JitterBuffer[P]]) -> None:
        self._own_user = own_user
        self._make_buffer = make_buffer
        self._now: _Heard[P] | None = None
        self._next: _Heard[P] | None = None
        self._newest = 0
        self._early: dict[int, list[_Early[P]]] = {}
        self._early_count = 0
        self._ended: list[Ended] = []
        self.discarded: dict[str, int] = {}
        """Frames dropped, by reason: own, wrong_user, old, after_last, early_full, early_replaced,
        early_expired."""

    # --- inputs ---------------------------------------------------------------------------------------------------

    def play(self, burst: int, user: str, now: float) -> None:
        """Take the daemon's Play; one that is not newer than all announced before is ignored."""
        self.tick(now)
        if burst <= self._newest:
            return
        self._newest = burst
        self._next_ends()
        coming = _Heard(burst, user, self._make_buffer())
        for frame in self._early.get(burst, []):
            if frame.user == user:
                buffer = coming.buffer
                buffer.put(
                    frame.seq, frame.capture_ms, frame.duration_s, frame.packet, last=frame.last, now=frame.arrived_at
                )
            else:
                self._discard("wrong_user")
        self._drop_early(burst)
        if self._now is not None and self._now.stopped:
            self._now.until = min(self._now.until, now + NEXT_WAITS_S)
            self._next = coming
        else:
            self._end_now()
            self._now = coming

    def stop(self, burst: int, now: float, *, drain: bool, last_seq: int | None = None) -> None:
        """Take the daemon's Stop."""
        self.tick(now)
        if burst > self._newest:
            self._newest = burst
            self._drop_early(burst)
            self._next_ends()
            if self._now is not None and not self._now.stopped:
                self._end_now()
        elif self._now is not None and burst == self._now.burst:
            self._stop(self._now, drain, last_seq)
            if drain:
                self._now.drain_from(now)
            self.tick(now)
        elif self._next is not None and burst == self._next.burst:
            self._stop(self._next, drain, last_seq)

    def frame(
        self,
        user: str,
        burst: int,
        seq: int,
        capture_ms: int,
        duration_s: float,
        packet: P | None,
        *,
        last: bool,
        now: float,
    ) -> None:
        """Take a frame as it arrived at `now` on `user`'s topic; `packet` is None on a bare last frame."""
        if user == self._own_user:
            return self._discard("own")
        for heard in (self._now, self._next):
            if heard is not None and heard.burst == burst:
                if heard.user != user:
                    return self._discard("wrong_user")
                if heard.last_seq is not None and seq > heard.last_seq:
                    return self._discard("after_last")
                heard.buffer.put(seq, capture_ms, duration_s, packet, last=last, now=now)
                return None
        if burst <= self._newest:
            return self._discard("old")
        self._expire_early(now)
        self._few_early_bursts(user, burst)
        if self._early_count >= EARLY_FRAMES_MAX or (burst not in self._early and len(self._early) >= EARLY_BURSTS_MAX):
            return self._discard("early_full")
        self._early.setdefault(burst, []).append(_Early(user, seq, capture_ms, duration_s, packet, last, now))
        self._early_count += 1
        return None

    def fill(self, burst: int, seq: int, capture_ms: int, duration_s: float, packet: P, now: float) -> bool:
        """Take a frame of an announced burst that came the slower way; False where it is not needed (any more)."""
        for heard in (self._now, self._next):
            if heard is not None and heard.burst == burst and (heard.last_seq is None or seq <= heard.last_seq):
                return heard.buffer.fill(seq, capture_ms, duration_s, packet, now=now)
        return False

    def finish(self, burst: int) -> None:
        """A burst that was stopped has no more to come: it ends with what is there."""
        for heard in (self._now, self._next):
            if heard is not None and heard.burst == burst and heard.stopped:
                heard.last_seq = None

    def pull(self, now: float, ahead_s: float = 0.0, *, awaited: bool = False) -> Packet[P] | Conceal | Nothing:
        """Say what to play next; see JitterBuffer.pull. Nothing.over means that nothing is being heard at all."""
        self.tick(now)
        heard = self._now
        if heard is None:
            return Nothing(True)
        out = heard.buffer.pull(now, ahead_s, awaited=awaited)
        if isinstance(out, Nothing) and heard.drained:
            self.tick(now)
            return self.pull(now, ahead_s) if self._now is not None else Nothing(True)
        return out

    def tick(self, now: float) -> None:
        """Let time pass."""
        while self._now is not None and (self._now.drained or now >= self._now.due()):
            self._end_now()
            if self._next is not None:
                self._now, self._next = self._next, None
                if self._now.stopped:
                    self._now.drain_from(now)
        if self._early:
            self._expire_early(now)

    # --- what others may ask --------------------------------------------------------------------------------------

    def take_ended(self) -> tuple[Ended, ...]:
        """Give, once, every burst that ended since the last call."""
        ended, self._ended = tuple(self._ended), []
        return ended

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        return self._now.due() if self._now is not None and self._now.stopped else None

    @property
    def hearing(self) -> tuple[int, str] | None:
        """Burst and user that `pull` gives next."""
        return None if self._now is None else (self._now.burst, self._now.user)

    @property
    def at_rest(self) -> bool:
        """Nothing is heard, and nothing waits to be."""
        return self._now is None and not self._early

    @property
    def delay_s(self) -> float:
        """How much later than the link's least transit what is heard now was played; 0 where nothing is."""
        return 0.0 if self._now is None else self._now.buffer.delay_s

    @property
    def buffer(self) -> JitterBuffer[P] | None:
        """The buffer of the burst being heard."""
        return None if self._now is None else self._now.buffer

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _stop(self, heard: _Heard[P], drain: bool, last_seq: int | None) -> None:
        if not drain:
            if heard is self._now:
                heard.deadline = heard.until = float("-inf")
            else:
                self._next_ends()
        elif not heard.stopped:
            heard.last_seq = last_seq
        heard.stopped = True

    def _end_now(self) -> None:
        if self._now is not None:
            self._tell_end(self._now)
            self._now = None

    def _next_ends(self) -> None:
        if self._next is not None:
            self._tell_end(self._next)
            self._next = None

    def _tell_end(self, heard: _Heard[P]) -> None:
        buffer = heard.buffer
        word = PlayedOut(
            burst=heard.burst,
            user=heard.user,
            frames=buffer.played,
            concealed=buffer.concealed,
            late=buffer.late,
            delay_ms=round(buffer.delay_s * 1000),
        )
        self._ended.append(Ended(word, cut=not heard.drained))

    def _drop_early(self, up_to: int) -> None:
        for burst in [b for b in self._early if b <= up_to]:
            frames = self._early.pop(burst)
            self._early_count -= len(frames)
            for _ in frames if burst < up_to else ():
                self._discard("old")

    def _few_early_bursts(self, user: str, burst: int) -> None:
        """A user's newer early bursts replace its older ones, so that nobody alone takes the room of all."""
        if burst in self._early:
            return
        own = [older for older, frames in self._early.items() if frames and frames[0].user == user]
        while len(own) >= EARLY_BURSTS_OF_ONE_MAX:
            oldest = min(own)
            own.remove(oldest)
            frames = self._early.pop(oldest)
            self._early_count -= len(frames)
            for _ in frames:
                self._discard("early_replaced")

    def _expire_early(self, now: float) -> None:
        for burst, frames in tuple(self._early.items()):
            while frames and now - frames[0].arrived_at > EARLY_FRAMES_S:
                frames.pop(0)
                self._early_count -= 1
                self._discard("early_expired")
            if not frames:
                del self._early[burst]

    def _discard(self, why: str) -> None:
        self.discarded[why] = self.discarded.get(why, 0) + 1
