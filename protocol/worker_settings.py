"""Settings of the voice worker: the first datagram on its pipe, and the part of them that stands in the gateway's TOML.

The gateway embeds `AudioSettings` in its own configuration, adds who and where the vehicle is and how its broker is
reached, and sends the whole as `WorkerSettings` (msgpack, one datagram, at most DATAGRAM_BYTES_MAX) before any command.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from protocol.ids import Id, OfficeId
from protocol.worker import DATAGRAM_BYTES_MAX

DeviceName = Annotated[
    str,
    Meta(max_length=200, description="name of a sound device, or a unique part of it; empty is the system's default"),
]
FilePath = Annotated[str, Meta(max_length=1024)]


class _Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings here."""


class CodecSettings(_Settings, frozen=True, kw_only=True):
    """Opus (RFC 6716), mono, tuned for speech."""

    sample_rate_hz: Annotated[
        Literal[8000, 16000, 24000, 48000],
        Meta(description="audio bandwidth kept: 16000 is wideband speech (up to 8 kHz)"),
    ] = 16000
    bitrate_bps: Annotated[
        int, Meta(ge=6000, le=128000, description="bits per second of Opus, headers not counted")
    ] = 24000
    packet_ms: Annotated[
        Literal[10, 20, 40, 60],
        Meta(
            description="speech in one packet: 20 suits cellular links, 10 a LAN; more costs delay, less costs headers"
        ),
    ] = 20
    complexity: Annotated[int, Meta(ge=0, le=10, description="Opus encoder effort; 5 is enough for speech")] = 5


class JitterSettings(_Settings, frozen=True, kw_only=True):
    """Bounds of the adaptive jitter buffer, one of which is made for each burst heard."""

    min_ms: Annotated[int, Meta(ge=0, le=500, description="least delay added to smooth the link out")] = 0
    max_ms: Annotated[int, Meta(ge=20, le=2000, description="most delay added to smooth the link out")] = 400

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if self.min_ms > self.max_ms:
            raise ValueError(f"min_ms {self.min_ms} is over max_ms {self.max_ms} -> lower min_ms or raise max_ms")


class WavSettings(_Settings, frozen=True, kw_only=True):
    """The sound devices of backend "wav": files that run on the wall clock, as a microphone and a speaker do."""

    capture_wav: Annotated[
        str, Meta(max_length=1024, description="16-bit WAV file at the microphone; empty is silence, as is its end")
    ] = ""
    capture_loop: Annotated[bool, Meta(description="begin the capture file again at its end")] = False
    capture_start_s: Annotated[
        float | None,
        Meta(description="CLOCK_MONOTONIC time of the capture file's first sample; unset: the process's start"),
    ] = None
    playback_wav: Annotated[
        str, Meta(max_length=1024, description="file of all the speaker played, from the process's start; empty: none")
    ] = ""
    """What the speaker played, silence included, from the process's start on; empty keeps nothing. A file that exists
    is never overwritten: `name-2.wav`, `name-3.wav`... follow. `<file>.json` beside it holds {"epoch_s", "rate_hz",
    "capture_epoch_s"}: the CLOCK_MONOTONIC times of the first samples."""


CuePercent = Annotated[int, Meta(ge=0, le=100, description="loudness of this sound; not set: `cue_volume_percent`")]
_TIME_OF_DAY = r"^([01]\d|2[0-3]):[0-5]\d$"
_TIME_OF_DAY_SAID = "a time of day, 00:00 to 23:59"


class CueVolumes(_Settings, frozen=True, kw_only=True):
    """Loudness of each of the sounds in percent; one that is not set has `cue_volume_percent`."""

    start_success: Annotated[
        CuePercent | None,
        Meta(
            description="kept for a speaker that the microphone cannot hear; not played while the microphone is open, "
            "which at a grant it always is"
        ),
    ] = None
    start_fail: CuePercent | None = None
    end: CuePercent | None = None
    session_join: CuePercent | None = None
    session_leave: CuePercent | None = None
    someone_speaking: CuePercent | None = None
    emergency: CuePercent | None = None


