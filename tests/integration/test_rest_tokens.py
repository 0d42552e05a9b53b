"""Tokens from the real service: who gets which, who gets none, and the plan's faults that are not copied."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from threading import Event

import pytest

from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.rest.hearing import REFUSAL_S
from dispatch.tokens.access_token2 import JOIN, PUBLISH_AUDIO, parse, verify
from protocol.messages import EventType
from protocol.rest import Role
from service.settings import Secret
from tests.integration.rest_rig import (
    APP_ID,
    BUSAN,
    CERTIFICATE,
    ONE,
    OTHER_UNIT,
    TEN,
    UNIT,
    RestOffice,
    problem,
)
from tests.support.procs import eventually


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestOffice]:
    with ExitStack() as stack:
        made = RestOffice(tmp_path_factory.mktemp("rest"), stack)
        made.start()
        yield made


def test_a_token_is_for_the_callers_own_uid_and_its_own_offices_channel(office: RestOffice) -> None:
    caller = office.member("car-own")
    user = office.registry.user(ONE, "car-own")
    assert user is not None

    answer = caller.token()

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers
    body = answer.json()
    token = parse(body["token"])
    assert verify(body["token"], CERTIFICATE)
    assert (token.app_id, token.channel, token.uid, token.expire_s) == (APP_ID, "seoul_1_ptt", user.uid, 600)
    assert {key: body[key] for key in ("app_id", "channel", "uid", "publisher", "expires_in_s", "priority")} == {
        "app_id": APP_ID,
        "channel": "seoul_1_ptt",
        "uid": user.uid,
        "publisher": True,
        "expires_in_s": 600,
        "priority": "normal",
    }


@pytest.mark.parametrize("role", [Role.VEHICLE_GATEWAY, Role.CALL_MANAGER, Role.PICKUP_DRIVER, Role.BRIDGE])
def test_whoever_may_take_the_floor_may_also_talk_on_agora(office: RestOffice, role: Role) -> None:
    """The plan gave every caller SUBSCRIBER, so that nobody could talk."""
    token = parse(office.member(f"talks-{role.value.replace('_', '-')}", role).token().json()["token"])

    assert token.privileges == {JOIN: 600, PUBLISH_AUDIO: 600}


def test_who_may_only_listen_never_gets_a_token_to_speak(office: RestOffice) -> None:
    answer = office.member("listens", listen_only=True).token()

    assert parse(answer.json()["token"]).privileges == {JOIN: 600}
    assert answer.json()["publisher"] is False


@pytest.mark.parametrize("role", [Role.MONITOR, Role.TECHNICIAN, Role.ADMIN])
def test_roles_without_voice_get_no_token(office: RestOffice, role: Role) -> None:
    assert problem(office.member(f"no-{role.value}", role).token()) == (403, "role")


def test_users_whose_ids_begin_alike_or_hold_no_number_have_uids_of_their_own(office: RestOffice) -> None:
    """The plan took parseInt of eight characters of an id: it collides for these, and is NaN for others."""
    users = ["12345678-a", "12345678-b", "driver-kim", "driver-lee"]

    uids = [parse(office.member(user).token().json()["token"]).uid for user in users]

    assert len(set(uids)) == 4
    assert all(1 <= uid < 2**32 for uid in uids)
    assert uids == [next(u.uid for u in office.registry.users(ONE) if u.user == user) for user in users]


def test_office_1_and_office_10_and_office_1_elsewhere_are_three_offices(office: RestOffice) -> None:
    """The plan's rule was a substring match, for which office 1 is also office 10."""
    one, ten, busan = office.member("m1"), office.member("m10", office=TEN), office.member("mb", office=BUSAN)

    assert problem(one.token(channel="seoul_10_ptt")) == (403, "other_office")
    assert problem(ten.token(channel="seoul_1_ptt")) == (403, "other_office")
    assert problem(busan.token(channel="seoul_1_ptt")) == (403, "other_office")
    assert problem(one.token(channel="seoul_1")) == (403, "other_office")
    assert [c.token().json()["channel"] for c in (one, ten, busan)] == ["seoul_1_ptt", "seoul_10_ptt", "busan_1_ptt"]
    assert one.token(channel="seoul_1_ptt").status_code == 200


