"""Floor releases on their way: each is sent again until it is acknowledged, or the lease must long be over."""

from gateway.core.context import Context
from protocol.ids import RequestId
from protocol.messages import FloorRelease
from protocol.timers import RELEASE_RETRANSMIT_S, RELEASE_TRIES_MAX

OPEN_MAX = 8


class Releases:
    """Unacknowledged releases by request; the oldest gives way past OPEN_MAX (its lease ends by itself)."""

    def __init__(self, ctx: Context) -> None:
        """Start with none."""
        self._ctx = ctx
        self._open: dict[RequestId, tuple[FloorRelease, int, float]] = {}

    def send(self, release: FloorRelease, now: float) -> None:
        """Send a release and keep it until it is answered."""
        for older in [r for r, (open_, _, _) in self._open.items() if r < release.request_id and open_.burst is None]:
            del self._open[older]  # a release closes every older request of this member too
        self._open.pop(release.request_id, None)
        while len(self._open) >= OPEN_MAX:
            del self._open[next(iter(self._open))]
        self._open[release.request_id] = (release, 1, now + RELEASE_RETRANSMIT_S)
        self._ctx.floor(release)

    def acked(self, request_id: RequestId) -> bool:
        """Forget an acknowledged release; False where none was open."""
        return self._open.pop(request_id, None) is not None

    def burst_over(self, burst: int) -> None:
        """The server announced a burst over: its release needs no answer any more."""
        for request_id, (release, _, _) in tuple(self._open.items()):
            if release.burst is not None and release.burst <= burst:
                del self._open[request_id]

    def tick(self, now: float) -> None:
        """Send again what is due. A try counts also while the link is down: by the last the lease has long ended."""
        for request_id, (release, tries, at) in tuple(self._open.items()):
            if at > now:
                continue
            if tries >= RELEASE_TRIES_MAX:
                del self._open[request_id]
                continue
            self._open[request_id] = (release, tries + 1, now + RELEASE_RETRANSMIT_S)
            self._ctx.floor(release, again=True)

    def next_deadline(self) -> float | None:
        """Give when the next one is sent again."""
        return min((at for _, _, at in self._open.values()), default=None)

    def __contains__(self, request_id: object) -> bool:
        """Whether a release of this request is still unanswered."""
        return request_id in self._open
