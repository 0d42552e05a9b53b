"""The report's files: DIR/<region>/<office>/<period>.html, .json, .csv and -users.csv; each whole or not at all."""

import contextlib
import os
from pathlib import Path

import msgspec

from dispatch.history.day import Period
from dispatch.history.office_log import OfficePeriod
from dispatch.report.page import page
from dispatch.report.tables import as_builtins, as_json, figures_csv, users_csv
from protocol.ids import OfficeId


class _Head(msgspec.Struct):
    complete: bool


def write(found: OfficePeriod, folder: Path, made_ms: int, price: float, lang: str) -> Path:
    """Write all forms of one report, the JSON last, in place of older ones; gives the page. Raises OSError."""
    built = as_builtins(found, made_ms, price)
    html = _path(folder, found.office, found.figures.period, ".html")
    html.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    _replace(html, page(found, made_ms, price, lang))
    _replace(html.with_suffix(".csv"), figures_csv(built))
    _replace(html.with_name(f"{html.stem}-users.csv"), users_csv(found))
    _replace(html.with_suffix(".json"), as_json(built))
    return html


def is_complete(folder: Path, office: OfficeId, period: Period) -> bool:
    """Whether the report of a period is there, made when the period was over."""
    try:
        text = _path(folder, office, period, ".json").read_bytes()
        return msgspec.json.decode(text, type=_Head).complete
    except (OSError, msgspec.MsgspecError):
        return False


def _path(folder: Path, office: OfficeId, period: Period, ending: str) -> Path:
    return folder / office.region / office.office / f"{period.name}{ending}"


def _replace(path: Path, text: str) -> None:
    """Write through a file beside it, so that nobody ever reads half a report, and a full disk leaves the old one."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        if error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
