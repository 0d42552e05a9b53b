"""What the store holds of one office: its floor and its members."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from protocol.ids import ConnectionId, Id, Name, RequestId, ordered_number
from protocol.messages import AppType, Ended, Presence, PresenceState, Priority, Session, VoicePath
from protocol.rest import Role


class FloorState(StrEnum):
    """States of the floor control server's machine, with the names of TS 24.380 6.3.4."""

    IDLE = "G: Floor Idle"
    TAKEN = "G: Floor Taken"
    PENDING_REVOKE = "G: pending Floor Revoke"


class Queued(Struct, frozen=True, kw_only=True):
    """One waiting request."""

    user: str
    request_id: RequestId
    priority: Priority


class Over(Struct, frozen=True, kw_only=True):
    """A burst that ended and of which is not told yet who heard it. `frames`: by its release; None: it was cut off."""

    burst: int
    user: str
    name: str | None
    event_id: str | None
    frames: int | None


class Heard(Struct, frozen=True, kw_only=True):
    """By how many of all who were there a burst was heard."""

    burst: int
    by: int
    of: int


class Floor(Struct, frozen=True, kw_only=True):
    """One office's floor. `rev` rises with every change that members must see; `event_no` with every event."""

    store: str
    channel_name: str
    epoch: int = 0
    rev: int = 0
    state: FloorState = FloorState.IDLE
    burst: int = 0
    holder: str | None = None
    holder_name: str | None = None
    holder_uid: int = 0
    priority: Priority = Priority.NORMAL
    request_id: RequestId | None = None
    renew_no: int = 0
    renewed_at: int | None = None
    """When the burst was granted or last renewed, Unix ms; for the log."""
    ended: Ended | None = None
    last_seq: int | None = None
    active: bool = False
    event_id: str | None = None
    started_at: int | None = None
    queue: tuple[Queued, ...] = ()
    event_no: int = 0
    uncounted: tuple[Over, ...] = ()
    """Bursts of which is not told yet who heard them."""
    heard: Heard | None = None
    """The newest one counted."""
    heard_by: int | None = None
    heard_of: int | None = None
    """Of the last burst, announced at the session's end."""

    def next_burst(self) -> int:
        """Give the number of the next grant: above every earlier one and inside the present epoch."""
        return max(self.burst, ordered_number(self.epoch, 0)) + 1

    def session(self) -> Session:
        """Give what is announced of this floor."""
        return Session(
            rev=self.rev,
            store=self.store,
            active=self.active,
            channel_name=self.channel_name,
            burst=self.burst,
            current_speaker=self.holder,
            speaker_name=self.holder_name,
            speaker_uid=self.holder_uid,
            priority=self.priority,
            event_id=self.event_id,
            started_at=self.started_at,
            ended=self.ended,
            last_seq=self.last_seq,
            heard_by=self.heard_by,
            heard_of=self.heard_of,
        )


class Answer(StrEnum):
    """What became of a member's newest request; a `closed` one never lives again."""

    GRANTED = "granted"
    DENIED = "denied"
    QUEUED = "queued"
    CLOSED = "closed"


