"""What the office's service is told in its TOML file (systemd/dispatch.toml.example has every key)."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from dispatch.core.state import OfficeRules
from protocol.ids import Id, OfficeId
from service.mqtt import BrokerSettings
from service.settings import Fault, Invalid, read_secret

DEFAULT_PATH = Path("/etc/ptt/dispatch.toml")
PASSWORD_CREDENTIAL = "mqtt-password"
"""Name of the systemd credential that holds the broker's password."""


class StoreSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the office's memory lies: a SQLite file, or another database by its URL. Raises Invalid for both."""

    path: Annotated[Path | None, Meta(description="SQLite file on a local disk, made if it is not there")] = None
    url: Annotated[
        Annotated[str, Meta(min_length=1, max_length=4096)] | None,
        Meta(description="instead of path: a database, postgresql+psycopg://user@host/name"),
    ] = None

    def __post_init__(self) -> None:
        """Check that exactly one is given."""
        if (self.path is None) == (self.url is None):
            what = "and url are both missing" if self.path is None else "and url are both given"
            raise Invalid(Fault("path", what, 'give one: path = "/var/lib/ptt-dispatch/office.db"'))

    @property
    def sqlalchemy_url(self) -> str:
        """The URL the store is opened with."""
        return self.url if self.url is not None else f"sqlite:///{self.path}"


class OfficeSettings(OfficeRules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One office and its rules."""

    region: Id
    office: Id

    @property
    def id(self) -> OfficeId:
        """Its id."""
        return OfficeId(self.region, self.office)


class DispatchSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything of `dispatch.toml`. Raises Invalid where an office stands there twice."""

    store: StoreSettings
    office: Annotated[tuple[OfficeSettings, ...], Meta(min_length=1, max_length=200)]
    broker: BrokerSettings = BrokerSettings()
    replica: Annotated[Id, Meta(description="name of this process among those that serve the same offices")] = "1"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least level that is logged")
    ] = "info"
    status_folder: Annotated[
        Path | None,
        Meta(description="where `ptt-dispatch status` finds the running service; default: the SQLite file's folder"),
    ] = None

    def __post_init__(self) -> None:
        """Check that no office stands there twice."""
        ids = [office.id for office in self.office]
        faults = [
            Fault(f"office[{place}]", f"{office} stands here for the second time", "keep one of them")
            for place, office in enumerate(ids)
            if office in ids[:place]
        ]
        if faults:
            raise Invalid(*faults)

    @property
    def offices(self) -> dict[OfficeId, OfficeRules]:
        """The rules by office."""
        return {office.id: office for office in self.office}

    @property
    def status_socket_stem(self) -> Path:
        """Path that each replica's status socket begins with; `.<replica>.sock` follows."""
        if self.store.path is not None:
            return (self.status_folder or self.store.path.parent) / self.store.path.name
        return (self.status_folder or Path("/run/ptt-dispatch")) / "ptt-dispatch"


def with_credentials(settings: DispatchSettings, folder: str | None) -> DispatchSettings:
    """Take the broker's password from systemd's credentials `folder` where it is there and none is configured.

    Raises SettingsError where the file is there and unusable.
    """
    broker = settings.broker
    if folder is None or broker.password is not None or broker.username is None:
        return settings
    path = Path(folder) / PASSWORD_CREDENTIAL
    if not path.exists():
        return settings
    return msgspec.structs.replace(settings, broker=msgspec.structs.replace(broker, password=read_secret(path)))
