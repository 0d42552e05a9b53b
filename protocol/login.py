"""Names at the door: what a user logs in as at the broker and at REST, one name a connection, never ambiguous.

Ids hold no dot, so `region.office.user` reads back in one way only, and office 1 can never look like office 10. At the
broker the MQTT client id must equal the login, so that no member can take over another's connection.
"""

import re

from msgspec import Struct

from protocol.ids import ID_PATTERN, OfficeId

SERVER_LOGIN = "ptt-dispatch"
"""The floor control server's own login at the broker; it holds no dot, so no user can have it."""
WEB_LOGIN = "ptt-dispatch-web"
"""What the dashboard's own login begins with; a replica's name may follow. No dot either."""
VOICE_SUFFIX = ".voice"
"""A member's voice worker has a connection, and so a login, of its own."""
CONSOLE_SUFFIX = ".console"
"""A call manager's page has logins of its own, good for an hour: this, and VOICE_SUFFIX behind it for its voice."""
_ID = re.compile(ID_PATTERN)
_BEHIND = ((), ("voice",), ("console",), ("console", "voice"))


class Login(Struct, frozen=True):
    """Who logs in: `str()` gives the login; `voice` is the voice worker's connection of the same user.

    `console`: the logins of the user's page, beside its own.
    """

    office: OfficeId
    user: str
    voice: bool = False
    console: bool = False

    def __str__(self) -> str:
        """Give `region.office.user`, then `.console` for the page's, then `.voice` for the voice connection."""
        page, voice = CONSOLE_SUFFIX if self.console else "", VOICE_SUFFIX if self.voice else ""
        return f"{self.office.region}.{self.office.office}.{self.user}{page}{voice}"


class BadLogin(ValueError):
    """A text that is no login."""


def parse_login(text: str) -> Login:
    """Read a login; raises BadLogin for anything `str(Login)` cannot give."""
    parts = text.split(".")
    behind = tuple(parts[3:])
    if len(parts) < 3 or behind not in _BEHIND or not all(_ID.search(part) for part in parts[:3]):
        raise BadLogin(f"login {text[:80]!r}: it must be <region>.<office>.<user>")
    voice, console = VOICE_SUFFIX[1:] in behind, CONSOLE_SUFFIX[1:] in behind
    return Login(OfficeId(parts[0], parts[1]), parts[2], voice=voice, console=console)
