"""A store that many write to at once, and one whose writer is killed."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.store_rig import (
    BACKENDS,
    HQ,
    POSTGRESQL,
    ROOT,
    Opener,
    assert_one_holder_at_a_time,
    make_opener,
    python,
    take_or_give,
)


@pytest.fixture(params=BACKENDS)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    with contextlib.ExitStack() as stack:
        yield make_opener(request.param, tmp_path, stack)


def test_threads_that_hammer_one_office_never_hold_its_floor_together(opener: Opener) -> None:
    stores = [opener() for _ in range(3)]
    taken: list[list[int]] = [[], [], []]

    def hammer(me: int) -> None:
        for turn in range(60):
            burst = stores[me].transact(HQ, lambda tx: take_or_give(tx, f"car-{me}"), durable=turn % 2 == 0)
            taken[me] += [burst] if burst else []

    threads = [threading.Thread(target=hammer, args=(n,), name=f"hammer-{n}") for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    bursts = assert_one_holder_at_a_time(stores[0].unpublished(HQ, 10_000))
    assert bursts == sorted(set(bursts)) == sorted(burst for mine in taken for burst in mine)


HAMMER = """
import random, sys, time
sys.path.insert(0, {root!r})
from dispatch.ports import StoreUnavailable
from dispatch.store.sql import SqlStore
from tests.contracts.store_rig import HQ, take_or_give
store = SqlStore({url!r})
print("ready", flush=True)
sys.stdin.readline()
won, holding, until = 0, False, time.monotonic() + 20
while (won < 40 or holding) and time.monotonic() < until:
    try:
        burst = store.transact(HQ, lambda tx: take_or_give(tx, {me!r}), durable=True)
    except StoreUnavailable:  # SQLite's lock is not fair: under load one side may wait past the bound, and tries again
        continue
    holding = burst is not None
    if holding:
        won += 1
        print(burst)
    time.sleep(random.random() / 500)
"""


def shared_url(backend: str, folder: Path) -> str:
    return POSTGRESQL if backend == "postgresql" else f"sqlite:///{folder}/office.db"


SHARED = tuple(b for b in BACKENDS if b != "memory")


@pytest.mark.parametrize("backend", SHARED)
def test_processes_that_hammer_one_office_never_hold_its_floor_together(backend: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        store = make_opener(backend, tmp_path, stack)()
        workers = [
            stack.enter_context(python(HAMMER, root=str(ROOT), url=shared_url(backend, tmp_path), me=f"car-{n}"))
            for n in range(2)
        ]
        for worker in workers:
            assert worker.stdout and worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin
            worker.stdin.write("go\n")
            worker.stdin.flush()
        said = [worker.communicate(timeout=30)[0].split() for worker in workers]

        bursts = assert_one_holder_at_a_time(store.unpublished(HQ, 10_000))
        assert all(said)
        assert bursts == sorted(set(bursts)) == sorted(int(line) for lines in said for line in lines)


WRITER = """
import sys
sys.path.insert(0, {root!r})
from dispatch.store.sql import SqlStore
from tests.contracts.store_rig import HQ, event
store = SqlStore({url!r})
number = 0
while True:
    number += 1
    store.transact(HQ, lambda tx: tx.append_event(event(number)), durable=True)
    print(number, flush=True)
"""


@pytest.mark.parametrize("backend", SHARED)
def test_a_killed_writer_loses_nothing_it_had_reported(backend: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        opener = make_opener(backend, tmp_path, stack)
        identity = opener().store_id
        writer = stack.enter_context(python(WRITER, root=str(ROOT), url=shared_url(backend, tmp_path)))
        assert writer.stdout
        for line in writer.stdout:
            if int(line) >= 50:
                break
        writer.send_signal(signal.SIGKILL)
        reported = max([50, *map(int, writer.stdout.read().split())])
        writer.wait(10)

        survivor = opener()
        kept = [e.no for e in survivor.unpublished(HQ, 100_000)]
        assert kept == list(range(1, len(kept) + 1))
        assert reported <= len(kept) <= reported + 1
        assert survivor.store_id == identity
