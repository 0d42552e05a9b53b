"""Voice over an office's Agora channel: joined on demand as audience, left with the session, broadcaster for one burst.

Speech travels as PCM; Agora carries neither burst nor number. It is fenced by uid and interval: one hears the announced
speaker's uid alone, from its announcement to the burst's end, and a speaker publishes only while its burst may be sent.
Everything the SDK does is behind `voice.transports.agora.port.SdkSession`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import assert_never

from msgspec import Struct

from protocol.timers import AGORA_AHEAD_S
from protocol.voice_frame import VoiceFrame
from protocol.worker import AgoraState, Token
from service.loop import Loop, Timer
from service.mqtt import Backoff
from voice.transports.agora.port import (
    Closed,
    Connected,
    Overrun,
    Refused,
    SdkEvent,
    SdkSession,
    Speech,
    TokenExpires,
    Unusable,
)
from voice.transports.port import (
    Arrived,
    Bad,
    InChannel,
    LinkDown,
    LinkUp,
    Sent,
    StateIs,
    TokenNeeded,
    TransportEvent,
)

RETRY_S_MIN, RETRY_S_MAX = 0.5, 15.0
JOIN_S_MAX = 10.0
"""A join that says nothing for this long is given up and tried again."""
COME_BACK_S_MAX = 20.0
"""The SDK has this long to restore a lost connection by itself."""
EXPIRY_MARGIN_S = 2.0
"""A token with less than this left is not worth a join."""
PACED_LATE_S = 0.15
"""The SDK sends what was pushed by a clock and threads of its own: on a busy machine so much later, and what is not
sent yet when one stops publishing is thrown away."""
TOKENS_MAX = 4
"""Tokens of channels kept; a vehicle has one office."""


class _Held(Struct, frozen=True):
    token: Token
    until: float


class AgoraVoice:
    """VoiceTransport over Agora. `tell` gets TransportEvents in the loop's thread; `make_session` is called once.

    `packet_s` is the length of the frames that `send` gets. The SDK being unusable is told once, then nothing follows.
    """

    name = "agora"

    def __init__(
        self,
        loop: Loop,
        make_session: Callable[[Callable[[SdkEvent], None]], SdkSession],
        rate_hz: int,
        packet_s: float,
        tell: Callable[[TransportEvent], None],
        rng: random.Random,
    ) -> None:
        self._loop = loop
        self._tell = tell
        self._bytes_s = 2 * rate_hz
        self._packet_s = packet_s
        self._session = make_session(self._on_sdk)
        self._backoff = Backoff(RETRY_S_MIN, RETRY_S_MAX, rng)
        self._tokens: dict[str, _Held] = {}
        self._event_id: str | None = None
        self._channel = ""
        self._state = AgoraState.OFF
        self._connecting = False
        self._asked = ""
        self._retry: Timer | None = None
        self._give_up_at: float | None = None
        self._expires_at: float | None = None
        self._hearing: tuple[int, str, int] | None = None
        self._count = 0
        self._burst: int | None = None
        self._publishing = False
        self._hush_at: float | None = None
        self._pushed_until = 0.0
        self._stopped = False
        self.strays = 0
        """Sound of a uid, or of a time, that was not to be heard; dropped."""

    # --- a session --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Nothing: a channel is joined when a session opens."""

    def stop(self) -> None:
        """Leave at once; waits for the SDK at most 1 s. Nothing can be started again."""
        if self._stopped:
            return
        self._stopped = True
        self.hush(drain=False)
        self._forget_join()
        self._event_id = None
        self._session.close()
        self._state = AgoraState.OFF

    @property
    def up(self) -> bool:
        """The channel of the running session is joined."""
        return self._state is AgoraState.JOINED

    def token(self, token: Token) -> None:
        """Take a token: the running connection renews with it, one that waits for it joins."""
        now = time.monotonic()
        self._tokens.pop(token.channel, None)
        self._tokens[token.channel] = _Held(token, now + token.expires_in_s)
        while len(self._tokens) > TOKENS_MAX:
            del self._tokens[next(iter(self._tokens))]
        if self._event_id is None or token.channel != self._channel or self._state is AgoraState.UNUSABLE:
            return
        self._asked = ""
        if self._state is AgoraState.JOINED:
            self._session.renew(token)
            self._expires_at = now + token.expires_in_s
            self._follow_speech()
        elif not self._connecting and self._retry is None:
            self._connect()

    def join(self, event_id: str, channel: str) -> None:
        """Take part in a session: join its channel as soon as there is a token."""
        if self._state is AgoraState.UNUSABLE:
            return
        same = self._event_id is not None and channel == self._channel
        self._event_id, self._channel = event_id, channel
        if not same:
            self._leave_channel()
            self._backoff.reset()
            self._connect()
        elif self._state is AgoraState.JOINED:
            self._tell(InChannel(event_id))

    def leave(self) -> None:
        """Take part in none: leave the channel at once, which is what ends its costs."""
        self._event_id = None
        self._leave_channel()
        if self._state is not AgoraState.UNUSABLE:
            self._become(AgoraState.OFF)

    # --- hearing ----------------------------------------------------------------------------------------------------

    def hear(self, burst: int, user: str, uid: int) -> None:
        """Hear `uid` and nobody else, as `user`'s burst."""
        self._count = 0
        if not uid:
            return self.deaf()
        heard, self._hearing = self._hearing, (burst, user, uid)
        if self.up and (heard is None or heard[2] != uid):
            self._session.subscribe(uid)
        return None

    def deaf(self) -> None:
        """Hear nobody."""
        if self._hearing is not None:
            self._hearing = None
            if self.up:
                self._session.unsubscribe()

    # --- speaking ---------------------------------------------------------------------------------------------------

    def speak(self, burst: int, as_user: str | None) -> None:
        """Publish for this burst as soon as the channel is joined. A listen-only token never publishes."""
        if self._publishing and burst != self._burst:
            self._unpublish()
        self._burst = burst
        self._follow_speech()

    def hush(self, *, drain: bool) -> None:
        """Publish no more. `drain`: what was pushed plays out first, AGORA_AHEAD_S and PACED_LATE_S at most."""
        self._burst = None
        if not self._publishing:
            return
        now = time.monotonic()
        if drain and self._pushed_until:
            self._hush_at = min(max(self._pushed_until, now), now + AGORA_AHEAD_S) + PACED_LATE_S
        else:
            self._unpublish()

    @property
    def publishing(self) -> bool:
        """Sound given now goes out."""
        return self._publishing and self._burst is not None

    def stuck_s(self, now: float) -> float:
        """How long the SDK has not returned from a call."""
        return self._session.stuck_s(now)

    @property
    def unpushed(self) -> int:
        """Calls' worth of sound given but never pushed: the SDK came to them too late."""
        return self._session.unpushed

    @property
    def rate_hz(self) -> int:
        """Rate of the sound that `send` gets."""
        return self._bytes_s // 2

    def ahead_s(self, now: float) -> float:
        """How much of what was given is still to be played."""
        return max(0.0, self._pushed_until - now)

    def room(self, now: float) -> bool:
        """Whether a frame given now would be no more than AGORA_AHEAD_S ahead of real time."""
        return self.publishing and self._pushed_until - now + self._packet_s <= AGORA_AHEAD_S + 1e-6

    def send(self, frame: VoiceFrame, now: float, pcm: bytes = b"") -> bool:
        """Push a frame's sound; a frame without any is taken and forgotten."""
        if not self.publishing or frame.burst != self._burst:
            return False
        if pcm:
            self._pushed_until = max(now, self._pushed_until) + len(pcm) / self._bytes_s
            self._session.push(pcm)
        self._tell(Sent(frame.burst, frame.seq))
        return True

    def gone_by(self, deadline_s: float | None) -> None:
        """Nothing: what is unsent is thrown away with the burst."""

    def tick(self, now: float) -> None:
        """Let time pass."""
        if self._hush_at is not None and now >= self._hush_at:
            self._unpublish()
        if self._give_up_at is not None and now >= self._give_up_at:
            self._lost("Agora's channel was not joined in time", AgoraState.LOST)
        if self._expires_at is not None and now >= self._expires_at:
            self._expired()

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        due = [d for d in (self._hush_at, self._give_up_at, self._expires_at) if d is not None]
        return min(due, default=None)

    # --- inside: the channel ----------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._retry = None
        if self._event_id is None or self._state is AgoraState.UNUSABLE:
            return
        now = time.monotonic()
        held = self._tokens.get(self._channel)
        if held is None or held.until - now < EXPIRY_MARGIN_S:
            self._tokens.pop(self._channel, None)
            return self._want_token("there is none" if held is None else "it has run out")
        self._connecting = True
        self._give_up_at = now + JOIN_S_MAX
        self._expires_at = held.until
        self._become(AgoraState.JOINING)
        self._session.connect(held.token)

    def _leave_channel(self) -> None:
        self._publishing, self._hush_at = False, None
        if self._connecting or self.up:
            self._session.disconnect()
        self._forget_join()

    def _forget_join(self) -> None:
        self._connecting = False
        self._give_up_at = self._expires_at = None
        self._asked = ""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _want_token(self, why: str) -> None:
        if self._asked != self._channel:
            self._asked = self._channel
            self._tell(TokenNeeded(self._channel, why[:256]))

    def _expired(self) -> None:
        """Nothing renewed the token in time: leave what is about to be closed, and join again with a new one."""
        self._expires_at = None
        self._tokens.pop(self._channel, None)
        self._asked = ""
        self._lost("the token ran out", AgoraState.LOST)

    def _lost(self, why: str, state: AgoraState) -> None:
        """The connection, or the attempt, is over: try again later."""
        self._leave_channel()
        self._become(state, why)
        if self._event_id is not None:
            self._retry = self._loop.call_at(time.monotonic() + self._backoff.next_delay(), self._connect)

    def _become(self, state: AgoraState, detail: str = "", join_ms: int | None = None) -> None:
        if state is self._state:
            return
        was, self._state = self._state, state
        if state is AgoraState.JOINED:
            self._tell(LinkUp())
        elif was is AgoraState.JOINED:
            self._tell(LinkDown(detail or "the channel was left"))
        self._tell(StateIs(state, detail[:512], join_ms))

    def _follow_speech(self) -> None:
        """Publish where a burst may be sent, the channel is joined and the token allows it."""
        if self._burst is None or self._publishing or not self.up:
            return
        held = self._tokens.get(self._channel)
        if held is not None and held.token.publisher:
            self._publishing = True
            self._pushed_until = 0.0
            self._session.publish()

    def _unpublish(self) -> None:
        self._publishing, self._hush_at = False, None
        self._session.unpublish()

    # --- inside: what the SDK tells ---------------------------------------------------------------------------------

    def _on_sdk(self, event: SdkEvent) -> None:
        match event:
            case Speech(uid=uid, pcm=pcm, at_s=at_s):
                self._speech(uid, pcm, at_s)
            case Connected(channel=channel, took_ms=took_ms):
                self._connected(channel, took_ms)
            case Closed(reason=reason, again=again):
                self._closed(reason, again)
            case Refused(reason=reason, token=token):
                self._refused(reason, token)
            case TokenExpires():
                self._want_token("it runs out")
            case Unusable(detail=detail):
                self._event_id = None
                self._publishing = False
                self._forget_join()
                self._become(AgoraState.UNUSABLE, detail)
            case Overrun(dropped=dropped):
                self._tell(Bad(f"Agora's callbacks came too fast: {dropped} dropped"))
            case _:
                assert_never(event)

    def _speech(self, uid: int, pcm: bytes, at_s: float) -> None:
        if self._hearing is None or self._hearing[2] != uid or not self.up:
            self.strays += 1
            return
        burst, user, _ = self._hearing
        self._tell(Arrived(user, VoiceFrame(burst, self._count, 0, b""), at_s, pcm))
        self._count += 1

    def _connected(self, channel: str, took_ms: int) -> None:
        if self._event_id is None or channel != self._channel or not self._connecting or self.up:
            return
        self._give_up_at = None
        self._backoff.reset()
        restored = self._state is AgoraState.LOST
        self._become(AgoraState.JOINED, join_ms=max(0, took_ms))
        held = self._tokens.get(self._channel)
        if held is not None and held.until != self._expires_at:  # it came while the channel was being joined
            self._session.renew(held.token)
            self._expires_at = held.until
        if self._hearing is not None:
            self._session.subscribe(self._hearing[2])
        elif restored:
            self._session.unsubscribe()
        self._follow_speech()
        self._tell(InChannel(self._event_id))

    def _closed(self, reason: str, again: bool) -> None:
        if not self._connecting:
            return
        if not again:
            return self._lost(reason, AgoraState.LOST)
        if self._publishing:  # else the SDK, once back, would go on publishing, and send what it still had to send
            self._unpublish()
        self._give_up_at = time.monotonic() + COME_BACK_S_MAX
        self._become(AgoraState.LOST, reason)
        return None

    def _refused(self, reason: str, token: bool) -> None:
        if not self._connecting:
            return
        self._lost(reason, AgoraState.REFUSED)
        if token:
            self._tokens.pop(self._channel, None)
            if self._event_id is not None:
                self._want_token(reason)
