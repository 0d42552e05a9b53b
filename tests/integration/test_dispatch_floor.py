"""The real floor control server: members as plain MQTT clients take the floor, are refused, release, fall silent."""

import time
from collections.abc import Iterator

import pytest

from protocol.codec import encode
from protocol.ids import OfficeId
from protocol.messages import (
    Alert,
    DenyCause,
    Ended,
    Event,
    EventType,
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    FloorRevoke,
    Presence,
    PresenceState,
    RevokeCause,
    Roster,
    Session,
    Severity,
)
from protocol.timers import FIRST_RENEW_S
from protocol.topics import Kind, topic
from tests.integration.dispatch_rig import Service, idle, rig

OFFICES = 17


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    for made in rig(tmp_path_factory.mktemp("floor"), OFFICES, rules="names = { car-1 = '김기사' }"):
        made.start()
        yield made


@pytest.fixture
def office(service: Service) -> OfficeId:
    """An office that no other test has used: all share one service."""
    return service.offices.pop()


def test_a_member_takes_the_floor_another_is_refused_with_name_and_time_and_the_release_frees_it(
    service: Service, office: OfficeId
) -> None:
    monitor = service.monitor(office)
    one, two = service.car("car-1", office), service.car("car-2", office)

    burst = one.take_floor(1)
    renewed = one.expect(FloorRenewed)
    two.request(1)
    denied = two.expect(FloorDeny)
    one.release(1, burst, last_seq=41)
    acked = one.expect(FloorAck)

    assert (renewed.burst, renewed.renew_no) == (burst, 1)
    assert (denied.cause, denied.speaker, denied.speaker_name) == (
        DenyCause.ANOTHER_HAS_PERMISSION,
        "car-1",
        "김기사",
    )
    assert denied.remaining_s and 25 < denied.remaining_s <= 30
    assert acked.request_id == (1, 1, 1, 1)
    taken = monitor.expect(Session, lambda s: s.current_speaker == "car-1")
    over = monitor.expect(Session, lambda s: idle(s) and s.burst == burst)
    assert (taken.burst, taken.active, taken.speaker_name) == (burst, True, "김기사")
    assert (over.ended, over.last_seq, over.active) == (Ended.RELEASED, 41, True)
    assert over.rev > taken.rev


def test_of_two_requests_at_the_same_moment_exactly_one_is_granted(service: Service, office: OfficeId) -> None:
    cars = [service.car("car-1", office), service.car("car-2", office)]

    for press in range(1, 11):
        for car in cars:
            car.request(press)
        answers = [(car, car.expect(object, lambda m: isinstance(m, FloorGranted | FloorDeny))) for car in cars]
        winners = [(car, answer.burst) for car, answer in answers if isinstance(answer, FloorGranted)]
        assert len(winners) == 1
        [(winner, burst)] = winners
        winner.release(press, burst)
        winner.expect(FloorAck)
        for car in cars:
            car.forget()


def test_a_request_sent_again_gets_the_same_answer_and_no_second_burst(service: Service, office: OfficeId) -> None:
    car = service.car("car-1", office)

    car.request(1)
    first = car.granted(1)
    car.say(FloorRequest(request_id=(1, 1, 1, 1)), Kind.FLOOR_AGAIN)
    again = car.granted(1)

    assert again.burst == first.burst


def test_a_holder_that_falls_silent_is_freed_by_its_lease_within_five_seconds(
    service: Service, office: OfficeId
) -> None:
    monitor, car = service.monitor(office), service.car("car-1", office)

    burst = car.take_floor(1)
    car.expect(FloorRenewed)
    silent_since = time.monotonic()
    over = monitor.expect(Session, lambda s: s.burst == burst and idle(s), timeout_s=6)

    took_s = time.monotonic() - silent_since
    assert over.ended is Ended.LOST
    assert 2.5 < took_s < 4.0
    lost = monitor.expect(Event, lambda e: e.event is EventType.HEARTBEAT_LOST)
    assert (lost.user, lost.metadata["of"]) == ("car-1", "floor")


def test_a_grant_never_renewed_is_freed_within_its_time(service: Service, office: OfficeId) -> None:
    monitor, car = service.monitor(office), service.car("car-1", office)

    car.request(1)
    burst = car.granted(1).burst

    assert (
        monitor.expect(Session, lambda s: s.burst == burst and idle(s), timeout_s=FIRST_RENEW_S + 1).ended is Ended.LOST
    )


