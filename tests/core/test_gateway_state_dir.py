"""The gateway on its disk: the counter of starts, damage and loss, a directory in use; its settings."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inspection import problems
from gateway.settings import GatewaySettings, read, read_file
from gateway.state_dir import COUNTER, GENERATION, SECOND, StateDir, StateError
from protocol.worker_settings import CueVolumes, encode_settings
from service.settings import SettingsError, parse

CLOCK_S = 1_800_000_000.0


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    made = StateDir(tmp_path / "state")
    yield made
    made.close()


# --- state directory --------------------------------------------------------------------------------------------------


def test_the_first_start_counts_from_the_clock_and_each_later_one_higher(state: StateDir) -> None:
    numbers = [state.boot(CLOCK_S - 1000 * n).number for n in range(4)]

    assert numbers == [int(CLOCK_S) + n for n in range(4)]


@pytest.mark.parametrize("name", [COUNTER, SECOND])
@pytest.mark.parametrize("damage", [b"", b"\0" * 16, b"-5", b"1e9", b"9" * 40, None])
def test_one_lost_or_torn_file_is_made_good_by_the_other(state: StateDir, name: str, damage: bytes | None) -> None:
    before = state.boot(CLOCK_S)
    path = state.path / name
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)

    after = state.boot(0.0)

    assert (after.number, after.problem) == (before.number + 1, "")
    assert path.read_text().strip() == str(after.number)


def test_with_both_files_damaged_it_still_rises_and_says_so(state: StateDir) -> None:
    before = [state.boot(CLOCK_S).number for _ in range(5)][-1]
    for name in (COUNTER, SECOND):
        (state.path / name).write_bytes(b"\xff\xff")

    after = state.boot(CLOCK_S + 60)

    assert after.number > before
    assert "unreadable" in after.problem and "check the disk" in after.problem


def test_a_directory_that_cannot_be_written_still_rises_and_says_so(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state.boot(CLOCK_S).number

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    numbers = [state.boot(CLOCK_S + 60 * n) for n in (1, 2, 3)]

    assert before < numbers[0].number < numbers[1].number < numbers[2].number
    assert "No space left" in numbers[0].problem


@given(st.lists(st.sampled_from(["start", "lose boot", "lose bak", "tear boot", "tear bak"]), max_size=12))
def test_whatever_single_file_is_lost_between_starts_the_counter_never_goes_back(steps: list[str]) -> None:

    with tempfile.TemporaryDirectory() as folder:
        state = StateDir(Path(folder))
        last = state.boot(CLOCK_S).number
        damaged = False
        for step in steps:
            name = COUNTER if step.endswith("boot") else SECOND
            if step == "start":
                now = state.boot(0.0).number
                assert now == last + 1
                last, damaged = now, False
            elif not damaged:
                damaged = True
                (state.path / name).write_bytes(b"" if step.startswith("tear") else b"x")
        state.close()


def test_the_generation_is_the_enrolments_and_0_without_one(state: StateDir) -> None:
    before = state.boot(CLOCK_S).generation
    (state.path / GENERATION).write_text("4\n")

    assert (before, state.boot(CLOCK_S).generation) == (0, 4)


def test_a_directory_in_use_is_refused(state: StateDir) -> None:
    with pytest.raises(StateError, match="another ptt-gateway runs"):
        StateDir(state.path)


def test_a_directory_that_cannot_be_made_says_how_to_mend_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StateError, match=r"set \[state\] dir"):
        StateDir(tmp_path / "file" / "state")


LEAST = """
[vehicle]
user = "car-1"
name = "1호차"
region = "seoul"
office = "hq"
[pins]
factory = "lgpio"
"""


def settings_of(text: str = LEAST) -> GatewaySettings:
    return parse(text, GatewaySettings, "gateway.toml")


# --- settings ---------------------------------------------------------------------------------------------------------


def test_the_example_configuration_is_good_and_its_comments_name_every_setting() -> None:
    example = Path(__file__).parents[2] / "systemd/gateway.toml.example"
    shown = example.read_text("utf-8")

    settings = read_file(example)

    tables = (settings.vehicle, settings.broker, settings.audio, settings.voice, settings.agora, settings.state)
    for table in (*tables, settings.replay, settings.audio.cue_volumes, settings.audio.cleaning, settings.log):
        fields = set(table.__struct_fields__) - {"codec", "jitter", "wav", "cue_volumes", "cleaning", "password"}
        assert {name for name in fields if f"{name} = " not in shown} == set()


def test_the_examples_identity_is_good_once_it_is_no_comment(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "systemd/gateway.toml.example"
    text = re.sub(r"^#(user|name|region|office) = ", r"\1 = ", example.read_text("utf-8"), flags=re.M)
    (tmp_path / "gateway.toml").write_text(text, "utf-8")

    settings = read(tmp_path / "gateway.toml", {"STATE_DIRECTORY": str(tmp_path)})

    assert (settings.vehicle.user, settings.vehicle.client_id) == ("car-1", "seoul.hq.car-1")


def test_the_commented_defaults_of_the_example_are_the_defaults() -> None:
    example = (Path(__file__).parents[2] / "systemd/gateway.toml.example").read_text("utf-8")
    skipped = (
        "device_info",
        "pins_socket",
        "board_file",
        "username",
        "tls_",
        "dir",
        "status_socket",
        "capture_start",
        "hardware",
        "user",
        "name",
        "region",
        "office",
        "sentence_volume",
        "quiet_",
        *CueVolumes.__struct_fields__,
    )
    lines = [
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line
        for line in example.splitlines()
        if not any(line.startswith(f"#{name}") for name in skipped)
    ]

    full = settings_of("\n".join(lines))

    assert full == settings_of("\n".join(line for line in example.splitlines() if not line.startswith("#")))


def test_the_worker_is_given_the_same_broker_over_a_connection_of_its_own() -> None:
    text = (
        LEAST + '[broker]\nhost = "h"\nport = 8883\ntls = true\nusername = "u"\npassword = "p"\n[log]\nlevel = "debug"'
    )

    settings = settings_of(text)
    worker = settings.worker()

    assert (worker.mqtt.host, worker.mqtt.port, worker.mqtt.tls, worker.mqtt.password) == ("h", 8883, True, "p")
    assert worker.mqtt.client_id == "seoul.hq.car-1.voice" != settings.vehicle.client_id
    assert worker.log_level == "DEBUG"


def test_the_longest_ids_still_fit_the_workers_settings() -> None:
    settings = settings_of(LEAST.replace("car-1", "c" * 32).replace("seoul", "s" * 32).replace("hq", "h" * 32))

    assert len(encode_settings(settings.worker())) < 4096


def test_the_password_comes_from_systemds_credential(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(LEAST + '[broker]\nusername = "car-1"\n', "utf-8")
    (tmp_path / "mqtt-password").write_text("hush\n")
    (tmp_path / "mqtt-password").chmod(0o400)

    settings = read(config, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    without = read(config, {})

    assert settings.broker.password is not None and settings.broker.password.reveal() == "hush"
    assert "hush" not in repr(settings)
    assert without.broker.password is None


def test_a_wrong_board_file_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    board, config = tmp_path / "board.toml", tmp_path / "gateway.toml"
    board.write_text("[pins]\nptt = 2\n")
    config.write_text(LEAST + f'board_file = "{board}"\n', "utf-8")

    with pytest.raises(SettingsError, match="I2C"):
        read(config, {})


@pytest.mark.parametrize(
    ("environ", "state_dir", "socket"),
    [
        ({}, "/var/lib/ptt-gateway", "/var/lib/ptt-gateway/status.sock"),
        (
            {"STATE_DIRECTORY": "/s:/other", "RUNTIME_DIRECTORY": "/r:/other"},
            "/s",
            "/r/status.sock",
        ),
    ],
)
def test_directories_are_systemds_unless_configured(environ: dict[str, str], state_dir: str, socket: str) -> None:
    settings = settings_of()
    fixed = settings_of(LEAST + '[state]\ndir = "/d"\nstatus_socket = "/x.sock"')

    assert (str(settings.state_dir(environ)), str(settings.status_socket(environ))) == (state_dir, socket)
    assert (str(fixed.state_dir(environ)), str(fixed.status_socket(environ))) == ("/d", "/x.sock")


def test_a_persons_command_looks_where_the_unit_keeps_its_socket() -> None:
    assert [str(path) for path in settings_of().status_sockets({})] == [
        "/run/ptt-gateway/status.sock",
        "/var/lib/ptt-gateway/status.sock",
    ]


@pytest.mark.parametrize(("folder", "keys"), [("/run/ptt-gateway", []), ("/no/such", ["pins.pins_socket"])])
def test_pins_may_be_served_where_systemd_makes_the_directory_at_the_start(folder: str, keys: list[str]) -> None:
    settings = settings_of(LEAST.replace('"lgpio"', f'"virtual"\npins_socket = "{folder}/pins.sock"'))

    assert [problem.key for problem in problems(settings, Path("gateway.toml"))] == keys
