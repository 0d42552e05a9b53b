"""The broker that `ptt-dispatch` writes: its folder, certificates, torn files, what root reads; its guard."""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
import signal
import socket
import ssl
import stat
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dispatch import pki
from dispatch.broker import files
from dispatch.broker.accounts import dynsec_file
from dispatch.broker.acl import DYNSEC_TOPIC
from dispatch.broker.admin import BrokerAdmin
from dispatch.broker.dynsec import AclEntry, AclType, DynsecFile, NotAnAnswer, RoleWords, decode_file, encode_file
from dispatch.broker.guard import RESPONSE_TOPIC, BrokerGuard
from dispatch.cli import main
from dispatch.registry.secrets import hash_secret, new_secret
from lab.broker import free_port
from lab.secure_broker import SecureBroker
from protocol.timers import REVOKE_S
from tests.integration.broker_admin_rig import BUS, CAR, PEOPLE, TV, come, knock
from tests.integration.door_rig import OFFICES, Doors, Person, nobody


@pytest.fixture
def broker() -> Iterator[SecureBroker]:
    with SecureBroker([person.user for person in PEOPLE], OFFICES) as broker:
        yield broker


@pytest.fixture
def doors() -> Iterator[Doors]:
    doors = Doors()
    try:
        yield doors
    finally:
        doors.close()


class Server:
    """The floor control server's connection with a guard on it, ticked as the server's loop does."""

    def __init__(self, doors: Doors, broker: SecureBroker) -> None:
        self._doors = doors
        self.caller = doors.enter(broker.server_settings(), f"ptt-dispatch-{random.randrange(1000)}")
        doors.subscribe(self.caller, [RESPONSE_TOPIC], qos=0)
        self.guard = BrokerGuard(lambda topic, payload: self.caller.link.publish(topic, payload, qos=1), "1")
        self.guard.connected(0.0)

    def turn(self) -> None:
        for message in self.caller.received:
            self.guard.received(message.topic, message.payload)
        self.caller.received.clear()
        self.guard.tick(time.monotonic())


# --- the guard --------------------------------------------------------------------------------------------------------


def test_the_guard_cuts_a_revoked_user_off_at_the_real_broker_in_time(broker: SecureBroker, doors: Doors) -> None:
    # given a server with its guard in rest, and a user that is connected twice
    server = Server(doors, broker)
    users = [person.user for person in PEOPLE]
    server.guard.want(users)
    doors.until(lambda: server.turn() is None and server.guard._audited_at is not None, "the first audit")
    assert (server.guard.missing, server.guard.unknown, server.guard.fault) == ((), (), "")
    control, voice, other = come(doors, broker, CAR), come(doors, broker, CAR, voice=True), come(doors, broker, BUS)

    # when the registry says that it is revoked
    server.guard.want([msgspec.structs.replace(CAR.user, revoked_at=1, secret=None), *users[1:]])
    gone = lambda: server.turn() is None and not control.up and not voice.up  # noqa: E731
    took_s = doors.until(gone, "it is cut", REVOKE_S)

    # then it is cut off, far within the time of a revocation, and does not get in again
    assert took_s < 1.0
    assert not knock(doors, broker, CAR)
    assert other.up
    doors.until(lambda: server.turn() is None and server.guard.pending == (), "the broker's word")


