"""The six sounds, and when they and the sentences may sound."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.worker import Sound
from protocol.worker_settings import AudioSettings, CueVolumes
from voice.announcer import CUE_WAITS_S, SENTENCE_WAITS_S, WAITING_MAX, Announcer
from voice.cue_lanes import CUES_MAX, SENTENCES_MAX, CueLanes
from voice.cue_recipes import RECIPES, fingerprint
from voice.cues import FULL, synthesise
from voice.volume import QuietHours, cue_percent, sentence_percent

# --- the six sounds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [16000, 24000, 48000])
@pytest.mark.parametrize("sound", Sound)
def test_a_cue_is_short_and_loud_and_soft_at_its_edges(sound: Sound, rate_hz: int) -> None:
    # given a cue at full volume
    samples = synthesise(sound, rate_hz, 100)
    # then it lasts what its recipe says, under half a second, comes near its peak and never over it
    assert len(samples) == pytest.approx(RECIPES[sound].length_ms * rate_hz / 1000, abs=5)
    assert RECIPES[sound].length_ms < 500
    assert 0.9 * FULL < max(max(samples), -min(samples)) <= 1.001 * FULL
    # and it begins and ends in silence without a step
    assert (samples[0], samples[-1]) == (0, 0)
    edge = [*samples[: rate_hz // 1000], *samples[-rate_hz // 1000 :]]
    assert max(abs(one) for one in edge) < 0.1 * FULL


def test_loudness_is_as_asked() -> None:
    peaks = [max(synthesise(Sound.END, 16000, percent)) for percent in (0, 25, 50, 100)]
    assert peaks == pytest.approx([0, FULL / 4, FULL / 2, FULL], rel=0.01, abs=1)


def test_a_fingerprint_is_a_recipes_own() -> None:
    assert len({fingerprint(sound) for sound in Sound}) == len(Sound)


def test_every_sound_may_have_a_loudness_of_its_own() -> None:
    # given settings with one loud and one silent sound, and quiet sentences
    volumes = CueVolumes(start_fail=90, session_leave=0)
    settings = AudioSettings(cue_volume_percent=50, cue_volumes=volumes, sentence_volume_percent=20)
    # then the others have the common one
    assert CueVolumes.__struct_fields__ == tuple(sound.value for sound in Sound)
    assert {sound: cue_percent(settings, sound) for sound in Sound} == {
        **dict.fromkeys(Sound, 50),
        Sound.START_FAIL: 90,
        Sound.SESSION_LEAVE: 0,
    }
    assert sentence_percent(settings) == 20
    assert sentence_percent(AudioSettings(cue_volume_percent=50)) == 50


# --- quiet hours -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end", "quiet", "loud"),
    [
        ("22:00", "06:30", ("22:00", "23:59", "00:00", "06:29"), ("06:30", "12:00", "21:59")),
        ("13:00", "14:00", ("13:00", "13:59"), ("12:59", "14:00", "00:00")),
    ],
)
def test_quiet_hours_hold_from_their_begin_up_to_their_end(
    begin: str, end: str, quiet: tuple[str, ...], loud: tuple[str, ...]
) -> None:
    hours = QuietHours(AudioSettings(quiet_from=begin, quiet_to=end))
    assert [hours.hold(minute(at)) for at in quiet] == [True] * len(quiet)
    assert [hours.hold(minute(at)) for at in loud] == [False] * len(loud)


@given(st.one_of(st.none(), st.integers(0, 1439)))
def test_without_quiet_hours_it_is_never_quiet(at: int | None) -> None:
    assert not QuietHours(AudioSettings()).hold(at)


def test_a_clock_that_nobody_has_set_hushes_nobody() -> None:
    assert not QuietHours(AudioSettings(quiet_from="22:00", quiet_to="21:59")).hold(None)


@pytest.mark.parametrize(("begin", "end"), [("22:00", None), (None, "06:00"), ("06:00", "06:00")])
def test_half_of_the_quiet_hours_is_refused(begin: str | None, end: str | None) -> None:
    with pytest.raises(ValueError, match="set both, or neither"):
        AudioSettings(quiet_from=begin, quiet_to=end)


def minute(text: str) -> int:
    hours, minutes = text.split(":")
    return 60 * int(hours) + int(minutes)


# --- lanes -------------------------------------------------------------------------------------------------------


def samples(value: int, count: int) -> array[int]:
    return array("h", [value] * count)


def drawn(lanes: CueLanes, times: int, now: float = 0.0) -> list[int | None]:
    parts = [lanes.next(10, now) for _ in range(times)]
    assert {len(part) for part in parts if part is not None} <= {10}
    return [None if part is None else part[0] for part in parts]


def test_a_cue_comes_at_once_and_the_sentence_pauses_for_it() -> None:
    # given a sentence that has begun
    lanes = CueLanes()
    lanes.sentence(samples(1, 40), 5.0)
    assert drawn(lanes, 2) == [1, 1]
    # when a cue comes
    lanes.cue(samples(2, 20), 5.0)
    # then it is heard whole, and the rest of the sentence behind it
    assert drawn(lanes, 5) == [2, 2, 1, 1, None]


def test_a_cue_asked_for_while_another_plays_comes_behind_it_unless_it_is_late() -> None:
    lanes = CueLanes()
    for value in (1, 2, 3):
        lanes.cue(samples(value, 10), deadline=1.0)
    assert drawn(lanes, 2, now=0.9) == [1, 2]
    assert drawn(lanes, 1, now=1.0) == [None]
    assert lanes.dropped == 1


def test_what_has_begun_in_time_is_played_to_its_end() -> None:
    lanes = CueLanes()
    lanes.cue(samples(1, 30), deadline=1.0)
    assert drawn(lanes, 1, now=0.9) == [1]
    assert drawn(lanes, 3, now=2.0) == [1, 1, None]


def test_lanes_are_bounded_and_a_sound_without_samples_is_none() -> None:
    lanes = CueLanes()
    for _ in range(CUES_MAX + 1):
        lanes.cue(samples(1, 10), 1.0)
    for _ in range(SENTENCES_MAX + 1):
        lanes.sentence(samples(2, 10), 1.0)
    lanes.cut()
    lanes.cue(array("h"), 1.0)
    assert drawn(lanes, 1) == [None]
    assert lanes.dropped == 3


def test_cutting_sentences_leaves_the_cues() -> None:
    lanes = CueLanes()
    lanes.sentence(samples(1, 30), 1.0)
    assert drawn(lanes, 1) == [1]
    lanes.cue(samples(2, 10), 1.0)
    lanes.cut_sentences()
    lanes.sentence(samples(3, 10), 1.0)
    assert drawn(lanes, 3) == [2, 3, None]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 25)), max_size=12), st.integers(1, 12))
def test_no_sample_is_lost_or_doubled_whatever_comes(sounds: list[tuple[bool, int]], step: int) -> None:
    # given sounds asked for one after the other, with a frame played between
    lanes, heard, asked = CueLanes(), array("h"), 0
    for number, (sentence, count) in enumerate(sounds, 1):
        before = lanes.dropped
        (lanes.sentence if sentence else lanes.cue)(samples(number, count), 1.0)
        asked += count * (lanes.dropped == before)
        heard.extend(lanes.next(step, 0.0) or ())
    # when all is played out
    while (part := lanes.next(step, 0.0)) is not None:
        heard.extend(part)
    # then just what was taken was heard
    assert sum(1 for one in heard if one) == asked


# --- announcements -----------------------------------------------------------------------------------------------


class Ears:
    """Lanes that write down what they are told."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.announcer: Announcer[str] = Announcer(self)

    def cue(self, sound: str, deadline: float) -> None:
        self.heard.append(sound)

    def sentence(self, sound: str, deadline: float) -> None:
        self.heard.append(sound)

    def cut_sentences(self) -> None:
        self.heard.append("hush sentences")

    def cut_cues(self) -> None:
        self.heard.append("hush")


