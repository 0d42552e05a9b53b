"""Vehicles told to Home Assistant by `ptt-dispatch alerts`, over a real broker, to a login of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from protocol.login import Login
from service.settings import read_secret
from tests.integration.dispatch_rig import Client
from tests.integration.test_dispatch_admission import HQ
from tests.integration.test_dispatch_alerts import start
from tests.integration.test_dispatch_upkeep import Office

CAR_1, CAR_2 = (f"homeassistant/device/{HQ.region}_{HQ.office}/{car}/config" for car in ("car-1", "car-2"))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with ExitStack() as stack:
        yield Office(stack, tmp_path)


def test_vehicles_come_are_told_again_and_go(office: Office) -> None:
    # given two vehicles, and Home Assistant with the login of a monitor
    for car in ("car-1", "car-2"):
        office.enrol(car, f"hardware-{car}")
    kept = office.folder / "ha.secret"
    office.run("user", "add", f"{HQ}/ha", "--role", "monitor", "--name", "HA", "--secret-file", str(kept))
    login = str(Login(HQ, "ha"))
    home = Client(office.stack, office.broker, login, prepare=office.doors(login, read_secret(kept)))
    home.subscribe("homeassistant/+/+/config", "homeassistant/+/+/+/config", "homeassistant/status")
    before = office.config.read_text()
    off = f"{before}\n[metrics]\nport = 0\n[home_assistant]\nenabled = "
    office.config.write_text(off + "true\n")
    daemon = start(office)
    # then both are told
    told = {home.take(lambda t, p, _: t in (CAR_1, CAR_2) and p != b"", 10)[0]}
    told.add(home.take(lambda t, p, _: {CAR_1, CAR_2} - told == {t} and p != b"", 10)[0])
    assert told == {CAR_1, CAR_2}
    # and when Home Assistant begins anew, again
    home.send("homeassistant/status", b"online")
    _, payload, _ = home.take(lambda t, p, _: t == CAR_1 and p != b"", 10)
    assert json.loads(payload)["device"]["name"] == "car-1호"
    # and who is revoked is taken back
    office.run("user", "revoke", "car-2", "--office", str(HQ))
    home.take(lambda t, p, _: t == CAR_2 and p == b"", 10)
    # and what a former process told, once it is switched off
    daemon.process.kill()
    daemon.process.wait()
    office.config.write_text(off + "false\n")
    start(office)
    home.take(lambda t, p, _: t == CAR_1 and p == b"", 10)
