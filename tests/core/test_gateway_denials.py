"""A denial explains itself: the reason, who speaks, how long; in short to one who presses again and again."""

import pytest

from gateway.answers import VIBRATIONS
from gateway.core.denials import _TOLD, SHORT_WITHIN_S, Denials
from gateway.core.face import sounds
from gateway.core.indicators import TABLE, Vibration, sentence
from gateway.core.told import Told
from gateway.core.words import Pressed, Tell
from hw import patterns
from protocol.messages import DenyCause, FloorDeny, Priority
from protocol.worker import Cue, Say
from tests.core.gateway_vehicle_rig import Rig


def deny(
    cause: DenyCause = DenyCause.ANOTHER_HAS_PERMISSION, priority: Priority = Priority.NORMAL, speaker: str = "car-2"
) -> FloorDeny:
    return FloorDeny(rev=1, request_id=(0, 7, 1, 1), cause=cause, speaker=speaker, priority=priority)


def test_every_cause_has_an_answer_with_a_sentence_in_both_languages() -> None:
    assert set(_TOLD) == set(DenyCause)
    for told in (*_TOLD.values(), Told.EMERGENCY_ON):
        assert all(sentence(told, lang, "김기사", 7.0) for lang in ("ko", "en"))
        assert TABLE[told].vibration in (Vibration.DENIED, Vibration.START_FAIL)


@pytest.mark.parametrize(
    "cause",
    [
        DenyCause.ANOTHER_HAS_PERMISSION,
        DenyCause.QUEUE_FULL,
        DenyCause.RECEIVE_ONLY,
        DenyCause.NOT_ADMITTED,
        DenyCause.NO_RESOURCES,
        DenyCause.OTHER,
    ],
)
def test_what_the_office_refuses_is_felt_as_a_denial(cause: DenyCause) -> None:
    assert TABLE[Denials().judge(deny(cause), 0.0).told].vibration is Vibration.DENIED


def test_a_denial_feels_like_none_of_the_plans_four() -> None:
    plan = (patterns.START_SUCCESS, patterns.START_FAIL, patterns.SESSION_NOTIFICATION, patterns.HOLD)
    first_ms, count = patterns.DENIED.steps[0][0], sum(level > 0 for _, level in patterns.DENIED.steps)
    for other in plan:
        pulses = [ms for ms, level in other.steps if level > 0]
        assert pulses[0] < 0.5 * first_ms or len(pulses) < count - 1
    assert VIBRATIONS[Vibration.DENIED] is patterns.DENIED


@pytest.mark.parametrize("cause", [DenyCause.ANOTHER_HAS_PERMISSION, DenyCause.QUEUE_FULL])
def test_under_an_emergency_the_driver_hears_that_one_is_going_on(cause: DenyCause) -> None:
    denial = Denials().judge(deny(cause, Priority.EMERGENCY), 0.0)
    assert denial.told is Told.EMERGENCY_ON
    assert sentence(denial.told, "ko", "김기사", 12.2) == "김기사, 최대 12초 남음. 긴급 통화 중입니다"
    assert sentence(denial.told, "en", "Kim", 12.2) == "Kim, 12 seconds left at most. An emergency call is going on"


def test_within_ten_seconds_of_the_whole_sentence_the_same_is_told_in_short() -> None:
    denials = Denials()
    times = (0.0, 1.0, SHORT_WITHIN_S - 0.1, SHORT_WITHIN_S, SHORT_WITHIN_S + 1.0)
    assert [denials.judge(deny(), at).short for at in times] == [False, True, True, False, True]


def test_another_speaker_or_another_reason_is_told_as_a_whole() -> None:
    denials = Denials()
    said = [
        denials.judge(deny(), 0.0).short,
        denials.judge(deny(speaker="car-3"), 1.0).short,
        denials.judge(deny(DenyCause.QUEUE_FULL, speaker="car-3"), 2.0).short,
        denials.judge(deny(DenyCause.QUEUE_FULL, Priority.EMERGENCY, "car-3"), 3.0).short,
    ]
    assert said == [False] * 4


@pytest.mark.parametrize(("name", "said"), [("김기사", ["김기사"]), ("", [])])
def test_in_short_means_the_vibration_and_the_name_alone(name: str, said: list[str]) -> None:
    commands = [e.command for e in sounds([Tell(what=Told.DENIED, name=name, remaining_s=9.0, short=True)], "ko")]
    assert [c.text for c in commands if isinstance(c, Say)] == said
    assert not any(isinstance(c, Cue) for c in commands)


def test_a_driver_who_presses_on_is_answered_each_time_and_told_all_of_it_once() -> None:
    rig = Rig().up()
    for press in (1, 2, 3):
        rig.feed(Pressed(at=rig.now))
        refused = FloorDeny(
            rev=9,
            request_id=(0, 7, 1, press),
            cause=DenyCause.ANOTHER_HAS_PERMISSION,
            speaker="car-2",
            speaker_name="이기사",
            remaining_s=20.0,
        )
        rig.reply(refused)
        rig.wait(1.0)
    told = [e for _, e in rig.all if isinstance(e, Tell) and e.what is Told.DENIED]
    assert [(e.press_no, e.short, e.name) for e in told] == [
        (1, False, "이기사"),
        (2, True, "이기사"),
        (3, True, "이기사"),
    ]
