"""Sentences made into sound: ahead, urgent, bounded, and with an engine that is missing, hangs or talks nonsense."""

from __future__ import annotations

import math
import queue
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from protocol.worker import Prepare, Say, Sound
from protocol.worker_settings import AudioSettings
from voice.announcer import Announcer
from voice.sayings import Sayings
from voice.speech import KNOWN_BYTES_MAX, RETRY_S, STALE_S, WAITING_MAX, Speech, Spoken, resample
from voice.speech_engine import Espeak, SpeechFault

RATE = 8000
DEADLINE_S = 10.0


class Engine:
    """Speaks a tenth of a second a sentence; stands still while `gate` is closed, until abandoned."""

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.begun: queue.Queue[str] = queue.Queue()
        self.gate = threading.Event()
        self.gate.set()
        self.abandoned = threading.Event()
        self.fault = ""
        self.samples = RATE // 10

    def speak(self, text: str, lang: str) -> tuple[int, array[int]]:
        self.abandoned.clear()
        self.begun.put(text)
        until(lambda: self.gate.is_set() or self.abandoned.is_set())
        if self.fault or not self.gate.is_set():
            raise SpeechFault(self.fault or "abandoned")
        self.spoken.append(text)
        return RATE, array("h", [len(text)] * self.samples)

    def abandon(self) -> None:
        self.abandoned.set()


