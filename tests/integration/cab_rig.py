"""A running cab: its pins and page, what a page has seen, and what its server says to one without a browser."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from playwright.sync_api import Page
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from hw.virtual_client import VirtualPins
from lab.measure.sound import Sound, from_int16
from tests.integration.test_demo import processes_in
from tests.support.procs import ROOT, Daemons, eventually

PICTURES = ROOT / "build" / "cab"
"""The pictures of docs/cab.md are copies of these."""
WAIT_MS = 8000
SEEN = """
window.seen = [];
new MutationObserver((changes) => {
  for (const { target, attributeName } of changes) {
    const car = target.closest?.(".car");
    if (!car) continue;
    const value = target.getAttribute(attributeName);
    const moves = getComputedStyle(car).animationName;
    window.seen.push([car.id, target.className.split(" ").at(-1), attributeName, value, moves]);
  }
}).observe(document, {
  subtree: true, attributes: true, attributeFilter: ["data-motor", "data-colour", "data-on", "data-hz"],
});
"""


class Running(Struct, frozen=True):
    """A cab: its page, and the folder of its vehicles."""

    url: str
    folder: Path
    pid: int

    def pins(self, user: str) -> Path:
        return next(self.folder.glob(f"ptt-demo-*/{user}/pins.sock"))

    def level(self, user: str, name: str = "ptt") -> float:
        with VirtualPins(self.pins(user)) as pins:
            return pins.levels()[name]


@contextlib.contextmanager
def running() -> Iterator[Running]:
    """Run `make cab` in a folder with short paths (107 bytes for a socket), to its end, with nothing left."""
    folder = Path(tempfile.mkdtemp(prefix="t-"))
    command = [sys.executable, "-c", "import sys; from lab.cli import main; sys.exit(main())", "cab"]
    options = ["--out", str(folder / "out"), "--port", "0", "--no-browser", "--lang", "ko"]
    with Daemons(folder) as daemons:
        daemon = daemons.start("cab", [*command, *options], {"TMPDIR": str(folder)})
        daemon.says("/  (", 30)
        found = re.search(r"http://\S+/", daemon.log)
        assert found is not None
        yield Running(found[0], folder, daemon.pid)

        daemon.signal(signal.SIGINT)
        assert daemon.wait(15) == 0, daemon.log
        assert "Traceback" not in daemon.log
        assert processes_in(folder) == []
        assert list(folder.glob("ptt-demo-*")) == []
    shutil.rmtree(folder, ignore_errors=True)


def colour(page: Page, user: str, name: str) -> None:
    page.wait_for_selector(f'#{user} .led[data-colour="{name}"]')


def finger(page: Page, user: str, button: str = ".ptt") -> None:
    """Lay a finger on a button and keep it there."""
    page.hover(f"#{user} {button}")
    page.mouse.down()


def when(page: Page, condition: str, timeout_s: float = 8.0) -> None:
    """Wait for an expression to hold in the page (whose own rules forbid what Playwright's wait would do there)."""
    eventually(lambda: page.evaluate(condition), timeout_s, condition)


def seen(user: str, what: str, value: str) -> str:
    """How often an attribute of a car has taken a value, to be asked of the page; a pitch is rounded."""
    same = f"(what === 'data-hz' ? String(Math.round(value)) : value) === '{value}'"
    fresh = "(!n || all[n - 1][3] !== value)"  # a new duty of what is on already is no new push
    mine = f"window.seen.filter(([car, , what]) => car === '{user}' && what === '{what}')"
    return f"{mine}.filter(([, , what, value], n, all) => {same} && {fresh}).length"


def picture(page: Page, name: str, blinks: str = "") -> None:
    """In both languages, without moving the finger; where a car's light `blinks`, as it comes on."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for end in ("-ko", ""):
        path = PICTURES / f"{name}{end}.png"
        for each in ("off", "blue") if blinks else ():
            colour(page, blinks, each)
        page.screenshot(path=path, clip={"x": 0, "y": 0, "width": 1180, "height": 680})
        page.evaluate("document.getElementById('lang').click()")


def quiet(page: Page) -> None:
    """Wait for the end of the session: what follows begins afresh."""
    for user in ("car-1", "car-2", "car-3"):
        page.wait_for_selector(f'#{user} .led[data-colour="green"]', timeout=20_000)


@contextlib.contextmanager
def talk(cab: Running, origin: str | None = None, host: str | None = None) -> Iterator[ClientConnection]:
    """A WebSocket as the page opens it, or as somebody else would."""
    place = urlsplit(cab.url)
    with connect(
        f"ws://{host or place.netloc}/ws",
        origin=Origin(f"http://{place.netloc}" if origin is None else origin),
        open_timeout=5,
        close_timeout=0.5,  # with sound unread, the other end's farewell is not read either
    ) as socket:
        yield socket


def say(socket: ClientConnection, **message: str) -> None:
    socket.send(json.dumps(message))


def hear(socket: ClientConnection, kind: str, timeout_s: float = 5.0, **wanted: object) -> dict[str, Any]:
    """The next message of a kind with such fields."""
    deadline = time.monotonic() + timeout_s
    while True:
        got = socket.recv(timeout=max(0.0, deadline - time.monotonic()))
        if isinstance(got, str):
            message: dict[str, Any] = json.loads(got)
            if message["type"] == kind and wanted.items() <= message.items():
                return message


def sounds(socket: ClientConnection, length_s: float) -> list[Sound]:
    """What comes from the three cars' speakers; silence is not sent. The connection is kept alive meanwhile."""
    heard: dict[int, list[bytes]] = {0: [], 1: [], 2: []}
    end_s = time.monotonic() + length_s
    beat_s = 0.0
    while (now := time.monotonic()) < end_s:
        if now > beat_s:
            beat_s = now + 0.5
            say(socket, type="beat")
        with contextlib.suppress(TimeoutError):
            got = socket.recv(timeout=min(0.5, end_s - now))
            if isinstance(got, bytes):
                heard[got[0]].append(got[2:])
    return [from_int16(b"".join(heard[place])) for place in range(3)]


def words(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
