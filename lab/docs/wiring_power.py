"""Drawings of what is no signal of the board map: supply, power hold and its time-out, sound, grounding."""

from __future__ import annotations

from lab.docs import wiring_values as v
from lab.docs.wiring_sheet import Sheet

HOLD_PIN = "BCM 24\nheader 18"


def supply() -> Sheet:
    """From the battery to the Pi."""
    sheet = Sheet(
        "Supply: circuit",
        "Battery plus through fuse F1, at the battery, to X1-1. A TVS diode D2 stands from there to X1-2, "
        "battery minus. Then "
        "the Schottky diode D1, the switch Q1 of the next drawing, a choke of 10 µH with 220 µF behind it, "
        "and an isolated "
        "DC-DC converter of 9 to 36 V in and 5.1 V out. Its secondary side feeds the Pi at header pins 2 and 4.",
    )
    sheet.port((2, 15.6), "battery +", "above")
    sheet.part("fuse", (2, 15.5), (2, 13.6), "F1, slow\n3 A (Pi 4)\n5 A (Pi 5)")
    sheet.port((2, 13.6), "X1-1", "left")
    sheet.port((9, 15.6), "battery -", "above")
    sheet.wire((9, 15.5), (9, 6.4))
    sheet.port((9, 13.6), "X1-2", "right")
    sheet.wire((2, 13.5), (2, 12.6))
    sheet.part("zener", (9, 12.6), (2, 12.6))
    sheet.text((5.5, 12.1), "D2  12 V: SM8S24A\n      24 V: SM8S33A", "below")
    sheet.part("schottky", (2, 12.6), (2, 10.8), "D1\n8 A\n60 V", "left")
    sheet.box((0.9, 9.7), (3.1, 10.8), "Q1: hold")
    sheet.part("choke", (2, 9.7), (2, 7.8), "10 µH\n6 A", "left")
    sheet.wire((2, 7.8), (2, 6.4))
    sheet.part("electrolytic", (2, 7.6), (9, 7.6), "220 µF, 63 V, 105 °C", "above")
    sheet.box((0.8, 3.0), (10.2, 6.4))
    sheet.text(
        (5.5, 6.1), "isolated DC-DC converter\n9-36 V in, 50 V for 100 ms\n5.1 V, 3 A (Pi 4), 5 A (Pi 5)", "below"
    )
    sheet.box((0.8, 4.2), (10.2, 4.2), dashed=True)
    sheet.text((5.5, 4.0), "1.5 kV between the sides", "below")
    sheet.wire((2, 3.0), (2, 0.9))
    sheet.port((2, 0.8), "5.1 V: header 2 and 4\n(Pi 5: USB-C plug)", "right")
    sheet.wire((9, 3.0), (9, 0.8))
    sheet.part("electrolytic", (2, 1.9), (9, 1.9), "470 µF, 10 V", "above")
    sheet.ground((9, 0.8), "Pi's\nground")
    sheet.dot((2, 12.6), (9, 12.6), (2, 7.6), (9, 7.6), (2, 1.9), (9, 1.9))
    return sheet


def hold() -> Sheet:
    """Who switches the supply: ignition, or the Pi while it needs time."""
    sheet = Sheet(
        "Power hold: circuit",
        "Q1, a P-channel MOSFET, stands between D1 and the converter. Q2 switches it on: driven by the "
        "ignition over a diode "
        f"and {v.ohms(v.HOLD_BASE)}, or, once Q1 is on, by the Pi's BCM 24 through an opto-isolator that is "
        "fed from behind Q1. "
        "Point A leads to the time-out, which takes Q2's base to ground.",
    )
    sheet.port((2.6, 15.4), "from D1", "above")
    sheet.wire((2.6, 15.3), (2.6, 14.0))
    sheet.wire((2.6, 14.9), (8.6, 14.9))
    drain, gate = sheet.pfet((2.6, 14.0))
    sheet.text((1.9, 13.25), "Q1\nSQD50P06", "left")
    sheet.wire(gate, (8.6, gate[1]))
    sheet.part("resistor", (5.6, 14.9), (5.6, gate[1]), v.ohms(v.FET_GATE_UP), "left")
    sheet.part("zener", (8.6, gate[1]), (8.6, 14.9), "12 V")
    sheet.port((0.4, drain[1] - 0.3), "to the\nchoke", "left")
    sheet.wire((0.5, drain[1] - 0.3), (2.6, drain[1] - 0.3))
    sheet.wire(drain, (2.6, drain[1] - 0.3))
    sheet.part("resistor", (2.6, drain[1] - 0.3), (2.6, 9.6), v.ohms(v.HOLD_BASE))
    cathode, collector, emitter = sheet.opto((0.2, 8.0))
    sheet.wire((2.6, 9.6), collector)
    sheet.text((2.85, 8.5), "PC817B\n80 V")
    sheet.part("resistor", (0.2, 10.4), (0.2, 8.0), v.ohms(v.HOLD_LED), "left")
    sheet.port((0.2, 10.4), HOLD_PIN, "left")
    sheet.wire(cathode, (-0.8, cathode[1]))
    sheet.ground((-0.8, cathode[1]), "")
    sheet.text((-0.8, cathode[1] - 0.6), "Pi's ground", "below")
    sheet.wire(emitter, (emitter[0], 6.1), (6.4, 6.1))
    top, low = sheet.npn((6.4, 6.1))
    sheet.text((top[0] + 0.3, 6.1), "Q2\nMMBTA06")
    sheet.part("resistor", (top[0], gate[1]), (top[0], 10.4), v.ohms(v.FET_GATE_DOWN))
    sheet.wire((top[0], 10.4), top)
    sheet.wire((5.6, 6.1), (5.6, 8.0))
    sheet.port((5.6, 8.0), "A", "above")
    sheet.part("resistor", (5.6, 6.1), (5.6, 3.2), v.ohms(v.HOLD_DOWN), "left")
    sheet.wire((5.6, 3.2), (low[0], 3.2), low)
    sheet.chassis((low[0], 3.2), "X1-2")
    sheet.port((-1.6, 3.0), "X1-3\nACC", "above")
    sheet.part("diode", (-1.5, 3.0), (0.6, 3.0), "1N4148", "below")
    sheet.part("resistor", (0.6, 3.0), (3.2, 3.0), v.ohms(v.HOLD_BASE), "below")
    sheet.wire((3.2, 3.0), (3.2, 6.1))
    sheet.dot((2.6, 14.9), (5.6, 14.9), (5.6, gate[1]), (top[0], gate[1]), (3.2, 6.1), (5.6, 6.1), (low[0], 3.2))
    sheet.dot((2.6, drain[1] - 0.3))
    return sheet


