"""Sentences that cannot be made: told to the office while it lasts, and in nobody's way."""

from gateway.core.alerts import KNOWN
from gateway.core.spoken import NAME_MAX, spoken_name
from gateway.core.told import Told
from gateway.core.words import FromWorker, LinkDown, LinkUp, Pressed, Publish, Tell, ToWorker, WorkerGone
from protocol.messages import Alert, Severity
from protocol.topics import Kind
from protocol.worker import Arm, SpeechEngine
from tests.core.gateway_vehicle_rig import Rig

MISSING = "sentences are not spoken: espeak-ng is missing: apt install espeak-ng"


def alerts(rig: Rig, since: int = 0) -> list[Alert | None]:
    """What was published at the alert's topic, oldest first."""
    found = [e for _, e in rig.all[since:] if isinstance(e, Publish) and e.kind is Kind.ALERT and e.ids[1] == "speech"]
    assert all(e.retain for e in found)
    return [e.message for e in found if e.message is None or isinstance(e.message, Alert)]


def test_a_missing_engine_is_an_alert_in_its_own_words_until_it_works_again() -> None:
    rig = Rig().up()
    since = len(rig.all)
    rig.feed(FromWorker(event=SpeechEngine(ok=False, detail=MISSING)))
    rig.wait(60.0)
    rig.feed(FromWorker(event=SpeechEngine(ok=True)))
    raised, cleared = alerts(rig, since)
    assert raised is not None
    assert (raised.what, raised.severity) == (MISSING, Severity.WARNING)
    assert "espeak-ng" in KNOWN["speech"][2]
    assert cleared is None


def test_a_new_worker_has_not_failed_yet() -> None:
    rig = Rig().up()
    rig.feed(FromWorker(event=SpeechEngine(ok=False, detail=MISSING)))
    rig.feed(WorkerGone(reason="test"))
    assert alerts(rig)[-1] is None


def test_the_alert_is_told_anew_over_a_new_connection() -> None:
    rig = Rig().up()
    rig.feed(FromWorker(event=SpeechEngine(ok=False, detail=MISSING)), LinkDown(reason="test"))
    since = len(rig.all)
    rig.feed(LinkUp())
    [again] = alerts(rig, since)
    assert again is not None
    assert again.what == MISSING


def test_without_speech_a_press_is_asked_for_and_answered_as_ever() -> None:
    rig = Rig().up()
    rig.feed(FromWorker(event=SpeechEngine(ok=False, detail=MISSING)))
    since = len(rig.all)
    rig.feed(Pressed(at=rig.now))
    rig.grant()
    assert any(isinstance(e, ToWorker) and isinstance(e.command, Arm) for _, e in rig.all[since:])
    assert Told.GRANTED in [e.what for _, e in rig.all[since:] if isinstance(e, Tell)]


def test_a_very_long_name_is_spoken_to_its_last_whole_word_within_the_bound() -> None:
    name = "동해물과 백두산이 마르고 닳도록 하느님이 보우하사 우리나라 만세 무궁화 삼천리"
    assert len(name) > 40
    assert spoken_name(name, "ko") == "동해물과 백두산이 마르고 닳도록 하느님이"
    assert len(spoken_name("가" * 64, "ko")) == NAME_MAX


def test_names_in_other_scripts_and_signs_are_a_colleagues() -> None:
    assert {spoken_name(name, "ko") for name in ("王小明", "Иван", "🚚🚚", "", "   ", "\u200b")} == {"동료"}
    assert {spoken_name(name, "en") for name in ("王小明", "محمد", "🚚")} == {"A colleague"}
