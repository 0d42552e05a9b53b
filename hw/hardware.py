"""The whole hardware of one vehicle as its configuration names it, opened and closed as one."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from hw.board import INPUTS, OUTPUTS, Board
from hw.factory import FactoryName, open_factory
from hw.panel import OnEdge, Panel
from hw.pin_server import PinServer
from service.settings import Fault, Invalid, load


class HardwareSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hardware part of a gateway's configuration. `factory` has no default: a vehicle's pins are named."""

    factory: Annotated[FactoryName, Meta(description="Library that drives the pins; virtual has no hardware")]
    board: Annotated[
        Board | None, Meta(description="Wiring, given here; without this or board_file the standard one")
    ] = None
    board_file: Annotated[Path | None, Meta(description="Wiring, in a TOML file of its own (see hw/boards)")] = None
    pins_socket: Annotated[Path | None, Meta(description="Unix socket that serves virtual pins (virtual only)")] = None
    held: Annotated[tuple[str, ...], Meta(description="Inputs that are active from the start (virtual only)")] = ()
    work_dir: Annotated[Path | None, Meta(description="Writable directory for lgpio's files")] = None

    def __post_init__(self) -> None:
        faults: list[Fault] = []
        virtual = self.factory == "virtual"
        if virtual and self.pins_socket is None:
            faults.append(Fault("pins_socket", "is missing", "name the socket that serves the virtual pins"))
        if not virtual and self.pins_socket is not None:
            faults.append(
                Fault("pins_socket", f"is of no use with {self.factory}", 'remove it, or use factory = "virtual"')
            )
        if not virtual and self.held:
            faults.append(Fault("held", f"is of no use with {self.factory}", "remove it"))
        if unknown := [name for name in self.held if name not in INPUTS]:
            faults.append(Fault("held", f"names no input: {', '.join(unknown)}", f"use {', '.join(INPUTS)}"))
        if self.board is not None and self.board_file is not None:
            faults.append(Fault("board_file", "stands beside a [board] table", "keep one of the two"))
        if faults:
            raise Invalid(*faults)

    def wiring(self) -> Board:
        """The board map these settings name. Raises SettingsError for a board file that cannot be used."""
        if self.board_file is not None:
            return load(self.board_file, Board)
        return self.board or Board()


class Hardware:
    """An open panel, and with virtual pins the server that moves them."""

    def __init__(self, panel: Panel, pin_server: PinServer | None, stack: ExitStack) -> None:
        self.panel = panel
        self.pin_server = pin_server
        self._stack = stack

    def close(self) -> None:
        """The server ends, outputs go off, pins are released, the factory closes; idempotent."""
        self._stack.close()


def open_hardware(settings: HardwareSettings, on_edge: OnEdge) -> Hardware:
    """Open what the settings name, outputs off. Raises HardwareError or SettingsError; nothing stays open then.

    A pin server answers only after the panel is open, so that no press is lost at the start.
    """
    board = settings.wiring()
    with ExitStack() as opened:
        factory = open_factory(settings.factory, board, work_dir=settings.work_dir, held=settings.held)
        opened.callback(factory.close)
        panel = Panel.open(board, factory, on_edge)
        opened.callback(panel.close)
        server = None
        if settings.pins_socket is not None:
            server = PinServer.open(settings.pins_socket, board, factory)
            opened.callback(server.close)
        return Hardware(panel, server, opened.pop_all())
    raise AssertionError("an ExitStack swallows nothing")


def outputs_off(settings: HardwareSettings) -> None:
    """Drive every output off once and let go of the pins: for after a process that was killed.

    Nothing to do for virtual pins, which end with their process. Raises HardwareError or SettingsError; HardwareError
    for an output that cannot be had too, after the others are off.
    """
    if settings.factory != "virtual":
        hardware = open_hardware(settings, lambda signal, active, at_s: None)
        hardware.close()
        for signal, error in hardware.panel.missing.items():
            if signal in OUTPUTS:
                raise error


def outputs_persist(modules: Path = Path("/sys/module")) -> bool | None:
    """Whether this kernel leaves outputs driven when the process that drove them is killed; None where it does not say.

    Raspberry Pi's kernels do unless config.txt has `dtparam=strict_gpiod` (raspberrypi/linux pull requests 6117
    and 6150: module parameter persist_gpio_outputs of the pin control drivers).
    """
    said = [path.read_text().strip() for path in modules.glob("pinctrl_*/parameters/persist_gpio_outputs")]
    return any(word in ("Y", "1") for word in said) if said else None
