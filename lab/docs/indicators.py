"""The driver's answers: the indicator table as docs/architecture.md shows it."""

from gateway.answers import BEEPS, VIBRATIONS
from gateway.core.indicators import LIGHTS, TABLE, Light
from gateway.core.told import Told
from gateway.core.words import Look
from hw.patterns import Pattern
from lab.docs.markdown import table


def answers() -> str:
    """What the driver is told, and how."""
    rows = []
    for told in Told:
        row = TABLE[told]
        sentence = f"{row.ko} / {row.en}" if row.ko else ""
        values = (row.vibration, row.beep, row.sound)
        rows.append((told.value, *("" if value is None else value.value for value in values), sentence))
    return table(("what happened", "vibration", "buzzer", "sound", "sentence (ko / en)"), rows)


def lights() -> str:
    """What the status light shows."""
    return table(("state", "light"), [(look.value, _light(LIGHTS[look])) for look in Look])


def patterns() -> str:
    """Vibration and buzzer patterns."""
    rows = [(kind.value, "motor", _steps(pattern, "")) for kind, pattern in VIBRATIONS.items()]
    rows += [(kind.value, "buzzer", _steps(pattern, " Hz")) for kind, pattern in BEEPS.items()]
    return table(("pattern", "output", "ms and level, in order"), rows)


def _light(light: Light) -> str:
    return f"{light.colour.value}, {light.on_ms} ms on, {light.off_ms} ms off" if light.on_ms else light.colour.value


def _steps(pattern: Pattern, unit: str) -> str:
    steps = ", ".join(f"{ms}@{level}{unit}" if level else f"{ms} off" for ms, level in pattern.steps)
    return steps if pattern.repeat_after_ms is None else f"{steps}; again after {pattern.repeat_after_ms} ms"
