"""A local server that behaves as Agora's documentation says of its kicking rules: for tests and the demo.

It is ours and proves nothing about Agora's own. Documented are: Basic authentication, `POST`, `DELETE` and `GET` of
`/dev/v1/kicking-rule`, rule ids, times clamped to 1 to 1440 minutes (0: put out only), 10 calls a second, a
`message` in every error. `faults` makes it misbehave.
"""

from __future__ import annotations

import base64
import hmac
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

PATH = "/dev/v1/kicking-rule"
PRIVILEGES = frozenset({"join_channel", "publish_audio", "publish_video"})
BODY_BYTES_MAX = 65_536


class AgoraRest:
    """A server on a free port of the loopback: started on entering, gone on leaving."""

    def __init__(
        self,
        *,
        app_id: str,
        customer_key: str,
        customer_secret: str,
        clock: Callable[[], float] = time.monotonic,
        calls_max: int = 10,
        port: int = 0,
    ) -> None:
        self.app_id = app_id
        self.rules: dict[int, dict[str, Any]] = {}
        """The rules that stand, by id, as a GET lists them."""
        self.calls: list[tuple[str, dict[str, Any]]] = []
        """What was asked so far: method and body or query, without credentials."""
        self.faults: deque[str] = deque()
        """What goes wrong next, one a call: `500`, `504-but-done` (carried out, then no answer), `hang`, `nonsense`."""
        self.hang_s = 30.0
        self._expected = b"Basic " + base64.b64encode(f"{customer_key}:{customer_secret}".encode())
        self._clock, self._calls_max = clock, calls_max
        self._times: deque[float] = deque(maxlen=calls_max)
        self._next_id = 1953
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> AgoraRest:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="agora-rest", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def banned(self, channel: str, uid: int) -> bool:
        """Whether a rule keeps `uid` out of `channel`."""
        now = self._clock()
        with self._lock:
            return any(
                rule["cname"] == channel and rule["uid"] == uid and rule["until"] > now for rule in self.rules.values()
            )

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """Give status and body for one call."""
        url = urlsplit(target)
        with self._lock:
            if not hmac.compare_digest(headers.get("authorization", "").encode(), self._expected):
                return 401, {"message": "Unauthorized"}
            now = self._clock()
            if len(self._times) == self._calls_max and now - self._times[0] < 1.0:
                return 429, {"message": "Too many requests"}
            self._times.append(now)
            if url.path != PATH:
                return 404, {"message": "Not Found"}
            if headers.get("content-type", "").partition(";")[0] != "application/json":
                return 415, {"message": "Unsupported Media Type"}
            asked = {key: values[0] for key, values in parse_qs(url.query).items()} if method == "GET" else _json(body)
            if asked is None:
                return 400, {"message": "invalid json"}
            self.calls.append((method, asked))
            if asked.get("appid") != self.app_id:
                return 400, {"message": "invalid appid"}
            return {"GET": self._list, "POST": self._make, "DELETE": self._lift}[method](asked, now)

    def _list(self, asked: dict[str, Any], now: float) -> tuple[int, dict[str, Any]]:
        self.rules = {rule_id: rule for rule_id, rule in self.rules.items() if rule["until"] > now}
        shown = [{key: value for key, value in rule.items() if key != "until"} for rule in self.rules.values()]
        return 200, {"status": "success", "rules": shown}

    def _make(self, asked: dict[str, Any], now: float) -> tuple[int, dict[str, Any]]:
        privileges, minutes, uid = asked.get("privileges"), asked.get("time", 60), asked.get("uid")
        if not isinstance(privileges, list) or not privileges or not PRIVILEGES.issuperset(privileges):
            return 400, {"message": "invalid privileges"}
        if type(minutes) is not int or (uid is not None and (type(uid) is not int or not 1 <= uid < 2**32)):
            return 400, {"message": "invalid time or uid"}
        if uid is None and not asked.get("cname") and not asked.get("ip"):
            return 400, {"message": "cname, uid or ip is needed"}
        rule_id, self._next_id = self._next_id, self._next_id + 1
        if minutes > 0:
            self.rules[rule_id] = {
                "id": rule_id,
                "appid": self.app_id,
                "uid": uid,
                "opid": rule_id + 1_000_000,
                "cname": asked.get("cname"),
                "ip": asked.get("ip"),
                "privileges": privileges,
                "until": now + 60 * min(minutes, 1440),
            }
        return 200, {"status": "success", "id": rule_id}

    def _lift(self, asked: dict[str, Any], now: float) -> tuple[int, dict[str, Any]]:
        if self.rules.pop(asked.get("id", -1), None) is None:
            return 404, {"message": "rule not found"}
        return 200, {"status": "success", "id": asked["id"]}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        rest = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                """Stay quiet: the caller reads `calls`."""

            def _serve(self) -> None:
                length = self.headers.get("content-length", "0")
                body = self.rfile.read(min(int(length) if length.isdecimal() else 0, BODY_BYTES_MAX))
                fault = rest.faults.popleft() if rest.faults else ""
                if fault == "500":
                    return self._send(500, b'{"message": "Internal Server Error"}')
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, answer = rest.answer(self.command, self.path, headers, body)
                if fault == "hang":
                    rest._closing.wait(rest.hang_s)
                if fault == "504-but-done":
                    return self._send(504, b'{"message": "Gateway Timeout"}')
                self._send(status, b"<html>" if fault == "nonsense" else msgspec.json.encode(answer))

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = _serve

        return Handler


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None
