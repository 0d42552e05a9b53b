"""Who sends more voice than anyone may: their frames are dropped by topic, unread. Time is passed in; no I/O."""

from __future__ import annotations

from protocol.worker import Flood

FRAMES_S_MAX = 100.0
"""Frames a second that a member without the floor may send for long: those of the shortest packet, 10 ms."""
FRAMES_AT_ONCE_MAX = 300
"""...and at once on top of it: the pre-roll of a burst whose announcement is still under way, 2 s of such packets."""
SPEAKER_FACTOR = 4.0
"""The announced speaker may send this many times as much, for a stalled line that comes free."""
QUIET_S = 5.0
"""A flood is over when its sender kept to the rate for so long."""
USERS_MAX = 1024
"""Senders told apart; beyond, all others share one account."""
_OTHERS = "others"


class _Sender:
    """A leaky bucket: what came less what may come."""

    __slots__ = ("at", "count", "flooding", "level", "name", "over_at", "since")

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.level = 0.0
        self.at = now
        self.count = 0
        self.since = now
        self.over_at = now
        self.flooding = False


class FloodGuard:
    """Counts frames by sender. `allow` is called for every frame before anything of it is read."""

    def __init__(self) -> None:
        self._senders: dict[str, _Sender] = {}
        self._speaker: str | None = None
        self._words: list[Flood] = []
        self._flooding = 0
        self._sweep_at = 0.0
        self.dropped = 0
        """Frames dropped unread since start."""

    def speaker(self, user: str | None) -> None:
        """Take who is announced to speak; None: nobody."""
        self._speaker = user

    def allow(self, user: str, now: float) -> bool:
        """Count a frame; False where it must be dropped unread."""
        sender = self._senders.get(user)
        if sender is None:
            sender = self._add(user, now)
        factor = SPEAKER_FACTOR if user == self._speaker else 1.0
        level = max(0.0, sender.level - (now - sender.at) * FRAMES_S_MAX * factor) + 1.0
        sender.at = now
        sender.count += 1
        if level > FRAMES_AT_ONCE_MAX * factor:
            sender.level = FRAMES_AT_ONCE_MAX * factor
            sender.over_at = now
            self.dropped += 1
            if not sender.flooding:
                sender.flooding = True
                self._flooding += 1
                rate = sender.count / max(0.1, now - sender.since)
                self._words.append(Flood(user=sender.name, frames_s=round(rate)))
            return False
        sender.level = level
        if level <= 1.0:
            sender.count, sender.since = 1, now
        return True

    def tick(self, now: float) -> tuple[Flood, ...]:
        """Let time pass; gives, once each, what floods began and ended since."""
        if self._flooding:
            for sender in self._senders.values():
                if sender.flooding and now - sender.over_at >= QUIET_S:
                    sender.flooding = False
                    self._flooding -= 1
                    self._words.append(Flood(user=sender.name, frames_s=0))
        if not self._words:
            return ()
        words, self._words = tuple(self._words), []
        return words

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        if not self._flooding:
            return None
        return min(sender.over_at for sender in self._senders.values() if sender.flooding) + QUIET_S

    def _add(self, user: str, now: float) -> _Sender:
        if len(self._senders) >= USERS_MAX and now >= self._sweep_at:
            self._sweep_at = now + QUIET_S
            for name in [n for n, s in self._senders.items() if not s.flooding and now - s.at > QUIET_S]:
                del self._senders[name]
        if len(self._senders) >= USERS_MAX:
            user = _OTHERS
        return self._senders.setdefault(user, _Sender(user, now))
