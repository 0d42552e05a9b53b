"""What the voice worker says of Agora and of floods: kept for alerts, and written down."""

from gateway.core.context import Context
from protocol.worker import Agora, AgoraState, Flood, Handover

FLOODERS_MAX = 8
_WRONG = {
    AgoraState.LOST: "the connection to Agora was lost",
    AgoraState.REFUSED: "Agora refuses this unit",
    AgoraState.UNUSABLE: "the Agora SDK cannot be used",
}


class AgoraCare:
    """The state of the Agora path, and who floods the voice topic."""

    def __init__(self, ctx: Context) -> None:
        """Nothing is known, nothing is wrong."""
        self._ctx = ctx
        self._flooders: dict[str, int] = {}
        self.state = AgoraState.OFF
        self.detail = ""

    def said(self, said: Agora) -> None:
        """The state changed."""
        self._ctx.note(
            "agora",
            warning=said.state in _WRONG,
            state=said.state.value,
            detail=said.detail,
            **({} if said.join_ms is None else {"join_ms": said.join_ms}),
        )
        if said.state is AgoraState.JOINING and self.state in _WRONG:
            return  # a new try mends nothing yet
        self.state, self.detail = said.state, said.detail

    def handover(self, said: Handover) -> None:
        """Own speech changed its way."""
        self._ctx.note(
            "voice handed over", burst=said.burst, seq=said.seq, mqtt=said.mqtt, agora=said.agora, why=said.why
        )

    def flood(self, said: Flood) -> None:
        """A flood began, goes on, or is over."""
        if said.frames_s == 0:
            self._flooders.pop(said.user, None)
        elif said.user in self._flooders or len(self._flooders) < FLOODERS_MAX:
            self._flooders[said.user] = said.frames_s

    def worker_gone(self) -> None:
        """A new worker begins anew; what is wrong with the SDK stays wrong until it says otherwise."""
        self._flooders.clear()
        if self.state is not AgoraState.UNUSABLE:
            self.state, self.detail = AgoraState.OFF, ""

    @property
    def trouble(self) -> str:
        """What is wrong with Agora and how to mend it, in words; empty where nothing is."""
        wrong = _WRONG.get(self.state)
        if wrong is None:
            return ""
        return f"{wrong}: {self.detail}" if self.detail else wrong

    @property
    def floods(self) -> str:
        """Who floods, in words; empty where nobody does. The rate is left to the log: it would change every time."""
        return f"flooding the voice topic: {', '.join(sorted(self._flooders))}" if self._flooders else ""
