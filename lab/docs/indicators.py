"""The driver's answers: the indicator table as docs/architecture.md shows it."""

from typing import Final

from gateway.answers import BEEPS, VIBRATIONS
from gateway.core.indicators import LIGHTS, TABLE, Light
from gateway.core.told import Told
from gateway.core.words import Look
from hw.patterns import Pattern
from lab.docs.markdown import table

LIGHT_THEN: Final[dict[Told, Look | None]] = {
    Told.GRANTED: Look.TALKING,
    Told.DENIED: Look.READY,
    Told.QUEUE_FULL: Look.READY,
    Told.EMERGENCY_ON: Look.READY,
    Told.OFFICE_FULL: Look.READY,
    Told.REFUSED: Look.READY,
    Told.NOT_ALLOWED: Look.READY,
    Told.QUEUED: Look.WAITING,
    Told.NO_CONNECTION: Look.NO_LINK,
    Told.NO_ANSWER: Look.READY,
    Told.NO_MICROPHONE: Look.NO_VOICE,
    Told.NO_VOICE: Look.NO_VOICE,
    Told.CANCELLED: Look.READY,
    Told.TALK_ENDED: Look.READY,
    Told.LIMIT_NEAR: Look.ENDING,
    Told.LIMIT_REACHED: Look.READY,
    Told.PREEMPTED: Look.READY,
    Told.REVOKED: Look.READY,
    Told.FLOOR_LOST: Look.READY,
    Told.NOT_HEARD: Look.MUTED,
    Told.HEARD_AGAIN: Look.TALKING,
    Told.SESSION_JOINED: None,
    Told.SESSION_LEFT: None,
    Told.SOMEONE_SPEAKS: Look.LISTENING,
    Told.HEARD_BY: None,
    Told.HEARD_UNKNOWN: None,
    Told.NOBODY_HEARD: None,
    Told.NOBODY_THERE: None,
    Told.LINK_LOST: Look.NO_LINK,
    Told.LINK_BACK: Look.READY,
    Told.BUTTON_STUCK: None,
    Told.LET_GO: None,
    Told.PHONE_BUSY: None,
    Told.PHONE_TOOK: Look.READY,
    Told.NAVIGATION_HOLDS: Look.MUTED,
    Told.NAVIGATION_TOOK: Look.READY,
    Told.CONTACT_STUCK: None,
    Told.NOT_ENROLLED: Look.NOT_ENROLLED,
    Told.NOT_ADMITTED: Look.NOT_ENROLLED,
    Told.EMERGENCY_HELD: Look.HOLDING,
    Told.EMERGENCY_NOT_HELD: Look.READY,
    Told.EMERGENCY: Look.ASKING,
    Told.EMERGENCY_CANCELLED: Look.HOLDING,
    Told.EMERGENCY_ENDED: Look.READY,
    Told.EMERGENCY_CLEARED: None,
    Told.EMERGENCY_FAILED: Look.READY,
    Told.EMERGENCY_OFFLINE: Look.NO_LINK,
    Told.EMERGENCY_HEARD: Look.EMERGENCY,
    Told.EMERGENCY_STUCK: None,
    Told.TURN_CAME: Look.TALKING,
    Told.TRANSMITTER_MUTED: None,
    Told.PARKED: Look.PARKED,
    Told.WAKING: Look.READY,
    Told.IDENTIFY: Look.IDENTIFY,
    Told.REPLAY: Look.REPLAYING,
    Told.MISSED: None,
    Told.NOTHING_TO_REPLAY: None,
    Told.NO_REPLAY_NOW: None,
}
"""What the status light shows once the driver was told, where nothing else goes on; None where it shows what it did."""


def answers() -> str:
    """What the driver is told, and how."""
    rows = []
    for told in Told:
        row = TABLE[told]
        sentence = f"{row.ko} / {row.en}" if row.ko else ""
        values = (row.vibration, row.beep, row.sound)
        rows.append((told.value, *("" if value is None else value.value for value in values), sentence, _then(told)))
    return table(("what happened", "vibration", "buzzer", "sound", "sentence (ko / en)", "light then"), rows)


def lights() -> str:
    """What the status light shows."""
    return table(("state", "light"), [(look.value, _light(LIGHTS[look])) for look in Look])


def patterns() -> str:
    """Vibration and buzzer patterns."""
    rows = [(kind.value, "motor", _steps(pattern, "")) for kind, pattern in VIBRATIONS.items()]
    rows += [(kind.value, "buzzer", _steps(pattern, " Hz")) for kind, pattern in BEEPS.items()]
    return table(("pattern", "output", "ms and level, in order"), rows)


def _then(told: Told) -> str:
    look = LIGHT_THEN[told]
    return "" if look is None else look.value


def _light(light: Light) -> str:
    return f"{light.colour.value}, {light.on_ms} ms on, {light.off_ms} ms off" if light.on_ms else light.colour.value


def _steps(pattern: Pattern, unit: str) -> str:
    steps = ", ".join(f"{ms}@{level}{unit}" if level else f"{ms} off" for ms, level in pattern.steps)
    return steps if pattern.repeat_after_ms is None else f"{steps}; again after {pattern.repeat_after_ms} ms"
