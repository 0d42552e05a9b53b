"""The broker's own folder: its configuration, its certificates and the file of its dynamic-security plugin.

The folder belongs to mosquitto alone (mode 0700): the plugin writes its file anew at each change, newer versions with
whatever mode the process's umask gives. mosquitto finds the folder through a copy of `ptt.conf` where its own
configuration reads (`install`).
"""

import contextlib
import ipaddress
import os
import platform
import pwd
import secrets
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from dispatch.broker.accounts import dynsec_file
from dispatch.broker.conf import conf
from dispatch.broker.dynsec import NotAnAnswer, decode_file, encode_file
from dispatch.registry.words import Office, SecretHash, User
from protocol.login import SERVER_LOGIN

DEFAULT_FOLDER = Path("/var/lib/mosquitto/ptt")
"""Where the folder lies on Debian: mosquitto's own state."""
CONF_D = Path("/etc/mosquitto/conf.d")
"""What Debian's mosquitto.conf reads (`include_dir`)."""
CONF, DYNSEC, CA, CERT, KEY = "ptt.conf", "dynamic-security.json", "ca.pem", "broker.pem", "broker.key"
PLUGIN = "mosquitto_dynamic_security.so"
OWNER = "mosquitto"


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
    websocket_port: int = 0,
    final: Path | None = None,
    plugin: Path | None = None,
) -> list[Path]:
    """Write everything mosquitto needs into `folder`, made if it is not there; gives the files.

    `final`: where the folder will lie in the end, if it is moved afterwards. `listen`: an address, empty for all.
    `websocket_port`: where browsers come in, 0: nowhere. `plugin`: the plugin's file, found by itself where it is
    not given. Certificate and key are copied, so that each service has its own. What is there is replaced: a
    mosquitto that runs must be stopped before, for it would write its own users over these. As root, folder and
    files become the user mosquitto's, where there is one. Users of offices that are not among `offices` are
    refused. Raises BrokerFilesError.
    """
    strays = sorted({str(user.office) for user in users} - {str(office.id) for office in offices})
    if strays:
        raise BrokerFilesError(f"users of {', '.join(strays[:5])}, but no such office: add it first")
    check_listen(listen, websocket_port)
    found = find_plugin() if plugin is None else plugin
    text = conf(
        folder=(final or folder).absolute(),
        dynsec=DYNSEC,
        cert=CERT,
        key=KEY,
        plugin=found,
        listen=listen,
        port=host_port,
        websocket_port=websocket_port,
    )
    dynsec = encode_file(dynsec_file(users, server_secret))
    made = install_certificates(folder, ca=ca, cert=cert, key=key)
    with _made(folder) as handle:
        return [
            *made,
            _put(folder, handle, DYNSEC, dynsec, 0o600),
            _put(folder, handle, CONF, text.encode(), 0o644),
        ]


def check_listen(listen: str, websocket_port: int) -> None:
    """Raise BrokerFilesError where browsers are to come in at a name: mosquitto would open nothing for them there."""
    if not listen or not websocket_port:
        return
    try:
        ipaddress.ip_address(listen)
    except ValueError:
        raise BrokerFilesError(
            f"consoles in browsers (port {websocket_port}) cannot come in at {listen!r}: mosquitto takes an address "
            f"for them, no name -> give the address, which `getent hosts {listen}` shows: to init as --listen, to "
            "broker-config as host in [rest]; without consoles: --websocket-port 0, or websocket_port = 0 in [web]"
        ) from None


def install_certificates(folder: Path, *, ca: Path, cert: Path, key: Path) -> list[Path]:
    """Give the folder its own copies (after `cert renew` too: then `systemctl reload mosquitto`); gives the files.

    Raises BrokerFilesError, also where the three do not belong together.
    """
    data = {name: _read(path) for name, path in ((CA, ca), (CERT, cert), (KEY, key))}
    _check_chain(data, cert)
    with _made(folder) as handle:
        return [_put(folder, handle, name, content, 0o600 if name == KEY else 0o644) for name, content in data.items()]


