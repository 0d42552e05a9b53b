"""One trace per press, told to the office once the press is over: never in the way of a floor message.

What is pressed without a connection is kept in memory and told later, so that the office can say why nobody heard it.
"""

from collections import deque
from collections.abc import Iterable

from gateway.core.context import Context
from gateway.core.link import Link
from gateway.core.participant import Participant
from gateway.core.server_clock import ServerClock
from gateway.core.talk import Talk
from gateway.core.time_probes import TimeProbes
from gateway.core.told import Told
from gateway.core.words import Effect, Publish, Tell, ToWorker
from protocol.ids import RequestId
from protocol.messages import FloorRelease, FloorRequest, PressTrace, Priority, TracedWord
from protocol.topics import Kind
from protocol.worker import Through, Transmit

KEPT_MAX = 50
"""Presses that wait to be told; beyond, the oldest goes."""
SPREAD_S = 1.0
"""A trace goes out so much later at most, at random: a group's presses are denied at once."""
SERVER_WAIT_S = 600.0
"""Traces wait for a sign of the server, since a broker takes what nobody reads; so long where none ever gave one."""
UNHEARD = (Told.NO_ANSWER, Told.FLOOR_LOST, Told.CANCELLED, Told.EMERGENCY_FAILED)
"""What can have come of a server that is not there any more."""
KEY_UP_WAIT_S = 5.0
"""A press that is over is told without its key-up where the button is held on for so long."""
AT_ONCE = 5
APART_S = 0.2
"""After a time without a connection so many go at once, and the next ones so much later."""
TOLD_MAX = 16
MS_MAX = 3_600_000
SECONDS_MAX = 86_400.0


class _Press:
    """One press; moments are monotonic seconds."""

    def __init__(self, request_id: RequestId, edge_at: float, edge_wall_ms: int, now: float, button: bool) -> None:
        self.request_id = request_id
        self.edge_at = edge_at
        self.edge_wall_ms = edge_wall_ms
        self.handled_at = now
        self.button = button
        self.priority = Priority.NORMAL
        self.asked_at: float | None = None
        self.permitted_at: float | None = None
        self.through_at: float | None = None
        self.key_up_at: float | None = None
        self.released_at: float | None = None
        self.burst: int | None = None
        self.told: list[TracedWord] = []
        self.speaker: str | None = None
        self.remaining_s: float | None = None
        self.link_down_s: float | None = None
        self.over_at: float | None = None
        self.due = 0.0
        self.message: PressTrace | None = None
        """What was sent: it is sent again as it was, so that the office takes it once."""

    def ms(self, moment: float) -> int:
        """Give a moment as ms since the edge."""
        return min(MS_MAX, max(0, round((moment - self.edge_at) * 1000)))

    def since(self, moment: float | None) -> int | None:
        """As `ms`, of a moment that may not have come."""
        return None if moment is None else self.ms(moment)

    def over(self, now: float) -> bool:
        """Whether nothing more is to be expected of it."""
        if self.over_at is None:
            return False
        return not self.button or self.key_up_at is not None or now >= self.over_at + KEY_UP_WAIT_S


