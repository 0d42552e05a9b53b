"""Everything that is fitted, opened in one place, and safe at start, at stop and at most deaths.

Outputs open first and are off from that moment; inputs after them. What cannot be had (another program holds its
pin) is gone without and told in `Panel.missing`; without `ptt` alone there is no panel. `safe` and `close` run at
an ordinary exit too (atexit). On SIGTERM the process's own handler must come to `close`. After SIGKILL nothing of
ours runs: the kernel takes the pins back. With `dtparam=strict_gpiod` it makes them inputs, and the pull-downs of
docs/wiring.md hold every gate off; without it Raspberry Pi's kernel leaves them as they were driven
(`hw.hardware.outputs_persist` tells), until the next start or `hw.hardware.outputs_off`.
"""

from __future__ import annotations

import atexit
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from gpiozero import GPIOPinInUse

from hw.board import INPUTS, OUTPUTS, Board, describe_pin
from hw.button import PttButton
from hw.buzzer import Buzzer
from hw.errors import HardwareError
from hw.leds import Led, StatusLeds
from hw.motor import VibrationMotor
from hw.mute import MuteLine

T = TypeVar("T")
PTT: Final = "ptt"

OnEdge = Callable[[str, bool, float], None]
"""Called as (signal, active, at_s) on a driver's thread, at_s from time.monotonic(); must only enqueue."""


class _Output(Protocol):
    def set(self, value: Any, /) -> None: ...
    def value(self) -> float: ...
    def close(self) -> None: ...


class Panel:
    """The driver's panel: inputs by `level`, outputs as attributes or None where not fitted or missing."""

    def __init__(
        self,
        board: Board,
        inputs: dict[str, PttButton],
        outputs: dict[str, _Output],
        missing: dict[str, HardwareError] | None = None,
    ) -> None:
        self.board = board
        self.missing = missing or {}
        """Fitted signals that could not be had, and why; they are as if they were not fitted."""
        self._inputs = inputs
        self._outputs = outputs
        self._closed = False
        motor, buzzer, mute = outputs.get("motor"), outputs.get("buzzer"), outputs.get("mute")
        self.motor = motor if isinstance(motor, VibrationMotor) else None
        self.buzzer = buzzer if isinstance(buzzer, Buzzer) else None
        self.mute = mute if isinstance(mute, MuteLine) else None
        self.leds = StatusLeds({name: output for name, output in outputs.items() if isinstance(output, Led)})

    @classmethod
    def open(cls, board: Board, factory: Any, on_edge: OnEdge) -> Panel:
        """Open all fitted signals on a factory, outputs off.

        One that cannot be had stands in `missing` with its error, which names the signal, its pin and the mend.
        Raises that error for `ptt`; what was opened before is closed again, safely. Edges may come before this
        returns.
        """
        inputs: dict[str, PttButton] = {}
        outputs: dict[str, _Output] = {}
        missing: dict[str, HardwareError] = {}
        with ExitStack() as opened:
            for signal in board.fitted(OUTPUTS):
                try:
                    outputs[signal] = _open(board, signal, partial(_open_output, board, signal, factory))
                except HardwareError as error:
                    missing[signal] = error.with_traceback(None)
                else:
                    opened.callback(outputs[signal].close)
            for signal in board.fitted(INPUTS):
                try:
                    inputs[signal] = _open(board, signal, partial(_open_input, board, signal, factory, on_edge))
                except HardwareError as error:
                    if signal == PTT:
                        raise
                    missing[signal] = error.with_traceback(None)
                else:
                    opened.callback(inputs[signal].close)
            opened.pop_all()
        panel = cls(board, inputs, outputs, missing)
        atexit.register(panel.close)
        return panel

    def level(self, signal: str) -> bool:
        """Whether a fitted input is active now, as its pin says. Raises KeyError for one not fitted or missing."""
        return self._inputs[signal].level()

    def levels(self) -> dict[str, float]:
        """All signals that were had: inputs 0.0 or 1.0 (active), outputs 0.0 to 1.0 (their drive)."""
        read = {signal: float(button.level()) for signal, button in self._inputs.items()}
        return read | {signal: output.value() for signal, output in self._outputs.items()}

    def safe(self) -> None:
        """All outputs off: motor still, buzzer silent, lights dark, mute released. Idempotent.

        Every output is tried; what failed is raised after that.
        """
        with ExitStack() as stack:
            if not self._closed:
                for output in self._outputs.values():
                    stack.callback(output.set, 0)

    def close(self) -> None:
        """`safe`, then release every pin, inputs first. Idempotent; every pin is tried before an error is raised."""
        if self._closed:
            return
        atexit.unregister(self.close)
        with ExitStack() as stack:  # runs from its last to its first
            stack.callback(setattr, self, "_closed", True)
            for output in self._outputs.values():
                stack.callback(output.close)
            for button in self._inputs.values():
                stack.callback(button.close)
            stack.callback(self.safe)


def _open_output(board: Board, signal: str, factory: Any) -> _Output:
    pin = board.pin(signal)
    assert pin is not None
    match signal:
        case "motor":
            return VibrationMotor(pin, board, factory)
        case "buzzer":
            return Buzzer(pin, board, factory)
        case "mute":
            return MuteLine(pin, board, factory)
    return Led(signal, pin, board, factory)


def _open_input(board: Board, signal: str, factory: Any, on_edge: OnEdge) -> PttButton:
    pin = board.pin(signal)
    assert pin is not None
    pull = getattr(board.pull, signal)
    return PttButton(
        pin, active=board.active_level(signal), pull=pull, factory=factory, on_edge=partial(on_edge, signal)
    )


def _open(board: Board, signal: str, make: Callable[[], T]) -> T:
    pin = board.pin(signal)
    assert pin is not None
    where = f"{signal} on {describe_pin(pin)}"
    try:
        return make()
    except HardwareError:
        raise
    except GPIOPinInUse as error:
        raise HardwareError(f"{where} is already open in this process", "open one panel at a time") from error
    except Exception as error:  # each pin library has error types of its own
        # gpiozero keeps a pin reserved while its half-made device lives, and the error's frames keep that alive
        traceback.clear_frames(error.__traceback__)
        if "busy" in str(error).lower():
            mend = f"another program or a device-tree overlay holds it: see gpioinfo, or move pins.{signal}"
            raise HardwareError(f"{where} is busy ({error})", mend) from error
        mend = f'check the wiring and the overlays in config.txt, or set pins.{signal} = "none"'
        raise HardwareError(f"{where} cannot be opened ({error})", mend) from error
