"""Commands and events on the pipe between the daemon's loop and its voice worker.

The pipe is a Unix SOCK_SEQPACKET pair: one datagram is one message, msgpack. Times are CLOCK_MONOTONIC seconds of this
machine, which both processes share. A closed pipe means the other side is dead: the worker mutes at once and exits.

The words are in `worker_commands` and `worker_events`; all of them are imported from here.
"""

import msgspec

from protocol.worker_commands import (
    Arm,
    CatchUp,
    Command,
    Cue,
    Focus,
    Hold,
    Join,
    KeyUp,
    Leave,
    Levels,
    Meter,
    Mute,
    OfficeKeeps,
    Ping,
    Play,
    Playback,
    Prepare,
    Quit,
    Replay,
    Say,
    Stop,
    StopReplay,
    Token,
    Transmit,
)
from protocol.worker_events import (
    Agora,
    AgoraState,
    Cleaning,
    Drained,
    Fault,
    Flood,
    Handover,
    Heard,
    Hello,
    Joined,
    Left,
    Metered,
    Missed,
    MissedBurst,
    PlayedOut,
    Pong,
    Replayed,
    ReplayEnd,
    SoundDevice,
    SpeechEngine,
    Through,
    TokenWanted,
    VoiceLink,
    WorkerEvent,
)
from protocol.worker_words import (
    DATAGRAM_BYTES_MAX,
    GAIN_DB_MAX,
    METER_EVERY_S,
    MISSED_MAX,
    Dbfs,
    Device,
    GainDb,
    Sound,
)

__all__ = [
    "DATAGRAM_BYTES_MAX",
    "GAIN_DB_MAX",
    "METER_EVERY_S",
    "MISSED_MAX",
    "Agora",
    "AgoraState",
    "Arm",
    "CatchUp",
    "Cleaning",
    "Command",
    "Cue",
    "Dbfs",
    "Device",
    "Drained",
    "Fault",
    "Flood",
    "Focus",
    "GainDb",
    "Handover",
    "Heard",
    "Hello",
    "Hold",
    "Join",
    "Joined",
    "KeyUp",
    "Leave",
    "Left",
    "Levels",
    "Meter",
    "Metered",
    "Missed",
    "MissedBurst",
    "Mute",
    "OfficeKeeps",
    "Ping",
    "Play",
    "Playback",
    "PlayedOut",
    "Pong",
    "Prepare",
    "Quit",
    "Replay",
    "ReplayEnd",
    "Replayed",
    "Say",
    "Sound",
    "SoundDevice",
    "SpeechEngine",
    "Stop",
    "StopReplay",
    "Through",
    "Token",
    "TokenWanted",
    "Transmit",
    "VoiceLink",
    "WorkerEvent",
    "decode_command",
    "decode_event",
    "encode",
]

_encoder = msgspec.msgpack.Encoder()
_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_events: msgspec.msgpack.Decoder[WorkerEvent] = msgspec.msgpack.Decoder(WorkerEvent)


def encode(word: Command | WorkerEvent) -> bytes:
    """Give the datagram of a command or event."""
    return _encoder.encode(word)


def decode_command(datagram: bytes) -> Command:
    """Read a command; raises msgspec.DecodeError (a programmer's error: both ends are ours)."""
    return _commands.decode(datagram)


def decode_event(datagram: bytes) -> WorkerEvent:
    """Read an event; raises msgspec.DecodeError, after which the worker is not trusted and restarted."""
    return _events.decode(datagram)