def test_a_replaced_unit_is_shut_out_again_by_a_broker_that_went_back_to_an_older_file_of_its_users(
    broker: SecureBroker, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a user that was enrolled anew, and a broker restored from a backup of before
    monkeypatch.setattr("dispatch.broker.guard.SETTLE_S", 1.0)
    before, fresh = (broker.doors / files.DYNSEC).read_bytes(), new_secret()
    now = msgspec.structs.replace(CAR.user, secret=hash_secret(fresh))
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.put_user(now, fresh)
    broker.stop()
    (broker.doors / files.DYNSEC).write_bytes(before)
    broker.start()
    replaced = come(doors, broker, CAR)

    # when the server is back
    server = Server(doors, broker)
    server.guard.want([now])

    # then the older secret opens nothing
    doors.until(lambda: server.turn() is None and not replaced.up, "the replaced unit cut off", 10.0)
    assert not knock(doors, broker, CAR)
    assert set(server.guard.missing) >= {CAR.login(), CAR.login(voice=True)}


def test_a_connection_that_stands_is_ruled_by_the_new_rules_at_once(doors: Doors, tmp_path: Path) -> None:
    # given a broker whose file an older version made, with a rule that is no more
    with SecureBroker([person.user for person in PEOPLE], OFFICES, folder=tmp_path) as broker:
        broker.stop()
        _give_old_rules(broker.doors / files.DYNSEC, "ptt/v1/seoul/1/floor/+/reply")
        broker.start()
        car = come(doors, broker, CAR)
        assert doors.subscribe(car, ["ptt/v1/seoul/1/floor/+/reply"]) == {"ptt/v1/seoul/1/floor/+/reply": True}

        # when the new version's server comes with its guard
        server = Server(doors, broker)
        server.guard.want([person.user for person in PEOPLE])
        updated = lambda: server.turn() is None and _rules_of(broker, CAR) == _due(CAR)  # noqa: E731
        doors.until(updated, "the rules are brought up to date")

        # then the member was not cut off, and what it had subscribed to brings nothing but its own any more
        own, foreign = "ptt/v1/seoul/1/floor/car-1/reply", "ptt/v1/seoul/1/floor/bus-1/reply"
        doors.publish(server.caller, {foreign: b"foreign", own: b"own"})
        doors.until(lambda: b"own" in car.payloads(), "its own reply")
        assert car.payloads() == {b"own"}
        assert car.up


def _give_old_rules(path: Path, topic: str) -> None:
    file: DynsecFile = decode_file(path.read_bytes())
    old = tuple(AclEntry(acltype=kind, topic=topic) for kind in (AclType.SUBSCRIBE, AclType.RECEIVE))
    roles = tuple(
        RoleWords(rolename=role.rolename, acls=old) if role.rolename == CAR.login() else role for role in file.roles
    )
    path.write_bytes(encode_file(msgspec.structs.replace(file, roles=roles)))


def _rules_of(broker: SecureBroker, person: Person) -> list[AclEntry]:
    try:
        file = decode_file((broker.doors / files.DYNSEC).read_bytes())
    except NotAnAnswer:
        return []  # it is just being written, in place
    return sorted(next(role.acls for role in file.roles if role.rolename == person.login()))


def _due(person: Person) -> list[AclEntry]:
    file = dynsec_file([person.user], hash_secret(nobody()))
    return sorted(next(role.acls for role in file.roles if role.rolename == person.login()))


# --- the folder -------------------------------------------------------------------------------------------------------


def test_the_folder_is_closed_to_others_before_and_after_the_plugin_wrote_its_file(broker: SecureBroker) -> None:
    def modes() -> dict[str, int]:
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in broker.doors.iterdir()}

    expected = {files.CONF: 0o644, files.DYNSEC: 0o600, files.CA: 0o644, files.CERT: 0o644, files.KEY: 0o600}
    assert stat.S_IMODE(broker.doors.stat().st_mode) == 0o700
    assert modes() == expected
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.disable(CAR.user)
    assert modes() == expected


def test_a_link_in_the_place_of_the_folder_leads_root_nowhere(broker: SecureBroker, tmp_path: Path) -> None:
    # given a broker that was taken over and has put a link where root writes certificates at their renewal
    precious, doors, own = tmp_path / "precious", tmp_path / "doors", broker.folder / "pki"
    precious.mkdir(mode=0o755)
    doors.symlink_to(precious)

    # then root neither writes there nor gives it away
    with pytest.raises(files.BrokerFilesError, match="it is a link"):
        files.install_certificates(doors, ca=own / "ca.pem", cert=own / "broker.pem", key=own / "broker.key")
    assert (stat.S_IMODE(precious.stat().st_mode), list(precious.iterdir())) == (0o755, [])


