"""What `ptt-gateway levels` prints for people, in Korean and English."""

from __future__ import annotations

from msgspec import Struct


class LevelsTexts(Struct, frozen=True, kw_only=True):
    """One language's texts; braces are filled in."""

    by_daemon: str
    by_itself: str
    levels: str
    not_saved: str
    nothing_measured: str
    tone_heard: str
    tone_unheard: str
    clipped: str
    speech: str
    peak: str
    loudness: str
    floor: str
    cannot: str


EN = LevelsTexts(
    by_daemon="The running daemon measures. Ctrl-C ends; nothing here transmits.",
    by_itself="The daemon does not run: its sound devices are opened here. Ctrl-C ends; nothing here transmits.",
    levels="microphone {mic_db:+.1f} dB, speaker {speaker_db:+.1f} dB",
    not_saved="not saved: {why}",
    nothing_measured="nothing is measured: {why}",
    tone_heard="the microphone hears the speaker: test tone at {tone:.0f} dBFS, {over:.0f} dB over the noise",
    tone_unheard="the microphone does not hear the speaker: {tone:.0f} dBFS at the tone, noise {floor:.0f} dBFS -> "
    "be silent during the test; check the speaker's cable and volume, then the microphone's",
    clipped="CLIPS {count}",
    speech="speech",
    peak="peak",
    loudness="rms",
    floor="floor",
    cannot="levels: {why}",
)
KO = LevelsTexts(
    by_daemon="실행 중인 데몬이 측정합니다. Ctrl-C로 끝냅니다. 송신은 하지 않습니다.",
    by_itself="데몬이 실행 중이 아니므로 소리 장치를 직접 엽니다. Ctrl-C로 끝냅니다. 송신은 하지 않습니다.",
    levels="마이크 {mic_db:+.1f} dB, 스피커 {speaker_db:+.1f} dB",
    not_saved="저장되지 않았습니다: {why}",
    nothing_measured="측정되지 않습니다: {why}",
    tone_heard="마이크에 스피커 소리가 들립니다: 시험음 {tone:.0f} dBFS, 잡음보다 {over:.0f} dB 큼",
    tone_unheard="마이크에 스피커 소리가 들리지 않습니다: 시험음 때 {tone:.0f} dBFS, 잡음 {floor:.0f} dBFS -> "
    "시험하는 동안 조용히 하고, 스피커의 배선과 음량, 그다음 마이크를 확인하세요",
    clipped="찌그러짐 {count}",
    speech="말소리",
    peak="최고",
    loudness="크기",
    floor="잡음",
    cannot="음량: {why}",
)
