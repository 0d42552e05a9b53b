"""The generated parts of docs/wiring.md: tables from the board map and the parts' values, and the drawings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from hw.board import HEADER_PINS, INPUTS, OUTPUTS, RESERVED, SIGNALS, Board
from lab.docs import wiring_power, wiring_states
from lab.docs.markdown import code, table
from lab.docs.wiring_circuits import CIRCUITS, WHAT, mute_high
from lab.docs.wiring_plugs import PLUGS, contact_of
from lab.docs.wiring_sheet import Sheet
from lab.docs.wiring_values import SUMS
from service.settings import load

ROOT: Final = Path(__file__).resolve().parents[2]

SHEETS: Final[dict[str, Callable[[], Sheet]]] = {
    **{signal.replace("_", "-"): partial(CIRCUITS[signal], signal) for signal in SIGNALS},
    "mute-high": mute_high,
    "supply": wiring_power.supply,
    "hold": wiring_power.hold,
    "timeout": wiring_power.timeout,
    "audio-out": wiring_power.audio_out,
    "microphone": wiring_power.microphone,
    "grounding": wiring_power.grounding,
}
"""Name of a drawing's file, without its ending -> what draws it."""


def pins() -> str:
    """The pin table of the standard board."""
    return _pins(Board())


def other_board() -> str:
    """The pin table of the board for codec HATs, and what differs from the standard one."""
    standard, other = Board(), load(ROOT / "hw/boards/i2s-codec.toml", Board)
    moved = [
        f"`{signal}` {standard.pin(signal)} → {other.pin(signal)}"
        for signal in SIGNALS
        if standard.pin(signal) != other.pin(signal)
    ]
    return f"Differs from the standard wiring: {', '.join(moved)}.\n\n{_pins(other)}"


def reserved() -> str:
    """Pins that no signal may have."""
    return table(("never use", "because it"), [(f"BCM {number}", why) for number, why in RESERVED.items()])


def inputs() -> str:
    """The drawings of all inputs."""
    return _drawings(INPUTS)


def outputs() -> str:
    """The drawings of all outputs, with the mute line's second form."""
    return f"{_drawings(OUTPUTS)}\n{picture('mute-high')}\n"


def sums() -> str:
    """The worst cases."""
    return table(
        ("circuit", "worst case of", "value", "bound"),
        [
            (
                one.circuit.replace("_", " "),
                one.what,
                f"{one.value:.3g} {one.unit}",
                " and ".join(
                    f"{word} {bound:.3g} {one.unit}"
                    for word, bound in (("at least", one.at_least), ("at most", one.at_most))
                    if bound is not None
                ),
            )
            for one in SUMS
        ],
    )


def plugs() -> str:
    """Connectors and cables."""
    return "\n".join(
        f"**{plug.name}, {plug.goes_to}.** {plug.kind}. Cable: {plug.cable}.\n\n"
        + table(
            ("contact", "carries", "signal", "wire", "note"),
            [
                (f"{plug.name}-{number}", one.carries, f"`{one.signal}`" if one.signal else "", one.wire, one.note)
                for number, one in enumerate(plug.contacts, 1)
            ],
        )
        for plug in PLUGS
    )


def levels() -> str:
    """The command that reads every input, and what it prints at rest."""
    board = Board()
    numbers = ",".join(str(board.pin(signal)) for signal in INPUTS)
    rest = "\n".join(f"# BCM {board.pin(signal)}: hi while {_at_rest(signal)}" for signal in INPUTS)
    return code(f"pinctrl get {numbers}\n{rest}", "sh")


def drive() -> str:
    """The commands that drive each output for a moment, without the daemon."""
    board = Board()
    lines = [
        f"pinctrl set {board.pin(signal)} op dh; sleep 1; pinctrl set {board.pin(signal)} ip pn    # {WHAT[signal]}"
        for signal in OUTPUTS
    ]
    return code("\n".join(lines), "sh")


def picture(name: str) -> str:
    """A drawing as Markdown, with its description for whoever cannot see it."""
    sheet = SHEETS[name]()
    return f"![{sheet.title}. {sheet.description}](wiring/{name}.svg)"


def power(name: str) -> Callable[[], str]:
    """Give what makes the part that is one drawing."""
    return lambda: picture(name)


def _svg(name: str) -> str:
    return SHEETS[name]().svg()


def _drawings(signals: tuple[str, ...]) -> str:
    return "\n".join(
        f"**`{signal}`**: {WHAT[signal]}, {contact_of(signal)}.\n\n{picture(signal.replace('_', '-'))}\n"
        for signal in signals
    )


def _pins(board: Board) -> str:
    rows = []
    for signal in board.fitted():
        number = board.pin(signal) or 0
        way = "in" if signal in INPUTS else "out"
        row = (f"`{signal}`", str(number), str(HEADER_PINS[number]), way, board.active_level(signal))
        rows.append(
            (
                *row,
                getattr(board.pull, signal, "none"),
                wiring_states.boot_pull(number),
                contact_of(signal),
                WHAT[signal],
            )
        )
    return table(("signal", "BCM", "header", "direction", "active", "pull", "at boot", "contact", "what it is"), rows)


def _at_rest(signal: str) -> str:
    return "not pressed" if signal in ("ptt", "emergency", "replay") else f"{WHAT[signal]} is off"


PARTS: Final[dict[str, Callable[[], str]]] = {
    "pins": pins,
    "reserved": reserved,
    "inputs": inputs,
    "outputs": outputs,
    "states": wiring_states.states,
    "plugs": plugs,
    "supply": power("supply"),
    "hold": power("hold"),
    "timeout": power("timeout"),
    "grounding": power("grounding"),
    "audio-out": power("audio-out"),
    "microphone": power("microphone"),
    "sums": sums,
    "other-board": other_board,
    "levels": levels,
    "drive": drive,
}
"""Part of docs/wiring.md -> what makes it."""

FILES: Final[dict[str, Callable[[], str]]] = {f"docs/wiring/{name}.svg": partial(_svg, name) for name in SHEETS}
"""Drawing, as a path from the repository's root -> what makes it."""
