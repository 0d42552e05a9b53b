"""Values of the wiring document's parts, and the sums that show them right in the worst case.

The drawings take their values from here, the document's table of sums is made from `SUMS`, and a test holds every sum
against its bound. Resistors are in ohms, capacitors in farads, currents in mA, voltages in V, times in ms.
"""

from __future__ import annotations

from math import log
from typing import Final

from msgspec import Struct

# --- the Pi ----------------------------------------------------------------------------------------------------------
VCC_MIN, VCC, VCC_MAX = 3.13, 3.3, 3.47
"""The 3.3 V rail, +-5 %."""
V_LOW, V_HIGH = 0.8, 2.0
"""Read as low below, as high above: a Pi 4 or 5, the strictest."""
PULL_MIN = 33_000
"""The strongest a built-in pull can be; 50 kOhm is usual."""
PIN_MA_MAX = 16.0

# --- buttons ---------------------------------------------------------------------------------------------------------
BUTTON_PULL, BUTTON_SERIES, BUTTON_C = 10_000, 1_000, 100e-9

# --- inputs through an opto-isolator ---------------------------------------------------------------------------------
OPTO_SERIES, OPTO_SHUNT, OPTO_PULL = 3_300, 2_200, 10_000
OPTO_VF_MIN, OPTO_VF_MAX = 1.0, 1.35
CTR_MIN, CTR_MAX = 1.3, 2.6
"""Rank B of the PC817 at 5 mA."""
CTR_AGED = 0.7 * 0.7
"""What is left of it after ten years at 85 degrees."""
CTR_WORN = 0.5 * CTR_AGED
"""And with 1 or 2 mA in place of 5."""
LINE_MIN, LINE_MAX, LINE_SURGE = 9.0, 36.0, 60.0

# --- outputs ---------------------------------------------------------------------------------------------------------
RAIL_MIN, RAIL, RAIL_MAX = 4.85, 5.1, 5.25
GATE_SERIES, GATE_DOWN = 220, 4_700
FET_VTH_MIN = 0.65
"""AO3400A, the lowest; BSS138 has 0.8."""
LED_SERIES: Final = {"led_red": 330, "led_green": 180, "led_blue": 180}
LED_VF: Final = {"led_red": (1.8, 2.3), "led_green": (2.8, 3.4), "led_blue": (2.8, 3.4)}
MOTOR_MA_MAX, BUZZER_OHM = 200.0, 42
MUTE_BASE, MUTE_DOWN, MUTE_LED, MUTE_LINE = 4_700, 4_700, 330, 100
MUTE_LINE_MA = 3.0
"""What a head unit's mute input gives at most, as far as we found; measure it."""

# --- supply ----------------------------------------------------------------------------------------------------------
HOLD_LED, HOLD_BASE, HOLD_DOWN = 470, 22_000, 47_000
FET_GATE_UP, FET_GATE_DOWN = 100_000, 10_000
TIMER_R, TIMER_RS, TIMER_C, TIMER_STAGES = 43_000, 91_000, 100e-9, 16
TIMER_SUPPLY, TIMER_ZENER = 4_700, 10.0
PI4_W, PI5_W, EFFICIENCY = 15.3, 25.5, 0.85
CABLE_OHM = 0.0175 * 6 / 1.5
"""3 m there and 3 m back, 1.5 mm2 of copper."""


class Sum(Struct, frozen=True, kw_only=True):
    """One sum: the `value` must be at least or at most its bound (either may be None)."""

    circuit: str
    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    def holds(self) -> bool:
        """Whether the value keeps its bounds."""
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)


def beside(one: float, other: float) -> float:
    """Two resistors in parallel."""
    return one * other / (one + other)


def opto_led_ma(line_v: float, vf: float) -> float:
    """Current in the LED of an input's opto-isolator, in mA."""
    return ((line_v - vf) / OPTO_SERIES - vf / OPTO_SHUNT) * 1000


def _button() -> list[Sum]:
    pull = beside(BUTTON_PULL, PULL_MIN)
    low = VCC_MAX * BUTTON_SERIES / (BUTTON_SERIES + pull)
    fall = beside(BUTTON_SERIES, pull) * BUTTON_C * log((VCC_MAX - low) / (V_LOW - low)) * 1000
    rise = (BUTTON_PULL * 1.05) * BUTTON_C * log(VCC_MIN / (VCC_MIN - V_HIGH)) * 1000
    worn = V_LOW / (VCC_MAX - V_LOW) * pull - BUTTON_SERIES
    return [
        _sum("button", "pressed: level at the pin", low, "V", at_most=V_LOW),
        _sum("button", "pressed: time until it is read", fall, "ms", at_most=1.0),
        _sum("button", "released: time until it is read", rise, "ms", at_most=5.0),
        _sum("button", "what a worn contact may have and still be read", worn, "Ω", at_least=500),
        _sum(
            "button",
            "what dirt in the plug may leak and not be read as pressed",
            BUTTON_PULL * 1.05 * V_HIGH / (VCC_MIN - V_HIGH) / 1000,
            "kΩ",
            at_most=25,
        ),
        _sum("button", "current through the contact", VCC / (pull + BUTTON_SERIES) * 1000, "mA", at_least=0.1),
    ]


