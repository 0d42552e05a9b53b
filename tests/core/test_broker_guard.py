"""The guard of the broker's users, against a broker that is played by the test."""

from __future__ import annotations

import msgspec
import pytest

from dispatch.broker.accounts import dynsec_file
from dispatch.broker.dynsec import AclEntry, AclType, ClientWords, RoleRef, RoleWords
from dispatch.broker.guard import ANSWER_S, AUDIT_S, CONFIRM_S, RESPONSE_TOPIC, SETTLE_S, BrokerGuard
from dispatch.registry.words import SecretHash
from protocol.login import SERVER_LOGIN
from protocol.timers import ADMISSION_POLL_S, REVOKE_S
from tests.core.broker_guard_rig import BUS, CAR, CARS, HASH, World, revoked


def test_a_broker_that_is_as_it_should_be_is_left_alone() -> None:
    world = World(CAR, BUS)
    world.run(10 * AUDIT_S)
    assert world.changes == []
    assert (world.guard.missing, world.guard.unknown, world.guard.pending, world.guard.fault) == ((), (), (), "")
    assert world.asked.count("listClients") == 11
    assert world.asked.count("listRoles") == 1


def test_who_becomes_revoked_is_shut_out_at_the_next_tick_on_both_connections() -> None:
    # given a broker in order
    world = World(CAR, BUS)
    world.run(10.0)

    # when one user is revoked
    world.guard.want([revoked(CAR), BUS])
    assert world.guard.pending == CARS
    world.guard.tick(world.now)

    # then both its doors are shut in that tick, and once the broker has said so nothing is pending
    assert world.changes == [(world.now, "disableClient", login) for login in CARS]
    world.run(1.0)
    assert world.guard.pending == ()
    assert world.shut() == list(CARS)


def test_a_revocation_is_sent_again_until_it_is_answered() -> None:
    # given a broker that has stopped answering
    world = World(CAR)
    world.run(10.0)
    world.silent = True

    # when a user is revoked, and the broker answers after a while
    world.guard.want([revoked(CAR)])
    world.run(2.5 * ANSWER_S)
    assert world.guard.pending == CARS
    assert "does not answer" in world.guard.fault
    world.silent = False
    world.run(2 * ANSWER_S)

    # then it is shut after all, and the fault is over
    assert world.shut() == list(CARS)
    assert world.guard.pending == ()
    assert world.guard.fault == ""


def test_who_was_revoked_while_the_broker_was_away_is_shut_after_the_next_connection() -> None:
    # given a lost connection
    world = World(CAR)
    world.run(10.0)
    world.guard.lost()
    assert world.guard.next_deadline() is None

    # when a user is revoked meanwhile, and the broker comes back
    world.guard.want([revoked(CAR)])
    world.guard.tick(world.now)
    assert world.changes == []
    world.guard.connected(world.now)
    world.run(0.5)

    # then it is shut
    assert world.shut() == list(CARS)


def test_who_was_revoked_before_this_process_began_is_found_and_shut_in_time() -> None:
    # given a broker that still lets in somebody whom the registry has revoked long ago
    world = World(CAR)
    world.guard = BrokerGuard(world._publish, "1")
    world.guard.want([revoked(CAR)])
    begun = world.now
    world.guard.connected(begun)

    # when the guard runs
    world.run(REVOKE_S)

    # then the door is shut within the time of a revocation, with the poll that may come before
    assert world.shut() == list(CARS)
    assert max(at for at, _, _ in world.changes) - begun <= REVOKE_S - ADMISSION_POLL_S


def test_an_enrolment_seen_at_the_broker_before_the_registry_says_so_is_left_alone() -> None:
    # given a user without a secret, revoked before and taken back
    world = World(CAR)
    restored = msgspec.structs.replace(CAR, secret=None)
    world.guard.want([revoked(CAR)])
    world.run(10.0)
    world.guard.want([restored])
    world.run(AUDIT_S)
    assert world.shut() == list(CARS)
    world.changes.clear()

    # when its enrolment opens the broker's doors, the guard lists them, and the registry follows 5 s later
    for login in CARS:
        world.clients[login] = msgspec.structs.replace(world.clients[login], disabled=False)
    world.guard.connected(world.now)
    world.run(5.0)
    world.guard.want([CAR])
    world.run(3 * AUDIT_S)

    # then nobody has shut them again
    assert world.changes == []
    assert world.guard.missing == ()


