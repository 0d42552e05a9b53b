"""The doctor's rows of the dashboard, the alerts and the probe: every fault they can have is told with its mend."""

import datetime as dt
import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, generate_latest

from dispatch import pki
from dispatch.alerting.probe_watch import ProbeSum
from dispatch.alerting.settings import MetricsSettings
from dispatch.doctor import watchers
from dispatch.doctor.rows import Row
from dispatch.metrics.collect import OfficeCollector, Sum
from dispatch.probing.place import PROBE_LOGIN
from dispatch.settings import DispatchSettings, RestSettings, StoreSettings, WebSettings
from lab.broker import free_port

NOW = dt.datetime(2026, 11, 23, 4, 0, tzinfo=dt.UTC)
AT_S = NOW.timestamp()
WEB, OTHER = "ptt-dispatch-web-1", "seoul.hq.car-1"
WELL = Sum(
    at_s=AT_S - 1,
    broker_connected=True,
    probe=ProbeSum(presses=9, answered=9, failing=0, last_s=AT_S - 30, last_took_ms=4.0, waiting=0),
)
LOGINS = {WEB: False, PROBE_LOGIN: False, OTHER: False}


def told(rows: Iterator[Row]) -> list[tuple[str, str]]:
    found = list(rows)
    assert [row.text(lang) for row in found for lang in ("en", "ko") if "{" in row.text(lang)] == []
    return [(row.level.value, row.what) for row in found]


@contextmanager
def answering(status: int, body: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on some port that always answers so."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def metrics(total: Sum) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(OfficeCollector(lambda: total))
    return generate_latest(registry)


def settings(folder: Path, port: int) -> DispatchSettings:
    return DispatchSettings(
        store=StoreSettings(path=folder / "office.db"), admission="registry", metrics=MetricsSettings(port=port)
    )


# --- alerts and probe -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "logins", "rows"),
    [
        (WELL, LOGINS, [("ok", "alerts"), ("ok", "probe")]),
        (WELL, None, [("ok", "alerts"), ("ok", "probe")]),
        (replace(WELL, at_s=AT_S - 31), LOGINS, [("bad", "alerts_stuck"), ("ok", "probe")]),
        (replace(WELL, broker_connected=False), LOGINS, [("bad", "alerts_no_broker"), ("ok", "probe")]),
        (replace(WELL, probe=None), LOGINS, [("ok", "alerts"), ("warn", "probe_none")]),
        (WELL, {OTHER: False}, [("ok", "alerts"), ("bad", "probe_no_login")]),
        (WELL, LOGINS | {PROBE_LOGIN: True}, [("ok", "alerts"), ("bad", "probe_no_login")]),
        (replace(WELL, probe=ProbeSum(presses=9, failing=2, last_s=AT_S)), LOGINS,
         [("ok", "alerts"), ("bad", "probe_failing")]),
        (replace(WELL, probe=ProbeSum(presses=9, last_s=AT_S - 200)), LOGINS,
         [("ok", "alerts"), ("bad", "probe_stands")]),
        (replace(WELL, probe=ProbeSum()), LOGINS, [("ok", "alerts"), ("ok", "probe_begins")]),
    ],
)  # fmt: skip
def test_what_alerts_and_probe_say_of_themselves_is_a_row_each(
    tmp_path: Path, total: Sum, logins: dict[str, bool] | None, rows: list[tuple[str, str]]
) -> None:
    with answering(200, metrics(total)) as port:
        assert told(watchers.alerts(settings(tmp_path, port), logins, AT_S)) == rows


def test_alerts_that_do_not_answer_cannot_be_asked_or_are_somebody_else_are_told_apart(tmp_path: Path) -> None:
    silent = told(watchers.alerts(settings(tmp_path, free_port()), LOGINS, AT_S))
    untold = told(watchers.alerts(settings(tmp_path, 0), LOGINS, AT_S))
    with answering(200, b"<html>") as port, answering(404, b"") as other:
        foreign = told(watchers.alerts(settings(tmp_path, other), LOGINS, AT_S))
        garbage = told(watchers.alerts(settings(tmp_path, port), LOGINS, AT_S))

    assert (silent, untold) == ([("warn", "alerts_silent")], [("warn", "alerts_untold")])
    assert (foreign, garbage) == ([("warn", "alerts_silent")], [("warn", "alerts_silent")])
    with answering(200, b"go_goroutines 7\n") as port:
        assert told(watchers.alerts(settings(tmp_path, port), LOGINS, AT_S)) == [("bad", "alerts_foreign")]


# --- the dashboard ----------------------------------------------------------------------------------------------------


class Papers:
    """An office's certificates, and a server that shows one of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority = pki.new_authority("Seoul", NOW)
        (folder / "ca.pem").write_bytes(pki.certificate_pem(authority.certificate))
        for name in ("new", "old"):
            leaf = pki.new_server(authority, ("office.example.com",), NOW)
            (folder / f"{name}.pem").write_bytes(leaf.certificate_pem)
            pki.write_file(folder / f"{name}.key", leaf.key_pem, 0o600)

    def settings(self, port: int) -> DispatchSettings:
        rest = RestSettings(url="https://o:8443", certificate=self.folder / "new.pem", ca=self.folder / "ca.pem")
        return replace(settings(self.folder, 0), rest=rest, web=WebSettings(host="127.0.0.1", port=port))

    def shows(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context


@pytest.mark.parametrize(
    ("certificate", "logins", "rows"),
    [
        ("new", LOGINS, [("ok", "shows"), ("ok", "web_login")]),
        ("new", None, [("ok", "shows")]),
        ("new", {OTHER: False}, [("ok", "shows"), ("bad", "web_no_login")]),
        ("new", LOGINS | {WEB: True}, [("ok", "shows"), ("bad", "web_no_login")]),
        ("old", LOGINS, [("bad", "web_older"), ("ok", "web_login")]),
    ],
)
def test_a_dashboard_must_show_the_office_s_certificate_and_have_its_login(
    tmp_path: Path, certificate: str, logins: dict[str, bool] | None, rows: list[tuple[str, str]]
) -> None:
    papers = Papers(tmp_path)
    with answering(200, b"", papers.shows(certificate)) as port:
        assert told(watchers.web(papers.settings(port), logins)) == rows


def test_a_dashboard_that_is_not_there_is_a_warning_since_the_floor_goes_on(tmp_path: Path) -> None:
    papers = Papers(tmp_path)

    assert told(watchers.web(papers.settings(free_port()), LOGINS)) == [("warn", "web_silent")]
    assert told(watchers.web(settings(tmp_path, 0), LOGINS)) == []
