"""One publisher's sound on its way: sent in real time, delayed, and handed out in order, 10 ms at a time."""

import random
from collections import deque

import numpy as np
from msgspec import Struct

FRAME_S = 0.01
WAITING_MAX = 100_000
"""As many frames (1000 s) as the SDK's own send queue is set to hold."""


class Network(Struct):
    """How sound travels: a frame takes `delay_s` and up to `jitter_s` more, at random. May be changed at any time."""

    delay_s: float = 0.2
    jitter_s: float = 0.0


class _Frame(Struct, frozen=True, gc=False):
    sent_s: float
    ready_s: float
    rate_hz: int
    pcm: bytes


class Stream:
    """Times are seconds of one clock that the caller chooses. Sound is 16-bit mono."""

    def __init__(self, network: Network, chance: random.Random) -> None:
        self._network = network
        self._chance = chance
        self._frames: deque[_Frame] = deque(maxlen=WAITING_MAX)
        self._rest = b""
        self._sent_s = 0.0

    def push(self, pcm: bytes, rate_hz: int, now: float) -> int:
        """Queue sound behind what is queued; gives how many frames it made."""
        data, size = self._rest + pcm, rate_hz // 100 * 2
        cut = len(data) - len(data) % size
        self._rest = data[cut:]
        for at in range(0, cut, size):
            self._sent_s = max(now, self._sent_s + FRAME_S)
            late = self._network.delay_s + self._chance.random() * self._network.jitter_s
            ready_s = max(self._sent_s + late, self._frames[-1].ready_s if self._frames else 0.0)
            self._frames.append(_Frame(self._sent_s, ready_s, rate_hz, data[at : at + size]))
        return cut // size

    def interrupt(self, now: float) -> None:
        """Throw away what is not sent yet; what is on its way arrives."""
        while self._frames and self._frames[-1].sent_s > now:
            self._frames.pop()
        self._rest = b""
        self._sent_s = min(self._sent_s, now)

    def take(self, now: float) -> tuple[int, bytes] | None:
        """Rate and sound of the next 10 ms, if they have arrived."""
        if self._frames and self._frames[0].ready_s <= now:
            frame = self._frames.popleft()
            return frame.rate_hz, frame.pcm
        return None

    @property
    def empty(self) -> bool:
        """Nothing is on its way."""
        return not self._frames


def resampled(pcm: bytes, rate_hz: int, wanted_hz: int) -> bytes:
    """16-bit mono at another rate, by linear interpolation; the same bytes where the rates are equal."""
    if rate_hz == wanted_hz:
        return pcm
    samples = np.frombuffer(pcm, np.int16)
    count = len(samples) * wanted_hz // rate_hz
    at = np.arange(count) * (rate_hz / wanted_hz)
    return bytes(np.interp(at, np.arange(len(samples)), samples).astype(np.int16).tobytes())