def test_a_revoked_user_that_is_enrolled_anew_in_the_same_second_is_not_shut_by_the_guards_older_view() -> None:
    # given a user that is revoked and shut
    world = World(CAR)
    world.guard.want([revoked(CAR)])
    world.run(10.0)
    world.changes.clear()

    # when the broker's doors open, and are listed before the registry was read again
    for login in CARS:
        world.clients[login] = msgspec.structs.replace(world.clients[login], disabled=False)
    world.guard.connected(world.now)
    world.run(ADMISSION_POLL_S)
    world.guard.want([CAR])
    world.run(AUDIT_S)

    # then they stay open
    assert world.changes == []


def test_a_revoked_user_whose_doors_were_opened_by_hand_is_shut_again() -> None:
    # given a user that is revoked and shut
    world = World(CAR)
    world.guard.want([revoked(CAR)])
    world.run(10.0)
    world.changes.clear()

    # when somebody opens its doors at the broker
    for login in CARS:
        world.clients[login] = msgspec.structs.replace(world.clients[login], disabled=False)
    world.run(AUDIT_S + CONFIRM_S + 2.0)

    # then they are shut with the next audit
    assert world.shut() == list(CARS)


def test_a_login_of_nobody_is_shut_once_it_stands_for_long_and_told() -> None:
    # given a stranger among the broker's users
    world = World(CAR)
    world.clients["stranger"] = ClientWords(username="stranger")
    begun = world.now

    # when the guard runs
    world.run(SETTLE_S + 5.0)

    # then it is shut, not before SETTLE_S, and told as long as it is there
    [(at, command, name)] = world.changes
    assert (command, name) == ("disableClient", "stranger")
    assert SETTLE_S <= at - begun <= SETTLE_S + 5.0
    assert world.guard.unknown == ("stranger",)
    del world.clients["stranger"]
    world.run(AUDIT_S + 1.0)
    assert world.guard.unknown == ()


def test_a_secret_that_the_registry_does_not_know_any_more_is_shut_out_and_told() -> None:
    # given a broker that went back to an older file of its users: a unit that was replaced since could come in
    world = World(CAR, BUS)
    world.run(AUDIT_S)
    newer = msgspec.structs.replace(CAR, secret=SecretHash(salt=HASH.salt, iterations=101, hash="C" * 88))
    world.guard.want((newer, BUS))

    # when changes of others follow one another meanwhile
    for uid in range(3, 20):
        world.run(SETTLE_S / 10)
        world.guard.want((newer, BUS, msgspec.structs.replace(BUS, user="van", uid=uid, secret=None)))
    world.run(AUDIT_S)

    # then the older secret opens nothing, and it is told that the newer one does not either
    assert world.shut() == sorted(CARS)
    assert world.guard.missing == CARS


def test_rules_are_read_again_after_each_connection_as_the_broker_may_have_older_ones() -> None:
    world = World(CAR)
    world.run(AUDIT_S)
    role = world.roles[CARS[0]]
    world.guard.lost()
    world.roles[CARS[0]] = RoleWords(rolename=CARS[0], acls=(AclEntry(acltype=AclType.SUBSCRIBE, topic="#"),))

    world.guard.connected(world.now)
    world.run(AUDIT_S)

    assert sorted(world.roles[CARS[0]].acls) == sorted(role.acls)


def test_the_servers_own_login_is_never_shut() -> None:
    world = World()
    world.run(10 * AUDIT_S)
    assert world.changes == []
    assert list(world.clients) == [SERVER_LOGIN]


def test_what_the_broker_lacks_is_told_and_never_opened_by_the_guard() -> None:
    # given a broker that lacks one admitted user and has shut one door of another
    world = World(CAR, BUS)
    for login in ("seoul.1.bus-1", "seoul.1.bus-1.voice"):
        del world.clients[login]
    world.clients[CARS[1]] = msgspec.structs.replace(world.clients[CARS[1]], disabled=True)

    # when the guard has looked
    world.run(AUDIT_S)

    # then it says so, and has changed nothing
    assert world.guard.missing == ("seoul.1.bus-1", "seoul.1.bus-1.voice", "seoul.1.car-1.voice")
    assert world.changes == []


def test_what_is_missing_is_told_soon_after_a_change_of_the_registry() -> None:
    world = World(CAR)
    world.run(10.0)
    world.guard.want([CAR, BUS])
    world.run(2.0)
    assert world.guard.missing == ("seoul.1.bus-1", "seoul.1.bus-1.voice")


def test_rules_of_an_older_version_are_brought_up_to_date_without_cutting_anybody() -> None:
    # given roles as an older version made them, the server's too
    world = World(CAR, BUS)
    old = (AclEntry(acltype=AclType.PUBLISH, topic="ptt/v1/#"),)
    due = dict(world.roles)
    for name in ("seoul.1.car-1", SERVER_LOGIN):
        world.roles[name] = RoleWords(rolename=name, acls=old)
    del world.roles["seoul.1.bus-1"]

    # when the guard runs
    world.run(AUDIT_S + 1.0)

    # then they are as they should be, nobody was cut off for it, and they are read once more to be sure
    assert world.roles == due
    assert {what for _, what, _ in world.changes} == {"modifyRole", "createRole"}
    assert len(world.changes) == 3
    assert world.asked.count("listRoles") == 2


