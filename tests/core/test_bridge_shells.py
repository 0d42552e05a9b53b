"""Settings, token requests and the control connection's readings of the Agora bridge."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from dispatch.bridge.core.words import TokenCame, TokenFailed
from dispatch.bridge.settings import BridgeSettings, read
from dispatch.bridge.token_client import TokenClient
from dispatch.cli import main
from gateway.settings import GatewaySettings
from protocol.ids import OfficeId
from protocol.login import Login
from protocol.rest import Problem, TokenGrant
from service.loop import Loop
from service.settings import Secret, SettingsError, load

EXAMPLE = Path(__file__).resolve().parents[2] / "systemd" / "bridge.toml.example"
SECRET = "s3cr3t-of-the-bridge-000"
GRANT = TokenGrant(app_id="a" * 32, channel="c", uid=9, token="007token", publisher=True, expires_in_s=60)


def written(folder: Path, text: str) -> Path:
    path = folder / "bridge.toml"
    path.write_text(text, "utf-8")
    return path


# --- settings ---------------------------------------------------------------------------------------------------------


def test_the_example_is_a_valid_configuration_that_says_the_defaults(tmp_path: Path) -> None:
    text = EXAMPLE.read_text("utf-8")
    defaults = "\n".join(
        line.removeprefix("#") if line.startswith("#") and " = " in line and not line.startswith("# ") else line
        for line in text.splitlines()
        if not line.startswith("#secret_file")
    )

    assert load(written(tmp_path, defaults), BridgeSettings) == load(EXAMPLE, BridgeSettings)


def test_the_secret_comes_from_the_credential(tmp_path: Path) -> None:
    (tmp_path / "bridge-secret").write_text(SECRET + "\n")
    (tmp_path / "bridge-secret").chmod(0o600)

    settings = read(EXAMPLE, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert settings.secret == Secret(SECRET)
    assert SECRET not in repr(settings)
    assert SECRET not in repr(settings.worker())
    assert SECRET not in repr(settings.control())


def test_the_secret_comes_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    path = written(tmp_path, f'secret_file = "{secret}"\n' + EXAMPLE.read_text("utf-8"))

    assert read(path, {}).secret == Secret(SECRET)


def test_a_secret_that_is_nowhere_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="bridge-secret"):
        read(EXAMPLE, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = """
        region = "seoul"
        office = "hq"
        user = "bridge-1"
        rest_url = "http://office.example.com"
        secret = "a"
        secret_file = "/x"
        [broker]
        host = "office.example.com"
    """

    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, text), BridgeSettings)

    said = str(caught.value)
    assert [word in said for word in ("rest_url", "ca: is missing", "secret: and secret_file")] == [True, True, True]


def test_the_worker_logs_in_as_the_bridges_voice_and_has_agora_as_its_sound_device(tmp_path: Path) -> None:
    (tmp_path / "bridge-secret").write_text(SECRET)
    (tmp_path / "bridge-secret").chmod(0o600)
    settings = read(EXAMPLE, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    worker, control = settings.worker(), settings.control()

    assert (worker.mqtt.username, worker.mqtt.client_id) == ("seoul.hq.bridge-1.voice", "seoul.hq.bridge-1.voice")
    assert control.username == "seoul.hq.bridge-1"
    assert (worker.audio.backend, worker.audio.device_rate_hz) == ("agora", 16000)
    assert worker.agora is not None
    assert worker.mqtt.tls
    assert control.tls


def test_the_command_checks_a_configuration_and_says_where_it_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    good = written(tmp_path, f'secret_file = "{secret}"\n' + EXAMPLE.read_text("utf-8"))
    checked = main(["agora-bridge", "--check", "--config", str(good)])
    said = capsys.readouterr()
    secret.chmod(0o644)

    refused = main(["agora-bridge", "--check", "--config", str(good)])

    assert (checked, said.out) == (0, f"{good}: good\n")
    assert refused == 2
    assert str(secret) in capsys.readouterr().err


# --- tokens -----------------------------------------------------------------------------------------------------------


class Service:
    """A token service that answers what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes, dict[str, str]] = (200, msgspec.json.encode(GRANT), {})
        self.asked: list[tuple[str, str, bytes]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                service.asked.append((self.path, self.headers.get("Authorization", ""), body))
                status, answer, headers = service.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def ask() -> Iterator[Callable[[str], TokenCame | TokenFailed]]:
    """Ask the service at a URL once; gives what was told in the loop's thread."""
    loop = Loop()
    clients: list[TokenClient] = []

    def ask_once(url: str) -> TokenCame | TokenFailed:
        told: list[TokenCame | TokenFailed] = []

        def tell(word: TokenCame | TokenFailed) -> None:
            assert threading.current_thread() is threading.main_thread()
            told.append(word)
            loop.stop()

        client = TokenClient(loop, url, None, Login(OfficeId("seoul", "hq"), "bridge-1"), Secret(SECRET), tell)
        clients.append(client)
        client.start()
        client.fetch()
        loop.run(lambda now: None)
        return told[0]

    yield ask_once
    for client in clients:
        client.close()
    loop.close()


Ask = Callable[[str], TokenCame | TokenFailed]


def test_a_token_is_asked_for_with_the_bridges_login_and_told_in_the_loop(service: Service, ask: Ask) -> None:
    assert ask(service.url) == TokenCame(grant=GRANT)

    [(path, authorization, body)] = service.asked
    assert path == "/v1/token"
    assert authorization.startswith("Basic ")
    assert msgspec.json.decode(body) == {"channel": None, "hardware": None}


def test_a_refusal_is_told_with_the_services_own_words_and_its_wish_to_wait(service: Service, ask: Ask) -> None:
    problem = Problem(
        type="urn:ptt:problem:too_many", title="t", status=429, detail="too many failed logins", mend="wait"
    )
    service.answer = (429, msgspec.json.encode(problem), {"Retry-After": "17"})

    failed = ask(service.url)

    assert failed == TokenFailed(reason="refused (too_many): too many failed logins -> wait", retry_after_s=17.0)


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (500, b""), (404, b"{}"), (302, b""), (200, b'{"token": 5}')]
)
def test_an_answer_that_is_none_of_the_services_is_told_as_such(
    service: Service, ask: Ask, status: int, body: bytes
) -> None:
    service.answer = (status, body, {"Location": "http://127.0.0.1:1/"})

    failed = ask(service.url)

    assert isinstance(failed, TokenFailed)
    assert str(status) in failed.reason


def test_a_service_that_is_not_there_is_told_with_the_cause(service: Service, ask: Ask) -> None:
    service.server.shutdown()
    service.server.server_close()

    failed = ask(service.url)

    assert isinstance(failed, TokenFailed)
    assert "refused" in failed.reason
    assert SECRET not in failed.reason


def test_an_endless_answer_is_not_read_to_its_end(service: Service, ask: Ask) -> None:
    service.answer = (200, b" " * (1 << 22) + msgspec.json.encode(GRANT), {})

    failed = ask(service.url)

    assert isinstance(failed, TokenFailed)


def test_a_vehicle_is_refused_the_bridges_sound_device(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"audio\.backend: is agora, the Agora bridge's alone"):
        load(
            written(tmp_path, '[pins]\nfactory = "virtual"\npins_socket = "/x"\n[audio]\nbackend = "agora"\n'),
            GatewaySettings,
        )
