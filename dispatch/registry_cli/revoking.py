"""`ptt-dispatch user revoke | device revoke`: shuts every door, and says of each whether it is shut."""

import time

from dispatch.broker.admin import BrokerError
from dispatch.registry.texts import Refused
from dispatch.registry.users import has_tokens
from dispatch.registry.words import Kick, User
from dispatch.registry_cli.desk import Desk
from protocol.timers import REVOKE_S

POLL_S = 0.1


def revoke(desk: Desk) -> int:
    """Revoke, then see to the broker and wait for Agora; gives 1 where a door may still be open."""
    started, user = time.monotonic(), desk.user()
    if user.revoked_at is not None:
        desk.say("revoked_already", user=user.user)
    user = desk.registry.revoke(user.office, user.user, desk.options.why)
    desk.say("revoke_registry")
    shut = [_broker(desk, user), _agora(desk, user, started + REVOKE_S)]
    return 0 if all(shut) else 1


def _broker(desk: Desk, user: User) -> bool:
    try:
        with desk.broker() as broker:
            broker.disable(user)
    except (BrokerError, Refused) as error:
        desk.say("revoke_broker_not", why=error)
        return False
    desk.say("revoke_broker")
    return True


def _agora(desk: Desk, user: User, until: float) -> bool:
    """Wait for the floor control server to carry the kick out."""
    settings = desk.settings.agora
    if settings is None or not has_tokens(user.role):
        desk.say("revoke_agora_none")
        return True
    if settings.kicking is None:
        desk.say("revoke_agora_unset", ttl_s=settings.token_ttl_s)
        return False
    waiting = _kick(desk, user)
    if waiting is not None:
        desk.say("waiting")
    while waiting is not None and time.monotonic() < until:
        time.sleep(POLL_S)
        waiting = _kick(desk, user)
    if waiting is None:
        desk.say("revoke_agora")
        return True
    error = f": {waiting.error}" if waiting.error else ""
    desk.say("revoke_agora_not", waited_s=REVOKE_S, tries=waiting.tries, error=error, ttl_s=settings.token_ttl_s)
    return False


def _kick(desk: Desk, user: User) -> Kick | None:
    """The newest rule of this user that is still to be made."""
    office = desk.registry.office(user.office)
    channel = None if office is None else office.channel
    mine = [kick for kick in desk.registry.kicks() if (kick.channel, kick.uid, kick.lift) == (channel, user.uid, False)]
    return mine[-1] if mine else None
