"""The check that stands before the import of Agora's SDK: each way of being wrong is found, told and mendable."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.agora_stub.build import EXTRA, ROOT, stage_stub
from voice.transports.agora import elf
from voice.transports.agora.staging import (
    LIBRARY,
    LOADED_FIRST,
    MANIFEST,
    NotStaged,
    check,
    main,
    wanted_url,
    write_manifest,
)

OTHER_MACHINE = {"x86_64": "aarch64", "aarch64": "x86_64"}


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stage_stub(tmp_path_factory.mktemp("staged") / "sdk")


@pytest.fixture
def sdk(staged: Path, tmp_path: Path) -> Path:
    """A staged folder of the test's own."""
    return Path(shutil.copytree(staged, tmp_path / "sdk"))


def library(path: Path, *flags: str) -> Path:
    """Compile an empty library."""
    path.parent.mkdir(exist_ok=True)
    command = ["gcc", "-shared", "-fPIC", *flags, "-x", "c", "-", "-o", str(path)]
    subprocess.run(command, input=b"int one(void) { return 1; }", check=True)
    return path


def test_a_staged_folder_passes_without_a_doubt(sdk: Path) -> None:
    found = check(sdk)
    assert found.warnings == ()
    assert found.package == sdk / "agora/__init__.py"
    assert found.url == wanted_url(sdk / "agora", platform.machine())


def remove(name: str) -> Callable[[Path], None]:
    return lambda sdk: (sdk / name).unlink()


def write(name: str, text: str) -> Callable[[Path], None]:
    return lambda sdk: (sdk / name).write_text(text) and None


def append(name: str, text: str) -> Callable[[Path], None]:
    def run(sdk: Path) -> None:
        with (sdk / name).open("a") as file:
            file.write(text)

    return run


def cached(sdk: Path) -> None:
    (sdk / "agora/__pycache__").mkdir()
    (sdk / "agora/__pycache__/evil.cpython-311.pyc").write_bytes(b"x")


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda sdk: shutil.rmtree(sdk / "agora"), "there is no Agora SDK in"),
        (remove("PKG-INFO"), "PKG-INFO cannot be read"),
        (write("PKG-INFO", "Name: agora\nVersion: 2.4.9\n"), "holds version 2.4.9 of the SDK; 2.4.10 is needed"),
        (remove(MANIFEST), f"{MANIFEST} cannot be read"),
        (remove("agora/rtc/local_user.py"), "agora/rtc/local_user.py is listed and missing"),
        (append("agora/rtc/local_user.py", "\n"), "agora/rtc/local_user.py is not the file that was staged"),
        (append(f"agora/agora_sdk/{LIBRARY}", "x"), f"{LIBRARY} is not the file that was staged"),
        (write("agora/rtc/extra.py", ""), "agora/rtc/extra.py is not listed"),
        (write("agora/agora_sdk/libextra.so", ""), "libextra.so is not listed"),
        (cached, "evil.cpython-311.pyc is not listed"),
        (lambda sdk: (sdk / "agora/link").symlink_to("/tmp"), "is a symbolic link"),
        (lambda sdk: (sdk / "agora/rtc").chmod(0o757), "agora/rtc can be written by others"),
        (lambda sdk: (sdk / MANIFEST).chmod(0o664), f"{MANIFEST} can be written by others"),
    ],
)
def test_a_folder_that_is_not_as_it_was_staged_is_refused(sdk: Path, spoil: Callable[[Path], None], what: str) -> None:
    spoil(sdk)
    with pytest.raises(NotStaged) as refusal:
        check(sdk)
    assert what in refusal.value.what
    assert refusal.value.mend


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (append("agora/version.txt", "\n"), "it would delete agora_sdk/"),
        (write("agora/version.txt", "https://example.org/other.zip"), "it would delete agora_sdk/"),
        (remove(f"agora/agora_sdk/{LIBRARY}"), f"{LIBRARY} is missing"),
        (remove(f"agora/agora_sdk/{LOADED_FIRST}"), f"{LOADED_FIRST} is missing"),
        (append("agora/rtc/local_user.py", "# mended by hand\n"), "is not that of agora-python-server-sdk 2.4.10"),
        (write(f"agora/agora_sdk/{LIBRARY}", "text"), "is no 64-bit little-endian ELF library"),
    ],
)
def test_a_folder_staged_wrongly_is_refused_although_its_manifest_is_true(
    sdk: Path, spoil: Callable[[Path], None], what: str
) -> None:
    spoil(sdk)
    write_manifest(sdk)
    with pytest.raises(NotStaged) as refusal:
        check(sdk)
    assert what in refusal.value.what


def test_libraries_of_another_machine_are_refused(sdk: Path) -> None:
    other = OTHER_MACHINE[platform.machine()]
    (sdk / "agora/version.txt").write_text(wanted_url(sdk / "agora", other))
    write_manifest(sdk)
    with pytest.raises(NotStaged, match=f"is for {platform.machine()}, this machine is {other}"):
        check(sdk, machine=other)


def test_a_library_that_asks_for_an_executable_stack_is_told_of(sdk: Path) -> None:
    library(sdk / f"agora/agora_sdk/{LOADED_FIRST}", "-z", "execstack", f"-Wl,-soname,{LOADED_FIRST}")
    write_manifest(sdk)
    (old,) = check(sdk, glibc=(2, 36)).warnings
    (new,) = check(sdk, glibc=(2, 41)).warnings
    assert old.startswith(f"{LOADED_FIRST} asks for an executable stack, which glibc from 2.41 on refuses (here: 2.36)")
    assert new.startswith(f"{LOADED_FIRST} asks for an executable stack, which glibc refuses (here: 2.41)")


