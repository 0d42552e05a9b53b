"""Members come, join, leave, fall silent; the sweep behind them finds nothing in normal running."""

import pytest
from msgspec.structs import replace

from dispatch.core import office
from dispatch.core.state import FloorState, Member, OfficeRules
from protocol.codec import decode, encode
from protocol.ids import JSON_INT_MAX
from protocol.messages import Alert, AppType, DenyCause, Ended, EventType, FloorGranted, Presence, PresenceState, Roster
from protocol.timers import PARTICIPANT_EXPIRE_S
from protocol.topics import Kind
from tests.core.dispatch_bench import HQ, Bench, denied, one

ONLINE, SLEEPING, OFFLINE, LOST = PresenceState
CHANNEL = (EventType.USER_JOINED, EventType.USER_LEFT)


def corrections(bench: Bench, user: str) -> list[Presence]:
    """Presences that the server published in the member's name."""
    return [p.message for p in bench.published if p.kind is Kind.PRESENCE and p.ids == (user,)]  # type: ignore[misc]


def test_a_presence_is_kept_with_all_it_says() -> None:
    bench = Bench()

    bench.presence(
        "car-1", 1, name="김기사", device_info="Pi 5", joined_at=7, app_type=AppType.CALL_MANAGER, in_channel="e"
    )

    kept = bench.member("car-1")
    assert (kept.state, kept.name, kept.device_info, kept.joined_at, kept.app_type, kept.in_channel) == (
        ONLINE,
        "김기사",
        "Pi 5",
        7,
        AppType.CALL_MANAGER,
        "e",
    )


@pytest.mark.parametrize(
    ("boot", "number"),
    [(2, 5), (2, 4), (1, 9)],
    ids=["the same", "an older of the connection", "an older connection's"],
)
def test_a_presence_that_is_not_newer_changes_nothing(boot: int, number: int) -> None:
    bench = Bench()
    bench.presence("car-1", 5, boot=2, in_channel="e")
    before = bench.member("car-1")

    bench.presence("car-1", number, OFFLINE, boot=boot)

    assert bench.member("car-1") == before


def test_a_stale_online_that_the_broker_restored_is_corrected() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.presence("car-1", 2, OFFLINE)

    bench.presence("car-1", 1)

    [corrected] = corrections(bench, "car-1")
    assert (corrected.state, corrected.presence_no) == (OFFLINE, 2)


def test_a_new_card_that_counts_from_where_a_known_connection_was_is_told_how_far_that_came() -> None:
    bench = Bench()
    bench.presence("car-1", 4, in_channel="e")

    bench.presence("car-1", 1)
    [told] = corrections(bench, "car-1")
    bench.presence("car-1", 5)

    assert (told.state, told.presence_no) == (ONLINE, 4)
    assert bench.member("car-1").in_channel is None


def test_a_new_card_that_counts_from_below_a_connection_said_to_live_is_told_of_that() -> None:
    """A killed broker restored an older presence, which the unit took for the newest there is."""
    bench = Bench()
    bench.presence("car-1", 2, boot=6, in_channel="e")

    bench.presence("car-1", 1, boot=1)
    [told] = corrections(bench, "car-1")
    bench.presence("car-1", 1, boot=7)

    assert (told.state, told.connection_id, told.presence_no) == (ONLINE, (1, 6, 1), 2)
    assert bench.member("car-1").in_channel is None


@pytest.mark.parametrize(
    "said",
    [
        Presence(state=LOST, connection_id=(1, 5, 1), presence_no=9),
        Presence(state=ONLINE, connection_id=(0, 9, 1), presence_no=9),
    ],
    ids=["an old will", "an earlier enrolment"],
)
def test_no_new_card_is_supposed_behind_an_old_will_or_an_earlier_enrolment(said: Presence) -> None:
    bench = Bench()
    bench.presence("car-1", 2, boot=6)
    before = bench.member("car-1")

    bench.hear("car-1", said, Kind.PRESENCE)
    bench.advance(1)

    assert corrections(bench, "car-1") == []
    assert bench.member("car-1") == before


def test_a_living_word_that_crossed_the_server_s_own_of_the_same_number_is_answered_with_it() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.advance(171)
    [lost] = corrections(bench, "car-1")

    bench.presence("car-1", lost.presence_no)
    bench.presence("car-1", lost.presence_no + 1)

    assert corrections(bench, "car-1") == [lost, lost]
    assert bench.member("car-1").state is ONLINE


