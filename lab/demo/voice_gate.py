"""Denies the voice topics of the demo's office at its broker: speech heard then came over Agora and no other way.

The broker's rights are changed as its own administration does; the floor control server sets them right again within a
minute, so they are denied anew before every burst that needs it. `frames` counts what got through nevertheless.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from dispatch.broker.accounts import accounts
from dispatch.broker.acl import DYNSEC_TOPIC
from dispatch.broker.dynsec import AclEntry, ModifyRole, decode, encode
from dispatch.registry.words import User
from lab.process import LabFailed
from protocol.ids import OfficeId
from protocol.rest import Role
from protocol.topics import Kind, everyone
from protocol.voice_frame import BadFrame, unpack
from service.mqtt import BrokerSettings

ANSWER_S = 30.0


class VoiceGate:
    """`access`: the server's login. Raises LabFailed where the broker refuses."""

    def __init__(self, stack: ExitStack, access: BrokerSettings, office: OfficeId, users: Sequence[str]) -> None:
        self._open: dict[str, tuple[AclEntry, ...]] = {}
        for user in users:
            for account in accounts(User(office=office, user=user, role=Role.VEHICLE_GATEWAY, name=user, uid=1)):
                if account.login.endswith(".voice"):
                    self._open[account.login] = account.acls
        self.frames: dict[int, int] = {}
        """Voice frames that the broker carried, by burst."""
        self._answered = threading.Event()
        self._error = ""
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "demo-voice-gate", protocol=paho.MQTTv5)
        self._client.on_message = self._on_message
        assert access.password is not None
        self._client.username_pw_set(access.username, access.password.reveal())
        self._client.tls_set(str(access.tls_ca))
        self._client.connect(access.host, access.port)
        greeted = threading.Event()
        self._client.on_connect = lambda *_: greeted.set()
        self._client.loop_start()
        stack.callback(self._leave)
        if not greeted.wait(ANSWER_S):
            raise LabFailed("the broker does not greet the demo")
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.subscribe([(f"{DYNSEC_TOPIC}/response", 1), (everyone(office, Kind.VOICE), 0)])
        if not subscribed.wait(ANSWER_S):
            raise LabFailed("the broker does not let the demo watch the voice topics")

    def shut(self) -> None:
        """From now on nobody's voice passes the broker."""
        self._set({login: tuple(a for a in acls if "/voice/" not in a.topic) for login, acls in self._open.items()})

    def open(self) -> None:
        """As it was."""
        self._set(self._open)

    def _set(self, wanted: dict[str, tuple[AclEntry, ...]]) -> None:
        self._answered.clear()
        commands = [ModifyRole(rolename=login, acls=acls) for login, acls in wanted.items()]
        self._client.publish(DYNSEC_TOPIC, encode(*commands), qos=1)
        if not self._answered.wait(ANSWER_S):
            raise LabFailed("the broker does not answer about the voice topics")
        if self._error:
            raise LabFailed(f"the broker refuses to change the voice topics: {self._error}")

    def _on_message(self, _client: object, _data: object, got: paho.MQTTMessage) -> None:
        if got.topic.startswith(DYNSEC_TOPIC):
            answers = [answer for answer in decode(bytes(got.payload)) if answer.command == "modifyRole"]
            if answers:
                self._error = "; ".join(answer.error for answer in answers if answer.error)
                self._answered.set()
            return
        try:
            burst = unpack(bytes(got.payload)).burst
        except BadFrame:
            burst = 0
        self.frames[burst] = self.frames.get(burst, 0) + 1

    def _leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
