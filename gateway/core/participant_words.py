"""States and inputs of the floor participant machine, with the names of TS 24.380 6.2.4."""

from enum import StrEnum


class State(StrEnum):
    """States of the floor participant, with the standard's names."""

    NO_PERMISSION = "U: has no permission"
    PENDING_REQUEST = "U: pending Request"
    HAS_PERMISSION = "U: has permission"
    PENDING_RELEASE = "U: pending Release"
    QUEUED = "U: queued"


class Word(StrEnum):
    """Inputs of the machine: column heads of the table."""

    PRESS = "button down"
    KEY_UP = "button up"
    EMERGENCY = "emergency button held"
    GRANTED = "Floor Granted"
    DENY = "Floor Deny"
    POSITION = "Queue Position Info"
    RENEWED = "renewal answered"
    REVOKE = "Floor Revoke"
    SESSION = "newer session"
    FOCUS_LOST = "telephone begins"
    PAUSED = "navigation begins"
    RESUMED = "navigation ends"
    STUCK = "button found stuck"
    LINK_DOWN = "link down"
    LINK_UP = "link up"
    THROUGH = "voice got through"
    DRAINED = "tail sent"
    VOICE_LOST = "worker or microphone lost"
    ASK_AGAIN = "ask again (T101)"
    GIVE_UP = "request unanswered"
    TRANSMIT = "repeat permission"
    RENEW = "renewal due"
    LEASE = "lease unanswered"
    LOST = "burst unanswered"
    PAUSED_LONG = "navigation speaks on"
    WARNING = "limit near"
    LIMIT = "limit reached (T2)"
    TAIL = "tail too long"
