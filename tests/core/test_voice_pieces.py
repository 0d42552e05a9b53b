"""The small parts of the voice worker: packing, stretching, timelines, acknowledgements, Opus."""

from __future__ import annotations

import math
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.worker_settings import CodecSettings
from voice.devices.timeline import Timeline
from voice.opus import BadPacket, Decoder, Encoder, duration_s
from voice.packer import Packer
from voice.stretch import is_quiet, shorten
from voice.transports.in_flight import FRAMES_MAX, InFlight

RATE = 48000


def tone(frequency: float, count: int, level: float = 8000.0) -> array[int]:
    return array("h", [int(level * math.sin(2 * math.pi * frequency * i / RATE)) for i in range(count)])


def ramp(start: int, count: int) -> bytes:
    return array("h", [(start + i) % 30000 for i in range(count)]).tobytes()


# --- packing -----------------------------------------------------------------------------------------------------


def test_packets_end_where_frames_end_even_if_speech_begins_inside_one() -> None:
    # given 10 ms frames, packets of two, and an edge 4 ms into a frame
    packer = Packer(1000, 20, 6)
    # when frames are added
    first = packer.add(ramp(0, 10), 0.0, 0.004, 0.01)
    second = packer.add(ramp(10, 10), 0.01, 0.01, 0.02)
    # then the packet is complete with the second frame, silent up to the edge
    assert first == []
    assert second[0].start_s == 0.0
    assert second[0].pcm == bytes(8) + ramp(4, 16)


def test_the_end_of_speech_is_followed_by_the_encoders_own_delay_of_silence() -> None:
    # given a packet filled to its last sample
    packer = Packer(1000, 20, 6)
    packer.add(ramp(0, 20), 0.0, 0.0, 0.02)
    # when speech ends there
    (rest,) = packer.finish(0.02)
    # then one packet more carries it out of the encoder
    assert rest.pcm == bytes(40)
    assert rest.start_s == pytest.approx(0.02)


def test_what_was_captured_behind_the_key_up_is_cut_from_what_is_held() -> None:
    # given half a packet
    packer = Packer(1000, 20, 0)
    packer.add(ramp(0, 10), 0.0, 0.0, 0.01)
    # when the button had gone up at 6 ms
    (rest,) = packer.finish(0.006)
    # then nothing behind it is in the packet
    assert rest.pcm == ramp(0, 6) + bytes(28)


def test_a_hole_begins_a_new_packet() -> None:
    # given half a packet, then speech half a second later
    packer = Packer(1000, 20, 0)
    packer.add(ramp(0, 10), 0.0, 0.0, 0.01)
    filled = packer.add(ramp(100, 20), 0.5, 0.5, 0.52)
    # then the packet has the new speech only
    assert [(p.pcm, p.start_s) for p in filled] == [(ramp(100, 20), 0.5)]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_whatever_the_frames_are_no_sample_is_lost_or_doubled(sizes: list[int]) -> None:
    # given frames of any sizes
    packer = Packer(1000, 20, 0)
    sound, at = b"", 0
    for size in sizes:
        for packet in packer.add(ramp(at, size), at / 1000, at / 1000, (at + size) / 1000):
            sound += packet.pcm
        at += size
    # when they end
    for packet in packer.finish(at / 1000):
        sound += packet.pcm
    # then the packets hold them all, padded with silence
    assert sound[: 2 * at] == ramp(0, at)
    assert set(sound[2 * at :]) <= {0}


# --- stretching --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frequency", [100, 140, 200, 260])
def test_voiced_sound_loses_a_whole_period_without_a_click(frequency: int) -> None:
    # given 30 ms of a voice
    sound = tone(frequency, 1440)
    # when it is shortened
    out = shorten(sound, RATE, 0.0125)
    # then whole periods are gone and no step is larger than before
    periods = (len(sound) - len(out)) * frequency / RATE
    assert abs(periods - round(periods)) < 0.08
    assert max(abs(a - b) for a, b in pairwise(out)) <= 1.25 * max(abs(a - b) for a, b in pairwise(sound))


