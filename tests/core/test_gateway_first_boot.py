"""The first boot's file, and the words of what went wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.enrol import EnrolFailed, Why, base_url
from gateway.enrol_texts import WHY
from gateway.first_boot import TRY_EVERY_S, TRY_FOR_S, FileWrong, enrol_from_file, read_file
from protocol.rest import Enrolment
from tests.core.gateway_enrolment_rig import SECRET, enrolment

# --- the first boot's file -------------------------------------------------------------------------------------------

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


# --- words -----------------------------------------------------------------------------------------------------------


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
