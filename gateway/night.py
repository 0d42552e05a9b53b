"""How bright the status lights are by the time of day: a light that is right by day dazzles at night."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from service.settings import Fault, Invalid

_TIME_OF_DAY: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)"
_TIME_OF_DAY_SAID: Final = "a time of day from 00:00 to 23:59"
_DAY_MIN: Final = 24 * 60


class LightSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How bright the status lights are; only a board with `leds.dimming_hz` can be anything but on or off."""

    day_percent: Annotated[int, Meta(ge=1, le=100, description="Brightness by day")] = 100
    night_percent: Annotated[int, Meta(ge=1, le=100, description="Brightness at night")] = 20
    night_from: Annotated[
        str,
        Meta(
            pattern=_TIME_OF_DAY,
            title=_TIME_OF_DAY_SAID,
            description="From this time of day on (HH:MM, the unit's time zone) it is night; while the clock is not "
            "set it is day",
        ),
    ] = "19:00"
    night_to: Annotated[
        str,
        Meta(pattern=_TIME_OF_DAY, title=_TIME_OF_DAY_SAID, description="End of the night; may be past midnight"),
    ] = "07:00"

    def __post_init__(self) -> None:
        """Refuse a night that is all day or never."""
        if self.night_from == self.night_to:
            mend = "set two different times; for lights that never change make day_percent and night_percent equal"
            raise Invalid(Fault("night_to", "is the same as night_from", mend))


def brightness(settings: LightSettings, minute_of_day: int | None) -> float:
    """Give the brightness, 0 to 1, at a local minute (0 to 1439); None, a clock nobody has set, is day."""
    percent = settings.night_percent if minute_of_day is not None and _night(settings, minute_of_day) else 0
    return (percent or settings.day_percent) / 100


def _night(settings: LightSettings, minute_of_day: int) -> bool:
    begin, end = _minute(settings.night_from), _minute(settings.night_to)
    return (minute_of_day - begin) % _DAY_MIN < (end - begin) % _DAY_MIN


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return 60 * int(hours) + int(minutes)
