"""An enrolment as a QR code: two lines, URL and code, as in the file of a card's boot partition."""

import io
import os
from pathlib import Path

import segno

QUIET_MODULES = 4
"""The standard's margin."""
PNG_SCALE = 8


def terminal(url: str, code: str) -> str:
    """Give the QR code in half blocks, dark on light, for a terminal of UTF-8."""
    out = io.StringIO()
    _make(url, code).terminal(out, border=2, compact=True)
    return out.getvalue()


def write_png(path: Path, url: str, code: str) -> None:
    """Write the QR code into a new file of mode 0600; raises OSError where it is there or cannot be made."""
    picture = io.BytesIO()
    _make(url, code).save(picture, kind="png", scale=PNG_SCALE, border=QUIET_MODULES)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(picture.getvalue())


def svg(url: str, code: str) -> str:
    """Give the QR code as an SVG element for a page, dark on light."""
    return _make(url, code).svg_inline(border=QUIET_MODULES, omitsize=True, svgclass="qr", lineclass=None)


def content(url: str, code: str) -> str:
    """Give what the QR code says."""
    return f"{url}\n{code}\n"


def _make(url: str, code: str) -> segno.QRCode:
    return segno.make(content(url, code), error="m", micro=False)
