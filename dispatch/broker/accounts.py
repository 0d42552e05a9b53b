"""From the registry's users to the broker's: clients with locked ids, one role each, named like their login. Pure."""

from collections.abc import Iterable

from msgspec import Struct

from dispatch.broker.acl import entries, logins, server_entries
from dispatch.broker.dynsec import AclEntry, ClientWords, DynsecFile, RoleRef, RoleWords
from dispatch.registry.words import SecretHash, User
from protocol.login import SERVER_LOGIN, Login


class Account(Struct, frozen=True, kw_only=True):
    """One login at the broker. Its MQTT client id and its role's name are the login too."""

    login: str
    acls: tuple[AclEntry, ...]

    @property
    def roles(self) -> tuple[RoleRef, ...]:
        """What the client refers to."""
        return role_of(self.login)


def role_of(login: str) -> tuple[RoleRef, ...]:
    """What the client of this login refers to."""
    return (RoleRef(rolename=login),)


def both(user: User) -> tuple[str, str]:
    """Give the two logins a user can have, whether its role has them or not."""
    return str(Login(user.office, user.user)), str(Login(user.office, user.user, voice=True))


def accounts(user: User) -> tuple[Account, ...]:
    """Give a user's logins, one for each connection that its role has."""
    who = Login(user.office, user.user)
    return tuple(
        Account(login=login, acls=entries(who, user.role, connection)) for login, connection in logins(who, user.role)
    )


def dynsec_file(users: Iterable[User], server_secret: SecretHash) -> DynsecFile:
    """Give the plugin's whole file: the server's login and every user that is admitted."""
    clients = [_client(SERVER_LOGIN, None, server_secret)]
    roles = [RoleWords(rolename=SERVER_LOGIN, acls=server_entries())]
    for user in users:
        if not user.admitted or user.secret is None:
            continue
        for account in accounts(user):
            clients.append(_client(account.login, account.login, user.secret))
            roles.append(RoleWords(rolename=account.login, acls=account.acls))
    return DynsecFile(clients=tuple(clients), roles=tuple(roles))


def _client(login: str, client_id: str | None, secret: SecretHash) -> ClientWords:
    return ClientWords(
        username=login,
        clientid=client_id,
        roles=role_of(login),
        password=secret.hash,
        salt=secret.salt,
        iterations=secret.iterations,
    )
