"""The live view, to the letter: exact snapshots, widths in cells, and nothing from outside that steers a terminal."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Model
from monitor.render import View, render
from monitor.text import cells, clean, clock, duration, fit
from monitor.words import _WORDS, Words
from protocol import codec
from protocol.ids import OfficeId, ordered_number
from protocol.messages import (
    Alert,
    DeviceState,
    Ended,
    Event,
    EventType,
    Lifecycle,
    Presence,
    PresenceState,
    Priority,
    Roster,
    RosterMember,
    Session,
    Severity,
    Telemetry,
    Throttling,
    VoiceHealth,
)
from protocol.topics import Kind, topic

OFFICE = OfficeId("seoul", "north")
NOON_MS = 1_700_000_000_000  # 22:13:20 UTC


def office_at_work() -> Model:
    """One office: 김민수 speaks in an emergency, after a burst that was released; one member is lost, one alert."""
    model = Model(100.0)
    model.linked(100.0)

    def say(message, kind: Kind, *ids: str, at_s: float) -> None:
        wall_ms = NOON_MS + int((at_s - 100) * 1000)
        model.apply(topic(OFFICE, kind, *ids), codec.encode(message), False, at_s, wall_ms)

    def event(no: int, kind: EventType, at_ms: int, user: str, name: str, **metadata) -> Event:
        return Event(no=no, event=kind, at=NOON_MS + at_ms, user=user, name=name, metadata=metadata)

    first, second = ordered_number(1, 41), ordered_number(1, 42)
    fields = {"store": "s", "active": True, "channel_name": "c", "event_id": "e-1", "started_at": NOON_MS}
    for user, name, state, in_channel in [
        ("car-1", "김민수", PresenceState.ONLINE, "e-1"),
        ("car-2", "Lee", PresenceState.ONLINE, "e-0"),
        ("car-3", None, PresenceState.LOST, None),
    ]:
        said = Presence(
            state=state, connection_id=(1, 1, 1), presence_no=1, in_channel=in_channel, name=name, device_info="Pi 4"
        )
        say(said, Kind.PRESENCE, user, at_s=101.0)
    say(Session(rev=1, burst=first, current_speaker="car-2", speaker_name="Lee", **fields), Kind.SESSION, at_s=102.0)
    say(event(1, EventType.SPEAKER_CHANGED, 2000, "car-2", "Lee", burst=first), Kind.EVENTS, at_s=102.0)
    say(Session(rev=2, burst=first, ended=Ended.RELEASED, last_seq=9, **fields), Kind.SESSION, at_s=106.2)
    say(event(2, EventType.BURST_ENDED, 6200, "car-2", "Lee", burst=first, ended="released"), Kind.EVENTS, at_s=106.2)
    now_speaking = Session(
        rev=3, burst=second, current_speaker="car-1", speaker_name="김민수", priority=Priority.EMERGENCY, **fields
    )
    say(now_speaking, Kind.SESSION, at_s=107.5)
    alert = Alert(alert="mic-lost", severity=Severity.CRITICAL, what="no microphone", mend="plug it in", since=NOON_MS)
    say(alert, Kind.ALERT, "car-3", "mic-lost", at_s=108.0)
    members = tuple(RosterMember(user=f"car-{n}", state=PresenceState.ONLINE) for n in (1, 2, 3))
    say(Roster(participants=1, members=members), Kind.ROSTER, at_s=108.0)
    return model


def lines(model: Model, width: int = 104, height: int = 0, lang: str = "en", now: float = 110.0, **more) -> list[str]:
    view = View(width=width, height=height, words=Words(lang), zone=UTC, **more)
    return render(model, view, "broker:1883", now, NOON_MS + int((now - 100) * 1000))


def text(model: Model, **more) -> str:
    return "\n".join(line.rstrip() for line in lines(model, **more))


def test_an_office_at_work_is_shown_to_the_letter_in_english():
    assert text(office_at_work()) == (
        "ptt watch  broker:1883  connected                                                               22:13:30\n"
        "offices 1  online 2/3  alerts 1\n"
        + "-" * 104
        + "\n"
        + "seoul/north  SPEAKING  김민수 (car-1)  for 2.5s  EMERGENCY  burst 1.42  session 22:13:20  in channel 1/3\n"
        "  ! 22:13:20 CRITICAL  car-3 mic-lost: no microphone\n"
        "      mend: plug it in\n"
        "  members           name              state     channel     since  device\n"
        "> car-1             김민수            online    in           9.0s  Pi 4\n"
        "  car-2             Lee               online    -            9.0s  Pi 4\n"
        "  car-3                               lost      -            9.0s  Pi 4\n"
        "  bursts     start       length  who                          how it ended\n"
        "  1.42       22:13:27.5          김민수 (car-1)               going on  EMERGENCY\n"
        "  1.41       22:13:22.0    4.2s  Lee (car-2)                  released"
    )


def test_an_office_at_work_is_shown_to_the_letter_in_korean():
    assert text(office_at_work(), lang="ko") == (
        "ptt watch  broker:1883  연결됨                                                                  22:13:30\n"
        "사무소 1  접속 2/3  경보 1\n"
        + "-" * 104
        + "\n"
        + "seoul/north  발언 중  김민수 (car-1)  2.5s째  긴급  발언 1.42  세션 22:13:20  채널 참여 1/3\n"
        "  ! 22:13:20 심각  car-3 mic-lost: no microphone\n"
        "      조치: plug it in\n"
        "  구성원            이름              상태      채널         경과  장치\n"
        "> car-1             김민수            접속      참여         9.0s  Pi 4\n"
        "  car-2             Lee               접속      -            9.0s  Pi 4\n"
        "  car-3                               끊김      -            9.0s  Pi 4\n"
        "  발언       시작          길이  발언자                       끝난 까닭\n"
        "  1.42       22:13:27.5          김민수 (car-1)               진행 중  긴급\n"
        "  1.41       22:13:22.0    4.2s  Lee (car-2)                  끝맺음"
    )


def with_device(user: str, **state) -> Model:
    model = office_at_work()
    said = DeviceState(**{"floor": "U: has no permission", "keyed": False, "voice": VoiceHealth(), **state})
    model.apply(topic(OFFICE, Kind.DEVICE_STATE, user), codec.encode(said), True, 109.0, NOON_MS)
    return model


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({}, "Pi 4"),
        ({"keyed": True}, "keyed  Pi 4"),
        ({"floor": "U: has permission", "keyed": True}, "has the floor  keyed  Pi 4"),
        ({"floor": "U: some other state"}, "U: some other state  Pi 4"),
        ({"floor": "bad"}, "bad  Pi 4"),
        ({"voice": VoiceHealth(worker="down", capture=False, link=False)}, "VOICE down  Pi 4"),
        ({"voice": VoiceHealth(capture=False, playback=False)}, "NO MICROPHONE  NO SPEAKER  Pi 4"),
        ({"voice": VoiceHealth(link=False), "keyed": True}, "NO VOICE LINK  keyed  Pi 4"),
    ],
)
def test_a_member_says_what_its_device_does_and_lacks(state, told):
    row = next(line for line in text(with_device("car-2", **state)).splitlines() if line.startswith("  car-2"))
    assert row == f"  car-2             Lee               online    -            9.0s  {told}"


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"lifecycle": Lifecycle.PARKED}, "Pi 4"),
        ({"lifecycle": Lifecycle.PARKING}, "ignition off  Pi 4"),
        ({"lifecycle": Lifecycle.SHUTTING_DOWN}, "shutting down  Pi 4"),
        ({"transmitter_muted": True}, "MUTED BY THE OFFICE  Pi 4"),
    ],
)
def test_a_member_says_where_its_day_stands_and_that_it_is_muted(state, told):
    row = next(line for line in text(with_device("car-2", **state)).splitlines() if line.startswith("  car-2"))
    assert row.endswith(f"9.0s  {told}")


def with_telemetry(user: str, retained: bool = True, **said) -> Model:
    model = office_at_work()
    payload = codec.encode(Telemetry(at=NOON_MS - 5000, uptime_s=9.0, **said))
    model.apply(topic(OFFICE, Kind.DEVICE_TELEMETRY, user), payload, retained, 105.0, NOON_MS)
    return model


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"temperature_c": 61.0, "throttling": Throttling(undervoltage_since_boot=True)}, "Pi 4"),
        ({"temperature_c": 82.4}, "82°C  Pi 4"),
        ({"throttling": Throttling(undervoltage=True, throttled=True)}, "UNDERVOLTAGE  SLOWED DOWN  Pi 4"),
    ],
)
def test_what_a_device_suffers_from_is_told_and_the_rest_is_not(said, told):
    row = next(line for line in text(with_telemetry("car-2", **said)).splitlines() if line.startswith("  car-2"))
    assert row.endswith(f"9.0s  {told}")


@pytest.mark.parametrize(("retained", "when"), [(False, "5.0s ago"), (True, "22:13:15")])
def test_of_a_member_that_is_gone_the_last_telemetry_stays_with_its_age(retained, when):
    model = with_telemetry("car-3", retained, temperature_c=61.0)
    row = next(line for line in text(model).splitlines() if line.startswith("  car-3"))
    assert f"last seen 61°C {when}" in row


def test_a_member_that_is_gone_says_nothing_of_its_device():
    row = next(line for line in text(with_device("car-3", keyed=True)).splitlines() if line.startswith("  car-3"))
    assert row.endswith("lost      -            9.0s  Pi 4")


def test_a_member_without_voice_stands_out():
    rows = lines(with_device("car-2", voice=VoiceHealth(capture=False)), colour=True)
    assert next(row for row in rows if "car-2  " in row).startswith("\x1b[33m")


def test_without_a_connection_it_says_so_says_why_and_shows_all_the_rest_grey_and_frozen():
    # given
    model = office_at_work()
    model.unlinked("connection refused by broker:1883: is the broker running?", 110.0)
    # when
    shown = lines(model, colour=True, now=125.0)
    # then
    assert "NOT CONNECTED for 15s" in shown[0]
    assert "what is shown is stale: connection refused" in shown[1]
    assert all(line.startswith("\x1b[90m") for line in shown[3:])
    assert "for 2.5s" in shown[4]


def test_before_the_first_connection_it_is_connecting_and_knows_nothing():
    model = Model(100.0)
    assert text(model).splitlines()[0].startswith("ptt watch  broker:1883  connecting")
    assert "nothing is known of any office yet" in text(model)


def test_bad_payloads_are_counted_and_the_last_is_shown():
    model = office_at_work()
    model.apply(topic(OFFICE, Kind.SESSION), b"{", False, 0.0, 0)
    shown = text(model).splitlines()
    assert shown[1] == "offices 1  online 2/3  alerts 1  bad 1"
    assert "seoul/north/session: on SESSION: not JSON" in shown[2]


@pytest.mark.parametrize(("active", "word"), [(True, "OPEN, nobody speaks"), (False, "idle")])
def test_an_idle_floor_says_whose_burst_was_last_and_how_it_ended(active, word):
    # given
    model = office_at_work()
    fields = {"store": "s", "channel_name": "c", "event_id": "e-1"}
    idle = Session(rev=4, burst=ordered_number(1, 42), ended=Ended.LOST, active=active, **fields)
    model.apply(topic(OFFICE, Kind.SESSION), codec.encode(idle), False, 109.0, NOON_MS)
    # then
    assert f"seoul/north  {word}  for 1.0s  last 1.42 김민수 (car-1) lost" in text(model)


def counted(no: int, by: object, of: object) -> bytes:
    metadata = {"burst": ordered_number(1, 41), "heard_by": by, "heard_of": of, "missing": []}
    return codec.encode(Event(no=no, event=EventType.BURST_HEARD, at=7000, user="car-2", name="Lee", metadata=metadata))


@pytest.mark.parametrize(("lang", "said"), [("en", "released  heard by 9 of 11"), ("ko", "11명 중 9명이 들음")])
def test_a_burst_says_by_how_many_it_was_heard_once_that_is_counted(lang, said):
    model = office_at_work()
    before = "\n".join(lines(model, lang=lang))
    model.apply(topic(OFFICE, Kind.EVENTS), counted(3, 9, 11), False, 109.0, NOON_MS)
    assert (said in before, said in "\n".join(lines(model, lang=lang))) == (False, True)


@pytest.mark.parametrize(("by", "of"), [(12, 11), ("9", 11), (-1, 3), (True, 3), (1, None)])
def test_a_count_that_makes_no_sense_is_not_shown(by, of):
    model = office_at_work()
    model.apply(topic(OFFICE, Kind.EVENTS), counted(3, by, of), False, 109.0, NOON_MS)
    assert "heard by" not in "\n".join(lines(model))


def test_a_session_that_was_over_before_anybody_looked_still_says_who_heard_its_last_burst():
    model = Model(0.0)
    model.linked(100.0)
    over = Session(
        rev=4,
        store="s",
        active=False,
        channel_name="c",
        event_id="e-1",
        burst=ordered_number(1, 42),
        ended=Ended.RELEASED,
        heard_by=2,
        heard_of=3,
    )
    model.apply(topic(OFFICE, Kind.SESSION), codec.encode(over), True, 109.0, NOON_MS)
    assert "heard by 2 of 3" in "\n".join(lines(model))


@given(
    width=st.integers(20, 200), height=st.integers(4, 40), scroll=st.integers(0, 30), lang=st.sampled_from(["ko", "en"])
)
def test_whatever_the_size_every_line_takes_just_its_columns_and_no_more_rows(width, height, scroll, lang):
    shown = lines(office_at_work(), width=width, height=height, scroll=scroll, lang=lang)
    assert len(shown) <= height
    assert {cells(line) for line in shown} == {width}


def test_what_does_not_fit_is_announced_and_reached_by_scrolling():
    model = office_at_work()
    assert lines(model, height=8)[-1].rstrip() == "... 6 more lines: j and k scroll"
    assert "Lee (car-2)                  released" in "\n".join(lines(model, height=8, scroll=99))


@given(st.text())
def test_cleaned_text_holds_nothing_that_steers_a_terminal(raw):
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2066\u200f\u2028" for c in clean(raw))


def test_a_name_cannot_move_the_cursor():
    # given a member whose name holds an escape sequence and a line end
    model = office_at_work()
    evil = Presence(
        state=PresenceState.ONLINE, connection_id=(1, 1, 2), presence_no=1, name="\x1b[2Jx\ny", device_info="\u202ez"
    )
    model.apply(topic(OFFICE, Kind.PRESENCE, "car-9"), codec.encode(evil), False, 109.0, NOON_MS)
    # then
    assert "[2Jxy" in text(model)
    assert "\x1b" not in text(model)
    assert "\u202e" not in text(model)


@given(raw=st.text(alphabet="abc김민수~ é\u0301"), width=st.integers(0, 12))
def test_fitted_text_takes_just_its_columns(raw, width):
    assert cells(fit(raw, width)) == width
    assert cells(fit(raw, width, right=True)) == width


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1, "0.0s"),
        (4.24, "4.2s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.6, "1m00s"),
        (185, "3m05s"),
        (7_800, "2h10m"),
        (273_600, "3d04h"),
    ],
)
def test_durations_are_short(seconds, told):
    assert duration(seconds) == told


@pytest.mark.parametrize("unix_ms", [2**53 - 1, 10**17])
def test_a_time_that_is_no_date_is_a_question_mark(unix_ms):
    assert clock(unix_ms, UTC) == "?"


def test_every_word_exists_in_both_languages_with_the_same_places():
    assert all(en and ko and en.count("{") == ko.count("{") for en, ko in _WORDS.values())


def raise_emergency(model: Model, user: str, since_ms: int, office: OfficeId = OFFICE) -> None:
    alert = Alert(
        alert="emergency",
        severity=Severity.CRITICAL,
        what="the driver raised an emergency",
        mend="help",
        since=since_ms,
    )
    model.apply(topic(office, Kind.ALERT, user, "emergency"), codec.encode(alert), True, 109.0, NOON_MS)


def test_emergencies_of_all_offices_stand_on_top_the_oldest_first():
    model = office_at_work()
    raise_emergency(model, "car-1", NOON_MS + 5000)
    raise_emergency(model, "car-9", NOON_MS + 1000, OfficeId("busan", "port"))

    shown = [line.rstrip() for line in lines(model)]

    assert shown[1:3] == [
        "!! EMERGENCY  22:13:21  busan/port  car-9",
        "!! EMERGENCY  22:13:25  seoul/north  김민수 (car-1)",
    ]
    assert "!! 긴급  22:13:25  seoul/north  김민수 (car-1)" in [line.rstrip() for line in lines(model, lang="ko")]


def test_an_emergency_is_not_scrolled_away_and_goes_when_it_is_cleared():
    model = office_at_work()
    raise_emergency(model, "car-1", NOON_MS)

    assert lines(model, height=8, scroll=9)[1].startswith("!! EMERGENCY")

    model.apply(topic(OFFICE, Kind.ALERT, "car-1", "emergency"), b"", False, 110.0, NOON_MS)
    assert "!!" not in text(model)


def test_many_emergencies_leave_room_for_the_rest():
    model = office_at_work()
    for n in range(9):
        raise_emergency(model, f"car-{n}", NOON_MS + n)

    shown = [line.rstrip() for line in lines(model)]

    assert [line[:2] for line in shown].count("!!") == 6
    assert shown[6] == "!! 4 more emergencies"


def test_an_office_shows_its_emergencies_before_its_other_alerts():
    model = office_at_work()
    raise_emergency(model, "car-9", NOON_MS)

    alerts = [line for line in lines(model) if line.startswith("  ! ")]

    assert ["car-9 emergency" in line for line in alerts] == [True, False]
