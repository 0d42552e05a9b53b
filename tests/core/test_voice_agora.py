"""The Agora transport's channel, token and publishing, against a scripted session; the pump over both ways."""

from __future__ import annotations

import pytest

from protocol.timers import AGORA_AHEAD_S
from protocol.voice_frame import VoiceFrame
from protocol.worker import AgoraState
from tests.core.voice_agora_rig import RATE, Car, token
from voice.transports.agora.port import (
    Closed,
    Connected,
    Overrun,
    Refused,
    Speech,
    TokenExpires,
    Unusable,
)
from voice.transports.agora_voice import PACED_LATE_S
from voice.transports.port import (
    Arrived,
    Bad,
    InChannel,
    LinkDown,
    LinkUp,
    StateIs,
    TokenNeeded,
)


@pytest.fixture
def car(monkeypatch: pytest.MonkeyPatch) -> Car:
    return Car(monkeypatch)


# --- the channel ------------------------------------------------------------------------------------------------------


def test_without_a_token_one_is_asked_for_once_and_the_channel_is_joined_when_it_comes(car: Car) -> None:
    car.voice.join("e1", "c")
    car.run(1.0)
    assert car.wanted == [TokenNeeded("c", "there is none")]
    assert car.calls("connect") == []
    car.voice.token(token())
    car.session.tell(Connected("c", 120))
    assert car.calls("connect") == [("connect", "t1")]
    assert car.told[-4:] == [
        StateIs(AgoraState.JOINING),
        LinkUp(),
        StateIs(AgoraState.JOINED, "", 120),
        InChannel("e1"),
    ]


def test_the_channel_is_joined_with_a_session_and_left_with_it(car: Car) -> None:
    car.joined()
    car.voice.leave()
    assert car.calls("disconnect") == [("disconnect",)]
    assert car.states == [AgoraState.JOINING, AgoraState.JOINED, AgoraState.OFF]
    car.run(60.0)
    assert len(car.calls("connect")) == 1


def test_a_lost_channel_is_joined_again_with_growing_pauses(car: Car) -> None:
    car.joined()
    for _ in range(4):
        car.session.tell(Closed("no route", again=False))
        assert not car.voice.up
        car.run(40.0)
    # then each attempt that is not answered is given up, too, and the next one waits
    assert LinkDown("no route") in car.told
    assert 4 <= len(car.calls("connect")) <= 16
    assert car.states[-1] in (AgoraState.LOST, AgoraState.JOINING)


def test_a_channel_the_sdk_restores_by_itself_is_not_dialled_meanwhile(car: Car) -> None:
    car.joined()
    car.session.tell(Closed("interrupted", again=True))
    car.run(5.0)
    assert len(car.calls("connect")) == 1
    car.session.tell(Connected("c", 0))
    assert car.states[-2:] == [AgoraState.LOST, AgoraState.JOINED]


def test_a_refused_token_is_replaced_before_the_next_attempt(car: Car) -> None:
    car.voice.token(token())
    car.voice.join("e1", "c")
    car.session.tell(Refused("bad token", token=True))
    assert car.states[-1] is AgoraState.REFUSED
    assert car.wanted == [TokenNeeded("c", "bad token")]
    car.run(60.0)
    assert len(car.calls("connect")) == 1
    car.voice.token(token("t2"))
    assert car.calls("connect")[-1] == ("connect", "t2")


def test_a_refusal_no_token_can_mend_is_tried_again_later(car: Car) -> None:
    car.voice.token(token())
    car.voice.join("e1", "c")
    car.session.tell(Refused("kicked", token=False))
    car.run(20.0)
    assert len(car.calls("connect")) >= 2
    assert car.wanted == []


