"""`ptt-dispatch user revoke | device revoke | office revoke`: shuts every door, and says of each whether it is shut."""

import time
from collections.abc import Sequence

from dispatch.broker.admin import BrokerError
from dispatch.registry.port import NotThere
from dispatch.registry.texts import Refused
from dispatch.registry.users import has_tokens
from dispatch.registry.words import Kick, User
from dispatch.registry_cli.bursts import delete_of
from dispatch.registry_cli.desk import Desk
from protocol.ids import OfficeId
from protocol.timers import REVOKE_S

POLL_S = 0.1


def revoke(desk: Desk) -> int:
    """Revoke, then see to the broker and wait for Agora; gives 1 where a door may still be open."""
    user = desk.user()
    if user.revoked_at is not None:
        desk.say("revoked_already", user=user.user)
    return _shut(desk, user.office, [user])


def revoke_office(desk: Desk) -> int:
    """Do so with every user of an office, its admins too; raises NotThere."""
    office: OfficeId = desk.options.of
    if desk.registry.office(office) is None:
        raise NotThere(f"there is no office {office} -> see: ptt-dispatch office list")
    users = desk.registry.users(office)
    named = ", ".join(user.user for user in users if user.revoked_at is None)
    desk.say("revoke_office", office=office, users=named or "-")
    return _shut(desk, office, users)


def _shut(desk: Desk, office: OfficeId, users: Sequence[User]) -> int:
    started = time.monotonic()
    revoked = [desk.registry.revoke(office, user.user, desk.options.why) for user in users]
    desk.say("revoke_registry")
    shut = [_broker(desk, revoked), _agora(desk, office, revoked, started + REVOKE_S)]
    gone = sum(delete_of(desk, office, user.user) for user in users)
    if gone:
        desk.say("revoke_bursts", count=gone)
    return 0 if all(shut) else 1


def _broker(desk: Desk, users: Sequence[User]) -> bool:
    try:
        with desk.broker() as broker:
            for user in users:
                broker.disable(user)
    except (BrokerError, Refused) as error:
        desk.say("revoke_broker_not", why=error)
        return False
    desk.say("revoke_broker")
    return True


def _agora(desk: Desk, office: OfficeId, users: Sequence[User], until: float) -> bool:
    """Wait for the floor control server to carry the kicks out."""
    settings = desk.settings.agora
    uids = {user.uid for user in users if has_tokens(user.role)}
    if settings is None or not uids:
        desk.say("revoke_agora_none")
        return True
    if settings.kicking is None:
        desk.say("revoke_agora_unset", ttl_s=settings.token_ttl_s)
        return False
    waiting = _kick(desk, office, uids)
    if waiting is not None:
        desk.say("waiting")
    while waiting is not None and time.monotonic() < until:
        time.sleep(POLL_S)
        waiting = _kick(desk, office, uids)
    if waiting is None:
        desk.say("revoke_agora")
        return True
    error = f": {waiting.error}" if waiting.error else ""
    desk.say("revoke_agora_not", waited_s=REVOKE_S, tries=waiting.tries, error=error, ttl_s=settings.token_ttl_s)
    return False


def _kick(desk: Desk, office: OfficeId, uids: set[int]) -> Kick | None:
    """The newest rule against these users that is still to be made."""
    found = desk.registry.office(office)
    channel = None if found is None else found.channel
    mine = [kick for kick in desk.registry.kicks() if kick.channel == channel and kick.uid in uids and not kick.lift]
    return mine[-1] if mine else None
