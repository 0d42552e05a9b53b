"""Pictures of the practice office's pages, for the documents: a headless Chromium looks on while the office works."""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

from dispatch.history.day import local, zone
from lab.office import OFFICE
from lab.office_day.member import Member
from lab.office_day.office import PracticeOffice
from lab.office_day.people import DISPATCHER
from lab.process import LabFailed
from lab.texts import Texts

WIDE: Final = (1180, 900)
PHONE: Final = (390, 844)
SETTLE_S: Final = 60.0
"""So long the office works before the first picture: telemetry, presses and answers are to be there."""
MOMENT_S: Final = 240.0
"""A picture that wants a moment waits for it at most so long."""
LOAD_MS: Final = 30_000
COLOURS: Final = 128
ARGUMENTS: Final = ("--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")


class Live(Protocol):
    """The office's present."""

    @property
    def members(self) -> Mapping[str, Member]:
        """All, by user."""

    def on_end(self, check: Callable[[], None]) -> None:
        """Have this called behind the last turn; it may raise."""

    def stop(self) -> None:
        """End it."""


class Camera:
    """Takes all pictures in a thread of its own, and then ends the office's present."""

    def __init__(self, office: PracticeOffice, folder: Path, texts: Texts) -> None:
        self._office, self._folder, self._texts = office, folder, texts
        self._error: Exception | None = None
        self._live: Live

    def attend(self, live: Live) -> None:
        """Begin; what goes wrong is raised once the present has ended, as LabFailed."""
        self._live = live
        live.on_end(self._check)
        threading.Thread(target=self._run, name="camera", daemon=True).start()

    def _check(self) -> None:
        if self._error is not None:
            raise LabFailed(f"the pictures could not be taken: {self._error}") from self._error

    def _run(self) -> None:
        try:
            self._take_all()
        except (Error, LabFailed, OSError) as error:
            self._error = error
        finally:
            self._live.stop()

    def _take_all(self) -> None:
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if program is None:
            raise LabFailed("there is no Chromium -> apt install chromium")
        self._folder.mkdir(parents=True, exist_ok=True)
        time.sleep(SETTLE_S)
        with ExitStack() as stack:
            playwright = stack.enter_context(sync_playwright())
            browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
            stack.callback(browser.close)
            korean = self._signed_in(browser, "ko-KR", WIDE)
            english = self._signed_in(browser, "en-GB", WIDE)
            phone = self._signed_in(browser, "ko-KR", PHONE)
            self._moment((korean, english, phone), "alert", _alert_shown)
            self._moment((korean,), "speaker", _speaker_shown)
            self._shoot(korean, "office-ko")
            self._moment((english,), "speaker", _speaker_shown)
            self._shoot(english, "office")
            self._moment((phone,), "speaker", _speaker_shown)
            self._shoot(phone, "office-phone-ko")
            user = max((m for m in self._live.members.values() if m.person.vehicle), key=_told).person.user
            for path, name in ((f"/vehicle/{user}", "vehicle"), ("/kpi", "kpi"), ("/history", "history")):
                for page, ending in ((korean, "-ko"), (english, "")):
                    self._open(page, path)
                    page.wait_for_timeout(2500)
                    self._shoot(page, f"{name}{ending}")
            for page, name in ((korean, "console-ko"), (english, "console")):
                self._console(page, name)
            self._report(browser)

    def _signed_in(self, browser: Browser, locale: str, size: tuple[int, int]) -> Page:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(ignore_https_errors=True, locale=locale, viewport=viewport)  # type: ignore[arg-type]
        context.set_default_timeout(LOAD_MS)
        page = context.new_page()
        page.goto(f"{self._office.origin}/")
        page.fill('input[name="login"]', self._office.login(DISPATCHER))
        page.fill('input[name="secret"]', self._office.secrets[DISPATCHER].reveal())
        page.keyboard.press("Enter")
        page.wait_for_selector('#line[data-state="up"]')
        return page

    def _moment(self, pages: tuple[Page, ...], what: str, shown: Callable[[Page], bool]) -> None:
        deadline = time.monotonic() + MOMENT_S
        while not all(shown(page) for page in pages):
            if time.monotonic() > deadline:
                raise LabFailed(f"no {what} is to be seen within {MOMENT_S:.0f} s")
            pages[0].wait_for_timeout(100)

    def _console(self, page: Page, name: str) -> None:
        self._open(page, "/console")
        page.click("#begin")
        page.wait_for_selector('.ptt:not([data-floor="off"])')
        self._moment((page,), "speaker", self._somebody_speaks)
        self._shoot(page, name)
        page.goto(f"{self._office.origin}/")  # one console of a user at a time

    def _open(self, page: Page, path: str) -> None:
        answer = page.goto(f"{self._office.origin}{path}")
        if answer is None or not answer.ok:
            raise LabFailed(f"{path} answers {None if answer is None else answer.status}; see web.log")

    def _somebody_speaks(self, page: Page) -> bool:
        said = page.text_content("#speaker") or ""
        return any(person.name in said for person in self._office.people)

    def _report(self, browser: Browser) -> None:
        """Of yesterday, which is whole."""
        settings = self._office.settings
        day = local(time.time_ns() // 1_000_000, zone(settings.time_zone)).date() - timedelta(days=1)
        made = self._folder / ".report"
        try:
            command = ("report", "--day", day.isoformat(), "--out", str(made), "--lang", "ko", "--office", str(OFFICE))
            self._office.command(*command)
            page = browser.new_page(viewport={"width": 900, "height": 1270})
            page.goto((made / OFFICE.region / OFFICE.office / f"{day}.html").absolute().as_uri())
            self._shoot(page, "report-ko")
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _shoot(self, page: Page, name: str) -> None:
        path = self._folder / f"{name}.png"
        path.write_bytes(small(page.screenshot()))
        print(self._texts.line("picture", path=path, kb=round(path.stat().st_size / 1000)), flush=True)


def small(png: bytes) -> bytes:
    """Give the same picture with a palette of COLOURS: pages have few."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS).save(out, "PNG", optimize=True)
    return out.getvalue()


def _alert_shown(page: Page) -> bool:
    return page.query_selector("#alerts li:not(.none)") is not None


def _speaker_shown(page: Page) -> bool:
    talked = page.query_selector("#talked")
    return talked is not None and (talked.text_content() or "").strip() not in ("", "–")


def _told(member: Member) -> int:
    return member.counts.presses
