"""Loss of link is told once and not in a loop, and its return too; light and mute line are true at once."""

import pytest

from gateway.core.link import BACK_AFTER_S, TOLD_AFTER_S
from gateway.core.told import Told
from gateway.core.words import Dial, LinkDown, LinkUp, Look, Pressed, Released, Tell
from tests.core.gateway_vehicle_rig import Rig

TOLD = {Told.LINK_LOST, Told.LINK_BACK, Told.NO_CONNECTION, Told.NOT_ADMITTED}


def told(rig: Rig, since: int = 0) -> list[Told]:
    return [e.what for _, e in rig.all[since:] if isinstance(e, Tell) and e.what in TOLD]


def down(rig: Rig, seconds: float, *, refused: bool = False) -> None:
    """The link is away for so long; attempts to dial fail."""
    rig.feed(LinkDown(reason="test", refused=refused))
    end = rig.now + seconds
    while rig.now < end:
        rig.wait(min(0.05, end - rig.now))


def up(rig: Rig, seconds: float) -> None:
    rig.feed(LinkUp())
    rig.wait(seconds)


@pytest.fixture
def rig() -> Rig:
    rig = Rig().up()
    rig.wait(60.0)
    rig.all.clear()
    return rig


def test_a_blip_is_not_worth_a_word(rig: Rig) -> None:
    down(rig, TOLD_AFTER_S - 0.1)
    up(rig, 10.0)
    assert told(rig) == []


def test_lost_is_told_once_it_lasts_and_back_once_it_held(rig: Rig) -> None:
    down(rig, TOLD_AFTER_S - 0.1)
    assert told(rig) == []
    rig.wait(0.2)
    assert told(rig) == [Told.LINK_LOST]
    rig.wait(300.0)
    up(rig, BACK_AFTER_S - 0.1)
    assert told(rig) == [Told.LINK_LOST]
    rig.wait(0.2)
    assert told(rig) == [Told.LINK_LOST, Told.LINK_BACK]
    rig.wait(300.0)
    assert told(rig) == [Told.LINK_LOST, Told.LINK_BACK]


@pytest.mark.parametrize("up_s", [0.1, 1.0, BACK_AFTER_S - 0.1])
@pytest.mark.parametrize("down_s", [0.2, 1.0, 2.5, 8.0])
def test_a_link_that_flaps_is_told_at_most_once_lost_and_once_back(rig: Rig, down_s: float, up_s: float) -> None:
    for _ in range(20):
        down(rig, down_s)
        up(rig, up_s)
    during = told(rig)
    rig.wait(60.0)
    lost_at_all = down_s >= TOLD_AFTER_S
    assert during == [Told.LINK_LOST] * lost_at_all
    assert told(rig) == [Told.LINK_LOST, Told.LINK_BACK] * lost_at_all


def test_a_link_that_is_lost_again_before_its_return_was_told_is_simply_still_lost(rig: Rig) -> None:
    down(rig, 5.0)
    up(rig, 1.0)
    down(rig, 60.0)
    assert told(rig) == [Told.LINK_LOST]


def test_a_press_meanwhile_is_told_at_once_and_that_is_the_telling(rig: Rig) -> None:
    rig.feed(LinkDown(reason="test"))
    rig.feed(Pressed(at=rig.now))
    assert told(rig) == [Told.NO_CONNECTION]
    rig.feed(Released(at=rig.now))
    rig.wait(30.0)
    assert told(rig) == [Told.NO_CONNECTION]
    up(rig, BACK_AFTER_S + 0.1)
    assert told(rig) == [Told.NO_CONNECTION, Told.LINK_BACK]


def test_every_press_is_answered_however_often(rig: Rig) -> None:
    rig.feed(LinkDown(reason="test"))
    for _ in range(5):
        rig.feed(Pressed(at=rig.now), Released(at=rig.now))
        rig.wait(1.0)
    assert told(rig) == [Told.NO_CONNECTION] * 5


def test_a_press_that_is_sent_over_the_new_link_needs_no_word_of_its_return(rig: Rig) -> None:
    down(rig, 10.0)
    up(rig, 1.0)
    before = len(rig.all)
    rig.feed(Pressed(at=rig.now))
    rig.grant(press=1, burst=5)
    rig.wait(BACK_AFTER_S)
    assert Told.LINK_BACK not in told(rig, before)


def test_the_light_is_true_at_once_whatever_was_told(rig: Rig) -> None:
    rig.feed(LinkDown(reason="test"))
    lost = rig.shows()
    rig.feed(LinkUp())
    assert (lost, rig.shows()) == (Look.NO_LINK, Look.READY)


def test_one_that_is_not_admitted_is_told_so_instead(rig: Rig) -> None:
    rig.feed(LinkDown(reason="test", refused=True))
    rig.wait(30.0)
    assert told(rig) == [Told.NOT_ADMITTED]


def test_dialling_goes_on_as_before(rig: Rig) -> None:
    down(rig, 5.0)
    assert [e for _, e in rig.all if isinstance(e, Dial)] != []
