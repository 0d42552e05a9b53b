"""Replaced units and clones, as the floor knows them: the old unit refused, the copy found, the true one kept."""

import pytest
from msgspec.structs import replace

from dispatch.core.notices import clone_found, log
from dispatch.core.server import AlertSeen
from dispatch.core.state import Entry, FloorState
from protocol.messages import (
    DenyCause,
    EventType,
    FloorGranted,
    Presence,
)
from protocol.rest import Role
from protocol.timers import CLEANER_SWEEP_S
from protocol.topics import Kind
from tests.core.admission_rig import COPY, LOST, ONLINE, UNIT, Office, entry, gone, late_replica
from tests.core.dispatch_bench import HQ, denied, one

# --- replaced units and clones ----------------------------------------------------------------------------------------


def test_a_unit_of_an_older_enrolment_is_refused_with_the_reason() -> None:
    office = Office(car_1=entry(101, generation=2, hardware=UNIT))

    office.come("car-1", generation=1, hardware=COPY)
    answer = denied(office.ask("car-1", 1, generation=1))

    assert (office.told("car-1").reason, answer.cause) == ("replaced by a newer enrolment", DenyCause.NOT_ADMITTED)
    assert office.clones == []


def test_a_unit_that_keeps_back_which_one_it_is_gets_neither_presence_nor_floor() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))

    office.come("car-1", 1, boot=6)
    answer = denied(office.ask("car-1", 1, boot=6))

    assert (office.told("car-1").reason, answer.cause) == ("does not say which unit it is", DenyCause.NOT_ADMITTED)
    assert office.clones == []


def test_enrolling_a_replacement_takes_the_floor_from_the_old_unit() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", hardware=UNIT)
    office.take("car-1", 1)

    office.registry(car_1=entry(101, generation=2, hardware=COPY))
    office.advance(0.1)

    assert office.floor.holder is None
    assert office.told("car-1").reason == "replaced by a newer enrolment"
    assert one(FloorGranted, office.ask("car-1", 1, generation=2))


def test_a_unit_ahead_of_what_was_read_of_the_registry_is_let_in_once_that_is_read_and_is_told_nothing_before() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", generation=2, hardware=COPY)
    told_before = office.presences("car-1")

    office.registry(car_1=entry(101, generation=2, hardware=COPY))
    office.advance(0.1)

    kept = office.member("car-1")
    assert (told_before, kept.state, kept.hardware) == ([], ONLINE, COPY)


def test_a_user_that_never_enrolled_may_count_its_connections_as_it_likes() -> None:
    office = Office(boss=entry(9, role=Role.CALL_MANAGER))

    office.come("boss", generation=7, hardware=UNIT)

    assert one(FloorGranted, office.ask("boss", 1, generation=7))


def test_another_unit_under_the_same_identity_is_found_and_refused_and_the_true_one_s_presence_stands() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", 1, boot=5, hardware=UNIT)

    office.come("car-1", 1, boot=6, hardware=COPY)
    answer = denied(office.ask("car-1", 1, boot=6))

    assert [(c.user, c.hardware) for c in office.clones] == [("car-1", COPY)]
    assert answer.cause is DenyCause.NOT_ADMITTED
    told = office.told("car-1")
    assert (told.state, told.connection_id, told.hardware) == (ONLINE, (1, 5, 1), UNIT)
    assert one(FloorGranted, office.ask("car-1", 1, boot=5))


def test_what_a_clone_got_before_its_presence_came_is_taken_back_and_the_true_unit_can_still_ask() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", 1, boot=5, hardware=UNIT)
    one(FloorGranted, office.ask("car-1", 4, boot=6))

    office.come("car-1", 1, boot=6, hardware=COPY)

    assert office.floor.state is FloorState.IDLE
    assert one(FloorGranted, office.ask("car-1", 1, boot=5))


def test_the_true_unit_on_the_connection_number_that_a_clone_had_is_let_in() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", 1, boot=6, hardware=COPY)

    office.come("car-1", 2, boot=6, hardware=UNIT)

    assert one(FloorGranted, office.ask("car-1", 1, boot=6))


def test_a_clone_s_last_will_does_not_make_the_true_unit_look_lost() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", 1, boot=5, hardware=UNIT)
    office.come("car-1", 1, boot=6, hardware=COPY)

    will = Presence(state=LOST, connection_id=(1, 6, 1), presence_no=2**53 - 1, hardware=COPY)
    office.hear("car-1", will, Kind.PRESENCE)
    office.advance(0.1)

    assert (office.member("car-1").state, office.told("car-1").state) == (ONLINE, ONLINE)


