"""What setup/bootstrap fetched from npm for the tests (tests/npm), and packages as npm packs them."""

import io
import tarfile
from pathlib import Path

from dispatch.web.agora_sdk import MEMBER, PACKAGE
from tests.support.procs import ROOT

NPM = ROOT / ".venv" / "token-oracle"
"""Where setup/bootstrap puts the packages."""
MODULES = NPM / "node_modules"
SDK = MODULES / PACKAGE
SDK_FILE = SDK / MEMBER


def packed(path: Path, content: bytes) -> Path:
    """Write a package of npm's form, whose SDK file is `content`; gives its path."""
    with tarfile.open(path, "w:gz", compresslevel=1) as made:
        for name, data in (("package.json", b"{}"), (MEMBER, content)):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return path
