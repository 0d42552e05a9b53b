"""What the transports say, handed to those it concerns: frames to the ear, states to the daemon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import assert_never

from protocol.voice_frame import FrameFlags
from protocol.worker import Agora, AgoraState, Flood, TokenWanted
from service.logs import Log
from voice.faults import Faults
from voice.links import Links
from voice.listening import Listening
from voice.mouth import Mouth
from voice.speaking import Speaking
from voice.transports.port import (
    Arrived,
    Bad,
    Flooded,
    InChannel,
    LinkDown,
    LinkUp,
    Sent,
    StateIs,
    TokenNeeded,
    TransportEvent,
)

log = Log(__name__)


class TransportWords:
    """Takes the events of both ways. The loop's thread."""

    def __init__(
        self,
        mouth: Mouth,
        speaking: Speaking,
        listening: Listening,
        links: Links,
        faults: Faults,
        tell: Callable[[Agora | TokenWanted | Flood], object],
    ) -> None:
        self._mouth = mouth
        self._speaking = speaking
        self._listening = listening
        self._links = links
        self._faults = faults
        self._tell = tell

    def said(self, event: TransportEvent) -> None:
        """Take what MQTT voice says."""
        match event:
            case Arrived():
                self._arrived(event)
            case Sent(burst=burst, seq=seq):
                self._mouth.acked(burst, seq, time.monotonic())
            case LinkUp():
                log.info("voice link is up")
                self._links_changed()
            case LinkDown(reason=reason):
                log.warning("voice link is down", reason=reason)
                self._links_changed(reason)
            case InChannel():
                self._links_changed()
            case StateIs(state=state, detail=detail, join_ms=join_ms):
                quiet = state in (AgoraState.OFF, AgoraState.JOINING, AgoraState.JOINED)
                (log.info if quiet else log.warning)("agora", state=state, detail=detail, join_ms=join_ms)
                self._tell(Agora(state=state, detail=detail, join_ms=join_ms))
            case TokenNeeded(channel=channel, why=why):
                self._tell(TokenWanted(channel=channel, why=why))
            case Flooded(word=word):
                log.warning("voice flood", user=word.user, frames_s=word.frames_s)
                self._tell(word)
            case Bad(what=what):
                self._faults.survived("frames", what)
            case _:
                assert_never(event)

    def said_by_agora(self, event: TransportEvent) -> None:
        """Take what Agora says; what becomes of its link stands in the log as its state already."""
        if isinstance(event, LinkUp | LinkDown):
            self._links_changed(event.reason if isinstance(event, LinkDown) else "")
        else:
            self.said(event)

    def _arrived(self, event: Arrived) -> None:
        frame = event.frame
        if event.pcm is None and frame.flags & FrameFlags.ASK:
            self._speaking.asked(frame.burst)
            self._listening.another_asked(frame.burst, event.at_s)
        elif not self._listening.arrived(event):
            self._faults.survived("frames", "dropped voice: no Opus packet")

    def _links_changed(self, reason: str = "") -> None:
        self._listening.on_agora(self._links.on_agora)
        self._links.changed(reason)
