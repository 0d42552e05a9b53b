"""`ptt-lab office`: a real office whose pages are full at once, and go on to fill while its members work."""

from __future__ import annotations

import html
import json
import re
import shutil
import stat
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from dispatch.history.day import local, zone
from dispatch.store.reader import StoreReader
from lab.broker import free_port
from lab.office import OFFICE
from lab.office_day.office import ADMIN, PracticeOffice, write_logins
from lab.office_day.people import DISPATCHER, OFFICE_NAME, ROOM, people
from lab.office_day.run import LIVE_FROM_S, Live
from protocol.messages import Event, EventType
from service.loop import Loop
from tests.support.procs import eventually

SPEECH = ((b"\xfc\xff\xfe",),)
"""One Opus packet of silence: what is said is no matter here."""
CSRF = re.compile(r'name="csrf" value="([^"]+)"')
START = re.compile(r'<script type="application/json" id="start">(.*?)</script>', re.S)
WAIT_S = 30.0
DAY_MS = 86_400_000
MEMBERS = ("car-01", "car-02", "car-03", ROOM)


class Rig:
    """An office with three vehicles, yesterday and today, alive, and its pages."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.office = PracticeOffice(folder, folder, stack, people(3), free_port())
        now_ms = time.time_ns() // 1_000_000
        self.office.make(2, now_ms)
        self.office.live_through(2, now_ms, 3, lambda part: None)
        self.today = local(now_ms, zone(self.office.settings.time_zone)).date()
        self.since_ms = self.office.begin_ms(2, now_ms)
        self.office.start()
        self.loop = Loop()
        self.live = Live(self.loop, self.office, SPEECH, 1.0)
        self._thread = threading.Thread(target=self.live.run, name="live")
        self._thread.start()
        stack.callback(self._end)
        self.session = stack.enter_context(requests.Session())
        self.session.trust_env = False
        self.session.verify = str(self.office.ca)
        self.session.headers.update({"Accept-Language": "en", "Origin": self.office.origin})
        self.post("/signin", login=self.office.login(DISPATCHER), secret=self.office.secrets[DISPATCHER].reveal())

    def _end(self) -> None:
        self.live.stop()
        self._thread.join(10)
        self.live.close()
        self.loop.close()

    def page(self, path: str) -> str:
        answer = self.session.get(self.office.origin + path, timeout=15)
        assert answer.ok, answer.text
        return answer.text

    def post(self, path: str, **fields: str) -> None:
        answer = self.session.post(self.office.origin + path, data=fields, timeout=15)
        assert answer.ok, answer.text

    def board(self, path: str = "/") -> dict[str, Any]:
        """What a page holds when it is loaded, by key."""
        found = START.search(self.page(path))
        assert found is not None
        put: dict[str, Any] = json.loads(html.unescape(found[1]))["put"]
        return put

    def events(self, until_ms: int) -> tuple[Event, ...]:
        reader = StoreReader(self.office.settings.store.sqlalchemy_url)
        try:
            return tuple(reader.scan(OFFICE, self.since_ms, until_ms))
        finally:
            reader.close()

    def has(self, holds: Callable[[dict[str, Any]], object], what: str) -> None:
        eventually(lambda: holds(self.board()), WAIT_S, what)

    def on_shift(self) -> tuple[str, ...]:
        """Vehicles that are there now."""
        there = eventually(lambda: self.live.day.there(LIVE_FROM_S), WAIT_S, "the day has begun")
        assert there
        return there

    def do(self, fn: Callable[[Live], object]) -> None:
        """Have this done in the loop's thread."""
        self.loop.call_soon_threadsafe(lambda: fn(self.live))


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    folder = Path(tempfile.mkdtemp(prefix="po-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield Rig(folder, stack)


def test_the_past_is_on_the_pages_and_is_what_its_events_say(rig: Rig) -> None:
    yesterday = rig.today - timedelta(days=1)
    events = rig.events(rig.since_ms + DAY_MS)
    began = {e.metadata["burst"]: e.at for e in events if e.event is EventType.SPEAKER_CHANGED}
    talk_ms = sum(e.at - began[e.metadata["burst"]] for e in events if e.event is EventType.BURST_ENDED)
    kinds = Counter(event.event for event in events)

    page = rig.page(f"/history?day={yesterday}")
    rows = re.findall(rf'<th scope="row">{yesterday.month}/{yesterday.day}</th><td>([0-9.]+)</td>', page)
    kpis = rig.page(f"/kpi?day={yesterday}")

    shown = [float(cell) for cell in rows]
    assert shown[:3] == [round(talk_ms / 60_000, 1), kinds[EventType.SESSION_ENDED], kinds[EventType.DENIED]]
    assert (f"{shown[3]:.2f}%" in kpis, f"{shown[4]:.1f} ms" in kpis) == (True, True)
    assert shown[1] > 0
    assert f"{kinds[EventType.BURST_ENDED]}</td>" in kpis


def test_every_page_says_that_the_office_is_for_practice(rig: Rig) -> None:
    for path in ("/", "/kpi", "/history", "/vehicle/car-01"):
        assert OFFICE_NAME in rig.page(path)


def test_everybody_is_there_and_what_is_said_is_heard_by_the_others(rig: Rig) -> None:
    rig.has(lambda board: all(f"member/{user}" in board for user in MEMBERS), "all members")
    there = rig.on_shift()
    eventually(lambda: all(rig.live.members[user].online for user in there), WAIT_S, "all whose shift it is")
    assert all(f"telemetry/{user}" in rig.board(f"/vehicle/{user}") for user in there)
    before = rig.live.members[ROOM].counts.granted

    rig.do(lambda live: live.members[ROOM].push(1.5))

    def spoken(board: dict[str, Any]) -> bool:
        bursts = [value for key, value in board.items() if key.startswith("burst/") and value.get("user") == ROOM]
        now = [b for b in bursts if b.get("started_at", 0) > time.time_ns() // 1_000_000 - 60_000]
        return any(burst.get("heard_by", 0) >= 1 and burst.get("ended") == "released" for burst in now)

    rig.has(spoken, "the burst, ended and heard")
    assert rig.live.members[ROOM].counts.granted == before + 1
    rig.has(lambda board: board["today"]["sessions"] >= 1, "the session in today's figures")


def test_an_alert_is_shown_until_it_is_mended(rig: Rig) -> None:
    user = rig.on_shift()[0]

    rig.do(lambda live: live.members[user].raise_alert("overheating"))
    rig.has(lambda board: f"alert/{user}/overheating" in board, "the alert")
    rig.do(lambda live: live.members[user].cure("overheating"))

    rig.has(lambda board: f"alert/{user}/overheating" not in board, "no alert")


def test_a_vehicle_that_the_page_mutes_does_not_ask_for_the_floor(rig: Rig) -> None:
    user = rig.on_shift()[0]
    csrf = CSRF.search(rig.page("/"))
    assert csrf is not None

    rig.post(f"/vehicle/{user}/command", csrf=html.unescape(csrf[1]), op="mute")

    eventually(lambda: rig.live.members[user].muted, WAIT_S, "it is muted")
    before = rig.live.members[user].counts
    asked = before.granted + before.denied
    rig.do(lambda live: live.members[user].push(1.0))
    eventually(lambda: rig.live.members[user].counts.presses > asked, WAIT_S, "it was pressed")
    assert rig.live.members[user].press is None


def test_a_link_that_breaks_is_lost_and_comes_back(rig: Rig) -> None:
    user = rig.on_shift()[-1]

    rig.do(lambda live: live.stage.cut(live.members[user]))
    rig.has(lambda board: board[f"member/{user}"]["state"] == "lost", "it is lost")
    rig.do(lambda live: live.stage.connect(live.members[user]))

    rig.has(lambda board: board[f"member/{user}"]["state"] == "online", "it is back")


def test_secrets_are_in_a_file_for_its_owner_alone(rig: Rig, tmp_path: Path) -> None:
    write_logins(tmp_path / "logins.txt", rig.office)

    assert stat.S_IMODE((tmp_path / "logins.txt").stat().st_mode) == 0o600
    words = (tmp_path / "logins.txt").read_text().split()
    assert words[0] == rig.office.origin
    assert words[1::2] == [rig.office.login(DISPATCHER), rig.office.login(ADMIN)]
    assert words[2::2] == [rig.office.secrets[user].reveal() for user in (DISPATCHER, ADMIN)]
