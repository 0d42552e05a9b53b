"""What tells this machine from another one: a digest of its serial number, never the number itself.

Only sources that every user of the machine may read count: `ptt-gateway enrol` runs as root and the daemon does not,
and both must find the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from service.settings_words import single

DOMAIN = b"ptt-gateway hardware v1\0"
HEX_CHARS = 32
FILE_BYTES_MAX = 4096
_MEANINGLESS = re.compile(r"[0:.\-\s]*|none|to be filled.*|default string|not specified|system serial number", re.I)


def hardware_id(file: Path | None = None, root: Path = Path("/")) -> str:
    """Give 32 hex digits: of `file`'s content where one is named, else of the machine; `root` is where /proc hangs.

    Raises SettingsError where the file is missing or empty, or where the machine has nothing to be told by.
    """
    if file is not None:
        try:
            with file.open("rb") as opened:
                text = opened.read(FILE_BYTES_MAX).decode(errors="replace").strip()
        except OSError as error:
            raise single(
                str(file),
                f"the hardware id cannot be read ({error.strerror})",
                "put a text there that no other unit has, or take out [state] hardware_id_file",
            ) from error
        if not text:
            raise single(str(file), "the hardware id is empty", "put a text there that no other unit has")
        return _digest("file", text)
    for source, text in _sources(root):
        if text and not _MEANINGLESS.fullmatch(text):
            return _digest(source, text)
    raise single(
        "this machine",
        "has no serial number, wired network or machine-id to be told by",
        "name a file with a text that no other unit has in [state] hardware_id_file",
    )


def _sources(root: Path) -> Iterator[tuple[str, str]]:
    """The best first: a board's serial number stays when the card moves to another board."""
    yield "serial", _read(root / "proc/device-tree/serial-number")
    yield "product", _read(root / "sys/class/dmi/id/product_uuid")
    yield "mac", _wired_mac(root / "sys/class/net")
    yield "machine-id", _read(root / "etc/machine-id")


def _wired_mac(folder: Path) -> str:
    """The permanent address of the first wired Ethernet card; built-in ones before those on USB."""
    found = []
    try:
        cards = sorted(folder.iterdir())
    except OSError:
        return ""
    for card in cards:
        wired = (card / "device").exists() and not (card / "wireless").exists() and not (card / "phy80211").exists()
        if wired and _read(card / "type") == "1" and _read(card / "addr_assign_type") in ("", "0"):
            on_usb = "/usb" in str((card / "device").resolve())
            found.append((on_usb, card.name, _read(card / "address")))
    return next((mac for _, _, mac in sorted(found) if mac and not _MEANINGLESS.fullmatch(mac)), "")


def _read(path: Path) -> str:
    """A source's text; empty where it is missing, or not for everybody to read."""
    try:
        if not path.stat().st_mode & 0o004:
            return ""
        with path.open("rb") as opened:
            return opened.read(FILE_BYTES_MAX).decode(errors="replace").strip("\0 \t\r\n")
    except OSError:
        return ""


def _digest(source: str, text: str) -> str:
    return hashlib.sha256(DOMAIN + source.encode() + b"\0" + text.lower().encode()).hexdigest()[:HEX_CHARS]
