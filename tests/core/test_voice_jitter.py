"""The adaptive jitter buffer under virtual time, with a player that hurries by a quarter when told to."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.core.jitter import (
    BACKLOG_MAX_S,
    BASE_WINDOW_S,
    CONCEAL_MAX_S,
    LATE_S,
    UNTOUCHED_S,
    WINDOW_S,
    Conceal,
    JitterBuffer,
    Packet,
)

STEP_S = 0.01
CLOCK_S = 1000.0
"""Arrival clocks start far from the capture clock's zero."""


class Ear:
    """A device that takes 10 ms at a time, and packets that arrive `transit(capture end)` after they were spoken."""

    def __init__(
        self,
        transit: Callable[[float], float],
        *,
        packet_ms: int = 20,
        length_s: float = 10.0,
        min_s: float = 0.0,
        lost: frozenset[int] = frozenset(),
    ) -> None:
        self.buffer: JitterBuffer[int] = JitterBuffer(min_s=min_s, max_s=0.4)
        self.packet_s = packet_ms / 1000
        count = round(length_s / self.packet_s)
        arrive, latest = [], 0.0
        for seq in range(count):
            end = (seq + 1) * self.packet_s
            latest = max(latest, CLOCK_S + end + transit(end))  # TCP keeps the order
            if seq not in lost:
                arrive.append((latest, seq))
        self.arrivals = arrive
        self.total = count
        self.played: list[tuple[float, int]] = []
        """(wall time, seq) as its first sample sounds."""
        self.concealed_at: list[float] = []
        self.delays: list[tuple[float, float]] = []
        """(wall time, delay from being spoken to being heard)."""

    def run(self, phase_s: float = 0.002, extra_s: float = 5.0) -> "Ear":
        ahead = 0.0
        now = CLOCK_S + phase_s
        pending = list(self.arrivals)
        while now < CLOCK_S + self.total * self.packet_s + extra_s:
            while pending and pending[0][0] <= now:
                at, seq = pending.pop(0)
                last = seq == self.total - 1
                self.buffer.put(seq, round(seq * self.packet_s * 1000), self.packet_s, seq, last=last, now=at)
            while ahead < STEP_S - 1e-9:
                out = self.buffer.pull(now, ahead)
                match out:
                    case Packet():
                        self.played.append((now + ahead - CLOCK_S, out.seq))
                        self.delays.append((now - CLOCK_S, now + ahead - CLOCK_S - (out.seq + 1) * self.packet_s))
                        ahead += out.duration_s - min(out.spare_s, out.duration_s / 4)
                    case Conceal():
                        self.concealed_at.append(now - CLOCK_S)
                        ahead += out.duration_s
                    case _:
                        ahead = STEP_S
            ahead -= STEP_S
            now += STEP_S
        return self

    def delay_after(self, at: float) -> float:
        return max(delay for when, delay in self.delays if when >= at)


@pytest.mark.parametrize("packet_ms", [10, 20, 40, 60])
@pytest.mark.parametrize("phase_s", [0.001, 0.004, 0.0099])
def test_on_a_steady_link_speech_is_heard_within_one_device_frame_and_never_hurried(
    packet_ms: int, phase_s: float
) -> None:
    # given a link of 50 ms without jitter
    # when it is played
    ear = Ear(lambda _: 0.05, packet_ms=packet_ms).run(phase_s)
    # then each packet sounds within a device frame of its arrival, none is missing, none invented
    assert [seq for _, seq in ear.played] == list(range(ear.total))
    assert ear.delay_after(0.0) <= 0.05 + STEP_S + 1e-6
    assert ear.concealed_at == []


def test_speech_kept_before_the_grant_is_played_from_its_start_at_once_and_caught_up() -> None:
    # given 400 ms of pre-roll that arrives in one go, then live speech
    ear = Ear(lambda end: max(0.02, 0.42 - end)).run()
    # then it sounds at once and whole
    assert ear.played[0][0] <= 0.42 + STEP_S
    assert [seq for _, seq in ear.played] == list(range(ear.total))
    assert ear.concealed_at == []
    # and four times the backlog later the delay is at the floor
    assert ear.delay_after(0.42 + UNTOUCHED_S + 4 * 0.4 + 0.2) <= 0.02 + 0.03