def test_the_servers_own_correction_coming_back_changes_nothing_and_is_not_repeated() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.advance(171)
    [corrected] = corrections(bench, "car-1")

    bench.hear("car-1", corrected, Kind.PRESENCE)
    bench.advance(5)

    assert len(corrections(bench, "car-1")) == 1
    assert bench.member("car-1").presence() == corrected


def test_joining_and_leaving_the_channel_are_events_of_that_session() -> None:
    bench = Bench()

    bench.presence("car-1", 1, in_channel="one")
    bench.presence("car-1", 2, in_channel="two")
    bench.presence("car-1", 3)
    bench.presence("car-1", 4, in_channel="two")
    bench.presence("car-1", 5, LOST, reason="will")

    told = [(e.event, e.event_id, e.metadata.get("reason")) for e in bench.events(*CHANNEL)]
    assert told == [
        (EventType.USER_JOINED, "one", None),
        (EventType.USER_LEFT, "one", "left"),
        (EventType.USER_JOINED, "two", None),
        (EventType.USER_LEFT, "two", "left"),
        (EventType.USER_JOINED, "two", None),
        (EventType.USER_LEFT, "two", "will"),
    ]


def test_an_office_s_name_for_a_member_wins_over_its_own() -> None:
    bench = Bench(OfficeRules(names={"car-1": "김기사"}))

    bench.presence("car-1", 1, name="kim", in_channel="e")

    assert [e.name for e in bench.events(EventType.USER_JOINED)] == ["김기사"]


@pytest.mark.parametrize("boot", [1, 3])
def test_a_heartbeat_of_another_connection_keeps_nobody_alive(boot: int) -> None:
    bench = Bench()
    bench.presence("car-1", 1, boot=2)

    bench.advance(100)
    bench.beat("car-1", 1, boot=boot)
    bench.advance(71)

    assert bench.member("car-1").state is LOST


def test_a_new_presence_is_a_sign_of_life_too() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.advance(100)

    bench.presence("car-1", 2)
    bench.advance(160)

    assert bench.member("car-1").state is ONLINE


def test_a_heartbeat_does_not_raise_the_dead() -> None:
    bench = Bench()
    bench.presence("car-1", 1)
    bench.presence("car-1", 2, OFFLINE)

    bench.beat("car-1", 1)

    assert bench.member("car-1").state is OFFLINE


def test_what_is_said_of_the_dead_stays_readable_at_the_end_of_the_numbers() -> None:
    bench = Bench()
    bench.presence("car-1", JSON_INT_MAX)

    bench.advance(PARTICIPANT_EXPIRE_S + 1)

    [gone] = corrections(bench, "car-1")
    assert decode(encode(gone), Kind.PRESENCE) == gone
    assert gone.state is LOST


def test_joins_do_not_change_the_session() -> None:
    bench = Bench()
    bench.take("car-1", 1)
    rev = bench.floor.rev

    for number in range(20):
        bench.hear(f"car-{number}", online(1, in_channel="e"), Kind.PRESENCE)
    bench.advance(0.1)

    assert bench.floor.rev == rev
    assert len(bench.events(EventType.USER_JOINED)) == 20


def online(number: int, **more: object) -> Presence:
    return Presence(state=ONLINE, connection_id=(1, 1, 1), presence_no=number, **more)  # type: ignore[arg-type]


def test_signs_of_life_wait_for_their_batch_and_floor_messages_do_not_wait_for_them() -> None:
    bench = Bench()
    for number in range(100):
        bench.hear(f"car-{number}", online(1), Kind.PRESENCE)

    answers = bench.request("car-0", 1)

    assert answers
    assert bench.store.transact(HQ, lambda tx: len(tx.members()), durable=False) == 1
    bench.advance(0.05)
    assert bench.store.transact(HQ, lambda tx: len(tx.members()), durable=False) == 100


def test_signs_of_life_survive_a_store_that_is_away() -> None:
    bench = Bench()
    bench.store.away = True
    bench.presence("car-1", 1)
    bench.advance(3)

    bench.store.away = False
    bench.advance(3)

    assert bench.member("car-1").state is ONLINE


def test_the_roster_counts_those_in_the_running_session_and_comes_once_a_second_at_most() -> None:
    bench = Bench()
    bench.take("car-0", 1)
    event_id = bench.floor.event_id
    mark = len(bench.sent(Roster))

    for number in range(1, 11):
        bench.presence(f"car-{number}", 1, in_channel=event_id if number % 2 else "another")
        bench.advance(0.1)
    bench.advance(2)

    rosters = bench.sent(Roster)[mark:]
    assert len(rosters) <= 4
    assert rosters[-1].participants == 5
    assert [m.user for m in rosters[-1].members] == sorted(f"car-{n}" for n in range(1, 11))


