"""Up to which moment all input was handled, where more is always waiting. Pure."""


class Backlog:
    """Tells how far behind the present the handled input is; times in s of one clock.

    While nothing waits it is 0. Where something does, the bytes waiting at that moment are noted; once so many were
    handled, all input up to that moment was, and the next such moment begins. So endless input never keeps anybody
    from judging time, and nothing is judged before input that was there already.
    """

    def __init__(self) -> None:
        self._since_s = 0.0
        self._left_bytes: int | None = None

    def handled(self, size_bytes: int) -> None:
        """A message was handled that took at least so many bytes."""
        if self._left_bytes is not None:
            self._left_bytes -= size_bytes

    def behind_s(self, now: float, unread_bytes: int) -> float | None:
        """Give how long ago the moment is up to which all was handled; None where it is no later than told before."""
        if unread_bytes == 0:
            self._left_bytes = None
            return 0.0
        if self._left_bytes is not None and self._left_bytes > 0:
            return None
        caught_up, since_s = self._left_bytes is not None, self._since_s
        self._since_s, self._left_bytes = now, unread_bytes
        return max(0.0, now - since_s) if caught_up else None
