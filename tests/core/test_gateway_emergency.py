"""The emergency button: held, let go early, pressed again, with and without a link, and what outlives it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.core.emergency import STUCK_AFTER_S, EmergencySettings
from gateway.core.indicators import TABLE, Vibration
from gateway.core.participant_words import State
from gateway.core.told import Told
from gateway.core.vehicle import Vehicle
from gateway.core.words import (
    ClearEmergency,
    Effect,
    EmergencyKept,
    Flag,
    FromWorker,
    InputChanged,
    KeepEmergency,
    Kept,
    LevelsKept,
    LinkDown,
    LinkUp,
    Look,
    Pressed,
    Publish,
    Received,
    Released,
    Shutdown,
    Tell,
    ToWorker,
    Trouble,
    WorkerGone,
)
from protocol.messages import (
    DenyCause,
    Ended,
    FloorDeny,
    FloorQueued,
    FloorRelease,
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    FloorRevoke,
    Priority,
    RevokeCause,
)
from protocol.timers import QUEUED_GIVE_UP_S
from protocol.topics import Kind
from protocol.worker import Arm, Cue, Drained, KeyUp, Mute, Say, Sound, Stop, Through, Transmit
from tests.core.gateway_bench import session
from tests.core.test_gateway_vehicle import Rig


class Cab(Rig):
    """A vehicle with an emergency button, up and ready; `office` answers its renewals while it waits."""

    def __init__(self, rules: EmergencySettings | None = None, *, since: int | None = None) -> None:
        super().__init__()
        who = replace(self.vehicle._who, emergency=rules or EmergencySettings(), emergency_since=since)
        self.vehicle = Vehicle(who, lambda: 0.5)
        self.all = []
        self._keep(self.vehicle.start(self.now, 0))
        self.tick()
        self.feed(InputChanged(signal="emergency", active=False, at=self.now, at_start=True))
        self.up()
        self.all = []

    def down(self, at: float | None = None) -> tuple[Effect, ...]:
        return self.feed(InputChanged(signal="emergency", active=True, at=self.now if at is None else at))

    def let_go(self, at: float | None = None) -> tuple[Effect, ...]:
        return self.feed(InputChanged(signal="emergency", active=False, at=self.now if at is None else at))

    def hold(self, seconds: float = 1.1) -> Cab:
        self.down()
        self.wait(seconds)
        self.let_go()
        return self

    def talk_on(self, seconds: float, burst: int = 5) -> None:
        """Speak so long, with every renewal answered and voice getting through."""
        for _ in range(round(seconds / 0.25)):
            mark = len(self.all)
            self.wait(0.25)
            self.feed_through(burst)
            for _, effect in self.all[mark:]:
                if isinstance(effect, Publish) and isinstance(effect.message, FloorRenew):
                    self.reply(FloorRenewed(rev=11, burst=burst, renew_no=effect.message.renew_no))

    def feed_through(self, burst: int) -> None:
        self.feed(FromWorker(event=Through(burst=burst, seq=1, at=self.now)))

    def drained(self, press: int = 1, burst: int = 5) -> None:
        self.feed(FromWorker(event=Drained(request_id=(0, 7, 1, press), burst=burst, last_seq=9)))

    def told(self) -> list[Told]:
        return [effect.what for _, effect in self.all if isinstance(effect, Tell)]

    def requests(self) -> list[Priority]:
        found = [e.message for e in self.published_on(Kind.FLOOR) if isinstance(e.message, FloorRequest)]
        return [request.priority for request in found]

    def published_on(self, kind: Kind) -> list[Publish]:
        return [e for _, e in self.all if isinstance(e, Publish) and e.kind is kind]

    def alert(self, name: str = "emergency") -> bool | None:
        """What was published last of an alert; None: nothing."""
        said = [e for e in self.published_on(Kind.ALERT) if e.ids[-1] == name]
        return None if not said else said[-1].message is not None

    def kept(self) -> list[int | None]:
        return [e.since for _, e in self.all if isinstance(e, KeepEmergency)]

    def commands(self, kind: type) -> list[object]:
        return [e.command for _, e in self.all if isinstance(e, ToWorker) and isinstance(e.command, kind)]


@pytest.fixture
def cab() -> Cab:
    return Cab()


# --- held ------------------------------------------------------------------------------------------------------------


def test_it_is_felt_and_seen_at_once_that_the_button_counts(cab: Cab) -> None:
    cab.down()

    assert (cab.told(), cab.shows()) == ([Told.EMERGENCY_HELD], Look.HOLDING)
    assert TABLE[Told.EMERGENCY_HELD].vibration is Vibration.COUNTING
    assert cab.requests() == []


def test_held_long_enough_it_asks_first_then_raises_the_alert_and_keeps_it(cab: Cab) -> None:
    cab.down()
    mark = len(cab.all)
    effects = cab.wait(1.0)

    order = [e.message if isinstance(e, Publish) else e for e in effects if isinstance(e, KeepEmergency | Publish)]
    assert [type(each).__name__ for each in order[:3]] == ["FloorRequest", "Alert", "KeepEmergency"]
    assert cab.requests() == [Priority.EMERGENCY]
    assert (cab.alert(), cab.kept()) == (True, [int(cab.now * 1000)])
    assert Told.EMERGENCY in [e.what for _, e in cab.all[mark:] if isinstance(e, Tell)]


def test_nothing_said_before_the_button_was_held_long_enough_is_kept(cab: Cab) -> None:
    at = cab.now
    cab.hold()

    [arm] = cab.commands(Arm)
    assert isinstance(arm, Arm)
    assert arm.edge_at == pytest.approx(at + 1.0)


@pytest.mark.parametrize("held_s", [0.001, 0.5, 0.999])
def test_let_go_before_that_nothing_happens_but_that_it_is_told(cab: Cab, held_s: float) -> None:
    cab.hold(held_s)
    cab.wait(5.0)

    assert cab.told() == [Told.EMERGENCY_HELD, Told.EMERGENCY_NOT_HELD]
    assert (cab.requests(), cab.alert(), cab.kept(), cab.commands(Say)) == ([], None, [], [])


def test_pieces_of_a_second_do_not_add_up(cab: Cab) -> None:
    for _ in range(20):
        cab.hold(0.9)

    assert cab.requests() == []


def test_a_loop_that_was_late_goes_by_the_edges(cab: Cab) -> None:
    # given a button that was held for 1.2 s while the loop did not turn
    cab.down(cab.now)
    began = cab.now
    cab.now += 2.0
    # when it takes up the release
    cab.let_go(began + 1.2)
    # then that was an emergency; and a short one, as late, is none
    assert cab.requests() == [Priority.EMERGENCY]
    late = Cab()
    late.down(late.now)
    began = late.now
    late.now += 2.0
    late.let_go(began + 0.8)
    assert late.requests() == []


@pytest.mark.parametrize("hold_s", [0.5, 3.0])
def test_how_long_it_is_held_is_the_settings(hold_s: float) -> None:
    cab = Cab(EmergencySettings(hold_s=hold_s))
    cab.down()
    cab.wait(hold_s - 0.01)
    assert cab.requests() == []
    cab.wait(0.02)
    assert cab.requests() == [Priority.EMERGENCY]


# --- hands-free ------------------------------------------------------------------------------------------------------


def test_granted_it_speaks_without_a_hand_for_as_long_as_set_and_the_alert_stays(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    assert cab.vehicle.participant.transmitting
    assert cab.vehicle.status().keyed
    cab.talk_on(19.5)
    assert cab.vehicle.participant.transmitting

    cab.talk_on(1.0)

    assert len(cab.commands(KeyUp)) == 1
    cab.drained()
    assert cab.told()[-1] is Told.EMERGENCY_ENDED
    assert (cab.alert(), cab.vehicle.status().keyed) == (True, False)


def test_it_never_speaks_longer_than_it_was_granted() -> None:
    cab = Cab(EmergencySettings(open_s=120))
    cab.hold()
    cab.grant()
    cab.talk_on(30.5)

    assert Told.LIMIT_REACHED in cab.told()
    assert not cab.vehicle.status().keyed


def test_the_talk_button_during_the_window_is_answered_and_changes_nothing(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    before = len(cab.requests())
    cab.feed(Pressed(at=cab.now))
    told = [e for _, e in cab.all if isinstance(e, Tell)][-1]
    cab.wait(0.2)
    cab.feed(Released(at=cab.now))

    assert (told.what, told.press_no) == (Told.GRANTED, 2)
    assert (len(cab.requests()), cab.commands(KeyUp)) == (before, [])
    assert cab.vehicle.participant.transmitting


def test_the_window_ends_under_a_held_talk_button_and_a_new_press_is_needed(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.feed(Pressed(at=cab.now))
    cab.talk_on(20.5)
    cab.drained()
    assert not cab.vehicle.participant.transmitting
    cab.wait(1.0)
    assert len(cab.requests()) == 1

    cab.feed(Released(at=cab.now))
    cab.feed(Pressed(at=cab.now))

    assert cab.requests() == [Priority.EMERGENCY, Priority.NORMAL]


# --- while something else is going on --------------------------------------------------------------------------------


def test_ones_own_talk_is_given_up_for_it_and_its_tail_is_not_sent(cab: Cab) -> None:
    cab.feed(Pressed(at=cab.now))
    cab.grant()
    cab.hold()

    order = [type(e.message).__name__ for e in cab.published_on(Kind.FLOOR) if not isinstance(e.message, FloorRenew)]
    assert order == ["FloorRequest", "FloorRelease", "FloorRequest"]
    assert cab.commands(KeyUp) == []
    assert cab.commands(Mute) == [Mute(request_id=(0, 7, 1, 1))]
    cab.grant(2, burst=6)
    cab.feed(Released(at=cab.now))
    assert cab.vehicle.participant.transmitting


@pytest.mark.parametrize("queued", [False, True])
def test_a_request_that_waits_is_given_up_for_it_and_answered(cab: Cab, queued: bool) -> None:
    cab.feed(Pressed(at=cab.now))
    [cab.reply(FloorQueued(rev=2, request_id=(0, 7, 1, 1), position=2)) for _ in range(queued)]
    cab.down()
    for _ in range(2):  # queued requests are repeated, and must be answered to live on
        cab.wait(0.5)

    answers = [e.what for _, e in cab.all if isinstance(e, Tell) and e.press_no == 1]
    assert answers[-1] is Told.EMERGENCY
    assert cab.requests() == [Priority.NORMAL, Priority.EMERGENCY]


def test_denied_by_an_equal_one_it_says_who_speaks_and_the_alert_stays(cab: Cab) -> None:
    cab.hold()
    cab.reply(
        FloorDeny(
            rev=3,
            request_id=(0, 7, 1, 1),
            cause=DenyCause.ANOTHER_HAS_PERMISSION,
            speaker="car-2",
            speaker_name="둘",
            remaining_s=9.0,
        )
    )

    said = [e for _, e in cab.all if isinstance(e, Tell)][-1]
    assert (said.what, said.name) == (Told.EMERGENCY_FAILED, "둘")
    assert (cab.alert(), cab.vehicle.status().keyed) == (True, False)
    cab.wait(10.0)
    cab.feed(Pressed(at=cab.now))
    assert cab.requests()[-1] is Priority.NORMAL


def test_waiting_behind_another_emergency_it_speaks_when_its_turn_comes_but_does_not_wait_for_ever(cab: Cab) -> None:
    def queue(waits: Cab, seconds: float) -> None:
        for _ in range(round(seconds)):
            waits.reply(FloorQueued(rev=3, request_id=(0, 7, 1, 1), position=1))
            waits.wait(1.0)

    cab.hold()
    queue(cab, 10.0)
    assert cab.vehicle.status().keyed
    queue(cab, 11.0)

    assert (cab.told()[-1], cab.vehicle.status().keyed) == (Told.EMERGENCY_ENDED, False)
    cab.grant()
    assert not cab.vehicle.participant.transmitting
    # and one whose turn comes has its whole time
    two = Cab()
    two.hold()
    queue(two, 15.0)
    two.grant()
    two.reply(FloorRenewed(rev=11, burst=5, renew_no=1))
    two.talk_on(19.0)
    assert two.vehicle.participant.transmitting
    two.talk_on(2.0)
    assert not two.vehicle.status().keyed


def test_whoever_may_only_listen_raises_the_alert_all_the_same(cab: Cab) -> None:
    cab.hold()
    cab.reply(FloorDeny(rev=3, request_id=(0, 7, 1, 1), cause=DenyCause.RECEIVE_ONLY))

    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_FAILED, True)


def test_unanswered_it_is_told_by_its_own_sentence(cab: Cab) -> None:
    cab.hold()
    cab.wait(2.5)

    assert cab.told()[-1] is Told.EMERGENCY_FAILED
    assert (cab.vehicle.participant.state, cab.alert()) == (State.NO_PERMISSION, True)


def test_a_revoke_ends_the_window_and_the_alert_stays(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.reply(FloorRevoke(rev=12, burst=5, cause=RevokeCause.NO_PERMISSION))

    assert not cab.vehicle.status().keyed
    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_FAILED, True)
    cab.wait(60.0)
    assert cab.requests() == [Priority.EMERGENCY]


def test_a_worker_that_dies_ends_the_window(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.feed(WorkerGone(reason="died"))

    assert not cab.vehicle.status().keyed
    assert cab.alert()


# --- the link --------------------------------------------------------------------------------------------------------


def test_without_a_link_it_says_so_and_the_alert_goes_out_with_the_next(cab: Cab) -> None:
    cab.feed(LinkDown(reason="gone"))
    cab.all = []
    cab.hold()
    assert Told.EMERGENCY_OFFLINE in cab.told()
    assert (cab.requests(), cab.alert(), len(cab.kept())) == ([], None, 1)

    cab.feed(LinkUp())

    assert cab.alert() is True
    cab.wait(5.0)
    assert cab.requests() == []  # the wish to speak is not kept


def test_a_link_that_goes_ends_the_window_for_good(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.feed(LinkDown(reason="gone"))

    assert Told.EMERGENCY_OFFLINE in cab.told()
    assert not cab.vehicle.status().keyed
    cab.feed(LinkUp())
    cab.wait(2.0)
    assert not cab.vehicle.participant.transmitting
    assert cab.commands(Transmit) != []
    assert cab.alert() is True


def test_a_link_that_goes_while_it_asks_is_told_once(cab: Cab) -> None:
    cab.hold()
    cab.all = []
    cab.feed(LinkDown(reason="gone"))

    assert cab.told().count(Told.EMERGENCY_OFFLINE) == 1
    assert not cab.vehicle.status().keyed


# --- pressed again ---------------------------------------------------------------------------------------------------


def test_pressed_again_soon_everything_is_taken_back(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.wait(1.0)
    cab.hold(0.1)

    assert cab.told()[-1] is Told.EMERGENCY_CANCELLED
    assert (cab.alert(), cab.kept()[-1], cab.vehicle.status().keyed) == (False, None, False)
    assert len(cab.published(FloorRelease)) >= 1
    cab.wait(60.0)
    assert cab.requests() == [Priority.EMERGENCY]


def test_a_false_alarm_is_taken_back_even_where_it_was_denied_already(cab: Cab) -> None:
    cab.hold()
    cab.reply(FloorDeny(rev=3, request_id=(0, 7, 1, 1), cause=DenyCause.RECEIVE_ONLY))
    cab.hold(0.1)

    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_CANCELLED, False)


def test_pressed_again_later_only_the_microphone_closes(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.talk_on(6.0)
    cab.hold(0.1)
    cab.drained()

    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_ENDED, True)
    assert not cab.vehicle.status().keyed


def test_without_a_time_to_cancel_the_first_press_ends_the_microphone_alone() -> None:
    cab = Cab(EmergencySettings(cancel_s=0))
    cab.hold()
    cab.grant()
    cab.hold(0.1)
    cab.drained()

    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_ENDED, True)


def test_held_again_it_is_a_new_emergency_and_the_alert_is_the_same(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.talk_on(20.5)
    cab.drained()
    cab.wait(3.0)
    cab.hold()

    assert cab.requests() == [Priority.EMERGENCY, Priority.EMERGENCY]
    assert len(cab.kept()) == 1


def test_the_second_emergency_taken_back_leaves_the_first_ones_alert(cab: Cab) -> None:
    cab.hold()
    cab.wait(10.0)
    cab.hold()
    cab.hold(0.1)

    assert (cab.told()[-1], cab.alert()) == (Told.EMERGENCY_CANCELLED, True)


def test_held_long_to_take_it_back_it_is_raised_anew(cab: Cab) -> None:
    # a driver in panic who does not know that it counted already must not talk himself out of it
    cab.hold()
    cab.hold(1.2)

    assert cab.requests() == [Priority.EMERGENCY, Priority.EMERGENCY]
    assert cab.alert() is True


# --- what outlives it ------------------------------------------------------------------------------------------------


def test_the_office_clears_it_and_the_driver_is_told(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.feed(ClearEmergency(by="dispatcher"))

    assert (cab.told()[-1], cab.alert(), cab.kept()[-1]) == (Told.EMERGENCY_CLEARED, False, None)
    assert cab.vehicle.participant.transmitting  # the microphone is the driver's
    cab.all = []
    cab.feed(ClearEmergency(by="dispatcher"))
    assert cab.told() == []


def test_an_emergency_that_stood_before_a_restart_is_raised_with_its_own_time_and_opens_nothing() -> None:
    cab = Cab(since=1_700_000_000_000)
    cab.feed(LinkDown(reason="gone"), LinkUp())

    [said] = [e for e in cab.published_on(Kind.ALERT) if e.ids[-1] == "emergency"]
    assert getattr(said.message, "since", None) == 1_700_000_000_000
    cab.wait(60.0)
    assert (cab.requests(), cab.commands(Arm), cab.kept()) == ([], [], [])


def test_a_disk_that_does_not_keep_it_is_told(cab: Cab) -> None:
    cab.hold()
    cab.feed(EmergencyKept(problem=""))
    assert cab.alert("state-dir") is None
    cab.feed(EmergencyKept(problem="/var/lib/x/emergency: No space left on device"))

    assert (cab.alert("state-dir"), cab.alert()) == (True, True)


def test_what_could_not_be_kept_is_told_until_it_was_kept_after_all(cab: Cab) -> None:
    cab.feed(EmergencyKept(problem="full"), LevelsKept(problem="full"))
    cab.feed(EmergencyKept(problem=""))
    assert cab.alert("state-dir") is True
    cab.feed(LevelsKept(problem=""))
    assert cab.alert("state-dir") is False

    cab.feed(Kept(flag=Flag.IGNITION_WIRED, on=True, problem="full"))
    assert cab.alert("state-dir") is True
    cab.feed(Kept(flag=Flag.IGNITION_WIRED, on=True))
    assert cab.alert("state-dir") is False

    cab.feed(Trouble(alert="state-dir", holds=True), EmergencyKept(problem=""))
    assert cab.alert("state-dir") is True  # damage found at the start is not undone by what is kept now


def test_the_talk_button_in_a_window_that_nobody_hears_does_not_say_granted(cab: Cab) -> None:
    cab.hold()
    cab.grant()
    cab.reply(FloorRenewed(rev=11, burst=5, renew_no=1))
    cab.wait(4.0)  # no renewal is answered
    assert not cab.vehicle.participant.transmitting
    cab.feed(Pressed(at=cab.now))

    assert cab.told()[-1] is Told.NOT_HEARD


def test_a_stop_of_the_service_opens_nothing_any_more_and_keeps_the_alert(cab: Cab) -> None:
    cab.hold()
    cab.wait(10.0)
    cab.down()
    cab.feed(Shutdown())
    cab.wait(5.0)
    cab.let_go()
    cab.down()
    cab.wait(5.0)

    assert cab.requests() == [Priority.EMERGENCY]
    assert cab.vehicle.participant.state is State.NO_PERMISSION
    assert None not in cab.kept()


# --- a button that hangs ---------------------------------------------------------------------------------------------


def test_held_at_the_start_it_counts_for_nothing_until_it_was_seen_up(cab: Cab) -> None:
    cab.feed(InputChanged(signal="emergency", active=True, at=cab.now, at_start=True))
    cab.wait(STUCK_AFTER_S + 1)
    assert (cab.requests(), cab.told(), cab.alert("stuck-emergency")) == ([], [Told.EMERGENCY_STUCK], True)

    cab.let_go()
    cab.hold()

    assert cab.requests() == [Priority.EMERGENCY]
    assert cab.alert("stuck-emergency") is False


def test_a_button_that_stays_down_is_told_once_and_opens_one_window(cab: Cab) -> None:
    cab.down()
    cab.wait(300.0)

    assert cab.told().count(Told.EMERGENCY_STUCK) == 1
    assert (cab.requests(), cab.alert("stuck-emergency")) == ([Priority.EMERGENCY], True)


# --- at the listeners ------------------------------------------------------------------------------------------------


def test_an_emergency_waits_for_no_tail_of_the_burst_before_it(cab: Cab) -> None:
    cab.feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    cab.feed(Received(kind=Kind.SESSION, message=session(2, 4, None, ended=Ended.RELEASED, last_seq=9)))
    cab.all = []
    cab.feed(Received(kind=Kind.SESSION, message=session(3, 5, "car-3", priority=Priority.EMERGENCY)))
    assert cab.commands(Stop) == [Stop(burst=4, drain=False)]


@pytest.mark.parametrize(("speaker", "priority"), [("car-3", Priority.HIGH), ("car-2", Priority.EMERGENCY)])
def test_any_other_burst_and_the_same_speakers_next_wait_for_the_tail(
    cab: Cab, speaker: str, priority: Priority
) -> None:
    cab.feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    cab.feed(Received(kind=Kind.SESSION, message=session(2, 4, None, ended=Ended.RELEASED, last_seq=9)))
    cab.all = []
    cab.feed(Received(kind=Kind.SESSION, message=session(3, 5, speaker, priority=priority)))
    assert cab.commands(Stop) == []


def test_an_emergency_of_another_is_heard_seen_and_felt_as_one_each_time(cab: Cab) -> None:
    urgent = {"priority": Priority.EMERGENCY, "speaker_name": "김민수"}
    cab.feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    cab.feed(Received(kind=Kind.SESSION, message=session(2, 4, None, ended=Ended.PREEMPTED)))
    cab.all = []
    cab.feed(Received(kind=Kind.SESSION, message=session(3, 5, "car-2", **urgent)))

    assert (cab.told(), cab.shows()) == ([Told.EMERGENCY_HEARD], Look.EMERGENCY)
    assert cab.commands(Cue) == [Cue(sound=Sound.EMERGENCY)]
    assert cab.commands(Say) == [Say(text="긴급 통화: 김민수", lang="ko", urgent=True)]
    assert TABLE[Told.EMERGENCY_HEARD].vibration is Vibration.EMERGENCY


# --- priorities and the queue ----------------------------------------------------------------------------------------


def test_the_talk_button_asks_with_the_vehicles_own_priority() -> None:
    cab = Cab()
    cab.vehicle = Vehicle(replace(cab.vehicle._who, priority=Priority.HIGH), lambda: 0.5)
    cab.vehicle.start(cab.now, 0)
    cab.up()
    cab.feed(Pressed(at=cab.now))

    assert cab.requests() == [Priority.HIGH]


def test_the_place_in_the_queue_is_said_and_said_again_when_it_changes(cab: Cab) -> None:
    cab.feed(Pressed(at=cab.now))
    for position in (2, 2, 1, 1):
        cab.reply(FloorQueued(rev=2, request_id=(0, 7, 1, 1), position=position))

    said = [command.text for command in cab.commands(Say) if isinstance(command, Say)]
    assert said == ["2번째로 대기 중입니다", "1번째로 대기 중입니다"]


def test_a_turn_that_came_after_waiting_is_felt_more_strongly_than_a_grant_at_once(cab: Cab) -> None:
    cab.feed(Pressed(at=cab.now))
    cab.reply(FloorQueued(rev=2, request_id=(0, 7, 1, 1), position=1))
    cab.grant()
    cab.reply(FloorRenewed(rev=11, burst=5, renew_no=1))

    assert cab.told()[-1] is Told.TURN_CAME
    assert TABLE[Told.TURN_CAME].vibration is Vibration.YOUR_TURN
    assert TABLE[Told.TURN_CAME].sound is None  # the microphone is open


def test_let_go_in_the_queue_the_request_is_taken_back(cab: Cab) -> None:
    cab.feed(Pressed(at=cab.now))
    cab.reply(FloorQueued(rev=2, request_id=(0, 7, 1, 1), position=1))
    cab.feed(Released(at=cab.now))

    assert cab.told()[-1] is Told.CANCELLED
    assert len(cab.published(FloorRelease)) == 1


def test_a_queue_that_answers_no_more_is_given_up_and_told_instead_of_waiting_for_ever(cab: Cab) -> None:
    cab.feed(Pressed(at=cab.now))
    for _ in range(8):  # far longer than it gives up after, answered each time
        cab.reply(FloorQueued(rev=2, request_id=(0, 7, 1, 1), position=1))
        cab.wait(1.0)
    assert cab.vehicle.participant.state is State.QUEUED

    cab.wait(QUEUED_GIVE_UP_S)

    assert cab.told()[-1] is Told.NO_ANSWER
    assert {each.message.request_id for each in cab.published(FloorRelease)} == {(0, 7, 1, 1)}  # type: ignore[union-attr]
    assert cab.vehicle.participant.talk is None
