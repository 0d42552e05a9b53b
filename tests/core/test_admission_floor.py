"""Who belongs, as the floor knows it: strangers denied, the revoked put out at once, clones found, voices counted."""

from dispatch.core.state import OfficeRules
from protocol.messages import (
    DenyCause,
    Ended,
    EventType,
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorRelease,
    FloorRevoke,
    RevokeCause,
    Roster,
    Session,
)
from protocol.timers import CLEANER_SWEEP_S, REVOKE_S
from protocol.topics import Kind
from tests.core.admission_rig import OFFLINE, ONLINE, UNIT, Office, entry, gone, late_replica
from tests.core.dispatch_bench import HQ, Bench, denied, one

# --- strangers --------------------------------------------------------------------------------------------------------


def test_a_request_of_one_whom_the_registry_does_not_know_is_denied_and_leaves_no_member() -> None:
    office = Office()

    answer = denied(office.ask("stranger", 1))

    assert answer.cause is DenyCause.NOT_ADMITTED
    assert office.floor.holder is None
    assert office.store.transact(HQ, lambda tx: tx.member("stranger"), durable=False) is None


def test_a_stranger_s_release_is_acknowledged_and_its_renewal_refused_so_that_neither_comes_for_ever() -> None:
    office = Office()

    released = one(FloorAck, office.hear("stranger", FloorRelease(request_id=(1, 1, 1, 1))))
    revoked = one(FloorRevoke, office.renew("stranger", 7, 1))

    assert (released.request_id, revoked.cause) == ((1, 1, 1, 1), RevokeCause.NO_PERMISSION)


def test_a_user_without_a_secret_is_no_member_yet() -> None:
    office = Office(car_9=entry(admitted=False))

    assert denied(office.ask("car-9", 1)).cause is DenyCause.NOT_ADMITTED


def test_a_stranger_s_presence_is_not_taken_up_and_the_retained_one_is_put_right_once() -> None:
    office = Office()

    office.come("stranger", 3, in_channel="e")
    [told] = office.presences("stranger")
    office.hear("stranger", told, Kind.PRESENCE)  # the server's own word comes back
    office.advance(1)

    assert (told.state, told.reason, told.connection_id, told.presence_no) == (OFFLINE, "not admitted", (1, 1, 1), 4)
    assert len(office.presences("stranger")) == 1
    assert office.events(EventType.USER_JOINED) == []


def test_one_that_came_a_moment_before_the_registry_was_read_is_taken_up_as_soon_as_it_is() -> None:
    office = Office()
    office.come("car-9", 1, name="new")

    office.registry(car_9=entry(109))
    office.advance(0.1)

    assert office.member("car-9").state is ONLINE
    assert one(FloorGranted, office.ask("car-9", 1))


def test_an_open_office_lets_everybody_in() -> None:
    bench = Bench()

    bench.presence("anybody", 1, hardware=UNIT)

    assert bench.member("anybody").state is ONLINE
    assert one(FloorGranted, bench.request("anybody", 1))


# --- revocation -------------------------------------------------------------------------------------------------------


def test_a_speaker_that_is_revoked_is_told_and_the_floor_is_free_at_once_though_it_never_answers() -> None:
    office = Office()
    office.come("car-1")
    burst = office.take("car-1", 1)
    office.advance(0.5)
    began = office.now

    office.registry(car_1=gone())
    office.advance(0.1)

    [told] = office.sent(FloorRevoke, "car-1")
    session = office.sent(Session)[-1]
    assert (told.burst, told.cause) == (burst, RevokeCause.NO_PERMISSION)
    assert (session.current_speaker, session.ended, session.last_seq) == (None, Ended.CLEANED, None)
    assert office.now - began < REVOKE_S


def test_a_revoked_speaker_cannot_renew_release_into_or_ask_for_the_floor() -> None:
    office = Office()
    burst = office.take("car-1", 1)
    office.registry(car_1=gone())
    office.advance(0.1)
    holder = office.take("car-2", 1)

    refused = one(FloorRevoke, office.renew("car-1", burst, 2))
    one(FloorAck, office.release("car-1", 1))
    again = denied(office.request("car-1", 2))

    assert (refused.cause, again.cause) == (RevokeCause.NO_PERMISSION, DenyCause.NOT_ADMITTED)
    assert (office.floor.holder, office.floor.burst) == ("car-2", holder)


def test_a_request_between_the_revocation_and_the_next_turn_is_denied() -> None:
    office = Office()
    office.take("car-1", 1)
    office.release("car-1", 1)

    office.registry(car_1=gone())

    assert denied(office.request("car-1", 2)).cause is DenyCause.NOT_ADMITTED


def test_a_grant_by_a_replica_that_read_the_registry_late_and_died_of_it_is_taken_back_by_the_other() -> None:
    office = Office()
    late = late_replica(office)
    office.registry(car_1=gone())
    office.advance(0.1)
    burst = late.take("car-1", 1)
    began = office.now

    while office.floor.holder == "car-1" and office.now < began + 10:
        office.renew("car-1", burst, round((office.now - began) * 10) + 2)
        office.advance(0.1)

    assert office.now - began < 1
    assert (office.floor.holder, office.floor.ended) == (None, Ended.CLEANED)


