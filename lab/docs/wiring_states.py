"""What the load of every output sees in every state of the Pi, and why that is safe."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from hw.board import OUTPUTS, Board
from lab.docs import wiring_values as v
from lab.docs.markdown import table

STATES: Final = (
    "boot: firmware and kernel, before the daemon",
    "daemon starts",
    "daemon runs",
    "daemon stopped, or ended by an error",
    "daemon killed, with `strict_gpiod`",
    "daemon killed, without it",
    "daemon hangs",
    "kernel panic or hang",
    "5.1 V gone",
)
"""The rows of each table, in order."""


class Load(Struct, frozen=True, kw_only=True):
    """What hangs on an output: how it is at rest and in use, what it does when left on, and why nothing comes of it."""

    rest: str
    use: str
    left_on: str
    frozen: str
    safe: str


LOADS: Final[dict[str, Load]] = {
    **{
        signal: Load(
            rest="dark",
            use=f"lit {colour} as docs/architecture.md says",
            left_on="stays as it was",
            frozen="stays as it was: it may show what is no longer true",
            safe="a light alone; the radio itself is silent then, because no lease is renewed",
        )
        for signal, colour in (("led_red", "red"), ("led_green", "green"), ("led_blue", "blue"))
    },
    "motor": Load(
        rest="still",
        use="vibrates for 50 to 300 ms at a time",
        left_on="vibrates on",
        frozen="stops or vibrates on, by the instant at which its pulses stood still",
        safe="choose a motor that stands continuous drive; F2 limits its current, the watchdog its time",
    ),
    "buzzer": Load(
        rest="silent",
        use="sounds for 80 to 240 ms at a time",
        left_on="sounds on",
        frozen="silent: a passive one needs pulses. At worst its coil carries a steady 125 mA; an active one sounds on",
        safe="choose one whose coil stands steady current; F2 limits it, the watchdog its time",
    ),
    "mute": Load(
        rest="head unit plays",
        use="head unit muted while voice is heard or spoken",
        left_on="head unit stays muted",
        frozen="as it was: the head unit may stay muted",
        safe="music is missing for seconds; no warning of the vehicle goes through TEL-MUTE (check this on yours)",
    ),
}
"""Every output of the board map."""


def states() -> str:
    """One table for each output."""
    return "\n".join(
        f"**`{signal}`** ({_where(signal)}). {LOADS[signal].safe[0].upper()}{LOADS[signal].safe[1:]}.\n\n"
        + table(("state", "pin", "load"), _rows(signal))
        for signal in OUTPUTS
    )


def boot_pull(number: int) -> str:
    """How the Pi itself pulls a pin until software says otherwise."""
    return "up" if number <= 8 else "down"


def _where(signal: str) -> str:
    number = Board().pin(signal)
    return "not fitted" if number is None else f"BCM {number}"


def _rows(signal: str) -> list[tuple[str, str, str]]:
    load = LOADS[signal]
    number = Board().pin(signal)
    if number is None:
        raise LookupError(f"{signal} is not fitted on the standard board")
    resistor = "the base" if signal == "mute" else "the gate"
    volts = v.VCC_MAX * v.GATE_DOWN / (v.GATE_DOWN + v.PULL_MIN)
    pulled = (
        f"input, pulled up: {volts:.2f} V at {resistor} at most"
        if boot_pull(number) == "up"
        else "input, pulled down by Pi and circuit"
    )
    cells = (
        (pulled, load.rest),
        ("driven low at once", load.rest),
        ("driven", load.use),
        ("driven low, then let go", load.rest),
        ("input at once: the pull-down holds it", load.rest),
        ("as it was, until systemd runs `ptt-gateway outputs-off`: about 1 s", load.left_on + " for about 1 s"),
        (
            "as it was, until systemd's watchdog kills it: 10 s at most; then as killed",
            load.left_on + " for 10 s at most",
        ),
        ("as it was, until the hardware watchdog restarts the Pi: 15 s; then as at boot", load.frozen),
        ("0 V", f"{load.rest}: nothing feeds it"),
    )
    return [(state, pin, seen) for state, (pin, seen) in zip(STATES, cells, strict=True)]
