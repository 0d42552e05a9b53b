"""Dialling for ever, presence in its order, heartbeats, and the session a vehicle follows: the core's smaller parts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.core.alerts import KNOWN, Alerts
from gateway.core.context import Context, Timers
from gateway.core.indicators import LIGHTS, TABLE, sentence
from gateway.core.link import BACK_AFTER_S, FIRST_WAIT_S, STEADY_S, TOLD_AFTER_S, WAIT_S_MAX, Link
from gateway.core.listener import Listener
from gateway.core.presence import PresenceKeeper
from gateway.core.told import Told
from gateway.core.words import Dial, Look, Note, Publish, Tell, ToWorker
from gateway.core.worker_care import (
    PING_S,
    SILENT_S,
    STARTING_S,
    WAIT_S,
    WorkerCare,
)
from gateway.core.worker_care import (
    STEADY_S as WORKER_STEADY_S,
)
from gateway.core.worker_care import (
    WAIT_S_MAX as WORKER_WAIT_S_MAX,
)
from protocol.ids import JSON_INT_MAX
from protocol.messages import Alert, Ended, Heartbeat, Presence, PresenceState, Session
from protocol.timers import HEARTBEAT_ACK_S, HEARTBEAT_RETRY_S, HEARTBEAT_S, JOIN_SPREAD_S
from protocol.topics import Kind
from protocol.worker import Device, Hello, Play, Pong, SoundDevice, Stop, VoiceLink
from tests.core.gateway_bench import session, words


class Parts:
    """Link, presence and listener over one context, with a chance that can be set."""

    def __init__(self) -> None:
        self.chance = 0.5
        self.ctx = Context("car-1", lambda: self.chance)
        who = Presence(state=PresenceState.ONLINE, connection_id=(3, 8, 0), presence_no=0, name="one", hardware="pi-1")
        self.presence = PresenceKeeper(self.ctx, who)
        self.link = Link(self.ctx, self.presence, 3, 8)
        self.listener = Listener(self.ctx, self.presence)

    def connected(self, now: float = 0.0) -> Parts:
        self.link.start(now)
        self.link.tick(now)
        self.link.up(now)
        self.presence.connected(now, 1000)
        self.ctx.take()
        return self

    def presences(self) -> list[Presence]:
        return [e.message for e in self.ctx.take() if isinstance(e, Publish) and isinstance(e.message, Presence)]

    def dials(self) -> list[Dial]:
        return [e for e in self.ctx.take() if isinstance(e, Dial)]


@pytest.fixture
def parts() -> Parts:
    return Parts()


# --- link ------------------------------------------------------------------------------------------------------------


def test_it_dials_at_once_with_its_identity_and_a_will_newer_than_anything_it_will_say(parts: Parts) -> None:
    parts.link.start(10.0)
    parts.link.tick(10.0)

    [dial] = parts.dials()

    assert dial.connection_id == (3, 8, 1)
    assert (dial.will.connection_id, dial.will.presence_no) == ((3, 8, 1), JSON_INT_MAX)
    assert (dial.will.state, dial.will.in_channel, dial.will.name) == (PresenceState.LOST, None, "one")


def test_each_attempt_has_a_newer_connection_id(parts: Parts) -> None:
    parts.link.start(0.0)
    ids = []
    now = 0.0
    for _ in range(5):
        parts.link.tick(now)
        ids += [dial.connection_id for dial in parts.dials()]
        parts.link.down(now, "refused")
        now = parts.link.next_deadline() or 0.0
        now += WAIT_S_MAX

    assert ids == [(3, 8, n) for n in range(1, 6)]


@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_it_never_stops_trying_and_waits_longer_within_bounds_with_jitter(parts: Parts, chance: float) -> None:
    parts.chance = chance
    parts.link.start(0.0)
    now, waits = 0.0, []
    for _ in range(40):
        parts.link.tick(now)
        assert len(parts.dials()) == 1
        parts.link.down(now, "refused")
        parts.link.lost = True  # only dialling is looked at here
        deadline = parts.link.next_deadline()
        assert deadline is not None
        waits.append(deadline - now)
        now = deadline

    assert waits[0] == pytest.approx(FIRST_WAIT_S * (0.5 + chance / 2))
    assert waits[-1] == pytest.approx(WAIT_S_MAX * (0.5 + chance / 2))
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(waits))


def test_no_second_attempt_is_made_while_one_is_under_way(parts: Parts) -> None:
    parts.link.start(0.0)
    parts.link.tick(0.0)
    parts.link.tick(5.0)

    assert len(parts.dials()) == 1
    assert not parts.link.waits_to_dial


@pytest.mark.parametrize(("lived_s", "wait_s"), [(STEADY_S, FIRST_WAIT_S), (STEADY_S - 1, FIRST_WAIT_S * 8)])
def test_only_a_connection_that_lasted_resets_the_back_off(parts: Parts, lived_s: float, wait_s: float) -> None:
    parts.chance = 1.0
    parts.link.start(0.0)
    for _ in range(3):
        parts.link.down(0.0, "refused")
    parts.link.up(1.0)

    parts.link.down(1.0 + lived_s, "lost")

    assert parts.link._dial_at == pytest.approx(1.0 + lived_s + wait_s)


def test_the_driver_is_told_of_a_link_that_stays_away_once_and_when_it_is_back(parts: Parts) -> None:
    parts.connected()
    parts.link.down(10.0, "lost")
    parts.link.tick(10.0 + TOLD_AFTER_S - 0.01)
    early = [e.what for e in parts.ctx.take() if isinstance(e, Tell)]
    for extra_s in (0.0, 1.0, 2.0):
        parts.link.tick(10.0 + TOLD_AFTER_S + extra_s)
    late = [e.what for e in parts.ctx.take() if isinstance(e, Tell)]
    parts.link.up(20.0)
    parts.link.tick(20.0 + BACK_AFTER_S)
    back = [e.what for e in parts.ctx.take() if isinstance(e, Tell)]

    assert (early, late, back) == ([], [Told.LINK_LOST], [Told.LINK_BACK])


def test_a_link_that_is_back_soon_is_not_worth_a_word(parts: Parts) -> None:
    parts.connected()
    parts.link.down(10.0, "lost")
    parts.link.up(10.5)

    assert [e for e in parts.ctx.take() if isinstance(e, Tell)] == []


def test_the_log_has_one_line_for_the_same_reason_over_and_over(parts: Parts) -> None:
    parts.link.start(0.0)
    for _ in range(5):
        parts.link.down(0.0, "refused")
    parts.link.down(0.0, "no route")

    assert [e.fields["reason"] for e in parts.ctx.take() if isinstance(e, Note)] == ["refused", "no route"]


def test_a_stopped_link_dials_no_more(parts: Parts) -> None:
    parts.link.start(0.0)
    parts.link.stop()
    parts.link.tick(100.0)

    assert parts.dials() == []


# --- presence --------------------------------------------------------------------------------------------------------


def test_it_says_online_first_on_every_connection_with_a_number_that_begins_anew(parts: Parts) -> None:
    parts.link.start(0.0)
    said = []
    for now in (0.0, 50.0):
        parts.link.tick(now)
        parts.link.up(now)
        parts.presence.connected(now, 1000)
        said += parts.presences()
        parts.link.down(now + 1, "lost")
        parts.presence.disconnected()

    assert [(p.connection_id, p.presence_no, p.state) for p in said] == [
        ((3, 8, 1), 1, PresenceState.ONLINE),
        ((3, 8, 2), 1, PresenceState.ONLINE),
    ]


def test_joins_are_told_within_a_second_at_random_and_only_the_newest(parts: Parts) -> None:
    parts.connected()
    parts.chance = 0.9

    parts.presence.channel("e-1", 1.0)
    parts.presence.tick(1.0 + 0.5 * JOIN_SPREAD_S)
    early = parts.presences()
    parts.presence.channel("e-2", 1.6)
    parts.presence.tick(1.0 + JOIN_SPREAD_S)

    assert early == []
    assert [(p.in_channel, p.presence_no) for p in parts.presences()] == [("e-2", 2)]


def test_a_channel_left_and_joined_again_meanwhile_is_no_news(parts: Parts) -> None:
    parts.connected()
    parts.presence.channel("e-1", 1.0)
    parts.presence.channel(None, 1.1)
    parts.presence.tick(3.0)

    assert parts.presences() == []


@pytest.mark.parametrize(
    ("change", "corrected"),
    [
        ({}, False),
        ({"presence_no": 0}, False),
        ({"state": PresenceState.LOST, "presence_no": 5}, True),
        ({"state": PresenceState.OFFLINE, "presence_no": 5}, True),
        ({"connection_id": (3, 7, 9), "presence_no": 40}, True),
        ({"connection_id": (3, 7, 9), "presence_no": JSON_INT_MAX, "state": PresenceState.LOST}, True),
        ({"presence_no": 9}, True),
        ({"connection_id": (3, 9, 1)}, False),
    ],
)
def test_the_brokers_copy_is_put_right_unless_it_is_ours_or_newer(
    parts: Parts, change: dict[str, object], corrected: bool
) -> None:
    parts.connected()
    mine = Presence(state=PresenceState.ONLINE, connection_id=(3, 8, 1), presence_no=1, name="one")

    parts.presence.retained(replace(mine, **change), 1.0)
    parts.presence.tick(2.5)

    said = parts.presences()
    assert len(said) == corrected
    assert all(p.state is PresenceState.ONLINE and p.connection_id == (3, 8, 1) for p in said)


def test_corrections_come_at_most_once_a_second(parts: Parts) -> None:
    parts.connected()
    dead = Presence(state=PresenceState.LOST, connection_id=(3, 8, 1), presence_no=5)
    said = 0
    for tenth in range(50):
        parts.presence.retained(dead, tenth / 10)
        parts.presence.tick(tenth / 10)
        said += len(parts.presences())

    assert said <= 6


def test_a_newer_unit_under_the_same_user_is_told_and_left_alone(parts: Parts) -> None:
    parts.connected()

    newer = Presence(state=PresenceState.ONLINE, connection_id=(4, 1, 1), presence_no=1)
    parts.presence.retained(newer, 1.0)

    assert parts.presence.newer_elsewhere == 1
    assert [e.warning for e in parts.ctx.take() if isinstance(e, Note)] == [True]


@pytest.mark.parametrize(
    ("seen", "outdone"),
    [
        ({"connection_id": (3, 9, 4), "state": PresenceState.LOST, "presence_no": JSON_INT_MAX}, True),
        ({"connection_id": (3, 9, 4), "state": PresenceState.OFFLINE}, True),
        ({"connection_id": (3, 9, 4), "hardware": "pi-1"}, True),
        ({"connection_id": (3, 9, 4), "hardware": None}, True),
        ({"connection_id": (3, 9, 4), "hardware": "pi-2"}, False),
        ({"connection_id": (3, 9, 4), "hardware": "pi-2", "state": PresenceState.LOST}, True),
        ({"connection_id": (4, 1, 1), "state": PresenceState.LOST}, False),
        ({"connection_id": (4, 1, 1)}, False),
        ({"connection_id": (3, JSON_INT_MAX, 1), "state": PresenceState.LOST}, False),
        ({"connection_id": (3, 8, 1), "state": PresenceState.LOST}, False),
        ({"connection_id": (3, 8, 1), "state": PresenceState.LOST, "presence_no": JSON_INT_MAX}, True),
    ],
)
def test_a_newer_connection_is_outdone_unless_it_lives_in_another_unit_or_was_enrolled_later(
    parts: Parts, seen: dict[str, object], outdone: bool
) -> None:
    """A new card whose clock is not set counts its starts from below what the old card had: nobody would hear it. The
    broker has one connection of a user: what lives under it by an old word, and is not another unit's, is dead."""
    parts.connected()
    online = Presence(state=PresenceState.ONLINE, connection_id=(3, 8, 1), presence_no=1, hardware="pi-1")
    other = replace(online, **seen)

    newer = parts.presence.retained(other, 1.0) and parts.link.outdo(other.connection_id)
    parts.link.down(1.0, "anew")
    parts.link.tick(1.0 + WAIT_S_MAX)

    [dial] = parts.dials()
    assert newer is outdone
    assert (dial.connection_id > other.connection_id) is (outdone or other.connection_id == (3, 8, 1))


