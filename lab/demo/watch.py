"""What anybody may see of the demo's office: MQTT as a monitor hears it, outputs of virtual pins, lines of logs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import paho.mqtt.client as paho
from msgspec import Struct
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from hw.virtual_client import OutputChange, VirtualPins
from protocol.codec import Malformed, decode
from protocol.ids import OfficeId
from protocol.messages import Message
from protocol.topics import ROOT, BadTopic, Kind, parse
from service.mqtt import BrokerSettings

M = TypeVar("M")
WATCH_S = 3600.0
ANSWER_S = 30.0


class Heard(Struct, frozen=True):
    """A control message, and when it arrived (CLOCK_MONOTONIC)."""

    at_s: float
    kind: Kind
    user: str
    message: Any


class Notebook:
    """What was seen, by any thread, in order of arrival; whoever wants waits for more."""

    def __init__(self, check: Callable[[], object] = lambda: None) -> None:
        """`check` is called again and again while somebody waits, and may raise."""
        self._check = check
        self.heard: list[Heard] = []
        self.outputs: dict[str, list[OutputChange]] = {}
        self.bad: list[str] = []
        self._changed = threading.Condition()

    def hear(self, what: Heard) -> None:
        """Note a message."""
        with self._changed:
            self.heard.append(what)
            self._changed.notify_all()

    def drive(self, user: str, change: OutputChange) -> None:
        """Note a change of a vehicle's output."""
        with self._changed:
            self.outputs.setdefault(user, []).append(change)
            self._changed.notify_all()

    def nudge(self) -> None:
        """Have those who wait look again: something was seen that is noted elsewhere."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, look: Callable[[], M | None], timeout_s: float) -> M | None:
        """Look again after whatever is noted, until there is something; None after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while (found := look()) is None and (left_s := deadline - time.monotonic()) > 0:
                self._check()
                self._changed.wait(min(left_s, 0.25))
            return found

    def find(
        self, of: type[M], holds: Callable[[M], bool], since_s: float = 0.0, user: str = ""
    ) -> tuple[float, M] | None:
        """Give the first message of a type, from `since_s` on, of this user's topic, for which `holds`."""
        for heard in self.heard:
            wanted = heard.at_s >= since_s and isinstance(heard.message, of) and user in ("", heard.user)
            if wanted and holds(heard.message):
                return heard.at_s, heard.message
        return None

    def all(self, of: type[M], since_s: float = 0.0, until_s: float = float("inf")) -> list[tuple[float, str, M]]:
        """Give every message of a type between two times: when, whose topic, what."""
        return [
            (heard.at_s, heard.user, heard.message)
            for heard in list(self.heard)
            if since_s <= heard.at_s <= until_s and isinstance(heard.message, of)
        ]


class Monitor:
    """A plain MQTT client that subscribes to all control messages of an office; it never publishes.

    `access` is the server's own login: replies to others are for nobody else to see.
    """

    def __init__(self, stack: ExitStack, access: BrokerSettings, office: OfficeId, notebook: Notebook) -> None:
        self._notebook = notebook
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "demo-monitor", protocol=paho.MQTTv5)
        self._client.on_message = self._on_message
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        assert access.password is not None
        self._client.username_pw_set(access.username, access.password.reveal())
        self._client.tls_set(str(access.tls_ca))
        self._client.connect(access.host, access.port)
        greeted = threading.Event()
        self._client.on_connect = lambda *_: greeted.set()
        self._client.loop_start()
        stack.callback(self._leave)
        if not greeted.wait(ANSWER_S):
            raise TimeoutError("the broker does not greet the demo")
        root = f"{ROOT}/{office}"
        topics = ("session", "roster", "events", "presence/+", "floor/#", "device/#")
        options = SubscribeOptions(qos=1, retainAsPublished=True)
        self._client.subscribe([(f"{root}/{topic}", options) for topic in topics])
        if not subscribed.wait(ANSWER_S):
            raise TimeoutError("the broker does not acknowledge a subscription")

    def _on_message(self, _client: object, _data: object, got: paho.MQTTMessage) -> None:
        at_s = time.monotonic()
        try:
            place = parse(got.topic)
            message: Message | None = decode(bytes(got.payload), place.kind) if got.payload else None
        except (BadTopic, Malformed) as error:
            self._notebook.bad.append(f"{got.topic}: {error}")
            return
        self._notebook.hear(Heard(at_s, place.kind, place.user, message))

    def _leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def watch_outputs(user: str, socket: Path, notebook: Notebook) -> None:
    """Note every change of a vehicle's outputs until its pin server ends; returns once it watches."""
    began = threading.Event()

    def run() -> None:
        with contextlib.suppress(Exception), VirtualPins(socket) as pins:  # it ends with the vehicle
            for change in pins.watch(WATCH_S, began.set):
                notebook.drive(user, change)

    threading.Thread(target=run, name=f"pins-{user}", daemon=True).start()
    if not began.wait(ANSWER_S):
        raise TimeoutError(f"{socket} does not let the demo watch")


def follow_log(path: Path, line_came: Callable[[str], None], stack: ExitStack) -> None:
    """Hand over every line a log gets from now on, until the stack is closed."""
    ended = threading.Event()

    def run() -> None:
        with path.open(encoding="utf-8", errors="replace") as file:
            held = ""
            while not ended.wait(0.02):
                held += file.read()
                *lines, held = held.split("\n")
                for line in lines:
                    line_came(line)

    thread = threading.Thread(target=run, name=f"log-{path.stem}", daemon=True)
    thread.start()

    def end() -> None:
        ended.set()
        thread.join(2)

    stack.callback(end)