def install(folder: Path, conf_d: Path = CONF_D) -> Path:
    """Let mosquitto read the folder's configuration from now on; gives the file it reads.

    It is a copy that root owns, no link: mosquitto reads it as root, before it becomes its own user, and what that user
    could write there (another user to become, another plugin) would make it root. Another `ptt.conf` there (the open
    one for private networks, which lets anybody in) is kept as `ptt.conf.before`, which mosquitto does not read.
    Raises BrokerFilesError.
    """
    place = conf_d / CONF
    data = _read(folder / CONF)
    try:
        if place.is_file() and not place.is_symlink() and place.read_bytes() == data:
            return place
        with tempfile.NamedTemporaryFile(dir=conf_d, prefix=f".{CONF}.", delete=False) as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if place.exists() or place.is_symlink():
            os.replace(place, conf_d / f"{CONF}.before")
        os.replace(file.name, place)
    except OSError as error:
        raise BrokerFilesError(
            f"{place} cannot be made ({error.strerror}): run as root, or copy {folder / CONF} there yourself"
        ) from error
    return place


def reads(folder: Path, conf_d: Path = CONF_D) -> bool:
    """Whether mosquitto reads this folder's configuration, an older copy or a link perhaps."""
    try:
        return f"plugin_opt_config_file {(folder / DYNSEC).absolute()}\n" in (conf_d / CONF).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def damaged(folder: Path) -> bool:
    """Whether the plugin's file is missing, empty, torn or without the server's login, so that nobody would get in.

    mosquitto before 2.0.16 writes it in place: a power cut in that moment can leave it so. Raises BrokerFilesError
    where it cannot be read.
    """
    try:
        file = decode_file((folder / DYNSEC).read_bytes())
    except (FileNotFoundError, NotAnAnswer):
        return True
    except OSError as error:
        raise BrokerFilesError(f"{folder / DYNSEC} cannot be read ({error.strerror}): use sudo") from error
    return SERVER_LOGIN not in {client.username for client in file.clients}


def find_plugin(roots: Sequence[Path] = (Path("/usr/lib"), Path("/usr/local/lib"), Path("/usr/lib64"))) -> Path:
    """Find mosquitto's dynamic-security plugin of this machine's architecture; raises BrokerFilesError."""
    triplet = str(sysconfig.get_config_var("MULTIARCH") or f"{platform.machine()}-linux-gnu")
    places = [place for root in roots for place in (root / triplet / PLUGIN, root / PLUGIN)]
    for place in places:
        if place.is_file():
            return place
    raise BrokerFilesError(
        f"{PLUGIN} is not in {', '.join(str(place.parent) for place in places)}: apt install mosquitto (2.0 or later)"
    )


def _check_chain(data: dict[str, bytes], where: Path) -> None:
    try:
        authority, leaf = (x509.load_pem_x509_certificate(data[name]) for name in (CA, CERT))
        public = load_pem_private_key(data[KEY], None).public_key()
        leaf.verify_directly_issued_by(authority)
    except InvalidSignature:
        raise BrokerFilesError(f"{where} was not signed by the CA given: give the CA it was made with") from None
    except (ValueError, TypeError) as error:
        raise BrokerFilesError(f"{where}, its key or its CA is not usable ({error}): give unlocked PEM files") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise BrokerFilesError(f"the key does not belong to {where}: give the one it was made with")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BrokerFilesError(f"{path} cannot be read ({error.strerror}): is it there, and may you?") from error


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[int]:
    """Make the folder where it is missing, close it to others, and give a handle of it.

    It lies in mosquitto's own state, and root writes there: a mosquitto that was taken over must not be able to have
    root write, or give away, something else by putting a link in its place. So all is done through the handle.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        why = "it is a link" if folder.is_symlink() else error.strerror
        raise BrokerFilesError(f"{folder} cannot be made ({why}): run as root, and let it be a folder") from error
    try:
        try:
            os.fchmod(handle, 0o700)
            _own(handle)
        except OSError as error:
            raise BrokerFilesError(f"{folder} cannot be made ({error.strerror}): run as root?") from error
        yield handle
    finally:
        os.close(handle)


def _put(folder: Path, handle: int, name: str, data: bytes, mode: int) -> Path:
    """Write one file whole or not at all, and on the disk before it takes its place."""
    temporary = f".{name}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o600, dir_fd=handle), "wb") as file:
            try:
                os.fchmod(file.fileno(), mode)
                _own(file.fileno())
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                os.replace(temporary, name, src_dir_fd=handle, dst_dir_fd=handle)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=handle)
                raise
    except OSError as error:
        raise BrokerFilesError(f"{folder / name} cannot be written ({error.strerror})") from error
    return folder / name


def _own(handle: int) -> None:
    if os.geteuid() != 0:
        return
    try:
        entry = pwd.getpwnam(OWNER)
    except KeyError:
        return  # mosquitto is not installed here, or runs as somebody else
    os.fchown(handle, entry.pw_uid, entry.pw_gid)
