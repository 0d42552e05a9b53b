"""The talk gate where something is late or missing: the way, the microphone, the daemon."""

import pytest

from protocol.timers import PRE_ROLL_S, SEND_AGE_S
from protocol.worker import Arm, Drained, KeyUp, Mute
from tests.core.voice_talk_rig import FRAME_S, R1, R2, Mouth, go


def test_live_speech_is_dropped_rather_than_sent_late_but_waiting_for_the_grant_costs_nothing() -> None:
    # given 1.5 s of pre-roll and a transport that stalls from the grant on
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.run(1.5)
    mouth.room = False
    mouth.do(go())
    mouth.run(1.9, repeat=go())
    mouth.room = True
    mouth.pump()
    # then within 500 ms of the grant all of it still leaves
    assert mouth.spans[0][0] == 0.0
    # when the transport stalls for a second in live speech
    mouth.room = False
    mouth.run(2.9, repeat=go())
    mouth.room = True
    mouth.run(3.0, repeat=go())
    # then no speech is sent older than the bound
    late = [at - send.captured_at_s for at, send in mouth.sent if at > 1.91]
    assert max(late) <= SEND_AGE_S + 1e-6
    assert mouth.gate.dropped["too_old"] > 0


def test_speech_waits_for_its_way_as_it_waits_for_the_grant() -> None:
    # given a grant after half a second, and a way that takes a second more
    mouth = Mouth()
    mouth.room = False
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.run(0.5)
    mouth.do(go())
    mouth.run(1.5, repeat=go())
    # when it is there
    mouth.room = True
    mouth.run(2.0, repeat=go())
    # then everything said since the edge leaves, and nothing was dropped
    assert mouth.spans[0][0] == 0.0
    assert mouth.spans[-1][1] == pytest.approx(2.0)
    assert len(mouth.spans) == 200
    assert mouth.gate.dropped == {}


def test_a_way_that_never_opens_leaves_no_more_than_the_pre_roll_waiting() -> None:
    # given permission, and a way that takes nothing for five seconds
    mouth = Mouth()
    mouth.room = False
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    mouth.run(5.0, repeat=go())
    # when it is there at last
    mouth.room = True
    mouth.pump()
    # then the newest two seconds leave
    assert mouth.spans[0][0] == pytest.approx(5.0 - PRE_ROLL_S)
    assert mouth.gate.dropped == {"pre_roll_full": 300}


def test_over_a_paced_way_speech_may_be_late_by_what_is_still_to_be_worked_off_and_no_more() -> None:
    # given 1.5 s of pre-roll
    mouth = Mouth()
    mouth.room = False
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.run(1.5)
    mouth.do(go())
    # when a way takes nine tenths of what is said, in real time
    taken: list[tuple[float, float]] = []
    while mouth.now < 12.0:
        mouth.run(mouth.now + FRAME_S, repeat=go())
        mouth.do(go())
        while len(taken) * FRAME_S < 1.1 * (mouth.now - 1.5) and (send := mouth.gate.pull(mouth.now, paced=True)):
            taken.append((mouth.now, send.captured_at_s))
    # then nothing is dropped
    assert mouth.gate.dropped == {}
    # when it stalls for a second
    mouth.run(13.0, repeat=go())
    send = mouth.gate.pull(mouth.now, paced=True)
    # then what is too old is dropped here as well
    assert send is not None
    assert mouth.now - send.captured_at_s <= SEND_AGE_S + 1.5 - 0.1 * 11.5 + 0.02


def test_the_last_frame_goes_out_bare_when_its_speech_grew_too_old() -> None:
    # given a burst whose last half second cannot leave in time, under a permission that is repeated
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    mouth.run(0.2)
    mouth.room = False
    mouth.do(KeyUp(request_id=R1, at=0.25))
    mouth.run(1.2, repeat=go())
    # when the transport opens
    mouth.room = True
    mouth.pump()
    # then a bare last frame tells the listeners
    assert (mouth.sent[-1][1].packet, mouth.sent[-1][1].last) == (None, True)
    assert mouth.drained[0][1].last_seq == mouth.sent[-1][1].seq


def test_a_dead_microphone_does_not_keep_a_request_open() -> None:
    # given a burst and a microphone that delivers nothing any more
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    mouth.run(0.2)
    mouth.do(KeyUp(request_id=R1, at=0.25))
    # when it stays silent
    mouth.run(0.6, repeat=go(), deaf=True)
    # then the request is closed and drained soon
    assert mouth.drained[0][0] <= 0.55
    assert mouth.sent[-1][1].last


def test_a_key_up_nobody_knows_of_is_answered_at_once_and_only_once() -> None:
    # given a worker that never heard of the press, and one whose press was muted after its burst
    mouth = Mouth()
    mouth.do(KeyUp(request_id=R1, at=0.0))
    mouth.do(KeyUp(request_id=R1, at=0.0))
    mouth.do(Arm(request_id=R2, edge_at=0.0))
    mouth.do(go(R2, 8))
    mouth.run(0.1)
    mouth.do(Mute())
    # when it is released
    mouth.do(KeyUp(request_id=R2, at=0.1))
    mouth.do(KeyUp(request_id=R2, at=0.1))
    # then each is answered once, with what really left
    assert [drained for _, drained in mouth.drained] == [
        Drained(request_id=R1, burst=None, last_seq=None),
        Drained(request_id=R2, burst=8, last_seq=9),
    ]


def test_a_queued_press_may_be_armed_again_at_its_grant() -> None:
    # given a press that was queued, so muted
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.run(0.5)
    mouth.do(Mute(request_id=R1))
    # when its turn comes
    mouth.run(2.0)
    mouth.do(Arm(request_id=R1, edge_at=2.0))
    mouth.do(go())
    mouth.run(2.2)
    # then what is said from then on leaves
    assert mouth.spans[0][0] == pytest.approx(2.0)


def test_a_muted_request_that_had_a_burst_and_an_older_request_are_never_armed_again() -> None:
    # given a revoked burst
    mouth = Mouth()
    mouth.do(Arm(request_id=R2, edge_at=0.0))
    mouth.do(go(R2, 8))
    mouth.run(0.2)
    mouth.do(Mute(request_id=R2))
    count = len(mouth.sent)
    # when late words of it and of an older press arrive
    for request_id in (R2, R1):
        mouth.do(Arm(request_id=request_id, edge_at=0.2))
        mouth.do(go(request_id, 9))
        mouth.run(mouth.now + 0.1)
    # then nothing opens
    assert len(mouth.sent) == count
    assert mouth.gate.idle


def test_through_is_told_at_once_and_then_at_most_every_fifth_of_a_second() -> None:
    # given a burst whose frames are acknowledged as they leave
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    told = []
    # when a second of them is
    for seq in range(100):
        told += [word.seq for word in mouth.gate.acked(7, seq, seq / 64)]
    # then Through paces itself, and knows no other burst
    assert told == [0, 13, 26, 39, 52, 65, 78, 91]
    assert mouth.gate.acked(6, 1, 2.0) == ()
