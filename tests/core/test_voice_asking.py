"""Laying two ways' loudness over each other, asking for MQTT voice, and the guard against floods."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.timers import AGORA_ASK_REPEAT_S, AGORA_ASK_S
from protocol.worker import Flood
from voice.core.align import LAG_MAX, Aligner, levels_db
from voice.core.asking import FIRST_S, SILENT_S, SPREAD_S, Asking
from voice.flood import FRAMES_AT_ONCE_MAX, FRAMES_S_MAX, QUIET_S, SPEAKER_FACTOR, USERS_MAX, FloodGuard

# --- laying over each other -------------------------------------------------------------------------------------------


def loudness(seed: int, count: int) -> list[float]:
    """Syllables: a loudness in dB that wanders between knots some 100 ms apart."""
    rng = random.Random(seed)
    knots = [rng.uniform(25, 65) for _ in range(count // 8 + 3)]
    return [knots[i // 8] + (knots[i // 8 + 1] - knots[i // 8]) * (i % 8) / 8 for i in range(count)]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("overlap", [50, 120])
def test_the_lag_is_found_in_half_a_second_of_speech(seed: int, overlap: int) -> None:
    rng = random.Random(1000 + seed)
    said, lag, base = loudness(seed, overlap), rng.randint(0, 60), rng.randint(0, 100_000)
    aligner = Aligner()
    aligner.mqtt(0, said)
    aligner.agora(base + lag, [level * 0.95 - 4 + rng.gauss(0, 1.0) for level in said])
    found = aligner.lag(base)
    assert found is not None
    assert abs(found.steps - lag) <= 1


@given(st.integers(0, 1000), st.sampled_from(["silence", "noise", "steady", "short"]))
def test_what_has_no_shape_gives_no_lag(seed: int, kind: str) -> None:
    rng = random.Random(seed)
    aligner = Aligner()
    count = 20 if kind == "short" else 100
    ours = {
        "silence": [20.0] * count,
        "noise": [40 + rng.gauss(0, 0.6) for _ in range(count)],
        "steady": [60.0] * count,
        "short": loudness(seed, count),
    }[kind]
    theirs = [level + rng.gauss(0, 0.6) for level in ours]
    aligner.mqtt(0, ours)
    aligner.agora(10, theirs)
    assert aligner.lag() is None


def test_other_speech_is_hardly_ever_taken_for_the_same() -> None:
    # given pairs that have nothing to do with each other
    taken = 0
    for seed in range(200):
        aligner = Aligner()
        aligner.mqtt(0, loudness(seed, 120))
        aligner.agora(0, loudness(seed + 5000, 120))
        taken += aligner.lag() is not None
    # then one look is hardly ever fooled; two that agree are needed to believe it
    assert taken <= 6


def test_the_loudness_of_a_step_is_its_power_in_db() -> None:
    tone = b"".join(
        round(8000 * math.sin(2 * math.pi * 500 * i / 16000)).to_bytes(2, "little", signed=True) for i in range(320)
    )
    assert levels_db(tone, 16000) == [pytest.approx(10 * math.log10(8000**2 / 2), abs=0.3)] * 2
    assert levels_db(bytes(318), 16000) == []


def test_a_lag_beyond_a_second_is_not_looked_for() -> None:
    said = loudness(1, 250)
    aligner = Aligner()
    aligner.mqtt(0, said)
    aligner.agora(LAG_MAX + 40, said[:100])
    assert aligner.lag() is None


# --- asking -----------------------------------------------------------------------------------------------------------


class Listener:
    """An Asking that is ticked every 10 ms; keeps when it asked."""

    def __init__(self, chance: float = 0.5) -> None:
        self.asking = Asking(lambda: chance)
        self.now = 100.0
        self.asked: list[float] = []

    def run(self, for_s: float, *, mqtt: bool = False, agora: bool = False, silent: bool = False) -> None:
        until = self.now + for_s
        while self.now < until - 1e-9:
            self.now = round(self.now + 0.01, 6)
            if mqtt:
                self.asking.frame("car-1", 7, self.now, handover=False)
            if agora:
                self.asking.sound(7, self.now, silent=silent)
            if self.asking.tick(self.now) is not None:
                self.asked.append(round(self.now, 2))

    def play(self, uid: int = 5) -> None:
        self.asking.play(7, "car-1", uid, self.now)


def test_who_hears_the_burst_over_any_way_asks_for_nothing() -> None:
    listener = Listener()
    listener.play()
    listener.run(1.0, mqtt=True)
    listener.run(1.0, agora=True)
    assert listener.asked == []


def test_who_is_not_on_agora_asks_at_once_when_the_burst_goes_there_and_again_until_it_is_back() -> None:
    listener = Listener()
    listener.play()
    listener.run(1.0, mqtt=True)
    at = listener.now
    listener.asking.frame("car-1", 7, at, handover=True)
    listener.run(1.2)
    assert listener.asked[0] - at <= SPREAD_S
    assert [round(b - a, 2) for a, b in zip(listener.asked, listener.asked[1:], strict=False)] == pytest.approx(
        [AGORA_ASK_REPEAT_S + 0.05] * 2, abs=0.06
    )
    count = len(listener.asked)
    listener.run(1.0, mqtt=True)
    assert len(listener.asked) == count


def test_who_is_on_agora_and_hears_nothing_there_asks_after_a_fifth_of_a_second() -> None:
    listener = Listener()
    listener.asking.on_agora = True
    listener.play()
    listener.run(1.0, mqtt=True)
    at = listener.now
    listener.asking.frame("car-1", 7, at, handover=True)
    listener.run(0.5)
    assert AGORA_ASK_S <= listener.asked[0] - at <= AGORA_ASK_S + SPREAD_S + 0.02


def test_silence_over_agora_is_a_pause_for_a_while_and_then_nothing() -> None:
    listener = Listener()
    listener.asking.on_agora = True
    listener.play()
    listener.run(1.0, agora=True)
    at = listener.now
    listener.run(3.0, agora=True, silent=True)
    assert listener.asked[0] - at >= SILENT_S


def test_a_burst_that_is_over_or_was_never_on_agora_is_not_asked_for() -> None:
    released, elsewhere, unknown = Listener(), Listener(), Listener()
    released.play()
    released.run(1.0, mqtt=True)
    released.asking.over(7)
    elsewhere.play(uid=0)
    for listener in (released, elsewhere, unknown):
        listener.run(3.0)
        assert listener.asked == []


def test_the_first_frame_may_take_its_time() -> None:
    listener = Listener()
    listener.play()
    at = listener.now
    listener.run(1.0)
    assert FIRST_S <= listener.asked[0] - at <= FIRST_S + SPREAD_S + 0.02


def test_anothers_ask_counts_as_ones_own() -> None:
    # given two hundred listeners that hear each other
    office = [Listener(chance=number / 200) for number in range(200)]
    for listener in office:
        listener.play()
        listener.run(0.5, mqtt=True)
        listener.asking.frame("car-1", 7, listener.now, handover=True)
    # when a second passes
    for _ in range(100):
        for listener in office:
            before = len(listener.asked)
            listener.run(0.01)
            if len(listener.asked) > before:
                for other in office:
                    other.asking.asked(7, other.now)
    # then a few asked, not all
    assert 1 <= sum(len(listener.asked) for listener in office) <= 10


# --- floods -----------------------------------------------------------------------------------------------------------


def send(guard: FloodGuard, user: str, rate: float, begin: float, for_s: float) -> tuple[int, list[Flood]]:
    """Frames let through, and the words said."""
    passed, words = 0, list[Flood]()
    for number in range(round(rate * for_s)):
        now = begin + number / rate
        passed += guard.allow(user, now)
        words += guard.tick(now)
    return passed, words


def test_speech_and_a_pre_roll_before_its_announcement_are_no_flood() -> None:
    guard = FloodGuard()
    assert send(guard, "car-1", 10_000, 0.0, 0.02)[0] == 200
    assert send(guard, "car-1", 99, 0.02, 3.0) == (297, [])


def test_a_flood_is_bounded_told_once_and_told_to_be_over_after_five_quiet_seconds() -> None:
    guard = FloodGuard()
    passed, words = send(guard, "car-9", 3000, 0.0, 3.0)
    assert passed <= FRAMES_AT_ONCE_MAX + 3 * FRAMES_S_MAX + 1
    [word] = words
    assert word.user == "car-9"
    assert word.frames_s == pytest.approx(3000, rel=0.1)
    assert guard.tick(3.0 + QUIET_S - 0.1) == ()
    assert guard.next_deadline() == pytest.approx(3.0 + QUIET_S, abs=0.01)
    assert guard.tick(3.0 + QUIET_S + 0.1) == (Flood(user="car-9", frames_s=0),)
    assert guard.next_deadline() is None


def test_the_announced_speaker_may_send_four_times_as_much_and_is_bounded_too() -> None:
    guard = FloodGuard()
    guard.speaker("car-1")
    assert send(guard, "car-1", SPEAKER_FACTOR * FRAMES_S_MAX * 0.99, 0.0, 3.0)[1] == []
    passed, words = send(guard, "car-1", 5000, 10.0, 2.0)
    assert passed <= SPEAKER_FACTOR * (FRAMES_AT_ONCE_MAX + 2 * FRAMES_S_MAX) + 1
    assert [word.user for word in words] == ["car-1"]


def test_a_flood_of_one_costs_the_others_nothing_and_names_without_end_share_one_account() -> None:
    guard = FloodGuard()
    send(guard, "car-9", 3000, 0.0, 1.0)
    assert guard.allow("car-1", 1.0)
    passed = sum(guard.allow(f"nobody-{number}", 1.0 + number * 1e-4) for number in range(5 * USERS_MAX))
    assert passed < USERS_MAX + FRAMES_AT_ONCE_MAX + 100
    assert guard.tick(2.0)[-1].user == "others"
