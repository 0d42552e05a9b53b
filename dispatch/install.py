"""What `ptt-dispatch init` makes: authority, certificates, secrets, the broker's folder, the first office, its admin.

All or nothing: every file is new, and whatever was made is taken away again when a later step fails. The registry is
filled last.
"""

import contextlib
import datetime as dt
import json
import os
import pwd
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from dispatch import credentials, pki
from dispatch.broker import files as broker_files
from dispatch.probing.place import PROBE_NAME, PROBE_OFFICE, PROBE_ROLE, PROBE_USER
from dispatch.registry import rows
from dispatch.registry.port import RegistryError
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import Office, SecretHash, User
from protocol.ids import OfficeId
from protocol.login import SERVER_LOGIN
from protocol.messages import VoicePath
from protocol.rest import Role
from service.settings import Secret

SERVICE_USER = "ptt-dispatch"
"""Whose the store is, where this user is there: the unit's own, while it runs."""
OWN_HOSTS = ("localhost", "127.0.0.1", "::1")
"""Always in the certificate: services of the same machine reach each other so."""


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be made, and where."""

    folder: Path
    store: Path
    secrets: Path
    broker_dir: Path
    office: OfficeId
    name: str
    region_name: str
    voice: VoicePath
    hosts: tuple[str, ...]
    admin: str
    listen: str = ""
    """Address that broker, REST and dashboard listen on; empty: all. A name only where there is no `websocket_port`."""
    broker_port: int = 8883
    rest_port: int = 8443
    web_port: int = 8444
    websocket_port: int = 8884
    """Where the broker lets call managers' pages in; 0: nowhere."""

    @property
    def config(self) -> Path:
        """The configuration's file."""
        return self.folder / "dispatch.toml"

    @property
    def ca(self) -> Path:
        """The authority's certificate."""
        return self.folder / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """The authority's key."""
        return ca_key(self.ca)

    @property
    def certificate(self) -> Path:
        """The server's certificate."""
        return self.folder / "server.pem"

    @property
    def admin_secret(self) -> Path:
        """Where the first admin's secret is left."""
        return self.folder / f"{self.admin}.secret"

    @property
    def local_host(self) -> str:
        """How services of this machine reach each other."""
        return self.listen if self.listen not in ("", "0.0.0.0", "::") else OWN_HOSTS[0]

    @property
    def rest_url(self) -> str:
        """How vehicles reach the REST service."""
        host = self.hosts[0]
        return f"https://{f'[{host}]' if ':' in host else host}:{self.rest_port}"

    def secret(self, name: str) -> Path:
        """The file of a service's secret."""
        return self.secrets / f"{credentials.PREFIX}{name}"


class Made(Struct, frozen=True, kw_only=True):
    """What was made. `repr` shows no secret."""

    files: tuple[Path, ...]
    login: str
    secret: Secret


def ca_key(ca: Path) -> Path:
    """Give where the key of an authority lies: in a folder of its own beside it, for the administrator alone."""
    return ca.parent / "ca" / "ca.key"


def init(plan: Plan, now: dt.datetime) -> Made:
    """Make it all, or nothing. Raises RegistryError, PkiError, BrokerFilesError, StoreUnavailable, OSError."""
    _check(plan)
    with _all_or_nothing() as made:
        registry = _registry(plan, made)
        try:
            return _make(plan, now, made, registry)
        finally:
            registry.close()


def _check(plan: Plan) -> None:
    """Find what is wrong before anything is made."""
    rows.checked_id(plan.office.region, "region")
    rows.checked_id(plan.office.office, "office")
    rows.checked_id(plan.admin, "admin")
    rows.checked_name(plan.name)
    rows.checked_name(plan.region_name)
    rows.channel_of(plan.office)
    for host in plan.hosts:
        pki.general_name(host)
    broker_files.check_listen(plan.listen, plan.websocket_port)
    broker_files.find_plugin()
    here = [path for path in (*_files(plan), plan.broker_dir) if path.exists() or path.is_symlink()]
    if here:
        names = ", ".join(map(str, here))
        raise RegistryError(f"already there: {names} -> nothing is overwritten: move it away, or give another --dir")


def _files(plan: Plan) -> tuple[Path, ...]:
    own = (plan.ca, plan.ca_key, plan.certificate, plan.config, plan.admin_secret)
    names = (credentials.MQTT_PASSWORD, credentials.TLS_KEY, credentials.PROBE_PASSWORD)
    return (*own, *map(plan.secret, names))


