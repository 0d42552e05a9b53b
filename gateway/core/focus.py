"""Audio focus in the car: whose turn loudspeaker and microphone are, by the telephone's and the navigation's inputs.

TABLE says what each input does in each standing, RULES what then holds; the tables in docs/architecture.md are made
from them. What a loss or a gain does to a talk under way is in the participant's own table (floor_machine).
"""

from collections.abc import Callable
from enum import StrEnum
from math import inf

from msgspec import Struct

from gateway.core.alerts import Alerts
from gateway.core.cab_settings import FocusSettings
from gateway.core.context import Context
from gateway.core.participant_words import Word
from gateway.core.told import Told
from gateway.core.words import InputChanged
from protocol.messages import AudioFocus
from protocol.worker import Focus, Playback


class Standing(StrEnum):
    """Which of the two inputs are active."""

    RADIO = "neither"
    NAVIGATION = "navigation"
    PHONE = "telephone"
    BOTH = "both"


class Input(StrEnum):
    """What an input does, once it has settled. One that is stuck has ended."""

    PHONE_ON = "telephone begins"
    PHONE_OFF = "telephone ends"
    NAVIGATION_ON = "navigation begins"
    NAVIGATION_OFF = "navigation ends"


class Turn(StrEnum):
    """What it means for the radio, in the words of Android's audio focus."""

    NONE = "nothing new"
    LOSS = "LOSS"
    LOSS_TRANSIENT = "LOSS_TRANSIENT"
    GAIN = "GAIN"


class Rule(Struct, frozen=True, kw_only=True):
    """What holds in a standing. An emergency call asks, speaks and mutes the head unit whatever holds."""

    focus: AudioFocus
    playback: Playback
    press: str
    talk: str
    mute_line: bool
    """Whether voice may mute the head unit."""


_S, _I, _T = Standing, Input, Turn

TABLE: dict[tuple[Standing, Input], tuple[Standing, Turn]] = {
    (_S.RADIO, _I.PHONE_ON): (_S.PHONE, _T.LOSS),
    (_S.RADIO, _I.PHONE_OFF): (_S.RADIO, _T.NONE),
    (_S.RADIO, _I.NAVIGATION_ON): (_S.NAVIGATION, _T.LOSS_TRANSIENT),
    (_S.RADIO, _I.NAVIGATION_OFF): (_S.RADIO, _T.NONE),
    (_S.NAVIGATION, _I.PHONE_ON): (_S.BOTH, _T.LOSS),
    (_S.NAVIGATION, _I.PHONE_OFF): (_S.NAVIGATION, _T.NONE),
    (_S.NAVIGATION, _I.NAVIGATION_ON): (_S.NAVIGATION, _T.NONE),
    (_S.NAVIGATION, _I.NAVIGATION_OFF): (_S.RADIO, _T.GAIN),
    (_S.PHONE, _I.PHONE_ON): (_S.PHONE, _T.NONE),
    (_S.PHONE, _I.PHONE_OFF): (_S.RADIO, _T.GAIN),
    (_S.PHONE, _I.NAVIGATION_ON): (_S.BOTH, _T.NONE),
    (_S.PHONE, _I.NAVIGATION_OFF): (_S.PHONE, _T.NONE),
    (_S.BOTH, _I.PHONE_ON): (_S.BOTH, _T.NONE),
    (_S.BOTH, _I.PHONE_OFF): (_S.NAVIGATION, _T.LOSS_TRANSIENT),
    (_S.BOTH, _I.NAVIGATION_ON): (_S.BOTH, _T.NONE),
    (_S.BOTH, _I.NAVIGATION_OFF): (_S.PHONE, _T.NONE),
}
"""(standing, input) -> (the next standing, what it means). Complete."""

_PHONE = Rule(
    focus=AudioFocus.PHONE,
    playback=Playback.SILENT,
    press="refused: the telephone",
    talk="ended when it begins, the floor released; a new press is needed",
    mute_line=False,
)
RULES: dict[Standing, Rule] = {
    _S.RADIO: Rule(
        focus=AudioFocus.RADIO, playback=Playback.FULL, press="asks for the floor", talk="goes on", mute_line=True
    ),
    _S.NAVIGATION: Rule(
        focus=AudioFocus.NAVIGATION,
        playback=Playback.DUCKED,
        press="asks for the floor; what is said is sent once navigation has ended",
        talk="nothing is captured; the floor is kept 5 s at most, then released",
        mute_line=False,
    ),
    _S.PHONE: _PHONE,
    _S.BOTH: _PHONE,
}
"""What holds while it stands so."""

