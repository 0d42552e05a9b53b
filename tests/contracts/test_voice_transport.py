"""What every voice transport keeps to: over a real mosquitto, and over a channel of Agora as the SDK's port has it."""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from protocol.ids import OfficeId
from protocol.voice_frame import FrameFlags, VoiceFrame
from protocol.worker import Flood, Token
from protocol.worker_settings import VoiceMqttSettings
from service.loop import Loop
from tests.support.agora_fake import FakeChannel
from tests.support.broker import Broker
from tests.support.proxy import Proxy
from voice.transports.agora_voice import AgoraVoice
from voice.transports.mqtt_voice import MqttVoice
from voice.transports.port import (
    Arrived,
    Flooded,
    InChannel,
    LinkDown,
    LinkUp,
    Sent,
    TransportEvent,
    VoiceTransport,
)

OFFICE = OfficeId("kr", "seoul")
RATE = 48000
PACKET_S = 0.02
UIDS = {"car-1": 1001, "car-2": 1002}
E = TypeVar("E")


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


def agora() -> Callable[[Loop, str, Callable[[TransportEvent], None]], VoiceTransport]:
    channels: list[FakeChannel] = []

    def make(loop: Loop, user: str, tell: Callable[[TransportEvent], None]) -> VoiceTransport:
        if not channels:
            channels.append(FakeChannel(loop, RATE))
        voice = AgoraVoice(loop, channels[0].session, RATE, PACKET_S, tell, random.Random(1))
        voice.token(Token(channel="c", app_id="a", uid=UIDS[user], token="t", publisher=True, expires_in_s=3600.0))
        return voice

    return make


@pytest.fixture(params=["mqtt", "agora"])
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    with Broker() as broker:
        makers = {"mqtt": mqtt(broker.port), "agora": agora()}
        office = Office(makers[request.param])
        yield office
        office.close()


def frames(count: int, burst: int = 7) -> list[VoiceFrame]:
    last = count - 1
    return [
        VoiceFrame(burst, seq, 20 * seq, bytes([seq % 256]) * 60, FrameFlags.LAST if seq == last else FrameFlags.NONE)
        for seq in range(count)
    ]


def sound_of(frame: VoiceFrame) -> bytes:
    """A packet of sound that names its frame."""
    return array("h", [100 + frame.seq] * round(PACKET_S * RATE)).tobytes()


def said(event: Arrived) -> list[int]:
    """Which frames an event brought speech of, whichever way it came."""
    if event.pcm is None:
        return [event.frame.payload[0]]
    return sorted({sample - 100 for sample in array("h", event.pcm)})


def heard(office: Office, user: str) -> list[int]:
    """The frames heard, each once, in the order of their first sound."""
    return list(dict.fromkeys(number for event in office.of(user, Arrived) for number in said(event)))


def start(office: Office) -> None:
    for car in office.cars.values():
        car.start()
        car.join("e0", "c")
    office.until(lambda: all(car.up for car in office.cars.values()))
    for told in office.told.values():
        told.clear()


def announce(office: Office, speaker: str = "car-1", listener: str = "car-2", burst: int = 7) -> None:
    office.cars[listener].hear(burst, speaker, UIDS[speaker])
    office.cars[speaker].speak(burst, None)


def send(office: Office, user: str, sent: list[VoiceFrame]) -> None:
    """Send as the pump does: whenever there is room."""
    car, waiting = office.cars[user], list(sent)

    def go() -> bool:
        while waiting and car.room(time.monotonic()):
            frame = waiting.pop(0)
            assert car.send(frame, time.monotonic(), sound_of(frame))
        return not waiting

    office.until(go)


def test_frames_arrive_whole_in_order_under_their_speakers_name_and_not_at_the_speaker(office: Office) -> None:
    # given two members, one announced to speak
    start(office)
    announce(office)
    # when it sends
    send(office, "car-1", frames(60))
    # then the other gets it all
    office.until(lambda: len(heard(office, "car-2")) == 60)
    assert heard(office, "car-2") == list(range(60))
    assert {(event.user, event.frame.burst) for event in office.of("car-2", Arrived)} == {("car-1", 7)}
    assert office.of("car-1", Arrived) == []


def test_what_is_through_is_told_up_to_the_last_frame(office: Office) -> None:
    # given a member that sends
    start(office)
    announce(office)
    send(office, "car-1", frames(50))
    # then it is told of the last one, in rising order
    office.until(lambda: Sent(7, 49) in office.told["car-1"])
    seqs = [event.seq for event in office.of("car-1", Sent)]
    assert seqs == sorted(seqs)


def test_a_join_is_answered_with_its_session_also_when_it_came_before_the_link(office: Office) -> None:
    # given a member that joins before it is connected, and once more after leaving
    for car in office.cars.values():
        car.start()
    office.cars["car-1"].join("e1", "c")
    office.until(lambda: office.of("car-1", InChannel) == [InChannel("e1")])
    office.cars["car-1"].leave()
    office.cars["car-1"].join("e2", "c")
    # then both are answered in order
    office.until(lambda: len(office.of("car-1", InChannel)) == 2)
    assert office.of("car-1", InChannel) == [InChannel("e1"), InChannel("e2")]


