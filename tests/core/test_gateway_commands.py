"""What monitors may ask of a vehicle: done once, answered always, never retained, never more than a few a second."""

from __future__ import annotations

import pytest

from gateway.core.deeds import IDENTIFY_S
from gateway.core.told import Told
from gateway.core.words import Flag, InputChanged, Keep, Look, Measure, Pressed, Restart, ToWorker
from protocol.commands import COMMANDS_PER_S_MAX, CommandOp
from protocol.messages import CommandReply, FloorRelease, FloorRequest
from protocol.worker import Arm, Levels, Mute, Transmit
from tests.core.upkeep_rig import UpkeepRig

GOOD: dict[CommandOp, dict[str, float]] = {op: {} for op in CommandOp} | {CommandOp.LEVELS: {"mic_db": 6.0}}
"""Parameters with which each command is obeyed."""


@pytest.fixture
def rig() -> UpkeepRig:
    return UpkeepRig().up()


@pytest.mark.parametrize("op", CommandOp)
def test_every_command_is_answered_under_its_id(rig: UpkeepRig, op: CommandOp) -> None:
    reply = rig.command(op, f"id-{op}", **GOOD[op])

    assert reply is not None
    assert (reply.id, reply.op, reply.ok, bool(reply.what)) == (f"id-{op}", op, True, True)


@pytest.mark.parametrize("op", CommandOp)
@pytest.mark.parametrize("held", [False, True])
def test_no_command_keys_a_vehicle_whatever_its_button_does(rig: UpkeepRig, op: CommandOp, held: bool) -> None:
    if held:  # and let go of by the office: only a new press may key it
        rig.command(CommandOp.MUTE_TRANSMITTER)
        rig.feed(Pressed(at=rig.now))
    before = len(rig.all)

    rig.wait(1).command(op, **GOOD[op])
    rig.wait(10)
    after = [effect for _, effect in rig.all[before:]]

    keyed = [e for e in after if isinstance(e, ToWorker) and isinstance(e.command, Arm | Transmit)]
    asked = [e for e in after if isinstance(getattr(e, "message", None), FloorRequest)]
    assert keyed == asked == []
    assert not rig.vehicle.participant.transmitting


def test_the_same_id_is_done_once_and_answered_again(rig: UpkeepRig) -> None:
    first = rig.command("restart", "r-1")
    again = rig.wait(2).command("restart", "r-1")

    assert first == again is not None
    assert len(rig.of(Restart)) == 1


def test_a_retained_command_is_refused_however_good_it_is(rig: UpkeepRig) -> None:
    reply = rig.command("restart", retained=True)

    assert reply is not None and not reply.ok and "retained" in reply.what
    assert rig.of(Restart) == []


def test_an_unknown_command_is_refused_and_told_what_there_is(rig: UpkeepRig) -> None:
    reply = rig.command("talk")

    assert reply is not None and not reply.ok
    assert "unknown op 'talk'" in reply.what and "identify" in reply.what


