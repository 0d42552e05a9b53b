"""The Agora bridge's "sound devices": an office's Agora channel. What is played goes there, one uid of it is captured.

All of it runs in the loop's thread. While a burst is played, a frame is rendered and pushed every frame's length of
the wall clock, published from Play to the burst's end. Play is a lease, as Transmit is: repeated by the daemon, it
holds TRANSMIT_LEASE_S, so that a daemon that stands still is not heard. Otherwise what is rendered goes nowhere, so
that bursts end and nothing piles up.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from protocol.timers import DRAIN_S, TAIL_HEARD_S, TRANSMIT_LEASE_S
from protocol.voice_frame import VoiceFrame
from protocol.worker import (
    Agora,
    AgoraState,
    Arm,
    Command,
    Device,
    Fault,
    Join,
    KeyUp,
    Leave,
    Mute,
    Play,
    Stop,
    Token,
    TokenWanted,
    WorkerEvent,
)
from protocol.worker_settings import AudioSettings
from service.loop import Loop, Timer
from voice.devices.port import OnCaptured, OnPlayback, OnState
from voice.devices.timeline import Timeline
from voice.transports.agora_voice import AgoraVoice
from voice.transports.port import Arrived, Bad, StateIs, TokenNeeded, TransportEvent

IDLE_S = 0.1
"""How often what arrived for nobody is thrown away while nothing is played."""
BEHIND_S_MAX = 0.1
"""A loop that was held up for longer leaves out what it missed instead of pushing it all at once."""
DRAINED_S = DRAIN_S + 0.05
"""After a released burst's end its tail is pushed for so long, and then for as long as it sounds."""
SILENT_S = 0.3
"""A tail that is silent for so long is over: pauses of what waited for its grant are at most as long as this."""
_WHOLE_CHANNEL = "agora"


