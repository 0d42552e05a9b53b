"""What enrolment leaves on a unit, and how settings are made of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.enrolment import CA_FILE, FILE, EnrolmentStore, StoreError
from gateway.settings import read, read_enrolled, read_state
from protocol.messages import AppType, VoicePath
from protocol.rest import Role
from protocol.worker_settings import encode_settings
from service.settings import SettingsError
from tests.core.gateway_enrolment_rig import PINS, SECRET, enrolment, mode_of

# --- the store -------------------------------------------------------------------------------------------------------


def test_an_enrolment_is_read_as_it_was_written_and_only_its_owner_reads_the_secret(tmp_path: Path) -> None:
    store = EnrolmentStore(tmp_path / "state")

    store.try_out()
    store.write(enrolment())

    assert store.read() == enrolment()
    assert [mode_of(tmp_path / "state" / name) for name in (FILE, CA_FILE)] == [0o600, 0o644]
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == [CA_FILE, FILE]


def test_root_writes_it_for_the_owner_of_the_state_directory(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 54321)
    store = EnrolmentStore(tmp_path)

    store.write(enrolment())

    assert {(path.stat().st_uid, path.stat().st_gid) for path in tmp_path.iterdir()} == {(12345, 54321)}


def test_a_unit_that_was_never_enrolled_has_none(tmp_path: Path) -> None:
    assert EnrolmentStore(tmp_path / "none").read() is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / FILE).write_bytes(b'{"region": "se'), "is damaged"),
        (lambda folder: (folder / FILE).write_bytes(b"\xff\xfe"), "is damaged"),
        (lambda folder: (folder / FILE).chmod(0o644), "chmod 600"),
        (lambda folder: (folder / CA_FILE).unlink(), "ca.pem"),
        (lambda folder: ((folder / FILE).unlink(), (folder / FILE).mkdir()), "cannot be read|regular"),
    ],
    ids=["torn", "not text", "open to others", "no authority", "a folder"],
)
def test_a_damaged_enrolment_says_how_to_mend_it_and_never_the_secret(tmp_path: Path, spoil: Any, said: str) -> None:
    store = EnrolmentStore(tmp_path)
    store.write(enrolment())
    spoil(tmp_path)

    with pytest.raises(SettingsError, match=said) as caught:
        store.read()

    assert "->" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_secret_of_the_wrong_form_is_not_shown(tmp_path: Path) -> None:
    store = EnrolmentStore(tmp_path)
    store.write(enrolment())
    (tmp_path / FILE).write_bytes(msgspec.json.encode(msgspec.to_builtins(enrolment()) | {"secret": "tiny-secret"}))

    with pytest.raises(SettingsError) as caught:
        store.read()

    assert "tiny-secret" not in str(caught.value)


def test_a_monitors_identity_is_no_units(tmp_path: Path) -> None:
    store = EnrolmentStore(tmp_path)
    store.write(enrolment(role=Role.MONITOR))

    with pytest.raises(SettingsError, match="monitor"):
        store.read()


def test_a_place_that_cannot_be_written_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="->"):
        EnrolmentStore(tmp_path / "file").try_out()


# --- settings --------------------------------------------------------------------------------------------------------


def enrolled(folder: Path, toml: str = PINS, **fields: Any) -> Path:
    EnrolmentStore(folder).write(enrolment(**fields))
    config = folder / "gateway.toml"
    config.write_text(f'{toml}\n[state]\ndir = "{folder}"\n', "utf-8")
    return config


def test_an_enrolled_unit_needs_no_more_than_its_pins(tmp_path: Path) -> None:
    settings, found = read_enrolled(enrolled(tmp_path))

    worker = settings.worker(enrolled=True, agora=settings.over_agora(found))

    assert (settings.vehicle.user, settings.vehicle.name, str(settings.vehicle.office_id)) == (
        "car-17",
        "17호차",
        "seoul/hq",
    )
    assert (settings.broker.address, settings.broker.tls, settings.broker.tls_ca) == (
        "ptt.example:8883",
        True,
        str(tmp_path / CA_FILE),
    )
    assert settings.broker.username == settings.vehicle.client_id == "seoul.hq.car-17"
    assert worker.mqtt.username == worker.mqtt.client_id == "seoul.hq.car-17.voice"
    assert (worker.mqtt.password, worker.agora) == (SECRET, settings.agora)
    assert SECRET not in repr(settings) + repr(worker) + repr(found)


@pytest.mark.parametrize(
    ("role", "app_type"),
    [(Role.CALL_MANAGER, AppType.CALL_MANAGER), (Role.PICKUP_DRIVER, AppType.PICKUP_DRIVER)],
)
def test_what_kind_of_member_it_is_comes_from_its_role(tmp_path: Path, role: Role, app_type: AppType) -> None:
    assert read(enrolled(tmp_path, role=role)).vehicle.app_type is app_type


@pytest.mark.parametrize(
    ("transport", "voice", "agora"),
    [
        ("auto", VoicePath.AGORA, True),
        ("auto", VoicePath.MQTT, False),
        ("mqtt", VoicePath.AGORA, False),
        ("agora", VoicePath.MQTT, True),
    ],
)
def test_voice_goes_over_what_the_office_says_unless_the_unit_is_told_otherwise(
    tmp_path: Path, transport: str, voice: VoicePath, agora: bool
) -> None:
    settings, found = read_enrolled(enrolled(tmp_path, f'{PINS}[voice]\ntransport = "{transport}"', voice=voice))

    assert settings.over_agora(found) is agora


def test_what_is_said_twice_is_refused_key_by_key(tmp_path: Path) -> None:
    config = enrolled(
        tmp_path,
        '[vehicle]\nuser = "car-1"\nname = "1"\nregion = "seoul"\noffice = "hq"\n'
        f'[broker]\nhost = "h"\nkeepalive_s = 7\n{PINS}',
    )

    with pytest.raises(SettingsError) as caught:
        read(config)

    assert [problem.key for problem in caught.value.problems] == [
        "vehicle.user",
        "vehicle.name",
        "vehicle.region",
        "vehicle.office",
        "broker.host",
    ]
    assert "take it out" in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (PINS, "ptt-gateway enrol"),
        (f'[vehicle]\nuser = "car-1"\n{PINS}', "office: is missing"),
        (
            '[vehicle]\nuser = "c"\nname = "1"\nregion = "r"\noffice = "o"\n[voice]\ntransport = "agora"\n' + PINS,
            "not enrolled",
        ),
    ],
    ids=["nothing", "half", "agora"],
)
def test_without_an_enrolment_the_configuration_must_say_it_all(tmp_path: Path, toml: str, said: str) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(f'{toml}\n[state]\ndir = "{tmp_path}"\n')

    with pytest.raises(SettingsError, match=said):
        read(config)


def test_a_worker_of_a_unit_that_must_be_enrolled_is_told_no_broker_and_no_secret(tmp_path: Path) -> None:
    settings, _ = read_enrolled(enrolled(tmp_path))

    worker = settings.worker(enrolled=True, agora=True, outside=True)

    assert (worker.mqtt.host, worker.mqtt.username, worker.mqtt.password) == ("127.0.0.1", None, None)
    assert worker.agora is None
    assert SECRET.encode() not in encode_settings(worker)


def test_the_state_table_is_found_in_a_configuration_that_is_otherwise_wrong(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('[pins]\nfactory = "no such"\n[state]\ndir = "/x"\nhardware_id_file = "/y"\n')

    state = read_state(config)

    assert (state.dir, state.hardware_id_file) == (Path("/x"), Path("/y"))
    assert read_state(tmp_path / "none.toml").dir is None
