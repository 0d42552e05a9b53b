"""Kicks and clones behind the floor's loop: carried out once, tried again when they fail, never in anybody's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dispatch import chores
from dispatch.admission import Admission, rules_from
from dispatch.agora.kicking import KickingBusy, KickingError, KickingUnreachable
from dispatch.chores import Chores
from dispatch.core.state import FloorRules, OfficeRules
from dispatch.ports import StoreUnavailable
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.sql import SqlRegistry
from dispatch.settings import DispatchSettings, OfficeSettings, StoreSettings
from protocol.ids import OfficeId
from protocol.messages import Priority, VoicePath
from protocol.rest import Role
from service.settings import SettingsError
from tests.support.procs import eventually

HQ = OfficeId("seoul", "hq")


class Agora:
    """Kicking rules in memory; `faults` are raised first, one a call."""

    def __init__(self, *faults: KickingError) -> None:
        self.faults = list(faults)
        self.rules: dict[int, tuple[str, int, int]] = {}
        self.calls = 0

    def _called(self) -> None:
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)

    def make(self, channel: str, uid: int, minutes: int) -> int:
        self._called()
        self.rules[self.calls] = (channel, uid, minutes)
        return self.calls

    def lift(self, rule_id: int) -> None:
        self._called()
        del self.rules[rule_id]


@pytest.fixture
def registry() -> Iterator[SqlRegistry]:
    made = SqlRegistry("sqlite://")
    made.add_region("seoul", "서울")
    made.add_office(HQ, "본사", VoicePath.MQTT)
    for user in ("car-1", "car-2"):
        made.add_user(HQ, user, Role.VEHICLE_GATEWAY, f"{user}호")
        made.set_secret(HQ, user, hash_secret(new_secret()))
    yield made
    made.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as ending:
        yield ending


def running(stack: ExitStack, registry: SqlRegistry, agora: Agora | None) -> Chores:
    made = Chores(registry, agora, 61)
    made.start()
    stack.callback(made.close)
    return made


def test_a_revoked_user_s_kick_is_carried_out_and_a_restored_one_s_rule_lifted(
    registry: SqlRegistry, stack: ExitStack
) -> None:
    agora = Agora()
    work = running(stack, registry, agora)
    office, user = registry.office(HQ), registry.revoke(HQ, "car-1", "sold")
    assert office is not None

    work.look()
    eventually(lambda: agora.rules and not registry.kicks())
    made = dict(agora.rules)
    registry.restore(HQ, "car-1")
    work.look()
    eventually(lambda: not agora.rules and not registry.kicks())

    assert list(made.values()) == [(office.channel, user.uid, 61)]


def test_a_kick_that_fails_is_tried_again_and_its_error_shown(
    registry: SqlRegistry, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "RETRY_MIN_S", 0.2)
    agora = Agora(KickingUnreachable("no answer"), KickingBusy("too many", 0.2))
    work = running(stack, registry, agora)
    registry.revoke(HQ, "car-1", "sold")

    work.look()
    shown = eventually(lambda: work.kicks and work.kicks[0].error)
    eventually(lambda: agora.rules)

    assert shown == "no answer"
    assert agora.calls == 3
    eventually(lambda: work.kicks == ())


def test_without_agora_s_rest_interface_a_kick_stays_and_is_counted(registry: SqlRegistry, stack: ExitStack) -> None:
    work = running(stack, registry, None)
    registry.revoke(HQ, "car-1", "sold")

    work.look()

    eventually(lambda: len(work.kicks) == 1)
    assert len(registry.kicks()) == 1


def test_a_clone_is_noted_and_one_of_nobody_harms_nothing(registry: SqlRegistry, stack: ExitStack) -> None:
    work = running(stack, registry, None)

    work.clone(HQ, "nobody", "hardware-9")
    work.clone(HQ, "car-1", "hardware-2")

    eventually(lambda: [u.clone for u in registry.users(HQ)] == ["hardware-2", None])


def test_closing_does_not_wait_for_agora(registry: SqlRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, released = threading.Event(), threading.Event()

    class Hanging(Agora):
        def make(self, channel: str, uid: int, minutes: int) -> int:
            hanging.set()
            released.wait(10)
            return super().make(channel, uid, minutes)

    monkeypatch.setattr(chores, "CLOSE_S", 0.05)
    registry.revoke(HQ, "car-1", "sold")
    work = Chores(registry, Hanging(), 61)
    work.start()
    assert hanging.wait(5)

    work.close()

    alive = work._thread.is_alive()
    released.set()
    work._thread.join(5)
    assert alive


# --- rules and polling ------------------------------------------------------------------------------------------------


def settings(*offices: OfficeSettings) -> DispatchSettings:
    return DispatchSettings(store=StoreSettings(url="sqlite://"), admission="registry", office=offices)


class Floor:
    """What admission drives, remembering what it was told."""

    def __init__(self) -> None:
        self.quiet = True
        self.changes: list[tuple[OfficeId, OfficeRules]] = []

    def change_rules(self, office: OfficeId, rules: OfficeRules) -> None:
        self.changes.append((office, rules))

    def send(self, topic: str, payload: bytes) -> None:
        """Nobody looks at what the guard says."""


def admitted(stack: ExitStack, registry: SqlRegistry, *offices: OfficeSettings) -> tuple[Admission, Floor]:
    admission, floor = Admission(settings(*offices), registry, lambda: 100.0), Floor()
    admission.start(floor)
    stack.callback(admission._chores.close)
    return admission, floor


def test_rules_are_the_configuration_s_for_the_floor_and_the_registry_s_for_its_users(registry: SqlRegistry) -> None:
    registry.change_user(HQ, "car-1", priority=Priority.HIGH)
    registry.change_user(HQ, "car-2", listen_only=True)
    registry.add_user(HQ, "car-9", Role.VEHICLE_GATEWAY, "새 차")

    rules = rules_from(registry.offices(), registry.users(), {HQ: FloorRules(hang_s=2.0, emergency=False)})[HQ]

    assert (rules.hang_s, rules.priorities, rules.listen_only) == (2.0, {"car-1": Priority.HIGH}, ("car-2",))
    assert not rules.emergency
    assert rules.names["car-1"] == "car-1호"
    assert rules.roll is not None
    assert {user: each.admitted for user, each in rules.roll.items()} == {"car-1": True, "car-2": True, "car-9": False}
    assert rules.roll["car-1"].uid > 0


def test_the_registry_is_read_when_its_number_has_risen_and_no_more_often_than_once_a_second(
    registry: SqlRegistry, stack: ExitStack
) -> None:
    admission, floor = admitted(stack, registry)
    admission.step(101.0)
    registry.revoke(HQ, "car-1", "sold")

    admission.step(101.5)
    early = list(floor.changes)
    admission.step(102.0)
    admission.step(103.0)

    [(office, rules)] = floor.changes
    assert (early, office) == ([], HQ)
    entry = rules.entry("car-1")
    assert entry is not None
    assert not entry.admitted
    assert (admission.describe().revoked, admission.describe().admitted) == (1, 1)


def test_only_the_office_that_changed_is_judged_anew_and_knows_the_registry_s_number(
    registry: SqlRegistry, stack: ExitStack
) -> None:
    other = OfficeId(HQ.region, "other")
    registry.add_office(other, "다른 사무소", VoicePath.MQTT)
    admission, floor = admitted(stack, registry)
    began = admission.rules[other].rev
    registry.add_user(other, "car-9", Role.VEHICLE_GATEWAY, "새 차")

    admission.step(101.0)

    [(office, rules)] = floor.changes
    assert (office, rules.rev, admission.rules[HQ].rev) == (other, registry.rev(), began)
    assert rules.rev > began


def test_waiting_floor_messages_put_the_question_off_but_not_for_ever(registry: SqlRegistry, stack: ExitStack) -> None:
    admission, floor = admitted(stack, registry)
    registry.revoke(HQ, "car-1", "sold")
    floor.quiet = False

    admission.step(101.5)
    early = list(floor.changes)
    admission.step(102.1)

    assert (early, len(floor.changes)) == ([], 1)


def test_a_registry_that_cannot_be_read_keeps_its_last_state_and_says_so(
    registry: SqlRegistry, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission, floor = admitted(stack, registry)

    def away() -> int:
        raise StoreUnavailable("locked -> wait")

    with monkeypatch.context() as broken:
        broken.setattr(registry, "rev", away)
        admission.step(101.0)
        error = admission.describe().error
    admission.step(102.0)

    assert (error, floor.changes, admission.describe().error) == ("locked -> wait", [], None)


def test_an_office_that_only_the_configuration_has_is_a_mistake_told_with_its_mending(registry: SqlRegistry) -> None:
    with pytest.raises(SettingsError, match="busan/1 is not in the registry -> ptt-dispatch office add busan/1"):
        Admission(settings(OfficeSettings(region="busan", office="1")), registry, lambda: 0.0)