# --- the sweep ------------------------------------------------------------------------------------------------------


def test_a_heartbeat_of_somebody_never_heard_of_makes_no_member() -> None:
    bench = Bench()

    bench.beat("car-9", 1)
    bench.advance(1.5)

    assert [m.user for roster in bench.sent(Roster) for m in roster.members] == []


def test_members_are_bounded_and_one_too_many_is_answered_and_told_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given an office that is full
    monkeypatch.setattr(office, "MEMBERS_MAX", 2)
    bench = Bench()
    bench.presence("car-1", 1)
    bench.take("car-2", 1)

    # when one more comes
    bench.presence("car-3", 1)
    answer = denied(bench.request("car-3", 1))

    # then it is told so, and those who were there go on
    bench.advance(1.5)
    assert answer.cause is DenyCause.NO_RESOURCES
    assert "car-3" not in [m.user for m in bench.sent(Roster)[-1].members]
    assert bench.store.transact(HQ, lambda tx: tx.member("car-3"), durable=False) is None
    assert one(FloorGranted, bench.request("car-2", 2))
    assert bench.office.discarded == 2


def test_the_sweep_finds_nothing_in_ten_minutes_of_normal_running() -> None:
    bench = Bench()
    for car in ("car-1", "car-2", "car-3"):
        bench.presence(car, 1)
    bench.presence("car-3", 2, OFFLINE)

    for minute in range(1, 11):
        burst = bench.take("car-1", minute)
        bench.talk("car-1", burst, 20)
        bench.release("car-1", minute)
        bench.advance(40)
        bench.beat("car-1", minute)
        bench.beat("car-2", minute)

    assert bench.office.cleaned == 0
    assert bench.events(EventType.CLEANED) == []


def blind(bench: Bench) -> None:
    """Take the judge's sight: what it should end then stands still, for the sweep to find."""
    judge = bench.office._judge
    judge.due = lambda behind_s=0.0: ()  # type: ignore[method-assign]


def test_a_floor_that_nobody_freed_is_cleaned_with_its_reason() -> None:
    bench = Bench()
    blind(bench)
    burst = bench.take("car-1", 1)

    bench.advance(250)

    assert (bench.floor.state, bench.floor.ended) == (FloorState.IDLE, Ended.CLEANED)
    [cleaned] = bench.events(EventType.CLEANED)[:1]
    assert cleaned.metadata == {"reason": "stale_floor", "burst": burst}
    assert bench.office.cleaned >= 1


def test_a_session_that_nobody_ended_is_cleaned_with_its_reason() -> None:
    bench = Bench()
    blind(bench)
    bench.take("car-1", 1)
    bench.release("car-1", 1)

    bench.advance(250)

    assert not bench.floor.active
    assert [e.metadata["reason"] for e in bench.events(EventType.CLEANED)] == ["stale_session"]
    assert [e.metadata["reason"] for e in bench.events(EventType.SESSION_ENDED)] == ["cleaned"]


def test_a_member_planted_in_the_store_is_cleaned_with_its_reason() -> None:
    bench = Bench()
    blind(bench)
    bench.plant(member=Member(user="ghost", state=ONLINE, connection_id=(1, 1, 1), presence_no=1, in_channel="e"))

    bench.advance(370)

    ghost = bench.member("ghost")
    assert (ghost.state, ghost.reason, ghost.in_channel) == (LOST, "cleaned: stale_participant", None)
    assert [p.state for p in corrections(bench, "ghost")] == [LOST]


def test_a_member_that_gives_signs_of_life_is_not_cleaned() -> None:
    bench = Bench()
    blind(bench)
    bench.presence("car-1", 1)

    for minute in range(1, 10):
        bench.advance(60)
        bench.beat("car-1", minute)

    assert bench.member("car-1").state is ONLINE


def test_a_sweep_that_meets_a_store_away_is_made_up_for() -> None:
    bench = Bench()
    blind(bench)
    bench.plant(member=Member(user="ghost", state=ONLINE))
    bench.advance(119)
    bench.store.away = True
    bench.advance(30)
    bench.store.away = False

    bench.advance(300)

    assert bench.member("ghost").state is LOST
    assert [a.alert for a in bench.sent(Alert)] == ["store-unavailable"]


def test_a_floor_planted_as_held_is_freed_by_the_judge_itself() -> None:
    bench = Bench()
    bench.plant(floor=replace(bench.floor, state=FloorState.TAKEN, burst=bench.floor.next_burst(), holder="ghost"))

    bench.advance(6)

    assert bench.floor.holder is None
    assert bench.office.cleaned == 0
