"""Members come, join the channel, leave, fall silent: what each presence, heartbeat and expiry does to the store."""

from msgspec import Struct

from dispatch.core.floor import take_back
from dispatch.core.hearing import note_played
from dispatch.core.state import Member
from dispatch.core.strangers import Stranger, hides, stranger
from dispatch.core.turn import Publish, Turn
from protocol.ids import JSON_INT_MAX
from protocol.messages import BurstPlayed, EventType, Heartbeat, Presence, PresenceState, VoicePath
from protocol.topics import Kind

_DEAD = (PresenceState.OFFLINE, PresenceState.LOST)


class Sign(Struct, frozen=True, kw_only=True):
    """A sign of life (or death) of a member, waiting to be committed in a batch."""

    user: str
    message: Presence | Heartbeat | BurstPlayed


def note_sign(turn: Turn, sign: Sign) -> bool:
    """Take one sign into the store; False where it was older than what is known and changed nothing."""
    match sign.message:
        case Presence() as presence:
            return _note_presence(turn, sign.user, presence)
        case Heartbeat() as beat:
            return _note_heartbeat(turn, sign.user, beat)
        case BurstPlayed() as report:
            return note_played(turn, sign.user, report)


def _note_presence(turn: Turn, user: str, said: Presence) -> bool:
    member = turn.member(user)
    why = stranger(turn.rules, user, said.connection_id[0], said.hardware)
    if why is None and said.hardware is None and said.connection_id == member.barred:
        why = Stranger.CLONE
    if why is None and said.state not in _DEAD and hides(turn.rules, user, said.hardware):
        why = Stranger.UNSTATED
    if why is not None:
        _refuse(turn, member, said, why)
        return False
    order = (said.connection_id, said.presence_no)
    known = (member.connection_id, member.presence_no)
    if order <= known:
        # The dead do not come back by an old copy, nor by a word that has the number of the server's own.
        if said.state not in _DEAD and (member.state in _DEAD or _outrun(said, member)):
            correct(turn, member)
        return False
    in_channel = None if said.state in _DEAD else said.in_channel
    left_as = said.reason or said.state.value if said.state in _DEAD else "left"
    changed = turn.put_member(
        member,
        state=said.state,
        connection_id=said.connection_id,
        presence_no=said.presence_no,
        beats=member.beats + 1,
        beat_no=member.beat_no if said.connection_id == member.connection_id else 0,
        in_channel=in_channel,
        voice=said.voice if in_channel is not None else VoicePath.MQTT,
        hardware=said.hardware,
        app_type=said.app_type,
        name=said.name or member.name,
        device_info=said.device_info or member.device_info,
        joined_at=said.joined_at or member.joined_at,
        reason=said.reason,
        barred=None if said.connection_id == member.barred else member.barred,
    )
    _tell_channel(turn, member, changed, left_as)
    _tell_link(turn, changed, was_present=member.present)
    return True


def _outrun(said: Presence, member: Member) -> bool:
    """Whether a living word loses against what is known of the same enrolment: a new card may count from below the old.

    Once its unit sees how far the old one came, it goes on behind or above that instead of never being heard. The
    broker's own copy need not show it: one that was killed restores an older one.
    """
    if said.connection_id == member.connection_id:
        return said.presence_no < member.presence_no
    return said.connection_id[0] == member.connection_id[0]


def _refuse(turn: Turn, member: Member, said: Presence, why: Stranger) -> None:
    """Do not take up a presence; put the retained one right. Of a clone, remember the connection and tell its unit."""
    if why is Stranger.AHEAD:
        turn.refused.add(member.user)
        return
    if said.state not in _DEAD:
        turn.refused.add(member.user)
        if why in (Stranger.CLONE, Stranger.UNSTATED):
            _bar(turn, member, said)
    if member.present and stranger(turn.rules, member.user, member.connection_id[0], member.hardware) is None:
        correct(turn, member)
    elif said.state not in _DEAD:
        no = min(said.presence_no + 1, JSON_INT_MAX)
        offline = Presence(
            state=PresenceState.OFFLINE,
            connection_id=said.connection_id,
            presence_no=no,
            app_type=said.app_type,
            reason=why.value,
        )
        turn.out.append(
            Publish(office=turn.office, kind=Kind.PRESENCE, ids=(member.user,), message=offline, retain=True)
        )


