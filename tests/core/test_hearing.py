"""Who heard a burst: what listeners report, what the server makes of it, and what the speaker and the log are told."""

import msgspec
import pytest

from dispatch.core.hearing import MISSING_MAX, UNCOUNTED_MAX
from dispatch.core.state import FloorRules, OfficeRules, rules_of
from dispatch.core.turn import Publish
from dispatch.store.tx import read_floor
from protocol.messages import (
    AppType,
    BurstPlayed,
    EventType,
    FloorDeny,
    FloorGranted,
    FloorHeard,
    Presence,
    PresenceState,
    Priority,
    Session,
)
from protocol.timers import HEARD_EARLIEST_S, HEARD_WAIT_S
from protocol.topics import Kind
from tests.core.dispatch_bench import HQ, Bench, MoodyStore, denied, one

LAST = 99


def played(bench: Bench, user: str, burst: int, frames: int = LAST + 1, concealed: int = 0, boot: int = 1) -> None:
    """A listener reports, and its batch is committed."""
    report = BurstPlayed(connection_id=(1, boot, 1), burst=burst, frames=frames, concealed=concealed)
    bench.hear(user, report, Kind.HEARTBEAT)
    bench.advance(0.05)


def office(*listeners: str, **rules: object) -> tuple[Bench, int]:
    """An office in which car-1 speaks, and the listeners are in the channel."""
    bench = Bench(rules_of(FloorRules(**rules)))  # type: ignore[arg-type]
    burst = bench.take("car-1", 1)
    event_id = bench.floor.event_id
    for user in ("car-1", *listeners):
        bench.presence(user, 1, in_channel=event_id)
    bench.talk("car-1", burst, 2)
    return bench, burst


def heard(bench: Bench) -> list[tuple[int, int, int]]:
    return [(m.burst, m.heard_by, m.heard_of) for m in bench.sent(FloorHeard, to="car-1")]


def test_when_all_have_answered_the_speaker_is_told_at_once() -> None:
    bench, burst = office("car-2", "car-3")
    bench.release("car-1", 1, LAST)
    played(bench, "car-2", burst)
    assert heard(bench) == []
    played(bench, "car-3", burst)
    assert heard(bench) == [(burst, 2, 2)]
    [event] = bench.events(EventType.BURST_HEARD)
    assert (event.user, event.metadata) == (
        "car-1",
        {"burst": burst, "heard_by": 2, "heard_of": 2, "missing": []},
    )


def test_who_does_not_answer_within_four_seconds_is_counted_as_missing() -> None:
    bench, burst = office("car-2", "car-3", "car-4")
    bench.release("car-1", 1, LAST)
    played(bench, "car-3", burst)
    bench.advance(HEARD_WAIT_S - 0.3)
    assert heard(bench) == []
    bench.advance(0.4)
    assert heard(bench) == [(burst, 1, 3)]
    assert bench.events(EventType.BURST_HEARD)[0].metadata["missing"] == ["car-2", "car-4"]


@pytest.mark.parametrize(
    ("frames", "concealed", "by"),
    [(100, 0, 1), (50, 50, 1), (49, 51, 0), (50, 0, 1), (49, 0, 0), (0, 100, 0)],
)
def test_a_burst_is_heard_where_half_of_its_frames_were_played_as_they_were_sent(
    frames: int, concealed: int, by: int
) -> None:
    bench, burst = office("car-2")
    bench.release("car-1", 1, LAST)
    played(bench, "car-2", burst, frames, concealed)
    assert heard(bench) == [(burst, by, 1)]


def test_of_a_burst_that_was_cut_off_the_listener_itself_knows_how_much_there_was() -> None:
    bench, burst = office("car-2", "car-3", hang_s=30.0)
    bench.advance(4.0)
    assert bench.floor.ended == "lost"
    played(bench, "car-2", burst, 30, 30)
    played(bench, "car-3", burst, 29, 31)
    assert heard(bench) == [(burst, 1, 2)]


def test_of_a_burst_that_was_cut_off_and_nobody_reports_nothing_is_told() -> None:
    bench, _ = office("car-2", hang_s=30.0)
    bench.advance(20.0)
    assert (heard(bench), bench.events(EventType.BURST_HEARD), bench.floor.uncounted) == ([], [], ())


