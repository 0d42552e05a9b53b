"""The talk gate: permission, pre-roll, hold, tail, with opaque frames and virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.timers import PRE_ROLL_S, SEND_AGE_S, TAIL_S, TRANSMIT_LEASE_S
from protocol.worker import Arm, Drained, Hold, KeyUp, Mute, Transmit
from voice.core.talk import Cut, Send, TalkGate

FRAME_S = 0.01
R1, R2, R3 = (0, 1, 1, 1), (0, 1, 1, 2), (0, 1, 1, 3)


class Mouth:
    """A microphone and an encoder of one packet per frame around a gate; a packet is the part of time it holds."""

    def __init__(self) -> None:
        self.gate: TalkGate[float, tuple[float, float]] = TalkGate()
        self.now = 0.0
        self.sent: list[tuple[float, Send[tuple[float, float]]]] = []
        self.drained: list[tuple[float, Drained]] = []
        self.room = True

    def take(self, outs: tuple[Cut[float] | Drained, ...]) -> None:
        for out in outs:
            match out:
                case Cut():
                    packet = (out.start_s, out.end_s) if out.start_s < out.end_s else None
                    if packet or out.final:
                        self.gate.keep(out.request_id, packet, out.start_s, final=out.final)
                case Drained():
                    self.drained.append((self.now, out))

    def do(self, command: Arm | Transmit | KeyUp | Hold | Mute) -> None:
        self.take(self.gate.handle(command, self.now))
        self.pump()

    def pump(self) -> None:
        while self.room and (send := self.gate.pull(self.now)) is not None:
            self.sent.append((self.now, send))
        self.take(self.gate.tick(self.now))

    def run(self, until: float, *, repeat: Transmit | None = None, deaf: bool = False) -> None:
        last_repeat = self.now
        while self.now < until - 1e-9:
            start = self.now
            self.now = round(self.now + FRAME_S, 6)
            if repeat is not None and self.now - last_repeat >= 0.2:
                last_repeat = self.now
                self.do(repeat)
            if not deaf:
                self.take(self.gate.captured(start, start, self.now, self.now))
            self.pump()

    @property
    def spans(self) -> list[tuple[float, float]]:
        return [send.packet for _, send in self.sent if send.packet is not None]


def go(request_id: tuple[int, int, int, int] = R1, burst: int = 7) -> Transmit:
    return Transmit(request_id=request_id, burst=burst)


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
