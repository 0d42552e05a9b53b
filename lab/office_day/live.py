"""The practice office's members as real MQTT clients: two connections each, over TLS, with the registry's own logins.

One loop turns them all. What a vehicle says of its own accord besides the floor (device, state, telemetry) is made
here; what its loudspeaker would play is counted as it comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Final

from lab.office_day.member import BEAT_EVERY_S, Member
from lab.office_day.people import Person
from lab.office_day.speech import FRAME_S
from lab.office_day.telemetry import Gauges
from lab.office_day.world import Say
from protocol.codec import Malformed, decode, encode
from protocol.ids import OfficeId
from protocol.login import Login
from protocol.messages import Command, Session
from protocol.timers import FLOOR_MESSAGE_EXPIRY_S
from protocol.topics import BadTopic, Kind, everyone, parse, topic
from protocol.voice_frame import BadFrame, FrameFlags, VoiceFrame, pack, unpack
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
    Will,
)

REDIAL_S: Final = (0.5, 2.0)
BUFFER_S: Final = 0.06
"""A vehicle's jitter buffer: so much later than it comes the first frame sounds."""
CLOCK_ERROR_MS: Final = 1
"""All are on one machine, and have its clock."""
GAUGES_S: Final = 20.0
_FLOOR: Final = (Kind.FLOOR, Kind.FLOOR_AGAIN)


class Stage:
    """The members' world, and the player's stage: one loop, one office. All calls are of the loop's thread."""

    def __init__(self, loop: Loop, office: OfficeId, speech: Sequence[Sequence[bytes]], rng: Random) -> None:
        """`speech`: sentences as Opus packets."""
        self.loop = loop
        self.office = office
        self.speech = speech
        self.rng = rng
        self.clock_error_ms = CLOCK_ERROR_MS
        self.refused: list[str] = []
        """Why connections were refused or lost, the last few."""
        self.lines: dict[str, Line] = {}

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    @property
    def wall_ms(self) -> int:
        """Unix ms."""
        return time.time_ns() // 1_000_000

    def at(self, when_s: float, fn: Callable[[], None]) -> None:
        """Call `fn` then."""
        self.loop.call_at(when_s, fn)

    def add(self, person: Person, control: BrokerSettings, voice: BrokerSettings, boot: int) -> Member:
        """Take a member on; it is not connected yet."""
        line = Line(self, person, control, voice, boot)
        self.lines[person.user] = line
        return line.member

    @property
    def members(self) -> Mapping[str, Member]:
        """All, by user."""
        return {user: line.member for user, line in self.lines.items()}

    def say(self, user: str, word: Say) -> None:
        """Publish, at once."""
        self.lines[user].say(word)

    def connect(self, member: Member) -> None:
        """Dial until there is a connection."""
        self.lines[member.person.user].open()

    def part(self, member: Member) -> None:
        """Close it in an orderly way."""
        self.lines[member.person.user].close()

    def cut(self, member: Member) -> None:
        """Break it: the broker tells the will."""
        self.lines[member.person.user].cut()

    def hang(self, member: Member) -> None:
        """It says nothing any more."""
        member.hangs = True

    def stall(self) -> None:
        """The server is not ours to stall."""

    def close(self) -> None:
        """Everybody says goodbye."""
        for line in self.lines.values():
            line.member.goodbye()
            line.close()


