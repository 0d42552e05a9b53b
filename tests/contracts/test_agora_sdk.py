"""What the adapter relies on in agora-python-server-sdk, held against the pinned source package itself.

The package is imported from its source with ctypes patched, so that no native library is needed: what is compared is
signatures, defaults, numbers and habits of its Python code. Nothing here says anything about Agora's native library.
"""

from __future__ import annotations

import ctypes
import inspect
import logging
import platform
import shutil
import ssl
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from lab.agora_stub.build import ROOT, SOURCE, unpack
from lab.agora_stub.generate import OBSERVERS, defined_in, header, symbols_of
from protocol.worker_settings import AgoraSettings
from tests.contracts.agora_sdk_rig import FakeLibrary, defaults, parameters, watcher
from tests.support.agora import token_for
from voice.transports.agora import observers, rtc_service, staging
from voice.transports.agora.connection import RtcConnection, SdkFailed
from voice.transports.agora.package import Package, load
from voice.transports.agora.port import Closed, SdkEvent
from voice.transports.agora.staging import NotStaged, Staged, package_digest, wanted_url

PCM_10_MS = bytes(320)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pinned source package with libraries that are empty files."""
    folder = unpack(tmp_path_factory.mktemp("sdist") / "sdk")
    agora = folder / "agora"
    (agora / "agora_sdk").mkdir()
    for name in (staging.LOADED_FIRST, *staging.LOADED_IF_THERE, staging.LIBRARY):
        (agora / "agora_sdk" / name).touch()
    (agora / "version.txt").write_text(wanted_url(agora, platform.machine()))
    return folder


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeLibrary]]:
    """Patches ctypes; no module of the package is left behind."""
    fake = type("Fake", (FakeLibrary,), {"loaded": [], "answers": {"agora_service_initialize": 0}, "calls": []})
    monkeypatch.setattr(ctypes, "CDLL", fake)
    yield fake
    for name in [name for name in sys.modules if name.partition(".")[0] == "agora"]:
        del sys.modules[name]
    logging.getLogger("agora").handlers.clear()


@pytest.fixture
def package(source: Path, library: type[FakeLibrary]) -> Package:
    return load(Staged(source, source / "agora/__init__.py", (), "", ()))


@pytest.fixture
def service(package: Package) -> Any:
    service = package.agora_service.AgoraService()
    service.initialize(package.agora_base.AgoraServiceConfig(appid="a"))
    return service


@pytest.fixture
def connection(package: Package, service: Any) -> Any:
    base = package.agora_base
    publish = base.RtcConnectionPublishConfig(audio_scenario=base.AudioScenarioType.AUDIO_SCENARIO_GAME_STREAMING)
    return service.create_rtc_connection(base.RTCConnConfig(), publish)


# --- the package as it is pinned ------------------------------------------------------------------------------------


def test_the_pinned_package_is_the_one_the_adapter_was_written_against(source: Path) -> None:
    assert f"\nVersion: {staging.VERSION}\n" in (source / "PKG-INFO").read_text("utf-8")
    assert package_digest(source / "agora") == staging.PACKAGE_SHA256
    assert f"\nagora-python-server-sdk=={staging.VERSION}\n" in (ROOT / "constraints.txt").read_text("utf-8")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_package_names_the_libraries_of_each_machine(source: Path, machine: str) -> None:
    url = wanted_url(source / "agora", machine)
    assert url.startswith("https://download.agora.io/sdk/release/")
    assert machine in url


def test_importing_a_staged_package_downloads_nothing_and_loads_the_libraries_we_know(
    source: Path, library: type[FakeLibrary], monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("the package downloads")

    monkeypatch.setattr("urllib.request.urlretrieve", download)
    load(Staged(source, source / "agora/__init__.py", (), "", ()))
    libraries = {staging.LOADED_FIRST, *staging.LOADED_IF_THERE, staging.LIBRARY}
    assert set(library.loaded) == libraries
    assert library.loaded[0] == staging.LOADED_FIRST
    assert (source / "agora/agora_sdk" / staging.LIBRARY).exists()


def test_importing_leaves_the_checks_of_certificates_on_although_the_package_turns_them_off(
    source: Path, package: Package
) -> None:
    assert "ssl._create_default_https_context = ssl._create_unverified_context" in (
        source / "agora/__init__.py"
    ).read_text("utf-8")
    assert ssl._create_default_https_context is ssl.create_default_context


def test_a_package_that_ends_the_process_on_import_is_told_as_not_staged(
    source: Path, library: type[FakeLibrary], tmp_path: Path
) -> None:
    shutil.copytree(source, tmp_path / "sdk")
    (tmp_path / "sdk/agora/rtc/__init__.py").write_text("import sys\nsys.exit(1)\n")
    with pytest.raises(NotStaged, match="SystemExit: 1"):
        load(Staged(tmp_path / "sdk", tmp_path / "sdk/agora/__init__.py", (), "", ("it asks for a stack",)))
    assert "agora" not in sys.modules


def test_what_the_package_prints_does_not_reach_stdout(package: Package, capsys: pytest.CaptureFixture[str]) -> None:
    vars(sys.modules["agora.rtc.rtc_connection"])["print"]("anything")
    assert capsys.readouterr().out == ""


def test_the_package_would_log_a_token_at_debug_and_is_kept_from_it(
    package: Package, connection: Any, caplog: pytest.LogCaptureFixture
) -> None:
    observer = sys.modules["agora.rtc._ctypes_handle._rtc_connection_observer"].RTCConnectionObserverInner(
        package.rtc_connection_observer.IRTCConnectionObserver(), connection
    )
    with caplog.at_level(logging.DEBUG):
        observer._on_token_privilege_will_expire(1, b"007secret")
    assert "007secret" not in caplog.text


# --- signatures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("connect", ["token", "chan_id", "user_id"]),
        ("disconnect", []),
        ("release", []),
        ("renew_token", ["token"]),
        ("get_local_user", []),
        ("register_observer", ["conn_observer"]),
        ("register_local_user_observer", ["observer"]),
        ("register_audio_frame_observer", ["observer", "enable_vad", "vad_configure"]),
        ("publish_audio", []),
        ("unpublish_audio", []),
        ("interrupt_audio", []),
        ("push_audio_pcm_data", ["data", "sample_rate", "channels", "start_pts=0"]),
    ],
)
def test_a_connection_has_this_method_with_these_parameters(package: Package, method: str, expected: list[str]) -> None:
    assert parameters(getattr(package.rtc_connection.RTCConnection, method)) == expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("set_user_role", ["role"]),
        ("subscribe_audio", ["user_id"]),
        ("unsubscribe_audio", ["user_id"]),
        ("set_playback_audio_frame_before_mixing_parameters", ["channels", "sample_rate_hz"]),
    ],
)
def test_a_local_user_has_this_method_with_these_parameters(package: Package, method: str, expected: list[str]) -> None:
    user = sys.modules["agora.rtc.local_user"].LocalUser
    assert parameters(getattr(user, method)) == expected


def test_the_service_is_made_initialised_and_released_as_we_do_it(package: Package) -> None:
    service = package.agora_service.AgoraService
    assert parameters(service.__init__) == []
    assert parameters(service.initialize) == ["config"]
    assert parameters(service.create_rtc_connection) == ["con_config", "publish_config"]
    assert parameters(service.release) == []


@pytest.mark.parametrize(
    ("make", "module", "base"),
    [
        (observers.connection_observer, "rtc_connection_observer", "IRTCConnectionObserver"),
        (observers.user_observer, "local_user_observer", "IRTCLocalUserObserver"),
        (lambda p, w: observers.frame_observer(p, w, 16000), "audio_frame_observer", "IAudioFrameObserver"),
    ],
)
def test_every_callback_of_ours_stands_in_for_one_of_the_packages_with_as_many_parameters(
    package: Package, make: Callable[[Package, observers.Watcher], Any], module: str, base: str
) -> None:
    observer = make(package, watcher([]))
    original = getattr(getattr(package, module), base)
    ours = [name for name in vars(type(observer)) if name.startswith("on_")]
    assert ours
    counts = {name: len(inspect.signature(getattr(observer, name)).parameters) for name in ours}
    assert counts == {name: len(parameters(getattr(original, name))) for name in ours}


# --- defaults and numbers -------------------------------------------------------------------------------------------


def test_a_connection_subscribes_to_nobody_by_default_and_would_join_as_a_broadcaster(package: Package) -> None:
    base = package.agora_base
    found = defaults(base.RTCConnConfig)
    assert (found["auto_subscribe_audio"], found["auto_subscribe_video"]) == (0, 0)
    assert found["client_role_type"] == base.ClientRoleType.CLIENT_ROLE_BROADCASTER
    assert found["channel_profile"] == base.ChannelProfileType.CHANNEL_PROFILE_LIVE_BROADCASTING


def test_both_scenarios_default_to_one_for_special_peers_so_that_we_must_set_them(package: Package) -> None:
    special = package.agora_base.AudioScenarioType.AUDIO_SCENARIO_AI_SERVER
    assert defaults(package.agora_base.AgoraServiceConfig)["audio_scenario"] == special
    assert defaults(package.agora_base.RtcConnectionPublishConfig)["audio_scenario"] == special


def test_the_service_opens_no_sound_device_and_no_video_by_default_and_users_are_numbers(package: Package) -> None:
    found = defaults(package.agora_base.AgoraServiceConfig)
    names = ("enable_audio_device", "enable_video", "use_string_uid", "should_callbck_when_muted", "enable_apm")
    assert [found[name] for name in names] == [0, 0, 0, 0, False]


@pytest.mark.parametrize(
    ("enumeration", "member", "number"),
    [
        ("ClientRoleType", "CLIENT_ROLE_BROADCASTER", 1),
        ("ClientRoleType", "CLIENT_ROLE_AUDIENCE", 2),
        ("ChannelProfileType", "CHANNEL_PROFILE_LIVE_BROADCASTING", 1),
        ("AudioScenarioType", "AUDIO_SCENARIO_GAME_STREAMING", 3),
        ("AudioProfileType", "AUDIO_PROFILE_SPEECH_STANDARD", 1),
        ("AudioPublishType", "AUDIO_PUBLISH_TYPE_PCM", 1),
        ("VideoPublishType", "VIDEO_PUBLISH_TYPE_NONE", 0),
    ],
)
def test_the_packages_numbers_are_those_the_adapter_and_the_stand_in_know(
    package: Package, enumeration: str, member: str, number: int
) -> None:
    assert getattr(package.agora_base, enumeration)[member].value == number


def test_every_area_that_can_be_set_is_one_of_the_packages(package: Package) -> None:
    known = {area.name for area in package.agora_base.AreaCode}
    assert set(rtc_service.AREAS.values()) <= known
    assert rtc_service.AREAS.keys() == set(get_args(get_type_hints(AgoraSettings)["area"]))


def test_the_package_itself_falls_back_to_the_scenario_we_use(source: Path) -> None:
    text = (source / "agora/rtc/rtc_connection.py").read_text("utf-8")
    assert "on_aiqos_capability_missing(self, AudioScenarioType.AUDIO_SCENARIO_GAME_STREAMING)" in text


# --- habits ---------------------------------------------------------------------------------------------------------


def test_sound_must_lie_in_a_buffer_that_can_be_written(connection: Any) -> None:
    with pytest.raises(TypeError):
        connection.push_audio_pcm_data(PCM_10_MS, 16000, 1)
    assert connection.push_audio_pcm_data(bytearray(PCM_10_MS), 16000, 1) == 1


@pytest.mark.parametrize(
    ("rate_hz", "answer"),
    [(8000, 1), (16000, 1), (24000, 1), (32000, 1), (48000, 1), (44100, -1002), (22050, -1002)],
)
def test_ten_milliseconds_are_taken_at_these_rates_only(connection: Any, rate_hz: int, answer: int) -> None:
    assert connection.push_audio_pcm_data(bytearray(rate_hz // 100 * 2), rate_hz, 1) == answer


def test_interrupting_clears_the_senders_buffer_and_answers_that_it_failed(
    connection: Any, library: type[FakeLibrary]
) -> None:
    library.calls.clear()
    assert connection.interrupt_audio() == -1000
    assert library.calls == ["agora_local_audio_track_clear_sender_buffer"]


def test_an_audio_observer_registered_twice_raises(package: Package, connection: Any) -> None:
    observer = package.audio_frame_observer.IAudioFrameObserver()
    connection.register_audio_frame_observer(observer, 0, None)
    with pytest.raises(AttributeError, match="unregister_audio_frame_observer"):
        connection.register_audio_frame_observer(observer, 0, None)


def test_initialising_answers_the_code_of_the_last_filter_and_only_inited_tells(
    package: Package, library: type[FakeLibrary]
) -> None:
    library.answers |= {"agora_service_initialize": -2, "agora_service_enable_extension": 0}
    failed = package.agora_service.AgoraService()
    assert (failed.initialize(package.agora_base.AgoraServiceConfig(appid="a")), failed.inited) == (0, False)
    assert failed.media_node_factory is None

    library.answers |= {"agora_service_initialize": 0, "agora_service_enable_extension": -9}
    started = package.agora_service.AgoraService()
    assert (started.initialize(package.agora_base.AgoraServiceConfig(appid="a")), started.inited) == (-9, True)


@pytest.mark.parametrize(
    ("symbol", "why"),
    [
        ("agora_rtc_conn_create", "without conn_handle"),
        ("agora_rtc_conn_get_local_user", "AttributeError"),
        ("agora_service_create_custom_audio_track_pcm", "without _audio_track"),
        ("agora_media_node_factory_create_audio_pcm_data_sender", "AttributeError"),
    ],
)
def test_a_half_built_connection_is_found_and_given_up(
    package: Package, service: Any, library: type[FakeLibrary], symbol: str, why: str
) -> None:
    library.answers |= dict.fromkeys([symbol, "agora_rtc_conn_create_data_stream"])
    library.answers["agora_rtc_conn_create_data_stream"] = 0
    with pytest.raises(SdkFailed, match=why):
        RtcConnection(package, service, 16000, token_for(7), watcher([]), [])


def test_the_adapter_joins_in_the_order_the_package_needs(
    package: Package, service: Any, library: type[FakeLibrary]
) -> None:
    library.calls.clear()
    kept: list[object] = []
    rtc = RtcConnection(package, service, 16000, token_for(7), watcher([]), kept)
    order = [
        "agora_rtc_conn_create",
        "agora_local_user_set_audio_scenario",
        "agora_local_user_set_playback_audio_frame_before_mixing_parameters",
        "agora_local_user_set_user_role",
        "agora_rtc_conn_register_observer",
        "agora_local_user_register_observer",
        "agora_local_user_register_audio_frame_observer",
        "agora_rtc_conn_connect",
    ]
    assert [name for name in library.calls if name in order] == order

    library.calls.clear()
    rtc.leave()
    order = [
        "agora_local_user_unregister_audio_frame_observer",
        "agora_local_user_unregister_observer",
        "agora_rtc_conn_disconnect",
        "agora_rtc_conn_unregister_observer",
        "agora_rtc_conn_destroy",
    ]
    assert [name for name in library.calls if name in order] == order
    assert len([callbacks for callbacks in kept if callbacks is not None]) == 3


@pytest.mark.parametrize("answer", [-7, -1])
def test_a_call_the_sdk_refuses_fails_the_connection_and_releases_it(
    package: Package, service: Any, library: type[FakeLibrary], answer: int
) -> None:
    library.answers["agora_rtc_conn_connect"] = answer
    library.calls.clear()
    with pytest.raises(SdkFailed, match=f"connect: the SDK answers {answer}"):
        RtcConnection(package, service, 16000, token_for(7), watcher([]), [])
    assert library.calls[-1] in ("agora_audio_pcm_data_sender_destroy", "agora_local_audio_track_destroy")
    assert "agora_rtc_conn_destroy" in library.calls


@pytest.mark.parametrize(("rate_hz", "channels"), [(48000, 1), (16000, 2)])
def test_sound_that_is_not_as_it_was_asked_for_ends_the_connection_instead_of_being_played(
    package: Package, rate_hz: int, channels: int
) -> None:
    noted: list[SdkEvent] = []
    frame = types.SimpleNamespace(channels=channels, samples_per_sec=rate_hz, buffer=bytearray(320))
    observer = observers.frame_observer(package, watcher(noted), 16000)
    observer.on_playback_audio_frame_before_mixing(None, "office-1", "7", frame, -1, None)
    assert noted == [Closed(f"the SDK hands out sound of {rate_hz} Hz with {channels} channels", again=False)]


def test_a_second_session_of_the_same_process_shares_the_package(source: Path, package: Package) -> None:
    again = load(Staged(source, source / "agora/__init__.py", (), "", ()))
    assert again.agora_base is package.agora_base


# --- the stand-in ---------------------------------------------------------------------------------------------------


def test_the_stand_in_offers_every_symbol_the_package_looks_up(source: Path) -> None:
    stub = SOURCE.read_text("utf-8")
    made = header(source / "agora", stub)
    assert len(symbols_of(source / "agora")) > 100
    assert symbols_of(source / "agora") - defined_in(stub) == defined_in(made)


def test_the_stand_in_numbers_callbacks_as_the_package_declares_them(source: Path, package: Package) -> None:
    made = header(source / "agora", "").splitlines()
    for prefix, (file, name) in OBSERVERS.items():
        module = sys.modules[f"agora.rtc._ctypes_handle.{file.removesuffix('.py')}"]
        structure = getattr(module, name)
        offsets = {field: getattr(structure, field).offset // 8 for field, _ in structure._fields_[:20]}
        for field, index in offsets.items():
            assert f"#define {prefix}_{field} {index}" in made
