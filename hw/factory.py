"""Opening the pin factory the configuration names, or saying what to install, wire or allow.

gpiozero left to itself tries one library after another with only a warning; here the named one opens or
`HardwareError` is raised, never another in its place.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from gpiozero import GPIOZeroError, PinUnknownPi

from hw.board import Board, describe_pin
from hw.errors import HardwareError
from hw.virtual import VirtualFactory

FactoryName: TypeAlias = Literal["lgpio", "rpigpio", "virtual"]

_BENCH: Final = 'on a machine without pins use factory = "virtual"'


def open_factory(name: FactoryName, board: Board, *, work_dir: Path | None = None, held: tuple[str, ...] = ()) -> Any:
    """Open one gpiozero pin factory; close it with its own `close()`, after the panel on it.

    `lgpio`: any Pi on a current Pi OS. `rpigpio`: RPi.GPIO, for old Pis on kernels before 6.6; it proves at once
    that edges can be had on the PTT pin. `virtual`: pins without hardware (hw.virtual). `work_dir`: a writable
    directory for lgpio's notification files; by default $LG_WD, then $RUNTIME_DIRECTORY, then the temporary one.
    `held`: inputs of the virtual factory that are active from the start. Raises HardwareError.
    """
    match name:
        case "lgpio":
            return _open_lgpio(work_dir)
        case "rpigpio":
            return _open_rpigpio(board)
        case "virtual":
            return VirtualFactory(board, held=held)
    raise HardwareError(f"there is no pin factory named {name!r}", "use lgpio, rpigpio or virtual")


def _open_lgpio(work_dir: Path | None) -> Any:
    _set_work_dir(work_dir)
    module = _import("lgpio", "gpiozero.pins.lgpio", "install the apt package python3-lgpio")
    try:
        return module.LGPIOFactory()
    except PinUnknownPi as error:
        raise HardwareError("this machine is not a Raspberry Pi", _BENCH) from error
    except Exception as error:  # lgpio raises its own error type, known only once it is imported
        raise diagnose_chip(Path("/dev"), str(error)) from error


def _open_rpigpio(board: Board) -> Any:
    module = _import("RPi.GPIO", "gpiozero.pins.rpigpio", 'install the extra [rpi], or use factory = "lgpio"')
    try:
        factory = module.RPiGPIOFactory()
        factory.board_info  # noqa: B018  reads the Pi's revision, which fails elsewhere
    except PinUnknownPi as error:
        raise HardwareError("this machine is not a Raspberry Pi", _BENCH) from error
    except (RuntimeError, OSError) as error:
        mend = "let this user into the group gpio (usermod -aG gpio <user>), then start again"
        raise HardwareError(f"RPi.GPIO cannot reach the pins ({error})", mend) from error
    try:
        ptt = board.pin("ptt")
        _prove_edges(module.GPIO, 17 if ptt is None else ptt)
    except HardwareError:
        factory.close()
        raise
    return factory


def _prove_edges(gpio: Any, pin: int) -> None:
    """Register and drop one edge callback: RPi.GPIO cannot on kernels from 6.6, and would say so only later."""
    try:
        gpio.setup(pin, gpio.IN)
        gpio.add_event_detect(pin, gpio.BOTH)
        gpio.remove_event_detect(pin)
    except RuntimeError as error:
        what = f"RPi.GPIO cannot watch {describe_pin(pin)} on this kernel ({error})"
        raise HardwareError(what, 'use factory = "lgpio" (RPi.GPIO does not work from kernel 6.6 on)') from error
    finally:
        gpio.cleanup(pin)


def _import(library: str, module: str, mend: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise HardwareError(f"the library {library} is not installed ({error})", mend) from error
    except AttributeError as error:
        # pip finds only an empty lgpio 0.0.0.2 for a Python it has no wheel for
        raise HardwareError(f"the library {library} is not the real one ({error})", mend) from error
    except (RuntimeError, OSError, GPIOZeroError) as error:
        raise HardwareError(f"the library {library} does not start here ({error})", _BENCH) from error


def _set_work_dir(work_dir: Path | None) -> None:
    """Set LG_WD before lgpio's import, which writes `.lgd-nfy*` there and fails where it cannot."""
    chosen = work_dir or Path(
        os.environ.get("LG_WD")
        or os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]  # systemd lists several with colons
        or tempfile.gettempdir()
    )
    if not (chosen.is_dir() and os.access(chosen, os.W_OK | os.X_OK)):
        raise HardwareError(f"lgpio cannot write into {chosen}", "set its work directory to one this user may write")
    os.environ["LG_WD"] = str(chosen)


def diagnose_chip(devices: Path, said: str) -> HardwareError:
    """Say why no GPIO chip opened, from what stands in the directory of devices (/dev); `said`: lgpio's words."""
    chips = sorted(devices.glob("gpiochip*"))
    if not chips:
        what = f"there is no {devices}/gpiochip0: is this a Raspberry Pi?"
        return HardwareError(what, f"in a container or a unit, allow that device; {_BENCH}")
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        mend = "let this user into the group gpio (usermod -aG gpio <user>), then start again"
        return HardwareError(f"this user may not open {chips[0]}", mend)
    return HardwareError(f"{chips[0]} does not open ({said})", "see which program holds it: lsof " + str(chips[0]))
