"""What every voice transport keeps to: on a bus in memory and over a real mosquitto."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from protocol.ids import OfficeId
from protocol.voice_frame import FrameFlags, VoiceFrame
from protocol.worker_settings import VoiceMqttSettings
from service.loop import Loop
from tests.support.broker import Broker
from tests.support.proxy import Proxy
from voice.transports.mqtt_voice import MqttVoice
from voice.transports.port import Arrived, InChannel, LinkDown, LinkUp, Sent, TransportEvent, VoiceTransport

OFFICE = OfficeId("kr", "seoul")
E = TypeVar("E")


class Hub:
    """A bus in memory: what one sends, all others get."""

    def __init__(self) -> None:
        self.members: list[MemoryVoice] = []


class MemoryVoice:
    """VoiceTransport on a Hub."""

    name = "memory"

    def __init__(self, hub: Hub, user: str, tell: Callable[[TransportEvent], None]) -> None:
        self._hub, self._user, self._tell = hub, user, tell
        self.up = False

    def start(self) -> None:
        self.up = True
        self._hub.members.append(self)
        self._tell(LinkUp())

    def stop(self) -> None:
        self.up = False

    def join(self, event_id: str) -> None:
        self._tell(InChannel(event_id))

    def leave(self) -> None:
        pass

    def room(self, now: float) -> bool:
        return self.up

    def send(self, frame: VoiceFrame, now: float) -> bool:
        if self.up:
            for member in self._hub.members:
                if member is not self and member.up:
                    member._tell(Arrived(self._user, frame, now))
            self._tell(Sent(frame.burst, frame.seq))
        return self.up

    def gone_by(self, deadline_s: float | None) -> None:
        pass

    def tick(self, now: float) -> None:
        pass

    def next_deadline(self) -> float | None:
        return None


class Office:
    """Two transports of one office, on one loop that is turned for as long as something is awaited."""

    def __init__(self, make: Callable[[Loop, str, Callable[[TransportEvent], None]], VoiceTransport]) -> None:
        self.loop = Loop()
        self.told: dict[str, list[TransportEvent]] = {"car-1": [], "car-2": []}
        self.cars = {user: make(self.loop, user, told.append) for user, told in self.told.items()}

    def of(self, user: str, kind: type[E]) -> list[E]:
        return [event for event in self.told[user] if isinstance(event, kind)]

    def until(self, holds: Callable[[], bool], timeout_s: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_s

        def step(now: float) -> float | None:
            for car in self.cars.values():
                car.tick(now)
            if holds() or now > deadline:
                self.loop.stop()
            return now + 0.01

        self.loop.run(step)
        assert holds(), self.told

    def close(self) -> None:
        for car in self.cars.values():
            car.stop()
        self.loop.close()


def mqtt(port: int) -> Callable[[Loop, str, Callable[[TransportEvent], None]], VoiceTransport]:
    def make(loop: Loop, user: str, tell: Callable[[TransportEvent], None]) -> VoiceTransport:
        settings = VoiceMqttSettings(port=port, client_id=f"{user}-voice")
        return MqttVoice(loop, settings, OFFICE, user, tell, random.Random(1))

    return make


@pytest.fixture(params=["memory", "mqtt"])
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    hub = Hub()
    with Broker() as broker:
        makers = {"memory": lambda _loop, user, tell: MemoryVoice(hub, user, tell), "mqtt": mqtt(broker.port)}
        office = Office(makers[request.param])
        yield office
        office.close()


def frames(count: int, burst: int = 7) -> list[VoiceFrame]:
    last = count - 1
    return [
        VoiceFrame(burst, seq, 20 * seq, bytes([seq % 256]) * 60, FrameFlags.LAST if seq == last else FrameFlags.NONE)
        for seq in range(count)
    ]


def start(office: Office) -> None:
    for car in office.cars.values():
        car.start()
    office.until(lambda: all(car.up for car in office.cars.values()))


def test_frames_arrive_whole_in_order_under_their_speakers_name_and_not_at_the_speaker(office: Office) -> None:
    # given two members
    start(office)
    # when one sends
    sent = frames(100)
    assert all(office.cars["car-1"].send(frame, time.monotonic()) for frame in sent)
    # then the other gets it all
    office.until(lambda: len(office.of("car-2", Arrived)) == len(sent))
    assert [event.frame for event in office.of("car-2", Arrived)] == sent
    assert {event.user for event in office.of("car-2", Arrived)} == {"car-1"}
    assert office.of("car-1", Arrived) == []


def test_what_is_through_is_told_up_to_the_last_frame(office: Office) -> None:
    # given a member that sends
    start(office)
    for frame in frames(50):
        office.cars["car-1"].send(frame, time.monotonic())
    # then it is told of the last one, in rising order
    office.until(lambda: Sent(7, 49) in office.told["car-1"])
    seqs = [event.seq for event in office.of("car-1", Sent)]
    assert seqs == sorted(seqs)


def test_a_join_is_answered_with_its_session_also_when_it_came_before_the_link(office: Office) -> None:
    # given a member that joins before it is connected, and once more after leaving
    office.cars["car-1"].join("e1")
    start(office)
    office.cars["car-1"].leave()
    office.cars["car-1"].join("e2")
    # then both are answered in order
    office.until(lambda: len(office.of("car-1", InChannel)) == 2)
    assert office.of("car-1", InChannel) == [InChannel("e1"), InChannel("e2")]


def test_without_a_link_there_is_no_room_and_nothing_is_kept(office: Office) -> None:
    # given a member that is not connected
    car = office.cars["car-1"]
    # then it takes nothing
    assert not car.room(time.monotonic())
    assert not car.send(frames(1)[0], time.monotonic())


# --- what only a network can do ---------------------------------------------------------------------------------------


def test_a_stalled_line_has_no_room_after_half_a_second_and_is_reset_when_voice_sticks_in_it() -> None:
    # given a broker that stands still, so that nothing is read, and more voice than the kernel takes
    with Broker() as broker:
        office = Office(mqtt(broker.port))
        start(office)
        car = office.cars["car-1"]
        broker.pause()
        now = time.monotonic()
        big = VoiceFrame(7, 0, 0, bytes(1200))
        count = 0
        while car.room(now) and count < 20000:
            car.send(big, now)
            count += 1
        # then there is no room, and soon the connection is given up
        assert not car.room(now + 0.6)
        office.until(lambda: office.of("car-1", LinkDown) != [], 5.0)
        broker.resume()
        # and comes back with the broker, without what was stuck
        office.until(lambda: car.up, 15.0)
        assert car.room(time.monotonic())
        office.close()


def test_a_cut_line_is_told_once_with_its_reason_and_found_again() -> None:
    # given a member behind a line
    with Broker() as broker, Proxy(broker.port) as proxy:
        office = Office(mqtt(proxy.port))
        start(office)
        # when the line is cut
        proxy.cut()
        office.until(lambda: office.of("car-1", LinkDown) != [])
        # then it says so and comes back
        assert office.of("car-1", LinkDown)[0].reason
        office.until(lambda: len(office.of("car-1", LinkUp)) == 2, 15.0)
        office.close()
