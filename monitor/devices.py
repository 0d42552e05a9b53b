"""What the live view says of a member's device, in words: what it does, what it lacks, how it was last seen."""

from __future__ import annotations

from datetime import tzinfo

from monitor.model import Device, Measured
from monitor.text import clock, duration
from monitor.words import Words
from protocol.messages import Lifecycle

IDLE = "U: has no permission"
"""State of a floor participant that needs no word (TS 24.380)."""
HOT_C = 75.0
"""A processor as hot as this is worth a word: from 80 on it slows down."""
UNUSUAL = (Lifecycle.PARKING, Lifecycle.WAKING, Lifecycle.SHUTTING_DOWN)
"""What is worth a word beside the presence, which says `sleeping` of a parked one."""


def doing(device: Device | None, words: Words) -> list[str]:
    """What a present member's device does that is worth a word."""
    if device is None:
        return []
    state = device.state
    # A device's text is looked up only where it can be no other word, one with places to fill.
    found = [words(state.floor) if state.floor.startswith("U: ") else state.floor] if state.floor != IDLE else []
    if state.keyed:
        found.append(words("keyed"))
    if state.lifecycle in UNUSUAL:
        found.append(words(state.lifecycle.value))
    return found


def trouble(device: Device | None, measured: Measured | None, words: Words) -> list[str]:
    """What a present member's device lacks or suffers from."""
    return [*_lacks(device, words), *_strained(measured, words)]


def _lacks(device: Device | None, words: Words) -> list[str]:
    if device is None:
        return []
    voice = device.state.voice
    muted = [words("transmitter_muted")] if device.state.transmitter_muted else []
    if voice.worker != "ok":
        return [*muted, words("voice_is", voice.worker)]  # all else of it is down with the worker
    lacks = (("no_microphone", voice.capture), ("no_speaker", voice.playback), ("no_voice_link", voice.link))
    return [*muted, *(words(word) for word, there in lacks if not there)]


def _strained(measured: Measured | None, words: Words) -> list[str]:
    if measured is None:
        return []
    found, told = [], measured.telemetry
    if told.temperature_c is not None and told.temperature_c >= HOT_C:
        found.append(f"{told.temperature_c:.0f}°C")
    if told.throttling is not None and told.throttling.undervoltage:
        found.append(words("undervoltage"))
    if told.throttling is not None and (told.throttling.throttled or told.throttling.hot):
        found.append(words("slowed_down"))
    return found


def last_seen(measured: Measured | None, words: Words, now: float, zone: tzinfo | None) -> list[str]:
    """The last that was heard of a device that is gone, and its age; by its own clock where we did not hear it."""
    if measured is None:
        return []
    told = measured.telemetry
    warm = "" if told.temperature_c is None else f"{told.temperature_c:.0f}°C "
    when = words("ago", duration(now - measured.since_s)) if measured.exact else clock(told.at, zone)
    return [f"{words('measured')} {warm}{when}"]
