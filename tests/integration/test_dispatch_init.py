"""`ptt-dispatch init` and the registry's commands, with a real mosquitto on what they made."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatch import pki
from dispatch.cli import main
from dispatch.probing.place import PROBE_LOGIN, PROBE_OFFICE
from dispatch.registry.secrets import hash_secret, new_secret, verify
from dispatch.registry.sql import SqlRegistry
from dispatch.store.sql import SqlStore
from lab.secure_broker import SecureBroker
from protocol.ids import OfficeId
from protocol.login import SERVER_LOGIN
from protocol.messages import VoicePath
from protocol.rest import Role
from tests.integration.dispatch_init_rig import HQ, Office, greeted
from tests.support.procs import ROOT


@pytest.fixture
def office(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Office:
    return Office(tmp_path, capsys)


@pytest.fixture
def made(office: Office) -> Office:
    status, _, err = office.init()
    assert (status, err) == (0, "")
    return office


@pytest.fixture
def broker(made: Office, tmp_path: Path) -> Iterator[SecureBroker]:
    running = SecureBroker(made=made.broker_dir, port=made.port, folder=tmp_path / "mosquitto")
    with running:
        yield running


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 1.0).close()
    except OSError:
        return False
    return True


# --- init -------------------------------------------------------------------------------------------------------------


def test_what_init_made_lets_in_server_and_admin_and_nobody_else(made: Office, broker: SecureBroker) -> None:
    admin = made.read(made.folder / "chief.secret")
    server = made.read(made.folder / "secrets" / "ptt.mqtt-password")

    assert greeted(made, "seoul.hq.chief", admin) == "Success"
    assert greeted(made, SERVER_LOGIN, server) == "Success"
    assert greeted(made, "seoul.hq.chief", server) == "Not authorized"
    assert greeted(made, "seoul.hq.other", admin) == "Not authorized"
    registry = made.registry()
    chief, probe = sorted(registry.users(), key=lambda user: user.login == PROBE_LOGIN)
    assert greeted(made, PROBE_LOGIN, made.read(made.folder / "secrets" / "ptt.probe-password")) == "Success"
    assert greeted(made, PROBE_LOGIN, admin) == "Not authorized"
    assert (probe.login, probe.office, probe.listen_only) == (PROBE_LOGIN, PROBE_OFFICE, False)
    assert (chief.login, chief.role.value, verify(admin, chief.secret)) == ("seoul.hq.chief", "admin", True)
    [only] = [office for office in registry.offices() if office.id != PROBE_OFFICE]
    assert (only.id, only.name, only.voice.value) == (HQ, "본사", "mqtt")
    registry.close()


def test_keys_and_secrets_are_their_owners_alone_and_the_rest_can_be_read_by_services(made: Office) -> None:
    modes = {str(p.relative_to(made.folder)): stat.S_IMODE(p.stat().st_mode) for p in tree(made.folder)}

    assert modes == {
        "ca.pem": 0o644,
        "server.pem": 0o644,
        "dispatch.toml": 0o644,
        "ca": 0o700,
        "ca/ca.key": 0o600,
        "chief.secret": 0o600,
        "secrets": 0o700,
        "secrets/ptt.mqtt-password": 0o600,
        "secrets/ptt.probe-password": 0o600,
        "secrets/ptt.tls-key": 0o600,
        "broker": 0o700,
        "broker/ca.pem": 0o644,
        "broker/broker.pem": 0o644,
        "broker/broker.key": 0o600,
        "broker/dynamic-security.json": 0o600,
        "broker/ptt.conf": 0o644,
        "store": 0o700,
        "store/office.db": 0o600,
    }


def test_init_says_what_it_made_and_what_to_do_next_but_no_secret(office: Office) -> None:
    status, out, err = office.init()

    secret = (office.folder / "chief.secret").read_text().strip()
    assert (status, err) == (0, "")
    assert secret not in out
    for path in ("ca.pem", "ca/ca.key", "dispatch.toml", "broker", "store/office.db"):
        assert f"  {office.folder / path}\n" in out
    assert f"secret of chief: {office.folder / 'chief.secret'}" in out
    assert f"install -m 644 {office.broker_dir}/ptt.conf" in out
    assert "ptt-dispatch device code car-1 --create" in out


def test_the_first_secret_is_printed_where_that_is_asked_for(office: Office) -> None:
    _, out, _ = office.init("--show-secret")

    assert f"secret (shown this once): {(office.folder / 'chief.secret').read_text().strip()}\n" in out


def test_the_configuration_it_writes_is_taken_by_the_services(made: Office) -> None:
    assert made.run("check-config")[0] == 0
    status, out, _ = made.run("show-config")
    assert status == 0
    assert 'admission = "registry"' in out
    assert (made.folder / "secrets" / "ptt.mqtt-password").read_text().strip() not in out


def test_a_second_init_is_refused_by_name_and_changes_nothing(made: Office) -> None:
    before = made.everything()

    status, out, err = made.init()

    assert (status, out) == (1, "")
    assert f"already there: {made.ca}, " in err
    assert "nothing is overwritten" in err
    assert made.everything() == before


def spoil_store(folder: Path) -> list[str]:
    (folder / "other.db").write_text("this is no database, " * 100)
    return ["--store", str(folder / "other.db")]


def spoil_broker_dir(folder: Path) -> list[str]:
    (folder / "a-file").write_text("")
    return ["--broker-dir", str(folder / "a-file" / "broker")]


def full_registry(folder: Path) -> list[str]:
    registry = SqlRegistry(f"sqlite:///{folder}/full.db")
    registry.add_region("busan", "x")
    registry.add_office(OfficeId("busan", "1"), "x", VoicePath.MQTT)
    registry.add_user(OfficeId("busan", "1"), "boss", Role.ADMIN, "x")
    registry.set_secret(OfficeId("busan", "1"), "boss", hash_secret(new_secret()))
    registry.close()
    return ["--store", str(folder / "full.db")]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_store, "is no SQLite database"),
        (spoil_broker_dir, "Not a directory"),
        (full_registry, "has users already (busan.1.boss, ...)"),
        (lambda _: ["--host", "not a host"], "'not a host' is neither a host name nor an address"),
        (lambda _: ["--name", " "], "1 to 64 printable"),
        (lambda _: ["--rest-port", "70000"], "70000 is no port"),
    ],
)
def test_an_init_that_fails_half_way_leaves_nothing_behind(
    office: Office, tmp_path: Path, spoil: Callable[[Path], list[str]], says: str
) -> None:
    more = spoil(tmp_path)
    before = tree(tmp_path)

    status, out, err = office.init(*more)

    assert (status, out) == (1, "")
    assert says in err
    assert tree(tmp_path) == before
    status, _, err = office.init()
    assert (status, err) == (0, "")


def test_a_store_that_served_without_a_registry_is_taken_up_with_what_it_knows(office: Office, tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/old.db")
    store_id = store.store_id
    store.close()

    status, _, err = office.init("--store", str(tmp_path / "old.db"))

    assert (status, err) == (0, "")
    again = SqlStore(f"sqlite:///{tmp_path}/old.db")
    assert again.store_id == store_id
    again.close()


# --- certificates and the broker's folder -----------------------------------------------------------------------------


def test_a_renewed_certificate_is_shown_by_the_broker_and_taken_by_its_clients(
    made: Office, broker: SecureBroker
) -> None:
    before = ssl.get_server_certificate(("127.0.0.1", made.port))
    admin = made.read(made.folder / "chief.secret")

    status, out, err = made.run("cert", "renew")
    assert (status, err) == (0, "")
    assert "systemctl reload mosquitto" in out
    broker.stop()
    broker.start()

    after = ssl.get_server_certificate(("127.0.0.1", made.port))
    assert after != before
    assert after.strip() == (made.folder / "server.pem").read_text().strip()
    assert greeted(made, "seoul.hq.chief", admin) == "Success"
    [authority, server] = made.json("cert", "show")
    assert (authority["days_left"], server["days_left"]) == (3649, 824)
    assert "office.example.com" in server["hosts"]
    assert stat.S_IMODE((made.folder / "secrets" / "ptt.tls-key").stat().st_mode) == 0o600


def test_a_certificate_that_has_ended_or_is_another_authoritys_is_told(made: Office) -> None:
    now = dt.datetime.now(dt.UTC)
    long_ago = now - dt.timedelta(days=900)
    authority = pki.new_authority("old", long_ago)
    pki.write_file(made.ca, pki.certificate_pem(authority.certificate), 0o644)
    ended = pki.new_server(authority, ["localhost"], long_ago)
    pki.write_file(made.folder / "server.pem", ended.certificate_pem, 0o644)
    assert made.run("cert", "show")[0] == 1
    other = pki.new_server(pki.new_authority("other", now), ["localhost"], now)
    pki.write_file(made.folder / "server.pem", other.certificate_pem, 0o644)
    assert made.run("cert", "show")[0] == 1


def test_the_brokers_folder_is_written_anew_only_while_it_is_down_and_lets_the_same_users_in(
    made: Office, broker: SecureBroker
) -> None:
    secret = made.add_person("wall")
    refused = made.run("broker-config")
    assert refused[0] == 1
    assert "a broker runs at" in refused[2]
    assert "first: systemctl stop mosquitto" in refused[2]

    broker.stop()
    (made.broker_dir / "dynamic-security.json").unlink()
    status, _, err = made.run("broker-config")
    broker.start()

    assert (status, err) == (0, "")
    assert greeted(made, "seoul.hq.wall", secret) == "Success"
    assert greeted(made, "seoul.hq.chief", made.read(made.folder / "chief.secret")) == "Success"


def test_broker_and_browsers_are_let_in_at_the_one_address_given_and_at_no_other(
    made: Office, broker: SecureBroker
) -> None:
    conf = (made.broker_dir / "ptt.conf").read_text().split("\n")
    ports = sorted(int(line.split()[1]) for line in conf if line.startswith("listener "))

    opened = [(host, port) for host in ("127.0.0.1", "127.0.0.2") for port in ports if answers(host, port)]

    assert len(ports) == 2
    assert opened == [("127.0.0.1", port) for port in ports]


def test_a_name_to_listen_at_is_refused_before_anything_is_made_and_leaves_a_broker_as_it_was(office: Office) -> None:
    # given no office, when it is to listen at a name, then nothing is made of it
    status, out, err = office.init("--listen", "localhost")
    assert (status, out) == (1, "")
    assert "cannot come in at 'localhost'" in err
    assert "-> give the address" in err
    assert tree(office.folder) == []

    # given an office whose configuration was given a name since, then the broker's folder stays as it is
    assert office.init()[0] == 0
    text = office.config.read_text()
    office.config.write_text(text.replace('host = "127.0.0.1"', 'host = "localhost"'))
    before = office.everything()
    status, _, err = office.run("broker-config")
    assert (status, "host in [rest]" in err) == (1, True)
    assert office.everything() == before


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_an_open_office_is_told_that_its_registry_admits_nobody(office: Office, tmp_path: Path) -> None:
    config = tmp_path / "open.toml"
    config.write_text(f'[store]\npath = "{tmp_path}/x.db"\n[[office]]\nregion = "seoul"\noffice = "hq"\n')

    status = main(["user", "list", "--config", str(config), "--lang", "en"])

    assert status == 1
    assert not (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("user", "add", "Car", "--role", "monitor", "--name", "x"), "use 1 to 32 of a-z"),
        (("user", "add", "car/1", "--role", "monitor", "--name", "x"), "write REGION/OFFICE"),
        (("user", "add", "car", "--role", "king", "--name", "x"), "invalid"),
        (("user", "listen-only", "car", "maybe"), "neither on nor off"),
        (("device", "code", "car", "--valid-h", "9999"), "hours from 1 to 720"),
        (("office", "add", "seoul", "--name", "x"), "write REGION/OFFICE"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake_of_usage(made: Office, arguments: tuple[str, ...], says: str) -> None:
    status, out, err = made.run(*arguments)

    assert (status, out) == (2, "")
    assert says in err


def test_commands_run_as_processes_and_show_no_secret_in_their_arguments(made: Office, broker: SecureBroker) -> None:
    path = made.folder / "wall.secret"
    command = [sys.executable, "-m", "dispatch", "user", "add", "wall", "--role", "monitor", "--name", "벽"]

    done = subprocess.run(
        [*command, "--secret-file", str(path), "--config", str(made.config), "--lang", "ko"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "seoul/hq에 사용자 wall (벽, 모니터) 추가됨"
    assert greeted(made, "seoul.hq.wall", made.read(path)) == "Success"
