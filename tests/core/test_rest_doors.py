"""Behind the HTTP of the REST service: telling while the store is away, equal work for all logins, the document."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from cryptography import x509

from dispatch import pki
from dispatch.broker.admin import BrokerRefused
from dispatch.bursts.desk import BurstDesk
from dispatch.bursts.store import BurstStore
from dispatch.core import notices
from dispatch.ports import OfficeTx, StoreUnavailable
from dispatch.registry.secrets import code_digest, hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.words import SecretHash, TokenIssue, User
from dispatch.rest import door as door_module
from dispatch.rest.app import make_app
from dispatch.rest.door import Door
from dispatch.rest.enrolment import EnrolDesk, vehicle_side
from dispatch.rest.hearing import Parts
from dispatch.rest.lifetime import WARN_DAYS, Lifetime
from dispatch.rest.limits import CodeLimits, LoginLimits
from dispatch.rest.openapi import OPERATIONS, document
from dispatch.rest.problems import KINDS, Refused
from dispatch.rest.telling import WAITING_MAX, Telling
from dispatch.rest.tokens import TokenDesk
from dispatch.rest.work import Work
from dispatch.settings import AgoraServerSettings, RestSettings
from dispatch.store.sql import SqlStore
from dispatch.tokens.access_token2 import parse
from protocol.ids import OfficeId
from protocol.messages import Event, EventType, VoicePath
from protocol.rest import EnrolRequest, Role, TokenRequest
from service.settings import Secret

ONE, TEN = OfficeId("seoul", "1"), OfficeId("seoul", "10")
UNIT = "a1" * 8
CODE = "7ZK4M9QDT2XW8RB5"


class ShakyStore(SqlStore):
    """A store that can be away."""

    away = False

    def transact(self, office: OfficeId, fn: Callable[[OfficeTx], object], *, durable: bool) -> object:  # type: ignore[override]
        if self.away:
            raise StoreUnavailable("the store is away -> bring it back")
        return super().transact(office, fn, durable=durable)


class World:
    """A registry with two offices in memory, a store that can be away, and time that stands."""

    def __init__(self, stack: ExitStack) -> None:
        self.now = 1000.0
        self.store = ShakyStore("sqlite://")
        stack.callback(self.store.close)
        self.registry = SqlRegistry("sqlite://")
        stack.callback(self.registry.close)
        self.registry.add_region("seoul", "서울")
        for office in (ONE, TEN):
            self.registry.add_office(office, str(office), VoicePath.AGORA)
        self.telling = Telling(self.store, self.registry, lambda: self.now, lambda: int(self.now * 1000))

    def events(self, office: OfficeId = ONE) -> list[Event]:
        return list(self.store.unpublished(office, 10_000))


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack)


# --- telling --------------------------------------------------------------------------------------------------------


def test_what_happens_while_the_store_is_away_is_told_when_it_is_back_in_order(world: World) -> None:
    world.store.away = True
    for generation in (1, 2):
        world.telling.tell(ONE, notices.enrolled("car", "17호차", generation, UNIT, None))
    world.telling.flush()
    assert world.events() == []

    world.store.away = False
    world.now += 5
    world.telling.flush()

    assert [(event.metadata["generation"], event.at) for event in world.events()] == [(1, 1_000_000), (2, 1_000_000)]


def test_what_waits_for_the_store_is_bounded_and_the_oldest_is_lost(world: World) -> None:
    world.store.away = True
    for generation in range(WAITING_MAX + 3):
        world.telling.tell(ONE, notices.enrolled("car", "", generation, UNIT, None))
    world.store.away = False

    world.telling.flush()

    told = [event.metadata["generation"] for event in world.events()]
    assert told == list(range(3, WAITING_MAX + 3))


def test_refusals_are_summed_up_to_one_event_a_minute_and_office(world: World) -> None:
    for _ in range(3):
        world.telling.code_refused(ONE, "car", "used_code")
    world.telling.flush()
    for _ in range(500):
        world.telling.code_refused(ONE, "car", "used_code")
        world.now += 0.1
        world.telling.flush()
    world.telling.code_refused(ONE, "other", "expired_code")
    assert len(world.events()) == 1
    world.now += 11
    world.telling.flush()

    told = [(event.event, event.user, event.metadata) for event in world.events()]
    assert told == [
        (EventType.ENROL_REFUSED, "car", {"reason": "used_code", "count": 3}),
        (EventType.ENROL_REFUSED, None, {"reason": "expired_code, used_code", "count": 501}),
    ]
    assert world.events(TEN) == []
    assert world.telling.refused == 504


def test_guesses_are_told_to_every_office_and_the_rest_at_the_end(world: World) -> None:
    for _ in range(2):
        world.telling.code_refused(None, None, "unknown_code")
    world.telling.flush()
    world.telling.code_refused(None, None, "unknown_code")
    world.telling.flush()
    world.telling.flush(last=True)

    for office in (ONE, TEN):
        assert [event.metadata["count"] for event in world.events(office)] == [2, 1]


def test_many_threads_tell_each_event_once(world: World) -> None:
    def tell(first: int) -> None:
        for generation in range(first, first + 50):
            world.telling.tell(ONE, notices.enrolled("car", "", generation, UNIT, None))

    threads = [threading.Thread(target=tell, args=(number * 50,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(int(str(event.metadata["generation"])) for event in world.events()) == list(range(400))


# --- logins ---------------------------------------------------------------------------------------------------------


def basic(login: str, secret: Secret) -> str:
    return "Basic " + base64.b64encode(f"{login}:{secret.reveal()}".encode()).decode()


@pytest.mark.parametrize("login", ["seoul.1.car", "seoul.1.revoked", "seoul.1.nobody", "seoul.1.car.voice", "none"])
def test_a_wrong_login_costs_one_hash_whatever_is_wrong(
    world: World, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    for user in ("car", "revoked"):
        world.registry.add_user(ONE, user, Role.VEHICLE_GATEWAY, user)
        world.registry.set_secret(ONE, user, hash_secret(new_secret()))
    world.registry.revoke(ONE, "revoked", "stolen")
    hashed: list[SecretHash | None] = []
    really = door_module.verify
    monkeypatch.setattr(door_module, "verify", lambda secret, kept: hashed.append(kept) or really(secret, kept))
    door = Door(world.registry, LoginLimits(), lambda: world.now)

    with pytest.raises(Refused) as caught:
        door.user(door.claim(basic(login, new_secret()), "127.0.0.1"))

    assert len(hashed) == 1
    assert (caught.value.code, caught.value.problem.detail) == ("unauthorised", "the login or its secret is not right")


def test_a_claim_shows_no_secret(world: World) -> None:
    secret = new_secret()

    claim = Door(world.registry, LoginLimits(), lambda: 0.0).claim(basic("seoul.1.car", secret), "127.0.0.1")

    assert secret.reveal() not in repr(claim)


# --- enrolment ------------------------------------------------------------------------------------------------------


class Logins:
    """A broker that takes or refuses users."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.put: list[tuple[str, Secret]] = []

    @contextmanager
    def open(self) -> Iterator[Logins]:
        yield self

    def put_user(self, user: User, secret: Secret) -> None:
        if self.refuses:
            raise BrokerRefused("the broker refuses")
        self.put.append((user.login, secret))