def timeout() -> Sheet:
    """A Pi that hangs does not empty the battery."""
    sheet = Sheet(
        "Time-out of the power hold: circuit",
        f"A CD4541B timer, supplied from behind Q1 over {v.ohms(v.TIMER_SUPPLY)} and a 10 V zener diode, is "
        "held at zero while the "
        f"ignition is on. When it goes off the timer counts; after about {v.timeout_s():.0f} s its output, "
        "pin 8, switches Q3, "
        "which takes point A of the hold to ground.",
    )
    sheet.box((5, 2.6), (8.4, 9.4), "CD4541B")
    sheet.text((5.15, 7.8), "1 RTC")
    sheet.text((5.15, 6.4), "2 CTC")
    sheet.text((5.15, 5.0), "3 RS")
    sheet.text((5.15, 3.6), "6 MR")
    sheet.text((8.25, 4.6), "Q 8", "left")
    sheet.text((6.7, 8.7), "5, 12, 13, 14", "below")
    sheet.text((6.7, 3.1), "7, 9, 10", "below")
    for y, kind, text in (
        (7.8, "resistor", v.ohms(v.TIMER_R)),
        (6.4, "capacitor", "100 nF film"),
        (5.0, "resistor", v.ohms(v.TIMER_RS)),
    ):
        sheet.part(kind, (1.4, y), (5, y), text, "above")
    sheet.wire((1.4, 7.8), (1.4, 5.0))
    sheet.port((0.4, 3.6), "X1-3\nACC", "above")
    sheet.part("resistor", (0.5, 3.6), (3, 3.6), "22 kΩ", "above")
    sheet.wire((3, 3.6), (5, 3.6))
    sheet.part("zener", (3, 0.6), (3, 3.6), "10 V", "left")
    sheet.part("resistor", (4.2, 3.6), (4.2, 0.6), "220 kΩ")
    sheet.port((0.4, 10.2), "behind Q1", "above")
    sheet.part("resistor", (0.5, 10.2), (3.2, 10.2), v.ohms(v.TIMER_SUPPLY), "below")
    sheet.wire((3.2, 10.2), (10.9, 10.2))
    sheet.wire((6.7, 10.2), (6.7, 9.4))
    sheet.part("zener", (9.2, 7.8), (9.2, 10.2))
    sheet.text((9.45, 8.6), "10 V")
    sheet.part("capacitor", (10.9, 10.2), (10.9, 7.8), "100 nF", "right")
    sheet.wire((9.2, 7.8), (10.9, 7.8))
    sheet.chassis((10.0, 7.8), "X1-2")
    sheet.part("resistor", (8.4, 4.6), (10.2, 4.6), "47 kΩ", "below")
    top, low = sheet.npn((10.2, 4.6))
    sheet.text((top[0] + 0.3, 4.6), "Q3\nBC846")
    sheet.wire(top, (top[0], 6.0))
    sheet.port((top[0], 6.0), "A", "right")
    sheet.wire(low, (low[0], 0.6), (3, 0.6))
    sheet.wire((6.7, 2.6), (6.7, 0.6))
    sheet.chassis((6.7, 0.6), "X1-2")
    sheet.dot((1.4, 6.4), (3, 3.6), (4.2, 3.6), (4.2, 0.6), (6.7, 0.6), (6.7, 10.2), (9.2, 10.2), (10.0, 7.8))
    return sheet


