"""The Agora bridge's core: which way a burst is carried, and that nothing of it is carried after its end is known."""

from typing import TypeVar

import pytest
from msgspec.structs import replace

from dispatch.bridge.core.bridge import Bridge
from dispatch.bridge.core.member import CORRECT_S
from dispatch.bridge.core.relay import BLIND_S, LEAVE_AFTER_S, SEQ_MS, Direction
from dispatch.bridge.core.words import (
    Acked,
    BridgeEffect,
    BridgeEvent,
    Dial,
    FetchToken,
    FromWorker,
    GotPresence,
    GotSession,
    HangUp,
    KillWorker,
    LinkDown,
    LinkUp,
    Note,
    Publish,
    Shutdown,
    StartWorker,
    TokenCame,
    TokenFailed,
    ToWorker,
    WorkerGone,
)
from protocol.ids import JSON_INT_MAX
from protocol.messages import (
    Alert,
    AppType,
    Ended,
    Heartbeat,
    Presence,
    PresenceState,
    Session,
    VoicePath,
)
from protocol.rest import TokenGrant
from protocol.timers import HEARTBEAT_ACK_S, HEARTBEAT_RETRY_S, HEARTBEAT_S, TRANSMIT_REPEAT_S
from protocol.topics import Kind
from protocol.worker import (
    Agora,
    AgoraState,
    Arm,
    Command,
    Hello,
    Hold,
    Join,
    Leave,
    Mute,
    Play,
    Pong,
    Quit,
    Stop,
    Token,
    TokenWanted,
    Transmit,
)

E = TypeVar("E")
C = TypeVar("C")

BRIDGE_UID, PHONE_UID, CAR_UID = 900, 700, 100
CHANNEL = "seoul-hq"
WALL_MS = 1_800_000_000_000


def car() -> Presence:
    return Presence(state=PresenceState.ONLINE, connection_id=(1, 1, 1), presence_no=1)


def phone() -> Presence:
    return replace(car(), voice=VoicePath.AGORA, app_type=AppType.PICKUP_DRIVER)


def bridge(state: PresenceState = PresenceState.ONLINE) -> Presence:
    return replace(car(), state=state, app_type=AppType.BRIDGE)


def idle(rev: int, burst: int = 0, **fields: object) -> Session:
    return replace(
        Session(rev=rev, store="s", active=False, channel_name=CHANNEL, burst=burst, event_id="e1"), **fields
    )


def spoken(rev: int, burst: int, speaker: str, uid: int, **fields: object) -> Session:
    return replace(idle(rev, burst), active=True, current_speaker=speaker, speaker_uid=uid, **fields)


def by_car(rev: int, burst: int) -> Session:
    return spoken(rev, burst, "car-1", BRIDGE_UID)


def by_phone(rev: int, burst: int) -> Session:
    return spoken(rev, burst, "phone-1", PHONE_UID)


def over(rev: int, burst: int, ended: Ended = Ended.RELEASED, last_seq: int | None = None) -> Session:
    return idle(rev, burst, active=True, ended=ended, last_seq=last_seq)


def grant(expires_in_s: int = 3600, *, publisher: bool = True) -> TokenGrant:
    return TokenGrant(
        app_id="a" * 32,
        channel=CHANNEL,
        uid=BRIDGE_UID,
        token="007token",
        publisher=publisher,
        expires_in_s=expires_in_s,
    )


