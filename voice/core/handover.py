"""Which ways a frame of one's own speech goes, MQTT voice or Agora or both, frame by frame (ADR 0008). Pure.

Drive it like this, all times being CLOCK_MONOTONIC seconds:

    plan.follow(burst, now)            whenever what may be sent changes: the burst under permission, None while held
    plan.networks(mqtt, agora, now)    before each frame: which networks would take one
    plan.ways                          which of them the next frame waits for
    plan.next(seq, last=, live=)       with each frame pulled: where it goes, and the word for the daemon
"""

from __future__ import annotations

from msgspec import Struct

from protocol.timers import AGORA_HANDOVER_S, AGORA_OVERLAP_S
from protocol.worker import Handover

LIVE_S = 0.2
"""Speech captured longer ago than this is backlog, which MQTT carries: Agora has no burst to catch up with."""


class Ways(Struct, frozen=True):
    """Over which networks."""

    mqtt: bool
    agora: bool


class Route(Struct, frozen=True):
    """Where one frame goes; `handover`: it is the last on MQTT for now and says so; `word` where the ways changed."""

    mqtt: bool
    agora: bool
    handover: bool
    word: Handover | None


_NOWHERE, _MQTT, _AGORA, _BOTH = Ways(False, False), Ways(True, False), Ways(False, True), Ways(True, True)


class HandoverPlan:
    """The plan of one burst at a time.

    - A burst starts on MQTT. Once Agora takes frames, live ones go to both: for AGORA_OVERLAP_S at least, then until
      every member has joined Agora or AGORA_HANDOVER_S are over. The last MQTT frame carries HANDOVER.
    - Once MQTT has stopped, a listener's ASK, or the loss of the speaker's own Agora link, brings it back for the rest
      of the burst: both ways then, as long as both are there. An ASK before that puts the handover off by
      AGORA_HANDOVER_S: whoever really needs MQTT asks again, and a line that stalled once must not keep all on it.
    - Where MQTT does not take frames and Agora does, Agora carries them alone; once MQTT is back, the overlap begins
      anew, since nobody knows what was heard meanwhile.
    - A hold ends the overlap: after it the burst starts on both ways again, so that its numbers are known again. What
      was asked for before holds on.
    """

    def __init__(self) -> None:
        self._burst: int | None = None
        self._known = 0
        self._ready = _NOWHERE
        self._both_since: float | None = None
        self._handed = False
        self._back = False
        self._all_joined = False
        self._not_before = 0.0
        self._on_agora = False
        self._told = _MQTT
        self._why = ""
        self._now = 0.0

    def follow(self, burst: int | None, now: float) -> None:
        """Take the burst that may be sent now; None: none, or it is held."""
        if burst == self._burst:
            return
        self._burst, self._now = burst, now
        self._both_since, self._handed, self._on_agora = None, False, False
        if burst is not None and burst != self._known:
            self._known = burst
            self._back = self._all_joined = False
            self._not_before = now
            self._told, self._why = _MQTT, ""

    def all_joined(self, burst: int) -> None:
        """Take the server's word that every other member has joined Agora; holds for the rest of that burst."""
        if burst == self._known:
            self._all_joined = True

    def ask(self, burst: int) -> bool:
        """Take a listener's ASK; counts for the burst that runs, and only while it may be sent."""
        if burst != self._burst:
            return False
        if self._handed:
            self._bring_back("a listener asked")
        else:
            self._not_before = self._now + AGORA_HANDOVER_S
        return True

    def networks(self, *, mqtt: bool, agora: bool, now: float) -> None:
        """Take which networks would take a frame: connected and not stalled; for Agora, publishing."""
        self._now = now
        ready = self._ready = _WAYS[mqtt, agora]
        if ready is not _BOTH:
            self._both_since = None
        if not agora and self._on_agora and self._burst is not None:
            self._on_agora = False
            self._bring_back("the Agora link failed")

    @property
    def ways(self) -> Ways:
        """Over which networks the next frame goes; neither: it must wait."""
        if self._burst is None:
            return _NOWHERE
        return _AGORA if self._handed and self._ready.agora else self._ready

    def next(self, seq: int, *, last: bool, live: bool) -> Route:
        """Route a frame; `live`: young enough, and not too far ahead, for Agora while MQTT carries it as well."""
        ways = self.ways
        agora = ways.agora and (live or not ways.mqtt)
        self._on_agora = self._on_agora or agora
        if ways is _BOTH and agora and self._both_since is None:
            self._both_since = self._now
        handover = ways is _BOTH and not last and self._may_hand_over()
        used = _WAYS[ways.mqtt, agora if not self._told.agora else ways.agora]
        word = self._word(seq, used)
        self._handed = self._handed or handover
        return Route(ways.mqtt, agora, handover, word)

    def _may_hand_over(self) -> bool:
        if self._back or self._both_since is None or self._now < self._not_before:
            return False
        so_far_s = self._now - self._both_since
        return so_far_s >= (AGORA_OVERLAP_S if self._all_joined else AGORA_HANDOVER_S) - 1e-6

    def _bring_back(self, why: str) -> None:
        if not self._back:
            self._back, self._why = True, why
        self._handed = False

    def _word(self, seq: int, used: Ways) -> Handover | None:
        if used == self._told or self._burst is None or used is _NOWHERE:
            return None
        was, self._told = self._told, used
        why, self._why = self._why, ""
        if not why:
            why = _WHY.get((was.mqtt, used.mqtt, used.agora), "Agora takes frames")
        if was is _BOTH and used is _AGORA and self._handed:
            why = "every member has joined Agora" if self._all_joined else "both ways carried it long enough"
        return Handover(burst=self._burst, seq=seq, mqtt=used.mqtt, agora=used.agora, why=why)


_WAYS = {(ways.mqtt, ways.agora): ways for ways in (_NOWHERE, _MQTT, _AGORA, _BOTH)}
_WHY = {
    (True, False, True): "MQTT voice takes no frames",
    (False, True, True): "MQTT voice takes frames again",
    (False, True, False): "Agora takes no frames",
    (True, True, False): "Agora takes no frames",
}
