"""The board map: which signal is on which pin, its polarity, and the manners of each device.

The defaults are the wiring of docs/wiring.md (a test keeps the two equal); a file changes only what differs.
Electrical sense is checked here as far as numbers can tell: see `Board.__post_init__`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from service.settings import Fault, Invalid

INPUTS: Final = ("ptt", "emergency", "replay", "ignition", "phone_busy", "nav_busy")
"""Signals that are read, in the order of docs/wiring.md."""

OUTPUTS: Final = ("led_red", "led_green", "led_blue", "motor", "buzzer", "mute")
"""Signals that are driven."""

SIGNALS: Final = INPUTS + OUTPUTS
"""All signals."""

HEADER_PINS: Final = {
    4: 7, 5: 29, 6: 31, 7: 26, 8: 24, 9: 21, 10: 19, 11: 23, 12: 32, 13: 33,
    16: 36, 17: 11, 22: 15, 23: 16, 24: 18, 25: 22, 26: 37, 27: 13,
}  # fmt: skip
"""Position on the 40-pin header of each BCM number a board may name (and of 24, which it may not)."""

RESERVED: Final = {
    0: "is read at boot for an add-on board's EEPROM",
    1: "is read at boot for an add-on board's EEPROM",
    2: "is the I2C bus, with a fixed pull-up",
    3: "is the I2C bus, with a fixed pull-up",
    14: "is the serial console and pulses high at boot",
    15: "is the serial console",
    18: "is the I2S bus of sound cards",
    19: "is the I2S bus of sound cards",
    20: "is the I2S bus of sound cards",
    21: "is the I2S bus of sound cards",
    24: "holds the vehicle's power on; a restart of this service would float it and cut the power",
}
"""BCM numbers no signal may have, and why."""

Pin: TypeAlias = Annotated[int, Meta(ge=0, le=27)] | Literal["none"]
Level: TypeAlias = Literal["low", "high"]
Bias: TypeAlias = Literal["up", "down", "none"]


class Pins(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """BCM number of each signal, or "none" where it is not fitted."""

    ptt: Annotated[Pin, Meta(description="Push-to-talk button (BCM number)")] = 17
    emergency: Annotated[Pin, Meta(description="Emergency button (BCM number)")] = 22
    replay: Annotated[Pin, Meta(description="Button that plays the last message again (BCM number)")] = 25
    ignition: Annotated[Pin, Meta(description="Ignition (ACC), through an opto-isolator (BCM number)")] = 27
    phone_busy: Annotated[Pin, Meta(description="Telephone call under way, through an opto-isolator (BCM number)")] = 4
    nav_busy: Annotated[Pin, Meta(description="Navigation speaking, through an opto-isolator (BCM number)")] = 26
    led_red: Annotated[Pin, Meta(description="Red status light (BCM number)")] = 5
    led_green: Annotated[Pin, Meta(description="Green status light (BCM number)")] = 6
    led_blue: Annotated[Pin, Meta(description="Blue status light (BCM number)")] = 16
    motor: Annotated[Pin, Meta(description="Gate of the vibration motor's transistor (BCM number)")] = 12
    buzzer: Annotated[Pin, Meta(description="Gate of the buzzer's transistor (BCM number)")] = 13
    mute: Annotated[Pin, Meta(description="Base of the head unit's mute transistor (BCM number)")] = 23


class Active(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The level at which each signal is active: pressed, lit, sounding, muting."""

    ptt: Level = "low"
    emergency: Level = "low"
    replay: Level = "low"
    ignition: Level = "low"
    phone_busy: Level = "low"
    nav_busy: Level = "low"
    led_red: Level = "high"
    led_green: Level = "high"
    led_blue: Level = "high"
    motor: Level = "high"
    buzzer: Level = "high"
    mute: Annotated[Level, Meta(description="Level at the pin that mutes the head unit; differs per car")] = "high"