class Bench:
    """A bridge under virtual time; `done` is everything it asked for since the last look."""

    def __init__(self, user: str = "bridge-1") -> None:
        self.now = 1000.0
        self.core = Bridge(user, lambda: 0.5, name="B", device_info="x86_64", boot=50)
        self.done: list[BridgeEffect] = list(self.core.start(self.now, self.wall_ms))

    @property
    def wall_ms(self) -> int:
        return WALL_MS + round((self.now - 1000.0) * 1000)

    def give(self, *events: BridgeEvent) -> None:
        for event in events:
            self.done += self.core.handle(event, self.now, self.wall_ms)

    def session(self, session: Session) -> None:
        self.give(GotSession(session=session))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, ticking exactly when the core asks for it."""
        until = self.now + seconds
        while (due := self.core.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.done += self.core.tick(self.now, self.wall_ms)
        self.now = until

    def look(self) -> None:
        """Forget what was asked for so far."""
        self.done.clear()

    def all(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.done if isinstance(effect, kind)]

    def every(self) -> list[Command]:
        return [effect.command for effect in self.all(ToWorker)]

    def commands(self, *kinds: type[C]) -> list[C]:
        return [command for command in self.every() if isinstance(command, kinds)]

    def voice(self) -> list[str]:
        """Names of the commands about voice, repetitions left out."""
        names = [type(c).__name__ for c in self.commands(Join, Leave, Arm, Transmit, Play, Stop, Hold, Mute)]
        return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]

    def presences(self) -> list[Presence]:
        return [p.message for p in self.all(Publish) if isinstance(p.message, Presence)]

    def beats(self) -> list[Publish]:
        return [p for p in self.all(Publish) if isinstance(p.message, Heartbeat)]

    def alerts(self) -> dict[str, str | None]:
        told = [p for p in self.all(Publish) if p.kind is Kind.ALERT]
        return {p.ids[1]: p.message.what if isinstance(p.message, Alert) else None for p in told}


@pytest.fixture
def bench() -> Bench:
    """A bridge with worker, connection and token, in an office where nobody speaks."""
    bench = ready()
    bench.session(idle(1, burst=4))
    bench.look()
    return bench


def ready(user: str = "bridge-1") -> Bench:
    """A bridge that knows no session yet."""
    bench = Bench(user)
    bench.give(FromWorker(event=Hello(pid=9, transport="mqtt")), LinkUp(), TokenCame(grant=grant()))
    bench.give(GotPresence(user="car-1", presence=car()), GotPresence(user="phone-1", presence=phone()))
    bench.look()
    return bench


# --- which way --------------------------------------------------------------------------------------------------------


def test_a_vehicle_on_mqtt_is_played_into_agora_under_the_bridges_own_uid(bench: Bench) -> None:
    bench.session(by_car(2, 5))

    assert bench.voice() == ["Join", "Play"]
    assert bench.commands(Join) == [Join(event_id="e1", channel=CHANNEL)]
    assert bench.commands(Play) == [Play(burst=5, user="car-1", uid=0)]


def test_a_phone_on_agora_is_captured_and_sent_as_itself_under_the_bursts_number(bench: Bench) -> None:
    bench.session(by_phone(2, 5))

    assert bench.voice() == ["Join", "Arm", "Transmit"]
    [arm] = bench.commands(Arm)
    assert (arm.uid, arm.edge_at) == (PHONE_UID, bench.now)
    assert bench.commands(Transmit) == [
        Transmit(request_id=arm.request_id, burst=5, as_user="phone-1", from_seq=0),
    ]


def test_permission_is_repeated_for_as_long_as_the_session_says_that_somebody_speaks(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.look()

    bench.pass_time(1.0)
    repeated = len(bench.commands(Transmit))
    bench.session(over(3, 5))
    bench.look()
    bench.pass_time(1.0)

    assert repeated == pytest.approx(1.0 / TRANSMIT_REPEAT_S, abs=1)
    assert bench.commands(Transmit, Play) == []


def test_a_burst_that_is_nobodys_business_here_is_not_carried(bench: Bench) -> None:
    bench.session(spoken(2, 5, "car-1", CAR_UID))

    assert bench.voice() == ["Join"]
    assert bench.core.way is None


def test_a_vehicle_that_uses_agora_itself_is_not_carried_and_the_log_says_why(bench: Bench) -> None:
    bench.give(GotPresence(user="car-1", presence=replace(car(), voice=VoicePath.AGORA)))

    bench.session(spoken(2, 5, "car-1", CAR_UID))
    bench.session(spoken(3, 5, "car-1", CAR_UID))

    assert bench.voice() == ["Join"]
    [note] = [note for note in bench.all(Note) if note.text == "burst not relayed"]
    assert "the vehicle uses Agora itself" in note.fields["why"]


def test_a_phone_without_a_uid_is_not_carried_and_the_log_says_why(bench: Bench) -> None:
    bench.session(spoken(2, 5, "phone-1", 0))

    assert bench.voice() == ["Join"]
    assert [note.fields["why"] for note in bench.all(Note) if note.text == "burst not relayed"] == [
        "the session gives no Agora uid for it"
    ]


def test_a_phone_whose_presence_comes_after_the_session_is_carried_from_then_on() -> None:
    bench = Bench()
    bench.give(FromWorker(event=Hello(pid=9, transport="mqtt")), LinkUp(), TokenCame(grant=grant()))
    bench.session(by_phone(2, 5))
    early = bench.core.way

    bench.give(GotPresence(user="phone-1", presence=phone()))

    assert early is None
    assert bench.core.way is not None
    assert bench.core.way.direction is Direction.FROM_AGORA


def test_the_way_of_a_burst_stays_whatever_becomes_of_its_speakers_presence(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.look()

    bench.give(GotPresence(user="phone-1", presence=replace(phone(), state=PresenceState.LOST, voice=VoicePath.MQTT)))
    bench.give(GotPresence(user="phone-1", presence=None))

    assert bench.voice() == []
    assert bench.core.way is not None


def test_a_vehicle_is_carried_as_soon_as_the_first_token_tells_the_bridges_uid() -> None:
    bench = Bench()
    bench.give(FromWorker(event=Hello(pid=9, transport="mqtt")), LinkUp())
    bench.session(idle(1))
    bench.session(by_car(2, 5))
    early = bench.voice()

    bench.give(TokenCame(grant=grant()))

    assert early == ["Join"]
    assert bench.voice() == ["Join", "Play"]


def test_an_older_session_changes_nothing(bench: Bench) -> None:
    bench.session(by_car(7, 5))
    bench.look()

    bench.session(over(6, 5))

    assert bench.voice() == []


# --- ends of a burst --------------------------------------------------------------------------------------------------


def test_a_released_burst_is_played_into_agora_to_its_last_frame(bench: Bench) -> None:
    bench.session(by_car(2, 5))
    bench.look()

    bench.session(over(3, 5, last_seq=41))

    assert bench.every() == [Stop(burst=5, drain=True, last_seq=41)]


@pytest.mark.parametrize("ended", [Ended.LIMIT, Ended.PREEMPTED, Ended.LOST, Ended.CLEANED])
def test_any_other_end_silences_agora_at_once(bench: Bench, ended: Ended) -> None:
    bench.session(by_car(2, 5))
    bench.look()

    bench.session(over(3, 5, ended))

    assert bench.every() == [Stop(burst=5, drain=False)]


@pytest.mark.parametrize("ended", [ended for ended in Ended if ended is not Ended.SUPERSEDED])
def test_nothing_of_a_phones_burst_is_sent_once_its_end_is_known(bench: Bench, ended: Ended) -> None:
    bench.session(by_phone(2, 5))
    [arm] = bench.commands(Arm)
    bench.look()

    bench.session(over(3, 5, ended))
    bench.pass_time(2.0)

    assert bench.commands(Mute, Transmit, Arm) == [Mute(request_id=arm.request_id)]


def test_a_preempted_vehicle_is_cut_before_the_phone_that_preempts_it_is_carried(bench: Bench) -> None:
    bench.session(by_car(2, 5))
    bench.look()

    bench.session(by_phone(3, 6))

    assert bench.voice() == ["Stop", "Arm", "Transmit"]
    assert bench.commands(Stop) == [Stop(burst=5, drain=False)]


def test_a_preempted_phone_is_muted_before_the_vehicle_that_preempts_it_is_carried(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.look()

    bench.session(by_car(3, 6))

    assert bench.voice() == ["Mute", "Play"]


def test_requests_of_the_worker_rise_from_burst_to_burst(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.session(over(3, 5))
    bench.session(by_phone(4, 6))

    first, second = bench.commands(Arm)
    assert first.request_id < second.request_id


# --- the channel ------------------------------------------------------------------------------------------------------


def test_the_channel_is_joined_for_a_session_and_left_after_its_end(bench: Bench) -> None:
    bench.session(by_car(2, 5))
    bench.session(over(3, 5))
    bench.look()

    bench.session(idle(4, 5))
    at_the_end = bench.commands(Leave)
    bench.pass_time(LEAVE_AFTER_S)

    assert at_the_end == []
    assert bench.commands(Leave) == [Leave()]


def test_a_session_that_begins_before_the_channel_was_left_keeps_it(bench: Bench) -> None:
    bench.session(by_car(2, 5))
    bench.session(idle(3, 5))
    bench.look()

    bench.session(replace(by_car(4, 6), event_id="e2"))
    bench.pass_time(2 * LEAVE_AFTER_S)

    assert bench.commands(Join, Leave) == [Join(event_id="e2", channel=CHANNEL)]


def test_no_channel_is_joined_while_nobody_talks(bench: Bench) -> None:
    bench.pass_time(3600.0)

    assert bench.commands(Join, Arm, Play, Transmit) == []


# --- the broker is lost -----------------------------------------------------------------------------------------------


def test_without_the_broker_a_phone_is_held_at_once_and_taken_up_again_in_the_same_burst(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    [arm] = bench.commands(Arm)
    bench.look()

    bench.give(LinkDown(reason="gone"))
    bench.pass_time(1.0)
    without = bench.voice()
    bench.give(LinkUp())
    bench.look()
    bench.session(by_phone(2, 5))

    assert without == ["Hold"]
    assert bench.every() == [Transmit(request_id=arm.request_id, burst=5, as_user="phone-1", from_seq=0)]


def test_without_the_broker_a_vehicles_permission_is_not_renewed(bench: Bench) -> None:
    bench.session(by_car(2, 5))
    bench.look()

    bench.give(LinkDown(reason="gone"))
    bench.pass_time(BLIND_S / 2)

    assert bench.commands(Play) == []
    assert bench.core.way is None


def test_a_burst_that_ended_while_the_broker_was_away_is_ended_when_it_is_back(bench: Bench) -> None:
    bench.session(by_car(2, 5))
    bench.give(LinkDown(reason="gone"), LinkUp())
    bench.look()

    bench.session(idle(9, 8))

    assert bench.commands(Stop, Play) == [Stop(burst=5, drain=False)]


def test_nothing_is_carried_before_the_session_is_known_again(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.give(LinkDown(reason="gone"))
    bench.pass_time(BLIND_S + 1)
    bench.give(LinkUp())
    bench.look()

    bench.give(GotPresence(user="phone-1", presence=phone()))
    bench.pass_time(5.0)

    assert bench.commands(Transmit, Arm, Play, Join) == []


def test_the_channel_is_left_when_the_broker_stays_away(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.look()

    bench.give(LinkDown(reason="gone"))
    bench.pass_time(BLIND_S + 0.1)

    assert bench.voice() == ["Hold", "Mute", "Leave"]


def test_a_short_loss_of_the_broker_leaves_the_channel_joined(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.give(LinkDown(reason="gone"))
    bench.pass_time(2.0)
    bench.give(LinkUp())
    bench.session(over(3, 5))
    bench.look()

    bench.pass_time(BLIND_S + 1)

    assert bench.commands(Join, Leave) == []


# --- starts half-way --------------------------------------------------------------------------------------------------


def test_a_bridge_that_starts_in_mid_burst_numbers_frames_above_all_that_were_sent_before() -> None:
    bench = ready()

    bench.session(by_phone(2, 5))

    [transmit] = bench.commands(Transmit)
    assert transmit.from_seq == bench.wall_ms // SEQ_MS % (1 << 27)
    later = ready()
    later.now += 1.0
    later.session(by_phone(2, 5))
    [again] = later.commands(Transmit)
    assert again.from_seq - transmit.from_seq == round(1000 / SEQ_MS)


def test_the_next_burst_is_numbered_from_zero_again() -> None:
    bench = ready()
    bench.session(by_phone(2, 5))
    bench.session(over(3, 5))
    bench.look()

    bench.session(by_phone(4, 6))

    assert [t.from_seq for t in bench.commands(Transmit)] == [0]


def test_a_worker_that_dies_in_mid_burst_is_restarted_and_takes_the_burst_up(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    [first] = bench.commands(Arm)
    bench.look()

    bench.give(WorkerGone(reason="SIGSEGV"))
    carried = bench.core.way
    bench.pass_time(1.0)
    bench.give(FromWorker(event=Hello(pid=10, transport="mqtt")))

    assert carried is None
    assert len(bench.all(StartWorker)) == 1
    assert [type(c).__name__ for c in bench.commands(Token, Join, Arm, Transmit)] == [
        "Token",
        "Join",
        "Arm",
        "Transmit",
    ]
    [second], [transmit] = bench.commands(Arm), bench.commands(Transmit)
    assert second.request_id > first.request_id
    assert transmit.from_seq > 0


def test_nothing_is_said_to_a_worker_that_is_gone(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.give(WorkerGone(reason="SIGSEGV"))
    bench.look()

    bench.session(over(3, 5))
    bench.session(by_car(4, 6))

    assert bench.voice() == []


# --- several bridges --------------------------------------------------------------------------------------------------


def test_of_two_bridges_only_the_first_by_id_carries_a_phone() -> None:
    first, second = ready("bridge-1"), ready("bridge-2")
    first.give(GotPresence(user="bridge-2", presence=bridge()))
    second.give(GotPresence(user="bridge-1", presence=bridge()))

    for bench in (first, second):
        bench.session(idle(1, 4))
        bench.session(by_phone(2, 5))

    assert first.voice() == ["Join", "Arm", "Transmit"]
    assert second.voice() == ["Join"]


def test_the_second_bridge_takes_the_burst_up_when_the_first_is_lost() -> None:
    bench = ready("bridge-2")
    bench.give(GotPresence(user="bridge-1", presence=bridge()))
    bench.session(idle(1, 4))
    bench.session(by_phone(2, 5))
    bench.look()

    bench.give(GotPresence(user="bridge-1", presence=bridge(PresenceState.LOST)))

    [transmit] = bench.commands(Transmit)
    assert transmit.from_seq > 0


def test_a_second_bridge_is_silent_as_soon_as_the_first_one_is_back() -> None:
    bench = ready("bridge-2")
    bench.session(idle(1, 4))
    bench.session(by_phone(2, 5))
    bench.look()

    bench.give(GotPresence(user="bridge-1", presence=bridge()))
    bench.pass_time(1.0)

    assert bench.voice() == ["Mute"]


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_the_first_token_is_fetched_at_the_start_and_renewed_well_before_it_runs_out() -> None:
    bench = Bench()
    asked_at_start = len(bench.all(FetchToken))
    bench.give(FromWorker(event=Hello(pid=9, transport="mqtt")), TokenCame(grant=grant(expires_in_s=1000)))
    bench.look()

    bench.pass_time(590.0)
    before = bench.all(FetchToken)
    bench.pass_time(210.0)

    assert asked_at_start == 1
    assert before == []
    assert len(bench.all(FetchToken)) == 1


def test_the_token_is_given_to_the_worker_with_what_is_left_of_its_life(bench: Bench) -> None:
    bench.pass_time(100.0)
    bench.give(WorkerGone(reason="x"))
    bench.pass_time(1.0)
    bench.look()

    bench.give(FromWorker(event=Hello(pid=9, transport="mqtt")))

    [token] = bench.commands(Token)
    assert token.expires_in_s == pytest.approx(3600 - 101)


def test_a_token_that_ran_out_is_not_given_to_the_worker() -> None:
    bench = Bench()
    bench.give(TokenCame(grant=grant(expires_in_s=60)))
    bench.give(TokenFailed(reason="down"))
    bench.now += 61.0
    bench.look()

    bench.give(FromWorker(event=Hello(pid=9, transport="mqtt")))

    assert bench.commands(Token) == []


def test_a_refused_request_is_repeated_ever_more_seldom_and_told_as_an_alert_that_clears(bench: Bench) -> None:
    bench.give(TokenFailed(reason="refused (revoked)"))
    raised = bench.alerts()
    waits = []
    for _ in range(12):
        due, bench.done = bench.now, []
        while not bench.all(FetchToken):
            bench.pass_time(0.5)
        waits.append(bench.now - due)
        bench.give(TokenFailed(reason="refused (revoked)"))
    bench.look()
    bench.give(TokenCame(grant=grant()))

    assert "refused (revoked)" in str(raised["agora-token"])
    assert waits[0] <= 1.0
    assert waits == sorted(waits)
    assert 30.0 <= waits[-1] <= 60.5
    assert bench.alerts() == {"agora-token": None}


def test_the_services_own_wish_to_wait_is_followed(bench: Bench) -> None:
    bench.give(TokenFailed(reason="too many", retry_after_s=30.0))
    bench.look()

    bench.pass_time(29.0)
    before = bench.all(FetchToken)
    bench.pass_time(1.5)

    assert before == []
    assert len(bench.all(FetchToken)) == 1


def test_the_workers_wish_for_a_token_is_followed_and_cannot_drive_a_storm(bench: Bench) -> None:
    fetched = 0
    for _ in range(500):
        bench.give(FromWorker(event=TokenWanted(channel=CHANNEL, why="refused")))
        bench.pass_time(0.01)
        for _ in bench.all(FetchToken):
            fetched += 1
            bench.look()
            bench.give(TokenCame(grant=grant()))

    assert 4 <= fetched <= 6


def test_a_token_that_cannot_publish_is_told_as_an_alert(bench: Bench) -> None:
    bench.give(TokenCame(grant=grant(publisher=False)))

    assert "role bridge" in str(bench.alerts()["agora-token"])


# --- a user of the office ---------------------------------------------------------------------------------------------


def test_it_is_present_as_a_bridge_and_never_in_a_channel(bench: Bench) -> None:
    fresh = Bench()
    [dial] = fresh.all(Dial)
    fresh.give(FromWorker(event=Hello(pid=9, transport="mqtt")), LinkUp(), TokenCame(grant=grant()))
    fresh.session(by_phone(2, 5))
    fresh.pass_time(2.0)

    [said] = fresh.presences()
    assert (said.state, said.app_type, said.in_channel) == (PresenceState.ONLINE, AppType.BRIDGE, None)
    assert (dial.will.state, dial.will.presence_no) == (PresenceState.LOST, JSON_INT_MAX)
    assert dial.will.connection_id == said.connection_id == (0, 50, 1)


def test_it_never_asks_for_the_floor(bench: Bench) -> None:
    for rev in range(2, 40, 2):
        bench.session(by_phone(rev, rev))
        bench.session(over(rev + 1, rev))
        bench.pass_time(1.0)

    assert {effect.kind for effect in bench.all(Publish)} <= {Kind.PRESENCE, Kind.HEARTBEAT, Kind.ALERT}


def test_it_beats_and_repeats_a_beat_that_was_not_acknowledged(bench: Bench) -> None:
    bench.pass_time(0.75 * HEARTBEAT_S)
    first = bench.beats()
    bench.look()
    bench.pass_time(HEARTBEAT_ACK_S + HEARTBEAT_RETRY_S)
    repeated = bench.beats()
    bench.look()
    bench.give(Acked(token=repeated[0].token or 0))
    bench.pass_time(HEARTBEAT_S - 0.1)

    assert len(first) == len(repeated) == 1
    assert bench.beats() == []


def test_a_dead_presence_of_an_earlier_run_is_replaced(bench: Bench) -> None:
    lost = replace(bridge(PresenceState.LOST), connection_id=(0, 40, 3), presence_no=JSON_INT_MAX)

    bench.give(GotPresence(user="bridge-1", presence=lost))
    bench.pass_time(CORRECT_S)

    assert [p.state for p in bench.presences()] == [PresenceState.ONLINE]


def test_its_own_presence_coming_back_is_left_alone(bench: Bench) -> None:
    fresh = Bench()
    fresh.give(LinkUp())
    [said] = fresh.presences()
    fresh.look()

    fresh.give(GotPresence(user="bridge-1", presence=said))
    fresh.pass_time(5.0)

    assert fresh.presences() == []


def test_somebody_who_keeps_contradicting_its_presence_is_answered_ever_more_seldom(bench: Bench) -> None:
    refused = replace(bridge(PresenceState.OFFLINE), connection_id=(0, 50, 1))
    for _ in range(600):
        bench.give(GotPresence(user="bridge-1", presence=refused))
        bench.pass_time(1.0)

    assert 6 <= len(bench.presences()) <= 16


def test_a_presence_of_another_enrolment_is_told_and_not_fought(bench: Bench) -> None:
    other = replace(bridge(), connection_id=(3, 1, 1))

    for _ in range(10):
        bench.give(GotPresence(user="bridge-1", presence=other))
        bench.pass_time(1.0)

    assert bench.all(HangUp) == []
    assert bench.presences() == []
    assert len([note for note in bench.all(Note) if "another enrolment" in note.text]) == 1


def test_a_clock_that_was_set_back_is_outdone_by_a_connection_above_the_known_one(bench: Bench) -> None:
    newer = replace(bridge(PresenceState.LOST), connection_id=(0, 5000, 2), presence_no=JSON_INT_MAX)

    bench.give(GotPresence(user="bridge-1", presence=newer))
    hung_up = bench.all(HangUp)
    bench.give(LinkDown(reason="dialling anew"))
    bench.pass_time(5.0)

    assert len(hung_up) == 1
    [dial] = bench.all(Dial)
    assert dial.will.connection_id > newer.connection_id


def test_alerts_of_an_earlier_run_are_cleared_at_the_first_connection() -> None:
    bench = Bench()

    bench.give(LinkUp())

    assert bench.alerts() == {"agora": None, "agora-token": None, "voice-worker": None}


@pytest.mark.parametrize("state", [AgoraState.LOST, AgoraState.REFUSED, AgoraState.UNUSABLE])
def test_trouble_with_agora_is_an_alert_that_clears(bench: Bench, state: AgoraState) -> None:
    bench.give(FromWorker(event=Agora(state=state, detail="why it is so")))
    raised = bench.alerts()
    status = bench.core.status
    bench.look()

    bench.give(FromWorker(event=Agora(state=AgoraState.JOINED, join_ms=300)))

    assert "why it is so" in str(raised["agora"])
    assert "why it is so" in status
    assert bench.alerts() == {"agora": None}


def test_a_worker_that_answers_no_ping_is_killed(bench: Bench) -> None:
    bench.give(FromWorker(event=Pong(no=1, link=True, capture=True, playback=True)))
    bench.look()

    bench.pass_time(4.5)

    assert len(bench.all(KillWorker)) == 1


def test_an_orderly_end_silences_both_sides_and_says_goodbye(bench: Bench) -> None:
    bench.session(by_phone(2, 5))
    bench.look()

    bench.give(Shutdown())

    assert bench.voice() == ["Mute"]
    assert bench.every()[-1] == Quit()
    assert [p.state for p in bench.presences()] == [PresenceState.OFFLINE]
    assert bench.core.next_deadline() is None
