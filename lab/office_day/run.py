"""`make office`: a practice office with a past and a present, until Ctrl-C; or only as long as pictures are taken."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Final

from hw.errors import HardwareError
from lab.broker import BrokerFailed, free_port
from lab.demo.run import EXIT_FAILED, EXIT_USAGE, interruptible
from lab.demo.speech import NoSpeech
from lab.office import HOST, OFFICE
from lab.office_day.live import Stage
from lab.office_day.member import Member
from lab.office_day.office import ADMIN, PracticeOffice, write_logins
from lab.office_day.pattern import DAY_S, Day, plan
from lab.office_day.people import DISPATCHER, people
from lab.office_day.player import Player
from lab.office_day.speech import sentences
from lab.office_day.texts import LINES
from lab.process import LabFailed
from lab.texts import Texts
from service.loop import Loop
from voice.opus import OpusMissing

SEED: Final = 7
LIVE_FROM_S: Final = 8 * 3600.0
"""What time it is in the live office's day when it begins, whatever time it is: a morning with all on the road."""
LIVE_INCIDENTS: Final = 6.0
"""So many times as much goes wrong live as on a usual day: who looks on for some minutes is to see some of it."""
ARRIVE_S: Final = 3.0
"""Before the day goes on, so long everybody may take to connect."""
WATCH_S: Final = 1.0


def main(out: Path, cars: int, days: int, speed: float, port: int, lang: str, pictures: Path | None) -> int:
    """Run until Ctrl-C, or until `pictures` are taken into that folder; gives the exit status. Port 0: a free one."""
    texts = Texts(lang, LINES)
    try:
        port = port or free_port()
        _check_port(port)
        everybody = people(cars)
        out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(out / "logs", ignore_errors=True)
        (out / "logs").mkdir()
        speech = sentences()
    except (ValueError, OSError, NoSpeech, OpusMissing) as error:
        print(f"ptt-lab: {error}", file=sys.stderr)
        return EXIT_USAGE
    try:
        with interruptible(), ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(prefix="ptt-office-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            print(texts.line("starting", cars=cars, days=days), flush=True)
            office = PracticeOffice(folder, out / "logs", stack, everybody, port)
            _make(office, days, texts)
            office.start()
            loop = Loop()
            stack.callback(loop.close)
            live = Live(loop, office, speech, speed)
            stack.callback(live.close)
            if pictures is not None:
                from lab.office_day.pictures import Camera

                Camera(office, pictures, texts).attend(live)
            else:
                _tell(office, out / "logins.txt", speed, texts)
                stack.callback((out / "logins.txt").unlink, missing_ok=True)
            live.run()
    except (BrokerFailed, LabFailed, HardwareError) as error:
        print(f"ptt-lab: {error}; logs: {out / 'logs'}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print(texts.line("stopped"), file=sys.stderr)
    return 0


class Live:
    """The members of the present; `run` turns until `stop`, or raises LabFailed where a process of the office ended."""

    def __init__(self, loop: Loop, office: PracticeOffice, speech: tuple[tuple[bytes, ...], ...], speed: float) -> None:
        self.stage = Stage(loop, OFFICE, speech, Random(SEED))
        self._loop, self._office, self._speed = loop, office, speed
        boot = time.time_ns() // 1_000_000_000
        for person in office.people:
            if person.virtual:
                self.stage.add(person, office.access(person.user), office.access(person.user, voice=True), boot)
        self.player = Player(self.stage, self.stage.members, Random(SEED + 1), speed)
        self._checks: list[Callable[[], None]] = []
        self._vehicles = [person.user for person in office.people if person.vehicle]
        self._day = 0
        self.day = Day(shifts=(), talks=(), incidents=())
        """The one that is played."""

    @property
    def members(self) -> Mapping[str, Member]:
        """All, by user."""
        return self.stage.members

    def on_end(self, check: Callable[[], None]) -> None:
        """Have this called behind the last turn of `run`; what it raises leaves `run`."""
        self._checks.append(check)

    def run(self) -> None:
        """Play day after day, until `stop`."""
        for member in self.members.values():
            self.stage.connect(member)  # whose shift it is not says goodbye: the broker knows of everybody then
        self.stage.at(self.stage.now + ARRIVE_S, lambda: self._play(LIVE_FROM_S))
        self._watch()
        self._loop.run(lambda now: None)
        for check in self._checks:
            check()

    def stop(self) -> None:
        """Have `run` return; from any thread."""
        self._loop.stop()

    def close(self) -> None:
        """Everybody leaves."""
        self.stage.close()

    def _play(self, from_s: float = 0.0) -> None:
        self.day = plan(self._vehicles, Random(f"{SEED} live {self._day}"), incidents=LIVE_INCIDENTS)
        self._day += 1
        self.player.play(self.day, from_s)
        self.stage.at(self.stage.now + (DAY_S - from_s) / self._speed, self._play)

    def _watch(self) -> None:
        self._office.check_running()
        self.stage.at(self.stage.now + WATCH_S, self._watch)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise OSError(f"port {port} of {HOST}: {error.strerror or error}; give another --port") from error


def _make(office: PracticeOffice, days: int, texts: Texts) -> None:
    now_ms = time.time_ns() // 1_000_000
    office.make(days, now_ms)
    shown = -1

    def told(part: float) -> None:
        nonlocal shown
        if int(part * 10) > shown:
            shown = int(part * 10)
            print(texts.line("past", percent=shown * 10), flush=True)

    told(0.0)
    office.live_through(days, now_ms, SEED, told)


def _tell(office: PracticeOffice, path: Path, speed: float, texts: Texts) -> None:
    write_logins(path, office)
    print(
        texts.line(
            "ready",
            url=office.origin,
            ca=office.ca,
            desk=office.login(DISPATCHER),
            desk_secret=office.secrets[DISPATCHER].reveal(),
            admin=office.login(ADMIN),
            admin_secret=office.secrets[ADMIN].reveal(),
            path=path,
            speed=speed,
        ),
        flush=True,
    )