class AgoraChannel:
    """SoundDevices over an AgoraVoice. `heed` it every command of the daemon, and call `tick` as AgoraVoice's."""

    def __init__(
        self,
        loop: Loop,
        make_voice: Callable[[Callable[[TransportEvent], None]], AgoraVoice],
        settings: AudioSettings,
        on_captured: OnCaptured,
        on_playback: OnPlayback,
        on_state: OnState,
        tell: Callable[[WorkerEvent], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tell` gets Agora, TokenWanted and Fault; `clock` is the loop's."""
        self._loop = loop
        self._clock = clock
        self._on_captured = on_captured
        self._on_playback = on_playback
        self._on_state = on_state
        self._tell = tell
        self._frame_s = settings.frame_ms / 1000
        self._frame_bytes = 2 * settings.device_rate_hz * settings.frame_ms // 1000
        self._voice = make_voice(self._on_voice)
        self._usable = True
        self._timer: Timer | None = None
        self._stopped = False
        self._due_s = 0.0
        self._playing: int | None = None
        self._until_s = 0.0
        self._tail_until_s = 0.0
        self._draining = False
        self._pushed = 0
        self._armed: Arm | None = None
        self._timeline = Timeline(self._frame_s)
        self._rest = bytearray()

    # --- SoundDevices ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to turn. The channel is joined when a session opens."""
        self._voice.start()
        if self._usable:
            for device in Device:
                self._on_state(device, True, "the office's Agora channel")
            self._turn_at(self._clock())

    def stop(self) -> None:
        """Leave the channel; waits for the SDK at most 1 s."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        self._playing = self._armed = None
        self._voice.stop()

    def rest(self, resting: bool) -> None:
        """Nothing: the channel is joined and left with the session."""

    def watch(self, now: float) -> None:
        """Nothing: the transport watches its connection itself."""

    def allow_restart(self, allowed: bool) -> None:
        """Nothing: nobody hears the channel being joined."""

    # --- the daemon's commands ------------------------------------------------------------------------------------

    def heed(self, command: Command, now: float) -> None:
        """Take a command of the daemon; those that say nothing to this device are none of its business."""
        match command:
            case Join(event_id=event_id, channel=channel):
                self._voice.join(event_id, channel)
            case Leave():
                self._deaf()
                self._hush(drain=False)
                self._voice.leave()
            case Token():
                self._voice.token(command)
            case Arm(uid=uid) if uid:
                self._armed = command
                self._timeline = Timeline(self._frame_s)
                self._rest.clear()
                self._voice.hear(1, _WHOLE_CHANNEL, uid)
            case KeyUp(request_id=request_id) | Mute(request_id=request_id):
                if self._armed is not None and request_id in (None, self._armed.request_id):
                    self._deaf()
            case Play(burst=burst):
                self._play(burst, now)
            case Stop(burst=burst, drain=drain):
                if burst == self._playing and drain:
                    self._draining = True
                    self._until_s = now + DRAINED_S
                    self._tail_until_s = now + TAIL_HEARD_S
                elif burst == self._playing:
                    self._hush(drain=False)
            case _:
                pass  # Hold and Transmit are the talk gate's

    def tick(self, now: float) -> None:
        """Let time pass for the channel."""
        self._voice.tick(now)

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        return self._voice.next_deadline()

    def stuck_s(self, now: float) -> float:
        """How long the SDK has not returned from a call."""
        return self._voice.stuck_s(now)

    @property
    def pushing(self) -> bool:
        """Whether sound given now goes out."""
        return self._voice.publishing

    # --- inside: into the channel ---------------------------------------------------------------------------------

    def _play(self, burst: int, now: float) -> None:
        if burst == self._playing and self._draining:
            return  # it is over: a late repetition
        if burst != self._playing:
            self._pushed = 0
            self._draining = False
            self._turn_at(now)
        self._playing = burst
        self._until_s = now + TRANSMIT_LEASE_S
        self._voice.speak(burst, None)

    def _hush(self, *, drain: bool) -> None:
        self._playing = None
        self._draining = False
        self._voice.hush(drain=drain)

    def _turn_at(self, at_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due_s = at_s
        self._timer = self._loop.call_at(at_s, self._turn)

    def _turn(self) -> None:
        now = self._clock()
        if self._stopped or not self._usable:
            return
        if self._playing is None:
            self._on_playback(now)
            return self._turn_at(now + IDLE_S)
        if now >= self._until_s:
            if self._draining:
                self._hush(drain=True)
            else:
                self._voice.hush(drain=False)  # the daemon stands still; it goes on with the next Play of this burst
        if now - self._due_s > BEHIND_S_MAX:
            self._due_s = now
        while self._due_s <= now:
            pcm = self._on_playback(self._due_s)
            self._due_s += self._frame_s
            if self._draining and any(pcm):
                self._until_s = max(self._until_s, min(now + SILENT_S, self._tail_until_s))
            self._push(pcm, now)
        return self._turn_at(self._due_s)

    def _push(self, pcm: bytes, now: float) -> None:
        burst = self._playing
        if burst is not None and self._voice.publishing and self._voice.room(now):
            self._voice.send(VoiceFrame(burst, self._pushed, 0, b""), now, pcm)
            self._pushed += 1

    # --- inside: out of the channel -------------------------------------------------------------------------------

    def _deaf(self) -> None:
        self._armed = None
        self._rest.clear()
        self._voice.deaf()

    def _captured(self, pcm: bytes, at_s: float) -> None:
        if self._armed is None:
            return
        rest, size = self._rest, self._frame_bytes
        rest += pcm
        while len(rest) >= size:
            frame = bytes(rest[:size])
            del rest[:size]
            self._on_captured(frame, self._timeline.start_of(at_s, 0.0))

    def _on_voice(self, event: TransportEvent) -> None:
        match event:
            case Arrived(pcm=pcm, at_s=at_s):
                if pcm is not None:
                    self._captured(pcm, at_s)
            case StateIs(state=state, detail=detail, join_ms=join_ms):
                if state is AgoraState.UNUSABLE and self._usable:
                    self._usable = False
                    for device in Device:
                        self._on_state(device, False, detail)
                self._tell(Agora(state=state, detail=detail[:512], join_ms=join_ms))
            case TokenNeeded(channel=channel, why=why):
                self._tell(TokenWanted(channel=channel, why=why))
            case Bad(what=what):
                self._tell(Fault(what=what[:512]))
            case _:
                pass  # the rest is told in other words, or is MQTT's
