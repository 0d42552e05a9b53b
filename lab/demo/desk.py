"""The call manager's console in the demo: the real page in a headless Chromium, with a key to hold.

The browser belongs to a thread of its own, which passes on what the page shows while nobody asks for anything.
"""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from contextlib import suppress as suppressed
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TypeVar

from msgspec import Struct
from playwright.sync_api import Error, Page, sync_playwright

from lab.demo.desk_sound import PROGRAMS, DeskSound
from lab.process import LabFailed
from service.settings import Secret

T = TypeVar("T")

CHROMIUMS: Final = ("chromium", "chromium-browser", "google-chrome")
KEY: Final = "Space"
START_S = 60.0
ANSWER_S = 20.0
PUMP_MS = 40
"""So often the page's news are passed on while nobody asks for anything."""
LOCALES: Final = {"ko": "ko-KR", "en": "en-US"}
ARGUMENTS: Final = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",  # who would be asked for the microphone
    "--audio-buffer-size=1024",  # 21 ms: on a busy machine less runs dry, and what a microphone gives meanwhile is lost
    "--autoplay-policy=no-user-gesture-required",
)

TELL = """
const told = (name, value, at) => globalThis.demoTold?.(name, value, performance.timeOrigin + at);
for (const name of ["keydown", "keyup"]) {
  addEventListener(name, (event) => event.repeat || told(name, event.code, event.timeStamp), true);
}
new MutationObserver((records) => {
  for (const { target, attributeName } of records) {
    const name = `${target.id} ${attributeName.slice(5)}`;
    if (["ptt floor", "speaker user", "speaker sounding"].includes(name)) {
      told(name, target.getAttribute(attributeName) ?? "", performance.now());
    }
  }
}).observe(document, { subtree: true, attributeFilter: ["data-floor", "data-user", "data-sounding"] });
"""
"""What the page is watched by: keys as they reach it, and what it shows, by the browser's own clock (Unix ms)."""


class Shown(Struct, frozen=True):
    """Something that happened at the page: keydown, keyup, "ptt floor", "speaker user", "speaker sounding"."""

    at_s: float
    """CLOCK_MONOTONIC."""
    name: str
    value: str


def lacking(which: Callable[[str], str | None] = shutil.which) -> str:
    """Say what a console in the demo would need and this machine has not; empty where it has all."""
    needed = ("" if any(which(name) for name in CHROMIUMS) else "chromium", *(p for p in PROGRAMS if not which(p)))
    return ", ".join(name for name in needed if name)


