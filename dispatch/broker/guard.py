"""Keeps the broker's users equal to the registry: driven by the floor control server over its own connection.

Who becomes revoked is shut out at once. Besides, the broker's users are listed after every connection, after every
change and once a minute: what is open and should not be is shut, client ids, roles and rules are set right. Nobody is
let in here: only who holds the secret's plain text can do that (`dispatch.broker.admin`), and what is missing is told.

A listing can be a moment older or newer than what the registry said: an enrolment opens the broker's door just before
it is written. So a door is shut on a listing's word only if it still stands open after CONFIRM_S, or, where the
registry knows of no or of another secret, after SETTLE_S, which no enrolment takes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import Struct

from dispatch.broker.acl import DYNSEC_TOPIC
from dispatch.broker.dynsec import (
    Answer,
    ClientWords,
    Command,
    DisableClient,
    ListClients,
    ListRoles,
    NotAnAnswer,
    decode,
    encode,
)
from dispatch.broker.verdict import Rules, Verdict, Wanted, judge, wanted
from dispatch.registry.words import ConsoleLogin, User
from service.logs import Log

RESPONSE_TOPIC = f"{DYNSEC_TOPIC}/response"
"""To be subscribed to (QoS 0) by whoever drives the guard."""
AUDIT_S = 60.0
AUDIT_MIN_S = 1.0
"""Listings follow each other no faster than this, however often the registry changes."""
CONFIRM_S = 2.0
SETTLE_S = 30.0
ANSWER_S = 3.0
"""A command unanswered for so long is sent again, a listing is begun anew."""
MEND_EVERY_S = 0.2
"""The broker writes its whole file at every change (11 ms for 500 users), and serves nobody meanwhile."""
CLIENTS_PAGE, ROLES_PAGE = 200, 50
ANSWERS_MAX = 1000
"""Messages of answers kept until the next tick; what is beyond is asked for again."""

_log = Log(__name__)


class _Listing(Struct, kw_only=True):
    """One listing in progress."""

    wants: int
    total: int | None = None
    mark: str = ""
    asked_at: float = 0.0
    clients: dict[str, ClientWords] = {}
    rules: dict[str, Rules] | None = None


class BrokerGuard:
    """`publish(topic, payload)` sends one message (QoS 1, not retained) and gives False where it could not.

    To be ticked whenever `next_deadline` has come; `tick` and everything else belong to one thread. Times are monotonic
    seconds.
    """

    def __init__(self, publish: Callable[[str, bytes], object], name: str) -> None:
        """`name` tells this process's commands from those of others, e.g. the replica's."""
        self.missing: tuple[str, ...] = ()
        """Logins that the registry admits and the broker lacks, has shut, or has with another secret: mend each."""
        self.unknown: tuple[str, ...] = ()
        """Logins at the broker that the registry does not know; they are shut."""
        self.pending: tuple[str, ...] = ()
        """Logins of revoked users of whom the broker has not said yet that they are shut."""
        self.fault = ""
        """Why the broker's users cannot be kept, else empty."""
        self._publish = publish
        self._name = name
        self._count = 0
        self._up = False
        self._want: Wanted | None = None
        self._wants = 0
        self._answers: deque[Answer] = deque(maxlen=ANSWERS_MAX)
        self._shut: dict[str, tuple[str, float]] = {}  # login -> (mark, when to send the command again)
        self._mend: deque[Command] = deque()
        self._mend_at = 0.0
        self._rules_read = False
        self._seen: dict[str, float] = {}  # login that should not be open -> since when it is seen so
        self._listing: _Listing | None = None
        self._audit_at = 0.0
        self._audited_at: float | None = None

    # --- what happens -------------------------------------------------------------------------------------------------

    def connected(self, now: float) -> None:
        """The broker is connected and RESPONSE_TOPIC subscribed to."""
        self._up = True
        self._audit_at = now
        self._shut = dict.fromkeys(self._shut, ("", now))

    def lost(self) -> None:
        """The connection is gone; who was to be shut is shut after the next."""
        self._up = False
        self._listing = None
        self._answers.clear()
        self._mend.clear()
        self._seen.clear()
        self._rules_read = False  # it may come back with an older file of its users and their rules

    def want(self, users: Sequence[User], pages: Sequence[ConsoleLogin] = (), now_ms: int = 0) -> None:
        """All users of the registry, revoked ones too, and the newest login of each page, as they are now (Unix ms).

        The newly revoked, and pages whose login has ended since, are shut at the next tick.
        """
        before, self._want = self._want, wanted(users, pages, now_ms)
        self._wants += 1
        old = frozenset() if before is None else before.revoked | before.ended
        closed = self._want.revoked | self._want.ended
        marks = {} if before is None else before.marks
        renewed = {login for login, mark in self._want.marks.items() if marks.get(login) != mark}
        fine = renewed | (old - closed)
        self._shut = {login: sent for login, sent in self._shut.items() if login not in fine}
        if before is not None:
            self._shut.update((login, ("", 0.0)) for login in sorted(closed - old))
        self._seen = {login: since for login, since in self._seen.items() if login not in renewed}
        self._audit_at = 0.0 if self._audited_at is None else self._audited_at + AUDIT_MIN_S
        self._tell_pending()

    def received(self, topic: str, payload: bytes) -> None:
        """A message on RESPONSE_TOPIC; others are ignored."""
        if topic != RESPONSE_TOPIC:
            return
        try:
            answers = decode(payload)
        except NotAnAnswer:
            return  # an answer to somebody else's question, which we have no words for
        self._answers.extend(answer for answer in answers if answer.mark.startswith(f"{self._name}:"))

    def tick(self, now: float) -> None:
        """Do what is due."""
        while self._answers:
            self._answered(self._answers.popleft(), now)
        if not self._up or self._want is None:
            return
        for login, (_, due) in tuple(self._shut.items()):
            if now >= due:
                mark = self._send(DisableClient(username=login))
                self._shut[login] = (mark, now + ANSWER_S)
        if self._mend and now >= self._mend_at:
            self._mend_at = now + MEND_EVERY_S
            if self._send(self._mend[0]):
                self._mend.popleft()
        self._list(now)

    def next_deadline(self) -> float | None:
        """When to be ticked again; None: nothing is due before something happens."""
        if self._answers:
            return 0.0
        if not self._up or self._want is None:
            return None
        listing = self._audit_at if self._listing is None else self._listing.asked_at + ANSWER_S
        mend = [self._mend_at] if self._mend else []
        return min([listing, *mend, *(due for _, due in self._shut.values())])

    # --- inside -------------------------------------------------------------------------------------------------------

    def _send(self, command: Command) -> str:
        """Send one command; gives its mark, empty where the connection took nothing."""
        self._count += 1
        mark = f"{self._name}:{self._count}"
        sent = self._publish(DYNSEC_TOPIC, encode(msgspec.structs.replace(command, mark=mark)))
        return "" if sent is False else mark

    def _list(self, now: float) -> None:
        listing = self._listing
        if listing is None and now >= self._audit_at:
            self._listing = _Listing(wants=self._wants)
            self._ask(self._listing, ListClients(count=CLIENTS_PAGE, offset=0), now)
        elif listing is not None and now >= listing.asked_at + ANSWER_S:
            self.fault = "the broker does not answer: does it load the dynamic-security plugin, may we manage it?"
            self._listing = None
            self._audit_at = now + ANSWER_S

    def _ask(self, listing: _Listing, command: Command, now: float) -> None:
        listing.mark, listing.asked_at = self._send(command), now

    def _answered(self, answer: Answer, now: float) -> None:
        for login, (mark, _) in tuple(self._shut.items()):
            if mark == answer.mark:
                self._is_shut(login, answer)
                return
        listing = self._listing
        if listing is not None and answer.mark == listing.mark:
            self._page(listing, answer, now)
        elif answer.error is not None and not answer.already:
            self.fault = f"the broker refuses {answer.command}: {answer.error}"
            _log.error("broker refuses a change of its users", command=answer.command, why=answer.error)

    def _is_shut(self, login: str, answer: Answer) -> None:
        if answer.error is not None and not answer.absent:
            self.fault = f"the broker refuses {answer.command}: {answer.error}"
            return  # it is sent again when its time is over
        del self._shut[login]
        self._tell_pending()
        if not answer.absent:
            _log.info("broker's door shut", login=login)

    def _page(self, listing: _Listing, answer: Answer, now: float) -> None:
        data = answer.data
        if answer.error is not None:
            self.fault, self._listing = f"the broker refuses {answer.command}: {answer.error}", None
            self._audit_at = now + ANSWER_S
            return
        if listing.total is None:
            listing.total = data.total_count
        elif listing.total != data.total_count:
            self._listing, self._audit_at = None, now + AUDIT_MIN_S  # it changed meanwhile: pages do not fit together
            return
        if listing.rules is None:
            listing.clients.update((client.username, client) for client in data.clients)
            if data.clients and len(listing.clients) < data.total_count:
                self._ask(listing, ListClients(count=CLIENTS_PAGE, offset=len(listing.clients)), now)
                return
            if not self._rules_read:
                listing.rules, listing.total = {}, None
                self._ask(listing, ListRoles(count=ROLES_PAGE, offset=0), now)
                return
        else:
            listing.rules.update((role.rolename, role.acls) for role in data.roles)
            if data.roles and len(listing.rules) < data.total_count:
                self._ask(listing, ListRoles(count=ROLES_PAGE, offset=len(listing.rules)), now)
                return
        self._listed(listing, now)

    def _listed(self, listing: _Listing, now: float) -> None:
        self._listing, self._audited_at = None, now
        self._audit_at = now + (AUDIT_S if listing.wants == self._wants else AUDIT_MIN_S)
        self.fault = ""
        if self._want is None:
            return
        verdict = judge(self._want, listing.clients, listing.rules)
        if listing.rules is not None:
            self._rules_read = not verdict.mend  # once right, they change with this program's version alone
            self._mend.clear()
        self._mend.extend(command for command in verdict.mend if command not in self._mend)
        self.missing, self.unknown = verdict.missing, verdict.unknown
        self._suspect(verdict, now)

    def _suspect(self, verdict: Verdict, now: float) -> None:
        graces = dict.fromkeys(verdict.unproven, SETTLE_S) | dict.fromkeys(verdict.revoked, CONFIRM_S)
        self._seen = {login: self._seen.get(login, now) for login in graces}
        ripe = [login for login, since in self._seen.items() if now - since >= graces[login]]
        for login in ripe:
            del self._seen[login]
            self._shut.setdefault(login, ("", now))
            _log.warning("open at the broker, not admitted by the registry", login=login)
        waits = [since + graces[login] for login, since in self._seen.items()]
        self._audit_at = min([self._audit_at, *(max(when, now + AUDIT_MIN_S) for when in waits)])
        self._tell_pending()

    def _tell_pending(self) -> None:
        revoked: Iterable[str] = () if self._want is None else self._want.revoked
        self.pending = tuple(sorted(self._shut.keys() & set(revoked)))
