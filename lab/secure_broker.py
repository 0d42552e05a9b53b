"""A private mosquitto with the product's own doors: TLS, users and rights from the generated configuration."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from dispatch import pki
from dispatch.broker import files
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.words import Office, User
from lab.broker import Broker
from protocol.login import SERVER_LOGIN
from service.mqtt import BrokerSettings
from service.settings import Secret

HOST = "127.0.0.1"


class SecureBroker(Broker):
    """As `Broker`, restartable too, but let in are only `users` (with the hashes they carry) and the server.

    `made`: a folder that `dispatch.broker.files.write` has filled already (its port must be given); else one is made,
    with a CA of its own and `server_secret`, random where it is not given. `websocket_port`: where browsers come in, 0:
    nowhere. Raises BrokerFailed, BrokerFilesError.
    """

    def __init__(
        self,
        users: Sequence[User] = (),
        offices: Sequence[Office] = (),
        *,
        server_secret: Secret | None = None,
        made: Path | None = None,
        port: int | None = None,
        folder: Path | None = None,
        persistence: bool = True,
        lines: Sequence[str] = (),
        websocket_port: int = 0,
    ) -> None:
        self._users = users
        self._offices = offices
        self._made = made
        self._websocket_port = websocket_port
        self.server_secret = new_secret() if server_secret is None else server_secret
        """Of the server's own login."""
        super().__init__(port=port, folder=folder, persistence=persistence, lines=lines)

    @property
    def doors(self) -> Path:
        """The folder with the generated configuration and the plugin's file."""
        return self.folder / "doors" if self._made is None else self._made

    @property
    def ca(self) -> Path:
        """The CA's certificate: what clients trust."""
        return self.doors / files.CA

    def settings(self, username: str | None, password: Secret | None, keepalive_s: int = 10) -> BrokerSettings:
        """Give what a client needs to connect with this login."""
        return BrokerSettings(
            host=HOST,
            port=self.port,
            username=username,
            password=password,
            tls=True,
            tls_ca=str(self.ca),
            keepalive_s=keepalive_s,
        )

    def server_settings(self) -> BrokerSettings:
        """Give what the floor control server, its REST service and its command line connect with."""
        return self.settings(SERVER_LOGIN, self.server_secret)

    def _configure(self, persistence: bool, lines: Sequence[str]) -> None:
        """Write what Debian's own mosquitto.conf has, and let it read the generated file where it usually does."""
        if self._made is None:
            self._write_doors()
        conf_d = self.folder / "conf.d"
        conf_d.mkdir(exist_ok=True)
        files.install(self.doors, conf_d)
        (self.folder / "mosquitto.conf").write_text(
            "user root\n"
            "log_dest stderr\n"
            "log_timestamp true\n"
            f"persistence {str(persistence).lower()}\n"
            f"persistence_location {self.folder}/\n"
            + "".join(f"{line}\n" for line in lines)
            + f"include_dir {conf_d}\n"
        )

    def _write_doors(self) -> None:
        pki = self.folder / "pki"
        pki.mkdir(exist_ok=True)
        ca, cert, key = _certificates(pki)
        files.write(
            self.doors,
            users=self._users,
            offices=self._offices,
            server_secret=hash_secret(self.server_secret),
            host_port=self.port,
            ca=ca,
            cert=cert,
            key=key,
            listen=HOST,
            websocket_port=self._websocket_port,
        )


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Make a CA (its key stays beside it) and a certificate for the loopback."""
    now = dt.datetime.now(dt.UTC)
    authority = pki.new_authority("lab", now)
    leaf = pki.new_server(authority, (HOST, "localhost"), now)
    ca, cert, key = folder / "ca.pem", folder / "broker.pem", folder / "broker.key"
    pki.write_file(ca, pki.certificate_pem(authority.certificate), 0o644)
    pki.write_file(folder / "ca.key", pki.key_pem(authority.key), 0o600)
    pki.write_file(cert, leaf.certificate_pem, 0o644)
    pki.write_file(key, leaf.key_pem, 0o600)
    return ca, cert, key
