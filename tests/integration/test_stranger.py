"""A client written from nothing but plain paho-mqtt and docs/protocol.md.

It takes its payloads from the document's own examples, adapts ids, and checks everything it receives against the
document's own schemas. Of this project it uses only what starts a broker and the server.
"""

import json
import queue
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jsonschema
import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.support.broker import Broker
from tests.support.procs import Daemons

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"
ROOT = "ptt/v1/seoul/hq"
WILL_NO = 9007199254740991

Message = dict[str, Any]


def blocks() -> list[Message]:
    """Every JSON block of the document."""
    return [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.M)]


EXAMPLES: dict[str, Message] = {block["type"]: block for block in blocks() if "$schema" not in block}
SCHEMAS = {block["title"]: jsonschema.Draft202012Validator(block) for block in blocks() if "$schema" in block}


def example(kind: str, **changes: Any) -> bytes:
    """The document's example of a message with some fields changed."""
    return json.dumps({**EXAMPLES[kind], **changes}).encode()


class Stranger:
    """A member as the section "Connecting" has it."""

    def __init__(self, port: int, user: str, boot: int) -> None:
        self.user = user
        self.connection = [0, boot, 1]
        self.inbox: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.frames: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._subscribed = threading.Event()
        self._stop_renewing = threading.Event()
        self._renewer: threading.Thread | None = None
        self._seen: list[Message] = []
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, f"stranger-{user}", protocol=paho.MQTTv5)
        self.client.on_socket_open = lambda _c, _u, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client.on_message = self._on_message
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        will = example("presence", state="lost", connection_id=self.connection, presence_no=WILL_NO, in_channel=None)
        self.client.will_set(f"{ROOT}/presence/{user}", will, qos=1, retain=True)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0
        self.client.connect("127.0.0.1", port, keepalive=10, clean_start=True, properties=properties)
        self.client.loop_start()
        assert self._subscribed.wait(5)
        self.publish(f"presence/{user}", "presence", retain=True, connection_id=self.connection, presence_no=1)

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        control = SubscribeOptions(qos=1)
        own = (f"{ROOT}/session", f"{ROOT}/floor/{self.user}/reply", f"{ROOT}/presence/{self.user}")
        voice = (f"{ROOT}/voice/+", SubscribeOptions(qos=0, noLocal=True))
        client.subscribe([*((topic, control) for topic in own), voice])

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        box = self.frames if "/voice/" in message.topic else self.inbox
        box.put((message.topic, message.payload))

    def publish(self, tail: str, kind: str, *, retain: bool = False, **changes: Any) -> None:
        """Publish the document's example, changed; floor messages expire in 2 s."""
        properties = Properties(PacketTypes.PUBLISH)
        if kind.startswith("floor_"):
            properties.MessageExpiryInterval = 2
        self.client.publish(f"{ROOT}/{tail}", example(kind, **changes), 1, retain, properties)

    def expect(self, kind: str, holds: Callable[[Message], bool] = lambda _: True, timeout_s: float = 6.0) -> Message:
        """Wait for a message; everything that comes must be as the document's schema says."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = next((m for m in self._seen if m["type"] == kind and holds(m)), None)
            if found is not None:
                self._seen.remove(found)
                return found
            try:
                _, payload = self.inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {kind} within {timeout_s} s; there is {self._seen}") from None
            message = json.loads(payload)
            SCHEMAS[message["type"]].validate(message)
            self._seen.append(message)

    def press(self, number: int) -> list[int]:
        """Ask for the floor; gives the request_id."""
        request_id = [*self.connection, number]
        self.publish(f"floor/{self.user}", "floor_request", request_id=request_id)
        return request_id

    def take_floor(self, number: int) -> tuple[list[int], int]:
        """Ask, wait for the grant, renew at once and every second; gives request_id and burst."""
        request_id = self.press(number)
        granted = self.expect("floor_granted", lambda m: m["request_id"] == request_id)
        self._stop_renewing.clear()
        self._renewer = threading.Thread(target=self._renew, args=(granted["burst"],), daemon=True)
        self._renewer.start()
        self.expect("floor_renewed", lambda m: m["burst"] == granted["burst"])
        return request_id, granted["burst"]

    def _renew(self, burst: int) -> None:
        number = 1
        while True:
            self.publish(f"floor/{self.user}", "floor_renew", burst=burst, renew_no=number)
            number += 1
            if self._stop_renewing.wait(1.0):
                return

    def fall_silent(self) -> float:
        """Renew no more; gives the time."""
        self._stop_renewing.set()
        if self._renewer is not None:
            self._renewer.join()
        return time.monotonic()

    def say(self, burst: int, seq: int, payload: bytes, *, last: bool = False) -> None:
        """Send one voice frame, laid out as the document's table says."""
        header = struct.pack(">BBQII", 1, 1 if last else 0, burst, seq, 20 * seq)
        self.client.publish(f"{ROOT}/voice/{self.user}", header + payload, 0)

    def hear(self) -> tuple[str, int, int, int, bytes]:
        """Give the next voice frame: user, flags, burst, seq, payload."""
        topic, data = self.frames.get(timeout=5)
        version, flags, burst, seq, _capture_ms = struct.unpack(">BBQII", data[:18])
        assert version == 1
        return topic.rpartition("/")[2], flags, burst, seq, data[18:]

    def leave(self) -> None:
        self.fall_silent()
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def member(tmp_path: Path) -> Iterator[Callable[[str], Stranger]]:
    """Gives members of an office that a real server serves over a real broker."""
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder=tmp_path / "broker"))
        config = tmp_path / "dispatch.toml"
        store = tmp_path / "store" / "office.db"
        config.write_text(
            f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\n[store]\npath = "{store}"\n'
            '[[office]]\nregion = "seoul"\noffice = "hq"\nhang_s = 1.0\n[office.names]\ncar-1 = "1호차"\n'
        )
        daemons = stack.enter_context(Daemons(tmp_path))
        daemons.python("dispatch", "-m", "dispatch", "serve", "--config", config).says("serving")

        def join(user: str) -> Stranger:
            stranger = Stranger(broker.port, user, boot=1)
            stack.callback(stranger.leave)
            return stranger

        yield join


