"""Which frames written to a TCP connection its other end has acknowledged. Pure."""

from collections import deque
from itertools import islice

FRAMES_MAX = 1024


class InFlight:
    """Frames in the order written. A frame is through when fewer bytes are unacknowledged than were written behind it.

    Sizes are what the frames take at least, so other traffic on the connection makes it wait, never guess.
    """

    def __init__(self) -> None:
        self._frames: deque[tuple[int, int, int, float]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def wrote(self, burst: int, seq: int, size: int, now: float) -> None:
        """Note a frame of at least `size` bytes; over FRAMES_MAX the oldest is forgotten."""
        self._frames.append((burst, seq, size, now))
        self._bytes += size
        while len(self._frames) > FRAMES_MAX:
            self._pop()

    def acknowledged(self, outstanding_bytes: int) -> tuple[int, int] | None:
        """Take the connection's count of unacknowledged bytes; gives the newest (burst, seq) that is through now."""
        through = None
        while self._frames and outstanding_bytes <= self._bytes - self._frames[0][2]:
            through = self._pop()
        return through

    def oldest_age_s(self, now: float) -> float:
        """How long the oldest unacknowledged frame has been waiting; 0 where none is."""
        return now - self._frames[0][3] if self._frames else 0.0

    def holds(self, burst: int, up_to_seq: int) -> bool:
        """Whether a frame of a burst up to this number is still on its way."""
        return any(of == burst and seq <= up_to_seq for of, seq, _, _ in islice(self._frames, 1))

    def clear(self) -> None:
        """Forget all: the connection is gone."""
        self._frames.clear()
        self._bytes = 0

    def _pop(self) -> tuple[int, int]:
        burst, seq, size, _ = self._frames.popleft()
        self._bytes -= size
        return burst, seq