@pytest.mark.parametrize("last_seq", [None, 0, 8])
def test_a_burst_without_voice_worth_the_name_asks_nobody(last_seq: int | None) -> None:
    bench, _ = office("car-2", hang_s=30.0)
    bench.release("car-1", 1, last_seq)
    bench.advance(10.0)
    assert heard(bench) == []


def test_where_nobody_was_there_the_speaker_learns_that_and_the_log_does_not() -> None:
    bench, burst = office(hang_s=30.0)
    bench.release("car-1", 1, LAST)
    bench.advance(5.0)
    assert heard(bench) == [(burst, 0, 0)]
    assert bench.events(EventType.BURST_HEARD) == []


def test_listen_only_members_count_monitors_bridges_and_the_speaker_do_not() -> None:
    bench, burst = office("car-2", listen_only=("car-2",), hang_s=30.0)
    event_id = bench.floor.event_id
    bench.presence("desk", 1, in_channel=event_id, app_type=AppType.MONITOR)
    bench.presence("bridge", 1, in_channel=event_id, app_type=AppType.BRIDGE)
    bench.release("car-1", 1, LAST)
    for user in ("car-1", "desk", "bridge", "car-2"):
        played(bench, user, burst)
    assert heard(bench) == [(burst, 1, 1)]


def test_who_is_online_and_not_in_the_channel_is_waited_for_a_moment_and_counts_if_it_played() -> None:
    bench, burst = office("car-2", hang_s=30.0)
    bench.presence("car-3", 2)
    bench.presence("car-4", 1)
    bench.release("car-1", 1, LAST)
    played(bench, "car-2", burst)
    played(bench, "car-3", burst)
    assert heard(bench) == []
    bench.advance(HEARD_EARLIEST_S)
    assert heard(bench) == [(burst, 2, 2)]


def test_who_was_out_of_the_channel_at_its_end_and_reports_too_little_was_there_and_did_not_hear() -> None:
    # given two listeners, of whom one lost its voice worker half-way
    bench, burst = office("car-2", "car-3")
    bench.presence("car-3", 2)
    bench.release("car-1", 1, LAST)
    played(bench, "car-2", burst)
    played(bench, "car-3", burst, 40)
    bench.advance(HEARD_WAIT_S)
    # then nobody is told that all who were there heard it
    assert heard(bench) == [(burst, 1, 2)]
    assert bench.events(EventType.BURST_HEARD)[0].metadata["missing"] == ["car-3"]


@pytest.mark.parametrize("boot", [0, 2])
def test_a_report_of_another_connection_counts_for_nothing(boot: int) -> None:
    bench, burst = office("car-2", hang_s=30.0)
    bench.release("car-1", 1, LAST)
    played(bench, "car-2", burst, boot=boot)
    bench.advance(5.0)
    assert heard(bench) == [(burst, 0, 1)]


def test_reports_of_bursts_that_were_never_spoken_or_are_counted_change_nothing() -> None:
    bench, burst = office("car-2", hang_s=30.0)
    bench.release("car-1", 1, LAST)
    played(bench, "car-2", burst)
    before = bench.floor
    for number in (0, burst - 1, burst, burst + 1):
        played(bench, "car-2", number)
        played(bench, "stranger", number)
    assert (bench.floor, heard(bench)) == (before, [(burst, 1, 1)])


def test_a_stranger_that_reports_becomes_no_member() -> None:
    bench, burst = office("car-2", hang_s=30.0)
    bench.release("car-1", 1, LAST)
    played(bench, "stranger", burst)
    assert bench.store.transact(HQ, lambda tx: tx.member("stranger"), durable=False) is None


def test_the_next_burst_may_begin_and_end_while_the_last_is_still_counted() -> None:
    bench, first = office("car-2", "car-3", hang_s=30.0)
    bench.release("car-1", 1, LAST)
    second = bench.take("car-1", 2)
    played(bench, "car-2", first)
    bench.advance(1.0)
    bench.release("car-1", 2, LAST)
    played(bench, "car-2", second)
    played(bench, "car-3", second)
    bench.advance(5.0)
    assert sorted(heard(bench)) == [(first, 1, 2), (second, 2, 2)]


