"""Enrolment at the real service: one code, one unit; what is refused is told; a replacement puts the old unit out."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import paho.mqtt.client as paho
import pytest

from dispatch.registry.secrets import verify
from protocol.enrol_code import new_code
from protocol.messages import EventType
from protocol.rest import Role
from service.settings import Secret
from tests.integration.rest_rig import BUSAN, ONE, OTHER_UNIT, TEN, UNIT, RestOffice, problem
from tests.support.procs import eventually


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestOffice]:
    with ExitStack() as stack:
        made = RestOffice(tmp_path_factory.mktemp("rest"), stack)
        made.start()
        yield made


def guess(number: int) -> str:
    return new_code(hashlib.sha256(str(number).encode()).digest()[:10], b"ca").secret


def connect(office: RestOffice, login: str, secret: str) -> paho.Client:
    """A plain client at the broker; its `on` tells whether it is connected, its `gone` that it was put out."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, login, protocol=paho.MQTTv5, reconnect_on_failure=False)
    client.username_pw_set(login, secret)
    client.tls_set(str(office.broker.ca))
    client.connect("127.0.0.1", office.broker.port, keepalive=10)
    client.loop_start()
    return client


def test_a_code_gives_everything_a_unit_needs_and_opens_the_broker(office: RestOffice) -> None:
    user = office.add("car-17")

    answer = office.caller().post("/v1/enrol", {"code": office.code("car-17"), "hardware": UNIT, "model": "Pi 4"})

    body = answer.json()
    secret = body.pop("secret")
    assert (answer.status_code, body) == (
        201,
        {
            "region": "seoul",
            "office": "1",
            "user": "car-17",
            "role": "vehicle_gateway",
            "name": "car-17호",
            "generation": 1,
            "hardware": UNIT,
            "broker": {"host": "127.0.0.1", "port": office.broker.port},
            "rest_url": office.url,
            "voice": "agora",
            "ca_pem": office.broker.ca.read_text(),
        },
    )
    kept = office.registry.user(ONE, "car-17")
    assert kept is not None
    assert verify(Secret(secret), kept.secret)
    assert kept.uid == user.uid
    client = connect(office, "seoul.1.car-17", secret)
    eventually(client.is_connected)
    client.loop_stop()
    event = office.await_events(ONE, EventType.ENROLLED, 1)[-1]
    assert (event.user, event.metadata) == ("car-17", {"generation": 1, "hardware": UNIT, "replaced": None})


def test_a_replacement_puts_the_old_unit_out_at_once(office: RestOffice) -> None:
    office.add("car-swap")
    old = office.caller().post("/v1/enrol", {"code": office.code("car-swap"), "hardware": UNIT}).json()
    client = connect(office, "seoul.1.car-swap", old["secret"])
    gone = threading.Event()
    client.on_disconnect = lambda *_: gone.set()
    eventually(client.is_connected)

    new = office.caller().post("/v1/enrol", {"code": office.code("car-swap"), "hardware": OTHER_UNIT}).json()

    assert gone.wait(5.0)
    client.loop_stop()
    assert (new["generation"], new["secret"] != old["secret"]) == (2, True)
    assert problem(office.caller("seoul.1.car-swap", Secret(old["secret"])).token()) == (401, "unauthorised")
    again = connect(office, "seoul.1.car-swap", new["secret"])
    eventually(again.is_connected)
    again.loop_stop()
    events = [e for e in office.await_events(ONE, EventType.ENROLLED, 2) if e.user == "car-swap"]
    assert events[-1].metadata == {"generation": 2, "hardware": OTHER_UNIT, "replaced": UNIT}


