"""The adapter's own rules, with the SDK's half replaced: what is told, what is not any more, and what is given up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from protocol.worker_settings import AgoraSettings
from service.loop import Loop
from tests.support.agora import CHANNEL, token_for
from tests.support.procs import eventually
from voice.transports.agora import sdk
from voice.transports.agora.commands import COMMANDS_MAX
from voice.transports.agora.connection import SdkFailed
from voice.transports.agora.observers import Watcher
from voice.transports.agora.port import Closed, Connected, Refused, SdkEvent, Speech, Unusable
from voice.transports.agora.sdk import AgoraSdk
from voice.transports.agora.staging import Staged

FRAME = bytes(320)


class FakeConnection:
    """Stands in for RtcConnection: notes what is asked of it, and fails or blocks as it is told."""

    made: ClassVar[list[FakeConnection]] = []
    error: Exception | None = None
    gate: threading.Event | None = None

    def __init__(self, _package: Any, _service: Any, _rate: int, token: Any, watcher: Watcher, _kept: Any) -> None:
        self.calls = [f"connect {token.channel}"]
        self.watcher = watcher
        self.made.append(self)

    def subscribe(self, uid: int) -> None:
        if self.gate is not None:
            self.gate.wait(10)
        if self.error is not None:
            raise self.error
        self.calls.append(f"subscribe {uid}")

    def came(self, uid: int) -> None:
        self.calls.append(f"came {uid}")

    def publish(self) -> None:
        self.calls.append("publish")

    def push(self, pcm: bytes) -> None:
        self.calls.append(f"push {pcm[0]}")

    def unpublish(self) -> None:
        self.calls.append("unpublish")

    def leave(self) -> None:
        self.calls.append("leave")


class Gate(threading.Event):
    """A FakeConnection's gate that says when somebody stands before it."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.reached.set()
        return super().wait(timeout)


class FakeService:
    def __init__(self, _package: Any, _settings: AgoraSettings) -> None:
        pass

    def of(self, app_id: str) -> str:
        return app_id

    def release(self) -> None:
        pass


class Session:
    """An adapter, and what it told."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.told: list[SdkEvent] = []
        self.fatal: list[Exception] = []
        self.sdk = AgoraSdk(self.loop, AgoraSettings(), 16000, self.told.append, self.fatal.append)

    def connection(self, count: int = 1) -> FakeConnection:
        """The `count`-th connection, once the SDK's thread has made it."""
        eventually(lambda: len(FakeConnection.made) >= count)
        return FakeConnection.made[count - 1]

    def until(self, found: Callable[[], object]) -> None:
        """Let the loop take what other threads hand over, until it is so."""
        eventually(lambda: self.loop.run_foreign_calls() or found(), what=lambda: str(self.told))

    def turn(self) -> None:
        self.loop.run_foreign_calls()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    staged = Staged(Path("/sdk"), Path("/sdk/agora/__init__.py"), (), "", ())
    monkeypatch.setattr(sdk, "check", lambda _dir: staged)
    monkeypatch.setattr(sdk, "load", lambda _staged: "package")
    monkeypatch.setattr(sdk, "RtcService", FakeService)
    monkeypatch.setattr(sdk, "RtcConnection", FakeConnection)
    monkeypatch.setattr(FakeConnection, "made", [])
    session = Session()
    yield session
    session.sdk.close()
    session.loop.close()


def test_sound_heard_before_a_burst_ended_is_not_told_in_the_next_one_of_the_same_speaker(session: Session) -> None:
    session.sdk.connect(token_for(1))
    watcher = session.connection().watcher
    session.sdk.subscribe(7)
    watcher.hear(7, FRAME, 1.0)
    session.sdk.unsubscribe()
    session.sdk.subscribe(7)
    watcher.hear(7, FRAME, 2.0)
    session.turn()
    assert session.told == [Speech(7, FRAME, 2.0)]


