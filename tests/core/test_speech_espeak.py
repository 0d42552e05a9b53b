"""espeak-ng as a process: both languages, one that hangs, one that talks nonsense, one that is not there."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

import pytest

from tests.support.procs import eventually
from voice.speech_engine import Espeak, SpeechFault

DEADLINE_S = 10.0


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(("text", "lang"), [("피티티가 종료되었습니다", "ko"), ("The talk has ended", "en")])
def test_espeak_speaks_both_languages(text: str, lang: str) -> None:
    rate_hz, sound = Espeak().speak(text, lang)
    assert 0.8 < len(sound) / rate_hz < 5
    assert max(sound) > 5000


def test_espeak_lasts_no_longer_than_it_may_though_its_children_hold_its_output(tmp_path: Path) -> None:
    engine = Espeak(program(tmp_path / "engine", "sleep 600"), seconds_max=0.2)
    began = time.monotonic()
    with pytest.raises(SpeechFault, match=r"hung for 0.2 s and was killed"):
        engine.speak("text", "ko")
    assert time.monotonic() - began < 5


def test_espeak_ends_at_once_when_abandoned(tmp_path: Path) -> None:
    # given one that hangs
    begun = tmp_path / "begun"
    engine = Espeak(program(tmp_path / "engine", f"touch {begun}; sleep 600"), seconds_max=600)
    faults: queue.Queue[str] = queue.Queue()

    def speak() -> None:
        try:
            engine.speak("text", "ko")
        except SpeechFault as fault:
            faults.put(str(fault))

    threading.Thread(target=speak, daemon=True).start()
    eventually(begun.exists, DEADLINE_S, "the engine has begun")
    # when it is abandoned, twice
    engine.abandon()
    engine.abandon()
    # then it says so
    assert "ended with -9" in faults.get(timeout=DEADLINE_S)
    engine.abandon()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo nonsense", "no WAV"),
        ("echo 'no such voice' >&2; exit 3", "ended with 3: no such voice"),
        ("exit 0", "no WAV"),
    ],
)
def test_an_engine_that_talks_nonsense_is_a_fault(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(SpeechFault, match=said):
        Espeak(program(tmp_path / "engine", script)).speak("text", "ko")


def test_a_missing_engine_is_a_fault_that_says_how_to_mend_it() -> None:
    with pytest.raises(SpeechFault, match="apt install espeak-ng"):
        Espeak("no-such-engine").speak("text", "ko")


def test_a_language_that_is_none_is_a_fault() -> None:
    with pytest.raises(SpeechFault, match="no such language"):
        Espeak().speak("text", "--help")
