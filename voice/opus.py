"""Opus (RFC 6716) on libopus through opuslib-next: mono, 16-bit little-endian PCM as bytes.

Both ends run at the sound devices' own rate and Opus converts inside: nothing of ours resamples speech. The configured
`sample_rate_hz` limits the bandwidth kept. No in-band FEC: the transport is TCP, nothing is lost singly on it.
"""

import ctypes
import importlib
from collections.abc import Callable
from typing import Any

from protocol import opus_packet
from protocol.voice_frame import OPUS_BYTES_MAX
from protocol.worker_settings import CodecSettings

_BANDWIDTHS = {8000: "NARROWBAND", 16000: "WIDEBAND", 24000: "SUPERWIDEBAND", 48000: "FULLBAND"}
LOOKAHEAD_S = 0.0065
"""The encoder's own delay in its VOIP mode: as much silence must follow speech for its end to come out."""


class OpusMissing(Exception):
    """libopus or its binding is not usable; the text says what to install."""


class BadPacket(ValueError):
    """Bytes that are no Opus packet. Conceal and count."""


def load() -> Any:
    """Load the binding and libopus; raises OpusMissing."""
    try:
        return importlib.import_module("opuslib_next")
    except ImportError as error:
        raise OpusMissing("the Python package opuslib-next is missing: pip install opuslib-next") from error
    except Exception as error:  # it raises a bare Exception where it does not find the library
        raise OpusMissing("libopus is missing: apt install libopus0") from error


def duration_s(packet: bytes) -> float:
    """Say how much speech a packet holds, from its first bytes; raises BadPacket."""
    try:
        return opus_packet.duration_s(packet)
    except opus_packet.NoOpus as error:
        raise BadPacket(str(error)) from None


class Encoder:
    """One stream of packets of `packet_ms` each. Make a new one (or `reset`) for each request."""

    def __init__(self, rate_hz: int, settings: CodecSettings) -> None:
        opus = load()
        ctl = importlib.import_module("opuslib_next.api.ctl")
        api = importlib.import_module("opuslib_next.api.encoder")
        self._encode = api.libopus_encode
        self._encoder = opus.Encoder(rate_hz, 1, "voip")
        self._state = self._encoder.encoder_state
        self._reset: Callable[[], object] = lambda: api.encoder_ctl(self._state, ctl.reset_state)
        self.packet_samples = rate_hz * settings.packet_ms // 1000
        self.packet_bytes = 2 * self.packet_samples
        self._pcm = ctypes.create_string_buffer(self.packet_bytes)
        self._pcm_pointer = ctypes.cast(self._pcm, ctypes.POINTER(ctypes.c_int16))
        self._packet = ctypes.create_string_buffer(OPUS_BYTES_MAX)
        for setter, value in (
            (ctl.set_bitrate, settings.bitrate_bps),
            (ctl.set_complexity, settings.complexity),
            (ctl.set_max_bandwidth, getattr(opus, f"BANDWIDTH_{_BANDWIDTHS[settings.sample_rate_hz]}")),
            (ctl.set_signal, opus.SIGNAL_VOICE),
        ):
            api.encoder_ctl(self._state, setter, value)

    def encode(self, pcm: bytes) -> bytes:
        """Encode exactly `packet_bytes` of sound; raises ValueError for another length."""
        if len(pcm) != self.packet_bytes:
            raise ValueError(f"{len(pcm)} bytes of sound: a packet takes {self.packet_bytes}")
        ctypes.memmove(self._pcm, pcm, self.packet_bytes)
        size = self._encode(self._state, self._pcm_pointer, self.packet_samples, self._packet, OPUS_BYTES_MAX)
        if size < 0:
            raise RuntimeError(f"libopus could not encode: error {size}")
        return self._packet.raw[:size]

    def reset(self) -> None:
        """Forget the sound before, as for a new stream."""
        self._reset()


class Decoder:
    """One stream of packets. Make a new one (or `reset`) for each burst."""

    def __init__(self, rate_hz: int) -> None:
        opus = load()
        ctl = importlib.import_module("opuslib_next.api.ctl")
        api = importlib.import_module("opuslib_next.api.decoder")
        self._decode = api.libopus_decode
        self._decoder = opus.Decoder(rate_hz, 1)
        self._state = self._decoder.decoder_state
        self._reset: Callable[[], object] = lambda: api.decoder_ctl(self._state, ctl.reset_state)
        self._rate_hz = rate_hz
        self._samples_max = round(rate_hz * opus_packet.FRAME_S_MAX)
        self._pcm = ctypes.create_string_buffer(2 * self._samples_max)
        self._pcm_pointer = ctypes.cast(self._pcm, ctypes.POINTER(ctypes.c_int16))

    def decode(self, packet: bytes) -> bytes:
        """Give a packet's sound; raises BadPacket."""
        count = self._decode(self._state, packet, len(packet), self._pcm_pointer, self._samples_max, 0)
        if count < 0:
            raise BadPacket(f"libopus error {count}")
        return ctypes.string_at(self._pcm, 2 * count)

    def conceal(self, for_s: float) -> bytes:
        """Invent sound for what is missing, a multiple of 2.5 ms, from what was heard before."""
        samples = min(self._samples_max, round(for_s * self._rate_hz))
        count = self._decode(self._state, None, 0, self._pcm_pointer, samples, 0)
        return ctypes.string_at(self._pcm, 2 * count) if count > 0 else bytes(2 * samples)

    def reset(self) -> None:
        """Forget the sound before, as for a new stream."""
        self._reset()
