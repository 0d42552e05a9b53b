"""One office out of MQTT messages: the newest counts, what is not retained any more is forgotten, all is bounded."""

from __future__ import annotations

import pytest

from dispatch.registry.words import User
from dispatch.web import model as web_model
from dispatch.web.model import BURSTS_SHOWN, OfficeModel, online
from protocol.ids import OfficeId
from protocol.messages import (
    Alert,
    DeviceState,
    Event,
    EventType,
    Presence,
    PresenceState,
    Priority,
    Session,
    Severity,
    VoiceHealth,
)
from protocol.rest import Role
from protocol.topics import Kind

ONLINE, LOST = PresenceState.ONLINE, PresenceState.LOST


def presence(state: PresenceState, number: int, connection: int = 1) -> Presence:
    return Presence(state=state, connection_id=(1, 1, connection), presence_no=number)


def session(rev: int, burst: int, speaker: str | None = None) -> Session:
    name = None if speaker is None else speaker.upper()
    return Session(
        rev=rev, store="s", active=True, channel_name="c", burst=burst, current_speaker=speaker, speaker_name=name
    )


def event(no: int, kind: EventType, at: int, user: str, **metadata: object) -> Event:
    return Event(no=no, event=kind, at=at, user=user, name=user.upper(), metadata=metadata)


def alert(name: str) -> Alert:
    return Alert(alert=name, severity=Severity.CRITICAL, what="hot", mend="cool", since=5)


def test_an_older_session_does_not_overwrite_a_newer_one() -> None:
    office = OfficeModel()
    office.take(Kind.SESSION, "", "", session(5, 2, "car-2"), 100)
    office.take(Kind.SESSION, "", "", session(4, 1, "car-1"), 200)

    floor = office.board.get("floor")
    assert floor is not None
    assert (floor["speaker"], floor["since"]) == ("car-2", 100)


def test_the_time_of_a_speaker_begins_anew_with_another_burst_only() -> None:
    office = OfficeModel()
    office.take(Kind.SESSION, "", "", session(1, 1, "car-1"), 100)
    office.take(Kind.SESSION, "", "", session(2, 1, "car-1"), 900)
    first = office.board.get("floor")
    office.take(Kind.SESSION, "", "", session(3, 2, "car-1"), 1500)
    second = office.board.get("floor")

    assert first is not None
    assert second is not None
    assert (first["since"], second["since"]) == (100, 1500)


def test_a_late_presence_of_an_older_connection_is_dropped() -> None:
    office = OfficeModel()
    office.take(Kind.PRESENCE, "car-1", "", presence(ONLINE, 1, connection=2), 0)
    office.take(Kind.PRESENCE, "car-1", "", presence(LOST, 9, connection=1), 0)
    assert online(office) == 1

    office.take(Kind.PRESENCE, "car-1", "", presence(LOST, 9, connection=2), 0)
    assert online(office) == 0


def test_what_the_broker_no_longer_retains_after_a_new_connection_is_forgotten() -> None:
    office = OfficeModel()
    office.linked(1)
    office.take(Kind.PRESENCE, "car-1", "", presence(ONLINE, 1), 0)
    office.take(Kind.ALERT, "car-1", "hot", alert("hot"), 0)
    office.take(Kind.SESSION, "", "", session(7, 1, "car-1"), 0)
    office.linked(2)
    office.take(Kind.PRESENCE, "car-1", "", presence(ONLINE, 1), 0)
    office.take(Kind.SESSION, "", "", session(3, 1), 0)  # a store that was restored: the broker's word counts

    office.settled()

    floor = office.board.get("floor")
    assert office.board.get("alert/car-1/hot") is None
    assert office.board.get("member/car-1") is not None
    assert floor is not None
    assert floor["speaker"] is None


def test_an_alert_that_is_cleared_goes() -> None:
    office = OfficeModel()
    office.take(Kind.ALERT, "car-1", "hot", alert("hot"), 0)
    office.take(Kind.ALERT, "car-1", "hot", None, 0)

    assert list(office.board.keys("alert")) == []


def test_a_burst_is_put_together_from_its_events_in_any_order_and_only_the_last_ones_are_kept() -> None:
    office = OfficeModel()
    office.event(event(3, EventType.BURST_HEARD, 300, "car-1", burst=1, heard_by=2, heard_of=3))
    office.event(event(2, EventType.BURST_ENDED, 250, "car-1", burst=1, ended="released"))
    office.event(event(1, EventType.SPEAKER_CHANGED, 100, "car-1", burst=1, priority="high"))

    assert office.board.get("burst/1") == {
        "burst": 1,
        "user": "car-1",
        "name": "CAR-1",
        "started_at": 100,
        "ended_at": 250,
        "ended": "released",
        "heard_by": 2,
        "heard_of": 3,
        "priority": "high",
    }
    for number in range(2, 200):
        office.event(event(number + 5, EventType.SPEAKER_CHANGED, number, "car-1", burst=number))
    office.event(event(1, EventType.SPEAKER_CHANGED, 100, "car-1", burst=1))
    assert sorted(int(key[6:]) for key in office.board.keys("burst")) == list(range(200 - BURSTS_SHOWN, 200))


def test_an_event_that_comes_twice_is_news_once() -> None:
    office = OfficeModel()
    for _ in range(2):
        office.event(event(4, EventType.SESSION_ENDED, 1, "car-1"))

    assert office.news == 1


def test_members_beyond_the_bound_are_dropped_and_counted() -> None:
    office = OfficeModel()
    for number in range(web_model.MEMBERS_MAX + 3):
        office.take(Kind.DEVICE_STATE, f"car-{number}", "", DeviceState(floor="", keyed=False, voice=VoiceHealth()), 0)

    assert len(list(office.board.keys("state"))) == web_model.MEMBERS_MAX
    assert office.dropped == 3


def test_who_is_gone_makes_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_model, "MEMBERS_MAX", 2)
    office = OfficeModel()
    for user in ("car-1", "car-2", "car-3"):
        office.take(Kind.PRESENCE, user, "", presence(ONLINE, 1), 0)
    office.take(Kind.PRESENCE, "car-1", "", None, 0)
    office.take(Kind.PRESENCE, "car-1", "", None, 0)
    for user in ("car-4", "car-5"):
        office.take(Kind.PRESENCE, user, "", presence(ONLINE, 1), 0)

    assert sorted(office.board.keys("member")) == ["member/car-2", "member/car-4"]
    assert office.dropped == 2


def test_the_registrys_members_are_shown_before_they_ever_connect_and_go_with_it() -> None:
    office = OfficeModel()
    where = OfficeId("seoul", "1")
    car = User(office=where, user="car-1", role=Role.VEHICLE_GATEWAY, name="1호차", uid=1)
    boss = User(office=where, user="boss", role=Role.ADMIN, name="Boss", uid=2)
    office.users([car, boss])
    assert list(office.board.keys("user")) == ["user/car-1"]

    office.users([boss])
    assert list(office.board.keys("user")) == []


def test_an_emergency_keeps_its_priority() -> None:
    office = OfficeModel()
    said = session(1, 1, "car-1")
    office.take(Kind.SESSION, "", "", Session(**{**_fields(said), "priority": Priority.EMERGENCY}), 0)

    floor = office.board.get("floor")
    assert floor is not None
    assert floor["priority"] == "emergency"


def _fields(said: Session) -> dict[str, object]:
    return {name: getattr(said, name) for name in Session.__struct_fields__}
