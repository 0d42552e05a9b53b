"""`ptt-dispatch init` and the registry's commands, with a real mosquitto on what they made."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from dispatch import pki
from dispatch.broker.admin import BrokerAdmin
from dispatch.cli import main
from dispatch.registry.secrets import code_digest, hash_secret, new_secret, verify
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import User
from dispatch.store.sql import SqlStore
from lab.broker import free_port
from lab.secure_broker import SecureBroker
from protocol.enrol_code import ca_mark, parse_code
from protocol.ids import OfficeId
from protocol.login import SERVER_LOGIN
from protocol.messages import VoicePath
from protocol.rest import Role
from protocol.timers import REVOKE_S
from service.settings import Secret
from tests.support.procs import ROOT, eventually

HQ = OfficeId("seoul", "hq")
AGORA = '[agora]\napp_id = "0123456789abcdef0123456789abcdef"\n'
KICKING = '[agora.kicking]\ncustomer_key = "key"\ncustomer_secret = "not-a-real-one"\n'


class Office:
    """An office as `init` makes it, its registry, and the commands on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder / "ptt"
        self.port = free_port()
        self._capsys = capsys

    @property
    def config(self) -> Path:
        return self.folder / "dispatch.toml"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def broker_dir(self) -> Path:
        return self.folder / "broker"

    def init(self, *more: str) -> tuple[int, str, str]:
        ports = ("--listen", "127.0.0.1", "--broker-port", str(self.port), "--rest-port", str(free_port()))
        office = ("--region", "seoul", "--office", "hq", "--name", "본사", "--host", "office.example.com")
        return self._main("init", "--dir", str(self.folder), *office, *ports, "--admin", "chief", "--lang", "en", *more)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        return self._main(*arguments, "--config", str(self.config), "--lang", "en")

    def json(self, *arguments: str) -> Any:
        status, out, err = self.run(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    def _main(self, *arguments: str) -> tuple[int, str, str]:
        try:
            status = main(arguments)
        except SystemExit as ended:  # argparse
            status = int(ended.code or 0)
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def registry(self) -> SqlRegistry:
        return SqlRegistry(f"sqlite:///{self.folder}/store/office.db")

    def read(self, path: Path) -> Secret:
        return Secret(path.read_text().strip())

    def add_person(self, name: str, role: str = "monitor") -> Secret:
        path = self.folder / f"{name.replace('/', '.')}.secret"
        status, _, err = self.run("user", "add", name, "--role", role, "--name", name, "--secret-file", str(path))
        assert (status, err) == (0, "")
        return self.read(path)

    def everything(self) -> dict[str, tuple[int, bytes]]:
        """Every file but the database, with mode and content."""
        files = [p for p in self.folder.rglob("*") if p.is_file() and "store" not in p.parts]
        return {str(p): (p.stat().st_mode, p.read_bytes()) for p in files}


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


class Guest:
    """A plain MQTT client at the broker's door; `code` is what it was answered, `gone` whether it was cut off."""

    def __init__(self, office: Office, login: str, secret: Secret, client_id: str | None = None) -> None:
        self.code: str | None = None
        self.gone = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id or login, protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        self._client.username_pw_set(login, secret.reveal())
        self._client.tls_set(str(office.ca), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self._client.on_connect = self._connected
        self._client.on_disconnect = lambda *_: self.gone.set()
        self._client.connect("127.0.0.1", office.port, keepalive=10)
        self._client.loop_start()
        eventually(lambda: self.code is not None, what=f"{login} is answered")

    def _connected(self, _client: object, _data: object, _flags: object, code: object, _properties: object) -> None:
        self.code = str(code)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def greeted(office: Office, login: str, secret: Secret) -> str:
    """What the broker answers to this login."""
    guest = Guest(office, login, secret)
    guest.leave()
    return guest.code or ""


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


# --- init -----------------------------------------------------------------------------------------------------------


def test_what_init_made_lets_in_server_and_admin_and_nobody_else(made: Office, broker: SecureBroker) -> None:
    admin = made.read(made.folder / "chief.secret")
    server = made.read(made.folder / "secrets" / "ptt.mqtt-password")

    assert greeted(made, "seoul.hq.chief", admin) == "Success"
    assert greeted(made, SERVER_LOGIN, server) == "Success"
    assert greeted(made, "seoul.hq.chief", server) == "Not authorized"
    assert greeted(made, "seoul.hq.other", admin) == "Not authorized"
    registry = made.registry()
    [chief] = registry.users()
    assert (chief.login, chief.role.value, verify(admin, chief.secret)) == ("seoul.hq.chief", "admin", True)
    [only] = registry.offices()
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


# --- people ---------------------------------------------------------------------------------------------------------


def test_a_person_added_gets_in_and_out_again_as_the_commands_say(made: Office, broker: SecureBroker) -> None:
    first = made.add_person("wall")
    assert greeted(made, "seoul.hq.wall", first) == "Success"

    second_file = made.folder / "second.secret"
    assert made.run("user", "rotate", "wall", "--secret-file", str(second_file))[0] == 0
    second = made.read(second_file)
    assert greeted(made, "seoul.hq.wall", first) == "Not authorized"
    guest = Guest(made, "seoul.hq.wall", second)
    assert guest.code == "Success"

    started = time.monotonic()
    status, out, _ = made.run("user", "revoke", "wall", "--why", "퇴사")
    assert guest.gone.wait(REVOKE_S - (time.monotonic() - started))
    guest.leave()
    assert status == 0
    assert "broker: logins shut, connections cut" in out
    assert greeted(made, "seoul.hq.wall", second) == "Not authorized"
    [shown] = [user for user in made.json("user", "list") if user["user"] == "wall"]
    assert (shown["admitted"], shown["revoked_why"]) == (False, "퇴사")

    refused = made.run("user", "rotate", "wall", "--secret-file", str(made.folder / "third.secret"))
    assert refused[0] == 1
    assert "is revoked -> first: ptt-dispatch user restore wall" in refused[2]
    assert not (made.folder / "third.secret").exists()
    assert made.run("user", "restore", "wall")[0] == 0
    assert greeted(made, "seoul.hq.wall", second) == "Not authorized"
    assert made.run("user", "rotate", "wall", "--secret-file", str(made.folder / "third.secret"))[0] == 0
    assert greeted(made, "seoul.hq.wall", made.read(made.folder / "third.secret")) == "Success"


def test_a_secret_shows_in_its_file_alone(made: Office, broker: SecureBroker) -> None:
    path = made.folder / "wall.secret"

    status, out, err = made.run("user", "add", "wall", "--role", "monitor", "--name", "x", "--secret-file", str(path))

    secret = path.read_text().strip()
    assert status == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in out + err
    for listing in (("user", "list", "--json"), ("user", "show", "wall", "--json"), ("user", "show", "wall")):
        assert secret not in made.run(*listing)[1]
    assert b"SecretHash" not in made.run("user", "show", "wall")[1].encode()


def test_a_secret_goes_into_the_file_that_was_made_for_it_whatever_has_its_name_by_then(
    made: Office, broker: SecureBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given somebody who may write the folder, and puts a link in the file's place while the broker is told
    path, precious = made.folder / "wall.secret", made.folder / "precious"
    precious.write_text("mine")
    put = BrokerAdmin.put_user

    def meanwhile(admin: BrokerAdmin, user: User, secret: Secret) -> None:
        path.unlink()
        path.symlink_to(precious)
        put(admin, user, secret)

    monkeypatch.setattr(BrokerAdmin, "put_user", meanwhile)
    made.run("user", "add", "wall", "--role", "monitor", "--name", "x", "--secret-file", str(path))

    assert precious.read_text() == "mine"


def test_a_secret_is_not_shown_where_no_terminal_is_and_nobody_is_added(made: Office, broker: SecureBroker) -> None:
    status, out, err = made.run("user", "add", "wall", "--role", "monitor", "--name", "x")

    assert (status, out) == (1, "")
    assert "no terminal to show a secret on -> give --secret-file" in err
    assert [user["user"] for user in made.json("user", "list")] == ["chief"]


def test_a_secret_file_that_is_there_is_not_overwritten_and_nobody_is_added(made: Office, broker: SecureBroker) -> None:
    path = made.folder / "keep"
    path.write_text("mine")

    status, _, err = made.run("user", "add", "wall", "--role", "monitor", "--name", "x", "--secret-file", str(path))

    assert status == 1
    assert "File exists" in err
    assert path.read_text() == "mine"
    assert [user["user"] for user in made.json("user", "list")] == ["chief"]


def test_with_the_broker_away_nobody_is_added_and_nothing_changes(made: Office) -> None:
    path = made.folder / "wall.secret"
    before = made.json("user", "list")

    status, out, err = made.run("user", "add", "wall", "--role", "monitor", "--name", "x", "--secret-file", str(path))
    rotated = made.run("user", "rotate", "chief", "--secret-file", str(path))

    assert (status, out) == (1, "")
    assert f"127.0.0.1:{made.port}" in err
    assert rotated[0] == 1
    assert not path.exists()
    assert made.json("user", "list") == before
    registry = made.registry()
    [chief] = registry.users()
    assert verify(made.read(made.folder / "chief.secret"), chief.secret)
    registry.close()


def test_with_the_broker_away_a_revocation_stands_and_says_what_is_not_done(made: Office) -> None:
    status, out, _ = made.run("user", "revoke", "chief")

    assert status == 1
    assert "registry: revoked" in out
    assert "broker: NOT DONE" in out
    [chief] = made.json("user", "list")
    assert chief["admitted"] is False


def test_a_revoked_office_shuts_the_doors_of_all_its_users_and_of_no_other_office(
    made: Office, broker: SecureBroker
) -> None:
    here = made.add_person("wall")
    assert made.run("device", "add", "car-1", "--name", "1호차")[0] == 0
    assert made.run("office", "add", "seoul/hq1", "--name", "next")[0] == 0
    there = made.add_person("seoul/hq1/other")
    guest, neighbour = Guest(made, "seoul.hq.wall", here), Guest(made, "seoul.hq1.other", there)

    started = time.monotonic()
    status, out, _ = made.run("office", "revoke", "seoul/hq", "--why", "closed")

    assert guest.gone.wait(REVOKE_S - (time.monotonic() - started))
    assert (guest.code, neighbour.code, neighbour.gone.is_set()) == ("Success", "Success", False)
    guest.leave()
    neighbour.leave()
    assert status == 0
    assert "office seoul/hq, its users: car-1, chief, wall" in out
    whys = {each["user"]: (each["admitted"], each["revoked_why"]) for each in made.json("user", "list")}
    shut = (False, "closed")
    assert whys == {"car-1": shut, "chief": shut, "wall": shut, "other": (True, "")}
    assert greeted(made, "seoul.hq.wall", here) == "Not authorized"
    assert made.run("office", "revoke", "seoul/hq")[0] == 0
    assert made.run("office", "revoke", "seoul/h")[2].startswith("ptt-dispatch: there is no office seoul/h ")


def test_names_priorities_and_listening_change_as_they_are_told(made: Office) -> None:
    assert made.run("user", "add", "car-1", "--role", "vehicle_gateway", "--name", "1호차")[0] == 0
    for change in (("rename", "car-1", "김기사"), ("priority", "car-1", "high"), ("listen-only", "car-1", "on")):
        assert made.run("user", *change)[0] == 0

    shown = made.json("user", "show", "car-1")

    assert (shown["name"], shown["priority"], shown["listen_only"]) == ("김기사", "high", True)
    assert made.run("user", "listen-only", "car-1", "off")[0] == 0
    assert made.json("user", "show", "seoul/hq/car-1")["listen_only"] is False
    assert 1 <= shown["uid"] <= 2**32 - 1


def test_a_user_of_two_offices_must_be_named_with_its_office(made: Office) -> None:
    assert made.run("region", "add", "busan", "--name", "부산")[0] == 0
    assert made.run("office", "add", "busan/1", "--name", "부산 본사", "--voice", "agora")[0] == 0
    for office in ("seoul/hq", "busan/1"):
        added = made.run("user", "add", f"{office}/car-1", "--role", "vehicle_gateway", "--name", "x")
        assert added[0] == 0

    status, _, err = made.run("user", "rename", "car-1", "y")
    assert status == 1
    assert "car-1: which office? -> write REGION/OFFICE/car-1; offices: busan/1, seoul/hq" in err
    assert made.run("user", "rename", "car-1", "y", "--office", "busan/1")[0] == 0
    assert made.json("user", "show", "seoul/hq/car-1")["name"] == "x"
    assert made.json("user", "show", "busan/1/car-1")["name"] == "y"
    assert [each["region"] for each in made.json("region", "list")] == ["busan", "seoul"]
    [first, _] = made.json("office", "list")
    assert (first["name"], first["voice"], first["channel"]) == ("부산 본사", "agora", "busan_1_ptt")
    assert made.run("office", "voice", "busan/1", "mqtt")[0] == 0
    assert made.run("office", "rename", "busan/1", "부산")[0] == 0
    [first, _] = made.json("office", "list")
    assert (first["name"], first["voice"]) == ("부산", "mqtt")


# --- revocation and Agora -------------------------------------------------------------------------------------------


def agora(made: Office, more: str = "") -> None:
    made.config.write_text(made.config.read_text() + AGORA + more)
    assert made.run("user", "add", "car-1", "--role", "vehicle_gateway", "--name", "x")[0] == 0


def test_a_revocation_waits_until_agora_has_been_told(made: Office, broker: SecureBroker) -> None:
    agora(made, KICKING)
    registry = made.registry()

    def serve() -> None:
        [kick] = eventually(registry.kicks)
        registry.kick_done(kick.id, 7)

    server = threading.Thread(target=serve, name="serve")
    server.start()
    status, out, _ = made.run("device", "revoke", "car-1")
    server.join(10)
    registry.close()

    assert status == 0
    assert "Agora: put out of the channel" in out


def test_a_revocation_that_agora_was_not_told_of_says_so(
    made: Office, broker: SecureBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.registry_cli.revoking.REVOKE_S", 0.3)
    agora(made, KICKING)

    status, out, _ = made.run("device", "revoke", "car-1")

    assert status == 1
    assert "Agora: NOT DONE" in out
    assert "a token runs out within 3600 s" in out


def test_a_revocation_without_kicking_rules_says_how_long_a_token_works(made: Office, broker: SecureBroker) -> None:
    agora(made)

    status, out, _ = made.run("device", "revoke", "car-1")

    assert status == 1
    assert "Agora: no [agora.kicking] is configured: a token it holds runs out within 3600 s" in out


# --- devices --------------------------------------------------------------------------------------------------------


def test_a_code_is_shown_once_with_its_url_and_proves_the_authority(made: Office) -> None:
    png = made.folder / "car-17.png"

    status, out, err = made.run("device", "code", "car-17", "--create", "--name", "17호차", "--png", str(png))

    assert (status, err) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines() if line.startswith(("URL:", "code:")))
    code = parse_code(lines["code:"])
    assert code.ca == ca_mark(pki.ca_der(made.ca))
    assert lines["URL:"].startswith("https://office.example.com:")
    assert "█" in out
    assert png.read_bytes().startswith(b"\x89PNG")
    assert stat.S_IMODE(png.stat().st_mode) == 0o600
    registry = made.registry()
    [kept] = registry.codes(HQ)
    assert (kept.user, kept.digest) == ("car-17", code_digest(code.secret))
    assert kept.expires_at - kept.made_at == 24 * 3_600_000
    registry.close()


def test_a_code_for_programs_is_json_and_the_older_one_is_withdrawn(made: Office) -> None:
    first = made.json("device", "code", "car-17", "--create")

    second = made.json("device", "code", "car-17", "--valid-h", "1")

    assert (second["user"], second["region"], second["office"]) == ("car-17", "seoul", "hq")
    registry = made.registry()
    withdrawn = {code.digest: code.withdrawn_at is not None for code in registry.codes()}
    registry.close()
    wanted = {
        code_digest(parse_code(first["code"]).secret): True,
        code_digest(parse_code(second["code"]).secret): False,
    }
    assert withdrawn == wanted
    [listed] = made.json("device", "list")
    assert listed["code_expires_at"] == second["expires_at"]


def test_a_unit_is_added_renamed_and_given_another_code_by_the_device_commands(made: Office) -> None:
    assert made.run("device", "add", "car-17", "--name", "17호차", "--role", "pickup_driver")[0] == 0
    assert made.run("device", "rename", "car-17", "김기사")[0] == 0
    [listed] = made.json("device", "list")
    code = made.json("device", "rotate", "car-17")

    assert (listed["name"], listed["role"], listed["code_expires_at"]) == ("김기사", "pickup_driver", None)
    [listed] = made.json("device", "list")
    assert listed["code_expires_at"] == code["expires_at"]
    for arguments, says in (
        (("add", "car-17", "--name", "x"), "there is a user car-17 in seoul/hq already"),
        (("rename", "chief", "x"), "is no unit -> ptt-dispatch user rename chief NAME"),
        (("rotate", "chief"), "has a secret, not a unit"),
        (("rotate", "car-18"), "no user car-18 in seoul/hq -> ptt-dispatch device add car-18"),
    ):
        status, out, err = made.run("device", *arguments)
        assert (status, out) == (1, "")
        assert says in err


def test_codes_are_refused_for_who_has_no_unit(made: Office) -> None:
    (made.folder / "there.png").write_text("")

    for arguments, says in (
        (("car-17",), "no user car-17 in seoul/hq -> add --create"),
        (("chief",), "chief (admin) has a secret, not a unit"),
        (("car-17", "--create", "--png", str(made.folder / "there.png")), "File exists"),
    ):
        status, out, err = made.run("device", "code", *arguments)
        assert (status, out) == (1, "")
        assert says in err

    registry = made.registry()
    assert registry.codes() == ()
    registry.close()


def test_units_are_listed_with_enrolment_and_clone_until_it_is_cured(made: Office) -> None:
    code = made.json("device", "code", "car-17", "--create", "--name", "17호차")["code"]
    registry = made.registry()
    registry.enrol(
        code_digest(parse_code(code).secret), "a" * 16, hash_secret(new_secret()), lambda _user, _office: None
    )
    registry.note_clone(HQ, "car-17", "b" * 16)
    registry.close()

    _, out, _ = made.run("device", "list")
    assert "enrolled (1), CLONE since " in out
    assert f"{'a' * 16}  17호차" in out
    assert made.run("device", "cured", "car-17")[1] == "car-17: clone alert ended\n"
    assert made.run("device", "cured", "car-17")[1] == "car-17: no clone was noted\n"
    [shown] = made.json("device", "list")
    assert (shown["generation"], shown["hardware"], shown["clone"]) == (1, "a" * 16, None)


# --- certificates and the broker's folder ---------------------------------------------------------------------------


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


# --- refusals -------------------------------------------------------------------------------------------------------


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
