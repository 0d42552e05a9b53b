"""People and units in the registry by command line: added, shown once, revoked, told to Agora; at a real mosquitto."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch import pki
from dispatch.broker.admin import BrokerAdmin
from dispatch.registry.secrets import code_digest, hash_secret, new_secret, verify
from dispatch.registry.words import User
from lab.secure_broker import SecureBroker
from protocol.enrol_code import ca_mark, parse_code
from protocol.timers import REVOKE_S
from service.settings import Secret
from tests.integration.dispatch_init_rig import HQ, Guest, Office, greeted
from tests.support.procs import eventually

AGORA = '[agora]\napp_id = "0123456789abcdef0123456789abcdef"\n'
KICKING = '[agora.kicking]\ncustomer_key = "key"\ncustomer_secret = "not-a-real-one"\n'


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


# --- people -----------------------------------------------------------------------------------------------------------


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
    [chief] = registry.users(HQ)
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


def agora(made: Office, more: str = "") -> None:
    made.config.write_text(made.config.read_text() + AGORA + more)
    assert made.run("user", "add", "car-1", "--role", "vehicle_gateway", "--name", "x")[0] == 0


# --- revocation and Agora ---------------------------------------------------------------------------------------------


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


# --- devices ----------------------------------------------------------------------------------------------------------


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
