"""The Agora bridge's core: which way a burst is carried, and that nothing of it is carried after its end is known."""

import pytest
from msgspec.structs import replace

from dispatch.bridge.core.relay import LEAVE_AFTER_S, Direction
from dispatch.bridge.core.words import (
    FromWorker,
    GotPresence,
    LinkUp,
    Note,
    TokenCame,
)
from protocol.messages import (
    Ended,
    PresenceState,
    VoicePath,
)
from protocol.timers import TRANSMIT_REPEAT_S
from protocol.worker import (
    Arm,
    Hello,
    Join,
    Leave,
    Mute,
    Play,
    Stop,
    Transmit,
)
from tests.core.bridge_core_rig import (
    CAR_UID,
    CHANNEL,
    PHONE_UID,
    Bench,
    by_car,
    by_phone,
    car,
    grant,
    idle,
    over,
    phone,
    ready,
    spoken,
)


@pytest.fixture
def bench() -> Bench:
    """A bridge with worker, connection and token, in an office where nobody speaks."""
    bench = ready()
    bench.session(idle(1, burst=4))
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