def test_sound_of_anybody_but_the_subscribed_is_not_told(session: Session) -> None:
    session.sdk.connect(token_for(1))
    watcher = session.connection().watcher
    watcher.hear(7, FRAME, 1.0)
    session.sdk.subscribe(7)
    watcher.hear(8, FRAME, 2.0)
    session.turn()
    assert session.told == []


def test_nothing_of_a_connection_is_told_after_it_was_left(session: Session) -> None:
    session.sdk.connect(token_for(1))
    watcher = session.connection().watcher
    session.sdk.subscribe(7)
    watcher.connected()
    watcher.hear(7, FRAME, 1.0)
    session.sdk.disconnect()
    watcher.ended(16)
    session.turn()
    assert session.told == []


def test_a_second_connect_leaves_the_first_and_hears_nothing_of_it(session: Session) -> None:
    session.sdk.connect(token_for(1))
    first = session.connection()
    session.sdk.connect(token_for(1, "office-2"))
    second = session.connection(2)
    first.watcher.connected()
    second.watcher.connected()
    session.turn()
    assert [event.channel for event in session.told if isinstance(event, Connected)] == ["office-2"]
    assert first.calls == [f"connect {CHANNEL}", "leave"]


@pytest.mark.parametrize("reason", [3, 8, 16])
def test_a_connection_that_is_over_is_left_and_told_once(session: Session, reason: int) -> None:
    session.sdk.connect(token_for(1))
    connection = session.connection()
    connection.watcher.ended(reason)
    connection.watcher.ended(5)
    session.turn()
    assert len(session.told) == 1
    assert isinstance(session.told[0], Refused | Closed)
    eventually(lambda: connection.calls[-1] == "leave")


def test_a_join_that_was_told_just_in_time_is_not_given_up(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "JOIN_TIMEOUT_S", 0.0)
    session.sdk.connect(token_for(1))
    session.loop.call_at(0.0, session.connection().watcher.connected)  # in the same turn, before the timeout
    session.loop.call_at(0.0, session.loop.stop)
    session.loop.run(lambda _now: None)
    assert [type(event) for event in session.told] == [Connected]


def test_a_join_nobody_answers_is_given_up_and_left(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "JOIN_TIMEOUT_S", 0.0)
    session.sdk.connect(token_for(1))
    connection = session.connection()
    session.loop.call_at(0.0, session.loop.stop)
    session.loop.run(lambda _now: None)
    assert session.told == [Closed("not joined within 0 s", again=False)]
    eventually(lambda: connection.calls[-1] == "leave")


def test_a_call_that_fails_is_told_as_closed(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeConnection, "error", SdkFailed("subscribing: the SDK answers -2"))
    session.sdk.connect(token_for(1))
    session.sdk.subscribe(7)
    session.until(lambda: session.told)
    assert session.told == [Closed("subscribing: the SDK answers -2", again=False)]


