"""The monitor's model: whatever the order, the newest wins; whatever the bytes, it goes on."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import EVENTS_KEPT_MAX, MEMBERS_MAX, Model
from protocol import codec
from protocol.ids import OfficeId
from protocol.messages import (
    Alert,
    DeviceState,
    Ended,
    Event,
    EventType,
    Presence,
    PresenceState,
    Priority,
    Roster,
    Session,
    Severity,
    Telemetry,
    VoiceHealth,
)
from protocol.topics import Kind, topic

OFFICE = OfficeId("seoul", "north")
STATES = list(PresenceState)


def session(rev: int, burst: int = 0, speaker: str | None = None, ended: Ended | None = None, **more) -> Session:
    fields = {"store": "store-1", "active": True, "channel_name": "c-1", "event_id": "e-1", **more}
    return Session(rev=rev, burst=burst, current_speaker=speaker, ended=ended, **fields)


def presence(connection: int, no: int, state: PresenceState = PresenceState.ONLINE, **more) -> Presence:
    return Presence(state=state, connection_id=(1, 1, connection), presence_no=no, **more)


def event(no: int, kind: EventType, at: int = 0, user: str | None = None, **metadata) -> Event:
    return Event(no=no, event=kind, at=at, user=user, metadata=metadata)


class Feed:
    """A model that is connected, and short words to feed it."""

    def __init__(self) -> None:
        self.model = Model(0.0)
        self.model.linked(0.0)

    def say(self, message, kind: Kind, *ids: str, at_s: float = 0.0, retained: bool = False):
        payload = b"" if message is None else codec.encode(message)
        return self.model.apply(topic(OFFICE, kind, *ids), payload, retained, at_s, int(at_s * 1000))

    @property
    def office(self):
        return self.model.offices[OFFICE]


@pytest.fixture
def feed():
    return Feed()


@given(order=st.permutations([(c, n) for c in range(1, 4) for n in range(1, 4)]), again=st.integers(0, 8))
def test_presences_in_any_order_end_in_the_newest(order, again):
    # given nine presences of three connections, in any order, one of them twice
    feed = Feed()
    for connection, no in [*order, order[again]]:
        feed.say(presence(connection, no, STATES[(connection + no) % 4]), Kind.PRESENCE, "car-1")
    # then
    assert feed.office.members["car-1"].presence == presence(3, 3, STATES[6 % 4])


@given(order=st.permutations(list(range(1, 9))), again=st.integers(0, 7))
def test_sessions_in_any_order_end_in_the_highest_rev(order, again):
    feed = Feed()
    for rev in [*order, order[again]]:
        feed.say(session(rev, burst=rev // 2, speaker="car-1" if rev % 2 else None), Kind.SESSION)
    assert feed.office.floor.session == session(8, burst=4)


STORY = [
    event(1, EventType.SPEAKER_CHANGED, 1_000, "car-1", burst=1, priority="normal"),
    event(2, EventType.BURST_ENDED, 3_500, "car-1", burst=1, ended="released", last_seq=125),
    event(3, EventType.SPEAKER_CHANGED, 4_000, "car-2", burst=2, priority="emergency"),
    event(4, EventType.BURST_ENDED, 5_000, "car-2", burst=2, ended="lost", last_seq=None),
    event(5, EventType.SPEAKER_CHANGED, 6_000, "car-1", burst=3, priority="normal"),
]


@given(order=st.permutations(STORY), again=st.integers(0, 4))
def test_events_in_any_order_and_repeated_tell_the_same_bursts(order, again):
    # given
    feed = Feed()
    for item in [*order, order[again]]:
        feed.say(item, Kind.EVENTS)
    # when
    bursts = feed.office.bursts.newest(9)
    # then
    told = [(b.number, b.user, b.priority, b.started_ms, b.length_s(), b.ended, b.last_seq) for b in bursts]
    assert told == [
        (3, "car-1", "normal", 6_000, None, "", None),
        (2, "car-2", "emergency", 4_000, 1.0, "lost", None),
        (1, "car-1", "normal", 1_000, 2.5, "released", 125),
    ]


@given(
    topic_text=st.one_of(
        st.text(max_size=40),
        st.sampled_from([topic(OFFICE, Kind.SESSION), topic(OFFICE, Kind.PRESENCE, "a"), topic(OFFICE, Kind.EVENTS)]),
    ),
    payload=st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["type", "rev", "burst"]), inner)
            ),
            max_leaves=6,
        ).map(msgspec.json.encode),
    ),
)
def test_no_bytes_on_any_topic_raise_and_all_that_are_bad_are_counted(topic_text, payload):
    model = Model(0.0)
    changes = model.apply(topic_text, payload, False, 0.0, 0)
    assert model.bad == len([c for c in changes if c.kind == "bad"])


@given(burst=st.one_of(st.none(), st.text(max_size=3), st.booleans(), st.integers(-5, 5), st.lists(st.integers())))
def test_events_with_strange_metadata_are_kept_without_harm(burst):
    feed = Feed()
    feed.say(event(1, EventType.BURST_ENDED, burst=burst, ended=burst, last_seq=burst), Kind.EVENTS)
    assert feed.model.bad == 0


def test_a_burst_is_timed_by_what_is_seen_where_no_event_tells(feed):
    # when
    feed.say(session(1, 1, "car-1", speaker_name="Kim"), Kind.SESSION, at_s=10.0)
    feed.say(session(2, 1, ended=Ended.RELEASED, last_seq=99), Kind.SESSION, at_s=12.5)
    # then
    burst = feed.office.bursts.get(1)
    assert (burst.user, burst.name, burst.length_s(), burst.ended, burst.last_seq) == (
        *("car-1", "Kim", 2.5, "released"),
        99,
    )


def test_a_pre_empted_burst_ends_when_the_next_one_begins(feed):
    feed.say(session(1, 1, "car-1"), Kind.SESSION, at_s=10.0)
    feed.say(session(2, 2, "car-2", priority=Priority.EMERGENCY), Kind.SESSION, at_s=13.0)
    assert feed.office.bursts.get(1).length_s() == 3.0
    assert feed.office.bursts.get(2).length_s() is None


def test_the_length_of_a_burst_that_was_going_on_before_we_looked_is_not_made_up(feed):
    feed.say(session(1, 1, "car-1"), Kind.SESSION, at_s=10.0, retained=True)
    feed.say(session(2, 1, ended=Ended.RELEASED), Kind.SESSION, at_s=11.0)
    assert feed.office.bursts.get(1).length_s() is None


def test_since_tells_the_last_change_and_whether_it_was_seen(feed):
    # given a retained presence, a repetition of it with another reason, and a change
    feed.say(presence(1, 1), Kind.PRESENCE, "car-1", at_s=5.0, retained=True)
    feed.say(presence(1, 2, reason="again"), Kind.PRESENCE, "car-1", at_s=7.0)
    before = feed.office.members["car-1"]
    feed.say(presence(1, 3, PresenceState.LOST), Kind.PRESENCE, "car-1", at_s=9.0)
    after = feed.office.members["car-1"]
    # then
    assert (before.since_s, before.exact) == (5.0, False)
    assert (after.since_s, after.exact) == (9.0, True)


def test_an_alert_appears_and_is_gone_when_it_is_cured(feed):
    alert = Alert(alert="mic-lost", severity=Severity.CRITICAL, what="no microphone", mend="plug it in", since=1)
    appeared = feed.say(alert, Kind.ALERT, "car-1", "mic-lost")
    repeated = feed.say(alert, Kind.ALERT, "car-1", "mic-lost")
    cured = feed.say(None, Kind.ALERT, "car-1", "mic-lost")
    assert [len(appeared), len(repeated), len(cured)] == [1, 0, 1]
    assert cured[0].message is None
    assert feed.office.alerts == {}


def test_what_a_device_does_is_known_until_it_is_cleared_and_told_only_when_it_changes(feed):
    # given
    idle = DeviceState(floor="U: has no permission", keyed=False, voice=VoiceHealth())
    talks = DeviceState(floor="U: has permission", keyed=True, voice=VoiceHealth())
    # when
    told = [feed.say(state, Kind.DEVICE_STATE, "car-1", at_s=at) for at, state in enumerate([idle, idle, talks])]
    known = feed.office.devices["car-1"].state
    cleared = feed.say(None, Kind.DEVICE_STATE, "car-1")
    # then
    assert [len(changes) for changes in told] == [1, 0, 1]
    assert (told[0][0].kind, told[0][0].user, known) == ("device_state", "car-1", talks)
    assert (len(cleared), feed.office.devices) == (1, {})


def test_only_what_changes_something_is_a_change(feed):
    first = feed.say(session(5), Kind.SESSION)
    same, older = feed.say(session(5), Kind.SESSION), feed.say(session(4), Kind.SESSION)
    assert [len(first), len(same), len(older)] == [1, 0, 0]
    assert feed.model.late == 1


def test_after_a_reconnect_the_brokers_word_counts_and_what_it_forgot_is_forgotten(feed):
    # given what was known before the link was lost
    feed.say(session(9, 3, "car-1"), Kind.SESSION)
    feed.say(presence(2, 5), Kind.PRESENCE, "car-1")
    feed.say(presence(2, 5), Kind.PRESENCE, "car-2")
    alert = Alert(alert="hot", severity=Severity.WARNING, what="hot", mend="cool it", since=1)
    feed.say(alert, Kind.ALERT, "car-1", "hot")
    feed.say(Roster(participants=0, members=()), Kind.ROSTER)
    feed.say(DeviceState(floor="U: queued", keyed=True, voice=VoiceHealth()), Kind.DEVICE_STATE, "car-1")
    feed.say(Telemetry(at=1, uptime_s=1.0), Kind.DEVICE_TELEMETRY, "car-1")
    # when the link comes back and the broker has an older session, one member, no alert, no roster, no device
    feed.model.unlinked("gone", 1.0)
    feed.model.linked(2.0)
    feed.say(session(7), Kind.SESSION, retained=True)
    feed.say(presence(2, 4, PresenceState.LOST), Kind.PRESENCE, "car-2", retained=True)
    gone = feed.model.settled()
    # then
    assert feed.office.floor.session.rev == 7
    assert {user: m.presence.state for user, m in feed.office.members.items()} == {"car-2": PresenceState.LOST}
    assert (feed.office.alerts, feed.office.roster, feed.office.devices) == ({}, None, {})
    assert feed.office.measured == {}
    assert sorted(change.kind for change in gone) == ["alert", "device_state", "device_telemetry", "presence", "roster"]


def test_telemetry_is_kept_and_told_where_it_differs_and_cleared(feed):
    first, second = Telemetry(at=1, uptime_s=1.0), Telemetry(at=2, uptime_s=11.0)
    told = [feed.say(said, Kind.DEVICE_TELEMETRY, "car-1", at_s=at) for at, said in enumerate([first, first, second])]
    since_s = feed.office.measured["car-1"].since_s
    cleared = feed.say(None, Kind.DEVICE_TELEMETRY, "car-1")
    assert ([len(changes) for changes in told], since_s, len(cleared)) == ([1, 0, 1], 2, 1)
    assert feed.office.measured == {}


def test_the_link_says_since_when_it_is_down_however_often_dialling_fails(feed):
    feed.model.unlinked("lost", 10.0)
    feed.model.unlinked("refused", 12.0)
    assert (feed.model.link.since_s, feed.model.link.reason, feed.model.link.ever) == (10.0, "refused", True)


def test_a_message_on_another_kinds_topic_is_bad(feed):
    feed.say(session(1), Kind.PRESENCE, "car-1")
    feed.say(presence(1, 1), Kind.DEVICE_STATE, "car-1")
    assert feed.model.bad == 2
    assert "DEVICE_STATE" in feed.model.last_bad


def test_memory_is_bounded_whatever_is_published(feed):
    for number in range(MEMBERS_MAX + 2):
        feed.say(presence(1, 1), Kind.PRESENCE, f"car-{number}")
        feed.say(DeviceState(floor="", keyed=False, voice=VoiceHealth()), Kind.DEVICE_STATE, f"car-{number}")
    for number in range(1, EVENTS_KEPT_MAX + 3):
        feed.say(event(number, EventType.SPEAKER_CHANGED, user="car-1", burst=number), Kind.EVENTS)
    assert (len(feed.office.members), len(feed.office.devices), feed.model.bad) == (MEMBERS_MAX, MEMBERS_MAX, 4)
    assert len(feed.office.event_nos) == EVENTS_KEPT_MAX
    assert len(feed.office.bursts.newest(10_000)) == 50
