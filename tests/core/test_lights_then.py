"""The documents' column `light then` is what the status light shows once a driver was told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.core.ignition import IgnitionRules
from gateway.core.told import Told
from gateway.core.words import FromWorker, InputChanged, LinkDown, LinkUp, Look, Pressed
from lab.docs.indicators import LIGHT_THEN, answers
from protocol.messages import DenyCause, FloorAck, FloorDeny, FloorQueued, FloorRevoke, RevokeCause
from protocol.worker import Drained
from tests.core.upkeep_rig import UpkeepRig

REQUEST = (0, 7, 1, 1)


def pressed() -> UpkeepRig:
    rig = UpkeepRig(ignition=IgnitionRules(off_s=5)).driven()
    return rig.feed(Pressed(at=rig.now))


def talking() -> UpkeepRig:
    return UpkeepRig().up().talk()


def denied(cause: DenyCause) -> UpkeepRig:
    return pressed().reply(FloorDeny(rev=10, request_id=REQUEST, cause=cause))


def revoked(cause: RevokeCause) -> UpkeepRig:
    return talking().reply(FloorRevoke(rev=12, burst=5, cause=cause)).wait(5)


def emergency(held_s: float) -> UpkeepRig:
    rig = UpkeepRig().up()
    return rig.feed(InputChanged(signal="emergency", active=True, at=rig.now)).wait(held_s)


def not_held() -> UpkeepRig:
    rig = emergency(0.4)
    return rig.feed(InputChanged(signal="emergency", active=False, at=rig.now))


def let_go() -> UpkeepRig:
    rig = talking().release().wait(0.3)
    return rig.feed(FromWorker(event=Drained(request_id=REQUEST, burst=5, last_seq=10))).reply(
        FloorAck(rev=12, request_id=REQUEST)
    )


def navigation_speaks() -> UpkeepRig:
    rig = talking()
    return rig.feed(InputChanged(signal="nav_busy", active=True, at=rig.now)).wait(0.5)


def parked() -> UpkeepRig:
    return UpkeepRig(ignition=IgnitionRules(off_s=5)).driven().ignition(False).wait(5.1)


def identified() -> UpkeepRig:
    rig = UpkeepRig().up()
    rig.command("identify")
    return rig


SITUATIONS: dict[Told, Callable[[], UpkeepRig]] = {
    Told.GRANTED: talking,
    Told.DENIED: lambda: denied(DenyCause.ANOTHER_HAS_PERMISSION),
    Told.QUEUED: lambda: pressed().reply(FloorQueued(rev=10, request_id=REQUEST, position=1)),
    Told.NO_CONNECTION: lambda: UpkeepRig().up().feed(LinkDown(reason="gone")).wait(5).feed(Pressed(at=105.0)),
    Told.NO_ANSWER: lambda: pressed().wait(10),
    Told.TALK_ENDED: let_go,
    Told.REVOKED: lambda: revoked(RevokeCause.NO_PERMISSION),
    Told.PREEMPTED: lambda: revoked(RevokeCause.PREEMPTED),
    Told.NOT_HEARD: lambda: talking().feed(LinkDown(reason="gone")).wait(3.0),
    Told.NAVIGATION_HOLDS: navigation_speaks,
    Told.LINK_LOST: lambda: UpkeepRig().up().feed(LinkDown(reason="gone")).wait(60),
    Told.LINK_BACK: lambda: UpkeepRig().up().feed(LinkDown(reason="gone")).wait(60).feed(LinkUp()).wait(10),
    Told.EMERGENCY_HELD: lambda: emergency(0.1),
    Told.EMERGENCY_NOT_HELD: not_held,
    Told.EMERGENCY: lambda: emergency(1.1),
    Told.PARKED: parked,
    Told.WAKING: lambda: parked().ignition(True).wait(2),
    Told.IDENTIFY: identified,
}


def test_every_told_says_which_light_it_leaves() -> None:
    assert list(LIGHT_THEN) == list(Told)


@pytest.mark.parametrize("told", SITUATIONS, ids=lambda told: str(told.value))
def test_the_light_after_it_is_the_one_the_documents_say(told: Told) -> None:
    rig = SITUATIONS[told]()

    assert told in rig.told()
    assert rig.looks() is LIGHT_THEN[told]


def test_the_table_has_the_light_of_each_and_nothing_where_it_changes_none() -> None:
    cells = {row.split(" | ")[0].removeprefix("| "): row.removesuffix(" |").rsplit(" | ", 1)[1] for row in ROWS}

    assert cells[Told.GRANTED.value] == Look.TALKING.value
    assert cells[Told.MISSED.value].strip() == ""
    assert len(cells) == len(Told)


ROWS = answers().splitlines()[2:]
