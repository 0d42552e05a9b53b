"""The box's connectors: which contact carries what. Every signal of the board map leaves the box on exactly one."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Contact(Struct, frozen=True):
    """One contact: what it carries, the board map's signal if it is one, the wire, and a word of warning."""

    carries: str
    signal: str | None = None
    wire: str = "0.35 mm²"
    note: str = ""


class Plug(Struct, frozen=True, kw_only=True):
    """One connector; contact 1 is the first of `contacts`. `cable`: what goes on it, and how long it may be."""

    name: str
    goes_to: str
    kind: str
    cable: str
    contacts: tuple[Contact, ...]


X1: Final = Plug(
    name="X1",
    goes_to="vehicle",
    kind="Molex Micro-Fit 3.0, 2 x 4, latched",
    cable="3 m at most; contacts 1 and 2 in 1.5 mm² up to the fuse, 0.8 mm² for the last 20 cm into the contacts",
    contacts=(
        Contact("battery +, permanent (KL30), from fuse F1", wire="1.5 mm²", note="the fuse is at the battery"),
        Contact("battery - (KL31)", wire="1.5 mm²", note="to the body's ground point, not to the head unit"),
        Contact("ACC, switched by the ignition (KL15 or KL75)", "ignition", note="fused 1 A in the vehicle"),
        Contact("TEL-MUTE of the head unit", "mute", note="nothing else on this wire"),
        Contact("return of the mute line: the head unit's own ground", note="not joined to contact 2 in the box"),
        Contact("telephone busy, + while active", "phone_busy"),
        Contact("navigation speaking, + while active", "nav_busy"),
        Contact("return of contacts 3, 6 and 7: vehicle ground", note="not joined to the Pi's ground"),
    ),
)
X2: Final = Plug(
    name="X2",
    goes_to="driver's panel",
    kind="Molex Micro-Fit 3.0, 2 x 6, latched",
    cable="2 m at most; buttons as twisted pairs, contacts 7 and 11 twisted together, not beside X1's supply",
    contacts=(
        Contact("PTT button", "ptt", note="pair with 2"),
        Contact("ground of the PTT button"),
        Contact("emergency button", "emergency", note="pair with 4"),
        Contact("ground of the emergency button"),
        Contact("replay button", "replay", note="pair with 6"),
        Contact("ground of the replay button"),
        Contact("+5 V for lights, motor and buzzer", wire="0.5 mm²", note="behind F2, 500 mA, which resets itself"),
        Contact("red light, cathode", "led_red"),
        Contact("green light, cathode", "led_green"),
        Contact("blue light, cathode", "led_blue"),
        Contact("vibration motor -", "motor", wire="0.5 mm²"),
        Contact("buzzer -", "buzzer"),
    ),
)
X3: Final = Plug(
    name="X3",
    goes_to="head unit, audio",
    kind="Molex Micro-Fit 3.0, 2 x 2, latched",
    cable="3 m at most, screened twisted pair; the screen is connected at the head unit alone",
    contacts=(
        Contact("audio +, from the transformer"),
        Contact("audio -, from the transformer", note="not the Pi's ground"),
        Contact("screen, open in the box", note="connected at the head unit"),
        Contact("not used"),
    ),
)
X4: Final = Plug(
    name="X4",
    goes_to="speaker-microphone",
    kind="two jacks, 3.5 mm and 2.5 mm, 11.4 mm apart (Kenwood K1); see below",
    cable="the microphone's own coiled cable; an extension of 1 m at most, screened",
    contacts=(
        Contact("3.5 mm tip: loudspeaker", note="clones differ: meter first"),
        Contact("3.5 mm sleeve: loudspeaker -"),
        Contact("2.5 mm tip: microphone, with the PTT contact in some"),
        Contact("2.5 mm sleeve: ground"),
    ),
)
PLUGS: Final = (X1, X2, X3, X4)
"""The connectors, in the document's order."""


def contact_of(signal: str) -> str:
    """The contact of a signal of the board map: `X2-1`. Raises LookupError where it has none, or several."""
    found = [
        f"{plug.name}-{number}"
        for plug in PLUGS
        for number, contact in enumerate(plug.contacts, 1)
        if contact.signal == signal
    ]
    if len(found) != 1:
        raise LookupError(f"{signal} is on {found or 'no contact'}: give it one in lab/docs/wiring_plugs.py")
    return found[0]
