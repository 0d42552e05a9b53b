"""What the bridge is told in its TOML file (systemd/bridge.toml.example has every key)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from dispatch.settings import HostName, Url
from protocol.ids import Id, OfficeId
from protocol.login import Login
from protocol.worker_settings import (
    AgoraSettings,
    AudioSettings,
    CodecSettings,
    JitterSettings,
    VoiceMqttSettings,
    WorkerSettings,
)
from service.mqtt import BrokerSettings
from service.settings import Fault, Invalid, Secret, load, read_secret

CREDENTIAL = "bridge-secret"
"""The systemd credential that holds the bridge's secret (LoadCredential= of the unit)."""
PCM_RATE_HZ: Literal[16000] = 16000
"""Wideband speech: what Opus keeps of it here, and a rate the SDK takes."""


class BridgeBrokerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the bridge reaches the office's broker; it logs in with its own login and secret."""

    host: Annotated[HostName, Meta(description="the broker's host name or address")]
    port: Annotated[int, Meta(ge=1, le=65535, description="its TLS port")] = 8883
    tls: Annotated[bool, Meta(description="false only on a private loopback")] = True
    keepalive_s: Annotated[int, Meta(ge=2, le=600, description="a broker silent for so long is taken for lost")] = 10


class BridgeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything of `bridge.toml`. Raises Invalid where its parts contradict each other."""

    region: Annotated[Id, Meta(description="region of the office")]
    office: Annotated[Id, Meta(description="office inside the region; its voice must be mqtt")]
    user: Annotated[Id, Meta(description="this bridge's id: a user of role bridge (`ptt-dispatch user add`)")]
    rest_url: Annotated[Url, Meta(description="the REST service tokens come from, https://office.example.com:8443")]
    broker: BridgeBrokerSettings
    name: Annotated[str, Meta(min_length=1, max_length=64, description="what monitors read")] = "Agora bridge"
    secret_file: Annotated[
        Path | None, Meta(description="file of this user's secret; better the systemd credential `bridge-secret`")
    ] = None
    secret: Annotated[Secret | None, Meta(description="instead: the secret itself")] = None
    ca: Annotated[
        Path | None, Meta(description="PEM file of the office's private authority; for the broker and REST")
    ] = None
    agora: AgoraSettings = AgoraSettings()
    codec: CodecSettings = CodecSettings()
    jitter: JitterSettings = JitterSettings()
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least level that is logged")
    ] = "info"

    def __post_init__(self) -> None:
        """Check the rules that join fields."""
        faults = []
        if not self.rest_url.startswith("https://"):
            faults.append(Fault("rest_url", f"is {self.rest_url!r}", "the secret travels over https:// only"))
        if self.broker.tls and self.ca is None:
            faults.append(Fault("ca", "is missing", 'name the office\'s authority: ca = "/etc/ptt/ca.pem"'))
        if self.secret is not None and self.secret_file is not None:
            faults.append(Fault("secret", "and secret_file are both given", "keep secret_file"))
        if faults:
            raise Invalid(*faults)

    @property
    def office_id(self) -> OfficeId:
        """Region and office as one."""
        return OfficeId(self.region, self.office)

    @property
    def login(self) -> Login:
        """What it logs in as with its control connection and at REST."""
        return Login(self.office_id, self.user)

    def control(self) -> BrokerSettings:
        """Give the settings of the control connection."""
        ca = None if self.ca is None else str(self.ca)
        return BrokerSettings(
            host=self.broker.host,
            port=self.broker.port,
            keepalive_s=self.broker.keepalive_s,
            username=str(self.login),
            password=self.secret,
            tls=self.broker.tls,
            tls_ca=ca if self.broker.tls else None,
        )

    def worker(self) -> WorkerSettings:
        """Give what the voice worker is told: the broker over a login of its own, and Agora as its sound device."""
        control, login = self.control(), str(Login(self.office_id, self.user, voice=True))
        level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
        match self.log_level:
            case "debug":
                level = "DEBUG"
            case "info":
                level = "INFO"
            case "warning":
                level = "WARNING"
            case "error":
                level = "ERROR"
        return WorkerSettings(
            user=self.user,
            office=self.office_id,
            mqtt=VoiceMqttSettings(
                host=control.host,
                port=control.port,
                client_id=login,
                keepalive_s=control.keepalive_s,
                connect_timeout_s=control.connect_timeout_s,
                username=login,
                password=None if self.secret is None else self.secret.reveal(),
                tls=control.tls,
                tls_ca=control.tls_ca,
            ),
            audio=AudioSettings(
                backend="agora", device_rate_hz=PCM_RATE_HZ, frame_ms=10, codec=self.codec, jitter=self.jitter
            ),
            agora=self.agora,
            log_level=level,
        )


def read(path: Path, environ: Mapping[str, str] = os.environ) -> BridgeSettings:
    """Read the configuration; raises SettingsError with every problem found.

    A secret that is not configured comes from its file or from systemd's credential; without any there is an error.
    """
    settings = load(path, BridgeSettings)
    if settings.secret is not None:
        return settings
    folder = environ.get("CREDENTIALS_DIRECTORY")
    place = Path(folder or "/run/credentials/ptt-agora-bridge.service") / CREDENTIAL
    return replace(settings, secret=read_secret(settings.secret_file or place), secret_file=None)
