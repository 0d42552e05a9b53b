"""Voice over MQTT: Opus frames, QoS 0, on a connection of its own.

The subscription to `voice/+` is made with the connection and kept, so that joining a session costs nothing and the
first frame of the first burst, which races with its announcement, is never missed: what is not announced waits in the
listen gate for 3 s and is dropped. While nobody speaks it costs nothing either.
"""

import random
import time
from collections.abc import Callable

from protocol.ids import OfficeId
from protocol.timers import SEND_AGE_S
from protocol.topics import BadTopic, Kind, everyone, parse, topic
from protocol.voice_frame import BadFrame, FrameFlags, VoiceFrame, pack, unpack
from protocol.worker import Token
from protocol.worker_settings import VoiceMqttSettings
from service.loop import Loop, Timer
from service.mqtt import (
    Acked,
    Backoff,
    BrokerSettings,
    Connected,
    DialFailed,
    Disconnected,
    Filter,
    LinkEvent,
    MqttLink,
    Received,
    Subscribed,
)
from service.settings import Secret
from voice.flood import FloodGuard
from voice.transports.in_flight import InFlight
from voice.transports.port import Arrived, Bad, Flooded, InChannel, LinkDown, LinkUp, Sent, TransportEvent

RETRY_S_MIN, RETRY_S_MAX = 0.25, 8.0
HURRY_S = 0.1
"""The next try comes so soon after the last while speech waits: the first syllable is kept for SEND_AGE_S only."""
LASTED_S = 5.0
"""A connection that lasted this long makes the back-off begin anew."""
STUCK_S = 2.0
"""Voice unacknowledged for this long resets the connection: it would come too late, and the line is dead."""
LOOK_EVERY_S = 0.02
BYTES_MAX = 32768
"""More than this is never on its way at once: two seconds of pre-roll take about 16 kB."""
USERS_MAX = 1024
"""Topics of speakers remembered; beyond, they are parsed anew."""
_ALIAS = 1
_FRAMING_BYTES = 2 + 2 + 4
"""The least MQTT adds: fixed header, empty topic, the alias among its properties."""