def test_without_a_link_there_is_no_room_and_nothing_is_kept(office: Office) -> None:
    # given a member that is not connected
    car = office.cars["car-1"]
    car.speak(7, None)
    # then it takes nothing
    assert not car.room(time.monotonic())
    assert not car.send(frames(1)[0], time.monotonic(), sound_of(frames(1)[0]))


def test_a_session_joined_again_is_heard_again(office: Office) -> None:
    # given two members that left a session
    start(office)
    for car in office.cars.values():
        car.leave()
    # when they join the next one and one is announced
    for car in office.cars.values():
        car.join("e2", "c")
    office.until(lambda: all(office.of(user, InChannel) for user in office.cars))
    announce(office, burst=8)
    send(office, "car-1", frames(10, burst=8))
    # then it is heard
    office.until(lambda: len(heard(office, "car-2")) == 10)


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


def test_what_a_bridge_says_for_another_comes_under_the_others_name_and_what_follows_under_its_own() -> None:
    # given a broker, a bridge (car-1) and a listener
    with Broker() as broker:
        office = Office(mqtt(broker.port))
        start(office)
        # when it speaks for a phone, and then for itself
        office.cars["car-1"].speak(7, "phone-3")
        send(office, "car-1", frames(3, burst=7))
        office.cars["car-1"].speak(8, None)
        send(office, "car-1", frames(3, burst=8))
        # then the listener sees whose it is
        office.until(lambda: len(office.of("car-2", Arrived)) == 6)
        assert [(event.user, event.frame.burst) for event in office.of("car-2", Arrived)] == [
            ("phone-3", 7),
            ("phone-3", 7),
            ("phone-3", 7),
            ("car-1", 8),
            ("car-1", 8),
            ("car-1", 8),
        ]
        office.close()


def test_a_flood_is_dropped_unread_and_told_once_while_the_announced_speaker_is_heard_whole() -> None:
    # given an announced speaker and a member that floods the voice topic
    with Broker() as broker:
        office = Office(mqtt(broker.port))
        loop, flooder_told = office.loop, list[TransportEvent]()
        flooder = mqtt(broker.port)(loop, "car-9", flooder_told.append)
        start(office)
        flooder.start()
        office.until(lambda: flooder.up)
        office.cars["car-2"].hear(7, "car-1", UIDS["car-1"])
        spoken, state = frames(100), {"next": 0, "flood": 0, "began": time.monotonic()}

        def both() -> bool:
            now = time.monotonic()
            while state["next"] < len(spoken) and now - state["began"] >= PACKET_S * state["next"]:
                office.cars["car-1"].send(spoken[int(state["next"])], now)
                state["next"] += 1
            for _ in range(40):
                state["flood"] += flooder.send(VoiceFrame(99, int(state["flood"]), 0, bytes(60)), now)
            return state["next"] == len(spoken)

        # when both send for two seconds
        office.until(both)
        office.until(lambda: any(event.frame == spoken[-1] for event in office.of("car-2", Arrived)))
        # then all of the speaker is there, little of the flood, and one word about it
        by_user = [event.user for event in office.of("car-2", Arrived)]
        assert state["flood"] > 2000
        assert by_user.count("car-1") == len(spoken)
        assert by_user.count("car-9") < 800
        [flooded] = office.of("car-2", Flooded)
        assert flooded.word.user == "car-9"
        assert flooded.word.frames_s > 100
        # and once it is quiet, that is told
        office.until(lambda: len(office.of("car-2", Flooded)) == 2, 10.0)
        assert office.of("car-2", Flooded)[1].word == Flood(user="car-9", frames_s=0)
        flooder.stop()
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
        office.until(lambda: len(office.of("car-1", LinkUp)) == 1, 15.0)
        office.close()


class Unlucky(random.Random):
    """Draws a back-off that outlasts every test."""

    def uniform(self, a: float, b: float) -> float:
        return 3600.0


def test_waiting_speech_does_not_wait_for_the_back_off() -> None:
    # given a member whose line is refused, and whose next try is far away
    with Broker() as broker, Proxy(broker.port) as proxy:
        proxy.refuse()

        def make(loop: Loop, user: str, tell: Callable[[TransportEvent], None]) -> MqttVoice:
            return MqttVoice(loop, VoiceMqttSettings(port=proxy.port, client_id=user), OFFICE, user, tell, Unlucky())

        office = Office(make)
        for car in office.cars.values():
            car.start()
        office.until(lambda: all(office.of(user, LinkDown) for user in office.cars))
        proxy.accept()
        # when one of two has speech that waits
        waiting = office.cars["car-1"]
        assert isinstance(waiting, MqttVoice)

        def up() -> bool:
            waiting.hurry(time.monotonic())
            return waiting.up

        office.until(up)
        # then it alone is connected
        assert not office.cars["car-2"].up
        office.close()