def test_a_stall_of_two_seconds_grows_the_delay_only_for_a_bounded_time() -> None:
    # given a link that stands still from 3 to 5 s, and then delivers all at once
    ear = Ear(lambda end: max(0.02, 5.0 - end) if 3.0 < end < 5.0 else 0.02, length_s=25.0).run()
    # then what came more than a second late is dropped, and the delay is back at the floor in the documented time
    assert [seq for _, seq in ear.played] == [seq for seq in range(ear.total) if not 3.0 < (seq + 1) * 0.02 < 3.98]
    assert ear.delay_after(5.0 + WINDOW_S + 4 * LATE_S) <= 0.02 + 0.035
    assert len(ear.concealed_at) * STEP_S == pytest.approx(CONCEAL_MAX_S)


def test_a_reader_that_stands_still_loses_nothing_that_can_still_be_played() -> None:
    # given a listener whose machine does nothing for 0.9 s, and then reads all that came meanwhile
    ear = Ear(lambda end: max(0.02, 4.0 - end) if 3.1 < end < 4.0 else 0.02, length_s=25.0).run()
    # then not a frame is missing, and the delay is worked off
    assert [seq for _, seq in ear.played] == list(range(ear.total))
    assert ear.buffer.late == 0
    assert ear.delay_after(4.0 + WINDOW_S + 4 * 0.9) <= 0.02 + 0.035


def test_a_link_that_jitters_all_the_time_soon_plays_without_gaps() -> None:
    # given a link whose every tenth packet takes 40 ms longer
    def transit(end: float) -> float:
        return 0.06 if round(end / 0.02) % 10 == 0 else 0.02

    ear = Ear(transit, length_s=20.0).run()
    # then after the first gap the delay it needs is kept, and not much more
    assert [at for at in ear.concealed_at if at > 1.0] == []
    assert ear.delay_after(2.0) <= 0.06 + 0.03


def test_a_link_that_becomes_slower_for_good_is_taken_as_it_is() -> None:
    # given a link that changes from 20 to 120 ms
    ear = Ear(lambda end: 0.02 if end < 3.0 else 0.12, length_s=25.0).run()
    # then the delay over it goes back to nothing once the old base is forgotten
    assert ear.delay_after(3.0 + 2 * BASE_WINDOW_S + WINDOW_S) <= 0.12 + 0.03


def test_a_link_that_becomes_much_slower_for_good_is_heard_again_after_a_second() -> None:
    # given a link that changes from 20 ms to a second
    ear = Ear(lambda end: 0.02 if end < 3.0 else 1.0, length_s=15.0).run()
    # then speech goes on, without a delay over the new one
    late = [seq for at, seq in ear.played if at > 5.2]
    assert late == list(range(late[0], ear.total))
    assert ear.delay_after(3.0 + 2 * BASE_WINDOW_S) <= 1.0 + 0.03


def test_a_slow_clock_of_the_speaker_costs_single_concealments_and_a_fast_one_no_growth() -> None:
    # given clocks that differ by 300 ppm either way
    slow = Ear(lambda end: 0.02 + end * 300e-6, length_s=30.0).run()
    fast = Ear(lambda end: 0.02 - end * 300e-6, length_s=30.0).run()
    # then neither breaks up nor builds up
    assert len(slow.concealed_at) <= 3
    assert fast.delay_after(0.0) <= 0.05


def test_a_short_loss_is_concealed_and_a_long_one_is_skipped() -> None:
    # given 40 ms lost in one place and half a second in another
    lost = frozenset({50, 51, *range(100, 125)})
    ear = Ear(lambda _: 0.02, lost=lost).run()
    # then the short one is filled by as much, the long one only until it is known to be long
    assert [at for at in ear.concealed_at if at < 1.5] != []
    assert len([at for at in ear.concealed_at if at < 1.5]) == 4
    assert len([at for at in ear.concealed_at if at > 1.5]) == 10
    assert ear.delay_after(0.0) <= 0.05


def test_what_comes_after_its_place_was_given_up_is_counted_late() -> None:
    # given a packet whose successor was played already
    buffer: JitterBuffer[str] = JitterBuffer(min_s=0.0, max_s=0.4)
    for seq in (0, 2):
        buffer.put(seq, seq * 500, 0.02, f"p{seq}", last=False, now=1.0 + seq / 2)
    buffer.pull(2.0)
    buffer.pull(2.0)
    # when it comes, and the successor once more
    # then both are refused and counted
    assert not buffer.put(1, 500, 0.02, "p1", last=False, now=2.1)
    assert not buffer.put(2, 1000, 0.02, "p2", last=False, now=2.1)
    assert buffer.late == 2


def test_a_configured_least_delay_is_kept() -> None:
    # given a least delay of 60 ms
    ear = Ear(lambda _: 0.02, min_s=0.06).run()
    # then speech waits for that long, and a device frame at most
    assert ear.played[0][0] >= 0.02 + 0.06
    assert ear.delay_after(0.0) <= 0.02 + 0.06 + 0.025


