"""Whose voice is carried how, as the floor counts it, and what becomes of that when an office changes."""

import pytest
from msgspec.structs import replace

from dispatch.core.server import RulesChanged
from dispatch.core.state import Entry, OfficeRules
from protocol.messages import (
    AppType,
    DenyCause,
    FloorGranted,
    FloorRenewed,
    FloorRequest,
    Presence,
    Roster,
    Session,
    VoicePath,
)
from protocol.rest import Role
from protocol.topics import Kind
from tests.core.admission_rig import LOST, OFFLINE, SLEEPING, Office, entry, gone
from tests.core.dispatch_bench import HQ, Bench, denied, one

# --- voices -----------------------------------------------------------------------------------------------------------


def test_the_session_tells_the_speaker_s_agora_uid_of_the_registry() -> None:
    office = Office()

    office.take("car-2", 1)
    speaking = office.sent(Session)[-1]
    office.release("car-2", 1)

    assert speaking.speaker_uid == 102
    assert office.sent(Session)[-1].speaker_uid == 0


def bridge(uid: int = 900) -> Entry:
    return entry(uid, role=Role.BRIDGE)


@pytest.mark.parametrize(
    ("user", "said", "office_voice", "uid"),
    [
        ("car-1", {}, VoicePath.MQTT, 900),
        ("car-1", {"voice": VoicePath.AGORA, "in_channel": "e"}, VoicePath.MQTT, 101),
        ("car-1", {"app_type": AppType.CALL_MANAGER}, VoicePath.MQTT, 101),
        ("car-1", {}, VoicePath.AGORA, 101),
    ],
    ids=["a vehicle on mqtt", "a vehicle that joined agora", "a phone", "an office on agora"],
)
def test_a_vehicle_without_agora_is_heard_there_under_the_uid_of_the_bridge(
    user: str, said: dict[str, object], office_voice: VoicePath, uid: int
) -> None:
    office = Office(OfficeRules(voice=office_voice), relay=bridge())
    office.come("relay", app_type=AppType.BRIDGE)
    office.come(user, **said)  # type: ignore[arg-type]

    office.take(user, 1)

    assert office.sent(Session)[-1].speaker_uid == uid


def test_without_a_bridge_that_is_online_a_vehicle_has_its_own_uid() -> None:
    office = Office(relay=bridge())
    office.come("relay", app_type=AppType.BRIDGE)
    office.hear("relay", Presence(state=LOST, connection_id=(1, 1, 1), presence_no=9), Kind.PRESENCE)
    office.advance(0.1)

    office.take("car-1", 1)

    assert office.sent(Session)[-1].speaker_uid == 101


def test_a_member_that_calls_itself_a_bridge_speaks_for_nobody_where_there_is_a_registry() -> None:
    office = Office()
    office.come("car-2", app_type=AppType.BRIDGE)

    office.take("car-1", 1)

    assert office.sent(Session)[-1].speaker_uid == 101


def test_a_bridge_is_in_the_roster_is_no_participant_and_never_gets_the_floor() -> None:
    office = Office(relay=bridge())
    office.come("car-1")
    office.take("car-1", 1)
    running = office.floor.event_id
    office.come("relay", app_type=AppType.BRIDGE, in_channel=running, voice=VoicePath.AGORA)
    office.come("car-2", in_channel=running)
    office.release("car-1", 1)
    office.advance(1.5)

    answer = denied(office.ask("relay", 1))

    roster = office.sent(Roster)[-1]
    assert answer.cause is DenyCause.RECEIVE_ONLY
    assert ([m.user for m in roster.members if m.in_channel], roster.participants) == (["car-2", "relay"], 1)


@pytest.mark.parametrize("kind", [AppType.BRIDGE, AppType.MONITOR])
def test_in_an_open_office_its_own_word_makes_a_bridge_or_monitor(kind: AppType) -> None:
    bench = Bench()
    bench.presence("relay", 1, app_type=kind)

    assert denied(bench.request("relay", 1)).cause is DenyCause.RECEIVE_ONLY


def on_agora(office: Office, user: str, number: int = 2, **more: object) -> None:
    office.come(user, number, in_channel=office.floor.event_id, voice=VoicePath.AGORA, **more)  # type: ignore[arg-type]


def renewed(office: Office, burst: int, number: int) -> bool:
    return one(FloorRenewed, office.renew("car-1", burst, number)).all_joined


