"""One RTC connection of Agora's SDK, from its making to its release; used in the SDK's own thread only.

Names and return codes are those of agora-python-server-sdk 2.4.10, read in its source; what each native call does in
Agora's real library was never seen by us (docs/agora.md).
"""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from protocol.worker import Token
from service.logs import Log
from voice.transports.agora.observers import CHANNELS, Watcher, connection_observer, frame_observer, user_observer
from voice.transports.agora.package import Package

log = Log(__name__)


class SdkFailed(Exception):
    """A call failed, and the connection with it."""


class RtcConnection:
    """A channel being joined. Every method raises SdkFailed where the SDK refuses or raises."""

    def __init__(
        self,
        package: Package,
        service: Any,
        rate_hz: int,
        token: Token,
        watcher: Watcher,
        kept: MutableSequence[object],
    ) -> None:
        """Make the connection, register the observers and ask to join, as audience, subscribed to nobody.

        What must outlive the connection is added to `kept` when it is left.
        """
        self._base = package.agora_base
        self._kept = kept
        self._rate_hz = rate_hz
        self._hearing = 0
        self._publishing = False
        self._rtc: Any = None
        try:
            self._make(package.agora_base, service)
            self._observe(package, watcher)
            self._connect(token)
        except SdkFailed:
            self.leave()
            raise

    def _make(self, base: ModuleType, service: Any) -> None:
        with _foreign("making a connection"):
            self._rtc = service.create_rtc_connection(
                base.RTCConnConfig(
                    auto_subscribe_audio=0,
                    auto_subscribe_video=0,
                    enable_audio_recording_or_playout=0,
                    client_role_type=base.ClientRoleType.CLIENT_ROLE_AUDIENCE,
                    channel_profile=base.ChannelProfileType.CHANNEL_PROFILE_LIVE_BROADCASTING,
                ),
                base.RtcConnectionPublishConfig(
                    audio_profile=base.AudioProfileType.AUDIO_PROFILE_SPEECH_STANDARD,
                    audio_scenario=base.AudioScenarioType.AUDIO_SCENARIO_GAME_STREAMING,
                    is_publish_audio=True,
                    is_publish_video=False,
                    audio_publish_type=base.AudioPublishType.AUDIO_PUBLISH_TYPE_PCM,
                    video_publish_type=base.VideoPublishType.VIDEO_PUBLISH_TYPE_NONE,
                ),
            )
        # A failed creation gives a half-built object instead of an error.
        for part in ("conn_handle", "local_user", "_audio_sender", "_audio_track"):
            if not getattr(self._rtc, part, None):
                raise SdkFailed(f"making a connection: the SDK gave one without {part}")
        self._user = self._rtc.get_local_user()

    def _observe(self, package: Package, watcher: Watcher) -> None:
        with _foreign("registering observers"):
            # The parameters come first: the observer is told frames of the rate that held when it was registered.
            parameters = self._user.set_playback_audio_frame_before_mixing_parameters(CHANNELS, self._rate_hz)
            _good("playback parameters", parameters)
            _good("role", self._user.set_user_role(self._base.ClientRoleType.CLIENT_ROLE_AUDIENCE))
            _good("connection observer", self._rtc.register_observer(connection_observer(package, watcher)))
            _good("user observer", self._rtc.register_local_user_observer(user_observer(package, watcher)))
            # Once a connection: the package raises when an audio observer is registered a second time.
            frames = frame_observer(package, watcher, self._rate_hz)
            _good("audio observer", self._rtc.register_audio_frame_observer(frames, 0, None))

    def _connect(self, token: Token) -> None:
        with _foreign("connecting", show=False):
            _good("connect", self._rtc.connect(token.token, token.channel, str(token.uid)))

    def renew(self, token: Token) -> None:
        """Hand in a newer token."""
        with _foreign("renewing the token", show=False):
            _good("renew_token", self._rtc.renew_token(token.token))

    def publish(self) -> None:
        """Become broadcaster and publish; nothing where that is so already."""
        if not self._publishing:
            with _foreign("publishing"):
                _good("role", self._user.set_user_role(self._base.ClientRoleType.CLIENT_ROLE_BROADCASTER))
                _good("publish_audio", self._rtc.publish_audio())
            self._publishing = True

    def push(self, pcm: bytes) -> None:
        """Send 16-bit mono PCM; dropped while not publishing."""
        if self._publishing:
            with _foreign("pushing sound"):
                # A copy that can be written: the package takes the buffer's address, which it cannot of `bytes`.
                _good("push_audio_pcm_data", self._rtc.push_audio_pcm_data(bytearray(pcm), self._rate_hz, CHANNELS))

    def unpublish(self) -> None:
        """Throw unsent sound away, unpublish, be audience again; nothing where nothing is published."""
        if self._publishing:
            self._publishing = False
            with _foreign("unpublishing"):
                self._rtc.interrupt_audio()  # its answer says nothing: -1000 where it worked
                _good("unpublish_audio", self._rtc.unpublish_audio())
                _good("role", self._user.set_user_role(self._base.ClientRoleType.CLIENT_ROLE_AUDIENCE))

    def subscribe(self, uid: int) -> None:
        """Hear `uid` and nobody else; 0 is nobody."""
        if uid == self._hearing:
            return
        with _foreign("subscribing"):
            if self._hearing:
                _good("unsubscribe_audio", self._user.unsubscribe_audio(str(self._hearing)))
            self._hearing = uid
            if uid:
                _good("subscribe_audio", self._user.subscribe_audio(str(uid)))

    def came(self, uid: int) -> None:
        """`uid` has joined only now: subscribe once more, should the first time have come too early to count."""
        if uid == self._hearing:
            with _foreign("subscribing"):
                _good("subscribe_audio", self._user.subscribe_audio(str(uid)))

    def leave(self) -> None:
        """Unpublish, unregister, leave, release. Never raises: what fails is logged, and the rest is done."""
        rtc = self._rtc
        if getattr(rtc, "conn_handle", None) is None:
            return
        user = getattr(rtc, "local_user", None)
        # The package frees its callbacks here, while a native thread may still be inside of one.
        for owner, name in (
            (rtc, "con_observer_handle"),
            (user, "audio_frame_observer"),
            (user, "user_observer_inner"),
        ):
            self._kept.append(getattr(owner, name, None))
        for what in ("disconnect", "release"):
            try:
                getattr(rtc, what)()
            except Exception as error:  # noqa: BLE001 - foreign code: counted in the log, and the rest must be done
                log.warning("leaving an Agora channel failed", what=what, error=f"{type(error).__name__}: {error}")


def _good(what: str, code: object) -> None:
    """The SDK's calls give 0 or a handle's number; below 0 they failed. Anything else than a number is a failure."""
    if not isinstance(code, int) or code < 0:
        raise SdkFailed(f"{what}: the SDK answers {code}")


@contextmanager
def _foreign(what: str, show: bool = True) -> Iterator[None]:
    """Make one failure of whatever the package raises; `show` False where its text may hold a token."""
    try:
        yield
    except SdkFailed:
        raise
    except Exception as error:  # noqa: BLE001 - whatever foreign code raises means one thing
        raise SdkFailed(f"{what}: {type(error).__name__}{f': {error}' if show else ''}") from None
