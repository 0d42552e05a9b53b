"""The end of the office's certificate, told long before every vehicle stays out because of it."""

import datetime as dt
from collections.abc import Callable

from cryptography import x509

from dispatch import pki
from service.logs import Log

WARN_DAYS = 60
"""So many days before its end the log says so, once a day."""
EVERY_S = 86_400.0

_log = Log(__name__)


class Lifetime:
    """Watches the certificate that the service was started with, whatever lies in its file by now."""

    def __init__(
        self, certificate: x509.Certificate, clock: Callable[[], float], wall: Callable[[], dt.datetime]
    ) -> None:
        """`clock` is monotonic; `wall` gives an aware time."""
        self._certificate, self._clock, self._wall = certificate, clock, wall
        self._told_at = -EVERY_S

    def look(self) -> str:
        """Give a sentence for status where the end is near, else ""; the log has it once a day."""
        days = pki.days_left(self._certificate, self._wall())
        if days >= WARN_DAYS:
            return ""
        now = self._clock()
        if now - self._told_at >= EVERY_S:
            self._told_at = now
            text = "the certificate ends soon" if days >= 0 else "the certificate has ended, no vehicle gets in"
            restart = "systemctl restart ptt-dispatch-rest ptt-dispatch-web"
            mend = f"ptt-dispatch cert renew, then: systemctl reload mosquitto; {restart}"
            until = self._certificate.not_valid_after_utc.date().isoformat()
            (_log.warning if days >= 0 else _log.error)(text, days=days, until=until, mend=mend)
        return f"the certificate ends in {days} days" if days >= 0 else "the certificate has ended"