def _opto() -> list[Sum]:
    worst_mw = (LINE_MAX - OPTO_VF_MIN) ** 2 / OPTO_SERIES * 1000
    needed = (VCC_MAX - 0.4) / beside(OPTO_PULL, PULL_MIN) * 1000
    given = opto_led_ma(LINE_MIN, OPTO_VF_MAX) * CTR_MIN * CTR_WORN
    off = OPTO_VF_MIN + OPTO_SERIES * (OPTO_VF_MIN / OPTO_SHUNT + (VCC_MIN - V_HIGH) / (OPTO_PULL * 1.05) / CTR_MAX)
    return [
        _sum("opto input", "LED at 9 V", opto_led_ma(LINE_MIN, OPTO_VF_MAX), "mA", at_least=1.0),
        _sum("opto input", "LED at 28.8 V", opto_led_ma(28.8, 1.2), "mA", at_most=20),
        _sum("opto input", "LED in a load dump of 60 V", opto_led_ma(LINE_SURGE, OPTO_VF_MIN), "mA", at_most=50),
        _sum("opto input", "series resistor at 36 V", worst_mw, "mW", at_most=500),
        _sum("opto input", "worn-out transistor gives at 9 V, of the next line", given, "mA", at_least=needed),
        _sum("opto input", "needed to pull the pin low", needed, "mA", at_most=given),
        _sum("opto input", "below this the line surely reads as off", off, "V", at_least=2.0),
    ]


def _outputs() -> list[Sum]:
    boot = VCC_MAX * GATE_DOWN / (GATE_DOWN + PULL_MIN)
    on = VCC_MIN * GATE_DOWN / (GATE_DOWN + GATE_SERIES)
    peak = VCC_MAX / GATE_SERIES * 1000
    sums = [
        _sum("gates", "gate while a boot pull-up acts on the pin", boot, "V", at_most=FET_VTH_MIN * 0.8),
        _sum("gates", "gate when driven", on, "V", at_least=2.5),
        _sum("gates", "pin's current while the gate is charged", peak, "mA", at_most=PIN_MA_MAX),
        _sum("gates", "pin's lasting current", VCC_MAX / (GATE_DOWN + GATE_SERIES) * 1000, "mA", at_most=2.0),
    ]
    for signal, series in LED_SERIES.items():
        dim = (RAIL_MIN - LED_VF[signal][1] - 0.1) / series * 1000
        bright = (RAIL_MAX - LED_VF[signal][0]) / series * 1000
        sums += [
            _sum(signal, "LED at its dimmest", dim, "mA", at_least=7.0),
            _sum(signal, "LED at its brightest", bright, "mA", at_most=20.0),
        ]
    return [
        *sums,
        _sum("buzzer", "coil at most, half of the time", RAIL_MAX / BUZZER_OHM * 1000, "mA", at_most=150),
    ]


def _mute() -> list[Sum]:
    base = (VCC_MIN - 0.75) / MUTE_BASE * 1000 - 0.75 / MUTE_DOWN * 1000
    led = (RAIL_MIN - OPTO_VF_MAX - 0.2) / MUTE_LED * 1000
    boot = VCC_MAX * MUTE_DOWN / (MUTE_DOWN + MUTE_BASE + PULL_MIN)
    return [
        _sum("mute", "base while a boot pull-up acts on the pin", boot, "V", at_most=0.45),
        _sum("mute", "base current; a hundredth of the LED's is enough", base, "mA", at_least=led / 100 * 2),
        _sum("mute", "LED", led, "mA", at_least=8.0, at_most=20.0),
        _sum("mute", "worn-out opto-isolator still pulls", led * CTR_MIN * CTR_AGED, "mA", at_least=2 * MUTE_LINE_MA),
    ]


def timeout_s() -> float:
    """How long the hardware lets the Pi hold the supply after the ignition went off, in seconds."""
    return float(2 ** (TIMER_STAGES - 1) * 2.3 * TIMER_R * TIMER_C)


def _supply() -> list[Sum]:
    led = (VCC_MIN - 0.1 - OPTO_VF_MAX) / HOLD_LED * 1000
    base = min((LINE_MIN - 1.0) / HOLD_BASE * 1000, led * CTR_MIN * CTR_WORN)
    collector = (LINE_MAX - 12) / FET_GATE_DOWN * 1000
    return [
        _sum("hold", "LED of the hold", led, "mA", at_least=3.0, at_most=PIN_MA_MAX / 2),
        _sum("hold", "Q2's base; a fiftieth of its collector is enough", base, "mA", at_least=collector / 50),
        _sum("hold", "Q1's gate at 9 V", LINE_MIN * FET_GATE_UP / (FET_GATE_UP + FET_GATE_DOWN), "V", at_least=4.5),
        _sum("hold", "time-out, 20 % short", timeout_s() * 0.8, "s", at_least=120),
        _sum("hold", "time-out, 20 % long", timeout_s() * 1.2, "s", at_most=600),
        _sum("supply", "input current of a Pi 4 unit at 9 V", PI4_W / EFFICIENCY / LINE_MIN, "A", at_most=3 * 0.75),
        _sum("supply", "input current of a Pi 5 unit at 9 V", PI5_W / EFFICIENCY / LINE_MIN, "A", at_most=5 * 0.75),
        _sum("supply", "loss in 3 m of cable, Pi 5", PI5_W / EFFICIENCY / LINE_MIN * CABLE_OHM, "V", at_most=0.3),
    ]


def _sum(
    circuit: str, what: str, value: float, unit: str, *, at_least: float | None = None, at_most: float | None = None
) -> Sum:
    return Sum(circuit=circuit, what=what, value=value, unit=unit, at_least=at_least, at_most=at_most)


SUMS: Final = (*_button(), *_opto(), *_outputs(), *_mute(), *_supply())
"""Every sum of the document, in its order."""


def ohms(value: float) -> str:
    """A resistor as it is written: `4.7 kΩ`."""
    return f"{value / 1000:g} kΩ" if value >= 1000 else f"{value:g} Ω"
