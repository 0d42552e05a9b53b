"""One drawing for each signal of the board map: what stands between its pin and the connector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hw.board import HEADER_PINS, Board
from lab.docs import wiring_values as v
from lab.docs.wiring_plugs import contact_of
from lab.docs.wiring_sheet import Point, Sheet

WHAT: Final = {
    "ptt": "push-to-talk button",
    "emergency": "emergency button",
    "replay": "replay button",
    "ignition": "ignition (ACC)",
    "phone_busy": "telephone busy",
    "nav_busy": "navigation speaking",
    "led_red": "red status light",
    "led_green": "green status light",
    "led_blue": "blue status light",
    "motor": "vibration motor",
    "buzzer": "buzzer",
    "mute": "mute line of the head unit",
}
"""What each signal is, as the drawings call it."""


def pin_of(signal: str) -> str:
    """The pin of a signal on the standard board, for a drawing."""
    number = Board().pin(signal)
    if number is None:
        raise LookupError(f"{signal} is not fitted on the standard board")
    return f"BCM {number}\nheader {HEADER_PINS[number]}"


def button(signal: str) -> Sheet:
    """A contact to ground against a pull-up."""
    plug, number = contact_of(signal).split("-")
    sheet = Sheet(
        f"{WHAT[signal]}: circuit",
        f"The button joins {plug}-{number} to ground. In the box a bidirectional TVS of 3.3 V stands from "
        "that contact to "
        f"ground, then {v.ohms(v.BUTTON_SERIES)} in series to the pin, where {v.ohms(v.BUTTON_PULL)} pull up to 3.3 V "
        "and 100 nF go to ground.",
    )
    sheet.part("button", (0, 3), (0, 0), "button", "left")
    sheet.wire((0, 3), (1.6, 3))
    sheet.wire((0, 0), (1.6, 0))
    sheet.port((1.6, 3), f"{plug}-{number}", "above")
    sheet.port((1.6, 0), f"{plug}-{int(number) + 1}", "below")
    sheet.wire((1.75, 3), (3, 3), (3.6, 3))
    sheet.part("tvs", (3, 3), (3, 0), "TVS 3.3 V\nPESD3V3L1BA")
    sheet.part("resistor", (3.6, 3), (6.4, 3), v.ohms(v.BUTTON_SERIES), "above")
    sheet.part("resistor", (6.8, 5.6), (6.8, 3), v.ohms(v.BUTTON_PULL))
    sheet.supply((6.8, 5.6), "3.3 V")
    sheet.part("capacitor", (6.8, 3), (6.8, 0), "100 nF")
    sheet.wire((6.4, 3), (9, 3))
    sheet.port((9, 3), pin_of(signal), "right")
    sheet.wire((1.75, 0), (6.8, 0))
    sheet.dot((3, 3), (3, 0), (6.8, 3), (4.9, 0))
    sheet.ground((4.9, 0))
    return sheet


def opto_input(signal: str) -> Sheet:
    """A line of the vehicle, through an opto-isolator."""
    sheet = Sheet(
        f"{WHAT[signal]}: circuit",
        f"{contact_of(signal)} goes over {v.ohms(v.OPTO_SERIES)}, 1 W, pulse-proof, to the LED of a PC817B "
        "opto-isolator and "
        f"from there to X1-8, the vehicle's ground. Across the LED stand {v.ohms(v.OPTO_SHUNT)} and a 1N4148 "
        "the other way "
        f"round. The transistor pulls the pin to the Pi's ground against {v.ohms(v.OPTO_PULL)} to 3.3 V.",
    )
    cathode, collector, emitter = sheet.opto((5.0, 2.6))
    low = cathode[1]
    sheet.port((0, 5.4), f"{contact_of(signal)}\n+ while active", "above")
    sheet.part("resistor", (0, 5.4), (0, 2.6), f"{v.ohms(v.OPTO_SERIES)}\n1 W\npulse-proof")
    sheet.wire((0, 2.6), (5.0, 2.6))
    sheet.part("resistor", (1.6, 2.6), (1.6, low), v.ohms(v.OPTO_SHUNT), "left")
    sheet.part("diode", (3.0, low), (3.0, 2.6))
    sheet.text((3.0, low - 0.2), "1N4148", "below")
    sheet.wire((5.0, low), (0, low))
    sheet.port((0, low), "X1-8\nvehicle ground", "below")
    sheet.dot((1.6, 2.6), (1.6, low), (3.0, 2.6), (3.0, low))
    sheet.text((5.1, 3.15), "PC817B")
    right = collector[0] + 0.7
    sheet.wire(collector, (right, collector[1]))
    sheet.part("resistor", (right, 5.4), (right, collector[1]), v.ohms(v.OPTO_PULL), "left")
    sheet.supply((right, 5.4), "3.3 V")
    sheet.wire((right, collector[1]), (right + 0.9, collector[1]))
    sheet.port((right + 0.9, collector[1]), pin_of(signal), "right")
    sheet.wire(emitter, (right, emitter[1]))
    sheet.ground((right, emitter[1]), "Pi's ground")
    sheet.dot((right, collector[1]))
    return sheet


def led(signal: str) -> Sheet:
    """A light on the panel, switched at its cathode."""
    series = v.ohms(int(v.LED_SERIES[signal]))
    sheet = Sheet(
        f"{WHAT[signal]}: circuit",
        f"From +5 V on X2-7 through {series} and the LED on the panel to {contact_of(signal)}; there a BSS138 "
        "switches it to "
        f"ground. {_GATE}",
    )
    sheet.box((2.8, 3.85), (7.0, 9.1), dashed=True)
    sheet.text((5.6, 8.6), "panel")
    sheet.port((4.4, 9.1), "X2-7, +5 V", "above")
    sheet.part("resistor", (4.4, 9.0), (4.4, 6.4), series)
    sheet.part("led", (4.4, 6.4), (4.4, 3.6), signal.removeprefix("led_"))
    sheet.port((4.4, 3.4), contact_of(signal), "right")
    _low_side(sheet, signal, (4.4, 3.4), "BSS138")
    return sheet


def motor(signal: str = "motor") -> Sheet:
    """The vibration motor, with its flyback diode."""
    sheet = Sheet(
        f"{WHAT[signal]}: circuit",
        f"The motor lies between +5 V on X2-7 and {contact_of(signal)}, with 100 nF directly at its "
        "terminals. In the box a "
        f"1N5819 stands across both contacts, its cathode at +5 V, and an AO3400A switches to ground. {_GATE}",
    )
    _load(sheet, signal, "motor", "motor\n5 V, 200 mA\nat most")
    return sheet


def buzzer(signal: str = "buzzer") -> Sheet:
    """The buzzer: the motor's circuit again."""
    sheet = Sheet(
        f"{WHAT[signal]}: circuit",
        f"A passive magnetic buzzer of {v.BUZZER_OHM} Ω lies between +5 V on X2-7 and {contact_of(signal)}. "
        "In the box a 1N5819 "
        f"stands across both contacts, its cathode at +5 V, and an AO3400A switches to ground. {_GATE}",
    )
    _load(sheet, signal, "choke", f"buzzer\npassive, {v.BUZZER_OHM} Ω")
    return sheet


