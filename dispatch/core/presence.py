"""Members come, join the channel, leave, fall silent: what each presence, heartbeat and expiry does to the store."""

from msgspec import Struct

from dispatch.core.state import Member
from dispatch.core.turn import Publish, Turn
from protocol.ids import JSON_INT_MAX
from protocol.messages import EventType, Heartbeat, Presence, PresenceState, VoicePath
from protocol.topics import Kind

_DEAD = (PresenceState.OFFLINE, PresenceState.LOST)


class Sign(Struct, frozen=True, kw_only=True):
    """A sign of life (or death) of a member, waiting to be committed in a batch."""

    user: str
    message: Presence | Heartbeat


def note_sign(turn: Turn, sign: Sign) -> bool:
    """Take one sign into the store; False where it was older than what is known and changed nothing."""
    match sign.message:
        case Presence() as presence:
            return _note_presence(turn, sign.user, presence)
        case Heartbeat() as beat:
            return _note_heartbeat(turn, sign.user, beat)


def _note_presence(turn: Turn, user: str, said: Presence) -> bool:
    member = turn.member(user)
    order = (said.connection_id, said.presence_no)
    known = (member.connection_id, member.presence_no)
    if order <= known:
        if order < known and member.state in _DEAD and said.state not in _DEAD:
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
    )
    _tell_channel(turn, member, changed, left_as)
    return True


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
    gone = turn.put_member(
        member,
        state=PresenceState.LOST,
        presence_no=min(member.presence_no + 1, JSON_INT_MAX),
        beats=member.beats + 1,
        in_channel=None,
        voice=VoicePath.MQTT,
        reason=reason,
    )
    turn.event(EventType.HEARTBEAT_LOST, user, turn.name_of(gone), of="member", reason=reason)
    _tell_channel(turn, member, gone, reason)
    correct(turn, gone)
    return True


def correct(turn: Turn, member: Member) -> None:
    """Replace a retained presence that says what is no longer true."""
    turn.out.append(
        Publish(office=turn.office, kind=Kind.PRESENCE, ids=(member.user,), message=member.presence(), retain=True)
    )
