"""What the virtual members say: sentences of espeak-ng, as Opus packets of 20 ms."""

from __future__ import annotations

from typing import Final

import numpy as np

from lab.demo.speech import Voice, speak
from lab.measure.sound import RATE_HZ
from protocol.worker_settings import CodecSettings
from voice.opus import Encoder

FRAME_S: Final = 0.02
SENTENCES: Final = (
    "강남역 삼 번 출구, 손님 두 분 태웠습니다.",
    "네, 확인했습니다. 다음은 선릉역입니다.",
    "올림픽대로가 막힙니다. 십 분쯤 늦겠습니다.",
    "오호차, 지금 어디 계십니까?",
    "주차장에 도착했습니다. 대기하겠습니다.",
    "알겠습니다. 조심해서 오세요.",
)
VOICES: Final = (Voice("ko", 165, 45), Voice("ko", 180, 62), Voice("ko", 150, 35))


def sentences() -> tuple[tuple[bytes, ...], ...]:
    """Give every sentence as Opus packets. Raises NoSpeech, OpusMissing."""
    return tuple(_packets(text, VOICES[place % len(VOICES)]) for place, text in enumerate(SENTENCES))


def _packets(text: str, voice: Voice) -> tuple[bytes, ...]:
    settings = CodecSettings(packet_ms=20)
    encoder = Encoder(RATE_HZ, settings)
    samples = encoder.packet_samples
    sound = speak(text, voice)
    sound = np.concatenate([sound, np.zeros(-len(sound) % samples, np.float32)])
    pcm = (np.clip(sound, -1.0, 1.0) * 32767).astype("<i2").tobytes()
    step = encoder.packet_bytes
    return tuple(encoder.encode(pcm[start : start + step]) for start in range(0, len(pcm), step))