def audio_out() -> Sheet:
    """To the head unit, over a transformer."""
    sheet = Sheet(
        "Sound to the head unit: circuit",
        "The sound card's line output goes over 10 µF, bipolar, to a 1:1 transformer of 600 Ω; its other "
        "side, joined to nothing "
        "in the box, goes to X3-1 and X3-2.",
    )
    sheet.port((0, 3.0), "sound card,\nline out", "above")
    sheet.part("capacitor", (0, 3.0), (3.0, 3.0), "10 µF\nbipolar", "below")
    low, out, back = sheet.transformer((4.0, 3.0))
    sheet.wire((3.0, 3.0), (4.0, 3.0))
    sheet.wire(low, (0, low[1]))
    sheet.port((0, low[1]), "its ground", "below")
    sheet.text((4.5, 3.6), "1:1, 600 Ω : 600 Ω", "above")
    sheet.wire(out, (7.6, out[1]))
    sheet.port((7.6, out[1]), "X3-1, audio +", "right")
    sheet.wire(back, (7.6, back[1]))
    sheet.port((7.6, back[1]), "X3-2, audio -", "right")
    return sheet


def microphone() -> Sheet:
    """The speaker-microphone."""
    sheet = Sheet(
        "Speaker-microphone: circuit",
        "X4-3, the microphone, goes over a ferrite bead, with 100 pF to ground behind it, to the sound "
        "card's microphone input, "
        "which also feeds it. The PTT contact goes to the circuit of ptt. X4-1 and X4-2, the loudspeaker, go "
        "to both outputs "
        "of a PAM8302 amplifier, which the sound card's line output drives.",
    )
    sheet.port((0, 4.4), "X4-3, microphone", "above")
    sheet.part("choke", (0.1, 4.4), (3.4, 4.4), "bead, 600 Ω at 100 MHz", "below")
    sheet.wire((3.4, 4.4), (6.4, 4.4))
    sheet.part("capacitor", (5.0, 4.4), (5.0, 2.4), "100 pF")
    sheet.ground((5.0, 2.4))
    sheet.port((6.4, 4.4), "sound card,\nmicrophone in\n(with bias)", "right")
    sheet.port((0, 1.4), "PTT contact", "above")
    sheet.wire((0.1, 1.4), (6.4, 1.4))
    sheet.port((6.4, 1.4), "circuit of ptt,\nas X2-1", "right")
    sheet.port((0, 0.2), "X4-4", "left")
    sheet.wire((0.1, 0.2), (2.0, 0.2))
    sheet.ground((2.0, 0.2), "Pi's ground")
    sheet.port((0, -2.0), "X4-1", "left")
    sheet.port((0, -3.6), "X4-2", "left")
    sheet.box((2.4, -4.2), (5.2, -1.4), "PAM8302\n5.1 V")
    sheet.wire((0.1, -2.0), (2.4, -2.0))
    sheet.wire((0.1, -3.6), (2.4, -3.6))
    sheet.wire((5.2, -2.8), (6.4, -2.8))
    sheet.port((6.4, -2.8), "sound card,\nline out", "right")
    sheet.dot((5.0, 4.4))
    return sheet


def grounding() -> Sheet:
    """Two grounds, and what crosses between them."""
    sheet = Sheet(
        "Grounding: what belongs to which side",
        "On the left the vehicle's ground: battery minus, ACC, telephone and navigation lines, head unit. On "
        "the right the Pi's "
        "ground: Pi, panel, speaker-microphone. Between them only the DC-DC converter, the opto-isolators "
        "and the transformer.",
    )
    sheet.box((0, 0), (4.0, 8.6), "vehicle's ground")
    sheet.box((8.4, 0), (12.4, 8.6), "Pi's ground")
    rows = (
        (7.0, "battery -, X1-2", "DC-DC", "Pi, USB,\nsound card"),
        (5.2, "ACC, phone,\nnavigation", "3 optos", "inputs"),
        (3.4, "head unit,\nTEL-MUTE", "1 opto", "mute"),
        (1.6, "head unit,\naudio", "1:1", "line out"),
    )
    for y, left, middle, right in rows:
        sheet.text((0.2, y - 0.3), left)
        sheet.box((4.8, y - 0.8), (7.6, y + 0.2), middle)
        sheet.wire((4.0, y - 0.3), (4.8, y - 0.3))
        sheet.wire((7.6, y - 0.3), (8.4, y - 0.3))
        sheet.text((8.6, y - 0.3), right)
    sheet.text((8.6, 0.4), "panel, X2 and X4")
    sheet.chassis((2.0, 0))
    sheet.ground((10.4, 0))
    return sheet
