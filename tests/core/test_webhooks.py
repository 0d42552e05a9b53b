"""Webhooks against a real HTTP server that fails, is slow, refuses and comes back."""

import hashlib
import hmac
import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dispatch.alerting import webhooks
from dispatch.alerting.settings import WebhookSettings
from dispatch.alerting.webhooks import Told, Webhook
from lab.broker import free_port
from service.settings import Secret
from tests.support.procs import eventually

SECRET = "not-a-real-one"


class Receiver:
    """An HTTP server that answers with `answers` in turn, then with 204."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.hold = threading.Event()
        self.hold.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.hold.wait(5)
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.answers.pop(0) if outer.answers else 204)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook?key=in-the-url"

    def close(self) -> None:
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def hooks() -> Iterator[list[Webhook]]:
    made: list[Webhook] = []
    yield made
    for hook in made:
        hook.close()


def start(hooks: list[Webhook], url: str, **options: Any) -> Webhook:
    settings = WebhookSettings(name="ops", url=url, secret=Secret(SECRET))
    hook = Webhook(settings, **{"retry_min_s": 0.02, "answer_s": 0.3, **options})
    hooks.append(hook)
    hook.start()
    return hook


def told(alert: str = "latency") -> Told:
    words = {"state": "raised", "severity": "warning", "what": "느림", "mend": "m"}
    return Told(region="seoul", office="hq", alert=alert, since=1, at=2, **words)


def test_a_message_is_signed_with_its_time_and_holds_the_alert(receiver: Receiver, hooks: list[Webhook]) -> None:
    hook = start(hooks, receiver.url, wall_s=lambda: 1_700_000_000.9)

    hook.tell(told())

    eventually(lambda: hook.delivered == 1)
    [(headers, body)] = receiver.got
    stamp = headers["X-PTT-Timestamp"]
    wanted = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert (stamp, headers["X-PTT-Signature"]) == ("1700000000", f"sha256={wanted}")
    assert (json.loads(body)["what"], json.loads(body)["state"]) == ("느림", "raised")
    assert SECRET not in str(headers) and SECRET.encode() not in body


def test_a_server_that_fails_is_tried_again_with_one_delivery_id_and_order_is_kept(
    receiver: Receiver, hooks: list[Webhook]
) -> None:
    receiver.answers = [500, 503, 429]
    hook = start(hooks, receiver.url)

    hook.tell(told("first"))
    hook.tell(told("second"))

    eventually(lambda: hook.delivered == 2)
    assert [json.loads(body)["alert"] for _, body in receiver.got] == ["first"] * 4 + ["second"]
    assert len({headers["X-PTT-Delivery"] for headers, _ in receiver.got}) == 2
    assert (hook.failed, hook.dropped, hook.waiting) == (3, 0, 0)


def test_a_server_that_is_away_gets_it_when_it_comes(hooks: list[Webhook]) -> None:
    port = free_port()
    hook = start(hooks, f"http://127.0.0.1:{port}/")

    hook.tell(told())

    eventually(lambda: hook.failed >= 3)
    assert (hook.delivered, hook.waiting) == (0, 1)


def test_a_server_that_does_not_answer_in_time_is_tried_again(receiver: Receiver, hooks: list[Webhook]) -> None:
    receiver.hold.clear()
    hook = start(hooks, receiver.url)

    hook.tell(told())
    eventually(lambda: hook.failed >= 1)
    receiver.hold.set()

    eventually(lambda: hook.delivered == 1)


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_refusal_is_given_up_at_once_and_the_next_goes_on(
    receiver: Receiver, hooks: list[Webhook], status: int
) -> None:
    receiver.answers = [status]
    hook = start(hooks, receiver.url)

    hook.tell(told("refused"))
    hook.tell(told("taken"))

    eventually(lambda: hook.delivered == 1)
    assert (hook.dropped, len(receiver.got)) == (1, 2)


def test_a_redirection_is_not_followed(receiver: Receiver, hooks: list[Webhook]) -> None:
    receiver.answers = [302]
    hook = start(hooks, receiver.url)

    hook.tell(told())

    eventually(lambda: hook.delivered == 1)
    assert (hook.failed, len(receiver.got)) == (1, 2)


def test_what_is_too_old_is_given_up(hooks: list[Webhook]) -> None:
    clock = iter([0.0])
    hook = start(hooks, f"http://127.0.0.1:{free_port()}/", clock=lambda: next(clock, webhooks.KEEP_S + 1))

    hook.tell(told())

    eventually(lambda: hook.dropped == 1)
    assert hook.waiting == 0


def test_a_full_queue_drops_the_oldest_and_never_makes_anybody_wait(
    receiver: Receiver, hooks: list[Webhook], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "QUEUE_MAX", 3)
    receiver.hold.clear()
    hook = start(hooks, receiver.url, answer_s=5)
    hook.tell(told("a0"))

    for number in range(1, 6):
        hook.tell(told(f"a{number}"))
    receiver.hold.set()

    eventually(lambda: hook.waiting == 0)
    assert [json.loads(body)["alert"] for _, body in receiver.got][-3:] == ["a0", "a4", "a5"]
    assert hook.dropped == 3


def test_neither_secret_nor_url_is_logged(
    hooks: list[Webhook], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    hook = start(hooks, f"http://127.0.0.1:{free_port()}/?key=in-the-url")

    hook.tell(told())

    eventually(lambda: hook.failed >= 1)
    said = caplog.text + "".join(capfd.readouterr()) + repr(hook._settings)
    assert "not delivered" in said
    assert SECRET not in said and "key=in-the-url" not in caplog.text


@pytest.mark.parametrize("answer", [b"HTTP/1.1 204 Fine\r\n\r\n", b"HTTP/1.1 204 Fine\r\nno header at all\r\n\r\n"])
def test_not_even_a_debug_log_holds_the_url_however_the_receiver_answers(
    hooks: list[Webhook], caplog: pytest.LogCaptureFixture, answer: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        hook = start(hooks, f"http://127.0.0.1:{listening.getsockname()[1]}/in-the-path?key=in-the-url", answer_s=5)
        hook.tell(told())
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)
        eventually(lambda: hook.delivered == 1)

    assert "in-the-" not in caplog.text
