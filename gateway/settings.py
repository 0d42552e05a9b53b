"""The gateway's configuration: /etc/ptt/gateway.toml into frozen structs, every mistake reported at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from hw.hardware import HardwareSettings
from protocol.ids import Id, OfficeId
from protocol.messages import AppType
from protocol.worker_settings import AudioSettings, VoiceMqttSettings, WorkerSettings
from service.mqtt import BrokerSettings
from service.settings import load, read_secret

DEFAULT_PATH = Path("/etc/ptt/gateway.toml")
DEFAULT_STATE_DIR = Path("/var/lib/ptt-gateway")
DEFAULT_RUNTIME_DIR = Path("/run/ptt-gateway")
CREDENTIAL = "mqtt-password"
"""The systemd credential that holds the broker's password (LoadCredential= of the unit)."""


class VehicleSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who this vehicle is, and to which office it belongs."""

    user: Annotated[Id, Meta(description="This vehicle's id in its office; no two vehicles share one")]
    name: Annotated[str, Meta(min_length=1, max_length=64, description="What other drivers hear and read")]
    region: Annotated[Id, Meta(description="Region of the office")]
    office: Annotated[Id, Meta(description="Office inside the region")]
    app_type: Annotated[AppType, Meta(description="What kind of member this is")] = AppType.VEHICLE_GATEWAY
    device_info: (
        Annotated[str, Meta(max_length=256, description="Free text for monitors, e.g. the number plate")] | None
    ) = None
    lang: Annotated[Literal["ko", "en"], Meta(description="Language the driver is spoken to in")] = "ko"

    @property
    def office_id(self) -> OfficeId:
        """Region and office as one."""
        return OfficeId(self.region, self.office)

    @property
    def client_id(self) -> str:
        """MQTT client id: the same at every start, so that a new connection takes over a half-dead old one."""
        return f"ptt-{self.region}-{self.office}-{self.user}"


class StateSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the gateway keeps what must survive a restart, and where it answers `ptt-gateway status`."""

    dir: Annotated[Path | None, Meta(description="Kept over restarts; by default systemd's $STATE_DIRECTORY")] = None
    status_socket: Annotated[
        Path | None, Meta(description="Unix socket of `ptt-gateway status`; by default in $RUNTIME_DIRECTORY")
    ] = None


class LogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged: to the journal under systemd, else to stderr."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="Least level logged")] = "info"


class GatewaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of gateway.toml."""

    vehicle: VehicleSettings
    pins: HardwareSettings
    broker: BrokerSettings = BrokerSettings()
    audio: AudioSettings = AudioSettings()
    state: StateSettings = StateSettings()
    log: LogSettings = LogSettings()

    def worker(self) -> WorkerSettings:
        """Give what the voice worker is told: the same broker over a connection of its own."""
        broker, vehicle = self.broker, self.vehicle
        mqtt = VoiceMqttSettings(
            host=broker.host,
            port=broker.port,
            client_id=f"{vehicle.client_id}-voice",
            keepalive_s=broker.keepalive_s,
            connect_timeout_s=broker.connect_timeout_s,
            username=broker.username,
            password=None if broker.password is None else broker.password.reveal(),
            tls=broker.tls,
            tls_ca=broker.tls_ca,
            tls_cert=broker.tls_cert,
            tls_key=broker.tls_key,
        )
        level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
        match self.log.level:
            case "debug":
                level = "DEBUG"
            case "info":
                level = "INFO"
            case "warning":
                level = "WARNING"
            case "error":
                level = "ERROR"
        return WorkerSettings(user=vehicle.user, office=vehicle.office_id, mqtt=mqtt, audio=self.audio, log_level=level)

    def state_dir(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Give the directory of what survives a restart."""
        return self.state.dir or _first(environ.get("STATE_DIRECTORY")) or DEFAULT_STATE_DIR

    def status_socket(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Give the status socket of a daemon in this environment."""
        if self.state.status_socket is not None:
            return self.state.status_socket
        return (_first(environ.get("RUNTIME_DIRECTORY")) or self.state_dir(environ)) / "status.sock"

    def status_sockets(self, environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
        """Give the places where a person's command finds that socket: systemd tells directories to the unit alone."""
        if self.state.status_socket is not None:
            return (self.state.status_socket,)
        directories = (_first(environ.get("RUNTIME_DIRECTORY")), DEFAULT_RUNTIME_DIR, self.state_dir(environ))
        return tuple(directory / "status.sock" for directory in directories if directory is not None)


def read(path: Path, environ: Mapping[str, str] = os.environ) -> GatewaySettings:
    """Read the configuration; raises SettingsError with every problem found.

    A user name without a password takes the password from systemd's credential, where the unit was given one.
    """
    settings = load(path, GatewaySettings)
    settings.pins.wiring()  # a board file of its own is part of the configuration
    credential = Path(environ.get("CREDENTIALS_DIRECTORY", "")) / CREDENTIAL
    if settings.broker.username is None or settings.broker.password is not None or not credential.is_absolute():
        return settings
    if not credential.exists():
        return settings
    return replace(settings, broker=replace(settings.broker, password=read_secret(credential)))


def _first(directories: str | None) -> Path | None:
    """The first of systemd's colon-separated directories, if any."""
    return Path(directories.split(":")[0]) if directories else None
