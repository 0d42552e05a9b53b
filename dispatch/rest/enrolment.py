"""Enrolment: a one-time code for an identity. Blocking. Broker and registry change together."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from dispatch.broker.admin import BrokerError
from dispatch.core import notices
from dispatch.registry.port import CodeRefused, Registry
from dispatch.registry.secrets import code_digest, hash_secret, new_secret
from dispatch.registry.words import Code, Office, User
from dispatch.rest.limits import CodeLimits
from dispatch.rest.problems import Refused
from dispatch.rest.telling import Telling
from dispatch.settings import RestSettings
from protocol.rest import BrokerAccess, Enrolment, EnrolRequest
from service.logs import Log
from service.settings import Secret, SettingsError

_log = Log(__name__)


class Logins(Protocol):
    """What enrolment needs of the broker (`dispatch.broker.admin.BrokerAdmin`)."""

    def put_user(self, user: User, secret: Secret) -> None:
        """Set a user's logins; raises BrokerError."""


Broker = Callable[[], AbstractContextManager[Logins]]
"""Opens a connection to the broker's users; entering raises BrokerError where it is not there."""


def vehicle_side(settings: RestSettings) -> BrokerAccess:
    """How a vehicle reaches the broker: the host of the REST service's own address, where none is configured."""
    host = settings.broker_host or urlsplit(settings.url).hostname or ""
    return BrokerAccess(host=host, port=settings.broker_port)


def ca_pem(path: Path) -> str:
    """Read the certificate of the private authority; raises OSError, UnicodeDecodeError."""
    return path.read_text(encoding="ascii")


class EnrolDesk:
    """Answers `POST /v1/enrol`."""

    def __init__(
        self,
        registry: Registry,
        telling: Telling,
        broker: Broker,
        limits: CodeLimits,
        clock: Callable[[], float],
        *,
        access: BrokerAccess,
        rest_url: str,
        ca: str,
    ) -> None:
        self._registry, self._telling, self._broker = registry, telling, broker
        self._limits, self._clock = limits, clock
        self._access, self._rest_url, self._ca = access, rest_url, ca
        self.enrolled = 0
        """Units enrolled since the start."""

    def check_rate(self, address: str) -> None:
        """Raise Refused (429) where this address, or all together, guessed too often; quick."""
        wait_s = self._limits.wait_s(address, self._clock())
        if wait_s > 0:
            raise Refused("too_many", "too many enrolment codes were refused", retry_s=wait_s)

    def enrol(self, asked: EnrolRequest, address: str) -> Enrolment:
        """Use up a code. The user's earlier unit is out at once, as its secret is no longer the user's.

        Raises Refused: the code's fault, or 503 while broker or store is away; then the code stays good.
        """
        digest = code_digest(asked.code)
        code = next((code for code in self._registry.codes() if code.digest == digest), None)
        if code is None:
            raise self._refused(None, "unknown_code", address)
        secret = new_secret()
        try:
            with self._broker() as logins:  # connected first: the code is held as shortly as can be
                before = self._registry.user(code.office, code.user)
                user, office = self._registry.enrol(
                    digest, asked.hardware, hash_secret(secret), lambda user, _office: logins.put_user(user, secret)
                )
        except CodeRefused as error:
            raise self._refused(error.code or code, error.fault.value, address) from None
        except (BrokerError, SettingsError) as error:
            _log.error("a unit could not be enrolled, its code stays good", why=error)
            raise Refused("broker", "the broker could not be told of the unit; the code stays good") from None
        self.enrolled += 1
        self._tell(user, before)
        return self._enrolment(user, office, secret)

    def _refused(self, code: Code | None, fault: str, address: str) -> Refused:
        self._limits.failed(address, self._clock())
        self._telling.code_refused(None if code is None else code.office, None if code is None else code.user, fault)
        return Refused(fault)

    def _tell(self, user: User, before: User | None) -> None:
        replaced = None if before is None or before.hardware == user.hardware else before.hardware
        hardware = user.hardware or ""
        _log.info("a unit was enrolled", login=user.login, generation=user.generation, replaced=replaced or "")
        self._telling.tell(user.office, notices.enrolled(user.user, user.name, user.generation, hardware, replaced))

    def _enrolment(self, user: User, office: Office, secret: Secret) -> Enrolment:
        return Enrolment(
            region=user.office.region,
            office=user.office.office,
            user=user.user,
            role=user.role,
            name=user.name,
            generation=user.generation,
            hardware=user.hardware or "",
            secret=secret.reveal(),
            broker=self._access,
            rest_url=self._rest_url,
            voice=office.voice,
            ca_pem=self._ca,
        )
