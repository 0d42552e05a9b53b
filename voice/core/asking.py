"""When a listener asks the speaker to go on over MQTT, because it hears nothing of the burst (ADR 0008). Pure.

Who asks is heard by all: another's ASK counts as one's own, so that an office asks a few times, not by the hundred.
"""

from collections.abc import Callable

from protocol.timers import AGORA_ASK_REPEAT_S, AGORA_ASK_S

SPREAD_S = 0.1
"""An ASK waits this long at most, at random: the first one may spare all others."""
FIRST_S = 0.6
"""The first frame of a burst may take this long from its announcement: the speaker must hear of its grant first."""
SILENT_S = 1.5
"""Agora that brings nothing but silence for this long brings nothing."""


class Asking:
    """Follows one announced burst at a time. `chance` gives numbers from 0 to 1."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._burst: int | None = None
        self._user = ""
        self._may_ask = False
        self._fresh_at = 0.0
        self._sound_at = 0.0
        self._not_before = 0.0
        self._spread_s = 0.0
        self.on_agora = False
        """Agora's channel is joined."""

    def play(self, burst: int, user: str, uid: int, now: float) -> None:
        """`user` speaks `burst` by the server's announcement; uid 0: never over Agora, but for a HANDOVER frame."""
        self._burst, self._user = burst, user
        self._may_ask = uid != 0
        self._fresh_at = now + FIRST_S - AGORA_ASK_S
        self._spread_s = self._chance() * SPREAD_S
        self._sound_at = self._not_before = now

    def over(self, burst: int | None = None) -> None:
        """The burst (None: whichever) was stopped, or its last frame came: nothing more of it is missed."""
        if burst is None or burst == self._burst:
            self._burst = None

    def frame(self, user: str, burst: int, at_s: float, *, handover: bool) -> None:
        """Take an MQTT frame as it arrives."""
        if burst != self._burst or user != self._user:
            return
        self._heard(at_s)
        if handover:
            self._may_ask = True
            if not self.on_agora:
                self._fresh_at = at_s - AGORA_ASK_S

    def sound(self, burst: int, at_s: float, *, silent: bool) -> None:
        """Take Agora's sound of the burst as it arrives; `silent`: digital silence."""
        if burst != self._burst:
            return
        if not silent:
            self._sound_at = at_s
        if at_s - self._sound_at < SILENT_S:
            self._heard(at_s)

    def asked(self, burst: int, now: float) -> None:
        """Take another's ASK."""
        if burst == self._burst:
            self._not_before = max(self._not_before, now + AGORA_ASK_REPEAT_S)

    def tick(self, now: float) -> int | None:
        """Give the burst to ask for now, or None."""
        due = self.next_deadline()
        if due is None or now < due:
            return None
        self._not_before = now + AGORA_ASK_REPEAT_S
        self._spread_s = self._chance() * SPREAD_S
        return self._burst

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        if self._burst is None or not self._may_ask:
            return None
        return max(self._fresh_at + AGORA_ASK_S, self._not_before) + self._spread_s

    def _heard(self, at_s: float) -> None:
        if at_s > self._fresh_at:
            if at_s - self._fresh_at > AGORA_ASK_S / 4:
                self._spread_s = self._chance() * SPREAD_S
            self._fresh_at = at_s