def test_the_same_id_in_another_office_is_another_user(office: RestOffice) -> None:
    here, there = office.member("twin"), office.member("twin", office=TEN)

    assert here.token().json()["uid"] != there.token().json()["uid"]
    assert problem(office.caller(there.login, here.secret).token()) == (401, "unauthorised")


def test_a_revoked_user_gets_no_further_token_and_is_not_told_that_it_exists(office: RestOffice) -> None:
    caller = office.member("stolen")
    assert caller.token().status_code == 200

    office.registry.revoke(ONE, "stolen", "stolen")

    refused, stranger = caller.token(), office.caller("seoul.1.nobody", new_secret()).token()
    assert problem(refused) == (401, "unauthorised")
    assert (refused.json(), refused.headers["www-authenticate"]) == (
        stranger.json(),
        stranger.headers["www-authenticate"],
    )


def test_a_rotated_secret_shuts_the_old_one_out_at_once(office: RestOffice) -> None:
    caller = office.member("rotated")
    new = new_secret()

    office.registry.set_secret(ONE, "rotated", hash_secret(new))

    assert problem(caller.token()) == (401, "unauthorised")
    assert office.caller(caller.login, new).token().status_code == 200


def test_who_gets_no_token_stands_in_the_log_with_the_reason(tmp_path: Path) -> None:
    with ExitStack() as stack:
        office = RestOffice(tmp_path, stack)
        service = office.start()
        office.member("car-fine").token()
        known = office.member("car-known")
        assert office.caller(known.login, new_secret()).token().status_code == 401
        assert office.member("wall", Role.MONITOR).token().status_code == 403
        assert office.caller("no login at all", new_secret()).token().status_code == 401
        assert service.stop() == 0

    told = [line.partition("a request was refused ")[2] for line in service.log.splitlines() if "was refused" in line]
    assert told == [
        'reason="unauthorised, the login or its secret is not right" login=seoul.1.car-known address=127.0.0.1',
        'reason="role, the role monitor takes no part in voice" login=seoul.1.wall address=127.0.0.1',
        'reason="unauthorised, the login or its secret is not right" login="" address=127.0.0.1',
    ]


@pytest.mark.parametrize(
    "login", ["", "seoul.1", "seoul.1.voiced.voice", "ptt-dispatch", "seoul.1.#", "seoul/1/voiced", "seoul.1.voiced\0"]
)
def test_what_is_no_login_of_a_user_is_refused(office: RestOffice, login: str) -> None:
    secret = new_secret()
    if office.registry.user(ONE, "voiced") is None:
        office.add("voiced")
    office.registry.set_secret(ONE, "voiced", hash_secret(secret))

    assert problem(office.caller(login, secret, "127.0.0.9").token()) == (401, "unauthorised")


@pytest.mark.parametrize(
    "header", ["Bearer abc", "Basic", "Basic !!!", "Basic /w==", "Basic Og==", "Basic " + "A" * 2000]
)
def test_an_unreadable_authorization_is_refused(office: RestOffice, header: str) -> None:
    answer = office.caller(address="127.0.0.10").call("POST", "/v1/token", json={}, headers={"Authorization": header})

    assert problem(answer) == (401, "unauthorised")
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_another_unit_with_the_same_secret_is_a_clone_and_told_of_once(office: RestOffice) -> None:
    office.add("cloned")
    enrolled = office.caller().post("/v1/enrol", {"code": office.code("cloned"), "hardware": UNIT}).json()
    caller = office.caller("seoul.1.cloned", Secret(enrolled["secret"]))

    assert caller.token(hardware=UNIT).status_code == 200
    assert problem(caller.token()) == (400, "bad_request")  # it cannot hide either
    assert problem(caller.token(hardware=OTHER_UNIT)) == (409, "clone")
    assert problem(caller.token(hardware=OTHER_UNIT)) == (409, "clone")
    assert problem(caller.post("/v1/hello", {"generation": 1, "hardware": OTHER_UNIT})) == (409, "clone")

    [event] = office.await_events(ONE, EventType.CLONE_FOUND, 1)
    assert (event.user, event.metadata["hardware"]) == ("cloned", OTHER_UNIT)
    noted = office.registry.user(ONE, "cloned")
    assert noted is not None
    assert noted.clone == OTHER_UNIT
    assert caller.token(hardware=UNIT).status_code == 200


