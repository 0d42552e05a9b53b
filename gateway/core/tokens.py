"""Agora tokens: fetched ahead, kept per channel, renewed long before they run out. No floor message ever waits on one.

All durations are monotonic, counted from when the office was asked, so that a slow answer shortens them. The monotonic
clock stands still while the machine is suspended: a token is not trusted to its end, and where it ended unseen the
worker says so (TokenWanted).
"""

from msgspec import Struct

from gateway.core.context import Context, Timers
from gateway.core.words import FetchToken, TokenCame, TokenFailed
from protocol.messages import Session
from protocol.rest import TokenGrant
from protocol.timers import TOKEN_WAIT_MAX_S, TOKEN_WAIT_MIN_S
from protocol.worker import Token, TokenWanted

SPREAD_S = 10.0
"""A start's first token is asked for within this time at random: a whole fleet starts at the same hour."""
RENEW_FROM, RENEW_TO = 0.6, 0.8
"""A token is renewed at random between these parts of its life."""
MARGIN_S = 60.0
"""A token is no more used for a join so long before its end (a tenth of its life where that is less)."""
RETRY_S = 1.0
RETRY_S_MAX = 60.0
RETRY_AFTER_S_MAX = 3600.0
STEADY_S = 60.0
"""A token the worker was content with for so long makes its next wish be fulfilled at once."""
CHANNELS_MAX = 4
TROUBLE_AFTER = 2
"""So many failures in a row are an alert; the first one already where no valid token is held."""


class _Held(Struct, frozen=True):
    grant: TokenGrant
    asked_at: float

    def usable(self, now: float) -> bool:
        life_s = self.grant.expires_in_s
        return now < self.asked_at + life_s - min(MARGIN_S, life_s / 10)


class Tokens:
    """The tokens of one user. Does nothing where Agora is not used."""

    def __init__(self, ctx: Context, *, used: bool) -> None:
        """`used`: the voice worker may need tokens."""
        self._ctx = ctx
        self._used = used
        self._timers = Timers()
        self._held: dict[str, _Held] = {}
        self._channel: str | None = None
        self._event_id: str | None = None
        self._asked_at: float | None = None
        self._failures = 0
        self._wishes = 0
        self._worker = False
        self.trouble = ""
        """Why tokens cannot be had, where that matters; else empty."""

    def start(self, now: float) -> None:
        """Fetch the first one, ahead of any session."""
        if self._used:
            self._timers.set("fetch", now + SPREAD_S * self._ctx.chance())

    def stop(self) -> None:
        """Ask no more."""
        self._timers.stop()

    def usable(self, channel: str, now: float) -> bool:
        """Whether a token is held that a join may still be made with."""
        held = self._held.get(channel)
        return held is not None and held.usable(now)

    # --- what happens -------------------------------------------------------------------------------------------------

    def session(self, session: Session, now: float) -> None:
        """A session's start needs a valid token: it is there, or is asked for after a random wait."""
        if not self._used or not session.active:
            self._event_id = None
            self._timers.stop("look")
            return
        self._channel = session.channel_name
        if session.event_id == self._event_id:
            return
        self._event_id = session.event_id
        if self.usable(session.channel_name, now):
            self._hand_over(session.channel_name, now)
        else:
            wait_s = TOKEN_WAIT_MIN_S + (TOKEN_WAIT_MAX_S - TOKEN_WAIT_MIN_S) * self._ctx.chance()
            self._timers.set("look", now + wait_s)

    def came(self, answer: TokenCame, now: float) -> None:
        """Keep it, renew it in time, and give it to the worker."""
        grant, asked_at = answer.grant, self._asked_at
        self._asked_at = None
        self._failures = 0
        self.trouble = ""
        self._held.pop(grant.channel, None)
        while len(self._held) >= CHANNELS_MAX:
            del self._held[next(iter(self._held))]
        held = self._held[grant.channel] = _Held(grant, now if asked_at is None else asked_at)
        self._channel = self._channel or grant.channel
        self._ctx.note("token", channel=grant.channel, expires_in_s=grant.expires_in_s, publisher=grant.publisher)
        self._hand_over(grant.channel, now)
        part = RENEW_FROM + (RENEW_TO - RENEW_FROM) * self._ctx.chance()
        self._timers.set("fetch", max(now + RETRY_S, held.asked_at + grant.expires_in_s * part))

    def failed(self, answer: TokenFailed, now: float) -> None:
        """Ask again, ever later, and not before the office said."""
        self._asked_at = None
        backoff_s = min(RETRY_S_MAX, RETRY_S * 2 ** min(self._failures, 8)) * (0.5 + self._ctx.chance() / 2)
        wait_s = max(backoff_s, min(answer.retry_after_s or 0.0, RETRY_AFTER_S_MAX))
        self._failures += 1
        self._timers.set("fetch", now + wait_s)
        self._ctx.note("no token", warning=True, why=answer.why, code=answer.code, again_in_s=round(wait_s, 1))
        has_one = self._channel is not None and self.usable(self._channel, now)
        if self._failures >= TROUBLE_AFTER or not has_one:
            self.trouble = answer.why

    def wished(self, wish: TokenWanted, now: float) -> None:
        """The worker needs another one: it runs out, was refused, or never came to it."""
        if not self._used:
            return
        self._channel = wish.channel
        if self._timers.running("look"):
            return  # a session just started: that wait is what keeps a whole office from asking at once
        held = self._held.get(wish.channel)
        if held is None or now - held.asked_at >= STEADY_S:
            self._wishes = 0
        # The newest one was refused as well: asking on at once would be a storm.
        wait_s = 0.0 if self._wishes == 0 else min(RETRY_S_MAX, RETRY_S * 2 ** min(self._wishes, 6))
        self._wishes += 1
        self._ctx.note("the worker wants a token", why=wish.why, channel=wish.channel)
        if self._failures == 0:  # else a try is due already, as late as the office bears it
            self._timers.set("fetch", min(self._timers.at("fetch", now + wait_s), now + wait_s))

    def worker_ready(self, now: float) -> None:
        """A (new) worker has none: give it all that are usable."""
        self._worker = True
        for channel in tuple(self._held):
            self._hand_over(channel, now)

    def worker_gone(self) -> None:
        """Nobody takes tokens."""
        self._worker = False

    def tick(self, now: float) -> None:
        """Do what is due."""
        while (name := self._timers.expire(now)) is not None:
            if name == "fetch" or self._still_needed(now):
                self._fetch(now)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _still_needed(self, now: float) -> bool:
        """After the wait: does the session still run, is there still no token, and may the office be asked now?"""
        session = self._ctx.session
        active = session is not None and session.active and session.event_id == self._event_id
        return active and self._failures == 0 and not self.usable(self._channel or "", now)

    def _fetch(self, now: float) -> None:
        if self._asked_at is not None:
            return  # one at a time; its answer sets the next
        self._timers.stop("fetch", "look")
        self._asked_at = now
        self._ctx.emit(FetchToken(channel=self._channel))

    def _hand_over(self, channel: str, now: float) -> None:
        held = self._held[channel]
        if not self._worker or not held.usable(now):
            return
        grant = held.grant
        left_s = held.asked_at + grant.expires_in_s - now
        self._ctx.voice(
            Token(
                channel=grant.channel,
                app_id=grant.app_id,
                uid=grant.uid,
                token=grant.token,
                publisher=grant.publisher,
                expires_in_s=min(max(left_s, 0.0), 86_400.0),
            )
        )
