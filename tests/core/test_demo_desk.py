"""The demo's fourth voice: what it needs, the page's tone, and what the page must have told; each seen to fail."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lab.demo.desk import CHROMIUMS, lacking
from lab.demo.desk_sound import PROGRAMS
from lab.demo.facts import OPEN_SESSION, WHOLE_SESSION, page, sessions
from lab.demo.outcome import Burst, Outcome, Refusal
from lab.demo.script import DESK, NAMES, PARTS
from lab.demo.speech import speak
from lab.demo.tone import DENIED, made, take_out
from lab.measure.align import align
from lab.measure.sound import RATE_HZ, Recording
from protocol.messages import DenyCause, FloorDeny

SOUNDS = Path("dispatch/web/static/console/sounds.js")
EPOCH_S = 100.0


def machine_with(*programs: str) -> str:
    return lacking(lambda name: f"/usr/bin/{name}" if name in programs else None)


@pytest.mark.parametrize("browser", CHROMIUMS)
def test_any_chromium_and_a_sound_server_will_do(browser: str) -> None:
    assert machine_with(browser, *PROGRAMS) == ""


def test_what_is_missing_is_named() -> None:
    assert machine_with(*PROGRAMS) == "chromium"
    assert machine_with("chromium", "pactl", "parec", "pacat") == "pulseaudio"
    assert machine_with() == "chromium, pulseaudio, pactl, parec, pacat"


def test_the_set_up_looks_for_the_same_browsers() -> None:
    assert f"for name in {' '.join(CHROMIUMS)}; do" in Path("setup/bootstrap").read_text()


def test_the_tone_is_the_one_the_page_plays() -> None:
    written = re.search(r"^  denied: \[(.*)\],$", SOUNDS.read_text(), re.MULTILINE)
    assert written is not None
    pairs = re.findall(r"\[([\d.]+), ([\d.]+)\]", written[1])
    assert tuple((float(hz), float(length)) for hz, length in pairs) == DENIED


def test_a_tone_within_speech_is_found_and_taken_out_without_a_trace() -> None:
    voice, text = PARTS["reply"]
    said = speak(text, voice)
    heard = said.copy()
    begin = round(0.731 * RATE_HZ)
    tone = made(0.12)
    heard[begin : begin + len(tone)] += tone

    rest, found = take_out(Recording(heard, EPOCH_S), EPOCH_S + 0.7)

    assert align(said, heard).problems != ()
    assert align(said, rest.sound).problems == ()
    assert found.at_s == pytest.approx(EPOCH_S + 0.731, abs=0.002)
    assert found.peaks == pytest.approx((0.12, 0.12), abs=0.02)


def test_a_second_beep_that_comes_late_is_found_and_taken_out_too() -> None:
    voice, text = PARTS["reply"]
    said = speak(text, voice)
    heard, tone, late = said.copy(), made(0.12), round(0.03 * RATE_HZ)
    half = len(tone) // 2
    begin = round(0.5 * RATE_HZ)
    heard[begin : begin + half] += tone[:half]
    heard[begin + half + late : begin + len(tone) + late] += tone[half:]

    rest, found = take_out(Recording(heard, EPOCH_S), EPOCH_S + 0.46)

    assert align(said, rest.sound).problems == ()
    assert found.peaks == pytest.approx((0.12, 0.12), abs=0.02)


def test_no_tone_is_found_in_speech_alone_nor_in_silence() -> None:
    voice, text = PARTS["reply"]
    for sound in (speak(text, voice), np.zeros(2 * RATE_HZ, np.float32), np.zeros(0, np.float32)):
        _, found = take_out(Recording(sound, EPOCH_S), EPOCH_S + 0.3)
        assert max(found.peaks) < 0.03


def outcome() -> Outcome:
    """A call that three heard, and a refusal."""
    call = Burst(n=1, speaker=DESK, number=1, event_id="a", text="call", listeners=tuple(NAMES),
                 edge_s=1.0, handled_s=1.1, told_s=1.1)  # fmt: skip
    deny = FloorDeny(rev=1, request_id=(1, 1, 1, 1), cause=DenyCause.ANOTHER_HAS_PERMISSION, speaker="car-1",
                     speaker_name="1호차", remaining_s=28.5)  # fmt: skip
    refusal = Refusal(user=DESK, text="too soon", speaker="car-1", edge_s=5.0, end_s=6.0, deny=deny, told_s=5.1,
                      page="1호차 발언 중입니다. 최대 30초.")  # fmt: skip
    return Outcome(
        members=(*NAMES, DESK),
        bursts=[call],
        refusals=[refusal],
        page_heard="내 발언: 3명 중 3명이 들음",
    )


def failed(story: Outcome) -> list[str]:
    return [check.key for check in page(story) if not check.ok]


def test_a_page_that_told_everything_passes() -> None:
    assert failed(outcome()) == []
    assert len(page(outcome())) == 2


@pytest.mark.parametrize("told", ["", "내 발언: 3명 중 2명이 들음", "내 발언: 2명 중 2명이 들음"])
def test_a_page_that_does_not_say_that_all_heard_fails(told: str) -> None:
    story = outcome()
    story.page_heard = told
    assert failed(story) == ["page_heard"]


def test_a_page_that_does_not_name_who_was_in_the_way_fails() -> None:
    story = outcome()
    story.refusals[0].page = "거절되었습니다."
    assert failed(story) == ["page_told"]


def test_a_call_manager_counts_among_those_who_join_leave_and_speak() -> None:
    three = Outcome(members=tuple(NAMES), bursts=outcome().bursts * 4)
    four = Outcome(members=(*NAMES, DESK), bursts=outcome().bursts * 6)
    assert sessions(three) == (WHOLE_SESSION, OPEN_SESSION)
    assert [s["USER_JOINED"] for s in sessions(four)] == [4, 4]
    assert sessions(four)[0]["USER_LEFT"] == 4
    assert sessions(four)[1]["SPEAKER_CHANGED"] == 4
