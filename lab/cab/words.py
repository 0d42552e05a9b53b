"""What the page and the cab's server say to each other over the one WebSocket: JSON, and sound as binary frames.

A binary frame is one byte for the vehicle (its place in `Hello.cars`), one of zero, then samples: 16 bit,
little-endian, `Hello.rate_hz`, one channel. Silence is not sent.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

LINE_BYTES_MAX: Final = 1024
"""What the page says is never longer."""
BEAT_S: Final = 0.5
SILENT_S: Final = 2.0
"""A page that said nothing for so long (a laptop that was closed) holds nothing any more."""

# --- from the page ----------------------------------------------------------------------------------------------------


class Press(Struct, frozen=True, tag="press", tag_field="type", forbid_unknown_fields=True):
    """A finger goes down on an input, and stays."""

    car: str
    signal: str


class Release(Struct, frozen=True, tag="release", tag_field="type", forbid_unknown_fields=True):
    """The finger goes up."""

    car: str
    signal: str


class Choose(Struct, frozen=True, tag="choose", tag_field="type", forbid_unknown_fields=True):
    """What this vehicle's driver says from now on, while PTT is held."""

    car: str
    sentence: str


class Beat(Struct, frozen=True, tag="beat", tag_field="type", forbid_unknown_fields=True):
    """The page lives. Without a word of it for `SILENT_S`, whatever it holds is let go."""


FromPage: TypeAlias = Press | Release | Choose | Beat
_from_page: msgspec.json.Decoder[FromPage] = msgspec.json.Decoder(FromPage)


def decode(line: str) -> FromPage:
    """Read what the page said. Raises ValueError with what is wrong."""
    if len(line) > LINE_BYTES_MAX:
        raise ValueError(f"{len(line)} characters are too long")
    try:
        return _from_page.decode(line)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ValueError(str(error)) from None


# --- to the page ------------------------------------------------------------------------------------------------------


class Sentence(Struct, frozen=True, kw_only=True):
    """Something that a driver may say."""

    key: str
    ko: str
    en: str


class CarHello(Struct, frozen=True, kw_only=True):
    """A vehicle: who it is, which buttons it has, what its driver says now."""

    user: str
    name: str
    inputs: tuple[str, ...]
    sentence: str
    levels: dict[str, float]
    """Every pin now: 1 active, 0 not, between for a duty."""


class Hello(Struct, frozen=True, kw_only=True, tag="hello", tag_field="type"):
    """The first thing the page is told."""

    lang: str
    rate_hz: int
    beat_s: float
    sentences: tuple[Sentence, ...]
    answers: dict[str, dict[str, str]]
    """`Status.answer` -> language -> what it means."""
    cars: tuple[CarHello, ...]


class Pin(Struct, frozen=True, kw_only=True, tag="pin", tag_field="type"):
    """A pin changed: an output that the gateway drives, or an input under some finger."""

    car: str
    signal: str
    level: float
    hz: float = 0.0
    """Frequency of the pulses: the buzzer's pitch."""


class Status(Struct, frozen=True, kw_only=True, tag="status", tag_field="type"):
    """What the vehicle says of itself (`ptt-gateway status`)."""

    car: str
    alive: bool
    link: bool = False
    floor: str = ""
    sends: bool = False
    """Its microphone is open."""
    asleep: bool = False
    """Its ignition is off."""
    focus: str = ""
    """Whose turn the loudspeaker is: radio, phone, navigation."""
    speaker: str = ""
    """Name of who has the floor; empty where nobody."""
    speaks: bool = False
    """It is this vehicle."""
    press_no: int = 0
    answer: str = ""
    """How its newest press was answered."""


class Chosen(Struct, frozen=True, kw_only=True, tag="chosen", tag_field="type"):
    """Some page chose what a driver says."""

    car: str
    sentence: str


class LetGo(Struct, frozen=True, tag="let-go", tag_field="type"):
    """This page was silent for too long: everything it held was let go."""


class Trouble(Struct, frozen=True, kw_only=True, tag="trouble", tag_field="type"):
    """What was asked could not be done; `text` says why, in English."""

    text: str


ToPage: TypeAlias = Hello | Pin | Status | Chosen | LetGo | Trouble


def encode(message: ToPage) -> str:
    """Give it as JSON."""
    return msgspec.json.encode(message).decode()


def sound_frame(place: int, pcm: bytes) -> bytes:
    """Give the binary frame for samples of the vehicle at `place` (0-255)."""
    return bytes((place, 0)) + pcm