def test_the_configuration_that_mosquitto_reads_as_root_is_no_file_its_own_user_may_change(tmp_path: Path) -> None:
    # given the open configuration of private networks where ours is to be, and a link of an older installation
    conf_d, folder = tmp_path / "conf.d", tmp_path / "ptt"
    conf_d.mkdir()
    folder.mkdir()
    (folder / "ptt.conf").write_text("allow_anonymous false\n")
    for make in (
        lambda place: place.write_text("allow_anonymous true\n"),
        lambda place: place.symlink_to(folder / "ptt.conf"),
    ):
        place = conf_d / "ptt.conf"
        place.unlink(missing_ok=True)
        make(place)

        # when it is put there, twice
        assert files.install(folder, conf_d) == files.install(folder, conf_d) == place

        # then it is a copy, and the other is kept under a name that mosquitto does not read
        assert (place.is_symlink(), place.read_text()) == (False, "allow_anonymous false\n")
        assert stat.S_IMODE(place.stat().st_mode) == 0o644
        assert [path.name for path in sorted(conf_d.iterdir())] == ["ptt.conf", "ptt.conf.before"]
    with pytest.raises(files.BrokerFilesError, match="run as root, or copy"):
        files.install(folder, tmp_path / "nowhere")


def test_a_copy_of_the_configuration_is_known_by_its_folder(broker: SecureBroker, tmp_path: Path) -> None:
    conf_d = broker.folder / "conf.d"

    assert files.reads(broker.doors, conf_d)
    assert not files.reads(tmp_path, conf_d)
    assert not files.reads(broker.doors, tmp_path)


def test_certificates_that_do_not_belong_together_are_refused_before_anything_is_written(
    broker: SecureBroker, tmp_path: Path
) -> None:
    with SecureBroker() as other:
        own, foreign = broker.folder / "pki", other.folder / "pki"
        good = {"ca": own / "ca.pem", "cert": own / "broker.pem", "key": own / "broker.key"}
        for wrong, match in (
            ({"ca": foreign / "ca.pem"}, "was not signed by the CA given"),
            ({"key": foreign / "broker.key"}, "the key does not belong to"),
            ({"cert": own / "broker.key"}, "is not usable"),
            ({"cert": own / "missing.pem"}, "missing.pem cannot be read"),
        ):
            with pytest.raises(files.BrokerFilesError, match=match):
                files.install_certificates(tmp_path / "new", **{**good, **wrong})
    assert not (tmp_path / "new").exists()


def test_a_renewed_certificate_is_shown_after_a_reload_and_nobody_is_cut_off_for_it(
    broker: SecureBroker, doors: Doors
) -> None:
    # given a user that is connected
    car = come(doors, broker, CAR)
    before = _shown(broker)

    # when the certificate is renewed by the same authority, and mosquitto is told to reload
    folder = broker.folder / "pki"
    authority = pki.read_authority(folder / "ca.pem", folder / "ca.key")
    leaf = pki.new_server(authority, ("127.0.0.1",), dt.datetime.now(dt.UTC))
    (folder / "new.pem").write_bytes(leaf.certificate_pem)
    (folder / "new.key").write_bytes(leaf.key_pem)
    files.install_certificates(broker.doors, ca=folder / "ca.pem", cert=folder / "new.pem", key=folder / "new.key")
    os.kill(broker.pid, signal.SIGHUP)

    # then it is shown to who connects now, and the doors are as they were
    doors.until(lambda: _shown(broker) != before, "the new certificate")
    assert _shown(broker) == ssl.PEM_cert_to_DER_cert(leaf.certificate_pem.decode())
    assert car.up
    assert knock(doors, broker, BUS)
    assert not doors.knock(broker.settings(None, None), "anybody").up


def _shown(broker: SecureBroker) -> bytes:
    context = ssl.create_default_context(cafile=str(broker.ca))
    with (
        socket.create_connection(("127.0.0.1", broker.port), 5) as line,
        context.wrap_socket(line, server_hostname="127.0.0.1") as secured,
    ):
        shown = secured.getpeercert(binary_form=True)
    assert shown is not None
    return shown