def cloned(at: int = 7000) -> Entry:
    return entry(101, generation=1, hardware=UNIT, clone=COPY, clone_at=at)


def test_a_clone_in_the_registry_is_one_event_and_an_alert_that_stands_until_it_is_cured() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.registry(car_1=cloned())
    office.advance(5)
    standing = office.alerts("car-1")

    office.registry(car_1=entry(101, generation=1, hardware=UNIT))
    office.advance(5)

    [alert] = standing
    assert alert is not None
    assert (alert.alert, alert.severity.value, alert.since) == ("clone", "critical", 7000)
    assert COPY in alert.what
    assert "ptt-dispatch device cured seoul/hq car-1" in alert.mend
    assert office.alerts("car-1")[-1] is None
    told = [(e.event, e.metadata["hardware"]) for e in office.events(EventType.CLONE_FOUND, EventType.CLONE_CURED)]
    assert told == [(EventType.CLONE_FOUND, COPY), (EventType.CLONE_CURED, COPY)]


def clone_events(office: Office) -> list[EventType]:
    return [e.event for e in office.log() if e.event in (EventType.CLONE_FOUND, EventType.CLONE_CURED)]


@pytest.mark.parametrize("rest_first", [True, False])
def test_a_clone_that_rest_and_the_floor_find_at_once_is_told_once(rest_first: bool) -> None:
    office = Office(car_1=entry(101, hardware=UNIT))
    found = clone_found("car-1", "car-1", COPY, 7)

    if rest_first:
        log(office.store, HQ, office.wall_ms, found)
    office.change(replace(office.rules, rev=7, roll={**(office.rules.roll or {}), "car-1": cloned()}))
    office.advance(0.1)
    log(office.store, HQ, office.wall_ms, found)
    office.advance(2)

    assert clone_events(office) == [EventType.CLONE_FOUND]


def test_a_clone_that_rest_has_told_is_not_cured_by_a_reading_of_the_registry_from_before() -> None:
    office = Office(car_1=entry(101, hardware=UNIT))
    log(office.store, HQ, office.wall_ms, clone_found("car-1", "car-1", COPY, 7))

    office.change(replace(office.rules, rev=6, hang_s=1.0))  # of another change, a moment before
    office.advance(0.1)
    office.change(replace(office.rules, rev=7, roll={**(office.rules.roll or {}), "car-1": cloned()}))
    office.advance(0.1)

    assert clone_events(office) == [EventType.CLONE_FOUND]


def test_a_clone_that_was_cured_is_not_found_again_by_a_replica_that_read_the_registry_before() -> None:
    office = Office(car_1=cloned())
    office.change(replace(office.rules, rev=6))
    office.advance(0.1)
    late = late_replica(office)
    roll = {**(office.rules.roll or {}), "car-1": entry(101, hardware=UNIT)}
    office.change(replace(office.rules, rev=7, roll=roll))
    office.advance(0.1)

    late.advance(CLEANER_SWEEP_S + 1)

    assert clone_events(office) == [EventType.CLONE_FOUND, EventType.CLONE_CURED]


def test_a_revocation_that_was_lifted_and_made_again_is_not_told_anew_by_a_late_replica() -> None:
    office = Office(car_1=gone(at=5000))
    office.advance(0.1)
    late = late_replica(office)
    roll = {**(office.rules.roll or {}), "car-1": gone(at=6000)}
    office.change(replace(office.rules, rev=7, roll=roll))
    office.advance(0.1)

    late.advance(CLEANER_SWEEP_S + 1)

    assert len([e for e in office.log() if e.event is EventType.USER_REVOKED]) == 2


@pytest.mark.parametrize("again", ["a restart", "a new broker"])
def test_the_alert_of_a_clone_is_told_anew_after(again: str) -> None:
    office = Office(car_1=cloned())
    office.advance(1)
    before = len(office.alerts("car-1"))

    office.down()
    if again == "a restart":
        office.start()
    office.up()
    office.advance(1)

    assert (before, len(office.alerts("car-1"))) == (1, 2)
    assert len([e for e in office.log() if e.event is EventType.CLONE_FOUND]) == 1


def test_an_alert_that_somebody_cleared_or_left_behind_is_put_right() -> None:
    office = Office(car_1=cloned())
    office.advance(1)
    [standing] = office.alerts("car-1")

    for user, alert in (("car-1", None), ("car-2", standing)):
        office._do(office.server.handle(AlertSeen(office=HQ, user=user, alert=alert), office.now, office.wall_ms))
    office.advance(1)

    assert office.alerts("car-1") == [standing, standing]
    assert office.alerts("car-2") == [None]