def test_every_token_is_recorded_with_the_time_it_took(office: RestOffice) -> None:
    caller = office.member("counted")
    before = len([i for i in office.registry.token_issues(ONE, 0) if i.user == "counted"])

    for _ in range(70):  # the service writes them 64 at a time
        assert caller.token().status_code == 200

    issues = [i for i in office.registry.token_issues(ONE, 0) if i.user == "counted"]
    assert before == 0
    assert len(issues) >= 5
    assert all(0 <= issue.took_us < 1_000_000 and issue.publisher for issue in issues)


def test_a_unit_is_welcomed_with_what_the_registry_holds_of_it(office: RestOffice) -> None:
    office.add("greets")
    enrolled = office.caller().post("/v1/enrol", {"code": office.code("greets"), "hardware": UNIT}).json()
    caller = office.caller("seoul.1.greets", Secret(enrolled["secret"]))

    answer = caller.post("/v1/hello", {"generation": 1, "hardware": UNIT, "version": "0.2"})

    assert (answer.status_code, answer.json()) == (
        200,
        {"name": "greets호", "role": "vehicle_gateway", "voice": "agora", "generation": 1, "replay_keep_s": 0},
    )
    assert problem(caller.post("/v1/hello", {"generation": 0, "hardware": UNIT})) == (409, "replaced")
    assert problem(office.caller().post("/v1/hello", {"generation": 1, "hardware": UNIT})) == (401, "unauthorised")


def test_a_guesser_is_slowed_down_and_others_at_its_address_are_not(office: RestOffice) -> None:
    victim, neighbour = office.member("guessed"), office.member("neighbour")
    address = "127.0.0.77"
    known = office.caller(neighbour.login, neighbour.secret, address)
    assert known.token().status_code == 200
    guesser = office.caller(victim.login, new_secret(), address)

    answers = [guesser.token() for _ in range(14)]

    assert [problem(answer) for answer in answers[:10]] == [(401, "unauthorised")] * 10
    assert {problem(answer) for answer in answers[11:]} == {(429, "too_many")}
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
    assert known.token().status_code == 200
    assert victim.token().status_code == 200


def test_a_refused_login_is_answered_after_a_time_that_tells_nothing_of_it(office: RestOffice) -> None:
    known = office.member("timed")
    took_s = []
    for login in (known.login, "seoul.1.untimed", f"{known.login}.voice", "none"):
        caller = office.caller(login, new_secret())
        assert caller.call("GET", "/healthz").status_code == 200  # its connection stands
        began = time.perf_counter()
        assert problem(caller.token()) == (401, "unauthorised")
        took_s.append(time.perf_counter() - began)

    assert min(took_s) >= REFUSAL_S


def test_nobody_is_locked_out_by_others_that_fail_with_its_login_or_at_its_address(office: RestOffice) -> None:
    # given somebody at the address that a whole fleet shares, failing without end, with a unit's login and others
    unit, newcomer, address = office.member("harassed"), office.member("newcomer"), "127.0.0.78"
    logins = [unit.login, *(f"seoul.1.guess-{number}" for number in range(30))]
    wrong = [office.caller(login, new_secret(), address) for login in logins]
    stop = Event()

    def flood() -> None:
        for guesser in cycle(wrong):
            guesser.token()
            if stop.is_set():
                return

    with ThreadPoolExecutor(2) as pool:
        floods = [pool.submit(flood) for _ in range(2)]
        try:
            eventually(
                lambda: {problem(guesser.token())[1] for guesser in wrong[:2]} == {"too_many"}, 30.0, "the limit"
            )

            # when the unit itself, and one that was never seen there, ask from the same address
            asked = [office.caller(who.login, who.secret, address).token().status_code for who in (unit, newcomer) * 5]
        finally:
            stop.set()
        for done in floods:
            done.result(30.0)

    # then each is heard, every time
    assert asked == [200] * 10


@pytest.mark.parametrize(("agora", "missing"), [("", "[agora] is missing"), (None, "certificate is missing")])
def test_without_an_agora_project_the_answer_says_what_to_configure(
    tmp_path: Path, agora: str | None, missing: str
) -> None:
    with ExitStack() as stack:
        office = RestOffice(tmp_path, stack, **({} if agora is None else {"agora": agora}))
        (office.secrets / "ptt.agora-certificate").unlink()
        office.start()

        answer = office.member("car").token()

    assert problem(answer) == (503, "not_configured")
    assert missing in answer.json()["detail"]
    assert "agora-certificate" in answer.json()["mend"]
