"""The console's engine as a member of a real office: broker with websockets, floor control server, node as the page."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lab.office import HOST, OFFICE, Office
from protocol.codec import decode
from protocol.login import Login
from protocol.messages import Ended, Presence, PresenceState, Session, VoicePath
from protocol.topics import Kind, everyone, parse, topic
from protocol.voice_frame import FrameFlags, unpack
from service.settings import read_secret
from tests.integration.door_rig import Caller, Doors

DRIVER = Path(__file__).resolve().parents[1] / "console_js" / "office_driver.mjs"
WAIT_S = 8.0
DESK, OTHER = "desk", "desk-2"


class Page:
    """The engine in a process of its own; killed as a page is."""

    def __init__(self, office: Office, boot: int, log: Path) -> None:
        self.views: list[dict[str, Any]] = [{}]
        self.boot = boot
        self._office = office
        self._log = log.open("w")
        self.process = subprocess.Popen(
            ["node", "--experimental-websocket", "--no-warnings", str(DRIVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "NODE_EXTRA_CA_CERTS": str(office.folder / "ca.pem")},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if "view" in said:
                self.views.append(said["view"])

    def do(self, what: str, **more: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.process.stdin.flush()

    def start(self, secret: str) -> None:
        names = {name: str(Login(OFFICE, DESK, voice=name == "voice_login")) for name in ("login", "voice_login")}
        office = {"region": OFFICE.region, "office": OFFICE.office, "name": "데모"}
        url = f"wss://{HOST}:{self._office.websocket_port}/mqtt"
        who = {"user": DESK, "name": "상황실", "secret": secret, "generation": 0, "boot": self.boot, "issue": self.boot}
        self.do("start", credentials={**names, **who, "url": url, "office": office, "expires_at": 0})

    def until(self, done: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        deadline = time.monotonic() + WAIT_S
        while not done(self.views[-1] or {"floor": "", "link": "", "members": (), "elsewhere": None, "said": None}):
            assert time.monotonic() < deadline, f"{what}: {self.views[-1]}; {Path(self._log.name).read_text()[-2000:]}"
            time.sleep(0.01)
        return self.views[-1]

    def await_member(self) -> None:
        """Until the server counts it: it belongs from then on."""
        self.until(lambda v: any(one["user"] == DESK and one["state"] == "online" for one in v["members"]), "a member")
        self.until(lambda v: bool(v["voiceLink"]), "voice")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self._log.close()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def office(tmp_path: Path, stack: ExitStack) -> Office:
    made = Office(tmp_path, tmp_path, stack)
    made.make(VoicePath.MQTT, None)
    made.start()
    for user, role in ((DESK, "call_manager"), (OTHER, "call_manager")):
        secret = ("--secret-file", str(tmp_path / f"{user}.secret"))
        made.command("user", "add", user, "--role", role, "--name", user, *secret, office=True)
    return made


class Listener:
    """Another member, written in Python, that listens as a vehicle does: to session, presence and voice."""

    def __init__(self, office: Office, folder: Path, stack: ExitStack) -> None:
        self._doors = Doors()
        stack.callback(self._doors.close)
        secret = read_secret(folder / f"{OTHER}.secret")
        control, voice = str(Login(OFFICE, OTHER)), str(Login(OFFICE, OTHER, voice=True))
        self._control: Caller = self._doors.enter(office.broker.settings(control, secret), control)
        self._voice: Caller = self._doors.enter(office.broker.settings(voice, secret), voice)
        own = [topic(OFFICE, Kind.SESSION), everyone(OFFICE, Kind.PRESENCE)]
        assert all(self._doors.subscribe(self._control, own).values())
        assert all(self._doors.subscribe(self._voice, [everyone(OFFICE, Kind.VOICE)], qos=0).values())

    def frames(self) -> list[tuple[str, Any]]:
        return [(parse(one.topic).user, unpack(one.payload)) for one in self._voice.received]

    def await_session(self, holds: Callable[[Session], bool], what: str) -> Session:
        def newest() -> Session | None:
            said = [m for m in self._said(Kind.SESSION) if isinstance(m, Session) and holds(m)]
            return said[-1] if said else None

        self._doors.until(lambda: newest() is not None, what, WAIT_S)
        found = newest()
        assert found is not None
        return found

    def await_presence(self, state: PresenceState) -> None:
        def there() -> bool:
            return any(isinstance(m, Presence) and m.state is state for m in self._said(Kind.PRESENCE))

        self._doors.until(there, f"desk {state}", WAIT_S)

    def _said(self, kind: Kind) -> list[Any]:
        places = [(parse(one.topic), one.payload) for one in self._control.received]
        return [decode(data, kind) for place, data in places if place.kind is kind and place.user in ("", DESK)]


def test_a_page_talks_as_a_member_is_heard_and_a_killed_one_loses_the_floor(
    office: Office, tmp_path: Path, stack: ExitStack
) -> None:
    secret = (tmp_path / f"{DESK}.secret").read_text().strip()
    other = Listener(office, tmp_path, stack)
    first = Page(office, 1, tmp_path / "first.log")
    stack.callback(first.kill)
    first.start(secret)
    first.await_member()

    # when it presses and lets go, its speech is at the other member from the press on, and ends with its last frame
    first.do("press")
    first.until(lambda v: v["floor"] == "talking", "the floor")
    spoken = other.await_session(lambda s: s.current_speaker == DESK, "the announcement")
    time.sleep(0.5)
    first.do("release")
    over = other.await_session(lambda s: s.burst == spoken.burst and s.current_speaker is None, "its end")
    assert over.ended is Ended.RELEASED
    frames = [frame for user, frame in other.frames() if user == DESK]
    assert [frame.seq for frame in frames] == list(range((over.last_seq or 0) + 1))
    assert {frame.burst for frame in frames} == {spoken.burst}
    assert [frame.flags for frame in frames[-2:]] == [FrameFlags.NONE, FrameFlags.LAST]
    assert len(frames) > 15
    first.until(lambda v: v["floor"] == "idle" and v["heard"] is not None, "who heard it")

    # when its credentials are renewed, a press meanwhile waits, and is heard from its edge on
    first.do("renew", boot=2, slow_ms=400)
    first.until(lambda v: not v["voiceLink"], "the cut")
    before = len(first.views)
    first.do("press")
    first.until(lambda v: v["floor"] == "talking", "the floor")
    assert {v["floor"] for v in first.views[before:]} <= {"idle", "asking", "talking"}
    waited = other.await_session(lambda s: s.current_speaker == DESK and s.burst > spoken.burst, "the announcement")
    first.do("release")
    over = other.await_session(lambda s: s.burst == waited.burst and s.current_speaker is None, "its end")
    assert over.ended is Ended.RELEASED
    frames = [frame for user, frame in other.frames() if user == DESK and frame.burst == waited.burst]
    assert [frame.payload for frame in frames] == [bytes([0x48, no]) for no in range((over.last_seq or 0) + 1)]
    first.until(lambda v: v["floor"] == "idle", "the end")

    # when another page of the same user comes, the first one is told and stays away, and the second one may talk
    first.do("replaced", issue=3)
    second = Page(office, 3, tmp_path / "second.log")
    stack.callback(second.kill)
    second.start(secret)
    first.until(lambda v: v["elsewhere"] is not None, "the other page")
    assert first.views[-1]["link"] == "closed"
    second.await_member()
    second.do("press")
    second.until(lambda v: v["floor"] == "talking", "the floor")
    held = other.await_session(lambda s: s.current_speaker == DESK and s.burst > waited.burst, "the announcement")

    # when that page is killed while it talks, its will speaks and the floor is free soon after
    killed_at = time.monotonic()
    second.process.kill()
    other.await_presence(PresenceState.LOST)
    freed = other.await_session(lambda s: s.burst == held.burst and s.current_speaker is None, "the floor freed")
    assert freed.ended is Ended.LOST
    assert time.monotonic() - killed_at < 5.0
    assert other.await_session(lambda s: s.burst == held.burst and not s.active, "the session's end")