def desk(world: World, logins: Logins) -> EnrolDesk:
    settings = RestSettings(url="https://office.example.com:8443", certificate="c", ca="a")  # type: ignore[arg-type]
    return EnrolDesk(
        world.registry,
        world.telling,
        logins.open,
        CodeLimits(),
        lambda: world.now,
        access=vehicle_side(settings),
        rest_url=settings.url,
        ca="pem",
    )


def test_a_broker_that_refuses_leaves_the_code_good_and_the_registry_as_it_was(world: World) -> None:
    world.registry.add_user(ONE, "car", Role.VEHICLE_GATEWAY, "car")
    world.registry.add_code(ONE, "car", code_digest(CODE), 3600)
    logins = Logins(refuses=True)
    enrolling = desk(world, logins)
    asked = EnrolRequest(code=CODE, hardware=UNIT)

    with pytest.raises(Refused) as caught:
        enrolling.enrol(asked, "127.0.0.1")
    before = world.registry.user(ONE, "car")
    logins.refuses = False
    enrolment = enrolling.enrol(asked, "127.0.0.1")

    assert caught.value.code == "broker"
    assert before is not None
    assert (before.generation, before.secret) == (0, None)
    assert [(login, secret.reveal()) for login, secret in logins.put] == [("seoul.1.car", enrolment.secret)]
    assert (enrolment.broker.host, enrolment.broker.port) == ("office.example.com", 8883)


