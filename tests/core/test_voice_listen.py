"""The listen gate: only announced bursts are heard, one at a time, under virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.timers import DRAIN_S, EARLY_FRAMES_S, TAIL_HEARD_S
from voice.core.jitter import NEXT_WAITS_S, JitterBuffer, Packet
from voice.core.listen import EARLY_BURSTS_MAX, EARLY_FRAMES_MAX, Ended, ListenGate

STEP_S = 0.01
Said = tuple[int, str, int]
"""Burst, user and number of a frame: what the packets of these tests are."""


class Ear:
    """A speaker that pulls 10 ms at a time."""

    def __init__(self) -> None:
        self.gate: ListenGate[Said] = ListenGate(own_user="me", make_buffer=lambda: JitterBuffer(min_s=0.0, max_s=0.4))
        self.now = 100.0
        self.heard: list[tuple[float, Said]] = []
        self.ended: list[Ended] = []

    def say(self, user: str, burst: int, *seqs: int, last: bool = False) -> None:
        for seq in seqs:
            final = last and seq == seqs[-1]
            self.gate.frame(user, burst, seq, seq * 10, STEP_S, (burst, user, seq), last=final, now=self.now)

    def run(self, for_s: float) -> None:
        for _ in range(round(for_s / STEP_S)):
            out = self.gate.pull(self.now)
            if isinstance(out, Packet):
                self.heard.append((self.now, out.packet))
            self.now += STEP_S
            self.ended += self.gate.take_ended()

    def talk(self, user: str, burst: int, start: int, count: int) -> None:
        for seq in range(start, start + count):
            self.say(user, burst, seq)
            self.run(STEP_S)

    @property
    def said(self) -> list[Said]:
        return [said for _, said in self.heard]


def test_frames_that_overtake_their_announcement_wait_for_it_and_are_heard_whole() -> None:
    # given frames without an announcement
    ear = Ear()
    ear.say("car-1", 7, *range(20))
    ear.run(1.0)
    assert ear.heard == []
    # when it comes
    ear.gate.play(7, "car-1", ear.now)
    ear.run(0.5)
    # then all are heard from the first on
    assert ear.said == [(7, "car-1", seq) for seq in range(20)]


def test_frames_are_never_heard_on_their_own_word_nor_too_late() -> None:
    # given frames whose announcement takes too long
    ear = Ear()
    ear.say("car-1", 7, *range(20))
    ear.run(EARLY_FRAMES_S + 0.1)
    # when it comes
    ear.gate.play(7, "car-1", ear.now)
    ear.run(0.5)
    # then they are gone
    assert ear.heard == []
    assert ear.gate.discarded == {"early_expired": 20}


def test_only_the_announced_user_is_heard_and_never_oneself() -> None:
    # given frames of three users under one burst's number, some before its announcement
    ear = Ear()
    ear.say("car-2", 7, 0)
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-2", 7, 1)
    ear.say("me", 7, 1)
    ear.say("car-1", 7, 0)
    ear.run(0.2)
    # then the announced one alone is heard
    assert ear.said == [(7, "car-1", 0)]
    assert ear.gate.discarded == {"wrong_user": 2, "own": 1}


def test_a_released_burst_is_heard_to_its_last_frame_and_the_next_waits_for_it() -> None:
    # given a burst with 300 ms still to be heard
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-1", 7, *range(30))
    ear.run(STEP_S)
    # when it is released and the next speaker's announcement and voice come at once
    ear.gate.stop(7, ear.now, drain=True, last_seq=29)
    ear.gate.play(8, "car-2", ear.now)
    ear.say("car-2", 8, *range(10))
    ear.run(0.6)
    # then both are heard whole, one behind the other
    assert ear.said == [(7, "car-1", seq) for seq in range(30)] + [(8, "car-2", seq) for seq in range(10)]
    assert [(end.word.burst, end.word.frames, end.cut) for end in ear.ended] == [(7, 30, False)]


def test_a_drain_lasts_no_longer_than_its_bound() -> None:
    # given a released burst whose last frames never come
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    ear.talk("car-1", 7, 0, 5)
    stopped_at = ear.now
    ear.gate.stop(7, ear.now, drain=True, last_seq=50)
    ear.gate.play(8, "car-2", ear.now)
    ear.say("car-2", 8, *range(10))
    # when time passes
    ear.run(1.0)
    # then the next is heard behind the bound
    first = next(at for at, said in ear.heard if said[0] == 8)
    assert first - stopped_at == pytest.approx(DRAIN_S, abs=2 * STEP_S)


def test_a_released_burst_that_waited_for_the_grant_is_heard_whole_however_long_that_takes() -> None:
    # given two seconds said before the grant, and released at once
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-1", 7, *range(200))
    ear.gate.stop(7, ear.now, drain=True, last_seq=199)
    # when time passes
    ear.run(TAIL_HEARD_S + 0.1)
    # then all of it was heard, once, and the burst ended with its last frame
    assert ear.said == [(7, "car-1", seq) for seq in range(200)]
    assert [(end.word.frames, end.cut) for end in ear.ended] == [(200, False)]


def test_a_revoke_in_such_a_tail_cuts_it_at_once() -> None:
    # given the same
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-1", 7, *range(200))
    ear.gate.stop(7, ear.now, drain=True, last_seq=199)
    ear.run(0.8)
    # when it is cut
    ear.gate.stop(7, ear.now, drain=False)
    ear.run(0.1)
    # then not a frame more was heard
    assert len(ear.heard) == 80
    assert [end.cut for end in ear.ended] == [True]


def test_no_tail_is_heard_for_longer_than_its_bound_whatever_comes_of_it() -> None:
    # given a sender that floods under a number that is far away
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    stopped_at = ear.now
    ear.gate.stop(7, ear.now, drain=True, last_seq=10_000)
    for part in range(100):
        ear.say("car-1", 7, *range(10 * part, 10 * part + 10))
        ear.run(0.05)
    # then it ended at the bound
    assert ear.heard[-1][0] - stopped_at <= TAIL_HEARD_S
    assert [end.cut for end in ear.ended] == [True]


def test_the_next_burst_waits_behind_such_a_tail_and_is_heard_whole() -> None:
    # given 1.5 s still to be heard of a released burst, and a next one that had to wait for its grant as long
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-1", 7, *range(150))
    ear.gate.stop(7, ear.now, drain=True, last_seq=149)
    ear.gate.play(8, "car-2", ear.now)
    ear.say("car-2", 8, *range(200))
    # when both are played
    ear.run(4.0)
    # then both are heard whole, never at once
    assert ear.said == [(7, "car-1", seq) for seq in range(150)] + [(8, "car-2", seq) for seq in range(200)]


def test_the_next_burst_waits_no_longer_than_its_bound() -> None:
    # given a tail of over two seconds
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-1", 7, *range(230))
    ear.gate.stop(7, ear.now, drain=True, last_seq=229)
    ear.gate.play(8, "car-2", ear.now)
    ear.say("car-2", 8, *range(20))
    announced = ear.now
    # when both are played
    ear.run(4.0)
    # then the tail is cut for it
    first = next(at for at, said in ear.heard if said[0] == 8)
    assert first - announced == pytest.approx(NEXT_WAITS_S, abs=2 * STEP_S)
    assert [end.cut for end in ear.ended if end.word.burst == 7] == [True]


def test_a_drain_without_a_last_number_plays_what_is_there() -> None:
    # given a burst of a lost speaker's tail
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-1", 7, 0, 1, 2)
    # when it stops without a number
    ear.gate.stop(7, ear.now, drain=True)
    ear.run(0.2)
    # then what was there was heard and it ended
    assert len(ear.heard) == 3
    assert ear.ended[0].word.burst == 7


def test_a_stop_without_drain_cuts_at_once_even_in_a_drain() -> None:
    # given a burst that drains
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-1", 7, *range(30))
    ear.run(0.05)
    ear.gate.stop(7, ear.now, drain=True, last_seq=29)
    ear.run(0.05)
    # when it is cut
    ear.gate.stop(7, ear.now, drain=False)
    ear.run(0.3)
    # then not a frame more was heard
    assert len(ear.heard) == 10
    assert ear.ended[0].cut


@pytest.mark.parametrize("word", ["play", "stop"])
def test_a_newer_burst_cuts_an_older_one_whose_stop_never_came(word: str) -> None:
    # given a burst being heard
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-1", 7, *range(30))
    ear.run(0.05)
    # when a newer one is known
    newer = {"play": lambda: ear.gate.play(9, "car-2", ear.now), "stop": lambda: ear.gate.stop(9, ear.now, drain=True)}
    newer[word]()
    ear.run(0.3)
    # then the older is heard no more, and its late words change nothing
    assert len(ear.heard) == 5
    ear.gate.stop(7, ear.now, drain=True, last_seq=29)
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-1", 7, *range(30, 40))
    ear.run(0.3)
    assert len(ear.heard) == 5
    assert ear.gate.discarded == {"old": 10}


def test_a_short_burst_released_while_another_drains_is_heard_behind_it() -> None:
    # given one burst draining and one waiting
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-1", 7, *range(30))
    ear.gate.stop(7, ear.now, drain=True, last_seq=29)
    ear.gate.play(8, "car-2", ear.now)
    ear.say("car-2", 8, *range(20), last=True)
    # when the waiting one is released as well
    ear.gate.stop(8, ear.now, drain=True, last_seq=19)
    ear.run(1.2)
    # then it is heard whole
    assert [said for said in ear.said if said[0] == 8] == [(8, "car-2", seq) for seq in range(20)]
    assert [end.word.burst for end in ear.ended] == [7, 8]


def test_the_last_frame_ends_a_burst_as_a_stop_does() -> None:
    # given a burst whose last frame is marked
    ear = Ear()
    ear.gate.play(7, "car-1", ear.now)
    ear.say("car-1", 7, *range(10), last=True)
    ear.run(0.3)
    # then it ended once, and the stop that follows adds nothing
    ear.gate.stop(7, ear.now, drain=True, last_seq=9)
    ear.run(0.3)
    assert [end.word.frames for end in ear.ended] == [10]
    assert ear.gate.hearing is None


def test_what_waits_for_announcements_is_bounded() -> None:
    # given a flood of frames nobody announced, from many
    ear = Ear()
    for burst in range(1, EARLY_BURSTS_MAX + 3):
        ear.say(f"car-{burst}", burst, *range(EARLY_FRAMES_MAX // EARLY_BURSTS_MAX + 10))
    # then the bounds hold and the rest is counted
    count = (EARLY_BURSTS_MAX + 2) * (EARLY_FRAMES_MAX // EARLY_BURSTS_MAX + 10)
    assert ear.gate.discarded == {"early_full": count - EARLY_FRAMES_MAX}


def test_one_member_alone_cannot_take_the_room_of_all_early_bursts() -> None:
    # given a member that sends frames of many bursts to come, and then the true next speaker
    ear = Ear()
    for burst in range(10, 10 + 3 * EARLY_BURSTS_MAX):
        ear.say("car-9", burst, *range(20))
    ear.say("car-1", 9, *range(5))
    # when that one is announced
    ear.gate.play(9, "car-1", ear.now)
    ear.run(0.3)
    # then nothing of it is missing, and the other one's newest alone was kept
    assert ear.said == [(9, "car-1", seq) for seq in range(5)]
    assert ear.gate.discarded == {"early_replaced": 20 * (3 * EARLY_BURSTS_MAX - 2)}


@given(st.data())
def test_whatever_arrives_bursts_are_heard_one_at_a_time_rising_and_announced(data: st.DataObject) -> None:
    # given any order of words and frames
    ear = Ear()
    users = {burst: f"car-{burst % 3}" for burst in range(1, 8)}
    announced: dict[int, float] = {}
    cut_at: dict[int, float] = {}
    for _ in range(data.draw(st.integers(5, 60))):
        burst = data.draw(st.integers(1, 7))
        match data.draw(st.sampled_from(["play", "frames", "frames", "impostor", "drain", "cut", "run"])):
            case "play":
                announced.setdefault(burst, ear.now)
                ear.gate.play(burst, users[burst], ear.now)
            case "frames":
                start = data.draw(st.integers(0, 40))
                ear.say(users[burst], burst, *range(start, start + data.draw(st.integers(1, 40))))
            case "impostor":
                ear.say("car-9", burst, *range(50))
            case "drain":
                ear.gate.stop(burst, ear.now, drain=True, last_seq=data.draw(st.none() | st.integers(0, 60)))
            case "cut":
                cut_at.setdefault(burst, ear.now)
                ear.gate.stop(burst, ear.now, drain=False)
            case _:
                ear.run(data.draw(st.sampled_from([0.01, 0.1, 0.6])))
    ear.run(4.0)
    # then what was heard was announced before, by its user, in rising order, each frame once, none after its cut
    assert ear.said == sorted(set(ear.said))
    for at, (burst, user, _) in ear.heard:
        assert user == users[burst]
        assert announced[burst] <= at < cut_at.get(burst, float("inf"))
    ended = [end.word.burst for end in ear.ended]
    assert ended == sorted(set(ended))
