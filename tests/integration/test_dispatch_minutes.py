"""`ptt-dispatch minutes` on a store that the product itself wrote: the real core, registry and store on a made-up day.

Sessions over both ways, vehicles and server that die in them, a user that comes late and is revoked. What the command
must print is reckoned from the day's own diary, which knows nothing of the log.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from dispatch.admission import rules_from
from dispatch.core.server import RulesChanged
from dispatch.core.state import FloorRules
from dispatch.minutes import LEFT_BEHIND_S
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from protocol.messages import PresenceState, VoicePath
from protocol.rest import Role
from tests.core.dispatch_bench import HQ, Bench, MoodyStore
from tests.support.procs import ROOT

DAY = datetime(2025, 3, 10, tzinfo=timezone(timedelta(hours=9)))
BEGIN_S = DAY.timestamp()
HOUR_S, DAY_S = 3600.0, 86_400.0
PRICE = 2.5


class Diary:
    """An office's day. `joined`: user -> when it was joined to Agora, as the vehicles themselves know it (Unix s)."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/office.db"
        self.now_s = BEGIN_S - DAY_S
        self.registry = SqlRegistry(self.url, wall_ms=lambda: round(self.now_s * 1000))
        self.registry.add_region(HQ.region, HQ.region)
        self.registry.add_office(HQ, "본사", VoicePath.AGORA)
        for user in ("car-1", "car-2", "car-4"):
            self.add(user)
        self.joined: dict[str, list[list[float]]] = {}
        self._numbers: dict[str, int] = {}
        self.office = Bench(self._rules(), store=MoodyStore(self.url), now=BEGIN_S - HOUR_S)

    def add(self, user: str) -> None:
        self.registry.add_user(HQ, user, Role.VEHICLE_GATEWAY, f"{user}호")
        self.registry.set_secret(HQ, user, hash_secret(new_secret()))

    def _rules(self) -> Any:
        floor = {HQ: FloorRules(talk_limit_s=600.0, hang_s=5.0)}
        return rules_from(self.registry.offices(), self.registry.users(), floor, self.registry.rev())[HQ]

    def read_registry(self) -> None:
        """What serve does within a second of a change."""
        office = self.office
        office.rules = self._rules()
        office._do(office.server.handle(RulesChanged(office=HQ, rules=office.rules), office.now, office.wall_ms))
        office.advance(0.1)

    def at(self, hour: float) -> None:
        """Go on to this hour of the day."""
        self.office.freeze(BEGIN_S + hour * HOUR_S - self.office.now)
        self.office.advance(1.0)
        self.now_s = self.office.now

    def talk(self, user: str, burst: int, first_no: int, seconds: int) -> None:
        self.office.talk(user, burst, seconds, first_no)
        self.now_s = self.office.now

    def says(self, user: str, voice: VoicePath | None, state: PresenceState = PresenceState.ONLINE) -> None:
        """A vehicle is in the running session's channel over this way, or (None) in none."""
        session = self.office.floor.event_id if voice is not None else None
        stays = self.joined.setdefault(user, [])
        if stays and stays[-1][1] == 0.0:
            stays[-1][1] = self.office.now
        if voice is VoicePath.AGORA:
            stays.append([self.office.now, 0.0])
        number = self._numbers[user] = self._numbers.get(user, 0) + 1
        self.office.presence(user, number, state, in_channel=session, voice=voice or VoicePath.MQTT)

    def until_idle(self) -> float:
        """Wait for the session's end; gives when it came."""
        while self.office.floor.active:
            self.office.advance(0.1)
        return self.office.now

    def minutes(self, user: str) -> float:
        stays = [(max(a, BEGIN_S), min(b, BEGIN_S + DAY_S)) for a, b in self.joined.get(user, [])]
        return sum(b - a for a, b in stays if b > a) / 60


