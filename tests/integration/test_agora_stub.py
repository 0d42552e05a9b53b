"""Real processes: our adapter on the unmodified package on the stand-in's library, in channels of the stand-in's hub.

What is shown is how our side behaves with the package as its source is. Nothing here says anything about Agora's real
library or cloud.
"""

from __future__ import annotations

import math
import signal
import time
from pathlib import Path

from lab.agora_stub.hub import Hub
from tests.integration.agora_stub_rig import CAR, COLLEAGUE, SPEECH, STRANGER, Start, joined, sound_in, talk
from tests.support.agora import APP_ID, CERTIFICATE, CHANNEL, FRAME_BYTES, SdkProcess, token_for
from tests.support.procs import eventually
from voice.transports.agora.inbox import SOUND_MAX


def test_sound_pushed_by_one_process_arrives_in_another_bit_by_bit_in_order_from_a_foreign_thread(
    hub: Hub, start: Start
) -> None:
    speaker, listener = joined(start, CAR), joined(start, COLLEAGUE, publisher=False)
    listener.do("subscribe", CAR)
    speaker.do("publish")
    talk(speaker)

    eventually(lambda: len(sound_in(listener.heard)) >= len(SPEECH), what=lambda: str(hub.stats(CHANNEL)))
    assert sound_in(listener.heard) == SPEECH
    assert {fields["uid"] for fields in listener.told("Speech")} == {CAR}
    about = listener.ask("about")
    assert about["sound_threads"] == ["agora-stub"]
    assert about["told_in"] == [about["main"]]


def test_a_connection_is_joined_as_audience_subscribed_to_nobody_with_a_scenario_for_ordinary_peers(
    hub: Hub, start: Start
) -> None:
    process = joined(start, CAR)
    join = hub.joins[-1]
    live_broadcasting, game_streaming, audience = 1, 3, 2
    assert (join.auto_subscribe, join.role, join.profile) == (0, audience, live_broadcasting)
    assert (join.scenario, join.service_scenario) == (game_streaming, game_streaming)
    assert (join.rate_hz, join.channels) == (16000, 1)
    assert process.told("Connected") == [{"channel": CHANNEL, "took_ms": process.told("Connected")[0]["took_ms"]}]
    assert hub.stats(CHANNEL).joined == (CAR,)


def test_loading_the_package_leaves_certificate_checks_and_the_import_path_as_they_were(start: Start) -> None:
    about = joined(start, CAR).ask("about")
    assert about["https_checked"] is True
    assert about["path"] == []


def test_nobody_is_heard_who_is_not_subscribed_to(hub: Hub, start: Start) -> None:
    speaker, listener = joined(start, CAR), joined(start, COLLEAGUE)
    listener.do("subscribe", STRANGER)
    speaker.do("publish")
    talk(speaker)
    eventually(lambda: hub.stats(CHANNEL).pushed.get(CAR) == 40, what=lambda: str(hub.stats(CHANNEL)))
    assert listener.told("Speech") == []
    assert hub.stats(CHANNEL).delivered.get(COLLEAGUE, 0) == 0


def test_after_unpublish_unsubscribe_and_disconnect_nothing_more_is_told_and_nobody_is_in_the_channel(
    hub: Hub, start: Start
) -> None:
    speaker, listener = joined(start, CAR), joined(start, COLLEAGUE)
    listener.do("subscribe", CAR)
    speaker.do("publish")
    talk(speaker)
    listener.until("Speech", 20)
    listener.do("unsubscribe")
    listener.ask("about")  # it has been carried out
    heard = len(listener.told("Speech"))
    talk(speaker)
    speaker.do("unpublish")
    eventually(lambda: hub.stats(CHANNEL).speaking == ())
    assert len(listener.told("Speech")) == heard

    listener.do("disconnect")
    speaker.do("disconnect")
    eventually(lambda: hub.stats(CHANNEL).joined == ())
    assert [name for name, _ in listener.words] == ["Connected", "Answer"]
    assert [name for name, _ in speaker.words] == ["Connected"]


def test_what_is_unsent_at_a_bursts_end_is_never_heard(hub: Hub, start: Start) -> None:
    speaker, listener = joined(start, CAR), joined(start, COLLEAGUE)
    listener.do("subscribe", CAR)
    speaker.do("publish")
    speaker.do("push", SPEECH)  # all at once: 0.4 s ahead of real time
    listener.until("Speech")
    speaker.do("unpublish")
    eventually(lambda: hub.stats(CHANNEL).speaking == ())
    time.sleep(0.5)
    assert len(sound_in(listener.heard)) < len(SPEECH) // 2
    assert SPEECH.startswith(sound_in(listener.heard))