def test_a_token_that_runs_out_is_renewed_in_time_or_the_channel_is_joined_anew(car: Car) -> None:
    # given a token that the SDK warns of
    car.voice.token(token(expires_in_s=60.0))
    car.voice.join("e1", "c")
    car.session.tell(Connected("c", 1))
    car.session.tell(TokenExpires())
    car.session.tell(TokenExpires())
    assert car.wanted == [TokenNeeded("c", "it runs out")]
    # when a newer one comes, the connection takes it
    car.voice.token(token("t2", expires_in_s=60.0))
    assert car.calls("renew") == [("renew", "t2")]
    # when none comes before its end, the channel is left, and joined again once there is one
    car.run(61.0)
    assert not car.voice.up
    car.run(20.0)
    car.voice.token(token("t3"))
    assert car.calls("connect")[-1] == ("connect", "t3")


@pytest.mark.parametrize("lost", [False, True])
def test_a_token_that_comes_while_the_channel_is_being_joined_or_restored_is_used_from_then_on(
    car: Car, lost: bool
) -> None:
    # given a channel not joined yet, or about to be restored by the SDK
    car.voice.token(token("t1", expires_in_s=60.0))
    car.voice.join("e1", "c")
    for event in (Connected("c", 120), Closed("interrupted", again=True))[: 2 * lost]:
        car.session.tell(event)
    # when a newer token comes before it is joined
    car.voice.token(token("t2", expires_in_s=3600.0))
    car.session.tell(Connected("c", 120))
    # then the connection has it, and lives on when the older one runs out
    assert car.calls("renew") == [("renew", "t2")]
    car.run(90.0)
    assert car.voice.up
    assert car.wanted == []
    assert car.calls("connect") == [("connect", "t1")]


def test_one_who_is_to_hear_nobody_once_the_sdk_restored_the_channel_is_subscribed_to_nobody(car: Car) -> None:
    car.joined()
    car.voice.hear(7, "car-2", 42)
    car.session.tell(Closed("interrupted", again=True))
    car.voice.deaf()
    car.session.tell(Connected("c", 0))
    assert car.session.calls[-1] == ("unsubscribe",)


def test_a_join_that_is_never_answered_is_given_up(car: Car) -> None:
    car.voice.token(token())
    car.voice.join("e1", "c")
    car.run(30.0)
    assert AgoraState.LOST in car.states
    assert len(car.calls("connect")) >= 2


def test_an_unusable_sdk_is_told_once_and_left_alone(car: Car) -> None:
    car.session.tell(Unusable("not staged: run stage"))
    car.voice.token(token())
    car.voice.join("e1", "c")
    car.run(30.0)
    assert car.told == [StateIs(AgoraState.UNUSABLE, "not staged: run stage")]
    assert car.session.calls == []


def test_callbacks_that_were_dropped_are_told(car: Car) -> None:
    car.session.tell(Overrun(17))
    assert [type(event) for event in car.told] == [Bad]


# --- hearing ----------------------------------------------------------------------------------------------------------


def test_only_the_announced_uid_is_heard_and_only_while_it_is(car: Car) -> None:
    car.joined()
    car.session.tell(Speech(7, b"\0\0", 1.0))
    car.voice.hear(3, "car-2", 1002)
    car.session.tell(Speech(7, b"\0\0", 1.0))
    car.session.tell(Speech(1002, b"\1\0", 1.0))
    car.session.tell(Speech(1002, b"\2\0", 1.0))
    car.voice.deaf()
    car.session.tell(Speech(1002, b"\3\0", 1.0))
    heard = [event for event in car.told if isinstance(event, Arrived)]
    assert [(event.user, event.frame.burst, event.frame.seq, event.pcm) for event in heard] == [
        ("car-2", 3, 0, b"\1\0"),
        ("car-2", 3, 1, b"\2\0"),
    ]
    assert car.voice.strays == 3
    assert car.calls("subscribe") == [("subscribe", 1002)]
    assert car.calls("unsubscribe") == [("unsubscribe",)]


def test_a_speaker_announced_before_the_channel_is_joined_is_subscribed_to_when_it_is(car: Car) -> None:
    car.voice.hear(3, "car-2", 1002)
    car.joined()
    assert car.calls("subscribe") == [("subscribe", 1002)]


# --- speaking ---------------------------------------------------------------------------------------------------------