def test_a_client_id_that_was_unlocked_is_locked_again() -> None:
    world = World(CAR)
    world.clients[CARS[0]] = msgspec.structs.replace(world.clients[CARS[0]], clientid=None, roles=())
    world.run(5.0)
    assert world.clients[CARS[0]].clientid == CARS[0]
    assert world.clients[CARS[0]].roles == (RoleRef(rolename=CARS[0]),)


def test_an_office_of_many_is_read_page_by_page() -> None:
    cars = [msgspec.structs.replace(CAR, user=f"car-{n}", uid=n + 1) for n in range(500)]
    world = World(*cars)
    world.run(5.0)
    assert world.guard.missing == ()
    assert world.asked.count("listClients") == 6
    assert world.asked.count("listRoles") == 21


def test_answers_to_others_and_bytes_that_are_none_are_ignored() -> None:
    world = World(CAR)
    world.guard.received(RESPONSE_TOPIC, b"\xff")
    world.guard.received(RESPONSE_TOPIC, b'{"responses":[{"command":"listClients","correlationData":"10:1"}]}')
    world.guard.received("ptt/v1/seoul/1/session", b"{}")
    world.run(5.0)
    assert world.guard.fault == ""


@pytest.mark.parametrize("error", ["Internal error", "Unknown command"])
def test_a_refusal_of_the_broker_is_told(error: str) -> None:
    world = World(CAR)
    world.listClients = lambda _command: {"error": error}  # type: ignore[method-assign]
    world.run(5.0)
    assert world.guard.fault == f"the broker refuses listClients: {error}"


def test_a_connection_that_takes_nothing_is_tried_again() -> None:
    # given a connection that takes no message at first
    world = World(CAR)
    world.run(10.0)
    taken = world._publish
    world.guard._publish = lambda _topic, _payload: False
    world.guard.want([revoked(CAR)])
    world.run(1.0)

    # when it takes messages again
    world.guard._publish = taken
    world.run(2 * ANSWER_S)

    # then the revocation is sent
    assert world.shut() == list(CARS)


def test_a_revocation_taken_back_before_the_broker_answered_is_not_sent_again() -> None:
    # given a revocation that the broker has not answered
    world = World(CAR)
    world.run(10.0)
    world.silent = True
    world.guard.want([revoked(CAR)])
    world.run(0.1)

    # when it is taken back
    world.guard.want([msgspec.structs.replace(CAR, secret=None)])
    world.silent = False
    world.run(2 * ANSWER_S)

    # then the enrolment that follows is not shut out by it
    assert world.guard.pending == ()
    assert world.changes == []


def test_an_unanswered_revocation_is_sent_at_once_on_the_next_connection() -> None:
    # given a revocation that went down with the connection
    world = World(CAR)
    world.run(10.0)
    world.silent = True
    world.guard.want([revoked(CAR)])
    world.run(0.1)
    world.guard.lost()

    # when there is a new one
    world.silent = False
    world.guard.connected(world.now)
    world.guard.tick(world.now)

    # then it is sent in the same moment
    assert world.changes == [(world.now, "disableClient", login) for login in CARS]


def test_a_listing_during_which_users_came_and_went_is_begun_anew() -> None:
    # given two pages of users, of whom one of the first page is removed before the second is asked for
    cars = [msgspec.structs.replace(CAR, user=f"car-{n:03}", uid=n + 1) for n in range(150)]
    world = World(*cars)
    whole = world.listClients

    def shrinking(command: dict[str, int]) -> dict[str, object]:
        if command["offset"]:
            world.clients.pop("seoul.1.car-000", None)
        return whole(command)

    world.listClients = shrinking  # type: ignore[method-assign]

    # when the guard lists them
    world.run(5.0)

    # then nobody else is missing for it
    assert world.guard.missing == ("seoul.1.car-000",)


def test_a_change_of_the_registry_during_a_listing_is_looked_after_soon() -> None:
    # given a listing that is being answered when the registry changes
    world = World(CAR)
    whole = world.listRoles

    def changing(command: dict[str, int]) -> dict[str, object]:
        world.guard.want([CAR, BUS])
        world.clients.update((client.username, client) for client in dynsec_file([BUS], HASH).clients)
        return whole(command)

    world.listRoles = changing  # type: ignore[method-assign]

    # when some seconds have passed
    world.run(5.0)

    # then what was enrolled meanwhile is not told to be missing
    assert world.guard.missing == ()