@pytest.mark.parametrize(
    ("op", "params", "said"),
    [
        ("levels", {}, "mic_db or speaker_db"),
        ("levels", {"mic_db": 20.5}, "<= 20"),
        ("levels", {"speaker_db": "loud"}, "Expected"),
        ("levels", {"volume": 3}, "volume"),
        ("identify", {"for_s": 3}, "for_s"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_and_named(
    rig: UpkeepRig, op: str, params: dict[str, object], said: str
) -> None:
    reply = rig.command(op, **params)

    assert reply is not None and not reply.ok and said in reply.what


def test_a_flood_is_refused_and_told_so_once_a_second(rig: UpkeepRig) -> None:
    for number in range(50):
        rig.command("telemetry", f"t-{number}")
    replies: list[CommandReply] = rig.published(CommandReply)
    refused = [reply for reply in replies if not reply.ok]
    later = rig.wait(1.1).command("telemetry")

    assert len(replies) - len(refused) == COMMANDS_PER_S_MAX
    assert len(refused) == 1 and "5 commands" in refused[0].what
    assert later is not None and later.ok


def test_identify_is_seen_felt_and_heard_for_a_while(rig: UpkeepRig) -> None:
    rig.command("identify")
    during = rig.looks()
    rig.wait(IDENTIFY_S + 0.1)

    assert (during, rig.looks()) == (Look.IDENTIFY, Look.READY)
    assert rig.told() == [Told.IDENTIFY, Told.IDENTIFY]


def test_identify_waits_for_nobody_who_talks(rig: UpkeepRig) -> None:
    rig.talk()
    reply = rig.command("identify")

    assert reply is not None and not reply.ok
    assert rig.looks() is Look.TALKING
    assert Told.IDENTIFY not in rig.told()


def test_a_press_ends_identifying(rig: UpkeepRig) -> None:
    rig.command("identify")
    rig.talk()
    looks = rig.looks()
    rig.wait(0.5).talk_on(4)

    assert looks is Look.TALKING
    assert rig.told().count(Told.IDENTIFY) == 1


def test_levels_are_set_in_the_worker_and_answered(rig: UpkeepRig) -> None:
    reply = rig.command("levels", mic_db=6.0)
    later = rig.command("levels", speaker_db=-3.0)

    assert later is not None and later.data == {"mic_db": 6.0, "speaker_db": -3.0}
    assert reply is not None and reply.ok
    assert [e.command for e in rig.of(ToWorker) if isinstance(e.command, Levels)][-1] == Levels(
        mic_db=6.0, speaker_db=-3.0
    )


def test_a_restart_is_answered_first(rig: UpkeepRig) -> None:
    rig.command("restart")
    kinds = [type(getattr(effect, "message", effect)) for _, effect in rig.all]

    assert kinds.index(CommandReply) < kinds.index(Restart)


def test_a_restart_cuts_nobody_off_and_is_done_when_asked_again_afterwards(rig: UpkeepRig) -> None:
    rig.talk()
    refused = rig.command("restart")
    assert (refused and refused.ok, rig.of(Restart)) == (False, [])

    rig.release().wait(5.0)
    done = rig.command("restart")

    assert (done and done.ok, len(rig.of(Restart))) == (True, 1)


def test_a_restart_waits_while_an_emergency_button_is_held(rig: UpkeepRig) -> None:
    rig.feed(InputChanged(signal="emergency", active=True, at=rig.now))
    rig.command("restart")

    assert rig.of(Restart) == []


def test_muting_ends_an_open_talk_and_releases_the_floor(rig: UpkeepRig) -> None:
    rig.talk()
    rig.command("mute_transmitter")
    commands = [e.command for e in rig.of(ToWorker)]

    assert not rig.vehicle.participant.transmitting
    assert any(isinstance(command, Mute) for command in commands)
    assert rig.published(FloorRelease)
    assert Told.TRANSMITTER_MUTED in rig.told()


def test_a_press_of_a_muted_vehicle_is_told_why_and_sends_nothing(rig: UpkeepRig) -> None:
    rig.command("mute_transmitter")
    rig.feed(Pressed(at=rig.now))

    assert rig.told() == [Told.TRANSMITTER_MUTED]
    assert rig.published(FloorRequest) == []
    assert not any(isinstance(e.command, Arm) for e in rig.of(ToWorker))


def test_a_muted_transmitter_is_kept_told_and_let_go(rig: UpkeepRig) -> None:
    rig.command("mute_transmitter")
    muted = (rig.vehicle.status().transmitter_muted, "transmitter-muted" in rig.alerts())
    rig.wait(1).command("unmute_transmitter")
    unmuted = (rig.vehicle.status().transmitter_muted, "transmitter-muted" in rig.alerts())
    rig.feed(Pressed(at=rig.now))

    assert rig.of(Keep) == [Keep(flag=Flag.TRANSMITTER_MUTED, on=True), Keep(flag=Flag.TRANSMITTER_MUTED, on=False)]
    assert (muted, unmuted) == ((True, True), (False, False))
    assert len(rig.published(FloorRequest)) == 1


def test_a_vehicle_muted_before_its_restart_is_muted() -> None:
    rig = UpkeepRig(flags=frozenset({Flag.TRANSMITTER_MUTED})).up().feed(Pressed(at=100.0))

    assert rig.told() == [Told.TRANSMITTER_MUTED]
    assert "transmitter-muted" in rig.alerts()


def test_muting_that_cannot_be_kept_is_done_and_said_to_be_undone_by_a_restart(rig: UpkeepRig) -> None:
    rig.problem = "/var/lib/ptt-gateway: Read-only file system"
    reply = rig.command("mute_transmitter")

    assert reply is not None and not reply.ok
    assert "a restart will undo that: /var/lib" in reply.what
    assert rig.vehicle.status().transmitter_muted


def test_telemetry_is_measured_and_published_at_once(rig: UpkeepRig) -> None:
    before = len(rig.telemetry())
    rig.command("telemetry")

    assert len(rig.telemetry()) == before + 1
    assert rig.of(Measure)


def test_a_self_check_says_what_it_found(rig: UpkeepRig) -> None:
    well = rig.command("self_check")
    rig.command("mute_transmitter")
    muted = rig.command("self_check")

    assert well is not None and well.what == "all is well"
    assert well.data["devices"] == {"capture": True, "playback": True}
    assert muted is not None and muted.data["alerts"] == ["transmitter-muted"]


def test_a_clear_of_no_emergency_is_said_to_have_been_none(rig: UpkeepRig) -> None:
    reply = rig.command("clear_emergency")

    assert reply is not None and reply.what == "there was no emergency"


def test_an_emergency_of_a_muted_vehicle_is_raised_and_told_and_transmits_nothing(rig: UpkeepRig) -> None:
    rig.command("mute_transmitter")
    rig.feed(InputChanged(signal="emergency", active=True, at=rig.now)).wait(3)
    rig.feed(InputChanged(signal="emergency", active=False, at=rig.now)).wait(10)

    keyed = [e.command for e in rig.of(ToWorker) if isinstance(e.command, Arm | Transmit)]
    assert "emergency" in rig.alerts()
    assert keyed == rig.published(FloorRequest) == []


def test_an_emergency_is_cleared_by_the_office(rig: UpkeepRig) -> None:
    rig.feed(InputChanged(signal="emergency", active=True, at=rig.now)).wait(1.5)
    rig.feed(InputChanged(signal="emergency", active=False, at=rig.now)).wait(1)
    raised = "emergency" in rig.alerts()
    reply = rig.command("clear_emergency")

    assert raised
    assert reply is not None and (reply.ok, reply.what) == (True, "the emergency is cleared")
    assert "emergency" not in rig.alerts()