class Pull(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Internal pull resistor of each input; it must point away from the active level."""

    ptt: Bias = "up"
    emergency: Bias = "up"
    replay: Bias = "up"
    ignition: Bias = "up"
    phone_busy: Bias = "up"
    nav_busy: Bias = "up"


class Motor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this vehicle's vibration motor is driven."""

    pwm_hz: Annotated[int, Meta(ge=50, le=1000, description="Frequency of the drive, in Hz")] = 200
    kick_ms: Annotated[int, Meta(ge=0, le=100, description="Full drive at each start, in ms, to get it turning")] = 20
    min_duty: Annotated[float, Meta(ge=0, le=0.9, description="Least duty (0 to 1) at which it still turns")] = 0.3


class Buzzer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this vehicle's buzzer is driven."""

    kind: Annotated[
        Literal["passive", "active"], Meta(description="A passive one needs a tone, an active one has its own")
    ] = "passive"
    duty: Annotated[float, Meta(ge=0.01, le=0.5, description="Loudness of a passive one, as duty")] = 0.5
    lowest_hz: Annotated[int, Meta(ge=20, le=10000, description="Lowest tone a passive one is given, in Hz")] = 400
    highest_hz: Annotated[int, Meta(ge=20, le=10000, description="Highest tone a passive one is given, in Hz")] = 4000

    def __post_init__(self) -> None:
        if self.lowest_hz > self.highest_hz:
            raise Invalid(Fault("lowest_hz", f"is above highest_hz ({self.highest_hz})", "swap the two"))


class Leds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this vehicle's status lights are driven."""

    dimming_hz: Annotated[
        int, Meta(ge=0, le=1000, description="Frequency for brightness, in Hz; 0 switches only on and off")
    ] = 0


class Button(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Manners of the buttons (see hw.button.Debounce)."""

    lockout_ms: Annotated[
        int, Meta(ge=1, le=200, description="Edges are ignored this long after one was taken, in ms")
    ] = 15
    poll_ms: Annotated[int, Meta(ge=20, le=1000, description="A pressed button is read again this often, in ms")] = 100


class Board(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One vehicle's wiring. Raises `service.settings.Invalid` with every fault when it cannot be right."""

    name: Annotated[str, Meta(max_length=40, description="Name of this wiring, for the log")] = "standard"
    pins: Pins = Pins()
    active: Active = Active()
    pull: Pull = Pull()
    button: Button = Button()
    leds: Leds = Leds()
    motor: Motor = Motor()
    buzzer: Buzzer = Buzzer()

    def __post_init__(self) -> None:
        faults: list[Fault] = []
        taken: dict[int, str] = {}
        for signal in SIGNALS:
            pin = self.pin(signal)
            if pin is None:
                continue
            if pin in RESERVED:
                faults.append(Fault(f"pins.{signal}", f"BCM {pin} {RESERVED[pin]}", f"use one of {_free(self)}"))
            if pin in taken:
                faults.append(Fault(f"pins.{signal}", f"BCM {pin} is {taken[pin]}'s", f"use one of {_free(self)}"))
            taken.setdefault(pin, signal)
        for signal in INPUTS:
            if getattr(self.pull, signal) == {"low": "down", "high": "up"}[self.active_level(signal)]:
                away = {"low": "up", "high": "down"}[self.active_level(signal)]
                what = f"pulls {signal} to its active level: a broken wire would read as pressed"
                faults.append(Fault(f"pull.{signal}", what, f'use "{away}", or change active.{signal}'))
        for signal in ("motor", "buzzer"):
            if self.active_level(signal) == "low":
                what = "cannot be active low: it would run at boot and whenever this service is not running"
                faults.append(Fault(f"active.{signal}", what, "drive it through an N-channel transistor, active high"))
        if faults:
            raise Invalid(*faults)

    def pin(self, signal: str) -> int | None:
        """BCM number of a signal of `SIGNALS`, or None where it is not fitted."""
        number: int | Literal["none"] = getattr(self.pins, signal)
        return None if number == "none" else number

    def active_level(self, signal: str) -> Level:
        """The level at which a signal of `SIGNALS` is active."""
        level: Level = getattr(self.active, signal)
        return level

    def fitted(self, signals: tuple[str, ...] = SIGNALS) -> tuple[str, ...]:
        """Those of `signals` that have a pin, in their order."""
        return tuple(signal for signal in signals if self.pin(signal) is not None)


def describe_pin(number: int) -> str:
    """Name a pin as it is found on the board: `BCM 17 (header pin 11)`."""
    return f"BCM {number} (header pin {HEADER_PINS[number]})" if number in HEADER_PINS else f"BCM {number}"


def _free(board: Board) -> str:
    used = {board.pin(signal) for signal in SIGNALS}
    return ", ".join(str(number) for number in HEADER_PINS if number not in used and number not in RESERVED)