@given(st.integers(0, 1500), st.floats(0.0, 0.02), st.integers(0, 2**32))
def test_shortening_takes_no_more_than_asked_and_keeps_both_ends(count: int, most_s: float, seed: int) -> None:
    # given any sound
    sound = array("h", [((seed + i * 7919) * 2654435761 >> 7) % 20000 - 10000 for i in range(count)])
    # when it is shortened
    out = shorten(sound, RATE, most_s)
    # then the bounds hold
    assert len(sound) - len(out) <= min(most_s * RATE, count // 2)
    assert out[:1] == sound[:1]
    assert out[-1:] == sound[-1:]


def test_a_pause_is_told_from_speech() -> None:
    assert is_quiet(array("h", [0] * 480))
    assert is_quiet(tone(300, 480, 200.0))
    assert not is_quiet(tone(300, 480))


# --- timelines ---------------------------------------------------------------------------------------------------


def test_late_callbacks_do_not_move_the_time_of_what_was_captured() -> None:
    # given callbacks of which every third is late, and one stall that is caught up
    timeline = Timeline(0.01)
    starts = []
    for n in range(1000):
        late = 0.004 if n % 3 == 0 else 0.0
        late += max(0.0, 0.3 - 0.01 * (n - 500)) if 500 <= n < 505 else 0.0
        starts.append(timeline.start_of(100.0 + n * 0.01 + late, 0.01) - n * 0.01)
    # then times are true once punctual callbacks came, and smooth
    assert all(start == pytest.approx(99.99, abs=0.0001) for start in starts[20:])


def test_lost_samples_move_the_time_and_a_drifting_clock_is_followed() -> None:
    # given a device 200 ppm slow that loses half a second of samples
    timeline = Timeline(0.01)
    now, error = 100.0, 0.0
    for n in range(3000):
        now += 0.01 * 1.0002 + (0.5 if n == 1500 else 0.0)
        error = timeline.start_of(now, 0.01) - (now - 0.01)
    # then times are true again
    assert abs(error) < 0.003


# --- acknowledgements --------------------------------------------------------------------------------------------


def test_a_frame_is_through_when_no_more_is_outstanding_than_was_written_behind_it() -> None:
    # given three frames written
    flight = InFlight()
    for seq in range(3):
        flight.wrote(7, seq, 100, now=seq / 10)
    # then each count of outstanding bytes says which are through
    assert flight.acknowledged(300) is None
    assert flight.acknowledged(201) is None
    assert flight.acknowledged(200) == (7, 0)
    assert flight.oldest_age_s(0.5) == pytest.approx(0.4)
    assert flight.acknowledged(0) == (7, 2)
    assert flight.oldest_age_s(0.5) == 0.0


def test_what_is_remembered_of_a_stalled_connection_is_bounded() -> None:
    # given more frames than are remembered
    flight = InFlight()
    for seq in range(FRAMES_MAX + 10):
        flight.wrote(7, seq, 100, now=0.0)
    # then the oldest are forgotten
    assert len(flight) == FRAMES_MAX
    assert flight.acknowledged(100 * FRAMES_MAX) is None


# --- Opus --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packet_ms", [10, 20, 40, 60])
@pytest.mark.parametrize("rate", [16000, 48000])
def test_speech_survives_opus_and_what_is_missing_is_invented(packet_ms: int, rate: int) -> None:
    # given a stream of packets
    settings = CodecSettings(packet_ms=packet_ms)
    encoder, decoder = Encoder(rate, settings), Decoder(rate)
    samples = rate * packet_ms // 1000
    sound = array("h", [int(8000 * math.sin(2 * math.pi * 300 * i / rate)) for i in range(samples * 20)])
    packets = [encoder.encode(sound[i * samples : (i + 1) * samples].tobytes()) for i in range(20)]
    # when it is decoded
    heard = array("h", b"".join(decoder.decode(packet) for packet in packets))
    # then lengths, loudness and bit rate are as they should be, and a gap is filled with sound
    assert {duration_s(packet) for packet in packets} == {packet_ms / 1000}
    assert len(heard) == len(sound)
    assert 6000 < max(heard[len(heard) // 2 :]) < 11000
    assert sum(map(len, packets)) * 8 / (0.02 * packet_ms) < 40000
    assert max(array("h", decoder.conceal(0.01))) > 1000


def test_two_encoders_of_one_stream_give_the_same_bytes_after_a_reset() -> None:
    # given an encoder that has spoken
    encoder = Encoder(RATE, CodecSettings())
    sound = tone(300, 960).tobytes()
    first = encoder.encode(sound)
    encoder.encode(sound)
    # when it is reset
    encoder.reset()
    # then it is as new
    assert encoder.encode(sound) == first


@pytest.mark.parametrize("packet", [b"", b"\x03", b"\x03\x00", b"\xff\x3f"])
def test_bytes_that_are_no_packet_are_refused(packet: bytes) -> None:
    with pytest.raises(BadPacket):
        duration_s(packet)


@given(st.binary(min_size=1, max_size=60))
def test_no_bytes_at_all_make_the_decoder_do_more_than_refuse(packet: bytes) -> None:
    # given any bytes
    decoder = Decoder(16000)
    # when they are decoded
    try:
        heard: bytes | None = decoder.decode(packet)
    except BadPacket:
        heard = None
    # then the result is bounded
    assert heard is None or len(heard) <= 2 * 16000 * 0.12


def test_sound_of_the_wrong_length_is_a_programmers_error() -> None:
    with pytest.raises(ValueError, match="a packet takes 1920"):
        Encoder(RATE, CodecSettings()).encode(bytes(100))
