"""The broker's rights as rules, and the plugin's words."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from dispatch.broker.accounts import accounts, dynsec_file
from dispatch.broker.acl import (
    TABLE,
    Connection,
    Place,
    entries,
    home_assistant_entries,
    logins,
    server_entries,
    web_entries,
)
from dispatch.broker.conf import BOUNDS
from dispatch.broker.dynsec import (
    AclType,
    Answer,
    CreateClient,
    DisableClient,
    NotAnAnswer,
    RoleRef,
    decode,
    decode_file,
    encode,
    encode_file,
)
from dispatch.registry.words import SecretHash, User
from protocol.ids import OfficeId
from protocol.login import SERVER_LOGIN, Login
from protocol.rest import Role
from protocol.topics import BadTopic, Kind
from service.settings import Secret

OFFICE = OfficeId("seoul", "1")
HASH = SecretHash(salt="AAAAAAAAAAAAAAAA", iterations=101, hash="B" * 88)
ENTRIES = [entry for (role, connection) in TABLE for entry in entries(Login(OFFICE, "car-1"), role, connection)]


def user(name: str, role: Role = Role.VEHICLE_GATEWAY, **more: object) -> User:
    return msgspec.structs.replace(User(office=OFFICE, user=name, role=role, name=name, uid=1, secret=HASH), **more)


def test_every_topic_of_the_protocol_has_a_place_in_the_table() -> None:
    places = {place.value.replace("alert/+", "alert/{}") for place in Place}
    assert {kind.value for kind in Kind} <= places


def test_every_role_has_a_control_connection_and_only_those_who_speak_a_voice_connection() -> None:
    assert {role for role, connection in TABLE if connection is Connection.CONTROL} == set(Role)
    spoken = {role for role, connection in TABLE if connection is Connection.VOICE}
    assert spoken == {role for role in Role if role.member} | {Role.BRIDGE}


def test_no_rule_of_a_user_leaves_its_office_or_takes_in_more_than_one_level() -> None:
    others = [entry for entry in ENTRIES if not entry.topic.startswith("ptt/v1/seoul/1/")]
    assert others == list(home_assistant_entries(OFFICE))
    assert all("#" not in entry.topic and "$" not in entry.topic for entry in ENTRIES)


def test_the_dashboards_login_publishes_nothing_and_hears_no_voice_and_no_answer_to_a_member() -> None:
    made = web_entries()

    assert {entry.acltype for entry in made} == {AclType.SUBSCRIBE, AclType.RECEIVE}
    assert all(entry.topic.startswith("ptt/v1/+/+/") and "#" not in entry.topic for entry in made)
    assert not {entry.topic.removeprefix("ptt/v1/+/+/") for entry in made} & {"voice/+", "floor/+/reply", "floor/+"}


def test_no_rule_stands_twice_in_a_role_since_the_plugin_keeps_one_of_a_topic() -> None:
    for role, connection in TABLE:
        made = entries(Login(OFFICE, "car-1"), role, connection)
        keys = [(entry.acltype, entry.topic) for entry in made]
        assert len(keys) == len(set(keys))


def test_who_may_subscribe_may_receive_and_nothing_else() -> None:
    for role, connection in TABLE:
        found = entries(Login(OFFICE, "car-1"), role, connection)
        made = [entry for entry in found if entry not in home_assistant_entries(OFFICE)]
        subscribed = {entry.topic for entry in made if entry.acltype is AclType.SUBSCRIBE}
        assert subscribed == {entry.topic for entry in made if entry.acltype is AclType.RECEIVE}


def test_home_assistant_subscribes_to_every_vehicle_and_is_given_those_of_its_own_office_alone() -> None:
    received = [entry.topic for entry in home_assistant_entries(OFFICE) if entry.acltype is AclType.RECEIVE]
    assert received == ["homeassistant/device/seoul_1/+/config", "homeassistant/status"]
    written = [entry.topic for entry in home_assistant_entries(OFFICE) if entry.acltype is AclType.PUBLISH]
    assert written == ["homeassistant/status"]


def test_a_rule_that_forbids_comes_before_the_one_that_allows() -> None:
    made = [entry for entry in ENTRIES if not entry.allow]
    assert {entry.topic for entry in made} == {"ptt/v1/seoul/1/device/car-1/alert/clone"}
    assert {entry.priority for entry in made} == {1}
    assert {entry.priority for entry in ENTRIES if entry.allow} == {0}


@pytest.mark.parametrize("name", ["+", "#", "a/b", "car.voice", "Car", "", "-a", "a" * 33, "car\n"])
def test_an_id_that_is_none_makes_no_rule(name: str) -> None:
    with pytest.raises(BadTopic):
        entries(Login(OFFICE, name), Role.VEHICLE_GATEWAY, Connection.CONTROL)
    with pytest.raises(BadTopic):
        entries(Login(OfficeId("seoul", name), "car-1"), Role.VEHICLE_GATEWAY, Connection.CONTROL)


def test_a_login_locks_its_client_id_and_the_servers_does_not() -> None:
    # given a file for a member and a monitor
    file = dynsec_file([user("car-1"), user("tv", Role.MONITOR)], HASH)

    # then the member has two logins, the monitor one, each with its own id and role
    assert {client.username: client.clientid for client in file.clients} == {
        SERVER_LOGIN: None,
        "seoul.1.car-1": "seoul.1.car-1",
        "seoul.1.car-1.voice": "seoul.1.car-1.voice",
        "seoul.1.tv": "seoul.1.tv",
    }
    assert all(client.roles == (RoleRef(rolename=client.username),) for client in file.clients)
    assert {role.rolename for role in file.roles} == {client.username for client in file.clients}


def test_nobody_who_is_revoked_or_has_no_secret_stands_in_the_file() -> None:
    file = dynsec_file([user("gone", revoked_at=1), user("new", secret=None)], HASH)
    assert [client.username for client in file.clients] == [SERVER_LOGIN]


def test_what_no_rule_allows_is_denied_and_nobody_is_anonymous() -> None:
    file = msgspec.json.decode(encode_file(dynsec_file([user("car-1")], HASH)))
    assert file["defaultACLAccess"] == {
        "publishClientSend": False,
        "publishClientReceive": False,
        "subscribe": False,
        "unsubscribe": True,
    }
    assert file["groups"] == []
    assert "anonymousGroup" not in file


def test_the_file_reads_back_as_it_was_written() -> None:
    file = dynsec_file([user("car-1"), user("tv", Role.MONITOR)], HASH)
    assert decode_file(encode_file(file)) == file
    with pytest.raises(NotAnAnswer):
        decode_file(b"{")


def test_the_server_may_share_subscriptions_under_its_own_group_alone() -> None:
    shared = [entry.topic for entry in server_entries() if "$share" in entry.topic]
    assert shared == ["$share/ptt-dispatch/ptt/v1/#"]


def test_logins_follow_from_the_role() -> None:
    assert list(logins(Login(OFFICE, "car-1"), Role.BRIDGE)) == [
        ("seoul.1.car-1", Connection.CONTROL),
        ("seoul.1.car-1.voice", Connection.VOICE),
    ]
    assert [account.login for account in accounts(user("tv", Role.TECHNICIAN))] == ["seoul.1.tv"]


def test_a_command_shows_its_password_to_the_broker_and_to_nobody_else() -> None:
    command = CreateClient(username="a", password=Secret("hunter2"), clientid="a", textname="", roles=(), mark="m:1")
    assert b'"password":"hunter2"' in encode(command)
    assert "hunter2" not in repr(command)


def test_commands_have_the_names_the_plugin_knows() -> None:
    sent = encode(DisableClient(username="a", mark="m:1"))
    assert sent == b'{"commands":[{"command":"disableClient","correlationData":"m:1","username":"a"}]}'


def test_answers_are_read_and_others_bytes_are_told_apart() -> None:
    [answer] = decode(b'{"responses":[{"command":"disableClient","error":"Client not found","correlationData":"m:1"}]}')
    assert answer == Answer(command="disableClient", error="Client not found", mark="m:1")
    assert answer.absent
    assert not answer.already
    for payload in (b"", b"{}", b"[]", b'{"responses":[{"data":{"clients":["a"]}}]}', b"\xff"):
        with pytest.raises(NotAnAnswer):
            decode(payload)


def test_the_open_configuration_of_private_networks_has_the_same_bounds_as_the_guarded_one() -> None:

    shipped = (Path(__file__).resolve().parents[2] / "systemd/mosquitto/ptt.conf").read_text()
    settings = re.compile(r"^[a-z_]+ .*$", re.MULTILINE)
    own = {"listener 1883 127.0.0.1", "allow_anonymous true"}
    assert set(settings.findall(shipped)) - own == set(settings.findall(BOUNDS))
