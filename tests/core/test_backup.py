"""Backup and restore of an office's files: whole or not at all, for the owner alone, and never into the past."""

import json
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatch.cli import main
from dispatch.core.state import Floor
from dispatch.registry.secrets import code_digest, hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.store.reader import StoreReader
from dispatch.store.sql import SqlStore
from protocol.ids import OfficeId, epoch_of, ordered_number
from protocol.messages import VoicePath
from protocol.rest import Role

HQ = OfficeId("seoul", "hq")
Run = Callable[..., tuple[int, str, str]]
SECRETS = (hash_secret(new_secret()), hash_secret(new_secret()))


class Place:
    """An office's files, with three enrolled vehicles, at epoch 5."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store, self.enrolments = folder, folder / "store" / "office.db", 0
        self.config = folder / "etc" / "dispatch.toml"
        self.config.parent.mkdir(parents=True)
        (folder / "secrets").mkdir()
        (folder / "secrets" / "ptt.mqtt-password").write_text("hunter2-not-real")
        (folder / "secrets" / "ptt.mqtt-password").chmod(0o600)
        self.config.write_text(
            f'admission = "registry"\nsecrets = "{folder}/secrets"\n[broker]\nusername = "ptt-dispatch"\n'
            f'[store]\npath = "{self.store}"\n'
        )
        with_store = SqlStore(self.url)
        with_store.transact(HQ, lambda tx: tx.put_floor(floor(tx.store_id, 5)), durable=True)
        with_store.close()
        registry = SqlRegistry(self.url)
        registry.add_region("seoul", "Seoul")
        registry.add_office(HQ, "Seoul", VoicePath.MQTT)
        for user in ("car-1", "car-2", "car-3"):
            self._enrol(registry, user)
        registry.close()

    @property
    def url(self) -> str:
        return f"sqlite:///{self.store}"

    def enrol(self, user: str) -> None:
        registry = SqlRegistry(self.url)
        self._enrol(registry, user)
        registry.close()

    def _enrol(self, registry: SqlRegistry, user: str) -> None:
        if registry.user(HQ, user) is None:
            registry.add_user(HQ, user, Role.VEHICLE_GATEWAY, user)
        code = new_secret().reveal()
        registry.add_code(HQ, user, code_digest(code), 3600)
        self.enrolments += 1
        secret = SECRETS[self.enrolments > 3]  # whoever is enrolled after the first three has another secret
        registry.enrol(code_digest(code), "hardware", secret, lambda _user, _office: None)

    def revoke(self, user: str) -> None:
        registry = SqlRegistry(self.url)
        registry.revoke(HQ, user, "stolen")
        registry.close()

    def reach(self, epoch: int) -> None:
        store = SqlStore(self.url)
        store.transact(HQ, lambda tx: tx.put_floor(floor(tx.store_id, epoch)), durable=True)
        store.close()

    def epoch(self) -> int:
        reader = StoreReader(self.url)
        found = reader.snapshot(HQ)
        reader.close()
        return -1 if found is None else found.floor.epoch

    def admitted(self) -> dict[str, bool]:
        registry = SqlRegistry(self.url)
        found = {user.user: user.admitted for user in registry.users()}
        registry.close()
        return found


def floor(store: str, epoch: int) -> Floor:
    return Floor(
        store=store, channel_name="c", epoch=epoch, rev=ordered_number(epoch, 9), burst=ordered_number(epoch, 3)
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], place: Place) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([*map(str, arguments), "--config", str(place.config), "--lang", "en"])
        return code, *capsys.readouterr()

    return call


def test_a_backup_is_for_its_owner_alone_and_holds_no_key_unless_that_is_asked_for(
    place: Place, run: Run, tmp_path: Path
) -> None:
    plain, whole = tmp_path / "plain.tar", tmp_path / "whole.tar"

    code, said, _ = run("backup", plain)
    run("backup", whole, "--with-secrets")

    assert code == 0
    assert "3 users" in said and "--with-secrets" in said
    assert [stat.S_IMODE(file.stat().st_mode) for file in (plain, whole)] == [0o600, 0o600]
    assert b"hunter2-not-real" not in plain.read_bytes()
    assert b"hunter2-not-real" in whole.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["etc", "plain.tar", "secrets", "store", "whole.tar"]


def test_nothing_is_overwritten_by_a_backup(place: Place, run: Run, tmp_path: Path) -> None:
    there = tmp_path / "there.tar"
    there.write_text("precious")

    code, _, said = run("backup", there)

    assert (code, there.read_text()) == (1, "precious")
    assert "give another name" in said


def test_who_was_revoked_since_stays_out_and_who_came_since_is_named(place: Place, run: Run, tmp_path: Path) -> None:
    # given a backup, and what happened after it
    run("backup", tmp_path / "b.tar")
    place.revoke("car-2")
    place.enrol("car-3")
    place.enrol("car-4")
    place.reach(40)
    # when it is put back
    code, said, err = run("restore", tmp_path / "b.tar")
    left = sorted(file.name for file in place.store.parent.iterdir())
    # then nobody is let in who was shut out, numbers only rise, and the former store is kept
    assert (code, err) == (0, "")
    assert place.admitted() == {"car-1": True, "car-2": False, "car-3": True}
    assert place.epoch() == 41
    assert "revoked again now: seoul/hq/car-2" in said
    assert "must be enrolled anew (ptt-dispatch device code): seoul/hq/car-3" in said
    assert "not there any more: seoul/hq/car-4" in said
    [former] = place.store.parent.glob("office.db.before-*")
    assert left == ["office.db", former.name]
    assert sqlite3.connect(former).execute("SELECT count(*) FROM registry_user").fetchone() == (4,)
    assert stat.S_IMODE(place.store.stat().st_mode) == 0o600


def test_on_a_new_machine_configuration_and_secrets_come_back_and_numbers_rise_far(
    place: Place, run: Run, tmp_path: Path
) -> None:
    # given a backup with everything, and a machine that has nothing
    run("backup", tmp_path / "b.tar", "--with-secrets")
    before = place.config.read_text()
    place.config.unlink()
    (tmp_path / "secrets" / "ptt.mqtt-password").unlink()
    place.store.unlink()
    # when it is put back
    code, said, err = run("restore", tmp_path / "b.tar", "--with-secrets")
    # then all is there with its modes, and the operator is told what cannot be known
    password = tmp_path / "secrets" / "ptt.mqtt-password"
    assert (code, err) == (0, "")
    assert (place.config.read_text(), password.read_text()) == (before, "hunter2-not-real")
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert place.epoch() == 10_005
    assert "NO FORMER STORE" in said


def test_a_file_that_differs_is_not_overwritten_and_then_nothing_at_all_is_done(
    place: Place, run: Run, tmp_path: Path
) -> None:
    run("backup", tmp_path / "b.tar", "--with-secrets")
    (tmp_path / "secrets" / "ptt.mqtt-password").write_text("newer")
    place.revoke("car-1")

    code, _, said = run("restore", tmp_path / "b.tar", "--with-secrets")

    assert (code, place.admitted()["car-1"], place.epoch()) == (1, False, 5)
    assert "ptt.mqtt-password" in said and "leave --with-secrets out" in said


def test_a_store_that_somebody_has_open_is_not_replaced(place: Place, run: Run, tmp_path: Path) -> None:
    run("backup", tmp_path / "b.tar")
    open_store = SqlStore(place.url)
    try:
        code, _, said = run("restore", tmp_path / "b.tar")
    finally:
        open_store.close()

    assert code == 1
    assert "is in use -> systemctl stop" in said
    assert [file.name for file in place.store.parent.iterdir()] == ["office.db"]


def test_a_damaged_store_is_put_aside_and_replaced(place: Place, run: Run, tmp_path: Path) -> None:
    run("backup", tmp_path / "b.tar")
    place.store.write_bytes(b"no database at all" * 500)

    code, said, _ = run("restore", tmp_path / "b.tar")

    assert (code, place.epoch()) == (0, 10_005)
    assert "NO FORMER STORE" in said
    [former] = place.store.parent.glob("office.db.before-*")
    assert former.read_bytes().startswith(b"no database")


def test_another_stores_backup_is_refused(place: Place, run: Run, tmp_path: Path) -> None:
    run("backup", tmp_path / "b.tar")
    place.store.unlink()
    SqlStore(place.url).close()

    code, _, said = run("restore", tmp_path / "b.tar")

    assert code == 1
    assert "another store" in said and "--adopt" in said


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda data: data[: len(data) // 2], "cut short"),
        (lambda data: b"", "no backup"),
        (lambda data: b"x" * 10_000, "no backup"),
        (lambda data: data.replace(b"SQLite format 3", b"SQLite format 4"), "damaged"),
        (lambda data: data.replace(b'"format": 1', b'"format": 2'), "install"),
        (lambda data: data.replace(b'"office.db": {', b'"../evil.d": {'), "install"),
    ],
)
def test_what_is_no_whole_backup_is_refused_and_nothing_is_changed(
    place: Place, run: Run, tmp_path: Path, spoil: Callable[[bytes], bytes], told: str
) -> None:
    run("backup", tmp_path / "b.tar")
    bad = tmp_path / "bad.tar"
    bad.write_bytes(spoil((tmp_path / "b.tar").read_bytes()))
    before = place.store.read_bytes()

    code, _, said = run("restore", bad)

    assert (code, place.store.read_bytes()) == (1, before)
    assert told in said
    assert sorted(os.listdir(place.config.parent)) == ["dispatch.toml"]


def test_a_store_without_a_registry_is_backed_up_and_restored_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, store = tmp_path / "d.toml", tmp_path / "s" / "office.db"
    config.write_text(f'[store]\npath = "{store}"\n[[office]]\nregion = "seoul"\noffice = "hq"\n')
    made = SqlStore(f"sqlite:///{store}")
    made.transact(HQ, lambda tx: tx.put_floor(floor(tx.store_id, 2)), durable=True)
    made.close()
    common = ("--config", str(config), "--lang", "ko")

    assert main(["backup", str(tmp_path / "b.tar"), *common]) == 0
    assert main(["restore", str(tmp_path / "b.tar"), *common]) == 0

    assert "복원함" in capsys.readouterr().out
    reader = StoreReader(f"sqlite:///{store}")
    found = reader.snapshot(HQ)
    reader.close()
    assert found is not None
    assert (found.floor.epoch, epoch_of(found.floor.burst)) == (3, 2)


def test_the_manifest_says_what_is_in_it(place: Place, run: Run, tmp_path: Path) -> None:
    run("backup", tmp_path / "b.tar", "--with-secrets")
    import tarfile

    with tarfile.open(tmp_path / "b.tar") as archive:
        names = archive.getnames()
        file = archive.extractfile("manifest.json")
        assert file is not None
        manifest = json.load(file)

    assert names == ["manifest.json", *manifest["parts"]]
    assert sorted(names[1:]) == ["dispatch.toml", "office.db", "ptt.mqtt-password"]
    assert (manifest["format"], manifest["users"]) == (1, 3)
