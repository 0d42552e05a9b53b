"""Control messages of the floor: asking, answers, renewing, giving back, the session as all see it."""

from typing import Annotated

from msgspec import Meta

from protocol.ids import Burst, Count, EventId, Id, Name, RequestId, Rev, Seq, UnixMs
from protocol.vocabulary import ChannelName, Control, DenyCause, Ended, Priority, RevokeCause, Seconds


class Session(Control, frozen=True, kw_only=True, tag="session"):
    """The office's floor as the server's store has it. Retained; the one with the lower `rev` loses."""

    rev: Rev
    store: Annotated[str, Meta(min_length=1, max_length=64, description="which store issued it; another's is refused")]
    active: Annotated[bool, Meta(description="true from the first grant until the hang time after the last burst")]
    channel_name: Annotated[ChannelName, Meta(description="voice channel that members join while active")]
    burst: Annotated[Burst, Meta(description="the burst being spoken, else the last one; 0 if there was none yet")] = 0
    current_speaker: Annotated[Id | None, Meta(description="who holds the floor; null while it is idle")] = None
    speaker_name: Name | None = None
    speaker_uid: Annotated[int, Meta(ge=0, le=2**32 - 1, description="the speaker's Agora uid; 0 is none")] = 0
    priority: Priority = Priority.NORMAL
    event_id: Annotated[EventId | None, Meta(description="id of the running session, else of the last one")] = None
    started_at: Annotated[UnixMs | None, Meta(description="when that session started, Unix ms, for people")] = None
    ended: Annotated[Ended | None, Meta(description="how `burst` ended; null while it is being spoken")] = None
    last_seq: Annotated[Seq | None, Meta(description="number of a released burst's last voice frame, if any")] = None
    heard_by: Annotated[Count | None, Meta(description="once the session is over: how many played its last burst")] = (
        None
    )
    heard_of: Annotated[Count | None, Meta(description="of how many who were in the channel when it ended")] = None


class FloorRequest(Control, frozen=True, kw_only=True, tag="floor_request"):
    """Floor Request: the button went down. Sent again (to `floor/<user>/again`) until answered."""

    request_id: Annotated[RequestId, Meta(description="rises with every press; equal gets the same answer again")]
    priority: Priority = Priority.NORMAL


class FloorRenew(Control, frozen=True, kw_only=True, tag="floor_renew"):
    """Keeps the lease of a burst: at once after the grant, then every second while its voice gets through."""

    burst: Burst
    renew_no: Annotated[Count, Meta(description="1, 2, 3, ... within the burst")]


class FloorRelease(Control, frozen=True, kw_only=True, tag="floor_release"):
    """Floor Release: the talk is over, or a request is given up. Sent again until acknowledged."""

    request_id: RequestId
    burst: Annotated[Burst | None, Meta(description="the burst granted to it; null if no grant had arrived")] = None
    last_seq: Annotated[Seq | None, Meta(description="number of the last voice frame sent; null if none was")] = None


class FloorGranted(Control, frozen=True, kw_only=True, tag="floor_granted"):
    """Floor Granted: speak. Renew at once and every second, or the floor is freed."""

    rev: Rev
    request_id: RequestId
    burst: Burst
    duration_s: Annotated[Seconds, Meta(description="talk-time limit of this burst")]
    lease_s: Annotated[Seconds, Meta(description="unrenewed for this long, the floor is freed")]
    all_joined: Annotated[bool, Meta(description="every other member present has joined the Agora channel")] = False


class FloorDeny(Control, frozen=True, kw_only=True, tag="floor_deny"):
    """Floor Deny: who speaks, why not you, and how long at most it can last."""

    rev: Rev
    request_id: RequestId
    cause: DenyCause
    speaker: Annotated[Id | None, Meta(description="who holds the floor")] = None
    speaker_name: Name | None = None
    remaining_s: Annotated[Seconds | None, Meta(description="time until the speaker's limit, if known")] = None
    priority: Annotated[Priority, Meta(description="of the burst being spoken")] = Priority.NORMAL


class FloorQueued(Control, frozen=True, kw_only=True, tag="floor_queued"):
    """Floor Queue Position Info: wait, keep the button down, repeat the request every second."""

    rev: Rev
    request_id: RequestId
    position: Annotated[int, Meta(ge=1, le=1000, description="1 is next")]


class FloorRenewed(Control, frozen=True, kw_only=True, tag="floor_renewed"):
    """Answers a floor_renew: the burst is still yours."""

    rev: Rev
    burst: Burst
    renew_no: Count
    all_joined: Annotated[bool, Meta(description="every other member present has joined the Agora channel")] = False


class FloorRevoke(Control, frozen=True, kw_only=True, tag="floor_revoke"):
    """Floor Revoke: stop; nothing more of this burst is played anywhere. Answer with a floor_release."""

    rev: Rev
    burst: Burst
    cause: RevokeCause


class FloorAck(Control, frozen=True, kw_only=True, tag="floor_ack"):
    """Floor Ack: answers a floor_release; that request is over for good."""

    rev: Rev
    request_id: RequestId


class FloorHeard(Control, frozen=True, kw_only=True, tag="floor_heard"):
    """Who heard you: sent to the speaker once all have answered, or 4 s after its burst; the newest burst counts."""

    burst: Burst
    heard_by: Annotated[Count, Meta(description="how many played at least half of its frames")]
    heard_of: Annotated[Count, Meta(description="how many were in the channel when it ended, or played it")]


class TimeAnswer(Control, frozen=True, kw_only=True, tag="time_answer"):
    """Answers a time_probe, behind all floor messages; half the round trip is how wrong a clock set by it can be."""

    probe_no: Annotated[Count, Meta(description="that of the probe; of several answers to it the first counts")]
    at: Annotated[UnixMs, Meta(description="the server's wall clock when it answered")]
