"""The Agora bridge between a real office and the stand-in's channel: both ways heard, and silent when it must be."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from protocol.messages import Priority
from protocol.timers import DRAIN_S, TRANSMIT_LEASE_S
from tests.integration.bridge_rig import CAR_HZ, NETWORK_S, PHONE_HZ, BridgedOffice
from tests.support.procs import eventually

MARGIN_S = 0.35
"""For two busy cores, beyond what is bounded by design."""


@pytest.fixture
def office(tmp_path: Path, sdk_dir: Path) -> Iterator[BridgedOffice]:
    with ExitStack() as stack:
        yield BridgedOffice(tmp_path, stack, sdk_dir)


def until_idle(office: BridgedOffice, burst: int, timeout_s: float = 6.0) -> float:
    """Wait for the announced end of a burst; gives when it was heard of."""

    def ended() -> float | None:
        for at_s, topic, payload, _ in list(office.tap.heard):
            if topic.endswith("/session") and b'"current_speaker":null' in payload and str(burst).encode() in payload:
                return at_s
        return None

    found = eventually(ended, timeout_s, lambda: f"the end of {burst}: {office.tap.on('session')[-3:]}")
    assert found is not None
    return found


def test_a_vehicle_is_heard_on_the_phone_and_silent_once_its_burst_is_over(office: BridgedOffice) -> None:
    # given a vehicle on MQTT, a phone on Agora, and the bridge between them
    bridge = office.start_bridge()
    vehicle, phone = office.vehicle(), office.phone()
    phone.sdk.do("subscribe", office.bridge_user.uid)
    # when the driver talks for two seconds
    vehicle.press()
    vehicle.answered("granted")
    session = office.tap.wait("session", current_speaker="car-1")
    time.sleep(2.5)
    vehicle.release()
    ended_at = until_idle(office, session["burst"])
    eventually(lambda: not office.hub.stats(office.channel).speaking, 3.0, "the bridge stopped publishing")
    time.sleep(NETWORK_S + MARGIN_S)
    # then the phone was told whose stream to take, heard it, and nothing beyond the burst's tail
    heard = phone.heard(CAR_HZ)
    assert session["speaker_uid"] == office.bridge_user.uid
    assert len(heard) >= 130
    assert max(heard) <= ended_at + DRAIN_S + NETWORK_S + MARGIN_S
    # and the bridge is no participant, and never asked for the floor
    roster = office.tap.on("roster")[-1]
    assert [m["in_channel"] for m in roster["members"] if m["user"] == "bridge-1"] == [False]
    assert not [t for _, t, _, _ in office.tap.heard if "/floor/bridge-1" in t]
    assert bridge.running


def test_a_phone_is_heard_in_the_vehicle_under_its_own_name_and_fenced_at_the_bursts_end(
    office: BridgedOffice,
) -> None:
    office.start_bridge()
    vehicle, phone = office.vehicle(), office.phone()
    # when the phone takes the floor and talks, and goes on pushing after it gave the floor back
    burst = phone.take_floor(1)
    phone.keep_renewing(burst)
    phone.sdk.do("publish")
    talking = phone.talking(4.0)
    time.sleep(2.5)
    phone.release(1, burst)
    phone.fall_silent()
    ended_at = until_idle(office, burst)
    talking.join()
    # then the vehicle heard it as the phone, under its burst, from frame 0 on, and nothing after its end
    frames = office.tap.voice("phone-1")
    assert {frame.burst for _, frame in frames} == {burst}
    assert [frame.seq for _, frame in frames] == list(range(len(frames)))
    assert len(frames) >= 60
    assert max(at_s for at_s, _ in frames) <= ended_at + MARGIN_S
    played = office.played_s(PHONE_HZ)
    assert len(played) >= 60
    assert max(played) - min(played) <= 2.5 + MARGIN_S
    assert office.tap.voice("bridge-1") == []
    assert vehicle.daemon.running


def test_a_bridge_that_is_killed_in_mid_burst_is_silent_and_a_new_one_takes_the_burst_up(
    office: BridgedOffice,
) -> None:
    bridge = office.start_bridge()
    office.vehicle()
    phone = office.phone()
    burst = phone.take_floor(1)
    phone.keep_renewing(burst)
    phone.sdk.do("publish")
    talking = phone.talking(14.0)
    eventually(lambda: len(office.tap.voice("phone-1")) > 30, 6.0, "the phone is relayed")
    # when it is killed
    killed_at = time.monotonic()
    bridge.signal(signal.SIGKILL)
    bridge.wait()
    time.sleep(1.0)
    before = office.tap.voice("phone-1")
    # and another one is started
    office.start_bridge("again")
    eventually(lambda: len(office.tap.voice("phone-1")) > len(before) + 40, 10.0, "the burst is taken up")
    resumed = office.tap.voice("phone-1")[len(before) :]
    time.sleep(1.0)
    phone.release(1, burst)
    phone.fall_silent()
    until_idle(office, burst)
    talking.join()
    # then it was silent meanwhile, went on above all numbers sent, and the vehicle heard both parts
    assert max(at_s for at_s, _ in before) <= killed_at + MARGIN_S
    assert min(frame.seq for _, frame in resumed) > max(frame.seq for _, frame in before)
    assert min(frame.capture_ms for _, frame in resumed) > max(frame.capture_ms for _, frame in before)
    played = office.played_s(PHONE_HZ)
    gap_at = max(range(1, len(played)), key=lambda n: played[n] - played[n - 1])
    assert played[gap_at] - played[gap_at - 1] >= 1.0
    assert gap_at >= 20
    assert len(played) - gap_at >= 40


@pytest.mark.parametrize("speaker", ["car-1", "phone-1"])
def test_a_bridge_that_stands_still_is_silent_when_its_permission_lapses(office: BridgedOffice, speaker: str) -> None:
    bridge = office.start_bridge()
    vehicle, phone = office.vehicle(), office.phone()
    phone.sdk.do("subscribe", office.bridge_user.uid)
    talking = []
    speaks = {"car-1": lambda: phone.heard(CAR_HZ), "phone-1": lambda: [t for t, _ in office.tap.voice("phone-1")]}
    if speaker == "car-1":
        vehicle.press()
        vehicle.answered("granted")
    else:
        phone.keep_renewing(phone.take_floor(1))
        phone.sdk.do("publish")
        talking.append(phone.talking(6.0))
    eventually(lambda: len(speaks[speaker]()) > 30, 6.0, "it is relayed")
    # when the bridge's process stands still while the burst goes on
    stopped_at = time.monotonic()
    os.kill(bridge.pid, signal.SIGSTOP)
    time.sleep(2.0)
    silent_from = max(speaks[speaker]())
    os.kill(bridge.pid, signal.SIGCONT)
    # then its worker is silent by itself, and goes on when the process does
    assert silent_from <= stopped_at + TRANSMIT_LEASE_S + NETWORK_S + MARGIN_S
    count = len(speaks[speaker]())
    eventually(lambda: len(speaks[speaker]()) > count + 20, 6.0, "it goes on")
    for thread in talking:
        thread.join()


def test_a_phone_that_preempts_a_vehicle_is_heard_and_the_vehicle_no_more(office: BridgedOffice) -> None:
    office.start_bridge()
    vehicle, phone = office.vehicle(), office.phone(Priority.HIGH)
    phone.sdk.do("subscribe", office.bridge_user.uid)
    vehicle.press()
    vehicle.answered("granted")
    eventually(lambda: len(phone.heard(CAR_HZ)) > 30, 6.0, "the vehicle is relayed")
    # when the phone takes the floor while the driver's button stays down
    phone.request(1, Priority.HIGH)
    burst = phone.granted(1).burst
    cut_at = time.monotonic()
    phone.keep_renewing(burst, 1)
    phone.sdk.do("publish")
    phone.talk(1.5)
    phone.release(1, burst)
    vehicle.release()
    # then the vehicle's voice ends at once on Agora, and the phone's is heard in the vehicle under its own burst
    assert max(phone.heard(CAR_HZ)) <= cut_at + NETWORK_S + MARGIN_S
    assert {frame.burst for _, frame in office.tap.voice("phone-1")} == {burst}
    assert len(office.played_s(PHONE_HZ)) >= 40


def test_a_crash_in_agoras_native_code_costs_a_gap_and_no_more(office: BridgedOffice) -> None:
    bridge = office.start_bridge()
    office.vehicle()
    phone = office.phone()
    burst = phone.take_floor(1)
    phone.keep_renewing(burst)
    phone.sdk.do("publish")
    talking = phone.talking(8.0)
    eventually(lambda: len(office.tap.voice("phone-1")) > 30, 6.0, "the phone is relayed")
    # when the bridge's worker dies of SIGSEGV in the library
    office.hub.crash(office.bridge_user.uid)
    bridge.says("voice worker gone", 5.0)
    died_at = time.monotonic()
    alert = office.tap.wait("device/bridge-1/alert/voice-worker", alert="voice-worker")
    before = len(office.tap.voice("phone-1"))
    eventually(lambda: len(office.tap.voice("phone-1")) > before + 40, 8.0, "a new worker goes on")
    talking.join()
    # then the bridge lives on, said so, and took the same burst up
    gap_s = min(at_s for at_s, _ in office.tap.voice("phone-1")[before:]) - died_at
    assert bridge.running
    assert "SIGSEGV" in alert["what"]
    assert gap_s <= 3.0
    assert {frame.burst for _, frame in office.tap.voice("phone-1")} == {burst}
    assert [payload for _, topic, payload, _ in office.tap.heard if topic.endswith("alert/voice-worker")][-1] == b""


def test_a_bridge_is_silent_while_the_broker_is_away_and_relays_again_when_it_is_back(office: BridgedOffice) -> None:
    bridge = office.start_bridge()
    vehicle, phone = office.vehicle(), office.phone()
    phone.sdk.do("subscribe", office.bridge_user.uid)
    vehicle.press()
    vehicle.answered("granted")
    eventually(lambda: len(phone.heard(CAR_HZ)) > 30, 6.0, "the vehicle is relayed")
    # when the broker dies in mid-burst, and comes back
    office.rest.broker.kill()
    died_at = time.monotonic()
    bridge.says("link down", 5.0)
    time.sleep(1.5)
    silent_from = max(phone.heard(CAR_HZ))
    vehicle.release()
    office.rest.broker.start()
    vehicle.online()
    eventually(lambda: bridge.log.count("dispatch.bridge: link up") == 2, 15.0, lambda: bridge.log)
    # then it was silent meanwhile, and the next press is heard
    assert silent_from <= died_at + TRANSMIT_LEASE_S + NETWORK_S + MARGIN_S

    def heard_again() -> bool:
        vehicle.press()
        time.sleep(1.0)
        vehicle.release()
        time.sleep(0.5)
        return max(phone.heard(CAR_HZ)) > died_at + 3.0

    eventually(heard_again, 15.0, lambda: bridge.log)


def test_the_channel_is_joined_only_for_a_session_and_no_secret_is_shown(office: BridgedOffice) -> None:
    bridge = office.start_bridge()
    vehicle = office.vehicle()
    before = office.hub.stats(office.channel).joined
    vehicle.press()
    vehicle.answered("granted")
    eventually(lambda: office.bridge_user.uid in office.hub.stats(office.channel).joined, 5.0, "it joins")
    vehicle.release()
    eventually(lambda: not office.hub.stats(office.channel).joined, 15.0, "it leaves after the session")
    commands = Path(f"/proc/{bridge.pid}/cmdline").read_bytes() + Path(f"/proc/{bridge.pid}/environ").read_bytes()

    assert bridge.stop() == 0
    office.tap.wait("presence/bridge-1", state="offline")
    assert list(before) == []
    tokens = [join.token for join in office.hub.joins]
    assert tokens
    shown = bridge.log.encode() + commands
    assert [s for s in (*(s.reveal() for s in office.secrets), *tokens) if s.encode() in shown] == []
