"""Changes of the broker's users over a short connection of one's own: for the command line and the REST service."""

import secrets
import time
from collections.abc import Callable
from types import TracebackType

import msgspec

from dispatch.broker.accounts import Account, accounts, both, console_accounts, consoles_of
from dispatch.broker.acl import DYNSEC_TOPIC, web_entries
from dispatch.broker.dynsec import (
    Answer,
    ClientWords,
    Command,
    CreateClient,
    CreateRole,
    DeleteClient,
    DeleteRole,
    DisableClient,
    EnableClient,
    GetClient,
    GetRole,
    ListClients,
    ModifyClient,
    ModifyRole,
    NotAnAnswer,
    decode,
    encode,
)
from dispatch.registry.words import SecretHash, User
from protocol.login import SERVER_LOGIN
from service.loop import Loop
from service.mqtt import (
    Acked,
    BrokerSettings,
    Connected,
    DialFailed,
    Disconnected,
    LinkEvent,
    MqttLink,
    Received,
    Subscribed,
)
from service.settings import Secret

RESPONSE_TOPIC = f"{DYNSEC_TOPIC}/response"
CONNECT_S = 6.0
"""Time to connect and to be ready for answers."""
ANSWER_S = 5.0
"""Time for the answers to one message of commands."""
PAGE = 200
"""Clients asked for at once; a page of them is some 40 KiB."""
PAGES_MAX = 1000


class BrokerError(Exception):
    """The broker's users could not be read or changed: says what, and how to mend it."""


class BrokerUnreachable(BrokerError):
    """Nobody answers there, or not in time. A change that was asked for may or may not have been made."""


class BrokerRefused(BrokerError):
    """The broker does not let us in, or refuses the change."""


