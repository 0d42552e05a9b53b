"""Who asks: HTTP Basic with the login and secret of the registry. What is refused looks the same whatever was wrong."""

import base64
import binascii
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from dispatch.registry.port import Registry
from dispatch.registry.secrets import verify
from dispatch.registry.words import User
from dispatch.rest.limits import LoginLimits
from dispatch.rest.problems import Refused
from protocol.login import BadLogin, Login, parse_login
from service.settings import Secret

HEADER_CHARS_MAX = 1024


class Claim(Struct, frozen=True):
    """What somebody says to be, not yet believed."""

    address: str
    name: str
    """The login as it was sent, cut; "" where it is none."""
    login: Login | None
    secret: Secret
    wait_s: float = 0.0
    """How long others have to wait before they are heard here; above 0 this one is doubted: it failed too often."""


class Door:
    """Tells users from strangers, and counts failures. Any thread may use it."""

    def __init__(self, registry: Registry, limits: LoginLimits, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._limits = limits
        self._clock = clock
        self.refused = 0
        """Logins refused since the start."""

    def claim(self, authorization: str | None, address: str) -> Claim:
        """Read the header; quick. Raises Refused: 401 for none or no Basic, 429 for too many of those.

        A login that failed too often, here or elsewhere, is doubted and still to be heard, where that costs nobody
        else's time: whoever fails on purpose must not be able to keep the login's own unit out.
        """
        if authorization is None:
            raise Refused("unauthorised", "the request has no Authorization header")
        claim = _read(authorization, address)
        now = self._clock()
        wait_s = self._limits.wait_s(address, "" if claim is None else claim.name, now)
        if claim is not None:
            return replace(claim, wait_s=wait_s)
        if wait_s > 0:
            raise too_many(wait_s)
        self._failed(address, "")
        raise Refused("unauthorised", "the Authorization header is not HTTP Basic with a login and a secret")

    def user(self, claim: Claim) -> User:
        """Give the user a claim is true for; blocks on the registry. Raises StoreUnavailable, and Refused: 401, or 429
        for one that is doubted.

        It takes as long for a login that does not exist: the secret is hashed once in any case.
        """
        login = claim.login
        user = None if login is None or login.voice or login.console else self._registry.user(login.office, login.user)
        right = verify(claim.secret, None if user is None else user.secret)
        if user is None or not user.admitted or not right:
            if claim.wait_s > 0:
                self.refused += 1
                raise too_many(claim.wait_s)
            self._failed(claim.address, claim.name)
            raise Refused("unauthorised", "the login or its secret is not right")
        self._limits.succeeded(claim.address, claim.name)
        return user

    def _failed(self, address: str, name: str) -> None:
        self.refused += 1
        self._limits.failed(address, name, self._clock())


def too_many(wait_s: float) -> Refused:
    """Give the answer to who failed too often and is wrong again, or cannot be heard now."""
    return Refused("too_many", "too many failed logins", retry_s=wait_s)


def _read(authorization: str, address: str) -> Claim | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(authorization) > HEADER_CHARS_MAX:
        return None
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    if not colon or not secret:
        return None
    try:
        login = parse_login(name)
    except BadLogin:
        login, name = None, ""  # whatever is no login shares one count
    return Claim(address, name, login, Secret(secret))