def test_bursts_that_wait_to_be_counted_are_bounded() -> None:
    bench, _ = office("car-2", hang_s=30.0)
    bench.release("car-1", 1, LAST)
    for press in range(2, 8):
        bench.take("car-1", press)
        bench.release("car-1", press, LAST)
    assert len(bench.floor.uncounted) == UNCOUNTED_MAX
    bench.advance(5.0)
    assert len(heard(bench)) == UNCOUNTED_MAX


def test_the_end_of_a_session_says_who_heard_its_last_burst() -> None:
    bench, burst = office("car-2", "car-3")
    bench.release("car-1", 1, LAST)
    played(bench, "car-2", burst)
    bench.advance(10.0)
    last = bench.sent(Session)[-1]
    assert (last.active, last.heard_by, last.heard_of) == (False, 1, 2)
    [ended] = bench.events(EventType.SESSION_ENDED)
    assert (ended.metadata["heard_by"], ended.metadata["heard_of"]) == (1, 2)


def test_while_a_session_goes_on_its_announcements_do_not_change_for_the_count() -> None:
    bench, burst = office("car-2", hang_s=30.0)
    bench.release("car-1", 1, LAST)
    before = len(bench.sent(Session))
    played(bench, "car-2", burst)
    assert heard(bench) == [(burst, 1, 1)]
    assert len(bench.sent(Session)) == before
    assert bench.sent(Session)[-1].heard_by is None


def test_where_the_session_ends_with_its_burst_the_count_follows_in_one_more_announcement() -> None:
    bench, burst = office("car-2", hang_s=0.0)
    bench.release("car-1", 1, LAST)
    ended = bench.sent(Session)[-1]
    played(bench, "car-2", burst)
    counted = bench.sent(Session)[-1]
    assert (ended.active, ended.heard_by) == (False, None)
    assert (counted.active, counted.heard_by, counted.heard_of) == (False, 1, 1)
    assert counted.rev > ended.rev


def test_a_new_session_says_nothing_of_the_last_ones_burst() -> None:
    bench, burst = office("car-2", hang_s=0.0)
    bench.release("car-1", 1, LAST)
    played(bench, "car-2", burst)
    bench.take("car-1", 2)
    assert (bench.sent(Session)[-1].heard_by, bench.sent(Session)[-1].heard_of) == (None, None)


def test_of_two_replicas_one_tells_and_both_saw_every_report() -> None:
    bench, burst = office("car-2", "car-3", hang_s=30.0)
    other = Bench(bench.rules, store=bench.store, now=bench.now)
    burst = other.floor.burst
    bench.release("car-1", 1, LAST)
    for each in (bench, other):
        each.advance(0.6)
    for user in ("car-2", "car-3"):
        played(bench, user, burst)
        played(other, user, burst)
    for each in (bench, other):
        each.advance(5.0)
    assert len(heard(bench)) + len(heard(other)) == 1
    assert [e.metadata["heard_by"] for e in bench.log() if e.event is EventType.BURST_HEARD] == [2]


def test_a_restart_while_it_is_counted_loses_neither_the_burst_nor_who_has_heard_it() -> None:
    bench, burst = office("car-2", "car-3", hang_s=30.0)
    bench.release("car-1", 1, LAST)
    played(bench, "car-2", burst)
    bench.start()
    bench.up()
    bench.advance(5.0)
    assert heard(bench) == [(burst, 1, 2)]


def test_a_store_that_is_away_delays_the_count_and_loses_nothing() -> None:
    bench, burst = office("car-2", hang_s=30.0)
    bench.release("car-1", 1, LAST)
    bench.store.away = True
    played(bench, "car-2", burst)
    bench.advance(3.0)
    assert heard(bench) == []
    bench.store.away = False
    bench.advance(6.0)
    assert heard(bench) == [(burst, 1, 1)]


def test_five_hundred_reports_are_committed_in_batches_and_counted_once() -> None:
    users = [f"car-{n}" for n in range(2, 502)]
    bench, burst = office(hang_s=60.0)
    for user in users:
        there = Presence(
            state=PresenceState.ONLINE, connection_id=(1, 1, 1), presence_no=1, in_channel=bench.floor.event_id
        )
        bench.hear(user, there, Kind.PRESENCE)
    bench.talk("car-1", burst, 1, first_no=9)
    bench.release("car-1", 1, LAST)
    carried = bench.server._store.carried_out
    for user in users[: -MISSING_MAX - 5]:
        bench.hear(user, BurstPlayed(connection_id=(1, 1, 1), burst=burst, frames=100), Kind.HEARTBEAT)
    bench.advance(0.05)
    assert bench.server._store.carried_out - carried < 10
    bench.advance(5.0)
    assert heard(bench) == [(burst, 475, 500)]
    assert bench.events(EventType.BURST_HEARD)[0].metadata["missing"] == sorted(users[-MISSING_MAX - 5 :])[:MISSING_MAX]


