"""One burst heard over MQTT and over Agora: real codec, gate and buffers, in virtual time."""

from __future__ import annotations

import numpy as np
import pytest

from protocol.timers import DRAIN_S
from protocol.voice_frame import VoiceFrame
from protocol.worker import PlayedOut
from tests.support.two_ways import RATE, Listener
from voice.core.paths import LAG_ASSUMED_S

END_S = 5.0


def played(listener: Listener) -> PlayedOut:
    [word] = [word for word in listener.words if isinstance(word, PlayedOut)]
    return word


def longest_gap_s(listener: Listener, from_s: float, to_s: float) -> float:
    """The longest time within which the device played nothing at all."""
    quiet = np.abs(listener.sound[round(from_s * RATE) : round(to_s * RATE)]) < 2
    longest = run = 0
    for one in quiet:
        run = run + 1 if one else 0
        longest = max(longest, run)
    return longest / RATE


def handed_over(lag_s: float, overlap_s: float, seed: int = 1, *, packet_ms: int = 20) -> Listener:
    """A burst of 5 s that Agora takes up after 0.3 s, and that MQTT leaves after the overlap."""
    listener = Listener(seed, packet_ms=packet_ms)
    listener.play()
    listener.over_mqtt(0.0, 0.3 + overlap_s, handover=True)
    listener.over_agora(0.3, END_S, delay_s=lag_s)
    listener.stop(round(END_S / listener.packet_s) - 1, END_S + 0.03)
    listener.run(END_S + 1.5)
    return listener


@pytest.mark.parametrize("packet_ms", [10, 20, 40])
@pytest.mark.parametrize("lag_s", [0.02, 0.2, 0.35])
@pytest.mark.parametrize("overlap_s", [0.52, 2.0])
def test_at_a_handover_nothing_is_lost_and_nothing_is_heard_twice(
    lag_s: float, overlap_s: float, packet_ms: int
) -> None:
    # given a burst that goes over from MQTT to Agora in its middle
    listener = handed_over(lag_s, overlap_s, packet_ms=packet_ms)
    # then as many frames were played as were said, but for what the end of the last one rounds off
    word = played(listener)
    assert word.frames == pytest.approx(END_S / listener.packet_s, abs=2)
    assert word.late == 0
    # and each piece of it is heard after the one before it, by no more than one step of Agora's apart
    places = [(at, later) for at, later, score in listener.places(0.1, 4.7, within_s=lag_s + 0.15) if score > 0.65]
    assert len(places) > 36
    heard_at = [at + later for at, later in places]
    assert heard_at == sorted(heard_at)
    # behind it all comes as late as Agora is, no later
    assert places[-1][1] < lag_s + 0.06


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_where_the_overlap_is_long_the_delay_is_made_up_before_the_handover_and_no_gap_is_heard(seed: int) -> None:
    listener = handed_over(0.2, 2.0, seed)
    assert longest_gap_s(listener, 0.1, END_S) < 0.03


def test_where_the_overlap_is_short_the_gap_is_no_longer_than_agora_lags_behind() -> None:
    listener = handed_over(0.2, 0.52)
    assert longest_gap_s(listener, 0.1, END_S) < 0.2


def test_while_mqtt_stalls_agora_fills_in_and_what_comes_late_is_not_heard_again() -> None:
    # given a burst on both ways; MQTT stands still for half a second and then brings all at once
    listener = Listener(2)
    listener.play()
    listener.over_mqtt(0.0, END_S, delay_s=lambda at: 0.02 if not 2.0 <= at < 2.5 else 2.52 - at, last=True)
    listener.over_agora(0.3, END_S)
    listener.stop(round(END_S / 0.02) - 1, END_S + 0.03)
    listener.run(END_S + 1.0)
    # then each frame was played once, and none counts as late
    assert played(listener).frames == pytest.approx(250, abs=1)
    assert played(listener).late == 0
    # and speech of the stall was heard in order
    places = [at + later for at, later, score in listener.places(1.8, 2.8) if score > 0.6]
    assert len(places) >= 8
    assert places == sorted(places)


