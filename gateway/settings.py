"""The gateway's configuration: /etc/ptt/gateway.toml into frozen structs, every mistake reported at once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from gateway.core.cab_settings import ButtonSettings, FocusSettings
from gateway.core.emergency import EmergencySettings
from gateway.core.ignition import IgnitionRules
from gateway.core.telemetry import TelemetryRules
from gateway.enrolment import EnrolmentStore, app_type, login
from gateway.night import LightSettings
from gateway.shutdown_request import NAME as SHUTDOWN_REQUEST
from hw.hardware import HardwareSettings
from protocol.ids import Id, OfficeId
from protocol.login import Login
from protocol.messages import AppType, VoicePath
from protocol.rest import Enrolment
from protocol.worker_settings import (
    AgoraSettings,
    AudioSettings,
    ReplaySettings,
    RestAccess,
    VoiceMqttSettings,
    WorkerSettings,
)
from service.mqtt import BrokerSettings
from service.settings import Fault, Invalid, Problem, Secret, SettingsError, load, read_secret
from service.settings_words import decode_hook

DEFAULT_PATH = Path("/etc/ptt/gateway.toml")
DEFAULT_STATE_DIR = Path("/var/lib/ptt-gateway")
DEFAULT_RUNTIME_DIR = Path("/run/ptt-gateway")
CREDENTIAL = "mqtt-password"
"""The systemd credential that holds the broker's password (LoadCredential= of the unit)."""
IDENTITY: Final = ("user", "name", "region", "office")
BROKER_KEYS: Final = ("host", "port", "username", "password", "tls", "tls_ca", "tls_cert", "tls_key")
"""What an enrolment says of the broker; keepalive and time-outs stay the configuration's."""
NOWHERE: Final = ("127.0.0.1", 9)
"""The discard port of this machine: where a voice worker connects to that must not connect to anybody."""
_LEVELS: Final[dict[str, Literal["DEBUG", "INFO", "WARNING", "ERROR"]]] = {
    "debug": "DEBUG",
    "info": "INFO",
    "warning": "WARNING",
    "error": "ERROR",
}


class VehicleSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who this vehicle is, and to which office it belongs. An enrolled unit knows the first four from its enrolment."""

    user: Annotated[Id, Meta(description="This vehicle's id in its office; no two vehicles share one")] = ""
    name: Annotated[str, Meta(min_length=1, max_length=64, description="What other drivers hear and read")] = ""
    region: Annotated[Id, Meta(description="Region of the office")] = ""
    office: Annotated[Id, Meta(description="Office inside the region")] = ""
    app_type: Annotated[AppType, Meta(description="What kind of member this is")] = AppType.VEHICLE_GATEWAY
    device_info: (
        Annotated[str, Meta(max_length=256, description="Free text for monitors, e.g. the number plate")] | None
    ) = None
    lang: Annotated[Literal["ko", "en"], Meta(description="Language the driver is spoken to in")] = "ko"
    priority: Annotated[
        Literal["normal", "high"],
        Meta(description="What the talk button asks with; the office grants no more than its registry allows"),
    ] = "normal"

    def __post_init__(self) -> None:
        """Refuse half an identity."""
        missing = [name for name in IDENTITY if not getattr(self, name)]
        if missing and len(missing) < len(IDENTITY):
            mend = f"set {', '.join(IDENTITY)} together, or none of them on an enrolled unit"
            raise Invalid(*(Fault(name, "is missing", mend) for name in missing))

    @property
    def office_id(self) -> OfficeId:
        """Region and office as one."""
        return OfficeId(self.region, self.office)

    @property
    def client_id(self) -> str:
        """MQTT client id: the same at every start, so that a new connection takes over a half-dead old one.

        It is the login, which the broker of an office with a registry demands.
        """
        return str(Login(self.office_id, self.user))

    @property
    def voice_client_id(self) -> str:
        """MQTT client id of the voice worker's connection."""
        return str(Login(self.office_id, self.user, voice=True))


class VoiceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Over which network voice goes."""

    transport: Annotated[
        Literal["auto", "mqtt", "agora"],
        Meta(
            description="auto: what the office says at enrolment and at each start, mqtt without an enrolment; agora: "
            "Agora, with MQTT for each burst's beginning and where Agora fails; needs an enrolment and [agora]"
        ),
    ] = "auto"


class StateSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the gateway keeps what must survive a restart, and where it answers `ptt-gateway status`."""

    dir: Annotated[Path | None, Meta(description="Kept over restarts; by default systemd's $STATE_DIRECTORY")] = None
    status_socket: Annotated[
        Path | None, Meta(description="Unix socket of `ptt-gateway status`; by default in $RUNTIME_DIRECTORY")
    ] = None
    hardware_id_file: Annotated[
        Path | None,
        Meta(
            description="File with a text that tells this unit from any other, for containers and virtual vehicles; "
            "by default the machine's own serial number is what counts"
        ),
    ] = None

    def directory(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Give the directory of what survives a restart."""
        return self.dir or _first(environ.get("STATE_DIRECTORY")) or DEFAULT_STATE_DIR


class LogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged: to the journal under systemd, else to stderr."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="Least level logged")] = "info"


class GatewaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of gateway.toml."""

    pins: HardwareSettings
    vehicle: VehicleSettings = VehicleSettings()
    broker: BrokerSettings = BrokerSettings()
    audio: AudioSettings = AudioSettings()
    voice: VoiceSettings = VoiceSettings()
    replay: ReplaySettings = ReplaySettings()
    emergency: EmergencySettings = EmergencySettings()
    button: ButtonSettings = ButtonSettings()
    focus: FocusSettings = FocusSettings()
    agora: AgoraSettings = AgoraSettings()
    ignition: IgnitionRules = IgnitionRules()
    telemetry: TelemetryRules = TelemetryRules()
    state: StateSettings = StateSettings()
    lights: LightSettings = LightSettings()
    log: LogSettings = LogSettings()

    def __post_init__(self) -> None:
        """Refuse a sound device that no vehicle has."""
        if self.audio.backend == "agora":
            mend = "use pyaudio; voice over Agora is [voice] transport"
            raise Invalid(Fault("audio.backend", "is agora, the Agora bridge's alone", mend))

    def over_agora(self, enrolment: Enrolment | None) -> bool:
        """Whether voice goes over Agora too."""
        if self.voice.transport != "auto":
            return self.voice.transport == "agora"
        return enrolment is not None and enrolment.voice is VoicePath.AGORA

    def worker(
        self, *, enrolled: bool = False, agora: bool = False, outside: bool = False, rest: RestAccess | None = None
    ) -> WorkerSettings:
        """Give what the voice worker is told: the same broker over a connection of its own.

        `enrolled`: that connection has a login of its own. `outside`: it connects to nobody and only sounds.
        `rest`: how it reaches the office's REST service, for bursts to be heard again.
        """
        broker, vehicle = self.broker, self.vehicle
        voice_login = vehicle.voice_client_id
        mqtt = VoiceMqttSettings(client_id=voice_login, host=NOWHERE[0], port=NOWHERE[1], keepalive_s=600)
        if not outside:
            mqtt = self._voice_mqtt(broker, voice_login, voice_login if enrolled else broker.username)
        return WorkerSettings(
            user=vehicle.user,
            office=vehicle.office_id,
            mqtt=mqtt,
            audio=self.audio,
            agora=self.agora if agora and not outside else None,
            replay=self.replay,
            rest=None if outside else rest,
            log_level=_LEVELS[self.log.level],
        )

    def _voice_mqtt(self, broker: BrokerSettings, client_id: str, username: str | None) -> VoiceMqttSettings:
        return VoiceMqttSettings(
            host=broker.host,
            port=broker.port,
            client_id=client_id,
            keepalive_s=broker.keepalive_s,
            connect_timeout_s=broker.connect_timeout_s,
            username=username,
            password=None if broker.password is None else broker.password.reveal(),
            tls=broker.tls,
            tls_ca=broker.tls_ca,
            tls_cert=broker.tls_cert,
            tls_key=broker.tls_key,
        )

    def state_dir(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Give the directory of what survives a restart."""
        return self.state.directory(environ)

    def shutdown_request(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Give the file that asks root to switch the machine off."""
        return (_first(environ.get("RUNTIME_DIRECTORY")) or self.state_dir(environ)) / SHUTDOWN_REQUEST

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
    """Read the configuration; raises SettingsError with every problem found. See `read_enrolled`."""
    return read_enrolled(path, environ)[0]


def read_enrolled(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[GatewaySettings, Enrolment | None]:
    """Read the configuration and this unit's enrolment; who it is and its broker come from one of them, never both.

    A user name without a password takes the password from systemd's credential, where the unit was given one.
    """
    settings = read_file(path)
    store = EnrolmentStore(settings.state.directory(environ))
    enrolment = store.read()
    if enrolment is None:
        if not settings.vehicle.user:
            mend = "enrol this unit (`ptt-gateway enrol URL CODE`), or set user, name, region and office"
            raise SettingsError((Problem(source=str(path), key="vehicle.user", what="is missing", mend=mend),))
        if settings.voice.transport == "agora":
            mend = 'tokens come from the office: enrol this unit, or set transport = "mqtt"'
            what = "is agora, but this unit is not enrolled"
            raise SettingsError((Problem(source=str(path), key="voice.transport", what=what, mend=mend),))
        return _with_credential(settings, environ), None
    twice = told_twice(settings, path, store.path)
    if twice:
        raise SettingsError(twice)
    vehicle = replace(
        settings.vehicle,
        user=enrolment.user,
        name=enrolment.name,
        region=enrolment.region,
        office=enrolment.office,
        app_type=app_type(enrolment),
    )
    broker = replace(
        settings.broker,
        host=enrolment.broker.host,
        port=enrolment.broker.port,
        username=str(login(enrolment)),
        password=Secret(enrolment.secret),
        tls=True,
        tls_ca=str(store.ca_path),
    )
    return replace(settings, vehicle=vehicle, broker=broker), enrolment


def told_twice(settings: GatewaySettings, path: Path, enrolment: Path) -> tuple[Problem, ...]:
    """Find what the configuration says although an enrolment says it: nobody could tell which of them holds."""
    keys = [f"vehicle.{name}" for name in IDENTITY if getattr(settings.vehicle, name)]
    plain = BrokerSettings()
    keys += [f"broker.{name}" for name in BROKER_KEYS if getattr(settings.broker, name) != getattr(plain, name)]
    mend = f"take it out of {path}: what the enrolment says is newer; or remove the enrolment to go back"
    return tuple(
        Problem(source=str(path), key=key, what=f"is set, but {enrolment} says it too", mend=mend) for key in keys
    )


def read_file(path: Path) -> GatewaySettings:
    """Read the file alone, for what must work whatever became of the enrolment; raises SettingsError."""
    settings = load(path, GatewaySettings)
    settings.pins.wiring()  # a board file of its own is part of the configuration
    return settings


def read_state(path: Path) -> StateSettings:
    """Read the [state] table alone, whatever else is wrong with the file; the defaults where there is none."""
    try:
        table = tomllib.loads(path.read_text("utf-8-sig")).get("state", {})
        return msgspec.convert(table, StateSettings, dec_hook=decode_hook)
    except (OSError, ValueError):  # TOMLDecodeError, UnicodeDecodeError and ValidationError are ValueErrors
        return StateSettings()


def _with_credential(settings: GatewaySettings, environ: Mapping[str, str]) -> GatewaySettings:
    credential = Path(environ.get("CREDENTIALS_DIRECTORY", "")) / CREDENTIAL
    if settings.broker.username is None or settings.broker.password is not None or not credential.is_absolute():
        return settings
    if not credential.exists():
        return settings
    return replace(settings, broker=replace(settings.broker, password=read_secret(credential)))


def _first(directories: str | None) -> Path | None:
    """The first of systemd's colon-separated directories, if any."""
    return Path(directories.split(":")[0]) if directories else None
