"""One's own speech on its ways out: what the talk gate gives, to the networks the handover plan names. Loop's thread.

Nothing here can send what the gate did not give: the gate's permission (`Mouth.sending`) is followed before anything is
pulled, and its end unpublishes at once, unless the burst ended whole; then what was pushed plays out.

Agora takes sound no faster than it is spoken. Where it carries a burst alone, what waited for the grant or for the
channel goes first, and the delay that adds is worked off here, before it is pushed (`voice.hurry`).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

from protocol.voice_frame import FrameFlags, VoiceFrame
from protocol.worker import Handover, Transmit
from voice.core.handover import LIVE_S, HandoverPlan
from voice.hurry import Hurry
from voice.mouth import Mouth, Utterance
from voice.transports.agora_voice import AgoraVoice
from voice.transports.mqtt_voice import MqttVoice

USUAL_S = 0.03
"""Delay at the mouth's end that is not worked off: a packet, and the loop's."""
PUSH_S = 0.01
"""The SDK takes whole pieces of this length."""
STALL_S = 0.1
"""MQTT that takes no frame for this long carries none for now: Agora goes on alone where it is there."""


class Speaking:
    """Pulls from the mouth while a way takes frames. `tell` gets Handover."""

    def __init__(
        self, mouth: Mouth, mqtt: MqttVoice, agora: AgoraVoice | None, tell: Callable[[Handover], None]
    ) -> None:
        self._mouth = mouth
        self._mqtt = mqtt
        self._agora = agora
        self._tell = tell
        self._plan = HandoverPlan()
        self._burst: int | None = None
        self._as_user: str | None = None
        self._finished: int | None = None
        self._mqtt_room_at = 0.0
        rate_hz = 16_000 if agora is None else agora.rate_hz
        self._piece = round(PUSH_S * rate_hz)
        self._rate_hz = rate_hz
        self._queue = Hurry(rate_hz)
        self._behind = False
        self._catching_up = False
        self._backlog_seq = -1
        self._filled_until = float("-inf")

    @property
    def left_out_s(self) -> float:
        """Sound left out since start, of backlogs that Agora carried alone."""
        return self._queue.left_out_s

    def permitted(self, word: Transmit, now: float) -> None:
        """Take a Transmit the mouth has taken already."""
        self._as_user = word.as_user
        self.follow(now)
        if word.all_joined:
            self._plan.all_joined(word.burst)

    def asked(self, burst: int) -> bool:
        """Take a listener's ASK; False where it is not of one's own running burst."""
        return self._plan.ask(burst)

    def follow(self, now: float) -> None:
        """Look whether speech may leave: to be called after anything that may have ended or given permission."""
        burst = self._mouth.sending(now)
        if burst == self._burst:
            return
        was, self._burst = self._burst, burst
        self._plan.follow(burst, now)
        self._queue.clear()
        self._queue.begin()
        self._behind = False
        self._catching_up, self._backlog_seq, self._filled_until = True, -1, float("-inf")
        if burst is not None:
            self._mqtt_room_at = now
            self._mqtt.speak(burst, self._as_user)
            if self._agora is not None:
                self._agora.speak(burst, self._as_user)
        else:
            self._hush(drain=was == self._finished)

    def cut(self, now: float) -> None:
        """Take that nothing may play out any more: a hold, a mute, the end. Speech under permission goes on."""
        self.follow(now)
        if self._burst is None:
            self._hush(drain=False)

    def pump(self, now: float) -> None:
        """Send what waits, as far as the ways take it."""
        mouth, mqtt, agora, plan = self._mouth, self._mqtt, self._agora, self._plan
        if mouth.idle:
            self.follow(now)
            return
        mqtt.hurry(now)
        while True:
            self.follow(now)
            if self._burst is None:
                break
            takes = mqtt.room(now)
            if self._backlog_seq >= 0 and mqtt.holds(self._burst, self._backlog_seq):
                self._filled_until = now
            if takes:
                self._mqtt_room_at = now
            on_agora = agora is not None and agora.publishing
            plan.networks(mqtt=takes or (mqtt.up and now - self._mqtt_room_at < STALL_S), agora=on_agora, now=now)
            ways = plan.ways
            if not (takes if ways.mqtt else agora is not None and ways.agora and agora.room(now)):
                break
            said = mouth.pull(now, paced=not ways.mqtt, free_until=self._filled_until)
            if said is None:
                break
            self._send(said, now)
        mouth.tick(now)
        self.follow(now)

    def next_deadline(self, now: float) -> float | None:
        """When `pump` must be called again where nothing else wakes us: a way is full, and frames wait for it."""
        if self._burst is None or self._agora is None or not self._agora.publishing:
            return None
        return now + 0.01

    # --- inside -------------------------------------------------------------------------------------------------------

    def _send(self, said: Utterance, now: float) -> None:
        frame, agora = said.frame, self._agora
        last = bool(frame.flags & FrameFlags.LAST)
        fresh = now - said.captured_at_s < LIVE_S
        live = fresh and agora is not None and agora.room(now)
        route = self._plan.next(frame.seq, last=last, live=live)
        if route.mqtt:
            handover = FrameFlags.HANDOVER if route.handover else FrameFlags.NONE
            self._mqtt.send(_flagged(frame, handover), now)
            if self._catching_up and not fresh:
                self._backlog_seq = frame.seq
            elif not self._mqtt.holds(frame.burst, self._backlog_seq):
                self._catching_up = False
        if route.agora and agora is not None:
            agora.send(frame, now, self._hurried(agora, said, now, alone=not route.mqtt, last=last))
        if last:
            self._finished = frame.burst
        if route.word is not None:
            self._tell(route.word)

    def _hurried(self, agora: AgoraVoice, said: Utterance, now: float, *, alone: bool, last: bool) -> bytes:
        """What to push of a frame, and of what waits before it.

        As it is beside MQTT, which it must keep step with, and where nothing waited for so long that it is backlog.
        """
        queue, sound = self._queue, array("h", said.pcm)
        late_s = now - said.captured_at_s - len(sound) / self._rate_hz
        spare_s = late_s + agora.ahead_s(now) + queue.ahead_s - USUAL_S
        self._behind = alone and spare_s > 0.0 and (self._behind or late_s > LIVE_S)
        if self._behind and sound:
            queue.add(sound, spare_s)
        elif sound:
            queue.add_plain(sound)
        out = array("h")
        while queue.ready >= queue.wanted(self._piece):
            out.extend(queue.take(self._piece))
        if last:
            queue.release()
            while queue.ready:
                out.extend(queue.take(self._piece))
            out.extend([0] * (-len(out) % self._piece))
        return out.tobytes()

    def _hush(self, *, drain: bool) -> None:
        self._mqtt.hush(drain=drain)
        if self._agora is not None:
            self._agora.hush(drain=drain)


def _flagged(frame: VoiceFrame, flag: FrameFlags) -> VoiceFrame:
    if not flag:
        return frame
    return VoiceFrame(frame.burst, frame.seq, frame.capture_ms, frame.payload, frame.flags | flag)