@pytest.mark.parametrize("stall_s", [0.1, 0.2, 0.36, 0.7])
@pytest.mark.parametrize("mqtt_until_s", [2.0, END_S])
@pytest.mark.parametrize("seed", [1, 2])
def test_while_agora_stalls_and_then_brings_all_at_once_nothing_is_heard_twice(
    seed: int, mqtt_until_s: float, stall_s: float
) -> None:
    # given a burst on both ways, or on Agora alone by then; Agora stands still and then brings all at once
    listener = Listener(seed)
    listener.play()
    both = mqtt_until_s == END_S
    listener.over_mqtt(0.0, mqtt_until_s, handover=not both, last=both)
    listener.over_agora(
        0.3, END_S, delay_s=lambda at: 0.2 if not 3.0 <= at < 3.0 + stall_s else 0.2 + 3.0 + stall_s - at
    )
    listener.stop(249, END_S + 0.03)
    listener.run(END_S + 1.5)
    # then each frame was played once
    assert played(listener).frames == pytest.approx(250, abs=2)
    # and all of it in its order
    places = [(at, later) for at, later, score in listener.places(0.1, 4.7, within_s=0.35 + stall_s) if score > 0.8]
    assert len(places) >= 20
    assert np.diff([at + later for at, later in places]).min() > -0.2  # hurried speech is found less exactly


@pytest.mark.parametrize("later_s", [0.0, 0.03])
def test_when_mqtt_comes_back_what_only_agora_brings_is_still_heard_before_it(later_s: float) -> None:
    # given a burst handed over, and brought back because another listener asked; Agora hesitates just then
    listener = Listener(3)
    packets = listener.packets()
    listener.play()
    listener.over_mqtt(0.0, 1.5, handover=True, packets=packets)
    listener.over_agora(0.3, 2.9, silence_s=0.0)
    listener.over_agora(2.9, END_S, delay_s=0.2 + later_s)
    listener.over_mqtt(3.0, END_S, last=True, packets=packets)
    listener.stop(249, END_S + 0.03)
    listener.run(END_S + 1.0)
    # then nothing is missing at the seam, nor twice
    assert played(listener).frames == pytest.approx(250, abs=2)
    places = [(at, later) for at, later, score in listener.places(2.5, 3.6, within_s=0.3) if score > 0.6]
    assert len(places) >= 8
    heard_at = [at + later for at, later in places]
    assert heard_at == sorted(heard_at)
    # and in the end it is as early as MQTT again
    assert listener.places(4.6, 4.8)[-1][1] < 0.12


def test_one_who_joins_late_hears_what_agora_brings_from_then_on() -> None:
    # given a burst of which nothing comes over MQTT
    listener = Listener(1)
    listener.play(at=1.0)
    listener.over_agora(1.1, END_S)
    listener.stop(249, END_S + 0.03)
    listener.run(END_S + 1.5)
    # then it is heard from the first of its sound to the last, and ends by itself
    places = [(at, later) for at, later, score in listener.places(1.2, 4.8) if score > 0.65]
    assert len(places) > 32
    assert all(later < 0.32 for _, later in places)
    assert played(listener).frames > 180


@pytest.mark.parametrize("from_s", [0.0, 1.5])
def test_when_mqtt_takes_up_a_burst_that_agora_carried_alone_it_is_heard_on_whatever_was_counted(from_s: float) -> None:
    # given a burst heard over Agora alone, from its beginning or from its middle on
    listener = Listener(3)
    listener.play(at=from_s + 0.03)
    listener.over_agora(from_s, END_S)
    # when MQTT brings it as well
    listener.over_mqtt(3.0, END_S, last=True)
    listener.stop(249, END_S + 0.03)
    listener.run(END_S + 1.0)
    # then it is heard on, in order, missing no more than Agora lags behind
    places = [(at, later) for at, later, score in listener.places(2.0, 4.6, within_s=0.35) if score > 0.6]
    assert len(places) >= 21
    heard_at = [at + later for at, later in places]
    assert heard_at == sorted(heard_at)


@pytest.mark.parametrize("lag_s", [0.1, 0.25, 0.5])
def test_without_an_overlap_to_learn_from_what_is_lost_or_repeated_is_bounded(lag_s: float) -> None:
    # given a burst whose way changes at once
    listener = Listener(2)
    listener.play()
    listener.over_mqtt(0.0, 1.0, handover=True)
    listener.over_agora(1.0 - lag_s, END_S, delay_s=lag_s)
    listener.stop(249, END_S + 0.03)
    listener.run(END_S + 1.5)
    # then no more is missing or doubled than the lag differs from the one assumed, and a frame
    assert abs(played(listener).frames - 250) * 0.02 <= abs(lag_s - LAG_ASSUMED_S) + 0.04


