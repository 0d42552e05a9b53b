"""Who does not belong to an office: decided from its rules alone."""

from enum import StrEnum

from dispatch.core.state import OfficeRules


class Stranger(StrEnum):
    """Why somebody is not let in; the value is the reason told in its presence."""

    UNKNOWN = "not admitted"
    REVOKED = "revoked"
    REPLACED = "replaced by a newer enrolment"
    AHEAD = "of an enrolment that is not known yet"
    """The registry may just have changed: nothing is said of it, and it is looked at again when it is read anew."""
    CLONE = "another unit is enrolled as this user"
    UNSTATED = "does not say which unit it is"


def shut_out(rules: OfficeRules, user: str) -> Stranger | None:
    """Why a user is not let in, whatever unit it comes with; None: it belongs."""
    if rules.roll is None:
        return None
    entry = rules.roll.get(user)
    if entry is None or (not entry.admitted and entry.revoked_at is None):
        return Stranger.UNKNOWN
    return None if entry.admitted else Stranger.REVOKED


def stranger(rules: OfficeRules, user: str, generation: int, hardware: str | None) -> Stranger | None:
    """Why a unit is not let in: its user's fault, an enrolment that is not the newest, or another unit's hardware."""
    why = shut_out(rules, user)
    entry = rules.entry(user)
    if why is not None or entry is None:
        return why
    if entry.generation and generation != entry.generation:
        return Stranger.REPLACED if generation < entry.generation else Stranger.AHEAD
    if entry.hardware is not None and hardware is not None and hardware != entry.hardware:
        return Stranger.CLONE
    return None


def hides(rules: OfficeRules, user: str, hardware: str | None) -> bool:
    """Whether a unit keeps back which one it is although its user was enrolled on one: so would a clone."""
    entry = rules.entry(user)
    return hardware is None and entry is not None and entry.hardware is not None