def test_heartbeats_come_once_a_minute_and_sooner_after_one_that_was_not_acknowledged(parts: Parts) -> None:
    parts.connected()
    beats: list[tuple[float, int]] = []
    acknowledge = True
    for second in range(400):
        acknowledge = not 100 <= second < 160
        parts.presence.tick(float(second))
        for effect in parts.ctx.take():
            if isinstance(effect, Publish) and isinstance(effect.message, Heartbeat):
                beats.append((second, effect.message.beat_no))
                assert (effect.kind, effect.retain) == (Kind.HEARTBEAT, False)
                if acknowledge and effect.token is not None:
                    parts.presence.acked(effect.token)

    gaps = [b[0] - a[0] for a, b in itertools.pairwise(beats)]
    assert [number for _, number in beats] == list(range(1, len(beats) + 1))
    assert set(gaps) == {HEARTBEAT_S, HEARTBEAT_ACK_S + HEARTBEAT_RETRY_S}


def test_an_old_acknowledgement_is_not_the_newest_heartbeats(parts: Parts) -> None:
    parts.connected()
    parts.presence.tick(60.0)
    [first] = [e.token for e in parts.ctx.take() if isinstance(e, Publish)]
    parts.presence.acked(first or 0)
    parts.presence.tick(120.0)
    parts.ctx.take()

    parts.presence.acked(first or 0)
    parts.presence.tick(120.0 + HEARTBEAT_ACK_S)

    assert [e.text for e in parts.ctx.take() if isinstance(e, Note)] == ["heartbeat unacknowledged"]