def test_sound_of_an_earlier_burst_of_the_same_speaker_is_never_heard_in_the_next() -> None:
    # given a burst cut off, and the next one of the same speaker while its sound is still under way
    listener = Listener(1)
    listener.play(burst=7)
    listener.over_mqtt(0.0, 0.6)
    listener.stop(None, 1.0, drain=False)
    listener.play(burst=8, at=1.1)
    listener.over_agora(0.3, 1.5, delay_s=0.3, burst=8, silence_s=0.0)
    # when nothing of the new one comes
    listener.run(1.1 + DRAIN_S - 0.02)
    # then the old one's is not even taken for a sign that Agora brings the new one
    assert listener.ear.agora_at < 1.1
    listener.run(2.5)
    assert listener.ear.agora_at > 1.1 + DRAIN_S
    # then nothing is heard from its announcement on, for as long as an old tail may last
    assert np.max(np.abs(listener.sound[round(1.05 * RATE) : round((1.1 + DRAIN_S) * RATE)])) == 0
    assert listener.ear.strays["fenced"] > 30


def test_the_tail_of_a_burst_is_not_heard_in_the_next_one_that_the_same_speaker_began_before_it_was_over() -> None:
    # given a burst released, and the next one of the same speaker announced while its tail is still being played
    listener = Listener(1)
    listener.play(burst=7)
    listener.over_mqtt(0.0, 1.0)
    listener.stop(None, 1.0)
    listener.play(burst=8, at=1.01)
    # when the old one's sound goes on arriving over Agora
    listener.over_agora(0.3, 1.4, delay_s=0.3, burst=8, silence_s=0.0)
    listener.run(2.5)
    # then nothing of it is taken for the new one's
    assert listener.ear.strays["fenced"] > 30
    assert np.max(np.abs(listener.sound[round(1.25 * RATE) : round((1.01 + DRAIN_S) * RATE)])) == 0


def test_sound_is_taken_between_the_announcement_and_the_end_of_its_burst_alone() -> None:
    # given sound that goes on
    listener = Listener(1)
    listener.over_agora(0.0, 3.0)
    listener.over_agora(0.0, 3.0, burst=9)
    listener.play(at=1.0)
    # when the burst is revoked
    listener.stop(None, 2.0, drain=False)
    listener.run(4.0)
    # then it was heard in between only
    loud = np.flatnonzero(np.abs(listener.sound) > 0) / RATE
    assert 1.0 < loud[0] < 1.3
    assert loud[-1] < 2.03


def test_silence_cannot_be_laid_over_silence() -> None:
    # given a speaker who says nothing while both ways carry it
    listener = Listener(1)
    listener.said[:] = np.random.default_rng(1).normal(0, 12, len(listener.said)).astype(np.int16)
    listener.play()
    listener.over_mqtt(0.0, 2.0, handover=True)
    listener.over_agora(0.3, END_S)
    listener.stop(249, END_S + 0.03)
    listener.run(END_S + 1.5)
    # then no lag is believed, and the burst goes on with the one assumed
    assert listener.ear.health[0] == pytest.approx(250, abs=10)


def test_numbers_that_ran_ahead_over_a_pause_do_not_keep_later_speech_from_being_heard() -> None:
    # given a burst on Agora alone whose speaker is held for a second, which its frames' numbers do not count
    listener = Listener(3)
    packets = listener.packets()
    listener.play()
    listener.over_mqtt(0.0, 1.5, handover=True, packets=packets)
    listener.over_agora(0.3, 2.2, silence_s=0.0)
    listener.over_agora(2.2, 3.0, gain=0.02, silence_s=0.0)
    # when it comes back over MQTT with the numbers that follow those of 2.2 s
    for seq in range(110, 200):
        _late(listener, seq, packets)
    listener.run(6.0)
    # then it is heard
    places = [at for at, later, score in listener.places(3.4, 4.9) if score > 0.6]
    assert len(places) >= 12


def _late(listener: Listener, seq: int, packets: list[bytes]) -> None:
    captured = seq * 0.02 + 1.0
    frame = VoiceFrame(7, seq, round(captured * 1000), packets[seq + 50])
    listener.at(captured + 0.04, lambda: listener.ear.frame("car-1", frame, listener.now))