def mute(signal: str = "mute") -> Sheet:
    """The mute line of a head unit that mutes at ground, which most do."""
    sheet = _mute_sheet(
        "The LED of a PC817 of the 80 V kind is switched from +5 V by a BC817; its transistor pulls X1-4, "
        "TEL-MUTE, to X1-5, "
        f"the head unit's ground, over {v.ohms(v.MUTE_LINE)}. An SMBJ33A protects it."
    )
    collector, emitter = _mute_driver(sheet)
    top = collector[1] + 2.6
    sheet.part("resistor", collector, (collector[0], top), v.ohms(v.MUTE_LINE), "left")
    right = collector[0] + 1.9
    sheet.wire((collector[0], top), (right + 0.8, top))
    sheet.port((right + 0.8, top), f"{contact_of(signal)}\nTEL-MUTE", "right")
    sheet.wire(emitter, (emitter[0], emitter[1] - 0.6), (right + 0.8, emitter[1] - 0.6))
    sheet.port((right + 0.8, emitter[1] - 0.6), "X1-5\nhead unit's\nground", "right")
    sheet.part("tvs", (right, top), (right, emitter[1] - 0.6), "SMBJ33A")
    sheet.dot((right, top), (right, emitter[1] - 0.6))
    return sheet


def mute_high() -> Sheet:
    """The mute line of a head unit that mutes at +12 V."""
    sheet = _mute_sheet(
        "For a head unit that mutes at plus: the same opto-isolator pulls the base of a BC856B over 10 kΩ; "
        "its emitter is at "
        "the head unit's switched plus, 10 kΩ from base to emitter, its collector gives plus to TEL-MUTE over 100 Ω."
    )
    collector, emitter = _mute_driver(sheet)
    x, y = collector
    sheet.part("resistor", (x, y), (x, y + 2.4), "10 kΩ", "left")
    sheet.wire((x, y + 2.4), (x, y + 2.9), (x + 1.0, y + 2.9))
    plus, out = sheet.pnp((x + 1.0, y + 2.9))
    sheet.text((plus[0] + 0.35, y + 2.9), "BC856B")
    sheet.part("resistor", (x, y + 2.9), (x, y + 5.2), "10 kΩ", "left")
    sheet.wire((x, y + 5.2), (plus[0], y + 5.2), plus)
    sheet.port((plus[0], y + 5.2), "head unit's switched +", "above")
    sheet.part("resistor", out, (plus[0], out[1] - 2.2), v.ohms(v.MUTE_LINE))
    sheet.port((plus[0], out[1] - 2.2), f"{contact_of('mute')}\nTEL-MUTE", "right")
    sheet.wire(emitter, (emitter[0], emitter[1] - 0.6), (plus[0], emitter[1] - 0.6))
    sheet.port((plus[0], emitter[1] - 0.6), "X1-5\nhead unit's\nground", "right")
    sheet.dot((x, y + 2.9))
    return sheet