def _registry(plan: Plan, made: "_Made") -> SqlRegistry:
    """Open the store, new or without anybody in its registry."""
    new = not plan.store.exists()
    made.folder(plan.store.parent, 0o700)
    if new:
        made.file(plan.store)
        for suffix in ("-wal", "-shm"):
            made.file(plan.store.with_name(plan.store.name + suffix), listed=False)
    registry = SqlRegistry(f"sqlite:///{plan.store}")
    known = [user.login for user in registry.users() if user.secret is not None]
    if known:
        registry.close()
        raise RegistryError(f"the registry in {plan.store} has users already ({known[0]}, ...) -> give another --store")
    return registry


def _make(plan: Plan, now: dt.datetime, made: "_Made", registry: SqlRegistry) -> Made:
    authority = pki.new_authority(plan.region_name, now)
    leaf = pki.new_server(authority, (*plan.hosts, plan.local_host, *OWN_HOSTS), now)
    password, secret, probe = new_secret(), new_secret(), new_secret()

    made.folder(plan.folder, 0o755)
    made.folder(plan.ca_key.parent, 0o700)
    made.folder(plan.secrets, 0o700)
    made.write(plan.ca, pki.certificate_pem(authority.certificate), 0o644)
    made.write(plan.ca_key, pki.key_pem(authority.key), 0o600)
    made.write(plan.certificate, leaf.certificate_pem, 0o644)
    made.write(plan.secret(credentials.TLS_KEY), leaf.key_pem, 0o600)
    made.write(plan.secret(credentials.MQTT_PASSWORD), f"{password.reveal()}\n".encode(), 0o600)
    made.write(plan.secret(credentials.PROBE_PASSWORD), f"{probe.reveal()}\n".encode(), 0o600)
    made.write(plan.admin_secret, f"{secret.reveal()}\n".encode(), 0o600)
    made.write(plan.config, config_text(plan).encode(), 0o644)
    kept, probes = hash_secret(secret), hash_secret(probe)
    _broker(plan, made, (_admin(plan, kept), _prober(probes)), hash_secret(password))
    _fill(plan, registry, kept)
    add_probe(registry, probes)
    _give_to_service(plan.store, new_folder=plan.store.parent in made.folders)
    return Made(files=tuple(made.files), login=_admin(plan, kept).login, secret=secret)


def _broker(plan: Plan, made: "_Made", users: tuple[User, ...], server_secret: SecretHash) -> None:
    made.tree(plan.broker_dir)
    office = Office(id=plan.office, name=plan.name, channel=rows.channel_of(plan.office), voice=plan.voice)
    channel = rows.channel_of(PROBE_OFFICE)
    probe = Office(id=PROBE_OFFICE, name=PROBE_NAME, channel=channel, voice=VoicePath.MQTT)
    broker_files.write(
        plan.broker_dir,
        users=sorted(users, key=lambda user: (user.office, user.user)),
        offices=(office, probe),
        server_secret=server_secret,
        host_port=plan.broker_port,
        ca=plan.ca,
        cert=plan.certificate,
        key=plan.secret(credentials.TLS_KEY),
        listen=plan.listen,
        websocket_port=plan.websocket_port,
    )


def _admin(plan: Plan, kept: SecretHash) -> User:
    """The first admin as the broker needs it; its uid is drawn when the registry is filled."""
    return User(office=plan.office, user=plan.admin, role=Role.ADMIN, name=plan.admin, uid=0, secret=kept)


def _prober(kept: SecretHash) -> User:
    """The availability probe's user as the broker needs it."""
    return User(office=PROBE_OFFICE, user=PROBE_USER, role=PROBE_ROLE, name=PROBE_NAME, uid=0, secret=kept)


def add_probe(registry: SqlRegistry, kept: SecretHash | None) -> User:
    """Add the availability probe's office and user; what is there already of them stays. Gives the user.

    `kept` None: without a secret. Raises RegistryError.
    """
    if PROBE_OFFICE.region not in (region.region for region in registry.regions()):
        registry.add_region(PROBE_OFFICE.region, PROBE_NAME)
    if registry.office(PROBE_OFFICE) is None:
        registry.add_office(PROBE_OFFICE, PROBE_NAME, VoicePath.MQTT)
    user = registry.user(PROBE_OFFICE, PROBE_USER)
    if user is None:
        user = registry.add_user(PROBE_OFFICE, PROBE_USER, PROBE_ROLE, PROBE_NAME)
    return user if kept is None else registry.set_secret(PROBE_OFFICE, PROBE_USER, kept)


