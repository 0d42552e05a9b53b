"""Alerts of this vehicle: retained while they hold, cleared when cured, told anew on every connection."""

from gateway.core.context import Context
from protocol.messages import Alert, Severity
from protocol.topics import Kind

KNOWN: dict[str, tuple[Severity, str, str]] = {
    "voice-worker": (
        Severity.CRITICAL,
        "the voice worker does not run",
        "see the journal of ptt-gateway for why; it is restarted with back-off",
    ),
    "microphone": (
        Severity.CRITICAL,
        "the microphone is missing",
        "plug it in, or name another in [audio] capture_device; `ptt-gateway devices` lists what is there",
    ),
    "speaker": (
        Severity.CRITICAL,
        "the speaker is missing",
        "plug it in, or name another in [audio] playback_device; `ptt-gateway devices` lists what is there",
    ),
    "voice-link": (
        Severity.WARNING,
        "the voice connection is down while control is up",
        "check that the broker accepts a second connection of this vehicle (limits, ACL)",
    ),
    "state-dir": (
        Severity.WARNING,
        "the state directory is damaged, full or read-only",
        "see the journal of ptt-gateway for which file; check the card and the free space of [state] dir",
    ),
    "outputs-persist": (
        Severity.WARNING,
        "outputs stay as they are driven when the daemon is killed",
        "add dtparam=strict_gpiod to /boot/firmware/config.txt and restart the Pi (docs/wiring.md)",
    ),
    "panel": (
        Severity.WARNING,
        "a pin of the driver's panel cannot be had or does not obey",
        "what failed does nothing meanwhile, talking goes on; see docs/wiring.md, then restart ptt-gateway",
    ),
    "stuck-button": (
        Severity.CRITICAL,
        "the PTT button stays down",
        "check the button and its wiring (docs/wiring.md); it transmits again after it was seen released",
    ),
    "emergency": (
        Severity.CRITICAL,
        "the driver raised an emergency",
        "speak to the driver, send help; then `ptt cmd REGION/OFFICE USER clear-emergency`",
    ),
    "stuck-emergency": (
        Severity.CRITICAL,
        "the emergency button stays down",
        "check the button and its wiring (docs/wiring.md); it works again after it was seen released",
    ),
    "phone-stuck": (
        Severity.WARNING,
        "the telephone input has been active for very long",
        "check its contact and wire (docs/wiring.md); it counts again after it was seen inactive; "
        "[focus] stuck_after_s",
    ),
    "navigation-stuck": (
        Severity.WARNING,
        "the navigation input has been active for very long",
        "check its contact and wire (docs/wiring.md); it counts again after it was seen inactive; "
        "[focus] navigation_stuck_after_s",
    ),
    "agora": (
        Severity.WARNING,
        "voice over Agora does not work",
        "voice goes over the office's broker meanwhile; see docs/agora.md and `ptt-gateway doctor agora`",
    ),
    "agora-token": (
        Severity.WARNING,
        "the office gives no Agora token",
        "check the office's REST service (`ptt-dispatch rest`) and that it can be reached from here",
    ),
    "noise-suppression": (
        Severity.WARNING,
        "noise suppression is set but does not work",
        "voice goes on without; install webrtc-noise-gain, or set [audio.cleaning] noise_suppression = 0",
    ),
    "transmitter-muted": (
        Severity.WARNING,
        "the office has muted the transmitter of this unit",
        "it listens on; when it is mended: `ptt cmd REGION/OFFICE USER unmute`",
    ),
    "overheating": (
        Severity.WARNING,
        "the processor is at 80 degrees or more and slows down",
        "move the unit out of the sun and away from the heater; see its telemetry",
    ),
    "undervoltage": (
        Severity.WARNING,
        "the supply of this unit is too weak",
        "check converter, cable and plugs (docs/wiring.md): it needs 5.1 V at 3 A at the board",
    ),
    "disk-full": (
        Severity.WARNING,
        "the file system of the state directory is nearly full",
        "remove what does not belong there; less than 50 MB are free",
    ),
    "shutdown": (
        Severity.WARNING,
        "the machine was asked to switch off and still runs",
        "enable ptt-shutdown.path (`systemctl enable --now ptt-shutdown.path`), or set [ignition] shutdown_after_s = 0",
    ),
    "speech": (
        Severity.WARNING,
        "sentences are not spoken",
        "sounds, light and vibration go on; install the engine (`apt install espeak-ng`) or see the journal for why "
        "it fails; it is tried again every 30 s",
    ),
    "voice-flood": (
        Severity.WARNING,
        "somebody floods the voice topic without the floor",
        "what they send is not played; find the unit and, if it does not stop, revoke it: `ptt-dispatch user revoke`",
    ),
}
"""Alert id -> severity, what is wrong, how to mend it. The complete list: all are cleared on connecting if not true.

`clone` is none of them: the office raises it on the unit's topics, where the broker takes it from nobody else. A unit
that is kept out is not connected and could not tell; its status, light and voice say so.
"""

WHAT_CHARS_MAX = 256


class Alerts:
    """The alerts that hold now."""

    def __init__(self, ctx: Context) -> None:
        """None holds."""
        self._ctx = ctx
        self._since: dict[str, int] = {}
        self._what: dict[str, str] = {}

    def set(self, alert: str, holds: bool, wall_ms: int) -> None:
        """Raise or clear one of KNOWN; nothing happens where it is so already."""
        self.say(alert, KNOWN[alert][1] if holds else "", wall_ms)

    def say(self, alert: str, what: str, wall_ms: int) -> None:
        """Raise one of KNOWN in words of its own, which may change while it holds; empty ones clear it."""
        what = what[:WHAT_CHARS_MAX]
        if what == self._what.get(alert, ""):
            return
        if what:
            self._what[alert] = what
            self._since.setdefault(alert, wall_ms)
            self._ctx.note("alert raised", warning=True, alert=alert, what=what)
        else:
            del self._since[alert], self._what[alert]
            self._ctx.note("alert cleared", alert=alert)
        self._publish(alert)

    @property
    def standing(self) -> tuple[str, ...]:
        """Ids of those that hold."""
        return tuple(sorted(self._what))

    @property
    def told(self) -> dict[str, tuple[str, str]]:
        """What is wrong and how to mend it, of each that holds."""
        return {alert: (self._what[alert], KNOWN[alert][2]) for alert in self.standing}

    def connected(self) -> None:
        """Tell all: what holds, and that the others do not (an earlier run may have left them)."""
        for alert in KNOWN:
            self._publish(alert)

    def _publish(self, alert: str) -> None:
        since = self._since.get(alert)
        severity, _, mend = KNOWN[alert]
        what = self._what.get(alert, "")
        message = None if since is None else Alert(alert=alert, severity=severity, what=what, mend=mend, since=since)
        self._ctx.publish(Kind.ALERT, message, alert)
