"""The real floor control server while processes die, stores are away, brokers restore what is old."""

import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.ids import epoch_of
from protocol.messages import (
    Alert,
    DenyCause,
    Event,
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    Presence,
    PresenceState,
    Session,
)
from protocol.topics import Kind, topic
from tests.integration.dispatch_flood_rig import FloodingBroker
from tests.integration.dispatch_rig import Client, Service, idle, rig
from tests.support.procs import eventually


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    yield from rig(tmp_path)


@pytest.fixture
def lasting(tmp_path: Path) -> Iterator[Service]:
    """A service whose broker keeps retained messages over a restart."""
    yield from rig(tmp_path, persistence=True)


def test_a_killed_service_comes_back_with_floor_participants_and_events_and_the_holder_talks_on(
    service: Service,
) -> None:
    first = service.start()
    monitor, holder = service.monitor(), service.car("car-1")
    burst = holder.take_floor(1)
    holder.keep_renewing(burst)
    session = monitor.expect(Session, lambda s: s.burst == burst)
    service.car("car-2", in_channel=session.event_id)
    monitor.expect(Event, lambda e: e.user == "car-2")
    before = service.events(service.offices[0])

    first.kill()
    time.sleep(0.5)
    service.start()

    again = monitor.expect(Session, lambda s: epoch_of(s.rev) > epoch_of(session.rev))
    assert (again.burst, again.current_speaker, again.event_id) == (burst, "car-1", session.event_id)
    holder.forget()
    time.sleep(3.5)
    assert holder.expect(FloorRenewed).burst == burst
    snapshot = service.status()["offices"][0]
    assert {m["user"]: m["in_channel"] for m in snapshot["members"]} == {"car-1": None, "car-2": session.event_id}
    assert service.events(service.offices[0]) == before
    holder.fall_silent()
    holder.release(1, burst)
    assert holder.take_floor(2) > burst


def test_events_nobody_acknowledged_before_a_kill_are_published_after_the_restart(service: Service) -> None:
    first = service.start()
    car = service.car("car-1")
    car.take_floor(1)
    first.kill()
    with sqlite3.connect(service.store) as connection:
        connection.execute("UPDATE event SET published = 0")
    monitor = service.monitor()

    service.start()

    assert [monitor.expect(Event, lambda e, n=n: e.no == n).no for n in (1, 2)] == [1, 2]  # type: ignore[misc]
    eventually(lambda: service.status()["offices"][0]["unpublished_events"] == 0)


def test_a_killed_broker_that_restores_what_is_old_is_corrected(lasting: Service) -> None:
    lasting.start()
    monitor, one, two = lasting.monitor(), lasting.car("car-1"), lasting.car("car-2")
    old = one.take_floor(1)
    one.release(1, old)
    monitor.expect(Session, lambda s: idle(s) and s.burst == old)
    save_broker(lasting)
    two.tell(PresenceState.OFFLINE, 2)
    monitor.expect(Presence, lambda p: p.state is PresenceState.OFFLINE)
    new = one.take_floor(2)
    monitor.expect(Session, lambda s: s.burst == new)
    monitor_sees_events = monitor.expect(Event, lambda e: e.metadata.get("burst") == new)

    lasting.broker.kill()
    lasting.broker.start()

    fresh = Client(lasting.stack, lasting.broker, "fresh")
    fresh.subscribe(topic(lasting.offices[0], Kind.SESSION), topic(lasting.offices[0], Kind.PRESENCE, "car-2"))
    assert fresh.expect(Session, lambda s: s.burst == new, timeout_s=8)
    corrected = fresh.expect(Presence, lambda p: p.state is PresenceState.OFFLINE, timeout_s=8)
    assert (corrected.connection_id, corrected.presence_no) == ((1, 1, 1), 2)
    assert monitor_sees_events.no > 0


