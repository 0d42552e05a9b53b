"""Whether a folder holds the staged Agora SDK, decided before a line of it is imported (docs/agora.md).

Importing the package is dangerous where it is not as it should be: it downloads libraries, deletes a folder, or ends
the process. So everything it would look at is looked at here first, by reading files:

    <sdk_dir>/PKG-INFO                of the unpacked source package: its version
    <sdk_dir>/agora/...               the package, unchanged, whose digest is pinned below
    <sdk_dir>/agora/agora_sdk/*.so    Agora's native libraries, put there by the operator
    <sdk_dir>/agora/version.txt       the URL they came from, as hard-coded in the package, no newline
    <sdk_dir>/MANIFEST.sha256         sha256 of every file of agora/, and of PKG-INFO, as `sha256sum` writes it

`python -m voice.transports.agora.staging url|write|check <sdk_dir>` helps to stage it: `url` says which archive of
libraries belongs to this machine, `write` writes version.txt (where it is missing) and the manifest, `check` judges.
"""

import ast
import hashlib
import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from voice.transports.agora.elf import Elf, NotElf, read

VERSION = "2.4.10"
"""The version of agora-python-server-sdk that the adapter is written against; the contract test holds it to that."""
PACKAGE_SHA256 = "e9df2edce084a99116c1fb5aac0ee597b09fb8db09e4df85be720aed9192f382"
"""Digest over every .py of the package's agora/ (see `package_digest`): what is imported is what was read."""
MANIFEST = "MANIFEST.sha256"
LIBRARY = "libagora_rtc_sdk.so"
LOADED_FIRST = "libaosl.so"
"""Loaded by the package on import, without asking whether it is there."""
LOADED_IF_THERE = ("libagora-fdkaac.so", "libagora-ffmpeg.so", "libagora-soundtouch.so")
EXECUTABLE_STACK_REFUSED_FROM = (2, 41)
"""The glibc that began to refuse libraries with an executable stack (its NEWS for 2.41)."""


class NotStaged(Exception):
    """The SDK cannot be used. `what` is wrong, and how to `mend` it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what} -> {mend}")
        self.what = what
        self.mend = mend


class Staged(Struct, frozen=True):
    """A folder that passed: what to import, what to load before it, and what may still go wrong."""

    sdk_dir: Path
    package: Path
    """The package's `__init__.py`."""
    preload: tuple[Path, ...]
    """Libraries in the order in which they must be loaded, so that none has to be searched for (LD_LIBRARY_PATH)."""
    url: str
    warnings: tuple[str, ...]


def check(sdk_dir: Path, machine: str = "", glibc: tuple[int, int] | None = None, page: int = 0) -> Staged:
    """Judge `sdk_dir` for this machine (or for the one described); raises NotStaged. Reads some 100 MB of libraries."""
    try:
        return _check(sdk_dir, machine or platform.machine(), glibc or _glibc(), page or os.sysconf("SC_PAGE_SIZE"))
    except OSError as error:
        what = f"{error.filename or sdk_dir} cannot be read ({error.strerror})"
        raise NotStaged(what, f"let this service read it: chmod -R a+rX {sdk_dir}") from error


def _check(sdk_dir: Path, machine: str, glibc: tuple[int, int], page: int) -> Staged:
    agora = sdk_dir / "agora"
    if not (agora / "__init__.py").is_file():
        raise NotStaged(f"there is no Agora SDK in {sdk_dir}", "stage it as docs/agora.md says, or set [agora] sdk_dir")
    _right_version(sdk_dir)
    writable = _writable(sdk_dir)
    _as_listed(sdk_dir)
    _right_package(agora)
    url = wanted_url(agora, machine)
    _right_libraries(agora, url)
    libraries = _libraries(agora / "agora_sdk", machine)
    warnings = [*writable, *_doubts(libraries, glibc, page)]
    return Staged(sdk_dir, agora / "__init__.py", _load_order(libraries), url, tuple(warnings))


