"""One command answers why a vehicle could, or could not, talk: after a talk, a denial, and a press without a link."""

from __future__ import annotations

import json
import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dispatch.history.day import DEFAULT_ZONE, local, zone
from tests.integration.dispatch_rig import Service
from tests.integration.gateway_rig import Tap, Vehicle
from tests.support.broker import Broker
from tests.support.procs import Daemons, eventually

WRONG_BY_S = 180
WRONG_CLOCK = (
    "import sys, time, gateway.daemon\n"
    f"gateway.daemon._wall_ms = lambda: int((time.time() - {WRONG_BY_S}) * 1000)\n"
    "from gateway.cli import main\n"
    "sys.exit(main())"
)


def traces(service: Service, user: str, count: int, listeners: int = 0) -> list[dict[str, Any]]:
    """Give what `trace` knows of a vehicle's last presses, once there are so many whole ones, each of them heard."""

    def found() -> list[dict[str, Any]] | None:
        said = service.run("trace", user, "--json")
        told = [json.loads(line) for line in said.stdout.splitlines()]
        whole = [one for one in told if one["trace"] and len(one["listeners"]) >= listeners]
        return told if len(whole) >= count else None

    told = eventually(found, 12, f"{count} traces of {user}")
    assert told is not None
    return told


HEARD_AT = re.compile(r"at_s=([0-9.]+)")


def truth_ms(edge_s: float) -> float:
    """The wall clock's time of a moment of the monotonic clock."""
    return (edge_s + time.time() - time.monotonic()) * 1000


def test_a_talk_a_denial_and_a_press_without_a_link_are_each_told_on_one_clock(tmp_path: Path) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder=tmp_path / "broker"))
        service = Service(stack, tmp_path, broker, rules="hang_s = 1")
        service.start()
        one, two = (Vehicle(stack, tmp_path, broker.port, user) for user in ("car-1", "car-2"))
        one.start(ready=False)
        two.daemon = stack.enter_context(Daemons(two.folder)).python(
            "gateway", "-c", WRONG_CLOCK, "run", "--config", two.config
        )
        one.online()
        two.online()
        tap = Tap(stack, broker.port)
        tap.wait("heartbeat/car-2", type="time_probe")

        edge_s = one.press()
        one.answered("granted")
        heard_s = float(HEARD_AT.findall(two.daemon.says("burst heard"))[0])
        denied_s = two.press()
        two.answered("denied")
        two.release()
        eventually(lambda: len(tap.voice("car-1")) > 5, 5, "voice of car-1")
        one.release()
        tap.wait("heartbeat/car-2", type="burst_played")
        (talk,) = traces(service, "car-1", 1)
        listened = traces(service, "car-1", 1, listeners=1)[0]["listeners"][0]
        burst = talk["trace"]["burst"]
        by_burst = service.run("trace", "--burst", str(burst))
        no_burst = service.run("trace", "--burst", str(burst + 1))
        (denial,) = traces(service, "car-2", 1)
        broker.stop()
        eventually(lambda: not two.status()["link"]["up"], 8, "the link is noticed to be gone")
        offline_s = two.press()
        two.answered("no connection")
        two.release()
        broker.start()
        offline = traces(service, "car-2", 2)[-1]
        clock = f"{local(int(truth_ms(denied_s)), zone(DEFAULT_ZONE)):%Y-%m-%d %H:%M}"
        told = service.run("trace", "car-2", "--at", clock[11:], "--day", clock[:10]).stdout

    assert talk["verdict"].startswith("GRANTED: spoke as burst ")
    assert denial["verdict"].startswith("DENIED: car-1 driver was speaking, at most ")
    assert offline["verdict"].startswith("NO CONNECTION: the link ")
    assert talk["trace"]["through_ms"] > 0
    assert 0 <= talk["trace"]["asked_ms"] <= talk["trace"]["permitted_ms"] <= talk["trace"]["released_ms"]
    for press, pressed_s in ((talk, edge_s), (denial, denied_s), (offline, offline_s)):
        assert press["measured"]
        assert press["error_ms"] < 200
        assert abs(press["at"] - truth_ms(pressed_s)) <= press["error_ms"]
    heard_ms = truth_ms(heard_s) - truth_ms(edge_s)
    assert listened["user"] == "car-2"
    assert listened["frames"] > 0
    assert listened["error_ms"] < 400
    assert abs(listened["heard_ms"] - heard_ms) <= listened["error_ms"]
    assert 0 < listened["join_ms"] < 1000
    assert f"heard by car-2, ±{listened['error_ms']} ms, which joined the channel in " in by_burst.stdout
    assert (no_burst.returncode, "there is no burst" in no_burst.stderr) == (1, True)
    assert "DENIED: car-1 driver was speaking" in told
    assert "NO CONNECTION: the link " in told


def test_of_who_never_pressed_it_says_so_and_of_nobody_that_there_is_none(tmp_path: Path) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder=tmp_path / "broker"))
        service = Service(stack, tmp_path, broker)
        service.start()
        car = service.car("car-9")
        eventually(lambda: "car-9" in service.run("status").stdout, 8, "the member is known")
        never = service.run("trace", "car-9", "--at", "10:32", "--day", "2026-01-02")
        car.leave()
        nobody = service.run("trace", "car-99", "--at", "10:32")
        wrong = service.run("trace", "car-9", "--at", "25:00")

    assert never.returncode == 0
    assert never.stdout.splitlines() == [
        "car-9 did not press 2026-01-02 10:31:00-10:34:00",
        "  no press of it is known from before",
    ]
    assert (nobody.returncode, nobody.stderr) == (1, "ptt-dispatch: no member car-99 is known in seoul/office-0\n")
    assert wrong.returncode == 2
    assert "write HH:MM" in wrong.stderr
