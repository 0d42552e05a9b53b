"""What follows from every event: the light, the radio's mute, sounds and sentences, the device's published state."""

from gateway.core.cab import Cab
from gateway.core.context import Context, Timers
from gateway.core.face import look, sounds
from gateway.core.heard import Heard
from gateway.core.hearing_again import HearingAgain
from gateway.core.levels import SoundLevels
from gateway.core.link import Link
from gateway.core.listener import Listener
from gateway.core.participant import Participant
from gateway.core.sounding import Sounding
from gateway.core.words import Look, Show, Tell
from gateway.core.worker_care import WorkerCare
from protocol.messages import DeviceState
from protocol.topics import Kind

STATE_EVERY_S = 1.0
"""The device's state is published at most so often."""


class Outlook:
    """Reads the other parts, changes none of them; emits only what differs from what was last emitted."""

    def __init__(
        self,
        ctx: Context,
        participant: Participant,
        link: Link,
        listener: Listener,
        worker: WorkerCare,
        levels: SoundLevels,
        again: HearingAgain,
        heard: Heard,
        cab: Cab,
        *,
        lang: str,
    ) -> None:
        """`lang`: what the driver is spoken to in, `ko` or `en`."""
        self._ctx = ctx
        self._participant = participant
        self._link = link
        self._listener = listener
        self._worker = worker
        self._levels = levels
        self._again = again
        self._heard = heard
        self._cab = cab
        self._lang = lang
        self._sounding = Sounding()
        self._timers = Timers()
        self._shown: Show | None = None
        self._said: DeviceState | None = None
        self._last_press: str | None = None

    def status(self) -> DeviceState:
        """Give the device's state as monitors see it."""
        counted = self._heard.counted
        return DeviceState(
            floor=self._participant.state.value,
            keyed=self._ctx.keyed or self._ctx.hands_free,
            voice=self._worker.health,
            last_press=self._last_press,
            heard_by=counted.heard_by if counted is not None else None,
            heard_of=counted.heard_of if counted is not None else None,
            mic_db=self._levels.mic_db,
            speaker_db=self._levels.speaker_db,
            lifecycle=self._ctx.lifecycle,
            focus=self._ctx.focus,
            transmitter_muted=self._ctx.transmitter_muted,
        )

    def say_anew(self) -> None:
        """The broker may have forgotten the state: it is published again."""
        self._said = None

    def after(self, now: float) -> None:
        """Add to the effects of an event what follows from them and from the state it left."""
        self._sound_answers()
        self._show(now)
        self._say_state(now)

    def tick(self, now: float) -> None:
        """Let a state that waited be published."""
        self._timers.expire(now)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    def _sound_answers(self) -> None:
        for effect in self._ctx.out:
            if isinstance(effect, Tell) and effect.press_no:
                self._last_press = effect.what.value
        if self._worker.state == "ok":
            self._ctx.out += sounds(self._ctx.out, self._lang)

    def _show(self, now: float) -> None:
        listening = self._sounding.heard(self._listener.playing, self._worker.health, now)
        replaying = self._again.playing
        voice = self._participant.talk is not None or (listening and not self._link.lost) or replaying
        seen = look(self._ctx, self._participant, self._link, listening=listening)
        if seen is Look.READY and replaying:
            seen = Look.REPLAYING
        show = Show(look=seen, mute_radio=self._cab.mute_line(voice, now))
        if show != self._shown:
            self._shown = show
            self._ctx.emit(show)

    def _say_state(self, now: float) -> None:
        """Publish the device's state on change."""
        state = self.status()
        if state == self._said or not self._ctx.link_up or self._timers.running("state"):
            return
        self._said = state
        self._timers.set("state", now + STATE_EVERY_S)
        self._ctx.publish(Kind.DEVICE_STATE, state)
