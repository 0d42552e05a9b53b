"""One vehicle of the cab: its pins by their own socket, its microphone, its speaker, and what it says of itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from gateway.status_client import Unreachable
from hw.errors import HardwareError
from hw.virtual_client import VirtualPins
from lab.cab.ear import Ear
from lab.cab.mouth import Mouth
from lab.cab.words import Pin, Status
from lab.demo.tape import TooLate
from lab.demo.world import Car
from protocol.messages import Lifecycle

T = TypeVar("T")
PTT: Final = "ptt"
EMERGENCY: Final = "emergency"
AGAIN_S: Final = 0.5
WATCH_S: Final = 3600.0


class UnitFailed(Exception):
    """What was asked of the vehicle cannot be done; the text says why."""


class Unit:
    """For the event loop's thread; what blocks is done on two threads of its own, presses in their order."""

    def __init__(self, car: Car, mouth: Mouth) -> None:
        self.car = car
        self.mouth = mouth
        self.ear = Ear(car.played)
        self.levels: dict[str, float] = {}
        """Of every fitted pin, as last heard."""
        self._finger = ThreadPoolExecutor(1, f"finger-{car.user}")
        self._asking = ThreadPoolExecutor(1, f"status-{car.user}")
        self._pins: VirtualPins | None = None
        self._talks = self._called = self._hands_free = False
        """PTT is down; emergency was pressed since; the driver speaks with nothing held. The finger's thread's."""
        self._ended = threading.Event()

    def start(self, changed: Callable[[Pin], None]) -> None:
        """Watch the outputs from now on; `changed` is called in the loop's thread."""
        loop = asyncio.get_running_loop()

        def pass_on(pin: Pin) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: we are at the end
                loop.call_soon_threadsafe(take, pin)

        def take(pin: Pin) -> None:
            if self.levels.get(pin.signal) != pin.level or pin.hz:
                self.levels[pin.signal] = pin.level
                changed(pin)

        threading.Thread(target=self._watch, args=(pass_on,), name=f"pins-{self.car.user}", daemon=True).start()

    async def press(self, signal: str) -> str:
        """Drive an input's pin active; with PTT the driver begins to speak. Raises UnitFailed.

        Gives why the driver has no voice, empty where all is well.
        """
        return await self._on(self._finger, lambda: self._press(signal))

    async def release(self, signal: str) -> None:
        """Drive it inactive; the driver ends. Raises UnitFailed."""
        await self._on(self._finger, lambda: self._release(signal))

    async def microphone(self, is_open: bool) -> str:
        """Follow whether the vehicle sends: in an emergency its driver speaks with nothing held.

        Gives why the driver has no voice, empty where all is well.
        """
        return await self._on(self._finger, lambda: self._follow(is_open))

    async def status(self) -> Status:
        """Ask the vehicle."""
        return await self._on(self._asking, self._status)

    def close(self) -> None:
        """End; what runs on threads is waited for."""
        self._ended.set()
        self._finger.shutdown()
        self._asking.shutdown()
        if self._pins is not None:
            self._pins.close()
        self.ear.close()

    # --- on threads ---------------------------------------------------------------------------------------------------

    @staticmethod
    async def _on(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    def _press(self, signal: str) -> str:
        self._drive(lambda pins: pins.press(signal))
        if signal == EMERGENCY:
            self._called = True
        if signal != PTT:
            return ""
        self._talks, self._called, self._hands_free = True, False, False
        return self._speak()

    def _release(self, signal: str) -> None:
        try:
            self._drive(lambda pins: pins.release(signal))
        finally:
            if signal == PTT:
                self._talks = False
                self._hush()

    def _follow(self, is_open: bool) -> str:
        speaks = is_open and self._called and not self._talks
        if speaks == self._hands_free:
            return ""
        self._hands_free = self._called = speaks
        if speaks:
            return self._speak()
        self._hush()
        return ""

    def _speak(self) -> str:
        try:
            self.mouth.speak(self.ear.path)
        except (TooLate, OSError, ValueError, KeyError) as error:
            return f"{self.car.user} is pressed, but its driver cannot speak: {error}"
        return ""

    def _hush(self) -> None:
        with contextlib.suppress(OSError):  # the tape is gone with the world
            self.mouth.hush()

    def _drive(self, work: Callable[[VirtualPins], object]) -> None:
        """Over a connection that is made anew where a vehicle was started again."""
        for _ in range(2):
            try:
                if self._pins is None:
                    self._pins = VirtualPins(self.car.pins)
                work(self._pins)
            except HardwareError as error:
                why = error
                if self._pins is not None:
                    self._pins.close()
                    self._pins = None
            else:
                return
        raise UnitFailed(str(why)) from why

    def _watch(self, changed: Callable[[Pin], None]) -> None:
        user = self.car.user

        def begin(pins: VirtualPins) -> None:
            for signal, level in pins.levels().items():
                changed(Pin(car=user, signal=signal, level=level))

        while not self._ended.is_set():
            with contextlib.suppress(HardwareError), VirtualPins(self.car.pins) as pins:
                for change in pins.watch(WATCH_S, lambda: begin(pins)):
                    changed(Pin(car=user, signal=change.signal, level=change.level, hz=change.hz))
            self._ended.wait(AGAIN_S)

    def _status(self) -> Status:
        try:
            return read_status(self.car.user, self.car.status())
        except (Unreachable, OSError):
            return Status(car=self.car.user, alive=False)


def read_status(user: str, status: dict[str, Any]) -> Status:
    """Give what the page shows of a vehicle's status."""
    session = status["session"] or {}
    speaker = session.get("current_speaker") or "" if session.get("active") else ""
    newest = (status["presses"] or [{}])[-1]
    return Status(
        car=user,
        alive=True,
        link=bool(status["link"]["up"]),
        floor=str(status["device"]["floor"]),
        sends=bool(status["transmitting"]),
        focus=str(status["device"]["focus"]),
        asleep=status["device"]["lifecycle"] == Lifecycle.PARKED,
        speaker=str(session.get("speaker_name") or speaker) if speaker else "",
        speaks=speaker == user,
        press_no=int(newest.get("press_no") or 0),
        answer=str(newest.get("last") or newest.get("answer") or ""),
    )
