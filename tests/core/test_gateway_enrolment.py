"""What enrolment leaves on a unit, how it is read again, what the unit is told apart by, and the first boot's file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.enrol import EnrolFailed, Why, base_url
from gateway.enrol_texts import WHY
from gateway.enrolment import CA_FILE, FILE, EnrolmentStore, StoreError
from gateway.first_boot import TRY_EVERY_S, TRY_FOR_S, FileWrong, enrol_from_file, read_file
from gateway.hardware_id import hardware_id
from gateway.settings import read, read_enrolled, read_state
from protocol.messages import AppType, Hardware, VoicePath
from protocol.rest import BrokerAccess, Enrolment, Role
from protocol.worker_settings import encode_settings
from service.settings import SettingsError

SECRET = "s3cret-0123456789abcdef"
PINS = '[pins]\nfactory = "lgpio"\n'


def enrolment(**fields: Any) -> Enrolment:
    made: dict[str, Any] = {
        "region": "seoul",
        "office": "hq",
        "user": "car-17",
        "role": Role.VEHICLE_GATEWAY,
        "name": "17호차",
        "generation": 3,
        "hardware": "a" * 32,
        "secret": SECRET,
        "broker": BrokerAccess(host="ptt.example", port=8883),
        "rest_url": "https://ptt.example:8443",
        "voice": VoicePath.AGORA,
        "ca_pem": "-----BEGIN CERTIFICATE-----\n",
    }
    return Enrolment(**{**made, **fields})


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- the store --------------------------------------------------------------------------------------------------------


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


# --- settings ---------------------------------------------------------------------------------------------------------


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


# --- what the unit is told apart by -----------------------------------------------------------------------------------


def machine(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dash_", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


SERIAL = {"proc__device-tree__serial-number": "10000000abcdef01\0"}
MAC = {"sys__class__net__eth0__address": "dc:a6:32:01:02:03\n", "sys__class__net__eth0__type": "1\n"}
MACHINE_ID = {"etc__machine-id": "0123456789abcdef0123456789abcdef\n"}


def with_card(root: Path) -> Path:
    (root / "sys/class/net/eth0/device").mkdir(parents=True, exist_ok=True)
    return root


def test_the_hardware_id_is_a_digest_that_shows_nothing_of_the_serial_number(tmp_path: Path) -> None:
    found = hardware_id(root=machine(tmp_path, **SERIAL))

    assert msgspec.convert(found, Hardware) == found
    assert len(found) == 32
    assert "abcdef01" not in found


def test_a_card_in_another_board_has_another_id_though_everything_on_it_is_the_same(tmp_path: Path) -> None:
    one = hardware_id(root=machine(tmp_path / "1", **SERIAL, **MACHINE_ID))
    other = hardware_id(root=machine(tmp_path / "2", **{**SERIAL, **MACHINE_ID, **dict.fromkeys(SERIAL, "f1")}))

    assert one != other


def test_a_serial_number_of_zeros_counts_for_nothing_and_the_wired_card_is_next(tmp_path: Path) -> None:
    zeros = machine(tmp_path / "1", **dict.fromkeys(SERIAL, "0000000000000000"), **MAC, **MACHINE_ID)
    none = machine(tmp_path / "2", **MAC, **MACHINE_ID)

    assert hardware_id(root=with_card(zeros)) == hardware_id(root=with_card(none))
    assert hardware_id(root=with_card(none)) != hardware_id(root=machine(tmp_path / "3", **MACHINE_ID))


def test_what_only_root_may_read_does_not_count_so_that_root_and_the_service_agree(tmp_path: Path) -> None:
    root = machine(tmp_path, sys__class__dmi__id__product_uuid="4c4c4544-0042", **MACHINE_ID)
    open_to_all = hardware_id(root=root)
    (root / "sys/class/dmi/id/product_uuid").chmod(0o400)

    found = hardware_id(root=root)

    assert found != open_to_all
    assert found == hardware_id(root=machine(tmp_path / "2", **MACHINE_ID))


def test_a_file_stands_for_the_machine_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("virtual 17\n")
    (tmp_path / "empty").write_text("\n")

    assert hardware_id(tmp_path / "id") != hardware_id(root=machine(tmp_path, **SERIAL))
    for wrong in ("empty", "missing"):
        with pytest.raises(SettingsError, match="->"):
            hardware_id(tmp_path / wrong)


def test_a_machine_with_nothing_to_be_told_by_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="hardware_id_file"):
        hardware_id(root=tmp_path)


# --- the first boot's file --------------------------------------------------------------------------------------------

URL, CODE = "https://ptt.example:8443", "ABCDE-FGHJK-MNPQR-STVWX-YZ012-34567-89ABC-DEFGH"


@pytest.mark.parametrize(
    "data",
    [
        f"{URL}\n{CODE}\n".encode(),
        f"\ufeff# from the office\r\n\r\n  {URL}  \r\n# code\r\n{CODE}\r\n".encode(),
        f"{URL}\r{CODE}".encode(),
        f"{URL}\r\n{CODE}\r\n".encode("utf-16"),
    ],
    ids=["plain", "windows", "old mac", "utf-16"],
)
def test_the_file_is_read_as_any_editor_writes_it(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "ptt-enrol.txt").write_bytes(data)

    assert read_file(tmp_path / "ptt-enrol.txt") == (URL, CODE)


class Desk:
    """Enrols, or fails as told, and remembers what it was asked."""

    def __init__(self, *failures: Why) -> None:
        self.failures = list(failures)
        self.asked: list[tuple[str, str]] = []
        self.slept_s = 0.0

    def enrol(self, url: str, code: str) -> Enrolment:
        self.asked.append((url, code))
        if self.failures:
            raise EnrolFailed(self.failures.pop(0), "technical detail")
        return enrolment()

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds


def boot_file(folder: Path) -> Path:
    path = folder / "ptt-enrol.txt"
    path.write_text(f"{URL}\n{CODE}\n")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_success_replaces_the_file_by_word_of_it_without_the_code(tmp_path: Path) -> None:
    path, desk = boot_file(tmp_path), Desk()
    (tmp_path / "ptt-enrol.error.txt").write_text("of last time")

    enrol_from_file(path, desk.enrol, patient=True, sleep=desk.sleep)

    word = (tmp_path / "ptt-enrol.done.txt").read_text("utf-8-sig")
    assert names(tmp_path) == ["ptt-enrol.done.txt"]
    assert "car-17" in word and "17호차" in word
    assert CODE not in word and SECRET not in word


def test_failure_leaves_the_reason_beside_the_file_for_the_next_start(tmp_path: Path) -> None:
    path, desk = boot_file(tmp_path), Desk(Why.WRONG_NAME)

    with pytest.raises(EnrolFailed):
        enrol_from_file(path, desk.enrol, patient=True, sleep=desk.sleep)

    word = (tmp_path / "ptt-enrol.error.txt").read_text("utf-8-sig")
    assert names(tmp_path) == ["ptt-enrol.error.txt", "ptt-enrol.txt"]
    assert WHY[Why.WRONG_NAME].ko in word and WHY[Why.WRONG_NAME].en in word and "technical detail" in word
    assert CODE not in word


def test_a_dead_code_is_not_tried_again(tmp_path: Path) -> None:
    path, desk = boot_file(tmp_path), Desk(Why.USED_CODE)
    (tmp_path / "ptt-enrol.done.txt").write_text("of an earlier success, which would be believed")

    with pytest.raises(EnrolFailed):
        enrol_from_file(path, desk.enrol, patient=True, sleep=desk.sleep)

    assert names(tmp_path) == ["ptt-enrol.error.txt"]
    assert len(desk.asked) == 1


def test_a_new_unit_waits_for_network_clock_and_office(tmp_path: Path) -> None:
    path, desk = boot_file(tmp_path), Desk(Why.OFFLINE, Why.CLOCK, Why.LATER)

    enrol_from_file(path, desk.enrol, patient=True, sleep=desk.sleep)

    assert (len(desk.asked), desk.slept_s) == (4, 3 * TRY_EVERY_S)


def test_it_does_not_wait_for_ever_and_an_enrolled_unit_not_at_all(tmp_path: Path) -> None:
    waited = []
    for patient in (True, False):
        desk = Desk(*[Why.OFFLINE] * 1000)
        with pytest.raises(EnrolFailed):
            enrol_from_file(boot_file(tmp_path), desk.enrol, patient=patient, sleep=desk.sleep)
        waited.append(desk.slept_s)

    assert waited == [TRY_FOR_S, 0.0]


def test_root_follows_no_link_that_lies_where_it_leaves_word(tmp_path: Path) -> None:
    precious, boot = tmp_path / "shadow", tmp_path / "boot"
    precious.write_text("root:*")
    boot.mkdir()
    for name in ("ptt-enrol.done.txt", "ptt-enrol.error.txt"):
        (boot / name).symlink_to(precious)

    with pytest.raises(EnrolFailed):
        enrol_from_file(boot_file(boot), Desk(Why.USED_CODE).enrol, patient=False)
    enrol_from_file(boot_file(boot), Desk().enrol, patient=False)

    assert precious.read_text() == "root:*"


def test_a_pipe_in_the_place_of_the_file_keeps_no_start_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ptt-enrol.txt")

    with pytest.raises(FileWrong):
        enrol_from_file(tmp_path / "ptt-enrol.txt", Desk().enrol, patient=True)


def test_a_file_with_other_than_two_lines_is_told_what_it_should_hold(tmp_path: Path) -> None:
    path = tmp_path / "ptt-enrol.txt"
    path.write_text(CODE)

    with pytest.raises(FileWrong):
        enrol_from_file(path, Desk().enrol, patient=False)

    word = (tmp_path / "ptt-enrol.error.txt").read_text("utf-8-sig")
    assert "두 줄" in word and "two lines" in word and CODE not in word


# --- words ------------------------------------------------------------------------------------------------------------


def test_every_reason_has_its_sentence_in_both_languages() -> None:
    assert set(WHY) == set(Why)
    assert [why for why, said in WHY.items() if not said.ko or not said.en or said.ko == said.en] == []


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("ptt.example", "https://ptt.example"),
        (" https://PTT.example:8443/ ", "https://ptt.example:8443"),
        ("[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_an_address_is_understood_as_people_type_it(typed: str, url: str) -> None:
    assert base_url(typed) == url


@pytest.mark.parametrize("typed", ["http://ptt.example", "https://", "https://a:b@c", "https://x/path", "h:99999", ""])
def test_what_is_no_address_of_an_office_is_refused(typed: str) -> None:
    with pytest.raises(EnrolFailed) as caught:
        base_url(typed)

    assert caught.value.why is Why.BAD_URL
