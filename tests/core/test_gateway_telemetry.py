"""How the vehicle is: told by the clock and when it matters, never too often; alerts that clear; true counts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from gateway.core.press_count import PressCount
from gateway.core.round_trips import PENDING_MAX, RoundTrips
from gateway.core.telemetry import MEASURE_S, SUPPLY_STEADY_S, TelemetryRules, throttling
from gateway.core.told import Told
from gateway.core.words import LinkDown, LinkUp, Machine, Measure, Pressed, Released, Shutdown, Tell, WorkerGone
from gateway.machine import measure
from protocol.messages import Throttling
from tests.core.upkeep_rig import UpkeepRig


@pytest.fixture
def rig() -> UpkeepRig:
    return UpkeepRig(telemetry=TelemetryRules(every_s=60)).up()


def test_it_is_told_soon_after_connecting_and_then_every_minute(rig: UpkeepRig) -> None:
    rig.wait(300)
    times = [at for at, _ in rig.telemetry()]

    assert times[0] - 100 <= MEASURE_S
    assert [round(later - earlier) for earlier, later in pairwise(times)] == [60] * (len(times) - 1)
    assert len(times) == 5


def test_what_matters_is_told_sooner_but_never_within_ten_seconds(rig: UpkeepRig) -> None:
    rig.machine = Machine(temperature_c=50.0, throttled=0)
    rig.wait(15)
    for step in range(1, 40):
        rig.machine = Machine(temperature_c=50.0 + 10 * (step // 3 % 2), throttled=step // 3 % 2)
        rig.wait(1)
    times = [at for at, _ in rig.telemetry()]

    assert len(times) >= 3
    assert min(later - earlier for earlier, later in pairwise(times)) >= MEASURE_S - 1e-6


def test_small_changes_wait_for_the_minute(rig: UpkeepRig) -> None:
    rig.machine = Machine(temperature_c=50.0, load_1min=0.1, throttled=0)
    rig.wait(12)
    told = len(rig.telemetry())
    rig.machine = Machine(temperature_c=54.9, load_1min=3.0, throttled=0, disk_free_mb=500)
    rig.wait(30)

    assert len(rig.telemetry()) == told


def test_a_dead_worker_matters_and_is_counted(rig: UpkeepRig) -> None:
    rig.wait(12).feed(WorkerGone(reason="died")).wait(11)

    assert [t.worker_restarts for _, t in rig.telemetry()] == [0, 1]


def test_a_reconnection_is_counted_and_told_again(rig: UpkeepRig) -> None:
    rig.wait(12).feed(LinkDown(reason="gone")).wait(5).feed(LinkUp()).wait(11)
    last = rig.telemetry()[-1][1]

    assert last.link.reconnects == 1
    assert last.link.since_s <= 11
    assert len(rig.telemetry()) == 2


def test_nothing_is_published_without_a_link_but_alerts_are_kept_for_it() -> None:
    rig = UpkeepRig()
    rig.machine = Machine(temperature_c=85.0)
    rig.wait(200)
    before = rig.telemetry()
    rig.up()

    assert before == []
    assert "overheating" in rig.alerts()


def test_the_firmwares_bits_are_read_as_it_means_them() -> None:
    assert throttling(0x50005) == Throttling(
        undervoltage=True, throttled=True, undervoltage_since_boot=True, throttled_since_boot=True
    )
    assert throttling(0x80008) == Throttling(hot=True, hot_since_boot=True)
    assert throttling(0) == Throttling()
    assert throttling(None) is None


def test_heat_is_an_alert_until_it_has_really_cooled(rig: UpkeepRig) -> None:
    seen = []
    for celsius in (79.0, 80.0, 77.0, 75.0, 74.9):
        rig.machine = Machine(temperature_c=celsius)
        seen.append("overheating" in rig.wait(MEASURE_S).alerts())

    assert seen == [False, True, True, True, False]


def test_a_weak_supply_is_an_alert_until_it_was_good_for_a_minute(rig: UpkeepRig) -> None:
    rig.machine = Machine(throttled=0x10001)
    bad = "undervoltage" in rig.wait(MEASURE_S).alerts()
    rig.machine = Machine(throttled=0x10000)
    soon = "undervoltage" in rig.wait(SUPPLY_STEADY_S - MEASURE_S).alerts()
    later = "undervoltage" in rig.wait(3 * MEASURE_S).alerts()

    assert (bad, soon, later) == (True, True, False)


def test_a_full_disk_is_an_alert_until_there_is_room(rig: UpkeepRig) -> None:
    seen = []
    for free_mb in (60.0, 49.0, 80.0, 101.0):
        rig.machine = Machine(disk_free_mb=free_mb)
        seen.append("disk-full" in rig.wait(MEASURE_S).alerts())

    assert seen == [False, True, True, False]


def test_a_machine_that_says_nothing_raises_nothing(rig: UpkeepRig) -> None:
    rig.wait(30)

    assert rig.telemetry()[0][1].temperature_c is None
    assert rig.alerts() == set()


def test_presses_are_counted_by_their_first_answer(rig: UpkeepRig) -> None:
    rig.wait(1).talk(1).release().wait(20)
    rig.feed(LinkDown(reason="gone"), Pressed(at=rig.now - 0.05), Released(at=rig.now), LinkUp()).wait(11)
    rig.command("telemetry")
    counts = rig.telemetry()[-1][1].presses

    assert (counts.presses, counts.granted, counts.denied) == (2, 1, {"no connection": 1})
    assert counts.answer_ms_p50 is not None and counts.answer_ms_p99 == pytest.approx(50)


def test_percentiles_are_of_the_last_hundred_answers() -> None:
    count = PressCount()
    for number in range(1, 201):
        count.pressed(float(number))
        count.look([Tell(what=Told.GRANTED, press_no=number)], number + number / 1000)
        count.look([Tell(what=Told.TALK_ENDED, press_no=number)], number + 9)

    assert (count.counts().presses, count.counts().granted) == (200, 200)
    assert count.counts().answer_ms_p50 == pytest.approx(151)
    assert count.counts().answer_ms_p99 == pytest.approx(200)
    assert PressCount().counts().answer_ms_p50 is None


def test_an_emergency_is_no_press_whose_answer_took_as_long_as_the_machine_runs() -> None:
    count = PressCount()
    count.look([Tell(what=Told.GRANTED, press_no=1)], 8_000_000.0)
    count.pressed(8_000_001.0)
    count.look([Tell(what=Told.DENIED, press_no=2)], 8_000_001.01)
    count.look([Tell(what=Told.GRANTED, press_no=3)], 8_000_600.0)

    assert (count.counts().presses, count.counts().granted, count.counts().denied) == (1, 0, {"denied": 1})
    assert count.counts().answer_ms_p99 == pytest.approx(10, abs=0.1)


def test_round_trips_count_each_acknowledgement_once_and_forget_with_the_connection() -> None:
    trips = RoundTrips()
    first, second = trips.sent(1.0), trips.sent(1.0)
    trips.acked(first, 1.1)
    trips.acked(first, 9.0)
    trips.acked(99, 9.0)
    trips.lost()
    trips.acked(second, 9.0)

    assert trips.median_ms() == pytest.approx(100)
    assert RoundTrips().median_ms() is None


def test_unanswered_round_trips_are_bounded() -> None:
    trips = RoundTrips()
    tokens = [trips.sent(0.0) for _ in range(PENDING_MAX + 1)]
    trips.acked(tokens[0], 5.0)

    assert trips.median_ms() is None


def test_a_stopped_vehicle_asks_for_nothing_more(rig: UpkeepRig) -> None:
    rig.feed(Shutdown())
    before = len(rig.of(Measure))

    assert len(rig.wait(200).of(Measure)) == before


# --- the machine -----------------------------------------------------------------------------------------------------


def fake_root(tmp_path: Path, **files: str) -> Path:
    places = {
        "temp": "sys/class/thermal/thermal_zone0/temp",
        "throttled": "sys/bus/platform/drivers/raspberrypi-firmware/soc:firmware/get_throttled",
        "load": "proc/loadavg",
        "memory": "proc/meminfo",
    }
    for name, text in files.items():
        path = tmp_path / places[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_raspberry_pis_files_are_read(tmp_path: Path) -> None:
    root = fake_root(
        tmp_path,
        temp="61322\n",
        throttled="50005\n",
        load="0.31 0.20 0.10 1/200 999\n",
        memory="MemTotal: 948280 kB\nMemFree: 1 kB\nMemAvailable:  500000 kB\n",
    )

    found = measure(tmp_path, 7, root)

    assert (found.temperature_c, found.throttled, found.load_1min) == (61.322, 0x50005, 0.31)
    assert (found.memory_free_mb, found.queue_bytes) == (512.0, 7)
    assert found.disk_free_mb is not None and found.disk_free_mb > 0


@pytest.mark.parametrize("text", ["", "nonsense", "-1", "nan", "0x", "\xff\xfe", "9" * 400, "9" * 9000])
def test_files_with_nonsense_say_nothing_and_break_nothing(tmp_path: Path, text: str) -> None:
    root = fake_root(tmp_path, temp=text, throttled=text, load=text, memory=f"MemAvailable: {text}")

    found = measure(tmp_path / "gone", 0, root)

    assert found.disk_free_mb is None
    assert found.temperature_c in (None, -0.001)
    assert found.throttled is None
    assert found.load_1min is None or found.load_1min >= 0
    assert found.memory_free_mb is None or found.memory_free_mb >= 0


def test_a_machine_without_these_files_says_nothing(tmp_path: Path) -> None:
    assert measure(tmp_path / "gone", 0, tmp_path) == Machine()
