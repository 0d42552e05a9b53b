"""`ptt cmd`: ask one vehicle for one thing, and print its answer."""

from __future__ import annotations

import getpass
import os
import secrets
import sys
import time
from typing import Any, assert_never

import msgspec

from monitor.text import clean
from monitor.watch import TAKEN_OVER, looping
from monitor.words import Words
from protocol.codec import Malformed, decode, encode
from protocol.commands import COMMAND_EXPIRY_S, CommandOp
from protocol.ids import OfficeId
from protocol.messages import Command, CommandReply, Message, Presence, PresenceState, Telemetry
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

OK = 0
UNREACHABLE = 1
"""The broker was not reached, or does not let this login ask."""
NO_ANSWER = 4
REFUSED = 5
"""The vehicle answered, and will not."""
ANSWER_S = 5.0

OPS = {
    "identify": CommandOp.IDENTIFY,
    "levels": CommandOp.LEVELS,
    "restart": CommandOp.RESTART,
    "mute": CommandOp.MUTE_TRANSMITTER,
    "unmute": CommandOp.UNMUTE_TRANSMITTER,
    "clear-emergency": CommandOp.CLEAR_EMERGENCY,
    "telemetry": CommandOp.TELEMETRY,
    "self-check": CommandOp.SELF_CHECK,
}
"""What stands on the command line, and what it asks for."""
_TOKEN = 1


def ask(
    settings: BrokerSettings,
    office: OfficeId,
    user: str,
    op: CommandOp,
    params: dict[str, Any],
    words: Words,
    *,
    as_json: bool = False,
    answer_s: float = ANSWER_S,
) -> int:
    """Send the command and wait `answer_s` for its answer; gives the exit status, what is wrong is on stderr."""
    command = Command(id=secrets.token_hex(8), op=op, by=settings.username or _person(), params=params)
    with looping() as loop:
        asking = _Asking(loop, settings, office, user, command, words)
        loop.call_at(time.monotonic() + answer_s, asking.give_up)
        loop.run(lambda _now: None)
        asking.close()
    if asking.problem:
        print(f"ptt cmd: {asking.problem}", file=sys.stderr)
    if asking.reply is None:
        return asking.status
    said: Message = asking.telemetry or asking.reply
    text = encode(said).decode() if as_json else "\n".join(_lines(user, asking.reply, asking.telemetry))
    print(text, file=sys.stdout if asking.reply.ok else sys.stderr)
    return asking.status


class _Asking:
    """One command on its way; ends the loop when it is answered or cannot be."""

    def __init__(
        self, loop: Loop, settings: BrokerSettings, office: OfficeId, user: str, command: Command, words: Words
    ) -> None:
        self.status = UNREACHABLE
        self.problem = ""
        self.reply: CommandReply | None = None
        self.telemetry: Telemetry | None = None
        self._loop = loop
        self._command = command
        self._user = user
        self._words = words
        self._settings = settings
        self._presence: Presence | None = None
        self._sent = False
        kinds = (Kind.COMMAND_REPLY, Kind.PRESENCE, Kind.DEVICE_TELEMETRY)
        self._kinds = {topic(office, kind, user): kind for kind in kinds}
        self._topic = topic(office, Kind.COMMAND, user)
        self._link = MqttLink(loop, settings, self._on_event)
        # An office with a registry locks a login to its client id.
        self._link.dial(settings.username or f"cmd-{os.getpid()}-{secrets.token_hex(4)}", None)

    def close(self) -> None:
        """Say good-bye to the broker."""
        self._link.close(0.5)

    def give_up(self) -> None:
        """No answer came in time."""
        if self.reply is not None and self._awaits_telemetry:
            return self._end(OK)
        if not self._sent:
            return self._end(UNREACHABLE, self._words("cmd_broker_silent", self._settings.address))
        state = "" if self._presence is None else self._words(self._presence.state.value)
        asleep = self._presence is None or self._presence.state in (PresenceState.OFFLINE, PresenceState.LOST)
        key = "cmd_away" if asleep else "cmd_no_answer"
        problem = self._words(key, self._user, state or self._words("cmd_unknown"))
        if asleep and self._command.op == CommandOp.CLEAR_EMERGENCY:
            problem += f"; {self._words('cmd_away_emergency', self._user)}"
        self._end(NO_ANSWER, problem)

    @property
    def _awaits_telemetry(self) -> bool:
        return self._command.op == CommandOp.TELEMETRY and self.telemetry is None

    def _end(self, status: int, problem: str = "") -> None:
        self.status, self.problem = status, problem
        self._loop.stop()

    def _on_event(self, event: LinkEvent) -> None:
        match event:
            case Connected():
                self._link.subscribe([(name, 1) for name in self._kinds])
            case Subscribed(ok=False):
                self._end(UNREACHABLE, self._words("cmd_not_allowed", event.detail))
            case Subscribed():
                self._sent = self._link.publish(
                    self._topic, encode(self._command), 1, expiry_s=COMMAND_EXPIRY_S, token=_TOKEN
                )
            case Acked(ok=False):
                self._end(UNREACHABLE, self._words("cmd_not_allowed", event.detail))
            case Acked():
                pass
            case Received():
                self._received(event)
            case Disconnected():
                taken = event.taken_over
                self._end(TAKEN_OVER if taken else UNREACHABLE, event.reason)
            case DialFailed():
                self._end(UNREACHABLE, event.reason)
            case _:
                assert_never(event)

    def _received(self, event: Received) -> None:
        kind = self._kinds.get(event.topic)
        if kind is None or not event.payload:
            return
        try:
            message = decode(event.payload, kind)
        except Malformed:
            return  # not what we wait for
        match message:
            case Presence():
                self._presence = message
            case Telemetry() if self._sent and not event.retain:
                self.telemetry = message
            case CommandReply() if message.id == self._command.id:
                self.reply = message
        if self.reply is not None and not (self.reply.ok and self._awaits_telemetry):
            self._end(OK if self.reply.ok else REFUSED)


def _lines(user: str, reply: CommandReply, telemetry: Telemetry | None) -> list[str]:
    """What is printed for people; what the vehicle says is English and is shown as it is."""
    if telemetry is None:
        found = [f"  {name}: {_plain(value)}" for name, value in reply.data.items()]
        return [f"{user}: {clean(reply.what)}", *found]
    found = msgspec.to_builtins(telemetry).items()
    return [f"{user}:", *(f"  {name}: {_plain(value)}" for name, value in found if name not in ("type", "at"))]


def _plain(value: Any) -> str:
    """Give a value as people read it; `--json` has it to the last digit."""
    match value:
        case str():
            return clean(value)
        case float():
            return f"{value:.1f}"
        case dict():
            return ", ".join(f"{clean(str(name))} {_plain(part)}" for name, part in value.items()) or "-"
        case None | [] | ():
            return "-"
        case _:
            return clean(msgspec.json.encode(value).decode())


def _person() -> str:
    try:
        return getpass.getuser()[:64]
    except (KeyError, OSError):  # a container's user without a name
        return "ptt cmd"