def test_goodbye_is_offline_and_outside_every_channel(parts: Parts) -> None:
    parts.connected()
    parts.presence.channel("e-1", 1.0)
    parts.presence.tick(3.0)
    parts.ctx.take()

    parts.presence.goodbye()

    assert [(p.state, p.in_channel, p.presence_no) for p in parts.presences()] == [(PresenceState.OFFLINE, None, 3)]
    assert parts.presence.next_deadline() is None


# --- listener --------------------------------------------------------------------------------------------------------


def heard(parts: Parts) -> tuple[str, ...]:
    return words(parts.ctx.take())


def test_a_session_is_joined_its_burst_played_and_left_at_its_end(parts: Parts) -> None:
    parts.connected()
    parts.listener.session(session(1, 4, "car-2"))
    began = heard(parts)
    parts.listener.session(session(2, 4, None, ended=Ended.RELEASED, last_seq=9))
    stop = [e.command for e in parts.ctx.take() if isinstance(e, ToWorker)]
    parts.listener.session(session(3, 5, "car-3"))
    answered = heard(parts)
    parts.listener.session(session(4, 5, None, ended=Ended.RELEASED))
    parts.ctx.take()
    parts.listener.session(session(5, 5, None, active=False, ended=Ended.RELEASED))

    assert began == ("Join", "tell session joined", "Play", "tell someone speaks")
    assert stop == [Stop(burst=4, drain=True, last_seq=9)]
    assert answered == ("Play", "tell someone speaks")
    assert heard(parts) == ("Leave", "tell session left")