def test_a_unit_is_enrolled_although_its_event_must_wait_for_the_store(world: World) -> None:
    world.registry.add_user(ONE, "car", Role.VEHICLE_GATEWAY, "car")
    world.registry.add_code(ONE, "car", code_digest(CODE), 3600)
    world.store.away = True

    enrolment = desk(world, Logins()).enrol(EnrolRequest(code=CODE, hardware=UNIT), "127.0.0.1")
    world.store.away = False
    world.telling.flush()

    assert enrolment.generation == 1
    assert [event.event for event in world.events()] == [EventType.ENROLLED]


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_a_store_that_takes_no_record_leaves_nobody_without_a_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(issue: TokenIssue) -> None:
        raise StoreUnavailable("full")

    user = world.registry.add_user(ONE, "car", Role.VEHICLE_GATEWAY, "car")
    monkeypatch.setattr(world.registry, "note_token", refuse)
    agora = AgoraServerSettings(app_id="0" * 32, certificate=Secret("1" * 32))
    giving = TokenDesk(world.registry, world.telling, agora, wall_s=lambda: 1_700_000_000.0, salt=lambda: 7)

    granted = giving.token(user, TokenRequest())

    token = parse(granted.token)
    assert (token.uid, token.issued_at_s, token.salt, giving.issued) == (user.uid, 1_700_000_000, 7, 1)
    assert granted.token not in repr(granted)


def test_work_beyond_its_bound_is_refused_at_once_and_goes_on_when_there_is_room() -> None:
    async def scene() -> tuple[list[int], Refused]:
        work, gate = Work("test", 1, 2), threading.Event()
        waiting = [asyncio.create_task(work.do(lambda: int(gate.wait(5)))) for _ in range(2)]
        await asyncio.sleep(0)
        try:
            await work.do(lambda: 2)
        except Refused as error:
            refused = error
        gate.set()
        done = [*await asyncio.gather(*waiting), await work.do(lambda: 3)]
        work.close()
        return done, refused

    done, refused = asyncio.run(scene())

    assert (done, refused.code, refused.headers["Retry-After"]) == ([1, 1, 3], "busy", "1")


# --- the document ---------------------------------------------------------------------------------------------------


def test_the_document_describes_every_route_and_every_problem(world: World) -> None:
    work = Work("test", 1, 1)
    app = make_app(
        Parts(
            registry=world.registry,
            door=Door(world.registry, LoginLimits(), lambda: 0.0),
            tokens=TokenDesk(world.registry, world.telling, None, wall_s=lambda: 1.0, salt=lambda: 1),
            enrolment=desk(world, Logins()),
            bursts=BurstDesk(
                world.registry,
                BurstStore("sqlite://"),
                lambda office, burst: None,
                lambda user, hardware: None,
                {},
                wall_ms=lambda: 0,
            ),
            work=work,
            doubt_work=work,
            burst_work=work,
            enrol_work=work,
            ca="pem",
            url="https://office.example.com:8443",
        )
    )
    work.close()

    described = {(path, method.upper()) for path, found in document("https://x")["paths"].items() for method in found}
    served = {
        (route.path.replace("{number:str}", "{burst}"), method)
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }
    assert described == served
    told = {code for operation in OPERATIONS for code in operation.refusals}
    assert set(KINDS) - told == {"method_not_allowed"}
    assert told <= set(KINDS)


# --- the certificate's end ------------------------------------------------------------------------------------------


def test_the_end_of_the_certificate_is_told_once_a_day_from_two_months_before(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # given a certificate made on a day
    made = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    leaf = pki.new_server(pki.new_authority("seoul", made), ("localhost",), made)
    days = [0.0]
    certificate = x509.load_pem_x509_certificate(leaf.certificate_pem)
    lifetime = Lifetime(certificate, lambda: days[0] * 86_400.0, lambda: made + dt.timedelta(days=days[0]))

    # when every hour of its life and ten days more is looked at
    told: list[tuple[int, str]] = []
    for hour in range((pki.SERVER_DAYS + 10) * 24):
        days[0] = hour / 24
        lifetime.look()
        told += [(hour // 24, record.levelname) for record in caplog.records]
        caplog.clear()

    # then each of the last days is told once, more loudly after the end
    before = [(day, "WARNING") for day in range(pki.SERVER_DAYS - WARN_DAYS, pki.SERVER_DAYS)]
    assert told == before + [(day, "ERROR") for day in range(pki.SERVER_DAYS, pki.SERVER_DAYS + 10)]
    assert lifetime.look() == "the certificate has ended"
