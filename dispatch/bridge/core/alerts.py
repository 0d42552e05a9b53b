"""What is wrong with the bridge, for monitors: retained until it is cured."""

from dispatch.bridge.core.context import Context
from protocol.messages import Alert, Severity
from protocol.topics import Kind

MENDS = {
    "agora": "see docs/agora.md, troubleshooting: the staged SDK, the network, the app's settings in Agora's console",
    "agora-token": "is `ptt-dispatch rest` running and reached, and this user's role bridge and not revoked?",
    "voice-worker": "see the bridge's journal; it is being restarted",
}
"""Every alert there can be, and how to mend it."""


class Alerts:
    """Raises and clears; what a former run left behind is cleared at the first connection."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._standing: dict[str, Alert] = {}

    def set(self, alert: str, what: str) -> None:
        """Raise `alert`, or clear it where `what` is empty. A changed text is told anew."""
        what = what[:256]
        known = self._standing.get(alert)
        if not what:
            if known is not None:
                del self._standing[alert]
                self._ctx.publish(Kind.ALERT, None, alert)
            return
        if known is not None and known.what == what:
            return
        since = self._ctx.wall_ms if known is None else known.since
        self._standing[alert] = Alert(
            alert=alert, severity=Severity.CRITICAL, what=what, mend=MENDS[alert], since=since
        )
        self._ctx.publish(Kind.ALERT, self._standing[alert], alert)

    def connected(self) -> None:
        """Tell all of them, those that do not stand too."""
        for alert in MENDS:
            self._ctx.publish(Kind.ALERT, self._standing.get(alert), alert)
