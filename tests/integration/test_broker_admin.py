"""The broker's users changed while it runs: by the command line's connection and by the guard, at a real mosquitto."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgspec
import pytest

from dispatch.broker import files
from dispatch.broker.admin import BrokerAdmin, BrokerRefused, BrokerUnreachable
from dispatch.broker.dynsec import decode_file
from dispatch.broker.left import StillThere, clear_alerts
from dispatch.registry.secrets import hash_secret, new_secret
from lab.broker import Broker, free_port
from lab.secure_broker import SecureBroker
from protocol.codec import encode
from protocol.login import SERVER_LOGIN
from protocol.messages import Presence, PresenceState
from protocol.rest import Role
from protocol.timers import REVOKE_S
from service.mqtt import BrokerSettings, Will
from tests.integration.broker_admin_rig import BUS, CAR, PEOPLE, TV, come, knock
from tests.integration.door_rig import OFFICES, SEOUL_1, SEOUL_10, Doors, Person, nobody


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


# --- alerts of a unit that is gone ------------------------------------------------------------------------------------


def test_the_alerts_of_a_unit_that_is_gone_are_taken_off_by_the_office_and_a_clones_alert_stays(
    broker: SecureBroker, doors: Doors
) -> None:
    # given two units with alerts, and a clone's alert of the server's own
    gone, other = come(doors, broker, CAR), come(doors, broker, BUS)
    mine, theirs = (f"ptt/v1/seoul/1/device/{user}/alert/" for user in ("car-1", "bus-1"))
    left_behind = {f"{mine}emergency": b"a", f"{mine}microphone": b"b"}
    assert all(doors.publish(gone, left_behind, retain=True).values())
    assert all(doors.publish(other, {f"{theirs}emergency": b"c"}, retain=True).values())
    server = doors.enter(broker.server_settings(), "ptt-dispatch-1")
    assert all(doors.publish(server, {f"{mine}clone": b"d"}, retain=True).values())

    # when the office clears those of the first
    assert clear_alerts(broker.server_settings(), SEOUL_1, "car-1") == ("emergency", "microphone")

    # then whoever comes later sees none of them, and all the others
    watching = come(doors, broker, TV)
    doors.subscribe(watching, ["ptt/v1/seoul/1/device/+/alert/+"])
    doors.until(lambda: len(watching.received) >= 2, "what is left")
    assert watching.payloads() == {b"c", b"d"}
    assert clear_alerts(broker.server_settings(), SEOUL_1, "car-1") == ()


def test_the_alerts_of_a_unit_that_is_connected_are_its_own(broker: SecureBroker, doors: Doors) -> None:
    car = come(doors, broker, CAR)
    presence = Presence(state=PresenceState.SLEEPING, connection_id=(0, 1, 1), presence_no=1, name="one")
    alert = "ptt/v1/seoul/1/device/car-1/alert/emergency"
    messages = {"ptt/v1/seoul/1/presence/car-1": encode(presence), alert: b"a"}
    assert all(doors.publish(car, messages, retain=True).values())

    with pytest.raises(StillThere):
        clear_alerts(broker.server_settings(), SEOUL_1, "car-1")

    watching = come(doors, broker, TV)
    doors.subscribe(watching, [alert])
    doors.until(lambda: watching.payloads() == {b"a"}, "the alert")


def test_alerts_are_not_said_to_be_cleared_where_nobody_answers() -> None:
    with pytest.raises(BrokerUnreachable):
        clear_alerts(BrokerSettings(port=free_port()), SEOUL_1, "car-1")


# --- the command line's connection ------------------------------------------------------------------------------------


def test_a_user_put_at_the_broker_gets_in_on_both_connections_with_its_rights_and_no_more(
    broker: SecureBroker, doors: Doors
) -> None:
    # given a user that the broker does not know
    new = Person(SEOUL_10, "car-1", Role.VEHICLE_GATEWAY, 9)
    assert not knock(doors, broker, new)

    # when it is put there
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.put_user(new.user, new.secret)
        assert admin.users()[new.login()] is False

    # then it gets in, and may do there what its role may
    control, voice = come(doors, broker, new), come(doors, broker, new, voice=True)
    own, foreign = "ptt/v1/seoul/10/floor/car-1", "ptt/v1/seoul/1/floor/car-1"
    assert doors.publish(control, {own: b"", foreign: b""}) == {own: True, foreign: False}
    assert doors.subscribe(voice, ["ptt/v1/seoul/10/voice/+"]) == {"ptt/v1/seoul/10/voice/+": True}
    assert not doors.knock(broker.settings(new.login(), new.secret), "another-id").up


def test_a_new_secret_cuts_the_connections_of_the_old_one_which_opens_nothing_any_more(
    broker: SecureBroker, doors: Doors
) -> None:
    # given a unit that is connected
    control, voice = come(doors, broker, CAR), come(doors, broker, CAR, voice=True)

    # when its replacement is enrolled
    fresh = new_secret()
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.put_user(CAR.user, fresh)
    doors.until(lambda: control.gone is not None and voice.gone is not None, "the old unit is cut")

    # then the old unit stays outside, and the new one is in
    assert not knock(doors, broker, CAR)
    assert not knock(doors, broker, CAR, voice=True)
    assert doors.knock(broker.settings(CAR.login(), fresh), CAR.login()).up


def test_a_disabled_user_is_cut_within_the_time_of_a_revocation_and_enabled_again_comes_back(
    broker: SecureBroker, doors: Doors
) -> None:
    # given a user that is connected twice, and another
    control, voice, other = come(doors, broker, CAR), come(doors, broker, CAR, voice=True), come(doors, broker, BUS)

    # when it is disabled
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.disable(CAR.user)
        took_s = doors.until(lambda: not control.up and not voice.up, "it is cut", REVOKE_S)

        # then both its connections are gone at once, and stay so, and the other one is left alone
        assert took_s < 1.0
        assert not knock(doors, broker, CAR)
        assert not knock(doors, broker, CAR, voice=True)
        assert other.up

        # and enabled again it gets in with the secret it had
        admin.enable(CAR.user)
    assert knock(doors, broker, CAR)


def test_who_is_cut_off_by_a_change_leaves_no_last_will_so_that_the_server_must_say_it(
    broker: SecureBroker, doors: Doors
) -> None:
    # given a user with a will, and somebody who would hear it
    presence = "ptt/v1/seoul/1/presence/car-1"
    will = Will(topic=presence, payload=b"lost")
    car = doors.enter(broker.settings(CAR.login(), CAR.secret), CAR.login(), will)
    bus = come(doors, broker, BUS)
    doors.subscribe(bus, ["ptt/v1/seoul/1/presence/+"])

    # when it is disabled
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.disable(CAR.user)
    doors.until(lambda: not car.up, "it is cut")
    doors.publish(bus, {"ptt/v1/seoul/1/presence/bus-1": b"end"})
    doors.until(lambda: b"end" in bus.payloads(), "the end")

    # then no will was heard
    assert bus.payloads() == {b"end"}


def test_putting_a_disabled_user_opens_its_doors(broker: SecureBroker, doors: Doors) -> None:
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.disable(CAR.user)
        admin.put_user(CAR.user, CAR.secret)
    assert knock(doors, broker, CAR)
    assert knock(doors, broker, CAR, voice=True)


def test_a_removed_user_leaves_no_login_no_role_and_nothing_retained(broker: SecureBroker, doors: Doors) -> None:
    # given a user that left its presence retained
    car = come(doors, broker, CAR)
    presence = "ptt/v1/seoul/1/presence/car-1"
    assert doors.publish(car, {presence: b"online"}, retain=True) == {presence: True}

    # when it is removed, twice
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.remove(CAR.user)
        admin.remove(CAR.user)
        assert CAR.login() not in admin.users()
    doors.until(lambda: not car.up, "it is cut")

    # then its role is gone too, and who comes now is not told of its presence
    kept = decode_file((broker.doors / files.DYNSEC).read_bytes())
    assert not {role.rolename for role in kept.roles} & {CAR.login(), CAR.login(voice=True)}
    bus = come(doors, broker, BUS)
    doors.subscribe(bus, ["ptt/v1/seoul/1/presence/+"])
    doors.publish(bus, {"ptt/v1/seoul/1/presence/bus-1": b"end"})
    doors.until(lambda: b"end" in bus.payloads(), "the end")
    assert bus.payloads() == {b"end"}


def test_a_user_whose_role_has_no_voice_loses_a_voice_login_it_had(broker: SecureBroker) -> None:
    # given a member that becomes a monitor
    with BrokerAdmin(broker.server_settings()) as admin:
        assert CAR.login(voice=True) in admin.users()
        admin.put_user(msgspec.structs.replace(CAR.user, role=Role.MONITOR), CAR.secret)

        # then it has one login
        assert {login for login in admin.users() if "car-1" in login} == {CAR.login()}


def test_changes_outlive_a_restart_of_the_broker(broker: SecureBroker, doors: Doors) -> None:
    new = Person(SEOUL_10, "new", Role.PICKUP_DRIVER, 9)
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.put_user(new.user, new.secret)
        admin.disable(BUS.user)
    broker.kill()
    broker.start()
    assert knock(doors, broker, new)
    assert not knock(doors, broker, BUS)


def test_enabling_somebody_the_broker_does_not_know_says_how_to_mend_it(broker: SecureBroker) -> None:
    stranger = Person(SEOUL_1, "stranger", Role.VEHICLE_GATEWAY, 9)
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.disable(stranger.user)  # is as it should be
        with pytest.raises(BrokerRefused, match="Client not found; enrol the user, or rotate its secret"):
            admin.enable(stranger.user)


def test_hundreds_of_users_are_listed_whole() -> None:
    kept = hash_secret(nobody())
    crowd = [msgspec.structs.replace(CAR.user, user=f"car-{n}", uid=n + 1, secret=kept) for n in range(450)]
    with SecureBroker(crowd, OFFICES) as broker, BrokerAdmin(broker.server_settings()) as admin:
        assert len(admin.users()) == 901


def test_two_that_manage_users_at_once_do_not_take_each_others_answers(broker: SecureBroker) -> None:
    # given many users put by two connections in two threads
    faults: list[Exception] = []

    def put(first: int) -> None:
        try:
            with BrokerAdmin(broker.server_settings()) as admin:
                for n in range(first, first + 10):
                    new = Person(SEOUL_1, f"new-{n}", Role.VEHICLE_GATEWAY, n)
                    admin.put_user(new.user, new.secret)
        except Exception as error:  # noqa: BLE001 - told below
            faults.append(error)

    threads = [threading.Thread(target=put, args=(first,)) for first in (100, 105, 200)]

    # when they run
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # then all are there
    assert faults == []
    with BrokerAdmin(broker.server_settings()) as admin:
        there = admin.users()
    assert {f"seoul.1.new-{n}" for n in (*range(100, 115), *range(200, 210))} <= there.keys()


def test_who_may_not_manage_users_is_told_so(broker: SecureBroker) -> None:
    wrong = broker.settings(SERVER_LOGIN, nobody())
    with pytest.raises(BrokerRefused, match="check username and password"), BrokerAdmin(wrong):
        pass


def test_a_broker_that_is_not_there_is_unreachable() -> None:
    away = BrokerSettings(host="127.0.0.1", port=free_port())
    with pytest.raises(BrokerUnreachable, match="is the broker running"), BrokerAdmin(away):
        pass


def test_a_broker_that_dies_under_a_call_is_unreachable(broker: SecureBroker) -> None:
    with BrokerAdmin(broker.server_settings()) as admin:
        broker.kill()
        with pytest.raises(BrokerUnreachable):
            admin.put_user(CAR.user, CAR.secret)


def test_a_broker_that_hangs_is_unreachable_within_seconds(
    broker: SecureBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.broker.admin.ANSWER_S", 0.5)
    with BrokerAdmin(broker.server_settings()) as admin:
        broker.pause()
        try:
            with pytest.raises(BrokerUnreachable, match="does not answer commands"):
                admin.disable(CAR.user)
        finally:
            broker.resume()


def test_a_broker_without_the_plugin_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatch.broker.admin.ANSWER_S", 0.5)
    with Broker() as plain:
        admin = BrokerAdmin(BrokerSettings(host="127.0.0.1", port=plain.port))
        with admin, pytest.raises(BrokerUnreachable, match="does it load the dynamic-security plugin"):
            admin.users()


def test_no_secret_stands_in_the_brokers_log_or_files(broker: SecureBroker) -> None:
    new = Person(SEOUL_1, "new", Role.VEHICLE_GATEWAY, 9)
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.put_user(new.user, new.secret)
    written = b"".join(path.read_bytes() for path in broker.folder.rglob("*") if path.is_file())
    secrets = [person.secret for person in (*PEOPLE, new)] + [broker.server_secret]
    assert [secret for secret in secrets if secret.reveal().encode() in written] == []
