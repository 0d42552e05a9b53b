"""Putting a backup back: nothing goes on with a number, or lets somebody in, that was taken back meanwhile."""

import contextlib
import os
import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from dispatch.backup import BackupError, Manifest
from dispatch.core.state import Floor
from dispatch.ports import OfficeTx, StoreUnavailable
from dispatch.registry.port import RegistryError
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import User
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from protocol.ids import EPOCH_MAX, OfficeId, epoch_of

UNKNOWN_OPENINGS = 10_000
"""Where nothing is left of the former store, it may have been opened so often since the backup: once in four hours for
four years. EPOCH_MAX is two hundred times that."""
WHY = "revoked before the registry was restored"


class Compared(Struct, frozen=True, kw_only=True):
    """What the former store knew and the backup does not. Users as `region/office/user`."""

    revoked: tuple[str, ...] = ()
    """Revoked since; revoked again in what is restored."""
    enrolled: tuple[str, ...] = ()
    """Enrolled anew since: the backup knows an older unit or secret only."""
    added: tuple[str, ...] = ()
    """Made since."""


class Restored(Struct, frozen=True, kw_only=True):
    """What was done."""

    store: Path
    epoch: int
    """The highest of all offices; what is announced from now on lies above everything announced before."""
    former: Path | None
    """Where the former store was put aside."""
    compared: Compared | None
    """None: there was no former store, or it could not be read."""


def restore_store(copy: Path, manifest: Manifest, to: Path, stamp: str) -> Restored:
    """Make a backup's store the office's. No service may run. Raises BackupError, StoreUnavailable, OSError.

    `copy`, a file of the same folder's disk, is used up. The former store is put aside as `<name>.before-<stamp>`.
    """
    former: Path | None = None
    known: Mapping[OfficeId, int] | None = None
    users: tuple[User, ...] | None = None
    before: str | None = None
    if to.exists():
        seal(to)
        before = _store_id(to)
    if before is not None and before != manifest.store_id:
        raise BackupError(
            f"{to} is another store ({before}) than the backup's ({manifest.store_id}) -> move it away first; "
            "the office is then taken over with --adopt (see operations.md, moving the store)"
        )
    if before is not None:
        known, users = _epochs(to), _users(to)
    epoch = _raise(copy, known)
    compared = None if users is None else _compare(copy, users)
    owner = (to if to.exists() else to.parent).stat()
    if to.exists():
        former = to.with_name(f"{to.name}.before-{stamp}")
        os.link(to, former)
    for name in (f"{to.name}-wal", f"{to.name}-shm"):
        to.with_name(name).unlink(missing_ok=True)
    os.chmod(copy, 0o600)
    with contextlib.suppress(PermissionError):  # not root: then it is one's own already
        os.chown(copy, owner.st_uid, owner.st_gid)
    os.replace(copy, to)
    _sync(to.parent)
    return Restored(store=to, epoch=epoch, former=former, compared=compared)


def seal(store: Path) -> None:
    """Bring a store into one file, without a log; raises BackupError where another process has it open.

    A damaged one is let be: it is put aside as it is.
    """
    try:
        with contextlib.closing(sqlite3.connect(store, timeout=0.5, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE").fetchall()
            [[mode]] = connection.execute("PRAGMA journal_mode").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise _open_elsewhere(store) from error
        return
    except sqlite3.DatabaseError:
        return
    if mode == "wal":
        raise _open_elsewhere(store)


def _open_elsewhere(store: Path) -> BackupError:
    units = "ptt-dispatch ptt-dispatch-rest ptt-dispatch-web ptt-dispatch-alerts"
    return BackupError(f"{store} is in use -> systemctl stop {units}; fuser {store} shows who else")


# --- numbers ----------------------------------------------------------------------------------------------------------


def _epochs(store: Path) -> Mapping[OfficeId, int] | None:
    """The highest epoch of each office, or None where the store cannot be read."""
    try:
        reader = StoreReader(f"sqlite:///{store}")
    except StoreUnavailable:
        return None
    try:
        found = {office: reader.snapshot(office) for office in reader.offices(probe=True)}
    except StoreUnavailable:
        return None
    finally:
        reader.close()
    return {office: _epoch(s.floor) for office, s in found.items() if s is not None}


def _epoch(floor: Floor) -> int:
    return max(floor.epoch, epoch_of(floor.rev), epoch_of(floor.burst))


def _store_id(store: Path) -> str | None:
    try:
        reader = StoreReader(f"sqlite:///{store}")
    except StoreUnavailable:
        return None
    reader.close()
    return reader.store_id


def _raise(copy: Path, known: Mapping[OfficeId, int] | None) -> int:
    """Raise every office's epoch above what the former store had, and above what it may have had; gives the highest."""
    own = _epochs(copy)
    if own is None:
        raise BackupError(f"the backup's store cannot be read ({copy.name}) -> take another backup")
    store = SqlStore(f"sqlite:///{copy}")
    highest = 0
    try:
        for office, epoch in own.items():
            raised = epoch + UNKNOWN_OPENINGS if known is None else max(epoch, known.get(office, 0)) + 1
            raised = min(raised, EPOCH_MAX - 1)
            highest = max(highest, raised)
            store.transact(office, partial(_put, raised), durable=True)
    finally:
        store.close()
    seal(copy)
    return highest


def _put(epoch: int, tx: OfficeTx) -> None:
    floor = tx.floor()
    if floor is not None:
        tx.put_floor(replace(floor, epoch=epoch))


# --- people -----------------------------------------------------------------------------------------------------------


def _users(store: Path) -> tuple[User, ...] | None:
    """The registry's users, or None where it cannot be read."""
    try:
        registry = SqlRegistry(f"sqlite:///{store}")
    except StoreUnavailable:
        return None
    try:
        return registry.users()
    except StoreUnavailable:
        return None
    finally:
        registry.close()
        with contextlib.suppress(BackupError):
            seal(store)


def _compare(copy: Path, former: Sequence[User]) -> Compared:
    """Hold the registry that is restored against the former one, and revoke again who was revoked meanwhile."""
    registry = SqlRegistry(f"sqlite:///{copy}")
    try:
        there = {(user.office, user.user): user for user in registry.users()}
        revoked, enrolled, added = [], [], []
        for user in former:
            now = there.get((user.office, user.user))
            name = f"{user.office}/{user.user}"
            if now is None:
                added.append(name)
            elif user.revoked_at is not None and now.revoked_at is None:
                registry.revoke(user.office, user.user, user.revoked_why or WHY)
                revoked.append(name)
            elif user.revoked_at is None and user.secret != now.secret:
                enrolled.append(name)
    except RegistryError as error:
        raise BackupError(str(error)) from error
    finally:
        registry.close()
    seal(copy)
    return Compared(revoked=tuple(revoked), enrolled=tuple(enrolled), added=tuple(added))


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
