"""Enrolment end to end: the real command against a real TLS server, and the real daemon on what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway.enrolment import CA_FILE, FILE, EnrolmentStore
from gateway.hardware_id import hardware_id
from gateway.status_client import ask
from lab.broker import Broker, free_port
from protocol.enrol_code import new_code
from protocol.messages import VoicePath
from tests.support.office_rest import SECRET, Answer, Authority, OfficeRest, problem
from tests.support.procs import ROOT, Daemon, Daemons, eventually, session_members

LOGIN = "seoul.hq.car-17"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Path:
    return authority.issue()


@pytest.fixture
def office(stack: ExitStack, authority: Authority, certificate: Path) -> OfficeRest:
    made = OfficeRest(authority, certificate)
    stack.callback(made.close)
    return made


class Unit:
    """A vehicle's machine: its folder, its configuration, its command."""

    def __init__(self, folder: Path, toml: str = "") -> None:
        self.folder = folder
        self.state = folder / "state"
        self.config = folder / "gateway.toml"
        self.id_file = folder / "hardware-id"
        self.id_file.write_text("unit 1\n")
        self.config.write_text(
            f'{toml}[pins]\nfactory = "virtual"\npins_socket = "{folder}/pins.sock"\n[audio]\nbackend = "wav"\n'
            f'[state]\ndir = "{self.state}"\nhardware_id_file = "{self.id_file}"\n[log]\nlevel = "debug"\n'
        )

    @property
    def hardware(self) -> str:
        return hardware_id(self.id_file)

    def enrol(self, *arguments: str, stdin: str = "", lang: str = "en") -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "gateway", "enrol", "--config", str(self.config), "--lang", lang, *arguments]
        return subprocess.run(argv, cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    return Unit(tmp_path)


# --- the command ------------------------------------------------------------------------------------------------------


def test_a_code_makes_the_unit_what_the_office_says(office: OfficeRest, unit: Unit) -> None:
    done = unit.enrol(office.url, office.code.text())

    kept = EnrolmentStore(unit.state).read()
    (asked,) = office.asked_for("/v1/enrol")
    assert (done.returncode, done.stderr) == (0, "")
    assert "car-17 (17호차) of seoul/hq. Voice over agora, enrolment no. 3" in done.stdout
    assert kept is not None
    assert (kept.user, kept.secret, kept.hardware) == ("car-17", SECRET, unit.hardware)
    assert (asked["code"], asked["hardware"]) == (office.code.secret, unit.hardware)
    assert SECRET not in done.stdout + done.stderr


def test_the_code_may_come_over_stdin_where_no_process_list_shows_it(office: OfficeRest, unit: Unit) -> None:
    done = unit.enrol(office.url, stdin=office.code.text().lower() + "\n")

    assert (done.returncode, len(office.asked_for("/v1/enrol"))) == (0, 1)


def test_a_second_run_says_what_the_unit_was_before(office: OfficeRest, unit: Unit) -> None:
    unit.enrol(office.url, office.code.text())
    office.answers["/v1/enrol"] = lambda body: (201, office.enrolment(user="car-18", hardware=body["hardware"]), {})

    done = unit.enrol(office.url, office.code.text())

    assert "is now car-18" in done.stdout and "It was car-17 of seoul/hq before" in done.stdout
    kept = EnrolmentStore(unit.state).read()
    assert kept is not None and kept.user == "car-18"


def test_a_code_of_another_office_is_not_sent(office: OfficeRest, unit: Unit, tmp_path: Path) -> None:
    foreign = new_code(bytes(10), Authority(tmp_path, "another CA").der)

    done = unit.enrol(office.url, foreign.text())

    assert (done.returncode, office.asked_for("/v1/enrol")) == (1, [])
    assert "not the office that made the code" in done.stderr
    assert not (unit.state / FILE).exists()


def test_a_server_with_the_offices_authority_and_a_certificate_of_another_gets_no_code(
    stack: ExitStack, authority: Authority, unit: Unit, tmp_path: Path
) -> None:
    impostor = OfficeRest(authority, Authority(tmp_path, "impostor").issue())
    stack.callback(impostor.close)

    done = unit.enrol(impostor.url, impostor.code.text())

    assert (done.returncode, impostor.asked_for("/v1/enrol")) == (1, [])


@pytest.mark.parametrize(
    ("issue", "said"),
    [
        ({"begins_days": 100, "ends_days": 200}, "A Pi has no clock"),
        ({"begins_days": -200, "ends_days": -100}, "A Pi has no clock"),
        ({"host": "other.example"}, "another host name"),
    ],
    ids=["not yet valid", "expired", "wrong host"],
)
def test_a_certificate_that_does_not_hold_here_says_why_and_costs_no_code(
    stack: ExitStack, authority: Authority, unit: Unit, issue: dict[str, Any], said: str
) -> None:
    office = OfficeRest(authority, authority.issue(**issue))
    stack.callback(office.close)

    done = unit.enrol(office.url, office.code.text())

    assert (done.returncode, office.asked_for("/v1/enrol")) == (1, [])
    assert said in done.stderr and "still good" in done.stderr


@pytest.mark.parametrize(
    ("answer", "status", "en", "ko"),
    [
        (problem(404, "unknown_code"), 3, "knows no such code", "모르는 코드"),
        (problem(410, "used_code"), 3, "used already", "이미 사용된"),
        (problem(410, "expired_code"), 3, "expired", "유효 기간"),
        (problem(410, "withdrawn_code"), 3, "newer code", "더 새로운 코드"),
        (problem(410, "revoked"), 3, "shut this user out", "정지"),
        (problem(429, "too_many", Retry_After="60"), 1, "Too many wrong codes", "너무 많이"),
        (problem(503, "broker"), 1, "right now", "지금은"),
        ((200, b"<html>hello</html>", {}), 1, "no PTT office", "응답하지 않습니다"),
        ((502, b"bad gateway", {}), 1, "no PTT office", "응답하지 않습니다"),
        ((302, b"", {"Location": "https://localhost:1/v1/enrol"}), 1, "no PTT office", "응답하지 않습니다"),
        ((201, b"x" * 300_000, {}), 1, "no PTT office", "응답하지 않습니다"),
    ],
    ids=["unknown", "used", "expired", "withdrawn", "revoked", "many", "later", "html", "502", "redirect", "huge"],
)
def test_every_refusal_is_a_sentence_and_leaves_the_unit_as_it_was(
    office: OfficeRest, unit: Unit, answer: Answer, status: int, en: str, ko: str
) -> None:
    office.answers["/v1/enrol"] = lambda _: answer

    english = unit.enrol(office.url, office.code.text())
    korean = unit.enrol(office.url, office.code.text(), lang="ko")

    assert (english.returncode, korean.returncode) == (status, status)
    assert en in english.stderr and ko in korean.stderr
    assert "Traceback" not in english.stderr
    assert office.code.text() not in english.stderr and office.code.secret not in english.stderr
    assert not (unit.state / FILE).exists()


def test_a_server_that_is_no_office_cannot_command_the_terminal_of_whoever_enrols(
    office: OfficeRest, unit: Unit
) -> None:
    said = {"type": "x", "title": "\x1b]0;gone\x07", "status": 403, "detail": "\u202eeno", "mend": "a\r\nb"}
    office.answers["/v1/ca"] = lambda _: (403, json.dumps(said).encode(), {})

    done = unit.enrol(office.url, office.code.text())

    told = done.stderr.splitlines()
    assert (done.returncode, told[-1]) == (1, " ]0;gone .  eno -> a  b")


def test_an_office_that_is_not_there_is_told_so(unit: Unit, office: OfficeRest) -> None:
    done = unit.enrol(f"https://127.0.0.1:{free_port()}", office.code.text())

    assert done.returncode == 1
    assert "cannot be reached" in done.stderr


def test_a_mistyped_code_is_found_before_anything_is_asked(unit: Unit, office: OfficeRest) -> None:
    code = office.code.text()
    mistyped = code[:-1] + ("0" if code[-1] != "0" else "1")

    done = unit.enrol(office.url, mistyped)

    assert (done.returncode, office.asked) == (2, [])
    assert "checksum" in done.stderr


def test_a_full_disk_is_found_before_the_code_is_used_up(unit: Unit, office: OfficeRest) -> None:
    unit.state.mkdir()
    (unit.state / "enrolment.try").mkdir()  # a place that cannot be written, for root too

    done = unit.enrol(office.url, office.code.text())

    assert (done.returncode, office.asked) == (1, [])
    assert "cannot be kept" in done.stderr


def test_a_configuration_that_would_contradict_it_is_told_before_the_code_is_used_up(
    tmp_path: Path, office: OfficeRest
) -> None:
    unit = Unit(tmp_path, '[vehicle]\nuser = "car-1"\nname = "1"\nregion = "seoul"\noffice = "hq"\n')

    done = unit.enrol(office.url, office.code.text())

    assert (done.returncode, office.asked) == (2, [])
    assert "vehicle.user" in done.stderr and "still good" in done.stderr


def test_the_first_boots_file_enrols_and_leaves_word(unit: Unit, office: OfficeRest, tmp_path: Path) -> None:
    boot = tmp_path / "boot"
    boot.mkdir()
    (boot / "ptt-enrol.txt").write_bytes(f"\ufeff{office.url}\r\n{office.code.text().lower()}\r\n".encode())

    done = unit.enrol("--file", str(boot / "ptt-enrol.txt"))

    assert done.returncode == 0
    assert [path.name for path in boot.iterdir()] == ["ptt-enrol.done.txt"]
    assert "car-17" in (boot / "ptt-enrol.done.txt").read_text("utf-8-sig")


# --- the daemon on an enrolment ---------------------------------------------------------------------------------------


class Net:
    """A broker with TLS and logins, a REST service, and one enrolled unit."""

    def __init__(self, stack: ExitStack, unit: Unit, authority: Authority, certificate: Path) -> None:
        self.unit = unit
        passwords = unit.folder / "passwords"
        passwords.touch()
        for name in (LOGIN, f"{LOGIN}.voice"):
            subprocess.run(["mosquitto_passwd", "-b", str(passwords), name, SECRET], check=True, capture_output=True)
        ca = unit.folder / "broker-ca.pem"
        ca.write_text(authority.pem)
        for path in (passwords, certificate, ca):
            path.chmod(0o644)
        self.broker = stack.enter_context(
            Broker(
                folder=unit.folder / "broker",
                lines=[
                    "allow_anonymous false",
                    f"password_file {passwords}",
                    f"cafile {ca}",
                    f"certfile {certificate}",
                    f"keyfile {certificate}",
                    "log_type all",
                ],
            )
        )
        self.office = OfficeRest(authority, certificate, broker_port=self.broker.port)
        stack.callback(self.office.close)
        self._daemons = stack.enter_context(Daemons(unit.folder))
        enrolled = unit.enrol(self.office.url, stdin=self.office.code.text())
        assert enrolled.returncode == 0, enrolled.stderr

    def start(self) -> Daemon:
        return self._daemons.python("gateway", "-m", "gateway", "run", "--config", self.unit.config)

    def status(self) -> dict[str, Any]:
        return ask([self.unit.state / "status.sock"], 5).status

    def says(self, text: str, daemon: Daemon, timeout_s: float = 20.0) -> None:
        def found() -> bool:
            try:
                return text in str(self.status()["says"])
            except Exception:  # noqa: BLE001 - it does not answer yet
                return False

        eventually(found, timeout_s, lambda: f"{text!r}; its log:\n{daemon.log}")


@pytest.fixture
def net(stack: ExitStack, unit: Unit, authority: Authority, certificate: Path) -> Net:
    return Net(stack, unit, authority, certificate)


def test_an_enrolled_unit_logs_in_on_both_connections_greets_and_fetches_its_token(net: Net) -> None:
    daemon = net.start()

    net.says("link up; voice ok;", daemon)
    eventually(lambda: net.office.asked_for("/v1/token"), 15, lambda: daemon.log)
    eventually(lambda: net.office.asked_for("/v1/hello"), 15, lambda: daemon.log)

    (hello,) = net.office.asked_for("/v1/hello")
    assert (hello["generation"], hello["hardware"]) == (3, net.unit.hardware)
    assert f"as {LOGIN} " in net.broker.log and f"as {LOGIN}.voice " in net.broker.log
    assert "link up connection_id=" in daemon.log


def test_what_was_issued_is_in_no_log_no_command_line_no_environment_and_no_open_file(net: Net) -> None:
    daemon = net.start()
    net.says("link up; voice ok;", daemon)
    eventually(lambda: net.office.asked_for("/v1/token"), 15, lambda: daemon.log)
    eventually(lambda: "gateway: token" in daemon.log, 10, lambda: daemon.log)

    shown = [daemon.log, json.dumps(net.status())]
    for pid in session_members(daemon.pid):
        for name in ("cmdline", "environ"):
            shown.append(Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace"))
    daemon.stop()
    shown.append(daemon.log)
    files = [path for path in net.unit.folder.rglob("*") if path.is_file() and path != net.unit.state / FILE]
    shown += [path.read_bytes().decode(errors="replace") for path in files]

    assert [secret for secret in (SECRET, "007token") if any(secret in text for text in shown)] == []
    assert oct((net.unit.state / FILE).stat().st_mode & 0o777) == "0o600"
    assert (net.unit.state / CA_FILE).exists()


def test_a_cloned_card_never_reaches_the_broker_and_the_office_hears_of_it(net: Net) -> None:
    net.unit.id_file.write_text("unit 2\n")  # the same card in another machine
    net.office.answers["/v1/hello"] = lambda _: problem(409, "clone")

    daemon = net.start()

    net.says("NOT ENROLLED (the card was enrolled in another unit)", daemon)
    daemon.says("gateway: ready")
    eventually(lambda: net.office.asked_for("/v1/hello"), 10, lambda: daemon.log)
    assert net.office.asked_for("/v1/hello")[0]["hardware"] == net.unit.hardware
    assert f"as {LOGIN}" not in net.broker.log


def test_a_unit_that_was_replaced_leaves_the_broker_and_stays_away(net: Net) -> None:
    replaced: list[bool] = []
    answer: Callable[[Any], Answer] = lambda _: problem(409, "replaced") if replaced else problem(503, "store")  # noqa: E731
    net.office.answers["/v1/hello"] = answer
    daemon = net.start()
    net.says("link up; voice ok;", daemon)

    replaced.append(True)
    net.says("NOT ENROLLED", daemon)
    eventually(lambda: daemon.log.count("voice worker up") == 2, 10, lambda: daemon.log)
    connected = net.broker.log.count(f"as {LOGIN}")

    eventually(lambda: not net.status()["device"]["voice"]["link"], 10, lambda: daemon.log)
    eventually(lambda: "voice: no connection" in str(net.status()["says"]), 10, lambda: str(net.status()["says"]))
    assert net.broker.log.count(f"as {LOGIN}") == connected


def test_a_unit_whose_login_is_gone_says_that_the_broker_refuses_it(net: Net) -> None:
    for name in (LOGIN, f"{LOGIN}.voice"):
        subprocess.run(["mosquitto_passwd", "-D", str(net.unit.folder / "passwords"), name], check=True)
    (net.unit.folder / "passwords").chmod(0o644)
    net.broker.stop()
    net.broker.start()
    net.office.answers["/v1/hello"] = lambda _: problem(401, "unauthorised")

    daemon = net.start()

    daemon.says("Not authorized")
    net.says("NO LINK", daemon)


def test_what_the_office_changed_holds_from_the_next_start(net: Net) -> None:
    net.office.answers["/v1/hello"] = lambda _: (200, net.office.welcome(name="새 이름", voice="mqtt"), {})
    daemon = net.start()

    def kept() -> bool:
        found = EnrolmentStore(net.unit.state).read()
        return found is not None and (found.name, found.voice) == ("새 이름", VoicePath.MQTT)

    eventually(kept, 20, lambda: daemon.log)
    daemon.stop()
    again = net.start()
    net.says("link up", again)

    assert (net.status()["name"], net.status()["voice_over"]) == ("새 이름", "mqtt")
    assert os.stat(net.unit.state / FILE).st_mode & 0o777 == 0o600
