"""Who heard the driver's own last burst, as the office counted it: told on demand, and unasked where nobody did."""

from gateway.core.context import Context
from gateway.core.told import Told
from protocol.messages import FloorHeard


class Heard:
    """The newest own burst, and what is known of it. A newer one makes what was known of the older worthless."""

    def __init__(self, ctx: Context) -> None:
        """Nothing was said yet."""
        self._ctx = ctx
        self._burst = 0
        self._counted: FloorHeard | None = None

    @property
    def counted(self) -> FloorHeard | None:
        """The office's count of the newest own burst; None until it is known."""
        return self._counted

    def granted(self, burst: int) -> None:
        """An own burst begins."""
        if burst > self._burst:
            self._burst, self._counted = burst, None

    def take(self, said: FloorHeard) -> None:
        """Take the office's count; an older burst's, or the same again, changes nothing."""
        if said.burst < self._burst or (self._counted is not None and said.burst == self._counted.burst):
            return
        self._burst, self._counted = said.burst, said
        self._ctx.note("burst heard by", burst=said.burst, heard_by=said.heard_by, heard_of=said.heard_of)
        if said.heard_of and not said.heard_by:
            self._ctx.tell(Told.NOBODY_HEARD)

    def tell(self, now: float) -> None:
        """Answer the driver who asks."""
        known = self._counted
        if known is None:
            self._ctx.tell(Told.HEARD_UNKNOWN)
        elif not known.heard_of:
            self._ctx.tell(Told.NOBODY_THERE)
        elif not known.heard_by:
            self._ctx.tell(Told.NOBODY_HEARD)
        else:
            self._ctx.tell(Told.HEARD_BY, count=known.heard_by, of=known.heard_of)
