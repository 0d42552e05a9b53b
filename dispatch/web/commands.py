"""One command to one vehicle over a short connection of the office's own login, and its answer. Blocking.

The dashboard's standing connection only reads; what it may ask, and of whom, is decided before this is called.
"""

from __future__ import annotations

import secrets
import time

from dispatch.broker.admin import BrokerRefused, BrokerUnreachable
from protocol.codec import Malformed, decode, encode
from protocol.commands import COMMAND_EXPIRY_S, CommandOp
from protocol.ids import OfficeId
from protocol.login import SERVER_LOGIN
from protocol.messages import Command, CommandReply
from protocol.topics import Kind, topic
from service.loop import Loop
from service.mqtt import (
    Acked,
    BrokerSettings,
    Connected,
    DialFailed,
    Disconnected,
    LinkEvent,
    MqttLink,
    Received,
    Subscribed,
)

ANSWER_S = 5.0
"""A vehicle that has not answered by then is out of reach; the broker keeps the command for COMMAND_EXPIRY_S."""


def ask(broker: BrokerSettings, office: OfficeId, user: str, op: CommandOp, by: str) -> CommandReply | None:
    """Ask; None where no answer came within ANSWER_S. Raises BrokerUnreachable, BrokerRefused."""
    loop = Loop()
    asking = _Asking(loop, broker, office, user, Command(id=secrets.token_hex(8), op=op, by=by))
    try:
        deadline = time.monotonic() + ANSWER_S
        loop.call_at(deadline, loop.stop)
        loop.run(lambda _now: deadline)
        return asking.result()
    finally:
        asking.close()
        loop.close()


class _Asking:
    def __init__(self, loop: Loop, broker: BrokerSettings, office: OfficeId, user: str, command: Command) -> None:
        self._loop, self._office, self._user, self._command = loop, office, user, command
        self._address = broker.address
        self._reply: CommandReply | None = None
        self._failed: BrokerRefused | BrokerUnreachable | None = None
        self._sent = False
        self._link = MqttLink(loop, broker, self._on_link)
        self._link.dial(f"{SERVER_LOGIN}-web-{command.id}", None)

    def result(self) -> CommandReply | None:
        if self._reply is None and self._failed is not None:
            raise self._failed
        if not self._sent:
            raise BrokerUnreachable(f"the broker {self._address} does not answer")
        return self._reply

    def close(self) -> None:
        self._link.close(0.2)

    def _on_link(self, event: LinkEvent) -> None:
        match event:
            case Connected():
                self._link.subscribe([(topic(self._office, Kind.COMMAND_REPLY, self._user), 1)])
            case Subscribed(ok=True):
                name = topic(self._office, Kind.COMMAND, self._user)
                self._sent = self._link.publish(name, encode(self._command), 1, False, COMMAND_EXPIRY_S, 1)
                if not self._sent:
                    self._fail(BrokerUnreachable("the command was not taken"))
            case Subscribed(detail=detail) | Acked(ok=False, detail=detail):
                self._fail(BrokerRefused(detail))
            case Received(payload=payload):
                self._received(payload)
            case DialFailed(reason=reason) | Disconnected(reason=reason):
                self._fail(BrokerUnreachable(reason))
            case _:
                pass

    def _received(self, payload: bytes) -> None:
        try:
            reply = decode(payload, Kind.COMMAND_REPLY)
        except Malformed:
            return
        if isinstance(reply, CommandReply) and reply.id == self._command.id:
            self._reply = reply
            self._loop.stop()

    def _fail(self, error: BrokerRefused | BrokerUnreachable) -> None:
        self._failed = error
        self._loop.stop()
