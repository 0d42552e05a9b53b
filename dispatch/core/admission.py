"""What becomes of those who do not belong, whenever the registry has changed; alerts of cloned units.

Nothing here counts time. A revocation takes effect in the first transaction after this process has read it.
"""

from dispatch.core.floor import drop_stranger, take_back
from dispatch.core.notices import clone_cured, clone_found, user_revoked
from dispatch.core.presence import correct, leave
from dispatch.core.state import Floor, Member, OfficeRules
from dispatch.core.strangers import Stranger, stranger
from dispatch.core.turn import Turn
from protocol.ids import OfficeId, RequestId
from protocol.messages import Alert, PresenceState, Severity

CLONE = "clone"
"""Id of the alert that stands on a user's device while another unit uses its identity."""


def enforce(turn: Turn) -> tuple[Member, ...]:
    """Bring the office's rows into line with its rules; gives the members that were shut out.

    A floor held by one who does not belong is taken back at once: it is told, and nothing more of its burst is played.
    """
    rules = turn.rules
    turn.keep_channel_name()
    if rules.roll is None:
        return ()
    for waiting in turn.floor.queue:
        if _out(rules, waiting.user, waiting.request_id):
            drop_stranger(turn, waiting.user)
    floor = turn.floor
    if floor.holder is not None and floor.request_id is not None and _out(rules, floor.holder, floor.request_id):
        take_back(turn)
    members = turn.tx.members()
    out = tuple(left for member in members if (left := _put_out(turn, member)) is not None)
    known = {member.user: member for member in members}
    for user in sorted(rules.roll):
        _tell(turn, user, known.get(user) or Member(user=user))
    return out


def held_by_stranger(rules: OfficeRules, floor: Floor) -> bool:
    """Whether the floor is held, or waited for, by one that does not belong."""
    asked = [(waiting.user, waiting.request_id) for waiting in floor.queue]
    if floor.holder is not None and floor.request_id is not None:
        asked.append((floor.holder, floor.request_id))
    return any(_out(rules, user, request_id) for user, request_id in asked)


def _out(rules: OfficeRules, user: str, request_id: RequestId) -> bool:
    return stranger(rules, user, request_id[0], None) not in (None, Stranger.AHEAD)


def _put_out(turn: Turn, member: Member) -> Member | None:
    why = stranger(turn.rules, member.user, member.connection_id[0], member.hardware)
    if why is None or why is Stranger.AHEAD or not member.present:
        return None
    gone = leave(turn, member, PresenceState.OFFLINE, why.value)
    correct(turn, gone)
    return gone


def _tell(turn: Turn, user: str, member: Member) -> None:
    """Log what the log does not know of this user yet, whoever changed the registry."""
    entry = turn.rules.entry(user)
    if entry is None:
        return
    name, rev = turn.rules.names.get(user) or user, turn.rules.rev
    if entry.revoked_at is not None and entry.revoked_at != member.told_revoked:
        user_revoked(user, name, entry.revoked_why, entry.revoked_at, rev)(turn)
    if entry.clone is not None and entry.clone != member.told_clone:
        clone_found(user, name, entry.clone, rev)(turn)
    elif entry.clone is None and member.told_clone is not None:
        clone_cured(user, name, member.told_clone, rev)(turn)


def clone_alerts(rules: OfficeRules, office: OfficeId) -> dict[str, Alert]:
    """Give the alert of every user whose identity another unit uses, by user."""
    found: dict[str, Alert] = {}
    for user, entry in (rules.roll or {}).items():
        if entry.clone is not None:
            found[user] = Alert(
                alert=CLONE,
                severity=Severity.CRITICAL,
                what=f"another unit ({entry.clone}) uses the identity of {user}; it is not let in",
                mend=f"take the copied card out of that unit and enrol it anew (ptt-dispatch device code), then: "
                f"ptt-dispatch device cured {office} {user}"[:256],
                since=entry.clone_at or 0,
            )
    return found