def _fill(plan: Plan, registry: SqlRegistry, kept: SecretHash) -> None:
    """Add region, office and admin; what an interrupted `init` left of them is taken up."""
    if plan.office.region not in (region.region for region in registry.regions()):
        registry.add_region(plan.office.region, plan.region_name)
    if registry.office(plan.office) is None:
        registry.add_office(plan.office, plan.name, plan.voice)
    if registry.user(plan.office, plan.admin) is None:
        registry.add_user(plan.office, plan.admin, Role.ADMIN, plan.admin)
    registry.set_secret(plan.office, plan.admin, kept)


def _give_to_service(store: Path, *, new_folder: bool) -> None:
    """As root: make the store the service user's, where that is there, else its folder's owner's.

    A folder that systemd is still to make its own (DynamicUser) is given to the service, files and all, when it starts.
    """
    if os.geteuid() != 0:
        return
    status = store.parent.stat()
    owner, group = status.st_uid, status.st_gid
    with contextlib.suppress(KeyError):
        entry = pwd.getpwnam(SERVICE_USER)
        owner, group = entry.pw_uid, entry.pw_gid
    for path in (*([store.parent] if new_folder else []), *store.parent.glob(f"{store.name}*")):
        os.chown(path, owner, group, follow_symlinks=False)


# --- the configuration -----------------------------------------------------------------------------------------------


def config_text(plan: Plan) -> str:
    """Give dispatch.toml."""
    listen = plan.listen or "0.0.0.0"
    return f"""\
# The office's services: ptt-dispatch serve, rest, web and alerts. Made by `ptt-dispatch init`; every key is in
# operations.md, and `ptt-dispatch show-config` shows them all with their defaults.

# Only users of the registry are members: see `ptt-dispatch user` and `ptt-dispatch device`.
admission = "registry"
# Secrets, one a file, which systemd hands to the services as credentials.
secrets = {_toml(plan.secrets)}
# mosquitto's own folder.
broker_dir = {_toml(plan.broker_dir)}

[broker]
host = {_toml(plan.local_host)}
port = {plan.broker_port}
tls = true
tls_ca = {_toml(plan.ca)}
username = "{SERVER_LOGIN}"

[store]
path = {_toml(plan.store)}

[rest]
url = {_toml(plan.rest_url)}
host = {_toml(listen)}
port = {plan.rest_port}
certificate = {_toml(plan.certificate)}
ca = {_toml(plan.ca)}
broker_host = {_toml(plan.hosts[0])}
broker_port = {plan.broker_port}

# The dashboard, with the certificate of [rest].
[web]
host = {_toml(listen)}
port = {plan.web_port}
# The broker's listener for call managers' consoles, wss://; 0: there is none, and no console.
websocket_port = {plan.websocket_port}

# Voice over Agora. The certificate goes into {plan.secret(credentials.AGORA_CERTIFICATE)}, mode 0600.
#[agora]
#app_id = "0123456789abcdef0123456789abcdef"
# Kicking rules put a revoked user out at once. The secret: {plan.secret(credentials.AGORA_CUSTOMER_SECRET)}.
#[agora.kicking]
#customer_key = "..."

# Rules of an office that differ from the defaults.
#[[office]]
#region = "{plan.office.region}"
#office = "{plan.office.office}"
#talk_limit_s = 30.0
"""


def _toml(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


# --- all or nothing --------------------------------------------------------------------------------------------------


class _Made:
    """What was made so far, and how to take it away."""

    def __init__(self) -> None:
        self.files: list[Path] = []
        self.folders: list[Path] = []
        self._undo: list[Callable[[], object]] = []

    def folder(self, path: Path, mode: int) -> None:
        """Make a folder and what is above it, unless it is there."""
        missing = [each for each in (path, *path.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(mode=0o700)
            self.folders.append(each)
            self._undo.append(each.rmdir)
            each.chmod(mode if each == path else 0o755)  # whatever the umask is

    def file(self, path: Path, *, listed: bool = True) -> None:
        """A file that somebody else is about to make."""
        if listed:
            self.files.append(path)
        self._undo.append(lambda: path.unlink(missing_ok=True))

    def write(self, path: Path, content: bytes, mode: int) -> None:
        """Write a new file."""
        self.file(path)
        pki.write_file(path, content, mode)

    def tree(self, path: Path) -> None:
        """A folder that somebody else is about to make."""
        self.folder(path.parent, 0o755)
        self.files.append(path)
        self._undo.append(lambda: shutil.rmtree(path, ignore_errors=True))

    def undo(self) -> None:
        """Take everything away, the newest first."""
        for step in reversed(self._undo):
            with contextlib.suppress(OSError):  # a folder that somebody else put something into stays
                step()


@contextlib.contextmanager
def _all_or_nothing() -> Iterator[_Made]:
    made = _Made()
    try:
        yield made
    except BaseException:
        made.undo()
        raise