def live(folder: Path) -> tuple[Diary, float, float]:
    """Live through the day; gives when car-3 was made and revoked (Unix s)."""
    diary = Diary(folder)
    office = diary.office
    # yesterday, 23:59, into today: a session over midnight
    office.freeze(BEGIN_S - 60 - office.now)
    for user in ("car-1", "car-2", "car-4"):
        diary.says(user, None)
    burst = office.take("car-1", 1)
    diary.says("car-1", VoicePath.AGORA)
    diary.talk("car-1", burst, 2, 120)
    office.release("car-1", 1)
    diary.says("car-1", None)
    diary.until_idle()
    # 02:00: one comes from MQTT to Agora, loses it and finds it again; one never leaves MQTT; the speaker's power fails
    diary.at(2)
    burst = office.take("car-1", 2)
    diary.says("car-1", VoicePath.AGORA)
    diary.says("car-2", VoicePath.MQTT)
    diary.says("car-4", VoicePath.MQTT)
    diary.talk("car-1", burst, 2, 5)
    diary.says("car-2", VoicePath.AGORA)
    diary.talk("car-1", burst, 7, 60)
    diary.says("car-2", VoicePath.MQTT)
    diary.talk("car-1", burst, 67, 15)
    diary.says("car-2", VoicePath.AGORA)
    diary.talk("car-1", burst, 82, 60)
    diary.says("car-1", None, PresenceState.LOST)
    diary.until_idle()
    diary.says("car-2", None)
    diary.says("car-4", None)
    # 04:00: a user that was made at 03:00 is revoked while it listens
    diary.at(3)
    diary.add("car-3")
    made_s = diary.now_s
    diary.read_registry()
    diary.at(4)
    diary.says("car-1", None)
    diary.says("car-3", None)
    burst = office.take("car-2", 1)
    diary.says("car-2", VoicePath.AGORA)
    diary.says("car-3", VoicePath.AGORA)
    diary.talk("car-2", burst, 2, 45)
    diary.registry.revoke(HQ, "car-3", "sold")
    revoked_s = diary.now_s
    diary.joined["car-3"][-1][1] = revoked_s
    diary.read_registry()
    # and server and speaker die in the same moment: nobody logs that the speaker left until long after
    diary.talk("car-2", burst, 47, 20)
    office.start()
    office.up()
    ended_s = diary.until_idle()
    diary.joined["car-2"][-1][1] = ended_s + LEFT_BEHIND_S
    office.advance(200)
    diary.registry.close()
    office.store.close()
    return diary, made_s, revoked_s


def minutes(folder: Path, *form: str) -> str:
    config = folder / "dispatch.toml"
    config.write_text(f'admission = "registry"\n[store]\npath = "{folder}/office.db"\n[broker]\nhost = "127.0.0.1"\n')
    argv = [sys.executable, "-m", "dispatch", "minutes", "--config", str(config), "--day", f"{DAY:%Y-%m-%d}"]
    done = subprocess.run(
        [*argv, "--price", str(PRICE), "--lang", "en", *form],
        cwd=ROOT,
        env={**os.environ, "TZ": "America/New_York"},  # a day is the office's own, wherever its machine's clock is set
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_minutes_of_a_day_with_crashes_both_ways_and_a_revocation_are_those_of_its_diary(tmp_path: Path) -> None:
    diary, made_s, revoked_s = live(tmp_path)

    [office] = json.loads(minutes(tmp_path, "--json"))["offices"]
    rows = list(csv.DictReader(minutes(tmp_path, "--csv", "--office", str(HQ)).splitlines()))
    lines = minutes(tmp_path)

    users = {user["user"]: user for user in office["users"]}
    assert sorted(users) == ["car-1", "car-2", "car-3", "car-4"]
    for user, found in users.items():
        known = len(diary.joined[user]) * 2 / 60  # each word is known a moment late
        assert found["joined_min"] == pytest.approx(diary.minutes(user), abs=known), user
    assert {user: found["joins"] for user, found in users.items()} == {"car-1": 1, "car-2": 3, "car-3": 1, "car-4": 0}
    always = dict.fromkeys(users, 1440.0) | {"car-3": (revoked_s - made_s) / 60}
    assert {user: found["always_joined_min"] for user, found in users.items()} == pytest.approx(always)
    total = sum(diary.minutes(user) for user in users)
    assert office["total"]["joined_min"] == pytest.approx(total, abs=0.3)
    assert office["total"]["cost_usd"] == pytest.approx(office["total"]["joined_min"] / 1000 * PRICE)
    assert office["total"]["saving"] == pytest.approx(1 - office["total"]["joined_min"] / sum(always.values()))
    assert {row["user"]: float(row["joined_min"]) for row in rows} == pytest.approx(
        {user: found["joined_min"] for user, found in users.items()}, abs=0.005
    )
    printed = {line.split()[0]: line.split()[2] for line in lines.splitlines() if line.startswith("  car-")}
    assert printed == {user: f"{found['joined_min']:.1f}" for user, found in users.items()}
    assert total > 5.5


def test_a_day_without_anything_tells_no_saving(tmp_path: Path) -> None:
    diary = Diary(tmp_path)
    diary.registry.close()
    diary.office.store.close()

    [office] = json.loads(minutes(tmp_path, "--json"))["offices"]

    assert [(u["user"], u["joined_min"], u["saving"]) for u in office["users"]] == [
        ("car-1", 0.0, None),
        ("car-2", 0.0, None),
        ("car-4", 0.0, None),
    ]
