"""The broker's own folder: its listener, its certificates and the file of its dynamic-security plugin."""

from collections.abc import Sequence
from pathlib import Path

from dispatch.registry.words import Office, SecretHash, User


class BrokerFilesError(Exception):
    """The folder cannot be written, or this machine's mosquitto lacks the plugin: says what, and how to mend it."""


def write(
    folder: Path,
    *,
    users: Sequence[User],
    offices: Sequence[Office],
    server_secret: SecretHash,
    host_port: int,
    ca: Path,
    cert: Path,
    key: Path,
    listen: str,
    final: Path | None = None,
) -> list[Path]:
    """Write everything mosquitto needs into `folder`; gives the files. `final` is where the folder will lie in the end."""
    raise NotImplementedError


def install_certificates(folder: Path, *, ca: Path, cert: Path, key: Path) -> list[Path]:
    """Give the broker's folder its own copies of the CA, the certificate and the key (after `cert renew`)."""
    raise NotImplementedError
