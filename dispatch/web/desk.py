"""What an admin may do from the pages, for the own office alone: registry and broker change together. Blocking."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from dispatch import pki, qr
from dispatch.broker.admin import BrokerError
from dispatch.registry.codes import ENROLLED_ROLES
from dispatch.registry.port import NotThere, Registry, RegistryError
from dispatch.registry.secrets import code_digest, hash_secret, new_code_entropy, new_secret
from dispatch.registry.words import User
from protocol.enrol_code import new_code
from protocol.ids import OfficeId
from protocol.rest import Role
from service.settings import Secret

CODE_VALID_S = 86_400


class Logins(Protocol):
    """What the desk needs of the broker (`dispatch.broker.admin.BrokerAdmin`)."""

    def put_user(self, user: User, secret: Secret) -> None:
        """Set a user's logins; raises BrokerError."""

    def disable(self, user: User) -> None:
        """Shut a user's logins; raises BrokerError."""


class Shown(Struct, frozen=True, kw_only=True):
    """An enrolment code to be shown once. `repr` hides it."""

    user: User
    url: str
    code: Secret
    qr: Secret
    """As an SVG element."""
    expires_at: int


class AdminDesk:
    """Any thread. Every call may raise RegistryError, StoreUnavailable; those that set a secret BrokerError too."""

    def __init__(
        self, registry: Registry, broker: Callable[[], AbstractContextManager[Logins]], rest_url: str, ca: Path
    ) -> None:
        self._registry, self._broker, self._url, self._ca = registry, broker, rest_url, ca

    def add(self, office: OfficeId, user: str, role: Role, name: str) -> tuple[User, Secret | None]:
        """Add a user; whoever is no unit gets a secret, to be shown once."""
        if role in ENROLLED_ROLES:
            return self._registry.add_user(office, user, role, name), None
        with self._broker() as broker:  # before anything is changed: without it there would be a user without a secret
            made = self._registry.add_user(office, user, role, name)
            return made, self._give_secret(broker, made)

    def rotate(self, office: OfficeId, user: str) -> tuple[User, Secret]:
        """Give a person a new secret; all sessions and connections of the former one end."""
        found = self._there(office, user)
        if found.role in ENROLLED_ROLES:
            raise RegistryError(f"{user} is a unit: make an enrolment code")
        if found.revoked_at is not None:
            raise RegistryError(f"{user} is revoked: restore it first")
        with self._broker() as broker:
            return found, self._give_secret(broker, found)

    def code(self, office: OfficeId, user: str) -> Shown:
        """Make a one-time enrolment code of a unit, good for CODE_VALID_S; an older one is withdrawn."""
        found = self._there(office, user)
        made = new_code(new_code_entropy(), pki.ca_der(self._ca))
        kept = self._registry.add_code(office, user, code_digest(made.secret), CODE_VALID_S)
        shown = made.text()
        picture = qr.svg(self._url, shown)
        return Shown(user=found, url=self._url, code=Secret(shown), qr=Secret(picture), expires_at=kept.expires_at)

    def revoke(self, office: OfficeId, user: str, why: str) -> tuple[User, str]:
        """Shut every door; gives why the broker could not be told at once, else ""."""
        self._there(office, user)
        revoked = self._registry.revoke(office, user, why)
        try:
            with self._broker() as broker:
                broker.disable(revoked)
        except BrokerError as error:
            return revoked, str(error)
        return revoked, ""

    def restore(self, office: OfficeId, user: str) -> User:
        """Take a revocation back."""
        self._there(office, user)
        return self._registry.restore(office, user)

    def _there(self, office: OfficeId, user: str) -> User:
        found = self._registry.user(office, user)
        if found is None:
            raise NotThere(f"there is no user {user} in {office}")
        return found

    def _give_secret(self, broker: Logins, user: User) -> Secret:
        secret = new_secret()
        kept = hash_secret(secret)
        broker.put_user(replace(user, secret=kept), secret)
        self._registry.set_secret(user.office, user.user, kept)
        return secret