def test_its_own_burst_is_not_played_to_it(parts: Parts) -> None:
    parts.listener.session(session(1, 4, "car-1"))

    assert heard(parts) == ("Join", "tell session joined")
    assert parts.listener.playing == 0


@pytest.mark.parametrize("ended", [Ended.LIMIT, Ended.PREEMPTED, Ended.LOST, Ended.CLEANED, Ended.SUPERSEDED])
def test_only_a_released_bursts_tail_is_played(parts: Parts, ended: Ended) -> None:
    parts.listener.session(session(1, 4, "car-2"))
    parts.ctx.take()

    parts.listener.session(session(2, 4, None, ended=ended, last_seq=9))

    assert [e.command for e in parts.ctx.take() if isinstance(e, ToWorker)] == [Stop(burst=4, drain=False)]


def test_a_newer_burst_cuts_the_older_one(parts: Parts) -> None:
    parts.listener.session(session(1, 4, "car-2"))
    parts.ctx.take()

    parts.listener.session(session(2, 5, "car-3"))

    commands = [e.command for e in parts.ctx.take() if isinstance(e, ToWorker)]
    assert commands == [Stop(burst=4, drain=False), Play(burst=5, user="car-3")]


def test_a_name_is_spoken_only_when_the_speaker_changed(parts: Parts) -> None:
    said = []
    for rev, speaker in enumerate(["car-2", None, "car-2", None, "car-3"]):
        parts.listener.session(session(rev + 1, 4 + rev // 2, speaker, ended=None if speaker else Ended.RELEASED))
        said += [e.name for e in parts.ctx.take() if isinstance(e, Tell) and e.what is Told.SOMEONE_SPEAKS]

    assert said == ["car-2", "car-3"]


@given(
    st.permutations(
        [
            session(1, 1, "car-2"),
            session(2, 1, None, ended=Ended.RELEASED),
            session(3, 2, "car-3"),
            session(3, 2, "car-3"),
        ]
    )
)
def test_in_whatever_order_sessions_come_the_newest_is_played_in_the_end(order: list[Session]) -> None:
    parts = Parts()
    for each in order:
        parts.listener.session(each)

    assert parts.listener.playing == 2
    plays = [e.command.burst for e in parts.ctx.take() if isinstance(e, ToWorker) and isinstance(e.command, Play)]
    assert plays == sorted(set(plays))


def test_a_store_other_than_the_known_one_counts_its_revs_anew(parts: Parts) -> None:
    parts.listener.session(session(50, 4, None, active=False))

    assert parts.listener.session(session(1, 9, "car-2", store="another"))
    assert parts.listener.playing == 9


def test_a_new_worker_is_told_channel_and_burst_again(parts: Parts) -> None:
    parts.listener.session(session(1, 4, "car-2"))
    parts.ctx.take()
    parts.listener.worker_gone(1.0)
    assert parts.listener.playing == 0

    parts.listener.worker_ready()

    assert [type(e.command).__name__ for e in parts.ctx.take() if isinstance(e, ToWorker)] == ["Join", "Play"]


def test_only_the_running_sessions_join_makes_a_participant(parts: Parts) -> None:
    parts.connected()
    parts.listener.session(session(1, 4, "car-2"))
    parts.listener.joined_channel("e-0", 1.0)
    before = parts.listener.joined
    parts.listener.joined_channel("e-1", 1.0)

    assert (before, parts.listener.joined) == (False, True)


# --- worker care -----------------------------------------------------------------------------------------------------


class Care:
    def __init__(self) -> None:
        self.ctx = Context("car-1", lambda: 0.5)
        self.care = WorkerCare(self.ctx)
        self.care.start(0.0)

    def said(self) -> tuple[str, ...]:
        return words(self.ctx.take())

    def up(self, now: float = 0.5) -> Care:
        self.care.hello(Hello(pid=1, transport="mqtt"), now)
        self.care.device(SoundDevice(device=Device.CAPTURE, ok=True))
        self.care.device(SoundDevice(device=Device.PLAYBACK, ok=True))
        self.care.voice_link(VoiceLink(up=True))
        self.ctx.take()
        return self


def test_a_press_is_possible_once_worker_microphone_and_voice_link_are_there() -> None:
    care = Care()
    problems = [care.ctx.voice_problem]
    care.care.hello(Hello(pid=1, transport="mqtt"), 0.5)
    problems.append(care.ctx.voice_problem)
    care.care.device(SoundDevice(device=Device.CAPTURE, ok=True))
    problems.append(care.ctx.voice_problem)
    care.care.voice_link(VoiceLink(up=True))

    assert [*problems, care.ctx.voice_problem] == [Told.NO_VOICE, Told.NO_MICROPHONE, Told.NO_CONNECTION, None]


def test_a_missing_speaker_does_not_keep_the_driver_from_talking() -> None:
    care = Care().up()

    care.care.device(SoundDevice(device=Device.PLAYBACK, ok=False, detail="gone"))

    assert care.ctx.voice_problem is None


def test_it_is_asked_every_second_and_killed_when_it_does_not_answer() -> None:
    care = Care().up(0.0)
    said = []
    for tenth in range(100):
        now = tenth / 10
        care.care.tick(now)
        if now < 3:
            care.care.pong(Pong(no=1, link=True, capture=True, playback=True), now)
        said += [(word, now) for word in care.said()]

    pings = [now for word, now in said if word == "Ping"]
    kills = [now for word, now in said if word == "kill worker"]
    assert pings[:4] == [0.0, PING_S, 2 * PING_S, 3 * PING_S]
    assert kills[0] == pytest.approx(2.9 + SILENT_S, abs=0.11)


def test_one_that_never_says_hello_is_killed() -> None:
    care = Care()
    care.said()
    care.care.tick(STARTING_S - 0.1)
    before = care.said()
    care.care.tick(STARTING_S)

    assert (before, care.said()) == ((), ("kill worker",))


def test_it_is_started_again_with_back_off_that_ends_once_it_ran_long_enough() -> None:
    care, now, waits = Care(), 0.0, []
    for _ in range(8):
        care.up(now)
        care.care.gone("died", now + 1)
        now = care.care.next_deadline() or 0.0
        waits.append(now)
        care.care.tick(now)
    gaps = [b - a - 1 for a, b in zip([0.0, *waits], waits, strict=False)]
    care.up(now)
    care.care.gone("died", now + WORKER_STEADY_S)

    assert gaps[0] == pytest.approx(WAIT_S)
    assert gaps[-1] == pytest.approx(WORKER_WAIT_S_MAX)
    assert (care.care.next_deadline() or 0) - now - WORKER_STEADY_S == pytest.approx(WAIT_S)


def test_a_dead_worker_has_no_devices_and_no_health() -> None:
    care = Care().up()

    care.care.gone("died", 1.0)

    assert (care.care.devices, care.ctx.voice_problem, care.care.health.worker) == ({}, Told.NO_VOICE, "down")
    assert not care.care.health.capture


# --- alerts and indicators -------------------------------------------------------------------------------------------


def test_an_alert_is_retained_while_it_holds_and_cleared_when_cured() -> None:
    ctx = Context("car-1", lambda: 0.5)
    ctx.link_up = True
    alerts = Alerts(ctx)
    for holds in (True, True, False, False):
        alerts.set("microphone", holds, 1234)

    published = [e for e in ctx.take() if isinstance(e, Publish)]

    assert [(e.kind, e.ids, e.retain) for e in published] == [(Kind.ALERT, ("car-1", "microphone"), True)] * 2
    assert isinstance(published[0].message, Alert) and published[0].message.since == 1234
    assert published[1].message is None


def test_a_new_connection_tells_every_alert_and_clears_those_an_earlier_run_left() -> None:
    ctx = Context("car-1", lambda: 0.5)
    alerts = Alerts(ctx)
    alerts.set("microphone", True, 1)
    ctx.link_up = True
    ctx.take()

    alerts.connected()

    told = {e.ids[1]: e.message is not None for e in ctx.take() if isinstance(e, Publish)}
    assert told == {name: name == "microphone" for name in KNOWN}


@pytest.mark.parametrize("told", Told)
@pytest.mark.parametrize("lang", ["ko", "en"])
def test_everything_the_driver_can_be_told_has_a_row_that_is_felt_or_heard(told: Told, lang: str) -> None:
    row = TABLE[told]

    text = sentence(told, lang, "김기사", 7.4)

    assert row.vibration or row.sound
    assert "{" not in text and "}" not in text
    assert bool(row.ko) == bool(row.en)
    assert len(text) <= 300


def test_every_look_has_a_light_of_its_own() -> None:
    assert set(LIGHTS) == set(Look)
    assert len({(light.colour, light.on_ms, light.off_ms) for light in LIGHTS.values()}) == len(Look)


def test_a_refusal_is_spoken_with_name_and_time_where_they_are_known() -> None:
    known = sentence(Told.DENIED, "ko", "김기사", 7.4)
    unknown = sentence(Told.DENIED, "ko", "", None)

    assert "김기사" in known and "7초" in known
    assert unknown == "다른 사용자가 통화 중입니다. 잠시 후 다시 시도해주세요"


# --- timers ----------------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 100), max_size=8), st.floats(0, 100))
def test_timers_expire_in_order_and_only_when_due(timers: dict[str, float], now: float) -> None:
    held = Timers()
    for name, at in timers.items():
        held.set(name, at)
    expired = []
    while (name := held.expire(now)) is not None:
        expired.append(timers[name])

    assert expired == sorted(at for at in timers.values() if at <= now)
    assert held.next() == min((at for at in timers.values() if at > now), default=None)