CLEANING_RATE_HZ = 16000


class CleaningSettings(_Settings, frozen=True, kw_only=True):
    """What is done to the microphone's sound before it is sent. Needs the package webrtc-noise-gain."""

    noise_suppression: Annotated[
        int, Meta(ge=0, le=4, description="WebRTC's noise suppression: 0 is off, 1 gentle, 4 strongest")
    ] = 0
    auto_gain_dbfs: Annotated[
        int,
        Meta(ge=0, le=31, description="level that automatic gain brings speech to, in dB below full scale; 0 is off"),
    ] = 0

    @property
    def on(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.noise_suppression or self.auto_gain_dbfs)


class AudioSettings(_Settings, frozen=True, kw_only=True):
    """Sound devices, codec and jitter buffer: the [audio] table of the gateway's configuration."""

    backend: Annotated[
        Literal["pyaudio", "wav", "agora"],
        Meta(description="pyaudio: real sound devices; wav: files, see [audio.wav]; agora: the Agora bridge's alone"),
    ] = "pyaudio"
    capture_device: DeviceName = ""
    playback_device: DeviceName = ""
    device_rate_hz: Annotated[
        Literal[16000, 24000, 48000], Meta(description="rate the devices run at; Opus converts, nothing else resamples")
    ] = 48000
    frame_ms: Annotated[
        Literal[10, 20], Meta(description="length of a sound device's frame; 10 gives the least delay")
    ] = 10
    rest_after_s: Annotated[
        int,
        Meta(
            ge=0,
            le=3600,
            description="quiet time after which microphone and speaker are stopped until the next press or session; "
            "0 keeps them running, for cards that are slow to start",
        ),
    ] = 10
    cue_volume_percent: Annotated[
        int,
        Meta(ge=0, le=100, description="loudness of cues, and of sentences where they have none of their own"),
    ] = 60
    sentence_volume_percent: (
        Annotated[
            int,
            Meta(ge=0, le=100, description="loudness of sentences; not set: `cue_volume_percent`; 0: none is spoken"),
        ]
        | None
    ) = None
    quiet_from: (
        Annotated[
            str,
            Meta(
                pattern=_TIME_OF_DAY,
                title=_TIME_OF_DAY_SAID,
                description="from this time of day on (HH:MM, the unit's time zone) only urgent sentences are spoken; "
                "sounds, lights and vibration stay",
            ),
        ]
        | None
    ) = None
    quiet_to: (
        Annotated[
            str,
            Meta(
                pattern=_TIME_OF_DAY,
                title=_TIME_OF_DAY_SAID,
                description="end of the quiet hours; may be past midnight",
            ),
        ]
        | None
    ) = None
    duck_percent: Annotated[
        int, Meta(ge=0, le=100, description="what is left of a cue's or sentence's loudness while a colleague speaks")
    ] = 35
    echo_guard_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=300,
            description="what the microphone hears while the speaker sounds, and so long after, is sent as silence",
        ),
    ] = 60
    cleaning: CleaningSettings = CleaningSettings()
    codec: CodecSettings = CodecSettings()
    jitter: JitterSettings = JitterSettings()
    cue_volumes: CueVolumes = CueVolumes()
    wav: WavSettings = WavSettings()

    def __post_init__(self) -> None:
        """Refuse a packet that is no whole number of device frames, and half of the quiet hours."""
        if (self.quiet_from is None) != (self.quiet_to is None) or (
            self.quiet_from is not None and self.quiet_from == self.quiet_to
        ):
            raise ValueError(
                "quiet_from and quiet_to are two different times of day -> set both, or neither for no quiet hours"
            )
        if self.cleaning.on and self.device_rate_hz != CLEANING_RATE_HZ:
            raise ValueError(
                f"cleaning works at {CLEANING_RATE_HZ} Hz alone, and device_rate_hz is {self.device_rate_hz}"
                f" -> set device_rate_hz = {CLEANING_RATE_HZ}, or cleaning.noise_suppression and auto_gain_dbfs to 0"
            )
        if self.codec.packet_ms % self.frame_ms:
            raise ValueError(
                f"codec.packet_ms {self.codec.packet_ms} is no multiple of frame_ms {self.frame_ms}: use frame_ms = 10"
            )


