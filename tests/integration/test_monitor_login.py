"""`ptt watch` under a login: its client id is the login, and of two under one login the later one stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.broker import Broker
from monitor import watch
from tests.support.procs import Daemon, Daemons, eventually

LOGIN = "seoul.north.desk"


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(lines=["log_type all"]) as made:
        yield made


def watching(daemons: Daemons, name: str, broker: Broker, *more: str) -> Daemon:
    argv = ["watch", "--broker", f"127.0.0.1:{broker.port}", "--all", "--json", "--lang", "en", *more]
    return daemons.python(name, "-m", "monitor", *argv)


def links(daemon: Daemon) -> list[bool]:
    lines = [json.loads(line) for line in daemon.log.splitlines() if line.startswith("{")]
    return [line["connected"] for line in lines if line["kind"] == "link"]


def test_of_two_watches_under_one_login_the_first_says_so_and_ends(broker: Broker, tmp_path: Path) -> None:
    with Daemons(tmp_path) as daemons:
        first = watching(daemons, "first", broker, "--username", LOGIN)
        eventually(lambda: True in links(first), 10, lambda: first.log)

        second = watching(daemons, "second", broker, "--username", LOGIN)
        status = first.wait(10)
        eventually(lambda: True in links(second), 10, lambda: second.log)

        assert status == watch.TAKEN_OVER
        assert f"another `ptt watch` logged in as {LOGIN}" in first.log
        assert links(first)[-1] is False
        eventually(lambda: links(second)[-1], 10, lambda: second.log)
    assert f"as {LOGIN} " in broker.log


def test_without_a_login_any_number_may_watch(broker: Broker, tmp_path: Path) -> None:
    with Daemons(tmp_path) as daemons:
        two = [watching(daemons, name, broker) for name in ("first", "second")]

        eventually(lambda: [True in links(one) for one in two] == [True, True], 10, "both are connected")

        assert [one.running for one in two] == [True, True]
