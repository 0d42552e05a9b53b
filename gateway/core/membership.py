"""Whether this unit is the member it claims to be: said to the office once per start, and obeyed.

A cloned card or a replaced unit must not connect under the user's name: it would throw the true unit out. Nothing here
is waited for; a unit whose office cannot be asked is a member until it is told otherwise.
"""

from gateway.core.context import Context, Timers
from gateway.core.told import Told
from gateway.core.words import HelloFailed, SayHello

SPREAD_S = 5.0
"""A start's hello is said within this time at random: a whole fleet starts at the same hour."""
AGAIN_S = 60.0
"""How often a unit that is kept out asks whether it is still so."""
RETRY_S = 2.0
RETRY_S_MAX = 60.0
KEEPS_OUT = frozenset({"clone", "replaced"})
"""Problems that say that another unit has this identity."""
REFUSES = frozenset({"unauthorised", "unauthorized", "revoked"})


class Membership:
    """Says hello until it is answered. While `ctx.barred` this unit is no member."""

    def __init__(self, ctx: Context, *, enrolled: bool, foreign: bool) -> None:
        """`foreign`: the enrolment was made for another machine's hardware."""
        self._ctx = ctx
        self._enrolled = enrolled
        self._foreign = foreign
        self._timers = Timers()
        self._failures = 0
        self.why = ""
        """What the office said, or what was found here, where this unit is kept out or refused; else empty."""

    def start(self, now: float) -> None:
        """Begin: a unit with another's card is kept out from the first moment, and the office hears of it."""
        if not self._enrolled:
            return
        if self._foreign:
            self._bar("the card was enrolled in another unit")
        self._timers.set("hello", now if self._foreign else now + SPREAD_S * self._ctx.chance())

    def welcomed(self) -> bool:
        """The office knows this unit; True where it was kept out until now."""
        was_barred, self._ctx.barred = self._ctx.barred, False
        self._failures = 0
        self.why = ""
        self._timers.stop()
        if was_barred:
            self._ctx.note("this unit is admitted again")
        return was_barred

    def refused(self, answer: HelloFailed, now: float) -> bool:
        """The office does not know this unit, or was not reached; True where it is kept out from now on."""
        newly = answer.code in KEEPS_OUT and not self._ctx.barred
        if newly:
            self._bar(answer.why)
        if self._ctx.barred or answer.code in REFUSES:
            self.why = self.why or answer.why
            wait_s = AGAIN_S
        else:
            wait_s = min(RETRY_S_MAX, RETRY_S * 2 ** min(self._failures, 6)) * (0.5 + self._ctx.chance() / 2)
        if not newly and self._failures == 0:
            text = "the office refuses this unit" if answer.code in REFUSES else "the office did not answer the hello"
            self._ctx.note(text, warning=True, why=answer.why, code=answer.code)
        self._failures += 1
        self._timers.set("hello", now + max(wait_s, answer.retry_after_s or 0.0))
        return newly

    def broker_refused(self, now: float) -> None:
        """The broker does not let this user in: the office may know why."""
        if self._enrolled and not self._timers.running("hello"):
            self._timers.set("hello", now + SPREAD_S * self._ctx.chance())

    def stop(self) -> None:
        """Ask no more."""
        self._timers.stop()

    def tick(self, now: float) -> None:
        """Do what is due."""
        while self._timers.expire(now) is not None:
            self._ctx.emit(SayHello())

    def next_deadline(self) -> float | None:
        """Give when `tick` has something to do."""
        return self._timers.next()

    def _bar(self, why: str) -> None:
        self._ctx.barred = True
        self.why = why
        self._ctx.note("this unit must be enrolled: it does not connect", warning=True, why=why)
        self._ctx.tell(Told.NOT_ENROLLED)