class Line:
    """A member's two connections, and its mouth and ear."""

    def __init__(self, stage: Stage, person: Person, control: BrokerSettings, voice: BrokerSettings, boot: int) -> None:
        self.wanted = False
        self._stage, self._person = stage, person
        self._user = person.user
        self._login = Login(stage.office, person.user)
        self._control = MqttLink(stage.loop, control, self._on_control)
        self._voice = MqttLink(stage.loop, voice, self._on_voice)
        self._mouth = Mouth(stage, self._send_voice)
        self._rng = Random(f"{stage.rng.random()} {person.user}")
        self.member = Member(person, stage, self._mouth, self._rng, boot)
        self._gauges = Gauges(person, self._rng, stage.now)
        self._sub: int | None = None
        self._asked, self._asked_at = 0, 0.0
        self._turn = 0

    # --- opening and closing ------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Be connected from now on; again and again, as long as it is wanted."""
        self.wanted = True
        self._turn += 1
        self._dial(self._turn)
        self._dial_voice(self._turn)

    def close(self) -> None:
        """Part from the broker: nobody tells the will."""
        self.wanted = False
        self._control.close(0.2)
        self._voice.close(0.1)

    def cut(self) -> None:
        """Break the connection; nobody dials again until `open`."""
        self.wanted = False
        self._mouth.end()
        self._control.drop("cut on purpose")
        self._voice.drop("cut on purpose")
        self.member.lost()

    def _dial(self, turn: int) -> None:
        if self.wanted and turn == self._turn and not self._control.connected:
            will = self.member.next_will()
            where = topic(self._stage.office, Kind.PRESENCE, self._user)
            self._control.dial(str(self._login), Will(topic=where, payload=encode(will), qos=1, retain=True))

    def _dial_voice(self, turn: int) -> None:
        if self.wanted and turn == self._turn and not self._voice.connected:
            self._voice.dial(str(Login(self._stage.office, self._user, voice=True)), None)

    def _again(self, reason: str, dial: Callable[[int], None]) -> None:
        self._stage.refused = [*self._stage.refused[-9:], f"{self._user}: {reason}"]
        turn = self._turn
        self._stage.at(self._stage.now + self._rng.uniform(*REDIAL_S), lambda: dial(turn))

    # --- control ------------------------------------------------------------------------------------------------------

    def say(self, word: Say) -> None:
        """Publish on a topic of its own; how long the broker takes to acknowledge telemetry is measured."""
        ids = (self._user, word.item) if word.item else (self._user,)
        payload = b"" if word.message is None else encode(word.message)
        expiry_s = FLOOR_MESSAGE_EXPIRY_S if word.kind in _FLOOR else None
        where = topic(self._stage.office, word.kind, *ids)
        token = None
        if word.kind is Kind.DEVICE_TELEMETRY:
            self._asked, self._asked_at = self._asked + 1, self._stage.now
            token = self._asked
        self._control.publish(where, payload, qos=1, retain=word.retain, expiry_s=expiry_s, token=token)

    def _on_control(self, event: LinkEvent) -> None:
        match event:
            case Connected():
                office = self._stage.office
                own = [topic(office, kind, self._user) for kind in (Kind.REPLY, Kind.COMMAND)]
                filters = [(everyone(office, Kind.SESSION), 1), *((where, 1) for where in own)]
                self._sub = self._control.subscribe(filters)
            case Subscribed(mid=mid, ok=ok, detail=detail) if mid == self._sub:
                if not ok:
                    self._control.drop(f"subscription refused: {detail}")
                    return
                self.member.connected()
                self._turn_up()
            case Received():
                self._take(event)
            case Acked(token=token) if token == self._asked:
                self._gauges.acknowledged((self._stage.now - self._asked_at) * 1000)
            case Disconnected(reason=reason):
                if self.member.online:
                    self.member.lost()
                self._again(reason, self._dial)
            case DialFailed(reason=reason):
                self._again(reason, self._dial)
            case _:
                pass

    def _turn_up(self) -> None:
        """Say what it is; from now on heartbeats and gauges go out, as long as this connection stands."""
        turn = self._turn
        if self._person.vehicle:
            self.say(self._gauges.info())
            self._tell_gauges(turn)
        self._stage.at(self._stage.now + self._rng.uniform(BEAT_EVERY_S / 2, BEAT_EVERY_S), partial(self._beat, turn))

    def _beat(self, turn: int) -> None:
        if turn == self._turn and self.member.online:
            self.member.beat()
            self._stage.at(self._stage.now + BEAT_EVERY_S, partial(self._beat, turn))

    def _tell_gauges(self, turn: int) -> None:
        if turn == self._turn and self.member.online:
            if not self.member.hangs:
                for word in self._gauges.read(self.member, self._stage.now, self._stage.wall_ms):
                    self.say(word)
            self._stage.at(self._stage.now + self._rng.uniform(0.8, 1.2) * GAUGES_S, partial(self._tell_gauges, turn))

    def _take(self, got: Received) -> None:
        try:
            where = parse(got.topic)
            message = decode(got.payload, where.kind) if got.payload else None
        except (BadTopic, Malformed) as error:
            self._stage.refused = [*self._stage.refused[-9:], f"{self._user}: {error}"]
            return
        if isinstance(message, Session):
            self.member.session(message)
        elif isinstance(message, Command):
            self.member.command(message)
        elif message is not None and where.kind is Kind.REPLY:
            self.member.reply(message)
        if self._person.vehicle and self.member.online:
            state = self._gauges.state(self.member)
            if state is not None:
                self.say(state)

    # --- voice --------------------------------------------------------------------------------------------------------

    def _send_voice(self, frame: VoiceFrame) -> None:
        self._voice.publish(topic(self._stage.office, Kind.VOICE, self._user), pack(frame), qos=0, alias=1)

    def _on_voice(self, event: LinkEvent) -> None:
        match event:
            case Connected():
                self._voice.subscribe([(everyone(self._stage.office, Kind.VOICE), 0, True)])
            case Received(payload=payload):
                self._hear(payload)
            case Disconnected(reason=reason) | DialFailed(reason=reason):
                self._again(reason, self._dial_voice)
            case _:
                pass

    def _hear(self, payload: bytes) -> None:
        try:
            frame = unpack(payload)
        except BadFrame as error:
            self._stage.refused = [*self._stage.refused[-9:], f"{self._user}: {error}"]
            return
        if frame.payload and self.member.online:
            self.member.hear_first(frame.burst, BUFFER_S)
            self.member.hear(frame.burst, 1)


class Mouth:
    """Says a sentence, again and again while the button is down."""

    def __init__(self, stage: Stage, send: Callable[[VoiceFrame], None]) -> None:
        self._stage, self._send = stage, send
        self._burst: int | None = None
        self._seq = 0
        self._began = 0.0
        self._sentence: Sequence[bytes] = ()

    def begin(self, burst: int) -> None:
        """Speak from now on."""
        self._burst, self._seq, self._began = burst, 0, self._stage.now
        self._sentence = self._stage.rng.choice(self._stage.speech)
        self._go_on(burst)

    def end(self) -> int:
        """Be silent; gives how many frames were sent."""
        burst, self._burst = self._burst, None
        if burst is None:
            return 0
        self._send(self._frame(burst, FrameFlags.LAST))
        self._seq += 1
        return self._seq

    def _go_on(self, burst: int) -> None:
        while self._burst == burst and self._began + self._seq * FRAME_S <= self._stage.now:
            self._send(self._frame(burst, FrameFlags.NONE))
            self._seq += 1
        if self._burst == burst:
            self._stage.at(self._began + self._seq * FRAME_S, partial(self._go_on, burst))

    def _frame(self, burst: int, flags: FrameFlags) -> VoiceFrame:
        payload = self._sentence[self._seq % len(self._sentence)]
        return VoiceFrame(burst, self._seq, round(self._seq * FRAME_S * 1000), payload, flags)