def test_a_mistake_of_our_own_in_the_sdks_thread_reaches_the_loop(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake = KeyError("uid")
    monkeypatch.setattr(FakeConnection, "error", mistake)
    session.sdk.connect(token_for(1))
    session.sdk.subscribe(7)
    session.until(lambda: session.fatal)
    assert session.fatal == [mistake]


def test_an_sdk_that_never_returns_is_unusable_once_its_queue_is_full_and_nothing_follows(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(FakeConnection, "gate", gate)
    session.sdk.connect(token_for(1))
    for uid in range(1, COMMANDS_MAX + 3):
        session.sdk.subscribe(uid)
    session.turn()
    session.sdk.connect(token_for(1))
    gate.set()
    session.turn()
    assert [type(event) for event in session.told] == [Unusable]


def test_sound_that_waits_for_a_hanging_sdk_is_not_pushed_once_it_was_to_be_thrown_away(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a call of the SDK that does not return, and sound that waits behind it
    gate = threading.Event()
    monkeypatch.setattr(FakeConnection, "gate", gate)
    session.sdk.connect(token_for(1))
    connection = session.connection()
    session.sdk.subscribe(7)
    session.sdk.publish()
    session.sdk.push(b"\1" * 320)
    # when permission ends, and the next burst begins, before it returns
    session.sdk.unpublish()
    session.sdk.publish()
    session.sdk.push(b"\2" * 320)
    gate.set()
    eventually(lambda: "push 2" in connection.calls)
    # then nothing of the first burst is pushed
    assert connection.calls[1:] == ["subscribe 7", "publish", "unpublish", "publish", "push 2"]
    assert session.sdk.unpushed == 1


def test_sound_that_waits_for_a_hanging_sdk_is_not_pushed_into_a_channel_that_was_left(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(FakeConnection, "gate", gate)
    session.sdk.connect(token_for(1))
    connection = session.connection()
    session.sdk.subscribe(7)
    session.sdk.publish()
    session.sdk.push(FRAME)
    session.sdk.disconnect()
    gate.set()
    eventually(lambda: "leave" in connection.calls)
    assert connection.calls[1:] == ["subscribe 7", "publish", "leave"]


def test_sound_that_waited_too_long_for_the_sdk_is_dropped_so_that_speech_is_not_heard_late_from_then_on(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(FakeConnection, "gate", gate)
    session.sdk.connect(token_for(1))
    connection = session.connection()
    session.sdk.subscribe(7)
    session.sdk.publish()
    monkeypatch.setattr(sdk, "time", SimpleNamespace(monotonic=lambda: 100.0))
    session.sdk.push(b"\1" * 320)
    monkeypatch.setattr(sdk, "time", SimpleNamespace(monotonic=lambda: 100.01 + sdk.PUSH_AGE_S))
    session.sdk.push(b"\2" * 320)
    gate.set()
    eventually(lambda: "push 2" in connection.calls)
    assert connection.calls[1:] == ["subscribe 7", "publish", "push 2"]


def test_an_sdk_that_returns_after_it_was_given_up_leaves_the_channel_and_does_nothing_else(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a broadcaster whose SDK hangs until no more calls can wait
    gate = Gate()
    monkeypatch.setattr(FakeConnection, "gate", gate)
    session.sdk.connect(token_for(1))
    connection = session.connection()
    session.sdk.publish()
    eventually(lambda: "publish" in connection.calls)
    session.sdk.subscribe(1)
    eventually(gate.reached.is_set)
    for uid in range(2, COMMANDS_MAX + 3):
        session.sdk.subscribe(uid)
    session.turn()
    assert [type(event) for event in session.told] == [Unusable]
    # when the call returns after all
    gate.set()
    eventually(lambda: "leave" in connection.calls)
    # then nothing that waited is done, and nothing is published any more
    assert connection.calls[1:] == ["publish", "subscribe 1", "leave"]


def test_the_wanted_speaker_who_joins_late_is_subscribed_to_again_once_for_many_words(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(FakeConnection, "gate", gate)
    session.sdk.connect(token_for(1))
    connection = session.connection()
    session.sdk.subscribe(7)
    for uid in ("8", "7", "7", "7"):
        connection.watcher.came(uid)
    gate.set()
    session.sdk.publish()
    eventually(lambda: connection.calls[-1] == "publish")
    assert connection.calls == [f"connect {CHANNEL}", "subscribe 7", "came 7", "publish"]


@pytest.mark.parametrize("pcm", [b"", bytes(10), bytes(319), bytes(321)])
def test_sound_that_is_no_multiple_of_ten_milliseconds_is_our_mistake(session: Session, pcm: bytes) -> None:
    with pytest.raises(ValueError, match="no multiple of 10 ms"):
        session.sdk.push(pcm)


def test_calls_without_a_connection_do_nothing(session: Session) -> None:
    for call in (session.sdk.publish, session.sdk.unpublish, session.sdk.unsubscribe, session.sdk.disconnect):
        call()
    session.sdk.push(FRAME)
    session.turn()
    assert session.told == []
    assert FakeConnection.made == []


def test_a_rate_the_sdk_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="44100 Hz"):
        AgoraSdk(Loop(), AgoraSettings(), 44100, print, print)