class BrokerAdmin:
    """A context manager: connects on entering. Every call blocks, for at most CONNECT_S or a few times ANSWER_S.

    `settings` are the floor control server's own (login `ptt-dispatch`). For one thread at a time, any thread. Entering
    raises BrokerUnreachable, BrokerRefused, SettingsError (TLS files); calls raise BrokerUnreachable and BrokerRefused.
    """

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._name = f"{SERVER_LOGIN}-admin-{secrets.token_hex(6)}"
        self._loop: Loop | None = None
        self._link: MqttLink | None = None
        self._ready = False
        self._failed: BrokerError | None = None
        self._answers: dict[str, Answer] = {}
        self._count = 0

    def __enter__(self) -> "BrokerAdmin":
        """Connect and get ready for answers."""
        self._loop = Loop()
        try:
            self._link = MqttLink(self._loop, self._settings, self._on_link)
            self._ready, self._failed = False, None
            self._link.dial(self._name, None)
            self._wait(lambda: self._ready, CONNECT_S, "does not answer")
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    # --- calls ------------------------------------------------------------------------------------------------------

    def put_user(self, user: User, secret: Secret) -> None:
        """Create or set a user's logins with this secret, their roles and client ids, enabled.

        `user` has the hash of this very secret that the registry keeps, or is going to: the guard tells by it which
        secret the broker has. Connections with the former secret are cut. Logins that the user's role does not have are
        removed.
        """
        wanted = accounts(user)
        self._remove([login for login in _all(user) if login not in {account.login for account in wanted}])
        for account in wanted:
            self._put_surely(account, secret)

    def put_console(self, user: User, kept: SecretHash, secret: Secret) -> None:
        """Create or set the logins of a user's page with this secret, of which the registry keeps `kept`.

        Connections with a former one are cut.
        """
        for account in console_accounts(user, kept):
            self._put_surely(account, secret)

    def shut_console(self, user: User) -> None:
        """Shut the logins of a user's page and cut their connections; nothing where the broker does not know them."""
        self._ask(*(DisableClient(username=login) for login in consoles_of(user)), absent_is_fine=True)

    def put_web(self, login: str, secret: Secret) -> None:
        """Create or set the dashboard's own login, which reads and publishes nothing; a former connection is cut."""
        self._put_surely(Account(login=login, mark="", acls=web_entries()), secret)

    def disable(self, user: User) -> None:
        """Shut a user's logins and cut their connections; nothing where the broker does not know them."""
        self._ask(*(DisableClient(username=login) for login in _all(user)), absent_is_fine=True)

    def enable(self, user: User) -> None:
        """Open a user's logins again with the secret they had; raises BrokerRefused where there are none."""
        self._ask(*(EnableClient(username=account.login) for account in accounts(user)))

    def remove(self, user: User) -> None:
        """Take a user's logins and roles away and cut their connections; nothing where there are none.

        What the user left retained is not given out any more.
        """
        self._remove(_all(user))

    def users(self) -> dict[str, bool]:
        """Give every login the broker knows, and whether it is disabled."""
        found: dict[str, bool] = {}
        for page in range(PAGES_MAX):
            data = self._ask(ListClients(count=PAGE, offset=page * PAGE))[0].data
            found.update((client.username, client.disabled) for client in data.clients)
            if (page + 1) * PAGE >= data.total_count:
                return found
        raise BrokerRefused(f"{self._at()} has more than {PAGE * PAGES_MAX} users")

    # --- inside -----------------------------------------------------------------------------------------------------

    def _put_surely(self, account: Account, secret: Secret) -> None:
        if not self._put(account, secret):
            self._put(account, secret, last=True)  # somebody else made it between question and command

    def _put(self, account: Account, secret: Secret, last: bool = False) -> bool:
        login = account.login
        client, role = self._ask(GetClient(username=login), GetRole(rolename=login), absent_is_fine=True)
        commands: list[Command] = []
        if role.absent:
            commands.append(CreateRole(rolename=login, acls=account.acls))
        elif role.data.role is None or sorted(role.data.role.acls) != sorted(account.acls):
            commands.append(ModifyRole(rolename=login, acls=account.acls))
        commands += _client_commands(account, secret, None if client.absent else client.data.client)
        return all(not answer.already for answer in self._ask(*commands, already_is_fine=not last))

    def _remove(self, logins: list[str]) -> None:
        commands: list[Command] = [DeleteClient(username=login) for login in logins]
        commands += [DeleteRole(rolename=login) for login in logins]
        if commands:
            self._ask(*commands, absent_is_fine=True)

    def _ask(self, *commands: Command, absent_is_fine: bool = False, already_is_fine: bool = False) -> list[Answer]:
        """Send commands and give their answers in the same order."""
        if self._link is None:
            raise RuntimeError("BrokerAdmin is used inside of its `with` alone")
        marks = [self._mark() for _ in commands]
        self._answers.clear()
        marked = (msgspec.structs.replace(command, mark=mark) for command, mark in zip(commands, marks, strict=True))
        if not self._link.publish(DYNSEC_TOPIC, encode(*marked), qos=1, token=1):
            raise self._failed or BrokerUnreachable(f"the connection to {self._at()} was lost: try again")
        why = "does not answer commands: does it load the dynamic-security plugin?"
        self._wait(lambda: self._answers.keys() >= set(marks), ANSWER_S, why)
        answers = [self._answers[mark] for mark in marks]
        for answer in answers:
            fine = (answer.absent and absent_is_fine) or (answer.already and already_is_fine)
            if answer.error is not None and not fine:
                mend = "; enrol the user, or rotate its secret" if answer.absent else ""
                raise BrokerRefused(f"{self._at()} refuses {answer.command}: {answer.error}{mend}")
        return answers

    def _mark(self) -> str:
        self._count += 1
        return f"{self._name}:{self._count}"  # everybody who manages users sees every answer

    def _wait(self, done: Callable[[], bool], timeout_s: float, why: str) -> None:
        loop = self._loop
        if loop is None:
            raise RuntimeError("BrokerAdmin is used inside of its `with` alone")
        deadline = time.monotonic() + timeout_s

        def step(now: float) -> float:
            if done() or self._failed is not None or now >= deadline:
                loop.stop()
            return deadline

        loop.run(step)
        if done():
            return
        raise self._failed or BrokerUnreachable(f"{self._at()} {why}")

    def _at(self) -> str:
        return f"the broker {self._settings.address}"

    def _on_link(self, event: LinkEvent) -> None:
        match event:
            case Connected():
                if self._link is not None:
                    self._link.subscribe([(RESPONSE_TOPIC, 0)])
            case Subscribed(ok=ok, detail=detail):
                self._ready = ok
                if not ok:
                    self._failed = BrokerRefused(f"{self._at()} lets {self._who()} not manage users ({detail})")
            case Received(topic=topic, payload=payload) if topic == RESPONSE_TOPIC:
                self._received(payload)
            case Acked(ok=False, detail=detail):
                self._failed = BrokerRefused(f"{self._at()} lets {self._who()} not manage users ({detail})")
            case DialFailed(reason=reason, refused=refused):
                self._failed = BrokerRefused(reason) if refused else BrokerUnreachable(reason)
            case Disconnected(reason=reason):
                self._failed = BrokerUnreachable(reason)

    def _received(self, payload: bytes) -> None:
        try:
            answers = decode(payload)
        except NotAnAnswer:
            return  # an answer to somebody else's question, which we have no words for
        self._answers.update((answer.mark, answer) for answer in answers if answer.mark.startswith(self._name))

    def _who(self) -> str:
        return self._settings.username or "nobody (no username is configured)"

    def _close(self) -> None:
        link, loop, self._link, self._loop = self._link, self._loop, None, None
        if link is not None:
            link.close(0.5)
        if loop is not None:
            loop.close()


def _all(user: User) -> list[str]:
    """Give every login a user can have, its page's too."""
    return [*both(user), *consoles_of(user)]


def _client_commands(account: Account, secret: Secret, known: ClientWords | None) -> list[Command]:
    login, mark, roles = account.login, account.mark, account.roles
    if known is None:
        return [CreateClient(username=login, password=secret, clientid=login, textname=mark, roles=roles)]
    made: list[Command] = [ModifyClient(username=login, password=secret, clientid=login, textname=mark, roles=roles)]
    return [*made, EnableClient(username=login)] if known.disabled else made
