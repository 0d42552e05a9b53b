"""What enrolment left on this unit: `enrolment.json` (with the secret, 0600) and `ca.pem`, in the state directory.

Both are written so that after a power cut the old or the new one is there whole; `ca.pem` first, so that an enrolment
never stands without the authority it is checked against. Root writes them for whoever owns the directory.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import msgspec

from protocol.ids import OfficeId
from protocol.login import Login
from protocol.messages import AppType
from protocol.rest import Enrolment, Role
from service.settings import SettingsError
from service.settings_words import single

FILE = "enrolment.json"
CA_FILE = "ca.pem"
TEST_FILE = "enrolment.try"
FILE_BYTES_MAX = 256 << 10
DIRECTORY_MODE = 0o700
_APP_TYPES = {
    Role.VEHICLE_GATEWAY: AppType.VEHICLE_GATEWAY,
    Role.CALL_MANAGER: AppType.CALL_MANAGER,
    Role.PICKUP_DRIVER: AppType.PICKUP_DRIVER,
}
_MEND = "enrol this unit anew: `ptt-gateway enrol URL CODE`"


class StoreError(Exception):
    """The enrolment cannot be kept; says why and how to mend it."""


class EnrolmentStore:
    """The enrolment in one state directory."""

    def __init__(self, directory: Path) -> None:
        """Nothing is read or made yet."""
        self.directory = directory
        self.path = directory / FILE
        self.ca_path = directory / CA_FILE

    def read(self) -> Enrolment | None:
        """Give the enrolment, None where this unit was never enrolled; raises SettingsError for a damaged one."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._wrong(
                f"cannot be read ({error.strerror})", "look as root or as the service does, or check the card"
            ) from error
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise self._wrong("is not a regular file", f"remove it, then {_MEND}")
            if status.st_mode & 0o077:
                raise self._wrong("holds a secret and is open to others", f"chmod 600 {self.path}, then {_MEND}")
            data = os.read(handle, FILE_BYTES_MAX)
        finally:
            os.close(handle)
        try:
            enrolment = msgspec.json.decode(data, type=Enrolment)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # msgspec names the place, and may show a value; the secret's is a string that it only measures.
            raise self._wrong(f"is damaged ({error})", _MEND) from None
        if not enrolment.role.member:
            raise self._wrong(
                f"is for a {enrolment.role.value}, who is no member of the floor", "enrol with a vehicle's code"
            )
        if not os.access(self.ca_path, os.R_OK):
            raise single(str(self.ca_path), "is missing or cannot be read", _MEND)
        return enrolment

    def try_out(self) -> None:
        """Make the directory and write as much as an enrolment takes; raises StoreError where that fails."""
        try:
            self.directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            trial = self.directory / TEST_FILE
            try:
                self._write(trial, bytes(FILE_BYTES_MAX), 0o600)
            finally:
                with suppress(OSError):
                    trial.unlink()
        except OSError as error:
            raise self._cannot(error) from error

    def write(self, enrolment: Enrolment) -> None:
        """Keep it; raises StoreError."""
        try:
            self._write(self.ca_path, enrolment.ca_pem.encode(), 0o644)
            self._write(self.path, msgspec.json.encode(enrolment), 0o600)
        except OSError as error:
            raise self._cannot(error) from error

    # --- inside -------------------------------------------------------------------------------------------------------

    def _write(self, path: Path, data: bytes, mode: int) -> None:
        owner = self.directory.stat()
        temporary = path.with_name(path.name + ".new")
        with suppress(FileNotFoundError):
            temporary.unlink()
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        with open(handle, "wb") as file:
            os.fchmod(handle, mode)
            if os.geteuid() == 0:
                os.fchown(handle, owner.st_uid, owner.st_gid)
            file.write(data)
            file.flush()
            os.fsync(handle)
        temporary.replace(path)
        directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _wrong(self, what: str, mend: str) -> SettingsError:
        return single(str(self.path), f"the enrolment {what}", mend)

    def _cannot(self, error: OSError) -> StoreError:
        return StoreError(
            f"{error.filename or self.directory}: {error.strerror or error} -> free or mend the disk, or run it as root"
        )


def login(enrolment: Enrolment, *, voice: bool = False) -> Login:
    """Give what the unit logs in as."""
    return Login(OfficeId(enrolment.region, enrolment.office), enrolment.user, voice)


def app_type(enrolment: Enrolment) -> AppType:
    """Give what kind of member it is."""
    return _APP_TYPES[enrolment.role]