def test_no_sound_goes_into_an_open_microphone() -> None:
    # given an open microphone
    ears = Ears()
    ears.announcer.microphone(True, 0.0)
    # when a cue and a sentence come
    ears.announcer.cue("cue", 0.1)
    ears.announcer.sentence("sentence", 0.2, urgent=False)
    # then what sounded is silenced and they wait, the cue for as long as it means something
    ears.announcer.microphone(True, 0.2)
    assert ears.heard == ["hush"]
    ears.announcer.microphone(False, 0.1 + CUE_WAITS_S)
    assert ears.heard == ["hush", "sentence"]
    assert ears.announcer.dropped == 1


def test_sounds_that_waited_too_long_or_are_too_many_are_dropped() -> None:
    # given a microphone that stays open
    ears = Ears()
    ears.announcer.microphone(True, 0.0)
    for _ in range(WAITING_MAX + 2):
        ears.announcer.sentence("sentence", 0.0, urgent=False)
    # when too much time passes
    ears.announcer.microphone(True, SENTENCE_WAITS_S)
    ears.announcer.microphone(False, SENTENCE_WAITS_S)
    # then nothing is heard of them
    assert ears.heard == ["hush"]
    assert ears.announcer.dropped == WAITING_MAX + 2


def test_what_waits_keeps_its_order_when_something_among_it_is_out_of_date() -> None:
    ears = Ears()
    ears.announcer.microphone(True, 0.0)
    ears.announcer.sentence("first", 0.0, urgent=False)
    ears.announcer.cue("cue", 0.0)
    ears.announcer.sentence("second", 0.0, urgent=False)
    ears.announcer.microphone(True, CUE_WAITS_S)
    ears.announcer.microphone(False, CUE_WAITS_S)
    assert ears.heard == ["hush", "first", "second"]


