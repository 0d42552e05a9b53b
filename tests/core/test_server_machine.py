"""Any order of presses, silence, restarts, outages and replicas keeps the floor's invariants (hypothesis)."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dispatch.core.state import FloorState, OfficeRules
from protocol.messages import EventType, FloorGranted, PresenceState, Priority, Session
from tests.core.dispatch_bench import Bench

USERS = st.sampled_from(["car-1", "car-2", "car-3", "boss"])
PRESSES = st.integers(1, 6)
PRIORITIES = st.sampled_from(Priority)


class Office(RuleBasedStateMachine):
    """One office, four members who do anything at all, a server that is killed, cut off and left without a store."""

    @initialize(queue=st.booleans(), hang_s=st.sampled_from([0.0, 1.0, 5.0]))
    def open(self, queue: bool, hang_s: float) -> None:
        rules = OfficeRules(
            queue=queue, queue_max=2, hang_s=hang_s, talk_limit_s=5, priorities={"boss": Priority.EMERGENCY}
        )
        self.bench = Bench(rules)
        self.connected = True
        self.bursts: list[int] = []
        self.seen = 0
        self.rev = 0

    # --- what may happen --------------------------------------------------------------------------------------------

    @rule(user=USERS, press=PRESSES, priority=PRIORITIES, again=st.booleans(), boot=st.integers(1, 2))
    def request(self, user: str, press: int, priority: Priority, again: bool, boot: int) -> None:
        if self.connected:
            self.bench.request(user, press, priority, again=again, boot=boot)

    @rule(user=USERS, press=PRESSES, boot=st.integers(1, 2))
    def release(self, user: str, press: int, boot: int) -> None:
        if self.connected:
            self.bench.release(user, press, boot=boot)

    @rule(user=USERS, number=st.integers(0, 8), behind=st.integers(0, 1))
    def renew(self, user: str, number: int, behind: int) -> None:
        if self.connected:
            self.bench.renew(user, max(0, self.bench.floor.burst - behind), number)

    @rule(user=USERS, number=st.integers(1, 9), boot=st.integers(1, 2), state=st.sampled_from(PresenceState))
    def presence(self, user: str, number: int, boot: int, state: PresenceState) -> None:
        if self.connected:
            self.bench.presence(user, number, state, boot=boot, in_channel=self.bench.floor.event_id)

    @rule(seconds=st.sampled_from([0.05, 0.5, 1.0, 3.1, 8.0]))
    def wait(self, seconds: float) -> None:
        self.bench.advance(seconds)

    @rule(seconds=st.sampled_from([0.3, 5.0]))
    def freeze(self, seconds: float) -> None:
        self.bench.freeze(seconds)

    @rule()
    def broker_lost(self) -> None:
        if self.connected:
            self.bench.down()
        self.connected = False

    @rule()
    def broker_back(self) -> None:
        if not self.connected:
            self.bench.up()
        self.connected = True

    @rule()
    def killed_and_restarted(self) -> None:
        self.bench.start()
        self.bench.up()
        self.connected = True

    @rule(seconds=st.sampled_from([0.5, 4.0]), user=USERS, press=PRESSES)
    def store_away(self, seconds: float, user: str, press: int) -> None:
        self.bench.store.away = True
        if self.connected:
            self.bench.request(user, press)
        self.bench.advance(seconds)
        self.bench.store.away = False

    @rule(left=st.integers(0, 2))
    def store_lost_in_the_middle(self, left: int) -> None:
        self.bench.store.durable_left = left
        self.bench.advance(4.0)
        self.bench.store.away, self.bench.store.durable_left = False, None

    # --- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def a_holder_is_there_exactly_while_the_floor_is_taken(self) -> None:
        floor = self.bench.floor
        assert (floor.holder is None) is (floor.state is FloorState.IDLE)
        assert (floor.request_id is None) is (floor.holder is None)
        assert floor.active or floor.holder is None

    @invariant()
    def bursts_strictly_rise_and_each_has_one_holder(self) -> None:
        granted = {(m.burst, p.ids[0]) for p in self.bench.published if isinstance(m := p.message, FloorGranted)}
        assert len({burst for burst, _ in granted}) == len(granted)
        spoken = [e.metadata["burst"] for e in self.bench.events(EventType.SPEAKER_CHANGED)]
        assert spoken == sorted(set(spoken))

    @invariant()
    def sessions_are_published_in_the_order_of_their_revs(self) -> None:
        new = self.bench.sent(Session)[self.seen :]
        self.seen += len(new)
        revs = [self.rev, *(s.rev for s in new)]
        assert revs == sorted(revs)
        self.rev = revs[-1]

    @invariant()
    def the_queue_holds_each_member_once_and_never_the_speaker(self) -> None:
        floor = self.bench.floor
        users = [q.user for q in floor.queue]
        assert len(users) == len(set(users)) <= 2
        assert floor.holder not in users
        assert not users or floor.state is not FloorState.IDLE
        ranks = [q.priority.rank for q in floor.queue]
        assert ranks == sorted(ranks, reverse=True)

    @invariant()
    def the_log_is_numbered_without_gaps_and_tells_a_story_that_can_be(self) -> None:
        log = self.bench.log()
        assert [e.no for e in log] == list(range(1, self.bench.floor.event_no + 1))
        speaking: int | None = None
        in_session = False
        for event in log:
            match event.event:
                case EventType.SESSION_STARTED:
                    assert not in_session
                    in_session = True
                case EventType.SESSION_ENDED:
                    assert in_session
                    assert speaking is None
                    in_session = False
                case EventType.SPEAKER_CHANGED:
                    assert in_session
                    assert speaking is None
                    speaking = event.metadata["burst"]
                case EventType.BURST_ENDED:
                    assert speaking == event.metadata["burst"]
                    speaking = None
                case _:
                    pass
        assert in_session is self.bench.floor.active
        held = {self.bench.floor.burst} & {self.bench.floor.holder and self.bench.floor.burst}
        assert {speaking} - {None} == held

    def teardown(self) -> None:
        """Left alone with a good broker and store, the floor gets idle, the session ends, all is published."""
        if not hasattr(self, "bench"):
            return
        self.bench.up()
        self.bench.advance(40)
        floor = self.bench.floor
        assert (floor.state, floor.active, floor.queue) == (FloorState.IDLE, False, ())
        assert self.bench.sent(Session)[-1] == floor.session()
        assert [e.no for e in self.bench.events()] == list(range(1, floor.event_no + 1))
        assert self.bench.office.cleaned == 0
        self.bench.store.close()


Office.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestOffice = Office.TestCase
