"""What of the microphone may leave the vehicle, and when: permission, pre-roll, hold, tail (DESIGN section 5, Voice).

`TalkGate` never sees sound: device frames (`F`) and encoded packets (`P`) are opaque. Drive it like this, all times
being CLOCK_MONOTONIC seconds:

    for out in gate.handle(command, now) / gate.captured(frame, start_s, end_s, now) / gate.tick(now):
        a Cut     -> encode the part [start_s, end_s) of out.frame; give each packet that fills to gate.keep(...);
                     when out.final, pad and flush the encoder and call gate.keep(..., final=True) exactly once,
                     with the last packet or with None where nothing was left over
        a Drained -> tell the daemon
    while the transport has room and (send := gate.pull(now)) is not None: write it
    gate.tick(now) once more: it says Drained after the last frame was pulled
    gate.acked(burst, seq, now) when the network acknowledged a frame: gives Through when one is due

Sleep until `next_deadline()`; being called late is safe: every method first looks whether the permission lapsed.
"""

from collections import OrderedDict, deque
from typing import Generic, TypeVar

from protocol.ids import RequestId
from protocol.timers import PRE_ROLL_S, SEND_AGE_S, TAIL_S, TRANSMIT_LEASE_S
from protocol.worker import Arm, Drained, Hold, KeyUp, Mute, Through, Transmit
from voice.core.talk_request import Cut, Request, Send

__all__ = ["Cut", "Send", "TalkGate"]

F = TypeVar("F")
P = TypeVar("P")

THROUGH_EVERY_S = 0.2
"""Through is told at most this often."""
LOOK_BACK_S = 0.05
"""Sound younger than this is kept even while unkeyed, because the word of an edge takes time to arrive. Only what was
captured after the edge is ever cut from it; the rest is overwritten."""
CAPTURE_END_S = 0.25
"""A microphone that delivers nothing up to the key-up within this time is taken for dead and the request closed."""
FROM_SEQ_MS = 10
"""A burst taken up half-way (Transmit.from_seq) begins so many ms a number later: times rise as numbers do."""
REQUESTS_MAX = 4
PACKETS_MAX = 512
_REMEMBERED_MAX = 8
_LOOK_BACK_FRAMES_MAX = 16


