"""The priorities of a vehicle and its place in the queue, as the driver is told of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.core.indicators import TABLE, Vibration
from gateway.core.participant_words import State
from gateway.core.told import Told
from gateway.core.vehicle import Vehicle
from gateway.core.words import (
    Pressed,
    Released,
)
from protocol.messages import (
    FloorQueued,
    FloorRelease,
    FloorRenewed,
    Priority,
)
from protocol.timers import QUEUED_GIVE_UP_S
from protocol.worker import Say
from tests.core.gateway_emergency_rig import Cab


@pytest.fixture
def cab() -> Cab:
    return Cab()


# --- priorities and the queue -----------------------------------------------------------------------------------------


def test_the_talk_button_asks_with_the_vehicles_own_priority() -> None:
    cab = Cab()
    cab.vehicle = Vehicle(replace(cab.vehicle._who, priority=Priority.HIGH), lambda: 0.5)
    cab.vehicle.start(cab.now, 0)
    cab.up()
    cab.feed(Pressed(at=cab.now))

    assert cab.requests() == [Priority.HIGH]


def test_the_place_in_the_queue_is_said_and_said_again_when_it_changes(cab: Cab) -> None:
    cab.feed(Pressed(at=cab.now))
    for position in (2, 2, 1, 1):
        cab.reply(FloorQueued(rev=2, request_id=(0, 7, 1, 1), position=position))

    said = [command.text for command in cab.commands(Say) if isinstance(command, Say)]
    assert said == ["2번째로 대기 중입니다", "1번째로 대기 중입니다"]


def test_a_turn_that_came_after_waiting_is_felt_more_strongly_than_a_grant_at_once(cab: Cab) -> None:
    cab.feed(Pressed(at=cab.now))
    cab.reply(FloorQueued(rev=2, request_id=(0, 7, 1, 1), position=1))
    cab.grant()
    cab.reply(FloorRenewed(rev=11, burst=5, renew_no=1))

    assert cab.told()[-1] is Told.TURN_CAME
    assert TABLE[Told.TURN_CAME].vibration is Vibration.YOUR_TURN
    assert TABLE[Told.TURN_CAME].sound is None  # the microphone is open


def test_let_go_in_the_queue_the_request_is_taken_back(cab: Cab) -> None:
    cab.feed(Pressed(at=cab.now))
    cab.reply(FloorQueued(rev=2, request_id=(0, 7, 1, 1), position=1))
    cab.feed(Released(at=cab.now))

    assert cab.told()[-1] is Told.CANCELLED
    assert len(cab.published(FloorRelease)) == 1


def test_a_queue_that_answers_no_more_is_given_up_and_told_instead_of_waiting_for_ever(cab: Cab) -> None:
    cab.feed(Pressed(at=cab.now))
    for _ in range(8):  # far longer than it gives up after, answered each time
        cab.reply(FloorQueued(rev=2, request_id=(0, 7, 1, 1), position=1))
        cab.wait(1.0)
    assert cab.vehicle.participant.state is State.QUEUED

    cab.wait(QUEUED_GIVE_UP_S)

    assert cab.told()[-1] is Told.NO_ANSWER
    assert {each.message.request_id for each in cab.published(FloorRelease)} == {(0, 7, 1, 1)}  # type: ignore[union-attr]
    assert cab.vehicle.participant.talk is None
