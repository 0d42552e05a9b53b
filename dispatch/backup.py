"""Backups of an office: the store as of one moment, and, where that is wanted, configuration, certificates and secrets.

One tar file for its owner alone. What is in it has fixed names and no paths: where each part lies is the
configuration's to say, so that no archive can write to a place of its own choosing.
"""

import contextlib
import hashlib
import io
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from dispatch import credentials
from dispatch.install import ca_key
from dispatch.settings import DispatchSettings
from dispatch.store.errors import in_words

FORMAT = 1
"""Version of the archive that this program reads and writes."""
MANIFEST, STORE, CONFIG = "manifest.json", "office.db", "dispatch.toml"
PART_BYTES_MAX = 1 << 20
"""A configuration, certificate or secret is smaller than that."""
MANIFEST_BYTES_MAX = 1 << 20
SECRET_NAMES = (
    credentials.MQTT_PASSWORD,
    credentials.TLS_KEY,
    credentials.PROBE_PASSWORD,
    credentials.AGORA_CERTIFICATE,
    credentials.AGORA_CUSTOMER_SECRET,
)
BUSY_S = 5.0


class BackupError(Exception):
    """A backup that cannot be made, read or restored: says what, and how to mend it."""


class Part(Struct, frozen=True, kw_only=True):
    """One file of an archive."""

    bytes: int
    sha256: str
    mode: int


class Manifest(Struct, frozen=True, kw_only=True):
    """What an archive says of itself."""

    format: int
    version: str
    """Of the program that wrote it."""
    made_at: int
    """Unix ms."""
    store_id: str
    schema_version: str
    users: int
    """Users of the registry."""
    registry_rev: int
    parts: dict[str, Part]

    @property
    def with_secrets(self) -> bool:
        """Whether more than the store is in it."""
        return len(self.parts) > 1


class Made(Struct, frozen=True, kw_only=True):
    """A backup that was made."""

    path: Path
    size_bytes: int
    manifest: Manifest


# --- making -----------------------------------------------------------------------------------------------------------


def make(settings: DispatchSettings, config: Path, to: Path, *, secrets: bool, version: str, now_ms: int) -> Made:
    """Write a backup to a new file, mode 0600, while the services run. Raises BackupError, OSError.

    `settings` with their credentials; `secrets`: put configuration, certificates, keys and passwords into it.
    """
    path = store_file(settings)
    if not path.exists():
        raise BackupError(f"there is no store at {path} -> has ptt-dispatch serve run with this configuration?")
    if to.exists() or to.is_symlink():
        raise BackupError(f"{to} is there already -> nothing is overwritten: give another name")
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}.") as folder:
        copy = Path(folder, STORE)
        copy_store(path, copy)
        head, users, rev = _identity(copy)
        files = {STORE: copy, **(_files(settings, config) if secrets else {})}
        manifest = Manifest(
            format=FORMAT,
            version=version,
            made_at=now_ms,
            store_id=head["store_id"],
            schema_version=head["schema_version"],
            users=users,
            registry_rev=rev,
            parts={name: _part(file) for name, file in files.items()},
        )
        whole = Path(folder, "whole.tar")
        with whole.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
                _add(archive, MANIFEST, io.BytesIO(text), len(text), now_ms)
                for name, source in files.items():
                    with source.open("rb") as content:
                        _add(archive, name, content, manifest.parts[name].bytes, now_ms)
            file.flush()
            os.fsync(file.fileno())
        size = whole.stat().st_size
        os.link(whole, to)  # refuses to replace what somebody made meanwhile
    return Made(path=to, size_bytes=size, manifest=manifest)


def store_file(settings: DispatchSettings) -> Path:
    """Give the store's SQLite file; raises BackupError where it is another database."""
    if settings.store.path is None:
        raise BackupError("this store is no SQLite file -> use the database's own tools, such as pg_dump")
    return settings.store.path


def copy_store(source: Path, to: Path) -> None:
    """Copy a SQLite store whole, as of one moment, by SQLite's own backup; nobody who writes waits for it.

    Raises BackupError where either file cannot be used, or the copy is not sound.
    """
    os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
            ) as old,
            contextlib.closing(sqlite3.connect(to, timeout=BUSY_S)) as new,
        ):
            old.backup(new)  # in one step: a copy in several begins anew whenever somebody else writes
            new.execute("PRAGMA journal_mode=DELETE")
            found = [str(row[0]) for row in new.execute("PRAGMA quick_check(1)")]
    except sqlite3.Error as error:
        raise BackupError(in_words(str(source), error)) from error
    if found != ["ok"]:
        raise BackupError(f"the store {source} is damaged ({found[0][:100]}) -> restore an older backup")


