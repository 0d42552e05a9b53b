"""The pipe's words and settings: every word fits one datagram and survives the trip."""

from typing import Any, get_args

import msgspec
import pytest

from protocol import worker
from protocol.ids import JSON_INT_MAX, OfficeId
from protocol.messages import VoicePath
from protocol.worker import Command, WorkerEvent, decode_command, decode_event, encode
from protocol.worker_settings import (
    AudioSettings,
    CodecSettings,
    JitterSettings,
    SettingsTooLong,
    VoiceMqttSettings,
    WavSettings,
    WorkerSettings,
    decode_settings,
    encode_settings,
)

BIG = JSON_INT_MAX
VALUES: dict[str, Any] = {
    "request_id": (BIG, BIG, BIG, BIG),
    "edge_at": 1e9,
    "at": 1e9,
    "burst": BIG,
    "until": float("inf"),
    "event_id": "e" * 64,
    "channel": "c" * 63,
    "uid": 2**32 - 1,
    "all_joined": True,
    "as_user": "u" * 32,
    "app_id": "a" * 64,
    "token": "t" * 2048,
    "publisher": True,
    "expires_in_s": 86_400.0,
    "voice": VoicePath.AGORA,
    "state": worker.AgoraState.UNUSABLE,
    "join_ms": BIG,
    "why": "가" * 256,
    "mqtt": True,
    "agora": True,
    "frames_s": BIG,
    "user": "u" * 32,
    "drain": True,
    "last_seq": 2**32 - 1,
    "from_seq": 2**32 - 1,
    "seq": 2**32 - 1,
    "sound": worker.Sound.SOMEONE_SPEAKING,
    "device": worker.Device.PLAYBACK,
    "text": "가" * 300,
    "detail": "가" * 512,
    "what": "가" * 512,
    "lang": "ko",
    "no": BIG,
    "pid": BIG,
    "transport": "mqtt",
    "up": True,
    "ok": False,
    "link": True,
    "capture": True,
    "playback": True,
    "urgent": True,
    "buffer_ms": BIG,
    "frames": BIG,
    "concealed": BIG,
    "silent": BIG,
    "late": BIG,
    "delay_ms": BIG,
    "frames_played": BIG,
    "frames_concealed": BIG,
    "frames_late": BIG,
    "mic_db": -20.0,
    "speaker_db": 20.0,
    "tone": True,
    "speech_at": 1e9,
    "office": worker.Playback.DUCKED,
    "peak_db": -0.1,
    "rms_db": -100.0,
    "floor_db": -100.0,
    "clipped": BIG,
    "speech": True,
    "aloud": False,
    "tone_db": -100.0,
    "keeps": False,
    "after": BIG,
    "upto": BIG,
    "bursts": (worker.MissedBurst(burst=BIG, user="u" * 32, name="가" * 64, ago_s=1e9, seconds=1e9),)
    * worker.MISSED_MAX,
    "end": worker.ReplayEnd.STOPPED,
}
"""The longest value of each field."""


def longest(word: type[Any]) -> Any:
    return word(**{name: VALUES[name] for name in word.__struct_fields__})


def settings(**mqtt: Any) -> WorkerSettings:
    voice = VoiceMqttSettings(**{"client_id": "seoul.hq.car-1.voice", **mqtt})
    return WorkerSettings(user="car-1", office=OfficeId("seoul", "hq"), mqtt=voice)


@pytest.mark.parametrize("word", get_args(Command), ids=lambda w: w.__name__)
def test_every_command_at_its_longest_fits_a_datagram_and_survives(word: type[Any]) -> None:
    data = encode(longest(word))
    assert len(data) <= worker.DATAGRAM_BYTES_MAX
    assert decode_command(data) == longest(word)


@pytest.mark.parametrize("word", get_args(WorkerEvent), ids=lambda w: w.__name__)
def test_every_event_at_its_longest_fits_a_datagram_and_survives(word: type[Any]) -> None:
    data = encode(longest(word))
    assert len(data) <= worker.DATAGRAM_BYTES_MAX
    assert decode_event(data) == longest(word)


def test_commands_and_events_are_never_taken_for_each_other() -> None:
    tags = [{word.__struct_config__.tag for word in get_args(union)} for union in (Command, WorkerEvent)]
    assert not tags[0] & tags[1]
    with pytest.raises(msgspec.DecodeError):
        decode_event(encode(worker.Quit()))
    with pytest.raises(msgspec.DecodeError):
        decode_command(encode(worker.Left()))


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xc1", b"\x81\xa1t\xa4wave"])
def test_nonsense_on_the_pipe_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_command(data)


def test_permission_without_an_end_is_bound_by_its_own_lease_only() -> None:
    assert worker.Transmit(request_id=(0, 0, 0, 1), burst=1).until == float("inf")


def test_settings_survive_the_pipe_and_hide_their_password() -> None:
    told = settings(username="car-1", password="hidden-word")
    assert decode_settings(encode_settings(told)) == told
    assert "hidden-word" not in repr(told)


def test_settings_too_long_for_a_datagram_are_refused() -> None:
    long = settings(tls_ca="/" + "a" * 1023, tls_cert="/" + "b" * 1023, tls_key="/" + "c" * 1023, password="d" * 1024)
    with pytest.raises(SettingsTooLong):
        encode_settings(long)


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="over max_ms 200 -> lower min_ms"):
        JitterSettings(min_ms=300, max_ms=200)
    with pytest.raises(ValueError, match="no multiple"):
        AudioSettings(frame_ms=20, codec=CodecSettings(packet_ms=10))


def test_wav_settings_default_to_silence_that_is_not_kept() -> None:
    assert (WavSettings().capture_wav, WavSettings().playback_wav) == ("", "")
