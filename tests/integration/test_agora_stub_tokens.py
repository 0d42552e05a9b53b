"""Real processes on the unmodified package and the stand-in's library: tokens good, bad, warned of, never logged."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from lab.agora_stub.hub import Hub
from tests.integration.agora_stub_rig import CAR, STRANGER, Start, joined, talk
from tests.support.agora import APP_ID, CERTIFICATE, CHANNEL, SdkProcess, token_for
from tests.support.procs import eventually


def test_a_token_without_the_privilege_to_publish_is_told_as_refused_and_the_channel_is_left(
    hub: Hub, start: Start
) -> None:
    speaker = joined(start, CAR, publisher=False)
    speaker.do("publish")
    assert speaker.until("Refused") == {"reason": "role of a speaker refused (2)", "token": True}
    eventually(lambda: hub.stats(CHANNEL).joined == ())


def test_without_cohost_authentication_a_token_that_may_only_join_can_still_publish(
    sdk_dir: Path, tmp_path: Path
) -> None:
    with (
        Hub(APP_ID, CERTIFICATE, tmp_path / "hub", cohost=False) as hub,
        SdkProcess(sdk_dir, tmp_path / "log", hub.path) as speaker,
    ):
        speaker.do("connect", token_for(CAR, publisher=False))
        speaker.until("Connected")
        speaker.do("publish")
        talk(speaker)
        eventually(lambda: hub.stats(CHANNEL).pushed.get(CAR) == 40)


@pytest.mark.parametrize(
    ("token", "reason", "new_token_helps"),
    [
        (token_for(CAR, issued_at_s=int(time.time()) - 7200), "token expired", True),
        (token_for(CAR, app_id="0" * 32), "invalid app id", False),
    ],
)
def test_a_join_with_a_bad_token_is_told_as_refused(
    start: Start, token: object, reason: str, new_token_helps: bool
) -> None:
    process = start()
    process.do("connect", token)
    assert process.until("Refused") == {"reason": reason, "token": new_token_helps}


@pytest.mark.parametrize("wrong", ["uid", "channel"])
def test_a_token_of_another_uid_or_channel_lets_nobody_in(hub: Hub, start: Start, wrong: str) -> None:
    other = {"uid": token_for(STRANGER), "channel": token_for(CAR, "office-10")}[wrong]
    process = start()
    process.do("connect", msgspec.structs.replace(token_for(CAR), token=other.token))
    assert process.until("Refused") == {"reason": "invalid token", "token": True}
    assert hub.stats(CHANNEL).refused == {CAR: (8,)}


def test_a_token_is_warned_of_renewed_and_lasts_longer_than_the_first(sdk_dir: Path, tmp_path: Path) -> None:
    with (
        Hub(APP_ID, CERTIFICATE, tmp_path / "hub", warn_s=2.0) as hub,
        SdkProcess(sdk_dir, tmp_path / "log", hub.path) as process,
    ):
        process.ask("about")  # it runs: from here on the token's seconds count
        process.do("connect", token_for(CAR, expire_s=4))
        process.until("Connected")
        process.until("TokenExpires")
        process.do("renew", token_for(CAR, expire_s=3600))
        time.sleep(3.0)
        assert hub.stats(CHANNEL).joined == (CAR,)
        assert [name for name, _ in process.words] == ["Answer", "Connected", "TokenExpires"]


def test_a_token_that_is_not_renewed_ends_the_connection(sdk_dir: Path, tmp_path: Path) -> None:
    with (
        Hub(APP_ID, CERTIFICATE, tmp_path / "hub", warn_s=1.0) as hub,
        SdkProcess(sdk_dir, tmp_path / "log", hub.path) as process,
    ):
        process.ask("about")  # it runs: from here on the token's seconds count
        process.do("connect", token_for(CAR, expire_s=3))
        assert process.until("Refused") == {"reason": "token expired", "token": True}
        assert [name for name, _ in process.words] == ["Answer", "Connected", "TokenExpires", "Refused"]
        eventually(lambda: hub.stats(CHANNEL).joined == ())


def test_no_token_is_logged_even_at_debug_when_it_is_used_warned_of_refused_and_renewed(
    hub: Hub, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    good, newer, bad = token_for(CAR), token_for(CAR, expire_s=7000), token_for(STRANGER)
    process = start()
    process.do("connect", good)
    process.until("Connected")
    hub.warn(CAR)
    process.until("TokenExpires")
    process.do("renew", newer)
    process.do("renew", bad)
    process.until("TokenExpires", 2)
    process.do("quit")
    process.ended()
    written = capfd.readouterr().err
    assert "DEBUG voice.transports.agora.package" in written
    assert [token.token for token in (good, newer, bad) if token.token in written] == []


def test_a_renewal_with_a_bad_token_asks_for_another(hub: Hub, start: Start) -> None:
    process = joined(start, CAR)
    process.do("renew", token_for(CAR, "office-10"))
    process.until("TokenExpires")
    assert hub.stats(CHANNEL).joined == (CAR,)
