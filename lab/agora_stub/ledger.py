"""What the hub has seen: stays, sound passed on, refusals and recordings, by channel and uid."""

from collections import Counter, defaultdict

from msgspec import Struct

RECORD_BYTES_MAX = 20_000_000
"""So much of what each uid pushed is kept: 200 s at 48 kHz."""


class Stats(Struct, frozen=True):
    """One channel as it stands: `joined_s` includes what earlier stays took."""

    joined: tuple[int, ...]
    speaking: tuple[int, ...]
    joined_s: dict[int, float]
    pushed: dict[int, int]
    """Frames of 10 ms that each uid pushed while it might speak."""
    delivered: dict[int, int]
    """Frames with sound handed to each uid."""
    refused: dict[int, tuple[int, ...]]
    """Reasons for which joins of each uid were refused."""
    mute_pushes: int
    """Datagrams of sound from those who may not speak; thrown away."""

    @property
    def minutes(self) -> float:
        """Minutes that would be billed."""
        return sum(self.joined_s.values()) / 60


class Ledger:
    """Not guarded: the hub's lock is."""

    def __init__(self) -> None:
        self.past_s: defaultdict[tuple[str, int], float] = defaultdict(float)
        self.pushed: Counter[tuple[str, int]] = Counter()
        self.delivered: Counter[tuple[str, int]] = Counter()
        self.refused: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        self.mute_pushes: Counter[str] = Counter()
        self._recorded: defaultdict[tuple[str, int], bytearray] = defaultdict(bytearray)

    def record(self, channel: str, uid: int, pcm: bytes, frames: int) -> None:
        """`uid` pushed `pcm`, which made so many frames."""
        recorded = self._recorded[(channel, uid)]
        recorded += pcm[: RECORD_BYTES_MAX - len(recorded)]
        self.pushed[(channel, uid)] += frames

    def recorded(self, channel: str, uid: int) -> bytes:
        """What `uid` pushed so far, at most RECORD_BYTES_MAX."""
        return bytes(self._recorded.get((channel, uid), b""))

    def stats(self, channel: str, here_s: dict[int, float], speaking: list[int]) -> Stats:
        """The channel, whose present members have been there for `here_s`."""
        joined_s = {uid: past for (name, uid), past in self.past_s.items() if name == channel}
        for uid, seconds in here_s.items():
            joined_s[uid] = joined_s.get(uid, 0.0) + seconds
        return Stats(
            joined=tuple(sorted(here_s)),
            speaking=tuple(sorted(speaking)),
            joined_s=joined_s,
            pushed={uid: count for (name, uid), count in self.pushed.items() if name == channel},
            delivered={uid: count for (name, uid), count in self.delivered.items() if name == channel},
            refused={uid: tuple(why) for (name, uid), why in self.refused.items() if name == channel},
            mute_pushes=self.mute_pushes[channel],
        )
