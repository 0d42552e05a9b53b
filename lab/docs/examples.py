"""One valid example of every control message: a talk of car-1 in the office seoul/hq, as docs/protocol.md shows it."""

from protocol.ids import ordered_number
from protocol.messages import (
    Alert,
    BurstPlayed,
    Command,
    CommandReply,
    DenyCause,
    DeviceInfo,
    DeviceState,
    Event,
    EventType,
    FloorAck,
    FloorDeny,
    FloorGranted,
    FloorHeard,
    FloorQueued,
    FloorRelease,
    FloorRenew,
    FloorRenewed,
    FloorRequest,
    FloorRevoke,
    Heartbeat,
    LinkHealth,
    Message,
    Presence,
    PresenceState,
    PressCounts,
    PressTrace,
    Priority,
    RevokeCause,
    Roster,
    RosterMember,
    Session,
    Severity,
    Telemetry,
    Throttling,
    TimeAnswer,
    TimeProbe,
    TracedWord,
    VoiceHealth,
)
from protocol.voice_frame import FrameFlags, VoiceFrame

_CONNECTION = (0, 42, 1)
_REQUEST = (*_CONNECTION, 7)
_REFUSED = (0, 17, 3, 2)
_BURST = ordered_number(3, 9)
_REV = ordered_number(3, 21)
_SESSION = "3f6c1b0e9d5a4b57a8c2d1e0f9b8a7c6"
_AT = 1_893_456_000_000

EXAMPLES: tuple[Message, ...] = (
    Session(
        rev=_REV,
        store="0b9f6a7e1c1d4c6f9f3e2a5b8c7d6e5f",
        active=True,
        channel_name="seoul_hq_ptt",
        burst=_BURST,
        current_speaker="car-1",
        speaker_name="1호차",
        event_id=_SESSION,
        started_at=_AT,
    ),
    FloorRequest(request_id=_REQUEST),
    FloorRenew(burst=_BURST, renew_no=1),
    FloorRelease(request_id=_REQUEST, burst=_BURST, last_seq=149),
    FloorGranted(rev=_REV, request_id=_REQUEST, burst=_BURST, duration_s=30.0, lease_s=3.0),
    FloorDeny(
        rev=_REV,
        request_id=_REFUSED,
        cause=DenyCause.ANOTHER_HAS_PERMISSION,
        speaker="car-1",
        speaker_name="1호차",
        remaining_s=27.4,
    ),
    FloorQueued(rev=_REV, request_id=_REFUSED, position=1),
    FloorRenewed(rev=_REV, burst=_BURST, renew_no=1),
    FloorRevoke(rev=_REV, burst=_BURST, cause=RevokeCause.PREEMPTED),
    FloorAck(rev=_REV + 1, request_id=_REQUEST),
    FloorHeard(burst=_BURST, heard_by=9, heard_of=11),
    TimeAnswer(probe_no=1, at=_AT),
    Presence(
        state=PresenceState.ONLINE,
        connection_id=_CONNECTION,
        presence_no=2,
        in_channel=_SESSION,
        name="1호차",
        device_info="12가 3456",
        joined_at=_AT - 60_000,
    ),
    Roster(
        participants=1,
        members=(
            RosterMember(user="car-1", state=PresenceState.ONLINE, name="1호차", in_channel=True),
            RosterMember(user="car-2", state=PresenceState.LOST, name="2호차"),
        ),
    ),
    BurstPlayed(connection_id=_CONNECTION, burst=_BURST, frames=147, concealed=3),
    TimeProbe(probe_no=1),
    Heartbeat(connection_id=_CONNECTION, beat_no=3, voice=VoiceHealth(frames_played=1500, buffer_ms=20)),
    Event(
        no=37,
        event=EventType.BURST_ENDED,
        at=_AT + 3_000,
        event_id=_SESSION,
        user="car-1",
        name="1호차",
        metadata={"burst": _BURST, "ended": "released", "last_seq": 149},
    ),
    DeviceState(floor="U: has permission", keyed=True, voice=VoiceHealth(), last_press="granted"),
    DeviceInfo(
        version="0.1.0",
        python="3.13.5",
        board="Raspberry Pi 5 Model B Rev 1.0, wiring standard",
        pins="lgpio",
        capture="pyaudio: USB",
        playback="pyaudio: USB",
    ),
    Alert(
        alert="microphone",
        severity=Severity.CRITICAL,
        what="the microphone is missing",
        mend="plug it in, or name another in [audio] capture_device; `ptt-gateway devices` lists what is there",
        since=_AT,
    ),
    Telemetry(
        at=_AT,
        uptime_s=86_400.0,
        temperature_c=61.3,
        throttling=Throttling(undervoltage_since_boot=True),
        load_1min=0.31,
        memory_free_mb=612.0,
        disk_free_mb=20_480.0,
        link=LinkHealth(since_s=7_200.0, reconnects=3, rtt_ms=48.2),
        voice=VoiceHealth(frames_played=15_000, frames_concealed=12, buffer_ms=40),
        presses=PressCounts(presses=9, granted=7, denied={"denied": 2}, answer_ms_p50=63.0, answer_ms_p99=121.5),
    ),
    PressTrace(
        request_id=_REFUSED,
        edge_at=_AT,
        edge_error_ms=14,
        priority=Priority.NORMAL,
        handled_ms=4,
        asked_ms=4,
        key_up_ms=1200,
        told=(TracedWord(ms=61, what="denied"),),
        speaker="3호차",
        remaining_s=12.0,
    ),
    Command(id="desk-17", op="levels", by="seoul.hq.desk", params={"mic_db": 6.0}),
    CommandReply(id="desk-17", op="levels", ok=True, what="levels set"),
)
"""In the order of the document: the session, the floor, the members, the monitors' part."""

FRAME = VoiceFrame(_BURST, 149, 2980, bytes.fromhex("b8fffe"), FrameFlags.LAST)
"""A last frame: three bytes of Opus, the silence that many encoders make."""
