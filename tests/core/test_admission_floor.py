"""Who belongs, as the floor knows it: strangers denied, the revoked put out at once, clones found, voices counted."""

import pytest
from msgspec.structs import replace

from dispatch.core.notices import clone_found, log
from dispatch.core.server import AlertSeen, RulesChanged
from dispatch.core.state import Entry, FloorState, OfficeRules
from protocol.messages import (
    Alert,
    AppType,
    DenyCause,
    Ended,
    EventType,
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorRelease,
    FloorRenewed,
    FloorRequest,
    FloorRevoke,
    Message,
    Presence,
    PresenceState,
    RevokeCause,
    Roster,
    Session,
    VoicePath,
)
from protocol.rest import Role
from protocol.timers import CLEANER_SWEEP_S, REVOKE_S
from protocol.topics import Kind
from tests.core.dispatch_bench import HQ, Bench, denied, one

ONLINE, SLEEPING, OFFLINE, LOST = PresenceState
UNIT, COPY = "unit-0001", "copy-0002"


def entry(uid: int = 0, **more: object) -> Entry:
    return Entry(uid=uid, **more)  # type: ignore[arg-type]


class Office(Bench):
    """A bench with a registry: car-1, car-2 and car-3 belong; `registry` changes what it says."""

    def __init__(self, rules: OfficeRules | None = None, **roll: Entry) -> None:
        named = {name.replace("_", "-"): each for name, each in roll.items()}
        users = {"car-1": entry(101), "car-2": entry(102), "car-3": entry(103), **named}
        super().__init__(replace(rules or OfficeRules(), roll=users))

    def registry(self, **changed: Entry | None) -> None:
        """Change users (None: taken out); underscores stand for hyphens."""
        roll = dict(self.rules.roll or {})
        for name, each in changed.items():
            user = name.replace("_", "-")
            if each is None:
                roll.pop(user)
            else:
                roll[user] = each
        self.change(replace(self.rules, roll=roll))

    def change(self, rules: OfficeRules) -> None:
        self.rules = rules
        self._do(self.server.handle(RulesChanged(office=HQ, rules=rules), self.now, self.wall_ms))

    def come(self, user: str, number: int = 1, generation: int = 1, boot: int = 1, **more: object) -> None:
        said = Presence(
            state=ONLINE,
            connection_id=(generation, boot, 1),
            presence_no=number,
            **more,  # type: ignore[arg-type]
        )
        self.hear(user, said, Kind.PRESENCE)
        self.advance(0.05)

    def ask(self, user: str, press: int, generation: int = 1, boot: int = 1) -> list[Message]:
        return self.hear(user, FloorRequest(request_id=(generation, boot, 1, press)))

    def told(self, user: str) -> Presence:
        """The last presence the server published in the user's name."""
        return self.presences(user)[-1]

    def presences(self, user: str) -> list[Presence]:
        return [p.message for p in self.published if p.kind is Kind.PRESENCE and p.ids == (user,)]  # type: ignore[misc]

    def alerts(self, user: str) -> list[Alert | None]:
        return [p.message for p in self.published if p.kind is Kind.ALERT and p.ids == (user, "clone")]  # type: ignore[misc]


def gone(why: str = "sold", at: int = 5000, **more: object) -> Entry:
    return entry(101, admitted=False, revoked_at=at, revoked_why=why, **more)


# --- strangers ------------------------------------------------------------------------------------------------------


def test_a_request_of_one_whom_the_registry_does_not_know_is_denied_and_leaves_no_member() -> None:
    office = Office()

    answer = denied(office.ask("stranger", 1))

    assert answer.cause is DenyCause.NOT_ADMITTED
    assert office.floor.holder is None
    assert office.store.transact(HQ, lambda tx: tx.member("stranger"), durable=False) is None


def test_a_stranger_s_release_is_acknowledged_and_its_renewal_refused_so_that_neither_comes_for_ever() -> None:
    office = Office()

    released = one(FloorAck, office.hear("stranger", FloorRelease(request_id=(1, 1, 1, 1))))
    revoked = one(FloorRevoke, office.renew("stranger", 7, 1))

    assert (released.request_id, revoked.cause) == ((1, 1, 1, 1), RevokeCause.NO_PERMISSION)