class Desk:
    """Entered, the page is signed in and its radio switched on. Raises LabFailed with what does not go.

    `folder`: of the browser's files; `changed` is called from another thread whenever something was `shown`.
    """

    def __init__(self, origin: str, login: str, secret: Secret, folder: Path, lang: str) -> None:
        self._origin, self._login, self._secret = origin, login, secret
        self._folder, self._lang = folder, lang
        self.sound = DeskSound(folder)
        self.shown: list[Shown] = []
        self.changed: Callable[[], object] = lambda: None
        self._asked: queue.Queue[tuple[Callable[[Page], Any], Future[Any]]] = queue.Queue()
        self._ready: Future[None] = Future()
        self._ended = threading.Event()
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
        self._stack = ExitStack()

    def __enter__(self) -> Desk:
        """Start sound and browser."""
        with ExitStack() as stack:
            self._folder.mkdir()
            stack.enter_context(self.sound)
            self._thread.start()
            stack.callback(self._leave)
            try:
                self._ready.result(START_S)
            except TimeoutError:
                raise LabFailed(f"the console's page is not ready within {START_S:.0f} s") from None
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End both."""
        self._stack.close()

    def check(self) -> None:
        """Raise LabFailed where the browser is gone, or the page complained of an error."""
        if self._trouble:
            raise LabFailed(f"the console's page: {self._trouble}")

    def hold(self) -> float:
        """Press the key; gives when the page saw it (monotonic s)."""
        return self._key("keydown", lambda page: page.keyboard.down(KEY))

    def let_go(self) -> float:
        """Release it; gives when the page saw it."""
        return self._key("keyup", lambda page: page.keyboard.up(KEY))

    def text(self, name: str) -> str:
        """Give what stands in one place of the page."""
        return self._ask(lambda page: page.inner_text(f"#{name}"))

    def since(self, name: str, values: Sequence[str], since_s: float) -> Shown | None:
        """Give the first thing of that name with one of those values at or after `since_s`."""
        return next((s for s in list(self.shown) if s.name == name and s.value in values and s.at_s >= since_s), None)

    def _key(self, name: Literal["keydown", "keyup"], act: Callable[[Page], None]) -> float:
        since_s = time.monotonic() - 0.01  # the browser's clock is read in whole ms
        self._ask(act)
        deadline = time.monotonic() + ANSWER_S
        while (seen := next((s for s in list(self.shown) if s.name == name and s.at_s >= since_s), None)) is None:
            self.check()
            if time.monotonic() > deadline:
                raise LabFailed(f"the console's page saw no {name}")
            time.sleep(0.002)
        return seen.at_s

    def _ask(self, what: Callable[[Page], T]) -> T:
        self.check()
        answer: Future[T] = Future()
        self._asked.put((what, answer))
        try:
            return answer.result(ANSWER_S)
        except TimeoutError:
            self.check()
            raise LabFailed(f"the console's page does not answer within {ANSWER_S:.0f} s") from None

    def _leave(self) -> None:
        self._ended.set()
        self._thread.join(ANSWER_S)

    # --- in the browser's thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with ExitStack() as stack:
                page = self._open(stack)
                self._ready.set_result(None)
                while not self._ended.is_set():
                    self._answer_all(page)
                    page.wait_for_timeout(PUMP_MS)
                with suppressed(Error):
                    page.close()  # leaves the office as people do
        except (Error, OSError, StopIteration) as error:
            self._complain(f"{type(error).__name__}: {error}")
            if not self._ready.done():
                self._ready.set_exception(LabFailed(f"the console's page does not come up: {error}"))

    def _answer_all(self, page: Page) -> None:
        while not self._asked.empty():
            what, answer = self._asked.get()
            try:
                answer.set_result(what(page))
            except Error as error:
                answer.set_exception(LabFailed(f"the console's page: {error}"))

    def _open(self, stack: ExitStack) -> Page:
        playwright = stack.enter_context(sync_playwright())
        environ: dict[str, Any] = self.sound.environ
        context = playwright.chromium.launch_persistent_context(
            self._folder / "chromium",
            executable_path=next(path for name in CHROMIUMS if (path := shutil.which(name))),
            args=list(ARGUMENTS),
            ignore_default_args=["--mute-audio"],
            env=environ,
            ignore_https_errors=True,  # as one who has not taken the office's own authority into the browser yet
            locale=LOCALES[self._lang],
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
        stack.callback(_close, context)
        context.set_default_timeout(ANSWER_S * 1000)
        context.expose_function("demoTold", self._told)
        page = context.pages[0]
        page.on("pageerror", lambda error: self._complain(str(error)))
        page.on("crash", lambda _: self._complain("it crashed"))
        page.goto(f"{self._origin}/")
        page.fill('input[name="login"]', self._login)
        page.fill('input[name="secret"]', self._secret.reveal())
        page.keyboard.press("Enter")
        page.wait_for_selector("nav")
        page.add_init_script(TELL)
        page.goto(f"{self._origin}/console")
        page.wait_for_selector("body[data-console=ready]")
        page.click("#begin")
        page.wait_for_selector('#level[data-microphone="ready"]', state="attached")
        page.wait_for_selector('#ptt[data-floor="idle"]')
        return page

    def _told(self, name: str, value: str, unix_ms: float) -> None:
        ahead_s = time.time() - time.monotonic()
        self.shown.append(Shown(unix_ms / 1000 - ahead_s, name, value))
        self.changed()

    def _complain(self, trouble: str) -> None:
        if not self._ended.is_set():
            self._trouble = self._trouble or trouble
            self.changed()


def _close(context: Any) -> None:
    with suppressed(Error):
        context.close()