_WORDS = {Turn.LOSS: Word.FOCUS_LOST, Turn.LOSS_TRANSIENT: Word.PAUSED, Turn.GAIN: Word.RESUMED}


class Contact:
    """One input: believed once a level has lasted, and not believed any more after too long."""

    def __init__(self, settle_s: float, stuck_after_s: float) -> None:
        """Inactive."""
        self._settle_s = settle_s
        self._stuck_after_s = stuck_after_s
        self._level = False
        self._since = -inf
        self._settled = False
        self._active_at = -inf
        self.stuck = False
        """Active for too long: ignored until it was seen inactive."""

    @property
    def active(self) -> bool:
        """What is believed."""
        return self._settled and not self.stuck

    def seen(self, active: bool, at: float, *, at_start: bool) -> None:
        """Take a level; the one with which the day begins is believed at once."""
        if active != self._level:
            self._level = active
            self._since = at - (self._settle_s if at_start else 0.0)

    def tick(self, now: float) -> None:
        """Let time pass."""
        if self._level != self._settled and now >= self._since + self._settle_s:
            self._settled = self._level
            self._active_at = self._since
            self.stuck = False
        if self.active and now >= self._active_at + self._stuck_after_s:
            self.stuck = True

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        if self._level != self._settled:
            return self._since + self._settle_s
        return self._active_at + self._stuck_after_s if self.active else None


class FocusKeeper:
    """Follows both inputs; writes `ctx.focus`, tells the floor participant and the worker of each loss and gain."""

    def __init__(
        self, ctx: Context, settings: FocusSettings, alerts: Alerts, floor: Callable[[Word, float], None]
    ) -> None:
        """`floor` takes the participant's words."""
        self._ctx = ctx
        self._alerts = alerts
        self._floor = floor
        settle_s = settings.settle_ms / 1000
        phone = Contact(settle_s, settings.stuck_after_s)
        navigation = Contact(settle_s, settings.navigation_stuck_after_s)
        self._inputs = {
            "phone_busy": (phone, "phone-stuck", Input.PHONE_ON, Input.PHONE_OFF),
            "nav_busy": (navigation, "navigation-stuck", Input.NAVIGATION_ON, Input.NAVIGATION_OFF),
        }
        self.standing = Standing.RADIO

    @property
    def rule(self) -> Rule:
        """What holds now."""
        return RULES[self.standing]

    def changed(self, change: InputChanged, now: float, wall_ms: int) -> None:
        """Take a change of one of the two."""
        contact = self._inputs[change.signal][0]
        contact.seen(change.active, change.at, at_start=change.at_start)
        self.tick(now, wall_ms)

    def worker_ready(self) -> None:
        """A new worker plays everything in full."""
        if self.rule.playback is not Playback.FULL:
            self._ctx.voice(Focus(office=self.rule.playback))

    def tick(self, now: float, wall_ms: int) -> None:
        """Believe what has settled, and stop believing what has lasted too long."""
        for contact, alert, on, off in self._inputs.values():
            was_active, was_stuck = contact.active, contact.stuck
            contact.tick(now)
            if contact.active != was_active:
                self._feed(on if contact.active else off, now)
            if contact.stuck != was_stuck:
                self._alerts.set(alert, contact.stuck, wall_ms)
            if contact.stuck and not was_stuck:
                self._ctx.tell(Told.CONTACT_STUCK)

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        times = (contact.next_deadline() for contact, *_ in self._inputs.values())
        return min((at for at in times if at is not None), default=None)

    def _feed(self, what: Input, now: float) -> None:
        self.standing, turn = TABLE[self.standing, what]
        self._ctx.focus = self.rule.focus
        if turn is Turn.NONE:
            return
        self._ctx.note("audio focus", what=what.value, turn=turn.value)
        self._ctx.voice(Focus(office=self.rule.playback))
        self._floor(_WORDS[turn], now)
