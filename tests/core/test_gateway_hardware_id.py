"""What a unit is told apart by."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.hardware_id import hardware_id
from protocol.messages import Hardware
from service.settings import SettingsError


def machine(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dash_", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


SERIAL = {"proc__device-tree__serial-number": "10000000abcdef01\0"}
MAC = {"sys__class__net__eth0__address": "dc:a6:32:01:02:03\n", "sys__class__net__eth0__type": "1\n"}
MACHINE_ID = {"etc__machine-id": "0123456789abcdef0123456789abcdef\n"}


def with_card(root: Path) -> Path:
    (root / "sys/class/net/eth0/device").mkdir(parents=True, exist_ok=True)
    return root


def test_the_hardware_id_is_a_digest_that_shows_nothing_of_the_serial_number(tmp_path: Path) -> None:
    found = hardware_id(root=machine(tmp_path, **SERIAL))

    assert msgspec.convert(found, Hardware) == found
    assert len(found) == 32
    assert "abcdef01" not in found


def test_a_card_in_another_board_has_another_id_though_everything_on_it_is_the_same(tmp_path: Path) -> None:
    one = hardware_id(root=machine(tmp_path / "1", **SERIAL, **MACHINE_ID))
    other = hardware_id(root=machine(tmp_path / "2", **{**SERIAL, **MACHINE_ID, **dict.fromkeys(SERIAL, "f1")}))

    assert one != other


def test_a_serial_number_of_zeros_counts_for_nothing_and_the_wired_card_is_next(tmp_path: Path) -> None:
    zeros = machine(tmp_path / "1", **dict.fromkeys(SERIAL, "0000000000000000"), **MAC, **MACHINE_ID)
    none = machine(tmp_path / "2", **MAC, **MACHINE_ID)

    assert hardware_id(root=with_card(zeros)) == hardware_id(root=with_card(none))
    assert hardware_id(root=with_card(none)) != hardware_id(root=machine(tmp_path / "3", **MACHINE_ID))


def test_what_only_root_may_read_does_not_count_so_that_root_and_the_service_agree(tmp_path: Path) -> None:
    root = machine(tmp_path, sys__class__dmi__id__product_uuid="4c4c4544-0042", **MACHINE_ID)
    open_to_all = hardware_id(root=root)
    (root / "sys/class/dmi/id/product_uuid").chmod(0o400)

    found = hardware_id(root=root)

    assert found != open_to_all
    assert found == hardware_id(root=machine(tmp_path / "2", **MACHINE_ID))


def test_a_file_stands_for_the_machine_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("virtual 17\n")
    (tmp_path / "empty").write_text("\n")

    assert hardware_id(tmp_path / "id") != hardware_id(root=machine(tmp_path, **SERIAL))
    for wrong in ("empty", "missing"):
        with pytest.raises(SettingsError, match="->"):
            hardware_id(tmp_path / wrong)


def test_a_machine_with_nothing_to_be_told_by_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="hardware_id_file"):
        hardware_id(root=tmp_path)
