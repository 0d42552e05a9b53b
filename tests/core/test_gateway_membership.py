"""A unit that is no member stays away and says so; Agora's troubles are alerts; a crashed worker goes on without."""

from __future__ import annotations

from typing import Any

import pytest

from dispatch.broker.acl import SERVERS_ALERTS
from gateway.core.alerts import KNOWN
from gateway.core.membership import AGAIN_S
from gateway.core.told import Told
from gateway.core.words import (
    Dial,
    FromWorker,
    HangUp,
    HelloFailed,
    KillWorker,
    LinkDown,
    Look,
    Pressed,
    Publish,
    Received,
    SayHello,
    Show,
    StartWorker,
    TokenFailed,
    WorkerGone,
)
from gateway.core.worker_care import CRASHES_WITHIN_S, WITHOUT_AGORA_S
from protocol.messages import Alert, FloorGranted, FloorRenewed, Presence, Session, VoicePath
from protocol.topics import Kind
from protocol.worker import Agora, AgoraState, Flood, Joined, Say, TokenWanted, Transmit
from tests.core.gateway_member_rig import HARDWARE, WELCOME, Car


def refused(code: str, **fields: Any) -> HelloFailed:
    return HelloFailed(code=code, why=f"why {code}", **fields)


# --- a card in another unit -------------------------------------------------------------------------------------------


def test_a_cloned_card_never_dials_says_so_and_lets_the_office_know_at_once() -> None:
    car = Car(foreign=True).wait(0.0).voice().wait(50.0)

    assert (car.of(Dial), len(car.of(SayHello))) == ([], 1)
    assert car.of(StartWorker) == [StartWorker(agora=True, outside=True)]
    assert car.of(Show)[-1].look is Look.NOT_ENROLLED
    assert Told.NOT_ENROLLED in car.told()


def test_its_driver_hears_at_every_press_that_the_unit_must_be_enrolled() -> None:
    car = Car(foreign=True).voice().seen()

    car.take(Pressed(at=100.0))

    assert car.told() == [Told.NOT_ENROLLED]
    assert [said.text for said in car.commands(Say)] == ["This unit must be enrolled. Please call your office"]


def test_the_office_is_asked_again_every_minute_and_never_sooner() -> None:
    car = Car(foreign=True).wait(0.0).seen()

    for _ in range(3):
        car.take(refused("clone")).wait(AGAIN_S)

    assert len(car.of(SayHello)) == 3


def test_a_kept_out_unit_comes_in_by_itself_once_the_office_knows_it() -> None:
    car = Car(foreign=True).wait(0.0).voice().seen()

    car.take(WELCOME, WorkerGone(reason="renewed")).wait(1.0)

    assert len(car.of(Dial)) == 1
    assert car.of(StartWorker)[-1] == StartWorker(agora=True, outside=False)


# --- told while running -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["clone", "replaced"])
def test_a_unit_that_was_replaced_leaves_cleanly_tells_its_driver_and_stays_away(code: str) -> None:
    car = Car().online()

    car.take(refused(code), WorkerGone(reason="renewed")).wait(30.0)

    kinds = [type(effect) for effect in car.out]
    assert Publish not in kinds[kinds.index(HangUp) :]
    assert (car.alerts(), car.of(Dial)) == ({}, [])
    assert car.of(StartWorker) == [StartWorker(agora=True, outside=True)]
    assert car.told()[0] is Told.NOT_ENROLLED
    assert Told.LINK_LOST not in car.told()
    assert car.of(Show)[-1].look is Look.NOT_ENROLLED


def test_one_who_speaks_while_it_is_replaced_is_muted() -> None:
    car = Car().online().take(Pressed(at=100.0))
    grant = FloorGranted(rev=5, request_id=(3, 1, 1, 1), burst=9, duration_s=30.0, lease_s=3.0)
    car.take(Received(kind=Kind.REPLY, message=grant))
    assert car.core.participant.transmitting

    car.take(refused("replaced"))

    assert not car.core.participant.transmitting


