"""From the registry's users to the broker's: clients with locked ids, one role each, named like their login. Pure."""

import hashlib
from collections.abc import Iterable

from msgspec import Struct

from dispatch.broker.acl import console_logins, entries, logins, server_entries
from dispatch.broker.dynsec import AclEntry, ClientWords, DynsecFile, RoleRef, RoleWords
from dispatch.registry.words import SecretHash, User
from protocol.login import SERVER_LOGIN, Login

MARK_CHARS = 16


class Account(Struct, frozen=True, kw_only=True):
    """One login at the broker. Its MQTT client id and its role's name are the login too."""

    login: str
    mark: str
    acls: tuple[AclEntry, ...]

    @property
    def roles(self) -> tuple[RoleRef, ...]:
        """What the client refers to."""
        return role_of(self.login)


def role_of(login: str) -> tuple[RoleRef, ...]:
    """What the client of this login refers to."""
    return (RoleRef(rolename=login),)


def secret_mark(secret: SecretHash | None) -> str:
    """Tell one secret of a user from the next, at a broker that keeps a hash of its own and shows none; "" is none.

    A broker that went back to an older file of its users would let in who was replaced since: it shows an older mark.
    """
    if secret is None:
        return ""
    return hashlib.sha256(f"{secret.salt}:{secret.iterations}:{secret.hash}".encode()).hexdigest()[:MARK_CHARS]


def both(user: User) -> tuple[str, str]:
    """Give the two logins of its own a user can have, whether its role has them or not."""
    return str(Login(user.office, user.user)), str(Login(user.office, user.user, voice=True))


def consoles_of(user: User) -> tuple[str, ...]:
    """Give the logins of a user's page, where its role has one."""
    return tuple(login for login, _ in console_logins(Login(user.office, user.user), user.role))


def console_accounts(user: User, secret: SecretHash | None) -> tuple[Account, ...]:
    """Give the logins of a user's page with this secret."""
    who, mark = Login(user.office, user.user), secret_mark(secret)
    return tuple(
        Account(login=login, mark=mark, acls=entries(who, user.role, connection))
        for login, connection in console_logins(who, user.role)
    )


def accounts(user: User) -> tuple[Account, ...]:
    """Give a user's logins, one for each connection that its role has."""
    who, mark = Login(user.office, user.user), secret_mark(user.secret)
    return tuple(
        Account(login=login, mark=mark, acls=entries(who, user.role, connection))
        for login, connection in logins(who, user.role)
    )


def dynsec_file(users: Iterable[User], server_secret: SecretHash) -> DynsecFile:
    """Give the plugin's whole file: the server's login and every user that is admitted.

    Without consoles: a page whose login is gone asks for another.
    """
    clients = [_client(SERVER_LOGIN, None, None, server_secret)]
    roles = [RoleWords(rolename=SERVER_LOGIN, acls=server_entries())]
    for user in users:
        if not user.admitted or user.secret is None:
            continue
        for account in accounts(user):
            clients.append(_client(account.login, account.login, account.mark, user.secret))
            roles.append(RoleWords(rolename=account.login, acls=account.acls))
    return DynsecFile(clients=tuple(clients), roles=tuple(roles))


def _client(login: str, client_id: str | None, mark: str | None, secret: SecretHash) -> ClientWords:
    return ClientWords(
        username=login,
        clientid=client_id,
        textname=mark,
        roles=role_of(login),
        password=secret.hash,
        salt=secret.salt,
        iterations=secret.iterations,
    )