class MqttVoice:
    """VoiceTransport over MQTT. `tell` gets TransportEvents in the loop's thread."""

    name = "mqtt"

    def __init__(
        self,
        loop: Loop,
        settings: VoiceMqttSettings,
        office: OfficeId,
        user: str,
        tell: Callable[[TransportEvent], None],
        rng: random.Random,
    ) -> None:
        self._loop = loop
        self._client_id = settings.client_id
        self._tell = tell
        self._office = office
        self._own_topic = self._topic = topic(office, Kind.VOICE, user)
        self._filter = Filter(everyone(office, Kind.VOICE), 0, no_local=True)
        self._link = MqttLink(loop, _broker(settings), self._on_link, out_bytes_max=BYTES_MAX)
        self._backoff = Backoff(RETRY_S_MIN, RETRY_S_MAX, rng)
        self._retry: Timer | None = None
        self._retry_at = self._dialled_at = 0.0
        self._in_flight = InFlight()
        self._users: dict[str, str] = {}
        self._guard = FloodGuard()
        self._up = False
        self._connected_at = 0.0
        self._told_down: str | None = None
        self._joining: str | None = None
        self._gone_by: float | None = None
        self._stopped = False

    def start(self) -> None:
        """Connect, and keep connecting."""
        self._dial()

    def stop(self) -> None:
        """Close at once; what is unsent is thrown away."""
        self._stopped = True
        if self._retry is not None:
            self._retry.cancel()
        if self._in_flight:
            self._link.drop("stopped")
        else:
            self._link.close(0.1)
        self._up = False

    @property
    def up(self) -> bool:
        """Connected and subscribed."""
        return self._up

    def token(self, token: Token) -> None:
        """Nothing: the broker's login is enough."""

    def join(self, event_id: str, channel: str) -> None:
        """Take part in a session; its channel is Agora's."""
        self._joining = event_id
        self._tell_joined()

    def leave(self) -> None:
        """Take part in none. The subscription stays, see the module's docstring."""
        self._joining = None

    def hear(self, burst: int, user: str, uid: int) -> None:
        """Take who is announced: its frames are no flood."""
        self._guard.speaker(user)

    def deaf(self) -> None:
        """Take that nobody is."""
        self._guard.speaker(None)

    def speak(self, burst: int, as_user: str | None) -> None:
        """Write what follows on the topic of `as_user`, or on one's own."""
        self._topic = self._own_topic if as_user is None else topic(self._office, Kind.VOICE, as_user)

    def hush(self, *, drain: bool) -> None:
        """Nothing: a frame written is the kernel's."""

    def hurry(self, now: float) -> None:
        """Speech waits: dial HURRY_S after the last try, whatever the back-off says. Nothing where one is connected."""
        soon = max(now, self._dialled_at + HURRY_S)
        if self._retry is not None and self._retry_at > soon:
            self._retry.cancel()
            self._dial_at(soon)

    def ask(self, burst: int) -> bool:
        """Say on one's own topic that nothing of `burst` is heard over Agora. False without a connection."""
        return self._link.publish(self._own_topic, pack(VoiceFrame(burst, 0, 0, b"", FrameFlags.ASK)))

    def room(self, now: float) -> bool:
        """False while voice sent SEND_AGE_S ago is unacknowledged, or the socket does not take what it has."""
        self._look(now)
        return self._up and not self._link.pending_write and self._in_flight.oldest_age_s(now) < SEND_AGE_S

    def holds(self, burst: int, up_to_seq: int) -> bool:
        """Whether frames of a burst up to this number are still on their way, as of the last look."""
        return self._in_flight.holds(burst, up_to_seq)

    def send(self, frame: VoiceFrame, now: float, pcm: bytes = b"") -> bool:
        """Write a frame; its sound travels as the Opus packet it holds."""
        data = pack(frame)
        if not self._link.publish(self._topic, data, alias=_ALIAS):
            return False
        self._in_flight.wrote(frame.burst, frame.seq, len(data) + _FRAMING_BYTES, now)
        return True

    def gone_by(self, deadline_s: float | None) -> None:
        """Set when what was written must have left."""
        self._gone_by = deadline_s

    def tick(self, now: float) -> None:
        """Look for acknowledgements; reset a connection that holds voice too long."""
        self._look(now)
        for word in self._guard.tick(now):
            self._tell(Flooded(word))
        if self._gone_by is not None and now >= self._gone_by:
            if self._in_flight.oldest_age_s(now) > SEND_AGE_S:
                self._link.drop("voice could not leave in time: the line stalls")
            self._gone_by = None
        elif self._in_flight.oldest_age_s(now) > STUCK_S:
            self._link.drop(f"nothing acknowledged for {STUCK_S:g} s: the line stalls")

    def next_deadline(self) -> float | None:
        """When to look again."""
        if self._in_flight:
            return time.monotonic() + LOOK_EVERY_S
        due = [d for d in (self._gone_by, self._guard.next_deadline()) if d is not None]
        return min(due, default=None)

    @property
    def flooded(self) -> int:
        """Frames of floods dropped unread since start."""
        return self._guard.dropped

    # --- inside ---------------------------------------------------------------------------------------------------

    def _look(self, now: float) -> None:
        if not self._in_flight:
            return
        through = self._in_flight.acknowledged(self._link.outq_bytes())
        if through is not None:
            self._tell(Sent(*through))

    def _dial(self) -> None:
        self._retry = None
        self._dialled_at = time.monotonic()
        self._link.dial(self._client_id, None)

    def _on_link(self, event: LinkEvent) -> None:
        match event:
            case Received():
                self._received(event)
            case Connected():
                self._connected_at = time.monotonic()
                self._link.subscribe([self._filter])
            case Subscribed(ok=True):
                self._up, self._told_down = True, None
                self._tell(LinkUp())
                self._tell_joined()
            case Subscribed(detail=detail):
                self._link.drop(f"the broker refuses the subscription to voice ({detail}): see its access rules")
            case Disconnected(reason=reason) | DialFailed(reason=reason):
                self._lost(reason)
            case Acked():
                pass

    def _received(self, event: Received) -> None:
        user = self._users.get(event.topic)
        try:
            if user is None:
                user = self._user_of(event.topic)
            if not self._guard.allow(user, event.at_s):
                return
            frame = unpack(event.payload)
        except (BadTopic, BadFrame) as error:
            self._tell(Bad(f"dropped voice: {error}"))
            return
        self._tell(Arrived(user, frame, event.at_s))

    def _user_of(self, name: str) -> str:
        user = parse(name).user
        if len(self._users) >= USERS_MAX:
            self._users.clear()
        self._users[name] = user
        return user

    def _lost(self, reason: str) -> None:
        self._in_flight.clear()
        if self._up and time.monotonic() - self._connected_at > LASTED_S:
            self._backoff.reset()
        self._up = False
        if self._told_down != reason:
            self._told_down = reason
            self._tell(LinkDown(reason))
        if not self._stopped:
            self._dial_at(time.monotonic() + self._backoff.next_delay())

    def _dial_at(self, at: float) -> None:
        self._retry_at = at
        self._retry = self._loop.call_at(at, self._dial)

    def _tell_joined(self) -> None:
        if self._up and self._joining is not None:
            event_id, self._joining = self._joining, None
            self._tell(InChannel(event_id))


def _broker(settings: VoiceMqttSettings) -> BrokerSettings:
    return BrokerSettings(
        host=settings.host,
        port=settings.port,
        keepalive_s=settings.keepalive_s,
        connect_timeout_s=settings.connect_timeout_s,
        username=settings.username,
        password=None if settings.password is None else Secret(settings.password),
        tls=settings.tls,
        tls_ca=settings.tls_ca,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
    )