def test_a_last_will_frees_the_floor_within_two_seconds(service: Service, office: OfficeId) -> None:
    monitor, car = service.monitor(office), service.car("car-1", office)
    burst = car.take_floor(1)
    car.expect(FloorRenewed)

    car.vanish()

    over = monitor.expect(Session, lambda s: s.burst == burst and idle(s), timeout_s=2)
    assert over.ended is Ended.LOST


def test_the_will_of_a_connection_taken_over_changes_nothing(service: Service, office: OfficeId) -> None:
    monitor, before = service.monitor(office), service.car("car-1", office)
    burst = before.take_floor(1)

    after = service.car("car-1", office, connection=(1, 1, 2))
    monitor.expect(Presence, lambda p: p.state is PresenceState.LOST)
    after.keep_renewing(burst)

    corrected = monitor.expect(Presence, lambda p: p.connection_id == (1, 1, 2) and p.state is PresenceState.ONLINE)
    time.sleep(2.5)
    monitor.forget()
    after.forget()
    assert after.expect(FloorRenewed).burst == burst
    assert not monitor.has(Session)
    assert corrected.presence_no == 1


def test_whoever_renews_a_burst_that_is_not_its_own_is_told_to_stop(service: Service, office: OfficeId) -> None:
    one, two = service.car("car-1", office), service.car("car-2", office)
    burst = one.take_floor(1)

    two.say(FloorRenew(burst=burst, renew_no=2))

    revoked = two.expect(FloorRevoke)
    assert (revoked.burst, revoked.cause) == (burst, RevokeCause.NO_PERMISSION)


def test_members_that_join_and_leave_are_in_the_roster_and_in_the_log(service: Service, office: OfficeId) -> None:
    monitor, one = service.monitor(office), service.car("car-1", office)
    one.keep_renewing(one.take_floor(1))
    session = monitor.expect(Session, lambda s: s.active)

    two = service.car("car-2", office, in_channel=session.event_id)
    roster = monitor.expect(Roster, lambda r: r.participants == 1)
    two.vanish()
    monitor.expect(Roster, lambda r: r.participants == 0)

    listed = {m.user: (m.name, m.in_channel) for m in roster.members}
    assert listed == {"car-1": ("김기사", False), "car-2": (None, True)}
    joined = monitor.expect(Event, lambda e: e.event is EventType.USER_JOINED)
    left = monitor.expect(Event, lambda e: e.event is EventType.USER_LEFT)
    assert (joined.user, joined.event_id) == (left.user, left.event_id) == ("car-2", session.event_id)
    assert left.metadata == {"reason": "will"}


def test_an_alert_of_a_device_is_logged_as_it_is_raised_and_as_it_is_cleared(
    service: Service, office: OfficeId
) -> None:
    monitor, car = service.monitor(office), service.car("car-1", office)
    where = topic(office, Kind.ALERT, "car-1", "microphone")
    alert = Alert(alert="microphone", severity=Severity.CRITICAL, what="no microphone", mend="plug it in", since=1)

    car.send(where, encode(alert), retain=True)
    raised = monitor.expect(Event, lambda e: e.event is EventType.ALERT_RAISED)
    car.send(where, b"", retain=True)
    cleared = monitor.expect(Event, lambda e: e.event is EventType.ALERT_CLEARED)

    assert (raised.user, raised.metadata["severity"]) == ("car-1", "critical")
    assert (cleared.user, cleared.metadata) == ("car-1", {"alert": "microphone", "by": "device"})
    logged = [e["event"] for e in service.events(office) if e["event"].startswith("ALERT")]
    assert logged == ["ALERT_RAISED", "ALERT_CLEARED"]


def test_events_on_the_topic_are_those_of_the_log_numbered_without_a_gap(service: Service, office: OfficeId) -> None:
    monitor, car = service.monitor(office), service.car("car-1", office)
    for press in (1, 2, 3):
        car.release(press, car.take_floor(press))
        car.expect(FloorAck)

    heard = [monitor.expect(Event, lambda e, n=n: e.no == n) for n in range(1, 8)]  # type: ignore[misc]

    logged = service.events(office)
    assert [e.event for e in heard] == [
        EventType.SESSION_STARTED,
        *[EventType.SPEAKER_CHANGED, EventType.BURST_ENDED] * 3,
    ]
    assert [(e["no"], e["event"], e["at"], e["metadata"]) for e in logged[:7]] == [
        (e.no, e.event.value, e.at, e.metadata) for e in heard
    ]