def test_an_urgent_sentence_comes_instead_of_other_sentences_and_behind_its_cue() -> None:
    # given a sentence and a cue that sound
    ears = Ears()
    ears.announcer.sentence("news", 0.0, urgent=False)
    ears.announcer.cue("cue", 0.1)
    # when something urgent comes
    ears.announcer.sentence("urgent", 0.1, urgent=True)
    # then only sentences are silenced for it
    assert ears.heard == ["news", "cue", "hush sentences", "urgent"]


def test_while_the_microphone_is_open_an_urgent_sentence_takes_the_place_of_those_that_wait() -> None:
    ears = Ears()
    ears.announcer.microphone(True, 0.0)
    ears.announcer.sentence("news", 0.0, urgent=False)
    ears.announcer.cue("cue", 0.1)
    ears.announcer.sentence("urgent", 0.1, urgent=True)
    ears.announcer.microphone(False, 0.2)
    assert ears.heard == ["hush", "hush sentences", "cue", "urgent"]
    assert ears.announcer.dropped == 1


def test_in_a_telephone_call_only_urgent_sentences_sound_and_the_others_wait_as_for_the_microphone() -> None:
    # given a call that begins while something sounds
    ears = Ears()
    ears.announcer.sentence("before", 0.0, urgent=False)
    ears.announcer.hush(True, 0.1)
    # when a cue, news and an answer to a press come
    ears.announcer.cue("cue", 0.2)
    ears.announcer.sentence("answer", 0.2, urgent=True)
    ears.announcer.sentence("news", 0.3, urgent=False)
    heard = list(ears.heard)
    # then the answer is heard at once, and what is still news when the call is over
    ears.announcer.hush(False, 0.2 + CUE_WAITS_S)
    assert heard == ["before", "hush", "hush sentences", "answer"]
    assert ears.heard[4:] == ["news"]
    assert ears.announcer.dropped == 1


def test_an_open_microphone_silences_an_urgent_sentence_of_a_telephone_call_too() -> None:
    ears = Ears()
    ears.announcer.hush(True, 0.0)
    ears.announcer.microphone(True, 0.0)
    ears.announcer.sentence("urgent", 0.1, urgent=True)
    ears.announcer.hush(False, 0.2)
    assert "urgent" not in ears.heard
    ears.announcer.microphone(False, 0.3)
    assert ears.heard[-1] == "urgent"
