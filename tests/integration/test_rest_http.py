"""The REST service as HTTP sees it: every error has one shape, nothing is unbounded, start-up faults say what to do."""

from __future__ import annotations

import base64
import contextlib
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dispatch.registry.secrets import new_secret
from protocol.messages import EventType
from service.settings import Secret
from tests.integration.rest_rig import AGORA, CERTIFICATE, ONE, OTHER_UNIT, TEN, UNIT, Caller, RestOffice, problem
from tests.support.procs import Daemon, eventually

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RestOffice, Daemon]]:
    with ExitStack() as stack:
        made = RestOffice(tmp_path_factory.mktemp("rest"), stack)
        yield made, made.start()


@pytest.fixture(scope="module")
def office(running: tuple[RestOffice, Daemon]) -> RestOffice:
    return running[0]


@pytest.fixture(scope="module")
def caller(office: RestOffice) -> Caller:
    return office.member("caller")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"generation": 1, "hardware": "\xff1234567"}', "not JSON"),
        (b"[" * 16_000, "Expected `object`"),
        (b'{"x": ' + b"[" * 16_000, "not JSON"),
        (b"[]", "Expected `object`"),
        (b"{}", "missing required field `generation`"),
        (b'{"generation": "1", "hardware": "a1a1a1a1"}', "$.generation"),
        (b'{"generation": -1, "hardware": "a1a1a1a1"}', "$.generation"),
        (b'{"generation": 1, "hardware": "A1A1A1A1"}', "$.hardware"),
        (b'{"generation": 1, "hardware": "short"}', "$.hardware"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_by_field(caller: Caller, body: bytes, said: str) -> None:
    answer = caller.call("POST", "/v1/hello", data=body, headers=JSON)

    assert problem(answer) == (400, "bad_request")
    assert said in answer.json()["detail"]


def test_an_error_names_the_field_and_never_repeats_what_was_in_it(office: RestOffice) -> None:
    answer = office.caller().post("/v1/enrol", {"code": "not-a-code-but-secret", "hardware": UNIT})

    assert problem(answer) == (400, "bad_request")
    assert "$.code" in answer.text
    assert "not-a-code" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/", (404, "not_found")),
        ("GET", "/v1", (404, "not_found")),
        ("POST", "/v1/token/x", (404, "not_found")),
        ("GET", "/schema", (404, "not_found")),
        ("GET", "/v1/../etc/passwd", (404, "not_found")),
        ("GET", "/v1/token", (405, "method_not_allowed")),
        ("DELETE", "/v1/enrol", (405, "method_not_allowed")),
        ("TRACE", "/v1/ca", (405, "method_not_allowed")),
    ],
)
def test_what_is_not_there_is_a_problem_too(office: RestOffice, method: str, path: str, found: tuple[int, str]) -> None:
    answer = office.caller().call(method, path)

    assert problem(answer) == found
    assert ("allow" in answer.headers) is (found[0] == 405)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_only_json_is_read(office: RestOffice, media_type: str) -> None:
    answer = office.caller().call("POST", "/v1/enrol", data=b"{}", headers={"Content-Type": media_type})

    assert problem(answer) == (415, "media_type")


def pieces() -> Iterator[bytes]:
    for _ in range(17):
        yield b" " * 1024


@pytest.mark.parametrize("body", [b" " * 16_385, pieces])
def test_a_body_over_16_kib_is_refused_announced_or_not(
    office: RestOffice, body: bytes | Callable[[], Iterator[bytes]]
) -> None:
    data = body if isinstance(body, bytes) else body()
    answer = office.caller().call("POST", "/v1/enrol", data=data, headers=JSON)

    assert problem(answer) == (413, "too_large")


def test_a_token_asked_without_a_login_is_refused_before_its_body_is_read(office: RestOffice) -> None:
    assert problem(office.caller().call("POST", "/v1/token", data=b" " * 99_999)) == (401, "unauthorised")


def test_without_tls_nothing_is_answered(office: RestOffice) -> None:
    with socket.create_connection(("127.0.0.1", office.port), 5) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.settimeout(8)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = plain.recv(1000)

    assert b"HTTP" not in answer


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_an_old_tls_is_refused(office: RestOffice) -> None:
    context = ssl.create_default_context(cafile=str(office.broker.ca))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1

    with (
        socket.create_connection(("127.0.0.1", office.port), 5) as raw,
        pytest.raises(ssl.SSLError, match=r"EOF|ALERT_PROTOCOL_VERSION"),
    ):
        context.wrap_socket(raw, server_hostname="127.0.0.1")