BAD: list[tuple[str, bytes]] = [
    ("floor/car-1", b"\x00\xff\xfe"),
    ("floor/car-1", b"{}"),
    ("floor/car-1", b"[" * 4000),
    ("floor/car-1", b'{"type":"floor_request"}'),
    ("floor/car-1", b'{"type":"floor_request","request_id":[1,1,1]}'),
    ("floor/car-1", b'{"type":"floor_request","request_id":[1,1,1,-1]}'),
    ("floor/car-1", b'{"type":"floor_request","request_id":[1,1,1,' + b"9" * 400 + b"]}"),
    ("floor/car-1", b'{"type":"floor_request","request_id":[1,1,1,1],"priority":"king"}'),
    ("floor/car-1", b'{"type":"floor_request","request_id":[1,1,1,1],"x":"' + b"x" * 5000 + b'"}'),
    ("floor/car-1", b'{"type":"no_such_type"}'),
    ("floor/car-1", b'{"type":"session","rev":1,"store":"x","active":true,"channel_name":"c"}'),
    ("floor/CAR 1", b'{"type":"floor_request","request_id":[1,1,1,1]}'),
    ("presence/car-1", b'{"type":"presence","state":"dead","connection_id":[1,1,1],"presence_no":1}'),
    (
        "presence/car-1",
        b'{"type":"presence","state":"online","connection_id":[1,1,1],"presence_no":1,"name":"\\ud800x"}',
    ),
    ("heartbeat/car-1", b"null"),
    ("session", b"\xf0\x9f\x92\xa9"),
]


def test_bad_payloads_are_dropped_counted_and_harm_nobody(service: Service, office: OfficeId) -> None:
    car = service.car("car-1", office)
    before = sum(service.status()["services"][0]["dropped"].values())

    for tail, payload in BAD:
        car.send(f"ptt/v1/{office.region}/{office.office}/{tail}", payload)
    burst = car.take_floor(1)

    assert car.expect(FloorRenewed).burst == burst
    dropped = service.status()["services"][0]["dropped"]
    assert sum(dropped.values()) - before == len(BAD)
    assert dropped["bad topic"] >= 1


ODD: list[tuple[str, bytes]] = [
    (
        "presence/nul",
        b'{"type":"presence","state":"online","connection_id":[1,1,1],"presence_no":1,"name":"a\\u0000b"}',
    ),
    ("floor/nobody/again", b'{"type":"floor_release","request_id":[9,9,9,9]}'),
    ("floor/nobody", b'{"type":"floor_renew","burst":9007199254740991,"renew_no":9007199254740991}'),
    ("heartbeat/nobody", b'{"type":"heartbeat","connection_id":[1,1,1],"beat_no":1}'),
    ("presence/most", b'{"type":"presence","state":"online","connection_id":[9007199254740991,0,0],"presence_no":1}'),
    ("floor/most", b'{"type":"floor_request","request_id":[9007199254740991,0,0,9007199254740991],"new_field":[1]}'),
]


def test_odd_but_wellformed_messages_end_nothing(service: Service, office: OfficeId) -> None:
    car, most = service.car("car-1", office), service.car("most", office)

    for tail, payload in ODD:
        for _ in range(2):
            car.send(f"ptt/v1/{office.region}/{office.office}/{tail}", payload)
    most.expect(FloorGranted)
    most.expect(FloorGranted)

    car.request(1)
    assert car.expect(FloorDeny).speaker == "most"


def test_a_session_forged_to_the_end_of_its_numbers_is_refused_with_an_alert(
    service: Service, office: OfficeId
) -> None:
    car, monitor = service.car("car-1", office), service.monitor(office)
    car.release(1, car.take_floor(1))
    store = monitor.expect(Session, lambda s: s.burst > 0).store
    forged = f'{{"type":"session","rev":9007199254740991,"store":"{store}","active":false,"channel_name":"c"}}'.encode()

    car.send(topic(office, Kind.SESSION), forged)

    alert = topic(office, Kind.ALERT, "dispatch", "foreign-store")
    _, payload, retained = monitor.take(lambda where, payload, _: where == alert and b"end of its range" in payload)
    assert retained
    assert payload


def test_offices_do_not_hear_each_other(service: Service, office: OfficeId) -> None:
    other = service.offices.pop()
    here, there = service.car("car-1", office), service.car("car-1", other)

    assert here.take_floor(1)
    assert there.take_floor(1)


def test_unknown_offices_are_not_served(service: Service, office: OfficeId) -> None:
    stranger = service.car("car-1", OfficeId("seoul", "elsewhere"))

    stranger.request(1)

    assert service.car("car-1", office).take_floor(1)
    assert not stranger.has(FloorGranted)
