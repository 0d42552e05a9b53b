"""The session a vehicle follows, care of its worker, alerts, indicators and timers: the core's smaller parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.alerts import KNOWN, Alerts
from gateway.core.context import Context, Timers
from gateway.core.indicators import LIGHTS, TABLE, sentence
from gateway.core.told import Told
from gateway.core.words import Look, Publish, Tell, ToWorker
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
from protocol.messages import Alert, Ended, Session
from protocol.topics import Kind
from protocol.worker import Device, Hello, Play, Pong, SoundDevice, Stop, VoiceLink
from tests.core.gateway_bench import session, words
from tests.core.gateway_parts_rig import Parts


@pytest.fixture
def parts() -> Parts:
    return Parts()


def heard(parts: Parts) -> tuple[str, ...]:
    return words(parts.ctx.take())


# --- listener ---------------------------------------------------------------------------------------------------------


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


# --- worker care ------------------------------------------------------------------------------------------------------


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


# --- alerts and indicators --------------------------------------------------------------------------------------------


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


# --- timers -----------------------------------------------------------------------------------------------------------


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