def test_an_office_that_cannot_be_asked_keeps_nobody_out_and_is_asked_again_later_and_later() -> None:
    car = Car().online().wait(3.0)
    waits = []

    for _ in range(7):
        car.seen().take(refused(""))
        asked_at = car.now
        while not car.of(SayHello):
            car.wait(0.25)
        waits.append(car.now - asked_at)

    assert waits == sorted(waits)
    assert (waits[0] <= 2.0, waits[-1] <= 60.0, car.core.barred) == (True, True, False)


def test_hello_is_said_once_per_start() -> None:
    car = Car().online().wait(3.0).take(WELCOME).wait(3600.0)

    assert len(car.of(SayHello)) == 1


def test_without_an_enrolment_nobody_is_greeted() -> None:
    car = Car(enrolled=False, agora=False).online().wait(3600.0)

    assert car.of(SayHello) == []


def test_a_broker_that_does_not_let_it_in_is_told_to_the_driver_and_asked_ever_more_seldom() -> None:
    car = Car().voice().take(WELCOME).seen()
    dials = []

    for _ in range(14):
        car.wait(120.0)
        dials.append(car.of(Dial))
        car.seen().take(LinkDown(reason="refused by h:8883 (Not authorized)", refused=True))
        due = car.core.link.next_deadline()
        assert due is not None
        waited_s = due - car.now

    assert 30.0 <= waited_s <= 60.0
    assert car.core.link.reason.startswith("refused by")
    assert car.core.link.refused
    car.wait(0.0).take(Pressed(at=car.now))
    assert car.told()[-1] is Told.NOT_ADMITTED


def test_a_press_of_a_refused_unit_whose_network_is_lost_later_is_told_that_there_is_no_connection() -> None:
    car = Car().voice().take(LinkDown(reason="refused by h (Not authorized)", refused=True)).wait(1.0)

    car.take(LinkDown(reason="h cannot be reached")).seen().take(Pressed(at=car.now))

    assert car.told() == [Told.NO_CONNECTION]


def test_no_alert_of_the_units_own_lies_on_the_topic_that_the_broker_takes_from_the_server_alone() -> None:
    car = Car().online()

    cleared = {published.ids[1] for published in car.of(Publish) if published.kind is Kind.ALERT}

    assert cleared.isdisjoint(SERVERS_ALERTS)
    assert KNOWN.keys().isdisjoint(SERVERS_ALERTS)


def test_a_refused_unit_says_that_it_was_replaced_or_revoked_instead_of_that_the_link_is_lost() -> None:
    car = Car().voice().take(LinkDown(reason="refused by h (Not authorized)", refused=True))

    car.wait(3.0)

    assert Told.NOT_ADMITTED in car.told()
    assert Told.LINK_LOST not in car.told()
    assert car.of(Show)[-1].look is Look.NOT_ENROLLED


# --- voice over Agora -------------------------------------------------------------------------------------------------


def in_session(car: Car, **fields: Any) -> Car:
    session = Session(rev=4, store="s", active=True, channel_name="ch", event_id="e-1", burst=3, **fields)
    return car.take(Received(kind=Kind.SESSION, message=session))


def presences(car: Car) -> list[Presence]:
    return [published.message for published in car.of(Publish) if published.kind is Kind.PRESENCE]


def test_presence_says_over_which_network_it_hears_and_which_hardware_it_is() -> None:
    car = in_session(Car().online(), current_speaker="car-2")
    car.take(FromWorker(event=Joined(event_id="e-1"))).wait(1.0)
    car.take(FromWorker(event=Joined(event_id="e-1", voice=VoicePath.AGORA))).wait(1.0)

    assert [(said.in_channel, said.voice) for said in presences(car)] == [
        ("e-1", VoicePath.MQTT),
        ("e-1", VoicePath.AGORA),
    ]
    assert {said.hardware for said in presences(car)} == {HARDWARE}


def test_the_worker_learns_from_grant_and_renewals_whether_all_have_joined() -> None:
    car = Car().online().take(Pressed(at=100.0))
    grant = FloorGranted(rev=5, request_id=(3, 1, 1, 1), burst=9, duration_s=30.0, lease_s=3.0)
    car.take(Received(kind=Kind.REPLY, message=grant)).wait(0.3)
    car.take(Received(kind=Kind.REPLY, message=FloorRenewed(rev=6, burst=9, renew_no=1, all_joined=True))).wait(0.3)

    found = [command.all_joined for command in car.commands(Transmit)]

    assert (found[0], found[-1]) == (False, True)