def test_who_sends_its_request_too_slowly_is_cut_off_and_nobody_waits_for_it(office: RestOffice) -> None:
    context = ssl.create_default_context(cafile=str(office.broker.ca))
    slow = {
        "no head": b"",
        "half a head": b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\n",
        "half a body": b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{",
    }
    with ExitStack() as stack:
        cut_after: dict[str, float] = {}
        sockets: dict[str, ssl.SSLSocket] = {}
        for name, sent in slow.items():
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", office.port), 5))
            sockets[name] = stack.enter_context(context.wrap_socket(raw, server_hostname="127.0.0.1"))
            sockets[name].sendall(sent)
            sockets[name].settimeout(0.05)
        began = time.monotonic()
        assert office.caller().call("GET", "/healthz").status_code == 200

        def cut() -> bool:
            for name in sockets.keys() - cut_after.keys():
                if ended(sockets[name]):
                    cut_after[name] = time.monotonic() - began
            return cut_after.keys() == sockets.keys()

        eventually(cut, 15.0, lambda: f"all are cut off: {cut_after}")
        assert all(8.0 < after_s < 14.0 for after_s in cut_after.values())


def ended(connection: ssl.SSLSocket) -> bool:
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_many_at_once_are_all_answered(office: RestOffice) -> None:
    caller = office.member("many")
    assert caller.secret is not None
    statuses: list[int] = []
    secret = caller.secret
    callers = [office.caller(caller.login, secret) for _ in range(40)]

    def ask(mine: int) -> None:
        statuses.extend(callers[mine].token().status_code for _ in range(5))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 200


def test_no_secret_code_or_token_stands_in_the_log_or_on_the_command_line(tmp_path: Path) -> None:
    with ExitStack() as stack:
        office = RestOffice(tmp_path, stack)
        service = office.start()
        caller = office.member("quiet")
        assert caller.secret is not None
        office.add("unit")
        code = office.code("unit")
        wrong = new_secret()
        token = caller.token().json()["token"]
        enrolled = office.caller().post("/v1/enrol", {"code": code, "hardware": UNIT}).json()
        office.caller().post("/v1/enrol", {"code": code, "hardware": UNIT})
        office.caller(caller.login, wrong).token()
        office.caller("seoul.1.unit", Secret(enrolled["secret"])).token(hardware=OTHER_UNIT)
        office.broker.stop()
        office.caller().post("/v1/enrol", {"code": office.code("unit"), "hardware": UNIT})
        command = Path(f"/proc/{service.pid}/cmdline").read_bytes().decode()
        environment = Path(f"/proc/{service.pid}/environ").read_bytes().decode(errors="replace")
        assert service.stop() == 0

        secrets = [caller.secret, wrong, Secret(token), Secret(code), Secret(enrolled["secret"])]
        secrets += [CERTIFICATE, office.broker.server_secret]
        basic = base64.b64encode(f"{caller.login}:{caller.secret.reveal()}".encode()).decode()
        spoken = service.log + command + environment
        assert "an enrolment code was refused" in service.log
        assert [s for s in [*(secret.reveal() for secret in secrets), basic] if s in spoken] == []
        files = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_mode & 0o007]
        issued = [s.reveal().encode() for s in secrets]
        assert [path for path in files if any(s in path.read_bytes() for s in issued)] == []


def test_a_store_that_is_broken_is_503_and_says_nothing_of_itself(tmp_path: Path) -> None:
    with ExitStack() as stack:
        office = RestOffice(tmp_path, stack)
        service = office.start()
        caller = office.member("car")
        assert caller.token().status_code == 200
        with contextlib.closing(sqlite3.connect(tmp_path / "office.db")) as shell:
            shell.execute("ALTER TABLE registry_user RENAME TO gone")

        answer = caller.token()

        assert problem(answer) == (503, "store")
        assert answer.headers["retry-after"] == "1"
        assert "gone" not in answer.text and "sqlite" not in answer.text.lower()
        assert "the store is away" in service.log


