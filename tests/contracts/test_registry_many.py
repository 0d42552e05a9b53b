"""A registry that many change at once: threads, processes, and commands that come and go."""

import multiprocessing
import threading
from pathlib import Path

from dispatch.registry.port import CodeRefused
from dispatch.registry.sql import SqlRegistry
from dispatch.store.sql import SqlStore
from protocol.messages import VoicePath
from protocol.rest import Role
from tests.contracts.registry_rig import (
    HQ,
    Opener,
    code,
    nothing,
    some_hash,
    there,
)


def test_a_code_used_by_many_at_once_enrols_one_of_them(registry: SqlRegistry, opener: Opener) -> None:
    digest, entered = code(registry), threading.Barrier(4)
    outcomes: list[str] = []

    def enrol(unit: str, mine: SqlRegistry) -> None:
        entered.wait(10)
        try:
            outcomes.append(mine.enrol(digest, unit, some_hash(), nothing)[0].hardware or "")
        except CodeRefused as refused:
            outcomes.append(refused.fault.value)

    threads = [threading.Thread(target=enrol, args=(f"unit-{n}-aaaa", opener()), name=f"unit-{n}") for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    user = there(registry)
    assert sorted(outcomes) == sorted([str(user.hardware), *["used_code"] * 3])
    assert user.generation == 1


def add_users(url: str, prefix: str) -> None:
    registry = SqlRegistry(url)
    for number in range(20):
        registry.add_user(HQ, f"{prefix}-{number}", Role.VEHICLE_GATEWAY, "x")
    registry.close()


def test_processes_change_one_registry_at_once_and_a_reader_never_waits(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/office.db"
    registry = SqlRegistry(url)
    registry.add_region("seoul", "x")
    registry.add_office(HQ, "x", VoicePath.MQTT)
    before = registry.rev()
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=add_users, args=(url, prefix), name=prefix) for prefix in ("a", "b", "c")]
    for process in processes:
        process.start()
    revs = [registry.rev()]
    while any(process.is_alive() for process in processes):
        revs.append(registry.rev())
    for process in processes:
        process.join(30)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert revs == sorted(revs)
    assert registry.rev() == before + 60
    assert len({u.uid for u in registry.users()}) == len(registry.users()) == 60
    registry.close()


def test_a_command_that_comes_and_goes_takes_no_log_from_under_those_who_stay(tmp_path: Path) -> None:
    url, log = f"sqlite:///{tmp_path}/office.db", tmp_path / "office.db-wal"
    store, registry = SqlStore(url), SqlRegistry(url)  # as the floor control server has them
    registry.add_region("seoul", "x")
    registry.add_office(HQ, "x", VoicePath.MQTT)
    inode = log.stat().st_ino

    for prefix in ("a", "b"):
        command = multiprocessing.get_context("spawn").Process(target=add_users, args=(url, prefix), name=prefix)
        command.start()
        command.join(30)
        registry.add_user(HQ, f"ours-{prefix}", Role.MONITOR, "x")

    assert log.stat().st_ino == inode
    assert len(registry.users()) == 42
    other = SqlRegistry(url)
    assert other.users() == registry.users()
    for each in (other, registry, store):
        each.close()
