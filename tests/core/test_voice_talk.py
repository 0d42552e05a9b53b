"""The talk gate: permission, pre-roll and hold, with opaque frames and virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.timers import PRE_ROLL_S, TRANSMIT_LEASE_S
from protocol.worker import Arm, Drained, Hold, KeyUp, Mute, Transmit
from tests.core.voice_talk_rig import R1, R2, Mouth, go


def test_speech_from_the_edge_on_goes_first_when_the_floor_is_granted() -> None:
    # given a microphone that runs, and an edge in the middle of a frame
    mouth = Mouth()
    mouth.run(0.5)
    mouth.do(Arm(request_id=R1, edge_at=0.494))
    mouth.run(0.8)
    assert mouth.sent == []
    # when the grant comes
    mouth.do(go())
    # then everything since the edge leaves at once, in order, and nothing from before it
    assert mouth.spans[0] == (0.494, 0.5)
    assert mouth.spans[-1][1] == pytest.approx(0.8)
    assert [send.seq for _, send in mouth.sent] == list(range(31))
    assert [send.capture_ms for _, send in mouth.sent][:3] == [0, 6, 16]
    assert {at for at, _ in mouth.sent} == {0.8}


def test_a_burst_taken_up_half_way_goes_on_above_all_numbers_and_times_sent_of_it() -> None:
    # given a bridge that was restarted while its phone speaks
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    # when it is permitted from a number on, and repeated
    go_on = Transmit(request_id=R1, burst=7, from_seq=5000)
    mouth.do(go_on)
    mouth.run(0.5, repeat=go_on)
    mouth.do(KeyUp(request_id=R1, at=0.5))
    mouth.run(0.6)
    # then numbers and capture times begin there and rise as ever, and the end is told with them
    assert [send.seq for _, send in mouth.sent] == list(range(5000, 5051))
    assert [send.capture_ms for _, send in mouth.sent] == [50_000 + 10 * n for n in range(51)]
    assert mouth.drained == [(mouth.drained[0][0], Drained(request_id=R1, burst=7, last_seq=5050))]


def test_a_burst_taken_up_half_way_of_which_nothing_was_said_has_no_last_frame() -> None:
    # given permission from a number on, and a microphone that gives nothing
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(Transmit(request_id=R1, burst=7, from_seq=5000))
    # when the button goes up
    mouth.do(KeyUp(request_id=R1, at=0.1))
    mouth.run(3.0, deaf=True)
    # then nothing is sent, and the end says so
    assert mouth.sent == []
    assert [drained.last_seq for _, drained in mouth.drained] == [None]


def test_an_edge_told_late_loses_no_speech_within_the_look_back() -> None:
    # given frames delivered before the word of the edge
    mouth = Mouth()
    mouth.run(0.1)
    # when the edge is told 35 ms late
    mouth.do(Arm(request_id=R1, edge_at=0.065))
    mouth.do(go())
    # then speech begins at the edge
    assert mouth.spans[0][0] == pytest.approx(0.065)
    assert mouth.spans[-1][1] == pytest.approx(0.1)


def test_pre_roll_keeps_the_newest_two_seconds() -> None:
    # given a request that waits for longer than the pre-roll may be
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.run(3.0)
    # when it is granted
    mouth.do(go())
    # then two seconds leave, and the rest was counted
    assert mouth.spans[-1][1] - mouth.spans[0][0] == pytest.approx(PRE_ROLL_S)
    assert mouth.gate.dropped == {"pre_roll_full": 100}


def test_a_mute_drops_the_pre_roll_and_it_never_joins_a_later_burst() -> None:
    # given speech of a press that is denied
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.run(0.5)
    mouth.do(Mute(request_id=R1))
    mouth.do(go())
    assert mouth.sent == []
    # when a later press is granted
    mouth.run(1.0)
    mouth.do(Arm(request_id=R2, edge_at=1.0))
    mouth.do(go(R2, 8))
    mouth.run(1.2)
    # then only its own speech leaves
    assert mouth.spans[0][0] == pytest.approx(1.0)
    assert {send.burst for _, send in mouth.sent} == {8}


def test_nothing_is_written_after_the_permission_lapsed() -> None:
    # given a burst under way whose daemon stops repeating the permission
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    mouth.run(1.0, repeat=go())
    # when nothing repeats it
    mouth.run(3.0)
    # then the last frame left within the lease
    assert mouth.sent[-1][0] < 1.0 + TRANSMIT_LEASE_S
    assert mouth.gate.microphone_open


def test_a_held_burst_resumes_with_what_is_said_then_and_never_reuses_a_number() -> None:
    # given a burst that is held for a while
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    mouth.run(0.3)
    mouth.do(Hold(burst=7))
    count = len(mouth.sent)
    mouth.run(1.0)
    assert len(mouth.sent) == count
    # when the same burst is permitted again
    mouth.do(go())
    mouth.run(1.2)
    # then speech from that moment on follows, with numbers that rise by one
    assert mouth.spans[count][0] == pytest.approx(1.0)
    assert [send.seq for _, send in mouth.sent] == list(range(len(mouth.sent)))


def test_another_burst_never_opens_a_request_that_has_one() -> None:
    # given a held burst
    mouth = Mouth()
    mouth.do(Arm(request_id=R1, edge_at=0.0))
    mouth.do(go())
    mouth.do(Hold(burst=7))
    # when the same request is permitted under another number, and an older number comes for a newer request
    mouth.do(go(R1, 9))
    mouth.do(Arm(request_id=R2, edge_at=0.0))
    mouth.do(go(R2, 6))
    mouth.run(0.3)
    # then nothing leaves
    assert mouth.sent == []
    assert mouth.gate.dropped["transmit_other_burst"] == 1
    assert mouth.gate.dropped["transmit_old"] == 1


@given(st.data())
def test_whatever_happens_only_keyed_and_permitted_speech_leaves(data: st.DataObject) -> None:
    # given any order of commands at any times, with any stalls of the transport
    mouth = Mouth()
    keyed: list[list[float]] = []
    permitted: list[tuple[int, float, float]] = []
    press = 0
    for _ in range(data.draw(st.integers(5, 40))):
        match data.draw(st.sampled_from(["arm", "go", "go", "up", "hold", "mute", "stall", "flow", "run", "run"])):
            case "arm":
                if keyed and keyed[-1][1] == float("inf"):
                    keyed[-1][1] = mouth.now
                press += 1
                keyed.append([mouth.now, float("inf")])
                mouth.do(Arm(request_id=(0, 1, 1, press), edge_at=mouth.now))
            case "go" if press:
                permitted.append((press, mouth.now, mouth.now + TRANSMIT_LEASE_S))
                mouth.do(go((0, 1, 1, press), press))
            case "up" if press:
                keyed[-1][1] = min(keyed[-1][1], mouth.now)
                mouth.do(KeyUp(request_id=(0, 1, 1, press), at=mouth.now))
            case "hold" if press:
                permitted = [(n, a, min(b, mouth.now) if n == press else b) for n, a, b in permitted]
                mouth.do(Hold(burst=press))
            case "mute":
                permitted = [(n, a, min(b, mouth.now)) for n, a, b in permitted]
                mouth.do(Mute())
            case "stall":
                mouth.room = False
            case "flow":
                mouth.room = True
            case _:
                mouth.run(mouth.now + data.draw(st.sampled_from([0.01, 0.05, 0.3, 1.0])))
    mouth.run(mouth.now + 3.0)
    # then every frame was keyed when captured, permitted and young enough when sent, and numbered once
    for at, send in mouth.sent:
        start, end = send.packet or (send.captured_at_s, send.captured_at_s)
        assert any(a - 1e-9 <= start and end <= b + 1e-9 for a, b in keyed)
        assert any(send.burst == n and a <= at <= b for n, a, b in permitted)
    numbers = [(send.burst, send.seq) for _, send in mouth.sent]
    assert numbers == sorted(set(numbers))
    assert sum(send.last for _, send in mouth.sent) <= press
    assert len({d.request_id for _, d in mouth.drained}) == len(mouth.drained)