class Rig:
    """A Speech over an engine, with a clock set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.engine = Engine()
        self.told: queue.Queue[Spoken] = queue.Queue()
        self.states: list[tuple[bool, str]] = []
        self.speech = Speech(
            self.engine,
            RATE,
            100,
            self.told.put,
            clock=lambda: self.now,
            state=lambda ok, why: self.states.append((ok, why)),
        )
        self.speech.start()

    def next(self) -> Spoken:
        return self.told.get(timeout=DEADLINE_S)

    def hang(self, text: str) -> None:
        """Have the engine stand still in the middle of a sentence."""
        self.engine.gate.clear()
        self.speech.say(text, "ko", urgent=False)
        assert self.engine.begun.get(timeout=DEADLINE_S) == text


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.speech.stop()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_sentence_made_ahead_is_there_at_once_even_while_the_engine_hangs(rig: Rig) -> None:
    # given a sentence made ahead, and an engine that hangs in another
    rig.speech.prepare("연결이 끊겼습니다", "ko")
    until(lambda: rig.engine.spoken == ["연결이 끊겼습니다"])
    rig.engine.begun.get(timeout=DEADLINE_S)
    rig.hang("김기사님이 피티티를 시작했습니다")
    # when it is asked for as urgent
    until(lambda: bool(rig.speech._known))
    assert rig.speech.say("연결이 끊겼습니다", "ko", urgent=True)
    # then it is given before this call returns, and what hung is never told
    assert rig.told.get_nowait().text == "연결이 끊겼습니다"
    until(lambda: rig.speech.dropped == 1)
    assert rig.told.empty()


def test_an_unknown_urgent_sentence_ends_the_one_being_made_and_those_that_wait(rig: Rig) -> None:
    # given an engine that hangs, and two sentences behind it
    rig.hang("hangs")
    rig.speech.say("waits", "ko", urgent=False)
    rig.speech.say("waits too", "ko", urgent=False)
    # when something urgent comes and the engine works again
    rig.speech.say("urgent", "ko", urgent=True)
    until(rig.engine.abandoned.is_set)
    rig.engine.gate.set()
    # then it is the one that is heard
    assert rig.next().text == "urgent"
    assert rig.speech.dropped == 3


def test_sentences_come_in_the_order_they_were_said_though_some_are_known(rig: Rig) -> None:
    # given a known sentence, and one being made
    rig.speech.say("known", "ko", urgent=False)
    assert rig.next().text == "known"
    rig.engine.begun.get(timeout=DEADLINE_S)
    rig.hang("new")
    # when the known one is said again
    rig.speech.say("known", "ko", urgent=False)
    assert rig.told.empty()
    rig.engine.gate.set()
    # then it comes second, and was made once only
    assert [rig.next().text, rig.next().text] == ["new", "known"]
    assert rig.engine.spoken == ["known", "new"]


def test_of_a_sentence_with_a_known_end_only_its_beginning_is_made(rig: Rig) -> None:
    # given what every denial ends with
    rig.speech.prepare("다른 사용자가 통화 중입니다. 잠시 후 다시 시도해주세요", "ko")
    until(lambda: len(rig.speech._known) == 2)
    # when somebody is named before it
    rig.speech.say("김기사, 최대 27초 남음. 다른 사용자가 통화 중입니다. 잠시 후 다시 시도해주세요", "ko", urgent=True)
    heard = rig.next()
    # then that is all the engine was asked for, and the whole is heard in order
    parts = ["김기사, 최대 27초 남음.", "다른 사용자가 통화 중입니다.", "잠시 후 다시 시도해주세요"]
    assert rig.engine.spoken == [parts[1], parts[2], parts[0]]
    assert list(dict.fromkeys(heard.sound)) == [len(part) for part in parts]


@pytest.mark.parametrize(("text", "made"), [("연결 끊김. ", ["연결 끊김."]), (" a.  b. ", ["a.", "b."]), (" ", [])])
def test_the_engine_is_never_asked_for_blanks(rig: Rig, text: str, made: list[str]) -> None:
    rig.speech.say(text, "ko", urgent=True)
    assert rig.next().fault == ""
    assert rig.engine.spoken == made


def test_too_many_sentences_are_refused_and_old_ones_dropped(rig: Rig) -> None:
    # given an engine that hangs, and as many sentences as may wait
    rig.hang("hangs")
    took = [rig.speech.say(str(n), "ko", urgent=False) for n in range(WAITING_MAX + 1)]
    assert took == [True] * WAITING_MAX + [False]
    # when it goes on after they are out of date
    rig.now = STALE_S
    rig.engine.gate.set()
    # then only the one under way is heard
    assert rig.next().text == "hangs"
    until(lambda: rig.speech.dropped == WAITING_MAX + 1)
    assert rig.engine.spoken == ["hangs"]


def test_an_engine_that_fails_is_told_once_left_alone_and_tried_again(rig: Rig) -> None:
    # given an engine that fails
    rig.engine.fault = "espeak-ng is missing"
    rig.speech.say("one", "ko", urgent=False)
    assert rig.next().fault == "espeak-ng is missing"
    # when more is to be said
    rig.speech.say("two", "ko", urgent=True)
    until(lambda: rig.speech.dropped == 2)
    # then it is not even asked; later it is, and its failure is not told again
    assert rig.engine.begun.qsize() == 1
    rig.now = RETRY_S
    rig.speech.say("three", "ko", urgent=False)
    until(lambda: rig.speech.dropped == 3)
    assert rig.told.empty()
    # and once it works again, and fails again, that is news
    rig.now = 2 * RETRY_S
    rig.engine.fault = ""
    rig.speech.say("four", "ko", urgent=False)
    assert (rig.next().text, rig.told.empty()) == ("four", True)
    rig.engine.fault = "espeak-ng is missing"
    rig.speech.say("five", "ko", urgent=False)
    assert rig.next().fault == "espeak-ng is missing"


def test_that_the_engine_fails_and_that_it_works_again_is_told_once_each_though_nothing_more_is_said(rig: Rig) -> None:
    rig.engine.fault = "espeak-ng is missing"
    rig.speech.say("one", "ko", urgent=False)
    assert rig.next().fault == "espeak-ng is missing"
    for retry in range(1, 4):
        rig.now = retry * RETRY_S
        rig.speech.idle(True)
        until(lambda tries=retry + 1: rig.engine.begun.qsize() >= tries)  # type: ignore[misc]
    rig.engine.fault = ""
    rig.now = 10 * RETRY_S
    rig.speech.idle(True)
    until(lambda: (True, "") in rig.states)
    assert rig.states == [(False, "espeak-ng is missing"), (True, "")]
    assert rig.told.empty()


def test_an_engine_that_hangs_and_is_killed_is_told_as_failing(tmp_path: Path) -> None:
    states: queue.Queue[tuple[bool, str]] = queue.Queue()
    told: queue.Queue[Spoken] = queue.Queue()
    hangs = tmp_path / "hangs"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o700)
    speech = Speech(
        Espeak(str(hangs), seconds_max=0.2), RATE, 100, told.put, state=lambda ok, why: states.put((ok, why))
    )
    speech.start()
    try:
        speech.say("one", "ko", urgent=True)
        ok, why = states.get(timeout=DEADLINE_S)
        assert not ok
        assert "hung for 0.2 s and was killed" in why
    finally:
        speech.stop()


def test_nothing_is_made_ahead_while_somebody_speaks_or_the_engine_rests(rig: Rig) -> None:
    # given a cab in which somebody speaks, and an engine that fails at the first thing it is given
    rig.speech.idle(False)
    rig.speech.prepare("ahead", "ko")
    rig.engine.fault = "broken"
    rig.speech.say("now", "ko", urgent=False)
    assert rig.next().fault == "broken"
    rig.engine.fault = ""
    assert rig.engine.begun.get(timeout=DEADLINE_S) == "now"
    # when it is quiet, but the engine is being left alone
    rig.speech.idle(True)
    assert rig.engine.begun.empty()
    # then it is made once that is over, and told to nobody
    rig.now = RETRY_S
    rig.speech.idle(True)
    until(lambda: rig.engine.spoken == ["ahead"])
    assert rig.told.empty()


def test_what_is_remembered_is_bounded(rig: Rig) -> None:
    # given sentences of five seconds at 192 kB each, more than are kept
    rig.engine.samples = 12 * RATE
    many = KNOWN_BYTES_MAX // (2 * 12 * RATE) + 3
    for n in range(many):
        rig.speech.say(str(n), "ko", urgent=False)
        rig.next()
    # then the first are gone and the last are known
    assert 2 * sum(map(len, rig.speech._known.values())) <= KNOWN_BYTES_MAX
    assert ("0", "ko") not in rig.speech._known
    assert (str(many - 1), "ko") in rig.speech._known


def test_speech_of_another_rate_keeps_its_length_and_pitch() -> None:
    # given a second of a tone at 22.05 kHz
    source = array("h", [int(8000 * math.sin(2 * math.pi * 440 * i / 22050)) for i in range(22050)])
    # when it is brought to 48 kHz
    out = resample(source, 22050, 48000, 100)
    # then it is as long and as high
    rising = sum(1 for a, b in pairwise(out) if a < 0 <= b)
    assert len(out) == pytest.approx(48000, abs=4)
    assert rising == pytest.approx(440, abs=2)


# --- what is said at all -----------------------------------------------------------------------------------------


class Mute:
    """Lanes nobody hears."""

    def __init__(self) -> None:
        self.cues: list[int] = []

    def cue(self, sound: array[int], deadline: float) -> None:
        self.cues.append(max(sound))

    def sentence(self, sound: array[int], deadline: float) -> None: ...
    def cut_sentences(self) -> None: ...
    def cut_cues(self) -> None: ...


def sayings(settings: AudioSettings, minute: int | None) -> tuple[Sayings, Engine, Mute]:
    engine, lanes = Engine(), Mute()
    made = Sayings(settings, Announcer(lanes), engine, lambda spoken: None, lambda: minute)
    made.start()
    return made, engine, lanes


def test_in_quiet_hours_only_urgent_sentences_are_spoken_and_cues_sound() -> None:
    # given a unit at 23:00, quiet from 22:00 on
    night, engine, lanes = sayings(AudioSettings(quiet_from="22:00", quiet_to="06:00"), 23 * 60)
    # when it is told news, a cue and something urgent
    assert night.say(Say(text="news"))
    night.cue(Sound.END, 0.0)
    assert night.say(Say(text="urgent", urgent=True))
    # then the news was not spoken
    until(lambda: engine.spoken == ["urgent"])

    def sounds() -> int:
        night.tick()
        return len(lanes.cues)

    until(lambda: sounds() == 1)
    night.stop()
    assert (night.hushed, len(lanes.cues)) == (1, 1)


def test_a_sound_asked_for_before_it_is_made_holds_nobody_up_and_comes_when_it_is() -> None:
    # given a worker whose sounds are not made yet
    lanes, woken = Mute(), threading.Event()
    early = Sayings(AudioSettings(), Announcer(lanes), Engine(), lambda spoken: None, lambda: None, wake=woken.set)
    # when one is asked for
    early.cue(Sound.SOMEONE_SPEAKING, 0.0)
    # then the loop does not make it
    assert lanes.cues == []
    # and it is played, once, when it is made
    early.start()
    assert woken.wait(DEADLINE_S)
    early.tick()
    early.tick()
    early.stop()
    assert len(lanes.cues) == 1


def test_sentences_at_no_loudness_are_not_even_made() -> None:
    dumb, engine, _ = sayings(AudioSettings(sentence_volume_percent=0), 0)
    assert dumb.say(Say(text="urgent", urgent=True))
    dumb.prepare(Prepare(text="ahead"))
    dumb.stop()
    assert engine.begun.empty()