def test_libraries_aligned_to_less_than_a_page_are_told_of(sdk: Path) -> None:
    names = {LOADED_FIRST, LIBRARY, EXTRA}
    for name in names:
        align = elf.read(sdk / "agora/agora_sdk" / name).align
        assert not [text for text in check(sdk, page=align).warnings if text.startswith(name)]
        assert [
            text for text in check(sdk, page=2 * align).warnings if text.startswith(f"{name} is aligned to {align}")
        ]


def test_a_folder_the_service_itself_can_write_is_told_of(sdk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (warning,) = check(sdk).warnings
    assert warning.startswith(f"{sdk} can be written by this service -> chown -R root:root")


def test_libraries_are_loaded_so_that_none_has_to_be_searched_for(sdk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [path.name for path in check(sdk).preload]
    assert set(names) == {LOADED_FIRST, EXTRA, LIBRARY}
    assert names.index(EXTRA) < names.index(LIBRARY)

    imports = (
        "import sys\nfrom pathlib import Path\nimport msgspec\n"
        "from voice.transports.agora.package import load\nfrom voice.transports.agora.staging import check\n"
        "staged = check(Path(sys.argv[1]))\n"
        "load(msgspec.structs.replace(staged, preload=staged.preload[: int(sys.argv[2])]))\n"
    )
    environ = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    runs = [
        subprocess.run(
            [sys.executable, "-c", imports, sdk, count], cwd=ROOT, env=environ, capture_output=True, text=True
        )
        for count in (str(len(names)), "0")
    ]
    assert [run.returncode for run in runs] == [0, 1]
    assert f"{EXTRA}: cannot open shared object file" in runs[1].stderr


def test_an_import_writes_nothing_into_the_folder(sdk: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sdk.rglob("*")}
    imports = (
        "import sys\nfrom pathlib import Path\n"
        "from voice.transports.agora.package import load\nfrom voice.transports.agora.staging import check\n"
        "load(check(Path(sys.argv[1])))\n"
    )
    subprocess.run([sys.executable, "-c", imports, sdk], cwd=ROOT, check=True)
    assert {path: path.stat().st_mtime_ns for path in sdk.rglob("*")} == before


def test_writing_the_manifest_adds_the_url_without_a_newline_and_drops_caches(sdk: Path) -> None:
    (sdk / MANIFEST).unlink()
    (sdk / "agora/version.txt").unlink()
    cached(sdk)
    count = write_manifest(sdk)
    assert (sdk / "agora/version.txt").read_text() == wanted_url(sdk / "agora", platform.machine())
    assert count == len((sdk / MANIFEST).read_text().splitlines())
    assert check(sdk).warnings == ()


def test_the_manifest_is_one_that_sha256sum_understands(sdk: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", MANIFEST], cwd=sdk, check=True)


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (["check"], 0, "staged"),
        (["write"], 0, "files listed in"),
        (["url"], 0, "https://download.agora.io/"),
        (["burn"], 2, "usage:"),
    ],
)
def test_the_helper_for_the_operator_says_what_it_did(
    sdk: Path, capsys: pytest.CaptureFixture[str], argv: list[str], status: int, said: str
) -> None:
    assert main([*argv, str(sdk)]) == status
    assert said in "".join(capsys.readouterr())


def test_a_folder_that_cannot_be_read_is_told_as_not_staged(sdk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> elf.Elf:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("voice.transports.agora.staging.read", denied)
    with pytest.raises(NotStaged, match=r"cannot be read \(Permission denied\) -> let this service read it"):
        check(sdk)


@pytest.mark.parametrize("text", ["", "def broken(", "def _check_download_and_extract_sdk():\n    url = 1\n"])
def test_a_package_that_does_not_say_where_its_libraries_come_from_is_told(sdk: Path, text: str) -> None:
    (sdk / "agora/__init__.py").write_text(text)
    with pytest.raises(NotStaged, match="does not say where its libraries come from"):
        wanted_url(sdk / "agora", platform.machine())


def test_the_helper_says_what_is_wrong_and_how_to_mend_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 1
    assert f"error: there is no Agora SDK in {tmp_path} -> stage it as docs/agora.md says" in capsys.readouterr().err


def test_a_library_says_its_machine_name_and_needs(tmp_path: Path) -> None:
    first = library(tmp_path / "libfirst.so", "-Wl,-soname,libnamed.so")
    second = library(tmp_path / "libsecond.so", "-Wl,--no-as-needed", str(first), "-Wl,-z,max-page-size=65536")
    read = elf.read(second)
    assert (read.machine, read.soname, read.needed[0], read.align) == (platform.machine(), "", "libnamed.so", 65536)
    assert elf.read(first).soname == "libnamed.so"
    assert not read.executable_stack


@pytest.mark.parametrize("size", [0, 10, 64, 200, 3000])
def test_a_library_that_is_cut_off_is_none(tmp_path: Path, size: int) -> None:
    whole = library(tmp_path / "lib.so").read_bytes()
    (tmp_path / "cut.so").write_bytes(whole[:size])
    with pytest.raises(elf.NotElf):
        elf.read(tmp_path / "cut.so")