def test_all_joined_is_told_once_every_other_member_online_is_on_this_session_s_agora_channel() -> None:
    office = Office(relay=bridge(), eye=entry(role=Role.MONITOR))
    for user in ("car-1", "car-2", "car-3", "relay"):
        office.come(user)
    office.come("eye", app_type=AppType.MONITOR)
    granted = one(FloorGranted, office.ask("car-1", 1))

    told = [granted.all_joined]
    for number, user in enumerate(("car-2", "car-3"), 1):
        told.append(renewed(office, granted.burst, number))
        on_agora(office, user)
    told.append(renewed(office, granted.burst, 3))

    assert told == [False, False, False, True]


def test_a_grant_in_a_session_that_all_have_joined_says_so_at_once() -> None:
    office = Office()
    office.come("car-1")
    office.come("car-2")
    office.take("car-1", 1)
    on_agora(office, "car-1")
    on_agora(office, "car-2")
    office.release("car-1", 1)

    assert one(FloorGranted, office.ask("car-2", 1)).all_joined


@pytest.mark.parametrize(
    "last",
    [
        {"in_channel": None},
        {"voice": VoicePath.MQTT},
        {"in_channel": "of another session"},
    ],
    ids=["left the channel", "fell back to mqtt", "in an older session's channel"],
)
def test_all_joined_ends_when_one_of_them(last: dict[str, object]) -> None:
    office = Office()
    office.come("car-1")
    office.come("car-2")
    burst = office.take("car-1", 1)
    on_agora(office, "car-2")
    before = renewed(office, burst, 2)

    office.come("car-2", 3, **{"in_channel": office.floor.event_id, "voice": VoicePath.AGORA, **last})  # type: ignore[arg-type]

    assert (before, renewed(office, burst, 3)) == (True, False)


def test_a_member_that_sleeps_listens_and_is_waited_for_like_any_other() -> None:
    office = Office()
    for user in ("car-1", "car-2", "car-3"):
        office.come(user)
    burst = office.take("car-1", 1)
    on_agora(office, "car-2")
    office.hear("car-3", Presence(state=SLEEPING, connection_id=(1, 1, 1), presence_no=2), Kind.PRESENCE)
    before = renewed(office, burst, 2)

    event_id = office.floor.event_id
    asleep = {"state": SLEEPING, "in_channel": event_id, "voice": VoicePath.AGORA}
    office.hear("car-3", Presence(connection_id=(1, 1, 1), presence_no=3, **asleep), Kind.PRESENCE)
    office.advance(0.1)

    assert (before, renewed(office, burst, 3)) == (False, True)


def test_members_that_are_gone_or_revoked_keep_nobody_on_mqtt() -> None:
    office = Office(car_4=entry(104))
    for user in ("car-1", "car-2", "car-3", "car-4"):
        office.come(user)
    burst = office.take("car-1", 1)
    on_agora(office, "car-2")
    before = renewed(office, burst, 2)

    office.hear("car-3", Presence(state=OFFLINE, connection_id=(1, 1, 1), presence_no=2), Kind.PRESENCE)
    office.registry(car_4=gone())
    office.advance(0.1)

    assert (before, renewed(office, burst, 3)) == (False, True)


def test_alone_or_among_members_without_presence_all_joined_is_not_told() -> None:
    office = Office()
    office.come("car-1")
    burst = office.take("car-1", 1)

    assert not renewed(office, burst, 2)


# --- offices ----------------------------------------------------------------------------------------------------------


def test_the_session_carries_the_registry_s_channel_name_from_the_next_session_on() -> None:
    office = Office(OfficeRules(channel="seoul_hq_7f"))
    named = office.sent(Session)[-1].channel_name
    office.take("car-1", 1)

    office.change(replace(office.rules, channel="other"))
    office.advance(0.2)
    while_active = office.floor.channel_name
    office.release("car-1", 1)
    office.advance(6)
    office.take("car-1", 2)

    assert (named, while_active, office.floor.channel_name) == ("seoul_hq_7f", "seoul_hq_7f", "other")


def test_an_office_that_comes_into_the_registry_is_served_without_a_restart() -> None:
    office = Office()
    new = type(HQ)("seoul", "new")
    rules = OfficeRules(roll={"car-1": entry(7)})

    office._do(office.server.handle(RulesChanged(office=new, rules=rules), office.now, office.wall_ms))
    office.advance(0.5)
    said = office.hear("car-1", FloorRequest(request_id=(1, 1, 1, 1)), office=new)

    assert one(FloorGranted, said)
