"""A guard of the broker's users, and a broker that is played by the test."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dispatch.broker.accounts import dynsec_file
from dispatch.broker.acl import DYNSEC_TOPIC
from dispatch.broker.dynsec import AclEntry, RoleRef, RoleWords
from dispatch.broker.guard import RESPONSE_TOPIC, BrokerGuard
from dispatch.registry.words import SecretHash, User
from protocol.ids import OfficeId
from protocol.rest import Role

OFFICE = OfficeId("seoul", "1")
HASH = SecretHash(salt="AAAAAAAAAAAAAAAA", iterations=101, hash="B" * 88)
CAR = User(office=OFFICE, user="car-1", role=Role.VEHICLE_GATEWAY, name="car", uid=1, secret=HASH)
BUS = User(office=OFFICE, user="bus-1", role=Role.VEHICLE_GATEWAY, name="bus", uid=2, secret=HASH)
CARS = ("seoul.1.car-1", "seoul.1.car-1.voice")


def revoked(user: User) -> User:
    return msgspec.structs.replace(user, revoked_at=1, secret=None)


class World:
    """A guard, its clock, and a broker that answers as the plugin does."""

    def __init__(self, *users: User) -> None:
        file = dynsec_file(users, HASH)
        self.clients = {client.username: client for client in file.clients}
        self.roles = {role.rolename: role for role in file.roles}
        self.now = 100.0
        self.silent = False
        self.changes: list[tuple[float, str, str]] = []
        self.asked: list[str] = []
        self.guard = BrokerGuard(self._publish, "1")
        self.guard.want(users)
        self.guard.connected(self.now)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Turn as the server's loop does: whenever something is due."""
        end = self.now + seconds
        for _ in range(10_000):
            self.guard.tick(self.now)
            due = self.guard.next_deadline()
            if until() or due is None or due > end:
                self.now = end
                return
            self.now = max(self.now, due)
        raise AssertionError("the guard never rests")

    def shut(self) -> list[str]:
        return sorted({name for _, command, name in self.changes if command == "disableClient"})

    def _publish(self, topic: str, payload: bytes) -> bool:
        assert topic == DYNSEC_TOPIC
        [command] = msgspec.json.decode(payload)["commands"]
        self.asked.append(command["command"])
        if not self.silent:
            answer = {"command": command["command"], "correlationData": command["correlationData"]}
            answer.update(getattr(self, command["command"])(command))
            self.guard.received(RESPONSE_TOPIC, msgspec.json.encode({"responses": [answer]}))
        return True

    def listClients(self, command: dict[str, int]) -> dict[str, object]:
        page = list(self.clients.values())[command["offset"] :][: command["count"]]
        return {"data": {"totalCount": len(self.clients), "clients": page}}

    def listRoles(self, command: dict[str, int]) -> dict[str, object]:
        page = list(self.roles.values())[command["offset"] :][: command["count"]]
        return {"data": {"totalCount": len(self.roles), "roles": page}}

    def disableClient(self, command: dict[str, str]) -> dict[str, object]:
        name = command["username"]
        self.changes.append((self.now, "disableClient", name))
        if name not in self.clients:
            return {"error": "Client not found"}
        self.clients[name] = msgspec.structs.replace(self.clients[name], disabled=True)
        return {}

    def modifyClient(self, command: dict[str, str]) -> dict[str, object]:
        name = command["username"]
        self.changes.append((self.now, "modifyClient", name))
        roles = msgspec.convert(command["roles"], tuple[RoleRef, ...])
        self.clients[name] = msgspec.structs.replace(self.clients[name], clientid=command["clientid"], roles=roles)
        return {}

    def createRole(self, command: dict[str, str]) -> dict[str, object]:
        return self._role("createRole", command)

    def modifyRole(self, command: dict[str, str]) -> dict[str, object]:
        return self._role("modifyRole", command)

    def _role(self, what: str, command: dict[str, str]) -> dict[str, object]:
        name, acls = command["rolename"], msgspec.convert(command["acls"], tuple[AclEntry, ...])
        self.changes.append((self.now, what, name))
        self.roles[name] = RoleWords(rolename=name, acls=acls)
        return {}
