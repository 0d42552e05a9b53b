"""levels.json in the state directory: the sound levels that `ptt-gateway levels` or a monitor set, over restarts."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from protocol.worker import GainDb

NAME = "levels.json"


class SavedLevels(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Levels in dB, each from -20 to 20; 0 changes nothing."""

    mic_db: GainDb = 0.0
    speaker_db: GainDb = 0.0


def read(directory: Path) -> tuple[SavedLevels, str]:
    """Give what was saved, and what is wrong with the file: a damaged one counts as none, and is told."""
    path = directory / NAME
    try:
        return msgspec.json.decode(path.read_bytes()[:4096], type=SavedLevels), ""
    except FileNotFoundError:
        return SavedLevels(), ""
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        why = f"{path} cannot be used ({error}): levels are 0 dB -> set them again with `ptt-gateway levels`"
        return SavedLevels(), why


def write(directory: Path, levels: SavedLevels) -> None:
    """Save, the directory's owner's alone: after a power cut the old or the new file is there. Raises OSError."""
    path, owner = directory / NAME, directory.stat()
    temporary = path.with_name(NAME + ".new")
    with suppress(FileNotFoundError):
        temporary.unlink()
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(handle, "wb") as file:
        os.fchmod(handle, 0o600)
        if os.geteuid() == 0:
            os.fchown(handle, owner.st_uid, owner.st_gid)
        file.write(msgspec.json.encode(levels) + b"\n")
        file.flush()
        os.fsync(handle)
    temporary.replace(path)
    parent = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