def test_a_user_without_a_secret_is_no_member_yet() -> None:
    office = Office(car_9=entry(admitted=False))

    assert denied(office.ask("car-9", 1)).cause is DenyCause.NOT_ADMITTED


def test_a_stranger_s_presence_is_not_taken_up_and_the_retained_one_is_put_right_once() -> None:
    office = Office()

    office.come("stranger", 3, in_channel="e")
    [told] = office.presences("stranger")
    office.hear("stranger", told, Kind.PRESENCE)  # the server's own word comes back
    office.advance(1)

    assert (told.state, told.reason, told.connection_id, told.presence_no) == (OFFLINE, "not admitted", (1, 1, 1), 4)
    assert len(office.presences("stranger")) == 1
    assert office.events(EventType.USER_JOINED) == []


def test_one_that_came_a_moment_before_the_registry_was_read_is_taken_up_as_soon_as_it_is() -> None:
    office = Office()
    office.come("car-9", 1, name="new")

    office.registry(car_9=entry(109))
    office.advance(0.1)

    assert office.member("car-9").state is ONLINE
    assert one(FloorGranted, office.ask("car-9", 1))


def test_an_open_office_lets_everybody_in() -> None:
    bench = Bench()

    bench.presence("anybody", 1, hardware=UNIT)

    assert bench.member("anybody").state is ONLINE
    assert one(FloorGranted, bench.request("anybody", 1))


# --- revocation -----------------------------------------------------------------------------------------------------


def test_a_speaker_that_is_revoked_is_told_and_the_floor_is_free_at_once_though_it_never_answers() -> None:
    office = Office()
    office.come("car-1")
    burst = office.take("car-1", 1)
    office.advance(0.5)
    began = office.now

    office.registry(car_1=gone())
    office.advance(0.1)

    [told] = office.sent(FloorRevoke, "car-1")
    session = office.sent(Session)[-1]
    assert (told.burst, told.cause) == (burst, RevokeCause.NO_PERMISSION)
    assert (session.current_speaker, session.ended, session.last_seq) == (None, Ended.CLEANED, None)
    assert office.now - began < REVOKE_S


def test_a_revoked_speaker_cannot_renew_release_into_or_ask_for_the_floor() -> None:
    office = Office()
    burst = office.take("car-1", 1)
    office.registry(car_1=gone())
    office.advance(0.1)
    holder = office.take("car-2", 1)

    refused = one(FloorRevoke, office.renew("car-1", burst, 2))
    one(FloorAck, office.release("car-1", 1))
    again = denied(office.request("car-1", 2))

    assert (refused.cause, again.cause) == (RevokeCause.NO_PERMISSION, DenyCause.NOT_ADMITTED)
    assert (office.floor.holder, office.floor.burst) == ("car-2", holder)


def test_a_request_between_the_revocation_and_the_next_turn_is_denied() -> None:
    office = Office()
    office.take("car-1", 1)
    office.release("car-1", 1)

    office.registry(car_1=gone())

    assert denied(office.request("car-1", 2)).cause is DenyCause.NOT_ADMITTED


def late_replica(office: Office) -> Bench:
    """Another process on the same store, which has not read yet what changes in the registry from here on."""
    return Bench(office.rules, store=office.store, now=office.now)


def test_a_grant_by_a_replica_that_read_the_registry_late_and_died_of_it_is_taken_back_by_the_other() -> None:
    office = Office()
    late = late_replica(office)
    office.registry(car_1=gone())
    office.advance(0.1)
    burst = late.take("car-1", 1)
    began = office.now

    while office.floor.holder == "car-1" and office.now < began + 10:
        office.renew("car-1", burst, round((office.now - began) * 10) + 2)
        office.advance(0.1)

    assert office.now - began < 1
    assert (office.floor.holder, office.floor.ended) == (None, Ended.CLEANED)


def test_one_that_a_late_replica_let_wait_is_taken_out_of_the_queue() -> None:
    office = Office(OfficeRules(queue=True))
    late = late_replica(office)
    office.take("car-2", 1)
    office.registry(car_1=gone())
    office.advance(0.1)

    late.request("car-1", 1)
    waited = [waiting.user for waiting in office.floor.queue]
    office.advance(1)

    assert (waited, office.floor.queue) == (["car-1"], ())
    assert [told.cause for told in office.sent(FloorDeny, "car-1")] == [DenyCause.NOT_ADMITTED]


