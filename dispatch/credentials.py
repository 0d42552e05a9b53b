"""Secrets of the office's service: from systemd's credentials, else from the folder of secret files.

One name serves both: the credential `mqtt-password` is the file `ptt.mqtt-password` of the secrets' folder, which on an
installed machine is systemd's own credential store, /etc/credstore.
"""

import os
from pathlib import Path

from msgspec.structs import replace

from dispatch.settings import AgoraServerSettings, DispatchSettings, RestSettings
from service.mqtt import BrokerSettings
from service.settings import Secret, read_secret

MQTT_PASSWORD = "mqtt-password"
"""The floor control server's own password at the broker."""
TLS_KEY = "tls-key"
"""Key of the REST service's certificate, PEM."""
AGORA_CERTIFICATE = "agora-certificate"
"""App certificate of the Agora project."""
AGORA_CUSTOMER_SECRET = "agora-customer-secret"
"""Secret of Agora's REST interface."""
PROBE_PASSWORD = "probe-password"
"""The availability probe's own password at the broker."""
PREFIX = "ptt."
"""What the file names of the credential store begin with."""


def with_credentials(settings: DispatchSettings, folder: str | None) -> DispatchSettings:
    """Fill in every secret that is not configured but is in systemd's `folder` or in the folder of secret files.

    What is nowhere stays None. Raises SettingsError where a file is there and unusable.
    """
    return replace(
        settings,
        broker=_broker(settings, folder),
        rest=_rest(settings, folder),
        agora=_agora(settings, folder),
    )


def find(settings: DispatchSettings, folder: str | None, name: str) -> Path | None:
    """Give the file of a secret: the credential of this name, else the secret file; None where neither can be read."""
    places = [Path(folder) / name] if folder is not None else []
    if settings.secrets is not None:
        places.append(settings.secrets / f"{PREFIX}{name}")
    return next((path for path in places if os.access(path, os.R_OK)), None)


def _secret(settings: DispatchSettings, folder: str | None, name: str) -> Secret | None:
    path = find(settings, folder, name)
    return None if path is None else read_secret(path)


def _broker(settings: DispatchSettings, folder: str | None) -> BrokerSettings:
    broker = settings.broker
    if broker.username is None or broker.password is not None:
        return broker
    return replace(broker, password=_secret(settings, folder, MQTT_PASSWORD))


def _rest(settings: DispatchSettings, folder: str | None) -> RestSettings | None:
    rest = settings.rest
    if rest is None or rest.key is not None:
        return rest
    return replace(rest, key=find(settings, folder, TLS_KEY))


def _agora(settings: DispatchSettings, folder: str | None) -> AgoraServerSettings | None:
    agora = settings.agora
    if agora is None:
        return None
    if agora.certificate is None:
        agora = replace(agora, certificate=_secret(settings, folder, AGORA_CERTIFICATE))
    kicking = agora.kicking
    if kicking is not None and kicking.customer_secret is None:
        agora = replace(
            agora, kicking=replace(kicking, customer_secret=_secret(settings, folder, AGORA_CUSTOMER_SECRET))
        )
    return agora