class TalkGate(Generic[F, P]):
    """The only way from microphone to network. See the module's docstring for how to drive it.

    - A request keeps speech from its edge on: at most PRE_ROLL_S of it (the oldest goes first) until it is permitted
      and a way takes its first packet.
    - Each Transmit permits sending for TRANSMIT_LEASE_S, and never beyond its `until`. Behind it the request is held,
      as by Hold: what waits is dropped, what is captured is dropped, sequence numbers go on. Transmit of the same
      burst resumes with speech captured from then on; of another burst it is ignored and counted.
    - Speech older than SEND_AGE_S is dropped instead of sent late. The age of pre-roll counts from the first packet
      that a way took, so that waiting for the grant and for the way costs nothing, while a stall behind it does. Nor
      does waiting while a slow line still takes the pre-roll (`free_until`). Over a way that takes speech only as fast
      as it is spoken (`paced`), live speech may be as much older as the pre-roll was, while that is worked off.
    - KeyUp ends capture at its `at`. What is left goes out for as long as the permission holds, TAIL_S after `at`
      at the longest; the last frame says so, bare where its speech was dropped. Then Drained, exactly once.
    - A newer Arm ends the capture of an older request; a newer burst ends an older one's sending.
    - Mute forgets a request without Drained. A KeyUp for a request that is unknown or was muted is answered by
      Drained at once, so that nobody waits. A muted request that never had a burst (denied, queued) may be armed
      again, with the time of its grant as the edge; a Transmit alone does not open it.
    """

    def __init__(self) -> None:
        self._requests: list[Request[P]] = []
        self._done: OrderedDict[RequestId, tuple[int | None, int | None, bool]] = OrderedDict()
        self._recent: deque[tuple[F, float, float]] = deque(maxlen=_LOOK_BACK_FRAMES_MAX)
        self._newest_request: RequestId | None = None
        self._newest_burst = 0
        self._through: tuple[int, float] | None = None
        self._out: list[Cut[F] | Drained] = []
        self.dropped: dict[str, int] = {}
        """Packets and commands dropped, by reason."""

    # --- inputs ---------------------------------------------------------------------------------------------------

    def handle(self, command: Arm | Transmit | KeyUp | Hold | Mute, now: float) -> tuple[Cut[F] | Drained, ...]:
        """Take one of the daemon's commands."""
        self._lapse(now)
        match command:
            case Arm(request_id=request_id, edge_at=edge_at):
                self._arm(request_id, edge_at)
            case Transmit(request_id=request_id, burst=burst, until=until, from_seq=from_seq):
                self._transmit(request_id, burst, until, from_seq, now)
            case KeyUp(request_id=request_id, at=at):
                self._key_up(request_id, at)
            case Hold(burst=burst):
                for request in self._requests:
                    if request.burst == burst:
                        self._hold(request)
            case Mute(request_id=None):
                for request in tuple(self._requests):
                    self._forget(request, told=request.up_at is not None)
            case Mute(request_id=request_id):
                if request_id is not None and (found := self._find(request_id)):
                    self._forget(found, told=found.up_at is not None)
        return self.tick(now)

    def captured(self, frame: F, start_s: float, end_s: float, now: float) -> tuple[Cut[F] | Drained, ...]:
        """Take a device frame whose samples span [start_s, end_s); frames must come in order."""
        self._lapse(now)
        recent = self._recent
        recent.append((frame, start_s, end_s))
        while recent[0][2] <= end_s - LOOK_BACK_S:
            recent.popleft()
        for request in self._requests:
            self._cut(request, frame, start_s, end_s)
        return self._take() if self._out else ()

    def keep(self, request_id: RequestId, packet: P | None, start_s: float, *, final: bool = False) -> None:
        """Take an encoded packet whose first sample was captured at `start_s`; `final` ends the request's speech.

        The first may begin before the edge, with silence up to it; `capture_ms` then counts from its start.
        """
        request = self._find(request_id)
        if request is None:
            return
        if final:
            request.final_kept = True
        if packet is None or request.held:
            return
        request.zero_at = min(request.zero_at, start_s)
        request.queue.append((packet, start_s))
        if request.opened_at is None:
            while start_s - request.queue[0][1] >= PRE_ROLL_S:
                self._drop_oldest(request, "pre_roll_full")
        while len(request.queue) > PACKETS_MAX:
            self._drop_oldest(request, "queue_full")

    def pull(self, now: float, *, paced: bool = False, free_until: float = float("-inf")) -> Send[P] | None:
        """Give the next frame to write at this moment, or None. What is given counts as sent.

        `paced`: the way it goes takes speech no faster than it is spoken. `free_until`: until then the way was filled
        by the pre-roll, and what waited behind it grew no older.
        """
        self._lapse(now)
        for request in self._requests:
            if request.burst is None or request.held:
                continue
            queue = request.queue
            request.open(now)
            while queue and request.age_s(now, paced=paced, free_until=free_until) > SEND_AGE_S:
                self._drop_oldest(request, "too_old")
            if queue:
                packet, start_s = queue.popleft()
                return self._send(request, packet, start_s, last=request.final_kept and not queue)
            if request.final_kept and not request.last_pulled and request.next_seq > request.first_seq:
                return self._send(request, None, request.up_at or now, last=True)
        return None

    def acked(self, burst: int, seq: int, now: float) -> tuple[Through, ...]:
        """Take the network's word that voice of `burst` up to `seq` arrived at the broker's machine."""
        if burst != self._newest_burst:
            return ()
        if self._through is not None and self._through[0] == burst and now - self._through[1] < THROUGH_EVERY_S:
            return ()
        self._through = (burst, now)
        return (Through(burst=burst, seq=seq, at=now),)

    def tick(self, now: float) -> tuple[Cut[F] | Drained, ...]:
        """Let time pass; also gives what became due since the last call."""
        self._lapse(now)
        for request in tuple(self._requests):
            if request.up_at is None:
                continue
            if not request.closed and now >= request.up_at + CAPTURE_END_S:
                self._close(request)
            sent = request.burst is not None and (request.held or request.all_pulled)
            if sent or now >= request.up_at + TAIL_S:
                self._finish(request)
        return self._take() if self._out else ()

    # --- what others may ask --------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        due: list[float] = []
        for request in self._requests:
            if request.burst is not None and not request.held:
                due.append(request.until)
            if request.up_at is not None:
                due.append(request.up_at + (TAIL_S if request.closed else CAPTURE_END_S))
        return min(due, default=None)

    @property
    def microphone_open(self) -> bool:
        """Speech is being kept or sent: no cue may sound."""
        return any(not request.closed for request in self._requests)

    @property
    def idle(self) -> bool:
        """No request is known: captured frames go nowhere."""
        return not self._requests

    def sending(self, now: float) -> int | None:
        """The burst whose speech may leave now: granted, neither held, lapsed nor finished."""
        self._lapse(now)
        for request in self._requests:
            if request.burst is not None and not request.held:
                return request.burst
        return None

    # --- commands -------------------------------------------------------------------------------------------------

    def _arm(self, request_id: RequestId, edge_at: float) -> None:
        again = self._done.get(request_id) == (None, None, False)
        if self._newest_request is not None and request_id <= self._newest_request and not again:
            return self._count("arm_old")
        if self._find(request_id) is not None:
            return self._count("arm_old")
        self._newest_request = max(request_id, self._newest_request or request_id)
        self._done.pop(request_id, None)
        for older in self._requests:
            if older.up_at is None:
                self._end_capture(older, edge_at)
        if len(self._requests) >= REQUESTS_MAX:
            self._finish(self._requests[0])
        request: Request[P] = Request(request_id, edge_at)
        self._requests.append(request)
        for frame, start_s, end_s in tuple(self._recent):
            self._cut(request, frame, start_s, end_s)

    def _transmit(self, request_id: RequestId, burst: int, until: float, from_seq: int, now: float) -> None:
        request = self._find(request_id)
        if request is None:
            return self._count("transmit_unknown")
        if request.burst is None:
            if burst <= self._newest_burst:
                return self._count("transmit_old")
            for older in tuple(self._requests):
                if older.burst is not None:
                    self._finish(older)
            self._newest_burst = request.burst = burst
            request.first_seq = request.next_seq = from_seq
        elif request.burst != burst:
            return self._count("transmit_other_burst")
        if request.held:
            request.held = False
            request.keep_from = now
        request.until = min(now + TRANSMIT_LEASE_S, until)

    def _key_up(self, request_id: RequestId, at: float) -> None:
        request = self._find(request_id)
        if request is not None:
            if request.up_at is None:
                self._end_capture(request, at)
            return
        burst, last_seq, told = self._done.get(request_id, (None, None, False))
        if not told:
            self._remember(request_id, burst, last_seq, told=True)
            self._out.append(Drained(request_id=request_id, burst=burst, last_seq=last_seq))

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _cut(self, request: Request[P], frame: F, start_s: float, end_s: float) -> None:
        if request.closed:
            return
        low = max(start_s, request.keep_from)
        high = end_s if request.up_at is None else min(end_s, request.up_at)
        final = request.up_at is not None and end_s >= request.up_at
        request.closed = final
        if not request.held and (low < high or final):
            low = min(low, high)
            self._out.append(Cut(request_id=request.request_id, frame=frame, start_s=low, end_s=high, final=final))

    def _end_capture(self, request: Request[P], at: float) -> None:
        request.up_at = max(at, request.edge_at)
        while request.queue and request.queue[-1][1] >= request.up_at:
            request.queue.pop()
            self._count("after_key_up")
        if self._recent and self._recent[-1][2] >= request.up_at:
            self._close(request)

    def _close(self, request: Request[P]) -> None:
        request.closed = True
        up_at = request.up_at or request.edge_at
        if not request.held:
            self._out.append(Cut(request_id=request.request_id, frame=None, start_s=up_at, end_s=up_at, final=True))

    def _lapse(self, now: float) -> None:
        for request in self._requests:
            if request.burst is not None and now >= request.until and not request.held:
                self._hold(request)

    def _hold(self, request: Request[P]) -> None:
        request.held = True
        for _ in range(len(request.queue)):
            self._drop_oldest(request, "held")

    def _send(self, request: Request[P], packet: P | None, start_s: float, *, last: bool) -> Send[P]:
        seq = request.next_seq
        request.next_seq += 1
        request.last_pulled = last
        assert request.burst is not None
        return Send(
            burst=request.burst,
            seq=seq,
            capture_ms=max(0, round((start_s - request.zero_at) * 1000)) + FROM_SEQ_MS * request.first_seq,
            packet=packet,
            last=last,
            captured_at_s=start_s,
        )

    def _finish(self, request: Request[P]) -> None:
        """Forget a request and, where its button is up, say Drained."""
        self._forget(request, told=True)
        self._out.append(Drained(request_id=request.request_id, burst=request.burst, last_seq=request.last_seq))

    def _forget(self, request: Request[P], *, told: bool) -> None:
        self._requests.remove(request)
        self._remember(request.request_id, request.burst, request.last_seq, told=told)

    def _remember(self, request_id: RequestId, burst: int | None, last_seq: int | None, *, told: bool) -> None:
        self._done[request_id] = (burst, last_seq, told)
        while len(self._done) > _REMEMBERED_MAX:
            self._done.popitem(last=False)

    def _find(self, request_id: RequestId) -> Request[P] | None:
        for request in self._requests:
            if request.request_id == request_id:
                return request
        return None

    def _drop_oldest(self, request: Request[P], why: str) -> None:
        request.queue.popleft()
        self._count(why)

    def _count(self, why: str) -> None:
        self.dropped[why] = self.dropped.get(why, 0) + 1

    def _take(self) -> tuple[Cut[F] | Drained, ...]:
        out, self._out = tuple(self._out), []
        return out