class PressTraces:
    """Sees edges, effects and the worker's words; changes nothing of them."""

    def __init__(self, ctx: Context, participant: Participant, link: Link, clock: ServerClock) -> None:
        """Nothing was pressed yet; `clock` is set by the probes that go out from here."""
        self._clock = clock
        self.probes = TimeProbes(ctx, self._clock, lambda: participant.talk is not None or ctx.counting)
        self._ctx = ctx
        self._participant = participant
        self._link = link
        self._edge: tuple[float, int] | None = None
        self._known_no = 0
        self._open: dict[int, _Press] = {}
        self._waiting: deque[_Press] = deque(maxlen=KEPT_MAX)
        self._unacked: dict[int, _Press] = {}
        self._next_at = 0.0

    # --- what happens -----------------------------------------------------------------------------------------------

    def pressed(self, at: float, now: float, wall_ms: int) -> None:
        """The button went down; comes before the press is handled."""
        self._edge = (at, wall_ms - round((now - at) * 1000))

    def released(self, at: float) -> None:
        """The button went up."""
        for press in self._open.values():
            if press.button and press.key_up_at is None:
                press.key_up_at = at

    def through(self, said: Through) -> None:
        """Voice of a burst had left by then."""
        for press in self._open.values():
            if press.burst == said.burst and press.through_at is None:
                press.through_at = said.at

    def look(self, effects: Iterable[Effect], now: float, wall_ms: int) -> None:
        """After every event: what became of presses by it."""
        self._begin(now, wall_ms)
        for effect in effects:
            self._see(effect, now)
        for talk in (self._participant.talk, self._participant.waiting):
            if talk is not None and talk.press_no in self._open:
                self._fill(self._open[talk.press_no], talk)
        alive = {talk.press_no for talk in (self._participant.talk, self._participant.waiting) if talk is not None}
        for press_no, press in tuple(self._open.items()):
            if press_no not in alive and press.over_at is None:
                press.over_at = now
            if press.over(now):
                del self._open[press_no]
                press.due = now + SPREAD_S * self._ctx.chance()
                self._waiting.append(press)

    def connected(self, now: float) -> None:
        """A new connection."""
        self.probes.connected(now)

    def disconnected(self) -> None:
        """What was not acknowledged may be lost: it is told again."""
        self.probes.disconnected()
        again, self._unacked = self._unacked, {}
        self._waiting = deque([*again.values(), *self._waiting], maxlen=KEPT_MAX)

    def acked(self, token: int) -> None:
        """The broker has one of them."""
        self._unacked.pop(token, None)

    # --- telling ----------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Tell what is due, and ask for the time."""
        self.probes.tick(now)
        at = self._due_at()
        if at is None or at > now:
            return
        for press in [one for one in self._waiting if one.due <= now][:AT_ONCE]:
            self._waiting.remove(press)
            self._tell(press, now)
        self._next_at = now + APART_S

    def stop(self, now: float) -> None:
        """The service stops: what waits is told now or never."""
        self.probes.disconnected()
        self.look(self._ctx.out, now, 0)
        for press in (*self._waiting, *self._open.values()):
            if self._ctx.link_up:
                self._tell(press, now)
        self._waiting.clear()
        self._open.clear()

    def next_deadline(self) -> float | None:
        """Give when `tick` or `look` has something to do."""
        times = [self._due_at(), self.probes.next_deadline()]
        times += [p.over_at + KEY_UP_WAIT_S for p in self._open.values() if p.over_at is not None]
        return min((at for at in times if at is not None), default=None)

    def _due_at(self) -> float | None:
        if not self._waiting or not self._ctx.link_up or self._participant.talk is not None:
            return None
        due = max(min(press.due for press in self._waiting), self._next_at)
        since = self.probes.waiting_since
        if since is None:
            return due
        return None if self._clock.measured else max(due, since + SERVER_WAIT_S)

    def _tell(self, press: _Press, now: float) -> None:
        token = self._ctx.round_trips.sent(now)
        self._unacked[token] = press
        while len(self._unacked) > KEPT_MAX:
            del self._unacked[next(iter(self._unacked))]
        press.message = press.message or self._message(press)
        self._ctx.publish(Kind.DEVICE_TRACE, press.message, token=token)

    def _message(self, press: _Press) -> PressTrace:
        edge_at, error_ms = self._clock.at(press.edge_at) or (max(0, press.edge_wall_ms), None)
        return PressTrace(
            request_id=press.request_id,
            edge_at=edge_at,
            edge_error_ms=None if error_ms is None else min(MS_MAX, error_ms),
            priority=press.priority,
            handled_ms=press.ms(press.handled_at),
            asked_ms=press.since(press.asked_at),
            permitted_ms=press.since(press.permitted_at),
            through_ms=press.since(press.through_at),
            key_up_ms=press.since(press.key_up_at),
            released_ms=press.since(press.released_at),
            burst=press.burst,
            told=tuple(press.told),
            speaker=press.speaker,
            remaining_s=press.remaining_s,
            link_down_s=press.link_down_s,
        )

    # --- inside -----------------------------------------------------------------------------------------------------

    def _begin(self, now: float, wall_ms: int) -> None:
        """A new number is a new press: of the button where there was an edge just now, else of an emergency."""
        edge, self._edge = self._edge, None
        for press_no in range(self._known_no + 1, self._participant.press_no + 1):
            at, at_wall_ms = edge or (now, wall_ms)
            request_id = (*self._ctx.connection_id, press_no)
            press = _Press(request_id, at, at_wall_ms, now, button=edge is not None)
            down_s = self._link.down_s(now)
            press.link_down_s = None if down_s is None else min(SECONDS_MAX, down_s)
            self._open[press_no] = press
        self._known_no = self._participant.press_no

    def _see(self, effect: Effect, now: float) -> None:
        match effect:
            case Tell(press_no=press_no, what=what) if press_no in self._open:
                press = self._open[press_no]
                if len(press.told) < TOLD_MAX:
                    press.told.append(TracedWord(ms=press.ms(now), what=what.value))
                if what in UNHEARD:
                    self.probes.ask_anew(now)
                if effect.name and press.speaker is None:
                    press.speaker, press.remaining_s = effect.name, effect.remaining_s
            case Publish(message=FloorRequest(request_id=request_id, priority=priority)):
                asking = self._open.get(request_id[3])
                if asking is not None and asking.asked_at is None:
                    asking.asked_at, asking.priority = now, priority
            case Publish(message=FloorRelease(request_id=request_id)):
                giving = self._open.get(request_id[3])
                if giving is not None and giving.released_at is None:
                    giving.released_at = now
            case ToWorker(command=Transmit(request_id=request_id)):
                speaking = self._open.get(request_id[3])
                if speaking is not None and speaking.permitted_at is None:
                    speaking.permitted_at = now
            case _:
                pass

    @staticmethod
    def _fill(press: _Press, talk: Talk) -> None:
        press.request_id = talk.request_id
        press.burst = talk.burst or press.burst