def test_a_fault_of_our_own_is_500_without_details_and_the_next_request_is_answered(tmp_path: Path) -> None:
    with ExitStack() as stack:
        office = RestOffice(tmp_path, stack)
        service = office.start()
        caller, other = office.member("car"), office.member("car", office=TEN)
        with contextlib.closing(sqlite3.connect(tmp_path / "office.db")) as shell, shell:
            shell.execute("UPDATE registry_office SET channel = 'seoul/1' WHERE region = 'seoul' AND office = '1'")

        answer = caller.token()

        assert problem(answer) == (500, "internal")
        assert answer.json()["detail"] == ""
        assert "Traceback" in service.log
        assert other.token().status_code == 200


def test_systemd_is_told_that_it_serves_and_that_it_stops(tmp_path: Path) -> None:
    with ExitStack() as stack:
        office = RestOffice(tmp_path, stack)
        listening = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        path = tmp_path / "notify"
        listening.bind(str(path))
        listening.settimeout(15)
        process = subprocess.Popen(
            [sys.executable, "-m", "dispatch", "rest", "--config", str(office.config)],
            env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "500000", "PYTHONPATH": str(Path.cwd())},
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.kill)
        told: list[str] = []
        while not {"READY=1", "WATCHDOG=1"} <= set(told):
            told.append(listening.recv(500).decode())
        assert office.caller().call("GET", "/healthz").status_code == 200

        process.send_signal(signal.SIGTERM)

        while "STOPPING=1" not in told:
            told.append(listening.recv(500).decode())
        assert process.wait(10) == 0
        assert any(line.startswith(f"STATUS=serving {office.url}") for line in told)


def take_port(office: RestOffice, stack: ExitStack) -> None:
    taken = stack.enter_context(socket.socket())
    taken.bind(("127.0.0.1", office.port))
    taken.listen()


def other_key(office: RestOffice, stack: ExitStack) -> None:
    key = office.folder / "other.key"
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    office.write_config(key=str(key))


def bad_certificate(office: RestOffice, stack: ExitStack) -> None:
    (office.secrets / "ptt.agora-certificate").write_text("not thirty-two hex digits")


FAULTS: dict[str, tuple[Callable[[RestOffice, ExitStack], None], int, str]] = {
    "port": (take_port, 1, "cannot be taken (Address already in use) -> end what uses it"),
    "host": (lambda office, _: office.write_config(host="192.0.2.1"), 1, "cannot be taken"),
    "no certificate": (
        lambda office, _: office.write_config(certificate="/nowhere.pem"),
        1,
        "/nowhere.pem cannot be read",
    ),
    "no ca": (lambda office, _: office.write_config(ca="/nowhere.pem"), 1, "the CA certificate /nowhere.pem"),
    "other key": (other_key, 1, "cannot be used (KEY_VALUES_MISMATCH)"),
    "no key": (lambda office, _: office.write_config(key=None), 2, "rest.key: is missing"),
    "open": (
        lambda office, _: office.write_config(f'[[office]]\nregion = "seoul"\noffice = "1"\n{AGORA}', "open"),
        2,
        'set admission = "registry"',
    ),
    "certificate": (bad_certificate, 2, "agora.certificate: the Agora app certificate is not 32 hexadecimal digits"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_keeps_it_from_starting_is_said_with_how_to_mend_it(tmp_path: Path, fault: str) -> None:
    spoil, status, said = FAULTS[fault]
    with ExitStack() as stack:
        office = RestOffice(tmp_path, stack)
        spoil(office, stack)

        service = office.launch()

        assert service.wait(15) == status
        assert said in service.log
        assert "Traceback" not in service.log


def test_refusals_of_one_minute_are_one_event(running: tuple[RestOffice, Daemon]) -> None:
    office, _ = running
    office.add("events")
    code = office.code("events")
    assert office.caller().post("/v1/enrol", {"code": code, "hardware": UNIT}).status_code == 201
    caller = office.caller(address="127.0.0.60")

    for _ in range(3):
        assert caller.post("/v1/enrol", {"code": code, "hardware": UNIT}).status_code == 410

    events = office.await_events(ONE, EventType.ENROL_REFUSED, 1)
    assert len(events) == 1
    assert events[0].metadata["reason"] == "used_code"
