"""What the demo prints and draws, in Korean and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lab.texts import Texts as OneLanguage

STEPS: Final[dict[str, tuple[str, str]]] = {
    "starting": (
        "시작: mosquitto(포트 {port}), ptt-dispatch, 차량 {cars}대",
        "starting mosquitto (port {port}), ptt-dispatch and {cars} vehicles",
    ),
    "desk": (
        "ptt-dispatch web({origin})에 Chromium으로 접속해 콘솔을 켰습니다",
        "signed in at ptt-dispatch web ({origin}) with Chromium, the console's radio is on",
    ),
    "ready": ("모든 차량이 연결되고 음성이 준비되었습니다", "every vehicle is online with its voice ready"),
    "pressed": ("버튼을 누릅니다, 마이크에: “{said}”", "button down, at the microphone: “{said}”"),
    "granted": (
        "발언권을 얻었습니다 (버스트 {burst_n}): 누른 뒤 {granted_ms:.1f} ms, 운전자에게 {told}",
        "floor granted (burst {burst_n}) {granted_ms:.1f} ms after the edge; the driver is told by {told}",
    ),
    "session": ("세션이 열렸습니다: {speaker}가 말합니다", "session opened: {speaker} speaks"),
    "joined": (
        "스스로 참가합니다 (발언 시작 {after_ms:.0f} ms 뒤)",
        "joins by itself, {after_ms:.0f} ms after the grant",
    ),
    "hears": ("{speaker}의 말이 들립니다", "hears {speaker}"),
    "handover": (
        "목소리가 MQTT에서 Agora(대역)로 넘어갔습니다 (허가 {after_ms:.0f} ms 뒤); 브로커가 음성 토픽을 막습니다",
        "voice left MQTT for the Agora stand-in {after_ms:.0f} ms after the grant; the broker now denies voice",
    ),
    "denied": (
        "거절되었습니다: {name} 통화 중, 남은 시간 최대 {remaining_s:.0f} 초 ({cause}); 운전자에게 {told}",
        "refused: {name} is speaking, at most {remaining_s:.0f} s more ({cause}); the driver is told by {told}",
    ),
    "released": ("버튼을 놓습니다", "button up"),
    "idle": ("발언권이 비었습니다 (버스트 {burst_n}: {ended})", "floor idle (burst {burst_n}: {ended})"),
    "answer": (
        "같은 세션에서 답합니다: 새로 참가한 차량 {joins}대",
        "answers in the same session: {joins} vehicles had to join",
    ),
    "left": ("채널에서 나갑니다", "leaves the channel"),
    "session_over": (
        "세션이 끝났습니다 (마지막 발언 {after_s:.1f} 초 뒤)",
        "session over, {after_s:.1f} s after its last burst",
    ),
    "killed": ("SIGKILL로 강제 종료됩니다 (말하는 도중)", "killed with SIGKILL in the middle of its sentence"),
    "freed": (
        "발언권이 비었습니다: 종료 뒤 {after_ms:.0f} ms ({ended}, 유언 메시지)",
        "floor idle {after_ms:.0f} ms after the kill ({ended}: its last will told)",
    ),
    "over": ("이야기 끝. 측정 중…", "the story is over; measuring…"),
}

LINES: Final[dict[str, tuple[str, str]]] = {
    "ok": ("확인", "ok"),
    "FAILED": ("실패", "FAILED"),
    "passed": (
        "모두 확인되었습니다: {count}개 항목, {seconds:.1f} 초. {folder}",
        "everything happened as it must: {count} checks, {seconds:.1f} s in all. See {folder}",
    ),
    "failed": ("{count}개 항목이 확인되지 않았습니다:", "{count} checks failed:"),
    "stood": (
        "그때 장치 자체가 멈춰 있었습니다: {stalls}",
        "the machine itself stood still then: {stalls}",
    ),
    "again": (
        "\n장치 자체가 {ms:.0f} ms 동안 멈춰 있었습니다 ({check}): 이야기를 처음부터 다시 합니다 ({number}번째). "
        "앞의 결과: {kept}",
        "\nthe machine stood still for {ms:.0f} ms during “{check}”: the story is played again (time {number}). "
        "What failed: {kept}",
    ),
    "no_desk": (
        "\n이 컴퓨터에는 {lacking}이(가) 없어 브라우저 콘솔이 빠집니다. 차량 세 대만의 이야기입니다. "
        "콘솔까지 보려면: sudo apt install chromium pulseaudio pulseaudio-utils",
        "\nthe browser console is left out: this machine has no {lacking}. The story is that of three vehicles alone. "
        "For all of it: sudo apt install chromium pulseaudio pulseaudio-utils",
    ),
    "no_desk_agora": (
        "\nAgora 대역에는 브라우저 콘솔이 참여하지 못합니다(Web SDK는 Agora 클라우드만 압니다). "
        "차량 세 대만의 이야기입니다.",
        "\nthe browser console cannot join the stand-in for Agora (its Web SDK knows Agora's cloud alone): "
        "the story is that of three vehicles",
    ),
    "logs": ("기록: {folder}", "logs: {folder}"),
    "gone": ("프로세스가 끝났습니다", "its process has ended"),
    "stopped": ("중단했습니다", "stopped"),
    "refused_by": (
        "거절: {name} 통화 중, 최대 {remaining_s:.0f} 초",
        "refused: {name} speaks, at most {remaining_s:.0f} s more",
    ),
    "kill_to_idle": ("kill -9: {ms:.0f} ms 뒤 발언권이 빔", "kill -9: floor idle after {ms:.0f} ms"),
    "button": ("버튼", "button"),
    "mouth": ("마이크", "microphone"),
    "ear": ("스피커", "speaker"),
    "floor": ("발언권", "floor"),
    "session_lane": ("세션", "session"),
    "seconds": ("초", "s"),
    "legend": (
        "발언권: 누른 뒤 허가까지 · 스피커: 말한 것과 들은 것의 유사도 (Opus 24 kb/s) · 입에서 귀까지",
        "floor: from press to grant · speaker: likeness of heard to said (Opus, 24 kb/s), and from mouth to ear",
    ),
    "title": (
        "한 번 누르면 다른 차에서 들립니다 — 실제 프로세스와 브로커, 들린 소리까지 측정",
        "One press, heard in the other vehicles — real processes and broker, every ear measured",
    ),
}


LIVE_TEXT: Final[dict[str, dict[str, str]]] = {
    "ko": {
        "car": "{name} ({user})\n  말하기   {press}\n  죽이기   {kill}\n  상태     {status}\n  들은 소리 {ear}",
        "all": "\n실행 중입니다. 다른 터미널에서 해 보세요 (끝내기: Ctrl-C).\n\n{cars}\n\n"
        "지켜보기   {watch}\n관제       {dispatch}\n기록       {out}/logs; 들은 소리는 끝나면 {out}/heard-*-live.wav\n",
        "console": "콘솔       {pages}/console 을 브라우저에서 여세요 (자체 인증서입니다: 경고를 넘기거나 "
        "{ca} 를 가져오세요)\n"
        "           로그인 {login}, 비밀은 파일 {secret} 에\n",
    },
    "en": {
        "car": "{name} ({user})\n  press    {press}\n  kill     {kill}\n  status   {status}\n  heard    {ear}",
        "all": "\nIt runs. In another terminal (Ctrl-C here ends it):\n\n{cars}\n\n"
        "watch      {watch}\noffice     {dispatch}\nlogs       {out}/logs; what was heard goes to "
        "{out}/heard-*-live.wav at the end\n",
        "console": "console    open {pages}/console in your browser (its certificate is its own: click the warning "
        "away, or import {ca})\n"
        "           login {login}, its secret is in {secret}\n",
    },
}


class Texts(OneLanguage):
    """One language."""

    def __init__(self, lang: str) -> None:
        super().__init__(lang, LINES)

    def step(self, what: str, measures: Mapping[str, Any]) -> str:
        """Give a step's text with its measures."""
        return STEPS[what][self._column].format(**measures)
