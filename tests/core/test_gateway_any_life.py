"""Whatever comes, no press stays unanswered and no voice leaves unkeyed: any life of the vehicle core."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.core.participant_words import State
from gateway.core.words import (
    Acked,
    FromWorker,
    InputChanged,
    LinkDown,
    LinkUp,
    Pressed,
    Received,
    Released,
    Tell,
    ToWorker,
    WorkerGone,
)
from protocol.messages import (
    DenyCause,
    Ended,
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorQueued,
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    FloorRevoke,
    Message,
    Priority,
    RevokeCause,
)
from protocol.topics import Kind
from protocol.worker import (
    Arm,
    Drained,
    KeyUp,
    Through,
    Transmit,
)
from tests.core.gateway_bench import session
from tests.core.gateway_vehicle_rig import Rig


class AnyLife(RuleBasedStateMachine):
    """A vehicle under any order of events and times: what must hold all the time, holds."""

    @initialize(up=st.sampled_from([True, True, False]))
    def begin(self, up: bool) -> None:
        self.rig = Rig()
        self.link = up
        if up:
            self.rig.up()
        self.burst = 5
        self.rev = 10
        self.down = False
        self.pressed: dict[int, float] = {}
        self.presses = 0
        self.seen = 0
        self.armed: set[tuple[int, ...]] = set()
        self.muted_worker = True
        self.answered: dict[int, float] = {}
        self.released_s: float | None = None
        self.emergency = False
        self.keyed_s = 0.0
        self.opened_s: float | None = None

    def requests(self) -> list[tuple[int, int, int, int]]:
        return [e.message.request_id for e in self.rig.published(FloorRequest) if isinstance(e.message, FloorRequest)]

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.3, 0.6, 1.1, 3.2, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.rig.wait(seconds)

    @rule()
    def button(self) -> None:
        self.down = not self.down
        if self.down:
            self.presses = self.rig.vehicle.participant._presses + 1
            self.pressed[self.presses] = self.rig.now
            self.rig.feed(Pressed(at=self.rig.now))
        else:
            self.released_s = self.rig.now
            self.rig.feed(Released(at=self.rig.now))

    @rule(seconds=st.sampled_from([0.0, 0.3, 0.999, 1.0, 1.5, 6.0]))
    def emergency_button(self, seconds: float) -> None:
        self.emergency = not self.emergency
        self.opened_s = None
        self.rig.feed(InputChanged(signal="emergency", active=self.emergency, at=self.rig.now))
        self.rig.wait(seconds)

    @rule()
    def link_changes(self) -> None:
        if self.link:
            self.rig.feed(LinkDown(reason="lost"))
            assert not self.rig.vehicle.participant.transmitting
        else:
            self.rig.wait(20.0 if self.rig.vehicle.link.waits_to_dial else 0.0)
            self.rig.feed(LinkUp())
        self.link = not self.link

    @rule()
    def worker_comes(self) -> None:
        self.rig.worker_up()

    @rule()
    def worker_dies(self) -> None:
        self.rig.feed(WorkerGone(reason="died"))
        assert not self.rig.vehicle.participant.transmitting

    @precondition(lambda self: self.requests())
    @rule(data=st.data(), what=st.sampled_from(["grant", "deny", "queue", "ack"]))
    def server_answers(self, data: st.DataObject, what: str) -> None:
        request = data.draw(st.sampled_from(self.requests()[-3:]))
        self.rev += 1
        match what:
            case "grant":
                self.burst += 1
                message: Message = FloorGranted(
                    rev=self.rev, request_id=request, burst=self.burst, duration_s=8, lease_s=3
                )
            case "deny":
                message = FloorDeny(rev=self.rev, request_id=request, cause=DenyCause.OTHER)
            case "queue":
                message = FloorQueued(rev=self.rev, request_id=request, position=1)
            case _:
                message = FloorAck(rev=self.rev, request_id=request)
        self.rig.reply(message)

    @precondition(lambda self: not self.down and self.link)
    @rule()
    def a_press_that_is_granted(self) -> None:
        self.rig.worker_up()
        self.button()
        if self.rig.vehicle.participant.state is State.PENDING_REQUEST:
            self.burst, self.rev = self.burst + 1, self.rev + 1
            request = self.requests()[-1]
            self.rig.reply(FloorGranted(rev=self.rev, request_id=request, burst=self.burst, duration_s=8, lease_s=3))

    @rule(back=st.integers(0, 2))
    def server_renews_or_revokes(self, back: int) -> None:
        renewals = [e.message for e in self.rig.published(FloorRenew) if isinstance(e.message, FloorRenew)]
        self.rev += 1
        if renewals:
            renewal = renewals[-min(back + 1, len(renewals))]
            self.rig.reply(FloorRenewed(rev=self.rev, burst=renewal.burst, renew_no=renewal.renew_no))
        else:
            self.rig.reply(FloorRevoke(rev=self.rev, burst=self.burst, cause=RevokeCause.OTHER))

    @rule(speaker=st.sampled_from(["car-1", "car-2", None]), older=st.booleans())
    def session_moves(self, speaker: str | None, older: bool) -> None:
        self.rev += 1
        burst = self.burst - older
        ended = None if speaker else Ended.RELEASED
        self.rig.feed(Received(kind=Kind.SESSION, message=session(self.rev - 5 * older, burst, speaker, ended=ended)))

    @rule(seq=st.integers(0, 50))
    def worker_reports(self, seq: int) -> None:
        talk = self.rig.vehicle.participant.talk
        if talk is not None:
            self.rig.feed(FromWorker(event=Through(burst=talk.burst, seq=seq, at=self.rig.now)))
            if talk.draining:
                self.rig.feed(FromWorker(event=Drained(request_id=talk.request_id, burst=talk.burst, last_seq=seq)))
        self.rig.feed(Acked(token=1))

    def look(self) -> None:
        """Read what was done since the last look."""
        for at_s, effect in self.rig.all[self.seen :]:
            match effect:
                case ToWorker(command=Arm(request_id=request_id)):
                    self.armed.add(request_id)
                case ToWorker(command=Transmit(request_id=request_id, until=until)):
                    assert request_id in self.armed
                    assert at_s < until <= at_s + 3.0
                case Tell(press_no=press_no) if press_no:
                    self.answered.setdefault(press_no, at_s)
        self.seen = len(self.rig.all)

    @invariant()
    def permission_is_short_and_only_for_armed_requests_and_every_press_is_answered(self) -> None:
        self.look()
        for press_no, at_s in list(self.pressed.items()):
            if press_no in self.answered:
                assert self.answered[press_no] - at_s <= 2.4, "0.5 s may be the tail of the burst before"
                del self.pressed[press_no]
            else:
                assert self.rig.now - at_s <= 2.4

    @invariant()
    def it_transmits_only_while_keyed_or_for_the_tail(self) -> None:
        participant, now = self.rig.vehicle.participant, self.rig.now
        window = self.rig.vehicle.status().keyed and not self.down
        if participant.transmitting and not self.down and not window:
            assert participant.talk is not None and participant.talk.draining
            assert self.released_s is None or now - max(self.released_s, self.keyed_s) <= 2.0 + 6.0
            assert participant.talk.priority is Priority.EMERGENCY or now - (self.released_s or 0.0) <= 2.0 + 1e-6
        if window:
            self.keyed_s = now
            opened_s = self.opened_s = now if self.opened_s is None else self.opened_s
            assert now - opened_s <= 2 * 20.0 + 6.0, "the window is bounded, waiting and speaking"
            assert participant.talk is not None and participant.talk.priority is Priority.EMERGENCY
        else:
            self.opened_s = None

    @invariant()
    def it_always_knows_what_to_do_next(self) -> None:
        worker = self.rig.vehicle.worker
        assert worker.state != "down" or worker.next_deadline() is not None
        assert self.link or self.rig.vehicle.link.waits_to_dial or self.rig.vehicle.link._dialling

    @invariant()
    def key_up_goes_to_the_worker_at_most_once_a_request(self) -> None:
        ups = [
            e.command.request_id for _, e in self.rig.all if isinstance(e, ToWorker) and isinstance(e.command, KeyUp)
        ]
        assert len(ups) == len(set(ups))


AnyLife.TestCase.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)

TestAnyLife = AnyLife.TestCase
