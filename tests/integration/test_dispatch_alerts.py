"""`ptt-dispatch alerts` beside a real office: what the broker has, a webhook hears, Prometheus reads."""

import json
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from dispatch.cli import main
from dispatch.probing.store import read_probes
from dispatch.store.reader import StoreReader
from lab.broker import free_port
from protocol.codec import decode
from protocol.messages import Alert
from protocol.topics import Kind, topic
from tests.core.test_webhooks import Receiver
from tests.integration.test_dispatch_admission import HQ, Member
from tests.integration.test_dispatch_upkeep import Office, talk
from tests.support.procs import Daemon, eventually

Metrics = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with ExitStack() as stack:
        yield Office(stack, tmp_path)


def start(office: Office) -> Daemon:
    daemon = office._daemons.python("alerts", "-m", "dispatch", "alerts", "--config", office.config)
    daemon.says("watching")
    return daemon


def scrape(port: int) -> Metrics:
    with requests.Session() as session:
        session.trust_env = False
        text = session.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def test_an_office_that_is_not_served_is_told_to_everybody_and_cleared_when_it_is_served_again(office: Office) -> None:
    # given alerts with a webhook that fails at first, a vehicle, and an office that nobody serves
    receiver = Receiver()
    office.stack.callback(receiver.close)
    receiver.answers = [503]
    port = free_port()
    secret = office.enrol("car-1", "hardware-1")
    with office.config.open("a") as file:
        file.write(f'\n[metrics]\nport = {port}\n[alerts]\nclear_s = 1.0\n[[alerts.webhook]]\nname = "ops"\n')
        file.write(f'url = "{receiver.url}"\nsecret = "not-a-real-one"\n')
    daemon = start(office)
    watch = office.watch()
    where = topic(HQ, Kind.ALERT, "dispatch", "not-served")
    # then the alert is retained at the broker, at the webhook in spite of its failing, and in the metrics
    _, payload, _ = watch.take(lambda t, p, _: t == where and p != b"", 10)
    raised = decode(payload, Kind.ALERT)
    assert isinstance(raised, Alert)
    assert "no service runs" in raised.what
    eventually(lambda: len(receiver.got) == 2, 10)
    metrics = scrape(port)
    stands = ("ptt_alert", frozenset({("office", "seoul/hq"), ("alert", "not-served")}))
    assert (metrics[stands], metrics["ptt_services", frozenset()]) == (1.0, 0.0)
    # and when the office is served and somebody talks
    office.serve()
    car = Member(office, "car-1", secret, hardware="hardware-1")
    burst = talk(office, car, 1).burst
    car.renew(burst, 1)
    # then all of that is taken back, and what happened is counted without anybody's name
    watch.take(lambda t, p, _: t == where and p == b"", 20)
    eventually(lambda: b'"cleared"' in receiver.got[-1][1], 10)

    def counted() -> bool:
        found = scrape(port)
        started = ("ptt_events_total", frozenset({("office", "seoul/hq"), ("type", "SPEAKER_CHANGED")}))
        return found[started] >= 1 and found[stands] == 0 and found["ptt_services_connected", frozenset()] == 1

    eventually(counted, 10)
    assert [labels for _, labels in scrape(port) if "car-1" in str(labels)] == []
    daemon.process.terminate()
    assert daemon.process.wait(10) == 0


def test_an_alert_of_an_earlier_process_that_is_no_longer_so_is_cleared(office: Office) -> None:
    # given an alert left behind by a process that was killed
    with office.config.open("a") as file:
        file.write("\n[metrics]\nport = 0\n[alerts]\nclear_s = 1.0\n")
    daemon = start(office)
    watch = office.watch()
    where = topic(HQ, Kind.ALERT, "dispatch", "not-served")
    watch.take(lambda t, p, _: t == where and p != b"", 10)
    eventually(lambda: office.events("ALERT_RAISED"), 10)
    daemon.process.kill()
    daemon.process.wait()
    # when the office is well by the time another one starts
    office.serve()
    start(office)
    # then it is cleared, and the log has both once
    watch.take(lambda t, p, _: t == where and p == b"", 10)
    eventually(lambda: len(office.events("ALERT_RAISED", "ALERT_CLEARED")) >= 2, 10)
    told = office.events("ALERT_RAISED", "ALERT_CLEARED")
    assert [(e["event"], e["user"], e["metadata"]["alert"]) for e in told] == [
        ("ALERT_RAISED", "dispatch", "not-served"),
        ("ALERT_CLEARED", "dispatch", "not-served"),
    ]