def save_broker(service: Service) -> None:
    """Have mosquitto write its store now."""
    path = service.broker.folder / "mosquitto.db"
    before = path.stat().st_mtime_ns if path.exists() else 0
    service.broker_signal(signal.SIGUSR1)
    eventually(lambda: path.exists() and path.stat().st_mtime_ns > before)


def test_a_broker_that_is_absent_at_start_is_served_once_it_appears(service: Service) -> None:
    service.broker.stop()
    daemon = service.start(serving=False)

    daemon.says("no broker")
    assert "is the broker running?" in daemon.log
    status = service.run("status")
    assert status.returncode == 1
    assert "NOT CONNECTED" in status.stdout
    service.broker.start()
    daemon.says("serving", timeout_s=10)
    assert service.car("car-1").take_floor(1)


def test_a_locked_store_denies_with_an_alert_keeps_the_holder_and_recovers(service: Service) -> None:
    daemon = service.start()
    monitor, holder, other = service.monitor(), service.car("car-1"), service.car("car-2")
    burst = holder.take_floor(1)
    holder.keep_renewing(burst)
    intruder = sqlite3.connect(service.store, isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")

    other.request(1)
    denied = other.expect(FloorDeny)
    alert = monitor.expect(Alert)
    time.sleep(3.2)  # longer than the lease
    intruder.execute("ROLLBACK")
    intruder.close()

    assert denied.cause is DenyCause.INTERNAL_ERROR
    assert (alert.alert, alert.severity.value) == ("store-unavailable", "critical")
    assert "is locked by another process -> end whatever else" in alert.mend
    assert "store unavailable" in daemon.log
    daemon.says("store is back")
    where = topic(service.offices[0], Kind.ALERT, "dispatch", "store-unavailable")
    monitor.take(lambda at, payload, _: at == where and not payload)
    holder.forget()
    assert holder.expect(FloorRenewed).burst == burst
    other.request(2)
    assert other.expect(FloorDeny).cause is DenyCause.ANOTHER_HAS_PERMISSION


def test_a_foreign_store_is_refused_with_an_alert_and_adopted_only_when_told_to(service: Service) -> None:
    first = service.start()
    monitor, car = service.monitor(), service.car("car-1")
    burst = car.take_floor(1)
    car.release(1, burst)
    assert first.stop() == 0
    service.write_config(service.folder / "other" / "office.db")
    monitor.forget()

    refused = service.start(serving=False)
    refused.says("office refused")
    alert = monitor.expect(Alert)
    car.forget()
    car.request(2)
    status = service.run("status")
    unanswered = not car.has(FloorGranted)
    refused.stop()
    service.start("--adopt")
    where = topic(service.offices[0], Kind.ALERT, "dispatch", "foreign-store")

    assert alert.alert == "foreign-store"
    assert "start once with --adopt" in alert.mend
    assert unanswered
    assert status.returncode == 1
    assert "REFUSED: the broker's retained session was issued by store" in status.stdout
    adopted = monitor.expect(Session, lambda s: s.burst == 0 and epoch_of(s.rev) > epoch_of(burst))
    car.request(3)
    assert car.granted(3).burst > burst
    assert adopted.store not in alert.mend.split("this one is")[0]
    monitor.take(lambda at, payload, _: at == where and not payload, timeout_s=5)


def test_a_stopped_service_leaves_cleanly_and_says_so(service: Service) -> None:
    daemon = service.start()
    running = service.run("status")

    assert daemon.stop() == 0
    assert "stopped" in daemon.log
    after = service.run("status")
    assert (running.returncode, after.returncode) == (0, 1)
    assert "service 1: running for" in running.stdout
    assert "service: NOT RUNNING" in after.stdout


def test_a_stopped_process_is_told_from_a_dead_one(service: Service) -> None:
    daemon = service.start()

    daemon.signal(signal.SIGSTOP)
    status = service.run("status")
    daemon.signal(signal.SIGCONT)

    assert status.returncode == 1
    assert "DOES NOT ANSWER" in status.stdout


def test_a_second_service_of_the_same_name_is_refused(service: Service) -> None:
    service.start()

    second = service.start(serving=False)

    assert second.wait() == 1
    assert "another service with this replica name is running" in second.log


def test_two_replicas_serve_one_office_from_one_store(service: Service) -> None:
    service.start()
    second = service.folder / "second.toml"
    second.write_text('replica = "2"\n' + service.config.read_text())
    service.config = second
    service.start()
    cars = [service.car(f"car-{n}") for n in range(3)]

    bursts: list[int] = []
    for press in range(1, 6):
        for car in cars:
            car.request(press)
        answers = [(car, car.expect(object, lambda m: isinstance(m, FloorGranted | FloorDeny))) for car in cars]
        [(winner, burst)] = [(car, a.burst) for car, a in answers if isinstance(a, FloorGranted)]
        bursts.append(burst)
        winner.release(press, burst)
        winner.expect(FloorAck)
        for car in cars:
            car.forget()

    assert bursts == sorted(set(bursts))
    numbers = [e["no"] for e in service.events(service.offices[0])]
    assert numbers == list(range(1, len(numbers) + 1))


def test_under_a_flood_that_never_ends_a_renewed_floor_is_kept_and_a_silent_one_freed_in_time(service: Service) -> None:
    # given a broker that always has something more to read
    office = service.offices[0]
    with FloodingBroker(office) as broker:
        service.config.write_text(service.config.read_text().replace(f"port = {service.broker.port}", broker.port_line))
        service.start()
        # when somebody asks for the floor and renews it for a while
        request = FloorRequest(request_id=(1, 1, 1, 1))
        broker.say(topic(office, Kind.FLOOR, "car-1"), request)
        granted = broker.heard(FloorGranted, 5.0)
        for number in range(1, 9):
            broker.say(topic(office, Kind.FLOOR, "car-1"), FloorRenew(burst=granted.burst, renew_no=number))
            time.sleep(0.5)
        # then the floor is kept, and idle is announced after the last renewal, in time
        assert not [s for s in broker.all_heard(Session) if s.burst == granted.burst and idle(s)]
        eventually(lambda: [s for s in broker.all_heard(Session) if s.burst == granted.burst and idle(s)], 5.0)
        assert broker.blocks > 10


def test_systemd_is_told_ready_status_and_the_watchdogs_beat_with_and_without_a_broker(service: Service) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(service.folder / "notify"))
    listener.settimeout(5)
    env = {"NOTIFY_SOCKET": str(service.folder / "notify"), "WATCHDOG_USEC": "400000"}
    service.broker.stop()

    daemon = service.start(serving=False, env=env)
    told = hear(listener, "WATCHDOG=1")
    service.broker.start()
    later = hear(listener, "STATUS=serving 1 office(s)", timeout_s=10)
    daemon.stop()
    listener.close()

    assert "READY=1" in told + later
    assert any(each.startswith("STATUS=no broker: connection refused") for each in told + later)


def hear(listener: socket.socket, until: str, timeout_s: float = 5.0) -> list[str]:
    """Read notifications until one begins like this."""
    heard: list[str] = []
    deadline = time.monotonic() + timeout_s
    while not (heard and heard[-1].startswith(until)):
        assert time.monotonic() < deadline, heard
        heard.append(listener.recv(4096).decode())
    return heard


def test_events_are_followed_as_they_happen(service: Service) -> None:
    service.start()
    car = service.car("car-1")
    follower = service.start_command("events", "--json", "--follow")
    burst = car.take_floor(1)

    follower.says('"event":"SPEAKER_CHANGED"')
    car.release(1, burst)
    follower.says('"event":"BURST_ENDED"')
    follower.signal(signal.SIGINT)

    assert follower.wait() == 0
    assert [line.split('"no":')[1].split(",")[0] for line in follower.log.splitlines()] == ["1", "2", "3"]