def test_a_stranger_takes_the_floor_is_announced_and_releases_it(member: Callable[[str], Stranger]) -> None:
    # given a member and a listener
    car_1, car_2 = member("car-1"), member("car-2")

    # when the member takes the floor
    request_id, burst = car_1.take_floor(1)

    # then everybody is told who speaks
    announced = car_2.expect("session", lambda m: m["burst"] == burst and m["current_speaker"] == "car-1")
    assert announced["active"]
    assert announced["speaker_name"] == "1호차"

    # when it releases the floor
    car_1.fall_silent()
    car_1.publish("floor/car-1", "floor_release", request_id=request_id, burst=burst, last_seq=7)

    # then that is acknowledged, announced with the last frame's number, and the session ends after the hang time
    car_1.expect("floor_ack", lambda m: m["request_id"] == request_id)
    idle = car_2.expect("session", lambda m: m["burst"] == burst and m["current_speaker"] is None)
    assert (idle["ended"], idle["last_seq"]) == ("released", 7)
    assert idle["rev"] > announced["rev"]
    car_2.expect("session", lambda m: not m["active"] and m["rev"] > idle["rev"])


def test_a_stranger_is_denied_while_another_holds_the_floor(member: Callable[[str], Stranger]) -> None:
    # given a floor that is held
    car_1, car_2 = member("car-1"), member("car-2")
    _, burst = car_1.take_floor(1)

    # when another member asks
    request_id = car_2.press(1)

    # then it is told why, who, and how long at most
    denied = car_2.expect("floor_deny", lambda m: m["request_id"] == request_id)
    assert denied["cause"] == "another_has_permission"
    assert (denied["speaker"], denied["speaker_name"]) == ("car-1", "1호차")
    assert 20.0 < denied["remaining_s"] <= 30.0

    # and a repetition on the other topic is answered in the same way
    car_2.publish("floor/car-2/again", "floor_request", request_id=request_id)
    again = car_2.expect("floor_deny", lambda m: m["request_id"] == request_id)
    assert again["cause"] == denied["cause"]

    # and a renewal of somebody else's burst is refused
    car_2.publish("floor/car-2", "floor_renew", burst=burst, renew_no=99)
    revoked = car_2.expect("floor_revoke", lambda m: m["burst"] == burst)
    assert revoked["cause"] == "no_permission"


def test_a_silent_speaker_is_freed_by_its_lease_and_another_may_speak(member: Callable[[str], Stranger]) -> None:
    # given a speaker
    car_1, car_2 = member("car-1"), member("car-2")
    _, burst = car_1.take_floor(1)

    # when it falls silent without a word
    silent_at = car_1.fall_silent()

    # then the floor is idle within 5 s of its last renewal
    lost = car_2.expect("session", lambda m: m["burst"] == burst and m["current_speaker"] is None)
    assert lost["ended"] == "lost"
    assert time.monotonic() - silent_at < 5.0

    # and the next burst has a higher number
    _, next_burst = car_2.take_floor(1)
    assert next_burst > burst

    # and the old speaker, should it wake up, is told to stop
    car_1.publish("floor/car-1", "floor_renew", burst=burst, renew_no=50)
    assert car_1.expect("floor_revoke", lambda m: m["burst"] == burst)["cause"] == "no_permission"


def test_a_grant_that_is_never_renewed_is_freed_within_four_seconds(member: Callable[[str], Stranger]) -> None:
    # given a request of somebody who does not care for the answer
    car_1, car_2 = member("car-1"), member("car-2")
    car_1.press(1)
    granted = car_1.expect("floor_granted")
    began_at = time.monotonic()

    # then the floor is freed
    car_2.expect("session", lambda m: m["burst"] == granted["burst"] and m["ended"] == "lost")
    assert time.monotonic() - began_at < 4.0


def test_voice_frames_arrive_as_the_document_lays_them_out(member: Callable[[str], Stranger]) -> None:
    # given a speaker and a listener
    car_1, car_2 = member("car-1"), member("car-2")
    _, burst = car_1.take_floor(1)

    # when two frames are sent, the second one bare and last
    car_1.say(burst, 0, b"\xb8\xff\xfe")
    car_1.say(burst, 1, b"", last=True)

    # then the listener has them, and the speaker does not hear itself
    assert car_2.hear() == ("car-1", 0, burst, 0, b"\xb8\xff\xfe")
    assert car_2.hear() == ("car-1", 1, burst, 1, b"")
    assert car_1.frames.empty()


def test_malformed_and_unknown_messages_change_nothing(member: Callable[[str], Stranger]) -> None:
    # given a member that sends nonsense of every kind
    car_1 = member("car-1")
    for payload in (b"", b"{", b"[]", b'{"type":"floor_dance"}', example("session"), b"x" * 5000, b"\xff\xfe"):
        car_1.client.publish(f"{ROOT}/floor/car-1", payload, 1)
    strange = example("floor_request", request_id=[0, 1, 1, 5], hat="blue")

    # when a request with a field of the future follows
    car_1.client.publish(f"{ROOT}/floor/car-1", strange, 1)

    # then it is granted
    assert car_1.expect("floor_granted")["request_id"] == [0, 1, 1, 5]
    car_1.publish("floor/car-1", "floor_release", request_id=[0, 1, 1, 5], burst=None, last_seq=None)
    car_1.expect("floor_ack")
