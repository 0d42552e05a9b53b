"""Agora's Web SDK is staged from npm's package, and nothing else is ever served in its place."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from dispatch.cli import main
from dispatch.web import agora_sdk
from dispatch.web.agora_sdk import FILE_NAME, MEMBER, PACKAGE, SHA256, VERSION, BadSdk, StagedSdk, stage
from tests.support.npm import SDK_FILE, packed


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """npm's package, as it is packed."""
    return packed(tmp_path_factory.mktemp("npm") / f"{PACKAGE}-{VERSION}.tgz", SDK_FILE.read_bytes())


def test_the_package_and_the_file_out_of_it_are_staged_alike(package: Path, tmp_path: Path) -> None:
    for given in (package, SDK_FILE):
        folder = tmp_path / given.name / "agora-web"

        staged = stage(given, folder)

        assert staged == folder / FILE_NAME
        assert staged.stat().st_mode & 0o777 == 0o644
        assert StagedSdk(folder).content() == SDK_FILE.read_bytes()
        assert [each.name for each in folder.iterdir()] == [FILE_NAME]


def test_another_version_is_refused_with_both_digests_and_a_remedy(tmp_path: Path) -> None:
    other = packed(tmp_path / "other.tgz", SDK_FILE.read_bytes() + b"\n")

    with pytest.raises(BadSdk) as refused:
        stage(other, tmp_path / "agora-web")

    assert SHA256 in str(refused.value)
    assert f"npm pack {PACKAGE}@{VERSION}" in str(refused.value)
    assert not (tmp_path / "agora-web").exists()


@pytest.mark.parametrize("content", [b"", b"\x1f\x8bnothing of the kind", b"const x = 1;"])
def test_what_is_no_sdk_is_refused(content: bytes, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_bytes(content)

    with pytest.raises(BadSdk):
        stage(given, tmp_path / "agora-web")


def test_a_package_whose_file_is_a_link_is_refused(tmp_path: Path) -> None:
    given = tmp_path / "link.tgz"
    with tarfile.open(given, "w:gz") as made:
        entry = tarfile.TarInfo(f"package/{MEMBER}")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(entry, io.BytesIO())

    with pytest.raises(BadSdk, match="holds no package"):
        stage(given, tmp_path / "agora-web")


def test_a_package_that_unpacks_without_end_is_not_unpacked_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agora_sdk, "UNPACKED_MAX", 1 << 20)
    given = tmp_path / "bomb.tgz"
    with tarfile.open(given, "w:gz") as made:
        for name in ("package/zeros", f"package/{MEMBER}"):
            entry = tarfile.TarInfo(name)
            entry.size = 4 << 20
            made.addfile(entry, io.BytesIO(bytes(entry.size)))
    assert given.stat().st_size < 1 << 16

    with pytest.raises(BadSdk, match="unpacks to over 1 MiB"):
        stage(given, tmp_path / "agora-web")


def test_a_package_that_is_broken_inside_is_refused_in_words(package: Path, tmp_path: Path) -> None:
    given, whole = tmp_path / "broken.tgz", bytearray(package.read_bytes())
    whole[200:400] = bytes(200)
    given.write_bytes(whole)

    with pytest.raises(BadSdk, match="cannot be unpacked"):
        stage(given, tmp_path / "agora-web")


def test_a_file_that_was_changed_is_not_served_and_one_staged_anew_is(package: Path, tmp_path: Path) -> None:
    sdk = StagedSdk(tmp_path)
    assert sdk.content() is None
    staged = stage(package, tmp_path)
    assert sdk.content() == SDK_FILE.read_bytes()

    staged.write_bytes(b"//" + SDK_FILE.read_bytes()[2:])
    os.utime(staged, ns=(1, 1))
    assert sdk.content() is None

    stage(package, tmp_path)
    assert sdk.content() == SDK_FILE.read_bytes()


def test_the_command_stages_beside_the_store_and_says_what_is_wrong(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "dispatch.toml"
    config.write_text(f'admission = "registry"\n[store]\npath = "{tmp_path}/office.db"\n')

    assert main(["web", "stage-agora-sdk", str(package), "--config", str(config)]) == 0
    assert str(tmp_path / "agora-web" / FILE_NAME) in capsys.readouterr().out
    assert (tmp_path / "agora-web" / FILE_NAME).read_bytes() == SDK_FILE.read_bytes()

    assert main(["web", "--config", str(config), "stage-agora-sdk", str(tmp_path / "missing.tgz")]) == 1
    assert "missing.tgz: No such file" in capsys.readouterr().err
    assert main(["web", "--config", str(config), "stage-agora-sdk", str(config)]) == 1
    assert "npm pack" in capsys.readouterr().err