def test_a_member_that_a_late_replica_let_in_is_put_out_by_the_next_sweep() -> None:
    office = Office()
    late = late_replica(office)
    office.registry(car_1=gone())
    office.advance(0.1)
    late.presence("car-1", 1)
    let_in = office.member("car-1").present

    office.advance(CLEANER_SWEEP_S + 1)

    assert let_in
    assert office.member("car-1").state is OFFLINE


def test_one_that_waits_and_is_revoked_is_told_and_forgotten_and_never_granted() -> None:
    office = Office(OfficeRules(queue=True))
    office.take("car-2", 1)
    office.request("car-1", 1)
    office.request("car-3", 1)

    office.registry(car_1=gone())
    office.advance(0.1)
    office.release("car-2", 1)

    assert [d.cause for d in office.sent(FloorDeny, "car-1")] == [DenyCause.NOT_ADMITTED]
    assert office.floor.holder == "car-3"


def test_speaker_and_first_in_the_queue_revoked_together_leave_the_floor_to_the_second() -> None:
    office = Office(OfficeRules(queue=True))
    office.take("car-1", 1)
    office.request("car-2", 1)
    office.request("car-3", 1)

    office.registry(car_1=gone(), car_2=gone())
    office.advance(0.1)

    assert office.floor.holder == "car-3"
    assert office.sent(FloorGranted, "car-2") == []


def test_a_revoked_member_is_offline_has_left_the_channel_and_the_log_says_so_once() -> None:
    office = Office()
    office.come("car-1", 1, name="김기사", in_channel="e")

    office.registry(car_1=gone("sold"))
    office.advance(3)
    office.registry(car_2=entry(202))
    office.advance(3)

    told = office.told("car-1")
    assert (told.state, told.reason, told.presence_no) == (OFFLINE, "revoked", 2)
    assert [(e.user, e.metadata["reason"]) for e in office.events(EventType.USER_LEFT)] == [("car-1", "revoked")]
    assert [(e.user, e.metadata["reason"]) for e in office.events(EventType.USER_REVOKED)] == [("car-1", "sold")]


def test_a_revocation_is_logged_once_however_many_replicas_and_starts_read_it() -> None:
    office = Office()
    office.registry(car_1=gone())
    office.advance(0.1)

    office.start()
    office.up()
    replica = Bench(office.rules, store=office.store)
    replica.advance(1)

    assert [e.user for e in office.log() if e.event is EventType.USER_REVOKED] == ["car-1"]


def test_a_second_revocation_of_the_same_user_is_another_event() -> None:
    office = Office()
    for at in (5000, 9000):
        office.registry(car_1=gone(at=at))
        office.advance(0.1)
        office.registry(car_1=entry(101))
        office.advance(0.1)

    assert len(office.events(EventType.USER_REVOKED)) == 2


def test_a_revoked_user_that_was_never_here_is_logged_and_stands_in_no_roster() -> None:
    office = Office()
    office.come("car-2")

    office.registry(car_1=gone())
    office.advance(121)

    assert [e.user for e in office.events(EventType.USER_REVOKED)] == ["car-1"]
    assert [m.user for m in office.sent(Roster)[-1].members] == ["car-2"]


def test_a_restored_user_comes_again_and_speaks() -> None:
    office = Office()
    office.come("car-1")
    office.registry(car_1=gone())
    office.advance(1)

    office.registry(car_1=entry(101))
    office.come("car-1", 1, boot=2)

    assert office.member("car-1").state is ONLINE
    assert one(FloorGranted, office.ask("car-1", 1, boot=2))


def test_a_user_taken_out_of_the_registry_is_put_out_too() -> None:
    office = Office()
    office.come("car-1")
    office.take("car-1", 1)

    office.registry(car_1=None)
    office.advance(0.1)

    assert (office.floor.holder, office.told("car-1").reason) == (None, "not admitted")


def test_a_revocation_while_the_store_is_away_takes_effect_when_it_is_back() -> None:
    office = Office()
    office.take("car-1", 1)
    office.store.away = True
    office.registry(car_1=gone())
    office.advance(0.3)

    office.store.away = False
    office.advance(1.5)

    assert (office.floor.holder, office.floor.ended) == (None, Ended.CLEANED)


# --- replaced units and clones --------------------------------------------------------------------------------------


