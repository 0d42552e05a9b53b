"""Whether what must survive a restart can be kept: one alert over all of it, until each was kept after all."""

from gateway.core.alerts import Alerts


class Disk:
    """Remembers what could not be kept, or was damaged when the day began."""

    def __init__(self, alerts: Alerts) -> None:
        """All is well."""
        self._alerts = alerts
        self._lost: set[str] = set()

    def kept(self, what: str, problem: str, wall_ms: int) -> None:
        """The shell has kept `what`, or (`problem`) could not."""
        if problem:
            self._lost.add(what)
        else:
            self._lost.discard(what)
        self._alerts.set("state-dir", bool(self._lost), wall_ms)
