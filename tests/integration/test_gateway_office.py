"""Units at a real office: `ptt-dispatch` init, serve, rest and mosquitto with its doors, and real daemons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.enrolment import EnrolmentStore
from gateway.status_client import ask
from lab.office import Office
from protocol.messages import VoicePath
from tests.integration.test_gateway_enrol import Unit
from tests.support.procs import Daemon, Daemons, eventually


class World:
    """An office, and units with folders of their own."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.folder = folder
        (folder / "logs").mkdir()
        self.office = Office(folder, folder / "logs", stack)
        self.office.make(VoicePath.MQTT, None)
        self.office.start()
        self._daemons = stack.enter_context(Daemons(folder / "logs"))

    def unit(self, name: str) -> Unit:
        folder = self.folder / name
        folder.mkdir()
        made = Unit(folder, '[voice]\ntransport = "mqtt"\n')
        made.id_file.write_text(f"{name}\n")
        return made

    def enrol(self, unit: Unit, user: str = "car-17") -> str:
        url, code = self.office.code(user, f"name of {user}")
        done = unit.enrol(url, stdin=code)
        assert done.returncode == 0, done.stderr
        return code

    def start(self, unit: Unit) -> Daemon:
        return self._daemons.python(unit.folder.name, "-m", "gateway", "run", "--config", unit.config)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, tmp_path)


def says(unit: Unit, text: str, daemon: Daemon, timeout_s: float = 20.0) -> None:
    def found() -> bool:
        try:
            return text in str(ask([unit.state / "status.sock"], 1).status["says"])
        except Exception:  # noqa: BLE001 - it does not answer yet
            return False

    eventually(found, timeout_s, lambda: f"{unit.folder.name}: {text!r}; its log:\n{daemon.log}")


def test_a_replacement_puts_the_old_unit_out_at_once_and_a_used_code_opens_nothing(world: World) -> None:
    old, new = world.unit("old"), world.unit("new")
    code = world.enrol(old)
    first = world.start(old)
    says(old, "link up; voice ok;", first)

    again = new.enrol(f"https://127.0.0.1:{world.office.rest_port}", stdin=code)
    world.enrol(new)
    says(old, "NO LINK", first, 5.0)
    second = world.start(new)
    says(new, "link up; voice ok;", second)

    assert again.returncode == 3 and "used already" in again.stderr
    first.says("Not authorized", 10)
    kept = EnrolmentStore(new.state).read()
    assert kept is not None and kept.generation == 2


def test_a_cloned_card_stays_out_while_the_true_unit_talks_and_the_office_is_told(world: World) -> None:
    true, clone = world.unit("true"), world.unit("clone")
    world.enrol(true)
    kept = EnrolmentStore(true.state).read()
    assert kept is not None
    EnrolmentStore(clone.state).try_out()
    EnrolmentStore(clone.state).write(kept)
    first = world.start(true)
    says(true, "link up; voice ok;", first)

    second = world.start(clone)
    says(clone, "NOT ENROLLED", second)

    def found() -> list[str]:
        said = world.office.command("events", "--json")
        return [line for line in said.splitlines() if "CLONE_FOUND" in line]

    (event,) = eventually(found, 15, lambda: second.log)
    says(true, "link up; voice ok;", first)
    assert json.loads(event)["user"] == "car-17"


def test_a_revoked_unit_is_out_and_its_driver_is_told(world: World) -> None:
    unit = world.unit("one")
    world.enrol(unit)
    daemon = world.start(unit)
    says(unit, "link up; voice ok;", daemon)

    world.office.command("user", "revoke", "car-17", office=True)

    says(unit, "NO LINK", daemon, 5.0)
    daemon.says('driver told what="not admitted"', 15)
