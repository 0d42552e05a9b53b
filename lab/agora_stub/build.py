"""Stage Agora's unmodified Python package with the C stand-in in place of Agora's native libraries.

The result passes the same check as a real one (voice.transports.agora.staging); only its libraries are ours.
"""

import hashlib
import platform
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from lab.agora_stub.generate import header
from voice.transports.agora.staging import LIBRARY, LOADED_FIRST, VERSION, wanted_url, write_manifest

ROOT = Path(__file__).resolve().parent.parent.parent
SDIST_NAME = f"agora_python_server_sdk-{VERSION}.tar.gz"
SDIST = ROOT / ".venv/agora" / SDIST_NAME
"""Where setup/bootstrap puts the pinned source package."""
SDIST_SHA256 = "f02cae825be2986435ef5b9a0ab3de30eaa9bf692a9be37a3f5f90fe338788cd"
SOURCE = Path(__file__).with_name("stub.c")
EXTRA = "libagora-stub-part.so"
"""A library of Agora's on which the stand-in depends without saying where it is, as the real ones do on each other."""


class CannotBuild(Exception):
    """The stand-in cannot be made; says what is missing and how to get it."""


def sdist() -> Path:
    """The pinned source package; raises CannotBuild where it is missing or is another file."""
    if not SDIST.is_file():
        raise CannotBuild(f"{SDIST} is missing -> run setup/bootstrap full")
    digest = hashlib.sha256(SDIST.read_bytes()).hexdigest()
    if digest != SDIST_SHA256:
        raise CannotBuild(f"{SDIST} has the sha256 {digest}, not the pinned one -> remove it, run setup/bootstrap full")
    return SDIST


def unpack(folder: Path) -> Path:
    """Unpack the source package so that `folder` holds PKG-INFO and agora/; gives `folder`."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch, tarfile.open(sdist()) as archive:
        # Pythons before 3.11.4 have no filters; what is unpacked is pinned by its sha256.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
        archive.extractall(scratch)
        (top,) = Path(scratch).iterdir()
        shutil.copytree(top, folder)
    return folder


def compile_stub(package: Path, libraries: Path) -> None:
    """Compile the stand-in for the package in `package` (agora/) into the folder `libraries`; raises CannotBuild."""
    libraries.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "stub_symbols.h").write_text(header(package, SOURCE.read_text("utf-8")))
        empty = Path(scratch) / "empty.c"
        for name in (LOADED_FIRST, EXTRA):
            empty.write_text(f"int {name.partition('.')[0].replace('-', '_')}_stub(void) {{ return 0; }}\n")
            _gcc(name, str(empty), "-o", str(libraries / name))
        needed = [f"-l:{name}" for name in (LOADED_FIRST, EXTRA)]
        _gcc(
            LIBRARY, "-O1", "-Wall", "-Wextra", "-Werror", f"-I{scratch}", str(SOURCE), "-o", str(libraries / LIBRARY),
            f"-L{libraries}", "-Wl,--no-as-needed", *needed, "-pthread",
        )  # fmt: skip


def stage_stub(folder: Path) -> Path:
    """Make `folder` (which must not exist) a staged SDK with the stand-in's libraries, and give it; CannotBuild."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unpack(folder)
    agora = folder / "agora"
    compile_stub(agora, agora / "agora_sdk")
    (agora / "version.txt").write_text(wanted_url(agora, platform.machine()))
    write_manifest(folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def _gcc(soname: str, *arguments: str) -> None:
    command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{soname}", *arguments]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise CannotBuild("there is no gcc -> run setup/bootstrap") from error
    except subprocess.CalledProcessError as error:
        raise CannotBuild(f"{soname} cannot be compiled:\n{error.stderr}") from error