def test_a_member_that_left_meanwhile_still_was_there() -> None:
    bench, burst = office("car-2", "car-3", hang_s=30.0)
    bench.release("car-1", 1, LAST)
    bench.presence("car-3", 2, PresenceState.OFFLINE)
    played(bench, "car-2", burst)
    bench.advance(5.0)
    assert heard(bench) == [(burst, 1, 2)]


def test_a_row_that_was_written_before_there_was_a_count_opens_and_serves() -> None:
    bench, burst = office("car-2", hang_s=30.0)
    row = msgspec.json.decode(msgspec.json.encode(bench.floor))
    for name in ("uncounted", "heard", "heard_by", "heard_of"):
        del row[name]
    old = read_floor(msgspec.json.encode(row).decode())
    assert (old.burst, old.uncounted, old.heard) == (burst, (), None)
    bench.plant(floor=old)
    bench.start()
    bench.up()
    bench.presence("car-2", 2, in_channel=bench.floor.event_id)
    bench.renew("car-1", burst, 9)
    bench.release("car-1", 1, LAST)
    played(bench, "car-2", burst)
    assert heard(bench) == [(burst, 1, 1)]


# --- what a denial says -----------------------------------------------------------------------------------------------


def test_a_denial_says_which_priority_the_burst_has_that_is_being_spoken() -> None:
    bench = Bench(OfficeRules(priorities={"car-1": Priority.EMERGENCY}))
    granted = one(FloorGranted, bench.request("car-1", 1, Priority.EMERGENCY))
    bench.renew("car-1", granted.burst, 1)
    assert denied(bench.request("car-2", 1)).priority is Priority.EMERGENCY


def test_a_replica_that_has_not_seen_the_burst_yet_says_the_limit_and_not_what_was_left_of_an_older_one() -> None:
    store = MoodyStore("sqlite://")
    one_replica = Bench(OfficeRules(talk_limit_s=30.0), store=store)
    other = Bench(OfficeRules(talk_limit_s=30.0), store=store)
    old = one_replica.take("car-1", 1)
    other.advance(0.6)
    one_replica.talk("car-1", old, 12)
    other.advance(12.0)
    one_replica.release("car-1", 1, LAST)
    one_replica.take("car-3", 1)
    said = denied(other.request("car-2", 1))
    assert (said.speaker, said.remaining_s) == ("car-3", 30.0)


def test_a_replica_that_has_seen_the_burst_says_what_is_left_of_it_within_its_refresh() -> None:
    store = MoodyStore("sqlite://")
    one_replica = Bench(OfficeRules(talk_limit_s=30.0), store=store)
    other = Bench(OfficeRules(talk_limit_s=30.0), store=store)
    burst = one_replica.take("car-1", 1)
    for number in range(2, 14):
        one_replica.advance(1.0)
        other.advance(1.0)
        one_replica.renew("car-1", burst, number)
    left = [denied(bench.request("car-2", press)).remaining_s for press, bench in ((1, one_replica), (2, other))]
    assert left[0] == pytest.approx(18.0, abs=0.1)
    assert left[1] == pytest.approx(18.25, abs=0.3)


def test_an_idle_floor_has_nothing_left() -> None:
    bench = Bench(OfficeRules(listen_only=("car-2",)))
    said = one(FloorDeny, bench.request("car-2", 1))
    assert (said.remaining_s, said.speaker, said.priority) == (None, None, Priority.NORMAL)


def test_what_is_told_of_who_heard_goes_to_the_speaker_alone_and_is_not_kept() -> None:
    bench, burst = office("car-2")
    bench.release("car-1", 1, LAST)
    played(bench, "car-2", burst)
    [told] = [p for p in bench.published if isinstance(p, Publish) and isinstance(p.message, FloorHeard)]
    assert (told.kind, told.ids, told.retain, told.expiry_s) == (Kind.REPLY, ("car-1",), False, 2)
