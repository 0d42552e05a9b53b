"""Who is there to hear a burst, and over which way: counted as members come and go, so that a grant need not look."""

from collections import Counter

from dispatch.core.state import Member, OfficeRules
from protocol.messages import AppType, VoicePath
from protocol.rest import Role


def may_speak(rules: OfficeRules, member: Member) -> bool:
    """Whether a member can ever have the floor: neither a monitor nor a bridge, nor one that only listens."""
    return member.user not in rules.listen_only and takes_part(rules, member)


def takes_part(rules: OfficeRules, member: Member) -> bool:
    """Whether somebody sits there: a bridge and a monitor are present and count as nobody."""
    entry = rules.entry(member.user)
    if entry is not None:
        return entry.role.member
    return member.app_type not in (AppType.MONITOR, AppType.BRIDGE)


def is_bridge(rules: OfficeRules, member: Member) -> bool:
    """Whether it carries voice between MQTT and Agora; where there is a registry, by its word alone."""
    entry = rules.entry(member.user)
    return member.app_type is AppType.BRIDGE if entry is None else entry.role is Role.BRIDGE


class Audience:
    """The online members of one office, by what they hear. What one process sees; another one sees the same."""

    def __init__(self, rules: OfficeRules) -> None:
        self._rules = rules
        self._online: dict[str, str | None] = {}
        """Member -> the session whose Agora channel it has joined, or None."""
        self._on_agora: Counter[str] = Counter()
        self._bridges: set[str] = set()

    def see(self, member: Member) -> None:
        """Take notice of a member as committed."""
        online = member.present  # a sleeping one listens, too
        joined = self._online.pop(member.user, None)
        if joined is not None:
            self._on_agora[joined] -= 1
            if not self._on_agora[joined]:
                del self._on_agora[joined]
        if online and takes_part(self._rules, member):
            joined = member.in_channel if member.voice is VoicePath.AGORA else None
            self._online[member.user] = joined
            if joined is not None:
                self._on_agora[joined] += 1
        if online and is_bridge(self._rules, member):
            self._bridges.add(member.user)
        else:
            self._bridges.discard(member.user)

    def all_joined(self, speaker: str, event_id: str | None) -> bool:
        """Whether everybody else who is online hears this session over Agora. False where nobody else is known: one
        that listens without a presence could be there, and nothing is gained by sparing it the voice."""
        others = len(self._online) - (speaker in self._online)
        if event_id is None or others == 0:
            return False
        return self._on_agora[event_id] - (self._online.get(speaker) == event_id) == others

    def speaker_uid(self, member: Member) -> int:
        """Give the Agora uid under which a member is heard: its own, or the bridge's that carries it; 0: unknown.

        A bridge carries the vehicles of an office whose voice goes over MQTT; whoever is on Agora speaks for itself.
        Of several bridges the first by id counts.
        """
        user = member.user
        only_mqtt = self._rules.voice is VoicePath.MQTT and member.voice is VoicePath.MQTT
        if only_mqtt and member.app_type is AppType.VEHICLE_GATEWAY:
            user = min(self._bridges, default=user)
        entry = self._rules.entry(user)
        return 0 if entry is None else entry.uid