def write_manifest(sdk_dir: Path) -> int:
    """List every file of the package with its sha256 in MANIFEST.sha256, and give their number.

    Bytecode caches are thrown away first: they are importable, and what cannot be read cannot be vouched for. Where
    version.txt is missing, the URL this machine's libraries must have come from is written; where another one stands
    there it is left, and `check` refuses it. Raises NotStaged where there is no package, OSError.
    """
    agora = sdk_dir / "agora"
    if not (agora / "__init__.py").is_file():
        raise NotStaged(f"there is no agora/ in {sdk_dir}", f"unpack agora-python-server-sdk {VERSION} (sdist) there")
    for cache in [path for path in agora.rglob("__pycache__") if path.is_dir()]:
        shutil.rmtree(cache)
    if not (agora / "version.txt").exists():
        (agora / "version.txt").write_text(wanted_url(agora, platform.machine()), "utf-8")
    files = [*sorted(_files(sdk_dir))]
    lines = [f"{_sha256(sdk_dir / name)}  {name}\n" for name in files]
    (sdk_dir / MANIFEST).write_text("".join(lines), "utf-8")
    return len(lines)


def wanted_url(agora: Path, machine: str) -> str:
    """The URL of the native libraries that the package in `agora` wants on `machine`, read from its source.

    It is what `_check_download_and_extract_sdk` compares version.txt with: the last string given to `url`. Raises
    NotStaged where the source does not look as expected.
    """
    try:
        body = ast.parse((agora / "__init__.py").read_text("utf-8")).body
    except (SyntaxError, ValueError):
        body = []
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name == "_check_download_and_extract_sdk":
            names: dict[str, str] = {}
            _assign(node.body, machine, names)
            if names.get("url", "").startswith("https://"):
                return names["url"]
    raise NotStaged(
        f"{agora}/__init__.py does not say where its libraries come from",
        f"unpack agora-python-server-sdk {VERSION} anew",
    )


def package_digest(agora: Path) -> str:
    """One sha256 over the paths and contents of all Python source below `agora`."""
    whole = hashlib.sha256()
    for path in sorted(agora.rglob("*.py")):
        whole.update(f"{_sha256(path)}  {path.relative_to(agora).as_posix()}\n".encode())
    return whole.hexdigest()


# --- what must hold -------------------------------------------------------------------------------------------------


def _right_version(sdk_dir: Path) -> None:
    mend = f"unpack the source package agora-python-server-sdk {VERSION} whole, PKG-INFO included"
    try:
        lines = (sdk_dir / "PKG-INFO").read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise NotStaged(f"{sdk_dir}/PKG-INFO cannot be read ({error.strerror})", mend) from error
    version = next((line.removeprefix("Version: ") for line in lines if line.startswith("Version: ")), "none")
    if version != VERSION:
        raise NotStaged(f"{sdk_dir} holds version {version} of the SDK; {VERSION} is needed", mend)


def _as_listed(sdk_dir: Path) -> None:
    """Every listed file is there as listed, and none is there that is not listed."""
    mend = f"stage it anew, then: python -m voice.transports.agora.staging write {sdk_dir}"
    try:
        lines = (sdk_dir / MANIFEST).read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise NotStaged(f"{sdk_dir}/{MANIFEST} cannot be read ({error.strerror})", mend) from error
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = set(_files(sdk_dir))
    if missing := sorted(listed.keys() - there):
        raise NotStaged(f"{sdk_dir}/{missing[0]} is listed and missing ({len(missing)} in all)", mend)
    if extra := sorted(there - listed.keys()):
        raise NotStaged(f"{sdk_dir}/{extra[0]} is not listed in {MANIFEST} ({len(extra)} in all)", mend)
    for name, digest in sorted(listed.items()):
        if _sha256(sdk_dir / name) != digest:
            raise NotStaged(f"{sdk_dir}/{name} is not the file that was staged (its sha256 differs)", mend)


def _right_package(agora: Path) -> None:
    if package_digest(agora) != PACKAGE_SHA256:
        raise NotStaged(
            f"the Python source in {agora} is not that of agora-python-server-sdk {VERSION}",
            "unpack the source package anew, unchanged",
        )


def _right_libraries(agora: Path, url: str) -> None:
    found = (agora / "version.txt").read_text("utf-8", "replace") if (agora / "version.txt").exists() else ""
    if found != url:
        raise NotStaged(
            f"{agora}/version.txt says {found[:200]!r}, the package wants {url!r}: it would delete agora_sdk/",
            "take the libraries from that URL, and write it into version.txt, with no newline",
        )
    for name in (LOADED_FIRST, LIBRARY):
        if not (agora / "agora_sdk" / name).is_file():
            raise NotStaged(f"{agora}/agora_sdk/{name} is missing", f"unpack {url} into {agora}")


