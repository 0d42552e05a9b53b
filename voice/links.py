"""What the daemon is told of the ways voice can go: whether there is any, and over which a session is heard."""

from __future__ import annotations

from collections.abc import Callable

from protocol.messages import VoicePath
from protocol.worker import Joined, VoiceLink
from voice.transports.agora_voice import AgoraVoice
from voice.transports.mqtt_voice import MqttVoice


class Links:
    """Tells VoiceLink and Joined, each only where it changed. Loop's thread."""

    def __init__(self, mqtt: MqttVoice, agora: AgoraVoice | None, tell: Callable[[VoiceLink | Joined], None]) -> None:
        self._mqtt = mqtt
        self._agora = agora
        self._tell = tell
        self._up_told: bool | None = None
        self._event_id: str | None = None
        self._joined_told: Joined | None = None

    def session(self, event_id: str | None) -> None:
        """Take the session one takes part in; None: none."""
        self._event_id, self._joined_told = event_id, None

    @property
    def in_session(self) -> bool:
        """One takes part in a session."""
        return self._event_id is not None

    @property
    def on_agora(self) -> bool:
        """Agora's channel is joined."""
        return self._agora is not None and self._agora.up

    @property
    def up(self) -> bool:
        """Voice can go, over one way or the other."""
        return self._mqtt.up or self.on_agora

    def changed(self, reason: str = "") -> None:
        """Take that a transport came, went, or joined; `reason`: why it went."""
        if self.up != self._up_told:
            self._up_told = self.up
            self._tell(VoiceLink(up=self.up, detail="" if self.up else reason[:500]))
        if self._event_id is not None and self.up:
            joined = Joined(event_id=self._event_id, voice=VoicePath.AGORA if self.on_agora else VoicePath.MQTT)
            if joined != self._joined_told:
                self._joined_told = joined
                self._tell(joined)
