"""The talk gate at the end of a talk: key up, tail, and requests that follow each other."""

import pytest

from protocol.timers import TAIL_S
from protocol.worker import Arm, Drained, KeyUp
from tests.core.voice_talk_rig import FRAME_S, R1, R2, Mouth, go


def test_key_up_ends_capture_at_its_time_and_the_last_frame_says_so() -> None:
    # given a burst under way
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    mouth.run(0.4, repeat=go())
    # when the button went up in the middle of the frame under way
    mouth.do(KeyUp(request_id=R1, at=0.404))
    mouth.run(0.6)
    # then speech goes up to there, its last frame is marked, and Drained is said once with its number
    assert mouth.spans[-1] == (0.4, 0.404)
    assert [send.last for _, send in mouth.sent] == [False] * 40 + [True]
    assert [drained for _, drained in mouth.drained] == [Drained(request_id=R1, burst=7, last_seq=40)]
    assert not mouth.gate.microphone_open


def test_speech_not_yet_sent_from_behind_the_key_up_is_dropped() -> None:
    # given a stalled transport and a key-up told late
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    mouth.run(0.2)
    mouth.room = False
    mouth.run(0.3)
    # when the button had gone up 50 ms before
    mouth.do(KeyUp(request_id=R1, at=0.25))
    mouth.room = True
    mouth.pump()
    # then nothing captured behind it leaves
    assert mouth.spans[-1][1] <= 0.25 + 1e-9
    assert mouth.sent[-1][1].last


def test_a_press_released_before_its_grant_is_sent_whole_when_the_grant_comes() -> None:
    # given a short press without an answer yet
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.run(0.3)
    mouth.do(KeyUp(request_id=R1, at=0.3))
    mouth.run(0.8)
    # when the grant comes
    mouth.do(go())
    # then all of it leaves and it is drained
    assert mouth.spans[0][0] == 0.0
    assert mouth.spans[-1][1] == pytest.approx(0.3)
    assert mouth.drained == [(mouth.now, Drained(request_id=R1, burst=7, last_seq=29))]


def test_a_press_never_granted_is_drained_of_nothing_two_seconds_after_key_up() -> None:
    # given a short press that nobody answers
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.run(0.3)
    mouth.do(KeyUp(request_id=R1, at=0.3))
    # when time passes
    mouth.run(3.0)
    # then it ends by itself
    ((at, drained),) = mouth.drained
    assert drained == Drained(request_id=R1, burst=None, last_seq=None)
    assert at == pytest.approx(0.3 + TAIL_S, abs=FRAME_S)
    assert mouth.gate.idle


def test_no_frame_leaves_later_than_the_tail_whatever_the_daemon_permits() -> None:
    # given a transport that is stalled from before key-up
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    mouth.run(0.2)
    mouth.room = False
    mouth.do(KeyUp(request_id=R1, at=0.2))
    mouth.run(2.3, repeat=go())
    # when it opens again behind the tail
    mouth.room = True
    mouth.run(3.0, repeat=go())
    # then nothing more leaves and it was drained at the bound
    assert mouth.sent[-1][0] <= 0.2
    assert mouth.drained[0][0] == pytest.approx(0.2 + TAIL_S, abs=2 * FRAME_S)


def test_the_tail_of_an_old_request_and_the_pre_roll_of_a_new_one_do_not_mix() -> None:
    # given an old request that drains through a stalled transport, while the button is pressed again
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    mouth.run(0.2)
    mouth.room = False
    mouth.run(0.3)
    mouth.do(KeyUp(request_id=R1, at=0.3))
    mouth.do(Arm(request_id=R2, edge_at=0.32))
    mouth.run(0.4)
    # when the transport opens and then the new one is granted
    mouth.room = True
    mouth.run(0.45)
    assert {send.burst for _, send in mouth.sent} == {7}
    assert mouth.sent[-1][1].last
    mouth.do(go(R2, 8))
    # then each burst has its own speech
    new = [send for _, send in mouth.sent if send.burst == 8]
    assert new[0].packet == pytest.approx((0.32, 0.33))
    assert new[0].seq == 0


def test_a_newer_burst_ends_what_is_left_of_an_older_one() -> None:
    # given an old request stuck in its tail
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    mouth.run(0.2)
    mouth.room = False
    mouth.do(KeyUp(request_id=R1, at=0.2))
    mouth.do(Arm(request_id=R2, edge_at=0.2))
    # when the next is granted
    mouth.do(go(R2, 8))
    mouth.room = True
    mouth.run(0.4)
    # then the old one was drained and sends no more
    assert mouth.drained[0][1] == Drained(request_id=R1, burst=7, last_seq=19)
    assert {send.burst for at, send in mouth.sent if at > 0.2} == {8}