def test_a_unit_of_an_older_enrolment_is_refused_with_the_reason() -> None:
    office = Office(car_1=entry(101, generation=2, hardware=UNIT))

    office.come("car-1", generation=1, hardware=COPY)
    answer = denied(office.ask("car-1", 1, generation=1))

    assert (office.told("car-1").reason, answer.cause) == ("replaced by a newer enrolment", DenyCause.NOT_ADMITTED)
    assert office.clones == []


def test_a_unit_that_keeps_back_which_one_it_is_gets_neither_presence_nor_floor() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))

    office.come("car-1", 1, boot=6)
    answer = denied(office.ask("car-1", 1, boot=6))

    assert (office.told("car-1").reason, answer.cause) == ("does not say which unit it is", DenyCause.NOT_ADMITTED)
    assert office.clones == []


def test_enrolling_a_replacement_takes_the_floor_from_the_old_unit() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", hardware=UNIT)
    office.take("car-1", 1)

    office.registry(car_1=entry(101, generation=2, hardware=COPY))
    office.advance(0.1)

    assert office.floor.holder is None
    assert office.told("car-1").reason == "replaced by a newer enrolment"
    assert one(FloorGranted, office.ask("car-1", 1, generation=2))


def test_a_unit_ahead_of_what_was_read_of_the_registry_is_let_in_once_that_is_read_and_is_told_nothing_before() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", generation=2, hardware=COPY)
    told_before = office.presences("car-1")

    office.registry(car_1=entry(101, generation=2, hardware=COPY))
    office.advance(0.1)

    kept = office.member("car-1")
    assert (told_before, kept.state, kept.hardware) == ([], ONLINE, COPY)


def test_a_user_that_never_enrolled_may_count_its_connections_as_it_likes() -> None:
    office = Office(boss=entry(9, role=Role.CALL_MANAGER))

    office.come("boss", generation=7, hardware=UNIT)

    assert one(FloorGranted, office.ask("boss", 1, generation=7))


def test_another_unit_under_the_same_identity_is_found_and_refused_and_the_true_one_s_presence_stands() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", 1, boot=5, hardware=UNIT)

    office.come("car-1", 1, boot=6, hardware=COPY)
    answer = denied(office.ask("car-1", 1, boot=6))

    assert [(c.user, c.hardware) for c in office.clones] == [("car-1", COPY)]
    assert answer.cause is DenyCause.NOT_ADMITTED
    told = office.told("car-1")
    assert (told.state, told.connection_id, told.hardware) == (ONLINE, (1, 5, 1), UNIT)
    assert one(FloorGranted, office.ask("car-1", 1, boot=5))


def test_what_a_clone_got_before_its_presence_came_is_taken_back_and_the_true_unit_can_still_ask() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", 1, boot=5, hardware=UNIT)
    one(FloorGranted, office.ask("car-1", 4, boot=6))

    office.come("car-1", 1, boot=6, hardware=COPY)

    assert office.floor.state is FloorState.IDLE
    assert one(FloorGranted, office.ask("car-1", 1, boot=5))


def test_the_true_unit_on_the_connection_number_that_a_clone_had_is_let_in() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", 1, boot=6, hardware=COPY)

    office.come("car-1", 2, boot=6, hardware=UNIT)

    assert one(FloorGranted, office.ask("car-1", 1, boot=6))


def test_a_clone_s_last_will_does_not_make_the_true_unit_look_lost() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.come("car-1", 1, boot=5, hardware=UNIT)
    office.come("car-1", 1, boot=6, hardware=COPY)

    will = Presence(state=LOST, connection_id=(1, 6, 1), presence_no=2**53 - 1, hardware=COPY)
    office.hear("car-1", will, Kind.PRESENCE)
    office.advance(0.1)

    assert (office.member("car-1").state, office.told("car-1").state) == (ONLINE, ONLINE)


def cloned(at: int = 7000) -> Entry:
    return entry(101, generation=1, hardware=UNIT, clone=COPY, clone_at=at)


