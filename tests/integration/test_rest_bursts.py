"""Bursts that an office keeps, over the real REST service: who may upload, list and fetch them, and when they go."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from dispatch.bursts.store import bursts_file
from dispatch.store.sql import SqlStore
from protocol.burst_file import MEDIA_TYPE, BurstFile, Packet, pack, unpack
from protocol.ids import OfficeId
from protocol.messages import Event, EventType
from protocol.rest import Role
from tests.integration.rest_rig import BUSAN, ONE, TEN, Caller, RestOffice, problem
from tests.support.procs import Daemon, eventually

SPEECH = bytes([9 << 3]) + bytes(60)
BINARY = {"Content-Type": MEDIA_TYPE}


class Log:
    """Writes ends of bursts into the store, as the floor control server does."""

    def __init__(self, office: RestOffice) -> None:
        self._store = SqlStore(office.store_url)
        self._no = 10_000

    def close(self) -> None:
        self._store.close()

    def ended(self, user: str, burst: int, office: OfficeId = ONE) -> None:
        self._no += 1
        event = Event(
            no=self._no,
            event=EventType.BURST_ENDED,
            at=time.time_ns() // 1_000_000,
            user=user,
            metadata={"burst": burst, "ended": "released", "last_seq": 9},
        )
        self._store.transact(office, lambda tx: tx.append_event(event), durable=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RestOffice, Daemon, Log]]:
    with ExitStack() as stack:
        made = RestOffice(tmp_path_factory.mktemp("rest"), stack)
        log = Log(made)
        stack.callback(log.close)
        made.registry.keep_bursts(ONE, 3600, 50)
        made.registry.keep_bursts(TEN, 3600, 50)
        yield made, made.start(), log


_numbers = iter(range(2**33, 2**34))


def speech(burst: int, count: int = 10) -> bytes:
    return pack(BurstFile(burst, tuple(Packet(seq, SPEECH) for seq in range(count))))


def upload(caller: Caller, burst: int, data: bytes, **more: object) -> requests.Response:
    named = {"headers": BINARY, **more}
    return caller.call("POST", f"/v1/bursts/{burst}", data=data, **named)


def listed(caller: Caller, after: int = 0) -> list[dict[str, object]]:
    answer = caller.call("GET", "/v1/bursts", params={"after": after})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["bursts"]
    return found


def test_what_a_speaker_uploads_its_colleagues_list_and_fetch(running: tuple[RestOffice, Daemon, Log]) -> None:
    office, _, log = running
    speaker, listener = office.member("sp-1"), office.member("li-1", Role.CALL_MANAGER)
    burst = next(_numbers)
    log.ended("sp-1", burst)

    taken = upload(speaker, burst, speech(burst))
    again = upload(speaker, burst, speech(burst, 5))

    assert (taken.status_code, taken.json()) == (201, {"burst": burst, "seconds": 0.2})
    assert again.status_code == 200
    found = listed(listener, burst - 1)
    assert [(one["burst"], one["user"], one["name"], one["seconds"]) for one in found] == [
        (burst, "sp-1", "sp-1호", 0.2)
    ]
    assert 0 <= float(str(found[0]["ago_s"])) < 30
    assert listed(listener, burst) == []
    assert listed(speaker, burst - 1) == []
    file = listener.call("GET", f"/v1/bursts/{burst}")
    assert (file.status_code, file.headers["content-type"]) == (200, MEDIA_TYPE)
    assert unpack(file.content) == unpack(speech(burst))
    assert file.headers["cache-control"] == "no-store"


def test_a_burst_is_taken_from_its_own_speaker_and_only_once_it_has_ended(
    running: tuple[RestOffice, Daemon, Log],
) -> None:
    office, _, log = running
    speaker, other = office.member("sp-2"), office.member("ot-2")
    burst = next(_numbers)
    assert problem(upload(speaker, burst, speech(burst))) == (409, "not_spoken")

    log.ended("sp-2", burst)

    assert problem(upload(other, burst, speech(burst))) == (403, "not_yours")
    assert problem(upload(speaker, burst, speech(burst + 1))) == (400, "bad_request")
    assert upload(speaker, burst, speech(burst)).status_code == 201


def test_one_office_hears_nothing_of_another_and_its_numbers_open_no_door(
    running: tuple[RestOffice, Daemon, Log],
) -> None:
    office, _, log = running
    speaker, stranger = office.member("sp-3"), office.member("st-3", office=TEN)
    burst = next(_numbers)
    log.ended("sp-3", burst)
    assert upload(speaker, burst, speech(burst)).status_code == 201

    assert listed(stranger) == []
    assert problem(stranger.call("GET", f"/v1/bursts/{burst}")) == (404, "not_found")
    assert problem(upload(stranger, burst, speech(burst))) == (409, "not_spoken")


@pytest.mark.parametrize("role", [Role.MONITOR, Role.TECHNICIAN, Role.ADMIN, Role.BRIDGE])
def test_who_takes_no_part_in_the_floor_neither_lists_nor_fetches_nor_uploads(
    running: tuple[RestOffice, Daemon, Log], role: Role
) -> None:
    office, _, log = running
    speaker, watcher = office.member(f"sp-4-{role.value[:3]}"), office.member(f"wa-{role.value[:3]}", role)
    burst = next(_numbers)
    log.ended(f"sp-4-{role.value[:3]}", burst)
    assert upload(speaker, burst, speech(burst)).status_code == 201

    for answer in (
        watcher.call("GET", "/v1/bursts"),
        watcher.call("GET", f"/v1/bursts/{burst}"),
        upload(watcher, burst, speech(burst)),
    ):
        assert problem(answer) == (403, "no_member")


def test_nobody_gets_in_without_a_login_and_no_body_is_read_before_it(
    running: tuple[RestOffice, Daemon, Log],
) -> None:
    office, _, _ = running
    nobody = office.caller()
    assert problem(nobody.call("GET", "/v1/bursts")) == (401, "unauthorised")
    assert problem(nobody.call("GET", "/v1/bursts/5")) == (401, "unauthorised")
    assert problem(upload(nobody, 5, b"no burst file")) == (401, "unauthorised")


def test_what_is_too_long_or_no_burst_file_is_refused_and_the_service_lives(
    running: tuple[RestOffice, Daemon, Log],
) -> None:
    office, service, log = running
    speaker = office.member("sp-5")
    burst = next(_numbers)
    log.ended("sp-5", burst)
    long = pack(BurstFile(burst, tuple(Packet(seq, bytes([9 << 3]) + bytes(1200)) for seq in range(600))))
    assert problem(upload(speaker, burst, long)) == (413, "too_large")
    assert problem(upload(speaker, burst, bytes(2 << 20))) == (413, "too_large")
    assert problem(upload(speaker, burst, b"{}", headers={"Content-Type": "application/json"})) == (415, "media_type")

    rng, good = random.Random(3), speech(burst)
    for _ in range(60):
        broken = bytearray(good[: rng.randrange(len(good))])
        for _ in range(3 if broken else 0):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        assert problem(upload(speaker, burst, bytes(broken))) == (400, "bad_request")

    assert listed(office.member("li-5"), burst - 1) == []
    assert "Traceback" not in service.log


@pytest.mark.parametrize(
    "path", ["/v1/bursts?after=-1", "/v1/bursts?after=x", "/v1/bursts?since=1", "/v1/bursts?hardware=A"]
)
def test_a_question_that_cannot_be_read_is_refused(running: tuple[RestOffice, Daemon, Log], path: str) -> None:
    office, _, _ = running
    assert problem(office.member(f"q-{abs(hash(path)) % 10**6}").call("GET", path)) == (400, "bad_request")


def test_an_office_that_keeps_nothing_takes_and_gives_nothing(running: tuple[RestOffice, Daemon, Log]) -> None:
    office, _, log = running
    speaker = office.member("sp-6", office=BUSAN)
    burst = next(_numbers)
    log.ended("sp-6", burst, BUSAN)

    assert problem(upload(speaker, burst, speech(burst))) == (403, "replay_off")
    assert listed(speaker) == []
    assert problem(speaker.call("GET", f"/v1/bursts/{burst}")) == (404, "not_found")
    welcome = speaker.post("/v1/hello", {"generation": 0, "hardware": "a" * 16})
    assert welcome.json()["replay_keep_s"] == 0


def cli(office: RestOffice, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dispatch", *arguments, "--config", str(office.config), "--lang", "en"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def kept_by(office: RestOffice, where: OfficeId) -> list[int]:
    return [one["burst"] for one in json.loads(cli(office, "bursts", "list", "--office", str(where), "--json"))]


def test_keeping_is_turned_on_bounded_listed_deleted_and_turned_off_by_the_operator(
    running: tuple[RestOffice, Daemon, Log],
) -> None:
    office, _, log = running
    assert "3600 s, 2 bursts" in cli(office, "office", "replay", "busan/1", "--keep", "3600", "--count", "2")
    speakers = {name: office.member(name, office=BUSAN) for name in ("sp-7", "sp-8")}
    listener = office.member("li-7", office=BUSAN)
    assert listener.post("/v1/hello", {"generation": 0, "hardware": "a" * 16}).json()["replay_keep_s"] == 3600
    bursts = [next(_numbers) for _ in range(3)]
    for burst, (name, caller) in zip(bursts, [*speakers.items(), ("sp-7", speakers["sp-7"])], strict=True):
        log.ended(name, burst, BUSAN)
        assert upload(caller, burst, speech(burst)).status_code == 201

    assert [one["burst"] for one in listed(listener)] == bursts[1:]
    eventually(lambda: kept_by(office, BUSAN) == bursts[1:], 15, "the third pushed the first out")
    assert "1 bursts deleted" in cli(office, "bursts", "delete", "--user", "busan/1/sp-8")
    assert [one["burst"] for one in listed(listener)] == bursts[2:]
    assert "1 bursts deleted" in cli(office, "office", "replay", "busan/1", "off")
    assert (listed(listener), kept_by(office, BUSAN)) == ([], [])


def test_what_is_too_old_is_not_given_and_goes_and_so_does_what_a_revoked_user_said(
    running: tuple[RestOffice, Daemon, Log],
) -> None:
    office, _, log = running
    office.registry.keep_bursts(TEN, 3600, 50)
    speaker, other = office.member("sp-9", office=TEN), office.member("sp-10", office=TEN)
    listener = office.member("li-9", office=TEN)
    mine, others = next(_numbers), next(_numbers)
    for caller, name, burst in ((speaker, "sp-9", mine), (other, "sp-10", others)):
        log.ended(name, burst, TEN)
        assert upload(caller, burst, speech(burst)).status_code == 201

    office.registry.revoke(TEN, "sp-9", "test")
    assert speaker.call("GET", "/v1/bursts").status_code == 401
    eventually(lambda: kept_by(office, TEN) == [others], 15, "what the revoked user said is gone")
    assert [one["burst"] for one in listed(listener)] == [others]

    office.registry.keep_bursts(TEN, 1, 50)
    eventually(lambda: listed(listener) == [], 5, "a second later it is too old")
    assert problem(listener.call("GET", f"/v1/bursts/{others}")) == (404, "not_found")
    eventually(lambda: kept_by(office, TEN) == [], 15, "and deleted soon after")


def test_what_is_kept_lies_in_a_file_of_its_own_for_the_service_alone_and_is_overwritten(
    running: tuple[RestOffice, Daemon, Log],
) -> None:
    office, _, log = running
    speaker = office.member("sp-11")
    burst = next(_numbers)
    log.ended("sp-11", burst)
    marked = bytes([9 << 3]) + b"what was said in confidence" * 9
    data = pack(BurstFile(burst, tuple(Packet(seq, marked) for seq in range(10))))
    assert upload(speaker, burst, data).status_code == 201
    path = bursts_file(office.store_url)
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.name == "office-bursts.db"

    cli(office, "bursts", "delete", "--all")

    assert b"said in confidence" not in path.read_bytes()
