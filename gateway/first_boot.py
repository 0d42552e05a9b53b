"""Enrolment from a file on the boot partition, which any laptop can write: two lines, the address and the code.

Afterwards a file beside it says what became of it: `ptt-enrol.done.txt`, or `ptt-enrol.error.txt` with the reason. No
code is left in either. A code that is dead is put away with its file; anything else is tried again at the next start.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gateway.enrol import EnrolFailed
from gateway.enrol_texts import AGAIN, FILE_EMPTY, NEW_FILE, WHY, is_now
from protocol.rest import Enrolment

FILE_BYTES_MAX = 4096
TRY_FOR_S = 120.0
"""A unit that was never enrolled waits so long for network, clock and office; it is of no use without."""
TRY_EVERY_S = 5.0

Enrol = Callable[[str, str], Enrolment]
"""(URL, code) to enrolment; raises EnrolFailed."""


class FileWrong(Exception):
    """A file that does not hold what it should."""


def read_file(path: Path) -> tuple[str, str]:
    """Give address and code; raises FileWrong. Blank lines, `#` comments, a BOM and any line ends are borne."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            data = file.read(FILE_BYTES_MAX) or b""
    except OSError as error:
        raise FileWrong(f"{path}: {error.strerror or error}") from None
    coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"  # what Windows' editors write
    text = data.decode(coding, errors="replace")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) != 2:
        raise FileWrong(f"{path}: {len(lines)} lines")
    return lines[0], lines[1]


def enrol_from_file(path: Path, enrol: Enrol, *, patient: bool, sleep: Callable[[float], None] = time.sleep) -> str:
    """Enrol with what the file says, and leave word beside it; gives the word. Raises EnrolFailed or FileWrong.

    `patient`: what passes by itself is tried again for TRY_FOR_S.
    """
    done, failed = _beside(path, "done"), _beside(path, "error")
    try:
        url, code = read_file(path)
    except FileWrong as error:
        _forget(done)
        _leave(failed, f"{FILE_EMPTY.ko}\n{FILE_EMPTY.en}\n{error}\n")
        raise
    try:
        enrolment = _try(enrol, url, code, TRY_FOR_S if patient else 0.0, sleep)
    except EnrolFailed as error:
        said = WHY[error.why]
        next_ = (
            (NEW_FILE.ko + "\n" + NEW_FILE.en).format(name=path.name) if error.why.dead else f"{AGAIN.ko}\n{AGAIN.en}"
        )
        _forget(done)
        _leave(failed, f"{said.ko}\n{said.en}\n{next_}\n\n{error.detail}\n")
        if error.why.dead:
            _put_away(path)
        raise
    word = f"{is_now(enrolment, 'ko')}\n{is_now(enrolment, 'en')}\n"
    _put_away(path)  # first: a code must not be tried again, whatever becomes of the word
    _forget(failed)
    _leave(done, word)
    return word


def _try(enrol: Enrol, url: str, code: str, for_s: float, sleep: Callable[[float], None]) -> Enrolment:
    waited_s = 0.0
    while True:
        try:
            return enrol(url, code)
        except EnrolFailed as error:
            if not error.why.passes or waited_s >= for_s:
                raise
        sleep(TRY_EVERY_S)
        waited_s += TRY_EVERY_S


def _put_away(path: Path) -> None:
    with suppress(OSError):  # a card that is read-only: the next start is told that the code was used
        path.unlink()


def _forget(word: Path) -> None:
    """Of both words only the newest stands."""
    with suppress(OSError):
        word.unlink()


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.stem}.{what}.txt")


def _leave(path: Path, text: str) -> None:
    """Write with DOS line ends and a BOM, so that any laptop shows Korean; a card that is full keeps nothing.

    Root writes where others may: a link there is not followed.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(OSError), open(os.open(path, flags, 0o644), "wb") as file:
        file.write(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
        file.flush()
        os.fsync(file.fileno())