@pytest.mark.parametrize(("version", "welcome"), [("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)])
def test_tls_before_1_2_is_refused(broker: SecureBroker, version: str, welcome: bool) -> None:
    # given a client that speaks one version alone, old ciphers allowed
    context = ssl.create_default_context(cafile=str(broker.ca))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]

    # when it greets
    with socket.create_connection(("127.0.0.1", broker.port), 5) as line:
        try:
            with context.wrap_socket(line, server_hostname="127.0.0.1") as secured:
                spoken = secured.version()
        except ssl.SSLError:
            spoken = None

    # then only what is new enough is spoken
    assert (spoken is not None) is welcome


@pytest.mark.parametrize("left", [None, b"", b'{"clients":[{"userna', b'{"clients":[],"roles":[]}'])
def test_a_file_of_users_that_a_power_cut_has_torn_is_found(broker: SecureBroker, left: bytes | None) -> None:
    # given a file that the plugin has written
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.disable(CAR.user)
    assert not files.damaged(broker.doors)

    # when it is gone or torn
    path = broker.doors / files.DYNSEC
    path.unlink()
    if left is not None:
        path.write_bytes(left)

    # then that is seen
    assert files.damaged(broker.doors)


def test_a_torn_file_of_users_is_made_anew_from_the_registry_and_a_whole_one_is_left_alone(tmp_path: Path) -> None:
    # given an office as `init` makes it
    folder = tmp_path / "ptt"
    ports = ["--listen", "127.0.0.1", "--broker-port", str(free_port()), "--rest-port", str(free_port())]
    office = ["--region", "seoul", "--office", "hq", "--name", "HQ", "--host", "office.example.com"]
    assert main(["init", "--dir", str(folder), *office, *ports, "--admin", "chief"]) == 0
    mend = ["broker-config", "--if-damaged", "--config", str(folder / "dispatch.toml")]
    path = folder / "broker" / files.DYNSEC
    whole = path.read_bytes()

    # when it is looked after before each start of the broker
    assert main(mend) == 0
    untouched = path.read_bytes()
    path.write_bytes(whole[:100])
    assert main(mend) == 0

    # then a whole file stays as it is, and a torn one holds the same logins and rules again
    assert untouched == whole
    assert decode_file(path.read_bytes()).roles == decode_file(whole).roles


def test_a_machine_without_the_plugin_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(files.BrokerFilesError, match="apt install mosquitto"):
        files.find_plugin([tmp_path])
    (tmp_path / files.PLUGIN).touch()
    assert files.find_plugin([tmp_path]) == tmp_path / files.PLUGIN


def test_users_of_an_office_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(files.BrokerFilesError, match="users of seoul/1, but no such office"):
        SecureBroker([CAR.user], OFFICES[1:], folder=tmp_path)


def test_nobody_but_the_server_hears_what_the_broker_answers_about_users(broker: SecureBroker, doors: Doors) -> None:
    tv = come(doors, broker, TV)
    assert doors.subscribe(tv, [RESPONSE_TOPIC]) == {RESPONSE_TOPIC: False}
    assert doors.publish(tv, {DYNSEC_TOPIC: b"{}"}) == {DYNSEC_TOPIC: False}


def test_a_restored_office_on_a_new_machine_does_not_start_with_an_open_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an office as `init` makes it, whose broker's folder was lost, on a machine with the open configuration
    folder, conf_d = tmp_path / "ptt", tmp_path / "conf.d"
    ports = ["--listen", "127.0.0.1", "--broker-port", str(free_port()), "--rest-port", str(free_port())]
    office = ["--region", "seoul", "--office", "hq", "--name", "HQ", "--host", "office.example.com"]
    assert main(["init", "--dir", str(folder), *office, *ports, "--admin", "chief", "--no-link"]) == 0
    doors = folder / "broker"
    shutil.rmtree(doors)
    conf_d.mkdir()
    (conf_d / "ptt.conf").write_text("allow_anonymous true\n")
    monkeypatch.setattr(files, "DEFAULT_FOLDER", doors)
    monkeypatch.setattr(files, "CONF_D", conf_d)

    # when the broker's folder is made anew
    assert main(["broker-config", "--config", str(folder / "dispatch.toml")]) == 0

    # then mosquitto reads it, and the open one no more
    assert (conf_d / "ptt.conf").read_text() == (doors / "ptt.conf").read_text()
    assert (conf_d / "ptt.conf.before").read_text() == "allow_anonymous true\n"