def _bar(turn: Turn, member: Member, said: Presence) -> None:
    """What another unit did before it was known as one is undone: its burst ends, its requests count for nothing."""
    if said.hardware is not None:
        turn.clones[member.user] = said.hardware
    floor = turn.floor
    if floor.holder == member.user and floor.request_id is not None:
        if floor.request_id[:3] == said.connection_id:
            take_back(turn)
        member = turn.member(member.user)
    if member.request_id[:3] == said.connection_id != member.connection_id:
        member = turn.put_member(member, request_id=(*member.connection_id, 0))
    if member.barred != said.connection_id:
        turn.put_member(member, barred=said.connection_id)


def _tell_channel(turn: Turn, before: Member, after: Member, left_as: str) -> None:
    name = turn.name_of(after)
    if before.in_channel == after.in_channel:
        if after.in_channel is not None and before.voice is not after.voice:
            turn.event(EventType.VOICE_CHANGED, after.user, name, event_id=after.in_channel, voice=after.voice.value)
        return
    if before.in_channel is not None:
        turn.event(EventType.USER_LEFT, after.user, name, event_id=before.in_channel, reason=left_as)
    if after.in_channel is not None:
        turn.event(EventType.USER_JOINED, after.user, name, event_id=after.in_channel, voice=after.voice.value)


def _tell_link(turn: Turn, member: Member, *, was_present: bool) -> Member:
    """Log a link that is lost, or back; gives the member as it is now.

    A vehicle that says goodbye loses no link; one that was lost and then switched off is back when it comes again.
    """
    if member.state is PresenceState.LOST and was_present and not member.link_lost:
        turn.event(EventType.LINK_LOST, member.user, turn.name_of(member), reason=member.reason)
        return turn.put_member(member, link_lost=True)
    if member.present and member.link_lost:
        turn.event(EventType.LINK_BACK, member.user, turn.name_of(member))
        return turn.put_member(member, link_lost=False)
    return member


def _note_heartbeat(turn: Turn, user: str, beat: Heartbeat) -> bool:
    member = turn.member(user)
    if beat.connection_id != member.connection_id or beat.beat_no <= member.beat_no or not member.present:
        return False
    turn.put_member(member, beats=member.beats + 1, beat_no=beat.beat_no)
    return True


def expire(turn: Turn, user: str, beats: int, reason: str) -> bool:
    """Declare a member lost whose signs of life stopped at `beats`; False where it has given one since."""
    member = turn.member(user)
    if member.beats != beats or not member.present:
        return False
    turn.event(EventType.HEARTBEAT_LOST, user, turn.name_of(member), of="member", reason=reason)
    correct(turn, leave(turn, member, PresenceState.LOST, reason))
    return True


def leave(turn: Turn, member: Member, state: PresenceState, reason: str) -> Member:
    """Declare a member gone: newer than what it said itself; where it was in a channel, it has left it."""
    gone = turn.put_member(
        member,
        state=state,
        presence_no=min(member.presence_no + 1, JSON_INT_MAX),
        beats=member.beats + 1,
        in_channel=None,
        voice=VoicePath.MQTT,
        reason=reason,
    )
    _tell_channel(turn, member, gone, reason)
    return _tell_link(turn, gone, was_present=member.present)


def correct(turn: Turn, member: Member) -> None:
    """Replace a retained presence that says what is no longer true."""
    turn.out.append(
        Publish(office=turn.office, kind=Kind.PRESENCE, ids=(member.user,), message=member.presence(), retain=True)
    )
