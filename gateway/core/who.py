"""What the vehicle's core is told of its vehicle when it begins."""

from msgspec import Struct

from gateway.core.cab_settings import ButtonSettings, FocusSettings
from gateway.core.emergency import EmergencySettings
from gateway.core.ignition import IgnitionRules
from gateway.core.telemetry import TelemetryRules
from gateway.core.words import Flag
from protocol.messages import DeviceInfo, Presence, Priority


class Who(Struct, frozen=True, kw_only=True):
    """What the core must know of its vehicle."""

    user: str
    generation: int
    boot: int
    presence: Presence
    info: DeviceInfo
    lang: str = "ko"
    enrolled: bool = False
    foreign: bool = False
    """The enrolment was made for another machine's hardware."""
    agora: bool = False
    """Voice goes over Agora too."""
    priority: Priority = Priority.NORMAL
    """What the talk button asks with."""
    emergency: EmergencySettings = EmergencySettings()
    emergency_since: int | None = None
    """Unix ms of an emergency that was not cleared before the last restart."""
    replay_keep: int = 5
    """How many of the bursts heard are kept for the replay button; 0: none."""
    mic_db: float = 0.0
    speaker_db: float = 0.0
    flags: frozenset[Flag] = frozenset()
    """What an earlier run kept as a yes."""
    ignition: IgnitionRules = IgnitionRules()
    telemetry: TelemetryRules = TelemetryRules()
    focus: FocusSettings = FocusSettings()
    button: ButtonSettings = ButtonSettings()