def _files(settings: DispatchSettings, config: Path) -> dict[str, Path]:
    """Every file besides the store, by its name in the archive; those that are nowhere are left out."""
    places = {CONFIG: config, **(places_of(settings))}
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    for name in SECRET_NAMES:
        found = credentials.find(settings, folder, name)
        if found is not None:
            places[f"{credentials.PREFIX}{name}"] = found
    return {name: path for name, path in places.items() if path.exists()}


def places_of(settings: DispatchSettings) -> dict[str, Path]:
    """Where an archive's parts belong by the configuration, but for the configuration's own file."""
    places: dict[str, Path] = {}
    if settings.rest is not None:
        places["ca.pem"] = settings.rest.ca
        places["ca.key"] = ca_key(settings.rest.ca)
        places["server.pem"] = settings.rest.certificate
        if settings.rest.key is not None:
            places[f"{credentials.PREFIX}{credentials.TLS_KEY}"] = settings.rest.key
    if settings.secrets is not None:
        for name in SECRET_NAMES:
            places.setdefault(f"{credentials.PREFIX}{name}", settings.secrets / f"{credentials.PREFIX}{name}")
    return places


def _part(path: Path) -> Part:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    return Part(bytes=size, sha256=digest, mode=path.stat().st_mode & 0o777)


def _add(archive: tarfile.TarFile, name: str, content: io.BufferedIOBase, size: int, now_ms: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, now_ms // 1000
    archive.addfile(info, content)


def _identity(store: Path) -> tuple[Mapping[str, str], int, int]:
    """Give the store's head, how many users its registry has, and the registry's number."""
    with contextlib.closing(sqlite3.connect(store)) as connection:
        try:
            head = {str(key): str(value) for key, value in connection.execute("SELECT key, value FROM meta")}
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            users = rev = 0
            if "registry" in tables:
                [[rev]] = connection.execute("SELECT max(rev) FROM registry").fetchall()
                [[users]] = connection.execute("SELECT count(*) FROM registry_user").fetchall()
        except sqlite3.Error as error:
            raise BackupError(in_words(str(store), error)) from error
    if not {"store_id", "schema_version"} <= head.keys():
        raise BackupError(f"{store} is a database, but not of this program -> check [store] path")
    return head, users, rev or 0


# --- reading ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def unpacked(archive: Path, folder: Path) -> Iterator[tuple[Manifest, dict[str, Path]]]:
    """Unpack an archive beside `folder`'s files, checked part by part; all of it is deleted at the end.

    Gives the manifest and each part's file (mode 0600). Raises BackupError for what is no backup, a damaged one or one
    of a newer program.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restore.") as place:
        try:
            with tarfile.open(archive, "r:") as opened:
                manifest = _manifest(archive, opened)
                parts = {name: _unpack(archive, opened, name, part, place) for name, part in manifest.parts.items()}
        except OSError as error:
            raise BackupError(f"{archive}: {error.strerror or error} -> give the path of a backup") from error
        except tarfile.TarError as error:
            raise BackupError(f"{archive} is no backup, or cut short -> take another one") from error
        yield manifest, parts


def _manifest(path: Path, archive: tarfile.TarFile) -> Manifest:
    first = archive.next()
    file = None if first is None or first.name != MANIFEST or not first.isfile() else archive.extractfile(first)
    if file is None:
        raise BackupError(f"{path} is no backup of this program -> give the path of one")
    try:
        manifest = msgspec.json.decode(file.read(MANIFEST_BYTES_MAX), type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupError(f"{path} is no backup of this program, or of a newer one -> install its version") from error
    known = {STORE, CONFIG, "ca.pem", "ca.key", "server.pem", *(f"{credentials.PREFIX}{n}" for n in SECRET_NAMES)}
    if manifest.format != FORMAT or not manifest.parts.keys() <= known or STORE not in manifest.parts:
        raise BackupError(f"{path} was written by version {manifest.version} -> install that one, or newer")
    return manifest


def _unpack(path: Path, archive: tarfile.TarFile, name: str, part: Part, place: str) -> Path:
    try:
        member = archive.getmember(name)
    except KeyError:
        raise BackupError(f"{path} lacks {name} -> it was cut short: take another backup") from None
    file = archive.extractfile(member) if member.isfile() else None
    if file is None or member.size != part.bytes or (name != STORE and part.bytes > PART_BYTES_MAX):
        raise BackupError(f"{path}: {name} is not what it was -> take another backup")
    to, digest = Path(place, name), hashlib.sha256()
    with open(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as written:
        while block := file.read(1 << 20):
            digest.update(block)
            written.write(block)
    if digest.hexdigest() != part.sha256:
        raise BackupError(f"{path}: {name} is damaged -> take another backup")
    return to
