"""Secrets of users: random, kept as hashes alone, in the form mosquitto's dynamic security reads.

A secret is 256 random bits, so nobody can search for it however fast the hash is: the default of 101 rounds of the
broker is enough, and a broker that checks 500 logins at once after an outage is not slowed down. Secrets that people
choose would need a thousand times as many; there are none.
"""

import base64
import hashlib
import hmac
import os
import secrets as _random

from dispatch.registry.words import SecretHash
from service.settings import Secret

SECRET_BYTES = 32
SALT_BYTES = 12
HASH_BYTES = 64
ITERATIONS = 101
ITERATIONS_MAX = 1_000_000
CODE_BYTES = 10
"""Of an enrolment code: 80 random bits."""


def new_secret() -> Secret:
    """Give a new random secret: 43 characters of the URL-safe base64 alphabet."""
    return Secret(_random.token_urlsafe(SECRET_BYTES))


def new_code_entropy() -> bytes:
    """Give the random bytes of an enrolment code (`protocol.enrol_code.new_code`)."""
    return os.urandom(CODE_BYTES)


def hash_secret(secret: Secret, salt: bytes | None = None) -> SecretHash:
    """Give the hash that is kept; `salt` is random where it is not given."""
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    return SecretHash(
        salt=base64.b64encode(salt).decode(),
        iterations=ITERATIONS,
        hash=base64.b64encode(_derive(secret, salt, ITERATIONS)).decode(),
    )


def verify(secret: Secret, kept: SecretHash | None) -> bool:
    """Whether `secret` is the one that was hashed. Takes as long for a wrong one, and for None (an unknown user)."""
    known = kept is not None and 1 <= kept.iterations <= ITERATIONS_MAX
    kept = kept if kept is not None and known else _NOBODY
    derived = _derive(secret, base64.b64decode(kept.salt), kept.iterations)
    return hmac.compare_digest(derived, base64.b64decode(kept.hash)) and known


def code_digest(secret: str) -> str:
    """Give what is kept of an enrolment code: SHA-256 of its secret part, in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _derive(secret: Secret, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", secret.reveal().encode(), salt, iterations, HASH_BYTES)


_NOBODY = SecretHash(
    salt=base64.b64encode(bytes(SALT_BYTES)).decode(),
    iterations=ITERATIONS,
    hash=base64.b64encode(bytes(HASH_BYTES)).decode(),
)