def test_one_that_a_late_replica_let_wait_is_taken_out_of_the_queue() -> None:
    office = Office(OfficeRules(queue=True))
    late = late_replica(office)
    office.take("car-2", 1)
    office.registry(car_1=gone())
    office.advance(0.1)

    late.request("car-1", 1)
    waited = [waiting.user for waiting in office.floor.queue]
    office.advance(1)

    assert (waited, office.floor.queue) == (["car-1"], ())
    assert [told.cause for told in office.sent(FloorDeny, "car-1")] == [DenyCause.NOT_ADMITTED]


def test_a_member_that_a_late_replica_let_in_is_put_out_by_the_next_sweep() -> None:
    office = Office()
    late = late_replica(office)
    office.registry(car_1=gone())
    office.advance(0.1)
    late.presence("car-1", 1)
    let_in = office.member("car-1").present

    office.advance(CLEANER_SWEEP_S + 1)

    assert let_in
    assert office.member("car-1").state is OFFLINE


def test_one_that_waits_and_is_revoked_is_told_and_forgotten_and_never_granted() -> None:
    office = Office(OfficeRules(queue=True))
    office.take("car-2", 1)
    office.request("car-1", 1)
    office.request("car-3", 1)

    office.registry(car_1=gone())
    office.advance(0.1)
    office.release("car-2", 1)

    assert [d.cause for d in office.sent(FloorDeny, "car-1")] == [DenyCause.NOT_ADMITTED]
    assert office.floor.holder == "car-3"


def test_speaker_and_first_in_the_queue_revoked_together_leave_the_floor_to_the_second() -> None:
    office = Office(OfficeRules(queue=True))
    office.take("car-1", 1)
    office.request("car-2", 1)
    office.request("car-3", 1)

    office.registry(car_1=gone(), car_2=gone())
    office.advance(0.1)

    assert office.floor.holder == "car-3"
    assert office.sent(FloorGranted, "car-2") == []


def test_a_revoked_member_is_offline_has_left_the_channel_and_the_log_says_so_once() -> None:
    office = Office()
    office.come("car-1", 1, name="김기사", in_channel="e")

    office.registry(car_1=gone("sold"))
    office.advance(3)
    office.registry(car_2=entry(202))
    office.advance(3)

    told = office.told("car-1")
    assert (told.state, told.reason, told.presence_no) == (OFFLINE, "revoked", 2)
    assert [(e.user, e.metadata["reason"]) for e in office.events(EventType.USER_LEFT)] == [("car-1", "revoked")]
    assert [(e.user, e.metadata["reason"]) for e in office.events(EventType.USER_REVOKED)] == [("car-1", "sold")]


def test_a_revocation_is_logged_once_however_many_replicas_and_starts_read_it() -> None:
    office = Office()
    office.registry(car_1=gone())
    office.advance(0.1)

    office.start()
    office.up()
    replica = Bench(office.rules, store=office.store)
    replica.advance(1)

    assert [e.user for e in office.log() if e.event is EventType.USER_REVOKED] == ["car-1"]


def test_a_second_revocation_of_the_same_user_is_another_event() -> None:
    office = Office()
    for at in (5000, 9000):
        office.registry(car_1=gone(at=at))
        office.advance(0.1)
        office.registry(car_1=entry(101))
        office.advance(0.1)

    assert len(office.events(EventType.USER_REVOKED)) == 2


def test_a_revoked_user_that_was_never_here_is_logged_and_stands_in_no_roster() -> None:
    office = Office()
    office.come("car-2")

    office.registry(car_1=gone())
    office.advance(121)

    assert [e.user for e in office.events(EventType.USER_REVOKED)] == ["car-1"]
    assert [m.user for m in office.sent(Roster)[-1].members] == ["car-2"]


def test_a_restored_user_comes_again_and_speaks() -> None:
    office = Office()
    office.come("car-1")
    office.registry(car_1=gone())
    office.advance(1)

    office.registry(car_1=entry(101))
    office.come("car-1", 1, boot=2)

    assert office.member("car-1").state is ONLINE
    assert one(FloorGranted, office.ask("car-1", 1, boot=2))


def test_a_user_taken_out_of_the_registry_is_put_out_too() -> None:
    office = Office()
    office.come("car-1")
    office.take("car-1", 1)

    office.registry(car_1=None)
    office.advance(0.1)

    assert (office.floor.holder, office.told("car-1").reason) == (None, "not admitted")


def test_a_revocation_while_the_store_is_away_takes_effect_when_it_is_back() -> None:
    office = Office()
    office.take("car-1", 1)
    office.store.away = True
    office.registry(car_1=gone())
    office.advance(0.3)

    office.store.away = False
    office.advance(1.5)

    assert (office.floor.holder, office.floor.ended) == (None, Ended.CLEANED)