def test_two_units_with_one_code_at_once_are_one_enrolment(office: RestOffice) -> None:
    office.add("car-race")
    code = office.code("car-race")
    answers: list[int] = []
    callers = [office.caller(address=f"127.0.0.{number}") for number in range(20, 28)]

    def enrol(number: int) -> None:
        hardware = f"{number:016x}"
        answers.append(callers[number].post("/v1/enrol", {"code": code, "hardware": hardware}).status_code)

    threads = [threading.Thread(target=enrol, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [201] + [410] * 7
    kept = office.registry.user(ONE, "car-race")
    assert kept is not None
    assert kept.generation == 1


def test_what_is_wrong_with_a_code_is_told_to_its_bearer_and_to_its_office(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with ExitStack() as stack:
        office = RestOffice(tmp_path_factory.mktemp("rest"), stack)
        service = office.start()
        for user in ("used", "withdrawn", "revoked"):
            office.add(user)
        used, withdrawn, revoked = office.code("used"), office.code("withdrawn"), office.code("revoked")
        assert office.caller().post("/v1/enrol", {"code": used, "hardware": UNIT}).status_code == 201
        office.code("withdrawn")
        office.registry.revoke(ONE, "revoked", "gone")
        caller = office.caller(address="127.0.0.40")

        found = [
            problem(caller.post("/v1/enrol", {"code": code, "hardware": UNIT})) for code in (used, withdrawn, revoked)
        ]

        assert found == [(410, "used_code"), (410, "withdrawn_code"), (410, "revoked")]
        assert service.stop() == 0
        events = office.events(ONE, EventType.ENROL_REFUSED)
        assert sum(event.metadata["count"] for event in events) == 3
        assert {reason for event in events for reason in str(event.metadata["reason"]).split(", ")} == {
            "used_code",
            "withdrawn_code",
            "revoked",
        }
        assert office.events(TEN, EventType.ENROL_REFUSED) == ()


def test_guesses_are_slowed_down_and_told_to_every_office_with_their_number(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with ExitStack() as stack:
        office = RestOffice(tmp_path_factory.mktemp("rest"), stack)
        service = office.start()
        office.add("car")
        good = office.code("car")
        guesser = office.caller(address="127.0.0.50")

        answers = [guesser.post("/v1/enrol", {"code": guess(n), "hardware": UNIT}) for n in range(13)]

        assert [problem(answer) for answer in answers[:10]] == [(404, "unknown_code")] * 10
        assert problem(answers[-1]) == (429, "too_many")
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert problem(guesser.post("/v1/enrol", {"code": good, "hardware": UNIT})) == (429, "too_many")
        elsewhere = office.caller(address="127.0.0.51")
        assert elsewhere.post("/v1/enrol", {"code": good, "hardware": UNIT}).status_code == 201
        refused = len([answer for answer in answers if answer.status_code == 404])
        assert service.stop() == 0
        for each in (ONE, TEN, BUSAN):
            events = office.events(each, EventType.ENROL_REFUSED)
            assert sum(event.metadata["count"] for event in events) == refused
            assert {event.metadata["reason"] for event in events} == {"unknown_code"}
            assert {event.user for event in events} == {None}


def test_while_the_broker_is_away_nobody_is_enrolled_and_the_code_stays_good(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with ExitStack() as stack:
        office = RestOffice(tmp_path_factory.mktemp("rest"), stack)
        office.start()
        caller = office.member("talks")
        office.add("car")
        code = office.code("car")
        office.broker.stop()

        answer = office.caller().post("/v1/enrol", {"code": code, "hardware": UNIT})

        assert problem(answer) == (503, "broker")
        kept = office.registry.user(ONE, "car")
        assert kept is not None
        assert (kept.generation, kept.secret) == (0, None)
        assert caller.token().status_code == 200
        office.broker.start()
        assert office.caller().post("/v1/enrol", {"code": code, "hardware": UNIT}).status_code == 201


def test_the_ca_and_the_interface_are_open_to_everybody(office: RestOffice) -> None:
    ca, document, health = (office.caller().call("GET", path) for path in ("/v1/ca", "/v1/openapi.json", "/healthz"))

    assert (ca.status_code, ca.text) == (200, office.broker.ca.read_text())
    assert document.json()["openapi"] == "3.1.0"
    assert health.json() == {"status": "ok"}


def test_codes_are_for_units_of_every_role_that_has_one(office: RestOffice) -> None:
    office.add("kim", Role.PICKUP_DRIVER, TEN)

    answer = office.caller().post("/v1/enrol", {"code": office.code("kim", TEN), "hardware": UNIT})

    assert (answer.status_code, answer.json()["office"], answer.json()["role"]) == (201, "10", "pickup_driver")
