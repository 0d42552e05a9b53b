"""In a vehicle's loop the button comes before the broker, however much of the broker's is read in one turn."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from gateway.broker_link import BrokerLink
from gateway.buttons import Buttons
from gateway.core.words import Dial, LinkUp, Pressed, Received, Released
from gateway.settings import read
from hw.board import Board
from protocol import codec
from protocol.messages import Presence, PresenceState, Session
from protocol.topics import Kind, topic
from service.loop import Loop
from service.mqtt import BrokerSettings, Connected, MqttLink
from tests.support.broker import Broker

CONFIG = """
[vehicle]
user = "car-1"
name = "driver"
region = "seoul"
office = "north"
[pins]
factory = "virtual"
pins_socket = "{folder}/pins.sock"
[broker]
host = "127.0.0.1"
port = {port}
[audio]
backend = "wav"
[state]
dir = "{folder}/state"
"""


def offline(no: int) -> Presence:
    return Presence(state=PresenceState.OFFLINE, connection_id=(1, 1, 1), presence_no=no)


def turn(loop: Loop, done, timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s

    def step(now: float) -> float:
        if done() or now > deadline:
            loop.stop()
        return deadline

    loop.run(step)
    assert done()


def test_a_key_up_that_comes_while_messages_are_being_read_is_handled_before_the_next_of_them(tmp_path: Path):
    with Broker() as broker:
        # given a vehicle's link and button in one loop, and a pin driver that tells of an edge at every message
        config = tmp_path / "gateway.toml"
        config.write_text(CONFIG.format(folder=tmp_path, port=broker.port))
        settings = read(config)
        loop = Loop()
        told = []
        now = time.monotonic()
        edges = [(True, now), (False, now + 1.0), (True, now + 2.0)]

        def feed(event) -> None:
            told.append(event)
            if isinstance(event, Received) and edges:
                driver = threading.Thread(target=buttons.on_edge, args=("ptt", *edges.pop(0)))
                driver.start()
                driver.join()

        buttons = Buttons(loop, Board(), feed)
        link = BrokerLink(loop, settings, feed)
        link.dial(Dial(connection_id=(1, 1, 1), will=offline(1)))
        turn(loop, lambda: any(isinstance(event, LinkUp) for event in told))
        # when four sessions are there to be read at once
        publisher = MqttLink(loop, BrokerSettings(host="127.0.0.1", port=broker.port), lambda event: said.append(event))
        said = []
        publisher.dial("office", None)
        turn(loop, lambda: any(isinstance(event, Connected) for event in said))
        for rev in range(1, 5):
            session = Session(store="s", rev=rev, active=False, burst=0, channel_name="c")
            assert publisher.publish(topic(settings.vehicle.office_id, Kind.SESSION), codec.encode(session), 1)
        assert publisher.close(5.0)
        turn(loop, lambda: sum(isinstance(event, Received) for event in told) == 4)
        # then each edge stands between the message it came during and the next
        kinds = [type(event) for event in told if isinstance(event, Received | Pressed | Released)]
        assert kinds == [Received, Pressed, Received, Released, Received, Pressed, Received]
        link.hang_up()
        loop.close()
