"""What a driver is shown and what the head unit is told, by all that happens to a vehicle."""

from __future__ import annotations

import pytest

from gateway.core.words import FromWorker, LinkDown, LinkUp, Look, Pressed, Received, Released, Show, WorkerGone
from protocol.messages import Ended, FloorGranted, FloorQueued, FloorRenewed
from protocol.topics import Kind
from protocol.worker import Pong
from tests.core.gateway_bench import session
from tests.core.gateway_vehicle_rig import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_the_light_follows_what_happens(rig: Rig) -> None:
    looks = [rig.shows()]
    rig.worker_up()
    looks.append(rig.shows())
    rig.feed(LinkUp())
    looks.append(rig.shows())
    rig.feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    looks.append(rig.shows())
    rig.feed(Received(kind=Kind.SESSION, message=session(2, 4, None, ended=Ended.RELEASED)))
    rig.feed(Pressed(at=rig.now))
    looks.append(rig.shows())
    rig.reply(FloorQueued(rev=3, request_id=(0, 7, 1, 1), position=1))
    looks.append(rig.shows())
    rig.grant()
    looks.append(rig.shows())
    rig.reply(FloorRenewed(rev=11, burst=5, renew_no=1))
    looks.append(rig.shows())
    rig.feed(WorkerGone(reason="died"))
    looks.append(rig.shows())

    assert looks == [
        Look.NO_LINK,
        Look.NO_LINK,
        Look.READY,
        Look.LISTENING,
        Look.ASKING,
        Look.WAITING,
        Look.MUTED,
        Look.TALKING,
        Look.NO_VOICE,
    ]


def test_the_light_says_for_the_last_seconds_of_a_talk_that_its_time_is_nearly_up(rig: Rig) -> None:
    rig.up()
    rig.feed(Pressed(at=rig.now))
    rig.reply(FloorGranted(rev=10, request_id=(0, 7, 1, 1), burst=5, duration_s=7, lease_s=3))
    rig.reply(FloorRenewed(rev=11, burst=5, renew_no=1))

    looks = []
    for wait_s in (1.9, 0.2):
        rig.wait(wait_s)
        looks.append(rig.shows())
    rig.feed(Released(at=rig.now))
    rig.wait(3.0)
    rig.feed(Pressed(at=rig.now))
    rig.grant(press=2, burst=6, rev=20)
    rig.reply(FloorRenewed(rev=21, burst=6, renew_no=1))
    looks.append(rig.shows())

    assert looks == [Look.TALKING, Look.ENDING, Look.TALKING]


def test_a_light_that_says_not_heard_goes_before_one_that_says_time_is_nearly_up(rig: Rig) -> None:
    rig.up()
    rig.feed(Pressed(at=rig.now))
    rig.reply(FloorGranted(rev=10, request_id=(0, 7, 1, 1), burst=5, duration_s=7, lease_s=3))
    rig.reply(FloorRenewed(rev=11, burst=5, renew_no=1))

    rig.wait(3.5)

    assert rig.shows() is Look.MUTED


def test_the_head_unit_is_muted_while_the_microphone_is_open_or_voice_plays_and_a_little_longer(rig: Rig) -> None:
    rig.up()

    def muted() -> bool:
        return [effect.mute_radio for _, effect in rig.all if isinstance(effect, Show)][-1]

    states = [muted()]
    rig.feed(Pressed(at=rig.now))
    states.append(muted())
    rig.feed(Released(at=rig.now))
    states.append(muted())
    rig.wait(0.35)
    states.append(muted())
    rig.feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    states.append(muted())
    rig.feed(Received(kind=Kind.SESSION, message=session(2, 4, None, ended=Ended.RELEASED)))
    states.append(muted())
    rig.wait(0.35)
    states.append(muted())

    assert states == [False, True, True, False, True, True, False]


def test_the_radio_is_not_muted_for_a_speaker_whose_end_cannot_be_told(rig: Rig) -> None:
    rig.up().feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))
    muted = [effect.mute_radio for _, effect in rig.all if isinstance(effect, Show)][-1]

    rig.feed(LinkDown(reason="gone"))
    rig.wait(3.0)

    assert muted
    assert not [effect.mute_radio for _, effect in rig.all if isinstance(effect, Show)][-1]


def test_light_and_mute_line_follow_a_speaker_who_is_heard_and_not_the_last_word_of_a_server_that_died(
    rig: Rig,
) -> None:
    played = 0

    def listen(seconds: int, frames_a_second: int) -> Show:
        nonlocal played
        for _ in range(seconds):
            rig.wait(1.0)
            played += frames_a_second
            pong = Pong(no=1, link=True, capture=True, playback=True, frames_played=played)
            rig.feed(FromWorker(event=pong))
        return [effect for _, effect in rig.all if isinstance(effect, Show)][-1]

    rig.up().feed(Received(kind=Kind.SESSION, message=session(1, 4, "car-2")))

    assert listen(30, 50) == Show(look=Look.LISTENING, mute_radio=True)
    assert listen(10, 0) == Show(look=Look.READY, mute_radio=False)
    assert listen(2, 50) == Show(look=Look.LISTENING, mute_radio=True)