def _libraries(folder: Path, machine: str) -> dict[Path, Elf]:
    found: dict[Path, Elf] = {}
    for path in sorted(folder.glob("*.so*")):
        try:
            elf = read(path)
        except NotElf as error:
            raise NotStaged(str(error), "take Agora's libraries for Linux") from error
        if elf.machine != machine:
            raise NotStaged(
                f"{path} is for {elf.machine}, this machine is {machine}", f"take the libraries for {machine}"
            )
        found[path] = elf
    return found


def _writable(sdk_dir: Path) -> list[str]:
    """Refuse what anybody may write; warn of what only this process may.

    A service that owns its SDK can be made to keep a foreign one for good by whoever took it over once. That is worth
    a warning; a folder that other users can write is an open door.
    """
    own = ""
    for path in (sdk_dir, *sdk_dir.rglob("*")):
        if path.is_symlink():
            raise NotStaged(f"{path} is a symbolic link", "stage the SDK with plain files")
        mode = path.stat()
        if mode.st_mode & (stat.S_IWOTH | stat.S_IWGRP):
            raise NotStaged(
                f"{path} can be written by others", f"chown -R root:root {sdk_dir}; chmod -R go-w {sdk_dir}"
            )
        if os.geteuid() != 0 and os.access(path, os.W_OK):
            own = own or f"{path} can be written by this service -> chown -R root:root {sdk_dir}"
    return [own] if own else []


def _doubts(libraries: dict[Path, Elf], glibc: tuple[int, int], page: int) -> Iterator[str]:
    """What the headers say may fail on this machine. Told, not refused: only loading the library proves it."""
    for path, elf in libraries.items():
        if elf.executable_stack:
            refused = "refuses" if glibc >= EXECUTABLE_STACK_REFUSED_FROM else "from 2.41 on refuses"
            version = ".".join(map(str, glibc))
            yield f"{path.name} asks for an executable stack, which glibc {refused} (here: {version}); docs/agora.md"
        if elf.align < page:
            pages = f"aligned to {elf.align} bytes, this kernel's pages are {page}"
            yield f"{path.name} is {pages}: it may not load; docs/agora.md"


def _load_order(libraries: dict[Path, Elf]) -> tuple[Path, ...]:
    """What the package loads and everything of this folder that needs, the needed first."""
    by_name = {elf.soname or path.name: path for path, elf in libraries.items()}
    by_name |= {path.name: path for path in libraries}
    order: list[Path] = []

    def visit(path: Path, above: tuple[Path, ...]) -> None:
        for name in libraries[path].needed:
            needed = by_name.get(name)
            if needed is not None and needed not in above and needed not in order:
                visit(needed, (*above, needed))
        if path not in order:
            order.append(path)

    for name in (LOADED_FIRST, *LOADED_IF_THERE, LIBRARY):
        if name in by_name:
            visit(by_name[name], (by_name[name],))
    return tuple(order)


# --- small things ---------------------------------------------------------------------------------------------------


def _assign(body: list[ast.stmt], machine: str, names: dict[str, str]) -> None:
    """Follow assignments of strings as the interpreter would on Linux, for this `machine`."""
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                names[name] = text
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=other)) if other in names:
                names[name] = names[other]
            case ast.If(test=test, body=inner):
                strings = {part.value for part in ast.walk(test) if isinstance(part, ast.Constant)}
                if "darwin" not in strings and strings & {machine}:
                    _assign(inner, machine, names)


def _files(sdk_dir: Path) -> Iterator[str]:
    """What the manifest lists: PKG-INFO and every file of agora/, as paths relative to `sdk_dir`."""
    yield "PKG-INFO"
    for path in (sdk_dir / "agora").rglob("*"):
        if not path.is_dir():
            yield path.relative_to(sdk_dir).as_posix()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _glibc() -> tuple[int, int]:
    name, version = platform.libc_ver()
    parts = version.split(".")
    return (int(parts[0]), int(parts[1])) if name == "glibc" and len(parts) > 1 else (0, 0)


def main(argv: list[str]) -> int:
    """`url|write|check <sdk_dir>`; gives the exit status."""
    commands: dict[str, Callable[[Path], str]] = {
        "url": lambda folder: wanted_url(folder / "agora", platform.machine()),
        "write": lambda folder: f"{write_manifest(folder)} files listed in {folder / MANIFEST}",
        "check": lambda folder: "\n".join(["staged", *(f"warning: {text}" for text in check(folder).warnings)]),
    }
    if len(argv) != 2 or argv[0] not in commands:
        print("usage: python -m voice.transports.agora.staging url|write|check <sdk_dir>", file=sys.stderr)
        return 2
    try:
        print(commands[argv[0]](Path(argv[1])))
    except (NotStaged, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