def test_more_speech_than_anyone_can_have_kept_is_dropped_from_its_old_end() -> None:
    # given a flood
    buffer: JitterBuffer[int] = JitterBuffer(min_s=0.0, max_s=0.4)
    for seq in range(1000):
        buffer.put(seq, seq * 20, 0.02, seq, last=False, now=1.0)
    # then what waits is bounded, and the newest is kept
    kept = round(BACKLOG_MAX_S / 0.02)
    assert buffer.backlog_s <= BACKLOG_MAX_S + 1e-6
    assert buffer.dropped == 1000 - kept
    assert buffer.pull(1.0) == Packet(1000 - kept, 1000 - kept, 0.02, 0.0, True, (1000 - kept) * 0.02)


@given(
    stalls=st.lists(st.tuples(st.floats(0.1, 6.0), st.floats(0.01, 1.0)), max_size=4),
    noise=st.lists(st.floats(0.0, 0.03), min_size=16, max_size=16),
    lost=st.frozensets(st.integers(0, 300), max_size=20),
    packet_ms=st.sampled_from([10, 20, 60]),
    phase_s=st.floats(0.001, 0.0099),
)
def test_whatever_the_link_does_order_holds_and_the_delay_comes_back(
    stalls: list[tuple[float, float]], noise: list[float], lost: frozenset[int], packet_ms: int, phase_s: float
) -> None:
    # given a link with noise, stalls and losses in its first 7 s, steady behind them
    def transit(end: float) -> float:
        if end > 7.0:
            return 0.02
        jitter = 0.02 + noise[int(end * 1000 / packet_ms) % 16]
        return jitter + sum(max(0.0, begin + length - end) for begin, length in stalls if begin <= end < begin + length)

    ear = Ear(transit, packet_ms=packet_ms, length_s=22.0, lost=lost).run(phase_s)
    # then packets are played once, in order, none of those that came is missing
    seqs = [seq for _, seq in ear.played]
    assert seqs == sorted(set(seqs))
    assert len(seqs) >= len(ear.arrivals) - ear.buffer.late - ear.buffer.dropped
    # and some time behind the trouble the delay is at the floor
    assert ear.delay_after(7.0 + 14.0) <= 0.02 + packet_ms / 1000 + 0.03


@given(
    slow_s=st.floats(0.05, 0.9),
    mqtt=st.lists(st.booleans(), min_size=8, max_size=8),
    agora=st.lists(st.booleans(), min_size=8, max_size=8),
    stall_s=st.floats(0.0, 0.6),
)
def test_whatever_either_of_two_ways_brings_each_frame_is_played_once_and_in_order(
    slow_s: float, mqtt: list[bool], agora: list[bool], stall_s: float
) -> None:
    # given a burst of four seconds, half a second at a time on one way, on both, or on none
    buffer: JitterBuffer[tuple[str, int]] = JitterBuffer(min_s=0.0, max_s=0.4)
    arrivals, mqtt_at = [], 0.0
    for seq in range(200):
        end, part = (seq + 1) * 0.02, seq // 25
        if mqtt[part]:
            mqtt_at = max(mqtt_at, CLOCK_S + end + 0.02 + (stall_s if part == 3 else 0.0))
            arrivals.append((mqtt_at, "mqtt", seq))
        if agora[part]:
            arrivals.append((CLOCK_S + end + 0.02 + slow_s, "agora", seq))
    arrivals.sort()
    # when it is played, MQTT's frames waiting while Agora flows
    played: list[tuple[str, int]] = []
    now, ahead, agora_at = CLOCK_S, 0.0, float("-inf")
    while now < CLOCK_S + 8.0:
        while arrivals and arrivals[0][0] <= now:
            at, way, seq = arrivals.pop(0)
            if way == "mqtt":
                buffer.put(seq, 20 * seq, 0.02, (way, seq), last=False, now=at)
            elif buffer.fill(seq, 20 * seq, 0.02, (way, seq), now=at):
                agora_at = at
        while ahead < STEP_S - 1e-9:
            out = buffer.pull(now, ahead, awaited=now - agora_at < 0.08)
            if isinstance(out, Packet):
                played.append(out.packet)
            ahead += out.duration_s if isinstance(out, Packet | Conceal) else STEP_S
        ahead -= STEP_S
        now += STEP_S
    # then no frame is heard twice or behind a later one, and what came is heard but for what was late or too much
    seqs = [seq for _, seq in played]
    assert seqs == sorted(set(seqs))
    came = {seq for seq in range(200) if mqtt[seq // 25] or agora[seq // 25]}
    assert set(seqs) <= came
    assert buffer.empty