def test_a_clone_in_the_registry_is_one_event_and_an_alert_that_stands_until_it_is_cured() -> None:
    office = Office(car_1=entry(101, generation=1, hardware=UNIT))
    office.registry(car_1=cloned())
    office.advance(5)
    standing = office.alerts("car-1")

    office.registry(car_1=entry(101, generation=1, hardware=UNIT))
    office.advance(5)

    [alert] = standing
    assert alert is not None
    assert (alert.alert, alert.severity.value, alert.since) == ("clone", "critical", 7000)
    assert COPY in alert.what
    assert "ptt-dispatch device cured seoul/hq car-1" in alert.mend
    assert office.alerts("car-1")[-1] is None
    told = [(e.event, e.metadata["hardware"]) for e in office.events(EventType.CLONE_FOUND, EventType.CLONE_CURED)]
    assert told == [(EventType.CLONE_FOUND, COPY), (EventType.CLONE_CURED, COPY)]


def clone_events(office: Office) -> list[EventType]:
    return [e.event for e in office.log() if e.event in (EventType.CLONE_FOUND, EventType.CLONE_CURED)]


@pytest.mark.parametrize("rest_first", [True, False])
def test_a_clone_that_rest_and_the_floor_find_at_once_is_told_once(rest_first: bool) -> None:
    office = Office(car_1=entry(101, hardware=UNIT))
    found = clone_found("car-1", "car-1", COPY, 7)

    if rest_first:
        log(office.store, HQ, office.wall_ms, found)
    office.change(replace(office.rules, rev=7, roll={**(office.rules.roll or {}), "car-1": cloned()}))
    office.advance(0.1)
    log(office.store, HQ, office.wall_ms, found)
    office.advance(2)

    assert clone_events(office) == [EventType.CLONE_FOUND]


def test_a_clone_that_rest_has_told_is_not_cured_by_a_reading_of_the_registry_from_before() -> None:
    office = Office(car_1=entry(101, hardware=UNIT))
    log(office.store, HQ, office.wall_ms, clone_found("car-1", "car-1", COPY, 7))

    office.change(replace(office.rules, rev=6, hang_s=1.0))  # of another change, a moment before
    office.advance(0.1)
    office.change(replace(office.rules, rev=7, roll={**(office.rules.roll or {}), "car-1": cloned()}))
    office.advance(0.1)

    assert clone_events(office) == [EventType.CLONE_FOUND]


def test_a_clone_that_was_cured_is_not_found_again_by_a_replica_that_read_the_registry_before() -> None:
    office = Office(car_1=cloned())
    office.change(replace(office.rules, rev=6))
    office.advance(0.1)
    late = late_replica(office)
    roll = {**(office.rules.roll or {}), "car-1": entry(101, hardware=UNIT)}
    office.change(replace(office.rules, rev=7, roll=roll))
    office.advance(0.1)

    late.advance(CLEANER_SWEEP_S + 1)

    assert clone_events(office) == [EventType.CLONE_FOUND, EventType.CLONE_CURED]


def test_a_revocation_that_was_lifted_and_made_again_is_not_told_anew_by_a_late_replica() -> None:
    office = Office(car_1=gone(at=5000))
    office.advance(0.1)
    late = late_replica(office)
    roll = {**(office.rules.roll or {}), "car-1": gone(at=6000)}
    office.change(replace(office.rules, rev=7, roll=roll))
    office.advance(0.1)

    late.advance(CLEANER_SWEEP_S + 1)

    assert len([e for e in office.log() if e.event is EventType.USER_REVOKED]) == 2


@pytest.mark.parametrize("again", ["a restart", "a new broker"])
def test_the_alert_of_a_clone_is_told_anew_after(again: str) -> None:
    office = Office(car_1=cloned())
    office.advance(1)
    before = len(office.alerts("car-1"))

    office.down()
    if again == "a restart":
        office.start()
    office.up()
    office.advance(1)

    assert (before, len(office.alerts("car-1"))) == (1, 2)
    assert len([e for e in office.log() if e.event is EventType.CLONE_FOUND]) == 1


def test_an_alert_that_somebody_cleared_or_left_behind_is_put_right() -> None:
    office = Office(car_1=cloned())
    office.advance(1)
    [standing] = office.alerts("car-1")

    for user, alert in (("car-1", None), ("car-2", standing)):
        office._do(office.server.handle(AlertSeen(office=HQ, user=user, alert=alert), office.now, office.wall_ms))
    office.advance(1)

    assert office.alerts("car-1") == [standing, standing]
    assert office.alerts("car-2") == [None]


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