def test_a_real_press_tells_whether_the_office_answers_and_touches_nobodys_office(office: Office) -> None:
    # given an office with a vehicle, and a probe that presses every second
    secret = office.enrol("car-1", "hardware-1")
    port = free_port()
    with office.config.open("a") as file:
        file.write(f"\n[metrics]\nport = {port}\n[alerts]\nclear_s = 1.0\n")
        file.write("[probe]\nevery_s = 1.0\nanswer_s = 0.8\nfailures = 2\n")
    office.serve()
    Member(office, "car-1", secret, hardware="hardware-1")
    watch = office.watch()
    daemon = start(office)

    def figure(name: str) -> float:
        return scrape(port).get((name, frozenset()), 0.0)

    # then its presses are granted, timed, and heard of in no office but its own
    eventually(lambda: figure("ptt_probe_answered_total") >= 2, 15)
    assert 0 < figure("ptt_probe_answer_seconds") < 0.8
    assert [labels for _, labels in scrape(port) if "ptt-probe" in str(labels)] == []
    said = office.run("doctor", "--json", status=1)  # there is no REST service here
    assert "ptt-probe" not in said
    told = json.loads(said)
    rows = {row["what"]: row["level"] for row in told["rows"] if row["check"] in ("alerts", "probe", "web")}
    assert rows == {"alerts": "ok", "probe": "ok", "web_silent": "warn"}
    # and when the server is killed, that is counted and told to the real office
    office.daemon.process.kill()
    office.daemon.process.wait()
    where = topic(HQ, Kind.ALERT, "dispatch", "unanswered")
    _, payload, _ = watch.take(lambda t, p, _: t == where and p != b"", 15)
    raised = decode(payload, Kind.ALERT)
    assert isinstance(raised, Alert)
    assert "test presses in a row were not answered" in raised.what
    eventually(lambda: figure("ptt_probe_failing_presses") >= 2, 10)
    # and when it is back, presses are answered again and the alert is taken back
    office.serve()
    watch.take(lambda t, p, _: t == where and p == b"", 20)
    eventually(lambda: figure("ptt_probe_failing_presses") == 0, 10)
    daemon.process.terminate()
    assert daemon.process.wait(10) == 0
    # and the day's figures have all of that, beside a real office's own
    office.run("report", "--day", "today", "--out", str(office.folder / "reports"))
    [made] = (office.folder / "reports").rglob("*.json")
    report = json.loads(made.read_text())
    [row] = [row for row in report["kpis"] if row["kpi"] == "availability"]
    assert (report["office"], row["verdict"], 0 < row["value"] < 1) == ("seoul/hq", "fail", True)
    assert row["samples"] >= 4
    assert (report["figures"]["sessions"], report["figures"]["granted"]) == (0, 0)


def test_an_office_from_before_the_probe_is_given_one_by_one_command(office: Office) -> None:
    # given an office without one
    office.serve()
    path = office.folder / "secrets" / "ptt.probe-password"
    path.unlink()
    with office.config.open("a") as file:
        file.write("\n[metrics]\nport = 0\n[probe]\nevery_s = 1.0\nanswer_s = 0.8\n")
    # when it is made, twice
    office.run("probe")
    first = path.read_text()
    office.run("probe")
    # then it presses with its newest secret, and that is its owner's alone
    start(office).says("probe connected")
    assert (path.read_text() != first, stat.S_IMODE(path.stat().st_mode)) == (True, 0o600)

    def answered() -> bool:
        reader = StoreReader(f"sqlite:///{office.folder}/store/office.db")
        found = read_probes(reader, 0, 2**53)
        reader.close()
        return found is not None and found.answered > 0

    eventually(answered, 15)


def test_a_port_that_is_taken_is_told_and_how_to_mend_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "dispatch.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config.write_text(
            f'[store]\npath = "{tmp_path}/office.db"\n[[office]]\nregion = "seoul"\noffice = "hq"\n'
            f"[metrics]\nport = {taken.getsockname()[1]}\n"
        )

        assert main(["alerts", "--config", str(config)]) == 1

    assert "choose another port" in capsys.readouterr().err