def test_an_audience_that_pushes_is_not_heard(hub: Hub, start: Start) -> None:
    speaker, listener = joined(start, CAR), joined(start, COLLEAGUE)
    listener.do("subscribe", CAR)
    talk(speaker)
    speaker.ask("about")
    assert listener.told("Speech") == []
    assert hub.stats(CHANNEL).pushed == {}


def test_a_join_refused_on_command_can_be_tried_again(hub: Hub, start: Start) -> None:
    hub.refuse_join(CAR, 10)
    process = start()
    process.do("connect", token_for(CAR))
    assert process.until("Refused") == {"reason": "rejected by the server", "token": False}
    process.do("connect", token_for(CAR))
    process.until("Connected")


def test_a_join_that_is_never_answered_ends_after_the_timeout(hub: Hub, start: Start) -> None:
    hub.delay_join(CAR, math.inf)
    process = start()
    process.do("connect", token_for(CAR))
    assert process.until("Closed", timeout_s=15.0) == {"reason": "not joined within 10 s", "again": False}


def test_a_slow_join_is_waited_for_and_its_time_is_told(hub: Hub, start: Start) -> None:
    hub.delay_join(CAR, 0.7)
    process = start()
    process.do("connect", token_for(CAR))
    assert 700 <= process.until("Connected")["took_ms"] < 2000


def test_a_join_given_up_while_under_way_is_never_told(hub: Hub, start: Start) -> None:
    hub.delay_join(CAR, 0.3)
    process = start()
    process.do("connect", token_for(CAR))
    process.do("disconnect")
    process.do("connect", token_for(CAR, "office-2"))
    process.until("Connected")
    assert [fields["channel"] for fields in process.told("Connected")] == ["office-2"]
    eventually(lambda: hub.stats(CHANNEL).joined == () and hub.stats("office-2").joined == (CAR,))


def test_a_lost_link_is_told_and_sound_goes_on_when_it_is_back(hub: Hub, start: Start) -> None:
    speaker, listener = joined(start, CAR), joined(start, COLLEAGUE)
    listener.do("subscribe", CAR)
    hub.lose(CAR, back_after_s=0.3)
    assert speaker.until("Closed") == {"reason": "interrupted", "again": True}
    assert speaker.until("Connected", 2)["channel"] == CHANNEL
    speaker.do("publish")
    talk(speaker)
    eventually(lambda: sound_in(listener.heard) == SPEECH)


def test_a_link_that_does_not_come_back_is_told_once(hub: Hub, start: Start) -> None:
    speaker = joined(start, CAR)
    hub.lose(CAR, lost_after_s=0.2)
    speaker.until("Closed")
    time.sleep(0.4)
    assert speaker.told("Closed") == [{"reason": "interrupted", "again": True}]


def test_a_cloud_that_goes_away_and_comes_back_is_joined_again(sdk_dir: Path, tmp_path: Path) -> None:
    with SdkProcess(sdk_dir, tmp_path / "log", tmp_path / "hub") as process:
        with Hub(APP_ID, CERTIFICATE, tmp_path / "hub"):
            process.do("connect", token_for(CAR))
            process.until("Connected")
            process.do("subscribe", COLLEAGUE)
        process.until("Closed")
        with Hub(APP_ID, CERTIFICATE, tmp_path / "hub") as hub, SdkProcess(sdk_dir, tmp_path / "l2", hub.path) as other:
            process.until("Connected", 2)
            other.do("connect", token_for(COLLEAGUE))
            other.until("Connected")
            other.do("publish")
            talk(other)
            eventually(lambda: sound_in(process.heard) == SPEECH)


def test_a_kicking_rule_throws_out_and_keeps_out_until_it_is_taken_away(hub: Hub, start: Start) -> None:
    process = joined(start, CAR)
    rule = hub.kick(CHANNEL, CAR)
    assert process.until("Refused") == {"reason": "banned by a kicking rule", "token": False}
    process.do("connect", token_for(CAR))
    process.until("Refused", 2)
    hub.pardon(rule.no)
    process.do("connect", token_for(CAR))
    process.until("Connected", 2)


def test_a_rule_against_publishing_leaves_the_channel_and_takes_the_voice(hub: Hub, start: Start) -> None:
    process = joined(start, CAR)
    hub.kick(CHANNEL, CAR, privilege="publish_audio")
    process.do("publish")
    assert process.until("Refused")["reason"] == "role of a speaker refused (2)"


def test_the_same_uid_elsewhere_ends_the_older_connection(start: Start) -> None:
    older = joined(start, CAR)
    joined(start, CAR)
    assert older.until("Refused")["reason"] == "this uid has joined from elsewhere"


