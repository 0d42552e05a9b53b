"""What `ptt-gateway` prints for people, in Korean and English; what a technician searches for stays English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from service.language import language_of

LANGS: Final = ("ko", "en")


class Texts(Struct, frozen=True, kw_only=True):
    """One language's texts; braces are filled in."""

    config_good: str
    no_dimming: str
    sound_devices: str
    no_sound: str
    pin_factories: str
    works: str
    works_not: str
    not_running: str
    outputs_off: str
    outputs_stay: str
    vehicle: str
    link: str
    up: str
    down: str
    session: str
    no_session: str
    nobody: str
    floor: str
    heard: str
    heard_by: str
    heard_unknown: str
    voice: str
    alerts: str
    no_alerts: str
    counters: str
    presses: str
    no_presses: str


EN = Texts(
    config_good="{path}: the configuration is good",
    no_dimming="The lights are as bright at night as by day: [lights] needs dimming_hz in the board's [leds]",
    sound_devices="Sound devices (names for [audio] capture_device and playback_device):",
    no_sound="cannot be listed: {why}",
    pin_factories="Pin factories (for [pins] factory):",
    works="works here",
    works_not="does not work here",
    not_running="the daemon does not answer: {why}",
    outputs_off="all outputs are off",
    outputs_stay="the outputs cannot be put off: {why}",
    vehicle="Vehicle",
    link="Link",
    up="up",
    down="DOWN",
    session="Session",
    no_session="none",
    nobody="nobody speaks",
    floor="Floor",
    heard="Heard",
    heard_by="its last burst by {by} of {of}",
    heard_unknown="not known of its last burst",
    voice="Voice",
    alerts="Alerts",
    no_alerts="none",
    counters="Counts",
    presses="Last presses (ms after the edge)",
    no_presses="none yet",
)
KO = Texts(
    config_good="{path}: 설정에 문제가 없습니다",
    no_dimming="표시등이 밤에도 낮과 같은 밝기입니다: [lights]를 쓰려면 보드의 [leds]에 dimming_hz가 필요합니다",
    sound_devices="소리 장치 ([audio] capture_device, playback_device에 쓸 이름):",
    no_sound="목록을 얻을 수 없습니다: {why}",
    pin_factories="핀 라이브러리 ([pins] factory에 쓸 이름):",
    works="사용 가능",
    works_not="사용 불가",
    not_running="데몬이 응답하지 않습니다: {why}",
    outputs_off="모든 출력이 꺼져 있습니다",
    outputs_stay="출력을 끌 수 없습니다: {why}",
    vehicle="차량",
    link="연결",
    up="연결됨",
    down="끊김",
    session="세션",
    no_session="없음",
    nobody="말하는 사람 없음",
    floor="발언권",
    heard="청취",
    heard_by="마지막 발언을 {of}명 중 {by}명이 들음",
    heard_unknown="마지막 발언을 몇 명이 들었는지 모름",
    voice="음성",
    alerts="경보",
    no_alerts="없음",
    counters="횟수",
    presses="최근 누름 (누른 뒤 ms)",
    no_presses="아직 없음",
)


def pick(lang: str | None, environ: Mapping[str, str]) -> Texts:
    """Choose by `--lang`, else by the locale's environment variables, else English."""
    return KO if (lang or language_of(environ)) == "ko" else EN