class VoiceMqttSettings(_Settings, frozen=True, kw_only=True):
    """How the worker's own MQTT connection reaches the broker; the gateway fills it from its own broker settings."""

    host: Annotated[str, Meta(min_length=1, max_length=255, description="broker's name or address")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="broker's TCP port")] = 1883
    client_id: Annotated[
        str, Meta(min_length=1, max_length=128, description="MQTT client id of the worker's connection")
    ]
    keepalive_s: Annotated[int, Meta(ge=2, le=600)] = 10
    connect_timeout_s: Annotated[float, Meta(ge=0.1, le=60)] = 5.0
    username: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    password: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    """Travels on the private pipe only; `repr` hides it."""
    tls: bool = False
    tls_ca: FilePath | None = None
    tls_cert: FilePath | None = None
    tls_key: FilePath | None = None

    def __repr__(self) -> str:
        """Show everything but the password."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown["password"] = None if self.password is None else "***"
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


class ReplaySettings(_Settings, frozen=True, kw_only=True):
    """What is heard is kept in memory, for the replay button: the [replay] table of the gateway's configuration."""

    keep: Annotated[
        int,
        Meta(
            ge=0,
            le=20,
            description="how many of the last bursts heard are kept, in memory alone; 0: none, and nothing missed is "
            "fetched from the office",
        ),
    ] = 5
    keep_s: Annotated[
        int, Meta(ge=5, le=600, description="how much sound is kept at most, in seconds; the oldest burst goes first")
    ] = 120


class RestAccess(_Settings, frozen=True, kw_only=True):
    """How the office's REST service is reached; the secret is `VoiceMqttSettings.password`."""

    url: Annotated[str, Meta(min_length=1, max_length=512)]
    ca: FilePath
    login: Annotated[str, Meta(min_length=1, max_length=256)]
    hardware: Annotated[str, Meta(max_length=64)]


class AgoraSettings(_Settings, frozen=True, kw_only=True):
    """The staged Agora SDK (docs/agora.md): the [agora] table of the gateway's configuration."""

    sdk_dir: Annotated[
        str, Meta(min_length=1, max_length=1024, description="folder of the staged SDK: agora/ and its MANIFEST.sha256")
    ] = "/opt/ptt/agora-sdk"
    log_dir: Annotated[
        str, Meta(max_length=1024, description="where the SDK's own logs go; empty: $STATE_DIRECTORY/agora")
    ] = ""
    area: Annotated[
        Literal["global", "asia", "japan", "europe", "north-america"],
        Meta(description="region of Agora's servers that may be used"),
    ] = "global"


class WorkerSettings(_Settings, frozen=True, kw_only=True):
    """Everything a voice worker is told at its start."""

    user: Id
    office: OfficeId
    mqtt: VoiceMqttSettings
    audio: AudioSettings = AudioSettings()
    agora: AgoraSettings | None = None
    """None: MQTT voice alone."""
    replay: ReplaySettings = ReplaySettings(keep=0)
    rest: RestAccess | None = None
    """None: nothing is uploaded or fetched."""
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Meta(description="least level logged")] = "INFO"


class SettingsTooLong(ValueError):
    """Settings that do not fit one datagram: a path or name is far too long."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(WorkerSettings)


def encode_settings(settings: WorkerSettings) -> bytes:
    """Give the first datagram of the pipe; raises SettingsTooLong over DATAGRAM_BYTES_MAX."""
    data = _encoder.encode(settings)
    if len(data) > DATAGRAM_BYTES_MAX:
        raise SettingsTooLong(f"{len(data)} bytes of worker settings; at most {DATAGRAM_BYTES_MAX} fit the pipe")
    return data


def decode_settings(datagram: bytes) -> WorkerSettings:
    """Read the first datagram; raises msgspec.DecodeError (a programmer's error: both ends are ours)."""
    return _decoder.decode(datagram)
