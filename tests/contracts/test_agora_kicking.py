"""The client of Agora's kicking rules against a server of ours that behaves as Agora's documentation says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dispatch.agora.kicking import (
    KickingBusy,
    KickingClient,
    KickingRefused,
    KickingUnreachable,
    minutes_for,
)
from dispatch.settings import AgoraServerSettings, KickingSettings
from lab.agora_rest import AgoraRest
from service.settings import Secret

APP = "970CA35de60c44645bbae8a215061b33"
SECRET = "c5a9-the-customer-secret"


class Clock:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, for_s: float) -> None:
        self.slept.append(for_s)
        self.now += for_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def agora(clock: Clock) -> Iterator[AgoraRest]:
    with AgoraRest(app_id=APP, customer_key="key", customer_secret=SECRET, clock=clock) as server:
        yield server


def settings(url: str, *, app: str = APP, secret: str = SECRET) -> AgoraServerSettings:
    kicking = KickingSettings(customer_key="key", customer_secret=Secret(secret), base_url=url)
    return AgoraServerSettings(app_id=app, kicking=kicking)


@pytest.fixture
def client(agora: AgoraRest, clock: Clock) -> KickingClient:
    return KickingClient(settings(agora.url), clock=clock, sleep=clock.sleep, answer_s=0.3)


def test_a_rule_keeps_one_user_out_of_one_channel_until_it_is_lifted(client: KickingClient, agora: AgoraRest) -> None:
    rule = client.make("seoul_hq_ptt", 4_000_000_000, 61)

    assert agora.calls == [
        (
            "POST",
            {
                "appid": APP,
                "cname": "seoul_hq_ptt",
                "uid": 4_000_000_000,
                "time": 61,
                "privileges": ["join_channel"],
            },
        )
    ]
    assert agora.banned("seoul_hq_ptt", 4_000_000_000)
    assert not agora.banned("seoul_hq_ptt", 1)
    assert [found.id for found in client.rules()] == [rule]

    client.lift(rule)

    assert not agora.banned("seoul_hq_ptt", 4_000_000_000)


def test_a_rule_that_is_gone_is_lifted(client: KickingClient) -> None:
    client.lift(77)

    assert client.rules() == ()


@pytest.mark.parametrize("fault", ["504-but-done", "hang", "nonsense"])
def test_a_rule_made_without_an_answer_is_found_and_not_made_again(
    client: KickingClient, agora: AgoraRest, fault: str
) -> None:
    agora.faults.append(fault)
    agora.hang_s = 1.0

    rule = client.make("seoul_hq_ptt", 5, 60)

    assert list(agora.rules) == [rule]
    assert [method for method, _ in agora.calls] == ["POST", "GET"]


def test_a_rule_that_was_not_made_is_told_as_unreachable(client: KickingClient, agora: AgoraRest) -> None:
    agora.faults.append("500")

    with pytest.raises(KickingUnreachable, match="500"):
        client.make("seoul_hq_ptt", 5, 60)
    assert agora.rules == {}


def test_a_lift_that_failed_while_the_rule_stands_is_told(client: KickingClient, agora: AgoraRest) -> None:
    rule = client.make("seoul_hq_ptt", 5, 60)
    agora.faults.append("500")

    with pytest.raises(KickingUnreachable):
        client.lift(rule)


def test_a_dead_address_is_unreachable_and_its_error_holds_no_secret(clock: Clock) -> None:
    client = KickingClient(settings("http://127.0.0.1:9"), clock=clock, sleep=clock.sleep)

    with pytest.raises(KickingUnreachable) as caught:
        client.make("seoul_hq_ptt", 5, 60)

    assert SECRET not in repr(caught.value) + str(caught.value.__cause__)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("wrong", [{"secret": "guessed"}, {"app": "0" * 32}])
def test_wrong_credentials_or_app_id_are_refused_with_what_to_check(
    agora: AgoraRest, clock: Clock, wrong: dict[str, str]
) -> None:
    client = KickingClient(settings(agora.url, **wrong), clock=clock, sleep=clock.sleep)

    with pytest.raises(KickingRefused, match="check app_id"):
        client.make("seoul_hq_ptt", 5, 60)


def test_the_client_keeps_to_ten_calls_a_second_by_itself(
    client: KickingClient, agora: AgoraRest, clock: Clock
) -> None:
    rules = [client.make("seoul_hq_ptt", uid, 1) for uid in range(1, 26)]

    assert len(set(rules)) == 25
    assert sum(clock.slept) == pytest.approx(2.0)


def test_more_calls_than_the_account_has_are_told_as_busy(agora: AgoraRest, clock: Clock) -> None:
    other = KickingClient(settings(agora.url), clock=clock, sleep=clock.sleep)
    mine = KickingClient(settings(agora.url), clock=clock, sleep=clock.sleep)
    for uid in range(1, 11):
        other.make("seoul_hq_ptt", uid, 1)

    with pytest.raises(KickingBusy) as caught:
        mine.make("seoul_hq_ptt", 11, 1)
    assert caught.value.retry_s == 1.0


@pytest.mark.parametrize(("uid", "minutes"), [(0, 1), (2**32, 1), (5, 0), (5, 1441)])
def test_a_uid_or_time_that_would_mean_something_else_is_never_sent(
    client: KickingClient, agora: AgoraRest, uid: int, minutes: int
) -> None:
    with pytest.raises(ValueError, match="no kicking rule"):
        client.make("seoul_hq_ptt", uid, minutes)
    assert agora.calls == []


def test_without_its_secret_there_is_no_client() -> None:
    bare = AgoraServerSettings(app_id=APP, kicking=KickingSettings(customer_key="key"))

    assert not KickingClient.configured(bare)
    assert not KickingClient.configured(None)
    with pytest.raises(ValueError, match="agora-customer-secret"):
        KickingClient(bare)


def test_a_rule_stands_until_the_last_token_has_run_out_and_never_longer_than_agora_allows() -> None:
    assert [minutes_for(ttl) for ttl in (60, 61, 3600, 86_400)] == [2, 3, 61, 1440]