def test_what_is_wrong_with_agora_is_an_alert_that_says_it_and_clears_once_it_is_joined() -> None:
    car = Car().online()
    states = [
        (AgoraState.REFUSED, "kicked"),
        (AgoraState.JOINING, ""),
        (AgoraState.LOST, "no network"),
        (AgoraState.JOINED, ""),
    ]

    found = []
    for state, detail in states:
        car.take(FromWorker(event=Agora(state=state, detail=detail)))
        found.append(car.alerts()["agora"])

    assert found == [
        "Agora refuses this unit: kicked",
        "Agora refuses this unit: kicked",
        "the connection to Agora was lost: no network",
        None,
    ]


def test_a_flood_names_who_floods_until_all_is_quiet() -> None:
    car = Car().online()

    found = []
    for user, frames_s in (("car-9", 500), ("car-4", 900), ("car-9", 0), ("car-4", 0)):
        car.take(FromWorker(event=Flood(user=user, frames_s=frames_s)))
        found.append(car.alerts()["voice-flood"])

    assert found == [
        "flooding the voice topic: car-9",
        "flooding the voice topic: car-4, car-9",
        "flooding the voice topic: car-4",
        None,
    ]


def test_an_office_that_gives_no_token_is_an_alert_with_its_reason() -> None:
    car = Car().online()

    car.take(TokenFailed(code="store", why="the store is away"))

    assert car.alerts()["agora-token"] == "the store is away"


def test_the_longest_reason_still_fits_an_alert() -> None:
    car = Car().online().take(TokenFailed(code="", why="x" * 5000))

    (alert,) = [p.message for p in car.of(Publish) if isinstance(p.message, Alert)]
    assert len(alert.what) == 256


def test_a_worker_that_dies_twice_within_a_minute_goes_on_without_agora_for_ten_minutes() -> None:
    car = Car().online()
    car.take(WorkerGone(reason="SIGSEGV")).wait(1.0).voice().wait(CRASHES_WITHIN_S - 5)

    car.seen().take(WorkerGone(reason="SIGSEGV")).wait(5.0)
    without, alert = car.of(StartWorker), car.alerts()["agora"]
    car.voice().seen().wait(WITHOUT_AGORA_S)
    killed = car.of(KillWorker)
    car.take(WorkerGone(reason="killed")).wait(1.0)

    assert without == [StartWorker(agora=False)]
    assert alert is not None and "died 2 times" in alert
    assert KillWorker(reason="Agora is taken up again") in killed
    assert car.of(StartWorker)[-1] == StartWorker(agora=True)
    assert car.alerts()["agora"] is None


def test_deaths_that_lie_apart_or_without_agora_leave_it_as_it_is() -> None:
    apart, plain = Car().online(), Car(agora=False).online()

    for car, between_s in ((apart, CRASHES_WITHIN_S + 10), (plain, 1.0)):
        for _ in range(3):
            car.take(WorkerGone(reason="x")).wait(6.0).voice().wait(between_s)

    assert {start.agora for start in apart.of(StartWorker)} == {True}
    assert {start.agora for start in plain.of(StartWorker)} == {False}
    assert "agora" not in {**apart.alerts(), **plain.alerts()}


def test_agora_is_not_taken_up_again_in_the_middle_of_a_session() -> None:
    car = Car().online()
    for _ in range(2):
        car.take(WorkerGone(reason="SIGSEGV")).wait(1.0).voice()
    in_session(car, current_speaker="car-2").seen()

    car.wait(WITHOUT_AGORA_S + 60)

    assert [kill.reason for kill in car.of(KillWorker) if "Agora" in kill.reason] == []


def test_the_worker_is_given_tokens_only_over_its_pipe() -> None:
    car = Car().online().take(FromWorker(event=TokenWanted(channel="ch", why="none")))

    assert [published for published in car.of(Publish) if "token" in repr(published.message)] == []