def test_one_is_broadcaster_for_ones_own_burst_only_and_never_with_a_listeners_token(car: Car) -> None:
    car.joined()
    assert car.calls("publish") == []
    car.voice.speak(7, None)
    car.voice.hush(drain=False)
    assert [call[0] for call in car.session.calls[1:]] == ["publish", "unpublish"]
    car.voice.token(token(publisher=False))
    car.voice.speak(8, None)
    assert not car.voice.publishing
    assert len(car.calls("publish")) == 1


def test_one_who_joins_in_mid_burst_publishes_then(car: Car) -> None:
    car.voice.speak(7, None)
    assert not car.voice.room(car.clock.now)
    car.joined()
    assert car.calls("publish") == [("publish",)]


def test_a_burst_that_ends_while_the_sdk_restores_the_channel_is_not_published_when_it_is_back(car: Car) -> None:
    # given a broadcaster whose connection is lost in mid-burst, and who may not speak any more when it is back
    car.joined()
    car.voice.speak(7, None)
    car.session.tell(Closed("interrupted", again=True))
    car.voice.hush(drain=False)
    car.session.tell(Connected("c", 0))
    # then it is audience again, and what was unsent is thrown away
    speaking = ("publish", "unpublish")
    assert [call[0] for call in car.session.calls if call[0] in speaking] == ["publish", "unpublish"]
    # and where it may still speak, it publishes again
    car.voice.speak(8, None)
    car.session.tell(Closed("interrupted", again=True))
    car.session.tell(Connected("c", 0))
    assert [call[0] for call in car.session.calls if call[0] in speaking][2:] == ["publish", "unpublish", "publish"]


def test_sound_is_pushed_no_further_ahead_than_allowed(car: Car) -> None:
    car.joined()
    car.voice.speak(7, None)
    pcm = bytes(round(0.02 * RATE) * 2)
    count = 0
    while car.voice.room(car.clock.now) and car.voice.send(VoiceFrame(7, count, 0, b"x"), car.clock.now, pcm):
        count += 1
    assert count == round(AGORA_AHEAD_S / 0.02)
    car.run(0.04)
    assert car.voice.room(car.clock.now)


def test_a_burst_that_ended_whole_plays_out_and_any_other_end_is_at_once(car: Car) -> None:
    car.joined()
    pcm = bytes(round(0.02 * RATE) * 2)
    car.voice.speak(7, None)
    for seq in range(4):
        car.voice.send(VoiceFrame(7, seq, 0, b"x"), car.clock.now, pcm)
    car.voice.hush(drain=True)
    assert car.calls("unpublish") == []
    assert not car.voice.send(VoiceFrame(7, 4, 0, b"x"), car.clock.now, pcm)
    car.run(0.08 + PACED_LATE_S - 0.01)
    assert car.calls("unpublish") == []
    car.run(0.02)
    assert len(car.calls("unpublish")) == 1
    car.voice.speak(8, None)
    car.voice.send(VoiceFrame(8, 0, 0, b"x"), car.clock.now, pcm)
    car.voice.hush(drain=False)
    assert len(car.calls("unpublish")) == 2


def test_the_last_syllable_is_not_cut_where_the_sdk_is_behind_its_clock(car: Car) -> None:
    # given a burst whose last frame, by our clock, has just been played out
    car.joined()
    car.voice.speak(7, None)
    car.voice.send(VoiceFrame(7, 0, 0, b"x"), car.clock.now, bytes(round(0.02 * RATE) * 2))
    car.run(0.03)
    # when it ends
    car.voice.hush(drain=True)
    # then what the SDK may not have sent yet is left to it
    assert car.calls("unpublish") == []
    car.run(PACED_LATE_S + 0.01)
    assert len(car.calls("unpublish")) == 1


def test_a_newer_burst_throws_away_what_is_left_of_an_older_one(car: Car) -> None:
    car.joined()
    car.voice.speak(7, None)
    car.voice.send(VoiceFrame(7, 0, 0, b"x"), car.clock.now, bytes(640))
    car.voice.hush(drain=True)
    car.voice.speak(8, None)
    assert [call[0] for call in car.session.calls[1:]] == ["publish", "unpublish", "publish"]
