"""A real office under its operator's hands: sessions, a sweep, the doctor, a backup and what becomes of it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.broker import free_port
from protocol.ids import epoch_of
from protocol.messages import FloorGranted, Session
from service.settings import Secret
from tests.integration.test_dispatch_admission import Member, Scene
from tests.support.procs import eventually


class Office(Scene):
    """An office whose store this process has open no longer than it needs."""

    def enrol(self, user: str, hardware: str = "hardware-1") -> Secret:
        with ExitStack() as mine:
            kept, self.stack = self.stack, mine
            try:
                return super().enrol(user, hardware)
            finally:
                self.stack = kept


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Office(stack, tmp_path)


def talk(scene: Scene, member: Member, press: int) -> FloorGranted:
    member.forget()  # grants of an earlier press that were asked for again

    def granted() -> bool:
        member.ask(press)
        return member.has(FloorGranted)

    eventually(granted, 5)
    return member.expect(FloorGranted)


def test_an_operator_looks_sweeps_and_is_told_what_is_wrong(scene: Scene) -> None:
    # given an office that is served, and somebody who speaks
    with scene.config.open("a") as file:
        file.write(f"\n[metrics]\nport = {free_port()}\n")
    secret = scene.enrol("car-1", "hardware-1")
    scene.serve()
    scene.rest()
    car = Member(scene, "car-1", secret, hardware="hardware-1")
    burst = talk(scene, car, 1).burst
    car.renew(burst, 1)
    # when the operator looks
    [session] = json.loads(scene.run("sessions", "--json"))["sessions"]
    swept = json.loads(scene.run("clean", "--now", "--json"))
    report = json.loads(scene.run("doctor", "--json"))
    # then everything is told as it is
    assert (session["speaker"]["user"], session["speaker"]["burst"]) == ("car-1", burst)
    assert (swept["done"], swept["services"][0]["offices"], swept["services"][0]["cleaned"]) == (True, 1, [])
    assert [row for row in report["rows"] if row["level"] == "bad"] == []
    assert {"web_silent", "alerts_silent"} <= {row["what"] for row in report["rows"] if row["level"] == "warn"}
    assert {"serves", "broker", "strangers_out", "users", "sound", "shows"} <= {row["what"] for row in report["rows"]}
    # and when services are gone, a secret is open to all, and the broker has an older certificate
    scene.daemon.process.terminate()
    scene.daemon.process.wait()
    (scene.folder / "secrets" / "ptt.tls-key").chmod(0o644)
    scene.run("cert", "renew")
    found = json.loads(scene.run("doctor", "--json", status=1))
    assert [row["what"] for row in found["rows"] if row["level"] == "bad"] == [
        "not_running", "broker_older", "rest_older", "secret_mode", "browsers_older"
    ]  # fmt: skip
    scene.run("clean", "--now", status=1)


def test_an_office_goes_on_from_a_backup_above_every_number_it_had(scene: Scene) -> None:
    # given an office backed up while it runs, and a day after that
    secret, lost = scene.enrol("car-1", "hardware-1"), scene.enrol("car-2", "hardware-2")
    scene.serve()
    backup = scene.folder / "office.backup"
    scene.run("backup", str(backup), "--with-secrets")
    car = Member(scene, "car-1", secret, hardware="hardware-1")
    burst = talk(scene, car, 1).burst
    rev = car.expect(Session, lambda s: s.burst == burst).rev
    scene.run("user", "revoke", "car-2", "--office", "seoul/hq")
    # when it is put back: not while it runs, but when it is stopped
    scene.run("restore", str(backup), status=1)
    scene.daemon.process.terminate()
    scene.daemon.process.wait()
    said = scene.run("restore", str(backup))
    scene.serve()
    # then the vehicle talks on by higher numbers, and who was revoked meanwhile stays out
    again = talk(scene, car, 2).burst
    later = car.expect(Session, lambda s: s.burst == again)
    assert epoch_of(again) > epoch_of(burst) and later.rev > rev
    assert "revoked again now: seoul/hq/car-2" in said
    with pytest.raises(AssertionError):
        Member(scene, "car-2", lost, hardware="hardware-2")