def test_a_push_that_the_sdk_refuses_ends_the_connection(hub: Hub, start: Start) -> None:
    process = joined(start, CAR)
    process.do("publish")
    hub.fail_push(CAR, -7)
    eventually(lambda: process.do("push", SPEECH[:FRAME_BYTES]) or process.told("Closed"))
    assert process.told("Closed") == [{"reason": "push_audio_pcm_data: the SDK answers -7", "again": False}]
    eventually(lambda: hub.stats(CHANNEL).joined == ())


def test_an_sdk_that_hangs_holds_up_neither_the_loop_nor_the_end_and_is_told_as_closed(hub: Hub, start: Start) -> None:
    process = joined(start, CAR)
    process.do("publish")
    process.ask("about")
    hub.hang(CAR, 5.0)
    time.sleep(0.1)
    talk(process, SPEECH * 2)
    assert process.until("Closed", timeout_s=1.0) == {"reason": "the SDK takes no more sound", "again": False}
    process.do("quit")
    assert process.until("Answer", 2, timeout_s=2.0)["closed_in_s"] < 1.2


def test_an_sdk_that_does_not_start_is_told_as_unusable_and_nothing_follows(hub: Hub, start: Start) -> None:
    hub.fail_initialise(-2)
    process = start()
    process.do("connect", token_for(CAR))
    assert "Agora's SDK does not start -> check the app id" in process.until("Unusable")["detail"]
    process.do("connect", token_for(CAR))
    process.ask("about")
    assert [name for name, _ in process.words] == ["Unusable", "Answer"]


def test_a_crash_in_native_code_kills_the_process_that_holds_it_and_no_other(hub: Hub, start: Start) -> None:
    victim, other = joined(start, CAR), joined(start, COLLEAGUE)
    hub.crash(CAR)
    assert victim.ended() == -signal.SIGSEGV
    eventually(lambda: hub.stats(CHANNEL).joined == (COLLEAGUE,))
    assert [name for name, _ in other.words] == ["Connected"]


def test_a_thousand_frames_at_once_while_the_loop_stalls_are_bounded_and_counted(hub: Hub, start: Start) -> None:
    process = joined(start, CAR)
    process.do("subscribe", COLLEAGUE)
    eventually(lambda: process.ask("about"))
    process.ask("stall")
    hub.storm(CAR, 1000, "sound")
    assert process.until("Overrun") == {"dropped": 1000 - SOUND_MAX}
    process.ask("about")
    assert len(process.told("Speech")) == SOUND_MAX
    assert process.told("Closed") == []


def test_a_storm_of_words_about_the_connection_ends_it_instead_of_leaving_it_uncertain(hub: Hub, start: Start) -> None:
    process = joined(start, CAR)
    process.ask("stall")
    hub.storm(CAR, 1000, "states")
    process.until("Overrun")
    eventually(
        lambda: process.told("Closed")[-1:] == [{"reason": "the SDK told more than could be taken", "again": False}]
    )
    process.do("connect", token_for(CAR))
    eventually(lambda: hub.stats(CHANNEL).joined == (CAR,))


def test_a_thousand_users_who_join_disturb_nobody(hub: Hub, start: Start) -> None:
    process = joined(start, CAR)
    hub.storm(CAR, 1000, "users")
    process.do("disconnect")
    eventually(lambda: hub.stats(CHANNEL).joined == ())
    assert [name for name, _ in process.words] == ["Connected"]


def test_closing_leaves_the_channel_and_takes_less_than_a_second(hub: Hub, start: Start) -> None:
    process = joined(start, CAR)
    process.do("quit")
    assert process.until("Answer")["closed_in_s"] < 1.0
    assert process.ended() == 0
    eventually(lambda: hub.stats(CHANNEL).joined == ())


def test_a_folder_without_the_sdk_is_told_as_unusable(hub: Hub, tmp_path: Path) -> None:
    with SdkProcess(tmp_path / "nothing", tmp_path / "log", hub.path) as process:
        assert "there is no Agora SDK in" in process.until("Unusable")["detail"]


def test_minutes_joined_are_counted_over_several_stays(hub: Hub, start: Start) -> None:
    process = joined(start, CAR)
    time.sleep(0.3)
    process.do("disconnect")
    eventually(lambda: hub.stats(CHANNEL).joined == ())
    first_s = hub.stats(CHANNEL).joined_s[CAR]
    process.do("connect", token_for(CAR))
    process.until("Connected", 2)
    time.sleep(0.2)
    assert first_s >= 0.3
    assert hub.stats(CHANNEL).joined_s[CAR] >= first_s + 0.2