_GATE: Final = (
    f"The pin drives the gate over {v.ohms(v.GATE_SERIES)}; "
    + f"{v.ohms(v.GATE_DOWN)} hold the gate at ground while nobody does."
)


def _low_side(sheet: Sheet, signal: str, load: Point, fet: str) -> None:
    """The transistor under a load whose lower end is `load`."""
    gate = (load[0] - 1.37, load[1] - 1.9)
    drain, source = sheet.nfet(gate)
    sheet.wire((load[0], load[1] - 0.15), drain)
    sheet.text((drain[0] + 0.35, gate[1]), fet)
    sheet.wire(source, (source[0], gate[1] - 2.7))
    sheet.ground((source[0], gate[1] - 2.7))
    node = gate[0] - 0.5
    sheet.wire(gate, (node, gate[1]))
    sheet.part("resistor", (node, gate[1]), (node, gate[1] - 2.7), v.ohms(v.GATE_DOWN), "left")
    sheet.wire((node, gate[1] - 2.7), (source[0], gate[1] - 2.7))
    sheet.part("resistor", (node - 2.4, gate[1]), (node, gate[1]), v.ohms(v.GATE_SERIES), "above")
    sheet.port((node - 2.4, gate[1]), pin_of(signal), "left")
    sheet.dot((node, gate[1]), (source[0], gate[1] - 2.7))


def _load(sheet: Sheet, signal: str, kind: str, name: str) -> None:
    """A coil on the panel, its diode in the box."""
    top, low = 7.4, 3.4
    sheet.part("fuse", (4.4, 10.4), (4.4, 8.0), "F2, 500 mA\nresets itself")
    sheet.supply((4.4, 10.4), "5.1 V")
    sheet.wire((4.4, 8.0), (4.4, top), (7.6, top))
    sheet.part("schottky", (4.4, low), (4.4, top), "1N5819", "left")
    sheet.port((7.6, top), "X2-7", "above")
    sheet.part(kind, (7.6, top - 0.15), (7.6, low + 0.15), name)
    sheet.port((7.6, low), contact_of(signal), "below")
    sheet.wire((7.45, low), (4.4, low))
    sheet.dot((4.4, top), (4.4, low))
    if kind == "motor":
        sheet.wire((7.6, 6.6), (6.4, 6.6))
        sheet.part("capacitor", (6.4, 6.6), (6.4, 4.2), "100 nF", "left")
        sheet.wire((6.4, 4.2), (7.6, 4.2))
        sheet.dot((7.6, 6.6), (7.6, 4.2))
    _low_side(sheet, signal, (4.4, low), "AO3400A")


def _mute_sheet(said: str) -> Sheet:
    return Sheet(f"{WHAT['mute']}: circuit", said)


def _mute_driver(sheet: Sheet) -> tuple[Point, Point]:
    """From the pin to the opto-isolator; gives its transistor's collector and emitter."""
    sheet.port((0, 0), pin_of("mute"), "above")
    sheet.part("resistor", (0, 0), (2.4, 0), v.ohms(v.MUTE_BASE), "below")
    sheet.wire((2.4, 0), (3.0, 0))
    collector, emitter = sheet.npn((3.0, 0))
    sheet.text((emitter[0] + 0.3, -0.45), "BC817-25")
    sheet.part("resistor", (2.4, -0.4), (2.4, -2.6), v.ohms(v.MUTE_DOWN), "left")
    sheet.wire((2.4, 0), (2.4, -0.4))
    sheet.wire((2.4, -2.6), (emitter[0], -2.6), emitter)
    sheet.ground((emitter[0], -2.6), "Pi's ground")
    sheet.dot((2.4, 0), (emitter[0], -2.6))
    anode = (collector[0] + 1.0, collector[1] + 2.6)
    cathode, out, low = sheet.opto(anode)
    sheet.wire(collector, (collector[0], cathode[1]), cathode)
    sheet.part("resistor", (collector[0], anode[1] + 3.2), (collector[0], anode[1] + 0.9), v.ohms(v.MUTE_LED), "left")
    sheet.supply((collector[0], anode[1] + 3.2), "5.1 V")
    sheet.wire((collector[0], anode[1] + 0.9), (collector[0], anode[1]), anode)
    sheet.text((low[0] - 0.6, anode[1] + 0.5), "PC817B, 80 V", "left")
    return out, low


CIRCUITS: Final[dict[str, Callable[[str], Sheet]]] = {
    "ptt": button,
    "emergency": button,
    "replay": button,
    "ignition": opto_input,
    "phone_busy": opto_input,
    "nav_busy": opto_input,
    "led_red": led,
    "led_green": led,
    "led_blue": led,
    "motor": motor,
    "buzzer": buzzer,
    "mute": mute,
}
"""Signal -> what draws it."""