class Member(Struct, frozen=True, kw_only=True):
    """One member as the server knows it. `beats` rises with each sign of life: the expiry judge compares it."""

    user: str
    state: PresenceState = PresenceState.OFFLINE
    connection_id: ConnectionId = (0, 0, 0)
    presence_no: int = 0
    beats: int = 0
    beat_no: int = 0
    in_channel: str | None = None
    voice: VoicePath = VoicePath.MQTT
    app_type: AppType = AppType.VEHICLE_GATEWAY
    name: str | None = None
    device_info: str | None = None
    hardware: str | None = None
    joined_at: int | None = None
    reason: str | None = None
    request_id: RequestId = (0, 0, 0, 0)
    answer: Answer = Answer.CLOSED
    played: int = 0
    """The newest burst it is known to have heard."""
    barred: ConnectionId | None = None
    """The newest connection of another unit under this user, which is not let in."""
    emergency: bool = False
    """The log has an emergency of it that is not cleared."""
    link_lost: bool = False
    """The log has its link lost and not back."""
    alerts: tuple[str, ...] = ()
    """Its alerts that the log has raised and not cleared, in order."""
    told_revoked: int | None = None
    """The revocation (its Unix ms) that is in the log already."""
    told_clone: str | None = None
    """The other unit that is in the log already."""
    told_rev: int = 0
    """The registry's number as of which the log was told of this user: whoever read an older one tells nothing."""

    @property
    def heard_of(self) -> bool:
        """Whether it ever said anything; else the row only remembers what the log was told."""
        return self.beats > 0 or self.presence_no > 0 or self.request_id != (0, 0, 0, 0)

    @property
    def present(self) -> bool:
        """Whether it is alive by all that is known."""
        return self.state in (PresenceState.ONLINE, PresenceState.SLEEPING)

    def presence(self) -> Presence:
        """Give the presence message that says the same."""
        return Presence(
            state=self.state,
            connection_id=self.connection_id,
            presence_no=self.presence_no,
            in_channel=self.in_channel,
            voice=self.voice,
            app_type=self.app_type,
            name=self.name,
            device_info=self.device_info,
            hardware=self.hardware,
            joined_at=self.joined_at,
            reason=self.reason,
        )


class FloorRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an office may set for its floor in the configuration."""

    talk_limit_s: Annotated[float, Meta(ge=5, le=600, description="talk-time limit of one burst, s")] = 30.0
    hang_s: Annotated[
        float, Meta(ge=0, le=600, description="time a session stays open after its last burst, s; 0 ends it at once")
    ] = 5.0
    queue: Annotated[bool, Meta(description="queue equal-priority requests instead of denying them")] = False
    queue_max: Annotated[int, Meta(ge=1, le=100, description="most waiting requests")] = 10
    names: Annotated[
        dict[Id, Name], Meta(description="user id = name as the driver hears it; wins over what a member calls itself")
    ] = {}
    priorities: Annotated[
        dict[Id, Priority], Meta(description="user id = highest priority it may ask for; default normal")
    ] = {}
    listen_only: Annotated[tuple[Id, ...], Meta(description="user ids that may never speak")] = ()
    emergency: Annotated[
        bool, Meta(description="whoever may speak may cut in with an emergency; false: only whose priority says so")
    ] = True


class Entry(Struct, frozen=True, kw_only=True):
    """What the registry says of one user, as far as the floor is concerned."""

    role: Role = Role.VEHICLE_GATEWAY
    admitted: bool = True
    uid: int = 0
    """Its Agora uid."""
    generation: int = 0
    """Of its newest enrolment; 0: it was never enrolled, and any is as good."""
    hardware: str | None = None
    """The unit enrolled; None: any."""
    revoked_at: int | None = None
    revoked_why: str = ""
    clone: str | None = None
    """Another unit that came under this user."""
    clone_at: int | None = None


class OfficeRules(FloorRules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an office is judged by: its configuration and, where there is one, its registry."""

    channel: str | None = None
    """Its Agora channel; None: made from its id."""
    voice: VoicePath = VoicePath.MQTT
    """What its vehicles' voice goes over."""
    roll: Mapping[str, Entry] | None = None
    """Every user of its registry, by id; None: whoever the broker lets in is a member."""
    rev: int = 0
    """The registry's number when this was read."""

    def entry(self, user: str) -> Entry | None:
        """What the registry says of a user; None where it is open, or where it does not know the user."""
        return None if self.roll is None else self.roll.get(user)


def rules_of(configured: FloorRules) -> OfficeRules:
    """Give the rules of an office that has no registry."""
    return OfficeRules(**{name: getattr(configured, name) for name in FloorRules.__struct_fields__})
