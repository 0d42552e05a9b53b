"""The measuring part of `doctor agora`: what it sends, hears and reports, on an SDK that is told what to do."""

from __future__ import annotations

import array
import math
from collections.abc import Callable

import pytest

from gateway.doctor import _round_trip
from protocol.worker import Token
from protocol.worker_settings import AgoraSettings
from service.loop import Loop
from voice.transports.agora.port import Closed, Connected, Refused, SdkEvent, Unusable
from voice.transports.agora.probe import BLOCK_S, QUIET_S, RATE_HZ, Ear, Joining, Task, try_loading

TOKEN = Token(channel="ch", app_id="app", uid=17, token="007x", publisher=True, expires_in_s=3600.0)


class Sdk:
    """A session that answers `connect` as told."""

    def __init__(self, loop: Loop, tell: Callable[[SdkEvent], None], answer: SdkEvent) -> None:
        self._loop = loop
        self._tell = tell
        self._answer = answer
        self.calls: list[str] = []
        self.pushed: list[bytes] = []

    def connect(self, token: Token) -> None:
        self._loop.call_at(0.0, lambda: self._tell(self._answer))

    def push(self, pcm: bytes) -> None:
        self.pushed.append(pcm)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: self.calls.append(name)


def joined(task: Task, answer: SdkEvent) -> tuple[Joining, Sdk]:
    loop = Loop()
    made: list[Sdk] = []

    def open_(
        loop: Loop, _settings: AgoraSettings, tell: Callable[[SdkEvent], None], _fatal: Callable[[Exception], None]
    ) -> Sdk:
        made.append(Sdk(loop, tell, answer))
        return made[0]

    joining = Joining(loop, task, TOKEN, open_)
    joining.run()
    loop.close()
    return joining, made[0]


def test_it_sends_in_real_time_a_beep_a_second_and_reports_join_and_load() -> None:
    joining, sdk = joined(Task(join_s=0.3, speak=True), Connected("ch", 123))

    report = joining.report

    assert (report.error, report.join_ms, len(report.beeps_sent)) == ("", 123, 1)
    assert sdk.calls == ["publish", "close"]
    assert 30 <= len(sdk.pushed) <= 32
    assert {len(pcm) for pcm in sdk.pushed} == {round(RATE_HZ * BLOCK_S) * 2}
    assert any(sdk.pushed[5]) and not any(sdk.pushed[25])
    assert report.cpu_percent is not None and report.rss_mb is not None


@pytest.mark.parametrize(
    "answer", [Refused("bad token", token=True), Closed("gone", again=False), Unusable("no SDK -> stage it")]
)
def test_what_keeps_it_from_joining_is_its_error(answer: SdkEvent) -> None:
    joining, _ = joined(Task(join_s=0.3), answer)

    assert joining.report.error in ("bad token", "gone", "no SDK -> stage it")
    assert joining.report.join_ms is None


def test_a_folder_without_the_sdk_is_told_with_how_to_mend_it() -> None:
    report = try_loading(Task(settings=AgoraSettings(sdk_dir="/no/such")))

    assert "->" in report.error


def sound(peak: int, seconds: float = BLOCK_S) -> bytes:
    count = round(RATE_HZ * seconds)
    return array.array("h", (round(peak * math.sin(i / 3)) for i in range(count))).tobytes()


def test_the_ear_notes_the_beginning_of_each_beep_once() -> None:
    ear = Ear()

    for i in range(300):
        at_s = i * BLOCK_S
        ear.hear(sound(8000 if at_s % 1.0 < 0.2 else 100), at_s)

    assert ear.heard == [0.0, 1.0, 2.0]
    assert QUIET_S < 0.8


def test_voice_there_and_back_is_the_median_of_the_beeps_that_came_back() -> None:
    row = _round_trip([1.0, 2.0, 3.0, 4.0], [1.2, 2.3, 3.25], "")

    assert (row.ok, row.value) == (True, "250 ms (median of 3, 1 lost)")


def test_no_beep_that_comes_back_is_a_failure_with_the_reason() -> None:
    row = _round_trip([1.0], [2.5], "killed by signal 11")

    assert (row.ok, row.value) == (False, "killed by signal 11")
