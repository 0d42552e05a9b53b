"""The cab itself: pages on one side, vehicles on the other, and fingers between them. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from hw.board import INPUTS
from lab.cab.fingers import Fingers
from lab.cab.pages import Page, Pages
from lab.cab.unit import Unit, UnitFailed
from lab.cab.words import (
    BEAT_S,
    SILENT_S,
    Beat,
    CarHello,
    Choose,
    Chosen,
    FromPage,
    Hello,
    LetGo,
    Pin,
    Press,
    Release,
    Sentence,
    Trouble,
    decode,
    encode,
    sound_frame,
)
from lab.docs.driver_card_words import EVENTS
from lab.measure.sound import RATE_HZ

LISTEN_S: Final = 0.01
STATUS_S: Final = 0.2
CHECK_S: Final = 0.25


class Cab:
    """For one event loop: `run` beside the server, `join`, `hear` and `leave` for each page."""

    def __init__(self, units: Sequence[Unit], sentences: Sequence[Sentence], lang: str) -> None:
        self._units = {unit.car.user: unit for unit in units}
        self._sentences = tuple(sentences)
        self._lang = lang
        self._pages = Pages()
        self._fingers = Fingers()

    async def run(self) -> None:
        """Watch, listen and look for pages that fell silent, until it is cancelled."""
        for unit in self._units.values():
            unit.start(self._pages.tell)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="ears")
            tasks.create_task(self._check(), name="silent-pages")
            for unit in self._units.values():
                tasks.create_task(self._ask(unit), name=f"status-{unit.car.user}")

    def join(self) -> Page | None:
        """A page is there: it is greeted; None where there are too many."""
        page = self._pages.add(time.monotonic())
        if page is not None:
            page.send(encode(self._hello()))
        return page

    async def hear(self, page: Page, line: str) -> None:
        """Do what a page says; what cannot be done is told to it."""
        page.heard_s = time.monotonic()
        try:
            await self._do(page, decode(line))
        except (ValueError, UnitFailed) as error:
            page.send(encode(Trouble(text=str(error))))

    async def leave(self, page: Page) -> None:
        """A page is gone, however: whatever it held is released."""
        self._pages.remove(page)
        await self._let_go(page)

    def farewell(self) -> None:
        """The cab ends: so do the pages."""
        for page in self._pages:
            page.end()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _hello(self) -> Hello:
        cars = tuple(
            CarHello(
                user=unit.car.user,
                name=unit.car.name,
                inputs=tuple(signal for signal in INPUTS if signal in unit.levels),
                sentence=unit.mouth.chosen,
                levels=dict(unit.levels),
            )
            for unit in self._units.values()
        )
        return Hello(
            lang=self._lang,
            rate_hz=RATE_HZ,
            beat_s=BEAT_S,
            sentences=self._sentences,
            answers={told.value: {"ko": words.ko, "en": words.en} for told, words in EVENTS.items()},
            cars=cars,
        )

    async def _do(self, page: Page, said: FromPage) -> None:
        match said:
            case Beat():
                pass
            case Choose(car=user, sentence=sentence):
                self._unit(user).mouth.choose(sentence)
                self._pages.tell(Chosen(car=user, sentence=sentence))
            case Press(car=user, signal=signal):
                unit = self._input(user, signal)
                if self._fingers.down(page.number, (user, signal)):
                    await self._press(page, unit, signal)
            case Release(car=user, signal=signal):
                unit = self._input(user, signal)
                if self._fingers.up(page.number, (user, signal)):
                    await self._release(unit, signal)

    async def _press(self, page: Page, unit: Unit, signal: str) -> None:
        try:
            mute = await unit.press(signal)
        except UnitFailed:
            self._fingers.up(page.number, (unit.car.user, signal))
            self._moved(unit, signal, 0.0)
            raise
        self._moved(unit, signal, 1.0)
        if mute:
            page.send(encode(Trouble(text=mute)))

    async def _release(self, unit: Unit, signal: str) -> None:
        try:
            await unit.release(signal)
        finally:
            self._moved(unit, signal, 0.0)

    def _moved(self, unit: Unit, signal: str, level: float) -> None:
        unit.levels[signal] = level
        self._pages.tell(Pin(car=unit.car.user, signal=signal, level=level))

    async def _let_go(self, page: Page) -> None:
        released = [self._release(self._units[user], signal) for user, signal in self._fingers.gone(page.number)]
        for end in await asyncio.gather(*released, return_exceptions=True):
            if isinstance(end, UnitFailed):  # the vehicle is gone, and with it its buttons
                page.send(encode(Trouble(text=str(end))))
            elif end is not None:
                raise end

    def _unit(self, user: str) -> Unit:
        if user not in self._units:
            raise ValueError(f"there is no vehicle {user[:40]!r}")
        return self._units[user]

    def _input(self, user: str, signal: str) -> Unit:
        unit = self._unit(user)
        if signal not in INPUTS:
            raise ValueError(f"there is no input {signal[:40]!r}")
        return unit

    async def _listen(self) -> None:
        while True:
            for place, unit in enumerate(self._units.values()):
                pcm = unit.ear.listen()
                if pcm:
                    self._pages.sound(sound_frame(place, pcm))
            await asyncio.sleep(LISTEN_S)

    async def _ask(self, unit: Unit) -> None:
        told = None
        greeted = 0
        while True:
            if len(self._pages):
                status = await unit.status()
                mute = await unit.microphone(status.sends)
                if mute:
                    self._pages.tell(Trouble(text=mute))
                if status != told or self._pages.greeted != greeted:
                    told, greeted = status, self._pages.greeted
                    self._pages.tell(status)
            await asyncio.sleep(STATUS_S)

    async def _check(self) -> None:
        while True:
            now = time.monotonic()
            for page in self._pages:
                if now - page.heard_s > SILENT_S and self._fingers.holds(page.number):
                    page.send(encode(LetGo()))
                    await self._let_go(page)
            await asyncio.sleep(CHECK_S)
