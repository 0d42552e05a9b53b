"""What was said, once more: the last bursts heard, and those that were missed, at the press of a button.

The worker keeps the sound, this part knows whose it was and when, and plays one burst after the other. Live voice, the
talk button and an emergency end it at once, here and, without waiting for us, in the worker.
"""

from collections import deque

from msgspec import Struct

from gateway.core.context import Context
from gateway.core.indicators import sentence
from gateway.core.told import Told
from protocol.messages import Session
from protocol.worker import MISSED_MAX, MissedBurst, PlayedOut, Replay, Replayed, ReplayEnd, StopReplay

AGAIN_S = 3.0
"""A press that follows another so soon asks for the burst before."""
NAMES_MAX = 16


class _Said(Struct, frozen=True, kw_only=True):
    """One burst: whose it was, and when its end was heard or spoken, on the loop's clock."""

    burst: int
    name: str
    at: float


class _Playing(Struct, frozen=True, kw_only=True):
    no: int
    said: _Said
    missed: bool


class Replays:
    """Keeps the list of what can be played, and plays. Whether somebody speaks is for the caller to say."""

    def __init__(self, ctx: Context, *, keep: int, lang: str) -> None:
        """`keep`: how many bursts the worker keeps; 0: replay is off."""
        self._ctx = ctx
        self._keep = keep
        self._lang = lang
        self._heard: deque[_Said] = deque(maxlen=max(1, keep))
        self._missed: deque[_Said] = deque()
        self._caught_up: deque[int] = deque(maxlen=MISSED_MAX)
        self._names: dict[int, str] = {}
        self._no = 0
        self._now: _Playing | None = None
        self._back = 0
        self._pressed_at = float("-inf")

    @property
    def on(self) -> bool:
        """Whether anything is kept at all."""
        return self._keep > 0

    @property
    def playing(self) -> bool:
        """Something is being replayed."""
        return self._now is not None

    @property
    def waiting(self) -> int:
        """How many bursts were missed and not played yet."""
        return len(self._missed)

    # --- what can be played -------------------------------------------------------------------------------------------

    def announced(self, session: Session) -> None:
        """Take who speaks: a burst's name is asked for only after its end."""
        if session.current_speaker is not None:
            self._names[session.burst] = session.speaker_name or session.current_speaker
            while len(self._names) > NAMES_MAX:
                del self._names[next(iter(self._names))]

    def heard(self, said: PlayedOut, now: float) -> None:
        """A burst was played to its end: from now on it is the last one."""
        if self.on and said.frames:
            name = self._names.get(said.burst, said.user)
            self._last(_Said(burst=said.burst, name=name, at=now))
            self._pressed_at = float("-inf")

    def missed(self, bursts: tuple[MissedBurst, ...], now: float) -> int:
        """Add what was missed and can be played whole; gives how many of them are news."""
        known = {*(said.burst for said in self._missed), *self._caught_up}
        new = [
            _Said(burst=each.burst, name=each.name or each.user, at=now - each.ago_s)
            for each in bursts
            if each.burst not in known
        ]
        for said in new:
            self._drop_heard(said.burst)  # of which only a part was heard
        both = sorted([*self._missed, *new], key=lambda said: said.burst)
        self._missed = deque(both[-MISSED_MAX:])
        return len(new)

    def forget(self) -> None:
        """The worker is gone, and with it all it kept."""
        self._heard.clear()
        self._missed.clear()
        self._now = None

    # --- playing ------------------------------------------------------------------------------------------------------

    def press(self, now: float, *, busy: bool) -> None:
        """The button was pressed briefly. `busy`: somebody speaks, here or there."""
        again = now - self._pressed_at < AGAIN_S
        self._pressed_at = now
        if busy:
            self._ctx.tell(Told.NO_REPLAY_NOW)
        elif self._now is not None and (self._now.missed or not again):
            self._skip()
        elif self._now is None and self._missed:
            self._play(self._missed[0], now, missed=True)
        elif (back := self._back + 1 if again else 0) < len(self._heard):
            self._back = back
            self._play(self._heard[-1 - back], now, missed=False)
        else:
            self.cut()
            self._ctx.tell(Told.NOTHING_TO_REPLAY)

    def cut(self) -> None:
        """Be silent at once: somebody speaks, here or there. What was missed stays to be played."""
        if self._now is not None:
            self._now = None
            self._ctx.voice(StopReplay())

    def over(self, said: Replayed, now: float) -> None:
        """A replay ended: by itself, or as the worker heard live voice or opened the microphone before we knew."""
        playing = self._now
        if playing is None or said.no != playing.no:
            return
        self._now = None
        if said.end is ReplayEnd.STOPPED:
            return
        if playing.missed:
            self._missed.popleft()
        if said.end is ReplayEnd.GONE:
            self._drop_heard(said.burst)
            self._ctx.note("a burst to be replayed is gone", warning=True, burst=said.burst)
            if not self._missed:
                self._ctx.tell(Told.NOTHING_TO_REPLAY)
        elif playing.missed:
            self._keep_caught_up(playing.said)
        if playing.missed and self._missed:
            self._play(self._missed[0], now, missed=True)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _play(self, said: _Said, now: float, *, missed: bool) -> None:
        self._no += 1
        self._now = _Playing(no=self._no, said=said, missed=missed)
        ago_s = max(0.0, now - said.at)
        self._ctx.tell(Told.REPLAY, name=said.name, ago_s=ago_s)
        text = sentence(Told.REPLAY, self._lang, said.name, None, ago_s=ago_s)
        self._ctx.voice(Replay(no=self._no, burst=said.burst, text=text[:300], lang=self._lang))

    def _skip(self) -> None:
        """The driver wants no more of this one: the next press goes on behind it."""
        if self._now is not None and self._now.missed:
            self._keep_caught_up(self._missed.popleft())
        self.cut()

    def _keep_caught_up(self, said: _Said) -> None:
        self._caught_up.append(said.burst)
        self._last(said)

    def _last(self, said: _Said) -> None:
        self._heard.append(said)
        self._back = 0

    def _drop_heard(self, burst: int) -> None:
        self._heard = deque((said for said in self._heard if said.burst != burst), maxlen=self._heard.maxlen)
