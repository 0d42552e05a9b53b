"""Changes of the broker's users over a short connection of one's own: for the command line and the REST service."""

from types import TracebackType

from dispatch.registry.words import User
from service.mqtt import BrokerSettings
from service.settings import Secret


class BrokerError(Exception):
    """The broker's users could not be read or changed: says what, and how to mend it."""


class BrokerUnreachable(BrokerError):
    """Nobody answers there, or not in time: nothing is known to have changed."""


class BrokerRefused(BrokerError):
    """The broker does not let us in, or refuses the change."""


class BrokerAdmin:
    """A context manager: connects on entering. Every call blocks for at most a few seconds.

    `settings` are the floor control server's own (login `ptt-dispatch`). Raises BrokerUnreachable, BrokerRefused,
    SettingsError (TLS files).
    """

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings

    def __enter__(self) -> "BrokerAdmin":
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def put_user(self, user: User, secret: Secret) -> None:
        """Create or set both logins of a user with this secret, its role and its client ids, enabled. Cuts old ones."""
        raise NotImplementedError

    def disable(self, user: User) -> None:
        """Shut a user's logins and cut their connections; nothing where the broker does not know them."""
        raise NotImplementedError

    def enable(self, user: User) -> None:
        """Open a user's logins again with the secret they had; raises BrokerRefused where there are none."""
        raise NotImplementedError

    def remove(self, user: User) -> None:
        """Take a user's logins and roles away and cut their connections; nothing where there are none."""
        raise NotImplementedError

    def users(self) -> dict[str, bool]:
        """Give every login the broker knows, and whether it is disabled."""
        raise NotImplementedError
