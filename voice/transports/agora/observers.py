"""What Agora's native threads call: observers that note what happened and return.

No call of the SDK and no work is allowed in them. The numbers are those of Agora's public headers (AgoraBase.h).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from voice.transports.agora.package import Package
from voice.transports.agora.port import Closed, Connected, Refused, SdkEvent, TokenExpires

CHANNELS = 1
REASONS = {
    0: "connecting",
    1: "joined",
    2: "interrupted",
    3: "banned by a kicking rule",
    4: "join failed",
    5: "left",
    6: "invalid app id",
    7: "invalid channel name",
    8: "invalid token",
    9: "token expired",
    10: "rejected by the server",
    14: "keep-alive timeout",
    15: "joined again",
    16: "connection lost",
    19: "this uid has joined from elsewhere",
    20: "too many broadcasters",
    21: "licence refused",
    24: "app id and token do not match",
}
"""CONNECTION_CHANGED_REASON_TYPE of Agora's public headers, as far as it can reach us."""
_REFUSING = {3, 6, 7, 8, 9, 10, 19, 20, 21, 24}
_NEW_TOKEN_HELPS = {8, 9}
_TOKEN_ERRORS = {109: "token expired", 110: "invalid token"}
"""ERR_TOKEN_EXPIRED and ERR_INVALID_TOKEN of the same headers, told by on_error."""

Note = Callable[[SdkEvent], None]
Hear = Callable[[int, bytes, float], None]


class Watcher:
    """What the observers of one connection tell, and to whom. Called in the SDK's threads; every method only notes."""

    def __init__(self, channel: str, note: Note, hear: Hear, came: Callable[[str], None]) -> None:
        self._channel = channel
        self._note = note
        self._since = time.monotonic()
        self._joined = False
        self.hear = hear
        self.came = came

    def connected(self) -> None:
        """Joined, for the first time or again."""
        if not self._joined:
            self._joined = True
            self._note(Connected(self._channel, round((time.monotonic() - self._since) * 1000)))

    def lost(self, reason: str) -> None:
        """The link is gone and the SDK tries to come back. Before the first join it is still on its way there."""
        if self._joined:
            self._joined, self._since = False, time.monotonic()
            self._note(Closed(reason, again=True))

    def ended(self, reason: int) -> None:
        """The connection is over, and nothing more will come of it."""
        text = REASONS.get(reason, f"reason {reason}")
        refused = reason in _REFUSING
        self._note(Refused(text, token=reason in _NEW_TOKEN_HELPS) if refused else Closed(text, again=False))

    def expires(self) -> None:
        """The token runs out soon."""
        self._note(TokenExpires())

    def expired(self) -> None:
        """It did."""
        self._note(Refused("token expired", token=True))

    def error(self, code: int) -> None:
        """Errors about tokens matter; of the others the state of the connection tells what there is to know."""
        if code in _TOKEN_ERRORS:
            self._note(TokenExpires() if self._joined else Refused(_TOKEN_ERRORS[code], token=True))

    def misfit(self, rate_hz: int, channels: int) -> None:
        """Sound came that is not as it was asked for, and cannot be played."""
        self._note(Closed(f"the SDK hands out sound of {rate_hz} Hz with {channels} channels", again=False))

    def mute(self, what: str) -> None:
        """We may not speak here."""
        self._note(Refused(what, token=True))


def connection_observer(package: Package, watcher: Watcher) -> Any:
    """An IRTCConnectionObserver that tells `watcher`."""
    return _observer(
        package.rtc_connection_observer.IRTCConnectionObserver,
        on_connected=lambda _conn, _info, _reason: watcher.connected(),
        on_reconnected=lambda _conn, _info, _reason: watcher.connected(),
        on_reconnecting=lambda _conn, _info, reason: watcher.lost(REASONS.get(reason, f"reason {reason}")),
        on_connection_lost=lambda _conn, _info: watcher.lost("connection lost"),
        on_disconnected=lambda _conn, _info, reason: watcher.ended(reason),
        on_connection_failure=lambda _conn, _info, reason: watcher.ended(reason),
        on_connection_license_validation_failure=lambda _conn, _reason: watcher.ended(21),
        on_token_privilege_will_expire=lambda _conn, _token: watcher.expires(),
        on_token_privilege_did_expire=lambda _conn: watcher.expired(),
        on_change_role_failure=lambda _conn, reason, _role: watcher.mute(f"role of a speaker refused ({reason})"),
        on_error=lambda _conn, code, _text: watcher.error(code),
        on_user_joined=lambda _conn, uid: watcher.came(uid),
    )


def user_observer(package: Package, watcher: Watcher) -> Any:
    """An IRTCLocalUserObserver that tells `watcher`."""
    return _observer(
        package.local_user_observer.IRTCLocalUserObserver,
        on_audio_track_publication_failure=lambda _u, _t, error: watcher.mute(f"publishing refused ({error})"),
    )


def frame_observer(package: Package, watcher: Watcher, rate_hz: int) -> Any:
    """An IAudioFrameObserver that tells `watcher` of frames, which must be mono at `rate_hz`."""

    def frame_came(_user: Any, _channel: str, uid: str, frame: Any, _vad: int, _vad_bytes: Any) -> int:
        if frame.channels != CHANNELS or frame.samples_per_sec != rate_hz:
            watcher.misfit(frame.samples_per_sec, frame.channels)
        elif uid.isdecimal():
            watcher.hear(int(uid), bytes(frame.buffer), time.monotonic())
        return 1

    return _observer(package.audio_frame_observer.IAudioFrameObserver, on_playback_audio_frame_before_mixing=frame_came)


def _observer(base: type, **methods: Callable[..., object]) -> Any:
    """An instance of the package's observer class with these callbacks in place of its own empty ones."""
    return type("Observer", (base,), {name: staticmethod(method) for name, method in methods.items()})()
