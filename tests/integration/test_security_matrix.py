"""The broker's doors, tried at a real mosquitto with the generated configuration: who gets in, and what then.

SENTENCES says what is allowed, in words and by literal topics; nothing else is. It is written apart from the table that
makes the broker's rules (`dispatch.broker.acl`), and the table in docs/security.md is held against it too.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from dispatch.broker.admin import BrokerAdmin
from lab.secure_broker import SecureBroker
from protocol.login import SERVER_LOGIN
from service.mqtt import Will
from tests.integration.door_rig import BUSAN_1, OFFICES, SEOUL_1, SEOUL_10, Caller, Doors, Person, nobody
from tests.integration.security_sentences import (
    ALL,
    CONNECTIONS,
    CROOKED,
    EVERYBODY,
    OF_A_USER,
    OF_THE_OFFICE,
    OTHER,
    PEOPLE,
    REVOKED,
    TAKEOVER,
    TOPICS,
    TWIN,
    WILDCARDS,
    allowed,
    full,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def broker() -> Iterator[SecureBroker]:
    with SecureBroker([person.user for person in EVERYBODY], OFFICES) as broker:
        yield broker


@pytest.fixture
def doors() -> Iterator[Doors]:
    doors = Doors()
    try:
        yield doors
    finally:
        doors.close()


def come(doors: Doors, broker: SecureBroker, person: Person, connection: str = "control") -> Caller:
    login = person.login(voice=connection == "voice")
    return doors.enter(broker.settings(login, person.secret), login)


def server(doors: Doors, broker: SecureBroker) -> Caller:
    return doors.enter(broker.server_settings(), "ptt-dispatch-1")


@ALL
def test_what_a_role_publishes_reaches_others_only_where_a_sentence_allows_it(
    broker: SecureBroker, doors: Doors, role: str, connection: str
) -> None:
    # given the server, who reads everything, and one user of seoul/1
    ear = server(doors, broker)
    assert doors.subscribe(ear, ["ptt/v1/#"]) == {"ptt/v1/#": True}
    me = PEOPLE[role].user.user
    mouth = come(doors, broker, PEOPLE[role], connection)
    ear.received.clear()

    # when it publishes on every topic of its own office and of two others, with QoS 1 and 0, and on crooked ones
    offices = (SEOUL_1, SEOUL_10, BUSAN_1)
    tried = {full(office, topic, me): f"{office} {topic}".encode() for office in offices for topic in TOPICS}
    taken = doors.publish(mouth, tried)
    for topic, payload in tried.items():
        assert mouth.link.publish(topic, b"qos 0 " + payload)
    crooked = doors.publish(mouth, dict.fromkeys(CROOKED, b"crooked"))
    takeover = doors.publish(mouth, {"$CONTROL/dynamic-security/v1": TAKEOVER})
    doors.publish(ear, {"ptt/v1/seoul/1/end": b"end"})
    doors.until(lambda: b"end" in ear.payloads(), "the end")

    # then the broker took, and the server heard, what the sentences allow, and nothing else
    may = allowed(role, connection, "publish")
    expected = {full(SEOUL_1, topic, me) for topic in may}
    assert {topic for topic, ok in taken.items() if ok} == expected
    heard = {(message.topic, message.payload) for message in ear.received} - {("ptt/v1/seoul/1/end", b"end")}
    right = {(topic, tried[topic]) for topic in expected}
    assert heard == right | {(topic, b"qos 0 " + payload) for topic, payload in right}
    assert not any(crooked.values())
    assert takeover == {"$CONTROL/dynamic-security/v1": False}
    with BrokerAdmin(broker.server_settings()) as admin:
        assert "thief" not in admin.users()


@ALL
def test_what_a_role_receives_is_only_what_a_sentence_allows(
    broker: SecureBroker, doors: Doors, role: str, connection: str
) -> None:
    # given a user that asks for every topic, one by one, of its own office and of two others
    me = PEOPLE[role].user.user
    ear = come(doors, broker, PEOPLE[role], connection)
    offices = (SEOUL_1, SEOUL_10, BUSAN_1)
    names = {full(office, topic, me): f"{office} {topic}".encode() for office in offices for topic in TOPICS}
    given = doors.subscribe(ear, list(names))
    wild = doors.subscribe(ear, [name.replace("/me/", f"/{me}/") for name in WILDCARDS])

    # when the server publishes on all of them, and the broker on its own
    mouth = server(doors, broker)
    assert all(doors.publish(mouth, names).values())
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.users()
    last = full(SEOUL_1, sorted(allowed(role, connection, "read"))[0], me)
    doors.publish(mouth, {last: b"end"})
    doors.until(lambda: b"end" in ear.payloads(), "the end")

    # then it was given, and it heard, what the sentences allow, and nothing else
    expected = {full(SEOUL_1, topic, me) for topic in allowed(role, connection, "read")}
    assert {name for name, ok in given.items() if ok} == expected
    assert [name for name, ok in wild.items() if ok] == []
    heard = {(message.topic, message.payload) for message in ear.received} - {(last, b"end")}
    assert heard == {(topic, names[topic]) for topic in expected}


@ALL
def test_a_whole_kind_is_subscribed_to_at_once_where_all_of_it_may_be_read(
    broker: SecureBroker, doors: Doors, role: str, connection: str
) -> None:
    # given every kind of topic, with `+` for the user, and for the alert
    kinds = [kind.replace("{}", "+").replace("microphone", "+") for kind in OF_A_USER if "clone" not in kind]
    may = allowed(role, connection, "read")
    expected = {
        kind: {form.format("me"), form.format("other")} <= may
        for kind, form in zip(kinds, (kind for kind in OF_A_USER if "clone" not in kind), strict=True)
    }

    # when it subscribes to each
    caller = come(doors, broker, PEOPLE[role], connection)
    given = doors.subscribe(caller, [f"ptt/v1/seoul/1/{kind}" for kind in kinds])

    # then it is given those of which it may read everybody's
    assert given == {f"ptt/v1/seoul/1/{kind}": ok for kind, ok in expected.items()}


def test_the_server_reads_and_publishes_everything_of_every_office_and_shares_the_floor(
    broker: SecureBroker, doors: Doors
) -> None:
    # given the server's login, twice, as of two replicas
    first = server(doors, broker)
    second = doors.enter(broker.server_settings(), "ptt-dispatch-2")
    shared = "$share/ptt-dispatch/ptt/v1/seoul/10/floor/+"
    assert doors.subscribe(first, [shared]) == doors.subscribe(second, [shared]) == {shared: True}

    # when a member asks for the floor
    member = come(doors, broker, TWIN)
    assert doors.publish(member, {"ptt/v1/seoul/10/floor/other": b"request"}) == {"ptt/v1/seoul/10/floor/other": True}

    # then one of them is told, and a group of another name is refused even to the server
    doors.until(lambda: len(first.received) + len(second.received) == 1, "one replica is told")
    foreign = "$share/other/ptt/v1/seoul/10/floor/+"
    assert doors.subscribe(first, [foreign, "$SYS/#", "#"]) == {foreign: False, "$SYS/#": False, "#": False}
    crooked = doors.publish(first, {"$SYS/broker/uptime": b"", "elsewhere": b""})
    assert crooked == {"$SYS/broker/uptime": False, "elsewhere": False}


def test_nobody_gets_in_without_a_login_a_secret_and_a_client_id_of_its_own(broker: SecureBroker, doors: Doors) -> None:
    # given a member that is connected, and one whose doors are shut
    car = come(doors, broker, OTHER)
    with BrokerAdmin(broker.server_settings()) as admin:
        admin.disable(REVOKED.user)
    me = PEOPLE["pickup_driver"]
    settings = broker.settings
    monitor = PEOPLE["monitor"]

    # when all of these knock
    tries = {
        "anonymous": (settings(None, None), "somebody"),
        "anonymous with a member's client id": (settings(None, None), OTHER.login()),
        "no password": (settings(OTHER.login(), None), OTHER.login()),
        "wrong secret": (settings(OTHER.login(), nobody()), OTHER.login()),
        "another member's secret": (settings(OTHER.login(), me.secret), OTHER.login()),
        "the same name's secret in office 10": (settings(OTHER.login(), TWIN.secret), OTHER.login()),
        "unknown login": (settings("seoul.1.ghost", nobody()), "seoul.1.ghost"),
        "server with a wrong secret": (settings(SERVER_LOGIN, nobody()), "ptt-dispatch-1"),
        "server with a member's secret": (settings(SERVER_LOGIN, me.secret), "ptt-dispatch-1"),
        "revoked": (settings(REVOKED.login(), REVOKED.secret), REVOKED.login()),
        "revoked voice": (settings(REVOKED.login(voice=True), REVOKED.secret), REVOKED.login(voice=True)),
        "another's client id": (settings(me.login(), me.secret), OTHER.login()),
        "the server's client id": (settings(me.login(), me.secret), "ptt-dispatch-1"),
        "the voice worker's client id": (settings(me.login(), me.secret), me.login(voice=True)),
        "no client id": (settings(me.login(), me.secret), ""),
        "a monitor's voice": (settings(monitor.login(voice=True), monitor.secret), monitor.login(voice=True)),
    }
    got_in = [what for what, (with_settings, client_id) in tries.items() if doors.knock(with_settings, client_id).up]

    # then nobody gets in, and the member whose client id was used is not disturbed
    assert got_in == []
    assert doors.subscribe(car, ["ptt/v1/seoul/1/session"]) == {"ptt/v1/seoul/1/session": True}
    assert car.up


def test_the_port_speaks_tls_alone(broker: SecureBroker) -> None:
    # given a client that does not encrypt
    plain = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x03abc"
    with socket.create_connection((broker.settings(None, None).host, broker.port), 5) as line:
        # when it greets
        line.sendall(plain)

        # then it is answered by a TLS alert (or nothing), never by a CONNACK
        try:
            answer = line.recv(64)
        except ConnectionResetError:
            answer = b""
    assert answer[:1] in (b"", b"\x15")


@pytest.mark.parametrize("retain", [True, False])
@pytest.mark.parametrize(
    "topic",
    [
        "ptt/v1/seoul/1/presence/other",
        "ptt/v1/seoul/1/session",
        "ptt/v1/seoul/10/presence/me",
        "ptt/v1/seoul/1/nonsense",
    ],
)
def test_a_last_will_on_a_foreign_topic_is_never_published(
    broker: SecureBroker, doors: Doors, topic: str, retain: bool
) -> None:
    # given the server, reading, and a member whose last will is on a topic it may not publish on
    person = PEOPLE["vehicle_gateway"]
    ear = server(doors, broker)
    doors.subscribe(ear, ["ptt/v1/#"])
    ear.received.clear()
    topic = topic.replace("/me", f"/{person.user.user}")
    settings, will = broker.settings(person.login(), person.secret), Will(topic=topic, payload=b"will", retain=retain)
    caller = doors.knock(settings, person.login(), will)

    # when it is cut off, if it got in at all
    caller.link.drop("cut")
    again = come(doors, broker, person)
    doors.publish(again, {f"ptt/v1/seoul/1/presence/{person.user.user}": b"after"})
    doors.until(lambda: b"after" in ear.payloads(), "the member's own presence")

    # then the will is told to nobody
    assert b"will" not in ear.payloads()


def test_a_last_will_on_ones_own_presence_is_published_at_a_cut(broker: SecureBroker, doors: Doors) -> None:
    # given the same with a will as a vehicle has it
    person = PEOPLE["vehicle_gateway"]
    ear = server(doors, broker)
    doors.subscribe(ear, ["ptt/v1/#"])
    will = Will(topic=f"ptt/v1/seoul/1/presence/{person.user.user}", payload=b"will", retain=False)
    caller = doors.enter(broker.settings(person.login(), person.secret), person.login(), will)

    # when it is cut off
    caller.link.drop("cut")

    # then the will is told
    doors.until(lambda: b"will" in ear.payloads(), "the will")


def test_what_may_not_be_published_is_not_retained_either(broker: SecureBroker, doors: Doors) -> None:
    # given a member that publishes retained on every topic of three offices
    person = PEOPLE["vehicle_gateway"]
    me = person.user.user
    mouth = come(doors, broker, person)
    names = {full(office, topic, me): b"kept" for office in (SEOUL_1, SEOUL_10, BUSAN_1) for topic in TOPICS}
    doors.publish(mouth, names, retain=True)

    # when the server comes and reads everything
    ear = server(doors, broker)
    doors.subscribe(ear, ["ptt/v1/#"])
    doors.publish(ear, {"ptt/v1/seoul/1/end": b"end"})
    doors.until(lambda: b"end" in ear.payloads(), "the end")

    # then only what the sentences allow was kept
    kept = {message.topic for message in ear.received if message.payload == b"kept"}
    assert kept == {full(SEOUL_1, topic, me) for topic in allowed("vehicle_gateway", "control", "publish")}
    doors.publish(ear, dict.fromkeys(kept, b""), retain=True)


def test_an_older_mqtt_version_opens_no_other_door(broker: SecureBroker, doors: Doors) -> None:
    # given a member that speaks MQTT 3.1.1
    person = PEOPLE["vehicle_gateway"]
    ear = server(doors, broker)
    doors.subscribe(ear, ["ptt/v1/#"])
    ear.received.clear()
    client = paho.Client(CallbackAPIVersion.VERSION2, person.login(), protocol=paho.MQTTv311)
    client.tls_set(str(broker.ca))
    client.username_pw_set(person.login(), person.secret.reveal())
    granted: list[int] = []
    client.on_subscribe = lambda _c, _u, _mid, codes, _p: granted.extend(code.value for code in codes)
    client.on_connect = lambda *_: client.subscribe([("ptt/v1/seoul/1/voice/+", 0), ("#", 0), ("$SYS/#", 0)])
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        # when it subscribes and publishes where it may not, and then where it may
        doors.until(lambda: len(granted) == 3, "answers to its subscriptions")
        client.publish("ptt/v1/seoul/1/session", b"forged", qos=1)
        client.publish("ptt/v1/seoul/10/presence/other", b"forged", qos=1)
        client.publish(f"ptt/v1/seoul/1/presence/{person.user.user}", b"own", qos=1)
        doors.until(lambda: b"own" in ear.payloads(), "its own presence")
    finally:
        client.disconnect()
        client.loop_stop()

    # then it was refused, and the forged ones reached nobody
    assert granted == [0x80, 0x80, 0x80]
    assert ear.payloads() == {b"own"}


def test_a_member_that_sends_a_larger_message_than_any_is_cut_off_and_the_others_go_on(
    broker: SecureBroker, doors: Doors
) -> None:
    # given a member, and another that heeds no bound (MQTT 3.1.1 is not told of one)
    car, person = come(doors, broker, OTHER), PEOPLE["vehicle_gateway"]
    ends: list[str] = []
    flooder = paho.Client(CallbackAPIVersion.VERSION2, person.login(), protocol=paho.MQTTv311)
    flooder.tls_set(str(broker.ca))
    flooder.username_pw_set(person.login(), person.secret.reveal())
    flooder.on_disconnect = lambda *_: ends.append("cut")
    flooder.connect("127.0.0.1", broker.port)
    flooder.loop_start()
    try:
        # when it sends a message beyond the broker's bound
        flooder.publish(f"ptt/v1/seoul/1/presence/{person.user.user}", bytes(300_000))

        # then it is cut off, and the other is served
        doors.until(lambda: bool(ends), "the end of the flooder's connection")
    finally:
        flooder.disconnect()
        flooder.loop_stop()
    beat = {"ptt/v1/seoul/1/heartbeat/other": b"beat"}
    assert doors.publish(car, beat) == dict.fromkeys(beat, True)


def test_the_table_in_the_documents_says_what_the_sentences_say() -> None:
    # given the table of docs/security.md
    text = (ROOT / "docs/security.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in _part(text, "broker-acl").splitlines()]
    head, body = rows[0], rows[2:]
    columns = [tuple(title.split(": ")) for title in head[1:]]

    # when it is read cell by cell
    found = {
        (role, over, act, topic)
        for row in body
        for (roles, over), cell in zip(columns, row[1:], strict=True)
        for role in roles.split(", ")
        for act, reach in re.findall(r"(publish|read) (own|office)", cell)
        for topic in _reached(row[0].strip("`"), reach)
    }

    # then it is what the sentences say, and every kind of topic has a row
    said = {
        (role, over, act, topic)
        for role, over in CONNECTIONS
        for act in ("publish", "read")
        for topic in allowed(role, over, act)
        if "alert/clone" not in topic
    }
    assert found == said
    assert len({row[0] for row in body}) == len(OF_THE_OFFICE) + len(OF_A_USER) - 1


def _part(text: str, name: str) -> str:
    found = re.search(rf"generated by `make docs`: {name} -->\n+(\|.*?)\n\n", text, re.DOTALL)
    assert found is not None
    return found[1]


def _reached(kind: str, reach: str) -> list[str]:
    kind = kind.replace("<id>", "microphone")
    users = ("me",) if reach == "own" else ("me", "other")
    return [kind.replace("<user>", user) for user in users] if "<user>" in kind else [kind]
